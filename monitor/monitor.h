/* fvm-monitor.exe: the part of a running VM that stands outside of its programs.
 *
 * The program has no C run-time: it starts with every `fvm run`, and loading msvcrt.dll
 * would take longer than all that it does itself. */
#ifndef MONITOR_H
#define MONITOR_H

#include <windows.h>
#include "guest_nt.h"
#include "guest_api.h"
#include "fvm/shared.h"

/* Exit codes of fvm itself, as with other container tools. */
enum {
    EXIT_FVM = 125,        /* fvm failed */
    EXIT_CANNOT_RUN = 126, /* the program is there and cannot be run */
    EXIT_NOT_FOUND = 127,  /* there is no such program */
};

/* --- report.c --------------------------------------------------------------------------- */
/* Writes "fvm: <text>" to standard error. In the text, %s is a const wchar_t *, %a a const
 * char *, %x an unsigned in hexadecimal, %u one in decimal. */
void report(const char *text, ...);
/* The same, then ends the process with the exit code. */
__attribute__((noreturn)) void fail(int code, const char *text, ...);
/* The host's words for an error code of GetLastError(); valid until the next call. */
const wchar_t *error_text(DWORD error);

/* --- options.c -------------------------------------------------------------------------- */
struct options {
    wchar_t *shared, *guest, *cwd;
    bool title;               /* windows carry the VM's name */
    wchar_t *program;         /* as the user wrote it */
    const wchar_t *arguments; /* the rest of the command line as it is, "" or " ..." */
};
/* Takes the process's command line apart, or ends the process. */
void options_read(struct options *o);

/* What the monitor calls in the guest. */
struct guest_calls {
    guest_attach_fn attach;
    guest_leave_fn leave;
    guest_serve_event_fn serve_event;
    guest_served_fn served;
};

/* --- image.c ---------------------------------------------------------------------------- */
/* Lays the guest DLL out in a new section and makes it ready. Returns the section; the
 * image is not mapped afterwards. Ends the process on errors. */
HANDLE image_prepare(const wchar_t *path, struct guest_calls *calls);
/* Maps the prepared image at its place in this process. */
void image_map(HANDLE section);

/* --- program.c -------------------------------------------------------------------------- */
/* A Windows or Unix path as the host names it; the caller frees it. NULL without memory. */
wchar_t *path_to_windows(const wchar_t *path);
/* The full path of a program named as on a command line, in the VM's view, or NULL. */
wchar_t *program_find(const wchar_t *name);
/* Ends the monitor with a message: program_find() has found nothing. */
__attribute__((noreturn)) void program_not_found(const wchar_t *name);
/* Why a program that exists could not be run: a text for the user, or NULL. */
const char *program_problem(const wchar_t *path, DWORD error);
/* Tells the user if the program has ended for want of a display. */
void program_tell_end(const wchar_t *path, DWORD code);

/* --- job.c ------------------------------------------------------------------------------ */
/* The job of all processes of this run, which ends them when the monitor is gone, and the
 * port that tells of their ends. Ends the process on errors. */
HANDLE job_create(HANDLE *port);
/* Returns when no process of the VM is left in the job. */
void job_wait(HANDLE job, HANDLE port);

/* --- control.c -------------------------------------------------------------------------- */
/* From now on Ctrl-C and Ctrl-Break do not end the monitor once it has a program. */
void control_install(void);
/* There is a program now. */
void control_leave_to_program(void);

/* --- clip.c ------------------------------------------------------------------------------ */
/* This process is a program of a VM: writes its clipboard's text to standard output, or sets it
 * to what standard input has. Ends the process. */
__attribute__((noreturn)) void clip_run(bool set);

/* --- memory ----------------------------------------------------------------------------- */
static inline void *allocate(size_t bytes)
{
    void *p = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, bytes);

    if (!p) fail(EXIT_FVM, "not enough memory");
    return p;
}

static inline void release(void *p)
{
    if (p) HeapFree(GetProcessHeap(), 0, p);
}

#endif
