// Loops and `each`. In: a block and how often it runs. Out: the values that names have afterwards, and what
// the turns gave, stacked. Holds: a name of the surrounding body that a turn binds again is carried to the
// next turn, and so is a state; all other names end with their turn. A few turns are written out; more of
// them are one LOOP of the graph, whose body is elaborated once, with holes for what changes from turn to
// turn.
#include "loop.h"
#include <string.h>

enum { WRITTEN_OUT = 8 };

// -- slices

Node *frame_slice(Cx *cx, LoopFrame *f, Node *source) {
  Node *hole = graph_slice_hole(cx->g, source);
  vec_push(cx->a, f->holes, hole);
  vec_push(cx->a, f->sources, source);
  return hole;
}

Node *frame_slices(Cx *cx, LoopFrame *f, Node *whole) {
  return f ? frame_slice(cx, f, frame_slices(cx, f->outer, whole)) : whole;
}

Shape frame_shape(const LoopFrame *f, Shape s) {
  if (!f) return s;
  return s.rank < MAX_RANK ? frame_shape(f->outer, shape_with_first(f->turns, s))
                           : (Shape){.rank = s.rank + 1, .dim = {f->turns}};
}

// -- values as tensors in order, and back

static bool is_carried_kind(const Value *v) {
  switch (v->kind) {
  case V_NUM: return v->unit <= UNIT_PERCENT || v->unit == UNIT_STEPS;
  case V_BOOL:
  case V_TENSOR:
  case V_LIST:
  case V_FIELD:
  case V_TREE:
  case V_TUPLE: return true;
  default: return false;
  }
}

static bool flatten(Cx *cx, const Value *v, Nodes *out, DimsList *dims) {
  if (v->kind == V_TREE || v->kind == V_MODEL) {
    const Tree *t = tree_of(cx, v);
    for (int i = 0; i < t->n; i++) {
      vec_push(cx->a, *out, t->leaf[i].node);
      vec_push(cx->a, *dims, NULL);
    }
    return true;
  }
  for (int i = 0; v->kind == V_TUPLE && i < v->nitems; i++)
    if (!flatten(cx, &v->items[i], out, dims)) return false;
  if (v->kind == V_TUPLE) return true;
  Node *n = counted_node(cx, v);
  if (!n) return false;
  vec_push(cx->a, *out, n);
  vec_push(cx->a, *dims, is_counted(cx, v) ? value_dims(cx, v) : NULL);
  return true;
}

// Whether two tensors have the same counts, where their axes meet from the last on.
static bool same_counts(Dims a, Shape sa, Dims b, Shape sb) {
  for (int i = 1; i <= sa.rank || i <= sb.rank; i++) {
    const Dim *x = i <= sa.rank ? dim_of(a, sa.rank - i) : NULL,
              *y = i <= sb.rank ? dim_of(b, sb.rank - i) : NULL;
    const int64_t nx = i <= sa.rank ? sa.dim[sa.rank - i] : 1, ny = i <= sb.rank ? sb.dim[sb.rank - i] : 1;
    if (((x && x->count) || (y && y->count)) && !dims_meet(x, nx, y, ny)) return false;
  }
  return true;
}

// The value of like's form whose tensors are nodes[*at], ...
static Value rebuilt(Cx *cx, const Value *like, Node *const *nodes, Dims const *dims, int *at) {
  if (like->kind == V_TREE || like->kind == V_MODEL) {
    const Tree *from = tree_of(cx, like);
    Tree *t = tree_new(cx, from->n);
    for (int i = 0; i < t->n; i++) t->leaf[i] = (Leaf){from->leaf[i].path, nodes[(*at)++]};
    return v_tree(t, like->span);
  }
  if (like->kind == V_TUPLE) {
    Value v = *like;
    v.items = ARENA_ARRAY(cx->a, Value, v.nitems + 1);
    for (int i = 0; i < v.nitems; i++) v.items[i] = rebuilt(cx, &like->items[i], nodes, dims, at);
    return v;
  }
  Value v = v_tensor(nodes[*at], like->span);
  v.dims = dims[(*at)++];
  if (like->kind == V_TENSOR) v.text = like->text;
  return v;
}

// -- what a block binds

