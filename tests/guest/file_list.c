/* Directory listings: every class, masks, single entries, restart, small buffers, a
 * directory that changes, two threads on one handle, and what kernel32 makes of it. */
#include "test.h"

static const struct {
    int info_class;
    const char *name;
    ULONG name_length, name_at; /* offsets in an entry */
    bool full;                  /* has times, sizes, attributes */
    ULONG short_at;             /* offset of the short name's length, or 0 */
} classes[] = {
    {1, "directory", 60, 64, true, 0},
    {2, "full", 60, 68, true, 0},
    {3, "both", 60, 94, true, 68},
    {12, "names", 8, 12, false, 0},
    {37, "id both", 60, 104, true, 68},
    {38, "id full", 60, 80, true, 0},
    {50, "id tx", 60, 92, true, 0},
    {60, "id extd", 60, 88, true, 0},
    {63, "id extd both", 60, 114, true, 0},
    {78, "64", 60, 64, true, 0},
    {4, "basic (no listing)", 60, 64, true, 0},
};
enum { DIRECTORY = 0, BOTH = 2, NAMES = 3, ID_BOTH = 4 };
#define CLASSES (int)(sizeof classes / sizeof classes[0])

static void print_entries(int c, const char *buffer, ULONG_PTR bytes)
{
    const char *entry = buffer;
    ULONG next;

    do {
        ULONG length, attributes = 0;
        LONGLONG size = 0;
        char short_name[80] = "";

        if ((ULONG_PTR)(entry - buffer) >= bytes) break;
        memcpy(&next, entry, 4);
        memcpy(&length, entry + classes[c].name_length, 4);
        if (classes[c].full) {
            memcpy(&attributes, entry + 56, 4);
            memcpy(&size, entry + 40, 8);
        }
        if (classes[c].short_at)
            snprintf(short_name, sizeof short_name, " short '%s'",
                     t_text((const WCHAR *)(entry + classes[c].short_at + 2),
                            entry[classes[c].short_at] / 2));
        if (attributes & FILE_ATTRIBUTE_DIRECTORY) size = 0;
        t_say("  +%lu %s %lx %ld%s", next,
              t_text((const WCHAR *)(entry + classes[c].name_at), (int)length / 2), attributes,
              (long)size, short_name);
        entry += next;
    } while (next);
}

static NTSTATUS query(HANDLE h, int c, void *buffer, ULONG size, bool single, const WCHAR *mask,
                      bool restart, ULONG_PTR *got)
{
    UNICODE_STRING str;
    IO_STATUS_BLOCK io = {.Information = 0xdead};
    NTSTATUS status;

    if (mask) RtlInitUnicodeString(&str, mask);
    status = NtQueryDirectoryFile(h, NULL, NULL, NULL, &io, buffer, size,
                                  (FILE_INFORMATION_CLASS)classes[c].info_class, single,
                                  mask ? &str : NULL, restart);
    *got = io.Information;
    return status;
}

static HANDLE open_dir(const char *name)
{
    return t_open(t_nt("%s", name), FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE);
}

/* Lists to the end, whatever the buffer's size, and prints it. */
static void list(const char *dir, int c, ULONG size, bool single, const WCHAR *mask)
{
    char *buffer = calloc(1, size + 16);
    HANDLE h = open_dir(dir);
    NTSTATUS status;
    ULONG_PTR got;
    bool restart = false;
    int calls = 0;

    t_part("list %s class %s buffer %lu single %d mask %s", dir, classes[c].name, size, single,
           t_text(mask, -1));
    do {
        memset(buffer, 0xcc, size);
        status = query(h, c, buffer, size, single, mask, restart, &got);
        t_say("call %d: %s %lu", calls, t_status(status), (unsigned long)got);
        if (status == STATUS_SUCCESS) print_entries(c, buffer, got);
    } while ((status == STATUS_SUCCESS) && ++calls < 2000);
    status = query(h, c, buffer, size, single, NULL, false, &got);
    t_say("after the end: %s", t_status(status));
    status = query(h, c, buffer, size, single, mask, true, &got);
    t_say("restart: %s %lu", t_status(status), (unsigned long)got);
    if (!status) print_entries(c, buffer, got);
    NtClose(h);
    free(buffer);
}

static void every_class(void)
{
    int c;

    for (c = 0; c < CLASSES; c++) {
        list("list", c, 65536, false, NULL);
        list("list", c, 600, false, NULL);
        list("list", c, 400, true, L"*.txt");
        list("", c, 65536, false, NULL);
    }
}

