/* Renaming and hard links: within and across directories, over every kind of target, by
 * full name and by directory handle, of whole directories, back again, and in chains. */
#include "test.h"

static int next_file = 0, next_full = 0, next_empty = 0;

/* The next object of the pool that is still there. */
static bool take(const char *fmt, int *next, int limit, char *name)
{
    ULONG attributes;

    while (*next < limit) {
        snprintf(name, 100, "%s%0*d%s", fmt, limit > 100 ? 3 : 2, (*next)++,
                 limit > 100 ? ".dat" : "");
        if (!t_attributes(t_nt("%s", name), &attributes)) return true;
    }
    return false;
}

/* Makes or finds an object of a kind; false when the pool is empty. */
static bool make_kind(const char *kind, char *name)
{
    static int serial;

    serial++;
    if (!strcmp(kind, "file")) return take("pool\\p", &next_file, 190, name);
    if (!strcmp(kind, "full")) return take("pooldirs\\q", &next_full, 50, name);
    if (!strcmp(kind, "empty")) return take("pooldirs\\e", &next_empty, 60, name);
    if (!strcmp(kind, "own")) {
        sprintf(name, "own%d.txt", serial);
        t_put(t_dos("%s", name), "own file");
    } else if (!strcmp(kind, "own dir")) {
        sprintf(name, "owndir%d", serial);
        CreateDirectoryW(t_dos("%s", name), NULL);
        t_put(t_dos("%s\\inside", name), "inside");
    } else if (!strcmp(kind, "read-only")) {
        if (!take("pool\\p", &next_file, 190, name)) return false;
        SetFileAttributesW(t_dos("%s", name), FILE_ATTRIBUTE_READONLY);
    } else if (!strcmp(kind, "missing")) {
        sprintf(name, "list\\new%d", serial);
    } else if (!strcmp(kind, "no parent")) {
        sprintf(name, "no\\parent%d", serial);
    } else if (!strcmp(kind, "same directory")) {
        sprintf(name, "pool\\renamed%d", serial);
    } else {
        t_die("unknown kind %s", kind);
    }
    return true;
}

static void matrix(bool link)
{
    static const char *const from[] = {"file", "full", "empty", "own", "own dir", "read-only"};
    static const char *const to[] = {"missing", "no parent", "same directory", "file",     "full",
                                     "empty",   "own",       "own dir",        "read-only"};
    size_t f, t;
    int replace, opened;

    t_part("%s: every source and target", link ? "link" : "rename");
    for (f = 0; f < sizeof from / sizeof from[0]; f++)
        for (t = 0; t < sizeof to / sizeof to[0]; t++)
            for (replace = 0; replace < 2; replace++)
                for (opened = 0; opened < 2; opened++) {
                    char source[100], target[100];
                    HANDLE h, held = NULL;
                    NTSTATUS status;

                    /* only a target that is there can be open */
                    if (opened && (t < 3 || !replace)) continue;
                    if (!make_kind(from[f], source) || !make_kind(to[t], target)) continue;
                    if (opened && t_create(&held, t_nt("%s", target), GENERIC_READ | SYNCHRONIZE, 7,
                                           FILE_OPEN, T_SYNC))
                        held = NULL;
                    h = t_open(t_nt("%s", source), DELETE, 0);
                    status = link ? t_link(h, NULL, t_nt("%s", target), replace)
                                  : t_rename(h, NULL, t_nt("%s", target), replace);
                    NtClose(h);
                    if (held) NtClose(held);
                    t_say("%s (%s) -> %s (%s) replace %d open %d: %s", from[f], source, to[t],
                          target, replace, opened, t_status(status));
                    t_show("  source", t_nt("%s", source));
                    t_show("  target", t_nt("%s", target));
                }
}

static void names_of_handle(HANDLE h)
{
    char buffer[2000];
    FILE_NAME_INFORMATION *info = (FILE_NAME_INFORMATION *)buffer;
    IO_STATUS_BLOCK io;
    NTSTATUS status =
        NtQueryInformationFile(h, &io, buffer, sizeof buffer, (FILE_INFORMATION_CLASS)9);

    t_say("  name of the handle: %s %s", t_status(status),
          status ? "" : t_text(info->FileName, (int)info->FileNameLength / 2));
}

