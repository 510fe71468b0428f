/* Attributes, times, security, extended attributes, every information class of files and
 * volumes, and what each answers to buffers of every size. */
#include "test.h"

static void print_time(const char *label, LARGE_INTEGER t)
{
    t_say("  %s %08lx%08lx", label, (unsigned long)t.HighPart, t.LowPart);
}

/* The times of an object that nothing has touched yet are those of the tree. */
static void show_times(const char *name)
{
    UNICODE_STRING str;
    OBJECT_ATTRIBUTES attr;
    FILE_NETWORK_OPEN_INFORMATION info;
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    HANDLE h;

    RtlInitUnicodeString(&str, t_nt("%s", name));
    InitializeObjectAttributes(&attr, &str, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtQueryFullAttributesFile(&attr, &info);
    t_say("%s: %s attributes %lx size %lu", name, t_status(status),
          status ? 0 : info.FileAttributes,
          status || info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY
              ? 0ul
              : (unsigned long)info.EndOfFile.QuadPart);
    if (status) return;
    print_time("written", info.LastWriteTime);
    h = t_open(t_nt("%s", name), FILE_READ_ATTRIBUTES, 0);
    status = NtQueryInformationFile(h, &io, &basic, sizeof basic, (FILE_INFORMATION_CLASS)4);
    t_say("  by handle: %s %lx", t_status(status), basic.FileAttributes);
    print_time("written", basic.LastWriteTime);
    NtClose(h);
}

static void set_basic(const char *name, ULONG attributes, LONGLONG created, LONGLONG accessed,
                      LONGLONG written, ULONG access)
{
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    HANDLE h;

    status = t_create(&h, t_nt("%s", name), access | SYNCHRONIZE, 7, FILE_OPEN, T_SYNC);
    t_say("%s: open %lx: %s", name, access, t_status(status));
    if (status) return;
    memset(&basic, 0, sizeof basic);
    basic.FileAttributes = attributes;
    basic.CreationTime.QuadPart = created;
    basic.LastAccessTime.QuadPart = accessed;
    basic.LastWriteTime.QuadPart = written;
    status = NtSetInformationFile(h, &io, &basic, sizeof basic, (FILE_INFORMATION_CLASS)4);
    t_say("  set attributes %lx: %s", attributes, t_status(status));
    memset(&basic, 0, sizeof basic);
    status = NtQueryInformationFile(h, &io, &basic, sizeof basic, (FILE_INFORMATION_CLASS)4);
    t_say("  query: %s %lx", t_status(status), basic.FileAttributes);
    if (written > 0) print_time("written", basic.LastWriteTime);
    if (accessed > 0) /* -1 keeps what reading has set */
        print_time("accessed", basic.LastAccessTime);
    NtClose(h);
    t_show("  after", t_nt("%s", name));
}

static void attributes(void)
{
    static const ULONG values[] = {0,     1,     2,     3,      4,      6,    7,
                                   0x10,  0x20,  0x21,  0x22,   0x80,   0x81, 0x100,
                                   0x200, 0x400, 0x800, 0x1000, 0x2000, 0x27};
    const LONGLONG time = 0x01d5000012345600ll;
    size_t i;

    t_part("attributes and times");
    show_times("hello.txt");
    show_times("nested");
    show_times("ro.txt");
    show_times(".dotfile");
    show_times("link.txt");
    show_times("script.sh");
    show_times("missing");
    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        char name[40];

        sprintf(name, "pool\\p%03d.dat", (int)i);
        set_basic(name, values[i], 0, 0, 0, FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES);
        set_basic(name, FILE_ATTRIBUTE_NORMAL, 0, 0, 0, FILE_WRITE_ATTRIBUTES);
        sprintf(name, "pooldirs\\e%02d", (int)i);
        set_basic(name, values[i], 0, 0, 0, FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES);
        set_basic(name, FILE_ATTRIBUTE_NORMAL, 0, 0, 0, FILE_WRITE_ATTRIBUTES);
    }
    t_list("pool", t_dos("pool"), false);
    set_basic("pool\\p020.dat", 0, 0, 0, time, FILE_WRITE_ATTRIBUTES);
    show_times("pool\\p020.dat");
    set_basic("pool\\p021.dat", 0, 0, time + 1, 0, FILE_WRITE_ATTRIBUTES);
    set_basic("pool\\p022.dat", 0, time, time, time, FILE_WRITE_ATTRIBUTES);
    set_basic("pool\\p023.dat", 0, -1, -1, -1, FILE_WRITE_ATTRIBUTES);
    show_times("pool\\p023.dat");
    set_basic("pool\\p024.dat", 0, 0, 0, time, FILE_READ_ATTRIBUTES);
    set_basic("pooldirs\\q01", 0, 0, 0, time, FILE_WRITE_ATTRIBUTES);
    show_times("pooldirs\\q01");
    t_say("a file made in it:");
    t_put(t_dos("pooldirs\\q02\\new"), "n");
    set_basic("pooldirs\\q02", 0, 0, 0, time, FILE_WRITE_ATTRIBUTES);
    show_times("pooldirs\\q02");
    show_times("pooldirs\\q02\\x.txt");
    set_basic("ro.txt", FILE_ATTRIBUTE_NORMAL, 0, 0, time, FILE_WRITE_ATTRIBUTES);
    set_basic("hard1.txt", FILE_ATTRIBUTE_READONLY, 0, 0, 0, FILE_WRITE_ATTRIBUTES);
    t_show("hard2", t_nt("hard2.txt"));
    t_say("SetFileAttributes of a missing one: %s", t_win(SetFileAttributesW(t_dos("missing"), 1)));
    t_say("copy keeps: %s", t_win(CopyFileW(t_dos("pool\\p020.dat"), t_dos("copy"), TRUE)));
    show_times("copy");
    t_say("copy of what is the base's: %s", t_win(CopyFileW(t_dos("noext"), t_dos("copy2"), TRUE)));
    show_times("copy2");
    t_say("rename keeps: %s", t_win(MoveFileW(t_dos("Mixed Case.TXT"), t_dos("moved.txt"))));
    show_times("moved.txt");
    t_say("and of a directory: %s", t_win(MoveFileW(t_dos("list"), t_dos("moved list"))));
    show_times("moved list");
    show_times("moved list\\alpha.txt");
}

