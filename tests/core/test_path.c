/* Names: every syntax that the host takes, to view paths and back; short names against those
 * that the host gave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "fvm/path.h"
#include "text16.h"
#include "wide.h"
#include "short_names.h"

static fvm_wchar buffer[40000];

static struct fvm_path room(uint32_t cap)
{
    return (struct fvm_path){.dst = buffer, .cap = cap};
}

enum { Z = 1, TRAIL = 2, REWR = 4 }; /* drive Z: is the Unix root; expected marks */

static const struct {
    const char *nt;
    int flags;
    enum fvm_path_kind kind;
    const char *view;
} names[] = {
    /* drives */
    {"\\??\\C:\\dir\\file", 0, FVM_PATH_FILE, "C:\\dir\\file"},
    {"\\??\\c:\\Dir", 0, FVM_PATH_FILE, "C:\\Dir"},
    {"\\??\\C:\\", 0, FVM_PATH_FILE, "C:"},
    {"\\??\\C:\\dir\\", TRAIL, FVM_PATH_FILE, "C:\\dir"},
    {"\\??\\C:\\\\dir", 0, FVM_PATH_FILE, "C:\\dir"}, /* one more is allowed here */
    {"\\??\\C:\\\\\\dir", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a\\\\b", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a\\\\", 0, FVM_PATH_BAD, ""},
    {"\\DosDevices\\D:\\x", 0, FVM_PATH_FILE, "D:\\x"},
    {"\\dosdevices\\D:\\x", 0, FVM_PATH_FILE, "D:\\x"},
    {"\\??\\C:", 0, FVM_PATH_OTHER, ""}, /* the volume's device */
    {"\\??\\1:\\x", 0, FVM_PATH_OTHER, ""},
    {"\\??\\C:/x", 0, FVM_PATH_OTHER, ""},
    {"C:\\x", 0, FVM_PATH_OTHER, ""},
    {"", 0, FVM_PATH_OTHER, ""},
    {"\\", 0, FVM_PATH_OTHER, ""},
    {"\\??", 0, FVM_PATH_OTHER, ""},
    {"\\??\\", 0, FVM_PATH_OTHER, ""},
    {"\\DosDevices\\", 0, FVM_PATH_OTHER, ""},
    /* names that NT has no "." in, and characters that no name has */
    {"\\??\\C:\\.", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a\\..\\b", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\...", 0, FVM_PATH_FILE, "C:\\..."},
    {"\\??\\C:\\.x", 0, FVM_PATH_FILE, "C:\\.x"},
    {"\\??\\C:\\a/b", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a*", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a?b", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\<a>", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a|b", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\\"a\"", 0, FVM_PATH_BAD, ""},
    {"\\??\\C:\\a\nb", 0, FVM_PATH_BAD, ""},
    /* trailing dots and spaces are the name's; so is a stream, which the host has none of */
    {"\\??\\C:\\a. ", 0, FVM_PATH_FILE, "C:\\a. "},
    {"\\??\\C:\\a.txt:stream", 0, FVM_PATH_FILE, "C:\\a.txt:stream"},
    /* the Unix root */
    {"\\??\\unix\\home\\u", Z, FVM_PATH_FILE, "Z:\\home\\u"},
    {"\\??\\unix\\home\\u", 0, FVM_PATH_FILE, "unix\\home\\u"},
    {"\\??\\UNIX\\home", Z, FVM_PATH_FILE, "Z:\\home"},
    {"\\??\\unix/home/u", Z | REWR, FVM_PATH_FILE, "Z:\\home\\u"},
    {"\\??\\unix\\", Z, FVM_PATH_FILE, "Z:"},
    {"\\??\\unix", Z, FVM_PATH_OTHER, ""},
    {"\\??\\unixx\\a", Z, FVM_PATH_OTHER, ""},
    {"\\??\\unix\\a\\", Z | TRAIL, FVM_PATH_FILE, "Z:\\a"},
    {"\\??\\unix\\a/./b", Z | REWR, FVM_PATH_FILE, "Z:\\a\\b"},
    {"\\??\\unix\\a\\..\\b", Z | REWR, FVM_PATH_FILE, "Z:\\b"},
    {"\\??\\unix\\..\\..\\b", Z | REWR, FVM_PATH_FILE, "Z:\\b"},
    {"\\??\\unix\\a/..", Z | REWR, FVM_PATH_FILE, "Z:"},
    {"\\??\\unix\\a//b", Z | REWR, FVM_PATH_FILE, "Z:\\a\\b"},
    {"\\??\\unix\\a\\\\b", Z, FVM_PATH_BAD, ""},
    {"\\??\\unix\\a*b?", Z, FVM_PATH_FILE, "Z:\\a*b?"},
    /* what is no file */
    {"\\Device\\NamedPipe\\x", 0, FVM_PATH_OTHER, ""},
    {"\\??\\pipe\\x", 0, FVM_PATH_OTHER, ""},
    {"\\??\\UNC\\server\\share", 0, FVM_PATH_OTHER, ""},
    {"\\??\\COM1", 0, FVM_PATH_OTHER, ""},
};

