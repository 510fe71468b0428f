/* What the guest remembers about handles of keys.
 *
 * Nothing, as long as the VM has changed nothing. Then a handle's key is known from its open,
 * or, for handles that came another way (inherited, duplicated, opened before the first
 * change), asked from the host once: a key's full name tells which one it is, and the name of
 * a shadow which private key it stands for. */
#include "guest_slots.h"
#include "registry.h"

static struct guest_slots table; /* of struct reg_handle */
static guest_lock table_lock;

#define ALL_READ (KEY_QUERY_VALUE | KEY_ENUMERATE_SUB_KEYS | KEY_NOTIFY | READ_CONTROL)

void reg_handle_release(struct reg_handle *h)
{
    if (!h || __atomic_sub_fetch(&h->references, 1, __ATOMIC_ACQ_REL)) return;
    if (h->reader) reg_real.close(h->reader);
    if (h->bearer) reg_real.close(h->bearer);
    reg_list_free(h->keys);
    reg_list_free(h->values);
    reg_watcher_free(h->watcher);
    guest_free(h);
}

static struct reg_handle *get(HANDLE handle)
{
    void **slot = guest_slot(&table, handle, false);
    struct reg_handle *h;

    if (!slot || !*slot) return NULL;
    guest_lock_acquire(&table_lock);
    h = *slot;
    if (h) __atomic_add_fetch(&h->references, 1, __ATOMIC_RELAXED);
    guest_lock_release(&table_lock);
    return h;
}

static void put(HANDLE handle, struct reg_handle *h)
{
    void **slot = guest_slot(&table, handle, true);
    struct reg_handle *old = h;

    if (slot) {
        guest_lock_acquire(&table_lock);
        old = *slot;
        *slot = h;
        guest_lock_release(&table_lock);
    }
    reg_handle_release(old);
}

void guest_registry_hold(bool hold)
{
    if (hold)
        guest_lock_acquire(&table_lock);
    else
        guest_lock_release(&table_lock);
}

void guest_registry_closing(HANDLE handle)
{
    void **slot = guest_slot(&table, handle, false);

    if (slot && *slot) put(handle, NULL);
}

static void set_access(struct reg_handle *h, ACCESS_MASK access)
{
    const ACCESS_MASK mapped = GENERIC_ALL | GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE |
                               MAXIMUM_ALLOWED | ACCESS_SYSTEM_SECURITY;

    h->access = access & ~(ACCESS_MASK)(KEY_WOW64_32KEY | KEY_WOW64_64KEY);
    h->access_known = !(access & mapped);
}

static struct reg_handle *make(struct fvm_wstr base)
{
    struct reg_handle *h = guest_alloc(sizeof *h + base.len * sizeof(WCHAR));

    if (!h) return NULL;
    h->references = 1;
    h->base_len = base.len;
    memcpy(h->base, base.ptr, base.len * sizeof(WCHAR));
    return h;
}

void reg_handle_add_base(HANDLE handle, ACCESS_MASK access, struct fvm_wstr base, bool true_name)
{
    struct reg_handle *h = make(base);

    if (h) {
        set_access(h, access);
        h->true_name = true_name;
    }
    put(handle, h); /* without memory the host is asked when it is needed */
}

void reg_handle_add_below(HANDLE handle, ACCESS_MASK access, const struct reg_handle *root,
                          struct fvm_wstr rest, uint32_t seq, uint32_t node)
{
    uint32_t head = root ? root->base_len : 0, separator = head != 0;
    struct reg_handle *h = guest_alloc(sizeof *h + (head + separator + rest.len) * sizeof(WCHAR));

    if (h) {
        h->references = 1;
        h->base_len = head + separator + rest.len;
        if (head) memcpy(h->base, root->base, head * sizeof(WCHAR));
        if (head) h->base[head] = '\\';
        memcpy(h->base + head + separator, rest.ptr, rest.len * sizeof(WCHAR));
        set_access(h, access);
        h->cache = (uint64_t)seq << 32 | node;
    }
    put(handle, h);
}

void reg_handle_add_private(HANDLE handle, ACCESS_MASK access, uint32_t serial)
{
    struct reg_handle *h = make((struct fvm_wstr){0});

    if (h) {
        set_access(h, access);
        h->serial = serial;
    }
    put(handle, h);
}

