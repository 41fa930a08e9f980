// In: a graph. Out: one in which loops whose turns need nothing of each other are done for all turns at once,
// along a first axis more; where the values of all turns would take more than BLOCK_BYTES, a loop over blocks
// of turns. Holds: such a loop carries nothing but sums to which each turn adds something, and every
// operation that depends on the turn has a rule in the batch column of ops.def; other loops stay as they are.
//
// sum over t of f(x[t]) is the sum over the new axis; of products x[t] y[t] it is one product of all columns
// of x with all rows of y.
#include "batch.h"
#include "all.h"

enum { BLOCK_BYTES = 8 << 20, LEAST_BLOCK = 8 };

typedef struct Term { // of a sum
  const Node *node;
  Op op; // ADD or SUB
} Term;
typedef VEC(Term) Terms;

typedef struct Each {
  Graph *g;
  const Node *loop;
  LoopParts p;
  Node *const *in;
  Terms *added; // by carry: what a turn adds
  bool *many;
  bool *summed; // by result: a stack of which nothing but sums over the turns is read
} Each;

static int uses_of(const Graph *g, const Node *n) {
  int uses = 0;
  for (int i = 0; i < g->nodes.len; i++)
    for (int k = 0; k < g->nodes.data[i]->nin; k++) uses += g->nodes.data[i]->in[k] == n;
  for (int i = 0; i < g->outputs.len; i++) uses += g->outputs.data[i].node == n;
  return uses;
}

// Whether n, which nothing else reads, is the carried value with terms added to it and taken from it.
static bool find_terms(const Each *e, const Node *n, const Node *carry, Terms *terms) {
  if (uses_of(e->loop->body, n) != 1) return false;
  if (n == carry) return true;
  if (n->op != OP_ADD && n->op != OP_SUB) return false;
  for (int k = 0; k < (n->op == OP_SUB ? 1 : 2); k++) {
    if (!find_terms(e, n->in[k], carry, terms)) continue;
    vec_push(e->g->arena, *terms, ((Term){n->in[1 - k], n->op}));
    return true;
  }
  return false;
}

static bool only_sums(Each *e) {
  const Graph *b = e->loop->body;
  bool sums = true;
  for (int k = 0; k < e->p.carries && sums; k++)
    sums = find_terms(e, b->outputs.data[k].node, b->inputs.data[k + 1], &e->added[k]);
  return sums;
}

static void find_summed(Each *e, const Rewrite *r) {
  for (int k = e->p.carries; k < e->loop->nout; k++) e->summed[k] = dtype_is_float(e->loop->out[k].dtype);
  for (int i = 0; i < r->from->nodes.len; i++) {
    const Node *n = r->from->nodes.data[i];
    for (int k = 0; r->uses[i] && k < n->nin; k++) {
      const Node *part = n->in[k];
      if (part->op != OP_PART || part->in[0]->id != e->loop->id) continue;
      if (n->op != OP_SUM || n->attr[0] != 0) e->summed[part->attr[0]] = false;
    }
  }
  for (int i = 0; i < r->from->outputs.len; i++) {
    const Node *part = r->from->outputs.data[i].node;
    if (part->op == OP_PART && part->in[0]->id == e->loop->id) e->summed[part->attr[0]] = false;
  }
}

// -- how many turns at once

static double bytes(const Node *n) { return (double)node_bytes(n); }

// What one turn keeps in memory, about: results of sums and library calls and what these read.
static double turn_bytes(const Each *e) {
  const Graph *b = e->loop->body;
  double all = 0;
  for (int i = 0; i < b->nodes.len; i++) {
    const Node *n = b->nodes.data[i];
    const OpClass class = op_info[n->op].class;
    if (!e->many[i] || n->dtype == DT_TUPLE || n->op == OP_INPUT) continue;
    const bool outer = n->op == OP_MATMUL && n->in[0]->shape.dim[n->in[0]->shape.rank - 1] == 1; // pointwise
    const bool call = (class == CLASS_CONTRACT && !outer) || class == CLASS_INDEX || class == CLASS_FACTOR;
    if (call || class == CLASS_REDUCE || class == CLASS_BODY) all += bytes(n);
    for (int k = 0; call && k < n->nin; k++)
      if (n->in[k]->op != OP_INPUT || !e->many[n->in[k]->id]) all += bytes(n->in[k]);
  }
  return all;
}

