/* Files and folders: what the C library leaves to do. */
#ifndef LAUNCHER_FSUTIL_H
#define LAUNCHER_FSUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

/* Makes the folder and all above it that are missing. Existing folders are fine. */
int fs_make_path(const char *path, mode_t mode, struct err **err);

/* Reads a whole file. *data is to be freed; it has a NUL behind its *len bytes.
 * Returns -1 with an error; errno keeps the cause. */
int fs_read_file(const char *path, char **data, size_t *len, struct err **err);

/* Writes the file so that it is there whole or not at all: aside, flushed, renamed.
 * sync says whether the data must have reached the disk before the rename. */
int fs_write_file(const char *path, const void *data, size_t len, bool sync, struct err **err);

/* Writes all bytes to fd. Returns 0, or -1 with errno. */
int fs_write_all(int fd, const void *data, size_t len);

/* Copies the content of one open file to another, sharing blocks or inside the kernel
 * where that can be done. Returns 0, or -1 with errno. */
int fs_copy_fd(int from, int to);

/* Removes a file or a whole tree; does not follow links, nor leave the file system it is
 * in by a mount. What is not there is fine. Folders without write permission are opened. */
int fs_remove_tree(const char *path, struct err **err);

/* Flushes a folder's entries to the disk. Best effort: not all file systems can. */
void fs_sync_dir(const char *path);

/* The absolute, link-free form of a path whose last part may be missing. To be freed;
 * NULL with errno. */
char *fs_canonical(const char *path);

#endif