static void query_classes(const char *name)
{
    char buffer[1024];
    ULONG info_class, size;
    HANDLE h = t_open(t_nt("%s", name), GENERIC_READ, 0);

    t_part("information classes: %s", name);
    for (info_class = 0; info_class < 80; info_class++) {
        NTSTATUS status, before = 0x12345678;
        IO_STATUS_BLOCK io;
        ULONG first = 0;

        for (size = 0; size <= sizeof buffer; size += size < 160 ? 4 : 864) {
            io.Information = 0xdead;
            memset(buffer, 0, sizeof buffer);
            status =
                NtQueryInformationFile(h, &io, buffer, size, (FILE_INFORMATION_CLASS)info_class);
            if (status != before) {
                t_say("class %lu from %lu: %s", info_class, size, t_status(status));
                before = status;
                first = size;
            }
        }
        (void)first;
        if (!before)
            t_say("  information %lu",
                  info_class == 9 || info_class == 18 ? 0ul : (unsigned long)io.Information);
    }
    NtClose(h);
}

static void set_classes(const char *name)
{
    char buffer[1024];
    ULONG info_class;
    HANDLE h = t_open(t_nt("%s", name), GENERIC_READ | GENERIC_WRITE | DELETE, 0);

    t_part("setting with buffers of zeros: %s", name);
    for (info_class = 0; info_class < 80; info_class++) {
        NTSTATUS none, some, all;
        IO_STATUS_BLOCK io;

        memset(buffer, 0, sizeof buffer);
        none = NtSetInformationFile(h, &io, buffer, 0, (FILE_INFORMATION_CLASS)info_class);
        some = NtSetInformationFile(h, &io, buffer, 3, (FILE_INFORMATION_CLASS)info_class);
        all = NtSetInformationFile(h, &io, buffer, 40, (FILE_INFORMATION_CLASS)info_class);
        t_say("class %lu: %s %s %s", info_class, t_status(none), t_status(some), t_status(all));
    }
    NtClose(h);
    t_show("after", t_nt("%s", name));
}

