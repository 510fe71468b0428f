/* Keys and values at their limits: strange and long names, large data, many subkeys, volatile keys,
 * links, the view of 32-bit programs, predefined keys, handles of all kinds. Works on keys of its
 * own, which it deletes again: natively in the base, in a VM in the VM. */
#include "test.h"

NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG,
                           const UNICODE_STRING *, ULONG, ULONG *);
NTSTATUS NTAPI NtOpenKeyEx(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtEnumerateKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtQueryValueKey(HANDLE, const UNICODE_STRING *, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtEnumerateValueKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtSetValueKey(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
NTSTATUS NTAPI NtDeleteValueKey(HANDLE, const UNICODE_STRING *);

#define HKCR_CLASS  L"fvm.limits"
#define OPEN_LINK   0x100u
#define CREATE_LINK 2u
#define BIG         (5u << 20)

static HANDLE root; /* HKLM\Software\fvm limits */
static uint8_t *big;

/* A counted text, NULs and all. */
#define S(text) counted(text, sizeof text - sizeof *text)

static UNICODE_STRING counted(const WCHAR *text, size_t bytes)
{
    return (UNICODE_STRING){(USHORT)bytes, (USHORT)bytes, (WCHAR *)text};
}

static NTSTATUS make(HANDLE parent, UNICODE_STRING name, ULONG options, HANDLE *key)
{
    OBJECT_ATTRIBUTES attr;

    *key = NULL;
    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, parent, NULL);
    return NtCreateKey(key, KEY_ALL_ACCESS, &attr, 0, NULL, options, NULL);
}

static NTSTATUS open_it(HANDLE parent, UNICODE_STRING name, ULONG flags, ACCESS_MASK access,
                        HANDLE *key)
{
    OBJECT_ATTRIBUTES attr;

    *key = NULL;
    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE | flags, parent, NULL);
    return NtOpenKeyEx(key, access, &attr, 0);
}

/* Deletes what is below a key; Win32 calls cannot where names have NULs. */
static void clear(HANDLE key)
{
    ULONG used;
    HANDLE sub;

    while (!NtEnumerateKey(key, 0, 0, big, BIG, &used)) {
        UNICODE_STRING name = counted((WCHAR *)(big + 16), *(ULONG *)(big + 12));
        if (open_it(key, name, OPEN_LINK, KEY_ALL_ACCESS, &sub)) t_die("a key cannot be cleared");
        clear(sub);
        NTSTATUS status = NtDeleteKey(sub);
        NtClose(sub);
        if (status) t_die("a key cannot be deleted: %s", t_status(status));
    }
}

static void remove_key(HANDLE key)
{
    if (!key) return;
    NtDeleteKey(key);
    NtClose(key);
}

static uint32_t hash(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t h = 2166136261u;

    while (n--)
        h = (h ^ *p++) * 16777619u;
    return h;
}

/* All subkeys and values, as numbers; times are left out. */
static void say_content(const char *what, HANDLE key)
{
    ULONG used, i;
    uint32_t sum = 0;

    for (i = 0; !NtEnumerateKey(key, i, 1, big, BIG, &used); i++)
        sum = sum * 31 + hash(big + 8, used - 8);
    t_say("%s: %lu subkeys, %08x", what, i, sum);
    for (sum = 0, i = 0; !NtEnumerateValueKey(key, i, 1, big, BIG, &used); i++)
        sum = sum * 31 + hash(big, used);
    t_say("%s: %lu values, %08x", what, i, sum);
    NTSTATUS status = NtQueryKey(key, 2, big, BIG, &used);
    if (status)
        t_say("%s: %s", what, t_status(status));
    else
        t_say("%s: %lu, %08x", what, used, hash(big + 8, used - 8));
}

static void say_name(const char *what, HANDLE key)
{
    ULONG used = 0;
    NTSTATUS status = NtQueryKey(key, 3, big, BIG, &used);

    t_say("%s: %s %s", what, t_status(status),
          status ? "" : t_text((WCHAR *)(big + 4), (int)(*(ULONG *)big / 2)));
    status = NtQueryObject(key, 1, big, BIG, &used);
    UNICODE_STRING *name = (void *)big;
    t_say("%s: %s %s", what, t_status(status),
          status ? "" : t_text(name->Buffer, name->Length / 2));
}

static void names(void)
{
    static const WCHAR with_nul[] = L"a\0b", other_nul[] = L"A\0c", nul[] = L"\0";
    HANDLE key, sub;
    WCHAR *text = malloc(70000);
    ULONG used;

    t_part("names");
    t_say("key: %s", t_status(make(root, S(L"names"), 0, &key)));
    t_say("with NUL: %s", t_status(make(key, S(with_nul), 0, &sub)));
    say_name("with NUL", sub);
    t_say("open: %s", t_status(open_it(key, S(L"a"), 0, KEY_READ, &sub)));
    t_say("open with NUL: %s", t_status(open_it(key, S(L"A\0B"), 0, KEY_READ, &sub)));
    t_say("only NUL: %s", t_status(make(key, S(nul), 0, &sub)));
    UNICODE_STRING v[] = {S(with_nul), S(other_nul), S(nul), S(L""), S(L"a"), S(L"A\0B")};
    for (unsigned i = 0; i < sizeof v / sizeof *v; i++)
        t_say("value %u: %s", i, t_status(NtSetValueKey(key, &v[i], 0, REG_DWORD, &i, sizeof i)));
    for (unsigned i = 0; i < sizeof v / sizeof *v; i++) {
        NTSTATUS status = NtQueryValueKey(key, &v[i], 1, big, BIG, &used);
        t_say("query %u: %s, %08x", i, t_status(status), status ? 0 : hash(big, used));
    }
    say_content("names", key);
    for (unsigned len = 254; len < 259; len++) {
        for (unsigned i = 0; i < len; i++)
            text[i] = L'k';
        t_say("key of %u: %s", len, t_status(make(key, counted(text, len * 2), 0, &sub)));
        if (sub) say_name("long", sub);
        remove_key(sub);
    }
    for (unsigned len = 16381; len < 16387; len++) {
        for (unsigned i = 0; i < len; i++)
            text[i] = (WCHAR)(L'a' + i % 26);
        UNICODE_STRING name = counted(text, len * 2);
        t_say("value of %u: %s", len, t_status(NtSetValueKey(key, &name, 0, REG_SZ, L"x", 4)));
        t_say("query: %s", t_status(NtQueryValueKey(key, &name, 1, big, BIG, &used)));
    }
    say_content("long names", key);
    for (unsigned len = 16381; len < 16387; len++) {
        UNICODE_STRING name = counted(text, len * 2);
        t_say("delete of %u: %s", len, t_status(NtDeleteValueKey(key, &name)));
    }
    for (unsigned len = 32766; len < 32768; len++) {
        for (unsigned i = 0; i < len; i++)
            text[i] = i % 100 ? L'p' : L'\\';
        text[0] = L'p';
        t_say("path of %u: %s", len, t_status(make(key, counted(text, len * 2), 0, &sub)));
    }
    UNICODE_STRING odd = {3, 3, text};
    t_say("odd length: %s", t_status(make(key, odd, 0, &sub)));
    t_say("empty name: %s", t_status(make(key, S(L""), 0, &sub)));
    say_name("empty name", sub);
    t_say("slashes: %s", t_status(make(key, S(L"\\x"), 0, &sub)));
    t_say("slash behind: %s", t_status(make(key, S(L"x\\"), 0, &sub)));
    say_name("slash behind", sub);
    t_say("two slashes: %s", t_status(make(key, S(L"x\\\\y"), 0, &sub)));
    say_name("two slashes", sub);
    say_content("names", key);
    free(text);
    NtClose(key);
}

static void large(void)
{
    HANDLE key;
    ULONG used = 0, sizes[] = {0, 1, 65536, 262144, 1 << 20, 4 << 20};
    uint8_t *data = malloc(4 << 20);

    t_part("large values");
    make(root, S(L"large"), 0, &key);
    for (unsigned i = 0; i < 4u << 20; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 12));
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        WCHAR text[8] = {(WCHAR)(L'a' + i)};
        UNICODE_STRING name = counted(text, 2);
        t_say("%lu: %s", sizes[i],
              t_status(NtSetValueKey(key, &name, 0, REG_BINARY, data, sizes[i])));
        NTSTATUS status = NtQueryValueKey(key, &name, 2, big, BIG, &used);
        t_say("query: %s, %lu, %08x", t_status(status), used, hash(big, used));
        t_say("too small: %s", t_status(NtQueryValueKey(key, &name, 2, big, sizes[i] / 2, &used)));
        t_say("... %lu", used);
    }
    UNICODE_STRING name = S(L"e");
    t_say("smaller: %s", t_status(NtSetValueKey(key, &name, 0, REG_SZ, data, 10)));
    t_say("bad data: %s", t_status(NtSetValueKey(key, &name, 0, REG_SZ, (void *)16, 10)));
    say_content("large", key);
    free(data);
    NtClose(key);
}

