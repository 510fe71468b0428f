/* Opening objects, and what of the host's a VM may reach among them.
 *
 * A name outside of the VM's own directories finds what the VM made there first. What the host
 * has is given for reading only, and only what this table lists. */
#include "object.h"
#include "fvm/fold.h"

#define READ_RIGHTS (READ_CONTROL | SYNCHRONIZE)
#define STATE_QUERY 1 /* EVENT_QUERY_STATE, DIRECTORY_QUERY, SYMBOLIC_LINK_QUERY, SECTION_QUERY */

static const struct {
    enum object_type type;
    const char *where;  /* directory in which they lie */
    ACCESS_MASK rights; /* rights that do not change anything of the host */
} host_objects[] = {
    /* the memory of the machine is low or high (CreateMemoryResourceNotification) */
    {OBJECT_EVENT, "\\KernelObjects\\", READ_RIGHTS | STATE_QUERY},
    /* tables of character sets */
    {OBJECT_SECTION, "\\NLS\\", READ_RIGHTS | STATE_QUERY | SECTION_MAP_READ},
    /* listing directories of the host, its own objects left out (they lie elsewhere), and
     * asking where drives and devices lead to (QueryDosDevice) */
    {OBJECT_DIRECTORY, "\\", READ_RIGHTS | STATE_QUERY | 2 /* DIRECTORY_TRAVERSE */},
    {OBJECT_LINK, "\\", READ_RIGHTS | STATE_QUERY},
};

static bool below(struct fvm_wstr name, const char *where)
{
    uint32_t i = 0;

    for (; where[i]; i++)
        if (i >= name.len || fvm_upcase(name.ptr[i]) != fvm_upcase((fvm_wchar)where[i]))
            return false;
    return true;
}

/* The rights that the program gets to the host's object; 0: it gets none. */
static ACCESS_MASK host_rights(enum object_type type, struct fvm_wstr name, ACCESS_MASK access)
{
    for (uint32_t i = 0; i < sizeof(host_objects) / sizeof(host_objects[0]); i++) {
        if (host_objects[i].type != type || !below(name, host_objects[i].where)) continue;
        ACCESS_MASK rights = host_objects[i].rights;
        if (access & ~rights) access &= rights; /* programs ask for more than they use */
        return access ? access : rights & ~(ACCESS_MASK)READ_RIGHTS;
    }
    return 0;
}

static NTSTATUS open_host(enum object_type type, HANDLE *handle, ACCESS_MASK access,
                          struct object_name *n, NTSTATUS missing)
{
    ACCESS_MASK rights = host_rights(type, n->view, access);
    OBJECT_ATTRIBUTES own = n->attr;
    UNICODE_STRING own_name = n->text;

    /* before the handle is there: from now on relative names are looked at */
    if (type == OBJECT_DIRECTORY) guest_shared->ipc_strict = 1;
    NTSTATUS status;
    if (rights) {
        status = object_real.open[type](handle, rights, object_host_name(n));
    } else {
        /* the host's error for a name that is not there; what is there does not show */
        HANDLE hidden;
        status = object_real.open[type](&hidden, READ_CONTROL, object_host_name(n));
        if (!status) {
            object_real.close(hidden);
            status = missing;
        }
    }
    n->text = own_name;
    n->attr = own;
    n->attr.ObjectName = &n->text;
    return status;
}

NTSTATUS object_open(enum object_type type, HANDLE *handle, ACCESS_MASK access,
                     const OBJECT_ATTRIBUTES *attr)
{
    struct object_name n;
    NTSTATUS status = object_begin(&n, attr, type == OBJECT_LINK);

    if (status) {
        HANDLE none = NULL;
        return guest_write(handle, &none, sizeof(none)) ? status : NT_ACCESS_VIOLATION;
    }
    if (!n.outside) {
        status = object_real.open[type](handle, access, n.use);
    } else if (type == OBJECT_DIRECTORY) {
        /* the host's lists more than the VM's own of the same name */
        status = open_host(type, handle, access, &n, NT_OBJECT_NAME_NOT_FOUND);
        if (object_is_missing(status)) {
            NTSTATUS own = object_real.open[type](handle, access, &n.attr);
            if (!object_is_missing(own)) status = own;
        }
    } else {
        status = object_real.open[type](handle, access, n.use);
        if (object_is_missing(status)) status = open_host(type, handle, access, &n, status);
    }
    object_end(&n);
    return status;
}
