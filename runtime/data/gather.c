// Rows of other data sets as a data set. In: pieces, each some rows of a part. Out: a table in which the
// parts lie one behind the other, each the rows of its pieces in their order. Fields, target and what was
// learned are those of the first piece's data set.
#include "data/encoder.h"
#include "data/table.h"
#include "large.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AXES = 6 }; // of a row

typedef struct Piece {
  const reg_data_op *op;
  const reg_dataset *of;
  const int64_t *rows; // of its table; of windows one behind the other
  const int64_t *of_x; // the same for x
  int64_t *picked[2];  // the same where they were picked; to be freed
  int64_t nrows;
} Piece;

static int64_t length_of(int64_t window) { return window ? window : 1; }

static int pick(Piece *p, const reg_part *part, const reg_data_plan *plan, reg_status *st) {
  const reg_function *fn = p->op->fn;
  ColumnResults out = {0};
  int code = REG_OK;
  int64_t room[2] = {0};
  for (int i = 0; i < fn->nslots && !code; i++) {
    if (fn->slots[i].kind != REG_SLOT_ROWS) continue;
    const int k = fn->slots[i].index;
    room[k] = fn->slots[i].count;
    out.rows[k] = reg_large_resize(NULL, (size_t)(room[k] + 16) * sizeof *out.rows[k]);
    p->picked[k] = reg_large_resize(NULL, (size_t)(room[k] + 1) * sizeof *p->picked[k]);
    if (!out.rows[k] || !p->picked[k]) code = reg_no_memory(st, (size_t)room[k] * sizeof **p->picked);
  }
  const int64_t lengths[] = {length_of(p->op->window), length_of(p->op->window_of_x)};
  out.count = room[0] / lengths[0];
  if (!code) code = data_call(plan, p->op, p->of, part, &out, st);
  for (int k = 0; k < 2; k++) {
    for (int64_t i = 0; i < out.count * lengths[k] && out.rows[k] && !code; i++)
      p->picked[k][i] = part->rows[out.rows[k][i]];
    reg_large_free(out.rows[k]);
  }
  p->rows = p->picked[0];
  p->of_x = p->op->apart ? p->picked[1] : p->rows;
  p->nrows = out.count;
  return code;
}

static int open_piece(Piece *p, const reg_data_op *op, const reg_data_plan *plan, reg_status *st) {
  *p = (Piece){.op = op, .of = plan->earlier[op->from]};
  const reg_part *part = reg_data_part(p->of, op->source_part);
  if (!part) return reg_fail(st, REG_INTERNAL, "internal", "no part `%s`", op->source_part);
  p->rows = p->of_x = part->rows;
  p->nrows = part->nrows;
  return op->fn ? pick(p, part, plan, st) : REG_OK;
}

// -- do the pieces have the same fields?

static int64_t other_class(const reg_field *a, const reg_field *b) {
  int64_t c = 0;
  while (c < a->nclasses && c < b->nclasses && !strcmp(a->class_names[c], b->class_names[c])) c++;
  return c < a->nclasses || c < b->nclasses ? c : -1;
}

// Of texts; numbers get the classes that they have together.
static int same_classes(const reg_field *a, const reg_field *b, reg_status *st) {
  const int64_t c = a->values ? -1 : other_class(a, b);
  if (c < 0) return REG_OK;
  return reg_fail(st, REG_BAD_DATA, "fields_differ",
                  "class %lld of field `%.60s` is `%.60s` in one, `%.60s` in the other", (long long)c,
                  a->name, c < a->nclasses ? a->class_names[c] : "",
                  c < b->nclasses ? b->class_names[c] : "");
}

static bool classes_agree(const Piece *list, int n, const char *field) {
  const reg_field *a = &list[0].of->fields[reg_data_field(list[0].of, field)];
  for (int i = 1; i < n; i++) {
    const reg_field *b = &list[i].of->fields[reg_data_field(list[i].of, field)];
    if (!a->classes != !b->classes || other_class(a, b) >= 0) return false;
  }
  return true;
}

