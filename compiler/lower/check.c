// Expressions outside of training: `check` statements and `regc eval`. Parameters that a layer declares take
// their initial values.
#include "../ad/ad.h"
#include "train.h"
#include <string.h>

static bool is_gradient(const Ast *check) {
  return check->kids[1]->kind == AST_NAME && !strcmp(check->kids[1]->name, "gradient");
}

// A fixed weighting that makes one number of a tensor without hiding what cancels in a plain sum.
static Node *weighted_sum(Cx *cx, Node *n) {
  if (n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
  if (n->shape.rank == 0) return n;
  int64_t count = shape_count(n->shape);
  Node *flat = graph_reshape(cx->g, n, shape_of(1, count));
  Node *index = graph_cast(cx->g, graph_iota(cx->g, 0, DT_I32, flat->shape), DT_F32);
  Node *weight =
      graph_unary(cx->g, OP_SIN, graph_binary(cx->g, OP_ADD, index, graph_const(cx->g, 1, (Shape){0})));
  return graph_reduce_all(cx->g, OP_SUM, graph_binary(cx->g, OP_MUL, flat, weight));
}

// All elements true.
static Node *all(Cx *cx, Node *b) {
  Node *missed = graph_cast(cx->g, graph_unary(cx->g, OP_NOT, b), DT_F32);
  return graph_binary(cx->g, OP_LT, graph_reduce_all(cx->g, OP_SUM, missed),
                      graph_const(cx->g, 0.5, (Shape){0}));
}

// A condition; `==` and `!=` between tensors hold within 1e-5, relative where values are above 1.
static Node *condition(Cx *cx, Env *env, const Ast *e) {
  bool equal = e->kind == AST_BINARY && (e->op == OPR_EQ || e->op == OPR_NE);
  if (!equal) {
    Value v = eval_expr(cx, env, e);
    Node *n = v.kind == V_FAIL ? NULL : truth(cx, &v);
    return n ? all(cx, n) : NULL;
  }
  Value x = eval_expr(cx, env, e->kids[0]), y = eval_expr(cx, env, e->kids[1]);
  Value xn = v_tensor(x.kind == V_FAIL ? NULL : value_node(cx, &x), x.span);
  if (xn.kind == V_FAIL || y.kind == V_FAIL) return NULL;
  Value diff = binary(cx, OPR_SUB, &xn, &y, e->span);
  if (diff.kind != V_TENSOR) return NULL;
  Value size = unary_op(cx, OP_ABS, &y, e->span), off = unary_op(cx, OP_ABS, &diff, e->span);
  Value one = v_num(1, e->span), eps = v_num(1e-5, e->span);
  Value grown = binary(cx, OPR_ADD, &size, &one, e->span);
  Value bound = binary(cx, OPR_MUL, &grown, &eps, e->span);
  Value holds = binary(cx, OPR_LE, &off, &bound, e->span);
  if (holds.kind == V_FAIL) return NULL;
  Node *close = all(cx, truth(cx, &holds));
  return e->op == OPR_EQ ? close : graph_unary(cx->g, OP_NOT, close);
}

// The parameter that an argument is for, as declared; NULL where the callee is no definition.
static const Ast *arg_param(const Value *callee, const Ast *call, int index) {
  const Ast *ps = callee->kind == V_FN ? callee->fn->def->ast->kids[0] : NULL;
  const char *name = call->kids[index]->name;
  for (int i = 0; ps && i < ps->nkids; i++)
    if (name ? !strcmp(ps->kids[i]->name, name) : i == index - 1) return ps->kids[i];
  return NULL;
}

static bool is_labels(const Ast *param) {
  return param && param->kids[0] && param->kids[0]->name && !strcmp(param->kids[0]->name, "labels");
}

// The arguments that are tensors of numbers (not labels) become outputs of `args` and inputs of `body`; the
// others stay what they are.
static bool split_args(Cx *args, Cx *body, const Ast *call, BoundArg *bound) {
  Env *ea = env_new(args, NULL, "", ""), *eb = env_new(body, NULL, "", "");
  Value callee = eval_expr(args, ea, call->kids[0]);
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    Value *v = ARENA_NEW(args->a, Value);
    *v = eval_expr(args, ea, arg->kids[0]);
    if (v->kind == V_FAIL) return false;
    const Ast *param = arg_param(&callee, call, i);
    bool tensor = (v->kind == V_TENSOR || (v->kind == V_LIST && param)) && !is_labels(param);
    if (tensor) {
      Node *n = value_node(args, v);
      if (!n) return false;
      body->g->origin = arg->span;
      const char *name =
          param ? arena_printf(args->a, "arg:%s", param->name) : arena_printf(args->a, "arg:%d", i);
      graph_output(args->g, name, n, -1);
      *v = v_tensor(cx_input(body, name, n->dtype, n->shape), arg->span);
    } else {
      *v = eval_expr(body, eb, arg->kids[0]); // made again for the other graph
    }
    bound[i - 1] = (BoundArg){arg->name, v, arg->span};
  }
  return true;
}

