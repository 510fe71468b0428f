#include "view.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fsutil.h"
#include "fvm/path.h"

static int bad_path(const char *text, const char *why, struct err **err)
{
    err_usage(err, "\"%s\" is no path inside a VM: %s", text, why);
    return err_hint(err, "write it as C:\\folder\\file (in quotes, for the shell's sake)");
}

/* Appends the components of text, resolving the dots as Windows does before NT sees a name. */
static void add_components(struct wbuf *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\\/");
        if (n == 2 && !strncmp(text, "..", 2)) {
            out->len = fvm_path_parent(wbuf_str(out)) ? fvm_path_parent(wbuf_str(out)) : 2;
        } else if (n && !(n == 1 && *text == '.')) {
            char *part = xasprintf("\\%.*s", (int)n, text);
            wbuf_add_utf8(out, part);
            free(part);
        }
        text += n;
        text += *text != 0;
    }
}

int view_parse(const char *text, const struct base *base, struct wbuf *out, bool *trailing,
               struct err **err)
{
    size_t len = strlen(text);
    *out = (struct wbuf){0};
    if (trailing) *trailing = len && strchr("\\/", text[len - 1]);
    if (text[0] == '/') {
        char *real = fs_canonical(text);
        bool found = real && base_place(base, real, out);
        free(real);
        if (found) return 0;
        wbuf_free(out);
        return bad_path(text, "no drive of the base leads there", err);
    }
    if (!isalpha((unsigned char)text[0]) || text[1] != ':')
        return bad_path(text, "it begins neither with a drive nor with a slash", err);
    if (text[2] && text[2] != '\\' && text[2] != '/')
        return bad_path(text, "a backslash must follow the drive", err);

    char root[3] = {(char)toupper((unsigned char)text[0]), ':', 0};
    struct wbuf plain = {0}, nt = {0};
    wbuf_add_utf8(&plain, root);
    add_components(&plain, text + 2);
    wbuf_add_utf8(&nt, "\\??\\");
    wbuf_add(&nt, wbuf_str(&plain));
    if (plain.len == 2) wbuf_add_utf8(&nt, "\\");

    out->ptr = xmalloc(32768 * sizeof(fvm_wchar));
    out->cap = 32768;
    struct fvm_path path = {.dst = out->ptr, .cap = out->cap};
    enum fvm_path_kind kind = fvm_path_from_nt(wbuf_str(&nt), base && base->has_z, &path);
    out->len = path.len;
    wbuf_free(&plain);
    wbuf_free(&nt);
    if (kind == FVM_PATH_FILE) return 0;
    wbuf_free(out);
    return bad_path(
        text, kind == FVM_PATH_LONG ? "it is too long" : "it has a character that Windows forbids",
        err);
}

void view_print_json(FILE *out, struct fvm_wstr s)
{
    fputc('"', out);
    for (uint32_t i = 0; i < s.len; i++) {
        fvm_wchar c = s.ptr[i];
        bool pair = (c & 0xfc00) == 0xd800 && i + 1 < s.len && (s.ptr[i + 1] & 0xfc00) == 0xdc00;
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 32 || (!pair && (c & 0xf800) == 0xd800)) {
            fprintf(out, "\\u%04x", c);
        } else {
            char *text = utf8_of((struct fvm_wstr){s.ptr + i, pair ? 2 : 1});
            fputs(text, out);
            free(text);
            i += pair;
        }
    }
    fputc('"', out);
}
