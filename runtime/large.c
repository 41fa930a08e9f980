// Arrays that may be larger than memory: see large.h. In front of each stand its size and its file.
#include "large.h"
#include "reg/train.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SHARE = 16, FRONT = 64, ALL = 4 }; // of memory: one array, all arrays together

typedef struct Front {
  size_t size; // with the front
  int file;    // -1: none
  void *next;  // of a list
} Front;
_Static_assert(sizeof(Front) <= FRONT, "arrays stay aligned");

static Front *front_of(void *at) {
  void *front = (char *)at - FRONT;
  return front;
}
static void *behind(Front *f) { return f ? (char *)f + FRONT : NULL; }

// -- what the process may have

static void lower(size_t *most, uint64_t limit) {
  if (limit < *most) *most = (size_t)limit;
}

// Of a control group and those around it.
static void group_limits(const char *mount, char *group, const char *name, size_t *most) {
  for (;;) {
    char path[1024], text[32] = "";
    const int n = snprintf(path, sizeof path, "%s%s/%s", mount, group, name);
    FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (f && fgets(text, sizeof text, f) && text[0] >= '0' && text[0] <= '9')
      lower(most, strtoull(text, NULL, 10));
    if (f) fclose(f);
    char *slash = strrchr(group, '/');
    if (!slash) return;
    *slash = 0;
  }
}

size_t reg_memory_most(void) {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t most = pages > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
  struct rlimit data;
  char line[1024];
  if (!getrlimit(RLIMIT_DATA, &data)) lower(&most, data.rlim_cur);
  FILE *f = fopen("/proc/self/cgroup", "re");
  while (f && fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    char *memory = strstr(line, ":memory:");
    if (memory) group_limits("/sys/fs/cgroup/memory", memory + 8, "memory.limit_in_bytes", &most);
    if (!strncmp(line, "0::", 3)) group_limits("/sys/fs/cgroup", line + 3, "memory.max", &most);
  }
  if (f) fclose(f);
  return most;
}

static size_t least;
static void find_least(void) { least = reg_memory_most() / SHARE; }

size_t reg_large_least(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_least);
  return least;
}

// Bytes of arrays that are in memory.
static size_t held;
static void hold(size_t more, size_t less) { __atomic_add_fetch(&held, more - less, __ATOMIC_RELAXED); }

// Many arrays of less than a sixteenth could be more than memory too: beyond a quarter of it in all, also
// those of more than a 256th are files.
bool reg_large_is_file(size_t bytes) {
  const size_t one = reg_large_least();
  if (bytes >= one) return true;
  return bytes >= one / SHARE && __atomic_load_n(&held, __ATOMIC_RELAXED) + bytes >= SHARE / ALL * one;
}

// -- files

static int open_in(const char *folder) {
  char path[1024];
  const int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  const int n = snprintf(path, sizeof path, "%s/.regc-XXXXXX", folder);
  if (file >= 0 || n < 0 || (size_t)n >= sizeof path) return file;
  const int named = mkostemp(path, O_CLOEXEC);
  if (named >= 0) unlink(path);
  return named;
}

static int open_file(void) {
  const char *wish = getenv("TMPDIR");
  int file = wish && *wish ? open_in(wish) : -1;
  if (file < 0) file = open_in(".");
  return file < 0 ? open_in("/var/tmp") : file;
}

static bool lacks_disk;

bool reg_large_lacks_disk(void) { return __atomic_load_n(&lacks_disk, __ATOMIC_RELAXED); }

static Front *no_disk(void) {
  __atomic_store_n(&lacks_disk, true, __ATOMIC_RELAXED);
  return NULL;
}

// Disk is reserved: a mapping whose pages find none ends the process.
static Front *file_make(size_t size) {
  const int file = open_file();
  Front *f = MAP_FAILED;
  if (file >= 0 && !posix_fallocate(file, 0, (off_t)size))
    f = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (f == MAP_FAILED) {
    if (file >= 0) close(file);
    return no_disk();
  }
  *f = (Front){size, file, NULL};
  return f;
}

static Front *file_resize(Front *f, size_t size) {
  const int file = f->file;
  if (size > f->size && posix_fallocate(file, (off_t)f->size, (off_t)(size - f->size))) return no_disk();
  Front *moved = mremap(f, f->size, size, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return NULL;
  if (size < moved->size && ftruncate(file, (off_t)size)) return moved; // it keeps what it does not need
  moved->size = size;
  return moved;
}

// -- arrays

static Front *memory_resize(Front *f, size_t size) {
  const size_t before = f ? f->size : 0;
  Front *grown = realloc(f, size);
  if (!grown) return NULL;
  hold(size, before);
  *grown = (Front){size, -1, NULL};
  return grown;
}

static void memory_free(Front *f) {
  if (f) hold(0, f->size);
  free(f);
}

void *reg_large_resize(void *at, size_t bytes) {
  if (bytes > PTRDIFF_MAX - 2 * FRONT) return NULL;
  const size_t size = bytes + FRONT;
  Front *f = at ? front_of(at) : NULL;
  if (f && f->file >= 0) return behind(file_resize(f, size));
  Front *made = reg_large_is_file(bytes) ? file_make(size) : NULL;
  if (!made) return bytes / SHARE < reg_large_least() ? behind(memory_resize(f, size)) : NULL;
  if (f) memcpy((char *)made + FRONT, at, (f->size < size ? f->size : size) - FRONT);
  memory_free(f);
  return behind(made);
}

void reg_large_forget(void *at) {
  const Front *f = front_of(at);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (f->file < 0 || f->size <= page) return;
  (void)fallocate(f->file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)page, (off_t)(f->size - page));
}

void reg_large_free(void *at) {
  Front *f = at ? front_of(at) : NULL;
  if (!f || f->file < 0) {
    memory_free(f);
    return;
  }
  const int file = f->file;
  munmap(f, f->size);
  close(file);
}

const TextMemory reg_large_text = {reg_large_resize, reg_large_free};

void *reg_large_add(void **list, size_t bytes) {
  Front *f = bytes > PTRDIFF_MAX - FRONT ? NULL : file_make(bytes + FRONT);
  if (!f) return NULL;
  f->next = *list;
  return *list = behind(f);
}

void reg_large_free_list(void *list) {
  while (list) {
    void *next = front_of(list)->next;
    reg_large_free(list);
    list = next;
  }
}
