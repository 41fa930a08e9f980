// One `train`: epochs of shuffled batches, validation, early stopping. In: a plan and its data. Out: t->now
// holds the last weights, the best ones where the program keeps them, or the last good ones of a training
// that diverged.
#include "train/internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int find_parts(Training *t) {
  const reg_train *p = t->plan;
  reg_status *st = t->run->st;
  t->part = reg_data_part(t->data, p->train_part);
  t->valid_part = p->valid_part ? reg_data_part(t->data, p->valid_part) : NULL;
  if (!t->part)
    return reg_fail(st, REG_INTERNAL, "internal", "`%s` has no part `%s`", p->data_name, p->train_part);
  if (p->valid_part && !t->valid_part)
    return reg_fail(st, REG_INTERNAL, "internal", "`%s` has no part `%s`", p->data_name, p->valid_part);
  if (p->batch <= 0)
    return reg_fail(st, REG_INTERNAL, "internal", "a batch of %lld rows", (long long)p->batch);
  const int64_t rows = p->sample == REG_SAMPLE_WEIGHTS ? p->rows : t->part->nrows, rest = rows % p->batch;
  const bool filled = p->sample == REG_SAMPLE_KEPT;
  t->per_epoch = rows / p->batch + (rest && (p->step_last || filled));
  if ((rows >= p->batch && !p->step) || t->per_epoch == 0 ||
      (rest && !filled && p->step_last && p->step_last->batch != rest))
    return reg_fail(st, REG_INTERNAL, "internal", "no step fits %lld rows in batches of %lld",
                    (long long)rows, (long long)p->batch);
  t->rows = filled ? t->per_epoch * p->batch : rows;
  if (p->epochs > INT32_MAX / (p->steps && filled ? 1 : t->per_epoch))
    return reg_fail(st, REG_BAD_DATA, "too_many_steps",
                    "%lld epochs of %lld steps are more than %d updates, which is as far as is counted",
                    (long long)p->epochs, (long long)t->per_epoch, INT32_MAX);
  t->total = p->steps ? (double)p->steps : (double)p->epochs * (double)t->per_epoch;
  return REG_OK;
}

static void *take(Training *t, size_t bytes) {
  void *block = reg_heap_take(&t->run->heap, bytes);
  if (!block) reg_no_memory(t->run->st, bytes);
  return block;
}

void training_seed(Training *t, uint64_t seed) {
  t->full_seed = seed_around(t->run, seed);
  t->seed[0] = (int32_t)(uint32_t)t->full_seed;
  t->seed[1] = (int32_t)(uint32_t)(t->full_seed >> 32);
}

static uint64_t spoken_seed(const Training *t) {
  const reg_run_options *o = t->run->options;
  return o->has_seed ? o->seed : t->plan->seed;
}

static int take_buffers(Training *t) {
  const reg_train *p = t->plan;
  const size_t each = reg_dtype_bytes(t->run->program->dtype);
  bool ok = (t->objective = take(t, each)) && (t->loss = take(t, each)) &&
            (t->terms = take(t, (size_t)p->nterms * each)) &&
            (t->schedules = take(t, (size_t)p->nschedules * each)) &&
            (t->term_sum = take(t, (size_t)p->nterms * sizeof(double))) &&
            (t->term_mean = take(t, (size_t)p->nterms * sizeof(double))) &&
            (t->schedule_now = take(t, (size_t)p->nschedules * sizeof(double))) &&
            (t->valid_metrics = take(t, (size_t)p->nmetrics * each)) &&
            (t->norms = take(t, (size_t)(p->nterms + 1) * each)) &&
            (t->norm_now = take(t, (size_t)(p->nterms + 1) * sizeof(double))) &&
            (t->metric_now = take(t, (size_t)p->nmetrics * sizeof(double))) &&
            (t->fresh_params = take(t, (size_t)p->nparams * sizeof(bool))) &&
            (t->fresh_states = take(t, (size_t)p->nstates * sizeof(bool)));
  if (!ok || rows_new(t) || bank_new(t, &t->epoch_start)) return t->run->st->code;
  return p->keep_best ? bank_new(t, &t->best) : REG_OK;
}

static reg_weights weights_of(const Training *t) {
  return (reg_weights){.train = t->plan,
                       .params = t->now.params,
                       .states = t->now.states,
                       .best = t->best.params,
                       .best_states = t->best.states,
                       .has_best = t->has_best,
                       .best_value = t->best_value,
                       .best_epoch = t->best_epoch,
                       .epoch = t->epoch,
                       .step = t->step,
                       .per_epoch = t->per_epoch,
                       .reason = t->reason};
}

