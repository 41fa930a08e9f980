// Products with windows and with panels, compiled: many sizes, gradients, found by the passes and as they
// were, against the interpreter and each other.
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

// Turns with two products in a row, of matrices of which one is read turned.
static Graph *turns(Arena *a, int64_t rows, int64_t inner, int64_t columns) {
  const char *error = NULL;
  const long long r = rows, k = inner, n = columns;
  Graph *g = graph_parse(
      a,
      arena_printf(a,
                   "graph \"g\" h = input f32[%lld,%lld] \"h\" w = input f32[%lld,%lld] \"w\"\n"
                   "v = input f32[%lld,%lld] \"v\"\n"
                   "r = loop(h, w, v) { graph \"turn\" i = input i32[] \"i\" c = input f32[%lld,%lld] \"c\"\n"
                   "w = input f32[%lld,%lld] \"w\" v = input f32[%lld,%lld] \"v\"\n"
                   "p = tanh(matmul(c, w)) q = sin(matmul(p, transpose(v) perm=[1,0]))\n"
                   "output \"c\" q } turns=5 carries=1 slices=0 stacks=0 reverse=0 end=0\n"
                   "output \"c\" part(r) k=0",
                   r, k, k, n, k, n, r, k, k, n, k, n),
      &error);
  cr_assert(g, "%s", error);
  Node *number = graph_reduce_all(g, OP_SUM, graph_unary(g, OP_SIN, g->outputs.data[0].node)), *gradient[3];
  ad_gradient(g, number, g->inputs.data, 3, gradient);
  for (int i = 0; i < 3; i++) graph_output(g, arena_printf(a, "of %d", i), gradient[i], -1);
  return g;
}

static int inside(const Graph *g, Op op) {
  int n = count(g, op);
  for (int i = 0; i < g->nodes.len; i++)
    if (g->nodes.data[i]->body) n += inside(g->nodes.data[i]->body, op);
  return n;
}

static void panels(bool narrow) {
  reg_window_narrow = narrow;
  static const int64_t sizes[][3] = {{8, 16, 16}, {9, 33, 65}, {32, 64, 96}, {40, 256, 160}, {7, 32, 32}};
  Machine m = machine_new(NULL);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int level = 0; level <= 2; level += 2) {
      Graph *g = passes_run(m.arena, turns(m.arena, sizes[i][0], sizes[i][1], sizes[i][2]), level, true);
      check_graph_in(&m, g, -0.1, 0.1, 1e-4);
      const int few = level == 0 || sizes[i][0] < 8; // of which panels would be of no use
      cr_expect_eq(inside(g, OP_PANEL_PRODUCT), few ? 0 : 6, "case %zu", i);
      cr_expect_eq(count(g, OP_PANELS), few ? 0 : 4, "case %zu", i);
    }
  machine_free(&m);
}

Test(backend_windows, panels) { panels(false); }

Test(backend_windows, panels_without_wide_vectors) { panels(true); }
