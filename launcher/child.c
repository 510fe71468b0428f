#include "child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "fvm/shared.h"
#include "util.h"

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 0;
    return exit_code(status);
}

/* In a child that is about to become another program: it gets none of the descriptors that fvm was
 * started with, beside the standard ones. No Windows program can use them, but Wine would hand
 * them on to its services, which keep them open: the lock of a script, the pipe to another
 * program. (Kernels before 5.11 cannot do this; there they are handed on.) */
static void keep_standard_files(void)
{
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

int child_run_quietly(char *const argv[], bool quiet, struct err **err)
{
    int failure[2];
    if (pipe2(failure, O_CLOEXEC)) return err_sys(err, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        int e = errno;
        close(failure[0]);
        close(failure[1]);
        return err_sys(err, e, "cannot start a process");
    }
    if (!pid) {
        setsid();
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        if (quiet) {
            dup2(null, 1);
            dup2(null, 2);
        }
        if (null > 2) close(null);
        keep_standard_files();
        execv(argv[0], argv);
        int e = errno;
        ssize_t n = write(failure[1], &e, sizeof e);
        _exit(n < 0 ? 126 : 127);
    }
    close(failure[1]);
    int e = 0;
    ssize_t n = read(failure[0], &e, sizeof e);
    close(failure[0]);
    int code = wait_for(pid);
    if (n == sizeof e) return err_sys(err, e, "cannot run %s", argv[0]);
    return code;
}

/* Does the process map the file (by its full path)? MAPS_SERVED: with the mark of those that
 * serve the whole VM and not one run of it, which lies below all other mappings of the file. */
enum maps { MAPS_NOT, MAPS_RUN, MAPS_SERVED };

static enum maps maps_file(pid_t pid, const char *file)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(name, "re");
    if (!maps) return MAPS_NOT;
    char *line = NULL;
    size_t cap = 0, len = strlen(file);
    enum maps found = MAPS_NOT;
    while (!found && getline(&line, &cap, maps) > 0) {
        const char *path = strchr(line, '/');
        /* the name of a file that was removed meanwhile is followed by " (deleted)" */
        if (path && !strncmp(path, file, len) && (path[len] == '\n' || path[len] == ' '))
            found = strtoull(line, NULL, 16) == FVM_SERVED_MARK ? MAPS_SERVED : MAPS_RUN;
    }
    free(line);
    fclose(maps);
    return found;
}

int child_end_users_of(const char *file, struct err **err)
{
    DIR *proc = opendir("/proc");
    if (!proc) return err_sys(err, errno, "cannot look for processes in /proc");
    int ended = 0;
    struct dirent *e;
    while ((e = readdir(proc))) {
        if (!isdigit((unsigned char)e->d_name[0])) continue;
        pid_t pid = atoi(e->d_name);
        if (pid == getpid() || !maps_file(pid, file)) continue;
        /* the descriptor names the process also when its number is given out again */
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (fd < 0) continue;
        if (maps_file(pid, file) && !syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0)) {
            struct pollfd gone = {.fd = fd, .events = POLLIN};
            while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
            }
            ended++;
        }
        close(fd);
    }
    closedir(proc);
    return ended;
}

/* Processes that descend from fvm: Wine detaches each new process from its maker, and
 * fvm, as the subreaper, becomes its parent. */
static size_t list_children(pid_t **list)
{
    size_t count = 0, cap = 0;
    char name[64];
    snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
    *list = NULL;
    FILE *f = fopen(name, "re");
    if (!f) return 0;
    int pid;
    while (fscanf(f, "%d", &pid) == 1) {
        if (count == cap) *list = xrealloc(*list, (cap = cap ? cap * 2 : 16) * sizeof(**list));
        (*list)[count++] = pid;
    }
    fclose(f);
    return count;
}

