/* Sharing modes and byte-range locks: between handles of one process, and across
 * processes. A child is this program with the option "child" and a list of things to do. */
#include "test.h"

static const struct {
    ULONG access, share;
} modes[] = {
    {GENERIC_READ, 0},
    {GENERIC_READ, FILE_SHARE_READ},
    {GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE},
    {GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE},
    {GENERIC_WRITE, 0},
    {GENERIC_WRITE, FILE_SHARE_READ},
    {GENERIC_WRITE, FILE_SHARE_WRITE},
    {GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE},
    {DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE},
    {DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE},
    {FILE_READ_ATTRIBUTES, 0},
    {FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE},
    {FILE_EXECUTE, FILE_SHARE_READ},
    {MAXIMUM_ALLOWED, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE},
};
#define MODES (int)(sizeof modes / sizeof modes[0])

static void one_process(const char *name, bool write_first)
{
    int first, second;

    t_part("sharing in one process: %s%s", name, write_first ? ", written before" : "");
    if (write_first) {
        HANDLE h = t_open(t_nt("%s", name), GENERIC_WRITE, 0);
        IO_STATUS_BLOCK io;

        NtWriteFile(h, NULL, NULL, NULL, &io, "w", 1, NULL, NULL);
        NtClose(h);
    }
    for (first = 0; first < MODES; first++)
        for (second = 0; second < MODES; second++) {
            HANDLE a, b;
            NTSTATUS sa, sb;

            sa = t_create(&a, t_nt("%s", name), modes[first].access | SYNCHRONIZE,
                          modes[first].share, FILE_OPEN, T_SYNC);
            if (sa) t_die("%s: %s", name, t_status(sa));
            sb = t_create(&b, t_nt("%s", name), modes[second].access | SYNCHRONIZE,
                          modes[second].share, FILE_OPEN, T_SYNC);
            t_say("%lx/%lu then %lx/%lu: %s", modes[first].access, modes[first].share,
                  modes[second].access, modes[second].share, t_status(sb));
            if (!sb) NtClose(b);
            NtClose(a);
        }
}

/* The first opens a file that is still the base's for reading, the second changes it: the
 * handle that was there first must see the change, as on the host. */
static void reader_sees_writer(const char *name)
{
    HANDLE reader, writer;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = 0};
    char data[32] = {0};
    FILE_STANDARD_INFORMATION standard;
    NTSTATUS status;

    t_part("a reader from before the change: %s", name);
    reader = t_open(t_nt("%s", name), GENERIC_READ, 0);
    writer = t_open(t_nt("%s", name), GENERIC_READ | GENERIC_WRITE, 0);
    status = NtWriteFile(writer, NULL, NULL, NULL, &io, "CHANGED", 7, &at, NULL);
    t_say("write: %s", t_status(status));
    status = NtReadFile(reader, NULL, NULL, NULL, &io, data, 7, &at, NULL);
    t_say("read by the earlier handle: %s '%s'", t_status(status), data);
    at.QuadPart = 100;
    status = NtSetInformationFile(writer, &io, &at, sizeof at, (FILE_INFORMATION_CLASS)20);
    t_say("size set to 100: %s", t_status(status));
    status =
        NtQueryInformationFile(reader, &io, &standard, sizeof standard, (FILE_INFORMATION_CLASS)5);
    t_say("size by the earlier handle: %s %lu", t_status(status),
          (unsigned long)standard.EndOfFile.QuadPart);
    NtClose(reader);
    NtClose(writer);
    t_show("after", t_nt("%s", name));
}

static void child_open(const char *name)
{
    int i;

    for (i = 0; i < MODES; i++) {
        HANDLE h;
        NTSTATUS status = t_create(&h, t_nt("%s", name), modes[i].access | SYNCHRONIZE,
                                   modes[i].share, FILE_OPEN, T_SYNC);

        t_say("    child %lx/%lu: %s", modes[i].access, modes[i].share, t_status(status));
        if (!status) NtClose(h);
    }
}

static void two_processes(const char *name)
{
    static const int firsts[] = {0, 1, 3, 5, 7, 8, 10};
    size_t i;

    t_part("sharing between processes: %s", name);
    for (i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        const int f = firsts[i];
        HANDLE h;
        NTSTATUS status = t_create(&h, t_nt("%s", name), modes[f].access | SYNCHRONIZE,
                                   modes[f].share, FILE_OPEN, T_SYNC);

        t_say("  held with %lx/%lu: %s", modes[f].access, modes[f].share, t_status(status));
        t_say("  child ended with %lu", t_wait(t_spawn("child open \"%s\"", name)));
        if (!status) NtClose(h);
    }
}

static NTSTATUS lock(HANDLE h, LONGLONG from, LONGLONG bytes, bool exclusive)
{
    LARGE_INTEGER at = {.QuadPart = from}, count = {.QuadPart = bytes};

    return NtLockFile(h, NULL, NULL, NULL, NULL, &at, &count, NULL, TRUE, exclusive);
}

static NTSTATUS unlock(HANDLE h, LONGLONG from, LONGLONG bytes)
{
    LARGE_INTEGER at = {.QuadPart = from}, count = {.QuadPart = bytes};
    IO_STATUS_BLOCK io;

    return NtUnlockFile(h, &io, &at, &count, NULL);
}

static NTSTATUS read_at(HANDLE h, LONGLONG from, ULONG bytes)
{
    LARGE_INTEGER at = {.QuadPart = from};
    IO_STATUS_BLOCK io;
    char data[256];

    return NtReadFile(h, NULL, NULL, NULL, &io, data, bytes, &at, NULL);
}

