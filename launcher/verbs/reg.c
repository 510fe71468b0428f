#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fsutil.h"
#include "registry_diff.h"
#include "registry_text.h"
#include "runtime.h"
#include "view.h"

struct request {
    struct vm vm;
    struct base base;
    bool has_base;
    const char *value, *type, *data;
    bool json;
    char **args;
    int count;
};

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return ((uint64_t)t.tv_sec + 11644473600u) * 10000000u + (uint64_t)t.tv_nsec / 100;
}

/* --- changes of a VM that nobody runs -------------------------------------------------------------- */

struct change {
    const struct vm *vm;
    struct registry_view view;
    uint64_t log_valid; /* bytes of the log before it */
    struct err **err;
};

static int append(struct change *c, struct fvm_reg_record *rec)
{
    rec->time = now();
    return registry_append(c->vm, &c->view.vm, rec, c->err);
}

/* Machine and User, and what would stand beside them. */
static bool is_top(const struct wbuf *path)
{
    for (uint32_t i = 0; i < path->len; i++)
        if (path->ptr[i] == '\\') return false;
    return true;
}

/* Makes the key and those above it that are missing. */
static int make_key(struct change *c, struct fvm_wstr path, struct registry_key *key)
{
    if (registry_view_find(&c->view, path, false, key)) return 0;
    for (uint32_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '\\') continue;
        struct registry_key part;
        int rc = 0;
        if (!registry_view_find(&c->view, (struct fvm_wstr){path.ptr, i}, false, &part)) {
            struct fvm_reg_record rec = {.op = FVM_REG_OP_CREATE,
                                         .path = wbuf_str(&part.path),
                                         .type = fvm_reg_next_serial(c->view.vm.r)};
            rc = is_top(&part.path) ? err_set(c->err, "nothing can be made there") : append(c, &rec);
        }
        registry_key_free(&part);
        if (rc) return rc;
    }
    registry_key_free(key);
    if (registry_view_find(&c->view, path, false, key)) return 0;
    return err_set(c->err, "the key cannot be made: a link leads nowhere");
}

static int set_value(struct change *c, struct fvm_wstr path, const struct fvm_reg_value *value)
{
    struct registry_key key;
    struct fvm_reg_value old;
    int rc = make_key(c, path, &key);
    if (!rc && value) {
        bool has = registry_view_get(&c->view, &key, value->name, &old);
        bool in_base = key.base && fvm_reg_find_value(c->view.base.r, key.base, value->name, &old) &&
                       !(key.own && fvm_reg_find_value(c->view.vm.r, key.own, value->name, &old));
        if (has) registry_view_get(&c->view, &key, value->name, &old);
        struct fvm_reg_record rec = {.op = FVM_REG_OP_SET,
                                     .flags = in_base ? FVM_REG_BASE : 0,
                                     .path = wbuf_str(&key.path),
                                     .name = value->name,
                                     .type = value->type,
                                     .data = value->data,
                                     .size = value->size};
        bool same = has && old.type == value->type && old.size == value->size &&
                    !memcmp(old.data, value->data, value->size);
        if (!same) rc = append(c, &rec);
    }
    registry_key_free(&key);
    return rc;
}

/* Deletes a value, or the whole key when name is NULL. *found says whether it was there. */
static int delete_it(struct change *c, struct fvm_wstr path, const struct fvm_wstr *name, bool *found)
{
    struct registry_key key;
    struct fvm_reg_value value;
    int rc = 0;
    *found = registry_view_find(&c->view, path, name == NULL, &key) &&
             (!name || registry_view_get(&c->view, &key, *name, &value));
    if (*found && name) {
        bool base = key.base && fvm_reg_find_value(c->view.base.r, key.base, *name, &value);
        struct fvm_reg_record rec = {.op = FVM_REG_OP_UNSET,
                                     .flags = base ? FVM_REG_BASE : 0,
                                     .path = wbuf_str(&key.path),
                                     .name = *name};
        rc = append(c, &rec);
    } else if (*found) {
        struct fvm_reg_record rec = {.op = FVM_REG_OP_DELETE, .path = wbuf_str(&key.path)};
        rc = is_top(&key.path) ? err_set(c->err, "this key holds all others and cannot be deleted")
                 : append(c, &rec);
    }
    registry_key_free(&key);
    return rc;
}

static int import_entry(void *arg, const struct registry_reg_entry *e)
{
    struct change *c = arg;
    bool found;
    if (e->is_value && e->deleted) return delete_it(c, e->key, &e->value.name, &found);
    if (e->is_value) return set_value(c, e->key, &e->value);
    if (e->deleted) return delete_it(c, e->key, NULL, &found);
    return set_value(c, e->key, NULL);
}

