/* Changing the store of registry changes. One writer at a time; readers go on meanwhile. */
#include "registry_internal.h"
#include "fvm/registry_log.h"

static void touch(struct fvm_reg *r, uint32_t id, uint64_t time)
{
    if (id && time) rg_node(r, id)->time = time;
}

static int set_class(struct fvm_reg *r, uint32_t id, struct fvm_wstr class)
{
    struct node *n = rg_node(r, id);
    uint32_t ref;

    if (!rg_keep(r, class.ptr, (uint64_t)class.len * 2, &ref)) return FVM_REG_FULL;
    rg_release(r, n->class, (uint64_t)n->class_len * 2);
    n->class = ref;
    n->class_len = class.len;
    n->flags |= FVM_REG_CLASS;
    return 0;
}

/* Takes a node away that was just made where nothing of the base can be seen. */
static bool drop_alien(struct fvm_reg *r, uint32_t id, uint32_t where)
{
    const uint32_t own = FVM_REG_PRIVATE | FVM_REG_HIDDEN | FVM_REG_ORIGIN;
    struct node *n = rg_node(r, id);

    if (id == r->root || n->flags & own || !(rg_node(r, n->parent)->flags & where)) return false;
    rg_unlink_kid(r, id);
    rg_free_node(r, id);
    return true;
}

/* The key at path must exist before it is changed: in the store, or in the base. */
static uint32_t changed_key(struct fvm_reg *r, struct fvm_wstr path, int *error)
{
    uint32_t id = rg_node_at(r, path, true, error);

    if (!id) return 0;
    if (!drop_alien(r, id, FVM_REG_PRIVATE | FVM_REG_HIDDEN) &&
        !(rg_node(r, id)->flags & FVM_REG_HIDDEN))
        return id;
    *error = FVM_REG_NOT_FOUND;
    return 0;
}

static int apply_create(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = rg_node_at(r, rec->path, true, &error);

    if (!id) return error;
    if (id == r->root) return FVM_REG_INVALID;
    struct node *n = rg_node(r, id);
    if (drop_alien(r, id, FVM_REG_HIDDEN)) return FVM_REG_NOT_FOUND;
    if (n->flags & FVM_REG_PRIVATE) return 0;
    uint32_t base = n->flags & (FVM_REG_HIDDEN | FVM_REG_ORIGIN) ? n->flags & FVM_REG_BASE : 0;
    rg_clear_node(r, id);
    rg_set_serial(r, id, rec->type);
    /* a new key has its own spelling: as long as that of the one before */
    struct fvm_wstr leaf = {rec->path.ptr + rec->path.len - n->name_len, n->name_len};
    rg_copy(rg_at(r, n->name, (uint64_t)leaf.len * 2), leaf.ptr, (uint64_t)leaf.len * 2);
    n->flags = FVM_REG_PRIVATE | base | (rec->flags & (FVM_REG_VOLATILE | FVM_REG_LINK));
    n->time = rec->time;
    rg_node(r, n->parent)->kid_seq++;
    touch(r, n->parent, rec->time);
    return rec->flags & FVM_REG_CLASS ? set_class(r, id, rec->name) : 0;
}

static int apply_delete(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = changed_key(r, rec->path, &error);

    if (!id) return error;
    if (id == r->root) return FVM_REG_INVALID;
    touch(r, rg_node(r, id)->parent, rec->time);
    rg_vanish(r, id);
    return 0;
}