static int same_field(const reg_field *a, const reg_dataset *other, reg_status *st) {
  const int at = reg_data_field(other, a->name);
  if (at < 0) return reg_fail(st, REG_BAD_DATA, "fields_differ", "field `%.60s` is in one only", a->name);
  const reg_field *b = &other->fields[at];
  if (!a->values != !b->values || a->dtype != b->dtype)
    return reg_fail(st, REG_BAD_DATA, "fields_differ", "field `%.60s` is %s in one, %s in the other", a->name,
                    a->values ? "numbers" : "classes", b->values ? "numbers" : "classes");
  bool same = a->rank == b->rank;
  for (int k = 0; k < a->rank && same; k++) same = a->dim[k] == b->dim[k];
  if (!same)
    return reg_fail(st, REG_BAD_DATA, "fields_differ",
                    "a row of field `%.60s` has %lld elements in one, %lld in the other%s", a->name,
                    (long long)a->width, (long long)b->width,
                    a->width == b->width ? ", in another shape" : "");
  return same_classes(a, b, st);
}

static int same_windows(const reg_data_op *a, const reg_data_op *b, reg_status *st) {
  if (a->window == b->window && a->window_of_x == b->window_of_x) return REG_OK;
  return reg_fail(st, REG_BAD_DATA, "fields_differ",
                  "a row of the part `%s` is made of %lld rows, one of the part `%s` of %lld",
                  a->part_names[0], (long long)length_of(a->window_of_x), b->part_names[0],
                  (long long)length_of(b->window_of_x));
}

static int same_fields(const reg_dataset *a, const reg_dataset *b, reg_status *st) {
  int code = REG_OK;
  for (int i = 0; i < a->nfields && !code; i++) code = same_field(&a->fields[i], b, st);
  for (int i = 0; i < b->nfields && !code; i++)
    if (reg_data_field(a, b->fields[i].name) < 0)
      code = reg_fail(st, REG_BAD_DATA, "fields_differ", "field `%.60s` is in one only", b->fields[i].name);
  return code;
}

// -- parts, columns, ids

static int64_t rows_of(const Piece *list, int n, const char *part) {
  int64_t rows = 0;
  for (int i = 0; i < n; i++)
    if (!part || !strcmp(list[i].op->part_names[0], part)) rows += list[i].nrows;
  return rows;
}

// Pieces of a part follow each other.
static int make_parts(reg_dataset *d, Heap *heap, const Piece *list, int n, reg_status *st) {
  int64_t first = 0;
  for (int i = 0; i < n; i++) {
    const char *name = list[i].op->part_names[0];
    if (i && !strcmp(name, list[i - 1].op->part_names[0])) continue;
    const int64_t rows = rows_of(list, n, name);
    if (!rows) {
      reg_fail(st, REG_BAD_DATA, "no_rows_left", "no row of the part `%s` is left", name);
      if (list[i].op->window_of_x)
        reg_hint(
            st, "a window is of rows one behind the other in one part: `split(..., time: id)` keeps them so");
      return st->code;
    }
    if (data_add_part(d, heap, name, first, rows, st)) return st->code;
    first += rows;
  }
  return REG_OK;
}

// What becomes of a field: its rows are `length` rows each, of which `step` were picked.
typedef struct Taking {
  const char *field;
  bool x;
  int64_t length, step;
} Taking;

static Taking taking_of(const reg_dataset *first, const reg_data_op *op, int field) {
  Taking t = {.field = first->fields[field].name, .x = field == 0};
  t.step = length_of(t.x ? op->window_of_x : op->window);
  const bool one = !strcmp(t.field, "id") || field == first->named; // a window is called as its last row
  t.length = one ? 1 : t.step;
  return t;
}

