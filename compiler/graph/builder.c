// Building. In: operands of a graph. Out: the node of an operation on them, simplified and unique. Holds:
// operands' shapes fit, or the process ends with an internal error: what the user may get wrong is checked
// before.
#include "ops.h"
#include <string.h>

Node *node_build(Graph *g, Node *proto) {
  const char *fault = node_infer(g->arena, proto);
  if (fault) ice("graph", "%s: %s", op_info[proto->op].text, fault);
  Node *simpler = node_simplify(g, proto);
  return simpler ? simpler : node_intern(g, proto);
}

static Node *build(Graph *g, Op op, Node *const *in, int nin, const int64_t *attr, int nattr) {
  Node *operands[3];
  Node proto = {.op = op, .in = (Node **)in, .nin = nin, .attr = attr, .nattr = nattr};
  if (nin <= 3) {
    for (int i = 0; i < nin; i++) operands[i] = in[i];
    proto.in = operands;
  }
  return node_build(g, &proto);
}

static Node *build_typed(Graph *g, Op op, Node *x, DType t, Shape s, const int64_t *attr, int nattr) {
  Node proto = {.op = op, .in = &x, .nin = x ? 1 : 0, .dtype = t, .shape = s, .attr = attr, .nattr = nattr};
  return node_build(g, &proto);
}

// -- leaves

Node *graph_find_input(const Graph *g, const char *name) { return map_get(&g->table->inputs, name); }

Node *graph_port(Graph *g, Port p, const char *name, DType t, Shape s) {
  Node *known = graph_find_input(g, name);
  if (known && (known->dtype != t || !shape_equal(known->shape, s)))
    ice("graph", "input %s: two types", name);
  if (known) return known;
  int64_t position = g->inputs.len;
  Node proto = {
      .op = OP_INPUT, .dtype = t, .shape = s, .name = name, .port = p, .attr = &position, .nattr = 1};
  return node_build(g, &proto);
}

Node *graph_input(Graph *g, const char *name, DType t, Shape s) {
  return graph_port(g, (Port){0}, name, t, s);
}

Node *graph_input_like(Graph *g, const Node *input, DType t) {
  return graph_port(g, input->port, input->name, t, input->shape);
}

Node *graph_const_typed(Graph *g, double value, DType t, Shape s) {
  if (shape_count(s) == 0) value = 0;
  Node proto = {.op = OP_CONST, .dtype = t, .shape = s, .data = &value, .ndata = 1};
  return node_build(g, &proto);
}

Node *graph_const(Graph *g, double value, Shape s) { return graph_const_typed(g, value, DT_F32, s); }

Node *graph_tensor(Graph *g, const double *data, DType t, Shape s) {
  int64_t n = shape_count(s), equal = 1;
  if (n == 0) return graph_const_typed(g, 0, t, s);
  while (equal < n && memcmp(&data[equal], &data[0], sizeof *data) == 0) equal++;
  Node proto = {.op = OP_CONST, .dtype = t, .shape = s, .data = data, .ndata = equal == n ? 1 : n};
  return node_build(g, &proto);
}

Node *graph_iota(Graph *g, int axis, DType t, Shape s) {
  int64_t attr = axis;
  return build_typed(g, OP_IOTA, NULL, t, s, &attr, 1);
}

// -- pointwise

Node *graph_unary(Graph *g, Op op, Node *x) { return build(g, op, &x, 1, NULL, 0); }

static Node *spread(Graph *g, Node *x, Shape s) {
  return x->shape.rank == 0 && s.rank > 0 ? graph_broadcast(g, x, s, NULL) : x;
}

Node *graph_binary(Graph *g, Op op, Node *x, Node *y) {
  x = spread(g, x, y->shape);
  y = spread(g, y, x->shape);
  // One order for operations that commute, so that equal values are equal nodes: constants last, else by age.
  bool swap = op_commutes(op) && (x->op == OP_CONST) >= (y->op == OP_CONST) &&
              ((x->op == OP_CONST) > (y->op == OP_CONST) || x->id > y->id);
  return build(g, op, swap ? (Node *[]){y, x} : (Node *[]){x, y}, 2, NULL, 0);
}

