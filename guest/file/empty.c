/* Is a directory empty, as the VM sees it? */
#include "file.h"

/* Something below the directory's node that the VM sees. */
static bool has_own_child(struct file_name *name)
{
    struct file_name child;
    uint32_t id = fvm_index_first_child(guest_index, name->look.node);

    for (; id; id = fvm_index_next_sibling(guest_index, id)) {
        uint32_t flags = fvm_index_flags(guest_index, id);
        if (flags & FVM_NODE_ORIGIN) return true;
        if (!(flags & FVM_NODE_PRIVATE)) continue; /* the base's listing will tell */
        fvm_wchar *path = name->input;
        int len = fvm_index_path(guest_index, id, path, FILE_NAME_CAP);
        if (len <= 0 || !file_resolve_view((struct fvm_wstr){path, (uint32_t)len}, &child))
            return true;
        bool exists = file_private_exists(&child);
        file_name_free(&child);
        if (exists) return true;
    }
    return false;
}

/* True when the base's entry shows in the VM. */
static bool shows(struct file_name *name, struct fvm_wstr entry)
{
    if ((entry.len == 1 && entry.ptr[0] == '.') ||
        (entry.len == 2 && entry.ptr[0] == '.' && entry.ptr[1] == '.'))
        return false;
    if (!name->look.node) return true;
    uint32_t id = fvm_index_find_child(guest_index, name->look.node, entry);
    return !id || !(fvm_index_flags(guest_index, id) &
                    (FVM_NODE_HIDDEN | FVM_NODE_PRIVATE | FVM_NODE_ORIGIN));
}

NTSTATUS file_directory_empty(struct file_name *name)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (name->look.node && has_own_child(name)) return ST_DIRECTORY_NOT_EMPTY;
    if (!name->look.base_len) return STATUS_SUCCESS;
    if (!file_attr_base(name, NULL, &attr)) return ST_OBJECT_NAME_INVALID;
    NTSTATUS status = file_real.open(&handle, FILE_LIST_DIRECTORY | SYNCHRONIZE, &attr.attr, &io,
                                     FILE_SHARE_ALL,
                                     FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT |
                                         FILE_OPEN_FOR_BACKUP_INTENT);
    if (status == ST_NAME_NOT_FOUND) return STATUS_SUCCESS;
    if (status) return status;
    uint8_t *buffer = guest_scratch_get();
    status = buffer ? STATUS_SUCCESS : NT_NO_MEMORY;
    while (!status) {
        status = file_real.query_directory(handle, NULL, NULL, NULL, &io, buffer,
                                           GUEST_SCRATCH_SIZE, FI_NAMES, FALSE, NULL, FALSE);
        for (uint8_t *p = buffer; !status;) {
            FILE_NAMES_INFORMATION *entry = (void *)p;
            struct fvm_wstr text = {(fvm_wchar *)entry->FileName, entry->FileNameLength / 2};
            if (shows(name, text)) status = ST_DIRECTORY_NOT_EMPTY;
            if (!entry->NextEntryOffset) break;
            p += entry->NextEntryOffset;
        }
    }
    guest_scratch_put(buffer);
    file_real.close(handle);
    return status == ST_NO_MORE_FILES || status == ST_NO_SUCH_FILE ? STATUS_SUCCESS : status;
}
