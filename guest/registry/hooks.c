/* The registry is the host's, to be read: keys open as they are, and every call that would
 * change the host is refused with STATUS_ACCESS_DENIED and an event. Before that, the
 * call's arguments get the host's own answers, so that a program sees a refusal only where
 * the host would have made the change. */
#include "registry.h"

#define OPTION_CREATE_LINK 2U
#define OBJ_OPEN_LINK      0x100U

/* The host's limit of a value's name, in bytes. */
#define VALUE_NAME_MAX (16383 * sizeof(WCHAR))

static NTSTATUS(NTAPI *real_create_key)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG,
                                        const UNICODE_STRING *, ULONG, ULONG *);
static NTSTATUS(NTAPI *real_set_security)(HANDLE, SECURITY_INFORMATION, void *);

/* Reads the part of an object's attributes that names a key. False: not readable. */
static bool read_name(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *copy, UNICODE_STRING *name)
{
    return guest_read(copy, attr, sizeof(*copy)) &&
           guest_read(name, copy->ObjectName, sizeof(*name));
}

static struct fvm_wstr wstr(const UNICODE_STRING *s)
{
    return (struct fvm_wstr){(const fvm_wchar *)s->Buffer, s->Length / (uint32_t)sizeof(WCHAR)};
}

/* STATUS_SUCCESS when the key that would hold a new key of this name exists, otherwise
 * what the host answers. */
static NTSTATUS check_parent(const OBJECT_ATTRIBUTES *attr, const UNICODE_STRING *name)
{
    OBJECT_ATTRIBUTES parent_attr = *attr;
    UNICODE_STRING parent = *name;
    WCHAR *text = NULL;
    NTSTATUS status;
    HANDLE key;
    uint32_t len = name->Length / (uint32_t)sizeof(WCHAR);

    if (!(text = guest_scratch_get())) return NT_NO_MEMORY;
    if (!guest_read(text, name->Buffer, name->Length)) {
        status = NT_ACCESS_VIOLATION;
        goto out;
    }
    while (len && text[len - 1] == '\\')
        len--; /* the host ignores these */
    while (len && text[len - 1] != '\\')
        len--;
    while (len && text[len - 1] == '\\')
        len--;
    if (!len) { /* directly below the root key, or below the root of all names */
        status = STATUS_SUCCESS;
        goto out;
    }
    parent.Buffer = text;
    parent.Length = (USHORT)(len * sizeof(WCHAR));
    parent_attr.ObjectName = &parent;
    parent_attr.Attributes &= ~OBJ_OPEN_LINK;
    status = NtOpenKeyEx(&key, KEY_READ, &parent_attr, 0);
    if (!status) NtClose(key);
out:
    guest_scratch_put(text);
    return status;
}

/* Opens what exists, with the host's answers for everything else but the creation. */
static NTSTATUS NTAPI hook_create_key(HANDLE *key, ACCESS_MASK access,
                                      const OBJECT_ATTRIBUTES *attr, ULONG index,
                                      const UNICODE_STRING *class, ULONG options,
                                      ULONG *disposition)
{
    static const ULONG opened_existing = REG_OPENED_EXISTING_KEY;
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING name;
    NTSTATUS status, missing;
    HANDLE none = NULL;

    if (!guest_write(key, &none, sizeof(none))) return NT_ACCESS_VIOLATION;
    if (!read_name(attr, &copy, &name)) return NT_ACCESS_VIOLATION;
    if (copy.Length != sizeof(copy)) return NT_INVALID_PARAMETER;
    if (!name.Length) {
        if (!copy.RootDirectory) return NT_OBJECT_PATH_SYNTAX_BAD;
        /* The host makes a key that has no place in the registry: nothing changes. */
        return real_create_key(key, access, attr, index, class, options, disposition);
    }

    /* The class is left out: the host would give it to a key that exists, too. */
    copy.ObjectName = &name;
    if (options & OPTION_CREATE_LINK) copy.Attributes |= OBJ_OPEN_LINK;
    status = NtOpenKeyEx(key, access, &copy, 0);
    if (!status && (options & OPTION_CREATE_LINK)) { /* a link is made new or not at all */
        if (guest_read(&none, key, sizeof(none))) NtClose(none);
        none = NULL;
        guest_write(key, &none, sizeof(none));
        return NT_OBJECT_NAME_COLLISION;
    }
    if (!status && disposition && !guest_write(disposition, &opened_existing, sizeof(ULONG)))
        return NT_ACCESS_VIOLATION;
    if (status != NT_OBJECT_NAME_NOT_FOUND) return status;

    if ((missing = check_parent(&copy, &name))) return missing;
    registry_refused("NtCreateKey", copy.RootDirectory, wstr(&name));
    return NT_ACCESS_DENIED;
}

