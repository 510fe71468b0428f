/* The store of registry changes and its log: links end, what a crash or a damaged disk leaves of a
 * log is a prefix of its records, a store that is full stays whole, a store written as a log and
 * read again is the same, and the short look-up says what the long one says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "fvm/registry_log.h"
#include "wide.h"

#define BLOCK   ((size_t)8 << 20)
#define MAX_LOG ((size_t)4 << 20)

struct bytes {
    uint8_t *p;
    size_t len;
};

static uint64_t random_state;

static uint32_t rnd(uint32_t n)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % n;
}

static struct fvm_reg *make(size_t size, const struct bytes *config)
{
    struct fvm_reg *r = calloc(1, size);

    assert_non_null(r);
    assert_int_equal(
        fvm_reg_init(r, size, config ? config->p : NULL, config ? (uint32_t)config->len : 0), 0);
    return r;
}

static bool collect(void *context, const void *bytes, uint64_t size)
{
    struct bytes *b = context;

    if (b->len + size > MAX_LOG) return false;
    memcpy(b->p + b->len, bytes, size);
    b->len += size;
    return true;
}

/* All that the store holds, as a log. */
static struct bytes dump(const struct fvm_reg *r)
{
    static fvm_wchar path[FVM_REG_PATH_MAX];
    struct bytes b = {.p = malloc(MAX_LOG)};

    assert_true(fvm_reg_log_dump(r, path, collect, &b, NULL));
    return b;
}

static void assert_same(const struct fvm_reg *a, const struct fvm_reg *b)
{
    struct bytes x = dump(a), y = dump(b);

    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.p, y.p, x.len);
    free(x.p);
    free(y.p);
}

static void begin_log(struct bytes *log)
{
    struct fvm_reg_log_header h = {.magic = FVM_REG_LOG_MAGIC, .version = FVM_REG_LOG_VERSION};

    *log = (struct bytes){.p = malloc(MAX_LOG)};
    memcpy(log->p, &h, sizeof h);
    log->len = sizeof h;
}

static void append(struct bytes *log, struct fvm_reg_record rec, uint64_t seq)
{
    rec.seq = seq;
    assert_true(log->len + fvm_reg_log_size(&rec) <= MAX_LOG);
    fvm_reg_log_encode(&rec, log->p + log->len);
    log->len += fvm_reg_log_size(&rec);
}

/* A link of the base, from one path to another. */
static void add_link(struct bytes *config, uint64_t seq, const char *from, const char *to)
{
    struct fvm_wstr target = wide(to);
    struct fvm_reg_record rec = {
        .op = FVM_REG_OP_LINK, .path = wide(from), .data = target.ptr, .size = target.len * 2};

    append(config, rec, seq);
}

static int look_up(const struct fvm_reg *r, struct fvm_wstr path, bool open_link,
                   struct fvm_reg_lookup *out)
{
    static fvm_wchar canon[FVM_REG_PATH_MAX], base[FVM_REG_PATH_MAX];

    *out = (struct fvm_reg_lookup){.canon = canon, .base = base};
    return fvm_reg_lookup(r, path, open_link, out);
}

static void test_links(void **state)
{
    struct fvm_reg_lookup look;
    struct bytes config;
    char from[64], to[64];
    uint64_t seq = 0;

    (void)state;
    begin_log(&config);
    add_link(&config, ++seq, "Machine\\self", "Machine\\self");
    add_link(&config, ++seq, "Machine\\ping", "Machine\\pong\\x");
    add_link(&config, ++seq, "Machine\\pong", "Machine\\ping");
    for (int i = 0; i < 40; i++) {
        snprintf(from, sizeof from, "Machine\\chain%d", i);
        snprintf(to, sizeof to, "Machine\\chain%d", i + 1);
        add_link(&config, ++seq, from, to);
    }
    struct fvm_reg *r = make(BLOCK, &config);
    for (int open_link = 0; open_link < 2; open_link++) {
        assert_int_equal(look_up(r, wide("Machine\\self\\below"), open_link, &look),
                         FVM_REG_INVALID);
        assert_int_equal(look_up(r, wide("Machine\\ping\\a\\b"), open_link, &look),
                         FVM_REG_INVALID);
        assert_int_equal(look_up(r, wide("Machine\\chain0\\x"), open_link, &look), FVM_REG_INVALID);
        assert_int_equal(look_up(r, wide("Machine\\chain20\\x"), open_link, &look), 0);
        assert_true(look.linked);
        assert_string_equal(narrow(look.canon, look.canon_len), "Machine\\chain40\\x");
    }
    assert_int_equal(look_up(r, wide("Machine\\self"), false, &look), FVM_REG_INVALID);
    assert_int_equal(look_up(r, wide("Machine\\self"), true, &look), 0);
    assert_false(look.linked);
    free(config.p);
    free(r);
}

