#include "watch_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the register ---------------------------------------------------------------------------- */

/* Bytes of the register that fvms lock: of those that run the VM one does the work; all others
 * are known by a shared lock, so that the last one sees that it is the last. */
enum { LOCK_WORK, LOCK_THERE };

static bool lock_register(struct watch *w, int byte, short type)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return !fcntl(w->register_fd, F_OFD_SETLK, &range);
}

/* The register holds, for each watch that a program began: the length of the directory's place
 * in the base in code units, whether the subtree is watched, and the place. */
static void read_register(struct watch *w, off_t *at,
                          void (*fn)(struct watch *w, struct fvm_wstr place, bool subtree))
{
    uint32_t head[2];

    while (pread(w->register_fd, head, sizeof head, *at) == (ssize_t)sizeof head) {
        if (head[0] > FVM_PATH_MAX) return;
        size_t bytes = (size_t)head[0] * sizeof(fvm_wchar);
        fvm_wchar *text = xcalloc(bytes ? bytes : 1, 1);
        bool whole = pread(w->register_fd, text, bytes, *at + (off_t)sizeof head) == (ssize_t)bytes;
        if (whole) {
            *at += (off_t)(sizeof head + bytes);
            fn(w, (struct fvm_wstr){text, head[0]}, head[1]);
        }
        free(text);
        if (!whole) return; /* still being written */
    }
}

static void begin(struct watch *w, struct fvm_wstr place, bool subtree)
{
    char *path = base_find(w->base, place);
    bool fresh;

    if (path) watch_add(w, path, place, subtree, true, &fresh);
    free(path);
}

/* --- events ---------------------------------------------------------------------------------- */

/* The host watches a directory in a watched subtree from now on: so does fvm. */
static int follow(struct watch *w, const struct directory *d, const char *name, bool *fresh)
{
    char *path = xasprintf("%s/%s", d->path, name);
    struct wbuf place = watch_place_in(wbuf_str(&d->place), name);
    int wd = watch_add(w, path, wbuf_str(&place), true, false, fresh);

    free(path);
    wbuf_free(&place);
    return wd;
}

/* A new directory. What came in it before it was watched is told of, too. */
static void enter_new(struct watch *w, int wd, const char *name)
{
    const struct directory *d = watch_by_wd(w, wd);
    bool fresh;

    watch_act(w, d, name, IN_CREATE | IN_ISDIR);
    if (!d->subtree) return;
    int inner = follow(w, d, name, &fresh);
    d = inner < 0 || !fresh ? NULL : watch_by_wd(w, inner);
    if (!d) return; /* gone again, or known already */
    watch_wait_for_host(w, d);
    DIR *dir = opendir(d->path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if (S_ISDIR(st.st_mode))
            enter_new(w, inner, e->d_name);
        else
            watch_act(w, watch_by_wd(w, inner), e->d_name, IN_CREATE);
    }
    if (dir) closedir(dir);
}

static void handle_in_directory(struct watch *w, const struct inotify_event *e)
{
    const struct directory *d = watch_by_wd(w, e->wd);
    bool fresh;

    if (!d || !e->len) return;
    if (e->mask & IN_OPEN) {
        if (e->mask & IN_ISDIR) follow(w, d, e->name, &fresh);
        return;
    }
    if (e->mask & IN_ISDIR && e->mask & IN_CREATE) {
        enter_new(w, e->wd, e->name);
        return;
    }
    watch_act(w, d, e->name, e->mask);
    if (e->mask & IN_ISDIR && e->mask & IN_MOVED_FROM) {
        struct wbuf place = watch_place_in(wbuf_str(&d->place), e->name);
        watch_drop(w, wbuf_str(&place));
        wbuf_free(&place);
    }
}

static void handle_move(struct watch *w, const struct inotify_event *from,
                        const struct inotify_event *to)
{
    const struct directory *old = watch_by_wd(w, from->wd), *new = watch_by_wd(w, to->wd);

    if (!old || !new) {
        handle_in_directory(w, from);
        handle_in_directory(w, to);
        return;
    }
    bool directory = from->mask & IN_ISDIR;
    watch_act_move(w, old, from->name, new, to->name, directory);
    if (!directory) return;
    struct wbuf old_place = watch_place_in(wbuf_str(&old->place), from->name),
                new_place = watch_place_in(wbuf_str(&new->place), to->name);
    char *path = xasprintf("%s/%s", new->path, to->name);
    watch_move(w, wbuf_str(&old_place), wbuf_str(&new_place), path);
    free(path);
    wbuf_free(&old_place);
    wbuf_free(&new_place);
}

static void handle(struct watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        if (!w->told_overflow)
            vm_event(
                w->vm, "watch",
                "the host changed more in watched directories than could be followed; programs "
                "were not told of all of it (the limit is set by: sysctl "
                "fs.inotify.max_queued_events)");
        w->told_overflow = true;
    } else if (e->wd == w->register_wd) {
        if (!lock_register(w, LOCK_WORK, F_WRLCK)) return;
        read_register(w, &w->read_to, begin);
        w->shared->watches_read = (uint64_t)w->read_to; /* programs wait for it */
    } else if (e->mask & IN_IGNORED) {
        watch_forget(w, e->wd);
    } else {
        handle_in_directory(w, e);
    }
}