Node *graph_select(Graph *g, Node *cond, Node *x, Node *y) {
  Shape s = cond->shape.rank ? cond->shape : x->shape.rank ? x->shape : y->shape;
  return build(g, OP_SELECT, (Node *[]){spread(g, cond, s), spread(g, x, s), spread(g, y, s)}, 3, NULL, 0);
}

Node *graph_cast(Graph *g, Node *x, DType t) { return build_typed(g, OP_CAST, x, t, x->shape, NULL, 0); }

Node *graph_stop(Graph *g, Node *x) { return build(g, OP_STOP, &x, 1, NULL, 0); }

Node *graph_point(Graph *g, Node *x) {
  int64_t key = g->points++;
  return build(g, OP_POINT, &x, 1, &key, 1);
}

Node *graph_made(Graph *g, Node *x, Node *from) {
  return x == from ? x : build(g, OP_MADE, (Node *[]){x, from}, 2, NULL, 0);
}

// -- reductions

Node *graph_reduce(Graph *g, Op op, Node *x, const int *axes, int naxes) {
  if (naxes == 0) return x;
  unsigned mask = 0;
  for (int i = 0; i < naxes; i++) {
    if (axes[i] < 0 || axes[i] >= x->shape.rank) ice("graph", "%s: axis %d", op_info[op].text, axes[i]);
    mask |= 1u << axes[i];
  }
  int64_t attr[MAX_RANK];
  int n = 0;
  for (int i = 0; i < x->shape.rank; i++)
    if (mask >> i & 1) attr[n++] = i;
  return build(g, op, &x, 1, attr, n);
}

Node *graph_reduce_all(Graph *g, Op op, Node *x) {
  int axes[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) axes[i] = i;
  return graph_reduce(g, op, x, axes, x->shape.rank);
}

Node *graph_running(Graph *g, Op op, Node *x, int axis, bool reverse) {
  return build(g, op, &x, 1, (int64_t[]){axis, reverse}, 2);
}

// -- shape

Node *graph_reshape(Graph *g, Node *x, Shape s) {
  return build_typed(g, OP_RESHAPE, x, x->dtype, s, NULL, 0);
}

Node *graph_transpose(Graph *g, Node *x, const int *perm) {
  int64_t attr[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) attr[i] = perm[i];
  return build(g, OP_TRANSPOSE, &x, 1, attr, x->shape.rank);
}

Node *graph_swap(Graph *g, Node *x) {
  int perm[MAX_RANK], r = x->shape.rank;
  if (r < 2) ice("graph", "swap: rank %d", r);
  for (int i = 0; i < r; i++) perm[i] = i;
  perm[r - 2] = r - 1;
  perm[r - 1] = r - 2;
  return graph_transpose(g, x, perm);
}

Node *graph_rows(Graph *g, Node *x, int64_t start, int64_t stop) {
  int64_t from[MAX_RANK] = {start}, to[MAX_RANK] = {stop}, step[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) {
    if (i) to[i] = x->shape.dim[i];
    step[i] = 1;
  }
  return graph_slice(g, x, from, to, step);
}

Node *graph_split_rows(Graph *g, Node *x, int64_t n) {
  Shape s = {.rank = x->shape.rank + 1, .dim = {x->shape.dim[0] / n, n}};
  for (int i = 1; i < x->shape.rank; i++) s.dim[i + 1] = x->shape.dim[i];
  return graph_reshape(g, x, s);
}

Node *graph_join_rows(Graph *g, Node *x) {
  Shape s = {.rank = x->shape.rank - 1, .dim = {x->shape.dim[0] * x->shape.dim[1]}};
  for (int i = 1; i < s.rank; i++) s.dim[i] = x->shape.dim[i + 1];
  return graph_reshape(g, x, s);
}

Node *graph_broadcast(Graph *g, Node *x, Shape s, const int *axes) {
  int64_t attr[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) attr[i] = axes[i];
  return build_typed(g, OP_BROADCAST, x, x->dtype, s, attr, x->shape.rank);
}

Node *graph_broadcast_to(Graph *g, Node *x, Shape s) {
  int missing = s.rank - x->shape.rank, axes[MAX_RANK];
  if (missing < 0) return NULL;
  Shape kept = {0};
  for (int i = 0; i < x->shape.rank; i++) {
    int64_t d = x->shape.dim[i], want = s.dim[missing + i];
    if (d != want && d != 1) return NULL;
    if (d != want) continue;
    axes[kept.rank] = missing + i;
    kept.dim[kept.rank++] = d;
  }
  return graph_broadcast(g, graph_reshape(g, x, kept), s, axes);
}

