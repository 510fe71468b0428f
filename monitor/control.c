/* Ctrl-C and Ctrl-Break: the program's business, not the monitor's, which stays to see how the
 * program ends. Nobody waits for the monitor to pass them on: a console's host tells every
 * process that is attached to it; without a console the machine's SIGINT, which Wine makes a
 * Ctrl-C, comes to each process from the terminal or from fvm. */
#include "monitor.h"

static volatile bool program_runs;

/* A handler, not the "ignore" flag: that would be inherited by the program. */
static BOOL WINAPI on_control(DWORD event)
{
    return __atomic_load_n(&program_runs, __ATOMIC_ACQUIRE) &&
           (event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT);
}

void control_install(void)
{
    SetConsoleCtrlHandler(on_control, TRUE);
}

void control_leave_to_program(void)
{
    __atomic_store_n(&program_runs, true, __ATOMIC_RELEASE);
}
