#include "registry_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fvm/utf.h"
#include "view.h"

#define USER "User\\S-1-5-21-0-0-0-1000" /* as Wine calls the one there is */

/* Longer paths stand before those that are a part of them. */
static const struct {
    const char *name, *short_name, *path;
    bool input_only;
} roots[] = {
    {"HKEY_CLASSES_ROOT", "HKCR", "Machine\\Software\\Classes", true},
    {"HKEY_CURRENT_CONFIG", "HKCC",
     "Machine\\System\\CurrentControlSet\\Hardware Profiles\\Current", true},
    {"HKEY_LOCAL_MACHINE", "HKLM", "Machine", false},
    {"HKEY_CURRENT_USER", "HKCU", USER, false},
    {"HKEY_USERS", "HKU", "User", false},
};
#define ROOTS (sizeof roots / sizeof *roots)

int registry_parse_key(const char *text, struct wbuf *path, struct err **err)
{
    *path = (struct wbuf){0};
    if (!strncasecmp(text, "\\Registry\\", 10)) {
        wbuf_add_utf8(path, text + 10);
    } else {
        size_t len = strcspn(text, "\\"), i = 0;
        while (i < ROOTS && !((strlen(roots[i].name) == len &&
                               !strncasecmp(text, roots[i].name, len)) ||
                              (strlen(roots[i].short_name) == len &&
                               !strncasecmp(text, roots[i].short_name, len))))
            i++;
        if (i == ROOTS) {
            err_usage(err, "\"%s\" is no name of a registry key", text);
            return err_hint(err, "it begins with HKLM, HKCU, HKCR, HKU or HKCC, as in HKCU\\Software");
        }
        wbuf_add_utf8(path, roots[i].path);
        if (text[len]) wbuf_add_utf8(path, text + len);
    }
    /* runs of backslashes count as one, trailing ones do not count */
    uint32_t out = 0, part = 0;
    for (uint32_t in = 0; in < path->len; in++) {
        bool separator = path->ptr[in] == '\\';
        if (separator && (!out || path->ptr[out - 1] == '\\')) continue;
        part = separator ? 0 : part + 1;
        if (part > FVM_REG_KEY_MAX)
            return err_usage(err, "a part of the key's name is longer than %u characters",
                             FVM_REG_KEY_MAX);
        path->ptr[out++] = path->ptr[in];
    }
    if (out && path->ptr[out - 1] == '\\') out--;
    path->len = out;
    return 0;
}

int registry_parse_key_wide(struct fvm_wstr text, struct wbuf *path, struct err **err)
{
    char *utf8 = utf8_of(text);
    int rc = registry_parse_key(utf8, path, err);
    free(utf8);
    return rc;
}

char *registry_key_name(struct fvm_wstr path, bool long_form)
{
    char *text = utf8_of(path), *name = NULL;
    for (size_t i = 0; i < ROOTS && !name; i++) {
        size_t len = strlen(roots[i].path);
        if (roots[i].input_only || strncasecmp(text, roots[i].path, len) ||
            (text[len] && text[len] != '\\'))
            continue;
        name = xasprintf("%s%s", long_form ? roots[i].name : roots[i].short_name, text + len);
    }
    if (!name) name = xasprintf("\\Registry\\%s", text);
    free(text);
    return name;
}

/* --- types and data ------------------------------------------------------------------------------ */

static const char *const types[] = {
    "REG_NONE", "REG_SZ",       "REG_EXPAND_SZ",
    "REG_BINARY", "REG_DWORD",  "REG_DWORD_BIG_ENDIAN",
    "REG_LINK", "REG_MULTI_SZ", "REG_RESOURCE_LIST",
    "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD",
};
#define TYPES (sizeof types / sizeof *types)
enum { SZ = 1, EXPAND_SZ = 2, BINARY = 3, DWORD = 4, MULTI_SZ = 7, QWORD = 11 };

const char *registry_type_name(uint32_t type)
{
    static char number[16];
    if (type < TYPES) return types[type];
    snprintf(number, sizeof number, "0x%x", type);
    return number;
}

