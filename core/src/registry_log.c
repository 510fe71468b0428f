/* The registry log: encoding, replay, and writing a store as a log. */
#include "fvm/registry_log.h"

/* On disk: this header, path, name (UTF-16), data, padding to 8 bytes; little-endian. */
struct header {
    uint32_t size; /* whole record with header and padding */
    uint32_t crc;  /* CRC-32C of all that follows this field */
    uint64_t seq, time;
    uint16_t op, flags;
    uint16_t path_len, name_len; /* code units */
    uint32_t type, data_size;
};

/* CRC-32C (reflected polynomial 0x82f63b78), four bits at a time. */
static uint32_t crc_add(uint32_t crc, const void *bytes, uint64_t n)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *p = bytes;

    for (uint64_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

static void copy(void *dst, const void *src, uint64_t n)
{
    if (n) __builtin_memcpy(dst, src, n);
}

static uint64_t text_size(const struct fvm_reg_record *r)
{
    return 2 * ((uint64_t)r->path.len + r->name.len);
}

uint64_t fvm_reg_log_size(const struct fvm_reg_record *r)
{
    if (r->path.len > UINT16_MAX || r->name.len > UINT16_MAX || r->size > UINT32_MAX - (1 << 20))
        return 0;
    return (sizeof(struct header) + text_size(r) + r->size + 7) & ~(uint64_t)7;
}

void *fvm_reg_log_data(const struct fvm_reg_record *r, void *dst)
{
    return (uint8_t *)dst + sizeof(struct header) + text_size(r);
}

static struct header header_of(const struct fvm_reg_record *r)
{
    return (struct header){
        .size = (uint32_t)fvm_reg_log_size(r),
        .seq = r->seq,
        .time = r->time,
        .op = (uint16_t)r->op,
        .flags = (uint16_t)r->flags,
        .path_len = (uint16_t)r->path.len,
        .name_len = (uint16_t)r->name.len,
        .type = r->type,
        .data_size = r->size,
    };
}

void fvm_reg_log_encode(const struct fvm_reg_record *r, void *dst)
{
    struct header h = header_of(r);
    uint8_t *p = dst;
    uint64_t end = sizeof h + text_size(r) + r->size;

    copy(p + sizeof h, r->path.ptr, 2 * (uint64_t)r->path.len);
    copy(p + sizeof h + 2 * (uint64_t)r->path.len, r->name.ptr, 2 * (uint64_t)r->name.len);
    if (r->data) copy(fvm_reg_log_data(r, dst), r->data, r->size);
    for (uint64_t i = end; i < h.size; i++)
        p[i] = 0;
    copy(p, &h, sizeof h);
    h.crc = ~crc_add(~0u, p + 8, h.size - 8);
    copy(p, &h, sizeof h);
}

uint64_t fvm_reg_log_decode(const void *buf, size_t len, struct fvm_reg_record *r)
{
    const uint8_t *p = buf;
    struct header h;

    if (len < sizeof h) return 0;
    copy(&h, p, sizeof h);
    if (h.size < sizeof h || h.size > len || h.size & 7) return 0;
    *r = (struct fvm_reg_record){
        .op = (enum fvm_reg_op)h.op,
        .flags = h.flags,
        .seq = h.seq,
        .time = h.time,
        .path = {(const fvm_wchar *)(const void *)(p + sizeof h), h.path_len},
        .name = {(const fvm_wchar *)(const void *)(p + sizeof h) + h.path_len, h.name_len},
        .type = h.type,
        .size = h.data_size,
    };
    r->data = p + sizeof h + text_size(r);
    if (h.size != fvm_reg_log_size(r) || ~crc_add(~0u, p + 8, h.size - 8) != h.crc) return 0;
    if (h.op < FVM_REG_OP_CREATE || h.op > FVM_REG_OP_LAST) return 0;
    return h.size;
}

bool fvm_reg_log_replay(const void *file, size_t len, struct fvm_reg *r,
                        struct fvm_reg_log_summary *out)
{
    const uint8_t *p = file;
    struct fvm_reg_log_header h;

    *out = (struct fvm_reg_log_summary){0};
    if (len < sizeof h) return false;
    copy(&h, p, sizeof h);
    if (h.magic != FVM_REG_LOG_MAGIC || h.version != FVM_REG_LOG_VERSION) return false;
    out->valid = sizeof h;
    while (out->valid < len) {
        struct fvm_reg_record rec;
        uint64_t size = fvm_reg_log_decode(p + out->valid, len - out->valid, &rec);
        /* a record whose number does not follow is a left-over behind a cut-off tail */
        if (!size || rec.seq != out->last_seq + 1) {
            out->torn = true;
            break;
        }
        int rc = r ? fvm_reg_apply(r, &rec) : 0;
        if (rc < 0 && !out->failed++) out->first_error = rc;
        out->last_seq = rec.seq;
        out->records++;
        out->valid += size;
    }
    return true;
}

/* --- writing a store as a log -------------------------------------------------------------------- */

struct writer {
    const struct fvm_reg *r;
    fvm_reg_sink *sink;
    void *context;
    uint64_t seq;
    fvm_wchar *path;
};

static bool put(struct writer *w, struct fvm_reg_record *rec)
{
    static const uint8_t zeros[8];
    rec->seq = ++w->seq;
    uint64_t whole = fvm_reg_log_size(rec);
    if (!whole) return false;
    struct header h = header_of(rec);
    uint64_t paths = 2 * (uint64_t)rec->path.len, names = 2 * (uint64_t)rec->name.len;
    uint64_t rest = whole - sizeof h - paths - names - rec->size;

    uint32_t crc = crc_add(~0u, (const uint8_t *)&h + 8, sizeof h - 8);
    crc = crc_add(crc, rec->path.ptr, paths);
    crc = crc_add(crc, rec->name.ptr, names);
    crc = crc_add(crc, rec->data, rec->size);
    h.crc = ~crc_add(crc, zeros, rest);
    return w->sink(w->context, &h, sizeof h) &&
           (!paths || w->sink(w->context, rec->path.ptr, paths)) &&
           (!names || w->sink(w->context, rec->name.ptr, names)) &&
           (!rec->size || w->sink(w->context, rec->data, rec->size)) &&
           (!rest || w->sink(w->context, zeros, rest));
}

static bool put_key(struct writer *w, uint32_t node, uint32_t len)
{
    struct fvm_wstr path = {w->path, len}, origin = fvm_reg_origin(w->r, node);
    struct fvm_reg_value value;
    uint32_t flags = fvm_reg_flags(w->r, node);
    struct fvm_reg_record rec = {.op = FVM_REG_OP_NODE,
                                 .flags = flags,
                                 .time = fvm_reg_time(w->r, node),
                                 .path = path,
                                 .name = fvm_reg_class(w->r, node),
                                 .type = fvm_reg_serial(w->r, node),
                                 .data = origin.ptr,
                                 .size = origin.len * 2};

    if ((flags || rec.time) && !put(w, &rec)) return false;
    for (uint32_t i = 0; fvm_reg_value_at(w->r, node, i, &value); i++) {
        struct fvm_reg_record v = {.op = value.deleted ? FVM_REG_OP_UNSET_MARK : FVM_REG_OP_SET,
                                   .flags = value.deleted || value.base_name ? FVM_REG_BASE : 0,
                                   .path = path,
                                   .name = value.name,
                                   .type = value.type,
                                   .data = value.data,
                                   .size = value.size};
        if (!put(w, &v)) return false;
    }
    for (uint32_t i = 0, kid; (kid = fvm_reg_child(w->r, node, i)); i++) {
        struct fvm_wstr name = fvm_reg_name(w->r, kid);
        uint32_t at = len;
        if (name.len + 1 > FVM_REG_PATH_MAX - len) return false;
        if (at) w->path[at++] = '\\';
        copy(w->path + at, name.ptr, (uint64_t)name.len * 2);
        if (!put_key(w, kid, at + name.len)) return false;
    }
    return true;
}

bool fvm_reg_log_dump(const struct fvm_reg *r, fvm_wchar *path, fvm_reg_sink *sink, void *context,
                      uint64_t *last_seq)
{
    struct writer w = {.r = r, .sink = sink, .context = context, .path = path};
    struct fvm_reg_log_header h = {.magic = FVM_REG_LOG_MAGIC, .version = FVM_REG_LOG_VERSION};
    bool ok = sink(context, &h, sizeof h) && put_key(&w, fvm_reg_root(r), 0);

    if (last_seq) *last_seq = w.seq;
    return ok;
}
