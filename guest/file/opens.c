/* Which files of the base are open in the VM.
 *
 * The host checks sharing modes between handles of one file. A file that the VM changes
 * becomes another one, its copy; what is open on the base's would not be asked. So every
 * handle on a file of the base is noted in the shared block, by a hash of the file's place,
 * and the change asks here.
 *
 * The host itself is asked with full sharing: what one VM has open must not be in the way of
 * another VM or of the host.
 *
 * How many handles there are is counted by a part of the hash: nearly always that says that
 * nobody else has the file open, and nothing more is looked at.
 *
 * Each process writes to chunks of its own only, without a lock against others; who asks
 * reads all chunks. Chunks of dead processes are emptied by whoever meets them. */
#include "file.h"

#define CHUNK_ENTRIES 255u
#define CHUNK_BYTES   4096u
#define COUNTERS      65536u
#define COUNTER_BYTES (COUNTERS * (uint32_t)sizeof(uint16_t))
#define CHUNK_LIMIT   ((uint32_t)((FVM_SHARED_OPENS_SIZE - COUNTER_BYTES) / CHUNK_BYTES))
#define OWN_CHUNKS    256u /* 65,280 files of the base open at once in one process */

#define READ_ACCESS  (FILE_READ_DATA | FILE_EXECUTE)
#define WRITE_ACCESS (FILE_WRITE_DATA | FILE_APPEND_DATA)

/* beside the sharing bits */
#define SYNCHRONOUS 0x80000000u
#define DOOMED      0x40000000u /* deleted when the last handle is closed */

struct entry {
    volatile uint64_t key; /* 0: free */
    uint32_t access;       /* generic rights mapped */
    volatile uint32_t sharing;
};

struct chunk {
    volatile uint32_t pid; /* 0: free */
    volatile uint32_t count;
    uint64_t reserved;
    struct entry entries[CHUNK_ENTRIES];
};
_Static_assert(sizeof(struct chunk) <= CHUNK_BYTES, "a chunk is a page");

static uint32_t own[OWN_CHUNKS]; /* numbers of this process's chunks, plus one */
static uint32_t hint;            /* where the last entry was freed, or the one after the last taken */
static guest_lock own_lock;

static struct chunk *chunk_at(uint32_t number)
{
    return (struct chunk *)((uint8_t *)guest_shared + guest_shared->opens_offset + COUNTER_BYTES +
                            (uint64_t)number * CHUNK_BYTES);
}

static volatile uint16_t *counter_of(uint64_t key)
{
    volatile uint16_t *counters = (void *)((uint8_t *)guest_shared + guest_shared->opens_offset);
    return &counters[(key >> 20) % COUNTERS];
}

static void drop(struct entry *e)
{
    uint64_t key = e->key;

    e->key = 0;
    if (key) __atomic_sub_fetch(counter_of(key), 1, __ATOMIC_ACQ_REL);
}

uint64_t file_open_key(struct fvm_wstr base)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (uint32_t i = 0; i < base.len; i++)
        hash = (hash ^ fvm_upcase(base.ptr[i])) * 1099511628211u;
    return hash | 1;
}

static uint32_t map_generic(ACCESS_MASK access)
{
    if (access & (GENERIC_READ | GENERIC_ALL)) access |= FILE_READ_DATA;
    if (access & (GENERIC_WRITE | GENERIC_ALL)) access |= FILE_WRITE_DATA | FILE_APPEND_DATA;
    if (access & (GENERIC_EXECUTE | GENERIC_ALL)) access |= FILE_EXECUTE;
    if (access & GENERIC_ALL) access |= DELETE;
    return access & (READ_ACCESS | WRITE_ACCESS | DELETE);
}