static void many(void)
{
    HANDLE key, sub;
    ULONG used, i, bad = 0;
    WCHAR text[32], last[32] = L"";

    t_part("10,000 subkeys");
    make(root, S(L"many"), 0, &key);
    for (i = 0; i < 10000; i++) {
        unsigned n = (unsigned)(i * 7919 % 10000);
        UNICODE_STRING name = counted(text, 2 * (size_t)swprintf(text, 32, L"k%u", n));
        bad += make(key, name, 0, &sub) != 0;
        NtClose(sub);
    }
    t_ok(!bad, "all were made");
    say_content("all", key);
    for (bad = 0, i = 0; !NtEnumerateKey(key, i, 0, big, BIG, &used); i++) {
        ULONG len = *(ULONG *)(big + 12) / 2;
        memcpy(text, big + 16, len * 2);
        text[len] = 0;
        bad += wcscmp(last, text) >= 0;
        wcscpy(last, text);
    }
    t_ok(!bad, "they come in order");
    /* each second one goes while the list is read */
    for (bad = 0, i = 0; !NtEnumerateKey(key, i, 0, big, BIG, &used);) {
        ULONG len = *(ULONG *)(big + 12);
        memcpy(text, big + 16, len);
        if (i & 1 && !open_it(key, counted(text, len), 0, DELETE, &sub)) {
            bad += NtDeleteKey(sub) != 0;
            NtClose(sub);
        } else {
            i++;
            continue;
        }
        i++;
    }
    t_ok(!bad, "deleting while reading");
    say_content("half", key);
    clear(key);
    say_content("none", key);
    NtClose(key);
}

