/* The VM's log: an append-only file of records, each with length, checksum and sequence
 * number. It is the truth about what the index says; the workspace tree is the truth
 * about private content.
 *
 * File: struct fvm_log_header, then records, each padded to 8 bytes. The first record
 * that is incomplete or has a wrong checksum ends the log (a torn write at a crash). */
#ifndef FVM_LOG_H
#define FVM_LOG_H

#include "fvm/types.h"

struct fvm_index;

#define FVM_LOG_MAGIC   0x474f4c4dU /* "MLOG" */
#define FVM_LOG_VERSION 1U

struct fvm_log_header {
    uint32_t magic, version;
    uint64_t reserved;
};

enum fvm_log_op {
    FVM_LOG_PRIVATE = 1, /* path; flags: directory, base */
    FVM_LOG_CONTAINER,   /* path */
    FVM_LOG_HIDDEN,      /* path */
    FVM_LOG_FORGET,      /* path */
    FVM_LOG_RENAME,      /* path -> other; flags: directory, base (something at other in the base) */
    FVM_LOG_ALIAS,       /* path is another name of other; flags: private tree */
    FVM_LOG_DONE,        /* no path: the renaming on disk of the record before is finished */
    FVM_LOG_OP_LAST = FVM_LOG_DONE,
};

enum { FVM_LOG_DIRECTORY = 1, FVM_LOG_BASE = 2, FVM_LOG_PRIVATE_TREE = 4 };

struct fvm_log_record {
    enum fvm_log_op op;
    uint32_t flags;
    uint64_t seq;
    struct fvm_wstr path, other;
};

/* Size of the record on disk, in bytes. */
uint32_t fvm_log_size(const struct fvm_log_record *r);
/* Writes it to dst (fvm_log_size bytes). */
void fvm_log_encode(const struct fvm_log_record *r, void *dst);
/* Reads the record at the start of buf. Returns its size on disk, 0 when buf holds no
 * whole valid record. Strings point into buf. */
uint32_t fvm_log_decode(const void *buf, size_t len, struct fvm_log_record *r);
/* True when the record speaks of another drive than C:. */
bool fvm_log_is_beyond_c(const struct fvm_log_record *r);
/* Does to the index what the record says. Returns 0 or a negative FVM_INDEX_* error. */
int fvm_log_apply(const struct fvm_log_record *r, struct fvm_index *ix);

struct fvm_log_summary {
    uint64_t valid;   /* bytes of header and whole records: where the next one goes */
    uint64_t records; /* whole records */
    uint64_t last_seq;
    uint64_t failed;  /* records that the index refused */
    bool torn;        /* bytes follow that are no record */
    bool beyond_c;    /* a record speaks of another drive than C: */
    struct fvm_log_record last; /* the last whole record; points into the file's bytes */
};
/* Replays a whole log file (header included) into the index (which may be NULL to only
 * check). Returns false when the header is not that of a log. */
bool fvm_log_replay(const void *file, size_t len, struct fvm_index *ix,
                    struct fvm_log_summary *out);

#endif
