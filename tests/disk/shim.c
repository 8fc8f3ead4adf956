/* A disk that fails, and that remembers in which order it was written to: preloaded into a process
 * that has a store open. The test builds it with the C compiler; our Rust may not be unsafe.
 *
 * It minds only files below the folder CASEWRIGHT_SHIM_FOLDER whose name begins with that of the
 * database, and the folders that they are in. What stands behind the database's name ("-wal", "")
 * is the file's `suffix`.
 *
 * CASEWRIGHT_SHIM_CONTROL names a file of eight 64-bit numbers that both sides read and write, see
 * `struct control`. CASEWRIGHT_SHIM_TRACE names a file to which every change and every sync of
 * those files is appended, see `struct record`. One lock is held over an operation and its record,
 * so the trace has the true order. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define DATABASE "casewright.db"
#define MOST_FDS 4096
#define LONGEST_SUFFIX 24

/* Kinds of operation: bits of `control.kinds`. */
enum { OPEN = 1, READ = 2, WRITE = 4, SYNC = 8, TRUNCATE = 16, UNLINK = 32 };

struct control {
    uint64_t count;  /* operations of the kinds below, so far */
    uint64_t first;  /* from this one on they fail, counted from 1; 0: none */
    uint64_t last;   /* up to this one */
    uint64_t error;  /* with this errno */
    uint64_t failed; /* how many have failed */
    uint64_t kinds;  /* which are counted, and fail */
    uint64_t torn;   /* a write that fails has put the first half of its bytes there */
    uint64_t spare;
};

/* In the trace. `op`: C created, W written, T truncated (to `offset`), S synced, F sync failed,
 * U unlinked, D folder synced. The suffix and the data follow. */
struct record {
    char op;
    uint8_t suffix;
    uint16_t spare;
    uint32_t length;
    uint64_t offset;
};

