#include "transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/path.h"

struct in {
    const struct vm *vm;
    const struct base *base;
    struct space space;
    int log_fd;
    uint64_t seq;
    off_t log_end;
    unsigned copies; /* numbers the names in tmp */
    struct err **err;
};

static int no_room(struct in *in, const char *file)
{
    return err_sys(in->err, errno, "cannot write %s", file);
}

/* Appends a record; a part of one that did not fit is taken back. */
static int append_record(struct in *in, enum fvm_log_op op, uint32_t flags, struct fvm_wstr path)
{
    struct fvm_log_record r = {.op = op, .seq = in->seq + 1, .path = path, .flags = flags};
    uint32_t size = fvm_log_size(&r);
    char *data = xmalloc(size);
    fvm_log_encode(&r, data);
    int rc = fs_write_all(in->log_fd, data, size);
    free(data);
    if (rc) {
        err_sys(in->err, errno, "cannot write the log of VM %s", in->vm->name);
        /* should this fail too, the next start cuts the torn end off */
        if (ftruncate(in->log_fd, in->log_end)) vm_event(in->vm, "failed", "the log is torn");
        return -1;
    }
    in->seq++;
    in->log_end += size;
    if (fvm_log_apply(&r, in->space.ix) < 0)
        return err_set(in->err, "the change index of VM %s is full", in->vm->name);
    return 0;
}

/* The record of an object of the VM's own. */
static int append(struct in *in, struct fvm_wstr path, bool directory, bool base)
{
    return append_record(in, FVM_LOG_PRIVATE,
                         (directory ? FVM_LOG_DIRECTORY : 0u) | (base ? FVM_LOG_BASE : 0u), path);
}

/* What is seen at a path, and what the base has there. */
struct seen {
    struct space_lookup l;
    bool exists, directory, base;
    char *private;
};

static int look(struct in *in, struct fvm_wstr view, struct seen *s)
{
    if (space_look(in->space.ix, view, &s->l))
        return err_set(in->err, "the path is too long for Windows");
    struct stat st;
    s->private = space_private_path(in->vm, (struct fvm_wstr){s->l.l.canon, s->l.l.canon_len});
    s->exists = s->directory = false;
    s->base = (s->l.l.flags & FVM_NODE_BASE) != 0;
    char *base = NULL;
    switch (s->l.l.verdict) {
    case FVM_PRIVATE:
        s->exists = !lstat(s->private, &st);
        break;
    case FVM_PASS:
    case FVM_BASE:
    case FVM_MERGED:
        base = base_find(in->base, (struct fvm_wstr){s->l.l.base, s->l.l.base_len});
        s->exists = base && !stat(base, &st);
        /* a moved thing hides what the base has at its place; any other is the base's own */
        if (s->exists && !(s->l.l.flags & FVM_NODE_ORIGIN)) s->base = true;
        break;
    case FVM_ABSENT:
    case FVM_NO_PATH:
        break;
    }
    s->directory = s->exists && S_ISDIR(st.st_mode);
    free(base);
    return 0;
}

static int make_parents(struct in *in, const char *private)
{
    char *dir = xstrdup(private);
    *strrchr(dir, '/') = 0;
    int rc = fs_make_path(dir, 0755, in->err);
    free(dir);
    return rc;
}

static void copy_attributes(int from, int to)
{
    char value[256]; /* read-only, hidden, system: Wine keeps them here */
    ssize_t n = fgetxattr(from, "user.DOSATTRIB", value, sizeof value);
    if (n > 0 && fsetxattr(to, "user.DOSATTRIB", value, (size_t)n, 0)) return;
}

/* The private folder of one of the base's, with its times and attributes, and its record. Its
 * parent has one. */
