#include "fvm/path.h"
#include "fvm/fold.h"

static bool is_separator(fvm_wchar c) { return c == '\\'; }

static bool matches(const fvm_wchar *s, const char *ascii, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (fvm_upcase(s[i]) != (fvm_wchar)ascii[i]) return false;
    return true;
}

static bool put(struct fvm_path *out, const fvm_wchar *s, uint32_t n)
{
    if (n > out->cap - out->len) return false;
    for (uint32_t i = 0; i < n; i++)
        out->dst[out->len + i] = s[i];
    out->len += n;
    return true;
}

/* What Wine refuses in a name on a drive, wherever it stands. */
static bool is_invalid_char(fvm_wchar c)
{
    switch (c) {
    case '*': case '?': case '<': case '>': case '|': case '"': case '/':
        return true;
    default:
        return c < 32;
    }
}

static bool is_dots(const fvm_wchar *s, uint32_t n)
{
    return n && n <= 2 && s[0] == '.' && s[n - 1] == '.';
}

/* Appends the components of an NT name: no empty ones, no "." or "..". */
static enum fvm_path_kind append_components(const fvm_wchar *s, uint32_t len, struct fvm_path *out)
{
    static const fvm_wchar backslash = '\\';

    for (uint32_t i = 0; i < len;) {
        uint32_t start = i;
        while (i < len && !is_separator(s[i])) {
            if (is_invalid_char(s[i])) return FVM_PATH_BAD;
            i++;
        }
        if (i == start || is_dots(s + start, i - start)) return FVM_PATH_BAD;
        if (!put(out, &backslash, 1) || !put(out, s + start, i - start)) return FVM_PATH_LONG;
        if (i < len) {
            i++;
            if (i == len) out->trailing = true;
        }
    }
    return FVM_PATH_FILE;
}

/* Appends the components of a Unix name: slashes separate too, "." and ".." are resolved by
 * the text alone, and every character but NUL is legal. */
static enum fvm_path_kind append_unix(const fvm_wchar *s, uint32_t len, struct fvm_path *out)
{
    static const fvm_wchar backslash = '\\';
    uint32_t root = out->len;

    for (uint32_t i = 0; i < len;) {
        uint32_t start = i;
        while (i < len && s[i] != '\\' && s[i] != '/') {
            if (!s[i]) return FVM_PATH_BAD;
            i++;
        }
        uint32_t n = i - start;
        if (i < len) {
            if (s[i] == '/') out->rewritten = true;
            if (!n) {
                /* Wine takes no empty element between backslashes */
                if (s[i] == '\\' && start) return FVM_PATH_BAD;
                out->rewritten = true;
            }
            i++;
            if (i == len) out->trailing = true;
        }
        if (!n) continue;
        if (is_dots(s + start, n)) {
            out->rewritten = true;
            if (n == 2) {
                while (out->len > root && out->dst[out->len - 1] != '\\')
                    out->len--;
                if (out->len > root) out->len--;
            }
            continue;
        }
        if (!put(out, &backslash, 1) || !put(out, s + start, n)) return FVM_PATH_LONG;
    }
    return FVM_PATH_FILE;
}

enum fvm_path_kind fvm_path_from_nt(struct fvm_wstr nt, bool unix_is_z, struct fvm_path *out)
{
    static const fvm_wchar z[] = {'Z', ':'}, unix_root[] = {'u', 'n', 'i', 'x'};
    const fvm_wchar *s = nt.ptr;
    uint32_t len = nt.len;

    out->len = 0;
    out->trailing = out->rewritten = false;
    if (len >= 4 && s[0] == '\\' && s[1] == '?' && s[2] == '?' && s[3] == '\\') {
        s += 4, len -= 4;
    } else if (len >= 12 && matches(s, "\\DOSDEVICES\\", 12)) {
        s += 12, len -= 12;
    } else {
        return FVM_PATH_OTHER;
    }
    if (len >= 5 && matches(s, "UNIX", 4) && (s[4] == '\\' || s[4] == '/')) {
        bool fits = unix_is_z ? put(out, z, 2) : put(out, unix_root, 4);
        if (!fits) return FVM_PATH_LONG;
        if (s[4] == '/') out->rewritten = true;
        return append_unix(s + 5, len - 5, out);
    }
    /* "\??\C:" alone is the volume's device */
    if (len < 3 || s[1] != ':' || s[2] != '\\') return FVM_PATH_OTHER;
    fvm_wchar drive[2] = {fvm_upcase(s[0]), ':'};
    if (drive[0] < 'A' || drive[0] > 'Z') return FVM_PATH_OTHER;
    if (!put(out, drive, 2)) return FVM_PATH_LONG;
    s += 3, len -= 3;
    if (len && s[0] == '\\') s++, len--; /* Wine allows a second backslash here, no more */
    return append_components(s, len, out);
}

