// NumPy's array files: magic, version, header length, a Python dictionary literal, raw elements. The
// dictionary is read by a scanner for the three keys that the format defines; anything else is refused. Every
// size is checked before it is used.
#include "reg/npy.h"
#include "large.h"
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

static const char *const no_type = "the element type is none of float16, float32, float64, integers, bool, "
                                   "datetime64, timedelta64 and texts",
                         *const of_objects = "its elements are Python objects",
                         *const of_complex = "its elements are complex numbers",
                         *const of_bytes = "its elements are bytes without a meaning",
                         *const of_fields = "it is a structured array",
                         *const of_texts = "its elements are texts",
                         *const of_units = "its times are in months, in years or in no unit";

static int refuse(reg_status *st, const char *path, const char *what) {
  const struct {
    const char *what, *hint;
  } hints[] = {
      {of_objects, "make numbers of them before they are saved, x.astype(float); targets and groups may be "
                   "texts, y.astype(str)"},
      {of_complex, "save their parts: numpy.stack([x.real, x.imag], axis=-1)"},
      {of_bytes, "make numbers of them before they are saved: x.astype(numpy.float32)"},
      {of_fields,
       "save its fields as columns: numpy.stack([s[n] for n in s.dtype.names], axis=-1); or each as an "
       "array: numpy.savez(PATH, **{n: s[n] for n in s.dtype.names})"},
      {of_texts, "x.astype(float) makes numbers of them; targets, groups and names of rows may be texts"},
      {of_units, "x.astype(\"datetime64[s]\") has seconds"}};
  reg_fail(st, REG_BAD_DATA, "array_bad", "%s: %s", path, what);
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (what == hints[i].what) return reg_hint(st, "%s", hints[i].hint), REG_BAD_DATA;
  reg_hint(st, "arrays are written by numpy.save or numpy.savez as numbers: x.astype(numpy.float32)");
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

// `[25us]`: so many of a unit are a tick. In seconds: one of `per` of them, or so many.
static const char *read_unit(const char *at, Header *h) {
  static const struct {
    char name[4];
    int64_t seconds, per;
  } units[] = {{"W", 604800, 1},   {"D", 86400, 1},       {"h", 3600, 1},
               {"m", 60, 1},       {"s", 1, 1},           {"ms", 1, 1000},
               {"us", 1, 1000000}, {"ns", 1, 1000000000}, {"ps", 1, INT64_C(1000000000000)}};
  if (*at++ != '[') return of_units;
  char *unit;
  long count = strtol(at, &unit, 10);
  if (count < 1) count = 1;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    const size_t n = strlen(units[i].name);
    if (strncmp(unit, units[i].name, n) != 0 || unit[n] != ']' || count > INT32_MAX) continue;
    h->seconds = units[i].seconds * count;
    h->per = units[i].per;
    return NULL;
  }
  return of_units;
}

// `'<f4'`: the order of bytes, what the elements are and how many bytes each has, of texts how many
// characters.
static const char *read_descr(const char *dictionary, Header *h) {
  const char *at = value_of(dictionary, "'descr'");
  if (!at) return "the header has no descr";
  if (*at == '[' || *at == '(') return of_fields;
  if (*at++ != '\'' || !*at || !strchr("<>|=", *at)) return no_type;
  h->swapped = *at++ == '>';
  if (!*at) return no_type;
  h->kind = *at++;
  char *unit;
  const long width = strtol(at, &unit, 10);
  const bool whole = width == 1 || width == 2 || width == 4 || width == 8;
  h->width = width > 0 ? (size_t)width : 0;
  switch (h->kind) {
  case 'O': return of_objects;
  case 'c': return of_complex;
  case 'V': return of_bytes;
  case 'U':
  case 'S':
    if (width < 0 || width > LONGEST_TEXT) return "its texts are too long";
    h->width *= h->kind == 'U' ? 4 : 1;
    return NULL;
  case 'M':
  case 'm': return width == 8 ? read_unit(unit, h) : no_type;
  case 'f': return whole && width > 1 ? NULL : no_type;
  case 'b': return width == 1 ? NULL : no_type;
  case 'i':
  case 'u': return whole ? NULL : no_type;
  default: return no_type;
  }
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
  return wrong ? wrong : h->kind == 'U' || h->kind == 'S' ? of_texts : NULL;
}

// Its bytes as those of an integer of 64 bits.
static uint64_t bits_at(const Header *h, const char *from) {
  uint64_t bits = 0; // little endian, as the processor
  memcpy(&bits, from, h->width);
  return h->swapped ? __builtin_bswap64(bits) >> (64 - 8 * h->width) : bits;
}

