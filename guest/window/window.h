/* Windows, the stations and desktops they stand on, messages, clipboard.
 *
 * The host's server separates window stations by itself: every process of the VM is put on one
 * of the VM's own, which lies in the VM's tree of objects (fvm/ipc.h: "Stations"), before its
 * first call of win32u is made. What the server does not separate are numbers: handles of windows
 * and ids of threads. They are looked at in every call that takes one (calls.c, owner.c). */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H

#include "guest.h"
#include "guest_nt.h"
#include "fvm/ipc.h"

/* The host's calls: trampolines. */
struct window_real {
    HANDLE(NTAPI *create_station)
    (OBJECT_ATTRIBUTES *, ACCESS_MASK, ULONG, ULONG, ULONG, ULONG, ULONG);
    HANDLE(NTAPI *open_station)(OBJECT_ATTRIBUTES *, ACCESS_MASK);
    NTSTATUS(NTAPI *initialize)(const void *, const void *, const void *, void *);
    NTSTATUS(CDECL *server_call)(void *);
    NTSTATUS(NTAPI *open_directory)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *query_directory)(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
    NTSTATUS(NTAPI *close)(HANDLE);
};
extern struct window_real window_real;

/* --- station.c --------------------------------------------------------------------------- */
/* Puts the process on the VM's window station, on the desktop that its parent named. initialize:
 * for NtUserInitializeClientPfnArrays, which looks for a default desktop's name by itself. */
void window_connect(bool initialize);
/* Names of the process's station and of the calling thread's desktop are those of the desktop
 * that the monitors look after. */
bool window_on_default(void);
HANDLE NTAPI window_hook_create_station(OBJECT_ATTRIBUTES *, ACCESS_MASK, ULONG, ULONG, ULONG,
                                        ULONG, ULONG);
HANDLE NTAPI window_hook_open_station(OBJECT_ATTRIBUTES *, ACCESS_MASK);
NTSTATUS NTAPI window_hook_initialize(const void *, const void *, const void *, void *);
/* The name of the VM's window station of this index in its list; false: there are no more. */
bool window_station_name(uint32_t index, fvm_wchar *text, uint32_t cap, uint32_t *len);

/* --- desktop.c ---------------------------------------------------------------------------- */
/* The thread is about to wait for messages: the VM's explorer is ready when it does so with its
 * desktop's window. */
void window_tell_ready(void);

/* --- server.c: requests to the host's server that do not go through win32u ----------------- */
/* Has the process a station, the calling thread a desktop? */
bool window_process_station(void);
bool window_thread_desktop(void);
/* Makes or opens the station of this absolute name (empty: one without a name) and puts the
 * process on it; the same for a desktop on the process's station, and the thread. */
void window_enter_station(const fvm_wchar *name, uint32_t len, bool visible);
void window_enter_desktop(const fvm_wchar *name, uint32_t len);
/* "station\desktop" of the calling thread; returns its length. */
uint32_t window_desktop_name(fvm_wchar *text, uint32_t cap);
/* The window of the calling thread's desktop, and the parent of message windows; 0 when there is
 * none yet. force: one is made in any case. */
bool window_ask_desktop(bool force, uint32_t *top, uint32_t *messages);
/* The whole handle of a window of which the lower half may be given, and the process that it
 * belongs to (0: none). False when there is no such window. */
bool window_ask_owner(uint32_t hwnd, uint32_t *full, uint32_t *pid, uint32_t *tid);
NTSTATUS CDECL window_hook_server_call(void *request);

/* --- owner.c ------------------------------------------------------------------------------- */
/* The handle, or one that belongs to no window when it is that of a window outside of the VM. */
uint64_t window_confine(uint64_t hwnd);
/* A handle of no window, made from one. */
uint64_t window_nobodys(uint64_t hwnd);
/* The id, or one that no thread (process) has when it is that of one outside of the VM. */
uint32_t window_confine_thread(uint32_t tid);
uint32_t window_confine_process(uint32_t pid);

/* What win32u keeps in the thread's block: the handle of its desktop window, 0 until the first
 * call that needs it (struct ntuser_thread_info at Win32ClientInfo). */
#define WINDOW_TOP_OFFSET 0x828

extern volatile uint8_t guest_window_connected;

static inline uint32_t window_thread_top(void)
{
    uint32_t top;
    __asm__ volatile("movl %%gs:%c1, %0" : "=r"(top) : "i"(WINDOW_TOP_OFFSET));
    return top;
}

/* atom.c: the VM's global atom of this name; false when there is none. */
bool window_atom_of(const fvm_wchar *name, uint32_t len, uint16_t *atom);

#endif
