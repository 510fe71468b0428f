/* Inside of guest/object and guest/pipe: names of objects, pipes and mailslots.
 *
 * Names relative to a handle pass as they are: a directory that the program has opened is one
 * of the VM's own, or a closer look is taken (fvm_shared.ipc_strict). Absolute names are
 * translated (core/include/fvm/ipc.h). */
#ifndef GUEST_OBJECT_H
#define GUEST_OBJECT_H

#include "guest.h"
#include "guest_nt.h"
#include "fvm/ipc.h"

#define NT_OBJECT_NAME_INVALID   GUEST_STATUS(0xc0000033)
#define NT_OBJECT_NAME_NOT_FOUND GUEST_STATUS(0xc0000034)
#define NT_OBJECT_PATH_NOT_FOUND GUEST_STATUS(0xc000003a)
#define NT_INVALID_CID           GUEST_STATUS(0xc000000b)
#define NT_BUFFER_TOO_SMALL      GUEST_STATUS(0xc0000023)

/* Code units in each of the four parts of a name's scratch buffer. */
#define OBJECT_NAME_CAP (GUEST_SCRATCH_SIZE / sizeof(fvm_wchar) / 4)

enum object_type {
    OBJECT_EVENT,
    OBJECT_MUTANT,
    OBJECT_SEMAPHORE,
    OBJECT_TIMER,
    OBJECT_KEYED_EVENT,
    OBJECT_COMPLETION,
    OBJECT_JOB,
    OBJECT_SECTION,
    OBJECT_DIRECTORY,
    OBJECT_LINK,
    OBJECT_TYPES,
};

/* A name in use by one call: what the host gets instead of the program's. */
struct object_name {
    const OBJECT_ATTRIBUTES *use;     /* for the host */
    const OBJECT_ATTRIBUTES *program; /* the same, when the host needs no other name for it */
    bool outside;         /* not where the VM's objects are: use names a place in its own tree */
    struct fvm_wstr view; /* absolute name without aliases; empty when use is the program's */
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    fvm_wchar *scratch;
    HANDLE parents[8]; /* directories opened for the call */
    uint32_t parent_count;
    bool retried;
};

/* --- name.c ---------------------------------------------------------------------------- */
/* Prepares the call's name. link_itself: the last component is not followed when it is a link.
 * Ends with object_end(), unless a status is returned, which is the call's. */
NTSTATUS object_begin(struct object_name *n, const OBJECT_ATTRIBUTES *attr, bool link_itself);
/* The same for calls that make objects: a name that the host itself has used stays its. */
NTSTATUS object_begin_new(struct object_name *n, const OBJECT_ATTRIBUTES *attr, bool link_itself);
void object_end(struct object_name *n);
/* After the host answered a creation: true when it is to be tried once more, with the
 * directories of the VM's own tree that it needs. */
bool object_again(struct object_name *n, NTSTATUS status);
/* The attributes by which the host knows the name outside of the VM's own tree. */
const OBJECT_ATTRIBUTES *object_host_name(struct object_name *n);

static inline bool object_is_missing(NTSTATUS status)
{
    return status == NT_OBJECT_NAME_NOT_FOUND || status == NT_OBJECT_PATH_NOT_FOUND;
}

struct fvm_wstr object_vm_id(void);

/* --- hooks.c: the host's calls ----------------------------------------------------------- */
typedef NTSTATUS(NTAPI *object_open_fn)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);

struct object_real {
    object_open_fn open[OBJECT_TYPES];
    NTSTATUS(NTAPI *create_event)
    (HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG, BOOLEAN);
    NTSTATUS(NTAPI *create_mutant)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, BOOLEAN);
    NTSTATUS(NTAPI *create_semaphore)
    (HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, LONG, LONG);
    NTSTATUS(NTAPI *create_timer)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
    NTSTATUS(NTAPI *create_keyed_event)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
    NTSTATUS(NTAPI *create_completion)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
    NTSTATUS(NTAPI *create_job)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *create_directory)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *create_link)
    (HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, UNICODE_STRING *);
    NTSTATUS(NTAPI *create_debug)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
    NTSTATUS(NTAPI *query_link)(HANDLE, UNICODE_STRING *, ULONG *);
    NTSTATUS(NTAPI *close)(HANDLE);
    NTSTATUS(NTAPI *query_object)(HANDLE, ULONG, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *create_pipe)
    (HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG, ULONG, ULONG,
     ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, LARGE_INTEGER *);
    NTSTATUS(NTAPI *create_mailslot)
    (HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG, ULONG, ULONG,
     LARGE_INTEGER *);
};
extern struct object_real object_real;

/* --- outside.c ---------------------------------------------------------------------------- */
/* NtOpen*, for all types. */
NTSTATUS object_open(enum object_type type, HANDLE *handle, ACCESS_MASK access,
                     const OBJECT_ATTRIBUTES *attr);

/* --- guest/pipe/ --------------------------------------------------------------------------- */
NTSTATUS NTAPI pipe_hook_create(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *,
                                ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG,
                                LARGE_INTEGER *);
NTSTATUS NTAPI pipe_hook_create_mailslot(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *,
                                         IO_STATUS_BLOCK *, ULONG, ULONG, ULONG, LARGE_INTEGER *);

#endif
