/* Reading the change index. */
#include "index_internal.h"
#include "fvm/fold.h"
#include "fvm/path.h"

/* A chain that a writer is changing under a reader may run in a circle; the sequence lock
 * makes the reader try again, this bound makes it come back at all. */
#define CHAIN_LIMIT (1u << 20)
#define ALIAS_LIMIT 16

uint64_t fvm_index_used(const struct fvm_index *ix)
{
    uint64_t heap = ix->heap_next - (ix->nodes + (uint64_t)ix->node_limit * sizeof(struct node) / 8);
    return heap * 8 + (uint64_t)ix->node_next * sizeof(struct node);
}

uint32_t fvm_index_nodes(const struct fvm_index *ix) { return ix->node_count; }

bool fvm_index_has_origins(const struct fvm_index *ix) { return ix->origin_count != 0; }

uint32_t fvm_index_read_begin(const struct fvm_index *ix)
{
    return __atomic_load_n(&ix->seq, __ATOMIC_ACQUIRE);
}

bool fvm_index_read_retry(const struct fvm_index *ix, uint32_t seq)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (seq & 1) || __atomic_load_n(&ix->seq, __ATOMIC_RELAXED) != seq;
}

static bool short_name_is(struct fvm_wstr name, struct fvm_wstr component)
{
    fvm_wchar buf[12];
    uint32_t n = fvm_short_name(name, buf);
    return n && fvm_name_equal(buf, n, component.ptr, component.len);
}

/* The host finds a file by its short name too, where that has the form of one. */
static uint32_t find_by_short_name(const struct fvm_index *ix, uint32_t parent,
                                   struct fvm_wstr name)
{
    uint32_t steps = 0;

    for (uint32_t id = ix_node(ix, parent)->first_child; id && steps < CHAIN_LIMIT; steps++) {
        const struct node *n = ix_node(ix, id);
        if (short_name_is(ix_string(ix, n->name, n->name_len), name)) return id;
        id = n->next_sibling;
    }
    return 0;
}

uint32_t ix_find_child(const struct fvm_index *ix, uint32_t parent, struct fvm_wstr name)
{
    uint32_t hash = fvm_name_hash(parent, name.ptr, name.len), steps = 0;
    uint32_t id = ix_buckets(ix)[hash & ix->bucket_mask];

    for (; id && steps < CHAIN_LIMIT; steps++) {
        const struct node *n = ix_node(ix, id);
        if (n->hash == hash && n->parent == parent) {
            struct fvm_wstr own = ix_string(ix, n->name, n->name_len);
            if (fvm_name_equal(own.ptr, own.len, name.ptr, name.len)) return id;
        }
        id = n->bucket_next;
    }
    return 0;
}

static uint32_t find_component(const struct fvm_index *ix, uint32_t parent, struct fvm_wstr name)
{
    uint32_t id = ix_find_child(ix, parent, name);

    /* Wine's short names carry the tilde at the fifth place at the latest */
    if (!id && name.len >= 8 && name.len <= 12 && name.ptr[4] == '~' &&
        ix_node(ix, parent)->first_child)
        id = find_by_short_name(ix, parent, name);
    return id;
}

uint32_t ix_path_hash(struct fvm_wstr path)
{
    uint32_t hash = IX_HASH_START;
    for (uint32_t i = 0; i < path.len; i++)
        hash = ix_hash_unit(hash, fvm_upcase(path.ptr[i]));
    return hash;
}

uint32_t ix_find_origin(const struct fvm_index *ix, struct fvm_wstr path, uint32_t hash)
{
    uint32_t id = ix_origins(ix)[hash & ix->bucket_mask], steps = 0;

    for (; id && steps < CHAIN_LIMIT; steps++) {
        const struct node *n = ix_node(ix, id);
        struct fvm_wstr target = ix_string(ix, n->target, n->target_len);
        if (n->origin_hash == hash && (n->flags & FVM_NODE_ORIGIN) &&
            fvm_name_equal(target.ptr, target.len, path.ptr, path.len))
            return id;
        id = n->origin_next;
    }
    return 0;
}

/* Sets one of the output paths; false when it does not fit. */
static bool set(fvm_wchar *dst, uint32_t cap, uint32_t *len, struct fvm_wstr s)
{
    if (s.len > cap) return false;
    for (uint32_t i = 0; i < s.len; i++)
        dst[i] = s.ptr[i];
    *len = s.len;
    return true;
}

