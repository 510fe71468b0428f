/* Puts the hooks in their places, and makes trampolines that go around them.
 *
 * On Wine every system call stub, of ntdll and win32u alike, puts the call's number into eax
 * and calls through a pointer at 0x7ffe1000, in a page of each process's own. That pointer is
 * exchanged for guest_syscall_entry (boot/entry.S), which looks the number up in a table. The
 * stubs stay as they are on disk, calls without a hook cost a nanosecond more, and copies of
 * stubs that programs make are hooked, too. (Windows has no such pointer: there the stubs
 * themselves must be rewritten.)
 *
 * Modules call their Unix parts through another pointer, a variable of ntdll. It is exchanged,
 * too: one of those calls loads libraries past all system calls (process/library.c).
 *
 * All that is the same in every process is resolved once, by the monitor, before the image is
 * shared. */
#include "guest_boot.h"

#define STUB_SIZE       32
#define PATCH_SIZE      12 /* mov rax, imm64; jmp rax */
#define TRAMPOLINE_SIZE 32
#define MAX_TRAMPOLINES 512
#define SAVED_SIZE      16

struct guest_host guest_host;
const void *guest_dispatcher_rest, *guest_thread_rest;

/* The host's own way into its system calls; another address in each process. */
#define HOST_SYSCALL ((void **)0x7ffe1000)
void *guest_host_syscall, *guest_host_unix_call;
uint64_t guest_ntdll_unix;

struct guest_syscall guest_syscall_table[GUEST_SYSCALLS];

/* In .text: executable wherever the image is. */
__attribute__((section(".text$trampolines"),
               aligned(16))) static uint8_t trampolines[MAX_TRAMPOLINES * TRAMPOLINE_SIZE] = {0xcc};
static const char *trampoline_names[MAX_TRAMPOLINES];
static uint32_t trampoline_count;
/* Through which the trampolines call (unix/entry.S). */
static void (*const own_syscall)(void) = guest_own_syscall_entry;

/* mov r10, rcx; mov eax, N; test byte [0x7ffe0308], 1; jne; syscall; ret; jmp;
 * ret; call [0x7ffe1000]; ret. The number differs from stub to stub. */
static const uint8_t stub_pattern[STUB_SIZE] = {
    0x4c, 0x8b, 0xd1, 0xb8, 0,    0,    0,    0,    0xf6, 0x04, 0x25, 0x08, 0x03, 0xfe, 0x7f, 0x01,
    0x75, 0x03, 0x0f, 0x05, 0xc3, 0xeb, 0x01, 0xc3, 0xff, 0x14, 0x25, 0x00, 0x10, 0xfe, 0x7f, 0xc3,
};

/* mov rcx, [rsp+0x98]; mov ax, cs; cmp [rsp+0x38], ax: whole instructions, no
 * relative ones. */
static const uint8_t dispatcher_pattern[SAVED_SIZE] = {
    0x48, 0x8b, 0x8c, 0x24, 0x98, 0, 0, 0, 0x66, 0x8c, 0xc8, 0x66, 0x39, 0x44, 0x24, 0x38,
};

static int name_cmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

