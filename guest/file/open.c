/* NtCreateFile, NtOpenFile and NtDeleteFile. */
#include "file.h"

/* Rights whose use changes the file; with them it is opened as the VM's own. DELETE is not
 * among them: deleting and renaming what lies in the base is a record, not a copy. Nor is
 * MAXIMUM_ALLOWED: the host opens such a file for reading and fails every write through it. */
#define CHANGING                                                                                   \
    (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES | WRITE_DAC |      \
     WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)
#define READING (FILE_READ_DATA | FILE_EXECUTE | GENERIC_READ | GENERIC_EXECUTE)

struct call {
    HANDLE *handle;
    ACCESS_MASK access;
    OBJECT_ATTRIBUTES *attr;
    IO_STATUS_BLOCK *io;
    LARGE_INTEGER *allocation;
    ULONG attributes, sharing, disposition, options;
    void *ea;
    ULONG ea_length;
    bool again; /* the state changed under the call, or by it: decide anew */
};

static NTSTATUS decide_anew(struct call *c)
{
    c->again = true;
    return STATUS_SUCCESS;
}

static bool creates(const struct call *c)
{
    return c->disposition != FILE_OPEN && c->disposition != FILE_OVERWRITE;
}

static bool truncates(const struct call *c)
{
    return c->disposition == FILE_SUPERSEDE || c->disposition == FILE_OVERWRITE ||
           c->disposition == FILE_OVERWRITE_IF;
}

/* The host empties a file only through a handle that can write. */
static bool truncates_data(const struct call *c)
{
    return truncates(c) &&
           (c->access & (FILE_WRITE_DATA | FILE_APPEND_DATA | GENERIC_WRITE | GENERIC_ALL));
}

/* What the host refuses whatever lies there. */
static bool is_nonsense(const struct call *c)
{
    return ((c->options & FILE_DELETE_ON_CLOSE) && !(c->access & (DELETE | GENERIC_ALL))) ||
           ((c->options & FILE_DIRECTORY_FILE) && truncates(c));
}

static NTSTATUS real_create(const struct call *c, OBJECT_ATTRIBUTES *attr)
{
    return file_real.create(c->handle, c->access, attr, c->io, c->allocation, c->attributes,
                            c->sharing, c->disposition, c->options & ~FILE_OPEN_BY_FILE_ID, c->ea,
                            c->ea_length);
}

/* The host's way to fail a call. */
static NTSTATUS fail(const struct call *c, NTSTATUS status)
{
    HANDLE none = NULL;

    if (!guest_write(c->handle, &none, sizeof none) ||
        !guest_write(&c->io->Status, &status, sizeof status))
        return NT_ACCESS_VIOLATION;
    return status;
}

/* Keeps what later calls on the handle need to know. */
static void remember(const struct call *c, const struct file_name *name)
{
    bool removes = c->options & FILE_DELETE_ON_CLOSE;
    HANDLE handle;

    if (!guest_read(&handle, c->handle, sizeof handle)) return;
    if (removes || (c->options & FILE_DIRECTORY_FILE) ||
        (name->look.flags & FVM_NODE_DIRECTORY)) {
        struct file_handle *h = file_handle_add(handle, file_canon(name));
        if (h && removes) h->delete_on_close = true;
        file_handle_release(h);
    } else {
        file_handle_release(file_handle_remove(handle));
    }
}

/* An object of the base is open now: what changes it later must know, and it must go together
 * with what else the VM has open of it. */
static NTSTATUS note_open(const struct call *c, const struct file_name *name)
{
    const ULONG synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;
    HANDLE handle;

    if (!guest_read(&handle, c->handle, sizeof handle)) return STATUS_SUCCESS;
    uint32_t id = file_open_note(file_open_key(file_base(name)), c->access, c->sharing,
                                 c->options & synchronous);
    if (!id) return STATUS_SUCCESS;
    file_handle_set_open(handle, id);
    if (file_open_fits(id)) return STATUS_SUCCESS;
    file_hook_close(handle);
    return ST_SHARING_VIOLATION;
}

