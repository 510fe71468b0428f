#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/utf.h"
#include "hive.h"
#include "space.h"

/* Room for the store of a command: address space, memory is touched only as it fills. */
#define STORE_SIZE ((size_t)4 << 30)
/* A log is written anew at a start when it is this long and most of it says nothing any more. */
#define LOG_LONG ((uint64_t)1 << 20)

static char *log_file(const struct vm *vm) { return xasprintf("%s/registry", vm->dir); }

uint64_t registry_log_bytes(const struct vm *vm)
{
    char *file = log_file(vm);
    struct stat st;
    uint64_t size = stat(file, &st) ? 0 : (uint64_t)st.st_size;
    free(file);
    return size;
}

/* --- configuration: the base's links ------------------------------------------------------------ */

struct config {
    char *data;
    size_t len, cap;
    uint64_t seq;
};

static void config_put(struct config *c, const void *bytes, size_t size)
{
    if (c->cap - c->len < size) {
        c->cap = c->cap * 2 + size + 4096;
        c->data = xrealloc(c->data, c->cap);
    }
    memcpy(c->data + c->len, bytes, size);
    c->len += size;
}

static int config_link(void *arg, struct fvm_wstr path, struct fvm_wstr target)
{
    struct config *c = arg;
    struct fvm_reg_record rec = {.op = FVM_REG_OP_LINK,
                                 .seq = ++c->seq,
                                 .path = path,
                                 .data = target.ptr,
                                 .size = target.len * 2};
    uint64_t size = fvm_reg_log_size(&rec);
    char *bytes = xmalloc(size);
    fvm_reg_log_encode(&rec, bytes);
    config_put(c, bytes, size);
    free(bytes);
    return 0;
}

static int init(void *block, uint64_t size, const struct base *base, struct err **err)
{
    struct fvm_reg_log_header header = {.magic = FVM_REG_LOG_MAGIC, .version = FVM_REG_LOG_VERSION};
    struct config c = {0};
    if (base) {
        config_put(&c, &header, sizeof header);
        hive_links(base->dir, config_link, &c);
    }
    int rc = fvm_reg_init(block, size, c.data, (uint32_t)c.len);
    free(c.data);
    return rc ? err_set(err, "cannot make the store of the registry (error %d)", rc) : 0;
}

/* --- the log -------------------------------------------------------------------------------------- */

struct log {
    void *data;
    size_t len;
    struct fvm_reg_log_summary summary;
};

static int damaged(const struct vm *vm, struct err **err, const char *why)
{
    err_set(err, "the registry log of VM %s is damaged: %s", vm->name, why);
    return err_hint(err, "keep what can be read of it with: fvm reg %s repair", vm->name);
}

/* True when a whole record stands behind the point at which reading ended: then it is no write
 * that was interrupted but damage in the middle. */
static bool more_behind(const struct log *log)
{
    for (uint64_t at = log->summary.valid + 8; at < log->len; at += 8) {
        struct fvm_reg_record rec;
        uint64_t size = fvm_reg_log_decode((char *)log->data + at, log->len - at, &rec);
        if (size && rec.seq > log->summary.last_seq + 1) return true;
    }
    return false;
}

