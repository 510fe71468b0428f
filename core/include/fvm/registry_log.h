/* The registry log: an append-only file of records, which is the truth about a VM's private
 * registry. Each record has length, checksum and sequence number; the first one that is
 * incomplete or wrong ends the log (a torn write at a crash). */
#ifndef FVM_REGISTRY_LOG_H
#define FVM_REGISTRY_LOG_H

#include "fvm/registry.h"

#define FVM_REG_LOG_MAGIC   0x52474c46U /* "FLGR" */
#define FVM_REG_LOG_VERSION 1U

struct fvm_reg_log_header {
    uint32_t magic, version;
    uint64_t reserved;
};

enum fvm_reg_op {
    FVM_REG_OP_CREATE = 1, /* path, name: class, type: serial; flags: VOLATILE, LINK, CLASS */
    FVM_REG_OP_DELETE,     /* path */
    FVM_REG_OP_RENAME,     /* path, name: the new last component */
    FVM_REG_OP_SET,        /* path, name, type, data; time 0: the key's time stays; flags BASE: the
                            * name is spelled as the base's value that is replaced */
    FVM_REG_OP_UNSET,      /* path, name; flags BASE: the base has such a value */
    FVM_REG_OP_CLASS,      /* path, name: class */
    FVM_REG_OP_NODE,       /* path, name: class, type: serial, data: origin; flags, time as they are */
    FVM_REG_OP_UNSET_MARK, /* as UNSET with BASE, the key's time stays */
    FVM_REG_OP_LINK,       /* configuration: the base's key at path is a link to data (a path) */
    FVM_REG_OP_LAST = FVM_REG_OP_LINK,
};

struct fvm_reg_record {
    enum fvm_reg_op op;
    uint32_t flags;
    uint64_t seq;
    uint64_t time; /* in 100 ns since 1601 */
    struct fvm_wstr path, name;
    uint32_t type;
    const void *data;
    uint32_t size; /* bytes of data */
};

/* Size of the record on disk in bytes; 0 when a part of it is too long. */
uint64_t fvm_reg_log_size(const struct fvm_reg_record *r);
/* Writes it to dst. data may be NULL with a size: then its bytes were put before at
 * fvm_reg_log_data() of dst. */
void fvm_reg_log_encode(const struct fvm_reg_record *r, void *dst);
/* Where the data of a record lies in its encoding. */
void *fvm_reg_log_data(const struct fvm_reg_record *r, void *dst);
/* Reads the record at the start of buf. Returns its size on disk, 0 when buf holds no whole
 * valid record. Strings and data point into buf. */
uint64_t fvm_reg_log_decode(const void *buf, size_t len, struct fvm_reg_record *r);

struct fvm_reg_log_summary {
    uint64_t valid; /* bytes of header and whole records */
    uint64_t records, last_seq;
    uint64_t failed; /* records that the store refused */
    int first_error; /* of those */
    bool torn;       /* bytes follow that are no record */
};
/* Replays a whole log file into the store (NULL: only checks). False: it is none. */
bool fvm_reg_log_replay(const void *file, size_t len, struct fvm_reg *r,
                        struct fvm_reg_log_summary *out);

/* Writes a log that says what the store holds now, record by record, to sink, which returns
 * false to stop. Volatile keys come too. Sequence numbers start at 1. path: a buffer of
 * FVM_REG_PATH_MAX units. *last_seq (may be NULL) receives the last number. Returns false when
 * it was stopped or a path is too long. */
typedef bool fvm_reg_sink(void *context, const void *bytes, uint64_t size);
bool fvm_reg_log_dump(const struct fvm_reg *r, fvm_wchar *path, fvm_reg_sink *sink, void *context,
                      uint64_t *last_seq);

#endif
