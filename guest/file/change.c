/* Changes of the VM's state: one writer at a time, each change in the log before anyone can
 * rely on it.
 *
 * The lock lies in the shared block and names its owner. A process may be killed at any
 * instruction; whoever then waits finds the owner dead, takes the lock over, and rebuilds the
 * index from the log, which holds every completed change. */
#include "file.h"

NTSYSAPI NTSTATUS NTAPI NtDelayExecution(BOOLEAN, const LARGE_INTEGER *);
NTSYSAPI NTSTATUS NTAPI NtSetInformationObject(HANDLE, ULONG, void *, ULONG);

#define SPINS                     200       /* before giving the processor away */
#define YIELDS                    50        /* before sleeping */
#define SLEEP_100NS               (-2000LL) /* 0.2 ms */
#define SLEEPS_BEFORE_DEATH_CHECK 25

static HANDLE log_handle;
static uint32_t begun_size; /* of the record that file_record_begin() wrote */
static struct fvm_log_record begun;

/* --- the lock --------------------------------------------------------------------------------- */

static bool is_dead(uint64_t owner)
{
    uint32_t thread = (uint32_t)owner, process = (uint32_t)(owner >> 32);
    OBJECT_ATTRIBUTES attr;
    CLIENT_ID id = {.UniqueThread = (HANDLE)(uintptr_t)thread};
    LARGE_INTEGER now = {.QuadPart = 0};
    HANDLE handle;

    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    if (guest_open_thread(&handle, SYNCHRONIZE | THREAD_QUERY_INFORMATION, &attr, &id)) return true;
    bool dead = NtWaitForSingleObject(handle, FALSE, &now) == STATUS_SUCCESS;
    if (!dead && process) {
        /* the id may have been given to a thread of another process since */
        uint32_t now_of = guest_process_of_thread(handle);
        dead = now_of && now_of != process;
    }
    file_real.close(handle);
    return dead;
}