static void masks(void)
{
    static const WCHAR *const all[] = {L"*",
                                       L"*.*",
                                       L"*.txt",
                                       L"*.TXT",
                                       L"?",
                                       L"??",
                                       L"a*",
                                       L"*a*",
                                       L"<.txt",
                                       L"<",
                                       L"*\"*",
                                       L"one.*",
                                       L"one.two*",
                                       L"???"
                                       L"?>",
                                       L">>>>>",
                                       L"delta?2.*",
                                       L"none*",
                                       L"",
                                       L".",
                                       L"..",
                                       L".*",
                                       L"alpha.txt",
                                       L"ALPHA.TXT",
                                       L"*~1*",
                                       L"BETA*",
                                       L"sub\\x",
                                       L"*.",
                                       L"SUBDIR"};
    size_t i;

    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        list("list", BOTH, 65536, false, all[i]);
        list("", NAMES, 65536, false, all[i]);
    }
}

static void small_buffers(void)
{
    static const ULONG sizes[] = {0, 1, 8, 12, 16, 63, 64, 72, 80, 94, 96, 100, 104, 112, 120, 140};
    char buffer[256];
    size_t i;
    int c;

    t_part("buffers too small");
    for (c = 0; c < CLASSES - 1; c++)
        for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            HANDLE h = open_dir("dir with spaces");
            NTSTATUS status;
            ULONG_PTR got;
            int call;

            for (call = 0; call < 5; call++) {
                memset(buffer, 0, sizeof buffer);
                status = query(h, c, buffer, sizes[i], false, NULL, false, &got);
                t_say("%s %lu call %d: %s %lu", classes[c].name, sizes[i], call, t_status(status),
                      (unsigned long)got);
                if (status) break;
            }
            NtClose(h);
        }
    t_say("a buffer that starts too small, then is large enough:");
    {
        HANDLE h = open_dir("dir with spaces");
        NTSTATUS status;
        ULONG_PTR got;

        status = query(h, DIRECTORY, buffer, 10, false, NULL, false, &got);
        t_say("  %s", t_status(status));
        status = query(h, DIRECTORY, buffer, sizeof buffer, false, NULL, false, &got);
        t_say("  %s %lu", t_status(status), (unsigned long)got);
        if (!status) print_entries(DIRECTORY, buffer, got);
        NtClose(h);
    }
}

static void changing(const char *dir)
{
    char buffer[4096];
    HANDLE h = open_dir(dir);
    NTSTATUS status;
    ULONG_PTR got;
    int i;

    t_part("a directory that changes: %s", dir);
    status = query(h, BOTH, buffer, 300, false, NULL, false, &got);
    t_say("first: %s", t_status(status));
    if (!status) print_entries(BOTH, buffer, got);
    t_put(t_dos("%s\\aaa-new", dir), "n");
    t_put(t_dos("%s\\zzz-new", dir), "n");
    DeleteFileW(t_dos("%s\\x.txt", dir));
    MoveFileW(t_dos("%s\\sub", dir), t_dos("%s\\renamed", dir));
    for (i = 0; i < 20; i++) {
        status = query(h, BOTH, buffer, 300, false, NULL, false, &got);
        t_say("next: %s", t_status(status));
        if (status) break;
        print_entries(BOTH, buffer, got);
    }
    status = query(h, BOTH, buffer, sizeof buffer, false, NULL, true, &got);
    t_say("restart: %s", t_status(status));
    if (!status) print_entries(BOTH, buffer, got);
    status = query(h, BOTH, buffer, sizeof buffer, false, L"a*", true, &got);
    t_say("restart with another mask: %s", t_status(status));
    if (!status) print_entries(BOTH, buffer, got);
    NtClose(h);
    list(dir, BOTH, 4096, false, NULL);
}

static void wrong_handles(void)
{
    char buffer[1024];
    NTSTATUS status;
    ULONG_PTR got;
    HANDLE h;

    t_part("wrong handles and arguments");
    h = t_open(t_nt("hello.txt"), GENERIC_READ, 0);
    status = query(h, DIRECTORY, buffer, sizeof buffer, false, NULL, false, &got);
    t_say("a file: %s", t_status(status));
    NtClose(h);
    h = t_open(t_nt("list"), FILE_READ_ATTRIBUTES, FILE_DIRECTORY_FILE);
    status = query(h, DIRECTORY, buffer, sizeof buffer, false, NULL, false, &got);
    t_say("without the right: %s", t_status(status));
    NtClose(h);
    status = query((HANDLE)0x12344, 0, buffer, sizeof buffer, false, NULL, false, &got);
    t_say("no handle: %s", t_status(status));
    h = open_dir("list");
    status = query(h, DIRECTORY, NULL, sizeof buffer, false, NULL, false, &got);
    t_say("no buffer: %s", t_status(status));
    NtClose(h);
    h = open_dir("list");
    t_say("directory marked: %s", t_status(t_set_delete(h, true)));
    NtClose(h);
    h = t_open(t_nt("pooldirs\\e00"), FILE_LIST_DIRECTORY | DELETE, FILE_DIRECTORY_FILE);
    t_say("empty directory marked: %s", t_status(t_set_delete(h, true)));
    status = query(h, DIRECTORY, buffer, sizeof buffer, false, NULL, false, &got);
    t_say("listed: %s", t_status(status));
    if (!status) print_entries(DIRECTORY, buffer, got);
    NtClose(h);
    if (t_create(&h, t_nt("linkdir"), FILE_LIST_DIRECTORY | SYNCHRONIZE, 7, FILE_OPEN, T_SYNC))
        return; /* not in a copy of the tree */
    status = query(h, DIRECTORY, buffer, sizeof buffer, false, NULL, false, &got);
    t_say("a linked directory: %s", t_status(status));
    if (!status) print_entries(DIRECTORY, buffer, got);
    NtClose(h);
}

