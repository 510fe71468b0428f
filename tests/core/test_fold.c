/* Case folding, comparison and hash of names. That every code unit is mapped as the host
 * does it is shown by tests/guest/reg_fold.c, which asks the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fvm/fold.h"

#define W(text)       ((const fvm_wchar *)u"" text)
#define WLEN(text)    (sizeof(u"" text) / 2 - 1)
#define EQUAL(a, b)   fvm_name_equal(W(a), WLEN(a), W(b), WLEN(b))
#define COMPARE(a, b) fvm_name_compare(W(a), WLEN(a), W(b), WLEN(b))
#define HASH(seed, a) fvm_name_hash(seed, W(a), WLEN(a))

static void upcase_known(void **state)
{
    static const fvm_wchar pairs[][2] = {
        {'a', 'A'},       {'z', 'Z'},       {'A', 'A'},       {'_', '_'},
        {'0', '0'},       {0, 0},           {0xe4, 0xc4}, /* a with diaeresis */
        {0xff, 0x178},                    /* y with diaeresis: the capital lies outside Latin-1 */
        {0xdf, 0xdf},                     /* sharp s has no single capital */
        {0xb5, 0xb5},                     /* micro sign stays, unlike in Unicode's own mapping */
        {0x131, 0x131},                   /* dotless i stays: names do not depend on a language */
        {0x3b1, 0x391},                   /* Greek */
        {0x3c3, 0x3a3},                   /* sigma; its final form 0x3c2 stays */
        {0x3c2, 0x3c2},   {0x44f, 0x42f}, /* Cyrillic */
        {0xff41, 0xff21},                 /* full width */
        {0xd800, 0xd800}, {0xdfff, 0xdfff}, {0xffff, 0xffff},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_int_equal(fvm_upcase(pairs[i][0]), pairs[i][1]);
}

/* NT's mapping is applied once, so it has to be a projection for names to have one form. */
static void upcase_is_idempotent(void **state)
{
    unsigned int moving = 0;
    (void)state;
    for (uint32_t c = 0; c <= 0xffff; c++) {
        fvm_wchar up = fvm_upcase((fvm_wchar)c);
        if (fvm_upcase(up) != up) moving++;
        if (c >= 0xd800 && c <= 0xdfff) assert_int_equal(up, c);
    }
    assert_int_equal(moving, 0);
}

