/* Opening and creating keys. */
#include "registry.h"

/* The base's key that the name leads to. as_given: the program's own attributes lead there. */
static NTSTATUS open_base(struct reg_name *name, const OBJECT_ATTRIBUTES *attr, bool as_given,
                          bool open_link, ACCESS_MASK access, ULONG options, HANDLE *handle)
{
    OBJECT_ATTRIBUTES copy = *attr;
    UNICODE_STRING text;

    NTSTATUS status =
        reg_may_open((struct fvm_wstr){name->look.base, name->look.base_len}, &access);
    if (status) return status;
    if (open_link) copy.Attributes |= OBJ_OPEN_LINK;
    if (!as_given) {
        reg_nt_name((struct fvm_wstr){name->look.base, name->look.base_len}, name->nt, &text);
        copy.ObjectName = &text;
        copy.RootDirectory = NULL;
    }
    return reg_real.open_key_ex(handle, access, &copy, options);
}

/* A relative name starts at a handle of the base only if what lies above was not renamed. */
static bool leads_there(const struct reg_name *name)
{
    return !name->look.linked && !name->look.moved &&
           !(name->is_relative && fvm_reg_has_origins(reg_store()));
}

/* Hands the handle to the program; without a place for it, it is closed again. */
static NTSTATUS give(HANDLE *program, HANDLE handle)
{
    if (guest_write(program, &handle, sizeof handle)) return STATUS_SUCCESS;
    guest_registry_closing(handle);
    reg_real.close(handle);
    return NT_ACCESS_VIOLATION;
}

/* Statuses with which the host gives a handle. */
static bool has_handle(NTSTATUS status)
{
    return status >= 0;
}

/* ... and one on a key: with STATUS_PREDEFINED_HANDLE it is on nothing that the VM can change. */
static bool is_key(NTSTATUS status)
{
    return status == STATUS_SUCCESS;
}

/* Most keys are the base's, with nothing of the VM's on the way to them: one short look-up, and
 * the host opens them by the program's own name. False: it takes the long way. attr: a copy. */
static bool open_plain(HANDLE *out, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                       ULONG options, NTSTATUS *status)
{
    static const fvm_wchar top[] = {'\\', 'R', 'e', 'g', 'i', 's', 't', 'r', 'y', '\\'};
    const uint32_t top_len = sizeof top / sizeof *top;
    struct fvm_reg *r = reg_store();
    struct reg_key root = {.h = NULL};
    OBJECT_ATTRIBUTES copy = *attr;
    UNICODE_STRING text;
    fvm_wchar name[200]; /* longer names take the long way */
    struct fvm_wstr rest = {.ptr = name};
    uint32_t node = 0, seq = 0;
    HANDLE handle = NULL;

    if (reg_shared()->secured || attr->Length != sizeof *attr ||
        !guest_read(&text, attr->ObjectName, sizeof text) || text.Length > sizeof name ||
        text.Length & 1 || !guest_read(name, text.Buffer, text.Length))
        return false;
    rest.len = text.Length / (uint32_t)sizeof *name;
    if (attr->RootDirectory) {
        if (reg_key_begin(attr->RootDirectory, true, &root, status) != REG_OURS) return false;
    } else {
        if (rest.len <= top_len ||
            fvm_reg_compare((struct fvm_wstr){name, top_len}, (struct fvm_wstr){top, top_len}))
            return false;
        rest.ptr += top_len, rest.len -= top_len;
    }
    bool plain = !root.h || !root.is_private;
    struct fvm_wstr base = {0};
    if (root.h && plain) base = (struct fvm_wstr){root.h->base, root.h->base_len};
    if (!base.len && rest.len && *rest.ptr == '~') plain = false; /* a shadow? */
    for (struct reg_read read = {0}; plain && reg_reading(&read);) {
        uint64_t known = root.h ? root.h->cache : (uint64_t)read.seq << 32 | fvm_reg_root(r);
        seq = read.seq;
        plain = known >> 32 == seq && fvm_reg_is_plain(r, (uint32_t)known, base, rest, &node);
    }
    if (plain) {
        text.Buffer = (WCHAR *)name;
        text.MaximumLength = text.Length;
        copy.ObjectName = &text;
        *status = reg_real.open_key_ex(&handle, access, &copy, options);
        if (has_handle(*status) && handle) {
            if (is_key(*status)) reg_handle_add_below(handle, access, root.h, rest, seq, node);
            NTSTATUS given = give(out, handle);
            if (given) *status = given;
        }
    }
    if (root.h) reg_key_end(&root);
    return plain;
}

