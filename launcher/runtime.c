#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "fsutil.h"
#include "fvm/shared.h"
#include "fvm/utf.h"
#include "registry.h"
#include "space.h"

static int set_path(struct fvm_shared_path *dst, struct fvm_wstr path, struct err **err)
{
    if (path.len >= FVM_NT_PATH_MAX) {
        char *text = utf8_of(path);
        err_set(err, "the path %s is too long: at most %d characters are possible", text,
                FVM_NT_PATH_MAX - 1);
        free(text);
        return err_hint(err, "point FVM_HOME at a folder with a shorter path");
    }
    memcpy(dst->text, path.ptr, path.len * sizeof(*path.ptr));
    dst->len = path.len;
    return 0;
}

/* The NT name of a Unix path: \??\unix\home\... */
static int set_unix_path(struct fvm_shared_path *dst, const char *path, struct err **err)
{
    struct wbuf name = {0};
    wbuf_add_utf8(&name, "\\??\\unix");
    wbuf_add_utf8(&name, path);
    for (uint32_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/') name.ptr[i] = '\\';
    int rc = set_path(dst, wbuf_str(&name), err);
    wbuf_free(&name);
    return rc;
}

static int fill_paths(struct fvm_shared *s, const struct vm *vm, const struct base *base,
                      struct err **err)
{
    char *events = xasprintf("%s/events", vm->dir);
    int rc = set_unix_path(&s->workspace, vm->dir, err);
    if (!rc) rc = set_unix_path(&s->events, events, err);
    free(events);
    struct wbuf canon = {0};
    if (!rc && base_place(base, vm->dir, &canon))
        rc = set_path(&s->workspace_canon, wbuf_str(&canon), err);
    wbuf_free(&canon);
    return rc;
}

/* Fills a new block, all zeros, of size bytes, and mends the workspace. */
static int fill(char *block, uint64_t size, uint64_t reg_size, const struct vm *vm,
                const struct base *base, struct err **err)
{
    struct fvm_shared *s = (struct fvm_shared *)(void *)block;
    _Static_assert(sizeof(*s) <= FVM_SHARED_CONFIG_OFFSET, "the configuration has its own place");
    s->version = FVM_SHARED_VERSION;
    s->size = size;
    s->index_offset = FVM_SHARED_INDEX_OFFSET;
    s->opens_offset = size - FVM_SHARED_OPENS_SIZE;
    s->reg_size = reg_size;
    s->reg_offset = s->opens_offset - reg_size;
    s->index_size = s->reg_offset - s->index_offset;
    s->vm_name_len = (uint32_t)fvm_utf8_to_utf16(vm->name, strlen(vm->name), s->vm_name, 256);
    s->vm_id_len = (uint32_t)fvm_utf8_to_utf16(vm->id, strlen(vm->id), s->vm_id, 32);
    s->host_has_z = base->has_z;
    if (fill_paths(s, vm, base, err)) return -1;

    char *config = block + FVM_SHARED_CONFIG_OFFSET;
    int len = space_config(vm, base, config, SPACE_CONFIG_ROOM, err);
    if (len < 0) return -1;
    s->config_offset = (uint32_t)FVM_SHARED_CONFIG_OFFSET;
    s->config_len = (uint32_t)len;

    struct fvm_index *ix = (struct fvm_index *)(void *)(block + FVM_SHARED_INDEX_OFFSET);
    struct fvm_log_summary summary;
    if (fvm_index_init(ix, s->index_size) || !fvm_log_replay(config, (size_t)len, ix, &summary) ||
        summary.failed)
        return err_set(err, "the drives and linked folders of the base %s contradict one another",
                       base->dir);
    struct space_log log;
    if (space_load_log(vm, ix, &log, err)) return -1;
    int rc = space_recover(vm, ix, &log, err);
    s->changes_beyond_c = log.summary.beyond_c;
    s->log_tail = log.summary.valid;
    s->log_seq = log.summary.last_seq;
    space_free_log(&log);
    if (!rc) rc = registry_start(vm, base, block + s->reg_offset, s->reg_size, err);
    s->magic = FVM_SHARED_MAGIC;
    return rc;
}

/* Writing to a mapping for which the file system has no room raises SIGBUS: then filling
 * stops and reports it. */
static sigjmp_buf no_room;

static void on_bus_error(int sig)
{
    (void)sig;
    siglongjmp(no_room, 1);
}

static int fill_guarded(char *block, uint64_t size, uint64_t reg_size, const struct vm *vm,
                        const struct base *base, const char *file, struct err **err)
{
    struct sigaction guard = {.sa_handler = on_bus_error}, old;
    sigaction(SIGBUS, &guard, &old);
    /* what fill() holds at such a moment is lost, and fvm ends soon after */
    int rc = sigsetjmp(no_room, 1) ? err_sys(err, ENOSPC, "no room for the shared memory %s", file)
                                   : fill(block, size, reg_size, vm, base, err);
    sigaction(SIGBUS, &old, NULL);
    return rc;
}

/* The register of watched directories (watch.c) is one run's. */
static void forget_watches(const struct vm *vm)
{
    char *watches = xasprintf("%s/watches", vm->dir);
    unlink(watches);
    free(watches);
}

/* Makes the block's file aside and moves it into place. */
static int build(const struct vm *vm, const struct base *base, const char *shared, struct err **err)
{
    char *file = xasprintf("%s.new", shared), *log = xasprintf("%s/log", vm->dir);
    struct stat st;
    uint64_t reg_size = fvm_shared_reg_size(registry_log_bytes(vm));
    uint64_t size = fvm_shared_size(stat(log, &st) ? 0 : (uint64_t)st.st_size) + reg_size;
    free(log);
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;
    void *block = MAP_FAILED;
    if (fd < 0 || ftruncate(fd, (off_t)size))
        rc = err_sys(err, errno, "cannot make the shared memory %s", file);
    if (!rc) {
        block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (block == MAP_FAILED) rc = err_sys(err, errno, "cannot map the shared memory %s", file);
    }
    if (!rc) rc = fill_guarded(block, size, reg_size, vm, base, file, err);
    if (block != MAP_FAILED) munmap(block, size);
    if (fd >= 0) close(fd);
    if (!rc && rename(file, shared))
        rc = err_sys(err, errno, "cannot move the shared memory to %s", shared);
    if (rc) unlink(file);
    free(file);
    return rc;
}

/* --- starting and leaving ------------------------------------------------------------------ */

int runtime_clear(const struct vm *vm, struct err **err)
{
    struct stat st;
    if (lstat(vm->runtime, &st)) return 0;
    /* Its last fvm was killed; what it ran may be about to end just now. */
    char *shared = xasprintf("%s/shared", vm->runtime);
    int ended = child_end_users_of(shared, err);
    free(shared);
    if (ended < 0 || vm_remove_runtime(vm, err)) return -1;
    if (ended) vm_event(vm, "recovered", "ended %d processes whose fvm was killed", ended);
    return 0;
}

int runtime_quiesce(struct vm *vm, struct err **err)
{
    struct space space;
    if (vm_lock(vm, VM_LOCK_EXCLUSIVE, err) || runtime_clear(vm, err)) return -1;
    if (space_open(vm, NULL, &space, err)) return -1;
    int rc = space_recover(vm, space.ix, &space.log, err);
    space_close(&space);
    return rc;
}

/* With the exclusive lock: nobody runs the VM by rights. */
static int start(struct vm *vm, const struct base *base, const char *shared, struct err **err)
{
    if (runtime_clear(vm, err)) return -1;
    if (mkdir(vm->runtime, 0700))
        return err_sys(err, errno, "cannot make the run-time folder %s", vm->runtime);
    struct err *second = NULL;
    if (!build(vm, base, shared, err) && !space_mark_used(vm, err) && !vm_note_pid(vm, err))
        return 0;
    vm_remove_runtime(vm, &second);
    err_free(&second);
    return -1;
}

int runtime_enter(struct vm *vm, const struct base *base, char **shared, struct err **err)
{
    *shared = xasprintf("%s/shared", vm->runtime);
    int rc;
    for (;;) {
        rc = vm_try_exclusive(vm, err);
        if (!rc) {
            rc = start(vm, base, *shared, err);
            if (!rc) rc = vm_lock(vm, VM_LOCK_SHARED, err);
            break;
        }
        if (rc < 0) break;
        /* Waits while another one starts it. Should that one fail, or the last one leave just
         * now, the block is not there and it is our turn to start the VM. */
        rc = vm_lock(vm, VM_LOCK_SHARED, err);
        if (rc) break;
        if (!access(*shared, R_OK)) {
            rc = vm_note_pid(vm, err);
            break;
        }
        vm_lock(vm, VM_LOCK_NONE, NULL);
    }
    if (!rc) return 0;
    vm_lock(vm, VM_LOCK_NONE, NULL);
    free(*shared);
    *shared = NULL;
    return err_context(err, "cannot start VM %s", vm->name);
}

static bool read_shared(const char *file, struct fvm_shared *s)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && pread(fd, s, sizeof *s, 0) == (ssize_t)sizeof *s;
    if (fd >= 0) close(fd);
    return whole;
}

