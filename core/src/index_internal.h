/* Layout of the index and access to its parts; used by index*.c alone. */
#ifndef FVM_INDEX_INTERNAL_H
#define FVM_INDEX_INTERNAL_H

#include "fvm/index.h"

#define FVM_INDEX_MAGIC 0x31584946U /* "FIX1" */
#define ROOT            1U          /* node above the drives; node 0 is "none" */
#define STRING_CLASSES  14          /* 16 bytes ... 128 KiB */
#define NAME_MAX_UNITS  32767U

struct node {
    uint32_t parent;
    uint32_t hash;        /* of the folded name, seeded with the parent */
    uint32_t bucket_next; /* in the bucket of hash; in the free list of nodes */
    uint32_t first_child, prev_sibling, next_sibling;
    uint32_t flags;
    uint32_t name, name_len;     /* heap reference (8-byte units), code units */
    uint32_t target, target_len; /* origin or alias; 0 without */
    uint32_t origin_next;        /* chain of the bucket of the origin's hash */
    uint32_t origin_hash;
    uint32_t reserved[3];
};

struct fvm_index {
    uint32_t magic;
    volatile uint32_t seq;
    uint64_t size;
    uint32_t bucket_mask;
    uint32_t node_limit, node_next, node_free, node_count;
    uint32_t origin_count;
    uint32_t heap_limit, heap_next; /* in 8-byte units from the start of the block */
    uint32_t string_free[STRING_CLASSES];
    uint32_t buckets, origins, nodes; /* offsets in 8-byte units */
};

static inline uint32_t *ix_buckets(const struct fvm_index *ix)
{
    return (uint32_t *)((uint64_t *)(uintptr_t)ix + ix->buckets);
}

static inline uint32_t *ix_origins(const struct fvm_index *ix)
{
    return (uint32_t *)((uint64_t *)(uintptr_t)ix + ix->origins);
}

/* Never leaves the block, whatever id a half-written node holds. */
static inline struct node *ix_node(const struct fvm_index *ix, uint32_t id)
{
    struct node *nodes = (struct node *)((uint64_t *)(uintptr_t)ix + ix->nodes);
    return &nodes[id < ix->node_limit ? id : 0];
}

static inline struct fvm_wstr ix_string(const struct fvm_index *ix, uint32_t ref, uint32_t len)
{
    uint64_t units = ((uint64_t)len * 2 + 7) / 8;
    if (!ref || len > FVM_PATH_MAX || ref + units > ix->size / 8)
        return (struct fvm_wstr){(const fvm_wchar *)ix, 0};
    return (struct fvm_wstr){(const fvm_wchar *)((uint64_t *)(uintptr_t)ix + ref), len};
}

/* Next component of a path from *pos on; advances *pos behind it and its separator. */
static inline struct fvm_wstr ix_component(struct fvm_wstr path, uint32_t *pos)
{
    uint32_t start = *pos, end = start;
    while (end < path.len && path.ptr[end] != '\\')
        end++;
    *pos = end < path.len ? end + 1 : end;
    return (struct fvm_wstr){path.ptr + start, end - start};
}

/* FNV-1a over folded code units, for whole paths of which every prefix is looked up. */
#define IX_HASH_START 2166136261U
static inline uint32_t ix_hash_unit(uint32_t hash, fvm_wchar folded)
{
    return (hash ^ folded) * 16777619U;
}

uint32_t ix_find_child(const struct fvm_index *ix, uint32_t parent, struct fvm_wstr name);
uint32_t ix_find_origin(const struct fvm_index *ix, struct fvm_wstr path, uint32_t hash);
uint32_t ix_path_hash(struct fvm_wstr path);

#endif
