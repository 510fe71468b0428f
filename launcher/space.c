#include "space.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/fold.h"
#include "sweep.h"

/* Room for the index of a command: address space, memory is touched only as it fills. */
#define SPACE_SIZE ((size_t)1 << 30)

static int bad_log(const struct vm *vm, struct err **err, const char *why)
{
    err_set(err, "the log of VM %s is damaged: %s", vm->name, why);
    return err_hint(err, "see what is wrong and mend it with: fvm check %s --repair", vm->name);
}

/* True when a whole record stands behind the place at which reading ended: then that is no
 * write that was interrupted, which the next start may cut off, but damage in the middle. */
static bool more_behind(const struct space_log *log)
{
    for (uint64_t at = log->summary.valid + 8; at + 8 <= log->len; at += 8) {
        struct fvm_log_record r;
        if (fvm_log_decode((const char *)log->data + at, log->len - at, &r) &&
            r.seq > log->summary.last_seq)
            return true;
    }
    return false;
}

int space_load_log(const struct vm *vm, struct fvm_index *ix, struct space_log *log,
                   struct err **err)
{
    *log = (struct space_log){0};
    char *file = xasprintf("%s/log", vm->dir);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc = 0;
    if (fd < 0 && errno == ENOENT) {
        rc = bad_log(vm, err, "the file is missing");
    } else if (fd < 0 || fstat(fd, &st)) {
        rc = err_sys(err, errno, "cannot read %s", file);
    } else if (st.st_size < (off_t)sizeof(struct fvm_log_header)) {
        rc = bad_log(vm, err, "it is too short");
    } else {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            rc = err_sys(err, errno, "cannot read %s", file);
        } else {
            log->data = data;
            log->len = (size_t)st.st_size;
        }
    }
    if (fd >= 0) close(fd);
    free(file);
    if (rc) return rc;
    if (!fvm_log_replay(log->data, log->len, ix, &log->summary))
        rc = bad_log(vm, err, "it does not begin as a log");
    else if (log->summary.failed)
        rc = bad_log(vm, err, "records contradict one another");
    else if (log->summary.torn && more_behind(log))
        rc = bad_log(vm, err, "a part in its middle cannot be read");
    if (rc) space_free_log(log);
    return rc;
}

void space_free_log(struct space_log *log)
{
    if (log->data) munmap((void *)(uintptr_t)log->data, log->len);
    *log = (struct space_log){0};
}

/* --- configuration ------------------------------------------------------------------------ */

struct config {
    char *dst;
    size_t len, cap;
    uint64_t seq;
};

static int config_add(struct config *c, enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                      struct fvm_wstr other)
{
    struct fvm_log_record r = {
        .op = op, .flags = flags, .seq = c->seq + 1, .path = path, .other = other};
    uint32_t size = fvm_log_size(&r);
    if (size > c->cap - c->len) return -1;
    fvm_log_encode(&r, c->dst + c->len);
    c->len += size;
    c->seq++;
    return 0;
}

static int add_alias(void *arg, struct fvm_wstr path, struct fvm_wstr target)
{
    return config_add(arg, FVM_LOG_ALIAS, 0, path, target);
}

/* The VM's own folder is not seen inside it; a real name of a private file leads to the
 * place at which the VM sees that file. */
static int add_workspace(struct config *c, const struct vm *vm, const struct base *base)
{
    struct wbuf place = {0};
    int rc = 0;
    if (base_place(base, vm->dir, &place)) {
        rc = config_add(c, FVM_LOG_HIDDEN, FVM_LOG_BASE, wbuf_str(&place), (struct fvm_wstr){0});
        for (int i = 0; i < base->drive_count && !rc; i++) {
            struct wbuf fs = wbuf_dup(wbuf_str(&place)), root = {0};
            char fs_name[] = {'\\', 'f', 's', '\\', base->drives[i].letter, 0};
            char root_name[] = {base->drives[i].letter, ':', 0};
            wbuf_add_utf8(&fs, fs_name);
            wbuf_add_utf8(&root, root_name);
            rc = config_add(c, FVM_LOG_ALIAS, FVM_LOG_PRIVATE_TREE, wbuf_str(&fs), wbuf_str(&root));
            wbuf_free(&fs);
            wbuf_free(&root);
        }
    }
    wbuf_free(&place);
    return rc;
}

