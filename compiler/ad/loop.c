// Reverse mode through a loop. In: a loop and the adjoints of its results. Out: a loop over the turns in the
// other order, whose carried values are the adjoints of the carried values, and sums of what the captures
// receive. Holds: values of the forward turns are read from what the loop stacked, or computed again in the
// turn; the new loop stacks what its own derivative reads. (Griewank & Walther 2008, Evaluating Derivatives,
// ch. 12.)
//
// Forward turn t:  c[t+1], s[t] = f(c[t], x[t], w).  Backward:  c_adj[t], x_adj[t], w_adj += f'^T
// (c_adj[t+1], s_adj[t]).
#include "loop.h"
#include "../graph/ops.h"
#include "ad.h"

typedef struct LoopAd {
  Graph *g;
  Node *loop;
  LoopParts p;
  Node *const *part_adj;
  bool guarded; // adjoints are zero where something was left out, or where a turn receives none
  LoopBuild forward, back;
  Node **ys, **seeds; // results of a turn and their adjoints
  int ny;
  Node **computed, **kept; // values of a turn, and the slices of stacks that are read in their place
  int nkept;
  Node **xs, **x_adj; // by operand: what stands for it in a turn, and the adjoint it receives there
  Node **so_far;      // by operand: see loop.h
  Node **sum;         // by operand: the sum so far, from which an inner loop goes on; NULL
} LoopAd;

static void *alloc(const LoopAd *d, int n) {
  return arena_alloc(d->g->arena, sizeof(Node *) * (size_t)(n + 1));
}

static Node *zeros(const LoopAd *d, const Node *like) {
  return graph_const_typed(d->g, 0, like->dtype, like->shape);
}

// A turn of the forward loop in g. Stacked carries stand for those of the turn; other values that were
// stacked are differentiated as what they are, and read afterwards.
static void open_forward(LoopAd *d) {
  const Graph *body = d->loop->body;
  Node **known = alloc(d, body->nodes.len), **slice_of = alloc(d, body->nodes.len);
  d->back.slice = alloc(d, d->p.stacks + d->p.slices + d->loop->nout);
  d->back.source = alloc(d, d->p.stacks + d->p.slices + d->loop->nout);
  for (int k = 0; k < d->p.stacks; k++) {
    const Node *n = body->outputs.data[d->p.carries + k].node;
    const bool captured = n->op == OP_INPUT && n->attr[0] > d->p.carries + d->p.slices;
    if (slice_of[n->id] || n->op == OP_CONST || captured) continue;
    Node *stack = graph_part(d->g, d->loop, d->p.carries + k);
    Node *hole = slice_of[n->id] = graph_slice_hole(d->g, stack);
    if (n->op == OP_INPUT) known[n->id] = hole;
    d->back.slice[d->back.slices] = hole;
    d->back.source[d->back.slices++] = stack;
  }
  d->forward = graph_open_loop(d->g, d->loop, d->loop->in, known);
  d->computed = alloc(d, body->nodes.len);
  d->kept = alloc(d, body->nodes.len);
  for (int i = 0; i < body->nodes.len; i++) {
    if (!slice_of[i] || body->nodes.data[i]->op == OP_INPUT) continue;
    d->computed[d->nkept] = known[i];
    d->kept[d->nkept++] = slice_of[i];
  }
  d->back.index = d->forward.index;
  for (int k = 0; k < d->p.slices; k++) {
    d->back.slice[d->back.slices] = d->forward.slice[k];
    d->back.source[d->back.slices++] = d->forward.source[k];
  }
}

static void add_seed(LoopAd *d, Node *y, Node *seed) {
  d->ys[d->ny] = y;
  d->seeds[d->ny++] = seed;
}

static bool has_gradient(const Node *n) { return dtype_is_float(n->dtype); }

// Carried adjoints, and slices of the stacks' adjoints.
static void seed_turn(LoopAd *d) {
  for (int k = 0; k < d->p.carries; k++) {
    if (!has_gradient(d->forward.next[k])) continue;
    Node *hole = graph_hole(d->g, d->forward.next[k]->dtype, d->forward.next[k]->shape);
    d->back.carry[d->back.carries] = hole;
    d->back.initial[d->back.carries++] = d->part_adj[k] ? d->part_adj[k] : zeros(d, hole);
    d->guarded |= !d->part_adj[k];
    add_seed(d, d->forward.next[k], hole);
  }
  for (int k = 0; k < d->p.stacks; k++) {
    Node *adj = d->part_adj[d->p.carries + k];
    if (!adj || !has_gradient(d->forward.stack[k])) continue;
    Node *hole = graph_slice_hole(d->g, adj);
    d->back.slice[d->back.slices] = hole;
    d->back.source[d->back.slices++] = adj;
    add_seed(d, d->forward.stack[k], hole);
  }
}

