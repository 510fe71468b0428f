/* The directories of the base that are watched. */
#include "watch_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

/* What one run takes of the watches that the host lets a user have. */
#define MOST_DIRECTORIES 8192

#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR |    \
     IN_MASK_ADD)

struct wbuf watch_place_in(struct fvm_wstr place, const char *name)
{
    struct wbuf inner = wbuf_dup(place), component = {0};

    wbuf_add_utf8(&component, name);
    wbuf_add_component(&inner, wbuf_str(&component));
    wbuf_free(&component);
    return inner;
}

/* The index of the directory with that wd, or of the place where it belongs. */
static size_t find(const struct watch *w, int wd)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (w->directories[middle].wd < wd)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct directory *watch_by_wd(struct watch *w, int wd)
{
    size_t i = find(w, wd);

    return i < w->count && w->directories[i].wd == wd ? &w->directories[i] : NULL;
}

struct directory *watch_by_place(struct watch *w, struct fvm_wstr place)
{
    for (size_t i = 0; i < w->count; i++)
        if (wstr_equal(wbuf_str(&w->directories[i].place), place)) return &w->directories[i];
    return NULL;
}

static void tell_limit(struct watch *w, const char *path, const char *limit)
{
    if (w->told_limit) return;
    w->told_limit = true;
    vm_event(w->vm, "watch",
             "%s cannot be watched for changes that the host makes in it, because %s; programs "
             "that watch it are told what the VM changes alone",
             path, limit);
}

int watch_add(struct watch *w, const char *path, struct fvm_wstr place, bool subtree, bool top,
              bool *fresh)
{
    *fresh = false;
    if (w->count >= MOST_DIRECTORIES) {
        tell_limit(w, path, "fvm watches at most 8192 directories of one run");
        return -1;
    }
    /* Below a subtree the host watches directories as programs open them: so does fvm. */
    int wd = inotify_add_watch(w->inotify, path, EVENTS | (subtree ? IN_OPEN : 0U));
    if (wd < 0) {
        if (errno == ENOSPC)
            tell_limit(w, path,
                       "this user has no inotify watches left (the limit is set by: sysctl "
                       "fs.inotify.max_user_watches)");
        return -1;
    }
    size_t i = find(w, wd);
    if (i < w->count && w->directories[i].wd == wd) {
        w->directories[i].subtree |= subtree;
        w->directories[i].top |= top;
        return wd;
    }
    *fresh = true;
    w->directories = xrealloc(w->directories, (w->count + 1) * sizeof(*w->directories));
    memmove(w->directories + i + 1, w->directories + i, (w->count - i) * sizeof(*w->directories));
    w->directories[i] = (struct directory){
        .wd = wd, .subtree = subtree, .top = top, .path = xstrdup(path), .place = wbuf_dup(place)};
    w->count++;
    return wd;
}

static void free_directory(struct directory *d)
{
    free(d->path);
    wbuf_free(&d->place);
}

void watch_forget(struct watch *w, int wd)
{
    struct directory *d = watch_by_wd(w, wd);

    if (!d) return;
    free_directory(d);
    size_t i = (size_t)(d - w->directories);
    memmove(d, d + 1, (w->count - i - 1) * sizeof(*d));
    w->count--;
}

/* The length of the part of place that is dir, or 0 when place does not lie in it. */
static uint32_t below(struct fvm_wstr place, struct fvm_wstr dir)
{
    if (place.len < dir.len || (place.len > dir.len && place.ptr[dir.len] != '\\')) return 0;
    return wstr_equal((struct fvm_wstr){place.ptr, dir.len}, dir) ? dir.len : 0;
}

void watch_drop(struct watch *w, struct fvm_wstr place)
{
    for (size_t i = w->count; i-- > 0;)
        if (below(wbuf_str(&w->directories[i].place), place)) {
            inotify_rm_watch(w->inotify, w->directories[i].wd);
            watch_forget(w, w->directories[i].wd);
        }
}

void watch_move(struct watch *w, struct fvm_wstr from, struct fvm_wstr to, const char *to_path)
{
    const struct directory *moved = watch_by_place(w, from);
    size_t path_len = moved ? strlen(moved->path) : 0;

    for (size_t i = 0; moved && i < w->count; i++) {
        struct directory *d = &w->directories[i];
        uint32_t head = below(wbuf_str(&d->place), from);
        if (!head) continue;
        struct wbuf place = wbuf_dup(to);
        wbuf_add(&place, (struct fvm_wstr){d->place.ptr + head, d->place.len - head});
        char *path = xasprintf("%s%s", to_path, d->path + path_len);
        free_directory(d);
        d->place = place;
        d->path = path;
    }
}

void watch_free_directories(struct watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        free_directory(&w->directories[i]);
    free(w->directories);
}
