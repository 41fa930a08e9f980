// `regc predict` and `BIN predict`: rows from a .csv, .npy or .npz file, predictions to one. Columns of a CSV
// file are found by name; those that the model does not read, the target among them, are left alone.
#include "data/table.h"
#include "large.h"
#include "reg/file.h"
#include "reg/npy.h"
#include "standalone/internal.h"
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *path, const char *end) {
  size_t n = strlen(path), m = strlen(end);
  return n >= m && !strcmp(path + n - m, end);
}

static void refuse(const reg_program *p, const reg_train *t, reg_status *st) {
  const reg_data_plan *plan = &p->plans[t->data];
  if (plan->nops && plan->ops[0].kind == REG_DATA_TEXT) {
    reg_fail(st, BINARY_USAGE, "cannot_predict",
             "`%s` reads a text, which has no rows to be told apart in a file", t->name);
    reg_hint(st, "the program writes what the model makes of one: report decode(generate(...), ...); rows "
                 "with a text each are a "
                 "table: csv(...) |> tokenize(...)");
    return;
  }
  reg_fail(st, BINARY_USAGE, "cannot_predict",
           "`%s` reads more than the columns of its data: it cannot predict from a file", t->name);
  reg_hint(st, "rows of a file have x and texts; `evaluate` writes predictions of data that has all fields");
}

const reg_train *reg_predict_train(const reg_program *p, const char *model, reg_status *st) {
  char list[200];
  Text names = reg_text_in(list, sizeof list);
  const reg_train *found = NULL;
  for (int i = 0; i < p->ntrains; i++) {
    if (model ? !strcmp(p->trains[i].name, model) : p->ntrains == 1) found = &p->trains[i];
    reg_text_format(&names, "%s%s", i ? ", " : "", p->trains[i].name);
  }
  if (found && !found->answer) refuse(p, found, st);
  if (found) return found->answer ? found : NULL;
  reg_fail(st, BINARY_USAGE, "no_such_model", model ? "the program has no model `%s`" : "which model?%s",
           model ? model : "");
  reg_hint(st, "--model=NAME, one of: %s", list);
  return NULL;
}

// The array of the rows in an archive: as in that of the data.
static const char *array_of(const reg_program *p, int data) {
  const reg_data_op *first = p->plans[data].ops;
  while (first->kind == REG_DATA_FROM || first->kind == REG_DATA_ROWS) first = p->plans[first->from].ops;
  return first->array ? first->array : "x";
}

// What the archive calls its rows, where it has such an array.
static int read_names(const char *path, const reg_dataset *d, reg_rows *rows, reg_status *st) {
  const char *field = d->named >= 0 ? d->fields[d->named].name : NULL,
             *name = field ? data_own_column(d, field) : NULL;
  size_t size, length;
  char *bytes = name ? reg_file_read_large(path, &size, "array_missing", st) : NULL, *member = NULL;
  reg_status none = {0};
  reg_npy_view v;
  if (!name) return REG_OK;
  int code = bytes ? REG_OK : st->code;
  const bool has = !code && !reg_npz_member(path, bytes, size, name, &member, &size, &none);
  if (has) code = reg_npy_open(path, member, size, &v, true, st);
  if (has && !code && v.count != rows->nrows)
    code = reg_fail(st, REG_BAD_DATA, "data_bad", "%s, `%.60s`: %lld labels, there are %lld rows", path, name,
                    (long long)v.count, (long long)rows->nrows);
  if (has && !code) {
    const size_t room = reg_npy_label_room(&v) + 1;
    rows->called = field;
    rows->names = reg_large_resize(NULL, (size_t)rows->nrows * sizeof *rows->names + 1);
    rows->text = reg_large_resize(NULL, (size_t)rows->nrows * room + 1);
    if (!rows->names || !rows->text) code = reg_no_memory(st, (size_t)rows->nrows * room);
    for (int64_t i = 0; !code && i < rows->nrows; i++) {
      char *to = rows->text + (size_t)i * room;
      if (!reg_npy_label_at(&v, i, to, &length))
        code = reg_fail(st, REG_BAD_DATA, "data_bad", "%s, `%.60s`: the label of row %lld is no UTF-8", path,
                        name, (long long)i);
      to[length] = 0;
      rows->names[i] = to;
    }
  }
  reg_large_free(member);
  reg_large_free(bytes);
  return code;
}