// The weights as the caller of reg_run wants them to begin with.
static int begin_weights(Training *t) {
  const reg_run_options *o = t->run->options;
  if (!o->begin) return REG_OK;
  reg_weights w = weights_of(t);
  int code = o->begin(o->weights_user, &w);
  if (code)
    return t->run->st->code ? code
                            : reg_fail(t->run->st, code, "weights", "`%s` did not begin", t->plan->name);
  if (w.epoch < 0 || w.step < w.epoch * t->per_epoch || w.step > (w.epoch + 1) * t->per_epoch ||
      (double)w.step > t->total)
    return reg_fail(t->run->st, REG_INTERNAL, "internal", "`%s` cannot begin at step %lld of epoch %lld",
                    t->plan->name, (long long)w.step, (long long)w.epoch);
  t->epoch = (int32_t)w.epoch;
  t->step = (int32_t)w.step;
  t->began = t->plan->sample == REG_SAMPLE_KEPT ? w.step : w.epoch * t->per_epoch;
  t->has_best = w.has_best;
  t->best_value = w.best_value;
  t->best_epoch = w.best_epoch;
  t->done = t->done || w.done;
  return REG_OK;
}

// A state of the program's store that an earlier training has made.
static bool goes_on(const Training *t, int state) {
  return t->plan->states[state].stored >= 0 && !t->fresh_states[state];
}

// What the states start from that begin with what the parameters are.
static int call_start(Training *t) {
  const reg_train *p = t->plan;
  void **kept = t->epoch_start.states;
  int code = t->start.f ? REG_OK : bind_function(t, p->start, &t->now, NULL, NULL, &t->start);
  if (code || !t->start.f) return code;
  for (int i = 0; i < p->nstates; i++)
    if (goes_on(t, i)) memcpy(kept[i], t->now.states[i], reg_tensor_bytes(&p->states[i]));
  code = bound_call(t, &t->start);
  for (int i = 0; i < p->nstates; i++)
    if (goes_on(t, i)) memcpy(t->now.states[i], kept[i], reg_tensor_bytes(&p->states[i]));
  return code;
}

// Initial values for what has none, and for the states of the training, which start anew each time.
static int first_values(Training *t) {
  const reg_train *p = t->plan;
  const Bank *made = &t->epoch_start;
  reg_weights_loaded(p, made->states);
  int code = t->init.f ? REG_OK : bind_function(t, p->init, made, NULL, NULL, &t->init);
  if (!code && t->init.f) code = bound_call(t, &t->init);
  if (code) return code;
  for (int i = 0; i < p->nparams; i++)
    if (t->fresh_params[i] && p->nblocks)
      memset(t->now.params[i], 0, reg_tensor_bytes(&p->params[i])); // where a solution starts
    else if (t->fresh_params[i])
      memcpy(t->now.params[i], made->params[i], reg_tensor_bytes(&p->params[i]));
  for (int i = 0; i < p->nstates; i++)
    if (t->fresh_states[i]) memcpy(t->now.states[i], made->states[i], reg_tensor_bytes(&p->states[i]));
  return REG_OK;
}

// From now on the model has values of its own. Were they initial ones until now?
static bool set_values(const Training *t, const char *model) {
  const size_t n = strlen(model);
  bool initial = true, any = false;
  for (int i = 0; i < t->plan->nparams; i++) {
    const reg_tensor *p = &t->plan->params[i];
    if (strncmp(p->name, model, n) != 0 || p->name[n] != '.') continue;
    any = true;
    initial &= t->run->initial[p->stored];
    t->run->initial[p->stored] = false;
  }
  return initial && any;
}

static const reg_train *last_of_model(const reg_program *p, const char *model) {
  int i = p->ntrains - 1;
  while (!reg_trains_model(&p->trains[i], model)) i--;
  return &p->trains[i];
}

int training_weights(Training *t) {
  const reg_program *p = t->run->program;
  const reg_run_options *o = t->run->options;
  int code = REG_OK;
  // Of a run that is evaluated again: it began with initial values.
  if (!o->weights || (o->evaluate_only && is_folder(o->weights))) return REG_OK;
  for (int i = 0; i < t->plan->nmodels && !code; i++) {
    const char *model = t->plan->models[i];
    if (!set_values(t, model)) continue;
    code = reg_weights_load(p, last_of_model(p, model), 0, t->plan, model, o->weights, t->now.params,
                            t->now.states, t->run->st);
  }
  return code;
}

