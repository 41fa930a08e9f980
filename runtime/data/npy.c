// NumPy's arrays as tables: .npy files, or arrays of an archive .npz. In: what is wanted. Out: rows behind
// those that the table has.
#include "reg/npy.h"
#include "data/table.h"
#include "reg/file.h"
#include <stdlib.h>
#include <string.h>

static double element_of(const void *values, int64_t i) { return ((const double *)values)[i]; }

// A number is a row of one.
static ArrayRows rows_of(const char *path, const reg_array *a, const double *values) {
  ArrayRows r = {.path = path, .rows = a->dim[0], .at = element_of, .of = values};
  for (int i = 1; i < a->rank; i++) r.dim[r.rank++] = a->dim[i];
  if (!r.rank) r.dim[r.rank++] = 1;
  r.width = r.rows ? a->count / r.rows : 0;
  return r;
}

static int decode(const char *path, const char *bytes, size_t size, reg_array *a, double **values,
                  reg_status *st) {
  int code = reg_npy_decode(path, bytes, size, a, values, st);
  if (!code && a->rank == 0)
    code = reg_fail(st, REG_BAD_DATA, "array_bad", "%s: it is one number, without an axis of rows", path);
  return code;
}

// The array `name` of an archive's bytes; NULL: they are one.
static int array_of(const char *path, const char *bytes, size_t size, const char *name, reg_array *a,
                    double **values, reg_status *st) {
  char *member = NULL;
  size_t length = 0;
  if (!name) return decode(path, bytes, size, a, values, st);
  int code = reg_npz_member(path, bytes, size, name, &member, &length, st);
  if (!code) code = decode(path, member, length, a, values, st);
  free(member);
  return code;
}

// `bytes`: of the archive, where it is one.
static int read_labels(Table *t, const TableRequest *want, const char *bytes, size_t size, int64_t rows,
                       reg_status *st) {
  const bool inside = want->array != NULL;
  const char *path = inside ? want->path : want->labels;
  char *own = inside ? NULL : reg_file_read(path, &size, "data_missing", st);
  double *values = NULL;
  reg_array a = {0};
  int code = inside || own ? REG_OK : st->code;
  if (own) table_checksum(t, own, size);
  if (!code) code = array_of(path, inside ? bytes : own, size, inside ? want->labels : NULL, &a, &values, st);
  free(own);
  if (!code) {
    const ArrayRows labels = rows_of(path, &a, values);
    code = table_add_labels(t, &labels, want->path, rows, st);
  }
  free(values);
  return code;
}

int table_read_npy(Table *t, const TableRequest *want, reg_status *st) {
  size_t size;
  double *values = NULL;
  reg_array a = {0};
  char *bytes = reg_file_read(want->path, &size, "data_missing", st);
  if (!bytes) return st->code;
  table_checksum(t, bytes, size);
  int code = array_of(want->path, bytes, size, want->array, &a, &values, st);
  if (!code) {
    const ArrayRows rows = rows_of(want->path, &a, values);
    code = table_add_array(t, &rows, st);
  }
  free(values);
  if (!code && want->labels) code = read_labels(t, want, bytes, size, a.dim[0], st);
  if (!code) table_close_array(t, want->path, a.dim[0]);
  free(bytes);
  return code;
}
