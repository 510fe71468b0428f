/* Every way to make a process: each child tells what it found, natively and in a VM alike. */
#include <windows.h>
#include <winternl.h>
#include <psapi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char self[MAX_PATH];

/* Starts this program with the arguments and returns its exit code. */
static DWORD run(const char *args, DWORD flags, void *env, PROCESS_INFORMATION *keep)
{
    char line[1024];
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    DWORD code = 0xdead;

    snprintf(line, sizeof(line), "\"%s\" %s", self, args);
    fflush(stdout);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, flags, env, NULL, &startup, &info)) {
        printf("  CreateProcess: error %lu\n", GetLastError());
        return 0xdead;
    }
    if (keep) {
        *keep = info;
        return 0;
    }
    WaitForSingleObject(info.hProcess, 30000);
    GetExitCodeProcess(info.hProcess, &code);
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
    return code;
}

static DWORD finish(PROCESS_INFORMATION *info)
{
    DWORD code = 0xdead;

    if (WaitForSingleObject(info->hProcess, 30000) != WAIT_OBJECT_0) printf("  does not end\n");
    GetExitCodeProcess(info->hProcess, &code);
    CloseHandle(info->hThread);
    CloseHandle(info->hProcess);
    return code;
}

static void in_job(const char *what, HANDLE process, HANDLE job)
{
    BOOL in = 77;
    BOOL ok = IsProcessInJob(process, job, &in);

    printf("  %s: %d %d\n", what, ok, in);
}

static void test_jobs(void)
{
    HANDLE job = CreateJobObjectA(NULL, NULL);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    PROCESS_INFORMATION info;

    printf("jobs\n");
    in_job("self in any", GetCurrentProcess(), NULL);
    in_job("self in new", GetCurrentProcess(), job);
    run("exit 1", CREATE_SUSPENDED, NULL, &info);
    in_job("child in any", info.hProcess, NULL);
    printf("  assign %d\n", AssignProcessToJobObject(job, info.hProcess));
    in_job("child in any", info.hProcess, NULL);
    in_job("child in job", info.hProcess, job);
    ResumeThread(info.hThread);
    printf("  exit %lu\n", finish(&info));
    printf("  breakaway without a job: exit %lu\n",
           run("job", CREATE_BREAKAWAY_FROM_JOB, NULL, NULL));

    printf("  assign self %d\n", AssignProcessToJobObject(job, GetCurrentProcess()));
    in_job("self in any", GetCurrentProcess(), NULL);
    printf("  child of one in a job: exit %lu\n", run("job", 0, NULL, NULL));
    printf("  breakaway, not allowed: exit %lx\n",
           run("job", CREATE_BREAKAWAY_FROM_JOB, NULL, NULL));
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    printf("  allow %d\n", SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits,
                                                   sizeof(limits)));
    printf("  breakaway, allowed: exit %lu\n", run("job", CREATE_BREAKAWAY_FROM_JOB, NULL, NULL));
    CloseHandle(job);
}

static void test_names(HANDLE process)
{
    char name[MAX_PATH] = "";
    DWORD size = sizeof(name);

    printf("  query %d", QueryFullProcessImageNameA(process, 0, name, &size));
    printf(" same %d size %d\n", !strcmp(name, self), size == strlen(self));
    size = 5;
    SetLastError(0);
    printf("  short %d error %lu\n", QueryFullProcessImageNameA(process, 0, name, &size),
           GetLastError());
}

static void test_pipes(void)
{
    SECURITY_ATTRIBUTES sa = {sizeof(sa), NULL, TRUE};
    HANDLE read, write;
    STARTUPINFOA startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION info;
    char line[MAX_PATH + 32], text[200] = "";
    DWORD got = 0, all = 0;

    printf("pipe\n");
    CreatePipe(&read, &write, &sa, 0);
    startup.hStdOutput = write;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    snprintf(line, sizeof(line), "\"%s\" nest 3", self);
    if (!CreateProcessA(self, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info))
        printf("  error %lu\n", GetLastError());
    CloseHandle(write);
    while (ReadFile(read, text + all, sizeof(text) - 1 - all, &got, NULL) && got)
        all += got;
    text[all] = 0;
    printf("%s", text);
    printf("  exit %lu\n", finish(&info));
    CloseHandle(read);
}

static void test_remote_thread(void)
{
    PROCESS_INFORMATION info;
    HANDLE thread;
    DWORD code = 0;

    printf("a thread before the first one\n");
    run("exit 9", CREATE_SUSPENDED, NULL, &info);
    thread = CreateRemoteThread(info.hProcess, NULL, 0,
                                (LPTHREAD_START_ROUTINE)(void *)SetLastError, NULL, 0, NULL);
    printf("  created %d wait %lu\n", thread != NULL, WaitForSingleObject(thread, 30000));
    GetExitCodeThread(thread, &code);
    CloseHandle(thread);
    ResumeThread(info.hThread);
    printf("  exit %lu\n", finish(&info));
}

