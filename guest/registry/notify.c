/* Waiting for changes: of the base's key by the host itself, of the VM's by a key of one's own
 * below the VM's shadows, which a writer touches that changes what is waited for. Both set the
 * program's event. */
#include "registry.h"

NTSYSAPI NTSTATUS NTAPI NtSetEvent(HANDLE, LONG *);
NTSYSAPI NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, int,
                                      BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtOpenProcess(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *,
                                      const CLIENT_ID *);

#define IN_USE 2u

struct reg_watcher {
    uint32_t slot; /* index of the shared entry */
    HANDLE own;    /* the key that is touched */
    HANDLE base;   /* on the base's key, NULL for a private one */
    uint32_t fired;
    bool waits;    /* a call has been made */
};

static void free_slot(struct fvm_reg_watch *w)
{
    w->used = 1;
    __atomic_sub_fetch(&reg_shared()->watch_count, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&w->used, 0, __ATOMIC_RELEASE);
}

void reg_watcher_free(struct reg_watcher *watcher)
{
    if (!watcher) return;
    free_slot(&reg_shared()->watches[watcher->slot]);
    if (watcher->own) reg_real.close(watcher->own);
    if (watcher->base) reg_real.close(watcher->base);
    guest_free(watcher);
}

static bool is_gone(uint32_t pid)
{
    OBJECT_ATTRIBUTES attr;
    CLIENT_ID id = {.UniqueProcess = (HANDLE)(uintptr_t)pid};
    HANDLE process;

    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    if (NtOpenProcess(&process, SYNCHRONIZE, &attr, &id)) return true;
    LARGE_INTEGER now = {.QuadPart = 0};
    bool gone = NtWaitForSingleObject(process, FALSE, &now) == STATUS_SUCCESS;
    reg_real.close(process);
    return gone;
}

/* Takes a free entry of the shared table. */
static bool take_slot(uint32_t *slot)
{
    struct fvm_reg_state *state = reg_shared();

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < FVM_REG_WATCHES; i++) {
            struct fvm_reg_watch *w = &state->watches[i];
            uint32_t expected = pass ? IN_USE : 0;
            /* processes that were killed have left theirs */
            if (pass && (w->used != IN_USE || !is_gone(w->pid))) continue;
            if (!__atomic_compare_exchange_n(&w->used, &expected, 1, false, __ATOMIC_ACQ_REL,
                                             __ATOMIC_RELAXED))
                continue;
            if (!pass) __atomic_add_fetch(&state->watch_count, 1, __ATOMIC_ACQ_REL);
            w->pid = nt_process_id();
            *slot = i;
            return true;
        }
    }
    return false;
}

/* Says in the shared table what is waited for. */
static void publish(struct fvm_reg_watch *w, struct fvm_wstr path, bool first, ULONG filter,
                    bool subtree)
{
    const uint32_t cap = sizeof w->path / sizeof *w->path;

    w->used = 1;
    if (first) { /* the host keeps what the handle's first call asked for */
        w->filter = filter;
        w->subtree = subtree;
    }
    if (path.len > cap) {
        path.len = cap;
        while (path.len && path.ptr[path.len] != '\\')
            path.len--;
        w->subtree = true;
    }
    memcpy(w->path, path.ptr, path.len * sizeof *w->path);
    w->path_len = path.len;
    __atomic_store_n(&w->used, IN_USE, __ATOMIC_RELEASE);
}

static struct reg_watcher *watcher_of(struct reg_key *key)
{
    struct reg_watcher *watcher = key->h->watcher;

    if (watcher) return watcher;
    watcher = guest_alloc(sizeof *watcher);
    if (!watcher || !take_slot(&watcher->slot)) {
        guest_free(watcher);
        return NULL;
    }
    if (reg_open_helper('W', watcher->slot + 1, true, KEY_NOTIFY, NULL, &watcher->own)) {
        watcher->own = NULL;
        reg_watcher_free(watcher);
        return NULL;
    }
    key->h->watcher = watcher;
    return watcher;
}

static NTSTATUS open_base(struct reg_key *key, HANDLE *handle)
{
    fvm_wchar *name = guest_scratch_get();
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING text;
    NTSTATUS status = NT_NO_MEMORY;

    *handle = NULL;
    if (name) {
        reg_nt_name((struct fvm_wstr){key->h->base, key->h->base_len}, name, &text);
        InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, NULL, NULL);
        status = reg_real.open_key_ex(handle, KEY_NOTIFY, &attr, 0);
    }
    guest_scratch_put(name);
    return status;
}

