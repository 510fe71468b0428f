/* The process namespace: what its files share. */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H

#include "guest_boot.h"

/* process/inject.c: puts the guest into a process that has not run yet. process needs the
 * rights GUEST_INJECT_ACCESS. served: see guest_is_served. */
#define GUEST_INJECT_ACCESS                                                                        \
    (PROCESS_VM_OPERATION | PROCESS_VM_WRITE | PROCESS_DUP_HANDLE | PROCESS_TERMINATE)
NTSTATUS guest_inject(HANDLE process, bool served);
/* True when the process has this VM's guest. process needs PROCESS_VM_READ. */
bool guest_is_inside(HANDLE process);

/* process/create.c */
extern nt_create_user_process_fn real_NtCreateUserProcess;
NTSTATUS NTAPI hook_NtCreateUserProcess(HANDLE *process, HANDLE *thread, ACCESS_MASK process_access,
                                        ACCESS_MASK thread_access, OBJECT_ATTRIBUTES *process_attr,
                                        OBJECT_ATTRIBUTES *thread_attr, ULONG process_flags,
                                        ULONG thread_flags, struct nt_process_parameters *params,
                                        void *info, struct nt_ps_attribute_list *attributes);
NTSTATUS NTAPI hook_wine_unix_spawnvp(char *const argv[], int wait);

/* process/library.c: what begins a file, as the VM sees it under a full NT name. */
enum guest_file_kind {
    GUEST_FILE_UNREADABLE, /* or not there: the host says why */
    GUEST_FILE_MZ,         /* a Windows program or library */
    GUEST_FILE_ELF,        /* one of the machine below */
    GUEST_FILE_OTHER,
};
enum guest_file_kind guest_file_kind(UNICODE_STRING *real_name);

/* process/query.c */
extern NTSTATUS(NTAPI *real_NtQueryInformationProcess)(HANDLE, ULONG, void *, ULONG, ULONG *);
NTSTATUS NTAPI hook_NtQueryInformationProcess(HANDLE process, ULONG class, void *info, ULONG size,
                                              ULONG *needed);

/* process/job.c: whether a process stands in a job of the program's own. */
bool guest_in_job(uint32_t pid);
void guest_set_in_job(uint32_t pid, bool in_job);
extern NTSTATUS(NTAPI *real_NtAssignProcessToJobObject)(HANDLE, HANDLE);
extern NTSTATUS(NTAPI *real_NtIsProcessInJob)(HANDLE, HANDLE);
NTSTATUS NTAPI hook_NtAssignProcessToJobObject(HANDLE job, HANDLE process);
NTSTATUS NTAPI hook_NtIsProcessInJob(HANDLE process, HANDLE job);

#endif
