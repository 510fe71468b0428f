#include "sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/fold.h"

struct walk {
    const struct vm *vm;
    const struct fvm_index *ix;
    struct sweep *out;
    struct err **err;
};

static void add(struct sweep *s, enum sweep_kind kind, char *file, char *wanted,
                struct fvm_wstr view)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 32;
        s->list = xrealloc(s->list, s->cap * sizeof *s->list);
    }
    s->list[s->count++] =
        (struct sweep_item){.kind = kind, .file = file, .wanted = wanted, .view = wbuf_dup(view)};
}

/* True when there is anything but folders in the tree. */
static bool has_files(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) return true;
    bool found = false;
    struct dirent *e;
    while (!found && (e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *sub = xasprintf("%s/%s", path, e->d_name);
        struct stat st;
        found = lstat(sub, &st) || !S_ISDIR(st.st_mode) || has_files(sub);
        free(sub);
    }
    closedir(dir);
    return found;
}

/* Does the index know a private object, or a folder for them, at this node? */
static bool belongs(uint32_t flags, bool directory)
{
    if (flags & (FVM_NODE_HIDDEN | FVM_NODE_ALIAS)) return false;
    if (flags & FVM_NODE_PRIVATE) return directory == ((flags & FVM_NODE_DIRECTORY) != 0);
    return directory; /* holds private objects below it */
}

static int walk_folder(struct walk *w, const char *path, uint32_t node, struct fvm_wstr view);

static int visit(struct walk *w, const char *folder, const char *entry, uint32_t node,
                 struct fvm_wstr view)
{
    struct wbuf name = {0}, place = wbuf_dup(view);
    wbuf_add_utf8(&name, entry);
    if (view.len) {
        wbuf_add_component(&place, wbuf_str(&name));
    } else {
        if (name.len == 1 && isalpha((unsigned char)entry[0])) wbuf_add_utf8(&name, ":");
        wbuf_add(&place, wbuf_str(&name));
    }
    char *file = xasprintf("%s/%s", folder, entry);
    struct stat st;
    int rc = 0;
    if (lstat(file, &st)) {
        if (errno != ENOENT) rc = err_sys(w->err, errno, "cannot look at %s", file);
    } else {
        bool directory = S_ISDIR(st.st_mode);
        uint32_t child = node ? fvm_index_find_child(w->ix, node, wbuf_str(&name)) : 0;
        uint32_t flags = child ? fvm_index_flags(w->ix, child) : 0;
        if (!child || !belongs(flags, directory)) {
            bool empty = directory && !has_files(file);
            add(w->out, empty ? SWEEP_EMPTY : SWEEP_ORPHAN, file, NULL, wbuf_str(&place));
            file = NULL;
        } else {
            struct fvm_wstr known = fvm_index_name(w->ix, child);
            if (view.len && (known.len != name.len ||
                             memcmp(known.ptr, name.ptr, known.len * sizeof *known.ptr))) {
                char *spelled = utf8_of(known), *wanted = xasprintf("%s/%s", folder, spelled);
                free(spelled);
                struct stat other;
                if (lstat(wanted, &other))
                    add(w->out, SWEEP_SPELLING, xstrdup(file), wanted, wbuf_str(&place));
                else {
                    free(wanted);
                    add(w->out, SWEEP_ORPHAN, xstrdup(file), NULL, wbuf_str(&place));
                }
            } else if (flags & FVM_NODE_PRIVATE) {
                *(directory ? &w->out->folders : &w->out->files) += 1;
            }
            if (directory) rc = walk_folder(w, file, child, wbuf_str(&place));
        }
    }
    free(file);
    wbuf_free(&name);
    wbuf_free(&place);
    return rc;
}

static int walk_folder(struct walk *w, const char *path, uint32_t node, struct fvm_wstr view)
{
    DIR *dir = opendir(path);
    if (!dir) return err_sys(w->err, errno, "cannot read the folder %s", path);
    int rc = 0;
    struct dirent *e;
    while (!rc && (e = readdir(dir)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            rc = visit(w, path, e->d_name, node, view);
    closedir(dir);
    return rc;
}

/* The other way round: what the index has and the tree has not. */
static void walk_nodes(struct walk *w, uint32_t node, const struct wbuf *view, bool gone)
{
    for (uint32_t id = fvm_index_first_child(w->ix, node); id;
         id = fvm_index_next_sibling(w->ix, id)) {
        uint32_t flags = fvm_index_flags(w->ix, id);
        if (flags & FVM_NODE_ALIAS) continue;
        struct wbuf place = wbuf_dup(wbuf_str(view));
        if (view->len)
            wbuf_add_component(&place, fvm_index_name(w->ix, id));
        else
            wbuf_add(&place, fvm_index_name(w->ix, id));
        bool lost = gone;
        if (gone && (flags & (FVM_NODE_PRIVATE | FVM_NODE_ORIGIN))) {
            add(w->out, SWEEP_UNREACHABLE, NULL, NULL, wbuf_str(&place));
        } else if (flags & FVM_NODE_PRIVATE) {
            char *file = space_private_path(w->vm, wbuf_str(&place));
            struct stat st;
            bool there = !lstat(file, &st);
            free(file);
            if (!there) add(w->out, SWEEP_MISSING, NULL, NULL, wbuf_str(&place));
            /* what is below a deleted folder was deleted with it */
            lost = there && !(flags & FVM_NODE_DIRECTORY);
            if (!there) {
                wbuf_free(&place);
                continue;
            }
        } else if ((flags & FVM_NODE_HIDDEN) && !(flags & FVM_NODE_ORIGIN)) {
            lost = true;
        }
        walk_nodes(w, id, &place, lost);
        wbuf_free(&place);
    }
}

int sweep_collect(const struct vm *vm, const struct fvm_index *ix, struct sweep *out,
                  struct err **err)
{
    struct walk w = {.vm = vm, .ix = ix, .out = out, .err = err};
    struct wbuf top = {0};
    *out = (struct sweep){0};
    char *fs = xasprintf("%s/fs", vm->dir);
    int rc = walk_folder(&w, fs, fvm_index_root(ix), wbuf_str(&top));
    free(fs);
    if (!rc) walk_nodes(&w, fvm_index_root(ix), &top, false);
    if (rc) sweep_free(out);
    return rc;
}

void sweep_free(struct sweep *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->list[i].file);
        free(s->list[i].wanted);
        wbuf_free(&s->list[i].view);
    }
    free(s->list);
    *s = (struct sweep){0};
}

int sweep_mend(const struct vm *vm, const struct sweep *s, struct err **err)
{
    /* from the end: what lies below a folder was found after it, and is mended before it */
    for (size_t i = s->count; i-- > 0;) {
        const struct sweep_item *item = &s->list[i];
        char *to = NULL;
        int rc = 0;
        if (item->kind == SWEEP_ORPHAN) {
            rc = space_set_aside(vm, item->file, &to, err);
            char *view = utf8_of(wbuf_str(&item->view));
            if (!rc) vm_event(vm, "recovered", "%s is not known to the log: moved to %s", view, to);
            free(view);
        } else if (item->kind == SWEEP_EMPTY) {
            rc = fs_remove_tree(item->file, err);
        } else if (item->kind == SWEEP_SPELLING && rename(item->file, item->wanted)) {
            rc = err_sys(err, errno, "cannot rename %s to %s", item->file, item->wanted);
        }
        free(to);
        if (rc) return -1;
    }
    return 0;
}
