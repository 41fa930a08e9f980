// What the runs of a sweep differ in. In: the sources of its axes. Out: for each the numbers that its runs
// read, or the things that stand in the place of its name.
#include "sweep.h"
#include <math.h>
#include <string.h>

static bool wrong_axis(Stages *s, const LowerAxis *x, const Ast *source, const char *found) {
  diag_emit(&s->l->session->diags, DIAG_sweep_axis, source->span, x->name, found);
  return false;
}

static bool empty_axis(Stages *s, const LowerAxis *x, const Ast *source) {
  diag_emit(&s->l->session->diags, DIAG_sweep_empty, source->span, x->name);
  return false;
}

// -- numbers

static bool known_number(Stages *s, const LowerAxis *x, const Ast *e, double *out) {
  return sweep_number(s, x->name, e, out);
}

// Of a search all values of an axis are listed, and its runs choose among them.
static bool is_drawn(const LowerSweep *sweep) { return sweep->drawn && sweep->search != REG_SEARCH_TPE; }

double spaced_number(const Spaced *x, double share) {
  if (share <= 0) return x->low;
  if (share >= 1) return x->high;
  return x->log_scale ? exp(log(x->low) + share * (log(x->high) - log(x->low)))
                      : x->low + share * (x->high - x->low);
}

// `log(a .. b, n)`, `linear(a .. b, n)`; of those that are drawn without n, and `a .. b`.
static bool is_spaced(const Ast *e) {
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : NULL;
  return callee && callee->kind == AST_NAME && e->nkids > 1 && e->kids[1]->kids[0]->kind == AST_RANGE &&
         (!strcmp(callee->name, "log") || !strcmp(callee->name, "linear"));
}

static bool spaced_ends(Stages *s, const LowerAxis *x, const Ast *e, Spaced *out) {
  const bool call = e->kind == AST_CALL;
  const Ast *range = call ? e->kids[1]->kids[0] : e;
  *out = (Spaced){.log_scale = call && !strcmp(e->kids[0]->name, "log")};
  out->count = call && e->nkids > 2 ? e->kids[2]->kids[0] : NULL;
  if (!range->kids[0] || !range->kids[1]) return wrong_axis(s, x, e, "a range without an end");
  if (!known_number(s, x, range->kids[0], &out->low) || !known_number(s, x, range->kids[1], &out->high))
    return false;
  if (out->log_scale && !(out->low > 0 && out->high > 0))
    return wrong_axis(s, x, range, "factors between numbers that are not above 0");
  return true;
}

// `1.0` is no whole number: whoever writes it means all between.
static bool has_point(const Stages *s, const Ast *e) {
  const Source *source = source_get(&s->l->session->sources, e->span.source);
  bool any = false;
  if (e->kind == AST_UNARY) return has_point(s, e->kids[0]);
  for (int i = e->span.start; source && e->kind == AST_NUM && i < e->span.end && !any; i++)
    any = source->text[i] == '.' || source->text[i] == 'e';
  return any;
}

// `1 .. 5`
static bool whole_range(const Stages *s, const Ast *e, const Spaced *ends) {
  return e->kind == AST_RANGE && ends->low == floor(ends->low) && ends->high == floor(ends->high) &&
         !has_point(s, e->kids[0]) && !has_point(s, e->kids[1]);
}

static void warn_two_values(Stages *s, const LowerAxis *x, const Ast *e, const Spaced *ends) {
  if (x->seed || ends->low != 0 || ends->high != 1) return;
  diag_hint(diag_emit(&s->l->session->diags, DIAG_sweep_two_values, e->span, x->name),
            "`0.0 .. 1.0` are all numbers between them, `[0, 1]` says that these two are meant");
}

bool axis_numbers(Stages *s, LowerAxis *x, const Ast *source, const double *numbers, int n) {
  for (int i = 0; x->seed && i < n; i++)
    if (numbers[i] < 0 || numbers[i] != floor(numbers[i]))
      return wrong_axis(s, x, source, arena_printf(s->l->session->arena, "%.9g", numbers[i]));
  x->numbers = numbers;
  x->n = n;
  bool rising = x->kind == REG_AXIS_LIST;
  for (int i = 1; i < n && rising; i++) rising = numbers[i - 1] < numbers[i];
  if (rising) x->kind = REG_AXIS_ORDERED;
  return true;
}

