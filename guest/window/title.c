/* The VM's name in the titles of its windows, for the user alone (fvm run --title).
 *
 * Programs set and read their titles as ever. What the window manager shows is what Wine's driver
 * hands to the X server: by two calls of libX11 in the older form, and as a property whose number
 * is among those that the driver asks for when it begins. */
#include "window.h"

#define X_CALL __attribute__((sysv_abi))

struct text_property { /* XTextProperty */
    uint8_t *value;
    unsigned long long encoding;
    int32_t format;
    unsigned long long count;
};

typedef X_CALL void (*set_name_fn)(void *, unsigned long long, struct text_property *);
typedef X_CALL int (*change_fn)(void *, unsigned long long, unsigned long long, unsigned long long,
                                int, int, const uint8_t *, int);
typedef X_CALL int (*intern_fn)(void *, char **, int, int, unsigned long long *);

static set_name_fn real_name, real_icon_name;
static change_fn real_change;
static intern_fn real_intern;
static unsigned long long net_name; /* the property _NET_WM_NAME; 0: not known */

/* "[name] " and the title, in a scratch buffer; NULL: the title stays as it is. */
static uint8_t *titled(const uint8_t *title, uint64_t count, uint64_t *total)
{
    uint32_t name = guest_shared->vm_name_len;
    uint8_t *text;

    if (!guest_shared->show_name || !count || count + name + 3 > GUEST_SCRATCH_SIZE) return NULL;
    if (!(text = guest_scratch_get())) return NULL;
    text[0] = '[';
    for (uint32_t i = 0; i < name; i++) /* letters, digits, '_', '.' and '-' */
        text[1 + i] = (uint8_t)guest_shared->vm_name[i];
    text[1 + name] = ']';
    text[2 + name] = ' ';
    memcpy(text + 3 + name, title, count);
    *total = count + name + 3;
    return text;
}

static void set_text(set_name_fn real, void *display, unsigned long long window,
                     struct text_property *p)
{
    struct text_property with = *p;
    uint64_t total;
    uint8_t *text = p->format == 8 ? titled(p->value, p->count, &total) : NULL;

    if (text) {
        with.value = text;
        with.count = total;
    }
    real(display, window, &with);
    guest_scratch_put(text);
}

static X_CALL void set_name(void *display, unsigned long long window, struct text_property *p)
{
    set_text(real_name, display, window, p);
}

static X_CALL void set_icon_name(void *display, unsigned long long window, struct text_property *p)
{
    set_text(real_icon_name, display, window, p);
}

static X_CALL int change(void *display, unsigned long long window, unsigned long long property,
                         unsigned long long type, int format, int mode, const uint8_t *data,
                         int count)
{
    uint64_t total;
    uint8_t *text = net_name && property == net_name && format == 8 && count > 0
                        ? titled(data, (uint64_t)count, &total)
                        : NULL;
    int result = text ? real_change(display, window, property, type, format, mode, text, (int)total)
                      : real_change(display, window, property, type, format, mode, data, count);

    guest_scratch_put(text);
    return result;
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static X_CALL int intern(void *display, char **names, int count, int existing,
                         unsigned long long *atoms)
{
    int result = real_intern(display, names, count, existing, atoms);

    for (int i = 0; result && i < count; i++)
        if (same(names[i], "_NET_WM_NAME")) net_name = atoms[i];
    return result;
}

const struct guest_replacement guest_title_replacements[] = {
    {"XSetWMName", (void *)set_name, (void **)&real_name},
    {"XSetWMIconName", (void *)set_icon_name, (void **)&real_icon_name},
    {"XChangeProperty", (void *)change, (void **)&real_change},
    {"XInternAtoms", (void *)intern, (void **)&real_intern},
    {NULL, NULL, NULL},
};
