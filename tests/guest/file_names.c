/* Names: every spelling of one object, and every call that gives a name back. */
#include "test.h"
#include <psapi.h>

static NTSTATUS try_open(const char *label, const WCHAR *name, HANDLE dir)
{
    HANDLE h;
    NTSTATUS status = t_create_at(&h, dir, name, GENERIC_READ | SYNCHRONIZE, 0, T_ALL_SHARE,
                                  FILE_OPEN, T_SYNC, NULL);
    uint64_t size = 0;

    if (status) {
        t_say("%s: %s", label, t_status(status));
        return status;
    }
    t_say("%s: SUCCESS hash %016llx", label, (unsigned long long)t_hash_handle(h, &size));
    NtClose(h);
    return status;
}

static void print_names(HANDLE h)
{
    static WCHAR text[70000];
    static char buffer[140000];
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    ULONG got = 0;
    DWORD len, flags;

    status = NtQueryInformationFile(h, &io, buffer, sizeof buffer, (FILE_INFORMATION_CLASS)9);
    t_say("  FileNameInformation: %s %s", t_status(status),
          status ? ""
                 : t_text(((FILE_NAME_INFORMATION *)buffer)->FileName,
                          (int)((FILE_NAME_INFORMATION *)buffer)->FileNameLength / 2));
    status = NtQueryInformationFile(h, &io, buffer, 12, (FILE_INFORMATION_CLASS)9);
    t_say("  in 12 bytes: %s length %lu", t_status(status),
          ((FILE_NAME_INFORMATION *)buffer)->FileNameLength);
    status = NtQueryInformationFile(h, &io, buffer, sizeof buffer, (FILE_INFORMATION_CLASS)18);
    t_say("  FileAllInformation: %s %s", t_status(status),
          status
              ? ""
              : t_text(((FILE_ALL_INFORMATION *)buffer)->NameInformation.FileName,
                       (int)((FILE_ALL_INFORMATION *)buffer)->NameInformation.FileNameLength / 2));
    status = NtQueryInformationFile(h, &io, buffer, sizeof buffer, (FILE_INFORMATION_CLASS)21);
    t_say("  FileAlternateNameInformation: %s", t_status(status));
    status = NtQueryInformationFile(h, &io, buffer, sizeof buffer, (FILE_INFORMATION_CLASS)48);
    t_say("  FileNormalizedNameInformation: %s", t_status(status));
    status = NtQueryObject(h, (OBJECT_INFORMATION_CLASS)1, buffer, sizeof buffer, &got);
    t_say("  NtQueryObject: %s %s needs %lu", t_status(status),
          status
              ? ""
              : t_text(((UNICODE_STRING *)buffer)->Buffer, ((UNICODE_STRING *)buffer)->Length / 2),
          got);
    got = 0;
    status = NtQueryObject(h, (OBJECT_INFORMATION_CLASS)1, buffer, 20, &got);
    t_say("  in 20 bytes: %s needs %lu", t_status(status), got);
    for (flags = 0; flags < 16; flags++) {
        if ((flags & 7) == 3 || (flags & 7) > 4) continue;
        len = GetFinalPathNameByHandleW(h, text, 70000, flags);
        t_say("  GetFinalPathNameByHandle %lx: %lu %s %s", flags, len, t_win(len != 0),
              len ? t_text(text, -1) : "");
    }
    len = GetFinalPathNameByHandleW(h, text, 5, 0);
    t_say("  in 5 characters: %lu", len);
}

