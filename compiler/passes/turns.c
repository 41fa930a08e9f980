// In: a graph. Out: one whose loops carry and stack only what is read, and do in their turns only what
// changes: what does not depend on the turn is computed before, what stays the same from turn to turn is no
// carried value, and a product of each slice with one matrix is a product of all slices, before the loop or,
// where only its results are wanted, behind it. A stack of slices is what they are slices of.
#include "../graph/ops.h"
#include "all.h"

typedef struct Turns {
  const Rewrite *r;
  const Node *loop; // with its body rewritten
  LoopParts p;
  bool *used; // results that are read
} Turns;

static void mark_used(Turns *t) {
  for (int k = 0; k < loop_held(t->p.end); k++) t->used[k] = true;
  for (int i = 0; i < t->r->from->nodes.len; i++) {
    const Node *n = t->r->from->nodes.data[i];
    if (n->op == OP_PART && t->r->uses[i] && n->in[0]->id == t->loop->id) t->used[n->attr[0]] = true;
  }
}

// Carried values that used results need, found turn by turn.
static void mark_carries(Turns *t, Arena *scratch) {
  const Graph *b = t->loop->body;
  for (bool more = true; more;) {
    more = false;
    bool *needed = ARENA_ARRAY(scratch, bool, b->nodes.len + 1);
    for (int k = 0; k < t->loop->nout; k++)
      if (t->used[k]) needed[b->outputs.data[k].node->id] = true;
    for (int i = b->nodes.len - 1; i >= 0; i--)
      for (int k = 0; needed[i] && k < b->nodes.data[i]->nin; k++) needed[b->nodes.data[i]->in[k]->id] = true;
    for (int k = 0; k < t->p.carries; k++)
      if (needed[b->inputs.data[k + 1]->id] && !t->used[k]) t->used[k] = more = true;
  }
}

static bool stays(const Turns *t, int carry) {
  return carry >= loop_held(t->p.end) &&
         t->loop->body->outputs.data[carry].node == t->loop->body->inputs.data[carry + 1];
}

// Nodes of the turn in the graph around it: products of a slice with what does not change become slices of
// products.
static void take_products_out(Graph *g, LoopBuild *b, Node **known, const Node *loop, Node *const *in) {
  const LoopParts p = loop_parts(loop);
  const Graph *body = loop->body;
  for (int i = 0; i < body->nodes.len; i++) {
    const Node *n = body->nodes.data[i];
    if (n->op != OP_MATMUL || n->shape.rank != 2) continue;
    bool turned = n->in[1]->op == OP_TRANSPOSE;
    const Node *left = n->in[0], *right = turned ? n->in[1]->in[0] : n->in[1];
    if (left->op != OP_INPUT || right->op != OP_INPUT) continue;
    const int64_t x = left->attr[0] - 1, y = right->attr[0] - 1;
    const bool slice = x >= p.carries && x < p.carries + p.slices, capture = y >= p.carries + p.slices;
    if (!slice || !capture) continue;
    const Shape s = in[x]->shape, out = n->shape;
    Node *rows = graph_reshape(g, in[x], shape_of(2, s.dim[0] * s.dim[1], s.dim[2]));
    Node *all = graph_reshape(g, graph_matmul(g, rows, turned ? graph_swap(g, in[y]) : in[y]),
                              shape_of(3, s.dim[0], out.dim[0], out.dim[1]));
    b->slice[b->slices] = known[i] = graph_slice_hole(g, all);
    b->source[b->slices++] = all;
  }
}

// What a stack is made of behind the loop: `all`, or what was stacked at a place, and that times `right`.
typedef struct Stacked {
  Node *all, *right;
  int at;
} Stacked;

static Node *source_of(const LoopBuild *b, const Node *slice) {
  for (int i = 0; i < b->slices; i++)
    if (b->slice[i] == slice) return b->source[i];
  return NULL;
}

// Is n, a result of the turn, read there too?
static bool read_inside(const Turns *t, int result) {
  const Graph *b = t->loop->body;
  const Node *n = b->outputs.data[result].node;
  bool read = false;
  for (int k = 0; k < t->loop->nout; k++) read |= k != result && b->outputs.data[k].node == n;
  for (int i = n->id + 1; i < b->nodes.len && !read; i++)
    for (int k = 0; k < b->nodes.data[i]->nin; k++) read |= b->nodes.data[i]->in[k] == n;
  return read;
}

