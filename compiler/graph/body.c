// Operations with bodies. In: operands, a body; or nodes of one graph and the placeholders that a turn of a
// loop fills. Out: the loop and its results. Holds: a body's inputs are known by position, all of them are
// there, and a body never reads a node of another graph.
#include "ops.h"

LoopParts loop_parts(const Node *loop) {
  LoopParts p = {.turns = loop->attr[0],
                 .carries = (int)loop->attr[1],
                 .slices = (int)loop->attr[2],
                 .stacks = (int)loop->attr[3],
                 .reverse = loop->attr[4] != 0,
                 .end = (LoopEnd)loop->attr[5]};
  p.captures = loop->nin - p.carries - p.slices;
  return p;
}

int loop_held(LoopEnd end) { return end == LOOP_WHILE ? 2 : end == LOOP_MOST ? 3 : 0; }

static bool same_type(const Node *n, DType t, Shape s) { return n->dtype == t && shape_equal(n->shape, s); }

// A body's input that stands for operand k.
static const char *operand_fault(Arena *a, const Node *n, const LoopParts *p, int k) {
  const Node *x = n->in[k], *inside = n->body->inputs.data[k + 1];
  const bool slice = k >= p->carries && k < p->carries + p->slices;
  if (slice && (x->shape.rank == 0 || x->shape.dim[0] != p->turns))
    return arena_printf(a, "operand %d has no slice for each turn", k);
  if (!same_type(inside, x->dtype, slice ? shape_without_first(x->shape) : x->shape))
    return arena_printf(a, "input %d of the body has another type than its operand", k + 1);
  return NULL;
}

// What decides how many turns are made.
static const char *end_fault(const Node *n, const LoopParts *p) {
  const Shape number = {0};
  if (p->end >= LOOP_ENDS) return "it ends in no known way";
  if ((p->end == LOOP_MOST) != (n->name != NULL)) return "only a loop that may end the function has a name";
  if (p->end == LOOP_COUNT)
    return p->captures && same_type(n->in[n->nin - 1], DT_I32, number) ? NULL
                                                                       : "its last capture is no number";
  if (p->end == LOOP_ALL) return NULL;
  if (p->reverse) return "a condition cannot be followed backwards";
  if (p->carries < loop_held(p->end) || !same_type(n->in[0], DT_BOOL, number) ||
      !same_type(n->in[1], DT_I32, number))
    return "it carries no condition and no number of turns";
  if (p->end == LOOP_MOST && (!dtype_is_float(n->in[2]->dtype) || n->in[2]->shape.rank))
    return "it watches no number";
  return NULL;
}

const char *infer_loop(Arena *a, Node *n) {
  const Graph *b = n->body;
  if (!b) return "it has no body";
  if (n->nattr != LOOP_ATTRS || n->attr[0] < 1 || n->attr[0] > INT32_MAX) return "turns are out of range";
  for (int i = 1; i < 4; i++)
    if (n->attr[i] < 0 || n->attr[i] > INT32_MAX) return "a count is negative";
  const LoopParts p = loop_parts(n);
  if (p.captures < 0 || b->inputs.len != n->nin + 1)
    return "the body has other inputs than there are operands";
  if (!same_type(b->inputs.data[0], DT_I32, (Shape){0})) return "the body's first input is the turn's number";
  const char *fault = end_fault(n, &p);
  for (int k = 0; k < n->nin && !fault; k++) fault = operand_fault(a, n, &p, k);
  if (fault) return fault;
  n->nout = p.carries + p.stacks;
  if (b->outputs.len != n->nout || n->nout == 0) return "the body has other outputs than there are results";
  TensorType *out = ARENA_ARRAY(a, TensorType, n->nout);
  for (int k = 0; k < n->nout; k++) {
    const Node *x = b->outputs.data[k].node;
    if (x->dtype == DT_TUPLE) return "an output is no tensor";
    if (k < p.carries && !same_type(x, n->in[k]->dtype, n->in[k]->shape))
      return "a carried value has another type after a turn";
    out[k] = (TensorType){x->dtype, k < p.carries ? x->shape : shape_with_first(p.turns, x->shape)};
    if ((fault = shape_fault(a, out[k].shape))) return fault;
  }
  n->out = out;
  n->dtype = DT_TUPLE;
  n->shape = (Shape){0};
  return NULL;
}

Node *graph_loop(Graph *g, const LoopParts *p, const char *name, Node *const *in, const Graph *body) {
  const int64_t attr[LOOP_ATTRS] = {p->turns, p->carries, p->slices, p->stacks, p->reverse, p->end};
  Node proto = {.op = OP_LOOP,
                .name = name,
                .in = (Node **)in,
                .nin = p->carries + p->slices + p->captures,
                .attr = attr,
                .nattr = LOOP_ATTRS,
                .body = body};
  return node_build(g, &proto);
}

