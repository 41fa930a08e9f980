// Products with the windows of images, reg_conv and reg_conv_weights of reg/calls.def, and with panels. Rows
// of the product, the windows, are read where they lie in the image: in channels-last images a row of a
// window is one run of floats. Work is split by the sizes alone, and each element is one sum in one order, so
// the bits are the same on any number of threads.
#include "ctx.h"
#include "support.h"
#include <string.h>

typedef struct Product Product;
typedef void WindowTile(const Product *, const float *const *, const float *, int64_t, float *, int64_t,
                        bool);
typedef void ElementTile(const Product *, const int64_t *, const float *, int64_t, int64_t, int64_t, float *,
                         int64_t, bool);

struct Product {
  const float *x, *y; // y: weights in panels, or a row for each window
  float *out;
  int64_t down, across, windows, units,
      elements;                                 // windows of a column and a row of pixels, and of all images
  int64_t image_apart, line_apart, pixel_apart; // floats from a window to the one behind, below and beside it
  int64_t rows, runs, run, row_apart, run_apart; // of one window: its floats lie in rows x runs of `run`
  int64_t parts;
  int lanes, tile; // floats of a vector, rows of a tile
  WindowTile *window_tile;
  ElementTile *element_tile;
};

bool reg_window_narrow;

enum { MOST_ROWS = 8, MOST_LANES = 16, MOST_PARTS = 16, BLOCK = 256 };
static const double SERIAL_FLOP = 5e5;

static const float *window_at(const Product *p, int64_t r) {
  const int64_t j = r % p->across, i = r / p->across % p->down, image = r / p->across / p->down;
  return p->x + image * p->image_apart + i * p->line_apart + j * p->pixel_apart;
}

#define LANES  16
#define ROWS   8
#define TARGET "avx512f"
#include "window_tiles.h"
#define LANES  8
#define ROWS   6
#define TARGET "avx2,fma"
#include "window_tiles.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// The units from `from` on that are taken at once: two vectors of them, or one where that is all.
static int64_t panel_width(const Product *p, int64_t from) {
  return p->units - from > p->lanes ? 2 * p->lanes : p->lanes;
}

static void rows_of_tile(const Product *p, int64_t first, int64_t rows, const float **row) {
  for (int64_t m = 0; m < p->tile; m++) row[m] = window_at(p, first + least(m, rows - 1));
}

// The windows `row` to row + rows, times units from `u` on: `width` of a panel whose rows are `apart` floats
// from each other.
static void one_tile(const Product *p, const float *const *row, int64_t first, int64_t rows,
                     const float *panel, int64_t apart, int64_t u, int64_t width) {
  const int64_t wanted = least(width, p->units - u);
  const bool whole = rows == p->tile && wanted == width;
  float edge[MOST_ROWS * 2 * MOST_LANES], *out = p->out + first * p->units + u;
  p->window_tile(p, row, panel, apart, whole ? out : edge, whole ? p->units : width, width > p->lanes);
  for (int64_t m = 0; !whole && m < rows; m++)
    memcpy(out + m * p->units, edge + m * width, (size_t)wanted * sizeof *out);
}

// Tile by tile of the windows of a part, all panels of each.
static void convolve(void *const *slots, int64_t begin, int64_t end) {
  const Product *p = slots[0];
  const int64_t tiles = (p->windows + p->tile - 1) / p->tile;
  const int64_t first = tiles * begin / p->parts * p->tile,
                last = least(tiles * end / p->parts * p->tile, p->windows);
  for (int64_t r = first; r < last; r += p->tile) {
    const int64_t rows = least(p->tile, last - r);
    const float *row[MOST_ROWS], *panel = p->y;
    rows_of_tile(p, r, rows, row);
    for (int64_t u = 0; u < p->units; u += 2 * p->lanes) {
      const int64_t width = panel_width(p, u);
      one_tile(p, row, r, rows, panel, width, u, width);
      panel += p->elements * width;
    }
  }
}

