/* What the guest remembers about open handles, and the end of handles. */
#include "file.h"
#include "guest_slots.h"

/* A slot holds a pointer to an entry, or, for a plain file of the base, the id of its note
 * in the table of open files (times two plus one): no memory is needed for those. */
static struct guest_slots table;
static guest_lock table_lock;

static bool is_note(const struct file_handle *h) { return (uintptr_t)h & 1; }

static void **slot_of(HANDLE handle, bool make) { return guest_slot(&table, handle, make); }

void file_handle_release(struct file_handle *h)
{
    if (is_note(h)) {
        file_open_forget((uint32_t)((uintptr_t)h >> 1));
        return;
    }
    if (!h || __atomic_sub_fetch(&h->references, 1, __ATOMIC_ACQ_REL)) return;
    if (h->note) file_open_forget(h->note);
    if (h->replacement) file_real.close(h->replacement);
    file_listing_free(h->listing);
    guest_free(h);
}

static struct file_handle *replace(void **slot, struct file_handle *h)
{
    guest_lock_acquire(&table_lock);
    struct file_handle *old = *slot;
    *slot = h;
    guest_lock_release(&table_lock);
    return old;
}

struct file_handle *file_handle_add(HANDLE handle, struct fvm_wstr view)
{
    void **slot = slot_of(handle, true);
    struct file_handle *h = slot ? guest_alloc(sizeof *h + view.len * sizeof(WCHAR)) : NULL;

    if (!h) return NULL;
    h->references = 2; /* the table's and the caller's */
    h->view_len = view.len;
    memcpy(h->view, view.ptr, view.len * sizeof(WCHAR));
    struct file_handle *old = replace(slot, h);
    if (is_note(old)) h->note = (uint32_t)((uintptr_t)old >> 1);
    else file_handle_release(old);
    return h;
}

uint32_t file_handle_open_id(HANDLE handle)
{
    void **slot = slot_of(handle, false);
    struct file_handle *h = slot ? *slot : NULL;
    return h && is_note(h) ? (uint32_t)((uintptr_t)h >> 1) : 0;
}

void file_handle_set_open(HANDLE handle, uint32_t id)
{
    void **slot = slot_of(handle, true);
    struct file_handle *note = (struct file_handle *)(((uintptr_t)id << 1) | 1);

    struct file_handle *h = file_handle_get(handle);
    if (h) {
        h->note = id;
        file_handle_release(h);
    } else {
        file_handle_release(slot ? replace(slot, note) : note);
    }
}

struct file_handle *file_handle_get(HANDLE handle)
{
    void **slot = slot_of(handle, false);
    struct file_handle *h = NULL;

    if (!slot || !*slot) return NULL;
    guest_lock_acquire(&table_lock);
    h = is_note(*slot) ? NULL : *slot;
    if (h) __atomic_add_fetch(&h->references, 1, __ATOMIC_RELAXED);
    guest_lock_release(&table_lock);
    return h;
}

struct file_handle *file_handle_remove(HANDLE handle)
{
    void **slot = slot_of(handle, false);

    if (!slot || !*slot) return NULL;
    return replace(slot, NULL); /* the table's reference becomes the caller's */
}

/* Puts an entry back whose handle turned out to stay open. */
static void put_back(HANDLE handle, struct file_handle *h)
{
    void **slot = slot_of(handle, false);

    file_handle_release(slot ? replace(slot, h) : h);
}

static void after_close(struct file_handle *h)
{
    bool deletes = h->delete_base;
    struct fvm_wstr view = {h->view, h->view_len};

    if (h->delete_on_close) file_closed_deleted(view);
    if (h->note) file_open_forget(h->note);
    h->note = 0;
    if (deletes) file_delete_seen(view);
    file_handle_release(h);
}

/* Turns the note of a file that is to be deleted into an entry that knows its name. */
static void prepare_doomed(HANDLE handle)
{
    uint32_t id = file_handle_open_id(handle);
    struct file_name name;

    if (!id || !file_open_is_doomed(id) ||
        file_resolve_handle(handle, &name, NULL) != FILE_IS_NAMED)
        return;
    struct file_handle *h = file_handle_add(handle, file_canon(&name));
    if (h) h->delete_base = true;
    file_handle_release(h);
    file_name_free(&name);
}

NTSTATUS NTAPI file_hook_close(HANDLE handle)
{
    if (guest_is_own_handle(handle)) return NT_INVALID_HANDLE;
    guest_registry_closing(handle);
    prepare_doomed(handle);
    /* Removed before the close: afterwards another thread may be given the same value. */
    struct file_handle *h = file_handle_remove(handle);
    NTSTATUS status = file_real.close(handle);

    if (!h) return status;
    if (status < 0) put_back(handle, h);
    else if (is_note(h)) file_handle_release(h);
    else after_close(h);
    return status;
}

NTSTATUS NTAPI file_hook_duplicate(HANDLE source_process, HANDLE source, HANDLE target_process,
                                   HANDLE *target, ACCESS_MASK access, ULONG attributes,
                                   ULONG options)
{
    bool own = source_process == NT_CURRENT_PROCESS;
    struct file_handle *h = NULL;
    struct file_handle *copy = own ? file_handle_get(source) : NULL;
    uint32_t note = own ? file_handle_open_id(source) : 0;
    if (own && (options & DUPLICATE_CLOSE_SOURCE)) guest_registry_closing(source);

    if (own && (options & DUPLICATE_CLOSE_SOURCE)) h = file_handle_remove(source); /* not freed yet */
    NTSTATUS status = file_real.duplicate(source_process, source, target_process, target, access,
                                          attributes, options);
    HANDLE made;
    if (status >= 0 && target_process == NT_CURRENT_PROCESS && target &&
        guest_read(&made, target, sizeof made)) {
        if (copy) {
            struct file_handle *n =
                file_handle_add(made, (struct fvm_wstr){copy->view, copy->view_len});
            if (n) n->delete_on_close = copy->delete_on_close;
            file_handle_release(n);
        } else if (note && (note = file_open_copy(note)) != 0) {
            file_handle_set_open(made, note);
        } else {
            file_handle_release(file_handle_remove(made));
        }
    }
    file_handle_release(copy);
    if (h) {
        if (status < 0) put_back(source, h);
        else if (is_note(h)) file_handle_release(h);
        else after_close(h);
    }
    return status;
}

void file_handles_hold(bool hold)
{
    if (hold) guest_lock_acquire(&table_lock);
    else guest_lock_release(&table_lock);
}

/* The host closes what a process leaves open; what is to be deleted then is recorded here. */
void file_handles_at_exit(void)
{
    for (uint32_t i = 0; i < GUEST_CHUNKS; i++) {
        for (uint32_t k = 0; table.chunks[i] && k < GUEST_CHUNK_SLOTS; k++) {
            struct file_handle *h = table.chunks[i][k];
            HANDLE handle = (HANDLE)(((uintptr_t)i * GUEST_CHUNK_SLOTS + k) << 2);
            if (!h) continue;
            if (is_note(h) ? file_open_is_doomed((uint32_t)((uintptr_t)h >> 1))
                           : h->delete_base || h->delete_on_close)
                file_hook_close(handle);
        }
    }
}
