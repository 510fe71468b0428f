/* Window stations and desktops: what they are called, which ones there are, where processes and
 * threads stand. Properties of windows: a string and the global atom of it are one name. Run
 * without arguments behind the directory; "child" is its own child. */
#include "test.h"

static const char *name_of(HANDLE h)
{
    WCHAR name[MAX_PATH] = L"";
    DWORD size = 0;

    if (!GetUserObjectInformationW(h, UOI_NAME, name, sizeof name, &size)) return t_win(FALSE);
    return t_text(name, -1);
}

static const char *flags_of(HANDLE h)
{
    USEROBJECTFLAGS flags = {0};
    DWORD size;

    if (!GetUserObjectInformationW(h, UOI_FLAGS, &flags, sizeof flags, &size)) return t_win(FALSE);
    return flags.dwFlags & WSF_VISIBLE ? "visible" : "invisible";
}

static void say_own(const char *label)
{
    t_say("%s: station %s (%s), desktop %s", label, name_of(GetProcessWindowStation()),
          flags_of(GetProcessWindowStation()), name_of(GetThreadDesktop(GetCurrentThreadId())));
}

/* Which of these names a list has: the host's has others besides, in an order of its own. */
static const WCHAR *const known[] = {L"WinSta0", L"Default", L"fvm-test-station", L"fvm-test-inner",
                                     L"fvm-test-desktop"};
static bool seen[sizeof known / sizeof known[0]], seen_foreign;

static BOOL CALLBACK see(WCHAR *name, LPARAM unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        seen[i] |= !_wcsicmp(name, known[i]);
    seen_foreign |= !wcsncmp(name, L"FVM-", 4);
    return TRUE;
}

static void say_seen(const char *label)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (seen[i]) t_say("%s: %s", label, t_text(known[i], -1));
        seen[i] = false;
    }
    t_ok(!seen_foreign, "no name of another kind among them");
}

static void say_stations(void)
{
    EnumWindowStationsW(see, 0);
    say_seen("stations");
}

static void say_desktops(HWINSTA station)
{
    EnumDesktopsW(station, see, 0);
    say_seen("desktops");
}

static void open_stations(void)
{
    static const WCHAR *const names[] = {L"WinSta0",
                                         L"winsta0",
                                         L"",
                                         L"fvm-test-none",
                                         L"fvm-test\\x",
                                         L"\\x",
                                         L"..\\WinSta0",
                                         L"\\Sessions\\1\\Windows\\WindowStations\\WinSta0",
                                         L"\\BaseNamedObjects\\WinSta0"};
    WCHAR longest[300];

    t_part("opening stations");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        HWINSTA s = OpenWindowStationW(names[i], FALSE, WINSTA_READATTRIBUTES);

        t_say("open \"%s\": %s", t_text(names[i], -1), s ? name_of(s) : t_win(FALSE));
        if (s) CloseWindowStation(s);
    }
    wmemset(longest, L'x', 299);
    longest[299] = 0;
    t_say("create a very long one: %s", t_win(CreateWindowStationW(longest, 0, 1, NULL) != NULL));
    t_say("create \"a\\b\": %s", t_win(CreateWindowStationW(L"fvm-test-none\\b", 0, 1, NULL) != 0));
}

static void own_station(void)
{
    HWINSTA first = GetProcessWindowStation(), s, again;
    HDESK desktop;

    t_part("a station of the program's own");
    s = CreateWindowStationW(L"fvm-test-station", 0, WINSTA_ALL_ACCESS, NULL);
    t_say("create: %s, %s", s ? name_of(s) : t_win(FALSE), flags_of(s));
    again = OpenWindowStationW(L"FVM-TEST-station", FALSE, WINSTA_ALL_ACCESS);
    t_say("open: %s", again ? name_of(again) : t_win(FALSE));
    t_say("enter: %s", t_win(SetProcessWindowStation(s)));
    desktop = CreateDesktopW(L"fvm-test-inner", NULL, NULL, 0, GENERIC_ALL, NULL);
    t_say("desktop: %s", desktop ? name_of(desktop) : t_win(FALSE));
    say_desktops(s);
    say_stations();
    t_say("back: %s", t_win(SetProcessWindowStation(first)));
    say_desktops(first);
    t_say("a desktop of the other is not on the first: %s",
          t_win(OpenDesktopW(L"fvm-test-inner", 0, FALSE, GENERIC_READ) != NULL));
    if (desktop) CloseDesktop(desktop);
    CloseWindowStation(again);
    CloseWindowStation(s);
}

static DWORD WINAPI on_desktop(void *desktop)
{
    HWND w;

    t_say("enter: %s", t_win(SetThreadDesktop(desktop)));
    say_own("thread");
    w = CreateWindowA("STATIC", "fvm-test-there", WS_POPUP, 0, 0, 10, 10, NULL, NULL, NULL, NULL);
    t_say("window: %s", t_win(w != NULL));
    t_say("found from there: %d", FindWindowA(NULL, "fvm-test-there") == w);
    t_say("found from there, of the first: %d", FindWindowA(NULL, "fvm-test-here") != NULL);
    return 0;
}