static void spellings(void)
{
    static const char *const names[] = {"hello.txt",
                                        "HELLO.TXT",
                                        "Hello.Txt",
                                        "hello.txt ",
                                        "hello.txt.",
                                        "hello.txt. .",
                                        "hello.txt\\",
                                        "mixed case.txt",
                                        "nested\\a\\one.txt",
                                        "NESTED\\A\\ONE.TXT",
                                        "nested\\.\\a\\one.txt",
                                        "nested\\..\\hello.txt",
                                        "nested\\a\\..\\..\\hello.txt",
                                        "nested\\\\a\\one.txt",
                                        "nested/a/one.txt",
                                        ".dotfile",
                                        "noext.",
                                        "noext",
                                        "hello.txt:stream",
                                        "hello.txt::$DATA",
                                        "hello.txt:other",
                                        "nested:stream",
                                        "link.txt",
                                        "linkdir\\a\\one.txt",
                                        "broken.lnk",
                                        "he*lo.txt",
                                        "hello?.txt",
                                        "a|b",
                                        "a<b",
                                        "nul",
                                        "con",
                                        "nested\\nul",
                                        "aux.txt",
                                        "nested.",
                                        "nested ",
                                        "nested.\\a\\one.txt",
                                        "nested \\a\\one.txt",
                                        "",
                                        "\\hello.txt",
                                        "list\\~tilde",
                                        "list\\#hash"};
    size_t i;

    t_part("spellings");
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        char label[200];
        DWORD attributes;
        HANDLE h;

        sprintf(label, "NT %s", names[i]);
        try_open(label, t_nt("%s", names[i]), NULL);
        attributes = GetFileAttributesW(t_dos("%s", names[i]));
        t_say("DOS %s: %lx %s", names[i], attributes, t_win(attributes != INVALID_FILE_ATTRIBUTES));
        attributes = GetFileAttributesW(t_ext("%s", names[i]));
        t_say("\\\\?\\ %s: %lx %s", names[i], attributes,
              t_win(attributes != INVALID_FILE_ATTRIBUTES));
        h = CreateFileW(t_ext("new\\%s", names[i]), GENERIC_WRITE, 7, NULL, CREATE_NEW, 0, NULL);
        t_say("  create in no directory: %s", t_win(h != INVALID_HANDLE_VALUE));
    }
}

/* The same file through other roots. */
static void roots(void)
{
    static const WCHAR *const prefixes[] = {L"\\??\\",
                                            L"\\DosDevices\\",
                                            L"\\GLOBAL??\\",
                                            L"\\??\\\\",
                                            L"\\\\?\\",
                                            L"\\\\.\\",
                                            L"\\?\\",
                                            L"",
                                            L"\\??\\Global\\",
                                            L"\\DosDevices\\Global\\",
                                            L"\\??\\GLOBALROOT\\??\\"};
    WCHAR name[4000], unix_name[4000];
    size_t i;
    char *unix_path;
    char *(CDECL * get_unix)(const WCHAR *);

    t_part("roots");
    for (i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        wcscpy(name, prefixes[i]);
        wcscat(name, t_root);
        wcscat(name, L"\\hello.txt");
        try_open(t_text(name, -1), name, NULL);
    }
    get_unix = (void *)GetProcAddress(GetModuleHandleA("kernel32.dll"), "wine_get_unix_file_name");
    t_say("wine_get_unix_file_name: %s", get_unix ? "there" : "missing");
    if (!get_unix) return;
    unix_path = get_unix(t_dos("hello.txt"));
    if (!unix_path) t_die("no Unix name");
    MultiByteToWideChar(CP_UTF8, 0, unix_path, -1, unix_name, 4000);
    HeapFree(GetProcessHeap(), 0, unix_path);
    for (i = 0; unix_name[i]; i++)
        if (unix_name[i] == '/') unix_name[i] = '\\';
    wcscpy(name, L"\\??\\unix");
    wcscat(name, unix_name);
    try_open("\\??\\unix", name, NULL);
    wcscpy(name, L"\\??\\Z:");
    wcscat(name, unix_name);
    try_open("\\??\\Z:", name, NULL);
    {
        HANDLE h = t_open(name, GENERIC_READ | FILE_WRITE_ATTRIBUTES, 0);

        t_say("opened through Z:");
        print_names(h);
        NtClose(h);
        h = CreateFileW(name + 4, GENERIC_WRITE, 7, NULL, OPEN_EXISTING, 0, NULL);
        t_say("open for writing through Z: %s", t_win(h != INVALID_HANDLE_VALUE));
        WriteFile(h, "Z", 1, (DWORD *)&i, NULL);
        CloseHandle(h);
        t_show("seen through C:", t_nt("hello.txt"));
        t_show("seen through Z:", name);
    }
    wcscpy(name + 6, unix_name);
    wcscpy(wcsrchr(name, '\\'), L"\\through z.txt");
    t_put(name + 4, "made through Z:");
    t_show("made through Z:", t_nt("through z.txt"));
    t_say("deleted through Z: %s", t_win(DeleteFileW(name + 4)));
    t_show("gone", t_nt("through z.txt"));
}

