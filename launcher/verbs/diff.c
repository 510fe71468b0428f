#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changes.h"
#include "fvm/path.h"
#include "registry_diff.h"
#include "registry_text.h"
#include "view.h"

static void print_json(const struct change *c, bool first)
{
    printf("%s\n  {\"kind\": \"%c\", \"path\": ", first ? "" : ",", c->kind);
    view_print_json(stdout, wbuf_str(&c->path));
    printf(", \"type\": \"%s\"", c->directory ? "directory" : "file");
    if (c->size >= 0) printf(", \"size\": %lld", c->size);
    if (c->kind == 'R') {
        fputs(", \"old\": ", stdout);
        view_print_json(stdout, wbuf_str(&c->old));
    }
    fputs("}", stdout);
}

static void print_text(const struct change *c)
{
    char *path = utf8_of(wbuf_str(&c->path));
    if (c->kind == 'R') {
        char *old = utf8_of(wbuf_str(&c->old));
        printf("R %s -> %s\n", old, path);
        free(old);
    } else {
        printf("%c %s\n", c->kind, path);
    }
    free(path);
}

/* All changes, or those at and below one path. */
static int list(const struct vm *vm, const struct base *base, const struct wbuf *below, bool json,
                struct err **err)
{
    struct space space;
    struct changes changes;
    if (space_open(vm, NULL, &space, err)) return -1;
    changes_collect(vm, base, &space, &changes);
    if (json) putchar('[');
    bool first = true;
    for (size_t i = 0; i < changes.count; i++) {
        const struct change *c = &changes.list[i];
        if (below && !fvm_path_below(wbuf_str(&c->path), wbuf_str(below)) &&
            !(c->old.len && fvm_path_below(wbuf_str(&c->old), wbuf_str(below))))
            continue;
        if (json)
            print_json(c, first);
        else
            print_text(c);
        first = false;
    }
    changes_free(&changes);
    space_close(&space);
    int rc = 0;
    struct registry_view view;
    if (!below && registry_log_bytes(vm)) {
        rc = registry_view_open(vm, base, &view, err);
        if (!rc) {
            registry_diff(&view, (struct fvm_wstr){0},
                          json ? REGISTRY_DIFF_JSON : REGISTRY_DIFF_TEXT, &first);
            registry_view_close(&view);
        }
    }
    if (json) puts(first ? "]" : "\n]");
    return rc;
}

/* Is it the name of a key? (A path begins with a drive's letter or a slash.) */
static bool names_key(const char *text)
{
    struct err *ignored = NULL;
    struct wbuf path;
    bool yes = !registry_parse_key(text, &path, &ignored);
    err_free(&ignored);
    wbuf_free(&path);
    return yes;
}

/* Changes of the registry alone, at and below a key (NULL: all). */
static int list_registry(const struct vm *vm, const struct base *base, const char *key,
                         enum registry_diff_form form, struct err **err)
{
    struct registry_view view;
    struct wbuf path = {0};
    bool first = true;
    if (key && registry_parse_key(key, &path, err)) return -1;
    int rc = registry_view_open(vm, base, &view, err);
    if (!rc) {
        if (form == REGISTRY_DIFF_JSON) putchar('[');
        registry_diff(&view, wbuf_str(&path), form, &first);
        if (form == REGISTRY_DIFF_JSON) puts(first ? "]" : "\n]");
        registry_view_close(&view);
    }
    wbuf_free(&path);
    return rc;
}

/* True when the file has a zero byte in its first part, as no text in UTF-8 or ANSI has. */
static bool is_binary(const char *file)
{
    char buf[8192];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, buf, sizeof buf);
    close(fd);
    return n > 0 && memchr(buf, 0, (size_t)n);
}

static bool same_content(const char *a, const char *b)
{
    FILE *x = fopen(a, "re"), *y = fopen(b, "re");
    bool same = x && y;
    while (same) {
        char p[16384], q[16384];
        size_t n = fread(p, 1, sizeof p, x), m = fread(q, 1, sizeof q, y);
        same = n == m && !memcmp(p, q, n);
        if (!n) break;
    }
    if (x) fclose(x);
    if (y) fclose(y);
    return same;
}

static int run_diff(const char *old, const char *old_label, const char *new, const char *new_label,
                    struct err **err)
{
    char *argv[] = {"diff",
                    "-u",
                    "--label",
                    (char *)(uintptr_t)old_label,
                    "--label",
                    (char *)(uintptr_t)new_label,
                    "--",
                    (char *)(uintptr_t)old,
                    (char *)(uintptr_t) new,
                    NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) return err_sys(err, errno, "cannot start a process");
    if (!pid) {
        execvp(argv[0], argv);
        _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) < 2) return 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 127)
        return err_set(err, "the program diff could not compare %s and %s", old, new);
    err_set(err, "the program diff, which shows differences of text files, is not installed");
    return err_hint(err, "install it, on Debian with: sudo apt install diffutils");
}

