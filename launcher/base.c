#include "base.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsutil.h"
#include "fvm/fold.h"

/* The architecture that system.reg names in its first lines. */
static int check_architecture(const char *dir, struct err **err)
{
    char *file = xasprintf("%s/system.reg", dir);
    FILE *f = fopen(file, "re");
    int e = errno;
    free(file);
    if (!f) {
        if (e != ENOENT) return err_sys(err, e, "cannot read the base %s", dir);
        char *drives = xasprintf("%s/dosdevices", dir);
        bool young = !access(drives, F_OK);
        free(drives);
        if (!young) return err_set(err, "%s is no Wine prefix: it has no system.reg", dir);
        err_set(err, "%s is no complete Wine prefix: it has no system.reg yet", dir);
        return err_hint(err,
                        "Wine writes it when the first programs have ended: "
                        "WINEPREFIX='%s' wineserver -w",
                        dir);
    }
    char line[256];
    bool wine = false, win32 = false;
    for (int i = 0; i < 8 && fgets(line, sizeof line, f); i++) {
        if (!i) wine = !strncmp(line, "WINE REGISTRY", 13);
        if (!strncmp(line, "#arch=win32", 11)) win32 = true;
    }
    fclose(f);
    if (!wine) return err_set(err, "%s is no Wine prefix: its system.reg is damaged", dir);
    if (win32) {
        err_set(err, "the base %s is a 32-bit Wine prefix", dir);
        return err_hint(err, "FVM needs a 64-bit one: leave --base and FVM_BASE out to have one "
                             "made, or make one with: WINEARCH=win64 WINEPREFIX=DIR wineboot -i");
    }
    return 0;
}

static int check(const char *dir, struct err **err)
{
    struct stat st;
    if (stat(dir, &st)) {
        int e = errno;
        if (e != ENOENT) return err_sys(err, e, "cannot use the base %s", dir);
        err_set(err, "the base %s does not exist", dir);
        return err_hint(err, "leave --base and FVM_BASE out to use FVM's own, which is made on "
                             "first use");
    }
    if (!S_ISDIR(st.st_mode)) return err_set(err, "the base %s is no folder", dir);
    if (st.st_uid != geteuid()) {
        err_set(err,
                "the base %s belongs to another user, and Wine uses only prefixes of its own "
                "user",
                dir);
        return err_hint(err, "use a base of your own, or leave --base and FVM_BASE out");
    }
    if (check_architecture(dir, err)) {
        if (!(*err)->hint)
            err_hint(err, "name a folder that `wineboot -i` has made, or leave --base and "
                          "FVM_BASE out");
        return -1;
    }
    char *cmd = xasprintf("%s/drive_c/windows/system32/cmd.exe", dir);
    bool complete = !access(cmd, R_OK);
    free(cmd);
    if (complete) return 0;
    err_set(err, "%s is no complete Wine prefix: drive_c/windows/system32 is missing or empty",
            dir);
    return err_hint(err, "repair it with: WINEPREFIX='%s' wineboot -u", dir);
}

static int drive_order(const void *a, const void *b)
{
    const struct base_drive *x = a, *y = b;
    return x->letter - y->letter;
}

static int read_drives(struct base *base, struct err **err)
{
    char *name = xasprintf("%s/dosdevices", base->dir);
    DIR *dir = opendir(name);
    if (!dir) {
        err_sys(err, errno, "cannot read the drives of the base, %s", name);
        free(name);
        return -1;
    }
    struct dirent *e;
    while ((e = readdir(dir))) {
        if (!isalpha((unsigned char)e->d_name[0]) || strcmp(e->d_name + 1, ":")) continue;
        char *link = xasprintf("%s/%s", name, e->d_name), *target = realpath(link, NULL);
        free(link);
        struct stat st;
        if (!target || stat(target, &st) || !S_ISDIR(st.st_mode) || base->drive_count == 26) {
            free(target); /* leads nowhere now: Wine does not see this drive either */
            continue;
        }
        struct base_drive *d = &base->drives[base->drive_count++];
        d->letter = (char)toupper((unsigned char)e->d_name[0]);
        d->target = target;
        if (d->letter == 'Z' && !strcmp(target, "/")) base->has_z = true;
    }
    closedir(dir);
    free(name);
    qsort(base->drives, (size_t)base->drive_count, sizeof(base->drives[0]), drive_order);
    for (int i = 0; i < base->drive_count; i++)
        if (base->drives[i].letter == 'C') return 0;
    return err_set(err, "the base %s has no drive C:", base->dir);
}