/* Programs and Wine itself write values again that are already there (the time zone, at
 * every start of a process): that changes nothing and succeeds. */
static bool value_is(HANDLE key, const UNICODE_STRING *name, ULONG type, const void *data,
                     ULONG size)
{
    struct key_value_partial_info *info = guest_scratch_get();
    UCHAR part[512];
    ULONG needed, at, n;
    bool same = false;

    if (!info) return false;
    if (NtQueryValueKey(key, name, KEY_VALUE_CLASS_PARTIAL, info, GUEST_SCRATCH_SIZE, &needed))
        goto out;
    if (info->type != type || info->size != size) goto out;
    for (at = 0; at < size; at += n) {
        n = size - at < sizeof(part) ? size - at : (ULONG)sizeof(part);
        if (!guest_read(part, (const UCHAR *)data + at, n) || memcmp(part, info->data + at, n))
            goto out;
    }
    same = true;
out:
    guest_scratch_put(info);
    return same;
}

static NTSTATUS NTAPI hook_set_value_key(HANDLE key, const UNICODE_STRING *name, ULONG index,
                                         ULONG type, const void *data, ULONG size)
{
    UNICODE_STRING copy;
    NTSTATUS status;

    (void)index;
    if (!guest_read(&copy, name, sizeof(copy))) return NT_ACCESS_VIOLATION;
    if (copy.Length > VALUE_NAME_MAX) return NT_INVALID_PARAMETER;
    if ((status = registry_check_key(key, KEY_SET_VALUE))) return status;
    if (value_is(key, &copy, type, data, size)) return STATUS_SUCCESS;
    registry_refused("NtSetValueKey", key, (struct fvm_wstr){NULL, 0});
    return NT_ACCESS_DENIED;
}

static NTSTATUS NTAPI hook_delete_value_key(HANDLE key, const UNICODE_STRING *name)
{
    UNICODE_STRING copy;
    NTSTATUS status;
    ULONG size;

    if (!guest_read(&copy, name, sizeof(copy))) return NT_ACCESS_VIOLATION;
    if (copy.Length > VALUE_NAME_MAX) return NT_OBJECT_NAME_NOT_FOUND;
    if ((status = registry_check_key(key, KEY_SET_VALUE))) return status;
    if (NtQueryValueKey(key, &copy, KEY_VALUE_CLASS_PARTIAL, NULL, 0, &size) ==
        NT_OBJECT_NAME_NOT_FOUND)
        return NT_OBJECT_NAME_NOT_FOUND;
    registry_refused("NtDeleteValueKey", key, (struct fvm_wstr){NULL, 0});
    return NT_ACCESS_DENIED;
}

/* The calls that change a key given by handle. */
static NTSTATUS refuse_key(const char *call, HANDLE key, ACCESS_MASK access)
{
    NTSTATUS status = registry_check_key(key, access);

    if (status) return status;
    registry_refused(call, key, (struct fvm_wstr){NULL, 0});
    return NT_ACCESS_DENIED;
}

static NTSTATUS NTAPI hook_delete_key(HANDLE key)
{
    return refuse_key("NtDeleteKey", key, DELETE);
}

