/* Records what a process does to the files of one folder, for the power-loss tests.
 *
 * Preloaded into the sequencer (LD_PRELOAD). Each operation and its record are one step under one
 * lock, so the order of the log is the order of effect. -shm files are left out: they are shared
 * memory, which SQLite builds again after a crash.
 *
 * RECORDER_FOLDER: absolute path without links. RECORDER_LOG: where the records are appended.
 * A record: kind, path length, data length, offset, path inside the folder, data.
 *
 * RECORDER_FAULT: a file that the test writes while the process runs. "w" and an error number:
 * whatever would change the folder fails with it. "s" and a number: every sync does. With the
 * number 0 the process is killed where it would fail.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct header {
    uint64_t kind;
    uint64_t path_length;
    uint64_t data_length;
    uint64_t offset;
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static const char *fault_file;
static int log_fd = -1;

static int (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_linkat)(int, const char *, int, const char *, int);

static void stop(const char *why) {
    fprintf(stderr, "recorder: %s\n", why);
    _exit(99);
}

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) stop(name);
    return found;
}

__attribute__((constructor)) static void begin(void) {
    real_openat = next("openat");
    real_write = next("write");
    real_writev = next("writev");
    real_pwrite = next("pwrite");
    real_ftruncate = next("ftruncate");
    real_fsync = next("fsync");
    real_fdatasync = next("fdatasync");
    real_unlink = next("unlink");
    real_rename = next("rename");
    real_linkat = next("linkat");
    const char *at = getenv("RECORDER_FOLDER"), *to = getenv("RECORDER_LOG");
    fault_file = getenv("RECORDER_FAULT");
    if (!at || !to || !fault_file || strlen(at) >= sizeof folder) stop("lacks its environment");
    folder_length = strlen(strcpy(folder, at));
    log_fd = real_openat(AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) stop("cannot open its log");
}

/* The part of a path inside the folder; "" for the folder itself, NULL for what is elsewhere. */
static const char *inside(const char *path) {
    if (strncmp(path, folder, folder_length) != 0) return NULL;
    path += folder_length;
    if (*path == '\0') return path;
    size_t length = strlen(path);
    if (*path != '/' || (length > 4 && strcmp(path + length - 4, "-shm") == 0)) return NULL;
    return path + 1;
}

static const char *inside_fd(int fd, char *buffer) {
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = '\0';
    return inside(buffer);
}

/* The error number that operations of this kind fail with now, or 0. */
static int fault(char kind) {
    char text[16] = "";
    int fd = real_openat(AT_FDCWD, fault_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length < 2 || text[0] != kind) return 0;
    int error = atoi(text + 1);
    if (error == 0) raise(SIGKILL);
    return error;
}

static void record(uint64_t kind, const char *path, uint64_t offset, const void *data, size_t size) {
    struct header header = {kind, strlen(path), size, offset};
    struct iovec parts[3] = {
        {&header, sizeof header}, {(void *)path, header.path_length}, {(void *)data, size}};
    ssize_t whole = (ssize_t)(sizeof header + header.path_length + size);
    if (real_writev(log_fd, parts, 3) != whole) stop("cannot write its log");
}

