/* Do two programs with windows meet? One program with two roles, for each way in which programs
 * reach one another by windows, and by what belongs to a desktop.
 *
 *   win_meet server      makes a window and the rest, prints "ready HANDLE PID TID ATOM HOOK"; for
 * each line of input prints "got ..." with what has come since; ends with it win_meet client HANDLE
 * PID TID ATOM HOOK tries to reach it, one line per way: name, then "met" or the error win_meet
 * list        the names of all ways win_meet copy TEXT   puts text on the clipboard win_meet paste
 * prints the text that is there win_meet single      a program that runs once: shows its window and
 * ends with its input; ends with exit code 3 when the window of another one is there win_meet
 * refuse      a program that lets no session end win_meet find CLASS  ends with 0 when there is
 * such a window win_meet title CLASS prints that window's title win_meet explorers [window] how
 * many explorers there are, after making a window if that is said win_meet end HOW [stay] ends the
 * session; says so if it is still there after that
 *
 * The errors of a client to whom nobody answers are compared with those of a client that runs
 * while there is no server (tests/run-win-tests.sh). */
#include "test.h"

#include <dde.h>
#include <tlhelp32.h>
#include <ddeml.h>

#define CLASS_NAME "fvm-meet-class"
#define TITLE      "fvm-meet-window"
#define ANSWER     0x1234
#define KEY        VK_F13

static HWND server;
static DWORD server_pid, server_tid;
static ATOM server_atom;
static HHOOK server_hook;
static UINT broadcast;

/* --- the server ------------------------------------------------------------------------------ */
static volatile LONG got_broadcast, got_key, got_event, got_thread_message;
static DWORD gui_thread;

static LRESULT CALLBACK window_proc(HWND hwnd, UINT message, WPARAM w, LPARAM l)
{
    if (message == WM_APP + 1) return ANSWER;
    if (message == broadcast) InterlockedIncrement(&got_broadcast);
    return DefWindowProcA(hwnd, message, w, l);
}

static HWND make_window(const char *class, const char *title)
{
    WNDCLASSA wc = {.lpfnWndProc = window_proc,
                    .hInstance = GetModuleHandleA(NULL),
                    .hbrBackground = (HBRUSH)(COLOR_WINDOW + 1),
                    .lpszClassName = class};

    RegisterClassA(&wc);
    return CreateWindowA(class, title, WS_OVERLAPPEDWINDOW | WS_VISIBLE, 20, 20, 240, 120, NULL,
                         NULL, wc.hInstance, NULL);
}

static LRESULT CALLBACK key_hook(int code, WPARAM w, LPARAM l)
{
    const KBDLLHOOKSTRUCT *key = (const void *)l;

    if (code >= 0 && key->vkCode == KEY) InterlockedIncrement(&got_key);
    return CallNextHookEx(NULL, code, w, l);
}

static void CALLBACK event_hook(HWINEVENTHOOK hook, DWORD event, HWND hwnd, LONG object, LONG child,
                                DWORD thread, DWORD time)
{
    (void)hook, (void)event, (void)hwnd, (void)object, (void)child, (void)thread, (void)time;
    InterlockedIncrement(&got_event);
}

static HDDEDATA CALLBACK dde(UINT type, UINT format, HCONV conv, HSZ a, HSZ b, HDDEDATA data,
                             ULONG_PTR c, ULONG_PTR d)
{
    (void)format, (void)conv, (void)a, (void)b, (void)data, (void)c, (void)d;
    return (HDDEDATA)(ULONG_PTR)(type == XTYP_CONNECT);
}

static bool copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    HGLOBAL memory = GlobalAlloc(GMEM_MOVEABLE, size);

    if (!memory || !OpenClipboard(NULL)) return false;
    memcpy(GlobalLock(memory), text, size);
    GlobalUnlock(memory);
    EmptyClipboard();
    bool set = SetClipboardData(CF_TEXT, memory) != NULL;
    CloseClipboard();
    return set;
}

static bool paste_text(char *text, size_t cap)
{
    HANDLE data = NULL;

    text[0] = 0;
    if (!OpenClipboard(NULL)) return false;
    data = GetClipboardData(CF_TEXT);
    if (data) {
        snprintf(text, cap, "%s", (const char *)GlobalLock(data));
        GlobalUnlock(data);
    }
    CloseClipboard();
    return data != NULL;
}