static void values(const char *name)
{
    HANDLE h;
    IO_STATUS_BLOCK io;
    union {
        FILE_STANDARD_INFORMATION standard;
        FILE_EA_INFORMATION ea;
        FILE_ALL_INFORMATION all;
        FILE_ATTRIBUTE_TAG_INFORMATION tag;
        FILE_NETWORK_OPEN_INFORMATION network;
        char bytes[2000];
    } u;
    NTSTATUS status;
    bool file;

    t_part("values: %s", name);
    status = t_create(&h, t_nt("%s", name), GENERIC_READ | SYNCHRONIZE, 7, FILE_OPEN, T_SYNC);
    if (status) {
        t_say("open: %s", t_status(status)); /* links are not in a copy of the tree */
        return;
    }
    memset(&u, 0, sizeof u);
    status = NtQueryInformationFile(h, &io, &u, sizeof u, (FILE_INFORMATION_CLASS)5);
    file = !u.standard.Directory;
    t_say("standard: %s directory %d pending %d", t_status(status), u.standard.Directory,
          u.standard.DeletePending);
    if (file)
        t_say("  size %lu links %lu", (unsigned long)u.standard.EndOfFile.QuadPart,
              u.standard.NumberOfLinks);
    memset(&u, 0, sizeof u);
    status = NtQueryInformationFile(h, &io, &u, sizeof u, (FILE_INFORMATION_CLASS)7);
    t_say("EA size: %s %lu", t_status(status), u.ea.EaSize);
    memset(&u, 0, sizeof u);
    status = NtQueryInformationFile(h, &io, &u, sizeof u, (FILE_INFORMATION_CLASS)18);
    t_say("all: %s attributes %lx name %s", t_status(status), u.all.BasicInformation.FileAttributes,
          t_text(u.all.NameInformation.FileName, (int)u.all.NameInformation.FileNameLength / 2));
    memset(&u, 0, sizeof u);
    status = NtQueryInformationFile(h, &io, &u, sizeof u, (FILE_INFORMATION_CLASS)35);
    t_say("tag: %s %lx %lx", t_status(status), u.tag.FileAttributes, u.tag.ReparseTag);
    memset(&u, 0, sizeof u);
    status = NtQueryInformationFile(h, &io, &u, sizeof u, (FILE_INFORMATION_CLASS)34);
    t_say("network: %s %lx", t_status(status), u.network.FileAttributes);
    NtClose(h);
}

static void volumes(const char *name)
{
    char buffer[1024];
    ULONG info_class, size;
    HANDLE h = t_open(t_nt("%s", name), GENERIC_READ, 0);
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    t_part("volume: %s", name);
    for (info_class = 0; info_class < 16; info_class++) {
        NTSTATUS before = 0x12345678;

        for (size = 0; size <= 64; size += 4) {
            memset(buffer, 0, sizeof buffer);
            status = NtQueryVolumeInformationFile(h, &io, buffer, size,
                                                  (FS_INFORMATION_CLASS)info_class);
            if (status != before)
                t_say("class %lu from %lu: %s", info_class, size, t_status(status));
            before = status;
        }
    }
    memset(buffer, 0, sizeof buffer);
    status = NtQueryVolumeInformationFile(h, &io, buffer, sizeof buffer, (FS_INFORMATION_CLASS)1);
    t_say("volume: %s serial %lx label '%s'", t_status(status), *(ULONG *)(buffer + 8),
          t_text((WCHAR *)(buffer + 18), *(int *)(buffer + 12) / 2));
    status = NtQueryVolumeInformationFile(h, &io, buffer, sizeof buffer, (FS_INFORMATION_CLASS)4);
    t_say("device: %s %lx %lx", t_status(status), *(ULONG *)buffer, *(ULONG *)(buffer + 4));
    status = NtQueryVolumeInformationFile(h, &io, buffer, sizeof buffer, (FS_INFORMATION_CLASS)5);
    t_say("file system: %s %lx %ld '%s'", t_status(status), *(ULONG *)buffer,
          (long)*(LONG *)(buffer + 4), t_text((WCHAR *)(buffer + 12), *(int *)(buffer + 8) / 2));
    status = NtQueryVolumeInformationFile(h, &io, buffer, sizeof buffer, (FS_INFORMATION_CLASS)3);
    t_say("size: %s units %lu sectors %lu, some free %d", t_status(status), *(ULONG *)(buffer + 16),
          *(ULONG *)(buffer + 20), *(LONGLONG *)(buffer + 8) > 0);
    NtClose(h);
}

