/* The VM's tree of objects. It lasts as long as a monitor of the VM holds it; every monitor
 * opens what is there and makes what is missing, so that they can come and go in any order. */
#include "object.h"

HANDLE guest_members;

static NTSTATUS name_part(const char *part, fvm_wchar *buffer, uint32_t cap, UNICODE_STRING *name)
{
    uint32_t len = fvm_ipc_tree(object_vm_id(), part, buffer, cap);

    if (!len) return NT_OBJECT_NAME_INVALID;
    *name = (UNICODE_STRING){(USHORT)(len * sizeof(*buffer)), (USHORT)(len * sizeof(*buffer)),
                             (WCHAR *)buffer};
    return STATUS_SUCCESS;
}

static NTSTATUS make_directory(const char *part)
{
    fvm_wchar buffer[128];
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr;
    HANDLE handle; /* stays open */
    NTSTATUS status = name_part(part, buffer, 128, &name);

    InitializeObjectAttributes(&attr, &name, OBJ_OPENIF, NULL, NULL);
    if (!status) status = object_real.create_directory(&handle, 0xf, &attr);
    return status < 0 ? status : STATUS_SUCCESS;
}

static NTSTATUS make_link(const char *part, const char *target_part)
{
    fvm_wchar buffer[128], target_buffer[128];
    UNICODE_STRING name, target;
    OBJECT_ATTRIBUTES attr;
    HANDLE handle; /* stays open */
    NTSTATUS status = name_part(part, buffer, 128, &name);

    if (!status) status = name_part(target_part, target_buffer, 128, &target);
    /* without "open the link itself", "open if there" would find the directory behind it */
    InitializeObjectAttributes(&attr, &name, OBJ_OPENIF | OBJ_OPENLINK, NULL, NULL);
    if (!status) status = object_real.create_link(&handle, 1, &attr, &target);
    return status < 0 ? status : STATUS_SUCCESS;
}

NTSTATUS guest_object_begin(void)
{
    static const char *const directories[] = {NULL, "Global", "Local", "Links", "Stations", "Root"};
    /* as in the host's two directories */
    static const char *const links[][2] = {
        {"Global\\Global", "Global"}, {"Global\\Local", "Global"},
        {"Global\\Session", "Links"}, {"Local\\Global", "Global"},
        {"Local\\Local", "Local"},    {"Local\\Session", "Links"},
        {"Links\\0", "Global"},       {"Links\\" FVM_IPC_SESSION, "Local"},
    };
    fvm_wchar buffer[128];
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status = STATUS_SUCCESS;

    for (uint32_t i = 0; !status && i < sizeof(directories) / sizeof(directories[0]); i++)
        status = make_directory(directories[i]);
    for (uint32_t i = 0; !status && i < sizeof(links) / sizeof(links[0]); i++)
        status = make_link(links[i][0], links[i][1]);
    if (!status) status = name_part("Members", buffer, 128, &name);
    if (status) return status;
    InitializeObjectAttributes(&attr, &name, OBJ_OPENIF, NULL, NULL);
    status = object_real.create_job(&guest_members, JOB_OBJECT_ALL_ACCESS, &attr);
    return status < 0 ? status : STATUS_SUCCESS;
}
