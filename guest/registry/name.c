/* From the program's names to keys, and the names of shadows. */
#include "registry.h"

static const fvm_wchar shadow_prefix[] = {'~', 'F', 'V', 'M', '-'};
#define PREFIX_LEN (sizeof shadow_prefix / sizeof *shadow_prefix)

bool reg_is_shadow_name(struct fvm_wstr name)
{
    return name.len > PREFIX_LEN + 16 &&
           !fvm_reg_compare((struct fvm_wstr){name.ptr, PREFIX_LEN},
                            (struct fvm_wstr){shadow_prefix, PREFIX_LEN});
}

void reg_nt_name(struct fvm_wstr path, fvm_wchar *dst, UNICODE_STRING *text)
{
    static const fvm_wchar root[] = {'\\', 'R', 'e', 'g', 'i', 's', 't', 'r', 'y', '\\'};
    uint32_t head = path.len ? 10 : 9;

    /* the longest name that the host takes ends before the end of a path of full length */
    if (path.len > 32767 - head) path.len = 32767 - head;
    memcpy(dst, root, head * sizeof *dst);
    memcpy(dst + head, path.ptr, path.len * sizeof *dst);
    text->Buffer = (WCHAR *)dst;
    text->Length = text->MaximumLength = (USHORT)((head + path.len) * sizeof *dst);
}

static bool allocate(struct reg_name *name)
{
    fvm_wchar *p = guest_scratch_get();

    _Static_assert(4 * FVM_REG_PATH_MAX * sizeof(fvm_wchar) <= GUEST_SCRATCH_SIZE, "four parts");
    name->input = p;
    name->look.canon = p + FVM_REG_PATH_MAX;
    name->look.base = p + 2 * FVM_REG_PATH_MAX;
    name->nt = p + 3 * FVM_REG_PATH_MAX;
    return p != NULL;
}

void reg_name_free(struct reg_name *name)
{
    guest_scratch_put(name->input);
    name->input = NULL;
}

/* Is the base's key still a link to where its file said? */
static bool is_link(struct reg_name *name, uint32_t link)
{
    static const fvm_wchar value[] = {'S', 'y', 'm', 'b', 'o', 'l', 'i', 'c', 'L', 'i',
                                      'n', 'k', 'V', 'a', 'l', 'u', 'e'};
    struct fvm_wstr target = fvm_reg_link_target(reg_store(), link);
    UNICODE_STRING text, value_name = {sizeof value, sizeof value, (WCHAR *)value};
    struct value_partial_info *info = guest_scratch_get();
    OBJECT_ATTRIBUTES attr;
    HANDLE handle;
    ULONG used;
    bool same = false;

    reg_nt_name(fvm_reg_link_path(reg_store(), link), name->nt, &text);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
    if (info && !reg_real.open_key_ex(&handle, KEY_QUERY_VALUE, &attr, 0)) {
        if (!reg_real.query_value(handle, &value_name, VALUE_PARTIAL, info,
                                  2 * FVM_REG_PATH_MAX, &used) &&
            info->type == REG_LINK) {
            fvm_wchar *path = (fvm_wchar *)info + 2 * FVM_REG_PATH_MAX;
            int len = fvm_reg_path_from_nt(
                (struct fvm_wstr){(fvm_wchar *)(void *)info->data, info->size / 2}, path);
            same = len >= 0 && !fvm_reg_compare(target, (struct fvm_wstr){path, (uint32_t)len});
        }
        reg_real.close(handle);
    }
    guest_scratch_put(info);
    return same;
}

