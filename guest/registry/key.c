/* Keys: query, enumerate, delete, rename. */
#include "registry.h"

/* The host refuses all others before it looks at anything else. */
static bool known_class(int class)
{
    return class >= KEY_BASIC && class <= KEY_CACHED;
}

/* The key's full name as the host forms it. Returns its length. */
static uint32_t full_name(struct reg_key *key, fvm_wchar *dst)
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

/* What the base's entries that are still seen have for lengths, one by one: hidden ones may
 * have been the longest. */
static NTSTATUS scan_base(struct reg_key *key, bool values, struct reg_info *info)
{
    uint32_t n = reg_list_base_count(key, values);
    HANDLE reader = reg_reader(key);
    union {
        struct key_node_info key;
        struct value_full_info value;
        uint8_t bytes[64 + 2 * FVM_REG_KEY_MAX];
    } *e = guest_scratch_get();
    NTSTATUS status = e && reader ? STATUS_SUCCESS : NT_NO_MEMORY;
    ULONG used;

    if (values)
        info->max_value_name = info->max_value_data = 0;
    else
        info->max_name = info->max_class = 0;
    for (uint32_t i = 0; i < n && !status; i++) {
        if (reg_list_hidden(key, values, i)) continue;
        if (values) {
            status = reg_real.enumerate_value(reader, i, VALUE_FULL, e, GUEST_SCRATCH_SIZE, &used);
            if (status && status != NT_BUFFER_OVERFLOW) break;
            status = STATUS_SUCCESS;
            take_max(&info->max_value_name, e->value.name_length);
            take_max(&info->max_value_data,
                     used - (ULONG)offsetof(struct value_full_info, name) - e->value.name_length);
        } else {
            status = reg_real.enumerate_key(reader, i, KEY_NODE, e, GUEST_SCRATCH_SIZE, &used);
            if (status) break;
            take_max(&info->max_name, e->key.name_length);
            take_max(&info->max_class, e->key.class_length);
        }
    }
    guest_scratch_put(e);
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

/* The base's own facts; text gets name and class. */
static NTSTATUS base_facts(HANDLE reader, struct reg_info *info, fvm_wchar *text)
{
    struct key_full_info *full = guest_scratch_get();
    struct key_node_info *named = (void *)full;
    ULONG used, room = 40000;
    NTSTATUS status = full ? STATUS_SUCCESS : NT_NO_MEMORY;

    if (!status) status = reg_real.query_key(reader, KEY_FULL, full, room, &used);
    if (!status) {
        *info = (struct reg_info){.time = (uint64_t)full->time.QuadPart,
                                  .subkeys = full->subkeys,
                                  .values = full->values,
                                  .max_name = full->max_name,
                                  .max_class = full->max_class,
                                  .max_value_name = full->max_value_name,
                                  .max_value_data = full->max_value_data};
        memcpy(text + FVM_REG_KEY_MAX, full->class, full->class_length);
        info->class = (struct fvm_wstr){text + FVM_REG_KEY_MAX, full->class_length / 2};
        status = reg_real.query_key(reader, KEY_BASIC, full, room, &used);
    }
    if (!status) {
        const struct key_basic_info *basic = (void *)named;
        uint32_t len = basic->name_length / 2;
        if (len > FVM_REG_KEY_MAX) len = FVM_REG_KEY_MAX;
        memcpy(text, basic->name, len * sizeof *text);
        info->name = (struct fvm_wstr){text, len};
    }
    guest_scratch_put(full);
    return status;
}

NTSTATUS reg_info_merged(struct reg_key *key, struct reg_info *info, fvm_wchar *text)
{
    HANDLE reader = reg_reader(key);
    NTSTATUS status = reader ? base_facts(reader, info, text) : NT_KEY_DELETED;

    if (!status) status = reg_list_count(key, false, true, &info->subkeys);
    if (!status) status = reg_list_count(key, true, true, &info->values);
    if (!status && reg_list_hides(key, false)) status = scan_base(key, false, info);
    if (!status && reg_list_hides(key, true)) status = scan_base(key, true, info);
    if (status) return status;
    add_own(key, info);
    own_facts(key->node, key->birth, info, text);
    return STATUS_SUCCESS;
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
    if (key.is_private || fvm_reg_has_origins(reg_store())) len = full_name(&key, dst);
    reg_key_end(&key);
    return len;
}

static NTSTATUS query_name(struct reg_key *key, void *buffer, ULONG length, ULONG *used)
{
    fvm_wchar *text = guest_scratch_get();
    struct reg_info info = {0};
    NTSTATUS status = NT_NO_MEMORY;

    if (text) {
        uint32_t len = full_name(key, text);
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

    enum reg_kind kind = known_class(class) ? reg_key_begin(handle, false, &key, &status) : REG_PASS;
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
            status = reg_info_merged(&key, &info, text);
            guest_lock_release(&key.h->lock);
        }
        if (!status) status = reg_put_key(class, buffer, length, used, &info, info.name);
        guest_scratch_put(text);
    }
    reg_key_end(&key);
    return status;
}

