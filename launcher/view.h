/* Windows paths as users write them, and JSON for names of UTF-16. */
#ifndef LAUNCHER_VIEW_H
#define LAUNCHER_VIEW_H

#include <stdio.h>

#include "base.h"
#include "err.h"
#include "util.h"

/* Reads a path inside a VM: C:\dir\file, with slashes of either kind, or a Linux path, whose
 * place on the base's drives is taken. "." and ".." are resolved by the text. *out is
 * canonical but for aliases. *trailing (may be NULL): a separator stood at the end. */
int view_parse(const char *text, const struct base *base, struct wbuf *out, bool *trailing,
               struct err **err);

/* Prints a string literal of JSON; unpaired surrogates come as \u escapes, as JSON allows. */
void view_print_json(FILE *out, struct fvm_wstr s);

#endif
