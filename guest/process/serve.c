/* Processes that serve the whole VM: the guest's side.
 *
 * A program that needs such a process (the service control manager, the desktop) and does not
 * find it asks for it here: it counts its request in the shared block, wakes the monitors, and
 * waits for the answer. Of the VM's monitors one owns each service (monitor/serve.c). The objects
 * lie beside the directories that stand for the host's, where no name of a program leads:
 *
 *   \BaseNamedObjects\FVM-<id>\Serve            event: a service was asked for, ever
 *                             \Served           job of the processes of all services
 *                             \Serve-N-owner    and so on, see struct guest_served
 *
 * An answer is for all requests that were counted before the owner looked. Whoever waits looks at
 * the count again and resets the event in between, so no answer is lost, and one too many is
 * nothing. If the owner is killed the next one answers what it left open. */
#include "process.h"
#include "../object/object.h"

bool guest_is_served;
HANDLE guest_served_job;

static HANDLE serve_event; /* valid in the monitor alone */

static NTSTATUS(NTAPI *real_set_event)(HANDLE, LONG *);
static NTSTATUS(NTAPI *real_reset_event)(HANDLE, LONG *);
static NTSTATUS(NTAPI *real_wait)(HANDLE, BOOLEAN, const LARGE_INTEGER *);
static NTSTATUS(NTAPI *real_set_job)(HANDLE, ULONG, const void *, ULONG);

#define CLASS_EXTENDED_LIMITS 9 /* JobObjectExtendedLimitInformation */

enum kind { EVENT_ONE, EVENT_ALL, MUTANT, JOB };

#define OBJECT_EXISTS GUEST_STATUS(0x40000000) /* STATUS_OBJECT_NAME_EXISTS: opened */

/* Makes or opens one of the objects. part: its name, in which N stands for the service. */
static NTSTATUS make(enum kind kind, const char *part, enum guest_service which, HANDLE *handle)
{
    fvm_wchar buffer[128];
    char name[32];
    uint32_t len = 0;
    UNICODE_STRING text;
    OBJECT_ATTRIBUTES attr;

    for (; part[len]; len++)
        name[len] = part[len] == 'N' ? (char)('0' + which) : part[len];
    name[len] = 0;
    len = fvm_ipc_tree(object_vm_id(), name, buffer, 128);
    if (!len) return NT_OBJECT_NAME_INVALID;
    text = (UNICODE_STRING){(USHORT)(len * 2), (USHORT)(len * 2), (WCHAR *)buffer};
    InitializeObjectAttributes(&attr, &text, OBJ_OPENIF, NULL, NULL);
    if (kind == MUTANT) return object_real.create_mutant(handle, MUTANT_ALL_ACCESS, &attr, FALSE);
    if (kind == JOB) return object_real.create_job(handle, JOB_OBJECT_ALL_ACCESS, &attr);
    return object_real.create_event(handle, EVENT_ALL_ACCESS, &attr, kind == EVENT_ONE, FALSE);
}

/* Counts the request and waits until it is answered. */
static bool ask(enum guest_service which)
{
    struct fvm_served *s = &guest_shared->served[which];
    HANDLE any = NULL, wanted = NULL, answered = NULL;
    bool up = false;

    if (make(EVENT_ALL, "Serve", which, &any) >= 0 &&
        make(EVENT_ONE, "Serve-N-wanted", which, &wanted) >= 0 &&
        make(EVENT_ALL, "Serve-N-answered", which, &answered) >= 0) {
        uint32_t mine = __atomic_add_fetch(&s->asked, 1, __ATOMIC_SEQ_CST);

        real_set_event(wanted, NULL);
        real_set_event(any, NULL);
        while ((int32_t)(__atomic_load_n(&s->answered, __ATOMIC_SEQ_CST) - mine) < 0) {
            real_reset_event(answered, NULL);
            if ((int32_t)(__atomic_load_n(&s->answered, __ATOMIC_SEQ_CST) - mine) >= 0) break;
            if (real_wait(answered, FALSE, NULL)) break; /* never: the handle is there */
        }
        up = s->up != 0;
    }
    if (answered) guest_raw.close(answered);
    if (wanted) guest_raw.close(wanted);
    if (any) guest_raw.close(any);
    return up;
}

