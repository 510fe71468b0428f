/* What every part of the guest may use: configuration, safe access to the program's
 * memory, memory of the guest's own, hook tables and events.
 *
 * The guest imports ntdll alone, has no C run-time, no TLS and never touches the
 * program's heap or the loader lock. */
#ifndef GUEST_H
#define GUEST_H

#include <windef.h>
#include <winbase.h>
#include <winternl.h>
#include "fvm/shared.h"
#include "fvm/index.h"
#include "guest_api.h"

/* The block shared by all processes of the VM, and the change index in it. */
extern struct fvm_shared *guest_shared;
extern struct fvm_index *guest_index;
/* Handle of the section behind guest_shared, valid in this process. */
extern HANDLE guest_shared_section;

/* --- the program's memory (boot/fault.c) ---------------------------------------------
 * A pointer from the program is read and written only through these: a fault inside
 * makes them return false instead of raising an exception. */
bool guest_read(void *dst, const void *src, size_t size);
bool guest_write(void *dst, const void *src, size_t size);

/* --- memory (boot/memory.c) ----------------------------------------------------------
 * Thread-safe, independent of every heap of the program. */
void *guest_alloc(size_t size); /* zeroed; NULL when there is none */
void guest_free(void *p);       /* NULL is allowed */
/* A scratch buffer of GUEST_SCRATCH_SIZE bytes, reused: not zeroed. NULL when no memory. */
#define GUEST_SCRATCH_SIZE (256 * 1024)
void *guest_scratch_get(void);
void guest_scratch_put(void *p);

/* Takes (true) or frees the locks of the allocator: while a thread is stopped or ended none of
 * them may be that thread's. Nothing is allocated in between. */
void guest_memory_hold(bool hold);

/* A lock between threads of this process: spins, then yields. Zero-initialised. Held for
 * short sections only, never across a call that may block. */
typedef volatile LONG guest_lock;
void guest_lock_acquire(guest_lock *lock);
void guest_lock_release(guest_lock *lock);

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* --- hooks (hook/) -------------------------------------------------------------------
 * Each namespace has its tables, ended by a NULL name. name is an export that is a system
 * call stub, of ntdll or of win32u (a table has calls of one of them; hook/patch.c lists both);
 * real receives a trampoline that makes the call itself. */
/* A NULL hook changes nothing in the host's ntdll: only the trampoline is made, for calls of the
 * guest's own that must not meet its hooks. Several tables may ask for the same trampoline, but
 * only one of them may hook an export. */
struct guest_hook {
    const char *name;
    void *hook;
    void **real;
};
extern const struct guest_hook guest_file_hooks[];   /* file/ */
extern const struct guest_hook guest_device_hooks[]; /* device/ */
extern const struct guest_hook guest_machine_hooks[];
extern const struct guest_hook guest_process_hooks[];  /* process/ */
extern const struct guest_hook guest_registry_hooks[]; /* registry/ */
extern const struct guest_hook guest_object_hooks[];   /* object/, pipe/ */
extern const struct guest_hook guest_process_list_hooks[];
extern const struct guest_hook guest_settings_hooks[];      /* settings/: calls of win32u */
extern const struct guest_hook guest_window_hooks[];        /* window/: calls of win32u */
extern const struct guest_hook guest_window_server_hooks[]; /* window/: others */

/* A hooked call that need not be entered as long as no file of the base has been copied while it
 * was open in the VM (stale_opens), unless its fifth argument is a class of information whose bit,
 * modulo 32, is set in classes. */
struct guest_filter {
    const char *name;
    uint32_t classes;
};
extern const struct guest_filter guest_file_filters[]; /* file/ */

/* True for the two handles that the guest keeps open in every process, for its children;
 * the hook of NtClose refuses them (STATUS_INVALID_HANDLE) so that no program closes them. */
bool guest_is_own_handle(HANDLE handle);
/* Makes the guest's unwind data known to ntdll, once the process has a heap. To be called at
 * the start of hooks that may run program code (cheap: one comparison afterwards). */
void guest_late_init(void);
/* unix/entry.S: true in a hook that was called by a module's Unix part. Nothing of the program's
 * code may run then. */
bool guest_in_unix(void);
/* unix/redirect.c: NtQueryVirtualMemory (with this class) has loaded the Unix part of a module, and
 * gives the address of its functions to it. */
