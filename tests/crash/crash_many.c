/* Many processes at once in the same directories.
 *
 *   crash_many make DIR PROCESSES            makes the tree that they start from
 *   crash_many start DIR PROCESSES SECONDS   runs them; the exit code is 1 when a check
 *                                            of one failed
 *
 * Each process makes, renames, overwrites and deletes files with names of its own in five
 * directories that all share, and knows at each moment which of its names exist, and
 * where: it looks after every operation by name, and regularly by listing. Some files were
 * there before. Besides that all fight for one name (only one may make it), and the first
 * process moves a directory with 100 files to and fro while the others count its files. */
#include "test.h"

#define SHARED  5  /* directories */
#define BEFORE  4  /* files of each process that are there before */
#define MAX_OWN 24 /* files that a process has at most */
#define RING    100

static int self, violations;
static unsigned operations;
static uint64_t seed;

struct own {
    char name[60];
    char content[60];
};
static struct own owns[MAX_OWN];
static int own_count;

static int rnd(int bound)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (int)((seed >> 33) % (unsigned)bound);
}

static void violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void violation(const char *fmt, ...)
{
    char line[400];
    va_list args;
    int len;
    DWORD done;

    len = sprintf(line, "process %d, operation %u: ", self, operations);
    va_start(args, fmt);
    len += vsnprintf(line + len, sizeof line - (size_t)len - 2, fmt, args);
    va_end(args);
    line[len++] = '\n';
    if (violations++ < 5) WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line, (DWORD)len, &done, NULL);
}

static bool exists(const char *name)
{
    return GetFileAttributesW(t_dos("%s", name)) != INVALID_FILE_ATTRIBUTES;
}

static bool put(const char *name, const char *content, DWORD disposition)
{
    HANDLE h = CreateFileW(t_dos("%s", name), GENERIC_WRITE, 0, NULL, disposition, 0, NULL);
    DWORD done;
    bool ok;

    if (h == INVALID_HANDLE_VALUE) return false;
    ok = WriteFile(h, content, (DWORD)strlen(content), &done, NULL);
    CloseHandle(h);
    return ok;
}

static void check_content(const struct own *o)
{
    HANDLE h =
        CreateFileW(t_dos("%s", o->name), GENERIC_READ, T_ALL_SHARE, NULL, OPEN_EXISTING, 0, NULL);
    char data[100] = {0};
    DWORD got = 0;

    if (h == INVALID_HANDLE_VALUE) {
        violation("cannot open %s: error %lu", o->name, GetLastError());
        return;
    }
    ReadFile(h, data, sizeof data - 1, &got, NULL);
    CloseHandle(h);
    if (strcmp(data, o->content)) violation("%s holds '%s', not '%s'", o->name, data, o->content);
}

/* Lists one of the directories: of this process's names exactly those of the model. */
static void check_listing(int dir)
{
    WIN32_FIND_DATAW data;
    char prefix[20], name[300];
    int found[MAX_OWN] = {0}, i;
    HANDLE find = FindFirstFileW(t_dos("m%d\\*", dir), &data);

    if (find == INVALID_HANDLE_VALUE) {
        violation("cannot list m%d: error %lu", dir, GetLastError());
        return;
    }
    sprintf(prefix, "p%02d_", self);
    do {
        snprintf(name, sizeof name, "m%d\\%s", dir, t_text(data.cFileName, -1));
        if (strncmp(name + 3, prefix, strlen(prefix))) continue;
        for (i = 0; i < own_count && strcmp(owns[i].name, name); i++)
            ;
        if (i == own_count)
            violation("listing shows %s, which is gone", name);
        else if (found[i]++)
            violation("listing shows %s twice", name);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    for (i = 0; i < own_count; i++)
        if (owns[i].name[1] - '0' == dir && !found[i])
            violation("listing does not show %s", owns[i].name);
}

static void fresh(char *name)
{
    sprintf(name, "m%d\\p%02d_%u", rnd(SHARED), self, operations);
}

static void one_operation(void)
{
    struct own *o = own_count ? &owns[rnd(own_count)] : NULL;
    char name[60];
    int what = rnd(10);

    if (!o || (what < 3 && own_count < MAX_OWN)) {
        o = &owns[own_count];
        fresh(o->name);
        sprintf(o->content, "made by %d in %u", self, operations);
        if (put(o->name, o->content, CREATE_NEW))
            own_count++;
        else
            violation("cannot make %s: error %lu", o->name, GetLastError());
        if (!exists(o->name)) violation("%s was made and is not there", o->name);
    } else if (what < 6) {
        fresh(name);
        if (!MoveFileW(t_dos("%s", o->name), t_dos("%s", name))) {
            violation("cannot rename %s: error %lu", o->name, GetLastError());
            return;
        }
        if (exists(o->name)) violation("%s was renamed and is there", o->name);
        strcpy(o->name, name);
        if (!exists(name)) violation("%s was renamed to and is not there", name);
    } else if (what < 8) {
        if (!DeleteFileW(t_dos("%s", o->name)))
            violation("cannot delete %s: error %lu", o->name, GetLastError());
        else if (exists(o->name))
            violation("%s was deleted and is there", o->name);
        *o = owns[--own_count];
    } else {
        sprintf(o->content, "written by %d in %u", self, operations);
        if (!put(o->name, o->content, CREATE_ALWAYS))
            violation("cannot write %s: error %lu", o->name, GetLastError());
    }
    if (own_count) check_content(&owns[rnd(own_count)]);
}

static void fight(void)
{
    struct own lock;

    strcpy(lock.name, "m0\\lock");
    sprintf(lock.content, "held by %d in %u", self, operations);
    if (!put(lock.name, lock.content, CREATE_NEW)) {
        DWORD error = GetLastError();

        if (error != ERROR_FILE_EXISTS && error != ERROR_SHARING_VIOLATION &&
            error != ERROR_ACCESS_DENIED)
            violation("making the lock fails with error %lu", error);
        return;
    }
    check_content(&lock);
    if (!DeleteFileW(t_dos("%s", lock.name)))
        violation("cannot delete the own lock: error %lu", GetLastError());
}

/* Number of files in a directory of the ring, or -1 when it is not there now. */
static int count_ring(const char *name)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(t_dos("%s\\f*", name), &data);
    int count = 0;

    if (find == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();

        /* the host says ERROR_INVALID_NAME when it goes away during the call */
        if (error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND &&
            error != ERROR_SHARING_VIOLATION && error != ERROR_ACCESS_DENIED &&
            error != ERROR_INVALID_NAME)
            violation("listing %s fails with error %lu", name, error);
        return -1;
    }
    do
        count++;
    while (FindNextFileW(find, &data));
    FindClose(find);
    return count;
}

