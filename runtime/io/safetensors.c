// Named tensors in one file: see reg/safetensors.h. Every size is checked before it is used; the file is
// foreign.
#include "reg/safetensors.h"
#include "io/json.h"
#include "reg/file.h"
#include "support.h"
#include "text/text.h"
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIZE_BYTES = 8, MAX_SAVED_RANK = 8 };

// The JSON header: each tensor's type, shape and place.
static void put_header(Text *o, int count, const reg_saved_tensor *tensors) {
  size_t at = 0;
  reg_text_add(o, "{");
  for (int i = 0; i < count; i++) {
    const reg_saved_tensor *t = &tensors[i];
    const size_t end = at + (size_t)t->count * sizeof(float);
    reg_text_key(o, t->name);
    reg_text_add(o, "{\"dtype\":\"F32\",\"shape\":[");
    for (int k = 0; k < t->rank; k++) reg_text_format(o, k ? ",%lld" : "%lld", (long long)t->dim[k]);
    reg_text_format(o, "],\"data_offsets\":[%zu,%zu]}", at, end);
    at = end;
  }
  reg_text_add(o, "}");
}

int reg_safetensors_write(const char *path, int count, const reg_saved_tensor *tensors, reg_status *st) {
  static const char blanks[SIZE_BYTES] = "        ";
  Text o = {0};
  put_header(&o, count, tensors);
  reg_text_bytes(&o, blanks, -o.used % SIZE_BYTES); // tensors start at a multiple of 8
  const uint64_t header = o.used;
  size_t total = SIZE_BYTES + header;
  for (int i = 0; i < count; i++) total += (size_t)tensors[i].count * sizeof(float);
  char *bytes = o.failed ? NULL : malloc(total);
  int code = bytes ? REG_OK : reg_no_memory(st, total);
  if (bytes) {
    memcpy(bytes, &header, SIZE_BYTES);
    memcpy(bytes + SIZE_BYTES, o.data, header);
    char *to = bytes + SIZE_BYTES + header;
    for (int i = 0; i < count; i++) {
      const size_t size = (size_t)tensors[i].count * sizeof(float);
      if (size) memcpy(to, tensors[i].values, size);
      to += size;
    }
    code = reg_file_write(path, bytes, total, st);
  }
  free(bytes);
  reg_text_free(&o);
  return code;
}

typedef struct Source {
  const char *path, *data; // data: behind the header
  size_t size;             // of data
  Heap *heap;
  reg_status *st;
} Source;

typedef struct Place {
  reg_saved_tensor tensor;
  size_t begin, end, width;
  char kind; // 'f', 'i', 'h' (F16) or 'b' (BF16)
} Place;

static int refuse(const Source *s, const char *name, const char *what) {
  if (name)
    return reg_fail(s->st, REG_BAD_DATA, "weights_bad", "%s: tensor `%.80s`: %s", s->path, name, what);
  return reg_fail(s->st, REG_BAD_DATA, "weights_bad", "%s: %s", s->path, what);
}