NTSTATUS reg_look_again(struct reg_name *name, bool open_link)
{
    int rc = 0;

    do {
        for (struct reg_read read = {0}; reg_reading(&read);)
            rc = fvm_reg_lookup(reg_store(), (struct fvm_wstr){name->input, name->input_len},
                                open_link, &name->look);
        if (name->look.unchecked)
            fvm_reg_link_checked(reg_store(), name->look.unchecked,
                                 is_link(name, name->look.unchecked));
    } while (name->look.unchecked);
    return rc ? NT_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* The name's own text, then the path that it means. */
static enum reg_kind parse(const OBJECT_ATTRIBUTES *attr, const UNICODE_STRING *text,
                           struct reg_name *name, NTSTATUS *status)
{
    struct fvm_wstr given = {name->nt, text->Length / (uint32_t)sizeof(WCHAR)};
    struct reg_key root;
    int len;

    if (!guest_read(name->nt, text->Buffer, text->Length)) {
        *status = NT_ACCESS_VIOLATION;
        return REG_FAILED;
    }
    if (!attr->RootDirectory) {
        len = fvm_reg_path_from_nt(given, name->input);
        if (len < 0) return REG_PASS;
    } else {
        if (given.len && given.ptr[0] == '\\') return REG_PASS; /* the host says what is wrong */
        name->is_relative = true;
        enum reg_kind kind = reg_key_begin(attr->RootDirectory, true, &root, status);
        if (kind != REG_OURS) return kind;
        len = reg_key_path(&root, name->input, false);
        reg_key_end(&root);
        if (len < 0) {
            *status = NT_KEY_DELETED;
            return REG_FAILED;
        }
        len = fvm_reg_path_append(name->input, (uint32_t)len, given);
        if (len < 0) return REG_PASS;
    }
    name->input_len = (uint32_t)len;
    uint32_t first = 0;
    while (first < name->input_len && name->input[first] != '\\')
        first++;
    if (reg_is_shadow_name((struct fvm_wstr){name->input, first})) {
        *status = NT_OBJECT_NAME_NOT_FOUND;
        return REG_FAILED;
    }
    return REG_OURS;
}

/* The host refuses a name when it comes to a part that is too long, not before. Cuts the path
 * before such a part. */
static bool cut_long_part(struct reg_name *name)
{
    uint32_t part = 0;

    for (uint32_t i = 0; i < name->input_len; i++) {
        part = name->input[i] == '\\' ? 0 : part + 1;
        if (part <= FVM_REG_KEY_MAX) continue;
        i -= FVM_REG_KEY_MAX;
        name->input_len = i ? i - 1 : 0;
        return true;
    }
    return false;
}

/* The answer to a name with a part that is too long. */
static NTSTATUS refuse_long_part(struct reg_name *name)
{
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    HANDLE handle;
    NTSTATUS status = reg_look_again(name, false);

    if (status) return status;
    if (name->look.verdict == FVM_REG_IS_PRIVATE) return NT_INVALID_PARAMETER;
    if (name->look.verdict != FVM_REG_IS_BASE) return NT_OBJECT_NAME_NOT_FOUND;
    reg_nt_name((struct fvm_wstr){name->look.base, name->look.base_len}, name->nt, &text);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = reg_real.open_key_ex(&handle, KEY_QUERY_VALUE, &attr, 0);
    if (status) return status;
    reg_real.close(handle);
    return NT_INVALID_PARAMETER;
}

enum reg_kind reg_resolve(const OBJECT_ATTRIBUTES *attr, bool open_link, struct reg_name *name,
                          NTSTATUS *status)
{
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING text;

    *status = NT_ACCESS_VIOLATION;
    if (!guest_read(&copy, attr, sizeof copy)) return REG_FAILED;
    if (copy.Length != sizeof copy) return REG_PASS;
    if (!guest_read(&text, copy.ObjectName, sizeof text)) return REG_FAILED;
    if (text.Length & 1) return REG_PASS;
    *status = NT_OBJECT_NAME_INVALID; /* no room for the host's terminator */
    if (text.Length == 0xfffe) return REG_FAILED;
    *status = NT_NO_MEMORY;
    if (!allocate(name)) return REG_FAILED;
    name->is_relative = false;
    if (!text.Length) open_link = true; /* the very key of the handle */
    enum reg_kind kind = parse(&copy, &text, name, status);
    if (kind == REG_OURS && cut_long_part(name)) {
        *status = refuse_long_part(name);
        kind = REG_FAILED;
    }
    if (kind == REG_OURS && (*status = reg_look_again(name, open_link))) kind = REG_FAILED;
    if (kind != REG_OURS) reg_name_free(name);
    return kind;
}

/* --- shadows -------------------------------------------------------------------------------------- */

static uint32_t put_number(fvm_wchar *dst, uint32_t number)
{
    uint32_t n = 0;

    for (int shift = 28; shift >= 0; shift -= 4) {
        uint32_t digit = number >> shift & 15;
        if (digit || n || !shift) dst[n++] = (fvm_wchar)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    return n;
}

/* \Registry\~FVM-...[\K12] */
static uint32_t helper_name(fvm_wchar *dst, char letter, uint32_t number)
{
    static const fvm_wchar root[] = {'\\', 'R', 'e', 'g', 'i', 's', 't', 'r', 'y', '\\'};
    struct fvm_reg_state *state = reg_shared();
    uint32_t len = 10;

    memcpy(dst, root, sizeof root);
    memcpy(dst + len, state->shadow, state->shadow_len * sizeof *dst);
    len += state->shadow_len;
    if (!letter) return len;
    dst[len++] = '\\';
    dst[len++] = (fvm_wchar)letter;
    return len + put_number(dst + len, number);
}

uint32_t reg_helper_number(struct fvm_wstr full, char letter)
{
    fvm_wchar head[96];
    uint32_t len = helper_name(head, 0, 0), number = 0;

    if (full.len < len + 3 || full.len > len + 10) return 0;
    if (fvm_reg_compare((struct fvm_wstr){full.ptr, len}, (struct fvm_wstr){head, len})) return 0;
    if (full.ptr[len] != '\\' || full.ptr[len + 1] != (fvm_wchar)letter) return 0;
    for (uint32_t i = len + 2; i < full.len; i++) {
        fvm_wchar c = full.ptr[i];
        number = number << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return number;
}

NTSTATUS reg_open_helper(char letter, uint32_t number, bool make, ACCESS_MASK access,
                         const OBJECT_ATTRIBUTES *attr, HANDLE *handle)
{
    OBJECT_ATTRIBUTES copy, root;
    fvm_wchar buffer[96];
    UNICODE_STRING text = {.Buffer = (WCHAR *)buffer};
    HANDLE top;

    InitializeObjectAttributes(&root, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (attr)
        copy = *attr;
    else
        copy = root;
    copy.RootDirectory = NULL;
    copy.ObjectName = &text;
    copy.Attributes &= ~(ULONG)OBJ_OPEN_LINK;
    for (int tries = 0;; tries++) {
        text.Length = text.MaximumLength = (USHORT)(helper_name(buffer, letter, number) * 2);
        if (!make) return reg_real.open_key_ex(handle, access, &copy, 0);
        NTSTATUS status =
            reg_real.create_key(handle, access, &copy, 0, NULL, REG_OPTION_VOLATILE, NULL);
        if (status != NT_OBJECT_NAME_NOT_FOUND || tries) return status;
        /* the first one of the VM's run; the key above them lives as long as the host or the
         * VM's monitor lets it */
        text.Length = text.MaximumLength = (USHORT)(helper_name(buffer, 0, 0) * 2);
        status = reg_real.create_key(&top, KEY_READ, &root, 0, NULL, REG_OPTION_VOLATILE, NULL);
        if (status) return status;
        reg_real.close(top);
        reg_shared()->shadowed = 1;
    }
}

NTSTATUS reg_open_shadow(uint32_t serial, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                         HANDLE *handle)
{
    return reg_open_helper('K', serial, true, access, attr, handle);
}

/* --- the monitors ----------------------------------------------------------------------------------- */

/* A program of the VM has said who may do what with the key; its owner may say so again. */
static bool allow_all(OBJECT_ATTRIBUTES *attr)
{
    SECURITY_DESCRIPTOR nobody_refused = {.Revision = SECURITY_DESCRIPTOR_REVISION,
                                          .Control = SE_DACL_PRESENT};
    HANDLE key;

    if (reg_real.open_key_ex(&key, WRITE_DAC, attr, 0)) return false;
    NTSTATUS status = reg_real.set_security(key, DACL_SECURITY_INFORMATION, &nobody_refused);
    reg_real.close(key);
    return !status;
}

/* Deletes what a run of this VM has left in the host: all keys whose names begin as that of its
 * place for shadows, up to the part that tells runs apart. only_own: this run's. */
static void delete_shadows(bool only_own)
{
    struct fvm_reg_state *state = reg_shared();
    const uint32_t id_len = PREFIX_LEN + 16; /* "~FVM-" and the VM's id */
    fvm_wchar *buffer = guest_scratch_get();
    struct key_basic_info *info = (void *)(buffer + 128);
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    HANDLE root, place, shadow;
    ULONG used;

    if (!buffer) return;
    reg_nt_name((struct fvm_wstr){0}, buffer, &text);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (reg_real.open_key_ex(&root, KEY_READ, &attr, 0)) goto out;
    for (ULONG i = 0; !reg_real.enumerate_key(root, i, KEY_BASIC, info, 4096, &used);) {
        struct fvm_wstr name = {(fvm_wchar *)info->name, info->name_length / 2};
        uint32_t same = only_own ? state->shadow_len : id_len;
        bool ours = name.len >= same && reg_is_shadow_name(name) &&
                    !memcmp(name.ptr, state->shadow, same * sizeof *name.ptr);
        text = (UNICODE_STRING){(USHORT)info->name_length, (USHORT)info->name_length, info->name};
        InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, root, NULL);
        if (!ours || reg_real.open_key_ex(&place, KEY_READ | DELETE, &attr, 0)) {
            i++;
            continue;
        }
        /* from the end, where the host moves nothing */
        struct key_full_info full;
        ULONG n = reg_real.query_key(place, KEY_FULL, &full, sizeof full, &used) ? 0 : full.subkeys;
        while (n-- > 0 && !reg_real.enumerate_key(place, n, KEY_BASIC, info, 4096, &used)) {
            text = (UNICODE_STRING){(USHORT)info->name_length, (USHORT)info->name_length,
                                    info->name};
            InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, place, NULL);
            NTSTATUS opened = reg_real.open_key_ex(&shadow, DELETE, &attr, 0);
            if (opened == NT_ACCESS_DENIED && allow_all(&attr))
                opened = reg_real.open_key_ex(&shadow, DELETE, &attr, 0);
            if (opened) continue;
            reg_real.delete_key(shadow);
            reg_real.close(shadow);
        }
        NTSTATUS status = reg_real.delete_key(place);
        reg_real.close(place);
        if (status) i++;
    }
    reg_real.close(root);
out:
    guest_scratch_put(buffer);
}

void guest_registry_enter(void)
{
    /* the first one of a run: an earlier one may have been killed */
    if (__atomic_fetch_add(&reg_shared()->monitors, 1, __ATOMIC_ACQ_REL) == 0 &&
        fvm_reg_changes(reg_store()))
        delete_shadows(false);
}

void guest_registry_leave(void)
{
    struct fvm_reg_state *state = reg_shared();

    if (__atomic_sub_fetch(&state->monitors, 1, __ATOMIC_ACQ_REL) == 0 && state->shadowed)
        delete_shadows(true);
}
