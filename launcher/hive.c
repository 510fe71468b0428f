#include "hive.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fsutil.h"
#include "fvm/registry_log.h"
#include "fvm/utf.h"
#include "util.h"

/* The files of a prefix and where they stand below \Registry. */
static const struct {
    const char *file, *prefix;
} files[] = {
    {"system.reg", "Machine"},
    {"userdef.reg", "User\\.Default"},
    {"user.reg", NULL}, /* its second line says it: User\S-1-5-21-... */
};
#define FILE_COUNT (sizeof files / sizeof *files)
#define DEFAULT_USER "User\\S-1-5-21-0-0-0-1000"

static unsigned hex(char c)
{
    return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower(c) - 'a' + 10);
}

/* Reads text with Wine's escapes up to the closing character; returns what follows it, or NULL
 * when the line ends before. Bytes beyond ASCII are UTF-8. */
static const char *parse_text(const char *p, const char *end, char close, struct wbuf *out)
{
    static const char names[] = "abefnrtv", codes[] = "\a\b\033\f\n\r\t\v";
    const char *at;

    while (p < end && *p != close) {
        fvm_wchar units[64];
        if (*p == '\\' && p + 1 < end) {
            fvm_wchar c = 0;
            p++;
            if ((at = strchr(names, *p)) && *at) {
                c = (fvm_wchar)codes[at - names];
                p++;
            } else if (*p == 'x') {
                p++;
                int n = 0;
                for (; n < 4 && p < end && isxdigit((unsigned char)*p); n++)
                    c = (fvm_wchar)(c * 16 + hex(*p++));
                if (!n) c = 'x';
            } else if (*p >= '0' && *p <= '7') {
                for (int n = 0; n < 3 && p < end && *p >= '0' && *p <= '7'; n++)
                    c = (fvm_wchar)(c * 8 + (fvm_wchar)(*p++ - '0'));
            } else {
                c = (fvm_wchar)(unsigned char)*p++;
            }
            wbuf_add(out, (struct fvm_wstr){&c, 1});
            continue;
        }
        size_t n = 0;
        while (p + n < end && n < sizeof units / sizeof *units && p[n] != close && p[n] != '\\')
            n++;
        /* not in the middle of a character */
        while (n > 1 && p + n < end && ((unsigned char)p[n] & 0xc0) == 0x80)
            n--;
        size_t len = fvm_utf8_to_utf16(p, n, units, sizeof units / sizeof *units);
        wbuf_add(out, (struct fvm_wstr){units, (uint32_t)len});
        p += n;
    }
    return p < end ? p + 1 : NULL;
}

/* Bytes in hexadecimal, over as many lines as end in a backslash. Returns where it ended. */
static const char *parse_hex(const char *p, const char *end, char *out, size_t *len)
{
    *len = 0;
    while (p < end) {
        if (p + 1 < end && isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1])) {
            out[(*len)++] = (char)(hex(p[0]) * 16 + hex(p[1]));
            p += 2;
        } else if (*p == ',' || *p == ' ' || *p == '\r') {
            p++;
        } else if (*p == '\\' && p + 1 < end) {
            p++;
            while (p < end && *p != '\n')
                p++;
            if (p < end) p++;
        } else {
            break;
        }
    }
    return p;
}

/* The hive's keys stand below this path. */
static void hive_prefix(const char *text, const char *end, const char *known, struct wbuf *out)
{
    const char *line = memmem(text, (size_t)(end - text), ";; All keys relative to ", 24);

    out->len = 0;
    if (known) {
        wbuf_add_utf8(out, known);
    } else if (!line) {
        wbuf_add_utf8(out, DEFAULT_USER);
    } else {
        /* "\\User\\S-1-..." or, of old servers, "REGISTRY\\User\\..." */
        struct wbuf raw = {0};
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        parse_text(line + 24, stop ? stop : end, '\n', &raw);
        uint32_t from = 0;
        while (from < raw.len && raw.ptr[from] != '\\')
            from++;
        for (; from < raw.len && raw.ptr[from] == '\\'; from++) {
        }
        while (raw.len > from && raw.ptr[raw.len - 1] == '\r')
            raw.len--;
        if (from < raw.len)
            wbuf_add(out, (struct fvm_wstr){raw.ptr + from, raw.len - from});
        else
            wbuf_add_utf8(out, DEFAULT_USER);
        wbuf_free(&raw);
    }
}

