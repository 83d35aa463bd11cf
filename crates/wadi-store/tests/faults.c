/* A disk that fails or is small, for files under WADI_SHIM_DIR. Every write, sync, truncation, allocation and creation there
 * is a call with a number and a kind: w write, s sync, d sync of a directory, t truncation, a allocation, o creation.
 *
 *   WADI_FAULT_AT      the number of the call that fails; 0, or left out, and none does by its number
 *   WADI_FAULT_ERRNO   how: ENOSPC (as it is left out) or EIO
 *   WADI_FAULT_STICKY  1: every call from that one on fails
 *   WADI_FAULT_SHORT   1: that call, where it is a write, writes half, and the call after it fails
 *   WADI_FAULT_WHILE   a file: as long as it exists, the calls it names fail; it holds an errno and kinds, as "EIO sd"
 *   WADI_FAULT_REPORT  a file: each failed call is appended as "fault KIND NAME NUMBER ERRNO"
 *   WADI_FAULT_COUNT   a file: at the end of the process, the number of calls and, on the second line, their kinds
 *   WADI_SHIM_CAPACITY a file that holds the bytes of the whole disk: what does not fit is ENOSPC, and statvfs says so
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 4096
#define KINDS (1 << 20)
#define PAGE 4096LL

enum verdict { GO, CUT, FAIL };

static char *paths[FDS];
static char kinds[KINDS];
static long calls;
static int cut;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static int errno_of(const char *text) { return text && strncmp(text, "EIO", 3) == 0 ? EIO : ENOSPC; }

/* A small file's text, read by the kernel's own calls: the ones below are this shim's. */
static ssize_t text_of(const char *variable, char *text, size_t size) {
    const char *name = getenv(variable);
    if (!name) return -1;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);
    if (n >= 0) text[n] = 0;
    return n;
}

static void append(const char *variable, int flags, const char *text, size_t n) {
    const char *name = getenv(variable);
    if (!name) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0) return;
    while (n > 0) {
        long done = syscall(SYS_write, fd, text, n);
        if (done <= 0) break;
        text += done;
        n -= (size_t)done;
    }
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void) {
    char total[32];
    int n = snprintf(total, sizeof total, "%ld\n", calls);
    append("WADI_FAULT_COUNT", O_TRUNC, total, (size_t)n);
    append("WADI_FAULT_COUNT", O_APPEND, kinds, (size_t)(calls < KINDS ? calls : KINDS));
    append("WADI_FAULT_COUNT", O_APPEND, "\n", 1);
}

/* What becomes of the next call. */
static enum verdict judge(char kind, const char *path) {
    enum verdict verdict = GO;
    int error = errno_of(getenv("WADI_FAULT_ERRNO"));
    char text[64];
    pthread_mutex_lock(&lock);
    long now = ++calls, at = number("WADI_FAULT_AT");
    if (now <= KINDS) kinds[now - 1] = kind;
    if (at > 0 && now == at && kind == 'w' && number("WADI_FAULT_SHORT")) {
        cut = 1;
        verdict = CUT;
    } else if (at > 0 && (now == at + cut || (now > at && number("WADI_FAULT_STICKY")))) {
        verdict = FAIL;
    } else if (text_of("WADI_FAULT_WHILE", text, sizeof text) > 0 && strchr(text, ' ') && strchr(strchr(text, ' '), kind)) {
        error = errno_of(text);
        verdict = FAIL;
    }
    if (verdict == FAIL) {
        const char *name = strrchr(path, '/');
        char line[512];
        int n = snprintf(line, sizeof line, "fault %c %.200s %ld %s\n", kind, name ? name + 1 : path, now,
                         error == EIO ? "EIO" : "ENOSPC");
        append("WADI_FAULT_REPORT", O_APPEND, line, (size_t)n);
    }
    pthread_mutex_unlock(&lock);
    if (verdict == FAIL) errno = error;
    return verdict;
}

static int inside(const char *path) {
    const char *dir = getenv("WADI_SHIM_DIR");
    return dir && path && strncmp(path, dir, strlen(dir)) == 0;
}

static const char *watched(int fd) { return fd >= 0 && fd < FDS ? paths[fd] : NULL; }

