/* ASCII text as UTF-16, for tests. */
#ifndef TESTS_WIDE_H
#define TESTS_WIDE_H

#include <stdlib.h>
#include <string.h>
#include "fvm/types.h"

/* A counted UTF-16 copy of s; lives until the test program ends, in a ring of buffers. */
static inline struct fvm_wstr wide(const char *s)
{
    static fvm_wchar ring[64][512];
    static unsigned at;
    fvm_wchar *dst = ring[at++ % 64];
    uint32_t n = (uint32_t)strlen(s);
    if (n > 512) abort();
    for (uint32_t i = 0; i < n; i++)
        dst[i] = (unsigned char)s[i];
    return (struct fvm_wstr){dst, n};
}

static inline const char *narrow(const fvm_wchar *s, uint32_t n)
{
    static char ring[16][512];
    static unsigned at;
    char *dst = ring[at++ % 16];
    if (n > 511) n = 511;
    for (uint32_t i = 0; i < n; i++)
        dst[i] = (char)s[i];
    dst[n] = 0;
    return dst;
}

#endif
