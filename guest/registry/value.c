/* Values: query, enumerate, set, delete. */
#include "registry.h"

#define NAME_MAX_BYTES (FVM_REG_VALUE_MAX * sizeof(WCHAR))

/* A value's name, copied from the program. */
struct name {
    fvm_wchar small[128], *text;
    UNICODE_STRING given;
    struct fvm_wstr s;
};

static NTSTATUS read_name(const UNICODE_STRING *given, struct name *name, NTSTATUS too_long)
{
    name->text = name->small;
    if (!guest_read(&name->given, given, sizeof name->given)) return NT_ACCESS_VIOLATION;
    if (name->given.Length > NAME_MAX_BYTES) return too_long;
    if (name->given.Length > sizeof name->small && !(name->text = guest_scratch_get()))
        return NT_NO_MEMORY;
    if (!guest_read(name->text, name->given.Buffer, name->given.Length)) {
        if (name->text != name->small) guest_scratch_put(name->text);
        return NT_ACCESS_VIOLATION;
    }
    name->s = (struct fvm_wstr){name->text, name->given.Length / (uint32_t)sizeof(WCHAR)};
    return STATUS_SUCCESS;
}

static void free_name(struct name *name)
{
    if (name->text != name->small) guest_scratch_put(name->text);
}

static bool put(void *buffer, ULONG length, ULONG at, const void *bytes, ULONG size)
{
    if (length <= at || !size) return true;
    if (size > length - at) size = length - at;
    return guest_write((uint8_t *)buffer + at, bytes, size);
}

/* The fixed part of an answer; returns its size, 0 for an unknown class. */
static ULONG head_of(int class, ULONG type, ULONG names, ULONG size, uint8_t head[20])
{
    struct value_basic_info basic = {.type = type, .name_length = names};
    struct value_full_info full = {
        .type = type, .data_offset = 20 + names, .data_length = size, .name_length = names};
    struct value_partial_info partial = {.type = type, .size = size};

    switch (class) {
    case VALUE_BASIC:
        memcpy(head, &basic, offsetof(struct value_basic_info, name));
        return offsetof(struct value_basic_info, name);
    case VALUE_FULL:
        memcpy(head, &full, offsetof(struct value_full_info, name));
        return offsetof(struct value_full_info, name);
    case VALUE_PARTIAL:
        memcpy(head, &partial, offsetof(struct value_partial_info, data));
        return offsetof(struct value_partial_info, data);
    default:
        return 0;
    }
}

