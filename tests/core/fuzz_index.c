/* Bytes as changes that a VM makes, in a base in which everything exists. After each change
 * some, and at the end all names of a small universe are looked up: what is seen of the base
 * translates back to the name under which it is seen, private names lead back to the view, and
 * a path that is there has parents that are there. At the end the log gives the same index. */
#include "fuzz.h"
#include "fvm/fold.h"
#include "fvm/log.h"

#define BLOCK   (512 * 1024)
#define NAMES   4
#define PATHS   (2 * (1 + NAMES + NAMES * NAMES + NAMES * NAMES * NAMES))
#define MAX_LOG (256 * 1024)

static _Alignas(8) uint8_t log_bytes[MAX_LOG];
static size_t log_len;
static uint64_t log_seq;

/* Path number n: drive and up to three components. spelling changes the case of names. */
static struct fvm_wstr path_text(unsigned n, unsigned spelling)
{
    static const char *const names[2][NAMES] = {{"a", "Bb", "longer name.txt", "d"},
                                                {"A", "bB", "LONGER name.TXT", "D"}};
    static fvm_wchar ring[8][80];
    static unsigned turn;
    fvm_wchar *dst = ring[turn++ % 8];
    uint32_t len = 0;

    n %= PATHS;
    dst[len++] = n % 2 ? 'D' : 'C';
    dst[len++] = ':';
    n /= 2;
    /* 0, 1..4, 5..20, 21..84: depth 0 to 3 */
    unsigned depth = n == 0 ? 0 : n <= NAMES ? 1 : n <= NAMES + NAMES * NAMES ? 2 : 3;
    static const unsigned first[] = {0, 1, 1 + NAMES, 1 + NAMES + NAMES * NAMES};
    n -= first[depth];
    for (unsigned i = 0; i < depth; i++, n /= NAMES) {
        dst[len++] = '\\';
        for (const char *c = names[spelling >> i & 1][n % NAMES]; *c; c++)
            dst[len++] = (fvm_wchar)*c;
    }
    return (struct fvm_wstr){dst, len};
}

static bool visible(const struct fvm_index *ix, struct fvm_wstr path)
{
    static struct found f;

    HOLDS(!find_view(ix, path, &f));
    return f.look.verdict != FVM_ABSENT && f.look.verdict != FVM_NO_PATH;
}

/* Something of the base lies at the path's own place, if its parent's content is the base's. */
static bool base_at(const struct fvm_index *ix, struct fvm_wstr path)
{
    static struct found f;
    uint32_t parent = fvm_path_parent(path);

    HOLDS(parent);
    HOLDS(!find_view(ix, (struct fvm_wstr){path.ptr, parent}, &f));
    return f.look.base_len != 0;
}

static bool is_directory(const struct fvm_index *ix, struct fvm_wstr path)
{
    static struct found f;

    HOLDS(!find_view(ix, path, &f));
    if (f.look.verdict == FVM_PRIVATE) return f.look.flags & FVM_NODE_DIRECTORY;
    /* in this base a name of one letter is a directory */
    return f.look.base_len == 2 || (f.look.base_len && f.base[f.look.base_len - 2] == '\\');
}

/* The path as it is spelled where it is, as the guest gives it to the index. */
static struct fvm_wstr canonical(const struct fvm_index *ix, struct fvm_wstr path)
{
    static struct found ring[4];
    static unsigned turn;
    struct found *f = &ring[turn++ % 4];

    HOLDS(!find_view(ix, path, f));
    return found_canon(f);
}

static void record(struct fvm_index *ix, enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                   struct fvm_wstr other)
{
    struct fvm_log_record r = {
        .op = op, .flags = flags, .seq = ++log_seq, .path = path, .other = other};

    HOLDS(log_len + fvm_log_size(&r) <= MAX_LOG);
    fvm_log_encode(&r, log_bytes + log_len);
    log_len += fvm_log_size(&r);
    HOLDS(!fvm_log_apply(&r, ix));
}