bool reg_reading(struct reg_read *read)
{
    struct fvm_reg *r = reg_store();

    if (read->started && !fvm_reg_read_retry(r, read->seq)) return false;
    for (read->started = true;; read->tries++) {
        read->seq = fvm_reg_read_begin(r);
        if (!(read->seq & 1)) return true;
        /* a change takes microseconds; if this one does not end, its writer has died, and
         * taking the lock repairs what it left */
        if (read->tries > 1000) {
            reg_lock();
            reg_unlock();
            read->tries = 0;
        } else if (read->tries > 100) {
            NtYieldExecution();
        }
    }
}

/* Asks the host which key the handle is one of. NULL: it is none, or there is no memory. */
static struct reg_handle *ask(HANDLE handle)
{
    struct key_name_info *info = guest_scratch_get();
    struct reg_handle *h = NULL;
    ULONG used;

    if (!info) return NULL;
    if (!reg_real.query_key(handle, KEY_NAME, info, GUEST_SCRATCH_SIZE / 2, &used)) {
        struct fvm_wstr full = {(fvm_wchar *)info->name, info->size / (uint32_t)sizeof(WCHAR)};
        uint32_t serial = reg_helper_number(full, 'K');
        if (serial) {
            h = make((struct fvm_wstr){0});
        } else {
            fvm_wchar *path = (fvm_wchar *)info + GUEST_SCRATCH_SIZE / 4;
            int len = fvm_reg_path_from_nt(full, path);
            if (len >= 0) h = make((struct fvm_wstr){path, (uint32_t)len});
        }
        if (h) {
            h->serial = serial;
            h->true_name = true;
        }
    }
    guest_scratch_put(info);
    if (h) {
        __atomic_add_fetch(&h->references, 1, __ATOMIC_RELAXED);
        put(handle, h);
    }
    return h;
}

/* The base's key is what the VM sees where? Renames make this a matter of texts. */
static bool find_moved(struct reg_handle *h, uint32_t *node)
{
    fvm_wchar *scratch = guest_scratch_get();
    struct fvm_reg_lookup look = {.canon = scratch + FVM_REG_PATH_MAX,
                                  .base = scratch + 2 * FVM_REG_PATH_MAX};
    struct fvm_wstr base = {h->base, h->base_len};
    bool found = false;

    if (!scratch) return false;
    for (struct reg_read read = {0}; reg_reading(&read);) {
        int len = fvm_reg_base_to_view(reg_store(), base, scratch);
        found = len >= 0 &&
                !fvm_reg_lookup(reg_store(), (struct fvm_wstr){scratch, (uint32_t)len}, true,
                                &look) &&
                look.verdict == FVM_REG_IS_BASE &&
                !fvm_reg_compare(base, (struct fvm_wstr){look.base, look.base_len});
        *node = look.node;
    }
    guest_scratch_put(scratch);
    return found;
}

bool reg_key_again(struct reg_key *key)
{
    struct reg_handle *h = key->h;
    struct fvm_reg *r = reg_store();
    bool found = false;

    key->is_private = h->serial != 0;
    if (!h->serial) {
        uint64_t cache = __atomic_load_n(&h->cache, __ATOMIC_RELAXED);
        if (cache && (uint32_t)(cache >> 32) == fvm_reg_read_begin(r)) {
            key->node = (uint32_t)cache;
            key->birth = fvm_reg_birth(r, key->node);
            return true;
        }
    }
    uint32_t seq = 0;
    if (!h->serial && fvm_reg_has_origins(r)) {
        found = find_moved(h, &key->node);
        key->birth = fvm_reg_birth(r, key->node);
        return found;
    }
    for (struct reg_read read = {0}; reg_reading(&read); seq = read.seq) {
        if (h->serial) {
            key->node = fvm_reg_find_serial(r, h->serial);
            found = key->node != 0;
        } else {
            found = fvm_reg_walk(r, (struct fvm_wstr){h->base, h->base_len}, &key->node) ==
                    FVM_REG_IS_BASE;
        }
        key->birth = fvm_reg_birth(r, key->node);
    }
    if (found && !h->serial)
        __atomic_store_n(&h->cache, (uint64_t)seq << 32 | key->node, __ATOMIC_RELAXED);
    return found;
}