/* As NtQueryValueKey of the host: the name is the one asked for. */
static NTSTATUS put_queried(int class, void *buffer, ULONG length, ULONG *used,
                            const struct name *name, const struct fvm_reg_value *v)
{
    uint8_t head[20];
    ULONG names = class == VALUE_PARTIAL ? 0 : name->given.Length;
    ULONG least = head_of(class, v->type, name->given.Length, v->size, head);
    ULONG fixed = least + names, result = fixed + (class == VALUE_BASIC ? 0 : v->size);

    if (!put(buffer, length, 0, head, least) ||
        !put(buffer, length, least, name->text, names) ||
        (class != VALUE_BASIC && !put(buffer, length, fixed, v->data, v->size)) ||
        !guest_write(used, &result, sizeof result))
        return NT_ACCESS_VIOLATION;
    if (length < least) return NT_BUFFER_TOO_SMALL;
    return length < result ? NT_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* As NtEnumerateValueKey of the host: lengths are of what fits. */
static NTSTATUS put_enumerated(int class, void *buffer, ULONG length, ULONG *used,
                               const struct fvm_reg_value *v)
{
    uint8_t head[20];
    ULONG names = class == VALUE_PARTIAL ? 0 : v->name.len * 2;
    ULONG size = class == VALUE_BASIC ? 0 : v->size;
    ULONG fixed = head_of(class, 0, 0, 0, head), room = length > fixed ? length - fixed : 0;
    ULONG given = names + size < room ? names + size : room;
    ULONG given_name = given < names ? given : names, result = fixed + names + size;

    head_of(class, v->type, given_name, given - given_name, head);
    if (!put(buffer, length, 0, head, fixed) || !put(buffer, length, fixed, v->name.ptr, names) ||
        !put(buffer, length, fixed + names, v->data, size) ||
        !guest_write(used, &result, sizeof result))
        return NT_ACCESS_VIOLATION;
    return length < result ? NT_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* The host refuses all others before it looks at anything else. */
static bool known_class(int class)
{
    return class >= VALUE_BASIC && class <= VALUE_PARTIAL;
}

static NTSTATUS query_value(HANDLE handle, const UNICODE_STRING *given, int class, void *buffer,
                            ULONG length, ULONG *used)
{
    struct reg_key key;
    struct name name;
    NTSTATUS status = STATUS_SUCCESS;

    enum reg_kind kind = known_class(class) ? reg_key_begin(handle, false, &key, &status) : REG_PASS;
    if (kind == REG_PASS) return reg_real.query_value(handle, given, class, buffer, length, used);
    if (kind == REG_FAILED) return reg_failed(handle, KEY_QUERY_VALUE, status);
    bool ours = key.is_private || fvm_reg_value_count(reg_store(), key.node);
    if (ours && !(status = read_name(given, &name, NT_OBJECT_NAME_NOT_FOUND))) {
        struct fvm_reg_value value;
        bool found = false;
        status = reg_check_access(&key, KEY_QUERY_VALUE);
        for (struct reg_read read = {0}; !status && reg_reading(&read);) {
            found = fvm_reg_birth(reg_store(), key.node) == key.birth &&
                    fvm_reg_find_value(reg_store(), key.node, name.s, &value);
            if (found && !value.deleted) {
                status = put_queried(class, buffer, length, used, &name, &value);
                if (status == NT_BUFFER_OVERFLOW || status == NT_BUFFER_TOO_SMALL) {
                    if (!fvm_reg_read_retry(reg_store(), read.seq)) break;
                    status = STATUS_SUCCESS;
                }
            }
        }
        if (!status && found && value.deleted) status = NT_OBJECT_NAME_NOT_FOUND;
        if (!status && !found) {
            if (key.is_private) status = NT_OBJECT_NAME_NOT_FOUND;
            else ours = false;
        }
        free_name(&name);
    }
    if (!ours) status = reg_real.query_value(handle, given, class, buffer, length, used);
    reg_key_end(&key);
    return status;
}

NTSTATUS NTAPI reg_hook_query_value(HANDLE handle, const UNICODE_STRING *given, int class,
                                    void *buffer, ULONG length, ULONG *used)
{
    NTSTATUS status = query_value(handle, given, class, buffer, length, used);

    if (!status && guest_is_served) reg_services_filter(handle, given, class, buffer);
    return status;
}

/* The value at an index of what the VM itself has. */
static NTSTATUS enumerate_own(struct reg_key *key, uint32_t index, struct fvm_wstr base_name,
                              int class, void *buffer, ULONG length, ULONG *used)
{
    NTSTATUS status = NT_NO_MORE_ENTRIES;
    struct fvm_reg_value value;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        status = NT_NO_MORE_ENTRIES;
        if (fvm_reg_birth(reg_store(), key->node) == key->birth &&
            fvm_reg_value_at(reg_store(), key->node, index, &value)) {
            if (value.base_name && base_name.len == value.name.len) value.name = base_name;
            status = put_enumerated(class, buffer, length, used, &value);
        }
    }
    return status;
}

/* Is what the host has just answered about an entry the one that was meant? */
static bool is_expected(struct reg_key *key, uint32_t index, int class, const void *buffer,
                        ULONG length)
{
    struct fvm_wstr name = reg_list_known_name(key, true, index);
    struct value_full_info info = {0};
    ULONG at = class == VALUE_BASIC ? offsetof(struct value_basic_info, name)
                                    : offsetof(struct value_full_info, name);
    fvm_wchar part[32];

    if (class == VALUE_PARTIAL || !name.ptr || length < at + name.len * 2) return true;
    /* the length of the name is the last field of both */
    if (!guest_read((uint8_t *)&info + sizeof info - at, buffer, at)) return true;
    ULONG bytes = info.name_length;
    if (bytes != name.len * 2) return false;
    uint32_t n = name.len < 32 ? name.len : 32;
    return !guest_read(part, (const uint8_t *)buffer + at, n * 2) ||
           !memcmp(part, name.ptr, n * 2);
}

static NTSTATUS enumerate_merged(struct reg_key *key, uint32_t index, int class, void *buffer,
                                 ULONG length, ULONG *used)
{
    struct reg_entry entry;
    NTSTATUS status;

    guest_lock_acquire(&key->h->lock);
    for (int tries = 0;; tries++) {
        status = reg_list_at(key, true, index, !index || tries, &entry);
        if (status) break;
        if (entry.own)
            status = enumerate_own(key, entry.index, entry.base_name, class, buffer, length, used);
        else
            status = reg_real.enumerate_value(key->handle, entry.index, class, buffer, length, used);
        bool bad = status == NT_NO_MORE_ENTRIES ||
                   (!status && !entry.own && !is_expected(key, entry.index, class, buffer, length));
        if (!bad || tries == 16) break;
        reg_list_forget(key, true); /* the base has changed, or the VM just now */
    }
    guest_lock_release(&key->h->lock);
    return status;
}

NTSTATUS NTAPI reg_hook_enumerate_value(HANDLE handle, ULONG index, int class, void *buffer,
                                        ULONG length, ULONG *used)
{
    const struct fvm_wstr none = {0};
    struct reg_key key;
    NTSTATUS status = STATUS_SUCCESS;

    enum reg_kind kind = known_class(class) ? reg_key_begin(handle, false, &key, &status) : REG_PASS;
    if (kind == REG_FAILED) return reg_failed(handle, KEY_QUERY_VALUE, status);
    if (kind == REG_OURS && !key.is_private && !fvm_reg_value_count(reg_store(), key.node)) {
        reg_key_end(&key);
        kind = REG_PASS;
    }
    if (kind == REG_PASS)
        return reg_real.enumerate_value(handle, index, class, buffer, length, used);
    status = reg_check_access(&key, KEY_QUERY_VALUE);
    if (!status)
        status = key.is_private ? enumerate_own(&key, index, none, class, buffer, length, used)
                                : enumerate_merged(&key, index, class, buffer, length, used);
    reg_key_end(&key);
    return status;
}

/* --- changes ------------------------------------------------------------------------------------ */

enum known { OTHER, SAME, MISSING, IN_BASE };

/* Does the VM see this very value? The data is the guest's copy. */
static enum known compare(struct reg_key *key, const struct name *name, ULONG type,
                          const void *data, ULONG size)
{
    enum known known = MISSING;
    struct fvm_reg_value value;
    bool found = false;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        found = key->node && fvm_reg_birth(reg_store(), key->node) == key->birth &&
                fvm_reg_find_value(reg_store(), key->node, name->s, &value);
        known = MISSING;
        if (found && !value.deleted)
            known = value.type == type && value.size == size && size &&
                            !memcmp(value.data, data, size)
                        ? SAME
                        : OTHER;
    }
    if (found || key->is_private) return known;
    struct value_partial_info *info = guest_scratch_get();
    ULONG used, room = GUEST_SCRATCH_SIZE;
    UNICODE_STRING text = {(USHORT)(name->s.len * 2), (USHORT)(name->s.len * 2),
                           (WCHAR *)name->text};
    guest_lock_acquire(&key->h->lock);
    HANDLE reader = reg_reader(key);
    guest_lock_release(&key->h->lock);
    void *large = NULL;
    NTSTATUS status = NT_NO_MEMORY;
    if (info && reader)
        status = reg_real.query_value(reader, &text, VALUE_PARTIAL, info, room, &used);
    if (status == NT_BUFFER_OVERFLOW && info->size == size && (large = guest_alloc(used)))
        status = reg_real.query_value(reader, &text, VALUE_PARTIAL, large, used, &used);
    if (!status || status == NT_BUFFER_OVERFLOW) known = IN_BASE;
    if (!status) {
        struct value_partial_info *v = large ? large : info;
        if (v->type == type && v->size == size && size && !memcmp(v->data, data, size))
            known = SAME;
    }
    guest_free(large);
    guest_scratch_put(info);
    return known;
}

