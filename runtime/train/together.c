// Runs of a sweep that are trained together: step by step, one after the other. In: trainings of one plan,
// seed and data. Out: the bits that each has alone, for less: rows are arranged and gathered and draws
// made once for all, and a step's code and rows stay in the core's cache from run to run.
#include "train/internal.h"

static void share(const reg_function *f, void **own, void *const *first) {
  for (int i = 0; i < f->nslots; i++) {
    const reg_slot_kind kind = f->slots[i].kind;
    if (kind == REG_SLOT_FIELD || kind == REG_SLOT_FURTHER || kind == REG_SLOT_DRAWN) own[i] = first[i];
  }
}

int together_bind(Training *t, bool full, Bound *b) {
  const Bound **first = full ? &t->together->full : &t->together->last;
  const int code = bind_function(t, full ? t->plan->step : t->plan->step_last, &t->now, NULL, NULL, b);
  if (code) return code;
  if (!*first) {
    Bound *rows =
        reg_heap_take(&t->run->heap, sizeof *rows); // b is cleared where its training leaves the others
    if (!rows) return reg_no_memory(t->run->st, sizeof *rows);
    *rows = *b;
    *first = rows;
  }
  share(b->f, b->slots, (*first)->slots);
  if (b->draws) share(b->f->draws, b->draws, (*first)->draws);
  return REG_OK;
}

int64_t together_bytes(const reg_program *p, const reg_variant *v) {
  int64_t most = 0;
  for (int i = 0; i < v->nbody; i++) {
    if (v->body[i].kind != REG_STAGE_TRAIN) continue;
    const reg_train *t = &p->trains[v->body[i].index];
    int64_t bytes = 1;
    if (!t->together) continue;
    for (int k = 0; k < t->nparams; k++) bytes += (int64_t)reg_tensor_bytes(&t->params[k]);
    for (int k = 0; k < t->nstates; k++)
      if (!t->states[k].rows) bytes += (int64_t)reg_tensor_bytes(&t->states[k]);
    if (bytes > most) most = bytes;
  }
  return most;
}
