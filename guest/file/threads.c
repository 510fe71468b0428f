/* Stopping and ending threads and processes.
 *
 * On NT a thread that is in a system call finishes it before a suspension or its end takes
 * effect. Ours runs part of the call in user mode, under locks: who stops a thread must not
 * find it holding one that he needs next. So the locks are taken around the host's call. */
#include "file.h"

static void hold(bool on)
{
    if (on) {
        file_lock();
        file_handles_hold(true);
        file_opens_hold(true);
        guest_registry_hold(true);
        guest_memory_hold(true);
    } else {
        guest_memory_hold(false);
        guest_registry_hold(false);
        file_opens_hold(false);
        file_handles_hold(false);
        file_unlock();
    }
}

NTSTATUS NTAPI file_hook_suspend_thread(HANDLE thread, ULONG *count)
{
    if (thread == NT_CURRENT_THREAD) return file_real.suspend_thread(thread, count);
    hold(true);
    NTSTATUS status = file_real.suspend_thread(thread, count);
    hold(false);
    return status;
}

NTSTATUS NTAPI file_hook_suspend_process(HANDLE process)
{
    hold(true);
    NTSTATUS status = file_real.suspend_process(process);
    hold(false);
    return status;
}

NTSTATUS NTAPI file_hook_terminate_thread(HANDLE thread, NTSTATUS exit)
{
    if (!thread || thread == NT_CURRENT_THREAD) return file_real.terminate_thread(thread, exit);
    hold(true);
    NTSTATUS status = file_real.terminate_thread(thread, exit);
    hold(false);
    return status;
}

/* A process ends itself in two steps: first all threads but the calling one (no handle), then
 * itself. */
NTSTATUS NTAPI file_hook_terminate_process(HANDLE process, NTSTATUS exit)
{
    if (process == NT_CURRENT_PROCESS) {
        file_handles_at_exit();
        file_opens_at_exit();
        guest_window_ending(exit);
        return file_real.terminate_process(process, exit);
    }
    if (process) return file_real.terminate_process(process, exit);
    hold(true);
    NTSTATUS status = file_real.terminate_process(process, exit);
    hold(false);
    return status;
}
