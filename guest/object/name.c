/* From the name of a call to what the host gets. */
#include "object.h"
#include "fvm/fold.h"

#ifndef OBJ_CASE_INSENSITIVE
#define OBJ_CASE_INSENSITIVE 0x40
#endif
#define DIRECTORY_TRAVERSE 2
#define LINK_QUERY         1

#define CLASS_NAME 1 /* NtQueryObject */
#define CLASS_TYPE 2

/* Code units of the longest name that the host takes. */
#define NAME_MAX 32766

#define MOST_LINKS 32 /* as the host's own limit for links behind links */

struct fvm_wstr object_vm_id(void)
{
    return (struct fvm_wstr){guest_shared->vm_id, guest_shared->vm_id_len};
}

static fvm_wchar *input(struct object_name *n)
{
    return n->scratch;
}
static fvm_wchar *private_name(struct object_name *n)
{
    return n->scratch + OBJECT_NAME_CAP;
}
static fvm_wchar *view_name(struct object_name *n)
{
    return n->scratch + 2 * OBJECT_NAME_CAP;
}
static fvm_wchar *spare(struct object_name *n)
{
    return n->scratch + 3 * OBJECT_NAME_CAP;
}

static void set_name(struct object_name *n, const fvm_wchar *text, uint32_t len)
{
    n->text.Buffer = (WCHAR *)(uintptr_t)text;
    n->text.Length = n->text.MaximumLength = (USHORT)(len * sizeof(*text));
    n->attr.RootDirectory = NULL;
    n->attr.ObjectName = &n->text;
    n->use = &n->attr;
}

/* The name of a handle's object, as the VM sees it, to dst; own: it lies in the VM's own tree.
 * False when it cannot be asked. */
static bool handle_view(HANDLE handle, fvm_wchar *dst, uint32_t *len, bool *own)
{
    UNICODE_STRING *info = guest_scratch_get();
    bool found = false;

    if (!info) return false;
    if (!object_real.query_object(handle, CLASS_NAME, info, GUEST_SCRATCH_SIZE, NULL)) {
        struct fvm_wstr real = {(fvm_wchar *)info->Buffer, info->Length / (uint32_t)sizeof(WCHAR)};

        *len = fvm_ipc_to_view(object_vm_id(), real, dst, OBJECT_NAME_CAP);
        *own = *len != 0;
        if (!*len && real.len < OBJECT_NAME_CAP) {
            memcpy(dst, real.ptr, real.len * sizeof(*dst));
            *len = real.len; /* 0: the root of all, or an object without a name */
        }
        found = true;
    }
    guest_scratch_put(info);
    return found;
}

static bool is_directory(HANDLE handle)
{
    struct {
        UNICODE_STRING name;
        uint8_t rest[512];
    } type;
    static const fvm_wchar directory[] = u"Directory";
    const uint32_t bytes = sizeof(directory) - sizeof(directory[0]);

    return !object_real.query_object(handle, CLASS_TYPE, &type, sizeof(type), NULL) &&
           type.name.Length == bytes && memcmp(type.name.Buffer, directory, bytes) == 0;
}

/* A name relative to a directory becomes absolute. False: it is none that can be, or needs no
 * closer look. */
static bool make_absolute(struct object_name *n, HANDLE root, uint32_t *len, bool *own)
{
    fvm_wchar *full = spare(n);
    uint32_t at;

    if (*len && input(n)[0] == '\\') return false;
    if (!is_directory(root) || !handle_view(root, full, &at, own)) return false;
    if (at + 1 + *len > OBJECT_NAME_CAP) return false;
    full[at++] = '\\';
    memcpy(full + at, input(n), *len * sizeof(*full));
    *len += at;
    memcpy(input(n), full, *len * sizeof(*full));
    return true;
}

