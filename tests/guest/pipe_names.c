/* Pipes and mailslots: names, waiting, what queries tell, and that they carry data. */
#include "test.h"

NTSTATUS NTAPI NtCreateNamedPipeFile(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *,
                                     ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG,
                                     LARGE_INTEGER *);
NTSTATUS NTAPI NtCreateMailslotFile(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *,
                                    ULONG, ULONG, ULONG, LARGE_INTEGER *);

static UNICODE_STRING text;
static OBJECT_ATTRIBUTES attr;
static IO_STATUS_BLOCK io;

static OBJECT_ATTRIBUTES *named(const WCHAR *name, ULONG flags)
{
    RtlInitUnicodeString(&text, name);
    InitializeObjectAttributes(&attr, &text, flags, NULL, NULL);
    return &attr;
}

static NTSTATUS make(HANDLE *h, const WCHAR *name, ULONG flags)
{
    LARGE_INTEGER timeout = {.QuadPart = -10000000};
    return NtCreateNamedPipeFile(h, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, named(name, flags),
                                 &io, 3, FILE_OPEN_IF, FILE_SYNCHRONOUS_IO_NONALERT, 0, 0, 0, 8,
                                 512, 512, &timeout);
}

static NTSTATUS open_name(HANDLE *h, const WCHAR *name, ULONG flags)
{
    return NtOpenFile(h, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, named(name, flags), &io, 3,
                      FILE_SYNCHRONOUS_IO_NONALERT);
}

static void show_name(HANDLE h)
{
    struct {
        UNICODE_STRING name;
        WCHAR text[512];
    } object;
    struct {
        ULONG length;
        WCHAR text[512];
    } file;
    ULONG used = 0;
    NTSTATUS status = NtQueryObject(h, (OBJECT_INFORMATION_CLASS)1, &object, sizeof object, &used);

    t_say("  object: %s %s %lu", t_status(status),
          status ? "" : t_text(object.name.Buffer, object.name.Length / 2), used);
    status = NtQueryInformationFile(h, &io, &file, sizeof file, (FILE_INFORMATION_CLASS)9);
    t_say("  file: %s", t_status(status));
    if (!status)
        t_say("  file: %s, %lu of %lu", t_text(file.text, (int)file.length / 2), file.length,
              (ULONG)io.Information);
    for (ULONG size = 0; size < 64; size += 4) {
        memset(&file, 0x55, sizeof file);
        io.Information = 0xdead;
        status = NtQueryInformationFile(h, &io, &file, size, (FILE_INFORMATION_CLASS)9);
        if (status == STATUS_SUCCESS || status == STATUS_BUFFER_OVERFLOW)
            t_say("    %lu bytes: %s %lu, %s, next %04x", size, t_status(status), file.length,
                  t_text(file.text, (int)(size - 4) / 2), file.text[(size - 4) / 2]);
        else
            t_say("    %lu bytes: %s", size, t_status(status));
    }
}

static void names(void)
{
    static const WCHAR *const good[] = {
        L"\\??\\pipe\\fvm-p",
        L"\\??\\PIPE\\FVM-P",
        L"\\DosDevices\\pipe\\fvm-p",
        L"\\Device\\NamedPipe\\fvm-p",
        L"\\??\\GLOBALROOT\\Device\\NamedPipe\\fvm-p",
        L"\\??\\Global\\PIPE\\fvm-p",
        L"\\??\\pipe\\fvm-p\\",
        L"\\??\\pipe\\\\fvm-p",
        L"\\??\\pipe\\a\\..\\fvm-p",
        L"\\??\\pipe\\dir\\fvm-p",
        L"\\??\\pipe\\",
        L"\\??\\pipe",
        L"\\Device\\NamedPipe",
        L"\\Device\\NamedPipe\\",
        L"\\??\\pipe\\fvm-p:x*?\"<>|",
        L"\\BaseNamedObjects\\fvm-p",
        L"\\fvm-p",
        L"fvm-p",
        L"",
        L"\\??\\mailslot\\fvm-p",
        L"\\??\\C:\\fvm-p",
        L"\\??\\NUL\\fvm-p",
    };
    const size_t count = sizeof good / sizeof *good;

    t_part("names of pipes");
    for (ULONG flags = 0; flags <= OBJ_CASE_INSENSITIVE; flags += OBJ_CASE_INSENSITIVE) {
        for (size_t i = 0; i < count; i++) {
            HANDLE server, client;
            char row[32] = {0};
            NTSTATUS status = make(&server, good[i], flags);
            t_say("create %s (%lx): %s", t_text(good[i], -1), flags, t_status(status));
            if (status) continue;
            for (size_t k = 0; k < count; k++) {
                HANDLE more;
                status = open_name(&client, good[k], flags);
                row[k] = !status ? 'x' : status == STATUS_PIPE_NOT_AVAILABLE ? 'b' : '.';
                if (!status) {
                    NtClose(client);
                    /* that used the instance up */
                    NtClose(server);
                    if (make(&more, good[i], flags)) t_die("cannot make the pipe again");
                    server = more;
                }
            }
            t_say("  opened as %s", row);
            if (flags) show_name(server);
            NtClose(server);
        }
    }
    t_say("open a missing one: %s", t_status(open_name(&(HANDLE){0}, L"\\??\\pipe\\fvm-p", 0x40)));
    t_say("event: %s", t_status(open_name(&(HANDLE){0}, L"\\??\\pipe\\svcctl-no", 0x40)));
}

