// Banks: where functions read and write parameters and states. A training's states are its own; the tensors
// of its model are those of the run's store, so that a later training goes on with them and an evaluation
// sees them.
#include "train/internal.h"
#include <math.h>
#include <string.h>

static int tensors_new(Training *t, int count, const reg_tensor *tensors, void ***out) {
  *out = reg_heap_take(&t->run->heap, (size_t)count * sizeof **out);
  if (!*out) return reg_no_memory(t->run->st, (size_t)count * sizeof **out);
  for (int i = 0; i < count; i++) {
    size_t bytes = reg_tensor_bytes(&tensors[i]);
    if (!((*out)[i] = reg_heap_take(&t->run->heap, bytes))) return reg_no_memory(t->run->st, bytes);
  }
  return REG_OK;
}

int bank_new(Training *t, Bank *bank) {
  int code = tensors_new(t, t->plan->nparams, t->plan->params, &bank->params);
  return code ? code : tensors_new(t, t->plan->nstates, t->plan->states, &bank->states);
}

// The store's tensor for `to`, which has one of its own.
static void join(Run *r, const reg_tensor *tensor, void **to, bool *fresh) {
  void **place = &r->store[tensor->stored];
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
    memcpy(to->params[i], from->params[i], reg_tensor_bytes(&p->params[i]));
  for (int i = 0; i < p->nstates; i++)
    memcpy(to->states[i], from->states[i], reg_tensor_bytes(&p->states[i]));
}

// Parameters only: a state may be of integers, and one that matters reaches the objective.
bool bank_finite(const Training *t, const Bank *bank) {
  for (int i = 0; i < t->plan->nparams; i++)
    for (int64_t j = 0; j < t->plan->params[i].count; j++)
      if (!isfinite(reg_float_at(bank->params[i], t->plan->params[i].dtype, j))) return false;
  return true;
}
