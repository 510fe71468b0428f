/* Services: a small one, and what one does with it.
 *
 *   svc_control service NAME        the service itself; run by the service manager. It tells its
 *                                   user-defined control 128 by its service-specific exit code
 *   svc_control install NAME [auto | driver]
 *   svc_control start | stop | delete | status | config NAME
 *   svc_control whole NAME          all of it, one after the other, with what the service manager
 *                                   answers: the same natively and in a VM
 *   svc_control list                the services there are, one per line: name and start type
 *   svc_control first               how long the first call of the service manager takes, in ms
 *   svc_control wait                the same by waiting for its pipe, which must be there then
 *   svc_control stay [NAME]         does nothing, until its standard input ends; with a name it
 *                                   first looks for the service
 *   svc_control many                ten threads ask at once; all of them get an answer
 *
 * The exit code is 0, or the error. */
#include "test.h"

static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS now = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS,
                             .dwControlsAccepted = SERVICE_ACCEPT_STOP};
static HANDLE stop;

static void WINAPI control(DWORD code)
{
    if (code == 128) {
        now.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
        now.dwServiceSpecificExitCode = 4711;
    }
    if (code == SERVICE_CONTROL_STOP) now.dwCurrentState = SERVICE_STOP_PENDING;
    SetServiceStatus(handle, &now);
    if (code == SERVICE_CONTROL_STOP) SetEvent(stop);
}

static void WINAPI service(DWORD argc, WCHAR **argv)
{
    (void)argc;
    handle = RegisterServiceCtrlHandlerW(argv[0], control);
    now.dwCurrentState = SERVICE_RUNNING;
    SetServiceStatus(handle, &now);
    WaitForSingleObject(stop, INFINITE);
    now.dwCurrentState = SERVICE_STOPPED;
    SetServiceStatus(handle, &now);
}

static WCHAR *wide(const char *s)
{
    WCHAR *w = calloc(strlen(s) + 1, sizeof(*w));

    for (size_t i = 0; s[i]; i++)
        w[i] = (WCHAR)(unsigned char)s[i];
    return w;
}

static SC_HANDLE manager(void)
{
    SC_HANDLE m = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);

    if (!m) {
        printf("the service manager: error %lu\n", GetLastError());
        exit((int)GetLastError());
    }
    return m;
}

static SC_HANDLE open_service(const WCHAR *name)
{
    SC_HANDLE s = OpenServiceW(manager(), name, SERVICE_ALL_ACCESS);

    if (!s) {
        printf("open: error %lu\n", GetLastError());
        exit((int)GetLastError());
    }
    return s;
}

static DWORD tell(const char *what, BOOL done)
{
    DWORD error = done ? 0 : GetLastError();

    if (error)
        printf("%s: error %lu\n", what, error);
    else
        printf("%s: done\n", what);
    return error;
}

static DWORD install(const WCHAR *name, const char *kind)
{
    WCHAR path[2 * MAX_PATH] = L"\"";
    bool driver = kind && !strcmp(kind, "driver");

    GetModuleFileNameW(NULL, path + 1, MAX_PATH);
    wcscat(wcscat(path, L"\" service "), name);
    SC_HANDLE s = CreateServiceW(manager(), name, name, SERVICE_ALL_ACCESS,
                                 driver ? SERVICE_KERNEL_DRIVER : SERVICE_WIN32_OWN_PROCESS,
                                 kind && !driver ? SERVICE_AUTO_START : SERVICE_DEMAND_START,
                                 SERVICE_ERROR_NORMAL, path, NULL, NULL, NULL, NULL, NULL);
    DWORD error = tell("install", s != NULL);
    if (s) CloseServiceHandle(s);
    return error;
}

/* Waits until it is in a state other than this and neither starting nor stopping. */
static SERVICE_STATUS_PROCESS settled(SC_HANDLE s, DWORD not )
{
    SERVICE_STATUS_PROCESS status = {0};
    DWORD needed;

    for (int i = 0; i < 1000; i++) {
        if (!QueryServiceStatusEx(s, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof(status),
                                  &needed)) {
            tell("status", FALSE);
            return status;
        }
        DWORD state = status.dwCurrentState;
        if (state != not &&(state == SERVICE_RUNNING || state == SERVICE_STOPPED)) return status;
        Sleep(10);
    }
    printf("status: it does not come to an end of its state\n");
    return status;
}

static DWORD show_status(SC_HANDLE s, DWORD not )
{
    SERVICE_STATUS_PROCESS status = settled(s, not );

    printf("status: state %lu, exit code %lu, its own %lu, type %lx, %s\n", status.dwCurrentState,
           status.dwWin32ExitCode, status.dwServiceSpecificExitCode, status.dwServiceType,
           status.dwProcessId ? "a process" : "no process");
    return 0;
}

static DWORD show_config(SC_HANDLE s)
{
    static union {
        QUERY_SERVICE_CONFIGW c;
        BYTE bytes[8192];
    } u;
    DWORD needed;

    if (!QueryServiceConfigW(s, &u.c, sizeof(u), &needed)) return tell("config", FALSE);
    printf("config: type %lx, start %lu, %ls, account %ls, %ls\n", u.c.dwServiceType,
           u.c.dwStartType, u.c.lpBinaryPathName, u.c.lpServiceStartName, u.c.lpDisplayName);
    return 0;
}

