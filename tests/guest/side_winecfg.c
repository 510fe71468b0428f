/* Wine's own configuration window, worked as a user does: it opens, "Windows 10" is chosen as the
 * version, and its OK button is pressed. What it has then changed is in the registry. */
#include "test.h"

#define IDC_WINVER 1012 /* the list of versions on its first page */

static HWND found;

static BOOL CALLBACK is_list(HWND window, LPARAM data)
{
    (void)data;
    if (GetDlgCtrlID(window) != IDC_WINVER) return TRUE;
    found = window;
    return FALSE;
}

static BOOL CALLBACK of_process(HWND window, LPARAM pid)
{
    DWORD owner = 0;

    GetWindowThreadProcessId(window, &owner);
    if (owner != (DWORD)pid || !IsWindowVisible(window)) return TRUE;
    EnumChildWindows(window, is_list, 0);
    return !found;
}

static void say_version(const char *when)
{
    static const char key[] = "Software\\Microsoft\\Windows NT\\CurrentVersion";
    static const char *const names[] = {"ProductName", "CurrentVersion", "CurrentBuild"};

    for (int i = 0; i < 3; i++) {
        char text[128] = "";
        DWORD size = sizeof text;
        RegGetValueA(HKEY_LOCAL_MACHINE, key, names[i], RRF_RT_REG_SZ, NULL, text, &size);
        t_say("%s: %s = %s", when, names[i], text);
    }
}

int main(int argc, char **argv)
{
    char command[] = "C:\\windows\\system32\\winecfg.exe";
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION info;
    DWORD code = STILL_ACTIVE, end = GetTickCount() + 30000;
    HWND top;
    LRESULT item;

    t_begin(argc, argv);
    say_version("before");
    if (!CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info))
        t_die("cannot start winecfg: %lu", GetLastError());
    while (!found && GetTickCount() < end && WaitForSingleObject(info.hProcess, 50) == WAIT_TIMEOUT)
        EnumWindows(of_process, (LPARAM)info.dwProcessId);
    if (t_ok(found != NULL, "winecfg opens its window")) {
        item = SendMessageA(found, CB_FINDSTRINGEXACT, (WPARAM)-1, (LPARAM) "Windows 10");
        t_ok(item >= 0, "it offers Windows 10");
        SendMessageA(found, CB_SETCURSEL, (WPARAM)item, 0);
        SendMessageA(GetParent(found), WM_COMMAND, MAKEWPARAM(IDC_WINVER, CBN_SELCHANGE),
                     (LPARAM)found);
        top = GetAncestor(found, GA_ROOT);
        PostMessageA(GetDlgItem(top, IDOK), BM_CLICK, 0, 0);
    } else {
        TerminateProcess(info.hProcess, 99);
    }
    WaitForSingleObject(info.hProcess, 20000);
    GetExitCodeProcess(info.hProcess, &code);
    t_ok(code == 0, "it ends (%lu)", code);
    if (code == STILL_ACTIVE) TerminateProcess(info.hProcess, 99);
    say_version("after");
    return t_end();
}
