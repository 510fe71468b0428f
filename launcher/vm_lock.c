/* The lock of a VM, and who holds it. */
#include "vm_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsutil.h"
#include "util.h"

int vm_lock_file(int fd, short type, bool wait)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int rc;
    while ((rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) && errno == EINTR) {
    }
    return rc;
}

static char *pid_list(const struct vm *vm)
{
    int *pids;
    size_t n = vm_pids(vm, &pids);
    char *text = xstrdup("");
    for (size_t i = 0; i < n; i++) {
        char *longer = xasprintf("%s%s%d", text, i ? ", " : n > 1 ? " (pids " : " (pid ", pids[i]);
        free(text);
        text = longer;
    }
    free(pids);
    if (!n) return text;
    char *closed = xasprintf("%s)", text);
    free(text);
    return closed;
}

/* Opens the lock file. Its lock belongs to the open file, so that it also goes from
 * exclusive to shared in one step, which flock() does not promise. */
static int open_lock(struct vm *vm, struct err **err)
{
    if (vm->lock_fd >= 0) return 0;
    char *file = xasprintf("%s/lock", vm->dir);
    vm->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int rc = 0;
    if (vm->lock_fd < 0)
        rc = errno == ENOENT
                 ? vm_unknown(vm->name, err)
                 : err_sys(err, errno, "cannot open VM %s: its lock %s", vm->name, file);
    free(file);
    return rc;
}

/* True when the locked file is still that of the VM of this name. */
static bool still_there(const struct vm *vm)
{
    char *file = xasprintf("%s/lock", vm->dir);
    struct stat named, held;
    bool same = !stat(file, &named) && !fstat(vm->lock_fd, &held) && named.st_ino == held.st_ino &&
                named.st_dev == held.st_dev;
    free(file);
    return same;
}

static void unlock(struct vm *vm)
{
    close(vm->lock_fd);
    vm->lock_fd = -1;
}

int vm_try_exclusive(struct vm *vm, struct err **err)
{
    if (open_lock(vm, err)) return -1;
    if (vm_lock_file(vm->lock_fd, F_WRLCK, false)) {
        if (errno == EAGAIN || errno == EACCES) return 1;
        err_sys(err, errno, "cannot lock VM %s", vm->name);
        unlock(vm);
        return -1;
    }
    if (still_there(vm)) return 0;
    unlock(vm);
    return vm_unknown(vm->name, err);
}

int vm_lock(struct vm *vm, enum vm_lock lock, struct err **err)
{
    if (lock == VM_LOCK_NONE) {
        if (vm->lock_fd >= 0) unlock(vm);
        return 0;
    }
    if (lock == VM_LOCK_EXCLUSIVE) {
        int rc = vm_try_exclusive(vm, err);
        if (rc != 1) return rc;
        char *pids = pid_list(vm);
        err_set(err, "VM %s is %s%s", vm->name, *pids ? "running" : "in use by another fvm", pids);
        err_hint(err, *pids ? "stop it first: end its programs, or these processes with `kill`"
                            : "wait until that one has ended");
        free(pids);
        return -1;
    }
    if (open_lock(vm, err)) return -1;
    if (vm_lock_file(vm->lock_fd, F_RDLCK, true)) {
        err_sys(err, errno, "cannot lock VM %s", vm->name);
        unlock(vm);
        return -1;
    }
    if (still_there(vm)) return 0;
    unlock(vm);
    return vm_unknown(vm->name, err);
}

bool vm_running(const struct vm *vm)
{
    char *file = xasprintf("%s/lock", vm->dir);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    free(file);
    if (fd < 0) return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

size_t vm_pids(const struct vm *vm, int **pids)
{
    size_t n = 0, cap = 0;
    *pids = NULL;
    DIR *dir = opendir(vm->runtime);
    if (!dir) return 0;
    struct dirent *e;
    while ((e = readdir(dir))) {
        unsigned long pid;
        if (strncmp(e->d_name, "run.", 4) || !parse_number(e->d_name + 4, 1UL << 30, &pid))
            continue;
        if (kill((pid_t)pid, 0) && errno == ESRCH) continue;
        if (n == cap) *pids = xrealloc(*pids, (cap = cap ? cap * 2 : 8) * sizeof(**pids));
        (*pids)[n++] = (int)pid;
    }
    closedir(dir);
    return n;
}

int vm_note_pid(const struct vm *vm, struct err **err)
{
    char *file = xasprintf("%s/run.%d", vm->runtime, (int)getpid());
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? err_sys(err, errno, "cannot write %s", file) : 0;
    if (fd >= 0) close(fd);
    free(file);
    return rc;
}

void vm_forget_pid(const struct vm *vm)
{
    char *file = xasprintf("%s/run.%d", vm->runtime, (int)getpid());
    unlink(file);
    free(file);
}

int vm_remove_runtime(const struct vm *vm, struct err **err)
{
    return fs_remove_tree(vm->runtime, err);
}
