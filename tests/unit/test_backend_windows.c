// Products with windows and with panels, compiled: many sizes, gradients, found by the passes and as they
// were, against the interpreter and each other.
#include "compiler/ad/ad.h"
#include "compiler/passes/passes.h"
#include "runtime/support.h"
#include "test_backend_case.h"

typedef struct Sizes {
  int64_t images, height, width, channels, rows, columns, units, step, spread, frame;
  int64_t step_w; // where it is another one than downwards
} Sizes;

static Node *slid(Graph *g, Node *x, int axis, int64_t size, int64_t step, int64_t spread) {
  Shape wide = {.rank = x->shape.rank + 1};
  int axes[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) axes[i] = i + (i > axis), wide.dim[axes[i]] = x->shape.dim[i];
  wide.dim[axis + 1] = size;
  return graph_slide(g, graph_broadcast(g, x, wide, axes), axis, step, spread);
}

// As the library spells a convolution, and its gradients; of one row of pixels, where rows is 0.
static Graph *convolution(Arena *a, Sizes s, DType t, bool gradients) {
  const bool line = s.rows == 0;
  Graph *g = graph_new(a, "convolution");
  Node *x = line ? graph_input(g, "x", t, shape_of(3, s.images, s.width, s.channels))
                 : graph_input(g, "x", t, shape_of(4, s.images, s.height, s.width, s.channels));
  const int64_t elements = (line ? 1 : s.rows) * s.columns * s.channels,
                step_w = s.step_w ? s.step_w : s.step;
  Node *w = graph_input(g, "w", t, shape_of(2, elements, s.units));
  const int64_t around[4] = {0, s.frame, line ? 0 : s.frame, 0}, none[4] = {0};
  Node *v = graph_pad(g, x, around, around, none);
  v = slid(g, v, 1, line ? s.columns : s.rows, s.step, s.spread);
  if (!line) v = graph_transpose(g, slid(g, v, 3, s.columns, step_w, s.spread), (int[]){0, 1, 3, 2, 4, 5});
  Node *y = graph_matmul(g, graph_reshape(g, v, shape_of(2, shape_count(v->shape) / elements, elements)), w);
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

static void convolutions(DType type, bool narrow) {
  reg_window_narrow = narrow;
  static const Sizes sizes[] = {
      {2, 7, 9, 3, 3, 3, 10, 1, 1, 1},    // units of less than a vector
      {1, 8, 8, 4, 3, 2, 32, 1, 1, 0},    // two whole vectors
      {3, 5, 6, 2, 2, 3, 17, 1, 2, 2},    // one unit behind a vector
      {1, 4, 4, 9, 3, 3, 40, 1, 1, 1},    // a panel and a narrower one
      {2, 17, 17, 1, 5, 5, 1, 1, 1, 2},   // one unit; more than a block of windows
      {1, 0, 300, 2, 0, 4, 3, 1, 1, 0},   // a line longer than a block
      {2, 0, 40, 3, 0, 5, 6, 1, 3, 6},    // a line
      {2, 9, 8, 2, 3, 3, 5, 2, 1, 1},     // steps
      {2, 8, 9, 33, 3, 3, 5, 2, 1, 1},    // the other edges; channels that are units on the way back
      {1, 11, 10, 3, 2, 3, 4, 3, 1, 0},   // pixels that no window reaches
      {2, 12, 9, 2, 3, 2, 3, 2, 2, 2},    // step and spread of one divisor: phases without weights
      {1, 13, 16, 2, 4, 3, 3, 3, 2, 1},   // a spread that goes through the phases
      {1, 12, 17, 4, 5, 3, 6, 4, 6, 12},  // a divisor of its own
      {1, 9, 14, 2, 3, 2, 3, 2, 1, 2, 3}, // another step across
      {2, 5, 5, 2, 2, 2, 3, 7, 1, 1},     // a step that only one window takes
      {1, 8, 9, 2, 2, 2, 3, 3, 0, 0},     // all elements in one place
      {2, 0, 40, 3, 0, 5, 6, 3, 2, 6},    // a line with steps
      {3, 33, 32, 16, 3, 3, 24, 2, 1, 1}, // threads, with steps
      {2, 64, 20, 8, 3, 3, 24, 1, 1, 1},  // threads
  };
  const size_t n = sizeof sizes / sizeof *sizes;
  Machine m = machine_new(NULL);
  for (size_t i = 0; i < n; i++)
    for (int level = 0; level <= 2; level += 2) {
      const bool gradients = i + 1 < n;
      Graph *g = passes_run(m.arena, convolution(m.arena, sizes[i], type, gradients), level, true);
      check_graph_in(&m, g, -1, 1, type == DT_F64 ? 1e-12 : 1e-4);
      if (level == 0 || sizes[i].step > sizes[i].rows) continue; // apart from each other: no slides
      cr_expect_eq(count(g, OP_CONV), 1, "case %zu", i);
      cr_expect_eq(count(g, OP_CONV_IMAGE), gradients, "case %zu", i);
      cr_expect_eq(count(g, OP_CONV_WEIGHTS), gradients, "case %zu", i);
      cr_expect_eq(count(g, OP_SLIDE) + count(g, OP_UNSLIDE), 0, "case %zu", i);
    }
  machine_free(&m);
}

Test(backend_windows, convolutions) { convolutions(DT_F32, false); }

Test(backend_windows, convolutions_without_wide_vectors) { convolutions(DT_F32, true); }

Test(backend_windows, convolutions_in_double) { convolutions(DT_F64, false); }

Test(backend_windows, convolutions_in_double_without_wide_vectors) { convolutions(DT_F64, true); }

// What goes back to a part of an image, and what it is made of, by gradients of gradients.
static void parts(bool narrow) {
  static const char *const shapes[] = {
      "x = input f32[2,4,5,3] \"x\" w = input f32[2,3,5,3] \"w\"\n"
      "y = conv_image(x, w) step_h=3 step_w=2 spread_h=1 spread_w=1 top=2 left=1 height=8 width=7",
      "x = input f32[1,1,3,2] \"x\" w = input f32[1,2,4,2] \"w\"\n" // of one pixel, which no weight reaches
      "y = conv_image(x, w) step_h=5 step_w=4 spread_h=1 spread_w=1 top=3 left=0 height=1 width=9",
      "x = input f64[2,5,4,2] \"x\" w = input f64[3,2,9,2] \"w\"\n"
      "y = conv_image(x, w) step_h=4 step_w=3 spread_h=6 spread_w=2 top=3 left=2 height=4 width=9",
      "x = input f32[3,6,6,4] \"x\" w = input f32[3,3,20,4] \"w\"\n"
      "y = slice(conv_image(x, w) step_h=2 step_w=2 spread_h=1 spread_w=1 top=0 left=1 height=10 width=9) "
      "start=[1,3,2,0] stop=[3,8,9,20] step=[1,1,1,1]",
  };
  reg_window_narrow = narrow;
  Machine m = machine_new(NULL);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const char *error = NULL;
    const char *text = arena_printf(m.arena, "graph \"g\" %s\noutput \"y\" y", shapes[i]);
    Graph *g = graph_parse(m.arena, text, &error);
    cr_assert(g, "case %zu: %s", i, error);
    Graph *first =
        passes_run(m.arena, g, 2, true); // a part of an image is made of a part of what goes back to it
    check_graph_in(&m, first, -1, 1, 1e-4);
    cr_expect(i < 3 || first->nodes.data[2]->op == OP_SLICE, "case %zu", i);
    Node *number = graph_reduce_all(g, OP_SUM, graph_unary(g, OP_SIN, g->outputs.data[0].node)), *of[2],
         *more[2];
    ad_gradient(g, number, g->inputs.data, 2, of);
    ad_gradient(g, graph_reduce_all(g, OP_SUM, graph_unary(g, OP_SIN, of[0])), g->inputs.data, 2, more);
    for (int k = 0; k < 2; k++) graph_output(g, arena_printf(m.arena, "of %d", k), of[k], -1);
    for (int k = 0; k < 2; k++) graph_output(g, arena_printf(m.arena, "more of %d", k), more[k], -1);
    g = passes_run(m.arena, g, 2, true);
    check_graph_in(&m, g, -1, 1, 1e-4);
  }
  machine_free(&m);
}

Test(backend_windows, parts) { parts(false); }

Test(backend_windows, parts_without_wide_vectors) { parts(true); }

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
