// The object cache on disk. A key is the SHA-256 of everything that the code depends on: the loops' text, the
// machine, the compiler's version and build, the vector mathematics. A file is the object followed by the
// SHA-256 of key and object, so that one entry cannot stand for another; it is written under a name that
// nobody can foresee and renamed. What is in the cache becomes code of this process: nothing is read that
// another user owns or may write. The folder has a limit; what was not used for longest leaves.
#include "emit.h"
#include "reg/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern const unsigned char reg_vmath_bitcode[];
extern const unsigned long reg_vmath_bitcode_size;

enum { SUM = SHA256_DIGEST_LENGTH, KEY = 2 * SUM, NAME = KEY + 32, DAY = 24 * 60 * 60 };
static const off_t MOST_BYTES = 256 << 20;

static ssize_t hash_text(void *context, const char *bytes, size_t count) {
  SHA256Update(context, (const uint8_t *)bytes, count);
  return (ssize_t)count;
}

// The program's notes, the linker's build ID among them, into the sum: compilers of one version may be built
// from different sources. The first object is the program.
static int add_notes(struct dl_phdr_info *program, size_t size, void *context) {
  (void)size;
  for (int i = 0; i < program->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &program->dlpi_phdr[i];
    if (part->p_type == PT_NOTE)
      SHA256Update(context, (const uint8_t *)(program->dlpi_addr + part->p_vaddr), part->p_memsz);
  }
  return 1;
}

const char *cache_identity(Arena *a, const char *machine) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, reg_vmath_bitcode, reg_vmath_bitcode_size);
  dl_iterate_phdr(add_notes, &context);
  return arena_printf(a, "%s\n%s", machine, SHA256End(&context, (char[SHA256_DIGEST_STRING_LENGTH]){0}));
}

const char *cache_key(Arena *a, const LoopFn *f, const BackendOptions *o, const char *identity) {
  SHA2_CTX context;
  SHA256Init(&context);
  FILE *out = fopencookie(&context, "w", (cookie_io_functions_t){.write = hash_text});
  if (!out) ice("llvm", "no memory for the key of %s", f->name);
  loops_print(out, f);
  unsigned major, minor, patch;
  LLVMGetVersion(&major, &minor, &patch);
  fprintf(out, "%s\n%s\nLLVM %u.%u.%u, %d lanes\n", identity, o->version ? o->version : "", major, minor,
          patch, LANES);
  fclose(out);
  return arena_strdup(a, SHA256End(&context, (char[SHA256_DIGEST_STRING_LENGTH]){0}));
}

static void sum_of(const char *key, const void *object, size_t size, uint8_t sum[SUM]) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, (const uint8_t *)key, strlen(key));
  SHA256Update(&context, object, size);
  SHA256Final(sum, &context);
}

static bool is_own(const struct stat *s) {
  return s->st_uid == geteuid() && !(s->st_mode & (S_IWGRP | S_IWOTH));
}

// -1 where the folder is not there, or not this user's alone. A link is followed if this user has made it.
static int open_folder(const char *dir) {
  struct stat link, folder;
  if (lstat(dir, &link) != 0 || link.st_uid != geteuid()) return -1;
  const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &folder) == 0 && is_own(&folder)) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static bool read_all(int file, char *to, size_t size) {
  while (size > 0) {
    const ssize_t n = read(file, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= (size_t)n;
  }
  return true;
}

static LLVMMemoryBufferRef read_object(int file, const char *key) {
  struct stat info;
  uint8_t sum[SUM];
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || !is_own(&info) || info.st_size <= SUM) return NULL;
  const size_t size = (size_t)info.st_size - SUM;
  char *data = malloc(size + SUM);
  LLVMMemoryBufferRef object = NULL;
  if (data && read_all(file, data, size + SUM)) {
    sum_of(key, data, size, sum);
    if (!memcmp(sum, data + size, SUM)) object = LLVMCreateMemoryBufferWithMemoryRangeCopy(data, size, key);
  }
  free(data);
  if (object && time(NULL) - info.st_mtime > DAY) futimens(file, NULL); // it is used
  return object;
}

LLVMMemoryBufferRef cache_read(const char *dir, const char *key) {
  char name[NAME];
  snprintf(name, sizeof name, "%s.o", key);
  const int folder = open_folder(dir);
  const int file = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  LLVMMemoryBufferRef object = file < 0 ? NULL : read_object(file, key);
  if (file >= 0) close(file);
  if (folder >= 0) close(folder);
  return object;
}

// -- the limit

typedef struct Kept {
  char name[NAME];
  time_t used;
  off_t size;
} Kept;

static int by_use(const void *a, const void *b) {
  const Kept *x = a, *y = b;
  return (x->used > y->used) - (x->used < y->used);
}

static bool ends_in(const char *name, const char *end) {
  const size_t n = strlen(name), m = strlen(end);
  return n > m && !strcmp(name + n - m, end);
}

// Removes temporary files of processes that did not come to their end, and the entries that were not used for
// longest, down to three quarters of the limit.
static void sweep(int folder) {
  Arena *a = arena_new();
  VEC(Kept) kept = {0};
  off_t total = 0;
  const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = again < 0 ? NULL : fdopendir(again);
  for (struct dirent *e; entries && (e = readdir(entries));) {
    struct stat info;
    Kept k = {0};
    const bool digits = strspn(e->d_name, "0123456789abcdef.") >= KEY / 2;
    if (!digits || strlen(e->d_name) >= NAME || fstatat(folder, e->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (ends_in(e->d_name, ".tmp") && time(NULL) - info.st_mtime > DAY) unlinkat(folder, e->d_name, 0);
    if (!ends_in(e->d_name, ".o")) continue;
    strcpy(k.name, e->d_name);
    k.used = info.st_mtime;
    k.size = info.st_size;
    total += k.size;
    vec_push(a, kept, k);
  }
  if (total > MOST_BYTES) {
    qsort(kept.data, (size_t)kept.len, sizeof *kept.data, by_use);
    for (int i = 0; i < kept.len && total > MOST_BYTES / 4 * 3; total -= kept.data[i++].size)
      unlinkat(folder, kept.data[i].name, 0);
  }
  if (entries) closedir(entries);
  arena_free(a);
}

// A cache that cannot be written is no error: the next run compiles again.
void cache_write(const char *dir, const char *key, LLVMMemoryBufferRef object) {
  static bool swept; // once a process: what it adds itself is little
  char name[NAME], temporary[NAME];
  unsigned long long random = 0;
  uint8_t sum[SUM];
  const int folder = open_folder(dir);
  if (folder < 0) return;
  if (!swept) sweep(folder);
  swept = true;
  getrandom(&random, sizeof random, GRND_NONBLOCK);
  snprintf(name, sizeof name, "%s.o", key);
  snprintf(temporary, sizeof temporary, "%s.%016llx.tmp", key, random);
  const int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file >= 0) {
    const char *data = LLVMGetBufferStart(object);
    const size_t size = LLVMGetBufferSize(object);
    sum_of(key, data, size, sum);
    bool ok = !reg_file_put(file, data, size) && !reg_file_put(file, sum, SUM);
    ok = close(file) == 0 && ok;
    if (!ok || renameat(folder, temporary, folder, name) != 0) unlinkat(folder, temporary, 0);
  }
  close(folder);
}
