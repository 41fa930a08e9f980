// Which values are kept in memory. Must be: outputs, results of reductions and of library calls and what
// those read, and operands of index maps that are not affine. Worth it: what is expensive to compute again in
// a second nest.
#include "plan.h"
#include <string.h>

// Stop and reshape have their operand's elements in the same order: they share its memory.
static bool is_view(const Node *n) { return n->op == OP_STOP || n->op == OP_RESHAPE; }

static void keep(Plan *p, Node *n) {
  Node *base = n;
  while (is_view(base)) base = base->in[0];
  if (base->op != OP_INPUT) p->kept[base->id] = true;
  for (; n != base; n = n->in[0]) p->storage[n->id] = base;
  p->storage[base->id] = base;
}

static void mark_live(Plan *p) {
  const Graph *g = p->graph;
  for (int i = 0; i < g->outputs.len; i++) p->live[g->outputs.data[i].node->id] = true;
  for (int i = g->nodes.len - 1; i >= 0; i--)
    for (int k = 0; p->live[i] && k < g->nodes.data[i]->nin; k++) p->live[g->nodes.data[i]->in[k]->id] = true;
}

// A reshape that splits an axis of its result needs division to find its operand's index.
static bool reshape_divides(Shape from, Shape to) {
  int k = from.rank, i = to.rank;
  while (k > 0) {
    int64_t wanted = from.dim[--k], extent = 1;
    int parts = wanted > 1;
    while (extent != wanted) {
      if (extent < wanted) {
        extent *= to.dim[--i];
      } else {
        wanted *= from.dim[--k];
        parts += from.dim[k] > 1;
      }
    }
    if (parts > 1) return true;
  }
  return false;
}

// Cost of computing one element of `n` from memory, each node below counted once. Reading what has no more
// than `near` elements costs nothing.
static double inline_cost(const Plan *p, const Node *n, int64_t near, bool *reads) {
  if (p->seen[n->id] == p->turn) return 0;
  p->seen[n->id] = p->turn;
  if (p->kept[n->id] || n->op == OP_INPUT || is_const_tensor(n)) {
    if (shape_count(n->shape) == 1) return 0;
    *reads = true;
    return shape_count(n->shape) > near;
  }
  double c = shape_count(n->shape) == 1 ? 0 : node_cost(n);
  if (n->op == OP_UNIFORM) return c;
  for (int i = 0; i < n->nin; i++) c += inline_cost(p, n->in[i], near, reads);
  return c;
}

static double cost_of(Plan *p, const Node *n, int64_t near, bool *reads) {
  p->turn++;
  *reads = false;
  return inline_cost(p, n, near, reads);
}

// Repeated along an axis that lies outside of one of its own, a value would be computed again for each
// repetition.
static bool broadcast_repeats(const Node *n) {
  const Node *x = n->in[0];
  int repeated = 0; // bit k: result axis k is new
  for (int i = 0; i < n->shape.rank; i++)
    if (n->shape.dim[i] > 1) repeated |= 1 << i;
  for (int i = 0; i < x->shape.rank; i++)
    if (x->shape.dim[i] > 1) repeated &= ~(1 << n->attr[i]);
  for (int i = 0; i < x->shape.rank; i++)
    if (x->shape.dim[i] > 1 && (repeated & ((1 << n->attr[i]) - 1))) return true;
  return false;
}

static void keep_for(Plan *p, Node *n) {
  bool transposed, reads;
  switch (op_info[n->op].class) {
  case CLASS_CONTRACT:
    keep(p, n);
    for (int i = 0; i < 2; i++) keep(p, matmul_operand(n->in[i], &transposed));
    return;
  case CLASS_WINDOW:
  case CLASS_INDEX:
    keep(p, n);
    for (int i = 0; i < n->nin; i++) keep(p, n->in[i]);
    return;
  case CLASS_FACTOR:
    for (int i = 0; i < n->nin; i++) keep(p, n->in[i]);
    if (!n->nout) keep(p, n);
    return;
  case CLASS_BODY:
    for (int i = 0; n->body && i < n->nin; i++) keep(p, n->in[i]);
    if (n->op == OP_PART) keep(p, n);
    return;
  case CLASS_REDUCE: keep(p, n); return;
  default: break;
  }
  if (n->op == OP_RESHAPE && reshape_divides(n->in[0]->shape, n->shape)) keep(p, n->in[0]);
  // What windows share is computed once; draws too, unlike those that several nests need.
  if (n->op == OP_SLIDE && n->in[0]->op == OP_BROADCAST && cost_of(p, n->in[0]->in[0], 0, &reads) > 2)
    keep(p, n->in[0]->in[0]);
  if (n->op == OP_UNSLIDE && n->attr[1] > 1) {
    keep(p, n->in[0]);
    keep(p, n);
  }
  if (n->op == OP_PAD)
    for (int i = 0; i < n->shape.rank; i++)
      if (n->attr[2 * n->shape.rank + i]) {
        keep(p, n->in[0]);
        keep(p, n);
      }
  if (n->op == OP_BROADCAST && broadcast_repeats(n) && cost_of(p, n->in[0], 0, &reads) >= 2 && reads)
    keep(p, n->in[0]);
}

// Inline expressions are walked by recursion, and become code once for each index at which they are wanted:
// both are kept within bounds.
enum { MOST_DEPTH = 100, MOST_WEIGHT = 500 };

enum { FAR_BYTES = 1 << 20, FEW = 64 };

