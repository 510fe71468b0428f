/* Which keys the program wanted to change and could not: one event for each. */
#include "registry.h"
#include "fvm/fold.h"

/* Hashes of the keys that an event tells of; 0 is a free slot. Programs that write many
 * different keys shall not fill the log. */
enum { SLOTS = 256, MOST_KEYS = 192 };
static uint32_t seen[SLOTS];
static uint32_t seen_count;
static guest_lock seen_lock;

static bool remember(uint32_t hash)
{
    bool news = false;
    uint32_t i;

    if (!hash) hash = 1;
    guest_lock_acquire(&seen_lock);
    for (i = hash % SLOTS; seen[i] && seen[i] != hash; i = (i + 1) % SLOTS) {
    }
    if (!seen[i] && seen_count < MOST_KEYS) {
        seen[i] = hash;
        seen_count++;
        news = true;
    }
    guest_lock_release(&seen_lock);
    return news;
}

/* Writes root's name, a backslash and name to dst; cuts off what does not fit. */
static uint32_t full_name(HANDLE root, struct fvm_wstr name, fvm_wchar *dst, uint32_t cap)
{
    struct key_name_info *info = (struct key_name_info *)dst;
    uint32_t len = 0;
    ULONG size;

    if (root && !reg_hook_query_key(root, KEY_NAME, info, cap * (uint32_t)sizeof(*dst), &size)) {
        len = info->size / (uint32_t)sizeof(*dst);
        memmove(dst, info->name, info->size);
        if (name.len && len < cap) dst[len++] = '\\';
    }
    if (name.len > cap - len) name.len = cap - len;
    if (!guest_read(dst + len, name.ptr, name.len * sizeof(*dst))) name.len = 0;
    return len + name.len;
}

void registry_refused(const char *call, HANDLE root, struct fvm_wstr name, const char *why)
{
    struct fvm_wstr full;
    fvm_wchar *text = guest_scratch_get();

    if (!text) return; /* the refusal stands without a record */
    full.ptr = text;
    full.len = full_name(root, name, text, GUEST_SCRATCH_SIZE / sizeof(*text));
    while (full.len && text[full.len - 1] == '\\')
        full.len--;
    if (remember(fvm_name_hash(0, full.ptr, full.len))) guest_event("refused", call, full, why);
    guest_scratch_put(text);
}
