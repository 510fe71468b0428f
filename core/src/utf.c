#include "fvm/utf.h"

static size_t put_utf8(uint32_t cp, char *dst, size_t room)
{
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};

    if (!dst || room < n) return n;
    for (size_t i = n - 1; i > 0; i--) {
        dst[i] = (char)(0x80 | (cp & 0x3f));
        cp >>= 6;
    }
    dst[0] = (char)(lead[n] | cp);
    return n;
}

size_t fvm_utf16_to_utf8(const fvm_wchar *src, size_t len, char *dst, size_t cap)
{
    size_t out = 0;
    bool full = dst == NULL;

    for (size_t i = 0; i < len; i++) {
        uint32_t cp = src[i];
        if (cp >= 0xd800 && cp < 0xdc00 && i + 1 < len && src[i + 1] >= 0xdc00 &&
            src[i + 1] < 0xe000)
            cp = 0x10000 + ((cp - 0xd800) << 10) + (src[++i] - 0xdc00u);
        size_t n = put_utf8(cp, full ? NULL : dst + out, full ? 0 : cap - out);
        if (!full && n > cap - out) full = true; /* from here on only count */
        out += n;
    }
    return out;
}

/* Decodes one character; returns the number of bytes used, at least 1. Of a malformed one it
 * uses what could have been its start, as the host does: that many bytes are one U+FFFD. */
static size_t get_utf8(const uint8_t *s, size_t len, uint32_t *cp)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
             : s[0] < 0xf5 ? 4 : 0;

    *cp = 0xfffd;
    if (!n) return 1;
    if (n > len) return len; /* cut off at the end */
    uint32_t c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        unsigned left = 6 * (unsigned)(n - 1 - i);
        if ((s[i] & 0xc0) != 0x80) return i;
        c = c << 6 | (s[i] & 0x3f);
        if (c > 0x10ffffu >> left || ((c + 1) << left) - 1 < least[n]) return i + 1;
    }
    *cp = c;
    return n;
}

size_t fvm_utf8_to_utf16(const char *src, size_t len, fvm_wchar *dst, size_t cap)
{
    size_t out = 0;
    bool full = dst == NULL;

    for (size_t i = 0; i < len;) {
        uint32_t cp;
        i += get_utf8((const uint8_t *)src + i, len - i, &cp);
        size_t n = cp < 0x10000 ? 1 : 2;
        if (!full && n > cap - out) full = true;
        if (!full) {
            if (n == 1) {
                dst[out] = (fvm_wchar)cp;
            } else {
                dst[out] = (fvm_wchar)(0xd800 + ((cp - 0x10000) >> 10));
                dst[out + 1] = (fvm_wchar)(0xdc00 + ((cp - 0x10000) & 0x3ff));
            }
        }
        out += n;
    }
    return out;
}
