#include "test.h"

WCHAR t_root[32768];
char t_program[1024];

static int checks, failures;
static char **options;
static int option_count;

#define RING 16
static char *ring_bytes(size_t size)
{
    static char *ring[RING];
    static int next;
    int i = next++ % RING;

    free(ring[i]);
    ring[i] = malloc(size);
    if (!ring[i]) t_die("no memory");
    return ring[i];
}

static void say_list(const char *prefix, const char *fmt, va_list args)
{
    fputs(prefix, stdout);
    vprintf(fmt, args);
    putchar('\n');
}

void t_say(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say_list("", fmt, args);
    va_end(args);
}

void t_part(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say_list("# ", fmt, args);
    va_end(args);
}

bool t_ok(bool ok, const char *fmt, ...)
{
    va_list args;

    checks++;
    if (!ok) failures++;
    printf("%s %d - ", ok ? "ok" : "not ok", checks);
    va_start(args, fmt);
    say_list("", fmt, args);
    va_end(args);
    return ok;
}

void t_die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say_list("Bail out! ", fmt, args);
    va_end(args);
    fflush(stdout);
    exit(99);
}

void t_begin(int argc, char **argv)
{
    static char *kept[64];
    static char buffer[1 << 16];
    int len, i;
    bool private = false;

    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (argc < 2) t_die("usage: %s DIRECTORY [private] [OPTION...]", argv[0]);
    if (!GetModuleFileNameA(NULL, t_program, sizeof t_program))
        t_die("GetModuleFileName failed: %lu", GetLastError());
    for (i = 2; i < argc && option_count < 64; i++) {
        if (!strcmp(argv[i], "private"))
        private = true;
        else kept[option_count++] = argv[i];
    }
    options = kept;
    len = MultiByteToWideChar(CP_UTF8, 0, argv[1], -1, t_root, 30000);
    if (!len) t_die("bad directory name");
    len--;
    while (len && (t_root[len - 1] == '\\' || t_root[len - 1] == '/'))
        t_root[--len] = 0;
    if (GetFileAttributesW(t_root) == INVALID_FILE_ATTRIBUTES)
        t_die("cannot find %s: %lu", argv[1], GetLastError());
    if (private) {
        WCHAR *base = _wcsdup(t_root);

        wcscat(t_root, L".private");
        if (!base || !t_copy_tree(base, t_root)) t_die("cannot copy the tree: %lu", GetLastError());
        free(base);
    }
}

int t_end(void)
{
    printf("1..%d\n", checks);
    if (failures) printf("# %d of %d checks failed\n", failures, checks);
    fflush(stdout);
    return failures ? 1 : 0;
}

const char *t_option(int i)
{
    return i < option_count ? options[i] : NULL;
}

