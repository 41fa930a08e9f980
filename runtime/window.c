// Products with the windows of images, reg_conv and its sisters of reg/calls.def, and with panels. Rows of
// the product, the windows, are read where they lie in the image: in channels-last images a row of a window
// is one run of numbers. Pixels of an image that windows go back to are windows of what goes back: of those
// that lie a step from each other the same weights take part, so each phase of the steps is a product of its
// own. However the work is split, each element is one sum in one order, so the bits are the same on any
// number of threads.
#include "ctx.h"
#include "support.h"
#include <string.h>

// How many bytes the next image, line and pixel are away.
typedef struct Apart {
  int64_t image, line, pixel;
} Apart;

typedef struct Product Product;
typedef void WindowTile(const Product *, const char *const *, const void *, int64_t, char *const *, int64_t,
                        bool);
typedef void ElementTile(const char *const *, int64_t, const int64_t *, const void *, void *, int64_t, bool);

struct Product {
  const char *x, *y; // y: weights in panels, or a row for each window
  char *out;
  int64_t bytes; // of a number
  int64_t down, across, windows, units,
      elements;       // windows of a column and a row of pixels, and of all images
  Apart window, made; // windows, and what is made of each
  int64_t rows, runs, run, row_apart,
      run_apart; // of one window: its numbers lie in rows x runs of `run`; bytes
  int64_t parts;
  int lanes, tile; // numbers of a vector, rows of a tile
  WindowTile *window_tile;
  ElementTile *element_tile;
};

bool reg_window_narrow;

enum { MOST_ROWS = 12, VECTOR = 64, MOST_PARTS = 16, BLOCK = 512, PART_ELEMENTS = 36 };
static const double SERIAL_FLOP = 5e5;

#define REAL   float
#define LANES  16
#define ROWS   12
#define TARGET "avx512f"
#include "window_tiles.h"
#define REAL   double
#define LANES  8
#define ROWS   12
#define TARGET "avx512f"
#include "window_tiles.h"
#define REAL   float
#define LANES  8
#define ROWS   6
#define TARGET "avx2,fma"
#include "window_tiles.h"
#define REAL   double
#define LANES  4
#define ROWS   6
#define TARGET "avx2,fma"
#include "window_tiles.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

static void choose_tiles(Product *p) {
  const bool wide = __builtin_cpu_supports("avx512f") && !reg_window_narrow, is_double = p->bytes == 8;
  p->lanes = (wide ? VECTOR : VECTOR / 2) / (int)p->bytes, p->tile = wide ? 12 : 6;
  if (wide) {
    p->window_tile = is_double ? window_tile_double8 : window_tile_float16;
    p->element_tile = is_double ? element_tile_double8 : element_tile_float16;
  } else {
    p->window_tile = is_double ? window_tile_double4 : window_tile_float8;
    p->element_tile = is_double ? element_tile_double4 : element_tile_float8;
  }
}

// The units from `from` on that are taken at once: two vectors of them, or one where that is all.
static int64_t panel_width(const Product *p, int64_t from) {
  return p->units - from > p->lanes ? 2 * p->lanes : p->lanes;
}

// A walk over windows in their order: the one at hand, where it lies, and where what is made of it goes.
typedef struct Walk {
  int64_t image, i, j;
  const char *at;
  char *out;
} Walk;

static void walk_to(const Product *p, Walk *w) {
  w->at = p->x + w->image * p->window.image + w->i * p->window.line + w->j * p->window.pixel;
  w->out = p->out + w->image * p->made.image + w->i * p->made.line + w->j * p->made.pixel;
}

static Walk walk_from(const Product *p, int64_t r) {
  Walk w = {.image = r / p->across / p->down, .i = r / p->across % p->down, .j = r % p->across};
  walk_to(p, &w);
  return w;
}

// Where the next n windows lie; and what is made of them, where that is wanted.
static void walk(const Product *p, Walk *w, int64_t n, const char **window, char **made) {
  while (n > 0) {
    const int64_t now = least(p->across - w->j, n);
    for (int64_t k = 0; k < now; k++) *window++ = w->at + k * p->window.pixel;
    for (int64_t k = 0; made && k < now; k++) *made++ = w->out + k * p->made.pixel;
    n -= now, w->j += now;
    w->at += now * p->window.pixel, w->out += now * p->made.pixel;
    if (w->j < p->across) continue;
    w->j = 0;
    if (++w->i == p->down) w->i = 0, w->image++;
    walk_to(p, w);
  }
}