static void add_name(Cx *cx, const Env *env, const char *name, Names *out) {
  const Value *v = env_get(env, name);
  bool known = !v || v->kind == V_FAIL;
  for (int i = 0; i < out->len && !known; i++) known = !strcmp(out->data[i], name);
  if (!known) vec_push(cx->a, *out, name);
}

void bound_again(Cx *cx, const Env *env, const Ast *e, Names *out) {
  if (!e) return;
  if (e->kind == AST_BIND || e->kind == AST_ASSIGN) add_name(cx, env, e->name, out);
  for (int i = 0; e->kind == AST_UNPACK && i < e->kids[0]->nkids; i++)
    add_name(cx, env, e->kids[0]->kids[i]->name, out);
  for (int i = 0; i < e->nkids; i++) bound_again(cx, env, e->kids[i], out);
}

// -- one loop

// Automatic names of layers start again in each turn: the turns share their parameters.
static Map copied(Cx *cx, const Map *m) {
  Map out;
  map_init(&out, cx->a);
  for (int i = 0; i < m->len; i++) map_put(&out, m->entries[i].key, m->entries[i].value);
  return out;
}

static Env *turn_env(const Loop *l) { return env_new(l->cx, l->env, l->env->path, l->env->def); }

static Value run_turn(const Loop *l, Env *inner) {
  if (l->e->kind == AST_LEAST) return least_turn(l, inner);
  return l->body->kind == AST_BLOCK ? eval_block(l->cx, inner, l->body) : eval_expr(l->cx, inner, l->body);
}

// Over rows of different lengths the first axis of a turn's value is the rows, where nothing else is known.
static void know_rows(const Dim *over, Shape turn, const Dim **dims, int first) {
  for (int k = 0; k <= turn.rank; k++)
    if (dim_relation(dims[k], over->each) == DIM_SAME) return;
  if (turn.rank && turn.dim[0] == over->count->shape.dim[0] &&
      dim_relation(dims[first], over->each) != DIM_OTHER)
    dims[first] = over->each;
}

// What the turns gave, one of the form of `one`: along the first axis, which is moved to where the loop's
// slices came from. `over`: what this axis is.
static Value stacked(const Loop *l, const Value *one, Node *const *nodes, const Dim *over) {
  Cx *cx = l->cx;
  Nodes moved = {0}, like = {0};
  DimsList turn = {0}, all = {0};
  if (!flatten(cx, one, &like, &turn)) return v_fail();
  for (int i = 0; i < like.len; i++) {
    const int rank = nodes[i]->shape.rank, axis = l->axis < rank ? l->axis : 0;
    const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, rank + 1);
    const Dims of = like.len == 1 && over && over->each ? value_dims(cx, one) : turn.data[i];
    for (int k = 0; k < rank; k++) dims[k] = k == axis ? over : dim_of(of, k - (k > axis));
    if (over && over->each) know_rows(over, like.data[i]->shape, dims, axis == 0);
    vec_push(cx->a, moved, axis_moved(cx, nodes[i], 0, axis));
    vec_push(cx->a, all, dims);
  }
  int at = 0;
  Value v = rebuilt(cx, one, moved.data, all.data, &at);
  v.text = NULL;
  return v;
}

static Value refuse_turn(const Loop *l, Dims dims, Shape s) {
  refuse_counted(l->cx, "the value of a turn", dims, s,
                 "each turn would have a length of its own: take a sum or a mean of it in the turn",
                 l->e->span);
  return v_fail();
}

// -- written out

static void set_slice(const Loop *l, Env *inner, int i, Node *n) {
  Value v = v_tensor(n, l->e->span);
  v.dims = l->slice_dims[i];
  env_set(l->cx, inner, l->names->kids[i]->name, named(l->cx, v));
}

static Node *element(const Loop *l, Node *source, int64_t turn) {
  return graph_reshape(l->cx->g, axis_slice(l->cx, source, 0, turn, turn + 1),
                       shape_without_first(source->shape));
}

