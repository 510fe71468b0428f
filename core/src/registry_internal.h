/* Layout of the store of registry changes; used by registry*.c alone. */
#ifndef FVM_REGISTRY_INTERNAL_H
#define FVM_REGISTRY_INTERNAL_H

#include "fvm/fold.h"
#include "fvm/registry.h"

#define FVM_REG_MAGIC 0x31475246U /* "FRG1" */
#define SIZE_CLASSES  64 /* two for each power of two, from 16 bytes */
#define LINK_LIMIT    32 /* as on the host */
#define SERIAL_BUCKETS 4096u

struct named { /* what keys and values begin with */
    uint32_t reserved; /* in a free block: the next one, so that the birth stays 0 */
    uint32_t birth;    /* tells it from others that were here before; 0: free */
    uint32_t name, name_len;
};

struct node {
    uint32_t reserved, birth, name, name_len; /* struct named */
    uint32_t serial; /* PRIVATE: names the key for ever, in the log too */
    uint32_t serial_next;
    uint32_t parent;
    uint32_t flags;
    uint32_t class, class_len; /* code units */
    uint32_t origin, origin_len;
    uint32_t origin_next;
    uint64_t time;
    uint32_t kids, kid_count, kid_cap; /* sorted references of nodes */
    uint32_t kid_seq;
    uint32_t values, value_count, value_cap; /* sorted references of struct value */
    uint32_t value_seq;
};

struct value {
    uint32_t reserved, birth, name, name_len; /* struct named */
    uint32_t type;
    uint32_t deleted;
    uint32_t base_name; /* the base has the value and its name's spelling holds */
    uint32_t data, size;
};

struct link { /* of the base */
    uint32_t next;
    volatile uint32_t state; /* not looked at yet, good, dead */
    uint32_t hash;
    uint32_t path, path_len, target, target_len;
};

struct fvm_reg {
    uint32_t magic;
    volatile uint32_t seq;
    uint64_t size;
    uint32_t start, next, limit; /* the heap, in 8-byte units from the start of the block */
    uint32_t free[SIZE_CLASSES];
    uint64_t used;
    uint32_t root;
    uint32_t births, serials, changes;
    uint32_t origins, origin_count; /* chain of nodes */
    uint32_t links;                 /* chain of struct link */
    uint32_t link_filter[64];       /* by length of their paths: first letters of their names */
    uint32_t config, config_len; /* bytes */
    uint32_t serial_buckets[SERIAL_BUCKETS];
    uint64_t zeros[16];          /* what a wrong reference leads to */
    fvm_wchar scratch[2][FVM_REG_PATH_MAX]; /* the writer's */
    struct fvm_reg_state state;
};

/* What a reference leads to, if size bytes of it lie inside the block; else zeros. */
static inline void *rg_at(const struct fvm_reg *r, uint32_t ref, uint64_t size)
{
    uint64_t at = (uint64_t)ref * 8;
    if (!ref || at > r->size || size > r->size - at) return (void *)(uintptr_t)r->zeros;
    return (char *)(uintptr_t)r + at;
}

static inline struct node *rg_node(const struct fvm_reg *r, uint32_t ref)
{
    return rg_at(r, ref, sizeof(struct node));
}

static inline struct value *rg_value(const struct fvm_reg *r, uint32_t ref)
{
    return rg_at(r, ref, sizeof(struct value));
}

/* The i-th element of an array of count references. */
static inline uint32_t rg_element(const struct fvm_reg *r, uint32_t array, uint32_t count,
                                  uint32_t i)
{
    const uint32_t *p = rg_at(r, array, (uint64_t)count * 4);
    return (const uint64_t *)(const void *)p == r->zeros ? 0 : p[i];
}

static inline struct fvm_wstr rg_string(const struct fvm_reg *r, uint32_t ref, uint32_t len)
{
    const fvm_wchar *p = rg_at(r, ref, (uint64_t)len * 2);
    bool wrong = (const uint64_t *)(const void *)p == r->zeros;
    return (struct fvm_wstr){p, wrong ? 0 : len};
}

static inline struct fvm_wstr rg_component(struct fvm_wstr path, uint32_t *pos)
{
    uint32_t start = *pos, end = start;
    while (end < path.len && path.ptr[end] != '\\')
        end++;
    *pos = end < path.len ? end + 1 : end;
    return (struct fvm_wstr){path.ptr + start, end - start};
}

/* May a key of the base whose path has len units, the last of them name, be a link? Nearly
 * always this tells that it is none. */
static inline bool rg_may_be_link(const struct fvm_reg *r, uint32_t len, struct fvm_wstr name)
{
    return name.len && r->link_filter[len & 63] >> (fvm_downcase(name.ptr[0]) & 31) & 1;
}

/* Index of the child or value of this name, or where it would stand. */
bool rg_search_kids(const struct fvm_reg *r, const struct node *n, struct fvm_wstr name,
                    uint32_t *index);
bool rg_search_values(const struct fvm_reg *r, const struct node *n, struct fvm_wstr name,
                      uint32_t *index);
uint32_t rg_hash_unit(uint32_t hash, fvm_wchar c);
#define RG_HASH_START 2166136261U

static inline void rg_copy(void *dst, const void *src, uint64_t n)
{
    if (n) __builtin_memcpy(dst, src, n);
}

/* --- registry_memory.c: for the writer ------------------------------------------------------ */
/* A block of at least size bytes, not cleared; 0 without room. */
uint32_t rg_allocate(struct fvm_reg *r, uint64_t size);
/* size: as it was allocated. ref may be 0. */
void rg_release(struct fvm_reg *r, uint32_t ref, uint64_t size);
/* A copy of the bytes; 0 for none. False without room. */
bool rg_keep(struct fvm_reg *r, const void *bytes, uint64_t size, uint32_t *ref);
bool rg_array_insert(struct fvm_reg *r, uint32_t *array, uint32_t *count, uint32_t *cap,
                     uint32_t index, uint32_t element);
void rg_array_remove(struct fvm_reg *r, uint32_t array, uint32_t *count, uint32_t index);

/* --- registry_node.c: for the writer ---------------------------------------------------------- */
uint32_t rg_new_birth(struct fvm_reg *r);
/* Enters a node with an origin into the chain of those. */
void rg_link_origin(struct fvm_reg *r, uint32_t id);
void rg_set_serial(struct fvm_reg *r, uint32_t id, uint32_t serial);
/* A new child, which must not be there; 0 without room. */
uint32_t rg_add_kid(struct fvm_reg *r, uint32_t parent, struct fvm_wstr name);
void rg_unlink_kid(struct fvm_reg *r, uint32_t id);
void rg_free_value(struct fvm_reg *r, uint32_t ref);
/* Empties a key: values, class and all below it. */
void rg_clear_node(struct fvm_reg *r, uint32_t id);
/* The same, and the node itself, which is in no list any more. */
void rg_free_node(struct fvm_reg *r, uint32_t id);
/* Removes a key that the VM sees no more. */
void rg_vanish(struct fvm_reg *r, uint32_t id);
/* The node at a path; make: keys on the way are ones of the base. 0: none, or no room. */
uint32_t rg_node_at(struct fvm_reg *r, struct fvm_wstr path, bool make, int *error);

#endif
