/* Keys and values of the store of registry changes: making, linking, freeing. */
#include "registry_internal.h"

void rg_link_origin(struct fvm_reg *r, uint32_t id)
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
    rg_release(r, n->origin, (uint64_t)n->origin_len * 2);
    n->origin = n->origin_len = n->origin_next = 0;
    n->flags &= ~(uint32_t)FVM_REG_ORIGIN;
}

uint32_t rg_new_birth(struct fvm_reg *r)
{
    if (++r->births == 0) r->births = 1;
    return r->births;
}

void rg_set_serial(struct fvm_reg *r, uint32_t id, uint32_t serial)
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

uint32_t rg_add_kid(struct fvm_reg *r, uint32_t parent, struct fvm_wstr name)
{
    struct node *p = rg_node(r, parent);
    uint32_t index, ref, text;

    if (name.len > FVM_REG_KEY_MAX || rg_search_kids(r, p, name, &index)) return 0;
    if (!rg_keep(r, name.ptr, (uint64_t)name.len * 2, &text)) return 0;
    if (!(ref = rg_allocate(r, sizeof(struct node)))) {
        rg_release(r, text, (uint64_t)name.len * 2);
        return 0;
    }
    *rg_node(r, ref) = (struct node){
        .birth = rg_new_birth(r), .parent = parent, .name = text, .name_len = name.len};
    if (!rg_array_insert(r, &p->kids, &p->kid_count, &p->kid_cap, index, ref)) {
        rg_node(r, ref)->birth = 0;
        rg_release(r, text, (uint64_t)name.len * 2);
        rg_release(r, ref, sizeof(struct node));
        return 0;
    }
    p->kid_seq++;
    return ref;
}

void rg_unlink_kid(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id), *p = rg_node(r, n->parent);
    uint32_t index;

    if (rg_search_kids(r, p, rg_string(r, n->name, n->name_len), &index))
        rg_array_remove(r, p->kids, &p->kid_count, index);
    p->kid_seq++;
}

void rg_free_value(struct fvm_reg *r, uint32_t ref)
{
    struct value *v = rg_value(r, ref);

    rg_release(r, v->name, (uint64_t)v->name_len * 2);
    rg_release(r, v->data, v->size);
    rg_release(r, ref, sizeof *v);
}

void rg_clear_node(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);

    for (uint32_t i = 0; i < n->kid_count; i++)
        rg_free_node(r, rg_element(r, n->kids, n->kid_count, i));
    for (uint32_t i = 0; i < n->value_count; i++)
        rg_free_value(r, rg_element(r, n->values, n->value_count, i));
    rg_release(r, n->kids, (uint64_t)n->kid_cap * 4);
    rg_release(r, n->values, (uint64_t)n->value_cap * 4);
    rg_release(r, n->class, (uint64_t)n->class_len * 2);
    drop_origin(r, id);
    rg_set_serial(r, id, 0);
    n->kids = n->kid_count = n->kid_cap = 0;
    n->values = n->value_count = n->value_cap = 0;
    n->class = n->class_len = 0;
    n->kid_seq++, n->value_seq++;
    n->time = 0;
}

void rg_free_node(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);

    rg_clear_node(r, id);
    rg_release(r, n->name, (uint64_t)n->name_len * 2);
    n->birth = 0;
    rg_release(r, id, sizeof *n);
}

void rg_vanish(struct fvm_reg *r, uint32_t id)
{
    struct node *n = rg_node(r, id);
    bool over_base = !(n->flags & (FVM_REG_PRIVATE | FVM_REG_HIDDEN | FVM_REG_ORIGIN)) ||
                     (n->flags & FVM_REG_BASE);

    if (over_base) {
        rg_clear_node(r, id);
        n->flags = FVM_REG_HIDDEN | FVM_REG_BASE;
        rg_node(r, n->parent)->kid_seq++;
    } else {
        rg_unlink_kid(r, id);
        rg_free_node(r, id);
    }
}

uint32_t rg_node_at(struct fvm_reg *r, struct fvm_wstr path, bool make, int *error)
{
    uint32_t id = r->root, pos = 0;

    *error = FVM_REG_INVALID;
    if (path.len && path.ptr[path.len - 1] == '\\') return 0;
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
            if (!(kid = rg_add_kid(r, id, name))) return 0;
            *error = 0;
        }
        id = kid;
    }
    return id;
}

bool fvm_reg_is_temporary(const struct fvm_reg *r, uint32_t node)
{
    /* ends of paths; the last ones describe the display, and are written at each start of a
     * desktop */
    static const struct fvm_wstr keys[] = {
#define KEY(x) {u"" x, sizeof u"" x / sizeof(fvm_wchar) - 1}
#define SYSTEM "Machine\\System\\CurrentControlSet\\"
        KEY("Wine\\Temporary System Parameters"),
        KEY("Wine\\Fonts\\Cache"),
        KEY("Machine\\Hardware"),
        KEY(SYSTEM "Control\\Video"),
        KEY(SYSTEM "Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}"),
        KEY(SYSTEM "Control\\Class\\{4d36e96e-e325-11ce-bfc1-08002be10318}"),
        KEY(SYSTEM "Hardware Profiles\\Current\\System\\CurrentControlSet\\Control\\Video"),
        KEY(SYSTEM "Enum\\DISPLAY"),
        KEY(SYSTEM "Enum\\PCI"),
#undef SYSTEM
#undef KEY
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint32_t id = node, end = keys[i].len;

        /* component by component, from the last one to the first */
        while (id != r->root) {
            struct fvm_wstr name = fvm_reg_name(r, id);
            if (name.len > end ||
                fvm_reg_compare(name, (struct fvm_wstr){keys[i].ptr + end - name.len, name.len}))
                break;
            end -= name.len;
            if (!end) return true;
            if (keys[i].ptr[--end] != '\\') break;
            id = rg_node(r, id)->parent;
        }
    }
    return false;
}
