/* Lists of processes and handles: the host's, without those outside of the VM. */
#include "list.h"

#define CLASS_PROCESSES          5
#define CLASS_HANDLES            16
#define CLASS_EXTENDED_PROCESSES 57
#define CLASS_EXTENDED_HANDLES   64
#define CLASS_FULL_PROCESSES     148

NTSTATUS(NTAPI *real_NtQuerySystemInformation)(ULONG, void *, ULONG, ULONG *);

struct process_entry { /* the beginning of SYSTEM_PROCESS_INFORMATION */
    ULONG next, threads;
    LARGE_INTEGER times[6];
    UNICODE_STRING name;
    LONG priority;
    HANDLE id, parent;
};

struct handle_entry { /* SYSTEM_HANDLE_TABLE_ENTRY_INFO */
    USHORT pid, trace;
    UCHAR type, flags;
    USHORT handle;
    void *object;
    ULONG access;
};

struct handle_entry_ex { /* SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX */
    void *object;
    ULONG_PTR pid, handle;
    ULONG rest[4];
};

/* The host's whole answer in a buffer that is to be freed; *size: bytes used. */
static NTSTATUS whole_answer(ULONG class, void **answer, size_t *size)
{
    size_t room = 65536;

    for (;;) {
        ULONG used = 0;
        NTSTATUS status;

        *answer = guest_alloc(room);
        if (!*answer) return NT_NO_MEMORY;
        status = real_NtQuerySystemInformation(class, *answer, (ULONG)room, &used);
        *size = used;
        if (!status) return status;
        guest_free(*answer);
        *answer = NULL;
        if (status != NT_INFO_LENGTH_MISMATCH || room > (size_t)1 << 30) return status;
        /* the list may grow while it is asked for */
        room = (used > room ? used : room) * 2;
    }
}

/* Moves the entries of the VM to the front; names move along. Returns the bytes used. Names get
 * the addresses they will have at target. */
static size_t keep_processes(uint8_t *list, const struct process_list *members, uint8_t *target)
{
    size_t from = 0, to = 0, last = 0, size = 0;
    bool more = true, any = false;

    while (more) {
        struct process_entry *e = (struct process_entry *)(list + from);
        size_t next = e->next;
        uint8_t *name = (uint8_t *)e->name.Buffer;

        more = next != 0;
        if (process_listed(members, (uintptr_t)e->id)) {
            size_t length = next;
            if (!next) {
                /* the last one ends with its name and a terminator */
                length = name ? (size_t)(name - (list + from)) + e->name.MaximumLength : sizeof(*e);
            }
            if (any) ((struct process_entry *)(list + last))->next = (ULONG)(to - last);
            if (name) e->name.Buffer = (WCHAR *)(target + to + (name - (list + from)));
            memmove(list + to, list + from, length);
            last = to;
            any = true;
            to += length;
            size = to;
        }
        from += next;
    }
    if (any) ((struct process_entry *)(list + last))->next = 0;
    return size;
}

static bool is_shown(const struct process_list *members, uintptr_t pid, uintptr_t handle)
{
    if (!process_listed(members, pid)) return false;
    return pid != nt_process_id() || !guest_is_own_handle((HANDLE)handle);
}

/* The same for handles: a count, then entries of one size. */
static size_t keep_handles(uint8_t *list, const struct process_list *members)
{
    ULONG count, kept = 0;
    struct handle_entry *e = (struct handle_entry *)(list + 8);

    memcpy(&count, list, sizeof(count));
    for (ULONG i = 0; i < count; i++) {
        if (is_shown(members, e[i].pid, e[i].handle)) e[kept++] = e[i];
    }
    memcpy(list, &kept, sizeof(kept));
    return 8 + kept * sizeof(*e);
}

static size_t keep_handles_ex(uint8_t *list, const struct process_list *members)
{
    ULONG_PTR count, kept = 0;
    struct handle_entry_ex *e = (struct handle_entry_ex *)(list + 16);

    memcpy(&count, list, sizeof(count));
    for (ULONG_PTR i = 0; i < count; i++) {
        if (is_shown(members, e[i].pid, e[i].handle)) e[kept++] = e[i];
    }
    memcpy(list, &kept, sizeof(kept));
    return 16 + kept * sizeof(*e);
}

static NTSTATUS query(ULONG class, void *info, ULONG size, ULONG *needed)
{
    struct process_list *members = process_members();
    void *answer = NULL;
    size_t used;
    NTSTATUS status = members ? whole_answer(class, &answer, &used) : NT_NO_MEMORY;

    if (!status) {
        if (class == CLASS_HANDLES)
            used = keep_handles(answer, members);
        else if (class == CLASS_EXTENDED_HANDLES)
            used = keep_handles_ex(answer, members);
        else
            used = keep_processes(answer, members, info);
        ULONG total = (ULONG)used;
        if (size < used)
            status = NT_INFO_LENGTH_MISMATCH;
        else if (!guest_write(info, answer, used))
            status = NT_ACCESS_VIOLATION;
        if (needed && !guest_write(needed, &total, sizeof(total))) status = NT_ACCESS_VIOLATION;
    }
    guest_free(answer);
    guest_free(members);
    return status;
}

NTSTATUS NTAPI hook_NtQuerySystemInformation(ULONG class, void *info, ULONG size, ULONG *needed)
{
    if (guest_attached) return real_NtQuerySystemInformation(class, info, size, needed);
    switch (class) {
    case CLASS_HANDLES:
    case CLASS_EXTENDED_HANDLES:
        /* without room for a single entry, or for nothing, the host says so itself */
        if (!info || size < (class == CLASS_HANDLES ? 8 + sizeof(struct handle_entry)
                                                    : 16 + sizeof(struct handle_entry_ex)))
            break;
        return query(class, info, size, needed);
    case CLASS_PROCESSES:
    case CLASS_EXTENDED_PROCESSES:
    case CLASS_FULL_PROCESSES:
        return query(class, info, size, needed);
    default:
        break;
    }
    return real_NtQuerySystemInformation(class, info, size, needed);
}
