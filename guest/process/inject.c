/* Putting the guest into a process that has not run yet. */
#include "process.h"

NTSTATUS guest_inject(HANDLE process, bool served)
{
    uint8_t buffer[GUEST_BLOB_MAX];
    size_t code = (size_t)(guest_blob_code_end - guest_blob_code);
    struct guest_blob blob = {
        .map_view = (uintptr_t)guest_host.map_view,
        .terminate = (uintptr_t)guest_host.terminate,
        .base = GUEST_BASE,
        .entry = (uintptr_t)fvm_guest_boot,
        .served = served,
    };
    HANDLE image, shared;
    NTSTATUS status;
    SIZE_T written;

    if (code + sizeof(blob) > sizeof(buffer)) return NT_INTERNAL_ERROR;
    status = guest_raw.duplicate_object(NT_CURRENT_PROCESS, guest_image_section, process, &image, 0,
                                        0, DUPLICATE_SAME_ACCESS);
    if (status < 0) return status;
    status = guest_raw.duplicate_object(NT_CURRENT_PROCESS, guest_shared_section, process, &shared,
                                        0, 0, DUPLICATE_SAME_ACCESS);
    if (status < 0) return status; /* the caller ends the process, and its handles with it */

    blob.image_section = (uintptr_t)image;
    blob.shared_section = (uintptr_t)shared;
    memcpy(buffer, guest_blob_code, code);
    memcpy(buffer + code, &blob, sizeof(blob));
    /* ntdll's code is written through the debugger's door: no change of protection needed */
    return guest_raw.write_memory(process, guest_host.init_thunk, buffer, code + sizeof(blob),
                                  &written);
}

bool guest_is_inside(HANDLE process)
{
    /* the part of the shared block that never changes, at one address in all processes */
    const size_t size = offsetof(struct fvm_shared, lock_owner);
    size_t code = (size_t)(guest_blob_code_end - guest_blob_code);
    void *theirs = guest_scratch_get();
    SIZE_T got = 0;
    bool inside;

    _Static_assert(offsetof(struct fvm_shared, lock_owner) <= GUEST_SCRATCH_SIZE, "must fit");
    if (!theirs) return false;
    /* either it has not run yet, or it has the block; the guest maps that first and removes the
     * other sign afterwards */
    inside = guest_raw.read_memory(process, guest_host.init_thunk, theirs, code, &got) >= 0 &&
             got == code && memcmp(theirs, guest_blob_code, code) == 0;
    if (!inside)
        inside = guest_raw.read_memory(process, (const void *)GUEST_SHARED_BASE, theirs, size,
                                       &got) >= 0 &&
                 got == size && memcmp(theirs, guest_shared, size) == 0;
    guest_scratch_put(theirs);
    return inside;
}
