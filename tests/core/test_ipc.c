/* Names of objects, pipes and mailslots: what becomes private, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fvm/ipc.h"
#include "fvm/utf.h"

#define TREE "\\BaseNamedObjects\\FVM-0123456789abcdef"

static fvm_wchar id_text[16];
static struct fvm_wstr id = {id_text, 16};

static struct fvm_wstr wide(const char *s, fvm_wchar *buffer, size_t cap)
{
    size_t n = fvm_utf8_to_utf16(s, strlen(s), buffer, cap);
    assert_true(n <= cap);
    return (struct fvm_wstr){buffer, (uint32_t)n};
}

static const char *narrow(const fvm_wchar *s, uint32_t len)
{
    static char text[1024];
    size_t n = fvm_utf16_to_utf8(s, len, text, sizeof text - 1);
    assert_true(n < sizeof text);
    text[n] = 0;
    return text;
}

static void check(const char *name, bool fold, enum fvm_ipc_kind kind, const char *private)
{
    fvm_wchar in[512], dst[512], view[512];
    struct fvm_ipc_name out = {.dst = dst, .cap = 512};

    assert_int_equal(fvm_ipc_to_private(id, wide(name, in, 512), fold, &out), kind);
    if (private) assert_string_equal(narrow(dst, out.len), private);
    /* what a private name is called leads to the same place again */
    if (kind != FVM_IPC_OBJECT && kind != FVM_IPC_PIPE && kind != FVM_IPC_MAILSLOT) return;
    uint32_t n = fvm_ipc_to_view(id, (struct fvm_wstr){dst, out.len}, view, 512);
    assert_true(n > 0);
    fvm_wchar again[512];
    struct fvm_ipc_name second = {.dst = again, .cap = 512};
    assert_int_equal(fvm_ipc_to_private(id, (struct fvm_wstr){view, n}, fold, &second), kind);
    assert_int_equal(second.len, out.len);
    assert_memory_equal(again, dst, out.len * sizeof *dst);
}

static void objects(void **state)
{
    (void)state;
    check("\\BaseNamedObjects\\x", false, FVM_IPC_OBJECT, TREE "\\Global\\x");
    check("\\BaseNamedObjects", false, FVM_IPC_OBJECT, TREE "\\Global");
    check("\\BaseNamedObjects\\", false, FVM_IPC_OBJECT, TREE "\\Global\\");
    check("\\BaseNamedObjects\\a\\b", false, FVM_IPC_OBJECT, TREE "\\Global\\a\\b");
    check("\\basenamedobjects\\X", true, FVM_IPC_OBJECT, TREE "\\Global\\X");
    check("\\Sessions\\1\\BaseNamedObjects\\x", false, FVM_IPC_OBJECT, TREE "\\Local\\x");
    check("\\Sessions\\0\\BaseNamedObjects\\x", false, FVM_IPC_OBJECT, TREE "\\Global\\x");
    check("\\Sessions\\BNOLINKS\\1\\x", false, FVM_IPC_OBJECT, TREE "\\Local\\x");
    check("\\Sessions\\BNOLINKS\\0\\x", false, FVM_IPC_OBJECT, TREE "\\Global\\x");
    check("\\Sessions\\BNOLINKS\\1", false, FVM_IPC_OBJECT, TREE "\\Links\\1");
    check("\\Sessions\\1\\Windows\\WindowStations\\WinSta0", false, FVM_IPC_OBJECT,
          TREE "\\Stations\\WinSta0");
    check("\\sessions\\1\\windows\\windowstations", true, FVM_IPC_OBJECT, TREE "\\Stations");
    check("\\Sessions\\1\\Windows", false, FVM_IPC_OUTSIDE, TREE "\\Root\\Sessions\\1\\Windows");
    check("\\Sessions\\BNOLINKS", false, FVM_IPC_OBJECT, TREE "\\Links");
    check("\\??\\GLOBALROOT\\BaseNamedObjects\\x", false, FVM_IPC_OBJECT, TREE "\\Global\\x");
    check("\\DosDevices\\GLOBALROOT\\??\\Global\\Global\\GLOBALROOT\\BaseNamedObjects\\x", false,
          FVM_IPC_OBJECT, TREE "\\Global\\x");
    /* the VM's own spelling of the tree is a name in its tree like any other */
    check(TREE "\\Global\\x", false, FVM_IPC_OBJECT,
          TREE "\\Global\\FVM-0123456789abcdef\\Global\\x");
    check("\\BaseNamedObjects\\..\\x", false, FVM_IPC_OBJECT, TREE "\\Global\\..\\x");
}

