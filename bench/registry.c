/* Micro-benchmarks of the registry: what bench/run.sh times natively and in a VM.
 *
 * registry KEY prepare    makes the content, in the base, that all runs work on
 * registry KEY            measures, and leaves the key as it was
 * registry KEY remove     takes the content away
 *
 * KEY stands below HKEY_LOCAL_MACHINE. In a VM the measured run has changed something beside
 * everything that is called unchanged here: a VM that has changed nothing at all would let the
 * host answer without a look. Prints lines as micro.c does. */
#include <windows.h>
#include <winternl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "measure.h"

#define SUBKEYS 1000
#define SAVED   10000

static WCHAR root[256];

static void check(LONG rc, const char *what)
{
    if (!rc) return;
    fprintf(stderr, "registry: %s: error %ld\n", what, rc);
    exit(1);
}

static HKEY make(const WCHAR *name)
{
    WCHAR full[400];
    HKEY key;

    swprintf(full, 400, L"%ls\\%ls", root, name);
    check(RegCreateKeyExW(HKEY_LOCAL_MACHINE, full, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL),
          "making a key");
    return key;
}

static void set(HKEY key, const WCHAR *name, DWORD value)
{
    check(RegSetValueExW(key, name, 0, REG_DWORD, (BYTE *)&value, sizeof value), "setting a value");
}

static void make_sub(HKEY key, const WCHAR *form, unsigned number)
{
    WCHAR name[32];
    HKEY sub;

    swprintf(name, 32, form, number);
    check(RegCreateKeyExW(key, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &sub, NULL), "a subkey");
    RegCloseKey(sub);
}

static void delete_sub(HKEY key, const WCHAR *form, unsigned number)
{
    WCHAR name[32];

    swprintf(name, 32, form, number);
    check(RegDeleteKeyW(key, name), "deleting a subkey");
}

/* --- what is measured --------------------------------------------------------------------- */

static HKEY key;
static WCHAR target[400];
static DWORD counter;

static void open_query_close(void)
{
    DWORD value, size = sizeof value;
    HKEY k;

    check(RegOpenKeyExW(HKEY_LOCAL_MACHINE, target, 0, KEY_READ, &k), "opening");
    check(RegQueryValueExW(k, L"v", NULL, NULL, (BYTE *)&value, &size), "querying");
    RegCloseKey(k);
}

static void open_missing(void)
{
    HKEY k;

    if (!RegOpenKeyExW(HKEY_LOCAL_MACHINE, target, 0, KEY_READ, &k)) check(1, "a key is there");
}

static void query_value(void)
{
    DWORD value, size = sizeof value;

    check(RegQueryValueExW(key, L"v", NULL, NULL, (BYTE *)&value, &size), "querying");
}

static void set_value(void)
{
    set(key, L"v", ++counter);
}

static void create_delete(void)
{
    make_sub(key, L"new", 0);
    delete_sub(key, L"new", 0);
}

/* Opened anew each time, as programs do it. */
static void enumerate(void)
{
    WCHAR name[64];
    unsigned n = 0;
    HKEY k;

    check(RegOpenKeyExW(HKEY_LOCAL_MACHINE, target, 0, KEY_READ, &k), "opening");
    for (DWORD size = 64; !RegEnumKeyExW(k, n, name, &size, NULL, NULL, NULL, NULL); size = 64)
        n++;
    RegCloseKey(k);
    if (n != SUBKEYS) check((LONG)n, "enumerating gives a wrong number of keys");
}

static void query_info(void)
{
    DWORD subkeys = 0, values;

    check(RegQueryInfoKeyW(key, NULL, NULL, NULL, &subkeys, NULL, NULL, &values, NULL, NULL, NULL,
                           NULL),
          "asking for facts");
    if (subkeys != SUBKEYS) check((LONG)subkeys, "a wrong number of keys");
}

static void save(void)
{
    WCHAR file[MAX_PATH + 32];

    GetTempPathW(MAX_PATH, file);
    wcscat(file, L"fvm-bench.hiv");
    DeleteFileW(file);
    check(RegSaveKeyW(key, file, NULL), "saving");
}

static void load(void)
{
    WCHAR file[MAX_PATH + 32];

    GetTempPathW(MAX_PATH, file);
    wcscat(file, L"fvm-bench.hiv");
    check(RegLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm-bench-loaded", file), "loading");
    check(RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"fvm-bench-loaded"), "unloading");
}

