/* Micro-benchmarks of the calls that a VM makes longer.
 *
 * micro DIRECTORY NOP   works in the directory that bench/run.sh has prepared (in the base)
 *                       and starts the program NOP for the cost of a process.
 *
 * Prints one line per benchmark: name, samples, minimum and median in nanoseconds per
 * operation, separated by tabs. It leaves the directory as it was, so that it can be run
 * natively and in a VM in turn. Within one run all is measured by the same clock in the
 * same process. */
#define WIN32_NO_STATUS
#include <windows.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "measure.h"

NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *,
                                    void *, ULONG, FILE_INFORMATION_CLASS, BOOLEAN,
                                    UNICODE_STRING *, BOOLEAN);
NTSTATUS NTAPI NtQueryAttributesFile(const OBJECT_ATTRIBUTES *, FILE_BASIC_INFORMATION *);

static WCHAR root[4096], program[4096];
static HANDLE data_file;
static char block[65536];

static void fail(const char *what)
{
    fprintf(stderr, "micro: %s: error %lu\n", what, GetLastError());
    exit(1);
}

static const WCHAR *dos(const WCHAR *rel)
{
    static WCHAR name[8192];

    wcscpy(name, root);
    wcscat(name, L"\\");
    wcscat(name, rel);
    return name;
}

static void attributes_of(OBJECT_ATTRIBUTES *attr, UNICODE_STRING *str, const WCHAR *rel)
{
    static WCHAR name[8200];

    wcscpy(name, L"\\??\\");
    wcscat(name, dos(rel));
    RtlInitUnicodeString(str, name);
    InitializeObjectAttributes(attr, str, OBJ_CASE_INSENSITIVE, NULL, NULL);
}

/* --- what is measured: each does one operation ------------------------------------------ */

static OBJECT_ATTRIBUTES target;
static UNICODE_STRING target_name;

static void open_close(void)
{
    HANDLE h;
    IO_STATUS_BLOCK io;

    if (NtOpenFile(&h, GENERIC_READ | SYNCHRONIZE, &target, &io, 7, FILE_SYNCHRONOUS_IO_NONALERT))
        fail("NtOpenFile");
    NtClose(h);
}

static void query(void)
{
    FILE_BASIC_INFORMATION info;

    NtQueryAttributesFile(&target, &info);
}

static void list(void)
{
    HANDLE h;
    IO_STATUS_BLOCK io;

    /* as FindFirstFile opens it; without backup intent it would be a handle to watch by, for
     * which a VM makes a private folder (see docs/performance.md) */
    if (NtOpenFile(&h, FILE_LIST_DIRECTORY | SYNCHRONIZE, &target, &io, 7,
                   FILE_SYNCHRONOUS_IO_NONALERT | FILE_DIRECTORY_FILE |
                       FILE_OPEN_FOR_BACKUP_INTENT))
        fail("NtOpenFile of a directory");
    while (!NtQueryDirectoryFile(h, NULL, NULL, NULL, &io, block, sizeof block,
                                 (FILE_INFORMATION_CLASS)3, FALSE, NULL, FALSE))
        ;
    NtClose(h);
}

static void create_delete(void)
{
    const WCHAR *name = dos(L"created.tmp");
    HANDLE h = CreateFileW(name, GENERIC_WRITE, 7, NULL, CREATE_NEW, 0, NULL);

    if (h == INVALID_HANDLE_VALUE) fail("CreateFile");
    CloseHandle(h);
    if (!DeleteFileW(name)) fail("DeleteFile");
}

static void read_block(void)
{
    DWORD got;

    SetFilePointer(data_file, 0, NULL, FILE_BEGIN);
    if (!ReadFile(data_file, block, 4096, &got, NULL) || got != 4096) fail("ReadFile");
}

static void write_block(void)
{
    DWORD got;

    SetFilePointer(data_file, 0, NULL, FILE_BEGIN);
    if (!WriteFile(data_file, block, 4096, &got, NULL) || got != 4096) fail("WriteFile");
}

static void rename_directory(void)
{
    static bool there;
    WCHAR from[4200], to[4200];

    wcscpy(from, dos(there ? L"renamed" : L"large"));
    wcscpy(to, dos(there ? L"large" : L"renamed"));
    if (!MoveFileW(from, to)) fail("MoveFile");
    there = !there;
}

static void process(void)
{
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION info;
    WCHAR line[4200];

    wcscpy(line, L"\"");
    wcscat(line, program);
    wcscat(line, L"\"");
    if (!CreateProcessW(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &info))
        fail("CreateProcess");
    WaitForSingleObject(info.hProcess, INFINITE);
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
}

static HANDLE kept; /* what an operation opens */
static HANDLE pipe_server;

