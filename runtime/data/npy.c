// NumPy's arrays as tables: .npy files, or arrays of an archive .npz. In: what is wanted. Out: rows behind
// those that the table has.
#include "reg/npy.h"
#include "data/table.h"
#include "large.h"
#include "reg/file.h"
#include <stdio.h>

static double element_of(const void *array, int64_t i) { return reg_npy_at(array, i); }

static bool label_of(const void *array, int64_t i, char *to, size_t *length) {
  return reg_npy_label_at(array, i, to, length);
}

// A number is a row of one.
static ArrayRows rows_of(const char *path, const reg_npy_view *v) {
  ArrayRows r = {.path = path, .rows = v->dim[0], .at = element_of, .of = v};
  for (int i = 1; i < v->rank; i++) r.dim[r.rank++] = v->dim[i];
  if (!r.rank) r.dim[r.rank++] = 1;
  r.width = r.rows ? v->count / r.rows : 0;
  return r;
}

// An array is told by the name of its file, and in an archive by its own.
typedef struct Told {
  char text[512];
} Told;

static const char *tell(Told *told, const char *path, const char *name) {
  if (!name) return path;
  snprintf(told->text, sizeof told->text, "%.400s, `%.60s`", path, name);
  return told->text;
}

// The array `name` of an archive's bytes, unpacked into *member; NULL: they are one.
static int array_of(const char *path, const char *bytes, size_t size, const char *name, bool labels,
                    char **member, reg_npy_view *v, reg_status *st) {
  Told told;
  int code = name ? reg_npz_member(path, bytes, size, name, member, &size, st) : REG_OK;
  path = tell(&told, path, name);
  if (!code) code = reg_npy_open(path, name ? *member : bytes, size, v, labels, st);
  if (!code && v->rank == 0)
    code = reg_fail(st, REG_BAD_DATA, "array_bad", "%s: it is one number, without an axis of rows", path);
  return code;
}

// The own column's rows. `bytes`: of the archive, where it is one, whose array has the name; else it is a
// file.
static int read_own(Table *t, int own, const TableRequest *want, const char *name, const char *bytes,
                    size_t size, int64_t rows, reg_status *st) {
  const bool inside = want->array != NULL;
  const char *path = inside ? want->path : name;
  char *file = inside ? NULL : reg_file_read_large(path, &size, "data_missing", st), *member = NULL;
  reg_npy_view v;
  Told told;
  int code = inside || file ? REG_OK : st->code;
  if (!inside) name = NULL;
  if (file) table_checksum(t, file, size);
  if (!code) code = array_of(path, inside ? bytes : file, size, name, true, &member, &v, st);
  if (!code) {
    ArrayRows labels = rows_of(tell(&told, path, name), &v);
    labels.label = label_of;
    labels.room = reg_npy_label_room(&v);
    if (v.kind == 'U' || v.kind == 'S') labels.at = NULL;
    code = table_add_labels(t, own, &labels, want->path, rows, st);
  }
  reg_large_free(member);
  reg_large_free(file);
  return code;
}

// The first target stands in the request, all others in the form.
static int read_all_own(Table *t, const TableRequest *want, const char *bytes, size_t size, int64_t rows,
                        reg_status *st) {
  const int more = want->form ? want->form->nown : 0, first = t->nown - more;
  int code = REG_OK;
  for (int k = 0; k < t->nown && !code; k++)
    code = read_own(t, k, want, k < first ? want->labels : want->form->own[k - first].column, bytes, size,
                    rows, st);
  return code;
}

int table_read_npy(Table *t, const TableRequest *want, reg_status *st) {
  size_t size;
  reg_npy_view v;
  char *bytes = reg_file_read_large(want->path, &size, "data_missing", st), *member = NULL;
  if (!bytes) return st->code;
  table_checksum(t, bytes, size);
  Told told;
  int code = array_of(want->path, bytes, size, want->array, false, &member, &v, st);
  if (!code) {
    const ArrayRows rows = rows_of(tell(&told, want->path, want->array), &v);
    code = table_add_array(t, &rows, st);
  }
  reg_large_free(member);
  if (!code) code = read_all_own(t, want, bytes, size, v.dim[0], st);
  if (!code) table_close_array(t, want->path, v.dim[0]);
  reg_large_free(bytes);
  return code;
}