static int apply_rename(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    struct fvm_reg_lookup look = {.canon = r->scratch[0], .base = r->scratch[1]};
    int error;
    uint32_t id = changed_key(r, rec->path, &error), origin = 0, text, index;

    if (!id) return error;
    struct node *n = rg_node(r, id);
    if (id == r->root || !rec->name.len || rec->name.len > FVM_REG_KEY_MAX) return FVM_REG_INVALID;
    for (uint32_t i = 0; i < rec->name.len; i++)
        if (rec->name.ptr[i] == '\\') return FVM_REG_INVALID;
    uint32_t parent = n->parent, other = fvm_reg_find_child(r, parent, rec->name);
    if (other && other != id && !(rg_node(r, other)->flags & FVM_REG_HIDDEN))
        return FVM_REG_INVALID;
    if (other == id) return FVM_REG_INVALID; /* the host renames to another name only */
    if (fvm_reg_lookup(r, rec->path, true, &look)) return FVM_REG_INVALID;
    bool natural = !(n->flags & (FVM_REG_PRIVATE | FVM_REG_ORIGIN));
    bool leaves = natural || (n->flags & FVM_REG_BASE);
    if (!rg_keep(r, rec->name.ptr, (uint64_t)rec->name.len * 2, &text)) return FVM_REG_FULL;
    if (natural && !rg_keep(r, look.base, (uint64_t)look.base_len * 2, &origin)) {
        rg_release(r, text, (uint64_t)rec->name.len * 2);
        return FVM_REG_FULL;
    }
    /* the key leaves its place ... */
    struct fvm_wstr old = rg_string(r, n->name, n->name_len);
    rg_unlink_kid(r, id);
    if (leaves) {
        uint32_t hidden = rg_add_kid(r, parent, old);
        if (hidden) rg_node(r, hidden)->flags = FVM_REG_HIDDEN | FVM_REG_BASE;
        else return FVM_REG_FULL;
    }
    rg_release(r, n->name, (uint64_t)n->name_len * 2);
    n->name = text;
    n->name_len = rec->name.len;
    n->birth = rg_new_birth(r);
    n->flags &= ~(uint32_t)FVM_REG_BASE;
    if (natural) {
        n->origin = origin;
        n->origin_len = look.base_len;
        n->flags |= FVM_REG_ORIGIN;
        rg_link_origin(r, id);
    }
    /* ... and takes that of one that was deleted, or a free one */
    if (other) {
        n->flags |= rg_node(r, other)->flags & FVM_REG_BASE;
        rg_unlink_kid(r, other);
        rg_free_node(r, other);
    }
    struct node *p = rg_node(r, parent);
    rg_search_kids(r, p, rec->name, &index);
    if (!rg_array_insert(r, &p->kids, &p->kid_count, &p->kid_cap, index, id)) return FVM_REG_FULL;
    p->kid_seq++;
    touch(r, id, rec->time);
    return 0;
}

static int put_value(struct fvm_reg *r, uint32_t id, const struct fvm_reg_record *rec, bool deleted)
{
    struct node *n = rg_node(r, id);
    uint32_t index, ref, data = 0, size = deleted ? 0 : rec->size;

    if (rec->name.len > FVM_REG_VALUE_MAX) return FVM_REG_INVALID;
    if (!rg_keep(r, rec->data, size, &data)) return FVM_REG_FULL;
    if (rg_search_values(r, n, rec->name, &index)) {
        struct value *v = rg_value(r, rg_element(r, n->values, n->value_count, index));
        rg_release(r, v->data, v->size);
        v->data = data;
        v->size = size;
        v->type = rec->type;
        if ((v->deleted != 0) != deleted) n->value_seq++;
        if (v->deleted && !deleted) { /* a new value, with its own spelling */
            rg_copy(rg_at(r, v->name, (uint64_t)v->name_len * 2), rec->name.ptr,
                 (uint64_t)v->name_len * 2);
            v->base_name = 0;
        }
        v->deleted = deleted;
        return 0;
    }
    ref = rg_allocate(r, sizeof(struct value));
    uint32_t text = 0;
    if (ref && rg_keep(r, rec->name.ptr, (uint64_t)rec->name.len * 2, &text)) {
        *rg_value(r, ref) = (struct value){.birth = rg_new_birth(r),
                                           .name = text,
                                           .name_len = rec->name.len,
                                           .type = rec->type,
                                           .deleted = deleted,
                                           .base_name = !deleted && (rec->flags & FVM_REG_BASE),
                                           .data = data,
                                           .size = size};
        if (rg_array_insert(r, &n->values, &n->value_count, &n->value_cap, index, ref)) {
            n->value_seq++;
            return 0;
        }
        rg_release(r, text, (uint64_t)rec->name.len * 2);
    }
    rg_release(r, data, size);
    rg_release(r, ref, sizeof(struct value));
    return FVM_REG_FULL;
}

