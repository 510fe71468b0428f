/* The index against a model: a small base tree, a VM's view of it kept as a plain map, and
 * thousands of random changes. After each, every path of the universe must look up as the
 * model says, also in an index that was rebuilt from the log. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "fvm/index.h"
#include "fvm/log.h"
#include "wide.h"

#define NAMES 3
#define DEPTH 3
#define PATHS 64 /* 1 + 3 + 9 + 27 used; path ids in base 4, digit 0 = none */
#define BLOCK (4 << 20)

enum type { NONE, FILE_, DIR_ };
struct entry {
    enum type type;
    int base;     /* id of the base path the content comes from, -1 for none */
    int priv;     /* number of the private object, -1 for none */
};
static struct entry view[PATHS];
static enum type base[PATHS];
static int physical[PATHS]; /* private tree: number of the object at a path, -1 none, -2 folder */

static bool is_path(int p)
{
    bool seen = false;
    for (int i = DEPTH - 1; i >= 0; i--) {
        int d = p >> (2 * i) & 3;
        if (seen && !d) { /* a gap only at the end */
            for (int j = i; j >= 0; j--)
                if (p >> (2 * j) & 3) return false;
            return true;
        }
        if (d) seen = true;
        else if (i == DEPTH - 1) return p == 0;
    }
    return true;
}

/* ids hold the first component in the highest digit */
static int depth_of(int p)
{
    int n = 0;
    for (int i = DEPTH - 1; i >= 0 && (p >> (2 * i) & 3); i--)
        n++;
    return n;
}
static int parent_of(int p)
{
    int d = depth_of(p);
    return d ? p & ~(3 << (2 * (DEPTH - d))) : -1;
}
static bool below(int p, int dir)
{
    int d = depth_of(dir);
    return (p >> (2 * (DEPTH - d))) == (dir >> (2 * (DEPTH - d)));
}
static int moved(int p, int from, int to)
{
    int n = depth_of(p) - depth_of(from), d = depth_of(to);
    if (d + n > DEPTH) return -1;
    int rest = p & ((1 << (2 * (DEPTH - depth_of(from)))) - 1);
    rest = rest << (2 * depth_of(from)) & ((1 << (2 * DEPTH)) - 1);
    return to | rest >> (2 * d);
}
static const char *text(int p)
{
    static char ring[32][32];
    static unsigned at;
    char *s = ring[at++ % 32], *e = s + sprintf(s, "C:");
    for (int i = DEPTH - 1; i >= 0; i--) {
        int d = p >> (2 * i) & 3;
        if (d) e += sprintf(e, "\\%c", "xabc"[d]);
    }
    return s;
}

static uint32_t seed;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static unsigned char log_bytes[1 << 20];
static size_t log_len;
static uint64_t log_seq;

static void change(struct fvm_index *ix, enum fvm_log_op op, int path, int other, uint32_t flags)
{
    struct fvm_log_record r = {.op = op, .flags = flags, .seq = ++log_seq, .path = wide(text(path))};
    if (other >= 0) r.other = wide(text(other));
    assert_true(log_len + fvm_log_size(&r) < sizeof log_bytes);
    fvm_log_encode(&r, log_bytes + log_len);
    log_len += fvm_log_size(&r);
    assert_int_equal(fvm_log_apply(&r, ix), 0);
}

