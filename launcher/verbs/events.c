#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "vm.h"

static const char *text_of(json_t *event, const char *key)
{
    const char *s = json_string_value(json_object_get(event, key));
    return s ? s : "";
}

/* One line for people: time, kind, who, call and name, why. */
static void print_event(const char *line)
{
    json_t *event = json_loads(line, JSON_ALLOW_NUL, NULL);
    if (!event) {
        fputs(line, stdout); /* torn by a crash: shown as it is */
        return;
    }
    json_int_t pid = json_integer_value(json_object_get(event, "pid"));
    printf("%s  %-9s", text_of(event, "time"), text_of(event, "kind"));
    if (pid) printf("  %lld", (long long)pid);
    static const char *const keys[] = {"image", "call", "name"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (*text_of(event, keys[i])) printf("  %s", text_of(event, keys[i]));
    if (*text_of(event, "why")) printf(": %s", text_of(event, "why"));
    putchar('\n');
    json_decref(event);
}

static int events(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false;
    int c;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c != 'j') return verb_bad_option(argv, c, optopt, err);
        json = true;
    }
    struct vm vm;
    if (verb_count(argc, optind, 1, 1, err) || vm_open(argv[optind], &vm, err)) return -1;
    char *file = xasprintf("%s/events", vm.dir);
    FILE *f = fopen(file, "re");
    int rc = !f && errno != ENOENT ? err_sys(err, errno, "cannot read %s", file) : 0;
    char *line = NULL;
    size_t cap = 0;
    while (f && getline(&line, &cap, f) > 0) {
        if (json)
            fputs(line, stdout);
        else
            print_event(line);
    }
    free(line);
    if (f) fclose(f);
    free(file);
    vm_close(&vm);
    return rc ? -1 : EXIT_CODE_OK;
}

const struct verb verb_events = {
    "events",
    "NAME [--json]",
    "Show what FVM refused, mended or could not do in a VM",
    "Options:\n"
    "  --json  one JSON object per line, as they are kept\n",
    events,
};
