// Named tensors in one file: see reg/safetensors.h. Every size is checked before it is used; the file is
// foreign.
#include "reg/safetensors.h"
#include "io/json.h"
#include "reg/file.h"
#include "support.h"
#include "text/text.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIZE_BYTES = 8, MAX_SAVED_RANK = 8 };

// The JSON header: each tensor's type, shape and place.
static size_t bytes_of(const reg_saved_tensor *t) { return (size_t)t->count * reg_dtype_bytes(t->dtype); }

static void put_header(Text *o, int count, const reg_saved_tensor *tensors) {
  size_t at = 0;
  reg_text_add(o, "{");
  for (int i = 0; i < count; i++) {
    const reg_saved_tensor *t = &tensors[i];
    const size_t end = at + bytes_of(t);
    reg_text_key(o, t->name);
    reg_text_format(o, "{\"dtype\":\"%s\",\"shape\":[", t->dtype == REG_F64 ? "F64" : "F32");
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
  for (int i = 0; i < count; i++) total += bytes_of(&tensors[i]);
  char *bytes = o.failed ? NULL : malloc(total);
  int code = bytes ? REG_OK : reg_no_memory(st, total);
  if (bytes) {
    memcpy(bytes, &header, SIZE_BYTES);
    memcpy(bytes + SIZE_BYTES, o.data, header);
    char *to = bytes + SIZE_BYTES + header;
    for (int i = 0; i < count; i++) {
      const size_t size = bytes_of(&tensors[i]);
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

// What the header says of one tensor, as it stands there.
typedef struct Description {
  char dtype[8];
  int rank;
  int64_t dim[MAX_SAVED_RANK], offsets[2];
  bool has_dtype, has_shape, has_offsets;
  bool twice, deep, fraction; // a key stands twice; more dimensions than that; a dimension is no integer
} Description;

// A list of integers into out[0..room); how many there are, -1 where it is something else.
static int read_integers(Json *j, int64_t *out, int room) {
  int count = 0;
  bool whole = true;
  if (!json_enter(j, '[')) return -1;
  for (bool first = true; json_more(j, ']', &first); count++) {
    int64_t value;
    whole = json_integer(j, &value) && whole;
    if (whole && count < room) out[count] = value;
  }
  return whole ? count : -1;
}

static void read_member(Json *j, const char *key, Description *d) {
  if (!strcmp(key, "dtype")) {
    Text dtype = reg_text_in(d->dtype, sizeof d->dtype);
    d->twice |= d->has_dtype;
    d->has_dtype = json_string(j, &dtype);
  } else if (!strcmp(key, "shape")) {
    const int rank = read_integers(j, d->dim, MAX_SAVED_RANK);
    d->twice |= d->has_shape;
    d->has_shape = true;
    d->deep = rank > MAX_SAVED_RANK;
    d->fraction = rank < 0;
    d->rank = d->deep || d->fraction ? 0 : rank;
  } else if (!strcmp(key, "data_offsets")) {
    d->twice |= d->has_offsets;
    d->has_offsets = read_integers(j, d->offsets, 2) == 2;
  } else {
    json_skip(j);
  }
}

static Description read_description(Json *j) {
  Description d = {0};
  if (!json_enter(j, '{')) return d;
  for (bool first = true; json_more(j, '}', &first);) {
    char room[16];
    Text key = reg_text_in(room, sizeof room);
    json_key(j, &key);
    read_member(j, key.failed ? "" : room, &d);
  }
  return d;
}

static bool fits(int64_t value, size_t limit) { return value >= 0 && (uint64_t)value <= limit; }

static int check_place(const Source *s, const char *name, const Description *d, Place *p) {
  size_t count = 1;
  if (d->twice) return refuse(s, name, "its entry says something twice");
  if (!d->has_dtype || !d->has_shape || !d->has_offsets)
    return refuse(s, name, "its entry lacks dtype, shape or data_offsets");
  if (!read_type(d->dtype, p)) return refuse(s, name, "its type is none of F32, F64, F16, BF16, I32, I64");
  if (d->deep) return refuse(s, name, "it has more than 8 dimensions");
  if (d->fraction) return refuse(s, name, "a dimension is no integer");
  for (int i = 0; i < d->rank; i++) {
    if (!fits(d->dim[i], s->size)) return refuse(s, name, "a dimension is larger than the file");
    if (__builtin_mul_overflow(count, (size_t)d->dim[i], &count) || count > s->size)
      return refuse(s, name, "it is larger than the file");
  }
  if (!fits(d->offsets[0], s->size) || !fits(d->offsets[1], s->size) || d->offsets[1] < d->offsets[0])
    return refuse(s, name, "its offsets lie outside the file");
  p->begin = (size_t)d->offsets[0];
  p->end = (size_t)d->offsets[1];
  if (p->end - p->begin != count * p->width) return refuse(s, name, "its offsets do not fit its shape");
  p->tensor.rank = d->rank;
  memcpy(p->tensor.dim, d->dim, sizeof p->tensor.dim);
  p->tensor.count = (int64_t)count;
  return REG_OK;
}

static float from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static int read_values(const Source *s, Place *p) {
  p->tensor.dtype = p->width == 2 || (p->kind == 'f' && p->width == 4) ? REG_F32 : REG_F64;
  void *values = reg_heap_take(s->heap, bytes_of(&p->tensor));
  if (!values) return reg_no_memory(s->st, bytes_of(&p->tensor));
  for (int64_t i = 0; i < p->tensor.count; i++) {
    const char *from = s->data + p->begin + (size_t)i * p->width;
    int32_t i32;
    int64_t i64;
    uint16_t half;
    if (p->width == 2)
      memcpy(&half, from, 2),
          ((float *)values)[i] = p->kind == 'h' ? reg_from_half(half) : from_bits((uint32_t)half << 16);
    else if (p->kind == 'f')
      memcpy((char *)values + (size_t)i * p->width, from, p->width);
    else if (p->width == 4)
      memcpy(&i32, from, 4), ((double *)values)[i] = i32;
    else
      memcpy(&i64, from, 8), ((double *)values)[i] = (double)i64;
  }
  p->tensor.values = values;
  return REG_OK;
}

static int by_begin(const void *a, const void *b) {
  const Place *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

typedef struct Places {
  Place *data;
  int count, room;
} Places;

static Place *another(Places *all) {
  if (all->count == all->room) {
    const int room = all->room ? 2 * all->room : 32;
    Place *grown = all->room > INT32_MAX / 2 ? NULL : realloc(all->data, (size_t)room * sizeof *grown);
    if (!grown) return NULL;
    all->data = grown;
    all->room = room;
  }
  all->data[all->count] = (Place){0};
  return &all->data[all->count++];
}

// One member of the header. What is no JSON is told at its end.
static int read_place(const Source *s, Json *j, Places *all) {
  Text name = {0};
  json_key(j, &name);
  const bool metadata = !name.failed && !j->bad && !strcmp(name.data, "__metadata__");
  int code = name.failed ? reg_no_memory(s->st, name.used) : REG_OK;
  if (metadata) json_skip(j);
  if (!code && !j->bad && !metadata) {
    const Description d = read_description(j);
    Place *p = j->bad ? NULL : another(all);
    if (!j->bad && !p) code = reg_no_memory(s->st, sizeof *p);
    if (p) code = check_place(s, name.data, &d, p);
    if (p && !code && !(p->tensor.name = reg_heap_copy(s->heap, name.data, name.used)))
      code = reg_no_memory(s->st, name.used);
  }
  reg_text_free(&name);
  return code;
}

static int read_header(const Source *s, Json *j, Places *all) {
  int code = REG_OK;
  if (json_enter(j, '{'))
    for (bool first = true; !code && json_more(j, '}', &first);) code = read_place(s, j, all);
  else
    j->bad = true;
  return code || json_end(j) ? code : refuse(s, NULL, "the header is not a JSON object");
}

static int by_name(const void *a, const void *b) {
  const Place *x = a, *y = b;
  return strcmp(x->tensor.name, y->tensor.name);
}

static int check_names(const Source *s, Places *all) {
  if (all->count) qsort(all->data, (size_t)all->count, sizeof *all->data, by_name);
  for (int i = 1; i < all->count; i++)
    if (by_name(&all->data[i - 1], &all->data[i]) == 0)
      return refuse(s, all->data[i].tensor.name, "it is there twice");
  return REG_OK;
}

static int read_all_values(const Source *s, Places *all) {
  size_t at = 0;
  int code = REG_OK;
  if (all->count) qsort(all->data, (size_t)all->count, sizeof *all->data, by_begin);
  for (int i = 0; i < all->count; i++) {
    if (all->data[i].begin != at)
      return refuse(s, all->data[i].tensor.name, "its bytes overlap another tensor's, or leave a gap");
    at = all->data[i].end;
    if ((code = read_values(s, &all->data[i]))) return code;
  }
  return at == s->size ? REG_OK : refuse(s, NULL, "there are bytes behind the last tensor");
}

static int read_tensors(const Source *s, Json header, reg_saved *out) {
  Places all = {0};
  int code = read_header(s, &header, &all);
  if (!code) code = check_names(s, &all);
  if (!code) code = read_all_values(s, &all);
  out->tensors = code ? NULL : reg_heap_take(s->heap, (size_t)all.count * sizeof *out->tensors);
  if (!code && !out->tensors) code = reg_no_memory(s->st, (size_t)all.count * sizeof *out->tensors);
  for (int i = 0; i < all.count && !code; i++) out->tensors[i] = all.data[i].tensor;
  out->count = code ? 0 : all.count;
  free(all.data);
  return code;
}

int reg_safetensors_read(const char *path, reg_saved *out, reg_status *st) {
  size_t size;
  uint64_t header_size;
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
    code = read_tensors(&s, json_of(bytes + SIZE_BYTES, header_size), out);
  }
  free(bytes);
  out->memory = s.heap;
  if (code) reg_saved_free(out);
  return code;
}

const reg_saved_tensor *reg_saved_find(const reg_saved *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (!strcmp(s->tensors[i].name, name)) return &s->tensors[i];
  return NULL;
}

void reg_saved_free(reg_saved *s) {
  if (s->memory) reg_heap_free(s->memory);
  free(s->memory);
  *s = (reg_saved){0};
}