/* Passes a signal on to the VM's processes. */
static void forward(int sig, pid_t monitor, const char *shared)
{
    pid_t *list;
    size_t count = list_children(&list), reached = 0;
    for (size_t i = 0; i < count; i++) {
        /* a signal for the run is none for what serves all runs */
        if (list[i] == monitor || maps_file(list[i], shared) != MAPS_RUN) continue;
        if (!kill(list[i], sig)) reached++;
    }
    free(list);
    /* The monitor outlives a Ctrl-C to see how its program ends. The other signals mean
     * the whole run; so does a Ctrl-C when there is no program yet. */
    if (sig != SIGINT)
        kill(monitor, sig);
    else if (!reached)
        kill(monitor, SIGTERM);
}

/* Waits for those of the run's processes that are still about to end. Those that serve the VM
 * live on as long as any run of it (runtime_leave). */
static void reap_rest(const char *shared)
{
    pid_t *list;
    size_t count = list_children(&list);
    for (size_t i = 0; i < count; i++) {
        if (maps_file(list[i], shared) != MAPS_RUN) {
            waitpid(list[i], NULL, WNOHANG);
            continue;
        }
        /* The monitor has ended, and with it the job: nothing of it may live on. */
        kill(list[i], SIGKILL);
        wait_for(list[i]);
    }
    free(list);
}

struct terminal {
    int fd;
    struct termios state;
};

static void terminal_save(struct terminal *t)
{
    t->fd = -1;
    for (int fd = 0; fd < 3 && t->fd < 0; fd++)
        if (!tcgetattr(fd, &t->state)) t->fd = fd;
}

static void terminal_restore(const struct terminal *t)
{
    struct termios now;
    if (t->fd < 0 || tcgetattr(t->fd, &now) || !memcmp(&now, &t->state, sizeof now)) return;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigaction(SIGTTOU, &ignore, &old); /* a background job may restore it as well */
    tcsetattr(t->fd, TCSADRAIN, &t->state);
    sigaction(SIGTTOU, &old, NULL);
}

static void exec_child(const struct child_run *run, pid_t fvm, const sigset_t *mask, int failure)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != fvm) _exit(128 + SIGKILL); /* fvm died before the line above */
    sigprocmask(SIG_SETMASK, mask, NULL);
    keep_standard_files();
    if (!run->cwd || !chdir(run->cwd)) execv(run->argv[0], run->argv);
    int e = errno;
    ssize_t n = write(failure, &e, sizeof e);
    _exit(n < 0 ? 126 : 127);
}

static int wait_with_signals(pid_t monitor, const char *shared, const sigset_t *signals)
{
    int passed_on = 0;
    for (;;) {
        siginfo_t info;
        int sig = sigwaitinfo(signals, &info);
        if (sig < 0) continue;
        if (sig != SIGCHLD) {
            /* what the terminal sends has reached the whole foreground job already */
            if (info.si_code == SI_KERNEL) continue;
            if (sig != SIGINT) passed_on = sig;
            forward(sig, monitor, shared);
            continue;
        }
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid != monitor) continue;
            return passed_on ? 128 + passed_on : exit_code(status);
        }
    }
}

int child_run_program(const struct child_run *run, struct err **err)
{
    int failure[2];
    if (pipe2(failure, O_CLOEXEC)) return err_sys(err, errno, "cannot make a pipe");

    sigset_t signals, old;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGQUIT);
    sigprocmask(SIG_BLOCK, &signals, &old);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct terminal terminal;
    terminal_save(&terminal);

    pid_t fvm = getpid(), pid = fork();
    if (!pid) exec_child(run, fvm, &old, failure[1]);
    int fork_errno = errno, exec_errno = 0;
    close(failure[1]);
    ssize_t n = pid > 0 ? read(failure[0], &exec_errno, sizeof exec_errno) : 0;
    close(failure[0]);

    int code = -1;
    if (pid < 0) {
        err_sys(err, fork_errno, "cannot start a process");
    } else if (n == sizeof exec_errno) {
        wait_for(pid);
        err_sys(err, exec_errno, "cannot start %s%s%s", run->argv[0], run->cwd ? " in " : "",
                run->cwd ? run->cwd : "");
    } else {
        code = wait_with_signals(pid, run->shared, &signals);
        reap_rest(run->shared);
        terminal_restore(&terminal);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    return code;
}