// `before`: as many nodes are outside of the turn.
static bool is_outside(const Node *n, int before) {
  return n->id < before || (n->op == OP_TRANSPOSE && n->in[0]->id < before);
}

static Stacked stack_up(const Turns *t, LoopBuild *kept, int k, Node *n, int before) {
  Stacked s = {.all = source_of(kept, n)};
  const bool product = n->op == OP_MATMUL && n->shape.rank == 2 && is_outside(n->in[1], before) &&
                       !is_outside(n->in[0], before) && !read_inside(t, t->p.carries + k);
  if (s.all) return s;
  if (product) {
    s.right = n->in[1];
    s.all = source_of(kept, n = n->in[0]);
  }
  while (!s.all && s.at < kept->stacks && kept->stack[s.at] != n) s.at++;
  if (!s.all && s.at == kept->stacks) kept->stack[kept->stacks++] = n;
  return s;
}

static Node *stacked(Graph *g, const Stacked *s, Node *const *stacks) {
  Node *all = s->all ? s->all : stacks[s->at];
  if (!s->right) return all;
  const Shape a = all->shape;
  Node *rows = graph_reshape(g, all, shape_of(2, a.dim[0] * a.dim[1], a.dim[2]));
  return graph_reshape(g, graph_matmul(g, rows, s->right),
                       shape_of(3, a.dim[0], a.dim[1], s->right->shape.dim[1]));
}

static Node *narrow(const Rewrite *r) {
  if (r->old->op != OP_LOOP) return NULL;
  Graph *g = r->g;
  Turns t = {r, r->old, loop_parts(r->old), ARENA_ARRAY(g->arena, bool, r->old->nout + 1)};
  mark_used(&t);
  Arena *scratch = arena_new();
  mark_carries(&t, scratch);
  arena_free(scratch);
  const Graph *body = t.loop->body;
  Node **known = ARENA_ARRAY(g->arena, Node *, body->nodes.len + 1);
  for (int k = 0; k < t.p.carries; k++)
    if (stays(&t, k)) known[body->inputs.data[k + 1]->id] = r->in[k];
  LoopBuild more = {.slice = ARENA_ARRAY(g->arena, Node *, body->nodes.len + 1),
                    .source = ARENA_ARRAY(g->arena, Node *, body->nodes.len + 1)};
  if (t.p.end == LOOP_ALL) take_products_out(g, &more, known, t.loop, r->in);
  const int before = g->nodes.len;
  LoopBuild b = graph_open_loop(g, t.loop, r->in, known), kept = b;
  kept.exact = true;
  kept.carries = kept.stacks = 0;
  for (int k = 0; k < t.p.carries; k++) {
    if (!t.used[k] || stays(&t, k)) continue;
    kept.carry[kept.carries] = b.carry[k];
    kept.initial[kept.carries] = b.initial[k];
    kept.next[kept.carries++] = b.next[k];
  }
  for (int k = 0; k < b.slices; k++) {
    more.slice[more.slices] = b.slice[k];
    more.source[more.slices++] = b.source[k];
  }
  kept.slices = more.slices, kept.slice = more.slice, kept.source = more.source;
  kept.stack = ARENA_ARRAY(g->arena, Node *, t.p.stacks + 1);
  Stacked *stacks = ARENA_ARRAY(g->arena, Stacked, t.p.stacks + 1);
  for (int k = 0; k < t.p.stacks; k++) {
    if (!t.used[t.p.carries + k]) continue;
    if (t.p.end == LOOP_ALL)
      stacks[k] = stack_up(&t, &kept, k, b.stack[k], before);
    else
      stacks[k].at = kept.stacks, kept.stack[kept.stacks++] = b.stack[k];
  }
  Node **made = ARENA_ARRAY(g->arena, Node *, kept.carries + kept.stacks + 1);
  Node **parts = r->parts[t.loop->id] = ARENA_ARRAY(g->arena, Node *, t.loop->nout + 1);
  if (kept.carries + kept.stacks) graph_build_loop(g, &kept, made);
  int carry = 0;
  for (int k = 0; k < t.loop->nout; k++) {
    if (!t.used[k]) continue;
    parts[k] = k >= t.p.carries ? stacked(g, &stacks[k - t.p.carries], made + kept.carries)
               : stays(&t, k)   ? r->in[k]
                                : made[carry++];
  }
  return kept.carries + kept.stacks ? made[0]->in[0] : g->nodes.data[0];
}

Graph *pass_turns(Arena *a, const Graph *g) { return rewrite_graph(a, g, narrow); }