bool registry_parse_type(const char *text, uint32_t *type)
{
    for (uint32_t i = 0; i < TYPES; i++) {
        if (strcasecmp(text, types[i]) && strcasecmp(text, types[i] + 4)) continue;
        *type = i;
        return true;
    }
    char *end;
    unsigned long n = strtoul(text, &end, 0);
    *type = (uint32_t)n;
    return *text && !*end && isdigit((unsigned char)*text);
}

static bool is_text(uint32_t type) { return type == SZ || type == EXPAND_SZ || type == MULTI_SZ; }

static int parse_bytes(const char *text, void **data, uint32_t *size, struct err **err)
{
    char *bytes = xmalloc(strlen(text) / 2 + 1);
    uint32_t n = 0;
    int high = -1;
    for (const char *p = text; *p; p++) {
        if (*p == ',' || *p == ' ') continue;
        if (!isxdigit((unsigned char)*p)) {
            free(bytes);
            return err_usage(err, "\"%s\" are no bytes in hexadecimal", text);
        }
        int digit = isdigit((unsigned char)*p) ? *p - '0' : tolower((unsigned char)*p) - 'a' + 10;
        if (high < 0) {
            high = digit;
        } else {
            bytes[n++] = (char)(high << 4 | digit);
            high = -1;
        }
    }
    if (high >= 0) {
        free(bytes);
        return err_usage(err, "\"%s\" has half a byte at its end", text);
    }
    *data = bytes;
    *size = n;
    return 0;
}

int registry_parse_data(uint32_t type, const char *text, void **data, uint32_t *size,
                        struct err **err)
{
    if (type == DWORD || type == QWORD) {
        char *end;
        unsigned long long n = strtoull(text, &end, 0);
        if (!*text || *end || *text == '-' || (type == DWORD && n > UINT32_MAX))
            return err_usage(err, "\"%s\" is no number that fits %s", text,
                             registry_type_name(type));
        uint64_t *p = xmalloc(sizeof *p);
        *p = n;
        *data = p;
        *size = type == DWORD ? 4 : 8;
        return 0;
    }
    if (!is_text(type)) return parse_bytes(text, data, size, err);
    struct wbuf out = {0};
    static const fvm_wchar nul;
    for (const char *p = text; *p;) {
        const char *next = type == MULTI_SZ ? strstr(p, "\\0") : NULL;
        size_t len = next ? (size_t)(next - p) : strlen(p);
        char *part = xasprintf("%.*s", (int)len, p);
        wbuf_add_utf8(&out, part);
        free(part);
        if (next) wbuf_add(&out, (struct fvm_wstr){&nul, 1});
        p += len + (next ? 2 : 0);
    }
    if (type == MULTI_SZ && out.len && out.ptr[out.len - 1])
        wbuf_add(&out, (struct fvm_wstr){&nul, 1});
    wbuf_add(&out, (struct fvm_wstr){&nul, 1});
    *data = out.ptr;
    *size = out.len * 2;
    return 0;
}

static uint64_t number_of(const struct fvm_reg_value *v)
{
    uint64_t n = 0;
    memcpy(&n, v->data, v->size);
    return n;
}

static bool is_number(const struct fvm_reg_value *v)
{
    return (v->type == DWORD && v->size == 4) || (v->type == QWORD && v->size == 8);
}

/* Text in whole characters, without the zero at its end. */
static bool text_of(const struct fvm_reg_value *v, struct wbuf *out)
{
    *out = (struct wbuf){0};
    if (!is_text(v->type) || v->size % 2) return false;
    fvm_wchar *copy = xmalloc(v->size + 2);
    memcpy(copy, v->data, v->size);
    uint32_t len = v->size / 2;
    if (len && !copy[len - 1]) len--;
    wbuf_add(out, (struct fvm_wstr){copy, len});
    free(copy);
    return true;
}

char *registry_data_text(const struct fvm_reg_value *value)
{
    struct wbuf text;
    if (is_number(value)) {
        unsigned long long n = number_of(value);
        return xasprintf("0x%llx (%llu)", n, n);
    }
    if (text_of(value, &text)) {
        char *out;
        struct wbuf shown = {0};
        static const fvm_wchar zero[] = {'\\', '0'};
        for (uint32_t i = 0; i < text.len; i++) {
            if (text.ptr[i])
                wbuf_add(&shown, (struct fvm_wstr){text.ptr + i, 1});
            else
                wbuf_add(&shown, (struct fvm_wstr){zero, 2});
        }
        out = utf8_of(wbuf_str(&shown));
        wbuf_free(&shown);
        wbuf_free(&text);
        return out;
    }
    char *out = xmalloc((size_t)value->size * 2 + 1), *p = out;
    for (uint32_t i = 0; i < value->size; i++)
        p += sprintf(p, "%02x", ((const uint8_t *)value->data)[i]);
    *p = 0;
    return out;
}

