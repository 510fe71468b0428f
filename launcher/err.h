/* Errors that tell the user what failed, why, and what to do.
 *
 * An error is built where the cause is known and gains context on its way up:
 *     cannot create VM "dev": cannot make folder /x/vms: Permission denied
 * A function that can fail takes a struct err **, returns -1 (or NULL) and leaves a new
 * error there, owned by the caller. */
#ifndef LAUNCHER_ERR_H
#define LAUNCHER_ERR_H

/* Exit codes of fvm. For `fvm run` any other code is the program's own. */
enum {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_RUN = 125,         /* fvm itself failed, the program was not started */
    EXIT_CODE_NOT_PROGRAM = 126, /* the program was found and cannot be executed */
    EXIT_CODE_NOT_FOUND = 127,   /* the program was not found */
};

struct err {
    int exit_code; /* what fvm exits with */
    char *text;    /* the chain, outermost context first */
    char *hint;    /* what the user can do, or NULL */
};

/* Makes a new error. Always returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As err_set(), with ": " and the text of errnum behind it. Adds the usual hint for a
 * full disk, a read-only file system and missing permission. */
int err_sys(struct err **err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A usage error: exit code 2. */
int err_usage(struct err **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "context: " before the text of an existing error. Returns -1. */
int err_context(struct err **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets what the user can do; replaces an earlier hint. Returns -1. */
int err_hint(struct err **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints the error to standard error. */
void err_print(const struct err *err);
/* Frees the error and clears the pointer. NULL inside is allowed. */
void err_free(struct err **err);

#endif