static int make_folder(struct in *in, struct fvm_wstr view, const struct seen *s)
{
    char *from = base_find(in->base, (struct fvm_wstr){s->l.l.base, s->l.l.base_len});
    int src = from ? open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, rc = 0;
    struct wbuf path = wbuf_dup(view);
    struct stat st;
    if (src < 0 || fstat(src, &st)) {
        rc = err_sys(in->err, from ? errno : ENOENT, "cannot read %s", from ? from : s->private);
    } else if (!s->l.l.node && s->l.l.verdict == FVM_PASS && path.len > 2) {
        /* spelled as in the base */
        struct wbuf name = {0};
        wbuf_add_utf8(&name, strrchr(from, '/') + 1);
        path.len = fvm_path_parent(wbuf_str(&path));
        wbuf_add_component(&path, wbuf_str(&name));
        wbuf_free(&name);
    }
    char *private = space_private_path(in->vm, wbuf_str(&path));
    if (!rc && (fs_make_path(private, 0755, in->err))) rc = -1;
    int dst = rc ? -1 : open(private, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!rc && dst < 0) rc = no_room(in, private);
    if (!rc) {
        struct timespec times[2] = {st.st_atim, st.st_mtim};
        copy_attributes(src, dst);
        if (futimens(dst, times)) rc = no_room(in, private);
    }
    if (!rc && append_record(in, FVM_LOG_CONTAINER, 0, wbuf_str(&path))) {
        rmdir(private);
        rc = -1;
    }
    if (src >= 0) close(src);
    if (dst >= 0) close(dst);
    free(private);
    free(from);
    wbuf_free(&path);
    return rc;
}

/* Folders of the base in which something comes get a private folder each, as the guest does it:
 * by that a program that lists them is shown what the VM has there. */
static int make_folders(struct in *in, struct fvm_wstr view)
{
    if (!view.len) return 0;
    struct seen *s = xcalloc(1, sizeof *s);
    int rc = look(in, view, s);
    if (!rc && (s->l.l.verdict == FVM_PASS || s->l.l.verdict == FVM_BASE)) {
        struct fvm_wstr canon = {s->l.l.canon, s->l.l.canon_len};
        rc = make_folders(in, (struct fvm_wstr){canon.ptr, fvm_path_parent(canon)});
        /* the parents are spelled as in the base now */
        struct wbuf path = wbuf_dup(canon);
        free(s->private);
        s->private = NULL;
        if (!rc) rc = look(in, wbuf_str(&path), s);
        if (!rc) rc = make_folder(in, (struct fvm_wstr){s->l.l.canon, s->l.l.canon_len}, s);
        wbuf_free(&path);
    }
    free(s->private);
    free(s);
    return rc;
}

