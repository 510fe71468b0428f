/* Watched directories.
 *
 * A program that watches a directory (see is_to_watch() in open.c) has a handle on its private
 * folder, and the host reports what happens there. Changes of the VM that are records alone,
 * the deletion or renaming of what lies in the base, do not happen there; in a watched
 * directory they are acted out, on a copy. The program is told "added" before, which it would
 * not be on the host, and then what it waits for. */
#include "file.h"

NTSYSAPI NTSTATUS NTAPI NtDelayExecution(BOOLEAN, const LARGE_INTEGER *);

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

/* Waits until fvm watches what stands in the first bytes of the register: on the host a watch is
 * there when the call returns. That fvm does not come to it for so long is a machine that stands
 * still, or an fvm that was killed. */
static void wait_for_fvm(uint64_t bytes)
{
    const LARGE_INTEGER pause = {.QuadPart = -5000}; /* half a millisecond */

    for (int tries = 0; guest_shared->watches_read < bytes && tries < 2000; tries++)
        NtDelayExecution(FALSE, &pause);
}

/* Adds the directory to the register, in which fvm finds whom to tell what the host changes in
 * the base (launcher/watch.c): the length of its place in the base, whether what is below it
 * counts, and the place. */
static void enter_register(struct file_name *name, bool subtree)
{
    static const fvm_wchar leaf[] = {'\\', 'w', 'a', 't', 'c', 'h', 'e', 's'};
    uint32_t len = guest_shared->workspace.len, bytes;
    uint32_t head[2] = {name->look.base_len, subtree};
    uint8_t *record = guest_alloc(sizeof head + head[0] * sizeof(WCHAR));
    fvm_wchar *path = name->input;
    FILE_STANDARD_INFORMATION info;
    LARGE_INTEGER end;
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    HANDLE file;

    end.QuadPart = 0;
    if (!record) return;
    bytes = sizeof head + head[0] * sizeof(WCHAR);
    memcpy(record, head, sizeof head);
    memcpy(record + sizeof head, name->look.base, head[0] * sizeof(WCHAR));
    memcpy(path, guest_shared->workspace.text, len * sizeof(WCHAR));
    memcpy(path + len, leaf, sizeof leaf);
    len += sizeof leaf / sizeof *leaf;
    UNICODE_STRING text = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)path};
    InitializeObjectAttributes(&attr, &text, 0, NULL, NULL);
    file_lock();
    if (!file_real.create(&file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attr, &io, NULL, 0,
                          FILE_SHARE_ALL, FILE_OPEN_IF,
                          FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0)) {
        if (!file_real.query_information(file, &io, &info, sizeof info, FI_STANDARD)) {
            end = info.EndOfFile;
            if (NtWriteFile(file, NULL, NULL, NULL, &io, record, bytes, &end, NULL))
                end.QuadPart = 0;
            else
                end.QuadPart += bytes;
        }
        file_real.close(file);
    }
    file_unlock();
    guest_free(record);
    wait_for_fvm((uint64_t)end.QuadPart);
}

NTSTATUS NTAPI file_hook_notify(HANDLE handle, HANDLE event, void *apc, void *context,
                                IO_STATUS_BLOCK *io, void *buffer, ULONG length, ULONG filter,
                                BOOLEAN subtree)
{
    struct file_handle *h = file_handle_get(handle);
    struct file_name name;

    guest_late_init();
    if (h && !h->registered && file_resolve_view((struct fvm_wstr){h->view, h->view_len}, &name)) {
        h->registered = true;
        if (name.look.verdict == FVM_MERGED) enter_register(&name, subtree);
        file_name_free(&name);
    }
    file_handle_release(h);
    return file_real.notify(handle, event, apc, context, io, buffer, length, filter, subtree);
}
