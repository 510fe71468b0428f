#include "verbs.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "vm.h"

static void print_json(json_t *list)
{
    char *text = json_dumps(list, JSON_INDENT(2));
    puts(text ? text : "[]");
    free(text);
}

static int ls(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"quiet", no_argument, NULL, 'q'}, {0}};
    bool json = false, quiet = false;
    int c;
    while ((c = getopt_long(argc, argv, ":q", options, NULL)) != -1) {
        if (c == 'j')
            json = true;
        else if (c == 'q')
            quiet = true;
        else
            return verb_bad_option(argv, c, optopt, err);
    }
    char **names;
    size_t count;
    if (verb_count(argc, optind, 0, 0, err) || vm_list(&names, &count, err)) return -1;

    size_t width = 4;
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) > width) width = strlen(names[i]);
    json_t *list = json ? json_array() : NULL;
    if (!json && !quiet)
        printf("%-*s  %-8s  %-20s  %s\n", (int)width, "NAME", "STATE", "CREATED", "BASE");
    for (size_t i = 0; i < count; i++) {
        struct vm vm;
        struct err *why = NULL;
        bool damaged = vm_open(names[i], &vm, &why);
        const char *state = damaged ? "damaged" : vm_running(&vm) ? "running" : "stopped";
        if (json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "name", names[i],
                                                  "state", state, "id", vm.id, "created",
                                                  vm.created, "base", vm.base));
        else if (quiet)
            puts(names[i]);
        else
            printf("%-*s  %-8s  %-20s  %s\n", (int)width, names[i], state,
                   damaged ? "-" : vm.created, damaged ? "-" : vm.base);
        err_free(&why);
        if (!damaged) vm_close(&vm);
    }
    if (json) print_json(list);
    json_decref(list);
    vm_free_names(names, count);
    return EXIT_CODE_OK;
}

const struct verb verb_ls = {
    "ls",
    "[--json] [-q]",
    "List the VMs",
    "Options:\n"
    "  --json       as JSON, with all that is known\n"
    "  -q, --quiet  names alone\n",
    ls,
};
