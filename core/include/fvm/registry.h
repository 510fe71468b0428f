/* The private registry of a VM: what differs from the base's registry, down to the value.
 *
 * A tree of keys with values in one block of memory that all processes of a VM share. It
 * holds only what the VM has changed and can be rebuilt at any time by replaying the VM's
 * registry log (fvm/registry_log.h). It holds references, no pointers.
 *
 * Paths are relative to \Registry: "Machine\Software\X", components separated by single
 * backslashes; a component may hold every other code unit. The empty path is \Registry.
 *
 * Names are compared, and children and values sorted, as the host does it: by lower-case
 * forms, a shorter name first.
 *
 * Readers take no lock: what they read counts if fvm_reg_read_begin() and
 * fvm_reg_read_retry() frame it; until then it may be nonsense, but reading ends and stays
 * inside the block. Writers are serialised by the caller. */
#ifndef FVM_REGISTRY_H
#define FVM_REGISTRY_H

#include "fvm/types.h"

struct fvm_reg;
struct fvm_reg_record; /* fvm/registry_log.h */

/* Errors: negative. */
enum {
    FVM_REG_FULL = -1,      /* no room left in the block */
    FVM_REG_NOT_FOUND = -2, /* the record speaks of something that is not there */
    FVM_REG_INVALID = -3,   /* malformed path, too many links */
};

/* Bits of a key. A key without PRIVATE, HIDDEN and ORIGIN is one of the base with changes. */
enum {
    FVM_REG_PRIVATE = 1,  /* the VM's own key: nothing of the base is seen at or below it */
    FVM_REG_HIDDEN = 2,   /* deleted or renamed: the base's key is not seen */
    FVM_REG_ORIGIN = 4,   /* the base's key is seen here that lies elsewhere in the base */
    FVM_REG_BASE = 8,     /* PRIVATE, HIDDEN, ORIGIN: the base has a key of this name here */
    FVM_REG_VOLATILE = 16, /* ends with the VM's run */
    FVM_REG_LINK = 32,    /* PRIVATE: a symbolic link, its value SymbolicLinkValue says where to */
    FVM_REG_CLASS = 64,   /* has a class of its own, which replaces that of the base's key */
};

/* Longest path in code units. */
#define FVM_REG_PATH_MAX 32768U
/* Longest name of a key, and of a value, in code units, as on the host. */
#define FVM_REG_KEY_MAX   256U
#define FVM_REG_VALUE_MAX 16383U

/* What a look-up says about a path. */
enum fvm_reg_verdict {
    FVM_REG_IS_BASE,    /* a key of the base, if it has one: at base; node may say what differs */
    FVM_REG_IS_PRIVATE, /* the VM's own key */
    FVM_REG_IS_ABSENT,  /* no such key; its parent is there as far as is known here */
    FVM_REG_NO_PATH,    /* no such key, nor a parent */
};

struct fvm_reg_lookup {
    enum fvm_reg_verdict verdict;
    uint32_t node;      /* the key's own node, or 0; for ABSENT that of a hidden key */
    uint32_t serial;    /* of a private key: names it for ever; else 0 */
    uint32_t parent;    /* the parent's node, or 0 */
    uint32_t flags;     /* FVM_REG_* of the node, 0 without one */
    bool parent_private; /* the parent is the VM's own key */
    bool linked;        /* a link was followed: canon is not the input */
    bool moved;         /* IS_BASE: base is not canon */
    uint32_t unchecked; /* a link of the base that was followed without being sure of it, or 0 */
    fvm_wchar *canon;   /* out: the path with links resolved */
    uint32_t canon_len;
    fvm_wchar *base;    /* out, IS_BASE: the key's place in the base */
    uint32_t base_len;
};

/* Makes an empty store in a block of size bytes (at least 1 MiB, 8-byte aligned, zero). config
 * is a registry log (with header) of FVM_REG_OP_LINK records that stays through resets; may be
 * NULL. */
int fvm_reg_init(void *block, uint64_t size, const void *config, uint32_t config_len);
/* Empties the store for a rebuild (a writer has died). Readers stay locked out until
 * fvm_reg_rebuilt(). */
