/* Wine's translations between NT and Unix names, which programs use to hand names to Unix
 * code: a private file has another Unix name than the base's. */
#include "file.h"
#include "fvm/utf.h"

NTSTATUS NTAPI file_hook_nt_to_unix(const OBJECT_ATTRIBUTES *attr, char *unix_name, ULONG *size,
                                    UINT disposition)
{
    struct file_name name;
    struct file_attr own;
    NTSTATUS status;

    if (file_resolve(attr, 0, &name) != FILE_IS_NAMED)
        return file_real.nt_to_unix(attr, unix_name, size, disposition);
    bool fits = true, known = true;
    switch (name.look.verdict) {
    case FVM_PASS:
    case FVM_BASE:
        fits = file_attr_base(&name, attr, &own);
        break;
    case FVM_MERGED:
    case FVM_PRIVATE:
        fits = file_attr_private(&name, attr, &own);
        break;
    case FVM_ABSENT:
        /* where a new file would come to lie */
        known = disposition != FILE_OPEN && disposition != FILE_OVERWRITE;
        fits = file_attr_private(&name, attr, &own);
        break;
    case FVM_NO_PATH:
        known = false;
        break;
    }
    if (!known) status = name.look.verdict == FVM_NO_PATH ? ST_PATH_NOT_FOUND : ST_NAME_NOT_FOUND;
    else if (!fits) status = ST_OBJECT_NAME_INVALID;
    else status = file_real.nt_to_unix(&own.attr, unix_name, size, disposition);
    file_name_free(&name);
    return status;
}

NTSTATUS NTAPI file_hook_unix_to_nt(const char *unix_name, WCHAR *buffer, ULONG *size)
{
    ULONG room;
    NTSTATUS status = file_real.unix_to_nt(unix_name, buffer, size);

    /* a Unix name of the private tree becomes the name that the VM knows */
    if (status || !guest_read(&room, size, sizeof room) || room > FILE_NAME_CAP) return status;
    fvm_wchar *text = guest_scratch_get();
    if (!text) return NT_NO_MEMORY;
    if (guest_read(text, buffer, room * sizeof(WCHAR))) {
        fvm_wchar *view = text + FILE_NAME_CAP;
        uint32_t len = guest_file_view_name((struct fvm_wstr){text, room - 1}, view, FILE_NAME_CAP);
        if (len) {
            view[len++] = 0;
            if (!guest_write(buffer, view, len * sizeof(WCHAR)) ||
                !guest_write(size, &len, sizeof len))
                status = NT_ACCESS_VIOLATION;
        }
    }
    guest_scratch_put(text);
    return status;
}
