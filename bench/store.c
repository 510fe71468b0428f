/* What fvm itself needs to load and to save a VM's private registry of 10,000 values: the log is
 * replayed into a store, and the store written as a log, flushed to the disk and renamed into
 * place, as at a start (launcher/registry.c). Prints lines as micro.c does.
 *
 * store FILE     the log is made there */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fvm/registry_log.h"

#define VALUES     10000
#define SAMPLES    20
#define STORE_SIZE ((size_t)256 << 20)

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct fvm_wstr wide(const char *text, fvm_wchar *dst)
{
    uint32_t n = 0;

    for (; text[n]; n++)
        dst[n] = (fvm_wchar)text[n];
    return (struct fvm_wstr){dst, n};
}

static struct fvm_reg *make_store(void)
{
    void *block = mmap(NULL, STORE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (block == MAP_FAILED) fail("mmap");
    if (fvm_reg_init(block, STORE_SIZE, NULL, 0)) fail("fvm_reg_init");
    return block;
}

struct buffer {
    char *bytes;
    size_t len, cap;
};

static bool collect(void *context, const void *bytes, uint64_t size)
{
    struct buffer *b = context;

    if (b->cap - b->len < size) {
        b->cap = b->cap * 2 + size + 4096;
        b->bytes = realloc(b->bytes, b->cap);
        if (!b->bytes) fail("realloc");
    }
    memcpy(b->bytes + b->len, bytes, size);
    b->len += size;
    return true;
}

/* 100 keys with 100 values each. */
static void fill(struct fvm_reg *r)
{
    fvm_wchar path_text[80], name_text[40];
    char text[80], data[64] = "some text of ordinary length";

    for (uint32_t i = 0; i < VALUES; i++) {
        snprintf(text, sizeof text, "Machine\\Software\\Vendor\\Product\\Key %02u", i / 100);
        struct fvm_reg_record rec = {
            .op = FVM_REG_OP_SET, .time = 1, .path = wide(text, path_text)};
        snprintf(text, sizeof text, "Value %03u", i % 100);
        rec.name = wide(text, name_text);
        rec.type = 1;
        rec.data = data;
        rec.size = sizeof data;
        if (fvm_reg_apply(r, &rec)) fail("fvm_reg_apply");
    }
}

static void save(const struct fvm_reg *r, const char *file)
{
    static fvm_wchar path[FVM_REG_PATH_MAX];
    struct buffer b = {0};
    char aside[4096];

    snprintf(aside, sizeof aside, "%s.new", file);
    if (!fvm_reg_log_dump(r, path, collect, &b, NULL)) fail("fvm_reg_log_dump");
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, b.bytes, b.len) != (ssize_t)b.len || fsync(fd) || close(fd) ||
        rename(aside, file))
        fail(aside);
    free(b.bytes);
}

static void load(const char *file)
{
    struct fvm_reg_log_summary summary;
    struct fvm_reg *r = make_store();
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) fail(file);
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) fail("mmap");
    if (!fvm_reg_log_replay(bytes, (size_t)st.st_size, r, &summary) || summary.torn ||
        summary.failed)
        fail("the log cannot be read");
    munmap(bytes, (size_t)st.st_size);
    munmap(r, STORE_SIZE);
    close(fd);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *name, double *times)
{
    qsort(times, SAMPLES, sizeof *times, by_value);
    printf("%s\t%d\t%.0f\t%.0f\n", name, SAMPLES, times[0], times[SAMPLES / 2]);
}

int main(int argc, char **argv)
{
    double saves[SAMPLES], loads[SAMPLES];

    if (argc != 2) {
        fprintf(stderr, "usage: store FILE\n");
        return 2;
    }
    struct fvm_reg *r = make_store();
    fill(r);
    for (int i = 0; i < SAMPLES; i++) {
        double begin = now();
        save(r, argv[1]);
        saves[i] = now() - begin;
        begin = now();
        load(argv[1]);
        loads[i] = now() - begin;
    }
    print("registry: fvm saves 10,000 own values", saves);
    print("registry: fvm loads 10,000 own values", loads);
    unlink(argv[1]);
    return 0;
}