int training_new(Run *r, int index) {
  Training *t = &r->trainings[index];
  const reg_train *plan = &r->program->trains[index];
  if (t->run) return REG_OK;
  *t = (Training){
      .run = r, .plan = plan, .data = r->program->datasets[plan->data], .acts = r->trainings[index].acts};
  training_seed(t, spoken_seed(t));
  int code = find_parts(t);
  if (!code) code = further_new(t);
  if (!code) code = take_buffers(t);
  if (!code) code = samples_find(t);
  if (!code) code = bank_join(t, t->fresh_params, t->fresh_states);
  return code ? code : first_values(t);
}

// Once more: its model goes on, all that is the training's own starts anew.
static int begin_again(Training *t) {
  const reg_train *p = t->plan;
  training_seed(t, spoken_seed(t));
  t->step = t->epoch = t->turn = 0;
  t->began = 0;
  t->has_best = t->done = false;
  t->best_epoch = t->epochs_before = 0;
  t->reason = NULL;
  t->solved = NULL;
  t->lines = 0;
  for (int i = 0; i < p->nparams; i++) t->fresh_params[i] = false;
  for (int i = 0; i < p->nstates; i++) t->fresh_states[i] = p->states[i].stored < 0;
  return first_values(t);
}

// Where the training begins: at the run's checkpoint; else with its model as it is now. Where nothing is
// trained, with the weights that it once ended with.
static int begin(Training *t) {
  const reg_run_options *o = t->run->options;
  int code = REG_OK;
  t->run->under_way = t;
  if (t->resumed) {
    t->resumed = false;
    training_seed(t, spoken_seed(t));
    return t->step ? REG_OK : call_start(t);
  }
  if (t->acts++) code = begin_again(t);
  if (!code) code = outcome_new(t);
  if (code) return code;
  if (o->evaluate_only) {
    t->done = true;
    return reg_weights_load(t->run->program, t->plan, t->acts, t->plan, NULL, o->weights, t->now.params,
                            t->now.states, t->run->st);
  }
  code = training_weights(t);
  for (int i = 0; i < t->plan->nmodels; i++) set_values(t, t->plan->models[i]);
  if (!code) code = begin_weights(t);
  return code || t->step ? code : call_start(t);
}

int take_step(Training *t, Steps *steps, int64_t index, bool inspected) {
  const reg_run_options *o = t->run->options;
  int64_t rows = step_rows(t, index);
  Bound *b = rows == t->plan->batch ? &steps->full : &steps->last;
  int code = 0;
  t->turn = (int32_t)index;
  const int64_t first = index * t->plan->batch;
  const bool there = t->together && t->together->gathered;
  if (t->gathered != b && !there) code = reach_to(t, first, rows);
  if (!code && t->gathered != b && !there) code = step_gather(t, b, t->order + first, rows);
  if (!code && !there) rows_next(t, t->order + first + rows, t->rows - first - rows);
  if (t->together) t->together->gathered = true;
  if (t->plan->nblocks) t->gathered = b; // whenever it acts, its rows are the same
  if (!code) code = further_gather(t, b, false, t->step);
  if (!code) code = further_recut(t, b);
  if (!code && !there) code = bound_draw(t, b);
  samples_read(t, b, t->order + first, rows, t->rows - first - rows);
  if (!code && inspected && o->inspect) {
    for (int i = 0; i < b->f->nslots; i++)
      if (b->f->slots[i].kind == REG_SLOT_SCRATCH) b->slots[i] = t->run->scratch->at;
    code = o->inspect(o->inspect_user, 0, t->plan, b->f, b->slots, t->step);
  }
  if (!code) code = bound_call(t, b);
  if (!code) samples_write(t, b);
  if (!code && inspected && o->inspect)
    code = o->inspect(o->inspect_user, 1, t->plan, b->f, b->slots, t->step);
  return code;
}

bool step_is_finite(const Training *t) { return isfinite(value_at(t, t->objective, 0)); }