bool guest_serves(enum guest_service which)
{
    return guest_is_served && guest_shared->served[which].pid == nt_process_id();
}

bool guest_serve_anew(enum guest_service which)
{
    /* the monitor is no program of the VM, and nobody waits for himself */
    if (guest_attached || guest_serves(which)) return false;
    if (guest_shared->session_ends) return false;
    return ask(which);
}

bool guest_serve(enum guest_service which)
{
    return __atomic_load_n(&guest_shared->served[which].up, __ATOMIC_ACQUIRE) ||
           guest_serve_anew(which);
}

void guest_serve_ready(enum guest_service which)
{
    HANDLE ready;

    if (!guest_serves(which) || make(EVENT_ALL, "Serve-N-ready", which, &ready) < 0) return;
    real_set_event(ready, NULL);
    guest_raw.close(ready);
}

/* --- in the monitor ------------------------------------------------------------------------- */
NTSTATUS guest_serve_begin(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                       JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    uint32_t pids[GUEST_SERVICES];
    NTSTATUS status;

    for (uint32_t i = 0; i < GUEST_SERVICES; i++)
        pids[i] = guest_shared->served[i].pid;
    status = make(EVENT_ALL, "Serve", 0, &serve_event);
    /* When there was no other monitor, what the last one left has ended with it, and nobody else
     * would take notice. Unless somebody has come and started one meanwhile. */
    for (uint32_t i = 0; i < GUEST_SERVICES && status >= 0 && status != OBJECT_EXISTS; i++) {
        struct fvm_served *s = &guest_shared->served[i];

        if (pids[i] && __atomic_compare_exchange_n(&s->pid, &pids[i], 0, false, __ATOMIC_SEQ_CST,
                                                   __ATOMIC_SEQ_CST))
            __atomic_store_n(&s->up, 0, __ATOMIC_SEQ_CST);
    }
    if (status >= 0) status = make(JOB, "Served", 0, &guest_served_job);
    if (status >= 0)
        status = real_set_job(guest_served_job, CLASS_EXTENDED_LIMITS, &limits, sizeof(limits));
    return status;
}

void guest_serve_end(void)
{
    /* the last one of the VM's monitors ends the processes by this */
    guest_raw.close(guest_served_job);
    guest_served_job = NULL;
}

__declspec(dllexport) void *fvm_guest_serve_event(void);
__declspec(dllexport) int32_t
    fvm_guest_served(enum guest_service which, struct guest_served *served);

void *fvm_guest_serve_event(void)
{
    return serve_event;
}

int32_t fvm_guest_served(enum guest_service which, struct guest_served *served)
{
    NTSTATUS status = make(MUTANT, "Serve-N-owner", which, &served->owner);

    if (status >= 0) status = make(EVENT_ONE, "Serve-N-wanted", which, &served->wanted);
    if (status >= 0) status = make(EVENT_ALL, "Serve-N-answered", which, &served->answered);
    if (status >= 0) status = make(EVENT_ALL, "Serve-N-ready", which, &served->ready);
    if (status >= 0) status = make(JOB, "Serve-N-job", which, &served->job);
    served->all = guest_served_job;
    served->state = &guest_shared->served[which];
    return status;
}

const struct guest_hook guest_serve_hooks[] = {
    {"NtSetEvent", NULL, (void **)&real_set_event},
    {"NtResetEvent", NULL, (void **)&real_reset_event},
    {"NtWaitForSingleObject", NULL, (void **)&real_wait},
    {"NtSetInformationJobObject", NULL, (void **)&real_set_job},
    {NULL, NULL, NULL},
};