static void change(struct fvm_index *ix, const uint8_t d[4])
{
    struct fvm_wstr p = canonical(ix, path_text(d[1], d[3])), none = {0};
    uint32_t parent = fvm_path_parent(p);

    if (!parent) return;
    struct fvm_wstr up = {p.ptr, parent};
    bool there = visible(ix, p);
    uint32_t base = base_at(ix, p) ? FVM_LOG_BASE : 0;

    switch (d[0] % 5) {
    case 0: /* create or copy up */
        if (!visible(ix, up) || !is_directory(ix, up) || (there && is_directory(ix, p))) return;
        record(ix, FVM_LOG_PRIVATE, base | (!there && d[0] & 8 ? FVM_LOG_DIRECTORY : 0), p, none);
        break;
    case 1: /* delete; directories with all that is in them, as a tool would */
        if (!there) return;
        record(ix, base ? FVM_LOG_HIDDEN : FVM_LOG_FORGET, 0, p, none);
        break;
    case 2:
    case 3: { /* rename */
        struct fvm_wstr q = canonical(ix, path_text(d[2], d[3] >> 3));
        uint32_t parent_q = fvm_path_parent(q);
        struct fvm_wstr up_q = {q.ptr, parent_q};
        bool same = fvm_name_equal(p.ptr, p.len, q.ptr, q.len);

        if (!there || !parent_q || !visible(ix, up_q) || !is_directory(ix, up_q)) return;
        if (!same && (fvm_path_below(q, p) || fvm_path_below(p, q))) return;
        if (!same && visible(ix, q) && is_directory(ix, q)) return;
        record(ix, FVM_LOG_RENAME,
               (is_directory(ix, p) ? FVM_LOG_DIRECTORY : 0) | (base_at(ix, q) ? FVM_LOG_BASE : 0),
               p, q);
        break;
    }
    default: { /* a private folder */
        static struct found f;
        HOLDS(!find_view(ix, p, &f));
        if (!there || !is_directory(ix, p) || f.look.verdict == FVM_PRIVATE) return;
        record(ix, FVM_LOG_CONTAINER, 0, p, none);
    }
    }
}

/* Looks every stride-th path up, from the first one on; with another index, that this one says
 * the same. */
static void check(const struct fvm_index *ix, unsigned first, unsigned stride,
                  const struct fvm_index *same_as)
{
    static struct found f, g;
    static fvm_wchar view[FVM_PATH_MAX];

    for (unsigned n = first; n < PATHS; n += stride) {
        struct fvm_wstr path = path_text(n, n);
        HOLDS(!find_view(ix, path, &f));
        struct fvm_wstr canon = found_canon(&f);
        /* names fold one unit to one unit: a spelling changes no length */
        HOLDS(fvm_name_equal(canon.ptr, canon.len, path.ptr, path.len));
        if (f.look.base_len) {
            int len = fvm_index_base_to_view(ix, found_base(&f), view, FVM_PATH_MAX);
            HOLDS(len > 0);
            HOLDS(fvm_name_equal(view, (uint32_t)len, canon.ptr, canon.len));
            HOLDS(f.look.verdict == FVM_PASS || f.look.verdict == FVM_BASE ||
                  f.look.verdict == FVM_MERGED);
        }
        if (f.look.verdict == FVM_PASS)
            HOLDS(fvm_name_equal(f.base, f.look.base_len, canon.ptr, canon.len));
        if (f.look.verdict == FVM_PRIVATE || f.look.verdict == FVM_ABSENT) HOLDS(!f.look.base_len);
        uint32_t parent = fvm_path_parent(canon);
        if (parent && f.look.verdict != FVM_NO_PATH && f.look.verdict != FVM_ABSENT)
            HOLDS(visible(ix, (struct fvm_wstr){canon.ptr, parent}));
        check_private_name(ix, canon);
        if (!same_as) continue;
        HOLDS(!find_view(same_as, path, &g));
        HOLDS(f.look.verdict == g.look.verdict && f.look.flags == g.look.flags);
        HOLDS(same16(found_canon(&f), found_canon(&g)));
        HOLDS(same16(found_base(&f), found_base(&g)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t one[BLOCK / 8], two[BLOCK / 8];
    struct fvm_index *ix = (struct fvm_index *)(void *)one;
    struct fvm_index *again = (struct fvm_index *)(void *)two;
    struct fvm_log_header h = {FVM_LOG_MAGIC, FVM_LOG_VERSION, 0};
    struct fvm_log_summary s;

    if (size > 400) return 0;
    memset(one, 0, sizeof one);
    memset(two, 0, sizeof two);
    HOLDS(!fvm_index_init(one, sizeof one) && !fvm_index_init(two, sizeof two));
    alias_private_trees(ix);
    alias_private_trees(again);
    uint32_t empty = fvm_index_nodes(ix);
    memcpy(log_bytes, &h, sizeof h);
    log_len = sizeof h;
    log_seq = 0;
    for (unsigned step = 0; size >= 4; data += 4, size -= 4, step++) {
        change(ix, data);
        check(ix, step % 16, 16, NULL);
    }
    HOLDS(fvm_log_replay(log_bytes, log_len, again, &s) && !s.failed && s.records == log_seq);
    check(ix, 0, 1, again);
    HOLDS(fvm_index_nodes(ix) == fvm_index_nodes(again));
    HOLDS(!fvm_index_forget(ix, S(u"C:")) && !fvm_index_forget(ix, S(u"D:")));
    HOLDS(fvm_index_nodes(ix) == empty);
    return 0;
}
