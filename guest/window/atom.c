/* Global atoms: names with numbers, in one table for all of the host. Names of messages
 * (RegisterWindowMessage) and clipboard formats are such atoms as well.
 *
 * What a VM's programs call an atom gets the VM's mark in front of it, and loses it in answers, so
 * each VM has its own atom of a name. Names of window classes and properties go to the same table
 * by another way, without a mark; by number they can be asked for, as EnumProps does. Properties
 * see to it that a name and the atom of the name are one (property.c). */
#include "window.h"
#include "guest_boot.h"

#define NAME_MOST 255 /* the host's limit */

/* The mark: a sign of it, and 64 bits of the VM's id in units of 11, all of them code points for
 * private use. */
#define MARK_SIGN 0xf8f5
#define MARK_BASE 0xe000
#define MARK      7
/* Names with which the mark has no room are the host's as well. */
#define MARKED_MOST (NAME_MOST - MARK)

#define FIRST_NAMED 0xc000 /* smaller numbers are no names */

#define NT_INVALID_HANDLE GUEST_STATUS(0xc0000008)
#define NT_BUFFER_SMALL   GUEST_STATUS(0xc0000023)

/* ATOM_BASIC_INFORMATION */
struct information {
    USHORT references, pinned, bytes;
    fvm_wchar name[NAME_MOST + 1];
};
#define INFORMATION_LEAST 8

typedef NTSTATUS(NTAPI *atom_by_name_fn)(const fvm_wchar *, ULONG, uint16_t *);
static atom_by_name_fn real_add, real_find;
static NTSTATUS(NTAPI *real_delete)(uint16_t);
static NTSTATUS(NTAPI *real_query)(uint16_t, ULONG, void *, ULONG, ULONG *);
static INT(NTAPI *real_format_name)(UINT, fvm_wchar *, INT);

static void write_mark(fvm_wchar *dst)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (uint32_t i = 0; i < guest_shared->vm_id_len; i++)
        hash = (hash ^ guest_shared->vm_id[i]) * 1099511628211u;
    dst[0] = MARK_SIGN;
    for (uint32_t i = 1; i < MARK; i++, hash >>= 11)
        dst[i] = (fvm_wchar)(MARK_BASE + (hash & 0x7ff));
}

enum mark { OWN, FOREIGN, NONE };

static enum mark mark_of(const fvm_wchar *name, uint32_t len)
{
    fvm_wchar own[MARK];

    if (len <= MARK || name[0] != MARK_SIGN) return NONE;
    write_mark(own);
    return memcmp(name, own, sizeof(own)) ? FOREIGN : OWN;
}

/* "#123" stands for the number 123. */
static bool is_number(const fvm_wchar *name, uint32_t len)
{
    if (len < 2 || name[0] != '#') return false;
    for (uint32_t i = 1; i < len; i++)
        if (name[i] < '0' || name[i] > '9') return false;
    return true;
}

static NTSTATUS by_name(atom_by_name_fn real, const fvm_wchar *name, ULONG bytes, uint16_t *atom)
{
    fvm_wchar marked[NAME_MOST];
    uint32_t len = bytes / (uint32_t)sizeof(*name);

    /* a small number in place of the pointer is an atom; what cannot be is for the host */
    if ((uintptr_t)name >> 16 == 0 || !len || len > MARKED_MOST || guest_attached ||
        !guest_read(marked + MARK, name, len * sizeof(*name)) || is_number(marked + MARK, len))
        return real(name, bytes, atom);
    write_mark(marked);
    return real(marked, (MARK + len) * (ULONG)sizeof(*name), atom);
}

/* The bit of a name. Names are compared without regard to case, so what may differ in it counts
 * alike here. */
static volatile uint32_t *bit_of(const fvm_wchar *name, uint32_t len, uint32_t *bit)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (uint32_t i = 0; i < len; i++) {
        fvm_wchar c = name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i];
        hash = (hash ^ (c < 128 ? c : 128u)) * 16777619u;
    }
    *bit = 1u << hash % 32;
    return &guest_shared->atom_names[hash / 32 % 256];
}

static NTSTATUS NTAPI hook_add(const fvm_wchar *name, ULONG bytes, uint16_t *atom)
{
    fvm_wchar copy[MARKED_MOST];
    uint32_t len = bytes / (uint32_t)sizeof(*name), bit;

    if ((uintptr_t)name >> 16 && len <= MARKED_MOST &&
        guest_read(copy, name, len * sizeof(*name))) {
        volatile uint32_t *word = bit_of(copy, len, &bit);
        __atomic_or_fetch(word, bit, __ATOMIC_SEQ_CST);
    }
    return by_name(real_add, name, bytes, atom);
}

