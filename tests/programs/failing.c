// A library for LD_PRELOAD that lets one call fail: allocation FAIL_MEMORY, counted from main on, or system
// call FAIL_DISK of those that need room on a disk; with FAIL_ON=1 all behind it fail too. At the end the
// counts go to the file descriptor FAIL_REPORT. Output: "MEMORY DISK\n".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

typedef struct Kind {
  atomic_long count;
  long fails; // -1: none
} Kind;

static Kind memory = {.fails = -1}, disk = {.fails = -1};
static int armed, on; // from main on

static int fails(Kind *k, int error) {
  if (!armed) return 0;
  const long n = atomic_fetch_add(&k->count, 1);
  if (k->fails < 0 || n < k->fails || (n > k->fails && !on)) return 0;
  errno = error;
  return 1;
}

static long number(const char *name) { return getenv(name) ? atol(getenv(name)) : -1; }

typedef int (*Main)(int, char **, char **);
static Main real_main;

static void report(void) {
  char text[64];
  const long to = number("FAIL_REPORT");
  armed = 0;
  const int n = snprintf(text, sizeof text, "%ld %ld\n", (long)memory.count, (long)disk.count);
  if (to >= 0 && syscall(SYS_write, to, text, n) < 0) abort();
}

static int counted_main(int argc, char **argv, char **env) {
  memory.fails = number("FAIL_MEMORY");
  disk.fails = number("FAIL_DISK");
  on = getenv("FAIL_ON") != NULL;
  armed = 1;
  const int code = real_main(argc, argv, env);
  report();
  return code;
}

int __libc_start_main(Main main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*end)(void), void *stack) {
  int (*start)(Main, int, char **, void (*)(void), void (*)(void), void (*)(void), void *) =
      dlsym(RTLD_NEXT, "__libc_start_main");
  real_main = main;
  return start(counted_main, argc, argv, init, fini, end, stack);
}

// -- memory

void *malloc(size_t n) { return fails(&memory, ENOMEM) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails(&memory, ENOMEM) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails(&memory, ENOMEM) ? NULL : __libc_realloc(p, n); }
void *memalign(size_t to, size_t n) { return fails(&memory, ENOMEM) ? NULL : __libc_memalign(to, n); }
void *aligned_alloc(size_t to, size_t n) { return fails(&memory, ENOMEM) ? NULL : __libc_memalign(to, n); }

int posix_memalign(void **p, size_t to, size_t n) {
  if (fails(&memory, ENOMEM)) return ENOMEM;
  *p = __libc_memalign(to, n);
  return *p ? 0 : ENOMEM;
}

// -- disk

ssize_t write(int fd, const void *bytes, size_t n) {
  if (fd > 2 && fails(&disk, ENOSPC)) return -1;
  return syscall(SYS_write, fd, bytes, n);
}

static int opens(int folder, const char *path, int flags, mode_t mode) {
  if ((flags & O_CREAT) && fails(&disk, ENOSPC)) return -1;
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list ap;
  va_start(ap, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
  va_end(ap);
  return opens(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list ap;
  va_start(ap, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
  va_end(ap);
  return opens(folder, path, flags, mode);
}

int fsync(int fd) { return fails(&disk, ENOSPC) ? -1 : (int)syscall(SYS_fsync, fd); }
int rename(const char *from, const char *to) {
  return fails(&disk, ENOSPC) ? -1 : (int)syscall(SYS_rename, from, to);
}
int mkdir(const char *path, mode_t mode) {
  return fails(&disk, ENOSPC) ? -1 : (int)syscall(SYS_mkdir, path, mode);
}
