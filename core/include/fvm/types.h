/* Plain types shared by every part of FVM. No OS header is included here or in
 * anything below core/: the same sources are compiled natively and into PE code. */
#ifndef FVM_TYPES_H
#define FVM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One UTF-16 code unit, as in NT's counted strings. Unpaired surrogates are legal. */
typedef uint16_t fvm_wchar;

/* A counted string of code units; never assumed to be NUL-terminated. */
struct fvm_wstr {
    const fvm_wchar *ptr;
    uint32_t len; /* in code units */
};

#endif
