/* Deleting: by every call, of every kind of object, while it is open, and what is seen of
 * it until the last handle is gone. */
#include "test.h"

static NTSTATUS nt_delete(const WCHAR *name)
{
    UNICODE_STRING str;
    OBJECT_ATTRIBUTES attr;

    RtlInitUnicodeString(&str, name);
    InitializeObjectAttributes(&attr, &str, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtDeleteFile(&attr);
}

static void simple(void)
{
    static const char *const names[] = {
        "pool\\p000.dat", "POOL\\P001.DAT",  "pooldirs\\e00",    "pooldirs\\q00", "ro.txt",
        "missing",        "no\\parent",      "hello.txt\\below", "link.txt",      "linkdir",
        "broken.lnk",     "emptydir",        "hello.txt:stream", "hard1.txt",     "empty.dat",
        "pool\\p001.dat", "pooldirs\\e00\\x"};
    size_t i;

    t_part("simple calls");
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        BOOL ok = RemoveDirectoryW(t_dos("%s", names[i]));
        NTSTATUS status;

        t_say("RemoveDirectory %s: %s", names[i], t_win(ok));
        ok = DeleteFileW(t_dos("%s", names[i]));
        t_say("DeleteFile %s: %s", names[i], t_win(ok));
        t_show("  after", t_nt("%s", names[i]));
        status = nt_delete(t_nt("%s", names[i]));
        t_say("NtDeleteFile %s: %s", names[i], t_status(status));
        t_show("  after", t_nt("%s", names[i]));
    }
    t_say("NtDeleteFile pool\\p002.dat: %s", t_status(nt_delete(t_nt("pool\\p002.dat"))));
    t_say("NtDeleteFile pooldirs\\e01: %s", t_status(nt_delete(t_nt("pooldirs\\e01"))));
    t_say("NtDeleteFile pooldirs\\q01: %s", t_status(nt_delete(t_nt("pooldirs\\q01"))));
    t_show("hard2", t_nt("hard2.txt"));
    t_list("root", t_dos("%s", ""), false);
}

/* How it looks to others while it is marked for deletion. */
static void look(const char *name, HANDLE h)
{
    IO_STATUS_BLOCK io;
    FILE_STANDARD_INFORMATION standard = {.DeletePending = 77};
    WIN32_FIND_DATAW data;
    HANDLE other, find;
    NTSTATUS status;
    ULONG attributes;

    status = NtQueryInformationFile(h, &io, &standard, sizeof standard, (FILE_INFORMATION_CLASS)5);
    t_say("  own handle: %s pending %d links %lu", t_status(status), standard.DeletePending,
          standard.NumberOfLinks);
    status = t_attributes(t_nt("%s", name), &attributes);
    t_say("  attributes by name: %s", t_status(status));
    status = t_create(&other, t_nt("%s", name), GENERIC_READ | SYNCHRONIZE, 7, FILE_OPEN, T_SYNC);
    t_say("  open: %s", t_status(status));
    if (!status) NtClose(other);
    status = t_create(&other, t_nt("%s", name), GENERIC_READ | SYNCHRONIZE, 7, FILE_CREATE, T_SYNC);
    t_say("  create: %s", t_status(status));
    if (!status) NtClose(other);
    find = FindFirstFileW(t_dos("%s", name), &data);
    t_say("  listed: %s", t_win(find != INVALID_HANDLE_VALUE));
    if (find != INVALID_HANDLE_VALUE) FindClose(find);
}

static void by_handle(const char *name, ULONG options, bool undo)
{
    HANDLE h;
    NTSTATUS status = t_create(&h, t_nt("%s", name), GENERIC_READ | DELETE | SYNCHRONIZE,
                               T_ALL_SHARE, FILE_OPEN, options | T_SYNC);

    t_say("%s options %lx%s: open %s", name, options, undo ? ", taken back" : "", t_status(status));
    if (status) return;
    if (!(options & FILE_DELETE_ON_CLOSE))
        t_say("  disposition: %s", t_status(t_set_delete(h, true)));
    look(name, h);
    if (undo) {
        t_say("  taken back: %s", t_status(t_set_delete(h, false)));
        look(name, h);
    }
    NtClose(h);
    t_show("  closed", t_nt("%s", name));
}