int base_open(const char *dir, struct base *base, struct err **err)
{
    *base = (struct base){0};
    if (check(dir, err)) return -1;
    base->dir = realpath(dir, NULL);
    if (!base->dir) return err_sys(err, errno, "cannot use the base %s", dir);
    if (strchr(base->dir, '\\') || !utf8_valid(base->dir))
        err_set(err,
                "cannot use the base %s: Wine cannot name a path with a backslash or with "
                "bytes that are not UTF-8",
                base->dir);
    else if (!read_drives(base, err))
        return 0;
    base_free(base);
    return -1;
}

void base_free(struct base *base)
{
    free(base->dir);
    for (int i = 0; i < base->drive_count; i++)
        free(base->drives[i].target);
    *base = (struct base){0};
}

/* Appends a relative Unix path as components. */
static void add_relative(struct wbuf *out, const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n) {
            struct wbuf name = {0};
            char *part = xasprintf("%.*s", (int)n, path);
            wbuf_add_utf8(&name, part);
            wbuf_add_component(out, wbuf_str(&name));
            wbuf_free(&name);
            free(part);
        }
        path += n;
        path += *path == '/';
    }
}

/* The place on one drive; false when the path does not lie on it. */
static bool place_on(const struct base_drive *drive, const char *path, struct wbuf *out)
{
    if (!path_below(path, drive->target)) return false;
    char root[3] = {drive->letter, ':', 0};
    out->len = 0;
    wbuf_add_utf8(out, root);
    add_relative(out, path + (strcmp(drive->target, "/") ? strlen(drive->target) : 0));
    return true;
}

/* The drive that leads deepest to the path; of equal ones the first letter. */
static const struct base_drive *deepest(const struct base *base, const char *path,
                                        const struct base_drive *except)
{
    const struct base_drive *best = NULL;
    for (int i = 0; i < base->drive_count; i++) {
        const struct base_drive *d = &base->drives[i];
        if (d == except || !path_below(path, d->target)) continue;
        if (!best || strlen(d->target) > strlen(best->target)) best = d;
    }
    return best;
}

bool base_place(const struct base *base, const char *path, struct wbuf *out)
{
    const struct base_drive *drive = deepest(base, path, NULL);
    return drive && place_on(drive, path, out);
}

/* Finds one component in a folder; returns the name as it is there, or NULL. */
static char *find_name(const char *dir, struct fvm_wstr name)
{
    char *exact = utf8_of(name), *path = xasprintf("%s/%s", dir, exact);
    struct stat st;
    bool found = !lstat(path, &st);
    free(path);
    if (found) return exact;
    free(exact);

    DIR *d = opendir(dir);
    if (!d) return NULL;
    char *result = NULL;
    struct dirent *e;
    while (!result && (e = readdir(d))) {
        struct wbuf w = {0};
        wbuf_add_utf8(&w, e->d_name);
        if (wstr_equal(wbuf_str(&w), name)) result = xstrdup(e->d_name);
        wbuf_free(&w);
    }
    closedir(d);
    return result;
}

char *base_find(const struct base *base, struct fvm_wstr path)
{
    if (path.len < 2 || path.ptr[1] != ':') return NULL;
    char *at = NULL;
    for (int i = 0; i < base->drive_count; i++)
        if (base->drives[i].letter == (char)fvm_upcase(path.ptr[0]))
            at = xstrdup(base->drives[i].target);
    for (uint32_t pos = 3; at && pos < path.len;) {
        uint32_t end = pos;
        while (end < path.len && path.ptr[end] != '\\')
            end++;
        char *name = find_name(at, (struct fvm_wstr){path.ptr + pos, end - pos});
        char *next = name ? xasprintf("%s/%s", strcmp(at, "/") ? at : "", name) : NULL;
        free(name);
        free(at);
        at = next;
        pos = end + 1;
    }
    return at;
}

