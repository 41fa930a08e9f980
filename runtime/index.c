// Rows and elements by index, sorting, prefix sums: see abi.h. The split
// into pieces depends on the sizes only, and every sum keeps the order of its addends, so results do not
// depend on the number of threads. Nothing is allocated.
#include "ctx.h"
#include "reg/train.h"
#include "support.h"
#include <math.h>
#include <string.h>

enum { PIECE_ELEMENTS = 16384, MAX_RANGES = 16, INNER_BLOCK = 16 };

typedef struct Indexed {
  const void *x;
  const int32_t *index;
  void *out;
  int64_t rows, width, count, unit; // unit: rows (or outer lines) a piece
  int32_t reverse, bytes;           // bytes: of an element
} Indexed;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t clamp(int64_t i, int64_t rows) { return i < 0 ? 0 : i >= rows ? rows - 1 : i; }

// Runs fn over `lines` lines of `width` elements, in pieces of about PIECE_ELEMENTS.
static void over_lines(reg_ctx *ctx, reg_piece_fn fn, Indexed *a, int64_t lines, int64_t width) {
  void *slots[1] = {a};
  a->unit = width >= PIECE_ELEMENTS ? 1 : PIECE_ELEMENTS / (width > 0 ? width : 1);
  reg_parallel(ctx, fn, slots, (lines + a->unit - 1) / a->unit);
}

static double index_element(const void *x, int64_t i, int32_t type) {
  return type == REG_INDEX_I32   ? (double)((const int32_t *)x)[i]
         : type == REG_INDEX_F32 ? (double)((const float *)x)[i]
                                 : ((const double *)x)[i];
}

int32_t reg_index(reg_ctx *ctx, const void *x, int32_t *out, int64_t elements, int64_t size,
                  const int32_t *count, int32_t type, const char *place) {
  if (count) size = *count;
  for (int64_t i = 0; i < elements; i++) {
    double v = index_element(x, i, type);
    if (!(v >= 0 && v < (double)size && v == floor(v))) {
      ctx->fault = (reg_fault){REG_FAULT_INDEX, place, v, size, 0, 0};
      return 1;
    }
    out[i] = (int32_t)v;
  }
  return 0;
}

int32_t reg_turns(reg_ctx *ctx, const char *place, double value) {
  ctx->fault = (reg_fault){REG_FAULT_TURNS, place, value, 0, 0, 0};
  return 1;
}

#define T        float
#define OF(name) name##_f32
#include "index_lines.h"
#undef T
#undef OF
#define T        double
#define OF(name) name##_f64
#include "index_lines.h"
#undef T
#undef OF

static void gather_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  size_t bytes = (size_t)(a->width * a->bytes);
  int64_t last = smaller(end * a->unit, a->count);
  for (int64_t i = begin * a->unit; i < last; i++)
    memcpy((char *)a->out + (size_t)i * bytes,
           (const char *)a->x + (size_t)clamp(a->index[i], a->rows) * bytes, bytes);
}

void reg_gather(reg_ctx *ctx, const void *x, const int32_t *index, void *out, int64_t rows, int64_t width,
                int64_t count, int32_t bytes) {
  if (rows <= 0 || width <= 0) return;
  Indexed a = {.x = x, .index = index, .out = out, .rows = rows, .width = width, .count = count};
  a.bytes = bytes;
  over_lines(ctx, gather_piece, &a, count, width);
}

void reg_scatter_add(reg_ctx *ctx, const int32_t *index, const void *x, void *out, int64_t rows,
                     int64_t width, int64_t count, int32_t is_double) {
  if (rows <= 0 || width <= 0) return;
  int64_t ranges = smaller(smaller((rows + count) * width / PIECE_ELEMENTS + 1, MAX_RANGES), rows);
  Indexed a = {.x = x, .index = index, .out = out, .rows = rows, .width = width, .count = count};
  a.unit = (rows + ranges - 1) / ranges;
  void *slots[1] = {&a};
  reg_parallel(ctx, is_double ? scatter_piece_f64 : scatter_piece_f32, slots, ranges);
}

// Elements of so many bytes, whatever they are.
#define TAKE(name, WORD)                                                                                     \
  static void name(void *const *slots, int64_t begin, int64_t end) {                                         \
    const Indexed *a = slots[0];                                                                             \
    const WORD *x = a->x;                                                                                    \
    WORD *out = a->out;                                                                                      \
    int64_t last = smaller(end * a->unit, a->count), n = a->rows, m = a->width;                              \
    for (int64_t o = begin * a->unit; o < last; o++)                                                         \
      for (int64_t j = 0; j < m; j++) out[o * m + j] = x[o * n + clamp(a->index[o * m + j], n)];             \
  }
TAKE(take_bytes, int8_t)
TAKE(take_words, int32_t)
TAKE(take_longs, int64_t)
#undef TAKE

void reg_take_along(reg_ctx *ctx, const void *x, const int32_t *index, void *out, int64_t outer, int64_t n,
                    int64_t m, int32_t bytes) {
  if (n <= 0 || m <= 0) return;
  Indexed a = {.x = x, .index = index, .out = out, .rows = n, .width = m, .count = outer};
  over_lines(ctx, bytes == 8 ? take_longs : bytes == 4 ? take_words : take_bytes, &a, outer, m);
}

void reg_put_along(reg_ctx *ctx, const int32_t *index, const void *x, void *out, int64_t outer, int64_t m,
                   int64_t n, int32_t is_double) {
  if (n <= 0) return;
  Indexed a = {.x = x, .index = index, .out = out, .rows = n, .width = m, .count = outer};
  over_lines(ctx, is_double ? put_piece_f64 : put_piece_f32, &a, outer, n + m);
}

void reg_argsort(reg_ctx *ctx, const void *x, int32_t *out, int64_t outer, int64_t n, int32_t is_double) {
  if (n <= 0) return;
  Indexed a = {.x = x, .out = out, .width = n, .count = outer};
  over_lines(ctx, is_double ? argsort_piece_f64 : argsort_piece_f32, &a, outer, 16 * n);
}

void reg_cumsum(reg_ctx *ctx, const void *x, void *out, int64_t outer, int64_t n, int64_t inner,
                int32_t reverse, int32_t is_double) {
  if (n <= 0 || inner <= 0) return;
  Indexed a = {.x = x, .out = out, .rows = n, .width = inner, .count = outer, .reverse = reverse};
  over_lines(ctx, is_double ? cumsum_piece_f64 : cumsum_piece_f32, &a, outer, n * inner);
}
