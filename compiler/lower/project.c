// What happens to parameters behind their update: proximal steps of penalties, then constraints. In: an
// update's result. Holds: where the update does not act, neither does this; a constraint sees all parameters
// as those that act together left them.
#include "model.h"
#include "updates.h"
#include <string.h>

static Node *of_shape(Cx *cx, const Value *v, const char *what, const char *path, Shape s, Span at) {
  Node *n = v->kind == V_FAIL ? NULL : value_floats(cx, v);
  if (!n || shape_equal(n->shape, s)) return n;
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_shape_expected, at, what, arena_printf(cx->a, "a value for `%s`", path),
                shape_text(cx->a, s), shape_text(cx->a, n->shape));
  if (n->origin.source) diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
  return NULL;
}

static Tree *tree_copy(Cx *cx, const Tree *t) {
  Tree *out = tree_new(cx, t->n);
  memcpy(out->leaf, t->leaf, sizeof(Leaf) * (size_t)t->n);
  return out;
}

// -- proximal steps

void prox_moved(const Acts *a, const Point *p, ProxStep *x) {
  if (x->strength.kind == V_TENSOR) x->strength.node = moved(a, p, x->strength.node);
  for (int i = 0; i < x->nargs; i++)
    if (x->args[i].value->kind == V_TENSOR) x->args[i].value->node = moved(a, p, x->args[i].value->node);
}

static Node *proximal_step(Cx *cx, const ProxStep *x, const Value *rate, const Leaf *w) {
  const Span at = x->ast->kids[2]->span;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, x->nargs + 2);
  Value *point = ARENA_NEW(cx->a, Value), *size = ARENA_NEW(cx->a, Value);
  *point = v_tensor(w->node, at);
  *size = binary(cx, OPR_MUL, rate, &x->strength, at);
  if (size->kind == V_FAIL) return NULL;
  args[0] = (BoundArg){NULL, point, at};
  args[1] = (BoundArg){NULL, size, at};
  for (int i = 0; i < x->nargs; i++) args[i + 2] = x->args[i];
  Value v = call_def(cx, x->def, args, x->nargs + 2, at, NULL, NULL);
  return of_shape(cx, &v, x->def->name, w->path, w->node->shape, at);
}

Tree *proximal_steps(Acts *a, const FnValue *optimizer, Tree *now, Span at) {
  Cx *cx = a->cx;
  Tree *out = tree_copy(cx, now);
  Value rate = {.kind = V_NONE};
  for (int k = 0; k < a->step->proximal.len; k++) {
    const ProxStep *x = &a->step->proximal.data[k];
    for (int i = 0; i < out->n; i++) {
      if (strcmp(out->leaf[i].path, x->path) != 0) continue;
      if (rate.kind == V_NONE && !optimizer_rate(cx, optimizer, at, &rate)) {
        Diag *d = diag_emit(&cx->s->diags, DIAG_no_step_size, x->ast->span, optimizer->def->name);
        diag_note(d, at, "this optimizer");
        return NULL;
      }
      out->leaf[i].node = proximal_step(cx, x, &rate, &out->leaf[i]);
      if (!out->leaf[i].node) return NULL;
    }
  }
  return out;
}

// -- constraints

// The value of the clause for the parameter `path`, which is `w` at the step's beginning.
static Node *constrained(Acts *a, const Ast *c, const Point *p, const char *path, Node *w) {
  Cx *cx = a->cx;
  const Ast *names = c->kids[0], *sources = c->kids[1];
  Env *env = env_new(cx, field_env(cx), "", "constrain");
  env_set(cx, env, names->kids[0]->name, v_tensor(w, sources->kids[0]->span));
  for (int i = 1; i < names->nkids; i++) {
    Value source = eval_clause(cx, field_env(cx), sources->kids[i]), other;
    if (source.kind == V_FAIL || !beside(cx, &source, path, &other)) return NULL;
    env_set(cx, env, names->kids[i]->name, named(cx, other));
  }
  const Site *outer = cx->site, own = {outer, c->span, path};
  cx->site = &own;
  Value v = eval_clause(cx, env, c->kids[2]);
  cx->site = outer;
  Node *n = of_shape(cx, &v, "constrain", path, w->shape, c->kids[2]->span);
  return n ? moved(a, p, n) : NULL;
}

// The clause on what was updated on one condition, all at the present point.
static bool constrain(Acts *a, const Ast *c, const Point *p, const Acted *acted) {
  Cx *cx = a->cx;
  const int since = cx->g->nodes.len;
  const States before = states_now(cx);
  Tree *was = tree_new(cx, acted->after->n);
  was->n = 0;
  for (int i = 0; i < acted->after->n; i++) {
    const ParamRef *w = map_get(&cx->params, acted->after->leaf[i].path);
    if (selects_param(cx, c->kids[1]->kids[0], NULL, w->path)) was->leaf[was->n++] = (Leaf){w->path, w->node};
  }
  Tree *now = tree_copy(cx, was);
  set_params(a, a->inputs);
  bool ok = true;
  for (int i = 0; i < now->n && ok; i++) {
    const ParamRef *w = map_get(&cx->params, now->leaf[i].path);
    now->leaf[i].node = constrained(a, c, p, w->path, w->node);
    ok = now->leaf[i].node != NULL;
  }
  set_params(a, a->inputs);
  if (!ok) return false;
  states_moved(a, p, &before);
  if (acted->acts) act_only(cx, acted->acts, since, &before, was, now);
  leave(a, now);
  return true;
}

bool constrain_all(Acts *a, const Acted *acted, int n) {
  const Ast *ast = a->t->ast;
  for (int i = 2; i < ast->nkids; i++) {
    const Ast *c = ast->kids[i];
    const Point p = point_now(a);
    if (c->kind != AST_CONSTRAIN) continue;
    for (int k = 0; k < n; k++)
      if (!constrain(a, c, &p, &acted[k])) return false;
  }
  return true;
}
