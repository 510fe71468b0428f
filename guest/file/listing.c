/* NtQueryDirectoryFile on directories in which the VM changed something: one sorted listing
 * of what the base shows and what is the VM's own.
 *
 * The host reads a directory whole at the first call on a handle and serves later calls from
 * that; so does this: a listing is made once, and belongs to the handle. */
#include "file.h"

#define BLOCK_SIZE (256u * 1024)

struct block {
    struct block *next;
    uint32_t used;
    uint8_t bytes[BLOCK_SIZE - 16];
};

struct file_listing {
    bool plain;       /* nothing to merge: the host serves this handle */
    ULONG class;      /* of the entries */
    bool started;     /* an answer was given: "no more" instead of "no such file" */
    uint32_t directory; /* its node in the index */
    uint32_t seq;     /* of the index when the listing was made */
    uint32_t count, room, position;
    uint8_t **entries; /* each in the layout of class, NextEntryOffset unused */
    struct block *blocks;
    UNICODE_STRING mask; /* of the first call; the text is ours */
    bool has_mask;       /* an empty one matches nothing */
};

/* Where the parts of an entry lie, by class. */
struct layout {
    uint16_t length_at; /* of FileNameLength */
    uint16_t name_at;
    uint16_t short_at;  /* of ShortNameLength, or 0 */
};

static const struct layout *layout_of(ULONG class)
{
    static const struct layout layouts[] = {
        [FI_DIRECTORY] = {60, 64, 0},          [FI_FULL_DIRECTORY] = {60, 68, 0},
        [FI_BOTH_DIRECTORY] = {60, 94, 68},    [FI_NAMES] = {8, 12, 0},
        [FI_ID_BOTH_DIRECTORY] = {60, 104, 68}, [FI_ID_FULL_DIRECTORY] = {60, 80, 0},
        [FI_ID_GLOBAL_TX] = {60, 92, 0},
    };
    return class < sizeof layouts / sizeof *layouts && layouts[class].name_at ? &layouts[class]
                                                                              : NULL;
}

static struct fvm_wstr entry_name(const struct layout *l, const uint8_t *entry)
{
    uint32_t bytes;
    memcpy(&bytes, entry + l->length_at, sizeof bytes);
    return (struct fvm_wstr){(const fvm_wchar *)(const void *)(entry + l->name_at), bytes / 2};
}

static bool is_dots(struct fvm_wstr name)
{
    return name.len && name.len <= 2 && name.ptr[0] == '.' && name.ptr[name.len - 1] == '.';
}

static void discard(struct file_listing *l)
{
    while (l->blocks) {
        struct block *next = l->blocks->next;
        guest_free(l->blocks);
        l->blocks = next;
    }
    guest_free(l->entries);
    l->entries = NULL;
    l->count = l->room = 0;
}

void file_listing_free(struct file_listing *l)
{
    if (!l) return;
    discard(l);
    guest_free(l->mask.Buffer);
    guest_free(l);
}

static uint8_t *keep(struct file_listing *l, const uint8_t *entry, uint32_t size)
{
    uint32_t rounded = (size + 7) & ~7u;

    if (!l->blocks || rounded > sizeof l->blocks->bytes - l->blocks->used) {
        struct block *b = guest_alloc(sizeof *b);
        if (!b) return NULL;
        b->next = l->blocks;
        l->blocks = b;
    }
    uint8_t *p = l->blocks->bytes + l->blocks->used;
    memcpy(p, entry, size);
    l->blocks->used += rounded;
    return p;
}

/* A growing array of entries. */
struct list {
    uint8_t **items;
    uint32_t count, room;
};

