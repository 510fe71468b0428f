/* NtQueryVolumeInformationFile: a private file is on the volume of its view path, wherever
 * the workspace lies. */
#include "file.h"

HANDLE file_open_volume(HANDLE handle)
{
    struct file_name name;
    bool is_private;
    HANDLE root;
    IO_STATUS_BLOCK io;

    if (file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED) return NULL;
    WCHAR text[] = {'\\', '?', '?', '\\', name.look.canon[0], ':', '\\'};
    bool drive = is_private && name.look.canon_len >= 2 && name.look.canon[1] == ':';
    file_name_free(&name);
    if (!drive) return NULL;
    UNICODE_STRING root_name = {sizeof text, sizeof text, text};
    OBJECT_ATTRIBUTES attr;
    InitializeObjectAttributes(&attr, &root_name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (file_real.open(&root, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr, &io, FILE_SHARE_ALL,
                       FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT))
        return NULL;
    return root;
}

NTSTATUS NTAPI file_hook_query_volume(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length,
                                      ULONG class)
{
    HANDLE root = file_open_volume(handle);
    NTSTATUS status = file_real.query_volume(root ? root : handle, io, info, length, class);

    if (root) file_real.close(root);
    return status;
}
