/* Facts about keys: NtQueryKey, and what the base and the VM say together. */
#include "registry.h"

uint32_t reg_full_name(struct reg_key *key, fvm_wchar *dst)
{
    static const fvm_wchar root[] = {'\\', 'R', 'E', 'G', 'I', 'S', 'T', 'R', 'Y', '\\'};
    int len = reg_key_path(key, dst + 10, true);

    if (len < 0) return 0;
    if (len > (int)FVM_REG_PATH_MAX - 10) len = FVM_REG_PATH_MAX - 10;
    memcpy(dst, root, sizeof root);
    return len ? (uint32_t)len + 10 : 9;
}

/* --- merged facts --------------------------------------------------------------------------------- */

static void take_max(uint32_t *max, uint32_t value)
{
    if (value > *max) *max = value;
}

/* Lengths of the base's entry at an index. */
struct lengths {
    uint32_t name, other; /* other: class or data */
};

static NTSTATUS base_lengths(HANDLE reader, bool values, uint32_t index, void *scratch,
                             struct lengths *out)
{
    struct key_node_info *k = scratch;
    struct value_full_info *v = scratch;
    NTSTATUS status;
    ULONG used;

    *out = (struct lengths){0};

    if (!values) {
        status = reg_real.enumerate_key(reader, index, KEY_NODE, k, GUEST_SCRATCH_SIZE, &used);
        if (!status) *out = (struct lengths){k->name_length, k->class_length};
        return status;
    }
    status = reg_real.enumerate_value(reader, index, VALUE_FULL, v, GUEST_SCRATCH_SIZE, &used);
    if (status && status != NT_BUFFER_OVERFLOW) return status;
    *out = (struct lengths){v->name_length, used - (ULONG)offsetof(struct value_full_info, name) -
                                                v->name_length};
    return STATUS_SUCCESS;
}

/* The host's maximal lengths count hidden entries, too. When one of those is as long as the
 * longest, the others are looked at until one that is seen is as long. */
static NTSTATUS without_hidden(struct reg_key *key, bool values, struct reg_info *info)
{
    uint32_t n = reg_list_base_count(key, values), at = 0, i;
    uint32_t *name = values ? &info->max_value_name : &info->max_name;
    uint32_t *other = values ? &info->max_value_data : &info->max_class;
    uint32_t most_name = *name, most_other = *other;
    HANDLE reader = reg_reader(key);
    struct lengths l;

    if (reg_list_lengths(key, values, name, other)) return STATUS_SUCCESS;
    void *scratch = guest_scratch_get();
    NTSTATUS status = scratch && reader ? STATUS_SUCCESS : NT_NO_MEMORY;
    bool doubt = reg_list_hides(key, values) > n / 2; /* as good as looking at all of them */
    bool doubt_name = doubt, doubt_other = doubt && most_other;

    while (!status && !doubt && reg_list_next_hidden(key, values, &at, &i)) {
        status = base_lengths(reader, values, i, scratch, &l);
        doubt_name |= l.name == most_name;
        doubt_other |= most_other && l.other == most_other;
        doubt = doubt_name && (doubt_other || !most_other);
    }
    if (doubt_name) *name = 0;
    if (doubt_other) *other = 0;
    for (i = 0; i < n && !status && (*name < most_name || *other < most_other); i++) {
        if (reg_list_hidden(key, values, i)) continue;
        status = base_lengths(reader, values, i, scratch, &l);
        if (status) break;
        take_max(name, l.name);
        take_max(other, l.other);
    }
    if (!status) reg_list_set_lengths(key, values, *name, *other);
    else *name = most_name, *other = most_other; /* the base has just changed */
    guest_scratch_put(scratch);
    return status == NT_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

/* What the VM's own entries have. */
static void add_own(struct reg_key *key, struct reg_info *info)
{
    struct fvm_reg *r = reg_store();
    struct fvm_reg_value value;
    struct reg_info sum = *info;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        sum = *info;
        if (fvm_reg_birth(r, key->node) != key->birth) continue;
        for (uint32_t i = 0, kid; (kid = fvm_reg_child(r, key->node, i)); i++) {
            uint32_t flags = fvm_reg_flags(r, kid);
            if (flags & (FVM_REG_PRIVATE | FVM_REG_ORIGIN))
                take_max(&sum.max_name, fvm_reg_name(r, kid).len * 2);
            if (!(flags & FVM_REG_HIDDEN)) take_max(&sum.max_class, fvm_reg_class(r, kid).len * 2);
        }
        for (uint32_t i = 0; fvm_reg_value_at(r, key->node, i, &value); i++) {
            if (value.deleted) continue;
            take_max(&sum.max_value_name, value.name.len * 2);
            take_max(&sum.max_value_data, value.size);
        }
    }
    *info = sum;
}