static bool is_link_name(struct fvm_wstr name)
{
    static const fvm_wchar link[] = {'S', 'y', 'm', 'b', 'o', 'l', 'i', 'c', 'L', 'i',
                                     'n', 'k', 'V', 'a', 'l', 'u', 'e'};
    return !fvm_reg_compare(name, (struct fvm_wstr){link, sizeof link / sizeof *link});
}

/* The value of the record's name is there to be deleted. Under the lock. */
static bool can_delete(const struct reg_key *key, const struct fvm_reg_record *rec)
{
    struct fvm_reg_value value;

    if (key->node && fvm_reg_find_value(reg_store(), key->node, rec->name, &value))
        return !value.deleted;
    return rec->flags & FVM_REG_BASE;
}

/* Records a change of the key's values. */
static NTSTATUS record(struct reg_key *key, struct fvm_reg_record *rec)
{
    fvm_wchar *path = guest_scratch_get();
    NTSTATUS status = NT_KEY_DELETED;

    if (!path) return NT_NO_MEMORY;
    reg_key_path(key, path, true); /* learns the spelling outside of the lock */
    rec->time = reg_now();
    reg_lock();
    if (reg_key_again(key)) {
        int len = reg_key_path(key, path, false);
        rec->path = (struct fvm_wstr){path, len > 0 ? (uint32_t)len : 0};
        if (len > 0 && rec->op == FVM_REG_OP_UNSET && !can_delete(key, rec))
            status = NT_OBJECT_NAME_NOT_FOUND;
        else if (len > 0)
            status = reg_record(rec);
        else if (!len)
            status = NT_ACCESS_DENIED; /* \Registry itself has no values */
    }
    reg_unlock();
    if (!status) reg_tell(rec->path, REG_NOTIFY_CHANGE_LAST_SET);
    guest_scratch_put(path);
    return status;
}

