/* Changing the change index. One writer at a time; readers go on meanwhile. */
#include "index_internal.h"
#include "fvm/fold.h"
#include "fvm/path.h"

static void clear(uint32_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (p[i]) p[i] = 0; /* do not touch (and so allocate) pages that are zero */
}

static void set_up(struct fvm_index *ix)
{
    ix->node_next = ROOT + 1;
    ix->node_free = ix->node_count = ix->origin_count = 0;
    ix->heap_next = ix->nodes + (uint32_t)((uint64_t)ix->node_limit * sizeof(struct node) / 8);
    clear(ix->string_free, STRING_CLASSES);
    *ix_node(ix, ROOT) = (struct node){0};
}

int fvm_index_init(void *block, uint64_t size)
{
    struct fvm_index *ix = block;
    uint64_t units = size / 8, header = (sizeof *ix + 7) / 8;

    if (size < 256 * 1024 || units > UINT32_MAX) return FVM_INDEX_INVALID;
    uint32_t buckets = 1024;
    while ((uint64_t)buckets * 1024 < size)
        buckets *= 2;
    *ix = (struct fvm_index){
        .magic = FVM_INDEX_MAGIC,
        .size = units * 8,
        .bucket_mask = buckets - 1,
        .heap_limit = (uint32_t)(units - FVM_PATH_MAX * sizeof(fvm_wchar) / 8),
        .buckets = (uint32_t)header,
        .origins = (uint32_t)(header + buckets / 2),
        .nodes = (uint32_t)(header + buckets),
        .node_limit = (uint32_t)(size / 4 / sizeof(struct node)),
    };
    set_up(ix);
    return 0;
}

void fvm_index_reset(struct fvm_index *ix)
{
    __atomic_store_n(&ix->seq, ix->seq | 1, __ATOMIC_SEQ_CST);
    clear(ix_buckets(ix), ix->bucket_mask + 1);
    clear(ix_origins(ix), ix->bucket_mask + 1);
    set_up(ix);
}

void fvm_index_rebuilt(struct fvm_index *ix)
{
    __atomic_store_n(&ix->seq, (ix->seq | 1) + 1, __ATOMIC_SEQ_CST);
}

bool fvm_index_busy(const struct fvm_index *ix)
{
    return __atomic_load_n(&ix->seq, __ATOMIC_ACQUIRE) & 1;
}

/* Inside a rebuild the sequence is odd already and stays so. */
static bool write_begin(struct fvm_index *ix)
{
    if (ix->seq & 1) return false;
    __atomic_store_n(&ix->seq, ix->seq + 1, __ATOMIC_SEQ_CST);
    return true;
}

static void write_end(struct fvm_index *ix, bool began)
{
    if (began) __atomic_store_n(&ix->seq, ix->seq + 1, __ATOMIC_SEQ_CST);
}

/* --- strings: blocks of 16, 32, ... bytes, with a free list each ------------------------ */

static unsigned string_class(uint32_t len)
{
    unsigned c = 0;
    while (((uint64_t)16 << c) < (uint64_t)len * 2)
        c++;
    return c;
}

static uint32_t string_new(struct fvm_index *ix, struct fvm_wstr s)
{
    unsigned c = string_class(s.len);
    uint32_t ref = ix->string_free[c], units = 2u << c;
    uint64_t *base = (uint64_t *)ix;

    if (ref) {
        ix->string_free[c] = (uint32_t)base[ref];
    } else {
        if (units > ix->heap_limit - ix->heap_next) return 0;
        ref = ix->heap_next;
        ix->heap_next += units;
    }
    fvm_wchar *dst = (fvm_wchar *)(base + ref);
    for (uint32_t i = 0; i < s.len; i++)
        dst[i] = s.ptr[i];
    return ref;
}

static void string_delete(struct fvm_index *ix, uint32_t ref, uint32_t len)
{
    if (!ref) return;
    unsigned c = string_class(len);
    ((uint64_t *)ix)[ref] = ix->string_free[c];
    ix->string_free[c] = ref;
}

/* --- nodes -------------------------------------------------------------------------------- */

static void bucket_insert(struct fvm_index *ix, uint32_t id)
{
    struct node *n = ix_node(ix, id);
    uint32_t *bucket = &ix_buckets(ix)[n->hash & ix->bucket_mask];

    n->bucket_next = *bucket;
    *bucket = id;
}