/* --- NtEnumerateKey ------------------------------------------------------------------------------------ */

/* A subkey of the VM's own, by its node; child: a renamed key of the base, to be asked. */
static NTSTATUS put_child(uint32_t node, uint32_t birth, int class, void *buffer, ULONG length,
                          ULONG *used)
{
    struct fvm_reg *r = reg_store();
    fvm_wchar *text = guest_scratch_get();
    NTSTATUS status = NT_NO_MEMORY;
    struct reg_info info;
    bool moved = false;
    uint32_t origin_len = 0;
    fvm_wchar *origin = text + 32768;

    if (!text) return status;
    for (struct reg_read read = {0}; reg_reading(&read);) {
        uint32_t flags = fvm_reg_birth(r, node) == birth ? fvm_reg_flags(r, node) : 0;
        moved = flags & FVM_REG_ORIGIN;
        status = NT_NO_MORE_ENTRIES;
        if (!(flags & (FVM_REG_PRIVATE | FVM_REG_ORIGIN))) continue;
        status = STATUS_SUCCESS;
        if (moved) {
            struct fvm_wstr o = fvm_reg_origin(r, node);
            if (o.len > FVM_REG_PATH_MAX) continue;
            memcpy(origin, o.ptr, o.len * sizeof *origin);
            origin_len = o.len;
        } else {
            reg_info_private(node, &info);
            if (class != KEY_NAME)
                status = reg_put_key(class, buffer, length, used, &info, info.name);
        }
    }
    struct reg_key child = {.node = node, .birth = birth};
    if (!status && moved) {
        OBJECT_ATTRIBUTES attr;
        UNICODE_STRING nt;
        reg_nt_name((struct fvm_wstr){origin, origin_len}, text, &nt);
        InitializeObjectAttributes(&attr, &nt, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
        status = reg_real.open_key_ex(&child.handle, KEY_READ, &attr, 0);
        if (!status) {
            child.h = guest_alloc(sizeof *child.h);
            status = child.h ? STATUS_SUCCESS : NT_NO_MEMORY;
            if (child.h) {
                child.h->references = 1;
                child.h->access = KEY_READ;
                child.h->access_known = true;
                status = reg_info_merged(&child, &info, text);
                reg_key_end(&child);
            }
            reg_real.close(child.handle);
        }
        if (!status && class != KEY_NAME)
            status = reg_put_key(class, buffer, length, used, &info, info.name);
    }
    if (!status && class == KEY_NAME) {
        int len = -1;
        struct reg_info none = {0};
        static const fvm_wchar root[] = {'\\', 'R', 'E', 'G', 'I', 'S', 'T', 'R', 'Y', '\\'};
        for (struct reg_read read = {0}; reg_reading(&read);)
            len = fvm_reg_birth(r, node) == birth ? fvm_reg_path(r, node, text + 10) : -1;
        memcpy(text, root, sizeof root);
        status = len < 0 ? NT_NO_MORE_ENTRIES
                         : reg_put_key(KEY_NAME, buffer, length, used, &none,
                                       (struct fvm_wstr){text, (uint32_t)len + 10});
    }
    guest_scratch_put(text);
    return status;
}

/* A subkey of the base about which the VM has changed something. */
static NTSTATUS put_changed(struct reg_key *key, const struct reg_entry *entry, int class,
                            void *buffer, ULONG length, ULONG *used)
{
    fvm_wchar *text = guest_scratch_get();
    struct fvm_wstr name = reg_list_base_name(key, false, entry->index);
    struct reg_key child = {.node = entry->node, .birth = entry->birth};
    UNICODE_STRING rest = {(USHORT)(name.len * 2), (USHORT)(name.len * 2), (WCHAR *)name.ptr};
    OBJECT_ATTRIBUTES attr;
    struct reg_info info;
    NTSTATUS status = NT_NO_MEMORY;

    InitializeObjectAttributes(&attr, &rest, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, key->handle,
                               NULL);
    if (text && name.ptr) status = reg_real.open_key_ex(&child.handle, KEY_READ, &attr, 0);
    if (!status) {
        child.h = guest_alloc(sizeof *child.h);
        status = child.h ? STATUS_SUCCESS : NT_NO_MEMORY;
        if (child.h) {
            child.h->references = 1;
            child.h->access = KEY_READ;
            child.h->access_known = true;
            if (class == KEY_BASIC || class == KEY_NODE) {
                status = base_facts(child.handle, &info, text);
                if (!status) own_facts(child.node, child.birth, &info, text);
            } else {
                status = reg_info_merged(&child, &info, text);
            }
            reg_key_end(&child);
        }
        reg_real.close(child.handle);
    }
    if (!status) status = reg_put_key(class, buffer, length, used, &info, info.name);
    guest_scratch_put(text);
    return status == NT_OBJECT_NAME_NOT_FOUND ? NT_NO_MORE_ENTRIES : status;
}

/* Is what the host has just answered about a subkey the one that was meant? */
static bool is_expected(struct reg_key *key, uint32_t index, int class, const void *buffer,
                        ULONG length)
{
    struct fvm_wstr name = reg_list_base_name(key, false, index);
    fvm_wchar part[32];
    uint32_t at, bytes;

    if (!name.ptr) return true;
    if (class == KEY_BASIC) {
        struct key_basic_info info;
        at = offsetof(struct key_basic_info, name);
        if (length < at + name.len * 2 || !guest_read(&info, buffer, at)) return true;
        bytes = info.name_length;
    } else if (class == KEY_NODE) {
        struct key_node_info info;
        at = offsetof(struct key_node_info, name);
        if (length < at + name.len * 2 || !guest_read(&info, buffer, at)) return true;
        bytes = info.name_length;
    } else {
        return true;
    }
    uint32_t n = name.len < 32 ? name.len : 32;
    return bytes == name.len * 2 && (!guest_read(part, (const uint8_t *)buffer + at, n * 2) ||
                                     !memcmp(part, name.ptr, n * 2));
}

/* The full name of a subkey of the base whose own name may have changed by a rename above. */
static NTSTATUS put_moved_name(struct reg_key *key, struct fvm_wstr name, void *buffer,
                               ULONG length, ULONG *used)
{
    fvm_wchar *text = guest_scratch_get();
    struct reg_info none = {0};
    NTSTATUS status = NT_NO_MEMORY;

    if (text && name.ptr) {
        uint32_t len = full_name(key, text);
        text[len++] = '\\';
        memcpy(text + len, name.ptr, name.len * sizeof *text);
        status = reg_put_key(KEY_NAME, buffer, length, used, &none,
                             (struct fvm_wstr){text, len + name.len});
    }
    guest_scratch_put(text);
    return status;
}

static NTSTATUS enumerate_merged(struct reg_key *key, ULONG index, int class, void *buffer,
                                 ULONG length, ULONG *used)
{
    struct reg_entry entry;
    NTSTATUS status;

    guest_lock_acquire(&key->h->lock);
    for (int tries = 0;; tries++) {
        status = reg_list_at(key, false, index, !index || tries, &entry);
        if (status) break;
        if (entry.own) {
            status = put_child(entry.node, entry.birth, class, buffer, length, used);
        } else if (class == KEY_NAME && fvm_reg_has_origins(reg_store())) {
            status = put_moved_name(key, reg_list_base_name(key, false, entry.index), buffer,
                                    length, used);
        } else if (entry.node && class != KEY_NAME) {
            status = put_changed(key, &entry, class, buffer, length, used);
        } else {
            status = reg_real.enumerate_key(key->handle, entry.index, class, buffer, length, used);
            if (!status && !is_expected(key, entry.index, class, buffer, length))
                status = NT_NO_MORE_ENTRIES;
        }
        if (status != NT_NO_MORE_ENTRIES || tries == 16) break;
        reg_list_forget(key, false); /* the base has changed, or the VM just now */
    }
    guest_lock_release(&key->h->lock);
    return status;
}

/* The index-th subkey of a private key. */
static uint32_t private_child(const struct reg_key *key, ULONG index, uint32_t *birth)
{
    struct fvm_reg *r = reg_store();
    uint32_t found = 0;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        found = 0;
        if (fvm_reg_birth(r, key->node) == key->birth)
            found = fvm_reg_child(r, key->node, index);
        *birth = fvm_reg_birth(r, found);
        /* all below a private key is private */
    }
    return found;
}

