/* The block of memory that all processes of a running VM share: configuration, the
 * writer's lock, and the change index.
 *
 * The launcher builds it natively as a file in the run-time folder when the VM starts
 * (from the VM's log), the monitor and the guests map that file. */
#ifndef FVM_SHARED_H
#define FVM_SHARED_H

#include "fvm/types.h"

#define FVM_SHARED_MAGIC   0x304d5646U /* "FVM0" */
/* With the size of struct fvm_shared in it: parts of different builds do not run together. */
#define FVM_SHARED_VERSION (2U + ((uint32_t)sizeof(struct fvm_shared) << 8))
/* The file is sparse: only what is used takes memory. Mapping it costs each process a little
 * time and memory by its size, so that follows the log: at least the least size, and
 * FVM_SHARED_PER_LOG bytes for each byte of the log beyond the first MiB. */
#define FVM_SHARED_LEAST   ((uint64_t)256 << 20)
#define FVM_SHARED_MOST    ((uint64_t)8 << 30)
#define FVM_SHARED_PER_LOG 16U
#define FVM_SHARED_CONFIG_OFFSET ((uint64_t)64 << 10)  /* room for 192 KiB */
#define FVM_SHARED_INDEX_OFFSET ((uint64_t)256 << 10)
/* The end of the block: which files of the base are open in the VM (guest/file/opens.c). */
#define FVM_SHARED_OPENS_SIZE ((uint64_t)16 << 20)

/* Before it: the VM's private registry (fvm/registry.h), by the size of its log. */
#define FVM_SHARED_REG_LEAST ((uint64_t)64 << 20)

#define FVM_NT_PATH_MAX 4096 /* code units of one configured path */

/* Size of the block of a VM whose log has so many bytes; a multiple of 1 MiB. */
static inline uint64_t fvm_shared_size(uint64_t log_bytes)
{
    const uint64_t mib = (uint64_t)1 << 20;
    uint64_t more = log_bytes > mib ? (log_bytes - mib) * FVM_SHARED_PER_LOG : 0;
    uint64_t size = (FVM_SHARED_LEAST + more + mib - 1) / mib * mib;
    return size < FVM_SHARED_MOST ? size : FVM_SHARED_MOST;
}

/* Size of the part that holds the private registry of a VM whose registry log has so many
 * bytes; a multiple of 1 MiB. */
static inline uint64_t fvm_shared_reg_size(uint64_t log_bytes)
{
    const uint64_t mib = (uint64_t)1 << 20;
    return FVM_SHARED_REG_LEAST + (log_bytes * 4 + mib - 1) / mib * mib;
}

struct fvm_shared_path {
    uint32_t len; /* code units, without terminator */
    fvm_wchar text[FVM_NT_PATH_MAX];
};

/* Processes that serve the whole VM, not one run of it: its service manager, its desktop, and what
 * those start. They map the block's first page a second time, at this address, below the block
 * itself: by that the launcher knows them. */
#define FVM_SERVED_MARK ((uint64_t)0x2f0fffff0000)
#define FVM_SERVICES    4U /* room for as many kinds of them */

/* One kind (guest/process/serve.c, monitor/serve.c). */
struct fvm_served {
    volatile uint32_t asked;    /* requests ever made */
    volatile uint32_t answered; /* the last one that the monitor has answered */
    volatile uint32_t up;       /* was there when that was answered */
    volatile uint32_t pid;      /* of the process, once it was started; 0: none */
    volatile uint64_t born;     /* its time of creation, since ids are given out again */
};

struct fvm_shared {
    uint32_t magic, version;
    uint64_t size, index_offset, index_size, opens_offset;
    uint64_t reg_offset, reg_size; /* struct fvm_reg */
    /* copies made of files that were open in the VM, ever; guest/boot/entry.S knows the place */
    volatile uint32_t stale_opens;
    /* What the index holds besides the log's records (aliases of drives and folders, the
     * workspace itself as hidden), as a log of its own with header: an index is built by
     * replaying these bytes and then the VM's log. Lies in the block at this offset. */
    uint32_t config_offset, config_len;
    fvm_wchar vm_name[256];
    uint32_t vm_name_len;
    /* unique for ever; part of the names of the VM's objects (see ipc.h) */
    fvm_wchar vm_id[32];
    uint32_t vm_id_len;
    uint32_t host_has_z; /* drive Z: is the Unix root, so \??\unix\x is Z:\x */
    /* NT names with the prefix \??\unix\ and without a trailing backslash */
    struct fvm_shared_path workspace; /* ...\vms\<id>: holds fs, tmp, log, events */
    /* The same folder as the host would report it in canonical form ("Z:\..."): what lies
     * below it is never shown to the guest as such. */
    struct fvm_shared_path workspace_canon;
    struct fvm_shared_path events; /* the event log, "\??\unix\..." */

    /* Writer's lock: who holds it, 0 when free. One word, so that who waits never takes half of
     * one owner and half of the next for a process that has died (guest/file/change.c). */
    volatile uint64_t lock_owner;
#define FVM_LOCK_OWNER(pid, tid) ((uint64_t)(pid) << 32 | (uint32_t)(tid))
    volatile uint64_t log_tail; /* bytes of the log that are valid */
    volatile uint64_t log_seq;  /* sequence number of the last record */
    volatile uint32_t tmp_seq;  /* makes names in tmp unique */
    volatile uint32_t repairs;  /* times that a dead writer's work was put right */
    volatile uint32_t open_chunks; /* chunks of the table of open base files ever used */
    /* The VM has changed something on a drive other than C:, where the host's folders lie with
     * the links that people make in them (see guest/file/links.c). */
    volatile uint32_t changes_beyond_c;
    volatile uint32_t read_only; /* a write of the log failed: nothing more is changed */

    /* Guest faults, for the monitor to tell the user (see guest/boot/fault.c). */
    volatile uint32_t fault_count;
    struct fvm_fault {
        uint32_t pid, code;
        uint64_t address, access; /* absolute; address of the data touched */
        uint64_t guest_base;
        uint32_t callers[8]; /* offsets in the guest found on the stack: likely callers */
        fvm_wchar image[260];
    } fault;
    /* Refusals, for the monitor's summary; the event log has the details. */
    volatile uint32_t event_count;
    /* A directory of the host's object tree, or a link into it, was opened or made by the VM:
     * names relative to a handle may lead out of the VM's own tree (guest/object/name.c). */
    volatile uint32_t ipc_strict;
    /* Objects that the VM made outside of \BaseNamedObjects, ever. */
    volatile uint32_t ipc_outside;
    /* Names of which the VM's programs have made global atoms, ever, by a hash of the name: where
     * no bit is set there is none (guest/window/atom.c). */
    volatile uint32_t atom_names[256];
    volatile uint32_t process_count; /* processes that the guest was put into, ever */
    /* The screen saver's time in seconds plus one, as the VM has set it; 0: not set. */
    volatile uint32_t screen_saver;
    /* A program ends the VM's session: no service is started for those that are left. */
    volatile uint32_t session_ends;
    volatile uint32_t show_name; /* titles of windows carry the VM's name (fvm run --title) */
    struct fvm_served served[FVM_SERVICES];
    /* Bytes of the register of watched directories that fvm has read (launcher/watch.c): what
     * the host changes in those is told of. All bits set: nobody reads it. */
    volatile uint64_t watches_read;
};

#endif
