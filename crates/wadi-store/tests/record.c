/* Records, for files under WADI_SHIM_DIR, every write, sync, truncation, unlink and rename, in their order, into
 * WADI_SHIM_LOG: the test makes of it what a disk may hold after the power failed at any moment.
 * Record: op (1), length of path (2), path, offset (8), length of data (4), data; integers little endian. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 4096
static char *paths[FDS];
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void put(const void *bytes, size_t n) {
    const char *at = bytes;
    while (n > 0) {
        long done = syscall(SYS_write, log_fd, at, n);
        if (done <= 0) _exit(99);
        at += done;
        n -= (size_t)done;
    }
}

static void note(char op, const char *path, uint64_t offset, const void *data, uint32_t n) {
    uint16_t length = (uint16_t)strlen(path);
    if (log_fd < 0) {
        const char *name = getenv("WADI_SHIM_LOG");
        if (!name) return;
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    }
    put(&op, 1); put(&length, 2); put(path, length); put(&offset, 8); put(&n, 4);
    if (n) put(data, n);
}

static const char *watched(int fd) { return fd >= 0 && fd < FDS ? paths[fd] : NULL; }

static void opened(int fd, const char *path) {
    const char *dir = getenv("WADI_SHIM_DIR");
    if (fd < 0 || fd >= FDS) return;
    pthread_mutex_lock(&lock);
    free(paths[fd]);
    paths[fd] = dir && strncmp(path, dir, strlen(dir)) == 0 ? strdup(path) : NULL;
    pthread_mutex_unlock(&lock);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define MODE va_list a; va_start(a, flags); int mode = va_arg(a, int); va_end(a)

int open(const char *p, int flags, ...) { MODE; REAL(open); int fd = real(p, flags, mode); opened(fd, p); return fd; }
int open64(const char *p, int flags, ...) { MODE; REAL(open64); int fd = real(p, flags, mode); opened(fd, p); return fd; }
int openat(int d, const char *p, int flags, ...) { MODE; REAL(openat); int fd = real(d, p, flags, mode); opened(fd, p); return fd; }
int openat64(int d, const char *p, int flags, ...) { MODE; REAL(openat64); int fd = real(d, p, flags, mode); opened(fd, p); return fd; }

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FDS) { pthread_mutex_lock(&lock); free(paths[fd]); paths[fd] = NULL; pthread_mutex_unlock(&lock); }
    return real(fd);
}

/* A write is noted before it is made and a sync after: what was noted as synced was written before. */
#define NOTED(op, fd, offset, data, n, call) \
    if (watched(fd)) { pthread_mutex_lock(&lock); note(op, watched(fd), (uint64_t)(offset), data, (uint32_t)(n)); pthread_mutex_unlock(&lock); } \
    return call

ssize_t write(int fd, const void *b, size_t n) {
    REAL(write);
    off_t at = watched(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    NOTED('W', fd, at, b, n, real(fd, b, n));
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { REAL(pwrite); NOTED('W', fd, at, b, n, real(fd, b, n, at)); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { REAL(pwrite64); NOTED('W', fd, at, b, n, real(fd, b, n, at)); }
int ftruncate(int fd, off_t n) { REAL(ftruncate); NOTED('T', fd, n, NULL, 0, real(fd, n)); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); NOTED('T', fd, n, NULL, 0, real(fd, n)); }

static int synced(int fd, int result) {
    if (result == 0 && watched(fd)) { pthread_mutex_lock(&lock); note('S', watched(fd), 0, NULL, 0); pthread_mutex_unlock(&lock); }
    return result;
}
int fsync(int fd) { REAL(fsync); return synced(fd, real(fd)); }
int fdatasync(int fd) { REAL(fdatasync); return synced(fd, real(fd)); }

int unlink(const char *p) {
    const char *dir = getenv("WADI_SHIM_DIR");
    REAL(unlink);
    if (dir && strncmp(p, dir, strlen(dir)) == 0) { pthread_mutex_lock(&lock); note('U', p, 0, NULL, 0); pthread_mutex_unlock(&lock); }
    return real(p);
}
