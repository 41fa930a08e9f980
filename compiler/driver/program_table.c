// From Lowered to reg_program. The ports of a graph's inputs and outputs become slots that the runtime fills
// in.
#include "program_table.h"
#include "../passes/passes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static reg_dtype runtime_dtype(DType t) {
  static const reg_dtype types[] = {
      [DT_F32] = REG_F32, [DT_I32] = REG_I32, [DT_BOOL] = REG_BOOL, [DT_F64] = REG_F64};
  return types[t];
}

static const reg_slot *slots_of(Arena *a, const LoopFn *f) {
  reg_slot *slots = ARENA_ARRAY(a, reg_slot, f->nslots);
  slots[0] = (reg_slot){.kind = REG_SLOT_SCRATCH, .count = f->scratch_bytes / 4};
  for (int i = 1; i < f->nslots; i++) {
    const Slot *s = &f->slots[i];
    if (!s->port.kind) ice("program table", "`%s` is nothing that a run has", s->name);
    slots[i] = (reg_slot){.kind = (reg_slot_kind)s->port.kind,
                          .index = s->port.index,
                          .count = shape_count(s->shape),
                          .dtype = runtime_dtype(s->dtype),
                          .in = s->is_input,
                          .out = s->is_output};
  }
  return slots;
}

// A parameter that a value was made from, a few operations back: it tells apart the calls of one layer. -1:
// none.
static int nearest_parameter(const Node *n, int depth) {
  int found = n->op == OP_INPUT && n->port.kind == REG_SLOT_PARAM ? n->port.index : -1;
  for (int i = n->nin - 1; i >= 0 && found < 0 && depth > 0; i--)
    found = nearest_parameter(n->in[i], depth - 1);
  return found;
}

// The number of elements that a condition takes, a few operations below; NULL: none.
static const Node *taken(const Node *n, int depth) {
  const Node *x = n->op == OP_SUM ? n->in[0] : n, *found = NULL;
  if (x->op == OP_BROADCAST) x = x->in[0];
  if (n->op == OP_SUM && x->op == OP_CAST && x->in[0]->dtype == DT_BOOL) return x;
  for (int i = n->nin - 1; i >= 0 && !found && depth > 0; i--) found = taken(n->in[i], depth - 1);
  return found;
}

// The condition of a mean of what it takes, in the value or in the numbers that it is made of; NULL: none.
static const Node *mean_of_taken(const Node *n, int depth) {
  const Node *found = n->op == OP_DIV ? taken(n->in[1], 4) : NULL;
  for (int i = n->nin - 1; i >= 0 && !found && depth > 0; i--)
    if (n->in[i]->shape.rank == 0) found = mean_of_taken(n->in[i], depth - 1);
  return found;
}

static const char *where_text(const Pipeline *p, const Node *n) {
  const Node *condition = mean_of_taken(n, 6);
  if (!condition) return "";
  const Node *picked = taken(condition, 8); // by x[where c]
  const char *place = place_text(p, picked ? picked->origin : condition->in[0]->origin);
  return arena_printf(
      p->arena, ", a mean of what the `where` at %s takes, which is no number where that is nothing", place);
}

// "matmul with net.hidden.weight at stdlib/layers/dense.reg:6:3"
static const char *trace_text(const Pipeline *p, const LowerTrain *t, const LoopFn *f, const Node *n,
                              const Buffer *b) {
  const int param = nearest_parameter(n, 4);
  const char *holds = b->slot      ? arena_printf(p->arena, " (%s)", f->slots[b->slot].name)
                      : param >= 0 ? arena_printf(p->arena, " with %s", t->params.data[param].path)
                                   : "";
  const char *place = place_text(p, n->origin);
  return arena_printf(p->arena, "%s%s%s%s%s", op_info[n->op].text, holds, *place ? " at " : "", place,
                      where_text(p, n));
}

typedef struct Computed {
  const Buffer *buffer;
  int id;
} Computed;