static Value turn_by_turn(Loop *l) {
  Cx *cx = l->cx;
  const Map counters = cx->counters;
  Nodes *results = ARENA_ARRAY(cx->a, Nodes, l->turns + 1);
  DimsList *dims = ARENA_ARRAY(cx->a, DimsList, l->turns + 1);
  Value last = {.kind = V_NONE, .span = l->e->span};
  for (int64_t turn = 0; turn < l->turns; turn++) {
    if (!may_go_on(cx, l->e->span, 1)) return v_fail();
    cx->counters = copied(cx, &counters);
    Env *inner = turn_env(l);
    if (l->index) env_set(cx, inner, l->index, v_num((double)turn, l->e->span));
    for (int i = 0; l->names && i < l->names->nkids; i++)
      set_slice(l, inner, i, element(l, l->sources[i], turn));
    last = run_turn(l, inner);
    if (last.kind == V_FAIL) return v_fail();
    for (int i = 0; i < l->carried.len; i++) {
      const Value *v = map_get(&inner->names, l->carried.data[i]);
      Value kept = v ? *v : v_fail();
      kept.inside = NULL; // as behind a loop of the graph
      if (v) env_set(cx, l->env, l->carried.data[i], kept);
    }
    if (last.kind != V_NONE && !flatten(cx, &last, &results[turn], &dims[turn])) return v_fail();
    if (results[turn].len != results[0].len) return v_fail();
  }
  if (last.kind == V_NONE) return (Value){.kind = V_NONE, .span = l->e->span};
  Nodes all = {0};
  for (int k = 0; k < results[0].len; k++) {
    Node **parts = ARENA_ARRAY(cx->a, Node *, l->turns + 1);
    const Shape one = results[0].data[k]->shape;
    if (!rank_fits(cx, one.rank + 1, l->e->span)) return v_fail();
    for (int64_t turn = 0; turn < l->turns; turn++) {
      Node *n = results[turn].data[k];
      Node *first = results[0].data[k];
      if (!shape_equal(n->shape, first->shape)) {
        diag_emit(&cx->s->diags, DIAG_shape_mismatch, l->e->span, "the values of two turns",
                  shape_text(cx->a, first->shape), shape_text(cx->a, n->shape));
        return v_fail();
      }
      if (!same_counts(dims[0].data[k], first->shape, dims[turn].data[k], n->shape))
        return refuse_turn(l, dims[turn].data[k], n->shape);
      parts[turn] = n;
    }
    common_floats(cx, parts, (int)l->turns);
    for (int64_t turn = 0; turn < l->turns; turn++)
      parts[turn] = graph_reshape(cx->g, parts[turn], shape_with_first(1, one));
    vec_push(cx->a, all, graph_concat(cx->g, parts, (int)l->turns, 0));
  }
  return stacked(l, &last, all.data, l->over);
}

static Value written_out(Loop *l) {
  Turns turns = {.outer = l->cx->turns, .apart = l->apart, .written = true};
  l->cx->turns = &turns;
  const Value v = turn_by_turn(l);
  l->cx->turns = turns.outer;
  return v;
}

// -- no turn

static bool gives_value(const Ast *body) {
  if (body->kind != AST_BLOCK) return true;
  const AstKind last = body->nkids ? body->kids[body->nkids - 1]->kind : AST_BIND;
  return last != AST_BIND && last != AST_UNPACK && last != AST_ASSIGN;
}

// Of one turn, which is not made, the values; of these none.
static Value without_turns(Loop *l) {
  Cx *cx = l->cx;
  if (!gives_value(l->body) || l->e->kind == AST_LEAST) return (Value){.kind = V_NONE, .span = l->e->span};
  const Map counters = cx->counters;
  const int64_t stream = cx->stream;
  const States before = states_now(cx);
  Turns turns = {.outer = cx->turns, .apart = l->apart, .written = true};
  cx->counters = copied(cx, &counters);
  cx->turns = &turns;
  Env *inner = turn_env(l);
  if (l->index) env_set(cx, inner, l->index, v_num(0, l->e->span));
  for (int i = 0; l->names && i < l->names->nkids; i++) {
    Node *x = l->sources[i];
    Node *zero = graph_const_typed(cx->g, 0, x->dtype, shape_without_first(x->shape));
    set_slice(l, inner, i, graph_made(cx->g, zero, x));
  }
  const Value one = run_turn(l, inner);
  cx->turns = turns.outer;
  cx->counters = counters;
  cx->stream = stream;
  set_states(cx, &before);
  Nodes nodes = {0};
  DimsList dims = {0};
  if (one.kind == V_FAIL || one.kind == V_NONE) return one;
  if (!flatten(cx, &one, &nodes, &dims)) return v_fail();
  for (int i = 0; i < nodes.len; i++) {
    Node *n = nodes.data[i];
    if (!rank_fits(cx, n->shape.rank + 1, l->e->span)) return v_fail();
    nodes.data[i] = graph_rows(cx->g, graph_reshape(cx->g, n, shape_with_first(1, n->shape)), 0, 0);
  }
  return stacked(l, &one, nodes.data, l->over);
}

