// OpenBLAS's kernels and its working memory. It takes a buffer for each thread at its first product and,
// where the system has none, asks for ever. So buffers are taken before, where their absence can be told;
// OpenBLAS keeps them.
#include "reg/train.h"
#include "support.h"
#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Of Debian's library; others may need less.
enum { BUFFER = 128 << 20, MOST = 64 };

extern void *blas_memory_alloc(int) __attribute__((weak));
extern void blas_memory_free(void *) __attribute__((weak));
extern char *gotoblas_corename(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));
extern void gotoblas_dynamic_init(void) __attribute__((weak));

// The kernels for this processor's vector instructions, as OpenBLAS names them; NULL: older than AVX2.
static const char *kernels_that_fit(void) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return NULL;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512cd");
  return wide ? "SkylakeX" : "Haswell";
}

// A processor that came after the library has the kernels of the oldest, at a third of the speed: Debian 12's
// on Emerald Rapids. What OPENBLAS_CORETYPE says stays.
static bool choose_kernels(void) {
  static const char *const without_avx[] = {"Prescott", "Core2",   "Penryn", "Dunnington",
                                            "Nehalem",  "Generic", "Unknown"};
  const char *chosen_by = "OPENBLAS_CORETYPE";
  if (!gotoblas_corename || !gotoblas_dynamic_quit || !gotoblas_dynamic_init || getenv(chosen_by))
    return true;
  const char *has = gotoblas_corename(), *fits = kernels_that_fit();
  bool older = false;
  for (size_t i = 0; i < sizeof without_avx / sizeof without_avx[0]; i++)
    older |= strcmp(has, without_avx[i]) == 0;
  if (!older || !fits) return true;
  if (setenv(chosen_by, fits, 1) != 0) return false;
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(chosen_by);
  return true;
}

extern void sgemm_small_kernel_b0_nn_SKYLAKEX(void) __attribute__((weak));

bool reg_blas_has_small_kernels(void) {
  static _Atomic int known; // 1: it has none, 2: it has
  if (known) return known == 2;
  const char *core = gotoblas_corename ? gotoblas_corename() : "";
  const bool has =
      sgemm_small_kernel_b0_nn_SKYLAKEX &&
      (!strcmp(core, "SkylakeX") || !strcmp(core, "Cooperlake") || !strcmp(core, "SapphireRapids"));
  known = has ? 2 : 1;
  return has;
}

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
  if (!choose_kernels()) return 0;
  if (!blas_memory_alloc || !blas_memory_free) return wanted;
  for (const int most = wanted < MOST ? wanted : MOST; n < most && has_room(); n++)
    buffers[n] = blas_memory_alloc(0);
  const bool all = n == MOST || n == wanted;
  const int can = all ? wanted : n;
  while (n > 0) blas_memory_free(buffers[--n]);
  return can;
}

const char *reg_blas_version(void) {
  choose_kernels();
  return openblas_get_config();
}

// a and b behind each other, cut or filled with blanks. LAPACK asks Fortran's library for it, which need not
// be there where a binary is linked statically.
__attribute__((weak)) void _gfortran_concat_string(size_t length, char *to, size_t na, const char *a,
                                                   size_t nb, const char *b) {
  const size_t first = na < length ? na : length, rest = length - first, second = nb < rest ? nb : rest;
  memcpy(to, a, first);
  memcpy(to + first, b, second);
  memset(to + first + second, ' ', rest - second);
}