static void special(void)
{
    HANDLE h, dir, dir2;
    NTSTATUS status;
    BOOL ok;

    t_part("special cases");
    h = t_open(t_nt("pool\\p200.dat"), DELETE | FILE_READ_ATTRIBUTES, 0);
    t_say("change of case: %s", t_status(t_rename(h, NULL, t_nt("pool\\P200.DaT"), false)));
    names_of_handle(h);
    t_say("onto itself: %s", t_status(t_rename(h, NULL, t_nt("pool\\P200.DaT"), false)));
    t_say("onto itself, replace: %s", t_status(t_rename(h, NULL, t_nt("pool\\p200.dat"), true)));
    names_of_handle(h);
    dir = t_open(t_nt("nested"), FILE_LIST_DIRECTORY | DELETE, FILE_DIRECTORY_FILE);
    t_say("relative: %s", t_status(t_rename(h, dir, L"relative.dat", false)));
    names_of_handle(h);
    t_say("relative, deeper: %s", t_status(t_rename(h, dir, L"a\\deeper.dat", false)));
    names_of_handle(h);
    t_say("relative, dots: %s", t_status(t_rename(h, dir, L"..\\up.dat", false)));
    t_say("plain name: %s", t_status(t_rename(h, NULL, L"plain.dat", false)));
    names_of_handle(h);
    t_say("bad characters: %s", t_status(t_rename(h, NULL, t_nt("a<b"), false)));
    t_say("empty: %s", t_status(t_rename(h, NULL, L"", false)));
    t_say("dot components: %s", t_status(t_rename(h, NULL, t_nt("nested\\.\\x"), false)));
    t_say("trailing backslash: %s", t_status(t_rename(h, NULL, t_nt("nested\\x\\"), false)));
    t_say("stream name: %s", t_status(t_rename(h, NULL, t_nt("hello.txt:new"), false)));
    names_of_handle(h);
    NtClose(h);
    t_say("directory into itself: %s", t_status(t_rename(dir, NULL, t_nt("nested\\a\\n"), false)));
    t_say("directory onto itself: %s", t_status(t_rename(dir, NULL, t_nt("nested"), false)));
    t_say("directory changes case: %s", t_status(t_rename(dir, NULL, t_nt("NESTED"), false)));
    names_of_handle(dir);
    dir2 = t_open(t_nt("nested\\a"), FILE_LIST_DIRECTORY | DELETE, FILE_DIRECTORY_FILE);
    t_say("directory by handle: %s", t_status(t_rename(dir2, dir, L"A2", false)));
    names_of_handle(dir2);
    NtClose(dir2);
    NtClose(dir);
    /* without the right, and with a file open below */
    h = t_open(t_nt("hello.txt"), GENERIC_READ, 0);
    t_say("without DELETE: %s", t_status(t_rename(h, NULL, t_nt("no right"), false)));
    NtClose(h);
    h = t_open(t_nt("nested\\A2\\b\\three.txt"), GENERIC_READ, 0);
    ok = MoveFileW(t_dos("nested\\A2"), t_dos("with open file"));
    t_say("directory with an open file below: %s", t_win(ok));
    NtClose(h);
    t_show("moved?", t_nt("with open file\\b\\three.txt"));
    status =
        t_create(&h, t_nt("noext"), GENERIC_READ | SYNCHRONIZE, FILE_SHARE_READ, FILE_OPEN, T_SYNC);
    ok = MoveFileW(t_dos("noext"), t_dos("noext2"));
    t_say("file held without FILE_SHARE_DELETE (%s): %s", t_status(status), t_win(ok));
    NtClose(h);
    t_list("root", t_dos("%s", ""), true);
}

/* Directories with much in them, moved, changed at the new place, moved on and back. */
static void directories(void)
{
    t_part("directories");
    t_say("thousand -> nested\\moved: %s",
          t_win(MoveFileW(t_dos("thousand"), t_dos("nested\\moved"))));
    t_show("old", t_nt("thousand\\t0500.txt"));
    t_show("new", t_nt("nested\\moved\\t0500.txt"));
    t_put(t_dos("nested\\moved\\t0500.txt"), "changed after the move");
    t_say("delete one: %s", t_win(DeleteFileW(t_dos("nested\\moved\\t0501.txt"))));
    t_say("rename one: %s",
          t_win(MoveFileW(t_dos("nested\\moved\\t0502.txt"), t_dos("nested\\moved\\renamed.txt"))));
    t_say("parent -> other: %s", t_win(MoveFileW(t_dos("nested"), t_dos("other"))));
    t_show("t0500", t_nt("other\\moved\\t0500.txt"));
    t_show("t0501", t_nt("other\\moved\\t0501.txt"));
    t_show("t0502", t_nt("other\\moved\\t0502.txt"));
    t_show("renamed", t_nt("other\\moved\\renamed.txt"));
    t_show("t0999", t_nt("other\\moved\\T0999.TXT"));
    t_say("back: %s", t_win(MoveFileW(t_dos("other\\moved"), t_dos("thousand"))));
    t_say("and its parent: %s", t_win(MoveFileW(t_dos("other"), t_dos("nested"))));
    t_list("nested", t_dos("nested"), true);
    t_list("thousand", t_dos("thousand"), true);
}

