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
  const void *a, *b;
  void *c;
  int64_t stride_a, stride_b, stride_c;
  bool is_double;
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

// Element number i.
static const void *at(const Product *p, const void *x, int64_t i) {
  return (const char *)x + i * (p->is_double ? 8 : 4);
}

// y = op(x) v, x of lines of `line` elements.
static void times_vector(const Product *p, bool transposed, int64_t rows, int64_t line, const void *x,
                         int64_t ldx, const void *v, void *y) {
  const CBLAS_TRANSPOSE t = transposed ? CblasTrans : CblasNoTrans;
  const blasint m = (blasint)rows, n = (blasint)line, ld = (blasint)ldx;
  if (p->is_double)
    cblas_dgemv(CblasRowMajor, t, m, n, 1, x, ld, v, 1, 0, y, 1);
  else
    cblas_sgemv(CblasRowMajor, t, m, n, 1, x, ld, v, 1, 0, y, 1);
}

// One column or row is a matrix times a vector, which BLAS has a faster way for.
static void one_vector(const Product *p, const void *a, const void *b, void *c, int64_t m, int64_t n,
                       int64_t ldb) {
  if (n == 1)
    times_vector(p, p->ta, p->ta ? p->k : m, p->ta ? m : p->k, a, p->ta ? p->m : p->k, b, c);
  else
    times_vector(p, !p->tb, p->tb ? n : p->k, p->tb ? p->k : n, b, ldb, a, c);
}

static void times_matrix(const Product *p, const void *a, int64_t lda, const void *b, int64_t ldb, void *c,
                         int64_t m, int64_t n) {
  const CBLAS_TRANSPOSE ta = p->ta ? CblasTrans : CblasNoTrans, tb = p->tb ? CblasTrans : CblasNoTrans;
  if (p->is_double)
    cblas_dgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)p->k, 1, a, (blasint)lda, b,
                (blasint)ldb, 0, c, (blasint)p->n);
  else
    cblas_sgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)p->k, 1, a, (blasint)lda, b,
                (blasint)ldb, 0, c, (blasint)p->n);
}

// OpenBLAS has kernels for small products that read their operands where they lie, and with AVX-512 reach 170
// GFLOP/s where its packed products of a few hundred rows make 90 to 150 (of a B that is transposed 95, and
// small kernels are not taken for one of more than 1200 elements of C). A product whose sums are short is
// therefore cut into tiles of their size, and what they read of B is put behind each other. Its sums have the
// same order: a packed product of BLOCK products an element is one sum as well.
enum { SMALL = 1000000, BLOCK = 320, NARROW = 64, WIDE = 128, PANEL = BLOCK * NARROW, SIDE = 1 << 17 };

static bool is_tiled(const Product *p, int64_t m, int64_t n) {
  const bool copied = p->tb || n > WIDE;
  return p->k <= BLOCK && n * p->k <= SIDE && m >= (copied ? 32 : 1) && reg_blas_has_small_kernels();
}

static void copy_panel(const Product *p, const void *b, int64_t ldb, int64_t columns, void *panel) {
  const CBLAS_TRANSPOSE t = p->tb ? CblasTrans : CblasNoTrans;
  const blasint rows = (blasint)(p->tb ? columns : p->k), width = (blasint)(p->tb ? p->k : columns);
  if (p->is_double)
    cblas_domatcopy(CblasRowMajor, t, rows, width, 1, b, (blasint)ldb, panel, (blasint)columns);
  else
    cblas_somatcopy(CblasRowMajor, t, rows, width, 1, b, (blasint)ldb, panel, (blasint)columns);
}

static void tiles(const Product *p, const void *a, int64_t lda, const void *b, int64_t ldb, void *c,
                  int64_t m, int64_t n) {
  _Alignas(64) double panel[PANEL];
  const int64_t width = p->k > PANEL / WIDE ? NARROW : WIDE;
  Product tile = *p;
  tile.tb = false;
  for (int64_t j = 0; j < n; j += width) {
    const int64_t columns = n - j < width ? n - j : width, most = SMALL / (columns * p->k) / UNIT * UNIT;
    const int64_t blocks = (m + most - 1) / most;
    const void *from = at(p, b, p->tb ? j * ldb : j);
    const bool copied = p->tb || n > width;
    if (copied) copy_panel(p, from, ldb, columns, panel);
    for (int64_t i = 0; i < blocks; i++) {
      const int64_t row = border(m, i, blocks), rows = border(m, i + 1, blocks) - row;
      times_matrix(&tile, at(p, a, p->ta ? row : row * lda), lda, copied ? panel : from,
                   copied ? columns : ldb, (void *)at(p, c, row * p->n + j), rows, columns);
    }
  }
}

static void one_part(const Product *p, int64_t index) {
  int64_t matrix = index / p->parts, part = index % p->parts;
  const void *a = at(p, p->a, matrix * p->stride_a), *b = at(p, p->b, matrix * p->stride_b);
  void *c = (void *)at(p, p->c, matrix * p->stride_c);
  int64_t side = p->by_rows ? p->m : p->n;
  int64_t from = border(side, part, p->parts), size = border(side, part + 1, p->parts) - from;
  int64_t m = p->m, n = p->n, lda = p->ta ? p->m : p->k, ldb = p->tb ? p->k : p->n;
  if (size <= 0) return;
  if (p->by_rows) {
    a = at(p, a, p->ta ? from : from * lda);
    c = (void *)at(p, c, from * p->n);
    m = size;
  } else {
    b = at(p, b, p->tb ? from * ldb : from);
    c = (void *)at(p, c, from);
    n = size;
  }
  if (p->n == 1 || p->m == 1)
    one_vector(p, a, b, c, m, n, ldb);
  else if (is_tiled(p, m, n))
    tiles(p, a, lda, b, ldb, c, m, n);
  else
    times_matrix(p, a, lda, b, ldb, c, m, n);
}

static void run_parts(void *const *slots, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) one_part(slots[0], i);
}

static void multiply(reg_ctx *ctx, Product *p, int64_t batch) {
  if (p->k == 0) {
    for (int64_t i = 0; i < batch; i++)
      memset((void *)at(p, p->c, i * p->stride_c), 0, (size_t)(p->m * p->n) * (p->is_double ? 8 : 4));
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
              const void *a, int64_t stride_a, const void *b, int64_t stride_b, void *c, int64_t stride_c,
              int32_t is_double) {
  if (m <= 0 || n <= 0 || batch <= 0) return;
  Product p = {.ta = ta, .tb = tb, .m = m, .n = n, .k = k, .a = a, .b = b, .c = c};
  p.stride_a = stride_a, p.stride_b = stride_b, p.stride_c = stride_c, p.is_double = is_double;
  double start = ctx->profile ? reg_now() : 0;
  multiply(ctx, &p, batch);
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}