/* The difference of one file between base (old) and VM (new); either may be NULL. */
static int show_file(const struct vm *vm, const struct wbuf *path, const char *old, const char *new,
                     struct err **err)
{
    char *name = utf8_of(wbuf_str(path));
    char *old_label = old ? xasprintf("%s (base)", name) : xstrdup("/dev/null");
    char *new_label = new ? xasprintf("%s (%s)", name, vm->name) : xstrdup("/dev/null");
    int rc = 0;
    if ((old && is_binary(old)) || (new &&is_binary(new))) {
        if (!old || !new)
            printf("Binary file %s: %s\n", name, new ? "added" : "deleted");
        else if (!same_content(old, new))
            printf("Binary files %s and %s differ\n", old_label, new_label);
    } else {
        rc = run_diff(old ? old : "/dev/null", old_label, new ? new : "/dev/null", new_label, err);
    }
    free(name);
    free(old_label);
    free(new_label);
    return rc;
}

/* Where the VM's content of a looked-up path lies on the disk, or NULL. */
static char *content_of(const struct vm *vm, const struct base *base, const struct space_lookup *l)
{
    switch (l->l.verdict) {
    case FVM_PRIVATE:
        return space_private_path(vm, (struct fvm_wstr){l->l.canon, l->l.canon_len});
    case FVM_PASS:
    case FVM_BASE:
    case FVM_MERGED:
        return base_find(base, (struct fvm_wstr){l->l.base, l->l.base_len});
    case FVM_ABSENT:
    case FVM_NO_PATH:
        break;
    }
    return NULL;
}

static int show(const struct vm *vm, const struct base *base, const char *text, bool json,
                struct err **err)
{
    struct wbuf path;
    struct space space;
    if (view_parse(text, base, &path, NULL, err)) return -1;
    if (space_open(vm, base, &space, err)) {
        wbuf_free(&path);
        return -1;
    }
    struct space_lookup *look = xmalloc(sizeof *look);
    int rc = 0;
    if (space_look(space.ix, wbuf_str(&path), look)) {
        rc = err_usage(err, "\"%s\" is no path inside a VM", text);
    } else {
        path.len = 0;
        wbuf_add(&path, (struct fvm_wstr){look->l.canon, look->l.canon_len});
        char *old = base_find(base, wbuf_str(&path)), *new = content_of(vm, base, look);
        struct stat o, n;
        bool has_old = old && !stat(old, &o), has_new = new && !stat(new, &n);
        if (!has_old && !has_new)
            rc = err_set(err, "there is no %s, neither in the base nor in VM %s", text, vm->name);
        else if (json || (has_old && S_ISDIR(o.st_mode)) || (has_new && S_ISDIR(n.st_mode)))
            rc = list(vm, base, &path, json, err);
        else
            rc = show_file(vm, &path, has_old ? old : NULL, has_new ? new : NULL, err);
        free(old);
        free(new);
    }
    free(look);
    space_close(&space);
    wbuf_free(&path);
    return rc;
}

static int diff(int argc, char **argv, struct err **err)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"reg", no_argument, NULL, 'r'}, {0}};
    bool json = false, reg = false;
    int c;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c == 'j')
            json = true;
        else if (c == 'r')
            reg = true;
        else
            return verb_bad_option(argv, c, optopt, err);
    }
    if (json && reg) return err_usage(err, "--json and --reg exclude one another");
    struct vm vm;
    if (verb_count(argc, optind, 1, 2, err) || vm_open(argv[optind], &vm, err)) return -1;
    const char *path = argc - optind > 1 ? argv[optind + 1] : NULL;
    struct base base = {0};
    struct err *no_base = NULL;
    int rc;
    bool have_base = !base_open(vm.base, &base, &no_base);
    if (reg || (path && names_key(path))) {
        rc = list_registry(&vm, have_base ? &base : NULL, path,
                           reg    ? REGISTRY_DIFF_REG
                           : json ? REGISTRY_DIFF_JSON
                                  : REGISTRY_DIFF_TEXT,
                           err);
    } else if (path && !have_base) {
        *err = no_base;
        no_base = NULL;
        rc = -1;
    } else if (path) {
        rc = show(&vm, &base, path, json, err);
    } else {
        rc = list(&vm, have_base ? &base : NULL, NULL, json, err);
    }
    err_free(&no_base);
    base_free(&base);
    vm_close(&vm);
    return rc ? -1 : EXIT_CODE_OK;
}

const struct verb verb_diff = {
    "diff",
    "NAME [PATH|KEY] [--json|--reg]",
    "Show what a VM has changed",
    "Lists files and folders, sorted by path:\n"
    "  A path        added\n"
    "  M path        modified: the VM has a copy of its own (its content may be the same)\n"
    "  D path        deleted (of a folder, this one line stands for all in it)\n"
    "  R old -> new  renamed or moved\n"
    "Then keys and values of the registry, in the same way:\n"
    "  M HKCU\\Control Panel\\Mouse : DoubleClickSpeed = REG_SZ 500 -> REG_SZ 600\n"
    "With PATH: of a text file its difference from the base, line by line; of a folder the\n"
    "changes below it. With KEY (HKLM\\Software): the changes of the registry below it. Works on\n"
    "running VMs too.\n"
    "\n"
    "Options:\n"
    "  --json  a list of {kind, path, type, size, old}; of values {kind, path, type, value, old,\n"
    "          new}\n"
    "  --reg   the changes of the registry as a .reg file, which regedit takes over elsewhere\n",
    diff,
};
