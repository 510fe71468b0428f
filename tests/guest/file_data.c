/* Data: reading, writing, appending, sizes, memory mapping, asynchronous and
 * completion-port input and output, on files of the base and the VM's own. */
#include "test.h"

static NTSTATUS put_at(HANDLE h, LONGLONG from, const char *text)
{
    LARGE_INTEGER at = {.QuadPart = from};
    IO_STATUS_BLOCK io;

    return NtWriteFile(h, NULL, NULL, NULL, &io, text, (ULONG)strlen(text), &at, NULL);
}

static void get_at(const char *label, HANDLE h, LONGLONG from, ULONG bytes)
{
    LARGE_INTEGER at = {.QuadPart = from};
    IO_STATUS_BLOCK io = {.Information = 0};
    char data[300];
    WCHAR wide[300];
    NTSTATUS status = NtReadFile(h, NULL, NULL, NULL, &io, data, bytes, &at, NULL);
    ULONG_PTR i;

    for (i = 0; i < io.Information && i < 290; i++)
        wide[i] = (unsigned char)data[i];
    t_say("%s: read %lu at %ld: %s '%s'", label, bytes, (long)from, t_status(status),
          status ? "" : t_text(wide, (int)i));
}

static void append(const char *name)
{
    HANDLE a, b;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER special = {.QuadPart = -1}, current = {.QuadPart = -2};
    NTSTATUS one, two;

    t_part("append: %s", name);
    a = t_open(t_nt("%s", name), FILE_APPEND_DATA, 0);
    b = t_open(t_nt("%s", name), FILE_READ_DATA | FILE_WRITE_DATA, 0);
    t_say("append-only handle at 0: %s", t_status(put_at(a, 0, "AAA")));
    one = NtWriteFile(b, NULL, NULL, NULL, &io, "BBB", 3, &special, NULL);
    t_say("at the end: %s", t_status(one));
    t_say("append-only again: %s", t_status(put_at(a, 2, "CC")));
    one = NtWriteFile(b, NULL, NULL, NULL, &io, "D", 1, &current, NULL);
    two = NtWriteFile(b, NULL, NULL, NULL, &io, "E", 1, NULL, NULL);
    t_say("at the current position: %s %s", t_status(one), t_status(two));
    get_at("all", b, 0, 250);
    NtClose(a);
    NtClose(b);
    t_show("after", t_nt("%s", name));
}

static void positions(const char *name)
{
    HANDLE h = t_open(t_nt("%s", name), GENERIC_READ | GENERIC_WRITE, 0);
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at;
    char data[20] = {0};
    NTSTATUS status;
    int i;

    t_part("positions and sizes: %s", name);
    for (i = 0; i < 4; i++) {
        status = NtReadFile(h, NULL, NULL, NULL, &io, data, 4, NULL, NULL);
        t_say("read: %s '%.4s'", t_status(status), data);
    }
    status = NtQueryInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)14);
    t_say("position: %s %ld", t_status(status), (long)at.QuadPart);
    at.QuadPart = 1000;
    status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)14);
    t_say("position 1000: %s", t_status(status));
    status = NtReadFile(h, NULL, NULL, NULL, &io, data, 4, NULL, NULL);
    t_say("read: %s", t_status(status));
    status = NtWriteFile(h, NULL, NULL, NULL, &io, "far", 3, NULL, NULL);
    t_say("write: %s", t_status(status));
    get_at("hole", h, 990, 20);
    t_show("size", t_nt("%s", name));
    at.QuadPart = 5;
    status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)20);
    t_say("cut to 5: %s", t_status(status));
    t_show("size", t_nt("%s", name));
    at.QuadPart = 100000;
    status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)20);
    t_say("grow: %s", t_status(status));
    t_show("size", t_nt("%s", name));
    at.QuadPart = 10;
    status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)19);
    t_say("allocation 10: %s", t_status(status));
    t_show("size", t_nt("%s", name));
    status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)39);
    t_say("valid data length: %s", t_status(status));
    at.QuadPart = -5;
    status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)20);
    t_say("negative size: %s", t_status(status));
    get_at("negative", h, -3, 4);
    get_at("empty read", h, 0, 0);
    NtClose(h);
}