/* Name, class and time of the key itself: the VM's where it has changed them. */
static void own_facts(uint32_t node, uint32_t birth, struct reg_info *info, fvm_wchar *text)
{
    struct fvm_reg *r = reg_store();

    for (struct reg_read read = {0}; reg_reading(&read);) {
        if (fvm_reg_birth(r, node) != birth) continue;
        uint32_t flags = fvm_reg_flags(r, node);
        uint64_t time = fvm_reg_time(r, node);
        if (time > info->time) info->time = time;
        if (flags & FVM_REG_ORIGIN) {
            struct fvm_wstr name = fvm_reg_name(r, node);
            if (name.len > FVM_REG_KEY_MAX) name.len = FVM_REG_KEY_MAX;
            memcpy(text, name.ptr, name.len * sizeof *text);
            info->name = (struct fvm_wstr){text, name.len};
        }
        if (flags & FVM_REG_CLASS) {
            struct fvm_wstr class = fvm_reg_class(r, node);
            if (class.len > 16384) class.len = 16384;
            memcpy(text + FVM_REG_KEY_MAX, class.ptr, class.len * sizeof *text);
            info->class = (struct fvm_wstr){text + FVM_REG_KEY_MAX, class.len};
        }
    }
}

/* The base's own facts, as far as the class needs them: one call for nearly all. text gets name and
 * class. */
static NTSTATUS base_facts(HANDLE reader, int class, struct reg_info *info, fvm_wchar *text)
{
    void *scratch = guest_scratch_get();
    struct key_full_info *full = scratch;
    struct key_node_info *node = scratch;
    bool named = class == KEY_BASIC || class == KEY_NODE;
    ULONG used, room = 40000;
    NTSTATUS status = scratch ? STATUS_SUCCESS : NT_NO_MEMORY;

    *info = (struct reg_info){0};
    if (!status && !named) status = reg_real.query_key(reader, KEY_FULL, full, room, &used);
    if (!status && !named) {
        *info = (struct reg_info){.subkeys = full->subkeys,
                                  .values = full->values,
                                  .max_name = full->max_name,
                                  .max_class = full->max_class,
                                  .max_value_name = full->max_value_name,
                                  .max_value_data = full->max_value_data};
        info->time = (uint64_t)full->time.QuadPart;
        memcpy(text + FVM_REG_KEY_MAX, full->class, full->class_length);
        info->class = (struct fvm_wstr){text + FVM_REG_KEY_MAX, full->class_length / 2};
    }
    /* the cached form tells the length of the name */
    if (!status && class != KEY_FULL)
        status = reg_real.query_key(reader, KEY_NODE, node, room, &used);
    if (!status && class != KEY_FULL) {
        uint32_t len = node->name_length / 2, class_len = node->class_length / 2;
        if (len > FVM_REG_KEY_MAX) len = FVM_REG_KEY_MAX;
        memcpy(text, node->name, len * sizeof *text);
        info->name = (struct fvm_wstr){text, len};
        info->time = (uint64_t)node->time.QuadPart;
        if (class_len)
            memcpy(text + FVM_REG_KEY_MAX, (uint8_t *)node + node->class_offset, class_len * 2);
        info->class = (struct fvm_wstr){text + FVM_REG_KEY_MAX, class_len};
    }
    guest_scratch_put(scratch);
    return status;
}