static bool spaced_axis(Stages *s, LowerSweep *sweep, LowerAxis *x, const Ast *e) {
  Arena *a = s->l->session->arena;
  Spaced ends;
  double count = 0;
  if (!spaced_ends(s, x, e, &ends)) return false;
  ends.whole = whole_range(s, e, &ends);
  if (ends.whole && ends.high < ends.low) return empty_axis(s, x, e);
  if (ends.whole && sweep->drawn) warn_two_values(s, x, e, &ends);
  if (is_drawn(sweep)) {
    Spaced *kept = ARENA_NEW(a, Spaced);
    *kept = ends;
    x->between = kept;
    return true;
  }
  if (ends.whole) count = ends.high - ends.low + 1;
  if (ends.count && !known_number(s, x, ends.count, &count)) return false;
  const bool searched = sweep->search == REG_SEARCH_TPE && !ends.whole && !ends.count;
  if (!ends.whole && !ends.count && !searched)
    return wrong_axis(s, x, e, "a range of numbers without a count");
  if (searched) {
    count = 2;
    x->kind = ends.log_scale ? REG_AXIS_LOG : REG_AXIS_REAL;
    if (!(ends.low < ends.high)) return empty_axis(s, x, e);
  }
  if (count < 1) return empty_axis(s, x, e);
  if (count != floor(count) || count > MOST_VALUES)
    return wrong_axis(s, x, e, arena_printf(a, "%.9g values", count));
  double *numbers = ARENA_ARRAY(a, double, (int)count);
  for (int i = 0; i < (int)count; i++)
    numbers[i] = ends.whole ? ends.low + i : spaced_number(&ends, count > 1 ? i / (count - 1) : 0);
  return axis_numbers(s, x, e, numbers, (int)count);
}

// -- lists

static bool all_numbers(Stages *s, const Ast *list, double *numbers) {
  Diags *ds = &s->l->session->diags;
  const int before = ds->list.len;
  bool all = true;
  for (int i = 0; i < list->nkids && all; i++) {
    const AstKind kind = list->kids[i]->kind;
    all = kind != AST_VARIANT && kind != AST_BOOL;
    const Value v = all ? line_value(s, list->kids[i]) : v_fail();
    all = all && v.kind == V_NUM && v.unit <= UNIT_PERCENT && !v.live;
    if (all) numbers[i] = plain_number(&v);
  }
  diags_forget(ds, before); // what is wrong with a thing is told where it stands
  return all;
}

static const char *label_of(Stages *s, const Ast *e) {
  return e->kind == AST_STR ? e->name : ast_written(s->l->session->arena, e);
}

static bool list_axis(Stages *s, LowerAxis *x, const Ast *list) {
  Arena *a = s->l->session->arena;
  const int n = list->nkids;
  double *numbers = ARENA_ARRAY(a, double, n + 1);
  if (!n) return empty_axis(s, x, list);
  const bool are_numbers = all_numbers(s, list, numbers);
  const Ast **things = ARENA_ARRAY(a, const Ast *, n + 1);
  const char **labels = ARENA_ARRAY(a, const char *, n + 1);
  for (int i = 0; i < n; i++) {
    labels[i] = label_of(s, list->kids[i]);
    things[i] = list->kids[i]->kind == AST_VARIANT ? sema_variant(s->l->program, list->kids[0], list->kids[i])
                                                   : list->kids[i];
    if (!things[i]) return false;
  }
  if (are_numbers) return axis_numbers(s, x, list, numbers, n);
  if (x->seed) return wrong_axis(s, x, list, "what is no number");
  x->things = things;
  x->labels = labels;
  x->n = n;
  return true;
}

// `fold in folds(d, 5)`: each of several data sets.
static void data_axis(Stages *s, LowerAxis *x, const Ast *e) {
  Cx *cx = stages_line(s);
  const int n = (int)data_count(cx, e);
  x->things = ARENA_ARRAY(cx->a, const Ast *, n + 1);
  x->labels = ARENA_ARRAY(cx->a, const char *, n + 1);
  for (int i = 0; i < n; i++) {
    x->things[i] = data_index(cx, e, i);
    x->labels[i] = arena_printf(cx->a, "%d", i + 1);
  }
  x->n = n;
  x->folds = true;
}

