/* UTF-16 <-> UTF-8 for names, as Wine converts file names on a UTF-8 locale. */
#ifndef FVM_UTF_H
#define FVM_UTF_H

#include "fvm/types.h"

/* Converts UTF-16 to UTF-8. Unpaired surrogates are written in their three-byte form
 * (WTF-8), so that the conversion is reversible.
 * dst may be NULL to count. Returns the number of bytes needed, without a terminator;
 * writes at most cap bytes, never a part of a character. */
size_t fvm_utf16_to_utf8(const fvm_wchar *src, size_t len, char *dst, size_t cap);

/* Converts UTF-8 (or WTF-8) to UTF-16. Bytes that are not UTF-8 become U+FFFD, one for as many
 * of them as the host takes together.
 * dst may be NULL to count. Returns the number of code units needed. */
size_t fvm_utf8_to_utf16(const char *src, size_t len, fvm_wchar *dst, size_t cap);

#endif