// -- windows times weights

typedef struct Tile {
  const char *row[MOST_ROWS];
  char *out[MOST_ROWS];
  int64_t rows;
} Tile;

// The next windows; the last one stands for those that a whole tile has behind it.
static void find_tile(const Product *p, Walk *w, int64_t rows, Tile *t) {
  t->rows = rows;
  walk(p, w, rows, t->row, t->out);
  for (int64_t m = rows; m < p->tile; m++) t->row[m] = t->row[rows - 1];
}

// A tile times units from `u` on: `width` of a panel whose rows are `apart` numbers from each other.
static void one_tile(const Product *p, const Tile *t, const char *panel, int64_t apart, int64_t u,
                     int64_t width) {
  const int64_t wanted = least(width, p->units - u), skip = u * p->bytes;
  if (t->rows == p->tile && wanted == width) {
    p->window_tile(p, t->row, panel, apart, t->out, skip, width > p->lanes);
    return;
  }
  _Alignas(64) char edge[MOST_ROWS * 2 * VECTOR];
  char *out[MOST_ROWS];
  for (int64_t m = 0; m < p->tile; m++) out[m] = edge + m * width * p->bytes;
  p->window_tile(p, t->row, panel, apart, out, 0, width > p->lanes);
  for (int64_t m = 0; m < t->rows; m++) memcpy(t->out[m] + skip, out[m], (size_t)(wanted * p->bytes));
}

// Tile by tile of the windows of a part, all panels of each.
static void convolve(const Product *p, int64_t begin, int64_t end) {
  const int64_t tiles = up(p->windows, p->tile);
  const int64_t first = tiles * begin / p->parts * p->tile,
                last = least(tiles * end / p->parts * p->tile, p->windows);
  if (first >= last) return;
  Walk w = walk_from(p, first);
  for (int64_t r = first; r < last; r += p->tile) {
    Tile t;
    const char *panel = p->y;
    find_tile(p, &w, least(p->tile, last - r), &t);
    for (int64_t u = 0; u < p->units; u += 2 * p->lanes) {
      const int64_t width = panel_width(p, u);
      one_tile(p, &t, panel, width, u, width);
      panel += p->elements * width * p->bytes;
    }
  }
}

static void convolve_part(void *const *slots, int64_t begin, int64_t end) { convolve(slots[0], begin, end); }

// -- the gradient of the weights

// Bytes from the begin of a window to its element k.
static int64_t element_offset(const Product *p, int64_t k) {
  return k / (p->runs * p->run) * p->row_apart + k / p->run % p->runs * p->run_apart + k % p->run * p->bytes;
}

// One block of windows and one panel of units: all tiles of elements of a part. Each block is summed by
// itself, so that long sums stay exact. Rows of y are brought together, since they are read for each tile.
static void weights_of_block(const Product *p, int64_t first, int64_t last, const char *const *window,
                             int64_t from, int64_t to, int64_t u) {
  const int64_t width = panel_width(p, u), wanted = least(width, p->units - u);
  const size_t there = (size_t)(wanted * p->bytes), whole = (size_t)(width * p->bytes);
  _Alignas(64) char together[BLOCK * 2 * VECTOR], edge[MOST_ROWS * 2 * VECTOR];
  const char *y = p->units == width ? p->y + (size_t)from * whole : together;
  for (int64_t r = from; r < to && y == together; r++) {
    char *line = together + (size_t)(r - from) * whole;
    memset(line + there, 0, whole - there);
    memcpy(line, p->y + (r * p->units + u) * p->bytes, there);
  }
  for (int64_t k = first; k < last; k += p->tile) {
    const int64_t rows = least(p->tile, last - k);
    int64_t offset[MOST_ROWS];
    for (int64_t m = 0; m < p->tile; m++) offset[m] = element_offset(p, k + least(m, rows - 1));
    char *out = p->out + (k * p->units + u) * p->bytes;
    if (rows == p->tile && wanted == width) {
      p->element_tile(window, to - from, offset, y, out, p->units, width > p->lanes);
      continue;
    }
    memset(edge, 0, sizeof edge);
    for (int64_t m = 0; m < rows; m++) memcpy(edge + (size_t)m * whole, out + m * p->units * p->bytes, there);
    p->element_tile(window, to - from, offset, y, edge, width, width > p->lanes);
    for (int64_t m = 0; m < rows; m++) memcpy(out + m * p->units * p->bytes, edge + (size_t)m * whole, there);
  }
}

