#include "wine.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "fsutil.h"
#include "home.h"
#include "util.h"

static const char *const loader_places[] = {
    "/usr/lib/wine/wine64", /* Debian, Ubuntu */
    "/usr/lib/x86_64-linux-gnu/wine/wine64",
    "/opt/wine-stable/bin/wine64", /* WineHQ's packages */
    "/opt/wine-devel/bin/wine64",
    "/opt/wine-staging/bin/wine64",
    "/usr/bin/wine64", /* Fedora, Arch, openSUSE */
    NULL,
};
static const char *const server_places[] = {
    "/usr/lib/wine/wineserver64",
    "/usr/lib/x86_64-linux-gnu/wine/wineserver64",
    "/opt/wine-stable/bin/wineserver",
    "/opt/wine-devel/bin/wineserver",
    "/opt/wine-staging/bin/wineserver",
    "/usr/bin/wineserver64",
    NULL,
};

static bool is_program(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

static char *search_path(const char *name)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        if (n && *path == '/') {
            char *file = xasprintf("%.*s/%s", (int)n, path, name);
            if (is_program(file)) return file;
            free(file);
        }
        path += n;
        path += *path == ':';
    }
    return NULL;
}

static char *find(const char *variable, const char *const places[], const char *const names[],
                  struct err **err)
{
    const char *set = getenv(variable);
    if (set && *set) {
        char *file = strchr(set, '/') ? realpath(set, NULL) : search_path(set);
        if (file && is_program(file)) return file;
        free(file);
        err_set(err, "%s is %s, which is no program", variable, set);
        err_hint(err, "unset %s to use the Wine that is installed", variable);
        return NULL;
    }
    for (; *places; places++)
        if (is_program(*places)) return xstrdup(*places);
    for (size_t i = 0; names[i]; i++) {
        char *file = search_path(names[i]);
        if (file) return file;
    }
    err_set(err, "Wine is not installed: no 64-bit %s was found", names[0]);
    err_hint(err, "install it, on Debian with: sudo apt install wine wine64");
    return NULL;
}

int wine_find(struct wine *wine, struct err **err)
{
    static const char *const loaders[] = {"wine64", "wine", NULL};
    static const char *const servers[] = {"wineserver64", "wineserver", NULL};
    wine->loader = find("WINELOADER", loader_places, loaders, err);
    if (!wine->loader) return -1;
    wine->server = find("WINESERVER", server_places, servers, err);
    return wine->server ? 0 : -1;
}

void wine_free(struct wine *wine)
{
    free(wine->loader);
    free(wine->server);
    *wine = (struct wine){0};
}

void wine_environment(const struct wine *wine, const char *base)
{
    setenv("WINEPREFIX", base, 1);
    setenv("WINELOADER", wine->loader, 1);
    setenv("WINESERVER", wine->server, 1);
    setenv("WINEDEBUG", "-all", 0);
    unsetenv("WINEARCH"); /* the base decides */
    if (setlocale(LC_CTYPE, "") && !strcmp(nl_langinfo(CODESET), "UTF-8")) return;
    const char *all = getenv("LC_ALL");
    setenv(all && *all ? "LC_ALL" : "LC_CTYPE", "C.UTF-8", 1);
}

/* True when another process holds a write lock on the file, as the server does. */
static bool is_locked(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    bool locked = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
    close(fd);
    return locked;
}

/* Does a server hold its lock in this folder? Ends the folder's life. */
static bool is_served(char *folder, const char *id)
{
    char *lock = xasprintf("%s/%s/lock", folder, id);
    bool running = is_locked(lock);

    free(lock);
    free(folder);
    return running;
}

bool wine_server_running(const char *base)
{
    struct stat st;
    if (stat(base, &st)) return false;
    char *id =
        xasprintf("server-%llx-%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);

    /* Debian's server has its folder with the user's run-time files; where there are none, in one
     * for temporary files that the prefix names */
    bool running = is_served(xasprintf("/run/user/%u/wine", (unsigned)getuid()), id);
    char *file = xasprintf("%s/wineserver", base), *name = NULL;
    size_t len;
    struct err *ignored = NULL;
    if (!running && !fs_read_file(file, &name, &len, &ignored) && !strchr(name, '/') && len) {
        const char *temporary = getenv("TMPDIR");
        running = is_served(xasprintf("/tmp/%s", name), id) ||
                  (temporary && is_served(xasprintf("%s/%s", temporary, name), id));
    }
    err_free(&ignored);
    free(name);
    free(file);

    /* Wine's own place */
    if (!running) running = is_served(xasprintf("/tmp/.wine-%u", (unsigned)getuid()), id);
    free(id);
    return running;
}

/* Starts server and services. */
static int start_server(const struct wine *wine, const char *base, struct err **err)
{
    const char *seconds = getenv("FVM_WARM");
    unsigned long n = 60;
    if (seconds && *seconds && !parse_number(seconds, 86400, &n)) {
        err_set(err, "FVM_WARM is %s, which is no number of seconds (0 to 86400)", seconds);
        return err_hint(err, "unset FVM_WARM to keep Wine's server for 60 seconds");
    }
    char *keep = xasprintf("-p%lu", n);
    char *start[] = {wine->server, keep, NULL};
    int status = child_run_quietly(start, true, err);
    free(keep);
    if (status < 0) return err_context(err, "cannot start Wine's server");
    /* another program of this base may have started it at the same moment */
    if (status && !wine_server_running(base)) {
        err_set(err, "cannot start Wine's server for %s: %s ended with code %d", base, wine->server,
                status);
        return err_hint(err, "try: WINEPREFIX='%s' %s -f", base, wine->server);
    }
    /* The first program boots Windows: its services must not have our standard handles open,
     * or a shell that reads fvm's output waits for them, and must not descend from a VM. */
    char *boot[] = {wine->loader, "C:\\windows\\system32\\cmd.exe", "/c", "exit", NULL};
    status = child_run_quietly(boot, true, err);
    if (status < 0) return err_context(err, "cannot start Wine");
    if (status) {
        err_set(err, "Wine does not start on the base %s: a trivial program ended with code %d",
                base, status);
        return err_hint(err, "see why with: WINEDEBUG=err+all WINEPREFIX='%s' %s cmd.exe /c exit",
                        base, wine->loader);
    }
    return 0;
}

int wine_warm_up(const struct wine *wine, const char *base, struct err **err)
{
    /* The lock keeps a second fvm from running its program while the first one boots. */
    struct stat st;
    const char *runtime = home_runtime(err);
    if (!runtime) return -1;
    if (stat(base, &st)) return err_sys(err, errno, "cannot use the base %s", base);
    char *file = xasprintf("%s/base-%llx-%llx.lock", runtime, (unsigned long long)st.st_dev,
                           (unsigned long long)st.st_ino);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0) rc = err_sys(err, errno, "cannot open %s", file);
    while (!rc && fcntl(fd, F_OFD_SETLKW, &lock))
        if (errno != EINTR) rc = err_sys(err, errno, "cannot lock %s", file);
    if (!rc && !wine_server_running(base)) rc = start_server(wine, base, err);
    if (fd >= 0) close(fd);
    free(file);
    return rc;
}

void wine_server_stop(const struct wine *wine)
{
    struct err *ignored = NULL;
    char *stop[] = {wine->server, "-k", NULL};
    child_run_quietly(stop, true, &ignored);
    err_free(&ignored);
    char *wait[] = {wine->server, "-w", NULL};
    child_run_quietly(wait, true, &ignored);
    err_free(&ignored);
}
