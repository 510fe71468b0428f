/* Starts the processes that serve the whole VM, and watches them.
 *
 * For each service one of the VM's monitors, the owner, has a mutant. If it ends, or is killed,
 * the mutant goes to the next one, which finds all that counts in the shared block and in named
 * objects: whether there is a process (id and time of creation), whether that has said that it is
 * ready, and which requests are not answered yet. So every step below can be the last one.
 *
 * To add a service: its number in guest_api.h, a row in the table here, a call of
 * guest_serve_ready() in the guest at the place where the new process is ready for use, and of
 * guest_serve() where programs need it. */
#include "serve.h"
#include "desktop.h"

#define READY_TIMEOUT 30000 /* ms; on an idle machine they take 30 to 100 */

static const struct row {
    const wchar_t *program;   /* in the system directory; NULL: there is none */
    const wchar_t *arguments; /* "" or " ..." */
    wchar_t *desktop;         /* NULL: as the monitor's own */
    void (*hold)(void);       /* called in every monitor once it is ready; NULL: nothing to do */
    const char *what;
} rows[GUEST_SERVICES] = {
    [GUEST_SERVICE_SCM] = {L"services.exe", L"", NULL, NULL, "service control manager"},
    [GUEST_SERVICE_DESKTOP] = {L"explorer.exe", L" /desktop", desktop_name, desktop_hold,
                               "desktop"},
};

static guest_serve_event_fn serve_event;
static guest_served_fn served_objects;
static HANDLE stop, threads[GUEST_SERVICES];
static DWORD thread_count;

/* --- the process ------------------------------------------------------------------------------ */

static uint64_t time_of_birth(HANDLE process)
{
    FILETIME born, ended, kernel, user;

    if (!GetProcessTimes(process, &born, &ended, &kernel, &user)) return 0;
    return (uint64_t)born.dwHighDateTime << 32 | born.dwLowDateTime;
}

/* The process that another monitor has started; NULL when there is none any more. */
static HANDLE find(const struct guest_served *s)
{
    uint32_t pid = s->state->pid;
    HANDLE process = pid ? OpenProcess(SYNCHRONIZE | PROCESS_QUERY_INFORMATION, FALSE, pid) : NULL;

    if (process && time_of_birth(process) == s->state->born) return process;
    if (process) CloseHandle(process);
    return NULL;
}

/* The process has ended, or there was none: what it started ends as well. */
static void clear(const struct guest_served *s)
{
    __atomic_store_n(&s->state->up, 0, __ATOMIC_SEQ_CST);
    s->state->pid = 0;
    TerminateJobObject(s->job, 1);
    ResetEvent(s->ready);
}

static HANDLE start(const struct row *row, const struct guest_served *s)
{
    HANDLE jobs[2] = {s->all, s->job};
    STARTUPINFOEXW startup = {.StartupInfo.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    SIZE_T size = 0;
    wchar_t dir[MAX_PATH], path[MAX_PATH + 32], line[MAX_PATH + 128];
    UINT n = GetSystemDirectoryW(dir, MAX_PATH);
    HANDLE process = NULL;

    if (!n || n >= MAX_PATH) {
        report("cannot find the system directory: %s", error_text(GetLastError()));
        return NULL;
    }
    lstrcatW(lstrcatW(lstrcpyW(path, dir), L"\\"), row->program);
    lstrcatW(lstrcpyW(line, path), row->arguments);
    startup.StartupInfo.lpDesktop = row->desktop;
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = allocate(size);
    if (InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size) &&
        UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs,
                                  sizeof(jobs), NULL, NULL) &&
        /* detached: without input and output of the run that happens to need it first */
        CreateProcessW(path, line, NULL, NULL, FALSE,
                       EXTENDED_STARTUPINFO_PRESENT | DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP |
                           CREATE_SUSPENDED,
                       NULL, dir, &startup.StartupInfo, &info)) {
        process = info.hProcess;
        /* before it runs: the next owner knows it, and it knows itself */
        s->state->born = time_of_birth(process);
        __atomic_store_n(&s->state->pid, info.dwProcessId, __ATOMIC_SEQ_CST);
        ResumeThread(info.hThread);
        CloseHandle(info.hThread);
    } else {
        report("cannot start the VM's %a, %s: %s", row->what, path, error_text(GetLastError()));
    }
    release(startup.lpAttributeList);
    return process;
}

enum ready { READY, NOT_READY, STOPPED };

