/* Which processes a VM sees: list.c decides, list_query.c answers queries. */
#ifndef GUEST_PROCESS_LIST_H
#define GUEST_PROCESS_LIST_H

#include "process.h"
#include "fvm/ipc.h"

#define NT_MORE_ENTRIES GUEST_STATUS(0x00000105)

struct process_list { /* JOBOBJECT_BASIC_PROCESS_ID_LIST */
    ULONG assigned, count;
    ULONG_PTR ids[1];
};

/* The ids of the VM's processes now, to be freed with guest_free(); NULL without memory. */
struct process_list *process_members(void);
bool process_listed(const struct process_list *list, uintptr_t pid);

NTSTATUS NTAPI hook_NtOpenProcess(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, CLIENT_ID *);
NTSTATUS NTAPI hook_NtOpenThread(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, CLIENT_ID *);
NTSTATUS NTAPI hook_NtQuerySystemInformation(ULONG class, void *info, ULONG size, ULONG *needed);
extern NTSTATUS(NTAPI *real_NtQuerySystemInformation)(ULONG, void *, ULONG, ULONG *);

#endif
