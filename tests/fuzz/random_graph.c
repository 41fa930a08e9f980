// Nodes are chosen at random, computed by the interpreter as they are made, and kept where their values are
// finite, of moderate size and not at the edge of a decision (a tie, a whole number below floor), so that two
// right ways to compute the graph agree. A wild graph keeps everything.
#include "random_graph.h"
#include "compiler/ad/ad.h"
#include <math.h>
#include <string.h>

enum { MOST_NODES = 4000, MOST_INPUTS = 8 };

typedef struct Maker {
  Arena *arena;
  Graph *g;
  uint64_t state;
  int64_t limit;              // elements of a tensor
  bool wild, inside;          // inside: of a loop's body, which has no jumps
  bool branching;             // inside of a choice
  double *values[MOST_NODES]; // by id, of the inputs and the nodes of the pool
  VEC(Node *) pool;
  Node *seed, *step;
} Maker;

static uint64_t draw(Maker *m) { // splitmix64
  uint64_t z = m->state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static int below(Maker *m, int n) { return (int)(draw(m) % (uint64_t)n); }
static int64_t between(Maker *m, int64_t low, int64_t high) {
  return low + (int64_t)(draw(m) % (uint64_t)(high - low + 1));
}
static bool chance(Maker *m, int percent) { return below(m, 100) < percent; }
static double unit(Maker *m) { return (double)(draw(m) >> 11) * 0x1p-53; }

// -- shapes

static Shape random_shape(Maker *m) {
  static const int64_t sizes[] = {1,  1,  2,  3,  4,  5,  7,  8,   9,   13,  16,
                                  17, 31, 32, 33, 40, 64, 65, 100, 513, 8200};
  Shape s = {.rank = below(m, 5)};
  for (int i = 0; i < s.rank; i++) s.dim[i] = 1;
  for (int i = s.rank - 1; i >= 0; i--) {
    s.dim[i] = sizes[below(m, (int)(sizeof sizes / sizeof *sizes))];
    while (shape_count(s) > m->limit) s.dim[i] = (s.dim[i] + 1) / 2;
  }
  if (m->limit > 100000 && s.rank > 0 && chance(m, 50)) {
    int i = below(m, s.rank);
    s.dim[i] = 1;
    s.dim[i] = m->limit / shape_count(s) - below(m, 3);
    if (s.dim[i] < 1) s.dim[i] = 1;
  }
  return s;
}

// Another shape of as many elements.
static Shape refold(Maker *m, int64_t count) {
  Shape s = {.rank = 1 + below(m, 4)};
  for (int i = 0; i < s.rank; i++) s.dim[i] = 1;
  for (int64_t p = 2; count > 1; p++) {
    if (p * p > count) p = count;
    for (; count % p == 0; count /= p) s.dim[below(m, s.rank)] *= p;
  }
  return s;
}

// -- the pool

static bool is_number(const Node *n) { return dtype_is_float(n->dtype); }

// One of these types; NULL where there is none.
static Node *pick(Maker *m, unsigned types) {
  const int n = m->pool.len, from = chance(m, 50) && n > 8 ? n - 8 : 0, at = from + below(m, n - from);
  for (int i = 0; i < n; i++) {
    Node *x = m->pool.data[(at + i) % n];
    if (types >> x->dtype & 1) return x;
  }
  return NULL;
}
enum { F32 = 1u << DT_F32, I32 = 1u << DT_I32, BOOL = 1u << DT_BOOL, F64 = 1u << DT_F64 };

static const double *values_of(Maker *m, const Node *n) {
  if (!m->values[n->id]) {
    const double *v = graph_eval(m->arena, m->g, n, m->values);
    m->values[n->id] = memcpy(ARENA_ARRAY(m->arena, double, shape_count(n->shape)), v,
                              sizeof(double) * (size_t)shape_count(n->shape));
  }
  return m->values[n->id];
}

static bool keep(Maker *m, Node *n) {
  if (!n || n->shape.rank > 5 || shape_count(n->shape) > m->limit || m->g->nodes.len > MOST_NODES - 100)
    return false;
  const double *v = values_of(m, n);
  for (int64_t e = 0; e < shape_count(n->shape) && !m->wild; e++)
    if (!(fabs(v[e]) < 1e4)) return false;
  vec_push(m->arena, m->pool, n);
  return true;
}

// -- tensors made to fit

static Node *flat(Maker *m, Node *x) { return graph_reshape(m->g, x, shape_of(1, shape_count(x->shape))); }

static Node *lengthen(Maker *m, Node *x, int64_t count) {
  int64_t n = shape_count(x->shape), lo = between(m, 0, count - n), inner = (count - n) / n, hi;
  if (chance(m, 30) && n > 1 && inner > 0) {
    int64_t gap = between(m, 1, inner), used = n + (n - 1) * gap;
    lo = between(m, 0, count - used);
    hi = count - used - lo;
    return graph_pad(m->g, x, &lo, &hi, &gap);
  }
  hi = count - n - lo;
  if (chance(m, 50)) return graph_pad(m->g, x, &lo, &hi, (int64_t[]){0});
  Node *parts[2] = {x, NULL};
  while (shape_count(x->shape) < count) {
    int64_t rest = count - shape_count(x->shape), size = shape_count(x->shape), zero = 0, one = 1;
    parts[1] = rest >= size ? x : graph_slice(m->g, x, &zero, &rest, &one);
    bool swap = chance(m, 30);
    parts[0] = swap ? parts[1] : x;
    parts[1] = swap ? x : parts[1];
    x = graph_concat(m->g, parts, 2, 0);
  }
  return x;
}

static Node *shorten(Maker *m, Node *x, int64_t count) {
  int64_t n = shape_count(x->shape), step = between(m, 1, n / count),
          start = between(m, 0, n - (count - 1) * step - 1), stop = start + (count - 1) * step + 1;
  return graph_slice(m->g, x, &start, &stop, &step);
}

static Node *fit(Maker *m, Node *x, Shape s) {
  int64_t want = shape_count(s);
  if (shape_equal(x->shape, s)) return x;
  if (x->shape.rank == 0 || shape_count(x->shape) == 1)
    return graph_broadcast(m->g, graph_reshape(m->g, x, (Shape){0}), s, NULL);
  if (chance(m, 60)) {
    Node *wide = graph_broadcast_to(m->g, x, s);
    if (wide) return wide;
  }
  int perm[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) perm[i] = i;
  for (int i = x->shape.rank - 1; i > 0 && chance(m, 60); i--) {
    int k = below(m, i + 1), p = perm[i];
    perm[i] = perm[k];
    perm[k] = p;
  }
  x = flat(m, graph_transpose(m->g, x, perm));
  if (shape_count(x->shape) < want) x = lengthen(m, x, want);
  if (shape_count(x->shape) > want) x = shorten(m, x, want);
  return graph_reshape(m->g, x, s);
}

static bool pair(Maker *m, Node **x, Node **y) {
  Shape s;
  if (shape_broadcast((*x)->shape, (*y)->shape, &s) && shape_count(s) <= m->limit) {
    *x = graph_broadcast_to(m->g, *x, s);
    *y = graph_broadcast_to(m->g, *y, s);
    return true;
  }
  *y = fit(m, *y, (*x)->shape);
  return true;
}

static Node *to_type(Maker *m, Node *x, DType t) { return x->dtype == t ? x : graph_cast(m->g, x, t); }

static Node *constant(Maker *m, DType t, Shape s) {
  int64_t n = chance(m, 40) ? 1 : shape_count(s);
  double *v = ARENA_ARRAY(m->arena, double, n);
  for (int64_t i = 0; i < n; i++) {
    v[i] = t == DT_BOOL    ? below(m, 2)
           : t == DT_I32   ? (double)between(m, -3, 6)
           : chance(m, 20) ? (double)between(m, -2, 2)
                           : 4 * unit(m) - 2;
    if (t == DT_F32) v[i] = (double)(float)v[i];
  }
  return n == 1 ? graph_const_typed(m->g, v[0], t, s) : graph_tensor(m->g, v, t, s);
}

// -- one node of each kind

// No element of x at a whole number (or half of one), unless they came from whole numbers.
static bool off_edges(Maker *m, Node *x, double scale) {
  if (m->wild || x->op == OP_CAST || x->op == OP_IOTA) return true;
  const double *v = values_of(m, x);
  for (int64_t e = 0; e < shape_count(x->shape); e++)
    if (fabs(v[e] * scale - nearbyint(v[e] * scale)) < 1e-5) return false;
  return true;
}

static bool apart(Maker *m, Node *x, Node *y) {
  if (m->wild || !is_number(x)) return true;
  const double *v = values_of(m, x), *w = values_of(m, y);
  for (int64_t e = 0; e < shape_count(x->shape); e++)
    if (fabs(v[e] - w[e]) < 1e-6) return false;
  return true;
}

// A value in the operation's domain, from any.
static Node *into_domain(Maker *m, Node *x, const OpInfo *info) {
  Node *share = graph_unary(m->g, OP_SIGMOID, x);
  Node *width = graph_const_typed(m->g, info->hi - info->lo, x->dtype, x->shape),
       *low = graph_const_typed(m->g, info->lo, x->dtype, x->shape);
  return graph_binary(m->g, OP_ADD, graph_binary(m->g, OP_MUL, share, width), low);
}

static Op random_op(Maker *m, OpClass class, int arity) {
  for (;;) {
    Op op = (Op)below(m, OP_COUNT);
    if (op_info[op].class == class && op_info[op].arity == arity) return op;
  }
}

static bool takes_integers(Op op) {
  return op == OP_NEG || op == OP_ABS || op == OP_SIGN || op == OP_ADD || op == OP_SUB || op == OP_MUL ||
         op == OP_DIV || op == OP_MIN || op == OP_MAX;
}

static Node *unary(Maker *m) {
  Op op = random_op(m, CLASS_POINTWISE, 1);
  Node *x = pick(m, F32 | F64 | (takes_integers(op) ? I32 : 0));
  if (!x || op == OP_CAST) return NULL;
  if (m->inside && (op == OP_FLOOR || op == OP_ROUND || op == OP_SIGN)) return NULL;
  bool narrow = op_info[op].lo > -2 || op_info[op].hi < 2;
  if (is_number(x) && narrow && op != OP_FLOOR && op != OP_ROUND && (!m->wild || chance(m, 50)))
    x = into_domain(m, x, &op_info[op]);
  if ((op == OP_FLOOR && !off_edges(m, x, 1)) || (op == OP_ROUND && !off_edges(m, x, 2)) ||
      (op == OP_SIGN && !off_edges(m, x, 1)))
    return NULL;
  return graph_unary(m->g, op, x);
}

static Node *binary(Maker *m) {
  Op op = random_op(m, CLASS_POINTWISE, 2);
  Node *x = pick(m, F32 | F64 | (takes_integers(op) ? I32 : 0));
  Node *y = !x ? NULL : chance(m, 25) ? constant(m, x->dtype, x->shape) : pick(m, 1u << x->dtype);
  if (!x || !y || (m->inside && (op == OP_MOD || op == OP_ATAN2)) || !pair(m, &x, &y)) return NULL;
  if (is_number(x) && (op == OP_DIV || op == OP_POW) && !m->wild) {
    y = op == OP_DIV || chance(m, 70) ? into_domain(m, y, &op_info[op]) : y;
    x = op == OP_POW ? into_domain(m, x, &op_info[op]) : x;
  }
  return graph_binary(m->g, op, x, y);
}

static Node *compare(Maker *m) {
  if (m->inside) return NULL;
  if (chance(m, 40)) {
    Node *x = pick(m, BOOL), *y = pick(m, BOOL);
    if (!x || !y || chance(m, 20)) return x ? graph_unary(m->g, OP_NOT, x) : NULL;
    return pair(m, &x, &y) ? graph_binary(m->g, chance(m, 50) ? OP_AND : OP_OR, x, y) : NULL;
  }
  static const Op ops[] = {OP_LT, OP_LE, OP_EQ};
  Node *x = pick(m, F32 | F64 | I32),
       *y = chance(m, 30) ? constant(m, x->dtype, x->shape) : pick(m, 1u << x->dtype);
  if (!y || !pair(m, &x, &y) || !apart(m, x, y)) return NULL;
  return graph_binary(m->g, ops[below(m, 3)], x, y);
}

static Node *choose(Maker *m) {
  if (m->inside) return NULL;
  Node *c = pick(m, BOOL), *x = pick(m, F32 | F64 | I32 | BOOL), *y = x ? pick(m, 1u << x->dtype) : NULL;
  if (!c || !y || !pair(m, &x, &y)) return NULL;
  return graph_select(m->g, fit(m, c, x->shape), x, y);
}

static Node *cast(Maker *m) {
  if (m->inside) return NULL;
  Node *x = pick(m, F32 | F64 | I32 | BOOL);
  DType to = (DType)below(m, DT_F64 + 1);
  if (is_number(x) && (to == DT_I32 || to == DT_BOOL) && !off_edges(m, x, 1)) return NULL;
  return graph_cast(m->g, x, to);
}

static Node *reduce(Maker *m) {
  Op op = random_op(m, CLASS_REDUCE, 1);
  Node *x = pick(m, F32 | F64 | I32);
  int axes[MAX_RANK], n = 0;
  if (!x || x->shape.rank == 0) return NULL;
  if (op == OP_ARGMAX) {
    axes[n++] = below(m, x->shape.rank);
  } else {
    for (int i = 0; i < x->shape.rank; i++)
      if (chance(m, 55)) axes[n++] = i;
  }
  return n ? graph_reduce(m->g, op, x, axes, n) : NULL;
}

static Node *reorder(Maker *m) {
  Node *x = pick(m, F32 | F64 | I32 | BOOL);
  int perm[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) perm[i] = i;
  for (int i = x->shape.rank - 1; i > 0; i--) {
    int k = below(m, i + 1), p = perm[i];
    perm[i] = perm[k];
    perm[k] = p;
  }
  return chance(m, 50) ? graph_transpose(m->g, x, perm)
                       : graph_reshape(m->g, x, refold(m, shape_count(x->shape)));
}

static Node *widen(Maker *m) {
  Node *x = pick(m, F32 | F64 | I32 | BOOL);
  Shape s = {0};
  int axes[MAX_RANK];
  if (x->shape.rank > 4) return NULL;
  for (int i = 0; i <= x->shape.rank; i++) {
    while (s.rank < 5 - (x->shape.rank - i) && chance(m, 30)) s.dim[s.rank++] = between(m, 1, 6);
    if (i < x->shape.rank) axes[i] = s.rank, s.dim[s.rank++] = x->shape.dim[i];
  }
  return shape_count(s) <= m->limit ? graph_broadcast(m->g, x, s, axes) : NULL;
}

static Node *cut(Maker *m) {
  Node *x = pick(m, F32 | F64 | I32 | BOOL);
  int64_t start[MAX_RANK], stop[MAX_RANK], step[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) {
    start[i] = chance(m, 40) ? 0 : between(m, 0, x->shape.dim[i] - 1);
    stop[i] = chance(m, 40) ? x->shape.dim[i] : between(m, start[i] + 1, x->shape.dim[i]);
    step[i] = chance(m, 60) ? 1 : between(m, 1, 4);
  }
  return graph_slice(m->g, x, start, stop, step);
}

static Node *pad(Maker *m) {
  Node *x = pick(m, F32 | F64 | I32 | BOOL);
  int64_t lo[MAX_RANK], hi[MAX_RANK], inner[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) {
    lo[i] = chance(m, 50) ? 0 : between(m, 0, 9);
    hi[i] = chance(m, 50) ? 0 : between(m, 0, 9);
    inner[i] = chance(m, 80) ? 0 : between(m, 1, 3);
  }
  return graph_pad(m->g, x, lo, hi, inner);
}

static Node *slide(Maker *m) {
  Node *x = pick(m, F32 | F64 | I32);
  if (x->shape.rank < 2) return NULL;
  const int axis = (int)between(m, 0, x->shape.rank - 2);
  const int64_t step = between(m, 1, 3), spread = between(m, 0, 3), n = x->shape.dim[axis],
                span = (x->shape.dim[axis + 1] - 1) * spread + 1;
  if (chance(m, 50)) return span > n ? NULL : graph_slide(m->g, x, axis, step, spread);
  return graph_unslide(m->g, x, axis, step, spread, (n - 1) * step + span + between(m, 0, step - 1));
}

static Node *random_numbers(Maker *m);
static Node *join(Maker *m) {
  Node *x = pick(m, F32 | F64 | I32 | BOOL), *parts[3] = {x};
  if (x->shape.rank == 0) return NULL;
  int axis = below(m, x->shape.rank), n = 2 + below(m, 2);
  for (int i = 1; i < n; i++) {
    Node *y = x->dtype == DT_F32 && chance(m, 30) ? random_numbers(m) : pick(m, 1u << x->dtype);
    Shape s = x->shape;
    s.dim[axis] = y->shape.rank == s.rank && chance(m, 50) ? y->shape.dim[axis]
                  : chance(m, 50)                          ? 8 * between(m, 1, 8)
                                                           : between(m, 1, 34);
    if (shape_count(s) > m->limit) return NULL;
    parts[i] = fit(m, y, s);
  }
  if (chance(m, 50)) parts[0] = parts[n - 1], parts[n - 1] = x;
  return graph_concat(m->g, parts, n, axis);
}

static Node *product(Maker *m) {
  Node *x = pick(m, F32), *y = pick(m, F32);
  Shape a = x->shape, b;
  if (a.rank < 2) a = shape_of(2, (int64_t)between(m, 1, 9), (int64_t)between(m, 1, 17));
  b = a;
  b.dim[b.rank - 2] = a.dim[a.rank - 1];
  b.dim[b.rank - 1] = between(m, 1, 20);
  if (shape_count(b) > m->limit || shape_count(a) > m->limit || a.dim[a.rank - 1] > 2000) return NULL;
  x = fit(m, x, a);
  if (chance(m, 30)) y = graph_swap(m->g, fit(m, y, graph_swap(m->g, constant(m, DT_F32, b))->shape));
  return graph_matmul(m->g, x, fit(m, y, b));
}

static Node *index_of(Maker *m, Shape s) {
  Node *i = pick(m, I32);
  return i && chance(m, 70) ? fit(m, i, s) : constant(m, DT_I32, s);
}

static Node *factors(Maker *m) {
  Node *x = pick(m, F32 | F64);
  if (chance(m, 50)) return random_empty(m->g, x, below(m, 999), !m->inside && chance(m, 20));
  return m->wild ? NULL : random_factor(m->g, x, below(m, 7));
}

static Node *indexing(Maker *m) {
  if (m->inside) return NULL;
  Op op = random_op(m, CLASS_INDEX, chance(m, 70) ? 2 : 1);
  bool moves = op == OP_GATHER || op == OP_TAKE_ALONG;
  Node *x = pick(m, F32 | (moves ? I32 | BOOL : 0));
  if (!x || x->shape.rank == 0 || op == OP_INDEX) return NULL;
  Shape s = x->shape;
  switch (op) {
  case OP_GATHER:
    return graph_gather(m->g, x,
                        index_of(m, chance(m, 60) ? shape_of(1, (int64_t)between(m, 1, 12))
                                                  : shape_of(2, (int64_t)3, (int64_t)2)));
  case OP_SCATTER_ADD:
    s.rank = 1 + below(m, s.rank);
    return graph_scatter_add(m->g, index_of(m, s), x, between(m, 1, 7));
  case OP_TAKE_ALONG: s.dim[s.rank - 1] = between(m, 1, 12); return graph_take_along(m->g, x, index_of(m, s));
  case OP_PUT_ALONG: return graph_put_along(m->g, index_of(m, s), x, between(m, 1, 7));
  case OP_CUMSUM: return graph_running(m->g, OP_CUMSUM, x, below(m, s.rank), chance(m, 50));
  default: return graph_argsort(m->g, x);
  }
}

static Node *random_numbers(Maker *m) {
  Node *u = graph_uniform(m->g, m->seed, m->step, between(m, 0, 5), random_shape(m));
  if (chance(m, 60)) return u;
  Node *scaled = graph_binary(m->g, OP_SUB, graph_binary(m->g, OP_MUL, u, graph_const(m->g, 1.9, u->shape)),
                              graph_const(m->g, 0.95, u->shape));
  return graph_unary(m->g, OP_ERFINV, scaled);
}

static Node *leaf(Maker *m) {
  Shape s = random_shape(m);
  if (chance(m, 50) && s.rank)
    return graph_iota(m->g, below(m, s.rank), (DType[]){DT_F32, DT_I32, DT_F64}[below(m, 3)], s);
  return constant(m, (DType)below(m, DT_F64 + 1), s);
}

static Node *random_node(Maker *m);

static Node *whole(Maker *m, int64_t n) { return graph_const_typed(m->g, (double)n, DT_I32, (Shape){0}); }

// The loop ends before some turn, which its number decides.
static void end_early(Maker *m, LoopBuild *b) {
  Node **lists[3];
  for (int i = 0; i < 3; i++) lists[i] = ARENA_ARRAY(m->arena, Node *, 3);
  Node *made = graph_binary(m->g, OP_ADD, b->index, whole(m, 1));
  for (int i = 0; i < 2; i++) lists[0][i] = graph_hole(m->g, i ? DT_I32 : DT_BOOL, (Shape){0});
  lists[1][0] = graph_const_typed(m->g, chance(m, 90), DT_BOOL, (Shape){0}), lists[1][1] = whole(m, 0);
  lists[2][0] = graph_binary(m->g, OP_LT, made, whole(m, between(m, 1, b->turns))), lists[2][1] = made;
  lists[0][2] = b->carry[0], lists[1][2] = b->initial[0], lists[2][2] = b->next[0];
  b->carries = 3, b->carry = lists[0], b->initial = lists[1], b->next = lists[2], b->end = LOOP_WHILE;
}

// A loop that carries a value, over slices of another; its body is of a few nodes, made on the first turn's
// values.
static Node *turns(Maker *m) {
  Node *start = pick(m, F32 | F64), *source = pick(m, 1u << (start ? start->dtype : DT_F32)), *after = NULL;
  if (!start || m->inside || m->wild || shape_count(start->shape) > 300) return NULL;
  const int64_t n = between(m, 1, 5);
  Shape s = start->shape;
  s.dim[s.rank] = n;
  for (int i = s.rank++; i > 0; i--) s.dim[i] = s.dim[i - 1];
  s.dim[0] = n;
  source = fit(m, source, s);
  Node *carry = graph_hole(m->g, start->dtype, start->shape), *slice = graph_slice_hole(m->g, source),
       *index = graph_hole(m->g, DT_I32, (Shape){0});
  m->values[carry->id] = (double *)values_of(m, start);
  m->values[slice->id] = (double *)values_of(m, source);
  m->values[index->id] = ARENA_ARRAY(m->arena, double, 1);
  const int outside = m->pool.len;
  Node *holes[] = {carry, slice, graph_cast(m->g, index, DT_F32)};
  for (int i = 0; i < 3; i++) keep(m, holes[i]);
  m->inside = true;
  for (int i = 0, made = 0; i < 30 && made < 4; i++) made += keep(m, random_node(m));
  m->inside = false;
  for (int i = m->pool.len - 1; i >= outside && !after; i--)
    if (m->pool.data[i]->dtype == start->dtype) after = m->pool.data[i];
  m->pool.len = outside;
  after = graph_unary(m->g, OP_TANH, fit(m, after, start->shape));
  Node *stack = graph_binary(m->g, OP_SUB, carry, slice), *parts[8];
  LoopBuild b = {
      .turns = n, .index = index, .carries = 1, .slices = 1, .stacks = 1, .reverse = chance(m, 30)};
  b.carry = &carry, b.initial = &start, b.next = &after;
  b.slice = &slice, b.source = &source, b.stack = &stack;
  if (!b.reverse && chance(m, 40)) end_early(m, &b);
  graph_build_long_loop(m->g, &b, chance(m, 30) ? 0 : LOOP_STACKED_BYTES, parts);
  keep(m, parts[b.carries]);
  return parts[b.carries - 1];
}

// A choice between values that the sides make.
static Node *sides(Maker *m) {
  Node *like = pick(m, F32 | F64), *value[2];
  if (!like || m->branching || m->wild) return NULL;
  const int since = m->g->nodes.len, outside = m->pool.len;
  m->branching = true;
  for (int k = 0; k < 2; k++) {
    for (int i = 0, made = 0; i < 30 && made < 3; i++) made += keep(m, random_node(m));
    Node *made = m->pool.data[m->pool.len - 1];
    if (made->dtype != DT_F32) made = graph_cast(m->g, made, DT_F32);
    value[k] = graph_unary(m->g, OP_SIN, fit(m, made, like->shape));
    m->pool.len = outside;
  }
  m->branching = false;
  Node *condition = graph_binary(m->g, OP_LT, m->step, whole(m, below(m, 9))), *part;
  bool *inside = ARENA_ARRAY(m->arena, bool, m->g->nodes.len + 1);
  for (int i = since; i < m->g->nodes.len; i++) inside[i] = true;
  inside[condition->id] = false;
  graph_build_if(m->g, condition, inside, &value[0], &value[1], 1, &part);
  return part;
}

static Node *random_node(Maker *m) {
  static const struct {
    int weight;
    Node *(*make)(Maker *);
  } kinds[] = {{20, unary},  {26, binary}, {7, compare}, {6, choose},   {6, cast},
               {13, reduce}, {9, reorder}, {6, widen},   {6, cut},      {6, pad},
               {5, slide},   {9, join},    {4, product}, {8, indexing}, {6, random_numbers},
               {6, factors}, {3, leaf},    {3, turns},   {2, sides}};
  enum { NKINDS = sizeof kinds / sizeof *kinds };
  int total = 0;
  for (int i = 0; i < NKINDS; i++) total += kinds[i].weight;
  int at = below(m, total), i = 0;
  while ((at -= kinds[i].weight) >= 0) i++;
  return kinds[i].make(m);
}

// -- the whole

static void fill(Maker *m, const Node *n, double *v) {
  static const double special[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1, -1, 1e15, -1e15, 1e-30, 100, -100};
  for (int64_t e = 0; e < shape_count(n->shape); e++) {
    if (n->dtype == DT_I32)
      v[e] = n == m->seed ? (double)(int32_t)draw(m) : (double)between(m, -3, 9);
    else if (n->dtype == DT_BOOL)
      v[e] = below(m, 2);
    else
      v[e] = m->wild && chance(m, 25) ? special[below(m, sizeof special / sizeof *special)] : 4 * unit(m) - 2;
    if (n->dtype == DT_F32) v[e] = (double)(float)v[e];
  }
}

static Node *add_input(Maker *m, const char *name, DType t, Shape s) {
  Node *n = graph_input(m->g, name, t, s);
  if (t == DT_I32 && s.rank == 1 && !strcmp(name, "seed")) m->seed = n;
  m->values[n->id] = ARENA_ARRAY(m->arena, double, shape_count(s));
  fill(m, n, m->values[n->id]);
  return n;
}

static void make_inputs(Maker *m) {
  add_input(m, "seed", DT_I32, shape_of(1, (int64_t)2));
  m->step = add_input(m, "step", DT_I32, (Shape){0});
  const int n = 3 + below(m, MOST_INPUTS - 3);
  for (int i = 0; i < n; i++) {
    DType t = i < 2 || chance(m, 60) ? DT_F32 : (DType)below(m, DT_F64 + 1);
    vec_push(m->arena, m->pool, add_input(m, arena_printf(m->arena, "x%d", i), t, random_shape(m)));
  }
}

// The gradient of what some nodes add up to, by an input of floats.
static void differentiate(Maker *m) {
  Node *sum = NULL, *x = pick(m, F32 | F64), *slope;
  for (int i = 0; i < m->g->inputs.len && chance(m, 90); i++)
    if (is_number(m->g->inputs.data[i])) x = m->g->inputs.data[i];
  for (int i = 0; i < 3; i++) {
    Node *y = pick(m, F32 | F64);
    if (!y) return;
    y = graph_reduce_all(m->g, OP_SUM, graph_binary(m->g, OP_MUL, y, constant(m, y->dtype, y->shape)));
    y = to_type(m, y, DT_F32);
    sum = sum ? graph_binary(m->g, OP_ADD, sum, y) : y;
  }
  if (!x || m->g->nodes.len > MOST_NODES / 2) return;
  ad_gradient(m->g, sum, &x, 1, &slope);
  if (m->g->nodes.len < MOST_NODES - 100) keep(m, slope);
}

static bool overwritten(const Graph *g, int input) {
  for (int i = 0; i < g->outputs.len; i++)
    if (g->outputs.data[i].alias == input) return true;
  return false;
}

static void add_output(Maker *m, Node *n) {
  Graph *g = m->g;
  int alias = -1;
  for (int i = 0; i < g->inputs.len && alias < 0 && chance(m, 80); i++)
    if (g->inputs.data[i]->dtype == n->dtype && shape_equal(g->inputs.data[i]->shape, n->shape) &&
        !overwritten(g, i))
      alias = i;
  graph_output(g, arena_printf(m->arena, "y%d", g->outputs.len), n, alias);
}

RandomGraph random_graph(Arena *a, uint64_t number) {
  Maker *m = ARENA_NEW(a, Maker);
  *m = (Maker){.arena = a, .state = number * 0x9e3779b97f4a7c15u, .g = graph_new(a, "random")};
  m->g->keeps = chance(m, 50);
  m->wild = chance(m, 15);
  m->limit = chance(m, 4) ? 200000 : chance(m, 20) ? 20000 : 1500;
  make_inputs(m);
  const int want = m->limit > 100000 ? 10 : 8 + below(m, 30);
  for (int i = 0, made = 0; i < 12 * want && made < want && m->g->nodes.len < MOST_NODES / 2; i++)
    made += keep(m, random_node(m));
  if (chance(m, 40)) differentiate(m);
  const int outputs = 1 + below(m, 10);
  for (int i = 0; i < outputs; i++) {
    int recent = chance(m, 70) && m->pool.len > 10 ? m->pool.len - 10 : 0;
    add_output(m, m->pool.data[recent + below(m, m->pool.len - recent)]);
  }
  return (RandomGraph){m->g, m->wild, m->values};
}