#define GUEST_MEMORY_UNIX_FUNCS 1000
void guest_unix_loaded(uint64_t functions);
/* A function of the machine's libraries (of libX11: the name begins with X) that Unix parts of
 * modules call, and what they get instead. Both have the machine's calling convention
 * (sysv_abi); original, where it is not NULL, receives the library's own. A table ends with a NULL
 * name; unix/redirect.c lists the tables. */
struct guest_replacement {
    const char *name;
    void *function;
    void **original;
};
extern const struct guest_replacement guest_settings_replacements[]; /* settings/ */
extern const struct guest_replacement guest_title_replacements[];    /* window/title.c */

/* --- events (boot/event.c) ------------------------------------------------------------
 * Appends one line to the VM's event log: kind ("refused", "fault", ...), the call that
 * was refused, the name it was about, and why. Never fails the caller. */
void guest_event(const char *kind, const char *call, struct fvm_wstr name, const char *why);

/* --- other namespaces ------------------------------------------------------------------ */
/* file/init.c: called once in each process when the shared block is mapped, before hooks. */
void guest_file_init(void);
/* file/resolve.c: real NT name (a full NT path such as \??\C:\x or \??\unix\x) that stands
 * behind a view name of the program, for calls that pass names on to unhooked code. Writes
 * to dst (capacity in code units); returns the length, or 0 when the name is unchanged.
 * STATUS in *status is an error that the caller returns (e.g. the file is deleted). */
uint32_t guest_file_real_name(struct fvm_wstr view, fvm_wchar *dst, uint32_t cap, NTSTATUS *status);
/* object/space.c: in the monitor, before anything runs: makes the VM's tree of objects, whose
 * handles stay open as long as the monitor runs. */
NTSTATUS guest_object_begin(void);
/* The job of all processes of the VM; valid in the monitor alone. */
extern HANDLE guest_members;
/* object/name.c: what the VM calls an object, pipe or mailslot that the host calls real: its
 * length, or 0 when it is none of the VM's. */
uint32_t guest_object_view_name(struct fvm_wstr real, fvm_wchar *dst, uint32_t cap);
/* object/hooks.c: NtCreateSection, which real does, with the name translated. */
typedef NTSTATUS(NTAPI *guest_create_section_fn)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *,
                                                 LARGE_INTEGER *, ULONG, ULONG, HANDLE);
NTSTATUS guest_create_section(guest_create_section_fn real, HANDLE *handle, ACCESS_MASK access,
                              const OBJECT_ATTRIBUTES *attr, LARGE_INTEGER *size, ULONG protection,
                              ULONG flags, HANDLE file);
/* pipe/open.c: NtCreateFile, which real does, of what is no file on a drive: pipes and
 * mailslots are the VM's own, devices the host's. */
typedef NTSTATUS(NTAPI *guest_create_file_fn)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *,
                                              IO_STATUS_BLOCK *, LARGE_INTEGER *, ULONG, ULONG,
                                              ULONG, ULONG, void *, ULONG);
NTSTATUS guest_create_device(guest_create_file_fn real, HANDLE *handle, ACCESS_MASK access,
                             OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                             LARGE_INTEGER *allocation, ULONG attributes, ULONG sharing,
                             ULONG disposition, ULONG options, void *ea, ULONG ea_length);
/* pipe/wait.c: the request to wait for an instance of a pipe (WaitNamedPipe), which names it. */
#define GUEST_FSCTL_PIPE_WAIT 0x110018U
typedef NTSTATUS(NTAPI *guest_control_fn)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, ULONG,
                                          void *, ULONG, void *, ULONG);
NTSTATUS guest_pipe_wait(guest_control_fn real, HANDLE file, HANDLE event, void *apc, void *context,
                         IO_STATUS_BLOCK *io, const void *in, ULONG in_size, void *out,
                         ULONG out_size);
/* pipe/wait.c: NtQueryInformationFile, which real does, has written the name of a file to info
 * + at (struct of length and text), for a buffer of length bytes. When it is that of one of the
 * VM's pipes, asks again and puts the VM's name there. info has room for GUEST_SCRATCH_SIZE. */