NTSTATUS NTAPI reg_hook_set_value(HANDLE handle, const UNICODE_STRING *given, ULONG index,
                                  ULONG type, const void *data, ULONG size)
{
    struct reg_key key;
    struct name name;
    NTSTATUS status;

    (void)index;
    enum reg_kind kind = reg_key_begin(handle, true, &key, &status);
    if (kind == REG_FAILED) return reg_failed(handle, KEY_SET_VALUE, status);
    if (kind == REG_PASS) return reg_no_key(handle);
    status = read_name(given, &name, NT_INVALID_PARAMETER);
    if (status) goto out;
    name.s.len = name.given.Length / (uint32_t)sizeof(WCHAR);
    uint8_t *copy = size <= GUEST_SCRATCH_SIZE ? guest_scratch_get() : guest_alloc(size);
    status = reg_check_access(&key, KEY_SET_VALUE);
    if (!status && !copy) status = NT_NO_MEMORY;
    if (!status && !guest_read(copy, data, size)) status = NT_ACCESS_VIOLATION;
    enum known known = status ? SAME : compare(&key, &name, type, copy, size);
    if (known != SAME) {
        uint32_t flags = key.is_private ? reg_key_flags(&key) : 0;
        if ((flags & FVM_REG_LINK) && (type != REG_LINK || !is_link_name(name.s))) {
            status = NT_ACCESS_DENIED;
        } else {
            struct fvm_reg_record rec = {.op = FVM_REG_OP_SET,
                                         .flags = known == IN_BASE ? FVM_REG_BASE : 0,
                                         .name = name.s,
                                         .type = type,
                                         .data = copy,
                                         .size = size};
            status = record(&key, &rec);
        }
    }
    if (size <= GUEST_SCRATCH_SIZE)
        guest_scratch_put(copy);
    else
        guest_free(copy);
    free_name(&name);
out:
    reg_key_end(&key);
    return status;
}

/* True when the base has a value of this name at the key. */
static bool in_base(struct reg_key *key, const struct name *name)
{
    UNICODE_STRING text = {(USHORT)(name->s.len * 2), (USHORT)(name->s.len * 2),
                           (WCHAR *)name->text};
    ULONG used;

    if (key->is_private) return false;
    guest_lock_acquire(&key->h->lock);
    HANDLE reader = reg_reader(key);
    guest_lock_release(&key->h->lock);
    struct value_partial_info info;
    NTSTATUS status = reader ? reg_real.query_value(reader, &text, VALUE_PARTIAL, &info,
                                                    sizeof info, &used)
                             : NT_KEY_DELETED;
    return !status || status == NT_BUFFER_OVERFLOW;
}

NTSTATUS NTAPI reg_hook_delete_value(HANDLE handle, const UNICODE_STRING *given)
{
    struct reg_key key;
    struct name name;
    NTSTATUS status;

    enum reg_kind kind = reg_key_begin(handle, true, &key, &status);
    if (kind == REG_FAILED) return reg_failed(handle, KEY_SET_VALUE, status);
    if (kind == REG_PASS) return reg_no_key(handle);
    status = read_name(given, &name, NT_OBJECT_NAME_NOT_FOUND);
    if (!status) {
        status = reg_check_access(&key, KEY_SET_VALUE);
        if (!status) {
            struct fvm_reg_record rec = {.op = FVM_REG_OP_UNSET, .name = name.s};
            if (in_base(&key, &name)) rec.flags = FVM_REG_BASE;
            status = record(&key, &rec);
        }
        free_name(&name);
    }
    reg_key_end(&key);
    return status;
}
