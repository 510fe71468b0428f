/* Processes that serve the whole VM (its service control manager, its desktop): who starts them.
 *
 * They are started when a program of the VM asks for one for the first time (guest/process/
 * serve.c), stand in jobs of their own inside of the VM's, and end with the VM's last monitor. */
#ifndef SERVE_H
#define SERVE_H

#include "monitor.h"

/* What is needed from the guest. */
void serve_prepare(guest_serve_event_fn event, guest_served_fn served);
/* From now on this monitor answers requests, when it is its turn. May be called again. */
void serve_begin(void);
/* Leaves what it has to the VM's other monitors. */
void serve_end(void);
/* Waits for the end of the process, and begins when the first request comes meanwhile. */
void serve_while(HANDLE process);

#endif
