#include "fvm/log.h"
#include "fvm/index.h"
#include "frame.h"

/* On disk: this header, path, other (UTF-16), padding to 8 bytes. */
struct record_header {
    struct frame frame;
    uint16_t op, flags;
    uint16_t path_len, other_len; /* code units */
};

uint32_t fvm_log_size(const struct fvm_log_record *r)
{
    return (uint32_t)(sizeof(struct record_header) + 2 * (r->path.len + r->other.len) + 7) & ~7u;
}

void fvm_log_encode(const struct fvm_log_record *r, void *dst)
{
    struct record_header h = {
        .frame = {.size = fvm_log_size(r), .seq = r->seq},
        .op = (uint16_t)r->op,
        .flags = (uint16_t)r->flags,
        .path_len = (uint16_t)r->path.len,
        .other_len = (uint16_t)r->other.len,
    };
    uint8_t *p = dst;
    size_t text = sizeof h, end = text + 2 * (r->path.len + r->other.len);

    frame_copy(p + text, r->path.ptr, 2 * r->path.len);
    frame_copy(p + text + 2 * r->path.len, r->other.ptr, 2 * r->other.len);
    for (size_t i = end; i < h.frame.size; i++)
        p[i] = 0;
    frame_copy(p, &h, sizeof h);
    frame_seal(p);
}

uint32_t fvm_log_decode(const void *buf, size_t len, struct fvm_log_record *r)
{
    const uint8_t *p = buf;
    struct record_header h;

    if (!frame_check(buf, len, sizeof h)) return 0;
    frame_copy(&h, p, sizeof h);
    *r = (struct fvm_log_record){
        .op = (enum fvm_log_op)h.op,
        .flags = h.flags,
        .seq = h.frame.seq,
        .path = {(const fvm_wchar *)(const void *)(p + sizeof h), h.path_len},
        .other = {(const fvm_wchar *)(const void *)(p + sizeof h) + h.path_len, h.other_len},
    };
    if (h.frame.size != fvm_log_size(r)) return 0;
    if (h.op < FVM_LOG_PRIVATE || h.op > FVM_LOG_OP_LAST) return 0;
    return h.frame.size;
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
    uint32_t size;

    *out = (struct fvm_log_summary){0};
    if (!frame_file_is(file, len, FVM_LOG_MAGIC, FVM_LOG_VERSION)) return false;
    out->valid = sizeof(struct fvm_log_header);
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
