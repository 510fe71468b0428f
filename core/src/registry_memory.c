/* Memory of the store of registry changes, and the sorted arrays in it. */
#include "registry_internal.h"

/* Two sizes for each power of two: 16, 24, 32, 48, 64, 96 ... bytes. */
static uint32_t class_of(uint64_t size, uint64_t *rounded)
{
    uint64_t power = 16;
    uint32_t class = 0;

    while (class + 2 < SIZE_CLASSES) {
        if (size <= power) break;
        if (size <= power + power / 2) {
            class ++, power += power / 2;
            break;
        }
        class += 2, power *= 2;
    }
    *rounded = power;
    return class;
}

uint32_t rg_allocate(struct fvm_reg *r, uint64_t size)
{
    uint64_t rounded;
    uint32_t class = class_of(size, &rounded), ref = r->free[class];

    if (ref) {
        r->free[class] = *(uint32_t *)rg_at(r, ref, 8);
    } else {
        if (rounded / 8 > r->limit - r->next) return 0;
        ref = r->next;
        r->next += (uint32_t)(rounded / 8);
    }
    r->used += rounded;
    return ref;
}

void rg_release(struct fvm_reg *r, uint32_t ref, uint64_t size)
{
    uint64_t rounded;
    uint32_t class;

    if (!ref) return;
    class = class_of(size, &rounded);
    *(uint32_t *)rg_at(r, ref, 8) = r->free[class];
    r->free[class] = ref;
    r->used -= rounded;
}

bool rg_keep(struct fvm_reg *r, const void *bytes, uint64_t size, uint32_t *ref)
{
    *ref = 0;
    if (!size) return true;
    if (!(*ref = rg_allocate(r, size))) return false;
    rg_copy(rg_at(r, *ref, size), bytes, size);
    return true;
}

bool rg_array_insert(struct fvm_reg *r, uint32_t *array, uint32_t *count, uint32_t *cap,
                     uint32_t index, uint32_t element)
{
    uint32_t *p;

    if (*count == *cap) {
        uint32_t larger = *cap ? *cap + *cap / 2 : 4;
        uint64_t rounded;
        class_of((uint64_t)larger * 4, &rounded);
        larger = (uint32_t)(rounded / 4);
        uint32_t fresh = rg_allocate(r, (uint64_t)larger * 4);
        if (!fresh) return false;
        rg_copy(rg_at(r, fresh, (uint64_t)larger * 4), rg_at(r, *array, (uint64_t)*count * 4),
                (uint64_t)*count * 4);
        rg_release(r, *array, (uint64_t)*cap * 4);
        *array = fresh;
        *cap = larger;
    }
    p = rg_at(r, *array, (uint64_t)*cap * 4);
    for (uint32_t i = *count; i > index; i--)
        p[i] = p[i - 1];
    p[index] = element;
    ++*count;
    return true;
}

void rg_array_remove(struct fvm_reg *r, uint32_t array, uint32_t *count, uint32_t index)
{
    uint32_t *p = rg_at(r, array, (uint64_t)*count * 4);

    --*count;
    for (uint32_t i = index; i < *count; i++)
        p[i] = p[i + 1];
}
