/* Do two programs meet? One program with two roles, for each way in which programs find one
 * another.
 *
 *   obj_meet server            makes everything, prints "ready PID TID", ends with a line
 *                              of input, or with its input
 *   obj_meet client PID TID    tries to reach it, one line per way: name, then "met" or the error
 *   obj_meet list              the names of all ways
 *   obj_meet trees             how many trees of objects there are of VMs, and processes of this
 *                              program besides this one (on the host)
 *
 * The errors of a client to whom nobody answers are compared with those of a client that runs
 * while there is no server (tests/run-ipc-tests.sh). */
#include "test.h"

#include <tlhelp32.h>

typedef OBJECT_ATTRIBUTES OA;
NTSTATUS NTAPI NtCreateKeyedEvent(HANDLE *, ACCESS_MASK, const OA *, ULONG);
NTSTATUS NTAPI NtOpenKeyedEvent(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtCreateIoCompletion(HANDLE *, ACCESS_MASK, const OA *, ULONG);
NTSTATUS NTAPI NtOpenIoCompletion(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtCreateSymbolicLinkObject(HANDLE *, ACCESS_MASK, const OA *, UNICODE_STRING *);
NTSTATUS NTAPI NtOpenSymbolicLinkObject(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, const OA *, ULONG, BOOLEAN);
NTSTATUS NTAPI NtOpenEvent(HANDLE *, ACCESS_MASK, const OA *);

#define N L"fvm-meet-"

static DWORD server_pid, server_tid;

/* Results: 0 met, else a Win32 error or an NTSTATUS. */
static DWORD win(HANDLE h)
{
    DWORD error = GetLastError();
    return h && h != INVALID_HANDLE_VALUE ? 0 : error;
}

static const OA *named(const WCHAR *name)
{
    static UNICODE_STRING string;
    static OA attr;

    RtlInitUnicodeString(&string, name);
    InitializeObjectAttributes(&attr, &string, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return &attr;
}

/* --- objects: made by the server, opened by the client ----------------------------------- */
#define PAIR(name, make, open)                                                                     \
    static DWORD make_##name(void)                                                                 \
    {                                                                                              \
        return make;                                                                               \
    }                                                                                              \
    static DWORD meet_##name(void)                                                                 \
    {                                                                                              \
        return open;                                                                               \
    }
static HANDLE h;

PAIR(event, win(CreateEventW(NULL, TRUE, FALSE, N L"event")),
     win(OpenEventW(EVENT_ALL_ACCESS, FALSE, N L"event")))
PAIR(global, win(CreateEventW(NULL, TRUE, FALSE, L"Global\\" N L"global")),
     win(OpenEventW(EVENT_ALL_ACCESS, FALSE, L"Global\\" N L"global")))
PAIR(mutex, win(CreateMutexW(NULL, FALSE, N L"mutex")),
     win(OpenMutexW(MUTEX_ALL_ACCESS, FALSE, N L"mutex")))
PAIR(semaphore, win(CreateSemaphoreW(NULL, 0, 1, N L"sem")),
     win(OpenSemaphoreW(SEMAPHORE_ALL_ACCESS, FALSE, N L"sem")))
PAIR(timer, win(CreateWaitableTimerW(NULL, TRUE, N L"timer")),
     win(OpenWaitableTimerW(TIMER_ALL_ACCESS, FALSE, N L"timer")))
PAIR(section,
     win(CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, N L"map")),
     win(OpenFileMappingW(FILE_MAP_READ, FALSE, N L"map")))
PAIR(job, win(CreateJobObjectW(NULL, N L"job")),
     win(OpenJobObjectW(JOB_OBJECT_QUERY, FALSE, N L"job")))
PAIR(absolute,
     (DWORD)NtCreateEvent(&h, EVENT_ALL_ACCESS, named(L"\\BaseNamedObjects\\" N L"abs"), 0, FALSE),
     (DWORD)NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\BaseNamedObjects\\" N L"abs")))
PAIR(outside, (DWORD)NtCreateEvent(&h, EVENT_ALL_ACCESS, named(L"\\" N L"outside"), 0, FALSE),
     (DWORD)NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\" N L"outside")))
PAIR(keyed_event,
     (DWORD)NtCreateKeyedEvent(&h, GENERIC_ALL, named(L"\\BaseNamedObjects\\" N L"keyed"), 0),
     (DWORD)NtOpenKeyedEvent(&h, GENERIC_ALL, named(L"\\BaseNamedObjects\\" N L"keyed")))
PAIR(completion,
     (DWORD)NtCreateIoCompletion(&h, GENERIC_ALL, named(L"\\BaseNamedObjects\\" N L"port"), 0),
     (DWORD)NtOpenIoCompletion(&h, GENERIC_ALL, named(L"\\BaseNamedObjects\\" N L"port")))
PAIR(directory,
     (DWORD)NtCreateDirectoryObject(&h, GENERIC_ALL, named(L"\\BaseNamedObjects\\" N L"dir")),
     (DWORD)NtOpenDirectoryObject(&h, GENERIC_READ, named(L"\\BaseNamedObjects\\" N L"dir")))

static DWORD make_link(void)
{
    UNICODE_STRING target;

    RtlInitUnicodeString(&target, L"\\BaseNamedObjects");
    return (DWORD)NtCreateSymbolicLinkObject(&h, GENERIC_ALL,
                                             named(L"\\BaseNamedObjects\\" N L"link"), &target);
}

static DWORD meet_link(void)
{
    return (DWORD)NtOpenSymbolicLinkObject(&h, GENERIC_READ,
                                           named(L"\\BaseNamedObjects\\" N L"link"));
}

/* A program that runs once: the second one finds the first one's mutex. */
static DWORD make_single(void)
{
    return win(CreateMutexW(NULL, FALSE, N L"single"));
}

static DWORD meet_single(void)
{
    HANDLE mutex = CreateMutexW(NULL, FALSE, N L"single");
    DWORD error = GetLastError();

    CloseHandle(mutex);
    return error == ERROR_ALREADY_EXISTS ? 0 : ERROR_FILE_NOT_FOUND;
}

/* --- pipes and mailslots -------------------------------------------------------------------- */
static HANDLE make_instance(const WCHAR *name)
{
    return CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                            PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, PIPE_UNLIMITED_INSTANCES,
                            512, 512, 1000, NULL);
}

/* Answers each request with the request, for ever. */
static DWORD WINAPI serve(void *name)
{
    char buffer[64];
    DWORD n;

    for (;;) {
        HANDLE pipe =
            CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE,
                             PIPE_UNLIMITED_INSTANCES, 512, 512, 1000, NULL);
        if (pipe == INVALID_HANDLE_VALUE) return 1;
        if (ConnectNamedPipe(pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED) {
            while (ReadFile(pipe, buffer, sizeof buffer, &n, NULL))
                WriteFile(pipe, buffer, n, &n, NULL);
        }
        CloseHandle(pipe);
    }
}

static DWORD make_pipe(void)
{
    /* one instance is there at once, the thread makes the others */
    HANDLE first = make_instance(L"\\\\.\\pipe\\" N L"pipe");
    DWORD error = win(first);

    for (int i = 0; i < 3 && !error; i++)
        error = win(CreateThread(NULL, 0, serve, (void *)L"\\\\.\\pipe\\" N L"echo", 0, NULL));
    return error;
}

static DWORD meet_pipe(void)
{
    HANDLE pipe = CreateFileW(L"\\\\.\\pipe\\" N L"echo", GENERIC_READ | GENERIC_WRITE, 0, NULL,
                              OPEN_EXISTING, 0, NULL);
    DWORD error = win(pipe);

    if (!error) CloseHandle(pipe);
    return error;
}

static DWORD nothing(void)
{
    return 0;
}

static DWORD meet_pipe_call(void)
{
    char answer[16];
    DWORD n;

    if (!CallNamedPipeW(L"\\\\.\\pipe\\" N L"echo", (void *)"hello", 5, answer, sizeof answer, &n,
                        5000))
        return GetLastError();
    return n == 5 && !memcmp(answer, "hello", 5) ? 0 : ERROR_BAD_PIPE;
}

static DWORD meet_pipe_wait(void)
{
    return WaitNamedPipeW(L"\\\\.\\pipe\\" N L"pipe", 1000) ? 0 : GetLastError();
}

static DWORD meet_pipe_device(void)
{
    IO_STATUS_BLOCK io;
    return (DWORD)NtOpenFile(&h, GENERIC_READ | SYNCHRONIZE,
                             (OA *)named(L"\\Device\\NamedPipe\\" N L"pipe"), &io, 3, 0);
}

static DWORD make_mailslot(void)
{
    return win(CreateMailslotW(L"\\\\.\\mailslot\\" N L"slot", 0, 0, NULL));
}

static DWORD meet_mailslot(void)
{
    return win(CreateFileW(L"\\\\.\\mailslot\\" N L"slot", GENERIC_WRITE,
                           FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL));
}

/* --- processes ------------------------------------------------------------------------------- */
static DWORD meet_process(void)
{
    return win(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, server_pid));
}

static DWORD meet_terminate(void)
{
    return win(OpenProcess(PROCESS_TERMINATE, FALSE, server_pid));
}

static DWORD meet_thread(void)
{
    return win(OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, server_tid));
}

static DWORD meet_snapshot(void)
{
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    bool found = false;

    if (snapshot == INVALID_HANDLE_VALUE) return GetLastError();
    for (BOOL more = Process32FirstW(snapshot, &entry); more;
         more = Process32NextW(snapshot, &entry))
        found |= entry.th32ProcessID == server_pid;
    CloseHandle(snapshot);
    return found ? 0 : ERROR_NO_MORE_FILES;
}

static DWORD meet_threads(void)
{
    THREADENTRY32 entry = {.dwSize = sizeof entry};
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    bool found = false;

    if (snapshot == INVALID_HANDLE_VALUE) return GetLastError();
    for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry))
        found |= entry.th32OwnerProcessID == server_pid;
    CloseHandle(snapshot);
    return found ? 0 : ERROR_NO_MORE_FILES;
}

