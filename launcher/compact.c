#include "compact.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fvm/log.h"
#include "fvm/path.h"
#include "util.h"

#define VERIFY_SIZE ((size_t)1 << 30)

struct origin {
    uint32_t node;
    struct fvm_wstr target;
    struct wbuf temporary; /* where it waits until all of the base is out of the way */
};

struct writer {
    const struct fvm_index *ix;
    char *data;
    size_t len, cap;
    uint64_t seq;
    struct origin *origins;
    size_t origin_count, origin_cap;
};

static void write_record(struct writer *w, enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                         struct fvm_wstr other)
{
    struct fvm_log_record r = {
        .op = op, .flags = flags, .seq = ++w->seq, .path = path, .other = other};
    uint32_t size = fvm_log_size(&r);
    if (w->cap - w->len < size) {
        while (w->cap - w->len < size)
            w->cap *= 2;
        w->data = xrealloc(w->data, w->cap);
    }
    fvm_log_encode(&r, w->data + w->len);
    w->len += size;
}

/* Nodes below a deleted folder or a file say nothing: they are left out. */
static bool reaches_below(uint32_t flags)
{
    if (flags & FVM_NODE_ALIAS) return false;
    if (flags & FVM_NODE_PRIVATE) return flags & FVM_NODE_DIRECTORY;
    return (flags & FVM_NODE_ORIGIN) || !(flags & FVM_NODE_HIDDEN);
}

static void find_origins(struct writer *w, uint32_t node)
{
    for (uint32_t id = fvm_index_first_child(w->ix, node); id;
         id = fvm_index_next_sibling(w->ix, id)) {
        uint32_t flags = fvm_index_flags(w->ix, id);
        if (flags & FVM_NODE_ORIGIN) {
            if (w->origin_count == w->origin_cap) {
                w->origin_cap = w->origin_cap ? w->origin_cap * 2 : 16;
                w->origins = xrealloc(w->origins, w->origin_cap * sizeof *w->origins);
            }
            w->origins[w->origin_count++] =
                (struct origin){.node = id, .target = fvm_index_target(w->ix, id)};
        }
        if (reaches_below(flags)) find_origins(w, id);
    }
}

static int longest_first(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;
    return x->target.len < y->target.len ? 1 : x->target.len > y->target.len ? -1 : 0;
}

static int by_node(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;
    return x->node < y->node ? -1 : x->node > y->node;
}

static uint32_t record_flags(uint32_t node_flags)
{
    return (node_flags & FVM_NODE_DIRECTORY ? FVM_LOG_DIRECTORY : 0u) |
           (node_flags & FVM_NODE_BASE ? FVM_LOG_BASE : 0u);
}

/* Moves everything that was moved out of its place in the base, inner things first, so that
 * each is still where the base has it. Names that no file can have keep the waiting ones from
 * meeting anything. */
static void move_out(struct writer *w)
{
    if (w->origin_count) qsort(w->origins, w->origin_count, sizeof *w->origins, longest_first);
    for (size_t i = 0; i < w->origin_count; i++) {
        struct origin *o = &w->origins[i];
        char name[32];
        snprintf(name, sizeof name, "\\<%zu>", i);
        wbuf_add(&o->temporary, (struct fvm_wstr){o->target.ptr, 2});
        wbuf_add_utf8(&o->temporary, name);
        uint32_t flags = record_flags(fvm_index_flags(w->ix, o->node)) & FVM_LOG_DIRECTORY;
        write_record(w, FVM_LOG_RENAME, flags, o->target, wbuf_str(&o->temporary));
    }
    if (w->origin_count) qsort(w->origins, w->origin_count, sizeof *w->origins, by_node);
}

static const struct origin *origin_of(const struct writer *w, uint32_t node)
{
    struct origin key = {.node = node};
    return bsearch(&key, w->origins, w->origin_count, sizeof key, by_node);
}

