// The inner loops of products with windows, for vectors of LANES numbers of type REAL and tiles of ROWS rows,
// compiled for TARGET; window.c includes it for each. Sums run in one order whatever the tile is.
#define NAME_(name, real, lanes)  name##_##real##lanes
#define NAME__(name, real, lanes) NAME_(name, real, lanes)
#define NAME(name)                NAME__(name, REAL, LANES)

typedef REAL NAME(Vector)
    __attribute__((vector_size(sizeof(REAL) * LANES), aligned(sizeof(REAL)), may_alias));

// ROWS windows, window m at row[m], times a panel of weights [elements, vectors * LANES], whose rows are
// `panel_apart` numbers from each other: to out[m], `skip` bytes behind it.
__attribute__((target(TARGET), always_inline)) static inline void
NAME(windows)(const Product *p, const char *const *row, const REAL *panel, int64_t panel_apart,
              char *const *out, int64_t skip, const int vectors) {
  NAME(Vector) sum[ROWS][2] = {0};
  for (int64_t a = 0; a < p->rows; a++)
    for (int64_t b = 0; b < p->runs; b++) {
      const REAL *at[ROWS];
      for (int m = 0; m < ROWS; m++) at[m] = (const void *)(row[m] + a * p->row_apart + b * p->run_apart);
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
    for (int v = 0; v < vectors; v++)
      memcpy(out[m] + skip + v * (int64_t)sizeof sum[m][v], &sum[m][v], sizeof sum[m][v]);
}

// ROWS elements, `offset[m]` bytes behind the begin of a window, of so many windows, times their rows of y
// [windows, vectors * LANES]: added to out. In line: elements one behind the other.
__attribute__((target(TARGET), always_inline)) static inline void
NAME(elements)(const char *const *window, int64_t windows, const int64_t *offset, const REAL *y, REAL *out,
               int64_t apart, const int vectors, const bool in_line) {
  NAME(Vector) sum[ROWS][2] = {0};
  const int64_t first = in_line ? offset[0] : 0;
  for (int64_t r = 0; r < windows; r++, y += vectors * LANES) {
    const char *at = window[r] + first;
    const NAME(Vector) w = *(const NAME(Vector) *)y;
    const NAME(Vector) w2 = vectors > 1 ? *(const NAME(Vector) *)(y + LANES) : w;
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) {
      REAL one;
      memcpy(&one, at + (in_line ? m * (int64_t)sizeof(REAL) : offset[m]), sizeof one);
      sum[m][0] += w * one;
      if (vectors > 1) sum[m][1] += w2 * one;
    }
  }
  for (int m = 0; m < ROWS; m++)
    for (int v = 0; v < vectors; v++) *(NAME(Vector) *)(out + m * apart + v * LANES) += sum[m][v];
}

__attribute__((target(TARGET))) static void NAME(window_tile)(const Product *p, const char *const *row,
                                                              const void *panel, int64_t panel_apart,
                                                              char *const *out, int64_t skip, bool two) {
  if (two)
    NAME(windows)(p, row, panel, panel_apart, out, skip, 2);
  else
    NAME(windows)(p, row, panel, panel_apart, out, skip, 1);
}

__attribute__((target(TARGET))) static void NAME(element_tile)(const char *const *window, int64_t windows,
                                                               const int64_t *offset, const void *y,
                                                               void *out, int64_t apart, bool two) {
  bool in_line = true;
  for (int m = 1; m < ROWS; m++) in_line &= offset[m] == offset[0] + m * (int64_t)sizeof(REAL);
  if (two && in_line)
    NAME(elements)(window, windows, offset, y, out, apart, 2, true);
  else if (two)
    NAME(elements)(window, windows, offset, y, out, apart, 2, false);
  else
    NAME(elements)(window, windows, offset, y, out, apart, 1, false);
}

#undef NAME
#undef NAME__
#undef NAME_
#undef REAL
#undef LANES
#undef ROWS
#undef TARGET
