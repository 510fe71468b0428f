#include "fsutil.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

int fs_make_path(const char *path, mode_t mode, struct err **err)
{
    if (!mkdir(path, mode)) return 0;
    if (errno == EEXIST) {
        struct stat st;
        if (!stat(path, &st) && S_ISDIR(st.st_mode)) return 0;
        return err_sys(err, ENOTDIR, "cannot use %s as a folder", path);
    }
    if (errno != ENOENT) return err_sys(err, errno, "cannot make the folder %s", path);

    char *copy = xstrdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p && *p != '/') continue;
        char c = *p;
        *p = 0;
        if (mkdir(copy, mode) && errno != EEXIST) {
            err_sys(err, errno, "cannot make the folder %s", copy);
            free(copy);
            return -1;
        }
        *p = c;
        if (!c) break;
    }
    free(copy);
    return 0;
}

int fs_read_file(const char *path, char **data, size_t *len, struct err **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int e = errno;
        err_sys(err, e, "cannot open %s", path);
        errno = e;
        return -1;
    }
    struct stat st;
    size_t cap = !fstat(fd, &st) && st.st_size > 0 ? (size_t)st.st_size + 1 : 4096, n = 0;
    char *buf = xmalloc(cap + 1);
    for (;;) {
        if (n == cap) buf = xrealloc(buf, (cap *= 2) + 1);
        ssize_t got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            int e = errno;
            err_sys(err, e, "cannot read %s", path);
            free(buf);
            close(fd);
            errno = e;
            return -1;
        }
        if (!got) break;
        n += (size_t)got;
    }
    close(fd);
    buf[n] = 0;
    *data = buf;
    *len = n;
    return 0;
}

int fs_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int fs_write_file(const char *path, const void *data, size_t len, bool sync, struct err **err)
{
    char *tmp = xasprintf("%s.new-XXXXXX", path);
    int fd = mkostemp(tmp, O_CLOEXEC), e = 0;
    if (fd < 0) {
        err_sys(err, errno, "cannot write %s", path);
        free(tmp);
        return -1;
    }
    if (fchmod(fd, 0644) || fs_write_all(fd, data, len) || (sync && fsync(fd))) e = errno;
    if (close(fd) && !e) e = errno;
    if (!e && rename(tmp, path)) e = errno;
    if (e) {
        unlink(tmp);
        err_sys(err, e, "cannot write %s", path);
    }
    free(tmp);
    return e ? -1 : 0;
}

int fs_copy_fd(int from, int to)
{
    if (!ioctl(to, FICLONE, from)) return 0;
    char *buf = NULL;
    int rc = 0;
    for (;;) {
        ssize_t n = buf ? -1 : copy_file_range(from, NULL, to, NULL, 1U << 30, 0);
        if (n > 0) continue;
        if (!n && lseek(from, 0, SEEK_CUR) > 0) break;
        /* Not between these two file systems, or a file without a size (/proc). */
        if (!buf) buf = xmalloc(1 << 16);
        n = read(from, buf, 1 << 16);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || (n && fs_write_all(to, buf, (size_t)n))) rc = -1;
        if (n <= 0 || rc) break;
    }
    int e = errno;
    free(buf);
    errno = e;
    return rc;
}

static int remove_below(int parent, const char *name, dev_t dev)
{
    if (!unlinkat(parent, name, 0) || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) return -1;
    int unlink_errno = errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && !fchmodat(parent, name, 0700, 0))
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOTDIR || errno == ELOOP) errno = unlink_errno;
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) || st.st_dev != dev) {
        close(fd);
        errno = EXDEV;
        return -1;
    }
    if ((st.st_mode & 0300) != 0300) fchmod(fd, 0700);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -1;
    }
    int rc = 0;
    struct dirent *e;
    while (!rc && (e = readdir(dir))) {
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            rc = remove_below(fd, e->d_name, dev);
    }
    int saved = errno;
    closedir(dir);
    errno = saved;
    if (rc) return -1;
    return unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT ? -1 : 0;
}

int fs_remove_tree(const char *path, struct err **err)
{
    struct stat st;
    if (lstat(path, &st)) {
        if (errno == ENOENT) return 0;
        return err_sys(err, errno, "cannot remove %s", path);
    }
    if (remove_below(AT_FDCWD, path, st.st_dev))
        return err_sys(err, errno, "cannot remove %s", path);
    return 0;
}

void fs_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

char *fs_canonical(const char *path)
{
    char *real = realpath(path, NULL);
    if (real || errno != ENOENT) return real;
    char *copy = xstrdup(path);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = 0;
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
        free(copy);
        errno = ENOENT;
        return NULL;
    }
    char *last = xstrdup(name);
    if (slash) slash[slash == copy] = 0;
    char *parent = fs_canonical(slash ? copy : ".");
    if (parent) {
        real = xasprintf("%s/%s", strcmp(parent, "/") ? parent : "", last);
        free(parent);
    }
    free(last);
    free(copy);
    return real;
}