static void from_nt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fvm_path out = room(40000);
        enum fvm_path_kind kind = fvm_path_from_nt(wide(names[i].nt), names[i].flags & Z, &out);
        if (kind != names[i].kind) fail_msg("%s: kind %d", names[i].nt, kind);
        if (kind != FVM_PATH_FILE) continue;
        assert_string_equal(narrow(buffer, out.len), names[i].view);
        assert_int_equal(out.trailing, !!(names[i].flags & TRAIL));
        assert_int_equal(out.rewritten, !!(names[i].flags & REWR));
    }
}

static void units(void **state)
{
    (void)state;
    /* any unit above the controls is a name's: unpaired surrogates, NUL is not */
    struct fvm_path out = room(40000);
    assert_int_equal(fvm_path_from_nt(S(u"\\??\\C:\\a\xd800"
                                        u"b\xdc00"),
                                      false, &out),
                     FVM_PATH_FILE);
    assert_true(same16((struct fvm_wstr){buffer, out.len}, S(u"C:\\a\xd800"
                                                             u"b\xdc00")));
    assert_int_equal(fvm_path_from_nt(S(u"\\??\\C:\\a\0b"), false, &out), FVM_PATH_BAD);
    assert_int_equal(fvm_path_from_nt(S(u"\\??\\unix\\a\0b"), false, &out), FVM_PATH_BAD);
    /* the folded forms of "unix" alone count, not what looks like it */
    assert_int_equal(fvm_path_from_nt(S(u"\\??\\un\x0131x\\a"), true, &out), FVM_PATH_OTHER);
}

static void lengths(void **state)
{
    static fvm_wchar name[32767];
    uint32_t n = 0;

    (void)state;
    for (const char *p = "\\??\\C:"; *p; p++)
        name[n++] = (fvm_wchar)*p;
    while (n < 32767) {
        name[n] = n % 100 == 6 ? '\\' : 'x';
        n++;
    }
    for (uint32_t len = 7; len <= 32767; len += 1 + len / 40) {
        struct fvm_wstr nt = {name, len};
        uint32_t view = len - 4 - (len % 100 == 7 && len > 7) - (len == 7);
        struct fvm_path out = room(view);
        assert_int_equal(fvm_path_from_nt(nt, false, &out), FVM_PATH_FILE);
        assert_int_equal(out.len, view);
        /* one less is not enough, and nothing is written behind the buffer's end */
        buffer[view - 1] = 0x1234;
        out = room(view - 1);
        assert_int_equal(fvm_path_from_nt(nt, false, &out), FVM_PATH_LONG);
        assert_int_equal(buffer[view - 1], 0x1234);
    }
}

