// NumPy's array files: magic, version, header length, a Python dictionary literal, raw elements. The
// dictionary is read by a scanner for the three keys that the format defines; anything else is refused. Every
// size is checked before it is used.
#include "reg/npy.h"
#include "reg/file.h"
#include "support.h"
#include "text/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t MOST_ELEMENTS = (int64_t)1 << 40;

enum { LONGEST_TEXT = 1 << 20 };

typedef reg_npy_view Header;

static int refuse(reg_status *st, const char *path, const char *what) {
  reg_fail(st, REG_BAD_DATA, "array_bad", "%s: %s", path, what);
  reg_hint(st, "arrays are written by numpy.save as float32, float64, integers or bool, little endian");
  return REG_BAD_DATA;
}

// Where the value of 'key' begins, or NULL.
static const char *value_of(const char *dictionary, const char *key) {
  const char *at = strstr(dictionary, key);
  if (!at) return NULL;
  at += strlen(key);
  at += strspn(at, " ");
  if (*at != ':') return NULL;
  at++;
  return at + strspn(at, " ");
}

static const char *read_descr(const char *dictionary, Header *h) {
  static const struct {
    const char *text;
    char kind;
    size_t width;
  } types[] = {{"'<f4'", 'f', 4}, {"'<f8'", 'f', 8}, {"'<i4'", 'i', 4}, {"'<i8'", 'i', 8}, {"'|b1'", 'b', 1},
               {"'|i1'", 'i', 1}, {"'<i2'", 'i', 2}, {"'|u1'", 'u', 1}, {"'<u2'", 'u', 2}, {"'<u4'", 'u', 4}};
  const char *at = value_of(dictionary, "'descr'");
  if (!at) return "the header has no descr";
  if (!strncmp(at, "'<U", 3) || !strncmp(at, "'|S", 3)) {
    const long length = strtol(at + 3, NULL, 10); // of the longest text
    if (length < 0 || length > LONGEST_TEXT) return "its texts are too long";
    h->kind = at[2];
    h->width = (size_t)length * (at[2] == 'U' ? 4 : 1);
    return NULL;
  }
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (!strncmp(at, types[i].text, 5)) {
      h->kind = types[i].kind;
      h->width = types[i].width;
      return NULL;
    }
  return "the element type is none of <f4, <f8, |i1, <i2, <i4, <i8, |u1, <u2, <u4, |b1";
}

static const char *read_shape(const char *dictionary, size_t available, Header *h) {
  const char *at = value_of(dictionary, "'shape'");
  if (!at || *at++ != '(') return "the header has no shape";
  int64_t product = 1; // of what is not 0
  h->count = 1;
  for (at += strspn(at, " "); *at != ')'; at += strspn(at, " ,")) {
    uint64_t dim = 0;
    if (*at < '0' || *at > '9') return "the shape is malformed";
    if (h->rank == REG_MAX_RANK) return "it has more than 8 dimensions";
    for (; *at >= '0' && *at <= '9'; at++)
      if ((dim = 10 * dim + (uint64_t)(*at - '0')) > INT32_MAX) return "a dimension is too large";
    if (*at != ',' && *at != ')' && *at != ' ') return "the shape is malformed";
    h->dim[h->rank++] = (int64_t)dim;
    if (dim > 0 && (product > MOST_ELEMENTS / (int64_t)dim)) return "the shape is too large";
    product *= dim > 0 ? (int64_t)dim : 1;
    h->count *= (int64_t)dim;
  }
  if ((uint64_t)h->count * h->width != available) return "the file's length does not fit its shape";
  return NULL;
}

static const char *read_header(const char *bytes, size_t size, Header *h, size_t *data) {
  size_t prefix, length;
  if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0) return "it is not a .npy file";
  const unsigned char *b = (const unsigned char *)bytes;
  if (b[6] < 1 || b[6] > 3) return "its format version is unknown";
  prefix = b[6] == 1 ? 10 : 12;
  length = b[8] | (size_t)b[9] << 8;
  if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
  if (length > size - prefix) return "the header is longer than the file";
  *data = prefix + length;
  char *text = strndup(bytes + prefix, length);
  if (!text) return "out of memory";
  const char *order = value_of(text, "'fortran_order'"), *wrong = read_descr(text, h);
  if (!wrong && !order) wrong = "the header has no fortran_order";
  if (!wrong) h->fortran = !strncmp(order, "True", 4);
  if (!wrong) wrong = read_shape(text, size - *data, h);
  free(text);
  return wrong;
}