static void weights_of_part(void *const *slots, int64_t begin, int64_t end) {
  const Product *p = slots[0];
  const int64_t tiles = up(p->elements, p->tile);
  const int64_t first = tiles * begin / p->parts * p->tile,
                last = least(tiles * end / p->parts * p->tile, p->elements);
  const char *window[BLOCK];
  if (first >= last) return;
  memset(p->out + first * p->units * p->bytes, 0, (size_t)((last - first) * p->units * p->bytes));
  if (p->windows == 0) return;
  Walk w = walk_from(p, 0);
  for (int64_t r = 0; r < p->windows; r += BLOCK) {
    const int64_t to = least(r + BLOCK, p->windows);
    walk(p, &w, to - r, window, NULL);
    for (int64_t u = 0; u < p->units; u += 2 * p->lanes) weights_of_block(p, first, last, window, r, to, u);
  }
}

// -- sizes

// Weights of so many rows and columns, `channels` read and `units` made of them: number (a, b, c, u) lies
// `row` a + `column` b + `channel` c + `unit` u numbers behind `w`.
typedef struct Weights {
  const char *w;
  int64_t rows, columns, row, column, channel, unit;
} Weights;

// Panel after panel, so that a tile reads them in a row. Returns the end.
static char *pack(const Product *p, const Weights *w, int64_t channels, char *to) {
  for (int64_t u = 0; u < p->units; u += 2 * p->lanes) {
    const int64_t width = panel_width(p, u), wanted = least(width, p->units - u);
    for (int64_t k = 0; k < p->elements; k++, to += width * p->bytes) {
      const int64_t c = k % channels, b = k / channels % w->columns, a = k / channels / w->columns;
      const int64_t at = a * w->row + b * w->column + c * w->channel + u * w->unit;
      memset(to + wanted * p->bytes, 0, (size_t)((width - wanted) * p->bytes));
      if (w->unit == 1)
        memcpy(to, w->w + at * p->bytes, (size_t)(wanted * p->bytes));
      else if (p->bytes == 8)
        for (int64_t v = 0; v < wanted; v++) memcpy(to + 8 * v, w->w + 8 * (at + v * w->unit), 8);
      else
        for (int64_t v = 0; v < wanted; v++) memcpy(to + 4 * v, w->w + 4 * (at + v * w->unit), 4);
    }
  }
  return to;
}

// Windows of so many rows and columns of pixels, `spread` apart, on lines of `width` pixels.
static void set_elements(Product *p, int64_t width, int64_t channels, int64_t rows, int64_t columns,
                         int64_t spread_h, int64_t spread_w) {
  const bool joined = spread_w == 1 || columns == 1;
  p->elements = rows * columns * channels;
  p->rows = rows, p->runs = joined ? 1 : columns, p->run = joined ? columns * channels : channels;
  p->row_apart = spread_h * width * channels * p->bytes, p->run_apart = spread_w * channels * p->bytes;
}

static void set_sizes(Product *p, int64_t images, int64_t height, int64_t width, int64_t channels,
                      int64_t rows, int64_t columns, int64_t step_h, int64_t step_w, int64_t spread_h,
                      int64_t spread_w) {
  p->down = (height - 1 - (rows - 1) * spread_h) / step_h + 1;
  p->across = (width - 1 - (columns - 1) * spread_w) / step_w + 1;
  p->windows = images * p->down * p->across;
  const int64_t pixel = channels * p->bytes, made = p->units * p->bytes;
  p->window = (Apart){height * width * pixel, step_h * width * pixel, step_w * pixel};
  p->made = (Apart){p->down * p->across * made, p->across * made, made};
  set_elements(p, width, channels, rows, columns, spread_h, spread_w);
  choose_tiles(p);
}

static void in_parts(reg_ctx *ctx, Product *p, reg_piece_fn fn, void *of, int64_t most, double sums) {
  void *slots[1] = {of};
  p->parts = most < 1 ? 1 : least(most, MOST_PARTS);
  if (2 * sums * (double)p->units < SERIAL_FLOP)
    fn(slots, 0, p->parts);
  else
    reg_parallel(ctx, fn, slots, p->parts);
}

