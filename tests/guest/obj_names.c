/* Names of kernel objects: every way to spell them, and what the host says of them.
 *
 * With the option "vm" it tries, in a VM, to reach objects and pipes that obj_meet has made on
 * the host, by names that might lead out. */
#include "test.h"

#include <tlhelp32.h>

typedef OBJECT_ATTRIBUTES OA;
NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, const OA *, ULONG, BOOLEAN);
NTSTATUS NTAPI NtOpenEvent(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtCreateMutant(HANDLE *, ACCESS_MASK, const OA *, BOOLEAN);
NTSTATUS NTAPI NtOpenSection(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
NTSTATUS NTAPI NtCreateSymbolicLinkObject(HANDLE *, ACCESS_MASK, const OA *, UNICODE_STRING *);
NTSTATUS NTAPI NtOpenSymbolicLinkObject(HANDLE *, ACCESS_MASK, const OA *);
NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE, UNICODE_STRING *, ULONG *);

static OA attr;
static UNICODE_STRING name_string;

static const OA *named_at(HANDLE root, const WCHAR *name, ULONG flags)
{
    RtlInitUnicodeString(&name_string, name);
    InitializeObjectAttributes(&attr, &name_string, flags, root, NULL);
    return &attr;
}

static const OA *named(const WCHAR *name)
{
    return named_at(NULL, name, OBJ_CASE_INSENSITIVE);
}

/* The name that the host gives for the handle. */
static const char *name_of(HANDLE h)
{
    struct {
        UNICODE_STRING name;
        WCHAR text[2048];
    } info;
    ULONG used;
    NTSTATUS status = NtQueryObject(h, (OBJECT_INFORMATION_CLASS)1, &info, sizeof info, &used);

    if (status) return t_status(status);
    if (!info.name.Buffer) return "(none)";
    return t_text(info.name.Buffer, info.name.Length / 2);
}

static HANDLE base_directory(void)
{
    HANDLE h;
    if (NtOpenDirectoryObject(&h, 7, named(L"\\Sessions\\1\\BaseNamedObjects"))) return NULL;
    return h;
}

/* --- spellings ------------------------------------------------------------------------------ */
static const WCHAR *const absolute[] = {
    L"\\Sessions\\1\\BaseNamedObjects\\fvm-t",
    L"\\Sessions\\1\\BaseNamedObjects\\Local\\fvm-t",
    L"\\sessions\\1\\BASENAMEDOBJECTS\\FVM-T",
    L"\\Sessions\\BNOLINKS\\1\\fvm-t",
    L"\\BaseNamedObjects\\Session\\1\\fvm-t",
    L"\\??\\GLOBALROOT\\Sessions\\1\\BaseNamedObjects\\fvm-t",
    L"\\??\\Global\\GLOBALROOT\\Sessions\\1\\BaseNamedObjects\\fvm-t",
    L"\\BaseNamedObjects\\fvm-t",
    L"\\BaseNamedObjects\\Global\\fvm-t",
    L"\\BaseNamedObjects\\Local\\fvm-t",
    L"\\Sessions\\0\\BaseNamedObjects\\fvm-t",
    L"\\Sessions\\BNOLINKS\\0\\fvm-t",
    L"\\DosDevices\\GLOBALROOT\\BaseNamedObjects\\fvm-t",
    L"\\??\\GLOBALROOT\\??\\GLOBALROOT\\BaseNamedObjects\\fvm-t",
    L"\\Sessions\\1\\BaseNamedObjects\\Global\\fvm-t",
    L"\\fvm-t",
    L"\\??\\fvm-t",
    L"\\DosDevices\\fvm-t",
    L"\\KernelObjects\\fvm-t",
    L"\\Sessions\\2\\BaseNamedObjects\\fvm-t",
    L"\\Nowhere\\fvm-t",
};
#define SPELLINGS (sizeof absolute / sizeof *absolute)

static void spellings(void)
{
    t_part("spellings");
    for (size_t i = 0; i < SPELLINGS; i++) {
        HANDLE made, opened;
        char row[SPELLINGS + 1] = {0};
        NTSTATUS status = NtCreateEvent(&made, EVENT_ALL_ACCESS, named(absolute[i]), 0, FALSE);
        t_say("create %s: %s", t_text(absolute[i], -1), t_status(status));
        if (status) continue;
        t_say("  is called %s", name_of(made));
        for (size_t k = 0; k < SPELLINGS; k++) {
            status = NtOpenEvent(&opened, EVENT_ALL_ACCESS, named(absolute[k]));
            row[k] = status ? '.' : 'x';
            if (!status) NtClose(opened);
        }
        t_say("  opened as %s", row);
        NtClose(made);
    }
    /* the same by Win32 names */
    static const WCHAR *const win[] = {L"fvm-w", L"Local\\fvm-w", L"Global\\fvm-w",
                                       L"Session\\1\\fvm-w", L"Session\\0\\fvm-w"};
    for (size_t i = 0; i < sizeof win / sizeof *win; i++) {
        HANDLE made = CreateMutexW(NULL, FALSE, win[i]);
        t_say("%s: %s, %s", t_text(win[i], -1), t_win(made != NULL), made ? name_of(made) : "");
        for (size_t k = 0; k < sizeof win / sizeof *win; k++) {
            HANDLE h = OpenMutexW(MUTEX_ALL_ACCESS, FALSE, win[k]);
            t_say("  %s: %s", t_text(win[k], -1), t_win(h != NULL));
            if (h) CloseHandle(h);
        }
        if (made) CloseHandle(made);
    }
}

static void bad_names(void)
{
    static const WCHAR *const bad[] = {
        L"",
        L"\\",
        L"\\\\BaseNamedObjects\\x",
        L"\\BaseNamedObjects\\\\x",
        L"\\BaseNamedObjects\\",
        L"\\BaseNamedObjects",
        L"BaseNamedObjects\\x",
        L"x",
        L"\\BaseNamedObjects\\x\\",
        L"\\BaseNamedObjects\\x\\y",
        L"\\BaseNamedObjects\\..\\x",
        L"\\BaseNamedObjects\\.",
        L"\\??\\PIPE\\x",
        L"\\Device\\NamedPipe",
        L"\\Device\\NamedPipe\\",
        L"\\Sessions",
        L"\\Sessions\\1",
        L"\\Sessions\\1\\",
        L"\\??",
        L"\\??\\",
        L"\\??\\GLOBALROOT",
        L"\\??\\GLOBALROOT\\",
        L"\\DosDevices",
        L"\\BaseNamedObjects\\Global",
    };
    HANDLE h, dir = base_directory();
    WCHAR *text = malloc(65536);

    t_part("odd names");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        NTSTATUS status = NtCreateEvent(&h, EVENT_ALL_ACCESS, named(bad[i]), 0, FALSE);
        t_say("event %s: %s", t_text(bad[i], -1), t_status(status));
        if (status >= 0) NtClose(h);
        status = NtOpenEvent(&h, EVENT_ALL_ACCESS, named(bad[i]));
        t_say("  open: %s", t_status(status));
        if (!status) NtClose(h);
        status = NtOpenDirectoryObject(&h, 1, named(bad[i]));
        t_say("  open directory: %s", t_status(status));
        if (!status) NtClose(h);
        status = NtOpenSymbolicLinkObject(&h, 1, named(bad[i]));
        t_say("  open link: %s", t_status(status));
        if (!status) NtClose(h);
        status = NtCreateEvent(&h, EVENT_ALL_ACCESS, named_at(dir, bad[i], 0), 0, FALSE);
        t_say("  relative: %s", t_status(status));
        if (status >= 0) NtClose(h);
    }
    /* without the flag case counts */
    t_say("case: %s",
          t_status(NtOpenDirectoryObject(&h, 1, named_at(NULL, L"\\basenamedobjects", 0))));

    t_part("long names");
    wcscpy(text, L"\\BaseNamedObjects\\");
    for (size_t i = wcslen(text); i < 32768; i++)
        text[i] = 'n';
    name_string.Buffer = text;
    for (ULONG bytes = 65526; bytes <= 65534; bytes += 2) {
        InitializeObjectAttributes(&attr, &name_string, 0, NULL, NULL);
        name_string.Length = name_string.MaximumLength = (USHORT)bytes;
        HANDLE made = NULL;
        NTSTATUS status = NtCreateEvent(&made, EVENT_ALL_ACCESS, &attr, 0, FALSE);
        t_say("%lu bytes: %s", bytes, t_status(status));
        if (status) continue;
        t_say("  open: %s", t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS, &attr)));
        NtClose(h);
        t_say("  in the same place: %s",
              t_status(NtCreateEvent(&h, EVENT_ALL_ACCESS, &attr, 0, FALSE)));
        NtClose(made);
    }
    name_string.Length = 35;
    t_say("odd length: %s", t_status(NtCreateEvent(&h, EVENT_ALL_ACCESS, &attr, 0, FALSE)));
    free(text);
    NtClose(dir);
}

