/* The registry as a VM sees it: its own changes over the base's files. */
#ifndef LAUNCHER_REGISTRY_VIEW_H
#define LAUNCHER_REGISTRY_VIEW_H

#include "registry.h"
#include "util.h"

struct registry_view {
    struct registry vm, base; /* base.r is NULL when there is no base to be read */
};

int registry_view_open(const struct vm *vm, const struct base *base, struct registry_view *view,
                       struct err **err);
void registry_view_close(struct registry_view *view);

/* A key of the view: the VM's node, the base's node, or both; 0 for none. */
struct registry_key {
    uint32_t own, base;
    struct wbuf path; /* below \Registry, spelled as it is */
};
/* Finds a key. False when the VM sees none (key->path is then the path with links resolved). End
 * with registry_key_free() in any case. */
bool registry_view_find(const struct registry_view *view, struct fvm_wstr path, bool open_link,
                        struct registry_key *key);
void registry_key_free(struct registry_key *key);

/* The base's node at a place in the base (links are not followed), 0 when there is none. */
uint32_t registry_view_base(const struct registry_view *view, struct fvm_wstr path);

/* The index-th value or subkey in the host's order; false beyond the end. Names and data lie in
 * the stores; a subkey is to be freed. */
struct registry_iter {
    uint32_t own, base;
};
bool registry_view_value(const struct registry_view *view, const struct registry_key *key,
                         struct registry_iter *at, struct fvm_reg_value *value);
bool registry_view_child(const struct registry_view *view, const struct registry_key *key,
                         struct registry_iter *at, struct registry_key *child);
/* One value by its name. */
bool registry_view_get(const struct registry_view *view, const struct registry_key *key,
                       struct fvm_wstr name, struct fvm_reg_value *value);

#endif