/* The desktop's clipboard manager begins with what the X server has, which empties the clipboard.
 */
static void wait_clipboard_manager(void)
{
    DWORD_PTR answer;
    HWND manager = NULL;

    for (int i = 0; i < 500 && !manager; i++) {
        manager = FindWindowExA(HWND_MESSAGE, NULL, "__wine_clipboard_manager", NULL);
        if (!manager) Sleep(10);
    }
    SendMessageTimeoutA(manager, WM_NULL, 0, 0, 0, 5000, &answer);
}

static DWORD WINAPI read_input(void *unused)
{
    char line[64];

    (void)unused;
    while (fgets(line, sizeof line, stdin)) {
        DWORD_PTR answer;
        /* what has been sent before is seen before this */
        SendMessageTimeoutA(server, WM_APP + 1, 0, 0, 0, 5000, &answer);
        PostThreadMessageA(gui_thread, WM_APP + 2, 0, 0);
    }
    PostThreadMessageA(gui_thread, WM_QUIT, 0, 0);
    return 0;
}

static int serve(void)
{
    DWORD dde_id = 0;
    MSG msg;

    gui_thread = GetCurrentThreadId();
    server = make_window(CLASS_NAME, TITLE);
    if (!server) printf("failed window %lu\n", GetLastError());
    SetPropA(server, "fvm-meet-prop", (HANDLE)1);
    SetForegroundWindow(server);
    server_atom = GlobalAddAtomA("fvm-meet-atom");
    wait_clipboard_manager();
    if (!copy_text("fvm-meet-text")) printf("failed clipboard %lu\n", GetLastError());
    if (!RegisterHotKey(server, 1, MOD_CONTROL | MOD_ALT, VK_F9))
        printf("failed hotkey %lu\n", GetLastError());
    server_hook = SetWindowsHookExA(WH_KEYBOARD_LL, key_hook, GetModuleHandleA(NULL), 0);
    if (!server_hook) printf("failed hook %lu\n", GetLastError());
    if (!SetWinEventHook(EVENT_OBJECT_CREATE, EVENT_OBJECT_NAMECHANGE, NULL, event_hook, 0, 0,
                         WINEVENT_OUTOFCONTEXT | WINEVENT_SKIPOWNPROCESS))
        printf("failed winevent %lu\n", GetLastError());
    if (DdeInitializeA(&dde_id, dde, APPCLASS_STANDARD, 0) ||
        !DdeNameService(dde_id, DdeCreateStringHandleA(dde_id, "fvmmeet", CP_WINANSI), NULL,
                        DNS_REGISTER))
        printf("failed dde\n");
    printf("ready %lu %lu %lu %u %lu\n", (DWORD)(ULONG_PTR)server, GetCurrentProcessId(),
           gui_thread, server_atom, (DWORD)(ULONG_PTR)server_hook);
    fflush(stdout);
    CloseHandle(CreateThread(NULL, 0, read_input, NULL, 0, NULL));
    while (GetMessageA(&msg, NULL, 0, 0) > 0) {
        if (!msg.hwnd && msg.message == WM_APP + 3) got_thread_message = 1;
        if (!msg.hwnd && msg.message == WM_APP + 2) {
            printf("got%s%s%s%s\n", InterlockedExchange(&got_broadcast, 0) ? " broadcast" : "",
                   InterlockedExchange(&got_key, 0) ? " key" : "",
                   InterlockedExchange(&got_event, 0) ? " event" : "",
                   InterlockedExchange(&got_thread_message, 0) ? " thread-message" : "");
            fflush(stdout);
        }
        DispatchMessageA(&msg);
    }
    DdeUninitialize(dde_id);
    if (OpenClipboard(NULL)) EmptyClipboard();
    CloseClipboard();
    GlobalDeleteAtom(server_atom);
    return 0;
}

/* --- the client: 0 met, else an error ----------------------------------------------------------
 */
#define NOT_THERE ERROR_INVALID_WINDOW_HANDLE

