/* The ways out of a VM to code without a guest: in a VM each is refused with the error that
 * Windows has for it. Not compared with a native run, where they work.
 *
 * usage: proc_escape DIR LIBRARY PROGRAM
 *   LIBRARY  Linux path of a shared library of the machine below
 *   PROGRAM  Linux path of a program of it, which would make the file DIR\escaped */
#include <stdlib.h>
#include "test.h"

/* ntdll's own way to programs of the machine below; no import library has it */
typedef NTSTATUS(NTAPI *spawn_fn)(char *const argv[], int wait);

static char dir[MAX_PATH];

static const char *below(const char *name)
{
    static char path[2][MAX_PATH * 2];
    static unsigned turn;
    char *p = path[turn++ % 2];

    snprintf(p, sizeof(path[0]), "%s\\%s", dir, name);
    return p;
}

/* The Linux path as seen through drive Z:. */
static const char *through_z(const char *linux_path)
{
    static char path[2][MAX_PATH * 2];
    static unsigned turn;
    char *p = path[turn++ % 2];

    snprintf(p, sizeof(path[0]), "Z:%s", linux_path);
    for (char *c = p; *c; c++)
        if (*c == '/') *c = '\\';
    return p;
}

static bool copy(const char *from, const char *to)
{
    return CopyFileA(from, to, FALSE);
}

static void load(const char *what, const char *path)
{
    HMODULE module = LoadLibraryA(path);
    DWORD error = GetLastError();

    t_ok(!module && error == ERROR_BAD_EXE_FORMAT, "%s: no library (module %p, error %lu)", what,
         (void *)module, module ? 0 : error);
}

static void start(const char *what, const char *path)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info = {0};
    char line[MAX_PATH * 3];
    BOOL ok;
    DWORD error;

    snprintf(line, sizeof(line), "\"%s\" \"%s\"", path, below("escaped"));
    ok = CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info);
    error = GetLastError();
    t_ok(!ok && error == ERROR_BAD_EXE_FORMAT, "%s: no program (%d, error %lu)", what, ok,
         ok ? 0 : error);
    if (ok) {
        if (info.hProcess) WaitForSingleObject(info.hProcess, 10000);
        CloseHandle(info.hProcess);
        CloseHandle(info.hThread);
    }
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");

    if (!f) t_die("cannot make %s", path);
    fputs(text, f);
    fclose(f);
}

/* Calls that act on the machine; only ever run in a VM. */
static void machine(void)
{
    typedef NTSTATUS(NTAPI * set_time_fn)(const LARGE_INTEGER *, LARGE_INTEGER *);
    typedef NTSTATUS(NTAPI * driver_fn)(const UNICODE_STRING *);
    typedef NTSTATUS(NTAPI * power_fn)(ULONG, ULONG, ULONG, BOOLEAN);
    typedef NTSTATUS(NTAPI * debug_fn)(ULONG, void *, ULONG, void *, ULONG, ULONG *);
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
#define CALL(type, name) ((type)(void *)GetProcAddress(ntdll, name))
    WCHAR text[] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\none";
    UNICODE_STRING driver = {sizeof text - sizeof *text, sizeof text, text};
    LARGE_INTEGER long_ago = {.QuadPart = 125911584000000000}; /* the year 2000 */
    FILETIME before, after;

    t_part("the machine");
    GetSystemTimeAsFileTime(&before);
    NTSTATUS status = CALL(set_time_fn, "NtSetSystemTime")(&long_ago, NULL);
    t_ok(status == (NTSTATUS)0xc0000061, "the clock is not set (%s)", t_status(status));
    GetSystemTimeAsFileTime(&after);
    t_ok(after.dwHighDateTime - before.dwHighDateTime < 2, "it goes on");
    status = CALL(driver_fn, "NtLoadDriver")(&driver);
    t_ok(status < 0, "no driver is loaded (%s)", t_status(status));
    status = CALL(driver_fn, "NtUnloadDriver")(&driver);
    t_ok(status < 0, "nor unloaded (%s)", t_status(status));
    status = CALL(driver_fn, "NtLoadDriver")((UNICODE_STRING *)16);
    t_ok(status < 0, "a bad pointer is no fault of the guest (%s)", t_status(status));
    status = CALL(power_fn, "NtInitiatePowerAction")(2, 4, 0, FALSE);
    t_ok(status < 0, "the machine does not sleep (%s)", t_status(status));
    status = CALL(debug_fn, "NtSystemDebugControl")(0, NULL, 0, NULL, 0, NULL);
    t_ok(status < 0, "nor is it debugged (%s)", t_status(status));
    status = CALL(power_fn, "NtShutdownSystem")(0, 0, 0, FALSE);
    t_ok(TRUE, "the machine goes on (%s)", t_status(status));
}

int main(int argc, char **argv)
{
    spawn_fn spawn =
        (spawn_fn)(void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "__wine_unix_spawnvp");
    char line[MAX_PATH * 3];

    t_begin(argc, argv);
    if (argc < 4) t_die("needs a folder, a library and a program");
    snprintf(dir, sizeof(dir), "%s", argv[1]);

    t_part("libraries");
    load("a Linux library through Z:", through_z(argv[2]));
    snprintf(line, sizeof(line), "\\\\?\\unix%s", argv[2]);
    load("a Linux library by its Unix name", line);
    t_ok(copy(through_z(argv[2]), below("private.dll")), "a copy of it in the VM");
    load("a private Linux library", below("private.dll"));
    t_ok(copy(through_z(argv[2]), below("private.dll.so")), "a copy of it under another name");
    load("a private Linux library with the host's own ending", below("private.dll.so"));
    put(below("text.dll"), "no library at all");
    load("a text file", below("text.dll"));
    put(below("empty.dll"), "");
    t_ok(!LoadLibraryA(below("empty.dll")), "an empty file is no library");
    t_ok(LoadLibraryA("version.dll") != NULL, "a builtin library loads as ever");

    t_part("programs");
    start("a Linux program through Z:", through_z(argv[3]));
    t_ok(copy(through_z(argv[3]), below("private.exe")), "a copy of it in the VM");
    start("a private Linux program", below("private.exe"));
    put(below("script.exe"), "#!/bin/sh\ntouch escaped\n");
    start("a script of the machine below", below("script.exe"));

    if (t_ok(spawn != NULL, "the host has its own way")) {
        char file[MAX_PATH];
        char *const args[] = {argv[3], file, NULL};
        NTSTATUS status;

        snprintf(file, sizeof(file), "%s", "escaped-by-spawn");
        status = spawn(args, 1);
        t_ok(status == (NTSTATUS)0xc0000022, "it is closed (%s)", t_status(status));
        status = spawn((char *const *)16, 0);
        t_ok(status == (NTSTATUS)0xc0000022, "with a bad pointer, too (%s)", t_status(status));
    }
    snprintf(line, sizeof(line), "start /wait /unix %s escaped-by-start", argv[3]);
    t_ok(system(line) != 0, "start /unix fails");

    t_ok(GetFileAttributesA(below("escaped")) == INVALID_FILE_ATTRIBUTES, "nothing ran");
    machine();
    return t_end();
}
