/* Hooks and WinEvents by their handles. The host lets everybody remove a hook whose number he
 * knows; here only the process does that set it, as programs do. */
#include "window.h"

static guest_lock lock;
static uint32_t *handles; /* the process's own; 0: a free place */
static uint32_t count;

static void *(NTAPI *real_set_hook)(void *, UNICODE_STRING *, DWORD, INT, void *, BOOL);
static void *(NTAPI *real_set_event)(DWORD, DWORD, void *, UNICODE_STRING *, void *, DWORD, DWORD,
                                     DWORD);
static BOOL(NTAPI *real_unhook)(void *);
static BOOL(NTAPI *real_unhook_event)(void *);

/* Puts the handle into a free place (from 0), or takes it out of its own (to 0). */
static bool exchange(uint32_t from, uint32_t to)
{
    bool found = false;

    guest_lock_acquire(&lock);
    for (uint32_t i = 0; i < count && !found; i++) {
        found = handles[i] == from;
        if (found) handles[i] = to;
    }
    guest_lock_release(&lock);
    return found;
}

static bool grow(void)
{
    uint32_t more = 64, *old, *larger, seen = count;

    larger = guest_alloc((seen + more) * sizeof(*larger));
    if (!larger) return false;
    guest_lock_acquire(&lock);
    if (count != seen) { /* another thread did it meanwhile */
        guest_lock_release(&lock);
        guest_free(larger);
        return true;
    }
    old = handles;
    if (old) memcpy(larger, old, seen * sizeof(*larger));
    handles = larger;
    count = seen + more;
    guest_lock_release(&lock);
    guest_free(old);
    return true;
}

/* Without memory to remember it by there is no hook. */
static void *keep(void *hook, BOOL(NTAPI *unhook)(void *))
{
    if (!hook) return NULL;
    while (!exchange(0, (uint32_t)(uintptr_t)hook)) {
        if (grow()) continue;
        unhook(hook);
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    return hook;
}

static void *own(void *hook)
{
    uint32_t handle = (uint32_t)(uintptr_t)hook;

    if (!handle || exchange(handle, 0)) return hook;
    return (void *)(uintptr_t)window_nobodys(handle);
}

static void *NTAPI hook_set_hook(void *instance, UNICODE_STRING *module, DWORD tid, INT id,
                                 void *proc, BOOL ansi)
{
    return keep(real_set_hook(instance, module, tid, id, proc, ansi), real_unhook);
}

static void *NTAPI hook_set_event(DWORD first, DWORD last, void *instance, UNICODE_STRING *module,
                                  void *proc, DWORD pid, DWORD tid, DWORD flags)
{
    return keep(real_set_event(first, last, instance, module, proc, pid, tid, flags),
                real_unhook_event);
}

static BOOL NTAPI hook_unhook(void *hook)
{
    return real_unhook(own(hook));
}

static BOOL NTAPI hook_unhook_event(void *hook)
{
    return real_unhook_event(own(hook));
}

const struct guest_hook guest_hook_hooks[] = {
    {"NtUserSetWindowsHookEx", hook_set_hook, (void **)&real_set_hook},
    {"NtUserSetWinEventHook", hook_set_event, (void **)&real_set_event},
    {"NtUserUnhookWindowsHookEx", hook_unhook, (void **)&real_unhook},
    {"NtUserUnhookWinEvent", hook_unhook_event, (void **)&real_unhook_event},
    {NULL, NULL, NULL},
};
