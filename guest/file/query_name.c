/* Calls that tell the name of an open or mapped object: the program gets the view path. */
#include "file.h"

/* Text of a UNICODE_STRING result that the host has just filled in, as the VM's name.
 * Returns the new length in units and the text in view, 0 when the name stays. */
static uint32_t view_of(const UNICODE_STRING *string, fvm_wchar *scratch, fvm_wchar **view)
{
    UNICODE_STRING text;

    if (!guest_read(&text, string, sizeof text) || !text.Buffer || !text.Length) return 0;
    uint32_t len = text.Length / 2;
    *view = scratch + FILE_NAME_CAP;
    if (!guest_read(scratch, text.Buffer, text.Length)) return 0;
    uint32_t object = guest_object_view_name((struct fvm_wstr){scratch, len}, *view, FILE_NAME_CAP);
    return object ? object
                  : guest_file_view_name((struct fvm_wstr){scratch, len}, *view, FILE_NAME_CAP);
}

/* Is it the name of a file, not of another object? */
static bool names_file(const fvm_wchar *name, uint32_t len)
{
    return len > 3 && name[1] == '?' && name[2] == '?' && name[3] == '\\';
}

/* Writes a result of string header, text and terminator to the program's buffer. */
static NTSTATUS put_string(void *info, size_t length, const fvm_wchar *text, uint32_t units,
                           size_t *used)
{
    UNICODE_STRING string = {
        .Length = (USHORT)(units * 2),
        .MaximumLength = (USHORT)(units * 2 + 2),
        .Buffer = (WCHAR *)((UNICODE_STRING *)info + 1),
    };
    WCHAR end = 0;

    *used = sizeof string + string.MaximumLength;
    if (length < sizeof string) return NT_INFO_LENGTH_MISMATCH;
    if (length < *used) return ST_BUFFER_OVERFLOW;
    if (!guest_write(info, &string, sizeof string) ||
        !guest_write(string.Buffer, text, string.Length) ||
        !guest_write(string.Buffer + units, &end, sizeof end))
        return NT_ACCESS_VIOLATION;
    return STATUS_SUCCESS;
}

static bool too_small(NTSTATUS status)
{
    return status == ST_BUFFER_OVERFLOW || status == NT_INFO_LENGTH_MISMATCH;
}

/* A call that answers with a string: either kind of object is asked for again through this,
 * with a buffer that holds any name. */
struct string_query {
    HANDLE object;
    const void *address; /* NULL: NtQueryObject; else NtQueryVirtualMemory */
    ULONG class;
};

static bool ask_again(const struct string_query *q, void *buffer)
{
    const ULONG size = 2 * FILE_NAME_CAP;
    ULONG used;
    SIZE_T used_memory;

    return q->address ? !file_real.query_memory(q->object, q->address, q->class, buffer, size,
                                                &used_memory)
                      : !file_real.query_object(q->object, q->class, buffer, size, &used);
}

/* Puts the VM's name in the place of the host's. used receives the size of the answer, 0 when
 * the host's answer stands. */
static NTSTATUS answer(const struct string_query *q, void *info, size_t length, NTSTATUS status,
                       size_t *used)
{
    fvm_wchar *scratch, *view;
    uint32_t len = 0;

    *used = 0;
    if ((status && !too_small(status)) || !(scratch = guest_scratch_get())) return status;
    if (!q->address && (len = guest_registry_name(q->object, scratch))) {
        view = scratch;
    } else if (!status) {
        len = view_of(info, scratch, &view);
    } else {
        /* the real name did not fit; the VM's may be shorter */
        UNICODE_STRING *whole = (void *)(scratch + 2 * FILE_NAME_CAP);
        if (ask_again(q, whole)) len = view_of(whole, scratch, &view);
    }
    if (len) status = put_string(info, length, view, len, used);
    /* of objects the host gives the whole name or nothing */
    if (len && status == ST_BUFFER_OVERFLOW && !names_file(view, len))
        status = NT_INFO_LENGTH_MISMATCH;
    guest_scratch_put(scratch);
    return status;
}

NTSTATUS NTAPI file_hook_query_object(HANDLE handle, ULONG class, void *info, ULONG length,
                                      ULONG *used)
{
    NTSTATUS status = file_real.query_object(handle, class, info, length, used);
    struct string_query query = {.object = handle, .class = class};
    size_t size = 0;

    if (class == ObjectNameInformation) status = answer(&query, info, length, status, &size);
    ULONG written = (ULONG)size;
    if (size && used && !guest_write(used, &written, sizeof written)) return NT_ACCESS_VIOLATION;
    return status;
}

