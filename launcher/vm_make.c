/* Making VMs, and clearing away what was left by those that were killed at it. */
#include "vm_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "fsutil.h"
#include "fvm/log.h"
#include "home.h"
#include "util.h"

static void random_bytes(void *p, size_t n)
{
    /* never short nor interrupted for so few bytes; without it names are only less random */
    if (getrandom(p, n, 0) != (ssize_t)n) memset(p, getpid() & 0xff, n);
}

static char *random_name(void)
{
    static const char *const left[] = {
        "airy",  "blithe", "bright", "brisk", "calm", "deft",   "downy", "fleet", "gentle", "keen",
        "light", "lively", "merry",  "mild",  "neat", "nimble", "quick", "quiet", "spry",   "swift",
    };
    static const char *const right[] = {
        "crane",  "dove",    "egret",  "finch",  "heron",   "jay",    "kite",
        "lark",   "linnet",  "martin", "oriole", "petrel",  "plover", "robin",
        "siskin", "swallow", "swift",  "tern",   "wagtail", "wren",
    };
    unsigned char r[4];
    random_bytes(r, sizeof r);
    return xasprintf("%s-%s-%02x%02x", left[r[0] % (sizeof left / sizeof *left)],
                     right[r[1] % (sizeof right / sizeof *right)], r[2], r[3]);
}

static bool starts_with(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

/* Removes a folder whose maker or user was killed: the lock in it is free. */
static void clear_dead(const char *path)
{
    char *lock = xasprintf("%s/lock", path);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    struct stat st;
    struct err *ignored = NULL;
    /* without a lock it is being made just now, or was killed in its first instant */
    bool dead = fd >= 0 ? !vm_lock_file(fd, F_WRLCK, false)
                        : !stat(path, &st) && time(NULL) - st.st_mtime > 60;
    if (dead) fs_remove_tree(path, &ignored);
    err_free(&ignored);
    if (fd >= 0) close(fd);
    free(lock);
}

static bool holds_text(const char *file, const char *text)
{
    char *data = NULL;
    size_t len;
    struct err *ignored = NULL;
    bool same = !fs_read_file(file, &data, &len, &ignored) && !strcmp(data, text);
    err_free(&ignored);
    free(data);
    return same;
}

/* A VM for one run whose run was killed: it and its mark go. */
static void clear_dead_run(const char *vms, const char *mark)
{
    char *file = xasprintf("%s/%s", vms, mark);
    const char *name = mark + strlen(VM_RUN_PREFIX);
    struct vm vm;
    struct err *ignored = NULL;
    struct stat st;
    if (!vm_open(name, &vm, &ignored)) {
        /* the mark names the VM by its id: another one of this name is safe */
        if (!vm_try_exclusive(&vm, &ignored) && holds_text(file, vm.id)) {
            char *shared = xasprintf("%s/shared", vm.runtime);
            if (child_end_users_of(shared, &ignored) >= 0) vm_remove(&vm, &ignored);
            free(shared);
        }
        vm_close(&vm);
    } else if (!stat(file, &st) && time(NULL) - st.st_mtime > 60) {
        unlink(file); /* its VM was never made */
    }
    err_free(&ignored);
    free(file);
}

/* Removes what was left by those that were killed. */
static void clear_leftovers(const char *vms)
{
    DIR *dir = opendir(vms);
    if (!dir) return;
    struct dirent *e;
    while ((e = readdir(dir))) {
        if (starts_with(e->d_name, VM_NEW_PREFIX) || starts_with(e->d_name, VM_OLD_PREFIX)) {
            char *path = xasprintf("%s/%s", vms, e->d_name);
            clear_dead(path);
            free(path);
        } else if (starts_with(e->d_name, VM_RUN_PREFIX)) {
            clear_dead_run(vms, e->d_name);
        }
    }
    closedir(dir);
}

static char *run_mark(const char *vms, const char *name)
{
    return xasprintf("%s/" VM_RUN_PREFIX "%s", vms, name);
}

void vm_keep(const struct vm *vm)
{
    struct err *ignored = NULL;
    const char *vms = home_vms(&ignored);
    err_free(&ignored);
    if (!vms) return;
    char *mark = run_mark(vms, vm->name);
    unlink(mark);
    free(mark);
}

/* Returns 1 when the name is taken. */
static int set_run_mark(const char *vms, const struct vm *vm, struct err **err)
{
    struct stat st;
    if (!lstat(vm->dir, &st)) return 1;
    char *mark = run_mark(vms, vm->name);
    int fd = open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), rc = 0;
    if (fd < 0)
        rc = errno == EEXIST ? 1 : err_sys(err, errno, "cannot write %s", mark);
    else if (fs_write_all(fd, vm->id, strlen(vm->id))) {
        rc = err_sys(err, errno, "cannot write %s", mark);
        unlink(mark);
    }
    if (fd >= 0) close(fd);
    free(mark);
    return rc;
}

