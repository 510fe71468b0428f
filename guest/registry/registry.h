/* Inside of guest/registry: names of keys and the record of refusals. */
#ifndef GUEST_REGISTRY_H
#define GUEST_REGISTRY_H

#include "guest.h"
#include "guest_nt.h"

#define NT_OBJECT_NAME_NOT_FOUND  GUEST_STATUS(0xc0000034)
#define NT_OBJECT_NAME_COLLISION  GUEST_STATUS(0xc0000035)
#define NT_OBJECT_PATH_SYNTAX_BAD GUEST_STATUS(0xc000003b)
#define NT_OBJECT_NAME_INVALID    GUEST_STATUS(0xc0000033)
#define NT_INVALID_HANDLE         GUEST_STATUS(0xc0000008)
#define NT_KEY_DELETED            GUEST_STATUS(0xc000017c)

/* Information classes of the host that are asked here. */
#define KEY_CLASS_NAME          3 /* NtQueryKey: the key's full name */
#define KEY_VALUE_CLASS_PARTIAL 2 /* NtQueryValueKey: type and data */

struct key_name_info {
    ULONG size; /* in bytes */
    WCHAR name[];
};

struct key_value_partial_info {
    ULONG title_index, type, size;
    UCHAR data[];
};

NTSYSAPI NTSTATUS NTAPI NtOpenKeyEx(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtQueryValueKey(HANDLE, const UNICODE_STRING *, int, void *, ULONG,
                                        ULONG *);

/* STATUS_SUCCESS when the handle is that of a key and was given all of these rights,
 * otherwise what the host's calls on keys answer to it (no handle, another kind of object,
 * a deleted key, a right missing). */
NTSTATUS registry_check_key(HANDLE key, ACCESS_MASK access);

/* Records that call was refused for a key: name, relative to root, or root itself when name
 * is empty; root may be NULL. name.ptr may point into the program's memory. Each key is
 * recorded once per process, and only so many of them. Never fails. */
void registry_refused(const char *call, HANDLE root, struct fvm_wstr name);

#endif