static NTSTATUS open_key(HANDLE *out, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                         ULONG options)
{
    HANDLE handle = NULL;
    OBJECT_ATTRIBUTES copy;
    struct reg_name name;
    NTSTATUS status;

    if (!guest_write(out, &handle, sizeof handle) || !guest_read(&copy, attr, sizeof copy))
        return NT_ACCESS_VIOLATION;
    if (open_plain(out, access, &copy, options, &status)) return status;
    bool open_link = copy.Attributes & OBJ_OPEN_LINK;
    enum reg_kind kind = reg_resolve(attr, open_link, &name, &status);
    if (kind == REG_PASS) return reg_real.open_key_ex(out, access, attr, options);
    if (kind == REG_FAILED) return status;
    switch (name.look.verdict) {
    case FVM_REG_IS_BASE:
        status = open_base(&name, &copy, leads_there(&name), open_link, access, options, &handle);
        if (is_key(status) && handle)
            reg_handle_add_base(handle, access,
                                (struct fvm_wstr){name.look.base, name.look.base_len}, false);
        break;
    case FVM_REG_IS_PRIVATE:
        status = reg_open_shadow(name.look.serial, access, &copy, &handle);
        if (!status) reg_handle_add_private(handle, access, name.look.serial);
        break;
    default:
        status = NT_OBJECT_NAME_NOT_FOUND;
        break;
    }
    if (has_handle(status) && handle) {
        NTSTATUS given = give(out, handle);
        if (given) status = given;
    }
    reg_name_free(&name);
    return status;
}

/* Nothing of the VM's registry differs from the base's, and the name is no shadow's: the host
 * opens. Most opens come here or end at the first look-up. */
static bool nothing_changed(const OBJECT_ATTRIBUTES *attr)
{
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING text;
    fvm_wchar part[12];

    if (fvm_reg_changes(reg_store()) || reg_shared()->secured) return false;
    if (!guest_read(&copy, attr, sizeof copy) || copy.Length != sizeof copy ||
        !guest_read(&text, copy.ObjectName, sizeof text))
        return true;
    /* "~FVM-" below a handle on \Registry, or the same with its name in front */
    uint32_t skip = copy.RootDirectory ? 0 : 10;
    if (text.Length < (skip + 12) * sizeof(WCHAR)) return true;
    if (!guest_read(part, text.Buffer + skip, 2 * sizeof *part)) return true;
    return part[0] != '~' && part[1] != '~';
}

NTSTATUS NTAPI reg_hook_open_key_ex(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                                    ULONG options)
{
    if (nothing_changed(attr)) return reg_real.open_key_ex(key, access, attr, options);
    return open_key(key, access, attr, options);
}

NTSTATUS NTAPI reg_hook_open_key(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr)
{
    if (nothing_changed(attr)) return reg_real.open_key(key, access, attr);
    return open_key(key, access, attr, 0);
}

/* --- creating ------------------------------------------------------------------------------------
 */

struct request {
    HANDLE handle;
    ACCESS_MASK access;
    OBJECT_ATTRIBUTES attr;
    ULONG options;
    struct fvm_wstr class;
    bool created;
};

/* The new key is to stand right below the program's handle on a key of the base, where the host
 * has just looked for it: the handle knows the spelling, or learns it. */
