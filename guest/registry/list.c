/* The merged list of the entries of a key that the base and the VM share: subkeys or values, in
 * the host's order, which both sides are sorted by.
 *
 * Of each entry of the VM's it is known where it stands in the base's list, and whether the
 * base has it too. That makes an index of the merged list an index on one of the sides by
 * counting. Names of the base are asked for as far as they are needed to find those places,
 * and kept with the handle. */
#include "registry.h"

struct own {
    uint32_t birth;
    uint32_t node;    /* keys */
    uint32_t index;   /* in the store */
    uint32_t place;   /* in the base's list: of the same name, or where it would stand */
    int32_t shift;    /* merged index = index in the base + shift, for what stands before it */
    bool present;     /* the base has it */
    bool hides, adds; /* what it does to the merged list */
};

struct base_name {
    fvm_wchar *text; /* NULL: not asked for yet */
    uint32_t len;
};

struct reg_listing {
    bool known; /* what follows is that of the base */
    uint64_t time;
    uint32_t count;
    struct base_name *names;
    uint32_t node, birth, seq; /* the own entries are those of this node at this time */
    bool mapped;
    struct own *own;
    uint32_t own_count, own_cap;
    uint32_t hidden, added;
    bool measured; /* the longest name, and class or data, of the base's entries that are seen */
    uint32_t max_name, max_other;
};

static void forget_base(struct reg_listing *l)
{
    for (uint32_t i = 0; l->names && i < l->count; i++)
        guest_free(l->names[i].text);
    guest_free(l->names);
    l->names = NULL;
    l->known = l->mapped = l->measured = false;
    l->count = l->own_count = 0;
}

void reg_list_free(struct reg_listing *l)
{
    if (!l) return;
    forget_base(l);
    guest_free(l->own);
    guest_free(l);
}

static struct reg_listing *listing(struct reg_key *key, bool values)
{
    struct reg_listing **at = values ? &key->h->values : &key->h->keys;

    if (!*at) *at = guest_alloc(sizeof **at);
    return *at;
}

void reg_list_forget(struct reg_key *key, bool values)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;

    if (l) forget_base(l);
}

static NTSTATUS base_is(struct reg_listing *l, uint32_t count, uint64_t time)
{
    if (l->known && l->count == count && l->time == time) return STATUS_SUCCESS;
    forget_base(l);
    if (count && !(l->names = guest_alloc(count * sizeof *l->names))) return NT_NO_MEMORY;
    l->count = count;
    l->time = time;
    l->known = true;
    return STATUS_SUCCESS;
}

/* How many entries the base has, and when the key was last changed there. */
static NTSTATUS ask_base(struct reg_key *key, struct reg_listing *l, bool values, bool fresh)
{
    struct key_cached_info info;
    ULONG used;

    if (l->known && !fresh) return STATUS_SUCCESS;
    HANDLE reader = reg_reader(key);
    if (!reader) return NT_KEY_DELETED;
    NTSTATUS status = reg_real.query_key(reader, KEY_CACHED, &info, sizeof info, &used);
    if (status) return status;
    return base_is(l, values ? info.values : info.subkeys, (uint64_t)info.time.QuadPart);
}

NTSTATUS reg_list_base_is(struct reg_key *key, bool values, uint32_t count, uint64_t time)
{
    struct reg_listing *l = listing(key, values);

    return l ? base_is(l, count, time) : NT_NO_MEMORY;
}

static struct fvm_wstr base_name(struct reg_key *key, struct reg_listing *l, bool values,
                                 uint32_t index)
{
    struct fvm_wstr none = {0};

    if (index >= l->count) return none;
    struct base_name *name = &l->names[index];
    if (!name->text) {
        union {
            struct key_basic_info key;
            struct value_basic_info value;
        } *info = guest_scratch_get();
        HANDLE reader = reg_reader(key);
        ULONG used;
        NTSTATUS status = NT_NO_MEMORY;
        if (info && reader)
            status = values ? reg_real.enumerate_value(reader, index, VALUE_BASIC, info,
                                                       GUEST_SCRATCH_SIZE, &used)
                            : reg_real.enumerate_key(reader, index, KEY_BASIC, info,
                                                     GUEST_SCRATCH_SIZE, &used);
        if (!status) {
            uint32_t bytes = values ? info->value.name_length : info->key.name_length;
            fvm_wchar *text = guest_alloc(bytes + sizeof *text);
            if (text) {
                memcpy(text, values ? info->value.name : info->key.name, bytes);
                name->text = text;
                name->len = bytes / (uint32_t)sizeof *text;
            }
        }
        guest_scratch_put(info);
    }
    return (struct fvm_wstr){name->text, name->len};
}

struct fvm_wstr reg_list_base_name(struct reg_key *key, bool values, uint32_t index)
{
    struct reg_listing *l = listing(key, values);

