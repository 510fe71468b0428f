/* The registry in a VM: everything can be read and opened as on the host.
 *
 * Without an option it prints what must be the same on the host and in a VM, and changes
 * nothing on either. With the option "vm" it also makes changes, which must be seen in the VM
 * and not change the base; that part is for a VM only. */
#include "test.h"

NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG,
                           const UNICODE_STRING *, ULONG, ULONG *);
NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSTATUS NTAPI NtRenameKey(HANDLE, UNICODE_STRING *);
NTSTATUS NTAPI NtSetValueKey(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
NTSTATUS NTAPI NtDeleteValueKey(HANDLE, const UNICODE_STRING *);
NTSTATUS NTAPI NtQueryValueKey(HANDLE, const UNICODE_STRING *, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtFlushKey(HANDLE);
NTSTATUS NTAPI NtSaveKey(HANDLE, HANDLE);
NTSTATUS NTAPI NtRestoreKey(HANDLE, HANDLE, ULONG);
NTSTATUS NTAPI NtLoadKey(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI NtLoadKey2(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *, ULONG);
NTSTATUS NTAPI NtUnloadKey(OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI NtReplaceKey(OBJECT_ATTRIBUTES *, HANDLE, OBJECT_ATTRIBUTES *);

NTSTATUS NTAPI NtEnumerateKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtEnumerateValueKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtNotifyChangeKey(HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, ULONG,
                                 BOOLEAN, void *, ULONG, BOOLEAN);
NTSTATUS NTAPI NtQueryLicenseValue(const UNICODE_STRING *, ULONG *, void *, ULONG, ULONG *);

#define VERSION_KEY L"\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion"
#define VALUE       L"ProductName"
#define NEW_KEY     VERSION_KEY L"\\fvm test key"
#define CREATE_LINK 2

struct value {
    ULONG title, type, size;
    BYTE data[1024];
};

static UNICODE_STRING string(const WCHAR *text)
{
    UNICODE_STRING s;
    RtlInitUnicodeString(&s, text);
    return s;
}

static NTSTATUS create(HANDLE *key, HANDLE root, const WCHAR *name, ACCESS_MASK access,
                       ULONG options, ULONG *disposition)
{
    UNICODE_STRING s = string(name);
    OBJECT_ATTRIBUTES attr;

    InitializeObjectAttributes(&attr, &s, 0, root, NULL);
    *disposition = 0;
    return NtCreateKey(key, access, &attr, 0, NULL, options, disposition);
}

static HANDLE open_key(const WCHAR *name, ACCESS_MASK access)
{
    UNICODE_STRING s = string(name);
    OBJECT_ATTRIBUTES attr;
    HANDLE key;

    InitializeObjectAttributes(&attr, &s, 0, NULL, NULL);
    if (NtOpenKey(&key, access, &attr)) t_die("%s does not open", t_text(name, -1));
    return key;
}

static bool exists(const WCHAR *name)
{
    UNICODE_STRING s = string(name);
    OBJECT_ATTRIBUTES attr;
    HANDLE key;

    InitializeObjectAttributes(&attr, &s, 0, NULL, NULL);
    if (NtOpenKey(&key, KEY_READ, &attr)) return false;
    NtClose(key);
    return true;
}

static NTSTATUS query(HANDLE key, const WCHAR *name, struct value *value)
{
    UNICODE_STRING s = string(name);
    ULONG size;

    memset(value, 0, sizeof(*value));
    return NtQueryValueKey(key, &s, 2, value, sizeof(*value), &size);
}

static NTSTATUS set(HANDLE key, const WCHAR *name, ULONG type, const void *data, ULONG size)
{
    UNICODE_STRING s = string(name);
    return NtSetValueKey(key, &s, 0, type, data, size);
}

static void say_create(const char *what, HANDLE root, const WCHAR *name, ULONG options)
{
    HANDLE key = (HANDLE)1;
    ULONG disposition;
    NTSTATUS status = create(&key, root, name, KEY_READ, options, &disposition);

    t_say("%s: %s, disposition %lu, handle %s", what, t_status(status), disposition,
          key == (HANDLE)1 ? "untouched"
          : key            ? "given"
                           : "none");
    if (!status) NtClose(key);
}

static void opens(void)
{
    HANDLE root = open_key(L"\\Registry\\Machine\\Software", KEY_READ);
    UNICODE_STRING s = string(VERSION_KEY);
    OBJECT_ATTRIBUTES attr;
    HANDLE key;
    HKEY hkey;
    DWORD disposition;

    t_part("existing keys through NtCreateKey");
    say_create("full name", NULL, VERSION_KEY, 0);
    say_create("other case", NULL, L"\\REGISTRY\\machine\\SOFTWARE\\microsoft", 0);
    say_create("trailing backslash", NULL, L"\\Registry\\Machine\\Software\\", 0);
    say_create("volatile", NULL, VERSION_KEY, REG_OPTION_VOLATILE);
    say_create("relative", root, L"Microsoft\\Windows NT", 0);
    say_create("root itself", root, L"", 0);
    say_create("as a link", NULL, VERSION_KEY, CREATE_LINK);
    say_create("link in the path", NULL, L"\\Registry\\Machine\\System\\CurrentControlSet\\Control",
               0);

    t_part("what is wrong for every host");
    say_create("no name", NULL, L"", 0);
    say_create("no parent", NULL, L"\\Registry\\Machine\\Software\\fvm-none\\x", 0);
    say_create("no parent, relative", root, L"fvm-none\\x\\y", 0);
    say_create("bad root", (HANDLE)0xdead0, L"x", 0);
    InitializeObjectAttributes(&attr, &s, 0, NULL, NULL);
    attr.Length--;
    key = (HANDLE)1;
    t_say("bad length: %s", t_status(NtCreateKey(&key, KEY_READ, &attr, 0, NULL, 0, NULL)));

    t_part("kernel32");
    t_say("RegCreateKeyEx: %ld",
          RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Microsoft\\Windows NT", 0, NULL, 0,
                          KEY_ALL_ACCESS, NULL, &hkey, &disposition));
    t_say("disposition %lu", disposition);
    RegCloseKey(hkey);
    NtClose(root);
}

static void reading(void)
{
    HANDLE key = open_key(VERSION_KEY, KEY_READ), event, file;
    struct {
        ULONG words[6]; /* as far as the name, in NtEnumerateKey's class 0: 4 words */
        WCHAR text[512];
    } info;
    UNICODE_STRING license = string(L"Kernel-MUI-Language-Allowed");
    TOKEN_PRIVILEGES privileges = {1, {{{0, 0}, SE_PRIVILEGE_ENABLED}}};
    char line[64] = "";
    IO_STATUS_BLOCK io;
    ULONG size, i;
    HANDLE token;

    t_part("reading");
    size = 0;
    t_say("name: %s", t_status(NtQueryKey(key, 3, &info, sizeof(info), &size)));
    t_say("%s", t_text((WCHAR *)&info.words[1], (int)info.words[0] / 2));
    for (i = 0; i < 4; i++) {
        if (NtEnumerateKey(key, i, 0, &info, sizeof(info), &size)) break;
        t_say("key %lu: %s", i, t_text((WCHAR *)&info.words[4], (int)info.words[3] / 2));
    }
    for (i = 0; i < 4; i++) {
        if (NtEnumerateValueKey(key, i, 0, &info, sizeof(info), &size)) break;
        t_say("value %lu: %s", i, t_text((WCHAR *)&info.words[3], (int)info.words[2] / 2));
    }
    t_say("license: %s", t_status(NtQueryLicenseValue(&license, NULL, NULL, 0, &size)));

    event = CreateEventW(NULL, TRUE, FALSE, NULL);
    t_say("notify: %s",
          t_status(NtNotifyChangeKey(key, event, NULL, NULL, &io, REG_NOTIFY_CHANGE_LAST_SET, TRUE,
                                     NULL, 0, TRUE)));
    CloseHandle(event);

    OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    LookupPrivilegeValueW(NULL, L"SeBackupPrivilege", &privileges.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privileges, 0, NULL, NULL);
    CloseHandle(token);
    t_put(t_dos("saved"), "");
    file = t_open(t_nt("saved"), GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, T_SYNC);
    t_say("save: %s", t_status(NtSaveKey(key, file)));
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    ReadFile(file, line, 20, &size, NULL);
    t_say("saved: %.*s", (int)strcspn(line, "\n"), line);
    NtClose(file);
    NtClose(key);
}

static void bad_handles(HANDLE bad)
{
    UNICODE_STRING s = string(L"x");

    t_say("set: %s", t_status(NtSetValueKey(bad, &s, 0, REG_SZ, L"", 2)));
    t_say("delete value: %s", t_status(NtDeleteValueKey(bad, &s)));
    t_say("delete: %s", t_status(NtDeleteKey(bad)));
    t_say("rename: %s", t_status(NtRenameKey(bad, &s)));
    t_say("flush: %s", t_status(NtFlushKey(bad)));
}

static void unchanged(void)
{
    HANDLE key = open_key(VERSION_KEY, KEY_READ | KEY_WRITE), reader;
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    UNICODE_STRING s = string(L"fvm-none");
    SECURITY_DESCRIPTOR sd;
    struct value value;

    t_part("writes that change nothing");
    t_say("query: %s", t_status(query(key, VALUE, &value)));
    t_say("same value: %s", t_status(set(key, VALUE, value.type, value.data, value.size)));
    reader = open_key(VERSION_KEY, KEY_READ);
    t_say("same value, no right: %s",
          t_status(set(reader, VALUE, value.type, value.data, value.size)));
    t_say("delete missing value: %s", t_status(NtDeleteValueKey(key, &s)));
    t_say("flush: %s", t_status(NtFlushKey(key)));
    NtClose(reader);
    NtClose(key);

    t_part("a handle that is none");
    bad_handles((HANDLE)0xdead0);
    t_part("a handle of an event");
    bad_handles(event);

    t_part("security of something that is no key");
    InitializeSecurityDescriptor(&sd, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&sd, TRUE, NULL, FALSE);
    t_say("event: %s", t_status(NtSetSecurityObject(event, DACL_SECURITY_INFORMATION, &sd)));
    t_say("no handle: %s",
          t_status(NtSetSecurityObject((HANDLE)0xdead0, DACL_SECURITY_INFORMATION, &sd)));
    CloseHandle(event);
}

/* What would change the host natively: for a VM only. */
static void changes(void)
{
    HANDLE key = open_key(VERSION_KEY, KEY_ALL_ACCESS), new_key, link;
    UNICODE_STRING value_name = string(VALUE), target_name = string(L"SymbolicLinkValue");
    struct value before, after;
    ULONG disposition;
    HKEY hkey;

    t_part("changes, in a VM");
    t_ok(!query(key, VALUE, &before), "a value of the base");
    t_ok(!create(&new_key, NULL, NEW_KEY, KEY_ALL_ACCESS, 0, &disposition) &&
             disposition == REG_CREATED_NEW_KEY,
         "a new key below one of the base");
    t_ok(!create(&link, key, L"fvm test link", KEY_ALL_ACCESS, CREATE_LINK, &disposition), "a link");
    t_ok(!NtSetValueKey(link, &target_name, 0, REG_LINK, NEW_KEY, sizeof NEW_KEY - 2),
         "its target");
    NtClose(link);
    t_ok(!set(new_key, L"x", REG_SZ, L"new", 8), "a value of the new key");
    link = open_key(VERSION_KEY L"\\fvm test link", KEY_READ);
    t_ok(!query(link, L"x", &after) && after.size == 8, "... through the link");
    NtClose(link);
    t_ok(!set(key, VALUE, REG_SZ, L"changed", 16), "another value");
    t_ok(!query(key, VALUE, &after) && after.size == 16, "... is seen");
    t_ok(!NtDeleteValueKey(key, &value_name), "deleted");
    t_ok(query(key, VALUE, &after) == STATUS_OBJECT_NAME_NOT_FOUND, "... is gone");
    t_ok(!NtDeleteKey(new_key), "the new key deleted");
    t_ok(set(new_key, L"x", REG_SZ, L"new", 8) == STATUS_KEY_DELETED, "... is gone");
    NtClose(new_key);
    t_ok(!exists(NEW_KEY), "... under its name, too");

    t_ok(!RegCreateKeyExW(HKEY_CURRENT_USER, L"Software\\fvm a\\b\\c", 0, NULL, 0, KEY_ALL_ACCESS,
                          NULL, &hkey, NULL),
         "RegCreateKeyEx, deep");
    RegCloseKey(hkey);
    t_ok(!RegDeleteTreeW(HKEY_CURRENT_USER, L"Software\\fvm a"), "RegDeleteTree");
    t_ok(!RegSetKeyValueW(HKEY_CURRENT_USER, L"Environment", L"fvm", REG_SZ, L"x", 4),
         "RegSetKeyValue");
    NtClose(key);
}

int main(int argc, char **argv)
{
    const char *option;

    t_begin(argc, argv);
    opens();
    reading();
    unchanged();
    option = t_option(0);
    if (option && !strcmp(option, "vm")) changes();
    return t_end();
}
