// A compiled function over the columns of a part. In: the function's slots, a part. Out: what it makes of
// them. Runs on one thread: what it makes does not depend on their number.
#include "data/table.h"
#include "reg/train.h"
#include "slots.h"
#include <string.h>

int data_rows(const reg_dataset *d, const reg_part *part, int field, const reg_slot *s, void *to,
              reg_status *st) {
  const reg_field *f = &d->fields[field];
  if (field == 0 && reg_data_whole(d, st)) return st->code;
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

static int fill(const reg_function *f, const reg_dataset *d, const reg_part *part, void **at,
                reg_status *st) {
  int code = REG_OK;
  for (int i = 0; i < f->nslots && !code; i++)
    if (f->slots[i].kind == REG_SLOT_FIELD)
      code = data_rows(d, part, f->slots[i].index, &f->slots[i], at[i], st);
  return code;
}

int data_call(const reg_data_plan *plan, const reg_data_op *op, const reg_dataset *d, const reg_part *part,
              ColumnResults *out, reg_status *st) {
  const reg_function *f = op->fn;
  int32_t seed[2] = {(int32_t)(uint32_t)plan->seed, (int32_t)(uint32_t)(plan->seed >> 32)}, step = 0;
  double count = -1;
  Heap heap = {0};
  Slots slots = {.others = op->others, .datasets = (const reg_dataset *const *)plan->earlier};
  void **at = reg_heap_take(&heap, (size_t)f->nslots * sizeof *at),
       *scratch = reg_heap_take_large(&heap, (size_t)f->scratch_bytes);
  reg_ctx *ctx = reg_ctx_new(1);
  int code = at && scratch && ctx ? REG_OK : reg_no_memory(st, (size_t)f->scratch_bytes);
  slots.place[REG_SLOT_SCRATCH] = slot_one(scratch);
  slots.place[REG_SLOT_SEED] = slot_one(seed);
  slots.place[REG_SLOT_STEP] = slot_one(&step);
  slots.place[REG_SLOT_COLUMN] = slot_list(out->columns);
  slots.place[REG_SLOT_ROWS] = slot_list((void *const *)out->rows);
  slots.place[REG_SLOT_COUNT] = slot_one(&count);
  if (!code) code = slots_bind(f, &slots, &heap, at, st);
  if (!code) code = fill(f, d, part, at, st);
  if (!code && f->fn(ctx, at)) code = reg_ctx_fault(ctx, st);
  if (ctx) reg_ctx_free(ctx);
  reg_heap_free(&heap);
  if (count >= 0) out->count = (int64_t)count;
  return code;
}
