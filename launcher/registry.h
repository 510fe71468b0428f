/* A VM's private registry on the disk: the file "registry" in its folder, a log
 * (fvm/registry_log.h). A VM that has changed nothing has no such file. */
#ifndef LAUNCHER_REGISTRY_H
#define LAUNCHER_REGISTRY_H

#include "base.h"
#include "err.h"
#include "fvm/registry_log.h"
#include "vm.h"

/* Bytes of the VM's registry log, 0 without one. */
uint64_t registry_log_bytes(const struct vm *vm);

/* Makes the store for a VM that starts, in a zeroed block of size bytes: reads the log, drops
 * what ended with the last run, cuts off a torn end, shortens a log that has grown. Needs the
 * exclusive lock. */
int registry_start(const struct vm *vm, const struct base *base, void *block, uint64_t size,
                   struct err **err);

/* A store in this process's memory, as commands use it. */
struct registry {
    struct fvm_reg *r;
    size_t size;
    uint64_t log_valid, log_seq;
    bool torn;
};
/* Makes it from the VM's log; links of the base are known when base is not NULL. Works on a
 * running VM too: as it is at this moment. */
int registry_open(const struct vm *vm, const struct base *base, struct registry *reg,
                  struct err **err);
/* Makes one of the base's registry (launcher/hive.h) alone. */
int registry_open_base(const struct base *base, struct registry *reg, struct err **err);
void registry_close(struct registry *reg);

/* Appends a record to the VM's log and applies it to reg. Needs the exclusive lock. */
int registry_append(const struct vm *vm, struct registry *reg, struct fvm_reg_record *rec,
                    struct err **err);

/* Cuts the log back to its first bytes, which undoes the changes since: the last thing that is done
 * with a store of it. An error is added to the one that is there. */
void registry_cut(const struct vm *vm, uint64_t valid, struct err **err);

/* Keeps of a damaged log what can be read, and sets the file itself aside. *lost receives the
 * bytes that cannot be read, 0 when nothing was wrong. Needs the exclusive lock. */
int registry_repair(const struct vm *vm, uint64_t *lost, struct err **err);

#endif
