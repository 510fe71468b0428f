/* The tables of the settings' hooks and replacements. */
#include "settings.h"

struct settings_host settings_host;

const struct guest_hook guest_settings_hooks[] = {
    {"NtUserChangeDisplaySettings", (void *)settings_hook_change_display,
     (void **)&settings_host.change_display},
    {"NtUserEnumDisplaySettings", NULL, (void **)&settings_host.enum_display},
    {NULL, NULL, NULL},
};
