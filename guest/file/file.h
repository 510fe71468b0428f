/* Inside of the file namespace. */
#ifndef GUEST_FILE_H
#define GUEST_FILE_H

#include "guest.h"
#include "guest_nt.h"
#include "fvm/fold.h"
#include "fvm/index.h"
#include "fvm/log.h"
#include "fvm/path.h"
#include "nt_file.h"

/* --- state.c: the host's own calls behind our hooks -------------------------------------- */
struct file_real {
    NTSTATUS(NTAPI *create)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *,
                            LARGE_INTEGER *, ULONG, ULONG, ULONG, ULONG, void *, ULONG);
    NTSTATUS(NTAPI *open)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG,
                          ULONG);
    NTSTATUS(NTAPI *remove)(OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *query_attributes)(OBJECT_ATTRIBUTES *, FILE_BASIC_INFORMATION *);
    NTSTATUS(NTAPI *query_full_attributes)(OBJECT_ATTRIBUTES *, FILE_NETWORK_OPEN_INFORMATION *);
    NTSTATUS(NTAPI *query_directory)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *,
                                     ULONG, ULONG, BOOLEAN, UNICODE_STRING *, BOOLEAN);
    NTSTATUS(NTAPI *query_information)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
    NTSTATUS(NTAPI *set_information)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
    NTSTATUS(NTAPI *read)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG,
                          LARGE_INTEGER *, ULONG *);
    NTSTATUS(NTAPI *lock_range)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, LARGE_INTEGER *,
                                LARGE_INTEGER *, ULONG *, BOOLEAN, BOOLEAN);
    NTSTATUS(NTAPI *unlock_range)(HANDLE, IO_STATUS_BLOCK *, LARGE_INTEGER *, LARGE_INTEGER *,
                                  ULONG *);
    NTSTATUS(NTAPI *create_section)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, LARGE_INTEGER *,
                                    ULONG, ULONG, HANDLE);
    NTSTATUS(NTAPI *query_volume)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
    NTSTATUS(NTAPI *notify)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG,
                            ULONG, BOOLEAN);
    NTSTATUS(NTAPI *close)(HANDLE);
    NTSTATUS(NTAPI *duplicate)(HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG);
    NTSTATUS(NTAPI *query_object)(HANDLE, ULONG, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *query_memory)(HANDLE, const void *, ULONG, void *, SIZE_T, SIZE_T *);
    NTSTATUS(NTAPI *suspend_thread)(HANDLE, ULONG *);
    NTSTATUS(NTAPI *suspend_process)(HANDLE);
    NTSTATUS(NTAPI *terminate_thread)(HANDLE, NTSTATUS);
    NTSTATUS(NTAPI *terminate_process)(HANDLE, NTSTATUS);
    NTSTATUS(NTAPI *nt_to_unix)(const OBJECT_ATTRIBUTES *, char *, ULONG *, UINT);
    NTSTATUS(NTAPI *unix_to_nt)(const char *, WCHAR *, ULONG *);
};
extern struct file_real file_real;

/* --- resolve.c: from the program's name to what stands behind it --------------------------- */

/* Buffers of one resolved name; all inside one scratch block. */
#define FILE_NAME_CAP 32768U

struct file_name {
    fvm_wchar leaf[256]; /* the last component as the program spells it */
    uint32_t leaf_len;
    void *scratch;
    fvm_wchar *input; /* copy of the program's name, then the parsed view path */
    struct fvm_lookup look;
    bool trailing;  /* the name ended in a backslash */
    bool rewritten; /* the host must get our spelling, not the program's */
    bool by_id;     /* opened by file id: the name was found through the object */
};

enum file_kind {
    FILE_IS_OTHER, /* not ours: pass the call on */
    FILE_IS_BAD,   /* the host refuses the name whatever lies there: pass the call on */
    FILE_IS_NAMED, /* name->look says what it is */
};

/* Reads and looks up the name in attr (a pointer from the program). On FILE_IS_NAMED the
 * caller ends with file_name_free(). options: FILE_OPEN_BY_FILE_ID counts. */