const char *t_status(NTSTATUS status)
{
    static const struct {
        NTSTATUS status;
        const char *name;
    } names[] = {
#define N(x) {STATUS_##x, #x}
        N(SUCCESS),
        N(PENDING),
        N(BUFFER_OVERFLOW),
        N(NO_MORE_FILES),
        N(NO_MORE_ENTRIES),
        N(NOT_IMPLEMENTED),
        N(INVALID_INFO_CLASS),
        N(INFO_LENGTH_MISMATCH),
        N(ACCESS_VIOLATION),
        N(INVALID_HANDLE),
        N(INVALID_PARAMETER),
        N(NO_SUCH_FILE),
        N(END_OF_FILE),
        N(INVALID_DEVICE_REQUEST),
        N(ACCESS_DENIED),
        N(BUFFER_TOO_SMALL),
        N(OBJECT_TYPE_MISMATCH),
        N(OBJECT_NAME_INVALID),
        N(OBJECT_NAME_NOT_FOUND),
        N(OBJECT_NAME_COLLISION),
        N(OBJECT_PATH_INVALID),
        N(OBJECT_PATH_NOT_FOUND),
        N(OBJECT_PATH_SYNTAX_BAD),
        N(SHARING_VIOLATION),
        N(FILE_LOCK_CONFLICT),
        N(LOCK_NOT_GRANTED),
        N(DELETE_PENDING),
        N(FILE_IS_A_DIRECTORY),
        N(NOT_A_DIRECTORY),
        N(DIRECTORY_NOT_EMPTY),
        N(CANNOT_DELETE),
        N(FILE_DELETED),
        N(NOT_SUPPORTED),
        N(USER_MAPPED_FILE),
        N(NOT_SAME_DEVICE),
        N(RANGE_NOT_LOCKED),
        N(INVALID_FILE_FOR_SECTION),
        N(MAPPED_FILE_SIZE_ZERO),
        N(SECTION_TOO_BIG),
        N(SECTION_PROTECTION),
        N(NAME_TOO_LONG),
        N(NOTIFY_ENUM_DIR),
        N(NOTIFY_CLEANUP),
        N(CANCELLED),
        N(DATATYPE_MISALIGNMENT),
        N(NOT_A_REPARSE_POINT),
        N(IO_REPARSE_TAG_NOT_HANDLED),
        N(STOPPED_ON_SYMLINK),
        N(EAS_NOT_SUPPORTED),
        N(NO_EAS_ON_FILE),
        N(INVALID_USER_BUFFER),
        N(DISK_FULL),
        N(OBJECT_NAME_EXISTS),
        N(NONEXISTENT_EA_ENTRY),
        N(INVALID_VIEW_SIZE),
        N(BAD_DEVICE_TYPE),
        N(INVALID_IMAGE_NOT_MZ),
        N(IMAGE_NOT_AT_BASE),
        N(INVALID_ADDRESS),
#undef N
    };
    char *text;
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].status == status) return names[i].name;
    text = ring_bytes(16);
    snprintf(text, 16, "%08lx", (unsigned long)status);
    return text;
}

const char *t_win(BOOL ok)
{
    char *text;
    DWORD error = GetLastError();

    if (ok) return "ok";
    text = ring_bytes(24);
    snprintf(text, 24, "error %lu", error);
    return text;
}

const char *t_text(const WCHAR *s, int len)
{
    char *text, *out;
    int i;

    if (!s) return "(null)";
    if (len < 0) len = (int)wcslen(s);
    out = text = ring_bytes((size_t)len * 6 + 1);
    for (i = 0; i < len; i++) {
        if (s[i] >= 0x20 && s[i] < 0x7f)
            *out++ = (char)s[i];
        else
            out += sprintf(out, "\\u%04x", s[i]);
    }
    *out = 0;
    return text;
}

const WCHAR *t_wide(const char *text)
{
    WCHAR *wide = (WCHAR *)ring_bytes((strlen(text) + 1) * sizeof *wide);
    size_t i;

    for (i = 0; text[i]; i++)
        wide[i] = (unsigned char)text[i];
    wide[i] = 0;
    return wide;
}

static const WCHAR *build_name(const WCHAR *prefix, const char *fmt, va_list args)
{
    char *rel = ring_bytes(40000);
    WCHAR *name = (WCHAR *)ring_bytes(140000);
    WCHAR *out = name;

    vsnprintf(rel, 40000, fmt, args);
    wcscpy(name, prefix);
    wcscat(name, t_root);
    out += wcslen(name);
    if (*rel) *out++ = '\\';
    while (*rel)
        *out++ = (unsigned char)*rel++;
    *out = 0;
    return name;
}

const WCHAR *t_dos(const char *fmt, ...)
{
    const WCHAR *name;
    va_list args;

    va_start(args, fmt);
    name = build_name(L"", fmt, args);
    va_end(args);
    return name;
}

const WCHAR *t_nt(const char *fmt, ...)
{
    const WCHAR *name;
    va_list args;

    va_start(args, fmt);
    name = build_name(L"\\??\\", fmt, args);
    va_end(args);
    return name;
}

