// A text as a table: windows of so many tokens, one behind the other, or its lines. In: a UTF-8 file. Out: x,
// the tokens of a row, and next, for each of them the one behind it; both as classes: the different
// characters of the file in the order of their code points, or what tokens.h learns of the training part.
// Tokens at the end that do not fill a window, or have none behind them, are left out. A line's row begins
// with a line end and has what fits of the line behind it; `length` is how many of its places are taken, line
// ends follow.
#include "text/text.h"
#include "data/encoder.h"
#include "data/table.h"
#include "data/tokens.h"
#include "reg/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 0x110000, LONGEST = 5 };

typedef struct Source {
  const reg_data_plan *plan;
  const reg_data_op *op;
  char *text;
  size_t size;
  Tokens tokens;
  int64_t nrows;
  int64_t *first;  // of each line, among the tokens
  int32_t *length; // places of its row that are taken; both NULL for windows
} Source;

static int32_t decode(const unsigned char *s, int length) {
  static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  int32_t code = s[0] & lead[length];
  for (int i = 1; i < length; i++) code = code << 6 | (s[i] & 0x3f);
  return code;
}

static int refuse_byte(const Source *s, size_t at, const char *what, reg_status *st) {
  int64_t line = 1;
  for (size_t i = 0; i < at; i++) line += s->text[i] == '\n';
  reg_fail(st, REG_BAD_DATA, "data_bad", "%s: byte %zu is %s, in line %lld", s->op->path, at + 1, what,
           (long long)line);
  return reg_hint(st, "save it as UTF-8"), st->code;
}

// As the file has them: behind this marks and line ends go.
static int check_bytes(const Source *s, reg_status *st) {
  if (s->size >= 2 && (!memcmp(s->text, "\xff\xfe", 2) || !memcmp(s->text, "\xfe\xff", 2))) {
    reg_fail(st, REG_BAD_DATA, "data_bad", "%s: the file is UTF-16", s->op->path);
    return reg_hint(st, "save it as UTF-8"), st->code;
  }
  for (size_t at = 0, length; at < s->size; at += length) {
    length = (size_t)reg_utf8_length(s->text + at, s->size - at);
    if (!length) return refuse_byte(s, at, "no UTF-8", st);
    if (!s->text[at] && (s->op->words || s->op->merges))
      return refuse_byte(s, at, "0, which no text holds", st);
  }
  return REG_OK;
}

// Code points, which number_characters makes classes of.
static int read_characters(Source *s, reg_status *st) {
  Tokens *t = &s->tokens;
  t->of = malloc((s->size + 1) * sizeof *t->of);
  t->at = malloc((s->size + 1) * sizeof *t->at);
  if (!t->of || !t->at) return reg_no_memory(st, s->size * sizeof *t->at);
  for (size_t at = 0; at < s->size;) {
    const int length = reg_utf8_length(s->text + at, s->size - at);
    t->at[t->count] = at;
    t->of[t->count++] = decode((const unsigned char *)s->text + at, length);
    at += (size_t)length;
  }
  t->at[t->count] = s->size;
  return REG_OK;
}

// The classes of all characters, and their names.
static int number_characters(Heap *heap, Tokens *t) {
  int32_t *number = calloc(CODES, sizeof *number);
  if (!number) return -1;
  for (int64_t i = 0; i < t->count; i++) number[t->of[i]] = 1;
  for (int32_t k = 0; k < CODES; k++)
    if (number[k]) number[k] = (int32_t)t->nclasses++;
  t->names = reg_heap_take(heap, (size_t)t->nclasses * sizeof *t->names);
  char *names = reg_heap_take(heap, (size_t)t->nclasses * LONGEST);
  for (int64_t i = 0; i < t->count && t->names && names; i++) {
    const int32_t k = number[t->of[i]];
    if (!t->names[k]) reg_utf8_put((uint32_t)t->of[i], t->names[k] = names + (size_t)k * LONGEST);
    t->of[i] = k;
  }
  free(number);
  return t->names && names ? REG_OK : -1;
}

// -- rows

// A byte order mark is none of the text.
static void drop_mark(Source *s) {
  if (s->size < 3 || memcmp(s->text, "\xef\xbb\xbf", 3) != 0) return;
  s->size -= 3;
  memmove(s->text, s->text + 3, s->size);
}