// The same of an array that is no list of texts.
static const char *read_numbers(const char *bytes, size_t size, Header *h, size_t *data) {
  const char *wrong = read_header(bytes, size, h, data);
  return wrong ? wrong : h->kind == 'U' || h->kind == 'S' ? "its elements are texts" : NULL;
}

static double number_at(const Header *h, const char *from) {
  float f;
  double d;
  int64_t wide = 0; // little endian, as the processor
  if (h->kind == 'b') return *from != 0;
  if (h->kind == 'f' && h->width == 4) return (double)*(float *)memcpy(&f, from, 4);
  if (h->kind == 'f') return *(double *)memcpy(&d, from, 8);
  memcpy(&wide, from, h->width);
  const int above = 64 - 8 * (int)h->width;
  if (h->kind == 'i') wide = (int64_t)((uint64_t)wide << above) >> above;
  return (double)wide;
}

// False where the number does not fit 32 bits.
static bool convert(const Header *h, const char *from, void *to) {
  if (h->width == 4 && h->kind != 'u') {
    memcpy(to, from, 4);
  } else if (h->kind == 'f') {
    const double d = number_at(h, from);
    *(float *)to = (float)d;
    return isfinite(*(float *)to) || !isfinite(d);
  } else if (h->kind == 'b') {
    *(int32_t *)to = *from != 0;
  } else {
    const double whole = number_at(h, from);
    const bool fits = whole >= INT32_MIN && whole <= INT32_MAX;
    *(int32_t *)to = fits ? (int32_t)whole : 0;
    return fits;
  }
  return true;
}

// The element of C-order place `at` lies at its reversed strides in a Fortran-order file.
static int64_t fortran_place(const Header *h, int64_t at) {
  int64_t place = 0, stride = h->count;
  for (int i = h->rank - 1; i >= 0; i--) {
    stride /= h->dim[i];
    place += at % h->dim[i] * stride;
    at /= h->dim[i];
  }
  return place;
}

// The file's bytes, of which the elements begin at *data; NULL after a report.
static char *open_array(const char *path, Header *h, size_t *data, reg_status *st) {
  size_t size;
  *h = (Header){0};
  char *bytes = reg_file_read(path, &size, "array_missing", st);
  const char *wrong = bytes ? read_numbers(bytes, size, h, data) : NULL;
  if (!wrong) return bytes;
  refuse(st, path, wrong);
  free(bytes);
  return NULL;
}

static const char *element(const Header *h, const char *elements, int64_t at) {
  return elements + (size_t)(h->fortran ? fortran_place(h, at) : at) * h->width;
}

static int too_large(reg_status *st, const char *path, const Header *h, int64_t at) {
  char text[REG_MAX_RANK * 22 + 1];
  Text place = reg_text_in(text, sizeof text);
  int64_t count = h->count;
  for (int i = 0; i < h->rank; i++) {
    count /= h->dim[i];
    reg_text_format(&place, "%s%lld", i ? ", " : "", (long long)(at / count));
    at %= count;
  }
  reg_fail(st, REG_BAD_DATA, "array_bad", "%s: element [%s] %s", path, text,
           h->kind == 'f' ? "is too large for a 32-bit float" : "is an integer that does not fit 32 bits");
  return st->code;
}

static void describe(const Header *h, reg_array *out) {
  out->dtype = h->kind == 'f' ? REG_F32 : h->kind == 'b' ? REG_BOOL : REG_I32;
  out->rank = h->rank;
  out->count = h->count;
  memcpy(out->dim, h->dim, sizeof h->dim);
}

int reg_npy_read(const char *path, reg_array *out, reg_status *st) {
  size_t data = 0;
  Header h;
  *out = (reg_array){0};
  char *bytes = open_array(path, &h, &data, st);
  if (!bytes) return st->code;
  size_t room = ((size_t)h.count * 4 / 64 + 1) * 64;
  char *values = aligned_alloc(64, room);
  int code = values ? REG_OK : reg_no_memory(st, room);
  for (int64_t i = 0; i < h.count && !code; i++)
    if (!convert(&h, element(&h, bytes + data, i), values + (size_t)i * 4)) code = too_large(st, path, &h, i);
  free(bytes);
  describe(&h, out);
  out->values = values;
  if (!code) return REG_OK;
  free(values);
  *out = (reg_array){0};
  return code;
}