static void outside(void **state)
{
    (void)state;
    check("\\x", false, FVM_IPC_OUTSIDE, TREE "\\Root\\x");
    check("\\", false, FVM_IPC_OUTSIDE, TREE "\\Root");
    check("\\BaseNamedObjectsX\\x", false, FVM_IPC_OUTSIDE, TREE "\\Root\\BaseNamedObjectsX\\x");
    /* case counts where the call says so */
    check("\\basenamedobjects\\x", false, FVM_IPC_OUTSIDE, TREE "\\Root\\basenamedobjects\\x");
    check("\\Sessions\\2\\BaseNamedObjects\\x", false, FVM_IPC_OUTSIDE,
          TREE "\\Root\\Sessions\\2\\BaseNamedObjects\\x");
    check("\\Sessions\\1", false, FVM_IPC_OUTSIDE, TREE "\\Root\\Sessions\\1");
    check("\\??\\C:\\x", false, FVM_IPC_OUTSIDE, TREE "\\Root\\??\\C:\\x");
    check("\\DosDevices\\NUL", false, FVM_IPC_OUTSIDE, TREE "\\Root\\??\\NUL");
    check("\\DosDevices", false, FVM_IPC_OUTSIDE, TREE "\\Root\\DosDevices");
    check("\\??\\GLOBALROOT", false, FVM_IPC_OUTSIDE, TREE "\\Root\\??\\GLOBALROOT");
    check("\\??\\GLOBALROOT\\", false, FVM_IPC_OUTSIDE, TREE "\\Root\\??\\GLOBALROOT\\");
    check("\\??\\GLOBALROOT\\Device\\Null", false, FVM_IPC_OUTSIDE, TREE "\\Root\\Device\\Null");
    check("\\??\\UNC\\server\\pipe\\x", true, FVM_IPC_OUTSIDE,
          TREE "\\Root\\??\\UNC\\server\\pipe\\x");
    check("", false, FVM_IPC_NOT, NULL);
    check("x", false, FVM_IPC_NOT, NULL);
    check("\\\\BaseNamedObjects\\x", false, FVM_IPC_NOT, NULL);
}