static void *copy_rows(Heap *heap, const Piece *list, int n, int64_t rows, Taking t, bool classes) {
  const reg_field *first = &list[0].of->fields[reg_data_field(list[0].of, t.field)];
  const size_t row = (size_t)first->width * (classes ? sizeof(int32_t) : reg_dtype_bytes(first->dtype));
  size_t bytes;
  if (__builtin_mul_overflow((size_t)(rows * t.length), row, &bytes)) return NULL;
  char *out = reg_heap_take_large(heap, bytes), *to = out;
  for (int i = 0; i < n && out; i++) {
    const reg_field *f = &list[i].of->fields[reg_data_field(list[i].of, t.field)];
    const char *from = classes ? (const char *)f->classes : f->values;
    const int64_t *at = t.x ? list[i].of_x : list[i].rows;
    for (int64_t r = 0; r < list[i].nrows; r++, at += t.step)
      for (int64_t k = t.step - t.length; k < t.step; k++, to += row)
        memcpy(to, from + (size_t)at[k] * row, row);
  }
  return out;
}

// A row of the field is a window of rows.
static int lengthen(reg_field *f, int64_t length, reg_status *st) {
  int64_t width;
  if (f->rank + 1 > MOST_AXES)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "a row of `%.60s` would have more than %d axes", f->name,
                    MOST_AXES);
  if (__builtin_mul_overflow(f->width, length, &width) || width > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad",
                    "a window of %lld rows of `%.60s` is larger than a row can be", (long long)length,
                    f->name);
  memmove(f->dim + 1, f->dim, (size_t)f->rank * sizeof *f->dim);
  f->dim[0] = length;
  f->rank++;
  f->width = width;
  return REG_OK;
}

static const char *lag_text(Heap *heap, const char *column, int64_t back) {
  const size_t room = strlen(column) + 32;
  char *to = reg_heap_take(heap, room);
  if (to) snprintf(to, room, back ? "%s lag %lld" : "%s", column, (long long)back);
  return to;
}

// The columns of a window's x are those of each of its rows, the last ones being called as before.
static int repeat_columns(reg_dataset *d, Heap *heap, int64_t width, int64_t length, reg_status *st) {
  const size_t n = (size_t)(width * length);
  const char **columns = reg_heap_take(heap, n * sizeof *columns);
  double *shift = reg_heap_take(heap, n * sizeof *shift), *factor = reg_heap_take(heap, n * sizeof *factor);
  reg_curve *curves = reg_heap_take(heap, (size_t)d->ncurves * (size_t)length * sizeof *curves);
  bool good = columns && shift && factor && curves;
  for (int64_t j = 0; j < width * length && good; j++) {
    good = (columns[j] = lag_text(heap, d->columns[j % width], length - 1 - j / width)) != NULL;
    shift[j] = d->shift[j % width];
    factor[j] = d->factor[j % width];
  }
  for (int64_t j = 0; j < d->ncurves * length && good; j++) {
    curves[j] = d->curves[j % d->ncurves];
    curve_moved(&curves[j], (int)(j / d->ncurves * width));
  }
  if (!good) return reg_no_memory(st, n * sizeof *shift);
  d->columns = columns;
  d->shift = shift;
  d->factor = factor;
  d->curves = curves;
  d->ncurves *= (int)length;
  d->nsources = d->nlags = 0; // columns of files are no longer what it is made of
  return REG_OK;
}

// Where windows were chosen by a column of the file, they lie within its texts.
static const char *group_of(const Piece *p, int id) {
  const char *group = NULL;
  for (int i = 0; p->op->fn && i < p->op->fn->nslots && !group; i++) {
    const reg_slot *s = &p->op->fn->slots[i];
    if (s->kind == REG_SLOT_FIELD && s->index != id && s->dtype == REG_I32)
      group = data_own_column(p->of, p->of->fields[s->index].name);
  }
  return group;
}