static void bucket_remove(struct fvm_index *ix, uint32_t id)
{
    struct node *n = ix_node(ix, id);
    uint32_t *link = &ix_buckets(ix)[n->hash & ix->bucket_mask];

    while (*link && *link != id)
        link = &ix_node(ix, *link)->bucket_next;
    if (*link) *link = n->bucket_next;
}

static void link_child(struct fvm_index *ix, uint32_t id, uint32_t parent)
{
    struct node *n = ix_node(ix, id), *p = ix_node(ix, parent);
    struct fvm_wstr name = ix_string(ix, n->name, n->name_len);

    n->parent = parent;
    n->hash = fvm_name_hash(parent, name.ptr, name.len);
    n->prev_sibling = 0;
    n->next_sibling = p->first_child;
    if (p->first_child) ix_node(ix, p->first_child)->prev_sibling = id;
    p->first_child = id;
    bucket_insert(ix, id);
}

static void unlink_child(struct fvm_index *ix, uint32_t id)
{
    struct node *n = ix_node(ix, id);

    bucket_remove(ix, id);
    if (n->prev_sibling) ix_node(ix, n->prev_sibling)->next_sibling = n->next_sibling;
    else ix_node(ix, n->parent)->first_child = n->next_sibling;
    if (n->next_sibling) ix_node(ix, n->next_sibling)->prev_sibling = n->prev_sibling;
}

static uint32_t node_new(struct fvm_index *ix, uint32_t parent, struct fvm_wstr name)
{
    uint32_t ref = string_new(ix, name), id = ix->node_free;

    if (!ref) return 0;
    if (id) {
        ix->node_free = ix_node(ix, id)->bucket_next;
    } else if (ix->node_next < ix->node_limit) {
        id = ix->node_next++;
    } else {
        string_delete(ix, ref, name.len);
        return 0;
    }
    *ix_node(ix, id) = (struct node){.name = ref, .name_len = name.len};
    link_child(ix, id, parent);
    ix->node_count++;
    return id;
}

static void clear_target(struct fvm_index *ix, uint32_t id)
{
    struct node *n = ix_node(ix, id);

    if (n->flags & FVM_NODE_ORIGIN) {
        uint32_t *link = &ix_origins(ix)[n->origin_hash & ix->bucket_mask];
        while (*link && *link != id)
            link = &ix_node(ix, *link)->origin_next;
        if (*link) *link = n->origin_next;
        ix->origin_count--;
    }
    string_delete(ix, n->target, n->target_len);
    n->target = n->target_len = n->origin_next = 0;
    n->flags &= ~(uint32_t)(FVM_NODE_ORIGIN | FVM_NODE_ALIAS);
}

/* Gives the node a target whose text lies at ref already. */
static void set_target_text(struct fvm_index *ix, uint32_t id, uint32_t ref, uint32_t len,
                            uint32_t flag)
{
    clear_target(ix, id);
    struct node *n = ix_node(ix, id);
    n->target = ref;
    n->target_len = len;
    n->flags |= flag;
    if (flag == FVM_NODE_ORIGIN) {
        n->origin_hash = ix_path_hash(ix_string(ix, ref, len));
        uint32_t *bucket = &ix_origins(ix)[n->origin_hash & ix->bucket_mask];
        n->origin_next = *bucket;
        *bucket = id;
        ix->origin_count++;
    }
}

static bool set_target(struct fvm_index *ix, uint32_t id, struct fvm_wstr target, uint32_t flag)
{
    uint32_t ref = string_new(ix, target);

    if (ref) set_target_text(ix, id, ref, target.len, flag);
    return ref != 0;
}

static void node_delete(struct fvm_index *ix, uint32_t id)
{
    struct node *n = ix_node(ix, id);

    unlink_child(ix, id);
    clear_target(ix, id);
    string_delete(ix, n->name, n->name_len);
    *n = (struct node){.bucket_next = ix->node_free};
    ix->node_free = id;
    ix->node_count--;
}

/* Deletes all nodes below id, without recursion. */
static void delete_below(struct fvm_index *ix, uint32_t id)
{
    uint32_t at = id;

    while (ix_node(ix, id)->first_child) {
        if (ix_node(ix, at)->first_child) {
            at = ix_node(ix, at)->first_child;
        } else {
            uint32_t parent = ix_node(ix, at)->parent;
            node_delete(ix, at);
            at = parent;
        }
    }
}