static HANDLE shared_dir;
static volatile LONG entries;
static unsigned char seen[2000];

static DWORD CALLBACK lister(void *arg)
{
    char buffer[2048];
    ULONG_PTR got;

    (void)arg;
    for (;;) {
        const char *entry = buffer;
        ULONG next;

        if (query(shared_dir, BOTH, buffer, sizeof buffer, false, NULL, false, &got)) return 0;
        do {
            const WCHAR *name = (const WCHAR *)(entry + 94);

            memcpy(&next, entry, 4);
            if (name[0] == 't') InterlockedIncrement((volatile LONG *)&entries);
            if (name[0] == 't') {
                int number = (name[1] - '0') * 1000 + (name[2] - '0') * 100 + (name[3] - '0') * 10 +
                             name[4] - '0';

                if (number >= 0 && number < 2000) seen[number]++;
            }
            entry += next;
        } while (next);
    }
}

static void two_threads(bool changed)
{
    HANDLE threads[3];
    int i, wrong = 0;

    t_part("three threads on one handle%s", changed ? ", directory changed" : "");
    entries = 0;
    memset(seen, 0, sizeof seen);
    if (changed) {
        t_put(t_dos("thousand\\t1000.txt"), "new");
        DeleteFileW(t_dos("thousand\\t0500.txt"));
    }
    shared_dir = open_dir("thousand");
    for (i = 0; i < 3; i++)
        threads[i] = CreateThread(NULL, 0, lister, NULL, 0, NULL);
    WaitForMultipleObjects(3, threads, TRUE, INFINITE);
    for (i = 0; i < 3; i++)
        CloseHandle(threads[i]);
    NtClose(shared_dir);
    for (i = 0; i < 1000 + changed; i++)
        if (seen[i] != (changed && i == 500 ? 0 : 1)) wrong++;
    t_say("entries %ld", (long)entries);
    t_ok(!wrong, "each entry is seen once (%d are not)", wrong);
}

static void win32_find(void)
{
    static const char *const patterns[] = {"*",         "*.txt",        "list\\*",       "list\\a*",
                                           "list",      "list\\",       "list\\none",    "no\\*",
                                           "hello.txt", "hello.txt\\*", "nested\\a\\*.*"};
    WIN32_FIND_DATAW data;
    size_t i;
    int level;

    t_part("FindFirstFileEx");
    for (i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        for (level = 0; level < 2; level++) {
            HANDLE find = FindFirstFileExW(
                t_dos("%s", patterns[i]), level ? FindExInfoBasic : FindExInfoStandard, &data,
                FindExSearchNameMatch, NULL, level ? FIND_FIRST_EX_LARGE_FETCH : 0);

            t_say("%s level %d: %s", patterns[i], level, t_win(find != INVALID_HANDLE_VALUE));
            if (find == INVALID_HANDLE_VALUE) continue;
            do
                t_say("  %s %lx short '%s'", t_text(data.cFileName, -1), data.dwFileAttributes,
                      t_text(data.cAlternateFileName, -1));
            while (FindNextFileW(find, &data));
            t_say("  end: %s", t_win(FALSE));
            FindClose(find);
        }
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    every_class();
    masks();
    small_buffers();
    changing("pooldirs\\q10");
    changing("pooldirs\\q11");
    wrong_handles();
    two_threads(false);
    two_threads(true);
    win32_find();
    list("many", BOTH, 3000, false, NULL);
    DeleteFileW(t_dos("many\\m05.dat"));
    CreateDirectoryW(t_dos("many\\M06a"), NULL);
    t_put(t_dos("many\\A first"), "");
    list("many", BOTH, 3000, false, NULL);
    list("many", ID_BOTH, 65536, false, L"m1*");
    return t_end();
}
