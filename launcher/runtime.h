/* A running VM: the block of memory that its processes share. */
#ifndef LAUNCHER_RUNTIME_H
#define LAUNCHER_RUNTIME_H

#include "base.h"
#include "err.h"
#include "vm.h"

/* Starts the VM, or joins those that run it already: afterwards this process holds the
 * shared lock, is noted as running it, and the shared block lies in a file whose path
 * *shared receives (to be freed). On failure nothing of it is left. */
int runtime_enter(struct vm *vm, const struct base *base, char **shared, struct err **err);

/* Leaves it; the last one takes the run-time folder away. Gives the lock back, or keeps it
 * exclusively and returns 1 when keep is set and nobody else runs the VM. */
int runtime_leave(struct vm *vm, bool keep);

/* With the exclusive lock: clears away what a killed fvm has left in the run-time folder, and
 * ends processes of the VM that outlived it. */
int runtime_clear(const struct vm *vm, struct err **err);

/* Takes the exclusive lock and makes the workspace ready to be changed by fvm itself: what
 * killed ones have left is cleared away and mended. ix is the index made from the log (and
 * gets nothing new). */
int runtime_quiesce(struct vm *vm, struct err **err);

#endif
