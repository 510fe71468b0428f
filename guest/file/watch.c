/* Watched directories.
 *
 * A program that watches a directory (see is_to_watch() in open.c) has a handle on its private
 * folder, and the host reports what happens there. Changes of the VM that are records alone,
 * the deletion or renaming of what lies in the base, do not happen there; in a watched
 * directory they are acted out, on a copy. The program is told "added" before, which it would
 * not be on the host, and then what it waits for. */
#include "file.h"

NTSTATUS file_watch(struct file_name *name)
{
    NTSTATUS status = STATUS_SUCCESS;

    file_lock();
    file_lookup_again(name);
    if (name->look.verdict == FVM_PASS || name->look.verdict == FVM_BASE)
        status = file_make_container(name);
    if (!status) fvm_index_set_watched(guest_index, file_canon(name));
    file_unlock();
    return status;
}

NTSTATUS file_act_out_rename(struct file_name *from, struct file_name *to, bool directory)
{
    if (!fvm_index_is_watched(guest_index, file_canon(from)) &&
        !fvm_index_is_watched(guest_index, file_canon(to)))
        return STATUS_SUCCESS;
    if (from->look.verdict == FVM_MERGED) return STATUS_SUCCESS;
    return directory ? file_make_container(from) : file_copy_up(from, true, NULL, NULL);
}

void file_act_out_deletion(struct file_name *name, bool directory)
{
    struct file_attr attr, temporary;
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (!fvm_index_is_watched(guest_index, file_canon(name))) return;
    if (file_make_parent(name)) return;
    /* an empty stand-in comes and goes; a directory's own folder may be there already */
    if (directory) {
        if (file_attr_private(name, NULL, &attr) &&
            !file_real.create(&handle, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr.attr, &io, NULL, 0,
                              FILE_SHARE_ALL, FILE_OPEN_IF,
                              FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0))
            file_real.close(handle);
    } else if (!file_create_temporary(name, &temporary, &handle)) {
        if (!file_attr_private(name, NULL, &attr) ||
            file_rename_handle(handle, &attr.text, true, FI_RENAME))
            file_delete_handle(handle);
        file_real.close(handle);
    }
    file_delete_private(name);
}
