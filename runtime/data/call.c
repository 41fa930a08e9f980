// A compiled function over the columns of a part. In: the function's slots, a part. Out: what it makes of
// them. Runs on one thread: what it makes does not depend on their number.
#include "data/table.h"
#include "reg/train.h"
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };

static void *room(size_t bytes) { return aligned_alloc(LINE, (bytes / LINE + 2) * LINE); }

int data_rows(const reg_dataset *d, const reg_part *part, int field, const reg_slot *s, void *to,
              reg_status *st) {
  const reg_field *f = &d->fields[field];
  const void *from = s->dtype == REG_I32 && f->classes ? (const void *)f->classes : f->values;
  const size_t row = (size_t)f->width * reg_dtype_bytes(s->dtype);
  const int64_t rows = part ? part->nrows : d->nrows;
  if (!from || s->count != rows * f->width)
    return reg_fail(st, REG_BAD_DATA, "data_differs", "field `%.60s` of %s is not what the program needs",
                    f->name, part ? part->name : "other data");
  for (int64_t i = 0; i < rows; i++)
    memcpy((char *)to + (size_t)i * row, (const char *)from + (size_t)(part ? part->rows[i] : i) * row, row);
  return REG_OK;
}

static void *field_rows(const reg_dataset *d, const reg_part *part, int field, const reg_slot *s,
                        reg_status *st) {
  const size_t bytes = (size_t)s->count * reg_dtype_bytes(s->dtype);
  void *to = room(bytes);
  if (!to) reg_no_memory(st, bytes);
  if (!to || !data_rows(d, part, field, s, to, st)) return to;
  free(to);
  return NULL;
}

static void *other_rows(const reg_data_plan *plan, const reg_data_other *o, const reg_slot *s,
                        reg_status *st) {
  const reg_dataset *d = plan->earlier[o->data];
  return field_rows(d, o->part ? reg_data_part(d, o->part) : NULL, o->field, s, st);
}

// What a call reads and writes besides its arrays.
typedef struct Numbers {
  int32_t seed[2], step;
  double count;
} Numbers;

// One call: its step of a plan, and the rows that it works on.
typedef struct Call {
  const reg_data_plan *plan;
  const reg_data_op *op;
  const reg_dataset *d;
  const reg_part *part;
  Numbers n;
  const ColumnResults *out;
  reg_status *st;
} Call;

static bool is_own(const reg_slot *s) {
  return s->kind == REG_SLOT_SCRATCH || s->kind == REG_SLOT_FIELD || s->kind == REG_SLOT_OTHER;
}

static void *slot_memory(Call *c, const reg_slot *s) {
  switch (s->kind) {
  case REG_SLOT_SCRATCH: return room((size_t)c->op->fn->scratch_bytes);
  case REG_SLOT_FIELD: return field_rows(c->d, c->part, s->index, s, c->st);
  case REG_SLOT_OTHER: return other_rows(c->plan, &c->op->others[s->index], s, c->st);
  case REG_SLOT_SEED: return c->n.seed;
  case REG_SLOT_STEP: return &c->n.step;
  case REG_SLOT_COLUMN: return c->out->columns[s->index];
  case REG_SLOT_ROWS: return c->out->rows;
  case REG_SLOT_COUNT: return &c->n.count;
  default: return NULL;
  }
}

int data_call(const reg_data_plan *plan, const reg_data_op *op, const reg_dataset *d, const reg_part *part,
              ColumnResults *out, reg_status *st) {
  const reg_function *f = op->fn;
  const int32_t low = (int32_t)(uint32_t)plan->seed, high = (int32_t)(uint32_t)(plan->seed >> 32);
  Call c = {plan, op, d, part, {.seed = {low, high}, .count = -1}, out, st};
  void **slots = calloc((size_t)f->nslots + 1, sizeof *slots);
  reg_ctx *ctx = reg_ctx_new(1);
  bool good = slots && ctx;
  for (int i = 0; i < f->nslots && good; i++) good = (slots[i] = slot_memory(&c, &f->slots[i])) != NULL;
  if (!good && !st->code) reg_no_memory(st, (size_t)f->scratch_bytes);
  if (good && f->fn(ctx, slots)) reg_ctx_fault(ctx, st);
  for (int i = 0; i < f->nslots && slots; i++)
    if (is_own(&f->slots[i])) free(slots[i]);
  free(slots);
  if (ctx) reg_ctx_free(ctx);
  if (c.n.count >= 0) out->count = (int64_t)c.n.count;
  return st->code;
}