const WCHAR *t_ext(const char *fmt, ...)
{
    const WCHAR *name;
    va_list args;

    va_start(args, fmt);
    name = build_name(L"\\\\?\\", fmt, args);
    va_end(args);
    return name;
}

NTSTATUS t_create_at(HANDLE *h, HANDLE dir, const WCHAR *name, ULONG access, ULONG attributes,
                     ULONG share, ULONG disposition, ULONG opts, ULONG_PTR *info)
{
    UNICODE_STRING str;
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    size_t bytes = wcslen(name) * 2;

    *h = NULL;
    str.Buffer = (WCHAR *)name;
    str.Length = (USHORT)(bytes > 65534 ? 65534 : bytes);
    str.MaximumLength = str.Length;
    InitializeObjectAttributes(&attr, &str, OBJ_CASE_INSENSITIVE, dir, NULL);
    io.Information = 0xdead;
    status =
        NtCreateFile(h, access, &attr, &io, NULL, attributes, share, disposition, opts, NULL, 0);
    if (info) *info = io.Information;
    return status;
}

NTSTATUS t_create(HANDLE *h, const WCHAR *name, ULONG access, ULONG share, ULONG disposition,
                  ULONG opts)
{
    return t_create_at(h, NULL, name, access, FILE_ATTRIBUTE_NORMAL, share, disposition, opts,
                       NULL);
}

HANDLE t_open(const WCHAR *name, ULONG access, ULONG opts)
{
    HANDLE h;
    NTSTATUS status =
        t_create(&h, name, access | SYNCHRONIZE, T_ALL_SHARE, FILE_OPEN, opts | T_SYNC);

    if (status) t_die("cannot open %s: %s", t_text(name, -1), t_status(status));
    return h;
}

static NTSTATUS set_name(HANDLE h, HANDLE dir, const WCHAR *name, bool replace, int info_class)
{
    size_t bytes = wcslen(name) * 2;
    size_t size = sizeof(FILE_RENAME_INFORMATION) + bytes;
    FILE_RENAME_INFORMATION *info = calloc(1, size);
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    if (!info) t_die("no memory");
    *(BOOLEAN *)info = replace;
    info->RootDirectory = dir;
    info->FileNameLength = (ULONG)bytes;
    memcpy(info->FileName, name, bytes);
    status = NtSetInformationFile(h, &io, info, (ULONG)size, (FILE_INFORMATION_CLASS)info_class);
    free(info);
    return status;
}

NTSTATUS t_rename(HANDLE h, HANDLE dir, const WCHAR *name, bool replace)
{
    return set_name(h, dir, name, replace, 10);
}

NTSTATUS t_link(HANDLE h, HANDLE dir, const WCHAR *name, bool replace)
{
    return set_name(h, dir, name, replace, 11);
}

NTSTATUS t_set_delete(HANDLE h, bool del)
{
    IO_STATUS_BLOCK io;
    BOOLEAN value = del;

    return NtSetInformationFile(h, &io, &value, sizeof value, (FILE_INFORMATION_CLASS)13);
}

NTSTATUS t_attributes(const WCHAR *nt, ULONG *attributes)
{
    UNICODE_STRING str;
    OBJECT_ATTRIBUTES attr;
    FILE_BASIC_INFORMATION info;
    NTSTATUS status;

    RtlInitUnicodeString(&str, nt);
    InitializeObjectAttributes(&attr, &str, OBJ_CASE_INSENSITIVE, NULL, NULL);
    memset(&info, 0, sizeof info);
    status = NtQueryAttributesFile(&attr, &info);
    *attributes = status ? 0 : info.FileAttributes;
    return status;
}