static void mapping(const char *name, bool grow)
{
    HANDLE reader = t_open(t_nt("%s", name), GENERIC_READ, 0), file, map, section;
    char *view, *second = NULL, *own;
    LARGE_INTEGER size = {.QuadPart = 70000};
    SIZE_T bytes = 0;
    NTSTATUS status;

    t_part("mapping: %s%s", name, grow ? ", grown" : "");
    /* a view of the base from before the change */
    status = NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READONLY, SEC_COMMIT,
                             reader);
    t_say("read-only section: %s", t_status(status));
    if (!status) {
        status = NtMapViewOfSection(section, GetCurrentProcess(), (void **)&second, 0, 0, NULL,
                                    &bytes, 1, 0, PAGE_READONLY);
        t_say("its view: %s '%.5s'", t_status(status), second ? second : "");
    }
    file = CreateFileW(t_dos("%s", name), GENERIC_READ | GENERIC_WRITE, 7, NULL, OPEN_EXISTING, 0,
                       NULL);
    t_say("open for writing: %s", t_win(file != INVALID_HANDLE_VALUE));
    map = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, grow ? size.LowPart : 0, NULL);
    t_say("section: %s", t_win(map != NULL));
    view = MapViewOfFile(map, FILE_MAP_WRITE, 0, 0, 0);
    t_say("view: %s", t_win(view != NULL));
    if (view) {
        t_say("  '%.5s'", view);
        memcpy(view, "MAPPED", 6);
        if (grow) strcpy(view + 65000, "at the end");
        t_say("  flush: %s", t_win(FlushViewOfFile(view, 0)));
        get_at("by the earlier handle", reader, 0, 10);
        if (second) t_say("in the earlier view: '%.6s'", second);
        t_say("write by handle: %s", t_status(put_at(file, 8, "handle")));
        t_say("in the view: '%.14s'", view);
        t_say("child ended with %lu", t_wait(t_spawn("child map \"%s\"", name)));
        t_say("in the view: '%.14s'", view);
        size.QuadPart = 3;
        t_say("cut while mapped: %s",
              t_win(SetFilePointer(file, 3, NULL, FILE_BEGIN) == 3 && SetEndOfFile(file)));
        UnmapViewOfFile(view);
    }
    own = MapViewOfFile(map, FILE_MAP_COPY, 0, 0, 0);
    if (own) {
        own[0] = 'c';
        t_say("copy-on-write view: '%.3s'", own);
        UnmapViewOfFile(own);
    }
    CloseHandle(map);
    CloseHandle(file);
    if (second) NtUnmapViewOfSection(GetCurrentProcess(), second);
    NtClose(section);
    NtClose(reader);
    t_show("after", t_nt("%s", name));
}

static void mapping_errors(void)
{
    static const struct {
        const char *name;
        ULONG access, protect, attributes;
        LONGLONG size;
    } cases[] = {
        {"empty.dat", GENERIC_READ, PAGE_READONLY, SEC_COMMIT, 0},
        {"empty.dat", GENERIC_READ | GENERIC_WRITE, PAGE_READWRITE, SEC_COMMIT, 100},
        {"hello.txt", GENERIC_READ, PAGE_READWRITE, SEC_COMMIT, 0},
        {"hello.txt", GENERIC_READ, PAGE_WRITECOPY, SEC_COMMIT, 0},
        {"hello.txt", GENERIC_READ, PAGE_READONLY, SEC_COMMIT, 100000},
        {"hello.txt", GENERIC_WRITE, PAGE_READWRITE, SEC_COMMIT, 0},
        {"hello.txt", GENERIC_READ, PAGE_READONLY, SEC_IMAGE, 0},
        {"nested", GENERIC_READ, PAGE_READONLY, SEC_COMMIT, 0},
        {"ro.txt", GENERIC_READ, PAGE_READONLY, SEC_COMMIT, 0},
    };
    size_t i;

    t_part("sections that fail or not");
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        HANDLE h = t_open(t_nt("%s", cases[i].name), cases[i].access, 0), section = NULL;
        LARGE_INTEGER size = {.QuadPart = cases[i].size};
        NTSTATUS status =
            NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, size.QuadPart ? &size : NULL,
                            cases[i].protect, cases[i].attributes, h);

        t_say("%s access %lx protect %lx %lx size %ld: %s", cases[i].name, cases[i].access,
              cases[i].protect, cases[i].attributes, (long)cases[i].size, t_status(status));
        if (!status) NtClose(section);
        NtClose(h);
    }
}