static double products(const Product *p) { return (double)p->windows * (double)p->elements; }

void reg_conv(reg_ctx *ctx, const void *x, const void *weights, void *out, void *work, int64_t images,
              int64_t height, int64_t width, int64_t channels, int64_t rows, int64_t columns, int64_t units,
              int64_t step_h, int64_t step_w, int64_t spread_h, int64_t spread_w, int32_t is_double) {
  Product p = {.x = x, .y = work, .out = out, .units = units, .bytes = is_double ? 8 : 4};
  const Weights w = {weights, rows, columns, columns * channels * units, channels * units, units, 1};
  set_sizes(&p, images, height, width, channels, rows, columns, step_h, step_w, spread_h, spread_w);
  const double start = ctx->profile ? reg_now() : 0;
  pack(&p, &w, channels, work);
  in_parts(ctx, &p, convolve_part, &p, up(p.windows, p.tile), products(&p));
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}

void reg_conv_weights(reg_ctx *ctx, const void *x, const void *y, void *out, int64_t images, int64_t height,
                      int64_t width, int64_t channels, int64_t rows, int64_t columns, int64_t units,
                      int64_t step_h, int64_t step_w, int64_t spread_h, int64_t spread_w, int32_t is_double) {
  Product p = {.x = x, .y = y, .out = out, .units = units, .bytes = is_double ? 8 : 4};
  set_sizes(&p, images, height, width, channels, rows, columns, step_h, step_w, spread_h, spread_w);
  const double start = ctx->profile ? reg_now() : 0;
  // Each part reads all of x and y, so there are few; where an element is summed says nothing of its bits.
  const int threads = reg_ctx_threads(ctx);
  in_parts(ctx, &p, weights_of_part, &p, least(up(p.elements, PART_ELEMENTS), threads > 1 ? 2 * threads : 1),
           products(&p));
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}

// -- back to the image

// Rows or columns: of the windows, and `length` of the image, the first of them number `first` of its step.
typedef struct Axis {
  int64_t step, spread, size, first, length;
} Axis;

// Each step-th row or column: so many, which `taps` places of the weights reach, from the last one on and
// `between` apart. The first one begins at row or column `at` of what goes back, and the next place is
// `reach` behind.
typedef struct Phase {
  int64_t pixels, taps, last, between, at, reach;
} Phase;

static int64_t phases(const Axis *a) { return least(a->step, a->length); }

static Phase phase_of(const Axis *a, int64_t i) {
  const int64_t place = a->first + i, left = place % a->step;
  Phase f = {.pixels = (a->length - 1 - i) / a->step + 1, .between = 1};
  for (int64_t t = 0; t < a->size; t++) {
    if (t * a->spread % a->step != left) continue;
    if (f.taps) f.between = t - f.last;
    f.last = t, f.taps++;
  }
  f.at = (a->size - 1) * a->spread / a->step + place / a->step - (f.last * a->spread - left) / a->step;
  f.reach = f.between * a->spread / a->step;
  return f;
}

typedef struct Image {
  Product p; // what is common
  Axis down, across;
  int64_t width, channels; // of what goes back
  Weights weights;
} Image;

// The product of phase (i, j), and its weights in the order of its windows.
static Product product_of(const Image *m, int64_t i, int64_t j, Weights *w) {
  const Phase down = phase_of(&m->down, i), across = phase_of(&m->across, j);
  const int64_t pixel = m->channels * m->p.bytes, made = m->p.units * m->p.bytes;
  Product p = m->p;
  p.x += (down.at * m->width + across.at) * pixel;
  p.out += (i * m->across.length + j) * made;
  p.down = down.pixels, p.across = across.pixels;
  p.windows = m->p.windows * down.pixels * across.pixels;
  p.window.line = m->width * pixel, p.window.pixel = pixel;
  p.made = (Apart){m->down.length * m->across.length * made, m->down.step * m->across.length * made,
                   m->across.step * made};
  set_elements(&p, m->width, m->channels, down.taps, across.taps, down.reach, across.reach);
  *w = m->weights;
  w->w += (down.last * w->row + across.last * w->column) * p.bytes;
  w->row *= -down.between, w->column *= -across.between;
  w->rows = down.taps, w->columns = across.taps;
  return p;
}

