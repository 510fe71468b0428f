/* NtQueryAttributesFile and NtQueryFullAttributesFile: questions by name, no handle. */
#include "file.h"

/* Finds the attributes block for the host's call. Returns false when *status is already the
 * answer. real points to the program's own block, or to ours. */
static bool prepare(OBJECT_ATTRIBUTES *program, struct file_name *name, struct file_attr *attr,
                    OBJECT_ATTRIBUTES **real, NTSTATUS *status)
{
    bool fits = true;

    /* a link to a directory has attributes of its own; the link itself is the base's */
    if (name->look.is_alias && !name->look.private_alias && !name->rewritten &&
        (name->look.flags & FVM_NODE_DIRECTORY || name->look.verdict == FVM_PASS)) {
        *real = program;
        return true;
    }
    *real = &attr->attr;
    switch (name->look.verdict) {
    case FVM_PASS:
        if (name->rewritten) fits = file_attr_base(name, program, attr);
        else *real = program;
        break;
    case FVM_BASE:
        fits = file_attr_base(name, program, attr);
        break;
    case FVM_MERGED:
    case FVM_PRIVATE:
        if (name->trailing && file_private_is_file(name)) {
            *status = ST_PATH_NOT_FOUND;
            return false;
        }
        fits = file_attr_private(name, program, attr);
        break;
    case FVM_ABSENT:
        *status = file_missing_status(name);
        return false;
    case FVM_NO_PATH:
        *status = ST_PATH_NOT_FOUND;
        return false;
    }
    if (!fits) *status = ST_OBJECT_NAME_INVALID;
    return fits;
}

NTSTATUS NTAPI file_hook_query_attributes(OBJECT_ATTRIBUTES *attr, FILE_BASIC_INFORMATION *info)
{
    struct file_name name;
    struct file_attr own;
    OBJECT_ATTRIBUTES *real;
    NTSTATUS status;

    if (file_resolve(attr, 0, &name) != FILE_IS_NAMED)
        return file_real.query_attributes(attr, info);
    if (prepare(attr, &name, &own, &real, &status)) status = file_real.query_attributes(real, info);
    file_name_free(&name);
    return status;
}

NTSTATUS NTAPI file_hook_query_full_attributes(OBJECT_ATTRIBUTES *attr,
                                               FILE_NETWORK_OPEN_INFORMATION *info)
{
    struct file_name name;
    struct file_attr own;
    OBJECT_ATTRIBUTES *real;
    NTSTATUS status;

    if (file_resolve(attr, 0, &name) != FILE_IS_NAMED)
        return file_real.query_full_attributes(attr, info);
    if (prepare(attr, &name, &own, &real, &status))
        status = file_real.query_full_attributes(real, info);
    file_name_free(&name);
    return status;
}
