/* Making the base: a Wine prefix, on the first use of FVM. */
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "fsutil.h"
#include "home.h"

#define NEW_PREFIX "base.new-"

/* What sets up a prefix. Wine calls itself Windows 7, which programs of today refuse (node since
 * its version 14): a base of FVM's own is a Windows 10. */
static char *const steps[][3] = {
    {"wineboot.exe", "-i", NULL},
    {"winecfg.exe", "-v", "win10"},
};
#define STEPS (sizeof steps / sizeof steps[0])

/* It must neither ask for downloads nor write menus or open windows. */
static void exec_step(const struct wine *wine, const char *dir, char *const step[3],
                      const sigset_t *mask)
{
    char *argv[] = {wine->loader, step[0], step[1], step[2], NULL};
    setsid();
    sigprocmask(SIG_SETMASK, mask, NULL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    setenv("WINEDLLOVERRIDES", "mscoree,mshtml=;winemenubuilder.exe=d", 1);
    setenv("WINEARCH", "win64", 1);
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    wine_environment(wine, dir);
    execv(argv[0], argv);
    _exit(127);
}

static void show(bool terminal, double seconds, bool end)
{
    static const char *const wheel[] = {"|", "/", "-", "\\"};
    static unsigned turn;
    if (!terminal) return;
    if (end)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr,
                "\r\033[Kfvm: making the base, once: Windows' folders and registry  %s %.0f s",
                wheel[turn++ % 4], seconds);
    fflush(stderr);
}

static double since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Waits for the child. Returns its wait status, or the signal that asked fvm to end, negated. */
static int watch(pid_t pid, const sigset_t *signals, bool terminal)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        struct timespec tick = {.tv_nsec = 250000000};
        show(terminal, since(&start), false);
        int sig = sigtimedwait(signals, NULL, &tick), status;
        if (sig > 0 && sig != SIGCHLD) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            show(terminal, 0, true);
            return -sig;
        }
        if (waitpid(pid, &status, WNOHANG) == pid) {
            show(terminal, 0, true);
            return status;
        }
    }
}

/* Sets up the new folder and waits until its server has written all. */
static int boot(const struct wine *wine, const char *dir, bool terminal, struct err **err)
{
    sigset_t signals, old;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &old);
    size_t step = 0;
    pid_t pid;
    int e, status;
    do {
        pid = fork();
        if (!pid) exec_step(wine, dir, steps[step], &old);
        e = errno;
        status = pid > 0 ? watch(pid, &signals, terminal) : 0;
    } while (pid > 0 && !status && ++step < STEPS);

    /* The server's commands act on the prefix that the environment names. */
    char *before = getenv("WINEPREFIX") ? xstrdup(getenv("WINEPREFIX")) : NULL;
    setenv("WINEPREFIX", dir, 1);
    struct err *second = NULL;
    if (pid > 0 && status) {
        wine_server_stop(wine);
    } else if (pid > 0) {
        char *wait[] = {wine->server, "-w", NULL};
        child_run_quietly(wait, true, &second);
        err_free(&second);
    }
    if (before)
        setenv("WINEPREFIX", before, 1);
    else
        unsetenv("WINEPREFIX");
    free(before);
    sigprocmask(SIG_SETMASK, &old, NULL);

    if (pid < 0) return err_sys(err, e, "cannot start a process");
    if (status < 0) {
        err_set(err, "interrupted; nothing was left behind");
        (*err)->exit_code = 128 - status;
        return -1;
    }
    if (!status) return 0;
    err_set(err, "%s %s %s ended with %s %d", wine->loader, steps[step][0], steps[step][1],
            WIFSIGNALED(status) ? "signal" : "code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return err_hint(err, "see why with: WINEPREFIX=/tmp/try WINEDEBUG=err+all %s %s %s",
                    wine->loader, steps[step][0], steps[step][1]);
}

/* Removes what a killed fvm left of its base. The lock says that none is at work. */
static void clear_leftovers(const struct wine *wine, const char *home)
{
    DIR *dir = opendir(home);
    if (!dir) return;
    struct dirent *e;
    while ((e = readdir(dir))) {
        if (strncmp(e->d_name, NEW_PREFIX, strlen(NEW_PREFIX))) continue;
        char *path = xasprintf("%s/%s", home, e->d_name);
        struct err *ignored = NULL;
        if (wine_server_running(path)) {
            setenv("WINEPREFIX", path, 1);
            wine_server_stop(wine);
            unsetenv("WINEPREFIX");
        }
        fs_remove_tree(path, &ignored);
        err_free(&ignored);
        free(path);
    }
    closedir(dir);
}

/* With the lock held and no base there. */
static int make(const struct wine *wine, const char *home, const char *base, struct err **err)
{
    bool terminal = isatty(2);
    clear_leftovers(wine, home);
    char *dir = xasprintf("%s/" NEW_PREFIX "XXXXXX", home);
    if (!mkdtemp(dir)) {
        err_sys(err, errno, "cannot make a folder in %s", home);
        free(dir);
        return -1;
    }
    if (!terminal) fprintf(stderr, "fvm: making the base %s, once (some seconds)\n", base);
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct base probe;
    int rc = boot(wine, dir, terminal, err);
    if (!rc) rc = base_open(dir, &probe, err);
    if (!rc) base_free(&probe);
    if (!rc && rename(dir, base)) rc = err_sys(err, errno, "cannot move the base to %s", base);
    if (rc) {
        struct err *second = NULL;
        fs_remove_tree(dir, &second);
        err_free(&second);
    } else {
        fs_sync_dir(home);
        fprintf(stderr, "fvm: made the base %s in %.0f s\n", base, since(&start));
    }
    free(dir);
    return rc;
}

int base_make_default(const struct wine *wine, struct err **err)
{
    const char *home = home_dir(err), *base = home ? home_base(err) : NULL;
    if (!base) return -1;
    if (!access(base, F_OK)) return 0;
    if (fs_make_path(home, 0755, err)) return err_context(err, "cannot make the base");

    char *file = xasprintf("%s/base.lock", home);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644), rc = 0;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0) rc = err_sys(err, errno, "cannot open %s", file);
    while (!rc && fcntl(fd, F_OFD_SETLKW, &lock))
        if (errno != EINTR) rc = err_sys(err, errno, "cannot lock %s", file);
    if (!rc && access(base, F_OK)) rc = make(wine, home, base, err);
    if (fd >= 0) close(fd);
    free(file);
    return rc ? err_context(err, "cannot make the base") : 0;
}