static volatile LONG apc_calls;
static ULONG_PTR apc_bytes;

static void NTAPI on_apc(void *context, IO_STATUS_BLOCK *io, ULONG reserved)
{
    (void)context, (void)reserved;
    apc_bytes = io->Information;
    apc_calls++;
}

static void asynchronous(const char *name)
{
    HANDLE h = CreateFileW(t_dos("%s", name), GENERIC_READ | GENERIC_WRITE, 7, NULL, OPEN_EXISTING,
                           FILE_FLAG_OVERLAPPED, NULL);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL), port;
    OVERLAPPED over, *done;
    char data[100] = {0};
    DWORD bytes;
    ULONG_PTR key = 0;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = 3};
    NTSTATUS status;
    BOOL ok;

    t_part("asynchronous: %s", name);
    memset(&over, 0, sizeof over);
    over.hEvent = event;
    over.Offset = 2;
    ok = ReadFile(h, data, 5, NULL, &over);
    t_say("read started: %s", ok || GetLastError() == ERROR_IO_PENDING ? "yes" : t_win(FALSE));
    bytes = 0;
    ok = GetOverlappedResult(h, &over, &bytes, TRUE);
    t_say("result: %s %lu '%s'", t_win(ok), bytes, data);
    over.Offset = 4;
    ok = WriteFile(h, "async", 5, NULL, &over);
    t_say("write started: %s", ok || GetLastError() == ERROR_IO_PENDING ? "yes" : t_win(FALSE));
    ok = GetOverlappedResult(h, &over, &bytes, TRUE);
    t_say("result: %s %lu", t_win(ok), bytes);
    over.Offset = 100000;
    ok = ReadFile(h, data, 5, NULL, &over);
    if (ok || GetLastError() == ERROR_IO_PENDING) ok = GetOverlappedResult(h, &over, &bytes, TRUE);
    t_say("read behind the end: %s", t_win(ok));
    status = NtReadFile(h, NULL, NULL, NULL, &io, data, 5, NULL, NULL);
    t_say("without an offset: %s", t_status(status));
    apc_calls = 0;
    status = NtReadFile(h, NULL, (PIO_APC_ROUTINE)on_apc, NULL, &io, data, 5, &at, NULL);
    SleepEx(status == STATUS_PENDING ? 1000 : 0, TRUE);
    t_say("with APC: %s calls %ld bytes %lu",
          status == STATUS_PENDING ? "SUCCESS" : t_status(status), (long)apc_calls,
          (unsigned long)apc_bytes);
    port = CreateIoCompletionPort(h, NULL, 77, 0);
    t_say("completion port: %s", t_win(port != NULL));
    over.hEvent = NULL;
    over.Offset = 0;
    ok = WriteFile(h, "port", 4, NULL, &over);
    t_say("write started: %s", ok || GetLastError() == ERROR_IO_PENDING ? "yes" : t_win(FALSE));
    done = NULL;
    ok = GetQueuedCompletionStatus(port, &bytes, &key, &done, 2000);
    t_say("completed: %s %lu key %lu own %d", t_win(ok), bytes, (unsigned long)key, done == &over);
    ok = ReadFile(h, data, 20, NULL, &over);
    t_say("read started: %s", ok || GetLastError() == ERROR_IO_PENDING ? "yes" : t_win(FALSE));
    ok = GetQueuedCompletionStatus(port, &bytes, &key, &done, 2000);
    t_say("completed: %s %lu key %lu", t_win(ok), bytes, (unsigned long)key);
    CloseHandle(port);
    CloseHandle(event);
    CloseHandle(h);
    t_show("after", t_nt("%s", name));
}

