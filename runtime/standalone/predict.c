// A model's predictions, chunk by chunk. In: raw rows. Out: the model's outputs for each; a last chunk that
// is not full repeats its last row, whose results nobody sees.
#include "reg/binary.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static const reg_slot *slot_of(const reg_function *f, reg_slot_kind kind) {
  for (int i = 0; i < f->nslots; i++)
    if (f->slots[i].kind == kind) return &f->slots[i];
  return NULL;
}

int64_t reg_model_inputs(const reg_model *m) { return reg_data_inputs(m->data); }

int64_t reg_model_outputs(const reg_model *m) {
  const reg_function *f = m->train->predict;
  return slot_of(f, REG_SLOT_PRED)->count / f->batch;
}

// Columns of x; 0 where models read tokens alone.
static int64_t width_of(const reg_model *m) {
  return m->data->fields[0].dtype == REG_I32 ? 0 : m->data->fields[0].width;
}

typedef struct Chunk {
  void **slots;
  double *raw;                 // of the chunk: inputs, and room for x
  void *x, *y;                 // of the program's floats
  int32_t **tokens, **lengths; // of each text
  double zero;                 // seed, step, epoch, total: evaluation does not depend on them
} Chunk;

static void *field_of(const reg_model *m, int field, const Chunk *c) {
  for (int i = 0; i < m->data->ntexts; i++) {
    if (m->data->texts[i].field == field) return c->tokens[i];
    if (m->data->texts[i].length == field) return c->lengths[i];
  }
  return field ? NULL : c->x;
}

static void *target_of(const reg_model *m, const reg_slot *s, Chunk *c, Heap *heap) {
  switch (s->kind) {
  case REG_SLOT_PARAM: return m->params[s->index];
  case REG_SLOT_STATE: return m->states[s->index];
  case REG_SLOT_FIELD: return field_of(m, s->index, c);
  case REG_SLOT_PRED: return c->y;
  case REG_SLOT_SEED:
  case REG_SLOT_STEP:
  case REG_SLOT_EPOCH:
  case REG_SLOT_TURN: // each row is the first of its lane
  case REG_SLOT_TOTAL: return &c->zero;
  case REG_SLOT_SETTING: return &m->program->settings[s->index].value;
  case REG_SLOT_SCRATCH: return reg_heap_take(heap, (size_t)s->count * 4);
  default: return NULL;
  }
}

static int prepare(const reg_model *m, Chunk *c, Heap *heap, reg_status *st) {
  const reg_function *f = m->train->predict;
  const int64_t in = width_of(m), out = reg_model_outputs(m);
  const size_t each = reg_dtype_bytes(m->program->dtype);
  c->raw = reg_heap_take(heap, (size_t)(f->batch * in) * sizeof(double));
  c->x = reg_heap_take(heap, (size_t)(f->batch * in) * each);
  c->y = reg_heap_take(heap, (size_t)(f->batch * out) * each);
  c->slots = reg_heap_take(heap, (size_t)f->nslots * sizeof *c->slots);
  c->tokens = reg_heap_take(heap, (size_t)m->data->ntexts * sizeof *c->tokens);
  c->lengths = reg_heap_take(heap, (size_t)m->data->ntexts * sizeof *c->lengths);
  bool good = c->raw && c->x && c->y && c->slots && c->tokens && c->lengths;
  for (int i = 0; i < m->data->ntexts && good; i++) {
    c->tokens[i] = reg_heap_take(heap, (size_t)(f->batch * m->data->texts[i].places) * sizeof(int32_t));
    c->lengths[i] = reg_heap_take(heap, (size_t)f->batch * sizeof(int32_t));
    good = c->tokens[i] && c->lengths[i];
  }
  if (!good) return reg_no_memory(st, (size_t)(f->batch * (in + out)) * each);
  for (int i = 0; i < f->nslots; i++)
    if (!(c->slots[i] = target_of(m, &f->slots[i], c, heap)))
      return reg_fail(st, REG_INTERNAL, "internal", "slot %d of `%s` (kind %d) cannot be filled", i, f->name,
                      (int)f->slots[i].kind);
  return REG_OK;
}

// Tokens of `now` rows from `first` on; the last one fills up what is left.
static void fill_texts(const reg_model *m, int32_t *const *tokens, int64_t first, int64_t now, Chunk *c) {
  for (int i = 0; i < m->data->ntexts && tokens; i++)
    for (int64_t row = 0; row < m->train->predict->batch; row++) {
      const int64_t n = m->data->texts[i].places;
      const int32_t *from = tokens[i] + (first + (row < now ? row : now - 1)) * (n + 1);
      memcpy(c->tokens[i] + row * n, from, (size_t)n * sizeof *from);
      c->lengths[i][row] = from[n];
    }
}

static int predict(const reg_model *m, const double *x, const float *narrow, int32_t *const *tokens,
                   int64_t rows, void *y, reg_status *st) {
  reg_status ignored;
  Heap heap = {0};
  Chunk c = {0};
  const size_t each = reg_dtype_bytes(m->program->dtype);
  if (!st) st = &ignored;
  *st = (reg_status){0};
  const reg_function *f = m->train->predict;
  int code = f ? prepare(m, &c, &heap, st)
               : reg_fail(st, REG_INTERNAL, "internal", "`%s` needs more than x to predict", m->train->name);
  reg_ctx *ctx = code ? NULL : reg_ctx_new(1);
  if (!code && !ctx) code = reg_no_memory(st, 0);
  const int64_t in = code ? 0 : reg_model_inputs(m), width = code ? 0 : width_of(m),
                out = code ? 0 : reg_model_outputs(m);
  for (int64_t done = 0; done < rows && !code; done += f->batch) {
    const int64_t now = rows - done < f->batch ? rows - done : f->batch;
    for (int64_t i = 0; i < now * in; i++)
      c.raw[i] = narrow ? (double)narrow[done * in + i] : x[done * in + i];
    fill_texts(m, tokens, done, now, &c);
    const int64_t wrong = width ? reg_data_transform(m->data, c.raw, now, c.x) : -1;
    if (wrong >= 0) {
      code = reg_fail(st, REG_BAD_DATA, "data_bad",
                      "row %lld: column `%.60s` is no finite number, as it is or scaled",
                      (long long)(done + wrong / width + 1), m->data->columns[wrong % width]);
      break;
    }
    for (int64_t i = now; i < f->batch; i++)
      memcpy((char *)c.x + (size_t)(i * width) * each, (char *)c.x + (size_t)((now - 1) * width) * each,
             (size_t)width * each);
    if (f->fn(ctx, c.slots)) {
      code = reg_ctx_fault(ctx, st);
      break;
    }
    memcpy((char *)y + (size_t)(done * out) * each, c.y, (size_t)(now * out) * each);
  }
  reg_ctx_free(ctx);
  reg_heap_free(&heap);
  return code;
}

int reg_model_predict(const reg_model *m, const reg_rows *rows, void *y, reg_status *st) {
  return predict(m, rows->values, NULL, rows->tokens, rows->nrows, y, st);
}

int reg_model_call(const reg_model *m, const float *x, int64_t rows, void *y) {
  return predict(m, NULL, x, NULL, rows, y, NULL);
}

int reg_model_call_double(const reg_model *m, const double *x, int64_t rows, void *y) {
  return predict(m, x, NULL, NULL, rows, y, NULL);
}
