// `sweep x in X, … { … }`. In: its tree. Out: a stage with the statements of its runs. These are elaborated
// with the first value of each axis. An axis whose value turned out to decide what a graph looks like, or
// that goes over things, is compiled in: then they are elaborated once for each combination of such values.
// What a run binds, and the trainings in it, end with it.
#include "sweep.h"
#include "made.h"
#include <math.h>
#include <string.h>

static bool compiled_in(const LowerAxis *x) { return !x->numbers || x->fixed.source; }

static Map copied(const Map *m) {
  Map out;
  map_init(&out, m->arena);
  for (int i = 0; i < m->len; i++) map_put(&out, m->entries[i].key, m->entries[i].value);
  return out;
}

// Names of the axes, in the scope of a run.
static void know_axes(Stages *s, const LowerSweep *sweep, SemaCopy *copy) {
  for (int i = 0; i < sweep->axes.len; i++) {
    LowerAxis *x = sweep->axes.data[i];
    if (x->things) {
      map_put(&copy->given, x->name, (void *)x->things[x->now]);
      continue;
    }
    const Value v = x->values ? x->values[x->now] : v_num(x->numbers[x->now], x->at);
    Held *h = held_new(s->l, s->scope, x->name, x->at, &v);
    h->swept = x;
    if (x->numbers) h->axis = x;
  }
}

static bool names(const Ast *e, const char *name) {
  bool found = e->kind == AST_NAME && !strcmp(e->name, name);
  for (int i = 0; i < e->nkids && !found; i++) found = e->kids[i] && names(e->kids[i], name);
  return found;
}

// Mistakes since `first` are told with the run that they are in, where others came before.
static void note_run(Stages *s, const LowerSweep *sweep, int first) {
  StrBuf b = {.arena = s->l->session->arena};
  for (int i = 0; i < sweep->axes.len; i++) {
    const LowerAxis *x = sweep->axes.data[i];
    if (!compiled_in(x)) continue;
    strbuf_addf(&b, "%s%s = ", b.len ? ", " : "", x->name);
    x->numbers ? strbuf_addf(&b, "%.9g", x->numbers[x->now]) : strbuf_add(&b, x->labels[x->now]);
  }
  for (int i = first; b.len && i < s->l->session->diags.list.len; i++)
    diag_note(s->l->session->diags.list.data[i], (Span){0}, "this is in the run with %s", b.data);
}

// How long the lists of the program were before the statements of a run.
typedef struct Lengths {
  int diags, trains, evaluates, applies, reports, assertions, saves, sweeps, views, made, unreadable,
      exit_code;
} Lengths;

static Lengths lengths(const Lowered *l) {
  return (Lengths){
      l->session->diags.list.len, l->trains.len, l->evaluates.len, l->applies.len, l->reports.len,
      l->assertions.len,          l->saves.len,  l->sweeps.len,    l->views.len,   l->made.len,
      l->unreadable.len,          l->exit_code};
}

// A draw that is wrong is a run that fails, and so is data that does not fit a value: what was made of it is
// taken back, and the first mistake is why.
static void refuse(Stages *s, LowerSweep *sweep, const int *at, Lengths before) {
  Lowered *l = s->l;
  Diags *ds = &l->session->diags;
  int first = before.diags;
  while (ds->list.data[first]->severity != SEV_ERROR) first++;
  const Diag *d = ds->list.data[first];
  const char *why = arena_printf(l->session->arena, "%s: %s", stage_place(l, d->span), d->text);
  vec_push(l->session->arena, sweep->build->refused, ((Refused){at, why}));
  diags_forget(ds, before.diags);
  l->trains.len = before.trains;
  l->evaluates.len = before.evaluates;
  l->applies.len = before.applies;
  l->reports.len = before.reports;
  l->assertions.len = before.assertions;
  l->saves.len = before.saves;
  l->sweeps.len = before.sweeps;
  l->views.len = before.views;
  l->unreadable.len = before.unreadable;
  l->exit_code = before.exit_code;
  made_forget(l, before.made);
}

