/* Hives: files in the place of keys.
 *
 * The host's server reads such a file itself: it is loaded as a key beside the VM's shadows,
 * from where its content is copied into the VM. */
#include "registry.h"

#define NO_LINK   0u
#define MAX_DEPTH 512 /* as deep as NT lets keys be */

/* In this call the host compares the first part of a name as it stands. */
static const fvm_wchar top[] = {'\\', 'R', 'E', 'G', 'I', 'S', 'T', 'R', 'Y', '\\'};

/* A key beside the shadows that is there for the moment. */
static uint32_t temporary_name(fvm_wchar *dst)
{
    struct fvm_reg_state *state = reg_shared();
    uint32_t len = 10, id = nt_thread_id();

    memcpy(dst, top, sizeof top);
    memcpy(dst + len, state->shadow, state->shadow_len * sizeof *dst);
    len += state->shadow_len;
    dst[len++] = '-';
    for (int shift = 28; shift >= 0; shift -= 4)
        dst[len++] = (fvm_wchar)("0123456789abcdef"[id >> shift & 15]);
    return len;
}

static void delete_tree(HANDLE key, int depth)
{
    struct key_basic_info *info = guest_scratch_get();
    ULONG used;

    while (info && depth < MAX_DEPTH &&
           !reg_real.enumerate_key(key, 0, KEY_BASIC, info, 4096, &used)) {
        UNICODE_STRING name = {(USHORT)info->name_length, (USHORT)info->name_length, info->name};
        OBJECT_ATTRIBUTES attr;
        HANDLE child;
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, key, NULL);
        if (reg_real.open_key_ex(&child, KEY_READ | DELETE, &attr, 0)) break;
        delete_tree(child, depth + 1);
        reg_real.close(child);
    }
    guest_scratch_put(info);
    reg_real.delete_key(key);
}

/* A value of any size; *info is a scratch block, or larger memory of its own. */
static NTSTATUS read_value(HANDLE key, ULONG index, struct value_full_info *scratch,
                           struct value_full_info **info)
{
    ULONG used;
    NTSTATUS status =
        reg_real.enumerate_value(key, index, VALUE_FULL, scratch, GUEST_SCRATCH_SIZE, &used);

    *info = scratch;
    if (status != NT_BUFFER_OVERFLOW) return status;
    *info = guest_alloc(used);
    if (!*info) return NT_NO_MEMORY;
    status = reg_real.enumerate_value(key, index, VALUE_FULL, *info, used, &used);
    if (status) {
        guest_free(*info);
        *info = scratch;
    }
    return status;
}

static bool is_link(HANDLE key)
{
    static const WCHAR name[] = L"SymbolicLinkValue";
    UNICODE_STRING text = {sizeof name - 2, sizeof name - 2, (WCHAR *)name};
    struct value_partial_info info;
    ULONG used;
    NTSTATUS status = reg_real.query_value(key, &text, VALUE_PARTIAL, &info, sizeof info, &used);

    return (!status || status == NT_BUFFER_OVERFLOW) && info.type == REG_LINK;
}

/* Copies values and subkeys of a key of the host's to one in the VM. */
static NTSTATUS copy_tree(HANDLE from, HANDLE to, int depth)
{
    void *scratch = guest_scratch_get();
    struct value_full_info *value;
    NTSTATUS status = scratch ? STATUS_SUCCESS : NT_NO_MEMORY;

    for (ULONG i = 0; !status; i++) {
        status = read_value(from, i, scratch, &value);
        if (status) break;
        UNICODE_STRING name = {(USHORT)value->name_length, (USHORT)value->name_length, value->name};
        status = reg_hook_set_value(to, &name, 0, value->type,
                                    (uint8_t *)value + value->data_offset, value->data_length);
        if (value != scratch) guest_free(value);
    }
    if (status == NT_NO_MORE_ENTRIES) status = STATUS_SUCCESS;
    for (ULONG i = 0; !status && depth < MAX_DEPTH; i++) {
        struct key_node_info *info = scratch;
        ULONG used;
        status = reg_real.enumerate_key(from, i, KEY_NODE, info, GUEST_SCRATCH_SIZE, &used);
        if (status) break;
        UNICODE_STRING name = {(USHORT)info->name_length, (USHORT)info->name_length, info->name};
        UNICODE_STRING class = {(USHORT)info->class_length, (USHORT)info->class_length,
                                (WCHAR *)((uint8_t *)info + info->class_offset)};
        OBJECT_ATTRIBUTES attr, target;
        HANDLE child, copy;
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, from, NULL);
        InitializeObjectAttributes(&target, &name, OBJ_CASE_INSENSITIVE, to, NULL);
        status = reg_real.open_key_ex(&child, KEY_READ, &attr, 0);
        if (status) break;
        status = reg_hook_create_key(&copy, KEY_ALL_ACCESS, &target, 0,
                                     class.Length ? &class : NULL,
                                     is_link(child) ? OPTION_CREATE_LINK : NO_LINK, NULL);
        if (!status) {
            status = copy_tree(child, copy, depth + 1);
            guest_registry_closing(copy);
            reg_real.close(copy);
        }
        reg_real.close(child);
    }
    guest_scratch_put(scratch);
    return status == NT_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