/* The host's open of the VM's own object under name. */
static NTSTATUS real_open_private(const struct call *c, struct file_name *name)
{
    struct file_attr attr;

    if (name->trailing && file_private_is_file(name)) return ST_OBJECT_NAME_INVALID;
    /* handles from before the copy still count */
    if (guest_shared->stale_opens &&
        (name->look.flags & (FVM_NODE_BASE | FVM_NODE_CONTAINER)) &&
        !file_open_allowed(name->look.base_len ? file_base(name) : file_canon(name), c->access,
                           c->sharing))
        return ST_SHARING_VIOLATION;
    if (!file_attr_private(name, c->attr, &attr)) return ST_OBJECT_NAME_INVALID;
    return real_create(c, &attr.attr);
}

static NTSTATUS open_private(const struct call *c, struct file_name *name)
{
    NTSTATUS status = real_open_private(c, name);

    if (status) return fail(c, status);
    remember(c, name);
    return STATUS_SUCCESS;
}

static NTSTATUS open_base(const struct call *c, struct file_name *name)
{
    struct call shared = *c;
    NTSTATUS status;

    /* who in the VM may have it open beside whom is decided here (see opens.c) */
    shared.sharing = FILE_SHARE_ALL;
    if (name->look.verdict == FVM_PASS && !name->rewritten) {
        status = real_create(&shared, c->attr);
    } else {
        struct file_attr attr;
        if (!file_attr_base(name, c->attr, &attr)) return fail(c, ST_OBJECT_NAME_INVALID);
        status = real_create(&shared, &attr.attr);
    }
    if (status) return status;
    remember(c, name);
    status = note_open(c, name);
    return status ? fail(c, status) : status;
}

/* Opens what the base has without the parts of the call that would change it: for the
 * handle, or for the error that the host gives. */
static NTSTATUS open_base_unchanged(const struct call *c, struct file_name *name)
{
    struct call plain = *c;

    plain.disposition = FILE_OPEN;
    plain.options &= ~(ULONG)FILE_DELETE_ON_CLOSE;
    /* a directory's private folder stands for it wherever it has one: sharing is between
     * handles of one object */
    if (name->look.verdict == FVM_MERGED) return open_private(&plain, name);
    plain.access &= ~(ACCESS_MASK)CHANGING;
    if (!plain.access) plain.access = FILE_READ_ATTRIBUTES;
    return open_base(&plain, name);
}

/* Makes the VM's own object and its record. Under the lock. */
static NTSTATUS make_private(const struct call *c, struct file_name *name)
{
    bool is_directory = c->options & FILE_DIRECTORY_FILE;
    uint32_t flags = is_directory ? FVM_LOG_DIRECTORY : 0;
    struct file_attr attr;
    HANDLE handle;

    if (is_nonsense(c)) return NT_INVALID_PARAMETER;
    if (name->trailing && !is_directory) return ST_OBJECT_NAME_INVALID;
    NTSTATUS status = file_make_parent(name);
    if (status) return status;
    file_spell_target(name, false);
    /* What lies there without a record does not exist: a killed process left it behind, or it
     * stands in for what the host changes in the base (launcher/watch.c). */
    if (c->disposition != FILE_CREATE && file_private_exists(name)) file_delete_private(name);
    if (!file_attr_private(name, c->attr, &attr)) return ST_OBJECT_NAME_INVALID;
    status = real_create(c, &attr.attr);
    if (c->disposition == FILE_CREATE && status == ST_NAME_COLLISION) {
        status = file_delete_private(name);
        if (!file_attr_private(name, c->attr, &attr)) return ST_OBJECT_NAME_INVALID;
        if (!status) status = real_create(c, &attr.attr);
    }
    if (status) {
        /* some calls the host fails after having made the directory */
        if (is_directory && file_private_exists(name))
            file_record(FVM_LOG_PRIVATE, flags, file_canon(name), (struct fvm_wstr){0});
        return status;
    }
    status = file_record(FVM_LOG_PRIVATE, flags, file_canon(name), (struct fvm_wstr){0});
    if (status) {
        if (guest_read(&handle, c->handle, sizeof handle)) file_real.close(handle);
        file_delete_private(name);
    }
    return status;
}