static void enable(const WCHAR *privilege)
{
    TOKEN_PRIVILEGES p = {.PrivilegeCount = 1, .Privileges[0].Attributes = SE_PRIVILEGE_ENABLED};
    HANDLE token;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token)) return;
    if (LookupPrivilegeValueW(NULL, privilege, &p.Privileges[0].Luid))
        AdjustTokenPrivileges(token, FALSE, &p, 0, NULL, NULL);
    CloseHandle(token);
}

static void prepare(void)
{
    static const WCHAR *const lists[] = {L"many", L"half", L"values"};

    set(make(L"one"), L"v", 1);
    for (unsigned l = 0; l < 3; l++) {
        HKEY list = make(lists[l]);
        for (unsigned i = 0; i < SUBKEYS; i++)
            make_sub(list, L"k%04u", i);
        RegCloseKey(list);
    }
}

/* Half of the entries are others than before: a quarter deleted, a quarter new. */
static void change_half(bool back)
{
    for (unsigned i = 0; i < SUBKEYS; i += 4) {
        if (back) {
            make_sub(key, L"k%04u", i);
            delete_sub(key, L"n%04u", i);
        } else {
            delete_sub(key, L"k%04u", i);
            make_sub(key, L"n%04u", i);
        }
    }
}

/* Each second subkey has a value of its own. */
static void change_values(bool back)
{
    for (unsigned i = 0; i < SUBKEYS; i += 2) {
        WCHAR name[32];
        HKEY sub;
        swprintf(name, 32, L"k%04u", i);
        check(RegOpenKeyExW(key, name, 0, KEY_SET_VALUE, &sub), "opening a subkey");
        if (back)
            check(RegDeleteValueW(sub, L"v"), "deleting a value");
        else
            set(sub, L"v", i);
        RegCloseKey(sub);
    }
}

static void go(void)
{
    HKEY own = make(L"own");

    set(own, L"v", 0);
    swprintf(target, 400, L"%ls\\one", root);
    measure("registry: open+query+close, unchanged", open_query_close, 1500, 4);
    swprintf(target, 400, L"%ls\\one\\missing", root);
    measure("registry: open of a missing key", open_missing, 1500, 4);
    key = make(L"one");
    measure("registry: query of an unchanged value", query_value, 1500, 8);
    RegCloseKey(key);
    key = own;
    measure("registry: query of an own value", query_value, 1500, 8);
    measure("registry: set of an own value", set_value, 1500, 8);
    measure("registry: create+delete in an own key", create_delete, 1000, 2);
    key = make(L"one");
    measure("registry: create+delete in an unchanged key", create_delete, 1000, 2);
    RegCloseKey(key);
    swprintf(target, 400, L"%ls\\many", root);
    measure("registry: list of 1,000 unchanged subkeys", enumerate, 60, 1);
    swprintf(target, 400, L"%ls\\half", root);
    key = make(L"half");
    change_half(false);
    measure("registry: list of 1,000, half of them others", enumerate, 60, 1);
    measure("registry: facts about this key", query_info, 500, 1);
    change_half(true);
    RegCloseKey(key);
    swprintf(target, 400, L"%ls\\values", root);
    key = make(L"values");
    change_values(false);
    measure("registry: list of 1,000, half with own values", enumerate, 60, 1);
    change_values(true);
    RegCloseKey(key);
    key = make(L"saved");
    for (unsigned i = 0; i < SAVED; i++) {
        WCHAR name[32];
        swprintf(name, 32, L"value %u", i);
        set(key, name, i);
    }
    enable(L"SeBackupPrivilege");
    enable(L"SeRestorePrivilege");
    measure("registry: RegSaveKey of 10,000 values", save, 20, 1);
    measure("registry: RegLoadKey of 10,000 values", load, 10, 1);
    RegCloseKey(key);
}

static void delete_below(const WCHAR *name)
{
    WCHAR full[400];

    swprintf(full, 400, L"%ls\\%ls", root, name);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, full);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, full);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: registry KEY [prepare|remove]\n");
        return 2;
    }
    MultiByteToWideChar(CP_UTF8, 0, argv[1], -1, root, 200);
    if (argc > 2 && argv[2][0] == 'p') {
        prepare();
    } else if (argc > 2) {
        RegDeleteTreeW(HKEY_LOCAL_MACHINE, root);
        RegDeleteKeyW(HKEY_LOCAL_MACHINE, root);
    } else {
        go();
        delete_below(L"own");
        delete_below(L"saved");
    }
    return 0;
}
