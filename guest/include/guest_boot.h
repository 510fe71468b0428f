/* Inside of guest/boot, guest/hook and guest/process: nothing for the namespaces. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include "guest.h"
#include "guest_nt.h"
#include "guest_api.h"

/* --- boot/entry.S ------------------------------------------------------------------- */
/* The code that is written over LdrInitializeThunk of a new process: maps the image and
 * jumps to fvm_guest_boot. It is followed by struct guest_blob. */
extern const uint8_t guest_blob_code[], guest_blob_code_end[];

struct guest_blob {
    uint64_t map_view;      /* NtMapViewOfSection of the host's ntdll */
    uint64_t terminate;     /* NtTerminateProcess */
    uint64_t base, entry;   /* of the guest image */
    uint64_t image_section; /* handles in the new process */
    uint64_t shared_section;
    uint64_t served; /* the process belongs to a service: guest_is_served */
};

#define GUEST_BLOB_MAX 256 /* code and data */
/* Size of the two instructions at the blob's start in which threads wait for the boot to end,
 * and, in a page of which the host uses the first word, the bit that they wait for and the place
 * to which they go. */
#define GUEST_GATE_SIZE   12
#define GUEST_GATE_TARGET ((void *volatile *)0x7ffe1ff8)

void fvm_guest_boot(void);        /* entered by a jump only */
void guest_thread_entry(void);    /* where LdrInitializeThunk leads when the guest is there */
extern const uint8_t guest_thread_entry_end[];
extern const void *guest_thread_rest; /* where the host's LdrInitializeThunk goes on */
void guest_syscall_entry(void);   /* in place of the host's system call entry */
void guest_exception_entry(void); /* in place of KiUserExceptionDispatcher */
void guest_unix_entry(void);      /* in place of the way into Unix parts of modules */
/* Copies without looking; a fault inside ends it at guest_copy_fail, with false. */
bool guest_copy(void *dst, const void *src, size_t size);
extern const uint8_t guest_copy_start[], guest_copy_end[], guest_copy_fail[];
extern uint8_t guest_dispatcher_saved[];  /* the instructions replaced in the dispatcher */
extern const void *guest_dispatcher_rest; /* where the host's dispatcher goes on */

/* --- boot/init.c ---------------------------------------------------------------------- */
extern HANDLE guest_image_section; /* valid in this process */
extern uint32_t guest_image_size;  /* bytes from GUEST_BASE, set by prepare */
extern bool guest_attached;        /* this is the monitor: not a process of the VM */
/* What fvm_guest_boot calls: returns where the process goes on. */
void *guest_boot_process(const struct guest_blob *blob);
/* Ends the process: the guest could not start in it. */
__attribute__((noreturn)) void guest_boot_fail(enum guest_boot_step step);

/* --- boot/fault.c --------------------------------------------------------------------- */
/* Called by guest_exception_entry for exceptions that concern the guest. Returns when the
 * exception is the program's. */
void guest_fault(CONTEXT *context, const EXCEPTION_RECORD *record);

