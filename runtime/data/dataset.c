// Looking things up in a data set, and its transformation for other rows: what a model needs that predicts
// without reading files.
#include "reg/data.h"
#include <math.h>
#include <string.h>

int64_t reg_data_transform(const reg_dataset *d, const double *from, int64_t rows, void *to) {
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

const reg_part *reg_data_part(const reg_dataset *d, const char *name) {
  for (int i = 0; i < d->nparts; i++)
    if (!strcmp(d->parts[i].name, name)) return &d->parts[i];
  return NULL;
}

int reg_data_field(const reg_dataset *d, const char *name) {
  for (int i = 0; i < d->nfields; i++)
    if (!strcmp(d->fields[i].name, name)) return i;
  return -1;
}