/* The target of a link with this private name, as the VM sees it, to dst. 0: it is no link. */
static uint32_t link_target(struct object_name *n, uint32_t prefix, fvm_wchar *dst)
{
    UNICODE_STRING name = {(USHORT)(prefix * 2), (USHORT)(prefix * 2), (WCHAR *)private_name(n)};
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING target;
    HANDLE link;
    uint32_t len = 0;

    InitializeObjectAttributes(&attr, &name, n->attr.Attributes & OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (object_real.open[OBJECT_LINK](&link, LINK_QUERY, &attr)) return 0;
    target.Buffer = guest_scratch_get();
    target.Length = 0;
    target.MaximumLength = 0xfffe;
    if (target.Buffer && !object_real.query_link(link, &target, NULL)) {
        struct fvm_wstr real = {(fvm_wchar *)target.Buffer,
                                target.Length / (uint32_t)sizeof(WCHAR)};

        len = fvm_ipc_to_view(object_vm_id(), real, dst, OBJECT_NAME_CAP);
        if (!len && real.len < OBJECT_NAME_CAP) {
            memcpy(dst, real.ptr, real.len * sizeof(*dst));
            len = real.len;
        }
    }
    guest_scratch_put(target.Buffer);
    object_real.close(link);
    return len;
}

/* Replaces the first link of the VM's own in the name by where it leads to, which may be a place
 * of the host's that the host would enter without asking. False when there is none. */
static bool follow_link(struct object_name *n, uint32_t private_len, bool link_itself,
                        uint32_t *len)
{
    uint32_t tree = fvm_ipc_tree(object_vm_id(), NULL, spare(n), OBJECT_NAME_CAP);
    const fvm_wchar *name = private_name(n);
    uint32_t i = tree + 1;

    while (i < private_len && name[i] != '\\') /* Global, Local, ... */
        i++;
    while (i < private_len) {
        i++;
        while (i < private_len && name[i] != '\\')
            i++;
        if (i == private_len && link_itself) break;
        uint32_t target = link_target(n, i, spare(n)), rest = private_len - i;
        if (!target) continue;
        if (target == 1 && rest) target = 0; /* a link to the root: rest begins with a backslash */
        if (target + rest > OBJECT_NAME_CAP) return false;
        memcpy(spare(n) + target, name + i, rest * sizeof(*name));
        *len = target + rest;
        memcpy(input(n), spare(n), *len * sizeof(*name));
        return true;
    }
    return false;
}

/* A name that gets too long by what stands in front of it is used relative to the VM's own
 * directory instead. */
static NTSTATUS use_directory(struct object_name *n, const struct fvm_ipc_name *out)
{
    struct fvm_wstr inner = out->inner;
    fvm_wchar *tree = private_name(n);
    uint32_t len = fvm_ipc_tree(object_vm_id(), out->part, tree, OBJECT_NAME_CAP);
    UNICODE_STRING name = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)tree};
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;

    if (!inner.ptr) { /* outside */
        fvm_wchar *view = view_name(n);
        if (out->head.len + out->rest.len > NAME_MAX) return NT_OBJECT_NAME_INVALID;
        memcpy(view, out->head.ptr, out->head.len * sizeof(*view));
        memcpy(view + out->head.len, out->rest.ptr, out->rest.len * sizeof(*view));
        inner = n->view = (struct fvm_wstr){view, out->head.len + out->rest.len};
        n->outside = n->retried = true;
    }
    if (inner.len > NAME_MAX) return NT_OBJECT_NAME_INVALID;
    InitializeObjectAttributes(&attr, &name, 0, NULL, NULL);
    status = object_real.open[OBJECT_DIRECTORY](&n->parents[0], DIRECTORY_TRAVERSE, &attr);
    if (status) return status;
    n->parent_count = 1;
    set_name(n, inner.ptr + 1, inner.len - 1);
    n->attr.RootDirectory = n->parents[0];
    return STATUS_SUCCESS;
}

static NTSTATUS translate(struct object_name *n, uint32_t len, bool link_itself)
{
    bool fold = n->attr.Attributes & OBJ_CASE_INSENSITIVE, strict = guest_shared->ipc_strict;
    bool relative = n->attr.RootDirectory != NULL, moved = false, own = false;
    struct fvm_ipc_name out;
    enum fvm_ipc_kind kind;

    if (relative && !make_absolute(n, n->attr.RootDirectory, &len, &own)) return STATUS_SUCCESS;
    for (uint32_t links = 0;; links++) {
        out = (struct fvm_ipc_name){.dst = private_name(n), .cap = NAME_MAX};
        kind = fvm_ipc_to_private(object_vm_id(), (struct fvm_wstr){input(n), len}, fold, &out);
        if (!strict || (kind != FVM_IPC_OBJECT && kind != FVM_IPC_OUTSIDE)) break;
        if (!follow_link(n, out.len, link_itself, &len)) break;
        if (links == MOST_LINKS) return NT_INVALID_PARAMETER;
        moved = true;
    }
    switch (kind) {
    case FVM_IPC_NOT:
    case FVM_IPC_DEVICE:
        /* never the program's own name, which is one inside of the VM's tree */
        if (moved) set_name(n, input(n), len);
        break;
    case FVM_IPC_LONG:
        if (own && !moved) break;
        n->program = NULL;
        return use_directory(n, &out);
    case FVM_IPC_OBJECT:
        if (!own || moved) set_name(n, out.dst, out.len);
        break;
    case FVM_IPC_PIPE:
    case FVM_IPC_MAILSLOT:
        set_name(n, out.dst, out.len);
        break;
    case FVM_IPC_OUTSIDE:
        n->outside = true;
        if (relative || moved) n->program = NULL;
        set_name(n, out.dst, out.len);
        break;
    }
    if (kind == FVM_IPC_PIPE || kind == FVM_IPC_MAILSLOT || kind == FVM_IPC_OUTSIDE) {
        fvm_wchar *view = view_name(n);
        memcpy(view, out.head.ptr, out.head.len * sizeof(*view));
        memcpy(view + out.head.len, out.rest.ptr, out.rest.len * sizeof(*view));
        n->view = (struct fvm_wstr){view, out.head.len + out.rest.len};
    }
    return STATUS_SUCCESS;
}

