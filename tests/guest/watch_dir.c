/* watch_dir DIRECTORY [subtree [LISTED...]]: prints what happens in the directory until a file
 * "end" appears. The listed directories are read once after the watch has begun, which is how
 * the host comes to watch them as parts of a subtree. For tests/run-watch-tests.sh. */
#include <stdio.h>
#include <windows.h>

static void list(const char *directory)
{
    char mask[MAX_PATH];
    WIN32_FIND_DATAA data;

    snprintf(mask, sizeof mask, "%s\\*", directory);
    HANDLE find = FindFirstFileA(mask, &data);
    if (find == INVALID_HANDLE_VALUE)
        printf("cannot list %s\n", directory);
    else
        FindClose(find);
}

int main(int argc, char **argv)
{
    static const char *const actions[] = {"?", "added", "removed", "modified", "old", "new"};
    static DWORD buffer[4096];
    HANDLE directory =
        CreateFileA(argc > 1 ? argv[1] : ".", FILE_LIST_DIRECTORY, 7, NULL, OPEN_EXISTING,
                    FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    OVERLAPPED overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    BOOL first = TRUE;

    for (;;) {
        DWORD got;
        if (!ReadDirectoryChangesW(directory, buffer, sizeof buffer, argc > 2,
                                   FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME |
                                       FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE,
                                   NULL, &overlapped, NULL)) {
            printf("error %lu\n", (unsigned long)GetLastError());
            return 1;
        }
        if (first) {
            for (int i = 3; i < argc; i++)
                list(argv[i]);
            printf("ready\n");
            fflush(stdout);
            first = FALSE;
        }
        if (!GetOverlappedResult(directory, &overlapped, &got, TRUE)) return 1;
        for (char *p = (char *)buffer; got;) {
            FILE_NOTIFY_INFORMATION *info = (void *)p;
            int len = (int)(info->FileNameLength / sizeof(WCHAR));
            printf("%s %.*ls\n", actions[info->Action < 6 ? info->Action : 0], len, info->FileName);
            if (len == 3 && info->FileName[0] == 'e' && info->FileName[1] == 'n') {
                fflush(stdout);
                return 0;
            }
            if (!info->NextEntryOffset) break;
            p += info->NextEntryOffset;
        }
        fflush(stdout);
    }
}