static int put_file(struct in *in, const char *from, const struct seen *s)
{
    char *tmp = xasprintf("%s/tmp/cp-%d-%u", in->vm->dir, (int)getpid(), in->copies++);
    int src = open(from, O_RDONLY | O_CLOEXEC), dst = -1, rc = 0;
    struct stat st;
    if (src < 0 || fstat(src, &st)) {
        rc = err_sys(in->err, errno, "cannot read %s", from);
    } else if ((dst = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0) {
        rc = no_room(in, tmp);
    } else {
        struct timespec times[2] = {st.st_atim, st.st_mtim};
        if (fs_copy_fd(src, dst) || fchmod(dst, (st.st_mode & 0777) | 0600) || futimens(dst, times))
            rc = no_room(in, tmp);
        copy_attributes(src, dst);
    }
    if (dst >= 0 && close(dst) && !rc) rc = no_room(in, tmp);
    if (src >= 0) close(src);
    if (!rc) rc = make_parents(in, s->private);
    if (!rc && rename(tmp, s->private)) rc = no_room(in, s->private);
    if (rc && dst >= 0) unlink(tmp);
    free(tmp);
    if (rc || s->l.l.verdict == FVM_PRIVATE) return rc;
    /* The file first, then the record: killed in between, the VM sees what it saw before. */
    struct fvm_wstr path = {s->l.l.canon, s->l.l.canon_len};
    if (!append(in, path, false, s->base)) return 0;
    unlink(s->private);
    return -1;
}

static int copy_in(struct in *in, const char *from, struct fvm_wstr view);

static int copy_children(struct in *in, const char *from, struct fvm_wstr view)
{
    DIR *dir = opendir(from);
    if (!dir) return err_sys(in->err, errno, "cannot read %s", from);
    int rc = 0;
    struct dirent *e;
    while (!rc && (e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct wbuf name = {0}, child = wbuf_dup(view);
        char *sub = xasprintf("%s/%s", from, e->d_name);
        struct stat own, target;
        wbuf_add_utf8(&name, e->d_name);
        wbuf_add_component(&child, wbuf_str(&name));
        if (strpbrk(e->d_name, "\\:*?\"<>|") || !utf8_valid(e->d_name)) {
            rc = err_set(in->err, "%s has a name that Windows forbids", sub);
            err_hint(in->err, "rename it; what was copied before it stays in the VM");
        } else if (!lstat(sub, &own) && S_ISLNK(own.st_mode) &&
                   (stat(sub, &target) || S_ISDIR(target.st_mode))) {
            fprintf(stderr, "fvm: left out: the link %s (to a folder, or to nothing)\n", sub);
        } else {
            rc = copy_in(in, sub, wbuf_str(&child));
        }
        free(sub);
        wbuf_free(&name);
        wbuf_free(&child);
    }
    closedir(dir);
    return rc;
}

static int put_folder(struct in *in, const char *from, const struct seen *s)
{
    struct fvm_wstr path = {s->l.l.canon, s->l.l.canon_len};
    if (!s->exists) {
        if (make_parents(in, s->private)) return -1;
        if (mkdir(s->private, 0755) && errno != EEXIST) return no_room(in, s->private);
        if (s->l.l.verdict != FVM_PRIVATE && append(in, path, true, s->base)) {
            rmdir(s->private);
            return -1;
        }
    }
    return copy_children(in, from, path);
}

static int copy_in(struct in *in, const char *from, struct fvm_wstr view)
{
    struct stat st;
    if (stat(from, &st)) return err_sys(in->err, errno, "cannot read %s", from);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        fprintf(stderr, "fvm: left out: %s is neither file nor folder\n", from);
        return 0;
    }
    struct seen *s = xcalloc(1, sizeof *s);
    int rc = make_folders(in, (struct fvm_wstr){view.ptr, fvm_path_parent(view)});
    if (!rc) rc = look(in, view, s);
    if (!rc && s->exists && s->directory != S_ISDIR(st.st_mode)) {
        char *text = utf8_of(view);
        rc = err_set(in->err, "cannot copy %s over %s: one is a file, the other a folder", from,
                     text);
        free(text);
    }
    if (!rc) rc = S_ISDIR(st.st_mode) ? put_folder(in, from, s) : put_file(in, from, s);
    free(s->private);
    free(s);
    return rc;
}

/* Where the source goes: into an existing folder, or to the name itself if its folder exists. */
static int find_target(struct in *in, const char *from, struct fvm_wstr to, bool into,
                       struct wbuf *out)
{
    struct seen *s = xcalloc(1, sizeof *s);
    char *text = utf8_of(to);
    int rc = look(in, to, s);
    *out = wbuf_dup((struct fvm_wstr){s->l.l.canon, s->l.l.canon_len});
    if (!rc && s->directory) {
        char *real = realpath(from, NULL);
        const char *name = real ? strrchr(real, '/') + 1 : "";
        struct wbuf leaf = {0};
        wbuf_add_utf8(&leaf, name);
        if (*name)
            wbuf_add_component(out, wbuf_str(&leaf));
        else
            rc = err_sys(in->err, errno ? errno : EINVAL, "cannot copy %s", from);
        wbuf_free(&leaf);
        free(real);
    } else if (!rc && into) {
        rc = err_set(in->err, "there is no folder %s in VM %s", text, in->vm->name);
    } else if (!rc && !s->exists) {
        struct fvm_wstr parent = {out->ptr, fvm_path_parent(wbuf_str(out))};
        free(s->private);
        s->private = NULL;
        rc = parent.len ? look(in, parent, s) : 0;
        if (!rc && (!parent.len || !s->directory))
            rc = err_set(in->err, "there is no folder in VM %s that could hold %s", in->vm->name,
                         text);
    }
    free(text);
    free(s->private);
    free(s);
    return rc;
}

int transfer_in(const struct vm *vm, const struct base *base, const char *from, struct fvm_wstr to,
                bool into, struct err **err)
{
    struct in in = {.vm = vm, .base = base, .log_fd = -1, .err = err};
    if (space_open(vm, base, &in.space, err)) return -1;
    in.seq = in.space.log.summary.last_seq;
    in.log_end = (off_t)in.space.log.summary.valid;
    char *file = xasprintf("%s/log", vm->dir);
    in.log_fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct wbuf target = {0};
    int rc = in.log_fd < 0 ? err_sys(err, errno, "cannot write %s", file) : 0;
    if (!rc) rc = find_target(&in, from, to, into, &target);
    if (!rc) rc = copy_in(&in, from, wbuf_str(&target));
    if (in.log_fd >= 0 && fsync(in.log_fd) && !rc)
        rc = err_sys(err, errno, "cannot write %s", file);
    if (in.log_fd >= 0) close(in.log_fd);
    wbuf_free(&target);
    free(file);
    space_close(&in.space);
    return rc;
}
