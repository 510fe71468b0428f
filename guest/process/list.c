/* Which processes a VM sees.
 *
 * All processes of a VM stand in one job, "Members" in its tree of objects, around the jobs of
 * its runs: the host itself keeps the list, whatever ends a process, and an id that it gives to
 * a new process of somebody else's is not in it. Processes outside are answered like ids that do
 * not exist. The monitor is not in the job, and is not bound by it. */
#include "list.h"

#define QUERY_PROCESS PROCESS_QUERY_INFORMATION
#define QUERY_THREAD  0x0800 /* THREAD_QUERY_LIMITED_INFORMATION */

#define NT_INVALID_CID GUEST_STATUS(0xc000000b)

typedef NTSTATUS(NTAPI *open_id_fn)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, CLIENT_ID *);
static open_id_fn real_open_process, real_open_thread;
static NTSTATUS(NTAPI *real_open_job)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
static NTSTATUS(NTAPI *real_query_job)(HANDLE, ULONG, void *, ULONG, ULONG *);
static NTSTATUS(NTAPI *real_query_thread)(HANDLE, ULONG, void *, ULONG, ULONG *);

NTSTATUS guest_open_process(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                            CLIENT_ID *id)
{
    return real_open_process(handle, access, attr, id);
}

NTSTATUS guest_open_thread(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                           CLIENT_ID *id)
{
    return real_open_thread(handle, access, attr, id);
}

/* The job of all processes of the VM; NULL when it cannot be opened. To be closed. */
static HANDLE open_members(void)
{
    fvm_wchar text[128];
    struct fvm_wstr id = {guest_shared->vm_id, guest_shared->vm_id_len};
    uint32_t len = fvm_ipc_tree(id, "Members", text, 128);
    UNICODE_STRING name = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)text};
    OBJECT_ATTRIBUTES attr;
    HANDLE job;

    InitializeObjectAttributes(&attr, &name, 0, NULL, NULL);
    return len && !real_open_job(&job, JOB_OBJECT_QUERY, &attr) ? job : NULL;
}

/* Opens the process to ask about it: while the handle is there its id is nobody else's.
 * Returns false when there is no such process in the VM. */
static bool hold_member(uint32_t pid, HANDLE *held)
{
    OBJECT_ATTRIBUTES attr;
    CLIENT_ID id = {.UniqueProcess = (HANDLE)(uintptr_t)pid};
    HANDLE job;

    *held = NULL;
    if (pid == nt_process_id()) return true;
    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    if (real_open_process(held, QUERY_PROCESS, &attr, &id)) {
        *held = NULL;
        return false;
    }
    job = open_members();
    bool inside = job && real_NtIsProcessInJob(*held, job) == NT_PROCESS_IN_JOB;
    if (job) guest_raw.close(job);
    if (inside) return true;
    guest_raw.close(*held);
    *held = NULL;
    return false;
}

bool guest_is_member(uint32_t pid)
{
    HANDLE held;

    if (!hold_member(pid, &held)) return false;
    if (held) guest_raw.close(held);
    return true;
}

bool guest_may_attach(const void *in, ULONG in_size)
{
    const uint32_t parent = 0xffffffff; /* ATTACH_PARENT_PROCESS: who started it may share it */
    uint32_t pid;

    /* what is malformed is for the host to refuse */
    return in_size != sizeof(pid) || !guest_read(&pid, in, sizeof(pid)) || pid == parent ||
           guest_is_member(pid);
}

static NTSTATUS fail(HANDLE *handle)
{
    HANDLE none = NULL;

    return guest_write(handle, &none, sizeof(none)) ? NT_INVALID_CID : NT_ACCESS_VIOLATION;
}

NTSTATUS NTAPI hook_NtOpenProcess(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                                  CLIENT_ID *id)
{
    CLIENT_ID asked;
    HANDLE held;
    NTSTATUS status;

    if (guest_attached || !guest_read(&asked, id, sizeof(asked)))
        return real_open_process(handle, access, attr, id);
    if (!hold_member((uint32_t)(uintptr_t)asked.UniqueProcess, &held)) return fail(handle);
    status = real_open_process(handle, access, attr, &asked);
    if (held) guest_raw.close(held);
    return status;
}

uint32_t guest_process_of_thread(HANDLE thread)
{
    struct { /* THREAD_BASIC_INFORMATION */
        NTSTATUS exit;
        void *teb;
        CLIENT_ID id;
        ULONG_PTR affinity;
        LONG priority[2];
    } info;

    if (real_query_thread(thread, 0 /* ThreadBasicInformation */, &info, sizeof(info), NULL))
        return 0;
    return (uint32_t)(uintptr_t)info.id.UniqueProcess;
}

NTSTATUS NTAPI hook_NtOpenThread(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                                 CLIENT_ID *id)
{
    OBJECT_ATTRIBUTES plain;
    CLIENT_ID asked;
    HANDLE thread;
    NTSTATUS status;

    if (guest_attached || !guest_read(&asked, id, sizeof(asked)))
        return real_open_thread(handle, access, attr, id);
    if ((uint32_t)(uintptr_t)asked.UniqueThread == nt_thread_id())
        return real_open_thread(handle, access, attr, &asked);
    InitializeObjectAttributes(&plain, NULL, 0, NULL, NULL);
    /* the thread keeps its process, and that its id */
    if (real_open_thread(&thread, QUERY_THREAD, &plain, &asked)) return fail(handle);
    uint32_t pid = guest_process_of_thread(thread);
    if (pid && guest_is_member(pid))
        status = real_open_thread(handle, access, attr, &asked);
    else
        status = fail(handle);
    guest_raw.close(thread);
    return status;
}

struct process_list *process_members(void)
{
    HANDLE job = open_members();
    struct process_list *list = NULL;
    size_t size = 4096;
    NTSTATUS status = NT_MORE_ENTRIES;

    while (job && status == NT_MORE_ENTRIES && (list = guest_alloc(size))) {
        status = real_query_job(job, 3 /* JobObjectBasicProcessIdList */, list, (ULONG)size, NULL);
        if (!status) break;
        guest_free(list);
        list = NULL;
        size *= 4;
    }
    if (job) guest_raw.close(job);
    return list;
}

bool process_listed(const struct process_list *list, uintptr_t pid)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->ids[i] == pid) return true;
    return false;
}

const struct guest_hook guest_process_list_hooks[] = {
    {"NtOpenProcess", hook_NtOpenProcess, (void **)&real_open_process},
    {"NtOpenThread", hook_NtOpenThread, (void **)&real_open_thread},
    {"NtQuerySystemInformation", hook_NtQuerySystemInformation,
     (void **)&real_NtQuerySystemInformation},
    {"NtOpenJobObject", NULL, (void **)&real_open_job},
    {"NtQueryInformationJobObject", NULL, (void **)&real_query_job},
    {"NtQueryInformationThread", NULL, (void **)&real_query_thread},
    {NULL, NULL, NULL},
};
