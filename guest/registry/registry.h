/* Inside of the registry namespace. See docs/design/registry.md. */
#ifndef GUEST_REGISTRY_H
#define GUEST_REGISTRY_H

#include "guest.h"
#include "guest_nt.h"
#include "fvm/registry.h"
#include "fvm/registry_log.h"

#define NT_NO_MORE_ENTRIES        GUEST_STATUS(0x8000001a)
#define NT_BUFFER_OVERFLOW        GUEST_STATUS(0x80000005)
#define NT_BUFFER_TOO_SMALL       GUEST_STATUS(0xc0000023)
#define NT_OBJECT_NAME_INVALID    GUEST_STATUS(0xc0000033)
#define NT_OBJECT_NAME_NOT_FOUND  GUEST_STATUS(0xc0000034)
#define NT_OBJECT_NAME_COLLISION  GUEST_STATUS(0xc0000035)
#define NT_OBJECT_PATH_NOT_FOUND  GUEST_STATUS(0xc000003a)
#define NT_OBJECT_PATH_SYNTAX_BAD GUEST_STATUS(0xc000003b)
#define NT_INSUFFICIENT_RESOURCES GUEST_STATUS(0xc000009a)
#define NT_MEDIA_WRITE_PROTECTED  GUEST_STATUS(0xc00000a2)
#define NT_DISK_FULL              GUEST_STATUS(0xc000007f)
#define NT_CANNOT_DELETE          GUEST_STATUS(0xc0000121)
#define NT_KEY_DELETED            GUEST_STATUS(0xc000017c)
#define NT_CHILD_MUST_BE_VOLATILE GUEST_STATUS(0xc0000181)
#define NT_PENDING                GUEST_STATUS(0x00000103)
#define NT_PRIVILEGE_NOT_HELD     GUEST_STATUS(0xc0000061)

/* Information classes. */
enum {
    KEY_BASIC = 0,
    KEY_NODE = 1,
    KEY_FULL = 2,
    KEY_NAME = 3,
    KEY_CACHED = 4,
    VALUE_BASIC = 0,
    VALUE_FULL = 1,
    VALUE_PARTIAL = 2,
};

#define OPTION_CREATE_LINK 2U
#define OBJ_OPEN_LINK      0x100U

struct key_basic_info {
    LARGE_INTEGER time;
    ULONG title_index, name_length;
    WCHAR name[];
};

struct key_node_info {
    LARGE_INTEGER time;
    ULONG title_index, class_offset, class_length, name_length;
    WCHAR name[];
};

struct key_full_info {
    LARGE_INTEGER time;
    ULONG title_index, class_offset, class_length;
    ULONG subkeys, max_name, max_class, values, max_value_name, max_value_data;
    WCHAR class[];
};

struct key_name_info {
    ULONG size; /* in bytes */
    WCHAR name[];
};

struct key_cached_info {
    LARGE_INTEGER time;
    ULONG title_index, subkeys, max_name, values, max_value_name, max_value_data, name_length;
};

struct value_basic_info {
    ULONG title_index, type, name_length;
    WCHAR name[];
};

struct value_full_info {
    ULONG title_index, type, data_offset, data_length, name_length;
    WCHAR name[];
};

struct value_partial_info {
    ULONG title_index, type, size;
    UCHAR data[];
};

/* --- hooks.c: the host's own calls behind our hooks --------------------------------------- */
struct reg_real {
    NTSTATUS(NTAPI *create_key)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG,
                                const UNICODE_STRING *, ULONG, ULONG *);
    NTSTATUS(NTAPI *open_key)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *open_key_ex)(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
    NTSTATUS(NTAPI *delete_key)(HANDLE);
    NTSTATUS(NTAPI *rename_key)(HANDLE, UNICODE_STRING *);
    NTSTATUS(NTAPI *query_key)(HANDLE, int, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *enumerate_key)(HANDLE, ULONG, int, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *query_value)(HANDLE, const UNICODE_STRING *, int, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *enumerate_value)(HANDLE, ULONG, int, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *set_value)(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
    NTSTATUS(NTAPI *delete_value)(HANDLE, const UNICODE_STRING *);
    NTSTATUS(NTAPI *notify)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, ULONG, BOOLEAN,
                            void *, ULONG, BOOLEAN);
    NTSTATUS(NTAPI *notify_multiple)(HANDLE, ULONG, OBJECT_ATTRIBUTES *, HANDLE, void *, void *,
                                     IO_STATUS_BLOCK *, ULONG, BOOLEAN, void *, ULONG, BOOLEAN);
    NTSTATUS(NTAPI *load_key)(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *load_key2)(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *, ULONG);
    NTSTATUS(NTAPI *load_key_ex)(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *, ULONG, HANDLE,
                                 HANDLE, ACCESS_MASK, HANDLE *, IO_STATUS_BLOCK *);
    NTSTATUS(NTAPI *unload_key)(OBJECT_ATTRIBUTES *);
    NTSTATUS(NTAPI *save_key)(HANDLE, HANDLE);
    NTSTATUS(NTAPI *flush_key)(HANDLE);
    NTSTATUS(NTAPI *set_security)(HANDLE, SECURITY_INFORMATION, void *);
    NTSTATUS(NTAPI *query_security)(HANDLE, SECURITY_INFORMATION, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *query_object)(HANDLE, ULONG, void *, ULONG, ULONG *);
    NTSTATUS(NTAPI *close)(HANDLE);
};
extern struct reg_real reg_real;

