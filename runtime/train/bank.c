// Banks: where functions read and write parameters and states. A training's states are its own; the tensors
// of its model are those of the run's store, so that a later training goes on with them and an evaluation
// sees them.
#include "train/internal.h"
#include <math.h>
#include <string.h>

static int tensors_new(Training *t, int count, const reg_tensor *tensors, float ***out) {
  *out = reg_heap_take(&t->run->heap, (size_t)count * sizeof **out);
  if (!*out) return reg_no_memory(t->run->st, (size_t)count * sizeof **out);
  for (int i = 0; i < count; i++) {
    size_t bytes = (size_t)tensors[i].count * sizeof(float);
    if (!((*out)[i] = reg_heap_take(&t->run->heap, bytes))) return reg_no_memory(t->run->st, bytes);
  }
  return REG_OK;
}

int bank_new(Training *t, Bank *bank) {
  int code = tensors_new(t, t->plan->nparams, t->plan->params, &bank->params);
  return code ? code : tensors_new(t, t->plan->nstates, t->plan->states, &bank->states);
}

// The store's tensor for `to`, which has one of its own.
static void join(Run *r, const reg_tensor *tensor, float **to, bool *fresh) {
  float **place = &r->store[tensor->stored];
  *fresh = !*place;
  if (*place)
    *to = *place;
  else
    *place = *to;
}

int bank_join(Training *t, bool *fresh_params, bool *fresh_states) {
  const reg_train *p = t->plan;
  int code = bank_new(t, &t->now);
  for (int i = 0; i < p->nparams && !code; i++)
    join(t->run, &p->params[i], &t->now.params[i], &fresh_params[i]);
  for (int i = 0; i < p->nstates && !code; i++) {
    fresh_states[i] = true;
    if (p->states[i].layer) join(t->run, &p->states[i], &t->now.states[i], &fresh_states[i]);
  }
  return code;
}

void bank_copy(const Training *t, const Bank *to, const Bank *from) {
  const reg_train *p = t->plan;
  for (int i = 0; i < p->nparams; i++)
    memcpy(to->params[i], from->params[i], (size_t)p->params[i].count * sizeof(float));
  for (int i = 0; i < p->nstates; i++)
    memcpy(to->states[i], from->states[i], (size_t)p->states[i].count * sizeof(float));
}

// Parameters only: a state may be of integers, and one that matters reaches the objective.
bool bank_finite(const Training *t, const Bank *bank) {
  for (int i = 0; i < t->plan->nparams; i++)
    for (int64_t j = 0; j < t->plan->params[i].count; j++)
      if (!isfinite(bank->params[i][j])) return false;
  return true;
}
