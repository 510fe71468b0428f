/* The base: the Wine prefix whose files and registry all VMs on it see. */
#ifndef LAUNCHER_BASE_H
#define LAUNCHER_BASE_H

#include "err.h"
#include "fvm/types.h"
#include "util.h"
#include "wine.h"

struct base_drive {
    char letter;  /* 'A' to 'Z' */
    char *target; /* where its link leads, canonical */
};

struct base {
    char *dir; /* canonical */
    struct base_drive drives[26];
    int drive_count;
    bool has_z; /* Z: is the Unix root */
};

/* Opens and verifies a base: a 64-bit prefix of this user, complete. */
int base_open(const char *dir, struct base *base, struct err **err);
void base_free(struct base *base);

/* Makes the base at home_base() when it is missing: under a lock, in a folder aside that is
 * renamed into place, with progress on standard error. An interrupted one leaves nothing. */
int base_make_default(const struct wine *wine, struct err **err);

/* The place of a canonical Unix path in the view: the drive that leads deepest to it, then
 * the components, as Wine names it. Returns false when no drive leads there. */
bool base_place(const struct base *base, const char *path, struct wbuf *out);

/* The Unix path of a canonical view path in the base, found as Wine finds it: the exact name
 * first, then without regard to case. To be freed; NULL when nothing is there. */
char *base_find(const struct base *base, struct fvm_wstr path);

/* Calls fn for each alias of the base: another name of a folder that already has one, by a
 * drive inside another drive, by links of user folders, by links in the Unix root.
 * Stops and returns what fn returns when that is not 0. */
int base_aliases(const struct base *base,
                 int (*fn)(void *arg, struct fvm_wstr path, struct fvm_wstr target), void *arg);

#endif
