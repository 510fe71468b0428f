/* Draws into a bitmap in memory, without a window and without user32: nothing but gdi32 makes the
 * calls by which the display's driver is loaded. Prints how many explorers there are then; with
 * "wait" ends with a line of input. */
#include <windows.h>
#include <tlhelp32.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    PROCESSENTRY32 entry = {.dwSize = sizeof entry};
    HDC dc = CreateCompatibleDC(NULL);
    HBITMAP bitmap = CreateCompatibleBitmap(dc, 16, 16);
    HANDLE list;
    int n = 0;

    SelectObject(dc, bitmap);
    SetPixel(dc, 3, 3, RGB(255, 255, 255));
    if (GetPixel(dc, 3, 3) != RGB(255, 255, 255)) puts("not drawn");
    list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    for (BOOL more = Process32First(list, &entry); more; more = Process32Next(list, &entry))
        n += !_stricmp(entry.szExeFile, "explorer.exe");
    printf("%d explorers\n", n);
    fflush(stdout);
    if (argc > 1 && !strcmp(argv[1], "wait")) getchar();
    return 0;
}
