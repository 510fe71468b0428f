/* Changing the store of registry changes. One writer at a time; readers go on meanwhile. */
#include "registry_internal.h"
#include "fvm/registry_log.h"

/* --- memory ------------------------------------------------------------------------------------- */

/* Two sizes for each power of two: 16, 24, 32, 48, 64, 96 ... bytes. */
static uint32_t class_of(uint64_t size, uint64_t *rounded)
{
    uint64_t power = 16;
    uint32_t class = 0;

    while (class + 2 < SIZE_CLASSES) {
        if (size <= power) break;
        if (size <= power + power / 2) {
            class++, power += power / 2;
            break;
        }
        class += 2, power *= 2;
    }
    *rounded = power;
    return class;
}

static uint32_t allocate(struct fvm_reg *r, uint64_t size)
{
    uint64_t rounded;
    uint32_t class = class_of(size, &rounded), ref = r->free[class];

    if (ref) {
        r->free[class] = *(uint32_t *)rg_at(r, ref, 8);
    } else {
        if (rounded / 8 > r->limit - r->next) return 0;
        ref = r->next;
        r->next += (uint32_t)(rounded / 8);
    }
    r->used += rounded;
    return ref;
}

static void release(struct fvm_reg *r, uint32_t ref, uint64_t size)
{
    uint64_t rounded;
    uint32_t class;

    if (!ref) return;
    class = class_of(size, &rounded);
    *(uint32_t *)rg_at(r, ref, 8) = r->free[class];
    r->free[class] = ref;
    r->used -= rounded;
}

static void copy(void *dst, const void *src, uint64_t n)
{
    __builtin_memcpy(dst, src, n);
}

/* A copy of the bytes; 0 for none. False without room. */
static bool keep(struct fvm_reg *r, const void *bytes, uint64_t size, uint32_t *ref)
{
    *ref = 0;
    if (!size) return true;
    if (!(*ref = allocate(r, size))) return false;
    copy(rg_at(r, *ref, size), bytes, size);
    return true;
}

/* --- sorted arrays ------------------------------------------------------------------------------ */

static bool array_insert(struct fvm_reg *r, uint32_t *array, uint32_t *count, uint32_t *cap,
                         uint32_t index, uint32_t element)
{
    uint32_t *p;

    if (*count == *cap) {
        uint32_t larger = *cap ? *cap + *cap / 2 : 4;
        uint64_t rounded;
        class_of((uint64_t)larger * 4, &rounded);
        larger = (uint32_t)(rounded / 4);
        uint32_t fresh = allocate(r, (uint64_t)larger * 4);
        if (!fresh) return false;
        copy(rg_at(r, fresh, (uint64_t)larger * 4), rg_at(r, *array, (uint64_t)*count * 4),
             (uint64_t)*count * 4);
        release(r, *array, (uint64_t)*cap * 4);
        *array = fresh;
        *cap = larger;
    }
    p = rg_at(r, *array, (uint64_t)*cap * 4);
    for (uint32_t i = *count; i > index; i--)
        p[i] = p[i - 1];
    p[index] = element;
    ++*count;
    return true;
}

static void array_remove(struct fvm_reg *r, uint32_t array, uint32_t *count, uint32_t index)
{
    uint32_t *p = rg_at(r, array, (uint64_t)*count * 4);

    --*count;
    for (uint32_t i = index; i < *count; i++)
        p[i] = p[i + 1];
}

/* --- nodes --------------------------------------------------------------------------------------- */

static void link_origin(struct fvm_reg *r, uint32_t id)
{
    rg_node(r, id)->origin_next = r->origins;
    r->origins = id;
    r->origin_count++;
}

static void drop_origin(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);
    uint32_t *at = &r->origins;

    if (!(n->flags & FVM_REG_ORIGIN)) return;
    while (*at && *at != id)
        at = &rg_node(r, *at)->origin_next;
    if (*at) *at = n->origin_next, r->origin_count--;
    release(r, n->origin, (uint64_t)n->origin_len * 2);
    n->origin = n->origin_len = n->origin_next = 0;
    n->flags &= ~(uint32_t)FVM_REG_ORIGIN;
}

static uint32_t new_birth(struct fvm_reg *r)
{
    if (++r->births == 0) r->births = 1;
    return r->births;
}

