/* Which calls of win32u take numbers of windows, threads and processes.
 *
 * A process's first call of win32u, and every one that takes such a number, comes by
 * guest_window_enter() (boot/entry.S) before it is made or hooked. */
#include "window.h"
#include "guest_boot.h"

struct window_real window_real;

/* What the arguments are, counted from 0. */
#define W(n)    (1u << (n))       /* a window */
#define T(n)    (1u << (n)) << 16 /* a thread's id */
#define P(n)    (1u << (n)) << 24 /* a process's id */
#define SPECIAL 0x4000u           /* see special() */

static const struct {
    const char *name;
    uint32_t what;
} guest_window_confined[] = {
    {"NtUserGetThreadDesktop", T(0)},
    {"NtUserPostThreadMessage", T(0)},
    {"NtUserAddClipboardFormatListener", W(0)},
    {"NtUserAssociateInputContext", W(0)},
    {"NtUserAttachThreadInput", T(0) | T(1)},
    {"NtUserBeginPaint", W(0)},
    {"NtUserBuildHwndList", T(4)},
    {"NtUserCallHwnd", W(0)},
    {"NtUserCallHwndParam", W(0) | SPECIAL},
    {"NtUserChangeClipboardChain", W(0) | W(1)},
    {"NtUserChangeDisplaySettings", W(2)},
    {"NtUserChildWindowFromPointEx", W(0)},
    {"NtUserCreateCaret", W(0)},
    {"NtUserCreateWindowEx", W(9)},
    {"NtUserDeferWindowPosAndBand", W(1) | W(2)},
    {"NtUserDestroyWindow", W(0)},
    {"NtUserDragDetect", W(0)},
    {"NtUserDragObject", W(0) | W(1)},
    {"NtUserEnableScrollBar", W(0)},
    {"NtUserFindWindowEx", W(0) | W(1)},
    {"NtUserFlashWindowEx", SPECIAL},
    {"NtUserGetAncestor", W(0)},
    {"NtUserGetClassName", W(0)},
    {"NtUserGetDC", W(0)},
    {"NtUserGetDCEx", W(0)},
    {"NtUserGetGUIThreadInfo", T(0)},
    {"NtUserGetInternalWindowPos", W(0)},
    {"NtUserGetKeyboardLayout", T(0)},
    {"NtUserGetLayeredWindowAttributes", W(0)},
    {"NtUserGetMenuBarInfo", W(0)},
    {"NtUserGetMenuItemRect", W(0)},
    {"NtUserGetMessage", W(1)},
    {"NtUserGetProp", W(0)},
    {"NtUserGetScrollBarInfo", W(0)},
    {"NtUserGetSystemMenu", W(0)},
    {"NtUserGetTitleBarInfo", W(0)},
    {"NtUserGetUpdateRect", W(0)},
    {"NtUserGetUpdateRgn", W(0)},
    {"NtUserGetWindowDC", W(0)},
    {"NtUserGetWindowPlacement", W(0)},
    {"NtUserGetWindowRgnEx", W(0)},
    {"NtUserHideCaret", W(0)},
    {"NtUserHiliteMenuItem", W(0)},
    {"NtUserInternalGetWindowIcon", W(0)},
    {"NtUserInternalGetWindowText", W(0)},
    {"NtUserInvalidateRect", W(0)},
    {"NtUserInvalidateRgn", W(0)},
    {"NtUserKillTimer", W(0)},
    {"NtUserLockWindowUpdate", W(0)},
    {"NtUserLogicalToPerMonitorDPIPhysicalPoint", W(0)},
    {"NtUserMenuItemFromPoint", W(0)},
    {"NtUserMessageCall", W(0) | SPECIAL},
    {"NtUserMoveWindow", W(0)},
    {"NtUserNotifyWinEvent", W(1)},
    {"NtUserOpenClipboard", W(0)},
    {"NtUserPeekMessage", W(1)},
    {"NtUserPerMonitorDPIPhysicalToLogicalPoint", W(0)},
    {"NtUserPostMessage", W(0)},
    {"NtUserPrintWindow", W(0)},
    {"NtUserRealChildWindowFromPoint", W(0)},
    {"NtUserRedrawWindow", W(0)},
    {"NtUserRegisterHotKey", W(0)},
    {"NtUserRegisterRawInputDevices", SPECIAL},
    {"NtUserRemoveClipboardFormatListener", W(0)},
    {"NtUserRemoveProp", W(0)},
    {"NtUserScrollWindowEx", W(0)},
    {"NtUserSetActiveWindow", W(0)},
    {"NtUserSetCapture", W(0)},
    {"NtUserSetClassLong", W(0)},
    {"NtUserSetClassLongPtr", W(0)},
    {"NtUserSetClassWord", W(0)},
    {"NtUserSetClipboardViewer", W(0)},
    {"NtUserSetFocus", W(0)},
    {"NtUserSetInternalWindowPos", W(0)},
    {"NtUserSetLayeredWindowAttributes", W(0)},
    {"NtUserSetMenu", W(0)},
    {"NtUserSetParent", W(0) | W(1)},
    {"NtUserSetProp", W(0)},
    {"NtUserSetScrollInfo", W(0)},
    {"NtUserSetShellWindowEx", W(0) | W(1)},
    {"NtUserSetSystemMenu", W(0)},
    {"NtUserSetSystemTimer", W(0)},
    {"NtUserSetTimer", W(0)},
    {"NtUserSetWinEventHook", P(5) | T(6)},
    {"NtUserSetWindowLong", W(0) | SPECIAL},
    {"NtUserSetWindowLongPtr", W(0) | SPECIAL},
    {"NtUserSetWindowPlacement", W(0)},
    {"NtUserSetWindowPos", W(0) | W(1)},
    {"NtUserSetWindowRgn", W(0)},
    {"NtUserSetWindowWord", W(0)},
    {"NtUserSetWindowsHookEx", T(2)},
    {"NtUserShowCaret", W(0)},
    {"NtUserShowScrollBar", W(0)},
    {"NtUserShowWindow", W(0)},
    {"NtUserShowWindowAsync", W(0)},
    {"NtUserTrackPopupMenuEx", W(4)},
    {"NtUserTranslateAccelerator", W(0)},
    {"NtUserUnregisterHotKey", W(0)},
    {"NtUserValidateRect", W(0)},
};