// Where all windows lie alike beside the row that each is called as, a series of another file has them too.
static int tell_series(reg_dataset *d, Heap *heap, const Piece *list, int n, reg_status *st) {
  const reg_dataset *first = list[0].of;
  const int id = reg_data_field(first, "id");
  const int64_t length = list[0].op->window_of_x, step = length_of(list[0].op->window);
  reg_series *s = reg_heap_take(heap, sizeof *s);
  int64_t *from = reg_heap_take(heap, (size_t)length * sizeof *from);
  d->series = NULL;
  if (!s || !from) return reg_no_memory(st, (size_t)length * sizeof *from);
  if (first->series || first->images || id < 0 || length > INT32_MAX) return REG_OK;
  for (int i = 0, begun = 0; i < n; i++) {
    const int32_t *ids = list[i].of->fields[reg_data_field(list[i].of, "id")].values;
    for (int64_t r = 0; r < list[i].nrows; r++, begun = 1)
      for (int64_t k = 0; k < length; k++) {
        const int64_t back =
            (int64_t)ids[list[i].of_x[r * length + k]] - ids[list[i].rows[(r + 1) * step - 1]];
        if (begun && from[k] != back) return REG_OK;
        from[k] = back;
      }
  }
  *s = (reg_series){
      .of = list[0].op->from, .length = (int)length, .from = from, .group = group_of(&list[0], id)};
  d->series = s;
  return REG_OK;
}

static int32_t *id_values(const reg_dataset *d) {
  const int at = reg_data_field(d, "id");
  return at < 0 ? NULL : d->fields[at].values;
}

// The largest id of the first `rows` rows, or -1.
static int64_t largest(const int32_t *ids, int64_t rows) {
  int64_t most = -1;
  for (int64_t i = 0; i < rows; i++)
    if (ids[i] > most) most = ids[i];
  return most;
}

// Calls `each` with the ids of an operand's rows until it says stop; whether it did.
static bool operand_ids(int32_t *ids, const Piece *list, int n, int operand,
                        bool (*each)(void *user, int32_t *id), void *user) {
  for (int i = 0; i < n; ids += list[i].nrows, i++)
    for (int64_t k = 0; k < list[i].nrows && list[i].op->operand == operand; k++)
      if (each(user, &ids[k])) return true;
  return false;
}

typedef struct Numbering {
  bool *seen;
  int64_t next; // above all ids so far
  int32_t shift;
} Numbering;

static bool is_seen(void *user, int32_t *id) { return ((const Numbering *)user)->seen[*id]; }

static bool settle(void *user, int32_t *id) {
  Numbering *n = user;
  *id += n->shift;
  n->seen[*id] = true;
  if (*id >= n->next) n->next = *id + 1;
  return false;
}