static void queries(void)
{
    HANDLE h;
    struct {
        UNICODE_STRING name;
        WCHAR text[128];
    } info;
    ULONG used, whole = 0;

    t_part("name queries");
    if (NtCreateEvent(&h, EVENT_ALL_ACCESS, named(L"\\BaseNamedObjects\\fvm-q"), 0, FALSE)) return;
    NtQueryObject(h, (OBJECT_INFORMATION_CLASS)1, &info, sizeof info, &whole);
    t_say("whole: %lu, %u/%u", whole, info.name.Length, info.name.MaximumLength);
    for (ULONG size = 0; size <= whole + 2; size += size < 16 ? 8 : 2) {
        used = 0xdead;
        memset(&info, 0x55, sizeof info);
        NTSTATUS status = NtQueryObject(h, (OBJECT_INFORMATION_CLASS)1, &info, size, &used);
        if (size <= 16 || size >= whole - 4 || (size & 31) == 0)
            t_say("  %lu bytes: %s %lu", size, t_status(status), used);
    }
    NtClose(h);
    NtCreateEvent(&h, EVENT_ALL_ACCESS, NULL, 0, FALSE);
    t_say("unnamed: %s", name_of(h));
    NtClose(h);
}

/* --- directories and links ------------------------------------------------------------------- */
static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Entries that the test or the host made for everybody, sorted. */
static void list(const WCHAR *directory)
{
    char *lines[64];
    int count = 0;
    ULONG context = 0;
    HANDLE h;
    struct {
        UNICODE_STRING name, type;
        WCHAR text[1024];
    } entry;
    NTSTATUS status = NtOpenDirectoryObject(&h, 1, named(directory));

    t_say("list %s: %s", t_text(directory, -1), t_status(status));
    if (status) return;
    while (
        !(status = NtQueryDirectoryObject(h, &entry, sizeof entry, TRUE, FALSE, &context, NULL))) {
        const char *text = t_text(entry.name.Buffer, entry.name.Length / 2);
        if (strncmp(text, "fvm-t", 5) && strcmp(text, "Global") && strcmp(text, "Local") &&
            strcmp(text, "Session") && strcmp(text, "0") && strcmp(text, "1") &&
            strcmp(text, "BaseNamedObjects") && strcmp(text, "Sessions"))
            continue;
        char line[256];
        snprintf(line, sizeof line, "%s (%s)", text,
                 t_text(entry.type.Buffer, entry.type.Length / 2));
        if (count < 64) lines[count++] = strdup(line);
    }
    qsort(lines, (size_t)count, sizeof *lines, compare);
    for (int i = 0; i < count; i++) {
        t_say("  %s", lines[i]);
        free(lines[i]);
    }
    t_say("  end: %s; name %s", t_status(status), name_of(h));
    NtClose(h);
}

