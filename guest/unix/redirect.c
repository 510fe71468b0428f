/* What Unix parts of modules do with the registry by themselves becomes the VM's business.
 *
 * win32u keeps settings in the registry: SystemParametersInfo, system colours, display modes,
 * keyboard layouts, fonts. It reads and writes them in its Unix part, by calls from one shared
 * object of the machine to another (ntdll.so), which no hook of a system call sees. Such calls go
 * through pointers in memory of the calling object. As soon as a module's Unix part is loaded, and
 * before anything of it has run, those that name something are exchanged for the hooks that the
 * program's own calls meet. They have the same arguments and the same calling convention.
 *
 * The hooks run on the thread's other stack then; entry.S sees to the calls that they make. They
 * must not call code of the program's, nor rely on faults (guest_read) with pointers that come
 * from a Unix part: those are good. */
#include "unix.h"

/* Where the host keeps the stack that its system calls of a thread run on, and the frame of the
 * current one, in the thread's block. */
#define UNIX_KERNEL_STACK      0x370
#define UNIX_SYSCALL_FRAME     0x328
#define UNIX_KERNEL_STACK_SIZE 0x100000

/* Functions of ntdll by the number of the call, relative to guest_ntdll_unix; 0: unknown. */
int32_t guest_unix_calls[GUEST_SYSCALLS];
/* There are redirected calls in this process. */
volatile uint8_t guest_unix_redirected;
static guest_lock lock;
static bool cannot;

/* Objects whose calls are exchanged. */
static const char *const objects[] = {"win32u.so", "winex11.so", "opengl32.so", "winealsa.so"};

/* The calls. NtClose: what is remembered of a handle ends with it. NtCreateUserProcess: win32u
 * starts the desktop's explorer. The others of files: it reads the folder of fonts, and gives the
 * Unix names of fonts to the library that draws them. */
static const char *const calls[] = {
    "NtCreateKey", /* see settings/fonts.c */
    "NtOpenKey",
    "NtOpenKeyEx",
    "NtDeleteKey",
    "NtQueryKey",
    "NtEnumerateKey",
    "NtEnumerateValueKey",
    "NtQueryValueKey",
    "NtSetValueKey",
    "NtDeleteValueKey",
    "NtClose",
    "NtCreateFile",
    "NtOpenFile",
    "NtQueryDirectoryFile",
    "NtQueryAttributesFile",
    "NtQueryFullAttributesFile",
    "wine_nt_to_unix_file_name",
    "wine_unix_to_nt_file_name",
    "NtCreateUserProcess",
};
static void *hooks[sizeof calls / sizeof calls[0]];

/* Functions of the machine's own libraries that such objects call (see guest.h). */
static const struct guest_replacement *const replacements[] = {guest_settings_replacements,
                                                               guest_title_replacements};

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static uint64_t thread_word(uint32_t offset)
{
    uint64_t value;

    __asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"((uint64_t)offset));
    return value;
}

/* Does this host keep its stacks where entry.S looks for them? */
static bool stack_is_known(void)
{
    uint64_t stack = thread_word(UNIX_KERNEL_STACK), frame = thread_word(UNIX_SYSCALL_FRAME);
    MEMORY_BASIC_INFORMATION info;

    return frame - stack < UNIX_KERNEL_STACK_SIZE &&
           guest_raw.query_memory(NT_CURRENT_PROCESS, (const void *)stack, 0 /* basic */, &info,
                                  sizeof info, NULL) >= 0 &&
           info.AllocationBase == (void *)stack && info.RegionSize == UNIX_KERNEL_STACK_SIZE;
}

/* Finds ntdll's functions and the hooks, once per process. Under the lock. */
static bool prepare(void)
{
    struct elf ntdll;
    uint32_t number;
    const char *name;

    if (guest_unix_redirected) return true;
    if (!guest_ntdll_unix || !stack_is_known() || !elf_find(guest_ntdll_unix, &ntdll) ||
        !same(ntdll.soname, "ntdll.so"))
        return false;
    for (uint32_t i = 0; (name = guest_trampoline_name(i, &number)); i++) {
        uintptr_t at = elf_symbol(&ntdll, name);

        if (at) guest_unix_calls[number] = (int32_t)((intptr_t)at - (intptr_t)guest_ntdll_unix);
        for (size_t c = 0; at && c < sizeof calls / sizeof calls[0]; c++) {
            uint32_t hook = guest_syscall_table[number].hook & ~GUEST_FILTERED;

            if (hook && same(name, calls[c])) hooks[c] = (void *)(GUEST_BASE + hook);
        }
    }
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        if (!hooks[c]) return false;
    }
    return true;
}

static const struct guest_replacement *replacement_of(const char *name)
{
    for (size_t t = 0; t < sizeof replacements / sizeof replacements[0]; t++) {
        for (const struct guest_replacement *r = replacements[t]; r->name; r++) {
            if (same(name, r->name)) return r;
        }
    }
    return NULL;
}

/* dlsym(): libraries that are loaded when they are needed. */
typedef void *(__attribute__((sysv_abi)) * find_function_fn)(void *library, const char *name);
static find_function_fn real_find_function;

static __attribute__((sysv_abi)) void *find_function(void *library, const char *name)
{
    void *found = real_find_function(library, name);
    const struct guest_replacement *r = found && name[0] == 'X' ? replacement_of(name) : NULL;

    if (!r) return found;
    if (r->original) *r->original = found;
    return r->function;
}
static const struct guest_replacement finder = {"dlsym", (void *)find_function,
                                                (void **)&real_find_function};

/* What takes the place of the function; NULL: it stays. */
static void *instead_of(const char *name, const struct guest_replacement **replacement)
{
    *replacement = NULL;
    if (name[0] == 'N' || name[0] == 'w') {
        for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
            if (same(name, calls[c])) return c ? hooks[c] : (void *)guest_settings_create_key;
        }
    } else if (name[0] == 'X') {
        *replacement = replacement_of(name);
    } else if (same(name, finder.name)) {
        *replacement = &finder;
    }
    return *replacement ? (*replacement)->function : NULL;
}

/* Exchanges the pointers (or only tries whether they can be written): all or none. */
static bool redirect(const struct elf *elf, bool try)
{
    const struct guest_replacement *replacement;
    char name[32];
    void **slot, *value, *instead;

    for (uint32_t i = 0; elf_next_jump(elf, &i, &slot, name, sizeof name);) {
        if (!(instead = instead_of(name, &replacement))) continue;
        if (!guest_read(&value, slot, sizeof value)) return false;
        if (value == instead) continue;
        if (replacement && replacement->original) *replacement->original = value;
        if (!guest_write(slot, try ? &value : &instead, sizeof value)) return false;
    }
    return true;
}

void guest_unix_loaded(uint64_t functions)
{
    static const fvm_wchar text[] = {'r', 'e', 'g', 'i', 's', 't', 'r', 'y'};
    const struct fvm_wstr what = {text, sizeof text / sizeof text[0]};
    struct elf elf;
    bool known = false, done;

    if (functions == guest_ntdll_unix || !elf_find(functions, &elf)) return;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        known |= same(elf.soname, objects[i]);
    if (!known) return;
    guest_lock_acquire(&lock);
    done = !cannot && prepare() && redirect(&elf, true);
    if (done) {
        guest_unix_redirected = 1;
        done = redirect(&elf, false);
    }
    cannot |= !done;
    guest_lock_release(&lock);
    if (!done)
        guest_event("error", "win32u", what,
                    "the Unix part of a module is not of a known form: settings that it keeps in "
                    "the registry (colours, fonts, system parameters) are the host's own");
}