enum file_kind file_resolve(const OBJECT_ATTRIBUTES *attr, ULONG options, struct file_name *name);
/* The same for a counted string of the guest's own: an absolute NT name. */
enum file_kind file_resolve_text(struct fvm_wstr nt, struct file_name *name);
/* The same for a view path. False when there is no memory. */
bool file_resolve_view(struct fvm_wstr view, struct file_name *name);
/* What the handle's object is: its view path is looked up. real: true when the object is the
 * VM's own (private file or folder). FILE_IS_OTHER when it is no file on a drive. */
enum file_kind file_resolve_handle(HANDLE handle, struct file_name *name, bool *is_private);
/* Looks up again, after a change by this or another process. */
void file_lookup_again(struct file_name *name);
void file_name_free(struct file_name *name);

/* NT names, as OBJECT_ATTRIBUTES that keep everything else of from (which may be NULL). A
 * private name never ends in a backslash: the host looks such Unix names up another way.
 * They use a buffer of the name: each call replaces what the last one made. */
struct file_attr {
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
};
bool file_attr_private(struct file_name *name, const OBJECT_ATTRIBUTES *from,
                       struct file_attr *out);
bool file_attr_base(struct file_name *name, const OBJECT_ATTRIBUTES *from, struct file_attr *out);

static inline struct fvm_wstr file_canon(const struct file_name *name)
{
    return (struct fvm_wstr){name->look.canon, name->look.canon_len};
}

static inline struct fvm_wstr file_base(const struct file_name *name)
{
    return (struct fvm_wstr){name->look.base, name->look.base_len};
}

/* --- change.c: the writer's lock and the log ------------------------------------------------- */

/* Takes the lock that serialises all changes of the VM. If the owner died, first repairs
 * what it left. */
void file_lock(void);
void file_unlock(void);
/* Writes the record and applies it. Under the lock. */
NTSTATUS file_record(enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                     struct fvm_wstr other);
/* In two steps, for changes whose middle is a rename on disk: the record is written first,
 * so that a crash in between is finished by the next opener; then committed to the index or
 * cancelled. */
NTSTATUS file_record_begin(enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                           struct fvm_wstr other);
void file_record_commit(void);
void file_record_cancel(void);
/* rename.c: the renaming on disk of a record that was written before its writer died. */
void file_finish_rename(struct fvm_wstr from, struct fvm_wstr to);

/* --- private.c: objects in the private tree -------------------------------------------------- */

/* Makes sure that the folder that will hold name's own object exists. Under the lock. */
NTSTATUS file_make_parent(struct file_name *name);
/* Makes a private folder for the directory of the base that name is (copying times and
 * attributes), and records it. Under the lock. */
NTSTATUS file_make_container(struct file_name *name);
/* Copies name's file from the base to the private tree and records it. data: with content;
 * without, an empty file with the same attributes. probe, if not NULL, may refuse the copy
 * before anyone sees it: it is given the copy's own name. Under the lock. */
typedef NTSTATUS file_probe(void *context, OBJECT_ATTRIBUTES *copy);
NTSTATUS file_copy_up(struct file_name *name, bool data, file_probe *probe, void *context);
/* Gives the name the spelling of the object that the host has open as base: another one of
 * the same name (case, short name), or, where links lead elsewhere, another name, which is
 * then recorded as what it is: an alias. Under the lock. */
NTSTATUS file_use_true_name(struct file_name *name, HANDLE base);
/* The name is to be the target of a rename, a link or a creation: an existing object keeps
 * its spelling, a new one has the program's. Under the lock. */
NTSTATUS file_spell_target(struct file_name *name, bool exists);
/* True when something lies at the name's place in the private tree. */
bool file_private_exists(struct file_name *name);
/* ... and is no directory. */
bool file_private_is_file(struct file_name *name);
/* Nothing lies at the name's place: the status that says so, which depends on whether the
 * directory is there in which it could lie. */
NTSTATUS file_missing_status(struct file_name *name);
/* True when something lies there in the base; *directory says what. */
bool file_base_exists(struct file_name *name, bool *directory, NTSTATUS *status);
/* Makes an empty file in the workspace's folder for copies in the making; attr receives its
 * name, in a buffer of name's. */