static int load(const struct vm *vm, struct fvm_reg *r, bool repair, struct log *log,
                struct err **err)
{
    char *file = log_file(vm);
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;
    *log = (struct log){0};
    if (fd < 0 && errno == ENOENT) {
        /* nothing was changed yet */
    } else if (fd < 0 || fstat(fd, &st)) {
        rc = err_sys(err, errno, "cannot read %s", file);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(err, "%s is no file: it should be the VM's registry log", file);
    } else if (st.st_size) {
        log->len = (size_t)st.st_size;
        log->data = mmap(NULL, log->len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (log->data == MAP_FAILED) {
            log->data = NULL;
            rc = err_sys(err, errno, "cannot read %s", file);
        }
    }
    if (fd >= 0) close(fd);
    free(file);
    if (rc || !log->data) return rc;
    bool ok = fvm_reg_log_replay(log->data, log->len, r, &log->summary);
    if (repair) return 0;
    if (!ok && log->len >= sizeof(struct fvm_reg_log_header))
        rc = damaged(vm, err, "it does not begin as a registry log");
    else if (log->summary.failed && log->summary.first_error == FVM_REG_FULL)
        rc = err_set(err, "the private registry of VM %s is too large", vm->name);
    else if (log->summary.failed)
        rc = damaged(vm, err, "records contradict one another");
    else if (log->summary.torn && more_behind(log))
        rc = damaged(vm, err, "a part in its middle cannot be read");
    return rc;
}

static void unload(struct log *log)
{
    if (log->data) munmap(log->data, log->len);
    *log = (struct log){0};
}

static bool collect(void *context, const void *bytes, uint64_t size)
{
    config_put(context, bytes, size);
    return true;
}

/* Writes the log anew, as short as it can be. */
static int rewrite(const struct vm *vm, const struct fvm_reg *r, uint64_t *len, uint64_t *seq,
                   struct err **err)
{
    struct config c = {0};
    fvm_wchar *path = xmalloc(FVM_REG_PATH_MAX * sizeof *path);
    char *file = log_file(vm);
    int rc = 0;
    if (!fvm_reg_log_dump(r, path, collect, &c, seq))
        rc = err_set(err, "the private registry of VM %s is too large to be written", vm->name);
    if (!rc) rc = fs_write_file(file, c.data, c.len, true, err);
    *len = c.len;
    free(c.data);
    free(path);
    free(file);
    return rc;
}

static int cut(const struct vm *vm, uint64_t valid, uint64_t len, struct err **err)
{
    char *file = log_file(vm);
    int rc = truncate(file, (off_t)valid)
                 ? err_sys(err, errno, "cannot cut the torn end off %s", file)
                 : 0;
    free(file);
    if (!rc)
        vm_event(vm, "recovered", "cut %llu bytes of an unfinished record off the registry log",
                 (unsigned long long)(len - valid));
    return rc;
}

int registry_start(const struct vm *vm, const struct base *base, void *block, uint64_t size,
                   struct err **err)
{
    struct fvm_reg *r = block;
    struct log log;
    if (init(block, size, base, err)) return -1;
    int rc = load(vm, r, false, &log, err);
    uint64_t tail = log.summary.valid, seq = log.summary.last_seq;
    if (!rc && log.data) {
        uint32_t dropped = fvm_reg_drop_volatile(r);
        bool is_long = log.len > LOG_LONG && log.len / 4 > fvm_reg_used(r);
        if (dropped || is_long)
            rc = rewrite(vm, r, &tail, &seq, err);
        else if (tail < log.len)
            rc = cut(vm, tail, log.len, err);
    }
    unload(&log);
    if (rc) return rc;
    struct fvm_reg_state *state = fvm_reg_state(r);
    state->log_tail = tail;
    state->log_seq = seq;
    /* sorted behind everything else below \Registry; the time tells runs apart that were not
     * ended in an orderly way */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char *name = xasprintf("~FVM-%s-%llx%08lx", vm->id, (unsigned long long)now.tv_sec,
                           (unsigned long)now.tv_nsec);
    state->shadow_len = (uint32_t)fvm_utf8_to_utf16(name, strlen(name), state->shadow, 64);
    free(name);
    return 0;
}

/* --- stores of commands ----------------------------------------------------------------------------- */

static int map(struct registry *reg, struct err **err)
{
    *reg = (struct registry){.size = STORE_SIZE};
    void *block = mmap(NULL, STORE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) return err_sys(err, errno, "cannot get memory for the registry");
    reg->r = block;
    return 0;
}

int registry_open(const struct vm *vm, const struct base *base, struct registry *reg,
                  struct err **err)
{
    struct log log = {0};
    if (map(reg, err)) return -1;
    int rc = init(reg->r, STORE_SIZE, base, err);
    if (!rc) rc = load(vm, reg->r, false, &log, err);
    reg->log_valid = log.summary.valid;
    reg->log_seq = log.summary.last_seq;
    reg->torn = log.summary.torn;
    unload(&log);
    if (rc) registry_close(reg);
    return rc;
}

int registry_open_base(const struct base *base, struct registry *reg, struct err **err)
{
    if (map(reg, err)) return -1;
    int rc = init(reg->r, STORE_SIZE, NULL, err);
    if (!rc) rc = hive_load_base(base->dir, reg->r, err);
    if (rc) registry_close(reg);
    return rc;
}

void registry_close(struct registry *reg)
{
    if (reg->r) munmap(reg->r, reg->size);
    *reg = (struct registry){0};
}

int registry_append(const struct vm *vm, struct registry *reg, struct fvm_reg_record *rec,
                    struct err **err)
{
    struct fvm_reg_log_header header = {.magic = FVM_REG_LOG_MAGIC, .version = FVM_REG_LOG_VERSION};
    rec->seq = reg->log_seq + 1;
    uint64_t size = fvm_reg_log_size(rec), start = reg->log_valid ? 0 : sizeof header;
    if (!size) return err_set(err, "the value is too large");
    char *file = log_file(vm), *bytes = xmalloc(start + size);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), rc = 0;
    memcpy(bytes, &header, start);
    fvm_reg_log_encode(rec, bytes + start);
    if (fd < 0) rc = err_sys(err, errno, "cannot write %s", file);
    if (!rc && (lseek(fd, (off_t)reg->log_valid, SEEK_SET) < 0 ||
                fs_write_all(fd, bytes, start + size))) {
        rc = err_sys(err, errno, "cannot write %s", file);
        if (ftruncate(fd, (off_t)reg->log_valid)) err_context(err, "the registry log is torn");
    }
    if (!rc && ftruncate(fd, (off_t)(reg->log_valid + start + size)))
        rc = err_sys(err, errno, "cannot write %s", file);
    if (fd >= 0) close(fd);
    if (!rc && fvm_reg_apply(reg->r, rec))
        rc = err_set(err, "the change does not fit the VM's registry");
    if (!rc) {
        reg->log_valid += start + size;
        reg->log_seq++;
    }
    free(bytes);
    free(file);
    return rc;
}

void registry_cut(const struct vm *vm, uint64_t valid, struct err **err)
{
    char *file = log_file(vm);
    if (truncate(file, (off_t)valid))
        err_context(err, "a part of the change stays: %s cannot be cut", file);
    free(file);
}

int registry_repair(const struct vm *vm, uint64_t *lost, struct err **err)
{
    struct registry reg;
    struct log log = {0};
    *lost = 0;
    if (map(&reg, err)) return -1;
    int rc = init(reg.r, STORE_SIZE, NULL, err);
    if (!rc) rc = load(vm, reg.r, true, &log, err);
    if (!rc && log.data && (log.summary.valid < log.len || log.summary.failed)) {
        char *file = log_file(vm), *aside = NULL;
        uint64_t len, seq;
        *lost = log.len - log.summary.valid;
        rc = space_set_aside(vm, file, &aside, err);
        if (!rc) rc = rewrite(vm, reg.r, &len, &seq, err);
        if (!rc)
            vm_event(vm, "recovered",
                     "%llu bytes of the registry log could not be read; the damaged file is at %s",
                     (unsigned long long)*lost, aside);
        free(aside);
        free(file);
    }
    unload(&log);
    registry_close(&reg);
    return rc;
}
