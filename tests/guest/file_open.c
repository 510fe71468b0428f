/* Opening and creating: every disposition on every kind of object with every option that
 * changes the outcome, and every right of access with what it then allows. */
#include "test.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int next_file, next_full, next_empty;

/* A name of a kind; the destructive kinds are new ones each time. */
static const char *fresh(const char *kind)
{
    static char name[100];

    if (!strcmp(kind, "file"))
        sprintf(name, "pool\\p%03d.dat", next_file++);
    else if (!strcmp(kind, "full directory"))
        sprintf(name, "pooldirs\\q%02d", next_full++ % 60);
    else if (!strcmp(kind, "empty directory"))
        sprintf(name, "pooldirs\\e%02d", next_empty++ % 60);
    else if (!strcmp(kind, "read-only file"))
        strcpy(name, "ro.txt");
    else if (!strcmp(kind, "missing"))
        sprintf(name, "missing%d.new", next_file);
    else if (!strcmp(kind, "missing, no parent"))
        strcpy(name, "no\\parent\\x");
    else if (!strcmp(kind, "below a file"))
        strcpy(name, "hello.txt\\x");
    else if (!strcmp(kind, "link to file"))
        strcpy(name, "link.txt");
    else if (!strcmp(kind, "link to directory"))
        strcpy(name, "linkdir");
    else if (!strcmp(kind, "broken link"))
        strcpy(name, "broken.lnk");
    return name;
}

static void dispositions(void)
{
    static const char *const kinds[] = {"file",           "empty directory",  "full directory",
                                        "read-only file", "missing",          "missing, no parent",
                                        "below a file",   "link to directory"};
    static const ULONG option_sets[] = {0,
                                        FILE_DIRECTORY_FILE,
                                        FILE_NON_DIRECTORY_FILE,
                                        FILE_DELETE_ON_CLOSE,
                                        FILE_OPEN_REPARSE_POINT,
                                        FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY,
                                        FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE,
                                        FILE_NO_INTERMEDIATE_BUFFERING};
    static const ULONG accesses[] = {GENERIC_READ, GENERIC_READ | GENERIC_WRITE | DELETE};
    size_t k, o, a;
    ULONG disposition;

    t_part("dispositions");
    for (k = 0; k < COUNT(kinds); k++)
        for (o = 0; o < COUNT(option_sets); o++)
            for (a = 0; a < COUNT(accesses); a++)
                for (disposition = 0; disposition < 7; disposition++) {
                    ULONG access = accesses[a] | SYNCHRONIZE, options = option_sets[o];
                    const char *name;
                    HANDLE h;
                    ULONG_PTR info;
                    NTSTATUS status;
                    char label[300];

                    if (options & FILE_DELETE_ON_CLOSE && !(accesses[a] & DELETE)) continue;
                    /* the host makes a directory, then fails because it is one */
                    if (!strncmp(kinds[k], "missing", 7) && (options & 0x41) == 0x41) continue;
                    /* the pool of files is for what may change one */
                    if (!strcmp(kinds[k], "file") && next_file >= 240) continue;
                    name = fresh(kinds[k]);
                    status = t_create_at(&h, NULL, t_nt("%s", name), access, 0, T_ALL_SHARE,
                                         disposition, options | T_SYNC, &info);
                    sprintf(label, "%s (%s) disposition %lu options %lx access %lx", kinds[k], name,
                            disposition, options, access);
                    t_say("%s: %s info %lx", label, t_status(status),
                          status ? 0ul : (unsigned long)info);
                    if (!status) NtClose(h);
                    t_show("  after", t_nt("%s", name));
                    if (!strncmp(name, "missing", 7)) {
                        DeleteFileW(t_dos("%s", name));
                        RemoveDirectoryW(t_dos("%s", name));
                    }
                }
    /* without a synchronous handle, without access at all, with an unknown option */
    for (a = 0; a < 4; a++) {
        static const ULONG odd[4][2] = {{GENERIC_READ, 0},
                                        {0, T_SYNC},
                                        {SYNCHRONIZE, T_SYNC | 0x80000000},
                                        {GENERIC_READ, T_SYNC}};
        HANDLE h;
        NTSTATUS status = t_create(&h, t_nt("hello.txt"), odd[a][0], 7, FILE_OPEN, odd[a][1]);

        t_say("access %lx options %lx: %s", odd[a][0], odd[a][1], t_status(status));
        if (!status) NtClose(h);
    }
    t_say("create with attributes:");
    for (a = 0; a < 8; a++) {
        static const ULONG attributes[8] = {0, 1, 2, 4, 0x20, 0x80, 0x100, 0x27};
        char name[40];
        HANDLE h;
        NTSTATUS status;
        ULONG got;

        sprintf(name, "attr%d", (int)a);
        status = t_create_at(&h, NULL, t_nt("%s", name), GENERIC_WRITE | SYNCHRONIZE, attributes[a],
                             0, FILE_CREATE, T_SYNC, NULL);
        if (!status) NtClose(h);
        t_say("  %lx: %s", attributes[a], t_status(status));
        status = t_attributes(t_nt("%s", name), &got);
        t_say("    %s %lx", t_status(status), got);
        status = t_create_at(&h, NULL, t_nt("%s", name), GENERIC_WRITE | SYNCHRONIZE,
                             attributes[7 - a], 0, FILE_OVERWRITE, T_SYNC, NULL);
        if (!status) NtClose(h);
        t_say("    overwrite with %lx: %s", attributes[7 - a], t_status(status));
        status = t_attributes(t_nt("%s", name), &got);
        t_say("    %s %lx", t_status(status), got);
    }
}