static void long_names(void)
{
    WCHAR *name = malloc(65536);
    HANDLE h, c;

    t_part("long names");
    wcscpy(name, L"\\Device\\NamedPipe\\");
    for (size_t i = wcslen(name); i < 32768; i++)
        name[i] = 'p';
    for (ULONG bytes = 65528; bytes <= 65534; bytes += 2) {
        LARGE_INTEGER timeout = {.QuadPart = -10000000};
        text = (UNICODE_STRING){(USHORT)bytes, (USHORT)bytes, name};
        InitializeObjectAttributes(&attr, &text, 0, NULL, NULL);
        NTSTATUS status = NtCreateNamedPipeFile(&h, GENERIC_READ | SYNCHRONIZE, &attr, &io, 3,
                                                FILE_OPEN_IF, 0, 0, 0, 0, 8, 512, 512, &timeout);
        t_say("%lu bytes: %s", bytes, t_status(status));
        if (status) continue;
        status = NtOpenFile(&c, GENERIC_READ | SYNCHRONIZE, &attr, &io, 3, 0);
        t_say("  open: %s", t_status(status));
        if (!status) NtClose(c);
        NtClose(h);
    }
    free(name);
}

static DWORD WINAPI later(void *pipe)
{
    Sleep(50);
    ConnectNamedPipe(pipe, NULL);
    return 0;
}

static DWORD WINAPI echo(void *pipe)
{
    char buffer[32];
    DWORD n;

    ConnectNamedPipe(pipe, NULL);
    while (ReadFile(pipe, buffer, sizeof buffer, &n, NULL))
        WriteFile(pipe, buffer, n, &n, NULL);
    DisconnectNamedPipe(pipe);
    return 0;
}

static void waiting(void)
{
    const WCHAR *name = L"\\\\.\\pipe\\fvm-wait";
    HANDLE server, client, thread;
    char answer[32];
    DWORD n;

    t_part("waiting");
    t_say("missing: %s", t_win(WaitNamedPipeW(name, 10)));
    server = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE,
                              2, 512, 512, 100, NULL);
    t_say("create: %s", t_win(server != INVALID_HANDLE_VALUE));
    t_say("free: %s", t_win(WaitNamedPipeW(name, 10)));
    t_say("upper case: %s", t_win(WaitNamedPipeW(L"\\\\.\\PIPE\\FVM-WAIT", 10)));
    t_say("default time: %s", t_win(WaitNamedPipeW(name, NMPWAIT_USE_DEFAULT_WAIT)));
    client = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    t_say("open: %s", t_win(client != INVALID_HANDLE_VALUE));
    t_say("busy: %s", t_win(WaitNamedPipeW(name, 10)));
    t_say("open: %s", t_win(CreateFileW(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) !=
                            INVALID_HANDLE_VALUE));
    show_name(client);
    CloseHandle(client);
    DisconnectNamedPipe(server);
    thread = CreateThread(NULL, 0, later, server, 0, NULL);
    t_say("freed later: %s", t_win(WaitNamedPipeW(name, 5000)));
    client = CreateFileW(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    t_say("open: %s", t_win(client != INVALID_HANDLE_VALUE));
    WaitForSingleObject(thread, 5000);
    CloseHandle(thread);
    CloseHandle(client);
    DisconnectNamedPipe(server);
    thread = CreateThread(NULL, 0, echo, server, 0, NULL);
    t_say("call: %s",
          t_win(CallNamedPipeW(name, (void *)"hello", 5, answer, sizeof answer, &n, 1000)));
    t_say("  %lu %.5s", n, answer);
    WaitForSingleObject(thread, 5000);
    CloseHandle(thread);
    CloseHandle(server);
    t_say("gone: %s", t_win(WaitNamedPipeW(name, 10)));

    /* malformed requests */
    HANDLE device;
    static const UCHAR zero[64];
    t_say("device: %s",
          t_status(NtOpenFile(&device, FILE_READ_ATTRIBUTES | SYNCHRONIZE,
                              named(L"\\??\\pipe\\", 0x40), &io, 3, FILE_SYNCHRONOUS_IO_NONALERT)));
    for (ULONG size = 0; size < 32; size += 4)
        t_say("  wait for %lu bytes: %s", size,
              t_status(NtFsControlFile(device, NULL, NULL, NULL, &io, 0x110018, (void *)zero, size,
                                       NULL, 0)));
    struct {
        LARGE_INTEGER timeout;
        ULONG length;
        BOOLEAN specified;
        WCHAR name[8];
    } request = {.length = 400, .specified = TRUE, .name = L"fvm"};
    t_say("  name longer than the buffer: %s",
          t_status(NtFsControlFile(device, NULL, NULL, NULL, &io, 0x110018, &request,
                                   sizeof request, NULL, 0)));
    request.length = 6;
    t_say("  missing: %s", t_status(NtFsControlFile(device, NULL, NULL, NULL, &io, 0x110018,
                                                    &request, sizeof request, NULL, 0)));
    NtClose(device);
}

