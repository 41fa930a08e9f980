// The program's store: tensors that live between stages. A tensor has memory from the first stage on that
// gives it values, and keeps its place. In: functions over the store. Out: their outputs in it.
#include "reg/safetensors.h"
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

static const reg_train without_plan;

static int take_kept(Run *r) {
  for (int i = 0; i < r->program->nstore && r->options->kept; i++) {
    const void *values = r->options->kept(r->options->weights_user, i);
    if (values && !store_take(r, i)) return r->st->code;
    if (values) memcpy(r->store[i], values, reg_tensor_bytes(&r->program->store[i]));
  }
  return REG_OK;
}

int store_new(Run *r) {
  const reg_program *p = r->program;
  const size_t count = (size_t)p->nstore;
  r->trainings = reg_heap_take(&r->heap, (size_t)p->ntrains * sizeof *r->trainings);
  r->evaluations = reg_heap_take(&r->heap, (size_t)p->nevaluates * sizeof *r->evaluations);
  r->applies = reg_heap_take(&r->heap, (size_t)p->napplies * sizeof *r->applies);
  r->known = reg_heap_take(&r->heap, (size_t)p->nknowns * sizeof *r->known);
  r->sweep_acts = reg_heap_take(&r->heap, (size_t)p->nsweeps * sizeof *r->sweep_acts);
  r->nothing = reg_heap_take(&r->heap, sizeof *r->nothing);
  r->store = reg_heap_take(&r->heap, count * sizeof *r->store);
  r->initial = reg_heap_take(&r->heap, count * sizeof *r->initial);
  if (!r->trainings || !r->evaluations || !r->applies || !r->known || !r->sweep_acts || !r->nothing ||
      !r->store || !r->initial)
    return reg_no_memory(r->st, count * sizeof *r->store);
  *r->nothing = (Training){.run = r, .plan = &without_plan};
  return take_kept(r);
}

void store_keep(const Run *r) {
  for (int i = 0; i < r->program->nstore && r->options->keep && r->store; i++)
    if (r->store[i]) r->options->keep(r->options->weights_user, i, r->store[i]);
}

int store_given(const Run *r, int index) {
  if (r->store[index]) return REG_OK;
  return reg_fail(r->st, REG_ASSERTION, "no_value",
                  "`%s` has no value: no statement that gives it one has run", r->program->store[index].name);
}

void *store_take(Run *r, int index) {
  const size_t bytes = reg_tensor_bytes(&r->program->store[index]);
  if (!r->store[index] && !(r->store[index] = reg_heap_take(&r->heap, bytes))) reg_no_memory(r->st, bytes);
  return r->store[index];
}

double store_number(const Run *r, int index) {
  return reg_number_at(r->store[index], r->program->store[index].dtype, 0);
}

