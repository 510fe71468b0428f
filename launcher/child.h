/* Child processes: short helpers, and the program that `fvm run` stands for. */
#ifndef LAUNCHER_CHILD_H
#define LAUNCHER_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

/* Runs a program to its end. Standard input is empty; output goes nowhere when quiet. The
 * child is in its own session, so that Ctrl-C does not break what it sets up.
 * Returns its exit code (128 + n after signal n), or -1 with an error. */
int child_run_quietly(char *const argv[], bool quiet, struct err **err);

/* Ends the processes that still map the file, and waits for their end: what is left of a
 * VM whose fvm was killed. Returns how many there were, or -1 with an error. */
int child_end_users_of(const char *file, struct err **err);

struct child_run {
    char *const *argv;  /* argv[0] is the full path of the program */
    const char *cwd;    /* folder to start in, or NULL */
    const char *shared; /* file that all processes of the VM map, and no other */
};

/* Starts the program as a part of this terminal's job and waits until it has ended and no
 * process of the VM is left that descends from it.
 * - Ctrl-C of the terminal reaches it directly; SIGINT, SIGTERM, SIGHUP and SIGQUIT sent to
 *   fvm alone are passed on to the VM's processes.
 * - It ends when fvm is killed.
 * - The state of the terminal is put back.
 * Returns the exit code for fvm, or -1 with an error when it could not be started. */
int child_run_program(const struct child_run *run, struct err **err);

#endif
