/* Many processes write, enumerate and delete below one key; each knows what it must find.
 *
 *   reg_many DIR [SECONDS [WORKERS]]    all of it, on a key of its own
 *   reg_many DIR count NAME             counts in the value NAME and prints each number when it
 *                                       is written, until it is killed or writing fails
 *   reg_many DIR show NAME              prints that value */
#include "test.h"

#include <stdlib.h>

#define ROOT L"Software\\fvm many"

static HKEY open_root(void)
{
    HKEY key;
    LONG rc = RegCreateKeyExW(HKEY_CURRENT_USER, ROOT, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL);
    if (rc) t_die("the key cannot be made: %ld", rc);
    return key;
}

/* Everything below the key: in order, nothing twice, and the worker's own keys with what is in
 * them. Returns how many of its own it found. */
static unsigned look(HKEY root, const WCHAR *mine)
{
    WCHAR name[64], last[64] = L"";
    unsigned found = 0;

    for (DWORD i = 0;; i++) {
        DWORD len = 64;
        LONG rc = RegEnumKeyExW(root, i, name, &len, NULL, NULL, NULL, NULL);
        if (rc == ERROR_NO_MORE_ITEMS) break;
        if (rc) t_die("enumerating: %ld at %lu", rc, i);
        /* others make and delete meanwhile: an index may give the same name again, or skip one,
         * as on the host; what it gives is a name */
        if (wcsncmp(name, L"w", 1)) t_die("a strange name: %s", t_text(name, (int)len));
        if (!wcsncmp(name, mine, wcslen(mine)) && wcscmp(name, last)) found++;
        wcscpy(last, name);
    }
    return found;
}

static int work(unsigned number, unsigned seconds)
{
    ULONGLONG end = GetTickCount64() + seconds * 1000;
    HKEY root = open_root(), key;
    WCHAR mine[16], name[64];
    unsigned long rounds = 0;

    swprintf(mine, 16, L"w%02u-", number);
    while (GetTickCount64() < end) {
        DWORD value = 0, size = sizeof value;
        for (unsigned i = 0; i < 10; i++) {
            DWORD disposition;
            swprintf(name, 64, L"%ls%u", mine, i);
            LONG rc = RegCreateKeyExW(root, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key,
                                      &disposition);
            if (rc || disposition != REG_CREATED_NEW_KEY)
                t_die("%u: making %u: %ld, %lu", number, i, rc, disposition);
            value = (DWORD)rounds * 10 + i;
            rc = RegSetValueExW(key, L"v", 0, REG_DWORD, (BYTE *)&value, sizeof value);
            if (rc) t_die("%u: setting %u: %ld", number, i, rc);
            RegCloseKey(key);
        }
        look(root, mine);
        for (unsigned i = 0; i < 10; i++) {
            swprintf(name, 64, L"%ls%u", mine, i);
            LONG rc = RegGetValueW(root, name, L"v", RRF_RT_REG_DWORD, NULL, &value, &size);
            if (rc || value != rounds * 10 + i)
                t_die("%u: reading %u: %ld, %lu", number, i, rc, value);
            if (RegOpenKeyExW(root, name, 0, KEY_ALL_ACCESS, &key))
                t_die("%u: opening %u", number, i);
            if (i % 2 && (rc = RegDeleteValueW(key, L"v"))) t_die("%u: value %ld", number, rc);
            if ((rc = RegDeleteKeyW(root, name))) t_die("%u: deleting %u: %ld", number, i, rc);
            if (RegSetValueExW(key, L"v", 0, REG_DWORD, (BYTE *)&value, 4) != ERROR_KEY_DELETED)
                t_die("%u: the deleted key %u takes values", number, i);
            RegCloseKey(key);
            if (RegOpenKeyExW(root, name, 0, KEY_READ, &key) != ERROR_FILE_NOT_FOUND)
                t_die("%u: the deleted key %u is there", number, i);
        }
        rounds++;
    }
    RegCloseKey(root);
    return rounds ? 0 : 1;
}

static int count(const char *name)
{
    HKEY root = open_root();
    WCHAR wide[64];

    swprintf(wide, 64, L"%hs", name);
    for (DWORD n = 1;; n++) {
        LONG rc = RegSetValueExW(root, wide, 0, REG_DWORD, (BYTE *)&n, sizeof n);
        if (rc) {
            printf("error %ld\n", rc);
            return 1;
        }
        printf("%lu\n", n);
        fflush(stdout);
    }
}

static int show(const char *name)
{
    HKEY root = open_root();
    DWORD n = 0, size = sizeof n;
    WCHAR wide[64];

    swprintf(wide, 64, L"%hs", name);
    RegQueryValueExW(root, wide, NULL, NULL, (BYTE *)&n, &size);
    printf("%lu\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[2], "count")) return count(argv[3]);
    if (argc > 3 && !strcmp(argv[2], "show")) return show(argv[3]);
    t_begin(argc, argv);
    const char *option = t_option(0);
    if (option && !strcmp(option, "work"))
        return work((unsigned)atoi(t_option(1)), (unsigned)atoi(t_option(2)));
    unsigned seconds = option ? (unsigned)atoi(option) : 4;
    unsigned workers = t_option(1) ? (unsigned)atoi(t_option(1)) : 8;
    HANDLE process[64];

    RegDeleteTreeW(HKEY_CURRENT_USER, ROOT);
    RegCloseKey(open_root());
    if (workers > 64) workers = 64;
    for (unsigned i = 0; i < workers; i++)
        process[i] = t_spawn("work %u %u", i, seconds);
    unsigned good = 0;
    for (unsigned i = 0; i < workers; i++)
        good += t_wait(process[i]) == 0;
    t_ok(good == workers, "%u processes found what they had made", workers);
    HKEY root = open_root();
    DWORD keys = 99, values = 99;
    RegQueryInfoKeyW(root, NULL, NULL, NULL, &keys, NULL, NULL, &values, NULL, NULL, NULL, NULL);
    t_ok(!keys && !values, "nothing is left");
    RegCloseKey(root);
    t_say("end: %ld", RegDeleteTreeW(HKEY_CURRENT_USER, ROOT));
    return t_end();
}
