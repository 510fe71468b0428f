/* Handles on files of the base that the VM has copied since they were opened.
 *
 * Such a handle stays with the base's file, while other handles change the copy. Once that
 * has happened at all in the VM (a counter in the shared block), a call on a noted handle
 * looks whether its file is private by now, and goes on with a handle on the copy. Views of
 * the file that were mapped before cannot be replaced (see docs/compatibility.md). */
#include "file.h"

/* Opens the copy for what the stale handle was good for. */
static HANDLE open_copy(HANDLE handle, struct file_name *name)
{
    struct nt_object_basic basic;
    LARGE_INTEGER position;
    struct file_attr attr;
    IO_STATUS_BLOCK io;
    HANDLE copy;

    if (file_real.query_object(handle, 0, &basic, sizeof basic, NULL) ||
        !file_attr_private(name, NULL, &attr) ||
        file_real.open(&copy, basic.access | SYNCHRONIZE, &attr.attr, &io, FILE_SHARE_ALL,
                       FILE_SYNCHRONOUS_IO_NONALERT))
        return NULL;
    if (!file_real.query_information(handle, &io, &position, sizeof position, FI_POSITION))
        file_real.set_information(copy, &io, &position, sizeof position, FI_POSITION);
    return copy;
}

HANDLE file_current(HANDLE handle)
{
    if (!guest_shared->stale_opens) return handle;
    struct file_handle *h = file_handle_get(handle);
    if (h) {
        HANDLE replacement = h->replacement;
        file_handle_release(h);
        return replacement ? replacement : handle;
    }
    uint32_t id = file_handle_open_id(handle);
    /* completions of asynchronous calls go where the program's own handle says */
    if (!id || !file_open_is_synchronous(id)) return handle;
    struct file_name name;
    bool is_private;
    if (file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED) return handle;
    HANDLE copy = NULL;
    if (!is_private && name.look.verdict == FVM_PRIVATE) copy = open_copy(handle, &name);
    if (copy) {
        h = file_handle_add(handle, file_canon(&name));
        if (h) {
            h->replacement = copy;
        } else {
            file_real.close(copy);
            copy = NULL;
        }
        file_handle_release(h);
    }
    file_name_free(&name);
    return copy ? copy : handle;
}

NTSTATUS NTAPI file_hook_read(HANDLE handle, HANDLE event, void *apc, void *context,
                              IO_STATUS_BLOCK *io, void *buffer, ULONG length,
                              LARGE_INTEGER *offset, ULONG *key)
{
    return file_real.read(file_current(handle), event, apc, context, io, buffer, length, offset,
                          key);
}

/* A lock on the base's file would hold off the host and other VMs, and not those of the VM who
 * open the file to write, and so get a copy: who locks gets the copy, too. */
static void copy_for_lock(HANDLE handle)
{
    uint32_t id = file_handle_open_id(handle);
    struct file_name name;
    bool is_private, directory;
    NTSTATUS status;

    if (!id || !file_open_is_synchronous(id) ||
        file_resolve_handle(handle, &name, &is_private) != FILE_IS_NAMED)
        return;
    file_lock();
    file_lookup_again(&name);
    if (!is_private && (name.look.verdict == FVM_PASS || name.look.verdict == FVM_BASE) &&
        file_base_exists(&name, &directory, &status) && !directory)
        file_copy_up(&name, true, NULL, NULL);
    file_unlock();
    file_name_free(&name);
}

NTSTATUS NTAPI file_hook_lock_range(HANDLE handle, HANDLE event, void *apc, void *context,
                                    IO_STATUS_BLOCK *io, LARGE_INTEGER *offset,
                                    LARGE_INTEGER *length, ULONG *key, BOOLEAN dont_wait,
                                    BOOLEAN exclusive)
{
    copy_for_lock(handle);
    return file_real.lock_range(file_current(handle), event, apc, context, io, offset, length, key,
                                dont_wait, exclusive);
}

NTSTATUS NTAPI file_hook_unlock_range(HANDLE handle, IO_STATUS_BLOCK *io, LARGE_INTEGER *offset,
                                      LARGE_INTEGER *length, ULONG *key)
{
    return file_real.unlock_range(file_current(handle), io, offset, length, key);
}

NTSTATUS NTAPI file_hook_create_section(HANDLE *section, ACCESS_MASK access,
                                        OBJECT_ATTRIBUTES *attr, LARGE_INTEGER *size,
                                        ULONG protection, ULONG flags, HANDLE file)
{
    return guest_create_section(file_real.create_section, section, access, attr, size, protection,
                                flags, file ? file_current(file) : file);
}