/* An event of its own memory: the first half of a move, until the next event shows whether the
 * other half is in a watched directory, too. */
static struct inotify_event *keep(const struct inotify_event *e)
{
    size_t size = sizeof(*e) + e->len;

    return memcpy(xmalloc(size), e, size);
}

/* A half whose other half does not come at once has none; both are put into the queue in one
 * go, but may be read apart. */
#define HALF_MOVE_MS 10
/* In a subtree inotify tells of every file that is opened, too: while nothing else happens they
 * are gathered, or each opening would wake this thread. */
#define OPENINGS_MS 2

static void *work(void *arg)
{
    struct watch *w = arg;
    struct pollfd fds[] = {{.fd = w->stop, .events = POLLIN}, {.fd = w->inotify, .events = POLLIN}};
    struct inotify_event *half = NULL;
    bool openings = false; /* of files alone was told last */
    char buffer[16384] __attribute__((aligned(8)));

    for (;;) {
        if (openings) poll(fds, 1, OPENINGS_MS);
        int ready = poll(fds, 2, half ? HALF_MOVE_MS : -1);
        if (ready < 0) continue;
        if (fds[0].revents) break;
        ssize_t n = ready ? read(w->inotify, buffer, sizeof buffer) : 0;
        if (!ready) {
            handle(w, half);
            free(half);
            half = NULL;
        }
        openings = n > 0;
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (void *)p;
            openings &= (e->mask & (IN_OPEN | IN_ISDIR)) == IN_OPEN;
            bool pair = half && e->mask & IN_MOVED_TO && e->cookie == half->cookie;
            if (pair)
                handle_move(w, half, e);
            else if (half)
                handle(w, half);
            free(half);
            half = !pair && e->mask & IN_MOVED_FROM ? keep(e) : NULL;
            if (!pair && !half) handle(w, e);
            p += sizeof(*e) + e->len;
        }
    }
    free(half);
    return NULL;
}

/* Signals are for the thread that waits for the program. */
static int start_thread(struct watch *w)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) errno = failed;
    return failed;
}

/* --- life ------------------------------------------------------------------------------------ */

static void release(struct watch *w)
{
    if (w->shared != MAP_FAILED && w->shared) munmap(w->shared, w->shared_size);
    if (w->register_fd >= 0) close(w->register_fd);
    if (w->inotify >= 0) close(w->inotify);
    if (w->stop >= 0) close(w->stop);
    watch_free_directories(w);
    free(w->host_watches);
    free(w);
}

/* A VM in which nobody is told what the host changes is better than none. */
static bool start_watching(struct watch *w, const char *register_file)
{
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify >= 0)
        w->register_wd = inotify_add_watch(w->inotify, register_file, IN_MODIFY | IN_CLOSE_WRITE);
    if (w->inotify >= 0 && w->register_wd >= 0) return true;
    if (errno != EMFILE && errno != ENOSPC) return false;
    vm_event(w->vm, "watch",
             "this user has no inotify %s left (the limit is set by: sysctl "
             "fs.inotify.%s); programs that watch directories are told what the VM "
             "changes alone, not what the host changes in the base",
             errno == EMFILE ? "instances" : "watches",
             errno == EMFILE ? "max_user_instances" : "max_user_watches");
    w->shared->watches_read = UINT64_MAX;
    return true;
}

struct watch *watch_start(const struct vm *vm, const struct base *base, const char *shared,
                          struct err **err)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    char *register_file = xasprintf("%s/watches", vm->dir);
    struct stat st;
    int fd = open(shared, O_RDWR | O_CLOEXEC);

    *w = (struct watch){.vm = vm, .base = base, .inotify = -1, .stop = -1, .register_fd = -1};
    if (fd >= 0 && !fstat(fd, &st)) {
        w->shared_size = (size_t)st.st_size;
        w->shared = mmap(NULL, w->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) close(fd);
    w->register_fd = open(register_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    w->stop = eventfd(0, EFD_CLOEXEC);
    if (!w->shared || w->shared == MAP_FAILED || w->register_fd < 0 || w->stop < 0 ||
        !lock_register(w, LOCK_THERE, F_RDLCK) || !start_watching(w, register_file) ||
        start_thread(w)) {
        err_sys(err, errno, "cannot watch the base for VM %s", vm->name);
        release(w);
        w = NULL;
    }
    free(register_file);
    return w;
}

void watch_stop(struct watch *w)
{
    uint64_t one = 1;
    off_t start = 0;

    if (!w) return;
    if (write(w->stop, &one, sizeof one) == (ssize_t)sizeof one) pthread_join(w->thread, NULL);
    /* Another fvm that runs the VM goes on: it is woken by the register's being closed. The
     * last one takes the stand-ins away. */
    lock_register(w, LOCK_WORK, F_UNLCK);
    lock_register(w, LOCK_THERE, F_UNLCK);
    if (lock_register(w, LOCK_THERE, F_WRLCK)) {
        read_register(w, &start, watch_clean);
        /* parts of a subtree may have been moved out of it */
        for (size_t i = 0; i < w->count; i++)
            watch_clean(w, wbuf_str(&w->directories[i].place), false);
    }
    release(w);
}