static void two_handles(const char *name, bool mark_second)
{
    HANDLE a, b;
    NTSTATUS status;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = 0};
    char data[8] = {0};

    t_say("%s, two handles, the %s one marks", name, mark_second ? "second" : "first");
    a = t_open(t_nt("%s", name), GENERIC_READ | DELETE, 0);
    b = t_open(t_nt("%s", name), GENERIC_READ | DELETE, 0);
    t_say("  mark: %s", t_status(t_set_delete(mark_second ? b : a, true)));
    look(name, a);
    NtClose(mark_second ? b : a);
    look(name, mark_second ? a : b);
    status = NtReadFile(mark_second ? a : b, NULL, NULL, NULL, &io, data, 4, &at, NULL);
    t_say("  read by the other: %s '%s'", t_status(status), data);
    t_say("  unmark by the other: %s", t_status(t_set_delete(mark_second ? a : b, false)));
    NtClose(mark_second ? a : b);
    t_show("  after", t_nt("%s", name));
}

static void delete_on_close(void)
{
    HANDLE h, other;
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    t_part("delete on close of new files");
    status = t_create(&h, t_nt("doc.tmp"), GENERIC_WRITE | DELETE | SYNCHRONIZE, T_ALL_SHARE,
                      FILE_CREATE, FILE_DELETE_ON_CLOSE | T_SYNC);
    t_say("create: %s", t_status(status));
    NtWriteFile(h, NULL, NULL, NULL, &io, "data", 4, NULL, NULL);
    look("doc.tmp", h);
    status = t_create(&other, t_nt("doc.tmp"), GENERIC_READ | SYNCHRONIZE, FILE_SHARE_READ,
                      FILE_OPEN, T_SYNC);
    t_say("open without sharing: %s", t_status(status));
    if (!status) NtClose(other);
    t_say("taken back: %s", t_status(t_set_delete(h, false)));
    NtClose(h);
    t_show("after", t_nt("doc.tmp"));
    status = t_create(&h, t_nt("docdir"), GENERIC_READ | DELETE | SYNCHRONIZE, T_ALL_SHARE,
                      FILE_CREATE, FILE_DELETE_ON_CLOSE | FILE_DIRECTORY_FILE | T_SYNC);
    t_say("directory: %s", t_status(status));
    t_put(t_dos("docdir\\in it"), "x");
    NtClose(h);
    t_show("with a file in it", t_nt("docdir"));
    t_say("temporary: %s",
          t_win((h = CreateFileW(t_dos("temp"), GENERIC_ALL, 7, NULL, CREATE_ALWAYS,
                                 FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL)) !=
                INVALID_HANDLE_VALUE));
    CloseHandle(h);
    t_show("after", t_nt("temp"));
}

static void child_deletes(void)
{
    HANDLE h = t_open(t_nt("pool\\p030.dat"), GENERIC_READ, 0);
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = 0};
    char data[8] = {0};
    NTSTATUS status;

    t_part("another process deletes an open file");
    t_say("child ended with %lu", t_wait(t_spawn("child p030")));
    look("pool\\p030.dat", h);
    status = NtReadFile(h, NULL, NULL, NULL, &io, data, 4, &at, NULL);
    t_say("read: %s '%s'", t_status(status), data);
    NtClose(h);
    t_show("after", t_nt("pool\\p030.dat"));
    t_say("child ended with %lu", t_wait(t_spawn("child look")));
    h = CreateFileW(t_dos("pool\\p031.dat"), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0,
                    NULL);
    t_say("child ended with %lu", t_wait(t_spawn("child p031")));
    CloseHandle(h);
    t_show("p031", t_nt("pool\\p031.dat"));
}

static void mapped(const char *name)
{
    HANDLE file = CreateFileW(t_dos("%s", name), GENERIC_READ | GENERIC_WRITE | DELETE, T_ALL_SHARE,
                              NULL, OPEN_EXISTING, 0, NULL);
    HANDLE map = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    char *view = MapViewOfFile(map, FILE_MAP_WRITE, 0, 0, 0);
    HANDLE h;
    NTSTATUS status;

    t_part("deleting a mapped file: %s", name);
    t_say("mapped: %s", view ? "yes" : "no");
    if (view) view[0] = '!';
    CloseHandle(file);
    status = t_create(&h, t_nt("%s", name), DELETE | SYNCHRONIZE, 7, FILE_OPEN, T_SYNC);
    t_say("open to delete: %s", t_status(status));
    if (!status) {
        t_say("disposition: %s", t_status(t_set_delete(h, true)));
        NtClose(h);
    }
    t_show("after", t_nt("%s", name));
    if (view) UnmapViewOfFile(view);
    CloseHandle(map);
    t_show("unmapped", t_nt("%s", name));
}

