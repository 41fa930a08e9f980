// Products with windows, compiled: images of many sizes, the gradients of both operands, found by the passes
// and with windows that are stored, against the interpreter and each other.
#include "compiler/ad/ad.h"
#include "compiler/passes/passes.h"
#include "runtime/support.h"
#include "test_backend_case.h"

typedef struct Sizes {
  int64_t images, height, width, channels, rows, columns, units, step, spread, frame;
} Sizes;

static Node *slid(Graph *g, Node *x, int axis, int64_t size, int64_t step, int64_t spread) {
  Shape wide = {.rank = x->shape.rank + 1};
  int axes[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) axes[i] = i + (i > axis), wide.dim[axes[i]] = x->shape.dim[i];
  wide.dim[axis + 1] = size;
  return graph_slide(g, graph_broadcast(g, x, wide, axes), axis, step, spread);
}

// As the library spells a convolution, and its gradients; of one row of pixels, where rows is 0.
static Graph *convolution(Arena *a, Sizes s, bool gradients) {
  const bool line = s.rows == 0;
  Graph *g = graph_new(a, "convolution");
  Node *x = line ? graph_input(g, "x", DT_F32, shape_of(3, s.images, s.width, s.channels))
                 : graph_input(g, "x", DT_F32, shape_of(4, s.images, s.height, s.width, s.channels));
  const int64_t elements = (line ? 1 : s.rows) * s.columns * s.channels;
  Node *w = graph_input(g, "w", DT_F32, shape_of(2, elements, s.units));
  const int64_t around[4] = {0, s.frame, line ? 0 : s.frame, 0}, none[4] = {0};
  Node *t = graph_pad(g, x, around, around, none);
  t = slid(g, t, 1, line ? s.columns : s.rows, s.step, s.spread);
  if (!line) t = graph_transpose(g, slid(g, t, 3, s.columns, s.step, s.spread), (int[]){0, 1, 3, 2, 4, 5});
  Node *y = graph_matmul(g, graph_reshape(g, t, shape_of(2, shape_count(t->shape) / elements, elements)), w);
  Node *number = graph_reduce_all(g, OP_SUM, graph_unary(g, OP_SIN, y)), *in[] = {x, w}, *gradient[2];
  graph_output(g, "y", y, -1);
  if (!gradients) return g;
  ad_gradient(g, number, in, 2, gradient);
  graph_output(g, "of x", gradient[0], -1);
  graph_output(g, "of w", gradient[1], -1);
  return g;
}

static int count(const Graph *g, Op op) {
  int n = 0;
  for (int i = 0; i < g->nodes.len; i++) n += g->nodes.data[i]->op == op;
  return n;
}

static void convolutions(bool narrow) {
  reg_window_narrow = narrow;
  static const Sizes sizes[] = {
      {2, 7, 9, 3, 3, 3, 10, 1, 1, 1},   // units of less than a vector
      {1, 8, 8, 4, 3, 2, 32, 1, 1, 0},   // two whole vectors
      {3, 5, 6, 2, 2, 3, 17, 1, 2, 2},   // one unit behind a vector
      {1, 4, 4, 9, 3, 3, 40, 1, 1, 1},   // a panel and a narrower one
      {2, 17, 17, 1, 5, 5, 1, 1, 1, 2},  // one unit; more than a block of windows
      {2, 9, 8, 2, 3, 3, 5, 2, 1, 1},    // steps
      {1, 0, 300, 2, 0, 4, 3, 1, 1, 0},  // a line longer than a block
      {2, 0, 40, 3, 0, 5, 6, 1, 3, 6},   // a line
      {2, 64, 20, 8, 3, 3, 24, 1, 1, 1}, // threads
  };
  Machine m = machine_new(NULL);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int level = 0; level <= 2; level += 2) {
      Graph *g = passes_run(m.arena, convolution(m.arena, sizes[i], i < 8), level, true);
      check_graph_in(&m, g, -1, 1, 1e-4);
      if (level == 0) continue;
      const bool back = i < 8 && sizes[i].step == 1;
      cr_expect_eq(count(g, OP_CONV), 1 + back, "case %zu", i);
      cr_expect_eq(count(g, OP_CONV_WEIGHTS), i < 8, "case %zu", i);
    }
  machine_free(&m);
}

Test(backend_windows, convolutions) { convolutions(false); }

Test(backend_windows, convolutions_without_wide_vectors) { convolutions(true); }
