// Columns of texts as tokens. In: a table with the texts, the plan. Out: for each column a field of its
// classes, [places] in each row, and one of how many places count; and how texts become tokens, learned from
// the training part, by which rows of other files are cut alike.
#include "data/encoder.h"
#include "data/table.h"
#include "data/tokens.h"
#include <stdlib.h>
#include <string.h>

static const char behind[] = "_length";

int plan_texts(const reg_data_plan *plan) {
  int n = 0;
  for (int i = 1; i < plan->nops; i++) n += plan->ops[i].kind == REG_DATA_TOKENIZE;
  return n;
}

int texts_open(Table *t, const reg_data_plan *plan) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == REG_DATA_TOKENIZE)
      t->own[t->nown++] =
          (OwnColumn){.column = plan->ops[i].target, .field = plan->ops[i].field, .role = REG_OWN_TEXT};
  return REG_OK;
}

static int own_of(const Table *t, const char *column) {
  int k = 0;
  while (t->own[k].role != REG_OWN_TEXT || strcmp(t->own[k].column, column) != 0) k++;
  return k;
}

// Where no column of numbers is there, the first of these is what models read.
int texts_place(Table *t, reg_dataset *d, int own) {
  const char *name = t->own[own].field;
  const bool first = !t->width && !d->fields[0].name;
  reg_field *f = &d->fields[first ? 0 : d->nfields++], *length = &d->fields[d->nfields++];
  char *called = reg_heap_take(t->heap, strlen(name) + sizeof behind);
  *f = (reg_field){.name = reg_heap_copy(t->heap, name, strlen(name)),
                   .dtype = REG_I32,
                   .rank = 1,
                   .why = "texts are no numbers"};
  if (!called || !f->name) return -1;
  *length = (reg_field){.name = strcat(strcpy(called, name), behind), .dtype = REG_I32, .width = 1};
  return REG_OK;
}

// The training part's texts, each with a line end behind it; to be freed.
static char *learned_from(const Table *t, int own, const reg_part *part, size_t *size) {
  size_t room = 1;
  for (int64_t i = 0; i < part->nrows; i++) room += strlen(table_text(t, own, part->rows[i])) + 1;
  char *text = malloc(room), *to = text;
  for (int64_t i = 0; i < part->nrows && text; i++) {
    const char *row = table_text(t, own, part->rows[i]);
    const size_t n = strlen(row);
    memcpy(to, row, n);
    to[n] = '\n';
    to += n + 1;
  }
  *size = room - 1;
  return text;
}

static int learn(Table *t, const reg_data_op *op, int own, const reg_part *part, reg_tokenizer *out,
                 reg_status *st) {
  size_t size;
  Tokens tokens = {0};
  reg_data_op rows = *op;
  rows.lines = true;
  char *text = learned_from(t, own, part, &size);
  const int code = text ? tokens_make(&tokens, t->heap, text, size, size, &rows) : -1;
  out->words = op->words > 0;
  out->nnames = (int)tokens.nclasses;
  out->names = (const char *const *)tokens.names;
  out->nmerges = tokens.nmerges;
  out->merges = tokens.merges;
  tokens_free(&tokens);
  free(text);
  return code ? reg_no_memory(st, size) : REG_OK;
}

reg_recut *recut_new(Heap *heap, const Encoder *e, int64_t rows, bool whole, RecutRows *to) {
  reg_recut *r = reg_heap_take(heap, sizeof *r);
  to->from = reg_heap_take(heap, (size_t)rows * sizeof *to->from);
  to->to = reg_heap_take(heap, (size_t)rows * sizeof *to->to);
  to->key = reg_heap_take(heap, (size_t)rows * sizeof *to->key);
  if (!r || !to->from || !to->to || !to->key) return NULL;
  *r = (reg_recut){.encoder = e, .from = to->from, .to = to->to, .key = to->key, .whole = whole};
  return r;
}

// The cells as they are cut; where they are anew in each step they live as long as the data set.
static int open_rows(Table *t, int own, reg_tokenizer *k, reg_status *st) {
  const Cells *c = &t->own[own].cells;
  const char *text = k->drop > 0 ? reg_heap_copy(t->heap, c->text, c->size) : c->text;
  const Encoder *e = encoder_new(t->heap, k);
  RecutRows rows;
  if (!e || !text || !(k->recut = recut_new(t->heap, e, t->nrows, true, &rows)))
    return reg_no_memory(st, c->size);
  for (int64_t i = 0; i < t->nrows; i++) {
    rows.from[i] = text + c->at[i];
    rows.to[i] = rows.from[i] + strlen(rows.from[i]);
    rows.key[i] = (uint32_t)(t->number ? t->number[i] : i);
  }
  return REG_OK;
}

