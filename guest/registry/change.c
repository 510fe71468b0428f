/* Changes of the VM's registry: one writer at a time, each change in the log before anyone can
 * rely on it. The lock is the one of all changes of the VM (guest/file/change.c), which frees
 * itself when its owner dies; whoever comes next then rebuilds the store from the log. */
#include "registry.h"
#include "../file/file.h"

NTSYSAPI NTSTATUS NTAPI NtSetInformationObject(HANDLE, ULONG, void *, ULONG);

#define LOG_LONG ((uint64_t)16 << 20) /* a log is written anew from this length on ... */
#define LOG_RATIO 4                   /* ... when it is so many times what the store holds */

static HANDLE log_handle;
static uint64_t not_shortened; /* length of the log at which there was no room to write it anew */
static uint32_t log_generation;

/* The log is not to be closed by programs that close every handle they can think of. */
static void protect(HANDLE handle, bool on)
{
    BOOLEAN flags[2] = {FALSE, on}; /* inherit, protect from close */

    NtSetInformationObject(handle, 4 /* ObjectHandleFlagInformation */, flags, sizeof flags);
}

static NTSTATUS open_file(const char *name, ULONG disposition, HANDLE *handle)
{
    uint32_t len = guest_shared->workspace.len;
    fvm_wchar *path = guest_scratch_get();
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    IO_STATUS_BLOCK io;

    if (!path) return NT_NO_MEMORY;
    memcpy(path, guest_shared->workspace.text, len * sizeof *path);
    path[len++] = '\\';
    while (*name)
        path[len++] = (fvm_wchar)*name++;
    text = (UNICODE_STRING){(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)path};
    InitializeObjectAttributes(&attr, &text, 0, NULL, NULL);
    NTSTATUS status = file_real.create(
        handle, GENERIC_READ | GENERIC_WRITE | DELETE | SYNCHRONIZE, &attr, &io, NULL,
        FILE_ATTRIBUTE_NORMAL, FILE_SHARE_ALL, disposition,
        FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
    guest_scratch_put(path);
    return status;
}

static NTSTATUS open_log(void)
{
    struct fvm_reg_state *state = reg_shared();
    HANDLE handle;

    if (log_handle && log_generation == state->generation) return STATUS_SUCCESS;
    if (log_handle) {
        protect(log_handle, false);
        reg_real.close(log_handle);
        log_handle = NULL;
    }
    NTSTATUS status = open_file("registry", FILE_OPEN_IF, &handle);
    if (status) return status;
    protect(handle, true);
    log_generation = state->generation;
    log_handle = handle;
    return STATUS_SUCCESS;
}

static NTSTATUS write_at(HANDLE handle, uint64_t at, const void *bytes, uint64_t size)
{
    const uint8_t *p = bytes;

    while (size) {
        ULONG part = size > (1u << 30) ? 1u << 30 : (ULONG)size;
        LARGE_INTEGER offset = {.QuadPart = (LONGLONG)at};
        IO_STATUS_BLOCK io;
        NTSTATUS status =
            NtWriteFile(handle, NULL, NULL, NULL, &io, (void *)p, part, &offset, NULL);
        if (status) return status;
        if (io.Information != part) return NT_DISK_FULL;
        p += part, at += part, size -= part;
    }
    return STATUS_SUCCESS;
}

static void cut_log(uint64_t at)
{
    LARGE_INTEGER end = {.QuadPart = (LONGLONG)at};
    IO_STATUS_BLOCK io;

    file_real.set_information(log_handle, &io, &end, sizeof end, 20 /* EndOfFile */);
}

/* After the death of a writer: the log says what is true. */
static void repair(void)
{
    struct fvm_reg *r = reg_store();
    struct fvm_reg_state *state = reg_shared();
    struct fvm_reg_log_summary log = {0};
    FILE_STANDARD_INFORMATION info;
    LARGE_INTEGER offset = {.QuadPart = 0};
    IO_STATUS_BLOCK io;
    bool good = false;

    fvm_reg_reset(r);
    if (!open_log() &&
        !file_real.query_information(log_handle, &io, &info, sizeof info, FI_STANDARD)) {
        size_t size = (size_t)info.EndOfFile.QuadPart;
        uint8_t *bytes = guest_alloc(size ? size : 1);
        good = bytes && (!size || !file_real.read(log_handle, NULL, NULL, NULL, &io, bytes,
                                                       (ULONG)size, &offset, NULL));
        if (good && size && fvm_reg_log_replay(bytes, size, r, &log)) {
            state->log_tail = log.valid;
            state->log_seq = log.last_seq;
        } else {
            state->log_tail = state->log_seq = 0; /* not even its header was written */
        }
        if (good && state->log_tail < size) cut_log(state->log_tail);
        guest_free(bytes);
    }
    if (!good) guest_shared->read_only = 1;
    state->repairs = guest_shared->repairs;
    fvm_reg_rebuilt(r);
}

void reg_lock(void)
{
    file_lock();
    if (fvm_reg_busy(reg_store()) || reg_shared()->repairs != guest_shared->repairs) repair();
}

void reg_unlock(void) { file_unlock(); }

uint64_t reg_now(void)
{
    LARGE_INTEGER now = {0};

    NtQuerySystemTime(&now);
    return (uint64_t)now.QuadPart;
}

/* --- writing the log anew -------------------------------------------------------------------------- */

struct rewriting {
    HANDLE file;
    uint8_t *buffer;
    uint32_t used;
    uint64_t at;
    NTSTATUS status;
};

static bool flush(struct rewriting *w)
{
    if (!w->status) w->status = write_at(w->file, w->at, w->buffer, w->used);
    w->at += w->used;
    w->used = 0;
    return !w->status;
}

static bool collect(void *context, const void *bytes, uint64_t size)
{
    struct rewriting *w = context;
    const uint8_t *p = bytes;

    while (size) {
        uint32_t room = GUEST_SCRATCH_SIZE - w->used, part = size < room ? (uint32_t)size : room;
        memcpy(w->buffer + w->used, p, part);
        w->used += part;
        p += part, size -= part;
        if (w->used == GUEST_SCRATCH_SIZE && !flush(w)) return false;
    }
    return true;
}

/* The log has grown by changes of the same things: it is written aside and takes the place of
 * the old one. Whoever has the old one open sees by the generation that it was replaced. */
static void shorten(void)
{
    struct fvm_reg_state *state = reg_shared();
    struct rewriting w = {.buffer = guest_scratch_get()};
    fvm_wchar *path = guest_scratch_get();
    uint64_t seq;
    bool done = false;

    if (w.buffer && path && !open_file("registry.new-log", 5 /* FILE_OVERWRITE_IF */, &w.file)) {
        done = fvm_reg_log_dump(reg_store(), path, collect, &w, &seq) && flush(&w);
        if (done) {
            uint32_t len = guest_shared->workspace.len;
            static const char name[] = "\\registry";
            memcpy(path, guest_shared->workspace.text, len * sizeof *path);
            for (const char *c = name; *c; c++)
                path[len++] = (fvm_wchar)*c;
            UNICODE_STRING target = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)path};
            done = !file_rename_handle(w.file, &target, true, FI_RENAME);
        }
        if (done) {
            state->log_tail = w.at;
            state->log_seq = seq;
            state->generation++;
        } else {
            file_delete_handle(w.file);
        }
        reg_real.close(w.file);
    }
    not_shortened = done ? 0 : state->log_tail;
    guest_scratch_put(path);
    guest_scratch_put(w.buffer);
}

