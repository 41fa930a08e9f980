// `regc predict` and `BIN predict`: rows from a .csv or .npy file, predictions to one. Columns of a CSV file
// are found by name; those that the model does not read, the target among them, are left alone.
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

// The numbers of an array in the place of the rows' values; none has no array.
static int read_numbers(const char *path, reg_npy_view *v, reg_rows *rows, reg_status *st) {
  size_t size;
  char *bytes = reg_file_read_large(path, &size, "array_missing", st);
  int code = bytes ? reg_npy_open(path, bytes, size, v, false, st) : st->code;
  const size_t wanted = code ? 0 : (size_t)(v->count + 1) * sizeof *rows->values;
  if (!code && !(rows->values = reg_large_resize(NULL, wanted))) code = reg_no_memory(st, wanted);
  for (int64_t i = 0; !code && i < v->count; i++) rows->values[i] = reg_npy_at(v, i);
  reg_large_free(bytes);
  return code;
}

// Rows of an array, or where `each` is given also those of a series, of whose rows windows are made.
static int read_npy(const char *path, const reg_dataset *d, const reg_dataset *each, reg_rows *rows,
                    reg_status *st) {
  const int64_t width = reg_data_inputs(d), one_width = each ? reg_data_inputs(each) : 0;
  reg_npy_view a = {0};
  const int code = read_numbers(path, &a, rows, st);
  if (code) return code;
  const bool one = a.rank == 1 && a.count == width,
             series = each && a.count && !one &&
                      ((a.rank == 2 && a.dim[1] == one_width && one_width != width) ||
                       (a.rank == 1 && one_width == 1));
  if (series) {
    rows->nrows = a.count / one_width;
    return reg_series_windows(d->series, one_width, path, rows, st);
  }
  if (a.count == 0 || (!one && !(a.rank >= 2 && a.dim[0] * width == a.count)))
    return reg_fail(st, REG_BAD_DATA, "data_bad",
                    "%s: %lld numbers are no rows of %lld, which the model reads", path, (long long)a.count,
                    (long long)width);
  rows->nrows = a.count / width;
  return REG_OK;
}

static int read_rows(const reg_model *m, const reg_dataset *each, const char *path, reg_skipping *skipping,
                     reg_rows *rows, reg_status *st) {
  if (!strcmp(path, "-")) path = "/dev/stdin";
  if (ends_with(path, ".npy") && m->data->ntexts)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: the model reads texts, which stand in a .csv file",
                    path);
  if (ends_with(path, ".npy")) return read_npy(path, m->data, each, rows, st);
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
