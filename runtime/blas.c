// OpenBLAS's working memory. It takes a buffer for each thread at its first product and, where the system has
// none, asks for ever. So buffers are taken before, where their absence can be told; OpenBLAS keeps them.
#include "support.h"
#include <cblas.h>
#include <sys/mman.h>

// Of Debian's library; others may need less.
enum { BUFFER = 128 << 20, MOST = 64 };

extern void *blas_memory_alloc(int) __attribute__((weak));
extern void blas_memory_free(void *) __attribute__((weak));

static bool has_room(void) {
  void *room = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, BUFFER);
  return true;
}

int reg_blas_threads(int wanted) {
  void *buffers[MOST];
  int n = 0;
  openblas_set_num_threads(1);
  if (!blas_memory_alloc || !blas_memory_free) return wanted;
  for (const int most = wanted < MOST ? wanted : MOST; n < most && has_room(); n++)
    buffers[n] = blas_memory_alloc(0);
  const bool all = n == MOST || n == wanted;
  const int can = all ? wanted : n;
  while (n > 0) blas_memory_free(buffers[--n]);
  return can;
}
