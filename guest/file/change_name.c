/* NtSetInformationFile: renaming, hard links and deletion. All other classes act on the
 * handle's own object, which is the VM's where the open gave a right to change it. */
#include "file.h"

static NTSTATUS finish(IO_STATUS_BLOCK *io, NTSTATUS status)
{
    IO_STATUS_BLOCK result = {.Status = status};

    return guest_write(io, &result, sizeof result) ? status : NT_ACCESS_VIOLATION;
}

static bool is_base(const struct file_name *name)
{
    return name->look.verdict == FVM_PASS || name->look.verdict == FVM_BASE ||
           name->look.verdict == FVM_MERGED;
}

/* What the target of a rename or link is now. */
struct target {
    bool exists, directory;
};

static NTSTATUS inspect_target(struct file_name *to, struct target *target)
{
    FILE_BASIC_INFORMATION info;
    struct file_attr attr;
    NTSTATUS status;

    *target = (struct target){0};
    switch (to->look.verdict) {
    case FVM_NO_PATH:
        return ST_PATH_NOT_FOUND;
    case FVM_ABSENT:
        status = file_missing_status(to);
        return status == ST_PATH_NOT_FOUND ? status : STATUS_SUCCESS;
    case FVM_PRIVATE:
        if (!file_attr_private(to, NULL, &attr)) return ST_OBJECT_NAME_INVALID;
        status = file_real.query_attributes(&attr.attr, &info);
        if (status) return status == ST_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
        target->exists = true;
        target->directory = info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
        return STATUS_SUCCESS;
    default:
        target->exists = file_base_exists(to, &target->directory, &status);
        if (target->exists || status == ST_NAME_NOT_FOUND) return STATUS_SUCCESS;
        return status;
    }
}

static NTSTATUS inspect_source(struct file_name *from, bool *directory)
{
    NTSTATUS status = STATUS_SUCCESS;

    *directory = from->look.flags & FVM_NODE_DIRECTORY;
    if (from->look.verdict == FVM_PRIVATE) return STATUS_SUCCESS;
    if (!is_base(from)) return ST_NAME_NOT_FOUND;
    return file_base_exists(from, directory, &status) ? STATUS_SUCCESS : status;
}

static uint64_t file_id(struct file_name *name)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER id = {.QuadPart = 0};
    HANDLE handle;

    if (!file_attr_private(name, NULL, &attr) ||
        file_real.open(&handle, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr.attr, &io, FILE_SHARE_ALL,
                       FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT))
        return 0;
    file_real.query_information(handle, &io, &id, sizeof id, 6 /* FileInternalInformation */);
    file_real.close(handle);
    return (uint64_t)id.QuadPart;
}

/* Two links to one file: the host leaves both as they are. */
static bool is_same_file(struct file_name *from, struct file_name *to)
{
    if (from->look.verdict != FVM_PRIVATE || to->look.verdict != FVM_PRIVATE) return false;
    uint64_t id = file_id(from);
    return id && id == file_id(to);
}

/* Puts an empty file in the place of the target, a private one: the host does that only if
 * nobody has the target open. */
static NTSTATUS clear_target(struct file_name *to)
{
    struct file_attr attr, temporary;
    HANDLE handle;
    NTSTATUS status = file_create_temporary(to, &temporary, &handle);

    if (status) return status;
    status = file_attr_private(to, NULL, &attr)
                 ? file_rename_handle(handle, &attr.text, true, FI_RENAME)
                 : ST_OBJECT_NAME_INVALID;
    file_delete_handle(handle); /* where it is now, or in its first place */
    file_real.close(handle);
    return status;
}

/* Renames what lies in the private tree under from, if anything does. */
static NTSTATUS rename_private(struct file_name *from, struct file_name *to)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (!file_attr_private(from, NULL, &attr)) return ST_OBJECT_NAME_INVALID;
    NTSTATUS status =
        file_real.open(&handle, DELETE | SYNCHRONIZE, &attr.attr, &io, FILE_SHARE_ALL,
                       FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT);
    if (status == ST_NAME_NOT_FOUND) return STATUS_SUCCESS;
    if (status) return status;
    status = file_attr_private(to, NULL, &attr)
                 ? file_rename_handle(handle, &attr.text, true, FI_RENAME)
                 : ST_OBJECT_NAME_INVALID;
    file_real.close(handle);
    return status;
}

