// `report best(path, by: e.mse, rule: one_se)` and `report compare(path, by: e.mse, against: plain)`. In: the
// call. Out: which sweep, column and axes are meant; what is told is computed when the program runs.
#include "sweep.h"
#include <math.h>
#include <string.h>

typedef struct Call {
  Stages *s;
  const Ast *ast;
  LowerSweep *sweep;
  reg_view view;
} Call;

static const Ast *argument(const Call *c, const char *name) {
  for (int i = 2; i < c->ast->nkids; i++)
    if (c->ast->kids[i]->name && !strcmp(c->ast->kids[i]->name, name)) return c->ast->kids[i]->kids[0];
  return NULL;
}

static bool known_arguments(const Call *c) {
  static const char *const names[][4] = {[REG_VIEW_BEST] = {"by", "rule", "along", "higher"},
                                         [REG_VIEW_COMPARE] = {"by", "against", "along", "test"},
                                         [REG_VIEW_PLOT] = {"over", NULL}};
  const char *const *own = names[c->view.kind];
  for (int i = 2; i < c->ast->nkids; i++) {
    const Ast *arg = c->ast->kids[i];
    bool known = false;
    if (c->view.kind == REG_VIEW_PLOT && i == 2 && !arg->name) continue; // what is drawn
    for (int k = 0; k < 4 && own[k] && arg->name; k++) known = known || !strcmp(own[k], arg->name);
    if (known) continue;
    Diag *d = diag_emit(&c->s->l->session->diags, DIAG_unknown_argument, arg->span, c->ast->kids[0]->name,
                        arg->name ? arg->name : ast_written(c->s->l->session->arena, arg->kids[0]));
    diag_hint(d, c->view.kind == REG_VIEW_BEST      ? "its parameters are `by`, `rule`, `along`, `higher`"
                 : c->view.kind == REG_VIEW_COMPARE ? "its parameters are `by`, `against`, `along`, `test`"
                                                    : "it is of a value of the runs, by `over`");
    return false;
  }
  return true;
}

static bool missing(const Call *c, const char *name) {
  diag_emit(&c->s->l->session->diags, DIAG_missing_argument, c->ast->span, c->ast->kids[0]->name, name);
  return false;
}

static bool wrong(const Call *c, const Ast *e, const char *expected) {
  diag_emit(&c->s->l->session->diags, DIAG_wrong_kind, e->span, expected,
            arena_printf(c->s->l->session->arena, "`%s`", ast_written(c->s->l->session->arena, e)));
  return false;
}

// -- by: a column

// Which sense of a metric is better, `e.accuracy` or `fit.valid.accuracy`; else lower is.
static bool higher_is_better(const Stages *s, const Ast *by) {
  const Ast *callee = metric_callee(by);
  const Def *d = callee->kind == AST_FIELD ? sema_find(s->l->program, callee->name) : NULL;
  return d && d->kind == KIND_METRIC && d->ast->num > 0;
}

bool sweep_column(Stages *s, const LowerSweep *sweep, const Ast *by, const Ast *higher, int *index,
                  bool *is_higher) {
  Arena *a = s->l->session->arena;
  const char *names[64];
  int n = 0;
  const char *text = ast_written(a, by);
  for (int i = 0; i < sweep->kept.len; i++) {
    const LowerKept *k = &sweep->kept.data[i];
    if (k->column && n < 64) names[n++] = k->name;
    if (!k->column || strcmp(k->name, text) != 0) continue;
    *index = i;
    *is_higher = higher ? higher->kind == AST_BOOL && higher->num != 0 : higher_is_better(s, by);
    return true;
  }
  Diag *d = diag_emit(&s->l->session->diags, DIAG_unknown_field, by->span,
                      arena_printf(a, "each run of `%s`", sweep->name), text);
  const char *near = nearest_name(text, names, n);
  if (map_get(&sweep->build->variants.data[0].scope->names, text))
    diag_hint(d, "what they have bound to it is no number that all of them have: bind a sum or a mean of it");
  else if (near)
    diag_hint(d, "did you mean `%s`?", near);
  else
    diag_hint(d, "the table of the sweep has its numbers: what runs bind, metrics, results of trainings");
  return false;
}

static bool find_column(Call *c) {
  const Ast *by = argument(c, "by"), *higher = argument(c, "higher");
  if (higher && higher->kind != AST_BOOL) return wrong(c, higher, "`true` or `false`");
  return by ? sweep_column(c->s, c->sweep, by, higher, &c->view.by, &c->view.higher) : missing(c, "by");
}

