/* Exceptions whose instruction lies in the guest image, seen before the program's handlers. */
#include "guest_boot.h"

#define CODE_ACCESS_VIOLATION 0xc0000005U
#define CODE_IN_PAGE_ERROR    0xc0000006U
#define CODE_GUARD_PAGE       0x80000001U
#define CODE_BREAKPOINT       0x80000003U
#define CODE_SINGLE_STEP      0x80000004U
#define CODE_STACK_OVERFLOW   0xc00000fdU

#define READABLE                                                                                   \
    (PAGE_READONLY | PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READ |                         \
     PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)
#define WRITABLE (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)

/* A debugger sees every exception before the process does, and one that just goes on would do
 * so at the same instruction for ever. The kernel raises none for a bad pointer: with a debugger
 * the pages are looked at first. */
static bool accessible(const void *at, size_t size, ULONG protection)
{
    const uint8_t *p = at, *end = p + size;

    if (!nt_peb()->being_debugged || !size) return true;
    if (end < p) return false;
    while (p < end) {
        MEMORY_BASIC_INFORMATION info;

        if (guest_raw.query_memory(NT_CURRENT_PROCESS, p, 0 /* MemoryBasicInformation */, &info,
                                   sizeof(info), NULL) < 0 ||
            info.State != MEM_COMMIT || !(info.Protect & protection) || (info.Protect & PAGE_GUARD))
            return false;
        p = (const uint8_t *)info.BaseAddress + info.RegionSize;
    }
    return true;
}

bool guest_read(void *dst, const void *src, size_t size)
{
    return accessible(src, size, READABLE) && guest_copy(dst, src, size);
}

bool guest_write(void *dst, const void *src, size_t size)
{
    return accessible(dst, size, WRITABLE) && guest_copy(dst, src, size);
}

/* Values on the stack that lead into the guest: most are return addresses. */
static void find_callers(uint64_t stack, uint32_t *callers, unsigned room)
{
    unsigned found = 0;
    uint64_t value;

    for (unsigned i = 0; i < 1024 && found < room; i++) {
        if (!guest_copy(&value, (const void *)(uintptr_t)(stack + i * 8), sizeof(value))) break;
        if (value > GUEST_BASE && value < GUEST_BASE + guest_image_size)
            callers[found++] = (uint32_t)(value - GUEST_BASE);
    }
}

/* Writes what happened where the monitor finds it, and ends the process: with locks of
 * the guest possibly held and state half changed there is nothing to go on with. */
static void report(const CONTEXT *context, const EXCEPTION_RECORD *record, uint64_t access)
{
    uint32_t code = (uint32_t)record->ExceptionCode;

    if (guest_shared) {
        /* the first fault is the one that is told; later ones are counted */
        if (__atomic_fetch_add(&guest_shared->fault_count, 1, __ATOMIC_ACQ_REL) == 0) {
            struct fvm_fault *fault = &guest_shared->fault;
            const struct nt_process_parameters *params = nt_peb()->parameters;
            uint32_t len = 0;

            fault->pid = nt_process_id();
            fault->code = code;
            fault->address = context->Rip;
            fault->access = access;
            fault->guest_base = GUEST_BASE;
            find_callers(context->Rsp, fault->callers,
                         sizeof(fault->callers) / sizeof(fault->callers[0]));
            if (params && params->image_path.Buffer) {
                len = params->image_path.Length / sizeof(WCHAR);
                if (len > 259) len = 259;
                if (!guest_copy(fault->image, params->image_path.Buffer, len * sizeof(WCHAR)))
                    len = 0;
            }
            fault->image[len] = 0;
        }

        char why[96];
        static const char digits[] = "0123456789abcdef";
        const char *text = "exception 0x######## in the guest at +0x########";
        uint64_t offset = context->Rip - GUEST_BASE;
        unsigned n = 0, field = 0, shift = 28;

        for (; text[n]; n++) {
            why[n] = text[n];
            if (text[n] != '#') continue;
            why[n] = digits[((field ? offset : code) >> shift) & 15];
            if (shift) {
                shift -= 4;
            } else {
                shift = 28;
                field++;
            }
        }
        why[n] = 0;
        guest_event("fault", "", (struct fvm_wstr){0}, why);
    }
    guest_raw.terminate_process(NT_CURRENT_PROCESS, (NTSTATUS)code);
}

void guest_fault(CONTEXT *context, const EXCEPTION_RECORD *record)
{
    static volatile LONG reporting;
    uint32_t code = (uint32_t)record->ExceptionCode;
    bool memory =
        code == CODE_ACCESS_VIOLATION || code == CODE_IN_PAGE_ERROR || code == CODE_GUARD_PAGE;
    uint64_t access = memory ? record->ExceptionInformation[1] : 0;

    if (memory && context->Rip >= (uintptr_t)guest_copy_start &&
        context->Rip < (uintptr_t)guest_copy_end) {
        context->Rip = (uintptr_t)guest_copy_fail;
        guest_raw.continue_at(context, FALSE);
    }
    /* A debugger's business, or the program's own stack used up by the call: as in ntdll. */
    if (code == CODE_BREAKPOINT || code == CODE_SINGLE_STEP || code == CODE_STACK_OVERFLOW) return;
    /* a fault while one is reported (in this thread or another) ends the process at once */
    if (!__atomic_exchange_n(&reporting, 1, __ATOMIC_ACQ_REL)) report(context, record, access);
    guest_raw.terminate_process(NT_CURRENT_PROCESS, (NTSTATUS)code);
}

void guest_late_init(void)
{
    static volatile LONG done;

    if (done || !nt_peb()->process_heap || guest_in_unix() ||
        __atomic_exchange_n(&done, 1, __ATOMIC_ACQ_REL)) return;

    const uint8_t *base = (const uint8_t *)GUEST_BASE;
    const IMAGE_NT_HEADERS64 *nt =
        (const void *)(base + ((const IMAGE_DOS_HEADER *)base)->e_lfanew);
    const IMAGE_DATA_DIRECTORY *dir =
        &nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION];

    /* Without the table only exceptions that cross a frame of the guest suffer; the call
     * fails only when the heap is exhausted, which the program is about to learn itself. */
    if (dir->Size)
        RtlAddFunctionTable((RUNTIME_FUNCTION *)(base + dir->VirtualAddress),
                            dir->Size / sizeof(RUNTIME_FUNCTION), GUEST_BASE);
}
