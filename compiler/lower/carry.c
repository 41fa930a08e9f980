// `carry`: memory of the loop around it, or of a lane. In: a declaration where a body is elaborated. Out: a
// name whose value is what was assigned to it in the turn before, or in the batch before where the rows of a
// training come in order; at the first one, and where there is neither, its initial value. Holds: the initial
// value may be anything of the turn or batch, and has a gradient.
#include "builtins.h"
#include "loop.h"
#include <string.h>

// Around `e` of `carried(e, from)`: what goes on there from the turn or batch before is that of other rows.
struct FromRows {
  FromRows *outer;
  const Turns *turns; // the loop whose memory is meant, as it stood around the call
  const Value *rows;
  Names taken; // what has these rows by now: a second call goes on with what the first one left
};

// Whether n is made from a hole of the turn that began with node `start`.
static bool of_turn(Cx *cx, const Node *n, int start) {
  bool *inside = ARENA_ARRAY(cx->a, bool, n->id + 1);
  for (int i = start; i <= n->id; i++) {
    const Node *x = cx->g->nodes.data[i];
    inside[i] = x->op == OP_HOLE;
    for (int k = 0; k < x->nin && !inside[i]; k++) inside[i] = inside[x->in[k]->id];
  }
  return inside[n->id];
}

// Whether all elements are one known number.
static bool is_even(const Node *n) {
  while (n->op == OP_BROADCAST || n->op == OP_RESHAPE) n = n->in[0];
  return n->op == OP_CONST && n->ndata == 1;
}

static Node *where_first(Cx *cx, Node *number, Node *first, Node *else_) {
  Node *none = graph_const_typed(cx->g, 0, DT_I32, (Shape){0});
  return graph_select(cx->g, graph_binary(cx->g, OP_EQ, number, none), first, else_);
}

static CarryRef *find_carry(const Turns *t, const char *name) {
  for (int i = 0; i < t->carries.len; i++)
    if (!strcmp(t->carries.data[i]->name, name)) return t->carries.data[i];
  return NULL;
}

bool set_carry(Cx *cx, const char *name, Node *n) {
  for (const Turns *t = cx->turns; t && name; t = t->outer) {
    CarryRef *c = find_carry(t, name);
    if (c) c->node = n;
    if (c) return true;
  }
  return false;
}

// Where it is another row that goes on, x with that row in each place. NULL after a report.
static Node *from_rows(Cx *cx, const char *name, Node *x) {
  FromRows *from = cx->from;
  if (!from || from->turns != cx->turns || x->shape.rank == 0) return x;
  for (int i = 0; i < from->taken.len; i++)
    if (!strcmp(from->taken.data[i], name)) return x;
  vec_push(cx->a, from->taken, name);
  Node *index = counted_value_index(cx, from->rows, x->shape.dim[0], NULL);
  if (!index) return NULL;
  const Shape wanted = {1, {x->shape.dim[0]}};
  if (shape_equal(index->shape, wanted)) return graph_gather(cx->g, x, index);
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_wrong_kind, from->rows->span,
                arena_printf(cx->a, "a row for each of the %lld that are carried", (long long)wanted.dim[0]),
                shape_text(cx->a, index->shape));
  diag_hint(d, "`%s` is %s; its first axis is the rows", name, shape_text(cx->a, x->shape));
  return NULL;
}

Value call_carried(Cx *cx, const Args *a) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, a->at, "`carried`", "behind what it is of");
  diag_hint(d, "it is written around a call, `carried(net(x), rows)`");
  return v_fail();
}

Value eval_carried(Cx *cx, Env *env, const Ast *call) {
  const Ast *e = call_arg(call, "e", 0), *rows = call_arg(call, "from", 1);
  if (!e || !rows || call->nkids != 3) {
    if (call->nkids > 3)
      diag_emit(&cx->s->diags, DIAG_too_many_arguments, call->span, "carried", 2, call->nkids - 1);
    else
      diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "carried", e ? "from" : "e");
    return v_fail();
  }
  const Value from = eval_expr(cx, env, rows);
  if (from.kind == V_FAIL) return from;
  FromRows here = {.outer = cx->from, .turns = cx->turns, .rows = &from};
  cx->from = &here;
  const Value v = eval_expr(cx, env, e);
  cx->from = here.outer;
  return v;
}