NTSTATUS object_begin(struct object_name *n, const OBJECT_ATTRIBUTES *attr, bool link_itself)
{
    UNICODE_STRING name;
    NTSTATUS status;

    n->use = n->program = attr;
    n->scratch = NULL;
    n->outside = n->retried = false;
    n->view = (struct fvm_wstr){NULL, 0};
    n->parent_count = 0;
    if (!attr || !guest_read(&n->attr, attr, sizeof(n->attr)) || !n->attr.ObjectName)
        return STATUS_SUCCESS;
    if (n->attr.RootDirectory && !guest_shared->ipc_strict) return STATUS_SUCCESS;
    /* what cannot be read or is malformed is for the host to refuse */
    if (!guest_read(&name, n->attr.ObjectName, sizeof(name)) || !name.Length ||
        (name.Length | (uintptr_t)name.Buffer) % sizeof(WCHAR) || n->attr.Length != sizeof(n->attr))
        return STATUS_SUCCESS;
    n->scratch = guest_scratch_get();
    if (!n->scratch) return NT_NO_MEMORY;
    if (!guest_read(input(n), name.Buffer, name.Length)) return STATUS_SUCCESS;
    status = translate(n, name.Length / (uint32_t)sizeof(WCHAR), link_itself);
    if (status) object_end(n);
    return status;
}

NTSTATUS object_begin_new(struct object_name *n, const OBJECT_ATTRIBUTES *attr, bool link_itself)
{
    NTSTATUS status = object_begin(n, attr, link_itself);
    OBJECT_ATTRIBUTES own = n->attr;
    UNICODE_STRING own_name = n->text;
    HANDLE handle;

    if (status || !n->outside) return status;
    /* where the host has a directory or link of this name, it says that the name is taken */
    const OBJECT_ATTRIBUTES *host = object_host_name(n);
    if (!object_real.open[OBJECT_DIRECTORY](&handle, DIRECTORY_TRAVERSE, host) ||
        !object_real.open[OBJECT_LINK](&handle, LINK_QUERY, host)) {
        object_real.close(handle);
        guest_shared->ipc_strict = 1; /* it may be opened by this */
        n->outside = false;
        n->use = host;
        return STATUS_SUCCESS;
    }
    n->text = own_name;
    n->attr = own;
    n->attr.ObjectName = &n->text;
    n->use = &n->attr;
    return STATUS_SUCCESS;
}

void object_end(struct object_name *n)
{
    while (n->parent_count)
        object_real.close(n->parents[--n->parent_count]);
    guest_scratch_put(n->scratch);
    n->scratch = NULL;
}

const OBJECT_ATTRIBUTES *object_host_name(struct object_name *n)
{
    if (n->program) return n->program;
    set_name(n, n->view.ptr, n->view.len);
    return n->use;
}

/* Opens or makes the VM's own directory of this name, to be closed by object_end(). */
static bool make_parent(struct object_name *n, uint32_t len)
{
    UNICODE_STRING name = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)private_name(n)};
    OBJECT_ATTRIBUTES attr;

    if (n->parent_count == sizeof(n->parents) / sizeof(n->parents[0])) return false;
    InitializeObjectAttributes(&attr, &name, OBJ_OPENIF, NULL, NULL);
    if (object_real.create_directory(&n->parents[n->parent_count], DIRECTORY_TRAVERSE, &attr) < 0)
        return false;
    n->parent_count++;
    return true;
}

bool object_again(struct object_name *n, NTSTATUS status)
{
    uint32_t parent = n->view.len, root, skip, i;
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr;
    HANDLE directory;

    if (!n->outside) return false;
    if (status >= 0 && !guest_shared->ipc_outside) guest_shared->ipc_outside = 1;
    if (status != NT_OBJECT_PATH_NOT_FOUND || n->retried) return false;
    n->retried = true;
    while (parent && n->view.ptr[parent - 1] != '\\')
        parent--;
    if (parent < 2) return false; /* directly below the root, which is there */
    parent--;
    /* where the host has such a directory, the VM has one of its own */
    name = (UNICODE_STRING){(USHORT)(parent * 2), (USHORT)(parent * 2),
                            (WCHAR *)(uintptr_t)n->view.ptr};
    InitializeObjectAttributes(&attr, &name, n->attr.Attributes & OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (object_real.open[OBJECT_DIRECTORY](&directory, DIRECTORY_TRAVERSE, &attr)) return false;
    object_real.close(directory);
    /* the private name ends as the name without aliases does */
    root = n->text.Length / (uint32_t)sizeof(WCHAR);
    skip = root - n->view.len;
    for (i = 1; i <= parent; i++) {
        if ((i == parent || n->view.ptr[i] == '\\') && !make_parent(n, skip + i)) return false;
    }
    return true;
}

uint32_t guest_object_view_name(struct fvm_wstr real, fvm_wchar *dst, uint32_t cap)
{
    return fvm_ipc_to_view(object_vm_id(), real, dst, cap);
}