// Line ends are \n, also behind the last line.
static void close_lines(Source *s) {
  size_t to = 0;
  for (size_t i = 0; i < s->size; i++)
    if (s->text[i] != '\r' || i + 1 == s->size || s->text[i + 1] != '\n') s->text[to++] = s->text[i];
  if (to && s->text[to - 1] != '\n') s->text[to++] = '\n';
  s->size = to;
}

static bool is_end(const Source *s, int64_t token) { return s->text[s->tokens.at[token]] == '\n'; }

static int find_lines(Source *s, reg_status *st) {
  const int64_t n = s->tokens.count, most = s->op->window;
  free(s->first);
  free(s->length);
  s->nrows = 0;
  s->first = malloc((size_t)(n + 1) * sizeof *s->first);
  s->length = malloc((size_t)(n + 1) * sizeof *s->length);
  if (!s->first || !s->length) return reg_no_memory(st, (size_t)n * sizeof *s->first);
  for (int64_t i = 0, j; i < n; i = j + 1) {
    for (j = i; !is_end(s, j);) j++;
    if (j == i) continue;
    s->first[s->nrows] = i;
    s->length[s->nrows++] = (int32_t)(j - i < most ? j - i + 1 : most);
  }
  return REG_OK;
}

static int make_rows(Source *s, reg_status *st) {
  if (s->op->lines) {
    const int code = find_lines(s, st);
    if (code) return code;
  } else {
    s->nrows = s->tokens.count ? (s->tokens.count - 1) / s->op->window : 0;
  }
  if (s->nrows < 1 && s->op->lines)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: no line holds anything", s->op->path);
  if (s->nrows < 1)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %lld %s are no window of %lld with one behind it",
                    s->op->path, (long long)s->tokens.count,
                    s->op->words    ? "words"
                    : s->op->merges ? "pieces of words"
                                    : "characters",
                    (long long)s->op->window);
  if (s->nrows > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%lld rows are more than a data set can have (2147483647)",
                    (long long)s->nrows);
  return REG_OK;
}

// -- what tokens are learned of

// The share of the rows that trains; -1: not the first of the parts, 1: all do.
static double training_share(const reg_data_plan *plan) {
  for (int i = 1; i < plan->nops; i++) {
    const reg_data_op *op = &plan->ops[i];
    if (op->kind == REG_DATA_FOLD || (op->kind == REG_DATA_SPLIT && (op->time || op->group || op->stratify)))
      return -1;
    if (op->kind == REG_DATA_SPLIT) return strcmp(op->part_names[0], "train") ? -1 : op->fractions[0];
  }
  return 1;
}

// What trains is known only once there are tokens: what is learned from ends no later than it.
static int learn(Source *s, Heap *heap, reg_status *st) {
  const double share = training_share(s->plan);
  if (share < 0) {
    reg_fail(st, REG_BAD_DATA, "split_bad",
             "words and merges are learned from the training part, which must be the first rows of the text");
    return reg_hint(st, "split(train: 80%%, test: 20%%) divides a text where its rows lie"), st->code;
  }
  size_t learned = share < 1 ? (size_t)(share * (double)s->size) : s->size;
  for (;;) {
    tokens_free(&s->tokens);
    if (tokens_make(&s->tokens, heap, s->text, s->size, learned, s->op)) return reg_no_memory(st, s->size);
    const int code = make_rows(s, st);
    if (code || share >= 1) return code;
    const int64_t rows = (int64_t)(share * (double)s->nrows * (1 - 1e-12));
    const size_t end = s->tokens.at[s->first ? s->first[rows] : rows * s->op->window];
    if (end >= learned) return REG_OK;
    learned = end;
  }
}

// -- fields

// Each row from `ahead` tokens further on.
static int fill_classes(Heap *heap, const Source *s, int ahead, reg_field *f) {
  const int32_t *of = s->tokens.of;
  if (!(f->classes = reg_heap_take(heap, (size_t)(s->nrows * f->width) * sizeof *f->classes))) return -1;
  for (int64_t i = 0; i < s->nrows; i++)
    for (int64_t k = 0; k < f->width; k++) {
      int32_t *to = &f->classes[i * f->width + k];
      const int32_t end = s->length ? of[s->tokens.count - 1] : 0;
      if (!s->length)
        *to = of[i * f->width + k + ahead];
      else
        *to = k >= s->length[i] || (!k && !ahead) ? end : of[s->first[i] + k - 1 + ahead];
    }
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
  d->nsources = d->ncurves = d->nlags = 0;
  d->series = NULL;
  d->shift = reg_heap_take(heap, n * sizeof *d->shift);
  d->factor = reg_heap_take(heap, n * sizeof *d->factor);
  if (!d->columns || !d->shift || !d->factor) return -1;
  for (int64_t j = 0; j < window; j++) d->factor[j] = 1;
  return REG_OK;
}

