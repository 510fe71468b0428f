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

void program_not_found(const wchar_t *name)
{
    const wchar_t *p = name;
    wchar_t *path = NULL;
    DWORD attributes = INVALID_FILE_ATTRIBUTES;

    while (*p && *p != '\\' && *p != '/' && *p != ':')
        p++;
    if (!*name) fail(EXIT_NOT_FOUND, "no program is named");
    if (!*p) {
        attributes = GetFileAttributesW(name);
        path = full_path(name);
    } else if ((path = path_to_windows(name))) {
        attributes = GetFileAttributesW(path);
    }
    if (path && attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY))
        fail(EXIT_CANNOT_RUN,
             "cannot run %s: it is a folder, not a program\n"
             "     name the program in it, such as %s\\PROGRAM.exe",
             path, path);
    if (*p)
        fail(EXIT_NOT_FOUND,
             "there is no program %s in the VM\n"
             "     what the VM has there is told by: fvm run ... -- cmd /c dir FOLDER",
             path ? path : name);
    fail(EXIT_NOT_FOUND,
         "there is no program %s in the VM: it is not in the folder in which it was to start, in "
         "Windows' folders, nor on the VM's PATH\n"
         "     give its full path, of Windows (C:\\...) or Linux (/...)",
         name);
}

/* What is known of a program's file: enough of it to tell why it does not run. */
struct program_file {
    HANDLE file;
    LARGE_INTEGER size;
    DWORD got; /* bytes of what was read last */
    union {
        IMAGE_DOS_HEADER dos;
        IMAGE_NT_HEADERS64 nt; /* of 32-bit programs the parts that are looked at are the same */
        uint8_t bytes[512];
    } h;
};

static bool read_at(struct program_file *f, LONG at)
{
    f->got = 0;
    memset(&f->h, 0, sizeof(f->h));
    return at >= 0 && SetFilePointer(f->file, at, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
           ReadFile(f->file, &f->h, sizeof(f->h), &f->got, NULL);
}

static bool open_program(struct program_file *f, const wchar_t *path)
{
    f->file =
        CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, 0, NULL);
    if (f->file == INVALID_HANDLE_VALUE) return false;
    if (GetFileSizeEx(f->file, &f->size)) return true;
    CloseHandle(f->file);
    return false;
}

static bool begins_with(const struct program_file *f, const char *text, DWORD len)
{
    DWORD same = 0;

    while (same < len && same < f->got && f->h.bytes[same] == (uint8_t)text[same])
        same++;
    return same == len;
}

/* Does the file end before what its section headers say? The NT headers are read. */
static bool is_cut_off(struct program_file *f, LONG headers)
{
    WORD count = f->h.nt.FileHeader.NumberOfSections;
    LONG at = headers + (LONG)FIELD_OFFSET(IMAGE_NT_HEADERS64, OptionalHeader) +
              f->h.nt.FileHeader.SizeOfOptionalHeader;

    for (WORD i = 0; i < count; i++) {
        IMAGE_SECTION_HEADER section;
        LONG place = at + (LONG)(i * sizeof(section));

        if (!read_at(f, place) || f->got < sizeof(section)) return true;
        memcpy(&section, f->h.bytes, sizeof(section));
        if ((ULONGLONG)section.PointerToRawData + section.SizeOfRawData >
            (ULONGLONG)f->size.QuadPart)
            return true;
    }
    return false;
}

#define CUT_OFF                                                                                    \
    "its file ends before the program does: it was not copied or downloaded whole; get it again"