static int check_only(void *arg, const struct registry_reg_entry *e)
{
    (void)arg;
    (void)e;
    return 0;
}

/* --- changes of a running VM: by a program in it ---------------------------------------------------- */

static int run_inside(const struct request *q, char **program, struct err **err)
{
    char *self = realpath("/proc/self/exe", NULL), *argv[24] = {self, "run", q->vm.name, "--"};
    int n = 4;
    while (*program)
        argv[n++] = *program++;
    pid_t pid = fork();
    if (!pid) {
        int null = open("/dev/null", O_RDWR);
        if (null >= 0) {
            dup2(null, 0);
            dup2(null, 1);
        }
        execv(self, argv);
        _exit(127);
    }
    free(self);
    int status;
    if (pid < 0) return err_sys(err, errno, "cannot start a process");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && !WEXITSTATUS(status)) return 0;
    return err_set(err, "VM %s runs, and the change by a program inside it has failed",
                   q->vm.name);
}

static int change_inside(const struct request *q, const char *verb, struct err **err)
{
    char *argv[16] = {"reg.exe", (char *)(uintptr_t)verb, q->args[0]};
    int n = 3;
    struct wbuf path;
    char *name = NULL, *file = NULL;
    if (strcmp(verb, "import")) {
        if (registry_parse_key(q->args[0], &path, err)) return -1;
        argv[2] = name = registry_key_name(wbuf_str(&path), false);
        wbuf_free(&path);
        if (q->value) {
            argv[n++] = *q->value ? "/v" : "/ve";
            if (*q->value) argv[n++] = (char *)(uintptr_t)q->value;
        }
        if (q->data && !strcmp(verb, "add")) {
            argv[n++] = "/t";
            argv[n++] = (char *)(uintptr_t)(q->type ? q->type : "REG_SZ");
            argv[n++] = "/d";
            argv[n++] = (char *)(uintptr_t)q->data;
        }
        argv[n++] = "/f";
    } else {
        char *real = realpath(q->args[0], NULL);
        if (!real) return err_sys(err, errno, "cannot read %s", q->args[0]);
        argv[2] = file = xasprintf("Z:%s", real);
        for (char *p = file; *p; p++)
            if (*p == '/') *p = '\\';
        free(real);
    }
    int rc = run_inside(q, argv, err);
    free(name);
    free(file);
    return rc;
}

/* --- the commands ------------------------------------------------------------------------------------ */

/* Locks the VM; 1: it runs, the change was made inside. */
static int begin(struct request *q, const char *verb, struct change *c, struct err **err)
{
    *c = (struct change){.vm = &q->vm, .err = err};
    int busy = vm_try_exclusive(&q->vm, err);
    if (busy == 1) return change_inside(q, verb, err) ? -1 : 1;
    if (busy || runtime_quiesce(&q->vm, err)) return -1;
    if (!q->has_base) return err_set(err, "the base %s cannot be read", q->vm.base);
    if (registry_view_open(&q->vm, &q->base, &c->view, err)) return -1;
    c->log_valid = c->view.vm.log_valid;
    if (!c->view.vm.torn) return 0;
    registry_view_close(&c->view);
    err_set(err, "the end of the VM's registry log is unfinished");
    return err_hint(err, "cut it off with: fvm reg %s repair", q->vm.name);
}

/* What fails half-way (no room for the log) leaves nothing behind. Returns rc. */
static int finish(struct change *c, int rc)
{
    if (rc && c->view.vm.log_valid != c->log_valid) registry_cut(c->vm, c->log_valid, c->err);
    registry_view_close(&c->view);
    return rc;
}

static int do_set(struct request *q, struct err **err)
{
    struct change c;
    struct wbuf path, name = {0};
    void *data = NULL;
    uint32_t type = 1, size = 0;
    if (q->type && !registry_parse_type(q->type, &type))
        return err_usage(err, "\"%s\" is no type of a value (REG_SZ, REG_DWORD, ...)", q->type);
    if (registry_parse_key(q->args[0], &path, err)) return -1;
    if (q->data && registry_parse_data(type, q->data, &data, &size, err)) {
        wbuf_free(&path);
        return -1;
    }
    int rc = begin(q, "add", &c, err);
    if (!rc) {
        if (q->value) wbuf_add_utf8(&name, q->value);
        struct fvm_reg_value value = {
            .name = wbuf_str(&name), .type = type, .data = data, .size = size};
        rc = finish(&c, set_value(&c, wbuf_str(&path), q->data ? &value : NULL));
    }
    wbuf_free(&path);
    wbuf_free(&name);
    free(data);
    return rc < 0 ? -1 : EXIT_CODE_OK;
}

