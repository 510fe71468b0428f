/* Calls that act on the machine as a whole: its clock, its power, its drivers. Wine does none of
 * them, and answers as it answers a user without the right; so does a VM. What FVM adds is that
 * the attempt can be seen. (Windows does them: there they are to be refused here.) */
#include "guest.h"

static NTSTATUS(NTAPI *real_set_system_time)(const LARGE_INTEGER *, LARGE_INTEGER *);
static NTSTATUS(NTAPI *real_shutdown)(ULONG);
static NTSTATUS(NTAPI *real_power_action)(ULONG, ULONG, ULONG, BOOLEAN);
static NTSTATUS(NTAPI *real_load_driver)(const UNICODE_STRING *);
static NTSTATUS(NTAPI *real_unload_driver)(const UNICODE_STRING *);
static NTSTATUS(NTAPI *real_debug_control)(ULONG, void *, ULONG, void *, ULONG, ULONG *);

/* program: what the call names, or NULL. */
static NTSTATUS tell(const char *call, const UNICODE_STRING *program, NTSTATUS status)
{
    fvm_wchar name[256];
    struct fvm_wstr what = {NULL, 0};
    UNICODE_STRING text;

    if (program && guest_read(&text, program, sizeof text)) {
        uint32_t size = text.Length < sizeof name ? text.Length : (uint32_t)sizeof name;

        if (guest_read(name, text.Buffer, size))
            what = (struct fvm_wstr){name, size / (uint32_t)sizeof name[0]};
    }
    guest_event("refused", call, what,
                "it acts on the whole machine; the host does not do it either");
    return status;
}

static NTSTATUS NTAPI hook_set_system_time(const LARGE_INTEGER *now, LARGE_INTEGER *old)
{
    NTSTATUS status = real_set_system_time(now, old);

    /* the time that it is anyway can be set */
    return status < 0 ? tell("NtSetSystemTime", NULL, status) : status;
}

static NTSTATUS NTAPI hook_shutdown(ULONG action)
{
    return tell("NtShutdownSystem", NULL, real_shutdown(action));
}

static NTSTATUS NTAPI hook_power_action(ULONG action, ULONG state, ULONG flags,
                                        BOOLEAN asynchronous)
{
    return tell("NtInitiatePowerAction", NULL,
                real_power_action(action, state, flags, asynchronous));
}

static NTSTATUS NTAPI hook_load_driver(const UNICODE_STRING *service)
{
    return tell("NtLoadDriver", service, real_load_driver(service));
}

static NTSTATUS NTAPI hook_unload_driver(const UNICODE_STRING *service)
{
    return tell("NtUnloadDriver", service, real_unload_driver(service));
}

static NTSTATUS NTAPI hook_debug_control(ULONG command, void *in, ULONG in_size, void *out,
                                         ULONG out_size, ULONG *used)
{
    return tell("NtSystemDebugControl", NULL,
                real_debug_control(command, in, in_size, out, out_size, used));
}

const struct guest_hook guest_machine_hooks[] = {
    {"NtSetSystemTime", hook_set_system_time, (void **)&real_set_system_time},
    {"NtShutdownSystem", hook_shutdown, (void **)&real_shutdown},
    {"NtInitiatePowerAction", hook_power_action, (void **)&real_power_action},
    {"NtLoadDriver", hook_load_driver, (void **)&real_load_driver},
    {"NtUnloadDriver", hook_unload_driver, (void **)&real_unload_driver},
    {"NtSystemDebugControl", hook_debug_control, (void **)&real_debug_control},
    {NULL, NULL, NULL},
};
