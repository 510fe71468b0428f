/* Calls on pipes that carry names in their buffers. */
#include "pipe.h"

struct pipe_wait { /* FILE_PIPE_WAIT_FOR_BUFFER */
    LARGE_INTEGER timeout;
    ULONG name_length; /* bytes */
    BOOLEAN timeout_specified;
    WCHAR name[1];
};

NTSTATUS guest_pipe_wait(guest_control_fn real, HANDLE file, HANDLE event, void *apc, void *context,
                         IO_STATUS_BLOCK *io, const void *in, ULONG in_size, void *out,
                         ULONG out_size)
{
    const ULONG head = offsetof(struct pipe_wait, name);
    struct pipe_wait *own = NULL;
    ULONG room = GUEST_SCRATCH_SIZE - head;

    /* what is malformed is for the host to refuse */
    if (in_size >= sizeof(*own)) own = guest_scratch_get();
    if (!own || in_size > room / 2 || !guest_read(own, in, head) || !own->name_length ||
        own->name_length > in_size - head) {
        guest_scratch_put(own);
        return real(file, event, apc, context, io, GUEST_FSCTL_PIPE_WAIT, (void *)(uintptr_t)in,
                    in_size, out, out_size);
    }
    uint32_t prefix = fvm_ipc_prefix(object_vm_id(), (fvm_wchar *)own->name, 64) * 2;
    NTSTATUS status = NT_ACCESS_VIOLATION;
    if (guest_read((uint8_t *)own->name + prefix, (const uint8_t *)in + head, in_size - head)) {
        struct fvm_wstr pipe = {(fvm_wchar *)own->name + prefix / 2, own->name_length / 2};

        own->name_length += prefix;
        /* the host has read the buffer when the call returns, be it pending or not */
        status = real(file, event, apc, context, io, GUEST_FSCTL_PIPE_WAIT, own, in_size + prefix,
                      out, out_size);
        if (status == NT_OBJECT_NAME_NOT_FOUND && pipe_is(pipe, PIPE_SCM) &&
            guest_serve_anew(GUEST_SERVICE_SCM))
            status = real(file, event, apc, context, io, GUEST_FSCTL_PIPE_WAIT, own,
                          in_size + prefix, out, out_size);
    }
    guest_scratch_put(own);
    return status;
}

#define QUERY_BUFFER_OVERFLOW GUEST_STATUS(0x80000005)

bool guest_pipe_file_name(guest_query_file_fn real, HANDLE handle, IO_STATUS_BLOCK *io,
                          uint8_t *info, ULONG length, ULONG class, ULONG at, NTSTATUS *status)
{
    fvm_wchar prefix[65];
    uint32_t bytes = (fvm_ipc_prefix(object_vm_id(), prefix + 1, 64) + 1) * 2;
    ULONG name_length, room = length - at - sizeof(ULONG), cut;

    prefix[0] = '\\';
    memcpy(&name_length, info + at, sizeof(name_length));
    if (name_length <= bytes) return false;
    cut = room < bytes ? room : bytes;
    if (memcmp(info + at + sizeof(ULONG), prefix, cut) != 0) return false;
    /* the part that the VM does not see took room in the buffer */
    ULONG whole = length + bytes < GUEST_SCRATCH_SIZE ? length + bytes : GUEST_SCRATCH_SIZE;
    IO_STATUS_BLOCK again_io = {.Status = STATUS_SUCCESS};
    NTSTATUS again = real(handle, &again_io, info, whole, class);
    if (again && again != QUERY_BUFFER_OVERFLOW) return false;
    memcpy(&name_length, info + at, sizeof(name_length));
    if (name_length <= bytes || memcmp(info + at + sizeof(ULONG), prefix, bytes) != 0) return false;
    name_length -= bytes - sizeof(fvm_wchar); /* the first backslash stays */
    memcpy(info + at, &name_length, sizeof(name_length));
    cut = room < name_length ? room : name_length;
    memmove(info + at + sizeof(ULONG), info + at + sizeof(ULONG) + bytes - sizeof(fvm_wchar), cut);
    io->Information = at + sizeof(ULONG) + cut;
    io->Status = *status = cut < name_length ? QUERY_BUFFER_OVERFLOW : STATUS_SUCCESS;
    return true;
}
