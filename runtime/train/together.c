// Runs of a sweep that are trained together: step by step, one after the other. In: trainings of one plan,
// seed and data. Out: the bits that each has alone, for less: the random numbers of a step are drawn
// once for all (`step_common`), its rows gathered once, and each computes the rest (`step_own`).
#include "train/internal.h"

static int take_values(Training *t, const reg_function *f, Common *c) {
  Heap *heap = &t->run->heap;
  const size_t bytes = (size_t)(f->nslots + 1) * sizeof *c->values;
  if (!(c->values = reg_heap_take(heap, bytes))) return reg_no_memory(t->run->st, bytes);
  for (int i = 0; i < f->nslots; i++) {
    const reg_slot *s = &f->slots[i];
    const size_t size = (size_t)s->count * reg_dtype_bytes(s->dtype);
    if (s->kind != REG_SLOT_COMMON) continue;
    if (!(c->values[s->index] = reg_heap_take(heap, size))) return reg_no_memory(t->run->st, size);
  }
  return REG_OK;
}

static Common *common_of(Training *t, bool full) { return full ? &t->together->full : &t->together->last; }

static bool is_row(const reg_slot *s) { return s->kind == REG_SLOT_FIELD || s->kind == REG_SLOT_FURTHER; }

int together_bind(Training *t, bool full, Bound *b) {
  Common *c = common_of(t, full);
  t->common = c->values;
  const int code =
      bind_function(t, full ? t->plan->step_own : t->plan->step_last_own, &t->now, NULL, NULL, b);
  if (code) return code;
  if (!c->rows) {
    Bound *rows = reg_heap_take(&t->run->heap, sizeof *rows);
    if (!rows) return reg_no_memory(t->run->st, sizeof *rows);
    *rows = *b;
    c->rows = rows;
  }
  for (int i = 0; i < b->f->nslots; i++)
    if (is_row(&b->f->slots[i])) b->slots[i] = c->rows->slots[i];
  return REG_OK;
}

static int bind_common(Training *t, Common *c, reg_function *f) {
  int code = resolve_function(t->run, f);
  if (!code && !c->values) code = take_values(t, f, c);
  t->common = c->values;
  if (!code) code = bind_function(t, f, &t->now, NULL, NULL, &c->bound);
  c->bound_to = t;
  return code;
}

int together_step(Training *t, int64_t index) {
  const int64_t rows = step_rows(t, index);
  const bool full = rows == t->plan->batch;
  Common *c = common_of(t, full);
  t->together->gathered = false;
  t->turn = (int32_t)index;
  if (c->bound_to != t) {
    const int code = bind_common(t, c, full ? t->plan->step_common : t->plan->step_last_common);
    if (code) return code;
  }
  int code = step_gather(t, &c->bound, t->order + index * t->plan->batch, rows);
  further_gather(t, &c->bound, false, t->step);
  if (!code) code = further_recut(t, &c->bound);
  return code ? code : bound_call(t, &c->bound);
}

int64_t together_bytes(const reg_program *p, const reg_variant *v) {
  int64_t most = 0;
  for (int i = 0; i < v->nbody; i++) {
    if (v->body[i].kind != REG_STAGE_TRAIN) continue;
    const reg_train *t = &p->trains[v->body[i].index];
    int64_t bytes = 1;
    if (!t->step_own && !t->step_last_own) continue;
    for (int k = 0; k < t->nparams; k++) bytes += (int64_t)reg_tensor_bytes(&t->params[k]);
    for (int k = 0; k < t->nstates; k++)
      if (!t->states[k].rows) bytes += (int64_t)reg_tensor_bytes(&t->states[k]);
    if (bytes > most) most = bytes;
  }
  return most;
}