/* What served the VM ends with its last monitor, and its end is waited for: it may write until
 * then. Whether there was any, the block tells. */
static void end_served(const char *file)
{
    struct err *ignored = NULL;
    struct fvm_shared s;
    bool any = false;
    if (!read_shared(file, &s)) return;
    for (size_t i = 0; i < FVM_SERVICES; i++)
        any |= s.served[i].asked != 0;
    if (any && child_end_users_of(file, &ignored) < 0) err_free(&ignored);
}

/* True when a process of the VM ended in the middle of a change: it still owns the lock. */
static bool died_at_work(const char *file)
{
    struct fvm_shared s;
    return !read_shared(file, &s) || s.lock_owner || s.repairs;
}

int runtime_leave(struct vm *vm, bool keep)
{
    struct err *ignored = NULL;
    vm_forget_pid(vm);
    bool last = !vm_try_exclusive(vm, &ignored);
    if (!last) {
        /* of two that leave at once each sees the other one's lock: who has given his up and
         * still finds nobody is the last */
        err_free(&ignored);
        ignored = NULL;
        vm_lock(vm, VM_LOCK_NONE, NULL);
        last = !vm_try_exclusive(vm, &ignored);
    }
    if (last) {
        /* a mark that stays makes the next start look after what was left half done */
        char *shared = xasprintf("%s/shared", vm->runtime);
        end_served(shared);
        bool clean = !died_at_work(shared);
        free(shared);
        forget_watches(vm);
        if (!vm_remove_runtime(vm, &ignored) && clean) space_mark_clean(vm);
    }
    err_free(&ignored);
    if (last && keep) return 1;
    vm_lock(vm, VM_LOCK_NONE, NULL);
    return 0;
}