void fvm_reg_reset(struct fvm_reg *r);
void fvm_reg_rebuilt(struct fvm_reg *r);
/* True while a change is under way, or was when its writer died. */
bool fvm_reg_busy(const struct fvm_reg *r);

uint32_t fvm_reg_read_begin(const struct fvm_reg *r);
bool fvm_reg_read_retry(const struct fvm_reg *r, uint32_t seq);

/* Number of changes ever applied: 0 means that all is as in the base. */
uint32_t fvm_reg_changes(const struct fvm_reg *r);
/* Bytes of names and data in use, and bytes of the block that are still free at the least. */
uint64_t fvm_reg_used(const struct fvm_reg *r);
uint64_t fvm_reg_free_space(const struct fvm_reg *r);
/* Is there room for sure to apply a record that is size bytes long in the log? */
bool fvm_reg_has_room(const struct fvm_reg *r, uint64_t size);

/* Looks a path up. canon and base must hold FVM_REG_PATH_MAX code units each. open_link: a
 * link that is the last component is not followed. Returns 0 or a negative error. */
int fvm_reg_lookup(const struct fvm_reg *r, struct fvm_wstr path, bool open_link,
                   struct fvm_reg_lookup *out);
/* What the VM sees of the base's key at base, a path without links and in a store without
 * origins: IS_BASE, and *node says what differs (0: nothing), or NO_PATH: it is hidden. */
enum fvm_reg_verdict fvm_reg_walk(const struct fvm_reg *r, struct fvm_wstr base, uint32_t *node);
/* The short way of a look-up, for nearly all of them: below the key of the base at path base,
 * whose node is node (0: none), the key at rest is one of the base, at that place, and no link is
 * on the way. *leaf is its node, or 0. False tells nothing. */
bool fvm_reg_is_plain(const struct fvm_reg *r, uint32_t node, struct fvm_wstr base,
                      struct fvm_wstr rest, uint32_t *leaf);
/* The base's links are known from its files, which may be older than what the host has in
 * memory: before the first one is relied on, it is to be checked. */
struct fvm_wstr fvm_reg_link_path(const struct fvm_reg *r, uint32_t link);
struct fvm_wstr fvm_reg_link_target(const struct fvm_reg *r, uint32_t link);
void fvm_reg_link_checked(struct fvm_reg *r, uint32_t link, bool good);
/* True when keys of the base were renamed in the VM. */
bool fvm_reg_has_origins(const struct fvm_reg *r);
/* The path at which the VM sees the base's key at base, if it sees it at all: only renames are
 * looked at. Returns its length or a negative error. dst: FVM_REG_PATH_MAX units. */
int fvm_reg_base_to_view(const struct fvm_reg *r, struct fvm_wstr base, fvm_wchar *dst);

/* --- keys. All take any number for a node and answer nothing for a wrong one. ------------- */
uint32_t fvm_reg_root(const struct fvm_reg *r);
uint32_t fvm_reg_serial(const struct fvm_reg *r, uint32_t node);
/* The node of the private key with this serial number, 0 when it is no more. */
uint32_t fvm_reg_find_serial(const struct fvm_reg *r, uint32_t serial);
/* The serial number for the next key that is made. */
uint32_t fvm_reg_next_serial(const struct fvm_reg *r);
/* A number that no other node or value of this store has had. */
uint32_t fvm_reg_birth(const struct fvm_reg *r, uint32_t node);
uint32_t fvm_reg_flags(const struct fvm_reg *r, uint32_t node);
uint64_t fvm_reg_time(const struct fvm_reg *r, uint32_t node); /* last write, 0: not by the VM */
struct fvm_wstr fvm_reg_name(const struct fvm_reg *r, uint32_t node);
struct fvm_wstr fvm_reg_class(const struct fvm_reg *r, uint32_t node);
struct fvm_wstr fvm_reg_origin(const struct fvm_reg *r, uint32_t node);
/* The node's path; returns its length or a negative error. dst: FVM_REG_PATH_MAX units. */
int fvm_reg_path(const struct fvm_reg *r, uint32_t node, fvm_wchar *dst);