LowerCheck *lower_check(Lowered *l, const Ast *check) {
  Arena *a = l->session->arena;
  const Ast *e = check->kids[0];
  LowerCheck *c = ARENA_NEW(a, LowerCheck);
  *c = (LowerCheck){.ast = check, .text = ast_text(a, check), .gradient = is_gradient(check)};
  Cx *args = cx_new(l, "arguments", MODE_CHECK), *body = cx_new(l, "check", MODE_CHECK);
  args->stream = 0x20000;
  body->training = true;
  Env *env = env_new(body, NULL, "", "");
  Value v;
  if (e->kind == AST_CALL) {
    BoundArg *bound = ARENA_ARRAY(a, BoundArg, e->nkids);
    if (!split_args(args, body, e, bound)) return NULL;
    Value callee = eval_expr(body, env, e->kids[0]);
    v = call_value(body, env, &callee, bound, e->nkids - 1, e->span, NULL);
  } else {
    v = eval_expr(body, env, e);
  }
  Node *n = v.kind == V_FAIL ? NULL : value_node(body, &v);
  if (!n) return NULL;
  if (c->gradient) {
    Node *scalar = weighted_sum(body, n);
    Node *xs[64], *grads[64];
    const char *names[64];
    int nx = 0;
    for (int i = 0; i < body->g->inputs.len && nx < 64; i++) {
      Node *in = body->g->inputs.data[i];
      if (strncmp(in->name, "arg:", 4) || in->dtype != DT_F32) continue;
      names[nx] = in->name + 4;
      xs[nx++] = in;
    }
    if (!nx) {
      diag_emit(&l->session->diags, DIAG_grad_target, e->span, "a call with a tensor among its arguments");
      return NULL;
    }
    ad_gradient(body->g, scalar, xs, nx, grads);
    graph_output(body->g, "value", scalar, -1);
    for (int i = 0; i < nx; i++) graph_output(body->g, arena_printf(a, "grad:%s", names[i]), grads[i], -1);
  } else {
    env_set(body, env, "value", v);
    Node *holds = condition(body, env, check->kids[1]);
    if (!holds) return NULL;
    graph_output(body->g, "value", n, -1);
    graph_output(body->g, "condition", holds, -1);
  }
  c->args = prune(args, args->g);
  c->body = prune(body, body->g);
  return c;
}

Graph *lower_eval(Lowered *l, const Ast *e, const LowerInput *inputs, int ninputs, const char *const *grads,
                  int ngrads) {
  Arena *a = l->session->arena;
  Cx *cx = cx_new(l, "eval", MODE_CHECK);
  Env *env = env_new(cx, NULL, "", "");
  Node **xs = ARENA_ARRAY(a, Node *, ninputs + 1), **out = ARENA_ARRAY(a, Node *, ngrads + 1);
  for (int i = 0; i < ninputs; i++) {
    xs[i] = cx_input(cx, arena_printf(a, "in:%s", inputs[i].name), inputs[i].dtype, inputs[i].shape);
    env_set(cx, env, inputs[i].name, v_tensor(xs[i], e->span));
  }
  Value v = eval_expr(cx, env, e);
  if (v.kind == V_NONE)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "an expression with a value", "a definition");
  Node *n = v.kind == V_FAIL || v.kind == V_NONE ? NULL : value_node(cx, &v);
  if (!n) return NULL;
  graph_output(cx->g, "value", n, -1);
  if (ngrads && n->shape.rank != 0) {
    diag_emit(&cx->s->diags, DIAG_not_scalar, e->span, "an expression with a gradient",
              shape_text(a, n->shape));
    return NULL;
  }
  for (int i = 0; i < ngrads; i++) {
    int k = 0;
    while (k < ninputs && strcmp(inputs[k].name, grads[i])) k++;
    if (k == ninputs || inputs[k].dtype != DT_F32) {
      diag_emit(&cx->s->diags, DIAG_grad_target, e->span,
                arena_printf(a, "a floating-point input: `%s` is none", grads[i]));
      return NULL;
    }
    if (!gradients(cx, n, &xs[k], 1, e->span, &out[i])) return NULL;
    graph_output(cx->g, arena_printf(a, "grad:%s", grads[i]), out[i], -1);
  }
  return prune(cx, cx->g);
}
