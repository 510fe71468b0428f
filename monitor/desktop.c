/* The desktop of the host.
 *
 * The first program that needs a window makes Wine start the desktop's explorer.exe, from below
 * all hooks, as its child: in the VM's job, whose sudden end (the monitor is killed) would take
 * along the desktop of programs that are not the VM's. So for a program with windows the
 * monitor, which stands in no job, asks for the desktop first. A console program that starts one
 * with windows is not foreseen; that ends well unless the monitor is killed (job_wait). */
#include "monitor.h"

static bool has_windows(const wchar_t *path)
{
    union {
        IMAGE_DOS_HEADER dos;
        IMAGE_NT_HEADERS64 nt;
    } h = {0};
    HANDLE file =
        CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, 0, NULL);
    DWORD got = 0;
    bool read;

    if (file == INVALID_HANDLE_VALUE) return false;
    read = ReadFile(file, &h, sizeof(h), &got, NULL) && got >= sizeof(h.dos) &&
           h.dos.e_magic == IMAGE_DOS_SIGNATURE &&
           SetFilePointer(file, h.dos.e_lfanew, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
           ReadFile(file, &h, sizeof(h), &got, NULL) && got == sizeof(h) &&
           h.nt.Signature == IMAGE_NT_SIGNATURE;
    CloseHandle(file);
    return read && h.nt.OptionalHeader.Subsystem == IMAGE_SUBSYSTEM_WINDOWS_GUI;
}

void desktop_start_for(const wchar_t *program)
{
    HMODULE user;
    FARPROC get_desktop;

    if (!has_windows(program)) return;
    /* loaded here and not imported: it takes longer to load than all the rest of the monitor */
    user = LoadLibraryExW(L"user32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    get_desktop = user ? GetProcAddress(user, "GetDesktopWindow") : NULL;
    if (get_desktop) ((HWND(WINAPI *)(void))(void *)get_desktop)();
}