static enum ready wait_ready(const struct row *row, const struct guest_served *s, HANDLE process)
{
    HANDLE handles[3] = {stop, s->ready, process};

    switch (WaitForMultipleObjects(3, handles, FALSE, READY_TIMEOUT)) {
    case WAIT_OBJECT_0:
        return STOPPED;
    case WAIT_OBJECT_0 + 1:
        return READY;
    case WAIT_OBJECT_0 + 2:
        report("the VM's %a has ended before it was ready", row->what);
        return NOT_READY;
    default:
        report("the VM's %a was not ready within %u s", row->what, READY_TIMEOUT / 1000);
        return NOT_READY;
    }
}

/* --- the owner -------------------------------------------------------------------------------- */

static bool is_over(HANDLE process)
{
    return WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

static void answer(const struct guest_served *s, uint32_t asked, bool up)
{
    __atomic_store_n(&s->state->up, up, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->state->answered, asked, __ATOMIC_SEQ_CST);
    SetEvent(s->answered);
}

static void own(const struct row *row, const struct guest_served *s)
{
    HANDLE process = find(s);

    /* the owner before may have been killed between an answer and its event */
    SetEvent(s->answered);
    /* one that is not ready may not even have begun to run: it is started anew */
    if (process && WaitForSingleObject(s->ready, 0) != WAIT_OBJECT_0) {
        CloseHandle(process);
        process = NULL;
    }
    if (!process) clear(s);
    for (;;) {
        uint32_t asked = __atomic_load_n(&s->state->asked, __ATOMIC_SEQ_CST);
        HANDLE handles[3] = {stop, s->wanted, process};

        if (process && is_over(process)) {
            CloseHandle(process);
            process = NULL;
            clear(s);
        }
        if (asked != s->state->answered || process) {
            enum ready ready = NOT_READY;

            if (!process) process = start(row, s);
            if (process) ready = wait_ready(row, s, process);
            if (ready == STOPPED) break;
            if (ready == READY && row->hold) row->hold();
            if (ready == NOT_READY) {
                if (process) CloseHandle(process);
                process = NULL;
                clear(s);
            }
            if (asked != s->state->answered || ready == READY) answer(s, asked, ready == READY);
        }
        handles[2] = process;
        if (WaitForMultipleObjects(process ? 3 : 2, handles, FALSE, INFINITE) == WAIT_OBJECT_0)
            break;
    }
    if (process) CloseHandle(process);
}

static DWORD WINAPI serve(void *number)
{
    enum guest_service which = (enum guest_service)(uintptr_t)number;
    struct guest_served s;
    int32_t status = served_objects(which, &s);
    HANDLE handles[3] = {stop, s.owner, s.ready};
    DWORD n;

    if (status < 0) /* programs would wait for an answer for ever */
        fail(EXIT_FVM, "the VM's %a cannot be watched (status %x)", rows[which].what,
             (unsigned)status);
    n = WaitForMultipleObjects(rows[which].hold ? 3 : 2, handles, FALSE, INFINITE);
    if (n == WAIT_OBJECT_0 + 2) {
        rows[which].hold();
        n = WaitForMultipleObjects(2, handles, FALSE, INFINITE);
    }
    switch (n) {
    case WAIT_OBJECT_0 + 1:
    case WAIT_ABANDONED_0 + 1:
        own(&rows[which], &s);
        ReleaseMutex(s.owner);
        break;
    default: /* this monitor ends */
        break;
    }
    return 0;
}

/* --- for the main thread ---------------------------------------------------------------- */

void serve_prepare(guest_serve_event_fn event, guest_served_fn served)
{
    serve_event = event;
    served_objects = served;
}

void serve_begin(void)
{
    if (stop) return;
    stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (uintptr_t i = 0; stop && i < GUEST_SERVICES; i++) {
        if (!rows[i].program) continue;
        HANDLE thread = CreateThread(NULL, 0, serve, (void *)i, 0, NULL);
        if (!thread) fail(EXIT_FVM, "cannot serve the VM: %s", error_text(GetLastError()));
        threads[thread_count++] = thread;
    }
    if (!stop) fail(EXIT_FVM, "cannot serve the VM: %s", error_text(GetLastError()));
}

void serve_end(void)
{
    if (!stop) return;
    SetEvent(stop);
    WaitForMultipleObjects(thread_count, threads, TRUE, INFINITE);
}

void serve_while(HANDLE process)
{
    HANDLE handles[2] = {process, serve_event()};

    if (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0) return;
    serve_begin();
    WaitForSingleObject(process, INFINITE);
}
