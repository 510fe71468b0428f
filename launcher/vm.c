#include "vm.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/log.h"
#include "home.h"
#include "util.h"

#define VM_FORMAT 1
#define NEW_PREFIX ".new-"
#define OLD_PREFIX ".rm-"

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

static char *now_utc(void)
{
    time_t t = time(NULL);
    struct tm tm;
    char buf[32];
    gmtime_r(&t, &tm);
    strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return xstrdup(buf);
}

static void random_bytes(void *p, size_t n)
{
    /* never short nor interrupted for so few bytes; without it names are only less random */
    if (getrandom(p, n, 0) != (ssize_t)n) memset(p, getpid() & 0xff, n);
}

static char *random_name(void)
{
    static const char *const left[] = {
        "airy", "blithe", "bright", "brisk", "calm", "deft", "downy", "fleet", "gentle", "keen",
        "light", "lively", "merry", "mild", "neat", "nimble", "quick", "quiet", "spry", "swift",
    };
    static const char *const right[] = {
        "crane", "dove", "egret", "finch", "heron", "jay", "kite", "lark", "linnet", "martin",
        "oriole", "petrel", "plover", "robin", "siskin", "swallow", "swift", "tern", "wagtail",
        "wren",
    };
    unsigned char r[4];
    random_bytes(r, sizeof r);
    return xasprintf("%s-%s-%02x%02x", left[r[0] % (sizeof left / sizeof *left)],
                     right[r[1] % (sizeof right / sizeof *right)], r[2], r[3]);
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

static int set_places(struct vm *vm, struct err **err)
{
    const char *runtime = home_runtime(err);
    if (!runtime) return -1;
    vm->runtime = xasprintf("%s/%s", runtime, vm->id);
    return 0;
}

/* --- creation --------------------------------------------------------------------------- */

static int write_lock(int fd, short type, bool wait)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int rc;
    while ((rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) && errno == EINTR) {
    }
    return rc;
}

/* Removes what creations and removals that were killed have left: their lock is free. */
static void clear_leftovers(const char *vms)
{
    DIR *dir = opendir(vms);
    if (!dir) return;
    struct dirent *e;
    while ((e = readdir(dir))) {
        if (strncmp(e->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) &&
            strncmp(e->d_name, OLD_PREFIX, strlen(OLD_PREFIX)))
            continue;
        char *path = xasprintf("%s/%s", vms, e->d_name), *lock = xasprintf("%s/lock", path);
        int fd = open(lock, O_RDWR | O_CLOEXEC);
        struct stat st;
        struct err *ignored = NULL;
        /* without a lock it is being made just now, or was killed in its first instant */
        bool dead = fd >= 0 ? !write_lock(fd, F_WRLCK, false)
                            : !stat(path, &st) && time(NULL) - st.st_mtime > 60;
        if (dead) fs_remove_tree(path, &ignored);
        err_free(&ignored);
        if (fd >= 0) close(fd);
        free(path);
        free(lock);
    }
    closedir(dir);
}

static int write_part(const char *dir, const char *name, const void *data, size_t len, bool sync,
                      struct err **err)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), e = 0;
    if (fd < 0 || fs_write_all(fd, data, len) || (sync && fsync(fd))) e = errno;
    if (fd >= 0 && close(fd) && !e) e = errno;
    if (e) err_sys(err, e, "cannot write %s", path);
    free(path);
    return e ? -1 : 0;
}

/* Fills the new folder; the description comes last and takes all before it to the disk. */
static int fill(const struct vm *vm, const char *dir, bool lasting, struct err **err)
{
    static const char *const folders[] = {"fs", "tmp"};
    for (size_t i = 0; i < 2; i++) {
        char *path = xasprintf("%s/%s", dir, folders[i]);
        int rc = mkdir(path, 0755) ? err_sys(err, errno, "cannot make the folder %s", path) : 0;
        free(path);
        if (rc) return -1;
    }
    struct fvm_log_header header = {.magic = FVM_LOG_MAGIC, .version = FVM_LOG_VERSION};
    if (write_part(dir, "log", &header, sizeof header, lasting, err)) return -1;

    json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:o}", "version", VM_FORMAT, "name", vm->name,
                             "id", vm->id, "created", vm->created, "base",
                             vm->own_base ? json_null() : json_string(vm->base));
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text) return err_set(err, "cannot describe VM %s: its base is no UTF-8 text", vm->name);
    char *line = xasprintf("%s\n", text);
    free(text);
    int rc = write_part(dir, "vm.json", line, strlen(line), lasting, err);
    free(line);
    return rc;
}

