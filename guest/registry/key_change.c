/* Deleting and renaming keys. */
#include "registry.h"

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

static bool is_top(struct fvm_wstr path)
{
    return !reg_parent(path).len;
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
            status = len < 0            ? STATUS_SUCCESS
                     : is_top(rec.path) ? NT_ACCESS_DENIED /* Machine, User: never empty */
                                        : reg_record(&rec);
        }
        reg_unlock();
    }
    if (!status && key.is_private) reg_real.delete_key(handle); /* its shadow */
    if (!status && rec.path.len) reg_tell(reg_parent(rec.path), REG_NOTIFY_CHANGE_NAME);
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
    if (!status) reg_tell(reg_parent(rec.path), REG_NOTIFY_CHANGE_NAME);
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
            struct fvm_wstr parent = reg_parent((struct fvm_wstr){path, (uint32_t)len});
            struct fvm_wstr old = {path + parent.len + 1, (uint32_t)len - parent.len - 1};
            fvm_wchar *other = guest_scratch_get();
            int n = FVM_REG_INVALID;
            if (other) {
                memcpy(other, path, parent.len * sizeof *other);
                n = fvm_reg_path_append(other, parent.len, new);
            }
            if (n < 0 ||
                fvm_reg_lookup(reg_store(), (struct fvm_wstr){other, (uint32_t)n}, true, &look))
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
        struct fvm_wstr parent = reg_parent(rec.path);
        int n = fvm_reg_path_append(path, parent.len, new);
        if (n > 0) reg_tell((struct fvm_wstr){path, (uint32_t)n}, REG_NOTIFY_CHANGE_NAME);
    }
    guest_scratch_put(path);
    reg_key_end(&key);
    return status;
}
