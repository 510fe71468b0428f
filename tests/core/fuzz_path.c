/* Names of arbitrary units: parsing ends, stays in its buffer and is stable, and the private
 * name of whatever comes out leads back to it. The first byte chooses the prefix. */
#include "fuzz.h"
#include "fvm/utf.h"

static void check_conversion(struct fvm_wstr s)
{
    static char bytes[3 * 8192], again[3 * 8192];
    static fvm_wchar back[3 * 8192];
    size_t n = fvm_utf16_to_utf8(s.ptr, s.len, bytes, sizeof bytes), m;

    HOLDS(n <= 3 * (size_t)s.len);
    HOLDS(fvm_utf8_to_utf16(bytes, n, back, sizeof back / 2) == s.len);
    HOLDS(same16((struct fvm_wstr){back, s.len}, s));
    /* any bytes at all: what they become is stable */
    n = fvm_utf8_to_utf16((const char *)s.ptr, s.len * 2, back, sizeof back / 2);
    HOLDS(n <= 2 * (size_t)s.len);
    m = fvm_utf16_to_utf8(back, n, again, sizeof again);
    HOLDS(fvm_utf8_to_utf16(again, m, NULL, 0) <= n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fvm_wstr prefixes[] = {
        {u"", 0},
        {u"\\??\\", 4},
        {u"\\??\\C:\\", 7},
        {u"\\??\\unix\\", 9},
        {u"\\DosDevices\\z:\\", 15},
        {u"\\??\\unix\\ws\\fs\\C\\", 17},
    };
    static uint64_t block[(1 << 20) / 8];
    static fvm_wchar name[16 + 8192], view[FVM_PATH_MAX], nt[FVM_PATH_MAX + 64];
    static struct found f, again;
    struct fvm_index *ix = (struct fvm_index *)(void *)block;

    if (size < 1 || size / 2 > 8192) return 0;
    if (!fvm_index_nodes(ix)) {
        HOLDS(!fvm_index_init(block, sizeof block));
        alias_private_trees(ix);
    }
    struct fvm_wstr prefix = prefixes[(data[0] >> 1) % 6];
    uint32_t n = prefix.len;
    memcpy(name, prefix.ptr, prefix.len * 2);
    memcpy(name + n, data + 1, (size - 1) / 2 * 2);
    n += (uint32_t)(size - 1) / 2;
    struct fvm_wstr whole = {name, n};
    check_conversion((struct fvm_wstr){name + prefix.len, n - prefix.len});

    fvm_wchar dst[12];
    uint32_t len = fvm_short_name(whole, dst);
    HOLDS(len <= 12);
    /* that of a component has no short name of its own */
    bool component = true;
    for (uint32_t i = 0; i < n; i++)
        component &= name[i] != '\\' && name[i] != '/' && name[i] != ':';
    if (len && component) HOLDS(!fvm_short_name((struct fvm_wstr){dst, len}, nt));

    struct fvm_path out = {.dst = view, .cap = (data[0] & 1) ? 40 : FVM_PATH_MAX};
    enum fvm_path_kind kind = fvm_path_from_nt(whole, true, &out);
    HOLDS(out.len <= out.cap);
    if (kind != FVM_PATH_FILE) return 0;
    HOLDS(out.len >= 2 && view[1] == ':' && view[out.len - 1] != '\\');
    HOLDS(!find_view(ix, (struct fvm_wstr){view, out.len}, &f));
    struct fvm_wstr canon = found_canon(&f);
    check_private_name(ix, canon);
    /* canonical means: looking it up again changes nothing */
    HOLDS(!find_view(ix, canon, &again));
    HOLDS(!again.look.aliased && same16(found_canon(&again), canon));
    /* and the NT name of it is its name (Unix names may hold what NT names may not) */
    n = fvm_path_to_nt(canon, out.trailing, nt, FVM_PATH_MAX);
    if (!n) return 0;
    struct fvm_path back = {.dst = again.base, .cap = FVM_PATH_MAX};
    kind = fvm_path_from_nt((struct fvm_wstr){nt, n}, true, &back);
    HOLDS(kind == FVM_PATH_FILE || kind == FVM_PATH_BAD);
    if (kind == FVM_PATH_FILE) {
        HOLDS(same16((struct fvm_wstr){back.dst, back.len}, canon));
        HOLDS(back.trailing == (out.trailing && canon.len > 2));
    }
    HOLDS(fvm_path_parent(canon) < canon.len);
    HOLDS(fvm_path_below(canon, (struct fvm_wstr){canon.ptr, 2}));
    return 0;
}