static int do_delete(struct request *q, struct err **err)
{
    struct change c;
    struct wbuf path, name = {0};
    bool found = true;
    if (registry_parse_key(q->args[0], &path, err)) return -1;
    int rc = begin(q, "delete", &c, err);
    if (!rc) {
        if (q->value) wbuf_add_utf8(&name, q->value);
        struct fvm_wstr n = wbuf_str(&name);
        rc = delete_it(&c, wbuf_str(&path), q->value ? &n : NULL, &found);
        if (!rc && !found)
            rc = err_set(err, "there is no such %s in VM %s", q->value ? "value" : "key",
                         q->vm.name);
        rc = finish(&c, rc);
    }
    wbuf_free(&path);
    wbuf_free(&name);
    return rc < 0 ? -1 : EXIT_CODE_OK;
}

static int do_import(struct request *q, struct err **err)
{
    struct change c;
    /* a file with errors changes nothing, in a running VM neither */
    if (registry_reg_read(q->args[0], check_only, NULL, err)) return -1;
    int rc = begin(q, "import", &c, err);
    if (!rc) rc = finish(&c, registry_reg_read(q->args[0], import_entry, &c, err));
    return rc < 0 ? -1 : EXIT_CODE_OK;
}

static int open_view(struct request *q, struct registry_view *view, struct err **err)
{
    return registry_view_open(&q->vm, q->has_base ? &q->base : NULL, view, err);
}

static void print_value(const struct fvm_reg_value *v)
{
    char *name = utf8_of(v->name), *data = registry_data_text(v);
    printf("    %s    %s    %s\n", v->name.len ? name : "(Default)", registry_type_name(v->type),
           data);
    free(name);
    free(data);
}

static void print_key(const struct request *q, const struct registry_view *view,
                      const struct registry_key *key)
{
    struct registry_iter at = {0};
    struct fvm_reg_value value;
    struct registry_key child;
    char *name = registry_key_name(wbuf_str(&key->path), false);
    bool first = true;
    if (q->json)
        fputs("{\"values\": [", stdout);
    else
        puts(name);
    while (registry_view_value(view, key, &at, &value)) {
        if (!q->json) {
            print_value(&value);
            continue;
        }
        printf("%s\n  {\"name\": ", first ? "" : ",");
        view_print_json(stdout, value.name);
        fputs(", \"value\": ", stdout);
        registry_print_json_value(stdout, &value);
        fputs("}", stdout);
        first = false;
    }
    if (q->json) fputs(first ? "], \"keys\": [" : "\n], \"keys\": [", stdout);
    at = (struct registry_iter){0};
    for (first = true; registry_view_child(view, key, &at, &child); first = false) {
        char *sub = registry_key_name(wbuf_str(&child.path), false);
        if (q->json) {
            struct wbuf wide = {0};
            wbuf_add_utf8(&wide, sub);
            fputs(first ? "\n  " : ",\n  ", stdout);
            view_print_json(stdout, wbuf_str(&wide));
            wbuf_free(&wide);
        } else {
            puts(sub);
        }
        free(sub);
        registry_key_free(&child);
    }
    if (q->json) puts(first ? "]}" : "\n]}");
    free(name);
}

static int do_query(struct request *q, struct err **err)
{
    struct registry_view view;
    struct registry_key key;
    struct fvm_reg_value value;
    struct wbuf path, name = {0};
    if (registry_parse_key(q->args[0], &path, err)) return -1;
    int rc = open_view(q, &view, err);
    if (!rc) {
        if (!registry_view_find(&view, wbuf_str(&path), false, &key)) {
            rc = err_set(err, "there is no key %s in VM %s", q->args[0], q->vm.name);
        } else if (q->value) {
            wbuf_add_utf8(&name, q->value);
            if (!registry_view_get(&view, &key, wbuf_str(&name), &value)) {
                rc = err_set(err, "there is no value \"%s\" in the key %s", q->value, q->args[0]);
            } else if (q->json) {
                registry_print_json_value(stdout, &value);
                putchar('\n');
            } else {
                char *data = registry_data_text(&value);
                puts(data);
                free(data);
            }
        } else {
            print_key(q, &view, &key);
        }
        registry_key_free(&key);
        registry_view_close(&view);
    }
    wbuf_free(&name);
    wbuf_free(&path);
    return rc ? -1 : EXIT_CODE_OK;
}