/* A call that may create, where the VM has its own object or nothing. All of it is under the
 * lock: an object that is made here and one that another process deletes at this moment must
 * not be taken for one another. The caller has just seen that nothing (or only something of
 * the VM's own) is there; the base is not asked a second time. */
static NTSTATUS create_private(struct call *c, struct file_name *name)
{
    enum fvm_verdict was = name->look.verdict;
    NTSTATUS status;

    file_lock();
    file_lookup_again(name);
    if (name->look.verdict == FVM_PRIVATE && file_private_exists(name))
        status = real_open_private(c, name);
    else if (name->look.verdict == FVM_ABSENT || name->look.verdict == FVM_PRIVATE ||
             name->look.verdict == was)
        status = make_private(c, name);
    else
        status = decide_anew(c);
    file_unlock();
    if (c->again) return STATUS_SUCCESS;
    if (status) return fail(c, status);
    if (c->options & FILE_DIRECTORY_FILE) name->look.flags |= FVM_NODE_DIRECTORY;
    remember(c, name);
    return STATUS_SUCCESS;
}

/* Opens what the base shows under name to delete it at the close. */
static NTSTATUS delete_base(struct call *c, struct file_name *name)
{
    HANDLE handle;

    if (!file_open_allowed(file_base(name), c->access, c->sharing))
        return fail(c, ST_SHARING_VIOLATION);
    NTSTATUS status = open_base_unchanged(c, name);
    if (status || !guest_read(&handle, c->handle, sizeof handle)) return status;
    /* a link leads to what the host deletes; the record must name that */
    file_lock();
    status = file_use_true_name(name, handle);
    file_unlock();
    struct file_handle *h = status ? NULL : file_handle_add(handle, file_canon(name));
    if (!h) {
        file_real.close(handle);
        return fail(c, status ? status : NT_NO_MEMORY);
    }
    h->delete_base = h->delete_for_good = true;
    file_handle_release(h);
    return STATUS_SUCCESS;
}

static NTSTATUS open_base_directory(struct call *c, struct file_name *name)
{
    if ((c->options & FILE_DELETE_ON_CLOSE) &&
        (truncates(c) || !(c->access & CHANGING) || name->look.verdict == FVM_MERGED)) {
        if (!truncates(c)) return delete_base(c, name);
        /* refused, and yet the host deletes it if it is empty */
        file_lock();
        file_lookup_again(name);
        if (name->look.base_len && !file_directory_empty(name) && !file_record_deleted(name))
            file_delete_private(name);
        file_unlock();
        return fail(c, ST_NAME_COLLISION);
    }
    if (truncates(c) || (c->options & FILE_NON_DIRECTORY_FILE)) {
        /* errors all: the host says which, of a folder that may be asked */
        struct file_attr attr;
        NTSTATUS status;
        file_lock();
        file_lookup_again(name);
        status = name->look.verdict == FVM_MERGED ? STATUS_SUCCESS : file_make_container(name);
        file_unlock();
        if (status) return fail(c, status);
        if (!file_attr_private(name, c->attr, &attr)) return fail(c, ST_OBJECT_NAME_INVALID);
        status = real_create(c, &attr.attr);
        if (!status) remember(c, name);
        return status;
    }
    if (!(c->access & CHANGING)) return open_base_unchanged(c, name); /* FILE_OPEN_IF */
    file_lock();
    file_lookup_again(name);
    NTSTATUS status = STATUS_SUCCESS;
    if (name->look.verdict == FVM_PASS || name->look.verdict == FVM_BASE)
        status = file_open_allowed(file_base(name), c->access, c->sharing)
                     ? file_make_container(name)
                     : ST_SHARING_VIOLATION;
    file_unlock();
    return status ? fail(c, status) : decide_anew(c);
}

