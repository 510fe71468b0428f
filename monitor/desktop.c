/* The VM's desktop.
 *
 * Its explorer.exe is started when the first program needs a window (serve.c). The host's desktops
 * end one second after the last program has left them, and with them the clipboard; an explorer
 * that is about to end and a program that comes just then would miss each other. So the monitors
 * stand on the desktop as well, by loading user32: the guest, which is in them too, puts them on
 * the VM's window station as it does with every process. The desktop lasts until the last of them
 * has ended. Without windows in the VM nothing of this happens: user32 takes longer to load than
 * all the rest of the monitor. */
#include "desktop.h"

wchar_t desktop_name[] = L"WinSta0\\Default";

void desktop_hold(void)
{
    static bool held;

    if (held) return;
    held = LoadLibraryExW(L"user32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32) != NULL;
    if (!held) report("cannot load user32.dll: %s", error_text(GetLastError()));
}