static DWORD error_of(bool ok)
{
    DWORD error = GetLastError();

    return ok ? 0 : error ? error : ERROR_GEN_FAILURE;
}

static DWORD by_find(void)
{
    return FindWindowA(CLASS_NAME, NULL) ? 0 : NOT_THERE;
}

static BOOL CALLBACK look(HWND hwnd, LPARAM found)
{
    char title[64] = "";

    GetWindowTextA(hwnd, title, sizeof title);
    if (strcmp(title, TITLE)) return TRUE;
    *(bool *)found = true;
    return FALSE;
}

static DWORD by_enum(void)
{
    bool found = false;

    EnumWindows(look, (LPARAM)&found);
    return found ? 0 : NOT_THERE;
}

static DWORD by_walk(void)
{
    bool found = false;

    for (HWND w = GetTopWindow(NULL); w && !found; w = GetWindow(w, GW_HWNDNEXT))
        look(w, (LPARAM)&found);
    return found ? 0 : NOT_THERE;
}

static DWORD by_point(void)
{
    char title[64] = "";
    POINT p = {140, 100};

    GetWindowTextA(GetAncestor(WindowFromPoint(p), GA_ROOT), title, sizeof title);
    return strcmp(title, TITLE) ? NOT_THERE : 0;
}

static DWORD by_is_window(void)
{
    return error_of(IsWindow(server));
}

static DWORD by_send(void)
{
    DWORD_PTR answer = 0;

    if (!SendMessageTimeoutA(server, WM_APP + 1, 0, 0, 0, 5000, &answer)) return error_of(false);
    return answer == ANSWER ? 0 : ERROR_GEN_FAILURE;
}

static DWORD by_notify(void)
{
    return error_of(SendNotifyMessageA(server, WM_APP + 4, 0, 0));
}

static DWORD by_post(void)
{
    return error_of(PostMessageA(server, WM_APP + 4, 0, 0));
}

static DWORD by_text(void)
{
    char title[64] = "";

    GetWindowTextA(server, title, sizeof title);
    return strcmp(title, TITLE) ? NOT_THERE : 0;
}

static DWORD by_class(void)
{
    char name[64];

    return error_of(GetClassNameA(server, name, sizeof name));
}

static DWORD by_thread_of(void)
{
    DWORD pid = 0;

    return error_of(GetWindowThreadProcessId(server, &pid) && pid);
}

static DWORD by_rectangle(void)
{
    RECT r;

    return error_of(GetWindowRect(server, &r));
}

static DWORD by_map_points(void)
{
    POINT p = {0, 0};

    SetLastError(0);
    return MapWindowPoints(NULL, server, &p, 1) || !GetLastError() ? 0 : GetLastError();
}

static DWORD by_move(void)
{
    return error_of(SetWindowPos(server, NULL, 0, 0, 0, 0, SWP_NOMOVE | SWP_NOSIZE | SWP_NOZORDER));
}

static DWORD by_long(void)
{
    SetLastError(0);
    return error_of(GetWindowLongPtrA(server, GWL_STYLE));
}

static DWORD by_owner(void)
{
    HWND own = CreateWindowA("STATIC", "", WS_POPUP, 0, 0, 1, 1, NULL, NULL, NULL, NULL);
    DWORD error;

    SetLastError(0);
    SetWindowLongPtrA(own, GWLP_HWNDPARENT, (LONG_PTR)server);
    error = GetLastError();
    if (!error && GetWindow(own, GW_OWNER) != server) error = NOT_THERE;
    DestroyWindow(own);
    return error;
}

static DWORD by_parent(void)
{
    HWND own;
    DWORD error;

    own = CreateWindowA("STATIC", "", WS_CHILD, 0, 0, 1, 1, server, NULL, NULL, NULL);
    error = error_of(own != NULL);
    if (own) DestroyWindow(own);
    return error;
}

static DWORD by_property(void)
{
    return GetPropA(server, "fvm-meet-prop") ? 0 : NOT_THERE;
}

static BOOL CALLBACK count_property(HWND hwnd, LPSTR name, HANDLE data, ULONG_PTR count)
{
    (void)hwnd, (void)name, (void)data;
    ++*(int *)count;
    return TRUE;
}

