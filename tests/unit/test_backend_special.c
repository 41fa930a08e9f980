// Compiled code and interpreter on zeros, infinities, NaN and large values: the same answer for every
// pointwise operation on every pair of them, and for reductions and sorting of rows with ties and NaN.
#include "compiler/graph/ops.h"
#include "test_backend_case.h"

static const float special[] = {0,     -0.0f,  1,     -1,     0.5f,     -2,        3,   41,
                                1e20f, -1e20f, 1e38f, 1e-30f, INFINITY, -INFINITY, NAN, 16777215};
enum { N = sizeof special / sizeof *special };

// As floats, where results below the normal range may be zero.
static bool agree(double want, double got) {
  const float w = (float)want;
  if (isnan(w) || isnan(got)) return isnan(w) && isnan(got);
  if (isinf(w) || isinf(got)) return (double)w == got;
  return fabs(got - want) <= 2e-6 * fabs(want) + 2e-38;
}

static void compare(Machine *m, Graph *g, void *const *inputs) {
  double **preset = ARENA_ARRAY(m->arena, double *, g->nodes.len);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    preset[n->id] = ARENA_ARRAY(m->arena, double, shape_count(n->shape));
    for (int64_t e = 0; e < shape_count(n->shape); e++) preset[n->id][e] = element(n->dtype, inputs[i], e);
  }
  double **want = graph_interpret(m->arena, g, preset, true);
  void *got[64];
  run_compiled(m, loops_from_graph(m->arena, g, (LoopOptions){0}), inputs, 1, got);
  for (int o = 0; o < g->outputs.len; o++) {
    const Node *n = g->outputs.data[o].node;
    for (int64_t e = 0; e < shape_count(n->shape); e++) {
      double v = element(n->dtype, got[o], e), w = want[n->id][e];
      cr_expect(agree(w, v), "%s [%lld]: %.9g, interpreted %.9g", g->outputs.data[o].name, (long long)e, v,
                w);
    }
    free(got[o]);
  }
}

Test(special, pointwise) {
  Machine m = machine_new(NULL);
  Graph *g = graph_new(m.arena, "special");
  Shape s = shape_of(1, (int64_t)N * N);
  Node *x = graph_input(g, "x", DT_F32, s), *y = graph_input(g, "y", DT_F32, s);
  for (int op = 0; op < OP_COUNT; op++) {
    const OpInfo *info = &op_info[op];
    const bool logic = op == OP_AND || op == OP_OR || op == OP_NOT || op == OP_CAST || op == OP_SELECT;
    if ((info->class != CLASS_POINTWISE && info->class != CLASS_COMPARE) || logic) continue;
    Node *n = info->arity == 1 ? graph_unary(g, (Op)op, x) : graph_binary(g, (Op)op, x, y);
    graph_output(g, info->text, n->dtype == DT_BOOL ? graph_cast(g, n, DT_F32) : n, -1);
  }
  Node *zero = graph_const(g, 0, s);
  graph_output(g, "truth", graph_cast(g, graph_cast(g, x, DT_BOOL), DT_F32), -1);
  graph_output(g, "max with a constant", graph_binary(g, OP_MAX, x, zero), -1);
  graph_output(g, "min of a constant", graph_binary(g, OP_MIN, zero, x), -1);
  Node *nan = graph_const(g, NAN, s);
  graph_output(g, "max with NaN", graph_binary(g, OP_MAX, x, nan), -1);
  graph_output(g, "min of NaN", graph_binary(g, OP_MIN, nan, x), -1);
  graph_output(g, "times 0", graph_binary(g, OP_MUL, x, zero), -1);
  graph_output(g, "0 by", graph_binary(g, OP_DIV, zero, x), -1);
  graph_output(g, "less itself", graph_binary(g, OP_SUB, x, x), -1);
  graph_output(g, "floor of a quotient",
               graph_unary(g, OP_FLOOR, graph_binary(g, OP_DIV, x, graph_const(g, 41, s))), -1);
  float *in[] = {malloc(sizeof(float) * N * N), malloc(sizeof(float) * N * N)};
  for (int i = 0; i < N * N; i++) in[0][i] = special[i / N], in[1][i] = special[i % N];
  compare(&m, g, (void *const *)in);
  free(in[0]);
  free(in[1]);
  machine_free(&m);
}

Test(special, rows) {
  Machine m = machine_new(NULL);
  const int64_t widths[] = {1, 3, 8, 19, 40, 700};
  uint32_t state = 99;
  for (int i = 0; i < 6; i++) {
    Graph *g = graph_new(m.arena, "rows");
    Shape s = shape_of(2, (int64_t)60, widths[i]);
    Node *x = graph_input(g, "x", DT_F32, s), *order = graph_argsort(g, x);
    for (int axis = 0; axis < 2; axis++) {
      graph_output(g, axis ? "max" : "max down", graph_reduce(g, OP_RMAX, x, &axis, 1), -1);
      graph_output(g, axis ? "argmax" : "argmax down", graph_reduce(g, OP_ARGMAX, x, &axis, 1), -1);
    }
    graph_output(g, "all", graph_reduce_all(g, OP_RMAX, x), -1);
    graph_output(g, "order", order, -1);
    graph_output(g, "sorted", graph_take_along(g, x, order), -1);
    float *data = malloc(sizeof(float) * (size_t)shape_count(s));
    for (int64_t e = 0; e < shape_count(s); e++) {
      const uint32_t r = next_random(&state) % 64;
      data[e] = r < N && e / widths[i] % 3 ? special[r] : (float)(r % 7); // no NaN in every third row
    }
    compare(&m, g, (void *const *)&data);
    free(data);
  }
  machine_free(&m);
}
