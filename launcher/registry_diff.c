#include "registry_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry_text.h"
#include "view.h"

struct walk {
    const struct registry_view *view;
    struct fvm_wstr below;
    enum registry_diff_form form;
    bool *first;
};

static bool wanted(const struct walk *w, struct fvm_wstr path)
{
    return path.len >= w->below.len &&
           !fvm_reg_compare((struct fvm_wstr){path.ptr, w->below.len}, w->below) &&
           (path.len == w->below.len || !w->below.len || path.ptr[w->below.len] == '\\');
}

static void json_begin(struct walk *w, char kind, struct fvm_wstr path, const char *type)
{
    char *name = registry_key_name(path, false);
    struct wbuf wide = {0};
    wbuf_add_utf8(&wide, name);
    printf("%s\n  {\"kind\": \"%c\", \"path\": ", *w->first ? "" : ",", kind);
    view_print_json(stdout, wbuf_str(&wide));
    printf(", \"type\": \"%s\"", type);
    *w->first = false;
    wbuf_free(&wide);
    free(name);
}

static void show_key(struct walk *w, char kind, struct fvm_wstr path, struct fvm_wstr old)
{
    if (!wanted(w, path)) return;
    char *name = registry_key_name(path, false), *from = NULL;
    if (kind == 'R') from = registry_key_name(old, false);
    switch (w->form) {
    case REGISTRY_DIFF_TEXT:
        if (from)
            printf("R %s -> %s\n", from, name);
        else
            printf("%c %s\n", kind, name);
        break;
    case REGISTRY_DIFF_JSON:
        json_begin(w, kind, path, "key");
        if (from) {
            struct wbuf wide = {0};
            wbuf_add_utf8(&wide, from);
            fputs(", \"old\": ", stdout);
            view_print_json(stdout, wbuf_str(&wide));
            wbuf_free(&wide);
        }
        fputs("}", stdout);
        break;
    case REGISTRY_DIFF_REG:
        registry_reg_key(stdout, path, kind == 'D');
        break;
    }
    free(name);
    free(from);
}

static void show_value(struct walk *w, char kind, struct fvm_wstr path,
                       const struct fvm_reg_value *old, const struct fvm_reg_value *new)
{
    const struct fvm_reg_value *any = new ? new : old;
    if (!wanted(w, path)) return;
    if (w->form == REGISTRY_DIFF_REG) {
        struct fvm_reg_value gone = {.name = any->name, .deleted = true};
        registry_reg_value(stdout, new ? new : &gone);
        return;
    }
    if (w->form == REGISTRY_DIFF_JSON) {
        json_begin(w, kind, path, "value");
        fputs(", \"value\": ", stdout);
        view_print_json(stdout, any->name);
        if (old) {
            fputs(", \"old\": ", stdout);
            registry_print_json_value(stdout, old);
        }
        if (new) {
            fputs(", \"new\": ", stdout);
            registry_print_json_value(stdout, new);
        }
        fputs("}", stdout);
        return;
    }
    char *key = registry_key_name(path, false), *name = utf8_of(any->name);
    char *before = old ? registry_data_text(old) : NULL, *after = new ? registry_data_text(new) : NULL;
    printf("%c %s : %s", kind, key, any->name.len ? name : "(Default)");
    if (before) printf(" = %s %s", registry_type_name(old->type), before);
    if (after) printf(before ? " -> %s %s" : " = %s %s", registry_type_name(new->type), after);
    putchar('\n');
    free(key);
    free(name);
    free(before);
    free(after);
}

static bool has_content(const struct fvm_reg *r, uint32_t node)
{
    return fvm_reg_value_count(r, node) || (fvm_reg_flags(r, node) & FVM_REG_CLASS);
}

static void visit_below(struct walk *w, uint32_t node, struct fvm_wstr path, uint32_t base);

