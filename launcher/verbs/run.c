#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "child.h"
#include "home.h"
#include "runtime.h"
#include "watch.h"
#include "util.h"
#include "vm.h"
#include "wine.h"

struct request {
    bool remove;
    bool title;           /* windows show the VM's name */
    const char *name;     /* of an existing VM */
    const char *new_name; /* of a VM to make */
    const char *base;     /* as given, or NULL */
    bool base_given;      /* by the option, not by the environment */
    const char *cwd;
    char **program; /* with its arguments, ended by NULL */
    struct wine wine;
};

/* -e VAR=VALUE. Wine takes some variables for the host's own and passes them to Windows
 * programs only with WINE in front of their name. */
static int set_variable(const char *text, struct err **err)
{
    static const char *const special[] = {"PATH", "PWD", "HOME", "TEMP", "TMP"};
    const char *equal = strchr(text, '=');
    if (!equal || equal == text) return err_usage(err, "-e needs VAR=VALUE, but got \"%s\"", text);
    char *name = xasprintf("%.*s", (int)(equal - text), text), *real = NULL;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (!strcasecmp(name, special[i])) real = xasprintf("WINE%s", special[i]);
    int rc = setenv(real ? real : name, equal + 1, 1)
                 ? err_sys(err, errno, "cannot set the variable %s", name)
                 : 0;
    free(name);
    free(real);
    return rc;
}

