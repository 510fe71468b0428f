/* Memory, strings and UTF-16 names for the launcher. */
#ifndef LAUNCHER_UTIL_H
#define LAUNCHER_UTIL_H

#include <stdarg.h>
#include <stdio.h>

#include "fvm/types.h"

/* Memory that is always there: without it the program ends with a message. What fvm has
 * on disk at such a moment is complete or of a kind that the next fvm clears away. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* A UTF-16 string of its own memory, as view paths are kept here. */
struct wbuf {
    fvm_wchar *ptr;
    uint32_t len, cap;
};
void wbuf_add(struct wbuf *w, struct fvm_wstr s);
/* Appends UTF-8 text, converted. */
void wbuf_add_utf8(struct wbuf *w, const char *s);
/* Appends one path component with the backslash before it. */
void wbuf_add_component(struct wbuf *w, struct fvm_wstr name);
void wbuf_free(struct wbuf *w);
static inline struct fvm_wstr wbuf_str(const struct wbuf *w)
{
    return (struct fvm_wstr){w->ptr, w->len};
}
/* Copies the string to memory of its own: free with wbuf_free() or free(ptr). */
struct wbuf wbuf_dup(struct fvm_wstr s);

/* The UTF-8 form, NUL-terminated, to be freed. */
char *utf8_of(struct fvm_wstr s);
/* True when the bytes are valid UTF-8 throughout. */
bool utf8_valid(const char *s);
/* True when path is dir itself or lies below it; both are absolute and without a
 * trailing slash ("/" is allowed for dir). */
bool path_below(const char *path, const char *dir);
/* As fvm_name_equal() for whole view paths. */
bool wstr_equal(struct fvm_wstr a, struct fvm_wstr b);
/* Order of view paths for listings: component by component, a folder before what is in it. */
int wstr_path_compare(struct fvm_wstr a, struct fvm_wstr b);

/* Reads an unsigned decimal number without sign, blanks or rest. Returns false otherwise. */
bool parse_number(const char *s, unsigned long max, unsigned long *out);

#endif