static int by_step(const void *a, const void *b) {
  const Computed *x = a, *y = b;
  if (x->buffer->first != y->buffer->first) return x->buffer->first < y->buffer->first ? -1 : 1;
  return (x->id > y->id) - (x->id < y->id);
}

// Every computed float tensor, in the order of computation.
static void fill_trace(const Pipeline *p, const LowerTrain *t, reg_function *out, const LoopFn *f) {
  Computed *order = ARENA_ARRAY(p->arena, Computed, f->graph->nodes.len);
  int n = 0;
  const DType floats = pipeline_floats(p);
  for (int i = 0; i < f->graph->nodes.len; i++) {
    const Node *node = f->graph->nodes.data[i];
    if (node->op != OP_INPUT && node->dtype == floats && f->of[i] && f->storage[i] == node)
      order[n++] = (Computed){f->of[i], i};
  }
  if (n) qsort(order, (size_t)n, sizeof *order, by_step);
  reg_trace *trace = ARENA_ARRAY(p->arena, reg_trace, n);
  for (int i = 0; i < n; i++) {
    const Buffer *b = order[i].buffer;
    const Node *node = f->graph->nodes.data[order[i].id];
    trace[i] = (reg_trace){trace_text(p, t, f, node, b), b->slot, runtime_dtype(node->dtype), b->offset,
                           shape_count(node->shape)};
  }
  out->ntrace = n;
  out->trace = trace;
}

static Graph *graph_of(Lowered *l, const FunctionSource *s, int64_t batch) {
  if (s->apply) return s->apply->graph;
  if (s->train) return lower_train_graph(l, s->train, s->kind, batch);
  return s->metrics ? lower_metrics_graph(l, s->evaluate) : lower_predict_graph(l, s->evaluate, batch);
}

static const char *doc_of(const Lowered *l, const char *definition) {
  const Def *d = sema_find(l->program, definition);
  return d ? d->ast->doc : NULL;
}

static const char *fixed_text(const Pipeline *p, Span at) { return at.source ? place_text(p, at) : NULL; }

static reg_setting *settings_of(const Pipeline *p) {
  const Lowered *l = p->lowered;
  reg_setting *out = ARENA_ARRAY(p->arena, reg_setting, l->settings.len + 1);
  for (int i = 0; i < l->settings.len; i++) {
    const LowerSetting *s = l->settings.data[i];
    out[i] = (reg_setting){.name = s->name, .doc = doc_of(l, s->name), .value = s->value};
  }
  return out;
}

// Ranges of settings, and what is compiled in, come to light as graphs are made.
static void note_fixed(ProgramTable *t) {
  const Pipeline *p = t->pipeline;
  const Lowered *l = p->lowered;
  for (int i = 0; i < l->settings.len; i++) {
    const LowerSetting *s = l->settings.data[i];
    t->program.settings[i].low = s->low;
    t->program.settings[i].high = s->high;
    t->program.settings[i].fixed = fixed_text(p, s->fixed);
  }
  for (int i = 0; i < l->trains.len; i++)
    t->program.trains[i].epochs_fixed = fixed_text(p, l->trains.data[i]->total_fixed);
}

// *draws: what makes the draws of a step, where they are few.
static LoopFn *loops_of(Pipeline *p, const FunctionSource *s, int64_t batch, LoopFn **draws) {
  const Graph *g = graph_of(p->lowered, s, batch);
  if (pipeline_report(p) || !g) return NULL;
  const bool step = s->train && s->kind == LOWER_STEP && !s->keep_all;
  return step ? pipeline_step_loops(p, g, draws) : pipeline_loops(p, g, s->keep_all);
}

static void fill_planned(Arena *a, reg_function *f, LoopFn *loops) {
  ((FunctionSource *)f->source)->loops = loops;
  f->scratch_bytes = loops->scratch_bytes;
  f->nslots = loops->nslots;
  f->slots = slots_of(a, loops);
}

