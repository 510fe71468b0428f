/* Where FVM keeps things: $FVM_HOME with base/ and vms/, and the run-time folder. */
#ifndef LAUNCHER_HOME_H
#define LAUNCHER_HOME_H

#include <stdbool.h>

#include "err.h"

/* All are absolute, free of symbolic links, and live until the program ends. NULL with an
 * error when the environment does not allow one (no HOME, a name that Wine cannot hold). */
const char *home_dir(struct err **err);  /* $FVM_HOME; need not exist yet */
const char *home_vms(struct err **err);  /* $FVM_HOME/vms */
const char *home_base(struct err **err); /* $FVM_HOME/base */

/* The user's run-time folder ($XDG_RUNTIME_DIR/fvm, or below /dev/shm or /tmp): made when
 * missing, verified to belong to the user and to nobody else. */
const char *home_runtime(struct err **err);

/* The folder of FVM's Windows parts, where fvm-monitor.exe and fvmguest.dll lie, as full
 * paths: $FVM_LIBDIR, else the installed place, else that of a build folder. Both are to be
 * freed. */
int home_parts(char **monitor, char **guest, struct err **err);

#endif
