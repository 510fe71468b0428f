/* The base's registry as Wine keeps it on the disk: system.reg, user.reg and userdef.reg. While
 * Wine runs it may know changes of the last half minute that are not there yet. */
#ifndef LAUNCHER_HIVE_H
#define LAUNCHER_HIVE_H

#include "err.h"
#include "fvm/registry.h"

/* Puts all keys of the base at dir into the store, as keys of its own. */
int hive_load_base(const char *dir, struct fvm_reg *r, struct err **err);

/* Calls fn for each symbolic link in the base's registry: its path and where it leads, both
 * below \Registry. Stops and returns what fn returns when that is not 0. Files that are not
 * there have no links. */
int hive_links(const char *dir,
               int (*fn)(void *arg, struct fvm_wstr path, struct fvm_wstr target), void *arg);

#endif