static inline struct fvm_reg *reg_store(void)
{
    return (struct fvm_reg *)((uint8_t *)guest_shared + guest_shared->reg_offset);
}

static inline struct fvm_reg_state *reg_shared(void) { return fvm_reg_state(reg_store()); }

static inline struct fvm_wstr reg_wstr(const UNICODE_STRING *s)
{
    return (struct fvm_wstr){(const fvm_wchar *)s->Buffer, s->Length / (uint32_t)sizeof(WCHAR)};
}

/* The parent's part of a path. */
static inline struct fvm_wstr reg_parent(struct fvm_wstr path)
{
    while (path.len && path.ptr[path.len - 1] != '\\')
        path.len--;
    if (path.len) path.len--;
    return path;
}

/* The host refuses all other classes of information before it looks at anything else. */
static inline bool reg_key_class_known(int class)
{
    return class >= KEY_BASIC && class <= KEY_CACHED;
}

/* --- handle.c: what is remembered about key handles ------------------------------------------ */
struct reg_listing;
struct reg_watcher;

/* A handle is one on a key of the base, or on the shadow of a private key: a volatile key
 * without content that is there to be a handle's object. */
struct reg_handle {
    uint32_t references;
    uint32_t serial; /* of the private key; 0: a key of the base */
    ACCESS_MASK access;
    bool access_known;
    bool true_name;              /* base is spelled as in the base */
    volatile uint64_t cache;     /* base: sequence of the store << 32 | node */
    guest_lock lock;             /* of what follows */
    HANDLE reader;               /* on the same key of the base, with all rights to read */
    struct reg_listing *keys, *values;
    struct reg_watcher *watcher;
    HANDLE bearer; /* base: of what the VM has set as its security by this handle */
    uint32_t base_len;
    fvm_wchar base[]; /* place in the base */
};

/* What a handle refers to at the moment. */
struct reg_key {
    struct reg_handle *h; /* with a reference */
    HANDLE handle;
    bool is_private;
    uint32_t node;  /* 0: the store knows nothing of the key */
    uint32_t birth; /* of the node */
};

enum reg_kind {
    REG_PASS,   /* nothing of the VM's is to be seen through the handle: the host answers */
    REG_OURS,   /* key is filled; end with reg_key_end() */
    REG_FAILED, /* *status is the answer */
};
/* Finds out. always: also when the VM has changed nothing yet. */
enum reg_kind reg_key_begin(HANDLE handle, bool always, struct reg_key *key, NTSTATUS *status);
/* Again, after a change. False: the key was deleted. */
bool reg_key_again(struct reg_key *key);
/* The answer to a call that needs these rights on a handle that reg_key_begin() failed for: the
 * host looks at the rights first. */
NTSTATUS reg_failed(HANDLE handle, ACCESS_MASK access, NTSTATUS status);
/* Why a handle could not be resolved with always set: what the host says to it. */
NTSTATUS reg_no_key(HANDLE handle);
void reg_key_end(struct reg_key *key);

/* Remembers what a new handle is. access: as asked for at the open. */
void reg_handle_add_base(HANDLE handle, ACCESS_MASK access, struct fvm_wstr base, bool true_name);
/* The same of a key of the base below that of root (NULL: \Registry), where node was what the
 * store had of it at the time seq. */
void reg_handle_add_below(HANDLE handle, ACCESS_MASK access, const struct reg_handle *root,
                          struct fvm_wstr rest, uint32_t seq, uint32_t node);
void reg_handle_add_private(HANDLE handle, ACCESS_MASK access, uint32_t serial);
void reg_handle_release(struct reg_handle *h);

/* STATUS_SUCCESS when the handle was given all of these rights. */
NTSTATUS reg_check_access(struct reg_key *key, ACCESS_MASK access);
/* A handle on the key of the base that may read everything; NULL when it is gone. Under
 * key->h->lock. */
