/* The change index: what differs between a VM and its base.
 *
 * A tree of nodes by path component. It lies in one block of memory (a section that all
 * processes of a VM share, or plain memory in the command-line tool), holds offsets and
 * no pointers, and can be rebuilt at any time by replaying the VM's log (fvm/log.h).
 *
 * View paths are canonical: a root ("C:"), then components, separated by single
 * backslashes, without a trailing one: "C:", "C:\dir\file". The same form names places
 * in the base. Private files lie in the workspace in the same shape: "C:\dir\file" is
 * private at "C/dir/file" below the workspace's "fs" folder.
 *
 * Readers take no lock: every look-up is valid if fvm_index_read_begin() and
 * fvm_index_read_retry() frame it. Writers are serialised by the caller. */
#ifndef FVM_INDEX_H
#define FVM_INDEX_H

#include "fvm/types.h"

struct fvm_index; /* lives at the start of the caller's block of memory */

/* Errors of the functions below: negative; 0 or a positive number is success. */
enum {
    FVM_INDEX_FULL = -1,      /* no room left in the block */
    FVM_INDEX_NOT_FOUND = -2, /* the record speaks of something that is not there */
    FVM_INDEX_INVALID = -3,   /* malformed path or arguments */
};

/* Bits of a node. */
enum {
    FVM_NODE_PRIVATE = 1,    /* the VM's own file or directory; the base's is hidden */
    FVM_NODE_HIDDEN = 2,     /* deleted or moved away: the base's one is hidden */
    FVM_NODE_DIRECTORY = 4,  /* PRIVATE or MOVED node: is a directory */
    FVM_NODE_CONTAINER = 8,  /* the base's directory is seen, and has a private folder too */
    FVM_NODE_ORIGIN = 16,    /* its content comes from another place of the base */
    FVM_NODE_ALIAS = 32,     /* another name of a directory: look-up starts again there */
    FVM_NODE_WATCHED = 128,  /* a program watches it: not in the log, lost at a rebuild */
    FVM_NODE_BASE = 64,      /* something lies at this place in the base (below PRIVATE or HIDDEN) */
};

/* What a look-up says about a path. */
enum fvm_verdict {
    FVM_PASS,    /* unchanged: base content under its own name */
    FVM_BASE,    /* base content, which lies elsewhere in the base: see real */
    FVM_PRIVATE, /* the VM's own object: real is its place below the private tree */
    FVM_MERGED,  /* a directory of the base (at base) with a private folder (at real) */
    FVM_ABSENT,  /* hidden or never there; the parent exists. real: where a new one goes */
    FVM_NO_PATH, /* an inner component is hidden or missing */
};

/* Longest path in code units that look-ups build; longer ones are FVM_INDEX_INVALID. */
#define FVM_PATH_MAX 32768

struct fvm_lookup {
    enum fvm_verdict verdict;
    uint32_t node;         /* the path's own node, or 0 */
    uint32_t parent;       /* deepest node met on the way (the parent's, if it has one) */
    uint32_t flags;        /* FVM_NODE_* of the node, 0 without one */
    bool parent_private;   /* the parent directory is the VM's own: the base is not seen below */
    bool has_children;     /* the node has nodes below it */
    bool aliased;          /* the path went through an alias: canon is not the input */
    bool is_alias;         /* ... and is the alias itself, not something below it */
    bool private_alias;    /* ... through one into the VM's own private tree */
    fvm_wchar *canon;      /* out: the canonical view path with aliases resolved */
    uint32_t canon_len;
    fvm_wchar *base;       /* out: place in the base, where content of the base is seen here */
    uint32_t base_len;     /*      0 when none can be */
    uint32_t canon_cap, base_cap; /* in: capacity of the buffers, in code units */
};

/* Makes an empty index in a block of size bytes (at least 256 KiB, 8-byte aligned).
 * The block must be zero beyond its first bytes; memory is touched only as it fills. */
int fvm_index_init(void *block, uint64_t size);