/* Address of an export, NULL when there is none (or a forwarder). */
uint8_t *guest_find_export(const uint8_t *dll, const char *name)
{
    const IMAGE_NT_HEADERS64 *nt = (const void *)(dll + ((const IMAGE_DOS_HEADER *)dll)->e_lfanew);
    const IMAGE_DATA_DIRECTORY *dir = &nt->OptionalHeader.DataDirectory[0];
    const IMAGE_EXPORT_DIRECTORY *exports = (const void *)(dll + dir->VirtualAddress);
    const DWORD *names = (const void *)(dll + exports->AddressOfNames);
    const WORD *ordinals = (const void *)(dll + exports->AddressOfNameOrdinals);
    const DWORD *functions = (const void *)(dll + exports->AddressOfFunctions);
    uint32_t low = 0, high = exports->NumberOfNames;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        int c = name_cmp(name, (const char *)dll + names[mid]);

        if (c == 0) {
            DWORD rva = functions[ordinals[mid]];

            if (rva - dir->VirtualAddress < dir->Size) return NULL;
            return (uint8_t *)(uintptr_t)dll + rva;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

bool guest_prepare_fail(struct guest_error *error, NTSTATUS status, const char *where)
{
    size_t i = 0;

    error->status = status;
    for (; where[i] && i + 1 < sizeof(error->where); i++)
        error->where[i] = where[i];
    error->where[i] = 0;
    return false;
}

static bool is_stub(const uint8_t *code)
{
    return memcmp(code, stub_pattern, 4) == 0 &&
           memcmp(code + 8, stub_pattern + 8, STUB_SIZE - 8) == 0;
}

/* mov r10, rcx; mov eax, number; jmp 1f; ret; 1: call [rip+own_syscall]. The host
 * returns not behind the call but 11 bytes before that, where a stub has its first ret. One
 * per system call, however many tables ask for it. */
static void *trampoline(const uint8_t *stub, const char *name)
{
    uint8_t *t = trampolines;

    for (uint32_t i = 0; i < trampoline_count; i++, t += TRAMPOLINE_SIZE) {
        if (memcmp(t, stub, 8) == 0) return t;
    }
    if (trampoline_count == MAX_TRAMPOLINES) return NULL;

    int32_t distance = (int32_t)((intptr_t)&own_syscall - (intptr_t)(t + 21));

    memset(t, 0xcc, TRAMPOLINE_SIZE);
    memcpy(t, stub, 8);
    t[8] = 0xeb;
    t[9] = 5;
    t[10] = 0xc3;
    t[15] = 0xff;
    t[16] = 0x15;
    memcpy(t + 17, &distance, sizeof(distance));
    t[21] = 0xc3;
    trampoline_names[trampoline_count++] = name;
    return t;
}

bool guest_syscall_number(const uint8_t *module, const char *name, uint32_t *number)
{
    const uint8_t *stub = guest_find_export(module, name);

    if (!stub || !is_stub(stub)) return false;
    memcpy(number, stub + 4, sizeof(*number));
    return *number < GUEST_SYSCALLS;
}

/* The stubs of a module have numbers from first on, below end. */
static bool prepare_table(const uint8_t *module, uint32_t first, uint32_t end,
                          const struct guest_hook *table, struct guest_error *error)
{
    for (; table->name; table++) {
        const uint8_t *stub = guest_find_export(module, table->name);

        if (!stub) return guest_prepare_fail(error, NT_ENTRYPOINT_NOT_FOUND, table->name);
        if (!is_stub(stub)) return guest_prepare_fail(error, NT_OBJECT_TYPE_MISMATCH, table->name);

        uint32_t number;
        void *real;

        memcpy(&number, stub + 4, sizeof(number));
        if (number < first || number >= end)
            return guest_prepare_fail(error, NT_INVALID_PARAMETER, table->name);
        real = trampoline(stub, table->name);
        if (!real) return guest_prepare_fail(error, NT_NO_MEMORY, table->name);
        if (table->real) *table->real = real;
        if (!table->hook) continue;
        if (guest_syscall_table[number].hook)
            return guest_prepare_fail(error, NT_CONFLICTING_ADDRESSES, table->name);
        guest_syscall_table[number].hook = (uint32_t)((uintptr_t)table->hook - GUEST_BASE);
    }
    return true;
}

/* Puts filters in front of hooks that are in the table. */
static bool prepare_filters(const uint8_t *ntdll, const struct guest_filter *table,
                            struct guest_error *error)
{
    for (; table->name; table++) {
        const uint8_t *stub = guest_find_export(ntdll, table->name);
        uint32_t number = GUEST_SYSCALLS;

        if (stub) memcpy(&number, stub + 4, sizeof(number));
        if (number >= GUEST_SYSCALLS || !guest_syscall_table[number].hook ||
            guest_syscall_table[number].hook & GUEST_FILTERED)
            return guest_prepare_fail(error, NT_INVALID_PARAMETER, table->name);
        guest_syscall_table[number].hook |= GUEST_FILTERED;
        guest_syscall_table[number].classes = table->classes;
    }
    return true;
}

const char *guest_trampoline_name(uint32_t i, uint32_t *number)
{
    if (i >= trampoline_count) return NULL;
    memcpy(number, trampolines + (size_t)i * TRAMPOLINE_SIZE + 4, sizeof(*number));
    return trampoline_names[i];
}

/* The guest's own calls go through trampolines even where the image imports the stub, but for
 * calls that have a hook: these are meant to meet it. */
static bool prepare_imports(struct guest_error *error)
{
    uint8_t *image = (uint8_t *)GUEST_BASE;
    const IMAGE_NT_HEADERS64 *nt =
        (const void *)(image + ((const IMAGE_DOS_HEADER *)image)->e_lfanew);
    const IMAGE_IMPORT_DESCRIPTOR *import =
        (const void *)(image + nt->OptionalHeader.DataDirectory[1].VirtualAddress);
    const uint64_t *names = (const void *)(image + import->OriginalFirstThunk);
    void **slots = (void *)(image + import->FirstThunk);

    for (; *names; names++, slots++) {
        const char *name = (const char *)(image + *names) + sizeof(WORD);
        const uint8_t *stub = *slots;
        uint32_t number;

        if (!is_stub(stub)) continue;
        memcpy(&number, stub + 4, sizeof(number));
        if (number >= GUEST_WIN32U_FIRST)
            return guest_prepare_fail(error, NT_INVALID_PARAMETER, name);
        if (guest_syscall_table[number].hook) continue;
        if (!(*slots = trampoline(stub, name)))
            return guest_prepare_fail(error, NT_NO_MEMORY, name);
    }
    return true;
}

bool guest_hooks_prepare(const uint8_t *ntdll, const uint8_t *win32u, struct guest_error *error)
{
    const struct guest_hook *const tables[] = {
        guest_raw_hooks,           guest_file_hooks,         guest_device_hooks,
        guest_machine_hooks,       guest_process_hooks,      guest_registry_hooks,
        guest_object_hooks,        guest_process_list_hooks, guest_serve_hooks,
        guest_window_server_hooks, guest_session_hooks,      guest_atom_hooks};
    const struct guest_hook *const win32u_tables[] = {guest_settings_hooks, guest_window_hooks,
                                                      guest_atom_name_hooks, guest_hook_hooks,
                                                      guest_property_hooks};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (!prepare_table(ntdll, 0, GUEST_WIN32U_FIRST, tables[i], error)) return false;
    }
    for (size_t i = 0; i < sizeof(win32u_tables) / sizeof(win32u_tables[0]); i++) {
        if (!prepare_table(win32u, GUEST_WIN32U_FIRST, GUEST_SYSCALLS, win32u_tables[i], error))
            return false;
    }
    if (!guest_window_prepare(ntdll, win32u, error)) return false;
    if (!prepare_filters(ntdll, guest_file_filters, error) || !prepare_imports(error)) return false;

    guest_host.ntdll = ntdll;
    guest_host.unix_call = (void **)(void *)guest_find_export(ntdll, "__wine_unix_call_dispatcher");
    if (!guest_host.unix_call)
        return guest_prepare_fail(error, NT_ENTRYPOINT_NOT_FOUND, "__wine_unix_call_dispatcher");
    guest_host.map_view = guest_find_export(ntdll, "NtMapViewOfSection");
    guest_host.terminate = guest_find_export(ntdll, "NtTerminateProcess");
    guest_host.init_thunk = guest_find_export(ntdll, "LdrInitializeThunk");
    if (!guest_host.init_thunk)
        return guest_prepare_fail(error, NT_ENTRYPOINT_NOT_FOUND, "LdrInitializeThunk");
    if (guest_thread_entry_end - (const uint8_t *)guest_thread_entry != GUEST_GATE_SIZE ||
        (uintptr_t)guest_host.init_thunk % 8 ||
        memcmp(guest_host.init_thunk, (const void *)guest_thread_entry, GUEST_GATE_SIZE) != 0)
        return guest_prepare_fail(error, NT_OBJECT_TYPE_MISMATCH, "LdrInitializeThunk");
    memcpy(guest_host.init_thunk_saved, guest_host.init_thunk, GUEST_BLOB_MAX);
    guest_thread_rest = guest_host.init_thunk + GUEST_GATE_SIZE;

    guest_host.dispatcher = guest_find_export(ntdll, "KiUserExceptionDispatcher");
    if (!guest_host.dispatcher)
        return guest_prepare_fail(error, NT_ENTRYPOINT_NOT_FOUND, "KiUserExceptionDispatcher");
    if (memcmp(guest_host.dispatcher, dispatcher_pattern, SAVED_SIZE) != 0)
        return guest_prepare_fail(error, NT_OBJECT_TYPE_MISMATCH, "KiUserExceptionDispatcher");
    memcpy(guest_dispatcher_saved, dispatcher_pattern, SAVED_SIZE);
    guest_dispatcher_rest = guest_host.dispatcher + SAVED_SIZE;
    return true;
}

static void write_jump(uint8_t *at, const void *target)
{
    uint64_t address = (uintptr_t)target;

    at[0] = 0x48;
    at[1] = 0xb8;
    memcpy(at + 2, &address, 8);
    at[10] = 0xff;
    at[11] = 0xe0;
}

void guest_hooks_begin(void)
{
    guest_host_syscall = *HOST_SYSCALL;
    guest_host_unix_call = *guest_host.unix_call;
}

static bool make_writable(void *start, size_t length, ULONG protection, ULONG *old)
{
    void *at = start;
    SIZE_T size = length;

    return guest_raw.protect(NT_CURRENT_PROCESS, &at, &size, protection, old) >= 0;
}

bool guest_hooks_install(void)
{
    ULONG old;

    if (!make_writable(guest_host.dispatcher, PATCH_SIZE, PAGE_EXECUTE_READWRITE, &old))
        return false;
    /* first the dispatcher, so that a fault in all that follows is told */
    write_jump(guest_host.dispatcher, guest_exception_entry);
    if (!make_writable(guest_host.dispatcher, PATCH_SIZE, old, &old)) return false;
    /* without a handle of its own ntdll does not ask */
    if (guest_raw.query_memory(NT_CURRENT_PROCESS, guest_host.ntdll, GUEST_MEMORY_UNIX_FUNCS,
                               &guest_ntdll_unix, sizeof(guest_ntdll_unix), NULL) < 0)
        guest_ntdll_unix = 0;
    *guest_host.unix_call = guest_unix_entry;
    *HOST_SYSCALL = guest_syscall_entry;
    return true;
}

/* jmp [GUEST_GATE_TARGET], and a byte that nothing reaches */
static const uint8_t gate_jump[8] = {0xff, 0x24, 0x25, 0xf8, 0x1f, 0xfe, 0x7f, 0xcc};

bool guest_hooks_open_gate(void)
{
    uint64_t jump;
    ULONG old;

    if (!make_writable(guest_host.init_thunk, GUEST_BLOB_MAX, PAGE_EXECUTE_READWRITE, &old))
        return false;
    memcpy(guest_host.init_thunk + GUEST_GATE_SIZE, guest_host.init_thunk_saved + GUEST_GATE_SIZE,
           GUEST_BLOB_MAX - GUEST_GATE_SIZE);
    memcpy(&jump, gate_jump, sizeof(jump));
    *GUEST_GATE_TARGET = guest_thread_entry;
    __atomic_store_n((uint64_t *)(void *)guest_host.init_thunk, jump, __ATOMIC_SEQ_CST);
    return make_writable(guest_host.init_thunk, GUEST_BLOB_MAX, old, &old);
}