static bool spell_by_root(struct reg_name *name, const struct request *q, struct fvm_wstr parent,
                          struct fvm_wstr leaf)
{
    struct reg_key root;
    NTSTATUS status;

    if (!q->attr.RootDirectory || !leads_there(name) ||
        reg_key_begin(q->attr.RootDirectory, true, &root, &status) != REG_OURS)
        return false;
    int len = root.is_private ? -1 : reg_key_path(&root, name->input, true);
    reg_key_end(&root);
    if (len < 0 || fvm_reg_compare((struct fvm_wstr){name->input, (uint32_t)len}, parent))
        return false;
    len = fvm_reg_path_append(name->input, (uint32_t)len, leaf);
    name->input_len = (uint32_t)len;
    return len >= 0;
}

/* The key that is to hold the new one is one of the base: it must be there, and its path is
 * spelled as it is there. */
static NTSTATUS spell_parent(struct reg_name *name, const struct request *q)
{
    struct fvm_wstr canon = {name->look.canon, name->look.canon_len};
    struct fvm_wstr base = reg_parent((struct fvm_wstr){name->look.base, name->look.base_len});
    struct fvm_wstr view = reg_parent(canon);
    uint32_t leaf = view.len ? view.len + 1 : 0, leaf_len = canon.len - leaf;
    struct fvm_wstr leaf_name = {canon.ptr + leaf, leaf_len};
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    HANDLE handle;
    ULONG used;

    if (spell_by_root(name, q, view, leaf_name)) return reg_look_again(name, true);
    reg_nt_name(base, name->nt, &text);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS status = reg_real.open_key_ex(&handle, KEY_QUERY_VALUE, &attr, 0);
    if (status) return status;
    struct key_name_info *info = guest_scratch_get();
    int len = -1;
    if (info && !reg_real.query_key(handle, KEY_NAME, info, 2 * FVM_REG_PATH_MAX, &used)) {
        fvm_wchar *path = (fvm_wchar *)info + 2 * FVM_REG_PATH_MAX;
        len =
            fvm_reg_path_from_nt((struct fvm_wstr){(fvm_wchar *)info->name, info->size / 2}, path);
        if (len >= 0)
            for (struct reg_read read = {0}; reg_reading(&read);)
                name->input_len = (uint32_t)fvm_reg_base_to_view(
                    reg_store(), (struct fvm_wstr){path, (uint32_t)len}, name->input);
        if (len >= 0) len = fvm_reg_path_append(name->input, name->input_len, leaf_name);
        if (len >= 0) name->input_len = (uint32_t)len;
    }
    guest_scratch_put(info);
    reg_real.close(handle);
    return len < 0 ? NT_NO_MEMORY : reg_look_again(name, true);
}

/* Makes the key, which was not there a moment ago. STATUS_OBJECT_NAME_COLLISION: it is now. */
static NTSTATUS make_key(struct reg_name *name, struct request *q, uint32_t *serial)
{
    struct fvm_reg *r = reg_store();
    struct fvm_reg_record rec = {.op = FVM_REG_OP_CREATE, .name = q->class, .time = reg_now()};
    NTSTATUS status;

    /* where links lead, a key is made where they lead to */
    memcpy(name->input, name->look.canon, name->look.canon_len * sizeof *name->input);
    name->input_len = name->look.canon_len;
    if (name->look.verdict == FVM_REG_IS_BASE && (status = spell_parent(name, q))) return status;
    if (q->options & REG_OPTION_VOLATILE) rec.flags |= FVM_REG_VOLATILE;
    if (q->options & OPTION_CREATE_LINK) rec.flags |= FVM_REG_LINK;
    if (q->class.len) rec.flags |= FVM_REG_CLASS;
    reg_lock();
    status = reg_look_again(name, true);
    const struct fvm_reg_lookup *look = &name->look;
    if (!status && look->verdict == FVM_REG_IS_PRIVATE) status = NT_OBJECT_NAME_COLLISION;
    if (!status && look->verdict == FVM_REG_NO_PATH) status = NT_OBJECT_NAME_NOT_FOUND;
    if (!status && reg_parent((struct fvm_wstr){look->canon, look->canon_len}).len == 0 &&
        !look->canon_len)
        status = NT_OBJECT_NAME_COLLISION;
    /* the host looks at this only where the name starts at a handle */
    if (!status && name->is_relative && look->parent_private && !(rec.flags & FVM_REG_VOLATILE) &&
        (fvm_reg_flags(r, look->parent) & FVM_REG_VOLATILE))
        status = NT_CHILD_MUST_BE_VOLATILE;
    if (!status) {
        rec.path = (struct fvm_wstr){look->canon, look->canon_len};
        rec.type = *serial = fvm_reg_next_serial(r);
        status = reg_record(&rec);
    }
    reg_unlock();
    if (!status) reg_tell(reg_parent(rec.path), REG_NOTIFY_CHANGE_NAME);
    return status;
}