// -- a loop from nodes of one graph

Node *graph_hole(Graph *g, DType t, Shape s) {
  const int64_t key = g->points++;
  Node proto = {.op = OP_HOLE, .dtype = t, .shape = s, .attr = &key, .nattr = 1};
  return node_build(g, &proto);
}

Node *graph_slice_hole(Graph *g, const Node *source) {
  return graph_hole(g, source->dtype, shape_without_first(source->shape));
}

typedef struct Cut {
  Graph *g, *body;
  Arena *scratch;
  const LoopBuild *b;
  int count;    // nodes that are looked at
  bool *inside; // by id: depends on a hole, or is one
  bool *needed; // by id: a turn needs it
  Node **image; // by id: in the body
  VEC(Node *) captured;
} Cut;

static void mark_inside(Cut *c) {
  const LoopBuild *b = c->b;
  if (b->index) c->inside[b->index->id] = true;
  for (int i = 0; i < b->carries; i++) c->inside[b->carry[i]->id] = true;
  for (int i = 0; i < b->slices; i++) c->inside[b->slice[i]->id] = true;
  for (int i = 0; i < c->count; i++) {
    const Node *n = c->g->nodes.data[i];
    for (int k = 0; k < n->nin && !c->inside[i]; k++) c->inside[i] = c->inside[n->in[k]->id];
  }
}

static void mark_needed(Cut *c) {
  const LoopBuild *b = c->b;
  for (int i = 0; i < b->carries; i++) c->needed[b->next[i]->id] = true;
  for (int i = 0; i < b->stacks; i++) c->needed[b->stack[i]->id] = true;
  for (int i = c->count - 1; i >= 0; i--) {
    const Node *n = c->g->nodes.data[i];
    for (int k = 0; c->needed[i] && c->inside[i] && k < n->nin; k++) c->needed[n->in[k]->id] = true;
  }
}

static Node *body_input(Cut *c, const Node *like) {
  c->body->origin = like->origin;
  return graph_input(c->body, arena_printf(c->g->arena, "%d", c->body->inputs.len), like->dtype, like->shape);
}

static bool is_view(const Node *n) {
  return n->op == OP_BROADCAST || n->op == OP_RESHAPE || n->op == OP_TRANSPOSE || n->op == OP_SLICE;
}

// What the body reads of a node outside: a number that is known, or a capture.
static void import(Cut *c, Node *n) {
  double v;
  if (c->inside[n->id] || c->image[n->id]) return;
  if (node_splat(n, &v)) {
    c->image[n->id] = graph_const_typed(c->body, v, n->dtype, n->shape);
    return;
  }
  if (is_view(n)) { // costs nothing inside, memory outside
    import(c, n->in[0]);
    c->image[n->id] = graph_rebuild(c->body, n, (Node *[]){c->image[n->in[0]->id]});
    return;
  }
  vec_push(c->g->arena, c->captured, n);
  c->image[n->id] = body_input(c, n);
}

static void import_all(Cut *c) {
  for (int i = 0; i < c->count; i++) {
    const Node *n = c->g->nodes.data[i];
    for (int k = 0; c->needed[i] && c->inside[i] && k < n->nin; k++) import(c, n->in[k]);
  }
  for (int i = 0; i < c->b->carries; i++) import(c, c->b->next[i]);
  for (int i = 0; i < c->b->stacks; i++) import(c, c->b->stack[i]);
}

static void fill_body(Cut *c) {
  for (int i = 0; i < c->count; i++) {
    const Node *n = c->g->nodes.data[i];
    if (!c->needed[i] || !c->inside[i] || c->image[i]) continue;
    if (n->op == OP_POINT || n->op == OP_MADE) {
      c->image[i] = c->image[n->in[0]->id];
      continue;
    }
    Node **in = ARENA_ARRAY(c->scratch, Node *, n->nin + 1);
    for (int k = 0; k < n->nin; k++) in[k] = c->image[n->in[k]->id];
    c->body->origin = n->origin;
    c->image[i] = graph_rebuild(c->body, n, in);
  }
}

static void body_output(Cut *c, Node *n) {
  graph_output(c->body, arena_printf(c->g->arena, "%d", c->body->outputs.len), n, -1);
}

static bool is_result(const Cut *c, const Node *n) {
  for (int i = 0; i < c->body->outputs.len; i++)
    if (c->body->outputs.data[i].node == n) return true;
  return false;
}

// Is it cheaper to read a value of the turn again than to compute it again?
static bool worth_keeping(const Node *n) { return n->dtype != DT_TUPLE && op_is_step(n->op); }

