/* Creation of processes: every child of the VM is made suspended, gets the guest, and only
 * then runs. Programs that could not get it (anything but a PE file) are refused. */
#include "process.h"
#include "fvm/fold.h"

#define MAX_ATTRIBUTES 64
#define NAME_CAP       (GUEST_SCRATCH_SIZE / sizeof(fvm_wchar) / 4)

/* What is needed for one creation; lies in a scratch buffer. */
struct creation {
    SIZE_T total_length; /* struct nt_ps_attribute_list */
    struct nt_ps_attribute attributes[MAX_ATTRIBUTES];
    UNICODE_STRING image;
    HANDLE parent;
    uint32_t count, view_len;
    bool job_list;
    bool served; /* for the whole VM: see guest_is_served */
    HANDLE jobs[3];
    /* what the host tells about the new process */
    CLIENT_ID id;
    struct nt_image_information program;
    fvm_wchar view[NAME_CAP], real[NAME_CAP];
};
_Static_assert(sizeof(struct creation) <= GUEST_SCRATCH_SIZE, "must fit a scratch buffer");

static struct fvm_wstr view_name(const struct creation *c)
{
    return (struct fvm_wstr){c->view, c->view_len};
}

/* Copies the program's attribute list and the image's name out of its memory, so that what
 * is checked is what is used. */
static NTSTATUS read_attributes(struct creation *c, const struct nt_ps_attribute_list *list)
{
    if (!guest_read(&c->total_length, &list->total_length, sizeof(c->total_length)))
        return NT_ACCESS_VIOLATION;
    if (c->total_length < sizeof(SIZE_T)) return NT_INVALID_PARAMETER;
    c->count = (uint32_t)((c->total_length - sizeof(SIZE_T)) / sizeof(struct nt_ps_attribute));
    if (c->count > MAX_ATTRIBUTES - 2) return NT_INVALID_PARAMETER;
    if (!guest_read(c->attributes, list->attributes, c->count * sizeof(c->attributes[0])))
        return NT_ACCESS_VIOLATION;
    c->image = (UNICODE_STRING){0};
    c->view_len = 0;
    c->parent = NULL;
    c->job_list = false;
    c->served = guest_is_served;
    for (uint32_t i = 0; i < c->count; i++) {
        struct nt_ps_attribute *a = &c->attributes[i];

        if (a->attribute == NT_PS_ATTRIBUTE_IMAGE_NAME) {
            if (a->size > (NAME_CAP - 1) * sizeof(fvm_wchar) || a->size > 0xfffe)
                return NT_INVALID_PARAMETER;
            if (!guest_read(c->view, a->ptr, a->size)) return NT_ACCESS_VIOLATION;
            a->ptr = c->view;
            c->view_len = (uint32_t)(a->size / sizeof(fvm_wchar));
            c->image.Buffer = (WCHAR *)c->view;
            c->image.Length = c->image.MaximumLength = (USHORT)a->size;
        } else if (a->attribute == NT_PS_ATTRIBUTE_PARENT_PROCESS) {
            c->parent = a->ptr;
        } else if (a->attribute == NT_PS_ATTRIBUTE_JOB_LIST) {
            c->job_list = true;
            /* the monitor's child: the job of the run, or those of a service, stand in that of
             * the VM */
            if (guest_attached && a->size < sizeof(c->jobs) &&
                guest_read(&c->jobs[1], a->ptr, a->size)) {
                c->jobs[0] = guest_members;
                c->served = a->size > sizeof(c->jobs[1]) && c->jobs[1] == guest_served_job;
                a->ptr = c->jobs;
                a->size += sizeof(c->jobs[0]);
            }
        }
    }
    c->attributes[c->count++] = (struct nt_ps_attribute){
        .attribute = NT_PS_ATTRIBUTE_CLIENT_ID, .size = sizeof(c->id), .ptr = &c->id};
    c->attributes[c->count++] = (struct nt_ps_attribute){
        .attribute = NT_PS_ATTRIBUTE_IMAGE_INFO, .size = sizeof(c->program), .ptr = &c->program};
    c->program = (struct nt_image_information){0};
    c->total_length = sizeof(SIZE_T) + c->count * sizeof(c->attributes[0]);
    return 0;
}

/* Replaces a private program's view name by its real one. */
static NTSTATUS translate_image(struct creation *c)
{
    NTSTATUS status = 0;
    uint32_t n = guest_file_real_name(view_name(c), c->real, NAME_CAP - 1, &status);

    if (status < 0) return status;
    if (!n) return 0;
    c->real[n] = 0;
    c->image.Buffer = (WCHAR *)c->real;
    c->image.Length = c->image.MaximumLength = (USHORT)(n * sizeof(fvm_wchar));
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->attributes[i].attribute == NT_PS_ATTRIBUTE_IMAGE_NAME) {
            c->attributes[i].ptr = c->real;
            c->attributes[i].size = c->image.Length;
        }
    }
    return 0;
}

