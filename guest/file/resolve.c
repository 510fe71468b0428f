/* From a name of the program to what stands behind it, and back. */
#include "file.h"

/* Looks the view path in input (len units) up, until no writer was in between. */
static int look_up(struct file_name *name, struct fvm_wstr view)
{
    for (uint32_t tries = 0;; tries++) {
        uint32_t seq = fvm_index_read_begin(guest_index);
        if (!(seq & 1)) {
            int err = fvm_index_lookup(guest_index, view, &name->look);
            if (!fvm_index_read_retry(guest_index, seq)) return err;
        }
        /* A change takes microseconds. If this one does not end, its writer has died: taking
         * the lock repairs what it left. */
        if (tries > 1000) {
            file_lock();
            file_unlock();
            tries = 0;
        } else if (tries > 100) {
            NtYieldExecution();
        }
    }
}

static bool allocate(struct file_name *name)
{
    fvm_wchar *p = guest_scratch_get();

    if (!p) return false;
    name->scratch = name->input = p;
    name->trailing = name->rewritten = name->by_id = false;
    name->look.canon = p + FILE_NAME_CAP;
    name->look.base = p + 2 * FILE_NAME_CAP;
    name->look.canon_cap = name->look.base_cap = FILE_NAME_CAP;
    return true;
}

/* Where NT names for the host are made. */
static fvm_wchar *output(struct file_name *name) { return (fvm_wchar *)name->scratch + 3 * FILE_NAME_CAP; }

void file_name_free(struct file_name *name)
{
    guest_scratch_put(name->scratch);
    name->scratch = NULL;
}

static enum file_kind finish(struct file_name *name, struct fvm_wstr view)
{
    uint32_t parent = fvm_path_parent(view), start = parent ? parent + 1 : 0;

    name->leaf_len = view.len - start;
    if (name->leaf_len > sizeof name->leaf / sizeof *name->leaf) name->leaf_len = 0;
    memcpy(name->leaf, view.ptr + start, name->leaf_len * sizeof(WCHAR));
    if (look_up(name, view) < 0) {
        file_name_free(name);
        return FILE_IS_OTHER;
    }
    return FILE_IS_NAMED;
}

bool file_resolve_view(struct fvm_wstr view, struct file_name *name)
{
    return allocate(name) && finish(name, view) == FILE_IS_NAMED;
}

enum file_kind file_resolve_text(struct fvm_wstr nt, struct file_name *name)
{
    if (!allocate(name)) return FILE_IS_OTHER;
    struct fvm_path path = {.dst = name->input, .cap = FILE_NAME_CAP};
    if (fvm_path_from_nt(nt, guest_shared->host_has_z, &path) != FVM_PATH_FILE) {
        file_name_free(name);
        return FILE_IS_OTHER;
    }
    name->trailing = path.trailing;
    name->rewritten = path.rewritten;
    return finish(name, (struct fvm_wstr){path.dst, path.len});
}

/* The NT name of a handle's object as the host knows it; 0 when it has none that names a
 * file. */
static uint32_t host_name(HANDLE handle, fvm_wchar *dst, uint32_t cap)
{
    struct nt_object_name *info = (void *)dst;
    ULONG used;

    if (file_real.query_object(handle, ObjectNameInformation, info, cap * sizeof(WCHAR), &used))
        return 0;
    uint32_t len = info->name.Length / sizeof(WCHAR);
    memmove(dst, info->name.Buffer, len * sizeof(WCHAR));
    return len;
}

enum file_kind file_resolve_handle(HANDLE handle, struct file_name *name, bool *is_private)
{
    if (is_private) *is_private = false;
    if (!allocate(name)) return FILE_IS_OTHER;
    fvm_wchar *nt = output(name);
    uint32_t len = host_name(handle, nt, FILE_NAME_CAP);
    struct fvm_path path = {.dst = name->input, .cap = FILE_NAME_CAP};

    if (!len || fvm_path_from_nt((struct fvm_wstr){nt, len}, guest_shared->host_has_z, &path) !=
                    FVM_PATH_FILE) {
        file_name_free(name);
        return FILE_IS_OTHER;
    }
    if (finish(name, (struct fvm_wstr){path.dst, path.len}) != FILE_IS_NAMED) return FILE_IS_OTHER;
    if (name->look.private_alias) {
        if (is_private) *is_private = true;
        return FILE_IS_NAMED;
    }
    /* an object of the base: the VM may see it at another place */
    int view = fvm_index_base_to_view(guest_index, file_canon(name), name->input, FILE_NAME_CAP);
    if (view < 0) {
        file_name_free(name);
        return FILE_IS_OTHER;
    }
    return finish(name, (struct fvm_wstr){name->input, (uint32_t)view});
}