static void volatiles(void)
{
    HANDLE key, sub, below;

    t_part("volatile keys");
    t_say("key: %s", t_status(make(root, S(L"volatile"), REG_OPTION_VOLATILE, &key)));
    t_say("child: %s", t_status(make(key, S(L"stays"), 0, &sub)));
    t_say("child by full name: %s", t_status(make(root, S(L"volatile\\full"), 0, &sub)));
    t_say("volatile child: %s", t_status(make(key, S(L"v"), REG_OPTION_VOLATILE, &below)));
    t_say("again: %s", t_status(make(root, S(L"volatile"), 0, &sub)));
    t_say("delete: %s", t_status(NtDeleteKey(key)));
    say_content("volatile", key);
    NtClose(below);
    NtClose(sub);
    NtClose(key);
}

static NTSTATUS link_to(HANDLE link, const WCHAR *target)
{
    UNICODE_STRING name = S(L"SymbolicLinkValue");
    return NtSetValueKey(link, &name, 0, REG_LINK, target, (ULONG)wcslen(target) * 2);
}

static void links(void)
{
    static const WCHAR to[] = L"\\Registry\\Machine\\Software\\fvm limits\\links\\target";
    HANDLE key, link, sub, target;
    UNICODE_STRING value = S(L"v");
    DWORD x = 5;
    ULONG used;

    t_part("links");
    make(root, S(L"links"), 0, &key);
    make(key, S(L"target"), 0, &target);
    t_say("link: %s", t_status(make(key, S(L"link"), CREATE_LINK, &link)));
    t_say("without target: %s", t_status(open_it(key, S(L"link"), 0, KEY_READ, &sub)));
    t_say("another value: %s", t_status(NtSetValueKey(link, &value, 0, REG_DWORD, &x, 4)));
    t_say("target: %s", t_status(link_to(link, to)));
    t_say("open: %s", t_status(open_it(key, S(L"link"), 0, KEY_ALL_ACCESS, &sub)));
    say_name("open", sub);
    t_say("set: %s", t_status(NtSetValueKey(sub, &value, 0, REG_DWORD, &x, 4)));
    t_say("read: %s", t_status(NtQueryValueKey(target, &value, 2, big, BIG, &used)));
    NtClose(sub);
    t_say("below: %s", t_status(make(key, S(L"link\\new\\x"), 0, &sub)));
    t_say("below: %s", t_status(make(key, S(L"LINK\\new"), 0, &sub)));
    say_name("below", sub);
    remove_key(sub);
    t_say("create over it: %s", t_status(make(key, S(L"link"), 0, &sub)));
    say_name("create over it", sub);
    NtClose(sub);
    t_say("link over it: %s", t_status(make(key, S(L"link"), CREATE_LINK, &sub)));
    t_say("itself: %s", t_status(open_it(key, S(L"link"), OPEN_LINK, KEY_ALL_ACCESS, &sub)));
    say_name("itself", sub);
    say_content("itself", sub);
    t_say("to itself: %s",
          t_status(link_to(link, L"\\Registry\\Machine\\Software\\fvm limits\\links\\link")));
    NtClose(sub);
    t_say("loop: %s", t_status(open_it(key, S(L"link"), 0, KEY_READ, &sub)));
    t_say("to nowhere: %s", t_status(link_to(link, L"\\Registry\\Machine\\Software\\fvm none\\x")));
    t_say("open: %s", t_status(open_it(key, S(L"link"), 0, KEY_READ, &sub)));
    t_say("make: %s", t_status(make(key, S(L"link"), 0, &sub)));
    t_say("no name: %s", t_status(link_to(link, L"C:\\x")));
    t_say("open: %s", t_status(open_it(key, S(L"link"), 0, KEY_READ, &sub)));
    say_content("links", key);
    /* what a link of the VM's has behind it in the base */
    t_say("to the base: %s", t_status(link_to(link, L"\\Registry\\Machine\\Software\\Microsoft")));
    t_say("open: %s", t_status(open_it(key, S(L"link\\Windows NT"), 0, KEY_READ, &sub)));
    say_name("base", sub);
    NtClose(sub);
    t_say("delete: %s", t_status(NtDeleteKey(link)));
    NtClose(link);
    t_say("gone: %s", t_status(open_it(key, S(L"link"), OPEN_LINK, KEY_READ, &sub)));
    t_say("target stays: %s", t_status(open_it(key, S(L"target"), 0, KEY_READ, &sub)));
    NtClose(sub);
    NtClose(target);
    NtClose(key);
}