static bool append(struct list *list, uint8_t *entry)
{
    if (!entry) return false;
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 512;
        uint8_t **items = guest_alloc(room * sizeof *items);
        if (!items) return false;
        memcpy(items, list->items, list->count * sizeof *items);
        guest_free(list->items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = entry;
    return true;
}

/* Bits of the directory's child of that name, 0 when it has none. */
static uint32_t child_flags(uint32_t directory, struct fvm_wstr name)
{
    uint32_t seq, flags;

    if (!directory) return 0;
    for (uint32_t tries = 0;; tries++) {
        seq = fvm_index_read_begin(guest_index);
        uint32_t id = fvm_index_find_child(guest_index, directory, name);
        flags = id ? fvm_index_flags(guest_index, id) : 0;
        if (!fvm_index_read_retry(guest_index, seq)) return flags;
        if (tries > 1000) {
            file_lock(); /* repairs what a killed writer left */
            file_unlock();
            tries = 0;
        }
    }
}

enum side { SIDE_BASE, SIDE_PRIVATE };

/* Reads a whole directory of the host and keeps the entries that show in the VM. */
static NTSTATUS read_side(struct file_listing *l, struct file_name *name, enum side side,
                          bool dots, struct list *out)
{
    const struct layout *layout = layout_of(l->class);
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    HANDLE handle;
    bool fits = side == SIDE_BASE ? file_attr_base(name, NULL, &attr)
                                  : file_attr_private(name, NULL, &attr);

    if (!fits) return ST_OBJECT_NAME_INVALID;
    NTSTATUS status = file_real.open(&handle, FILE_LIST_DIRECTORY | SYNCHRONIZE, &attr.attr, &io,
                                     FILE_SHARE_ALL,
                                     FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT |
                                         FILE_OPEN_FOR_BACKUP_INTENT);
    if (status == ST_NAME_NOT_FOUND || status == ST_PATH_NOT_FOUND) return STATUS_SUCCESS;
    if (status) return status;
    uint8_t *buffer = guest_scratch_get();
    if (!buffer) status = NT_NO_MEMORY;
    while (!status) {
        status = file_real.query_directory(handle, NULL, NULL, NULL, &io, buffer,
                                           GUEST_SCRATCH_SIZE, l->class, FALSE,
                                           l->has_mask ? &l->mask : NULL, FALSE);
        for (uint8_t *p = buffer; !status;) {
            uint32_t next;
            struct fvm_wstr text = entry_name(layout, p);
            uint32_t flags = is_dots(text) ? 0 : child_flags(name->look.node, text);
            bool shows = is_dots(text) ? dots
                         : side == SIDE_BASE
                             ? !(flags & (FVM_NODE_HIDDEN | FVM_NODE_PRIVATE | FVM_NODE_ORIGIN |
                                          FVM_NODE_CONTAINER))
                             : (flags & (FVM_NODE_PRIVATE | FVM_NODE_CONTAINER)) != 0;
            if (shows && !append(out, keep(l, p, layout->name_at + text.len * 2)))
                status = NT_NO_MEMORY;
            memcpy(&next, p, sizeof next);
            if (!next) break;
            p += next;
        }
    }
    guest_scratch_put(buffer);
    file_real.close(handle);
    return status == ST_NO_MORE_FILES || status == ST_NO_SUCH_FILE ? STATUS_SUCCESS : status;
}

/* --- what was moved here from elsewhere in the base ------------------------------------------ */

/* Does the name match a mask with * and ? (the host treats > as ?)? */
static bool match(struct fvm_wstr name, const UNICODE_STRING *mask)
{
    uint32_t n = 0, m = 0, star = UINT32_MAX, retry = 0, mask_len = mask->Length / 2;

    while (n < name.len) {
        fvm_wchar c = m < mask_len ? (fvm_wchar)mask->Buffer[m] : 0;
        if (m < mask_len && c == '*') {
            star = ++m;
            retry = n;
        } else if (m < mask_len &&
                   (c == '?' || c == '>' || fvm_upcase(c) == fvm_upcase(name.ptr[n]))) {
            m++, n++;
        } else if (star != UINT32_MAX) {
            m = star;
            n = ++retry;
        } else {
            return false;
        }
    }
    while (m < mask_len && (mask->Buffer[m] == '*' || mask->Buffer[m] == '.'))
        m++;
    return m == mask_len;
}

/* The entry of one object of the base, under the name it has in the VM. */
static bool add_moved(struct file_listing *l, uint32_t node, struct list *out)
{
    const struct layout *layout = layout_of(l->class);
    struct fvm_wstr own = fvm_index_name(guest_index, node);
    struct fvm_wstr origin = fvm_index_target(guest_index, node);
    fvm_wchar short_name[12];
    uint32_t short_len = fvm_short_name(own, short_name), parent = fvm_path_parent(origin);

    if (l->has_mask && !match(own, &l->mask) &&
        !(short_len && match((struct fvm_wstr){short_name, short_len}, &l->mask)))
        return true;
    fvm_wchar *path = guest_scratch_get();
    if (!path) return false;
    uint32_t len = fvm_path_to_nt((struct fvm_wstr){origin.ptr, parent}, false, path, 32768);
    UNICODE_STRING text = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)path};
    fvm_wchar *leaf = path + 32768;
    uint32_t leaf_len = origin.len - parent - 1;
    memcpy(leaf, origin.ptr + parent + 1, leaf_len * 2);
    UNICODE_STRING mask = {(USHORT)(leaf_len * 2), (USHORT)(leaf_len * 2), (WCHAR *)leaf};
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    HANDLE handle;
    bool ok = true;

    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (!file_real.open(&handle, FILE_LIST_DIRECTORY | SYNCHRONIZE, &attr, &io, FILE_SHARE_ALL,
                        FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT)) {
        uint8_t *entry = (uint8_t *)(path + 2 * 32768);
        NTSTATUS status = file_real.query_directory(handle, NULL, NULL, NULL, &io, entry, 65536,
                                                    l->class, TRUE, &mask, TRUE);
        file_real.close(handle);
        if (!status) {
            uint32_t bytes = own.len * 2;
            memcpy(entry + layout->length_at, &bytes, sizeof bytes);
            memmove(entry + layout->name_at, own.ptr, bytes);
            if (layout->short_at) {
                entry[layout->short_at] = (uint8_t)(short_len * 2);
                memset(entry + layout->short_at + 2, 0, 24);
                memcpy(entry + layout->short_at + 2, short_name, short_len * 2);
            }
            ok = append(out, keep(l, entry, layout->name_at + bytes));
        }
    }
    guest_scratch_put(path);
    return ok;
}