void file_lookup_again(struct file_name *name)
{
    bool aliased = name->look.aliased;

    memcpy(name->input, name->look.canon, name->look.canon_len * sizeof(WCHAR));
    look_up(name, (struct fvm_wstr){name->input, name->look.canon_len});
    name->look.aliased |= aliased;
}

/* The view path of the directory that a relative name starts from. */
static uint32_t root_path(HANDLE root, fvm_wchar *dst, uint32_t cap)
{
    struct file_handle *h = file_handle_get(root);

    /* What was remembered at the open holds until directories are moved about. */
    if (h && h->view_len && h->view_len <= cap) {
        uint32_t len = h->view_len;
        memcpy(dst, h->view, len * sizeof(WCHAR));
        file_handle_release(h);
        return len;
    }
    file_handle_release(h);
    struct file_name name;
    if (file_resolve_handle(root, &name, NULL) != FILE_IS_NAMED) return 0;
    uint32_t len = name.look.canon_len;
    memcpy(dst, name.look.canon, len * sizeof(WCHAR));
    file_name_free(&name);
    return len;
}

/* Opens an object by its id, starting from the directory of root. */
static NTSTATUS open_by_id(const OBJECT_ATTRIBUTES *attr, HANDLE root, HANDLE *handle)
{
    OBJECT_ATTRIBUTES copy = *attr;
    IO_STATUS_BLOCK io;

    copy.RootDirectory = root;
    return file_real.open(handle, FILE_READ_ATTRIBUTES, &copy, &io, FILE_SHARE_ALL,
                          FILE_OPEN_BY_FILE_ID);
}

/* The host looks for the id below the directory that the program gives, in one tree only:
 * ours is two. */
static NTSTATUS open_by_id_in_vm(const OBJECT_ATTRIBUTES *attr, HANDLE *handle)
{
    struct file_name name;
    struct file_attr top;
    IO_STATUS_BLOCK io;
    HANDLE root;
    NTSTATUS status = open_by_id(attr, attr->RootDirectory, handle);

    if (!status || file_resolve_handle(attr->RootDirectory, &name, NULL) != FILE_IS_NAMED)
        return status;
    for (int side = 0; side < 2 && status; side++) {
        bool fits = side ? name.look.base_len && file_attr_base(&name, NULL, &top)
                         : file_attr_private(&name, NULL, &top);
        if (!fits || file_real.open(&root, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &top.attr, &io,
                                    FILE_SHARE_ALL,
                                    FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT))
            continue;
        status = open_by_id(attr, root, handle);
        file_real.close(root);
    }
    file_name_free(&name);
    return status;
}

static enum file_kind resolve_by_id(const OBJECT_ATTRIBUTES *attr, struct file_name *name)
{
    HANDLE handle;

    /* the host finds the object, its name tells what it is to the VM */
    if (open_by_id_in_vm(attr, &handle)) return FILE_IS_OTHER;
    enum file_kind kind = file_resolve_handle(handle, name, NULL);
    file_real.close(handle);
    if (kind == FILE_IS_NAMED) name->by_id = name->rewritten = true;
    return kind;
}

enum file_kind file_resolve(const OBJECT_ATTRIBUTES *program_attr, ULONG options,
                            struct file_name *name)
{
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;

    if (!guest_read(&attr, program_attr, sizeof attr) || !attr.ObjectName ||
        !guest_read(&text, attr.ObjectName, sizeof text))
        return FILE_IS_OTHER; /* the host says how it takes such a pointer */
    if (options & FILE_OPEN_BY_FILE_ID) return resolve_by_id(&attr, name);
    uint32_t len = text.Length / sizeof(WCHAR);
    if (len >= FILE_NAME_CAP || !allocate(name)) return FILE_IS_OTHER;
    fvm_wchar *copy = output(name);
    if (!guest_read(copy, text.Buffer, len * sizeof(WCHAR))) {
        file_name_free(name);
        return FILE_IS_OTHER;
    }

