// States with a row for each row of a training's data. In: the rows of a batch, as places in the table. Out:
// their rows in the state, and what a step made of them put back. Holds: a row is known by its id, so rows
// that were picked twice have one in the state, and of those in one batch the last one counts; the cost is
// that of the batch.
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct Sample {
  int32_t id;
  int64_t at; // in the part
} Sample;

static int by_id(const void *a, const void *b) {
  const Sample *x = a, *y = b;
  if (x->id != y->id) return x->id < y->id ? -1 : 1;
  return (x->at > y->at) - (x->at < y->at);
}

// Of the training's data (0), or of its further data.
static int samples_new(Training *t, int k) {
  const reg_dataset *d = k ? t->further[k - 1].data : t->data;
  const reg_part *part = k ? t->further[k - 1].part : t->part;
  const int32_t *ids = d->fields[reg_data_field(d, "id")].values;
  const int64_t n = part->nrows, batch = k ? t->plan->further[k - 1].batch : t->plan->batch;
  Samples *s = &t->samples[k];
  s->part = part;
  s->row_of = reg_heap_take_large(&t->run->heap, (size_t)d->nrows * sizeof *s->row_of);
  s->places = reg_heap_take(&t->run->heap, (size_t)batch * sizeof *s->places);
  Sample *all = malloc((size_t)n * sizeof *all);
  if (!s->row_of || !s->places || !all) {
    free(all);
    return reg_no_memory(t->run->st, (size_t)n * sizeof *all);
  }
  for (int64_t i = 0; i < n; i++) all[i] = (Sample){ids[part->rows[i]], i};
  qsort(all, (size_t)n, sizeof *all, by_id);
  for (int64_t i = 0, first = 0; i < n; i++) {
    if (all[i].id != all[first].id) first = i;
    s->row_of[part->rows[all[i].at]] = (int32_t)all[first].at;
  }
  free(all);
  return REG_OK;
}

int samples_find(Training *t) {
  const size_t bytes = (size_t)(1 + t->plan->nfurther) * sizeof *t->samples;
  int code = REG_OK;
  if (!(t->samples = reg_heap_take(&t->run->heap, bytes))) return reg_no_memory(t->run->st, bytes);
  for (int i = 0; i < t->plan->nstates && !code; i++) {
    const int rows = t->plan->states[i].rows;
    if (rows && !t->samples[rows - 1].part) code = samples_new(t, rows - 1);
  }
  return code;
}

static size_t row_bytes(const reg_tensor *state) { return reg_tensor_bytes(state) / (size_t)state->dim[0]; }

void samples_keep(const Training *t, int state, void *out) {
  const reg_tensor *tensor = &t->plan->states[state];
  const char *from = t->now.states[state];
  const Samples *s = tensor->rows ? &t->samples[tensor->rows - 1] : NULL;
  if (!s) memcpy(out, from, reg_tensor_bytes(tensor));
  const size_t bytes = s ? row_bytes(tensor) : 0;
  for (int64_t i = 0; s && i < s->part->nrows; i++)
    memcpy((char *)out + (size_t)i * bytes, from + (size_t)s->row_of[s->part->rows[i]] * bytes, bytes);
}

// A state's rows of the batch: where they begin, there and in the slot, and how many bytes one has.
typedef struct Rows {
  const Samples *of;
  char *state, *slot;
  size_t bytes;
} Rows;

static bool rows_of(const Training *t, const Bound *b, int slot, Rows *out) {
  if (b->f->slots[slot].kind != REG_SLOT_SAMPLE) return false;
  const int state = b->f->slots[slot].index;
  const reg_tensor *tensor = &t->plan->states[state];
  *out = (Rows){&t->samples[tensor->rows - 1], t->now.states[state], b->slots[slot], row_bytes(tensor)};
  return true;
}

// Those of the next batch are on their way while the step is computed.
void samples_read(const Training *t, const Bound *b, const int64_t *rows, int64_t count, int64_t behind) {
  for (int k = 0; k <= t->plan->nfurther; k++) {
    Samples *s = &t->samples[k];
    s->count = !s->part ? 0 : k ? t->plan->further[k - 1].batch : count;
    for (int64_t i = 0; i < s->count; i++) s->places[i] = s->row_of[k ? t->further[k - 1].rows[i] : rows[i]];
  }
  Rows r;
  for (int k = 0; k < b->f->nslots; k++) {
    if (!rows_of(t, b, k, &r)) continue;
    for (int64_t i = 0; i < r.of->count; i++)
      memcpy(r.slot + (size_t)i * r.bytes, r.state + (size_t)r.of->places[i] * r.bytes, r.bytes);
    for (int64_t i = count; r.of == t->samples && i < 2 * count && i < count + behind; i++)
      prefetch_row(r.state + (size_t)r.of->row_of[rows[i]] * r.bytes, r.bytes);
  }
}

void samples_write(const Training *t, const Bound *b) {
  Rows r;
  for (int k = 0; k < b->f->nslots; k++)
    for (int64_t i = 0; rows_of(t, b, k, &r) && i < r.of->count; i++)
      memcpy(r.state + (size_t)r.of->places[i] * r.bytes, r.slot + (size_t)i * r.bytes, r.bytes);
}
