#include "fvm/log.h"
#include "fvm/index.h"

/* On disk: this header, path, other (UTF-16), padding to 8 bytes. All little-endian, as
 * every host FVM runs on. */
struct record_header {
    uint32_t size; /* whole record with header and padding */
    uint32_t crc;  /* CRC-32C of all that follows this field */
    uint64_t seq;
    uint16_t op, flags;
    uint16_t path_len, other_len; /* code units */
};

/* CRC-32C, four bits at a time (reflected polynomial 0x82f63b78). */
static uint32_t crc32c(const uint8_t *p, size_t n)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~0u;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void copy(void *dst, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = ((const uint8_t *)src)[i];
}

uint32_t fvm_log_size(const struct fvm_log_record *r)
{
    return (uint32_t)(sizeof(struct record_header) + 2 * (r->path.len + r->other.len) + 7) & ~7u;
}

void fvm_log_encode(const struct fvm_log_record *r, void *dst)
{
    struct record_header h = {
        .size = fvm_log_size(r),
        .seq = r->seq,
        .op = (uint16_t)r->op,
        .flags = (uint16_t)r->flags,
        .path_len = (uint16_t)r->path.len,
        .other_len = (uint16_t)r->other.len,
    };
    uint8_t *p = dst;
    size_t text = sizeof h, end = text + 2 * (r->path.len + r->other.len);

    copy(p + text, r->path.ptr, 2 * r->path.len);
    copy(p + text + 2 * r->path.len, r->other.ptr, 2 * r->other.len);
    for (size_t i = end; i < h.size; i++)
        p[i] = 0;
    copy(p, &h, sizeof h);
    h.crc = crc32c(p + 8, h.size - 8);
    copy(p, &h, sizeof h);
}

uint32_t fvm_log_decode(const void *buf, size_t len, struct fvm_log_record *r)
{
    const uint8_t *p = buf;
    struct record_header h;

    if (len < sizeof h) return 0;
    copy(&h, p, sizeof h);
    if (h.size < sizeof h || h.size > len || h.size & 7) return 0;
    *r = (struct fvm_log_record){
        .op = (enum fvm_log_op)h.op,
        .flags = h.flags,
        .seq = h.seq,
        .path = {(const fvm_wchar *)(const void *)(p + sizeof h), h.path_len},
        .other = {(const fvm_wchar *)(const void *)(p + sizeof h) + h.path_len, h.other_len},
    };
    if (h.size != fvm_log_size(r) || crc32c(p + 8, h.size - 8) != h.crc) return 0;
    if (h.op < FVM_LOG_PRIVATE || h.op > FVM_LOG_OP_LAST) return 0;
    return h.size;
}

int fvm_log_apply(const struct fvm_log_record *r, struct fvm_index *ix)
{
    bool directory = r->flags & FVM_LOG_DIRECTORY, base = r->flags & FVM_LOG_BASE;

    switch (r->op) {
    case FVM_LOG_PRIVATE:
        return fvm_index_set_private(ix, r->path, directory, base);
    case FVM_LOG_CONTAINER:
        return fvm_index_set_container(ix, r->path);
    case FVM_LOG_HIDDEN:
        return fvm_index_set_hidden(ix, r->path);
    case FVM_LOG_FORGET:
        return fvm_index_forget(ix, r->path);
    case FVM_LOG_RENAME:
        return fvm_index_rename(ix, r->path, r->other, directory, base);
    case FVM_LOG_ALIAS:
        return fvm_index_set_alias(ix, r->path, r->other, r->flags & FVM_LOG_PRIVATE_TREE);
    case FVM_LOG_DONE:
        return 0;
    }
    return FVM_INDEX_INVALID;
}

static bool is_beyond_c(struct fvm_wstr path)
{
    return path.len && (path.len < 2 || path.ptr[0] != 'C' || path.ptr[1] != ':');
}

bool fvm_log_is_beyond_c(const struct fvm_log_record *r)
{
    return is_beyond_c(r->path) || is_beyond_c(r->other);
}

bool fvm_log_replay(const void *file, size_t len, struct fvm_index *ix,
                    struct fvm_log_summary *out)
{
    const uint8_t *p = file;
    struct fvm_log_header h;
    uint32_t size;

    *out = (struct fvm_log_summary){0};
    if (len < sizeof h) return false;
    copy(&h, p, sizeof h);
    if (h.magic != FVM_LOG_MAGIC || h.version != FVM_LOG_VERSION) return false;
    out->valid = sizeof h;
    while (out->valid < len) {
        struct fvm_log_record r;
        size = fvm_log_decode(p + out->valid, len - out->valid, &r);
        /* a record whose number does not follow is a left-over behind a cut-off tail */
        if (!size || r.seq != out->last_seq + 1) {
            out->torn = true;
            break;
        }
        if (ix && fvm_log_apply(&r, ix) < 0) out->failed++;
        out->beyond_c |= fvm_log_is_beyond_c(&r);
        out->last = r;
        out->last_seq = r.seq;
        out->records++;
        out->valid += size;
    }
    return true;
}