static DWORD meet_handles(void)
{
    ULONG size = 1 << 22, got;
    struct {
        ULONG count;
        struct {
            USHORT pid, trace;
            UCHAR type, flags;
            USHORT value;
            void *object;
            ULONG access;
        } handle[1];
    } *list = malloc(size);
    NTSTATUS status = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)16, list, size, &got);
    bool found = false;

    for (ULONG i = 0; !status && i < list->count; i++)
        found |= list->handle[i].pid == (USHORT)server_pid;
    free(list);
    return status ? (DWORD)status : found ? 0 : ERROR_NO_MORE_FILES;
}

NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);

/* What ended VMs may have left on the host. */
static int trees(void)
{
    static struct {
        UNICODE_STRING name, type;
        WCHAR text[32768];
    } entry;
    PROCESSENTRY32W process = {.dwSize = sizeof process};
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0), dir;
    ULONG context = 0;
    int found = 0, running = -1;

    if (NtOpenDirectoryObject(&dir, 1, named(L"\\BaseNamedObjects"))) return 1;
    while (!NtQueryDirectoryObject(dir, &entry, sizeof entry, TRUE, FALSE, &context, NULL))
        found += entry.name.Length > 8 && !wcsncmp(entry.name.Buffer, L"FVM-", 4);
    for (BOOL more = Process32FirstW(snapshot, &process); more;
         more = Process32NextW(snapshot, &process))
        running += !_wcsicmp(process.szExeFile, L"obj_meet.exe");
    printf("%d trees, %d processes\n", found, running);
    return 0;
}