HANDLE reg_reader(struct reg_key *key);
/* FVM_REG_* of the key's node, 0 when it has none any more. */
uint32_t reg_key_flags(const struct reg_key *key);
/* The key's path in the VM. dst: FVM_REG_PATH_MAX units. Returns the length, negative when it
 * was deleted. spelled: of a key of the base, as the base spells it. */
int reg_key_path(struct reg_key *key, fvm_wchar *dst, bool spelled);
/* Reads, with care for writers: while (reg_reading(&seq)) { ... }. Start with seq = 0. */
struct reg_read {
    uint32_t seq, tries;
    bool started;
};
bool reg_reading(struct reg_read *read);

/* --- name.c: from the program's names to keys --------------------------------------------------- */

/* Buffers of one name, all in one scratch block. */
struct reg_name {
    fvm_wchar *input; /* the path asked for */
    uint32_t input_len;
    fvm_wchar *nt; /* for names for the host: FVM_REG_PATH_MAX + 16 units */
    struct fvm_reg_lookup look;
    bool is_relative;
    ACCESS_MASK ignored;
};
/* The same kinds: PASS when the name is none of the registry's, or the host refuses it. */
enum reg_kind reg_resolve(const OBJECT_ATTRIBUTES *attr, bool open_link, struct reg_name *name,
                          NTSTATUS *status);
/* Looks up again. */
NTSTATUS reg_look_again(struct reg_name *name, bool open_link);
void reg_name_free(struct reg_name *name);
/* An absolute name for the host of a path below \Registry. */
void reg_nt_name(struct fvm_wstr path, fvm_wchar *dst, UNICODE_STRING *text);
/* Is this the name of some VM's key of shadows? */
bool reg_is_shadow_name(struct fvm_wstr name);
/* Opens the private key with this serial number: a handle on its shadow. */
NTSTATUS reg_open_shadow(uint32_t serial, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                         HANDLE *handle);
/* A volatile key in the VM's place for shadows: a letter, then a number. make: also one that is
 * not there yet. */
NTSTATUS reg_open_helper(char letter, uint32_t number, bool make, ACCESS_MASK access,
                         const OBJECT_ATTRIBUTES *attr, HANDLE *handle);
/* The number in such a key's full name, 0 when it is none of this VM's. */
uint32_t reg_helper_number(struct fvm_wstr full, char letter);

/* --- change.c: the writer's lock and the log ------------------------------------------------------ */
void reg_lock(void);
void reg_unlock(void);
/* Writes the record to the log and applies it. seq and time are filled in (time only when
 * keep_time is not set). data may lie anywhere in the guest's memory. Under the lock. */
NTSTATUS reg_record(struct fvm_reg_record *rec);
/* Tells those who wait for changes of the key at path. what: REG_NOTIFY_*. Not under the lock. */
void reg_tell(struct fvm_wstr path, ULONG what);
/* The system's time. */
uint64_t reg_now(void);

/* --- list.c: merged order of the base's and the VM's entries ---------------------------------------- */
struct reg_entry {
    bool own;        /* what the VM has: index in the store; else index in the base */
    uint32_t index;
    uint32_t node;   /* keys, own: its node */
    uint32_t birth;  /* of the node */
    struct fvm_wstr base_name; /* values: own, in the place of one of the base: that one's name */
};
/* What stands at an index of the merged list of a key of the base. fresh: the base is asked
 * whether it has changed. STATUS_NO_MORE_ENTRIES beyond the end. Under key->h->lock. */
NTSTATUS reg_list_at(struct reg_key *key, bool values, uint32_t index, bool fresh,
                     struct reg_entry *entry);
/* The host has just told how many entries the base has, and when the key was last changed. */
NTSTATUS reg_list_base_is(struct reg_key *key, bool values, uint32_t count, uint64_t time);
/* How many entries there are. */
NTSTATUS reg_list_count(struct reg_key *key, bool values, bool fresh, uint32_t *count);
/* Forgets what is known of the base. */
void reg_list_forget(struct reg_key *key, bool values);
/* Is the entry at index in the base hidden in the VM? */
bool reg_list_hidden(struct reg_key *key, bool values, uint32_t index);
/* Name at index in the base, or one with length 0 and a NULL pointer. */
struct fvm_wstr reg_list_base_name(struct reg_key *key, bool values, uint32_t index);
/* The same without asking the host for it. */
struct fvm_wstr reg_list_known_name(struct reg_key *key, bool values, uint32_t index);
/* Keeps the name of a subkey of the base that the host has just told. */
void reg_list_learn(struct reg_key *key, uint32_t index, struct fvm_wstr name);
uint32_t reg_list_base_count(struct reg_key *key, bool values);
/* The longest name, and class or data, of the base's entries that are seen: kept as long as neither
 * side changes. False: not known. */
