/* Queries about processes that would show what the program must not see. */
#include "process.h"

#define CLASS_IMAGE_FILE_NAME       27
#define CLASS_IMAGE_FILE_NAME_WIN32 43

/* Real names of private programs become view names. The host measures the buffer against
 * its real name, which may be the longer one: it is asked with a buffer of the guest's, and
 * the answer is measured again. */
static NTSTATUS query_image_name(HANDLE process, ULONG class, void *info, ULONG size, ULONG *needed)
{
    struct {
        UNICODE_STRING str;
        fvm_wchar text[32768];
    } *answer = guest_scratch_get();
    ULONG total;
    NTSTATUS status;
    const fvm_wchar *text;
    uint32_t len, n;

    if (!answer) return NT_NO_MEMORY;
    status = real_NtQueryInformationProcess(process, class, answer, sizeof(*answer), &total);
    if (status < 0) {
        guest_scratch_put(answer);
        return status;
    }
    text = answer->text;
    len = answer->str.Length / sizeof(fvm_wchar);

    /* the second half of the scratch buffer takes the NT form and the translation */
    fvm_wchar *nt = (fvm_wchar *)(answer + 1), *view;
    bool win32 = class == CLASS_IMAGE_FILE_NAME_WIN32;
    static const fvm_wchar prefix[] = {'\\', '?', '?', '\\'};
    uint32_t skip = 0;

    _Static_assert(sizeof(*answer) + 2 * 30000 * sizeof(fvm_wchar) <= GUEST_SCRATCH_SIZE, "room");
    view = nt + 30000;
    if (len > 4 && text[0] == '\\' && (text[1] == '\\' || text[1] == '?') && text[2] == '?' &&
        text[3] == '\\')
        skip = 4;
    if (len + 4 <= 30000) {
        memcpy(nt, prefix, sizeof(prefix));
        memcpy(nt + 4, text + skip, (len - skip) * sizeof(fvm_wchar));
        n = guest_file_view_name((struct fvm_wstr){nt, len - skip + 4}, view, 30000);
        if (n > 4) {
            bool drive = n > 6 && view[5] == ':';

            text = view;
            len = n;
            if (win32 && drive) {
                text += 4;
                len -= 4;
            } else if (win32) {
                view[1] = '\\';
            }
        }
    }

    total = (ULONG)(sizeof(UNICODE_STRING) + len * sizeof(fvm_wchar));
    if (size < total) {
        status = NT_INFO_LENGTH_MISMATCH;
    } else {
        UNICODE_STRING out = {(USHORT)(len * sizeof(fvm_wchar)), (USHORT)(len * sizeof(fvm_wchar)),
                              (WCHAR *)((UNICODE_STRING *)info + 1)};

        if (!guest_write(info, &out, sizeof(out)) ||
            !guest_write((UNICODE_STRING *)info + 1, text, len * sizeof(fvm_wchar)))
            status = NT_ACCESS_VIOLATION;
    }
    if (needed && !guest_write(needed, &total, sizeof(total))) status = NT_ACCESS_VIOLATION;
    guest_scratch_put(answer);
    return status;
}

NTSTATUS NTAPI hook_NtQueryInformationProcess(HANDLE process, ULONG class, void *info, ULONG size,
                                              ULONG *needed)
{
    if (class == CLASS_IMAGE_FILE_NAME || class == CLASS_IMAGE_FILE_NAME_WIN32)
        return query_image_name(process, class, info, size, needed);
    return real_NtQueryInformationProcess(process, class, info, size, needed);
}
