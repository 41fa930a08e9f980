// Banks: where functions read and write parameters and states. A training's states are its own; the tensors
// of its model are those of the run's store, so that a later training goes on with them and an evaluation
// sees them.
#include "train/internal.h"
#include <math.h>
#include <string.h>

static void *own(Training *t, const reg_tensor *tensor) {
  void *block = reg_heap_take(&t->run->heap, reg_tensor_bytes(tensor));
  if (!block) reg_no_memory(t->run->st, reg_tensor_bytes(tensor));
  return block;
}

static int tensors_new(Training *t, int count, const reg_tensor *tensors, void ***out) {
  *out = reg_heap_take(&t->run->heap, (size_t)count * sizeof **out);
  if (!*out) return reg_no_memory(t->run->st, (size_t)count * sizeof **out);
  for (int i = 0; i < count; i++)
    if (!((*out)[i] = own(t, &tensors[i]))) return t->run->st->code;
  return REG_OK;
}

int bank_new(Training *t, Bank *bank) {
  int code = tensors_new(t, t->plan->nparams, t->plan->params, &bank->params);
  return code ? code : tensors_new(t, t->plan->nstates, t->plan->states, &bank->states);
}

static int join(Training *t, int count, const reg_tensor *tensors, void ***out, bool *fresh) {
  Run *r = t->run;
  *out = reg_heap_take(&r->heap, (size_t)count * sizeof **out);
  if (!*out) return reg_no_memory(r->st, (size_t)count * sizeof **out);
  for (int i = 0; i < count; i++) {
    const int stored = tensors[i].stored;
    fresh[i] = stored < 0 || !r->store[stored];
    (*out)[i] = stored < 0 ? own(t, &tensors[i]) : store_take(r, stored);
    if (!(*out)[i]) return r->st->code;
    if (fresh[i] && stored >= 0) r->initial[stored] = true;
  }
  return REG_OK;
}

int bank_join(Training *t, bool *fresh_params, bool *fresh_states) {
  const reg_train *p = t->plan;
  int code = join(t, p->nparams, p->params, &t->now.params, fresh_params);
  return code ? code : join(t, p->nstates, p->states, &t->now.states, fresh_states);
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
