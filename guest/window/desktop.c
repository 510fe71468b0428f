/* The desktop's window.
 *
 * The first call that needs the window of its thread's desktop makes win32u's Unix part start
 * "explorer.exe /desktop", which makes it. That call comes here (unix/redirect.c, process/
 * create.c). For the desktop on which all programs stand that do not make one of their own the
 * monitors start the explorer: it serves all runs of the VM. For others it is a child of the
 * program, as on the host. */
#include "window.h"
#include "guest_boot.h"
#include "fvm/fold.h"

static bool ends_with(const UNICODE_STRING *s, const fvm_wchar *end, uint32_t len)
{
    return s->Buffer &&
           fvm_name_ends((const fvm_wchar *)s->Buffer, s->Length / sizeof(WCHAR), end, len);
}

static bool contains(const UNICODE_STRING *s, const fvm_wchar *text, uint32_t len)
{
    UNICODE_STRING part = *s;

    for (part.Length = 0; part.Length <= s->Length; part.Length += sizeof(WCHAR))
        if (ends_with(&part, text, len)) return true;
    return false;
}

/* explorer.exe /desktop makes the window itself, after calls that may look for one. */
static bool makes_desktops(void)
{
    static const fvm_wchar explorer[] = u"\\explorer.exe", option[] = u"/desktop";
    const struct nt_process_parameters *p = nt_peb()->parameters;

    return p && ends_with(&p->image_path, explorer, sizeof(explorer) / sizeof(*explorer) - 1) &&
           contains(&p->command_line, option, sizeof(option) / sizeof(*option) - 1);
}

bool guest_window_desktop(NTSTATUS *status)
{
    uint32_t top = 0;

    window_connect(false);
    *status = NT_ACCESS_DENIED; /* win32u looks again, and finds the window that is there now */
    if (!window_ask_desktop(false, &top, NULL) || top || guest_attached || makes_desktops())
        return true;
    if (!window_on_default()) return false;
    /* answered before, and no window: the last one was about to end */
    if (guest_serve(GUEST_SERVICE_DESKTOP) && window_ask_desktop(false, &top, NULL) && !top)
        guest_serve_anew(GUEST_SERVICE_DESKTOP);
    if ((!window_ask_desktop(false, &top, NULL) || !top) && !guest_shared->session_ends)
        guest_event("error", "explorer.exe /desktop", (struct fvm_wstr){NULL, 0},
                    "the VM's desktop could not be started: its windows cannot be shown");
    return true;
}

void window_tell_ready(void)
{
    static volatile bool told;
    uint32_t top = window_thread_top(), full, pid, tid;

    if (told || !guest_serves(GUEST_SERVICE_DESKTOP)) return;
    if (!top || !window_ask_owner(top, &full, &pid, &tid) || tid != nt_thread_id()) return;
    told = true;
    guest_serve_ready(GUEST_SERVICE_DESKTOP);
}
