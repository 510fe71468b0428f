/* Creating and opening pipes and mailslots. */
#include "pipe.h"
#include "fvm/fold.h"

#define OPEN_BY_FILE_ID 0x2000

/* Servers of the host that programs look for, and that a VM has none of unless somebody starts it
 * there. That one is missing shows in the VM as on a host where it does not run; it is an event,
 * so that one can see why a program does without. */
static const struct {
    const char *name;
    const char *why;
} host_servers[] = {
    {"wine_plugplay", "the host's device notifications are not the VM's"},
    {"spoolss", "the host's print spooler is not the VM's"},
    {"eventlog", "the host's event log is not the VM's"},
};

static volatile LONG told; /* bit per server: one event for each in a process */

bool pipe_is(struct fvm_wstr pipe, const char *name)
{
    uint32_t i = 0;

    for (; name[i]; i++)
        if (i >= pipe.len || fvm_upcase(pipe.ptr[i]) != fvm_upcase((fvm_wchar)name[i]))
            return false;
    return i == pipe.len;
}

/* What the VM calls the pipe, without "\??\PIPE\" or another of its beginnings; empty when the
 * name is not that of a pipe. */
static struct fvm_wstr pipe_name(const struct object_name *n)
{
    static const fvm_wchar device[] = u"\\Device\\NamedPipe\\";
    const uint32_t len = sizeof(device) / sizeof(device[0]) - 1;
    const struct fvm_wstr none = {NULL, 0};
    struct fvm_wstr name;
    fvm_wchar prefix[64];
    uint32_t own = fvm_ipc_prefix(object_vm_id(), prefix, 64);

    if (!n->view.len || n->outside) return none;
    name = (struct fvm_wstr){(fvm_wchar *)n->text.Buffer, n->text.Length / (uint32_t)sizeof(WCHAR)};
    if (name.len <= len + own || memcmp(name.ptr, device, len * sizeof(*device)) != 0) return none;
    return (struct fvm_wstr){name.ptr + len + own, name.len - len - own};
}

/* Nobody has made the pipe. True when somebody has by now: the VM's service manager is started
 * when it is needed for the first time. */
static bool is_served(struct fvm_wstr pipe, struct fvm_wstr view)
{
    if (pipe_is(pipe, PIPE_SCM)) return guest_serve_anew(GUEST_SERVICE_SCM);
    for (uint32_t i = 0; i < sizeof(host_servers) / sizeof(host_servers[0]); i++) {
        if (!pipe_is(pipe, host_servers[i].name)) continue;
        if (!(__atomic_fetch_or(&told, 1L << i, __ATOMIC_RELAXED) & (1L << i)))
            guest_event("refused", "NtCreateFile", view, host_servers[i].why);
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
    } else if (status == NT_OBJECT_NAME_NOT_FOUND && is_served(pipe_name(&n), n.view)) {
        status = real(handle, access, (OBJECT_ATTRIBUTES *)(uintptr_t)use, io, allocation,
                      attributes, sharing, disposition, options, ea, ea_length);
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
    if (status >= 0 && pipe_is(pipe_name(&n), PIPE_SCM)) guest_serve_ready(GUEST_SERVICE_SCM);
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
