/* Folding of all code units and the order of names, against the host itself: prints every
 * code unit that core maps otherwise. */
#include "test.h"
#include "fvm/fold.h"

WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR c);
WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR c);

/* Creates files with one character that matters and compares the order of the listing. */
static void check_order(void)
{
    static const WCHAR set[] = L"a_b^c`d~z{-!1\u00e9\u00c8\u00ff\u03b1\u0416\uff41\u3042";
    WCHAR name[64], last[MAX_PATH] = L"";
    size_t last_len = 0;
    int wrong = 0, listed = 0;
    WIN32_FIND_DATAW data;
    HANDLE find, file;

    for (const WCHAR *c = set; *c; c++) {
        for (int i = 0; i < 2; i++) {
            swprintf(name, 64, i ? L"m%lc" : L"%lc", (wint_t)*c);
            file = CreateFileW(name, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
            if (file == INVALID_HANDLE_VALUE) t_die("cannot make %s", t_text(name, -1));
            CloseHandle(file);
        }
    }
    find = FindFirstFileW(L"*", &data);
    if (find == INVALID_HANDLE_VALUE) t_die("cannot list");
    do {
        const WCHAR *n = data.cFileName;
        size_t len = wcslen(n);

        if (!wcscmp(n, L".") || !wcscmp(n, L"..")) continue;
        if (listed++ && fvm_name_compare(last, last_len, n, len) >= 0) {
            t_say("%s comes after %s", t_text(n, -1), t_text(last, -1));
            wrong++;
        }
        wcscpy(last, n);
        last_len = len;
    } while (FindNextFileW(find, &data));
    FindClose(find);
    t_ok(listed == 2 * (int)wcslen(set) && !wrong, "%d names, %d out of order", listed, wrong);
}

int main(int argc, char **argv)
{
    int wrong = 0;

    t_begin(argc, argv);
    for (unsigned int c = 0; c <= 0xffff; c++) {
        WCHAR up = RtlUpcaseUnicodeChar((WCHAR)c), down = RtlDowncaseUnicodeChar((WCHAR)c);

        if (up == fvm_upcase((fvm_wchar)c) && down == fvm_downcase((fvm_wchar)c)) continue;
        t_say("%04x: host %04x %04x, core %04x %04x", c, up, down, fvm_upcase((fvm_wchar)c),
              fvm_downcase((fvm_wchar)c));
        wrong++;
    }
    t_ok(!wrong, "%d code units differ", wrong);

    if (!CreateDirectoryW(t_dos("fold"), NULL) || !SetCurrentDirectoryW(t_dos("fold")))
        t_die("cannot make a folder");
    check_order();
    return t_end();
}
