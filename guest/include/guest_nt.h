/* NT types and calls that the guest and the monitor need and that the compiler's
 * <winternl.h> does not declare in full. Layouts are those of 64-bit NT. */
#ifndef GUEST_NT_H
#define GUEST_NT_H

#include <windef.h>
#include <winbase.h>
#include <winternl.h>
#include "fvm/types.h"

#ifndef STATUS_SUCCESS
#define STATUS_SUCCESS ((NTSTATUS)0x00000000)
#endif
#define GUEST_STATUS(x)          ((NTSTATUS)(x))
#define NT_OBJECT_TYPE_MISMATCH  GUEST_STATUS(0xc0000024)
#define NT_INVALID_PARAMETER     GUEST_STATUS(0xc000000d)
#define NT_ACCESS_DENIED         GUEST_STATUS(0xc0000022)
#define NT_ACCESS_VIOLATION      GUEST_STATUS(0xc0000005)
#define NT_NO_MEMORY             GUEST_STATUS(0xc0000017)
#define NT_CONFLICTING_ADDRESSES GUEST_STATUS(0xc0000018)
#define NT_INFO_LENGTH_MISMATCH  GUEST_STATUS(0xc0000004)
#define NT_INVALID_IMAGE_FORMAT  GUEST_STATUS(0xc000007b)
#define NT_INVALID_IMAGE_NOT_MZ  GUEST_STATUS(0xc000012f)
#define NT_PROCESS_NOT_IN_JOB    GUEST_STATUS(0x00000123)
#define NT_PROCESS_IN_JOB        GUEST_STATUS(0x00000124)
#define NT_ENTRYPOINT_NOT_FOUND  GUEST_STATUS(0xc0000139)
#define NT_REVISION_MISMATCH     GUEST_STATUS(0xc0000059)
#define NT_INTERNAL_ERROR        GUEST_STATUS(0xc00000e5)

#define NT_CURRENT_PROCESS ((HANDLE)(intptr_t)-1)
#define NT_CURRENT_THREAD  ((HANDLE)(intptr_t)-2)

struct nt_curdir {
    UNICODE_STRING path;
    HANDLE handle;
};

struct nt_process_parameters {
    ULONG allocation_size, size, flags, debug_flags;
    HANDLE console;
    ULONG console_flags;
    HANDLE std_input, std_output, std_error;
    struct nt_curdir current_directory;
    UNICODE_STRING dll_path, image_path, command_line;
    WCHAR *environment;
};

struct nt_peb {
    BYTE inherited, options, being_debugged, flags;
    HANDLE mutant;
    void *image_base;
    void *ldr;
    struct nt_process_parameters *parameters;
    void *subsystem_data;
    HANDLE process_heap;
};

static inline struct nt_peb *nt_peb(void)
{
    struct nt_peb *peb;
    __asm__ volatile("movq %%gs:0x60, %0" : "=r"(peb));
    return peb;
}

static inline uint32_t nt_process_id(void)
{
    uint32_t id;
    __asm__ volatile("movl %%gs:0x40, %0" : "=r"(id));
    return id;
}

static inline uint32_t nt_thread_id(void)
{
    uint32_t id;
    __asm__ volatile("movl %%gs:0x48, %0" : "=r"(id));
    return id;
}

/* NtCreateUserProcess */
struct nt_ps_attribute {
    ULONG_PTR attribute;
    SIZE_T size;
    union {
        ULONG_PTR value;
        void *ptr;
    };
    SIZE_T *return_length;
};

struct nt_ps_attribute_list {
    SIZE_T total_length;
    struct nt_ps_attribute attributes[1];
};

/* SECTION_IMAGE_INFORMATION */
struct nt_image_information {
    void *transfer_address;
    ULONG zero_bits;
    SIZE_T maximum_stack, committed_stack;
    ULONG subsystem;
    USHORT subsystem_minor, subsystem_major, os_major, os_minor;
    USHORT characteristics, dll_characteristics, machine;
    BOOLEAN contains_code;
    UCHAR flags;
    ULONG loader_flags, file_size, checksum;
};
#define NT_IMAGE_COM_PLUS_NATIVE_READY 0x01 /* 32-bit file whose code runs as 64-bit */

#define NT_PS_ATTRIBUTE_PARENT_PROCESS 0x00060000
#define NT_PS_ATTRIBUTE_CLIENT_ID      0x00010003
#define NT_PS_ATTRIBUTE_IMAGE_NAME     0x00020005
#define NT_PS_ATTRIBUTE_IMAGE_INFO     0x00000006
#define NT_PS_ATTRIBUTE_JOB_LIST       0x00020013

#define NT_PROCESS_CREATE_BREAKAWAY 0x00000001
#define NT_THREAD_CREATE_SUSPENDED  0x00000001

typedef NTSTATUS(NTAPI *nt_create_user_process_fn)(HANDLE *, HANDLE *, ACCESS_MASK, ACCESS_MASK,
                                                   OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *, ULONG,
                                                   ULONG, struct nt_process_parameters *, void *,
                                                   struct nt_ps_attribute_list *);

NTSYSAPI NTSTATUS NTAPI NtMapViewOfSection(HANDLE, HANDLE, void **, ULONG_PTR, SIZE_T,
                                           LARGE_INTEGER *, SIZE_T *, ULONG, ULONG, ULONG);
NTSYSAPI NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE, void *);
NTSYSAPI NTSTATUS NTAPI NtCreateSection(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, LARGE_INTEGER *,
                                        ULONG, ULONG, HANDLE);
NTSYSAPI NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE, void **, SIZE_T *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtAllocateVirtualMemory(HANDLE, void **, ULONG_PTR, SIZE_T *, ULONG, ULONG);
NTSYSAPI NTSTATUS NTAPI NtFreeVirtualMemory(HANDLE, void **, SIZE_T *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtTerminateProcess(HANDLE, NTSTATUS);
NTSYSAPI NTSTATUS NTAPI NtYieldExecution(void);
NTSYSAPI NTSTATUS NTAPI NtContinue(CONTEXT *, BOOLEAN);
NTSYSAPI void NTAPI RtlSetLastWin32Error(DWORD);
NTSYSAPI BOOLEAN NTAPI RtlAddFunctionTable(RUNTIME_FUNCTION *, DWORD, DWORD64);

#endif