static NTSTATUS write_at(HANDLE h, LONGLONG from, ULONG bytes)
{
    LARGE_INTEGER at = {.QuadPart = from};
    IO_STATUS_BLOCK io;

    return NtWriteFile(h, NULL, NULL, NULL, &io, "0123456789", bytes, &at, NULL);
}

static void child_lock(const char *name, ULONG access)
{
    HANDLE h;
    NTSTATUS status =
        t_create(&h, t_nt("%s", name), access | SYNCHRONIZE, T_ALL_SHARE, FILE_OPEN, T_SYNC);
    NTSTATUS s[8];

    if (status) {
        t_say("    child cannot open with %lx: %s", access, t_status(status));
        return;
    }
    s[0] = lock(h, 0, 5, true);
    s[1] = lock(h, 0, 5, false);
    s[2] = lock(h, 20, 5, false);
    s[3] = lock(h, 22, 5, true);
    s[4] = lock(h, 100, 5, true);
    s[5] = read_at(h, 0, 5);
    s[6] = write_at(h, 0, 5);
    s[7] = write_at(h, 22, 1);
    t_say("    child %lx: %s %s %s %s %s, read %s, write %s %s", access, t_status(s[0]),
          t_status(s[1]), t_status(s[2]), t_status(s[3]), t_status(s[4]), t_status(s[5]),
          t_status(s[6]), t_status(s[7]));
    NtClose(h);
}

static void locks(const char *name, ULONG access)
{
    HANDLE a = t_open(t_nt("%s", name), access, 0), b = t_open(t_nt("%s", name), access, 0);
    NTSTATUS one, two, three;

    t_part("locks: %s with %lx", name, access);
    t_say("exclusive 0-9: %s", t_status(lock(a, 0, 10, true)));
    t_say("shared 20-29: %s", t_status(lock(a, 20, 10, false)));
    t_say("far out: %s", t_status(lock(a, 0x7fffffff00000000ll, 10, true)));
    t_say("nothing: %s", t_status(lock(a, 50, 0, true)));
    one = lock(b, 5, 10, true);
    two = lock(b, 5, 10, false);
    three = lock(b, 25, 1, false);
    t_say("other handle: %s %s %s", t_status(one), t_status(two), t_status(three));
    one = read_at(b, 0, 5);
    two = write_at(b, 0, 5);
    three = write_at(b, 20, 5);
    t_say("other handle reads %s, writes %s and %s", t_status(one), t_status(two), t_status(three));
    t_say("child ended with %lu", t_wait(t_spawn("child lock \"%s\" %lx", name, GENERIC_READ)));
    t_say("child ended with %lu",
          t_wait(t_spawn("child lock \"%s\" %lx", name, GENERIC_READ | GENERIC_WRITE)));
    one = unlock(a, 0, 5);
    two = unlock(a, 0, 10);
    three = unlock(a, 0, 10);
    t_say("unlock: %s %s %s", t_status(one), t_status(two), t_status(three));
    t_say("child ended with %lu",
          t_wait(t_spawn("child lock \"%s\" %lx", name, GENERIC_READ | GENERIC_WRITE)));
    NtClose(a);
    t_say("first handle closed");
    t_say("child ended with %lu",
          t_wait(t_spawn("child lock \"%s\" %lx", name, GENERIC_READ | GENERIC_WRITE)));
    NtClose(b);
}

/* A lock of a reader must hold off a writer that comes later, also when the writer is the
 * one that makes the file the VM's own. */
static void lock_then_change(const char *name)
{
    HANDLE reader = t_open(t_nt("%s", name), GENERIC_READ, 0);
    NTSTATUS status;

    t_part("a reader's lock before the first change: %s", name);
    t_say("reader's lock: %s", t_status(lock(reader, 0, 5, true)));
    t_say("child ended with %lu",
          t_wait(t_spawn("child lock \"%s\" %lx", name, GENERIC_READ | GENERIC_WRITE)));
    status = unlock(reader, 0, 5);
    t_say("unlock: %s", t_status(status));
    NtClose(reader);
    t_show("after", t_nt("%s", name));
}

static void inherited(const char *name)
{
    SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
    HANDLE h = CreateFileW(t_dos("%s", name), GENERIC_READ | GENERIC_WRITE, T_ALL_SHARE, &inherit,
                           OPEN_EXISTING, 0, NULL);

    t_part("an inherited handle: %s", name);
    t_say("child ended with %lu", t_wait(t_spawn("child inherited %lx", (ULONG)(ULONG_PTR)h)));
    CloseHandle(h);
    t_show("after", t_nt("%s", name));
}

static int child(void)
{
    const char *what = t_option(1), *arg = t_option(2);

    if (!strcmp(what, "open"))
        child_open(arg);
    else if (!strcmp(what, "lock"))
        child_lock(arg, strtoul(t_option(3), NULL, 16));
    else if (!strcmp(what, "inherited"))
        t_say("    child writes: %s",
              t_status(write_at((HANDLE)(ULONG_PTR)strtoul(arg, NULL, 16), 2, 5)));
    else
        t_die("unknown: %s", what);
    fflush(stdout);
    return 3;
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "child")) return child();
    one_process("hello.txt", false);
    one_process("Mixed Case.TXT", true);
    one_process("nested", false);
    reader_sees_writer("pool\\p001.dat");
    reader_sees_writer("hard1.txt");
    two_processes("pool\\p002.dat");
    two_processes("nested\\a");
    locks("pool\\p003.dat", GENERIC_READ);
    locks("pool\\p004.dat", GENERIC_READ | GENERIC_WRITE);
    lock_then_change("pool\\p005.dat");
    inherited("pool\\p006.dat");
    t_show("hard2", t_nt("hard2.txt"));
    return t_end();
}