// Rows of an operand get ids behind those of the operands before, where one of them is there already.
static int number_rows(int32_t *ids, const Piece *list, int n, int64_t rows, reg_status *st) {
  int operands = 0;
  for (int i = 0; i < n; i++)
    if (list[i].op->operand >= operands) operands = list[i].op->operand + 1;
  if (operands < 2) return REG_OK;
  const int64_t most = (largest(ids, rows) + 1) * operands;
  if (most > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%lld rows are more than can be numbered", (long long)most);
  Numbering numbers = {.seen = calloc((size_t)most, sizeof *numbers.seen)};
  if (!numbers.seen) return reg_no_memory(st, (size_t)most);
  for (int k = 0; k < operands; k++) {
    numbers.shift = operand_ids(ids, list, n, k, is_seen, &numbers) ? (int32_t)numbers.next : 0;
    operand_ids(ids, list, n, k, settle, &numbers);
  }
  free(numbers.seen);
  return REG_OK;
}

// What texts are cut anew goes on being so, where all pieces have it.
static bool pick_texts(reg_dataset *d, Heap *heap, const Piece *list, int n) {
  reg_tokenizer *texts = reg_heap_take(heap, (size_t)d->ntexts * sizeof *texts);
  for (int k = 0; k < d->ntexts && texts; k++) {
    RecutRows to;
    bool all = d->texts[k].recut != NULL;
    texts[k] = d->texts[k];
    texts[k].recut = NULL;
    for (int i = 0; i < n && all; i++) all = list[i].of->ntexts > k && list[i].of->texts[k].recut;
    if (!all) continue;
    texts[k].recut = recut_new(heap, d->texts[k].recut->encoder, d->nrows, d->texts[k].recut->whole, &to);
    if (!texts[k].recut) return false;
    for (int64_t i = 0, at = 0; i < n; i++)
      for (int64_t row = 0; row < list[i].nrows; row++, at++) {
        const reg_recut *from = list[i].of->texts[k].recut;
        to.from[at] = from->from[list[i].rows[row]];
        to.to[at] = from->to[list[i].rows[row]];
        to.key[at] = from->key[list[i].rows[row]];
      }
  }
  d->texts = texts;
  return texts != NULL;
}

static int fill(reg_dataset *d, Heap *heap, const Piece *list, int n, reg_status *st) {
  const reg_dataset *first = list[0].of;
  d->nrows = rows_of(list, n, NULL);
  if (d->nrows > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%lld rows are more than a data set can have (2147483647)",
                    (long long)d->nrows);
  d->nfields = first->nfields;
  d->target = first->target;
  d->named = first->named;
  d->form = first->form;
  d->nsources = first->nsources;
  d->sources = first->sources;
  d->ntexts = first->ntexts;
  d->texts = first->texts;
  d->nlags = first->nlags;
  d->lags = first->lags;
  d->ncurves = first->ncurves;
  d->curves = first->curves;
  d->columns = first->columns;
  d->shift = first->shift;
  d->factor = first->factor;
  d->series = first->series;
  d->fields = reg_heap_take(heap, (size_t)d->nfields * sizeof *d->fields);
  bool good = d->fields != NULL;
  for (int i = 0; i < d->nfields && good; i++) {
    reg_field *f = &d->fields[i];
    const Taking t = taking_of(first, list[0].op, i);
    *f = first->fields[i];
    if (f->values) good = (f->values = copy_rows(heap, list, n, d->nrows, t, false)) != NULL;
    const bool agree = classes_agree(list, n, f->name);
    if (!agree) f->classes = NULL;
    if (f->classes && good) good = (f->classes = copy_rows(heap, list, n, d->nrows, t, true)) != NULL;
    if (!agree && good && data_number_integers(heap, d, f, st)) return st->code;
    const bool windows = (t.x ? list[0].op->window_of_x : list[0].op->window) && t.length == t.step;
    if (windows && lengthen(f, t.length, st)) return st->code;
  }
  if (good && list[0].op->window_of_x && tell_series(d, heap, list, n, st)) return st->code;
  if (good && list[0].op->window_of_x &&
      repeat_columns(d, heap, first->fields[0].width, list[0].op->window_of_x, st))
    return st->code;
  if (list[0].op->window || list[0].op->window_of_x) d->ntexts = 0; // rows of texts are no windows of them
  if (!good || (d->ntexts && !pick_texts(d, heap, list, n))) return reg_no_memory(st, (size_t)d->nrows * 4);
  return number_rows(id_values(d), list, n, d->nrows, st);
}

int data_gather(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  Piece *list = calloc((size_t)plan->nops, sizeof *list);
  int n = 0, code = list ? REG_OK : reg_no_memory(st, (size_t)plan->nops * sizeof *list);
  for (; n < plan->nops && !code; n++) {
    code = open_piece(&list[n], &plan->ops[n], plan, st);
    if (!code) code = same_windows(list[0].op, list[n].op, st);
    if (!code && list[n].of != list[0].of) code = same_fields(list[0].of, list[n].of, st);
  }
  if (!code) code = make_parts(d, heap, list, n, st);
  if (!code) code = fill(d, heap, list, n, st);
  for (int i = 0; i < n; i++) reg_large_free(list[i].picked[0]), reg_large_free(list[i].picked[1]);
  free(list);
  return code;
}
