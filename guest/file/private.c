/* Objects in the private tree: folders for directories of the base, copies of its files. */
#include "file.h"

#define COPY_ATTRIBUTES                                                                            \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |                     \
     FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED)

static NTSTATUS open_base(struct file_name *name, ACCESS_MASK access, ULONG options,
                          HANDLE *handle)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;

    if (!file_attr_base(name, NULL, &attr)) return ST_OBJECT_NAME_INVALID;
    return file_real.open(handle, access | SYNCHRONIZE, &attr.attr, &io, FILE_SHARE_ALL,
                          options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT);
}

/* The path of name in the base is another one than the object's own: a link leads there, or
 * it is a short name. Records the part that differs as an alias, and looks up again. */
static NTSTATUS record_alias(struct file_name *name, struct fvm_wstr view)
{
    struct fvm_wstr path = file_canon(name);
    uint32_t p = path.len, v = view.len;

    /* strip what is equal behind the link, component by component */
    for (;;) {
        uint32_t next_p = fvm_path_parent((struct fvm_wstr){path.ptr, p});
        uint32_t next_v = fvm_path_parent((struct fvm_wstr){view.ptr, v});
        if (!next_p || !next_v ||
            !fvm_name_equal(path.ptr + next_p, p - next_p, view.ptr + next_v, v - next_v))
            break;
        p = next_p, v = next_v;
    }
    NTSTATUS status = file_record(FVM_LOG_ALIAS, 0, (struct fvm_wstr){path.ptr, p},
                                  (struct fvm_wstr){view.ptr, v});
    if (!status) file_lookup_again(name);
    return status;
}

NTSTATUS file_spell_target(struct file_name *name, bool exists)
{
    struct fvm_wstr path = file_canon(name);
    NTSTATUS status = STATUS_SUCCESS;
    HANDLE base;

    if (!exists) {
        uint32_t start = path.len - name->leaf_len;
        if (name->leaf_len && name->leaf_len <= path.len &&
            fvm_name_equal(name->leaf, name->leaf_len, path.ptr + start, name->leaf_len))
            memcpy(name->look.canon + start, name->leaf, name->leaf_len * sizeof(WCHAR));
    } else if (name->look.base_len) {
        status = open_base(name, FILE_READ_ATTRIBUTES, 0, &base);
        if (!status) {
            status = file_use_true_name(name, base);
            file_real.close(base);
        }
    }
    return status;
}

NTSTATUS file_use_true_name(struct file_name *name, HANDLE base)
{
    struct file_name own;
    struct fvm_wstr was = file_canon(name);
    NTSTATUS status = STATUS_SUCCESS;

    /* the host's name of the object, looked up like any other: where the VM sees it */
    if (file_resolve_handle(base, &own, NULL) != FILE_IS_NAMED) return STATUS_SUCCESS;
    struct fvm_wstr is = file_canon(&own);
    if (fvm_name_equal(was.ptr, was.len, is.ptr, is.len))
        memcpy(name->look.canon, is.ptr, is.len * sizeof(WCHAR));
    else
        status = record_alias(name, is);
    file_name_free(&own);
    return status;
}

static void copy_basic(HANDLE from, HANDLE to)
{
    FILE_BASIC_INFORMATION info;
    IO_STATUS_BLOCK io;

    if (file_real.query_information(from, &io, &info, sizeof info, FI_BASIC)) return;
    info.ChangeTime.QuadPart = 0;
    info.FileAttributes &= COPY_ATTRIBUTES;
    if (!info.FileAttributes) info.FileAttributes = FILE_ATTRIBUTE_NORMAL;
    file_real.set_information(to, &io, &info, sizeof info, FI_BASIC);
}

bool file_private_exists(struct file_name *name)
{
    FILE_BASIC_INFORMATION info;
    struct file_attr attr;

    return file_attr_private(name, NULL, &attr) &&
           !file_real.query_attributes(&attr.attr, &info);
}

bool file_private_is_file(struct file_name *name)
{
    FILE_BASIC_INFORMATION info;
    struct file_attr attr;

    return file_attr_private(name, NULL, &attr) &&
           !file_real.query_attributes(&attr.attr, &info) &&
           !(info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY);
}

