/* The log: what a crash or a damaged disk leaves of it is a prefix of its records, and an index
 * made from it has the state after that prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "fvm/index.h"
#include "fvm/log.h"
#include "wide.h"

#define BLOCK   (1 << 20)
#define MAX_LOG 8192

static _Alignas(8) uint8_t file[MAX_LOG];
static size_t length;
static size_t ends[64]; /* of the header and of each record */
static uint64_t count;

static void add(enum fvm_log_op op, uint32_t flags, const char *path, const char *other)
{
    struct fvm_log_record r = {
        .op = op, .flags = flags, .seq = ++count, .path = wide(path), .other = wide(other)};

    assert_true(length + fvm_log_size(&r) <= MAX_LOG && count < 64);
    fvm_log_encode(&r, file + length);
    length += fvm_log_size(&r);
    ends[count] = length;
}

static int make_log(void **state)
{
    struct fvm_log_header h = {FVM_LOG_MAGIC, FVM_LOG_VERSION, 0};

    (void)state;
    memcpy(file, &h, sizeof h);
    length = ends[0] = sizeof h;
    count = 0;
    add(FVM_LOG_ALIAS, 0, "Z:\\home\\u\\c", "C:");
    add(FVM_LOG_PRIVATE, FVM_LOG_DIRECTORY, "C:\\new", "");
    add(FVM_LOG_PRIVATE, 0, "C:\\new\\file", "");
    add(FVM_LOG_CONTAINER, 0, "C:\\data", "");
    add(FVM_LOG_PRIVATE, FVM_LOG_BASE, "C:\\data\\changed", "");
    add(FVM_LOG_HIDDEN, 0, "C:\\data\\deleted", "");
    add(FVM_LOG_RENAME, FVM_LOG_DIRECTORY | FVM_LOG_BASE, "C:\\data", "C:\\moved");
    add(FVM_LOG_DONE, 0, "", "");
    add(FVM_LOG_PRIVATE, FVM_LOG_DIRECTORY | FVM_LOG_BASE, "C:\\data", "");
    add(FVM_LOG_RENAME, 0, "C:\\new\\file", "C:\\data\\file2");
    add(FVM_LOG_FORGET, 0, "C:\\new", "");
    add(FVM_LOG_RENAME, FVM_LOG_DIRECTORY, "C:\\moved", "C:\\elsewhere\\deeper");
    return 0;
}

static const char *const paths[] = {
    "C:",
    "C:\\new",
    "C:\\new\\file",
    "C:\\data",
    "C:\\data\\changed",
    "C:\\data\\deleted",
    "C:\\data\\file2",
    "C:\\moved",
    "C:\\moved\\deleted",
    "C:\\moved\\other",
    "C:\\elsewhere\\deeper\\changed",
    "C:\\elsewhere\\deeper\\x",
    "Z:\\home\\u\\c\\data",
    "C:\\other",
};

/* What an index says about all the paths, as text. */
static void describe(const struct fvm_index *ix, char *out, size_t room)
{
    static fvm_wchar canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
    size_t n = 0;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct fvm_lookup l = {
            .canon = canon, .canon_cap = FVM_PATH_MAX, .base = base, .base_cap = FVM_PATH_MAX};
        assert_int_equal(fvm_index_lookup(ix, wide(paths[i]), &l), 0);
        n += (size_t)snprintf(out + n, room - n, "%s %d %x %s %s\n", paths[i], l.verdict, l.flags,
                              narrow(canon, l.canon_len), narrow(base, l.base_len));
        assert_true(n < room);
    }
}

static struct fvm_index *empty_index(void)
{
    static _Alignas(8) uint8_t block[BLOCK];

    memset(block, 0, sizeof block);
    assert_int_equal(fvm_index_init(block, sizeof block), 0);
    return (struct fvm_index *)(void *)block;
}

static char states[64][4096]; /* after each number of records */

static void make_states(void)
{
    struct fvm_index *ix = empty_index();

    describe(ix, states[0], sizeof states[0]);
    for (uint64_t i = 0; i < count; i++) {
        struct fvm_log_record r;
        assert_int_equal(fvm_log_decode(file + ends[i], ends[i + 1] - ends[i], &r),
                         ends[i + 1] - ends[i]);
        assert_int_equal(r.seq, i + 1);
        assert_int_equal(fvm_log_apply(&r, ix), 0);
        describe(ix, states[i + 1], sizeof states[0]);
    }
}

/* Replays what a crash left: the first n records, no more and no less. */
static void expect_prefix(const void *bytes, size_t len, uint64_t n)
{
    static char now[4096];
    struct fvm_index *ix = empty_index();
    struct fvm_log_summary s;

    assert_true(fvm_log_replay(bytes, len, ix, &s));
    assert_int_equal(s.records, n);
    assert_int_equal(s.last_seq, n);
    assert_int_equal(s.valid, ends[n]);
    assert_int_equal(s.failed, 0);
    assert_int_equal(s.torn, len != ends[n]);
    if (n) assert_int_equal(s.last.seq, n);
    describe(ix, now, sizeof now);
    assert_string_equal(now, states[n]);
    /* the next record goes where the valid ones end: the same once more, cut off there */
    assert_true(fvm_log_replay(bytes, s.valid, NULL, &s));
    assert_int_equal(s.records, n);
    assert_false(s.torn);
}

