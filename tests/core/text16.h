/* UTF-16 literals as counted strings, for tests. */
#ifndef TESTS_TEXT16_H
#define TESTS_TEXT16_H

#include "fvm/types.h"

/* A literal u"..." with its length; NULs inside count. */
#define S(literal) ((struct fvm_wstr){(const fvm_wchar *)(literal), sizeof(literal) / 2 - 1})

static inline uint32_t length16(const fvm_wchar *s)
{
    uint32_t n = 0;

    while (s[n])
        n++;
    return n;
}

static inline bool same16(struct fvm_wstr a, struct fvm_wstr b)
{
    if (a.len != b.len) return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i]) return false;
    return true;
}

#endif
