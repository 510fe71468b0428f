/* Saving keys to files, loading files as keys, unloading. Makes and removes keys of its own; the
 * same natively and in a VM. */
#include "test.h"

#define ROOT L"Software\\fvm hive"

static bool privilege(const WCHAR *name, bool on)
{
    TOKEN_PRIVILEGES p = {.PrivilegeCount = 1};
    HANDLE token;

    p.Privileges[0].Attributes = on ? SE_PRIVILEGE_ENABLED : 0;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token)) return false;
    bool ok = LookupPrivilegeValueW(NULL, name, &p.Privileges[0].Luid) &&
              AdjustTokenPrivileges(token, FALSE, &p, sizeof p, NULL, NULL) && !GetLastError();
    CloseHandle(token);
    return ok;
}

/* The file's text without times. */
static void show_file(const WCHAR *dos)
{
    static char text[65536];
    HANDLE file = CreateFileW(dos, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    DWORD size = 0;

    if (file == INVALID_HANDLE_VALUE) {
        t_say("no file: %lu", GetLastError());
        return;
    }
    ReadFile(file, text, sizeof text - 1, &size, NULL);
    CloseHandle(file);
    text[size] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *close = strrchr(line, ']');
        if (*line == '[' && close) close[1] = 0;
        if (strncmp(line, "#time=", 6)) t_say("| %s", line);
    }
}

static void show_key(HKEY key, int depth)
{
    WCHAR name[300];
    BYTE data[600];
    DWORD len, size, type;

    for (DWORD i = 0;; i++) {
        len = 300, size = sizeof data;
        if (RegEnumValueW(key, i, name, &len, NULL, &type, data, &size)) break;
        t_say("%*s%s = %lu, %lu bytes, %02x %02x", depth * 2, "", t_text(name, (int)len), type, size,
              size ? data[0] : 0, size > 1 ? data[size - 1] : 0);
    }
    for (DWORD i = 0;; i++) {
        HKEY child;
        len = 300;
        if (RegEnumKeyExW(key, i, name, &len, NULL, NULL, NULL, NULL)) break;
        t_say("%*s[%s]", depth * 2, "", t_text(name, (int)len));
        if (RegOpenKeyExW(key, name, 0, KEY_READ, &child)) continue;
        show_key(child, depth + 1);
        RegCloseKey(child);
    }
}

static void fill(HKEY key)
{
    BYTE bytes[200];
    HKEY child;

    for (int i = 0; i < 200; i++)
        bytes[i] = (BYTE)i;
    RegSetValueExW(key, NULL, 0, REG_SZ, (BYTE *)L"default \"quoted\" \\ \x00e9\x4e2d", 42);
    RegSetValueExW(key, L"bytes", 0, REG_BINARY, bytes, sizeof bytes);
    RegSetValueExW(key, L"number", 0, REG_DWORD, bytes + 1, 4);
    RegSetValueExW(key, L"many", 0, REG_MULTI_SZ, (BYTE *)L"one\0two\0", 18);
    RegSetValueExW(key, L"expand", 0, REG_EXPAND_SZ, (BYTE *)L"%PATH%", 14);
    RegSetValueExW(key, L"open end", 0, REG_SZ, (BYTE *)L"abc", 6);
    RegSetValueExW(key, L"none", 0, REG_NONE, NULL, 0);
    RegSetValueExW(key, L"tab\there \x0001 = [x]", 0, 0x99, bytes, 3);
    RegCreateKeyExW(key, L"with [brackets]\\deep", 0, (WCHAR *)L"a class", 0, KEY_ALL_ACCESS, NULL,
                    &child, NULL);
    RegCloseKey(child);
    RegCreateKeyExW(key, L"volatile", 0, NULL, REG_OPTION_VOLATILE, KEY_ALL_ACCESS, NULL, &child,
                    NULL);
    RegCloseKey(child);
    RegCreateKeyW(key, L"empty", &child);
    RegCloseKey(child);
}

int main(int argc, char **argv)
{
    HKEY root, key;
    WCHAR file[600], other[600];

    t_begin(argc, argv);
    wcscpy(file, t_dos("hive"));
    wcscpy(other, t_dos("hive2"));
    RegDeleteTreeW(HKEY_CURRENT_USER, ROOT);
    RegDeleteTreeW(HKEY_CURRENT_USER, L"fvm loaded");
    RegCreateKeyW(HKEY_CURRENT_USER, ROOT, &root);
    fill(root);

    t_part("without the privilege");
    t_say("save: %ld", RegSaveKeyW(root, file, NULL));
    t_say("load: %ld", RegLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded", file));
    t_say("unload: %ld", RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded"));

    t_part("save");
    privilege(L"SeBackupPrivilege", true);
    privilege(L"SeRestorePrivilege", true);
    DeleteFileW(file);
    t_say("save: %ld", RegSaveKeyW(root, file, NULL));
    show_file(file);
    t_say("again: %ld", RegSaveKeyW(root, file, NULL));

    t_part("load");
    t_say("load: %ld", RegLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded", file));
    t_say("open: %ld", RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"fvm loaded", 0, KEY_READ, &key));
    show_key(key, 0);
    t_say("unload an open one: %ld", RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded"));
    RegCloseKey(key);
    t_say("unload: %ld", RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded"));
    t_say("open: %ld", RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"fvm loaded", 0, KEY_READ, &key));
    t_say("unload: %ld", RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded"));

    t_part("files that are none");
    t_put(other, "this is no hive\n");
    t_say("load: %ld", RegLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded", other));
    t_say("load: %ld", RegLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded", t_dos("missing")));
    RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm loaded");

    RegCloseKey(root);
    t_say("end: %ld", RegDeleteTreeW(HKEY_CURRENT_USER, ROOT));
    DeleteFileW(file);
    DeleteFileW(other);
    return t_end();
}