// From the operands: exact where they are computed at one index and share nothing.
static void measure(Plan *p, const Node *n) {
  int weight = 1 + (int)node_cost(n), depth = 1;
  for (int i = 0; i < n->nin; i++) {
    const int x = n->in[i]->id;
    if (p->storage[x]) continue;
    if (weight <= MOST_WEIGHT) weight += p->weight[x];
    if (depth <= p->depth[x]) depth = p->depth[x] + 1;
  }
  p->weight[n->id] = weight;
  p->depth[n->id] = depth;
}

static int walked_weight(Plan *p, Node *n) {
  Vars vars;
  Index space = space_index(n->shape, &vars);
  Leaves leaves = {0};
  Arena *scratch = arena_new();
  Walk w = {.arena = scratch, .storage = p->storage, .vars = &vars, .most = MOST_WEIGHT};
  walk_root(&w, n, OUT_STORE, &space, &leaves);
  arena_free(scratch);
  return leaves.weight;
}

static Node *heaviest_operand(const Plan *p, const Node *n, const int *by) {
  Node *most = NULL;
  for (int i = 0; i < n->nin; i++) {
    Node *x = n->in[i];
    if (!p->storage[x->id] && by[x->id] > 1 && (!most || by[x->id] > by[most->id])) most = x;
  }
  return most;
}

static void limit(Plan *p, Node *n) {
  for (;;) {
    measure(p, n);
    if (p->weight[n->id] > MOST_WEIGHT) p->weight[n->id] = walked_weight(p, n);
    const bool deep = p->depth[n->id] > MOST_DEPTH;
    if (!deep && p->weight[n->id] <= MOST_WEIGHT) return;
    Node *x = heaviest_operand(p, n, deep ? p->depth : p->weight);
    if (!x) return;
    keep(p, x);
  }
}

static Node *storage_of(const Plan *p, Node *n) {
  if (p->kept[n->id] || n->op == OP_INPUT) return n;
  return is_view(n) ? p->storage[n->in[0]->id] : NULL;
}

void plan_keep(Plan *p) {
  const Graph *g = p->graph;
  mark_live(p);
  for (int i = 0; i < g->nodes.len; i++) {
    Node *n = g->nodes.data[i];
    if (!p->live[i]) continue;
    keep_for(p, n);
    limit(p, n);
    p->storage[i] = storage_of(p, n);
  }
  for (int i = 0; i < g->outputs.len; i++) keep(p, g->outputs.data[i].node);
}

void plan_storage(Plan *p) {
  for (int i = 0; i < p->graph->nodes.len; i++) p->storage[i] = storage_of(p, p->graph->nodes.data[i]);
}

// Lists descend: most come from users that were made later.
static void add_all(Plan *p, Numbers *to, const Numbers *more) {
  for (int i = 0; i < more->len; i++) {
    const int v = more->data[i];
    int from = 0, at = to->len;
    if (at > 0 && to->data[at - 1] > v) from = at;
    while (from < at) {
      const int middle = (from + at) / 2;
      if (to->data[middle] > v)
        from = middle + 1;
      else
        at = middle;
    }
    if (at < to->len && to->data[at] == v) continue;
    vec_push(p->arena, *to, v);
    memmove(to->data + at + 1, to->data + at, (size_t)(to->len - 1 - at) * sizeof v);
    to->data[at] = v;
  }
}

static Numbers just(Plan *p, int number) {
  Numbers out = {0};
  vec_push(p->arena, out, number);
  return out;
}

// Computing a value in k nests at cost c, against once, one store and k loads. Far from the core a store
// costs a load too, and beside what comes from there, what is small and read again and again, as a number for
// each channel, costs nothing.
static bool pays(Plan *p, const Node *n, int k) {
  bool reads;
  const int64_t count = shape_count(n->shape);
  const bool far = count * (int64_t)dtype_size(n->dtype) > FAR_BYTES;
  return (k - 1) * cost_of(p, n, far ? count / FEW : 0, &reads) > k + 1 + far && reads;
}

// From users to operands: the set of nests that compute a node inline. Where it pays, it is kept. What
// depends on random draws and constants alone is always drawn again. At first an operand counts as computed
// though it will be kept, so in the end, from operands to users, what no longer pays is given up.
bool plan_keep_shared(Plan *p) {
  int n = p->graph->nodes.len, fresh = p->groups.len;
  Numbers *used_by = ARENA_ARRAY(p->arena, Numbers, n + 1);
  int *nests = ARENA_ARRAY(p->arena, int, n + 1);
  for (int i = n - 1; i >= 0; i--) {
    Node *x = p->graph->nodes.data[i];
    if (!p->live[i]) continue;
    bool inline_now =
        !p->kept[i] && x->op != OP_INPUT && x->op != OP_CONST && x->op != OP_IOTA && x->op != OP_UNIFORM;
    if (inline_now && !is_view(x) && x->op != OP_BROADCAST && shape_count(x->shape) > 1) {
      const int k = used_by[i].len;
      if (k > 1 && pays(p, x, k)) {
        p->kept[i] = true;
        nests[i] = k;
        used_by[i] = just(p, fresh++);
      }
    } else if (p->kept[i]) {
      used_by[i] = just(p, p->group_of[i]);
    }
    for (int j = 0; j < x->nin; j++)
      if (x->in[j]->nin > 0) add_all(p, &used_by[x->in[j]->id], &used_by[i]);
  }
  bool any = false;
  for (int i = 0; i < n; i++) {
    if (!nests[i]) continue;
    p->kept[i] = false;
    p->kept[i] = pays(p, p->graph->nodes.data[i], nests[i]);
    any |= p->kept[i];
  }
  return any;
}
