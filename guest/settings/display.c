/* The display is shared with the host and all other VMs: its mode and its colours stay. */
#include "settings.h"

/* Is it the mode that the display has? The depth of colours is no matter: the host only pretends to
 * change it, in the calling process alone. */
static bool is_current(const UNICODE_STRING *device, const DEVMODEW *mode)
{
    DEVMODEW now = {.dmSize = sizeof now};
    DWORD f = mode->dmFields;

    if (!settings_host.enum_display(device, ENUM_CURRENT_SETTINGS, &now, 0)) return false;
    /* a rate of 0 or 1 stands for whatever the display has */
    return (!(f & DM_PELSWIDTH) || mode->dmPelsWidth == now.dmPelsWidth) &&
           (!(f & DM_PELSHEIGHT) || mode->dmPelsHeight == now.dmPelsHeight) &&
           (!(f & DM_DISPLAYFREQUENCY) || mode->dmDisplayFrequency <= 1 ||
            mode->dmDisplayFrequency == now.dmDisplayFrequency) &&
           (!(f & DM_DISPLAYORIENTATION) ||
            mode->dmDisplayOrientation == now.dmDisplayOrientation) &&
           (!(f & DM_POSITION) ||
            (mode->dmPosition.x == now.dmPosition.x && mode->dmPosition.y == now.dmPosition.y));
}

LONG NTAPI settings_hook_change_display(const UNICODE_STRING *device, DEVMODEW *mode, HWND window,
                                        DWORD flags, void *more)
{
    static const fvm_wchar text[] = {'d', 'i', 's', 'p', 'l', 'a', 'y'};
    const struct fvm_wstr name = {text, sizeof text / sizeof text[0]};
    DEVMODEW wanted = {0};
    LONG result;

    /* Without a mode the display goes back to what it was; it was never anything else, and below
     * nothing reaches the X server. */
    if (flags & (CDS_TEST | CDS_NORESET) || !mode)
        return settings_host.change_display(device, mode, window, flags, more);
    result = settings_host.change_display(device, mode, window,
                                          (flags & ~(DWORD)CDS_UPDATEREGISTRY) | CDS_TEST, more);
    if (result != DISP_CHANGE_SUCCESSFUL) return result;
    if (!guest_read(&wanted, mode, offsetof(DEVMODEW, dmICMMethod))) return DISP_CHANGE_BADPARAM;
    if (is_current(device, &wanted))
        return settings_host.change_display(device, mode, window, flags, more);
    guest_event("refused", "NtUserChangeDisplaySettings", name,
                "the display's mode is the host's and cannot be changed from a VM");
    return DISP_CHANGE_FAILED;
}

/* --- the X server's functions ------------------------------------------------------------------
 * What win32u's driver finds in place of those that change the display for all. First the mode:
 * what comes here asks for the mode that there is. */
#define SYSV __attribute__((sysv_abi))

static SYSV int leave_mode(void)
{
    return 0; /* RRSetConfigSuccess */
}
static SYSV int leave_switch(void)
{
    return 1;
}
static SYSV void leave_size(void) {}

/* SetDeviceGammaRamp */
static SYSV int refuse_gamma(void)
{
    static const fvm_wchar text[] = {'g', 'a', 'm', 'm', 'a'};

    guest_event("refused", "SetDeviceGammaRamp",
                (struct fvm_wstr){text, sizeof text / sizeof text[0]},
                "the display's colours are the host's and cannot be changed from a VM");
    return 0; /* as of a display that has no such table */
}

/* The screen saver, SPI_SETSCREENSAVEACTIVE. What the VM sets is remembered in the VM, for all its
 * processes until it stops, as the X server remembers it. */
typedef int(SYSV *get_saver_fn)(void *display, int *timeout, int *interval, int *blanking,
                                int *exposures);
static get_saver_fn x_get_saver;

static SYSV int get_saver(void *display, int *timeout, int *interval, int *blanking, int *exposures)
{
    int result = x_get_saver(display, timeout, interval, blanking, exposures);

    if (guest_shared->screen_saver) *timeout = (int)guest_shared->screen_saver - 1;
    return result;
}

static SYSV int set_saver(void *display, int timeout, int interval, int blanking, int exposures)
{
    (void)display, (void)interval, (void)blanking, (void)exposures;
    guest_shared->screen_saver = timeout < 0 ? 0 : (uint32_t)timeout + 1;
    return 1;
}

const struct guest_replacement guest_settings_replacements[] = {
    {"XGetScreenSaver", (void *)get_saver, (void **)&x_get_saver},
    {"XSetScreenSaver", (void *)set_saver, NULL},
    {"XRRSetScreenConfig", (void *)leave_mode, NULL},
    {"XRRSetScreenConfigAndRate", (void *)leave_mode, NULL},
    {"XRRSetCrtcConfig", (void *)leave_mode, NULL},
    {"XRRSetScreenSize", (void *)leave_size, NULL},
    {"XF86VidModeSwitchToMode", (void *)leave_switch, NULL},
    {"XF86VidModeSetGamma", (void *)refuse_gamma, NULL},
    {"XF86VidModeSetGammaRamp", (void *)refuse_gamma, NULL},
    {NULL, NULL, NULL},
};