static void create_event(void)
{
    HANDLE h = CreateEventW(NULL, TRUE, FALSE, L"fvm-bench-new");

    if (!h) fail("CreateEvent");
    CloseHandle(h);
}

static void open_event(void)
{
    HANDLE h = OpenEventW(EVENT_ALL_ACCESS, FALSE, L"fvm-bench");

    if (!h) fail("OpenEvent");
    CloseHandle(h);
}

/* Both ends in one thread: what the calls cost, without a change of threads. */
static void pipe_connect(void)
{
    HANDLE client = CreateFileW(L"\\\\.\\pipe\\fvm-bench", GENERIC_READ | GENERIC_WRITE, 0, NULL,
                                OPEN_EXISTING, 0, NULL);
    char byte = 0;
    DWORD n;

    if (client == INVALID_HANDLE_VALUE) fail("opening the pipe");
    if (!WriteFile(client, &byte, 1, &n, NULL) || !ReadFile(pipe_server, &byte, 1, &n, NULL) ||
        !WriteFile(pipe_server, &byte, 1, &n, NULL) || !ReadFile(client, &byte, 1, &n, NULL))
        fail("the pipe");
    CloseHandle(client);
    DisconnectNamedPipe(pipe_server);
    ConnectNamedPipe(pipe_server, NULL); /* listens again: the pipe does not block */
}

static void pipe_create(void)
{
    HANDLE h = CreateNamedPipeW(L"\\\\.\\pipe\\fvm-bench-new", PIPE_ACCESS_DUPLEX, 0, 1, 512, 512, 0,
                                NULL);

    if (h == INVALID_HANDLE_VALUE) fail("CreateNamedPipe");
    CloseHandle(h);
}

static void objects(void)
{
    kept = CreateEventW(NULL, TRUE, FALSE, L"fvm-bench");
    pipe_server = CreateNamedPipeW(L"\\\\.\\pipe\\fvm-bench", PIPE_ACCESS_DUPLEX,
                                   PIPE_TYPE_BYTE | PIPE_NOWAIT, 1, 512, 512, 0, NULL);
    if (!kept || pipe_server == INVALID_HANDLE_VALUE) fail("preparing objects");
    ConnectNamedPipe(pipe_server, NULL);
}

/* --- the run ------------------------------------------------------------------------------- */

static void on(const WCHAR *rel)
{
    attributes_of(&target, &target_name, rel);
}

static void put(const WCHAR *rel, DWORD bytes)
{
    HANDLE h = CreateFileW(dos(rel), GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD got;

    if (h == INVALID_HANDLE_VALUE || !WriteFile(h, block, bytes, &got, NULL)) fail("preparing");
    CloseHandle(h);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: micro DIRECTORY NOP\n");
        return 2;
    }
    MultiByteToWideChar(CP_UTF8, 0, argv[1], -1, root, 4000);
    MultiByteToWideChar(CP_UTF8, 0, argv[2], -1, program, 4000);

    on(L"unchanged.txt");
    measure("open+close of an unchanged file", open_close, 1500, 1);
    measure("attributes of an unchanged name", query, 1000, 4);
    on(L"missing.txt");
    measure("attributes of a missing name", query, 1000, 4);
    on(L"small");
    measure("listing of an unchanged directory (1,000)", list, 60, 1);

    data_file = CreateFileW(dos(L"block.bin"), GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    measure("read of 4 KiB, unchanged file", read_block, 1000, 32);
    CloseHandle(data_file);
    put(L"private.bin", 8192);
    data_file = CreateFileW(dos(L"private.bin"), GENERIC_READ | GENERIC_WRITE, 7, NULL,
                            OPEN_EXISTING, 0, NULL);
    measure("read of 4 KiB, own file", read_block, 1000, 32);
    measure("write of 4 KiB, own file", write_block, 1000, 32);
    CloseHandle(data_file);
    on(L"private.bin");
    measure("open+close of an own file", open_close, 1500, 1);
    measure("create+delete", create_delete, 600, 1);

    put(L"changed\\own.txt", 10);
    if (!DeleteFileW(dos(L"changed\\delete.me"))) fail("DeleteFile");
    on(L"changed");
    measure("listing of a changed directory (10,000)", list, 12, 1);
    put(L"changed\\delete.me", 0);
    DeleteFileW(dos(L"changed\\own.txt"));

    measure("rename of a directory of 10,000 files", rename_directory, 100, 1);
    measure("process: create to exit", process, 60, 1);

    objects();
    measure("event: create+close by name", create_event, 1500, 4);
    measure("event: open+close by name", open_event, 1500, 4);
    measure("pipe: create+close", pipe_create, 1500, 2);
    measure("pipe: connect and round trip", pipe_connect, 1000, 1);
    CloseHandle(kept);
    CloseHandle(pipe_server);
    DeleteFileW(dos(L"private.bin"));
    return 0;
}