static bool add(fvm_wchar *dst, uint32_t cap, uint32_t *len, struct fvm_wstr s)
{
    bool separator = *len != 0;
    if (s.len + separator > cap - *len) return false;
    if (separator) dst[(*len)++] = '\\';
    for (uint32_t i = 0; i < s.len; i++)
        dst[(*len)++] = s.ptr[i];
    return true;
}

/* State of a walk from the root to a path's last component. */
struct walk {
    uint32_t node;
    bool base;    /* content of the base can be seen here, at out->base */
    bool natural; /* ... under the same path */
    bool gone;    /* an inner component is hidden */
};

/* Enters a node: what is seen at it and, for the walk below it, of the base. */
static bool enter(const struct fvm_index *ix, struct walk *w, uint32_t id, struct fvm_wstr name,
                  struct fvm_lookup *out)
{
    const struct node *n = ix_node(ix, id);

    w->node = id;
    out->flags = n->flags;
    if (!add(out->canon, out->canon_cap, &out->canon_len, ix_string(ix, n->name, n->name_len)))
        return false;
    if (n->flags & FVM_NODE_PRIVATE) {
        w->base = false;
        w->gone |= !(n->flags & FVM_NODE_DIRECTORY);
    } else if (n->flags & FVM_NODE_ORIGIN) {
        w->base = true;
        w->natural = false;
        return set(out->base, out->base_cap, &out->base_len,
                   ix_string(ix, n->target, n->target_len));
    } else if (n->flags & FVM_NODE_HIDDEN) {
        w->base = false;
        w->gone = true;
    } else if (w->base) {
        return add(out->base, out->base_cap, &out->base_len, name);
    }
    return true;
}

static void set_verdict(struct fvm_lookup *out, const struct walk *w, bool own_node, bool was_gone)
{
    uint32_t flags = own_node ? out->flags : 0;

    if (!w->base) out->base_len = 0;
    if (was_gone)
        out->verdict = FVM_NO_PATH;
    else if (flags & FVM_NODE_PRIVATE)
        out->verdict = FVM_PRIVATE;
    else if (!w->base)
        out->verdict = FVM_ABSENT;
    else if (flags & FVM_NODE_CONTAINER)
        out->verdict = FVM_MERGED;
    else
        out->verdict = w->natural ? FVM_PASS : FVM_BASE;
}

/* The path being walked: after an alias, the alias's target stands in front of what is left. */
struct source {
    struct fvm_wstr front, rest;
    uint32_t front_pos, rest_pos;
};

static bool more(const struct source *s)
{
    return s->front_pos < s->front.len || s->rest_pos < s->rest.len;
}

static struct fvm_wstr next(struct source *s)
{
    return s->front_pos < s->front.len ? ix_component(s->front, &s->front_pos)
                                       : ix_component(s->rest, &s->rest_pos);
}

/* No node any more: all the rest is as in the base, or missing. */
static int finish_unknown(struct walk *w, struct source *src, struct fvm_wstr name,
                          struct fvm_lookup *out)
{
    bool gone = w->gone || (more(src) && !w->base);

    out->flags = 0;
    out->parent = w->node;
    out->parent_private = !w->base;
    for (;;) {
        if (!name.len || !add(out->canon, out->canon_cap, &out->canon_len, name))
            return FVM_INDEX_INVALID;
        if (w->base && !add(out->base, out->base_cap, &out->base_len, name))
            return FVM_INDEX_INVALID;
        if (!more(src)) break;
        name = next(src);
    }
    set_verdict(out, w, false, gone);
    return 0;
}

int fvm_index_lookup(const struct fvm_index *ix, struct fvm_wstr path, struct fvm_lookup *out)
{
    struct source src = {.rest = path};
    uint32_t aliases = 0;

    out->aliased = out->is_alias = out->private_alias = false;
restart:;
    struct walk w = {.node = ROOT, .base = true, .natural = true};
    out->node = out->parent = out->flags = 0;
    out->canon_len = out->base_len = 0;
    out->parent_private = out->has_children = false;

    while (more(&src)) {
        struct fvm_wstr name = next(&src);
        if (!name.len) return FVM_INDEX_INVALID;

        uint32_t id = find_component(ix, w.node, name);
        if (!id) return finish_unknown(&w, &src, name, out);

        const struct node *n = ix_node(ix, id);
        if (n->flags & FVM_NODE_ALIAS) {
            /* targets are canonical: an alias is never met inside another one's target */
            if (src.front_pos < src.front.len || ++aliases > ALIAS_LIMIT)
                return FVM_INDEX_INVALID;
            out->aliased = true;
            out->is_alias = !more(&src);
            out->private_alias |= (n->flags & FVM_NODE_PRIVATE) != 0;
            src.front = ix_string(ix, n->target, n->target_len);
            src.front_pos = 0;
            if (!src.front.len) return FVM_INDEX_INVALID;
            goto restart;
        }
        bool gone = w.gone;
        out->parent = w.node;
        out->parent_private = !w.base;
        if (!enter(ix, &w, id, name, out)) return FVM_INDEX_INVALID;
        if (!more(&src)) {
            out->node = id;
            out->has_children = n->first_child != 0;
            set_verdict(out, &w, true, gone);
            return 0;
        }
    }
    return FVM_INDEX_INVALID; /* an empty path */
}

