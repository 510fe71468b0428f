/* A VM on disk: $FVM_HOME/vms/NAME with vm.json, log, events, fs/, tmp/ and lock. */
#ifndef LAUNCHER_VM_H
#define LAUNCHER_VM_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define VM_NAME_MAX 64

struct vm {
    char *name;
    char *id;      /* 16 hexadecimal digits, for ever unique: names the run-time folder */
    char *created; /* UTC, 2026-01-31T12:00:00Z */
    char *base;    /* folder of the base */
    bool own_base; /* the base is the one of FVM_HOME, wherever that lies */
    char *dir;
    char *runtime; /* run-time folder of the VM, which exists while it runs */
    int lock_fd;   /* -1 when not locked */
};

enum vm_lock {
    VM_LOCK_NONE,
    VM_LOCK_SHARED,    /* one of those that run it */
    VM_LOCK_EXCLUSIVE, /* nobody else runs or changes it */
};

/* Checks a name: letters, digits, '_', '.' and '-', the first a letter or digit, at most 64.
 * Returns 0, or -1 with a usage error. */
int vm_check_name(const char *name, struct err **err);

/* Makes a new empty VM, whole or not at all. name NULL: a free name is chosen. base NULL: the
 * base of FVM_HOME, which need not exist yet. Opens it into *vm, exclusively locked.
 * lasting false: made for this run alone. Its being on the disk is not waited for, and should
 * this fvm be killed, a later one removes the VM as soon as nobody holds its lock. */
int vm_create(const char *name, const char *base, bool lasting, struct vm *vm, struct err **err);
/* Makes a VM that was made for one run a lasting one. */
void vm_keep(const struct vm *vm);

/* Opens an existing VM without a lock. */
int vm_open(const char *name, struct vm *vm, struct err **err);
void vm_close(struct vm *vm); /* gives the lock back too */

/* Locks the VM. Exclusive: fails at once when it is in use, naming the processes.
 * Shared: waits for those that are about to start or remove it. The lock goes from exclusive
 * to shared without a gap. Fails when the VM was removed meanwhile. */
int vm_lock(struct vm *vm, enum vm_lock lock, struct err **err);
/* Like the exclusive lock, but returns 1 without an error when the VM is in use. */
int vm_try_exclusive(struct vm *vm, struct err **err);

/* True when a process runs the VM now. */
bool vm_running(const struct vm *vm);
/* The fvm processes that run it: *pids is to be freed. */
size_t vm_pids(const struct vm *vm, int **pids);
/* Notes that this process runs the VM, or no longer does. */
int vm_note_pid(const struct vm *vm, struct err **err);
void vm_forget_pid(const struct vm *vm);
/* Takes the run-time folder away. Needs the exclusive lock. */
int vm_remove_runtime(const struct vm *vm, struct err **err);

/* Removes the VM with all it holds. Needs the exclusive lock. */
int vm_remove(struct vm *vm, struct err **err);

/* Names of all VMs, sorted; to be freed with vm_free_names(). */
int vm_list(char ***names, size_t *count, struct err **err);
void vm_free_names(char **names, size_t count);

/* Appends one line to the VM's event log: {"time","kind","why"}. Best effort. */
void vm_event(const struct vm *vm, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes that a tree takes on the disk. */
unsigned long long vm_disk_use(const char *dir);

#endif