// -- as a loop of the graph

static void set_carried(const Loop *l, Env *env, Node *const *nodes) {
  int at = 0;
  for (int i = 0; i < l->carried.len; i++) {
    Value v = rebuilt(l->cx, env_get(l->env, l->carried.data[i]), nodes, l->dims.data, &at);
    env_set(l->cx, env, l->carried.data[i], named(l->cx, v));
    for (int k = 0; v.kind == V_TREE && k < v.tree->n; k++)
      set_state(l->cx, v.tree->leaf[k].path, v.tree->leaf[k].node);
    if (v.kind == V_TENSOR && v.text) set_state(l->cx, v.text, v.node);
  }
  for (int i = 0; i < l->states.len; i++) l->states.data[i]->node = nodes[at++];
}

// Elaborates the body once, with holes. False after a report.
static bool attempt(Loop *l, Attempt *a) {
  Cx *cx = l->cx;
  *a = (Attempt){.frame = {.outer = cx->frame, .turns = l->turns}, .inner = turn_env(l)};
  a->turns = (Turns){.outer = cx->turns, .apart = l->apart, .start = cx->g->nodes.len};
  cx->frame = &a->frame;
  cx->turns = &a->turns;
  for (int i = 0; i < l->initial.len; i++)
    vec_push(cx->a, a->holes, graph_hole(cx->g, l->initial.data[i]->dtype, l->initial.data[i]->shape));
  for (int i = 0; i < l->states.len; i++)
    vec_push(cx->a, a->holes, graph_hole(cx->g, DT_F32, l->states.data[i]->shape));
  set_carried(l, a->inner, a->holes.data);
  a->index = a->turns.index = graph_hole(cx->g, DT_I32, (Shape){0});
  if (l->index) {
    Value number = v_tensor(a->index, l->e->span);
    number.classes = l->turns;
    env_set(cx, a->inner, l->index, number);
  }
  for (int i = 0; l->names && i < l->names->nkids; i++) {
    set_slice(l, a->inner, i, frame_slice(cx, &a->frame, l->sources[i]));
  }
  a->value = !l->condition || eval_condition(l, a) ? run_turn(l, a->inner) : v_fail();
  cx->frame = a->frame.outer;
  cx->turns = a->turns.outer;
  return a->value.kind != V_FAIL;
}

// States that the turn assigned and that are not carried yet.
static bool new_states(Loop *l, const States *before) {
  bool found = false;
  for (int i = 0; i < l->cx->states.len; i++) {
    StateRef *ref = l->cx->states.entries[i].value;
    bool carried = ref->node == state_of(l->cx, before, i);
    for (int k = 0; k < l->states.len && !carried; k++) carried = l->states.data[k] == ref;
    for (int k = 0; k < l->carried.len && !carried; k++) {
      const Value *v = env_get(l->env, l->carried.data[k]);
      carried = v->kind == V_TENSOR && v->text && !strcmp(v->text, ref->name);
      for (int j = 0; v->kind == V_TREE && j < v->tree->n && !carried; j++)
        carried = !strcmp(v->tree->leaf[j].path, ref->name);
    }
    if (carried) continue;
    vec_push(l->cx->a, l->states, ref);
    found = true;
  }
  return found;
}

// Whether how many elements of a tensor are there is found out in a turn: no other turn has the same.
static bool made_in_turn(Cx *cx, const Attempt *a, Dims dims, int rank) {
  bool found = false;
  for (int i = 0; i < rank && !found; i++) {
    const Node *count = dim_of(dims, i) ? dims[i]->count : NULL;
    found = count && graph_depends(cx->g, count, a->index);
    for (int k = 0; count && k < a->holes.len && !found; k++)
      found = graph_depends(cx->g, count, a->holes.data[k]);
    for (int k = 0; count && k < a->frame.holes.len && !found; k++)
      found = graph_depends(cx->g, count, a->frame.holes.data[k]);
  }
  return found;
}

