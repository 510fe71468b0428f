/* The commands of fvm, as data. One file per command; main.c has the table. */
#ifndef LAUNCHER_VERBS_H
#define LAUNCHER_VERBS_H

#include "err.h"

struct verb {
    const char *name;
    const char *arguments; /* one line, as it stands behind "fvm NAME" */
    const char *summary;   /* one line for the list of commands */
    const char *help;      /* the rest of --help: options and notes */
    /* argv[0] is the command's name. Returns the exit code, or -1 with an error. */
    int (*run)(int argc, char **argv, struct err **err);
};

extern const struct verb verb_run, verb_create, verb_ls, verb_inspect, verb_diff, verb_cp, verb_rm,
    verb_check, verb_events, verb_reg, verb_clip;

/* The value of an option that getopt refused: makes the usage error for it. */
int verb_bad_option(char **argv, int c, int optopt_char, struct err **err);
/* Fails with a usage error unless there are min to max arguments from index on. */
int verb_count(int argc, int index, int min, int max, struct err **err);

#endif