int fvm_index_base_to_view(const struct fvm_index *ix, struct fvm_wstr base, fvm_wchar *dst,
                           uint32_t cap)
{
    uint32_t found = 0, found_len = 0, len = 0, hash = IX_HASH_START;

    /* The longest moved part decides: what was moved out of a moved directory has an origin
     * of its own, a longer one. */
    for (uint32_t i = 0; ix->origin_count && i <= base.len; i++) {
        if (i == base.len || base.ptr[i] == '\\') {
            uint32_t id = ix_find_origin(ix, (struct fvm_wstr){base.ptr, i}, hash);
            if (id) found = id, found_len = i;
        }
        if (i < base.len) hash = ix_hash_unit(hash, fvm_upcase(base.ptr[i]));
    }
    if (!found) return set(dst, cap, &len, base) ? (int)len : FVM_INDEX_INVALID;
    int head = fvm_index_path(ix, found, dst, cap);
    if (head < 0) return head;
    if (base.len - found_len > cap - (uint32_t)head) return FVM_INDEX_INVALID;
    for (uint32_t i = found_len; i < base.len; i++)
        dst[head++] = base.ptr[i];
    return head;
}

bool fvm_index_is_watched(const struct fvm_index *ix, struct fvm_wstr path)
{
    uint32_t id = ROOT, end = fvm_path_parent(path);

    for (uint32_t pos = 0; id && pos < end;) {
        id = ix_find_child(ix, id, ix_component((struct fvm_wstr){path.ptr, end}, &pos));
        if (id && (ix_node(ix, id)->flags & FVM_NODE_WATCHED)) return true;
    }
    return false;
}

uint32_t fvm_index_root(const struct fvm_index *ix)
{
    (void)ix;
    return ROOT;
}

uint32_t fvm_index_first_child(const struct fvm_index *ix, uint32_t node)
{
    return ix_node(ix, node)->first_child;
}

uint32_t fvm_index_next_sibling(const struct fvm_index *ix, uint32_t node)
{
    return ix_node(ix, node)->next_sibling;
}

uint32_t fvm_index_find_child(const struct fvm_index *ix, uint32_t node, struct fvm_wstr name)
{
    return ix_find_child(ix, node, name);
}

uint32_t fvm_index_flags(const struct fvm_index *ix, uint32_t node)
{
    return ix_node(ix, node)->flags;
}

struct fvm_wstr fvm_index_name(const struct fvm_index *ix, uint32_t node)
{
    const struct node *n = ix_node(ix, node);
    return ix_string(ix, n->name, n->name_len);
}

struct fvm_wstr fvm_index_target(const struct fvm_index *ix, uint32_t node)
{
    const struct node *n = ix_node(ix, node);
    return ix_string(ix, n->target, n->target_len);
}

int fvm_index_path(const struct fvm_index *ix, uint32_t node, fvm_wchar *dst, uint32_t cap)
{
    uint32_t total = 0, depth = 0;

    for (uint32_t id = node; id != ROOT; id = ix_node(ix, id)->parent, depth++) {
        if (!id || depth > FVM_PATH_MAX) return FVM_INDEX_NOT_FOUND;
        total += ix_node(ix, id)->name_len + (total ? 1 : 0);
        if (total > cap) return FVM_INDEX_INVALID;
    }
    uint32_t end = total;
    for (uint32_t id = node; id != ROOT; id = ix_node(ix, id)->parent) {
        struct fvm_wstr name = fvm_index_name(ix, id);
        if (name.len > end) return FVM_INDEX_NOT_FOUND; /* a writer was faster */
        end -= name.len;
        for (uint32_t i = 0; i < name.len; i++)
            dst[end + i] = name.ptr[i];
        if (end) dst[--end] = '\\';
    }
    return (int)total;
}