static int opened(int fd, const char *path) {
    int error = errno;
    if (fd >= 0 && fd < FDS) {
        pthread_mutex_lock(&lock);
        free(paths[fd]);
        paths[fd] = inside(path) ? strdup(path) : NULL;
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return fd;
}

/* A file that exists is opened on the fullest disk. */
static int creates(const char *path, int flags) {
    struct stat st;
    return (flags & O_CREAT) && inside(path) && stat(path, &st) != 0 && judge('o', path) != GO;
}

/* -- the small disk -- */

static long long up(long long n) { return (n + PAGE - 1) / PAGE * PAGE; }

static long long used(const char *path) {
    long long sum = 0;
    DIR *dir = opendir(path);
    if (!dir) return 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char name[4096];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        int n = snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (n < 0 || n >= (int)sizeof name || lstat(name, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) sum += used(name);
        else if (S_ISREG(st.st_mode)) sum += up(st.st_size);
    }
    closedir(dir);
    return sum;
}

/* Bytes left, whole pages; -1 where the disk has no bound. */
static long long left(void) {
    char text[64];
    const char *dir = getenv("WADI_SHIM_DIR");
    int error = errno;
    if (!dir || text_of("WADI_SHIM_CAPACITY", text, sizeof text) <= 0) return -1;
    long long bytes = atoll(text) - used(dir);
    errno = error;
    return bytes > 0 ? bytes / PAGE * PAGE : 0;
}

/* How many bytes of a write go through: all, fewer, or -1. */
static ssize_t through(int fd, off64_t at, size_t n) {
    const char *path = watched(fd);
    if (!path || n == 0) return (ssize_t)n;
    enum verdict verdict = judge('w', path);
    if (verdict == FAIL) return -1;
    if (verdict == CUT && n > 1) n /= 2;
    struct stat st;
    long long room = left();
    if (room < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return (ssize_t)n;
    long long held = up(st.st_size);
    if (at + (long long)n <= held) return (ssize_t)n;
    long long fits = held + room - at;
    if (fits <= 0) {
        errno = ENOSPC;
        return -1;
    }
    return fits < (long long)n ? (ssize_t)fits : (ssize_t)n;
}

/* Whether a file may come to that size: 0, or an errno. */
static int allocates(int fd, off64_t end) {
    struct stat st;
    if (!watched(fd)) return 0;
    if (judge('a', watched(fd)) != GO) return errno;
    long long room = left();
    if (room < 0 || fstat(fd, &st) != 0) return 0;
    return up(end) - up(st.st_size) > room ? ENOSPC : 0;
}

/* -- what the process calls -- */

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define MODE va_list a; va_start(a, flags); int mode = va_arg(a, int); va_end(a)
#define OPEN(p, call) return creates(p, flags) ? -1 : opened(call, p)

int open(const char *p, int flags, ...) { MODE; REAL(open); OPEN(p, real(p, flags, mode)); }
int open64(const char *p, int flags, ...) { MODE; REAL(open64); OPEN(p, real(p, flags, mode)); }
int openat(int d, const char *p, int flags, ...) { MODE; REAL(openat); OPEN(p, real(d, p, flags, mode)); }
int openat64(int d, const char *p, int flags, ...) { MODE; REAL(openat64); OPEN(p, real(d, p, flags, mode)); }

int close(int fd) {
    REAL(close);
    if (watched(fd)) {
        pthread_mutex_lock(&lock);
        free(paths[fd]);
        paths[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real(fd);
}

ssize_t write(int fd, const void *b, size_t n) {
    REAL(write);
    off64_t at = 0;
    if (watched(fd)) {
        struct stat st;
        int end = (fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &st) == 0;
        at = end ? st.st_size : lseek64(fd, 0, SEEK_CUR);
    }
    ssize_t m = through(fd, at, n);
    return m < 0 ? -1 : real(fd, b, (size_t)m);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) {
    REAL(pwrite);
    ssize_t m = through(fd, at, n);
    return m < 0 ? -1 : real(fd, b, (size_t)m, at);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
    REAL(pwrite64);
    ssize_t m = through(fd, at, n);
    return m < 0 ? -1 : real(fd, b, (size_t)m, at);
}

static int fails(char kind, int fd) { return watched(fd) && judge(kind, watched(fd)) != GO; }

int ftruncate(int fd, off_t n) { REAL(ftruncate); return fails('t', fd) ? -1 : real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); return fails('t', fd) ? -1 : real(fd, n); }

static char sync_kind(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? 'd' : 's';
}
int fsync(int fd) { REAL(fsync); return watched(fd) && fails(sync_kind(fd), fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return watched(fd) && fails(sync_kind(fd), fd) ? -1 : real(fd); }

#define ALLOCATED(result) int error = allocates(fd, at + n); if (error) { errno = error; return result; }
int fallocate(int fd, int mode, off_t at, off_t n) { REAL(fallocate); ALLOCATED(-1); return real(fd, mode, at, n); }
int fallocate64(int fd, int mode, off64_t at, off64_t n) { REAL(fallocate64); ALLOCATED(-1); return real(fd, mode, at, n); }
int posix_fallocate(int fd, off_t at, off_t n) { REAL(posix_fallocate); ALLOCATED(error); return real(fd, at, n); }
int posix_fallocate64(int fd, off64_t at, off64_t n) { REAL(posix_fallocate64); ALLOCATED(error); return real(fd, at, n); }

#define ROOM(path, s) \
    if (result == 0 && inside(path)) { \
        long long room = left(); \
        if (room >= 0) (s)->f_bfree = (s)->f_bavail = (unsigned long)room / ((s)->f_frsize ? (s)->f_frsize : 1); \
    } \
    return result
int statvfs(const char *p, struct statvfs *s) { REAL(statvfs); int result = real(p, s); ROOM(p, s); }
int statvfs64(const char *p, struct statvfs64 *s) { REAL(statvfs64); int result = real(p, s); ROOM(p, s); }
