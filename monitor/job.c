/* The job object in which all processes of a run stand. */
#include "serve.h"

#define MAX_REST 256 /* processes looked at one by one when the program has ended */

HANDLE job_create(HANDLE *port)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT completion;
    HANDLE job = CreateJobObjectW(NULL, NULL);

    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    *port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    completion.CompletionKey = NULL;
    completion.CompletionPort = *port;
    if (!job || !*port ||
        !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)) ||
        !SetInformationJobObject(job, JobObjectAssociateCompletionPortInformation, &completion,
                                 sizeof(completion)))
        fail(EXIT_FVM, "cannot create the VM's job: %s", error_text(GetLastError()));
    return job;
}

/* True when the process has the guest or is about to get it: Wine itself starts the desktop's
 * explorer.exe from inside of the first program with a window, past all hooks. That one serves
 * all programs of the desktop, not only the VM's, and ends by itself. */
static bool is_guest(DWORD pid)
{
    HANDLE process = OpenProcess(PROCESS_VM_READ, FALSE, pid);
    const void *thunk =
        (const void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "LdrInitializeThunk");
    uint8_t code[8];
    SIZE_T got;
    bool inside = false;

    if (!process) return false; /* has just ended: a message will say so */
    /* where threads start, the guest's way in stands, and later its gate (see boot/entry.S); the
     * monitor's own ntdll is as the host made it */
    if (ReadProcessMemory(process, thunk, code, sizeof(code), &got)) {
        for (size_t i = 0; i < sizeof(code); i++)
            inside |= code[i] != ((const uint8_t *)thunk)[i];
    }
    CloseHandle(process);
    return inside;
}

/* True when processes of the VM are left; *others tells whether foreign ones are. */
static bool guests_left(HANDLE job, bool *others)
{
    union {
        JOBOBJECT_BASIC_PROCESS_ID_LIST list;
        uint8_t bytes[sizeof(JOBOBJECT_BASIC_PROCESS_ID_LIST) + MAX_REST * sizeof(ULONG_PTR)];
    } *ids = allocate(sizeof(*ids));
    bool left = false;

    /* more than fit the list: certainly not the desktop's alone */
    if (!QueryInformationJobObject(job, JobObjectBasicProcessIdList, ids, sizeof(*ids), NULL))
        left = true;
    *others = !left && ids->list.NumberOfProcessIdsInList != 0;
    for (DWORD i = 0; !left && i < ids->list.NumberOfProcessIdsInList; i++)
        left = is_guest((DWORD)ids->list.ProcessIdList[i]);
    release(ids);
    return left;
}

void job_wait(HANDLE job, HANDLE port)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    OVERLAPPED *overlapped;
    ULONG_PTR key;
    DWORD message;
    bool others;

    for (;;) {
        /* what has been told so far is old: look, then wait for the next */
        while (GetQueuedCompletionStatus(port, &message, &key, &overlapped, 0)) {
            if (message == JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO) return;
        }
        if (!guests_left(job, &others)) break;
        serve_begin(); /* nobody looks for their first request from here on */
        if (!GetQueuedCompletionStatus(port, &message, &key, &overlapped, INFINITE))
            fail(EXIT_FVM, "cannot wait for the VM's processes: %s", error_text(GetLastError()));
        if (message == JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO) return;
    }
    /* the desktop is not the VM's to end */
    if (others)
        SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
}