static DWORD by_properties(void)
{
    int count = 0;

    EnumPropsExA(server, count_property, (LPARAM)&count);
    return count ? 0 : NOT_THERE;
}

static DWORD by_hung(void)
{
    /* no answer tells anything; the call must not end the client */
    IsHungAppWindow(server);
    return GetWindowTextLengthA(server) ? 0 : NOT_THERE;
}

static DWORD by_foreground_of(void)
{
    return error_of(SetForegroundWindow(server));
}

static DWORD by_foreground(void)
{
    DWORD pid = 0;

    GetWindowThreadProcessId(GetForegroundWindow(), &pid);
    return pid == server_pid ? 0 : NOT_THERE;
}

static DWORD by_truncated(void)
{
    /* 16-bit programs' form of a handle */
    HWND half = (HWND)((ULONG_PTR)server & 0xffff);

    return error_of(IsWindow(half));
}

static DWORD by_dc(void)
{
    HDC dc = GetWindowDC(server);
    DWORD error = error_of(dc != NULL);

    if (dc) ReleaseDC(server, dc);
    return error;
}

static DWORD by_thread_message(void)
{
    return error_of(PostThreadMessageA(server_tid, WM_APP + 3, 0, 0));
}

static DWORD by_thread_windows(void)
{
    bool found = false;

    EnumThreadWindows(server_tid, look, (LPARAM)&found);
    return found ? 0 : NOT_THERE;
}

static DWORD by_thread_info(void)
{
    GUITHREADINFO info = {.cbSize = sizeof info};

    return error_of(GetGUIThreadInfo(server_tid, &info));
}

static DWORD by_attach(void)
{
    DWORD error = error_of(AttachThreadInput(GetCurrentThreadId(), server_tid, TRUE));

    if (!error) AttachThreadInput(GetCurrentThreadId(), server_tid, FALSE);
    return error;
}

static LRESULT CALLBACK next_hook(int code, WPARAM w, LPARAM l)
{
    return CallNextHookEx(NULL, code, w, l);
}

static DWORD by_thread_hook(void)
{
    HHOOK hook =
        SetWindowsHookExA(WH_GETMESSAGE, next_hook, GetModuleHandleA("user32"), server_tid);
    DWORD error = error_of(hook != NULL);

    if (hook) UnhookWindowsHookEx(hook);
    return error;
}

static DWORD by_hook(void)
{
    return error_of(UnhookWindowsHookEx(server_hook));
}

static DWORD by_process_event(void)
{
    HWINEVENTHOOK hook = SetWinEventHook(EVENT_MIN, EVENT_MAX, NULL, event_hook, server_pid, 0,
                                         WINEVENT_OUTOFCONTEXT);
    DWORD error = error_of(hook != NULL);

    if (hook) UnhookWinEvent(hook);
    return error;
}

static DWORD by_hotkey(void)
{
    if (!RegisterHotKey(NULL, 2, MOD_CONTROL | MOD_ALT, VK_F9))
        return GetLastError() == ERROR_HOTKEY_ALREADY_REGISTERED ? 0 : GetLastError();
    UnregisterHotKey(NULL, 2);
    return ERROR_HOTKEY_NOT_REGISTERED;
}

static DWORD by_clipboard(void)
{
    char text[64];

    return paste_text(text, sizeof text) && !strcmp(text, "fvm-meet-text") ? 0 : ERROR_NOT_FOUND;
}

static DWORD by_atom(void)
{
    return error_of(GlobalFindAtomA("fvm-meet-atom"));
}

static DWORD by_atom_name(void)
{
    char name[64] = "";

    return GlobalGetAtomNameA(server_atom, name, sizeof name) && !strcmp(name, "fvm-meet-atom")
               ? 0
               : ERROR_INVALID_HANDLE;
}

static DWORD by_dde(void)
{
    DWORD id = 0, error;
    HCONV conv;
    HSZ name;

    if (DdeInitializeA(&id, dde, APPCMD_CLIENTONLY, 0)) return ERROR_GEN_FAILURE;
    name = DdeCreateStringHandleA(id, "fvmmeet", CP_WINANSI);
    conv = DdeConnect(id, name, name, NULL);
    error = conv ? 0 : DdeGetLastError(id);
    if (conv) DdeDisconnect(conv);
    DdeUninitialize(id);
    return error;
}

