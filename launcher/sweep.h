/* Compares a workspace's files with its index. */
#ifndef LAUNCHER_SWEEP_H
#define LAUNCHER_SWEEP_H

#include "space.h"

enum sweep_kind {
    SWEEP_ORPHAN,      /* a private file or tree that the log knows nothing of */
    SWEEP_EMPTY,       /* folders without any file in them, which the log knows nothing of */
    SWEEP_SPELLING,    /* a private file whose name differs in case from the log's */
    SWEEP_UNREACHABLE, /* the log has something below a deleted folder or below a file */
    SWEEP_MISSING,     /* a private object without its file: deleted in the VM. Legal */
};

struct sweep_item {
    enum sweep_kind kind;
    char *file;       /* Unix path, where there is one */
    char *wanted;     /* SWEEP_SPELLING: the path as it should be */
    struct wbuf view; /* place in the view */
};

struct sweep {
    struct sweep_item *list;
    size_t count, cap;
    size_t files, folders; /* private ones, as they should be */
};

/* Collects what does not fit. Index without configuration. Nothing is changed. */
int sweep_collect(const struct vm *vm, const struct fvm_index *ix, struct sweep *out,
                  struct err **err);
void sweep_free(struct sweep *s);

/* Mends what was found: orphans go to lost+found, empty folders are removed, spellings
 * corrected. Needs the exclusive lock. */
int sweep_mend(const struct vm *vm, const struct sweep *s, struct err **err);

#endif
