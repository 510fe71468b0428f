/* hold FILE: opens FILE for reading, shared with nobody, says how that went, and keeps it open
 * until its standard input ends. For tests/sharing.sh. */
#include <stdio.h>
#include <windows.h>

int main(int argc, char **argv)
{
    HANDLE file = argc == 2 ? CreateFileA(argv[1], GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL)
                            : INVALID_HANDLE_VALUE;
    DWORD error = file == INVALID_HANDLE_VALUE ? GetLastError() : 0;

    printf("error %lu\n", (unsigned long)error);
    fflush(stdout);
    while (!error && getchar() != EOF)
        continue;
    return (int)error;
}
