/* Canonical names: NT object names of files to view paths and back. */
#ifndef FVM_PATH_H
#define FVM_PATH_H

#include "fvm/types.h"

enum fvm_path_kind {
    FVM_PATH_FILE,  /* a file or directory on a drive: dst holds its view path */
    FVM_PATH_OTHER, /* a device, a pipe, another object: none of the file namespace's */
    FVM_PATH_BAD,   /* the host refuses this name whatever lies there (bad syntax) */
    FVM_PATH_LONG,  /* does not fit dst */
};

struct fvm_path {
    fvm_wchar *dst;   /* in: buffer */
    uint32_t cap;     /* in: its capacity in code units */
    uint32_t len;     /* out: length of the view path */
    bool trailing;    /* out: the name ended in a backslash */
    bool rewritten;   /* out: the name was a Unix one with elements that NT names lack */
};

/* Parses an absolute NT name: \??\C:\dir\file, \DosDevices\C:\..., \??\unix\dir\file.
 * unix_is_z: the Unix root is drive Z:, so Unix names become Z: names; otherwise their root
 * is called "unix". Matches the checks of Wine's lookup of names. */
enum fvm_path_kind fvm_path_from_nt(struct fvm_wstr nt, bool unix_is_z, struct fvm_path *out);

/* Appends a name relative to the directory whose view path stands in out->dst (out->len
 * units): what NtOpenFile does with RootDirectory. An empty name is the directory itself. */
enum fvm_path_kind fvm_path_append(struct fvm_wstr relative, struct fvm_path *out);

/* Writes the NT name of a place in the base: \??\ + path (a root gets its backslash).
 * Returns the length or 0 when it does not fit. */
uint32_t fvm_path_to_nt(struct fvm_wstr path, bool trailing, fvm_wchar *dst, uint32_t cap);

/* Writes the name below the workspace: workspace + \fs\C\dir\file for C:\dir\file.
 * Returns the length or 0 when it does not fit. */
uint32_t fvm_path_to_private(struct fvm_wstr path, struct fvm_wstr workspace, bool trailing,
                             fvm_wchar *dst, uint32_t cap);

/* Length of the parent of a view path: of C:\a\b that of C:\a, of C:\a that of C:, of a
 * root 0. */
uint32_t fvm_path_parent(struct fvm_wstr path);

/* True when path is dir or lies below it (without regard to case). */
bool fvm_path_below(struct fvm_wstr path, struct fvm_wstr dir);

/* The short (8.3) name that the host gives to a long one, or 0 when the name is itself a
 * legal 8.3 name. dst holds 12 units. Same result as Wine's for names on Unix drives. */
uint32_t fvm_short_name(struct fvm_wstr name, fvm_wchar dst[12]);

#endif