static int apply_set(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = changed_key(r, rec->path, &error);

    if (!id) return error;
    touch(r, id, rec->time);
    return put_value(r, id, rec, false);
}

static int apply_unset(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = changed_key(r, rec->path, &error), index;

    if (!id) return error;
    struct node *n = rg_node(r, id);
    if (rec->op != FVM_REG_OP_UNSET_MARK) touch(r, id, rec->time);
    if ((rec->flags & FVM_REG_BASE) && !(n->flags & FVM_REG_PRIVATE))
        return put_value(r, id, rec, true);
    if (!rg_search_values(r, n, rec->name, &index)) return 0;
    uint32_t ref = rg_element(r, n->values, n->value_count, index);
    rg_array_remove(r, n->values, &n->value_count, index);
    rg_free_value(r, ref);
    n->value_seq++;
    return 0;
}

static int apply_node(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = rg_node_at(r, rec->path, true, &error), origin;

    if (!id) return error;
    struct node *n = rg_node(r, id);
    rg_clear_node(r, id);
    rg_set_serial(r, id, rec->type);
    n->flags = rec->flags & ~(uint32_t)(FVM_REG_ORIGIN | FVM_REG_CLASS);
    n->time = rec->time;
    if (rec->flags & FVM_REG_ORIGIN) {
        if (!rg_keep(r, rec->data, rec->size, &origin)) return FVM_REG_FULL;
        n->origin = origin;
        n->origin_len = rec->size / 2;
        n->flags |= FVM_REG_ORIGIN;
        rg_link_origin(r, id);
    }
    return rec->flags & FVM_REG_CLASS ? set_class(r, id, rec->name) : 0;
}

static int apply_link(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    struct link link = {.next = r->links,
                        .hash = RG_HASH_START,
                        .path_len = rec->path.len,
                        .target_len = rec->size / 2};
    uint32_t ref;

    if (!rec->path.len) return FVM_REG_INVALID;
    for (uint32_t i = 0; i < rec->path.len; i++)
        link.hash = rg_hash_unit(link.hash, rec->path.ptr[i]);
    if (!rg_keep(r, rec->path.ptr, (uint64_t)rec->path.len * 2, &link.path) ||
        !rg_keep(r, rec->data, rec->size, &link.target) || !(ref = rg_allocate(r, sizeof link)))
        return FVM_REG_FULL;
    *(struct link *)rg_at(r, ref, sizeof link) = link;
    r->links = ref;
    uint32_t at = rec->path.len;
    while (at && rec->path.ptr[at - 1] != '\\')
        at--;
    fvm_wchar first = at < rec->path.len ? rec->path.ptr[at] : 0;
    r->link_filter[link.path_len & 63] |= 1u << (fvm_downcase(first) & 31);
    return 0;
}

static int apply(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    switch (rec->op) {
    case FVM_REG_OP_CREATE:
        return apply_create(r, rec);
    case FVM_REG_OP_DELETE:
        return apply_delete(r, rec);
    case FVM_REG_OP_RENAME:
        return apply_rename(r, rec);
    case FVM_REG_OP_SET:
        return apply_set(r, rec);
    case FVM_REG_OP_UNSET:
    case FVM_REG_OP_UNSET_MARK:
        return apply_unset(r, rec);
    case FVM_REG_OP_CLASS: {
        int error;
        uint32_t id = changed_key(r, rec->path, &error);
        return id ? set_class(r, id, rec->name) : error;
    }
    case FVM_REG_OP_NODE:
        return apply_node(r, rec);
    case FVM_REG_OP_LINK:
        return apply_link(r, rec);
    }
    return FVM_REG_INVALID;
}