static void sort(struct list *list, const struct layout *layout)
{
    /* few as a rule; a directory whose entries all were moved in is worth the better way */
    for (uint32_t gap = list->count / 2; gap; gap /= 2) {
        for (uint32_t i = gap; i < list->count; i++) {
            uint8_t *entry = list->items[i];
            struct fvm_wstr name = entry_name(layout, entry);
            uint32_t j = i;
            for (; j >= gap; j -= gap) {
                struct fvm_wstr other = entry_name(layout, list->items[j - gap]);
                if (fvm_name_compare(other.ptr, other.len, name.ptr, name.len) <= 0) break;
                list->items[j] = list->items[j - gap];
            }
            list->items[j] = entry;
        }
    }
}

static NTSTATUS add_all_moved(struct file_listing *l, struct file_name *name, struct list *out)
{
    bool ok = true;

    if (!name->look.node || !fvm_index_has_origins(guest_index)) return STATUS_SUCCESS;
    file_lock(); /* the nodes stay as they are meanwhile */
    uint32_t id = fvm_index_first_child(guest_index, name->look.node);
    for (; id && ok; id = fvm_index_next_sibling(guest_index, id))
        if ((fvm_index_flags(guest_index, id) & (FVM_NODE_ORIGIN | FVM_NODE_CONTAINER)) ==
            FVM_NODE_ORIGIN)
            ok = add_moved(l, id, out);
    file_unlock();
    sort(out, layout_of(l->class));
    return ok ? STATUS_SUCCESS : NT_NO_MEMORY;
}

/* Merges sorted lists; "." and ".." stay in front. */
static bool merge(struct file_listing *l, struct list *a, struct list *b, struct list *out)
{
    const struct layout *layout = layout_of(l->class);
    uint32_t i = 0, j = 0;

    while (i < a->count || j < b->count) {
        bool first = j >= b->count;
        if (!first && i < a->count) {
            struct fvm_wstr x = entry_name(layout, a->items[i]), y = entry_name(layout, b->items[j]);
            first = is_dots(x) || (!is_dots(y) && fvm_name_compare(x.ptr, x.len, y.ptr, y.len) <= 0);
        }
        if (!append(out, first ? a->items[i++] : b->items[j++])) return false;
    }
    return true;
}