/* What the server notices: the script asks it. */
static DWORD do_broadcast(void)
{
    return error_of(PostMessageA(HWND_BROADCAST, broadcast, 0, 0));
}

static DWORD do_key(void)
{
    INPUT in[2] = {{.type = INPUT_KEYBOARD, .ki.wVk = KEY},
                   {.type = INPUT_KEYBOARD, .ki = {.wVk = KEY, .dwFlags = KEYEVENTF_KEYUP}}};

    return error_of(SendInput(2, in, sizeof in[0]) == 2);
}

static DWORD do_event(void)
{
    HWND own = make_window("fvm-meet-client", "fvm-meet-client");
    DWORD error = error_of(own != NULL);

    SetWindowTextA(own, "fvm-meet-other");
    if (own) DestroyWindow(own);
    return error;
}

static const struct {
    const char *name;
    DWORD (*meet)(void);
    const char *noticed; /* by the server */
} ways[] = {
    {"FindWindow", by_find, NULL},
    {"EnumWindows", by_enum, NULL},
    {"GetWindow walk", by_walk, NULL},
    {"WindowFromPoint", by_point, NULL},
    {"foreground window", by_foreground, NULL},
    {"IsWindow by handle", by_is_window, NULL},
    {"IsWindow by half a handle", by_truncated, NULL},
    {"SendMessage by handle", by_send, NULL},
    {"SendNotifyMessage by handle", by_notify, NULL},
    {"PostMessage by handle", by_post, NULL},
    {"title by handle", by_text, NULL},
    {"class by handle", by_class, NULL},
    {"thread and process by handle", by_thread_of, NULL},
    {"rectangle by handle", by_rectangle, NULL},
    {"MapWindowPoints by handle", by_map_points, NULL},
    {"SetWindowPos by handle", by_move, NULL},
    {"GetWindowLong by handle", by_long, NULL},
    {"owner by handle", by_owner, NULL},
    {"parent by handle", by_parent, NULL},
    {"GetProp by handle", by_property, NULL},
    {"EnumProps by handle", by_properties, NULL},
    {"IsHungAppWindow by handle", by_hung, NULL},
    {"device context by handle", by_dc, NULL},
    {"SetForegroundWindow by handle", by_foreground_of, NULL},
    {"PostThreadMessage", by_thread_message, NULL},
    {"EnumThreadWindows", by_thread_windows, NULL},
    {"GetGUIThreadInfo", by_thread_info, NULL},
    {"AttachThreadInput", by_attach, NULL},
    {"hook of a thread", by_thread_hook, NULL},
    {"WinEvent of a process", by_process_event, NULL},
    {"RegisterHotKey", by_hotkey, NULL},
    {"clipboard text", by_clipboard, NULL},
    {"global atom by name", by_atom, NULL},
    {"global atom by number", by_atom_name, NULL},
    {"DDE", by_dde, NULL},
    {"broadcast", do_broadcast, "broadcast"},
    {"keyboard hook and SendInput", do_key, "key"},
    {"WinEvent of all", do_event, "event"},
    {"UnhookWindowsHookEx by handle", by_hook, NULL}, /* the last one: the hook is gone then */
};

static int run_client(char **argv)
{
    server = (HWND)(ULONG_PTR)strtoul(argv[0], NULL, 10);
    server_pid = strtoul(argv[1], NULL, 10);
    server_tid = strtoul(argv[2], NULL, 10);
    server_atom = (ATOM)strtoul(argv[3], NULL, 10);
    server_hook = (HHOOK)(ULONG_PTR)strtoul(argv[4], NULL, 10);
    /* ids of 0: such as nobody has, and nobody gets meanwhile */
    if (!server_pid) server_pid = GetCurrentThreadId();
    if (!server_tid) server_tid = GetCurrentProcessId();
    IsGUIThread(TRUE);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        DWORD error = ways[i].meet();

        if (ways[i].noticed)
            printf("%s\tnoticed %s%s\n", ways[i].name, ways[i].noticed, error ? " failed" : "");
        else if (!error)
            printf("%s\tmet\n", ways[i].name);
        else
            printf("%s\t%lu\n", ways[i].name, error);
        fflush(stdout);
    }
    return 0;
}

