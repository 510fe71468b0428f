#include "verbs.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base.h"
#include "vm.h"

static int create(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {{"base", required_argument, NULL, 'b'}, {0}};
    const char *base = getenv("FVM_BASE");
    int c;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c != 'b') return verb_bad_option(argv, c, optopt, err);
        base = optarg;
    }
    if (verb_count(argc, optind, 1, 1, err) || vm_check_name(argv[optind], err)) return -1;

    struct base opened = {0};
    if (base && *base && base_open(base, &opened, err)) return -1;
    struct vm vm;
    int rc = vm_create(argv[optind], opened.dir, true, &vm, err);
    base_free(&opened);
    if (rc) return -1;
    puts(vm.name);
    vm_close(&vm);
    return EXIT_CODE_OK;
}

const struct verb verb_create = {
    "create",
    "NAME [--base DIR]",
    "Make a new, empty VM that stays until it is removed",
    "Names have letters, digits, '_', '.' and '-', begin with a letter or digit and are at most\n"
    "64 characters long.\n"
    "\n"
    "Options:\n"
    "  --base DIR  Wine prefix on which the VM stands (default: $FVM_BASE, else FVM's own,\n"
    "              which is made when the first program runs)\n",
    create,
};
