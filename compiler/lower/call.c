// Calls: the body elaborated in a scope of its own. A call with arguments still missing is a value too (a
// function with some arguments bound), as is a local definition.
#include "model.h"
#include <string.h>

// -- bodies

static bool check_one_result(Cx *cx, Env *env, Def *d, const Ast *pattern, const Value *v, Span at) {
  Node *n = counted_node(cx, v);
  Misfit misfit = {0};
  if (!n) return false;
  if (match_shape(cx, env, pattern, n->shape, value_dims(cx, v), d->kind == KIND_MODEL, &misfit)) return true;
  if (misfit.declared) {
    report_dims(cx, arena_printf(cx->a, "the result of `%s`", d->name), misfit.declared, misfit.given,
                pattern->span);
    return false;
  }
  Diag *diag = diag_emit(&cx->s->diags, DIAG_shape_expected, pattern->span, d->name, "a result",
                         pattern_text(cx, env, pattern), shape_text(cx->a, n->shape));
  diag_note(diag, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
  if (at.source) diag_note(diag, at, "in this call");
  return false;
}

static bool check_results(Cx *cx, Env *env, Def *d, const Ast *patterns, const Value *v, Span at) {
  if (v->kind != V_TUPLE || v->nitems != patterns->nkids) {
    Diag *diag = diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span,
                           arena_printf(cx->a, "%d values", patterns->nkids), value_text(cx, v));
    diag_note(diag, patterns->span, "declared here");
    return false;
  }
  for (int i = 0; i < v->nitems; i++)
    if (!check_one_result(cx, env, d, patterns->kids[i], &v->items[i], at)) return false;
  return true;
}

// Of labels it becomes the classes that are declared.
static bool check_result(Cx *cx, Env *env, Def *d, Value *v, Span at) {
  const Ast *pattern = d->ast->kids[1];
  if (!pattern || v->kind == V_FAIL) return true;
  if (pattern->kind == AST_TYPE) return result_labels(cx, env, d, pattern, v);
  if (pattern->kind == AST_TUPLE) return check_results(cx, env, d, pattern, v, at);
  return check_one_result(cx, env, d, pattern, v, at);
}

// An argument of those that every loss has, where it is given.
static const Value *of_all_losses(const Def *d, const Env *env, const char *name) {
  const Ast *p = find_param(d, name);
  const Value *v = p && p->num != 0 ? env_get(env, name) : NULL;
  return v && v->kind == V_BOOL && v->num == p->kids[1]->num ? NULL : v;
}

static Value reduced(Cx *cx, Builtin b, Value v, const Value *where, Span at) {
  Value condition = where ? *where : v;
  BoundArg args[] = {{NULL, &v, at}, {"where", &condition, at}};
  return call_builtin(cx, b, args, where ? 2 : 1, at);
}

static Value weighted(Cx *cx, Value v, const Node *n, const Value *weight, const Value *where, Span at) {
  if (!weight) return reduced(cx, B_MEAN, v, where, at);
  Value zeros = v;
  zeros.node = graph_const(cx->g, 0, n->shape);
  const Value product = binary(cx, OPR_MUL, weight, &v, at), whole = binary(cx, OPR_ADD, weight, &zeros, at);
  if (product.kind == V_FAIL || whole.kind == V_FAIL) return v_fail();
  const Value top = reduced(cx, B_SUM, product, where, at), bottom = reduced(cx, B_SUM, whole, where, at);
  return top.kind == V_FAIL || bottom.kind == V_FAIL ? v_fail() : binary(cx, OPR_DIV, &top, &bottom, at);
}

// As they are given: the body may have these names for values of its own.
typedef struct OfRows {
  const Value *per_row, *weight, *where; // NULL: not given
} OfRows;

static OfRows rows_given(const Def *d, const Env *env) {
  if (d->kind != KIND_LOSS) return (OfRows){0};
  return (OfRows){of_all_losses(d, env, "per_row"), of_all_losses(d, env, "weight"),
                  of_all_losses(d, env, "where")};
}