/* The shadows stand below \Registry, behind everything else. */
static NTSTATUS without_shadows(int class, const void *buffer, ULONG length, NTSTATUS status)
{
    fvm_wchar text[32];
    ULONG at = class == KEY_BASIC  ? offsetof(struct key_basic_info, name)
               : class == KEY_NODE ? offsetof(struct key_node_info, name)
                                   : 0;

    if (status || !at || length < at + sizeof text) return status;
    if (!guest_read(text, (const uint8_t *)buffer + at, sizeof text)) return status;
    return text[0] == '~' && reg_is_shadow_name((struct fvm_wstr){text, 32}) ? NT_NO_MORE_ENTRIES
                                                                            : status;
}

NTSTATUS NTAPI reg_hook_enumerate_key(HANDLE handle, ULONG index, int class, void *buffer,
                                      ULONG length, ULONG *used)
{
    struct reg_key key;
    NTSTATUS status = STATUS_SUCCESS;

    enum reg_kind kind = known_class(class) ? reg_key_begin(handle, false, &key, &status) : REG_PASS;
    if (kind == REG_FAILED) return reg_failed(handle, KEY_ENUMERATE_SUB_KEYS, status);
    if (kind == REG_OURS && !key.is_private && !fvm_reg_child_count(reg_store(), key.node) &&
        (class != KEY_NAME || !fvm_reg_has_origins(reg_store()))) {
        reg_key_end(&key);
        kind = REG_PASS;
    }
    if (kind == REG_PASS) {
        status = reg_real.enumerate_key(handle, index, class, buffer, length, used);
        return without_shadows(class, buffer, length, status);
    }
    status = reg_check_access(&key, KEY_ENUMERATE_SUB_KEYS);
    if (!status && !key.is_private) {
        status = enumerate_merged(&key, index, class, buffer, length, used);
        status = without_shadows(class, buffer, length, status);
    } else if (!status) {
        uint32_t birth, node = private_child(&key, index, &birth);
        status = NT_NO_MORE_ENTRIES;
        /* one that is deleted just now makes place for the next one */
        while (node && status == NT_NO_MORE_ENTRIES) {
            status = put_child(node, birth, class, buffer, length, used);
            if (status != NT_NO_MORE_ENTRIES) break;
            uint32_t next_birth, next = private_child(&key, index, &next_birth);
            if (next == node && next_birth == birth) break;
            node = next, birth = next_birth;
        }
    }
    reg_key_end(&key);
    return status;
}

