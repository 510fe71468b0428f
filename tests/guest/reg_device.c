/* Requests to devices by which a program could change the host. Without an option it prints
 * what must be the same on the host and in a VM; with the option "vm" it also checks that
 * the requests which change something are refused (on a host it would make them). */
#include "test.h"
#include <winioctl.h>

#define MOUNTMGR_QUERY_POINTS CTL_CODE('m', 2, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define MOUNTMGR_DEFINE_UNIX_DRIVE                                                                 \
    CTL_CODE('m', 32, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)
#define MOUNTMGR_QUERY_UNIX_DRIVE CTL_CODE('m', 33, METHOD_BUFFERED, FILE_READ_ACCESS)
#define MOUNTMGR_DEFINE_SHELL_FOLDER                                                               \
    CTL_CODE('m', 34, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)
#define MOUNTMGR_WRITE_CREDENTIAL  CTL_CODE('m', 49, METHOD_BUFFERED, FILE_WRITE_ACCESS)
#define MOUNTMGR_DELETE_CREDENTIAL CTL_CODE('m', 50, METHOD_BUFFERED, FILE_WRITE_ACCESS)

/* How Wine's mount manager describes a drive. */
struct unix_drive {
    ULONG size, type, fs_type;
    DWORD serial;
    ULONGLONG unix_device;
    WCHAR letter;
    USHORT mount_point_offset, device_offset, label_offset;
};

static const char *ioctl(HANDLE device, DWORD code, void *in, DWORD in_size, void *out,
                         DWORD out_size)
{
    DWORD size;
    return t_win(DeviceIoControl(device, code, in, in_size, out, out_size, &size, NULL));
}

/* The drive's type, or -1 when the mount manager knows no such drive. */
static int drive_type(HANDLE device, WCHAR letter)
{
    struct {
        struct unix_drive drive;
        char text[4096];
    } drive = {{0}};
    DWORD size;

    drive.drive.letter = letter;
    if (!DeviceIoControl(device, MOUNTMGR_QUERY_UNIX_DRIVE, &drive, sizeof(drive.drive), &drive,
                         sizeof(drive), &size, NULL))
        return -1;
    return (int)drive.drive.type;
}

static void passed(HANDLE manager)
{
    struct {
        ULONG words[6];
        char text[4096];
    } points = {{0}};
    HANDLE volume;

    t_part("requests that change nothing");
    t_say("points: %s", ioctl(manager, MOUNTMGR_QUERY_POINTS, &points, sizeof(points.words),
                              &points, sizeof(points)));
    t_say("drive c: %d, drive q: %d", drive_type(manager, 'c'), drive_type(manager, 'q'));
    t_say("unknown request: %s",
          ioctl(manager, CTL_CODE('m', 99, METHOD_BUFFERED, FILE_WRITE_ACCESS), NULL, 0, NULL, 0));
    volume = CreateFileW(L"\\\\.\\C:", GENERIC_READ, T_ALL_SHARE, NULL, OPEN_EXISTING, 0, NULL);
    t_say("volume: %s", t_win(volume != INVALID_HANDLE_VALUE));
    t_say("is mounted: %s", ioctl(volume, FSCTL_IS_VOLUME_MOUNTED, NULL, 0, NULL, 0));
    CloseHandle(volume);
}

static void check_refused(const char *what, HANDLE device, DWORD code, void *in, DWORD size)
{
    bool ok = DeviceIoControl(device, code, in, size, NULL, 0, &size, NULL);
    DWORD error = GetLastError();

    t_ok(!ok && error == ERROR_ACCESS_DENIED, "%s: %s, error %lu", what, ok ? "done" : "refused",
         ok ? 0 : error);
}

static void refused(HANDLE manager)
{
    struct {
        struct unix_drive drive;
        char text[8];
    } define = {{0}};
    BYTE nothing[64] = {0};
    HANDLE volume;

    t_part("changes, in a VM");
    define.drive.size = sizeof(define);
    define.drive.type = DRIVE_FIXED;
    define.drive.letter = 'q';
    define.drive.mount_point_offset = offsetof(__typeof__(define), text);
    memcpy(define.text, "/tmp", 5);
    check_refused("define drive", manager, MOUNTMGR_DEFINE_UNIX_DRIVE, &define, sizeof(define));
    t_ok(drive_type(manager, 'q') == -1, "there is no such drive");
    check_refused("define folder", manager, MOUNTMGR_DEFINE_SHELL_FOLDER, nothing, sizeof(nothing));
    check_refused("write credential", manager, MOUNTMGR_WRITE_CREDENTIAL, nothing, sizeof(nothing));
    check_refused("delete credential", manager, MOUNTMGR_DELETE_CREDENTIAL, nothing,
                  sizeof(nothing));

    volume = CreateFileW(L"\\\\.\\C:", GENERIC_READ, T_ALL_SHARE, NULL, OPEN_EXISTING, 0, NULL);
    check_refused("dismount", volume, FSCTL_DISMOUNT_VOLUME, NULL, 0);
    CloseHandle(volume);
}

int main(int argc, char **argv)
{
    const char *option;
    HANDLE manager;

    t_begin(argc, argv);
    manager = CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE, T_ALL_SHARE,
                          NULL, OPEN_EXISTING, 0, NULL);
    t_say("mount manager: %s", t_win(manager != INVALID_HANDLE_VALUE));
    passed(manager);
    option = t_option(0);
    if (option && !strcmp(option, "vm")) refused(manager);
    CloseHandle(manager);
    return t_end();
}