static void downcase(void **state)
{
    static const fvm_wchar pairs[][2] = {
        {'A', 'a'},       {'Z', 'z'},       {'a', 'a'},    {'_', '_'},     {'[', '['},
        {0, 0},           {0xc4, 0xe4},     {0x178, 0xff}, {0x391, 0x3b1}, {0x42f, 0x44f},
        {0xff21, 0xff41}, {0x130, 0x130}, /* capital i with a dot stays: names do not depend on a
                                             language */
        {0xd800, 0xd800}, {0xffff, 0xffff},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_int_equal(fvm_downcase(pairs[i][0]), pairs[i][1]);
    for (uint32_t c = 0; c <= 0xffff; c++)
        assert_int_equal(fvm_downcase(fvm_downcase((fvm_wchar)c)), fvm_downcase((fvm_wchar)c));
}

static void equal(void **state)
{
    (void)state;
    assert_true(EQUAL("", ""));
    assert_true(EQUAL("ReadMe.TXT", "README.txt"));
    assert_true(EQUAL("\u00e4\u03b1", "\u00c4\u0391"));
    assert_false(EQUAL("a", "ab"));
    assert_false(EQUAL("ab", "a"));
    assert_false(EQUAL("a", "b"));
    assert_false(EQUAL("a ", "a"));
    /* unpaired surrogates are code units like any other */
    static const fvm_wchar high[] = {0xd801}, low[] = {0xdc01};
    assert_true(fvm_name_equal(high, 1, high, 1));
    assert_false(fvm_name_equal(high, 1, low, 1));
}

static void compare_orders(void **state)
{
    (void)state;
    assert_int_equal(COMPARE("same", "same"), 0);
    assert_true(COMPARE("a", "B") < 0);
    assert_true(COMPARE("B", "a") > 0);
    assert_true(COMPARE("a", "ab") < 0);
    assert_true(COMPARE("ab", "a") > 0);
    assert_true(COMPARE("", "a") < 0);
    /* upper case is compared: the underscore (0x5f) comes after the letters */
    assert_true(COMPARE("_", "z") > 0);
    assert_true(COMPARE("a_", "ab") > 0);
    assert_true(COMPARE("[", "a") > 0);
    assert_true(COMPARE("^x", "Zx") > 0);
    /* equal but for case: the capital comes first, the first difference decides */
    assert_true(COMPARE("A", "a") < 0);
    assert_true(COMPARE("aB", "Ab") > 0);
    assert_true(COMPARE("Ab", "aB") < 0);
    /* ... but only when nothing else differs */
    assert_true(COMPARE("a1", "A2") < 0);
    assert_true(COMPARE("A2", "a1") > 0);
    assert_true(COMPARE("a", "Ab") < 0);
    /* code units are unsigned */
    assert_true(COMPARE("\uffee", "a") > 0);
}

static fvm_wchar pick(uint32_t *seed)
{
    static const fvm_wchar set[] = {'a', 'A', 'b', 'B', '_', '.', 0xe4, 0xc4, 0xff, 0x178, 0xd800};
    *seed = *seed * 1664525U + 1013904223U;
    return set[(*seed >> 16) % (sizeof(set) / sizeof(set[0]))];
}

/* equal, compare and hash must agree with each other on any names. */
static void agree(void **state)
{
    uint32_t seed = 1;
    (void)state;
    for (int round = 0; round < 200000; round++) {
        fvm_wchar a[4], b[4], c[4];
        size_t la = seed >> 9 & 3, lb = seed >> 13 & 3, lc = seed >> 17 & 3;
        for (int i = 0; i < 4; i++) {
            a[i] = pick(&seed);
            b[i] = pick(&seed);
            c[i] = pick(&seed);
        }
        int ab = fvm_name_compare(a, la, b, lb), ba = fvm_name_compare(b, lb, a, la);
        int bc = fvm_name_compare(b, lb, c, lc), ac = fvm_name_compare(a, la, c, lc);
        assert_true((ab < 0) == (ba > 0) && (ab == 0) == (ba == 0));
        assert_true((ab == 0) == (la == lb && !memcmp(a, b, la * 2)));
        if (ab <= 0 && bc <= 0) assert_true(ac <= 0);
        if (fvm_name_equal(a, la, b, lb))
            assert_int_equal(fvm_name_hash(7, a, la), fvm_name_hash(7, b, lb));
    }
}

static void hash(void **state)
{
    (void)state;
    assert_int_equal(HASH(1, "Program Files"), HASH(1, "PROGRAM FILES"));
    assert_int_not_equal(HASH(1, "a"), HASH(2, "a"));
    assert_int_not_equal(HASH(1, "ab"), HASH(1, "ba"));
    assert_int_not_equal(HASH(0, ""), HASH(1, ""));
    assert_int_equal(HASH(0, ""), 2166136261U);

    /* numbered names, as programs make them, spread over a small table */
    enum { NAMES = 4096, SLOTS = 1024 };
    static unsigned int slots[SLOTS];
    unsigned int most = 0;
    for (int i = 0; i < NAMES; i++) {
        fvm_wchar name[] = {'f', 'i', 'l', 'e', 0, 0, 0, 0, '.', 't', 'x', 't'};
        for (int d = 0, n = i; d < 4; d++, n /= 10)
            name[7 - d] = (fvm_wchar)('0' + n % 10);
        unsigned int n = ++slots[fvm_name_hash(42, name, 12) % SLOTS];
        if (n > most) most = n;
    }
    assert_true(most < 16); /* 4 on average */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upcase_known),   cmocka_unit_test(upcase_is_idempotent),
        cmocka_unit_test(downcase),       cmocka_unit_test(equal),
        cmocka_unit_test(compare_orders), cmocka_unit_test(agree),
        cmocka_unit_test(hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