/* Deletes a node that says nothing any more, and its ancestors for which that holds. */
static void prune(struct fvm_index *ix, uint32_t id)
{
    while (id != ROOT) {
        struct node *n = ix_node(ix, id);
        if (n->first_child || (n->flags & ~(uint32_t)(FVM_NODE_BASE | FVM_NODE_DIRECTORY))) return;
        uint32_t parent = n->parent;
        node_delete(ix, id);
        id = parent;
    }
}

static bool valid(struct fvm_wstr path)
{
    if (!path.len || path.len > NAME_MAX_UNITS) return false;
    for (uint32_t pos = 0; pos < path.len;)
        if (!ix_component(path, &pos).len) return false;
    return path.ptr[path.len - 1] != '\\';
}

static uint32_t find(struct fvm_index *ix, struct fvm_wstr path)
{
    uint32_t id = ROOT;

    for (uint32_t pos = 0; id && pos < path.len;)
        id = ix_find_child(ix, id, ix_component(path, &pos));
    return id;
}

static uint32_t find_or_make(struct fvm_index *ix, struct fvm_wstr path)
{
    uint32_t id = ROOT;

    for (uint32_t pos = 0; pos < path.len;) {
        struct fvm_wstr name = ix_component(path, &pos);
        uint32_t child = ix_find_child(ix, id, name);
        if (!child) child = node_new(ix, id, name);
        if (!child) {
            if (id != ROOT) prune(ix, id);
            return 0;
        }
        id = child;
    }
    return id;
}

/* Gives the node the spelling that the path's last component has. */
static int respell(struct fvm_index *ix, uint32_t id, struct fvm_wstr path)
{
    uint32_t start = fvm_path_parent(path);
    struct fvm_wstr name = {path.ptr + (start ? start + 1 : 0),
                            path.len - (start ? start + 1 : 0)};
    struct node *n = ix_node(ix, id);
    struct fvm_wstr old = ix_string(ix, n->name, n->name_len);

    /* folding maps one unit to one unit: both spellings have one length and one hash */
    if (old.len != name.len) return FVM_INDEX_INVALID;
    fvm_wchar *dst = (fvm_wchar *)((uint64_t *)ix + n->name);
    for (uint32_t i = 0; i < name.len; i++)
        dst[i] = name.ptr[i];
    return 0;
}

int fvm_index_set_private(struct fvm_index *ix, struct fvm_wstr path, bool directory, bool base)
{
    if (!valid(path)) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    uint32_t id = find_or_make(ix, path);
    if (id) {
        struct node *n = ix_node(ix, id);
        uint32_t keep = n->flags & (FVM_NODE_BASE | FVM_NODE_WATCHED);
        respell(ix, id, path);
        /* a directory made anew sees nothing of what the old one knew of the base */
        if (!(n->flags & FVM_NODE_PRIVATE)) delete_below(ix, id);
        clear_target(ix, id);
        n->flags = keep | FVM_NODE_PRIVATE | (directory ? FVM_NODE_DIRECTORY : 0) |
                   (base ? FVM_NODE_BASE : 0);
    }
    write_end(ix, began);
    return id ? 0 : FVM_INDEX_FULL;
}

int fvm_index_set_container(struct fvm_index *ix, struct fvm_wstr path)
{
    if (!valid(path)) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    uint32_t id = find_or_make(ix, path);
    if (id && !(ix_node(ix, id)->flags & (FVM_NODE_PRIVATE | FVM_NODE_HIDDEN)))
        ix_node(ix, id)->flags |= FVM_NODE_CONTAINER | FVM_NODE_DIRECTORY;
    write_end(ix, began);
    return id ? 0 : FVM_INDEX_FULL;
}

static void make_hidden(struct fvm_index *ix, uint32_t id)
{
    delete_below(ix, id);
    clear_target(ix, id);
    ix_node(ix, id)->flags = FVM_NODE_HIDDEN | FVM_NODE_BASE;
}

int fvm_index_set_hidden(struct fvm_index *ix, struct fvm_wstr path)
{
    if (!valid(path)) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    uint32_t id = find_or_make(ix, path);
    if (id) make_hidden(ix, id);
    write_end(ix, began);
    return id ? 0 : FVM_INDEX_FULL;
}

int fvm_index_forget(struct fvm_index *ix, struct fvm_wstr path)
{
    if (!valid(path)) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    uint32_t id = find(ix, path);
    if (id && id != ROOT) {
        delete_below(ix, id);
        clear_target(ix, id);
        ix_node(ix, id)->flags = 0;
        prune(ix, id);
    }
    write_end(ix, began);
    return 0;
}

