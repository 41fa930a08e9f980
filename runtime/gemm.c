// Matrix products over OpenBLAS, which runs on one thread: the split over threads is ours. A product is cut
// into parts whose number and borders depend on the sizes alone, and each part is one BLAS call, so the bits
// are the same on any number of threads.
#include "ctx.h"
#include "support.h"
#include <cblas.h>
#include <string.h>

typedef struct Product {
  bool ta, tb, by_rows;
  int64_t m, n, k, parts; // parts of one matrix of the batch
  const float *a, *b;
  float *c;
  int64_t stride_a, stride_b, stride_c;
} Product;

// Measured with 16 to 512 MFLOP on two cores: the second packing of the shared operand costs 2 to 5 % a
// doubling of the parts, so there are few of them until a product is large. Below SERIAL_FLOP a region costs
// more than the other thread saves.
static const double SERIAL_FLOP = 5e5, PART_FLOP = 2.5e5, MORE_PARTS_FLOP = 1.28e8;
enum {
  MAX_PARTS = 16,
  UNIT = 16
}; // borders are multiples of UNIT: no part leaves the widest micro-kernel for its edge

// Splits the longer side of the result: the operand that every part packs again is then the smaller one. Two
// parts from 2 PART_FLOP on, four from MORE_PARTS_FLOP, and twice as many with every fourfold of it.
static void choose_parts(Product *p) {
  double flop = 2.0 * (double)p->m * (double)p->n * (double)p->k;
  p->by_rows = p->m >= p->n;
  int64_t most = (p->by_rows ? p->m : p->n) / UNIT;
  p->parts = flop >= 2 * PART_FLOP && most >= 2 ? 2 : 1;
  if (p->parts == 1) return;
  for (double limit = MORE_PARTS_FLOP; flop >= limit && p->parts < MAX_PARTS && 2 * p->parts <= most;
       limit *= 4)
    p->parts *= 2;
}

static int64_t border(int64_t side, int64_t part, int64_t parts) {
  if (part == parts) return side;
  int64_t units = (side + UNIT - 1) / UNIT;
  return units * part / parts * UNIT;
}

// One column or row is a matrix times a vector, which BLAS has a faster way for.
static void one_vector(const Product *p, const float *a, const float *b, float *c, int64_t m, int64_t n,
                       int64_t ldb) {
  if (n == 1)
    cblas_sgemv(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, (blasint)(p->ta ? p->k : m),
                (blasint)(p->ta ? m : p->k), 1, a, (blasint)(p->ta ? p->m : p->k), b, 1, 0, c, 1);
  else
    cblas_sgemv(CblasRowMajor, p->tb ? CblasNoTrans : CblasTrans, (blasint)(p->tb ? n : p->k),
                (blasint)(p->tb ? p->k : n), 1, b, (blasint)ldb, a, 1, 0, c, 1);
}

static void one_part(const Product *p, int64_t index) {
  int64_t matrix = index / p->parts, part = index % p->parts;
  const float *a = p->a + matrix * p->stride_a, *b = p->b + matrix * p->stride_b;
  float *c = p->c + matrix * p->stride_c;
  int64_t side = p->by_rows ? p->m : p->n;
  int64_t from = border(side, part, p->parts), size = border(side, part + 1, p->parts) - from;
  int64_t m = p->m, n = p->n, lda = p->ta ? p->m : p->k, ldb = p->tb ? p->k : p->n;
  if (size <= 0) return;
  if (p->by_rows) {
    a += p->ta ? from : from * lda;
    c += from * p->n;
    m = size;
  } else {
    b += p->tb ? from * ldb : from;
    c += from;
    n = size;
  }
  if (p->n == 1 || p->m == 1)
    one_vector(p, a, b, c, m, n, ldb);
  else
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
                (blasint)m, (blasint)n, (blasint)p->k, 1, a, (blasint)lda, b, (blasint)ldb, 0, c,
                (blasint)p->n);
}

static void run_parts(void *const *slots, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) one_part(slots[0], i);
}

static void multiply(reg_ctx *ctx, Product *p, int64_t batch) {
  if (p->k == 0) {
    for (int64_t i = 0; i < batch; i++)
      memset(p->c + i * p->stride_c, 0, (size_t)(p->m * p->n) * sizeof(float));
    return;
  }
  choose_parts(p);
  void *slots[1] = {p};
  double flop = 2.0 * (double)p->m * (double)p->n * (double)p->k * (double)batch;
  if (flop < SERIAL_FLOP)
    run_parts(slots, 0, batch * p->parts);
  else
    reg_parallel(ctx, run_parts, slots, batch * p->parts);
}

void reg_gemm(reg_ctx *ctx, int32_t ta, int32_t tb, int64_t m, int64_t n, int64_t k, int64_t batch,
              const float *a, int64_t stride_a, const float *b, int64_t stride_b, float *c,
              int64_t stride_c) {
  if (m <= 0 || n <= 0 || batch <= 0) return;
  Product p = {.ta = ta, .tb = tb, .m = m, .n = n, .k = k, .a = a, .b = b, .c = c};
  p.stride_a = stride_a, p.stride_b = stride_b, p.stride_c = stride_c;
  double start = ctx->profile ? reg_now() : 0;
  multiply(ctx, &p, batch);
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}