static int do_export(struct request *q, struct err **err)
{
    struct registry_view view;
    struct registry_key key;
    struct wbuf path;
    if (registry_parse_key(q->args[0], &path, err)) return -1;
    int rc = open_view(q, &view, err);
    if (!rc) {
        FILE *out = NULL;
        if (!registry_view_find(&view, wbuf_str(&path), false, &key))
            rc = err_set(err, "there is no key %s in VM %s", q->args[0], q->vm.name);
        else if (q->count > 1 && !(out = fopen(q->args[1], "we")))
            rc = err_sys(err, errno, "cannot write %s", q->args[1]);
        if (!rc) registry_export(&view, &key, out ? out : stdout);
        if (out && fclose(out)) rc = err_sys(err, errno, "cannot write %s", q->args[1]);
        registry_key_free(&key);
        registry_view_close(&view);
    }
    wbuf_free(&path);
    return rc ? -1 : EXIT_CODE_OK;
}

static int do_repair(struct request *q, struct err **err)
{
    uint64_t lost;
    if (vm_lock(&q->vm, VM_LOCK_EXCLUSIVE, err) || registry_repair(&q->vm, &lost, err)) return -1;
    if (lost)
        printf("%llu bytes could not be read; the damaged file lies in lost+found\n",
               (unsigned long long)lost);
    else
        puts("nothing was wrong");
    return EXIT_CODE_OK;
}

static const struct {
    const char *name;
    int min, max; /* arguments */
    int (*run)(struct request *q, struct err **err);
} commands[] = {
    {"query", 1, 1, do_query},   {"set", 1, 1, do_set},       {"delete", 1, 1, do_delete},
    {"export", 1, 2, do_export}, {"import", 1, 1, do_import}, {"repair", 0, 0, do_repair},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static int reg(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {{"value", required_argument, NULL, 'v'},
                                            {"type", required_argument, NULL, 't'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    struct request q = {.vm.lock_fd = -1};
    int c;
    while ((c = getopt_long(argc, argv, ":v:t:d:", options, NULL)) != -1) {
        switch (c) {
        case 'v':
            q.value = optarg;
            break;
        case 't':
            q.type = optarg;
            break;
        case 'd':
            q.data = optarg;
            break;
        case 'j':
            q.json = true;
            break;
        default:
            return verb_bad_option(argv, c, optopt, err);
        }
    }
    if (verb_count(argc, optind, 2, 4, err)) return -1;
    size_t i = 0;
    while (i < COMMANDS && strcmp(commands[i].name, argv[optind + 1]))
        i++;
    if (i == COMMANDS)
        return err_usage(err, "fvm reg cannot \"%s\": it knows query, set, delete, export, import "
                              "and repair",
                         argv[optind + 1]);
    q.args = argv + optind + 2;
    q.count = argc - optind - 2;
    if (q.count < commands[i].min) return err_usage(err, "an argument is missing");
    if (q.count > commands[i].max) return err_usage(err, "there are too many arguments");
    if (vm_open(argv[optind], &q.vm, err)) return -1;
    struct err *no_base = NULL;
    q.has_base = !base_open(q.vm.base, &q.base, &no_base);
    err_free(&no_base);
    int rc = commands[i].run(&q, err);
    base_free(&q.base);
    vm_close(&q.vm);
    return rc;
}

const struct verb verb_reg = {
    "reg",
    "NAME query|set|delete|export|import|repair [KEY|FILE] [OPTIONS]",
    "Look at and change a VM's registry",
    "  fvm reg NAME query KEY [-v VALUE] [--json]     show a key, or the data of one value\n"
    "  fvm reg NAME set KEY [-v VALUE] [-t TYPE] [-d DATA]  make a key; with -d set a value\n"
    "  fvm reg NAME delete KEY [-v VALUE]             delete a key with all below it, or a value\n"
    "  fvm reg NAME export KEY [FILE]                 write a .reg file (or to standard output)\n"
    "  fvm reg NAME import FILE                       take over a .reg file\n"
    "  fvm reg NAME repair                            keep what can be read of a damaged registry\n"
    "\n"
    "KEY begins with HKLM, HKCU, HKCR, HKU or HKCC, as in HKCU\\Software. Without -v, -d sets the\n"
    "key's default value. What is shown of the base comes from its files, which Wine writes every\n"
    "half minute. Works on running VMs too.\n"
    "\n"
    "Options:\n"
    "  -v, --value NAME  name of the value; \"\" is the default value\n"
    "  -t, --type TYPE   REG_SZ (default), REG_DWORD, REG_BINARY, REG_MULTI_SZ (parts separated\n"
    "                    by \\0), REG_EXPAND_SZ, REG_QWORD, or a number\n"
    "  -d, --data DATA   text, a number, or bytes in hexadecimal\n"
    "  --json            as JSON\n",
    reg,
};
