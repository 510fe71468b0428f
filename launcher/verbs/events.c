#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

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

/* A VM's folder, watched. */
struct watch {
    int fd, folder;
};

static int watch_start(struct watch *w, const char *dir, struct err **err)
{
    const uint32_t mask = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF;
    w->fd = inotify_init1(IN_CLOEXEC);
    w->folder = w->fd < 0 ? -1 : inotify_add_watch(w->fd, dir, mask | IN_ONLYDIR);
    return w->folder < 0 ? err_sys(err, errno, "cannot watch %s", dir) : 0;
}

/* Waits for a change of the event log: 1 when there was one, 0 when the VM was removed. */
static int watch_wait(const struct watch *w, struct err **err)
{
    _Alignas(struct inotify_event) char buffer[4096];
    for (;;) {
        ssize_t n = read(w->fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return err_sys(err, n ? errno : EIO, "cannot watch the VM's folder");
        bool changed = false;
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(void *)p;
            if (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) return 0;
            /* after an overflow anything may have changed */
            changed |= (e->mask & IN_Q_OVERFLOW) || (e->len && !strcmp(e->name, "events"));
            p += sizeof *e + e->len;
        }
        if (changed) return 1;
    }
}

/* Prints what stands behind the last whole line; one that is being written is left for later. */
static void print_lines(FILE *f, bool json, bool whole_only)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    clearerr(f);
    while ((n = getline(&line, &cap, f)) > 0) {
        if (whole_only && line[n - 1] != '\n') {
            fseeko(f, -(off_t)n, SEEK_CUR);
            break;
        }
        if (json) fputs(line, stdout);
        else print_event(line);
    }
    free(line);
}

static int show(const char *dir, bool json, bool follow, struct err **err)
{
    struct watch watch = {-1, -1};
    char *file = xasprintf("%s/events", dir);
    FILE *f = NULL;
    /* watching first: nothing is written unseen between reading and waiting */
    int rc = follow ? watch_start(&watch, dir, err) : 0, more = 1;
    while (!rc && more > 0) {
        if (!f && !(f = fopen(file, "re")) && errno != ENOENT)
            rc = err_sys(err, errno, "cannot read %s", file);
        if (f) print_lines(f, json, follow);
        if (!follow || rc) break;
        fflush(stdout);
        more = watch_wait(&watch, err);
        if (more < 0) rc = -1;
    }
    if (f) fclose(f);
    if (watch.fd >= 0) close(watch.fd);
    free(file);
    return rc;
}

static int events(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"follow", no_argument, NULL, 'f'}, {0}};
    bool json = false, follow = false;
    int c;
    while ((c = getopt_long(argc, argv, ":f", options, NULL)) != -1) {
        if (c == 'j') json = true;
        else if (c == 'f') follow = true;
        else return verb_bad_option(argv, c, optopt, err);
    }
    struct vm vm;
    if (verb_count(argc, optind, 1, 1, err) || vm_open(argv[optind], &vm, err)) return -1;
    int rc = show(vm.dir, json, follow, err);
    vm_close(&vm);
    return rc ? -1 : EXIT_CODE_OK;
}

const struct verb verb_events = {
    "events",
    "NAME [--follow] [--json]",
    "Show what FVM refused, mended or could not do in a VM",
    "Options:\n"
    "  -f, --follow  go on with what happens from now on, until interrupted or the VM is removed\n"
    "  --json        one JSON object per line, as they are kept\n",
    events,
};
