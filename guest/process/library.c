/* Libraries of the machine below the host. For a file that is no Windows library, ntdll's loader
 * calls its Unix part with the file's name, which there is looked up once more, past all hooks,
 * and loaded with dlopen(): code outside of the VM, from a file that the VM may not even see. On
 * Windows such a file is just no library. */
#include "process.h"

enum guest_file_kind guest_file_kind(UNICODE_STRING *real_name)
{
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER start = {.QuadPart = 0};
    HANDLE file;
    uint8_t magic[4] = {0};
    NTSTATUS status;

    InitializeObjectAttributes(&attr, real_name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = guest_raw.open_file(&file, FILE_READ_DATA | SYNCHRONIZE, &attr, &io,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                 0x60 /* FILE_SYNCHRONOUS_IO_NONALERT | NON_DIRECTORY_FILE */);
    if (status < 0) return GUEST_FILE_UNREADABLE;
    status = guest_raw.read_file(file, NULL, NULL, NULL, &io, magic, sizeof(magic), &start, NULL);
    guest_raw.close(file);
    if (status >= 0 && magic[0] == 'M' && magic[1] == 'Z') return GUEST_FILE_MZ;
    if (magic[0] == 0x7f && magic[1] == 'E' && magic[2] == 'L' && magic[3] == 'F')
        return GUEST_FILE_ELF;
    return GUEST_FILE_OTHER;
}

/* The arguments of that call. */
struct load_so {
    UNICODE_STRING name; /* full NT name of the file, as the program sees it */
    void **module;
};

/* In place of it: entered from guest_unix_entry. Returns what ntdll's caller gets. */
NTSTATUS NTAPI guest_load_so(const struct load_so *arguments);

NTSTATUS NTAPI guest_load_so(const struct load_so *arguments)
{
    struct load_so a;
    fvm_wchar *view = guest_scratch_get(), *real;
    const uint32_t half = GUEST_SCRATCH_SIZE / 2 / sizeof(*view);
    NTSTATUS status = 0;

    /* damaged libraries are common and no event; a Linux library is somebody's intention */
    if (view && guest_read(&a, arguments, sizeof(a)) &&
        guest_read(view, a.name.Buffer, a.name.Length)) {
        struct fvm_wstr name = {view, a.name.Length / sizeof(*view)};
        uint32_t n = guest_file_real_name(name, view + half, half, &status);

        real = n ? view + half : view;
        if (!n) n = name.len;
        if (status >= 0 && n <= 0x7fff) {
            UNICODE_STRING file = {(USHORT)(n * sizeof(*real)), (USHORT)(n * sizeof(*real)),
                                   (WCHAR *)real};

            if (guest_file_kind(&file) == GUEST_FILE_ELF)
                guest_event("refused", "LdrLoadDll", name,
                            "a Linux library would run outside of the VM");
        }
    }
    guest_scratch_put(view);
    return NT_INVALID_IMAGE_NOT_MZ;
}
