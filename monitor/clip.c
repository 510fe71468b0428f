/* fvm clip: the clipboard's text, from inside of a VM.
 *
 * The launcher runs the monitor's file as a program of the VM, with --clip-get or --clip-set. So
 * it stands on the VM's desktop like any other, and nothing else needs a way in. Text is UTF-8
 * with the line ends of the machine outside, UTF-16 with those of Windows inside. */
#include "monitor.h"

static struct {
    BOOL(WINAPI *open)(HWND);
    BOOL(WINAPI *close)(void);
    BOOL(WINAPI *empty)(void);
    HANDLE(WINAPI *get)(UINT);
    HANDLE(WINAPI *set)(UINT, HANDLE);
} user;

static void *need(HMODULE module, const char *name)
{
    void *function = module ? (void *)GetProcAddress(module, name) : NULL;

    if (!function) fail(1, "user32.dll has no %a: %s", name, error_text(GetLastError()));
    return function;
}

static void open_clipboard(void)
{
    HMODULE module = LoadLibraryExW(L"user32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);

    user.open = need(module, "OpenClipboard");
    user.close = need(module, "CloseClipboard");
    user.empty = need(module, "EmptyClipboard");
    user.get = need(module, "GetClipboardData");
    user.set = need(module, "SetClipboardData");
    if (!user.open(NULL))
        fail(1, "the VM's clipboard cannot be opened, another program holds it: %s; try again",
             error_text(GetLastError()));
}

static void write_all(HANDLE file, const char *data, DWORD size)
{
    DWORD done;

    for (; size; data += done, size -= done) {
        if (!WriteFile(file, data, size, &done, NULL) || !done)
            fail(1, "cannot write the clipboard's text: %s", error_text(GetLastError()));
    }
}

static void get_text(void)
{
    const wchar_t *text;
    wchar_t *lines;
    HANDLE data;
    char *bytes;
    int length = 0, size;
    SIZE_T most;

    open_clipboard();
    data = user.get(CF_UNICODETEXT);
    text = data ? GlobalLock(data) : NULL;
    if (!text) fail(1, "there is no text on the VM's clipboard");
    most = GlobalSize(data) / sizeof(*text); /* a program's text need not be terminated */
    if (most > INT_MAX / 4) fail(1, "the text on the VM's clipboard is too large");
    lines = allocate((most + 1) * sizeof(*lines));
    for (SIZE_T i = 0; i < most && text[i]; i++) {
        if (text[i] != '\r' || i + 1 == most || text[i + 1] != '\n') lines[length++] = text[i];
    }
    GlobalUnlock(data);
    user.close();
    size = length ? WideCharToMultiByte(CP_UTF8, 0, lines, length, NULL, 0, NULL, NULL) : 0;
    bytes = allocate((size_t)size + 1);
    if (size) WideCharToMultiByte(CP_UTF8, 0, lines, length, bytes, size, NULL, NULL);
    write_all(GetStdHandle(STD_OUTPUT_HANDLE), bytes, (DWORD)size);
}

/* Everything from standard input. */
static char *read_input(DWORD *size)
{
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    DWORD room = 1 << 16, done = 0;
    char *bytes = allocate(room);

    *size = 0;
    while (ReadFile(in, bytes + *size, room - *size, &done, NULL) && done) {
        *size += done;
        if (*size < room) continue;
        if (room > INT_MAX / 8) fail(1, "the text for the clipboard is too large");
        room *= 2;
        bytes = HeapReAlloc(GetProcessHeap(), 0, bytes, room);
        if (!bytes) fail(1, "not enough memory for the text");
    }
    return bytes;
}

static void set_text(void)
{
    DWORD size, lines = 0;
    char *bytes = read_input(&size);
    int length = 0;
    wchar_t *text, *out;
    HGLOBAL memory;

    for (DWORD i = 0; i < size; i++) {
        if (!bytes[i]) fail(1, "the input is not text: it has a zero byte");
        lines += bytes[i] == '\n';
    }
    if (size)
        length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, bytes, (int)size, NULL, 0);
    if (size && !length) fail(1, "the input is not UTF-8 text");
    text = allocate(((size_t)length + 1) * sizeof(*text));
    if (size) MultiByteToWideChar(CP_UTF8, 0, bytes, (int)size, text, length);
    memory = GlobalAlloc(GMEM_MOVEABLE, ((size_t)length + lines + 1) * sizeof(*text));
    out = memory ? GlobalLock(memory) : NULL;
    if (!out) fail(1, "not enough memory for the text");
    for (int i = 0; i < length; i++) {
        if (text[i] == '\n' && (!i || text[i - 1] != '\r')) *out++ = '\r';
        *out++ = text[i];
    }
    *out = 0;
    GlobalUnlock(memory);
    open_clipboard();
    if (!user.empty() || !user.set(CF_UNICODETEXT, memory))
        fail(1, "the text cannot be put on the VM's clipboard: %s", error_text(GetLastError()));
    user.close();
}

void clip_run(bool set)
{
    if (set)
        set_text();
    else
        get_text();
    ExitProcess(0);
}