// The product x^T y of values of the turn: it is taken once, over the rows of all turns.
static bool is_row_product(const Node *n) {
  return n->op == OP_MATMUL && n->shape.rank == 2 && n->in[0]->op == OP_TRANSPOSE;
}

static Node *rows_of_all(const LoopAd *d, Node *stack) {
  const Shape s = stack->shape;
  return graph_reshape(d->g, stack, shape_of(2, s.dim[0] * s.dim[1], s.dim[2]));
}

// What a capture receives in a turn, summed over turns: a carried sum, or one product over what is stacked.
typedef struct Gather {
  int carry, left, right; // positions among the parts; -1
} Gather;

static double turn_bytes(const Node *n) { return (double)node_bytes(n); }

static Gather gather(LoopAd *d, int k) {
  LoopBuild *b = &d->back;
  Node *adj = d->x_adj[k];
  const bool rows = b->end == LOOP_ALL && is_row_product(adj);
  if (rows && (double)b->turns * (turn_bytes(adj->in[0]) + turn_bytes(adj->in[1])) <= LOOP_STACKED_BYTES) {
    b->stack[b->stacks] = adj->in[0]->in[0];
    b->stack[b->stacks + 1] = adj->in[1];
    b->stacks += 2;
    return (Gather){-1, b->stacks - 2, b->stacks - 1};
  }
  Node *hole = d->sum[k] ? d->sum[k] : graph_hole(d->g, adj->dtype, adj->shape);
  b->carry[b->carries] = hole;
  b->initial[b->carries] = d->so_far[k] ? d->so_far[k] : zeros(d, hole);
  b->next[b->carries++] = d->sum[k] ? adj : graph_binary(d->g, OP_ADD, hole, adj);
  return (Gather){b->carries - 1, -1, -1};
}

static Node *gathered(const LoopAd *d, const Gather *at, Node *const *parts) {
  if (at->carry >= 0) return parts[at->carry];
  Node *left = rows_of_all(d, parts[d->back.carries + at->left]),
       *right = rows_of_all(d, parts[d->back.carries + at->right]);
  return graph_matmul(d->g, graph_swap(d->g, left), right);
}

static void differentiate_turn(LoopAd *d) {
  for (int k = 0; k < d->loop->nin; k++)
    d->xs[k] = k < d->p.carries                 ? d->forward.carry[k]
               : k < d->p.carries + d->p.slices ? d->forward.slice[k - d->p.carries]
                                                : d->loop->in[k];
  ad_vjp_all(d->g, d->ys, d->seeds, d->ny, d->guarded, d->xs, d->loop->nin, d->x_adj);
  for (int k = 0; k < d->loop->nin; k++)
    if (d->x_adj[k]) d->x_adj[k] = graph_substitute(d->g, d->x_adj[k], d->computed, d->kept, d->nkept);
}

// -- sums that an inner loop makes

// Carried value c of an inner loop that starts at 0, to which each turn adds something.
static bool is_sum(const Node *part) {
  if (part->op != OP_PART || part->in[0]->op != OP_LOOP) return false;
  const Node *loop = part->in[0];
  const int64_t c = part->attr[0];
  double first;
  if (c >= loop_parts(loop).carries || !node_splat(loop->in[c], &first) || first != 0) return false;
  const Node *carry = loop->body->inputs.data[c + 1], *next = loop->body->outputs.data[c].node;
  int uses = 0;
  for (int i = 0; i < loop->body->nodes.len; i++)
    for (int k = 0; k < loop->body->nodes.data[i]->nin; k++)
      uses += loop->body->nodes.data[i]->in[k] == carry;
  return next->op == OP_ADD && uses == 1 && (next->in[0] == carry || next->in[1] == carry);
}

static bool read_elsewhere(const LoopAd *d, int k) {
  bool read = false;
  for (int i = 0; i < d->loop->nin; i++)
    read |= i != k && d->x_adj[i] && graph_depends(d->g, d->x_adj[i], d->x_adj[k]);
  return read;
}

// An inner loop goes on from the sum of the turns before: addends have one order, however turns are cut into
// segments.
static void continue_sums(LoopAd *d) {
  const int first = d->p.carries + d->p.slices;
  for (int k = first; k < d->loop->nin; k++) {
    Node *part = d->x_adj[k];
    if (!part || !is_sum(part) || read_elsewhere(d, k)) continue;
    Node *inner = part->in[0], **in = alloc(d, inner->nin), **from = alloc(d, inner->nout),
         **to = alloc(d, inner->nout);
    const LoopParts p = loop_parts(inner);
    for (int i = 0; i < inner->nin; i++) in[i] = inner->in[i];
    in[part->attr[0]] = d->sum[k] = graph_hole(d->g, part->dtype, part->shape);
    Node *again = graph_loop(d->g, &p, inner->name, in, inner->body);
    for (int i = 0; i < inner->nout; i++)
      from[i] = graph_part(d->g, inner, i), to[i] = graph_part(d->g, again, i);
    for (int i = 0; i < d->loop->nin; i++)
      if (d->x_adj[i]) d->x_adj[i] = graph_substitute(d->g, d->x_adj[i], from, to, inner->nout);
  }
}