/* The host would execute a file that does not start with "MZ" as a program of the machine
 * below it, outside of the VM. On Windows such a file is no program: STATUS_INVALID_IMAGE_
 * NOT_MZ, from which kernel32 makes ERROR_BAD_EXE_FORMAT or starts cmd.exe for a batch file.
 * A file that cannot be opened is left to the host, which says why (and starts its builtin
 * programs without a file). */
static NTSTATUS check_image(struct creation *c)
{
    switch (guest_file_kind(&c->image)) {
    case GUEST_FILE_UNREADABLE:
    case GUEST_FILE_MZ:
        return 0;
    case GUEST_FILE_ELF:
        /* batch files are named in an event only when they are none: cmd.exe runs them */
        guest_event("refused", "NtCreateUserProcess", view_name(c),
                    "a Linux program would run outside of the VM");
        break;
    case GUEST_FILE_OTHER:
        break;
    }
    return NT_INVALID_IMAGE_NOT_MZ;
}

/* Drivers run in a process of the host's, below all VMs. In a VM its service manager would make
 * that process for a driver that a program has installed there. */
static NTSTATUS refuse_drivers(struct creation *c)
{
    static const fvm_wchar name[] = u"\\winedevice.exe";
    struct fvm_wstr view = view_name(c);

    if (guest_attached ||
        !fvm_name_ends(view.ptr, view.len, name, sizeof(name) / sizeof(*name) - 1))
        return 0;
    guest_event("refused", "NtCreateUserProcess", view, "drivers cannot be loaded in a VM");
    return NT_ACCESS_DENIED;
}

/* A process made on behalf of another one belongs to that one's job: it must be the VM's. */
static NTSTATUS check_parent(struct creation *c)
{
    HANDLE handle;
    bool inside;

    if (!c->parent) return 0;
    /* a bad handle is for the host to refuse, in its own words */
    if (guest_raw.duplicate_object(NT_CURRENT_PROCESS, c->parent, NT_CURRENT_PROCESS, &handle,
                                   PROCESS_VM_READ, 0, 0) < 0)
        return 0;
    inside = guest_is_inside(handle);
    guest_raw.close(handle);
    if (inside) return 0;
    guest_event("refused", "NtCreateUserProcess", view_name(c),
                "the parent process is not in the VM");
    return NT_ACCESS_DENIED;
}

/* Cuts a handle that was opened with more rights than asked for down to what was. */
static NTSTATUS narrow(HANDLE *handle, ACCESS_MASK access, ACCESS_MASK wanted, ULONG attributes)
{
    HANDLE narrowed;
    NTSTATUS status;

    if (access == wanted) return 0;
    status = guest_raw.duplicate_object(NT_CURRENT_PROCESS, *handle, NT_CURRENT_PROCESS, &narrowed,
                                        wanted, attributes, DUPLICATE_CLOSE_SOURCE);
    if (status >= 0) *handle = narrowed;
    return status;
}

static ACCESS_MASK widen(ACCESS_MASK access, ACCESS_MASK needed)
{
    if (access & (MAXIMUM_ALLOWED | GENERIC_ALL)) return access;
    return access | needed;
}

static NTSTATUS create(struct creation *c, HANDLE *process_out, HANDLE *thread_out,
                       ACCESS_MASK process_access, ACCESS_MASK thread_access,
                       OBJECT_ATTRIBUTES *process_attr, OBJECT_ATTRIBUTES *thread_attr,
                       ULONG process_flags, ULONG thread_flags,
                       struct nt_process_parameters *params, void *info)
{
    ACCESS_MASK process_all = widen(process_access, GUEST_INJECT_ACCESS);
    ACCESS_MASK thread_all = widen(thread_access, THREAD_SUSPEND_RESUME);
    HANDLE process = NULL, thread = NULL;
    OBJECT_ATTRIBUTES attr;
    ULONG process_inherit = 0, thread_inherit = 0;
    NTSTATUS status;

    if (process_attr && guest_read(&attr, process_attr, sizeof(attr)))
        process_inherit = attr.Attributes & OBJ_INHERIT;
    if (thread_attr && guest_read(&attr, thread_attr, sizeof(attr)))
        thread_inherit = attr.Attributes & OBJ_INHERIT;

