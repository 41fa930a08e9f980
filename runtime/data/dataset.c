// Looking things up in a data set, and its transformation for other rows: what a model needs that predicts
// without reading files.
#include "data/table.h"
#include <math.h>
#include <string.h>

int64_t data_x_width(const reg_dataset *d) { return d->fields[0].dtype == REG_I32 ? 0 : d->fields[0].width; }

double data_curve(const reg_curve *c, double x) {
  if (c->kind == REG_CURVE_LOG1P) return log1p(x);
  if (c->kind == REG_CURVE_CLAMP) return x < c->low ? c->low : x > c->high ? c->high : x;
  int low = 0, high = c->nedges;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (c->edges[middle] <= x)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int64_t data_scale(const reg_dataset *d, const double *from, int64_t rows, void *to) {
  const int64_t width = d->fields[0].width;
  const reg_dtype type = d->fields[0].dtype;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < width; j++) {
      const int64_t at = i * width + j;
      reg_float_put(to, type, at, (from[at] - d->shift[j]) * d->factor[j]);
      if (!isfinite(reg_float_at(to, type, at))) return at;
    }
  return -1;
}

int64_t reg_data_inputs(const reg_dataset *d) {
  int64_t n = data_x_width(d);
  for (int k = 0; k < d->ncurves; k++) n -= d->curves[k].kind == REG_CURVE_PRODUCT;
  return n;
}

void reg_data_input_names(const reg_dataset *d, const char **to) {
  int k = 0;
  for (int64_t x = 0; x < data_x_width(d); x++) {
    while (k < d->ncurves && (d->curves[k].kind != REG_CURVE_PRODUCT || d->curves[k].column < x)) k++;
    if (k == d->ncurves || d->curves[k].column != x) *to++ = d->columns[x];
  }
}

// A row of inputs at `from` as a row of x, in which products are yet to come: the last ones first, for they
// may lie in one place.
static void spread(const reg_dataset *d, const double *from, int64_t inputs, double *to) {
  int k = d->ncurves - 1;
  for (int64_t x = d->fields[0].width; x-- > 0;) {
    while (k >= 0 && (d->curves[k].kind != REG_CURVE_PRODUCT || d->curves[k].column > x)) k--;
    to[x] = k >= 0 && d->curves[k].column == x ? 0 : from[--inputs];
  }
}

void curve_moved(reg_curve *c, int by) {
  c->column += by;
  c->first += by;
  c->second += by;
}

double data_curve_at(const reg_curve *c, const double *row) {
  return c->kind == REG_CURVE_PRODUCT ? row[c->first] * row[c->second] : data_curve(c, row[c->column]);
}

int64_t reg_data_transform(const reg_dataset *d, double *rows, int64_t count, void *to) {
  const int64_t width = d->fields[0].width, inputs = reg_data_inputs(d);
  for (int64_t i = count; i-- > 0 && inputs < width;) spread(d, rows + i * inputs, inputs, rows + i * width);
  for (int k = 0; k < d->ncurves; k++)
    for (int64_t i = 0; i < count; i++) {
      double *row = &rows[i * width];
      row[d->curves[k].column] = data_curve_at(&d->curves[k], row);
    }
  return data_scale(d, rows, count, to);
}

const reg_part *reg_data_part(const reg_dataset *d, const char *name) {
  for (int i = 0; i < d->nparts; i++)
    if (!strcmp(d->parts[i].name, name)) return &d->parts[i];
  return NULL;
}

const char *data_own_column(const reg_dataset *d, const char *field) {
  for (int i = 0; d->form && i < d->form->nown; i++)
    if (!strcmp(d->form->own[i].field, field)) return d->form->own[i].column;
  return NULL;
}

int reg_data_field(const reg_dataset *d, const char *name) {
  for (int i = 0; i < d->nfields; i++)
    if (!strcmp(d->fields[i].name, name)) return i;
  return -1;
}
