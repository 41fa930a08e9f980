// The condition of a `while`. In: its value at the start of a turn, over the holes of what is carried. Out:
// the carried values that the loop reads to end: whether it goes on, how many turns were made, and where the
// run may end there, the left side of the first comparison in the condition. Holds: each is its expression
// over what the turn before left, so the condition is computed once more than there are turns.
#include "loop.h"
#include <string.h>

enum { MOST_SHOWN = 60 };

// What tells how far the loop got.
static const Ast *watched(const Ast *e) {
  if (e->kind == AST_BINARY && e->op >= OPR_LT && e->op <= OPR_NE) return e->kids[0];
  const Ast *found = NULL;
  for (int i = 0; (e->kind == AST_BINARY || e->kind == AST_UNARY) && i < e->nkids && !found; i++)
    found = watched(e->kids[i]);
  return found;
}

static bool scalar_of(const Loop *l, Node *n, const Ast *e, const char *what) {
  if (!n) return false;
  if (n->shape.rank == 0) return true;
  diag_emit(&l->cx->s->diags, DIAG_not_scalar, e->span, what, shape_text(l->cx->a, n->shape));
  return false;
}

bool eval_condition(const Loop *l, Attempt *a) {
  Cx *cx = l->cx;
  const Ast *left = l->exceeds ? watched(l->condition) : NULL;
  const Map counters = cx->counters;
  const int64_t stream = cx->stream;
  if (left) {
    Value v = eval_expr(cx, a->inner, left);
    Node *n = v.kind == V_FAIL ? NULL : value_node(cx, &v);
    if (!scalar_of(l, n, left, "the condition of a `while`")) return false;
    a->watched = n;
  }
  cx->counters = counters; // the same draws and layers once more
  cx->stream = stream;
  Value c = eval_expr(cx, a->inner, l->condition);
  a->goes_on = c.kind == V_FAIL ? NULL : truth(cx, &c);
  if (!scalar_of(l, a->goes_on, l->condition, "the condition of a `while`")) return false;
  if (!a->watched) a->watched = a->goes_on;
  if (a->watched->dtype != DT_F32) a->watched = graph_cast(cx->g, a->watched, DT_F32);
  return true;
}

// A slice that x reads: the first of all, and what the turn after will see.
static void shift_slice(const Loop *l, LoopFrame *f, int k, Nodes *before, Nodes *after) {
  Cx *cx = l->cx;
  Node *source = f->sources.data[k], *first = axis_slice(cx, source, 0, 0, 1), *moved = source;
  if (l->turns > 1)
    moved = graph_concat(cx->g, (Node *[]){axis_slice(cx, source, 0, 1, l->turns), first}, 2, 0);
  vec_push(cx->a, *before, graph_reshape(cx->g, first, f->holes.data[k]->shape));
  vec_push(cx->a, *after, frame_slice(cx, f, moved));
}

// x, which is over the holes of a turn: before the first turn, and after a turn.
static void shifted(const Loop *l, Attempt *a, const LoopBuild *b, Node *x, Node **first, Node **next) {
  Cx *cx = l->cx;
  Nodes holes = {0}, before = {0}, after = {0};
  vec_push(cx->a, holes, a->index);
  vec_push(cx->a, before, graph_const_typed(cx->g, 0, DT_I32, (Shape){0}));
  vec_push(cx->a, after,
           graph_binary(cx->g, OP_ADD, a->index, graph_const_typed(cx->g, 1, DT_I32, (Shape){0})));
  for (int i = 0; i < b->carries; i++) {
    vec_push(cx->a, holes, b->carry[i]);
    vec_push(cx->a, before, b->initial[i]);
    vec_push(cx->a, after, b->next[i]);
  }
  const int slices = a->frame.holes.len;
  for (int k = 0; k < slices; k++) {
    if (!graph_depends(cx->g, x, a->frame.holes.data[k])) continue;
    vec_push(cx->a, holes, a->frame.holes.data[k]);
    shift_slice(l, &a->frame, k, &before, &after);
  }
  *first = graph_substitute(cx->g, x, holes.data, before.data, holes.len);
  *next = graph_substitute(cx->g, x, holes.data, after.data, holes.len);
}

bool hold_condition(const Loop *l, Attempt *a, LoopBuild *b) {
  Cx *cx = l->cx;
  const int held = loop_held(b->end = l->exceeds ? LOOP_MOST : LOOP_WHILE), n = held + b->carries;
  Node **carry = ARENA_ARRAY(cx->a, Node *, n), **initial = ARENA_ARRAY(cx->a, Node *, n),
       **next = ARENA_ARRAY(cx->a, Node *, n);
  shifted(l, a, b, a->goes_on, &initial[0], &next[0]);
  initial[1] = graph_const_typed(cx->g, 0, DT_I32, (Shape){0});
  next[1] = graph_binary(cx->g, OP_ADD, a->index, graph_const_typed(cx->g, 1, DT_I32, (Shape){0}));
  if (l->exceeds) {
    shifted(l, a, b, a->watched, &initial[2], &next[2]);
    const Ast *left = watched(l->condition);
    const char *text = source_text(cx, (left ? left : l->condition)->span);
    if (strlen(text) > MOST_SHOWN) text = "its condition";
    b->name = arena_printf(cx->a, "%s: after %lld turns `%s`", run_place(cx, l->e->span), (long long)l->turns,
                           text);
  }
  for (int i = 0; i < held; i++) carry[i] = graph_hole(cx->g, initial[i]->dtype, initial[i]->shape);
  for (int i = 0; i < b->carries; i++)
    carry[held + i] = b->carry[i], initial[held + i] = b->initial[i], next[held + i] = b->next[i];
  b->carry = carry, b->initial = initial, b->next = next;
  b->carries = n;
  b->slices = a->frame.holes.len;
  b->slice = a->frame.holes.data;
  b->source = a->frame.sources.data;
  return true;
}
