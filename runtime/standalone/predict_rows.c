// `BIN predict`: rows from a .csv or .npy file, predictions to one. Columns of a CSV file are found by name;
// those that the model does not read, the target among them, are left alone.
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

static const reg_train *pick_model(const reg_binary *b, const BinaryOptions *o, reg_status *st) {
  const reg_program *p = b->program;
  char list[200];
  Text names = reg_text_in(list, sizeof list);
  for (int i = 0; i < p->ntrains; i++) {
    if (o->model ? !strcmp(p->trains[i].name, o->model) : p->ntrains == 1) return &p->trains[i];
    reg_text_format(&names, "%s%s", i ? ", " : "", p->trains[i].name);
  }
  reg_fail(st, BINARY_USAGE, "no_such_model", o->model ? "the program has no model `%s`" : "which model?%s",
           o->model ? o->model : "");
  reg_hint(st, "--model=NAME, one of: %s", list);
  return NULL;
}

static int read_npy(const char *path, int64_t width, double **x, int64_t *rows, reg_status *st) {
  reg_array a = {0};
  int code = reg_npy_numbers(path, &a, x, st);
  if (code) return code;
  const bool one = a.rank == 1 && a.count == width;
  if (a.count == 0 || (!one && !(a.rank >= 2 && a.dim[0] * width == a.count))) {
    free(*x);
    *x = NULL;
    return reg_fail(st, REG_BAD_DATA, "data_bad",
                    "%s: %lld numbers are no rows of %lld, which the model reads", path, (long long)a.count,
                    (long long)width);
  }
  *rows = a.count / width;
  return REG_OK;
}

static int read_rows(const reg_model *m, const char *path, double **x, int64_t *rows, reg_status *st) {
  if (!strcmp(path, "-")) path = "/dev/stdin";
  if (ends_with(path, ".npy")) return read_npy(path, reg_model_inputs(m), x, rows, st);
  return reg_data_read(m->data, path, m->program->dtype, x, rows, st);
}

static const reg_field *target_of(const reg_dataset *d) {
  return d->target >= 0 ? &d->fields[d->target] : NULL;
}

static int write_rows(const reg_model *m, const char *path, void *y, int64_t rows, reg_status *st) {
  const int64_t width = reg_model_outputs(m);
  const reg_dtype type = m->program->dtype;
  if (path && ends_with(path, ".npy")) {
    reg_array a = {.dtype = REG_F32, .rank = 2, .dim = {rows, width}, .count = rows * width, .values = y};
    return type == REG_F64 ? reg_npy_write_numbers(path, &a, y, st) : reg_npy_write(path, &a, st);
  }
  Text o = {0};
  predictions_put(&o, target_of(m->data), NULL, NULL, y, type, rows, width);
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

static int predict(reg_model *m, const BinaryOptions *o, Heap *heap, reg_status *st) {
  const reg_train *t = m->train;
  void **params = tensors_new(heap, t->params, t->nparams),
       **states = tensors_new(heap, t->states, t->nstates);
  double *x = NULL;
  void *y = NULL;
  int64_t rows = 0;
  if (!params || !states) return reg_no_memory(st, 0);
  m->params = params;
  m->states = states;
  int code = reg_weights_load(m->program, t, 0, t, NULL, o->weights, params, states, st);
  if (!code) code = read_rows(m, o->in, &x, &rows, st);
  const size_t bytes = code ? 0 : (size_t)(rows * reg_model_outputs(m)) * reg_dtype_bytes(m->program->dtype);
  if (!code && !(y = malloc(bytes + 1))) code = reg_no_memory(st, bytes);
  if (!code) code = reg_model_predict(m, x, rows, y, st);
  if (!code) code = write_rows(m, o->out, y, rows, st);
  free(x);
  free(y);
  return code;
}

int binary_predict(const reg_binary *b, const BinaryOptions *o, reg_status *st) {
  const reg_train *t = pick_model(b, o, st);
  if (!t) return st->code;
  if (!t->predict)
    return reg_fail(st, BINARY_USAGE, "cannot_predict",
                    "`%s` reads more than the columns of its data: it cannot predict from a file", t->name);
  reg_model m = {.program = b->program, .train = t, .data = b->expected[t->data]};
  Heap heap = {0};
  NumberLocale numbers = reg_numbers_enter();
  int code = predict(&m, o, &heap, st);
  reg_numbers_leave(numbers);
  reg_heap_free(&heap);
  return code;
}
