/* A VM's workspace as fvm reads it: the log, the change index made from it, the private
 * files under fs/. */
#ifndef LAUNCHER_SPACE_H
#define LAUNCHER_SPACE_H

#include "base.h"
#include "err.h"
#include "fvm/index.h"
#include "fvm/log.h"
#include "fvm/shared.h"
#include "vm.h"

/* The bytes of a VM's log, mapped. */
struct space_log {
    const void *data;
    size_t len;
    struct fvm_log_summary summary; /* of its replay; points into data */
};

/* Maps the log and replays it into the index (NULL: only reads it). Fails when it cannot be
 * read or is none, or when the index refuses a record; a torn tail is no failure. */
int space_load_log(const struct vm *vm, struct fvm_index *ix, struct space_log *log,
                   struct err **err);
void space_free_log(struct space_log *log);

/* Room for the configuration in the shared block: the guest keeps 8 KiB in front of the index
 * (one bit per process, guest/process/job.c). */
#define SPACE_CONFIG_ROOM ((size_t)(FVM_SHARED_INDEX_OFFSET - FVM_SHARED_CONFIG_OFFSET - 8192))

/* Writes the index's configuration (what it holds besides the VM's log: aliases of the base,
 * the workspace) as a log with header into dst. Returns the bytes used, or -1 with an error
 * when cap is too small. */
int space_config(const struct vm *vm, const struct base *base, void *dst, size_t cap,
                 struct err **err);

/* True when last, the log's last record, is a rename whose private file has still to move. */
bool space_rename_pending(const struct vm *vm, const struct fvm_log_record *last);

/* A mark in the workspace says that the VM is in use, or was when its fvm or the machine was
 * stopped by force. */
int space_mark_used(const struct vm *vm, struct err **err);
void space_mark_clean(const struct vm *vm);

/* Makes ready a VM that nobody runs, after whatever happened to those that ran it: cuts a
 * torn tail off the log, finishes a rename whose record is the last one, empties tmp/, and,
 * if the VM was marked as used, mends what interrupted operations have left in fs/. ix is the
 * index made from the log. Needs the exclusive lock. */
int space_recover(const struct vm *vm, const struct fvm_index *ix, const struct space_log *log,
                  struct err **err);

/* An index in memory of this process, as commands use it. */
struct space {
    struct fvm_index *ix;
    size_t size;
    struct space_log log;
};
/* Makes the index from the VM's log, and from its configuration when base is not NULL (so
 * that aliases are resolved). Also of a running VM: as it is at this moment. */
int space_open(const struct vm *vm, const struct base *base, struct space *space, struct err **err);
void space_close(struct space *space);

/* Unix path of the private place of a canonical view path: DIR/fs/C/a/b. To be freed. */
char *space_private_path(const struct vm *vm, struct fvm_wstr view);

/* Buffers for a look-up, NUL-free and large enough for every path. */
struct space_lookup {
    struct fvm_lookup l;
    fvm_wchar canon[FVM_PATH_MAX], base[FVM_PATH_MAX];
};
/* Looks up; returns a negative FVM_INDEX_* error for a malformed path. */
int space_look(const struct fvm_index *ix, struct fvm_wstr view, struct space_lookup *out);

/* Moves a file or tree of the workspace to its lost+found folder under a free name, so that
 * nothing of the user's is ever deleted by a repair. *to (may be NULL) receives the new path. */
int space_set_aside(const struct vm *vm, const char *path, char **to, struct err **err);

#endif
