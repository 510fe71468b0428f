/* Many threads that set and read settings, which win32u's Unix part keeps in the registry, beside
 * others that use the registry and memory themselves, while threads are stopped and go on: none may
 * wait for ever, and each reads what was written.
 *
 * usage: side_threads DIRECTORY [SECONDS] */
#include "test.h"

static volatile LONG stop, rounds, wrong;

static DWORD WINAPI set_settings(void *which)
{
    UINT action = (UINT)(uintptr_t)which, value = 0;

    for (UINT i = 1; !stop; i++) {
        SystemParametersInfoA(action + 1, 1 + i % 20, NULL, i % 3 ? SPIF_UPDATEINIFILE : 0);
        SystemParametersInfoA(action, 0, &value, 0);
        if (value < 1 || value > 20) InterlockedIncrement(&wrong);
        InterlockedIncrement(&rounds);
    }
    return 0;
}

static DWORD WINAPI set_colors(void *unused)
{
    (void)unused;
    for (int i = 0; !stop; i++) {
        INT index = COLOR_BTNFACE;
        COLORREF color = RGB(i, i, i);
        SetSysColors(1, &index, &color);
        if (GetSysColor(index) != color) InterlockedIncrement(&wrong);
        InterlockedIncrement(&rounds);
    }
    return 0;
}

static DWORD WINAPI use_registry(void *unused)
{
    char name[64];
    HKEY key;

    (void)unused;
    sprintf(name, "Software\\FvmThreads %lu", GetCurrentProcessId());
    for (DWORD i = 0; !stop; i++) {
        DWORD value = 0, size = sizeof value;
        void *memory = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
        if (RegCreateKeyA(HKEY_CURRENT_USER, name, &key)) {
            InterlockedIncrement(&wrong);
        } else {
            RegSetValueExA(key, "value", 0, REG_DWORD, (const BYTE *)&i, sizeof i);
            if (RegQueryValueExA(key, "value", NULL, NULL, (BYTE *)&value, &size) || value != i)
                InterlockedIncrement(&wrong);
            RegCloseKey(key);
        }
        VirtualFree(memory, 0, MEM_RELEASE);
        InterlockedIncrement(&rounds);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const UINT actions[] = {SPI_GETWHEELSCROLLLINES, SPI_GETMENUSHOWDELAY,
                                   SPI_GETMOUSEHOVERTIME, SPI_GETWHEELSCROLLCHARS};
    HANDLE threads[6];
    DWORD count = 0, seconds, end, stopped = 0;

    t_begin(argc, argv);
    seconds = t_option(0) ? (DWORD)atoi(t_option(0)) : 3;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        threads[count++] =
            CreateThread(NULL, 0, set_settings, (void *)(uintptr_t)actions[i], 0, NULL);
    threads[count++] = CreateThread(NULL, 0, set_colors, NULL, 0, NULL);
    threads[count++] = CreateThread(NULL, 0, use_registry, NULL, 0, NULL);
    for (end = GetTickCount() + seconds * 1000; GetTickCount() < end; stopped++) {
        HANDLE thread = threads[stopped % count];
        UINT value;

        /* it may stand in win32u with that one's lock: until it goes on, the registry alone is
         * used */
        SuspendThread(thread);
        HKEY key;
        if (!RegOpenKeyA(HKEY_CURRENT_USER, "Control Panel\\Desktop", &key)) RegCloseKey(key);
        ResumeThread(thread);
        SystemParametersInfoA(SPI_GETWHEELSCROLLLINES, 0, &value, 0);
    }
    stop = 1;
    t_ok(WaitForMultipleObjects(count, threads, TRUE, 20000) != WAIT_TIMEOUT, "all threads end");
    t_ok(rounds > 100, "they did something");
    t_ok(!wrong, "each reads what was written");
    printf("# %ld rounds, %lu stops, %ld wrong\n", rounds, stopped, wrong);
    return t_end();
}
