#include "verbs.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "changes.h"
#include "util.h"
#include "vm.h"

/* What the log says: how many records and how many changes. NULL when it cannot be read. */
static json_t *describe_log(const struct vm *vm)
{
    struct space space;
    struct err *why = NULL;
    if (space_open(vm, NULL, &space, &why)) {
        json_t *damaged = json_pack("{s:s}", "error", why->text);
        err_free(&why);
        return damaged;
    }
    const struct fvm_log_summary *s = &space.log.summary;
    json_t *json =
        json_pack("{s:I, s:I, s:I}", "bytes", (json_int_t)space.log.len, "records",
                  (json_int_t)s->records, "index_nodes", (json_int_t)fvm_index_nodes(space.ix));
    space_close(&space);
    return json;
}

static int inspect(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {{0}};
    int c;
    if ((c = getopt_long(argc, argv, ":", options, NULL)) != -1)
        return verb_bad_option(argv, c, optopt, err);
    struct vm vm;
    if (verb_count(argc, optind, 1, 1, err) || vm_open(argv[optind], &vm, err)) return -1;

    bool running = vm_running(&vm);
    int *pids;
    size_t count = vm_pids(&vm, &pids);
    json_t *list = json_array();
    for (size_t i = 0; running && i < count; i++)
        json_array_append_new(list, json_integer(pids[i]));
    free(pids);
    char *files = xasprintf("%s/fs", vm.dir);
    struct stat st;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:s, s:s, s:I, s:o}", "name", vm.name, "id", vm.id,
        "created", vm.created, "state", running ? "running" : "stopped", "pids", list, "base",
        vm.base, "base_exists", !stat(vm.base, &st), "folder", vm.dir, "files", files, "disk_bytes",
        (json_int_t)vm_disk_use(vm.dir), "log", describe_log(&vm));
    free(files);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int rc = text ? 0 : err_set(err, "cannot describe VM %s: a path of it is no UTF-8", vm.name);
    if (text) puts(text);
    free(text);
    json_decref(json);
    vm_close(&vm);
    return rc ? -1 : EXIT_CODE_OK;
}

const struct verb verb_inspect = {
    "inspect", "NAME", "Show all that is known of a VM, as JSON", "", inspect,
};
