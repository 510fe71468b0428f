/* Case folding of names: NT compares object and file names by their upper-case form,
 * one code unit at a time (RtlUpcaseUnicodeChar). */
#ifndef FVM_FOLD_H
#define FVM_FOLD_H

#include "fvm/types.h"

/* The upper-case form of one code unit, equal to RtlUpcaseUnicodeChar of the host. */
fvm_wchar fvm_upcase(fvm_wchar c);

/* The lower-case form of one code unit, as ntdll's towlower (short names, sorting). */
fvm_wchar fvm_downcase(fvm_wchar c);

/* True when both names are equal without regard to case. */
bool fvm_name_equal(const fvm_wchar *a, size_t alen, const fvm_wchar *b, size_t blen);

/* True when the name ends with end, without regard to case. */
static inline bool fvm_name_ends(const fvm_wchar *s, size_t len, const fvm_wchar *end, size_t n)
{
    return len >= n && fvm_name_equal(s + len - n, n, end, n);
}

/* Compares as Wine sorts directory listings: by upper-case forms, then exactly. <0, 0, >0. */
int fvm_name_compare(const fvm_wchar *a, size_t alen, const fvm_wchar *b, size_t blen);

/* Hash of the folded name (FNV-1a over folded code units). */
uint32_t fvm_name_hash(uint32_t seed, const fvm_wchar *s, size_t len);

#endif
