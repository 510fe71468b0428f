/* The end of the session: ExitWindowsEx.
 *
 * The host's user32 starts wineboot.exe, which asks all programs with windows, ends them, and, for
 * a restart, begins as at the start of the machine. In a VM the end of its session is its own: when
 * wineboot has ended the programs (none has refused), all processes of the VM end. A restart
 * ends the VM, too: there is nobody who would start a program again. */
#include "window.h"
#include "../object/object.h"
#include "fvm/fold.h"

static bool ends_session;

static NTSTATUS(NTAPI *real_open_job)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
static NTSTATUS(NTAPI *real_terminate_job)(HANDLE, NTSTATUS);

static bool is_text(const WCHAR *s, uint32_t len, const char *text)
{
    uint32_t i = 0;

    for (; i < len && text[i]; i++)
        if (s[i] != (WCHAR)text[i]) return false;
    return i == len && !text[i];
}

static bool is_wineboot(const UNICODE_STRING *image)
{
    static const fvm_wchar end[] = u"\\system32\\wineboot.exe";

    return image->Buffer &&
           fvm_name_ends((const fvm_wchar *)image->Buffer, image->Length / sizeof(WCHAR), end,
                         sizeof(end) / sizeof(*end) - 1);
}

/* Does it ask nobody? Then what it ends is not to be started anew meanwhile. */
static bool says_kill(const WCHAR *s, uint32_t len)
{
    if (len < 2 || s[0] != '-') return false;
    if (s[1] == '-') return is_text(s, len, "--kill");
    for (uint32_t i = 1; i < len; i++)
        if (s[i] == 'k') return true;
    return false;
}

/* Does the option say that the session ends? --end-session, --kill, or their letters. */
static bool says_end(const WCHAR *s, uint32_t len)
{
    if (len < 2 || s[0] != '-') return false;
    if (s[1] == '-') return is_text(s, len, "--end-session") || is_text(s, len, "--kill");
    for (uint32_t i = 1; i < len; i++)
        if (s[i] == 'e' || s[i] == 'k') return true;
    return false;
}

void guest_window_boot(void)
{
    static const char option[] = " --shutdown";
    struct nt_process_parameters *p = nt_peb()->parameters;
    UNICODE_STRING *line = p ? &p->command_line : NULL;
    uint32_t len, start = 0, bytes;
    WCHAR *text;

    if (!line || !is_wineboot(&p->image_path) || !line->Buffer) return;
    len = line->Length / (uint32_t)sizeof(WCHAR);
    for (uint32_t i = 0; i <= len; i++) {
        if (i < len && line->Buffer[i] != ' ') continue;
        if (says_end(line->Buffer + start, i - start)) ends_session = true;
        if (says_kill(line->Buffer + start, i - start)) guest_shared->session_ends = 1;
        start = i + 1;
    }
    bytes = (len + (uint32_t)sizeof(option)) * (uint32_t)sizeof(WCHAR);
    if (!ends_session || bytes > 0xfffe) return;
    /* it ends where it would begin anew */
    text = guest_alloc(bytes); /* for the process's life */
    if (!text) return;
    memcpy(text, line->Buffer, len * sizeof(WCHAR));
    for (uint32_t i = 0; i < sizeof(option); i++)
        text[len + i] = (WCHAR)option[i];
    line->Buffer = text;
    line->Length = (USHORT)(bytes - sizeof(WCHAR));
    line->MaximumLength = (USHORT)bytes;
}

void guest_window_ending(NTSTATUS exit)
{
    fvm_wchar text[128];
    uint32_t len = fvm_ipc_tree(object_vm_id(), "Members", text, 128);
    UNICODE_STRING name = {(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)text};
    OBJECT_ATTRIBUTES attr;
    HANDLE job;

    if (!ends_session) return;
    if (exit) { /* a program has refused: the session goes on */
        guest_shared->session_ends = 0;
        return;
    }
    guest_shared->session_ends = 1;
    InitializeObjectAttributes(&attr, &name, 0, NULL, NULL);
    if (!len || real_open_job(&job, JOB_OBJECT_TERMINATE, &attr)) return;
    real_terminate_job(job, STATUS_SUCCESS); /* this process is one of them */
    object_real.close(job);
}

const struct guest_hook guest_session_hooks[] = {
    {"NtOpenJobObject", NULL, (void **)&real_open_job},
    {"NtTerminateJobObject", NULL, (void **)&real_terminate_job},
    {NULL, NULL, NULL},
};