void t_put(const WCHAR *dos, const char *text)
{
    HANDLE h = CreateFileW(dos, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD done;

    if (h == INVALID_HANDLE_VALUE) t_die("cannot create %s: %lu", t_text(dos, -1), GetLastError());
    if (!WriteFile(h, text, (DWORD)strlen(text), &done, NULL) || done != strlen(text))
        t_die("cannot write %s: %lu", t_text(dos, -1), GetLastError());
    CloseHandle(h);
}

uint64_t t_hash_handle(HANDLE h, uint64_t *size)
{
    static unsigned char block[1 << 16];
    uint64_t hash = 0xcbf29ce484222325ull;
    LARGE_INTEGER offset;
    IO_STATUS_BLOCK io;
    ULONG_PTR i;

    offset.QuadPart = 0;
    for (;;) {
        io.Information = 0;
        if (NtReadFile(h, NULL, NULL, NULL, &io, block, sizeof block, &offset, NULL) ||
            !io.Information)
            break;
        for (i = 0; i < io.Information; i++)
            hash = (hash ^ block[i]) * 0x100000001b3ull;
        offset.QuadPart += (LONGLONG)io.Information;
    }
    if (size) *size = (uint64_t)offset.QuadPart;
    return hash;
}

void t_show(const char *label, const WCHAR *nt)
{
    ULONG attributes;
    NTSTATUS status = t_attributes(nt, &attributes);
    uint64_t size, hash;
    HANDLE h;

    if (status) {
        t_say("%s: %s", label, t_status(status));
        return;
    }
    if (attributes & FILE_ATTRIBUTE_DIRECTORY) {
        t_say("%s: directory %lx", label, attributes);
        return;
    }
    status = t_create(&h, nt, GENERIC_READ | SYNCHRONIZE, T_ALL_SHARE, FILE_OPEN, T_SYNC);
    if (status) {
        t_say("%s: file %lx, cannot read: %s", label, attributes, t_status(status));
        return;
    }
    hash = t_hash_handle(h, &size);
    NtClose(h);
    t_say("%s: file %lx size %llu hash %016llx", label, attributes, (unsigned long long)size,
          (unsigned long long)hash);
}

static void list_below(const WCHAR *dos, const char *rel, bool deep)
{
    WIN32_FIND_DATAW data;
    size_t len = wcslen(dos);
    WCHAR *path = malloc((len + 300) * sizeof *path);
    char *name;
    HANDLE find, h;
    uint64_t hash;

    if (!path) t_die("no memory");
    wcscpy(path, dos);
    wcscpy(path + len, L"\\*");
    find = FindFirstFileW(path, &data);
    if (find == INVALID_HANDLE_VALUE) {
        t_say("  %s: error %lu", rel, GetLastError());
        free(path);
        return;
    }
    do {
        const char *text = t_text(data.cFileName, -1);
        unsigned long long size =
            ((unsigned long long)data.nFileSizeHigh << 32) | data.nFileSizeLow;

        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) {
            if (!deep) t_say("  %s attributes %lx", text, data.dwFileAttributes);
            continue;
        }
        name = malloc(strlen(rel) + strlen(text) + 2);
        if (!name) t_die("no memory");
        sprintf(name, "%s%s%s", rel, *rel ? "\\" : "", text);
        wcscpy(path + len, L"\\");
        wcscat(path + len, data.cFileName);
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) {
            t_say("  %s attributes %lx short '%s'", name, data.dwFileAttributes,
                  t_text(data.cAlternateFileName, -1));
            if (deep && !(data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
                list_below(path, name, true);
        } else {
            h = CreateFileW(path, GENERIC_READ, T_ALL_SHARE, NULL, OPEN_EXISTING, 0, NULL);
            hash = h == INVALID_HANDLE_VALUE ? GetLastError() : t_hash_handle(h, NULL);
            if (h != INVALID_HANDLE_VALUE) CloseHandle(h);
            t_say("  %s attributes %lx size %llu short '%s' hash %llx", name, data.dwFileAttributes,
                  size, t_text(data.cAlternateFileName, -1), (unsigned long long)hash);
        }
        free(name);
    } while (FindNextFileW(find, &data));
    if (GetLastError() != ERROR_NO_MORE_FILES)
        t_say("  %s: listing ends with error %lu", rel, GetLastError());
    FindClose(find);
    free(path);
}

void t_list(const char *label, const WCHAR *dos, bool deep)
{
    t_say("%s:", label);
    list_below(dos, "", deep);
}

/* Gives the new directory the times of the old one. */
static bool copy_times(const WCHAR *from, const WCHAR *to)
{
    HANDLE h = CreateFileW(to, FILE_WRITE_ATTRIBUTES, T_ALL_SHARE, NULL, OPEN_EXISTING,
                           FILE_FLAG_BACKUP_SEMANTICS, NULL);
    WIN32_FILE_ATTRIBUTE_DATA data;
    bool ok = h != INVALID_HANDLE_VALUE &&
              GetFileAttributesExW(from, GetFileExInfoStandard, &data) &&
              SetFileTime(h, NULL, &data.ftLastAccessTime, &data.ftLastWriteTime);

    if (h != INVALID_HANDLE_VALUE) CloseHandle(h);
    return ok;
}

bool t_copy_tree(const WCHAR *from, const WCHAR *to)
{
    WIN32_FIND_DATAW data;
    size_t flen = wcslen(from), tlen = wcslen(to);
    WCHAR *src = malloc((flen + 300) * sizeof *src), *dst = malloc((tlen + 300) * sizeof *dst);
    HANDLE find = INVALID_HANDLE_VALUE;
    bool ok = src && dst && CreateDirectoryW(to, NULL);

    if (ok) {
        wcscpy(src, from);
        wcscpy(src + flen, L"\\*");
        find = FindFirstFileW(src, &data);
        ok = find != INVALID_HANDLE_VALUE;
    }
    while (ok) {
        if (wcscmp(data.cFileName, L".") && wcscmp(data.cFileName, L"..") &&
            !(data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)) {
            wcscpy(src + flen, L"\\");
            wcscat(src + flen, data.cFileName);
            wcscpy(dst, to);
            wcscpy(dst + tlen, L"\\");
            wcscat(dst + tlen, data.cFileName);
            if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
                ok = t_copy_tree(src, dst);
            else
                ok = CopyFileW(src, dst, TRUE);
            if (!ok) printf("# cannot copy %s: error %lu\n", t_text(src, -1), GetLastError());
        }
        if (ok && !FindNextFileW(find, &data)) break;
    }
    if (find != INVALID_HANDLE_VALUE) FindClose(find);
    ok = ok && copy_times(from, to);
    free(src);
    free(dst);
    return ok;
}

static HANDLE spawn(bool with_root, const char *fmt, va_list args)
{
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION info;
    char *line = malloc(40000);
    BOOL made = FALSE;
    int len;

    if (!line) t_die("no memory");
    len = sprintf(line, "\"%s\" ", t_program);
    if (with_root) len += sprintf(line + len, "\"%s\" ", t_text(t_root, -1));
    vsnprintf(line + len, (size_t)(40000 - len), fmt, args);
    fflush(stdout);
    /* Now and then the host loses a new process before it has begun (guest/process/create.c has
     * the figures): in a VM it is made again, natively by nobody but us. */
    for (int tries = 3; tries; tries--) {
        made = CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &info);
        if (made || GetLastError() != ERROR_INTERNAL_ERROR) break;
    }
    if (!made)
        t_die("cannot start %s: %lu", line, GetLastError());
    free(line);
    CloseHandle(info.hThread);
    return info.hProcess;
}

HANDLE t_spawn(const char *fmt, ...)
{
    HANDLE process;
    va_list args;

    va_start(args, fmt);
    process = spawn(true, fmt, args);
    va_end(args);
    return process;
}

HANDLE t_spawn_line(const char *fmt, ...)
{
    HANDLE process;
    va_list args;

    va_start(args, fmt);
    process = spawn(false, fmt, args);
    va_end(args);
    return process;
}

DWORD t_wait(HANDLE process)
{
    DWORD code = 0;

    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    return code;
}
