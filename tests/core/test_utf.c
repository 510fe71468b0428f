/* UTF-16 to UTF-8 and back: every code point, every unpaired surrogate, bytes that are neither,
 * and buffers of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fvm/utf.h"

static size_t encode(uint32_t cp, fvm_wchar out[2])
{
    if (cp < 0x10000) {
        out[0] = (fvm_wchar)cp;
        return 1;
    }
    out[0] = (fvm_wchar)(0xd800 + ((cp - 0x10000) >> 10));
    out[1] = (fvm_wchar)(0xdc00 + (cp & 0x3ff));
    return 2;
}

static void all_code_points(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        fvm_wchar units[2], back[4];
        char bytes[8];
        size_t n = encode(cp, units), len = fvm_utf16_to_utf8(units, n, bytes, sizeof bytes);
        assert_int_equal(len, cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
        assert_int_equal(fvm_utf16_to_utf8(units, n, NULL, 0), len);
        assert_int_equal(fvm_utf8_to_utf16(bytes, len, back, 4), n);
        assert_memory_equal(back, units, n * 2);
    }
}

static void small_buffers(void **state)
{
    static const fvm_wchar text[] = {'a', 0xe4, 0x20ac, 0xd83d, 0xde00, 0xd800, 'z'};
    static const size_t ends[] = {0, 1, 3, 6, 10, 13, 14}; /* of each character, in bytes */
    char bytes[32];
    fvm_wchar units[16];
    size_t len = fvm_utf16_to_utf8(text, 7, bytes, sizeof bytes);

    (void)state;
    assert_int_equal(len, 14);
    for (size_t cap = 0; cap <= len; cap++) {
        char part[32];
        size_t whole = 0;
        memset(part, 0x55, sizeof part);
        assert_int_equal(fvm_utf16_to_utf8(text, 7, part, cap), len);
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            if (ends[i] <= cap) whole = ends[i];
        assert_memory_equal(part, bytes, whole); /* whole characters */
        for (size_t i = whole; i < sizeof part; i++)
            assert_int_equal(part[i], 0x55); /* and nothing else */
    }
    for (size_t cap = 0; cap <= 7; cap++) {
        memset(units, 0x55, sizeof units);
        assert_int_equal(fvm_utf8_to_utf16(bytes, len, units, cap), 7);
        size_t whole = cap == 4 ? 3 : cap; /* no half of a pair */
        assert_memory_equal(units, text, whole * 2);
        for (size_t i = whole; i < 16; i++)
            assert_int_equal(units[i], 0x5555);
    }
}

/* As the host reads names that are not UTF-8: what it can take of a character is one U+FFFD. */
static void not_utf8(void **state)
{
    static const struct {
        const char *bytes;
        size_t units;
    } t[] = {
        {"\x80", 1},
        {"\xff", 1},
        {"\xc0\x80", 2},
        {"\xc3", 1},
        {"\xc3"
         "a",
         2},
        {"\xe2\x82", 1},
        {"\xe2\x82"
         "a",
         2},
        {"\xe2"
         "a",
         1},
        {"\xe0\x80\x80", 2},
        {"\xf0\x9f\x98", 1},
        {"\xf0\x9f\x98"
         "a",
         2},
        {"\xf0\x80\x80\x80", 3},
        {"\xf4\x90\x80\x80", 3},
        {"\xf5\x80\x80\x80", 4},
        {"\xf8", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        fvm_wchar units[8];
        size_t n = fvm_utf8_to_utf16(t[i].bytes, strlen(t[i].bytes), units, 8);
        if (n != t[i].units || units[0] != 0xfffd) fail_msg("row %zu: %zu units", i, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_code_points),
        cmocka_unit_test(small_buffers),
        cmocka_unit_test(not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
