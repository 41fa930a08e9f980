// Euclidean norms. In: tensors. Out: the root of the sum of squares over axes or over all elements. Holds:
// the result has its type's precision wherever it is in its type's range, and so have its derivatives: where
// the plain sum of squares is not well inside that range, everything is scaled by a power of two. The scale
// is constant for a gradient, as the norm does not depend on it. The gradient at 0 is 0, as the root's is.
#include "graph.h"

// Of floats: a sum of squares above 2^-80 has lost nothing below the smallest normal number, one below 2^100
// has not overflown. Scaled, values are between 2^-56 and 2^48, and what reverse mode multiplies them with is
// in range.
static const struct Scales {
  double small_sum, small_scale, large_sum, large_scale;
} of_floats = {0x1p-80, 0x1p70, 0x1p100, 0x1p-80}, of_doubles = {0x1p-800, 0x1p600, 0x1p800, 0x1p-600};

static const struct Scales *scales(const Graph *g, const Node *x) {
  return g->doubles || x->dtype == DT_F64 ? &of_doubles : &of_floats;
}

static Node *chosen(Graph *g, Node *sum, double small, double large) {
  const struct Scales *s = scales(g, sum);
  Node *low = graph_binary(g, OP_LT, sum, graph_const_typed(g, s->small_sum, sum->dtype, sum->shape)),
       *high = graph_binary(g, OP_LT, graph_const_typed(g, s->large_sum, sum->dtype, sum->shape), sum);
  Node *other = graph_select(g, high, graph_const_typed(g, large, sum->dtype, sum->shape),
                             graph_const_typed(g, 1, sum->dtype, sum->shape));
  return graph_stop(g, graph_select(g, low, graph_const_typed(g, small, sum->dtype, sum->shape), other));
}

static Node *square(Graph *g, Node *x) { return graph_binary(g, OP_MUL, x, x); }

static Node *unscaled_root(Graph *g, Node *scaled_sum, Node *sum) {
  const struct Scales *s = scales(g, sum);
  return graph_binary(g, OP_MUL, graph_unary(g, OP_SQRT, scaled_sum),
                      chosen(g, sum, 1 / s->small_scale, 1 / s->large_scale));
}

// y, whose axes are x's without `axes`, repeated along those.
static Node *repeated(Graph *g, Node *y, const Node *x, const int *axes, int naxes) {
  int kept[MAX_RANK], n = 0;
  for (int axis = 0; axis < x->shape.rank; axis++) {
    bool gone = false;
    for (int i = 0; i < naxes; i++) gone = gone || axes[i] == axis;
    if (!gone) kept[n++] = axis;
  }
  return graph_broadcast(g, y, x->shape, kept);
}

Node *graph_norm(Graph *g, Node *x, const int *axes, int naxes) {
  Node *sum = graph_reduce(g, OP_SUM, square(g, x), axes, naxes);
  const struct Scales *s = scales(g, x);
  Node *scale = repeated(g, chosen(g, sum, s->small_scale, s->large_scale), x, axes, naxes);
  Node *scaled = graph_reduce(g, OP_SUM, square(g, graph_binary(g, OP_MUL, x, scale)), axes, naxes);
  return unscaled_root(g, scaled, sum);
}

Node *graph_norm_all(Graph *g, Node *const *xs, int n) {
  Node *sum = NULL, *scaled = NULL;
  for (int i = 0; i < n; i++) {
    Node *s = graph_reduce_all(g, OP_SUM, square(g, xs[i]));
    sum = sum ? graph_binary(g, OP_ADD, sum, s) : s;
  }
  const struct Scales *of = scales(g, sum);
  Node *scale = chosen(g, sum, of->small_scale, of->large_scale);
  for (int i = 0; i < n; i++) {
    Node *s = graph_reduce_all(g, OP_SUM, square(g, graph_binary(g, OP_MUL, xs[i], scale)));
    scaled = scaled ? graph_binary(g, OP_ADD, scaled, s) : s;
  }
  return unscaled_root(g, scaled, sum);
}