static DWORD WINAPI wait_input(void *thread)
{
    char line[64];

    while (fgets(line, sizeof line, stdin)) {
    }
    PostThreadMessageA((DWORD)(ULONG_PTR)thread, WM_QUIT, 0, 0);
    return 0;
}

static int run_single(void)
{
    MSG msg;

    if (FindWindowA("fvm-meet-single", NULL)) return 3;
    if (!make_window("fvm-meet-single", "fvm-meet-single")) return 4;
    puts("ready");
    fflush(stdout);
    CloseHandle(
        CreateThread(NULL, 0, wait_input, (void *)(ULONG_PTR)GetCurrentThreadId(), 0, NULL));
    while (GetMessageA(&msg, NULL, 0, 0) > 0)
        DispatchMessageA(&msg);
    return 0;
}

static LRESULT CALLBACK refuse_proc(HWND hwnd, UINT message, WPARAM w, LPARAM l)
{
    return message == WM_QUERYENDSESSION ? FALSE : DefWindowProcA(hwnd, message, w, l);
}

static int run_refuse(void)
{
    HWND hwnd = make_window("fvm-meet-refuse", "fvm-meet-refuse");
    MSG msg;

    SetWindowLongPtrA(hwnd, GWLP_WNDPROC, (LONG_PTR)refuse_proc);
    while (GetMessageA(&msg, NULL, 0, 0) > 0)
        DispatchMessageA(&msg);
    return 0;
}

static int count_explorers(bool window)
{
    PROCESSENTRY32 entry = {.dwSize = sizeof entry};
    HANDLE list;
    int n = 0;

    if (window && !make_window("fvm-meet-count", "fvm-meet-count")) return 1;
    list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    for (BOOL more = Process32First(list, &entry); more; more = Process32Next(list, &entry))
        n += !_stricmp(entry.szExeFile, "explorer.exe");
    CloseHandle(list);
    printf("%d explorers\n", n);
    return 0;
}

static int end_session(const char *how, bool stay)
{
    UINT flags = !strcmp(how, "logoff")     ? EWX_LOGOFF
                 : !strcmp(how, "shutdown") ? EWX_SHUTDOWN
                 : !strcmp(how, "reboot")   ? EWX_REBOOT
                                            : EWX_FORCE;
    DWORD wait = stay ? 4000 : 20000;

    if (!ExitWindowsEx(flags, 0)) {
        printf("ExitWindowsEx: error %lu\n", GetLastError());
        return 1;
    }
    WaitForSingleObject(GetCurrentProcess(), wait); /* for being ended */
    puts("still there");
    return 4;
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";
    char text[1024];

    if (!strcmp(role, "list")) {
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
            puts(ways[i].name);
        return 0;
    }
    if (!strcmp(role, "copy") && argc == 3) {
        IsGUIThread(TRUE);
        GetDesktopWindow();
        wait_clipboard_manager();
        return copy_text(argv[2]) ? 0 : 1;
    }
    if (!strcmp(role, "paste")) return paste_text(text, sizeof text) ? puts(text) < 0 : 1;
    if (!strcmp(role, "single")) return run_single();
    if (!strcmp(role, "refuse")) return run_refuse();
    if (!strcmp(role, "find") && argc == 3) return FindWindowA(argv[2], NULL) ? 0 : 1;
    if (!strcmp(role, "title") && argc == 3)
        return GetWindowTextA(FindWindowA(argv[2], NULL), text, sizeof text) ? puts(text) < 0 : 1;
    if (!strcmp(role, "explorers")) return count_explorers(argc == 3);
    if (!strcmp(role, "end") && argc >= 3) return end_session(argv[2], argc == 4);
    broadcast = RegisterWindowMessageA("fvm-meet-broadcast");
    if (!strcmp(role, "server")) return serve();
    if (!strcmp(role, "client") && argc == 7) return run_client(argv + 2);
    fprintf(stderr, "usage: see the top of tests/guest/win_meet.c\n");
    return 2;
}
