// Rows and elements by index, sorting, prefix sums: see abi.h. Elements are four bytes. The split into pieces
// depends on the sizes only, and every sum keeps the order of its addends, so results do not depend on the
// number of threads. Nothing is allocated.
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
  int32_t reverse;
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

int32_t reg_turns(reg_ctx *ctx, const char *place, float value) {
  ctx->fault = (reg_fault){REG_FAULT_TURNS, place, (double)value, 0, 0, 0};
  return 1;
}

static void gather_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  size_t bytes = (size_t)a->width * 4;
  int64_t last = smaller(end * a->unit, a->count);
  for (int64_t i = begin * a->unit; i < last; i++)
    memcpy((char *)a->out + (size_t)i * bytes,
           (const char *)a->x + (size_t)clamp(a->index[i], a->rows) * bytes, bytes);
}

void reg_gather(reg_ctx *ctx, const void *x, const int32_t *index, void *out, int64_t rows, int64_t width,
                int64_t count) {
  if (rows <= 0 || width <= 0) return;
  Indexed a = {.x = x, .index = index, .out = out, .rows = rows, .width = width, .count = count};
  over_lines(ctx, gather_piece, &a, count, width);
}

// A piece is a range of result rows: it looks at every index and adds the rows that are its own.
static void scatter_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  const float *x = a->x;
  float *out = a->out;
  int64_t first = begin * a->unit, last = smaller(end * a->unit, a->rows);
  if (first >= last) return;
  memset(out + first * a->width, 0, (size_t)((last - first) * a->width) * sizeof *out);
  for (int64_t i = 0; i < a->count; i++) {
    int64_t row = clamp(a->index[i], a->rows);
    if (row < first || row >= last) continue;
    for (int64_t j = 0; j < a->width; j++) out[row * a->width + j] += x[i * a->width + j];
  }
}

void reg_scatter_add(reg_ctx *ctx, const int32_t *index, const float *x, float *out, int64_t rows,
                     int64_t width, int64_t count) {
  if (rows <= 0 || width <= 0) return;
  int64_t ranges = smaller(smaller((rows + count) * width / PIECE_ELEMENTS + 1, MAX_RANGES), rows);
  Indexed a = {.x = x, .index = index, .out = out, .rows = rows, .width = width, .count = count};
  a.unit = (rows + ranges - 1) / ranges;
  void *slots[1] = {&a};
  reg_parallel(ctx, scatter_piece, slots, ranges);
}

static void take_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  const int32_t *x = a->x;
  int32_t *out = a->out;
  int64_t last = smaller(end * a->unit, a->count), n = a->rows, m = a->width;
  for (int64_t o = begin * a->unit; o < last; o++)
    for (int64_t j = 0; j < m; j++) out[o * m + j] = x[o * n + clamp(a->index[o * m + j], n)];
}

void reg_take_along(reg_ctx *ctx, const void *x, const int32_t *index, void *out, int64_t outer, int64_t n,
                    int64_t m) {
  if (n <= 0 || m <= 0) return;
  Indexed a = {.x = x, .index = index, .out = out, .rows = n, .width = m, .count = outer};
  over_lines(ctx, take_piece, &a, outer, m);
}

static void put_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  const float *x = a->x;
  float *out = a->out;
  int64_t last = smaller(end * a->unit, a->count), n = a->rows, m = a->width;
  for (int64_t o = begin * a->unit; o < last; o++) {
    memset(out + o * n, 0, (size_t)n * sizeof *out);
    for (int64_t j = 0; j < m; j++) out[o * n + clamp(a->index[o * m + j], n)] += x[o * m + j];
  }
}

void reg_put_along(reg_ctx *ctx, const int32_t *index, const float *x, float *out, int64_t outer, int64_t m,
                   int64_t n) {
  if (n <= 0) return;
  Indexed a = {.x = x, .index = index, .out = out, .rows = n, .width = m, .count = outer};
  over_lines(ctx, put_piece, &a, outer, n + m);
}

// A total order of places: by value, NaN last, equal values by place. Under it any sort is stable.
static bool before(const float *x, int32_t i, int32_t j) {
  bool nan_i = isnan(x[i]), nan_j = isnan(x[j]);
  if (nan_i != nan_j) return nan_j;
  if (!nan_i && x[i] != x[j]) return x[i] < x[j];
  return i < j;
}

static void sift_down(const float *x, int32_t *heap, int64_t root, int64_t size) {
  int32_t moving = heap[root];
  for (int64_t child; (child = 2 * root + 1) < size; root = child) {
    if (child + 1 < size && before(x, heap[child], heap[child + 1])) child++;
    if (!before(x, moving, heap[child])) break;
    heap[root] = heap[child];
  }
  heap[root] = moving;
}

// Heapsort: in place, no worst case.
static void argsort_line(const float *x, int32_t *out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = (int32_t)i;
  for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(x, out, i, n);
  for (int64_t i = n - 1; i > 0; i--) {
    int32_t largest = out[0];
    out[0] = out[i];
    out[i] = largest;
    sift_down(x, out, 0, i);
  }
}

static void argsort_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  int64_t last = smaller(end * a->unit, a->count), n = a->width;
  for (int64_t o = begin * a->unit; o < last; o++)
    argsort_line((const float *)a->x + o * n, (int32_t *)a->out + o * n, n);
}

void reg_argsort(reg_ctx *ctx, const float *x, int32_t *out, int64_t outer, int64_t n) {
  if (n <= 0) return;
  Indexed a = {.x = x, .out = out, .width = n, .count = outer};
  over_lines(ctx, argsort_piece, &a, outer, 16 * n);
}

static void cumsum_line(const float *x, float *out, int64_t n, int64_t inner, int32_t reverse) {
  for (int64_t from = 0; from < inner; from += INNER_BLOCK) {
    int64_t wide = smaller(INNER_BLOCK, inner - from);
    double sum[INNER_BLOCK] = {0};
    for (int64_t step = 0; step < n; step++) {
      int64_t at = (reverse ? n - 1 - step : step) * inner + from;
      for (int64_t j = 0; j < wide; j++) out[at + j] = (float)(sum[j] += (double)x[at + j]);
    }
  }
}

static void cumsum_piece(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  int64_t last = smaller(end * a->unit, a->count), size = a->rows * a->width;
  for (int64_t o = begin * a->unit; o < last; o++)
    cumsum_line((const float *)a->x + o * size, (float *)a->out + o * size, a->rows, a->width, a->reverse);
}

void reg_cumsum(reg_ctx *ctx, const float *x, float *out, int64_t outer, int64_t n, int64_t inner,
                int32_t reverse) {
  if (n <= 0 || inner <= 0) return;
  Indexed a = {.x = x, .out = out, .rows = n, .width = inner, .count = outer, .reverse = reverse};
  over_lines(ctx, cumsum_piece, &a, outer, n * inner);
}
