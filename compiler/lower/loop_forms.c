// The forms of loops. In: `repeat`, `while`, `for`, `each`. Out: how often their block runs, over which
// slices, and with which names; loop.c does the rest. An `each` over a tree has no turns: it is written out.
#include "loop.h"
#include <math.h>

static bool turn_count(Loop *l, const Ast *e, const char *what, int64_t least) {
  Value n = eval_expr(l->cx, l->env, e);
  n.span = e->span;
  if (n.size && n.size->count) {
    l->over = n.size;
    l->turns = n.size->size;
    return true;
  }
  return known_int(l->cx, &n, what, least, MOST_TURNS, &l->turns);
}

Value eval_repeat(Cx *cx, Env *env, const Ast *e) {
  Loop l = {.cx = cx, .env = env, .e = e, .body = e->kids[1], .index = e->name};
  return turn_count(&l, e->kids[0], "a number of repetitions", 0) ? run_loop(&l) : v_fail();
}

Value eval_while(Cx *cx, Env *env, const Ast *e) {
  Loop l = {.cx = cx, .env = env, .e = e, .body = e->kids[2], .condition = e->kids[0], .exceeds = !e->num};
  Value most = eval_expr(cx, env, e->kids[1]);
  most.span = e->kids[1]->span;
  return known_int(cx, &most, "a number of turns", l.exceeds, MOST_TURNS, &l.turns) ? run_loop(&l) : v_fail();
}

static bool names_fit(Cx *cx, const Ast *names, int n) {
  if (names->nkids == n) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, names->span,
            arena_printf(cx->a, "%d names, one for each source", n), arena_printf(cx->a, "%d", names->nkids));
  return false;
}

static bool loop_sources(Loop *l, const Ast *names, const Value *values, int n) {
  Cx *cx = l->cx;
  l->names = names;
  l->sources = ARENA_ARRAY(cx->a, Node *, n + 1);
  l->slice_dims = ARENA_ARRAY(cx->a, Dims, n + 1);
  for (int i = 0; i < n; i++) {
    Node *x = counted_node(cx, &values[i]);
    if (!x) return false;
    if (l->axis >= x->shape.rank) {
      diag_emit(&cx->s->diags, DIAG_bad_axis, values[i].span, l->axis, shape_text(cx->a, x->shape));
      return false;
    }
    l->sources[i] = axis_moved(cx, x, l->axis, 0);
    const int64_t turns = l->sources[i]->shape.dim[0];
    if (i && turns != l->turns) {
      diag_emit(&cx->s->diags, DIAG_loop_lengths, values[i].span, (long long)l->turns, (long long)turns);
      return false;
    }
    const Dims dims = value_dims(cx, &values[i]);
    const Dim *over = dim_of(dims, l->axis);
    if (i && !dims_agree(l->over, over)) {
      report_dims(cx, "the turns", l->over, over, values[i].span);
      return false;
    }
    if (!i || over) l->over = over;
    l->slice_dims[i] = dims_without(cx, dims, x->shape.rank, &l->axis, 1);
    l->turns = turns;
  }
  return true;
}

static bool eval_sources(Cx *cx, Env *env, const Ast *sources, Value *out) {
  bool ok = true;
  for (int i = 0; i < sources->nkids; i++) {
    out[i] = eval_expr(cx, env, sources->kids[i]);
    ok = ok && out[i].kind != V_FAIL;
  }
  return ok;
}

Value eval_for(Cx *cx, Env *env, const Ast *e) {
  Loop l = {.cx = cx, .env = env, .e = e, .body = e->kids[3]};
  Value *values = ARENA_ARRAY(cx->a, Value, e->kids[1]->nkids + 1);
  if (!eval_sources(cx, env, e->kids[1], values)) return v_fail();
  if (e->kids[2]) {
    Value axis = eval_expr(cx, env, e->kids[2]);
    Node *first = counted_node(cx, &values[0]);
    if (!first || axis.kind == V_FAIL || !one_axis(cx, &axis, first->shape, &l.axis)) return v_fail();
  }
  const int n = e->kids[1]->nkids;
  return names_fit(cx, e->kids[0], n) && loop_sources(&l, e->kids[0], values, n) ? run_loop(&l) : v_fail();
}