/* "[Software\\X] time": the path with the prefix in front. */
static bool key_line(const char *p, const char *end, const struct wbuf *prefix, struct wbuf *out)
{
    struct wbuf name = {0};
    bool ok = parse_text(p + 1, end, ']', &name) != NULL;

    out->len = 0;
    wbuf_add(out, wbuf_str(prefix));
    if (ok && name.len) wbuf_add_component(out, wbuf_str(&name));
    wbuf_free(&name);
    return ok;
}

struct reader {
    const char *p, *end;
    struct wbuf prefix, path;
    struct fvm_reg *r;
    uint64_t time;
    bool in_key, link;
    struct wbuf class;
    bool has_class, made;
};

/* Makes the key once its options are known. */
static int make_key(struct reader *rd)
{
    struct fvm_wstr path = wbuf_str(&rd->path);

    if (!rd->in_key || rd->made) return 0;
    rd->made = true;
    for (uint32_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '\\') continue;
        struct fvm_reg_record rec = {
            .op = FVM_REG_OP_CREATE, .time = rd->time, .path = {path.ptr, i}};
        rec.type = fvm_reg_next_serial(rd->r);
        bool last = i == path.len;
        if (last && rd->link) rec.flags |= FVM_REG_LINK;
        if (last && rd->has_class) {
            rec.flags |= FVM_REG_CLASS;
            rec.name = wbuf_str(&rd->class);
        }
        int rc = fvm_reg_apply(rd->r, &rec);
        if (rc == FVM_REG_FULL) return rc;
    }
    return 0;
}

static const char *end_of_line(const char *p, const char *end)
{
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    return nl ? nl : end;
}

/* "name"=... or @=...; returns where the value ended, which may be lines below. */
static const char *value_line(struct reader *rd, const char *p, int *rc)
{
    const char *eol = end_of_line(p, rd->end), *start = p;
    struct wbuf name = {0}, text = {0};
    char *bytes = NULL, *close;
    struct fvm_reg_record rec = {.op = FVM_REG_OP_SET, .path = wbuf_str(&rd->path)};
    uint32_t dword;
    size_t size = 0;

    *rc = make_key(rd);
    p = *p == '@' ? p + 1 : parse_text(p + 1, eol, '"', &name);
    if (*rc || !p || p >= eol || *p++ != '=') goto skip;
    rec.name = wbuf_str(&name);
    rec.type = 1;
    if (!strncmp(p, "str(", 4)) {
        rec.type = (uint32_t)strtoul(p + 4, &close, 16);
        p = close + 2;
        if (p >= eol) goto skip;
    } else if (!strncmp(p, "str:", 4)) {
        p += 4;
    }
    if (*p == '"') {
        static const fvm_wchar nul;
        p = parse_text(p + 1, eol, '"', &text);
        if (!p) goto skip;
        wbuf_add(&text, (struct fvm_wstr){&nul, 1});
        rec.data = text.ptr;
        size = text.len * sizeof(fvm_wchar);
    } else if (!strncmp(p, "dword:", 6)) {
        rec.type = 4;
        dword = (uint32_t)strtoul(p + 6, NULL, 16);
        rec.data = &dword;
        size = sizeof dword;
    } else if (!strncmp(p, "hex", 3)) {
        rec.type = 3;
        p += 3;
        if (*p == '(') {
            rec.type = (uint32_t)strtoul(p + 1, &close, 16);
            p = close + 1;
        }
        if (p >= eol || *p++ != ':') goto skip;
        /* two digits and a comma for each byte */
        const char *stop = p;
        while (stop < rd->end && *stop != '\n') {
            stop = end_of_line(stop, rd->end);
            if (stop < rd->end && (stop[-1] == '\\' || (stop[-1] == '\r' && stop[-2] == '\\')))
                stop++;
        }
        bytes = xmalloc((size_t)(stop - p) / 2 + 1);
        p = parse_hex(p, stop, bytes, &size);
        rec.data = bytes;
    } else {
        goto skip;
    }
    rec.size = (uint32_t)size;
    if (fvm_reg_apply(rd->r, &rec) == FVM_REG_FULL) *rc = FVM_REG_FULL;
    start = p;
skip:
    wbuf_free(&name);
    wbuf_free(&text);
    free(bytes);
    return end_of_line(start, rd->end);
}

static uint64_t unix_time(const char *seconds)
{
    return (strtoull(seconds, NULL, 10) + 11644473600ull) * 10000000ull;
}

