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

/* What the VM has set is in its log already; the host has to be asked for its answer only. */
NTSTATUS NTAPI reg_hook_flush_key(HANDLE handle)
{
    struct reg_key key;
    NTSTATUS status;

    enum reg_kind kind = reg_key_begin(handle, false, &key, &status);
    if (kind == REG_FAILED) return reg_failed(handle, 0, status);
    if (kind == REG_OURS) reg_key_end(&key);
    return reg_real.flush_key(handle);
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
    HOOK(NtFlushKey, flush_key),
    HOOK(NtSetSecurityObject, set_security),
    HOOK(NtQuerySecurityObject, query_security),
    CALL(NtQueryObject, query_object),
    CALL(NtClose, close),
    {NULL, NULL, NULL},
};
