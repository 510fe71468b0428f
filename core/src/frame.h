/* The frame of a record in a log: with it begins each record of a VM's two logs (log.c,
 * registry_log.c), and with the same head each of the two files. Used by those two alone. */
#ifndef FVM_FRAME_H
#define FVM_FRAME_H

#include "fvm/types.h"

/* First part of a record; little-endian, as every host FVM runs on. */
struct frame {
    uint32_t size; /* of the whole record, a multiple of 8 */
    uint32_t crc;  /* CRC-32C of all that follows this field */
    uint64_t seq;
};

/* First part of a file. */
struct frame_file {
    uint32_t magic, version;
    uint64_t reserved;
};

/* Adds bytes to a checksum: begin with ~0, and invert what comes out at last. */
uint32_t frame_crc(uint32_t crc, const void *bytes, uint64_t n);
/* Sets the checksum of a record whose other bytes are all there. */
void frame_seal(void *record);
/* The size of the record at the start of buf, 0 when there is no whole one with a right checksum.
 * least: bytes that it has to have. */
uint64_t frame_check(const void *buf, size_t len, size_t least);
/* Does a file begin as it should? */
bool frame_file_is(const void *file, size_t len, uint32_t magic, uint32_t version);

static inline void frame_copy(void *dst, const void *src, uint64_t n)
{
    if (n) __builtin_memcpy(dst, src, n);
}

#endif
