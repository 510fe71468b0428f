/* The guest's own memory: no heap of the program is touched, and the low addresses, whose
 * layout programs may know, stay as on the host. */
#include "guest_boot.h"

#define CHUNK_SIZE      ((size_t)256 << 10)
#define CLASS_MIN_SHIFT 5  /* 32 bytes, header included */
#define CLASS_MAX_SHIFT 16 /* 64 KiB; larger blocks are mapped one by one */
#define CLASS_COUNT     (CLASS_MAX_SHIFT - CLASS_MIN_SHIFT + 1)
#define LARGE_CLASS     0xffU

struct block {
    union {
        struct block *next; /* while free */
        uint64_t class;
    };
    uint64_t pad; /* keeps the user's part 16-byte aligned */
};

static guest_lock memory_lock;
static struct block *free_blocks[CLASS_COUNT];
static uint8_t *chunk_next, *chunk_end;
static volatile LONG64 next_address = (LONG64)GUEST_MEMORY_BASE;

static guest_lock scratch_lock;
static struct block *scratch_free;

void guest_lock_acquire(guest_lock *lock)
{
    for (unsigned spins = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); spins++) {
        while (*lock) {
            if (++spins & 63)
                __builtin_ia32_pause();
            else
                guest_raw.yield();
        }
    }
}

void guest_lock_release(guest_lock *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* Fresh zeroed pages in the guest's region; NULL without memory. An address that something
 * else has taken is passed over. */
static void *map_pages(size_t size)
{
    size_t step = (size + 0xffff) & ~(size_t)0xffff;

    for (unsigned i = 0; i < 64; i++) {
        void *at = (void *)(uintptr_t)__atomic_fetch_add(&next_address, step, __ATOMIC_RELAXED);
        SIZE_T want = size;
        NTSTATUS status = guest_raw.allocate(NT_CURRENT_PROCESS, &at, 0, &want,
                                             MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

        if (status >= 0) return at;
        if (status != NT_CONFLICTING_ADDRESSES) break;
    }
    return NULL;
}

void *guest_alloc(size_t size)
{
    struct block *b;
    unsigned class = 0;

    if (size > ((size_t)1 << 40)) return NULL;
    size += sizeof(struct block);
    if (size > (size_t)1 << CLASS_MAX_SHIFT) {
        b = map_pages(size);
        if (!b) return NULL;
        b->class = LARGE_CLASS;
        return b + 1;
    }
    while (((size_t)1 << (class + CLASS_MIN_SHIFT)) < size)
        class ++;

    size_t rounded = (size_t)1 << (class + CLASS_MIN_SHIFT);

    guest_lock_acquire(&memory_lock);
    b = free_blocks[class];
    if (b) {
        free_blocks[class] = b->next;
        guest_lock_release(&memory_lock);
        memset(b, 0, rounded);
    } else {
        if ((size_t)(chunk_end - chunk_next) < rounded) {
            /* the rest of the old chunk is smaller than one block of this class and stays
             * unused: at most a quarter of a chunk, and untouched pages cost nothing */
            uint8_t *chunk = map_pages(CHUNK_SIZE);

            if (!chunk) {
                guest_lock_release(&memory_lock);
                return NULL;
            }
            chunk_next = chunk;
            chunk_end = chunk + CHUNK_SIZE;
        }
        b = (struct block *)chunk_next;
        chunk_next += rounded;
        guest_lock_release(&memory_lock);
    }
    b->class = class;
    return b + 1;
}

void guest_free(void *p)
{
    struct block *b = p;

    if (!p) return;
    b--;
    if (b->class == LARGE_CLASS) {
        void *at = b;
        SIZE_T size = 0;

        guest_raw.release(NT_CURRENT_PROCESS, &at, &size, MEM_RELEASE);
        return;
    }

    unsigned class = (unsigned)b->class;

    guest_lock_acquire(&memory_lock);
    b->next = free_blocks[class];
    free_blocks[class] = b;
    guest_lock_release(&memory_lock);
}

void *guest_scratch_get(void)
{
    struct block *b;

    guest_lock_acquire(&scratch_lock);
    b = scratch_free;
    if (b) scratch_free = b->next;
    guest_lock_release(&scratch_lock);
    return b ? (void *)b : map_pages(GUEST_SCRATCH_SIZE);
}

void guest_scratch_put(void *p)
{
    struct block *b = p;

    if (!p) return;
    guest_lock_acquire(&scratch_lock);
    b->next = scratch_free;
    scratch_free = b;
    guest_lock_release(&scratch_lock);
}

/* gcc would turn loops in these into calls of themselves: the string instructions are
 * written out. */
void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src >= n) return memcpy(dst, src, n);

    uint8_t *d = (uint8_t *)dst + n - 1;
    const uint8_t *s = (const uint8_t *)src + n - 1;

    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(d), "+S"(s), "+c"(n) : : "memory", "cc");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

void guest_memory_hold(bool hold)
{
    if (hold) {
        guest_lock_acquire(&memory_lock);
        guest_lock_acquire(&scratch_lock);
    } else {
        guest_lock_release(&scratch_lock);
        guest_lock_release(&memory_lock);
    }
}