enum reg_kind reg_key_begin(HANDLE handle, bool always, struct reg_key *key, NTSTATUS *status)
{
    if (!always && !fvm_reg_changes(reg_store())) return REG_PASS;
    key->handle = handle;
    key->h = get(handle);
    if (!key->h && !(key->h = ask(handle))) return REG_PASS; /* the host says what is wrong */
    if (reg_key_again(key)) return REG_OURS;
    reg_key_end(key);
    *status = NT_KEY_DELETED;
    return REG_FAILED;
}

NTSTATUS reg_no_key(HANDLE handle)
{
    ULONG used;
    NTSTATUS status = reg_real.query_key(handle, KEY_NAME, NULL, 0, &used);

    return status == NT_BUFFER_TOO_SMALL || !status ? NT_NO_MEMORY : status;
}

NTSTATUS reg_failed(HANDLE handle, ACCESS_MASK access, NTSTATUS status)
{
    OBJECT_BASIC_INFORMATION basic;

    if (status != NT_KEY_DELETED || !access ||
        reg_real.query_object(handle, ObjectBasicInformation, &basic, sizeof basic, NULL))
        return status;
    return (basic.GrantedAccess & access) == access ? status : NT_ACCESS_DENIED;
}

void reg_key_end(struct reg_key *key)
{
    reg_handle_release(key->h);
    key->h = NULL;
}

static void know_access(struct reg_key *key)
{
    OBJECT_BASIC_INFORMATION basic;

    if (key->h->access_known) return;
    if (reg_real.query_object(key->handle, ObjectBasicInformation, &basic, sizeof basic, NULL))
        basic.GrantedAccess = 0;
    key->h->access = basic.GrantedAccess;
    key->h->access_known = true;
}

NTSTATUS reg_check_access(struct reg_key *key, ACCESS_MASK access)
{
    know_access(key);
    return (key->h->access & access) == access ? STATUS_SUCCESS : NT_ACCESS_DENIED;
}

HANDLE reg_reader(struct reg_key *key)
{
    struct reg_handle *h = key->h;
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    HANDLE handle;

    know_access(key);
    if ((h->access & (KEY_QUERY_VALUE | KEY_ENUMERATE_SUB_KEYS)) ==
        (KEY_QUERY_VALUE | KEY_ENUMERATE_SUB_KEYS))
        return key->handle;
    if (h->reader) return h->reader;
    fvm_wchar *name = guest_scratch_get();
    if (!name) return NULL;
    reg_nt_name((struct fvm_wstr){h->base, h->base_len}, name, &text);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
    if (!reg_real.open_key_ex(&handle, ALL_READ, &attr, 0)) h->reader = handle;
    guest_scratch_put(name);
    return h->reader;
}

uint32_t reg_key_flags(const struct reg_key *key)
{
    uint32_t flags = 0;

    for (struct reg_read read = {0}; reg_reading(&read);)
        flags = fvm_reg_birth(reg_store(), key->node) == key->birth
                    ? fvm_reg_flags(reg_store(), key->node)
                    : 0;
    return flags;
}

/* Learns the base's own spelling of the key's path. */
static void spell(struct reg_key *key)
{
    struct reg_handle *h = ask(key->handle);

    if (!h) return;
    set_access(h, key->h->access);
    h->access_known = key->h->access_known;
    reg_handle_release(key->h);
    key->h = h;
}

int reg_key_path(struct reg_key *key, fvm_wchar *dst, bool spelled)
{
    struct fvm_reg *r = reg_store();
    int len = -1;

    if (spelled && !key->is_private && !key->node && !key->h->true_name) spell(key);
    for (struct reg_read read = {0}; reg_reading(&read);) {
        if (key->node && fvm_reg_birth(r, key->node) == key->birth)
            len = fvm_reg_path(r, key->node, dst);
        else if (!key->is_private)
            len = fvm_reg_base_to_view(r, (struct fvm_wstr){key->h->base, key->h->base_len}, dst);
        else
            len = FVM_REG_NOT_FOUND;
    }
    return len;
}
