#include "verbs.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "fsutil.h"
#include "home.h"
#include "util.h"
#include "vm.h"

/* How long a running fvm has, after SIGTERM, to end its VM, in milliseconds. */
#define PATIENCE 5000

/* Ends those that run the VM, as a person would: asks first, then does not ask. */
static int stop(const struct vm *vm, struct err **err)
{
    int *pids;
    size_t n = vm_pids(vm, &pids);
    for (size_t i = 0; i < n; i++) {
        int fd = (int)syscall(SYS_pidfd_open, pids[i], 0);
        if (fd < 0) continue;
        struct pollfd gone = {.fd = fd, .events = POLLIN};
        if (!syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) && poll(&gone, 1, PATIENCE) < 1) {
            syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
            poll(&gone, 1, PATIENCE);
        }
        close(fd);
    }
    free(pids);
    char *shared = xasprintf("%s/shared", vm->runtime);
    int rc = child_end_users_of(shared, err);
    free(shared);
    return rc < 0 ? -1 : 0;
}

/* A VM whose description cannot be read has no lock to speak of: its folder is removed. */
static int remove_damaged(const char *name, struct err **err)
{
    const char *vms = home_vms(err);
    struct stat st;
    if (!vms) return -1;
    char *dir = xasprintf("%s/%s", vms, name);
    int rc = 1;
    if (!lstat(dir, &st)) {
        err_free(err);
        rc = fs_remove_tree(dir, err);
    }
    free(dir);
    return rc;
}

static int remove_one(const char *name, bool force, struct err **err)
{
    struct vm vm;
    if (vm_open(name, &vm, err))
        return force && (*err)->exit_code != EXIT_CODE_USAGE && !remove_damaged(name, err) ? 0 : -1;
    int rc = vm_try_exclusive(&vm, err);
    if (rc == 1 && force) rc = stop(&vm, err);
    if (rc >= 0) rc = vm_lock(&vm, VM_LOCK_EXCLUSIVE, err);
    if (!rc) rc = vm_remove(&vm, err);
    vm_close(&vm);
    return rc;
}

static int rm(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {{"force", no_argument, NULL, 'f'}, {0}};
    bool force = false;
    int c;
    while ((c = getopt_long(argc, argv, ":f", options, NULL)) != -1) {
        if (c != 'f') return verb_bad_option(argv, c, optopt, err);
        force = true;
    }
    if (verb_count(argc, optind, 1, -1, err)) return -1;
    /* one that cannot be removed does not keep the others from it */
    int code = EXIT_CODE_OK;
    for (; optind < argc; optind++) {
        if (!remove_one(argv[optind], force, err)) continue;
        code = (*err)->exit_code;
        err_print(*err);
        err_free(err);
    }
    return code;
}

const struct verb verb_rm = {
    "rm",
    "[-f] NAME...",
    "Remove VMs with all that was changed in them",
    "Options:\n"
    "  -f, --force  end the programs that run in them first; remove damaged ones too\n",
    rm,
};
