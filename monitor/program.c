/* Finding the program to run, as seen from inside the VM. */
#include "monitor.h"

/* The code page of Unix file names, which Wine alone has. */
#ifndef CP_UNIXCP
#define CP_UNIXCP 65010
#endif

static wchar_t *duplicate(const wchar_t *s)
{
    wchar_t *copy = allocate(((size_t)lstrlenW(s) + 1) * sizeof(wchar_t));

    return lstrcpyW(copy, s);
}

static wchar_t *full_path(const wchar_t *path)
{
    DWORD n = GetFullPathNameW(path, 0, NULL, NULL);
    wchar_t *full = n ? allocate(n * sizeof(wchar_t)) : NULL;

    if (full) GetFullPathNameW(path, n, full, NULL);
    return full;
}

wchar_t *path_to_windows(const wchar_t *path)
{
    typedef wchar_t *(CDECL * to_dos_fn)(const char *);
    to_dos_fn to_dos;
    wchar_t *dos, *result;
    char *utf8;
    int n;

    if (path[0] != '/') return full_path(path);
    /* Wine's own translation, so that a path below C: gets its name on C: */
    to_dos = (to_dos_fn)(void *)GetProcAddress(GetModuleHandleW(L"kernel32.dll"),
                                               "wine_get_dos_file_name");
    if (!to_dos) return full_path(path);
    n = WideCharToMultiByte(CP_UNIXCP, 0, path, -1, NULL, 0, NULL, NULL);
    utf8 = allocate((size_t)n + 1);
    WideCharToMultiByte(CP_UNIXCP, 0, path, -1, utf8, n, NULL, NULL);
    dos = to_dos(utf8);
    release(utf8);
    if (!dos) return full_path(path);
    result = duplicate(dos);
    release(dos);
    return result;
}

static bool is_file(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);

    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* PATHEXT, or what it is when nobody has set it. The caller frees it. */
static wchar_t *extensions(void)
{
    DWORD n = GetEnvironmentVariableW(L"PATHEXT", NULL, 0);
    wchar_t *list;

    if (!n) return duplicate(L".COM;.EXE;.BAT;.CMD");
    list = allocate((n + 1) * sizeof(wchar_t));
    GetEnvironmentVariableW(L"PATHEXT", list, n);
    return list;
}

/* Tries base as it is when it has an extension, then with each of PATHEXT. */
static wchar_t *with_extensions(const wchar_t *base)
{
    const wchar_t *dot = NULL, *p;
    size_t len = (size_t)lstrlenW(base);
    wchar_t *list, *path, *result = NULL;

    for (p = base; *p; p++) {
        if (*p == '\\' || *p == '/')
            dot = NULL;
        else if (*p == '.')
            dot = p;
    }
    if (dot && is_file(base)) return duplicate(base);
    list = extensions();
    path = allocate((len + (size_t)lstrlenW(list) + 1) * sizeof(wchar_t));
    for (p = list; *p && !result;) {
        size_t n = 0;

        memcpy(path, base, len * sizeof(wchar_t));
        for (; *p && *p != ';'; p++)
            path[len + n++] = *p;
        path[len + n] = 0;
        if (*p) p++;
        if (n && is_file(path)) result = duplicate(path);
    }
    release(path);
    release(list);
    if (!result && !dot && is_file(base)) result = duplicate(base);
    return result;
}

static wchar_t *in_directory(const wchar_t *dir, size_t len, const wchar_t *name)
{
    wchar_t *path, *full, *result;

    if (len >= 2 && dir[0] == '"' && dir[len - 1] == '"') {
        dir++;
        len -= 2;
    }
    if (!len) return NULL;
    path = allocate((len + (size_t)lstrlenW(name) + 2) * sizeof(wchar_t));
    memcpy(path, dir, len * sizeof(wchar_t));
    if (path[len - 1] != '\\') path[len++] = '\\';
    lstrcpyW(path + len, name);
    full = full_path(path);
    release(path);
    result = full ? with_extensions(full) : NULL;
    release(full);
    return result;
}

/* A bare name: the working directory, the system's directories, then PATH. */
static wchar_t *search(const wchar_t *name)
{
    wchar_t dir[MAX_PATH], *path, *result;
    DWORD n;

    result = in_directory(L".", 1, name);
    if (!result && (n = GetSystemDirectoryW(dir, MAX_PATH)) && n < MAX_PATH)
        result = in_directory(dir, n, name);
    if (!result && (n = GetWindowsDirectoryW(dir, MAX_PATH)) && n < MAX_PATH)
        result = in_directory(dir, n, name);
    n = result ? 0 : GetEnvironmentVariableW(L"PATH", NULL, 0);
    if (!n) return result;
    path = allocate((n + 1) * sizeof(wchar_t));
    GetEnvironmentVariableW(L"PATH", path, n);
    for (const wchar_t *p = path; *p && !result;) {
        const wchar_t *end = p;

        while (*end && *end != ';')
            end++;
        result = in_directory(p, (size_t)(end - p), name);
        p = *end ? end + 1 : end;
    }
    release(path);
    return result;
}

wchar_t *program_find(const wchar_t *name)
{
    const wchar_t *p;
    wchar_t *path, *result;

    for (p = name; *p; p++) {
        if (*p == '\\' || *p == '/' || *p == ':') break;
    }
    if (!*p) return *name ? search(name) : NULL;
    path = path_to_windows(name);
    result = path ? with_extensions(path) : NULL;
    release(path);
    return result;
}

const char *program_problem(const wchar_t *path, DWORD error)
{
    union {
        IMAGE_DOS_HEADER dos;
        IMAGE_NT_HEADERS32 nt;
        uint8_t bytes[512];
    } h = {0};
    HANDLE file =
        CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, 0, NULL);
    DWORD got = 0;
    bool read;

    if (file == INVALID_HANDLE_VALUE) return "it cannot be opened";
    read = ReadFile(file, &h, sizeof(h), &got, NULL) && got >= 4;
    if (read && h.bytes[0] == 0x7f && h.bytes[1] == 'E' && h.bytes[2] == 'L' && h.bytes[3] == 'F') {
        CloseHandle(file);
        return "it is a Linux program; a VM runs Windows programs only";
    }
    if (!read || h.dos.e_magic != IMAGE_DOS_SIGNATURE) {
        CloseHandle(file);
        return "it is not a Windows program";
    }
    read = SetFilePointer(file, h.dos.e_lfanew, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
           ReadFile(file, &h, sizeof(h), &got, NULL) && got >= 24 &&
           h.nt.Signature == IMAGE_NT_SIGNATURE;
    CloseHandle(file);
    if (!read) return "it is a 16-bit or DOS program, which 64-bit Wine does not run";
    if (h.nt.FileHeader.Machine == IMAGE_FILE_MACHINE_I386)
        return "it is a 32-bit program; a VM runs 64-bit programs only "
               "(look for a 64-bit build of it)";
    if (h.nt.FileHeader.Machine != IMAGE_FILE_MACHINE_AMD64)
        return "it is made for another kind of processor";
    if (h.nt.FileHeader.Characteristics & IMAGE_FILE_DLL) return "it is a library, not a program";
    return error == ERROR_BAD_EXE_FORMAT ? "its file is damaged" : NULL;
}