// A loss whose body gives a number for each row is their mean, of those for which `where` holds, by `weight`;
// `per_row: true` asks for the numbers.
static Value of_rows(Cx *cx, const Env *env, const OfRows *given, Value v) {
  const Value *per_row = given->per_row, *weight = given->weight, *where = given->where,
              *any = per_row  ? per_row
                     : weight ? weight
                              : where;
  Node *n = v.kind == V_FAIL ? NULL : counted_floats(cx, &v);
  if (!n) return v_fail();
  if (any && n->shape.rank == 0) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, any->span,
              arena_printf(cx->a, "a loss whose body gives a number for each row"),
              arena_printf(cx->a, "`%s`, which gives one for all of them", env->def));
    return v_fail();
  }
  if (per_row && (weight || where)) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, per_row->span, "`per_row`",
              "beside `weight` and `where`");
    return v_fail();
  }
  if (per_row || n->shape.rank == 0) return v;
  if (weight || where) return weighted(cx, v, n, weight, where, any->span);
  return v_tensor(mean_there(cx, &v), v.span);
}

static bool in_program(const Cx *cx, Span at) {
  const Source *s = source_get(&cx->s->sources, at.source);
  return s && !source_is_library(s);
}

// Mistakes that were found in the library's text say in which call of the program.
static void tell_call(Cx *cx, const Def *d, int before, Span at) {
  const Diags *all = &cx->s->diags;
  for (int i = before; i < all->list.len && d->from_library && in_program(cx, at); i++) {
    Diag *diag = all->list.data[i];
    bool told = in_program(cx, diag->span);
    for (int k = 0; k < diag->notes.len && !told; k++) told = in_program(cx, diag->notes.data[k].span);
    if (!told) diag_note(diag, at, "in this call");
  }
}

Value call_body(Cx *cx, Def *d, Env *env, Span at) {
  if (!may_go_on(cx, at, 1)) return v_fail();
  if (d->kind == KIND_PROCEDURE) {
    Diag *diag = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at,
                           arena_printf(cx->a, "the procedure `%s`", d->name), "inside of an expression");
    diag_hint(diag, "it acts as a statement: `NAME = %s(…)`", d->name);
    return v_fail();
  }
  Span outer = cx->at;
  const int before = cx->s->diags.list.len;
  if (!d->from_library || !outer.source) cx->at = at;
  const Ast *body = d->ast->kids[2];
  const OfRows given = rows_given(d, env);
  Value v = body->kind == AST_BLOCK ? eval_block(cx, env, body) : eval_expr(cx, env, body);
  if (!check_result(cx, env, d, &v, at)) v = v_fail();
  if (d->kind == KIND_LOSS) v = of_rows(cx, env, &given, v);
  tell_call(cx, d, before, at);
  cx->at = outer;
  v = outward(cx, env, v);
  v.span = at;
  return v;
}

// The parameter that the i-th argument is for; NULL: none.
static const Ast *param_of(const Def *d, const BoundArg *args, int i) {
  const Ast *ps = d->ast->kids[0];
  int position = 0;
  if (args[i].name) return find_param(d, args[i].name);
  for (int k = 0; k < i; k++) position += !args[k].name;
  return ps && position < ps->nkids ? ps->kids[position] : NULL;
}

// A penalty of a tree is the sum over its tensors. `trees`: those among the arguments that are declared as
// tensors; the number of their tensors, 0 where there is none, -1 after a report.
static int penalized_trees(Cx *cx, const Def *d, const BoundArg *args, int nargs, Tree **trees) {
  int n = 0;
  for (int i = 0; i < nargs; i++) {
    const Ast *p = d->kind == KIND_PENALTY ? param_of(d, args, i) : NULL;
    trees[i] = p && p->kids[0] && p->kids[0]->kind == AST_LIST ? tree_of(cx, args[i].value) : NULL;
    if (trees[i] && n && trees[i]->n != n) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, args[i].span, arena_printf(cx->a, "a tree of %d tensors", n),
                value_text(cx, args[i].value));
      return -1;
    }
    if (trees[i]) n = trees[i]->n;
  }
  return n;
}