uint32_t fvm_reg_child_count(const struct fvm_reg *r, uint32_t node);
/* The child at an index in sorted order, 0 beyond the end. */
uint32_t fvm_reg_child(const struct fvm_reg *r, uint32_t node, uint32_t index);
uint32_t fvm_reg_find_child(const struct fvm_reg *r, uint32_t node, struct fvm_wstr name);
/* Counts changes of the set of children, and of the set of values. */
uint32_t fvm_reg_child_seq(const struct fvm_reg *r, uint32_t node);
uint32_t fvm_reg_value_seq(const struct fvm_reg *r, uint32_t node);

struct fvm_reg_value {
    uint32_t birth;
    struct fvm_wstr name;
    uint32_t type;
    bool deleted; /* the base's value is not seen */
    bool base_name; /* it has taken the place of the base's, whose spelling of the name holds */
    const void *data;
    uint32_t size; /* bytes */
};
uint32_t fvm_reg_value_count(const struct fvm_reg *r, uint32_t node);
/* The value at an index in sorted order. False beyond the end. */
bool fvm_reg_value_at(const struct fvm_reg *r, uint32_t node, uint32_t index,
                      struct fvm_reg_value *out);
bool fvm_reg_find_value(const struct fvm_reg *r, uint32_t node, struct fvm_wstr name,
                        struct fvm_reg_value *out);

/* The host's order of names of keys and values. <0, 0, >0. */
int fvm_reg_compare(struct fvm_wstr a, struct fvm_wstr b);

/* Applies a record: the only way to change the store. Returns 0 or a negative error; what an
 * error leaves is consistent. */
int fvm_reg_apply(struct fvm_reg *r, const struct fvm_reg_record *record);
/* Is it one of the keys that the host makes volatile at each start (with those below it)? What a
 * VM changes in them ends with its run. */
bool fvm_reg_is_temporary(const struct fvm_reg *r, uint32_t node);
/* Removes all keys that end with the VM's run. Returns how many there were. */
uint32_t fvm_reg_drop_volatile(struct fvm_reg *r);

/* Parses an absolute name ("\Registry\Machine\X") to a path: dst holds FVM_REG_PATH_MAX units.
 * Runs of backslashes count as one, trailing ones are dropped, as the host does it. Returns the
 * length, FVM_REG_NOT_FOUND when the name is not one of the registry's, FVM_REG_INVALID when it
 * is too long. */
int fvm_reg_path_from_nt(struct fvm_wstr nt, fvm_wchar *dst);
/* Appends a relative name to the path of len units in dst. Returns the new length or
 * FVM_REG_INVALID. */
int fvm_reg_path_append(fvm_wchar *dst, uint32_t len, struct fvm_wstr relative);

/* --- state shared by the VM's processes besides the tree ----------------------------------- */

#define FVM_REG_WATCHES 256U

/* A program that waits for changes: its event is registered with the host on a key of its own,
 * which a writer touches that changes what it waits for. */
struct fvm_reg_watch {
    volatile uint32_t used; /* 0 free, 1 being made or removed, 2 in use */
    volatile uint32_t fired; /* times that a change was told */
    uint32_t pid;
    uint32_t filter; /* REG_NOTIFY_CHANGE_* */
    uint32_t subtree;
    uint32_t path_len;
    fvm_wchar path[506]; /* longer ones are watched by their first part, with all below it */
};

struct fvm_reg_state {
    volatile uint64_t log_tail; /* bytes of the log that are valid; 0: there is no file yet */
    volatile uint64_t log_seq;
    volatile uint32_t repairs;    /* the shared block's count when the store was last known good */
    volatile uint32_t generation; /* of the log's file: it was replaced */
    volatile uint32_t monitors;   /* running ones */
    volatile uint32_t watch_count; /* watches in use, about */
    volatile uint32_t shadowed; /* the key of shadows was made */
    volatile uint32_t secured;  /* the security of a key of the base was set */
    fvm_wchar shadow[64];       /* name of the key that holds the VM's volatile shadows */
    uint32_t shadow_len;
    struct fvm_reg_watch watches[FVM_REG_WATCHES];
};
struct fvm_reg_state *fvm_reg_state(const struct fvm_reg *r);

#endif
