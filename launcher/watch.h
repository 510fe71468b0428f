/* Tells programs that watch a directory of what the host changes in the base.
 *
 * The host gives a directory handle one inotify watch, and a program's handle is on the VM's
 * private folder, in which the VM's own changes happen. What the host changes in the base's
 * directory is repeated there by fvm: an empty stand-in comes, changes and goes. Stand-ins
 * have no node in the change index, so that no program finds them by name or in a listing. */
#ifndef LAUNCHER_WATCH_H
#define LAUNCHER_WATCH_H

#include "base.h"
#include "err.h"
#include "vm.h"

struct watch;

/* Starts the work for a VM that runs: shared is the file of its shared block. One fvm of
 * those that run the VM does it. Returns NULL with an error when that is impossible. */
struct watch *watch_start(const struct vm *vm, const struct base *base, const char *shared,
                          struct err **err);
/* Ends it and takes the stand-ins away. NULL is allowed. */
void watch_stop(struct watch *w);

#endif