NTSTATUS file_create_temporary(struct file_name *name, struct file_attr *attr, HANDLE *handle);
/* Renames (FI_RENAME) or links (FI_LINK) the handle's object to an NT name. */
NTSTATUS file_rename_handle(HANDLE handle, UNICODE_STRING *target, bool replace, ULONG class);
/* Marks the handle's object for deletion at its close. */
void file_delete_handle(HANDLE handle);
/* Deletes the name's private object at once (folder or file), if it is there. */
NTSTATUS file_delete_private(struct file_name *name);
/* STATUS_SUCCESS when the directory shows no entry to the VM, STATUS_DIRECTORY_NOT_EMPTY
 * when it does, or an error. */
NTSTATUS file_directory_empty(struct file_name *name);
/* Records that name is deleted: hidden when the base has something there, else forgotten.
 * Under the lock. */
NTSTATUS file_record_deleted(struct file_name *name);
/* After a handle was closed that may have deleted its private file: records it if it did. */
void file_closed_deleted(struct fvm_wstr view);
/* Deletes what the VM sees of the base at view, unless it is still open in the VM: then the
 * last one to close it does. */
void file_delete_seen(struct fvm_wstr view);

/* --- handles.c: what is remembered about open handles ------------------------------------------ */
struct file_listing;
struct file_handle {
    uint32_t references;
    bool delete_on_close; /* look whether the private file is gone when this is closed */
    bool delete_base;     /* what the VM sees of the base here is deleted when this is closed */
    bool delete_for_good; /* ... and that cannot be taken back (FILE_DELETE_ON_CLOSE) */
    bool registered;      /* a watch of this directory stands in the register (watch.c) */
    uint32_t note;        /* id in the table of open files (opens.c), or 0 */
    HANDLE replacement;   /* what calls on the handle are made on instead (stale.c) */
    struct file_listing *listing;
    guest_lock lock; /* of the listing */
    uint32_t view_len;
    fvm_wchar view[]; /* canonical view path when it was opened */
};
/* Remembers handle with a view path (replacing what was known). NULL without memory. */
struct file_handle *file_handle_add(HANDLE handle, struct fvm_wstr view);
/* A reference to what is known of the handle, or NULL. End with file_handle_release(). */
struct file_handle *file_handle_get(HANDLE handle);
void file_handle_release(struct file_handle *h);
/* Forgets the handle value; the entry lives on while it is referenced. Returns the entry
 * with a reference, for work after the close, or NULL. */
struct file_handle *file_handle_remove(HANDLE handle);

/* The id of the handle's note, 0 when it has none. */
uint32_t file_handle_open_id(HANDLE handle);
/* Takes or frees the lock of the table (see guest_memory_hold()). */
void file_handles_hold(bool hold);
/* Called when this process ends itself: deletions that are due at the close of handles. */
void file_handles_at_exit(void);
/* Remembers that handle is one on a file of the base: id is file_open_note()'s. */
void file_handle_set_open(HANDLE handle, uint32_t id);

/* --- opens.c: files of the base that are open in the VM -------------------------------------------- */
uint64_t file_open_key(struct fvm_wstr base);
/* Notes an open file; returns its id, 0 when there is no room (then it is not asked about). */
uint32_t file_open_note(uint64_t key, ACCESS_MASK access, ULONG sharing, bool synchronous);
/* Was the noted handle opened for synchronous use? */
bool file_open_is_synchronous(uint32_t id);
void file_open_forget(uint32_t id);
/* Does the noted handle go together with all others on its file? Asked once it is noted, so
 * that of two that do not go together at least one is told. */
bool file_open_fits(uint32_t id);
/* Forgets all handles of this process, which ends. */
void file_opens_at_exit(void);
/* Notes one more handle like the noted one; returns its id, 0 without room. */
uint32_t file_open_copy(uint32_t id);
/* Takes or frees the lock of this process's notes (see guest_memory_hold()). */
void file_opens_hold(bool hold);
/* Is the file to be deleted when the last handle on it is closed? */
bool file_open_is_doomed(uint32_t id);
/* Says so to all who have it open. Returns false when nobody has. */
bool file_open_doom(struct fvm_wstr base);
/* Is any handle of the file open in the VM? */
bool file_open_in_vm(struct fvm_wstr base);
/* May it be opened so, next to those that are open? */
bool file_open_allowed(struct fvm_wstr base, ACCESS_MASK wanted, ULONG sharing);

