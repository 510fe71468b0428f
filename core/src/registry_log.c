/* The registry log: encoding, replay, and writing a store as a log. */
#include "fvm/registry_log.h"
#include "frame.h"

/* On disk: this header, path, name (UTF-16), data, padding to 8 bytes. */
struct header {
    struct frame frame;
    uint64_t time;
    uint16_t op, flags;
    uint16_t path_len, name_len; /* code units */
    uint32_t type, data_size;
};

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
        .frame = {.size = (uint32_t)fvm_reg_log_size(r), .seq = r->seq},
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

    frame_copy(p + sizeof h, r->path.ptr, 2 * (uint64_t)r->path.len);
    frame_copy(p + sizeof h + 2 * (uint64_t)r->path.len, r->name.ptr, 2 * (uint64_t)r->name.len);
    if (r->data) frame_copy(fvm_reg_log_data(r, dst), r->data, r->size);
    for (uint64_t i = end; i < h.frame.size; i++)
        p[i] = 0;
    frame_copy(p, &h, sizeof h);
    frame_seal(p);
}

uint64_t fvm_reg_log_decode(const void *buf, size_t len, struct fvm_reg_record *r)
{
    const uint8_t *p = buf;
    struct header h;

    if (!frame_check(buf, len, sizeof h)) return 0;
    frame_copy(&h, p, sizeof h);
    *r = (struct fvm_reg_record){
        .op = (enum fvm_reg_op)h.op,
        .flags = h.flags,
        .seq = h.frame.seq,
        .time = h.time,
        .path = {(const fvm_wchar *)(const void *)(p + sizeof h), h.path_len},
        .name = {(const fvm_wchar *)(const void *)(p + sizeof h) + h.path_len, h.name_len},
        .type = h.type,
        .size = h.data_size,
    };
    r->data = p + sizeof h + text_size(r);
    if (h.frame.size != fvm_reg_log_size(r)) return 0;
    if (h.op < FVM_REG_OP_CREATE || h.op > FVM_REG_OP_LAST) return 0;
    return h.frame.size;
}

bool fvm_reg_log_replay(const void *file, size_t len, struct fvm_reg *r,
                        struct fvm_reg_log_summary *out)
{
    const uint8_t *p = file;

    *out = (struct fvm_reg_log_summary){0};
    if (!frame_file_is(file, len, FVM_REG_LOG_MAGIC, FVM_REG_LOG_VERSION)) return false;
    out->valid = sizeof(struct fvm_reg_log_header);
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

    uint32_t crc = frame_crc(~0u, &h.frame.seq, sizeof h - offsetof(struct frame, seq));
    crc = frame_crc(crc, rec->path.ptr, paths);
    crc = frame_crc(crc, rec->name.ptr, names);
    crc = frame_crc(crc, rec->data, rec->size);
    h.frame.crc = ~frame_crc(crc, zeros, rest);
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
        frame_copy(w->path + at, name.ptr, (uint64_t)name.len * 2);
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