static void target_of(const WCHAR *link)
{
    WCHAR text[128];
    UNICODE_STRING target = {0, sizeof text, text};
    ULONG length = 0xdead;
    HANDLE h;
    NTSTATUS status = NtOpenSymbolicLinkObject(&h, 1, named(link));

    if (!status) status = NtQuerySymbolicLinkObject(h, &target, &length);
    t_say("link %s: %s %s %lu", t_text(link, -1), t_status(status),
          status ? "" : t_text(text, target.Length / 2), length);
    if (status) return;
    for (USHORT room = 0; room <= length + 2; room += 2) {
        target = (UNICODE_STRING){7, room, text};
        ULONG used = 0xdead;
        status = NtQuerySymbolicLinkObject(h, &target, &used);
        if (room < 4 || room + 4 > (USHORT)length)
            t_say("  room %u: %s %u %lu", room, t_status(status), target.Length, used);
    }
    NtClose(h);
}

static NTSTATUS make_link(HANDLE *h, const WCHAR *link, const WCHAR *target)
{
    UNICODE_STRING text;

    RtlInitUnicodeString(&text, target);
    return NtCreateSymbolicLinkObject(h, 0xf0001, named(link), &text);
}

static void directories(void)
{
    HANDLE dir, event, h, link, deep, outside;
    IO_STATUS_BLOCK io;

    t_part("directories");
    t_say("make: %s",
          t_status(NtCreateDirectoryObject(&dir, 0xf, named(L"\\BaseNamedObjects\\fvm-t-dir"))));
    t_say("again: %s",
          t_status(NtCreateDirectoryObject(&h, 0xf, named(L"\\BaseNamedObjects\\fvm-t-dir"))));
    t_say("deep: %s", t_status(NtCreateDirectoryObject(&deep, 0xf, named_at(dir, L"deep", 0))));
    t_say("name: %s", name_of(deep));
    t_say("event: %s",
          t_status(NtCreateEvent(&event, EVENT_ALL_ACCESS, named_at(deep, L"e", 0), 0, FALSE)));
    t_say("name: %s", name_of(event));
    t_say("open: %s", t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS,
                                           named(L"\\BaseNamedObjects\\fvm-t-dir\\deep\\e"))));
    NtClose(h);
    t_say("wrong type: %s",
          t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\BaseNamedObjects\\fvm-t-dir"))));
    list(L"\\BaseNamedObjects");
    list(L"\\Sessions\\1\\BaseNamedObjects");
    list(L"\\Sessions\\BNOLINKS");
    list(L"\\Sessions\\1");
    list(L"\\");

    t_part("links");
    target_of(L"\\BaseNamedObjects\\Global");
    target_of(L"\\BaseNamedObjects\\Local");
    target_of(L"\\Sessions\\1\\BaseNamedObjects\\Local");
    target_of(L"\\Sessions\\1\\BaseNamedObjects\\Session");
    target_of(L"\\Sessions\\BNOLINKS\\1");
    target_of(L"\\??\\GLOBALROOT");
    target_of(L"\\DosDevices");
    t_say("to a directory: %s", t_status(make_link(&link, L"\\BaseNamedObjects\\fvm-t-link",
                                                   L"\\BaseNamedObjects\\fvm-t-dir")));
    target_of(L"\\BaseNamedObjects\\fvm-t-link");
    t_say("through: %s", t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS,
                                              named(L"\\BaseNamedObjects\\fvm-t-link\\deep\\e"))));
    t_say("name: %s", name_of(h));
    NtClose(h);
    NtClose(link);
    t_say("to \\DosDevices: %s",
          t_status(make_link(&link, L"\\BaseNamedObjects\\fvm-t-link", L"\\DosDevices")));
    target_of(L"\\BaseNamedObjects\\fvm-t-link");
    t_say("NUL: %s",
          t_status(NtOpenFile(&h, GENERIC_READ, (OA *)named(L"\\BaseNamedObjects\\fvm-t-link\\NUL"),
                              &io, 3, 0)));
    NtClose(h);
    t_say("event through: %s",
          t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS,
                               named(L"\\BaseNamedObjects\\fvm-t-"
                                     L"link\\GLOBALROOT\\BaseNamedObjects\\fvm-t-dir\\deep\\e"))));
    NtClose(h);
    NtClose(link);
    t_say("to nothing: %s",
          t_status(make_link(&link, L"\\BaseNamedObjects\\fvm-t-link", L"->nothing")));
    target_of(L"\\BaseNamedObjects\\fvm-t-link");
    t_say("through: %s",
          t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\BaseNamedObjects\\fvm-t-link\\x"))));
    NtClose(link);
    t_say("to itself: %s", t_status(make_link(&link, L"\\BaseNamedObjects\\fvm-t-link",
                                              L"\\BaseNamedObjects\\fvm-t-link")));
    t_say("through: %s",
          t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\BaseNamedObjects\\fvm-t-link\\x"))));
    NtClose(link);
    t_say("in \\??: %s",
          t_status(make_link(&link, L"\\??\\fvm-t-link", L"\\BaseNamedObjects\\fvm-t-dir")));
    t_say("through: %s",
          t_status(NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\DosDevices\\fvm-t-link\\deep\\e"))));
    NtClose(h);
    NtClose(link);

    t_part("relative to the host's directories");
    static const struct {
        const WCHAR *root, *rest;
    } relative[] = {
        {L"\\", L"BaseNamedObjects\\fvm-t-dir\\deep\\e"},
        {L"\\", L"??\\GLOBALROOT\\BaseNamedObjects\\fvm-t-dir\\deep\\e"},
        {L"\\", L"Sessions\\0\\BaseNamedObjects\\fvm-t-dir\\deep\\e"},
        {L"\\Sessions", L"0\\BaseNamedObjects\\fvm-t-dir\\deep\\e"},
        {L"\\Sessions\\1", L"BaseNamedObjects\\Global\\fvm-t-dir\\deep\\e"},
        {L"\\Sessions\\BNOLINKS", L"0\\fvm-t-dir\\deep\\e"},
        {L"\\??", L"GLOBALROOT\\BaseNamedObjects\\fvm-t-dir\\deep\\e"},
        {L"\\Device", L"fvm-t-dir\\deep\\e"},
    };
    for (size_t i = 0; i < sizeof relative / sizeof *relative; i++) {
        HANDLE root;
        NTSTATUS status = NtOpenDirectoryObject(&root, 1, named(relative[i].root));
        t_say("%s: %s, name %s", t_text(relative[i].root, -1), t_status(status), name_of(root));
        status = NtOpenEvent(&h, EVENT_ALL_ACCESS, named_at(root, relative[i].rest, 0));
        t_say("  %s: %s", t_text(relative[i].rest, -1), t_status(status));
        if (!status) NtClose(h);
        status =
            NtCreateEvent(&outside, EVENT_ALL_ACCESS, named_at(root, L"fvm-t-new", 0), 0, FALSE);
        t_say("  new: %s %s", t_status(status), status ? "" : name_of(outside));
        if (!status) {
            status = NtOpenEvent(&h, EVENT_ALL_ACCESS, named_at(root, L"fvm-t-new", 0));
            t_say("  open: %s", t_status(status));
            if (!status) NtClose(h);
            NtClose(outside);
        }
        NtClose(root);
    }
    NtClose(event);
    NtClose(deep);
    NtClose(dir);
}

static void of_the_host(void)
{
    HANDLE h;

    t_part("objects of the host");
    h = CreateMemoryResourceNotification(LowMemoryResourceNotification);
    t_say("low memory: %s", t_win(h != NULL));
    if (h) t_say("  wait: %lu", WaitForSingleObject(h, 0));
    if (h) t_say("  name: %s", name_of(h));
    if (h) CloseHandle(h);
    t_say("read-only: %s",
          t_status(NtOpenEvent(&h, SYNCHRONIZE, named(L"\\KernelObjects\\HighMemoryCondition"))));
    NtClose(h);
    t_say("missing: %s",
          t_status(NtOpenEvent(&h, SYNCHRONIZE, named(L"\\KernelObjects\\Nothing"))));
    t_say("section: %s",
          t_status(NtOpenSection(&h, SECTION_MAP_READ, named(L"\\NLS\\NlsSectionLANG_INTL"))));
    NtClose(h);
}

/* --- ways out --------------------------------------------------------------------------------- */
static void climb(void)
{
    static const WCHAR *const events[] = {
        L"\\Sessions\\1\\BaseNamedObjects\\fvm-meet-event",
        L"\\Sessions\\1\\BaseNamedObjects\\..\\..\\..\\..\\Sessions\\1\\BaseNamedObjects\\fvm-meet-"
        L"event",
        L"\\BaseNamedObjects\\fvm-meet-global",
        L"\\BaseNamedObjects\\..\\..\\fvm-meet-global",
        L"\\BaseNamedObjects\\Global\\Global\\fvm-meet-global",
        L"\\??\\Global\\Global\\GLOBALROOT\\DosDevices\\Global\\GLOBALROOT\\BaseNamedObjects\\fvm-"
        L"meet-global",
        L"\\fvm-meet-outside",
        L"\\??\\GLOBALROOT\\fvm-meet-outside",
    };
    static const WCHAR *const pipes[] = {
        L"\\??\\pipe\\fvm-meet-pipe",
        L"\\DosDevices\\PIPE\\fvm-meet-pipe",
        L"\\??\\pipe\\..\\fvm-meet-pipe",
        L"\\??\\pipe\\..\\..\\..\\fvm-meet-pipe",
        L"\\??\\pipe\\.\\fvm-meet-pipe",
        L"\\??\\pipe\\\\fvm-meet-pipe",
        L"\\Device\\NamedPipe\\fvm-meet-pipe",
        L"\\Device\\NamedPipe\\..\\NamedPipe\\fvm-meet-pipe",
        L"\\??\\GLOBALROOT\\Device\\NamedPipe\\fvm-meet-pipe",
        L"\\??\\Global\\pipe\\fvm-meet-pipe",
        L"\\??\\UNC\\localhost\\pipe\\fvm-meet-pipe",
        L"\\??\\UNC\\127.0.0.1\\pipe\\..\\fvm-meet-pipe",
        L"\\??\\mailslot\\fvm-meet-slot",
        L"\\Device\\MailSlot\\fvm-meet-slot",
    };
    static const struct {
        const WCHAR *target, *rest;
        bool pipe;
    } ways[] = {
        {L"\\", L"Sessions\\1\\BaseNamedObjects\\fvm-meet-event", false},
        {L"\\", L"BaseNamedObjects\\fvm-meet-global", false},
        {L"\\", L"fvm-meet-outside", false},
        {L"\\", L"??\\GLOBALROOT\\BaseNamedObjects\\fvm-meet-global", false},
        {L"\\Sessions", L"1\\BaseNamedObjects\\fvm-meet-event", false},
        {L"\\Sessions\\1", L"BaseNamedObjects\\fvm-meet-event", false},
        {L"\\Sessions\\BNOLINKS", L"1\\fvm-meet-event", false},
        {L"\\??", L"GLOBALROOT\\BaseNamedObjects\\fvm-meet-global", false},
        {L"\\DosDevices", L"Global\\GLOBALROOT\\fvm-meet-outside", false},
        {L"\\BaseNamedObjects", L"fvm-meet-global", false},
        {L"\\", L"Device\\NamedPipe\\fvm-meet-pipe", true},
        {L"\\", L"??\\PIPE\\fvm-meet-pipe", true},
        {L"\\Device", L"NamedPipe\\fvm-meet-pipe", true},
        {L"\\??", L"PIPE\\fvm-meet-pipe", true},
        {L"\\Device\\NamedPipe", L"fvm-meet-pipe", true},
        {L"\\??\\PIPE", L"fvm-meet-pipe", true},
    };
    IO_STATUS_BLOCK io;
    HANDLE h, link;
    NTSTATUS status;

    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        status = NtOpenEvent(&h, SYNCHRONIZE, named(events[i]));
        t_ok(status < 0, "event %s: %s", t_text(events[i], -1), t_status(status));
    }
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++) {
        status = NtOpenFile(&h, GENERIC_WRITE | SYNCHRONIZE, (OA *)named(pipes[i]), &io, 3, 0);
        t_ok(status < 0, "pipe %s: %s", t_text(pipes[i], -1), t_status(status));
    }
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        HANDLE root;
        WCHAR name[256];
        status = NtOpenDirectoryObject(&root, 1, named(ways[i].target));
        if (!status) {
            const OA *a = named_at(root, ways[i].rest, OBJ_CASE_INSENSITIVE);
            status = ways[i].pipe ? NtOpenFile(&h, GENERIC_READ | SYNCHRONIZE, (OA *)a, &io, 3, 0)
                                  : NtOpenEvent(&h, SYNCHRONIZE, a);
            t_ok(status < 0, "handle of %s, %s: %s", t_text(ways[i].target, -1),
                 t_text(ways[i].rest, -1), t_status(status));
            NtClose(root);
        }
        status = make_link(&link, L"\\BaseNamedObjects\\fvm-climb", ways[i].target);
        t_ok(!status, "link to %s: %s", t_text(ways[i].target, -1), t_status(status));
        wcscpy(name, L"\\BaseNamedObjects\\fvm-climb\\");
        wcscat(name, ways[i].rest);
        status = ways[i].pipe
                     ? NtOpenFile(&h, GENERIC_READ | SYNCHRONIZE, (OA *)named(name), &io, 3, 0)
                     : NtOpenEvent(&h, SYNCHRONIZE, named(name));
        t_ok(status < 0, "link to %s, %s: %s", t_text(ways[i].target, -1), t_text(ways[i].rest, -1),
             t_status(status));
        HANDLE dir = NULL;
        NtOpenDirectoryObject(&dir, 3, named(L"\\BaseNamedObjects"));
        const OA *a = named_at(dir, name + wcslen(L"\\BaseNamedObjects\\"), OBJ_CASE_INSENSITIVE);
        status = ways[i].pipe ? NtOpenFile(&h, GENERIC_READ | SYNCHRONIZE, (OA *)a, &io, 3, 0)
                              : NtOpenEvent(&h, SYNCHRONIZE, a);
        t_ok(status < 0, "the same, relative: %s", t_status(status));
        NtClose(dir);
        NtClose(link);
    }
    /* the host's objects are there for reading alone */
    status = NtOpenEvent(&h, EVENT_ALL_ACCESS, named(L"\\KernelObjects\\LowMemoryCondition"));
    t_ok(!status && !SetEvent(h) && GetLastError() == ERROR_ACCESS_DENIED,
         "an event of the host cannot be set");
    /* processes */
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    int others = 0, attached = 0;
    for (BOOL more = Process32FirstW(snapshot, &entry); more;
         more = Process32NextW(snapshot, &entry)) {
        others += entry.th32ProcessID != GetCurrentProcessId();
    }
    CloseHandle(snapshot);
    t_ok(!others, "the VM has one process");
    FreeConsole();
    for (DWORD pid = 4; pid < 4096; pid += 4)
        attached += pid != GetCurrentProcessId() && AttachConsole(pid);
    t_ok(!attached, "the console of a process outside");
    int reached = 0;
    for (DWORD pid = 4; pid < 4096; pid += 4) {
        h = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
        if (h && pid != GetCurrentProcessId()) reached++;
        h = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, pid);
        if (h && GetProcessIdOfThread(h) != GetCurrentProcessId()) reached++;
    }
    t_ok(!reached, "no process or thread of others can be opened (%d)", reached);
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "vm")) {
        climb();
        return t_end();
    }
    spellings();
    bad_names();
    queries();
    of_the_host();
    directories();
    return t_end();
}
