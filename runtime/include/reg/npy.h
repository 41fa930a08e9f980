// .npy arrays (format 1 to 3). Reads f2 to f8, i1 to i8, u1 to u8, b1, M8 and m8 (times, in seconds), of
// either order of bytes, in C or Fortran order, and gives them in C order: floating values and times as
// float, integers and booleans as int32_t. Archives of them, .npz.
#ifndef REG_NPY_H
#define REG_NPY_H
#include "data.h"

typedef struct reg_array {
  reg_dtype dtype; // REG_BOOL: int32_t 0 or 1
  int rank;
  int64_t dim[REG_MAX_RANK], count;
  void *values; // four bytes an element, 64-byte aligned
} reg_array;

int reg_npy_read(const char *path, reg_array *out, reg_status *st); // free out->values
// The elements as they stand in the file, in *values, to be freed by reg_npy_numbers_free, or as
// reg_large_resize has made them; shape->values is not set. `array`: of an archive; NULL: the file is one.
int reg_npy_numbers(const char *path, const char *array, reg_array *shape, double **values, reg_status *st);
void reg_npy_numbers_free(double *values);
// An array in a file's bytes, which must live as long; its elements are read where they lie, in C order.
typedef struct reg_npy_view {
  char kind;    // 'f', 'i', 'u', 'b'; of times 'M', 'm'; of texts 'U', 'S'
  size_t width; // bytes an element
  bool fortran;
  bool swapped;         // big endian
  int64_t seconds, per; // a tick of times is seconds / per
  int rank;
  int64_t dim[REG_MAX_RANK], count;
  const char *elements;
} reg_npy_view;
int reg_npy_open(const char *path, const char *bytes, size_t size, reg_npy_view *v, bool texts,
                 reg_status *st); // path: for messages; texts: they are taken too
double reg_npy_at(const reg_npy_view *v, int64_t i);
// An element as a label: numbers as they are written, texts in UTF-8 (of 'S' their bytes), with no 0 behind.
// False: it is no Unicode.
bool reg_npy_label_at(const reg_npy_view *v, int64_t i, char *to, size_t *length);
size_t reg_npy_label_room(const reg_npy_view *v); // for `to`
// The file of the array `name` in a zip archive's bytes, stored or deflated, to be freed by reg_large_free.
// REG_BAD_DATA where the archive is damaged, has no such array (st names those that it has) or packs it
// otherwise.
int reg_npz_member(const char *path, const char *bytes, size_t size, const char *name, char **member,
                   size_t *length, reg_status *st);
int reg_npy_write(const char *path, const reg_array *a, reg_status *st);
// f8, of the shape of an array.
int reg_npy_write_numbers(const char *path, const reg_array *shape, const double *values, reg_status *st);
#endif