static void fill_event(const Training *t, reg_event *e) {
  double rows = t->rows_done > 0 ? (double)t->rows_done : NAN;
  e->epoch = t->epoch;
  e->epochs = t->plan->epochs;
  e->step = t->step;
  e->steps = (int64_t)t->total;
  e->seed = spoken_seed(t);
  e->act = t->acts;
  e->seconds = reg_now() - t->started;
  e->loss = t->loss_sum / rows;
  e->objective = t->objective_sum / rows;
  for (int i = 0; i < t->plan->nterms; i++) t->term_mean[i] = t->term_sum[i] / rows;
  for (int i = 0; i < t->plan->nschedules; i++) t->schedule_now[i] = value_at(t, t->schedules, i);
  e->terms = t->term_mean;
  e->schedules = t->schedule_now;
  e->best_epoch = t->best_epoch;
  e->epochs_before = t->epochs_before;
  e->solved = t->solved;
}

static void tell(Training *t, reg_event_kind kind) {
  reg_event e = {.kind = kind, .train = t->plan, .reason = t->reason};
  fill_event(t, &e);
  send_event(t->run, &e);
}

static void count_time(Run *r, double seconds, bool full) {
  reg_profile *p = r->profile;
  if (!p) return;
  if (p->steps++ == 0) p->first_step_s = reg_now() - r->start;
  p->total_s += seconds;
  if (!full || p->steps == 1) return;
  if (r->timed == r->timed_room) {
    int64_t room = r->timed_room ? 2 * r->timed_room : 1024;
    double *grown = realloc(r->step_seconds, (size_t)room * sizeof *grown);
    if (!grown) return;
    r->step_seconds = grown;
    r->timed_room = room;
  }
  r->step_seconds[r->timed++] = seconds;
}

static void add_up(Training *t, int64_t rows) {
  t->rows_done += rows;
  t->loss_sum += value_at(t, t->loss, 0) * (double)rows;
  t->objective_sum += value_at(t, t->objective, 0) * (double)rows;
  for (int i = 0; i < t->plan->nterms; i++) t->term_sum[i] += value_at(t, t->terms, i) * (double)rows;
}

// Stages around whose turns the epochs are.
static int epoch_stages(Training *t, const reg_stage *list, int n) {
  Run *r = t->run;
  const uint64_t around = r->around;
  r->around = turn_around(around, t->epoch);
  r->inner++;
  const int code = stages_run(r, list, n);
  r->inner--;
  r->under_way = t;
  r->around = around;
  return code;
}

// In the middle of an epoch it goes on with what the rows were drawn by: that is in the checkpoint.
static int begin_epoch(Training *t) {
  const reg_train *p = t->plan;
  int code = REG_OK;
  t->skipped = t->step - t->began;
  if (p->sample && !(t->skipped && t->run->store[p->drawn])) {
    outcome_states(t);
    code = epoch_stages(t, p->draw, p->ndraw);
  }
  if (!code) code = rows_arrange(t);
  bank_copy(t, &t->epoch_start, &t->now);
  if (code || t->skipped) return code; // sums of the steps before: from the checkpoint
  t->rows_done = 0;
  t->loss_sum = t->objective_sum = 0;
  memset(t->term_sum, 0, (size_t)p->nterms * sizeof *t->term_sum);
  return code;
}

static int bind_step(Training *t, Steps *steps, int64_t index) {
  bool full = step_rows(t, index) == t->plan->batch;
  Bound *b = full ? &steps->full : &steps->last;
  if (t->together) return b->f ? REG_OK : together_bind(t, full, b);
  return b->f ? REG_OK : bind_function(t, full ? t->plan->step : t->plan->step_last, &t->now, NULL, NULL, b);
}

static bool made_share(const Training *t) {
  const reg_train *p = t->plan;
  const double all = p->steps ? t->total : (double)p->epochs, made = p->steps ? t->step : t->epoch;
  return made >= ceil(t->run->share * all - 1e-9);
}

// Does something outside of the program end the training before its next step? A later --resume goes on with
// that.
static bool is_stopped(Training *t) {
  const int64_t most = t->run->options->max_steps;
  if (is_interrupted(t->run)) t->reason = "interrupted";
  if (!t->reason && t->run->share > 0 && made_share(t)) t->reason = "steps";
  if (!t->reason && most && t->step >= most) t->reason = "steps";
  return t->reason && (!strcmp(t->reason, "interrupted") || !strcmp(t->reason, "steps"));
}

// Whether step `index` of the epoch is next. Sets t->reason where training ends before it.
static bool has_step(Training *t, int64_t index) {
  return index < t->per_epoch && t->step < (int64_t)t->total && !is_stopped(t);
}

