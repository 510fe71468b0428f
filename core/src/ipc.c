#include "fvm/ipc.h"

#include "fvm/fold.h"

#define TREE "\\BaseNamedObjects\\FVM-"

/* Code units of the longest name that the host takes. */
#define NAME_MOST 32766

/* A name that is read from the front. */
struct reader {
    struct fvm_wstr left;
    bool fold;
};

struct writer {
    fvm_wchar *dst;
    uint32_t cap, len;
    bool full;
};

static void put(struct writer *w, const fvm_wchar *s, uint32_t n)
{
    if (n > w->cap - w->len) {
        w->full = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        w->dst[w->len++] = s[i];
}

static void put_ascii(struct writer *w, const char *s)
{
    for (; *s; s++) {
        fvm_wchar c = (fvm_wchar)*s;
        put(w, &c, 1);
    }
}

static uint32_t written(const struct writer *w)
{
    return w->full ? 0 : w->len;
}

/* Does the next component equal this one? Takes "\component" away when it does. */
static bool take(struct reader *r, const char *component)
{
    const fvm_wchar *s = r->left.ptr;
    uint32_t i = 1;

    if (!r->left.len || s[0] != '\\') return false;
    for (; *component; component++, i++) {
        fvm_wchar c = (fvm_wchar)*component;
        if (i >= r->left.len) return false;
        if (s[i] != c && !(r->fold && fvm_upcase(s[i]) == fvm_upcase(c))) return false;
    }
    if (i < r->left.len && s[i] != '\\') return false;
    r->left.ptr += i;
    r->left.len -= i;
    return true;
}

/* Is there more than a backslash left? Without that it is the directory or device itself. */
static bool has_name(const struct reader *r)
{
    return r->left.len > 1;
}

/* The same when a name follows: for components that are links. */
static bool take_link(struct reader *r, const char *component)
{
    struct reader try = *r;

    if (!take(&try, component) || !has_name(&try)) return false;
    *r = try;
    return true;
}

/* The end of a name for which there is no room: 16 digits, without regard to case. */
static void put_hash(struct writer *w, struct fvm_wstr name)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (uint32_t i = 0; i < name.len; i++)
        hash = (hash ^ fvm_upcase(name.ptr[i])) * 1099511628211u;
    for (uint32_t shift = 64; shift; shift -= 4) {
        fvm_wchar c = (fvm_wchar)digits[hash >> (shift - 4) & 15];
        put(w, &c, 1);
    }
}

static enum fvm_ipc_kind device(struct fvm_wstr id, const struct reader *r, bool pipe,
                                struct writer *w)
{
    if (!has_name(r)) return FVM_IPC_DEVICE;
    put_ascii(w, pipe ? "\\Device\\NamedPipe\\fvm\\" : "\\Device\\MailSlot\\fvm\\");
    put(w, id.ptr, id.len);
    if (r->left.len <= w->cap - w->len) {
        put(w, r->left.ptr, r->left.len); /* begins with a backslash */
    } else if (w->cap - w->len > 16) {
        put(w, r->left.ptr, w->cap - w->len - 16);
        put_hash(w, r->left);
    } else {
        w->full = true;
    }
    return pipe ? FVM_IPC_PIPE : FVM_IPC_MAILSLOT;
}

static enum fvm_ipc_kind object(struct fvm_wstr id, const struct reader *r, const char *part,
                                struct writer *w, struct fvm_ipc_name *out)
{
    out->part = part;
    out->inner = r->left;
    put_ascii(w, TREE);
    put(w, id.ptr, id.len);
    put_ascii(w, "\\");
    put_ascii(w, part);
    put(w, r->left.ptr, r->left.len);
    return FVM_IPC_OBJECT;
}

static struct fvm_wstr dos_devices(void)
{
    static const fvm_wchar text[] = {'\\', '?', '?'};
    return (struct fvm_wstr){text, 3};
}

/* Below \??: a pipe, a mailslot, or something else of the host. */
static bool dos_device(struct fvm_wstr id, struct reader *r, struct writer *w,
                       enum fvm_ipc_kind *kind)
{
    struct reader unc = *r;

    if (take(r, "PIPE")) {
        *kind = device(id, r, true, w);
        return true;
    }
    if (take(r, "MAILSLOT")) {
        *kind = device(id, r, false, w);
        return true;
    }
    /* other machines' names are left to the host */
    if (take(&unc, "UNC") &&
        (take(&unc, "localhost") || take(&unc, "127.0.0.1") || take(&unc, "."))) {
        bool pipe = take(&unc, "PIPE");
        if (pipe || take(&unc, "MAILSLOT")) {
            *kind = device(id, &unc, pipe, w);
            return true;
        }
    }
    return false;
}

static bool session_object(struct fvm_wstr id, struct reader *r, struct writer *w,
                           enum fvm_ipc_kind *kind, struct fvm_ipc_name *out)
{
    struct reader in = *r;

    if (take(&in, "BNOLINKS")) {
        if (take_link(&in, "0"))
            *kind = object(id, &in, "Global", w, out);
        else if (take_link(&in, FVM_IPC_SESSION))
            *kind = object(id, &in, "Local", w, out);
        else
            *kind = object(id, &in, "Links", w, out);
        return true;
    }
    if (take(&in, "0") && take(&in, "BaseNamedObjects")) {
        *kind = object(id, &in, "Global", w, out);
        return true;
    }
    in = *r;
    if (take(&in, FVM_IPC_SESSION) && take(&in, "BaseNamedObjects")) {
        *kind = object(id, &in, "Local", w, out);
        return true;
    }
    in = *r;
    if (take(&in, FVM_IPC_SESSION) && take(&in, "Windows") && take(&in, "WindowStations")) {
        *kind = object(id, &in, "Stations", w, out);
        return true;
    }
    return false;
}

