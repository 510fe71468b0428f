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
    uint8_t *stub =
        (uint8_t *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQueryInformationProcess");
    static const uint8_t illegal[] = {0x0f, 0x0b};
    char small[4];
    ULONG size;
    uint8_t *hook;

    if (argc > 1 && !strcmp(argv[1], "bad")) {
        void *nowhere = (void *)0x10;

        printf("%lx\n", (unsigned long)NtQueryInformationProcess(GetCurrentProcess(), 43, nowhere,
                                                                 600, NULL));
        printf("%lx\n",
               (unsigned long)NtQueryInformationProcess(GetCurrentProcess(), 43, small, 0, &size));
        return 0;
    }
    if (stub[0] != 0x48 || stub[1] != 0xb8) {
        printf("no guest\n");
        return 0;
    }
    memcpy(&hook, stub + 2, sizeof(hook));
    printf("breaking the guest\n");
    fflush(stdout);
    memcpy(hook, illegal, sizeof(illegal));
    NtQueryInformationProcess(GetCurrentProcess(), 0, small, 0, &size);
    printf("still here\n");
    return 1;
}