// Its value in this turn; NULL after a report.
Node *carry_of_turn(Cx *cx, const char *name, Node *first) {
  Turns *t = cx->turns;
  CarryRef *c = find_carry(t, name);
  if (c) {
    Node *now = from_rows(cx, name, c->node);
    return now ? c->node = now : NULL;
  }
  c = ARENA_NEW(cx->a, CarryRef);
  *c = (CarryRef){.name = name, .node = first};
  vec_push(cx->a, t->carries, c);
  if (t->written) return first;
  c->node = c->hole = graph_hole(cx->g, DT_F32, first->shape);
  c->initial = first;
  c->start = c->node = from_rows(cx, name, c->hole);
  if (!c->node) return NULL;
  const bool same_rows = c->node == c->hole || is_even(first);
  if (same_rows && !of_turn(cx, first, t->start)) return c->node;
  c->initial = graph_const(cx->g, 0, first->shape);
  return c->node = c->start = where_first(cx, t->index, first, c->node);
}

// Its value at the start of the batch. The last batch of a pass may have fewer lanes, the first ones. NULL
// after a report.
static Node *of_lane(Cx *cx, Env *env, const Ast *st, const char *name, Node *first) {
  Shape lanes = first->shape;
  if (lanes.rank == 0 || lanes.dim[0] != cx->batch) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_carry_lanes, st->span, st->name, shape_text(cx->a, lanes),
                        (long long)cx->batch);
    if (cx->at.source) diag_note(d, cx->at, "in this call");
    return NULL;
  }
  lanes.dim[0] = cx->t->batch;
  StateRef *ref = make_state(cx, env, st, name, lanes, &(Initial){0});
  if (!ref) return NULL;
  if (!ref->carry) {
    int64_t from[MAX_RANK] = {0}, step[MAX_RANK];
    for (int i = 0; i < lanes.rank; i++) step[i] = 1;
    Node *kept = graph_slice(cx->g, ref->input, from, first->shape.dim, step);
    kept = from_rows(cx, name, kept);
    if (!kept) return NULL;
    ref->start = where_first(cx, cx_port(cx, REG_SLOT_TURN, 0, "turn", DT_I32, (Shape){0}), first, kept);
    ref->carry = true;
    ref->layer = false; // it belongs to the training
  }
  return ref->start;
}

Value declare_carry(Cx *cx, Env *env, const Ast *st) {
  cx->effects++;
  Shape s;
  env_set(cx, env, st->name, v_fail()); // until it is there, as for a parameter
  if (!declared_shape(cx, env, st->kids[0], true, &s)) return v_fail();
  const Value from = eval_expr(cx, env, st->kids[1]);
  Node *first = from.kind == V_FAIL ? NULL : value_node(cx, &from);
  if (first) first = fitting(cx, first, s, st);
  if (!first) return v_fail();
  const char *name = state_name(cx, env, st);
  const StateRef *before = map_get(&cx->states, name);
  // Of several calls in one batch the first one's counts.
  const bool lane = !cx->turns && cx->t && cx->t->in_order && !cx->view && !cx->loaded &&
                    cx->batch <= cx->t->batch,
             kept = cx->turns ? !cx->turns->apart : lane && !(before && before->assigned);
  Node *n = cx->turns && !cx->turns->apart ? carry_of_turn(cx, name, first)
            : lane                         ? of_lane(cx, env, st, name, first)
                                           : first;
  if (!n) return v_fail();
  Value v = named(cx, v_tensor(n, st->span));
  v.text = kept ? name : NULL;
  env_set(cx, env, st->name, v);
  return (Value){.kind = V_NONE};
}
