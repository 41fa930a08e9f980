// IDX files, also compressed by gzip: images or other arrays, a row for each element of their first axis, and
// a file of as many whole numbers, their labels. In: what is wanted. Out: rows behind those that the table
// has. The format: two zero bytes, the type of the elements, the number of axes; the size of each axis;
// elements. Sizes and elements have their high byte first. LeCun, Cortes & Burges, The MNIST database.
#include "data/table.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_AXES = 4, LONGEST_LABEL = 24 };

typedef enum IdxType { IDX_U8 = 8, IDX_I8, IDX_I16 = 11, IDX_I32, IDX_F32, IDX_F64 } IdxType;

typedef struct Idx {
  const char *path;
  IdxType type;
  int rank, each; // bytes of an element
  int64_t dim[MOST_AXES], width, count;
  unsigned char *bytes;
} Idx;

static int bad(const Idx *x, reg_status *st, const char *what) {
  return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %s", x->path, what);
}

static int size_of(IdxType t) {
  switch (t) {
  case IDX_U8:
  case IDX_I8: return 1;
  case IDX_I16: return 2;
  case IDX_I32:
  case IDX_F32: return 4;
  case IDX_F64: return 8;
  }
  return 0;
}

// false at the end of the file or in a damaged one.
static bool take(gzFile f, void *to, int64_t bytes) {
  for (int64_t done = 0; done < bytes;) {
    const int64_t left = bytes - done;
    const int got = gzread(f, (char *)to + done, left > INT_MAX ? INT_MAX : (unsigned)left);
    if (got <= 0) return false;
    done += got;
  }
  return true;
}

static uint64_t big_endian(const unsigned char *b, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v = v << 8 | b[i];
  return v;
}

static int read_header(Idx *x, gzFile f, reg_status *st) {
  unsigned char head[4], size[4];
  if (!take(f, head, 4) || head[0] || head[1]) return bad(x, st, "it is no IDX file");
  x->type = (IdxType)head[2];
  x->rank = head[3];
  x->each = size_of(x->type);
  if (!x->each || x->rank < 1 || x->rank > MOST_AXES)
    return bad(x, st, "its elements are no numbers, or it has no axis or more than 4");
  x->count = 1;
  for (int i = 0; i < x->rank; i++) {
    if (!take(f, size, 4)) return bad(x, st, "it ends within its header");
    x->dim[i] = (int64_t)big_endian(size, 4);
    if (x->dim[i] < 1 || x->dim[i] > INT32_MAX || __builtin_mul_overflow(x->count, x->dim[i], &x->count) ||
        x->count > INT64_MAX / 16)
      return bad(x, st, "an axis has no elements, or it has more than a data set can have");
  }
  x->width = x->count / x->dim[0];
  return REG_OK;
}

static int read_elements(Idx *x, gzFile f, reg_status *st) {
  unsigned char more;
  // Read in steps, so that a header that promises more than there is takes no memory.
  int64_t bytes = x->count * x->each, room = 0, done = 0;
  while (done < bytes) {
    const int64_t next = 2 * room + (1 << 20), step = next < bytes ? next : bytes;
    unsigned char *grown = realloc(x->bytes, (size_t)step);
    if (!grown) return reg_no_memory(st, (size_t)step);
    x->bytes = grown;
    room = step;
    if (!take(f, x->bytes + done, room - done))
      return bad(x, st, "it ends before its last element, or is damaged");
    done = room;
  }
  return take(f, &more, 1) ? bad(x, st, "it goes on behind its last element") : REG_OK;
}

static int idx_read(Idx *x, const char *path, reg_status *st) {
  *x = (Idx){.path = path};
  gzFile f = gzopen(path, "rb");
  char why[100];
  if (!f)
    return reg_fail(st, REG_MISSING_INPUT, "data_missing", "cannot read `%s`: %s", path,
                    reg_errno_text(errno, why, sizeof why));
  int code = read_header(x, f, st);
  if (!code) code = read_elements(x, f, st);
  gzclose(f);
  return code;
}

