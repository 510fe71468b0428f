#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "space.h"

#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
#define MOST_DIRECTORIES 4096
/* In the place of a thread's id: no thread of the host has it, so that guests take the lock
 * over if fvm is killed with it. */
#define LOCK_OWNER 0xfffffffdU

struct directory {
    int wd;
    struct wbuf view; /* where the VM sees it */
};

struct stand_in {
    char *file;
    struct wbuf view;
};

struct watch {
    const struct vm *vm;
    const struct base *base;
    struct fvm_shared *shared;
    size_t shared_size;
    char *register_file;
    int register_fd, inotify, stop;
    int register_wd;
    off_t read_to; /* of the register */
    struct directory *directories;
    size_t count;
    struct stand_in *stand_ins;
    size_t stand_in_count;
    pthread_t thread;
};

/* --- the VM's lock ------------------------------------------------------------------------- */

static bool lock(struct fvm_shared *s)
{
    struct timespec pause = {.tv_nsec = 100000};

    for (int tries = 0; tries < 20000; tries++) {
        uint32_t nobody = 0;
        if (__atomic_compare_exchange_n(&s->lock_owner, &nobody, LOCK_OWNER, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        nanosleep(&pause, NULL);
    }
    return false; /* its owner has died, and no guest has come by to see it */
}

static void unlock(struct fvm_shared *s)
{
    uint32_t self = LOCK_OWNER;
    /* a guest that found us too slow may have taken it over */
    __atomic_compare_exchange_n(&s->lock_owner, &self, 0, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

/* Under the lock: does the VM see the base at view? */
static bool sees_base(const struct watch *w, struct fvm_wstr view)
{
    static fvm_wchar canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
    struct fvm_lookup look = {
        .canon = canon, .canon_cap = FVM_PATH_MAX, .base = base, .base_cap = FVM_PATH_MAX};
    const struct fvm_index *ix =
        (const void *)((const char *)w->shared + w->shared->index_offset);

    if (fvm_index_busy(ix) || fvm_index_lookup(ix, view, &look) < 0) return false;
    return look.verdict == FVM_PASS || look.verdict == FVM_BASE;
}

/* --- stand-ins ------------------------------------------------------------------------------- */

static void make(struct watch *w, const char *file, struct fvm_wstr view, bool directory)
{
    int fd = directory ? mkdir(file, 0700)
                       : open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0) return; /* it is there, or the private folder is not */
    if (!directory) close(fd);
    w->stand_ins = xrealloc(w->stand_ins, (w->stand_in_count + 1) * sizeof(*w->stand_ins));
    w->stand_ins[w->stand_in_count++] = (struct stand_in){xasprintf("%s", file), wbuf_dup(view)};
}

/* Only what is empty is a stand-in; nothing else is ever taken away. */
static void take_away(const char *file)
{
    struct stat st;

    if (lstat(file, &st)) return;
    if (S_ISDIR(st.st_mode)) rmdir(file);
    else if (S_ISREG(st.st_mode) && st.st_size == 0) unlink(file);
}

static void act(struct watch *w, const struct directory *d, const struct inotify_event *e)
{
    bool directory = e->mask & IN_ISDIR;
    struct wbuf view = wbuf_dup(wbuf_str(&d->view)), name = {0};
    wbuf_add_utf8(&name, e->name);
    wbuf_add_component(&view, wbuf_str(&name));
    char *file = space_private_path(w->vm, wbuf_str(&view));

    if (lock(w->shared)) {
        if (sees_base(w, wbuf_str(&view))) {
            make(w, file, wbuf_str(&view), directory);
            /* a change of nothing: of the size of what is empty, of the times */
            int done = 0;
            if (e->mask & IN_MODIFY && !directory) done = truncate(file, 0);
            if (e->mask & IN_ATTRIB) done = utimensat(AT_FDCWD, file, NULL, AT_SYMLINK_NOFOLLOW);
            if (done || e->mask & (IN_DELETE | IN_MOVED_FROM)) take_away(file);
        }
        unlock(w->shared);
    }
    free(file);
    wbuf_free(&view);
    wbuf_free(&name);
}

/* --- what is watched --------------------------------------------------------------------------- */

static void add_directory(struct watch *w, const char *place, struct fvm_wstr view)
{
    int wd = w->count < MOST_DIRECTORIES ? inotify_add_watch(w->inotify, place, EVENTS) : -1;

    if (wd < 0) return; /* gone already, or more than the host lets one user watch */
    for (size_t i = 0; i < w->count; i++)
        if (w->directories[i].wd == wd) return;
    w->directories = xrealloc(w->directories, (w->count + 1) * sizeof(*w->directories));
    w->directories[w->count++] = (struct directory){wd, wbuf_dup(view)};
}

/* The register holds, for each watch that a program began: lengths in code units of the place
 * in the base and of the view path, and the two paths. */
static void read_register(struct watch *w)
{
    uint32_t head[2];

    while (pread(w->register_fd, head, sizeof head, w->read_to) == (ssize_t)sizeof head) {
        if (head[0] > FVM_PATH_MAX || head[1] > FVM_PATH_MAX) return;
        size_t bytes = ((size_t)head[0] + head[1]) * sizeof(fvm_wchar);
        fvm_wchar *text = xcalloc(bytes ? bytes : 1, 1);
        if (pread(w->register_fd, text, bytes, w->read_to + (off_t)sizeof head) == (ssize_t)bytes) {
            char *place = base_find(w->base, (struct fvm_wstr){text, head[0]});
            if (place) add_directory(w, place, (struct fvm_wstr){text + head[0], head[1]});
            free(place);
            w->read_to += (off_t)(sizeof head + bytes);
            free(text);
        } else {
            free(text);
            return; /* still being written */
        }
    }
}

/* One of the fvms that run the VM does the work. */
static bool is_ours(struct watch *w)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return !fcntl(w->register_fd, F_OFD_SETLK, &all);
}

static void handle(struct watch *w, const struct inotify_event *e)
{
    if (e->wd == w->register_wd) {
        if (is_ours(w)) read_register(w);
        return;
    }
    for (size_t i = 0; e->len && i < w->count; i++) {
        if (w->directories[i].wd != e->wd) continue;
        act(w, &w->directories[i], e);
        return;
    }
}

static void *work(void *arg)
{
    struct watch *w = arg;
    struct pollfd fds[] = {{.fd = w->stop, .events = POLLIN}, {.fd = w->inotify, .events = POLLIN}};
    char buffer[16384] __attribute__((aligned(8)));

    for (;;) {
        if (poll(fds, 2, -1) < 0) continue;
        if (fds[0].revents) return NULL;
        ssize_t n = read(w->inotify, buffer, sizeof buffer);
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (void *)p;
            handle(w, e);
            p += sizeof(*e) + e->len;
        }
    }
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

/* --- life ------------------------------------------------------------------------------------------ */

static void release(struct watch *w)
{
    if (w->shared != MAP_FAILED && w->shared) munmap(w->shared, w->shared_size);
    if (w->register_fd >= 0) close(w->register_fd);
    if (w->inotify >= 0) close(w->inotify);
    if (w->stop >= 0) close(w->stop);
    for (size_t i = 0; i < w->count; i++)
        wbuf_free(&w->directories[i].view);
    for (size_t i = 0; i < w->stand_in_count; i++) {
        free(w->stand_ins[i].file);
        wbuf_free(&w->stand_ins[i].view);
    }
    free(w->directories);
    free(w->stand_ins);
    free(w->register_file);
    free(w);
}

struct watch *watch_start(const struct vm *vm, const struct base *base, const char *shared,
                          struct err **err)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    struct stat st;
    int fd = open(shared, O_RDWR | O_CLOEXEC);

    *w = (struct watch){.vm = vm, .base = base, .inotify = -1, .stop = -1, .register_fd = -1};
    w->register_file = xasprintf("%s/watches", vm->dir);
    if (fd >= 0 && !fstat(fd, &st)) {
        w->shared_size = (size_t)st.st_size;
        w->shared = mmap(NULL, w->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) close(fd);
    w->register_fd = open(w->register_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    w->stop = eventfd(0, EFD_CLOEXEC);
    if (w->inotify >= 0)
        w->register_wd = inotify_add_watch(w->inotify, w->register_file, IN_MODIFY);
    if (!w->shared || w->shared == MAP_FAILED || w->register_fd < 0 || w->stop < 0 ||
        w->inotify < 0 || w->register_wd < 0 || start_thread(w)) {
        err_sys(err, errno, "cannot watch the base for VM %s", vm->name);
        release(w);
        return NULL;
    }
    return w;
}

void watch_stop(struct watch *w)
{
    uint64_t one = 1;

    if (!w) return;
    if (write(w->stop, &one, sizeof one) == (ssize_t)sizeof one) pthread_join(w->thread, NULL);
    if (lock(w->shared)) {
        for (size_t i = 0; i < w->stand_in_count; i++) {
            const struct stand_in *s = &w->stand_ins[i];
            if (sees_base(w, wbuf_str(&s->view))) take_away(s->file);
        }
        unlock(w->shared);
    }
    release(w);
}
