/* The table of the namespace's hooks, and the host's calls behind them. */
#include "registry.h"

struct reg_real reg_real;

#define HOOK(export, member)                                                                       \
    {                                                                                              \
        #export, (void *)reg_hook_##member, (void **)&reg_real.member                             \
    }
#define CALL(export, member)                                                                       \
    {                                                                                              \
        #export, NULL, (void **)&reg_real.member                                                  \
    }

/* The host keeps no security of keys beyond its own run; that of a VM's own keys is the
 * shadow's, that of the base's keys stays. */
NTSTATUS NTAPI reg_hook_set_security(HANDLE object, SECURITY_INFORMATION what, void *descriptor)
{
    struct reg_key key;
    NTSTATUS status;

    enum reg_kind kind = reg_key_begin(object, true, &key, &status);
    if (kind != REG_OURS) return reg_real.set_security(object, what, descriptor);
    bool own = key.is_private;
    reg_key_end(&key);
    if (own) return reg_real.set_security(object, what, descriptor);
    registry_refused("NtSetSecurityObject", object, (struct fvm_wstr){NULL, 0},
                     "the access rights of a key of the base cannot be changed in a VM");
    return NT_ACCESS_DENIED;
}

const struct guest_hook guest_registry_hooks[] = {
    HOOK(NtCreateKey, create_key),
    HOOK(NtOpenKey, open_key),
    HOOK(NtOpenKeyEx, open_key_ex),
    HOOK(NtDeleteKey, delete_key),
    HOOK(NtRenameKey, rename_key),
    HOOK(NtQueryKey, query_key),
    HOOK(NtEnumerateKey, enumerate_key),
    HOOK(NtQueryValueKey, query_value),
    HOOK(NtEnumerateValueKey, enumerate_value),
    HOOK(NtSetValueKey, set_value),
    HOOK(NtDeleteValueKey, delete_value),
    HOOK(NtNotifyChangeKey, notify),
    HOOK(NtNotifyChangeMultipleKeys, notify_multiple),
    HOOK(NtLoadKey, load_key),
    HOOK(NtLoadKey2, load_key2),
    HOOK(NtLoadKeyEx, load_key_ex),
    HOOK(NtUnloadKey, unload_key),
    HOOK(NtSaveKey, save_key),
    HOOK(NtSetSecurityObject, set_security),
    CALL(NtQueryObject, query_object),
    CALL(NtClose, close),
    {NULL, NULL, NULL},
};
