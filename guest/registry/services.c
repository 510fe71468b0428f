/* What the VM's service manager sees of the base's services.
 *
 * It reads them all from the registry when it starts, and starts those that begin with the system.
 * Some are not for a VM: drivers, which run below all of its processes (a second one of the same
 * devices would be no use), and two that belong to them. So in the service manager's process
 *
 * - drivers of the base have no type: it takes such a key for one that somebody has written some
 *   settings to, and passes it over. A VM has no such service (ERROR_SERVICE_DOES_NOT_EXIST);
 * - the others that would start with the system start when somebody asks for them.
 *
 * All other processes, and what the VM itself has written, are not concerned. */
#include "registry.h"
#include "fvm/fold.h"

#define START_AUTO   2U /* SERVICE_AUTO_START */
#define START_DEMAND 3U
#define TYPE_DRIVER  0xfU /* SERVICE_KERNEL_DRIVER and its like */

static const char where[] = "Machine\\System\\CurrentControlSet\\Services\\";
/* device notifications, which come from drivers; a log of events that nobody writes */
static const char *const on_demand[] = {"PlugPlay", "Eventlog"};

/* Does s begin with text? Moves behind it. */
static bool skip(struct fvm_wstr *s, const char *text)
{
    uint32_t i = 0;

    for (; text[i]; i++)
        if (i >= s->len || fvm_upcase(s->ptr[i]) != fvm_upcase((fvm_wchar)text[i])) return false;
    s->ptr += i;
    s->len -= i;
    return true;
}

static bool equals(struct fvm_wstr s, const char *text)
{
    return skip(&s, text) && !s.len;
}

/* The name of the service whose key of the base this is; empty when it is none, or when the VM
 * has such a value itself. Points into path. */
static struct fvm_wstr base_service(HANDLE handle, struct fvm_wstr value_name, fvm_wchar *path)
{
    struct fvm_wstr name = {path, 0};
    struct fvm_reg_value value;
    struct reg_key key;
    NTSTATUS status;
    bool own = false;

    if (reg_key_begin(handle, true, &key, &status) != REG_OURS) return name;
    for (struct reg_read read = {0}; !key.is_private && key.node && reg_reading(&read);)
        own = fvm_reg_find_value(reg_store(), key.node, value_name, &value);
    int len = key.is_private || own ? 0 : reg_key_path(&key, path, false);
    reg_key_end(&key);
    if (len <= 0) return name;
    name.len = (uint32_t)len;
    if (!skip(&name, where)) name.len = 0;
    for (uint32_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '\\') name.len = 0; /* a key below the service's */
    return name;
}

void reg_services_filter(HANDLE handle, const UNICODE_STRING *given, int class, void *buffer)
{
    struct {
        ULONG title_index, type, size, data;
    } info;
    UNICODE_STRING text;
    fvm_wchar small[8], *path;
    struct fvm_wstr value_name = {small, 0}, service;
    ULONG data;

    _Static_assert(offsetof(struct value_partial_info, data) == 12, "as the struct above");
    if (class != VALUE_PARTIAL || !guest_serves(GUEST_SERVICE_SCM)) return;
    if (!guest_read(&text, given, sizeof(text)) || text.Length > sizeof(small) ||
        !guest_read(small, text.Buffer, text.Length) || !guest_read(&info, buffer, sizeof(info)) ||
        info.type != REG_DWORD || info.size != sizeof(info.data))
        return;
    value_name.len = text.Length / (uint32_t)sizeof(WCHAR);
    bool is_type = equals(value_name, "Type");
    if (!is_type && !equals(value_name, "Start")) return;
    path = guest_scratch_get();
    if (!path) return;
    service = base_service(handle, value_name, path);
    data = info.data;
    if (service.len && is_type && info.data & TYPE_DRIVER) data = 0;
    for (uint32_t i = 0; !is_type && i < sizeof(on_demand) / sizeof(on_demand[0]); i++)
        if (info.data == START_AUTO && equals(service, on_demand[i])) data = START_DEMAND;
    if (data != info.data)
        guest_write((uint8_t *)buffer + offsetof(struct value_partial_info, data), &data,
                    sizeof(data));
    guest_scratch_put(path);
}