static void phases_of_part(void *const *slots, int64_t begin, int64_t end) {
  const Image *m = slots[0];
  const int64_t padded = up(m->p.units, m->p.lanes) * m->p.lanes * m->p.bytes;
  const char *y = m->p.y;
  for (int64_t i = 0; i < phases(&m->down); i++)
    for (int64_t j = 0; j < phases(&m->across); j++) {
      Weights w;
      Product p = product_of(m, i, j, &w);
      p.y = y, y += p.elements * padded;
      convolve(&p, begin, end);
    }
}

void reg_conv_image(reg_ctx *ctx, const void *x, const void *weights, void *out, void *work, int64_t images,
                    int64_t height, int64_t width, int64_t channels, int64_t rows, int64_t columns,
                    int64_t units, int64_t step_h, int64_t step_w, int64_t spread_h, int64_t spread_w,
                    int64_t top, int64_t left, int64_t high, int64_t wide, int32_t is_double) {
  Image m = {
      .p = {.x = x, .y = work, .out = out, .windows = images, .units = units, .bytes = is_double ? 8 : 4},
      .down = {step_h, spread_h, rows, top, high},
      .across = {step_w, spread_w, columns, left, wide},
      .width = width,
      .channels = channels,
      .weights = {weights, rows, columns, columns * channels * units, channels * units, 1, channels}};
  const double start = ctx->profile ? reg_now() : 0;
  char *to = work;
  m.p.window.image = height * width * channels * m.p.bytes;
  choose_tiles(&m.p);
  for (int64_t i = 0; i < phases(&m.down); i++)
    for (int64_t j = 0; j < phases(&m.across); j++) {
      Weights w;
      const Product p = product_of(&m, i, j, &w);
      to = pack(&p, &w, channels, to);
    }
  const double pixels = (double)images * (double)high * (double)wide;
  in_parts(ctx, &m.p, phases_of_part, &m, up(images * high * wide, m.p.tile),
           pixels / (double)(step_h * step_w) * (double)(rows * columns * channels));
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}

// -- products with panels

enum { PANEL = 2 * VECTOR / sizeof(float) };

void reg_panels(reg_ctx *ctx, const float *w, float *out, int64_t rows, int64_t columns, int32_t turned) {
  const double start = ctx->profile ? reg_now() : 0;
  for (int64_t j = 0; j < columns; j += PANEL, out += rows * PANEL) {
    const int64_t wanted = least(PANEL, columns - j);
    if (wanted < PANEL) memset(out, 0, (size_t)(rows * PANEL) * sizeof *out);
    if (turned)
      for (int64_t v = 0; v < wanted; v++)
        for (int64_t k = 0; k < rows; k++) out[k * PANEL + v] = w[(j + v) * rows + k];
    else
      for (int64_t k = 0; k < rows; k++)
        memcpy(out + k * PANEL, w + k * columns + j, (size_t)wanted * sizeof *out);
  }
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}

// Panel after panel of a part, all rows of each: a panel is read once and stays near.
static void multiply_panels(void *const *slots, int64_t begin, int64_t end) {
  const Product *p = slots[0];
  const int64_t panels = up(p->units, PANEL), last = panels * end / p->parts;
  for (int64_t n = panels * begin / p->parts; n < last; n++) {
    Walk w = walk_from(p, 0);
    for (int64_t r = 0; r < p->windows; r += p->tile) {
      const int64_t from = n * PANEL, to = least(from + PANEL, p->units);
      const char *panel = p->y + n * p->elements * PANEL * p->bytes;
      Tile t;
      find_tile(p, &w, least(p->tile, p->windows - r), &t);
      for (int64_t u = from; u < to; u += 2 * p->lanes)
        one_tile(p, &t, panel + (u - from) * p->bytes, PANEL, u, 2 * p->lanes);
    }
  }
}

void reg_panel_product(reg_ctx *ctx, const float *x, const float *panels, float *out, int64_t rows,
                       int64_t inner, int64_t columns) {
  if (rows <= 0 || columns <= 0) return;
  Product p = {.x = (const char *)x, .y = (const char *)panels, .out = (char *)out, .bytes = sizeof *x};
  p.units = columns;
  set_sizes(&p, 1, 1, rows, inner, 1, 1, 1, 1, 1, 1);
  const double start = ctx->profile ? reg_now() : 0;
  in_parts(ctx, &p, multiply_panels, &p, up(columns, PANEL), products(&p));
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}