enum fvm_ipc_kind fvm_ipc_to_private(struct fvm_wstr id, struct fvm_wstr name, bool fold,
                                     struct fvm_ipc_name *out)
{
    struct reader r = {name, fold}, in;
    struct writer w = {out->dst, out->cap, 0, false};
    enum fvm_ipc_kind kind = FVM_IPC_OUTSIDE;
    bool found = false, dos = false;

    out->len = 0;
    out->part = NULL;
    out->inner = (struct fvm_wstr){NULL, 0};
    if (!name.len || name.len > NAME_MOST || name.ptr[0] != '\\' ||
        (name.len > 1 && name.ptr[1] == '\\'))
        return FVM_IPC_NOT;
    /* the host's own links at the beginning */
    for (;;) {
        in = r;
        dos = take_link(&in, "??") || take_link(&in, "DosDevices");
        if (!dos) break;
        while (take_link(&in, "Global")) {
        }
        if (!take_link(&in, "GLOBALROOT")) break;
        r = in;
    }
    out->head = (struct fvm_wstr){NULL, 0};
    out->rest = r.left;
    if (dos) {
        r = in;
        out->head = dos_devices();
        out->rest = r.left;
        found = dos_device(id, &r, &w, &kind);
    } else {
        in = r;
        if (take(&in, "BaseNamedObjects")) {
            kind = object(id, &in, "Global", &w, out);
            found = true;
        } else if (take(&in, "Sessions")) {
            found = session_object(id, &in, &w, &kind, out);
        } else if (take(&in, "Device")) {
            bool pipe = take(&in, "NamedPipe");
            found = pipe || take(&in, "MailSlot");
            if (found) kind = device(id, &in, pipe, &w);
        }
    }
    if (!found) {
        put_ascii(&w, TREE);
        put(&w, id.ptr, id.len);
        put_ascii(&w, "\\Root");
        out->part = "Root";
        put(&w, out->head.ptr, out->head.len);
        /* the root itself has no backslash at its end */
        if (out->head.len || out->rest.len > 1) put(&w, out->rest.ptr, out->rest.len);
    }
    if (w.full) return FVM_IPC_LONG;
    out->len = w.len;
    return kind;
}

static bool starts_with(struct fvm_wstr *s, const char *ascii)
{
    uint32_t i = 0;

    for (; ascii[i]; i++)
        if (i >= s->len || s->ptr[i] != (fvm_wchar)ascii[i]) return false;
    s->ptr += i;
    s->len -= i;
    return true;
}

static bool starts_with_id(struct fvm_wstr *s, struct fvm_wstr id)
{
    if (s->len < id.len) return false;
    for (uint32_t i = 0; i < id.len; i++)
        if (s->ptr[i] != id.ptr[i]) return false;
    s->ptr += id.len;
    s->len -= id.len;
    return true;
}

uint32_t fvm_ipc_to_view(struct fvm_wstr id, struct fvm_wstr real, fvm_wchar *dst, uint32_t cap)
{
    static const struct {
        const char *private, *view;
    } parts[] = {
        {"\\Global", "\\BaseNamedObjects"},
        {"\\Local", "\\Sessions\\" FVM_IPC_SESSION "\\BaseNamedObjects"},
        {"\\Links", "\\Sessions\\BNOLINKS"},
        {"\\Stations", "\\Sessions\\" FVM_IPC_SESSION "\\Windows\\WindowStations"},
        {"\\Root", ""},
    };
    struct writer w = {dst, cap, 0, false};
    struct fvm_wstr s = real;

    if (starts_with(&s, TREE) && starts_with_id(&s, id)) {
        for (uint32_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            struct fvm_wstr rest = s;
            if (!starts_with(&rest, parts[i].private) || (rest.len && rest.ptr[0] != '\\'))
                continue;
            put_ascii(&w, parts[i].view);
            put(&w, rest.ptr, rest.len);
            if (!w.len) put_ascii(&w, "\\"); /* Root itself */
            return written(&w);
        }
        return 0;
    }
    s = real;
    bool pipe = starts_with(&s, "\\Device\\NamedPipe\\fvm\\");
    if (!pipe && !starts_with(&s, "\\Device\\MailSlot\\fvm\\")) return 0;
    if (!starts_with_id(&s, id) || !s.len || s.ptr[0] != '\\') return 0;
    put_ascii(&w, pipe ? "\\Device\\NamedPipe" : "\\Device\\MailSlot");
    put(&w, s.ptr, s.len);
    return written(&w);
}

uint32_t fvm_ipc_prefix(struct fvm_wstr id, fvm_wchar *dst, uint32_t cap)
{
    struct writer w = {dst, cap, 0, false};

    put_ascii(&w, "fvm\\");
    put(&w, id.ptr, id.len);
    put_ascii(&w, "\\");
    return written(&w);
}

uint32_t fvm_ipc_tree(struct fvm_wstr id, const char *part, fvm_wchar *dst, uint32_t cap)
{
    struct writer w = {dst, cap, 0, false};

    put_ascii(&w, TREE);
    put(&w, id.ptr, id.len);
    if (part) {
        put_ascii(&w, "\\");
        put_ascii(&w, part);
    }
    return written(&w);
}