uint32_t guest_window_calls[GUEST_SYSCALLS - GUEST_WIN32U_FIRST];

/* Numbers of the calls that are looked at more closely. */
static uint32_t call_hwnd_param, call_message, call_flash, call_raw_input, call_long, call_long_ptr,
    call_initialize, call_get_message;

static const struct {
    const char *name;
    uint32_t *number;
} numbers[] = {
    {"NtUserCallHwndParam", &call_hwnd_param},
    {"NtUserMessageCall", &call_message},
    {"NtUserFlashWindowEx", &call_flash},
    {"NtUserRegisterRawInputDevices", &call_raw_input},
    {"NtUserGetMessage", &call_get_message},
    {"NtUserSetWindowLong", &call_long},
    {"NtUserSetWindowLongPtr", &call_long_ptr},
    {"NtUserInitializeClientPfnArrays", &call_initialize},
};

bool guest_window_prepare(const uint8_t *ntdll, const uint8_t *win32u, struct guest_error *error)
{
    /* of which server.c knows the requests */
    static const char version[] = "8.0";
    const char *(CDECL * host_version)(void) = (void *)guest_find_export(ntdll, "wine_get_version");
    const char *host = host_version ? host_version() : "";
    uint32_t number;

    for (uint32_t i = 0; i < sizeof(version); i++) {
        if (host[i] == version[i]) continue;
        return guest_prepare_fail(error, NT_REVISION_MISMATCH, "Wine's version (8.0 is needed)");
    }
    for (uint32_t i = 0; i < sizeof(guest_window_confined) / sizeof(guest_window_confined[0]);
         i++) {
        if (!guest_syscall_number(win32u, guest_window_confined[i].name, &number) ||
            number < GUEST_WIN32U_FIRST)
            return guest_prepare_fail(error, NT_ENTRYPOINT_NOT_FOUND,
                                      guest_window_confined[i].name);
        guest_window_calls[number - GUEST_WIN32U_FIRST] = guest_window_confined[i].what;
    }
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (!guest_syscall_number(win32u, numbers[i].name, numbers[i].number))
            return guest_prepare_fail(error, NT_ENTRYPOINT_NOT_FOUND, numbers[i].name);
    }
    return true;
}

