#include "changes.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fvm/fold.h"

struct walk {
    const struct vm *vm;
    const struct base *base;
    const struct fvm_index *ix;
    struct changes *out;
    struct fvm_wstr *origins; /* places in the base from which something was moved, sorted */
    size_t origin_count, origin_cap;
};

/* A node on the way down: its place in the view, and in the base as far as that is seen or
 * was replaced by what is in the VM. */
struct level {
    struct wbuf path, place;
    bool replaced; /* a folder of the base lies here or above that the VM has replaced */
};

static int order(const void *a, const void *b)
{
    return wstr_path_compare(*(const struct fvm_wstr *)a, *(const struct fvm_wstr *)b);
}

static bool was_moved(const struct walk *w, struct fvm_wstr place)
{
    return w->origin_count &&
           bsearch(&place, w->origins, w->origin_count, sizeof place, order) != NULL;
}

static void find_origins(struct walk *w, uint32_t node)
{
    for (uint32_t id = fvm_index_first_child(w->ix, node); id;
         id = fvm_index_next_sibling(w->ix, id)) {
        if ((fvm_index_flags(w->ix, id) & (FVM_NODE_ORIGIN | FVM_NODE_ALIAS)) == FVM_NODE_ORIGIN) {
            if (w->origin_count == w->origin_cap) {
                w->origin_cap = w->origin_cap ? w->origin_cap * 2 : 16;
                w->origins = xrealloc(w->origins, w->origin_cap * sizeof *w->origins);
            }
            w->origins[w->origin_count++] = fvm_index_target(w->ix, id);
        }
        find_origins(w, id);
    }
}

static struct change *add(struct walk *w, char kind, struct fvm_wstr path)
{
    struct changes *c = w->out;
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->list = xrealloc(c->list, c->cap * sizeof *c->list);
    }
    struct change *change = &c->list[c->count++];
    *change = (struct change){.kind = kind, .path = wbuf_dup(path), .size = -1};
    return change;
}

static void describe(struct change *c, const struct stat *st)
{
    c->directory = S_ISDIR(st->st_mode);
    if (!c->directory) c->size = (long long)st->st_size;
}

static bool stat_base(const struct walk *w, struct fvm_wstr place, struct stat *st)
{
    char *file = w->base ? base_find(w->base, place) : NULL;
    bool found = file && !stat(file, st);
    free(file);
    return found;
}

static void add_deleted(struct walk *w, struct fvm_wstr path, struct fvm_wstr place)
{
    struct stat st;
    if (!w->base)
        add(w, 'D', path);
    else if (stat_base(w, place, &st))
        describe(add(w, 'D', path), &st);
    /* else the base has lost it too: no difference */
}

/* A folder of the VM's own in place of one of the base: what is not in it any more. */
static void add_lost_children(struct walk *w, uint32_t node, const struct level *level)
{
    char *name = w->base ? base_find(w->base, wbuf_str(&level->place)) : NULL;
    DIR *dir = name ? opendir(name) : NULL;
    free(name);
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct wbuf child = {0}, path = wbuf_dup(wbuf_str(&level->path)),
                    place = wbuf_dup(wbuf_str(&level->place));
        wbuf_add_utf8(&child, e->d_name);
        wbuf_add_component(&path, wbuf_str(&child));
        wbuf_add_component(&place, wbuf_str(&child));
        if (!fvm_index_find_child(w->ix, node, wbuf_str(&child)) && !was_moved(w, wbuf_str(&place)))
            add_deleted(w, wbuf_str(&path), wbuf_str(&place));
        wbuf_free(&child);
        wbuf_free(&path);
        wbuf_free(&place);
    }
    if (dir) closedir(dir);
}

/* A private node. Returns true when there is something below it. */
static bool visit_private(struct walk *w, uint32_t node, uint32_t flags, struct level *level)
{
    struct fvm_wstr path = wbuf_str(&level->path), place = wbuf_str(&level->place);
    char *file = space_private_path(w->vm, path);
    struct stat st, base_st;
    bool exists = !lstat(file, &st);
    free(file);
    bool over = place.len && !was_moved(w, place) &&
                ((flags & FVM_NODE_BASE) || (level->replaced && stat_base(w, place, &base_st)));
    if (!exists) {
        if (over) add_deleted(w, path, place);
        return false;
    }
    describe(add(w, over ? 'M' : 'A', path), &st);
    if (!(flags & FVM_NODE_DIRECTORY)) return false;
    if (over) {
        level->replaced = true;
        add_lost_children(w, node, level);
    }
    return true;
}

static void visit_moved(struct walk *w, uint32_t node, struct level *level)
{
    struct fvm_wstr target = fvm_index_target(w->ix, node);
    struct stat st;
    level->place.len = 0;
    wbuf_add(&level->place, target);
    level->replaced = false;
    struct change *c = add(w, 'R', wbuf_str(&level->path));
    c->old = wbuf_dup(target);
    c->directory = fvm_index_flags(w->ix, node) & FVM_NODE_DIRECTORY;
    if (stat_base(w, target, &st)) describe(c, &st);
}

static void visit_below(struct walk *w, uint32_t node, const struct level *up);

static void visit(struct walk *w, uint32_t node, const struct level *up)
{
    uint32_t flags = fvm_index_flags(w->ix, node);
    struct fvm_wstr name = fvm_index_name(w->ix, node);
    if (flags & FVM_NODE_ALIAS) return;

    struct level level = {.path = wbuf_dup(wbuf_str(&up->path)),
                          .place = wbuf_dup(wbuf_str(&up->place)),
                          .replaced = up->replaced};
    if (up->path.len) {
        wbuf_add_component(&level.path, name);
        wbuf_add_component(&level.place, name);
    } else {
        wbuf_add(&level.path, name);
        wbuf_add(&level.place, name);
    }
    bool below = true;
    if (flags & FVM_NODE_PRIVATE) {
        below = visit_private(w, node, flags, &level);
    } else if (flags & FVM_NODE_ORIGIN) {
        visit_moved(w, node, &level);
    } else if (flags & FVM_NODE_HIDDEN) {
        below = false;
        if (!was_moved(w, wbuf_str(&level.place)))
            add_deleted(w, wbuf_str(&level.path), wbuf_str(&level.place));
    }
    if (below) visit_below(w, node, &level);
    wbuf_free(&level.path);
    wbuf_free(&level.place);
}

static void visit_below(struct walk *w, uint32_t node, const struct level *up)
{
    for (uint32_t id = fvm_index_first_child(w->ix, node); id;
         id = fvm_index_next_sibling(w->ix, id))
        visit(w, id, up);
}

static int change_order(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    return wstr_path_compare(wbuf_str(&x->path), wbuf_str(&y->path));
}

void changes_collect(const struct vm *vm, const struct base *base, const struct space *space,
                     struct changes *out)
{
    struct walk w = {.vm = vm, .base = base, .ix = space->ix, .out = out};
    struct level top = {0};
    *out = (struct changes){0};
    find_origins(&w, fvm_index_root(w.ix));
    if (w.origin_count) qsort(w.origins, w.origin_count, sizeof *w.origins, order);
    visit_below(&w, fvm_index_root(w.ix), &top);
    if (out->count) qsort(out->list, out->count, sizeof *out->list, change_order);
    free(w.origins);
}

void changes_free(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        wbuf_free(&c->list[i].path);
        wbuf_free(&c->list[i].old);
    }
    free(c->list);
    *c = (struct changes){0};
}