static void relative(void)
{
    static const char *const names[] = {"one.txt",   "ONE.TXT",    "b\\three.txt", "",
                                        "\\one.txt", "..",         "..\\a",        ".\\one.txt",
                                        "b",         "b\\",        "missing",      "b\\nope\\x",
                                        "one.txt:s", "C:\\windows"};
    HANDLE dir, file, h;
    size_t i;
    NTSTATUS status;

    t_part("relative to a directory handle");
    dir = t_open(t_nt("nested\\a"), FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE);
    file = t_open(t_nt("hello.txt"), GENERIC_READ, 0);
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        try_open(names[i], t_wide(names[i]), dir);
        try_open("  below a file", t_wide(names[i]), file);
    }
    status = t_create_at(&h, dir, L"made.txt", GENERIC_WRITE | SYNCHRONIZE, 0, 7, FILE_CREATE,
                         T_SYNC, NULL);
    t_say("create: %s", t_status(status));
    print_names(h);
    NtClose(h);
    status = t_create_at(&h, dir, L"made", FILE_LIST_DIRECTORY | SYNCHRONIZE, 0, 7, FILE_CREATE,
                         T_SYNC | FILE_DIRECTORY_FILE, NULL);
    t_say("create directory: %s", t_status(status));
    print_names(h);
    NtClose(dir);
    dir = h;
    status = t_create_at(&h, dir, L"in it", GENERIC_WRITE | SYNCHRONIZE, 0, 7, FILE_CREATE, T_SYNC,
                         NULL);
    t_say("below the new one: %s", t_status(status));
    print_names(h);
    NtClose(h);
    NtClose(dir);
    /* the directory is moved while the handle is open */
    dir = t_open(t_nt("pooldirs\\q00"), FILE_LIST_DIRECTORY | DELETE, FILE_DIRECTORY_FILE);
    t_say("move the directory: %s", t_status(t_rename(dir, NULL, t_nt("pooldirs\\moved"), false)));
    try_open("then relative", L"x.txt", dir);
    print_names(dir);
    NtClose(dir);
    NtClose(file);
    t_list("nested\\a", t_dos("nested\\a"), true);
}

static void by_id(const char *name)
{
    HANDLE h = t_open(t_nt("%s", name), FILE_READ_ATTRIBUTES, 0);
    HANDLE dir = t_open(t_nt("%s", ""), FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE), other;
    LONGLONG id = 0;
    IO_STATUS_BLOCK io;
    UNICODE_STRING str;
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;
    BY_HANDLE_FILE_INFORMATION info;
    BOOL ok;

    t_part("by id: %s", name);
    status = NtQueryInformationFile(h, &io, &id, sizeof id, (FILE_INFORMATION_CLASS)6);
    t_say("id: %s %s", t_status(status), id ? "given" : "zero");
    ok = GetFileInformationByHandle(h, &info);
    t_say("GetFileInformationByHandle: %s attributes %lx links %lu size %lu", t_win(ok),
          info.dwFileAttributes, info.nNumberOfLinks,
          info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? 0 : info.nFileSizeLow);
    t_ok(((ULONGLONG)info.nFileIndexHigh << 32 | info.nFileIndexLow) == (ULONGLONG)id,
         "both ids are equal");
    str.Buffer = (WCHAR *)&id;
    str.Length = str.MaximumLength = sizeof id;
    InitializeObjectAttributes(&attr, &str, 0, dir, NULL);
    status = NtOpenFile(&other, GENERIC_READ | SYNCHRONIZE, &attr, &io, 7,
                        FILE_OPEN_BY_FILE_ID | T_SYNC);
    t_say("open: %s", t_status(status));
    if (!status) {
        print_names(other);
        t_say("  hash %016llx", (unsigned long long)t_hash_handle(other, NULL));
        NtClose(other);
    }
    attr.RootDirectory = h;
    status = NtOpenFile(&other, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr, &io, 7,
                        FILE_OPEN_BY_FILE_ID | T_SYNC);
    t_say("open by its own handle: %s", t_status(status));
    if (!status) NtClose(other);
    attr.RootDirectory = dir;
    id = 0x7fffffffffff;
    status = NtOpenFile(&other, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr, &io, 7,
                        FILE_OPEN_BY_FILE_ID | T_SYNC);
    t_say("unknown id: %s", t_status(status));
    NtClose(dir);
    NtClose(h);
}