static int write_part(const char *dir, const char *name, const void *data, size_t len, bool sync,
                      struct err **err)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), e = 0;
    if (fd < 0 || fs_write_all(fd, data, len) || (sync && fsync(fd))) e = errno;
    if (fd >= 0 && close(fd) && !e) e = errno;
    if (e) err_sys(err, e, "cannot write %s", path);
    free(path);
    return e ? -1 : 0;
}

/* Fills the new folder; the description comes last and takes all before it to the disk. */
static int fill(const struct vm *vm, const char *dir, bool lasting, struct err **err)
{
    static const char *const folders[] = {"fs", "tmp"};
    for (size_t i = 0; i < 2; i++) {
        char *path = xasprintf("%s/%s", dir, folders[i]);
        int rc = mkdir(path, 0755) ? err_sys(err, errno, "cannot make the folder %s", path) : 0;
        free(path);
        if (rc) return -1;
    }
    struct fvm_log_header header = {.magic = FVM_LOG_MAGIC, .version = FVM_LOG_VERSION};
    if (write_part(dir, "log", &header, sizeof header, lasting, err)) return -1;

    json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:o}", "version", VM_FORMAT, "name", vm->name,
                             "id", vm->id, "created", vm->created, "base",
                             vm->own_base ? json_null() : json_string(vm->base));
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text) return err_set(err, "cannot describe VM %s: its base is no UTF-8 text", vm->name);
    char *line = xasprintf("%s\n", text);
    free(text);
    int rc = write_part(dir, "vm.json", line, strlen(line), lasting, err);
    free(line);
    return rc;
}

/* Makes the folder aside and moves it into place. Returns 1 when the name is taken. */
static int make(struct vm *vm, const char *vms, bool lasting, struct err **err)
{
    char *tmp = xasprintf("%s/" VM_NEW_PREFIX "XXXXXX", vms), *lock = NULL, *early = NULL;
    int rc = -1;
    if (!mkdtemp(tmp)) {
        err_sys(err, errno, "cannot make a folder in %s", vms);
        free(tmp);
        return -1;
    }
    /* it gets its name when it is locked: a free one means that its maker is dead */
    lock = xasprintf("%s/lock", tmp);
    early = xasprintf("%s/lock.new", tmp);
    vm->lock_fd = open(early, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (vm->lock_fd < 0 || vm_lock_file(vm->lock_fd, F_WRLCK, false) || rename(early, lock))
        err_sys(err, errno, "cannot lock %s", lock);
    else
        rc = fill(vm, tmp, lasting, err); /* the folder stays closed to others, as mkdtemp made it */
    if (!rc && syscall(SYS_renameat2, AT_FDCWD, tmp, AT_FDCWD, vm->dir, 1 /* no replace */)) {
        rc = errno == EEXIST ? 1 : -1;
        if (rc < 0) err_sys(err, errno, "cannot move the new VM to %s", vm->dir);
    }
    if (rc) {
        struct err *second = NULL;
        fs_remove_tree(tmp, &second);
        err_free(&second);
        if (vm->lock_fd >= 0) close(vm->lock_fd);
        vm->lock_fd = -1;
    }
    free(early);
    free(lock);
    free(tmp);
    return rc;
}

int vm_create(const char *name, const char *base, bool lasting, struct vm *vm, struct err **err)
{
    *vm = (struct vm){.lock_fd = -1};
    const char *vms = home_vms(err), *own = vms ? home_base(err) : NULL;
    if (!own || (name && vm_check_name(name, err))) return -1;
    if (fs_make_path(vms, 0755, err)) goto fail;
    clear_leftovers(vms);

    unsigned char id[8];
    random_bytes(id, sizeof id);
    vm->id = xasprintf("%02x%02x%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3], id[4], id[5],
                       id[6], id[7]);
    vm->created = vm_now();
    vm->own_base = !base || !strcmp(base, own);
    vm->base = xstrdup(vm->own_base ? own : base);
    if (vm_set_places(vm, err)) goto fail;

    int rc;
    do {
        free(vm->name);
        free(vm->dir);
        vm->name = name ? xstrdup(name) : random_name();
        vm->dir = xasprintf("%s/%s", vms, vm->name);
        rc = lasting ? 0 : set_run_mark(vms, vm, err);
        if (rc) continue;
        rc = make(vm, vms, lasting, err);
        if (rc && !lasting) vm_keep(vm);
    } while (rc == 1 && !name);
    if (!rc) return 0;
    if (rc == 1) {
        err_set(err, "VM %s exists already", name);
        err_hint(err, "choose another name, or remove it with: fvm rm %s", name);
        vm_close(vm);
        return -1;
    }
fail:
    err_context(err, name ? "cannot create VM %s" : "cannot create a VM%s", name ? name : "");
    vm_close(vm);
    return -1;
}
