// Every operation and every graph file: first and second derivatives against central differences in f64. An
// operation with a derivative that no case reaches fails the test.
#include "compiler/ad/ad.h"
#include "test_graph_support.h"
#include <glob.h>

// Checks y against its f32 inputs; returns the largest first derivative seen, so that the caller can tell a
// check from nothing.
static double check_derivatives(Graph *g, Node *y, double lo, double hi, const char *what) {
  Arena *a = g->arena;
  uint64_t state = 42;
  Node *xs[8], *grad[8], *second[8];
  int n = 0;
  double largest = 0, ignored = 0;
  for (int i = 0; i < g->inputs.len; i++)
    if (g->inputs.data[i]->dtype == DT_F32) xs[n++] = g->inputs.data[i];
  if (n == 0) return 0;
  Node *objective = weighted_sum(g, y, &state);
  ad_gradient(g, objective, xs, n, grad);
  Node *objective2 = graph_const(g, 0, (Shape){0});
  for (int i = 0; i < n; i++)
    objective2 = graph_binary(g, OP_ADD, objective2, weighted_sum(g, grad[i], &state));
  ad_gradient(g, objective2, xs, n, second);
  cr_assert_null(graph_verify(g), "%s: %s", what, graph_verify(g));
  double **preset = random_inputs(a, g, g->nodes.len, lo, hi, &state);
  for (int i = 0; i < n; i++) {
    cr_assert(shape_equal(grad[i]->shape, xs[i]->shape), "%s", what);
    double e1 = difference_error(g, objective, xs[i], grad[i], preset, &largest);
    cr_expect(e1 < 1e-7, "%s: first derivative by %s is off by %g", what, xs[i]->name, e1);
    double e2 = difference_error(g, objective2, xs[i], second[i], preset, &ignored);
    cr_expect(e2 < 1e-7, "%s: second derivative by %s is off by %g", what, xs[i]->name, e2);
  }
  return largest;
}

static bool has_derivative(Op op) {
  const char *rule = op_info[op].derivative;
  return strcmp(rule, "nondiff") != 0 && strcmp(rule, "nondiff; nondiff") != 0 && strcmp(rule, "0") != 0;
}

static const char preamble[] =
    "graph \"example\"\na = input f32[3] \"a\"\nb = input f32[3] \"b\"\nm = input f32[2,3] \"m\"\n"
    "i = input i32[2] \"i\"\nseed = input i32[2] \"seed\"\nstep = input i32[] \"step\"\n";

static void check_example(Op op, int part) {
  const OpInfo *info = &op_info[op];
  Arena *a = arena_new();
  const char *text = arena_printf(a, "%sy = %s\noutput \"a\" a\n", preamble, info->example);
  Graph *g = must_parse(a, text);
  Node *y = g->nodes.data[g->nodes.len - 1];
  cr_assert_eq(y->op, op, "the example of %s is another operation", info->text);
  if (y->nout) y = graph_part(g, y, part);
  if (y->dtype == DT_F32) {
    double largest = check_derivatives(g, y, info->lo, info->hi, info->text);
    cr_expect(has_derivative(op) == (largest > 0), "%s: gradient %g", info->text, largest);
  } else
    cr_expect(!has_derivative(op), "%s", info->text);
  arena_free(a);
}

Test(ad_battery, examples) {
  for (int op = 0; op < OP_COUNT; op++) {
    const OpInfo *info = &op_info[op];
    // stop hides its slope on purpose: test_ad.c; a loop is read through its parts
    if (info->class == CLASS_LEAF || op == OP_STOP || op == OP_LOOP || op == OP_IF) continue;
    const int parts = op == OP_SVD ? 3 : op == OP_QR || op == OP_EIGH ? 2 : 1;
    for (int k = 0; k < parts; k++) check_example((Op)op, k);
  }
}

// Pointwise operations in further ranks, and with one operand twice (both rules meet in one adjoint).
Test(ad_battery, pointwise_shapes) {
  const Shape shapes[] = {shape_of(0), shape_of(1, (int64_t)7),
                          shape_of(3, (int64_t)2, (int64_t)1, (int64_t)3)};
  for (int op = 0; op < OP_COUNT; op++)
    for (int s = 0; s < 3 && op_info[op].class == CLASS_POINTWISE; s++)
      for (int twice = 0; twice < 2; twice++) {
        Arena *a = arena_new();
        Graph *g = graph_new(a, "pointwise");
        Node *x = graph_input(g, "x", DT_F32, shapes[s]), *y = graph_input(g, "y", DT_F32, shapes[s]), *z;
        if (op == OP_SELECT)
          z = graph_select(g, graph_binary(g, OP_LT, x, y), x, y);
        else if (op == OP_CAST)
          z = graph_cast(g, graph_cast(g, graph_binary(g, OP_LT, x, y), DT_F32), DT_F32);
        else if (op_info[op].arity == 1)
          z = graph_unary(g, (Op)op, x);
        else
          z = graph_binary(g, (Op)op, x, twice ? graph_binary(g, OP_MUL, x, y) : y);
        check_derivatives(g, z, op_info[op].lo, op_info[op].hi, op_info[op].text);
        arena_free(a);
      }
}

Test(ad_battery, files) {
  glob_t found;
  bool seen[OP_COUNT] = {0};
  cr_assert_eq(glob(SOURCE_DIR "/tests/graph/*.graph", 0, NULL, &found), 0);
  for (size_t f = 0; f < found.gl_pathc; f++) {
    Arena *a = arena_new();
    char *text = file_text(a, found.gl_pathv[f]);
    double lo, hi;
    cr_assert_eq(sscanf(text, "# domain %lf %lf", &lo, &hi), 2, "%s: `# domain LO HI` first",
                 found.gl_pathv[f]);
    int outputs = must_parse(a, text)->outputs.len;
    for (int o = 0; o < outputs; o++) {
      Graph *g = must_parse(a, text);
      for (int i = 0; i < g->nodes.len; i++) seen[g->nodes.data[i]->op] = true;
      const char *what =
          arena_printf(a, "%s: %s", strrchr(found.gl_pathv[f], '/') + 1, g->outputs.data[o].name);
      double largest = check_derivatives(g, g->outputs.data[o].node, lo, hi, what);
      cr_expect(largest > 0, "%s: no gradient", what);
    }
    arena_free(a);
  }
  globfree(&found);
  for (int op = 0; op < OP_COUNT; op++)
    cr_expect(seen[op] || !has_derivative((Op)op) || op_info[op].class == CLASS_POINTWISE,
              "%s is in no graph file", op_info[op].text);
}