/* Where in the base the content comes from that is seen at node id (or at a path below it
 * without nodes of its own). Returns false when none of it is the base's. */
static bool base_of(struct fvm_index *ix, struct fvm_wstr path, fvm_wchar *dst, uint32_t *len)
{
    uint32_t id = ROOT;
    bool base = true;

    *len = 0;
    for (uint32_t pos = 0; pos < path.len;) {
        struct fvm_wstr name = ix_component(path, &pos);
        id = id ? ix_find_child(ix, id, name) : 0;
        uint32_t flags = id ? ix_node(ix, id)->flags : 0;
        if (flags & FVM_NODE_ORIGIN) {
            struct fvm_wstr target = fvm_index_target(ix, id);
            for (*len = 0; *len < target.len; (*len)++)
                dst[*len] = target.ptr[*len];
            base = true;
            continue;
        }
        if (flags & (FVM_NODE_PRIVATE | FVM_NODE_HIDDEN)) base = false;
        if (!base) continue;
        if (*len + 1 + name.len > FVM_PATH_MAX) return false;
        if (*len) dst[(*len)++] = '\\';
        for (uint32_t i = 0; i < name.len; i++)
            dst[(*len)++] = name.ptr[i];
    }
    return base && *len;
}

/* Room for one path, kept free at the end of the block. */
static fvm_wchar *scratch(struct fvm_index *ix)
{
    return (fvm_wchar *)((uint64_t *)ix + ix->heap_limit);
}

static bool same_text(struct fvm_wstr a, struct fvm_wstr b)
{
    if (a.len != b.len) return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i]) return false;
    return true;
}

static struct fvm_wstr last_component(struct fvm_wstr path)
{
    uint32_t parent = fvm_path_parent(path), start = parent ? parent + 1 : 0;

    return (struct fvm_wstr){path.ptr + start, path.len - start};
}

static struct fvm_wstr parent_path(struct fvm_wstr path)
{
    return (struct fvm_wstr){path.ptr, fvm_path_parent(path)};
}

/* All that a rename needs room for, taken before anything is changed. */
struct rename_room {
    uint32_t id;          /* the node that moves */
    uint32_t parent;      /* of its new place */
    uint32_t name;        /* text of its new name */
    uint32_t origin;      /* text that says where its content comes from, or 0 */
    uint32_t origin_len;
    uint32_t placeholder; /* hides what lies at its old place in the base, or 0 */
};

/* Deletes what find_or_make() made for nothing on the way to path. */
static void prune_path(struct fvm_index *ix, struct fvm_wstr path)
{
    uint32_t id = path.len ? find(ix, path) : 0;

    if (id) prune(ix, id);
}

static int take_room(struct fvm_index *ix, struct fvm_wstr from, struct fvm_wstr to,
                     struct rename_room *r)
{
    *r = (struct rename_room){.id = find_or_make(ix, from), .parent = ROOT};
    if (!r->id) return FVM_INDEX_FULL;
    uint32_t flags = ix_node(ix, r->id)->flags;
    bool own = flags & (FVM_NODE_PRIVATE | FVM_NODE_ORIGIN);
    bool same = fvm_name_equal(from.ptr, from.len, to.ptr, to.len);

    if (!own) {
        /* the base's own: the node will remember where it comes from */
        fvm_wchar *base = scratch(ix);
        if (flags & FVM_NODE_HIDDEN || !base_of(ix, from, base, &r->origin_len))
            return FVM_INDEX_NOT_FOUND;
        r->origin = string_new(ix, (struct fvm_wstr){base, r->origin_len});
        if (!r->origin) return FVM_INDEX_FULL;
    }
    if (fvm_path_parent(to)) r->parent = find_or_make(ix, parent_path(to));
    r->name = r->parent ? string_new(ix, last_component(to)) : 0;
    if (!r->name) return FVM_INDEX_FULL;
    if (!same && (!own || flags & FVM_NODE_BASE)) {
        /* for a moment two nodes have this name; nobody looks */
        r->placeholder = node_new(ix, ix_node(ix, r->id)->parent, last_component(from));
        if (!r->placeholder) return FVM_INDEX_FULL;
    }
    return 0;
}