static const char *const names[] = {"a",   "B",       "Ab", "zed", "_x", "Key with blanks",
                                    "lnk", "long_one"};
#define NAMES (sizeof names / sizeof *names)

static struct fvm_wstr random_path(void)
{
    static fvm_wchar buffers[4][256];
    static unsigned turn;
    fvm_wchar *out = buffers[++turn & 3];
    int len = fvm_reg_path_append(out, 0, wide(rnd(4) ? "Machine\\Top" : "User\\S-1"));

    for (uint32_t i = 0, n = rnd(4); i < n; i++)
        len = fvm_reg_path_append(out, (uint32_t)len, wide(names[rnd(NAMES)]));
    return (struct fvm_wstr){out, (uint32_t)len};
}

static struct fvm_reg_record random_record(const struct fvm_reg *r)
{
    static const enum fvm_reg_op ops[] = {FVM_REG_OP_CREATE, FVM_REG_OP_CREATE, FVM_REG_OP_SET,
                                          FVM_REG_OP_SET,    FVM_REG_OP_SET,    FVM_REG_OP_UNSET,
                                          FVM_REG_OP_DELETE, FVM_REG_OP_RENAME, FVM_REG_OP_CLASS};
    static uint8_t data[4096];
    struct fvm_reg_record rec = {.op = ops[rnd(sizeof ops / sizeof *ops)],
                                 .time = 1000 + rnd(1000),
                                 .path = random_path(),
                                 .name = wide(names[rnd(NAMES)])};

    for (uint32_t i = 0; i < 8; i++)
        data[rnd(sizeof data)] = (uint8_t)rnd(256);
    if (rec.op == FVM_REG_OP_CREATE) {
        rec.type = fvm_reg_next_serial(r);
        rec.flags = (rnd(6) ? 0 : FVM_REG_VOLATILE) | (rnd(3) ? 0 : FVM_REG_CLASS);
    } else if (rec.op == FVM_REG_OP_SET) {
        rec.type = rnd(12);
        rec.data = data;
        rec.size = rnd(rnd(10) ? 40 : sizeof data);
        rec.flags = rnd(2) ? FVM_REG_BASE : 0;
    } else if (rec.op == FVM_REG_OP_UNSET) {
        rec.flags = rnd(2) ? FVM_REG_BASE : 0;
    }
    return rec;
}

/* A log of n random records, refused ones left out. ends[i]: of the first i records. */
static struct bytes random_log(uint32_t n, size_t *ends)
{
    struct fvm_reg *r = make(BLOCK, NULL);
    struct bytes log;
    uint64_t seq = 0;

    begin_log(&log);
    ends[0] = log.len;
    while (seq < n) {
        struct fvm_reg_record rec = random_record(r);
        if (fvm_reg_apply(r, &rec)) continue;
        append(&log, rec, ++seq);
        ends[seq] = log.len;
    }
    free(r);
    return log;
}

static void replay(const struct bytes *log, size_t len, struct fvm_reg *r,
                   struct fvm_reg_log_summary *summary)
{
    assert_true(fvm_reg_log_replay(log->p, len, r, summary));
    assert_int_equal(summary->failed, 0);
}