// 0: a turn is large enough as it is, such as one that is a block.
static int64_t block_size(const Each *e) {
  const double one = turn_bytes(e), most = one > 0 ? BLOCK_BYTES / one : (double)e->p.turns;
  if (most >= (double)e->p.turns) return e->p.turns;
  if (most < LEAST_BLOCK) return 0;
  for (int64_t n = (int64_t)most; n > (int64_t)most / 2; n--) // without a rest, if possible
    if (e->p.turns % n == 0) return n;
  return (int64_t)most;
}

// -- one block

// Numbers of the turns first, first + 1, ...
static Node *numbers(Graph *g, Node *first, int64_t n) {
  Node *i = graph_iota(g, 0, DT_I32, shape_of(1, n));
  return first ? graph_binary(g, OP_ADD, i, first) : i;
}

// The sum over all turns of x, which a turn of the body has.
static Node *sum_of(Batch *b, const Node *x) {
  if (!b->many[x->id])
    return graph_binary(b->g, OP_MUL, b->image[x->id],
                        graph_const_typed(b->g, (double)b->n, x->dtype, (Shape){0}));
  if (x->op == OP_MATMUL && x->shape.rank == 2 && b->many[x->in[0]->id] && b->many[x->in[1]->id]) {
    const Shape s = x->in[0]->shape, t = x->in[1]->shape;
    Node *columns = graph_transpose(b->g, b->image[x->in[0]->id], (int[]){0, 2, 1});
    columns = graph_reshape(b->g, columns, shape_of(2, b->n * s.dim[1], s.dim[0]));
    Node *rows = graph_reshape(b->g, b->image[x->in[1]->id], shape_of(2, b->n * t.dim[0], t.dim[1]));
    return graph_matmul(b->g, graph_swap(b->g, columns), rows);
  }
  return graph_reduce(b->g, OP_SUM, b->image[x->id], (int[]){0}, 1);
}

static Node *with_terms(Batch *b, Node *sum, const Terms *terms) {
  for (int i = 0; i < terms->len; i++)
    sum = graph_binary(b->g, terms->data[i].op, sum, sum_of(b, terms->data[i].node));
  return sum;
}

// Turns first .. first + n from their slices; out: the sums with those of this block, then stacks. False: no
// rule.
static bool one_block(const Each *e, int64_t n, Node *first, Node *const *slices, Node *const *sums,
                      Node **out) {
  const Graph *body = e->loop->body;
  Arena *a = e->g->arena;
  Batch b = {.g = e->g,
             .n = n,
             .body = body,
             .image = ARENA_ARRAY(a, Node *, body->nodes.len + 1),
             .many = ARENA_ARRAY(a, bool, body->nodes.len + 1)};
  b.image[body->inputs.data[0]->id] = numbers(e->g, first, n);
  b.many[body->inputs.data[0]->id] = true;
  for (int k = 0; k < e->loop->nin; k++) {
    const int id = body->inputs.data[k + 1]->id;
    b.many[id] = k >= e->p.carries && k < e->p.carries + e->p.slices;
    b.image[id] = b.many[id] ? slices[k - e->p.carries] : e->in[k];
  }
  if (!batch_body(&b)) return false;
  for (int k = 0; k < e->p.carries; k++) out[k] = with_terms(&b, sums[k], &e->added[k]);
  for (int k = e->p.carries; k < e->loop->nout; k++) {
    const Node *x = body->outputs.data[k].node;
    out[k] = e->summed[k] ? sum_of(&b, x) : batch_whole(&b, x);
  }
  return true;
}

// -- blocks

static void add_carry(LoopBuild *b, Graph *g, Node *initial) {
  b->carry[b->carries] = graph_hole(g, initial->dtype, initial->shape);
  b->initial[b->carries++] = initial;
}

