/* demo.exe: the program that is installed.
 *
 * usage: demo.exe [FILE]
 * Adds a line to the file that the environment variable DEMO_REPORT names: its version, the
 * folder it was started from, and FILE's first line. It reports to a file, not to its
 * standard output, as a program started by the shell has none of its caller's. Its exit code
 * is its version, 100 or more when something failed. */
#include "version.h"
#include <stdio.h>
#include <string.h>

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    WCHAR path[MAX_PATH];
    WCHAR report[MAX_PATH];
    char line[256] = "no file";
    DWORD length = GetModuleFileNameW(NULL, path, MAX_PATH);
    FILE *file;

    if (!length || length == MAX_PATH) return 100;
    length = GetEnvironmentVariableW(L"DEMO_REPORT", report, MAX_PATH);
    if (!length || length >= MAX_PATH) return 101;
    if (argc > 1) {
        file = _wfopen(argv[1], L"r");
        if (!file) return 102;
        if (!fgets(line, sizeof(line), file)) strcpy(line, "empty");
        fclose(file);
        line[strcspn(line, "\r\n")] = 0;
    }
    file = _wfopen(report, L"a");
    if (!file) return 103;
    fprintf(file, "version %d, %ls: %s\n", DEMO_VERSION, path, line);
    return fclose(file) ? 104 : DEMO_VERSION;
}