static void give_room_back(struct fvm_index *ix, struct fvm_wstr from, struct fvm_wstr to,
                           const struct rename_room *r)
{
    string_delete(ix, r->name, last_component(to).len);
    string_delete(ix, r->origin, r->origin_len);
    prune_path(ix, from);
    prune_path(ix, parent_path(to));
}

static int rename_node(struct fvm_index *ix, struct fvm_wstr from, struct fvm_wstr to,
                       bool directory, bool base_at_to)
{
    struct rename_room r;
    int err = take_room(ix, from, to, &r);

    if (err < 0) {
        give_room_back(ix, from, to, &r);
        return err;
    }
    uint32_t id = r.id, old_parent = ix_node(ix, id)->parent, flags = ix_node(ix, id)->flags;
    bool same = fvm_name_equal(from.ptr, from.len, to.ptr, to.len);

    if (r.origin) {
        set_target_text(ix, id, r.origin, r.origin_len, FVM_NODE_ORIGIN);
        if (directory) ix_node(ix, id)->flags |= FVM_NODE_DIRECTORY;
    }
    if (!same) {
        uint32_t old = find(ix, to);
        if (old) {
            if (ix_node(ix, old)->flags & FVM_NODE_BASE) base_at_to = true;
            delete_below(ix, old);
            node_delete(ix, old);
        }
        ix_node(ix, id)->flags &= ~(uint32_t)FVM_NODE_BASE;
        if (base_at_to) ix_node(ix, id)->flags |= FVM_NODE_BASE;
    } else if (ix_node(ix, id)->flags & FVM_NODE_ORIGIN) {
        ix_node(ix, id)->flags |= flags & FVM_NODE_ORIGIN ? 0 : FVM_NODE_BASE;
    }
    unlink_child(ix, id);
    struct node *n = ix_node(ix, id);
    string_delete(ix, n->name, n->name_len);
    n->name = r.name;
    n->name_len = last_component(to).len;
    link_child(ix, id, r.parent);
    if (r.placeholder)
        ix_node(ix, r.placeholder)->flags = FVM_NODE_HIDDEN | FVM_NODE_BASE;
    else if (!same)
        prune(ix, old_parent);
    /* moved back to where it came from: as in the base again */
    if (n->flags & FVM_NODE_ORIGIN) {
        fvm_wchar *base = scratch(ix);
        uint32_t len, parent_len = fvm_path_parent(to);
        struct fvm_wstr target = fvm_index_target(ix, id);
        if (parent_len && base_of(ix, parent_path(to), base, &len) &&
            len + (to.len - parent_len) <= FVM_PATH_MAX) {
            for (uint32_t i = parent_len; i < to.len; i++)
                base[len++] = to.ptr[i];
            if (same_text(target, (struct fvm_wstr){base, len})) {
                clear_target(ix, id);
                n->flags &= ~(uint32_t)FVM_NODE_BASE;
                if (!(n->flags & FVM_NODE_CONTAINER)) n->flags = 0;
                prune(ix, id);
            }
        }
    }
    return 0;
}

int fvm_index_rename(struct fvm_index *ix, struct fvm_wstr from, struct fvm_wstr to,
                     bool directory, bool base_at_to)
{
    if (!valid(from) || !valid(to)) return FVM_INDEX_INVALID;
    if (fvm_path_below(to, from) && to.len != from.len) return FVM_INDEX_INVALID;
    if (fvm_path_below(from, to) && to.len != from.len) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    int err = rename_node(ix, from, to, directory, base_at_to);
    write_end(ix, began);
    return err;
}

int fvm_index_set_alias(struct fvm_index *ix, struct fvm_wstr path, struct fvm_wstr target,
                        bool private_tree)
{
    if (!valid(path) || !valid(target)) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    uint32_t id = find_or_make(ix, path);
    if (id) {
        if (set_target(ix, id, target, FVM_NODE_ALIAS)) {
            if (private_tree) ix_node(ix, id)->flags |= FVM_NODE_PRIVATE;
        } else {
            prune(ix, id);
            id = 0;
        }
    }
    write_end(ix, began);
    return id ? 0 : FVM_INDEX_FULL;
}

int fvm_index_set_watched(struct fvm_index *ix, struct fvm_wstr path)
{
    if (!valid(path)) return FVM_INDEX_INVALID;
    bool began = write_begin(ix);
    uint32_t id = find(ix, path);
    if (id) ix_node(ix, id)->flags |= FVM_NODE_WATCHED;
    write_end(ix, began);
    return id ? 0 : FVM_INDEX_NOT_FOUND;
}