static reg_function *planned(Arena *a, LoopFn *loops, int64_t batch) {
  reg_function *f = ARENA_NEW(a, reg_function);
  *f = (reg_function){.name = loops->graph->name, .batch = batch, .source = ARENA_NEW(a, FunctionSource)};
  fill_planned(a, f, loops);
  return f;
}

int function_plan(ProgramTable *t, reg_function *f, reg_status *st) {
  Pipeline *p = t->pipeline;
  FunctionSource *s = f->source;
  if (s->loops) return REG_OK;
  LoopFn *draws = NULL, *loops = loops_of(p, s, f->batch, &draws);
  if (!loops) return reg_fail(st, EXIT_REJECTED, "rejected", "`%s` cannot be compiled", f->name);
  note_fixed(t);
  fill_planned(p->arena, f, loops);
  if (draws) f->draws = planned(p->arena, draws, f->batch);
  if (s->keep_all) fill_trace(p, s->train, f, s->loops);
  return REG_OK;
}

int function_compile(ProgramTable *t, reg_function *f, reg_status *st) {
  if (f->fn) return REG_OK;
  int code = function_plan(t, f, st);
  if (code) return code;
  const char *error = NULL;
  CompiledFn fn = pipeline_compile(t->pipeline, function_loops(f), &error);
  if (!fn)
    return reg_fail(st, REG_INTERNAL, "internal", "the backend failed on `%s`: %s", f->name,
                    error ? error : "no reason given");
  f->fn = (reg_fn)fn;
  return REG_OK;
}

const LoopFn *function_loops(const reg_function *f) { return ((const FunctionSource *)f->source)->loops; }

static int resolve(void *user, reg_function *f, reg_status *st) { return function_compile(user, f, st); }

// NULL where there are no rows for it; `init` works on none.
static reg_function *function_new(Arena *a, const char *name, int64_t batch, FunctionSource source) {
  const bool init = source.train && (source.kind == LOWER_INIT || source.kind == LOWER_START);
  if (batch <= 0 && !init) return NULL;
  reg_function *f = ARENA_NEW(a, reg_function);
  FunctionSource *s = ARENA_NEW(a, FunctionSource);
  *s = source;
  *f = (reg_function){.name = name, .batch = batch, .source = s};
  return f;
}

reg_function *columns_function(Pipeline *p, const Graph *g, int64_t rows, reg_status *st) {
  const char *error = NULL;
  LoopFn *loops = pipeline_loops(p, g, false);
  reg_function *f = planned(p->arena, loops, rows);
  f->fn = (reg_fn)pipeline_compile(p, loops, &error);
  if (f->fn) return f;
  reg_fail(st, REG_INTERNAL, "internal", "the backend failed on `%s`: %s", f->name,
           error ? error : "no reason given");
  return NULL;
}

static reg_tensor tensor_of(const Lowered *l, const char *name, Shape s) {
  reg_tensor t = {
      .name = name, .dtype = lower_floats(l), .rank = s.rank, .count = shape_count(s), .stored = -1};
  memcpy(t.dim, s.dim, sizeof(int64_t) * (size_t)s.rank);
  return t;
}

static const reg_further *further_of(Arena *a, const LowerTrain *t) {
  reg_further *out = ARENA_ARRAY(a, reg_further, t->further.len + 1);
  for (int i = 0; i < t->further.len; i++) {
    const LowerFurther *f = t->further.data[i];
    out[i] = (reg_further){f->name, f->data, f->part, f->valid_part, f->batch};
  }
  return out;
}