/* Would the host let this call empty the file? Asked of the copy, before it counts. */
static NTSTATUS try_truncate(void *context, OBJECT_ATTRIBUTES *copy)
{
    const struct call *c = context;
    IO_STATUS_BLOCK io;
    HANDLE handle;
    NTSTATUS status =
        file_real.create(&handle, c->access, copy, &io, NULL, c->attributes, FILE_SHARE_ALL,
                         c->disposition, c->options & ~(ULONG)FILE_DELETE_ON_CLOSE, NULL, 0);

    if (!status) file_real.close(handle);
    return status;
}

static bool is_read_only(struct file_name *name)
{
    FILE_BASIC_INFORMATION info;
    struct file_attr attr;

    return file_attr_base(name, NULL, &attr) &&
           !file_real.query_attributes(&attr.attr, &info) &&
           (info.FileAttributes & FILE_ATTRIBUTE_READONLY);
}

static NTSTATUS open_base_file(struct call *c, struct file_name *name)
{
    if ((c->options & FILE_DELETE_ON_CLOSE) && !creates(c) &&
        !(c->options & FILE_DIRECTORY_FILE) && is_read_only(name))
        return fail(c, ST_CANNOT_DELETE);
    if ((c->options & FILE_DIRECTORY_FILE) || name->trailing) return open_base_unchanged(c, name);
    bool changes = truncates(c) || (c->access & CHANGING);
    if (c->options & FILE_DELETE_ON_CLOSE && !changes && !(c->access & READING))
        return delete_base(c, name);
    if (!changes && !(c->options & FILE_DELETE_ON_CLOSE)) return open_base_unchanged(c, name);

    file_lock();
    file_lookup_again(name);
    NTSTATUS status = STATUS_SUCCESS;
    if (name->look.verdict == FVM_PASS || name->look.verdict == FVM_BASE)
        status = file_open_allowed(file_base(name), c->access, c->sharing)
                     ? file_copy_up(name, !truncates_data(c),
                                    truncates_data(c) ? try_truncate : NULL, c)
                     : ST_SHARING_VIOLATION;
    file_unlock();
    return status ? fail(c, status) : decide_anew(c);
}

/* Is this an open to watch a directory by? Changes of the VM show in its private folder, so
 * that is what the handle must be of. Listings are read through synchronous handles opened
 * for backup; what else can list a directory is asynchronous (ReadDirectoryChangesW) or
 * synchronous without backup intent and for listing alone (FindFirstChangeNotification). */
static bool is_to_watch(const struct call *c)
{
    const ULONG synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;

    if (!(c->access & (FILE_LIST_DIRECTORY | GENERIC_READ)) ||
        (c->options & FILE_NON_DIRECTORY_FILE) ||
        !(c->options & (FILE_DIRECTORY_FILE | FILE_OPEN_FOR_BACKUP_INTENT)))
        return false;
    if (!(c->options & synchronous)) return true;
    return c->access == (FILE_LIST_DIRECTORY | SYNCHRONIZE) &&
           (c->options & FILE_DIRECTORY_FILE) && !(c->options & FILE_OPEN_FOR_BACKUP_INTENT);
}

/* The VM sees content of the base under this name. */
static NTSTATUS open_over_base(struct call *c, struct file_name *name)
{
    bool plain = !creates(c) && !truncates(c) && !(c->access & CHANGING) &&
                 !(c->options & FILE_DELETE_ON_CLOSE);
    bool directory;
    NTSTATUS status;

    if (plain) {
        bool watches = is_to_watch(c);
        if (name->look.verdict == FVM_MERGED) {
            if (watches && !(name->look.flags & FVM_NODE_WATCHED)) file_watch(name);
            status = open_private(c, name);
            /* its folder was taken away behind our back: the base's directory is still there */
            return status == ST_NAME_NOT_FOUND ? open_base(c, name) : status;
        }
        if (!watches || !file_base_exists(name, &directory, &status) || !directory)
            return open_base(c, name);
        return file_watch(name) ? open_base(c, name) : decide_anew(c);
    }
    if (!file_base_exists(name, &directory, &status)) {
        if (status != ST_NAME_NOT_FOUND) return open_base_unchanged(c, name);
        return creates(c) ? create_private(c, name) : fail(c, status);
    }
    if (c->disposition == FILE_CREATE) return fail(c, ST_NAME_COLLISION);
    if (is_nonsense(c)) return fail(c, NT_INVALID_PARAMETER);
    if (name->look.verdict == FVM_MERGED && !(c->options & FILE_DELETE_ON_CLOSE))
        return open_private(c, name);
    return directory ? open_base_directory(c, name) : open_base_file(c, name);
}

