// `by random(30)`, `by search(e.nll, trials: 30)`, `by halving(e.nll, trials: 27)`. In: the call. Out: how
// many runs a sweep makes, and by which of their numbers they are judged.
#include "sweep.h"
#include <math.h>
#include <string.h>

bool sweep_number(Stages *s, const char *of, const Ast *e, double *out) {
  Cx *cx = stages_line(s);
  Value v = line_value(s, e);
  return value_number(cx, &v, arena_printf(cx->a, "a number of `%s`", of), out);
}

static bool whole(Stages *s, const char *name, const Ast *e, double least, double most, int *out) {
  double n;
  if (!sweep_number(s, name, e, &n)) return false;
  if (n >= least && n <= most && n == floor(n)) {
    *out = (int)n;
    return true;
  }
  Arena *a = s->l->session->arena;
  diag_emit(&s->l->session->diags, DIAG_out_of_range, e->span, name, "sweep",
            arena_printf(a, "whole, from %.9g to %.9g", least, most), arena_printf(a, "%.9g", n));
  return false;
}

static bool unknown_way(Stages *s, const Ast *by) {
  Arena *a = s->l->session->arena;
  Diag *d = diag_emit(&s->l->session->diags, DIAG_wrong_kind, by->span,
                      "`random(n)`, `search(VALUE, trials: n)` or `halving(VALUE, trials: n)`",
                      arena_printf(a, "`%s`", ast_written(a, by)));
  diag_hint(d,
            "`by random(30)` makes 30 runs, each with a value of every axis; `by search(e.nll, trials: 30)` "
            "chooses them by what came of those before");
  return false;
}

static bool known_argument(Stages *s, LowerSweep *sweep, const Ast *call, const Ast *arg) {
  const bool tpe = sweep->search == REG_SEARCH_TPE;
  const char *own = tpe ? "at_once" : "factor";
  if (arg->name && !strcmp(arg->name, "trials"))
    return whole(s, "trials", arg->kids[0], 1, MOST_VALUES, &sweep->nruns);
  if (arg->name && !strcmp(arg->name, own))
    return whole(s, own, arg->kids[0], tpe ? 1 : 2, MOST_VALUES, &sweep->at_once);
  if (arg->name && !strcmp(arg->name, "higher")) {
    sweep->higher = arg->kids[0];
    return true;
  }
  Diag *d = diag_emit(&s->l->session->diags, DIAG_unknown_argument, arg->span, call->kids[0]->name,
                      arg->name ? arg->name : ast_written(s->l->session->arena, arg->kids[0]));
  diag_hint(d, "its parameters are what runs are judged by, `trials`, `%s`, `higher`", own);
  return false;
}

bool sweep_trials(Stages *s, LowerSweep *sweep) {
  const Ast *by = sweep->ast->kids[1];
  const Ast *callee = by->kind == AST_CALL && by->nkids > 1 ? by->kids[0] : NULL;
  const char *way = callee && callee->kind == AST_NAME ? callee->name : "";
  sweep->drawn = true;
  if (!strcmp(way, "random") && by->nkids == 2)
    return whole(s, "random", by->kids[1]->kids[0], 1, MOST_VALUES, &sweep->nruns);
  const bool tpe = !strcmp(way, "search");
  if ((!tpe && strcmp(way, "halving") != 0) || by->kids[1]->name) return unknown_way(s, by);
  sweep->search = tpe ? REG_SEARCH_TPE : REG_SEARCH_HALVING;
  sweep->at_once = tpe ? 4 : 3;
  sweep->by = by->kids[1]->kids[0];
  for (int i = 2; i < by->nkids; i++)
    if (!known_argument(s, sweep, by, by->kids[i])) return false;
  if (sweep->nruns) return true;
  diag_emit(&s->l->session->diags, DIAG_missing_argument, by->span, way, "trials");
  return false;
}

bool sweep_judged(Stages *s, LowerSweep *sweep) {
  return sweep_column(s, sweep, sweep->by, sweep->higher, &sweep->kept_by, &sweep->is_higher);
}

bool sweep_searchable(Stages *s, LowerSweep *sweep) {
  for (int i = 0; i < sweep->axes.len; i++) {
    const LowerAxis *x = sweep->axes.data[i];
    if ((x->kind != REG_AXIS_REAL && x->kind != REG_AXIS_LOG) || !x->fixed.source) continue;
    Diag *d = diag_emit(&s->l->session->diags, DIAG_sweep_axis, x->at, x->name,
                        "a range, of which any number may come");
    diag_note(d, x->fixed, "this is compiled for each of its numbers");
    diag_hint(d, "a list of numbers, or whole numbers `1..5`");
    return false;
  }
  if (sweep_values(sweep) < 10000 || sweep->search != REG_SEARCH_TPE) return true;
  diag_emit(&s->l->session->diags, DIAG_sweep_axis, sweep->axes.data[0]->at, sweep->axes.data[0]->name,
            "10000 programs or more, with the others");
  return false;
}
