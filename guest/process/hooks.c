/* Hooks of the process namespace. Calls that make processes in other ways (NtCreateProcess,
 * NtCreateProcessEx) do not exist in the host's ntdll. */
#include "process.h"

nt_create_user_process_fn real_NtCreateUserProcess;
NTSTATUS(NTAPI *real_NtQueryInformationProcess)(HANDLE, ULONG, void *, ULONG, ULONG *);
NTSTATUS(NTAPI *real_NtAssignProcessToJobObject)(HANDLE, HANDLE);
NTSTATUS(NTAPI *real_NtIsProcessInJob)(HANDLE, HANDLE);

const struct guest_hook guest_process_hooks[] = {
    {"NtCreateUserProcess", hook_NtCreateUserProcess, (void **)&real_NtCreateUserProcess},
    {"__wine_unix_spawnvp", hook_wine_unix_spawnvp, NULL},
    {"NtQueryInformationProcess", hook_NtQueryInformationProcess,
     (void **)&real_NtQueryInformationProcess},
    {"NtAssignProcessToJobObject", hook_NtAssignProcessToJobObject,
     (void **)&real_NtAssignProcessToJobObject},
    {"NtIsProcessInJob", hook_NtIsProcessInJob, (void **)&real_NtIsProcessInJob},
    {NULL, NULL, NULL},
};