static void through_turns(LoopAd *d, Node **out) {
  Node *loop = d->loop;
  const int most = 2 * (loop->nin + loop->nout) + 2;
  Node ***lists[] = {&d->back.carry, &d->back.initial, &d->back.next, &d->back.stack, &d->ys,
                     &d->seeds,      &d->xs,           &d->x_adj,     &d->sum};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) *lists[i] = alloc(d, most);
  d->back.turns = d->p.turns;
  d->back.reverse = !d->p.reverse;
  if (d->p.end != LOOP_ALL) d->back.end = LOOP_COUNT; // over the turns that were made
  if (d->p.end == LOOP_COUNT) d->back.count = loop->in[loop->nin - 1];
  if (d->p.end == LOOP_WHILE || d->p.end == LOOP_MOST) d->back.count = graph_part(d->g, loop, 1);
  open_forward(d);
  seed_turn(d);
  differentiate_turn(d);
  continue_sums(d);
  Gather *gathers = arena_alloc(d->g->arena, sizeof(Gather) * (size_t)(loop->nin + 1));
  for (int k = 0, at = 0; k < d->p.carries; k++)
    if (has_gradient(d->forward.next[k])) d->back.next[at++] = d->x_adj[k] ? d->x_adj[k] : zeros(d, d->xs[k]);
  for (int k = 0; k < d->p.carries; k++) d->so_far[k] = NULL;
  for (int k = d->p.carries; k < loop->nin; k++) {
    if (!d->x_adj[k]) continue;
    if (k < d->p.carries + d->p.slices)
      gathers[k] = (Gather){-1, d->back.stacks, -1}, d->back.stack[d->back.stacks++] = d->x_adj[k];
    else
      gathers[k] = gather(d, k);
    if (gathers[k].carry < 0) d->so_far[k] = NULL;
  }
  if (d->back.carries + d->back.stacks == 0) return;
  Node **parts = alloc(d, d->back.carries + d->back.stacks);
  graph_build_loop(d->g, &d->back, parts);
  for (int k = 0, at = 0; k < loop->nin; k++) {
    const bool slice = k >= d->p.carries && k < d->p.carries + d->p.slices;
    if (k < d->p.carries)
      out[k] = has_gradient(d->forward.next[k]) ? parts[at++] : NULL;
    else if (d->x_adj[k])
      out[k] = slice ? parts[d->back.carries + gathers[k].left] : gathered(d, &gathers[k], parts);
  }
}

static bool stacks_carries(const Node *loop) {
  const LoopParts p = loop_parts(loop);
  for (int c = 0; c < p.carries; c++) {
    bool found = false;
    for (int k = p.carries; k < loop->nout; k++)
      found = found || loop->body->outputs.data[k].node == loop->body->inputs.data[c + 1];
    if (!found) return false;
  }
  return true;
}

void loop_vjp(Graph *g, Node *loop, Node *const *part_adj, bool guarded, Node **so_far, Node **out) {
  LoopAd d = {.g = g,
              .loop = loop,
              .p = loop_parts(loop),
              .part_adj = part_adj,
              .guarded = guarded,
              .so_far = so_far};
  if (stacks_carries(loop)) {
    through_turns(&d, out);
    return;
  }
  // The same loop, with what is read again; its operands are made from this one's.
  LoopBuild b = graph_open_loop(g, loop, loop->in, NULL);
  Node **parts = alloc(&d, loop->nout);
  graph_build_loop(g, &b, parts);
  Node *again = parts[0]->in[0];
  Node **adj = alloc(&d, again->nout), **received = alloc(&d, again->nin);
  for (int k = 0; k < loop->nout; k++) adj[k] = part_adj[k];
  Node **none = alloc(&d, again->nin);
  loop_vjp(g, again, adj, guarded, none, received);
  for (int k = 0; k < loop->nin; k++) so_far[k] = NULL;
  Node **ys = alloc(&d, again->nin), **seeds = alloc(&d, again->nin);
  int n = 0;
  for (int k = 0; k < again->nin; k++)
    if (received[k]) ys[n] = again->in[k], seeds[n++] = received[k];
  ad_vjp_all(g, ys, seeds, n, guarded, loop->in, loop->nin, out);
  for (int k = 0; k < loop->nin; k++) // an operand that stands twice receives it once
    for (int i = 0; i < k; i++)
      if (loop->in[i] == loop->in[k]) out[k] = NULL;
}