enum fvm_path_kind fvm_path_append(struct fvm_wstr relative, struct fvm_path *out)
{
    out->trailing = out->rewritten = false;
    return append_components(relative.ptr, relative.len, out);
}

uint32_t fvm_path_to_nt(struct fvm_wstr path, bool trailing, fvm_wchar *dst, uint32_t cap)
{
    static const fvm_wchar prefix[] = {'\\', '?', '?', '\\'}, backslash = '\\';
    struct fvm_path out = {.dst = dst, .cap = cap};
    bool root = fvm_path_parent(path) == 0;

    if (!put(&out, prefix, 4) || !put(&out, path.ptr, path.len)) return 0;
    if ((root || trailing) && !put(&out, &backslash, 1)) return 0;
    return out.len;
}

uint32_t fvm_path_to_private(struct fvm_wstr path, struct fvm_wstr workspace, bool trailing,
                             fvm_wchar *dst, uint32_t cap)
{
    static const fvm_wchar fs[] = {'\\', 'f', 's', '\\'}, backslash = '\\';
    struct fvm_path out = {.dst = dst, .cap = cap};
    uint32_t root = 0;

    while (root < path.len && path.ptr[root] != '\\')
        root++;
    uint32_t name = root && path.ptr[root - 1] == ':' ? root - 1 : root;
    if (!put(&out, workspace.ptr, workspace.len) || !put(&out, fs, 4) ||
        !put(&out, path.ptr, name) || !put(&out, path.ptr + root, path.len - root))
        return 0;
    if (trailing && !put(&out, &backslash, 1)) return 0;
    return out.len;
}

uint32_t fvm_path_parent(struct fvm_wstr path)
{
    uint32_t n = path.len;

    while (n && path.ptr[n - 1] != '\\')
        n--;
    return n ? n - 1 : 0;
}

bool fvm_path_below(struct fvm_wstr path, struct fvm_wstr dir)
{
    return path.len >= dir.len && fvm_name_equal(path.ptr, dir.len, dir.ptr, dir.len) &&
           (path.len == dir.len || path.ptr[dir.len] == '\\');
}

/* --- short names: Wine makes them by hash for files on Unix drives ------------------- */

static bool is_invalid_dos_char(fvm_wchar c)
{
    if (c > 0x7f) return true;
    switch (c) {
    case '*': case '?': case '<': case '>': case '|': case '"': case '+': case '=': case ',':
    case ';': case '[': case ']': case ' ': case '~': case '.':
        return true;
    default:
        return false;
    }
}

static bool is_8dot3(struct fvm_wstr name)
{
    uint32_t dot = name.len;

    if (name.len > 12) return false;
    if (name.len && name.ptr[0] == '.') return is_dots(name.ptr, name.len);
    for (uint32_t i = 0; i < name.len; i++) {
        fvm_wchar c = name.ptr[i];
        if (c > 0x7f || c == ':' || c == '/' || c == '\\') return false;
        if (c != '~' && c != '.' && is_invalid_dos_char(c)) return false;
        if (c != '.') continue;
        if (dot != name.len) return false;
        dot = i;
    }
    if (dot == name.len) return name.len <= 8;
    return dot <= 8 && name.len - dot > 1 && name.len - dot < 5;
}

uint32_t fvm_short_name(struct fvm_wstr name, fvm_wchar dst[12])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    const fvm_wchar *s = name.ptr;
    uint32_t n = name.len, ext = n, out = 0;
    uint16_t hash = 0xbeef;

    if (!n || is_8dot3(name)) return 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t next = i + 1 < n ? (uint32_t)fvm_downcase(s[i + 1]) << 8 : 0;
        hash = (uint16_t)((uint32_t)(hash << 3) ^ (hash >> 5) ^ fvm_downcase(s[i]) ^ next);
    }
    for (uint32_t i = 1; i + 1 < n; i++)
        if (s[i] == '.') ext = i;
    for (uint32_t i = 0; i < 4 && i < n && i < ext; i++)
        dst[out++] = is_invalid_dos_char(s[i]) ? '_' : s[i];
    while (out < 5)
        dst[out++] = '~';
    dst[out++] = (fvm_wchar)digits[hash >> 10 & 0x1f];
    dst[out++] = (fvm_wchar)digits[hash >> 5 & 0x1f];
    dst[out++] = (fvm_wchar)digits[hash & 0x1f];
    if (ext < n) {
        dst[out++] = '.';
        for (uint32_t i = ext + 1; i < n && i <= ext + 3; i++)
            dst[out++] = is_invalid_dos_char(s[i]) ? '_' : s[i];
    }
    for (uint32_t i = 0; i < out; i++)
        dst[i] = fvm_upcase(dst[i]);
    return out;
}
