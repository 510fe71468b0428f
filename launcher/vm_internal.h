/* What the parts of the VM's code share: vm.c, vm_make.c, vm_lock.c. */
#ifndef LAUNCHER_VM_INTERNAL_H
#define LAUNCHER_VM_INTERNAL_H

#include <stdbool.h>

#include "vm.h"

#define VM_FORMAT     1       /* of vm.json */
#define VM_NEW_PREFIX ".new-" /* folders in the making */
#define VM_OLD_PREFIX ".rm-"  /* folders on their way out */
#define VM_RUN_PREFIX ".run-" /* + name: the VM whose id is in this file is for one run */

/* Sets vm->runtime. */
int vm_set_places(struct vm *vm, struct err **err);
/* There is no VM of this name: makes the error. */
int vm_unknown(const char *name, struct err **err);
/* Locks the open file with F_RDLCK or F_WRLCK. Returns 0, or -1 with errno. */
int vm_lock_file(int fd, short type, bool wait);
/* The time now as in vm.json and events; to be freed. */
char *vm_now(void);

#endif