static void check(const struct fvm_index *ix, const char *what)
{
    static fvm_wchar canon[FVM_PATH_MAX], real[FVM_PATH_MAX];
    for (int p = 1; p < PATHS; p++) {
        if (!is_path(p) || !p) continue;
        struct fvm_lookup l = {.canon = canon, .canon_cap = FVM_PATH_MAX, .base = real, .base_cap = FVM_PATH_MAX};
        assert_int_equal(fvm_index_lookup(ix, wide(text(p)), &l), 0);
        struct entry e = {NONE, -1, -1};
        if (l.verdict == FVM_PRIVATE) {
            if (physical[p] >= 0) e = (struct entry){l.flags & FVM_NODE_DIRECTORY ? DIR_ : FILE_, -1, physical[p]};
        } else if (l.verdict != FVM_ABSENT && l.verdict != FVM_NO_PATH) {
            const char *at = narrow(l.base, l.base_len);
            for (int b = 1; b < PATHS; b++)
                if (is_path(b) && !strcmp(text(b), at) && base[b]) e = (struct entry){base[b], b, -1};
            if (l.verdict == FVM_PASS) assert_string_equal(at, text(p));
        } else {
            /* absent: which of the two errors depends on the parent */
            int up = parent_of(p);
            bool parent = up == 0 || view[up].type == DIR_;
            if (l.verdict == FVM_NO_PATH && parent)
                fail_msg("%s: %s says no path, but its parent exists", what, text(p));
        }
        if (e.type != view[p].type || e.base != view[p].base || e.priv != view[p].priv)
            fail_msg("%s (seed step): %s is %d/%d/%d, should be %d/%d/%d", what, text(p), e.type, e.base,
                     e.priv, view[p].type, view[p].base, view[p].priv);
        /* and back: what is seen of the base must translate to this very path */
        if (e.base >= 0) {
            int n = fvm_index_base_to_view(ix, (struct fvm_wstr){l.base, l.base_len}, canon, FVM_PATH_MAX);
            assert_true(n > 0);
            assert_string_equal(narrow(canon, (uint32_t)n), text(p));
        }
    }
}

static bool seen_in_base(struct fvm_index *ix, int p)
{
    /* the base has something at the natural place of p, as the parent is seen now */
    static fvm_wchar canon[FVM_PATH_MAX], real[FVM_PATH_MAX];
    int up = parent_of(p);
    struct fvm_lookup l = {.canon = canon, .canon_cap = FVM_PATH_MAX, .base = real, .base_cap = FVM_PATH_MAX};
    char at[64];
    if (up > 0) {
        assert_int_equal(fvm_index_lookup(ix, wide(text(up)), &l), 0);
        if (!l.base_len) return false;
        sprintf(at, "%s%s", narrow(l.base, l.base_len), text(p) + strlen(text(up)));
    } else {
        strcpy(at, text(p));
    }
    for (int b = 1; b < PATHS; b++)
        if (is_path(b) && base[b] && !strcmp(text(b), at)) return true;
    return false;
}