static void test_cut_and_damaged(void **state)
{
    enum { RECORDS = 60 };
    size_t ends[RECORDS + 1];
    struct fvm_reg_log_summary summary;
    random_state = 7;
    struct bytes log = random_log(RECORDS, ends), copy;
    unsigned whole = 0;

    (void)state;
    for (size_t len = ends[0]; len <= log.len; len++) {
        while (whole < RECORDS && ends[whole + 1] <= len)
            whole++;
        assert_true(fvm_reg_log_replay(log.p, len, NULL, &summary));
        assert_int_equal(summary.records, whole);
        assert_int_equal(summary.valid, ends[whole]);
        assert_int_equal(summary.torn, ends[whole] != len);
    }
    assert_false(fvm_reg_log_replay(log.p, ends[0] - 1, NULL, &summary));
    begin_log(&copy);
    for (size_t at = ends[0]; at < log.len; at++) {
        unsigned hit = 0;
        while (ends[hit + 1] <= at)
            hit++;
        memcpy(copy.p, log.p, log.len);
        copy.p[at] ^= 0x40;
        assert_true(fvm_reg_log_replay(copy.p, log.len, NULL, &summary));
        assert_int_equal(summary.records, hit);
        assert_true(summary.torn);
    }
    /* the state is that after the records which count */
    for (unsigned n = 0; n <= RECORDS; n += 6) {
        struct fvm_reg *a = make(BLOCK, NULL), *b = make(BLOCK, NULL);
        size_t torn = n < RECORDS ? ends[n + 1] - 1 : log.len;
        replay(&log, ends[n], a, &summary);
        replay(&log, torn, b, &summary);
        assert_same(a, b);
        free(a);
        free(b);
    }
    free(copy.p);
    free(log.p);
}

static void test_written_and_read(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        static size_t ends[2001];
        struct fvm_reg_log_summary summary;
        struct fvm_reg *a = make(BLOCK, NULL), *b = make(BLOCK, NULL);
        random_state = seed;
        struct bytes log = random_log(2000, ends);
        replay(&log, log.len, a, &summary);
        struct bytes text = dump(a);
        replay(&text, text.len, b, &summary);
        assert_same(a, b);
        /* a second time into what a writer has left, and without what ends with a run */
        fvm_reg_reset(b);
        assert_true(fvm_reg_busy(b));
        replay(&text, text.len, b, &summary);
        fvm_reg_rebuilt(b);
        assert_false(fvm_reg_busy(b));
        assert_same(a, b);
        fvm_reg_drop_volatile(a);
        assert_int_equal(fvm_reg_drop_volatile(a), 0);
        free(text.p);
        free(log.p);
        free(a);
        free(b);
    }
}

static void test_full(void **state)
{
    struct fvm_reg *r = make(1 << 20, NULL), *copy = make(BLOCK, NULL);
    struct fvm_reg_log_summary summary;
    unsigned fitted = 0, refused = 0;

    (void)state;
    random_state = 99;
    for (unsigned i = 0; i < 200000 && refused < 200; i++) {
        struct fvm_reg_record rec = random_record(r);
        char name[32];
        snprintf(name, sizeof name, "value %u", i);
        if (rec.op == FVM_REG_OP_SET) rec.name = wide(name); /* so that it grows */
        if (rec.op == FVM_REG_OP_DELETE) continue;
        bool room = fvm_reg_has_room(r, fvm_reg_log_size(&rec));
        int rc = fvm_reg_apply(r, &rec);
        if (room) {
            assert_int_not_equal(rc, FVM_REG_FULL); /* what was promised */
            fitted++;
        }
        refused += rc == FVM_REG_FULL;
    }
    assert_true(fitted > 100);
    assert_true(refused >= 200);
    struct bytes text = dump(r);
    replay(&text, text.len, copy, &summary);
    assert_same(r, copy);
    free(text.p);
    free(copy);
    free(r);
}