static int read_hive(const char *text, size_t len, const char *known, struct fvm_reg *r)
{
    struct reader rd = {.p = text, .end = text + len, .r = r};
    int rc = 0;

    hive_prefix(text, rd.end, known, &rd.prefix);
    for (const char *p = text; p < rd.end && !rc; p++) {
        const char *eol = end_of_line(p, rd.end);
        switch (*p) {
        case '[': {
            rc = make_key(&rd);
            const char *close = memrchr(p, ']', (size_t)(eol - p));
            rd.in_key = key_line(p, eol, &rd.prefix, &rd.path);
            rd.made = rd.link = rd.has_class = false;
            rd.time = unix_time(close ? close + 1 : "0");
            break;
        }
        case '#':
            if (!strncmp(p, "#link", 5)) rd.link = true;
            if (!strncmp(p, "#time=", 6)) rd.time = strtoull(p + 6, NULL, 16);
            if (!strncmp(p, "#class=\"", 8)) {
                rd.class.len = 0;
                rd.has_class = parse_text(p + 8, eol, '"', &rd.class) != NULL;
            }
            break;
        case '@':
        case '"':
            if (rd.in_key) eol = value_line(&rd, p, &rc);
            break;
        default:
            break;
        }
        p = eol;
    }
    if (!rc) rc = make_key(&rd);
    wbuf_free(&rd.prefix);
    wbuf_free(&rd.path);
    wbuf_free(&rd.class);
    return rc;
}

int hive_load_base(const char *dir, struct fvm_reg *r, struct err **err)
{
    int rc = 0;

    for (size_t i = 0; i < FILE_COUNT && !rc; i++) {
        char *file = xasprintf("%s/%s", dir, files[i].file), *text = NULL;
        size_t len = 0;
        rc = fs_read_file(file, &text, &len, err);
        if (!rc && strncmp(text, "WINE REGISTRY Version 2", 23))
            rc = err_set(err, "%s is no registry file of Wine", file);
        if (!rc && read_hive(text, len, files[i].prefix, r))
            rc = err_set(err, "the base's registry file %s is too large", file);
        free(text);
        free(file);
    }
    return rc;
}

/* --- links ------------------------------------------------------------------------------------ */

static const char *line_before(const char *text, const char *p, char first)
{
    while (p > text) {
        const char *nl = p > text ? memrchr(text, '\n', (size_t)(p - text)) : NULL;
        const char *line = nl ? nl + 1 : text;
        if (*line == first) return line;
        if (!nl) break;
        p = nl;
    }
    return NULL;
}

/* The path in an absolute name, "\Registry\Machine\X". */
static bool target_path(const char *bytes, size_t size, struct wbuf *out)
{
    fvm_wchar *path = xmalloc(FVM_REG_PATH_MAX * sizeof *path);
    fvm_wchar *name = xmalloc(size + 2);
    memcpy(name, bytes, size);
    int len = fvm_reg_path_from_nt((struct fvm_wstr){name, (uint32_t)(size / 2)}, path);
    out->len = 0;
    if (len > 0) wbuf_add(out, (struct fvm_wstr){path, (uint32_t)len});
    free(name);
    free(path);
    return len > 0;
}

int hive_links(const char *dir,
               int (*fn)(void *arg, struct fvm_wstr path, struct fvm_wstr target), void *arg)
{
    static const char mark[] = "\n#link\n", value[] = "\"SymbolicLinkValue\"=hex(6):";
    int rc = 0;

    for (size_t i = 0; i < FILE_COUNT && !rc; i++) {
        char *file = xasprintf("%s/%s", dir, files[i].file), *text = NULL;
        struct wbuf prefix = {0}, path = {0}, target = {0};
        struct err *ignored = NULL;
        size_t len = 0;
        if (!fs_read_file(file, &text, &len, &ignored)) {
            const char *end = text + len, *p = text;
            hive_prefix(text, end, files[i].prefix, &prefix);
            while (!rc && (p = memmem(p, (size_t)(end - p), mark, sizeof mark - 1))) {
                const char *key = line_before(text, p, '[');
                const char *next = memmem(p, (size_t)(end - p), "\n[", 2);
                if (!next) next = end;
                const char *v = memmem(p, (size_t)(next - p), value, sizeof value - 1);
                if (key && v && key_line(key, end_of_line(key, end), &prefix, &path)) {
                    char *bytes = xmalloc((size_t)(next - v) / 2 + 1);
                    size_t size;
                    parse_hex(v + sizeof value - 1, next, bytes, &size);
                    if (target_path(bytes, size, &target))
                        rc = fn(arg, wbuf_str(&path), wbuf_str(&target));
                    free(bytes);
                }
                p++;
            }
        }
        err_free(&ignored);
        wbuf_free(&prefix);
        wbuf_free(&path);
        wbuf_free(&target);
        free(text);
        free(file);
    }
    return rc;
}
