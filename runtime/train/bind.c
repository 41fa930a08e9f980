// Functions and their slots. In: a function's table of slots. Out: pointers to parameters, batches and
// numbers, ready to call.
#include "slots.h"
#include "train/internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int reserve_scratch(Run *r, int64_t bytes) {
  Scratch *s = r->scratch;
  if (s->at && bytes <= s->bytes) return REG_OK;
  reg_heap_free(&s->memory);
  s->bytes = bytes > 0 ? bytes : 1;
  s->at = reg_heap_take_large(&s->memory, (size_t)s->bytes);
  return s->at ? REG_OK : reg_no_memory(r->st, (size_t)s->bytes);
}

static int resolve(Run *r, reg_function *f) {
  const reg_program *p = r->program;
  if (f->fn) return REG_OK;
  if (!p->resolve) return reg_fail(r->st, REG_INTERNAL, "internal", "function `%s` has no code", f->name);
  if (p->resolve(p->user, f, r->st) == 0 && f->fn) return REG_OK;
  if (!r->st->code) reg_fail(r->st, REG_INTERNAL, "internal", "function `%s` could not be compiled", f->name);
  return r->st->code;
}

int resolve_function(Run *r, reg_function *f) {
  if (!f) return REG_OK;
  if (r->guard) pthread_mutex_lock(r->guard);
  const int code = resolve(r, f);
  if (r->guard) pthread_mutex_unlock(r->guard);
  return code;
}

static bool fits(const reg_slot *s, int n, const reg_tensor *tensors) {
  return s->index >= 0 && s->index < n && s->count <= tensors[s->index].count &&
         s->dtype == tensors[s->index].dtype;
}

static bool known(const Run *r, const reg_slot *s) {
  return s->index >= 0 && s->index < r->program->nstore && s->count <= r->program->store[s->index].count;
}

static bool in_range(const Training *t, const reg_slot *s) {
  const Run *r = t->run;
  const reg_train *p = t->plan;
  switch (s->kind) {
  case REG_SLOT_PARAM: return fits(s, p->nparams, p->params);
  case REG_SLOT_STATE:
  case REG_SLOT_SAMPLE: return fits(s, p->nstates, p->states);
  case REG_SLOT_FIELD: return t->data && s->index >= 0 && s->index < t->data->nfields;
  case REG_SLOT_FURTHER: {
    int k;
    return further_field(t, s, &k) != NULL;
  }
  case REG_SLOT_TERM: return s->index >= 0 && s->index < p->nterms;
  case REG_SLOT_NORM: return s->index >= 0 && s->index <= p->nterms;
  case REG_SLOT_SCHEDULE: return s->index >= 0 && s->index < p->nschedules;
  case REG_SLOT_SETTING: return s->index >= 0 && s->index < r->program->nsettings;
  case REG_SLOT_STORE: return known(r, s) && (s->in || s->out);
  case REG_SLOT_OTHER: return t->columns != NULL;
  case REG_SLOT_SOLVE:
    return t->solve_places && s->index >= 0 && s->index < REG_SOLVE_BLOCKS + p->nblocks * REG_BLOCK_SLOTS;
  case REG_SLOT_OBJECTIVE:
  case REG_SLOT_LOSS: return t->objective != NULL;
  default: return true;
  }
}

static Slots places(Training *t, const Bank *bank, void *predictions, void **metrics) {
  Run *r = t->run;
  const size_t each = reg_dtype_bytes(r->program->dtype);
  Slots s = {.others = t->columns, .datasets = (const reg_dataset *const *)r->program->datasets};
  s.place[REG_SLOT_SCRATCH] = slot_one(r->scratch->at); // bound again at each call: it may have grown
  s.place[REG_SLOT_PARAM] = slot_list(bank ? bank->params : NULL);
  s.place[REG_SLOT_STATE] = slot_list(bank ? bank->states : NULL);
  s.place[REG_SLOT_PRED] = slot_one(predictions);
  s.place[REG_SLOT_SEED] = slot_one(t->seed);
  s.place[REG_SLOT_STEP] = slot_one(&t->step);
  s.place[REG_SLOT_EPOCH] = slot_one(&t->epoch);
  s.place[REG_SLOT_TURN] = slot_one(&t->turn);
  s.place[REG_SLOT_OBJECTIVE] = slot_one(t->objective);
  s.place[REG_SLOT_LOSS] = slot_one(t->loss);
  s.place[REG_SLOT_TERM] = slot_row(t->terms, each);
  s.place[REG_SLOT_NORM] = slot_row(t->norms, each);
  s.place[REG_SLOT_METRIC] = slot_list(metrics);
  s.place[REG_SLOT_SCHEDULE] = slot_row(t->schedules, each);
  s.place[REG_SLOT_TOTAL] = slot_one(&t->total);
  s.place[REG_SLOT_SETTING] =
      slot_row(r->program->nsettings ? &r->program->settings->value : NULL, sizeof *r->program->settings);
  s.place[REG_SLOT_STORE] = slot_list(r->store);
  s.place[REG_SLOT_SOLVE] = slot_list(t->solve_places);
  return s;
}

static int check_field(const Training *t, const reg_function *f, const reg_slot *s) {
  int k;
  const bool own = s->kind == REG_SLOT_FIELD;
  const reg_field *field = own ? &t->data->fields[s->index] : further_field(t, s, &k);
  const int64_t rows = own ? f->batch : t->plan->further[k].batch;
  bool there = s->dtype == REG_I32 ? field->classes || field->dtype == REG_I32
                                   : reg_field_numeric(field) && field->dtype == s->dtype;
  if (!there)
    return reg_fail(t->run->st, REG_BAD_DATA, "bad_field", "field `%s` cannot be read as %s", field->name,
                    s->dtype == REG_I32 ? "classes" : "numbers");
  if (s->count != rows * field->width)
    return reg_fail(t->run->st, REG_INTERNAL, "internal",
                    "function `%s` wants %lld elements of field `%s`, %lld rows have %lld", f->name,
                    (long long)s->count, field->name, (long long)rows, (long long)(rows * field->width));
  return REG_OK;
}

