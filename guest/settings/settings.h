/* Inside of guest/settings: settings of the desktop that reach the host in other ways than by the
 * registry. Those in the registry are the VM's own by unix/redirect.c. */
#ifndef GUEST_SETTINGS_H
#define GUEST_SETTINGS_H

#include "guest.h"
#include "guest_nt.h"
#include <wingdi.h>
#include <winuser.h>

/* --- hooks.c: the host's calls ------------------------------------------------------------- */
struct settings_host {
    LONG(NTAPI *change_display)
    (const UNICODE_STRING *device, DEVMODEW *mode, HWND window, DWORD flags, void *more);
    BOOL(NTAPI *enum_display)
    (const UNICODE_STRING *device, DWORD index, DEVMODEW *mode, DWORD flags);
};
extern struct settings_host settings_host;

/* --- display.c ----------------------------------------------------------------------------- */
LONG NTAPI settings_hook_change_display(const UNICODE_STRING *device, DEVMODEW *mode, HWND window,
                                        DWORD flags, void *more);

#endif