    struct fvm_path path = {.dst = name->input, .cap = FILE_NAME_CAP};
    enum fvm_path_kind kind = FVM_PATH_OTHER;
    if (!attr.RootDirectory)
        kind = fvm_path_from_nt((struct fvm_wstr){copy, len}, guest_shared->host_has_z, &path);
    else if (!len || copy[0] != '\\') {
        path.len = root_path(attr.RootDirectory, path.dst, path.cap);
        if (path.len) kind = fvm_path_append((struct fvm_wstr){copy, len}, &path);
    }
    if (kind != FVM_PATH_FILE) {
        file_name_free(name);
        return kind == FVM_PATH_BAD ? FILE_IS_BAD : FILE_IS_OTHER;
    }
    name->trailing = path.trailing;
    name->rewritten = path.rewritten;
    if (finish(name, (struct fvm_wstr){path.dst, path.len}) != FILE_IS_NAMED) return FILE_IS_OTHER;
    /* A handle of a private folder leads nowhere in the base, and the other way round. */
    if (attr.RootDirectory) name->rewritten = true;
    file_follow_links(name);
    return FILE_IS_NAMED;
}

/* An object-attributes block with our name; the rest is the program's. */
static bool set_attr(struct file_name *name, const OBJECT_ATTRIBUTES *from, uint32_t len,
                     struct file_attr *out)
{
    if (!len || len > 32767) return false;
    out->text = (UNICODE_STRING){
        .Length = (USHORT)(len * sizeof(WCHAR)),
        .MaximumLength = (USHORT)(len * sizeof(WCHAR)),
        .Buffer = (WCHAR *)output(name),
    };
    InitializeObjectAttributes(&out->attr, &out->text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    OBJECT_ATTRIBUTES program;
    if (from && guest_read(&program, from, sizeof program)) {
        out->attr.Attributes = program.Attributes;
        out->attr.SecurityDescriptor = program.SecurityDescriptor;
        out->attr.SecurityQualityOfService = program.SecurityQualityOfService;
    }
    return true;
}

bool file_attr_private(struct file_name *name, const OBJECT_ATTRIBUTES *from,
                       struct file_attr *out)
{
    struct fvm_wstr workspace = {guest_shared->workspace.text, guest_shared->workspace.len};

    return set_attr(name, from,
                    fvm_path_to_private(file_canon(name), workspace, false, output(name),
                                        FILE_NAME_CAP),
                    out);
}

bool file_attr_base(struct file_name *name, const OBJECT_ATTRIBUTES *from, struct file_attr *out)
{
    return set_attr(name, from,
                    fvm_path_to_nt(file_base(name), name->trailing, output(name), FILE_NAME_CAP),
                    out);
}

uint32_t guest_file_real_name(struct fvm_wstr view, fvm_wchar *dst, uint32_t cap, NTSTATUS *status)
{
    struct file_name name;
    struct file_attr real;
    uint32_t len = 0;
    bool known = false;

    *status = STATUS_SUCCESS;
    if (file_resolve_text(view, &name) != FILE_IS_NAMED) return 0;
    switch (name.look.verdict) {
    case FVM_PASS:
        break;
    case FVM_BASE:
        known = file_attr_base(&name, NULL, &real);
        break;
    case FVM_MERGED:
    case FVM_PRIVATE:
        known = file_attr_private(&name, NULL, &real);
        break;
    case FVM_ABSENT:
        *status = ST_NAME_NOT_FOUND;
        break;
    case FVM_NO_PATH:
        *status = ST_PATH_NOT_FOUND;
        break;
    }
    if (known) {
        len = real.text.Length / sizeof(WCHAR);
        if (len > cap) *status = ST_OBJECT_NAME_INVALID, len = 0;
        memcpy(dst, real.text.Buffer, len * sizeof(WCHAR));
    }
    file_name_free(&name);
    return len;
}

uint32_t guest_file_view_name(struct fvm_wstr real, fvm_wchar *dst, uint32_t cap)
{
    struct file_name name;
    uint32_t len = 0;

    if (file_resolve_text(real, &name) != FILE_IS_NAMED) return 0;
    if (name.look.private_alias) {
        len = fvm_path_to_nt(file_canon(&name), name.trailing, dst, cap);
    } else if (fvm_index_has_origins(guest_index)) {
        int view = fvm_index_base_to_view(guest_index, file_canon(&name), name.input,
                                          FILE_NAME_CAP);
        if (view > 0 && !fvm_name_equal(name.input, (uint32_t)view, name.look.canon,
                                        name.look.canon_len))
            len = fvm_path_to_nt((struct fvm_wstr){name.input, (uint32_t)view}, name.trailing, dst,
                                 cap);
    }
    file_name_free(&name);
    return len;
}
