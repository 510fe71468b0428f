/* NtEnumerateKey. */
#include "registry.h"

/* The facts about a key of the base, by its name, with what the VM's node says. */
static NTSTATUS merged_by_name(OBJECT_ATTRIBUTES *attr, uint32_t node, uint32_t birth, int class,
                               struct reg_info *info, fvm_wchar *text)
{
    struct reg_key key = {.node = node, .birth = birth};
    NTSTATUS status = reg_real.open_key_ex(&key.handle, KEY_READ, attr, 0);

    if (status) return status;
    key.h = guest_alloc(sizeof *key.h);
    status = key.h ? STATUS_SUCCESS : NT_NO_MEMORY;
    if (key.h) {
        key.h->references = 1;
        key.h->access = KEY_READ;
        key.h->access_known = true;
        status = reg_info_merged(&key, class, info, text);
        reg_key_end(&key);
    }
    reg_real.close(key.handle);
    return status;
}

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
    if (!status && moved) {
        OBJECT_ATTRIBUTES attr;
        UNICODE_STRING nt;
        reg_nt_name((struct fvm_wstr){origin, origin_len}, text, &nt);
        InitializeObjectAttributes(&attr, &nt, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
        status =
            merged_by_name(&attr, node, birth, class == KEY_NAME ? KEY_BASIC : class, &info, text);
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

/* A subkey of the base about which the VM has changed something, by its own key. */
static NTSTATUS put_changed(struct reg_key *key, uint32_t index, uint32_t node, uint32_t birth,
                            int class, void *buffer, ULONG length, ULONG *used)
{
    fvm_wchar *text = guest_scratch_get();
    struct fvm_wstr name = reg_list_base_name(key, false, index);
    UNICODE_STRING rest = {(USHORT)(name.len * 2), (USHORT)(name.len * 2), (WCHAR *)name.ptr};
    OBJECT_ATTRIBUTES attr;
    struct reg_info info;
    NTSTATUS status = NT_NO_MEMORY;

    InitializeObjectAttributes(&attr, &rest, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, key->handle,
                               NULL);
    if (text && name.ptr) status = merged_by_name(&attr, node, birth, class, &info, text);
    if (!status) status = reg_put_key(class, buffer, length, used, &info, info.name);
    guest_scratch_put(text);
    return status == NT_OBJECT_NAME_NOT_FOUND ? NT_NO_MORE_ENTRIES : status;
}

/* What the VM has of the base's subkey of this name: its node, or 0. */
static uint32_t changed_child(const struct reg_key *key, struct fvm_wstr name, uint32_t *birth,
                              uint64_t *time, uint32_t *flags)
{
    struct fvm_reg *r = reg_store();
    uint32_t node = 0;

    for (struct reg_read read = {0}; reg_reading(&read);) {
        node =
            fvm_reg_birth(r, key->node) == key->birth ? fvm_reg_find_child(r, key->node, name) : 0;
        *birth = fvm_reg_birth(r, node);
        *time = fvm_reg_time(r, node);
        *flags = fvm_reg_flags(r, node);
    }
    return node;
}

/* The name in what the host has answered about a subkey: its length, negative when it is not
 * all there. */
static int answered_name(int class, const void *buffer, ULONG length, fvm_wchar *name)
{
    ULONG at = class == KEY_BASIC ? offsetof(struct key_basic_info, name)
                                  : offsetof(struct key_node_info, name);
    uint32_t bytes;

    /* the length of the name is the last field of both */
    if (length < at ||
        !guest_read(&bytes, (const uint8_t *)buffer + at - sizeof bytes, sizeof bytes))
        return -1;
    if (bytes > FVM_REG_KEY_MAX * sizeof *name || length - at < bytes ||
        !guest_read(name, (const uint8_t *)buffer + at, bytes))
        return -1;
    return (int)(bytes / sizeof *name);
}

/* A subkey of the base: the host's answer, with the VM's time and class where it has them. */
static NTSTATUS put_base(struct reg_key *key, uint32_t index, int class, void *buffer, ULONG length,
                         ULONG *used)
{
    struct fvm_wstr known = reg_list_known_name(key, false, index);
    fvm_wchar answered[FVM_REG_KEY_MAX];
    struct fvm_wstr name = {answered, 0};
    uint32_t birth, flags;
    uint64_t time;
    LARGE_INTEGER host_time;

    if (class == KEY_BASIC || class == KEY_NODE) {
        NTSTATUS status = reg_real.enumerate_key(key->handle, index, class, buffer, length, used);
        if (status && status != NT_BUFFER_OVERFLOW && status != NT_BUFFER_TOO_SMALL) return status;
        int len = status ? -1 : answered_name(class, buffer, length, answered);
        if (len >= 0) {
            name.len = (uint32_t)len;
            if (known.ptr &&
                (known.len != name.len || memcmp(known.ptr, name.ptr, name.len * sizeof *name.ptr)))
                return NT_NO_MORE_ENTRIES; /* not the one that was meant: the base has changed */
            if (!known.ptr) reg_list_learn(key, index, name);
        } else {
            name = reg_list_base_name(key, false, index);
        }
        uint32_t node = changed_child(key, name, &birth, &time, &flags);
        if (node && (flags & FVM_REG_CLASS))
            return put_changed(key, index, node, birth, class, buffer, length, used);
        /* both begin with the time */
        if (node && status != NT_BUFFER_TOO_SMALL &&
            guest_read(&host_time, buffer, sizeof host_time) &&
            time > (uint64_t)host_time.QuadPart) {
            host_time.QuadPart = (LONGLONG)time;
            if (!guest_write(buffer, &host_time, sizeof host_time)) return NT_ACCESS_VIOLATION;
        }
        return status;
    }
    if (class != KEY_NAME) {
        uint32_t node =
            changed_child(key, reg_list_base_name(key, false, index), &birth, &time, &flags);
        if (node) return put_changed(key, index, node, birth, class, buffer, length, used);
    }
    return reg_real.enumerate_key(key->handle, index, class, buffer, length, used);
}

/* The full name of a subkey of the base whose own name may have changed by a rename above. */
static NTSTATUS put_moved_name(struct reg_key *key, struct fvm_wstr name, void *buffer,
                               ULONG length, ULONG *used)
{
    fvm_wchar *text = guest_scratch_get();
    struct reg_info none = {0};
    NTSTATUS status = NT_NO_MEMORY;

    if (text && name.ptr) {
        uint32_t len = reg_full_name(key, text);
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
        } else {
            status = put_base(key, entry.index, class, buffer, length, used);
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
        if (fvm_reg_birth(r, key->node) == key->birth) found = fvm_reg_child(r, key->node, index);
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

    enum reg_kind kind =
        reg_key_class_known(class) ? reg_key_begin(handle, false, &key, &status) : REG_PASS;
    if (kind == REG_FAILED) return reg_failed(handle, KEY_ENUMERATE_SUB_KEYS, status);
    /* the shadows stand below \Registry itself */
    bool top = kind == REG_PASS || (!key.is_private && !key.h->base_len);
    if (kind == REG_OURS && !key.is_private && !fvm_reg_child_count(reg_store(), key.node) &&
        (class != KEY_NAME || !fvm_reg_has_origins(reg_store()))) {
        reg_key_end(&key);
        kind = REG_PASS;
    }
    if (kind == REG_PASS) {
        status = reg_real.enumerate_key(handle, index, class, buffer, length, used);
        return top ? without_shadows(class, buffer, length, status) : status;
    }
    status = reg_check_access(&key, KEY_ENUMERATE_SUB_KEYS);
    if (!status && !key.is_private) {
        status = enumerate_merged(&key, index, class, buffer, length, used);
        if (top) status = without_shadows(class, buffer, length, status);
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