// As many rows as the condition has, as far as that is known.
static bool has_rows(Cx *cx, const Value *v, const Value *condition, int64_t rows) {
  const bool field = v->kind == V_FIELD, tensor = v->kind == V_TENSOR || v->kind == V_LIST;
  const Node *n = tensor ? counted_node(cx, v) : NULL;
  if (n ? !n->shape.rank : !field) return false;
  const int64_t own = n ? n->shape.dim[0] : v->rows ? v->rows->shape.dim[0] : field_rows(cx, v);
  return own == rows && dims_agree(dim_of(value_dims(cx, v), 0), dim_of(value_dims(cx, condition), 0));
}

// Arguments of a metric with `where: c`: of each that has a row for each of those of c, the rows for which it
// holds. NULL after a report.
static BoundArg *some_rows(Cx *cx, const Def *d, const BoundArg *args, int *nargs, int where) {
  const Value *c = args[where].value;
  const Node *n = c->kind == V_FAIL ? NULL : counted_node(cx, c);
  BoundArg *out = ARENA_ARRAY(cx->a, BoundArg, *nargs + 1);
  int made = 0, picked = 0;
  for (int i = 0; i < *nargs && n; i++) {
    if (i == where) continue;
    out[made] = args[i];
    if (n->shape.rank == 1 && has_rows(cx, args[i].value, c, n->shape.dim[0])) {
      Value *some = ARENA_NEW(cx->a, Value);
      *some = rows_where(cx, args[i].value, c, args[i].value->span);
      if (some->kind == V_FAIL) return NULL;
      out[made].value = some;
      picked++;
    }
    made++;
  }
  *nargs = made;
  if (n && !picked) {
    Diag *diag = diag_emit(&cx->s->diags, DIAG_wrong_kind, args[where].span,
                           arena_printf(cx->a, "a truth value for each row of what `%s` is about", d->name),
                           value_text(cx, c));
    diag_hint(diag, "elements that are no rows may be left out by `weight:`, where the metric has it");
  }
  return picked ? out : NULL;
}

// Which argument is the `where` that the compiler gives to every metric; -1: none.
static int where_of_metric(const Def *d, const BoundArg *args, int nargs) {
  const Ast *p = d->kind == KIND_METRIC ? find_param(d, "where") : NULL;
  for (int i = 0; i < nargs && p && p->num != 0; i++)
    if (args[i].name && !strcmp(args[i].name, "where")) return i;
  return -1;
}

static Value call_one(Cx *cx, Def *d, BoundArg *args, int nargs, Span at, const Env *env,
                      const char *instance);

Value call_def(Cx *cx, Def *d, BoundArg *args, int nargs, Span at, const Env *env, const char *instance) {
  const int where = where_of_metric(d, args, nargs);
  if (where >= 0 && !(args = some_rows(cx, d, args, &nargs, where))) return v_fail();
  Tree **trees = ARENA_ARRAY(cx->a, Tree *, nargs + 1);
  const int tensors = penalized_trees(cx, d, args, nargs, trees);
  if (tensors < 0) return v_fail();
  if (tensors == 0) return call_one(cx, d, args, nargs, at, env, instance);
  Value total = v_num(0, at);
  const Site *outer = cx->site;
  for (int k = 0; k < tensors && total.kind != V_FAIL; k++) {
    Site own = {outer, at, NULL};
    BoundArg *each = ARENA_ARRAY(cx->a, BoundArg, nargs + 1);
    for (int i = 0; i < nargs; i++) {
      each[i] = args[i];
      if (!trees[i]) continue;
      each[i].value = ARENA_NEW(cx->a, Value);
      *each[i].value = v_tensor(trees[i]->leaf[k].node, args[i].value->span);
      if (!own.leaf) own.leaf = trees[i]->leaf[k].path;
    }
    cx->site = &own;
    Value v = call_one(cx, d, each, nargs, at, env, instance);
    cx->site = outer;
    total = k ? binary(cx, OPR_ADD, &total, &v, at) : v;
  }
  return total;
}