static void append(void **state)
{
    static const struct {
        const char *dir, *name;
        enum fvm_path_kind kind;
        const char *view;
        bool trailing;
    } t[] = {
        {"C:\\a", "b", FVM_PATH_FILE, "C:\\a\\b", false},
        {"C:", "b\\c\\", FVM_PATH_FILE, "C:\\b\\c", true},
        {"C:\\a", "", FVM_PATH_FILE, "C:\\a", false},
        {"C:\\a", "\\b", FVM_PATH_BAD, "", false},
        {"C:\\a", "..", FVM_PATH_BAD, "", false},
        {"C:\\a", "b/c", FVM_PATH_BAD, "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct fvm_wstr dir = wide(t[i].dir);
        struct fvm_path out = room(40000);
        memcpy(buffer, dir.ptr, dir.len * 2);
        out.len = dir.len;
        assert_int_equal(fvm_path_append(wide(t[i].name), &out), t[i].kind);
        if (t[i].kind != FVM_PATH_FILE) continue;
        assert_string_equal(narrow(buffer, out.len), t[i].view);
        assert_int_equal(out.trailing, t[i].trailing);
    }
}

static void to_real(void **state)
{
    struct fvm_wstr ws = wide("\\??\\unix\\ws");
    uint32_t n;

    (void)state;
    n = fvm_path_to_nt(wide("C:\\a\\b"), false, buffer, 40000);
    assert_string_equal(narrow(buffer, n), "\\??\\C:\\a\\b");
    n = fvm_path_to_nt(wide("C:\\a"), true, buffer, 40000);
    assert_string_equal(narrow(buffer, n), "\\??\\C:\\a\\");
    n = fvm_path_to_nt(wide("C:"), false, buffer, 40000);
    assert_string_equal(narrow(buffer, n), "\\??\\C:\\");
    assert_int_equal(fvm_path_to_nt(wide("C:\\a"), false, buffer, 7), 0);
    assert_int_equal(fvm_path_to_nt(wide("C:"), false, buffer, 6), 0);

    n = fvm_path_to_private(wide("C:\\a\\b"), ws, false, buffer, 40000);
    assert_string_equal(narrow(buffer, n), "\\??\\unix\\ws\\fs\\C\\a\\b");
    n = fvm_path_to_private(wide("unix\\a"), ws, true, buffer, 40000);
    assert_string_equal(narrow(buffer, n), "\\??\\unix\\ws\\fs\\unix\\a\\");
    n = fvm_path_to_private(wide("C:"), ws, false, buffer, 40000);
    assert_string_equal(narrow(buffer, n), "\\??\\unix\\ws\\fs\\C");
    for (uint32_t cap = 0; cap < 20; cap++)
        assert_int_equal(fvm_path_to_private(wide("C:\\a\\b"), ws, false, buffer, cap), 0);
}

static void parts(void **state)
{
    (void)state;
    assert_int_equal(fvm_path_parent(wide("C:\\a\\b")), 4);
    assert_int_equal(fvm_path_parent(wide("C:\\a")), 2);
    assert_int_equal(fvm_path_parent(wide("C:")), 0);
    assert_int_equal(fvm_path_parent(wide("")), 0);
    assert_true(fvm_path_below(wide("C:\\Dir\\x"), wide("c:\\dIR")));
    assert_true(fvm_path_below(wide("C:\\dir"), wide("C:\\dir")));
    assert_false(fvm_path_below(wide("C:\\dirt"), wide("C:\\dir")));
    assert_false(fvm_path_below(wide("C:\\di"), wide("C:\\dir")));
}

static void short_name(void **state)
{
    fvm_wchar dst[12];

    (void)state;
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++) {
        struct fvm_wstr name = {short_names[i].name, length16(short_names[i].name)};
        struct fvm_wstr want = {short_names[i].short_name, length16(short_names[i].short_name)};
        uint32_t n = fvm_short_name(name, dst);
        assert_true(n <= 12);
        if (!same16((struct fvm_wstr){dst, n}, want)) fail_msg("row %zu: %s", i, narrow(dst, n));
    }
    assert_int_equal(fvm_short_name((struct fvm_wstr){NULL, 0}, dst), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_nt),    cmocka_unit_test(units),   cmocka_unit_test(lengths),
        cmocka_unit_test(append),     cmocka_unit_test(to_real), cmocka_unit_test(parts),
        cmocka_unit_test(short_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
