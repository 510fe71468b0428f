/* Random operations on a small tree, with the host as oracle: the same seed must give the
 * same transcript everywhere.
 *
 * file_random DIR SEED COUNT [trace]
 *                              works in DIR and prints each result, then the whole tree;
 *                              with trace also a hash of the tree after each operation
 * file_random DIR dump         prints the whole tree (after the VM was started anew) */
#include <ctype.h>
#include "test.h"

#define SLOTS 5

static uint64_t seed;

static unsigned rnd(unsigned below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % below;
}

static const char *const leaves[] = {"a.txt", "b.txt", "New File.dat",          "c", "d1", "D2",
                                     "deep",  "e.e",   "long_name_of_nine.text"};
static const char *const base_dirs[] = {"",
                                        "nested",
                                        "nested\\a",
                                        "nested\\a\\b",
                                        "nested\\Other",
                                        "dir with spaces",
                                        "list",
                                        "pooldirs\\q01",
                                        "pooldirs\\q02\\sub",
                                        "emptydir",
                                        "d1",
                                        "D2",
                                        "d1\\deep",
                                        "nested\\d1",
                                        "moved"};
static const char *const base_names[] = {"hello.txt",
                                         "Mixed Case.TXT",
                                         "empty.dat",
                                         "hard1.txt",
                                         "big.txt",
                                         "ro.txt",
                                         "nested\\a\\one.txt",
                                         "nested\\a\\b\\three.txt",
                                         "nested\\a\\b\\c\\deep.txt",
                                         "nested\\Other\\Oh.txt",
                                         "list\\alpha.txt",
                                         "list\\Beta.txt",
                                         "pooldirs\\q01\\x.txt",
                                         "pooldirs\\q01\\sub\\y.txt",
                                         "pooldirs\\q02\\sub\\y.txt",
                                         "pool\\p001.dat",
                                         "pool\\p002.dat",
                                         "noext",
                                         "nested",
                                         "nested\\a",
                                         "pooldirs\\q01",
                                         "pooldirs\\q02",
                                         "pooldirs\\e03",
                                         "list",
                                         "moved"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A name that is there: goes down from the root by random entries. */
static bool pick_existing(char *out)
{
    WIN32_FIND_DATAW data;
    WCHAR pattern[600];
    char names[64][64];
    bool dirs[64];
    unsigned count, i, depth;
    HANDLE find;

    *out = 0;
    for (depth = 0; depth < 4; depth++) {
        wcscpy(pattern, t_dos("%s", out));
        wcscat(pattern, L"\\*");
        find = FindFirstFileW(pattern, &data);
        if (find == INVALID_HANDLE_VALUE) break;
        count = 0;
        do {
            for (i = 0; data.cFileName[i] && data.cFileName[i] < 0x7f && i < 60; i++)
                names[count][i] = (char)data.cFileName[i];
            names[count][i] = 0;
            if (names[count][0] == '.' || data.cFileName[i]) continue;
            dirs[count] = (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
            count++;
        } while (count < 64 && FindNextFileW(find, &data));
        FindClose(find);
        if (!count) break;
        i = rnd(count);
        if (*out) strcat(out, "\\");
        strcat(out, names[i]);
        if (!dirs[i] || rnd(4) == 0) break;
    }
    return *out != 0;
}

/* A name in the tree: one that is there, a base one, or a leaf in one of the directories;
 * sometimes written in another case. */
static char *pick(char *out)
{
    char *c;

    if (rnd(2) && pick_existing(out)) {
        if (rnd(6) == 0) {
            c = strrchr(out, '\\');
            strcpy(c ? c + 1 : out, leaves[rnd(COUNT(leaves))]);
        }
    } else if (rnd(3) == 0) {
        strcpy(out, base_names[rnd(COUNT(base_names))]);
    } else {
        const char *dir = base_dirs[rnd(COUNT(base_dirs))];

        sprintf(out, "%s%s%s", dir, *dir ? "\\" : "", leaves[rnd(COUNT(leaves))]);
    }
    if (rnd(5) == 0)
        for (c = out; *c; c++)
            *c = (char)(rnd(2) ? toupper((unsigned char)*c) : tolower((unsigned char)*c));
    return out;
}

static char *pick_dir(char *out)
{
    strcpy(out, base_dirs[rnd(COUNT(base_dirs))]);
    return out;
}

struct slot {
    HANDLE h;
    char name[200];
};
static struct slot slots[SLOTS];

static void close_all(void)
{
    int i;

    for (i = 0; i < SLOTS; i++)
        if (slots[i].h) {
            NtClose(slots[i].h);
            slots[i].h = NULL;
        }
}

static ULONG random_access(void)
{
    static const ULONG kinds[] = {GENERIC_READ,
                                  GENERIC_WRITE,
                                  GENERIC_READ | GENERIC_WRITE,
                                  GENERIC_READ | GENERIC_WRITE | DELETE,
                                  DELETE,
                                  FILE_READ_ATTRIBUTES,
                                  FILE_WRITE_ATTRIBUTES,
                                  FILE_APPEND_DATA,
                                  FILE_READ_DATA | FILE_APPEND_DATA,
                                  GENERIC_ALL,
                                  MAXIMUM_ALLOWED};

    return kinds[rnd(COUNT(kinds))] | SYNCHRONIZE;
}

static ULONG random_options(void)
{
    static const ULONG kinds[] = {0,
                                  0,
                                  0,
                                  FILE_NON_DIRECTORY_FILE,
                                  FILE_DIRECTORY_FILE,
                                  FILE_OPEN_REPARSE_POINT,
                                  FILE_WRITE_THROUGH,
                                  FILE_SEQUENTIAL_ONLY,
                                  FILE_OPEN_FOR_BACKUP_INTENT,
                                  FILE_DELETE_ON_CLOSE};

    return kinds[rnd(COUNT(kinds))] | T_SYNC;
}

static void op_create(void)
{
    char name[200];
    ULONG access = random_access(), options = random_options(), disposition = rnd(6);
    ULONG share = rnd(3) ? T_ALL_SHARE : rnd(8);
    ULONG attributes = rnd(6) ? FILE_ATTRIBUTE_NORMAL : rnd(2) ? 1 : 2;
    ULONG_PTR info = 0;
    NTSTATUS status;
    HANDLE h;
    char text[64];
    IO_STATUS_BLOCK io;
    int i;

    pick(name);
    if (options & FILE_DELETE_ON_CLOSE) access |= DELETE;
    status = t_create_at(&h, NULL, t_nt("%s", name), access, attributes, share, disposition,
                         options, &info);
    t_say("create %s access %lx disposition %lu options %lx share %lu attributes %lx: %s info %lx",
          name, access, disposition, options, share, attributes, t_status(status),
          status ? 0ul : (unsigned long)info);
    if (status) return;
    if (rnd(2)) {
        sprintf(text, "written by %u", rnd(1000));
        status = NtWriteFile(h, NULL, NULL, NULL, &io, text, (ULONG)strlen(text), NULL, NULL);
        t_say("  write: %s", t_status(status));
    }
    if (rnd(3) == 0) {
        for (i = 0; i < SLOTS; i++)
            if (!slots[i].h) {
                slots[i].h = h;
                strcpy(slots[i].name, name);
                t_say("  kept in %d", i);
                return;
            }
    }
    NtClose(h);
}

static void op_slot(void)
{
    int i = (int)rnd(SLOTS);
    HANDLE h = slots[i].h;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at;
    char data[300];
    union {
        FILE_STANDARD_INFORMATION standard;
        FILE_BASIC_INFORMATION basic;
        FILE_NAME_INFORMATION name;
        FILE_ACCESS_INFORMATION access;
        char bytes[2000];
    } info;
    NTSTATUS status;

    if (!h) {
        t_say("slot %d: empty", i);
        return;
    }
    memset(&info, 0, sizeof info);
    io.Information = 0;
    switch (rnd(11)) {
    case 0:
    case 1:
        NtClose(h);
        slots[i].h = NULL;
        t_say("slot %d: closed", i);
        break;
    case 2:
        at.QuadPart = rnd(40);
        status = NtReadFile(h, NULL, NULL, NULL, &io, data, 100, &at, NULL);
        t_say("slot %d: read at %ld: %s '%s'", i, (long)at.QuadPart, t_status(status),
              status ? "" : (data[io.Information < 100 ? io.Information : 99] = 0, data));
        break;
    case 3:
        at.QuadPart = rnd(60);
        sprintf(data, "<%d:%u>", i, rnd(100));
        status = NtWriteFile(h, NULL, NULL, NULL, &io, data, (ULONG)strlen(data), &at, NULL);
        t_say("slot %d: write at %ld: %s", i, (long)at.QuadPart, t_status(status));
        break;
    case 4:
        at.QuadPart = rnd(80);
        status = NtSetInformationFile(h, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)20);
        t_say("slot %d: end of file %ld: %s", i, (long)at.QuadPart, t_status(status));
        break;
    case 5:
        status =
            NtQueryInformationFile(h, &io, &info, sizeof info.standard, (FILE_INFORMATION_CLASS)5);
        if (status || info.standard.Directory)
            t_say("slot %d: standard: %s directory %d", i, t_status(status),
                  info.standard.Directory);
        else
            t_say("slot %d: standard: size %lu links %lu pending %d", i,
                  (unsigned long)info.standard.EndOfFile.QuadPart, info.standard.NumberOfLinks,
                  info.standard.DeletePending);
        break;
    case 6:
        status =
            NtQueryInformationFile(h, &io, &info, sizeof info.basic, (FILE_INFORMATION_CLASS)4);
        t_say("slot %d: basic: %s %lx", i, t_status(status), info.basic.FileAttributes);
        break;
    case 7:
        status = NtQueryInformationFile(h, &io, &info, sizeof info, (FILE_INFORMATION_CLASS)9);
        t_say("slot %d: name: %s %s", i, t_status(status),
              status ? "" : t_text(info.name.FileName, (int)info.name.FileNameLength / 2));
        break;
    case 8:
        status = t_set_delete(h, rnd(3) != 0);
        t_say("slot %d (%s): disposition: %s", i, slots[i].name, t_status(status));
        break;
    case 9:
        info.basic.FileAttributes = rnd(3) ? FILE_ATTRIBUTE_NORMAL : FILE_ATTRIBUTE_READONLY;
        status = NtSetInformationFile(h, &io, &info, sizeof info.basic, (FILE_INFORMATION_CLASS)4);
        t_say("slot %d: set basic: %s", i, t_status(status));
        break;
    case 10:
        status =
            NtQueryInformationFile(h, &io, &info, sizeof info.access, (FILE_INFORMATION_CLASS)8);
        t_say("slot %d: access: %s %lx", i, t_status(status), info.access.AccessFlags);
        break;
    }
}

/* A directory into itself: the host refuses, but has deleted what was at the target. */
static bool into_itself(const char *from, const char *to)
{
    size_t len = strlen(from);

    return !_strnicmp(from, to, len) && to[len] == '\\';
}

static void op_rename(bool link)
{
    char from[200], to[200], parent[200];
    bool replace = rnd(2), relative = rnd(4) == 0;
    const char *verb = link ? "link" : "rename";
    const WCHAR *target;
    HANDLE h, dir = NULL;
    ULONG attributes;
    NTSTATUS status;

    pick(from);
    pick(to);
    /* The host leaves stale names in handles of a renamed file or below a renamed directory,
     * and what follows from them is an accident: nothing is kept open over a rename. */
    close_all();
    if (t_attributes(t_nt("%s", from), &attributes)) attributes = 0;
    status = t_create(&h, t_nt("%s", from), DELETE | SYNCHRONIZE, T_ALL_SHARE, FILE_OPEN,
                      T_SYNC | FILE_OPEN_REPARSE_POINT);
    if (status) {
        t_say("%s %s -> %s: open: %s", verb, from, to, t_status(status));
        return;
    }
    if (relative) {
        pick_dir(parent);
        strcpy(to, leaves[rnd(COUNT(leaves))]);
        status = t_create(&dir, t_nt("%s", parent), FILE_LIST_DIRECTORY | SYNCHRONIZE, T_ALL_SHARE,
                          FILE_OPEN, T_SYNC | FILE_DIRECTORY_FILE);
        if (status) {
            t_say("%s %s -> %s / %s: open directory: %s", verb, from, parent, to, t_status(status));
            NtClose(h);
            return;
        }
    }
    if (into_itself(from, relative ? parent : to) || (relative && !_stricmp(from, parent))) {
        t_say("%s %s into itself: left out", verb, from);
        if (dir) NtClose(dir);
        NtClose(h);
        return;
    }
    target = relative ? t_wide(to) : t_nt("%s", to);
    status = link ? t_link(h, dir, target, replace) : t_rename(h, dir, target, replace);
    t_say("%s %s (%lx) -> %s%s%s replace %d: %s", verb, from, attributes, relative ? parent : "",
          relative ? " / " : "", to, replace, t_status(status));
    if (dir) NtClose(dir);
    NtClose(h);
}

static void op_win32(void)
{
    char name[200], other[200];
    const WCHAR *dos;
    DWORD attributes;
    WCHAR short_name[400];
    FILETIME time = {.dwLowDateTime = 0x12340000, .dwHighDateTime = 0x01d00000};
    FILETIME got = {0};
    HANDLE h;
    BOOL ok;

    pick(name);
    pick(other);
    if (into_itself(name, other)) strcpy(other, "other.txt");
    dos = t_dos("%s", name);
    switch (rnd(12)) {
    case 0:
        ok = DeleteFileW(dos);
        t_say("DeleteFile %s: %s", name, t_win(ok));
        break;
    case 1:
        ok = RemoveDirectoryW(dos);
        t_say("RemoveDirectory %s: %s", name, t_win(ok));
        break;
    case 2:
        pick_dir(name);
        ok = CreateDirectoryW(t_dos("%s", name), NULL);
        t_say("CreateDirectory %s: %s", name, t_win(ok));
        break;
    case 3:
        ok = CreateDirectoryW(dos, NULL);
        t_say("CreateDirectory %s: %s", name, t_win(ok));
        break;
    case 4:
        close_all();
        ok = MoveFileExW(dos, t_dos("%s", other), rnd(2) ? MOVEFILE_REPLACE_EXISTING : 0);
        t_say("MoveFileEx %s -> %s: %s", name, other, t_win(ok));
        break;
    case 5:
        ok = CopyFileW(dos, t_dos("%s", other), rnd(2));
        t_say("CopyFile %s -> %s: %s", name, other, t_win(ok));
        break;
    case 6:
        attributes = GetFileAttributesW(dos);
        t_say("GetFileAttributes %s: %lx %s", name, attributes,
              t_win(attributes != INVALID_FILE_ATTRIBUTES));
        break;
    case 7:
        attributes = rnd(3) ? FILE_ATTRIBUTE_NORMAL : 1 + rnd(7);
        ok = SetFileAttributesW(dos, attributes);
        t_say("SetFileAttributes %s %lx: %s", name, attributes, t_win(ok));
        break;
    case 8:
        h = CreateFileW(dos, FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES, T_ALL_SHARE, NULL,
                        OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
        if (h == INVALID_HANDLE_VALUE) {
            t_say("SetFileTime %s: open %s", name, t_win(FALSE));
            break;
        }
        time.dwLowDateTime += rnd(1000) << 8;
        ok = SetFileTime(h, NULL, NULL, &time);
        t_say("SetFileTime %s: %s", name, t_win(ok));
        ok = GetFileTime(h, NULL, NULL, &got);
        t_say("  last write %08lx%08lx: %s", got.dwHighDateTime, got.dwLowDateTime, t_win(ok));
        CloseHandle(h);
        break;
    case 9:
        attributes = GetShortPathNameW(dos, short_name, COUNT(short_name));
        t_say("GetShortPathName %s: %s %s", name, attributes ? t_text(short_name, -1) : "",
              t_win(attributes != 0));
        break;
    case 10:
        attributes = GetLongPathNameW(dos, short_name, COUNT(short_name));
        t_say("GetLongPathName %s: %s %s", name, attributes ? t_text(short_name, -1) : "",
              t_win(attributes != 0));
        break;
    case 11: /* without a name for the backup the host makes a random one */
        close_all();
        ok = ReplaceFileW(dos, t_dos("%s", other), t_dos("list\\backup.bak"), 0, NULL, NULL);
        t_say("ReplaceFile %s by %s: %s", name, other, t_win(ok));
        break;
    }
}

static void op_list(void)
{
    static const WCHAR *const masks[] = {L"*", L"*.txt", L"*.*", L"d*", L"?", L"NEW*", L"a.txt"};
    char dir[200];
    WIN32_FIND_DATAW data;
    HANDLE find;
    WCHAR pattern[600];
    int count = 0;

    pick_dir(dir);
    wcscpy(pattern, t_dos("%s", dir));
    wcscat(pattern, L"\\");
    wcscat(pattern, masks[rnd(COUNT(masks))]);
    find = FindFirstFileW(pattern, &data);
    t_say("list %s: %s", t_text(pattern, -1), t_win(find != INVALID_HANDLE_VALUE));
    if (find == INVALID_HANDLE_VALUE) return;
    do {
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
            t_say("  %s %lx", t_text(data.cFileName, -1), data.dwFileAttributes);
        else
            t_say("  %s %lx %lu", t_text(data.cFileName, -1), data.dwFileAttributes,
                  data.nFileSizeLow);
        count++;
    } while (FindNextFileW(find, &data));
    t_say("  %d entries, then %s", count, t_win(FALSE));
    FindClose(find);
}

static void op_nt_delete(void)
{
    char name[200];
    UNICODE_STRING str;
    OBJECT_ATTRIBUTES attr;

    pick(name);
    RtlInitUnicodeString(&str, t_nt("%s", name));
    InitializeObjectAttributes(&attr, &str, OBJ_CASE_INSENSITIVE, NULL, NULL);
    t_say("NtDeleteFile %s: %s", name, t_status(NtDeleteFile(&attr)));
}

/* A hash of names, attributes and sizes in the tree, so that two transcripts part at the
 * operation that went wrong and not at the first one that meets the result. */
static uint64_t state_of(const WCHAR *dir, uint64_t hash)
{
    WIN32_FIND_DATAW data;
    WCHAR path[1000];
    const WCHAR *c;
    HANDLE find;

    swprintf(path, COUNT(path), L"%ls\\*", dir);
    find = FindFirstFileW(path, &data);
    if (find == INVALID_HANDLE_VALUE) return hash ^ GetLastError();
    do {
        for (c = data.cFileName; *c; c++)
            hash = (hash ^ *c) * 0x100000001b3ull;
        hash = (hash ^ data.dwFileAttributes) * 0x100000001b3ull;
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) {
            hash = (hash ^ data.nFileSizeLow) * 0x100000001b3ull;
        } else if (wcscmp(data.cFileName, L".") && wcscmp(data.cFileName, L"..")) {
            swprintf(path, COUNT(path), L"%ls\\%ls", dir, data.cFileName);
            hash = state_of(path, hash);
        }
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return hash;
}

int main(int argc, char **argv)
{
    unsigned count, i, kind;
    const char *start;
    bool trace;

    t_begin(argc, argv);
    start = t_option(0);
    if (start && !strcmp(start, "dump")) {
        t_list("tree", t_dos("%s", ""), true);
        return t_end();
    }
    if (!start || !t_option(1)) t_die("usage: file_random DIR [private] SEED COUNT | DIR dump");
    seed = strtoull(start, NULL, 10) * 2862933555777941757ull + 3037000493ull;
    count = (unsigned)strtoul(t_option(1), NULL, 10);
    trace = t_option(2) && !strcmp(t_option(2), "trace");
    rnd(2);
    for (i = 0; i < count; i++) {
        kind = rnd(20);
        printf("%u ", i);
        if (kind < 7)
            op_create();
        else if (kind < 11)
            op_slot();
        else if (kind < 13)
            op_rename(false);
        else if (kind < 14)
            op_rename(true);
        else if (kind < 18)
            op_win32();
        else if (kind < 19)
            op_list();
        else
            op_nt_delete();
        if (trace)
            t_say("  state %016llx",
                  (unsigned long long)state_of(t_dos("%s", ""), 0xcbf29ce484222325ull));
    }
    close_all();
    t_list("tree", t_dos("%s", ""), true);
    return t_end();
}