static int open_in_order(int at, const char *path, int flags, mode_t mode) {
    const char *name = inside(path);
    if (!name || (flags & O_ACCMODE) == O_RDONLY) return real_openat(at, path, flags, mode);
    pthread_mutex_lock(&order);
    struct stat before;
    int existed = stat(path, &before) == 0, error = fault('w');
    int fd = -1;
    /* Opening what exists changes nothing; only a read-only disk refuses it. */
    if (existed && error != EROFS) error = 0;
    if (!error) fd = real_openat(at, path, flags, mode), error = errno;
    if (fd >= 0 && !existed) record('c', name, 0, "", 0);
    if (fd >= 0 && existed && (flags & O_TRUNC)) record('t', name, 0, "", 0);
    pthread_mutex_unlock(&order);
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name)                                                                              \
    int name(const char *path, int flags, ...) {                                                 \
        va_list rest;                                                                            \
        va_start(rest, flags);                                                                   \
        mode_t mode = mode_of(flags, rest);                                                      \
        va_end(rest);                                                                            \
        return open_in_order(AT_FDCWD, path, flags, mode);                                       \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                                                           \
    int name(int at, const char *path, int flags, ...) {                                         \
        va_list rest;                                                                            \
        va_start(rest, flags);                                                                   \
        mode_t mode = mode_of(flags, rest);                                                      \
        va_end(rest);                                                                            \
        return open_in_order(at, path, flags, mode);                                             \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

static ssize_t write_in_order(int fd, const void *data, size_t size, off_t offset, int placed) {
    char buffer[PATH_MAX];
    const char *name = inside_fd(fd, buffer);
    if (!name) return placed ? real_pwrite(fd, data, size, offset) : real_write(fd, data, size);
    pthread_mutex_lock(&order);
    if (!placed) {
        int append = fcntl(fd, F_GETFL) & O_APPEND;
        struct stat now;
        offset = append && fstat(fd, &now) == 0 ? now.st_size : lseek(fd, 0, SEEK_CUR);
    }
    int error = fault('w');
    ssize_t written = -1;
    if (!error) {
        written = placed ? real_pwrite(fd, data, size, offset) : real_write(fd, data, size);
        error = errno;
    }
    if (written > 0) record('w', name, (uint64_t)offset, data, (size_t)written);
    pthread_mutex_unlock(&order);
    errno = error;
    return written;
}

ssize_t write(int fd, const void *data, size_t size) {
    return write_in_order(fd, data, size, 0, 0);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return write_in_order(fd, data, size, offset, 1);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    return write_in_order(fd, data, size, offset, 1);
}

/* One part at a time, as a short write that the caller continues. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    char buffer[PATH_MAX];
    if (!inside_fd(fd, buffer)) return real_writev(fd, parts, count);
    while (count > 1 && parts->iov_len == 0) parts++, count--;
    return write_in_order(fd, parts->iov_base, parts->iov_len, 0, 0);
}

int ftruncate(int fd, off_t size) {
    char buffer[PATH_MAX];
    const char *name = inside_fd(fd, buffer);
    if (!name) return real_ftruncate(fd, size);
    pthread_mutex_lock(&order);
    int result = -1, error = fault('w');
    if (!error) result = real_ftruncate(fd, size), error = errno;
    if (result == 0) record('t', name, (uint64_t)size, "", 0);
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int ftruncate64(int fd, off_t size) {
    return ftruncate(fd, size);
}

static int sync_in_order(int fd, int (*real)(int)) {
    char buffer[PATH_MAX];
    const char *name = inside_fd(fd, buffer);
    if (!name) return real(fd);
    pthread_mutex_lock(&order);
    int result = -1, error = fault('s');
    if (!error) result = real(fd), error = errno;
    record(result == 0 ? 's' : 'f', name, 0, "", 0);
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int fsync(int fd) {
    return sync_in_order(fd, real_fsync);
}

int fdatasync(int fd) {
    return sync_in_order(fd, real_fdatasync);
}

int unlink(const char *path) {
    const char *name = inside(path);
    if (!name) return real_unlink(path);
    pthread_mutex_lock(&order);
    int result = -1, error = fault('w');
    if (!error) result = real_unlink(path), error = errno;
    if (result == 0) record('u', name, 0, "", 0);
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) {
    const char *old = inside(from), *new = inside(to);
    if (!old || !new) return real_rename(from, to);
    pthread_mutex_lock(&order);
    int result = -1, error = fault('w');
    if (!error) result = real_rename(from, to), error = errno;
    if (result == 0) record('r', old, 0, new, strlen(new));
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    const char *old = inside(from), *new = inside(to);
    if (!old || !new) return real_linkat(from_at, from, to_at, to, flags);
    pthread_mutex_lock(&order);
    int result = -1, error = fault('w');
    if (!error) result = real_linkat(from_at, from, to_at, to, flags), error = errno;
    if (result == 0) record('l', old, 0, new, strlen(new));
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

/* What this program does not use and the model does not know. */
#define REFUSED(type, name, arguments)                                                           \
    type name arguments {                                                                        \
        (void)fd, (void)a, (void)b, (void)c;                                                     \
        stop(#name " is not recorded");                                                          \
        return -1;                                                                               \
    }
REFUSED(ssize_t, pwritev, (int fd, const struct iovec *a, int b, off_t c))
REFUSED(ssize_t, pwritev64, (int fd, const struct iovec *a, int b, off64_t c))
REFUSED(int, fallocate, (int fd, int a, off_t b, off_t c))
REFUSED(int, fallocate64, (int fd, int a, off64_t b, off64_t c))
