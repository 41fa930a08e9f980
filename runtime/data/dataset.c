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

int64_t reg_data_transform(const reg_dataset *d, double *rows, int64_t count, void *to) {
  const int64_t width = d->fields[0].width;
  for (int k = 0; k < d->ncurves; k++)
    for (int64_t i = 0; i < count; i++) {
      double *x = &rows[i * width + d->curves[k].column];
      *x = data_curve(&d->curves[k], *x);
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
