/* Many threads enter a new process at the same moment: remote threads made while the first one
 * is still suspended start together with it. In a VM all of them must find the guest in place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define ROUNDS  20
#define THREADS 6

/* Returns the exit code of the child. */
static DWORD one_round(const char *self)
{
    char line[MAX_PATH + 16];
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    HANDLE threads[THREADS];
    DWORD code = 0xdead, count = 0;

    snprintf(line, sizeof(line), "\"%s\" child", self);
    if (!CreateProcessA(self, line, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &startup,
                        &info))
        return GetLastError();
    for (; count < THREADS; count++) {
        /* one address in all processes; ends at once */
        threads[count] = CreateRemoteThread(
            info.hProcess, NULL, 0, (LPTHREAD_START_ROUTINE)(void *)GetTickCount, NULL, 0, NULL);
        if (!threads[count]) break;
        if (count == THREADS / 2) ResumeThread(info.hThread);
    }
    if (count <= THREADS / 2) ResumeThread(info.hThread);
    if (WaitForSingleObject(info.hProcess, 30000) != WAIT_OBJECT_0) {
        TerminateProcess(info.hProcess, 99);
        return 0xbad;
    }
    GetExitCodeProcess(info.hProcess, &code);
    for (DWORD i = 0; i < count; i++)
        CloseHandle(threads[i]);
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
    return code;
}

int main(int argc, char **argv)
{
    char self[MAX_PATH];

    if (argc > 1) {
        /* something that needs the guest: a file that only the VM has would do, an open will */
        HANDLE file =
            CreateFileA(argv[0], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);

        return file != INVALID_HANDLE_VALUE ? 7 : 8;
    }
    GetModuleFileNameA(NULL, self, sizeof(self));
    for (int i = 0; i < ROUNDS; i++)
        printf("round %d: %lx\n", i, one_round(self));
    return 0;
}
