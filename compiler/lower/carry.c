// `carry`: memory of the loop around it, or of a lane. In: a declaration where a body is elaborated. Out: a
// name whose value is what was assigned to it in the turn before, or in the batch before where the rows of a
// training come in order; at the first one, and where there is neither, its initial value. Holds: the initial
// value may be anything of the turn or batch, and has a gradient.
#include "loop.h"
#include <string.h>

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

// Its value in this turn.
Node *carry_of_turn(Cx *cx, const char *name, Node *first) {
  Turns *t = cx->turns;
  CarryRef *c = find_carry(t, name);
  if (c) return c->node;
  c = ARENA_NEW(cx->a, CarryRef);
  *c = (CarryRef){.name = name, .node = first};
  vec_push(cx->a, t->carries, c);
  if (t->written) return first;
  c->node = c->hole = graph_hole(cx->g, DT_F32, first->shape);
  c->initial = first;
  c->start = c->node;
  if (!of_turn(cx, first, t->start)) return c->node;
  c->initial = graph_const(cx->g, 0, first->shape);
  return c->node = c->start = where_first(cx, t->index, first, c->hole);
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
  if (!declared_shape(cx, env, st->kids[0], &s)) return v_fail();
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
