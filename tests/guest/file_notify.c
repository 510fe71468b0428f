/* Change notification. The order of events within one operation is the host's, so only
 * what is stable is printed: the set of names and actions, sorted. */
#include "test.h"

#define ALL_CHANGES                                                                                \
    (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_ATTRIBUTES |  \
     FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_CREATION)

struct watch {
    HANDLE dir, event;
    IO_STATUS_BLOCK io;
    DWORD filter;
    bool tree;
    char buffer[8192];
};

static void arm(struct watch *w)
{
    NTSTATUS status;

    ResetEvent(w->event);
    w->io.Information = 0;
    status = NtNotifyChangeDirectoryFile(w->dir, w->event, NULL, NULL, &w->io, w->buffer,
                                         sizeof w->buffer, w->filter, w->tree);
    if (status != STATUS_PENDING && status != STATUS_SUCCESS)
        t_say("  watch: %s", t_status(status));
}

static void start(struct watch *w, const char *name, DWORD filter, bool tree)
{
    memset(w, 0, sizeof *w);
    w->dir = CreateFileW(t_dos("%s", name), FILE_LIST_DIRECTORY, 7, NULL, OPEN_EXISTING,
                         FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    w->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    w->filter = filter;
    w->tree = tree;
    if (w->dir == INVALID_HANDLE_VALUE) t_die("cannot open %s: %lu", name, GetLastError());
    arm(w);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Gathers until nothing more comes, prints each action and name once, sorted. */
static void report(struct watch *w, const char *label)
{
    static const char *const actions[] = {"?",        "added",        "removed",
                                          "modified", "renamed from", "renamed to"};
    char *lines[200];
    int count = 0, i;

    while (count < 199 && WaitForSingleObject(w->event, count ? 30 : 200) == WAIT_OBJECT_0) {
        const FILE_NOTIFY_INFORMATION *info = (const FILE_NOTIFY_INFORMATION *)w->buffer;

        if (!w->io.Information) {
            lines[count++] = _strdup("overflow");
        } else {
            for (;;) {
                char text[600];

                snprintf(text, sizeof text, "%s %s", actions[info->Action < 6 ? info->Action : 0],
                         t_text(info->FileName, (int)info->FileNameLength / 2));
                lines[count++] = _strdup(text);
                if (!info->NextEntryOffset || count >= 199) break;
                info =
                    (const FILE_NOTIFY_INFORMATION *)((const char *)info + info->NextEntryOffset);
            }
        }
        arm(w);
    }
    qsort(lines, (size_t)count, sizeof lines[0], by_text);
    t_say("%s:", label);
    for (i = 0; i < count; i++)
        if (!i || strcmp(lines[i], lines[i - 1])) t_say("  %s", lines[i]);
    for (i = 0; i < count; i++)
        free(lines[i]);
}

static void stop(struct watch *w)
{
    IO_STATUS_BLOCK io;

    NtCancelIoFile(w->dir, &io);
    WaitForSingleObject(w->event, 1000);
    CloseHandle(w->dir);
    CloseHandle(w->event);
}

static void operations(const char *dir, DWORD filter, bool tree)
{
    struct watch w;
    HANDLE h;
    IO_STATUS_BLOCK io;

    t_part("%s filter %lx%s", dir, filter, tree ? " with what is below" : "");
    start(&w, dir, filter, tree);
    t_put(t_dos("%s\\new.txt", dir), "new");
    report(&w, "new file");
    t_put(t_dos("%s\\new.txt", dir), "changed");
    report(&w, "changed");
    h = t_open(t_nt("%s\\x.txt", dir), GENERIC_WRITE, 0);
    NtWriteFile(h, NULL, NULL, NULL, &io, "X", 1, NULL, NULL);
    NtClose(h);
    report(&w, "a file that was there, changed");
    SetFileAttributesW(t_dos("%s\\x.txt", dir), FILE_ATTRIBUTE_READONLY);
    SetFileAttributesW(t_dos("%s\\x.txt", dir), FILE_ATTRIBUTE_NORMAL);
    report(&w, "its attributes");
    MoveFileW(t_dos("%s\\x.txt", dir), t_dos("%s\\y.txt", dir));
    report(&w, "renamed");
    MoveFileW(t_dos("%s\\new.txt", dir),
              t_dos("moved away%s", strchr(dir, '\\') ? strrchr(dir, '\\') + 1 : dir));
    report(&w, "moved away");
    CreateDirectoryW(t_dos("%s\\dir", dir), NULL);
    report(&w, "directory");
    t_put(t_dos("%s\\dir\\below", dir), "below");
    report(&w, "below it");
    t_put(t_dos("%s\\sub\\y.txt", dir), "changed");
    report(&w, "below one that was there");
    DeleteFileW(t_dos("%s\\sub\\y.txt", dir));
    RemoveDirectoryW(t_dos("%s\\sub", dir));
    report(&w, "removed with its file");
    DeleteFileW(t_dos("%s\\y.txt", dir));
    report(&w, "deleted");
    t_wait(t_spawn("child \"%s\"", dir));
    report(&w, "by a child");
    stop(&w);
}

static void odd_cases(void)
{
    struct watch w;
    HANDLE change, h;
    char buffer[16];
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    t_part("odd cases");
    h = t_open(t_nt("hello.txt"), GENERIC_READ, 0);
    status = NtNotifyChangeDirectoryFile(h, NULL, NULL, NULL, &io, buffer, sizeof buffer,
                                         ALL_CHANGES, FALSE);
    t_say("on a file: %s", t_status(status));
    NtClose(h);
    start(&w, "nested", ALL_CHANGES, false);
    status =
        NtNotifyChangeDirectoryFile(w.dir, NULL, NULL, NULL, &io, buffer, sizeof buffer, 0, FALSE);
    t_say("no filter: %s", t_status(status));
    stop(&w);
    change =
        FindFirstChangeNotificationW(t_dos("pooldirs\\q20"), FALSE, FILE_NOTIFY_CHANGE_FILE_NAME);
    t_say("FindFirstChangeNotification: %s", t_win(change != INVALID_HANDLE_VALUE));
    t_say("nothing yet: %lx", WaitForSingleObject(change, 0));
    t_put(t_dos("pooldirs\\q20\\one"), "1");
    t_say("after a new file: %lx", WaitForSingleObject(change, 1000));
    t_say("next: %s", t_win(FindNextChangeNotification(change)));
    DeleteFileW(t_dos("pooldirs\\q20\\x.txt"));
    t_say("after a deletion: %lx", WaitForSingleObject(change, 1000));
    FindCloseChangeNotification(change);
    change = FindFirstChangeNotificationW(t_dos("missing"), FALSE, FILE_NOTIFY_CHANGE_FILE_NAME);
    t_say("of a missing directory: %s", t_win(change != INVALID_HANDLE_VALUE));
}

int main(int argc, char **argv)
{
    t_begin(argc, argv);
    if (t_option(0) && !strcmp(t_option(0), "child")) {
        t_put(t_dos("%s\\by child.txt", t_option(1)), "child");
        return 0;
    }
    operations("pooldirs\\q10", ALL_CHANGES, false);
    operations("pooldirs\\q11", FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME, true);
    operations("pooldirs\\q12", FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_SIZE, false);
    /* a directory that is the VM's own already when the watch starts */
    MoveFileW(t_dos("pooldirs\\q13"), t_dos("moved dir"));
    operations("moved dir", ALL_CHANGES, false);
    odd_cases();
    return t_end();
}
