/* Reading .reg files. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fsutil.h"
#include "fvm/utf.h"
#include "registry_text.h"

struct item {
    struct wbuf key, name;
    bool is_value, deleted;
    uint32_t type, size;
    void *data;
};

struct reader {
    const char *file;
    const fvm_wchar *p, *end;
    unsigned line;
    struct wbuf key;
    bool in_key, ansi; /* ansi: REGEDIT4, whose bytes of text are not UTF-16 */
    struct item *items;
    size_t count, cap;
};

static int bad(const struct reader *r, struct err **err, const char *why)
{
    err_set(err, "%s: line %u: %s", r->file, r->line, why);
    return err_hint(err, "nothing of the file was taken over");
}

static bool at_end(const struct reader *r) { return r->p >= r->end; }
static bool at(const struct reader *r, char c) { return !at_end(r) && *r->p == (fvm_wchar)c; }

static void skip_blanks(struct reader *r)
{
    while (at(r, ' ') || at(r, '\t'))
        r->p++;
}

static void skip_line(struct reader *r)
{
    while (!at_end(r) && *r->p != '\n')
        r->p++;
    if (!at_end(r)) r->p++;
    r->line++;
}

static bool end_of_line(struct reader *r)
{
    skip_blanks(r);
    return at_end(r) || at(r, '\r') || at(r, '\n') || at(r, ';');
}

static bool word(struct reader *r, const char *text)
{
    const fvm_wchar *p = r->p;
    for (; *text; text++, p++)
        if (p >= r->end || *p > 127 || tolower((int)*p) != *text) return false;
    r->p = p;
    return true;
}

static struct item *add(struct reader *r)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        r->items = xrealloc(r->items, r->cap * sizeof *r->items);
    }
    struct item *item = &r->items[r->count++];
    *item = (struct item){.key = wbuf_dup(wbuf_str(&r->key))};
    return item;
}

static int read_key(struct reader *r, struct err **err)
{
    r->p++;
    bool deleted = at(r, '-');
    if (deleted) r->p++;
    const fvm_wchar *start = r->p, *close = NULL;
    for (; !at_end(r) && *r->p != '\n'; r->p++)
        if (*r->p == ']') close = r->p;
    if (!close) return bad(r, err, "the name of the key has no end (\"]\")");
    wbuf_free(&r->key);
    struct err *why = NULL;
    if (registry_parse_key_wide((struct fvm_wstr){start, (uint32_t)(close - start)}, &r->key,
                                &why)) {
        int rc = bad(r, err, why->text);
        err_free(&why);
        return rc;
    }
    if (!r->key.len) return bad(r, err, "this key cannot be changed");
    r->in_key = !deleted;
    add(r)->deleted = deleted;
    return 0;
}

/* "text" with \\ and \" in it; may go over lines. */
static int read_quoted(struct reader *r, struct wbuf *out, struct err **err)
{
    r->p++;
    for (;; r->p++) {
        if (at_end(r)) return bad(r, err, "the text has no end (a quote is missing)");
        if (*r->p == '"') break;
        if (*r->p == '\n') r->line++;
        fvm_wchar c = *r->p;
        if (c == '\\' && r->p + 1 < r->end) {
            c = *++r->p;
            if (c == 'n') c = '\n';
            else if (c == 'r') c = '\r';
        }
        wbuf_add(out, (struct fvm_wstr){&c, 1});
    }
    r->p++;
    return 0;
}

