/* Ctrl-C and Ctrl-Break.
 *
 * With a console, its host tells every process attached to it, the program as well as the
 * monitor. Without one (standard input is no terminal) the machine's SIGINT, which Wine makes
 * a Ctrl-C, reaches the monitor alone, and the monitor hands it on in the way in which a
 * console does it: by a thread in kernelbase's CtrlRoutine. */
#include "monitor.h"

static HANDLE target;

static bool has_console(void)
{
    /* small negative numbers stand for "none", "not yet" and "the shell's" */
    return (intptr_t)nt_peb()->parameters->console > 0;
}

static void forward(HANDLE process, DWORD event)
{
    uint8_t theirs[16];
    SIZE_T got;
    const uint8_t *routine =
        (const uint8_t *)GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    HANDLE thread;

    bool same = routine && ReadProcessMemory(process, routine, theirs, sizeof(theirs), &got);

    for (size_t i = 0; same && i < sizeof(theirs); i++)
        same = theirs[i] == routine[i];
    if (!same) {
        /* kernelbase is not loaded yet, so the program can have no handler and ends as it would
         * (or something drove kernelbase from its own address: Ctrl-C must still end it) */
        TerminateProcess(process, 0xc000013a /* STATUS_CONTROL_C_EXIT */);
        return;
    }
    thread = CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)(uintptr_t)routine,
                                (void *)(uintptr_t)event, 0, NULL);
    if (thread) CloseHandle(thread);
}

/* A handler, not the "ignore" flag: that would be inherited by the program. */
static BOOL WINAPI on_control(DWORD event)
{
    HANDLE process = __atomic_load_n(&target, __ATOMIC_ACQUIRE);

    if (!process || (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)) return FALSE;
    if (!has_console()) forward(process, event);
    return TRUE;
}

void control_install(void)
{
    SetConsoleCtrlHandler(on_control, TRUE);
}

void control_forward_to(HANDLE process)
{
    __atomic_store_n(&target, process, __ATOMIC_RELEASE);
}