/* The host gives an existing key the class of the call, or none when the call has none; of the
 * base's keys only a class that the call has is taken. */
static void set_class(struct reg_name *name, const struct request *q, bool open_link)
{
    struct fvm_reg *r = reg_store();
    bool private = name->look.verdict == FVM_REG_IS_PRIVATE, differs = q->class.len != 0;
    struct reg_key key;
    NTSTATUS status;
    struct fvm_reg_record rec = {.op = FVM_REG_OP_CLASS, .name = q->class};

    for (struct reg_read read = {0}; name->look.node && reg_reading(&read);) {
        struct fvm_wstr class = fvm_reg_class(r, name->look.node);
        bool ours = private || (fvm_reg_flags(r, name->look.node) & FVM_REG_CLASS);
        differs = (ours || q->class.len) &&
                  (class.len != q->class.len ||
                   (class.len && memcmp(class.ptr, q->class.ptr, class.len * sizeof *class.ptr)));
    }
    if (!differs) return;
    if (!private && q->class.len) {
        /* the base's key may have this very class */
        struct key_full_info *info = guest_scratch_get();
        ULONG used;
        if (info && !reg_real.query_key(q->handle, KEY_FULL, info, GUEST_SCRATCH_SIZE, &used) &&
            info->class_length == q->class.len * 2 &&
            !memcmp(info->class, q->class.ptr, info->class_length))
            differs = false;
        guest_scratch_put(info);
    }
    if (!differs) return;
    /* in the log stands the base's own spelling */
    if (!private && !name->look.node && reg_key_begin(q->handle, true, &key, &status) == REG_OURS) {
        int len = reg_key_path(&key, name->input, true);
        reg_key_end(&key);
        if (len < 0) return;
        name->input_len = (uint32_t)len;
        open_link = true;
    }
    reg_lock();
    if (!reg_look_again(name, open_link) &&
        (name->look.verdict == FVM_REG_IS_PRIVATE || name->look.verdict == FVM_REG_IS_BASE)) {
        rec.path = (struct fvm_wstr){name->look.canon, name->look.canon_len};
        if (rec.path.len) reg_record(&rec);
    }
    reg_unlock();
}

static NTSTATUS open_private(struct reg_name *name, struct request *q, uint32_t serial)
{
    NTSTATUS status = reg_open_shadow(serial, q->access, &q->attr, &q->handle);

    (void)name;
    if (!status) reg_handle_add_private(q->handle, q->access, serial);
    return status;
}