typedef NTSTATUS(NTAPI *guest_query_file_fn)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
bool guest_pipe_file_name(guest_query_file_fn real, HANDLE handle, IO_STATUS_BLOCK *io,
                          uint8_t *info, ULONG length, ULONG class, ULONG at, NTSTATUS *status);
/* window/session.c: at the start of each process, and before its end: that of the program that
 * ends the VM's session ends the VM. */
void guest_window_boot(void);
/* window/desktop.c: win32u's Unix part is about to start an explorer for the calling thread's
 * desktop. True: it need not (or must not) be, and the call's status; false: it is to be started
 * as a child of this process. */
bool guest_window_desktop(NTSTATUS *status);
void guest_window_ending(NTSTATUS exit);
extern const struct guest_hook guest_session_hooks[];
/* window/atom.c: calls of ntdll, and of win32u */
extern const struct guest_hook guest_atom_hooks[], guest_atom_name_hooks[];
extern const struct guest_hook guest_property_hooks[];
extern const struct guest_hook guest_hook_hooks[]; /* window/hook.c: calls of win32u */
/* process/list.c: the host's calls, for all processes and threads whatever they belong to. */
NTSTATUS guest_open_process(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                            CLIENT_ID *id);
NTSTATUS guest_open_thread(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                           CLIENT_ID *id);
/* process/list.c: is this the id of a process of the VM? */
bool guest_is_member(uint32_t pid);
/* process/list.c: the id of the process of a thread, by a handle that may ask; 0: not known. */
uint32_t guest_process_of_thread(HANDLE thread);
/* process/list.c: may the program share the console of the process whose id is the input of
 * this request (AttachConsole)? */
#define GUEST_CONDRV_BIND_PID 0x5000ccU
bool guest_may_attach(const void *in, ULONG in_size);
/* process/serve.c: sees to it that the service runs for the VM: at once when it is up, else after
 * the monitor has started it. False when it could not be started, or when this process is itself
 * the one that is asked for. May wait: not to be called with a lock held. */
bool guest_serve(enum guest_service which);
/* The same for a caller that has seen that it does not answer, whatever was known before. */
bool guest_serve_anew(enum guest_service which);
/* Called in each process of the VM at the moment at which the service would be ready, were this
 * its process. */
void guest_serve_ready(enum guest_service which);
/* True in the process that is the service. */
bool guest_serves(enum guest_service which);
/* This process, or one that started it, belongs to such a service and not to a run of the VM. */
extern bool guest_is_served;
/* In the monitor: before anything runs; before its end. */
NTSTATUS guest_serve_begin(void);
void guest_serve_end(void);
/* The job of all processes of services; valid in the monitor alone. */
extern HANDLE guest_served_job;
extern const struct guest_hook guest_serve_hooks[];
/* file/resolve.c: view name of a real NT name; returns its length, or 0 when unchanged. */
uint32_t guest_file_view_name(struct fvm_wstr real, fvm_wchar *dst, uint32_t cap);

/* registry/anew.c: if the key is one of the base as far as the VM knows, and wanted says so of its
 * path, an empty key of the VM's own takes its place until the VM stops; *done tells whether. */
NTSTATUS guest_registry_anew(const OBJECT_ATTRIBUTES *attr, bool (*wanted)(struct fvm_wstr path),
                             bool *done);
/* settings/fonts.c: NtCreateKey called by a Unix part. */
NTSTATUS NTAPI guest_settings_create_key(HANDLE *key, ACCESS_MASK access,
                                         const OBJECT_ATTRIBUTES *attr, ULONG title,
                                         const UNICODE_STRING *class, ULONG options,
                                         ULONG *disposition);
/* registry/handle.c: takes (true) or frees the lock of the table of key handles, as
 * guest_memory_hold does with those of memory. */
void guest_registry_hold(bool hold);
/* registry/handle.c: called for every handle just before it is closed. */
void guest_registry_closing(HANDLE handle);
/* registry/name.c: a monitor of the VM begins, before there are hooks in it, and ends: the last
 * one takes the shadows of the VM's keys out of the host. */
void guest_registry_enter(void);
void guest_registry_leave(void);
/* registry/key.c: the full name of a key whose name the host does not know: a private one, or one
 * that was renamed. Returns its length, 0 when the host's own answer holds. dst: 32768 units. */
uint32_t guest_registry_name(HANDLE handle, fvm_wchar *dst);

#endif
