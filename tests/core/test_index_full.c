/* An index without room, and calls that make no sense: each returns its error and changes
 * nothing that a look-up shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "fvm/index.h"
#include "wide.h"

#define BLOCK (256 * 1024)

static _Alignas(8) uint8_t block[BLOCK];
static struct fvm_index *const ix = (struct fvm_index *)(void *)block;
static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static struct fvm_wstr name(uint32_t at)
{
    char text[400];
    /* long names, so that the room for strings ends as well as that for nodes */
    int n = snprintf(text, sizeof text, "C:\\d%u\\e%u\\n%u", at % 7, at / 7 % 5, at / 35);
    for (uint32_t pad = at * 2654435761u >> 25; pad && n < 300; pad--)
        text[n++] = (char)('a' + pad % 26);
    text[n] = 0;
    return wide(text);
}

/* Everything that can be seen: a hash over all nodes and their look-ups. */
static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 1099511628211u;
}

static uint64_t picture(void)
{
    static fvm_wchar path[FVM_PATH_MAX], canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
    uint64_t sum = 0;
    uint32_t node = fvm_index_first_child(ix, fvm_index_root(ix)), root = fvm_index_root(ix);
    uint32_t stack[64], depth = 0, seen = 0;

    stack[0] = root;
    while (node || depth) {
        if (!node) {
            node = fvm_index_next_sibling(ix, stack[depth--]);
            continue;
        }
        seen++;
        int n = fvm_index_path(ix, node, path, FVM_PATH_MAX);
        assert_true(n > 0);
        struct fvm_lookup l = {
            .canon = canon, .canon_cap = FVM_PATH_MAX, .base = base, .base_cap = FVM_PATH_MAX};
        assert_int_equal(fvm_index_lookup(ix, (struct fvm_wstr){path, (uint32_t)n}, &l), 0);
        if (!(fvm_index_flags(ix, node) & FVM_NODE_ALIAS)) assert_int_equal(l.node, node);
        uint64_t h = mix(1, l.verdict);
        h = mix(h, l.flags);
        for (int i = 0; i < n; i++)
            h = mix(h, path[i]);
        for (uint32_t i = 0; i < l.base_len; i++)
            h = mix(h, l.base[i]);
        sum += h; /* in any order */
        uint32_t child = fvm_index_first_child(ix, node);
        if (child) {
            assert_true(depth + 1 < 64);
            stack[++depth] = node;
            node = child;
        } else {
            node = fvm_index_next_sibling(ix, node);
        }
    }
    assert_int_equal(seen, fvm_index_nodes(ix));
    assert_false(fvm_index_busy(ix));
    return sum;
}

static int any_change(void)
{
    uint32_t a = rnd(4000), b = rnd(4000);

    switch (rnd(10)) {
    case 0:
        return fvm_index_set_hidden(ix, name(a));
    case 1:
        return fvm_index_set_container(ix, name(a));
    case 2:
    case 3:
    case 4:
        return fvm_index_rename(ix, name(a), name(b), rnd(2), rnd(2));
    case 5:
        return fvm_index_set_alias(ix, wide(rnd(2) ? "Y:\\alias" : "Y:\\b\\c\\d"), name(a), rnd(2));
    case 6:
        return fvm_index_forget(ix, rnd(20) ? name(a) : wide("C:\\d1"));
    default:
        return fvm_index_set_private(ix, name(a), rnd(2), rnd(2));
    }
}

static void no_room(void **state)
{
    uint32_t full = 0, full_again = 0;

    (void)state;
    for (uint32_t run = 1; run <= 6; run++) {
        seed = run;
        memset(block, 0, sizeof block);
        assert_int_equal(fvm_index_init(block, sizeof block), 0);
        for (uint32_t step = 0; step < 3000; step++) {
            uint64_t before = full ? picture() : 0;
            int err = any_change();
            if (err == FVM_INDEX_FULL) {
                if (full++) assert_true(picture() == before);
                full_again++;
            } else if (err < 0) {
                if (before) assert_true(picture() == before);
            }
        }
        /* what is given back can be used again */
        assert_int_equal(fvm_index_forget(ix, wide("C:")), 0);
        for (uint32_t i = 0; i < 4; i++)
            assert_int_equal(fvm_index_forget(ix, wide(i ? "Y:" : "C:")), 0);
        assert_int_equal(fvm_index_nodes(ix), 0);
        assert_int_equal(fvm_index_set_private(ix, name(17), false, false), 0);
        picture();
        fvm_index_reset(ix);
        assert_int_equal(fvm_index_set_hidden(ix, name(3)), 0);
        fvm_index_rebuilt(ix);
        picture();
    }
    assert_true(full_again > 100); /* or this test shows nothing */
}