static void long_and_odd(void)
{
    WCHAR name[33000];
    WCHAR *rel;
    size_t len, i;
    HANDLE h;

    t_part("long names and odd characters");
    wcscpy(name, t_ext("%s", ""));
    len = wcslen(name);
    rel = name + len;
    for (i = 250; i < 260; i++) {
        size_t k;

        rel[0] = '\\';
        for (k = 1; k <= i; k++)
            rel[k] = 'n';
        rel[k] = 0;
        h = CreateFileW(name, GENERIC_WRITE, 7, NULL, CREATE_NEW, 0, NULL);
        t_say("component of %u: %s", (unsigned)i, t_win(h != INVALID_HANDLE_VALUE));
        if (h != INVALID_HANDLE_VALUE) {
            CloseHandle(h);
            t_say("  delete: %s", t_win(DeleteFileW(name)));
        }
    }
    *rel = 0;
    for (i = 0; i < 18; i++) {
        wcscat(name, L"\\a directory whose name has one hundred characters, or a little more or "
                     L"less, as directories may have");
        t_say("depth %u: %s", (unsigned)i, t_win(CreateDirectoryW(name, NULL)));
    }
    wcscat(name, L"\\file");
    h = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 7, NULL, CREATE_NEW, 0, NULL);
    t_say("file with %u characters: %s", (unsigned)wcslen(name), t_win(h != INVALID_HANDLE_VALUE));
    if (h != INVALID_HANDLE_VALUE) {
        print_names(h);
        CloseHandle(h);
    }
    {
        static const WCHAR *const odd[] = {L"\\\xd800 high",
                                           L"\\low \xdc00",
                                           L"\\\xdc00\xd800",
                                           L"\\pair \xd83d\xde00",
                                           L"\\\x00e4\x00f6\x00fc \x00df",
                                           L"\\\x00c4\x00d6\x00dc \x00df",
                                           L"\\\x0131 \x0130",
                                           L"\\\xff21 \xff41",
                                           L"\\\x03c3\x03c2\x03a3",
                                           L"\\e\x0301",
                                           L"\\\x00e9",
                                           L"\\\xfffe\xffff",
                                           L"\\ leading",
                                           L"\\tab\tin it",
                                           L"\\a:b:c",
                                           L"\\percent%20",
                                           L"\\\x2028",
                                           L"\\\x7f"};

        *rel = 0;
        for (i = 0; i < sizeof odd / sizeof odd[0]; i++) {
            wcscpy(rel, odd[i]);
            h = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 7, NULL, CREATE_NEW, 0, NULL);
            t_say("%s: %s", t_text(odd[i], -1), t_win(h != INVALID_HANDLE_VALUE));
            if (h == INVALID_HANDLE_VALUE) continue;
            print_names(h);
            CloseHandle(h);
            h = CreateFileW(name, GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
            t_say("  again: %s", t_win(h != INVALID_HANDLE_VALUE));
            CloseHandle(h);
        }
    }
    t_list("root", t_dos("%s", ""), false);
    wcscpy(rel, L"\\\x00dcn\x00ef\x0043\x00d6\x0044\x0065 \x65e5\x672c.TXT");
    h = CreateFileW(name, GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    t_say("non-ASCII in another case: %s", t_win(h != INVALID_HANDLE_VALUE));
    if (h != INVALID_HANDLE_VALUE) {
        print_names(h);
        CloseHandle(h);
    }
}

