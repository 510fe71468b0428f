#include "fvm/fold.h"
#include "fold_table.h"

static fvm_wchar map(const uint8_t *index, fvm_wchar c)
{
    return (fvm_wchar)(c + fold_delta[index[c >> FOLD_SHIFT]][c & ((1U << FOLD_SHIFT) - 1)]);
}

fvm_wchar fvm_upcase(fvm_wchar c) { return map(upcase_index, c); }

fvm_wchar fvm_downcase(fvm_wchar c) { return map(downcase_index, c); }

bool fvm_name_equal(const fvm_wchar *a, size_t alen, const fvm_wchar *b, size_t blen)
{
    if (alen != blen) return false;
    for (size_t i = 0; i < alen; i++) {
        /* Most code units of equal names are equal as they stand. */
        if (a[i] != b[i] && fvm_upcase(a[i]) != fvm_upcase(b[i])) return false;
    }
    return true;
}

/* Wine sorts a directory by the upper-case forms and, where these are equal, by the names
 * themselves; both comparisons see a terminator, which is below every code unit. */
int fvm_name_compare(const fvm_wchar *a, size_t alen, const fvm_wchar *b, size_t blen)
{
    size_t common = alen < blen ? alen : blen;
    int exact = 0; /* first difference of the names as they stand */

    for (size_t i = 0; i < common; i++) {
        if (a[i] == b[i]) continue;
        int folded = (int)fvm_upcase(a[i]) - (int)fvm_upcase(b[i]);
        if (folded) return folded;
        if (!exact) exact = (int)a[i] - (int)b[i];
    }
    if (alen != blen) return alen < blen ? -1 : 1;
    return exact;
}

uint32_t fvm_name_hash(uint32_t seed, const fvm_wchar *s, size_t len)
{
    uint32_t h = seed ^ 2166136261U; /* FNV-1a, a code unit at a time */

    for (size_t i = 0; i < len; i++) {
        h ^= fvm_upcase(s[i]);
        h *= 16777619U;
    }
    return h;
}