static int64_t whole_at(const Header *h, const char *from) {
  const int above = 64 - 8 * (int)h->width;
  return (int64_t)(bits_at(h, from) << above) >> above;
}

// Seconds, of days since 1970; of NaT not a number.
static double seconds_at(const Header *h, const char *from) {
  const int64_t ticks = whole_at(h, from);
  int64_t parts;
  if (ticks == INT64_MIN) return NAN;
  if (__builtin_mul_overflow(ticks, h->seconds, &parts))
    return (double)ticks * (double)h->seconds / (double)h->per;
  return (double)(parts / h->per) + (double)(parts % h->per) / (double)h->per;
}

static double number_at(const Header *h, const char *from) {
  double d;
  float f;
  if (h->kind == 'f' && h->width == 4 && !h->swapped) return (double)*(float *)memcpy(&f, from, 4);
  if (h->kind == 'f' && h->width == 8 && !h->swapped) return *(double *)memcpy(&d, from, 8);
  switch (h->kind) {
  case 'b': return *from != 0;
  case 'i': return (double)whole_at(h, from);
  case 'u': return (double)bits_at(h, from);
  case 'M':
  case 'm': return seconds_at(h, from);
  default: break;
  }
  const uint64_t bits = bits_at(h, from);
  const uint32_t single = (uint32_t)bits;
  if (h->width == 2) return (double)reg_from_half((uint16_t)bits);
  if (h->width == 4) return (double)*(float *)memcpy(&f, &single, 4);
  return *(double *)memcpy(&d, &bits, 8);
}

static bool is_real(const Header *h) { return h->kind == 'f' || h->kind == 'M' || h->kind == 'm'; }

// False where the number does not fit 32 bits.
static bool convert(const Header *h, const char *from, void *to) {
  const double number = number_at(h, from);
  if (is_real(h)) {
    *(float *)to = (float)number;
    return isfinite(*(float *)to) || !isfinite(number);
  }
  const bool fits = number >= INT32_MIN && number <= INT32_MAX;
  *(int32_t *)to = fits ? (int32_t)number : 0;
  return fits;
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
           is_real(h) ? "is too large for a 32-bit float" : "is an integer that does not fit 32 bits");
  return st->code;
}

static void describe(const Header *h, reg_array *out) {
  out->dtype = is_real(h) ? REG_F32 : h->kind == 'b' ? REG_BOOL : REG_I32;
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
  *length = 0;
  if (v->kind == 'S') {
    *length = strnlen(from, v->width);
    memcpy(to, from, *length);
    return true;
  }
  for (size_t k = 0; v->kind == 'U' && k < v->width; k += 4) {
    uint32_t c;
    memcpy(&c, from + k, 4);
    if (v->swapped) c = __builtin_bswap32(c);
    const int n = reg_utf8_put(c, to + *length);
    if (!n) return false;
    if (!c) break;
    *length += (size_t)n;
  }
  if (v->kind == 'U') return true;
  if (v->kind == 'i' && v->width == 8) // doubles hold less
    *length = (size_t)snprintf(to, room, "%lld", (long long)whole_at(v, from));
  else if (v->kind == 'u' && v->width == 8)
    *length = (size_t)snprintf(to, room, "%llu", (unsigned long long)bits_at(v, from));
  else
    *length = (size_t)snprintf(to, room, "%.17g", reg_npy_at(v, i));
  return true;
}

double reg_npy_at(const reg_npy_view *v, int64_t i) { return number_at(v, element(v, v->elements, i)); }

int reg_npy_numbers(const char *path, const char *array, reg_array *shape, double **values, reg_status *st) {
  size_t size;
  reg_npy_view v;
  double *numbers = NULL;
  char *bytes = reg_file_read_large(path, &size, "array_missing", st), *member = NULL;
  int code = bytes ? REG_OK : st->code;
  if (!code && array) code = reg_npz_member(path, bytes, size, array, &member, &size, st);
  if (!code) code = reg_npy_open(path, array ? member : bytes, size, &v, false, st);
  const size_t wanted = code ? 0 : (size_t)(v.count + 1) * sizeof *numbers;
  if (!code && !(numbers = reg_large_resize(NULL, wanted))) code = reg_no_memory(st, wanted);
  for (int64_t i = 0; !code && i < v.count; i++) numbers[i] = reg_npy_at(&v, i);
  if (!code) describe(&v, shape);
  if (!code) *values = numbers;
  reg_large_free(member);
  reg_large_free(bytes);
  return code;
}

void reg_npy_numbers_free(double *values) { reg_large_free(values); }

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
