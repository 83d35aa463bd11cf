/* Stands between PostgreSQL and the system. While the file ${WADI_FULL}.base is there, no file of its tables can grow; while
 * ${WADI_FULL}.pg_wal is there, none of its own log. The server is told ENOSPC, as a full disk tells it: what it makes of
 * that, and what it says to whoever writes, is its own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *const kinds[] = { "base", "pg_wal" };

/* Whether a write that ends there needs room which is not left. */
static int full(int fd, off_t end) {
    const char *prefix = getenv("WADI_FULL");
    char name[64], path[4096], flag[4096], part[32];
    struct stat st;
    int before = errno, found = 0;
    if (!prefix) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof path - 1);
    if (n > 0) {
        path[n] = 0;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !found; k++) {
            snprintf(flag, sizeof flag, "%s.%s", prefix, kinds[k]);
            snprintf(part, sizeof part, "/%s/", kinds[k]);
            found = strstr(path, part) && access(flag, F_OK) == 0 && fstat(fd, &st) == 0 && end > st.st_size;
        }
    }
    errno = before;
    return found;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define REFUSE_IF(is_full) do { if (is_full) { errno = ENOSPC; return -1; } } while (0)

static size_t total(const struct iovec *v, int count) {
    size_t n = 0;
    for (int i = 0; i < count; i++) n += v[i].iov_len;
    return n;
}

ssize_t pwrite(int fd, const void *b, size_t n, off_t at) {
    REAL(pwrite);
    REFUSE_IF(full(fd, at + (off_t)n));
    return real(fd, b, n, at);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
    REAL(pwrite64);
    REFUSE_IF(full(fd, (off_t)at + (off_t)n));
    return real(fd, b, n, at);
}
ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at) {
    REAL(pwritev);
    REFUSE_IF(full(fd, at + (off_t)total(v, count)));
    return real(fd, v, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *v, int count, off64_t at) {
    REAL(pwritev64);
    REFUSE_IF(full(fd, (off_t)at + (off_t)total(v, count)));
    return real(fd, v, count, at);
}
int posix_fallocate(int fd, off_t at, off_t n) {
    REAL(posix_fallocate);
    return full(fd, at + n) ? ENOSPC : real(fd, at, n);
}
int posix_fallocate64(int fd, off64_t at, off64_t n) {
    REAL(posix_fallocate64);
    return full(fd, (off_t)at + (off_t)n) ? ENOSPC : real(fd, at, n);
}
