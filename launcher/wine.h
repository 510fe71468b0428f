/* The Wine that carries the VMs: its loader, its server, its environment. */
#ifndef LAUNCHER_WINE_H
#define LAUNCHER_WINE_H

#include <stdbool.h>

#include "err.h"

struct wine {
    char *loader; /* the 64-bit loader itself, not a shell wrapper where that can be known */
    char *server;
};

/* Finds Wine: $WINELOADER and $WINESERVER, the places of Debian, Fedora and others, then
 * the PATH. Fill with zeros first; wine_free() works after a failure too. */
int wine_find(struct wine *wine, struct err **err);
void wine_free(struct wine *wine);

/* Sets the environment of Wine programs on this base, in this process: WINEPREFIX, the
 * loader and server found, WINEDEBUG=-all unless the user has set it, a UTF-8 locale (file
 * names beyond ASCII are lost in any other). */
void wine_environment(const struct wine *wine, const char *base);

/* Sees to it that the base's wineserver runs and stays for a while after its last program
 * (FVM_WARM seconds, 60 by default), and that Windows' services are up, so that the next
 * start is fast and no service of the base starts as a child of a VM. Returns quickly when
 * it runs already. wine_environment() must have been called. */
int wine_warm_up(const struct wine *wine, const char *base, struct err **err);

/* True when a wineserver runs for this base now. */
bool wine_server_running(const char *base);

/* Stops the base's wineserver and waits for its end. */
void wine_server_stop(const struct wine *wine);

#endif