static void ring(void)
{
    int count;

    if (self == 0) {
        static bool at_b;

        /* while another one lists it the host may refuse */
        if (MoveFileW(t_dos("%s", at_b ? "ring_b" : "ring_a"),
                      t_dos("%s", at_b ? "ring_a" : "ring_b")))
            at_b = !at_b;
        else if (GetLastError() != ERROR_SHARING_VIOLATION && GetLastError() != ERROR_ACCESS_DENIED)
            violation("moving the directory fails with error %lu", GetLastError());
        return;
    }
    count = count_ring(rnd(2) ? "ring_a" : "ring_b");
    if (count != -1 && count != RING)
        violation("the moving directory has %d files, not %d", count, RING);
}

static int run(int number, unsigned seconds)
{
    ULONGLONG end = GetTickCount64() + seconds * 1000ull;
    int i;

    self = number;
    seed = (uint64_t)number * 2862933555777941757ull + 3037000493ull;
    rnd(2);
    for (i = 0; i < BEFORE; i++) {
        sprintf(owns[i].name, "m%d\\p%02d_before%d", i % SHARED, self, i);
        sprintf(owns[i].content, "before %d %d", self, i);
    }
    own_count = BEFORE;
    while (GetTickCount64() < end) {
        operations++;
        one_operation();
        if (operations % 4 == 0) fight();
        if (operations % 8 == 0) check_listing(rnd(SHARED));
        if (operations % 8 == 4) ring();
    }
    for (i = 0; i < SHARED; i++)
        check_listing(i);
    for (i = 0; i < own_count; i++)
        check_content(&owns[i]);
    return violations ? 1 : 0;
}

static void make(int processes)
{
    char name[60], content[60];
    int i, p;

    for (i = 0; i < SHARED; i++)
        CreateDirectoryW(t_dos("m%d", i), NULL);
    CreateDirectoryW(t_dos("ring_a"), NULL);
    for (i = 0; i < RING; i++) {
        sprintf(name, "ring_a\\f%03d", i);
        t_put(t_dos("%s", name), "ring");
    }
    for (p = 0; p < processes; p++)
        for (i = 0; i < BEFORE; i++) {
            sprintf(name, "m%d\\p%02d_before%d", i % SHARED, p, i);
            sprintf(content, "before %d %d", p, i);
            t_put(t_dos("%s", name), content);
        }
}

int main(int argc, char **argv)
{
    static HANDLE children[100];
    int i, count, failed = 0;

    if (argc < 4) t_die("usage: crash_many make|start DIR PROCESSES [SECONDS]");
    t_begin(argc - 1, argv + 1);
    count = atoi(argv[3]);
    if (!strcmp(argv[1], "make")) {
        make(count);
        return 0;
    }
    if (argc < 5 || count < 1 || count > 99) t_die("usage: crash_many start DIR PROCESSES SECONDS");
    if (!strcmp(argv[1], "run")) return run(count - 1, (unsigned)atoi(argv[4]));
    for (i = 0; i < count; i++)
        children[i] = t_spawn_line("run \"%s\" %d %s", t_text(t_root, -1), i + 1, argv[4]);
    for (i = 0; i < count; i++)
        if (t_wait(children[i])) failed++;
    i = count_ring("ring_a");
    if (i == -1) i = count_ring("ring_b");
    if (i != RING) {
        violation("at the end the moving directory has %d files", i);
        failed++;
    }
    t_say("%d of %d processes found something wrong", failed, count);
    return failed ? 1 : 0;
}
