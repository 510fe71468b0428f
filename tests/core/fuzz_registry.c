/* A registry log of arbitrary bytes. With an even first byte they are the file as it is; otherwise
 * they describe records, which get their lengths and checksums: with bit 1 of all kinds, else of
 * those that programs cause. Replaying ends and does not crash, looking up ends and the short way
 * says what the long one says, and a store that programs can make is the same when it is written
 * as a log and read again. */
#include "fuzz.h"
#include "fvm/registry_log.h"

#define BLOCK    (2u << 20)
#define MAX_FILE (64 * 1024)
#define MAX_TEXT (1u << 20)

static _Alignas(8) uint8_t file[MAX_FILE];
static fvm_wchar path[FVM_REG_PATH_MAX], canon[FVM_REG_PATH_MAX], base[FVM_REG_PATH_MAX];

static size_t make_records(const uint8_t *data, size_t size, bool all)
{
    static const enum fvm_reg_op caused[] = {
        FVM_REG_OP_CREATE, FVM_REG_OP_DELETE, FVM_REG_OP_RENAME, FVM_REG_OP_SET,
        FVM_REG_OP_SET,    FVM_REG_OP_UNSET,  FVM_REG_OP_CLASS,  FVM_REG_OP_CREATE,
    };
    static fvm_wchar text[512];
    struct fvm_reg_log_header h = {.magic = FVM_REG_LOG_MAGIC, .version = FVM_REG_LOG_VERSION};
    size_t used = sizeof h;
    uint64_t seq = 0;

    memcpy(file, &h, sizeof h);
    while (size >= 5) {
        uint32_t lens[2] = {data[2] & 0x7f, data[3] & 0x7f}, n = 0;
        bool raw = data[2] & 0x80;
        struct fvm_reg_record r = {.op = all ? 1 + data[0] % FVM_REG_OP_LAST : caused[data[0] & 7],
                                   .flags = data[1],
                                   .time = data[3] & 0x80,
                                   .size = data[4]};

        data += 5, size -= 5;
        for (; n < lens[0] + lens[1] && size; n++) {
            static const char alphabet[] = "aAbBc_~\\\\\\1.";
            text[n] = raw ? (fvm_wchar)(data[0] | data[0] << 7)
                          : (fvm_wchar)alphabet[data[0] % (sizeof alphabet - 1)];
            data++, size--;
        }
        if (n < lens[0]) lens[0] = n;
        if (r.size > size) r.size = (uint32_t)size;
        r.seq = ++seq;
        r.path = (struct fvm_wstr){text, lens[0]};
        r.name = (struct fvm_wstr){text + lens[0], n - lens[0]};
        r.type = r.op == FVM_REG_OP_CREATE ? (uint32_t)seq : r.size;
        r.data = data;
        if (!all) r.flags &= FVM_REG_BASE | FVM_REG_VOLATILE | FVM_REG_LINK | FVM_REG_CLASS;
        if (used + fvm_reg_log_size(&r) > MAX_FILE) break;
        fvm_reg_log_encode(&r, file + used);
        used += fvm_reg_log_size(&r);
        data += r.size, size -= r.size;
    }
    return used;
}

struct sink {
    uint8_t *p;
    size_t len;
};

static bool collect(void *context, const void *bytes, uint64_t size)
{
    struct sink *s = context;

    if (s->len + size > MAX_TEXT) return false;
    memcpy(s->p + s->len, bytes, size);
    s->len += size;
    return true;
}

/* Looks up what the records name, whole and in parts. */
static void look_up_all(const struct fvm_reg *r, const uint8_t *log, size_t len)
{
    struct fvm_reg_record rec;

    for (size_t at = sizeof(struct fvm_reg_log_header); at < len;) {
        uint64_t size = fvm_reg_log_decode(log + at, len - at, &rec);
        if (!size) break;
        at += size;
        for (int open_link = 0; open_link < 2; open_link++) {
            struct fvm_reg_lookup look = {.canon = canon, .base = base};
            uint32_t leaf;
            int rc = fvm_reg_lookup(r, rec.path, open_link, &look);
            HOLDS(rc == 0 || rc == FVM_REG_INVALID);
            if (!fvm_reg_is_plain(r, fvm_reg_root(r), (struct fvm_wstr){0}, rec.path, &leaf))
                continue;
            HOLDS(rc == 0 && look.verdict == FVM_REG_IS_BASE && !look.linked && !look.moved);
            HOLDS(look.node == leaf);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t one[BLOCK / 8], two[BLOCK / 8];
    static uint8_t text[2][MAX_TEXT];
    struct fvm_reg *a = (struct fvm_reg *)(void *)one, *b = (struct fvm_reg *)(void *)two;
    struct fvm_reg_log_summary s, t;
    size_t len;

    if (size < 1 || size > MAX_FILE) return 0;
    bool described = data[0] & 1, all = data[0] & 2;
    if (described) {
        len = make_records(data + 1, size - 1, all);
    } else {
        len = size - 1;
        memcpy(file, data + 1, len);
    }
    uint8_t *copy = malloc(len ? len : 1); /* of exact size: a read behind it is seen */
    HOLDS(copy != NULL);
    memcpy(copy, file, len);
    memset(one, 0, sizeof one);
    HOLDS(!fvm_reg_init(one, sizeof one, NULL, 0));
    if (fvm_reg_log_replay(copy, len, a, &s)) {
        HOLDS(s.valid <= len && s.records == s.last_seq && s.failed <= s.records);
        HOLDS(s.torn == (s.valid < len) && !fvm_reg_busy(a));
        look_up_all(a, copy, len);
        struct sink x = {.p = text[0]}, y = {.p = text[1]};
        bool fits = fvm_reg_log_dump(a, path, collect, &x, NULL);
        if (fits && described && !all) {
            memset(two, 0, sizeof two);
            HOLDS(!fvm_reg_init(two, sizeof two, NULL, 0));
            HOLDS(fvm_reg_log_replay(x.p, x.len, b, &t) && !t.torn);
            if (t.first_error != FVM_REG_FULL) {
                HOLDS(!t.failed);
                HOLDS(fvm_reg_log_dump(b, path, collect, &y, NULL) && x.len == y.len);
                HOLDS(!memcmp(x.p, y.p, x.len));
            }
        }
        fvm_reg_drop_volatile(a);
        HOLDS(!fvm_reg_drop_volatile(a));
    }
    free(copy);
    return 0;
}