// The loop over whole blocks, from turn 0 on.
static bool in_blocks(const Each *e, int64_t blocks, int64_t n, Node **parts) {
  Graph *g = e->g;
  const int carries = e->p.carries, slices = e->p.slices, nout = e->loop->nout;
  Node **arrays[8];
  for (int i = 0; i < 8; i++) arrays[i] = ARENA_ARRAY(g->arena, Node *, e->loop->nin + nout + 1);
  LoopBuild b = {.turns = blocks,
                 .index = graph_hole(g, DT_I32, (Shape){0}),
                 .carry = arrays[0],
                 .initial = arrays[1],
                 .next = arrays[2],
                 .slices = slices,
                 .slice = arrays[3],
                 .source = arrays[4],
                 .stack = arrays[5],
                 .exact = true};
  for (int k = 0; k < slices; k++) {
    b.source[k] = graph_split_rows(g, graph_rows(g, e->in[carries + k], 0, blocks * n), n);
    b.slice[k] = graph_slice_hole(g, b.source[k]);
  }
  for (int k = 0; k < carries; k++) add_carry(&b, g, e->in[k]);
  Node *first = graph_binary(g, OP_MUL, b.index, graph_const_typed(g, (double)n, DT_I32, (Shape){0})),
       **out = arrays[6];
  if (!one_block(e, n, first, b.slice, b.carry, out)) return false;
  for (int k = 0; k < carries; k++) b.next[k] = out[k];
  for (int k = carries; k < nout; k++) {
    if (!e->summed[k]) {
      b.stack[b.stacks++] = out[k];
      continue;
    }
    add_carry(&b, g, graph_const_typed(g, 0, out[k]->dtype, out[k]->shape));
    b.next[b.carries - 1] = graph_binary(g, OP_ADD, b.carry[b.carries - 1], out[k]);
  }
  graph_build_loop(g, &b, arrays[7]);
  for (int k = 0, carry = 0, stack = b.carries; k < nout; k++)
    parts[k] = k < carries || e->summed[k] ? arrays[7][carry++] : graph_join_rows(g, arrays[7][stack++]);
  return true;
}

// A sum where a stack of one turn is expected.
static void show_sums(const Each *e, Node **parts) {
  for (int k = e->p.carries; k < e->loop->nout; k++) {
    if (e->summed[k]) parts[k] = graph_reshape(e->g, parts[k], shape_with_first(1, parts[k]->shape));
  }
}

static bool all_turns(Each *e, Node **parts) {
  Graph *g = e->g;
  const int64_t n = block_size(e), blocks = n == e->p.turns || !n ? 0 : e->p.turns / n, done = blocks * n;
  const int carries = e->p.carries;
  Node **rest = ARENA_ARRAY(g->arena, Node *, e->loop->nout + 1),
       **slices = ARENA_ARRAY(g->arena, Node *, e->p.slices + 1);
  if (!n) return false;
  for (int k = 0; k < carries; k++) parts[k] = e->in[k];
  if (blocks && !in_blocks(e, blocks, n, parts)) return false;
  if (done == e->p.turns) {
    show_sums(e, parts);
    return true;
  }
  for (int k = 0; k < e->p.slices; k++) slices[k] = graph_rows(g, e->in[carries + k], done, e->p.turns);
  Node *first = blocks ? graph_const_typed(g, (double)done, DT_I32, (Shape){0}) : NULL;
  if (!one_block(e, e->p.turns - done, first, slices, parts, rest)) return false;
  for (int k = 0; k < e->loop->nout; k++) {
    if (!blocks || k < carries)
      parts[k] = rest[k];
    else
      parts[k] = e->summed[k] ? graph_binary(g, OP_ADD, parts[k], rest[k])
                              : graph_concat(g, (Node *[]){parts[k], rest[k]}, 2, 0);
  }
  show_sums(e, parts);
  return true;
}

static Node *spread(const Rewrite *r) {
  const Node *old = r->old;
  if (old->op != OP_LOOP) return NULL;
  Arena *a = r->g->arena;
  Each e = {.g = r->g, .loop = old, .p = loop_parts(old), .in = r->in};
  e.added = ARENA_ARRAY(a, Terms, e.p.carries + 1);
  e.many = ARENA_ARRAY(a, bool, old->body->nodes.len + 1);
  e.many[old->body->inputs.data[0]->id] = true;
  for (int k = 0; k < e.p.slices; k++) e.many[old->body->inputs.data[e.p.carries + k + 1]->id] = true;
  if (e.p.end != LOOP_ALL || !only_sums(&e) || !batch_can(old->body, e.many)) return NULL;
  e.summed = ARENA_ARRAY(a, bool, old->nout + 1);
  find_summed(&e, r);
  Node **parts = ARENA_ARRAY(a, Node *, old->nout + 1);
  if (!all_turns(&e, parts)) return NULL;
  r->parts[old->id] = parts;
  return parts[0];
}

Graph *pass_batch(Arena *a, const Graph *g) { return rewrite_graph(a, g, spread); }
