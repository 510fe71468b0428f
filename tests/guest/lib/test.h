/* What the guest test programs share: a transcript of observations, checks that must
 * hold everywhere (TAP), and short forms of the NT calls.
 *
 * Each program works in a directory given as its first argument, which the runner fills
 * with a known tree (tests/lib/tree.sh). It prints every observation: the runner compares
 * the transcript of a native run, line by line, with that of a run inside a VM. So nothing
 * may be printed that differs from run to run: no handles, ids, times of the clock. */
#ifndef TEST_H
#define TEST_H

#define WIN32_NO_STATUS
#include <windows.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* --- calls of ntdll that mingw's winternl.h does not declare ------------------------- */
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *,
                                    void *, ULONG, FILE_INFORMATION_CLASS, BOOLEAN,
                                    UNICODE_STRING *, BOOLEAN);
NTSTATUS NTAPI NtReadFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, void *, ULONG,
                          LARGE_INTEGER *, ULONG *);
NTSTATUS NTAPI NtWriteFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, const void *,
                           ULONG, LARGE_INTEGER *, ULONG *);
NTSTATUS NTAPI NtLockFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *,
                          LARGE_INTEGER *, LARGE_INTEGER *, ULONG *, BOOLEAN, BOOLEAN);
NTSTATUS NTAPI NtUnlockFile(HANDLE, IO_STATUS_BLOCK *, LARGE_INTEGER *, LARGE_INTEGER *, ULONG *);
NTSTATUS NTAPI NtDeleteFile(OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI NtQueryAttributesFile(const OBJECT_ATTRIBUTES *, FILE_BASIC_INFORMATION *);
NTSTATUS NTAPI NtQueryFullAttributesFile(const OBJECT_ATTRIBUTES *,
                                         FILE_NETWORK_OPEN_INFORMATION *);
NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *,
                                           IO_STATUS_BLOCK *, void *, ULONG, ULONG, BOOLEAN);
NTSTATUS NTAPI NtFlushBuffersFile(HANDLE, IO_STATUS_BLOCK *);
NTSTATUS NTAPI NtQueryEaFile(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, BOOLEAN, void *, ULONG,
                             ULONG *, BOOLEAN);
NTSTATUS NTAPI NtSetEaFile(HANDLE, IO_STATUS_BLOCK *, void *, ULONG);
NTSTATUS NTAPI NtQuerySecurityObject(HANDLE, SECURITY_INFORMATION, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtSetSecurityObject(HANDLE, SECURITY_INFORMATION, void *);
NTSTATUS NTAPI NtFsControlFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, ULONG,
                               void *, ULONG, void *, ULONG);
NTSTATUS NTAPI NtCreateSection(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *,
                               const LARGE_INTEGER *, ULONG, ULONG, HANDLE);
NTSTATUS NTAPI NtMapViewOfSection(HANDLE, HANDLE, void **, ULONG_PTR, SIZE_T, const LARGE_INTEGER *,
                                  SIZE_T *, ULONG, ULONG, ULONG);
NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE, void *);
NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE, const void *, int, void *, SIZE_T, SIZE_T *);
NTSTATUS NTAPI NtCancelIoFile(HANDLE, IO_STATUS_BLOCK *);

/* --- transcript and checks ------------------------------------------------------------ */

/* Reads the arguments: the directory to work in, then options; "private" as an option
 * makes a copy of the tree first and works on that, so that a VM's own files are tested
 * instead of the base's. Ends the program with a message when something is missing. */
void t_begin(int argc, char **argv);
/* Prints the plan; returns the exit code: 1 when a check failed. */
int t_end(void);
/* The option number i after the directory ("private" left out), or NULL. */
const char *t_option(int i);

/* Starts a part of the transcript. */
void t_part(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints one observation. */
void t_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A check that holds on every host and in every VM. Returns ok. */
bool t_ok(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends the program: the test itself cannot go on. */
void t_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The functions below return text in one of a few buffers that are used in turn. */

/* The status as name if it is a common one, as number otherwise. */
const char *t_status(NTSTATUS status);
/* "ok" or the Win32 error of a call that returned ok. */
const char *t_win(BOOL ok);
/* Code units as ASCII, others than printable ones as \uXXXX. len < 0: up to the NUL. */
const char *t_text(const WCHAR *s, int len);

/* --- names ------------------------------------------------------------------------------ */
extern WCHAR t_root[32768];  /* the directory, as DOS path without a trailing backslash */
extern char t_program[1024]; /* this program's own path */

/* rel below the directory as DOS path ("C:\dir\rel"), as NT path ("\??\C:\dir\rel") and as
 * extended DOS path ("\\?\C:\dir\rel"). rel is printf-like ASCII. Buffers used in turn. */
const WCHAR *t_dos(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const WCHAR *t_nt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const WCHAR *t_ext(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The ASCII text as it is. */
const WCHAR *t_wide(const char *text);

/* --- NT calls in short form --------------------------------------------------------------- */
#define T_ALL_SHARE (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define T_SYNC      FILE_SYNCHRONOUS_IO_NONALERT

/* NtCreateFile by a full NT name, or relative to dir when that is given. info may be NULL:
 * receives IoStatus.Information (0xdead when the call did not set it). */
NTSTATUS t_create_at(HANDLE *h, HANDLE dir, const WCHAR *name, ULONG access, ULONG attributes,
                     ULONG share, ULONG disposition, ULONG options, ULONG_PTR *info);
NTSTATUS t_create(HANDLE *h, const WCHAR *name, ULONG access, ULONG share, ULONG disposition,
                  ULONG options);
/* Opens an existing file for everything or ends the program. */
HANDLE t_open(const WCHAR *name, ULONG access, ULONG options);
NTSTATUS t_rename(HANDLE h, HANDLE dir, const WCHAR *name, bool replace);
NTSTATUS t_link(HANDLE h, HANDLE dir, const WCHAR *name, bool replace);
NTSTATUS t_set_delete(HANDLE h, bool del);
NTSTATUS t_attributes(const WCHAR *nt, ULONG *attributes);
/* Writes text to the (new or emptied) file; ends the program when that fails. */
void t_put(const WCHAR *dos, const char *text);
/* Prints what lies at the NT name: attributes, size, hash of the content, or the error. */
void t_show(const char *label, const WCHAR *nt);
/* Prints the directory, one line per entry in the order of the host, recursively when
 * deep. Content is shown by hash. */
void t_list(const char *label, const WCHAR *dos, bool deep);
/* Copies a tree with Win32 calls; false when something could not be copied. */
bool t_copy_tree(const WCHAR *from, const WCHAR *to);

/* FNV-1a of a file's content as seen through the handle (from offset 0). */
uint64_t t_hash_handle(HANDLE h, uint64_t *size);

/* Starts this program again with the directory and arguments (ASCII), inheriting handles;
 * its output goes to the same place. Returns the process handle. */
HANDLE t_spawn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same without the directory as first argument. */
HANDLE t_spawn_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Waits for it and returns its exit code; closes the handle. */
DWORD t_wait(HANDLE process);

#endif