// Over rows of different lengths a row that has ended keeps what it has. `of`: what the turn leaves, whose
// rows are found by what its axes are, else they are the first.
static Node *held_back(const Loop *l, const Attempt *a, Node *next, Dims dims, Node *before) {
  const Dim *d = l->over;
  int axis = -1;
  if (!d || !d->each) return next;
  for (int i = 0; i < next->shape.rank; i++)
    if (axis < 0 && dim_relation(dim_of(dims, i), d->each) == DIM_SAME) axis = i;
  if (axis < 0 && next->shape.rank && next->shape.dim[0] == d->count->shape.dim[0]) axis = 0;
  if (axis >= 0)
    return graph_select(l->cx->g, each_there(l->cx, d, a->index, next->shape, axis), next, before);
  refuse_counted(l->cx, "what goes on from turn to turn", dims, next->shape,
                 "the turns go over rows of different lengths, and it has no rows", l->e->span);
  return next;
}

// What the turn leaves of each carried name, in the type of its hole. `again`: an initial value was given
// another type or shape, so that the turn has to be elaborated anew. False after a report.
static bool collect_next(Loop *l, Attempt *a, bool *again) {
  Cx *cx = l->cx;
  int at = 0;
  for (int i = 0; i < l->carried.len; i++) {
    const char *name = l->carried.data[i];
    const Value *before = env_get(l->env, name), *after = map_get(&a->inner->names, name);
    Nodes was = {0}, now = {0};
    DimsList had = {0}, has = {0};
    if (!flatten(cx, before, &was, &had) || !flatten(cx, after, &now, &has)) return false;
    bool fits = was.len == now.len, lengths = false;
    for (int k = 0; k < now.len && fits; k++, at++) {
      Node *hole = a->holes.data[at], *n = now.data[k];
      if (n->dtype != hole->dtype && hole->dtype == DT_F32) n = graph_cast(cx->g, n, DT_F32);
      Shape whole;
      fits = shape_broadcast(hole->shape, n->shape, &whole) &&
             (shape_equal(whole, hole->shape) || (shape_equal(whole, n->shape) && hole->shape.rank == 0));
      const bool grows = fits && !shape_equal(whole, hole->shape);
      lengths = fits && (made_in_turn(cx, a, has.data[k], n->shape.rank) ||
                         (!grows && !same_counts(l->dims.data[at], hole->shape, has.data[k], n->shape)));
      fits = fits && !lengths;
      if (!fits) break;
      if (grows) l->dims.data[at] = has.data[k];
      if (n->dtype != hole->dtype ||
          !shape_equal(whole, hole->shape)) { // a number that grows, an index that becomes a number
        Node *first = l->initial.data[at];
        if (n->dtype != hole->dtype && first->dtype != DT_F32) first = graph_cast(cx->g, first, DT_F32);
        l->initial.data[at] = graph_broadcast_to(cx->g, first, whole);
        *again = true;
      }
      n = graph_broadcast_to(cx->g, n, whole);
      if (shape_equal(whole, hole->shape) && n->dtype == hole->dtype)
        n = held_back(l, a, n, now.len == 1 ? value_dims(cx, after) : NULL, hole);
      vec_push(cx->a, a->next, n);
    }
    if (fits) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_loop_carry, l->e->span, name, value_text(cx, before),
                        value_text(cx, after));
    if (lengths)
      diag_hint(
          d, "a name that a turn binds again keeps its length, and what a turn picks has another one: bind "
             "another name, or keep the rows and a condition for them");
    else
      diag_hint(d, "a name that a turn binds again keeps its shape; bind another name in the loop, or start "
                   "with the right shape");
    return false;
  }
  if (l->states.len && l->over && l->over->each) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, l->e->span, "a state that turns assign",
                        "in turns over rows of different lengths");
    diag_hint(d, "rows that have ended would go on changing it");
    return false;
  }
  for (int i = 0; i < l->states.len; i++) vec_push(cx->a, a->next, l->states.data[i]->node);
  return true;
}

// As many as are there; where each row has a length, as the longest one has.
static Node *turns_made(const Loop *l) {
  Graph *g = l->cx->g;
  if (!l->over->each) return count_index(l->cx, l->over);
  Node *longest = graph_reduce_all(g, OP_RMAX, graph_cast(g, l->over->count, DT_F32));
  return graph_cast(g, longest, DT_I32);
}

