#include "home.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsutil.h"
#include "util.h"

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

const char *home_dir(struct err **err)
{
    static char *dir;
    if (dir) return dir;

    char *path;
    if (env("FVM_HOME"))
        path = xstrdup(env("FVM_HOME"));
    else if (env("XDG_DATA_HOME") && env("XDG_DATA_HOME")[0] == '/')
        path = xasprintf("%s/fvm", env("XDG_DATA_HOME"));
    else if (env("HOME"))
        path = xasprintf("%s/.local/share/fvm", env("HOME"));
    else {
        err_set(err, "no place for VMs is known: neither FVM_HOME nor HOME is set");
        err_hint(err, "set FVM_HOME to a folder of yours");
        return NULL;
    }
    char *real = fs_canonical(path);
    if (!real)
        err_sys(err, errno, "cannot use %s as FVM's folder", path);
    else if (strchr(real, '\\') || !utf8_valid(real)) {
        err_set(err,
                "cannot use %s as FVM's folder: Wine cannot name a path with a backslash or "
                "with bytes that are not UTF-8",
                real);
        err_hint(err, "set FVM_HOME to another folder");
    } else
        dir = real;
    if (!dir) free(real);
    free(path);
    return dir;
}

const char *home_vms(struct err **err)
{
    static char *vms;
    if (!vms && home_dir(err)) vms = xasprintf("%s/vms", home_dir(err));
    return vms;
}

const char *home_base(struct err **err)
{
    static char *base;
    if (!base && home_dir(err)) base = xasprintf("%s/base", home_dir(err));
    return base;
}

/* Makes path if missing; true when it is a folder that this user alone can reach. */
static bool private_dir(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) && errno != EEXIST) return false;
    return !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 022);
}

const char *home_runtime(struct err **err)
{
    static char *dir;
    if (dir) return dir;

    char *candidates[3] = {0};
    int n = 0;
    if (env("XDG_RUNTIME_DIR") && env("XDG_RUNTIME_DIR")[0] == '/')
        candidates[n++] = xasprintf("%s/fvm", env("XDG_RUNTIME_DIR"));
    candidates[n++] = xasprintf("/dev/shm/fvm-%u", (unsigned)geteuid());
    candidates[n++] = xasprintf("/tmp/fvm-%u", (unsigned)geteuid());
    for (int i = 0; i < n; i++) {
        if (!dir && utf8_valid(candidates[i]) && !strchr(candidates[i], '\\') &&
            private_dir(candidates[i]))
            dir = candidates[i];
        else
            free(candidates[i]);
    }
    if (!dir) {
        err_set(err, "no place for the memory that a VM's processes share: none of "
                     "$XDG_RUNTIME_DIR, /dev/shm and /tmp can be used");
        err_hint(err, "set XDG_RUNTIME_DIR to a folder that is yours alone (mode 0700)");
    }
    return dir;
}

static bool parts_at(const char *monitor_dir, const char *guest_dir, char **monitor, char **guest)
{
    *monitor = xasprintf("%s/fvm-monitor.exe", monitor_dir);
    *guest = xasprintf("%s/fvmguest.dll", guest_dir);
    if (!access(*monitor, R_OK) && !access(*guest, R_OK)) return true;
    free(*monitor);
    free(*guest);
    *monitor = *guest = NULL;
    return false;
}

int home_parts(char **monitor, char **guest, struct err **err)
{
    if (env("FVM_LIBDIR")) {
        if (parts_at(env("FVM_LIBDIR"), env("FVM_LIBDIR"), monitor, guest)) return 0;
        err_set(err, "FVM_LIBDIR is %s, but fvm-monitor.exe and fvmguest.dll are not there",
                env("FVM_LIBDIR"));
        return err_hint(err, "unset FVM_LIBDIR to use the parts that belong to this fvm");
    }
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return err_sys(err, errno, "cannot find out where fvm lies");
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;

    char *lib = xasprintf("%s/../lib/fvm", self);
    char *mon = xasprintf("%s/../../mingw/monitor", self);
    char *gst = xasprintf("%s/../../mingw/guest", self);
    bool found = parts_at(lib, lib, monitor, guest) || parts_at(mon, gst, monitor, guest);
    free(lib);
    free(mon);
    free(gst);
    if (found) {
        char *m = realpath(*monitor, NULL), *g = realpath(*guest, NULL);
        if (m && g) {
            free(*monitor);
            free(*guest);
            *monitor = m;
            *guest = g;
            return 0;
        }
        free(m);
        free(g);
        free(*monitor);
        free(*guest);
    }
    *monitor = *guest = NULL;
    err_set(err,
            "FVM's Windows parts (fvm-monitor.exe, fvmguest.dll) are missing: neither in "
            "%s/../lib/fvm nor in a build folder beside %s",
            self, self);
    return err_hint(err, "build them with `make`, or install FVM again with `make install`");
}