// SplitMix64 (Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators).
static uint64_t mixed(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

uint64_t turn_around(uint64_t around, int64_t turn) { return mixed(around + mixed((uint64_t)turn)); }

uint64_t seed_around(const Run *r, uint64_t seed) { return r->around ? mixed(seed) ^ r->around : seed; }

// The outputs hold no initial values any more.
static void is_set(Run *r, const reg_function *f) {
  r->changed = true;
  for (int i = 0; i < f->nslots; i++)
    if (f->slots[i].kind == REG_SLOT_STORE && f->slots[i].out) r->initial[f->slots[i].index] = false;
}

static int call(Run *r, Bound *b) {
  training_seed(r->nothing, r->options->has_seed ? r->options->seed : 0);
  return bound_call(r->nothing, b);
}

// The function of a straight line, and what it is bound among.
static reg_function *line_of(Run *r, int apply) {
  r->nothing->columns = r->program->applies[apply].columns;
  return r->program->applies[apply].function;
}

int store_call(Run *r, int apply) {
  Bound *b = &r->applies[apply];
  reg_function *f = line_of(r, apply);
  int code = b->f ? REG_OK : bind_function(r->nothing, f, NULL, NULL, NULL, b);
  if (!code) code = call(r, b);
  if (!code) is_set(r, f);
  return code;
}

// Which of the function's outputs have no values yet.
static bool *missing(Run *r, const reg_function *f, bool *any) {
  bool *out = calloc((size_t)f->nslots + 1, sizeof *out);
  *any = false;
  for (int i = 0; out && i < f->nslots; i++) {
    const reg_slot *s = &f->slots[i];
    out[i] = s->kind == REG_SLOT_STORE && s->out && !r->store[s->index];
    *any |= out[i];
  }
  if (!out) reg_no_memory(r->st, (size_t)f->nslots);
  return out;
}

// The others go to memory of their own, where nobody looks for them.
static int call_for(Run *r, reg_function *f, const bool *wanted) {
  Bound b;
  Heap heap = {0};
  int code = bind_function(r->nothing, f, NULL, NULL, NULL, &b);
  for (int i = 0; i < f->nslots && !code; i++) {
    const reg_slot *s = &f->slots[i];
    if (s->kind != REG_SLOT_STORE || !s->out) continue;
    if (wanted[i])
      r->initial[s->index] = true;
    else if (!(b.slots[i] = reg_heap_take(&heap, (size_t)s->count * reg_dtype_bytes(s->dtype))))
      code = reg_no_memory(r->st, (size_t)s->count);
  }
  if (!code) code = call(r, &b);
  r->changed = true;
  reg_heap_free(&heap);
  return code;
}

static bool is_given(const reg_train *p, const reg_function *f, const bool *given) {
  for (int i = 0; i < p->nparams; i++)
    for (int k = 0; k < f->nslots; k++)
      if (given[k] && f->slots[k].index == p->params[i].stored) return true;
  return false;
}

// --weights, where nothing is trained.
static int read_given(Run *r, const reg_function *f, const bool *given) {
  const size_t room = (size_t)f->nslots + 1;
  reg_tensor *wanted = calloc(room, sizeof *wanted);
  void **values = calloc(room, sizeof *values);
  int count = 0, code = wanted && values ? REG_OK : reg_no_memory(r->st, room * sizeof *wanted);
  for (int i = 0; i < f->nslots && !code; i++) {
    if (!given[i]) continue;
    wanted[count] = r->program->store[f->slots[i].index];
    values[count++] = r->store[f->slots[i].index];
  }
  if (!code) code = reg_tensors_read(count, wanted, values, r->options->weights, r->st);
  free(wanted);
  free(values);
  return code;
}

int store_init(Run *r, int apply) {
  reg_function *f = line_of(r, apply);
  int code = resolve_function(r, f);
  bool any, *given = code ? NULL : missing(r, f, &any);
  if (!given) return r->st->code;
  if (any) code = call_for(r, f, given);
  for (int i = 0; i < r->program->ntrains && any && !code && r->options->weights; i++) {
    if (!is_given(&r->program->trains[i], f, given)) continue;
    code = training_new(r, i);
    if (!code) code = training_weights(&r->trainings[i]);
  }
  if (any && !code && !r->program->ntrains && r->options->weights) code = read_given(r, f, given);
  free(given);
  return code;
}

int store_saved(Run *r, int index, Heap *heap, reg_saved_tensor *out) {
  const reg_tensor *t = &r->program->store[index];
  const bool floats = t->dtype == REG_F32 || t->dtype == REG_F64;
  *out = (reg_saved_tensor){.name = t->name,
                            .dtype = floats ? t->dtype : REG_F64,
                            .rank = t->rank,
                            .count = t->count,
                            .values = r->store[index]};
  if (store_given(r, index)) return r->st->code;
  memcpy(out->dim, t->dim, sizeof out->dim);
  if (floats) return REG_OK;
  double *numbers = reg_heap_take(heap, (size_t)t->count * sizeof *numbers);
  if (!numbers) return reg_no_memory(r->st, (size_t)t->count * sizeof *numbers);
  for (int64_t i = 0; i < t->count; i++) numbers[i] = reg_number_at(r->store[index], t->dtype, i);
  out->values = numbers;
  return REG_OK;
}