/* --- hook/raw.c: the host's calls, never hooked ---------------------------------------- */
struct guest_raw {
    NTSTATUS(NTAPI *create_file)
    (HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, LARGE_INTEGER *, ULONG, ULONG,
     ULONG, ULONG, void *, ULONG);
    NTSTATUS(NTAPI *open_file)
    (HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG, ULONG);
    NTSTATUS(NTAPI *read_file)
    (HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG, LARGE_INTEGER *, ULONG *);
    NTSTATUS(NTAPI *write_file)
    (HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, const void *, ULONG, LARGE_INTEGER *,
     ULONG *);
    NTSTATUS(NTAPI *lock_file)
    (HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, LARGE_INTEGER *, LARGE_INTEGER *, ULONG *,
     BOOLEAN, BOOLEAN);
    NTSTATUS(NTAPI *close)(HANDLE);
    NTSTATUS(NTAPI *duplicate_object)(HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG);
    NTSTATUS(NTAPI *map_view)
    (HANDLE, HANDLE, void **, ULONG_PTR, SIZE_T, LARGE_INTEGER *, SIZE_T *, ULONG, ULONG, ULONG);
    NTSTATUS(NTAPI *read_memory)(HANDLE, const void *, void *, SIZE_T, SIZE_T *);
    NTSTATUS(NTAPI *write_memory)(HANDLE, void *, const void *, SIZE_T, SIZE_T *);
    NTSTATUS(NTAPI *protect)(HANDLE, void **, SIZE_T *, ULONG, ULONG *);
    NTSTATUS(NTAPI *allocate)(HANDLE, void **, ULONG_PTR, SIZE_T *, ULONG, ULONG);
    NTSTATUS(NTAPI *query_memory)(HANDLE, const void *, ULONG, void *, SIZE_T, SIZE_T *);
    NTSTATUS(NTAPI *release)(HANDLE, void **, SIZE_T *, ULONG);
    NTSTATUS(NTAPI *resume_thread)(HANDLE, ULONG *);
    NTSTATUS(NTAPI *terminate_process)(HANDLE, NTSTATUS);
    NTSTATUS(NTAPI *query_system_time)(LARGE_INTEGER *);
    NTSTATUS(NTAPI *yield)(void);
    NTSTATUS(NTAPI *continue_at)(CONTEXT *, BOOLEAN);
};
extern struct guest_raw guest_raw;
extern const struct guest_hook guest_raw_hooks[];

/* --- hook/patch.c --------------------------------------------------------------------- */
/* Addresses in ntdll and what was there, the same in all processes. */
struct guest_host {
    uint8_t *init_thunk, *dispatcher;
    uint8_t init_thunk_saved[GUEST_BLOB_MAX];
    uint8_t *map_view, *terminate;
    const uint8_t *ntdll;
    /* ntdll's variable through which its modules call their Unix parts */
    void **unix_call;
};
extern struct guest_host guest_host;
/* What that variable held in this process, and the handle of ntdll's own Unix part. */
extern void *guest_host_unix_call;
extern uint64_t guest_ntdll_unix;
/* Resolves all tables against ntdll and win32u and builds the trampolines (image still writable). */
/* The stubs' system call numbers: ntdll's from 0, win32u's from 0x1000. */
#define GUEST_SYSCALLS     0x1200
#define GUEST_WIN32U_FIRST 0x1000
#define GUEST_FILTERED 1u
struct guest_syscall {
    uint32_t hook;    /* relative to GUEST_BASE, plus GUEST_FILTERED; 0: none */
    uint32_t classes; /* see struct guest_filter */
};
extern struct guest_syscall guest_syscall_table[GUEST_SYSCALLS];
extern void *guest_host_syscall;
bool guest_hooks_prepare(const uint8_t *ntdll, const uint8_t *win32u, struct guest_error *error);
/* The i-th trampoline's export and number; NULL beyond the last one. */
const char *guest_trampoline_name(uint32_t i, uint32_t *number);
/* Address of an export, NULL when there is none (or a forwarder). */
uint8_t *guest_find_export(const uint8_t *dll, const char *name);
/* The number of the system call whose stub has this name. */
bool guest_syscall_number(const uint8_t *module, const char *name, uint32_t *number);
/* Writes to error; returns false. */
bool guest_prepare_fail(struct guest_error *error, NTSTATUS status, const char *where);
/* window/calls.c: what the arguments of win32u's calls are, and the same in all processes. */
bool guest_window_prepare(const uint8_t *ntdll, const uint8_t *win32u, struct guest_error *error);
/* Called before calls of win32u (boot/entry.S), whose arguments it may change: four registers,
 * and what follows them on the stack. */
void guest_window_enter(uint32_t number, uint64_t *registers, uint64_t *stack);
/* Makes the trampolines usable in this process: before any call of guest_raw. */
void guest_hooks_begin(void);
/* Puts the hooks into this process. */
bool guest_hooks_install(void);
/* In a new process, when all is in place: takes the blob away and lets all threads go. */
bool guest_hooks_open_gate(void);

/* --- unix/ ---------------------------------------------------------------------------- */
void guest_own_syscall_entry(void); /* the way of the trampolines to the host */

#endif