/* --- links.c ------------------------------------------------------------------------------------------ */
/* Where the VM has changed what lies beyond drive C:, finds out whether the name leads there
 * through a link, and looks it up as what it is. Not under the lock. */
void file_follow_links(struct file_name *name);

/* --- watch.c ------------------------------------------------------------------------------------------ */
/* Gives a directory of the base a private folder and marks it as watched. */
NTSTATUS file_watch(struct file_name *name);
/* Under the lock, before the record: makes what is renamed or deleted in a watched directory
 * the VM's own, so that it happens on disk, too. */
NTSTATUS file_act_out_rename(struct file_name *from, struct file_name *to, bool directory);
void file_act_out_deletion(struct file_name *name, bool directory);

/* --- volume.c ----------------------------------------------------------------------------------------- */
/* Opens the root of the drive on which the VM sees a private object; NULL when the host tells
 * the right volume by itself. */
HANDLE file_open_volume(HANDLE handle);

/* --- stale.c ------------------------------------------------------------------------------------------ */
/* The handle to make a call on: a handle on a file of the base of which the VM has a copy by
 * now is replaced by one on the copy. Returns handle itself where nothing changed. */
HANDLE file_current(HANDLE handle);

/* --- machine_pipe.c ----------------------------------------------------------------------------- */
/* NtSetInformationFile of FI_PIPE. */
NTSTATUS file_set_pipe_mode(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length);

/* --- listing.c ---------------------------------------------------------------------------------- */
void file_listing_free(struct file_listing *listing);

/* --- the hooks, one file per kind ------------------------------------------------------------------ */
NTSTATUS NTAPI file_hook_create(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *,
                                LARGE_INTEGER *, ULONG, ULONG, ULONG, ULONG, void *, ULONG);
NTSTATUS NTAPI file_hook_open(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG,
                              ULONG);
NTSTATUS NTAPI file_hook_remove(OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI file_hook_query_attributes(OBJECT_ATTRIBUTES *, FILE_BASIC_INFORMATION *);
NTSTATUS NTAPI file_hook_query_full_attributes(OBJECT_ATTRIBUTES *,
                                               FILE_NETWORK_OPEN_INFORMATION *);
NTSTATUS NTAPI file_hook_query_directory(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *,
                                         ULONG, ULONG, BOOLEAN, UNICODE_STRING *, BOOLEAN);
NTSTATUS NTAPI file_hook_query_information(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
NTSTATUS NTAPI file_hook_set_information(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
NTSTATUS NTAPI file_hook_read(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG,
                              LARGE_INTEGER *, ULONG *);
NTSTATUS NTAPI file_hook_lock_range(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *,
                                    LARGE_INTEGER *, LARGE_INTEGER *, ULONG *, BOOLEAN, BOOLEAN);
NTSTATUS NTAPI file_hook_unlock_range(HANDLE, IO_STATUS_BLOCK *, LARGE_INTEGER *, LARGE_INTEGER *,
                                      ULONG *);
NTSTATUS NTAPI file_hook_create_section(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, LARGE_INTEGER *,
                                        ULONG, ULONG, HANDLE);
NTSTATUS NTAPI file_hook_query_volume(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, ULONG);
NTSTATUS NTAPI file_hook_query_object(HANDLE, ULONG, void *, ULONG, ULONG *);
NTSTATUS NTAPI file_hook_query_memory(HANDLE, const void *, ULONG, void *, SIZE_T, SIZE_T *);
NTSTATUS NTAPI file_hook_notify(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG,
                                ULONG, BOOLEAN);
NTSTATUS NTAPI file_hook_close(HANDLE);
NTSTATUS NTAPI file_hook_duplicate(HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG);
NTSTATUS NTAPI file_hook_suspend_thread(HANDLE, ULONG *);
NTSTATUS NTAPI file_hook_suspend_process(HANDLE);
NTSTATUS NTAPI file_hook_terminate_thread(HANDLE, NTSTATUS);
NTSTATUS NTAPI file_hook_terminate_process(HANDLE, NTSTATUS);
NTSTATUS NTAPI file_hook_nt_to_unix(const OBJECT_ATTRIBUTES *, char *, ULONG *, UINT);
NTSTATUS NTAPI file_hook_unix_to_nt(const char *, WCHAR *, ULONG *);

#endif
