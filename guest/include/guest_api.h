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

#define GUEST_API_VERSION 2U

struct guest_error {
    int32_t status; /* NTSTATUS, 0 when all went well */
    char where[96]; /* what failed: the name of an export, or of a step */
};

/* Makes the image ready. Called once, in the writable image. win32u is a view of the image of
 * win32u.dll, wherever it lies and not initialised: only its stubs' numbers are read. */
typedef bool (*guest_prepare_fn)(uint32_t version, const void *ntdll, const void *win32u,
                                 struct guest_error *error);
/* Hooks the calling process, which has one thread. The sections stay open in it. */
typedef bool (*guest_attach_fn)(void *image_section, void *shared_section,
                                struct guest_error *error);

/* The attached process is about to end. If it is the last one of the VM's monitors, what the
 * guest has put into the host for the VM's run is taken away. */
typedef void (*guest_leave_fn)(void);

/* Processes that serve the whole VM: its monitors start them when a program needs one for the
 * first time (guest/process/serve.c, monitor/serve.c). */
enum guest_service {
    GUEST_SERVICE_SCM,     /* services.exe: the service control manager */
    GUEST_SERVICE_DESKTOP, /* explorer.exe: the desktop */
    GUEST_SERVICES,
};

/* What the monitors of a VM share about one of them; handles. */
struct guest_served {
    void *owner;    /* mutant: who has it starts and watches the process */
    void *wanted;   /* event: there are requests */
    void *answered; /* event: look at the answers */
    void *ready;    /* event: the process has said that it is there */
    void *all;      /* job of the processes of all services, which ends them with the last monitor */
    void *job;      /* job of this one's, inside of it */
    struct fvm_served *state;
};
/* Makes or opens them; they stay open. Returns an NTSTATUS. */
typedef int32_t (*guest_served_fn)(enum guest_service which, struct guest_served *served);
/* The event that is set, and stays so, once any of the services was asked for in this VM. */
typedef void *(*guest_serve_event_fn)(void);

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