// -- axes

static int axis_named(const Call *c, const Ast *e) {
  for (int i = 0; i < c->sweep->axes.len; i++)
    if (e->kind == AST_NAME && !strcmp(c->sweep->axes.data[i]->name, e->name)) return i;
  diag_emit(&c->s->l->session->diags, DIAG_unknown_field, e->span,
            arena_printf(c->s->l->session->arena, "the sweep `%s`", c->sweep->name),
            ast_written(c->s->l->session->arena, e));
  return -1;
}

// Runs that differ in the seed, or in the fold, are repetitions.
static bool is_repetition(const LowerAxis *x) { return x->seed || x->folds; }

static bool find_best(Call *c) {
  const Ast *rule = argument(c, "rule"), *along = argument(c, "along");
  Arena *a = c->s->l->session->arena;
  bool *over = ARENA_ARRAY(a, bool, c->sweep->axes.len + 1), repeated = false;
  int numbers = 0;
  c->view.axis = -1;
  for (int i = 0; i < c->sweep->axes.len; i++) {
    const LowerAxis *x = c->sweep->axes.data[i];
    over[i] = is_repetition(x) && !c->sweep->drawn;
    repeated = repeated || (over[i] && x->n > 1);
    if (over[i] || !x->numbers) continue;
    numbers++;
    c->view.axis = i;
  }
  c->view.naxes = c->sweep->axes.len;
  c->view.over = over;
  c->view.one_se = rule && rule->kind == AST_NAME && !strcmp(rule->name, "one_se");
  if (rule && !c->view.one_se && (rule->kind != AST_NAME || strcmp(rule->name, "best") != 0))
    return wrong(c, rule, "`one_se` or `best`");
  if (along && (c->view.axis = axis_named(c, along)) < 0) return false;
  if (along && (over[c->view.axis] || !c->sweep->axes.data[c->view.axis]->numbers))
    return wrong(c, along, "an axis of numbers that are not taken together");
  if (!c->view.one_se) return true;
  if (!repeated)
    return wrong(c, rule, "a sweep with several seeds or parts of the data: without them there is no error");
  return (along || numbers == 1) ? true : missing(c, "along");
}

// The value of an axis that is meant, -1: none. Of numbers that a computation has spaced the nearest one, if
// it reads the same: `1e-3` of log(1e-4 .. 1, 5).
static int place_of(const LowerAxis *x, const char *text, const double *number) {
  int found = -1;
  for (int i = 0; i < x->n; i++) {
    if (!x->numbers && !strcmp(x->labels[i], text)) return i;
    if (!x->numbers || !number || !(fabs(x->numbers[i] - *number) <= 1e-6 * fabs(*number))) continue;
    if (found < 0 || fabs(x->numbers[i] - *number) < fabs(x->numbers[found] - *number)) found = i;
  }
  return found;
}

// Literals, and names of known numbers.
static bool known_value(Call *c, const Ast *e, double *out) {
  Diags *ds = &c->s->l->session->diags;
  const int before = ds->list.len;
  const Value v = e->kind == AST_STR ? v_fail() : line_value(c->s, e);
  diags_forget(ds, before); // it may be a thing
  if (v.kind != V_NUM || v.unit > UNIT_PERCENT || v.live) return false;
  *out = plain_number(&v);
  return true;
}

static const char *values_of(const Call *c, const LowerAxis *x) {
  enum { MOST = 8 };
  StrBuf b = {.arena = c->s->l->session->arena};
  for (int i = 0; i < x->n && i < MOST; i++)
    if (x->numbers)
      strbuf_addf(&b, "%s%.7g", i ? ", " : "", x->numbers[i]);
    else
      strbuf_addf(&b, "%s%s", i ? ", " : "", x->labels[i]);
  return x->n > MOST ? arena_printf(b.arena, "%s, …", b.data) : b.data;
}

static bool no_value(const Call *c, const Ast *against, int only, bool is_number) {
  wrong(c, against, "a value of an axis");
  const Diags *ds = &c->s->l->session->diags;
  for (int i = 0; i < c->sweep->axes.len; i++) {
    const LowerAxis *x = c->sweep->axes.data[i];
    if (only < 0 ? is_repetition(x) || is_number != !!x->numbers : only != i) continue;
    diag_hint(ds->list.data[ds->list.len - 1], "`%s` has %s", x->name, values_of(c, x));
    break;
  }
  return false;
}

