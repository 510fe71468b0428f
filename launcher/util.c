#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fvm/fold.h"
#include "fvm/utf.h"

static void *checked(void *p)
{
    if (!p) {
        fputs("fvm: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return checked(strdup(s));
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, ap) < 0) s = NULL;
    return checked(s);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = xvasprintf(fmt, ap);
    va_end(ap);
    return s;
}

static void wbuf_reserve(struct wbuf *w, size_t more)
{
    if (w->cap - w->len >= more) return;
    size_t cap = w->cap ? w->cap : 64;
    while (cap - w->len < more)
        cap *= 2;
    w->ptr = xrealloc(w->ptr, cap * sizeof(*w->ptr));
    w->cap = (uint32_t)cap;
}

void wbuf_add(struct wbuf *w, struct fvm_wstr s)
{
    wbuf_reserve(w, s.len);
    if (s.len) memcpy(w->ptr + w->len, s.ptr, s.len * sizeof(*s.ptr));
    w->len += s.len;
}

void wbuf_add_utf8(struct wbuf *w, const char *s)
{
    size_t need = fvm_utf8_to_utf16(s, strlen(s), NULL, 0);
    wbuf_reserve(w, need);
    fvm_utf8_to_utf16(s, strlen(s), w->ptr + w->len, need);
    w->len += (uint32_t)need;
}

void wbuf_add_component(struct wbuf *w, struct fvm_wstr name)
{
    static const fvm_wchar backslash = '\\';
    wbuf_add(w, (struct fvm_wstr){&backslash, 1});
    wbuf_add(w, name);
}

void wbuf_free(struct wbuf *w)
{
    free(w->ptr);
    *w = (struct wbuf){0};
}

struct wbuf wbuf_dup(struct fvm_wstr s)
{
    struct wbuf w = {0};
    wbuf_reserve(&w, s.len ? s.len : 1);
    wbuf_add(&w, s);
    return w;
}

char *utf8_of(struct fvm_wstr s)
{
    size_t need = fvm_utf16_to_utf8(s.ptr, s.len, NULL, 0);
    char *out = xmalloc(need + 1);
    fvm_utf16_to_utf8(s.ptr, s.len, out, need);
    out[need] = 0;
    return out;
}

bool utf8_valid(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p) {
        unsigned lead = *p++;
        if (lead < 0x80) continue;
        unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4) return false;
        if (lead == 0xe0 && *p < 0xa0) return false;
        if (lead == 0xed && *p > 0x9f) return false;
        if (lead == 0xf0 && *p < 0x90) return false;
        if (lead == 0xf4 && *p > 0x8f) return false;
        for (; more; more--, p++)
            if ((*p & 0xc0) != 0x80) return false;
    }
    return true;
}

bool path_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    if (len == 1 && dir[0] == '/') return path[0] == '/';
    return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

bool wstr_equal(struct fvm_wstr a, struct fvm_wstr b)
{
    return fvm_name_equal(a.ptr, a.len, b.ptr, b.len);
}

static struct fvm_wstr next_component(struct fvm_wstr *path)
{
    uint32_t n = 0;
    while (n < path->len && path->ptr[n] != '\\')
        n++;
    struct fvm_wstr part = {path->ptr, n};
    uint32_t skip = n < path->len ? n + 1 : n;
    path->ptr += skip;
    path->len -= skip;
    return part;
}

int wstr_path_compare(struct fvm_wstr a, struct fvm_wstr b)
{
    while (a.len && b.len) {
        struct fvm_wstr x = next_component(&a), y = next_component(&b);
        int c = fvm_name_compare(x.ptr, x.len, y.ptr, y.len);
        if (c) return c;
    }
    return a.len ? 1 : b.len ? -1 : 0;
}

bool parse_number(const char *s, unsigned long max, unsigned long *out)
{
    if (*s < '0' || *s > '9') return false;
    char *end;
    errno = 0;
    *out = strtoul(s, &end, 10);
    return !errno && !*end && *out <= max;
}
