// IDX files, also compressed by gzip: images or other arrays, a row for each element of their first axis, and
// a file of as many whole numbers, their labels. In: what is wanted. Out: rows behind those that the table
// has. The format: two zero bytes, the type of the elements, the number of axes; the size of each axis;
// elements. Sizes and elements have their high byte first. LeCun, Cortes & Burges, The MNIST database.
#include "data/table.h"
#include "large.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_AXES = 4 };

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
    unsigned char *grown = reg_large_resize(x->bytes, (size_t)step);
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

static double element_of(const void *x, int64_t i) { return element(x, i); }

// Of the elements of the first axis. An image without channels has one, and a number is a row of one.
static ArrayRows rows_of(const Idx *x) {
  ArrayRows r = {.path = x->path, .rows = x->dim[0], .width = x->width, .at = element_of, .of = x};
  for (int i = 1; i < x->rank; i++) r.dim[r.rank++] = x->dim[i];
  if (r.rank == 2 || r.rank == 0) r.dim[r.rank++] = 1;
  return r;
}

static int read_labels(Table *t, const TableRequest *want, int64_t rows, reg_status *st) {
  Idx x = {0};
  int code = want->labels ? idx_read(&x, want->labels, st) : REG_OK;
  if (want->labels && !code) {
    const ArrayRows labels = rows_of(&x);
    if (x.rank != 1 || x.type > IDX_I32) code = bad(&x, st, "labels are one whole number each");
    table_checksum(t, (const char *)x.bytes, (size_t)(x.count * x.each));
    if (!code) code = table_add_labels(t, 0, &labels, want->path, rows, st);
  }
  reg_large_free(x.bytes);
  return code;
}

int table_read_idx(Table *t, const TableRequest *want, reg_status *st) {
  Idx x = {0};
  int code = idx_read(&x, want->path, st);
  if (!code) {
    const ArrayRows rows = rows_of(&x);
    code = table_add_array(t, &rows, st);
  }
  if (!code) table_checksum(t, (const char *)x.bytes, (size_t)(x.count * x.each));
  if (!code) code = read_labels(t, want, x.dim[0], st);
  if (!code) table_close_array(t, want->path, x.dim[0]);
  reg_large_free(x.bytes);
  return code;
}