NTSTATUS reg_info_merged(struct reg_key *key, int class, struct reg_info *info, fvm_wchar *text)
{
    HANDLE reader = reg_reader(key);
    NTSTATUS status = reader ? base_facts(reader, class, info, text) : NT_KEY_DELETED;

    if (!status && class != KEY_BASIC && class != KEY_NODE) {
        status = reg_list_base_is(key, false, info->subkeys, info->time);
        if (!status) status = reg_list_base_is(key, true, info->values, info->time);
        if (!status) status = reg_list_count(key, false, false, &info->subkeys);
        if (!status) status = reg_list_count(key, true, false, &info->values);
        if (!status && reg_list_hides(key, false)) status = without_hidden(key, false, info);
        if (!status && reg_list_hides(key, true)) status = without_hidden(key, true, info);
        if (!status) add_own(key, info);
    }
    if (!status) own_facts(key->node, key->birth, info, text);
    return status;
}

/* --- NtQueryKey -------------------------------------------------------------------------------------- */

static NTSTATUS query_private(struct reg_key *key, int class, void *buffer, ULONG length,
                              ULONG *used)
{
    NTSTATUS status = NT_KEY_DELETED;
    struct reg_info info;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        if (fvm_reg_birth(reg_store(), key->node) != key->birth) {
            status = NT_KEY_DELETED;
            continue;
        }
        reg_info_private(key->node, &info);
        status = reg_put_key(class, buffer, length, used, &info, info.name);
    }
    return status;
}

uint32_t guest_registry_name(HANDLE handle, fvm_wchar *dst)
{
    struct reg_key key;
    NTSTATUS status;
    uint32_t len = 0;

    if (reg_key_begin(handle, false, &key, &status) != REG_OURS) return 0;
    if (key.is_private || fvm_reg_has_origins(reg_store())) len = reg_full_name(&key, dst);
    reg_key_end(&key);
    return len;
}

static NTSTATUS query_name(struct reg_key *key, void *buffer, ULONG length, ULONG *used)
{
    fvm_wchar *text = guest_scratch_get();
    struct reg_info info = {0};
    NTSTATUS status = NT_NO_MEMORY;

    if (text) {
        uint32_t len = reg_full_name(key, text);
        status = len ? reg_put_key(KEY_NAME, buffer, length, used, &info,
                                   (struct fvm_wstr){text, len})
                     : NT_KEY_DELETED;
    }
    guest_scratch_put(text);
    return status;
}

NTSTATUS NTAPI reg_hook_query_key(HANDLE handle, int class, void *buffer, ULONG length,
                                  ULONG *used)
{
    struct reg_key key;
    NTSTATUS status = STATUS_SUCCESS;

    enum reg_kind kind = reg_key_class_known(class) ? reg_key_begin(handle, false, &key, &status) : REG_PASS;
    if (kind == REG_FAILED) return status;
    if (kind == REG_OURS && !key.is_private &&
        (class == KEY_NAME ? !fvm_reg_has_origins(reg_store()) : !key.node)) {
        reg_key_end(&key);
        kind = REG_PASS;
    }
    if (kind == REG_PASS) return reg_real.query_key(handle, class, buffer, length, used);
    if (class == KEY_NAME) {
        status = query_name(&key, buffer, length, used);
    } else if (key.is_private) {
        status = query_private(&key, class, buffer, length, used);
    } else {
        struct reg_info info;
        fvm_wchar *text = guest_scratch_get();
        status = NT_NO_MEMORY;
        if (text) {
            guest_lock_acquire(&key.h->lock);
            status = reg_info_merged(&key, class, &info, text);
            guest_lock_release(&key.h->lock);
        }
        if (!status) status = reg_put_key(class, buffer, length, used, &info, info.name);
        guest_scratch_put(text);
    }
    reg_key_end(&key);
    return status;
}
