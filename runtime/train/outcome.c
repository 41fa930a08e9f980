// What a training leaves in the program's store besides its model: losses, metrics, numbers of epochs and
// steps.
#include "train/internal.h"
#include <math.h>

static double result_of(const Training *t, const reg_result *x, const reg_event *e) {
  switch (x->kind) {
  case REG_RESULT_LOSS: return e->loss;
  case REG_RESULT_OBJECTIVE: return e->objective;
  case REG_RESULT_VALID_LOSS: return e->has_valid ? e->valid_loss : NAN;
  case REG_RESULT_METRIC: return e->valid_metrics ? e->valid_metrics[x->index] : NAN;
  case REG_RESULT_LOG: return e->terms[x->index];
  case REG_RESULT_STATE:
  case REG_RESULT_EPOCHS: return (double)t->epoch;
  case REG_RESULT_STEPS: return (double)t->step;
  case REG_RESULT_BEST_EPOCH: return (double)t->best_epoch;
  }
  return NAN;
}

static bool counts(const reg_result *x) {
  return x->kind == REG_RESULT_EPOCHS || x->kind == REG_RESULT_STEPS || x->kind == REG_RESULT_BEST_EPOCH;
}

static void keep_result(const Training *t, const reg_result *x, int64_t at, double value) {
  const Run *r = t->run;
  const reg_tensor *to = &r->program->store[x->value];
  if (at < to->count) reg_number_put(r->store[x->value], to->dtype, at, value);
}

// Before there is an epoch, and in an evaluation of what was trained once: nothing is known.
int outcome_new(const Training *t) {
  const reg_program *p = t->run->program;
  for (int i = 0; i < t->plan->nresults; i++) {
    const reg_result *x = &t->plan->results[i];
    if (!store_take(t->run, x->value)) return t->run->st->code;
    for (int64_t k = 0; k < p->store[x->value].count; k++) keep_result(t, x, k, counts(x) ? 0 : NAN);
  }
  return REG_OK;
}

void outcome_states(const Training *t) {
  for (int i = 0; i < t->plan->nresults; i++) {
    const reg_result *x = &t->plan->results[i];
    if (x->kind == REG_RESULT_STATE) samples_keep(t, x->index, t->run->store[x->value]);
  }
}

void outcome_epoch(const Training *t, const reg_event *e) {
  for (int i = 0; i < t->plan->nresults; i++) {
    const reg_result *x = &t->plan->results[i];
    if (x->kind != REG_RESULT_STATE) keep_result(t, x, x->history ? t->epoch - 1 : 0, result_of(t, x, e));
  }
  outcome_states(t);
}

// Also of an epoch that did not come to its end.
void outcome_end(const Training *t) {
  for (int i = 0; i < t->plan->nresults; i++) {
    const reg_result *x = &t->plan->results[i];
    if (counts(x) && !x->history) keep_result(t, x, 0, result_of(t, x, NULL));
  }
}