int reg_npy_open(const char *path, const char *bytes, size_t size, reg_npy_view *v, bool texts,
                 reg_status *st) {
  size_t data = 0;
  *v = (reg_npy_view){0};
  const char *wrong = (texts ? read_header : read_numbers)(bytes, size, v, &data);
  v->elements = bytes + data;
  return wrong ? refuse(st, path, wrong) : REG_OK;
}

size_t reg_npy_label_room(const reg_npy_view *v) { return v->width > 32 ? v->width + 1 : 33; }

// Zero bytes behind a text are none of it.
bool reg_npy_label_at(const reg_npy_view *v, int64_t i, char *to, size_t *length) {
  const char *from = element(v, v->elements, i);
  const size_t room = reg_npy_label_room(v);
  int64_t whole = 0;
  *length = 0;
  if (v->kind == 'S') {
    *length = strnlen(from, v->width);
    memcpy(to, from, *length);
    return true;
  }
  for (size_t k = 0; v->kind == 'U' && k < v->width; k += 4) {
    uint32_t c;
    memcpy(&c, from + k, 4);
    const int n = reg_utf8_put(c, to + *length);
    if (!n) return false;
    if (!c) break;
    *length += (size_t)n;
  }
  if (v->kind == 'U') return true;
  if (v->kind == 'i' && v->width == 8)
    *length = (size_t)snprintf(to, room, "%lld", *(long long *)memcpy(&whole, from, 8)); // doubles hold less
  else
    *length = (size_t)snprintf(to, room, "%.17g", reg_npy_at(v, i));
  return true;
}

double reg_npy_at(const reg_npy_view *v, int64_t i) { return number_at(v, element(v, v->elements, i)); }

int reg_npy_numbers(const char *path, reg_array *shape, double **values, reg_status *st) {
  size_t size;
  reg_npy_view v;
  char *bytes = reg_file_read(path, &size, "array_missing", st);
  int code = bytes ? reg_npy_open(path, bytes, size, &v, false, st) : st->code;
  double *numbers = code ? NULL : malloc((size_t)(v.count + 1) * sizeof *numbers);
  for (int64_t i = 0; numbers && i < v.count; i++) numbers[i] = reg_npy_at(&v, i);
  if (!code && !numbers) code = reg_no_memory(st, (size_t)v.count * sizeof *numbers);
  if (!code) describe(&v, shape);
  if (!code) *values = numbers;
  free(bytes);
  return code;
}

// Format 1; the header is padded so that the elements begin at a multiple of 64 bytes. From four bytes an
// element, or from doubles.
static int write_array(const char *path, const reg_array *a, const double *numbers, reg_status *st) {
  static const char *const types[] = {"<f4", "<i4", "|b1"};
  char header[512];
  const size_t width = numbers ? 8 : a->dtype == REG_BOOL ? 1 : 4;
  Text text = reg_text_in(header, sizeof header);
  reg_text_bytes(&text, "\x93NUMPY\1\0\0\0", 10);
  reg_text_format(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                  numbers ? "<f8" : types[a->dtype]);
  for (int i = 0; i < a->rank; i++)
    reg_text_format(&text, "%lld,%s", (long long)a->dim[i], i + 1 < a->rank ? " " : "");
  reg_text_add(&text, "), }");
  const size_t used = text.used;
  size_t total = (used + 1 + 63) / 64 * 64;
  memset(header + used, ' ', total - used);
  header[total - 1] = '\n';
  header[8] = (char)((total - 10) & 255);
  header[9] = (char)((total - 10) >> 8);
  char *bytes = malloc(total + (size_t)a->count * width);
  if (!bytes) return reg_no_memory(st, total + (size_t)a->count * width);
  memcpy(bytes, header, total);
  if (width > 1 && a->count) memcpy(bytes + total, numbers ? numbers : a->values, (size_t)a->count * width);
  for (int64_t i = 0; i < a->count && width == 1; i++)
    bytes[total + (size_t)i] = ((const int32_t *)a->values)[i] != 0;
  int code = reg_file_write(path, bytes, total + (size_t)a->count * width, st);
  free(bytes);
  return code;
}

int reg_npy_write(const char *path, const reg_array *a, reg_status *st) {
  return write_array(path, a, NULL, st);
}

int reg_npy_write_numbers(const char *path, const reg_array *shape, const double *values, reg_status *st) {
  return write_array(path, shape, values, st);
}
