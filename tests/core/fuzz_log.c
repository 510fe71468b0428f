/* A log of arbitrary bytes. With an even first byte they are the file as it is; with an odd one
 * they describe records, which get their lengths and checksums, so that what lies behind these
 * is reached, too. Replaying ends, does not crash, and gives the same index each time. */
#include "fuzz.h"
#include "fvm/log.h"

#define BLOCK    (512 * 1024)
#define MAX_FILE (64 * 1024)
#define HEAD     256 /* the block's first bytes: numbers, with padding */

static _Alignas(8) uint8_t file[MAX_FILE];

/* Makes records of: op, flags, two lengths, then the text as bytes from a small alphabet or as
 * units. */
static size_t make_records(const uint8_t *data, size_t size)
{
    static fvm_wchar text[512];
    struct fvm_log_header h = {FVM_LOG_MAGIC, FVM_LOG_VERSION, 0};
    size_t used = sizeof h;
    uint64_t seq = 0;

    memcpy(file, &h, sizeof h);
    while (size >= 4) {
        uint32_t lens[2] = {data[2] & 0x7f, data[3] & 0x7f}, n = 0;
        bool raw = data[2] & 0x80;
        struct fvm_log_record r = {.op = (enum fvm_log_op)(data[0] & 7), .flags = data[1]};

        data += 4, size -= 4;
        for (; n < lens[0] + lens[1] && size; n++) {
            static const char alphabet[] = "CD:\\\\\\aAbBc~12.";
            text[n] = raw ? (fvm_wchar)(data[0] | data[0] << 7)
                          : (fvm_wchar)alphabet[data[0] % (sizeof alphabet - 1)];
            data++, size--;
        }
        if (n < lens[0]) lens[0] = n;
        r.seq = ++seq;
        r.path = (struct fvm_wstr){text, lens[0]};
        r.other = (struct fvm_wstr){text + lens[0], n - lens[0]};
        if (used + fvm_log_size(&r) > MAX_FILE) break;
        fvm_log_encode(&r, file + used);
        used += fvm_log_size(&r);
    }
    return used;
}

/* Every node can be reached, found by its path, and counted. */
static void check_tree(const struct fvm_index *ix)
{
    static struct found f;
    static fvm_wchar path[FVM_PATH_MAX];
    uint32_t root = fvm_index_root(ix), node = root, seen = 0, limit = fvm_index_nodes(ix);

    /* a walk without a stack: a node's path names its parent */
    for (;;) {
        uint32_t next = fvm_index_first_child(ix, node);
        while (!next && node != root) {
            next = fvm_index_next_sibling(ix, node);
            if (next) break;
            int n = fvm_index_path(ix, node, path, FVM_PATH_MAX);
            if (n < 0) return; /* deeper than paths can be */
            uint32_t at = root, pos = 0;
            uint32_t end = fvm_path_parent((struct fvm_wstr){path, (uint32_t)n});
            while (pos < end) {
                uint32_t start = pos;
                while (pos < end && path[pos] != '\\')
                    pos++;
                at = fvm_index_find_child(ix, at, (struct fvm_wstr){path + start, pos - start});
                pos++;
            }
            node = at;
        }
        if (!next) break;
        node = next;
        HOLDS(++seen <= limit);
        int n = fvm_index_path(ix, node, path, FVM_PATH_MAX);
        if (n < 0) return;
        int err = find_view(ix, (struct fvm_wstr){path, (uint32_t)n}, &f);
        HOLDS(err == 0 || err == FVM_INDEX_INVALID);
        if (!err && !f.look.aliased) HOLDS(f.look.node == node);
        if (!err && f.look.base_len)
            HOLDS(fvm_index_base_to_view(ix, found_base(&f), path, FVM_PATH_MAX) != 0);
    }
    HOLDS(seen == limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t one[BLOCK / 8], two[BLOCK / 8];
    struct fvm_index *a = (struct fvm_index *)(void *)one, *b = (struct fvm_index *)(void *)two;
    struct fvm_log_summary s, t;
    size_t len;

    if (size < 1 || size > MAX_FILE) return 0;
    if (data[0] & 1) {
        len = make_records(data + 1, size - 1);
    } else {
        len = size - 1;
        memcpy(file, data + 1, len);
    }
    /* a copy of exact size: a read behind it is seen */
    uint8_t *copy = malloc(len ? len : 1);
    HOLDS(copy != NULL);
    memcpy(copy, file, len);

    memset(one, 0, sizeof one);
    HOLDS(!fvm_index_init(one, sizeof one));
    bool ok = fvm_log_replay(copy, len, a, &s);
    if (ok) {
        HOLDS(s.valid <= len && s.records == s.last_seq && s.failed <= s.records);
        HOLDS(s.torn == (s.valid < len));
        HOLDS(!fvm_index_busy(a));
        check_tree(a);
        /* the same bytes give the same index, in a new block and in one that was used */
        memset(two, 0, sizeof two);
        HOLDS(!fvm_index_init(two, sizeof two));
        HOLDS(fvm_log_replay(copy, s.valid, b, &t) && !t.torn && t.records == s.records);
        HOLDS(!memcmp(one + HEAD / 8, two + HEAD / 8, sizeof one - HEAD));
        fvm_index_reset(b);
        HOLDS(fvm_log_replay(copy, s.valid, b, &t) && t.failed == s.failed);
        fvm_index_rebuilt(b);
        HOLDS(fvm_index_nodes(a) == fvm_index_nodes(b));
        HOLDS(fvm_index_used(a) == fvm_index_used(b));
        check_tree(b);
    }
    free(copy);
    return 0;
}