static void short_names(void)
{
    static const char *const names[] = {"Mixed Case.TXT",
                                        "dir with spaces",
                                        "dir with spaces\\a file.txt",
                                        "dir with spaces\\sub.dir\\x",
                                        "list\\longer name here.text",
                                        "list\\one.two.three",
                                        "hello.txt",
                                        ".dotfile",
                                        "missing name"};
    WCHAR buffer[1000], back[1000];
    size_t i;

    t_part("short names");
    t_put(t_dos("a new long name.text"), "new");
    CreateDirectoryW(t_dos("new directory here"), NULL);
    t_put(t_dos("new directory here\\and a file.text"), "new");
    for (i = 0; i <= sizeof names / sizeof names[0] + 1; i++) {
        const char *name = i < sizeof names / sizeof names[0] ? names[i]
                           : i == sizeof names / sizeof names[0]
                               ? "a new long name.text"
                               : "new directory here\\and a file.text";
        DWORD len = GetShortPathNameW(t_dos("%s", name), buffer, 1000);

        t_say("%s: %lu %s %s", name, len, t_win(len != 0), len ? t_text(buffer, -1) : "");
        if (!len) continue;
        len = GetLongPathNameW(buffer, back, 1000);
        t_say("  back: %s %s", t_win(len != 0), len ? t_text(back, -1) : "");
        wcscpy(back, L"\\??\\");
        wcscat(back, buffer);
        t_show("  by the short name", back);
        if (i >= sizeof names / sizeof names[0] - 1) {
            HANDLE h =
                CreateFileW(buffer, GENERIC_READ | GENERIC_WRITE, 7, NULL, OPEN_EXISTING, 0, NULL);

            t_say("  opened by it: %s", t_win(h != INVALID_HANDLE_VALUE));
            if (h != INVALID_HANDLE_VALUE) {
                print_names(h);
                CloseHandle(h);
            }
        }
    }
    GetShortPathNameW(t_dos("list\\longer name here.text"), buffer, 1000);
    t_put(buffer, "written by the short name");
    t_show("written", t_nt("list\\longer name here.text"));
    t_say("deleted by the short name: %s", t_win(DeleteFileW(buffer)));
    t_show("deleted", t_nt("list\\longer name here.text"));
    t_list("list", t_dos("list"), false);
}

static void current_directory(void)
{
    WCHAR buffer[1000];
    static const char *const dirs[] = {"nested",
                                       "NESTED\\A",
                                       "made here",
                                       "missing",
                                       "hello.txt",
                                       "linkdir",
                                       "dir with spaces\\sub.dir"};
    size_t i;

    t_part("current directory");
    CreateDirectoryW(t_dos("made here"), NULL);
    t_put(t_dos("made here\\f"), "f");
    for (i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        BOOL ok = SetCurrentDirectoryW(t_dos("%s", dirs[i]));
        DWORD len;

        t_say("%s: %s", dirs[i], t_win(ok));
        len = GetCurrentDirectoryW(1000, buffer);
        t_say("  is %s", len ? t_text(buffer, -1) : "?");
        if (!ok) continue;
        t_say("  one.txt: %lx", GetFileAttributesW(L"one.txt"));
        t_say("  a\\one.txt: %lx", GetFileAttributesW(L"a\\one.txt"));
        t_say("  ..\\hello.txt: %lx", GetFileAttributesW(L"..\\hello.txt"));
        t_say("  f: %lx", GetFileAttributesW(L"f"));
        t_say("  remove it: %s", t_win(RemoveDirectoryW(t_dos("%s", dirs[i]))));
        t_put(L"here.txt", "relative");
        len = GetFullPathNameW(L"here.txt", 1000, buffer, NULL);
        t_say("  full name: %s", len ? t_text(buffer, -1) : "?");
        t_list("  files", L".", false);
        t_say("  child ended with %lu", t_wait(t_spawn("child")));
    }
    SetCurrentDirectoryW(t_dos("%s", ""));
}