int space_config(const struct vm *vm, const struct base *base, void *dst, size_t cap,
                 struct err **err)
{
    struct config c = {.dst = dst, .len = sizeof(struct fvm_log_header), .cap = cap};
    struct fvm_log_header header = {.magic = FVM_LOG_MAGIC, .version = FVM_LOG_VERSION};
    memcpy(dst, &header, sizeof header);
    if (base_aliases(base, add_alias, &c) || add_workspace(&c, vm, base)) {
        err_set(err, "the base %s has too many drives and linked folders", base->dir);
        return err_hint(err, "at most about a thousand links in drive_c/users are supported");
    }
    return (int)c.len;
}

/* --- recovery ------------------------------------------------------------------------------ */

char *space_private_path(const struct vm *vm, struct fvm_wstr view)
{
    char *text = utf8_of(view);
    /* "C:\a" is kept at fs/C/a: a drive loses its colon, backslashes become slashes */
    char *colon = view.len >= 2 && view.ptr[1] == ':' ? text + 1 : NULL;
    if (colon) memmove(colon, colon + 1, strlen(colon));
    for (char *p = text; *p; p++)
        if (*p == '\\') *p = '/';
    char *path = xasprintf("%s/fs/%s", vm->dir, text);
    free(text);
    return path;
}

int space_look(const struct fvm_index *ix, struct fvm_wstr view, struct space_lookup *out)
{
    out->l = (struct fvm_lookup){.canon = out->canon,
                                 .canon_cap = FVM_PATH_MAX,
                                 .base = out->base,
                                 .base_cap = FVM_PATH_MAX};
    return fvm_index_lookup(ix, view, &out->l);
}

int space_set_aside(const struct vm *vm, const char *path, char **to, struct err **err)
{
    char *dir = xasprintf("%s/lost+found", vm->dir);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int rc = fs_make_path(dir, 0755, err);
    for (unsigned n = 0; !rc; n++) {
        char *target = n ? xasprintf("%s/%s.%u", dir, name, n) : xasprintf("%s/%s", dir, name);
        struct stat st;
        bool taken = !lstat(target, &st);
        if (!taken && rename(path, target))
            rc = err_sys(err, errno, "cannot move %s to %s", path, target);
        if (!taken && !rc && to) {
            *to = target;
            target = NULL;
        }
        free(target);
        if (!taken) break;
    }
    free(dir);
    return rc;
}

/* Could the private file have been there when the record was written? One that was made
 * since then (a program killed just after it had made a new file under the old name) is none
 * to be moved. Where file systems do not know when a file was made, it could. */
static bool older_than_log(const struct vm *vm, const char *file)
{
    char *log = xasprintf("%s/log", vm->dir);
    struct statx made, written;
    bool known = !statx(AT_FDCWD, file, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &made) &&
                 !statx(AT_FDCWD, log, 0, STATX_MTIME, &written) && (made.stx_mask & STATX_BTIME);
    free(log);
    if (!known) return true;
    if (made.stx_btime.tv_sec != written.stx_mtime.tv_sec)
        return made.stx_btime.tv_sec < written.stx_mtime.tv_sec;
    return made.stx_btime.tv_nsec <= written.stx_mtime.tv_nsec;
}

bool space_rename_pending(const struct vm *vm, const struct fvm_log_record *last)
{
    if (last->op != FVM_LOG_RENAME) return false;
    char *from = space_private_path(vm, last->path);
    struct stat st;
    bool pending = !lstat(from, &st) && older_than_log(vm, from);
    free(from);
    return pending;
}

/* The record of a rename is written before the private file moves: after a crash between
 * the two, the move is done here. */
static int finish_rename(const struct vm *vm, const struct fvm_index *ix,
                         const struct fvm_log_record *r, struct err **err)
{
    char *from = space_private_path(vm, r->path), *to = NULL, *aside = NULL;
    struct space_lookup *look = xmalloc(sizeof *look);
    struct stat st;
    int rc = 0;
    if (!space_look(ix, r->other, look) && look->l.node) {
        to = space_private_path(vm, (struct fvm_wstr){look->l.canon, look->l.canon_len});
        char *slash = strrchr(to, '/');
        *slash = 0;
        rc = fs_make_path(to, 0755, err);
        *slash = '/';
        if (!rc && !lstat(to, &st)) rc = space_set_aside(vm, to, &aside, err);
        if (!rc && rename(from, to)) rc = err_sys(err, errno, "cannot move %s to %s", from, to);
        if (!rc)
            vm_event(vm, "recovered", "finished the rename of %s to %s%s%s", from, to,
                     aside ? "; what it replaced is at " : "", aside ? aside : "");
    }
    free(look);
    free(aside);
    free(from);
    free(to);
    return rc;
}

