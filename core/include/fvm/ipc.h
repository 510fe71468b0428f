/* Names of objects, pipes and mailslots: what a VM calls them and what the host does.
 *
 * The VM's objects lie in a tree of their own below the host's \BaseNamedObjects:
 *
 *   \BaseNamedObjects\FVM-<id>\Global   stands for \BaseNamedObjects
 *   \BaseNamedObjects\FVM-<id>\Local    stands for \Sessions\1\BaseNamedObjects
 *   \BaseNamedObjects\FVM-<id>\Links    stands for \Sessions\BNOLINKS
 *   \BaseNamedObjects\FVM-<id>\Stations stands for \Sessions\1\Windows\WindowStations
 *   \BaseNamedObjects\FVM-<id>\Root     takes what the VM creates anywhere else
 *   \BaseNamedObjects\FVM-<id>\Members  the job of all processes of the VM
 *
 * Pipes and mailslots have flat name spaces: those of the VM begin with fvm\<id>\. */
#ifndef FVM_IPC_H
#define FVM_IPC_H

#include "fvm/types.h"

enum fvm_ipc_kind {
    FVM_IPC_NOT,      /* no absolute name, or one that the host refuses: pass it on */
    FVM_IPC_OBJECT,   /* in one of the directories that the VM has of its own */
    FVM_IPC_PIPE,     /* a pipe */
    FVM_IPC_MAILSLOT, /* a mailslot */
    FVM_IPC_DEVICE,   /* the device of all pipes or all mailslots itself: the host's */
    FVM_IPC_OUTSIDE,  /* elsewhere: one of the VM's own, in Root, or one of the host's */
    FVM_IPC_LONG,     /* OBJECT or OUTSIDE whose private name does not fit: use part and inner */
};

struct fvm_ipc_name {
    fvm_wchar *dst; /* in: buffer for the private name */
    uint32_t cap;   /* in: its capacity in code units */
    uint32_t len;   /* out: length of the private name; not for NOT, DEVICE and LONG */
    /* out, for OBJECT, OUTSIDE and LONG: the directory of the VM's tree ("Global", ...) and, for
     * all but OUTSIDE, the rest of the name behind it (empty, or beginning with a backslash). For
     * OUTSIDE the rest is head and rest. */
    const char *part;
    struct fvm_wstr inner;
    /* out: the name without aliases of its beginning (\??\GLOBALROOT\..., \DosDevices\...): the
     * two parts, one behind the other, are what the host can be asked for. Not for NOT. */
    struct fvm_wstr head, rest;
};

/* The session of all processes of the host. */
#define FVM_IPC_SESSION "1"

/* Takes an absolute NT name apart. fold: the call ignores case (OBJ_CASE_INSENSITIVE). id: the
 * VM's, in the host's spelling. out->rest and out->inner point into name. Pipes and mailslots
 * whose private name does not fit get a shorter one that ends in a hash of the whole. */
enum fvm_ipc_kind fvm_ipc_to_private(struct fvm_wstr id, struct fvm_wstr name, bool fold,
                                     struct fvm_ipc_name *out);

/* What the VM calls an object, pipe or mailslot that the host calls real. Returns the length,
 * or 0 when the name is no private one (or does not fit). */
uint32_t fvm_ipc_to_view(struct fvm_wstr id, struct fvm_wstr real, fvm_wchar *dst, uint32_t cap);

/* The beginning of the VM's names of pipes and mailslots: "fvm\<id>\". Returns its length, 0
 * when it does not fit. */
uint32_t fvm_ipc_prefix(struct fvm_wstr id, fvm_wchar *dst, uint32_t cap);

/* The name of the VM's tree of objects, with "\" and part appended when part is not NULL.
 * Returns its length, 0 when it does not fit. */
uint32_t fvm_ipc_tree(struct fvm_wstr id, const char *part, fvm_wchar *dst, uint32_t cap);

#endif
