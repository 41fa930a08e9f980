// States with a row for each row of the training part. In: the rows of a batch, as places in the table. Out:
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

int samples_find(Training *t) {
  const int32_t *ids = t->data->fields[reg_data_field(t->data, "id")].values;
  const int64_t n = t->part->nrows;
  bool any = false;
  for (int i = 0; i < t->plan->nstates; i++) any |= t->plan->states[i].rows;
  if (!any) return REG_OK;
  t->row_of = reg_heap_take(&t->run->heap, (size_t)t->data->nrows * sizeof *t->row_of);
  t->places = reg_heap_take(&t->run->heap, (size_t)t->plan->batch * sizeof *t->places);
  Sample *all = malloc((size_t)n * sizeof *all);
  if (!t->row_of || !t->places || !all) {
    free(all);
    return reg_no_memory(t->run->st, (size_t)n * sizeof *all);
  }
  for (int64_t i = 0; i < n; i++) all[i] = (Sample){ids[t->part->rows[i]], i};
  qsort(all, (size_t)n, sizeof *all, by_id);
  for (int64_t i = 0, first = 0; i < n; i++) {
    if (all[i].id != all[first].id) first = i;
    t->row_of[t->part->rows[all[i].at]] = (int32_t)all[first].at;
  }
  free(all);
  return REG_OK;
}

static size_t row_bytes(const reg_tensor *state) { return reg_tensor_bytes(state) / (size_t)state->dim[0]; }

void samples_keep(const Training *t, int state, void *out) {
  const reg_tensor *s = &t->plan->states[state];
  const char *from = t->now.states[state];
  if (!s->rows) memcpy(out, from, reg_tensor_bytes(s));
  for (int64_t i = 0; i < t->part->nrows && s->rows; i++) {
    const int64_t row = t->row_of[t->part->rows[i]];
    memcpy((char *)out + (size_t)i * row_bytes(s), from + (size_t)row * row_bytes(s), row_bytes(s));
  }
}

// First where all rows of the batch lie, so that they are on their way together.
void samples_read(const Training *t, const Bound *b, const int64_t *rows, int64_t count) {
  bool any = false;
  for (int k = 0; k < b->f->nslots; k++) {
    if (b->f->slots[k].kind != REG_SLOT_SAMPLE) continue;
    const int state = b->f->slots[k].index;
    const size_t bytes = row_bytes(&t->plan->states[state]);
    const char *from = t->now.states[state];
    for (int64_t i = 0; i < count && !any; i++) t->places[i] = t->row_of[rows[i]];
    any = true;
    for (int64_t i = 0; i < count; i++) prefetch_row(from + (size_t)t->places[i] * bytes, bytes);
    char *to = b->slots[k];
    for (int64_t i = 0; i < count; i++)
      memcpy(to + (size_t)i * bytes, from + (size_t)t->places[i] * bytes, bytes);
  }
}

void samples_write(const Training *t, const Bound *b, int64_t count) {
  for (int k = 0; k < b->f->nslots; k++) {
    if (b->f->slots[k].kind != REG_SLOT_SAMPLE) continue;
    const int state = b->f->slots[k].index;
    const size_t bytes = row_bytes(&t->plan->states[state]);
    const char *from = b->slots[k];
    char *to = t->now.states[state];
    for (int64_t i = 0; i < count; i++)
      memcpy(to + (size_t)t->places[i] * bytes, from + (size_t)i * bytes, bytes);
  }
}