static void elaborate(Stages *s, LowerSweep *sweep, const int *at, bool forgives) {
  Lowered *l = s->l;
  Arena *a = l->session->arena;
  const Map known = l->known, met = s->met, trained = s->names, alike = l->program->alike;
  StageList *whole = s->whole;
  const Lengths before = lengths(l);
  const int statements = s->statements, errors = l->session->diags.errors;
  const bool failed = s->failed;
  SemaCopy copy = sema_copying(l->program, sweep->ast->span);
  l->known = copied(&known), s->met = copied(&met), s->names = copied(&trained);
  l->program->alike = copied(&alike);
  for (int i = 0; i < sweep->axes.len; i++) sweep->axes.data[i]->now = at[i];
  block_open(s);
  s->scope->sweep = true;
  s->scope->library = s->scope->outer->library;
  copy.library = s->scope->library;
  s->whole = s->list;
  know_axes(s, sweep, &copy);
  Variant v = {.at = at, .scope = s->scope, .first = l->trains.len};
  const Ast *body = sema_copy(&copy, sweep->ast->kids[2]);
  v.body = body;
  if (!copy.wrong) lower_statements(s, body);
  const StageList *list = block_close(s);
  v.end = l->trains.len;
  for (int i = v.first; i < v.end; i++) l->trains.data[i]->inside++;
  for (int i = 0; i < sweep->axes.len; i++)
    sweep->axes.data[i]->read |=
        sweep->axes.data[i]->things && names(sweep->ast->kids[2], sweep->axes.data[i]->name);
  l->known = known, s->met = met, s->names = trained;
  l->program->alike = alike; // likewise draws that go by a name
  s->whole = whole;
  s->statements = statements; // all runs have the same draws
  const bool data = l->exit_code != before.exit_code;
  if (forgives && (sweep->drawn || data) && l->session->diags.errors > errors && !l->gave_up) {
    s->failed = failed;
    refuse(s, sweep, at, before);
    return;
  }
  if (sweep->variants.len) note_run(s, sweep, before.diags);
  vec_push(a, sweep->build->variants, v);
  vec_push(a, sweep->variants, ((reg_variant){list->len, list->data}));
}

// Of runs that are drawn many have the same thing or number.
static bool same_value(const LowerAxis *x, int a, int b) {
  return a == b || (x->numbers ? x->numbers[a] == x->numbers[b] : !strcmp(x->labels[a], x->labels[b]));
}

// Where they are not compiled in they do not matter.
static bool same_values(const LowerSweep *sweep, const int *a, const int *b) {
  bool same = true;
  for (int k = 0; k < sweep->axes.len && same; k++)
    same = !compiled_in(sweep->axes.data[k]) || same_value(sweep->axes.data[k], a[k], b[k]);
  return same;
}

// Which variant has these values; -1: none yet. Those that are refused are behind the others.
static int variant_with(const LowerSweep *sweep, const int *at) {
  const SweepBuild *b = sweep->build;
  for (int i = 0; i < b->variants.len; i++)
    if (same_values(sweep, b->variants.data[i].at, at)) return i;
  for (int i = 0; i < b->refused.len; i++)
    if (same_values(sweep, b->refused.data[i].at, at)) return b->variants.len + i;
  return -1;
}

// Of a run the index of its value on each axis; of a search of a combination of compiled in ones.
static int *values_of(Arena *a, const LowerSweep *sweep, int run) {
  int *at = ARENA_ARRAY(a, int, sweep->axes.len + 1);
  const bool all = !sweep->drawn || sweep->search == REG_SEARCH_TPE;
  for (int i = sweep->axes.len - 1; i >= 0; i--) {
    const LowerAxis *x = sweep->axes.data[i];
    const int n = sweep->search == REG_SEARCH_TPE && !compiled_in(x) ? 1 : x->n;
    at[i] = all ? run % n : run;
    if (all) run /= n;
  }
  return at;
}

int sweep_values(const LowerSweep *sweep) {
  double n = 1;
  if (sweep->search != REG_SEARCH_TPE) return sweep->nruns;
  for (int i = 0; i < sweep->axes.len; i++)
    n *= compiled_in(sweep->axes.data[i]) ? sweep->axes.data[i]->n : 1;
  return n < 1e4 ? (int)n : 10000;
}

// Runs whose statements are wrong fail when they act.
static void put_refused(Stages *s, LowerSweep *sweep) {
  Arena *a = s->l->session->arena;
  const SweepBuild *b = sweep->build;
  for (int i = 0; i < b->refused.len; i++) {
    reg_stage *stage = ARENA_NEW(a, reg_stage);
    *stage = (reg_stage){.kind = REG_STAGE_REFUSED, .value = -1, .turn = -1, .place = b->refused.data[i].why};
    vec_push(a, sweep->variants, ((reg_variant){1, stage}));
  }
  sweep->refused = b->refused.len;
}

static void elaborate_all(Stages *s, LowerSweep *sweep) {
  const Diags *ds = &s->l->session->diags;
  const int errors = ds->errors;
  const SweepBuild *b = sweep->build;
  // An axis that is found to be compiled in has its first value in the variants before.
  for (int known = -1; known != b->variants.len + b->refused.len && ds->errors == errors;) {
    known = b->variants.len + b->refused.len;
    for (int run = 0; run < sweep_values(sweep) && ds->errors == errors; run++) {
      int *at = values_of(s->l->session->arena, sweep, run);
      for (int i = 0; i < sweep->axes.len; i++)
        if (!compiled_in(sweep->axes.data[i])) at[i] = 0;
      if (variant_with(sweep, at) < 0) elaborate(s, sweep, at, true);
    }
  }
  if (b->variants.len)
    put_refused(s, sweep);
  else if (b->refused.len)
    elaborate(s, sweep, b->refused.data[0].at, false); // none is right: then it is no fault of the draws
}