Node *graph_slice(Graph *g, Node *x, const int64_t *start, const int64_t *stop, const int64_t *step) {
  int64_t attr[3 * MAX_RANK];
  const int r = x->shape.rank;
  for (int i = 0; i < r; i++) {
    attr[i] = start[i];
    attr[2 * r + i] = step[i];
    // The last element taken ends the slice: equal slices have equal attributes.
    attr[r + i] = step[i] > 0 && stop[i] > start[i] ? stop[i] - (stop[i] - start[i] - 1) % step[i] : stop[i];
  }
  return build(g, OP_SLICE, &x, 1, attr, 3 * r);
}

Node *graph_pad(Graph *g, Node *x, const int64_t *lo, const int64_t *hi, const int64_t *inner) {
  int64_t attr[3 * MAX_RANK];
  const int r = x->shape.rank;
  for (int i = 0; i < r; i++) {
    attr[i] = lo[i];
    attr[r + i] = hi[i];
    attr[2 * r + i] = x->shape.dim[i] > 1 ? inner[i] : 0;
  }
  return build(g, OP_PAD, &x, 1, attr, 3 * r);
}

Node *graph_slide(Graph *g, Node *x, int axis, int64_t step, int64_t spread) {
  return build(g, OP_SLIDE, &x, 1, (int64_t[]){axis, step, spread}, 3);
}

Node *graph_unslide(Graph *g, Node *x, int axis, int64_t step, int64_t spread, int64_t size) {
  return build(g, OP_UNSLIDE, &x, 1, (int64_t[]){axis, step, spread, size}, 4);
}

Node *graph_concat(Graph *g, Node *const *xs, int n, int axis) {
  int64_t attr = axis;
  return build(g, OP_CONCAT, xs, n, &attr, 1);
}

// -- contraction, indexing, random

Node *graph_matmul(Graph *g, Node *x, Node *y) { return build(g, OP_MATMUL, (Node *[]){x, y}, 2, NULL, 0); }

Node *graph_index(Graph *g, Node *x, int64_t size, Node *count, const char *place) {
  Node *in[2] = {x, count};
  Node proto = {.op = OP_INDEX, .name = place, .in = in, .nin = count ? 2 : 1, .attr = &size, .nattr = 1};
  return node_build(g, &proto);
}

Node *graph_gather(Graph *g, Node *x, Node *index) {
  return build(g, OP_GATHER, (Node *[]){x, index}, 2, NULL, 0);
}

Node *graph_scatter_add(Graph *g, Node *index, Node *x, int64_t size) {
  return build(g, OP_SCATTER_ADD, (Node *[]){index, x}, 2, &size, 1);
}

Node *graph_take_along(Graph *g, Node *x, Node *index) {
  return build(g, OP_TAKE_ALONG, (Node *[]){x, index}, 2, NULL, 0);
}

Node *graph_put_along(Graph *g, Node *index, Node *x, int64_t size) {
  return build(g, OP_PUT_ALONG, (Node *[]){index, x}, 2, &size, 1);
}

Node *graph_argsort(Graph *g, Node *x) { return build(g, OP_ARGSORT, &x, 1, NULL, 0); }

Node *graph_uniform(Graph *g, Node *seed, Node *counter, int64_t stream, Shape s) {
  Node proto = {.op = OP_UNIFORM,
                .dtype = DT_F32,
                .shape = s,
                .in = (Node *[]){seed, counter},
                .nin = 2,
                .attr = &stream,
                .nattr = 1};
  return node_build(g, &proto);
}

Node *graph_part(Graph *g, Node *tuple, int k) {
  int64_t attr = k;
  return build(g, OP_PART, &tuple, 1, &attr, 1);
}

void graph_output_port(Graph *g, Port p, const char *name, Node *x, int alias) {
  GraphOutput o = {arena_strdup(g->arena, name), x, alias, p};
  vec_push(g->arena, g->outputs, o);
}

void graph_output(Graph *g, const char *name, Node *x, int alias) {
  graph_output_port(g, (Port){0}, name, x, alias);
}