static int64_t element_offset(const Product *p, int64_t k) {
  return k / (p->runs * p->run) * p->row_apart + k / p->run % p->runs * p->run_apart + k % p->run;
}

// One block of windows and one panel of units: all tiles of elements of a part. Each block is summed by
// itself, so that long sums stay exact.
static void weights_of_block(const Product *p, int64_t first, int64_t last, int64_t from, int64_t to,
                             int64_t u) {
  const int64_t width = panel_width(p, u), wanted = least(width, p->units - u);
  const float *y = p->y + from * p->units + u;
  int64_t apart = p->units;
  float padded[BLOCK * 2 * MOST_LANES], edge[MOST_ROWS * 2 * MOST_LANES];
  if (wanted < width) {
    for (int64_t r = 0; r < to - from; r++) {
      memset(padded + r * width, 0, (size_t)width * sizeof *padded);
      memcpy(padded + r * width, y + r * p->units, (size_t)wanted * sizeof *padded);
    }
    y = padded, apart = width;
  }
  for (int64_t k = first; k < last; k += p->tile) {
    const int64_t rows = least(p->tile, last - k);
    int64_t offset[MOST_ROWS];
    for (int64_t m = 0; m < p->tile; m++) offset[m] = element_offset(p, k + least(m, rows - 1));
    float *out = p->out + k * p->units + u;
    const bool whole = rows == p->tile && wanted == width;
    if (!whole) memset(edge, 0, sizeof edge);
    p->element_tile(p, offset, y, apart, from, to, whole ? out : edge, whole ? p->units : width,
                    width > p->lanes);
    for (int64_t m = 0; !whole && m < rows; m++)
      for (int64_t v = 0; v < wanted; v++) out[m * p->units + v] += edge[m * width + v];
  }
}

static void weights_of_part(void *const *slots, int64_t begin, int64_t end) {
  const Product *p = slots[0];
  const int64_t tiles = (p->elements + p->tile - 1) / p->tile;
  const int64_t first = tiles * begin / p->parts * p->tile,
                last = least(tiles * end / p->parts * p->tile, p->elements);
  if (first >= last) return;
  memset(p->out + first * p->units, 0, (size_t)((last - first) * p->units) * sizeof *p->out);
  for (int64_t r = 0; r < p->windows; r += BLOCK)
    for (int64_t u = 0; u < p->units; u += 2 * p->lanes)
      weights_of_block(p, first, last, r, least(r + BLOCK, p->windows), u);
}

// Panel after panel, so that a tile reads them in a row; backwards, elements are turned around and units are
// what were channels.
static void pack(const Product *p, const float *w, int64_t channels, bool back, float *to) {
  const int64_t places = p->elements / channels;
  for (int64_t u = 0; u < p->units; u += 2 * p->lanes) {
    const int64_t width = panel_width(p, u), wanted = least(width, p->units - u);
    for (int64_t k = 0; k < p->elements; k++, to += width) {
      const int64_t place = k / channels, c = k % channels;
      const float *from =
          back ? w + ((places - 1 - place) * p->units + u) * channels + c : w + k * p->units + u;
      for (int64_t v = 0; v < width; v++) to[v] = v < wanted ? from[back ? v * channels : v] : 0;
    }
  }
}

static void choose_tiles(Product *p) {
  if (__builtin_cpu_supports("avx512f") && !reg_window_narrow) {
    p->lanes = 16, p->tile = 8, p->window_tile = window_tile16, p->element_tile = element_tile16;
  } else {
    p->lanes = 8, p->tile = 6, p->window_tile = window_tile8, p->element_tile = element_tile8;
  }
}