static NTSTATUS build(struct file_listing *l, struct file_name *name)
{
    struct list base = {0}, own = {0}, moved = {0}, both = {0}, all = {0};
    bool has_base = name->look.base_len != 0;
    bool has_folder = name->look.verdict == FVM_MERGED || name->look.verdict == FVM_PRIVATE;
    NTSTATUS status = STATUS_SUCCESS;

    discard(l);
    l->directory = name->look.node;
    l->seq = fvm_index_read_begin(guest_index);
    if (has_base) status = read_side(l, name, SIDE_BASE, !has_folder, &base);
    /* a directory with a private folder shows that one's attributes and times */
    if (!status && has_folder) status = read_side(l, name, SIDE_PRIVATE, true, &own);
    if (!status) status = add_all_moved(l, name, &moved);
    if (!status && (!merge(l, &base, &own, &both) || !merge(l, &both, &moved, &all)))
        status = NT_NO_MEMORY;
    guest_free(base.items);
    guest_free(own.items);
    guest_free(moved.items);
    guest_free(both.items);
    if (status) {
        guest_free(all.items);
        discard(l);
        return status;
    }
    l->entries = all.items;
    l->count = all.count;
    l->room = all.room;
    return STATUS_SUCCESS;
}

/* --- answering ------------------------------------------------------------------------------------ */

/* The host leaves out what was deleted since it read the directory. */
static bool is_gone(struct file_listing *l, struct fvm_wstr name)
{
    if (is_dots(name) || fvm_index_read_begin(guest_index) == l->seq) return false;
    uint32_t flags = child_flags(l->directory, name);
    return (flags & FVM_NODE_HIDDEN) && !(flags & FVM_NODE_PRIVATE);
}

/* Writes entries from the position on to the program's buffer, as the host fills it. */
static NTSTATUS serve(struct file_listing *l, IO_STATUS_BLOCK *io, uint8_t *buffer, ULONG length,
                      bool single)
{
    const struct layout *layout = layout_of(l->class);
    IO_STATUS_BLOCK result = {0};
    uint32_t used = 0, last = 0, zero = 0;
    bool any = false;

    while (l->position < l->count) {
        const uint8_t *entry = l->entries[l->position];
        struct fvm_wstr name = entry_name(layout, entry);
        if (is_gone(l, name)) {
            l->position++;
            continue;
        }
        uint32_t start = (used + 7) & ~7u, bytes = name.len * 2;
        if (start + layout->name_at > length) break;
        uint32_t room = length - start - layout->name_at;
        if (any && bytes > room) break;
        uint32_t fit = bytes < room ? bytes : room;
        uint32_t distance = start - last;
        if (!guest_write(buffer + start, entry, layout->name_at + fit) ||
            !guest_write(buffer + start, &zero, sizeof zero) ||
            (any && !guest_write(buffer + last, &distance, sizeof distance)))
            return NT_ACCESS_VIOLATION;
        any = true;
        last = start;
        used = start + layout->name_at + fit;
        l->position++;
        if (fit < bytes) {
            result.Status = ST_BUFFER_OVERFLOW;
            break;
        }
        if (single) break;
    }
    result.Information = used;
    if (!any) result.Status = ST_NO_MORE_FILES;
    return guest_write(io, &result, sizeof result) ? result.Status : NT_ACCESS_VIOLATION;
}

/* True when the host's own listing of the handle's object is what the VM sees. */
static bool is_plain(struct file_name *name)
{
    if (name->look.verdict == FVM_MERGED) return false;
    if (!name->look.has_children) return true;
    if (name->look.verdict != FVM_PRIVATE) return false;
    bool moved = false;
    if (fvm_index_has_origins(guest_index)) {
        file_lock();
        uint32_t id = fvm_index_first_child(guest_index, name->look.node);
        for (; id && !moved; id = fvm_index_next_sibling(guest_index, id))
            moved = fvm_index_flags(guest_index, id) & FVM_NODE_ORIGIN;
        file_unlock();
    }
    return !moved;
}

