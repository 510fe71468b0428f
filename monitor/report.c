/* Messages for the user, on standard error. */
#include "monitor.h"

#include <stdarg.h>

struct line {
    char bytes[4096];
    DWORD len;
};

static void put(struct line *l, const char *s, size_t n)
{
    for (size_t i = 0; i < n && l->len < sizeof(l->bytes); i++)
        l->bytes[l->len++] = s[i];
}

static void put_wide(struct line *l, const wchar_t *s)
{
    int room = (int)(sizeof(l->bytes) - l->len);
    int n = WideCharToMultiByte(CP_UTF8, 0, s, -1, l->bytes + l->len, room, NULL, NULL);

    if (n > 0)
        l->len += (DWORD)n - 1;
    else
        put(l, "(a very long name)", 18);
}

static void put_number(struct line *l, unsigned value, unsigned base)
{
    char digits[10];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n)
        put(l, &digits[--n], 1);
}

static void write_line(const char *text, va_list args)
{
    struct line *l = HeapAlloc(GetProcessHeap(), 0, sizeof(*l));
    HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
    DWORD done;

    if (!l) {
        WriteFile(out, "fvm: not enough memory\n", 23, &done, NULL);
        return;
    }
    l->len = 0;
    put(l, "fvm: ", 5);
    for (; *text; text++) {
        if (*text != '%') {
            put(l, text, 1);
            continue;
        }
        switch (*++text) {
        case 's':
            put_wide(l, va_arg(args, const wchar_t *));
            break;
        case 'a': {
            const char *s = va_arg(args, const char *);

            put(l, s, (size_t)lstrlenA(s));
            break;
        }
        case 'x':
            put_number(l, va_arg(args, unsigned), 16);
            break;
        case 'u':
            put_number(l, va_arg(args, unsigned), 10);
            break;
        }
    }
    if (l->len == sizeof(l->bytes)) l->len--;
    put(l, "\n", 1);
    WriteFile(out, l->bytes, l->len, &done, NULL);
    HeapFree(GetProcessHeap(), 0, l);
}

void report(const char *text, ...)
{
    va_list args;

    va_start(args, text);
    write_line(text, args);
    va_end(args);
}

void fail(int code, const char *text, ...)
{
    va_list args;

    va_start(args, text);
    write_line(text, args);
    va_end(args);
    ExitProcess((UINT)code);
}

const wchar_t *error_text(DWORD error)
{
    static wchar_t text[512];
    DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                             error, 0, text, 512, NULL);

    while (n && (text[n - 1] == '\r' || text[n - 1] == '\n' || text[n - 1] == '.'))
        text[--n] = 0;
    if (!n) lstrcpyW(text, L"an error the host has no words for");
    return text;
}