static bool open_log(void)
{
    static const fvm_wchar name[] = {'\\', 'l', 'o', 'g'};
    uint32_t len = guest_shared->workspace.len;
    UNICODE_STRING text;
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (log_handle) return true;
    fvm_wchar *path = guest_scratch_get();
    if (!path) return false;
    memcpy(path, guest_shared->workspace.text, len * sizeof(WCHAR));
    memcpy(path + len, name, sizeof name);
    text = (UNICODE_STRING){(USHORT)((len + 4) * 2), (USHORT)((len + 4) * 2), (WCHAR *)path};
    InitializeObjectAttributes(&attr, &text, 0, NULL, NULL);
    NTSTATUS status = file_real.create(
        &handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attr, &io, NULL, 0, FILE_SHARE_ALL,
        FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
    guest_scratch_put(path);
    if (status) return false;
    /* programs that close every handle they can think of must not close this one */
    BOOLEAN flags[2] = {FALSE, TRUE}; /* inherit, protect from close */
    NtSetInformationObject(handle, 4 /* ObjectHandleFlagInformation */, flags, sizeof flags);
    log_handle = handle;
    return true;
}

static void record_done(void);

/* After the death of a writer: the log says what is true. A record whose renaming on disk
 * was still to come is finished. */
static void repair(void)
{
    FILE_STANDARD_INFORMATION info;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    struct fvm_log_summary log = {0}, config;
    bool pending = false;

    guest_shared->repairs++;
    fvm_index_reset(guest_index);
    fvm_log_replay((const uint8_t *)guest_shared + guest_shared->config_offset,
                   guest_shared->config_len, guest_index, &config);
    if (open_log() &&
        !file_real.query_information(log_handle, &io, &info, sizeof info, FI_STANDARD)) {
        size_t size = (size_t)info.EndOfFile.QuadPart;
        uint8_t *bytes = guest_alloc(size ? size : 1);
        if (bytes &&
            !file_real.read(log_handle, NULL, NULL, NULL, &io, bytes, (ULONG)size, &offset, NULL) &&
            fvm_log_replay(bytes, size, guest_index, &log)) {
            guest_shared->log_tail = log.valid;
            guest_shared->log_seq = log.last_seq;
            pending = log.records && log.last.op == FVM_LOG_RENAME;
        } else {
            guest_shared->read_only = 1;
        }
        fvm_index_rebuilt(guest_index);
        if (pending) {
            file_finish_rename(log.last.path, log.last.other);
            record_done();
        }
        guest_free(bytes);
    } else {
        guest_shared->read_only = 1;
        fvm_index_rebuilt(guest_index);
    }
}

static void wait_for_owner(uint64_t owner, uint32_t *sleeps)
{
    LARGE_INTEGER time = {.QuadPart = SLEEP_100NS};

    for (int i = 0; i < SPINS; i++) {
        if (guest_shared->lock_owner != owner) return;
        __builtin_ia32_pause();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (guest_shared->lock_owner != owner) return;
        NtYieldExecution();
    }
    NtDelayExecution(FALSE, &time);
    (*sleeps)++;
}

void file_lock(void)
{
    uint64_t self = FVM_LOCK_OWNER(nt_process_id(), nt_thread_id()), last = 0;
    uint32_t sleeps = 0;

    for (;;) {
        uint64_t owner = 0;
        if (__atomic_compare_exchange_n(&guest_shared->lock_owner, &owner, self, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            /* unlocked in an orderly way, and yet a change is half done: a killed reader
             * cannot do that, a killed writer's lock was freed by the process's end */
            if (fvm_index_busy(guest_index)) repair();
            return;
        }
        if (owner != last) last = owner, sleeps = 0;
        wait_for_owner(owner, &sleeps);
        if (sleeps < SLEEPS_BEFORE_DEATH_CHECK || guest_shared->lock_owner != owner) continue;
        sleeps = 0;
        if (!is_dead(owner)) continue;
        if (__atomic_compare_exchange_n(&guest_shared->lock_owner, &owner, self, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            repair();
            return;
        }
    }
}

void file_unlock(void)
{
    __atomic_store_n(&guest_shared->lock_owner, 0, __ATOMIC_RELEASE);
}

/* --- the log ------------------------------------------------------------------------------------
 */

static NTSTATUS write_log(const void *bytes, uint32_t size)
{
    LARGE_INTEGER offset = {.QuadPart = (LONGLONG)guest_shared->log_tail};
    IO_STATUS_BLOCK io;

    if (guest_shared->read_only) return ST_MEDIA_WRITE_PROTECTED;
    if (!open_log()) return ST_IO_DEVICE_ERROR;
    NTSTATUS status =
        NtWriteFile(log_handle, NULL, NULL, NULL, &io, (void *)bytes, size, &offset, NULL);
    if (!status && io.Information != size) status = ST_DISK_FULL;
    return status;
}

/* Ends the log at its tail: what stands behind is no record. */
static void cut_log(void)
{
    LARGE_INTEGER end = {.QuadPart = (LONGLONG)guest_shared->log_tail};
    IO_STATUS_BLOCK io;

    file_real.set_information(log_handle, &io, &end, sizeof end, 20 /* EndOfFile */);
}

NTSTATUS file_record_begin(enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                           struct fvm_wstr other)
{
    struct fvm_log_record record = {
        .op = op, .flags = flags, .seq = guest_shared->log_seq + 1, .path = path, .other = other};
    uint32_t size = fvm_log_size(&record);
    uint8_t small[1024], *bytes = size <= sizeof small ? small : guest_alloc(size);

    if (!bytes) return NT_NO_MEMORY;
    fvm_log_encode(&record, bytes);
    NTSTATUS status = write_log(bytes, size);
    if (bytes != small) guest_free(bytes);
    if (status) {
        if (log_handle) cut_log();
        return status;
    }
    begun = record;
    begun_size = size;
    return STATUS_SUCCESS;
}

void file_record_commit(void)
{
    bool rename = begun.op == FVM_LOG_RENAME;

    if (fvm_log_is_beyond_c(&begun)) guest_shared->changes_beyond_c = 1;

    guest_shared->log_tail += begun_size;
    guest_shared->log_seq = begun.seq;
    if (fvm_log_apply(&begun, guest_index) == FVM_INDEX_FULL) {
        /* nothing more can be remembered: changes end here, what is there stays readable */
        guest_shared->read_only = 1;
        guest_event("fault", "index", begun.path, "the change index is full; the VM is read-only");
    }
    if (rename) record_done();
}

void file_record_cancel(void)
{
    cut_log();
}

/* Ends a rename: from here on an object at the old place is another one, which a repair must
 * not take for a rename that was not finished. */
static void record_done(void)
{
    struct fvm_wstr none = {0};

    if (!file_record_begin(FVM_LOG_DONE, 0, none, none)) {
        guest_shared->log_tail += begun_size;
        guest_shared->log_seq = begun.seq;
    }
}

NTSTATUS file_record(enum fvm_log_op op, uint32_t flags, struct fvm_wstr path,
                     struct fvm_wstr other)
{
    NTSTATUS status = file_record_begin(op, flags, path, other);

    if (!status) file_record_commit();
    return status;
}
