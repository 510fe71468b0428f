/* The table of the namespace's hooks, and the host's calls behind them. */
#include "file.h"

struct file_real file_real;

#define HOOK(export, member)                                                                       \
    {                                                                                              \
#export, (void *)file_hook_##member, (void **)&file_real.member                            \
    }

const struct guest_hook guest_file_hooks[] = {
    HOOK(NtCreateFile, create),
    HOOK(NtOpenFile, open),
    HOOK(NtDeleteFile, remove),
    HOOK(NtQueryAttributesFile, query_attributes),
    HOOK(NtQueryFullAttributesFile, query_full_attributes),
    HOOK(NtQueryDirectoryFile, query_directory),
    HOOK(NtQueryInformationFile, query_information),
    HOOK(NtSetInformationFile, set_information),
    HOOK(NtReadFile, read),
    HOOK(NtLockFile, lock_range),
    HOOK(NtUnlockFile, unlock_range),
    HOOK(NtCreateSection, create_section),
    HOOK(NtQueryVolumeInformationFile, query_volume),
    HOOK(NtNotifyChangeDirectoryFile, notify),
    HOOK(NtClose, close),
    HOOK(NtDuplicateObject, duplicate),
    HOOK(NtQueryObject, query_object),
    HOOK(NtQueryVirtualMemory, query_memory),
    HOOK(NtSuspendThread, suspend_thread),
    HOOK(NtSuspendProcess, suspend_process),
    HOOK(NtTerminateThread, terminate_thread),
    HOOK(NtTerminateProcess, terminate_process),
    HOOK(wine_nt_to_unix_file_name, nt_to_unix),
    HOOK(wine_unix_to_nt_file_name, unix_to_nt),
    {NULL, NULL, NULL},
};

_Static_assert(offsetof(struct fvm_shared, stale_opens) == 56, "boot/entry.S knows it");

#define CLASS(n) (1u << (n) % 32)

/* What the hooks would pass on as it is: see file_current(), and for the classes the hooks. */
const struct guest_filter guest_file_filters[] = {
    {"NtReadFile", 0},
    {"NtQueryInformationFile", CLASS(FI_NAME) | CLASS(FI_ALL) | CLASS(FI_ID)},
    {"NtSetInformationFile",
     CLASS(FI_BASIC) | CLASS(FI_RENAME) | CLASS(FI_LINK) | CLASS(FI_DISPOSITION) | CLASS(FI_PIPE)},
    {NULL, 0},
};

void guest_file_init(void)
{
    /* all state of the namespace is zero at the start, or in the shared block */
}