bool reg_list_lengths(struct reg_key *key, bool values, uint32_t *name, uint32_t *other);
void reg_list_set_lengths(struct reg_key *key, bool values, uint32_t name, uint32_t other);
/* How many of the base's entries are hidden. */
uint32_t reg_list_hides(struct reg_key *key, bool values);
/* The next one of them: *at begins with 0. */
bool reg_list_next_hidden(struct reg_key *key, bool values, uint32_t *at, uint32_t *index);
void reg_list_free(struct reg_listing *list);

/* --- info.c: what is known of a key, and its form for the program -------------------------------------- */
struct reg_info {
    uint64_t time;
    uint32_t subkeys, values;
    uint32_t max_name, max_class, max_value_name, max_value_data; /* bytes */
    struct fvm_wstr name, class;
};
/* Fills it for a private node. Texts point into the store. */
void reg_info_private(uint32_t node, struct reg_info *info);
/* Writes an answer of NtQueryKey or NtEnumerateKey as the host does. name: what the class
 * gives as name (KEY_NAME: the full one). */
NTSTATUS reg_put_key(int class, void *buffer, ULONG length, ULONG *used,
                     const struct reg_info *info, struct fvm_wstr name);

/* --- key.c -------------------------------------------------------------------------------------------------- */
/* The key's full name as the host forms it. Returns its length, 0 when it was deleted. */
uint32_t reg_full_name(struct reg_key *key, fvm_wchar *dst);
/* The facts of a key, merged, as far as this class of information needs them. name and class point
 * to text, of 64 KiB. Under key->h->lock. */
NTSTATUS reg_info_merged(struct reg_key *key, int class, struct reg_info *info, fvm_wchar *text);

/* --- key_change.c ------------------------------------------------------------------------------------------- */
/* Deletes the key with all below it. */
NTSTATUS reg_delete_tree(struct reg_key *key);

/* --- notify.c ---------------------------------------------------------------------------------------------- */
void reg_watcher_free(struct reg_watcher *watcher);

/* --- security.c --------------------------------------------------------------------------------------------- */
/* May the VM open the base's key with these rights, after what it has set itself? *access becomes
 * what the host is to be asked for. */
NTSTATUS reg_may_open(struct fvm_wstr base, ACCESS_MASK *access);

/* --- services.c --------------------------------------------------------------------------------------------- */
/* After a value was queried, with success, by a process that serves the VM: the VM's service
 * manager does not get to see services that are the host's business. */
void reg_services_filter(HANDLE handle, const UNICODE_STRING *given, int class, void *buffer);

/* --- the hooks ------------------------------------------------------------------------------------------------ */
NTSTATUS NTAPI reg_hook_create_key(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG,
                                   const UNICODE_STRING *, ULONG, ULONG *);
NTSTATUS NTAPI reg_hook_open_key(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI reg_hook_open_key_ex(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
NTSTATUS NTAPI reg_hook_delete_key(HANDLE);
NTSTATUS NTAPI reg_hook_rename_key(HANDLE, UNICODE_STRING *);
NTSTATUS NTAPI reg_hook_query_key(HANDLE, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI reg_hook_enumerate_key(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI reg_hook_query_value(HANDLE, const UNICODE_STRING *, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI reg_hook_enumerate_value(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI reg_hook_set_value(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *,
                                  ULONG);
NTSTATUS NTAPI reg_hook_delete_value(HANDLE, const UNICODE_STRING *);
NTSTATUS NTAPI reg_hook_notify(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, ULONG, BOOLEAN,
                               void *, ULONG, BOOLEAN);
NTSTATUS NTAPI reg_hook_notify_multiple(HANDLE, ULONG, OBJECT_ATTRIBUTES *, HANDLE, void *, void *,
                                        IO_STATUS_BLOCK *, ULONG, BOOLEAN, void *, ULONG, BOOLEAN);
NTSTATUS NTAPI reg_hook_load_key(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI reg_hook_load_key2(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *, ULONG);
NTSTATUS NTAPI reg_hook_load_key_ex(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *, ULONG, HANDLE,
                                    HANDLE, ACCESS_MASK, HANDLE *, IO_STATUS_BLOCK *);
NTSTATUS NTAPI reg_hook_unload_key(OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI reg_hook_save_key(HANDLE, HANDLE);
NTSTATUS NTAPI reg_hook_flush_key(HANDLE);
NTSTATUS NTAPI reg_hook_set_security(HANDLE, SECURITY_INFORMATION, void *);
NTSTATUS NTAPI reg_hook_query_security(HANDLE, SECURITY_INFORMATION, void *, ULONG, ULONG *);

#endif