typedef int (*alias_fn)(void *arg, struct fvm_wstr path, struct fvm_wstr target);

/* One symbolic link of the base to a folder: its own place is another name of the target. */
static int link_alias(const struct base *base, const char *dir, const char *name, alias_fn fn,
                      void *arg)
{
    char *link = xasprintf("%s/%s", strcmp(dir, "/") ? dir : "", name);
    char *target = realpath(link, NULL);
    struct wbuf from = {0}, to = {0};
    struct stat st;
    int rc = 0;
    if (target && utf8_valid(name) && !strchr(name, '\\') && !stat(target, &st) &&
        S_ISDIR(st.st_mode) && base_place(base, link, &from) && base_place(base, target, &to) &&
        !wstr_equal(wbuf_str(&from), wbuf_str(&to)))
        rc = fn(arg, wbuf_str(&from), wbuf_str(&to));
    wbuf_free(&from);
    wbuf_free(&to);
    free(target);
    free(link);
    return rc;
}

/* The links in one folder, and in its folders down to the given depth. */
static int folder_aliases(const struct base *base, const char *dir, int depth, alias_fn fn,
                          void *arg)
{
    DIR *d = opendir(dir);
    if (!d) return 0; /* nothing there that a program could see */
    int rc = 0;
    struct dirent *e;
    while (!rc && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        int type = e->d_type;
        if (type == DT_UNKNOWN) {
            struct stat st;
            if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
            type = S_ISLNK(st.st_mode) ? DT_LNK : S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
        }
        if (type == DT_LNK) {
            rc = link_alias(base, dir, e->d_name, fn, arg);
        } else if (type == DT_DIR && depth) {
            char *sub = xasprintf("%s/%s", dir, e->d_name);
            rc = folder_aliases(base, sub, depth - 1, fn, arg);
            free(sub);
        }
    }
    closedir(d);
    return rc;
}

int base_aliases(const struct base *base, alias_fn fn, void *arg)
{
    int rc = 0;
    /* A drive inside another one: Z:\home\u\.local\share\fvm\base\drive_c is C:. Of two
     * drives that lead to the same folder the first is the real one. */
    for (int i = 0; i < base->drive_count && !rc; i++) {
        const struct base_drive *drive = &base->drives[i];
        const struct base_drive *outer = deepest(base, drive->target, drive);
        if (!outer) continue;
        bool same = !strcmp(outer->target, drive->target);
        if (same && drive < outer) {
            /* this one is the real one: what it lies in is found among the others */
            outer = NULL;
            for (int k = 0; k < base->drive_count; k++) {
                const struct base_drive *d = &base->drives[k];
                if (strcmp(d->target, drive->target) && path_below(drive->target, d->target) &&
                    (!outer || strlen(d->target) > strlen(outer->target)))
                    outer = d;
            }
            if (!outer) continue;
            same = false;
        }
        char root[3] = {drive->letter, ':', 0};
        struct wbuf place = {0}, name = {0};
        wbuf_add_utf8(&name, root);
        if (place_on(outer, drive->target, &place))
            rc = same ? fn(arg, wbuf_str(&name), wbuf_str(&place))
                      : fn(arg, wbuf_str(&place), wbuf_str(&name));
        wbuf_free(&place);
        wbuf_free(&name);
    }
    for (int i = 0; i < base->drive_count && !rc; i++) {
        if (!strcmp(base->drives[i].target, "/")) {
            rc = folder_aliases(base, "/", 0, fn, arg);
            break;
        }
    }
    for (int i = 0; i < base->drive_count && !rc; i++) {
        if (base->drives[i].letter != 'C') continue;
        char *users = xasprintf("%s/users", base->drives[i].target);
        rc = folder_aliases(base, users, 2, fn, arg);
        free(users);
    }
    return rc;
}
