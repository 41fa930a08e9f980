// What an inline expression reads, found by following index maps from a root to the values in memory.
#include "plan.h"
#include <string.h>

double node_cost(const Node *n) {
  switch (n->op) {
  case OP_EXP:
  case OP_LOG:
  case OP_SIGMOID: return 4;
  case OP_EXPM1:
  case OP_LOG1P:
  case OP_TANH:
  case OP_SIN:
  case OP_COS: return 6;
  case OP_ERF:
  case OP_ERFINV: return 8;
  case OP_POW: return 16;
  case OP_SINH:
  case OP_COSH:
  case OP_ASIN:
  case OP_ACOS:
  case OP_ATAN:
  case OP_ASINH:
  case OP_ACOSH:
  case OP_ATANH:
  case OP_LOG2:
  case OP_LOG10:
  case OP_ATAN2:
  case OP_MOD:
  case OP_ERFC: return 32; // lane by lane
  case OP_LOG_NDTR:
  case OP_LGAMMA:
  case OP_POLYGAMMA:
  case OP_NDTR_RATIO: return 128;
  case OP_DIV:
  case OP_SQRT: return 1.5;
  case OP_UNIFORM: return 3;
  case OP_INPUT: return 1;
  case OP_CONST: return n->ndata > 1 ? 1 : 0;
  case OP_RESHAPE:
  case OP_TRANSPOSE:
  case OP_BROADCAST:
  case OP_SLICE:
  case OP_SLIDE:
  case OP_STOP: return 0;
  default: return 0.25;
  }
}

bool is_const_tensor(const Node *n) { return n->op == OP_CONST && n->ndata > 1; }

Node *matmul_operand(Node *x, bool *transposed) {
  *transposed = false;
  int r = x->shape.rank;
  if (x->op != OP_TRANSPOSE || r < 2) return x;
  for (int i = 0; i < r - 2; i++)
    if (x->attr[i] != i) return x;
  if (x->attr[r - 1] != r - 2) return x;
  *transposed = true;
  return x->in[0];
}

Index space_index(Shape s, Vars *v) {
  Index at = {.rank = s.rank};
  v->n = v->nloops = 0;
  for (int i = 0; i < s.rank; i++) {
    if (s.dim[i] == 1) continue;
    v->var[v->n] = (Var){.size = s.dim[i]};
    at.axis[i] = affine_var(v->n++);
  }
  v->nloops = v->n;
  return at;
}

typedef struct Visit {
  const Node *node;
  Index at;
} Visit;

typedef struct Walker {
  const Walk *w;
  Arena *scratch;
  Leaves *out;
  VEC(Visit) seen;
  int *slots; // open addressing: number in `seen`, from 1
  int nslots;
} Walker;

static void walk(Walker *k, Node *n, const Index *at);

static uint64_t mix(uint64_t h, int64_t v) { return (h ^ (uint64_t)v) * 0x9e3779b97f4a7c15u; }

// Variables may be added meanwhile: those that an index does not have do not count.
static uint64_t visit_hash(const Walker *k, const Node *n, const Index *at) {
  uint64_t h = (uint64_t)n->id + 1;
  for (int i = 0; i < at->rank; i++) {
    h = mix(h, at->axis[i].base);
    for (int v = 0; v < k->w->vars->n; v++)
      if (at->axis[i].coef[v]) h = mix(mix(h, v), at->axis[i].coef[v]);
  }
  return h ^ h >> 29;
}

// The slot of a visit: its number, or 0 where it is new.
static int *visit_slot(const Walker *k, const Node *n, const Index *at) {
  const uint64_t mask = (uint64_t)k->nslots - 1;
  for (uint64_t i = visit_hash(k, n, at) & mask;; i = (i + 1) & mask) {
    const Visit *v = k->slots[i] ? &k->seen.data[k->slots[i] - 1] : NULL;
    if (!v || (v->node == n && index_equal(&v->at, at))) return &k->slots[i];
  }
}