static void cut_anywhere(void **state)
{
    uint64_t n = 0;

    (void)state;
    make_states();
    for (size_t len = ends[0]; len <= length; len++) {
        /* a copy of exact size, so that a sanitizer sees a read behind it */
        uint8_t *part = malloc(len);
        memcpy(part, file, len);
        while (n < count && ends[n + 1] <= len)
            n++;
        expect_prefix(part, len, n);
        free(part);
    }
    for (size_t len = 0; len < ends[0]; len++) {
        struct fvm_log_summary s;
        assert_false(fvm_log_replay(file, len, NULL, &s));
    }
}

/* Zeros and old bytes behind the tail, as file systems leave them after a crash. */
static void garbage_behind(void **state)
{
    static _Alignas(8) uint8_t copy[MAX_LOG];

    (void)state;
    for (uint64_t n = 0; n < count; n++) {
        memcpy(copy, file, length);
        memset(copy + ends[n], 0, length - ends[n]);
        expect_prefix(copy, length, n);
        /* a record of before, whose number does not follow */
        if (n && ends[n] + (ends[1] - ends[0]) <= length) {
            memcpy(copy + ends[n], file + ends[0], ends[1] - ends[0]);
            expect_prefix(copy, length, n);
        }
    }
}

static void flip_anything(void **state)
{
    static _Alignas(8) uint8_t copy[MAX_LOG];
    uint64_t n = 0;

    (void)state;
    memcpy(copy, file, length);
    for (size_t at = ends[0]; at < length; at++) {
        while (ends[n + 1] <= at)
            n++;
        for (unsigned bit = 0; bit < 8; bit++) {
            copy[at] ^= (uint8_t)(1u << bit);
            expect_prefix(copy, length, n);
            copy[at] ^= (uint8_t)(1u << bit);
        }
        copy[at] = (uint8_t)~copy[at];
        expect_prefix(copy, length, n);
        copy[at] = file[at];
    }
}

static void round_trip(void **state)
{
    static const uint32_t lens[] = {0, 1, 2, 3, 4, 5, 100, 32767};
    static fvm_wchar text[32767];
    static _Alignas(8) uint8_t bytes[140000];
    struct fvm_log_record r, back;

    (void)state;
    for (uint32_t i = 0; i < 32767; i++)
        text[i] = (fvm_wchar)(i * 40503u);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (size_t j = 0; j < sizeof lens / sizeof *lens; j++) {
            r = (struct fvm_log_record){.op = FVM_LOG_RENAME,
                                        .flags = 3,
                                        .seq = UINT64_MAX - i,
                                        .path = {text, lens[i]},
                                        .other = {text + 7, lens[j] > 7 ? lens[j] - 7 : 0}};
            uint32_t size = fvm_log_size(&r);
            assert_int_equal(size % 8, 0);
            fvm_log_encode(&r, bytes);
            assert_int_equal(fvm_log_decode(bytes, size, &back), size);
            assert_int_equal(fvm_log_decode(bytes, sizeof bytes, &back), size);
            assert_int_equal(fvm_log_decode(bytes, size - 1, &back), 0);
            assert_int_equal(back.op, r.op);
            assert_int_equal(back.flags, r.flags);
            assert_true(back.seq == r.seq);
            assert_int_equal(back.path.len, r.path.len);
            assert_int_equal(back.other.len, r.other.len);
            assert_memory_equal(back.path.ptr, r.path.ptr, 2 * r.path.len);
            assert_memory_equal(back.other.ptr, r.other.ptr, 2 * r.other.len);
        }
    }
    r = (struct fvm_log_record){.op = FVM_LOG_OP_LAST + 1, .seq = 1};
    fvm_log_encode(&r, bytes);
    assert_int_equal(fvm_log_decode(bytes, fvm_log_size(&r), &back), 0);
}

static void headers(void **state)
{
    struct fvm_log_header h = {FVM_LOG_MAGIC, FVM_LOG_VERSION, 0};
    struct fvm_log_summary s;

    (void)state;
    assert_true(fvm_log_replay(&h, sizeof h, NULL, &s));
    assert_int_equal(s.records, 0);
    h.version++;
    assert_false(fvm_log_replay(&h, sizeof h, NULL, &s));
    h.version--;
    h.magic++;
    assert_false(fvm_log_replay(&h, sizeof h, NULL, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere),  cmocka_unit_test(garbage_behind),
        cmocka_unit_test(flip_anything), cmocka_unit_test(round_trip),
        cmocka_unit_test(headers),
    };
    return cmocka_run_group_tests(tests, make_log, NULL);
}
