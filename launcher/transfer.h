/* Copying files and folders into a VM and out of it. */
#ifndef LAUNCHER_TRANSFER_H
#define LAUNCHER_TRANSFER_H

#include "base.h"
#include "err.h"
#include "space.h"

/* Copies what the VM sees at the path (canonical but for aliases) to the machine. to: an
 * existing folder (the source goes into it under its own name), or the name of the copy. A base
 * without a dir is one that is gone: what it had is left out. */
int transfer_out(const struct vm *vm, const struct base *base, struct fvm_wstr from, const char *to,
                 struct err **err);

/* Copies a file or folder of the machine into the VM. Needs the exclusive lock and a mended
 * workspace. into: the path was written as a folder (with a separator at its end). */
int transfer_in(const struct vm *vm, const struct base *base, const char *from, struct fvm_wstr to,
                bool into, struct err **err);

#endif
