/* The calls that name objects. */
#include "object.h"

struct object_real object_real;

/* The host's way to fail a call that gives a handle. */
static NTSTATUS fail(HANDLE *handle, NTSTATUS status)
{
    HANDLE none = NULL;

    return guest_write(handle, &none, sizeof(none)) ? status : NT_ACCESS_VIOLATION;
}

/* --- opening ---------------------------------------------------------------------------- */
#define OPEN_HOOK(name, type)                                                                      \
    static NTSTATUS NTAPI hook_open_##name(HANDLE *handle, ACCESS_MASK access,                     \
                                           const OBJECT_ATTRIBUTES *attr)                          \
    {                                                                                              \
        return object_open(type, handle, access, attr);                                            \
    }
OPEN_HOOK(event, OBJECT_EVENT)
OPEN_HOOK(mutant, OBJECT_MUTANT)
OPEN_HOOK(semaphore, OBJECT_SEMAPHORE)
OPEN_HOOK(timer, OBJECT_TIMER)
OPEN_HOOK(keyed_event, OBJECT_KEYED_EVENT)
OPEN_HOOK(completion, OBJECT_COMPLETION)
OPEN_HOOK(job, OBJECT_JOB)
OPEN_HOOK(section, OBJECT_SECTION)
OPEN_HOOK(directory, OBJECT_DIRECTORY)
OPEN_HOOK(link, OBJECT_LINK)

/* --- creating --------------------------------------------------------------------------- */
/* call: the host's, with n.use for the attributes. */
#define CREATE(handle, attr, call)                                                                 \
    do {                                                                                           \
        struct object_name n;                                                                      \
        NTSTATUS status = object_begin_new(&n, attr, false);                                       \
        if (status) return fail(handle, status);                                                   \
        do                                                                                         \
            status = object_real.call;                                                             \
        while (object_again(&n, status));                                                          \
        object_end(&n);                                                                            \
        return status;                                                                             \
    } while (0)

static NTSTATUS NTAPI hook_create_event(HANDLE *handle, ACCESS_MASK access,
                                        const OBJECT_ATTRIBUTES *attr, ULONG type, BOOLEAN state)
{
    CREATE(handle, attr, create_event(handle, access, n.use, type, state));
}

static NTSTATUS NTAPI hook_create_mutant(HANDLE *handle, ACCESS_MASK access,
                                         const OBJECT_ATTRIBUTES *attr, BOOLEAN owned)
{
    CREATE(handle, attr, create_mutant(handle, access, n.use, owned));
}

static NTSTATUS NTAPI hook_create_semaphore(HANDLE *handle, ACCESS_MASK access,
                                            const OBJECT_ATTRIBUTES *attr, LONG initial, LONG most)
{
    CREATE(handle, attr, create_semaphore(handle, access, n.use, initial, most));
}

static NTSTATUS NTAPI hook_create_timer(HANDLE *handle, ACCESS_MASK access,
                                        const OBJECT_ATTRIBUTES *attr, ULONG type)
{
    CREATE(handle, attr, create_timer(handle, access, n.use, type));
}

static NTSTATUS NTAPI hook_create_keyed_event(HANDLE *handle, ACCESS_MASK access,
                                              const OBJECT_ATTRIBUTES *attr, ULONG flags)
{
    CREATE(handle, attr, create_keyed_event(handle, access, n.use, flags));
}

static NTSTATUS NTAPI hook_create_completion(HANDLE *handle, ACCESS_MASK access,
                                             const OBJECT_ATTRIBUTES *attr, ULONG threads)
{
    CREATE(handle, attr, create_completion(handle, access, n.use, threads));
}

static NTSTATUS NTAPI hook_create_job(HANDLE *handle, ACCESS_MASK access,
                                      const OBJECT_ATTRIBUTES *attr)
{
    CREATE(handle, attr, create_job(handle, access, n.use));
}

static NTSTATUS NTAPI hook_create_directory(HANDLE *handle, ACCESS_MASK access,
                                            const OBJECT_ATTRIBUTES *attr)
{
    CREATE(handle, attr, create_directory(handle, access, n.use));
}

static NTSTATUS NTAPI hook_create_debug(HANDLE *handle, ACCESS_MASK access,
                                        const OBJECT_ATTRIBUTES *attr, ULONG flags)
{
    CREATE(handle, attr, create_debug(handle, access, n.use, flags));
}

/* A link must not lead the host out of the VM's tree: its target is a private name, too. Links
 * to where the VM's names do not go by themselves are followed by name.c. */
static bool private_target(const UNICODE_STRING *target, UNICODE_STRING *own, fvm_wchar *scratch)
{
    fvm_wchar *text = scratch, *dst = scratch + OBJECT_NAME_CAP;
    struct fvm_ipc_name out = {.dst = dst, .cap = OBJECT_NAME_CAP / 2};
    struct fvm_wstr name = {text, target->Length / (uint32_t)sizeof(WCHAR)};

    if (!guest_read(text, target->Buffer, target->Length)) return false;
    switch (fvm_ipc_to_private(object_vm_id(), name, true, &out)) {
    case FVM_IPC_NOT:
    case FVM_IPC_LONG: /* too long for the host as well */
        return false;
    case FVM_IPC_DEVICE:
        guest_shared->ipc_strict = 1;
        return false;
    case FVM_IPC_OUTSIDE:
        guest_shared->ipc_strict = 1;
        break;
    case FVM_IPC_OBJECT:
    case FVM_IPC_PIPE:
    case FVM_IPC_MAILSLOT:
        break;
    }
    *own = (UNICODE_STRING){(USHORT)(out.len * 2), (USHORT)(out.len * 2), (WCHAR *)dst};
    return true;
}