static int fill(Table *t, reg_dataset *d, const reg_tokenizer *k, reg_status *st) {
  reg_field *f = &d->fields[k->field], *length = &d->fields[k->length];
  const size_t count = (size_t)(d->nrows * k->places);
  f->width = f->dim[0] = k->places;
  f->nclasses = k->nnames;
  f->class_names = (char **)k->names;
  f->classes = reg_heap_take(t->heap, count * sizeof *f->classes);
  length->values = reg_heap_take(t->heap, (size_t)d->nrows * sizeof(int32_t));
  if (!f->classes || !length->values) return reg_no_memory(st, count * sizeof *f->classes);
  for (int64_t i = 0; i < d->nrows; i++)
    if (recut_row(k, k->recut, i, NULL, f->classes + i * k->places, NULL, (int32_t *)length->values + i))
      return reg_no_memory(st, (size_t)k->places * sizeof(int32_t));
  return REG_OK;
}

static bool is_length_of(const char *name, const char *field) {
  const size_t n = strlen(field);
  return !strncmp(name, field, n) && !strcmp(name + n, behind);
}

static int make(Table *t, reg_dataset *d, const reg_data_op *op, reg_tokenizer *k, reg_status *st) {
  const reg_part *part = reg_data_part(d, "train");
  const int own = own_of(t, op->target);
  *k = (reg_tokenizer){.column = op->target,
                       .field = reg_data_field(d, op->field),
                       .next = -1,
                       .places = op->window,
                       .drop = op->drop};
  while (!is_length_of(d->fields[k->length].name, op->field)) k->length++;
  int code = learn(t, op, own, part ? part : &d->parts[0], k, st);
  if (!code) code = open_rows(t, own, k, st);
  if (!code) code = fill(t, d, k, st);
  if (k->drop <= 0) k->recut = NULL;
  return code;
}

static int check_names(const reg_dataset *d, reg_status *st) {
  for (int i = 0; i < d->nfields; i++)
    for (int j = 0; j < i; j++)
      if (!strcmp(d->fields[i].name, d->fields[j].name)) {
        reg_fail(st, REG_BAD_DATA, "data_bad", "two fields are called `%.60s`", d->fields[i].name);
        reg_hint(st, "`tokenize(\"A COLUMN\" as NAME, ...)` makes the fields NAME and NAME%s", behind);
        return st->code;
      }
  return REG_OK;
}

int table_tokenize(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st) {
  const int n = plan_texts(plan);
  if (!n) return REG_OK;
  reg_tokenizer *list = reg_heap_take(t->heap, (size_t)n * sizeof *list);
  int code = list ? check_names(d, st) : reg_no_memory(st, (size_t)n * sizeof *list);
  for (int i = 1; i < plan->nops && !code; i++)
    if (plan->ops[i].kind == REG_DATA_TOKENIZE) code = make(t, d, &plan->ops[i], &list[d->ntexts++], st);
  d->texts = list;
  return code;
}

// -- rows of other files

int texts_again(Table *t, const reg_dataset *d) {
  for (int i = 0; i < d->ntexts; i++)
    t->own[t->nown++] = (OwnColumn){.column = d->texts[i].column, .role = REG_OWN_TEXT};
  return REG_OK;
}

static bool cut_again(const reg_tokenizer *k, const Table *t, int own, const bool *wrong, int32_t *to) {
  Heap heap = {0};
  const Encoder *e = encoder_new(&heap, k);
  bool ok = e != NULL;
  for (int64_t row = 0; row < t->nrows && ok; row++) {
    if (wrong && wrong[row]) continue;
    const char *text = table_text(t, own, row), *end = text + strlen(text);
    const reg_recut one = {.encoder = e, .from = &text, .to = &end, .whole = true};
    ok = !recut_row(k, &one, 0, NULL, to, NULL, to + k->places);
    to += k->places + 1;
  }
  reg_heap_free(&heap);
  return ok;
}

int rows_tokenize(const reg_dataset *d, const Table *t, const bool *wrong, reg_rows *out, reg_status *st) {
  if (!d->ntexts) return REG_OK;
  if (!(out->tokens = calloc((size_t)d->ntexts + 1, sizeof *out->tokens))) return reg_no_memory(st, 0);
  for (int i = 0; i < d->ntexts; i++) {
    const size_t bytes = (size_t)t->nrows * (size_t)(d->texts[i].places + 1) * sizeof(int32_t);
    if (!(out->tokens[i] = malloc(bytes + 1)) || !cut_again(&d->texts[i], t, i, wrong, out->tokens[i]))
      return reg_no_memory(st, bytes);
  }
  return REG_OK;
}
