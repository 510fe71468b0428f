/* Whose window, thread or process is it? The host's numbers for them are the same for all, and
 * can be guessed. Those from outside of the VM are exchanged for numbers that nobody has, so the
 * host itself says what it says of a window that is gone. */
#include "window.h"

/* Handles of windows of the VM, by their lower half. A handle counts its entry's reuses in the
 * upper half, so one that was once the VM's is not soon another's. */
#define KNOWN 1024
static volatile uint32_t known[KNOWN];

/* Lower halves of handles; what lies outside has a meaning of its own (HWND_BROADCAST, ...). */
#define FIRST_HANDLE 0x0020
#define LAST_HANDLE  0xffef

static volatile uint32_t *slot(uint32_t hwnd)
{
    return &known[(hwnd & 0xffff) >> 1 & (KNOWN - 1)];
}

/* The same entry after another number of reuses: no window's. Never one of the two numbers that
 * stand for any. */
uint64_t window_nobodys(uint64_t hwnd)
{
    uint32_t full = (uint32_t)hwnd, count = full >> 16 ^ 0x4000;

    if (count == 0 || count == 0xffff) count ^= 0x2000;
    return count << 16 | (full & 0xffff);
}

/* A window without a process is the desktop's own: the calling thread's or a stranger's. */
static bool is_own_desktop(uint32_t full)
{
    uint32_t top, messages;

    return window_ask_desktop(false, &top, &messages) && (full == top || full == messages);
}

uint64_t window_confine(uint64_t hwnd)
{
    uint32_t low = (uint32_t)hwnd & 0xffff, full, pid, tid;

    if (low < FIRST_HANDLE || low > LAST_HANDLE) return hwnd;
    if (*slot((uint32_t)hwnd) == (uint32_t)hwnd) return hwnd;
    if (!window_ask_owner((uint32_t)hwnd, &full, &pid, &tid)) return hwnd;
    if (pid ? !guest_is_member(pid) : !is_own_desktop(full)) return window_nobodys(full);
    *slot(full) = full;
    return hwnd;
}

/* The process of a thread; 0: there is no such thread. */
static uint32_t thread_process(uint32_t tid)
{
    CLIENT_ID id = {.UniqueThread = (HANDLE)(uintptr_t)tid};
    OBJECT_ATTRIBUTES attr;
    HANDLE thread;
    uint32_t pid;

    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    if (guest_open_thread(&thread, THREAD_QUERY_LIMITED_INFORMATION, &attr, &id) < 0) return 0;
    pid = guest_process_of_thread(thread);
    window_real.close(thread);
    return pid;
}

uint32_t window_confine_thread(uint32_t tid)
{
    uint32_t pid;

    /* 0 and -1 mean the calling thread, all threads, ... */
    if (!tid || tid == 0xffffffff || tid == nt_thread_id()) return tid;
    pid = thread_process(tid);
    /* the id of a process is no thread's */
    return pid && !guest_is_member(pid) ? nt_process_id() : tid;
}

uint32_t window_confine_process(uint32_t pid)
{
    return !pid || guest_is_member(pid) ? pid : nt_thread_id();
}
