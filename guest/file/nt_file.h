/* Status codes, option bits and structures of the file calls that <winternl.h> lacks or
 * names differently between tool chains. Values are NT's. */
#ifndef GUEST_NT_FILE_H
#define GUEST_NT_FILE_H

#define FS(x) ((NTSTATUS)(x))
#define NT_INVALID_HANDLE        FS(0xc0000008)
#define ST_PENDING               FS(0x00000103)
#define ST_BUFFER_OVERFLOW       FS(0x80000005)
#define ST_NO_MORE_FILES         FS(0x80000006)
#define ST_NOT_IMPLEMENTED       FS(0xc0000002)
#define ST_INVALID_INFO_CLASS    FS(0xc0000003)
#define ST_NO_SUCH_FILE          FS(0xc000000f)
#define ST_OBJECT_NAME_INVALID   FS(0xc0000033)
#define ST_OBJECT_TYPE_MISMATCH  FS(0xc0000024)
#define ST_NAME_NOT_FOUND        FS(0xc0000034)
#define ST_NAME_COLLISION        FS(0xc0000035)
#define ST_PATH_NOT_FOUND        FS(0xc000003a)
#define ST_PATH_SYNTAX_BAD       FS(0xc000003b)
#define ST_SHARING_VIOLATION     FS(0xc0000043)
#define ST_DELETE_PENDING        FS(0xc0000056)
#define ST_DISK_FULL             FS(0xc000007f)
#define ST_FILE_IS_A_DIRECTORY   FS(0xc00000ba)
#define ST_CANNOT_DELETE         FS(0xc0000121)
#define ST_DIRECTORY_NOT_EMPTY   FS(0xc0000101)
#define ST_NOT_A_DIRECTORY       FS(0xc0000103)
#define ST_INSUFFICIENT          FS(0xc000009a)
#define ST_MEDIA_WRITE_PROTECTED FS(0xc00000a2)
#define ST_IO_DEVICE_ERROR       FS(0xc0000185)

#define FILE_SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* FILE_INFORMATION_CLASS values used here */
enum {
    FI_DIRECTORY = 1,
    FI_FULL_DIRECTORY = 2,
    FI_BOTH_DIRECTORY = 3,
    FI_BASIC = 4,
    FI_STANDARD = 5,
    FI_NAME = 9,
    FI_RENAME = 10,
    FI_LINK = 11,
    FI_NAMES = 12,
    FI_DISPOSITION = 13,
    FI_POSITION = 14,
    FI_ALL = 18,
    FI_PIPE = 23,
    FI_ID_BOTH_DIRECTORY = 37,
    FI_ID_FULL_DIRECTORY = 38,
    FI_ID_GLOBAL_TX = 50,
    FI_ID = 59,
};

struct nt_file_rename { /* FILE_RENAME_INFORMATION, FILE_LINK_INFORMATION */
    BOOLEAN replace;
    HANDLE root;
    ULONG name_length; /* bytes */
    WCHAR name[1];
};

struct nt_file_name_info {
    ULONG length; /* bytes */
    WCHAR name[1];
};

/* Start of every directory entry but FileNamesInformation's. */
struct nt_dir_entry {
    ULONG next, file_index;
    LARGE_INTEGER creation, access, write, change, end_of_file, allocation;
    ULONG attributes, name_length;
};

NTSYSAPI NTSTATUS NTAPI NtReadFile(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG,
                                   LARGE_INTEGER *, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtWriteFile(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *,
                                    ULONG, LARGE_INTEGER *, ULONG *);

struct nt_object_name {
    UNICODE_STRING name;
};

struct nt_object_basic {
    ULONG attributes;
    ACCESS_MASK access;
    ULONG handle_count, pointer_count;
    ULONG reserved[10];
};

#endif