    return l ? base_name(key, l, values, index) : (struct fvm_wstr){0};
}

uint32_t reg_list_base_count(struct reg_key *key, bool values)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;
    return l ? l->count : 0;
}

/* Where the name stands in the base's list, at least at low. Each name that is looked at for the
 * first time costs a call: the search begins gap entries behind low, as far as the entry before
 * stood from the one before that, and doubles its steps from there. False: the base could not be
 * asked. */
static bool find_place(struct reg_key *key, struct reg_listing *l, bool values,
                       struct fvm_wstr name, uint32_t low, uint32_t gap, struct own *own)
{
    uint32_t high = l->count, step = gap;

    own->present = false;
    while (low < high && !own->present) {
        uint32_t mid = step && step <= high - low ? low + step - 1 : low + (high - low) / 2;
        struct fvm_wstr other = base_name(key, l, values, mid);
        if (!other.ptr) return false;
        int c = fvm_reg_compare(name, other);
        if (!c) {
            own->present = true;
            low = mid;
        } else if (c < 0) {
            high = mid;
            step = 0; /* between the two: by halves */
        } else {
            low = mid + 1;
            step *= 2;
        }
    }
    own->place = low;
    return true;
}

/* One entry of the VM's, with its name copied to name. False beyond the end. Keys of the base
 * that have only something else inside neither add nor hide: they are not listed here, but found
 * by their names when it is their turn. */
static bool own_entry(struct reg_key *key, bool values, uint32_t index, struct own *own,
                      fvm_wchar *text, struct fvm_wstr *name)
{
    struct fvm_reg *r = reg_store();
    struct fvm_reg_value value;
    bool found = false;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        struct fvm_wstr n = {0};
        found = false;
        if (fvm_reg_birth(r, key->node) != key->birth) continue;
        if (values) {
            found = fvm_reg_value_at(r, key->node, index, &value);
            if (found) {
                own->birth = value.birth;
                own->adds = !value.deleted;
                own->hides = true;
                n = value.name;
            }
        } else {
            uint32_t node = fvm_reg_child(r, key->node, index);
            found = node != 0;
            uint32_t flags = fvm_reg_flags(r, node);
            own->birth = fvm_reg_birth(r, node);
            own->node = node;
            own->adds = (flags & (FVM_REG_PRIVATE | FVM_REG_ORIGIN)) != 0;
            own->hides = own->adds || (flags & FVM_REG_HIDDEN);
            n = fvm_reg_name(r, node);
        }
        if (n.len > FVM_REG_VALUE_MAX) n.len = FVM_REG_VALUE_MAX;
        memcpy(text, n.ptr, n.len * sizeof *text);
        *name = (struct fvm_wstr){text, n.len};
    }
    own->index = index;
    return found;
}

void reg_list_learn(struct reg_key *key, uint32_t index, struct fvm_wstr name)
{
    struct reg_listing *l = key->h->keys;

    if (!l || index >= l->count || l->names[index].text) return;
    fvm_wchar *text = guest_alloc((name.len + 1) * sizeof *text);
    if (!text) return;
    memcpy(text, name.ptr, name.len * sizeof *text);
    l->names[index].text = text;
    l->names[index].len = name.len;
}

struct fvm_wstr reg_list_known_name(struct reg_key *key, bool values, uint32_t index)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;
    struct fvm_wstr none = {0};

    if (!l || index >= l->count || !l->names[index].text) return none;
    return (struct fvm_wstr){l->names[index].text, l->names[index].len};
}

bool reg_list_lengths(struct reg_key *key, bool values, uint32_t *name, uint32_t *other)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;

    if (!l || !l->mapped || !l->measured) return false;
    *name = l->max_name;
    *other = l->max_other;
    return true;
}

void reg_list_set_lengths(struct reg_key *key, bool values, uint32_t name, uint32_t other)
{
    struct reg_listing *l = listing(key, values);

    if (!l || !l->mapped) return;
    l->max_name = name;
    l->max_other = other;
    l->measured = true;
}

static uint32_t own_seq(struct reg_key *key, bool values)
{
    return values ? fvm_reg_value_seq(reg_store(), key->node)
                  : fvm_reg_child_seq(reg_store(), key->node);
}

static struct own *room_for(struct own **fresh, uint32_t *cap, uint32_t n)
{
    if (n == *cap) {
        uint32_t larger = *cap ? *cap * 2 : 8;
        struct own *p = guest_alloc(larger * sizeof *p);
        if (!p) return NULL;
        memcpy(p, *fresh, n * sizeof *p);
        guest_free(*fresh);
        *fresh = p;
        *cap = larger;
    }
    return &(*fresh)[n];
}

/* Brings the own entries up to date. Places found before are taken over: both lists are in the
 * same order. */
