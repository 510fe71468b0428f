/* Inside of guest/unix. */
#ifndef GUEST_UNIX_H
#define GUEST_UNIX_H

#include "guest_boot.h"

/* --- elf.c: shared objects of the machine below, as they lie in this process --------------- */
struct elf {
    uintptr_t base;
    uintptr_t symbols, strings, hash; /* addresses of the tables; 0: there is none */
    uintptr_t jumps, jumps_size;      /* the relocations of calls through pointers */
    char soname[32];
};
/* Finds the object that this address lies in, which is its code or data. */
bool elf_find(uintptr_t inside, struct elf *elf);
/* Address of the exported function name; 0: there is none. */
uintptr_t elf_symbol(const struct elf *elf, const char *name);
/* The next pointer through which the object calls another one's function: its address, the
 * function's name in name (size bytes). False at the end. Start with *index = 0. */
bool elf_next_jump(const struct elf *elf, uint32_t *index, void ***slot, char *name, size_t size);

#endif