    /* Without a job of the program's own there is none to break away from, and asking for it
     * changes nothing. With one, the host decides; the process stays in the VM's job in any
     * case, since that one lets nobody go. */
    bool in_job = guest_in_job(nt_process_id());
    ULONG flags = in_job ? process_flags : process_flags & ~(ULONG)NT_PROCESS_CREATE_BREAKAWAY;

    /* Now and then a new process of the host's dies before it has begun, and the host has this
     * status for it (natively 2 of 15,000, with six programs at once that start others). Nothing
     * of the program has run: it can be made again. */
    int tries = 3;
    do {
        status =
            real_NtCreateUserProcess(&process, &thread, process_all, thread_all, process_attr,
                                     thread_attr, flags, thread_flags | NT_THREAD_CREATE_SUSPENDED,
                                     params, info, (struct nt_ps_attribute_list *)&c->total_length);
    } while (status == NT_INTERNAL_ERROR && --tries);
    if (status < 0) return status;
    if (!process || !thread) /* not a process of the host's: see check_image */
        return NT_INVALID_IMAGE_NOT_MZ;

    guest_set_in_job((uint32_t)(uintptr_t)c->id.UniqueProcess,
                     (c->job_list && !guest_attached) ||
                         (in_job && !(flags & NT_PROCESS_CREATE_BREAKAWAY)));
    if (c->program.machine == IMAGE_FILE_MACHINE_I386 &&
        !(c->program.flags & NT_IMAGE_COM_PLUS_NATIVE_READY)) {
        /* there is no guest for it; without 32-bit Wine the host would let it end at once, with
         * success */
        status = NT_INVALID_IMAGE_FORMAT;
        guest_event("refused", "NtCreateUserProcess", view_name(c),
                    "32-bit programs cannot run in a VM");
    } else if ((status = guest_inject(process, c->served)) < 0) {
        guest_event("error", "NtCreateUserProcess", view_name(c),
                    "the guest could not be put into the new process");
    } else if (!(thread_flags & NT_THREAD_CREATE_SUSPENDED)) {
        status = guest_raw.resume_thread(thread, NULL);
    }
    if (status >= 0) status = narrow(&process, process_all, process_access, process_inherit);
    if (status >= 0) status = narrow(&thread, thread_all, thread_access, thread_inherit);
    if (status >= 0 && (!guest_write(process_out, &process, sizeof(process)) ||
                        !guest_write(thread_out, &thread, sizeof(thread))))
        status = NT_ACCESS_VIOLATION;
    if (status < 0) {
        guest_raw.terminate_process(process, status);
        guest_raw.close(process);
        guest_raw.close(thread);
    }
    return status;
}

NTSTATUS NTAPI hook_NtCreateUserProcess(HANDLE *process, HANDLE *thread, ACCESS_MASK process_access,
                                        ACCESS_MASK thread_access, OBJECT_ATTRIBUTES *process_attr,
                                        OBJECT_ATTRIBUTES *thread_attr, ULONG process_flags,
                                        ULONG thread_flags, struct nt_process_parameters *params,
                                        void *info, struct nt_ps_attribute_list *attributes)
{
    struct creation *c = guest_scratch_get();
    NTSTATUS status;

    /* win32u's Unix part starts the desktop's explorer */
    if (guest_in_unix() && guest_window_desktop(&status)) {
        guest_scratch_put(c);
        return status;
    }
    guest_late_init();
    if (!c) return NT_NO_MEMORY;
    status = read_attributes(c, attributes);
    if (status >= 0) status = translate_image(c);
    if (status >= 0) status = refuse_drivers(c);
    if (status >= 0) status = check_image(c);
    if (status >= 0) status = check_parent(c);
    if (status >= 0)
        status = create(c, process, thread, process_access, thread_access, process_attr,
                        thread_attr, process_flags, thread_flags, params, info);
    guest_scratch_put(c);
    return status;
}

/* "start /unix" and the host's own helpers: a program of the machine below, without a guest. */
NTSTATUS NTAPI hook_wine_unix_spawnvp(char *const argv[], int wait)
{
    fvm_wchar name[512];
    char *arg = NULL, c = 0;
    uint32_t len = 0;

    (void)wait;
    if (guest_read(&arg, argv, sizeof(arg)) && arg) {
        while (len < 512 && guest_read(&c, arg + len, 1) && c)
            name[len++] = (uint8_t)c;
    }
    guest_event("refused", "__wine_unix_spawnvp", (struct fvm_wstr){name, len},
                "a Linux program would run outside of the VM");
    return NT_ACCESS_DENIED;
}