static int make_step(Training *t, int64_t index) {
  const reg_run_options *o = t->run->options;
  int code = checkpoint_step(t);
  if (!code && t->plan->nblocks && !t->solving) code = solving_new(t); // the step reads what it finds
  if (!code) code = bind_step(t, &t->steps, index);
  if (code) return code;
  double before = t->run->profile ? reg_now() : 0;
  bool stopped = false;
  if (t->plan->nblocks) code = training_solve(t, &stopped);
  if (stopped && is_stopped(t)) return REG_OK;
  if (!code) code = take_step(t, &t->steps, index, true);
  if (code)
    return t->run->st->code
               ? code
               : reg_fail(t->run->st, code, "check_failed", "step %d did not pass its inspection", t->step);
  if (t->run->profile) count_time(t->run, reg_now() - before, step_rows(t, index) == t->plan->batch);
  // A parameter that is no number shows in the next objective; the last one has none behind it.
  bool last = t->step + 1 == (int64_t)t->total;
  if (!step_is_finite(t) || (last && !bank_finite(t, &t->now))) {
    t->reason = "diverged";
    return explain_divergence(t, index);
  }
  t->step++;
  add_up(t, step_rows(t, index));
  if (o->step_events) tell(t, REG_EVENT_STEP);
  return REG_OK;
}

// The steps of one epoch of those that are in it; to and fro, so that each second step begins with what is
// still in the core's cache.
static void run_steps(Training **of, int *codes, int n) {
  for (int64_t index = of[0]->skipped;; index++) {
    Training *first = NULL;
    for (int i = 0; i < n; i++) {
      of[i]->steps_on = of[i]->live && has_step(of[i], index);
      if (of[i]->steps_on && !first) first = of[i];
    }
    if (!first) return;
    if (first->together) first->together->gathered = false;
    for (int k = 0; k < n; k++) {
      const int i = index % 2 ? n - 1 - k : k;
      if (of[i]->steps_on) of[i]->live = !(codes[i] = make_step(of[i], index));
    }
  }
}

static int64_t prediction_width(const reg_function *f) {
  for (int i = 0; f && i < f->nslots; i++)
    if (f->slots[i].kind == REG_SLOT_PRED && f->batch > 0) return f->slots[i].count / f->batch;
  return 0;
}

static int bind_validation(Training *t, Validation *v) {
  const reg_train *p = t->plan;
  v->bound = true;
  int code = resolve_function(t->run, p->valid ? p->valid : p->valid_last);
  if (code) return code;
  v->width = p->valid ? prediction_width(p->valid) : prediction_width(p->valid_last);
  int64_t chunk = p->valid ? p->valid->batch : t->valid_part->nrows;
  const size_t each = reg_dtype_bytes(t->run->program->dtype);
  if (!(v->chunk = take(t, (size_t)(chunk * v->width) * each))) return t->run->st->code;
  const size_t all = (size_t)(t->valid_part->nrows * v->width) * each;
  if (!(v->all = reg_heap_take_large(&t->run->heap, all))) return reg_no_memory(t->run->st, all);
  void **values = take(t, (size_t)p->nmetrics * sizeof *values);
  if (!values) return t->run->st->code;
  for (int i = 0; i < p->nmetrics; i++) values[i] = (char *)t->valid_metrics + (size_t)i * each;
  code = bind_function(t, p->valid, &t->now, v->chunk, NULL, &v->full);
  if (!code) code = bind_function(t, p->valid_last, &t->now, v->chunk, NULL, &v->rest);
  if (!code) code = bind_function(t, p->valid_metrics, &t->now, v->all, values, &v->metrics);
  return code;
}

static double watched(const Training *t, double loss) {
  if (!t->plan->watch || !strcmp(t->plan->watch, "loss")) return loss;
  for (int i = 0; i < t->plan->nmetrics; i++)
    if (!strcmp(t->plan->watch, t->plan->metrics[i])) return t->metric_now[i];
  return NAN;
}

static bool improves(const Training *t, double value) {
  if (isnan(value)) return false;
  if (!t->has_best) return true;
  return t->plan->sense == REG_WATCH_MIN ? value < t->best_value : value > t->best_value;
}