static NTSTATUS NTAPI hook_rename_key(HANDLE key, UNICODE_STRING *name)
{
    UNICODE_STRING copy;

    if (!guest_read(&copy, name, sizeof(copy))) return NT_ACCESS_VIOLATION;
    if (!copy.Buffer || !copy.Length) return NT_INVALID_PARAMETER;
    return refuse_key("NtRenameKey", key, KEY_WRITE);
}

static NTSTATUS NTAPI hook_set_information_key(HANDLE key, int class, void *info, ULONG size)
{
    (void)class;
    (void)info;
    (void)size;
    return refuse_key("NtSetInformationKey", key, 0);
}

static NTSTATUS NTAPI hook_restore_key(HANDLE key, HANDLE file, ULONG flags)
{
    (void)file;
    (void)flags;
    return refuse_key("NtRestoreKey", key, 0);
}

/* The calls that put a file in the place of a key given by name. */
static NTSTATUS refuse_name(const char *call, const OBJECT_ATTRIBUTES *attr)
{
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING name;

    if (!read_name(attr, &copy, &name)) return NT_ACCESS_VIOLATION;
    if (copy.Length != sizeof(copy)) return NT_INVALID_PARAMETER;
    if (name.Length % sizeof(WCHAR)) return NT_OBJECT_NAME_INVALID;
    registry_refused(call, copy.RootDirectory, wstr(&name));
    return NT_ACCESS_DENIED;
}

static NTSTATUS NTAPI hook_load_key(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file)
{
    (void)file;
    return refuse_name("NtLoadKey", attr);
}

static NTSTATUS NTAPI hook_load_key2(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file,
                                     ULONG flags)
{
    (void)file;
    (void)flags;
    return refuse_name("NtLoadKey2", attr);
}

static NTSTATUS NTAPI hook_load_key_ex(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file,
                                       ULONG flags, HANDLE trust_key, HANDLE event,
                                       ACCESS_MASK access, HANDLE *root, IO_STATUS_BLOCK *io)
{
    (void)file;
    (void)flags;
    (void)trust_key;
    (void)event;
    (void)access;
    (void)root;
    (void)io;
    return refuse_name("NtLoadKeyEx", attr);
}

static NTSTATUS NTAPI hook_unload_key(OBJECT_ATTRIBUTES *attr)
{
    return refuse_name("NtUnloadKey", attr);
}

static NTSTATUS NTAPI hook_replace_key(OBJECT_ATTRIBUTES *attr, HANDLE key,
                                       OBJECT_ATTRIBUTES *replace)
{
    (void)key;
    (void)replace;
    return refuse_name("NtReplaceKey", attr);
}

/* Keys keep their owner and access list; all other objects are not this namespace's. */
static NTSTATUS NTAPI hook_set_security_object(HANDLE object, SECURITY_INFORMATION what,
                                               void *descriptor)
{
    if (registry_check_key(object, 0)) return real_set_security(object, what, descriptor);
    registry_refused("NtSetSecurityObject", object, (struct fvm_wstr){NULL, 0});
    return NT_ACCESS_DENIED;
}

/* Where no trampoline is asked for, nothing of the call is left to the host. */
const struct guest_hook guest_registry_hooks[] = {
    {"NtCreateKey", hook_create_key, (void **)&real_create_key},
    {"NtSetValueKey", hook_set_value_key, NULL},
    {"NtDeleteKey", hook_delete_key, NULL},
    {"NtDeleteValueKey", hook_delete_value_key, NULL},
    {"NtRenameKey", hook_rename_key, NULL},
    {"NtSetInformationKey", hook_set_information_key, NULL},
    {"NtRestoreKey", hook_restore_key, NULL},
    {"NtLoadKey", hook_load_key, NULL},
    {"NtLoadKey2", hook_load_key2, NULL},
    {"NtLoadKeyEx", hook_load_key_ex, NULL},
    {"NtUnloadKey", hook_unload_key, NULL},
    {"NtReplaceKey", hook_replace_key, NULL},
    {"NtSetSecurityObject", hook_set_security_object, (void **)&real_set_security},
    {NULL, NULL, NULL},
};