void registry_print_json_value(FILE *out, const struct fvm_reg_value *value)
{
    struct wbuf text;
    fprintf(out, "{\"type\": \"%s\", \"data\": ", registry_type_name(value->type));
    if (is_number(value)) {
        fprintf(out, "%llu", (unsigned long long)number_of(value));
    } else if (text_of(value, &text)) {
        view_print_json(out, wbuf_str(&text));
        wbuf_free(&text);
    } else {
        char *hex = registry_data_text(value);
        fprintf(out, "\"%s\"", hex);
        free(hex);
    }
    fputs("}", out);
}

/* --- writing .reg files ---------------------------------------------------------------------------- */

static void put_wide(FILE *out, struct fvm_wstr s) { fwrite(s.ptr, sizeof *s.ptr, s.len, out); }

static void put_utf8(FILE *out, const char *text)
{
    struct wbuf w = {0};
    wbuf_add_utf8(&w, text);
    put_wide(out, wbuf_str(&w));
    wbuf_free(&w);
}

static void put_quoted(FILE *out, struct fvm_wstr s)
{
    static const fvm_wchar quote = '"', backslash = '\\';
    put_wide(out, (struct fvm_wstr){&quote, 1});
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\') put_wide(out, (struct fvm_wstr){&backslash, 1});
        put_wide(out, (struct fvm_wstr){s.ptr + i, 1});
    }
    put_wide(out, (struct fvm_wstr){&quote, 1});
}

void registry_reg_begin(FILE *out)
{
    static const fvm_wchar mark = 0xfeff;
    put_wide(out, (struct fvm_wstr){&mark, 1});
    put_utf8(out, "Windows Registry Editor Version 5.00\r\n");
}

void registry_reg_key(FILE *out, struct fvm_wstr path, bool deleted)
{
    char *name = registry_key_name(path, true);
    put_utf8(out, deleted ? "\r\n[-" : "\r\n[");
    put_utf8(out, name);
    put_utf8(out, "]\r\n");
    free(name);
}

/* Can it stand between quotes and be read again as it was? */
static bool is_plain(const struct fvm_reg_value *v)
{
    const fvm_wchar *s = v->data;
    if (v->type != SZ || v->size < 2 || v->size % 2) return false;
    uint32_t len = v->size / 2;
    for (uint32_t i = 0; i + 1 < len; i++)
        if (s[i] < 32) return false;
    return !s[len - 1];
}

void registry_reg_value(FILE *out, const struct fvm_reg_value *v)
{
    if (v->name.len)
        put_quoted(out, v->name);
    else
        put_utf8(out, "@");
    if (v->deleted) {
        put_utf8(out, "=-\r\n");
        return;
    }
    put_utf8(out, "=");
    if (is_plain(v)) {
        put_quoted(out, (struct fvm_wstr){v->data, v->size / 2 - 1});
        put_utf8(out, "\r\n");
        return;
    }
    char head[32];
    if (v->type == DWORD && v->size == 4) {
        snprintf(head, sizeof head, "dword:%08x\r\n", (unsigned)number_of(v));
        put_utf8(out, head);
        return;
    }
    snprintf(head, sizeof head, v->type == BINARY ? "hex:" : "hex(%x):", v->type);
    put_utf8(out, head);
    size_t column = v->name.len + 3 + strlen(head);
    for (uint32_t i = 0; i < v->size; i++) {
        char byte[8];
        bool last = i + 1 == v->size, full = column > 75;
        snprintf(byte, sizeof byte, "%02x%s", ((const uint8_t *)v->data)[i], last ? "" : ",");
        put_utf8(out, byte);
        column += 3;
        if (last || !full) continue;
        put_utf8(out, "\\\r\n  ");
        column = 2;
    }
    put_utf8(out, "\r\n");
}