// Rows of which curves and factors make no numbers end it, or are told and left out.
static int leave_out(const char *path, const reg_dataset *d, reg_skipping *skipping, reg_rows *rows,
                     reg_status *st) {
  const int64_t width = reg_data_inputs(d), wide = d->fields[0].width;
  const size_t bytes = (size_t)width * sizeof(double), most = 2 * (size_t)wide * sizeof(double);
  double *room = malloc(most + 1);
  int code = room ? REG_OK : reg_no_memory(st, most);
  rows->place = reg_large_resize(NULL, (size_t)rows->nrows * sizeof *rows->place + 1);
  if (!code && !rows->place) code = reg_no_memory(st, (size_t)rows->nrows * sizeof *rows->place);
  int64_t n = 0;
  for (int64_t i = 0; i < rows->nrows && !code; i++) {
    memcpy(room, rows->values + i * width, bytes);
    const int64_t wrong = reg_data_transform(d, room, 1, room + wide);
    if (wrong < 0) {
      if (n != i) memmove(rows->values + n * width, rows->values + i * width, bytes);
      if (rows->names) rows->names[n] = rows->names[i];
      rows->place[n++] = i;
      continue;
    }
    code = reg_fail(st, REG_BAD_DATA, "data_bad",
                    "%s: row %lld: column `%.60s` is no finite number, as it is or scaled", path,
                    (long long)i, d->columns[wrong]);
    if (!skipping) continue;
    table_skip(skipping, st);
    code = REG_OK;
  }
  free(room);
  rows->nrows = n;
  if (code || n) return code;
  return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: no row of the file can be read", path);
}

// Rows of an array, or where `each` is given also those of a series, of whose rows windows are made.
static int read_npy(const char *path, const char *array, const reg_dataset *d, const reg_dataset *each,
                    reg_skipping *skipping, reg_rows *rows, reg_status *st) {
  const int64_t width = reg_data_inputs(d), one_width = each ? reg_data_inputs(each) : 0;
  reg_array a = {0};
  int code = reg_npy_numbers(path, array, &a, &rows->values, st);
  if (code) return code;
  const bool one = a.rank == 1 && a.count == width,
             series = each && a.count && !one &&
                      ((a.rank == 2 && a.dim[1] == one_width && one_width != width) ||
                       (a.rank == 1 && one_width == 1));
  if (series) {
    rows->nrows = a.count / one_width;
    code = leave_out(path, each, skipping, rows, st);
    return code ? code : reg_series_windows(d->series, one_width, path, rows, st);
  }
  if (a.count == 0 || (!one && !(a.rank >= 2 && a.dim[0] * width == a.count)))
    return reg_fail(st, REG_BAD_DATA, "data_bad",
                    "%s: %lld numbers are no rows of %lld, which the model reads", path, (long long)a.count,
                    (long long)width);
  rows->nrows = a.count / width;
  if (array) code = read_names(path, d, rows, st);
  return code ? code : leave_out(path, d, skipping, rows, st);
}

static int read_rows(const reg_model *m, const reg_dataset *each, const char *path, reg_skipping *skipping,
                     reg_rows *rows, reg_status *st) {
  if (!strcmp(path, "-")) path = "/dev/stdin";
  const bool archive = ends_with(path, ".npz"), arrays = archive || ends_with(path, ".npy");
  if (arrays && m->data->ntexts)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: the model reads texts, which stand in a .csv file",
                    path);
  if (arrays)
    return read_npy(path, archive ? array_of(m->program, m->train->data) : NULL, m->data, each, skipping,
                    rows, st);
  return reg_data_read(m->data, each, path, m->program->dtype, skipping, rows, st);
}