// Validates and reports the epoch that just ended (t->epoch counts it already). Sets t->reason on early
// stopping.
static int end_epoch(Training *t) {
  Validation *v = &t->valid;
  reg_event e = {.kind = REG_EVENT_EPOCH, .train = t->plan};
  const int failed = measure_norms(t, &e);
  if (failed) return failed;
  if (t->valid_part) {
    int code = v->bound ? REG_OK : bind_validation(t, v);
    if (!code)
      code = run_chunks(t, t->valid_part, &v->full, &v->rest, v->chunk, v->all, v->width, &e.valid_loss);
    if (code) return code;
    if (v->metrics.f) {
      code = bound_gather(t, &v->metrics, t->valid_part->rows, t->valid_part->nrows);
      if (code || (code = bound_call(t, &v->metrics))) return code;
      for (int i = 0; i < t->plan->nmetrics; i++) t->metric_now[i] = value_at(t, t->valid_metrics, i);
      e.valid_metrics = t->metric_now;
    }
    e.has_valid = true;
    double value = watched(t, e.valid_loss);
    if ((e.best = improves(t, value))) {
      t->has_best = true;
      t->best_value = value;
      t->best_epoch = t->epoch;
      if (t->plan->keep_best) bank_copy(t, &t->best, &t->now);
    } else if (t->plan->watch && t->plan->patience > 0 && t->epoch - t->best_epoch >= t->plan->patience) {
      t->reason = "early stopping";
    }
  }
  fill_event(t, &e);
  outcome_epoch(t, &e);
  send_event(t->run, &e);
  return REG_OK;
}

static int each_epoch(Training *t) {
  const int code = epoch_stages(t, t->plan->each_epoch, t->plan->neach_epoch);
  for (int i = 0; i < t->plan->nstops && !code && !t->reason; i++)
    if (store_number(t->run, t->plan->stops[i]) != 0) t->reason = "stopped";
  return code;
}

static bool has_epoch(Training *t) {
  return !t->reason && t->epoch < t->plan->epochs && t->step < (int64_t)t->total && !is_stopped(t);
}

// Behind its steps, all of which may not have been made.
static int close_epoch(Training *t) {
  if (t->step < t->began + t->per_epoch && t->step < (int64_t)t->total) return REG_OK;
  t->epoch++;
  const int code = end_epoch(t);
  t->began = t->step;
  return code ? code : each_epoch(t);
}

static void run_epochs(Training **of, int *codes, int n) {
  for (bool any = true; any;) {
    any = false;
    for (int i = 0; i < n; i++) {
      if (!(of[i]->live = of[i]->live && has_epoch(of[i]))) continue;
      codes[i] = begin_epoch(of[i]);
      any |= of[i]->live = !codes[i];
    }
    if (any) run_steps(of, codes, n);
    for (int i = 0; i < n; i++)
      if (of[i]->live) of[i]->live = (codes[i] = close_epoch(of[i])) == REG_OK;
  }
}

static void hand_over(Training *t) {
  if (!t->run->options->end) return;
  reg_weights w = weights_of(t);
  t->run->options->end(t->run->options->weights_user, &w);
}

static int finish(Training *t, int code) {
  const bool stopped = t->reason && is_stopped(t);
  t->lines = t->run->told;
  if (!t->reason) t->reason = code ? "failed" : "finished";
  outcome_end(t);
  tell(t, REG_EVENT_TRAIN_END); // before a checkpoint says that all of it is over
  t->done = !stopped;
  if (!code) code = checkpoint_write(t->run);
  t->run->stays |= stopped && !t->run->inner;
  hand_over(t);
  if (!code && !strcmp(t->reason, "interrupted"))
    code = reg_fail(t->run->st, REG_INTERRUPTED, "interrupted", "interrupted after step %d of `%s`", t->step,
                    t->plan->name);
  return code;
}

void trainings_run(Training **of, int *codes, int n) {
  bool acts[MOST_TOGETHER];
  Together together = {0};
  for (int i = 0; i < n; i++) {
    Training *t = of[i];
    codes[i] = begin(t);
    t->started = reg_now();
    t->together = n > 1 && t->plan->together ? &together : NULL;
    acts[i] = t->live = !codes[i] && !t->done;
    if (acts[i]) tell(t, REG_EVENT_TRAIN_START);
  }
  if (n) run_epochs(of, codes, n);
  for (int i = 0; i < n; i++) {
    Training *t = of[i];
    if (acts[i]) codes[i] = finish(t, codes[i]);
    if (t->plan->keep_best && t->has_best) bank_copy(t, &t->now, &t->best);
    if (t->together) t->steps = (Steps){0};
    t->together = NULL;
  }
}