static bool read_type(const char *dtype, Place *p) {
  static const struct {
    const char *name;
    size_t width;
    char kind;
  } types[] = {{"F32", 4, 'f'}, {"F64", 8, 'f'}, {"F16", 2, 'h'},
               {"I32", 4, 'i'}, {"I64", 8, 'i'}, {"BF16", 2, 'b'}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (!strcmp(dtype, types[i].name)) {
      p->width = types[i].width;
      p->kind = types[i].kind;
      return true;
    }
  return false;
}

static bool read_size(const json_t *number, size_t limit, size_t *out) {
  if (!json_is_integer(number)) return false;
  json_int_t value = json_integer_value(number);
  *out = (size_t)value;
  return value >= 0 && (uint64_t)value <= limit;
}

static int read_place(const Source *s, const char *name, const json_t *entry, Place *p) {
  const char *dtype = json_string_value(json_object_get(entry, "dtype"));
  const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
  if (!dtype || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2)
    return refuse(s, name, "its entry lacks dtype, shape or data_offsets");
  if (!read_type(dtype, p)) return refuse(s, name, "its type is none of F32, F64, F16, BF16, I32, I64");
  if (json_array_size(shape) > MAX_SAVED_RANK) return refuse(s, name, "it has more than 8 dimensions");
  size_t count = 1;
  p->tensor.rank = (int)json_array_size(shape);
  for (int i = 0; i < p->tensor.rank; i++) {
    size_t dim;
    if (!read_size(json_array_get(shape, (size_t)i), s->size, &dim))
      return refuse(s, name, "a dimension is larger than the file");
    if (__builtin_mul_overflow(count, dim, &count) || count > s->size)
      return refuse(s, name, "it is larger than the file");
    p->tensor.dim[i] = (int64_t)dim;
  }
  if (!read_size(json_array_get(offsets, 0), s->size, &p->begin) ||
      !read_size(json_array_get(offsets, 1), s->size, &p->end) || p->end < p->begin)
    return refuse(s, name, "its offsets lie outside the file");
  if (p->end - p->begin != count * p->width) return refuse(s, name, "its offsets do not fit its shape");
  p->tensor.count = (int64_t)count;
  p->tensor.name = reg_heap_copy(s->heap, name, strlen(name));
  return p->tensor.name ? REG_OK : reg_no_memory(s->st, strlen(name));
}

static float from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

// IEEE binary16: 5 bits of exponent, 10 of fraction; every value of it is a float.
static float from_half(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
  if (exponent == 0x1f) return from_bits(sign | 0x7f800000 | fraction << 13);
  if (exponent) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
  float small = (float)fraction * 0x1p-24f;
  return sign ? -small : small;
}

static int read_values(const Source *s, Place *p) {
  float *values = reg_heap_take(s->heap, (size_t)p->tensor.count * sizeof *values);
  if (!values) return reg_no_memory(s->st, (size_t)p->tensor.count * sizeof *values);
  for (int64_t i = 0; i < p->tensor.count; i++) {
    const char *from = s->data + p->begin + (size_t)i * p->width;
    float f;
    double d;
    int32_t i32;
    int64_t i64;
    uint16_t half;
    if (p->width == 2)
      memcpy(&half, from, 2), values[i] = p->kind == 'h' ? from_half(half) : from_bits((uint32_t)half << 16);
    else if (p->kind == 'f' && p->width == 4)
      memcpy(&f, from, 4), values[i] = f;
    else if (p->kind == 'f') {
      memcpy(&d, from, 8), values[i] = (float)d;
      if (isfinite(d) && isinf(values[i]))
        return refuse(s, p->tensor.name, "it holds a number that is too large for a 32-bit float");
    } else if (p->width == 4)
      memcpy(&i32, from, 4), values[i] = (float)i32;
    else
      memcpy(&i64, from, 8), values[i] = (float)i64;
  }
  p->tensor.values = values;
  return REG_OK;
}

static int by_begin(const void *a, const void *b) {
  const Place *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

static int read_places(const Source *s, json_t *header, Place *places, int *count) {
  const char *name;
  json_t *entry;
  int code = REG_OK;
  json_object_foreach(header, name, entry) {
    if (!strcmp(name, "__metadata__")) continue;
    if ((code = read_place(s, name, entry, &places[*count]))) return code;
    (*count)++;
  }
  qsort(places, (size_t)*count, sizeof *places, by_begin);
  size_t at = 0;
  for (int i = 0; i < *count; i++) {
    if (places[i].begin != at)
      return refuse(s, places[i].tensor.name, "its bytes overlap another tensor's, or leave a gap");
    at = places[i].end;
    if ((code = read_values(s, &places[i]))) return code;
  }
  return at == s->size ? REG_OK : refuse(s, NULL, "there are bytes behind the last tensor");
}

static int read_tensors(const Source *s, json_t *header, reg_saved *out) {
  Place *places = calloc(json_object_size(header) + 1, sizeof *places);
  int count = 0,
      code = places ? read_places(s, header, places, &count) : reg_no_memory(s->st, sizeof *places);
  out->tensors = code ? NULL : reg_heap_take(s->heap, (size_t)count * sizeof *out->tensors);
  if (!code && !out->tensors) code = reg_no_memory(s->st, (size_t)count * sizeof *out->tensors);
  for (int i = 0; i < count && !code; i++) out->tensors[i] = places[i].tensor;
  out->count = code ? 0 : count;
  free(places);
  return code;
}

int reg_safetensors_read(const char *path, reg_saved *out, reg_status *st) {
  size_t size;
  uint64_t header_size;
  json_error_t error = {0};
  *out = (reg_saved){0};
  struct stat info; // what has no end would be read without end
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
    return reg_fail(st, REG_BAD_DATA, "weights_bad", "%s: not a regular file", path);
  char *bytes = reg_file_read(path, &size, "weights_missing", st);
  if (!bytes) return st->code;
  Source s = {.path = path, .st = st, .heap = calloc(1, sizeof(Heap))};
  int code = s.heap ? REG_OK : reg_no_memory(st, sizeof(Heap));
  if (!code && size < SIZE_BYTES) code = refuse(&s, NULL, "too short for a header");
  if (!code) {
    memcpy(&header_size, bytes, SIZE_BYTES);
    if (header_size > size - SIZE_BYTES) code = refuse(&s, NULL, "the header is longer than the file");
  }
  if (!code) {
    s.data = bytes + SIZE_BYTES + header_size;
    s.size = size - SIZE_BYTES - header_size;
    json_t *header = json_loadb(bytes + SIZE_BYTES, header_size, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(header))
      code = read_tensors(&s, header, out);
    else if (header || !json_out_of_memory(&error))
      code = refuse(&s, NULL, "the header is not a JSON object");
    else
      code = reg_no_memory(st, header_size);
    json_decref(header);
  }
  free(bytes);
  out->memory = s.heap;
  if (code) reg_saved_free(out);
  return code;
}

void reg_saved_free(reg_saved *s) {
  if (s->memory) reg_heap_free(s->memory);
  free(s->memory);
  *s = (reg_saved){0};
}
