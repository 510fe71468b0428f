/* Inside of guest/pipe. */
#ifndef GUEST_PIPE_H
#define GUEST_PIPE_H

#include "../object/object.h"

/* The pipe of the service control manager, and of nobody else. */
#define PIPE_SCM "svcctl"

/* Is this the pipe's name, without regard to case? */
bool pipe_is(struct fvm_wstr pipe, const char *name);

#endif
