/* Window stations and desktops: those of the VM.
 *
 * Stations lie in a directory of the VM's tree, under the names that programs give them. So what
 * they are called, opening them and finding desktops on them is the host's business; what remains
 * is that win32u's Unix part, when a process loads user32, opens the station that the process's
 * parameters name by an absolute name of the host's. A process that has a station and a desktop,
 * and whose parameters name none, is left where it is: both are seen to before. */
#include "window.h"
#include "../object/object.h"
#include "fvm/fold.h"

/* RTL_USER_PROCESS_PARAMETERS, as far as needed here, behind what guest_nt.h has. */
struct parameters {
    struct nt_process_parameters first;
    ULONG position[4], characters[2], fill, flags, show;
    UNICODE_STRING title, desktop;
};

#define NAME_CAP 260 /* the host's limit for names of stations and desktops */

static const fvm_wchar winsta0[] = u"WinSta0", default_desktop[] = u"Default";

static bool equal(const fvm_wchar *s, uint32_t len, const fvm_wchar *with)
{
    uint32_t i = 0;

    for (; i < len; i++)
        if (!with[i] || fvm_upcase(s[i]) != fvm_upcase(with[i])) return false;
    return !with[i];
}

static uint32_t length(const fvm_wchar *s)
{
    uint32_t n = 0;

    while (s[n])
        n++;
    return n;
}

static UNICODE_STRING string(fvm_wchar *s, uint32_t len)
{
    return (UNICODE_STRING){(USHORT)(len * sizeof(*s)), (USHORT)(len * sizeof(*s)), (WCHAR *)s};
}

/* The host makes every station but the first an invisible one. */
static void enter_station(const fvm_wchar *name, uint32_t len)
{
    fvm_wchar text[128 + NAME_CAP];
    uint32_t at = fvm_ipc_tree(object_vm_id(), "Stations", text, 127);

    if (!at || len >= NAME_CAP) return;
    text[at++] = '\\';
    memcpy(text + at, name, len * sizeof(*name));
    /* "\desktop" makes a station without a name */
    window_enter_station(text, len ? at + len : 0, equal(name, len, winsta0));
}

static UNICODE_STRING *desktop_parameter(void)
{
    struct parameters *p = (struct parameters *)(void *)nt_peb()->parameters;

    return p ? &p->desktop : NULL;
}

/* "station\desktop", "desktop", or nothing. Threads that come here together each do it: the
 * last one's handles are the process's, all of the same objects. */
static void connect(bool initialize)
{
    fvm_wchar text[2 * NAME_CAP];
    UNICODE_STRING *named = desktop_parameter(), name = {0};
    const fvm_wchar *desktop = default_desktop;
    uint32_t len = 0, at = 0, rest = length(default_desktop);
    bool explicit = false, station = false;

    if (named && guest_read(&name, named, sizeof(name)) && name.Length &&
        name.Length <= sizeof(text) && guest_read(text, name.Buffer, name.Length)) {
        explicit = true;
        len = name.Length / (uint32_t)sizeof(WCHAR);
        while (at < len && text[at] != '\\')
            at++;
        station = at < len;
        desktop = station ? text + at + 1 : text;
        rest = station ? len - at - 1 : len;
    }
    if (station)
        enter_station(text, at);
    else if (explicit || !window_process_station())
        enter_station(winsta0, length(winsta0));
    /* what is set for the desktop of programs that name none, win32u itself looks up */
    if ((explicit || (!initialize && !window_thread_desktop())) && rest && rest < NAME_CAP)
        window_enter_desktop(desktop, rest);
}

volatile uint8_t guest_window_connected;

void window_connect(bool initialize)
{
    if (guest_window_connected) return;
    connect(initialize);
    guest_window_connected = 1;
}

NTSTATUS NTAPI window_hook_initialize(const void *procs_a, const void *procs_w, const void *workers,
                                      void *module)
{
    /* the length alone: programs read the name by its pointer */
    UNICODE_STRING *named = desktop_parameter();
    const USHORT none = 0;
    USHORT len;
    bool hidden = named && guest_read(&len, &named->Length, sizeof(len)) && len &&
                  guest_write(&named->Length, &none, sizeof(none));
    NTSTATUS status = window_real.initialize(procs_a, procs_w, workers, module);

    if (hidden) guest_write(&named->Length, &len, sizeof(len));
    return status;
}

bool window_on_default(void)
{
    static const fvm_wchar name[] = u"WinSta0\\Default";
    fvm_wchar text[2 * NAME_CAP];

    return equal(text, window_desktop_name(text, 2 * NAME_CAP), name);
}

static HANDLE failed(NTSTATUS status)
{
    RtlSetLastWin32Error(RtlNtStatusToDosError(status));
    return NULL;
}

HANDLE NTAPI window_hook_create_station(OBJECT_ATTRIBUTES *attr, ACCESS_MASK access, ULONG a,
                                        ULONG b, ULONG c, ULONG d, ULONG e)
{
    struct object_name n;
    NTSTATUS status = object_begin(&n, attr, false);
    HANDLE station;

    if (status) return failed(status);
    station =
        window_real.create_station((OBJECT_ATTRIBUTES *)(uintptr_t)n.use, access, a, b, c, d, e);
    object_end(&n);
    return station;
}

HANDLE NTAPI window_hook_open_station(OBJECT_ATTRIBUTES *attr, ACCESS_MASK access)
{
    struct object_name n;
    NTSTATUS status = object_begin(&n, attr, false);
    HANDLE station;

    if (status) return failed(status);
    station = window_real.open_station((OBJECT_ATTRIBUTES *)(uintptr_t)n.use, access);
    object_end(&n);
    return station;
}

bool window_station_name(uint32_t index, fvm_wchar *text, uint32_t cap, uint32_t *len)
{
    struct {
        UNICODE_STRING name, type;
        uint8_t rest[2048];
    } entry;
    fvm_wchar tree[128];
    UNICODE_STRING name = string(tree, fvm_ipc_tree(object_vm_id(), "Stations", tree, 128));
    OBJECT_ATTRIBUTES attr;
    HANDLE directory;
    ULONG context = index;
    bool found = false;

    InitializeObjectAttributes(&attr, &name, 0, NULL, NULL);
    if (!name.Length || window_real.open_directory(&directory, 1 /* DIRECTORY_QUERY */, &attr))
        return false;
    if (!window_real.query_directory(directory, &entry, sizeof(entry), TRUE, FALSE, &context,
                                     NULL)) {
        *len = entry.name.Length / (uint32_t)sizeof(WCHAR);
        if (*len > cap) *len = cap;
        memcpy(text, entry.name.Buffer, *len * sizeof(*text));
        found = true;
    }
    window_real.close(directory);
    return found;
}
