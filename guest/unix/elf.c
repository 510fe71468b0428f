/* Reads the tables that the machine's loader has left in memory. Everything is read as a
 * program's memory is: an object of another make ends the search, not the process. */
#include "unix.h"

#define PAGE 0x1000
/* Objects are mapped as one piece; the largest ones of the host have a few MiB. */
#define MAX_OBJECT (64u << 20)

enum { PT_DYNAMIC = 2, R_X86_64_JUMP_SLOT = 7 };
enum {
    DT_PLTRELSZ = 2,
    DT_STRTAB = 5,
    DT_SYMTAB = 6,
    DT_SONAME = 14,
    DT_JMPREL = 23,
    DT_GNU_HASH = 0x6ffffef5,
};

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments, sections;
    uint32_t flags;
    uint16_t header_size, segment_size, segment_count;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, alignment;
};

struct elf_dynamic {
    int64_t tag;
    uint64_t value;
};

struct elf_sym {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};

struct elf_rela {
    uint64_t offset, info;
    int64_t addend;
};

static bool get(uintptr_t address, void *dst, size_t size)
{
    return guest_read(dst, (const void *)address, size);
}

/* A string of the object: cut off at size - 1 bytes. */
static bool get_string(uintptr_t address, char *dst, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (!get(address + i, dst + i, 1)) return false;
        if (!dst[i]) return true;
    }
    dst[size - 1] = 0;
    return true;
}

/* Is this string of the object the same as name? */
static bool is_string(uintptr_t address, const char *name)
{
    char c;

    for (;; address++, name++) {
        if (!get(address, &c, 1) || c != *name) return false;
        if (!c) return true;
    }
}

/* The loader has replaced offsets in the object by addresses, except in objects that it must not
 * write to. */
static uintptr_t address_of(const struct elf *elf, uint64_t value)
{
    return value < elf->base ? elf->base + value : value;
}

bool elf_find(uintptr_t inside, struct elf *elf)
{
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */};
    uintptr_t base = inside & ~(uintptr_t)(PAGE - 1), soname = 0, dynamic = 0;
    struct elf_header header;
    struct elf_dynamic d;

    memset(elf, 0, sizeof *elf);
    for (uint32_t left = MAX_OBJECT / PAGE;; base -= PAGE) {
        if (!left-- || base < PAGE) return false;
        /* between its parts there may be pages that cannot be read */
        if (get(base, &header, sizeof header) && !memcmp(header.ident, magic, sizeof magic)) break;
    }
    elf->base = base;
    for (uint32_t i = 0; i < header.segment_count && !dynamic; i++) {
        struct elf_segment s;

        if (!get(base + header.segments + (uintptr_t)i * header.segment_size, &s, sizeof s))
            return false;
        if (s.type == PT_DYNAMIC) dynamic = base + s.address;
    }
    for (; dynamic; dynamic += sizeof d) {
        if (!get(dynamic, &d, sizeof d)) return false;
        if (!d.tag) break;
        switch (d.tag) {
        case DT_PLTRELSZ:
            elf->jumps_size = d.value;
            break;
        case DT_STRTAB:
            elf->strings = address_of(elf, d.value);
            break;
        case DT_SYMTAB:
            elf->symbols = address_of(elf, d.value);
            break;
        case DT_JMPREL:
            elf->jumps = address_of(elf, d.value);
            break;
        case DT_GNU_HASH:
            elf->hash = address_of(elf, d.value);
            break;
        case DT_SONAME:
            soname = d.value;
            break;
        }
    }
    return elf->strings && elf->symbols && soname &&
           get_string(elf->strings + soname, elf->soname, sizeof elf->soname);
}

uintptr_t elf_symbol(const struct elf *elf, const char *name)
{
    struct {
        uint32_t buckets, first, filter_words, filter_shift;
    } table;
    uint32_t hash = 5381, index, found;

    for (const char *p = name; *p; p++)
        hash = hash * 33 + (uint8_t)*p;
    if (!elf->hash || !get(elf->hash, &table, sizeof table) || !table.buckets) return 0;

    uintptr_t buckets = elf->hash + sizeof table + (uintptr_t)table.filter_words * 8;
    uintptr_t chains = buckets + (uintptr_t)table.buckets * 4;

    if (!get(buckets + (uintptr_t)(hash % table.buckets) * 4, &index, sizeof index)) return 0;
    for (; index >= table.first; index++) {
        struct elf_sym symbol;

        if (!get(chains + (uintptr_t)(index - table.first) * 4, &found, sizeof found)) return 0;
        if ((found | 1) == (hash | 1) &&
            get(elf->symbols + (uintptr_t)index * sizeof symbol, &symbol, sizeof symbol) &&
            symbol.section && is_string(elf->strings + symbol.name, name))
            return elf->base + symbol.value;
        if (found & 1) break; /* the end of this chain */
    }
    return 0;
}

bool elf_next_jump(const struct elf *elf, uint32_t *index, void ***slot, char *name, size_t size)
{
    struct elf_rela rela;
    struct elf_sym symbol;

    for (; (uintptr_t)(*index + 1) * sizeof rela <= elf->jumps_size; (*index)++) {
        if (!get(elf->jumps + (uintptr_t)*index * sizeof rela, &rela, sizeof rela)) return false;
        if ((uint32_t)rela.info != R_X86_64_JUMP_SLOT) continue;
        if (!get(elf->symbols + (uintptr_t)(rela.info >> 32) * sizeof symbol, &symbol,
                 sizeof symbol) ||
            !get_string(elf->strings + symbol.name, name, size))
            return false;
        *slot = (void **)(elf->base + rela.offset);
        (*index)++;
        return true;
    }
    return false;
}
