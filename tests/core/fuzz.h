/* What the fuzzers share: an invariant that does not hold ends the program with its place. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fvm/index.h"
#include "fvm/path.h"
#include "text16.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Room for what a look-up finds. */
struct found {
    struct fvm_lookup look;
    fvm_wchar canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
};

static inline int find_view(const struct fvm_index *ix, struct fvm_wstr path, struct found *f)
{
    f->look = (struct fvm_lookup){
        .canon = f->canon, .canon_cap = FVM_PATH_MAX, .base = f->base, .base_cap = FVM_PATH_MAX};
    return fvm_index_lookup(ix, path, &f->look);
}

static inline struct fvm_wstr found_canon(const struct found *f)
{
    return (struct fvm_wstr){f->canon, f->look.canon_len};
}

static inline struct fvm_wstr found_base(const struct found *f)
{
    return (struct fvm_wstr){f->base, f->look.base_len};
}

/* The private tree's own names are aliases of what lies in it: Z:\ws\fs\C is C:. */
static inline void alias_private_trees(struct fvm_index *ix)
{
    for (fvm_wchar drive = 'A'; drive <= 'Z'; drive++) {
        fvm_wchar path[] = u"Z:\\ws\\fs\\?", root[] = {drive, ':'};
        path[9] = drive;
        HOLDS(!fvm_index_set_alias(ix, (struct fvm_wstr){path, 10}, (struct fvm_wstr){root, 2},
                                   true));
    }
}

/* to_view(to_private(x)) is x again, for canonical x. */
static inline void check_private_name(const struct fvm_index *ix, struct fvm_wstr canon)
{
    static fvm_wchar nt[FVM_PATH_MAX + 64], view[FVM_PATH_MAX + 64];
    static struct found f;
    uint32_t n = fvm_path_to_private(canon, S(u"\\??\\unix\\ws"), false, nt, FVM_PATH_MAX);
    struct fvm_path out = {.dst = view, .cap = FVM_PATH_MAX};

    if (!n) return; /* too long: the guest refuses such names */
    HOLDS(fvm_path_from_nt((struct fvm_wstr){nt, n}, true, &out) == FVM_PATH_FILE);
    HOLDS(!find_view(ix, (struct fvm_wstr){view, out.len}, &f));
    HOLDS(f.look.private_alias);
    HOLDS(same16(found_canon(&f), canon));
}

#endif
