// Columns to fields. In: a table. Out: x (all columns but the target, in file order), the target as numbers
// and, where it can be read so, as classes, and id, the row's number.
#include "data/table.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INTEGER_CLASSES = 1000 };

static int make_x(Table *t, reg_dataset *d, reg_field *x) {
  int64_t width = t->ncolumns - (t->target >= 0);
  float *values = reg_heap_take(t->heap, (size_t)(t->nrows * width) * sizeof *values);
  const char **columns = reg_heap_take(t->heap, (size_t)width * sizeof *columns);
  d->shift = reg_heap_take(t->heap, (size_t)width * sizeof *d->shift);
  d->factor = reg_heap_take(t->heap, (size_t)width * sizeof *d->factor);
  if (!values || !columns || !d->shift || !d->factor) return -1;
  for (int64_t j = 0; j < width; j++) d->factor[j] = 1;
  for (int j = 0, at = 0; j < t->ncolumns; j++)
    if (j != t->target) columns[at++] = t->columns[j];
  d->columns = columns;
  float *to = values;
  for (int64_t i = 0; i < t->nrows; i++)
    for (int j = 0; j < t->ncolumns; j++)
      if (j != t->target) *to++ = t->numbers[i * t->ncolumns + j];
  *x =
      (reg_field){.name = "x", .dtype = REG_F32, .rank = 1, .dim = {width}, .width = width, .values = values};
  return 0;
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// Removes equal neighbours of a sorted array; how many are left.
static int64_t unique(void *items, int64_t count, size_t size, int (*compare)(const void *, const void *)) {
  char *base = items;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (i == 0 || compare(base + (size_t)(kept - 1) * size, base + (size_t)i * size) != 0)
      memmove(base + (size_t)kept++ * size, base + (size_t)i * size, size);
  return kept;
}

// Classes of `items` (nrows of them): their place among the sorted different ones, which come back in
// sorted[0..nclasses).
static int number_classes(Table *t, reg_field *f, const void *items, void *sorted, size_t size,
                          int (*compare)(const void *, const void *)) {
  memcpy(sorted, items, (size_t)t->nrows * size);
  qsort(sorted, (size_t)t->nrows, size, compare);
  f->nclasses = unique(sorted, t->nrows, size, compare);
  f->classes = reg_heap_take(t->heap, (size_t)t->nrows * sizeof *f->classes);
  f->class_names = reg_heap_take(t->heap, (size_t)f->nclasses * sizeof *f->class_names);
  if (!f->classes || !f->class_names) return -1;
  for (int64_t i = 0; i < t->nrows; i++) {
    const char *item = (const char *)items + (size_t)i * size;
    const char *found = bsearch(item, sorted, (size_t)f->nclasses, size, compare);
    f->classes[i] = (int32_t)((size_t)(found - (const char *)sorted) / size);
  }
  return 0;
}

static int text_classes(Table *t, reg_field *f) {
  char **cells = malloc((size_t)t->nrows * 2 * sizeof *cells), **sorted = cells ? cells + t->nrows : NULL;
  if (!cells) return -1;
  for (int64_t i = 0; i < t->nrows; i++) cells[i] = t->text + t->text_at[i];
  int failed = number_classes(t, f, cells, sorted, sizeof *cells, by_bytes);
  for (int64_t c = 0; !failed && c < f->nclasses; c++)
    if (!(f->class_names[c] = reg_heap_copy(t->heap, sorted[c], strlen(sorted[c])))) failed = -1;
  free(cells);
  return failed;
}

static int integer_classes(Table *t, reg_field *f) {
  const float *values = f->values;
  for (int64_t i = 0; i < t->nrows; i++)
    if (values[i] != floorf(values[i]) || fabsf(values[i]) > 0x1p24f) return 0;
  float *sorted = malloc((size_t)t->nrows * sizeof *sorted);
  if (!sorted) return -1;
  memcpy(sorted, values, (size_t)t->nrows * sizeof *sorted);
  qsort(sorted, (size_t)t->nrows, sizeof *sorted, by_value);
  int64_t different = unique(sorted, t->nrows, sizeof *sorted, by_value);
  int failed = 0;
  if (different <= MAX_INTEGER_CLASSES && 2 * different < t->nrows) {
    failed = number_classes(t, f, values, sorted, sizeof *sorted, by_value);
    for (int64_t c = 0; !failed && c < f->nclasses; c++) {
      char name[32];
      int length = snprintf(name, sizeof name, "%d", (int)sorted[c]);
      if (!(f->class_names[c] = reg_heap_copy(t->heap, name, (size_t)length))) failed = -1;
    }
  }
  free(sorted);
  return failed;
}

static int make_target(Table *t, reg_field *f) {
  *f = (reg_field){.name = t->columns[t->target], .dtype = t->target_text ? REG_I32 : REG_F32, .width = 1};
  if (t->target_text) return text_classes(t, f);
  float *values = reg_heap_take(t->heap, (size_t)t->nrows * sizeof *values);
  if (!values) return -1;
  for (int64_t i = 0; i < t->nrows; i++) values[i] = t->numbers[i * t->ncolumns + t->target];
  f->values = values;
  return integer_classes(t, f);
}

static int make_id(Table *t, reg_field *f) {
  int32_t *rows = reg_heap_take(t->heap, (size_t)t->nrows * sizeof *rows);
  if (!rows) return -1;
  for (int64_t i = 0; i < t->nrows; i++) rows[i] = (int32_t)i;
  *f = (reg_field){.name = "id", .dtype = REG_I32, .width = 1, .values = rows};
  return 0;
}

int table_to_fields(Table *t, reg_dataset *d, reg_status *st) {
  if (t->nrows > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%lld rows are more than a data set can have (2147483647)",
                    (long long)t->nrows);
  d->nrows = t->nrows;
  memcpy(d->checksum, t->checksum, sizeof d->checksum);
  d->fields = reg_heap_take(t->heap, 3 * sizeof *d->fields);
  if (!d->fields || make_x(t, d, &d->fields[d->nfields++]) != 0 ||
      (t->target >= 0 && make_target(t, &d->fields[d->nfields++]) != 0) ||
      make_id(t, &d->fields[d->nfields++]) != 0)
    return reg_no_memory(st, (size_t)(t->nrows * t->ncolumns) * sizeof(float));
  return REG_OK;
}