static const char *problem_of(struct program_file *f, DWORD error)
{
    LONG headers;

    if (!f->size.QuadPart) return "its file is empty; copy or download it again";
    if (!read_at(f, 0)) return "its file cannot be read";
    if (begins_with(f, "\177ELF", 4))
        return "it is a Linux program; a VM runs Windows programs only";
    if (begins_with(f, "#!", 2))
        return "it is a script for Linux; a VM runs Windows programs and their scripts only";
    if (!begins_with(f, "MZ", 2))
        return "it is not a Windows program (one begins with the letters MZ)";
    if (f->got < sizeof(f->h.dos)) return CUT_OFF;
    headers = f->h.dos.e_lfanew;
    /* programs that have newer headers say so by where their relocations lie */
    if (f->h.dos.e_lfarlc < sizeof(f->h.dos) && f->h.dos.e_lfarlc) headers = -1;
    if (headers >= 0 && headers + (LONGLONG)sizeof(DWORD) > f->size.QuadPart) return CUT_OFF;
    if (headers >= 0 && (!read_at(f, headers) || begins_with(f, "PE\0\0", 4))) {
        if (f->got < FIELD_OFFSET(IMAGE_NT_HEADERS64, OptionalHeader) + sizeof(WORD))
            return CUT_OFF;
    } else {
        return "it is a 16-bit or DOS program, which 64-bit Wine does not run";
    }
    if (f->h.nt.FileHeader.Machine == IMAGE_FILE_MACHINE_I386)
        return "it is a 32-bit program; a VM runs 64-bit programs only "
               "(look for a 64-bit build of it)";
    if (f->h.nt.FileHeader.Machine != IMAGE_FILE_MACHINE_AMD64)
        return "it is made for another kind of processor; a VM runs programs for x86-64 (AMD64)";
    if (f->h.nt.FileHeader.Characteristics & IMAGE_FILE_DLL)
        return "it is a library, not a program; rundll32 runs functions of libraries";
    if (is_cut_off(f, headers)) return CUT_OFF;
    return error == ERROR_BAD_EXE_FORMAT ? "its file is damaged; copy or download it again" : NULL;
}

const char *program_problem(const wchar_t *path, DWORD error)
{
    struct program_file f;
    const char *problem;

    if (!open_program(&f, path)) return NULL;
    problem = problem_of(&f, error);
    CloseHandle(f.file);
    return problem;
}

static bool has_windows(const wchar_t *path)
{
    struct program_file f;
    bool result;

    if (!open_program(&f, path)) return false;
    result = read_at(&f, 0) && begins_with(&f, "MZ", 2) && read_at(&f, f.h.dos.e_lfanew) &&
             f.got >= sizeof(f.h.nt) && f.h.nt.Signature == IMAGE_NT_SIGNATURE &&
             f.h.nt.OptionalHeader.Subsystem == IMAGE_SUBSYSTEM_WINDOWS_GUI;
    CloseHandle(f.file);
    return result;
}

/* A display of this machine (":1", "unix:1.0") that has no socket. */
static bool is_dead_display(const wchar_t *display)
{
    static const wchar_t prefix[] = L"Z:\\tmp\\.X11-unix\\X";
    wchar_t socket[64];
    size_t n = 0;

    if (CompareStringW(LOCALE_INVARIANT, 0, display, 5, L"unix:", 5) == CSTR_EQUAL) display += 4;
    if (*display++ != ':') return false;
    lstrcpyW(socket, prefix);
    while (display[n] >= '0' && display[n] <= '9' && n < 10)
        n++;
    memcpy(socket + lstrlenW(prefix), display, n * sizeof(wchar_t));
    socket[(size_t)lstrlenW(prefix) + n] = 0;
    return GetFileAttributesW(L"Z:\\tmp") != INVALID_FILE_ATTRIBUTES &&
           GetFileAttributesW(socket) == INVALID_FILE_ATTRIBUTES;
}

void program_tell_end(const wchar_t *path, DWORD code)
{
    wchar_t display[256];
    DWORD n = GetEnvironmentVariableW(L"DISPLAY", display, 256);

    if (!code || n >= 256 || (n && !is_dead_display(display)) || !has_windows(path)) return;
    if (n)
        report(
            "%s ended with code %u: it is a program with windows, and the display that DISPLAY "
            "names, %s, is not there\n     try it from a desktop session, or: xvfb-run -a fvm run "
            "...",
            path, (unsigned)code, display);
    else
        report("%s ended with code %u: it is a program with windows, and there is no display for "
               "them, because DISPLAY is not set\n     try it from a desktop session, or: xvfb-run "
               "-a fvm run ...",
               path, (unsigned)code);
}