static void write_nodes(struct writer *w, uint32_t node, const struct wbuf *path)
{
    static const struct fvm_wstr none;
    for (uint32_t id = fvm_index_first_child(w->ix, node); id;
         id = fvm_index_next_sibling(w->ix, id)) {
        uint32_t flags = fvm_index_flags(w->ix, id);
        struct wbuf place = wbuf_dup(wbuf_str(path));
        if (path->len)
            wbuf_add_component(&place, fvm_index_name(w->ix, id));
        else
            wbuf_add(&place, fvm_index_name(w->ix, id));
        if (flags & FVM_NODE_ALIAS)
            write_record(w, FVM_LOG_ALIAS, flags & FVM_NODE_PRIVATE ? FVM_LOG_PRIVATE_TREE : 0u,
                         wbuf_str(&place), fvm_index_target(w->ix, id));
        else if (flags & FVM_NODE_PRIVATE)
            write_record(w, FVM_LOG_PRIVATE, record_flags(flags), wbuf_str(&place), none);
        else if (flags & FVM_NODE_ORIGIN)
            write_record(w, FVM_LOG_RENAME, record_flags(flags),
                         wbuf_str(&origin_of(w, id)->temporary), wbuf_str(&place));
        else if (flags & FVM_NODE_HIDDEN)
            write_record(w, FVM_LOG_HIDDEN, 0, wbuf_str(&place), none);
        if ((flags & FVM_NODE_CONTAINER) &&
            !(flags & (FVM_NODE_PRIVATE | FVM_NODE_HIDDEN | FVM_NODE_ALIAS)))
            write_record(w, FVM_LOG_CONTAINER, 0, wbuf_str(&place), none);
        if (reaches_below(flags)) write_nodes(w, id, &place);
        wbuf_free(&place);
    }
}

/* True when everything that a says below the node is said by b too. */
static bool covers(const struct fvm_index *a, uint32_t x, const struct fvm_index *b, uint32_t y)
{
    for (uint32_t id = fvm_index_first_child(a, x); id; id = fvm_index_next_sibling(a, id)) {
        struct fvm_wstr name = fvm_index_name(a, id);
        uint32_t other = fvm_index_find_child(b, y, name);
        if (!other) return false;
        uint32_t flags = fvm_index_flags(a, id);
        struct fvm_wstr theirs = fvm_index_name(b, other), t = fvm_index_target(a, id),
                        u = fvm_index_target(b, other);
        if (flags != fvm_index_flags(b, other) ||
            memcmp(name.ptr, theirs.ptr, name.len * sizeof *name.ptr) || t.len != u.len ||
            (t.len && memcmp(t.ptr, u.ptr, t.len * sizeof *t.ptr)))
            return false;
        if (reaches_below(flags) && !covers(a, id, b, other)) return false;
    }
    return true;
}

static int verify(const struct writer *w, struct err **err)
{
    void *block = mmap(NULL, VERIFY_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) return err_set(err, "no memory to verify the new log");
    struct fvm_index *ix = block;
    struct fvm_log_summary s;
    uint32_t root = fvm_index_root(w->ix);
    bool same = !fvm_index_init(ix, VERIFY_SIZE) && fvm_log_replay(w->data, w->len, ix, &s) &&
                !s.torn && !s.failed && covers(w->ix, root, ix, root) &&
                covers(ix, root, w->ix, root);
    munmap(block, VERIFY_SIZE);
    return same ? 0 : err_set(err, "the shortened log would not say the same as the old one");
}

long compact_log(const struct fvm_index *ix, char **data, size_t *len, struct err **err)
{
    struct writer w = {.ix = ix, .cap = 1 << 16, .len = sizeof(struct fvm_log_header)};
    struct fvm_log_header header = {.magic = FVM_LOG_MAGIC, .version = FVM_LOG_VERSION};
    struct wbuf top = {0};
    w.data = xmalloc(w.cap);
    memcpy(w.data, &header, sizeof header);
    find_origins(&w, fvm_index_root(ix));
    move_out(&w);
    write_nodes(&w, fvm_index_root(ix), &top);
    int rc = verify(&w, err);
    for (size_t i = 0; i < w.origin_count; i++)
        wbuf_free(&w.origins[i].temporary);
    free(w.origins);
    if (rc) {
        free(w.data);
        return -1;
    }
    *data = w.data;
    *len = w.len;
    return (long)w.seq;
}
