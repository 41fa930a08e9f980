// Where a NaN was born. In: the step at which the objective stopped being a number. The epoch is replayed
// from its snapshot (the same bits) up to the first step that spoils the objective or a parameter; the
// weights before that step are the last good ones. That step then runs once more on copies with every value
// kept, and the first value that is not finite names the place.
#include "train/internal.h"
#include <math.h>

typedef struct Culprit {
  const char *term, *tensor; // tensor NULL: no trace
  double value;
} Culprit;

static const char *kind_of(double value) {
  return isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity";
}

static void first_term(const Training *t, Culprit *c) {
  *c = (Culprit){.term = "update", .value = NAN};
  const double loss = value_at(t, t->loss, 0), objective = value_at(t, t->objective, 0);
  if (!isfinite(loss) && !t->plan->sums_terms) {
    *c = (Culprit){.term = "loss", .value = loss};
    return;
  }
  for (int i = 0; i < t->plan->nterms - t->plan->nlogs; i++) {
    const double term = value_at(t, t->terms, i);
    if (isfinite(term)) continue;
    *c = (Culprit){.term = t->plan->terms[i], .value = term};
    return;
  }
  if (!isfinite(objective)) *c = (Culprit){.term = "objective", .value = objective};
}

static void first_trace(const Bound *b, Culprit *c) {
  for (int i = 0; i < b->f->ntrace; i++) {
    const reg_trace *trace = &b->f->trace[i];
    const char *values = (const char *)b->slots[trace->slot] + trace->offset;
    for (int64_t j = 0; j < trace->count; j++) {
      const double value = reg_float_at(values, trace->dtype, j);
      if (isfinite(value)) continue;
      c->tensor = trace->what;
      c->value = value;
      return;
    }
  }
}

// Replays this epoch's steps up to index; returns the first that spoils something. `good` has the weights
// before it.
static int64_t replay(Training *t, Steps *steps, int64_t index, const Bank *good) {
  bank_copy(t, &t->now, &t->epoch_start);
  t->step -= (int32_t)(index - t->skipped);
  for (int64_t i = t->skipped; i < index; i++, t->step++) {
    bank_copy(t, good, &t->now);
    take_step(t, steps, i, false);
    if (!step_is_finite(t) || !bank_finite(t, &t->now)) return i;
  }
  bank_copy(t, good, &t->now);
  return index;
}

static int trace_step(Training *t, int64_t index, const Bank *copies, Culprit *c) {
  bool full = step_rows(t, index) == t->plan->batch;
  reg_function *f = full ? t->plan->step_trace : t->plan->step_last_trace;
  Steps traced = {0};
  Bound *b = full ? &traced.full : &traced.last;
  int code = bind_function(t, f, copies, NULL, NULL, b);
  if (code) return code;
  if (f) take_step(t, &traced, index, false);
  first_term(t, c);
  if (f) first_trace(b, c);
  return REG_OK;
}

// One that was made together with others replays its steps alone.
static int leave_others(Training *t) {
  t->together = NULL;
  t->steps = (Steps){0};
  const int code = bind_function(t, t->plan->step, &t->now, NULL, NULL, &t->steps.full);
  return code ? code : bind_function(t, t->plan->step_last, &t->now, NULL, NULL, &t->steps.last);
}

int explain_divergence(Training *t, int64_t index) {
  Bank good;
  Steps *steps = &t->steps;
  Culprit c;
  reg_status *st = t->run->st;
  int code = bank_new(t, &good);
  if (!code && t->together) code = leave_others(t);
  if (code) return code;
  int64_t first = replay(t, steps, index, &good);
  // Without a trace function the step itself fills loss and terms; t->now serves as the copy either way.
  bank_copy(t, &t->now, &good);
  take_step(t, steps, first, false);
  bank_copy(t, &t->now, &good);
  code = trace_step(t, first, &t->now, &c);
  bank_copy(t, &t->now, &good);
  if (code) return code;
  if (c.tensor)
    reg_fail(st, REG_DIVERGED, "diverged",
             "training `%s` diverged at step %d (epoch %d): %s in term `%s`, first in %s", t->plan->name,
             t->step, t->epoch + 1, kind_of(c.value), c.term, c.tensor);
  else
    reg_fail(st, REG_DIVERGED, "diverged", "training `%s` diverged at step %d (epoch %d): %s in term `%s`",
             t->plan->name, t->step, t->epoch + 1, kind_of(c.value), c.term);
  reg_hint(st, "a smaller learning rate or strength; the last good weights are kept");
  return REG_DIVERGED;
}
