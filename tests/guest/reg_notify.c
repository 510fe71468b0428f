/* Waiting for changes of keys: which change wakes which waiter. Makes and removes a key of its
 * own; the same natively and in a VM. With the option "base" the watched keys are to be ones of
 * the base: the subkeys of HKCU\Software\Wine are not touched, but their parent is watched. */
#include "test.h"

#define ROOT L"Software\\fvm notify"

static bool fired(HANDLE event) { return WaitForSingleObject(event, 0) == WAIT_OBJECT_0; }

struct watch {
    HKEY key;
    HANDLE event;
    DWORD filter;
    bool subtree;
};

static void arm(struct watch *w)
{
    LONG rc = RegNotifyChangeKeyValue(w->key, w->subtree, w->filter, w->event, TRUE);
    if (rc) t_say("arming: %ld", rc);
}

static void show(const char *what, struct watch *w, int n)
{
    char text[64] = "";
    for (int i = 0; i < n; i++) {
        bool f = fired(w[i].event);
        strcat(text, f ? " yes" : " no");
        if (f) arm(&w[i]);
    }
    t_say("%s:%s", what, text);
}

static DWORD WINAPI sleeper(void *key)
{
    return (DWORD)RegNotifyChangeKeyValue(key, TRUE, REG_NOTIFY_CHANGE_LAST_SET, NULL, FALSE);
}

int main(int argc, char **argv)
{
    HKEY root, sub, deep, other;
    DWORD disposition;

    t_begin(argc, argv);
    RegDeleteTreeW(HKEY_CURRENT_USER, ROOT);
    RegCreateKeyExW(HKEY_CURRENT_USER, ROOT L"\\a\\b", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &deep,
                    &disposition);
    RegOpenKeyExW(HKEY_CURRENT_USER, ROOT, 0, KEY_ALL_ACCESS, &root);
    RegOpenKeyExW(root, L"a", 0, KEY_ALL_ACCESS, &sub);
    struct watch w[] = {
        {.filter = REG_NOTIFY_CHANGE_LAST_SET},
        {.filter = REG_NOTIFY_CHANGE_LAST_SET, .subtree = true},
        {.filter = REG_NOTIFY_CHANGE_NAME},
        {.filter = REG_NOTIFY_CHANGE_NAME, .subtree = true},
        {.filter = REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET, .subtree = true},
    };
    const int n = sizeof w / sizeof *w;

    t_part("a key and what lies below it");
    for (int i = 0; i < n; i++) {
        /* the last one watches a key of the base, which the VM has not made */
        if (i == n - 1)
            RegOpenKeyExW(HKEY_CURRENT_USER, L"Software", 0, KEY_NOTIFY, &w[i].key);
        else
            RegOpenKeyExW(root, NULL, 0, KEY_NOTIFY, &w[i].key);
        w[i].event = CreateEventW(NULL, FALSE, FALSE, NULL);
        arm(&w[i]);
    }
    show("nothing", w, n);
    RegSetValueExW(root, L"x", 0, REG_SZ, (BYTE *)L"1", 4);
    show("value set", w, n);
    RegSetValueExW(root, L"x", 0, REG_SZ, (BYTE *)L"1", 4);
    show("same value set", w, n);
    RegSetValueExW(deep, L"x", 0, REG_SZ, (BYTE *)L"1", 4);
    show("value set below", w, n);
    RegDeleteValueW(root, L"x");
    show("value deleted", w, n);
    RegCreateKeyW(root, L"new", &other);
    show("key made", w, n);
    RegCloseKey(other);
    RegCreateKeyW(deep, L"new", &other);
    show("key made below", w, n);
    RegCloseKey(other);
    RegCreateKeyW(root, L"new", &other);
    show("key opened", w, n);
    RegCloseKey(other);
    RegDeleteKeyW(root, L"new");
    show("key deleted", w, n);
    RegDeleteKeyW(deep, L"new");
    show("key deleted below", w, n);
    for (int i = 0; i < 300; i++) {
        DWORD value = (DWORD)i;
        RegSetValueExW(root, L"many", 0, REG_DWORD, (BYTE *)&value, sizeof value);
        if (fired(w[0].event)) arm(&w[0]);
        else t_say("%d not told", i);
    }
    show("300 changes", w, n);

    t_part("without an event");
    HANDLE thread = CreateThread(NULL, 0, sleeper, sub, 0, NULL);
    t_say("waits: %d", WaitForSingleObject(thread, 100) == WAIT_TIMEOUT);
    RegSetValueExW(deep, L"y", 0, REG_SZ, (BYTE *)L"1", 4);
    t_say("woken: %d", WaitForSingleObject(thread, 10000) == WAIT_OBJECT_0);
    CloseHandle(thread);

    t_part("closing");
    RegCloseKey(w[0].key);
    t_say("closed: %d", fired(w[0].event));
    for (int i = 1; i < n; i++)
        RegCloseKey(w[i].key);

    t_part("rights");
    RegOpenKeyExW(root, NULL, 0, KEY_QUERY_VALUE, &other);
    t_say("no right: %ld",
          RegNotifyChangeKeyValue(other, TRUE, REG_NOTIFY_CHANGE_NAME, w[0].event, TRUE));
    RegCloseKey(other);
    RegCloseKey(deep);
    RegCloseKey(sub);
    RegCloseKey(root);
    t_say("end: %ld", RegDeleteTreeW(HKEY_CURRENT_USER, ROOT));
    return t_end();
}