/* Makes the folder aside and moves it into place. Returns 1 when the name is taken. */
static int make(struct vm *vm, const char *vms, bool lasting, struct err **err)
{
    char *tmp = xasprintf("%s/" NEW_PREFIX "XXXXXX", vms), *lock = NULL;
    int rc = -1;
    if (!mkdtemp(tmp)) {
        err_sys(err, errno, "cannot make a folder in %s", vms);
        free(tmp);
        return -1;
    }
    lock = xasprintf("%s/lock", tmp);
    vm->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (vm->lock_fd < 0 || write_lock(vm->lock_fd, F_WRLCK, false))
        err_sys(err, errno, "cannot lock %s", lock);
    else if (chmod(tmp, 0755))
        err_sys(err, errno, "cannot open up %s", tmp);
    else
        rc = fill(vm, tmp, lasting, err);
    if (!rc && syscall(SYS_renameat2, AT_FDCWD, tmp, AT_FDCWD, vm->dir, 1 /* no replace */)) {
        rc = errno == EEXIST ? 1 : -1;
        if (rc < 0) err_sys(err, errno, "cannot move the new VM to %s", vm->dir);
    }
    if (rc) {
        struct err *second = NULL;
        fs_remove_tree(tmp, &second);
        err_free(&second);
        if (vm->lock_fd >= 0) close(vm->lock_fd);
        vm->lock_fd = -1;
    }
    free(lock);
    free(tmp);
    return rc;
}

int vm_create(const char *name, const char *base, bool lasting, struct vm *vm, struct err **err)
{
    *vm = (struct vm){.lock_fd = -1};
    const char *vms = home_vms(err), *own = vms ? home_base(err) : NULL;
    if (!own || (name && vm_check_name(name, err))) return -1;
    if (fs_make_path(vms, 0755, err)) goto fail;
    clear_leftovers(vms);

    unsigned char id[8];
    random_bytes(id, sizeof id);
    vm->id = xasprintf("%02x%02x%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3], id[4],
                       id[5], id[6], id[7]);
    vm->created = now_utc();
    vm->own_base = !base || !strcmp(base, own);
    vm->base = xstrdup(vm->own_base ? own : base);
    if (set_places(vm, err)) goto fail;

    int rc;
    do {
        free(vm->name);
        free(vm->dir);
        vm->name = name ? xstrdup(name) : random_name();
        vm->dir = xasprintf("%s/%s", vms, vm->name);
        rc = make(vm, vms, lasting, err);
    } while (rc == 1 && !name);
    if (!rc) return 0;
    if (rc == 1) {
        err_set(err, "VM %s exists already", name);
        err_hint(err, "choose another name, or remove it with: fvm rm %s", name);
        vm_close(vm);
        return -1;
    }
fail:
    err_context(err, name ? "cannot create VM %s" : "cannot create a VM%s", name ? name : "");
    vm_close(vm);
    return -1;
}

/* --- opening ---------------------------------------------------------------------------- */

static int unknown(const char *name, struct err **err)
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
        return -1;
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
        unknown(name, err);
    else if (!read_description(vm, own, err) && !set_places(vm, err))
        return 0;
    else
        err_context(err, "cannot open VM %s", name);
    vm_close(vm);
    return -1;
}

/* --- locks ------------------------------------------------------------------------------ */

static char *pid_list(const struct vm *vm)
{
    int *pids;
    size_t n = vm_pids(vm, &pids);
    char *text = xstrdup("");
    for (size_t i = 0; i < n; i++) {
        char *longer = xasprintf("%s%s%d", text, i ? ", " : n > 1 ? " (pids " : " (pid ", pids[i]);
        free(text);
        text = longer;
    }
    free(pids);
    if (!n) return text;
    char *closed = xasprintf("%s)", text);
    free(text);
    return closed;
}

/* Opens the lock file. Its lock belongs to the open file, so that it also goes from
 * exclusive to shared in one step, which flock() does not promise. */