static int write_rows(const reg_model *m, const char *path, const void *y, const reg_rows *rows,
                      reg_status *st) {
  const int64_t width = reg_model_outputs(m);
  const reg_dtype type = m->program->dtype;
  if (path && ends_with(path, ".npy")) {
    reg_array a = {.dtype = REG_F32,
                   .rank = 2,
                   .dim = {rows->nrows, width},
                   .count = rows->nrows * width,
                   .values = (void *)y};
    return type == REG_F64 ? reg_npy_write_numbers(path, &a, y, st) : reg_npy_write(path, &a, st);
  }
  Text o = {.memory = &reg_large_text};
  answers_put(&o, m->train, m->data, rows, y, type, width);
  int code = o.failed ? reg_no_memory(st, o.used) : REG_OK;
  if (!code && path && strcmp(path, "-") != 0)
    code = reg_file_write(path, o.data, o.used, st);
  else if (!code)
    fwrite(o.data, 1, o.used, stdout); // whether it arrived is asked at the end
  reg_text_free(&o);
  return code;
}

static void **tensors_new(Heap *heap, const reg_tensor *tensors, int n) {
  void **out = reg_heap_take(heap, (size_t)(n + 1) * sizeof *out);
  for (int i = 0; out && i < n; i++)
    if (!(out[i] = reg_heap_take(heap, reg_tensor_bytes(&tensors[i])))) return NULL;
  return out;
}

static int predict(reg_model *m, const reg_dataset *each, const reg_prediction *o, const reg_train *from,
                   Heap *heap, reg_status *st) {
  const reg_train *t = m->train;
  void **params = tensors_new(heap, t->params, t->nparams),
       **states = tensors_new(heap, t->states, t->nstates);
  reg_rows rows = {0};
  void *y = NULL;
  if (!params || !states) return reg_no_memory(st, 0);
  m->params = params;
  m->states = states;
  int code = reg_weights_load(m->program, from, 0, from, NULL, o->weights, params, states, st);
  if (!code) code = read_rows(m, each, o->in, o->skipping, &rows, st);
  const size_t bytes =
      code ? 0 : (size_t)(rows.nrows * reg_model_outputs(m)) * reg_dtype_bytes(m->program->dtype);
  if (!code && !(y = reg_large_resize(NULL, bytes + 1))) code = reg_no_memory(st, bytes);
  if (!code) code = reg_model_predict(m, &rows, y, st);
  if (!code) code = write_rows(m, o->out, y, &rows, st);
  reg_rows_free(&rows);
  reg_large_free(y);
  return code;
}

int reg_predict(const reg_program *p, const reg_dataset *const *data, const reg_train *t,
                const reg_prediction *o, reg_status *st) {
  reg_train answering = *t; // what is predicted is what it means
  answering.predict = t->answer;
  reg_model m = {.program = p, .train = &answering, .data = data[t->data]};
  const reg_series *series = m.data->series;
  Heap heap = {0};
  NumberLocale numbers = reg_numbers_enter();
  int code = predict(&m, series ? data[series->of] : NULL, o, t, &heap, st);
  reg_numbers_leave(numbers);
  reg_heap_free(&heap);
  return code;
}

// -- rows that are left out

enum { TOLD = 20 };

static void tell(void *user, const char *what) {
  reg_skipping *s = user;
  if (s->rows < TOLD) reg_shown_line(stderr, "%s: left out", what);
}

reg_skipping *reg_skipping_begin(reg_skipping *s) {
  *s = (reg_skipping){.tell = tell, .user = s};
  return s;
}

void reg_skipping_end(const reg_skipping *s) {
  if (s->rows) fprintf(stderr, "%lld row%s left out\n", (long long)s->rows, s->rows == 1 ? "" : "s");
}

int binary_predict(const reg_binary *b, const BinaryOptions *o, reg_status *st) {
  const reg_train *t = reg_predict_train(b->program, o->model, st);
  reg_skipping skipping;
  const reg_prediction wanted = {.weights = o->weights,
                                 .in = o->in,
                                 .out = o->out,
                                 .skipping = o->skip_bad ? reg_skipping_begin(&skipping) : NULL};
  if (!t) return st->code;
  const int code = reg_predict(b->program, b->expected, t, &wanted, st);
  if (o->skip_bad) reg_skipping_end(&skipping);
  return code;
}
