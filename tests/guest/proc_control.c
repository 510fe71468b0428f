/* Counts the Ctrl-C that reach it until one second after the first; the exit code is their
 * number. The script that runs it sends them. */
#include <stdio.h>
#include <windows.h>

static volatile LONG count;
static HANDLE first;

static BOOL WINAPI on_control(DWORD event)
{
    if (event != CTRL_C_EVENT) return FALSE;
    InterlockedIncrement(&count);
    SetEvent(first);
    return TRUE;
}

int main(void)
{
    first = CreateEventA(NULL, TRUE, FALSE, NULL);
    SetConsoleCtrlHandler(on_control, TRUE);
    printf("ready\n");
    fflush(stdout);
    if (WaitForSingleObject(first, 20000) == WAIT_OBJECT_0) Sleep(1000);
    printf("%ld\n", count);
    return (int)count;
}