struct open_file {
    char kind; /* 0: none of ours, 'f': a file, 'd': a folder */
    char suffix[LONGEST_SUFFIX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct open_file files[MOST_FDS];
static struct control nothing;
static struct control *control = &nothing;
static int trace = -1;
static char folder[4096];

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("CASEWRIGHT_SHIM_FOLDER");
    const char *steered = getenv("CASEWRIGHT_SHIM_CONTROL");
    const char *traced = getenv("CASEWRIGHT_SHIM_TRACE");
    if (!where || strlen(where) >= sizeof folder) return;
    if (steered) {
        int fd = REAL(open)(steered, O_RDWR | O_CLOEXEC);
        void *memory = MAP_FAILED;
        if (fd >= 0)
            memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) abort(); /* a test without its fault would prove nothing */
        control = memory;
    }
    if (traced) {
        trace = REAL(open)(traced, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (trace < 0) abort();
    }
    strcpy(folder, where);
}

/* Fills in what is at `path`; 0 if it is none of ours. */
static int ours(const char *path, struct open_file *found) {
    size_t length = strlen(folder);
    memset(found, 0, sizeof *found);
    if (!length || !path || strncmp(path, folder, length)) return 0;
    if (path[length] != '/' && path[length] != 0) return 0;
    const char *name = strrchr(path, '/') + 1;
    if (!strncmp(name, DATABASE, strlen(DATABASE))) {
        const char *suffix = name + strlen(DATABASE);
        if (strlen(suffix) >= LONGEST_SUFFIX) return 0;
        found->kind = 'f';
        strcpy(found->suffix, suffix);
        return 1;
    }
    struct stat is;
    if (stat(path, &is) || !S_ISDIR(is.st_mode)) return 0;
    found->kind = 'd';
    return 1;
}

/* Whether this operation fails now. The marks of the test itself never do. */
static int fails(int kind, const struct open_file *file) {
    if (!(control->kinds & (uint64_t)kind) || !strcmp(file->suffix, ".acks")) return 0;
    uint64_t number = ++control->count;
    if (!control->first || number < control->first || number > control->last) return 0;
    control->failed++;
    errno = (int)control->error;
    return 1;
}

static void put(const void *bytes, size_t length) {
    while (length) {
        ssize_t done = REAL(write)(trace, bytes, length);
        if (done <= 0) abort();
        bytes = (const char *)bytes + done;
        length -= (size_t)done;
    }
}

static void note(char op, const struct open_file *file, uint64_t offset, const void *data,
                 size_t length) {
    if (trace < 0) return;
    int before = errno;
    struct record record = {op, (uint8_t)strlen(file->suffix), 0, (uint32_t)length, offset};
    put(&record, sizeof record);
    put(file->suffix, record.suffix);
    put(data, length);
    errno = before;
}

static struct open_file *at(int fd) {
    return fd >= 0 && fd < MOST_FDS && files[fd].kind ? &files[fd] : NULL;
}

static int opened(const char *path, int flags, mode_t mode) {
    struct open_file file;
    if (!ours(path, &file)) return REAL(open)(path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = -1;
    /* A read-only file system still lets one read. */
    int readable = control->error == EROFS && (flags & O_ACCMODE) == O_RDONLY;
    if (readable || !fails(OPEN, &file)) {
        int is_new = access(path, F_OK) != 0;
        fd = REAL(open)(path, flags, mode);
        if (fd >= MOST_FDS) abort();
        if (fd >= 0) {
            files[fd] = file;
            if (is_new) note('C', &file, 0, NULL, 0);
            if (!is_new && flags & O_TRUNC) note('T', &file, 0, NULL, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPENING(name)                                                                              \
    int name(const char *path, int flags, ...) {                                                   \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        return opened(path, flags, mode);                                                          \
    }
OPENING(open)
OPENING(open64)

int close(int fd) {
    pthread_mutex_lock(&lock);
    if (at(fd)) files[fd].kind = 0;
    int result = REAL(close)(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) {
    struct open_file file;
    if (!ours(path, &file)) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = fails(UNLINK, &file) ? -1 : REAL(unlink)(path);
    if (!result) note('U', &file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t offset) {
    struct open_file *file = at(fd);
    pthread_mutex_lock(&lock);
    size_t allowed = length;
    int error = 0;
    if (file && fails(WRITE, file)) {
        error = errno;
        allowed = control->torn ? length / 2 : 0;
    }
    ssize_t done = error && !allowed ? -1 : REAL(pwrite)(fd, bytes, allowed, offset);
    if (file && done > 0) note('W', file, (uint64_t)offset, bytes, (size_t)done);
    if (error) {
        /* A short count would only have the caller write the rest. */
        errno = error;
        done = -1;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return at(fd) ? written(fd, bytes, length, offset) : REAL(pwrite)(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return pwrite(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!at(fd)) return REAL(write)(fd, bytes, length);
    off_t end = lseek(fd, 0, SEEK_END);
    ssize_t done = written(fd, bytes, length, end);
    if (done > 0) lseek(fd, end + done, SEEK_SET);
    return done;
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
    struct open_file *file = at(fd);
    if (file) {
        pthread_mutex_lock(&lock);
        int failed = fails(READ, file);
        pthread_mutex_unlock(&lock);
        if (failed) return -1;
    }
    return REAL(pread)(fd, bytes, length, offset);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
    return pread(fd, bytes, length, offset);
}

static int synced(int fd, int (*sync)(int)) {
    struct open_file *file = at(fd);
    if (!file) return sync(fd);
    pthread_mutex_lock(&lock);
    int result = fails(SYNC, file) ? -1 : sync(fd);
    if (file->kind == 'd') {
        if (!result) note('D', file, 0, NULL, 0);
    } else {
        note(result ? 'F' : 'S', file, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int ftruncate(int fd, off_t size) {
    struct open_file *file = at(fd);
    if (!file) return REAL(ftruncate)(fd, size);
    pthread_mutex_lock(&lock);
    int result = fails(TRUNCATE, file) ? -1 : REAL(ftruncate)(fd, size);
    if (!result) note('T', file, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