static int32_t *copied(Heap *heap, const int32_t *from, int64_t n) {
  int32_t *to = reg_heap_take(heap, (size_t)n * sizeof *to);
  for (int64_t i = 0; i < n && to; i++) to[i] = from ? from[i] : (int32_t)i;
  return to;
}

static int make_fields(reg_dataset *d, Heap *heap, const Source *s) {
  const int64_t window = s->op->window, n = d->nrows = s->nrows;
  int32_t *rows = copied(heap, NULL, n), *length = s->length ? copied(heap, s->length, n) : rows;
  reg_field *f = d->fields = reg_heap_take(heap, 4 * sizeof *d->fields);
  if (!f || !rows || !length) return -1;
  d->nfields = s->length ? 4 : 3;
  d->target = 1;
  d->named = -1;
  f[0] = (reg_field){.name = "x",
                     .dtype = REG_I32,
                     .rank = 1,
                     .dim = {window},
                     .width = window,
                     .nclasses = s->tokens.nclasses,
                     .class_names = s->tokens.names,
                     .why = "characters are no numbers"};
  f[1] = f[0];
  f[1].name = "next";
  for (int k = 0; k < 2; k++)
    if (fill_classes(heap, s, k, &f[k])) return -1;
  f[2] = (reg_field){.name = "id", .dtype = REG_I32, .width = 1, .values = rows};
  f[3] = (reg_field){.name = "length", .dtype = REG_I32, .width = 1, .values = length};
  return data_number_columns(heap, d, window);
}

// Where each row's text lies, for steps that pass over some of the merges.
static const reg_recut *recut_rows(Heap *heap, const Source *s, const reg_tokenizer *k) {
  const char *text = reg_heap_copy(heap, s->text, s->size), *end = text + s->size;
  const Encoder *e = encoder_new(heap, k);
  RecutRows rows;
  const reg_recut *r = text && e ? recut_new(heap, e, s->nrows, s->op->lines, &rows) : NULL;
  for (int64_t i = 0; i < s->nrows && r; i++) {
    rows.from[i] = text + s->tokens.at[s->first ? s->first[i] : i * s->op->window];
    rows.to[i] = s->first ? memchr(rows.from[i], '\n', (size_t)(end - rows.from[i])) : end;
    rows.key[i] = (uint32_t)i;
  }
  return r;
}

// What of the fields are tokens, and how many of these a line has.
static int tell_tokens(reg_dataset *d, Heap *heap, const Source *s) {
  reg_tokenizer *k = reg_heap_take(heap, sizeof *k);
  if (!k) return -1;
  *k = (reg_tokenizer){.field = 0,
                       .next = 1,
                       .length = s->length ? 3 : -1,
                       .places = s->op->window,
                       .words = s->op->words > 0,
                       .nnames = (int)s->tokens.nclasses,
                       .names = (const char *const *)s->tokens.names,
                       .nmerges = s->tokens.nmerges,
                       .merges = s->tokens.merges,
                       .drop = s->op->drop};
  d->texts = k;
  d->ntexts = 1;
  return k->drop > 0 && !(k->recut = recut_rows(heap, s, k)) ? -1 : REG_OK;
}

static int read_source(Source *s, Heap *heap, reg_status *st) {
  int code = check_bytes(s, st);
  if (code) return code;
  drop_mark(s);
  if (s->op->lines) close_lines(s);
  if ((code = read_characters(s, st))) return code;
  if (s->op->words || s->op->merges) return learn(s, heap, st);
  return number_characters(heap, &s->tokens) ? reg_no_memory(st, s->size) : make_rows(s, st);
}

int data_read_text(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  Source s = {.plan = plan, .op = &plan->ops[0]};
  if (!(s.text = reg_file_read(s.op->path, &s.size, "data_missing", st))) return st->code;
  reg_checksum(s.text, s.size, d->checksum);
  int code = read_source(&s, heap, st);
  if (!code && (make_fields(d, heap, &s) || tell_tokens(d, heap, &s)))
    code = reg_no_memory(st, (size_t)(s.nrows * s.op->window) * 8);
  tokens_free(&s.tokens);
  free(s.first);
  free(s.length);
  free(s.text);
  return code;
}