static Value call_one(Cx *cx, Def *d, BoundArg *args, int nargs, Span at, const Env *env,
                      const char *instance) {
  Memo memo;
  const Value *before = memo_find(cx, d, args, nargs, &memo);
  if (before) {
    Value v = *before;
    v.span = at;
    return v;
  }
  const char *path = env ? env->path : "";
  if (d->kind == KIND_LAYER) path = instance_path(cx, env, d, instance);
  Env *inner = env_new(cx, NULL, path, d->name);
  const Within outer = text_enter(cx, d);
  LoopFrame *frame = cx->frame;
  if (d->kind == KIND_LET) cx->frame = NULL; // one value, also where a loop is the first to ask for it
  const bool bound = bind_args(cx, d, args, nargs, at, inner, false);
  const int first = cx->g->nodes.len;
  const Site *around = cx->site, own = {around, at, NULL};
  cx->site = &own;
  Value v = bound ? call_body(cx, d, inner, at) : v_fail();
  if (d->kind == KIND_LAYER) inside_add(cx, inner);
  if (ast_trait(d->ast)) harm_call(cx, d, inner, first, &v, at);
  cx->site = around;
  if (d->kind == KIND_LET) vec_push(cx->a, cx->shared, ((NodeRange){first, cx->g->nodes.len}));
  cx->frame = frame;
  text_leave(cx, outer);
  return memo_keep(cx, d, &memo, v);
}

// Would the call be complete with these arguments? (All parameters without default given.)
static bool complete(const Def *d, const BoundArg *args, int nargs) {
  const Ast *ps = d->ast->kids[0];
  int positional = 0;
  for (int i = 0; i < nargs; i++) positional += !args[i].name;
  for (int k = 0; ps && k < ps->nkids; k++) {
    bool given = k < positional || ps->kids[k]->kids[1];
    for (int i = 0; i < nargs; i++) given |= args[i].name && !strcmp(args[i].name, ps->kids[k]->name);
    if (!given) return false;
  }
  return true;
}

bool is_initializer(const Def *d) {
  const Ast *ps = d->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++)
    if (ps->kids[i]->name && !strcmp(ps->kids[i]->name, "like")) return true;
  return false;
}

Value partial_call(Cx *cx, const Value *callee, BoundArg *args, int nargs, Span at) {
  LocalFn *f = ARENA_NEW(cx->a, LocalFn);
  *f = (LocalFn){.callee = ARENA_NEW(cx->a, Value), .args = args, .nargs = nargs};
  *f->callee = *callee;
  return (Value){.kind = V_LOCAL, .local = f, .span = at};
}

static Value wrong_count(Cx *cx, const char *name, int want, int given, Span at) {
  diag_emit(&cx->s->diags, DIAG_wrong_kind, at,
            arena_printf(cx->a, "%d arguments of `%s`, by position", want, name),
            arena_printf(cx->a, "%d", given));
  return v_fail();
}

static Value call_local(Cx *cx, Env *env, const LocalFn *f, BoundArg *args, int nargs, Span at,
                        const char *instance) {
  int want = f->ast ? f->ast->kids[0]->nkids : 0, next = 0;
  for (int i = 0; i < f->nargs; i++) want += !f->args[i].value;
  bool by_position = nargs == want;
  for (int i = 0; i < nargs; i++) by_position = by_position && !args[i].name;
  if (!by_position) return wrong_count(cx, f->ast ? f->ast->name : "this function", want, nargs, at);
  if (!f->ast) {
    BoundArg *all = ARENA_ARRAY(cx->a, BoundArg, f->nargs + 1);
    for (int i = 0; i < f->nargs; i++) {
      all[i] = f->args[i];
      if (!all[i].value) all[i].value = args[next++].value;
    }
    return call_value(cx, env, f->callee, all, f->nargs, at, instance);
  }
  if (!may_go_on(cx, at, 1)) return v_fail();
  Env *inner = env_new(cx, f->env, f->env->path, f->env->def);
  for (int i = 0; i < nargs; i++)
    env_set(cx, inner, f->ast->kids[0]->kids[i]->name, named(cx, *args[i].value));
  const Within outer = {cx->library, cx->sees};
  const Site *around = cx->site, own = {around, at, NULL};
  text_leave(cx, (Within){f->library, f->sees});
  cx->site = &own;
  Value v = eval_expr(cx, inner, f->ast->kids[1]);
  cx->site = around;
  text_leave(cx, outer);
  return v;
}