/* What a handle with the right can do. */
static void try_rights(HANDLE h)
{
    IO_STATUS_BLOCK io;
    char data[64];
    LARGE_INTEGER at = {.QuadPart = 0};
    FILE_BASIC_INFORMATION basic;
    FILE_STANDARD_INFORMATION standard;
    NTSTATUS read, write, query, set, eof, size, flush, lock, list, del, access;
    char names[600];
    LARGE_INTEGER one = {.QuadPart = 1}, end = {.QuadPart = 5};
    FILE_ACCESS_INFORMATION rights = {0};

    memset(&basic, 0, sizeof basic);
    read = NtReadFile(h, NULL, NULL, NULL, &io, data, 4, &at, NULL);
    write = NtWriteFile(h, NULL, NULL, NULL, &io, "W", 1, &at, NULL);
    query = NtQueryInformationFile(h, &io, &basic, sizeof basic, (FILE_INFORMATION_CLASS)4);
    memset(&basic, 0, sizeof basic);
    set = NtSetInformationFile(h, &io, &basic, sizeof basic, (FILE_INFORMATION_CLASS)4);
    size = NtQueryInformationFile(h, &io, &standard, sizeof standard, (FILE_INFORMATION_CLASS)5);
    eof = NtSetInformationFile(h, &io, &end, sizeof end, (FILE_INFORMATION_CLASS)20);
    flush = NtFlushBuffersFile(h, &io);
    lock = NtLockFile(h, NULL, NULL, NULL, NULL, &at, &one, NULL, TRUE, TRUE);
    if (!lock) NtUnlockFile(h, &io, &at, &one, NULL);
    list = NtQueryDirectoryFile(h, NULL, NULL, NULL, &io, names, sizeof names,
                                (FILE_INFORMATION_CLASS)1, TRUE, NULL, TRUE);
    del = t_set_delete(h, true);
    if (!del) del = t_set_delete(h, false);
    access = NtQueryInformationFile(h, &io, &rights, sizeof rights, (FILE_INFORMATION_CLASS)8);
    t_say("    read %s, write %s, query %s, set %s, size %s, eof %s", t_status(read),
          t_status(write), t_status(query), t_status(set), t_status(size), t_status(eof));
    t_say("    flush %s, lock %s, list %s, delete %s, access %s %lx", t_status(flush),
          t_status(lock), t_status(list), t_status(del), t_status(access), rights.AccessFlags);
}

static void rights(void)
{
    static const ULONG bits[] = {FILE_READ_DATA,
                                 FILE_WRITE_DATA,
                                 FILE_APPEND_DATA,
                                 FILE_READ_EA,
                                 FILE_WRITE_EA,
                                 FILE_EXECUTE,
                                 FILE_DELETE_CHILD,
                                 FILE_READ_ATTRIBUTES,
                                 FILE_WRITE_ATTRIBUTES,
                                 DELETE,
                                 READ_CONTROL,
                                 WRITE_DAC,
                                 WRITE_OWNER,
                                 0,
                                 GENERIC_READ,
                                 GENERIC_WRITE,
                                 GENERIC_EXECUTE,
                                 GENERIC_ALL,
                                 MAXIMUM_ALLOWED,
                                 FILE_APPEND_DATA | FILE_READ_DATA,
                                 FILE_WRITE_DATA | FILE_APPEND_DATA,
                                 ACCESS_SYSTEM_SECURITY};
    size_t k, b;

    t_part("rights of access");
    for (k = 0; k < 3; k++) /* files, directories, a read-only file */
        for (b = 0; b < COUNT(bits); b++) {
            char name[60];
            HANDLE h;
            NTSTATUS status;

            if (k == 0)
                sprintf(name, "many\\m%02d.dat", (int)b);
            else if (k == 1)
                sprintf(name, "pooldirs\\q%02d", 30 + (int)b);
            else
                strcpy(name, "ro.txt");
            status = t_create(&h, t_nt("%s", name), bits[b] | SYNCHRONIZE, T_ALL_SHARE, FILE_OPEN,
                              T_SYNC);
            t_say("  %s access %lx: %s", name, bits[b], t_status(status));
            if (status) continue;
            try_rights(h);
            NtClose(h);
            t_show("    after", t_nt("%s", name));
        }
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    dispositions();
    rights();
    t_list("root", t_dos("%s", ""), false);
    t_list("pool", t_dos("pool"), false);
    t_list("pooldirs", t_dos("pooldirs"), true);
    return t_end();
}