/* What was deleted can be made again, as a file or a directory, and holds nothing old. */
static void again(void)
{
    BOOL ok;

    t_part("making it again");
    t_say("delete nested\\Other\\Oh.txt: %s", t_win(DeleteFileW(t_dos("nested\\Other\\Oh.txt"))));
    t_say("remove nested\\Other: %s", t_win(RemoveDirectoryW(t_dos("nested\\Other"))));
    t_list("nested", t_dos("nested"), false);
    t_say("make it: %s", t_win(CreateDirectoryW(t_dos("nested\\OTHER"), NULL)));
    t_list("nested", t_dos("nested"), false);
    t_list("nested\\OTHER", t_dos("nested\\other"), false);
    t_put(t_dos("nested\\other\\oh.TXT"), "new");
    t_list("nested\\OTHER", t_dos("nested\\other"), true);
    t_say("remove pooldirs\\e10: %s", t_win(RemoveDirectoryW(t_dos("pooldirs\\e10"))));
    t_put(t_dos("pooldirs\\e10"), "now a file");
    t_show("e10", t_nt("pooldirs\\e10"));
    t_say("delete pool\\p040.dat: %s", t_win(DeleteFileW(t_dos("pool\\p040.dat"))));
    t_say("make a directory there: %s", t_win(CreateDirectoryW(t_dos("pool\\p040.dat"), NULL)));
    t_list("p040.dat", t_dos("pool\\p040.dat"), false);
    ok = DeleteFileW(t_dos("pool\\p041.dat"));
    t_put(t_dos("pool\\P041.DAT"), "other case");
    t_say("delete p041 %s, made as P041.DAT", t_win(ok));
    t_list("pool", t_dos("pool"), false);
}

/* A whole tree goes, bottom up, then is there again, empty. */
static void remove_tree(const WCHAR *dos)
{
    WIN32_FIND_DATAW data;
    WCHAR path[1000];
    HANDLE find;

    wcscpy(path, dos);
    wcscat(path, L"\\*");
    find = FindFirstFileW(path, &data);
    if (find != INVALID_HANDLE_VALUE) {
        do {
            if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
            wcscpy(path, dos);
            wcscat(path, L"\\");
            wcscat(path, data.cFileName);
            if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
                remove_tree(path);
            else if (!DeleteFileW(path))
                t_say("  delete %s: %s", t_text(path, -1), t_win(FALSE));
        } while (FindNextFileW(find, &data));
        FindClose(find);
    }
    if (!RemoveDirectoryW(dos)) t_say("  remove %s: %s", t_text(dos, -1), t_win(FALSE));
}

int main(int argc, char **argv)
{
    WCHAR dir[2000];

    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "child")) {
        if (!strcmp(t_option(1), "look"))
            t_show("    child sees p030", t_nt("pool\\p030.dat"));
        else
            t_say("    child deletes: %s", t_win(DeleteFileW(t_dos("pool\\%s.dat", t_option(1)))));
        fflush(stdout);
        return 0;
    }
    simple();
    t_part("by handle");
    by_handle("pool\\p010.dat", 0, false);
    by_handle("pool\\p011.dat", 0, true);
    by_handle("pool\\p012.dat", FILE_DELETE_ON_CLOSE, false);
    by_handle("pool\\p013.dat", FILE_DELETE_ON_CLOSE, true);
    by_handle("ro.txt", 0, false);
    by_handle("ro.txt", FILE_DELETE_ON_CLOSE, false);
    by_handle("pooldirs\\e05", 0, false);
    by_handle("pooldirs\\e06", FILE_DELETE_ON_CLOSE | FILE_DIRECTORY_FILE, false);
    by_handle("pooldirs\\q05", 0, false);
    by_handle("pooldirs\\q06", FILE_DELETE_ON_CLOSE, false);
    by_handle("link.txt", FILE_OPEN_REPARSE_POINT, false);
    by_handle("linkdir", FILE_OPEN_REPARSE_POINT, false);
    t_part("two handles");
    two_handles("pool\\p014.dat", false);
    two_handles("pool\\p015.dat", true);
    two_handles("hard2.txt", true);
    delete_on_close();
    child_deletes();
    mapped("pool\\p020.dat");
    again();
    t_part("whole trees");
    wcscpy(dir, t_dos("pooldirs\\q20"));
    remove_tree(dir);
    t_show("q20", t_nt("pooldirs\\q20"));
    wcscpy(dir, t_dos("nested"));
    remove_tree(dir);
    t_show("nested", t_nt("nested"));
    t_say("made again: %s", t_win(CreateDirectoryW(t_dos("nested"), NULL)));
    t_list("nested", t_dos("nested"), true);
    t_say("below: %s", t_win(CreateDirectoryW(t_dos("nested\\a"), NULL)));
    t_list("nested\\a", t_dos("nested\\a"), true);
    t_show("old", t_nt("nested\\a\\one.txt"));
    wcscpy(dir, t_dos("thousand"));
    remove_tree(dir);
    t_show("thousand", t_nt("thousand"));
    t_list("root", t_dos("%s", ""), true);
    return t_end();
}