bool file_base_exists(struct file_name *name, bool *directory, NTSTATUS *status)
{
    FILE_BASIC_INFORMATION info;
    struct file_attr attr;

    *directory = false;
    *status = ST_NAME_NOT_FOUND;
    if (!name->look.base_len) return false;
    if (!file_attr_base(name, NULL, &attr)) *status = ST_OBJECT_NAME_INVALID;
    else *status = file_real.query_attributes(&attr.attr, &info);
    /* "exists, but is neither file nor directory" */
    if (*status == ST_INVALID_INFO_CLASS) return true;
    if (*status) return false;
    *directory = info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    return true;
}

NTSTATUS file_missing_status(struct file_name *name)
{
    struct fvm_wstr path = {name->look.canon, fvm_path_parent(file_canon(name))};
    struct file_name parent;
    NTSTATUS status = ST_NAME_NOT_FOUND;

    if (!name->look.parent_private || !path.len || !file_resolve_view(path, &parent))
        return status;
    if (parent.look.verdict == FVM_PRIVATE && !file_private_exists(&parent))
        status = ST_PATH_NOT_FOUND;
    file_name_free(&parent);
    return status;
}

/* Handles from before stay on the base's object: see stale.c. */
static void note_stale(struct file_name *name)
{
    if (file_open_in_vm(file_base(name)))
        __atomic_add_fetch(&guest_shared->stale_opens, 1, __ATOMIC_RELEASE);
}

/* Makes the private folder itself; its parent has one. */
static NTSTATUS make_folder(struct file_name *name)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    HANDLE base, folder;
    NTSTATUS status = open_base(name, FILE_READ_ATTRIBUTES, FILE_DIRECTORY_FILE, &base);


    if (!status) {
        status = file_use_true_name(name, base);
        if (!status && name->look.verdict != FVM_PASS && name->look.verdict != FVM_BASE) {
            file_real.close(base);
            return status; /* under its true name it has a folder already */
        }
        if (!status && !file_attr_private(name, NULL, &attr)) status = ST_OBJECT_NAME_INVALID;
        if (!status && file_private_is_file(name)) status = file_delete_private(name);
        if (!status && !file_attr_private(name, NULL, &attr)) status = ST_OBJECT_NAME_INVALID;
        if (!status)
            status = file_real.create(&folder, FILE_WRITE_ATTRIBUTES | SYNCHRONIZE, &attr.attr, &io,
                                      NULL, 0, FILE_SHARE_ALL, FILE_OPEN_IF,
                                      FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
        if (!status) {
            copy_basic(base, folder);
            file_real.close(folder);
            status = file_record(FVM_LOG_CONTAINER, 0, file_canon(name), (struct fvm_wstr){0});
            note_stale(name);
        }
        file_real.close(base);
    } else if (status == ST_NAME_NOT_FOUND) {
        status = ST_PATH_NOT_FOUND;
    }
    return status;
}

/* Makes the private folders of the first len units of name's path, from the root on. */
static NTSTATUS make_folders(struct fvm_wstr path)
{
    struct file_name dir;

    for (uint32_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '\\') continue;
        if (!file_resolve_view((struct fvm_wstr){path.ptr, i}, &dir)) return NT_NO_MEMORY;
        NTSTATUS status = STATUS_SUCCESS;
        switch (dir.look.verdict) {
        case FVM_PASS:
        case FVM_BASE:
            status = make_folder(&dir);
            break;
        case FVM_ABSENT:
        case FVM_NO_PATH:
            status = ST_PATH_NOT_FOUND;
            break;
        case FVM_PRIVATE:
        case FVM_MERGED:
            break;
        }
        file_name_free(&dir);
        if (status) return status;
    }
    return STATUS_SUCCESS;
}

NTSTATUS file_make_parent(struct file_name *name)
{
    struct fvm_wstr parent = {name->look.canon, fvm_path_parent(file_canon(name))};

    if (!parent.len) return STATUS_SUCCESS; /* the root of a drive lies in "fs" itself */
    struct file_name dir;
    if (!file_resolve_view(parent, &dir)) return NT_NO_MEMORY;
    enum fvm_verdict verdict = dir.look.verdict;
    uint32_t flags = dir.look.flags;
    file_name_free(&dir);
    if (verdict == FVM_MERGED || (verdict == FVM_PRIVATE && flags & FVM_NODE_DIRECTORY))
        return STATUS_SUCCESS;
    if (verdict != FVM_PASS && verdict != FVM_BASE) return ST_PATH_NOT_FOUND;
    NTSTATUS status = make_folders(parent);
    if (!status) file_lookup_again(name); /* the parents' spelling is now the base's */
    return status;
}

