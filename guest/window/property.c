/* Properties of windows. A program names them by a string or by a global atom, and takes the two
 * for one. Strings go to the host as they are, atoms carry the VM's mark (atom.c): where the VM has
 * an atom of a string, that is the property meant, unless the window has one of the plain string
 * (which was set before there was such an atom, or by a Unix part). */
#include "window.h"

#define NAME_MOST 255

static BOOL(NTAPI *real_set)(HWND, const fvm_wchar *, HANDLE);
static HANDLE(NTAPI *real_get)(HWND, const fvm_wchar *);
static HANDLE(NTAPI *real_remove)(HWND, const fvm_wchar *);

/* The atom in a string's place; NULL: there is none. */
static const fvm_wchar *atom_of(const fvm_wchar *string)
{
    fvm_wchar name[NAME_MOST + 1];
    uint32_t len = 0;
    uint16_t atom;

    if ((uintptr_t)string >> 16 == 0) return NULL; /* is one */
    for (;; len++) {
        if (len > NAME_MOST || !guest_read(name + len, string + len, sizeof(*name))) return NULL;
        if (!name[len]) break;
    }
    return window_atom_of(name, len, &atom) ? (const fvm_wchar *)(uintptr_t)atom : NULL;
}

static BOOL NTAPI hook_set(HWND window, const fvm_wchar *name, HANDLE value)
{
    const fvm_wchar *atom = atom_of(name);

    return real_set(window, atom && !real_get(window, name) ? atom : name, value);
}

static HANDLE NTAPI hook_get(HWND window, const fvm_wchar *name)
{
    HANDLE value = real_get(window, name);
    const fvm_wchar *atom = value ? NULL : atom_of(name);

    return atom ? real_get(window, atom) : value;
}

static HANDLE NTAPI hook_remove(HWND window, const fvm_wchar *name)
{
    HANDLE value = real_remove(window, name);
    const fvm_wchar *atom = value ? NULL : atom_of(name);

    return atom ? real_remove(window, atom) : value;
}

const struct guest_hook guest_property_hooks[] = {
    {"NtUserSetProp", hook_set, (void **)&real_set},
    {"NtUserGetProp", hook_get, (void **)&real_get},
    {"NtUserRemoveProp", hook_remove, (void **)&real_remove},
    {NULL, NULL, NULL},
};
