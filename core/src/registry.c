/* Reading the store of registry changes. */
#include "registry_internal.h"

int fvm_reg_compare(struct fvm_wstr a, struct fvm_wstr b)
{
    uint32_t common = a.len < b.len ? a.len : b.len;

    for (uint32_t i = 0; i < common; i++) {
        if (a.ptr[i] == b.ptr[i]) continue;
        int d = (int)fvm_downcase(a.ptr[i]) - (int)fvm_downcase(b.ptr[i]);
        if (d) return d;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

uint32_t rg_hash_unit(uint32_t hash, fvm_wchar c)
{
    return (hash ^ fvm_downcase(c)) * 16777619U;
}

uint32_t fvm_reg_read_begin(const struct fvm_reg *r)
{
    return __atomic_load_n(&r->seq, __ATOMIC_ACQUIRE);
}

bool fvm_reg_read_retry(const struct fvm_reg *r, uint32_t seq)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (seq & 1) || __atomic_load_n(&r->seq, __ATOMIC_RELAXED) != seq;
}

bool fvm_reg_busy(const struct fvm_reg *r) { return r->seq & 1; }
uint32_t fvm_reg_changes(const struct fvm_reg *r) { return r->changes; }
uint64_t fvm_reg_used(const struct fvm_reg *r) { return r->used; }
bool fvm_reg_has_origins(const struct fvm_reg *r) { return r->origin_count != 0; }
uint32_t fvm_reg_root(const struct fvm_reg *r) { return r->root; }

struct fvm_reg_state *fvm_reg_state(const struct fvm_reg *r)
{
    return &((struct fvm_reg *)(uintptr_t)r)->state;
}

uint64_t fvm_reg_free_space(const struct fvm_reg *r)
{
    return (uint64_t)(r->limit - r->next) * 8;
}

bool fvm_reg_has_room(const struct fvm_reg *r, uint64_t size)
{
    /* blocks are up to half larger than what they hold; arrays grow by half, and stand twice
     * in the block meanwhile */
    uint64_t arrays = r->used / 2;
    return fvm_reg_free_space(r) / 2 > size * 2 + arrays / 2 + 65536;
}

/* --- searching -------------------------------------------------------------------------------- */

static bool search(const struct fvm_reg *r, uint32_t array, uint32_t count, struct fvm_wstr name,
                   uint32_t *index)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct named n;
        rg_copy(&n, rg_at(r, rg_element(r, array, count, mid), sizeof n), sizeof n);
        int c = fvm_reg_compare(name, rg_string(r, n.name, n.name_len));
        if (!c) {
            *index = mid;
            return true;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    *index = low;
    return false;
}

bool rg_search_kids(const struct fvm_reg *r, const struct node *n, struct fvm_wstr name,
                    uint32_t *index)
{
    return search(r, n->kids, n->kid_count, name, index);
}

bool rg_search_values(const struct fvm_reg *r, const struct node *n, struct fvm_wstr name,
                      uint32_t *index)
{
    return search(r, n->values, n->value_count, name, index);
}

uint32_t fvm_reg_find_child(const struct fvm_reg *r, uint32_t node, struct fvm_wstr name)
{
    const struct node *n = rg_node(r, node);
    uint32_t index;

    if (!n->kid_count || !rg_search_kids(r, n, name, &index)) return 0;
    return fvm_reg_child(r, node, index);
}

static void get_value(const struct fvm_reg *r, uint32_t ref, struct fvm_reg_value *out)
{
    const struct value *v = rg_value(r, ref);
    uint32_t size = v->size;
    const void *data = rg_at(r, v->data, size);

    *out = (struct fvm_reg_value){
        .birth = v->birth,
        .name = rg_string(r, v->name, v->name_len),
        .type = v->type,
        .deleted = v->deleted != 0,
        .base_name = v->base_name != 0,
        .data = data,
        .size = data == (const void *)r->zeros ? 0 : size,
    };
}

bool fvm_reg_find_value(const struct fvm_reg *r, uint32_t node, struct fvm_wstr name,
                        struct fvm_reg_value *out)
{
    const struct node *n = rg_node(r, node);
    uint32_t index;

    if (!n->value_count || !rg_search_values(r, n, name, &index)) return false;
    return fvm_reg_value_at(r, node, index, out);
}

/* --- links of the base ------------------------------------------------------------------------ */

enum { UNKNOWN, GOOD, DEAD };

static const struct link *find_link(const struct fvm_reg *r, struct fvm_wstr path,
                                    struct fvm_wstr name, uint32_t *id)
{
    uint32_t hash = RG_HASH_START;

    if (!rg_may_be_link(r, path.len, name)) return NULL;
    for (uint32_t i = 0; i < path.len; i++)
        hash = rg_hash_unit(hash, path.ptr[i]);
    for (uint32_t ref = r->links, i = 0; ref && i < 65536; i++) {
        const struct link *l = rg_at(r, ref, sizeof *l);
        if (l->hash == hash && l->state != DEAD &&
            !fvm_reg_compare(rg_string(r, l->path, l->path_len), path)) {
            *id = ref;
            return l;
        }
        ref = l->next;
    }
    return NULL;
}

struct fvm_wstr fvm_reg_link_path(const struct fvm_reg *r, uint32_t link)
{
    const struct link *l = rg_at(r, link, sizeof *l);
    return rg_string(r, l->path, l->path_len);
}

struct fvm_wstr fvm_reg_link_target(const struct fvm_reg *r, uint32_t link)
{
    const struct link *l = rg_at(r, link, sizeof *l);
    return rg_string(r, l->target, l->target_len);
}

void fvm_reg_link_checked(struct fvm_reg *r, uint32_t link, bool good)
{
    struct link *l = rg_at(r, link, sizeof *l);
    if ((uint64_t *)(void *)l != r->zeros) l->state = good ? GOOD : DEAD;
}

/* --- looking up --------------------------------------------------------------------------------- */

struct walk {
    uint32_t node; /* 0: the store knows nothing of the key */
    bool base;     /* the base's key at out->base is seen */
    bool gone;     /* an inner component is missing */
    bool leaf_gone;
};

static bool add(fvm_wchar *dst, uint32_t *len, struct fvm_wstr s)
{
    bool separator = *len != 0;

    if (s.len + separator > FVM_REG_PATH_MAX - *len) return false;
    if (separator) dst[(*len)++] = '\\';
    for (uint32_t i = 0; i < s.len; i++)
        dst[(*len)++] = s.ptr[i];
    return true;
}

static bool add_base(struct fvm_reg_lookup *out, struct fvm_wstr s)
{
    return add(out->base, &out->base_len, s);
}

static bool set_base(struct walk *w, struct fvm_reg_lookup *out, struct fvm_wstr s)
{
    out->base_len = 0;
    w->base = true;
    return add_base(out, s);
}

/* Enters the component: what is seen there. */
static bool enter(const struct fvm_reg *r, struct walk *w, struct fvm_wstr name,
                  struct fvm_reg_lookup *out)
{
    uint32_t id = w->node ? fvm_reg_find_child(r, w->node, name) : 0;
    const struct node *n = rg_node(r, id);

    out->parent = w->node;
    out->parent_private = !w->base;
    w->gone = w->leaf_gone;
    w->node = id;
    if (!id) {
        out->flags = 0;
        if (!w->base) w->leaf_gone = true;
        if (!add(out->canon, &out->canon_len, name)) return false;
        return !w->base || add_base(out, name);
    }
    out->flags = n->flags;
    /* where a key was deleted, a new one is spelled as whoever makes it wants */
    struct fvm_wstr own = n->flags & FVM_REG_HIDDEN ? name : rg_string(r, n->name, n->name_len);
    if (!add(out->canon, &out->canon_len, own)) return false;
    if (n->flags & FVM_REG_PRIVATE) {
        w->base = false;
    } else if (n->flags & FVM_REG_HIDDEN) {
        w->base = false;
        w->leaf_gone = true;
    } else if (n->flags & FVM_REG_ORIGIN) {
        out->moved = true;
        return set_base(w, out, rg_string(r, n->origin, n->origin_len));
    } else if (w->base) {
        return add_base(out, own);
    }
    return true;
}

static bool is_root_name(const fvm_wchar *s)
{
    static const char name[] = "registry";
    for (uint32_t i = 0; i < 8; i++)
        if (fvm_downcase(s[i]) != (fvm_wchar)name[i]) return false;
    return true;
}

/* The path that an absolute name in a link leads to. */
static bool link_target(struct fvm_wstr text, struct fvm_wstr *path)
{
    if (text.len < 9 || text.ptr[0] != '\\' || !is_root_name(text.ptr + 1)) return false;
    *path = (struct fvm_wstr){text.ptr + 9, text.len - 9};
    if (path->len && path->ptr[0] != '\\') return false;
    if (path->len) path->ptr++, path->len--;
    while (path->len && path->ptr[path->len - 1] == '\\')
        path->len--;
    return true;
}

/* Where the link leads that the walk stands on; 0: it is none; -1: a link to nowhere. */
static int follow(const struct fvm_reg *r, const struct walk *w, struct fvm_reg_lookup *out,
                  struct fvm_wstr *target)
{
    static const fvm_wchar text[] = {'S', 'y', 'm', 'b', 'o', 'l', 'i', 'c', 'L', 'i',
                                     'n', 'k', 'V', 'a', 'l', 'u', 'e'};
    struct fvm_wstr value_name = {text, sizeof text / sizeof *text};
    struct fvm_reg_value value;

    if (w->leaf_gone) return 0;
    if (!w->base) {
        if (!w->node || !(out->flags & FVM_REG_LINK)) return 0;
        if (!fvm_reg_find_value(r, w->node, value_name, &value)) return -1;
        struct fvm_wstr nt = {value.data, value.size / 2};
        return link_target(nt, target) ? 1 : -1;
    }
    uint32_t id;
    /* the last name of the place in the base, which a rename may have made another than the view's */
    uint32_t at = out->base_len;
    while (at && out->base[at - 1] != '\\')
        at--;
    const struct link *l = find_link(r, (struct fvm_wstr){out->base, out->base_len},
                                     (struct fvm_wstr){out->base + at, out->base_len - at}, &id);
    if (!l) return 0;
    if (l->state == UNKNOWN) out->unchecked = id;
    *target = rg_string(r, l->target, l->target_len);
    return 1;
}

static void set_verdict(const struct fvm_reg *r, struct fvm_reg_lookup *out, const struct walk *w)
{
    out->node = w->node;
    out->serial = w->node ? rg_node(r, w->node)->serial : 0;
    if (w->gone)
        out->verdict = FVM_REG_NO_PATH;
    else if (w->leaf_gone)
        out->verdict = FVM_REG_IS_ABSENT;
    else
        out->verdict = w->base ? FVM_REG_IS_BASE : FVM_REG_IS_PRIVATE;
    if (!w->base) out->base_len = 0;
}

/* The path being walked: what a link leads to stands in front of what was left behind it. */
struct source {
    struct {
        struct fvm_wstr text;
        uint32_t pos;
    } part[LINK_LIMIT + 1];
    uint32_t top;
};

static bool more(struct source *s)
{
    while (s->top && s->part[s->top].pos >= s->part[s->top].text.len)
        s->top--;
    return s->part[s->top].pos < s->part[s->top].text.len;
}

/* The same without ending a part: a link that ends one leads on from within it. */
static bool is_last(const struct source *s)
{
    for (uint32_t i = 0; i <= s->top; i++)
        if (s->part[i].pos < s->part[i].text.len) return false;
    return true;
}

int fvm_reg_lookup(const struct fvm_reg *r, struct fvm_wstr path, bool open_link,
                   struct fvm_reg_lookup *out)
{
    struct source src;

    src.part[0].text = path;
    src.part[0].pos = src.top = 0;
    out->linked = false;
    out->unchecked = 0;
restart:;
    struct walk w = {.node = r->root, .base = true};
    out->canon_len = out->base_len = 0;
    out->parent = 0;
    out->flags = rg_node(r, r->root)->flags;
    out->moved = out->parent_private = false;
    while (more(&src)) {
        struct fvm_wstr name = rg_component(src.part[src.top].text, &src.part[src.top].pos);
        struct fvm_wstr target;

        if (!name.len) continue; /* runs of backslashes in the target of a link */
        if (!enter(r, &w, name, out)) return FVM_REG_INVALID;
        if (open_link && is_last(&src)) break;
        int link = follow(r, &w, out, &target);
        if (!link) continue;
        out->linked = true;
        if (link < 0) {
            out->node = out->serial = out->base_len = 0;
            out->verdict = FVM_REG_NO_PATH;
            return 0;
        }
        if (++src.top > LINK_LIMIT) return FVM_REG_INVALID;
        src.part[src.top].text = target;
        src.part[src.top].pos = 0;
        goto restart;
    }
    set_verdict(r, out, &w);
    return 0;
}

/* Is there a link whose path is as long as these two together, and has the same hash? */
static bool like_a_link(const struct fvm_reg *r, struct fvm_wstr base, struct fvm_wstr rest)
{
    uint32_t hash = RG_HASH_START, len = base.len + rest.len + (base.len != 0), i = 0;

    for (uint32_t k = 0; k < base.len; k++)
        hash = rg_hash_unit(hash, base.ptr[k]);
    if (base.len) hash = rg_hash_unit(hash, '\\');
    for (uint32_t k = 0; k < rest.len; k++)
        hash = rg_hash_unit(hash, rest.ptr[k]);
    for (uint32_t ref = r->links; ref && i < 65536; i++) {
        const struct link *l = rg_at(r, ref, sizeof *l);
        if (l->hash == hash && l->path_len == len) return true;
        ref = l->next;
    }
    return false;
}

bool fvm_reg_is_plain(const struct fvm_reg *r, uint32_t node, struct fvm_wstr base,
                      struct fvm_wstr rest, uint32_t *leaf)
{
    uint32_t pos = 0, len = base.len;

    if (!rest.len || rest.ptr[rest.len - 1] == '\\' || r->origin_count) return false;
    while (pos < rest.len) {
        struct fvm_wstr name = rg_component(rest, &pos);
        if (!name.len || name.len > FVM_REG_KEY_MAX) return false;
        len += name.len + (len != 0);
        if (len > FVM_REG_PATH_MAX) return false;
        if (rg_may_be_link(r, len, name)) {
            uint32_t end = (uint32_t)(name.ptr + name.len - rest.ptr);
            if (like_a_link(r, base, (struct fvm_wstr){rest.ptr, end})) return false;
        }
        if (!node) continue;
        node = fvm_reg_find_child(r, node, name);
        if (rg_node(r, node)->flags & (FVM_REG_PRIVATE | FVM_REG_HIDDEN | FVM_REG_ORIGIN))
            return false;
    }
    *leaf = node;
    return true;
}

enum fvm_reg_verdict fvm_reg_walk(const struct fvm_reg *r, struct fvm_wstr base, uint32_t *node)
{
    uint32_t id = r->root, pos = 0;

    *node = 0;
    while (pos < base.len && id) {
        struct fvm_wstr name = rg_component(base, &pos);
        id = fvm_reg_find_child(r, id, name);
        if (id && (fvm_reg_flags(r, id) & (FVM_REG_PRIVATE | FVM_REG_HIDDEN | FVM_REG_ORIGIN)))
            return FVM_REG_NO_PATH;
    }
    *node = id;
    return FVM_REG_IS_BASE;
}

int fvm_reg_base_to_view(const struct fvm_reg *r, struct fvm_wstr base, fvm_wchar *dst)
{
    uint32_t found = 0, found_len = 0, i = 0;

    for (uint32_t ref = r->origins; ref && i < r->origin_count; i++) {
        const struct node *n = rg_node(r, ref);
        struct fvm_wstr o = rg_string(r, n->origin, n->origin_len);
        if (o.len > found_len && o.len <= base.len &&
            (o.len == base.len || base.ptr[o.len] == '\\') &&
            !fvm_reg_compare(o, (struct fvm_wstr){base.ptr, o.len}))
            found = ref, found_len = o.len;
        ref = n->origin_next;
    }
    uint32_t len = 0;
    if (found) {
        int head = fvm_reg_path(r, found, dst);
        if (head < 0) return head;
        len = (uint32_t)head;
    }
    if (base.len - found_len > FVM_REG_PATH_MAX - len) return FVM_REG_INVALID;
    for (uint32_t k = found_len; k < base.len; k++)
        dst[len++] = base.ptr[k];
    return (int)len;
}

/* --- keys ---------------------------------------------------------------------------------------- */

uint32_t fvm_reg_serial(const struct fvm_reg *r, uint32_t node) { return rg_node(r, node)->serial; }

uint32_t fvm_reg_next_serial(const struct fvm_reg *r)
{
    return r->serials + 1 ? r->serials + 1 : 1;
}

uint32_t fvm_reg_find_serial(const struct fvm_reg *r, uint32_t serial)
{
    uint32_t id = serial ? r->serial_buckets[serial % SERIAL_BUCKETS] : 0, i = 0;

    for (; id && i < 1 << 20; i++) {
        const struct node *n = rg_node(r, id);
        if (n->serial == serial) return id;
        id = n->serial_next;
    }
    return 0;
}

uint32_t fvm_reg_birth(const struct fvm_reg *r, uint32_t node) { return rg_node(r, node)->birth; }
uint32_t fvm_reg_flags(const struct fvm_reg *r, uint32_t node) { return rg_node(r, node)->flags; }
uint64_t fvm_reg_time(const struct fvm_reg *r, uint32_t node) { return rg_node(r, node)->time; }

struct fvm_wstr fvm_reg_name(const struct fvm_reg *r, uint32_t node)
{
    const struct node *n = rg_node(r, node);
    return rg_string(r, n->name, n->name_len);
}

struct fvm_wstr fvm_reg_class(const struct fvm_reg *r, uint32_t node)
{
    const struct node *n = rg_node(r, node);
    return rg_string(r, n->class, n->class_len);
}

struct fvm_wstr fvm_reg_origin(const struct fvm_reg *r, uint32_t node)
{
    const struct node *n = rg_node(r, node);
    return rg_string(r, n->origin, n->origin_len);
}

int fvm_reg_path(const struct fvm_reg *r, uint32_t node, fvm_wchar *dst)
{
    uint32_t total = 0, depth = 0;

    for (uint32_t id = node; id != r->root; id = rg_node(r, id)->parent, depth++) {
        if (!id || depth > FVM_REG_PATH_MAX) return FVM_REG_NOT_FOUND;
        total += rg_node(r, id)->name_len + (total ? 1 : 0);
        if (total > FVM_REG_PATH_MAX) return FVM_REG_INVALID;
    }
    uint32_t end = total;
    for (uint32_t id = node; id != r->root; id = rg_node(r, id)->parent) {
        struct fvm_wstr name = fvm_reg_name(r, id);
        if (!id || name.len > end) return FVM_REG_NOT_FOUND; /* a writer was faster */
        end -= name.len;
        for (uint32_t i = 0; i < name.len; i++)
            dst[end + i] = name.ptr[i];
        if (end) dst[--end] = '\\';
    }
    return (int)total;
}

uint32_t fvm_reg_child_count(const struct fvm_reg *r, uint32_t node)
{
    return rg_node(r, node)->kid_count;
}

uint32_t fvm_reg_child(const struct fvm_reg *r, uint32_t node, uint32_t index)
{
    const struct node *n = rg_node(r, node);
    uint32_t count = n->kid_count;
    return index < count ? rg_element(r, n->kids, count, index) : 0;
}

uint32_t fvm_reg_child_seq(const struct fvm_reg *r, uint32_t node)
{
    return rg_node(r, node)->kid_seq;
}

uint32_t fvm_reg_value_seq(const struct fvm_reg *r, uint32_t node)
{
    return rg_node(r, node)->value_seq;
}

uint32_t fvm_reg_value_count(const struct fvm_reg *r, uint32_t node)
{
    return rg_node(r, node)->value_count;
}

bool fvm_reg_value_at(const struct fvm_reg *r, uint32_t node, uint32_t index,
                      struct fvm_reg_value *out)
{
    const struct node *n = rg_node(r, node);
    uint32_t count = n->value_count;

    if (index >= count) return false;
    get_value(r, rg_element(r, n->values, count, index), out);
    return true;
}

/* --- names ------------------------------------------------------------------------------------------ */

int fvm_reg_path_append(fvm_wchar *dst, uint32_t len, struct fvm_wstr relative)
{
    for (uint32_t i = 0; i < relative.len;) {
        uint32_t start = i;
        while (i < relative.len && relative.ptr[i] != '\\')
            i++;
        struct fvm_wstr name = {relative.ptr + start, i - start};
        if (name.len && !add(dst, &len, name)) return FVM_REG_INVALID;
        while (i < relative.len && relative.ptr[i] == '\\')
            i++;
    }
    return (int)len;
}

int fvm_reg_path_from_nt(struct fvm_wstr nt, fvm_wchar *dst)
{
    if (nt.len < 9 || nt.ptr[0] != '\\' || !is_root_name(nt.ptr + 1) ||
        (nt.len > 9 && nt.ptr[9] != '\\'))
        return FVM_REG_NOT_FOUND;
    return fvm_reg_path_append(dst, 0, (struct fvm_wstr){nt.ptr + 9, nt.len - 9});
}