static void set_serial(struct fvm_reg *r, uint32_t id, uint32_t serial)
{
    struct node *n = rg_node(r, id);
    uint32_t *at = &r->serial_buckets[n->serial % SERIAL_BUCKETS];

    if (n->serial) {
        while (*at && *at != id)
            at = &rg_node(r, *at)->serial_next;
        if (*at) *at = n->serial_next;
    }
    n->serial = serial;
    n->serial_next = 0;
    if (!serial) return;
    n->serial_next = r->serial_buckets[serial % SERIAL_BUCKETS];
    r->serial_buckets[serial % SERIAL_BUCKETS] = id;
    if (serial > r->serials) r->serials = serial;
}

static uint32_t add_kid(struct fvm_reg *r, uint32_t parent, struct fvm_wstr name)
{
    struct node *p = rg_node(r, parent);
    uint32_t index, ref, text;

    if (name.len > FVM_REG_KEY_MAX || rg_search_kids(r, p, name, &index)) return 0;
    if (!keep(r, name.ptr, (uint64_t)name.len * 2, &text)) return 0;
    if (!(ref = allocate(r, sizeof(struct node)))) {
        release(r, text, (uint64_t)name.len * 2);
        return 0;
    }
    *rg_node(r, ref) = (struct node){
        .birth = new_birth(r), .parent = parent, .name = text, .name_len = name.len};
    if (!array_insert(r, &p->kids, &p->kid_count, &p->kid_cap, index, ref)) {
        rg_node(r, ref)->birth = 0;
        release(r, text, (uint64_t)name.len * 2);
        release(r, ref, sizeof(struct node));
        return 0;
    }
    p->kid_seq++;
    return ref;
}

static void unlink_kid(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id), *p = rg_node(r, n->parent);
    uint32_t index;

    if (rg_search_kids(r, p, rg_string(r, n->name, n->name_len), &index))
        array_remove(r, p->kids, &p->kid_count, index);
    p->kid_seq++;
}

static void free_value(struct fvm_reg *r, uint32_t ref)
{
    struct value *v = rg_value(r, ref);

    release(r, v->name, (uint64_t)v->name_len * 2);
    release(r, v->data, v->size);
    release(r, ref, sizeof *v);
}

static void free_node(struct fvm_reg *r, uint32_t id);

/* Empties a key: values, class and all below it. */
static void clear_node(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);

    for (uint32_t i = 0; i < n->kid_count; i++)
        free_node(r, rg_element(r, n->kids, n->kid_count, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        free_value(r, rg_element(r, n->values, n->value_count, i));
    release(r, n->kids, (uint64_t)n->kid_cap * 4);
    release(r, n->values, (uint64_t)n->value_cap * 4);
    release(r, n->class, (uint64_t)n->class_len * 2);
    drop_origin(r, id);
    set_serial(r, id, 0);
    n->kids = n->kid_count = n->kid_cap = 0;
    n->values = n->value_count = n->value_cap = 0;
    n->class = n->class_len = 0;
    n->kid_seq++, n->value_seq++;
    n->time = 0;
}

static void free_node(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);

    clear_node(r, id);
    release(r, n->name, (uint64_t)n->name_len * 2);
    n->birth = 0;
    release(r, id, sizeof *n);
}

/* Removes a key that the VM sees no more. */
static void vanish(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);
    bool over_base = !(n->flags & (FVM_REG_PRIVATE | FVM_REG_HIDDEN | FVM_REG_ORIGIN)) ||
                     (n->flags & FVM_REG_BASE);

    if (over_base) {
        clear_node(r, id);
        n->flags = FVM_REG_HIDDEN | FVM_REG_BASE;
        rg_node(r, n->parent)->kid_seq++;
    } else {
        unlink_kid(r, id);
        free_node(r, id);
    }
}

/* The node at a path; make: keys on the way are ones of the base. 0: none, or no room. */
static uint32_t node_at(struct fvm_reg *r, struct fvm_wstr path, bool make, int *error)
{
    uint32_t id = r->root, pos = 0;

    *error = 0;
    while (pos < path.len) {
        struct fvm_wstr name = rg_component(path, &pos);
        if (!name.len || name.len > FVM_REG_KEY_MAX) {
            *error = FVM_REG_INVALID;
            return 0;
        }
        uint32_t kid = fvm_reg_find_child(r, id, name), flags = rg_node(r, id)->flags;
        if (!kid) {
            bool alien = flags & (FVM_REG_PRIVATE | FVM_REG_HIDDEN);
            *error = FVM_REG_NOT_FOUND;
            /* below a key of the VM's own there is nothing of the base to change */
            if (!make || (alien && pos < path.len)) return 0;
            *error = FVM_REG_FULL;
            if (!(kid = add_kid(r, id, name))) return 0;
            *error = 0;
        }
        id = kid;
    }
    return id;
}