static bool find_compared(Call *c) {
  const Ast *against = argument(c, "against"), *along = argument(c, "along"), *by = argument(c, "test");
  Arena *a = c->s->l->session->arena;
  if (!against) return missing(c, "against");
  c->view.ranks = by && by->kind == AST_NAME && !strcmp(by->name, "wilcoxon");
  if (by && !c->view.ranks && (by->kind != AST_NAME || strcmp(by->name, "student") != 0))
    return wrong(c, by, "`student` or `wilcoxon`");
  if (c->sweep->drawn)
    return wrong(c, c->ast->kids[1], "a sweep over all pairs: runs that are drawn have no partners");
  const char *text = against->kind == AST_STR ? against->name : ast_written(a, against);
  double number = 0;
  const bool is_number = known_value(c, against, &number);
  const int only = along ? axis_named(c, along) : -1;
  int found = 0;
  if (along && only < 0) return false;
  for (int i = 0; i < c->sweep->axes.len; i++) {
    const LowerAxis *x = c->sweep->axes.data[i];
    const int place =
        (only < 0 ? !is_repetition(x) : only == i) ? place_of(x, text, is_number ? &number : NULL) : -1;
    if (place < 0) continue;
    c->view.axis = i;
    c->view.against = place;
    found++;
  }
  if (found == 1) return true;
  if (!found) return no_value(c, against, only, is_number);
  missing(c, "along");
  const Diags *ds = &c->s->l->session->diags;
  diag_hint(ds->list.data[ds->list.len - 1], "several axes have `%s`", text);
  return false;
}

// -- plots

static bool find_plotted(Call *c) {
  const Ast *over = argument(c, "over"),
            *of = c->ast->nkids > 2 && !c->ast->kids[2]->name ? c->ast->kids[2]->kids[0] : NULL;
  if (!of) return missing(c, "value");
  if (!over) return missing(c, "over");
  const Ast *first = of;
  while (first->kind == AST_FIELD) first = first->kids[0];
  if (first->kind != AST_NAME)
    return wrong(c, of, "a name of what the runs bind, or of their models' parameters");
  if (c->sweep->drawn)
    return wrong(c, c->ast->kids[1], "a sweep over all pairs: runs that are drawn have no paths");
  c->view.axis = axis_named(c, over);
  if (c->view.axis < 0) return false;
  return c->sweep->axes.data[c->view.axis]->numbers || wrong(c, over, "an axis of numbers");
}

static Ast *within(Arena *a, const Ast *sweep, const Ast *e) {
  Ast *out = ARENA_NEW(a, Ast);
  *out = *e;
  out->nkids = 1;
  out->kids = ARENA_ARRAY(a, Ast *, 1);
  if (e->kind == AST_NAME)
    out->kind = AST_FIELD, out->kids[0] = (Ast *)sweep;
  else
    out->kids[0] = within(a, sweep, e->kids[0]);
  return out;
}

const Ast *sweep_plotted(Stages *s, const Ast *e) {
  if (strcmp(e->kids[0]->name, "plot") != 0) return NULL;
  return within(s->l->session->arena, e->kids[1]->kids[0], e->kids[2]->kids[0]);
}

bool sweep_view(Stages *s, const Ast *e, int *view) {
  const Ast *callee = e->kind == AST_CALL && e->nkids > 1 ? e->kids[0] : NULL;
  if (!callee || callee->kind != AST_NAME || sema_find(s->l->program, callee->name)) return false;
  const bool best = !strcmp(callee->name, "best"), plot = !strcmp(callee->name, "plot");
  const Ast *of = e->kids[1]->kids[0];
  const Held *h = of->kind == AST_NAME ? held_find(s->scope, of->name) : NULL;
  if ((!best && !plot && strcmp(callee->name, "compare") != 0) || !h ||
      (!h->sweep && h->value.kind != V_FAIL))
    return false;
  Call c = {.s = s, .ast = e, .sweep = h->sweep};
  if (!h->sweep) return true; // its mistake was told
  c.view.kind = best ? REG_VIEW_BEST : plot ? REG_VIEW_PLOT : REG_VIEW_COMPARE;
  c.view.sweep = h->sweep->index;
  if (!known_arguments(&c)) return true;
  if (!(plot ? find_plotted(&c) : find_column(&c) && (best ? find_best(&c) : find_compared(&c)))) return true;
  vec_push(s->l->session->arena, s->l->views, c.view);
  *view = s->l->views.len;
  return true;
}
