#include "registry_view.h"

#include <stdlib.h>
#include <string.h>

int registry_view_open(const struct vm *vm, const struct base *base, struct registry_view *view,
                       struct err **err)
{
    *view = (struct registry_view){0};
    if (base && registry_open_base(base, &view->base, err)) return -1;
    if (!registry_open(vm, base, &view->vm, err)) return 0;
    registry_view_close(view);
    return -1;
}

void registry_view_close(struct registry_view *view)
{
    registry_close(&view->vm);
    registry_close(&view->base);
}

void registry_key_free(struct registry_key *key)
{
    wbuf_free(&key->path);
    *key = (struct registry_key){0};
}

uint32_t registry_view_base(const struct registry_view *view, struct fvm_wstr path)
{
    uint32_t node = view->base.r ? fvm_reg_root(view->base.r) : 0, pos = 0;
    while (node && pos < path.len) {
        uint32_t start = pos;
        while (pos < path.len && path.ptr[pos] != '\\')
            pos++;
        node = fvm_reg_find_child(view->base.r, node,
                                  (struct fvm_wstr){path.ptr + start, pos - start});
        if (pos < path.len) pos++;
    }
    return node;
}

bool registry_view_find(const struct registry_view *view, struct fvm_wstr path, bool open_link,
                        struct registry_key *key)
{
    fvm_wchar *buffers = xmalloc(2 * FVM_REG_PATH_MAX * sizeof *buffers);
    struct fvm_reg_lookup look = {.canon = buffers, .base = buffers + FVM_REG_PATH_MAX};
    bool found = false;
    *key = (struct registry_key){0};
    if (!fvm_reg_lookup(view->vm.r, path, open_link, &look)) {
        wbuf_add(&key->path, (struct fvm_wstr){look.canon, look.canon_len});
        if (look.verdict == FVM_REG_IS_PRIVATE) {
            key->own = look.node;
            found = true;
        } else if (look.verdict == FVM_REG_IS_BASE) {
            key->own = look.node;
            key->base = registry_view_base(view, (struct fvm_wstr){look.base, look.base_len});
            found = key->base != 0;
            if (found && !look.moved) {
                /* as the base spells it */
                key->path.len = 0;
                int len = fvm_reg_path(view->base.r, key->base, buffers);
                wbuf_add(&key->path, (struct fvm_wstr){buffers, len > 0 ? (uint32_t)len : 0});
            }
        }
    }
    free(buffers);
    return found;
}

/* Compares the next names on both sides: <0 the VM's comes first, 0 both, >0 the base's. */
static int order(bool has_own, struct fvm_wstr own, bool has_base, struct fvm_wstr base)
{
    if (!has_own || !has_base) return has_own ? -1 : 1;
    return fvm_reg_compare(own, base);
}

bool registry_view_value(const struct registry_view *view, const struct registry_key *key,
                         struct registry_iter *at, struct fvm_reg_value *value)
{
    for (;;) {
        struct fvm_reg_value own, base;
        bool has_own = key->own && fvm_reg_value_at(view->vm.r, key->own, at->own, &own);
        bool has_base = key->base && fvm_reg_value_at(view->base.r, key->base, at->base, &base);
        if (!has_own && !has_base) return false;
        int c = order(has_own, own.name, has_base, base.name);
        if (c <= 0) at->own++;
        if (c >= 0) at->base++;
        *value = c <= 0 ? own : base;
        if (c == 0 && own.base_name) value->name = base.name;
        if (!value->deleted) return true;
    }
}

bool registry_view_get(const struct registry_view *view, const struct registry_key *key,
                       struct fvm_wstr name, struct fvm_reg_value *value)
{
    if (key->own && fvm_reg_find_value(view->vm.r, key->own, name, value)) return !value->deleted;
    return key->base && fvm_reg_find_value(view->base.r, key->base, name, value);
}

bool registry_view_child(const struct registry_view *view, const struct registry_key *key,
                         struct registry_iter *at, struct registry_key *child)
{
    const struct fvm_reg *r = view->vm.r, *b = view->base.r;
    *child = (struct registry_key){0};
    for (;;) {
        uint32_t own = key->own ? fvm_reg_child(r, key->own, at->own) : 0;
        uint32_t base = key->base ? fvm_reg_child(b, key->base, at->base) : 0;
        if (!own && !base) return false;
        struct fvm_wstr own_name = {0}, base_name = {0};
        if (own) own_name = fvm_reg_name(r, own);
        if (base) base_name = fvm_reg_name(b, base);
        int c = order(own != 0, own_name, base != 0, base_name);
        if (c <= 0) at->own++;
        if (c >= 0) at->base++;
        uint32_t flags = c <= 0 ? fvm_reg_flags(r, own) : 0;
        struct fvm_wstr name = c <= 0 ? own_name : base_name;
        if (flags & FVM_REG_HIDDEN) continue;
        if (flags & FVM_REG_PRIVATE) {
            child->own = own;
        } else if (flags & FVM_REG_ORIGIN) {
            child->own = own;
            child->base = registry_view_base(view, fvm_reg_origin(r, own));
            if (!child->base) continue;
        } else {
            if (c < 0) continue; /* the base has lost it */
            child->own = c == 0 ? own : 0;
            child->base = base;
            name = base_name;
        }
        child->path = wbuf_dup(wbuf_str(&key->path));
        if (key->path.len)
            wbuf_add_component(&child->path, name);
        else
            wbuf_add(&child->path, name);
        return true;
    }
}