static Value as_loop(Loop *l) {
  Cx *cx = l->cx;
  const Map counters = cx->counters;
  const int64_t stream = cx->stream;
  const States before = states_now(cx);
  for (int i = 0; i < l->carried.len; i++) {
    Nodes nodes = {0};
    if (!flatten(cx, env_get(l->env, l->carried.data[i]), &nodes, &l->dims)) return v_fail();
    for (int k = 0; k < nodes.len; k++)
      vec_push(cx->a, l->initial,
               nodes.data[k]->dtype == DT_F64 ? graph_cast(cx->g, nodes.data[k], DT_F32) : nodes.data[k]);
  }
  Attempt a;
  for (bool again = true; again;) {
    again = false;
    cx->counters = copied(cx, &counters);
    cx->stream = stream;
    if (!attempt(l, &a) || !collect_next(l, &a, &again)) return v_fail();
    again |= new_states(l, &before);
    set_states(cx, &before);
  }
  Nodes initial = l->initial, stacks = {0};
  for (int i = 0; i < l->states.len; i++) vec_push(cx->a, initial, l->states.data[i]->node);
  for (int i = 0; i < a.turns.carries.len; i++) {
    const CarryRef *c = a.turns.carries.data[i];
    vec_push(cx->a, a.holes, c->hole);
    vec_push(cx->a, a.next, held_back(l, &a, c->node, NULL, c->start));
    vec_push(cx->a, initial, c->initial);
  }
  const bool gives = a.value.kind != V_NONE;
  DimsList dims = {0};
  if (gives && !flatten(cx, &a.value, &stacks, &dims)) return v_fail();
  for (int i = 0; i < stacks.len; i++) {
    if (made_in_turn(cx, &a, dims.data[i], stacks.data[i]->shape.rank))
      return refuse_turn(l, dims.data[i], stacks.data[i]->shape);
    if (!rank_fits(cx, stacks.data[i]->shape.rank + 1, l->e->span)) return v_fail();
    if (stacks.data[i]->dtype == DT_F64) stacks.data[i] = graph_cast(cx->g, stacks.data[i], DT_F32);
  }
  if (a.next.len + stacks.len == 0) return (Value){.kind = V_NONE, .span = l->e->span};
  LoopBuild b = {.turns = l->turns,
                 .index = a.index,
                 .carries = a.next.len,
                 .carry = a.holes.data,
                 .initial = initial.data,
                 .next = a.next.data,
                 .slices = a.frame.holes.len,
                 .slice = a.frame.holes.data,
                 .source = a.frame.sources.data,
                 .stacks = stacks.len,
                 .stack = stacks.data};
  if (l->over && l->over->count) b.end = LOOP_COUNT, b.count = turns_made(l);
  if (l->condition && !hold_condition(l, &a, &b)) return v_fail();
  Node **parts = ARENA_ARRAY(cx->a, Node *, b.carries + b.stacks + 1);
  graph_build_long_loop(cx->g, &b, LOOP_STACKED_BYTES, parts);
  set_carried(l, l->env, parts + loop_held(b.end));
  if (!gives) return (Value){.kind = V_NONE, .span = l->e->span};
  const Dim *over = l->over;
  if (l->condition) over = counted_dim(cx, graph_cast(cx->g, parts[1], DT_F64), l->turns, l->e->span);
  return stacked(l, &a.value, parts + b.carries, over);
}

// A name that turns bind again must be a value that a turn can hand on. False after a report.
static bool can_carry(const Loop *l) {
  Cx *cx = l->cx;
  for (int i = 0; i < l->carried.len; i++) {
    const Value *v = env_get(l->env, l->carried.data[i]);
    if (is_carried_kind(v)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_loop_carry, l->e->span, l->carried.data[i], value_text(cx, v),
                        "bound again");
    diag_hint(
        d, "numbers, tensors, trees and tuples are carried from turn to turn; bind another name in the loop");
    return false;
  }
  return true;
}

Value run_loop(Loop *l) {
  bound_again(l->cx, l->env, l->body, &l->carried);
  if (!can_carry(l)) return v_fail();
  l->cx->effects++;
  if (l->condition) return l->turns ? as_loop(l) : (Value){.kind = V_NONE, .span = l->e->span};
  if (!l->turns) return without_turns(l);
  return l->turns <= WRITTEN_OUT && !(l->over && l->over->count) ? written_out(l) : as_loop(l);
}
