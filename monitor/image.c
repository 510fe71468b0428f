/* The guest image: fvmguest.dll laid out in a section that all processes of the VM map. */
#include "monitor.h"

/* No error of the file is worth a walk through all of its fields: it is fvm's own. */
static __attribute__((noreturn)) void bad_image(const wchar_t *path, const char *why)
{
    fail(EXIT_FVM, "%s is not a usable guest (%a): install fvm again", path, why);
}

static uint8_t *read_whole(const wchar_t *path, DWORD *size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    LARGE_INTEGER length;
    uint8_t *bytes;

    if (file == INVALID_HANDLE_VALUE)
        fail(EXIT_FVM, "cannot open the guest %s: %s", path, error_text(GetLastError()));
    if (!GetFileSizeEx(file, &length) || length.QuadPart > (16 << 20)) bad_image(path, "size");
    bytes = allocate((size_t)length.QuadPart + 1);
    if (!ReadFile(file, bytes, (DWORD)length.QuadPart, size, NULL) || *size != length.QuadPart)
        fail(EXIT_FVM, "cannot read the guest %s: %s", path, error_text(GetLastError()));
    CloseHandle(file);
    return bytes;
}

static const IMAGE_NT_HEADERS64 *headers(const uint8_t *file, DWORD size, const wchar_t *path)
{
    const IMAGE_DOS_HEADER *dos = (const void *)file;
    const IMAGE_NT_HEADERS64 *nt;

    if (size < sizeof(*dos) || dos->e_magic != IMAGE_DOS_SIGNATURE || dos->e_lfanew < 0 ||
        (DWORD)dos->e_lfanew > size - sizeof(*nt))
        bad_image(path, "header");
    nt = (const void *)(file + dos->e_lfanew);
    if (nt->Signature != IMAGE_NT_SIGNATURE || nt->FileHeader.Machine != IMAGE_FILE_MACHINE_AMD64)
        bad_image(path, "kind");
    if (nt->OptionalHeader.ImageBase != GUEST_BASE) bad_image(path, "base address");
    return nt;
}

/* Bytes of memory the image takes; debug information stays in the file. */
static size_t image_size(const IMAGE_NT_HEADERS64 *nt)
{
    const IMAGE_SECTION_HEADER *s = IMAGE_FIRST_SECTION(nt);
    size_t end = nt->OptionalHeader.SizeOfHeaders;

    for (WORD i = 0; i < nt->FileHeader.NumberOfSections; i++, s++) {
        size_t last = (size_t)s->VirtualAddress + s->Misc.VirtualSize;

        if (!(s->Characteristics & IMAGE_SCN_MEM_DISCARDABLE) && last > end) end = last;
    }
    return (end + 0xfff) & ~(size_t)0xfff;
}

static void copy_sections(uint8_t *image, size_t total, const uint8_t *file, DWORD size,
                          const IMAGE_NT_HEADERS64 *nt, const wchar_t *path)
{
    const IMAGE_SECTION_HEADER *s = IMAGE_FIRST_SECTION(nt);

    if (nt->OptionalHeader.SizeOfHeaders > size) bad_image(path, "headers");
    memcpy(image, file, nt->OptionalHeader.SizeOfHeaders);
    for (WORD i = 0; i < nt->FileHeader.NumberOfSections; i++, s++) {
        DWORD bytes = s->SizeOfRawData;

        if (s->Characteristics & IMAGE_SCN_MEM_DISCARDABLE || !s->PointerToRawData) continue;
        if (bytes > s->Misc.VirtualSize) bytes = s->Misc.VirtualSize;
        if (s->PointerToRawData > size || bytes > size - s->PointerToRawData ||
            s->VirtualAddress > total || bytes > total - s->VirtualAddress)
            bad_image(path, "section");
        memcpy(image + s->VirtualAddress, file + s->PointerToRawData, bytes);
    }
    /* what the guest itself reads from its header */
    ((IMAGE_NT_HEADERS64 *)(image + ((IMAGE_DOS_HEADER *)image)->e_lfanew))
        ->OptionalHeader.SizeOfImage = (DWORD)total;
}

static void bind_imports(uint8_t *image, const IMAGE_NT_HEADERS64 *nt, const wchar_t *path)
{
    const IMAGE_DATA_DIRECTORY *dir =
        &nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    const IMAGE_IMPORT_DESCRIPTOR *import = (const void *)(image + dir->VirtualAddress);
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");

    for (; dir->Size && import->Name; import++) {
        const IMAGE_THUNK_DATA64 *names = (const void *)(image + import->OriginalFirstThunk);
        IMAGE_THUNK_DATA64 *slots = (void *)(image + import->FirstThunk);

        if (lstrcmpiA((const char *)image + import->Name, "ntdll.dll")) bad_image(path, "imports");
        for (; names->u1.AddressOfData; names++, slots++) {
            const IMAGE_IMPORT_BY_NAME *by = (const void *)(image + names->u1.AddressOfData);

            slots->u1.Function = (uintptr_t)GetProcAddress(ntdll, (const char *)by->Name);
            if (!slots->u1.Function)
                fail(EXIT_FVM, "this Wine's ntdll.dll has no %a, which fvm needs", by->Name);
        }
    }
}