static const struct {
    const char *name;
    DWORD (*make)(void), (*meet)(void);
} ways[] = {
    {"event", make_event, meet_event},
    {"event Global\\", make_global, meet_global},
    {"event, absolute name", make_absolute, meet_absolute},
    {"event in \\", make_outside, meet_outside},
    {"mutex", make_mutex, meet_mutex},
    {"single instance", make_single, meet_single},
    {"semaphore", make_semaphore, meet_semaphore},
    {"timer", make_timer, meet_timer},
    {"section", make_section, meet_section},
    {"job", make_job, meet_job},
    {"keyed event", make_keyed_event, meet_keyed_event},
    {"completion port", make_completion, meet_completion},
    {"object directory", make_directory, meet_directory},
    {"symbolic link", make_link, meet_link},
    {"pipe: open", make_pipe, meet_pipe},
    {"pipe: call", nothing, meet_pipe_call},
    {"pipe: wait", nothing, meet_pipe_wait},
    {"pipe: device name", nothing, meet_pipe_device},
    {"mailslot", make_mailslot, meet_mailslot},
    {"process: open", nothing, meet_process},
    {"process: terminate", nothing, meet_terminate},
    {"thread: open", nothing, meet_thread},
    {"processes: list", nothing, meet_snapshot},
    {"threads: list", nothing, meet_threads},
    {"handles: list", nothing, meet_handles},
};

int main(int argc, char **argv)
{
    const size_t count = sizeof ways / sizeof *ways;
    char line[16];

    if (argc > 1 && !strcmp(argv[1], "list")) {
        for (size_t i = 0; i < count; i++)
            printf("%s\n", ways[i].name);
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "trees")) return trees();
    if (argc > 1 && !strcmp(argv[1], "server")) {
        for (size_t i = 0; i < count; i++) {
            DWORD error = ways[i].make();
            if (error) printf("failed to make %s: %lx\n", ways[i].name, error);
        }
        printf("ready %lu %lu\n", GetCurrentProcessId(), GetCurrentThreadId());
        fflush(stdout);
        fgets(line, sizeof line, stdin);
        return 0;
    }
    if (argc < 4 || strcmp(argv[1], "client"))
        t_die("usage: obj_meet server | client PID TID | list");
    server_pid = (DWORD)strtoul(argv[2], NULL, 10);
    server_tid = (DWORD)strtoul(argv[3], NULL, 10);
    for (size_t i = 0; i < count; i++) {
        DWORD error = ways[i].meet();
        if (error)
            printf("%s\t%lx\n", ways[i].name, error);
        else
            printf("%s\tmet\n", ways[i].name);
        fflush(stdout);
    }
    return 0;
}