// Trainings of runs that have their statements and their seed, and so their rows, in common can be made
// together.
static void mark_together(const Stages *s, const LowerSweep *sweep) {
  const Lowered *l = s->l;
  int axis = 0;
  while (axis < sweep->axes.len && !sweep->axes.data[axis]->seed) axis++;
  const bool seeds = axis < sweep->axes.len, searched = sweep->search == REG_SEARCH_TPE;
  if (searched && seeds) return;
  const size_t each = !seeds ? 1 : (size_t)(sweep->drawn ? sweep->nruns : sweep->axes.data[axis]->n);
  bool *met = ARENA_ARRAY(l->session->arena, bool, (size_t)sweep->build->variants.len *each);
  for (int run = 0; run < (searched ? sweep->nvalues : sweep->nruns); run++) {
    const int v = sweep->variant_of[run], at = seeds ? values_of(l->session->arena, sweep, run)[axis] : 0;
    if (v >= sweep->build->variants.len) continue; // refused
    const Variant *variant = &sweep->build->variants.data[v];
    const bool others = searched ? sweep->nruns > 1 : met[(size_t)v * each + (size_t)at];
    for (int i = variant->first; others && i < variant->end; i++) {
      LowerTrain *t = l->trains.data[i];
      t->together = !t->solve && !t->sample;
    }
    met[(size_t)v * each + (size_t)at] = true;
  }
}

static void check_axes(Stages *s, const LowerSweep *sweep) {
  Diags *ds = &s->l->session->diags;
  Arena *a = s->l->session->arena;
  for (int i = 0; i < sweep->axes.len; i++) {
    const LowerAxis *x = sweep->axes.data[i];
    if (!x->read && x->values == NULL) diag_emit(ds, DIAG_sweep_unread, x->at, x->name);
    const Def *of = map_get(&s->l->program->defs, x->name);
    if (of && of->set_by.source) diag_emit(ds, DIAG_set_axis, of->set_by, sweep->name, x->name);
    for (int k = 0; x->numbers && k < x->n; k++) {
      if (x->numbers[k] >= x->low && x->numbers[k] <= x->high) continue;
      const char *range = isinf(x->high)  ? arena_printf(a, "at least %.9g", x->low)
                          : isinf(x->low) ? arena_printf(a, "at most %.9g", x->high)
                                          : arena_printf(a, "from %.9g to %.9g", x->low, x->high);
      diag_emit(ds, DIAG_out_of_range, x->at, x->name, "sweep", range,
                arena_printf(a, "%.9g", x->numbers[k]));
      break;
    }
  }
}

void lower_sweep(Stages *s, const Ast *e) {
  Lowered *l = s->l;
  Arena *a = l->session->arena;
  LowerSweep *sweep = ARENA_NEW(a, LowerSweep);
  const int errors = l->session->diags.errors;
  *sweep = (LowerSweep){.ast = e, .name = e->name ? e->name : "sweep", .build = ARENA_NEW(a, SweepBuild)};
  sweep->build->around = s->scope;
  s->statements--; // its runs are what the statements would be without it
  stages_line(s);
  const bool good = sweep_axes(s, sweep);
  stages_flush(s);
  if (good) elaborate_all(s, sweep);
  if (good && l->session->diags.errors == errors && sweep_searchable(s, sweep)) check_axes(s, sweep);
  if (!good || l->session->diags.errors != errors) {
    const Value failed = {.kind = V_FAIL, .span = e->span};
    if (e->name) held_new(l, s->scope, e->name, e->name_span, &failed);
    return;
  }
  int *variant_of = ARENA_ARRAY(a, int, sweep_values(sweep));
  for (int i = 0; i < sweep_values(sweep); i++) variant_of[i] = variant_with(sweep, values_of(a, sweep, i));
  sweep->variant_of = variant_of;
  sweep->nvalues = sweep_values(sweep);
  sweep->state = stored_new(l, arena_printf(a, "%s: how runs ended", sweep->name), DT_I32,
                            shape_of(2, (int64_t)sweep->nruns, (int64_t)4));
  sweep->at = stored_new(l, arena_printf(a, "%s: values of runs", sweep->name), DT_F64,
                         shape_of(2, (int64_t)sweep->nruns, (int64_t)sweep->axes.len));
  sweep_columns(s, sweep);
  mark_together(s, sweep);
  if (sweep->by && !sweep_judged(s, sweep)) return;
  sweep->index = l->sweeps.len;
  push_act(s, REG_STAGE_SWEEP, sweep->index, e->span);
  vec_push(a, l->sweeps, sweep);
}
