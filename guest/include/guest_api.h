/* What the monitor and the guest image agree on.
 *
 * The monitor maps the guest image at GUEST_BASE from a section, lays the PE file out in
 * it and calls fvm_guest_prepare there: that resolves everything which is the same in all
 * processes (ntdll lies at one address in all of them) and leaves the image in the state
 * in which every process maps it, copy-on-write. Then the monitor maps it for itself in
 * the same way and calls fvm_guest_attach, which hooks the running process; children get
 * the guest from the hook of NtCreateUserProcess. */
#ifndef GUEST_API_H
#define GUEST_API_H

#include "fvm/types.h"

/* Where the image and, behind it, the shared block and the guest's own memory lie in every
 * process: far from what programs, their heaps and the loader use. */
#define GUEST_BASE        0x2f0000000000ULL
#define GUEST_SHARED_BASE 0x2f1000000000ULL
#define GUEST_MEMORY_BASE 0x2f2000000000ULL

#define GUEST_API_VERSION 1U

struct guest_error {
    int32_t status; /* NTSTATUS, 0 when all went well */
    char where[96]; /* what failed: the name of an export, or of a step */
};

/* Makes the image ready. Called once, in the writable image. */
typedef bool (*guest_prepare_fn)(uint32_t version, void *ntdll, struct guest_error *error);
/* Hooks the calling process, which has one thread. The sections stay open in it. */
typedef bool (*guest_attach_fn)(void *image_section, void *shared_section,
                                struct guest_error *error);

/* The attached process is about to end. If it is the last one of the VM's monitors, what the
 * guest has put into the host for the VM's run is taken away. */
typedef void (*guest_leave_fn)(void);

/* Exit codes of a process in which the guest could not be started; the low byte is the
 * step that failed (enum guest_boot_step). */
#define GUEST_BOOT_FAILED 0xe0f40000U

enum guest_boot_step {
    GUEST_BOOT_MAP_IMAGE = 1,
    GUEST_BOOT_MAP_SHARED = 2,
    GUEST_BOOT_PROTECT = 3,
    GUEST_BOOT_VERSION = 4,
    GUEST_BOOT_MEMORY = 5,
};

#endif