static bool is_alive(uint32_t pid)
{
    OBJECT_ATTRIBUTES attr;
    CLIENT_ID id = {.UniqueProcess = (HANDLE)(uintptr_t)pid};
    LARGE_INTEGER now = {.QuadPart = 0};
    HANDLE process;

    if (pid == nt_process_id()) return true;
    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    if (guest_open_process(&process, SYNCHRONIZE, &attr, &id)) return false;
    bool alive = NtWaitForSingleObject(process, FALSE, &now) != STATUS_SUCCESS;
    file_real.close(process);
    return alive;
}

static void empty(struct chunk *c)
{
    for (uint32_t i = 0; i < CHUNK_ENTRIES; i++)
        drop(&c->entries[i]);
    c->count = 0;
    __atomic_store_n(&c->pid, 0, __ATOMIC_RELEASE);
}

/* A chunk for this process: one that a dead one left, or a new one. */
static uint32_t claim_chunk(void)
{
    uint32_t high = guest_shared->open_chunks, self = nt_process_id();

    for (uint32_t i = 0; i < high; i++) {
        uint32_t nobody = 0;
        if (!chunk_at(i)->pid && __atomic_compare_exchange_n(&chunk_at(i)->pid, &nobody, self, false,
                                                             __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return i + 1;
    }
    uint32_t number = __atomic_fetch_add(&guest_shared->open_chunks, 1, __ATOMIC_ACQ_REL);
    if (number >= CHUNK_LIMIT) {
        __atomic_fetch_sub(&guest_shared->open_chunks, 1, __ATOMIC_ACQ_REL);
        return 0;
    }
    chunk_at(number)->pid = self;
    return number + 1;
}

uint32_t file_open_note(uint64_t key, ACCESS_MASK access, ULONG sharing, bool synchronous)
{
    uint32_t mapped = map_generic(access), id = 0;

    guest_lock_acquire(&own_lock);
    for (uint32_t n = hint / CHUNK_ENTRIES, tried = 0; tried < OWN_CHUNKS && !id; tried++) {
        if (!own[n]) own[n] = claim_chunk();
        struct chunk *c = own[n] ? chunk_at(own[n] - 1) : NULL;
        uint32_t i = tried ? 0 : hint % CHUNK_ENTRIES;
        for (uint32_t k = 0; c && c->count < CHUNK_ENTRIES && k < CHUNK_ENTRIES; k++) {
            struct entry *e = &c->entries[i];
            if (!e->key) {
                e->access = mapped;
                e->sharing = (sharing & FILE_SHARE_ALL) | (synchronous ? SYNCHRONOUS : 0);
                __atomic_store_n(&e->key, key, __ATOMIC_RELEASE);
                __atomic_add_fetch(counter_of(key), 1, __ATOMIC_ACQ_REL);
                c->count++;
                id = n * CHUNK_ENTRIES + i + 1;
                hint = id % (OWN_CHUNKS * CHUNK_ENTRIES);
                break;
            }
            i = (i + 1) % CHUNK_ENTRIES;
        }
        if (!c) {
            if (n == 0) break; /* no chunk to be had at all */
            n = 0;
        } else {
            n = (n + 1) % OWN_CHUNKS;
        }
    }
    guest_lock_release(&own_lock);
    return id;
}

uint32_t file_open_copy(uint32_t id)
{
    const struct entry *e = &chunk_at(own[(id - 1) / CHUNK_ENTRIES] - 1)->entries[(id - 1) % CHUNK_ENTRIES];
    return file_open_note(e->key, e->access, e->sharing & FILE_SHARE_ALL, e->sharing & SYNCHRONOUS);
}

void file_opens_hold(bool hold)
{
    if (hold) guest_lock_acquire(&own_lock);
    else guest_lock_release(&own_lock);
}

bool file_open_is_synchronous(uint32_t id)
{
    struct chunk *c = chunk_at(own[(id - 1) / CHUNK_ENTRIES] - 1);
    return c->entries[(id - 1) % CHUNK_ENTRIES].sharing & SYNCHRONOUS;
}

bool file_open_is_doomed(uint32_t id)
{
    struct chunk *c = chunk_at(own[(id - 1) / CHUNK_ENTRIES] - 1);
    return c->entries[(id - 1) % CHUNK_ENTRIES].sharing & DOOMED;
}

void file_open_forget(uint32_t id)
{
    guest_lock_acquire(&own_lock);
    struct chunk *c = chunk_at(own[(id - 1) / CHUNK_ENTRIES] - 1);
    drop(&c->entries[(id - 1) % CHUNK_ENTRIES]);
    c->count--;
    hint = id - 1;
    guest_lock_release(&own_lock);
}

/* Sums up what is open of the file but for the handle noted as except (0: none), and sets mark
 * at each. Returns the number of handles. */
static uint32_t survey(uint64_t key, uint32_t except, uint32_t *access, uint32_t *sharing,
                       uint32_t mark)
{
    uint32_t found = 0, high = guest_shared->open_chunks;
    struct entry *own_entry = NULL;

    *access = 0;
    *sharing = FILE_SHARE_ALL;
    if (*counter_of(key) <= (except ? 1 : 0)) return 0;
    if (except)
        own_entry = &chunk_at(own[(except - 1) / CHUNK_ENTRIES] - 1)
                         ->entries[(except - 1) % CHUNK_ENTRIES];
    for (uint32_t i = 0; i < high; i++) {
        struct chunk *c = chunk_at(i);
        bool checked = false;
        if (!c->pid || !c->count) continue;
        for (uint32_t k = 0; k < CHUNK_ENTRIES; k++) {
            struct entry *e = &c->entries[k];
            if (e->key != key || e == own_entry) continue;
            if (!checked && !is_alive(c->pid)) {
                empty(c);
                break;
            }
            checked = true;
            found++;
            *access |= e->access;
            if (mark) __atomic_or_fetch(&e->sharing, mark, __ATOMIC_ACQ_REL);
            if (e->access) *sharing &= e->sharing; /* without rights, sharing does not count */
        }
    }
    return found;
}

bool file_open_in_vm(struct fvm_wstr base)
{
    uint32_t access, sharing;
    return survey(file_open_key(base), 0, &access, &sharing, 0) != 0;
}

bool file_open_doom(struct fvm_wstr base)
{
    uint32_t access, sharing;
    return survey(file_open_key(base), 0, &access, &sharing, DOOMED) != 0;
}

/* As the host decides: what is asked for against what all others share, and the other way. */
static bool fits(uint64_t key, uint32_t except, uint32_t asked, uint32_t sharing)
{
    uint32_t access, shared;

    if (!asked || !survey(key, except, &access, &shared, 0)) return true;
    if (((asked & READ_ACCESS) && !(shared & FILE_SHARE_READ)) ||
        ((asked & WRITE_ACCESS) && !(shared & FILE_SHARE_WRITE)) ||
        ((asked & DELETE) && !(shared & FILE_SHARE_DELETE)))
        return false;
    return !(((access & READ_ACCESS) && !(sharing & FILE_SHARE_READ)) ||
             ((access & WRITE_ACCESS) && !(sharing & FILE_SHARE_WRITE)) ||
             ((access & DELETE) && !(sharing & FILE_SHARE_DELETE)));
}

bool file_open_allowed(struct fvm_wstr base, ACCESS_MASK wanted, ULONG sharing)
{
    return fits(file_open_key(base), 0, map_generic(wanted), sharing);
}

bool file_open_fits(uint32_t id)
{
    const struct entry *e =
        &chunk_at(own[(id - 1) / CHUNK_ENTRIES] - 1)->entries[(id - 1) % CHUNK_ENTRIES];

    return fits(e->key, id, e->access, e->sharing & FILE_SHARE_ALL);
}

void file_opens_at_exit(void)
{
    for (uint32_t n = 0; n < OWN_CHUNKS && own[n]; n++)
        empty(chunk_at(own[n] - 1));
    memset(own, 0, sizeof own);
}