static BOOL CALLBACK count(HWND hwnd, LPARAM n)
{
    char title[64] = "";

    GetWindowTextA(hwnd, title, sizeof title);
    if (!strncmp(title, "fvm-test", 8)) t_say("on it: %s", title);
    ++*(int *)n;
    return TRUE;
}

static void own_desktop(void)
{
    HDESK d = CreateDesktopW(L"fvm-test-desktop", NULL, NULL, 0, GENERIC_ALL, NULL);
    HANDLE thread;
    HWND here;
    int n = 0;

    t_part("a desktop of the program's own");
    t_say("create: %s", d ? name_of(d) : t_win(FALSE));
    t_say("with a backslash: %s",
          t_win(CreateDesktopW(L"a\\b", NULL, NULL, 0, GENERIC_ALL, NULL) != NULL));
    here = CreateWindowA("STATIC", "fvm-test-here", WS_POPUP, 0, 0, 9, 9, NULL, NULL, NULL, NULL);
    thread = CreateThread(NULL, 0, on_desktop, d, 0, NULL);
    WaitForSingleObject(thread, 60000);
    CloseHandle(thread);
    t_say("found here: %d", FindWindowA(NULL, "fvm-test-there") != NULL);
    EnumDesktopWindows(GetThreadDesktop(GetCurrentThreadId()), count, (LPARAM)&n);
    say_desktops(GetProcessWindowStation());
    t_say("open by name: %s", t_win(OpenDesktopW(L"FVM-test-DESKTOP", 0, FALSE, 1) != NULL));
    DestroyWindow(here);
    if (d) CloseDesktop(d);
}

static BOOL CALLBACK say_property(HWND window, const WCHAR *name, HANDLE value)
{
    (void)window;
    t_say("property %s: %d", IS_INTRESOURCE(name) ? "with a number" : t_text(name, -1),
          (int)(ULONG_PTR)value);
    return TRUE;
}

static void properties(void)
{
    static const WCHAR late[] = L"fvm-test-late", early[] = L"FVM-Test-Early", plain[] = L"fvm-p";
    HWND w = CreateWindowW(L"STATIC", NULL, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
    ATOM atom = GlobalAddAtomW(early);
#define BY_ATOM(a) ((const WCHAR *)(ULONG_PTR)(a))
#define SAY(x)     t_say("%s: %d", #x, (int)(ULONG_PTR)(x))

    t_part("properties");
    SAY(SetPropW(w, BY_ATOM(atom), (HANDLE)11));
    SAY(GetPropW(w, L"fvm-test-early"));
    SAY(SetPropW(w, L"fvm-test-EARLY", (HANDLE)12));
    SAY(GetPropW(w, BY_ATOM(atom)));
    SAY(SetPropW(w, plain, (HANDLE)13));
    SAY(SetPropW(w, late, (HANDLE)14));
    ATOM second = GlobalAddAtomW(late);
    SAY(GetPropW(w, late));
    SAY(GetPropW(w, plain));
    SAY(EnumPropsW(w, say_property));
    SAY(RemovePropW(w, early));
    SAY(GetPropW(w, BY_ATOM(atom)));
    SAY(RemovePropW(w, late));
    SAY(GetPropW(w, late));
    SAY(RemovePropW(w, plain));
    SAY(RemovePropW(w, plain));
    SAY(GetPropW(w, (const WCHAR *)1));
    GlobalDeleteAtom(second);
    GlobalDeleteAtom(atom);
    DestroyWindow(w);
}

static void run_child(const WCHAR *desktop)
{
    STARTUPINFOW info = {.cb = sizeof info, .lpDesktop = (WCHAR *)(uintptr_t)desktop};
    PROCESS_INFORMATION process;
    WCHAR line[1100];

    swprintf(line, 1100, L"\"%hs\" %ls child", t_program, t_root);
    t_say("child with %s", desktop ? t_text(desktop, -1) : "none");
    fflush(stdout);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &info, &process)) {
        t_say("cannot start: %s", t_win(FALSE));
        return;
    }
    CloseHandle(process.hThread);
    t_wait(process.hProcess);
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "child")) {
        STARTUPINFOW info;

        GetStartupInfoW(&info);
        t_say("its parameter: %s", info.lpDesktop ? t_text(info.lpDesktop, -1) : "none");
        say_own("child");
        fflush(stdout);
        ExitProcess(0);
    }
    t_part("own");
    say_own("process");
    say_stations();
    open_stations();
    own_station();
    own_desktop();
    properties();
    t_part("children");
    run_child(NULL);
    run_child(L"");
    run_child(L"Default");
    run_child(L"winsta0\\default");
    run_child(L"WinSta0\\Default");
    run_child(L"fvm-test-child");
    run_child(L"fvm-test-sta\\fvm-test-child");
    run_child(L"WinSta0\\a\\b");
    run_child(L"\\Default");
    return t_end();
}
