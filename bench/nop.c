/* A program that does nothing: what remains is what a process costs. */
#include <windows.h>

void start(void);

void start(void)
{
    ExitProcess(0);
}
