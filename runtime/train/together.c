// Runs of a sweep that are trained together: step by step, one after the other. In: trainings of one plan,
// seed and data. Out: the bits that each has alone, for less: rows are arranged and gathered once for all,
// and a step's code and rows stay in the core's cache from run to run.
#include "train/internal.h"

static bool is_row(const reg_slot *s) { return s->kind == REG_SLOT_FIELD || s->kind == REG_SLOT_FURTHER; }

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
  for (int i = 0; i < b->f->nslots; i++)
    if (is_row(&b->f->slots[i])) b->slots[i] = (*first)->slots[i];
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
