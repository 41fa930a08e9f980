// Which values are kept in memory. Must be: outputs, results of reductions and of library calls and what
// those read, and operands of index maps that are not affine. Worth it: what is expensive to compute again in
// a second nest.
#include "plan.h"
#include <string.h>

// Stop and reshape have their operand's elements in the same order: they share its memory.
static bool is_view(const Node *n) { return n->op == OP_STOP || n->op == OP_RESHAPE; }

static void keep(Plan *p, Node *n) {
  while (is_view(n)) n = n->in[0];
  if (n->op != OP_INPUT) p->kept[n->id] = true;
}

static void mark_live(Plan *p, Node *n) {
  if (p->live[n->id]) return;
  p->live[n->id] = true;
  for (int i = 0; i < n->nin; i++) mark_live(p, n->in[i]);
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

// Cost of computing one element of `n` from memory, each node below counted once.
static double inline_cost(const Plan *p, const Node *n, unsigned char *seen, bool *reads) {
  if (seen[n->id]) return 0;
  seen[n->id] = 1;
  if (p->kept[n->id] || n->op == OP_INPUT || is_const_tensor(n)) {
    if (shape_count(n->shape) == 1) return 0;
    *reads = true;
    return 1;
  }
  double c = shape_count(n->shape) == 1 ? 0 : node_cost(n);
  if (n->op == OP_UNIFORM) return c;
  for (int i = 0; i < n->nin; i++) c += inline_cost(p, n->in[i], seen, reads);
  return c;
}

static double cost_of(const Plan *p, const Node *n, bool *reads) {
  unsigned char *seen = arena_alloc(p->arena, (size_t)p->graph->nodes.len);
  *reads = false;
  return inline_cost(p, n, seen, reads);
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
  case CLASS_INDEX:
    keep(p, n);
    for (int i = 0; i < n->nin; i++) keep(p, n->in[i]);
    return;
  case CLASS_BODY:
    for (int i = 0; n->op == OP_LOOP && i < n->nin; i++) keep(p, n->in[i]);
    if (n->op == OP_PART) keep(p, n);
    return;
  case CLASS_REDUCE: keep(p, n); return;
  default: break;
  }
  if (n->op == OP_RESHAPE && reshape_divides(n->in[0]->shape, n->shape)) keep(p, n->in[0]);
  if (n->op == OP_PAD)
    for (int i = 0; i < n->shape.rank; i++)
      if (n->attr[2 * n->shape.rank + i]) {
        keep(p, n->in[0]);
        keep(p, n);
      }
  if (n->op == OP_BROADCAST && broadcast_repeats(n) && cost_of(p, n->in[0], &reads) > 2 && reads)
    keep(p, n->in[0]);
}

void plan_keep(Plan *p) {
  const Graph *g = p->graph;
  for (int i = 0; i < g->outputs.len; i++) mark_live(p, g->outputs.data[i].node);
  for (int i = 0; i < g->nodes.len; i++)
    if (p->live[i]) keep_for(p, g->nodes.data[i]);
  for (int i = 0; i < g->outputs.len; i++) keep(p, g->outputs.data[i].node);
}

void plan_storage(Plan *p) {
  for (int i = 0; i < p->graph->nodes.len; i++) {
    Node *n = p->graph->nodes.data[i];
    if (p->kept[i] || n->op == OP_INPUT)
      p->storage[i] = n;
    else
      p->storage[i] = is_view(n) ? p->storage[n->in[0]->id] : NULL;
  }
}

static int set_size(const uint64_t *s, int words) {
  int n = 0;
  for (int i = 0; i < words; i++) n += __builtin_popcountll(s[i]);
  return n;
}

// From users to operands: the set of nests that compute a node inline. Computing it in k nests at cost c,
// against once, one store and k loads: kept where (k - 1) c > k + 1. What depends on random draws and
// constants alone is always drawn again.
bool plan_keep_shared(Plan *p) {
  int n = p->graph->nodes.len, words = (p->groups.len + n + 63) / 64, fresh = p->groups.len;
  uint64_t *used_by = ARENA_ARRAY(p->arena, uint64_t, (size_t)words *(size_t)n);
  bool any = false;
  for (int i = n - 1; i >= 0; i--) {
    Node *x = p->graph->nodes.data[i];
    if (!p->live[i]) continue;
    uint64_t *mine = used_by + (size_t)words * (size_t)i;
    bool inline_now =
        !p->kept[i] && x->op != OP_INPUT && x->op != OP_CONST && x->op != OP_IOTA && x->op != OP_UNIFORM;
    if (inline_now && !is_view(x) && x->op != OP_BROADCAST && shape_count(x->shape) > 1) {
      int k = set_size(mine, words);
      bool reads;
      if (k > 1 && (k - 1) * cost_of(p, x, &reads) > k + 1 && reads) {
        p->kept[i] = any = true;
        memset(mine, 0, sizeof *mine * (size_t)words);
        mine[fresh / 64] |= 1ull << (fresh % 64);
        fresh++;
      }
    } else if (p->kept[i]) {
      memset(mine, 0, sizeof *mine * (size_t)words);
      int group = p->group_of[i];
      mine[group / 64] |= 1ull << (group % 64);
    }
    for (int j = 0; j < x->nin; j++) {
      uint64_t *below = used_by + (size_t)words * (size_t)x->in[j]->id;
      for (int w = 0; w < words; w++) below[w] |= mine[w];
    }
  }
  return any;
}