static NTSTATUS create_named(struct reg_name *name, struct request *q)
{
    bool link = q->options & OPTION_CREATE_LINK;
    bool open_link = link || (q->attr.Attributes & OBJ_OPEN_LINK);
    uint32_t serial;
    NTSTATUS status;

    for (;;) {
        const struct fvm_reg_lookup *look = &name->look;
        if (look->verdict == FVM_REG_NO_PATH) return NT_OBJECT_NAME_NOT_FOUND;
        if (look->verdict == FVM_REG_IS_PRIVATE) {
            if (link) return NT_OBJECT_NAME_COLLISION;
            status = open_private(name, q, look->serial);
            if (!status) set_class(name, q, open_link);
            return status;
        }
        if (look->verdict == FVM_REG_IS_BASE) {
            status =
                open_base(name, &q->attr, leads_there(name), open_link, q->access, 0, &q->handle);
            if (has_handle(status) && link) {
                reg_real.close(q->handle);
                q->handle = NULL;
                return NT_OBJECT_NAME_COLLISION;
            }
            if (has_handle(status)) {
                if (!q->handle) return status;
                reg_handle_add_base(q->handle, q->access,
                                    (struct fvm_wstr){look->base, look->base_len}, false);
                set_class(name, q, open_link);
                return status;
            }
            if (status != NT_OBJECT_NAME_NOT_FOUND) return status;
        }
        status = make_key(name, q, &serial);
        if (!status) {
            q->created = true;
            return open_private(name, q, serial);
        }
        if (status != NT_OBJECT_NAME_COLLISION) return status;
    }
}

NTSTATUS NTAPI reg_hook_create_key(HANDLE *out, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                                   ULONG index, const UNICODE_STRING *class, ULONG options,
                                   ULONG *disposition)
{
    (void)index;
    struct request q = {.access = access, .options = options};
    UNICODE_STRING text, class_text = {0};
    struct reg_name name;
    NTSTATUS status;

    if (!guest_write(out, &q.handle, sizeof q.handle) || !guest_read(&q.attr, attr, sizeof q.attr))
        return NT_ACCESS_VIOLATION;
    if (q.attr.Length != sizeof q.attr) return NT_INVALID_PARAMETER;
    if (!guest_read(&text, q.attr.ObjectName, sizeof text)) return NT_ACCESS_VIOLATION;
    if (!text.Length && !q.attr.RootDirectory) return NT_OBJECT_PATH_SYNTAX_BAD;
    if (text.Length & 1) return NT_OBJECT_NAME_INVALID;
    if (!text.Length) { /* the host opens the handle's own key, and says that it is a new one */
        ULONG how = REG_CREATED_NEW_KEY;
        status = reg_hook_open_key_ex(out, access, attr, 0);
        return status || !disposition || guest_write(disposition, &how, sizeof how)
                   ? status
                   : NT_ACCESS_VIOLATION;
    }
    if (class && !guest_read(&class_text, class, sizeof class_text)) return NT_ACCESS_VIOLATION;

    bool open_link = (options & OPTION_CREATE_LINK) || (q.attr.Attributes & OBJ_OPEN_LINK);
    enum reg_kind kind = reg_resolve(attr, open_link, &name, &status);
    if (kind == REG_FAILED) return status;
    /* no name of the registry: opening fails as creating would */
    if (kind == REG_PASS) return reg_real.open_key_ex(out, access, attr, 0);
    fvm_wchar *class_copy = NULL;
    if (class_text.Length / 2) {
        class_copy = guest_scratch_get();
        if (!class_copy || !guest_read(class_copy, class_text.Buffer, class_text.Length)) {
            guest_scratch_put(class_copy);
            reg_name_free(&name);
            return class_copy ? NT_ACCESS_VIOLATION : NT_NO_MEMORY;
        }
        q.class = (struct fvm_wstr){class_copy, class_text.Length / (uint32_t)sizeof(WCHAR)};
    }
    status = create_named(&name, &q);
    if (has_handle(status) && q.handle) {
        ULONG how = q.created ? REG_CREATED_NEW_KEY : REG_OPENED_EXISTING_KEY;
        NTSTATUS given = give(out, q.handle);
        if (given)
            status = given;
        else if (disposition && !guest_write(disposition, &how, sizeof how))
            status = NT_ACCESS_VIOLATION;
    }
    guest_scratch_put(class_copy);
    reg_name_free(&name);
    return status;
}