static void fill_names(Arena *a, const Lowered *l, reg_train *r, const LowerTrain *t) {
  reg_tensor *params = ARENA_ARRAY(a, reg_tensor, t->params.len),
             *states = ARENA_ARRAY(a, reg_tensor, t->states.len);
  const char **terms = ARENA_ARRAY(a, const char *, t->terms.len);
  for (int i = 0; i < t->params.len; i++) {
    params[i] = tensor_of(l, t->params.data[i].path, t->params.data[i].shape);
    params[i].stored = t->params.data[i].stored;
  }
  for (int i = 0; i < t->states.len; i++) {
    const LowerState *s = &t->states.data[i];
    states[i] = tensor_of(l, s->name, s->shape);
    states[i].layer = s->layer;
    states[i].rows = s->rows;
    states[i].initial = s->initial;
    states[i].stored = s->stored;
  }
  for (int i = 0; i < t->terms.len; i++) terms[i] = t->terms.data[i].name;
  r->together = t->together;
  r->nparams = t->params.len;
  r->params = params;
  r->nstates = t->states.len;
  r->states = states;
  r->nterms = t->terms.len;
  r->sums_terms = t->sums_terms;
  r->terms = terms;
  for (int i = 0; i < t->terms.len; i++) r->nlogs += t->terms.data[i].log;
  r->nschedules = t->schedules.len;
  r->schedules = t->schedules.data;
  r->nmetrics = t->metrics.len;
  r->metrics = t->metrics.data;
}

// Rows that are predicted at once.
enum { PREDICT_ROWS = 64 };

static void fill_functions(Arena *a, const Lowered *l, reg_train *r, LowerTrain *t, bool check) {
  FunctionSource step = {.train = t, .kind = LOWER_STEP, .keep_all = check};
  FunctionSource traced = {.train = t, .kind = LOWER_STEP, .keep_all = true};
  r->init = function_new(a, "init", 0, (FunctionSource){.train = t, .kind = LOWER_INIT});
  if (t->starts_late)
    r->start = function_new(a, "start", 0, (FunctionSource){.train = t, .kind = LOWER_START});
  const int64_t full = t->epoch_rows >= t->batch ? t->batch : 0,
                valid_full = t->valid_rows >= t->batch ? t->batch : 0;
  r->step = function_new(a, "step", full, step);
  r->step_last = function_new(a, "step_last", t->last_batch, step);
  if (t->solve) {
    r->design = function_new(a, "design", full, (FunctionSource){.train = t, .kind = LOWER_DESIGN});
    r->strengths = function_new(a, "strengths", full, (FunctionSource){.train = t, .kind = LOWER_STRENGTHS});
    r->curve = function_new(a, "curve", full, (FunctionSource){.train = t, .kind = LOWER_CURVE});
    r->dual = function_new(a, "dual", full, (FunctionSource){.train = t, .kind = LOWER_DUAL});
  }
  if (lower_predicts(l, t)) {
    r->predict =
        function_new(a, "predict", PREDICT_ROWS, (FunctionSource){.train = t, .kind = LOWER_PREDICT});
    r->answer = function_new(a, "answer", PREDICT_ROWS, (FunctionSource){.train = t, .kind = LOWER_ANSWER});
    r->answers = lower_answers((Lowered *)l, t, &r->answered);
  }
  r->step_trace = check ? r->step : function_new(a, "step_trace", full, traced);
  r->norms = function_new(a, "norms", full ? full : t->last_batch,
                          (FunctionSource){.train = t, .kind = LOWER_NORMS});
  r->step_last_trace = check ? r->step_last : function_new(a, "step_last_trace", t->last_batch, traced);
  if (!t->valid_part) return;
  FunctionSource valid = {.train = t, .kind = LOWER_VALID};
  r->valid = function_new(a, "valid", valid_full, valid);
  r->valid_last = function_new(a, "valid_last", t->valid_rows % t->batch, valid);
  if (t->metrics.len)
    r->valid_metrics = function_new(a, "valid_metrics", t->valid_rows,
                                    (FunctionSource){.train = t, .kind = LOWER_VALID_METRICS});
}