static NTSTATUS start(struct file_handle *h, HANDLE handle, ULONG class, UNICODE_STRING *mask)
{
    struct file_listing *l = guest_alloc(sizeof *l);
    struct file_name name;
    struct nt_object_basic basic;
    UNICODE_STRING text;

    if (!l) return NT_NO_MEMORY;
    if (!file_resolve_view((struct fvm_wstr){h->view, h->view_len}, &name)) {
        guest_free(l);
        return NT_NO_MEMORY;
    }
    NTSTATUS status = STATUS_SUCCESS;
    l->plain = is_plain(&name);
    if (!l->plain) {
        if (!file_real.query_object(handle, 0, &basic, sizeof basic, NULL) &&
            !(basic.access & FILE_LIST_DIRECTORY))
            status = NT_ACCESS_DENIED;
        if (!status && mask) {
            l->has_mask = true;
            if (!guest_read(&text, mask, sizeof text)) {
                status = NT_ACCESS_VIOLATION;
            } else if (text.Length) {
                l->mask.Buffer = guest_alloc(text.Length);
                l->mask.Length = l->mask.MaximumLength = text.Length;
                if (!l->mask.Buffer) status = NT_NO_MEMORY;
                else if (!guest_read(l->mask.Buffer, text.Buffer, text.Length))
                    status = NT_ACCESS_VIOLATION;
            }
        }
        l->class = class;
        if (!status) status = build(l, &name);
    }
    file_name_free(&name);
    if (status) file_listing_free(l);
    else h->listing = l;
    return status;
}

/* Entries of another class than before: the same names in the same order. */
static NTSTATUS change_class(struct file_handle *h, ULONG class)
{
    struct file_name name;

    if (!file_resolve_view((struct fvm_wstr){h->view, h->view_len}, &name)) return NT_NO_MEMORY;
    h->listing->class = class;
    NTSTATUS status = build(h->listing, &name);
    file_name_free(&name);
    return status;
}

NTSTATUS NTAPI file_hook_query_directory(HANDLE handle, HANDLE event, void *apc, void *context,
                                         IO_STATUS_BLOCK *io, void *buffer, ULONG length,
                                         ULONG class, BOOLEAN single, UNICODE_STRING *mask,
                                         BOOLEAN restart)
{
    const struct layout *layout = layout_of(class);
    struct file_handle *h = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    /* what the host refuses it refuses for any directory */
    if (event || apc || !layout || !buffer || length < ((layout->name_at + 2 + 7u) & ~7u))
        goto host;
    h = file_handle_get(handle);
    if (!h) {
        struct file_name name;
        if (file_resolve_handle(handle, &name, NULL) != FILE_IS_NAMED) goto host;
        h = file_handle_add(handle, file_canon(&name));
        file_name_free(&name);
        if (!h) goto host;
    }
    if (h->listing && h->listing->plain) goto host;

    guest_lock_acquire(&h->lock);
    if (!h->listing) status = start(h, handle, class, mask);
    else if (h->listing->class != class && !h->listing->plain) status = change_class(h, class);
    struct file_listing *l = h->listing;
    if (!status && !l->plain) {
        bool first = !l->started;
        l->started = true;
        if (restart) l->position = 0;
        if (first && !l->count) {
            ULONG_PTR none = 0;
            status = guest_write(&io->Information, &none, sizeof none) ? ST_NO_SUCH_FILE
                                                                       : NT_ACCESS_VIOLATION;
        } else {
            status = serve(l, io, buffer, length, single);
        }
    }
    guest_lock_release(&h->lock);
    bool plain = l && l->plain;
    file_handle_release(h);
    h = NULL;
    if (status || !plain) return status;
host:
    file_handle_release(h);
    return file_real.query_directory(handle, event, apc, context, io, buffer, length, class, single,
                                     mask, restart);
}