/* Rings: a -> b, b's old place is taken by another, and so on. */
static void rings(void)
{
    int i;

    t_part("rings");
    for (i = 0; i < 3; i++) {
        t_say("q50 -> tmp: %s", t_win(MoveFileW(t_dos("pooldirs\\q50"), t_dos("pooldirs\\tmp"))));
        t_say("q51 -> q50: %s", t_win(MoveFileW(t_dos("pooldirs\\q51"), t_dos("pooldirs\\q50"))));
        t_say("q52 -> q51: %s", t_win(MoveFileW(t_dos("pooldirs\\q52"), t_dos("pooldirs\\q51"))));
        t_say("tmp -> q52: %s", t_win(MoveFileW(t_dos("pooldirs\\tmp"), t_dos("pooldirs\\q52"))));
        t_list("q50", t_dos("pooldirs\\q50"), true);
        t_list("q51", t_dos("pooldirs\\q51"), true);
        t_list("q52", t_dos("pooldirs\\q52"), true);
    }
    t_say("a directory into the old place of its parent:");
    t_say("  q53\\sub -> s: %s", t_win(MoveFileW(t_dos("pooldirs\\q53\\sub"), t_dos("s"))));
    t_say("  q53 -> s\\q53: %s", t_win(MoveFileW(t_dos("pooldirs\\q53"), t_dos("s\\q53"))));
    t_say("  s -> pooldirs\\q53: %s", t_win(MoveFileW(t_dos("s"), t_dos("pooldirs\\q53"))));
    t_list("q53", t_dos("pooldirs\\q53"), true);
    t_say("files:");
    for (i = 0; i < 3; i++) {
        t_say("  p210 -> x: %s", t_win(MoveFileW(t_dos("pool\\p210.dat"), t_dos("x"))));
        t_say("  p211 -> p210: %s",
              t_win(MoveFileW(t_dos("pool\\p211.dat"), t_dos("pool\\p210.dat"))));
        t_say("  x -> p211: %s", t_win(MoveFileW(t_dos("x"), t_dos("pool\\p211.dat"))));
        t_show("  p210", t_nt("pool\\p210.dat"));
        t_show("  p211", t_nt("pool\\p211.dat"));
    }
}

static void win32_calls(void)
{
    t_part("kernel32");
    t_say("MoveFile onto a file: %s",
          t_win(MoveFileW(t_dos("pool\\p220.dat"), t_dos("pool\\p221.dat"))));
    t_say("MoveFileEx replace: %s",
          t_win(MoveFileExW(t_dos("pool\\p220.dat"), t_dos("pool\\p221.dat"),
                            MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)));
    t_say(
        "MoveFileEx file onto directory: %s",
        t_win(MoveFileExW(t_dos("pool\\p222.dat"), t_dos("emptydir"), MOVEFILE_REPLACE_EXISTING)));
    t_say("MoveFileEx directory onto directory: %s",
          t_win(MoveFileExW(t_dos("pooldirs\\q55"), t_dos("emptydir"), MOVEFILE_REPLACE_EXISTING)));
    t_say("ReplaceFile: %s", t_win(ReplaceFileW(t_dos("pool\\p223.dat"), t_dos("pool\\p224.dat"),
                                                t_dos("pool\\backup.dat"), 0, NULL, NULL)));
    t_show("p223", t_nt("pool\\p223.dat"));
    t_show("p224", t_nt("pool\\p224.dat"));
    t_show("backup", t_nt("pool\\backup.dat"));
    t_say("CreateHardLink: %s",
          t_win(CreateHardLinkW(t_dos("linked.dat"), t_dos("pool\\p225.dat"), NULL)));
    t_say("CopyFile over it: %s",
          t_win(CopyFileW(t_dos("pool\\p226.dat"), t_dos("linked.dat"), FALSE)));
    t_show("linked", t_nt("linked.dat"));
    t_show("p225", t_nt("pool\\p225.dat"));
    t_say("SetFileAttributes on the link: %s",
          t_win(SetFileAttributesW(t_dos("linked.dat"), FILE_ATTRIBUTE_READONLY)));
    t_show("p225", t_nt("pool\\p225.dat"));
    t_say("delete the first name: %s", t_win(DeleteFileW(t_dos("pool\\p225.dat"))));
    t_show("linked", t_nt("linked.dat"));
}

/* Two names of one file of the base: what is written through one is seen through the
 * other, as far as the host says so. */
static void base_links(void)
{
    HANDLE h = t_open(t_nt("hard1.txt"), GENERIC_READ | GENERIC_WRITE, 0);
    HANDLE other = t_open(t_nt("hard2.txt"), GENERIC_READ, 0);
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = 0};
    FILE_STANDARD_INFORMATION standard;
    char data[16] = {0};
    NTSTATUS status;

    t_part("hard links of the base");
    status = NtQueryInformationFile(h, &io, &standard, sizeof standard, (FILE_INFORMATION_CLASS)5);
    t_say("links: %s %lu", t_status(status), standard.NumberOfLinks);
    NtWriteFile(h, NULL, NULL, NULL, &io, "SECOND", 6, &at, NULL);
    status = NtReadFile(other, NULL, NULL, NULL, &io, data, 10, &at, NULL);
    t_say("read by the other name: %s %s", t_status(status), t_text(t_wide(data), -1));
    NtClose(h);
    NtClose(other);
    t_show("hard1", t_nt("hard1.txt"));
    t_show("hard2", t_nt("hard2.txt"));
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    rings();
    win32_calls();
    directories();
    matrix(false);
    next_file = next_full = next_empty = 0;
    matrix(true);
    special();
    base_links();
    return t_end();
}
