/* What a VM has changed, as a list. */
#ifndef LAUNCHER_CHANGES_H
#define LAUNCHER_CHANGES_H

#include <stddef.h>

#include "base.h"
#include "space.h"
#include "util.h"

struct change {
    char kind; /* 'A'dded, 'M'odified, 'D'eleted, 'R'enamed */
    struct wbuf path;
    struct wbuf old; /* of a rename: the place in the base */
    bool directory;
    long long size; /* bytes of a file; -1 when not known */
};

struct changes {
    struct change *list;
    size_t count, cap;
};

/* Collects the changes, sorted by path. The space must have been opened without a base (its
 * configuration is no change); base may be NULL when it is not there: then nothing is said
 * about sizes of deleted files, nor about what a replaced folder has lost. */
void changes_collect(const struct vm *vm, const struct base *base, const struct space *space,
                     struct changes *out);
void changes_free(struct changes *c);

#endif