Value call_value(Cx *cx, Env *env, const Value *callee, BoundArg *args, int nargs, Span at,
                 const char *instance) {
  switch (callee->kind) {
  case V_FAIL: return v_fail();
  case V_BUILTIN: return call_builtin(cx, callee->builtin, args, nargs, at);
  case V_MODEL: return call_model(cx, callee->model, args, nargs, at);
  case V_LOCAL: return call_local(cx, env, callee->local, args, nargs, at, instance);
  case V_FN: {
    FnValue *fn = callee->fn;
    BoundArg *all = ARENA_ARRAY(cx->a, BoundArg, fn->nargs + nargs + 1);
    // Arguments of this call come first by position; those bound earlier were named or come after.
    for (int i = 0; i < nargs; i++) all[i] = args[i];
    for (int i = 0; i < fn->nargs; i++) all[nargs + i] = fn->args[i];
    int n = fn->nargs + nargs;
    const bool whole = fn->def->kind == KIND_OPTIMIZER || fn->def->kind == KIND_RECIPE;
    const bool waits = fn->def->kind == KIND_METRIC || is_initializer(fn->def);
    if (whole || (waits && !complete(fn->def, all, n))) {
      FnValue *bound = ARENA_NEW(cx->a, FnValue);
      *bound = (FnValue){fn->def, all, n};
      return (Value){.kind = V_FN, .fn = bound, .span = at};
    }
    return call_def(cx, fn->def, all, n, at, env, instance);
  }
  default: break;
  }
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, callee->span, "a function", value_text(cx, callee));
  if (callee->kind == V_FIELD)
    diag_hint(d, "csv(…, target: \"COLUMN\" as NAME) gives the field another name");
  return v_fail();
}

const char *optimizer_variable(const Def *d) {
  return d->ast->nkids > 3 && d->ast->kids[3] ? d->ast->kids[3]->name : "w";
}

Tree *run_optimizer(Cx *cx, const FnValue *fn, Tree *w, Span at) {
  Def *d = fn->def;
  Env *env = env_new(cx, NULL, "", d->name);
  env_set(cx, env, optimizer_variable(d), v_tree(w, at));
  const Span outer = cx->at;
  const Within around = text_enter(cx, d);
  const bool bound = bind_args(cx, d, fn->args, fn->nargs, at, env, false);
  cx->at = at;
  Value done = bound ? eval_expr(cx, env, d->ast->kids[2]) : v_fail();
  cx->at = outer;
  text_leave(cx, around);
  return done.kind == V_FAIL ? NULL : env_get(env, optimizer_variable(d))->tree;
}

bool optimizer_rate(Cx *cx, const FnValue *fn, Span at, Value *out) {
  Def *d = fn->def;
  Env *env = env_new(cx, NULL, "", d->name);
  const bool library = cx->library;
  cx->library = d->from_library;
  const bool bound = bind_args(cx, d, fn->args, fn->nargs, at, env, false);
  cx->library = library;
  const Value *lr = bound ? env_get(env, "lr") : NULL;
  if (lr) *out = *lr;
  int found = lr != NULL;
  const Ast *ps = d->ast->kids[0];
  for (int i = 0; bound && !lr && ps && i < ps->nkids; i++) {
    const Value *v = env_get(env, ps->kids[i]->name);
    if (v->kind == V_FN && v->fn->def->kind == KIND_OPTIMIZER) found += optimizer_rate(cx, v->fn, at, out);
  }
  return found == 1;
}