static reg_train train_of(Arena *a, const Lowered *l, LowerTrain *t, bool check) {
  reg_train r = {.name = t->name,
                 .model = t->model,
                 .data_name = t->data_name,
                 .nmodels = t->models.len,
                 .models = t->models.data,
                 .doc = doc_of(l, t->model),
                 .data = t->data,
                 .train_part = t->train_part,
                 .valid_part = t->valid_part,
                 .nfurther = t->further.len,
                 .further = further_of(a, t),
                 .batch = t->batch,
                 .epochs = t->epochs,
                 .steps = t->steps,
                 .seed = t->seed,
                 .nblocks = t->solve ? t->solve->blocks.len : 0,
                 .blocks = t->solve ? t->solve->blocks.data : NULL,
                 .outputs = t->solve ? t->solve->outputs : 0,
                 .passes = t->solve ? t->solve->passes : 0,
                 .quadratic = t->solve && t->solve->quadratic,
                 .by_element = t->solve && t->solve->by_element,
                 .same_design = t->solve && t->solve->same_design,
                 .solve_place = t->solve ? t->solve->place : NULL,
                 .watch = t->watch,
                 .sense = t->watch_max ? REG_WATCH_MAX : REG_WATCH_MIN,
                 .patience = t->patience,
                 .keep_best = t->keep_best,
                 .in_order = t->in_order,
                 .nresults = t->results.len,
                 .results = t->results.data,
                 .neach_epoch = t->each_epoch.len,
                 .each_epoch = t->each_epoch.data,
                 .sample = t->sample,
                 .rows = t->epoch_rows,
                 .ndraw = t->draw.len,
                 .draw = t->draw.data,
                 .drawn = t->drawn,
                 .sample_place = t->sample_place,
                 .nstops = t->stops.len,
                 .stops = t->stops.data};
  fill_names(a, l, &r, t);
  fill_functions(a, l, &r, t, check);
  return r;
}

static reg_evaluate evaluate_of(Arena *a, LowerEvaluate *e) {
  reg_metric *metrics = ARENA_ARRAY(a, reg_metric, e->metrics.len);
  for (int i = 0; i < e->metrics.len; i++) {
    Shape s = e->metrics.data[i].shape;
    metrics[i] = (reg_metric){.name = e->metrics.data[i].name,
                              .rank = s.rank,
                              .count = shape_count(s),
                              .value = e->metrics.data[i].stored};
    memcpy(metrics[i].dim, s.dim, sizeof(int64_t) * (size_t)s.rank);
  }
  FunctionSource predict = {.evaluate = e}, all = {.evaluate = e, .metrics = true};
  return (reg_evaluate){.train = e->train,
                        .model = e->model,
                        .data_name = e->data_name,
                        .data = e->data,
                        .part = e->part,
                        .target = e->target,
                        .predict = function_new(a, "predict", e->chunk, predict),
                        .predict_last = function_new(a, "predict_last", e->rows % e->chunk, predict),
                        .pred_width = e->pred_width,
                        .metrics = e->metrics.len ? function_new(a, "metrics", e->rows, all) : NULL,
                        .nmetrics = e->metrics.len,
                        .metric = metrics};
}

// It is known what makes its draws once it is planned.
static int each_of(void *user, ProgramTable *t, reg_function *f,
                   int (*each)(void *user, ProgramTable *t, reg_function *f)) {
  const int code = each(user, t, f);
  return code || !f->draws ? code : each(user, t, f->draws);
}

int program_functions(ProgramTable *t, bool all, int (*each)(void *user, ProgramTable *t, reg_function *f),
                      void *user) {
  const reg_program *p = &t->program;
  int code = 0;
  for (int i = 0; i < p->ndatasets && !code; i++)
    for (int k = 0; k < p->plans[i].nops && !code; k++)
      if (p->plans[i].ops[k].fn) code = each(user, t, p->plans[i].ops[k].fn);
  for (int i = 0; i < p->ntrains && !code; i++) {
    const reg_train *r = &p->trains[i];
    reg_function *fs[] = {
        r->init,  r->start, r->step,       r->step_last,     r->valid,      r->design,          r->strengths,
        r->curve, r->dual,  r->valid_last, r->valid_metrics, r->step_trace, r->step_last_trace, r->answer,
        r->norms};
    for (int k = 0; k < (all ? 15 : 11) && !code; k++)
      if (fs[k]) code = each_of(user, t, fs[k], each);
  }
  for (int i = 0; i < p->nevaluates && !code; i++) {
    const reg_evaluate *e = &p->evaluates[i];
    reg_function *fs[] = {e->predict, e->predict_last, e->metrics};
    for (int k = 0; k < 3 && !code; k++)
      if (fs[k]) code = each(user, t, fs[k]);
  }
  for (int i = 0; i < p->napplies && !code; i++) code = each(user, t, p->applies[i].function);
  return code;
}