NTSTATUS file_make_container(struct file_name *name)
{
    NTSTATUS status = file_make_parent(name);

    if (!status) status = make_folder(name);
    if (!status) file_lookup_again(name);
    return status;
}

static NTSTATUS copy_data(HANDLE from, HANDLE to)
{
    uint8_t *buffer = guest_scratch_get();
    NTSTATUS status = buffer ? STATUS_SUCCESS : NT_NO_MEMORY;
    IO_STATUS_BLOCK io;

    while (!status) {
        status = file_real.read(from, NULL, NULL, NULL, &io, buffer, GUEST_SCRATCH_SIZE, NULL, NULL);
        if (status == FS(0xc0000011) /* end of file */ || (!status && !io.Information)) {
            status = STATUS_SUCCESS;
            break;
        }
        if (!status) {
            ULONG size = (ULONG)io.Information;
            status = NtWriteFile(to, NULL, NULL, NULL, &io, buffer, size, NULL, NULL);
            if (!status && io.Information != size) status = ST_DISK_FULL;
        }
    }
    guest_scratch_put(buffer);
    return status;
}

NTSTATUS file_create_temporary(struct file_name *name, struct file_attr *attr, HANDLE *handle)
{
    static const fvm_wchar folder[] = {'\\', 't', 'm', 'p', '\\'};
    uint32_t number = __atomic_add_fetch(&guest_shared->tmp_seq, 1, __ATOMIC_RELAXED);
    uint32_t len = guest_shared->workspace.len;
    fvm_wchar *path = name->input; /* no longer needed once the name is looked up */
    IO_STATUS_BLOCK io;

    memcpy(path, guest_shared->workspace.text, len * sizeof(WCHAR));
    memcpy(path + len, folder, sizeof folder);
    len += 5;
    for (int shift = 28; shift >= 0; shift -= 4)
        path[len++] = (fvm_wchar)"0123456789abcdef"[number >> shift & 15];
    attr->text = (UNICODE_STRING){(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)path};
    InitializeObjectAttributes(&attr->attr, &attr->text, 0, NULL, NULL);
    return file_real.create(handle, GENERIC_WRITE | DELETE | SYNCHRONIZE, &attr->attr, &io, NULL, 0,
                            FILE_SHARE_ALL, FILE_SUPERSEDE,
                            FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
}

NTSTATUS file_rename_handle(HANDLE handle, UNICODE_STRING *target, bool replace, ULONG class)
{
    uint32_t size = offsetof(struct nt_file_rename, name) + target->Length + sizeof(WCHAR);
    struct nt_file_rename *info = guest_alloc(size);
    IO_STATUS_BLOCK io;

    if (!info) return NT_NO_MEMORY;
    info->replace = replace;
    info->name_length = target->Length;
    memcpy(info->name, target->Buffer, target->Length);
    NTSTATUS status = file_real.set_information(handle, &io, info, size, class);
    guest_free(info);
    return status;
}

void file_delete_handle(HANDLE handle)
{
    BOOLEAN remove = TRUE;
    IO_STATUS_BLOCK io;

    file_real.set_information(handle, &io, &remove, sizeof remove, FI_DISPOSITION);
}

NTSTATUS file_copy_up(struct file_name *name, bool data, file_probe *probe, void *context)
{
    struct file_attr attr, temporary;
    HANDLE from, to;
    NTSTATUS status = file_make_parent(name);

    if (status) return status;
    status = open_base(name, data ? GENERIC_READ : FILE_READ_ATTRIBUTES, FILE_NON_DIRECTORY_FILE,
                       &from);
    if (status) return status;
    status = file_use_true_name(name, from);
    if (status || (name->look.verdict != FVM_PASS && name->look.verdict != FVM_BASE)) {
        file_real.close(from); /* under its true name it is the VM's already */
        return status;
    }
    status = file_make_parent(name); /* the true name's */
    if (!status) status = file_create_temporary(name, &temporary, &to);
    if (!status) {
        if (data) status = copy_data(from, to);
        if (!status && probe) {
            copy_basic(from, to);
            status = probe(context, &temporary.attr);
        }
        if (!status) {
            copy_basic(from, to);
            status = file_attr_private(name, NULL, &attr)
                         ? file_rename_handle(to, &attr.text, true, FI_RENAME)
                         : ST_OBJECT_NAME_INVALID;
        }
        if (!status)
            status = file_record(FVM_LOG_PRIVATE,
                                 name->look.flags & FVM_NODE_ORIGIN ? 0 : FVM_LOG_BASE,
                                 file_canon(name), (struct fvm_wstr){0});
        if (status) file_delete_handle(to);
        file_real.close(to);
    }
    file_real.close(from);
    if (!status) {
        note_stale(name);
        file_lookup_again(name);
    }
    return status;
}

/* Makes a read-only file one that can be deleted. */
static bool clear_attributes(OBJECT_ATTRIBUTES *attr)
{
    FILE_BASIC_INFORMATION info = {.FileAttributes = FILE_ATTRIBUTE_NORMAL};
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (file_real.open(&handle, FILE_WRITE_ATTRIBUTES | SYNCHRONIZE, attr, &io, FILE_SHARE_ALL,
                       FILE_SYNCHRONOUS_IO_NONALERT))
        return false;
    bool done = !file_real.set_information(handle, &io, &info, sizeof info, FI_BASIC);
    file_real.close(handle);
    return done;
}

NTSTATUS file_delete_private(struct file_name *name)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (!file_attr_private(name, NULL, &attr)) return ST_OBJECT_NAME_INVALID;
    NTSTATUS status = file_real.open(&handle, DELETE | SYNCHRONIZE, &attr.attr, &io, FILE_SHARE_ALL,
                                     FILE_DELETE_ON_CLOSE | FILE_SYNCHRONOUS_IO_NONALERT |
                                         FILE_OPEN_FOR_BACKUP_INTENT);
    if (status == ST_NAME_NOT_FOUND) return STATUS_SUCCESS;
    if (status == ST_CANNOT_DELETE && clear_attributes(&attr.attr)) {
        status = file_real.open(&handle, DELETE | SYNCHRONIZE, &attr.attr, &io, FILE_SHARE_ALL,
                                FILE_DELETE_ON_CLOSE | FILE_SYNCHRONOUS_IO_NONALERT);
    }
    if (!status) file_real.close(handle);
    return status;
}

