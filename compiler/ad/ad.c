// Reverse mode. In: y and the variables. Out: nodes for the adjoints of the variables. Holds: a rule is
// applied only where its adjoint reaches a variable, so no dead branch is built; i32 and bool carry no
// gradient; the new nodes are ordinary graph.
//
// For out = f(x_1..x_n):  x_k_adj += (d out / d x_k)^T out_adj,  over the nodes in descending order of id,
// which is a reverse topological order: an adjoint is complete when its node is reached.
//
// A zero adjoint wins over an infinite local derivative, so that what was not chosen, or levels off, leaves
// no NaN. That costs an instruction or two, and is done where it can matter: where every path from y passes
// an operation that makes such zeros. Matrix products are not guarded: 0 times infinity would be NaN in their
// other operand's adjoint all the same.
#include "ad.h"
#include "../graph/ops.h"
#include "loop.h"
#include "rules.h"

typedef struct Reverse {
  Graph *g;
  int count;      // nodes up to y
  bool *variable; // by id
  bool *reaches;  // some variable lies below, along differentiable operands
  bool *open;     // a path from y, or from the product above, leaves no element out
  Node **adj;
  Node ***parts; // by id of an operation with several results: their adjoints
} Reverse;

// Whether a gradient that reaches n goes on to its operand k.
static bool passes_on(const Node *n, int k) {
  if (n->op == OP_PART) return dtype_is_float(n->dtype);
  if (n->body) return dtype_is_float(n->in[k]->dtype);
  return rule_exists(n, k);
}

static void mark(Reverse *r) {
  for (int i = 0; i < r->count; i++) {
    const Node *n = r->g->nodes.data[i];
    r->reaches[i] = r->variable[i];
    for (int k = 0; k < n->nin && !r->reaches[i]; k++)
      r->reaches[i] = r->reaches[n->in[k]->id] && passes_on(n, k);
  }
}

static void accumulate(Reverse *r, const Node *n, Node *adj) {
  if (node_is(adj, 0)) return;
  Node **sum = &r->adj[n->id];
  if (!shape_equal(adj->shape, n->shape)) adj = graph_broadcast_to(r->g, adj, n->shape);
  if (!adj) ice("ad", "%s: the adjoint has another shape", op_info[n->op].text);
  *sum = *sum ? graph_binary(r->g, OP_ADD, *sum, adj) : adj;
}

static void add_part(Reverse *r, const Node *part, Node *adj) {
  const Node *tuple = part->in[0];
  Node ***parts = &r->parts[tuple->id];
  if (!*parts) *parts = ARENA_ARRAY(r->g->arena, Node *, tuple->nout);
  Node **sum = &(*parts)[part->attr[0]];
  *sum = *sum ? graph_binary(r->g, OP_ADD, *sum, adj) : adj;
  r->open[tuple->id] |= r->open[part->id];
}

static void through_bodies(Reverse *r, Node *n) {
  Node **out = ARENA_ARRAY(r->g->arena, Node *, n->nin + 1);
  Node **so_far = ARENA_ARRAY(r->g->arena, Node *, n->nin + 1);
  for (int k = 0; k < n->nin; k++) {
    bool first = true;
    for (int i = 0; i < k; i++) first = first && n->in[i] != n->in[k];
    so_far[k] = first ? r->adj[n->in[k]->id] : NULL;
  }
  if (n->op == OP_IF)
    if_vjp(r->g, n, r->parts[n->id], !r->open[n->id], out);
  else
    loop_vjp(r->g, n, r->parts[n->id], !r->open[n->id], so_far, out);
  for (int k = 0; k < n->nin; k++) {
    if (!out[k] || !r->reaches[n->in[k]->id]) continue;
    if (n->op == OP_LOOP && so_far[k]) r->adj[n->in[k]->id] = NULL; // it is in the sum
    accumulate(r, n->in[k], out[k]);
    r->open[n->in[k]->id] |= r->open[n->id];
  }
}

// n's rule for operand k, from the adjoints of its results.
static void through_rule(Reverse *r, Node *n, int k, Node *const *adj) {
  if (!r->reaches[n->in[k]->id] || !rule_exists(n, k)) return;
  Node *share = rule_apply(r->g, n, k, adj, !r->open[n->id]);
  const bool mixes = op_info[n->op].class == CLASS_CONTRACT || op_info[n->op].class == CLASS_WINDOW ||
                     op_info[n->op].class == CLASS_FACTOR;
  if (share) accumulate(r, n->in[k], share);
  if (mixes || (r->open[n->id] && !rule_masks(n, k))) r->open[n->in[k]->id] = true;
}

static void propagate(Reverse *r) {
  for (int i = r->count - 1; i >= 0; i--) {
    Node *n = r->g->nodes.data[i];
    if (!r->reaches[i] || r->variable[i]) continue;
    r->g->origin = n->origin;
    if (r->parts[i] && n->body) {
      through_bodies(r, n);
      continue;
    }
    if (r->adj[i] && n->op == OP_PART) {
      add_part(r, n, r->adj[i]);
      continue;
    }
    Node *const *adj = r->parts[i] ? r->parts[i] : r->adj[i] ? &r->adj[i] : NULL;
    for (int k = 0; adj && k < n->nin; k++) through_rule(r, n, k, adj);
  }
}

void ad_vjp_all(Graph *g, Node *const *ys, Node *const *seeds, int ny, bool guarded, Node *const *xs, int n,
                Node **out) {
  Arena *scratch = arena_new();
  Reverse r = {.g = g};
  for (int i = 0; i < ny; i++)
    if (ys[i]->id >= r.count) r.count = ys[i]->id + 1;
  r.variable = ARENA_ARRAY(scratch, bool, r.count + 1);
  r.reaches = ARENA_ARRAY(scratch, bool, r.count + 1);
  r.open = ARENA_ARRAY(scratch, bool, r.count + 1);
  for (int i = 0; i < ny && !guarded; i++) r.open[ys[i]->id] = true;
  r.adj = ARENA_ARRAY(scratch, Node *, r.count + 1);
  r.parts = ARENA_ARRAY(scratch, Node **, r.count + 1);
  for (int i = 0; i < n; i++)
    if (xs[i]->id < r.count) r.variable[xs[i]->id] = true;
  const Span origin = g->origin;
  mark(&r);
  for (int i = 0; i < ny; i++) accumulate(&r, ys[i], seeds[i]);
  propagate(&r);
  g->origin = origin;
  for (int i = 0; i < n; i++) out[i] = xs[i]->id < r.count ? r.adj[xs[i]->id] : NULL;
  arena_free(scratch);
}

void ad_vjp(Graph *g, Node *y, Node *seed, Node *const *xs, int n, Node **out) {
  ad_vjp_all(g, &y, &seed, 1, false, xs, n, out);
  for (int i = 0; i < n; i++)
    if (!out[i]) out[i] = graph_const_typed(g, 0, xs[i]->dtype, xs[i]->shape);
}

void ad_gradient(Graph *g, Node *y, Node *const *xs, int n, Node **out) {
  if (y->shape.rank != 0 || !dtype_is_float(y->dtype)) ice("ad", "the gradient of no number");
  ad_vjp(g, y, graph_const_typed(g, 1, y->dtype, y->shape), xs, n, out);
}