static double element(const Idx *x, int64_t i) {
  const unsigned char *b = x->bytes + i * x->each;
  const uint64_t v = big_endian(b, x->each);
  union {
    uint32_t u;
    float f;
  } single = {(uint32_t)v};
  union {
    uint64_t u;
    double d;
  } wide = {v};
  switch (x->type) {
  case IDX_U8: return (double)v;
  case IDX_I8: return (double)(int8_t)v;
  case IDX_I16: return (double)(int16_t)v;
  case IDX_I32: return (double)(int32_t)v;
  case IDX_F32: return single.f;
  case IDX_F64: break;
  }
  return wide.d;
}

// An image without channels has one.
static int shape_of(Table *t, const Idx *x, reg_status *st) {
  int64_t dim[MOST_AXES] = {1};
  int rank = 0;
  for (int i = 1; i < x->rank; i++) dim[rank++] = x->dim[i];
  if (rank == 2) dim[rank++] = 1;
  if (rank == 0) dim[rank++] = 1;
  if (t->nfiles == 0) {
    t->rank = rank;
    memcpy(t->dim, dim, sizeof dim);
    t->width = (int)x->width;
    return x->width > INT32_MAX ? bad(x, st, "a row has more elements than it can have (2147483647)")
                                : REG_OK;
  }
  return rank != t->rank || memcmp(dim, t->dim, sizeof dim) != 0
             ? bad(x, st, "its rows have another shape than those of the training data")
             : REG_OK;
}

static int keep_numbers(Table *t, const Idx *x, reg_status *st) {
  const int64_t rows = t->nrows + x->dim[0];
  double *numbers = realloc(t->numbers, (size_t)(rows * t->width) * sizeof *numbers);
  if (numbers) t->numbers = numbers;
  int64_t *line = numbers ? realloc(t->line, (size_t)rows * sizeof *line) : NULL;
  if (!line) return reg_no_memory(st, (size_t)(rows * t->width) * sizeof *numbers);
  t->line = line;
  for (int64_t i = 0; i < x->count; i++) t->numbers[t->nrows * t->width + i] = element(x, i);
  for (int64_t i = 0; i < x->dim[0]; i++) t->line[t->nrows + i] = i + 1;
  return REG_OK;
}

static int keep_labels(Table *t, const Idx *x, reg_status *st) {
  Cells *c = &t->own[0].cells;
  const size_t rows = (size_t)(t->nrows + x->dim[0]);
  size_t *at = realloc(c->at, rows * sizeof *at);
  if (at) c->at = at;
  for (int64_t i = 0; i < x->count && at; i++) {
    char text[LONGEST_LABEL];
    const int n = snprintf(text, sizeof text, "%.0f", element(x, i));
    if (!cells_add(c, t->nrows + i, text, (size_t)n)) return reg_no_memory(st, rows * sizeof *at);
  }
  return at ? REG_OK : reg_no_memory(st, rows * sizeof *at);
}

static int read_labels(Table *t, const TableRequest *want, int64_t rows, reg_status *st) {
  Idx x = {0};
  int code = want->labels ? idx_read(&x, want->labels, st) : REG_OK;
  if (want->labels && !code) {
    if (x.rank != 1 || x.type > IDX_I32) code = bad(&x, st, "labels are one whole number each");
    if (!code && x.count != rows)
      code = reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %lld labels, `%s` has %lld rows", x.path,
                      (long long)x.count, want->path, (long long)rows);
    table_checksum(t, (const char *)x.bytes, (size_t)(x.count * x.each));
    if (!code) code = keep_labels(t, &x, st);
  }
  free(x.bytes);
  return code;
}

int table_read_idx(Table *t, const TableRequest *want, reg_status *st) {
  Idx x = {0};
  int code = idx_read(&x, want->path, st);
  if (!code) code = shape_of(t, &x, st);
  if (!code && t->nfiles == 0 && !(t->columns = data_numbers(t->heap, t->width)))
    code = reg_no_memory(st, (size_t)t->width * sizeof *t->columns);
  if (!code) code = keep_numbers(t, &x, st);
  if (!code) table_checksum(t, (const char *)x.bytes, (size_t)(x.count * x.each));
  if (!code) code = read_labels(t, want, x.dim[0], st);
  if (!code) {
    t->files[t->nfiles++] = (TableFile){.path = want->path, .first = t->nrows, .nrows = x.dim[0]};
    t->nrows += x.dim[0];
  }
  free(x.bytes);
  return code;
}
