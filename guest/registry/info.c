/* Facts about a key, and answers in the host's form. */
#include "registry.h"

void reg_info_private(uint32_t node, struct reg_info *info)
{
    struct fvm_reg *r = reg_store();
    struct fvm_reg_value value;

    *info = (struct reg_info){
        .time = fvm_reg_time(r, node),
        .name = fvm_reg_name(r, node),
        .class = fvm_reg_class(r, node),
    };
    for (uint32_t i = 0, kid; (kid = fvm_reg_child(r, node, i)); i++) {
        if (!(fvm_reg_flags(r, kid) & FVM_REG_PRIVATE)) continue;
        uint32_t name = fvm_reg_name(r, kid).len * 2, class = fvm_reg_class(r, kid).len * 2;
        if (name > info->max_name) info->max_name = name;
        if (class > info->max_class) info->max_class = class;
        info->subkeys++;
    }
    for (uint32_t i = 0; fvm_reg_value_at(r, node, i, &value); i++) {
        if (value.deleted) continue;
        if (value.name.len * 2 > info->max_value_name) info->max_value_name = value.name.len * 2;
        if (value.size > info->max_value_data) info->max_value_data = value.size;
        info->values++;
    }
}

static bool put_part(void *buffer, ULONG length, ULONG at, const void *bytes, ULONG size)
{
    if (length <= at) return true;
    if (size > length - at) size = length - at;
    return guest_write((uint8_t *)buffer + at, bytes, size);
}

NTSTATUS reg_put_key(int class, void *buffer, ULONG length, ULONG *used,
                     const struct reg_info *info, struct fvm_wstr name)
{
    union {
        struct key_basic_info basic;
        struct key_node_info node;
        struct key_full_info full;
        struct key_name_info name;
        struct key_cached_info cached;
    } head;
    ULONG names = name.len * 2, classes = info->class.len * 2, fixed, room, result;

    memset(&head, 0, sizeof head);
    switch (class) {
    case KEY_BASIC:
        fixed = offsetof(struct key_basic_info, name);
        classes = 0;
        break;
    case KEY_NODE:
        fixed = offsetof(struct key_node_info, name);
        break;
    case KEY_FULL:
        fixed = offsetof(struct key_full_info, class);
        names = 0;
        break;
    case KEY_NAME:
        fixed = offsetof(struct key_name_info, name);
        classes = 0;
        break;
    default:
        fixed = sizeof(struct key_cached_info);
        names = classes = 0;
        break;
    }
    room = length > fixed ? length - fixed : 0;
    /* what fits is given, and the lengths say how much that is */
    ULONG given = names + classes < room ? names + classes : room;
    ULONG given_name = given < names ? given : names, given_class = given - given_name;
    result = fixed + names + classes;
    switch (class) {
    case KEY_BASIC:
        head.basic.time.QuadPart = (LONGLONG)info->time;
        head.basic.name_length = given_name;
        break;
    case KEY_NODE:
        head.node.time.QuadPart = (LONGLONG)info->time;
        head.node.name_length = given_name;
        head.node.class_length = given_class;
        head.node.class_offset = given_class ? fixed + given_name : (ULONG)-1;
        break;
    case KEY_FULL:
        head.full.time.QuadPart = (LONGLONG)info->time;
        head.full.class_length = given_class;
        head.full.class_offset = given_class ? fixed : (ULONG)-1;
        head.full.subkeys = info->subkeys;
        head.full.max_name = info->max_name;
        head.full.max_class = info->max_class;
        head.full.values = info->values;
        head.full.max_value_name = info->max_value_name;
        head.full.max_value_data = info->max_value_data;
        break;
    case KEY_NAME:
        head.name.size = given ? names : 0; /* here the host tells the whole length */
        break;
    default:
        head.cached.time.QuadPart = (LONGLONG)info->time;
        head.cached.subkeys = info->subkeys;
        head.cached.max_name = info->max_name;
        head.cached.values = info->values;
        head.cached.max_value_name = info->max_value_name;
        head.cached.max_value_data = info->max_value_data;
        head.cached.name_length = name.len * 2;
        break;
    }
    if (!put_part(buffer, length, 0, &head, fixed) ||
        !put_part(buffer, length, fixed, name.ptr, names) ||
        !put_part(buffer, length, fixed + names, info->class.ptr, classes) ||
        !guest_write(used, &result, sizeof result))
        return NT_ACCESS_VIOLATION;
    if (length < fixed) return NT_BUFFER_TOO_SMALL;
    return length < result ? NT_BUFFER_OVERFLOW : STATUS_SUCCESS;
}
