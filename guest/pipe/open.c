/* Creating and opening pipes and mailslots. */
#include "../object/object.h"
#include "fvm/fold.h"

#define OPEN_BY_FILE_ID 0x2000

/* Servers of the host that programs look for. That one is missing shows in the VM as on a host
 * where it does not run; it is an event, so that one can see why a program does without. Those
 * that a VM does reach only tell where a COM server is to be found; the server itself is
 * started by its client, in the VM, and speaks through pipes of the VM. They are the host's
 * until the VM has its own. */
static const struct {
    const char *name;
    bool reached;
    const char *why;
} host_servers[] = {
    {"svcctl", false, "the host's service control manager installs, starts and stops its services"},
    {"wine_plugplay", false, "the host's device notifications"},
    {"epmapper", false, "the host's endpoint mapper leads to servers of the host"},
    {"lrpc\\epmapper", true, "the endpoint mapper, for servers that a program of the VM registers"},
    {"lrpc\\irpcss", true, "the COM service, for classes that a program of the VM registers"},
    {"lrpc\\irot", true, "the table of running COM objects"},
    {"spoolss", false, "the host's print spooler"},
    {"eventlog", false, "the host's event log"},
};

static volatile LONG told; /* bit per server: one event for each in a process */

/* pipe: "\name" */
static bool is_server(struct fvm_wstr pipe, const char *name)
{
    uint32_t i = 0;

    for (; name[i]; i++)
        if (i + 1 >= pipe.len || fvm_upcase(pipe.ptr[i + 1]) != fvm_upcase((fvm_wchar)name[i]))
            return false;
    return i + 1 == pipe.len;
}

/* view: \??\PIPE\name, \Device\NamedPipe\name or another of its names. True when it is a server
 * of the host that the VM may reach; tells of one that it may not. */
static bool reaches_server(const char *call, struct fvm_wstr view)
{
    for (uint32_t i = 0; i < sizeof(host_servers) / sizeof(host_servers[0]); i++) {
        struct fvm_wstr pipe = view;
        uint32_t len = 0;

        while (host_servers[i].name[len])
            len++;
        if (view.len <= len + 1) continue;
        pipe.ptr += view.len - len - 1;
        pipe.len = len + 1;
        if (pipe.ptr[0] != '\\' || !is_server(pipe, host_servers[i].name)) continue;
        /* "\pipe\epmapper" is not "\pipe\lrpc\epmapper" */
        if (host_servers[i].reached) return true;
        if (view.len > len + 6 && is_server((struct fvm_wstr){view.ptr + view.len - len - 6, 5}, "lrpc"))
            continue;
        if (!(__atomic_fetch_or(&told, 1L << i, __ATOMIC_RELAXED) & (1L << i)))
            guest_event("refused", call, view, host_servers[i].why);
        return false;
    }
    return false;
}

NTSTATUS guest_create_device(guest_create_file_fn real, HANDLE *handle, ACCESS_MASK access,
                             OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                             LARGE_INTEGER *allocation, ULONG attributes, ULONG sharing,
                             ULONG disposition, ULONG options, void *ea, ULONG ea_length)
{
    struct object_name n;
    NTSTATUS status;
    HANDLE none = NULL;

    if (options & OPEN_BY_FILE_ID) /* the name is none */
        return real(handle, access, attr, io, allocation, attributes, sharing, disposition, options,
                    ea, ea_length);
    status = object_begin(&n, attr, false);
    if (status) {
        if (!guest_write(handle, &none, sizeof(none)) ||
            !guest_write(&io->Status, &status, sizeof(status)))
            status = NT_ACCESS_VIOLATION;
        return status;
    }
    const OBJECT_ATTRIBUTES *own = n.use;
    OBJECT_ATTRIBUTES own_attr = n.attr;
    UNICODE_STRING own_text = n.text;
    /* devices are the host's; what the VM made elsewhere is looked for where they are not */
    const OBJECT_ATTRIBUTES *use = n.outside ? object_host_name(&n) : own;

    status = real(handle, access, (OBJECT_ATTRIBUTES *)(uintptr_t)use, io, allocation, attributes,
                  sharing, disposition, options, ea, ea_length);
    if (n.outside && object_is_missing(status) && guest_shared->ipc_outside) {
        own_attr.ObjectName = &own_text;
        NTSTATUS again = real(handle, access, &own_attr, io, allocation, attributes, sharing,
                              disposition, options, ea, ea_length);
        if (!object_is_missing(again))
            status = again;
        else
            guest_write(&io->Status, &status, sizeof(status));
    } else if (!n.outside && n.view.len && status == NT_OBJECT_NAME_NOT_FOUND &&
               reaches_server("NtCreateFile", n.view)) {
        status = real(handle, access, attr, io, allocation, attributes, sharing, disposition,
                      options, ea, ea_length);
    }
    object_end(&n);
    return status;
}

/* Where no pipe or mailslot can be made, the host says so of its own name. */
static const OBJECT_ATTRIBUTES *creation_name(struct object_name *n)
{
    return n->outside ? object_host_name(n) : n->use;
}

NTSTATUS NTAPI pipe_hook_create(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                                IO_STATUS_BLOCK *io, ULONG sharing, ULONG disposition,
                                ULONG options, ULONG type, ULONG read_mode, ULONG completion,
                                ULONG instances, ULONG in_quota, ULONG out_quota,
                                LARGE_INTEGER *timeout)
{
    struct object_name n;
    HANDLE none = NULL;
    NTSTATUS status = object_begin(&n, attr, false);

    if (status) return guest_write(handle, &none, sizeof(none)) ? status : NT_ACCESS_VIOLATION;
    status = object_real.create_pipe(handle, access, creation_name(&n), io, sharing, disposition,
                                     options, type, read_mode, completion, instances, in_quota,
                                     out_quota, timeout);
    object_end(&n);
    return status;
}

NTSTATUS NTAPI pipe_hook_create_mailslot(HANDLE *handle, ACCESS_MASK access,
                                         const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                                         ULONG options, ULONG quota, ULONG most,
                                         LARGE_INTEGER *timeout)
{
    struct object_name n;
    HANDLE none = NULL;
    NTSTATUS status = object_begin(&n, attr, false);

    if (status) return guest_write(handle, &none, sizeof(none)) ? status : NT_ACCESS_VIOLATION;
    status = object_real.create_mailslot(handle, access, creation_name(&n), io, options, quota,
                                         most, timeout);
    object_end(&n);
    return status;
}
