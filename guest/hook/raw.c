/* The host's system calls for the guest's own use. */
#include "guest_boot.h"

struct guest_raw guest_raw;

#define RAW(export, field)                                                                         \
    {                                                                                              \
        export, NULL, (void **)&guest_raw.field                                                    \
    }

const struct guest_hook guest_raw_hooks[] = {
    RAW("NtCreateFile", create_file),
    RAW("NtOpenFile", open_file),
    RAW("NtReadFile", read_file),
    RAW("NtWriteFile", write_file),
    RAW("NtLockFile", lock_file),
    RAW("NtClose", close),
    RAW("NtDuplicateObject", duplicate_object),
    RAW("NtMapViewOfSection", map_view),
    RAW("NtReadVirtualMemory", read_memory),
    RAW("NtWriteVirtualMemory", write_memory),
    RAW("NtProtectVirtualMemory", protect),
    RAW("NtAllocateVirtualMemory", allocate),
    RAW("NtQueryVirtualMemory", query_memory),
    RAW("NtFreeVirtualMemory", release),
    RAW("NtResumeThread", resume_thread),
    RAW("NtTerminateProcess", terminate_process),
    RAW("NtQuerySystemTime", query_system_time),
    RAW("NtYieldExecution", yield),
    RAW("NtContinue", continue_at),
    {NULL, NULL, NULL},
};