static void add_outputs(Cut *c) {
  for (int i = 0; i < c->b->carries; i++) body_output(c, c->image[c->b->next[i]->id]);
  for (int i = 0; i < c->b->stacks; i++) body_output(c, c->image[c->b->stack[i]->id]);
  if (c->b->exact) return;
  for (int i = 0; i < c->b->carries; i++) body_output(c, c->image[c->b->carry[i]->id]);
  for (int i = 0; i < c->body->nodes.len && !c->b->carries_only; i++)
    if (worth_keeping(c->body->nodes.data[i]) && !is_result(c, c->body->nodes.data[i]))
      body_output(c, c->body->nodes.data[i]);
}

void graph_build_loop(Graph *g, const LoopBuild *b, Node **parts) {
  Arena *scratch = arena_new();
  Cut c = {.g = g, .body = graph_new(g->arena, "turn"), .scratch = scratch, .b = b, .count = g->nodes.len};
  c.body->doubles = g->doubles;
  c.inside = ARENA_ARRAY(scratch, bool, c.count + 1);
  c.needed = ARENA_ARRAY(scratch, bool, c.count + 1);
  c.image = ARENA_ARRAY(scratch, Node *, c.count + 1);
  mark_inside(&c);
  mark_needed(&c);
  Node *index = graph_input(c.body, "0", DT_I32, (Shape){0});
  if (b->index) c.image[b->index->id] = index;
  for (int i = 0; i < b->carries; i++) c.image[b->carry[i]->id] = body_input(&c, b->carry[i]);
  int slices = 0;
  Node **in = ARENA_ARRAY(scratch, Node *, b->carries + b->slices + c.count + 1);
  for (int i = 0; i < b->carries; i++) in[i] = b->initial[i];
  for (int i = 0; i < b->slices; i++) { // those that a turn reads
    if (!c.needed[b->slice[i]->id]) continue;
    c.image[b->slice[i]->id] = body_input(&c, b->slice[i]);
    in[b->carries + slices++] = b->source[i];
  }
  import_all(&c);
  if (b->end == LOOP_COUNT) {
    vec_push(g->arena, c.captured, b->count);
    body_input(&c, b->count);
  }
  fill_body(&c);
  add_outputs(&c);
  const LoopParts p = {.turns = b->turns,
                       .carries = b->carries,
                       .slices = slices,
                       .captures = c.captured.len,
                       .stacks = c.body->outputs.len - b->carries,
                       .reverse = b->reverse,
                       .end = b->end};
  for (int i = 0; i < c.captured.len; i++) in[b->carries + slices + i] = c.captured.data[i];
  Node *loop = graph_loop(g, &p, b->name, in, c.body);
  for (int i = 0; i < b->carries + b->stacks; i++) parts[i] = graph_part(g, loop, i);
  arena_free(scratch);
}

LoopBuild graph_open_loop(Graph *g, const Node *loop, Node *const *in, Node **known) {
  const LoopParts p = loop_parts(loop);
  const Graph *body = loop->body;
  Arena *a = g->arena;
  LoopBuild b = {.turns = p.turns,
                 .reverse = p.reverse,
                 .carries = p.carries,
                 .slices = p.slices,
                 .stacks = p.stacks,
                 .end = p.end,
                 .name = loop->name};
  if (p.end == LOOP_COUNT) b.count = in[loop->nin - 1];
  Node **image = ARENA_ARRAY(a, Node *, body->nodes.len + 1);
  Node ***lists[] = {&b.carry, &b.initial, &b.next, &b.slice, &b.source, &b.stack};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    *lists[i] = ARENA_ARRAY(a, Node *, p.carries + p.slices + p.stacks + 1);
  for (int i = 0; known && i < body->nodes.len; i++) image[i] = known[i];
  Node **number = &image[body->inputs.data[0]->id];
  if (!*number) *number = b.index = graph_hole(g, DT_I32, (Shape){0});
  for (int k = 0; k < loop->nin; k++) {
    const Node *inside = body->inputs.data[k + 1];
    const bool carry = k < p.carries, slice = !carry && k < p.carries + p.slices;
    Node *x = image[inside->id];
    if (!x) x = carry || slice ? graph_hole(g, inside->dtype, inside->shape) : in[k];
    image[inside->id] = x;
    if (carry) b.carry[k] = x, b.initial[k] = in[k];
    if (slice) b.slice[k - p.carries] = x, b.source[k - p.carries] = in[k];
  }
  graph_fill(g, body, image);
  for (int i = 0; i < p.carries + p.stacks; i++)
    *(i < p.carries ? &b.next[i] : &b.stack[i - p.carries]) = image[body->outputs.data[i].node->id];
  for (int i = 0; known && i < body->nodes.len; i++) known[i] = image[i];
  return b;
}
