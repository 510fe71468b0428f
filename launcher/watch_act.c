/* What the host changes in the base, acted out in the VM's private folders.
 *
 * An empty stand-in comes, changes and goes. It has no node in the index: what lies in the
 * private tree at a place where the VM sees the base is a stand-in, and only that. */
#include "watch_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fvm/path.h"

/* In the place of a thread's id: no thread of the host has it, so that guests take the lock
 * over if fvm is killed with it. */
#define LOCK_OWNER FVM_LOCK_OWNER(0, 0xfffffffdU)

static bool lock(struct fvm_shared *s)
{
    struct timespec pause = {.tv_nsec = 100000};

    for (int tries = 0; tries < 20000; tries++) {
        uint64_t nobody = 0;
        if (__atomic_compare_exchange_n(&s->lock_owner, &nobody, LOCK_OWNER, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        nanosleep(&pause, NULL);
    }
    return false; /* its owner has died, and no guest has come by to see it */
}

static void unlock(struct fvm_shared *s)
{
    uint64_t self = LOCK_OWNER;
    /* a guest that found us too slow may have taken it over */
    __atomic_compare_exchange_n(&s->lock_owner, &self, 0, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

/* --- where the VM sees it -------------------------------------------------------------------- */

enum sight {
    UNSEEN, /* the VM has hidden or replaced it */
    FOLDER, /* a directory of the base with a private folder */
    SEEN,   /* as it is in the base: what lies at its private place is a stand-in */
};

static const struct fvm_index *index_of(const struct watch *w)
{
    return (const void *)((const char *)w->shared + w->shared->index_offset);
}

/* Under the lock: how the VM sees that place of the base. *file, the private place, is to be
 * freed; NULL when the VM sees nothing there. */
static enum sight see(const struct watch *w, struct fvm_wstr place, char **file)
{
    static struct space_lookup look; /* the thread alone comes here, or who has waited for it */
    static fvm_wchar view[FVM_PATH_MAX];
    const struct fvm_index *ix = index_of(w);

    *file = NULL;
    if (fvm_index_busy(ix)) return UNSEEN;
    int len = fvm_index_base_to_view(ix, place, view, FVM_PATH_MAX);
    if (len < 0 || space_look(ix, (struct fvm_wstr){view, (uint32_t)len}, &look)) return UNSEEN;
    enum fvm_verdict verdict = look.l.verdict;
    if (verdict != FVM_PASS && verdict != FVM_BASE && verdict != FVM_MERGED) return UNSEEN;
    /* something else of the base may have been moved there */
    if (!wstr_equal((struct fvm_wstr){look.base, look.l.base_len}, place)) return UNSEEN;
    *file = space_private_path(w->vm, (struct fvm_wstr){look.canon, look.l.canon_len});
    return verdict == FVM_MERGED ? FOLDER : SEEN;
}

/* --- stand-ins ------------------------------------------------------------------------------ */

static void make(const char *file, bool directory)
{
    /* it may be there, or the private folder may not */
    int fd =
        directory ? mkdir(file, 0700) : open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd >= 0 && !directory) close(fd);
}

/* Only what is empty is a stand-in; nothing else is ever taken away. */
static void take_away(const char *file)
{
    struct stat st;

    if (lstat(file, &st)) return;
    if (S_ISREG(st.st_mode) && st.st_size == 0) unlink(file);
    if (!S_ISDIR(st.st_mode) || !rmdir(file)) return;
    DIR *dir = errno == ENOTEMPTY ? opendir(file) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *inner = xasprintf("%s/%s", file, e->d_name);
        take_away(inner);
        free(inner);
    }
    if (dir) closedir(dir);
    rmdir(file);
}

/* --- the private folder in which a stand-in comes -------------------------------------------- */

/* Under the lock. The folder of a directory that a program watches is there; those below it
 * come with the first change in them. Returns false when there can be none; made tells whether
 * it, or one above it, is new. */
static bool have_folder(struct watch *w, const struct directory *d, bool *made)
{
    struct stat st;
    char *file;
    bool there = see(w, wbuf_str(&d->place), &file) != UNSEEN;

    if (there && lstat(file, &st)) {
        uint32_t parent = fvm_path_parent(wbuf_str(&d->place));
        struct directory *above =
            d->top ? NULL : watch_by_place(w, (struct fvm_wstr){d->place.ptr, parent});
        there = above && have_folder(w, above, made);
        if (there) {
            make(file, true);
            *made = true;
        }
    }
    free(file);
    return there;
}

/* The folder is there and the host watches it: what comes in it now is reported. */
static bool prepare(struct watch *w, const struct directory *d)
{
    bool made = false, there = false;

    if (d->top) return true;
    if (lock(w->shared)) {
        there = have_folder(w, d, &made);
        unlock(w->shared);
    }
    if (made) watch_wait_for_host(w, d);
    return there;
}

void watch_act(struct watch *w, const struct directory *d, const char *name, uint32_t mask)
{
    bool directory = mask & IN_ISDIR;
    char *file;

    if (!prepare(w, d)) return;
    struct wbuf place = watch_place_in(wbuf_str(&d->place), name);
    if (lock(w->shared)) {
        if (see(w, wbuf_str(&place), &file) == SEEN) {
            make(file, directory);
            /* a change of nothing: of the size of what is empty, of the times */
            int done = 0;
            if (mask & IN_MODIFY && !directory) done = truncate(file, 0);
            if (mask & IN_ATTRIB) done = utimensat(AT_FDCWD, file, NULL, AT_SYMLINK_NOFOLLOW);
            if (done || mask & (IN_DELETE | IN_MOVED_FROM)) take_away(file);
        }
        free(file);
        unlock(w->shared);
    }
    wbuf_free(&place);
}

void watch_act_move(struct watch *w, const struct directory *from, const char *from_name,
                    const struct directory *to, const char *to_name, bool directory)
{
    struct wbuf old_place = watch_place_in(wbuf_str(&from->place), from_name);
    struct wbuf new_place = watch_place_in(wbuf_str(&to->place), to_name);
    char *old_file = NULL, *new_file = NULL;
    bool from_ready = prepare(w, from), ready = prepare(w, to) && from_ready;
    const struct directory *self = watch_by_place(w, wbuf_str(&old_place));

    /* a directory that is watched itself keeps its watch on the way */
    if (ready && self) prepare(w, self);
    if (ready && lock(w->shared)) {
        bool leaves = see(w, wbuf_str(&old_place), &old_file) == SEEN;
        bool comes = see(w, wbuf_str(&new_place), &new_file) == SEEN;
        if (leaves) make(old_file, directory);
        if (leaves && comes && rename(old_file, new_file)) {
            /* what is there is a stand-in of something else */
            take_away(new_file);
            if (rename(old_file, new_file)) take_away(old_file);
        } else if (leaves && !comes) {
            take_away(old_file);
        } else if (comes && !leaves) {
            make(new_file, directory);
        }
        unlock(w->shared);
    }
    free(old_file);
    free(new_file);
    wbuf_free(&old_place);
    wbuf_free(&new_place);
}

/* --- the host's own watch -------------------------------------------------------------------- */

/* Does the process with these inotify watches watch the inode? */
static bool has_watch(const char *fdinfo, ino_t inode)
{
    char line[512], want[64];
    FILE *file = fopen(fdinfo, "re");
    bool found = false;

    snprintf(want, sizeof want, " ino:%llx ", (unsigned long long)inode);
    while (file && !found && fgets(line, sizeof line, file))
        found = !strncmp(line, "inotify ", 8) && strstr(line, want);
    if (file) fclose(file);
    return found;
}

/* The inotify descriptor of another process by which that inode is watched, as a file below
 * /proc to be freed; NULL when there is none. */
static char *find_watcher(ino_t inode)
{
    char *found = NULL;
    DIR *proc = opendir("/proc");

    for (struct dirent *p; proc && !found && (p = readdir(proc));) {
        unsigned long pid;
        if (!parse_number(p->d_name, 1UL << 30, &pid) || (pid_t)pid == getpid()) continue;
        char *name = xasprintf("/proc/%lu/fd", pid);
        DIR *fds = opendir(name); /* those of other users stay closed */
        for (struct dirent *f; fds && !found && (f = readdir(fds));) {
            char link[64];
            ssize_t n = readlinkat(dirfd(fds), f->d_name, link, sizeof link);
            if (n < 7 || !memmem(link, (size_t)n, "inotify", 7)) continue;
            char *fdinfo = xasprintf("/proc/%lu/fdinfo/%s", pid, f->d_name);
            if (has_watch(fdinfo, inode))
                found = fdinfo;
            else
                free(fdinfo);
        }
        if (fds) closedir(fds);
        free(name);
    }
    if (proc) closedir(proc);
    return found;
}

/* The inode of a directory's private folder; 0 without one. */
static ino_t folder_inode(struct watch *w, struct fvm_wstr place)
{
    struct stat st = {0};
    char *file = NULL;

    if (lock(w->shared)) {
        if (see(w, place, &file) == UNSEEN || lstat(file, &st)) st.st_ino = 0;
        unlock(w->shared);
    }
    free(file);
    return st.st_ino;
}

void watch_wait_for_host(struct watch *w, const struct directory *d)
{
    struct timespec pause = {.tv_nsec = 500000};
    struct fvm_wstr place = wbuf_str(&d->place);
    ino_t inode = folder_inode(w, place);
    ino_t above = folder_inode(w, (struct fvm_wstr){place.ptr, fvm_path_parent(place)});

    if (!inode || !above) return;
    if (!w->host_watches) w->host_watches = find_watcher(above);
    /* does a program still watch it? */
    if (!w->host_watches || !has_watch(w->host_watches, above)) return;
    /* The host tells nobody when it has seen the new folder and added its watch. It never adds
     * one if it takes the folder for a deleted one of the same inode number, which it remembers
     * as long as anybody watches anything. */
    for (int tries = 0; tries < 1000 && !has_watch(w->host_watches, inode); tries++)
        nanosleep(&pause, NULL);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Under the lock: takes the stand-ins in the private folder of a view path away. */
static void clean_view(struct watch *w, struct fvm_wstr view, bool subtree)
{
    static struct space_lookup look;
    const struct fvm_index *ix = index_of(w);
    char *folder = space_private_path(w->vm, view);
    DIR *dir = opendir(folder);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct wbuf inner = watch_place_in(view, e->d_name);
        char *file = xasprintf("%s/%s", folder, e->d_name);
        if (!space_look(ix, wbuf_str(&inner), &look)) {
            enum fvm_verdict verdict = look.l.verdict;
            if (verdict == FVM_PASS || verdict == FVM_BASE)
                take_away(file);
            else if (subtree && look.l.flags & (FVM_NODE_CONTAINER | FVM_NODE_DIRECTORY))
                clean_view(w, wbuf_str(&inner), true);
        }
        free(file);
        wbuf_free(&inner);
    }
    if (dir) closedir(dir);
    free(folder);
}

void watch_clean(struct watch *w, struct fvm_wstr place, bool subtree)
{
    fvm_wchar *view = xmalloc(FVM_PATH_MAX * sizeof(fvm_wchar));
    struct space_lookup *look = xmalloc(sizeof *look);

    if (lock(w->shared)) {
        const struct fvm_index *ix = index_of(w);
        int len = fvm_index_busy(ix) ? -1 : fvm_index_base_to_view(ix, place, view, FVM_PATH_MAX);
        if (len >= 0 && !space_look(ix, (struct fvm_wstr){view, (uint32_t)len}, look))
            clean_view(w, (struct fvm_wstr){look->canon, look->l.canon_len}, subtree);
        unlock(w->shared);
    }
    free(look);
    free(view);
}
