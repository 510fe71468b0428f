/* Runs one program in a VM and stays until all its processes have ended. */
#include "serve.h"

static struct fvm_shared *shared;

static HANDLE open_shared(const wchar_t *path)
{
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    void *view = NULL;
    SIZE_T size = sizeof(struct fvm_shared);
    HANDLE section;
    NTSTATUS status;

    if (file == INVALID_HANDLE_VALUE)
        fail(EXIT_FVM, "cannot open the VM's shared block %s: %s", path,
             error_text(GetLastError()));
    status =
        NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, file);
    if (status >= 0)
        status = NtMapViewOfSection(section, NT_CURRENT_PROCESS, &view, 0, 0, NULL, &size, 1, 0,
                                    PAGE_READWRITE);
    if (status < 0)
        fail(EXIT_FVM, "cannot map the VM's shared block %s (status %x)", path, (unsigned)status);
    CloseHandle(file);
    shared = view;
    if (shared->magic != FVM_SHARED_MAGIC)
        fail(EXIT_FVM, "%s is not the shared block of a VM", path);
    if (shared->version != FVM_SHARED_VERSION)
        fail(EXIT_FVM, "the shared block %s has version %u, this fvm knows version %u", path,
             shared->version, FVM_SHARED_VERSION);
    return section;
}

/* The new process's command line: the program's full name, as Wine gives it to a program
 * started from the shell, then the rest as it came. */
static wchar_t *command_line(const wchar_t *program, const wchar_t *arguments)
{
    wchar_t *line =
        allocate(((size_t)lstrlenW(program) + (size_t)lstrlenW(arguments) + 3) * sizeof(wchar_t));
    bool quote = false;

    for (const wchar_t *p = program; *p; p++)
        quote |= *p == ' ' || *p == '\t';
    if (quote) lstrcatW(line, L"\"");
    lstrcatW(line, program);
    if (quote) lstrcatW(line, L"\"");
    return lstrcatW(line, arguments);
}

/* Starts the program; *started is its full path in the VM. */
static HANDLE start(const struct options *o, HANDLE job, wchar_t **started)
{
    wchar_t *path = program_find(o->program), *line, *cwd = NULL;
    STARTUPINFOEXW startup = {.StartupInfo.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    SIZE_T size = 0;
    DWORD error;

    if (!path) program_not_found(o->program);
    line = command_line(path, o->arguments);
    if (o->cwd) cwd = path_to_windows(o->cwd);

    /* the process is born in the job: nothing is left behind if the monitor dies now */
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = allocate(size);
    if (!InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size) ||
        !UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &job,
                                   sizeof(job), NULL, NULL))
        fail(EXIT_FVM, "cannot put the program into the VM's job: %s", error_text(GetLastError()));
    if (!CreateProcessW(path, line, NULL, NULL, FALSE, EXTENDED_STARTUPINFO_PRESENT, NULL, cwd,
                        &startup.StartupInfo, &info)) {
        const char *why;

        error = GetLastError();
        if (cwd && (GetFileAttributesW(cwd) & FILE_ATTRIBUTE_DIRECTORY) == 0)
            fail(EXIT_FVM, "the working directory %s is not a directory", cwd);
        if (cwd && GetFileAttributesW(cwd) == INVALID_FILE_ATTRIBUTES)
            fail(EXIT_FVM, "there is no working directory %s in the VM", cwd);
        why = program_problem(path, error);
        if (why) fail(EXIT_CANNOT_RUN, "cannot run %s: %a", path, why);
        fail(EXIT_CANNOT_RUN, "cannot run %s: %s", path, error_text(error));
    }
    CloseHandle(info.hThread);
    release(startup.lpAttributeList);
    release(line);
    release(cwd);
    *started = path;
    return info.hProcess;
}

static void tell_faults(void)
{
    if (!shared->fault_count) return;
    report("an error in fvm itself ended %u process(es) of the VM; the first was %s (pid %u): "
           "exception %x at fvmguest+%x (callers %x %x %x %x %x %x). Please report it with the "
           "VM's event log.",
           (unsigned)shared->fault_count, (const wchar_t *)shared->fault.image, shared->fault.pid,
           shared->fault.code, (unsigned)(shared->fault.address - shared->fault.guest_base),
           shared->fault.callers[0], shared->fault.callers[1], shared->fault.callers[2],
           shared->fault.callers[3], shared->fault.callers[4], shared->fault.callers[5]);
}

void monitor_start(void);
void monitor_start(void)
{
    struct options options = {0};
    struct guest_calls guest;
    struct guest_error error = {0};
    HANDLE shared_section, image, job, port, process;
    DWORD code;
    wchar_t *path;

    options_read(&options);
    path = path_to_windows(options.shared);
    shared_section = open_shared(path);
    release(path);
    path = path_to_windows(options.guest);
    image = image_prepare(path, &guest);
    release(path);
    job = job_create(&port);
    control_install();
    image_map(image);
    if (!guest.attach(image, shared_section, &error))
        fail(EXIT_FVM, "the guest cannot start: %a (status %x)", error.where,
             (unsigned)error.status);

    if (options.title) shared->show_name = 1;
    shared->session_ends = 0;
    serve_prepare(guest.serve_event, guest.served);
    process = start(&options, job, &path);
    control_leave_to_program();
    serve_while(process);
    job_wait(job, port);
    if (!GetExitCodeProcess(process, &code))
        fail(EXIT_FVM, "the program's exit code is lost: %s", error_text(GetLastError()));
    tell_faults();
    program_tell_end(path, code);
    release(path);
    serve_end();
    guest.leave();
    if ((code & 0xffffff00) == GUEST_BOOT_FAILED)
        fail(EXIT_FVM,
             "the guest could not start in the program (step %u): its memory is full or "
             "taken at the guest's address",
             (unsigned)(code & 0xff));
    ExitProcess(code);
}