static void flags(void)
{
    HANDLE h = CreateFileW(t_dos("big.txt"), GENERIC_READ | GENERIC_WRITE, 7, NULL, OPEN_EXISTING,
                           FILE_FLAG_NO_BUFFERING | FILE_FLAG_WRITE_THROUGH, NULL);
    char *page = VirtualAlloc(NULL, 8192, MEM_COMMIT, PAGE_READWRITE);
    DWORD bytes = 0;
    BOOL ok;

    t_part("no buffering, write through");
    ok = ReadFile(h, page, 4096, &bytes, NULL);
    t_say("aligned read: %s %lu '%.10s'", t_win(ok), bytes, page);
    ok = ReadFile(h, page + 1, 100, &bytes, NULL);
    t_say("odd read: %s %lu", t_win(ok), bytes);
    SetFilePointer(h, 4096, NULL, FILE_BEGIN);
    memset(page, 'p', 4096);
    ok = WriteFile(h, page, 4096, &bytes, NULL);
    t_say("aligned write: %s %lu", t_win(ok), bytes);
    ok = FlushFileBuffers(h);
    t_say("flush: %s", t_win(ok));
    CloseHandle(h);
    VirtualFree(page, 0, MEM_RELEASE);
    t_show("big", t_nt("big.txt"));
    h = CreateFileW(t_dos("big.txt"), GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    ok = FlushFileBuffers(h);
    t_say("flush without the right: %s", t_win(ok));
    get_at("middle", h, 4090, 20);
    CloseHandle(h);
}

static void large(void)
{
    HANDLE h = CreateFileW(t_dos("sparse.bin"), GENERIC_READ | GENERIC_WRITE, 7, NULL, CREATE_NEW,
                           0, NULL);
    LARGE_INTEGER size;
    BOOL ok;

    t_part("beyond 4 GB");
    t_say("write at 5 GB: %s", t_status(put_at(h, 5ll << 30, "here")));
    get_at("there", h, (5ll << 30) - 2, 10);
    ok = GetFileSizeEx(h, &size);
    t_say("size: %s %lx %lx", t_win(ok), (unsigned long)size.HighPart, size.LowPart);
    CloseHandle(h);
    t_say("renamed: %s", t_win(MoveFileW(t_dos("sparse.bin"), t_dos("nested\\sparse.bin"))));
    t_say("deleted: %s", t_win(DeleteFileW(t_dos("nested\\sparse.bin"))));
}

/* A child with a standard handle on a file. */
static void standard_handles(void)
{
    SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
    HANDLE out = CreateFileW(t_dos("pool\\p030.dat"), GENERIC_WRITE, 7, &inherit, TRUNCATE_EXISTING,
                             0, NULL);
    HANDLE saved = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD code;

    t_part("standard output into a file");
    fflush(stdout);
    SetStdHandle(STD_OUTPUT_HANDLE, out);
    code = t_wait(t_spawn("child print"));
    SetStdHandle(STD_OUTPUT_HANDLE, saved);
    CloseHandle(out);
    t_say("child ended with %lu", code);
    t_show("output", t_nt("pool\\p030.dat"));
}

static int child(void)
{
    const char *what = t_option(1);

    if (!strcmp(what, "map")) {
        HANDLE h = t_open(t_nt("%s", t_option(2)), GENERIC_READ | GENERIC_WRITE, 0);
        HANDLE map = CreateFileMappingW(h, NULL, PAGE_READWRITE, 0, 0, NULL);
        char *view = MapViewOfFile(map, FILE_MAP_WRITE, 0, 0, 0);

        t_say("    child sees '%.14s'", view ? view : "nothing");
        if (view) memcpy(view + 2, "child", 5);
        fflush(stdout);
        return view ? 5 : 6;
    }
    printf("a line of the child\n");
    fflush(stdout);
    return 7;
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "child")) return child();
    append("pool\\p000.dat");
    append("empty.dat");
    positions("pool\\p001.dat");
    positions("hello.txt");
    mapping("pool\\p002.dat", false);
    mapping("pool\\p003.dat", true);
    mapping("pool\\p003.dat", true);
    mapping_errors();
    asynchronous("pool\\p004.dat");
    asynchronous("pool\\p004.dat");
    flags();
    large();
    standard_handles();
    return t_end();
}