static void set_sizes(Product *p, int64_t images, int64_t height, int64_t width, int64_t channels,
                      int64_t rows, int64_t columns, int64_t step_h, int64_t step_w, int64_t spread_h,
                      int64_t spread_w) {
  p->down = (height - 1 - (rows - 1) * spread_h) / step_h + 1;
  p->across = (width - 1 - (columns - 1) * spread_w) / step_w + 1;
  p->windows = images * p->down * p->across;
  p->elements = rows * columns * channels;
  p->image_apart = height * width * channels;
  p->line_apart = step_h * width * channels;
  p->pixel_apart = step_w * channels;
  const bool joined = spread_w == 1 || columns == 1;
  p->rows = rows, p->runs = joined ? 1 : columns, p->run = joined ? columns * channels : channels;
  p->row_apart = spread_h * width * channels, p->run_apart = spread_w * channels;
  choose_tiles(p);
}

static void in_parts(reg_ctx *ctx, Product *p, reg_piece_fn fn, int64_t lines) {
  void *slots[1] = {p};
  p->parts = least(lines, MOST_PARTS);
  if (2.0 * (double)p->windows * (double)p->elements * (double)p->units < SERIAL_FLOP)
    fn(slots, 0, p->parts);
  else
    reg_parallel(ctx, fn, slots, p->parts);
}

void reg_conv(reg_ctx *ctx, const float *x, const float *weights, float *out, float *work, int64_t images,
              int64_t height, int64_t width, int64_t channels, int64_t rows, int64_t columns, int64_t units,
              int64_t step_h, int64_t step_w, int64_t spread_h, int64_t spread_w, int32_t back) {
  Product p = {.x = x, .y = work, .out = out, .units = units};
  set_sizes(&p, images, height, width, channels, rows, columns, step_h, step_w, spread_h, spread_w);
  const double start = ctx->profile ? reg_now() : 0;
  pack(&p, weights, channels, back, work);
  in_parts(ctx, &p, convolve, (p.windows + p.tile - 1) / p.tile);
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}

void reg_conv_weights(reg_ctx *ctx, const float *x, const float *y, float *out, int64_t images,
                      int64_t height, int64_t width, int64_t channels, int64_t rows, int64_t columns,
                      int64_t units, int64_t step_h, int64_t step_w, int64_t spread_h, int64_t spread_w) {
  Product p = {.x = x, .y = y, .out = out, .units = units};
  set_sizes(&p, images, height, width, channels, rows, columns, step_h, step_w, spread_h, spread_w);
  const double start = ctx->profile ? reg_now() : 0;
  in_parts(ctx, &p, weights_of_part, (p.elements + p.tile - 1) / p.tile);
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}

// -- products with panels

enum { PANEL = 2 * MOST_LANES };

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
  const int64_t panels = (p->units + PANEL - 1) / PANEL, last = panels * end / p->parts;
  for (int64_t n = panels * begin / p->parts; n < last; n++)
    for (int64_t r = 0; r < p->windows; r += p->tile) {
      const int64_t rows = least(p->tile, p->windows - r), from = n * PANEL,
                    to = least(from + PANEL, p->units);
      const float *row[MOST_ROWS], *panel = p->y + n * p->elements * PANEL;
      rows_of_tile(p, r, rows, row);
      for (int64_t u = from; u < to; u += 2 * p->lanes)
        one_tile(p, row, r, rows, panel + (u - from), PANEL, u, 2 * p->lanes);
    }
}

void reg_panel_product(reg_ctx *ctx, const float *x, const float *panels, float *out, int64_t rows,
                       int64_t inner, int64_t columns) {
  if (rows <= 0 || columns <= 0) return;
  Product p = {.x = x, .y = panels, .out = out, .units = columns, .windows = rows, .elements = inner};
  p.down = 1, p.across = rows, p.pixel_apart = inner;
  p.rows = p.runs = 1, p.run = inner;
  choose_tiles(&p);
  const double start = ctx->profile ? reg_now() : 0;
  in_parts(ctx, &p, multiply_panels, (columns + PANEL - 1) / PANEL);
  if (ctx->profile) ctx->gemm_s += reg_now() - start;
}