// True where it was visited before.
static bool visit(Walker *k, const Node *n, const Index *at) {
  if (2 * k->seen.len >= k->nslots) {
    k->nslots = k->nslots ? 2 * k->nslots : 32;
    k->slots = ARENA_ARRAY(k->scratch, int, k->nslots);
    for (int i = 0; i < k->seen.len; i++) *visit_slot(k, k->seen.data[i].node, &k->seen.data[i].at) = i + 1;
  }
  int *slot = visit_slot(k, n, at);
  if (*slot) return true;
  Visit v = {n, *at};
  vec_push(k->scratch, k->seen, v);
  *slot = k->seen.len;
  k->out->weight += 1 + (int)node_cost(n);
  return false;
}

// What does not vary is computed once, before the loops.
static bool varies(const Index *at) {
  for (int i = 0; i < at->rank; i++)
    if (!affine_is_const(&at->axis[i])) return true;
  return false;
}

static void leaf(Walker *k, Node *n, Affine at, bool in_memory) {
  Leaf l = {n, at, in_memory};
  if (!affine_is_const(&at)) k->out->cost += n->op == OP_UNIFORM ? node_cost(n) : 1;
  vec_push(k->w->arena, k->out->list, l);
}

static void walk_shape(Walker *k, Node *n, const Index *at) {
  for (int i = 0; i < n->nin; i++) {
    Index *in = ARENA_NEW(k->scratch, Index);
    Guard *guards = ARENA_ARRAY(k->scratch, Guard, MAX_GUARDS);
    int count = index_operand(k->w->vars, n, i, at, in, guards);
    if (count < 0) continue;
    for (int j = 0; j < count; j++) vec_push(k->w->arena, k->out->guards, guards[j]);
    walk(k, n->in[i], in);
  }
}

// The node's own operation at `at`, whether or not its value is also in memory.
static void walk_inside(Walker *k, Node *n, const Index *at) {
  switch (op_info[n->op].class) {
  case CLASS_SHAPE: walk_shape(k, n, at); return;
  case CLASS_RANDOM: {
    k->out->random = true;
    leaf(k, n, index_linear(n->shape, at), false);
    Index element = {.rank = 1}, none = {.rank = 0};
    walk(k, n->in[0], &element);
    element.axis[0].base = 1;
    walk(k, n->in[0], &element);
    walk(k, n->in[1], &none);
    return;
  }
  case CLASS_LEAF:
    if (n->op == OP_IOTA)
      leaf(k, n, at->axis[n->attr[0]], false);
    else if (is_const_tensor(n))
      leaf(k, n, index_linear(n->shape, at), false);
    return;
  default:
    if (varies(at)) {
      k->out->cost += node_cost(n);
      k->out->operations++;
    }
    for (int i = 0; i < n->nin; i++) walk(k, n->in[i], at);
  }
}

static bool stored_by(const Nest *nest, const Node *n) {
  for (int i = 0; nest && i < nest->nouts; i++)
    if (nest->outs[i].node == n && nest->outs[i].kind == OUT_STORE) return true;
  return false;
}

static void walk(Walker *k, Node *n, const Index *at) {
  if (visit(k, n, at) || (k->w->most && k->out->weight > k->w->most)) return;
  Node *storage = k->w->storage[n->id];
  if (storage) {
    Affine number = index_linear(n->shape, at);
    if (!stored_by(k->w->nest, storage) || !affine_equal(&number, k->w->element)) {
      leaf(k, storage, number, true);
      return;
    }
    // The register that the nest is about to store: its expression belongs to the store.
    return;
  }
  walk_inside(k, n, at);
}

void walk_root(const Walk *w, Node *root, OutKind kind, const Index *space, Leaves *out) {
  Walker k = {.w = w, .out = out, .scratch = arena_new()};
  if (kind == OUT_REDUCE)
    walk(&k, root->in[0], space);
  else
    walk_inside(&k, root, space);
  arena_free(k.scratch);
}