/* Address of an exported function of the image. */
static void *find(uint8_t *image, const IMAGE_NT_HEADERS64 *nt, const char *name,
                  const wchar_t *path)
{
    const IMAGE_EXPORT_DIRECTORY *exports =
        (const void *)(image + nt->OptionalHeader.DataDirectory[0].VirtualAddress);
    const DWORD *names = (const void *)(image + exports->AddressOfNames);
    const WORD *ordinals = (const void *)(image + exports->AddressOfNameOrdinals);
    const DWORD *functions = (const void *)(image + exports->AddressOfFunctions);

    for (DWORD i = 0; i < exports->NumberOfNames; i++) {
        if (!lstrcmpA((const char *)image + names[i], name)) return image + functions[ordinals[i]];
    }
    bad_image(path, name);
}

static void *map(HANDLE section, ULONG protection)
{
    void *base = (void *)GUEST_BASE;
    SIZE_T view = 0;
    NTSTATUS status = NtMapViewOfSection(section, NT_CURRENT_PROCESS, &base, 0, 0, NULL, &view,
                                         1 /* ViewShare */, 0, protection);

    if (status < 0)
        fail(EXIT_FVM, "cannot map the guest at its address (status %x)", (unsigned)status);
    return base;
}

/* A view of the host's win32u.dll, for the numbers of its system calls. It is mapped as the loader
 * does, so that it is the one that programs get, but not loaded: its Unix part would connect to
 * the display. */
static const void *map_win32u(void)
{
    wchar_t path[MAX_PATH + 16];
    UINT n = GetSystemDirectoryW(path, MAX_PATH);
    HANDLE file, section;
    void *view = NULL;
    SIZE_T size = 0;
    NTSTATUS status;

    if (!n || n >= MAX_PATH)
        fail(EXIT_FVM, "cannot find the system directory: %s", error_text(GetLastError()));
    lstrcatW(path, L"\\win32u.dll");
    file = CreateFileW(path, GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ | FILE_SHARE_DELETE,
                       NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        fail(EXIT_FVM, "cannot open %s, which belongs to Wine: %s", path,
             error_text(GetLastError()));
    status = NtCreateSection(&section, SECTION_MAP_READ | SECTION_MAP_EXECUTE | SECTION_QUERY, NULL,
                             NULL, PAGE_EXECUTE_READ, SEC_IMAGE, file);
    CloseHandle(file);
    if (status >= 0) {
        status = NtMapViewOfSection(section, NT_CURRENT_PROCESS, &view, 0, 0, NULL, &size,
                                    1 /* ViewShare */, 0, PAGE_EXECUTE_READ);
        CloseHandle(section);
    }
    if (status < 0) fail(EXIT_FVM, "cannot map %s (status %x)", path, (unsigned)status);
    return view;
}

HANDLE image_prepare(const wchar_t *path, struct guest_calls *calls)
{
    DWORD size;
    uint8_t *file = read_whole(path, &size), *image;
    const IMAGE_NT_HEADERS64 *nt = headers(file, size, path);
    size_t total = image_size(nt);
    LARGE_INTEGER length = {.QuadPart = (LONGLONG)total};
    HANDLE section;
    struct guest_error error = {0};
    NTSTATUS status = NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &length,
                                      PAGE_EXECUTE_READWRITE, SEC_COMMIT, NULL);
    guest_prepare_fn prepare;
    const void *win32u;

    if (status < 0) fail(EXIT_FVM, "no memory for the guest (status %x)", (unsigned)status);
    image = map(section, PAGE_EXECUTE_READWRITE);
    copy_sections(image, total, file, size, nt, path);
    bind_imports(image, nt, path);
    prepare = (guest_prepare_fn)find(image, nt, "fvm_guest_prepare", path);
    calls->attach = (guest_attach_fn)find(image, nt, "fvm_guest_attach", path);
    calls->leave = (guest_leave_fn)find(image, nt, "fvm_guest_leave", path);
    calls->serve_event = (guest_serve_event_fn)find(image, nt, "fvm_guest_serve_event", path);
    calls->served = (guest_served_fn)find(image, nt, "fvm_guest_served", path);
    win32u = map_win32u();
    if (!prepare(GUEST_API_VERSION, GetModuleHandleW(L"ntdll.dll"), win32u, &error))
        fail(EXIT_FVM, "this Wine is not one that fvm knows: %a is not as expected (status %x)",
             error.where, (unsigned)error.status);
    NtUnmapViewOfSection(NT_CURRENT_PROCESS, (void *)(uintptr_t)win32u);
    NtUnmapViewOfSection(NT_CURRENT_PROCESS, image);
    release(file);
    return section;
}

void image_map(HANDLE section)
{
    map(section, PAGE_EXECUTE_WRITECOPY);
}