void file_finish_rename(struct fvm_wstr from, struct fvm_wstr to)
{
    struct file_name source, target;

    /* both paths are canonical and name places in the private tree, whatever the index says */
    if (!file_resolve_view(from, &source)) return;
    if (file_resolve_view(to, &target)) {
        rename_private(&source, &target);
        file_name_free(&target);
    }
    file_name_free(&source);
}

/* handle is one of the private object itself when is_private; else of the base's. */
static NTSTATUS rename_object(HANDLE handle, bool is_private, struct file_name *from,
                              struct file_name *to, bool replace)
{
    struct file_attr attr;
    struct target target;
    bool directory, unused;
    NTSTATUS status;

    file_lookup_again(from);
    if (fvm_name_equal(from->look.canon, from->look.canon_len, to->look.canon,
                       to->look.canon_len))
        return STATUS_SUCCESS; /* the host finds one and the same object and does nothing */
    status = inspect_source(from, &directory);
    if (!status) status = inspect_target(to, &target);
    if (status) return status;
    if (target.exists && is_same_file(from, to)) return STATUS_SUCCESS;
    if (target.exists && !replace) return ST_NAME_COLLISION;
    if (target.exists && target.directory) return NT_ACCESS_DENIED;
    /* the host replaces no file that is open; of a private one it knows that itself */
    if (target.exists && is_base(to) && file_open_in_vm(file_base(to)))
        return NT_ACCESS_DENIED;
    if (to->trailing && !directory) return ST_NOT_A_DIRECTORY;
    if (fvm_path_below(file_canon(to), file_canon(from))) return NT_INVALID_PARAMETER;
    status = file_make_parent(to);
    if (status) return status;
    file_lookup_again(to);
    status = file_spell_target(to, target.exists);
    if (!status && is_base(from)) status = file_act_out_rename(from, to, directory);
    if (status) return status;

    bool base_there = to->look.flags & FVM_NODE_BASE || file_base_exists(to, &unused, &status);
    uint32_t flags = (directory ? FVM_LOG_DIRECTORY : 0) | (base_there ? FVM_LOG_BASE : 0);
    status = file_record_begin(FVM_LOG_RENAME, flags, file_canon(from), file_canon(to));
    if (status) return status;
    if (is_private && from->look.verdict == FVM_PRIVATE) {
        /* through the program's handle, so that the host knows the new name of its object */
        status = file_attr_private(to, NULL, &attr)
                     ? file_rename_handle(handle, &attr.text, true, FI_RENAME)
                     : ST_OBJECT_NAME_INVALID;
    } else {
        if (target.exists && to->look.verdict == FVM_PRIVATE) status = clear_target(to);
        if (!status && is_private) {
            status = file_attr_private(to, NULL, &attr)
                         ? file_rename_handle(handle, &attr.text, true, FI_RENAME)
                         : ST_OBJECT_NAME_INVALID;
        } else if (!status && from->look.verdict != FVM_PASS && from->look.verdict != FVM_BASE) {
            status = rename_private(from, to);
        }
    }
    if (status) {
        file_record_cancel();
        return status;
    }
    file_record_commit();
    return STATUS_SUCCESS;
}

static NTSTATUS link_object(HANDLE handle, bool is_private, struct file_name *from,
                            struct file_name *to, bool replace)
{
    struct file_attr attr;
    struct target target;
    bool directory, unused;
    IO_STATUS_BLOCK io;
    HANDLE own = NULL;
    NTSTATUS status;

