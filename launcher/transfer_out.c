#include "transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/path.h"

struct out {
    const struct vm *vm;
    const struct base *base;
    const struct fvm_index *ix;
    struct err **err;
};

/* Copies one file with time and permissions; whole or not at all. */
static int copy_file(const char *from, const char *to, struct err **err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return err_sys(err, errno, "cannot read %s", from);
    char *tmp = xasprintf("%s.fvm-XXXXXX", to);
    int out = mkostemp(tmp, O_CLOEXEC), e = 0;
    struct stat st;
    if (out < 0) {
        err_sys(err, errno, "cannot write %s", to);
        free(tmp);
        close(in);
        return -1;
    }
    if (fstat(in, &st) || fs_copy_fd(in, out) || fchmod(out, st.st_mode & 0777)) e = errno;
    if (!e) {
        struct timespec times[2] = {st.st_atim, st.st_mtim};
        if (futimens(out, times)) e = errno;
    }
    if (close(out) && !e) e = errno;
    if (!e && rename(tmp, to)) e = errno;
    if (e) {
        unlink(tmp);
        err_sys(err, e, "cannot write %s", to);
    }
    close(in);
    free(tmp);
    return e ? -1 : 0;
}

static int copy_link(const char *from, const char *to, struct err **err)
{
    char target[4096];
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n < 0) return err_sys(err, errno, "cannot read the link %s", from);
    target[n] = 0;
    unlink(to);
    return symlink(target, to) ? err_sys(err, errno, "cannot make the link %s", to) : 0;
}

static int copy_view(struct out *o, struct fvm_wstr view, const char *to, bool top);

/* Copies the entries of a real folder that the VM sees, each as the VM sees it. */
static int copy_entries(struct out *o, const char *folder, struct fvm_wstr view, const char *to)
{
    DIR *dir = opendir(folder);
    if (!dir) return errno == ENOENT ? 0 : err_sys(o->err, errno, "cannot read %s", folder);
    int rc = 0;
    struct dirent *e;
    while (!rc && (e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct wbuf name = {0}, child = wbuf_dup(view);
        wbuf_add_utf8(&name, e->d_name);
        wbuf_add_component(&child, wbuf_str(&name));
        char *target = xasprintf("%s/%s", to, e->d_name);
        struct stat st;
        if (lstat(target, &st)) rc = copy_view(o, wbuf_str(&child), target, false);
        free(target);
        wbuf_free(&name);
        wbuf_free(&child);
    }
    closedir(dir);
    return rc;
}

/* What the index alone knows: things that were moved here. */
static int copy_nodes(struct out *o, uint32_t node, struct fvm_wstr view, const char *to)
{
    int rc = 0;
    for (uint32_t id = node ? fvm_index_first_child(o->ix, node) : 0; id && !rc;
         id = fvm_index_next_sibling(o->ix, id)) {
        if (fvm_index_flags(o->ix, id) & FVM_NODE_ALIAS) continue;
        struct wbuf child = wbuf_dup(view);
        wbuf_add_component(&child, fvm_index_name(o->ix, id));
        char *name = utf8_of(fvm_index_name(o->ix, id)), *target = xasprintf("%s/%s", to, name);
        struct stat st;
        if (lstat(target, &st)) rc = copy_view(o, wbuf_str(&child), target, false);
        free(name);
        free(target);
        wbuf_free(&child);
    }
    return rc;
}

static int copy_folder(struct out *o, const struct space_lookup *l, const char *private,
                       const char *base, const char *to)
{
    struct stat st;
    if (mkdir(to, 0755) && (errno != EEXIST || stat(to, &st) || !S_ISDIR(st.st_mode)))
        return err_sys(o->err, errno, "cannot make the folder %s", to);
    struct fvm_wstr canon = {l->l.canon, l->l.canon_len};
    int rc = copy_entries(o, private, canon, to);
    if (!rc) rc = copy_nodes(o, l->l.node, canon, to);
    if (!rc && base) rc = copy_entries(o, base, canon, to);
    return rc;
}

/* Copies what is seen at the path; nothing when there is nothing. */
static int copy_view(struct out *o, struct fvm_wstr view, const char *to, bool top)
{
    struct space_lookup *l = xmalloc(sizeof *l);
    int rc = 0;
    if (space_look(o->ix, view, l)) {
        free(l);
        return err_set(o->err, "a path is too long for Windows: not copied to %s", to);
    }
    /* below the source, another name of a folder elsewhere is not followed */
    if (l->l.aliased && !top) {
        free(l);
        return 0;
    }
    char *private = space_private_path(o->vm, (struct fvm_wstr){l->l.canon, l->l.canon_len});
    char *base = NULL;
    const char *real = private;
    switch (l->l.verdict) {
    case FVM_PASS:
    case FVM_BASE:
    case FVM_MERGED:
        real = base = base_find(o->base, (struct fvm_wstr){l->l.base, l->l.base_len});
        /* a folder that the base no longer has */
        if (!real && l->l.verdict == FVM_MERGED) real = private;
        break;
    case FVM_PRIVATE:
        break;
    case FVM_ABSENT:
    case FVM_NO_PATH:
        real = NULL;
    }
    struct stat st;
    if (real && !(top ? stat(real, &st) : lstat(real, &st))) {
        if (S_ISDIR(st.st_mode))
            rc = copy_folder(o, l, private, base, to);
        else if (S_ISLNK(st.st_mode))
            rc = copy_link(real, to, o->err);
        else if (S_ISREG(st.st_mode))
            rc = copy_file(real, to, o->err);
    } else if (top) {
        char *text = utf8_of(view);
        rc = err_set(o->err, "there is no %s in VM %s", text, o->vm->name);
        free(text);
    }
    free(private);
    free(base);
    free(l);
    return rc;
}

int transfer_out(const struct vm *vm, const struct base *base, struct fvm_wstr from, const char *to,
                 struct err **err)
{
    struct space space;
    /* without the base its other names of folders are not known */
    if (space_open(vm, base->dir ? base : NULL, &space, err)) return -1;
    struct out o = {.vm = vm, .base = base, .ix = space.ix, .err = err};
    struct stat st;
    char *target;
    if (!stat(to, &st) && S_ISDIR(st.st_mode)) {
        uint32_t parent = fvm_path_parent(from);
        struct fvm_wstr name = {from.ptr + (parent ? parent + 1 : 0),
                                parent ? from.len - parent - 1 : 1};
        char *text = utf8_of(name);
        target = xasprintf("%s/%s", to, text);
        free(text);
    } else {
        target = xstrdup(to);
    }
    int rc = copy_view(&o, from, target, true);
    free(target);
    space_close(&space);
    return rc;
}
