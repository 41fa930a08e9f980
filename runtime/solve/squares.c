// Products of columns with each other. In: columns one behind the other. Out: all products, in strips of
// which only the upper half is multiplied, as one is the other's mirror. Strips follow from the number of
// columns, so the bits are the same on any number of threads.
#include "solve/solve.h"
#include <cblas.h>

enum { STRIP = 128, TILE = 32 };

typedef struct Squares {
  const double *f;
  double *out;
  int64_t p, n;
} Squares;

static void strips(void *const *slots, int64_t begin, int64_t end) {
  const Squares *q = slots[0];
  for (int64_t i = begin * STRIP; i < end * STRIP && i < q->p; i += STRIP) {
    const int64_t rows = q->p - i < STRIP ? q->p - i : STRIP;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)(q->p - i), (blasint)q->n, 1,
                q->f + i * q->n, (blasint)q->n, q->f + i * q->n, (blasint)q->n, 0, q->out + i * q->p + i,
                (blasint)q->p);
  }
}

// Tile by tile: the lines of either half are in the cache.
static void mirror(double *out, int64_t p) {
  for (int64_t a = 0; a < p; a += TILE)
    for (int64_t b = a; b < p; b += TILE)
      for (int64_t j = b; j < p && j < b + TILE; j++)
        for (int64_t i = a; i < j && i < a + TILE; i++) out[j * p + i] = out[i * p + j];
}

void solve_squares(reg_ctx *ctx, int64_t p, int64_t n, const double *f, double *out) {
  Squares q = {f, out, p, n};
  void *slots[] = {&q};
  const double start = ctx->profile ? reg_now() : 0;
  reg_parallel(ctx, strips, slots, (p + STRIP - 1) / STRIP);
  mirror(out, p);
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}