static void touch(struct fvm_reg *r, uint32_t id, uint64_t time)
{
    if (id && time) rg_node(r, id)->time = time;
}

/* --- records ------------------------------------------------------------------------------------- */

static int set_class(struct fvm_reg *r, uint32_t id, struct fvm_wstr class)
{
    struct node *n = rg_node(r, id);
    uint32_t ref;

    if (!keep(r, class.ptr, (uint64_t)class.len * 2, &ref)) return FVM_REG_FULL;
    release(r, n->class, (uint64_t)n->class_len * 2);
    n->class = ref;
    n->class_len = class.len;
    n->flags |= FVM_REG_CLASS;
    return 0;
}

/* The key at path must exist before it is changed: in the store, or in the base. */
static uint32_t changed_key(struct fvm_reg *r, struct fvm_wstr path, int *error)
{
    uint32_t id = node_at(r, path, true, error);

    if (!id) return 0;
    struct node *n = rg_node(r, id), *p = rg_node(r, n->parent);
    bool alien = id != r->root && (p->flags & (FVM_REG_PRIVATE | FVM_REG_HIDDEN)) &&
                 !(n->flags & (FVM_REG_PRIVATE | FVM_REG_HIDDEN));
    if (alien) { /* just made where nothing can be */
        unlink_kid(r, id);
        free_node(r, id);
    }
    if (alien || (n->flags & FVM_REG_HIDDEN)) {
        *error = FVM_REG_NOT_FOUND;
        return 0;
    }
    return id;
}

static int apply_create(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = node_at(r, rec->path, true, &error);

    if (!id) return error;
    if (id == r->root) return FVM_REG_INVALID;
    struct node *n = rg_node(r, id);
    if (rg_node(r, n->parent)->flags & FVM_REG_HIDDEN) return FVM_REG_NOT_FOUND;
    if (n->flags & FVM_REG_PRIVATE) return 0;
    uint32_t base = n->flags & (FVM_REG_HIDDEN | FVM_REG_ORIGIN) ? n->flags & FVM_REG_BASE : 0;
    clear_node(r, id);
    set_serial(r, id, rec->type);
    /* a new key has its own spelling: as long as that of the one before */
    struct fvm_wstr leaf = {rec->path.ptr + rec->path.len - n->name_len, n->name_len};
    copy(rg_at(r, n->name, (uint64_t)leaf.len * 2), leaf.ptr, (uint64_t)leaf.len * 2);
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
    vanish(r, id);
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
    uint32_t parent = n->parent, other = fvm_reg_find_child(r, parent, rec->name);
    if (other && other != id && !(rg_node(r, other)->flags & FVM_REG_HIDDEN))
        return FVM_REG_INVALID;
    if (other == id) return FVM_REG_INVALID; /* the host renames to another name only */
    if (fvm_reg_lookup(r, rec->path, true, &look)) return FVM_REG_INVALID;
    bool natural = !(n->flags & (FVM_REG_PRIVATE | FVM_REG_ORIGIN));
    bool leaves = natural || (n->flags & FVM_REG_BASE);
    if (!keep(r, rec->name.ptr, (uint64_t)rec->name.len * 2, &text)) return FVM_REG_FULL;
    if (natural && !keep(r, look.base, (uint64_t)look.base_len * 2, &origin)) {
        release(r, text, (uint64_t)rec->name.len * 2);
        return FVM_REG_FULL;
    }
    /* the key leaves its place ... */
    struct fvm_wstr old = rg_string(r, n->name, n->name_len);
    unlink_kid(r, id);
    if (leaves) {
        uint32_t hidden = add_kid(r, parent, old);
        if (hidden) rg_node(r, hidden)->flags = FVM_REG_HIDDEN | FVM_REG_BASE;
        else return FVM_REG_FULL;
    }
    release(r, n->name, (uint64_t)n->name_len * 2);
    n->name = text;
    n->name_len = rec->name.len;
    n->birth = new_birth(r);
    n->flags &= ~(uint32_t)FVM_REG_BASE;
    if (natural) {
        n->origin = origin;
        n->origin_len = look.base_len;
        n->flags |= FVM_REG_ORIGIN;
        link_origin(r, id);
    }
    /* ... and takes that of one that was deleted, or a free one */
    if (other) {
        n->flags |= rg_node(r, other)->flags & FVM_REG_BASE;
        unlink_kid(r, other);
        free_node(r, other);
    }
    struct node *p = rg_node(r, parent);
    rg_search_kids(r, p, rec->name, &index);
    if (!array_insert(r, &p->kids, &p->kid_count, &p->kid_cap, index, id)) return FVM_REG_FULL;
    p->kid_seq++;
    touch(r, id, rec->time);
    return 0;
}

