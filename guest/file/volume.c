/* NtQueryVolumeInformationFile: a private file is on the volume of its view path, wherever
 * the workspace lies. */
#include "file.h"

NTSTATUS NTAPI file_hook_query_volume(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length,
                                      ULONG class)
{
    struct file_name name;
    bool is_private;
    HANDLE root;
    IO_STATUS_BLOCK opened;

    if (file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED)
        return file_real.query_volume(handle, io, info, length, class);
    WCHAR text[] = {'\\', '?', '?', '\\', name.look.canon[0], ':', '\\'};
    bool drive = is_private && name.look.canon_len >= 2 && name.look.canon[1] == ':';
    file_name_free(&name);
    if (!drive) return file_real.query_volume(handle, io, info, length, class);
    UNICODE_STRING root_name = {sizeof text, sizeof text, text};
    OBJECT_ATTRIBUTES attr;
    InitializeObjectAttributes(&attr, &root_name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (file_real.open(&root, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr, &opened, FILE_SHARE_ALL,
                       FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT))
        return file_real.query_volume(handle, io, info, length, class);
    NTSTATUS status = file_real.query_volume(root, io, info, length, class);
    file_real.close(root);
    return status;
}