/* Where the short look-up says yes, the long one says the same. */
/* What the VM changes in keys that the host makes volatile goes with the run, and only that. */
static void test_temporary(void **state)
{
    static const struct {
        const char *path;
        bool stays;
    } keys[] = {
        {"User\\S-1-5-21-0-0-0-1000\\Software\\Wine\\Temporary System Parameters\\Control Panel",
         false},
        {"User\\S-1-5-21-0-0-0-1000\\software\\wine\\fonts\\CACHE\\Some font", false},
        {"Machine\\HARDWARE\\DEVICEMAP\\VIDEO", false},
        {"Machine\\System\\CurrentControlSet\\Enum\\Display\\Default_Monitor", false},
        {"Machine\\System\\CurrentControlSet\\Enum\\Root", true},
        {"Machine\\Software\\NotWine\\Fonts\\Cache", true},
        {"User\\S-1-5-21-0-0-0-1000\\Software\\Wine\\Fonts", true},
        {"User\\S-1-5-21-0-0-0-1000\\Software\\Other\\Temporary System Parameters", true},
        {"Machine\\Software\\Hardware", true},
        {"Machine\\Software\\Fonts\\Cache", true},
    };
    struct fvm_reg *r = make(BLOCK, NULL);
    uint32_t node, dropped = 0;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        fvm_wchar path[128], value[8];
        struct fvm_wstr p = wide(keys[i].path);
        memcpy(path, p.ptr, p.len * sizeof *path);
        p.ptr = path;
        struct fvm_wstr name = wide("v");
        memcpy(value, name.ptr, name.len * sizeof *value);
        struct fvm_reg_record rec = {.op = FVM_REG_OP_SET,
                                     .path = p,
                                     .name = {value, name.len},
                                     .type = 4,
                                     .data = (const uint8_t *)"data",
                                     .size = 4};
        assert_int_equal(fvm_reg_apply(r, &rec), 0);
        dropped += !keys[i].stays;
    }
    assert_int_equal(fvm_reg_drop_volatile(r), dropped);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        node = 0;
        assert_int_equal(fvm_reg_walk(r, wide(keys[i].path), &node), FVM_REG_IS_BASE);
        assert_int_equal(node != 0, keys[i].stays);
    }
    assert_int_equal(fvm_reg_drop_volatile(r), 0);
    free(r);
}

static void test_plain(void **state)
{
    unsigned plain = 0, tried = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 30; seed++) {
        struct bytes config;
        random_state = seed;
        begin_log(&config);
        add_link(&config, 1, "Machine\\Top\\lnk", "Machine\\Top\\a");
        add_link(&config, 2, "Machine\\Top\\a\\zed", "User\\S-1\\B");
        struct fvm_reg *r = make(BLOCK, &config);
        for (unsigned i = 0; i < 300; i++) {
            struct fvm_reg_record rec = random_record(r);
            /* renames of keys of the base leave it nothing to say */
            if (rec.op != FVM_REG_OP_RENAME || seed % 10 == 0) fvm_reg_apply(r, &rec);
            if (i % 10) continue;
            for (unsigned k = 0; k < 20; k++) {
                struct fvm_wstr path = random_path(), base = {path.ptr, 0}, rest = path;
                struct fvm_reg_lookup look, above;
                uint32_t node = fvm_reg_root(r), leaf;
                if (rnd(2)) { /* from a key on the way that is the base's, as it stands */
                    uint32_t at = 0;
                    while (at < path.len && path.ptr[at] != '\\')
                        at++;
                    if (look_up(r, (struct fvm_wstr){path.ptr, at}, true, &above)) continue;
                    node = above.node;
                    base.len = at;
                    if (at == path.len) continue;
                    rest = (struct fvm_wstr){path.ptr + at + 1, path.len - at - 1};
                }
                tried++;
                if (!fvm_reg_is_plain(r, node, base, rest, &leaf)) continue;
                plain++;
                assert_int_equal(look_up(r, path, rnd(2), &look), 0);
                assert_int_equal(look.verdict, FVM_REG_IS_BASE);
                assert_false(look.linked || look.moved);
                assert_int_equal(look.node, leaf);
            }
        }
        free(config.p);
        free(r);
    }
    assert_true(plain > tried / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_cut_and_damaged),
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
