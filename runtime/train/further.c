// Data of a training besides those that its epochs go over. In: the number of a step, or of a chunk of
// validation. Out: batches in the slots of a function. The rows of training are shuffled anew for each pass;
// those of validation come in their order, from the first one on. A batch is always full: where a pass ends
// within it, the next one begins.
#include "train/internal.h"

int further_new(Training *t) {
  const reg_train *p = t->plan;
  Run *r = t->run;
  const size_t bytes = (size_t)p->nfurther * sizeof *t->further;
  if (!(t->further = reg_heap_take(&r->heap, bytes))) return reg_no_memory(r->st, bytes);
  for (int k = 0; k < p->nfurther; k++) {
    const reg_further *plan = &p->further[k];
    Further *f = &t->further[k];
    f->data = r->program->datasets[plan->data];
    f->part = reg_data_part(f->data, plan->part);
    f->valid_part = plan->valid_part ? reg_data_part(f->data, plan->valid_part) : NULL;
    f->pass = -1; // none
    f->order = reg_heap_take_large(&r->heap, (size_t)f->part->nrows * sizeof *f->order);
    f->rows = reg_heap_take(&r->heap, (size_t)plan->batch * sizeof *f->rows);
    if (!f->order || !f->rows) return reg_no_memory(r->st, (size_t)f->part->nrows * sizeof *f->order);
  }
  return REG_OK;
}

const reg_field *further_field(const Training *t, const reg_slot *s, int *index) {
  int field = s->index;
  for (int k = 0; k < t->plan->nfurther && field >= 0; k++) {
    const reg_dataset *d = t->further[k].data;
    *index = k;
    if (field < d->nfields) return &d->fields[field];
    field -= d->nfields;
  }
  return NULL;
}

static void batch_rows(const Training *t, int k, bool validates, int64_t number) {
  Further *f = &t->further[k];
  const reg_part *part = validates ? f->valid_part : f->part;
  const int64_t batch = t->plan->further[k].batch;
  for (int64_t i = 0; i < batch; i++) {
    const int64_t at = number * batch + i, pass = at / part->nrows;
    if (!validates && (pass != f->pass || t->full_seed != f->seed)) {
      f->pass = pass;
      f->seed = t->full_seed;
      reg_permutation(t->full_seed, (uint32_t)(REG_STREAM_FURTHER - k), (uint32_t)pass, part->nrows,
                      f->order);
    }
    f->rows[i] = part->rows[validates ? at % part->nrows : f->order[at % part->nrows]];
  }
}

int further_gather(const Training *t, const Bound *b, bool validates, int64_t number) {
  int last = -1, k = 0, code = REG_OK;
  for (int i = 0; i < b->f->nslots && t->plan->nfurther && !code; i++) {
    const reg_slot *s = &b->f->slots[i];
    const reg_field *field = s->kind == REG_SLOT_FURTHER ? further_field(t, s, &k) : NULL;
    const int rows = s->kind == REG_SLOT_SAMPLE ? t->plan->states[s->index].rows : 0;
    if (rows > 1) k = rows - 2;
    if (!field && rows <= 1) continue;
    if (k != last) batch_rows(t, k, validates, number);
    last = k;
    if (field) code = gather_rows(t, field, s, t->further[k].rows, t->plan->further[k].batch, b->slots[i]);
  }
  return code;
}

int further_recut(const Training *t, const Bound *b) {
  int code = REG_OK;
  for (int k = 0, first = 0; k < t->plan->nfurther && !code; first += t->further[k++].data->nfields)
    code = texts_recut(t, b, t->further[k].data, &(RecutPlace){REG_SLOT_FURTHER, first, k + 1},
                       t->further[k].rows, t->plan->further[k].batch);
  return code;
}
