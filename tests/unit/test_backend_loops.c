// Loops, compiled: the graphs of tests/graph/loops.graph, their gradients and the gradients of these, with
// and without the passes, against the interpreter.
#include "compiler/ad/ad.h"
#include "compiler/passes/passes.h"
#include "test_backend_case.h"
#include <stdio.h>

static Graph *loops_file(Arena *a) {
  FILE *f = fopen(SOURCE_DIR "/tests/graph/loops.graph", "r");
  cr_assert(f);
  char *text = arena_alloc(a, 1 << 16);
  text[fread(text, 1, (1 << 16) - 1, f)] = 0;
  fclose(f);
  const char *error = NULL;
  Graph *g = graph_parse(a, text, &error);
  cr_assert(g, "%s", error);
  return g;
}

static Node *number(Graph *g, Node *n) { return graph_reduce_all(g, OP_SUM, graph_unary(g, OP_SIN, n)); }

// Output o, its gradient by every input, and the gradient of a number made of that.
static Graph *with_gradients(Arena *a, int o) {
  Graph *g = loops_file(a);
  GraphOutput out = g->outputs.data[o];
  const int n = g->inputs.len;
  Node *first[8], *second[8], *sum = graph_const(g, 0, (Shape){0});
  ad_gradient(g, number(g, out.node), g->inputs.data, n, first);
  for (int i = 0; i < n; i++) sum = graph_binary(g, OP_ADD, sum, number(g, first[i]));
  ad_gradient(g, sum, g->inputs.data, n, second);
  g->outputs.len = 0;
  graph_output(g, out.name, out.node, -1);
  for (int i = 0; i < n; i++) {
    graph_output(g, arena_printf(a, "first %s", g->inputs.data[i]->name), first[i], -1);
    graph_output(g, arena_printf(a, "second %s", g->inputs.data[i]->name), second[i], -1);
  }
  return g;
}

Test(backend_loops, files) {
  Machine m = machine_new(NULL);
  const int outputs = loops_file(m.arena)->outputs.len;
  for (int o = 0; o < outputs; o++)
    for (int level = 0; level <= 2; level += 2) {
      Graph *g = passes_run(m.arena, with_gradients(m.arena, o), level, true);
      check_graph_in(&m, g, -1, 1, 1e-4);
    }
  machine_free(&m);
}

// A product of each slice with one matrix, and the gradient of that matrix, are one product each.
Test(backend_loops, products_leave_the_loop) {
  Arena *a = arena_new();
  Graph *g = loops_file(a);
  Node *each = NULL, *w = g->inputs.data[1], *grad;
  for (int i = 0; i < g->outputs.len; i++)
    if (!strcmp(g->outputs.data[i].name, "each")) each = g->outputs.data[i].node;
  ad_gradient(g, number(g, each), &w, 1, &grad);
  g->outputs.len = 0;
  graph_output(g, "grad", grad, -1);
  Graph *end = passes_run(a, g, 2, true);
  for (int i = 0; i < end->nodes.len; i++) {
    const Graph *body = end->nodes.data[i]->body;
    for (int k = 0; body && k < body->nodes.len; k++) cr_expect_neq((int)body->nodes.data[k]->op, OP_MATMUL);
  }
  arena_free(a);
}
