#include "vm_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fsutil.h"
#include "home.h"
#include "util.h"

int vm_check_name(const char *name, struct err **err)
{
    const char *why = NULL;
    if (!*name)
        why = "it is empty";
    else if (!isalnum((unsigned char)name[0]) || (name[0] & 0x80))
        why = "it must begin with a letter or a digit";
    else if (strlen(name) > VM_NAME_MAX)
        why = "it is longer than 64 characters";
    for (const char *p = name; !why && *p; p++)
        if ((*p & 0x80) || (!isalnum((unsigned char)*p) && !strchr("_.-", *p)))
            why = "only letters A-Z a-z, digits, '_', '.' and '-' are allowed";
    return why ? err_usage(err, "\"%s\" cannot be the name of a VM: %s", name, why) : 0;
}

char *vm_now(void)
{
    time_t t = time(NULL);
    struct tm tm;
    char buf[32];
    gmtime_r(&t, &tm);
    strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return xstrdup(buf);
}

void vm_close(struct vm *vm)
{
    if (vm->lock_fd >= 0) close(vm->lock_fd);
    free(vm->name);
    free(vm->id);
    free(vm->created);
    free(vm->base);
    free(vm->dir);
    free(vm->runtime);
    *vm = (struct vm){.lock_fd = -1};
}

int vm_set_places(struct vm *vm, struct err **err)
{
    const char *runtime = home_runtime(err);
    if (!runtime) return -1;
    vm->runtime = xasprintf("%s/%s", runtime, vm->id);
    return 0;
}

/* --- opening ---------------------------------------------------------------------------- */

int vm_unknown(const char *name, struct err **err)
{
    err_set(err, "there is no VM %s", name);
    return err_hint(err, "`fvm ls` lists the VMs there are; make this one with: fvm create %s",
                    name);
}

static int damaged(const char *file, const char *why, struct err **err)
{
    err_set(err, "%s cannot be used: %s", file, why);
    return err_hint(err, "if the VM is not needed any more, remove it with: fvm rm -f NAME");
}

static int read_description(struct vm *vm, const char *own_base, struct err **err)
{
    char *file = xasprintf("%s/vm.json", vm->dir), *text = NULL;
    size_t len;
    if (fs_read_file(file, &text, &len, err)) {
        free(file);
        return err_hint(err, "if the VM is not needed any more, remove it with: fvm rm -f %s",
                        vm->name);
    }
    json_error_t why;
    json_t *json = json_loadb(text, len, 0, &why);
    const char *id = NULL, *created = NULL, *base = NULL;
    json_t *base_json = NULL;
    int version = 0, rc = 0;
    if (!json)
        rc = damaged(file, why.text, err);
    else if (json_unpack(json, "{s:i, s:s, s:s, s:o}", "version", &version, "id", &id, "created",
                         &created, "base", &base_json))
        rc = damaged(file, "it lacks version, id, created or base", err);
    else if (version != VM_FORMAT)
        rc = damaged(file, "it was made by another version of fvm", err);
    else if (strlen(id) != 16 || strspn(id, "0123456789abcdef") != 16)
        rc = damaged(file, "its id is none of fvm's", err);
    else if (!json_is_null(base_json) && !(base = json_string_value(base_json)))
        rc = damaged(file, "its base is no text", err);
    if (!rc) {
        vm->id = xstrdup(id);
        vm->created = xstrdup(created);
        vm->own_base = !base;
        vm->base = xstrdup(base ? base : own_base);
    }
    json_decref(json);
    free(text);
    free(file);
    return rc;
}

int vm_open(const char *name, struct vm *vm, struct err **err)
{
    *vm = (struct vm){.lock_fd = -1};
    const char *vms = home_vms(err), *own = vms ? home_base(err) : NULL;
    if (!own || vm_check_name(name, err)) return -1;
    vm->name = xstrdup(name);
    vm->dir = xasprintf("%s/%s", vms, name);
    struct stat st;
    if (stat(vm->dir, &st) || !S_ISDIR(st.st_mode))
        vm_unknown(name, err);
    else if (!read_description(vm, own, err) && !vm_set_places(vm, err))
        return 0;
    else
        err_context(err, "cannot open VM %s", name);
    vm_close(vm);
    return -1;
}

/* --- removal and lists ------------------------------------------------------------------- */

int vm_remove(struct vm *vm, struct err **err)
{
    /* It is gone at once for everybody, however long the removal of its files takes. */
    const char *vms = home_vms(err);
    if (!vms) return -1;
    if (vm_remove_runtime(vm, err)) return err_context(err, "cannot remove VM %s", vm->name);
    char *aside = xasprintf("%s/" VM_OLD_PREFIX "%s", vms, vm->id);
    int rc = 0;
    vm_keep(vm);
    if (rename(vm->dir, aside))
        rc = err_sys(err, errno, "cannot remove VM %s", vm->name);
    else if (fs_remove_tree(aside, err))
        rc = err_context(err, "VM %s is gone, but some of its files are still there", vm->name);
    free(aside);
    return rc;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int vm_list(char ***names, size_t *count, struct err **err)
{
    const char *vms = home_vms(err);
    *names = NULL;
    *count = 0;
    if (!vms) return -1;
    DIR *dir = opendir(vms);
    if (!dir) return errno == ENOENT ? 0 : err_sys(err, errno, "cannot list the VMs in %s", vms);
    size_t cap = 0;
    struct dirent *e;
    while ((e = readdir(dir))) {
        struct err *ignored = NULL;
        if (vm_check_name(e->d_name, &ignored)) {
            err_free(&ignored);
            continue;
        }
        if (*count == cap) *names = xrealloc(*names, (cap = cap ? cap * 2 : 16) * sizeof(**names));
        (*names)[(*count)++] = xstrdup(e->d_name);
    }
    closedir(dir);
    if (*count) qsort(*names, *count, sizeof(**names), name_order);
    return 0;
}

void vm_free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

void vm_event(const struct vm *vm, const char *kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *why = xvasprintf(fmt, ap), *time = vm_now();
    va_end(ap);
    json_t *json = json_pack("{s:s, s:s, s:s}", "time", time, "kind", kind, "why", why);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text) {
        char *file = xasprintf("%s/events", vm->dir), *line = xasprintf("%s\n", text);
        int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd >= 0) {
            fs_write_all(fd, line, strlen(line)); /* one write: lines do not mix */
            close(fd);
        }
        free(line);
        free(file);
    }
    free(text);
    free(time);
    free(why);
}

static unsigned long long disk_use_at(int parent, const char *name)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) return 0;
    unsigned long long sum = (unsigned long long)st.st_blocks * 512;
    if (!S_ISDIR(st.st_mode)) return sum;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0) close(fd);
        return sum;
    }
    struct dirent *e;
    while ((e = readdir(dir)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) sum += disk_use_at(fd, e->d_name);
    closedir(dir);
    return sum;
}

unsigned long long vm_disk_use(const char *dir)
{
    return disk_use_at(AT_FDCWD, dir);
}