static void temp_files(void)
{
    WCHAR buffer[1000];
    UINT got;

    t_part("temporary files");
    got = GetTempFileNameW(t_dos("%s", ""), L"tst", 0x1234, buffer);
    t_say("GetTempFileName with a number: %x %s", got, t_text(buffer, -1));
    t_show("  not made", t_nt("tst1234.tmp"));
    got = GetTempFileNameW(t_dos("%s", ""), L"abc", 0, buffer);
    t_say("GetTempFileName makes one: %s",
          got && GetFileAttributesW(buffer) != INVALID_FILE_ATTRIBUTES ? "yes" : "no");
    t_say("  deleted: %s", t_win(DeleteFileW(buffer)));
    got = GetTempFileNameW(t_dos("missing"), L"abc", 0, buffer);
    t_say("in a missing directory: %s", t_win(got != 0));
}

static void mapped_names(const char *name)
{
    HANDLE file =
        CreateFileW(t_dos("%s", name), GENERIC_READ | GENERIC_WRITE, 7, NULL, OPEN_ALWAYS, 0, NULL);
    HANDLE map;
    void *view;
    WCHAR text[1000];
    DWORD got;
    char buffer[2000];
    SIZE_T size = 0;
    NTSTATUS status;

    t_part("name of a mapped file: %s", name);
    WriteFile(file, "something", 9, &got, NULL);
    map = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    view = MapViewOfFile(map, FILE_MAP_READ, 0, 0, 0);
    CloseHandle(file);
    status = NtQueryVirtualMemory(GetCurrentProcess(), view, 2, buffer, sizeof buffer, &size);
    t_say("NtQueryVirtualMemory: %s %s size %lu", t_status(status),
          status
              ? ""
              : t_text(((UNICODE_STRING *)buffer)->Buffer, ((UNICODE_STRING *)buffer)->Length / 2),
          (unsigned long)size);
    status = NtQueryVirtualMemory(GetCurrentProcess(), view, 2, buffer, 30, &size);
    t_say("in 30 bytes: %s size %lu", t_status(status), (unsigned long)size);
    got = GetMappedFileNameW(GetCurrentProcess(), view, text, 1000);
    t_say("GetMappedFileName: %s", got ? t_text(text, -1) : t_win(FALSE));
    UnmapViewOfFile(view);
    CloseHandle(map);
}

int main(int argc, char **argv)
{
    HANDLE h;
    static const char *const named[] = {
        "hello.txt", "HELLO.TXT", "NESTED\\A\\B\\THREE.TXT", "nested", "linkdir\\a\\one.txt",
        "link.txt",  "hard2.txt", "hello.txt:stream",        "ro.txt"};
    size_t i;

    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "child")) {
        WCHAR buffer[1000];

        t_say("    child is in %s", GetCurrentDirectoryW(1000, buffer) ? t_text(buffer, -1) : "?");
        t_say("    child sees here.txt: %lx", GetFileAttributesW(L"here.txt"));
        fflush(stdout);
        return 4;
    }
    spellings();
    t_part("names of handles");
    for (i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (t_create(&h, t_nt("%s", named[i]), GENERIC_READ | SYNCHRONIZE, 7, FILE_OPEN, T_SYNC))
            continue;
        t_say("%s:", named[i]);
        print_names(h);
        NtClose(h);
    }
    if (!t_create(&h, t_nt("linkdir"), GENERIC_READ | SYNCHRONIZE, 7, FILE_OPEN,
                  T_SYNC | FILE_OPEN_REPARSE_POINT)) {
        print_names(h);
        NtClose(h);
    }
    t_part("names after the first change");
    t_put(t_dos("mixed CASE.txt"), "changed");
    h = t_open(t_nt("MIXED case.TXT"), GENERIC_READ, 0);
    print_names(h);
    NtClose(h);
    relative();
    by_id("hello.txt");
    by_id("nested\\a");
    by_id("mixed case.txt");
    by_id("hard1.txt");
    mapped_names("pool\\p000.dat");
    mapped_names("POOL\\P001.dat");
    mapped_names("new mapped.dat");
    short_names();
    temp_files();
    roots();
    current_directory();
    long_and_odd();
    return t_end();
}
