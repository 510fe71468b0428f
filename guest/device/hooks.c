/* Device requests by which the host itself would be changed: the mount manager defines the
 * prefix's drives and user folders and keeps its passwords, and a volume that is
 * dismounted is unmounted from the host's tree. They are refused; all others pass. */
#include "guest.h"
#include "guest_nt.h"

/* Requests of the mount manager, which have a device type of their own ('m'): the codes
 * are the same whatever name the device was opened by. */
#define MOUNTMGR_DEFINE_UNIX_DRIVE   0x6dc080U
#define MOUNTMGR_DEFINE_SHELL_FOLDER 0x6dc088U
#define MOUNTMGR_WRITE_CREDENTIAL    0x6d80c4U
#define MOUNTMGR_DELETE_CREDENTIAL   0x6d80c8U

#define FSCTL_DISMOUNT 0x90020U

typedef NTSTATUS(NTAPI *control_fn)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, ULONG,
                                    void *, ULONG, void *, ULONG);

static control_fn real_device_io_control, real_fs_control;

/* The name of the request when it is one of those, otherwise no name. */
static struct fvm_wstr request_refused(ULONG code)
{
#define NAME(text) ((struct fvm_wstr){(const fvm_wchar *)L"" text, sizeof(L"" text) / 2 - 1})
    switch (code) {
    case MOUNTMGR_DEFINE_UNIX_DRIVE:
        return NAME("MountPointManager: define a drive");
    case MOUNTMGR_DEFINE_SHELL_FOLDER:
        return NAME("MountPointManager: define a user folder");
    case MOUNTMGR_WRITE_CREDENTIAL:
        return NAME("MountPointManager: store a credential");
    case MOUNTMGR_DELETE_CREDENTIAL:
        return NAME("MountPointManager: delete a credential");
    default:
        return (struct fvm_wstr){NULL, 0};
    }
#undef NAME
}

static NTSTATUS NTAPI hook_device_io_control(HANDLE file, HANDLE event, void *apc, void *context,
                                             IO_STATUS_BLOCK *io, ULONG code, void *in,
                                             ULONG in_size, void *out, ULONG out_size)
{
    struct fvm_wstr name = request_refused(code);

    if (code == GUEST_CONDRV_BIND_PID && !guest_may_attach(in, in_size))
        return GUEST_STATUS(0xc000000b); /* STATUS_INVALID_CID */
    if (!name.len)
        return real_device_io_control(file, event, apc, context, io, code, in, in_size, out,
                                      out_size);
    guest_event("refused", "NtDeviceIoControlFile", name,
                "it would change the drives, folders or passwords of the host");
    return NT_ACCESS_DENIED;
}

static NTSTATUS NTAPI hook_fs_control(HANDLE file, HANDLE event, void *apc, void *context,
                                      IO_STATUS_BLOCK *io, ULONG code, void *in, ULONG in_size,
                                      void *out, ULONG out_size)
{
    static const fvm_wchar name[] = u"dismount volume";

    if (code == GUEST_FSCTL_PIPE_WAIT)
        return guest_pipe_wait(real_fs_control, file, event, apc, context, io, in, in_size, out,
                               out_size);
    if (code != FSCTL_DISMOUNT)
        return real_fs_control(file, event, apc, context, io, code, in, in_size, out, out_size);
    guest_event("refused", "NtFsControlFile",
                (struct fvm_wstr){name, sizeof(name) / sizeof(name[0]) - 1},
                "it would unmount a volume of the host");
    return NT_ACCESS_DENIED;
}

const struct guest_hook guest_device_hooks[] = {
    {"NtDeviceIoControlFile", hook_device_io_control, (void **)&real_device_io_control},
    {"NtFsControlFile", hook_fs_control, (void **)&real_fs_control},
    {NULL, NULL, NULL},
};