static void test_debug(void)
{
    PROCESS_INFORMATION info;
    DEBUG_EVENT event;
    bool created = false, ended = false;

    printf("debugged\n");
    run("badpointer", DEBUG_PROCESS, NULL, &info);
    while (!ended && WaitForDebugEvent(&event, 30000)) {
        if (event.dwDebugEventCode == CREATE_PROCESS_DEBUG_EVENT) {
            created = true;
            CloseHandle(event.u.CreateProcessInfo.hFile);
        }
        if (event.dwDebugEventCode == EXIT_PROCESS_DEBUG_EVENT) {
            ended = true;
            printf("  created %d exit %lu\n", created, event.u.ExitProcess.dwExitCode);
        }
        if (event.dwDebugEventCode == EXCEPTION_DEBUG_EVENT)
            printf("  exception %lx\n", event.u.Exception.ExceptionRecord.ExceptionCode);
        ContinueDebugEvent(event.dwProcessId, event.dwThreadId, DBG_CONTINUE);
    }
    printf("  exit %lu\n", finish(&info));
}

static void test_parent(void)
{
    PROCESS_INFORMATION other, info;
    STARTUPINFOEXA startup = {.StartupInfo.cb = sizeof(startup)};
    SIZE_T size = 0;
    char line[MAX_PATH + 32];

    printf("another parent\n");
    run("wait", CREATE_SUSPENDED, NULL, &other); /* need not have run for that */
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = malloc(size);
    InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size);
    UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_PARENT_PROCESS,
                              &other.hProcess, sizeof(HANDLE), NULL, NULL);
    snprintf(line, sizeof(line), "\"%s\" exit 13", self);
    if (CreateProcessA(NULL, line, NULL, NULL, FALSE, EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                       &startup.StartupInfo, &info))
        printf("  exit %lu\n", finish(&info));
    else
        printf("  error %lu\n", GetLastError());
    TerminateProcess(other.hProcess, 14);
    printf("  other %lu\n", finish(&other));
    free(startup.lpAttributeList);
}

static int child(int argc, char **argv)
{
    if (!strcmp(argv[1], "exit")) return atoi(argv[2]);
    if (!strcmp(argv[1], "wait")) {
        Sleep(20000);
        return 1;
    }
    if (!strcmp(argv[1], "badpointer")) {
        /* an error for the program and nothing for its debugger */
        NTSTATUS status =
            NtOpenFile((HANDLE *)16, 0, (OBJECT_ATTRIBUTES *)16, (IO_STATUS_BLOCK *)16, 0, 0);

        return status < 0 ? 11 : 12;
    }
    if (!strcmp(argv[1], "env")) {
        const char *value = getenv("FVM_TEST");

        printf("  FVM_TEST=%s PATH %s\n", value ? value : "(none)",
               getenv("PATH") ? "set" : "not set");
        return 0;
    }
    if (!strcmp(argv[1], "args")) {
        for (int i = 2; i < argc; i++)
            printf("  <%s>\n", argv[i]);
        return 0;
    }
    if (!strcmp(argv[1], "job")) {
        BOOL in = 0;

        IsProcessInJob(GetCurrentProcess(), NULL, &in);
        return 20 + in;
    }
    if (!strcmp(argv[1], "nest")) {
        char args[32];
        int depth = atoi(argv[2]);

        printf("  depth %d\n", depth);
        snprintf(args, sizeof(args), "nest %d", depth - 1);
        return depth ? (int)run(args, 0, NULL, NULL) + 1 : 30;
    }
    return 99;
}

int main(int argc, char **argv)
{
    static char env[] = "FVM_TEST=changed\0SystemRoot=C:\\windows\0";
    PROCESS_INFORMATION info;

    GetModuleFileNameA(NULL, self, sizeof(self));
    if (argc > 1) return child(argc, argv);

    printf("exit code\n  %lu %lx\n", run("exit 42", 0, NULL, NULL), run("exit -1", 0, NULL, NULL));
    printf("arguments\n");
    run("args a \"b c\" \"d\\\"e\" \"\" \"\xc3\xa4\" \\\\x\\ \"y\\\\\"", 0, NULL, NULL);
    printf("environment\n");
    run("env", 0, NULL, NULL);
    run("env", 0, env, NULL);
    printf("detached %lu\n", run("exit 2", DETACHED_PROCESS, NULL, NULL));
    printf("no window %lu\n", run("exit 3", CREATE_NO_WINDOW, NULL, NULL));
    printf("new group %lu\n", run("exit 4", CREATE_NEW_PROCESS_GROUP, NULL, NULL));

    printf("suspended\n");
    run("exit 5", CREATE_SUSPENDED, NULL, &info);
    printf("  wait %lu\n", WaitForSingleObject(info.hProcess, 100));
    test_names(info.hProcess);
    printf("  resume %lu\n", ResumeThread(info.hThread));
    printf("  exit %lu\n", finish(&info));
    run("exit 5", CREATE_SUSPENDED, NULL, &info);
    TerminateProcess(info.hProcess, 6);
    printf("  terminated %lu\n", finish(&info));

    printf("names\n");
    test_names(GetCurrentProcess());
    test_pipes();
    printf("tree %lu\n", run("nest 5", 0, NULL, NULL));
    test_remote_thread();
    test_debug();
    test_parent();
    test_jobs();
    printf("system %d\n", system("exit 17"));
    printf("no such file: %lx\n",
           (unsigned long)(CreateProcessA("C:\\none\\such.exe", NULL, NULL, NULL, 0, 0, NULL, NULL,
                                          &(STARTUPINFOA){.cb = sizeof(STARTUPINFOA)}, &info)
                               ? 0
                               : GetLastError()));
    return 0;
}
