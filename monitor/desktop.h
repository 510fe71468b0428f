/* The VM's desktop, seen from its monitors. */
#ifndef DESKTOP_H
#define DESKTOP_H

#include "monitor.h"

/* The desktop on which explorer.exe /desktop is started: a name of the VM's. */
extern wchar_t desktop_name[];
/* Stands on the VM's desktop as long as this monitor runs. May be called again. */
void desktop_hold(void);

#endif