static void win32_volumes(void)
{
    WCHAR root[300], label[100], fs[100];
    DWORD serial = 0, max = 0, flags = 0, a, b, c, d;
    ULARGE_INTEGER free_bytes = {.QuadPart = 0};
    BOOL ok;

    t_part("volumes by kernel32");
    ok = GetVolumePathNameW(t_dos("hello.txt"), root, 300);
    t_say("GetVolumePathName: %s %s", t_win(ok), ok ? t_text(root, -1) : "");
    ok = GetVolumePathNameW(t_dos("no\\such\\name"), root, 300);
    t_say("GetVolumePathName: %s %s", t_win(ok), ok ? t_text(root, -1) : "");
    ok = GetVolumeInformationW(root, label, 100, &serial, &max, &flags, fs, 100);
    t_say("GetVolumeInformation: %s '%s' %lx %lu %lx %s", t_win(ok), ok ? t_text(label, -1) : "",
          serial, max, flags, ok ? t_text(fs, -1) : "");
    ok = GetDiskFreeSpaceExW(t_dos("nested"), &free_bytes, NULL, NULL);
    t_say("GetDiskFreeSpaceEx: %s some %d", t_win(ok), free_bytes.QuadPart > 0);
    CreateDirectoryW(t_dos("own directory"), NULL);
    ok = GetDiskFreeSpaceExW(t_dos("own directory"), &free_bytes, NULL, NULL);
    t_say("of an own directory: %s some %d", t_win(ok), free_bytes.QuadPart > 0);
    ok = GetDiskFreeSpaceExW(t_dos("missing"), &free_bytes, NULL, NULL);
    t_say("of a missing one: %s", t_win(ok));
    ok = GetDiskFreeSpaceW(root, &a, &b, &c, &d);
    t_say("GetDiskFreeSpace: %s %lu %lu", t_win(ok), a, b);
    t_say("GetDriveType: %u", GetDriveTypeW(root));
    t_say("drives: %lx", GetLogicalDrives());
}

static void security(const char *name)
{
    static char buffer[4096];
    HANDLE h = t_open(t_nt("%s", name), READ_CONTROL | WRITE_DAC, 0);
    SECURITY_INFORMATION parts =
        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    ULONG needed = 0;
    NTSTATUS status;

    t_part("security: %s", name);
    status = NtQuerySecurityObject(h, parts, buffer, 0, &needed);
    t_say("size: %s %lu", t_status(status), needed);
    status = NtQuerySecurityObject(h, parts, buffer, sizeof buffer, &needed);
    t_say("query: %s %lu", t_status(status), needed);
    if (!status) {
        uint64_t hash = 0xcbf29ce484222325ull;
        ULONG i;

        for (i = 0; i < needed; i++)
            hash = (hash ^ (unsigned char)buffer[i]) * 0x100000001b3ull;
        t_say("  hash %016llx", (unsigned long long)hash);
        status = NtSetSecurityObject(h, DACL_SECURITY_INFORMATION, buffer);
        t_say("set it again: %s", t_status(status));
    }
    NtClose(h);
    h = t_open(t_nt("%s", name), GENERIC_READ, 0);
    status = NtSetSecurityObject(h, DACL_SECURITY_INFORMATION, buffer);
    t_say("without the right: %s", t_status(status));
    NtClose(h);
    t_show("after", t_nt("%s", name));
}

static void extended(const char *name)
{
    char buffer[300] = {0};
    HANDLE h = t_open(t_nt("%s", name), GENERIC_READ | GENERIC_WRITE, 0);
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    t_part("extended attributes, control codes: %s", name);
    status = NtQueryEaFile(h, &io, buffer, sizeof buffer, FALSE, NULL, 0, NULL, TRUE);
    t_say("query: %s", t_status(status));
    buffer[5] = 1;
    buffer[6] = 1;
    strcpy(buffer + 8, "A");
    status = NtSetEaFile(h, &io, buffer, 12);
    t_say("set: %s", t_status(status));
    status = NtFsControlFile(h, NULL, NULL, NULL, &io, 0x900a8, NULL, 0, buffer, sizeof buffer);
    t_say("get reparse point: %s", t_status(status));
    status = NtFsControlFile(h, NULL, NULL, NULL, &io, 0x900c4, NULL, 0, NULL, 0);
    t_say("set sparse: %s", t_status(status));
    status = NtFsControlFile(h, NULL, NULL, NULL, &io, 0x90028, NULL, 0, NULL, 0);
    t_say("is volume mounted: %s", t_status(status));
    status = NtFsControlFile(h, NULL, NULL, NULL, &io, 0x9003c, NULL, 0, buffer, 2);
    t_say("get compression: %s", t_status(status));
    status = NtFsControlFile(h, NULL, NULL, NULL, &io, 0x900c0, NULL, 0, buffer, 64);
    t_say("object id: %s", t_status(status));
    NtClose(h);
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    attributes();
    query_classes("hello.txt");
    query_classes("nested");
    set_classes("pool\\p030.dat");
    t_put(t_dos("own.txt"), "own");
    query_classes("own.txt");
    values("hello.txt");
    values("pool\\p030.dat");
    values("own.txt");
    values("nested");
    values("hard2.txt");
    values("linkdir");
    volumes("hello.txt");
    volumes("own.txt");
    volumes("nested");
    win32_volumes();
    security("pool\\p031.dat");
    security("own.txt");
    security("pooldirs\\q03");
    extended("pool\\p032.dat");
    extended("own.txt");
    return t_end();
}