static void one_run(uint32_t start)
{
    static uint64_t block[BLOCK / 8], copy[BLOCK / 8];
    struct fvm_index *ix = (void *)block, *again = (void *)copy;
    int next_private = 0;

    seed = start;
    memset(block, 0, sizeof block);
    assert_int_equal(fvm_index_init(block, sizeof block), 0);
    struct fvm_log_header h = {FVM_LOG_MAGIC, FVM_LOG_VERSION, 0};
    memcpy(log_bytes, &h, sizeof h);
    log_len = sizeof h, log_seq = 0;
    for (int p = 0; p < PATHS; p++) {
        base[p] = NONE, physical[p] = -1;
        view[p] = (struct entry){NONE, -1, -1};
        if (!p || !is_path(p)) continue;
        int up = parent_of(p);
        if (up && base[up] != DIR_) continue;
        base[p] = rnd(4) == 0 ? NONE : rnd(2) && depth_of(p) == DEPTH ? FILE_ : rnd(3) ? DIR_ : FILE_;
        if (base[p]) view[p] = (struct entry){base[p], p, -1};
    }
    for (int step = 0; step < 60; step++) {
        char what[96];
        int p, q;
        do p = (int)rnd(PATHS); while (!p || !is_path(p));
        do q = (int)rnd(PATHS); while (!q || !is_path(q));
        int up = parent_of(p), upq = parent_of(q);
        switch (rnd(4)) {
        case 0: /* create or copy up */
            sprintf(what, "run %u step %d create %s", start, step, text(p));
            if ((up && view[up].type != DIR_) || view[p].type == DIR_) continue;
            bool dir = view[p].type == NONE && rnd(2);
            change(ix, FVM_LOG_PRIVATE, p, -1, (dir ? FVM_LOG_DIRECTORY : 0) | (seen_in_base(ix, p) ? FVM_LOG_BASE : 0));
            if (physical[p] < 0) physical[p] = next_private++;
            view[p] = (struct entry){dir ? DIR_ : FILE_, -1, physical[p]};
            break;
        case 1: { /* delete */
            sprintf(what, "run %u step %d delete %s", start, step, text(p));
            bool empty = view[p].type != NONE;
            for (int c = 1; c < PATHS; c++)
                if (c != p && is_path(c) && below(c, p) && view[c].type) empty = false;
            if (!empty) continue;
            if (view[p].priv >= 0) {
                physical[p] = -1;
                bool b = seen_in_base(ix, p);
                change(ix, b ? FVM_LOG_HIDDEN : FVM_LOG_FORGET, p, -1, 0);
            } else if (seen_in_base(ix, p)) {
                change(ix, FVM_LOG_HIDDEN, p, -1, 0);
            } else {
                change(ix, FVM_LOG_FORGET, p, -1, 0); /* moved here from elsewhere */
            }
            view[p] = (struct entry){NONE, -1, -1};
            break;
        }
        case 2: { /* rename */
            sprintf(what, "run %u step %d rename %s to %s", start, step, text(p), text(q));
            if (p == q || !view[p].type || below(q, p) || below(p, q)) continue;
            if (upq && view[upq].type != DIR_) continue;
            if (view[q].type == DIR_ || (view[q].type && view[p].type == DIR_)) continue;
            bool fits = true;
            for (int c = 1; c < PATHS; c++)
                if (is_path(c) && below(c, p) && view[c].type && moved(c, p, q) < 0) fits = false;
            /* deeper content of the base must stay inside the universe too */
            for (int c = 1; c < PATHS; c++)
                if (is_path(c) && below(c, p) && moved(c, p, q) < 0 && view[p].type == DIR_) fits = false;
            if (!fits) continue;
            change(ix, FVM_LOG_RENAME, p, q, (view[p].type == DIR_ ? FVM_LOG_DIRECTORY : 0) | (seen_in_base(ix, q) ? FVM_LOG_BASE : 0));
            struct entry old[PATHS];
            int old_physical[PATHS];
            memcpy(old, view, sizeof old);
            memcpy(old_physical, physical, sizeof old_physical);
            for (int c = 1; c < PATHS; c++)
                if (is_path(c) && (below(c, p) || below(c, q))) {
                    view[c] = (struct entry){NONE, -1, -1};
                    physical[c] = -1;
                }
            for (int c = 1; c < PATHS; c++)
                if (is_path(c) && below(c, p) && moved(c, p, q) > 0) {
                    view[moved(c, p, q)] = old[c];
                    physical[moved(c, p, q)] = old_physical[c];
                }
            break;
        }
        default: /* a private folder for a directory of the base */
            sprintf(what, "run %u step %d container %s", start, step, text(p));
            if (view[p].type != DIR_ || view[p].priv >= 0) continue;
            change(ix, FVM_LOG_CONTAINER, p, -1, 0);
        }
        check(ix, what);
    }
    memset(copy, 0, sizeof copy);
    assert_int_equal(fvm_index_init(copy, sizeof copy), 0);
    struct fvm_log_summary s;
    assert_true(fvm_log_replay(log_bytes, log_len, again, &s));
    assert_int_equal(s.failed, 0);
    assert_false(s.torn);
    assert_int_equal(s.records, log_seq);
    check(again, "rebuilt");
    assert_int_equal(fvm_index_nodes(ix), fvm_index_nodes(again));
    /* a writer died: the live index is emptied and rebuilt in place */
    fvm_index_reset(ix);
    assert_true(fvm_index_busy(ix));
    assert_true(fvm_log_replay(log_bytes, log_len, ix, &s));
    fvm_index_rebuilt(ix);
    assert_false(fvm_index_busy(ix));
    check(ix, "reset and rebuilt");
}

static void random_changes(void **state)
{
    (void)state;
    for (uint32_t run = 1; run <= 1000; run++)
        one_run(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