static void pipes(void **state)
{
    static const char *const same[] = {
        "\\??\\pipe\\x",
        "\\??\\PIPE\\x",
        "\\DosDevices\\Pipe\\x",
        "\\Device\\NamedPipe\\x",
        "\\??\\UNC\\localhost\\pipe\\x",
        "\\??\\UNC\\127.0.0.1\\PIPE\\x",
        "\\??\\UNC\\.\\pipe\\x",
        "\\??\\GLOBALROOT\\Device\\NamedPipe\\x",
        "\\??\\Global\\pipe\\x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check(same[i], true, FVM_IPC_PIPE, "\\Device\\NamedPipe\\fvm\\0123456789abcdef\\x");
    check("\\??\\pipe\\x", false, FVM_IPC_OUTSIDE, NULL);
    check("\\??\\PIPE\\a\\..\\..\\x", false, FVM_IPC_PIPE,
          "\\Device\\NamedPipe\\fvm\\0123456789abcdef\\a\\..\\..\\x");
    check("\\??\\PIPE\\fvm\\0123456789abcdef\\x", false, FVM_IPC_PIPE,
          "\\Device\\NamedPipe\\fvm\\0123456789abcdef\\fvm\\0123456789abcdef\\x");
    check("\\??\\PIPE\\\\x", false, FVM_IPC_PIPE,
          "\\Device\\NamedPipe\\fvm\\0123456789abcdef\\\\x");
    check("\\??\\PIPE", false, FVM_IPC_DEVICE, NULL);
    check("\\??\\PIPE\\", false, FVM_IPC_DEVICE, NULL);
    check("\\Device\\NamedPipe", false, FVM_IPC_DEVICE, NULL);
    check("\\Device\\NamedPipeX\\x", false, FVM_IPC_OUTSIDE, NULL);
    check("\\??\\mailslot\\x", true, FVM_IPC_MAILSLOT,
          "\\Device\\MailSlot\\fvm\\0123456789abcdef\\x");
    check("\\Device\\MailSlot\\x", false, FVM_IPC_MAILSLOT,
          "\\Device\\MailSlot\\fvm\\0123456789abcdef\\x");
}

static void views(void **state)
{
    fvm_wchar in[512], dst[512];
    static const char *const hidden[] = {
        TREE,
        TREE "\\Members",
        TREE "\\GlobalX\\x",
        "\\BaseNamedObjects\\x",
        "\\BaseNamedObjects\\FVM-fedcba9876543210\\Global\\x",
        "\\Device\\NamedPipe\\x",
        "\\Device\\NamedPipe\\fvm\\fedcba9876543210\\x",
        "\\??\\C:\\x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_int_equal(fvm_ipc_to_view(id, wide(hidden[i], in, 512), dst, 512), 0);
    uint32_t n = fvm_ipc_to_view(id, wide(TREE "\\Root", in, 512), dst, 512);
    assert_string_equal(narrow(dst, n), "\\");
    n = fvm_ipc_to_view(id, wide(TREE "\\Root\\??\\x", in, 512), dst, 512);
    assert_string_equal(narrow(dst, n), "\\??\\x");
    assert_int_equal(fvm_ipc_to_view(id, wide(TREE "\\Root\\??\\x", in, 512), dst, 4), 0);
}

static void long_names(void **state)
{
    enum { MOST = 32766 };
    fvm_wchar *in = malloc(2 * 40000), *dst = malloc(2 * 40000), *other = malloc(2 * 40000);
    struct fvm_ipc_name out = {.dst = dst, .cap = MOST}, second = {.dst = other, .cap = MOST};

    (void)state;
    for (uint32_t i = 0; i < 40000; i++)
        in[i] = 'n';
    wide("\\BaseNamedObjects\\", in, 18);
    in[18] = 'n';
    assert_int_equal(fvm_ipc_to_private(id, (struct fvm_wstr){in, MOST}, false, &out),
                     FVM_IPC_LONG);
    assert_string_equal(out.part, "Global");
    assert_int_equal(out.inner.len, MOST - 17);
    assert_int_equal(fvm_ipc_to_private(id, (struct fvm_wstr){in, MOST + 1}, false, &out),
                     FVM_IPC_NOT);
    /* pipes: cut, yet different names stay different */
    wide("\\Device\\NamedPipe\\", in, 18);
    assert_int_equal(fvm_ipc_to_private(id, (struct fvm_wstr){in, MOST}, false, &out),
                     FVM_IPC_PIPE);
    assert_int_equal(out.len, MOST);
    in[MOST - 1] = 'N';
    assert_int_equal(fvm_ipc_to_private(id, (struct fvm_wstr){in, MOST}, false, &second),
                     FVM_IPC_PIPE);
    assert_memory_equal(dst, other, MOST * sizeof *dst); /* case does not count */
    in[MOST - 1] = 'm';
    fvm_ipc_to_private(id, (struct fvm_wstr){in, MOST}, false, &second);
    assert_memory_not_equal(dst, other, MOST * sizeof *dst);
    free(in);
    free(dst);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects), cmocka_unit_test(outside),    cmocka_unit_test(pipes),
        cmocka_unit_test(views),   cmocka_unit_test(long_names),
    };

    wide("0123456789abcdef", id_text, 16);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