/* The arguments of a call: four registers, the rest on the stack. */
struct arguments {
    uint64_t *registers, *stack;
};

static uint64_t *argument(const struct arguments *a, uint32_t n)
{
    return n < 4 ? &a->registers[n] : &a->stack[n - 4];
}

/* Codes and structures of 8.0. */
#define HWND_PARAM_IS_CHILD   19
#define HWND_PARAM_MAP_POINTS 21
#define CLIPBOARD_PROC        0x300 /* NtUserClipboardWindowProc */
#define DEFAULT_PROC          0x29e /* NtUserDefWindowProc */
#define OFFSET_OWNER          (-8)  /* GWLP_HWNDPARENT */

/* Is the handle in the program's memory at this address of a window outside? */
static bool foreign_at(uint64_t address)
{
    uint64_t hwnd;

    return guest_read(&hwnd, (const void *)(uintptr_t)address, sizeof(hwnd)) &&
           window_confine(hwnd) != hwnd;
}

/* A handle at another place than in an argument. */
static void special(uint32_t number, const struct arguments *a)
{
    if (number == call_hwnd_param) {
        uint32_t code = (uint32_t)*argument(a, 2);

        if (code == HWND_PARAM_IS_CHILD)
            *argument(a, 1) = window_confine(*argument(a, 1));
        else if (code == HWND_PARAM_MAP_POINTS && foreign_at(*argument(a, 1)))
            *argument(a, 0) = window_nobodys(*argument(a, 0)); /* the one fails as the other does */
    } else if (number == call_message) {
        /* The desktop's clipboard manager ties the clipboard to the X server's, which the VMs and
         * the host share: the window is made, but does not do that. */
        uint64_t *type = argument(a, 5);

        if ((uint32_t)*type == CLIPBOARD_PROC && !guest_attached) *type = DEFAULT_PROC;
    } else if (number == call_flash) {
        /* a window that is not there is answered like no structure */
        if (foreign_at(*argument(a, 0) + 8)) *argument(a, 0) = 0;
    } else if (number == call_raw_input) {
        /* the devices, their count, the size of one: a window to which their input goes */
        uint32_t devices = (uint32_t)*argument(a, 1);

        for (uint32_t i = 0; i < devices && i < 256; i++)
            if (foreign_at(*argument(a, 0) + 16ull * i + 8)) *argument(a, 2) = 0;
    } else if (number == call_long || number == call_long_ptr) {
        if ((int32_t)*argument(a, 1) == OFFSET_OWNER)
            *argument(a, 2) = window_confine(*argument(a, 2));
    }
}

void guest_window_enter(uint32_t number, uint64_t *registers, uint64_t *stack)
{
    uint32_t what = guest_window_calls[number - GUEST_WIN32U_FIRST];
    struct arguments a = {registers, stack};

    window_connect(number == call_initialize);
    if (guest_attached) return;
    if (number == call_get_message) window_tell_ready();
    for (uint32_t n = 0, left = what & 0x3fff; left; n++, left >>= 1)
        if (left & 1) *argument(&a, n) = window_confine(*argument(&a, n));
    for (uint32_t n = 0, left = what >> 16 & 0xff; left; n++, left >>= 1)
        if (left & 1) *argument(&a, n) = window_confine_thread((uint32_t)*argument(&a, n));
    for (uint32_t n = 0, left = what >> 24; left; n++, left >>= 1)
        if (left & 1) *argument(&a, n) = window_confine_process((uint32_t)*argument(&a, n));
    if (what & SPECIAL) special(number, &a);
}

const struct guest_hook guest_window_hooks[] = {
    {"NtUserCreateWindowStation", window_hook_create_station, (void **)&window_real.create_station},
    {"NtUserOpenWindowStation", window_hook_open_station, (void **)&window_real.open_station},
    {"NtUserInitializeClientPfnArrays", window_hook_initialize, (void **)&window_real.initialize},
    {NULL, NULL, NULL},
};

const struct guest_hook guest_window_server_hooks[] = {
    {"wine_server_call", window_hook_server_call, (void **)&window_real.server_call},
    {"NtOpenDirectoryObject", NULL, (void **)&window_real.open_directory},
    {"NtQueryDirectoryObject", NULL, (void **)&window_real.query_directory},
    {"NtClose", NULL, (void **)&window_real.close},
    {NULL, NULL, NULL},
};
