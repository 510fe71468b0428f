/* The first code of every process of the VM. */
#include "guest_boot.h"

struct fvm_shared *guest_shared;
struct fvm_index *guest_index;
HANDLE guest_shared_section, guest_image_section;
uint32_t guest_image_size;
bool guest_attached;

bool guest_is_own_handle(HANDLE handle)
{
    /* the lowest two bits of a handle are the program's to use */
    uintptr_t value = (uintptr_t)handle & ~(uintptr_t)3;

    return value &&
           (value == (uintptr_t)guest_shared_section || value == (uintptr_t)guest_image_section);
}

void guest_boot_fail(enum guest_boot_step step)
{
    for (;;)
        guest_raw.terminate_process(NT_CURRENT_PROCESS, (NTSTATUS)(GUEST_BOOT_FAILED | step));
}

/* What the whole VM is served by must not keep the output of the run that needed it first: whoever
 * reads that waits for its end. The host gives a detached process the null device for input and
 * output, but leaves it the error output of its own parent, for messages of the host. No call of
 * the host's closes that; the machine below does (dup2). */
static void leave_error_output(void)
{
    uint64_t result = 33; /* the call's number */

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"((uint64_t)1), "S"((uint64_t)2)
                     : "rcx", "r11", "memory");
}

/* The sign by which the launcher knows such a process: in place before the block itself. */
static bool map_mark(HANDLE shared)
{
    void *at = (void *)(uintptr_t)FVM_SERVED_MARK;
    SIZE_T size = 0x1000;

    return guest_raw.map_view(shared, NT_CURRENT_PROCESS, &at, 0, 0, NULL, &size, 1 /* ViewShare */,
                              0, PAGE_READONLY) >= 0;
}

/* Maps the shared block and gives its state to this process. Returns 0 or the
 * step that failed. */
static uint32_t map_shared(HANDLE image, HANDLE shared)
{
    struct fvm_shared *block = (struct fvm_shared *)GUEST_SHARED_BASE;
    void *at = block;
    SIZE_T size = 0; /* all of it: mapping parts on demand would need faults, and
                      * a debugger of the program sees those first */

    guest_image_section = image;
    guest_shared_section = shared;
    if (guest_raw.map_view(shared, NT_CURRENT_PROCESS, &at, 0, 0, NULL, &size, 1 /* ViewShare */, 0,
                           PAGE_READWRITE) < 0)
        return GUEST_BOOT_MAP_SHARED;
    if (block->magic != FVM_SHARED_MAGIC || block->version != FVM_SHARED_VERSION)
        return GUEST_BOOT_VERSION;
    guest_shared = block;
    guest_index = (struct fvm_index *)((uint8_t *)block + block->index_offset);
    return 0;
}

/* The host starts a private program by its real name; ntdll is about to take
 * the name for the module list, the search path and the program's own eyes. */
static void restore_image_name(void)
{
    struct nt_process_parameters *params = nt_peb()->parameters;
    UNICODE_STRING *name = params ? &params->image_path : NULL;
    uint32_t len = name ? name->Length / sizeof(WCHAR) : 0;
    fvm_wchar *buffer, *view;
    const uint32_t half = GUEST_SCRATCH_SIZE / 2 / sizeof(fvm_wchar);
    static const fvm_wchar prefix[] = {'\\', '?', '?', '\\'};

    if (!len || len > 32767 || !name->Buffer) return;
    buffer = guest_scratch_get();
    if (!buffer) guest_boot_fail(GUEST_BOOT_MEMORY);
    view = buffer + half;

    /* "C:\x" -> "\??\C:\x", "\\?\unix\x" -> "\??\unix\x" */
    uint32_t skip = len > 4 && name->Buffer[0] == '\\' && name->Buffer[1] == '\\' &&
                            name->Buffer[2] == '?' && name->Buffer[3] == '\\'
                        ? 4
                        : 0;

    memcpy(buffer, prefix, sizeof(prefix));
    memcpy(buffer + 4, name->Buffer + skip, (len - skip) * sizeof(WCHAR));

    uint32_t n = guest_file_view_name((struct fvm_wstr){buffer, len - skip + 4}, view, half - 1);

    if (n > 4) {
        bool drive = n > 6 && view[5] == ':';
        fvm_wchar *text = drive ? view + 4 : view;

        if (drive)
            n -= 4;
        else
            view[1] = '\\'; /* "\\?\" */
        text[n] = 0;
        if ((n + 1) * sizeof(WCHAR) > name->MaximumLength) {
            WCHAR *own = guest_alloc((n + 1) * sizeof(WCHAR));

            if (!own) guest_boot_fail(GUEST_BOOT_MEMORY);
            name->Buffer = own;
            name->MaximumLength = (USHORT)((n + 1) * sizeof(WCHAR));
        }
        memcpy(name->Buffer, text, (n + 1) * sizeof(WCHAR));
        name->Length = (USHORT)(n * sizeof(WCHAR));
    }
    guest_scratch_put(buffer);
}