static void bad_arguments(void **state)
{
    static const char *const bad[] = {"", "\\", "C:\\", "C:\\\\a", "\\a", "C:\\a\\"};
    static fvm_wchar long_path[40000];
    struct fvm_wstr too_long = {long_path, 32768}, longest = {long_path, 32767};

    (void)state;
    memset(block, 0, sizeof block);
    assert_int_equal(fvm_index_init(block, 1000), FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_init(block, sizeof block), 0);
    for (uint32_t i = 0; i < 40000; i++)
        long_path[i] = i % 200 == 199 ? '\\' : 'x';
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fvm_wstr b = wide(bad[i]), good = wide("C:\\x");
        assert_int_equal(fvm_index_set_private(ix, b, false, false), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_set_container(ix, b), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_set_hidden(ix, b), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_forget(ix, b), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_rename(ix, b, good, false, false), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_rename(ix, good, b, false, false), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_set_alias(ix, b, good, false), FVM_INDEX_INVALID);
        assert_int_equal(fvm_index_set_alias(ix, good, b, false), FVM_INDEX_INVALID);
    }
    assert_int_equal(fvm_index_set_private(ix, too_long, false, false), FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_rename(ix, wide("C:\\a"), wide("c:\\A\\b"), true, false),
                     FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_rename(ix, wide("C:\\a\\b"), wide("C:\\a"), true, false),
                     FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_nodes(ix), 0);

    /* a look-up that does not fit its buffers says so */
    fvm_wchar small[8];
    struct fvm_lookup l = {.canon = small, .canon_cap = 8, .base = small, .base_cap = 8};
    assert_int_equal(fvm_index_lookup(ix, wide("C:\\abcde"), &l), 0);
    assert_int_equal(fvm_index_lookup(ix, wide("C:\\abcdef"), &l), FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_lookup(ix, wide(""), &l), FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_lookup(ix, wide("C:\\\\x"), &l), FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_base_to_view(ix, wide("C:\\abcdef"), small, 8), FVM_INDEX_INVALID);

    /* the longest path there is */
    static fvm_wchar canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
    l = (struct fvm_lookup){
        .canon = canon, .canon_cap = FVM_PATH_MAX, .base = base, .base_cap = FVM_PATH_MAX};
    assert_int_equal(fvm_index_lookup(ix, longest, &l), 0);
    assert_int_equal(l.canon_len, longest.len);
    assert_int_equal(fvm_index_set_private(ix, longest, false, true), 0);
    assert_int_equal(fvm_index_lookup(ix, longest, &l), 0);
    assert_int_equal(l.verdict, FVM_PRIVATE);
    assert_int_equal(l.canon_len, longest.len);
}

/* Aliases that lead to one another end with an error, not never. */
static void alias_circle(void **state)
{
    static fvm_wchar canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
    struct fvm_lookup l = {
        .canon = canon, .canon_cap = FVM_PATH_MAX, .base = base, .base_cap = FVM_PATH_MAX};

    (void)state;
    memset(block, 0, sizeof block);
    assert_int_equal(fvm_index_init(block, sizeof block), 0);
    assert_int_equal(fvm_index_set_alias(ix, wide("C:\\a"), wide("C:\\b"), false), 0);
    assert_int_equal(fvm_index_set_alias(ix, wide("C:\\b"), wide("C:\\a"), false), 0);
    assert_int_equal(fvm_index_lookup(ix, wide("C:\\a\\x"), &l), FVM_INDEX_INVALID);
    assert_int_equal(fvm_index_set_alias(ix, wide("C:\\c"), wide("C:\\c"), false), 0);
    assert_int_equal(fvm_index_lookup(ix, wide("C:\\c"), &l), FVM_INDEX_INVALID);
    /* but one behind another one's target is met later, and followed */
    assert_int_equal(fvm_index_set_alias(ix, wide("C:\\b"), wide("D:"), false), 0);
    assert_int_equal(fvm_index_set_alias(ix, wide("D:\\y"), wide("E:\\z"), false), 0);
    assert_int_equal(fvm_index_lookup(ix, wide("C:\\b\\y\\x"), &l), 0);
    assert_string_equal(narrow(canon, l.canon_len), "E:\\z\\x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_room),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(alias_circle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