static NTSTATUS NTAPI hook_create_link(HANDLE *handle, ACCESS_MASK access,
                                       const OBJECT_ATTRIBUTES *attr, UNICODE_STRING *target)
{
    struct object_name n;
    UNICODE_STRING program, own, *use = target;
    fvm_wchar *scratch;
    NTSTATUS status = object_begin_new(&n, attr, true);

    if (status) return fail(handle, status);
    scratch = guest_scratch_get();
    if (!scratch) {
        object_end(&n);
        return fail(handle, NT_NO_MEMORY);
    }
    if (guest_read(&program, target, sizeof(program)) && program.Length && program.MaximumLength &&
        program.Buffer && private_target(&program, &own, scratch))
        use = &own;
    do
        status = object_real.create_link(handle, access, n.use, use);
    while (object_again(&n, status));
    guest_scratch_put(scratch);
    object_end(&n);
    return status;
}

static NTSTATUS NTAPI hook_query_link(HANDLE handle, UNICODE_STRING *target, ULONG *length)
{
    fvm_wchar *scratch;
    UNICODE_STRING program, whole;
    NTSTATUS status;

    if (!guest_read(&program, target, sizeof(program)) || !(scratch = guest_scratch_get()))
        return object_real.query_link(handle, target, length);
    whole = (UNICODE_STRING){0, 0xfffe, (WCHAR *)scratch};
    status = object_real.query_link(handle, &whole, NULL);
    uint32_t len = 0;
    fvm_wchar *view = scratch + 0x8000;
    if (!status)
        len = fvm_ipc_to_view(object_vm_id(),
                              (struct fvm_wstr){scratch, whole.Length / (uint32_t)sizeof(WCHAR)},
                              view, 0x7fff);
    if (!len) { /* none of the VM's: the host answers */
        guest_scratch_put(scratch);
        return object_real.query_link(handle, target, length);
    }
    ULONG total = (len + 1) * (ULONG)sizeof(WCHAR);
    view[len] = 0;
    if (program.MaximumLength < total) {
        status = NT_BUFFER_TOO_SMALL;
    } else {
        program.Length = (USHORT)(len * sizeof(WCHAR));
        if (!guest_write(program.Buffer, view, total) ||
            !guest_write(&target->Length, &program.Length, sizeof(program.Length)))
            status = NT_ACCESS_VIOLATION;
    }
    if (length && !guest_write(length, &total, sizeof(total))) status = NT_ACCESS_VIOLATION;
    guest_scratch_put(scratch);
    return status;
}

NTSTATUS guest_create_section(guest_create_section_fn real, HANDLE *handle, ACCESS_MASK access,
                              const OBJECT_ATTRIBUTES *attr, LARGE_INTEGER *size, ULONG protection,
                              ULONG flags, HANDLE file)
{
    struct object_name n;
    NTSTATUS status = object_begin_new(&n, attr, false);

    if (status) return fail(handle, status);
    do
        status = real(handle, access, (OBJECT_ATTRIBUTES *)(uintptr_t)n.use, size, protection,
                      flags, file);
    while (object_again(&n, status));
    object_end(&n);
    return status;
}

#define OPEN(export, name, type)                                                                   \
    {                                                                                              \
        export, (void *)hook_open_##name, (void **)&object_real.open[type]                         \
    }
#define HOOK(export, name)                                                                         \
    {                                                                                              \
        export, (void *)hook_##name, (void **)&object_real.name                                    \
    }

const struct guest_hook guest_object_hooks[] = {
    OPEN("NtOpenEvent", event, OBJECT_EVENT),
    OPEN("NtOpenMutant", mutant, OBJECT_MUTANT),
    OPEN("NtOpenSemaphore", semaphore, OBJECT_SEMAPHORE),
    OPEN("NtOpenTimer", timer, OBJECT_TIMER),
    OPEN("NtOpenKeyedEvent", keyed_event, OBJECT_KEYED_EVENT),
    OPEN("NtOpenIoCompletion", completion, OBJECT_COMPLETION),
    OPEN("NtOpenJobObject", job, OBJECT_JOB),
    OPEN("NtOpenSection", section, OBJECT_SECTION),
    OPEN("NtOpenDirectoryObject", directory, OBJECT_DIRECTORY),
    OPEN("NtOpenSymbolicLinkObject", link, OBJECT_LINK),
    HOOK("NtCreateEvent", create_event),
    HOOK("NtCreateMutant", create_mutant),
    HOOK("NtCreateSemaphore", create_semaphore),
    HOOK("NtCreateTimer", create_timer),
    HOOK("NtCreateKeyedEvent", create_keyed_event),
    HOOK("NtCreateIoCompletion", create_completion),
    HOOK("NtCreateJobObject", create_job),
    HOOK("NtCreateDirectoryObject", create_directory),
    HOOK("NtCreateSymbolicLinkObject", create_link),
    HOOK("NtCreateDebugObject", create_debug),
    HOOK("NtQuerySymbolicLinkObject", query_link),
    {"NtClose", NULL, (void **)&object_real.close},
    {"NtQueryObject", NULL, (void **)&object_real.query_object},
    {"NtCreateNamedPipeFile", pipe_hook_create, (void **)&object_real.create_pipe},
    {"NtCreateMailslotFile", pipe_hook_create_mailslot, (void **)&object_real.create_mailslot},
    {NULL, NULL, NULL},
};