void *guest_boot_process(const struct guest_blob *blob)
{
    HANDLE image = (HANDLE)(uintptr_t)blob->image_section;
    HANDLE shared = (HANDLE)(uintptr_t)blob->shared_section;
    uint32_t failed;

    guest_hooks_begin();
    guest_is_served = blob->served != 0;
    if (guest_is_served) {
        leave_error_output();
        if (!map_mark(shared)) guest_boot_fail(GUEST_BOOT_MAP_SHARED);
    }
    failed = map_shared(image, shared);
    if (failed) guest_boot_fail(failed);
    if (!guest_hooks_install()) guest_boot_fail(GUEST_BOOT_PROTECT);
    guest_file_init();
    restore_image_name();
    guest_window_boot();
    if (!guest_hooks_open_gate()) guest_boot_fail(GUEST_BOOT_PROTECT);
    __atomic_fetch_add(&guest_shared->process_count, 1, __ATOMIC_RELAXED);
    return guest_host.init_thunk;
}

static void set_error(struct guest_error *error, NTSTATUS status, const char *where)
{
    size_t i = 0;

    error->status = status;
    for (; where[i] && i + 1 < sizeof(error->where); i++)
        error->where[i] = where[i];
    error->where[i] = 0;
}

__declspec(dllexport) bool fvm_guest_prepare(uint32_t version, const void *ntdll,
                                             const void *win32u, struct guest_error *error);
__declspec(dllexport) void fvm_guest_leave(void);
__declspec(dllexport) bool fvm_guest_attach(void *image_section, void *shared_section,
                                            struct guest_error *error);

bool fvm_guest_prepare(uint32_t version, const void *ntdll, const void *win32u,
                       struct guest_error *error)
{
    const uint8_t *base = (const uint8_t *)GUEST_BASE;
    const IMAGE_NT_HEADERS64 *nt =
        (const void *)(base + ((const IMAGE_DOS_HEADER *)base)->e_lfanew);

    if (version != GUEST_API_VERSION) {
        set_error(error, NT_REVISION_MISMATCH, "version of the monitor");
        return false;
    }
    guest_image_size = nt->OptionalHeader.SizeOfImage;
    return guest_hooks_prepare(ntdll, win32u, error);
}

bool fvm_guest_attach(void *image_section, void *shared_section, struct guest_error *error)
{
    uint32_t failed;

    guest_hooks_begin();
    failed = map_shared(image_section, shared_section);
    if (failed) {
        set_error(error, (NTSTATUS)(GUEST_BOOT_FAILED | failed), "shared block");
        return false;
    }
    guest_attached = true;
    guest_registry_enter();
    NTSTATUS status = guest_object_begin();
    if (status >= 0) status = guest_serve_begin();
    if (status < 0) {
        set_error(error, status, "directory of the VM's objects");
        return false;
    }
    guest_file_init();
    if (!guest_hooks_install()) {
        set_error(error, NT_ACCESS_DENIED, "code of ntdll");
        return false;
    }
    return true;
}

void fvm_guest_leave(void)
{
    guest_serve_end();
    guest_registry_leave();
}
