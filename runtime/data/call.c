// A compiled function over the columns of a part. In: the function's slots, a part. Out: what it makes of
// them. Runs on one thread: what it makes does not depend on their number.
#include "data/table.h"
#include "reg/train.h"
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };

static void *room(size_t bytes) { return aligned_alloc(LINE, (bytes / LINE + 2) * LINE); }

static void *field_rows(const reg_dataset *d, const reg_part *part, const reg_slot *s, reg_status *st) {
  const reg_field *f = &d->fields[s->index];
  const void *from = s->dtype == REG_I32 && f->classes ? (const void *)f->classes : f->values;
  const size_t row = (size_t)f->width * reg_dtype_bytes(s->dtype);
  if (!from || s->count != part->nrows * f->width) {
    reg_fail(st, REG_BAD_DATA, "data_differs", "field `%.60s` of part `%s` is not what the program needs",
             f->name, part->name);
    return NULL;
  }
  char *to = room((size_t)part->nrows * row);
  for (int64_t i = 0; i < part->nrows && to; i++)
    memcpy(to + (size_t)i * row, (const char *)from + (size_t)part->rows[i] * row, row);
  if (!to) reg_no_memory(st, (size_t)part->nrows * row);
  return to;
}

// What a call reads and writes besides its arrays.
typedef struct Numbers {
  int32_t seed[2], step;
  double count;
} Numbers;

// *own: to be freed.
static void *slot_memory(const reg_function *f, int i, const reg_dataset *d, const reg_part *part, Numbers *n,
                         const ColumnResults *out, bool *own, reg_status *st) {
  const reg_slot *s = &f->slots[i];
  *own = s->kind == REG_SLOT_SCRATCH || s->kind == REG_SLOT_FIELD;
  switch (s->kind) {
  case REG_SLOT_SCRATCH: return room((size_t)f->scratch_bytes);
  case REG_SLOT_FIELD: return field_rows(d, part, s, st);
  case REG_SLOT_SEED: return n->seed;
  case REG_SLOT_STEP: return &n->step;
  case REG_SLOT_COLUMN: return out->columns[s->index];
  case REG_SLOT_ROWS: return out->rows;
  case REG_SLOT_COUNT: return &n->count;
  default: return NULL;
  }
}

int data_call(const reg_function *f, const reg_dataset *d, const reg_part *part, uint64_t seed,
              ColumnResults *out, reg_status *st) {
  Numbers n = {.seed = {(int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32)}, .count = -1};
  void **slots = calloc((size_t)f->nslots + 1, sizeof *slots);
  bool *own = calloc((size_t)f->nslots + 1, sizeof *own);
  reg_ctx *ctx = reg_ctx_new(1);
  bool good = slots && own && ctx;
  for (int i = 0; i < f->nslots && good; i++)
    good = (slots[i] = slot_memory(f, i, d, part, &n, out, &own[i], st)) != NULL;
  if (!good && !st->code) reg_no_memory(st, (size_t)f->scratch_bytes);
  if (good && f->fn(ctx, slots)) reg_ctx_fault(ctx, st);
  for (int i = 0; i < f->nslots && slots && own; i++)
    if (own[i]) free(slots[i]);
  free(slots);
  free(own);
  if (ctx) reg_ctx_free(ctx);
  if (n.count >= 0) out->count = (int64_t)n.count;
  return st->code;
}