static int put_value(struct fvm_reg *r, uint32_t id, const struct fvm_reg_record *rec, bool deleted)
{
    struct node *n = rg_node(r, id);
    uint32_t index, ref, data = 0, size = deleted ? 0 : rec->size;

    if (rec->name.len > FVM_REG_VALUE_MAX) return FVM_REG_INVALID;
    if (!keep(r, rec->data, size, &data)) return FVM_REG_FULL;
    if (rg_search_values(r, n, rec->name, &index)) {
        struct value *v = rg_value(r, rg_element(r, n->values, n->value_count, index));
        release(r, v->data, v->size);
        v->data = data;
        v->size = size;
        v->type = rec->type;
        if ((v->deleted != 0) != deleted) n->value_seq++;
        if (v->deleted && !deleted) { /* a new value, with its own spelling */
            copy(rg_at(r, v->name, (uint64_t)v->name_len * 2), rec->name.ptr,
                 (uint64_t)v->name_len * 2);
            v->base_name = 0;
        }
        v->deleted = deleted;
        return 0;
    }
    ref = allocate(r, sizeof(struct value));
    uint32_t text = 0;
    if (ref && keep(r, rec->name.ptr, (uint64_t)rec->name.len * 2, &text)) {
        *rg_value(r, ref) = (struct value){.birth = new_birth(r),
                                           .name = text,
                                           .name_len = rec->name.len,
                                           .type = rec->type,
                                           .deleted = deleted,
                                           .base_name = !deleted && (rec->flags & FVM_REG_BASE),
                                           .data = data,
                                           .size = size};
        if (array_insert(r, &n->values, &n->value_count, &n->value_cap, index, ref)) {
            n->value_seq++;
            return 0;
        }
        release(r, text, (uint64_t)rec->name.len * 2);
    }
    release(r, data, size);
    release(r, ref, sizeof(struct value));
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
    array_remove(r, n->values, &n->value_count, index);
    free_value(r, ref);
    n->value_seq++;
    return 0;
}

static int apply_node(struct fvm_reg *r, const struct fvm_reg_record *rec)
{
    int error;
    uint32_t id = node_at(r, rec->path, true, &error), origin;

    if (!id) return error;
    struct node *n = rg_node(r, id);
    clear_node(r, id);
    set_serial(r, id, rec->type);
    n->flags = rec->flags & ~(uint32_t)(FVM_REG_ORIGIN | FVM_REG_CLASS);
    n->time = rec->time;
    if (rec->flags & FVM_REG_ORIGIN) {
        if (!keep(r, rec->data, rec->size, &origin)) return FVM_REG_FULL;
        n->origin = origin;
        n->origin_len = rec->size / 2;
        n->flags |= FVM_REG_ORIGIN;
        link_origin(r, id);
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
    if (!keep(r, rec->path.ptr, (uint64_t)rec->path.len * 2, &link.path) ||
        !keep(r, rec->data, rec->size, &link.target) || !(ref = allocate(r, sizeof link)))
        return FVM_REG_FULL;
    *(struct link *)rg_at(r, ref, sizeof link) = link;
    r->links = ref;
    r->link_bloom |= (uint64_t)1 << (link.path_len & 63);
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
            vanish(r, kid);
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
    r->link_bloom = 0;
    for (uint32_t i = 0; i < SERIAL_BUCKETS; i++)
        r->serial_buckets[i] = 0;
    r->root = allocate(r, sizeof(struct node));
    *rg_node(r, r->root) = (struct node){.birth = new_birth(r)};
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
    if (config_len) copy((char *)r + r->config, config, config_len);
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