static int open_lock(struct vm *vm, struct err **err)
{
    if (vm->lock_fd >= 0) return 0;
    char *file = xasprintf("%s/lock", vm->dir);
    vm->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int rc = 0;
    if (vm->lock_fd < 0)
        rc = errno == ENOENT ? unknown(vm->name, err)
                             : err_sys(err, errno, "cannot open VM %s: its lock %s", vm->name, file);
    free(file);
    return rc;
}

/* True when the locked file is still that of the VM of this name. */
static bool still_there(const struct vm *vm)
{
    char *file = xasprintf("%s/lock", vm->dir);
    struct stat named, held;
    bool same = !stat(file, &named) && !fstat(vm->lock_fd, &held) &&
                named.st_ino == held.st_ino && named.st_dev == held.st_dev;
    free(file);
    return same;
}

static void unlock(struct vm *vm)
{
    close(vm->lock_fd);
    vm->lock_fd = -1;
}

int vm_try_exclusive(struct vm *vm, struct err **err)
{
    if (open_lock(vm, err)) return -1;
    if (write_lock(vm->lock_fd, F_WRLCK, false)) {
        if (errno == EAGAIN || errno == EACCES) return 1;
        err_sys(err, errno, "cannot lock VM %s", vm->name);
        unlock(vm);
        return -1;
    }
    if (still_there(vm)) return 0;
    unlock(vm);
    return unknown(vm->name, err);
}

int vm_lock(struct vm *vm, enum vm_lock lock, struct err **err)
{
    if (lock == VM_LOCK_NONE) {
        if (vm->lock_fd >= 0) unlock(vm);
        return 0;
    }
    if (lock == VM_LOCK_EXCLUSIVE) {
        int rc = vm_try_exclusive(vm, err);
        if (rc != 1) return rc;
        char *pids = pid_list(vm);
        err_set(err, "VM %s is %s%s", vm->name, *pids ? "running" : "in use by another fvm", pids);
        err_hint(err, *pids ? "stop it first: end its programs, or these processes with `kill`"
                            : "wait until that one has ended");
        free(pids);
        return -1;
    }
    if (open_lock(vm, err)) return -1;
    if (write_lock(vm->lock_fd, F_RDLCK, true)) {
        err_sys(err, errno, "cannot lock VM %s", vm->name);
        unlock(vm);
        return -1;
    }
    if (still_there(vm)) return 0;
    unlock(vm);
    return unknown(vm->name, err);
}

bool vm_running(const struct vm *vm)
{
    char *file = xasprintf("%s/lock", vm->dir);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    free(file);
    if (fd < 0) return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

size_t vm_pids(const struct vm *vm, int **pids)
{
    size_t n = 0, cap = 0;
    *pids = NULL;
    DIR *dir = opendir(vm->runtime);
    if (!dir) return 0;
    struct dirent *e;
    while ((e = readdir(dir))) {
        unsigned long pid;
        if (strncmp(e->d_name, "run.", 4) || !parse_number(e->d_name + 4, 1UL << 30, &pid)) continue;
        if (kill((pid_t)pid, 0) && errno == ESRCH) continue;
        if (n == cap) *pids = xrealloc(*pids, (cap = cap ? cap * 2 : 8) * sizeof(**pids));
        (*pids)[n++] = (int)pid;
    }
    closedir(dir);
    return n;
}

int vm_note_pid(const struct vm *vm, struct err **err)
{
    char *file = xasprintf("%s/run.%d", vm->runtime, (int)getpid());
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? err_sys(err, errno, "cannot write %s", file) : 0;
    if (fd >= 0) close(fd);
    free(file);
    return rc;
}

void vm_forget_pid(const struct vm *vm)
{
    char *file = xasprintf("%s/run.%d", vm->runtime, (int)getpid());
    unlink(file);
    free(file);
}

int vm_remove_runtime(const struct vm *vm, struct err **err)
{
    return fs_remove_tree(vm->runtime, err);
}

/* --- removal and lists ------------------------------------------------------------------- */

int vm_remove(struct vm *vm, struct err **err)
{
    /* It is gone at once for everybody, however long the removal of its files takes. */
    const char *vms = home_vms(err);
    if (!vms) return -1;
    if (vm_remove_runtime(vm, err)) return err_context(err, "cannot remove VM %s", vm->name);
    char *aside = xasprintf("%s/" OLD_PREFIX "%s", vms, vm->id);
    int rc = 0;
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
    char *why = xvasprintf(fmt, ap), *time = now_utc();
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