static int empty_tmp(const struct vm *vm, struct err **err)
{
    char *name = xasprintf("%s/tmp", vm->dir);
    int rc = fs_make_path(name, 0755, err);
    DIR *dir = rc ? NULL : opendir(name);
    if (!rc && !dir) rc = err_sys(err, errno, "cannot read %s", name);
    struct dirent *e;
    while (!rc && (e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *path = xasprintf("%s/%s", name, e->d_name);
        rc = fs_remove_tree(path, err);
        free(path);
    }
    if (dir) closedir(dir);
    free(name);
    return rc;
}

/* What a killed writer of fs_write_file() has left beside the log. */
static void clear_unfinished(const struct vm *vm)
{
    DIR *dir = opendir(vm->dir);
    struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (strstr(e->d_name, ".new-")) unlinkat(dirfd(dir), e->d_name, 0);
    if (dir) closedir(dir);
}

static char *mark_of(const struct vm *vm)
{
    return xasprintf("%s/in-use", vm->dir);
}

int space_mark_used(const struct vm *vm, struct err **err)
{
    char *file = mark_of(vm);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    int rc = fd < 0 ? err_sys(err, errno, "cannot write %s", file) : 0;
    if (fd >= 0) close(fd);
    free(file);
    return rc;
}

void space_mark_clean(const struct vm *vm)
{
    char *file = mark_of(vm);
    unlink(file);
    free(file);
}

static bool marked_used(const struct vm *vm)
{
    char *file = mark_of(vm);
    bool used = !access(file, F_OK);
    free(file);
    return used;
}

static int cut_log(const struct vm *vm, const struct space_log *log, struct err **err)
{
    char *file = xasprintf("%s/log", vm->dir);
    int rc = truncate(file, (off_t)log->summary.valid)
                 ? err_sys(err, errno, "cannot cut the torn end off %s", file)
                 : 0;
    free(file);
    if (!rc)
        vm_event(vm, "recovered", "cut %llu bytes of an unfinished record off the log",
                 (unsigned long long)(log->len - log->summary.valid));
    return rc;
}

int space_recover(const struct vm *vm, const struct fvm_index *ix, const struct space_log *log,
                  struct err **err)
{
    const struct fvm_log_summary *s = &log->summary;
    bool pending =
        s->records && space_rename_pending(vm, &s->last); /* before the log's time changes */
    if (s->torn && cut_log(vm, log, err)) return -1;
    if (pending && finish_rename(vm, ix, &s->last, err)) return -1;
    if (empty_tmp(vm, err)) return -1;
    clear_unfinished(vm);
    if (!marked_used(vm)) return 0;
    struct sweep sweep;
    if (sweep_collect(vm, ix, &sweep, err)) return -1;
    int rc = sweep_mend(vm, &sweep, err);
    sweep_free(&sweep);
    if (!rc) space_mark_clean(vm);
    return rc;
}

/* --- the index of a command ------------------------------------------------------------------ */

int space_open(const struct vm *vm, const struct base *base, struct space *space, struct err **err)
{
    *space = (struct space){.size = SPACE_SIZE};
    void *block = mmap(NULL, SPACE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) return err_sys(err, errno, "cannot get memory for the change index");
    space->ix = block;
    int rc = fvm_index_init(block, SPACE_SIZE);
    if (rc) rc = err_set(err, "cannot make the change index (error %d)", rc);
    if (!rc && base) {
        const size_t cap = SPACE_CONFIG_ROOM;
        void *config = xmalloc(cap);
        int len = space_config(vm, base, config, cap, err);
        struct fvm_log_summary summary;
        if (len < 0)
            rc = -1;
        else if (!fvm_log_replay(config, (size_t)len, space->ix, &summary) || summary.failed)
            rc = err_set(err, "the drives and linked folders of the base %s contradict one another",
                         base->dir);
        free(config);
    }
    if (!rc) rc = space_load_log(vm, space->ix, &space->log, err);
    if (rc) space_close(space);
    return rc;
}

void space_close(struct space *space)
{
    space_free_log(&space->log);
    if (space->ix) munmap(space->ix, space->size);
    *space = (struct space){0};
}
