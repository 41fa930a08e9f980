// The machine's limits beside which times are read. In: threads, then shapes `ta,tb,m,n,k`. Out: one JSON
// object with GFLOP/s of each product through reg_gemm (best of its runs) and GB/s of a loop that reads and
// writes arrays larger than the caches.
#include <reg/abi.h>
#include <reg/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *filled(int64_t n) {
  float *x = aligned_alloc(64, (size_t)((n * 4 + 63) / 64 * 64));
  for (int64_t i = 0; x && i < n; i++) x[i] = (float)(i % 17) * 0.1f;
  return x;
}

static double gemm_gflops(reg_ctx *ctx, int ta, int tb, int64_t m, int64_t n, int64_t k) {
  float *a = filled(m * k), *b = filled(k * n), *c = filled(m * n);
  double best = 1e9, flop = 2.0 * (double)m * (double)n * (double)k;
  double end = now() + 0.3;
  for (int run = 0; run < 3 || now() < end; run++) {
    int64_t repeat = flop > 1e7 ? 1 : (int64_t)(1e7 / flop) + 1;
    double start = now();
    for (int64_t i = 0; i < repeat; i++) reg_gemm(ctx, ta, tb, m, n, k, 1, a, 0, b, 0, c, 0, 0);
    double each = (now() - start) / (double)repeat;
    if (each < best) best = each;
  }
  free(a), free(b), free(c);
  return flop / best * 1e-9;
}

enum { ARRAY = 1 << 25, PIECES = 16 }; // 128 MB an array

static void update(void *const *slots, int64_t begin, int64_t end) {
  float *x = slots[0];
  const float *y = slots[1];
  for (int64_t i = begin * (ARRAY / PIECES); i < end * (ARRAY / PIECES); i++) x[i] = x[i] * 0.5f + y[i];
}

static double bandwidth(reg_ctx *ctx) {
  void *slots[] = {filled(ARRAY), filled(ARRAY)};
  double best = 1e9;
  for (int run = 0; run < 7; run++) {
    double start = now();
    reg_parallel(ctx, update, slots, PIECES);
    double took = now() - start;
    if (took < best) best = took;
  }
  free(slots[0]), free(slots[1]);
  return 12.0 * ARRAY / best * 1e-9; // two reads and a write of four bytes
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
  reg_ctx *ctx = reg_ctx_new(threads);
  if (!ctx) return 1;
  printf("{\"threads\": %d, \"bandwidth_gb_s\": %.1f, \"gemm_gflops\": {", threads, bandwidth(ctx));
  for (int i = 2; i < argc; i++) {
    int ta, tb;
    long m, n, k;
    if (sscanf(argv[i], "%d,%d,%ld,%ld,%ld", &ta, &tb, &m, &n, &k) != 5) return 2;
    printf("%s\"%s\": %.1f", i > 2 ? ", " : "", argv[i], gemm_gflops(ctx, ta, tb, m, n, k));
  }
  printf("}}\n");
  reg_ctx_free(ctx);
  return 0;
}
