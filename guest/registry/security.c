/* The security of keys. That of the VM's own keys is their shadows'. What a VM sets for a key of
 * the base stands with a key beside the shadows, its bearer, whose number is found by the key's
 * path; a second key of that number holds the path. Both are volatile: the host keeps the security
 * of keys no longer than its own run either. As long as nothing was set, all calls are the host's.
 */
#include "registry.h"
#include "fvm/fold.h"

#define BEARER 'S'
#define PATH   'P'
/* What has to be granted for the parts of a descriptor. */
#define CHANGES (READ_CONTROL | WRITE_DAC | WRITE_OWNER)

static const WCHAR path_name[] = {'p'};

static UNICODE_STRING path_value(void)
{
    return (UNICODE_STRING){sizeof path_name, sizeof path_name, (WCHAR *)path_name};
}

/* Does the key of this number hold that path? One that does not exist is made with make. */
static NTSTATUS holds(uint32_t number, struct fvm_wstr base, bool make, bool *same)
{
    struct value_partial_info *info = guest_scratch_get();
    UNICODE_STRING name = path_value();
    ACCESS_MASK access = KEY_QUERY_VALUE | (make ? KEY_SET_VALUE : 0);
    HANDLE key;
    ULONG used;
    NTSTATUS status = info ? reg_open_helper(PATH, number, make, access, NULL, &key) : NT_NO_MEMORY;

    *same = false;
    if (!status) {
        status = reg_real.query_value(key, &name, VALUE_PARTIAL, info, GUEST_SCRATCH_SIZE, &used);
        if (!status) { /* of another path: the next number */
            struct fvm_wstr path = {(fvm_wchar *)(void *)info->data, info->size / 2};
            *same = !fvm_reg_compare(path, base);
        } else if (status == NT_OBJECT_NAME_NOT_FOUND && make) {
            status = reg_real.set_value(key, &name, 0, REG_BINARY, base.ptr,
                                        base.len * (ULONG)sizeof *base.ptr);
            *same = !status;
        }
        reg_real.close(key);
    }
    guest_scratch_put(info);
    return status;
}

/* The number of the bearer for a key of the base. STATUS_OBJECT_NAME_NOT_FOUND: it has none. */
static NTSTATUS find_number(struct fvm_wstr base, bool make, uint32_t *number)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < base.len; i++)
        hash = (hash ^ fvm_downcase(base.ptr[i])) * 16777619u;
    for (*number = hash | 1;; *number += 2) { /* others may have the same hash */
        bool same;
        NTSTATUS status = holds(*number, base, make, &same);
        if (status || same) return status;
    }
}

static NTSTATUS open_bearer(struct fvm_wstr base, ACCESS_MASK access, HANDLE *handle)
{
    uint32_t number;
    NTSTATUS status = find_number(base, false, &number);

    return status ? status : reg_open_helper(BEARER, number, false, access, NULL, handle);
}

/* A new bearer begins with what the base's key has. */
static NTSTATUS make_bearer(struct fvm_wstr base, HANDLE *handle)
{
    const SECURITY_INFORMATION parts =
        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    void *scratch = guest_scratch_get();
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    HANDLE of_base = NULL;
    uint32_t number;
    ULONG used;

    if (!scratch) return NT_NO_MEMORY;
    reg_nt_name(base, scratch, &text);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
    NTSTATUS status = reg_real.open_key_ex(&of_base, READ_CONTROL, &attr, 0);
    if (!status) status = find_number(base, true, &number);
    if (!status) status = reg_open_helper(BEARER, number, true, CHANGES, NULL, handle);
    if (!status) {
        status = reg_real.query_security(of_base, parts, scratch, GUEST_SCRATCH_SIZE, &used);
        if (!status) status = reg_real.set_security(*handle, parts, scratch);
        if (status) reg_real.close(*handle);
    }
    if (of_base) reg_real.close(of_base);
    guest_scratch_put(scratch);
    return status;
}

NTSTATUS NTAPI reg_hook_set_security(HANDLE object, SECURITY_INFORMATION what, void *descriptor)
{
    ACCESS_MASK needed = 0;
    struct reg_key key;
    HANDLE bearer;
    NTSTATUS status;

    enum reg_kind kind = reg_key_begin(object, true, &key, &status);
    if (kind != REG_OURS || key.is_private) {
        if (kind == REG_OURS) reg_key_end(&key);
        return reg_real.set_security(object, what, descriptor);
    }
    if (what &
        (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION))
        needed |= WRITE_OWNER;
    if (what & DACL_SECURITY_INFORMATION) needed |= WRITE_DAC;
    if (what & SACL_SECURITY_INFORMATION) needed |= ACCESS_SYSTEM_SECURITY;
    status = reg_check_access(&key, needed);
    struct fvm_wstr base = {key.h->base, key.h->base_len};
    if (!status && !key.h->bearer) {
        reg_lock(); /* one makes it */
        status = open_bearer(base, CHANGES, &bearer);
        if (status == NT_OBJECT_NAME_NOT_FOUND) status = make_bearer(base, &bearer);
        reg_unlock();
        /* what a handle may do it may go on doing, whatever it forbids */
        HANDLE none = NULL;
        if (!status && !__atomic_compare_exchange_n(&key.h->bearer, &none, bearer, false,
                                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            reg_real.close(bearer);
    }
    if (!status) status = reg_real.set_security(key.h->bearer, what, descriptor);
    if (!status) reg_shared()->secured = 1;
    reg_key_end(&key);
    return status;
}

NTSTATUS NTAPI reg_hook_query_security(HANDLE object, SECURITY_INFORMATION what, void *descriptor,
                                       ULONG length, ULONG *used)
{
    struct reg_key key;
    HANDLE bearer = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    if (!reg_shared()->secured || reg_key_begin(object, true, &key, &status) != REG_OURS)
        return reg_real.query_security(object, what, descriptor, length, used);
    if (!key.is_private &&
        !(status = reg_check_access(
              &key,
              READ_CONTROL | (what & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0))) &&
        !key.h->bearer &&
        open_bearer((struct fvm_wstr){key.h->base, key.h->base_len}, READ_CONTROL, &bearer))
        bearer = NULL;
    HANDLE asked = bearer ? bearer : !key.is_private && key.h->bearer ? key.h->bearer : object;
    if (!status) status = reg_real.query_security(asked, what, descriptor, length, used);
    if (bearer) reg_real.close(bearer);
    reg_key_end(&key);
    return status;
}

NTSTATUS reg_may_open(struct fvm_wstr base, ACCESS_MASK *access)
{
    OBJECT_BASIC_INFORMATION basic;
    HANDLE bearer;

    if (!reg_shared()->secured) return STATUS_SUCCESS;
    NTSTATUS status =
        open_bearer(base, *access & ~(ACCESS_MASK)(KEY_WOW64_32KEY | KEY_WOW64_64KEY), &bearer);
    if (status == NT_OBJECT_NAME_NOT_FOUND) return STATUS_SUCCESS;
    if (status) return status;
    /* as much as is allowed: that is what the descriptor of the VM says */
    if (*access & MAXIMUM_ALLOWED) {
        status = reg_real.query_object(bearer, ObjectBasicInformation, &basic, sizeof basic, NULL);
        if (!status) *access = basic.GrantedAccess;
    }
    reg_real.close(bearer);
    return status;
}
