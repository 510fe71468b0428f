/* A table with a slot for each handle value. Those are small multiples of four: two levels of
 * pointers, the second ones made as needed. What stands in the slots, and who locks it, is the
 * owner's business. */
#ifndef GUEST_SLOTS_H
#define GUEST_SLOTS_H

#include "guest.h"

#define GUEST_CHUNK_SLOTS 1024u
#define GUEST_CHUNKS      4096u

struct guest_slots {
    void **volatile chunks[GUEST_CHUNKS];
};

/* The slot of a handle; make: also where there was none. NULL for pseudo handles and nonsense,
 * and without memory. */
static inline void **guest_slot(struct guest_slots *table, HANDLE handle, bool make)
{
    uintptr_t index = (uintptr_t)handle >> 2;

    if (index >= (uintptr_t)GUEST_CHUNK_SLOTS * GUEST_CHUNKS) return NULL;
    void **chunk = table->chunks[index / GUEST_CHUNK_SLOTS];
    if (!chunk) {
        if (!make) return NULL;
        void **fresh = guest_alloc(GUEST_CHUNK_SLOTS * sizeof *fresh);
        if (!fresh) return NULL;
        if (__atomic_compare_exchange_n(&table->chunks[index / GUEST_CHUNK_SLOTS], &chunk, fresh,
                                        false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            chunk = fresh;
        else
            guest_free(fresh);
    }
    return &chunk[index % GUEST_CHUNK_SLOTS];
}

#endif
