/* Pipes of the machine below, as standard handles of programs that a shell has put into a row.
 *
 * The host calls them pipes, but does not know any request for pipes on them. Programs that set
 * the mode of a pipe before they use it (all that are made with libuv, node for one) give up
 * there. The mode that such a pipe has anyway can be set. */
#include "file.h"

#define FILE_DEVICE_NAMED_PIPE 0x11

struct pipe_information {
    ULONG read_mode;       /* 0: a stream of bytes */
    ULONG completion_mode; /* 0: calls wait */
};

/* Is the handle one of a pipe, and this what it does anyway? */
static bool is_its_mode(HANDLE handle, const void *info, ULONG length)
{
    struct {
        ULONG type, characteristics;
    } device;
    struct pipe_information mode;
    IO_STATUS_BLOCK io;

    return length >= sizeof mode && guest_read(&mode, info, sizeof mode) && !mode.read_mode &&
           !mode.completion_mode &&
           !file_real.query_volume(handle, &io, &device, sizeof device,
                                   4 /* FileFsDeviceInformation */) &&
           device.type == FILE_DEVICE_NAMED_PIPE;
}

NTSTATUS file_set_pipe_mode(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length)
{
    const IO_STATUS_BLOCK done = {.Status = STATUS_SUCCESS};
    NTSTATUS status = file_real.set_information(handle, io, info, length, FI_PIPE);

    if (status != ST_OBJECT_TYPE_MISMATCH || !is_its_mode(handle, info, length)) return status;
    return guest_write(io, &done, sizeof done) ? STATUS_SUCCESS : NT_ACCESS_VIOLATION;
}