/* Empties an index for a rebuild (a writer died in the middle of a change). Readers stay
 * locked out until fvm_index_rebuilt(). Configuration records must be replayed too. */
void fvm_index_reset(struct fvm_index *ix);
void fvm_index_rebuilt(struct fvm_index *ix);
/* True while a change is under way, or was when its writer died. */
bool fvm_index_busy(const struct fvm_index *ix);

/* Number of bytes in use (for reports) and of nodes. */
uint64_t fvm_index_used(const struct fvm_index *ix);
uint32_t fvm_index_nodes(const struct fvm_index *ix);
/* False when nothing of the base is seen at another place: fvm_index_base_to_view() then
 * changes no path. */
bool fvm_index_has_origins(const struct fvm_index *ix);

/* Sequence lock. begin returns the sequence; an odd one means that a writer is at work
 * (or died at it: fvm_index_busy()). retry is true when the look-up must be done again. */
uint32_t fvm_index_read_begin(const struct fvm_index *ix);
bool fvm_index_read_retry(const struct fvm_index *ix, uint32_t seq);

/* Looks a canonical path up. Resolves aliases and origins; never allocates.
 * Returns 0 or a negative error. Safe against concurrent writers in the sense that it
 * ends and stays inside the block; its result then counts only after read_retry. */
int fvm_index_lookup(const struct fvm_index *ix, struct fvm_wstr path, struct fvm_lookup *out);

/* Translates a place in the base to the view path at which the VM sees it now (a moved
 * directory's content is seen at its new place). Returns the length in code units, or a
 * negative error. dst receives the path. */
int fvm_index_base_to_view(const struct fvm_index *ix, struct fvm_wstr base, fvm_wchar *dst,
                           uint32_t cap);

/* Changes. Paths are canonical view paths without aliases in them. Each is idempotent,
 * so that a log may be replayed over a state that already has it. */
int fvm_index_set_private(struct fvm_index *ix, struct fvm_wstr path, bool directory, bool base);
int fvm_index_set_container(struct fvm_index *ix, struct fvm_wstr path);
int fvm_index_set_hidden(struct fvm_index *ix, struct fvm_wstr path);
int fvm_index_forget(struct fvm_index *ix, struct fvm_wstr path); /* as in the base again */
int fvm_index_rename(struct fvm_index *ix, struct fvm_wstr from, struct fvm_wstr to,
                     bool directory, bool base_at_to);
/* Alias: path is another name of target. private_tree marks the private tree itself (a real
 * name of a private file), so that a look-up can tell it from a name of the base. */
int fvm_index_set_alias(struct fvm_index *ix, struct fvm_wstr path, struct fvm_wstr target,
                        bool private_tree);

/* Marks an existing node as watched. */
int fvm_index_set_watched(struct fvm_index *ix, struct fvm_wstr path);
/* True when path's directory, or one above it, is watched. */
bool fvm_index_is_watched(const struct fvm_index *ix, struct fvm_wstr path);

/* Walks the nodes. first_child and next_sibling return 0 at the end. */
uint32_t fvm_index_root(const struct fvm_index *ix);
uint32_t fvm_index_first_child(const struct fvm_index *ix, uint32_t node);
uint32_t fvm_index_next_sibling(const struct fvm_index *ix, uint32_t node);
uint32_t fvm_index_find_child(const struct fvm_index *ix, uint32_t node, struct fvm_wstr name);
uint32_t fvm_index_flags(const struct fvm_index *ix, uint32_t node);
struct fvm_wstr fvm_index_name(const struct fvm_index *ix, uint32_t node);
/* Where the content of an ORIGIN node comes from in the base, or where an alias leads. */
struct fvm_wstr fvm_index_target(const struct fvm_index *ix, uint32_t node);
/* Writes the node's canonical view path; returns its length or a negative error. */
int fvm_index_path(const struct fvm_index *ix, uint32_t node, fvm_wchar *dst, uint32_t cap);

#endif