/* A rebuild keeps its readers out over many records: only the outermost change lets them in. */
static bool begin(struct fvm_reg *r)
{
    bool outermost = !(r->seq & 1);

    if (outermost) {
        __atomic_store_n(&r->seq, r->seq + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    return outermost;
}

static void end(struct fvm_reg *r, bool outermost)
{
    if (outermost) __atomic_store_n(&r->seq, r->seq + 1, __ATOMIC_RELEASE);
}

int fvm_reg_apply(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    bool outermost = begin(r);
    int rc = apply(r, rec);

    if (rec->op != FVM_REG_OP_LINK) r->changes++;
    end(r, outermost);
    return rc;
}

static uint32_t drop_below(struct fvm_reg *r, uint32_t id)
{
    uint32_t dropped = 0;

    for (uint32_t i = fvm_reg_child_count(r, id); i-- > 0;) {
        uint32_t kid = fvm_reg_child(r, id, i);
        if (rg_node(r, kid)->flags & FVM_REG_VOLATILE) {
            rg_vanish(r, kid);
            dropped++;
        } else if (fvm_reg_is_temporary(r, kid)) {
            rg_unlink_kid(r, kid);
            rg_free_node(r, kid);
            dropped++;
        } else {
            dropped += drop_below(r, kid);
        }
    }
    return dropped;
}

uint32_t fvm_reg_drop_volatile(struct fvm_reg *r)
{
    bool outermost = begin(r);
    uint32_t dropped = drop_below(r, r->root);

    end(r, outermost);
    return dropped;
}

/* --- the whole store ------------------------------------------------------------------------------ */

static void set_up(struct fvm_reg *r)
{
    struct fvm_reg_log_summary summary;

    for (uint32_t i = 0; i < SIZE_CLASSES; i++)
        r->free[i] = 0;
    r->next = r->start;
    r->used = 0;
    r->origins = r->origin_count = r->links = 0; /* not changes: readers ask it without looking
                                                  * whether a rebuild is under way */
    for (uint32_t i = 0; i < sizeof r->link_filter / sizeof *r->link_filter; i++)
        r->link_filter[i] = 0;
    for (uint32_t i = 0; i < SERIAL_BUCKETS; i++)
        r->serial_buckets[i] = 0;
    r->root = rg_allocate(r, sizeof(struct node));
    *rg_node(r, r->root) = (struct node){.birth = rg_new_birth(r)};
    if (r->config_len)
        fvm_reg_log_replay((const char *)r + r->config, r->config_len, r, &summary);
}

int fvm_reg_init(void *block, uint64_t size, const void *config, uint32_t config_len)
{
    struct fvm_reg *r = block;
    uint64_t units = size / 8, start = (sizeof *r + 7) / 8 + ((uint64_t)config_len + 7) / 8;

    if (size < 1 << 20 || units > UINT32_MAX || start > units / 2) return FVM_REG_INVALID;
    r->magic = FVM_REG_MAGIC;
    r->size = units * 8;
    r->start = (uint32_t)start;
    r->limit = (uint32_t)units;
    r->config = (uint32_t)((sizeof *r + 7) / 8 * 8);
    r->config_len = config_len;
    if (config_len) rg_copy((char *)r + r->config, config, config_len);
    set_up(r);
    return 0;
}

void fvm_reg_reset(struct fvm_reg *r)
{
    __atomic_store_n(&r->seq, r->seq | 1, __ATOMIC_SEQ_CST);
    set_up(r);
}

void fvm_reg_rebuilt(struct fvm_reg *r)
{
    __atomic_store_n(&r->seq, (r->seq | 1) + 1, __ATOMIC_SEQ_CST);
}
