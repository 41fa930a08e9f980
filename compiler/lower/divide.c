// How rows are divided: split(…), folds(…). In: the calls. Out: a step of a plan; of folds, which are several
// data sets, expressions for each of them: what is done to folds is done to each.
#include "builtins.h"
#include "source.h"
#include <math.h>
#include <string.h>

bool data_number(Cx *cx, Env *env, const Ast *e, const char *what, double *out) {
  Value v = eval_expr(cx, env, e);
  return value_number(cx, &v, what, out);
}

static const char *number_text(Cx *cx, double x) {
  return isnan(x) ? "nan" : arena_printf(cx->a, "%.17g", x);
}

static bool split_bad(Cx *cx, Span at, const char *what) {
  diag_emit(&cx->s->diags, DIAG_split_bad, at, what);
  return false;
}

static bool shares(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  static const char *const parts[] = {"train", "valid", "test"};
  double total = 0;
  for (int i = 0; i < 3; i++) {
    const Ast *e = call_arg(call, parts[i], i);
    double share;
    if (!e) continue;
    if (!data_number(cx, env, e, "a share of the data", &share)) return false;
    if (!(share > 0 && share <= 1))
      return split_bad(cx, e->span,
                       arena_printf(cx->a,
                                    "the share of `%s` is %s%%: it must be more than 0%% and at most 100%%",
                                    parts[i], number_text(cx, share * 100)));
    op->part_names[op->nparts] = parts[i];
    op->fractions[op->nparts++] = share;
    total += share;
  }
  if (fabs(total - 1) <= 1e-9) return true;
  return split_bad(
      cx, call->span,
      arena_printf(cx->a, "the shares of the parts add up to %.10g%%, not to 100%%", total * 100));
}

// By what rows are divided: `position` of the first of these arguments, -1 where they have names alone.
static bool divided_by(Cx *cx, Env *env, const Ast *call, int position, reg_data_op *op) {
  const double most = 0x1p53 - 1; // beyond it neighbours are one number
  const struct {
    const char *name;
    const char **to;
  } fields[] = {{"stratify", &op->stratify}, {"group", &op->group}, {"time", &op->time}};
  for (int i = 0; i < 3; i++) {
    const Ast *e = call_arg(call, fields[i].name, i ? -1 : position);
    if (e && !(*fields[i].to = data_name(cx, e))) return false;
  }
  if (!order_arg(cx, call, op)) return false;
  if (op->order && !op->time) {
    diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, call->kids[0]->name, "time");
    return false;
  }
  const Ast *seed = call_arg(call, "seed", position < 0 ? -1 : position + 1);
  double s = 0;
  if (seed && !data_number(cx, env, seed, "a seed", &s)) return false;
  if (!(s >= 0 && s <= most && s == floor(s))) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, seed->span, "seed", call->kids[0]->name,
              arena_printf(cx->a, "a whole number from 0 to %.0f", most), number_text(cx, s));
    return false;
  }
  op->seed = (uint64_t)s;
  return true;
}

bool split_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  op->kind = REG_DATA_SPLIT;
  return shares(cx, env, call, op) && divided_by(cx, env, call, 3, op);
}

// -- folds

// The argument of a call of `folds` that says which of them it is: no program can write it.
static const char *const turn_name = "fold ";

// Is e, as it is written, data, and no rows or columns that a value has?
static bool makes_data(Cx *cx, const Ast *e) {
  const Def *d = e->kind == AST_NAME ? sema_find(cx->l->program, e->name) : NULL;
  switch (e->kind) {
  case AST_WHERE:
  case AST_WITH:
  case AST_TABLE: return true;
  case AST_NAME: return d && d->kind == KIND_DATA;
  case AST_CALL: return data_callee(cx, e) != NULL;
  case AST_PIPE: return data_callee(cx, e) || makes_data(cx, e->kids[0]);
  case AST_INDEX: return makes_data(cx, e->kids[0]);
  case AST_FIELD: return is_part_name(e->name) && makes_data(cx, e->kids[0]);
  default: return false;
  }
}