NTSTATUS NTAPI file_hook_query_memory(HANDLE process, const void *address, ULONG class, void *info,
                                      SIZE_T length, SIZE_T *used)
{
    NTSTATUS status = file_real.query_memory(process, address, class, info, length, used);
    struct string_query query = {.object = process, .address = address, .class = class};
    size_t size = 0;

    if (class == 2 /* MemoryMappedFilenameInformation */)
        status = answer(&query, info, length, status, &size);
    SIZE_T written = size;
    if (size && used && !guest_write(used, &written, sizeof written)) return NT_ACCESS_VIOLATION;
    uint64_t functions;
    if (class == GUEST_MEMORY_UNIX_FUNCS && !status && process == NT_CURRENT_PROCESS &&
        guest_read(&functions, info, sizeof functions))
        guest_unix_loaded(functions);
    return status;
}

/* Might the name in a FILE_NAME_INFORMATION (without drive) be another one in the VM? */
static bool may_differ(const struct nt_file_name_info *info, ULONG room)
{
    const struct fvm_shared_path *ws = &guest_shared->workspace_canon;
    uint32_t drive = 0, len = (info->length < room ? info->length : room) / 2;

    if (fvm_index_has_origins(guest_index)) return true;
    while (drive < ws->len && ws->text[drive] != '\\')
        drive++;
    /* cut off in the middle of the workspace's own path: look more closely */
    if (len < ws->len - drive) return info->length > room;
    return fvm_name_equal((const fvm_wchar *)info->name, ws->len - drive, ws->text + drive,
                          ws->len - drive);
}

/* The view path without its drive takes the place of the host's name. info: result of a call
 * with a buffer of length bytes; the name's structure lies at at. */
static NTSTATUS rename_result(HANDLE handle, IO_STATUS_BLOCK *io, uint8_t *info, ULONG length,
                              ULONG at, NTSTATUS status)
{
    static const fvm_wchar root = '\\';
    struct file_name name;
    bool is_private;

    if (file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED) return status;
    if (is_private || name.look.verdict == FVM_BASE) {
        uint32_t drive = 0;
        while (drive < name.look.canon_len && name.look.canon[drive] != '\\')
            drive++;
        const fvm_wchar *text = name.look.canon + drive;
        uint32_t bytes = (name.look.canon_len - drive) * 2, room = length - at - sizeof(ULONG);
        if (!bytes) text = &root, bytes = sizeof root;
        uint32_t fit = bytes < room ? bytes : room;
        memcpy(info + at, &bytes, sizeof bytes);
        memcpy(info + at + sizeof(ULONG), text, fit);
        io->Information = at + sizeof(ULONG) + fit;
        io->Status = status = fit < bytes ? ST_BUFFER_OVERFLOW : STATUS_SUCCESS;
    }
    file_name_free(&name);
    return status;
}

/* The host writes to a buffer of ours: what stands behind the name in the program's buffer
 * must stay as it is, and the host's name may be the longer one. */
static NTSTATUS query_with_name(HANDLE handle, IO_STATUS_BLOCK *program_io, void *program_info,
                                ULONG length, ULONG class, ULONG at)
{
    uint8_t *info = guest_scratch_get();
    IO_STATUS_BLOCK io = {.Status = STATUS_SUCCESS};

    if (!info) return NT_NO_MEMORY;
    if (length > GUEST_SCRATCH_SIZE) length = GUEST_SCRATCH_SIZE;
    NTSTATUS status = file_real.query_information(handle, &io, info, length, class);
    bool done = !status || status == ST_BUFFER_OVERFLOW;
    if (done && length >= at + sizeof(ULONG)) {
        if (!guest_pipe_file_name(file_real.query_information, handle, &io, info, length, class,
                                  at, &status) &&
            may_differ((struct nt_file_name_info *)(info + at), length - at - sizeof(ULONG)))
            status = rename_result(handle, &io, info, length, at, status);
        if (!guest_write(program_info, info, io.Information)) status = NT_ACCESS_VIOLATION;
    }
    guest_scratch_put(info);
    if (done && !guest_write(program_io, &io, sizeof io)) status = NT_ACCESS_VIOLATION;
    return status;
}

/* FileIdInformation names the volume too. */
static NTSTATUS query_id(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG length)
{
    NTSTATUS status = file_real.query_information(handle, io, info, length, FI_ID);
    struct { uint64_t serial; uint8_t id[16]; } of_root;
    IO_STATUS_BLOCK root_io;
    HANDLE root;

    if (status || !(root = file_open_volume(handle))) return status;
    if (!file_real.query_information(root, &root_io, &of_root, sizeof of_root, FI_ID) &&
        !guest_write(info, &of_root.serial, sizeof of_root.serial))
        status = NT_ACCESS_VIOLATION;
    file_real.close(root);
    return status;
}

NTSTATUS NTAPI file_hook_query_information(HANDLE handle, IO_STATUS_BLOCK *io, void *info,
                                           ULONG length, ULONG class)
{
    handle = file_current(handle);
    switch (class) {
    case FI_NAME:
        return query_with_name(handle, io, info, length, class, 0);
    case FI_ALL:
        return query_with_name(handle, io, info, length, class,
                               offsetof(FILE_ALL_INFORMATION, NameInformation));
    case FI_ID:
        return query_id(handle, io, info, length);
    default:
        return file_real.query_information(handle, io, info, length, class);
    }
}