/* A key with its own values; base: the base's key that is seen there, or 0. */
static void visit_values(struct walk *w, uint32_t node, struct fvm_wstr path, uint32_t base)
{
    const struct fvm_reg *r = w->view->vm.r, *b = w->view->base.r;
    struct fvm_reg_value value, old;
    for (uint32_t i = 0; fvm_reg_value_at(r, node, i, &value); i++) {
        bool was = base && fvm_reg_find_value(b, base, value.name, &old);
        if (value.deleted) {
            if (was || !b) show_value(w, 'D', path, was ? &old : &value, NULL);
        } else {
            show_value(w, was ? 'M' : 'A', path, was ? &old : NULL, &value);
        }
    }
}

/* A key with all that it has. */
static void export_below(const struct registry_view *view, const struct registry_key *key,
                         FILE *out)
{
    struct registry_iter at = {0};
    struct fvm_reg_value value;
    struct registry_key child;
    registry_reg_key(out, wbuf_str(&key->path), false);
    while (registry_view_value(view, key, &at, &value))
        registry_reg_value(out, &value);
    at = (struct registry_iter){0};
    while (registry_view_child(view, key, &at, &child)) {
        export_below(view, &child, out);
        registry_key_free(&child);
    }
}

/* .reg files know no renaming: the key at its new place, whole. */
static void write_renamed(struct walk *w, struct fvm_wstr path)
{
    struct registry_key key;
    if (registry_view_find(w->view, path, true, &key)) export_below(w->view, &key, stdout);
    registry_key_free(&key);
}

static void visit(struct walk *w, uint32_t node, struct fvm_wstr up, uint32_t base_up)
{
    const struct fvm_reg *r = w->view->vm.r, *b = w->view->base.r;
    uint32_t flags = fvm_reg_flags(r, node), base = 0;
    if (fvm_reg_is_temporary(r, node)) return;
    struct wbuf path = wbuf_dup(up);
    if (up.len)
        wbuf_add_component(&path, fvm_reg_name(r, node));
    else
        wbuf_add(&path, fvm_reg_name(r, node));
    if (b && base_up) base = fvm_reg_find_child(b, base_up, fvm_reg_name(r, node));
    struct fvm_wstr p = wbuf_str(&path), none = {0};
    if (flags & FVM_REG_HIDDEN) {
        if (base || !b) show_key(w, 'D', p, none);
    } else if (flags & FVM_REG_PRIVATE) {
        if (!(flags & FVM_REG_VOLATILE)) {
            if ((flags & FVM_REG_BASE) && (base || !b)) show_key(w, 'D', p, none);
            show_key(w, 'A', p, none);
            visit_values(w, node, p, 0);
            visit_below(w, node, p, 0);
        }
    } else if (flags & FVM_REG_ORIGIN) {
        if ((flags & FVM_REG_BASE) && (base || !b)) show_key(w, 'D', p, none);
        if (w->form == REGISTRY_DIFF_REG) {
            if (wanted(w, p)) write_renamed(w, p);
        } else {
            struct fvm_wstr origin = fvm_reg_origin(r, node);
            uint32_t from = registry_view_base(w->view, origin);
            show_key(w, 'R', p, origin);
            visit_values(w, node, p, from);
            visit_below(w, node, p, from);
        }
    } else if (base || !b) {
        if (w->form == REGISTRY_DIFF_REG && has_content(r, node) && wanted(w, p))
            registry_reg_key(stdout, p, false);
        visit_values(w, node, p, base);
        visit_below(w, node, p, base);
    }
    wbuf_free(&path);
}

static void visit_below(struct walk *w, uint32_t node, struct fvm_wstr path, uint32_t base)
{
    for (uint32_t i = 0, kid; (kid = fvm_reg_child(w->view->vm.r, node, i)); i++)
        visit(w, kid, path, base);
}

void registry_diff(const struct registry_view *view, struct fvm_wstr below,
                   enum registry_diff_form form, bool *first)
{
    struct walk w = {.view = view, .below = below, .form = form, .first = first};
    uint32_t base = view->base.r ? fvm_reg_root(view->base.r) : 0;
    if (form == REGISTRY_DIFF_REG) registry_reg_begin(stdout);
    visit_below(&w, fvm_reg_root(view->vm.r), (struct fvm_wstr){0}, base);
}

void registry_export(const struct registry_view *view, const struct registry_key *key, FILE *out)
{
    registry_reg_begin(out);
    export_below(view, key, out);
}