static NTSTATUS map(struct reg_key *key, struct reg_listing *l, bool values)
{
    uint32_t seq = own_seq(key, values);

    if (l->mapped && l->node == key->node && l->birth == key->birth && l->seq == seq)
        return STATUS_SUCCESS;
    fvm_wchar *text = guest_scratch_get();
    struct own *fresh = NULL;
    uint32_t cap = 0, n = 0, old = 0, next = 0, gap = 0;
    int32_t shift = 0;
    NTSTATUS status = text ? STATUS_SUCCESS : NT_NO_MEMORY;

    l->hidden = l->added = 0;
    for (uint32_t i = 0; !status && key->node; i++) {
        struct own *own = room_for(&fresh, &cap, n);
        struct fvm_wstr name;
        if (!own) {
            status = NT_NO_MEMORY;
            break;
        }
        if (!own_entry(key, values, i, own, text, &name)) break;
        if (!own->adds && !own->hides) continue;
        uint32_t from = old;
        while (l->mapped && old < l->own_count && l->own[old].birth != own->birth)
            old++;
        if (l->mapped && old < l->own_count) {
            own->place = l->own[old].place;
            own->present = l->own[old].present;
            old++;
        } else {
            old = from;
            if (!find_place(key, l, values, name, next, gap, own)) status = NT_NO_MORE_ENTRIES;
        }
        /* the next one stands behind this one, or before the same entry of the base */
        gap = own->place - next + own->present;
        next = own->place + own->present;
        own->hides &= own->present;
        own->shift = shift;
        shift += own->adds - own->hides;
        l->hidden += own->hides;
        l->added += own->adds;
        n++;
    }
    guest_scratch_put(text);
    if (status) {
        guest_free(fresh);
        l->mapped = false;
        return status;
    }
    guest_free(l->own);
    l->own = fresh;
    l->own_count = n;
    l->own_cap = cap;
    l->node = key->node;
    l->birth = key->birth;
    l->seq = seq;
    l->mapped = true;
    l->measured = false;
    return STATUS_SUCCESS;
}

static NTSTATUS prepare(struct reg_key *key, bool values, bool fresh, struct reg_listing **out)
{
    struct reg_listing *l = listing(key, values);

    if (!l) return NT_NO_MEMORY;
    *out = l;
    for (int tries = 0;; tries++) {
        NTSTATUS status = ask_base(key, l, values, fresh || tries);
        if (!status) status = map(key, l, values);
        /* the base has changed while its names were read */
        if (status != NT_NO_MORE_ENTRIES || tries == 8) return status;
        forget_base(l);
    }
}

NTSTATUS reg_list_count(struct reg_key *key, bool values, bool fresh, uint32_t *count)
{
    struct reg_listing *l;
    NTSTATUS status = prepare(key, values, fresh, &l);

    if (!status) *count = l->count + l->added - l->hidden;
    return status;
}

NTSTATUS reg_list_at(struct reg_key *key, bool values, uint32_t index, bool fresh,
                     struct reg_entry *entry)
{
    struct reg_listing *l;
    NTSTATUS status = prepare(key, values, fresh, &l);

    if (status) return status;
    if (index >= l->count + l->added - l->hidden) return NT_NO_MORE_ENTRIES;
    /* the last own entry that stands at or before the index */
    uint32_t low = 0, high = l->own_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if ((int64_t)l->own[mid].place + l->own[mid].shift <= (int64_t)index)
            low = mid + 1;
        else
            high = mid;
    }
    *entry = (struct reg_entry){.index = index};
    if (!low) return STATUS_SUCCESS;
    const struct own *own = &l->own[low - 1];
    if (own->adds && (int64_t)own->place + own->shift == (int64_t)index) {
        *entry = (struct reg_entry){.own = true, .index = own->index, .node = own->node, .birth = own->birth};
        if (values && own->present) entry->base_name = base_name(key, l, values, own->place);
        return STATUS_SUCCESS;
    }
    entry->index = (uint32_t)((int64_t)index - own->shift - own->adds + own->hides);
    return STATUS_SUCCESS;
}

uint32_t reg_list_hides(struct reg_key *key, bool values)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;
    return l && l->mapped ? l->hidden : 0;
}

bool reg_list_next_hidden(struct reg_key *key, bool values, uint32_t *at, uint32_t *index)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;

    for (; l && *at < l->own_count; ++*at) {
        if (!l->own[*at].hides) continue;
        *index = l->own[(*at)++].place;
        return true;
    }
    return false;
}

bool reg_list_hidden(struct reg_key *key, bool values, uint32_t index)
{
    struct reg_listing *l = values ? key->h->values : key->h->keys;
    uint32_t low = 0, high = l ? l->own_count : 0;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (l->own[mid].place < index)
            low = mid + 1;
        else
            high = mid;
    }
    for (; l && low < l->own_count && l->own[low].place == index; low++)
        if (l->own[low].hides) return true;
    return false;
}
