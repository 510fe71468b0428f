/* What the parts of the watch share: watch.c (the thread and the register), watch_dirs.c
 * (which directories of the base are watched), watch_act.c (the stand-ins). */
#ifndef LAUNCHER_WATCH_INTERNAL_H
#define LAUNCHER_WATCH_INTERNAL_H

#include <pthread.h>
#include <sys/inotify.h>

#include "fvm/shared.h"
#include "space.h"
#include "watch.h"

/* A directory of the base that is watched, by its place there: where the VM sees it, the
 * index says anew at each change. */
struct directory {
    int wd;
    bool subtree;      /* what is below it counts, too */
    bool top;          /* a program watches it, so that the VM has a private folder for it */
    char *path;        /* its Unix path */
    struct wbuf place; /* its canonical path in the base */
};

struct watch {
    const struct vm *vm;
    const struct base *base;
    struct fvm_shared *shared;
    size_t shared_size;
    int register_fd, inotify, stop;
    int register_wd;
    off_t read_to;                 /* of the register */
    struct directory *directories; /* by wd */
    size_t count;
    bool told_limit, told_overflow;
    char *host_watches; /* of the process that watches private folders for programs: fdinfo */
    pthread_t thread;
};

/* --- watch_dirs.c ---------------------------------------------------------------------------- */
/* The place of what has that name in the directory at place; to be freed. */
struct wbuf watch_place_in(struct fvm_wstr place, const char *name);
/* Watches the directory of the base; of one that is watched already, adds to what is watched.
 * Returns its wd, or -1 when it cannot be: it is gone, or a limit is reached (then with an
 * event). *fresh tells whether it was not watched before. Moves struct directories. */
int watch_add(struct watch *w, const char *path, struct fvm_wstr place, bool subtree, bool top,
              bool *fresh);
/* The watched directory of that inotify watch or at that place, or NULL. */
struct directory *watch_by_wd(struct watch *w, int wd);
struct directory *watch_by_place(struct watch *w, struct fvm_wstr place);
/* inotify has let go of the directory: it is gone. */
void watch_forget(struct watch *w, int wd);
/* The directory at the place, with all below it, is no longer watched; or it lies elsewhere. */
void watch_drop(struct watch *w, struct fvm_wstr place);
void watch_move(struct watch *w, struct fvm_wstr from, struct fvm_wstr to, const char *to_path);
void watch_free_directories(struct watch *w);

/* --- watch_act.c ----------------------------------------------------------------------------- */
/* Repeats in the VM's private folder what happened to name in the directory d; mask is that of
 * inotify's event. */
void watch_act(struct watch *w, const struct directory *d, const char *name, uint32_t mask);
/* The same for a move between two watched directories, which may be one. */
void watch_act_move(struct watch *w, const struct directory *from, const char *from_name,
                    const struct directory *to, const char *to_name, bool directory);
/* Returns when the host watches the stand-in of the directory (it made its own, having seen it
 * come), or after a while: what is done in it before is not reported. */
void watch_wait_for_host(struct watch *w, const struct directory *d);
/* Takes the stand-ins in the private folder of a directory away, with those below it. */
void watch_clean(struct watch *w, struct fvm_wstr place, bool subtree);

#endif