/* --- deleting and renaming --------------------------------------------------------------------------------- */

/* Has the key subkeys that the VM sees? Not under the writer's lock. */
static NTSTATUS has_subkeys(struct reg_key *key, bool *has)
{
    NTSTATUS status = STATUS_SUCCESS;
    uint32_t count = 0;

    if (key->is_private) {
        count = fvm_reg_child_count(reg_store(), key->node);
    } else {
        guest_lock_acquire(&key->h->lock);
        status = reg_list_count(key, false, true, &count);
        guest_lock_release(&key->h->lock);
    }
    *has = count != 0;
    return status;
}

/* The parent's part of a path. */
static struct fvm_wstr parent_of(struct fvm_wstr path)
{
    while (path.len && path.ptr[path.len - 1] != '\\')
        path.len--;
    if (path.len) path.len--;
    return path;
}

static bool is_top(struct fvm_wstr path)
{
    return !parent_of(path).len;
}

NTSTATUS NTAPI reg_hook_delete_key(HANDLE handle)
{
    struct reg_key key;
    NTSTATUS status;
    bool has = true;

    enum reg_kind kind = reg_key_begin(handle, true, &key, &status);
    /* the host lets a deleted key be deleted again */
    if (kind == REG_FAILED) status = reg_failed(handle, DELETE, status);
    if (kind == REG_FAILED) return status == NT_KEY_DELETED ? STATUS_SUCCESS : status;
    if (kind == REG_PASS) {
        status = reg_no_key(handle);
        return status == NT_KEY_DELETED ? STATUS_SUCCESS : status;
    }
    fvm_wchar *path = guest_scratch_get();
    struct fvm_reg_record rec = {.op = FVM_REG_OP_DELETE};
    status = path ? reg_check_access(&key, DELETE) : NT_NO_MEMORY;
    if (!status) status = has_subkeys(&key, &has);
    if (!status && has) status = NT_ACCESS_DENIED;
    if (!status) reg_key_path(&key, path, true);
    if (!status) {
        uint32_t seq = fvm_reg_read_begin(reg_store());
        rec.time = reg_now();
        reg_lock();
        /* someone else may have made a subkey since */
        while (fvm_reg_read_begin(reg_store()) != seq) {
            seq = fvm_reg_read_begin(reg_store());
            if (!reg_key_again(&key)) break;
            if (key.is_private) {
                has = fvm_reg_child_count(reg_store(), key.node) != 0;
            } else {
                reg_unlock();
                status = has_subkeys(&key, &has);
                reg_lock();
            }
        }
        if (!status && has) status = NT_ACCESS_DENIED;
        if (!status && reg_key_again(&key)) {
            int len = reg_key_path(&key, path, false);
            rec.path = (struct fvm_wstr){path, len > 0 ? (uint32_t)len : 0};
            status = len < 0                 ? STATUS_SUCCESS
                     : is_top(rec.path)      ? NT_ACCESS_DENIED /* Machine, User: never empty */
                                             : reg_record(&rec);
        }
        reg_unlock();
    }
    if (!status && key.is_private) reg_real.delete_key(handle); /* its shadow */
    if (!status && rec.path.len) reg_tell(parent_of(rec.path), REG_NOTIFY_CHANGE_NAME);
    guest_scratch_put(path);
    reg_key_end(&key);
    return status;
}