static int hex_digit(fvm_wchar c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static int read_bytes(struct reader *r, struct item *item, struct err **err)
{
    size_t cap = 0;
    char *bytes = NULL;
    for (;;) {
        skip_blanks(r);
        int value = 0, digits = 0;
        while (!at_end(r) && hex_digit(*r->p) >= 0 && digits < 2) {
            value = value * 16 + hex_digit(*r->p++);
            digits++;
        }
        if (digits) {
            if (item->size == cap) bytes = xrealloc(bytes, cap = cap ? cap * 2 : 64);
            bytes[item->size++] = (char)value;
        }
        item->data = bytes;
        skip_blanks(r);
        if (at(r, ',')) {
            r->p++;
        } else if (at(r, '\\')) {
            r->p++;
            if (!end_of_line(r)) return bad(r, err, "something follows the backslash");
            skip_line(r);
        } else if (end_of_line(r)) {
            return 0;
        } else if (!digits) {
            return bad(r, err, "a byte in hexadecimal was expected");
        }
    }
}

/* Old files keep text in bytes of one code page; ASCII is the same in all of them. */
static void widen(struct item *item)
{
    fvm_wchar *wide = xmalloc((size_t)item->size * 2 + 2);
    for (uint32_t i = 0; i < item->size; i++)
        wide[i] = ((uint8_t *)item->data)[i];
    free(item->data);
    item->data = wide;
    item->size *= 2;
}

static int read_data(struct reader *r, struct item *item, struct err **err)
{
    skip_blanks(r);
    if (at(r, '-')) {
        r->p++;
        item->deleted = true;
        return 0;
    }
    if (at(r, '"')) {
        struct wbuf text = {0};
        static const fvm_wchar nul;
        int rc = read_quoted(r, &text, err);
        wbuf_add(&text, (struct fvm_wstr){&nul, 1});
        item->type = 1;
        item->data = text.ptr;
        item->size = text.len * 2;
        return rc;
    }
    if (word(r, "dword:")) {
        uint32_t value = 0;
        int digits = 0;
        skip_blanks(r);
        for (; !at_end(r) && hex_digit(*r->p) >= 0; r->p++, digits++)
            value = value << 4 | (uint32_t)hex_digit(*r->p);
        if (!digits || digits > 8) return bad(r, err, "a number of 1 to 8 hexadecimal digits was expected");
        item->type = 4;
        item->size = 4;
        item->data = xmalloc(4);
        memcpy(item->data, &value, 4);
        return 0;
    }
    if (!word(r, "hex")) return bad(r, err, "this kind of data is not known");
    item->type = 3;
    if (at(r, '(')) {
        uint32_t type = 0;
        for (r->p++; !at_end(r) && hex_digit(*r->p) >= 0; r->p++)
            type = type << 4 | (uint32_t)hex_digit(*r->p);
        if (!at(r, ')')) return bad(r, err, "\")\" was expected");
        r->p++;
        item->type = type;
    }
    if (!at(r, ':')) return bad(r, err, "\":\" was expected");
    r->p++;
    if (read_bytes(r, item, err)) return -1;
    if (r->ansi && (item->type == 2 || item->type == 7)) widen(item);
    return 0;
}

static int read_value(struct reader *r, struct err **err)
{
    if (!r->in_key) return bad(r, err, "a value stands outside of a key");
    struct item *item = add(r);
    item->is_value = true;
    if (at(r, '@'))
        r->p++;
    else if (read_quoted(r, &item->name, err))
        return -1;
    if (item->name.len > FVM_REG_VALUE_MAX) return bad(r, err, "the value's name is too long");
    skip_blanks(r);
    if (!at(r, '=')) return bad(r, err, "\"=\" was expected");
    r->p++;
    if (read_data(r, item, err)) return -1;
    return end_of_line(r) ? 0 : bad(r, err, "something follows the value");
}

static int read_all(struct reader *r, struct err **err)
{
    r->line = 1;
    skip_blanks(r);
    if (word(r, "regedit4"))
        r->ansi = true;
    else if (!word(r, "windows registry editor version 5.00"))
        return bad(r, err, "this is no .reg file: its first line is none of a registry editor");
    if (!end_of_line(r)) return bad(r, err, "something follows the file's mark");
    int rc = 0;
    for (skip_line(r); !rc && !at_end(r); skip_line(r)) {
        skip_blanks(r);
        if (at(r, '['))
            rc = read_key(r, err);
        else if (at(r, '"') || at(r, '@'))
            rc = read_value(r, err);
        else if (!end_of_line(r))
            rc = bad(r, err, "neither a key nor a value");
    }
    return rc;
}

int registry_reg_read(const char *file, int (*fn)(void *arg, const struct registry_reg_entry *e),
                      void *arg, struct err **err)
{
    struct reader r = {.file = file};
    struct wbuf text = {0};
    char *bytes;
    size_t len;
    if (fs_read_file(file, &bytes, &len, err)) return -1;
    if (len >= 2 && (uint8_t)bytes[0] == 0xff && (uint8_t)bytes[1] == 0xfe) {
        fvm_wchar *wide = xmalloc(len);
        memcpy(wide, bytes + 2, len - 2);
        wbuf_add(&text, (struct fvm_wstr){wide, (uint32_t)((len - 2) / 2)});
        free(wide);
    } else {
        bool mark = len >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3);
        wbuf_add_utf8(&text, bytes + (mark ? 3 : 0));
    }
    free(bytes);
    r.p = text.ptr;
    r.end = text.ptr + text.len;
    int rc = read_all(&r, err);
    for (size_t i = 0; i < r.count; i++) {
        struct item *item = &r.items[i];
        struct registry_reg_entry e = {
            .key = wbuf_str(&item->key),
            .is_value = item->is_value,
            .deleted = item->deleted,
            .value = {.name = wbuf_str(&item->name),
                      .type = item->type,
                      .deleted = item->deleted,
                      .data = item->data,
                      .size = item->size},
        };
        if (!rc) rc = fn(arg, &e);
        wbuf_free(&item->key);
        wbuf_free(&item->name);
        free(item->data);
    }
    free(r.items);
    wbuf_free(&r.key);
    wbuf_free(&text);
    return rc;
}
