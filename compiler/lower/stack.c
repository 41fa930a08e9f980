// `stack`: a block whose turns have parameters of their own. In: the number of turns, or what each turn has
// of lists. Out: the turns written out, each in a scope and under a path of its own, `net.block[2]`. Holds: a
// name of the surrounding body that a turn binds again is bound there, whatever its shape is now.
#include "loop.h"
#include "model.h"
#include <math.h>

// How many turns a source has; -1 after a report.
static int64_t length_of(Cx *cx, const Value *v, bool counts) {
  int64_t n = 0;
  if (counts) return known_int(cx, v, "a number of turns", 1, MOST_TURNS, &n) ? n : -1;
  if (v->kind == V_LIST) return v->nitems;
  if (v->kind == V_MODEL && v->model->nitems) return v->model->nitems;
  if (v->kind != V_RANGE || v->num != 0) {
    Node *x = value_node(cx, v);
    if (x && x->shape.rank) return x->shape.dim[0];
    if (x)
      diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "a list, a range or a tensor", value_text(cx, v));
    return -1;
  }
  double low, high;
  if (!value_number(cx, &v->items[0], "the first number", &low) ||
      !value_number(cx, &v->items[1], "the end", &high))
    return -1;
  if (low == floor(low) && high == floor(high) && high > low && high - low <= MOST_TURNS)
    return (int64_t)(high - low);
  diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "a range of whole numbers, low .. high",
            "another range");
  return -1;
}

// What turn i has of a source.
static Value part_of(Cx *cx, const Value *v, int64_t i) {
  if (v->kind == V_LIST) return v->items[i];
  if (v->kind == V_RANGE) return v_num(v->items[0].num + (double)i, v->span);
  if (v->kind == V_MODEL) return (Value){.kind = V_MODEL, .model = v->model->items[i], .span = v->span};
  Node *x = value_node(cx, v);
  Value part =
      v_tensor(graph_reshape(cx->g, axis_slice(cx, x, 0, i, i + 1), shape_without_first(x->shape)), v->span);
  const int first = 0;
  part.dims = dims_without(cx, value_dims(cx, v), x->shape.rank, &first, 1);
  return part;
}

static bool sources_of(Cx *cx, Env *env, const Ast *e, Value *values, int64_t *turns) {
  const Ast *names = e->kids[0], *sources = e->kids[1];
  if (names && names->nkids != sources->nkids) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, names->span,
              arena_printf(cx->a, "%d names, one for each source", sources->nkids),
              arena_printf(cx->a, "%d", names->nkids));
    return false;
  }
  for (int k = 0; k < sources->nkids; k++) {
    values[k] = eval_expr(cx, env, sources->kids[k]);
    if (values[k].kind == V_FAIL) return false;
    const int64_t n = length_of(cx, &values[k], !names);
    if (n < 0) return false;
    if (k && n != *turns) {
      diag_emit(&cx->s->diags, DIAG_loop_lengths, values[k].span, (long long)*turns, (long long)n);
      return false;
    }
    *turns = n;
  }
  return true;
}

Value eval_stack(Cx *cx, Env *env, const Ast *e) {
  const Ast *names = e->kids[0];
  Value *values = ARENA_ARRAY(cx->a, Value, e->kids[1]->nkids + 1);
  int64_t turns = 0;
  if (!sources_of(cx, env, e, values, &turns)) return v_fail();
  cx->effects++;
  Names again = {0};
  bound_again(cx, env, e->kids[2], &again);
  const char *outer = env->path ? env->path : "";
  const char *site = arena_printf(cx->a, "%s%s%s", outer, *outer ? "." : "", e->name);
  for (int64_t i = 0; i < turns; i++) {
    if (!may_go_on(cx, e->span, 1)) return v_fail();
    const char *path = arena_printf(cx->a, "%s[%lld]", site, (long long)i);
    Env *inner = env_new(cx, env, path, env->def);
    for (int k = 0; names && k < names->nkids; k++)
      env_set(cx, inner, names->kids[k]->name, named(cx, part_of(cx, &values[k], i)));
    if (eval_block(cx, inner, e->kids[2]).kind == V_FAIL) return v_fail();
    inside_add(cx, inner);
    for (int k = 0; k < again.len; k++) {
      const Value *v = map_get(&inner->names, again.data[k]);
      if (v) env_set(cx, env, again.data[k], *v);
    }
  }
  return (Value){.kind = V_NONE, .span = e->span};
}