// What is computed: a list of numbers or of things.
static bool computed_axis(Stages *s, LowerAxis *x, const Ast *e) {
  Arena *a = s->l->session->arena;
  const Value v = line_value(s, e);
  if (v.kind == V_FAIL) return false;
  if (v.kind != V_LIST) return wrong_axis(s, x, e, value_text(stages_line(s), &v));
  if (!v.nitems) return empty_axis(s, x, e);
  const int n = v.nitems;
  double *numbers = ARENA_ARRAY(a, double, n + 1);
  Value *values = ARENA_ARRAY(a, Value, n + 1);
  const char **labels = ARENA_ARRAY(a, const char *, n + 1);
  bool all = true;
  for (int i = 0; i < n; i++) {
    values[i] = v.items[i];
    all = all && values[i].kind == V_NUM && values[i].unit <= UNIT_PERCENT;
    if (all) numbers[i] = plain_number(&values[i]);
    labels[i] = arena_printf(a, "%d", i + 1);
  }
  if (all) return axis_numbers(s, x, e, numbers, n);
  x->values = values;
  x->labels = labels;
  x->n = n;
  return true;
}

// In a list that is written out, of an axis all of whose values have runs.
static void warn_twice(Stages *s, const LowerAxis *x, const Ast *list) {
  for (int i = 1; i < x->n && list->kind == AST_LIST; i++)
    for (int k = 0; k < i; k++) {
      if (x->numbers ? x->numbers[i] != x->numbers[k] : strcmp(x->labels[i], x->labels[k]) != 0) continue;
      diag_emit(&s->l->session->diags, DIAG_sweep_twice, list->kids[i]->span, label_of(s, list->kids[i]),
                x->name);
      return;
    }
}

// -- the sweep

bool sweep_axes(Stages *s, LowerSweep *sweep) {
  Arena *a = s->l->session->arena;
  const Ast *list = sweep->ast->kids[0];
  double runs = 1;
  if (sweep->ast->kids[1] && !sweep_trials(s, sweep)) return false;
  for (int i = 0; i < list->nkids; i++) {
    const Ast *source = list->kids[i]->kids[0];
    LowerAxis *x = ARENA_NEW(a, LowerAxis);
    *x = (LowerAxis){.name = list->kids[i]->name,
                     .at = list->kids[i]->name_span,
                     .seed = !strcmp(list->kids[i]->name, "seed"),
                     .stored = -1,
                     .all = -1,
                     .low = -INFINITY,
                     .high = INFINITY};
    x->read = x->seed;
    bool ok = true;
    if (data_several(stages_line(s), source))
      data_axis(s, x, source);
    else
      ok = source->kind == AST_LIST                         ? list_axis(s, x, source)
           : source->kind == AST_RANGE || is_spaced(source) ? spaced_axis(s, sweep, x, source)
                                                            : computed_axis(s, x, source);
    for (int k = 0; k < i && ok; k++)
      if (!strcmp(sweep->axes.data[k]->name, x->name)) {
        diag_note(diag_emit(&s->l->session->diags, DIAG_duplicate_definition, x->at, x->name),
                  sweep->axes.data[k]->at, "first defined here");
        return false;
      }
    if (!ok) return false;
    if (!sweep->drawn) warn_twice(s, x, source);
    if (x->numbers || x->between) {
      x->stored = stored_new(s->l, arena_printf(a, "%s of a run", x->name), DT_F64, (Shape){0});
      s->l->store.data[x->stored].axis = x;
    }
    vec_push(a, sweep->axes, x);
    runs *= x->n;
  }
  if (!sweep->drawn && runs > MOST_VALUES) {
    diag_emit(&s->l->session->diags, DIAG_sweep_axis, list->span, list->kids[0]->name,
              arena_printf(a, "%.9g runs with the others", runs));
    return false;
  }
  if (!sweep->drawn) sweep->nruns = (int)runs;
  if (sweep->drawn) sweep_ends(s, sweep);
  return !is_drawn(sweep) || sweep_draw(s, sweep);
}