// `each i in 0..n : DATA`
static bool is_each(Cx *cx, const Ast *e) {
  if (e->kind != AST_EACH || e->kids[0]->nkids != 1 || e->kids[1]->nkids != 1) return false;
  const Ast *range = e->kids[1]->kids[0];
  return range->kind == AST_RANGE && range->kids[0] && range->kids[1] && makes_data(cx, e->kids[2]);
}

// The call, or the `each`, that makes several data sets of what e is made of; NULL: e is one.
static const Ast *several(Cx *cx, const Ast *e) {
  const Def *d = e->kind == AST_NAME ? sema_find(cx->l->program, e->name) : NULL;
  if (d && (d->kind != KIND_DATA || d->ast->kids[0])) return NULL;
  if (d) {
    const Within outer = text_enter(cx, d);
    const Ast *call = several(cx, d->ast->kids[2]);
    text_leave(cx, outer);
    return call;
  }
  if (e->kind == AST_PIPE || e->kind == AST_WITH || e->kind == AST_WHERE) return several(cx, e->kids[0]);
  if (is_each(cx, e)) return e;
  const bool call = e->kind == AST_CALL && e->kids[0]->kind == AST_NAME;
  if (call && data_callee(cx, e)) return data_argument(cx, e) ? several(cx, *data_argument(cx, e)) : NULL;
  return call && builtin_find(e->kids[0]->name) == B_FOLDS && !call_arg(e, turn_name, -1) ? e : NULL;
}

static bool count_arg(Cx *cx, Env *env, const Ast *call, int64_t *n) {
  const Ast *e = call_arg(call, "n", 1);
  if (!e || !call_arg(call, "d", 0)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "folds", e ? "d" : "n");
    diag_hint(d, "folds(digits, 5) divides digits in five ways");
    return false;
  }
  Value v = eval_expr(cx, env, e);
  v.span = e->span;
  return known_int(cx, &v, "a number of folds", 2, INT32_MAX, n);
}

// The first number of an `each`, and how many there are.
static bool each_turns(Cx *cx, Env *env, const Ast *each, int64_t *first, int64_t *n) {
  const Ast *range = each->kids[1]->kids[0];
  Value from = eval_expr(cx, env, range->kids[0]), to = eval_expr(cx, env, range->kids[1]);
  from.span = range->kids[0]->span;
  to.span = range->kids[1]->span;
  if (!known_int(cx, &from, "a number of data", 0, INT32_MAX, first) ||
      !known_int(cx, &to, "a number of data", *first + 1, INT32_MAX, n))
    return false;
  *n -= *first;
  return true;
}

bool data_several(Cx *cx, const Ast *e) { return several(cx, e) != NULL; }

int64_t data_count(Cx *cx, const Ast *e) {
  const Ast *call = several(cx, e);
  int64_t n = 0, first;
  if (call && is_each(cx, call)) return each_turns(cx, env_new(cx, NULL, "", ""), call, &first, &n) ? n : -1;
  return call && count_arg(cx, env_new(cx, NULL, "", ""), call, &n) ? n : -1;
}

static Ast *number_tree(Cx *cx, int64_t value, Span at) {
  Ast *n = ARENA_NEW(cx->a, Ast);
  *n = (Ast){.kind = AST_NUM, .num = (double)value, .span = at, .depth = 1, .links = 1};
  n->text = arena_printf(cx->a, "%lld", (long long)value);
  return n;
}

static Ast *copy_with(Cx *cx, const Ast *e, int nkids) {
  Ast *copy = ARENA_NEW(cx->a, Ast);
  *copy = *e;
  copy->kids = ARENA_ARRAY(cx->a, Ast *, nkids + 1);
  memcpy(copy->kids, e->kids, (size_t)e->nkids * sizeof *e->kids);
  copy->nkids = nkids;
  return copy;
}

