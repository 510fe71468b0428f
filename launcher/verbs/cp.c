#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"
#include "runtime.h"
#include "transfer.h"
#include "view.h"
#include "vm.h"

/* Splits NAME:PATH. A path of the machine begins with a slash or a dot, or has no colon before
 * its first slash. Returns the path, or NULL when the argument is one of the machine. */
static const char *split(const char *argument, char **name)
{
    const char *colon = strchr(argument, ':'), *slash = strchr(argument, '/');
    *name = NULL;
    if (!colon || argument[0] == '.' || (slash && slash < colon)) return NULL;
    *name = xasprintf("%.*s", (int)(colon - argument), argument);
    return colon + 1;
}

static int copy_into(struct vm *vm, const struct base *base, const char *from, const char *to,
                     struct err **err)
{
    struct wbuf path;
    bool into;
    struct stat st;
    if (stat(from, &st)) return err_sys(err, errno, "cannot read %s", from);
    if (view_parse(to, base, &path, &into, err)) return -1;
    int rc = runtime_quiesce(vm, err);
    if (!rc) rc = transfer_in(vm, base, from, wbuf_str(&path), into, err);
    wbuf_free(&path);
    return rc;
}

static int copy_from(const struct vm *vm, const struct base *base, const char *from, const char *to,
                     struct err **err)
{
    struct wbuf path;
    if (view_parse(from, base, &path, NULL, err)) return -1;
    int rc = transfer_out(vm, base, wbuf_str(&path), to, err);
    wbuf_free(&path);
    return rc;
}

/* The base of a VM that something is copied out of. When it is gone the VM's own files can be
 * got all the same. */
static int open_base(const struct vm *vm, bool out, struct base *base, struct err **err)
{
    struct stat st;
    if (!base_open(vm->base, base, err)) return 0;
    if (!out || !stat(vm->base, &st)) return -1;
    err_free(err);
    fprintf(stderr, "fvm: the base %s is not there: only what is VM %s's own is copied\n", vm->base,
            vm->name);
    *base = (struct base){.has_z = true};
    return 0;
}

static int cp(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {{0}};
    int c;
    if ((c = getopt_long(argc, argv, ":", options, NULL)) != -1)
        return verb_bad_option(argv, c, optopt, err);
    if (verb_count(argc, optind, 2, 2, err)) return -1;
    const char *from = argv[optind], *to = argv[optind + 1];
    char *from_name, *to_name;
    const char *from_path = split(from, &from_name), *to_path = split(to, &to_name);
    struct vm vm = {.lock_fd = -1};
    struct base base = {0};
    int rc;
    if (!from_name && !to_name)
        rc = err_usage(err, "neither %s nor %s is in a VM: write NAME:PATH", from, to);
    else if (from_name && to_name)
        rc = err_usage(err, "both %s and %s are in a VM: copy to this machine first", from, to);
    else if (vm_open(from_name ? from_name : to_name, &vm, err) ||
             open_base(&vm, from_name != NULL, &base, err))
        rc = -1;
    else if (from_name)
        rc = copy_from(&vm, &base, from_path, to, err);
    else
        rc = copy_into(&vm, &base, from, to_path, err);
    base_free(&base);
    vm_close(&vm);
    free(from_name);
    free(to_name);
    return rc ? -1 : EXIT_CODE_OK;
}

const struct verb verb_cp = {
    "cp",
    "NAME:PATH FILE | FILE NAME:PATH",
    "Copy files and folders into a VM or out of it",
    "PATH is a Windows path (dev:C:\\data, in quotes for the shell's sake). Folders are copied\n"
    "with all that is in them; what is there already is replaced. Copying out shows what a\n"
    "program in the VM would see, and works on running VMs; if the base is gone, the VM's own\n"
    "files can be copied out. Copying in needs a VM that nobody runs.\n",
    cp,
};