reg_function *main_step(const reg_train *t) { return t->step ? t->step : t->step_last; }

// What tells two runs of one text apart: files that it uses, and replaced definitions; settings are told
// apart by their values.
static const char *besides(const Pipeline *p) {
  StrBuf b = {.arena = p->arena};
  const Sources *sources = &p->session->sources;
  strbuf_add(&b, "");
  for (int i = p->since ? p->since : p->source + 1; i < sources->list.len; i++) {
    const Source *source = sources->list.data[i];
    const char *name = source->name;
    const bool used = !source_is_library(source) && strncmp(name, "--set ", 6) != 0 && *name != '<';
    if (used) strbuf_addf(&b, "%s\n", source->text);
  }
  for (int i = 0; i < p->options->sets.len; i++) {
    const SemaSet *set = &p->options->sets.data[i];
    bool setting = false;
    for (int k = 0; k < p->lowered->settings.len; k++)
      setting |= !strcmp(p->lowered->settings.data[k]->name, set->name) &&
                 isfinite(p->lowered->settings.data[k]->value);
    if (!setting) strbuf_addf(&b, "%s=%s\n", set->name, set->value);
  }
  return b.data;
}

static reg_apply *applies_of(Arena *a, const Lowered *l) {
  reg_apply *out = ARENA_ARRAY(a, reg_apply, l->applies.len + 1);
  for (int i = 0; i < l->applies.len; i++) {
    FunctionSource source = {.apply = &l->applies.data[i]};
    const LowerApply *line = &l->applies.data[i];
    out[i] = (reg_apply){line->name, function_new(a, line->name, 1, source), line->ncolumns, line->columns};
  }
  return out;
}

static const reg_tensor *store_of(Arena *a, const Lowered *l) {
  reg_tensor *out = ARENA_ARRAY(a, reg_tensor, l->store.len + 1);
  for (int i = 0; i < l->store.len; i++) {
    const LowerTensor *t = &l->store.data[i];
    out[i] = tensor_of(l, t->name, t->shape);
    if (t->dtype != DT_F32) out[i].dtype = runtime_dtype(t->dtype);
    out[i].layer = t->layer;
    out[i].stored = i;
  }
  return out;
}

static const reg_kept *kept_of(Arena *a, const LowerSweep *s) {
  reg_kept *out = ARENA_ARRAY(a, reg_kept, s->kept.len + 1);
  for (int i = 0; i < s->kept.len; i++) {
    const LowerKept *k = &s->kept.data[i];
    out[i] = (reg_kept){k->name, k->column, k->to, s->variants.len - s->refused, k->from};
  }
  return out;
}