    file_lookup_again(from);
    status = inspect_source(from, &directory);
    if (!status) status = inspect_target(to, &target);
    if (status) return status;
    if (directory) return ST_FILE_IS_A_DIRECTORY;
    if (target.exists && !replace) return ST_NAME_COLLISION;
    if (fvm_name_equal(from->look.canon, from->look.canon_len, to->look.canon,
                       to->look.canon_len))
        return STATUS_SUCCESS;
    if (target.exists && is_same_file(from, to)) return STATUS_SUCCESS;
    if (target.exists && target.directory) return NT_ACCESS_DENIED;
    if (target.exists && is_base(to) && file_open_in_vm(file_base(to))) return NT_ACCESS_DENIED;
    status = file_make_parent(to);
    /* both names must be names of the VM's own file: a link to the base's would let a write
     * through it change the base */
    if (!status && is_base(from)) status = file_copy_up(from, true, NULL, NULL);
    if (status) return status;
    file_lookup_again(to);
    status = file_spell_target(to, target.exists);
    if (status) return status;
    bool base_there = to->look.flags & FVM_NODE_BASE || file_base_exists(to, &unused, &status);
    if (!is_private) {
        if (!file_attr_private(from, NULL, &attr)) return ST_OBJECT_NAME_INVALID;
        status = file_real.open(&own, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr.attr, &io,
                                FILE_SHARE_ALL, FILE_SYNCHRONOUS_IO_NONALERT);
        if (status) return status;
        handle = own;
    }
    status = file_attr_private(to, NULL, &attr)
                 ? file_rename_handle(handle, &attr.text, true, FI_LINK)
                 : ST_OBJECT_NAME_INVALID;
    if (own) file_real.close(own);
    if (status) return status;
    status = file_record(FVM_LOG_PRIVATE, base_there ? FVM_LOG_BASE : 0, file_canon(to),
                         (struct fvm_wstr){0});
    if (status) file_delete_private(to);
    return status;
}

static NTSTATUS set_name(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length, ULONG class)
{
    struct nt_file_rename head;
    struct file_name from, to;
    bool is_private;

    if (length < sizeof head || !guest_read(&head, info, sizeof head) ||
        file_resolve_handle(handle, &from, &is_private) != FILE_IS_NAMED)
        return file_real.set_information(handle, io, info, length, class);
    UNICODE_STRING text = {
        .Length = (USHORT)head.name_length,
        .MaximumLength = (USHORT)head.name_length,
        .Buffer = ((struct nt_file_rename *)info)->name,
    };
    OBJECT_ATTRIBUTES attr;
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, head.root, NULL);
    NTSTATUS status;
    enum file_kind kind = file_resolve(&attr, 0, &to);
    if (kind == FILE_IS_NAMED) {
        file_lock();
        file_lookup_again(&to);
        status = class == FI_RENAME ? rename_object(handle, is_private, &from, &to, head.replace)
                                    : link_object(handle, is_private, &from, &to, head.replace);
        file_unlock();
        if (!status && class == FI_RENAME) {
            /* what is remembered of the handle names the old place */
            struct file_handle *old = file_handle_get(handle);
            if (old) {
                struct file_handle *h = file_handle_add(handle, file_canon(&to));
                if (h) {
                    h->delete_on_close = old->delete_on_close;
                    h->delete_base = old->delete_base;
                    h->delete_for_good = old->delete_for_good;
                    h->note = old->note;
                    old->note = 0;
                }
                file_handle_release(h);
                file_handle_release(old);
            }
        }
        file_name_free(&to);
        status = finish(io, status);
    } else if (kind != FILE_IS_BAD && !is_private) {
        /* no name on a drive: the host refuses it, and must not get the chance to do it with
         * an object of the base */
        status = finish(io, head.root ? NT_INVALID_PARAMETER : ST_PATH_SYNTAX_BAD);
    } else {
        status = file_real.set_information(handle, io, info, length, class);
    }
    file_name_free(&from);
    return status;
}

/* --- deletion ------------------------------------------------------------------------------------- */

/* The handle is one of the base's object, or of the private folder of a directory that is
 * seen of the base: deleting it is a record, made at the last close. */
static NTSTATUS dispose_base(HANDLE handle, struct file_name *name, bool remove)
{
    struct nt_object_basic basic;
    FILE_BASIC_INFORMATION info;
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    if (!file_real.query_object(handle, 0 /* ObjectBasicInformation */, &basic, sizeof basic,
                                NULL) &&
        !(basic.access & DELETE))
        return NT_ACCESS_DENIED;
    status = file_real.query_information(handle, &io, &info, sizeof info, FI_BASIC);
    if (status) return status;
    bool directory = info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    if (!directory && (info.FileAttributes & FILE_ATTRIBUTE_READONLY) && remove)
        return ST_CANNOT_DELETE;

    if (remove && directory && is_base(name)) status = file_directory_empty(name);
    if (status || (remove && !is_base(name))) return status;
    struct file_handle *h = file_handle_get(handle);
    if (!h && remove) h = file_handle_add(handle, file_canon(name));
    if (h && !h->delete_for_good) h->delete_base = remove;
    else if (remove) status = h ? STATUS_SUCCESS : NT_NO_MEMORY;
    file_handle_release(h);
    return status;
}

