/* Breaks the guest on purpose: the process must end with the exception's code and fvm must
 * say so. Natively there is no guest to break. With the argument "bad", gives system calls
 * pointers that lead nowhere instead: those are errors, not faults. */
#include <windows.h>
#include <winternl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    /* where the stubs of system calls go to: into the guest's image, in a VM */
    uint8_t *entry = *(uint8_t **)0x7ffe1000;
    static const uint8_t illegal[] = {0x0f, 0x0b};
    char small[4];
    ULONG size;

    if (argc > 1 && !strcmp(argv[1], "bad")) {
        void *nowhere = (void *)0x10;

        printf("%lx\n", (unsigned long)NtQueryInformationProcess(GetCurrentProcess(), 43, nowhere,
                                                                 600, NULL));
        printf("%lx\n",
               (unsigned long)NtQueryInformationProcess(GetCurrentProcess(), 43, small, 0, &size));
        return 0;
    }
    if ((uintptr_t)entry >> 24 != 0x2f0000000000 >> 24) {
        printf("no guest\n");
        return 0;
    }
    printf("breaking the guest\n");
    fflush(stdout);
    memcpy(entry, illegal, sizeof(illegal));
    NtQueryInformationProcess(GetCurrentProcess(), 0, small, 0, &size);
    printf("still here\n");
    return 1;
}