// The call with another argument in the place of the one at `of`.
static Ast *replaced(Cx *cx, const Ast *call, Ast **of, Ast *by) {
  Ast *copy = copy_with(cx, call, call->nkids);
  for (int i = 1; i < call->nkids; i++)
    if (&call->kids[i]->kids[0] == of) {
      copy->kids[i] = copy_with(cx, call->kids[i], call->kids[i]->nkids);
      copy->kids[i]->kids[0] = by;
    }
  return copy;
}

static Ast *turn_of(Cx *cx, const Ast *each, int64_t i) {
  int64_t first = 0, n;
  each_turns(cx, env_new(cx, NULL, "", ""), each, &first, &n);
  SemaCopy copy = sema_copying(cx->l->program, each->span);
  map_put(&copy.given, each->kids[0]->kids[0]->name, number_tree(cx, first + i, each->span));
  return sema_copy(&copy, each->kids[2]);
}

Ast *data_element(Cx *cx, const Ast *e, int64_t i) {
  Def *d = e->kind == AST_NAME ? sema_find(cx->l->program, e->name) : NULL;
  if (d) {
    const Within outer = text_enter(cx, d);
    Ast *element = data_element(cx, d->ast->kids[2], i);
    text_leave(cx, outer);
    return element;
  }
  if (is_each(cx, e)) return turn_of(cx, e, i);
  Ast **of = e->kind == AST_CALL && data_callee(cx, e) ? data_argument(cx, e) : NULL;
  if (of) return replaced(cx, e, of, data_element(cx, *of, i));
  Ast *copy = copy_with(cx, e, e->nkids + (e->kind == AST_CALL));
  if (e->kind != AST_CALL) {
    copy->kids[0] = data_element(cx, e->kids[0], i);
    return copy;
  }
  Ast *turn = ARENA_NEW(cx->a, Ast), **kids = ARENA_ARRAY(cx->a, Ast *, 1);
  kids[0] = number_tree(cx, i, e->span);
  *turn = (Ast){.kind = AST_ARG, .name = turn_name, .span = e->span, .kids = kids, .nkids = 1};
  copy->kids[e->nkids] = turn;
  return copy;
}

Ast *data_index(Cx *cx, const Ast *e, int64_t i) {
  Ast *index = ARENA_NEW(cx->a, Ast);
  *index = (Ast){.kind = AST_INDEX, .span = e->span, .nkids = 2, .depth = 1, .links = 1};
  index->kids = ARENA_ARRAY(cx->a, Ast *, 2);
  index->kids[0] = (Ast *)e;
  index->kids[1] = number_tree(cx, i, e->span);
  return index;
}

Ast *fold_picked(Cx *cx, Env *env, const Ast *e) {
  const int64_t n = data_count(cx, e->kids[0]);
  int64_t at;
  if (n < 0) return NULL;
  if (e->nkids != 2) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "one index, of folds",
              arena_printf(cx->a, "%d of them", e->nkids - 1));
    return NULL;
  }
  Value v = eval_expr(cx, env, e->kids[1]);
  v.span = e->kids[1]->span;
  return known_int(cx, &v, "the number of a fold", 0, n - 1, &at) ? data_element(cx, e->kids[0], at) : NULL;
}

bool data_is_several(Cx *cx, const Ast *e, const char *what) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "one data set", what);
  diag_hint(d, "`for fold in …` goes over them, `…[0]` is one");
  return false;
}

bool fold_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *turn = call_arg(call, turn_name, -1);
  op->kind = REG_DATA_FOLD;
  if (!count_arg(cx, env, call, &op->nfolds) || !divided_by(cx, env, call, -1, op)) return false;
  if (turn) {
    op->fold = (int64_t)turn->num;
    return true;
  }
  return data_is_several(cx, call, arena_printf(cx->a, "%lld folds", (long long)op->nfolds));
}