/* Registers the event on both sides. Under the handle's lock. */
static NTSTATUS wait_for(struct reg_key *key, HANDLE event, ULONG filter, bool subtree)
{
    struct reg_watcher *watcher = watcher_of(key);
    fvm_wchar *path = guest_scratch_get();
    IO_STATUS_BLOCK io;
    NTSTATUS status = NT_INSUFFICIENT_RESOURCES;

    if (!watcher || !path) goto out;
    struct fvm_reg_watch *w = &reg_shared()->watches[watcher->slot];
    int len = reg_key_path(key, path, true);
    status = NT_KEY_DELETED;
    if (len < 0) goto out;
    publish(w, (struct fvm_wstr){path, (uint32_t)len}, !watcher->waits, filter, subtree);
    watcher->waits = true;
    /* what the host still holds of a wait that the VM's side has ended */
    if (watcher->base && watcher->fired != w->fired) {
        reg_real.close(watcher->base);
        watcher->base = NULL;
    }
    uint32_t fired = watcher->fired = w->fired;
    status = reg_real.notify(watcher->own, event, NULL, NULL, &io, REG_NOTIFY_CHANGE_LAST_SET,
                             FALSE, NULL, 0, TRUE);
    if (status != NT_PENDING || key->is_private) goto out;
    if (!watcher->base && (status = open_base(key, &watcher->base))) goto out;
    status = reg_real.notify(watcher->base, event, NULL, NULL, &io, w->filter, w->subtree != 0,
                             NULL, 0, TRUE);
    /* the second registration has reset the event, which the first one may have set */
    if (w->fired != fired) NtSetEvent(event, NULL);
out:
    guest_scratch_put(path);
    return status;
}

NTSTATUS NTAPI reg_hook_notify_multiple(HANDLE handle, ULONG count, OBJECT_ATTRIBUTES *attr,
                                        HANDLE event, void *apc, void *context,
                                        IO_STATUS_BLOCK *io, ULONG filter, BOOLEAN subtree,
                                        void *buffer, ULONG length, BOOLEAN async)
{
    OBJECT_ATTRIBUTES none;
    struct reg_key key;
    NTSTATUS status;

    enum reg_kind kind = reg_key_begin(handle, true, &key, &status);
    if (kind == REG_FAILED) return reg_failed(handle, KEY_NOTIFY, status);
    if (kind == REG_PASS)
        return reg_real.notify_multiple(handle, count, attr, event, apc, context, io, filter,
                                        subtree, buffer, length, async);
    status = reg_check_access(&key, KEY_NOTIFY);
    if (!status && !async) {
        InitializeObjectAttributes(&none, NULL, 0, NULL, NULL);
        status = NtCreateEvent(&event, EVENT_ALL_ACCESS, &none, 1 /* SynchronizationEvent */, FALSE);
    }
    if (!status) {
        guest_lock_acquire(&key.h->lock);
        status = wait_for(&key, event, filter, subtree);
        guest_lock_release(&key.h->lock);
        if (!async) {
            if (status == NT_PENDING) status = NtWaitForSingleObject(event, FALSE, NULL);
            reg_real.close(event);
        }
    }
    reg_key_end(&key);
    return status;
}

NTSTATUS NTAPI reg_hook_notify(HANDLE handle, HANDLE event, void *apc, void *context,
                               IO_STATUS_BLOCK *io, ULONG filter, BOOLEAN subtree, void *buffer,
                               ULONG length, BOOLEAN async)
{
    return reg_hook_notify_multiple(handle, 0, NULL, event, apc, context, io, filter, subtree,
                                    buffer, length, async);
}

/* --- telling -------------------------------------------------------------------------------------- */

static bool concerns(const struct fvm_reg_watch *w, struct fvm_wstr path, ULONG what)
{
    struct fvm_wstr watched = {w->path, w->path_len};

    if (watched.len > sizeof w->path / sizeof *w->path || !(w->filter & what)) return false;
    if (path.len < watched.len) return false;
    if (fvm_reg_compare(watched, (struct fvm_wstr){path.ptr, watched.len})) return false;
    if (path.len == watched.len) return true;
    return w->subtree && (!watched.len || path.ptr[watched.len] == '\\');
}

static void touch(uint32_t slot)
{
    static const WCHAR name[] = {'n'};
    UNICODE_STRING text = {sizeof name, sizeof name, (WCHAR *)name};
    struct fvm_reg_watch *w = &reg_shared()->watches[slot];
    HANDLE key;

    if (reg_open_helper('W', slot + 1, true, KEY_SET_VALUE, NULL, &key)) return;
    /* another value each time: the host reports no change that is none */
    uint32_t count = __atomic_add_fetch(&w->fired, 1, __ATOMIC_ACQ_REL);
    reg_real.set_value(key, &text, 0, REG_DWORD, &count, sizeof count);
    reg_real.close(key);
}

void reg_tell(struct fvm_wstr path, ULONG what)
{
    struct fvm_reg_state *state = reg_shared();

    if (!state->watch_count) return;
    for (uint32_t i = 0; i < FVM_REG_WATCHES; i++)
        if (state->watches[i].used == IN_USE && concerns(&state->watches[i], path, what)) touch(i);
}