static NTSTATUS dispose_private(HANDLE handle, IO_STATUS_BLOCK *io, struct file_name *name,
                                void *info, ULONG length, bool remove)
{
    NTSTATUS status = STATUS_SUCCESS;
    bool directory = name->look.flags & FVM_NODE_DIRECTORY;
    struct nt_object_basic basic;

    if (!file_real.query_object(handle, 0, &basic, sizeof basic, NULL) && !(basic.access & DELETE))
        return finish(io, NT_ACCESS_DENIED);
    /* content of the base, or moved here from it, does not lie in the folder */
    if (remove && directory && name->look.node) status = file_directory_empty(name);
    if (status) return finish(io, status);
    status = file_real.set_information(handle, io, info, length, FI_DISPOSITION);
    if (!status) {
        struct file_handle *h = file_handle_get(handle);
        if (!h) h = file_handle_add(handle, file_canon(name));
        if (h) h->delete_on_close = remove;
        file_handle_release(h);
    }
    return status;
}

static NTSTATUS set_disposition(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length)
{
    struct file_name name;
    BOOLEAN remove;
    bool is_private;
    NTSTATUS status;

    if (length < sizeof remove || !guest_read(&remove, info, sizeof remove) ||
        file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED)
        return file_real.set_information(handle, io, info, length, FI_DISPOSITION);
    file_lock();
    file_lookup_again(&name);
    status = is_private && name.look.verdict != FVM_MERGED
                 ? dispose_private(handle, io, &name, info, length, remove)
                 : finish(io, dispose_base(handle, &name, remove));
    file_unlock();
    file_name_free(&name);
    return status;
}

/* The host takes a change of attributes and times through any handle, whatever rights it was
 * opened with: one of the base's object must change the VM's copy. */
static NTSTATUS set_basic(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length)
{
    struct file_name name;
    struct file_attr attr;
    IO_STATUS_BLOCK opened;
    HANDLE own = NULL;
    bool is_private, directory;
    NTSTATUS status;

    if (length < sizeof(FILE_BASIC_INFORMATION) ||
        file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED)
        return file_real.set_information(handle, io, info, length, FI_BASIC);
    if (is_private) {
        file_name_free(&name);
        return file_real.set_information(handle, io, info, length, FI_BASIC);
    }
    file_lock();
    file_lookup_again(&name);
    status = STATUS_SUCCESS;
    if (name.look.verdict == FVM_PASS || name.look.verdict == FVM_BASE) {
        if (file_base_exists(&name, &directory, &status))
            status = directory ? file_make_container(&name) : file_copy_up(&name, true, NULL, NULL);
    }
    file_unlock();
    if (!status)
        status = file_attr_private(&name, NULL, &attr)
                     ? file_real.open(&own, FILE_WRITE_ATTRIBUTES | SYNCHRONIZE, &attr.attr,
                                      &opened, FILE_SHARE_ALL,
                                      FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT)
                     : ST_OBJECT_NAME_INVALID;
    file_name_free(&name);
    if (status) return finish(io, status);
    status = file_real.set_information(own, io, info, length, FI_BASIC);
    file_real.close(own);
    return status;
}

NTSTATUS NTAPI file_hook_set_information(HANDLE handle, IO_STATUS_BLOCK *io, void *info,
                                         ULONG length, ULONG class)
{
    switch (class) {
    case FI_BASIC:
        return set_basic(file_current(handle), io, info, length);
    case FI_RENAME:
    case FI_LINK:
        return set_name(file_current(handle), io, info, length, class);
    case FI_DISPOSITION:
        return set_disposition(file_current(handle), io, info, length);
    case FI_POSITION:
        return file_real.set_information(file_current(handle), io, info, length, class);
    case FI_PIPE:
        return file_set_pipe_mode(handle, io, info, length);
    default:
        /* what changes data needs a right that a handle on the base's file never has */
        return file_real.set_information(handle, io, info, length, class);
    }
}