/* The real file behind the program's name for it. text is put into name, a scratch block. */
static NTSTATUS real_file(OBJECT_ATTRIBUTES *attr, UNICODE_STRING *text, fvm_wchar *name)
{
    const uint32_t cap = FVM_REG_PATH_MAX;
    NTSTATUS status;

    if (!guest_read(text, attr->ObjectName, sizeof *text) ||
        !guest_read(name, text->Buffer, text->Length))
        return NT_ACCESS_VIOLATION;
    text->Buffer = (WCHAR *)name;
    attr->ObjectName = text;
    if (attr->RootDirectory) return STATUS_SUCCESS; /* below a handle, which is a real one */
    uint32_t len = guest_file_real_name((struct fvm_wstr){name, text->Length / 2u}, name + cap,
                                        cap - 1, &status);
    if (status || !len) return status;
    *text = (UNICODE_STRING){(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)(name + cap)};
    return STATUS_SUCCESS;
}

static NTSTATUS load(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file, ULONG flags,
                     HANDLE trust_key, HANDLE event, ACCESS_MASK access)
{
    fvm_wchar *name = guest_scratch_get(), temporary[128], head[10];
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING key_text;
    OBJECT_ATTRIBUTES file_attr, temporary_attr;
    UNICODE_STRING file_text, text = {.Buffer = (WCHAR *)temporary};
    HANDLE from, to = NULL;
    NTSTATUS status = name ? STATUS_SUCCESS : NT_NO_MEMORY;

    if (!status && !guest_read(&file_attr, file, sizeof file_attr)) status = NT_ACCESS_VIOLATION;
    if (!status) status = real_file(&file_attr, &file_text, name);
    text.Length = text.MaximumLength = (USHORT)(temporary_name(temporary) * sizeof *temporary);
    InitializeObjectAttributes(&temporary_attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (!status && (!guest_read(&copy, attr, sizeof copy) ||
                    !guest_read(&key_text, copy.ObjectName, sizeof key_text) ||
                    !guest_read(head, key_text.Buffer, key_text.Length < 20 ? key_text.Length : 20)))
        status = NT_ACCESS_VIOLATION;
    if (!status && !copy.RootDirectory && (key_text.Length < 20 || memcmp(head, top, 20)))
        status = NT_OBJECT_PATH_NOT_FOUND;
    if (!status)
        status = reg_real.load_key_ex(&temporary_attr, &file_attr, flags, trust_key, event, access,
                                      NULL, NULL);
    guest_scratch_put(name);
    if (status) return status;
    status = reg_real.open_key_ex(&from, KEY_ALL_ACCESS, &temporary_attr, 0);
    if (status) return status;
    status = reg_hook_create_key(&to, KEY_ALL_ACCESS, attr, 0, NULL, 0, NULL);
    if (!status) {
        status = copy_tree(from, to, 0);
        guest_registry_closing(to);
        reg_real.close(to);
    }
    delete_tree(from, 0);
    reg_real.close(from);
    return status;
}

NTSTATUS NTAPI reg_hook_load_key_ex(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file,
                                    ULONG flags, HANDLE trust_key, HANDLE event, ACCESS_MASK access,
                                    HANDLE *root, IO_STATUS_BLOCK *io)
{
    /* the host fills neither */
    (void)root;
    (void)io;
    return load(attr, file, flags, trust_key, event, access);
}

NTSTATUS NTAPI reg_hook_load_key2(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file,
                                  ULONG flags)
{
    return load(attr, file, flags, NULL, NULL, 0);
}

NTSTATUS NTAPI reg_hook_load_key(const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file)
{
    return load(attr, file, 0, NULL, NULL, 0);
}

/* --- unloading ------------------------------------------------------------------------------------ */

/* What the host says to someone who may not load or unload. */
static NTSTATUS check_privilege(void)
{
    fvm_wchar name[128];
    UNICODE_STRING text = {.Buffer = (WCHAR *)name};
    OBJECT_ATTRIBUTES attr;

    text.Length = text.MaximumLength = (USHORT)(temporary_name(name) * sizeof *name);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS status = reg_real.unload_key(&attr); /* there is none of this name */
    return status == NT_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
}

NTSTATUS NTAPI reg_hook_unload_key(OBJECT_ATTRIBUTES *attr)
{
    OBJECT_BASIC_INFORMATION basic;
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING text;
    struct reg_key key;
    HANDLE handle;

    if (!attr || !guest_read(&copy, attr, sizeof copy) || !copy.ObjectName ||
        !guest_read(&text, copy.ObjectName, sizeof text))
        return NT_ACCESS_VIOLATION;
    if (copy.Length != sizeof copy) return NT_INVALID_PARAMETER;
    if (text.Length & 1) return NT_OBJECT_NAME_INVALID;
    NTSTATUS status = check_privilege();
    if (!status) status = reg_hook_open_key_ex(&handle, KEY_READ, attr, 0);
    if (status) return status;
    enum reg_kind kind = reg_key_begin(handle, true, &key, &status);
    if (kind == REG_OURS) {
        status = reg_real.query_object(handle, ObjectBasicInformation, &basic, sizeof basic, NULL);
        if (!status && basic.HandleCount > 1) status = NT_CANNOT_DELETE;
        if (!status) status = reg_delete_tree(&key);
        reg_key_end(&key);
    } else if (kind == REG_PASS) {
        status = reg_no_key(handle);
    }
    guest_registry_closing(handle);
    reg_real.close(handle);
    return status;
}
