// Arrays as tables: a row for each element of the first axis. In: an array of a file. Out: rows behind those
// that the table has, or their labels.
#include "data/scan.h"
#include "data/table.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_LABEL = 32 };

static int bad(const ArrayRows *x, reg_status *st, const char *what) {
  return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %s", x->path, what);
}

bool table_columns_fit(int64_t width) {
  enum { COLUMN = 48 };
  return width <= sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / COLUMN;
}

static int shape_of(Table *t, const ArrayRows *x, reg_status *st) {
  if (x->rank > (int)(sizeof t->dim / sizeof *t->dim)) return bad(x, st, "a row has more than 4 axes");
  if (x->width < 1 || x->rows < 1) return bad(x, st, "it has no elements");
  if (t->nfiles > 0) {
    bool same = x->rank == t->rank;
    for (int k = 0; k < x->rank && same; k++) same = x->dim[k] == t->dim[k];
    return same ? REG_OK : bad(x, st, "its rows have another shape than those of the training data");
  }
  if (x->width > INT32_MAX) return bad(x, st, "a row has more elements than it can have (2147483647)");
  if (!table_columns_fit(x->width)) return bad(x, st, "a row has more elements than memory can hold");
  t->rank = x->rank;
  memcpy(t->dim, x->dim, sizeof t->dim);
  t->width = (int)x->width;
  t->columns = data_numbers(t->heap, t->width);
  return t->columns ? REG_OK : reg_no_memory(st, (size_t)t->width * sizeof *t->columns);
}

static int not_finite(const ArrayRows *x, int64_t row, double v, reg_status *st) {
  return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: row %lld has an element that is %s", x->path,
                  (long long)row, isnan(v) ? "NaN" : "infinite");
}

int table_add_array(Table *t, const ArrayRows *x, reg_status *st) {
  int code = shape_of(t, x, st);
  if (code) return code;
  const int64_t count = x->rows * x->width;
  if (!table_make_room(t, t->nrows + x->rows)) return reg_no_memory(st, (size_t)count * sizeof *t->numbers);
  for (int64_t i = 0; i < count; i++) {
    const double v = x->at(x->of, i);
    if (!isfinite(v)) return not_finite(x, i / x->width, v, st);
    t->numbers[t->nrows * t->width + i] = v;
  }
  for (int64_t i = 0; i < x->rows; i++) t->line[t->nrows + i] = i + 1;
  return REG_OK;
}

int table_add_labels(Table *t, int own, const ArrayRows *y, const char *of, int64_t rows, reg_status *st) {
  Cells *c = &t->own[own].cells;
  if (y->width != 1) {
    bad(y, st, "a label is one number");
    reg_hint(st, "each column is an array of its own: target: [a, b]");
    return st->code;
  }
  if (y->rows != rows)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %lld labels, `%s` has %lld rows", y->path,
                    (long long)y->rows, of, (long long)rows);
  char *text = malloc(y->room > LONGEST_LABEL ? y->room : LONGEST_LABEL);
  int code = text ? REG_OK : reg_no_memory(st, y->room);
  for (int64_t i = 0; i < rows && !code; i++) {
    const double v = y->at ? y->at(y->of, i) : 0;
    size_t n = 0;
    if (!isfinite(v))
      code = not_finite(y, i, v, st);
    else if (!y->label)
      n = (size_t)snprintf(text, LONGEST_LABEL, "%.17g", v);
    else if (!y->label(y->of, i, text, &n) || !csv_is_utf8(text, n))
      code = reg_fail(st, REG_BAD_DATA, "data_bad", "%s: the label of row %lld is no UTF-8", y->path,
                      (long long)i);
    if (!code && !cells_add(c, t->nrows + i, text, n)) code = reg_no_memory(st, (size_t)rows * LONGEST_LABEL);
  }
  free(text);
  return code;
}

void table_close_array(Table *t, const char *path, int64_t rows) {
  TableFile *f = &t->files[t->nfiles++]; // whose step is known
  *f = (TableFile){.path = path, .step = f->step, .first = t->nrows, .nrows = rows};
  t->nrows += rows;
}