static const reg_sweep *sweeps_of(Arena *a, const Lowered *l) {
  reg_sweep *out = ARENA_ARRAY(a, reg_sweep, l->sweeps.len + 1);
  for (int i = 0; i < l->sweeps.len; i++) {
    const LowerSweep *s = l->sweeps.data[i];
    reg_axis *axes = ARENA_ARRAY(a, reg_axis, s->axes.len + 1);
    for (int k = 0; k < s->axes.len; k++) {
      const LowerAxis *x = s->axes.data[k];
      axes[k] = (reg_axis){.name = x->name,
                           .seed = x->seed,
                           .value = x->stored,
                           .all = x->all,
                           .count = x->n,
                           .folds = x->folds,
                           .nnumbers = x->numbers ? x->n : 0,
                           .numbers = x->numbers,
                           .nlabels = x->numbers ? 0 : x->n,
                           .labels = x->labels,
                           .kind = x->kind};
    }
    for (int k = s->axes.len - 1, stride = 1; k >= 0 && s->search == REG_SEARCH_TPE; k--) {
      const LowerAxis *x = s->axes.data[k];
      if (x->numbers && !x->fixed.source) continue;
      axes[k].stride = stride;
      stride *= x->n;
    }
    out[i] = (reg_sweep){.name = s->name,
                         .drawn = s->drawn,
                         .naxes = s->axes.len,
                         .axes = axes,
                         .nruns = s->nruns,
                         .nvariants = s->variants.len,
                         .variants = s->variants.data,
                         .search = s->search,
                         .by = s->kept_by,
                         .higher = s->is_higher,
                         .at_once = s->at_once,
                         .nvalues = s->nvalues,
                         .variant_of = s->variant_of,
                         .nkept = s->kept.len,
                         .kept = kept_of(a, s),
                         .state = s->state,
                         .at = s->at};
  }
  return out;
}

ProgramTable *program_table(Pipeline *p, bool check) {
  Arena *a = p->arena;
  Lowered *l = p->lowered;
  ProgramTable *t = ARENA_NEW(a, ProgramTable);
  reg_train *trains = ARENA_ARRAY(a, reg_train, l->trains.len);
  reg_evaluate *evaluates = ARENA_ARRAY(a, reg_evaluate, l->evaluates.len);
  for (int i = 0; i < l->trains.len; i++) trains[i] = train_of(a, l, l->trains.data[i], check);
  for (int i = 0; i < l->evaluates.len; i++) evaluates[i] = evaluate_of(a, l->evaluates.data[i]);
  const char **docs = ARENA_ARRAY(a, const char *, l->datasets.len + 1);
  for (int i = 0; i < l->datasets.len; i++) docs[i] = doc_of(l, l->dataset_names.data[i]);
  t->pipeline = p;
  t->program = (reg_program){.source_name = p->path,
                             .source = p->text,
                             .besides = besides(p),
                             .optimize = p->options->optimize,
                             .dtype = lower_floats(l),
                             .nsettings = l->settings.len,
                             .settings = settings_of(p),
                             .ndatasets = l->datasets.len,
                             .datasets = l->datasets.data,
                             .dataset_names = l->dataset_names.data,
                             .dataset_docs = docs,
                             .plans = l->plans.data,
                             .ntrains = l->trains.len,
                             .trains = trains,
                             .nevaluates = l->evaluates.len,
                             .evaluates = evaluates,
                             .nstore = l->store.len,
                             .store = store_of(a, l),
                             .napplies = l->applies.len,
                             .applies = applies_of(a, l),
                             .nreports = l->reports.len,
                             .reports = l->reports.data,
                             .nassertions = l->assertions.len,
                             .assertions = l->assertions.data,
                             .nknowns = l->knowns.len,
                             .knowns = l->knowns.data,
                             .nsaves = l->saves.len,
                             .saves = l->saves.data,
                             .nviews = l->views.len,
                             .views = l->views.data,
                             .nsweeps = l->sweeps.len,
                             .sweeps = sweeps_of(a, l),
                             .nstages = l->stages.len,
                             .stages = l->stages.data,
                             .resolve = resolve,
                             .user = t};
  note_fixed(t);
  return t;
}

int program_open(Pipeline *p, const char *path, ProgramTable **table) {
  int code = pipeline_read(p, path);
  if (!code) code = pipeline_check(p);
  if (p->options->value[OPT_WEIGHTS]) pipeline_note(p, p->options->value[OPT_WEIGHTS]);
  if (!code) code = pipeline_lower(p);
  if (!code) *table = program_table(p, false);
  return code;
}