NTSTATUS reg_delete_tree(struct reg_key *key)
{
    fvm_wchar *path = guest_scratch_get();
    struct fvm_reg_record rec = {.op = FVM_REG_OP_DELETE, .time = reg_now()};
    NTSTATUS status = path ? STATUS_SUCCESS : NT_NO_MEMORY;

    if (!status) reg_key_path(key, path, true);
    if (!status) {
        reg_lock();
        int len = reg_key_again(key) ? reg_key_path(key, path, false) : -1;
        rec.path = (struct fvm_wstr){path, len > 0 ? (uint32_t)len : 0};
        status = len < 0 ? NT_KEY_DELETED : is_top(rec.path) ? NT_ACCESS_DENIED : reg_record(&rec);
        reg_unlock();
    }
    if (!status) reg_tell(parent_of(rec.path), REG_NOTIFY_CHANGE_NAME);
    guest_scratch_put(path);
    return status;
}

/* Is a key of this name beside the one at path, as far as the base knows? */
static bool base_has(struct fvm_wstr path)
{
    fvm_wchar *name = guest_scratch_get();
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    HANDLE handle = NULL;
    NTSTATUS status = NT_NO_MEMORY;

    if (name) {
        reg_nt_name(path, name, &text);
        InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
        status = reg_real.open_key_ex(&handle, KEY_QUERY_VALUE, &attr, 0);
        if (handle) reg_real.close(handle);
    }
    guest_scratch_put(name);
    return status != NT_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS NTAPI reg_hook_rename_key(HANDLE handle, UNICODE_STRING *given)
{
    static const fvm_wchar wow[] = {'W', 'o', 'w', '6', '4', '3', '2', 'N', 'o', 'd', 'e'};
    struct fvm_wstr wow_name = {wow, sizeof wow / sizeof *wow};
    UNICODE_STRING text;
    struct reg_key key;
    NTSTATUS status;

    if (!guest_read(&text, given, sizeof text)) return NT_ACCESS_VIOLATION;
    if (!text.Buffer || !text.Length) return NT_INVALID_PARAMETER;
    enum reg_kind kind = reg_key_begin(handle, true, &key, &status);
    if (kind == REG_FAILED) return reg_failed(handle, KEY_WRITE, status);
    if (kind == REG_PASS) return reg_no_key(handle);
    fvm_wchar *path = guest_scratch_get();
    fvm_wchar *name = path + FVM_REG_PATH_MAX;
    struct fvm_reg_lookup look = {.canon = path + 2 * FVM_REG_PATH_MAX,
                                  .base = path + 3 * FVM_REG_PATH_MAX};
    struct fvm_wstr new = {name, text.Length / (uint32_t)sizeof(WCHAR)};
    struct fvm_reg_record rec = {.op = FVM_REG_OP_RENAME, .name = new};
    status = path ? reg_check_access(&key, KEY_WRITE) : NT_NO_MEMORY;
    if (!status && !guest_read(name, text.Buffer, text.Length)) status = NT_ACCESS_VIOLATION;
    for (uint32_t i = 0; !status && i < new.len; i++)
        if (name[i] == '\\') status = NT_INVALID_PARAMETER;
    if (!status && new.len > FVM_REG_KEY_MAX) status = NT_INVALID_PARAMETER;
    int len = status ? 0 : reg_key_path(&key, path, true);
    if (!status && len < 0) status = NT_KEY_DELETED;
    if (!status && is_top((struct fvm_wstr){path, (uint32_t)len})) status = NT_CANNOT_DELETE;
    if (!status) {
        rec.time = reg_now();
        reg_lock();
        len = reg_key_again(&key) ? reg_key_path(&key, path, false) : -1;
        if (len <= 0) {
            status = NT_KEY_DELETED;
        } else {
            /* is there a key of that name? (also the same name, spelled otherwise) */
            struct fvm_wstr parent = parent_of((struct fvm_wstr){path, (uint32_t)len});
            struct fvm_wstr old = {path + parent.len + 1, (uint32_t)len - parent.len - 1};
            fvm_wchar *other = guest_scratch_get();
            int n = FVM_REG_INVALID;
            if (other) {
                memcpy(other, path, parent.len * sizeof *other);
                n = fvm_reg_path_append(other, parent.len, new);
            }
            if (n < 0 || fvm_reg_lookup(reg_store(), (struct fvm_wstr){other, (uint32_t)n}, true,
                                        &look))
                status = NT_INVALID_PARAMETER;
            else if (look.verdict == FVM_REG_IS_PRIVATE ||
                     (look.verdict == FVM_REG_IS_BASE &&
                      base_has((struct fvm_wstr){look.base, look.base_len})))
                status = NT_CANNOT_DELETE;
            else if (!fvm_reg_compare(old, wow_name) || !fvm_reg_compare(new, wow_name))
                status = NT_INVALID_PARAMETER;
            guest_scratch_put(other);
            rec.path = (struct fvm_wstr){path, (uint32_t)len};
            if (!status) status = reg_record(&rec);
        }
        reg_unlock();
    }
    if (!status) {
        /* the host reports the key's new place */
        struct fvm_wstr parent = parent_of(rec.path);
        int n = fvm_reg_path_append(path, parent.len, new);
        if (n > 0) reg_tell((struct fvm_wstr){path, (uint32_t)n}, REG_NOTIFY_CHANGE_NAME);
    }
    guest_scratch_put(path);
    reg_key_end(&key);
    return status;
}
