// What each term does: norms of gradients behind an epoch. In: a training. Out: norms in its event.
#include "train/internal.h"

// A measure costs about a step for each term of the data: it is made behind the epochs in which the number of
// updates comes past a multiple of this, and at the end of a training that has fewer. In a loop a solution
// may cost less than a measure of it. Of runs of a sweep there are many: each is measured when it has made so
// many updates, four times as many, and so on, and at its end; of those of a sweep in it nothing is told.
enum { MEASURED_STEPS = 32 };

static int fourfold(int64_t steps) {
  int n = 0;
  for (int64_t at = MEASURED_STEPS; at <= steps; at *= 4) n++;
  return n;
}

static bool is_due(const Training *t) {
  const Run *r = t->run;
  if (r->sweeps > 1 || (t->plan->nblocks && (r->around || r->sweeps))) return false;
  const bool ends = t->epoch == t->plan->epochs || t->step >= (int64_t)t->total;
  if (r->sweeps) return ends || fourfold(t->step) > fourfold(t->began);
  return t->step / MEASURED_STEPS > t->began / MEASURED_STEPS || (ends && t->step < MEASURED_STEPS);
}

// How strongly loss and terms pull on the parameters as they are, with the first rows of the pass. It changes
// nothing; where an index or a matrix is refused, there is no measure.
int measure_norms(Training *t, reg_event *e) {
  Bound *b = &t->measure;
  if (!t->plan->norms || !is_due(t)) return REG_OK;
  const int code = b->f ? REG_OK : bind_function(t, t->plan->norms, &t->now, NULL, NULL, b);
  if (code || !b->f) return code;
  const int64_t rows = b->f->batch;
  t->turn = 0;
  int gathered = bound_gather(t, b, t->order, rows);
  if (!gathered) gathered = further_gather(t, b, false, t->step);
  if (gathered) return gathered;
  samples_read(t, b, t->order, rows, t->rows - rows);
  const reg_status before = *t->run->st;
  if (bound_call(t, b)) {
    *t->run->st = before;
    return REG_OK;
  }
  for (int i = 0; i <= t->plan->nterms; i++) t->norm_now[i] = value_at(t, t->norms, i);
  e->norms = t->norm_now;
  return REG_OK;
}
