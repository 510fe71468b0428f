/* Links that people have made in the host's folders.
 *
 * The drives, the user folders and the links in the Unix root are known as aliases from the
 * start. Any other folder beyond drive C: may be reached through a link that nobody knows of.
 * That matters once the VM has changed something there: a name must then lead to what was
 * changed under another one. So the first time that a process uses a name there, the host is
 * asked where it really leads, and a link is recorded as an alias. */
#include "file.h"

/* Names that were looked at, by hash; a name that falls out is looked at again. */
#define SEEN 16384u
static uint64_t seen[SEEN];

static bool open_to_look(struct file_name *name, HANDLE *handle)
{
    struct file_attr attr;
    IO_STATUS_BLOCK io;

    return file_attr_base(name, NULL, &attr) &&
           !file_real.open(handle, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attr.attr, &io,
                           FILE_SHARE_ALL,
                           FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT);
}

static void look(struct file_name *name, HANDLE handle)
{
    file_lock();
    file_lookup_again(name);
    if (name->look.verdict == FVM_PASS) file_use_true_name(name, handle);
    file_unlock();
    file_real.close(handle);
}

void file_follow_links(struct file_name *name)
{
    const fvm_wchar *path = name->look.canon;

    if (!guest_shared->changes_beyond_c || name->look.verdict != FVM_PASS ||
        name->look.canon_len < 3 || (path[0] == 'C' && path[1] == ':'))
        return;
    uint64_t key = file_open_key(file_canon(name));
    if (__atomic_exchange_n(&seen[key % SEEN], key, __ATOMIC_RELAXED) == key) return;

    HANDLE handle;
    if (open_to_look(name, &handle)) {
        look(name, handle);
        return;
    }
    /* nothing there yet: its folder may be reached through a link */
    struct file_name parent;
    if (!file_resolve_view((struct fvm_wstr){path, fvm_path_parent(file_canon(name))}, &parent))
        return;
    if (parent.look.verdict == FVM_PASS && open_to_look(&parent, &handle)) {
        look(&parent, handle);
        file_lookup_again(name);
    }
    file_name_free(&parent);
}