static int parse(int argc, char **argv, struct request *r, struct err **err)
{
    static const struct option options[] = {{"rm", no_argument, NULL, 'r'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"base", required_argument, NULL, 'b'},
                                            {"env", required_argument, NULL, 'e'},
                                            {"workdir", required_argument, NULL, 'w'},
                                            {"title", no_argument, NULL, 't'},
                                            {0}};
    int end = 1;
    while (end < argc && strcmp(argv[end], "--"))
        end++;
    /* options may stand before and behind the VM's name, but only in front of the "--" */
    int c;
    while ((c = getopt_long(end, argv, ":e:w:", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            r->remove = true;
            break;
        case 't':
            r->title = true;
            break;
        case 'n':
            r->new_name = optarg;
            break;
        case 'b':
            r->base = optarg;
            r->base_given = true;
            break;
        case 'w':
            r->cwd = optarg;
            break;
        case 'e':
            if (set_variable(optarg, err)) return -1;
            break;
        default:
            return verb_bad_option(argv, c, optopt, err);
        }
    }
    if (end == argc) return err_usage(err, "the program is missing: it stands behind \"--\"");
    if (end - optind > 1)
        return err_usage(err,
                         "only the VM's name can stand in front of \"--\", but there is %s too",
                         argv[optind + 1]);
    if (optind < end) r->name = argv[optind];
    r->program = argv + end + 1;
    if (!*r->program || !**r->program)
        return err_usage(err, "the program is missing: nothing stands behind \"--\"");
    if (r->name && r->new_name)
        return err_usage(err, "--name is for a new VM, but the existing VM %s is named too",
                         r->name);
    if (r->name && r->remove)
        return err_usage(err, "--rm is for a VM that this run makes; %s is one that stays",
                         r->name);
    if ((r->name && vm_check_name(r->name, err)) ||
        (r->new_name && vm_check_name(r->new_name, err)))
        return -1;
    if (!r->base && getenv("FVM_BASE") && *getenv("FVM_BASE")) r->base = getenv("FVM_BASE");
    return 0;
}

/* Opens the VM, new or existing, and its base. Standing VMs keep the base they were made on. */
static int prepare(struct request *r, struct vm *vm, struct base *base, struct err **err)
{
    vm->lock_fd = -1;
    if (r->name) {
        if (vm_open(r->name, vm, err)) return -1;
        if (r->base_given) {
            char *real = realpath(r->base, NULL);
            bool same = real && !strcmp(real, vm->base);
            free(real);
            if (!same) {
                err_set(err, "VM %s stands on the base %s and cannot be moved to %s", vm->name,
                        vm->base, r->base);
                return err_hint(err, "leave --base out, or make another VM on that base");
            }
        }
        if (vm->own_base && base_make_default(&r->wine, err)) return -1;
        if (!base_open(vm->base, base, err)) return 0;
        err_context(err, "cannot start VM %s", vm->name);
        return err_hint(err, "the VM was made on this base and runs on no other: put it right, or "
                             "get the VM's own files out with: fvm cp");
    }
    if (!r->base && base_make_default(&r->wine, err)) return -1;
    const char *dir = r->base ? r->base : home_base(err);
    if (!dir || base_open(dir, base, err)) return -1;
    return vm_create(r->new_name, base->dir, !r->remove, vm, err);
}

static bool is_windows_path(const char *s)
{
    return strchr(s, '\\') || (s[0] && s[1] == ':');
}

static int start(const struct request *r, const char *shared, struct err **err)
{
    char *monitor, *guest;
    if (home_parts(&monitor, &guest, err)) return -1;
    size_t count = 0, n = 0;
    while (r->program[count])
        count++;
    char **argv = xcalloc(count + 12, sizeof *argv);
    argv[n++] = r->wine.loader;
    argv[n++] = monitor;
    argv[n++] = "--shared";
    argv[n++] = (char *)(uintptr_t)shared;
    argv[n++] = "--guest";
    argv[n++] = guest;
    bool windows_cwd = r->cwd && is_windows_path(r->cwd);
    if (windows_cwd) {
        argv[n++] = "--cwd";
        argv[n++] = (char *)(uintptr_t)r->cwd;
    }
    if (r->title) argv[n++] = "--title";
    argv[n++] = "--";
    memcpy(argv + n, r->program, count * sizeof *argv);

    struct child_run run = {.argv = argv, .cwd = windows_cwd ? NULL : r->cwd, .shared = shared};
    int code = child_run_program(&run, err);
    free(argv);
    free(monitor);
    free(guest);
    return code;
}

/* Removes a VM of --rm, or says why it stays. */
static void throw_away(struct vm *vm)
{
    struct err *err = NULL;
    int rc = vm_try_exclusive(vm, &err);
    if (rc == 1) {
        vm_keep(vm);
        fprintf(stderr, "fvm: VM %s stays, because something else runs in it\n", vm->name);
    } else if (rc || vm_remove(vm, &err)) {
        err_print(err);
    }
    err_free(&err);
}

static int run_in(struct request *r, struct vm *vm, const struct base *base, struct err **err)
{
    char *shared;
    wine_environment(&r->wine, base->dir);
    if (runtime_enter(vm, base, &shared, err)) return -1;
    int code = wine_warm_up(&r->wine, base->dir, err);
    struct watch *watch = code ? NULL : watch_start(vm, base, shared, err);
    if (!code) code = watch ? start(r, shared, err) : -1;
    watch_stop(watch);
    free(shared);
    runtime_leave(vm, r->remove);
    return code;
}

static int run(int argc, char **argv, struct err **err)
{
    struct request r = {0};
    if (parse(argc, argv, &r, err)) return -1;
    struct stat st;
    if (r.cwd && !is_windows_path(r.cwd) && (stat(r.cwd, &st) || !S_ISDIR(st.st_mode)))
        err_set(err, "cannot start in %s: there is no such folder", r.cwd);

    struct vm vm = {.lock_fd = -1};
    struct base base = {0};
    int code = -1;
    if (!*err && !wine_find(&r.wine, err) && !prepare(&r, &vm, &base, err)) {
        code = run_in(&r, &vm, &base, err);
        if (r.remove) throw_away(&vm);
    }
    vm_close(&vm);
    base_free(&base);
    wine_free(&r.wine);
    if (code < 0 && (*err)->exit_code == EXIT_CODE_FAILED) (*err)->exit_code = EXIT_CODE_RUN;
    return code;
}

const struct verb verb_run = {
    "run",
    "[OPTIONS] [NAME] -- PROGRAM [ARGUMENTS]",
    "Run a Windows program in a VM",
    "Without NAME a new VM is made for the program; it gets a random name and stays, unless\n"
    "--rm is given.\n"
    "\n"
    "PROGRAM is a Windows path (C:\\tools\\7za.exe), a Linux path of a Windows program\n"
    "(/home/me/setup.exe, ./setup.exe) or a bare name, which is searched as Windows does. It\n"
    "starts in the folder in which fvm was started.\n"
    "\n"
    "Options:\n"
    "  --rm                 remove the VM when the program has ended\n"
    "  --name NAME          name of the new VM\n"
    "  --base DIR           Wine prefix for the new VM (default: $FVM_BASE, else FVM's own)\n"
    "  -e, --env VAR=VALUE  set a variable for the program; may be given several times\n"
    "  -w, --workdir DIR    folder to start in: a Windows path in the VM, or a Linux one\n"
    "  --title              the titles of the VM's windows begin with its name, until it stops\n"
    "\n"
    "The exit code is the program's. 125: fvm could not run it; 126: it is no program that\n"
    "can be run; 127: it was not found; 128 + n: ended by signal n.\n",
    run,
};