bool window_atom_of(const fvm_wchar *name, uint32_t len, uint16_t *atom)
{
    fvm_wchar marked[NAME_MOST];
    uint32_t bit;

    if (!len || len > MARKED_MOST || guest_attached || is_number(name, len) ||
        !(*bit_of(name, len, &bit) & bit))
        return false;
    write_mark(marked);
    memcpy(marked + MARK, name, len * sizeof(*name));
    return real_find(marked, (MARK + len) * (ULONG)sizeof(*name), atom) >= 0;
}

static NTSTATUS NTAPI hook_find(const fvm_wchar *name, ULONG bytes, uint16_t *atom)
{
    return by_name(real_find, name, bytes, atom);
}

static NTSTATUS ask(uint16_t atom, struct information *info)
{
    return real_query(atom, 0 /* AtomBasicInformation */, info, sizeof(*info), NULL);
}

static NTSTATUS NTAPI hook_delete(uint16_t atom)
{
    struct information info;

    /* names without a mark belong to the host's programs, and to classes and properties, which
     * are not deleted by this; those that are too long for one are left to the program */
    if (atom >= FIRST_NAMED && !guest_attached && !ask(atom, &info)) {
        uint32_t len = info.bytes / (uint32_t)sizeof(*info.name);

        if (mark_of(info.name, len) != OWN && len <= MARKED_MOST) return NT_INVALID_HANDLE;
    }
    return real_delete(atom);
}

static NTSTATUS NTAPI hook_query(uint16_t atom, ULONG class, void *ptr, ULONG size, ULONG *needed)
{
    struct information info;
    uint32_t room, bytes, total;
    NTSTATUS status = STATUS_SUCCESS;

    if (atom < FIRST_NAMED || class || size < INFORMATION_LEAST || guest_attached ||
        ask(atom, &info))
        return real_query(atom, class, ptr, size, needed);
    switch (mark_of(info.name, info.bytes / (uint32_t)sizeof(*info.name))) {
    case NONE:
        return real_query(atom, class, ptr, size, needed);
    case FOREIGN: /* as if the number were free */
        return real_query(0xffff, class, ptr, size, needed);
    case OWN:
        break;
    }
    /* the host cuts a name to the room there is, and tells its length if there is none */
    info.bytes = (USHORT)(info.bytes - MARK * sizeof(*info.name));
    room = size - INFORMATION_LEAST;
    bytes = info.bytes < room ? info.bytes : room;
    total = INFORMATION_LEAST + (bytes ? bytes : info.bytes);
    memmove(info.name, info.name + MARK, info.bytes);
    if (bytes) {
        info.bytes = (USHORT)bytes;
        info.name[bytes / sizeof(*info.name)] = 0;
    } else {
        status = NT_BUFFER_SMALL;
    }
    if (!guest_write(ptr, &info, offsetof(struct information, name)) ||
        (bytes && !guest_write((uint8_t *)ptr + offsetof(struct information, name), info.name,
                               bytes + sizeof(*info.name))) ||
        (needed && !guest_write(needed, &total, sizeof(total))))
        return NT_ACCESS_VIOLATION;
    return status;
}

/* win32u asks for the name by itself. */
static INT NTAPI hook_format_name(UINT format, fvm_wchar *buffer, INT most)
{
    fvm_wchar name[NAME_MOST + 1];
    INT len = most > 0 ? real_format_name(format, name, NAME_MOST + 1) : 0;

    if (len <= 0 || guest_attached) return real_format_name(format, buffer, most);
    switch (mark_of(name, (uint32_t)len)) {
    case NONE:
        return real_format_name(format, buffer, most);
    case FOREIGN:
        return real_format_name(0xffff, buffer, most);
    case OWN:
        break;
    }
    len -= MARK;
    if (len > most - 1) len = most - 1;
    name[MARK + len] = 0;
    return guest_write(buffer, name + MARK, ((size_t)len + 1) * sizeof(*name)) ? len : 0;
}

const struct guest_hook guest_atom_hooks[] = {
    {"NtAddAtom", hook_add, (void **)&real_add},
    {"NtFindAtom", hook_find, (void **)&real_find},
    {"NtDeleteAtom", hook_delete, (void **)&real_delete},
    {"NtQueryInformationAtom", hook_query, (void **)&real_query},
    {NULL, NULL, NULL},
};

const struct guest_hook guest_atom_name_hooks[] = {
    {"NtUserGetClipboardFormatName", hook_format_name, (void **)&real_format_name},
    {NULL, NULL, NULL},
};
