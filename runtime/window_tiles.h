// The inner loops of products with windows, for vectors of LANES floats and tiles of ROWS rows, compiled for
// TARGET; window.c includes it for each. Sums run in one order whatever the tile is.
#define NAME_(name, lanes)  name##lanes
#define NAME__(name, lanes) NAME_(name, lanes)
#define NAME(name)          NAME__(name, LANES)

typedef float NAME(Vector) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

// ROWS windows, window m at row[m], times a panel of weights [elements, vectors * LANES], whose rows are
// `panel_apart` floats from each other: to out, rows `apart` floats from each other.
__attribute__((target(TARGET), always_inline)) static inline void
NAME(windows)(const Product *p, const float *const *row, const float *panel, int64_t panel_apart, float *out,
              int64_t apart, const int vectors) {
  NAME(Vector) sum[ROWS][2] = {0};
  for (int64_t a = 0; a < p->rows; a++)
    for (int64_t b = 0; b < p->runs; b++) {
      const float *at[ROWS];
      for (int m = 0; m < ROWS; m++) at[m] = row[m] + a * p->row_apart + b * p->run_apart;
      for (int64_t k = 0; k < p->run; k++, panel += panel_apart) {
        const NAME(Vector) w = *(const NAME(Vector) *)panel;
        const NAME(Vector) w2 = vectors > 1 ? *(const NAME(Vector) *)(panel + LANES) : w;
#pragma GCC unroll 16
        for (int m = 0; m < ROWS; m++) {
          sum[m][0] += w * at[m][k];
          if (vectors > 1) sum[m][1] += w2 * at[m][k];
        }
      }
    }
  for (int m = 0; m < ROWS; m++)
    for (int v = 0; v < vectors; v++) *(NAME(Vector) *)(out + m * apart + v * LANES) = sum[m][v];
}

// ROWS elements of windows, of offset[m], times rows of y: summed over the rows from `from` to `to` of the
// product, and added to out.
__attribute__((target(TARGET), always_inline)) static inline void
NAME(elements)(const Product *p, const int64_t *offset, const float *y, int64_t y_apart, int64_t from,
               int64_t to, float *out, int64_t apart, const int vectors) {
  NAME(Vector) sum[ROWS][2] = {0};
  for (int64_t r = from; r < to;) {
    const int64_t j = r % p->across, end = r + p->across - j < to ? r + p->across - j : to;
    const float *at = window_at(p, r);
    for (; r < end; r++, at += p->pixel_apart, y += y_apart) {
      const NAME(Vector) w = *(const NAME(Vector) *)y;
      const NAME(Vector) w2 = vectors > 1 ? *(const NAME(Vector) *)(y + LANES) : w;
#pragma GCC unroll 16
      for (int m = 0; m < ROWS; m++) {
        sum[m][0] += w * at[offset[m]];
        if (vectors > 1) sum[m][1] += w2 * at[offset[m]];
      }
    }
  }
  for (int m = 0; m < ROWS; m++)
    for (int v = 0; v < vectors; v++) *(NAME(Vector) *)(out + m * apart + v * LANES) += sum[m][v];
}

__attribute__((target(TARGET))) static void NAME(window_tile)(const Product *p, const float *const *row,
                                                              const float *panel, int64_t panel_apart,
                                                              float *out, int64_t apart, bool two) {
  if (two)
    NAME(windows)(p, row, panel, panel_apart, out, apart, 2);
  else
    NAME(windows)(p, row, panel, panel_apart, out, apart, 1);
}

__attribute__((target(TARGET))) static void NAME(element_tile)(const Product *p, const int64_t *offset,
                                                               const float *y, int64_t y_apart, int64_t from,
                                                               int64_t to, float *out, int64_t apart,
                                                               bool two) {
  if (two)
    NAME(elements)(p, offset, y, y_apart, from, to, out, apart, 2);
  else
    NAME(elements)(p, offset, y, y_apart, from, to, out, apart, 1);
}

#undef NAME
#undef NAME__
#undef NAME_
#undef LANES
#undef ROWS
#undef TARGET