static NTSTATUS open_named(struct call *c, struct file_name *name)
{
    /* the host looks the name up first, then refuses a disposition that it does not know */
    if (c->disposition > FILE_MAXIMUM_DISPOSITION) {
        if (name->look.base_len) return open_base(c, name);
        return fail(c, name->look.verdict == FVM_NO_PATH ? ST_PATH_NOT_FOUND
                                                         : NT_INVALID_PARAMETER);
    }
    for (;;) {
        NTSTATUS status = STATUS_SUCCESS;
        c->again = false;
        switch (name->look.verdict) {
        case FVM_PASS:
        case FVM_BASE:
        case FVM_MERGED:
            status = open_over_base(c, name);
            break;
        case FVM_PRIVATE:
            status = creates(c) ? create_private(c, name) : open_private(c, name);
            if (status == ST_NAME_NOT_FOUND && !creates(c))
                status = fail(c, file_missing_status(name));
            break;
        case FVM_ABSENT:
            status = creates(c) ? create_private(c, name) : fail(c, file_missing_status(name));
            break;
        case FVM_NO_PATH:
            status = fail(c, ST_PATH_NOT_FOUND);
            break;
        }
        if (!c->again) return status;
        file_lookup_again(name);
    }
}

NTSTATUS NTAPI file_hook_create(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                                IO_STATUS_BLOCK *io, LARGE_INTEGER *allocation, ULONG attributes,
                                ULONG sharing, ULONG disposition, ULONG options, void *ea,
                                ULONG ea_length)
{
    struct call call = {handle,  access,      attr,    io, allocation, attributes,
                        sharing, disposition, options, ea, ea_length,  false};
    struct file_name name;

    if (file_resolve(attr, options, &name) != FILE_IS_NAMED) {
        NTSTATUS status = guest_create_device(file_real.create, handle, access, attr, io,
                                              allocation, attributes, sharing, disposition, options,
                                              ea, ea_length);
        HANDLE opened;
        if (status >= 0 && guest_read(&opened, handle, sizeof opened))
            file_handle_release(file_handle_remove(opened));
        return status;
    }
    NTSTATUS status = open_named(&call, &name);
    file_name_free(&name);
    return status;
}

NTSTATUS NTAPI file_hook_open(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr,
                              IO_STATUS_BLOCK *io, ULONG sharing, ULONG options)
{
    return file_hook_create(handle, access, attr, io, NULL, 0, sharing, FILE_OPEN, options, NULL,
                            0);
}

NTSTATUS NTAPI file_hook_remove(OBJECT_ATTRIBUTES *attr)
{
    struct file_name name;
    IO_STATUS_BLOCK io;
    HANDLE handle;
    NTSTATUS status;

    if (file_resolve(attr, 0, &name) != FILE_IS_NAMED) return file_real.remove(attr);
    /* as the host does it: an open with deletion at the close; what lies in the base is not
     * copied for that, only asked whether it could be opened so */
    const ACCESS_MASK access = GENERIC_READ | GENERIC_WRITE | DELETE;
    struct call call = {
        .handle = &handle,
        .access = name.look.base_len ? DELETE : access,
        .attr = attr,
        .io = &io,
        .sharing = FILE_SHARE_ALL,
        .disposition = FILE_OPEN,
        .options = FILE_DELETE_ON_CLOSE,
    };
    if (name.look.base_len && !file_open_allowed(file_base(&name), access, FILE_SHARE_ALL))
        status = ST_SHARING_VIOLATION;
    else
        status = open_named(&call, &name);
    file_name_free(&name);
    if (!status) file_hook_close(handle);
    return status;
}