/* --- records ------------------------------------------------------------------------------------------ */

static NTSTATUS append(const struct fvm_reg_record *rec, uint64_t size)
{
    struct fvm_reg_log_header header = {.magic = FVM_REG_LOG_MAGIC, .version = FVM_REG_LOG_VERSION};
    struct fvm_reg_state *state = reg_shared();
    uint8_t *bytes = size <= GUEST_SCRATCH_SIZE ? guest_scratch_get() : guest_alloc(size);
    NTSTATUS status = bytes ? open_log() : NT_NO_MEMORY;

    if (!status) fvm_reg_log_encode(rec, bytes);
    if (!status && !state->log_tail) {
        status = write_at(log_handle, 0, &header, sizeof header);
        if (!status) state->log_tail = sizeof header;
    }
    if (!status) {
        status = write_at(log_handle, state->log_tail, bytes, size);
        if (status) cut_log(state->log_tail);
    }
    if (size <= GUEST_SCRATCH_SIZE)
        guest_scratch_put(bytes);
    else
        guest_free(bytes);
    return status;
}

NTSTATUS reg_record(struct fvm_reg_record *rec)
{
    struct fvm_reg *r = reg_store();
    struct fvm_reg_state *state = reg_shared();
    uint64_t size = fvm_reg_log_size(rec);

    if (guest_shared->read_only) return NT_MEDIA_WRITE_PROTECTED;
    if (!size || !fvm_reg_has_room(r, size)) return NT_INSUFFICIENT_RESOURCES;
    rec->seq = state->log_seq + 1;
    NTSTATUS status = append(rec, size);
    if (status) return status;
    int rc = fvm_reg_apply(r, rec);
    state->log_tail += size;
    state->log_seq = rec->seq;
    if (rc) {
        guest_shared->read_only = 1;
        guest_event("fault", "registry", rec->path, "a change does not fit the VM's registry");
        return NT_INTERNAL_ERROR;
    }
    if (state->log_tail > LOG_LONG && state->log_tail / LOG_RATIO > fvm_reg_used(r) &&
        state->log_tail > not_shortened + not_shortened / LOG_RATIO)
        shorten();
    return STATUS_SUCCESS;
}
