#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "child.h"
#include "home.h"
#include "runtime.h"
#include "vm.h"
#include "wine.h"

/* Standard input for the program: the file, or what fvm itself has. */
static int take_input(const char *file, struct err **err)
{
    if (!strcmp(file, "-")) return 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_sys(err, errno, "cannot open %s", file);
    int rc = dup2(fd, STDIN_FILENO) < 0 ? err_sys(err, errno, "cannot read %s", file) : 0;
    close(fd);
    return rc;
}

/* Runs the monitor's file as a program of the VM (monitor/clip.c). */
static int start(const struct wine *wine, const char *shared, bool set, struct err **err)
{
    char *monitor, *guest;
    if (home_parts(&monitor, &guest, err)) return -1;
    char *argv[] = {wine->loader, monitor, "--shared", (char *)(uintptr_t)shared,         "--guest",
                    guest,        "--",    monitor,    set ? "--clip-set" : "--clip-get", NULL};
    struct child_run run = {.argv = argv, .shared = shared};
    int code = child_run_program(&run, err);
    free(monitor);
    free(guest);
    return code;
}

static int copy(struct vm *vm, const char *from, struct err **err)
{
    struct wine wine = {0};
    struct base base = {0};
    char *shared;
    int code = -1;
    if (!vm_running(vm)) {
        err_set(err, "VM %s does not run, so it has no clipboard", vm->name);
        return err_hint(err, "start a program in it: fvm run %s -- PROGRAM", vm->name);
    }
    if (!(from && take_input(from, err)) && !wine_find(&wine, err) &&
        !base_open(vm->base, &base, err)) {
        wine_environment(&wine, base.dir);
        if (!runtime_enter(vm, &base, &shared, err)) {
            code = start(&wine, shared, from != NULL, err);
            free(shared);
            runtime_leave(vm, false);
        }
    }
    base_free(&base);
    wine_free(&wine);
    return code;
}

static int clip(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {
        {"get", no_argument, NULL, 'g'}, {"set", required_argument, NULL, 's'}, {0}};
    const char *from = NULL;
    bool get = false;
    int c;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c == 'g')
            get = true;
        else if (c == 's')
            from = optarg;
        else
            return verb_bad_option(argv, c, optopt, err);
    }
    if (verb_count(argc, optind, 1, 1, err)) return -1;
    if (get && from) return err_usage(err, "--get and --set cannot stand together");
    struct vm vm;
    if (vm_check_name(argv[optind], err) || vm_open(argv[optind], &vm, err)) return -1;
    int code = copy(&vm, from, err);
    vm_close(&vm);
    return code;
}

const struct verb verb_clip = {
    "clip",
    "NAME [--get | --set FILE]",
    "Copy text out of the clipboard of a running VM, or into it",
    "Each VM has a clipboard of its own; nothing passes between it and that of the host but by\n"
    "this command. The text is UTF-8.\n"
    "\n"
    "Options:\n"
    "  --get       write the clipboard's text to standard output (this is what happens without\n"
    "              an option)\n"
    "  --set FILE  put the file's text on the clipboard; - is standard input\n"
    "\n"
    "Examples:\n"
    "  fvm clip dev > text.txt\n"
    "  xclip -o -selection clipboard | fvm clip dev --set -\n",
    clip,
};