// `each w in T : e` over trees: a tree of the same paths.
static Value each_tensor(Cx *cx, Env *env, const Ast *e, Value *values) {
  const int n = e->kids[1]->nkids;
  const Tree *first = tree_of(cx, &values[0]);
  Tree *out = tree_new(cx, first->n);
  for (int i = 0; i < n; i++) {
    const Tree *t = tree_of(cx, &values[i]);
    if (t && t->n == first->n) continue;
    diag_emit(&cx->s->diags, DIAG_wrong_kind, values[i].span, value_text(cx, &values[0]),
              value_text(cx, &values[i]));
    return v_fail();
  }
  const Site *outer = cx->site;
  for (int k = 0; k < first->n; k++) {
    const Site own = {outer, e->span, first->leaf[k].path};
    Env *inner = env_new(cx, env, env->path, env->def);
    for (int i = 0; i < n; i++)
      env_set(cx, inner, e->kids[0]->kids[i]->name,
              named(cx, v_tensor(tree_of(cx, &values[i])->leaf[k].node, values[i].span)));
    cx->site = &own;
    Value v = eval_expr(cx, inner, e->kids[2]);
    cx->site = outer;
    Node *node = v.kind == V_FAIL ? NULL : value_node(cx, &v);
    if (!node) return v_fail();
    out->leaf[k] = (Leaf){first->leaf[k].path, node};
  }
  return v_tree(out, e->span);
}

// `each m in g : e` over models: written out, stacked along a new first axis.
static Value each_model(Cx *cx, Env *env, const Ast *e, const ModelValue *models) {
  Value list = {.kind = V_LIST, .span = e->span, .items = ARENA_ARRAY(cx->a, Value, models->nitems + 1)};
  const Site *outer = cx->site;
  for (; list.nitems < models->nitems; list.nitems++) {
    const Site own = {outer, e->span, models->items[list.nitems]->name};
    Env *inner = env_new(cx, env, env->path, env->def);
    env_set(cx, inner, e->kids[0]->kids[0]->name,
            (Value){.kind = V_MODEL, .model = models->items[list.nitems], .span = e->kids[1]->span});
    cx->site = &own;
    list.items[list.nitems] = eval_expr(cx, inner, e->kids[2]);
    cx->site = outer;
    if (list.items[list.nitems].kind == V_FAIL) return v_fail();
  }
  return v_tensor(value_node(cx, &list), e->span);
}

Value eval_each(Cx *cx, Env *env, const Ast *e) {
  const int n = e->kids[1]->nkids;
  Value *values = ARENA_ARRAY(cx->a, Value, n + 1);
  if (!eval_sources(cx, env, e->kids[1], values) || !names_fit(cx, e->kids[0], n)) return v_fail();
  if (n == 1 && values[0].kind == V_MODEL && values[0].model->nitems)
    return each_model(cx, env, e, values[0].model);
  if (tree_of(cx, &values[0])) return each_tensor(cx, env, e, values);
  Loop l = {.cx = cx, .env = env, .e = e, .body = e->kids[2], .apart = true};
  if (n == 1 && values[0].kind == V_RANGE && values[0].num == 0) {
    const Dim *end = values[0].items[1].size;
    const bool counted = end && end->count;
    double low, high = counted ? (double)end->size : 0;
    if (!value_number(cx, &values[0].items[0], "the first number", &low) ||
        (!counted && !value_number(cx, &values[0].items[1], "the end", &high)))
      return v_fail();
    l.over = end;
    if (low != 0 || !(high >= 0 && high <= MOST_TURNS && high == floor(high))) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, values[0].span, "a range 0 .. n", "another range");
      return v_fail();
    }
    l.turns = (int64_t)high;
    l.index = e->kids[0]->kids[0]->name;
    return run_loop(&l);
  }
  return loop_sources(&l, e->kids[0], values, n) ? run_loop(&l) : v_fail();
}
