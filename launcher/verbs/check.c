#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <dirent.h>
#include <unistd.h>

#include "compact.h"
#include "fsutil.h"
#include "registry.h"
#include "runtime.h"
#include "space.h"
#include "sweep.h"

#define INDEX_SIZE ((size_t)1 << 30)

/* What was found. A problem means that something was lost or contradicts something; a note is
 * what an operation leaves that was interrupted, and is mended by itself at the next start. */
struct report {
    bool json;
    json_t *problems, *notes;
};

static void tell(struct report *r, bool problem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct report *r, bool problem, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    if (!r->json) printf("%s: %s\n", problem ? "problem" : "note", text);
    json_t *line = json_string(text);
    json_array_append_new(problem ? r->problems : r->notes,
                          line ? line : json_string("(a name that is no Unicode)"));
    free(text);
}

struct log_scan {
    char *data;
    size_t len;
    struct fvm_index *ix;
    struct fvm_log_record last; /* the last record that counts; points into data */
    uint64_t records;
    bool mendable; /* the log must be written anew */
};

/* Finds the next whole record with a later number than the last one. */
static size_t find_record(const struct log_scan *s, size_t from, uint64_t after)
{
    struct fvm_log_record r;
    for (size_t at = from; at + 8 <= s->len; at += 8)
        if (fvm_log_decode(s->data + at, s->len - at, &r) && r.seq > after && r.op != FVM_LOG_ALIAS)
            return at;
    return s->len;
}

static void apply(struct log_scan *s, const struct fvm_log_record *r, struct report *report)
{
    if (fvm_log_apply(r, s->ix) < 0) {
        char *path = utf8_of(r->path);
        tell(report, true, "record %llu of the log contradicts the ones before it (%s)",
             (unsigned long long)r->seq, path);
        free(path);
        s->mendable = true;
        return;
    }
    s->last = *r;
    s->records++;
}

/* Reads the log record by record, beyond damage too: what was recorded behind it still counts. */
static void scan(struct log_scan *s, struct report *report)
{
    struct fvm_log_header header = {0};
    uint64_t seq = 0;
    size_t at = sizeof header;
    if (s->len >= sizeof header) memcpy(&header, s->data, sizeof header);
    if (header.magic != FVM_LOG_MAGIC || header.version != FVM_LOG_VERSION) {
        tell(report, true,
             s->len < sizeof header ? "the log is too short to be one"
                                    : "the head of the log is damaged");
        s->mendable = true;
    }
    while (at < s->len) {
        struct fvm_log_record r;
        uint32_t size = fvm_log_decode(s->data + at, s->len - at, &r);
        if (size && r.seq == seq + 1) {
            apply(s, &r, report);
            seq = r.seq;
            at += size;
            continue;
        }
        size_t next = find_record(s, at, seq);
        s->mendable = true;
        if (next == s->len) {
            tell(report, false, "an unfinished record of %zu bytes ends the log", s->len - at);
            break;
        }
        fvm_log_decode(s->data + next, s->len - next, &r);
        tell(report, true, "the log is damaged at byte %zu: %zu bytes and %llu records are lost",
             at, next - at, (unsigned long long)(r.seq - seq - 1));
        seq = r.seq - 1;
        at = next;
    }
}

