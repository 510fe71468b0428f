/* console_show [loop | keys]: writes to the console in the ways that colours and places can be
 * asked for; with "loop" writes dots until it is ended; with "keys" tells the keys that come
 * until a "q". For tests/run-console-tests.sh, which compares screens. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static void put(HANDLE out, const char *text)
{
    DWORD done;

    WriteFile(out, text, (DWORD)strlen(text), &done, NULL);
}

static int keys(void)
{
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    INPUT_RECORD r;
    DWORD n;

    SetConsoleMode(in, 0);
    printf("press\n");
    fflush(stdout);
    while (ReadConsoleInputA(in, &r, 1, &n)) {
        const KEY_EVENT_RECORD *key = &r.Event.KeyEvent;
        if (r.EventType != KEY_EVENT || !key->bKeyDown) continue;
        printf("key %x character %x\n", key->wVirtualKeyCode, key->uChar.AsciiChar);
        fflush(stdout);
        if (key->uChar.AsciiChar == 'q') return 5;
    }
    return 1;
}

int main(int argc, char **argv)
{
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    CONSOLE_SCREEN_BUFFER_INFO info;
    WCHAR title[200];
    DWORD mode, done;

    if (argc > 1 && !strcmp(argv[1], "keys")) return keys();
    while (argc > 1 && !strcmp(argv[1], "loop")) {
        printf(".");
        fflush(stdout);
        Sleep(50);
    }
    SetConsoleTextAttribute(out, FOREGROUND_RED | FOREGROUND_INTENSITY);
    put(out, "red ");
    SetConsoleTextAttribute(out, BACKGROUND_BLUE | FOREGROUND_GREEN);
    put(out, "green on blue");
    SetConsoleTextAttribute(out, FOREGROUND_RED | FOREGROUND_GREEN | FOREGROUND_BLUE);
    put(out, "\r\n");
    GetConsoleMode(out, &mode);
    printf("mode %lx, with escape sequences: %d\n", (unsigned long)mode,
           SetConsoleMode(out, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING));
    fflush(stdout);
    put(out, "\x1b[33;44mby sequences\x1b[0m plain \x1b[1mbold\x1b[m\r\n");
    WriteConsoleW(out, L"\x263a \x00e4\x00f6\x03b1 \x6f22\r\n", 8, &done, NULL);
    SetConsoleCursorPosition(out, (COORD){10, 12});
    put(out, "at 10,12");
    SetConsoleCursorPosition(out, (COORD){0, 14});
    GetConsoleScreenBufferInfo(out, &info);
    GetConsoleTitleW(title, 200);
    printf("cursor %d,%d of %dx%d, attributes %x, code pages %u and %u, title %ls\n",
           info.dwCursorPosition.X, info.dwCursorPosition.Y, info.dwSize.X, info.dwSize.Y,
           info.wAttributes, GetConsoleCP(), GetConsoleOutputCP(), title);
    printf("shown\n");
    return 3;
}