// It names something that is there; a tensor of the store has memory from then on.
static int check_slot(Training *t, const reg_function *f, int i) {
  const reg_slot *s = &f->slots[i];
  int code = REG_OK;
  if (!in_range(t, s)) return slot_nameless(f, i, t->run->st);
  if (s->kind == REG_SLOT_STORE && s->in) code = store_given(t->run, s->index);
  if (s->kind == REG_SLOT_STORE && !code && !store_take(t->run, s->index)) code = t->run->st->code;
  return !code && (s->kind == REG_SLOT_FIELD || s->kind == REG_SLOT_FURTHER) ? check_field(t, f, s) : code;
}

static void *take(const Training *t, size_t bytes) {
  void *at = reg_heap_take(&t->run->heap, bytes);
  if (!at) reg_no_memory(t->run->st, bytes);
  return at;
}

static int ready(Training *t, reg_function *f) {
  const int code = resolve_function(t->run, f);
  return code ? code : reserve_scratch(t->run, f->scratch_bytes);
}

static int bind_slots(Training *t, const reg_function *f, const Slots *slots, void ***out) {
  int code = REG_OK;
  void **at = take(t, (size_t)f->nslots * sizeof *at);
  if (!at) return t->run->st->code;
  for (int i = 0; i < f->nslots && !code; i++) code = check_slot(t, f, i);
  if (!code) code = slots_bind(f, slots, &t->run->heap, at, t->run->st);
  *out = at;
  return code;
}

// Room for what is drawn, by index.
static int take_drawn(const Training *t, const reg_function *draws, Slots *slots) {
  void **drawn = take(t, (size_t)draws->nslots * sizeof *drawn);
  if (!drawn) return t->run->st->code;
  for (int i = 0; i < draws->nslots; i++) {
    const reg_slot *s = &draws->slots[i];
    if (s->kind != REG_SLOT_DRAWN) continue;
    if (s->index < 0 || s->index >= draws->nslots) return slot_nameless(draws, i, t->run->st);
    if (!(drawn[s->index] = take(t, (size_t)s->count * reg_dtype_bytes(s->dtype)))) return t->run->st->code;
  }
  slots->place[REG_SLOT_DRAWN] = slot_list(drawn);
  return REG_OK;
}

int bind_function(Training *t, reg_function *f, const Bank *bank, void *predictions, void **metrics,
                  Bound *out) {
  *out = (Bound){0};
  if (!f) return REG_OK;
  Bound b = {f, NULL, NULL};
  int code = ready(t, f);
  if (!code && f->draws) code = ready(t, f->draws);
  if (code) return code;
  Slots slots = places(t, bank, predictions, metrics);
  if (f->draws) code = take_drawn(t, f->draws, &slots);
  if (!code) code = bind_slots(t, f, &slots, &b.slots);
  if (!code && f->draws) code = bind_slots(t, f->draws, &slots, &b.draws);
  if (!code) *out = b;
  return code;
}

// Shuffled rows lie where no hardware prefetcher looks for them.
enum { AHEAD = 2, CACHE_LINE = 64 };

void prefetch_row(const char *row, size_t bytes) {
  for (size_t at = 0; at < bytes; at += CACHE_LINE) __builtin_prefetch(row + at);
}

int gather_rows(const Training *t, const reg_field *field, const reg_slot *s, const int64_t *rows,
                int64_t count, void *to) {
  const bool classes = s->dtype == REG_I32 && field->classes;
  const char *from = classes ? (const char *)field->classes : reg_field_values(field),
             *reached = reach_rows(t, field, classes, rows, count);
  if (!from) return field->supply->take(field->supply, rows, count, to, t->run->st);
  const size_t bytes = (size_t)field->width * reg_dtype_bytes(s->dtype);
  if (reached) memcpy(to, reached, (size_t)count * bytes);
  for (int64_t r = 0; r < count && !reached; r++) {
    if (r + AHEAD < count) prefetch_row(from + (size_t)rows[r + AHEAD] * bytes, bytes);
    memcpy((char *)to + (size_t)r * bytes, from + (size_t)rows[r] * bytes, bytes);
  }
  return REG_OK;
}

int bound_gather(const Training *t, const Bound *b, const int64_t *rows, int64_t count) {
  int code = REG_OK;
  for (int i = 0; i < b->f->nslots && !code; i++) {
    const reg_slot *s = &b->f->slots[i];
    if (s->kind == REG_SLOT_FIELD)
      code = gather_rows(t, &t->data->fields[s->index], s, rows, count, b->slots[i]);
  }
  return code;
}

void rows_next(const Training *t, const int64_t *rows, int64_t count) {
  reg_supply *s = t->data && t->data->nfields && count > 0 ? t->data->fields[0].supply : NULL;
  if (s) s->next(s, rows, count);
}

static int call(const Training *t, const reg_function *f, void **slots) {
  for (int i = 0; i < f->nslots; i++)
    if (f->slots[i].kind == REG_SLOT_SCRATCH) slots[i] = t->run->scratch->at;
  return f->fn(t->run->ctx, slots) ? reg_ctx_fault(t->run->ctx, t->run->st) : REG_OK;
}

int bound_call(const Training *t, Bound *b) { return call(t, b->f, b->slots); }

int bound_draw(const Training *t, const Bound *b) {
  return b->f->draws ? call(t, b->f->draws, b->draws) : REG_OK;
}