static int read_log(const struct vm *vm, struct log_scan *s, struct report *report,
                    struct err **err)
{
    char *file = xasprintf("%s/log", vm->dir);
    int rc = 0;
    void *block = mmap(NULL, INDEX_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *s = (struct log_scan){0};
    if (block == MAP_FAILED) {
        rc = err_sys(err, errno, "cannot get memory for the change index");
    } else if (fs_read_file(file, &s->data, &s->len, err)) {
        munmap(block, INDEX_SIZE);
        rc = -1;
        if (errno == ENOENT) {
            /* also a log that is gone can be mended: its VM is then as the base, and what it
             * had is kept aside */
            err_free(err);
            block = mmap(NULL, INDEX_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            s->data = xstrdup("");
            rc = block == MAP_FAILED ? err_sys(err, errno, "cannot get memory") : 0;
        }
    }
    if (!rc) {
        s->ix = block;
        fvm_index_init(s->ix, INDEX_SIZE);
        scan(s, report);
    }
    free(file);
    return rc;
}

static void free_log(struct log_scan *s)
{
    free(s->data);
    if (s->ix) munmap(s->ix, INDEX_SIZE);
}

static void check_tmp(const struct vm *vm, struct report *report)
{
    char *name = xasprintf("%s/tmp", vm->dir);
    DIR *dir = opendir(name);
    size_t n = 0;
    struct dirent *e;
    while (dir && (e = readdir(dir)))
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (dir) closedir(dir);
    if (n) tell(report, false, "%zu unfinished copies are left in %s", n, name);
    free(name);
}

/* One line per kind and place; the legal ones are counted only. */
static void report_sweep(const struct sweep *s, struct report *report)
{
    size_t missing = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct sweep_item *item = &s->list[i];
        char *view = utf8_of(wbuf_str(&item->view));
        switch (item->kind) {
        case SWEEP_ORPHAN:
            tell(report, false, "%s has a private file that the log does not know: %s", view,
                 item->file);
            break;
        case SWEEP_EMPTY:
            tell(report, false, "%s is an empty private folder that the log does not know", view);
            break;
        case SWEEP_SPELLING:
            tell(report, false, "%s is spelled in another way in the log", view);
            break;
        case SWEEP_UNREACHABLE:
            tell(report, true, "the log has %s, which lies below something deleted or a file",
                 view);
            break;
        case SWEEP_MISSING:
            missing++;
            break;
        }
        free(view);
    }
    if (missing)
        tell(report, false, "%zu private files and folders are deleted in the VM", missing);
}

/* Keeps a copy of the damaged log, then puts the new one in its place in one step. */
static int replace_log(const struct vm *vm, const struct log_scan *s, bool keep, struct err **err)
{
    char *data, *file = xasprintf("%s/log", vm->dir);
    size_t len;
    int rc = compact_log(s->ix, &data, &len, err) < 0 ? -1 : 0;
    if (rc) {
        free(file);
        return -1;
    }
    if (keep && s->len) {
        char *copy = xasprintf("%s/log.damaged", vm->dir);
        rc = fs_write_file(copy, s->data, s->len, true, err);
        if (!rc) rc = space_set_aside(vm, copy, NULL, err);
        free(copy);
    }
    if (!rc) rc = fs_write_file(file, data, len, true, err);
    if (!rc) fs_sync_dir(vm->dir);
    free(data);
    free(file);
    return rc;
}

/* Mends all: pending rename, log, files. The index is s->ix and stays as it is. */
static int repair(const struct vm *vm, const struct log_scan *s, bool damaged, struct err **err)
{
    struct space_log log = {.data = s->data, .len = s->len};
    log.summary.records = s->records;
    log.summary.last = s->last;
    log.summary.torn = false; /* the log is written anew below */
    struct sweep sweep;
    if (space_recover(vm, s->ix, &log, err) || sweep_collect(vm, s->ix, &sweep, err)) return -1;
    int rc = sweep_mend(vm, &sweep, err);
    sweep_free(&sweep);
    if (!rc) rc = replace_log(vm, s, damaged, err);
    if (!rc) space_mark_clean(vm);
    return rc;
}

/* The private registry has a log of its own. */
static int check_registry(const struct vm *vm, bool mend, struct report *report, struct err **err)
{
    struct registry reg;
    struct err *why = NULL;
    uint64_t lost;
    if (!registry_open(vm, NULL, &reg, &why)) {
        if (reg.torn) tell(report, false, "an unfinished record ends the registry log");
        registry_close(&reg);
        return 0;
    }
    tell(report, true, "%s", why->text);
    err_free(&why);
    return mend ? registry_repair(vm, &lost, err) : 0;
}

static int check_vm(struct vm *vm, bool mend, struct report *report, struct err **err)
{
    int busy = vm_try_exclusive(vm, err);
    if (busy < 0 || (busy && mend && vm_lock(vm, VM_LOCK_EXCLUSIVE, err))) return -1;
    if (!busy && runtime_clear(vm, err)) return -1;

    struct log_scan log;
    if (read_log(vm, &log, report, err)) {
        free_log(&log);
        return -1;
    }
    struct sweep sweep = {0};
    int rc = 0;
    if (busy) {
        tell(report, false, "the VM is running: only its log was checked");
    } else {
        bool pending = log.records && space_rename_pending(vm, &log.last);
        if (pending) tell(report, false, "the last rename has still to be finished");
        check_tmp(vm, report);
        rc = sweep_collect(vm, log.ix, &sweep, err);
        /* what a pending rename has still to move is where it is by rights */
        if (!rc && !pending) report_sweep(&sweep, report);
    }
    size_t problems = json_array_size(report->problems);
    if (!rc && mend) rc = repair(vm, &log, problems != 0, err);
    if (!rc) rc = check_registry(vm, mend, report, err);
    problems = json_array_size(report->problems);
    if (!rc && !report->json) {
        printf("%s: %s: %llu records, %zu private files, %zu private folders\n", vm->name,
               !problems ? "consistent"
               : mend    ? "repaired"
                         : "damaged",
               (unsigned long long)log.records, sweep.files, sweep.folders);
        if (problems && !mend) printf("mend it with: fvm check %s --repair\n", vm->name);
    }
    sweep_free(&sweep);
    free_log(&log);
    return rc;
}

static int check(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {
        {"repair", no_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'}, {0}};
    bool mend = false;
    struct report report = {0};
    int c;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c == 'r')
            mend = true;
        else if (c == 'j')
            report.json = true;
        else
            return verb_bad_option(argv, c, optopt, err);
    }
    struct vm vm;
    if (verb_count(argc, optind, 1, 1, err) || vm_open(argv[optind], &vm, err)) return -1;
    report.problems = json_array();
    report.notes = json_array();
    int rc = check_vm(&vm, mend, &report, err);
    size_t problems = json_array_size(report.problems);
    json_t *json =
        json_pack("{s:s, s:b, s:b, s:o, s:o}", "name", vm.name, "consistent", !problems, "repaired",
                  mend && !rc, "problems", report.problems, "notes", report.notes);
    if (!rc && report.json) {
        char *text = json_dumps(json, JSON_INDENT(2));
        puts(text ? text : "{}");
        free(text);
    }
    json_decref(json);
    if (rc) err_context(err, "cannot check VM %s", vm.name);
    vm_close(&vm);
    if (rc) return -1;
    return problems && !mend ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

const struct verb verb_check = {
    "check",
    "NAME [--repair] [--json]",
    "Verify a VM's workspace against its log, and mend it",
    "Verifies the log's checksums and numbers, and that private files and log fit together.\n"
    "A \"note\" is what an interrupted operation leaves; the next start mends it by itself. A\n"
    "\"problem\" is damage: then the exit code is 1.\n"
    "\n"
    "Options:\n"
    "  --repair  mend what was found and shorten the log. Nothing is deleted: files that the\n"
    "            log does not know, and the damaged log, go to the workspace's lost+found\n"
    "  --json    the result as JSON\n",
    check,
};