static DWORD whole(const WCHAR *name)
{
    SC_HANDLE s = OpenServiceW(manager(), name, SERVICE_QUERY_STATUS);
    SERVICE_STATUS status;

    tell("open what is not there", s != NULL);
    install(name, NULL);
    install(name, NULL);
    s = open_service(name);
    show_config(s);
    show_status(s, 0);
    tell("stop", ControlService(s, SERVICE_CONTROL_STOP, &status));
    tell("start", StartServiceW(s, 0, NULL));
    show_status(s, 0);
    tell("start", StartServiceW(s, 0, NULL));
    tell("control", ControlService(s, 128, &status));
    show_status(s, 0);
    tell("stop", ControlService(s, SERVICE_CONTROL_STOP, &status));
    show_status(s, SERVICE_RUNNING);
    tell("change", ChangeServiceConfigW(s, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE,
                                        NULL, NULL, NULL, NULL, NULL, NULL, L"Another name"));
    show_config(s);
    tell("start", StartServiceW(s, 0, NULL));
    tell("delete", DeleteService(s));
    tell("delete", DeleteService(s));
    CloseServiceHandle(s);
    /* it is gone when its process is */
    for (int i = 0; i < 500 && (s = OpenServiceW(manager(), name, SERVICE_QUERY_STATUS)); i++) {
        CloseServiceHandle(s);
        Sleep(10);
    }
    tell("open what was deleted", s != NULL);
    return 0;
}

static DWORD list(void)
{
    static BYTE buffer[256 * 1024];
    ENUM_SERVICE_STATUSW *e = (void *)buffer;
    DWORD needed, count, resume = 0;
    SC_HANDLE m = manager();

    if (!EnumServicesStatusW(m, SERVICE_WIN32 | SERVICE_DRIVER, SERVICE_STATE_ALL, e,
                             sizeof(buffer), &needed, &count, &resume))
        return tell("list", FALSE);
    for (DWORD i = 0; i < count; i++) {
        static union {
            QUERY_SERVICE_CONFIGW c;
            BYTE bytes[8192];
        } u;
        SC_HANDLE s = OpenServiceW(m, e[i].lpServiceName, SERVICE_QUERY_CONFIG);

        if (!s || !QueryServiceConfigW(s, &u.c, sizeof(u), &needed)) return tell("config", FALSE);
        printf("%ls %lu\n", e[i].lpServiceName, u.c.dwStartType);
        CloseServiceHandle(s);
    }
    return 0;
}

static DWORD WINAPI ask(void *result)
{
    *(DWORD *)result = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT) ? 0 : GetLastError();
    return 0;
}

static DWORD many(void)
{
    HANDLE threads[10];
    DWORD results[10], failed = 0;

    for (int i = 0; i < 10; i++)
        threads[i] = CreateThread(NULL, 0, ask, &results[i], 0, NULL);
    WaitForMultipleObjects(10, threads, TRUE, 30000);
    for (int i = 0; i < 10; i++)
        if (results[i]) failed = results[i];
    return tell("ten at once", (SetLastError(failed), !failed));
}

static double milliseconds(void)
{
    LARGE_INTEGER frequency, count;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    return (double)count.QuadPart * 1000 / (double)frequency.QuadPart;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    WCHAR *name = argc > 2 ? wide(argv[2]) : NULL;
    SERVICE_STATUS status;

    if (!strcmp(verb, "list")) return (int)list();
    if (!strcmp(verb, "many")) return (int)many();
    if (!strcmp(verb, "stay")) {
        if (name) OpenServiceW(manager(), name, SERVICE_QUERY_STATUS);
        printf("ready\n");
        fflush(stdout);
        while (getchar() != EOF)
            continue;
        return 0;
    }
    if (!strcmp(verb, "first") || !strcmp(verb, "wait")) {
        /* what is to be measured is the service manager, not the loading of libraries */
        LoadLibraryW(L"rpcrt4.dll");
        double begin = milliseconds();
        BOOL done = *verb == 'w' ? WaitNamedPipeW(L"\\\\.\\pipe\\svcctl", 1000)
                                 : OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT) != NULL;
        double end = milliseconds();
        DWORD error = done ? 0 : GetLastError();
        printf("%.1f\n", end - begin);
        return (int)error;
    }
    if (!name) t_die("usage: svc_control service | install | start | ... NAME");
    if (!strcmp(verb, "service")) {
        SERVICE_TABLE_ENTRYW table[] = {{name, service}, {NULL, NULL}};

        stop = CreateEventW(NULL, TRUE, FALSE, NULL);
        return StartServiceCtrlDispatcherW(table) ? 0 : (int)GetLastError();
    }
    if (!strcmp(verb, "install")) return (int)install(name, argc > 3 ? argv[3] : NULL);
    if (!strcmp(verb, "whole")) return (int)whole(name);
    if (!strcmp(verb, "start"))
        return (int)tell("start", StartServiceW(open_service(name), 0, NULL));
    if (!strcmp(verb, "stop"))
        return (int)tell("stop", ControlService(open_service(name), SERVICE_CONTROL_STOP, &status));
    if (!strcmp(verb, "delete")) {
        SC_HANDLE s = open_service(name);
        DWORD error = tell("delete", DeleteService(s));

        CloseServiceHandle(s); /* with the last handle it is gone */
        return (int)error;
    }
    if (!strcmp(verb, "status")) return (int)show_status(open_service(name), 0);
    if (!strcmp(verb, "config")) return (int)show_config(open_service(name));
    t_die("unknown: %s", verb);
}
