// The object cache on disk. A key is a hash of everything that the code depends on: the loops' text, the CPU,
// the compiler's version. A file is the object followed by its own hash; it is written under a temporary name
// and renamed.
#include "emit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const unsigned char reg_vmath_bitcode[];
extern const unsigned long reg_vmath_bitcode_size;

static uint64_t fnv(uint64_t h, const void *data, size_t n) {
  const unsigned char *p = data;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211ull;
  return h;
}

const char *cache_key(Arena *a, const LoopFn *f, const BackendOptions *o, const char *target) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) ice("llvm", "no memory for the text of %s", f->name);
  loops_print(out, f);
  unsigned major, minor, patch;
  LLVMGetVersion(&major, &minor, &patch);
  fprintf(out, "%s\n%s\nLLVM %u.%u.%u, %d lanes\n", target, o->version ? o->version : "", major, minor, patch,
          LANES);
  fclose(out);
  uint64_t high = 14695981039346656037ull, low = 0x9ae16a3b2f90404full;
  high = fnv(fnv(high, text, size), reg_vmath_bitcode, reg_vmath_bitcode_size);
  low = fnv(low, text, size);
  free(text);
  return arena_printf(a, "%016llx%016llx", (unsigned long long)high, (unsigned long long)low);
}

static char *path_of(Arena *a, const char *dir, const char *key) {
  return arena_printf(a, "%s/%s.o", dir, key);
}

LLVMMemoryBufferRef cache_read(Arena *a, const char *dir, const char *key) {
  FILE *in = fopen(path_of(a, dir, key), "rb");
  if (!in) return NULL;
  struct stat st;
  char *data = NULL;
  size_t n = fstat(fileno(in), &st) == 0 && st.st_size > 8 ? (size_t)st.st_size : 0;
  LLVMMemoryBufferRef object = NULL;
  if (n && (data = malloc(n)) && fread(data, 1, n, in) == n) {
    uint64_t sum, found = fnv(14695981039346656037ull, data, n - sizeof sum);
    memcpy(&sum, data + n - sizeof sum, sizeof sum);
    if (sum == found) object = LLVMCreateMemoryBufferWithMemoryRangeCopy(data, n - sizeof sum, key);
  }
  free(data);
  fclose(in);
  return object;
}

// A cache that cannot be written is no error: the next run compiles again.
void cache_write(Arena *a, const char *dir, const char *key, LLVMMemoryBufferRef object) {
  for (char *p = arena_strdup(a, dir), *slash = strchr(p + 1, '/');; slash = strchr(slash + 1, '/')) {
    if (slash) *slash = 0;
    mkdir(p, 0777);
    if (!slash) break;
    *slash = '/';
  }
  char *temporary = arena_printf(a, "%s/%s.%ld.tmp", dir, key, (long)getpid());
  FILE *out = fopen(temporary, "wb");
  if (!out) return;
  const char *data = LLVMGetBufferStart(object);
  size_t n = LLVMGetBufferSize(object);
  uint64_t sum = fnv(14695981039346656037ull, data, n);
  bool ok = fwrite(data, 1, n, out) == n && fwrite(&sum, 1, sizeof sum, out) == sizeof sum;
  ok = fclose(out) == 0 && ok;
  if (!ok || rename(temporary, path_of(a, dir, key)) != 0) remove(temporary);
}