static LONG make_hkey(HKEY parent, const WCHAR *name, REGSAM view)
{
    HKEY key = NULL;
    LONG rc = RegCreateKeyExW(parent, name, 0, NULL, 0, KEY_ALL_ACCESS | view, NULL, &key, NULL);

    if (!rc) {
        say_name("made", key);
        RegCloseKey(key);
    }
    return rc;
}

static LONG can_open(HKEY parent, const WCHAR *name, REGSAM view)
{
    HKEY key;
    LONG rc = RegOpenKeyExW(parent, name, 0, KEY_READ | view, &key);

    if (!rc) RegCloseKey(key);
    return rc;
}

static void views(void)
{
    t_part("the view of 32-bit programs");
    t_say("32: %ld", make_hkey(HKEY_LOCAL_MACHINE, L"Software\\fvm view", KEY_WOW64_32KEY));
    t_say("open 64: %ld", can_open(HKEY_LOCAL_MACHINE, L"Software\\fvm view", KEY_WOW64_64KEY));
    t_say("open 32: %ld", can_open(HKEY_LOCAL_MACHINE, L"Software\\fvm view", KEY_WOW64_32KEY));
    t_say("by name: %ld", can_open(HKEY_LOCAL_MACHINE, L"Software\\Wow6432Node\\fvm view", 0));
    t_say("classes, 32: %ld",
          make_hkey(HKEY_LOCAL_MACHINE, L"Software\\Classes\\CLSID\\{fvm-view}", KEY_WOW64_32KEY));
    t_say("shared, 32: %ld",
          make_hkey(HKEY_LOCAL_MACHINE, L"Software\\Wow6432Node\\Classes\\.fvmview", 0));
    t_say("seen: %ld", can_open(HKEY_CLASSES_ROOT, L".fvmview", 0));
    t_say("seen: %ld", can_open(HKEY_CLASSES_ROOT, L"Wow6432Node\\CLSID\\{fvm-view}", 0));
    t_say("delete: %ld",
          RegDeleteKeyExW(HKEY_LOCAL_MACHINE, L"Software\\fvm view", KEY_WOW64_32KEY, 0));
    t_say("delete: %ld",
          RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\Wow6432Node\\Classes\\CLSID\\{fvm-view}"));
    t_say("delete: %ld", RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\Classes\\.fvmview"));
    t_say("delete: %ld",
          RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\Wow6432Node\\Classes\\.fvmview"));
}

static void predefined(void)
{
    static const struct {
        const char *name;
        HKEY key;
    } keys[] = {
        {"HKCR", HKEY_CLASSES_ROOT}, {"HKCU", HKEY_CURRENT_USER},   {"HKLM", HKEY_LOCAL_MACHINE},
        {"HKU", HKEY_USERS},         {"HKCC", HKEY_CURRENT_CONFIG}, {"HKDD", HKEY_DYN_DATA},
    };
    HKEY key, other;
    DWORD size = 4, type;

    t_part("predefined keys");
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        LONG rc = RegOpenKeyExW(keys[i].key, NULL, 0, KEY_READ, &key);
        t_say("%s: %ld", keys[i].name, rc);
        if (!rc && key != keys[i].key) say_name(keys[i].name, key);
        if (!rc) RegCloseKey(key);
    }
    t_say("HKCR: %ld", make_hkey(HKEY_CLASSES_ROOT, HKCR_CLASS, 0));
    t_say("by name: %ld", can_open(HKEY_LOCAL_MACHINE, L"Software\\Classes\\" HKCR_CLASS, 0));
    t_say("of the user: %ld", make_hkey(HKEY_CURRENT_USER, L"Software\\Classes\\fvm.user", 0));
    t_say("seen in HKCR: %ld", can_open(HKEY_CLASSES_ROOT, L"fvm.user", 0));
    t_say("delete: %ld", RegDeleteKeyW(HKEY_CLASSES_ROOT, HKCR_CLASS));
    t_say("delete: %ld", RegDeleteKeyW(HKEY_CURRENT_USER, L"Software\\Classes\\fvm.user"));
    t_say("HKCC: %ld", make_hkey(HKEY_CURRENT_CONFIG, L"Software\\fvm", 0));
    t_say("by name: %ld",
          can_open(HKEY_LOCAL_MACHINE,
                   L"System\\CurrentControlSet\\Hardware Profiles\\Current\\Software\\fvm", 0));
    t_say("delete: %ld", RegDeleteKeyW(HKEY_CURRENT_CONFIG, L"Software\\fvm"));
    t_say("performance: %ld",
          RegQueryValueExW(HKEY_PERFORMANCE_DATA, L"fvm none", NULL, &type, big, &size));
    t_say("current user: %ld", RegOpenCurrentUser(KEY_READ, &key));
    say_name("current user", key);
    RegCloseKey(key);
    t_say("this machine: %ld", RegConnectRegistryW(NULL, HKEY_LOCAL_MACHINE, &key));
    RegCloseKey(key);
    /* another key in the place of HKCU */
    RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\fvm limits\\me", 0, NULL, 0, KEY_ALL_ACCESS,
                    NULL, &key, NULL);
    t_say("override: %ld", RegOverridePredefKey(HKEY_CURRENT_USER, key));
    t_say("made in it: %ld", make_hkey(HKEY_CURRENT_USER, L"Software", 0));
    t_say("back: %ld", RegOverridePredefKey(HKEY_CURRENT_USER, NULL));
    t_say("not there: %ld", can_open(key, L"Software", 0));
    if (!RegOpenKeyExW(HKEY_CURRENT_USER, L"Software", 0, KEY_READ, &other)) {
        say_name("HKCU", other);
        RegCloseKey(other);
    }
    RegDeleteTreeW(key, NULL);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\fvm limits\\me");
    RegCloseKey(key);
}

static void handles(void)
{
    HANDLE key, copy, less, again;
    UNICODE_STRING value = S(L"v");
    DWORD x = 1;

    t_part("handles");
    make(root, S(L"handles"), 0, &key);
    t_say("copy: %d", DuplicateHandle(GetCurrentProcess(), key, GetCurrentProcess(), &copy, 0,
                                      FALSE, DUPLICATE_SAME_ACCESS));
    t_say("less: %d", DuplicateHandle(GetCurrentProcess(), key, GetCurrentProcess(), &less,
                                      KEY_QUERY_VALUE, FALSE, 0));
    t_say("set by the copy: %s", t_status(NtSetValueKey(copy, &value, 0, REG_DWORD, &x, 4)));
    t_say("set with less: %s", t_status(NtSetValueKey(less, &value, 0, REG_DWORD, &x, 4)));
    say_name("copy", copy);
    say_content("less", less);
    t_say("for writing: %s", t_status(open_it(root, S(L"handles"), 0, KEY_SET_VALUE, &again)));
    say_name("for writing", again);
    say_content("for writing", again);
    t_say("delete with it: %s", t_status(NtDeleteKey(again)));
    NtClose(again);
    t_say("delete: %s", t_status(NtDeleteKey(copy)));
    say_name("deleted", key);
    say_content("deleted", key);
    t_say("set: %s", t_status(NtSetValueKey(key, &value, 0, REG_DWORD, &x, 4)));
    t_say("below: %s", t_status(make(key, S(L"x"), 0, &again)));
    t_say("open below: %s", t_status(open_it(key, S(L"x"), 0, KEY_READ, &again)));
    t_say("made anew: %s", t_status(make(root, S(L"handles"), 0, &again)));
    t_say("the old one: %s", t_status(NtSetValueKey(key, &value, 0, REG_DWORD, &x, 4)));
    t_say("the new one: %s", t_status(NtSetValueKey(again, &value, 0, REG_DWORD, &x, 4)));
    NtClose(key);
    NtClose(copy);
    NtClose(less);
    remove_key(again);
}

static void security(void)
{
    SECURITY_DESCRIPTOR sd;
    HANDLE key, sub;
    ULONG used = 0;

    t_part("security");
    make(root, S(L"security"), 0, &key);
    NTSTATUS status = NtQuerySecurityObject(key, OWNER_SECURITY_INFORMATION, big, BIG, &used);
    t_say("owner: %s, %lu", t_status(status), used);
    status = NtQuerySecurityObject(key, DACL_SECURITY_INFORMATION, big, BIG, &used);
    t_say("access: %s, %lu", t_status(status), used);
    t_say("too small: %s",
          t_status(NtQuerySecurityObject(key, OWNER_SECURITY_INFORMATION, big, 4, &used)));
    InitializeSecurityDescriptor(&sd, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&sd, TRUE, NULL, FALSE);
    t_say("set: %s", t_status(NtSetSecurityObject(key, DACL_SECURITY_INFORMATION, &sd)));
    status = NtQuerySecurityObject(key, DACL_SECURITY_INFORMATION, big, BIG, &used);
    t_say("then: %s, %lu", t_status(status), used);
    t_say("open: %s", t_status(open_it(root, S(L"security"), 0, KEY_READ, &sub)));
    t_say("set, for reading: %s",
          t_status(NtSetSecurityObject(sub, DACL_SECURITY_INFORMATION, &sd)));
    NtClose(sub);
    NtClose(key);
}

static void say_rights(const char *what, UNICODE_STRING name, ACCESS_MASK access)
{
    HANDLE key;
    NTSTATUS status = open_it(NULL, name, 0, access, &key);
    ULONG used, *basic = (ULONG *)big;

    if (!status) NtQueryObject(key, 0, big, 56, &used);
    t_say("%s: %s, %lx", what, t_status(status), status ? 0 : basic[1]);
    if (!status) NtClose(key);
}

/* Of a key that a VM finds in its base. */
static void base_security(void)
{
    UNICODE_STRING name = S(L"\\Registry\\Machine\\Software\\Microsoft\\Cryptography");
    UNICODE_STRING other = S(L"\\REGISTRY\\machine\\SOFTWARE\\microsoft\\cryptography");
    const SECURITY_INFORMATION parts = DACL_SECURITY_INFORMATION;
    SID_IDENTIFIER_AUTHORITY world = SECURITY_WORLD_SID_AUTHORITY;
    static uint8_t before[4096], list[256];
    ACL *acl = (ACL *)list;
    SECURITY_DESCRIPTOR sd;
    ULONG used = 0, size = 0;
    HANDLE key, weak;
    PSID everyone;

    t_part("security of a key of the base");
    t_say("open: %s", t_status(open_it(NULL, name, 0, KEY_READ | WRITE_DAC, &key)));
    t_say("before: %s", t_status(NtQuerySecurityObject(key, parts, before, sizeof before, &size)));
    t_say("size %lu, %08x", size, hash(before, size));
    AllocateAndInitializeSid(&world, 1, SECURITY_WORLD_RID, 0, 0, 0, 0, 0, 0, 0, &everyone);
    InitializeAcl(acl, sizeof list, ACL_REVISION);
    AddAccessAllowedAce(acl, ACL_REVISION, KEY_READ | DELETE, everyone);
    InitializeSecurityDescriptor(&sd, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&sd, TRUE, acl, FALSE);
    open_it(NULL, name, 0, KEY_READ, &weak);
    t_say("without the right: %s", t_status(NtSetSecurityObject(weak, parts, &sd)));
    t_say("only reading: %s", t_status(NtSetSecurityObject(key, parts, &sd)));
    NTSTATUS status = NtQuerySecurityObject(weak, parts, big, BIG, &used);
    t_say("by another handle: %s, %lu, %08x", t_status(status), used, hash(big, used));
    t_say("too small: %s", t_status(NtQuerySecurityObject(weak, parts, big, 8, &used)));
    say_rights("read", name, KEY_READ);
    say_rights("write", name, KEY_WRITE);
    say_rights("write, other case", other, KEY_SET_VALUE);
    say_rights("all", name, KEY_ALL_ACCESS);
    say_rights("what is allowed", name, MAXIMUM_ALLOWED);
    t_say("back: %s", t_status(NtSetSecurityObject(key, parts, before)));
    status = NtQuerySecurityObject(weak, parts, big, BIG, &used);
    t_say("then: %s, %lu, %08x", t_status(status), used, hash(big, used));
    say_rights("write", name, KEY_WRITE);
    say_rights("what is allowed", name, MAXIMUM_ALLOWED);
    FreeSid(everyone);
    NtClose(weak);
    NtClose(key);
}

static void trees(void)
{
    HKEY from, to, sub;
    WCHAR text[64];

    t_part("trees");
    RegCreateKeyExW(root, L"from", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &from, NULL);
    for (unsigned i = 0; i < 20; i++) {
        swprintf(text, 64, L"a%u\\b%u\\c", i % 5, i);
        RegCreateKeyExW(from, text, 0, (WCHAR *)L"class", 0, KEY_ALL_ACCESS, NULL, &sub, NULL);
        RegSetValueExW(sub, text, 0, REG_SZ, (BYTE *)text, 20);
        RegCloseKey(sub);
    }
    RegCreateKeyExW(root, L"to", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &to, NULL);
    t_say("copy: %ld", RegCopyTreeW(from, NULL, to));
    say_content("copy", to);
    RegOpenKeyExW(to, L"a3", 0, KEY_ALL_ACCESS, &sub);
    say_content("below", sub);
    RegCloseKey(sub);
    t_say("delete: %ld", RegDeleteTreeW(root, L"from"));
    say_content("deleted", from);
    t_say("delete with subkeys: %ld", RegDeleteKeyW(root, L"to"));
    RegCloseKey(from);
    RegCloseKey(to);
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    big = malloc(BIG);
    if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\fvm limits", 0, NULL, 0, KEY_ALL_ACCESS,
                        NULL, (HKEY *)&root, NULL))
        t_die("the key cannot be made");
    clear(root); /* of a run that was ended */
    names();
    large();
    many();
    volatiles();
    links();
    views();
    predefined();
    handles();
    security();
    base_security();
    trees();
    clear(root);
    t_say("end: %s", t_status(NtDeleteKey(root)));
    t_say("gone: %ld", can_open(HKEY_LOCAL_MACHINE, L"Software\\fvm limits", 0));
    return t_end();
}
