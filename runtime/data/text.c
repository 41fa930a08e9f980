// A text as a table: windows of so many characters, one behind the other. In: a UTF-8 file. Out: x, the
// characters of a window, and next, for each of them the one behind it; both as classes, the different
// characters of the file in the order of their code points. Characters at the end that do not fill a window,
// or have none behind them, are left out.
#include "text/text.h"
#include "data/table.h"
#include "reg/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 0x110000, LONGEST = 5 };

typedef struct Characters {
  const char *path;
  int32_t *code; // of each character of the file
  int64_t count;
} Characters;

static int32_t decode(const unsigned char *s, int length) {
  static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  int32_t code = s[0] & lead[length];
  for (int i = 1; i < length; i++) code = code << 6 | (s[i] & 0x3f);
  return code;
}

static int encode(int32_t code, char *out) {
  const int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (int i = length - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(lead[length] | code);
  out[length] = 0;
  return length;
}

static int read_characters(Characters *c, const char *text, size_t size, reg_status *st) {
  if (!(c->code = malloc((size + 1) * sizeof *c->code))) return reg_no_memory(st, size * sizeof *c->code);
  for (size_t at = 0; at < size;) {
    const int length = reg_utf8_length(text + at, size - at);
    if (!length) {
      reg_fail(st, REG_BAD_DATA, "data_bad", "%s: byte %zu is no UTF-8", c->path, at + 1);
      return reg_hint(st, "save it as UTF-8"), st->code;
    }
    c->code[c->count++] = decode((const unsigned char *)text + at, length);
    at += (size_t)length;
  }
  return REG_OK;
}

// The classes of all characters, and their names.
static int number_characters(Heap *heap, const Characters *c, reg_field *f, int32_t **class_of) {
  int32_t *number = *class_of = calloc(CODES, sizeof *number);
  if (!number) return -1;
  for (int64_t i = 0; i < c->count; i++) number[c->code[i]] = 1;
  for (int32_t k = 0; k < CODES; k++)
    if (number[k]) number[k] = (int32_t)f->nclasses++;
  f->class_names = reg_heap_take(heap, (size_t)f->nclasses * sizeof *f->class_names);
  char *names = reg_heap_take(heap, (size_t)f->nclasses * LONGEST);
  if (!f->class_names || !names) return -1;
  for (int64_t i = 0; i < c->count; i++) {
    const int32_t k = number[c->code[i]];
    if (f->class_names[k]) continue;
    f->class_names[k] = names + (size_t)k * LONGEST;
    encode(c->code[i], f->class_names[k]);
  }
  return REG_OK;
}

// Each window from `ahead` characters further on.
static int fill_classes(Heap *heap, const Characters *c, const int32_t *class_of, int64_t rows, int ahead,
                        reg_field *f) {
  if (!(f->classes = reg_heap_take(heap, (size_t)(rows * f->width) * sizeof *f->classes))) return -1;
  for (int64_t i = 0; i < rows * f->width; i++) f->classes[i] = class_of[c->code[i + ahead]];
  return REG_OK;
}

const char *const *data_numbers(Heap *heap, int64_t count) {
  enum { DIGITS = 21 };
  const char **columns = reg_heap_take(heap, (size_t)count * sizeof *columns);
  char *names = reg_heap_take(heap, (size_t)count * DIGITS);
  if (!columns || !names) return NULL;
  for (int64_t j = 0; j < count; j++) {
    snprintf(names + j * DIGITS, DIGITS, "%lld", (long long)j);
    columns[j] = names + j * DIGITS;
  }
  return columns;
}

// Columns of x, for whoever names them; nothing is done to them.
int data_number_columns(Heap *heap, reg_dataset *d, int64_t window) {
  const size_t n = (size_t)window;
  d->columns = data_numbers(heap, window);
  d->nsources = d->ncurves = 0;
  d->shift = reg_heap_take(heap, n * sizeof *d->shift);
  d->factor = reg_heap_take(heap, n * sizeof *d->factor);
  if (!d->columns || !d->shift || !d->factor) return -1;
  for (int64_t j = 0; j < window; j++) d->factor[j] = 1;
  return REG_OK;
}

static int make_fields(reg_dataset *d, Heap *heap, const Characters *c, int64_t window) {
  int32_t *class_of = NULL, *rows = reg_heap_take(heap, (size_t)d->nrows * sizeof *rows);
  reg_field *f = d->fields = reg_heap_take(heap, 3 * sizeof *d->fields);
  if (!f || !rows) return -1;
  d->nfields = 3;
  d->target = 1;
  d->named = -1;
  f[0] = (reg_field){.name = "x",
                     .dtype = REG_I32,
                     .rank = 1,
                     .dim = {window},
                     .width = window,
                     .why = "characters are no numbers"};
  int code = number_characters(heap, c, &f[0], &class_of);
  f[1] = f[0];
  f[1].name = "next";
  for (int k = 0; k < 2 && !code; k++) code = fill_classes(heap, c, class_of, d->nrows, k, &f[k]);
  free(class_of);
  for (int64_t i = 0; i < d->nrows; i++) rows[i] = (int32_t)i;
  f[2] = (reg_field){.name = "id", .dtype = REG_I32, .width = 1, .values = rows};
  return code ? code : data_number_columns(heap, d, window);
}

static int make_table(reg_dataset *d, Heap *heap, const Characters *c, int64_t window, reg_status *st) {
  d->nrows = (c->count - 1) / window;
  if (d->nrows < 1) {
    reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %lld characters are no window of %lld with one behind it",
             c->path, (long long)c->count, (long long)window);
    return st->code;
  }
  if (d->nrows > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%lld rows are more than a data set can have (2147483647)",
                    (long long)d->nrows);
  return make_fields(d, heap, c, window) ? reg_no_memory(st, (size_t)(d->nrows * window) * 8) : REG_OK;
}

int data_read_text(reg_dataset *d, Heap *heap, const reg_data_op *op, reg_status *st) {
  size_t size;
  Characters c = {.path = op->path};
  char *text = reg_file_read(op->path, &size, "data_missing", st);
  if (!text) return st->code;
  reg_checksum(text, size, d->checksum);
  int code = read_characters(&c, text, size, st);
  if (!code) code = make_table(d, heap, &c, op->window, st);
  free(c.code);
  free(text);
  return code;
}
