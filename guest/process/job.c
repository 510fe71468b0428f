/* Job objects. All processes of a VM stand in one job, which the program must not notice:
 * on the host it would be in no job. The host's job calls work unchanged on jobs of the
 * program's own (they nest below the VM's); only two things need to know whether a process
 * stands in such a job: the question "is it in any job?", and CREATE_BREAKAWAY_FROM_JOB,
 * which means nothing without a job and is the host's business with one.
 *
 * The answer is one bit per process in the shared block, set and cleared by the process
 * that creates the other one or puts it into a job. Known limit: a child that leaves its
 * parent's job silently (JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK) keeps the bit. */
#include "process.h"

/* At the end of the block's head, which is larger than its structure. */
#define JOB_BITS_SIZE   8192U
#define JOB_BITS_OFFSET (FVM_SHARED_INDEX_OFFSET - JOB_BITS_SIZE)
_Static_assert(sizeof(struct fvm_shared) <= JOB_BITS_OFFSET, "the job bits overlap the head");

#define CLASS_BASIC_INFORMATION 0

static volatile uint32_t *job_word(uint32_t pid, uint32_t *bit)
{
    uint32_t n = pid / 4 % (JOB_BITS_SIZE * 8); /* process ids are multiples of four */

    *bit = 1U << (n % 32);
    return (volatile uint32_t *)((uint8_t *)guest_shared + JOB_BITS_OFFSET) + n / 32;
}

bool guest_in_job(uint32_t pid)
{
    uint32_t bit;
    volatile uint32_t *word = job_word(pid, &bit);

    return (*word & bit) != 0;
}

void guest_set_in_job(uint32_t pid, bool in_job)
{
    uint32_t bit;
    volatile uint32_t *word = job_word(pid, &bit);

    if (in_job)
        __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
    else if (*word & bit)
        __atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
}

/* The id behind a process handle; 0 when it cannot be asked. */
static uint32_t process_id(HANDLE process)
{
    struct {
        NTSTATUS exit_status;
        void *peb;
        ULONG_PTR affinity;
        LONG priority;
        ULONG_PTR id, parent;
    } info;

    if (process == NT_CURRENT_PROCESS) return nt_process_id();
    if (real_NtQueryInformationProcess(process, CLASS_BASIC_INFORMATION, &info, sizeof(info),
                                       NULL) < 0)
        return 0;
    return (uint32_t)info.id;
}

NTSTATUS NTAPI hook_NtAssignProcessToJobObject(HANDLE job, HANDLE process)
{
    NTSTATUS status = real_NtAssignProcessToJobObject(job, process);
    uint32_t pid = status >= 0 ? process_id(process) : 0;

    if (pid) guest_set_in_job(pid, true);
    return status;
}

NTSTATUS NTAPI hook_NtIsProcessInJob(HANDLE process, HANDLE job)
{
    NTSTATUS status = real_NtIsProcessInJob(process, job);
    uint32_t pid;

    if (job || status != NT_PROCESS_IN_JOB) return status;
    pid = process_id(process);
    return pid && !guest_in_job(pid) ? NT_PROCESS_NOT_IN_JOB : status;
}