static void anonymous(void)
{
    HANDLE in, out;
    char buffer[8] = {0};
    DWORD n;

    t_part("anonymous");
    t_say("create: %s", t_win(CreatePipe(&in, &out, NULL, 0)));
    t_say("write: %s", t_win(WriteFile(out, "abc", 3, &n, NULL)));
    t_say("read: %s %s", t_win(ReadFile(in, buffer, sizeof buffer, &n, NULL)), buffer);
    CloseHandle(out);
    t_say("end: %s", t_win(ReadFile(in, buffer, sizeof buffer, &n, NULL)));
    CloseHandle(in);
    for (int i = 0; i < 100; i++) {
        if (!CreatePipe(&in, &out, NULL, 0)) t_say("create %d: %s", i, t_win(FALSE));
        CloseHandle(in);
        CloseHandle(out);
    }
}

static void mailslots(void)
{
    static const WCHAR *const good[] = {
        L"\\??\\mailslot\\fvm-m",
        L"\\??\\MAILSLOT\\FVM-M",
        L"\\Device\\MailSlot\\fvm-m",
        L"\\DosDevices\\mailslot\\fvm-m",
        L"\\??\\mailslot\\dir\\fvm-m",
        L"\\??\\mailslot\\..\\fvm-m",
        L"\\??\\mailslot\\",
        L"\\??\\mailslot",
        L"\\fvm-m",
        L"",
        L"\\??\\pipe\\fvm-m",
    };
    LARGE_INTEGER timeout = {.QuadPart = 0};
    char buffer[16];
    DWORD n, count, next;

    t_part("mailslots");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        HANDLE slot, h;
        NTSTATUS status = NtCreateMailslotFile(&slot, GENERIC_READ | SYNCHRONIZE,
                                               named(good[i], 0x40), &io, 0x20, 0, 0, &timeout);
        t_say("create %s: %s", t_text(good[i], -1), t_status(status));
        if (status) continue;
        for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
            status =
                NtOpenFile(&h, GENERIC_WRITE | SYNCHRONIZE, named(good[k], 0x40), &io, 3, 0x20);
            t_say("  open %s: %s", t_text(good[k], -1), t_status(status));
            if (!status) {
                t_say("  write: %s", t_win(WriteFile(h, "letter", 6, &n, NULL)));
                NtClose(h);
            }
        }
        t_say("  info: %s", t_win(GetMailslotInfo(slot, NULL, &next, &count, NULL)));
        t_say("  next %lu, count %lu", next, count);
        if (count) t_say("  read: %s", t_win(ReadFile(slot, buffer, sizeof buffer, &n, NULL)));
        show_name(slot);
        NtClose(slot);
    }
    HANDLE slot = CreateMailslotW(L"\\\\.\\mailslot\\fvm-w", 0, 0, NULL);
    t_say("win32: %s", t_win(slot != INVALID_HANDLE_VALUE));
    t_say("again: %s",
          t_win(CreateMailslotW(L"\\\\.\\mailslot\\fvm-w", 0, 0, NULL) != INVALID_HANDLE_VALUE));
    CloseHandle(slot);
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    names();
    long_names();
    waiting();
    anonymous();
    mailslots();
    return t_end();
}
