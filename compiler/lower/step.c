// Steps of an optimizer by themselves, for `regc eval --step`. In: an optimizer's expression, arrays that it
// updates, and what it minimizes: an expression, or of each array the gradient. Out: a graph of one step:
// parameters and states in, new ones out. Holds: where only gradients are given, the objective is an input
// that nothing fills, and what asks it for more than its gradient at the parameters is told.
#include "train.h"
#include <string.h>

static const char unknown_objective[] = "objective";

// The array under its name, as a parameter: a model's, where it is called as one of these.
static Node *updated_param(Cx *cx, const LowerInput *in, Span at) {
  ParamRef *ref = map_get(&cx->params, in->name);
  if (ref && shape_equal(ref->shape, in->shape)) return ref->node;
  if (ref) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, arena_printf(cx->a, "`%s`", in->name),
              shape_text(cx->a, ref->shape), shape_text(cx->a, in->shape));
    return NULL;
  }
  const char *role = map_get(&cx->l->roles, in->name);
  know_param(cx, in->name, role ? role : in->shape.rank >= 2 ? "weight" : "bias", in->shape, at);
  return ((ParamRef *)map_get(&cx->params, in->name))->node;
}

static int updated_index(const LowerAsked *asked, const char *name) {
  for (int i = 0; i < asked->ngrads; i++)
    if (!strcmp(asked->grads[i], name)) return i;
  return -1;
}

// Names in `env` for all arrays; those that are updated in `w`, their gradients, where there are any, in `g`.
static bool bind_arrays(Cx *cx, Env *env, const LowerAsked *asked, Tree *w, Tree *g) {
  const Span at = asked->optimizer->span;
  for (int i = 0; i < asked->ninputs; i++) {
    const LowerInput *in = &asked->inputs[i];
    const int k = updated_index(asked, in->name),
              of = strncmp(in->name, "grad.", 5) ? -1 : updated_index(asked, in->name + 5);
    Node *n = k >= 0 ? updated_param(cx, in, at)
                     : cx_input(cx, arena_printf(cx->a, "in:%s", in->name), in->dtype, in->shape);
    if (!n) return false;
    if (k >= 0) w->leaf[k] = (Leaf){in->name, n};
    if (of >= 0) g->leaf[of] = (Leaf){asked->grads[of], n};
    env_set(cx, env, in->name, v_tensor(n, at));
  }
  return true;
}

bool only_gradient(Cx *cx, const Node *n, Span at) {
  if (!cx->gradient_alone || bare((Node *)n) != cx->objective) return false;
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at,
                      "to use `objective` for more than its gradient", "where gradients alone are given");
  diag_hint(d, "give what is minimized as the expression, and what it is minimized over by --grad: "
               "regc eval 'sum((x @ w - y)^2)' --grad w --step ...");
  return true;
}

// False after a mistake.
static bool add_step(Cx *cx, LowerExpression *x, const LowerAsked *asked) {
  Env *env = env_new(cx, NULL, "", "");
  Tree *w = tree_new(cx, asked->ngrads), *g = tree_new(cx, asked->ngrads);
  if (!bind_arrays(cx, env, asked, w, g)) return false;
  const Value by = eval_expr(cx, env_new(cx, NULL, "", ""), asked->optimizer);
  if (!is_optimizer(cx, &by)) return false;
  cx->objective = asked->expression ? minimized(cx, env, asked->expression, w)
                                    : cx_input(cx, unknown_objective, DT_F32, (Shape){0});
  if (!cx->objective) return false;
  cx->given = asked->expression ? NULL : g;
  cx->gradient_alone = !asked->expression;
  const Tree *after = run_optimizer(cx, by.fn, w, asked->optimizer->span);
  if (!after) return false;
  for (int i = 0; i < after->n; i++) expression_value(cx, x, w->leaf[i].path, after->leaf[i].node, DT_F32);
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *s = cx->states.entries[i].value;
    graph_output(cx->g, arena_printf(cx->a, "after:%s", s->name), s->node, -1);
  }
  return true;
}

LowerExpression *lower_optimizer(Lowered *l, const LowerAsked *asked) {
  Cx *cx = expression_cx(l, "step", true);
  LowerExpression *x = ARENA_NEW(cx->a, LowerExpression);
  x->data = -1;
  expression_models(cx, asked->optimizer, asked->expression);
  if (!add_step(cx, x, asked)) return NULL;
  expression_finish(cx, x, true);
  const Node *objective = graph_find_input(x->graph, unknown_objective);
  return objective && only_gradient(cx, cx->objective, asked->optimizer->span) ? NULL : x;
}
