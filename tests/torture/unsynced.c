/* A disk that forgets what was not synced. Preloaded, it notes what each write to the database's files, and to
   those of the spool, replaces; a sync empties the notes. After the process was killed the notes are played
   backwards: what is left is what a power cut would have left. (powerloss.py does that.) */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void find(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

/* Say where the notes about a file are kept, if it is one of those that forget. */
static int noted(int fd, char *notes, size_t size, struct stat *about) {
    const char *disk = getenv("TORTURE_DISK"), *folder = getenv("TORTURE_UNSYNCED");
    char link[64], path[4096];
    if (!disk || !folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, disk, strlen(disk)) != 0) return 0;
    const char *name = strrchr(path, '/') + 1;
    int ours = (strncmp(name, "lobby.sqlite3", 13) == 0 && !strstr(name, "-shm")) || strstr(path, "/spool/");
    if (!ours || fstat(fd, about) != 0 || !S_ISREG(about->st_mode)) return 0;
    snprintf(notes, size, "%s/%llu", folder, (unsigned long long)about->st_ino);
    return 1;
}

static void note(const char *notes, int fd, off_t offset, size_t length, off_t size) {
    long long head[3] = {offset, 0, size};
    char *old = NULL;
    if (offset < size && length) {
        if (offset + (off_t)length > size) length = size - offset;
        old = malloc(length);
        ssize_t got = old ? pread64(fd, old, length, offset) : 0;
        head[1] = got > 0 ? got : 0;
    }
    int book = open(notes, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (book >= 0) {
        struct iovec parts[2] = {{head, sizeof head}, {old, (size_t)head[1]}};
        if (writev(book, parts, 2) < 0) abort();
        close(book);
    }
    free(old);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    char notes[4200];
    struct stat about;
    pthread_mutex_lock(&lock);
    if (noted(fd, notes, sizeof notes, &about)) note(notes, fd, offset, count, about.st_size);
    ssize_t done = real_pwrite(fd, bytes, count, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

ssize_t write(int fd, const void *bytes, size_t count) {
    char notes[4200];
    struct stat about;
    if (!real_write) find();
    if (!noted(fd, notes, sizeof notes, &about)) return real_write(fd, bytes, count);
    pthread_mutex_lock(&lock);
    int mode = fcntl(fd, F_GETFL);
    note(notes, fd, mode & O_APPEND ? about.st_size : lseek(fd, 0, SEEK_CUR), count, about.st_size);
    ssize_t done = real_write(fd, bytes, count);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off_t size) {
    char notes[4200];
    struct stat about;
    pthread_mutex_lock(&lock);
    if (noted(fd, notes, sizeof notes, &about))
        note(notes, fd, size, size < about.st_size ? (size_t)(about.st_size - size) : 0, about.st_size);
    int done = real_ftruncate(fd, size);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int fd, int (*sync)(int)) {
    char notes[4200];
    struct stat about;
    pthread_mutex_lock(&lock);
    int done = sync(fd);
    if (done == 0 && noted(fd, notes, sizeof notes, &about) && truncate(notes, 0) != 0) { /* none were taken */ }
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }
