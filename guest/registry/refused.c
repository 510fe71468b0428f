/* Which keys the program wanted to change and could not: one event for each. */
#include "registry.h"
#include "fvm/fold.h"

static const char why[] = "the registry of the host is read-only in a VM";

/* Hashes of the keys that an event tells of; 0 is a free slot. Programs that write many
 * different keys shall not fill the log: it ends with a note at MOST_KEYS. */
enum { SLOTS = 256, MOST_KEYS = 192 };
static uint32_t seen[SLOTS];
static uint32_t seen_count;
static guest_lock seen_lock;

enum news { KNOWN, NEWS, LAST_NEWS };

static enum news remember(uint32_t hash)
{
    enum news news = KNOWN;
    uint32_t i;

    if (!hash) hash = 1;
    guest_lock_acquire(&seen_lock);
    for (i = hash % SLOTS; seen[i] && seen[i] != hash; i = (i + 1) % SLOTS) {
    }
    if (!seen[i] && seen_count < MOST_KEYS) {
        seen[i] = hash;
        news = ++seen_count == MOST_KEYS ? LAST_NEWS : NEWS;
    }
    guest_lock_release(&seen_lock);
    return news;
}

NTSTATUS registry_check_key(HANDLE key, ACCESS_MASK access)
{
    OBJECT_BASIC_INFORMATION basic;
    ULONG size;
    NTSTATUS status = NtQueryKey(key, KEY_CLASS_NAME, NULL, 0, &size);

    if (status == NT_INVALID_HANDLE || status == NT_OBJECT_TYPE_MISMATCH ||
        status == NT_KEY_DELETED)
        return status; /* all other answers are about the buffer */
    if (!access) return STATUS_SUCCESS;
    status = NtQueryObject(key, ObjectBasicInformation, &basic, sizeof(basic), NULL);
    if (status) return status;
    return (basic.GrantedAccess & access) == access ? STATUS_SUCCESS : NT_ACCESS_DENIED;
}

/* Writes root's name, a backslash and name to dst; cuts off what does not fit. */
static uint32_t full_name(HANDLE root, struct fvm_wstr name, fvm_wchar *dst, uint32_t cap)
{
    struct key_name_info *info = (struct key_name_info *)dst;
    uint32_t len = 0;
    ULONG size;

    if (root && !NtQueryKey(root, KEY_CLASS_NAME, info, cap * (uint32_t)sizeof(*dst), &size)) {
        len = info->size / (uint32_t)sizeof(*dst);
        memmove(dst, info->name, info->size);
        if (name.len && len < cap) dst[len++] = '\\';
    }
    if (name.len > cap - len) name.len = cap - len;
    if (!guest_read(dst + len, name.ptr, name.len * sizeof(*dst))) name.len = 0;
    return len + name.len;
}

void registry_refused(const char *call, HANDLE root, struct fvm_wstr name)
{
    struct fvm_wstr full;
    fvm_wchar *text = guest_scratch_get();

    if (!text) return; /* the refusal stands without a record */
    full.ptr = text;
    full.len = full_name(root, name, text, GUEST_SCRATCH_SIZE / sizeof(*text));
    while (full.len && text[full.len - 1] == '\\')
        full.len--;
    switch (remember(fvm_name_hash(0, full.ptr, full.len))) {
    case KNOWN:
        break;
    case NEWS:
        guest_event("refused", call, full, why);
        break;
    case LAST_NEWS:
        guest_event("refused", call, full,
                    "the registry of the host is read-only in a VM; "
                    "this process wants to change many keys, further ones are not listed");
        break;
    }
    guest_scratch_put(text);
}