NTSTATUS file_record_deleted(struct file_name *name)
{
    uint32_t flags = name->look.flags;
    bool base = flags & (FVM_NODE_PRIVATE | FVM_NODE_ORIGIN) ? flags & FVM_NODE_BASE
                                                             : name->look.base_len != 0;

    return file_record(base ? FVM_LOG_HIDDEN : FVM_LOG_FORGET, 0, file_canon(name),
                       (struct fvm_wstr){0});
}

void file_delete_seen(struct fvm_wstr view)
{
    struct file_name name;

    if (!file_resolve_view(view, &name)) return;
    file_lock();
    file_lookup_again(&name);
    bool directory = false;
    NTSTATUS status;
    if (name.look.base_len && file_base_exists(&name, &directory, &status)) {
        if (directory) {
            /* the host's rmdir fails silently where something is left */
            if (!file_directory_empty(&name) && !file_record_deleted(&name)) {
                file_act_out_deletion(&name, true);
                file_delete_private(&name);
            }
        } else if (!file_open_doom(file_base(&name)) && !file_record_deleted(&name)) {
            file_act_out_deletion(&name, false);
        }
    }
    file_unlock();
    file_name_free(&name);
}

void file_closed_deleted(struct fvm_wstr view)
{
    struct file_name name;

    if (!file_resolve_view(view, &name)) return;
    if (name.look.verdict == FVM_PRIVATE) {
        file_lock();
        file_lookup_again(&name);
        if (name.look.verdict == FVM_PRIVATE && !file_private_exists(&name))
            file_record_deleted(&name);
        file_unlock();
    }
    file_name_free(&name);
}
