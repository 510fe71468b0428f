#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static int set_text(struct err **err, int exit_code, char *text)
{
    err_free(err);
    *err = xmalloc(sizeof(**err));
    (*err)->exit_code = exit_code;
    (*err)->text = text;
    (*err)->hint = NULL;
    return -1;
}

int err_set(struct err **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return set_text(err, EXIT_CODE_FAILED, text);
}

int err_usage(struct err **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return set_text(err, EXIT_CODE_USAGE, text);
}

static const char *usual_hint(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return "free some space there, or point FVM_HOME at a larger file system";
    case EROFS:
        return "the file system is read-only: point FVM_HOME at a writable place";
    case EACCES:
    case EPERM:
        return "check owner and permissions, or point FVM_HOME at a folder of your own";
    }
    return NULL;
}

int err_sys(struct err **err, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *what = xvasprintf(fmt, ap);
    va_end(ap);
    char *text = xasprintf("%s: %s", what, strerror(errnum));
    free(what);
    set_text(err, EXIT_CODE_FAILED, text);
    const char *hint = usual_hint(errnum);
    return hint ? err_hint(err, "%s", hint) : -1;
}

int err_context(struct err **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *what = xvasprintf(fmt, ap);
    va_end(ap);
    char *text = xasprintf("%s: %s", what, (*err)->text);
    free(what);
    free((*err)->text);
    (*err)->text = text;
    return -1;
}

int err_hint(struct err **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *hint = xvasprintf(fmt, ap);
    va_end(ap);
    free((*err)->hint);
    (*err)->hint = hint;
    return -1;
}

void err_print(const struct err *err)
{
    fprintf(stderr, "fvm: %s\n", err->text);
    if (err->hint) fprintf(stderr, "     %s\n", err->hint);
}

void err_free(struct err **err)
{
    if (!*err) return;
    free((*err)->text);
    free((*err)->hint);
    free(*err);
    *err = NULL;
}
