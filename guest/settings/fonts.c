/* Fonts. The first program after a start of the host looks at all of them and leaves what it found
 * in a volatile key, from which the others take it. A VM takes the host's, unless it has fonts of
 * its own: then its first program with a window looks again, and the key is the VM's. */
#include "settings.h"
#include "fvm/registry.h"

/* registry/open.c: the hook of NtCreateKey */
NTSTATUS NTAPI reg_hook_create_key(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                                   ULONG title, const UNICODE_STRING *class, ULONG options,
                                   ULONG *disposition);

/* Are there fonts of the VM's own, or does it lack some of the base's? */
static bool fonts_differ(void)
{
    static const fvm_wchar folder[] = u"\\??\\C:\\windows\\Fonts",
                           nt[] =
                               u"Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion\\Fonts",
                           old[] = u"Machine\\Software\\Microsoft\\Windows\\CurrentVersion\\Fonts";
    static const struct fvm_wstr keys[] = {{nt, sizeof nt / sizeof *nt - 1},
                                           {old, sizeof old / sizeof *old - 1}};
    struct fvm_reg *r = (struct fvm_reg *)((uint8_t *)guest_shared + guest_shared->reg_offset);
    fvm_wchar *real = guest_scratch_get();
    NTSTATUS status = NT_NO_MEMORY;
    bool differ = false;

    if (real)
        differ = guest_file_real_name((struct fvm_wstr){folder, sizeof folder / sizeof *folder - 1},
                                      real, GUEST_SCRATCH_SIZE / sizeof *real, &status) ||
                 status;
    guest_scratch_put(real);
    for (size_t i = 0; !differ && i < sizeof keys / sizeof *keys; i++) {
        uint32_t node, seq;

        do {
            seq = fvm_reg_read_begin(r);
            differ = fvm_reg_walk(r, keys[i], &node) != FVM_REG_IS_BASE || node;
        } while (fvm_reg_read_retry(r, seq));
    }
    return differ;
}

static bool is_stale_cache(struct fvm_wstr path)
{
    static const fvm_wchar end[] = u"\\Software\\Wine\\Fonts\\Cache";
    const uint32_t len = sizeof end / sizeof *end - 1;

    return path.len > len &&
           !fvm_reg_compare((struct fvm_wstr){path.ptr + path.len - len, len},
                            (struct fvm_wstr){end, len}) &&
           fonts_differ();
}

NTSTATUS NTAPI guest_settings_create_key(HANDLE *key, ACCESS_MASK access,
                                         const OBJECT_ATTRIBUTES *attr, ULONG title,
                                         const UNICODE_STRING *class, ULONG options,
                                         ULONG *disposition)
{
    const ULONG created = REG_CREATED_NEW_KEY;
    bool anew = false;

    if (options & REG_OPTION_VOLATILE) guest_registry_anew(attr, is_stale_cache, &anew);
    NTSTATUS status = reg_hook_create_key(key, access, attr, title, class, options, disposition);
    if (anew && !status && disposition && !guest_write(disposition, &created, sizeof created))
        status = NT_ACCESS_VIOLATION;
    return status;
}
