// Loops, compiled: the graphs of tests/graph/loops.graph and each.graph, their gradients and the gradients of
// these, with and without the passes, against the interpreter.
#include "compiler/ad/ad.h"
#include "compiler/passes/passes.h"
#include "test_backend_case.h"
#include <math.h>
#include <stdio.h>

static Graph *loops_file(Arena *a, const char *name) {
  FILE *f = fopen(arena_printf(a, SOURCE_DIR "/tests/graph/%s.graph", name), "r");
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
static Graph *with_gradients(Arena *a, const char *name, int o) {
  Graph *g = loops_file(a, name);
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

static bool has_loop(const Graph *g) {
  bool found = false;
  for (int i = 0; i < g->nodes.len; i++) found |= g->nodes.data[i]->op == OP_LOOP;
  return found;
}

static void check_file(const char *name, bool spread) {
  Machine m = machine_new(NULL);
  const Graph *all = loops_file(m.arena, name);
  for (int o = 0; o < all->outputs.len; o++)
    for (int level = 0; level <= 2; level += 2) {
      Graph *g = passes_run(m.arena, with_gradients(m.arena, name, o), level, true);
      check_graph_in(&m, g, -1, 1, 1e-4);
      const bool nested = strstr(all->outputs.data[o].name, "inner");
      cr_expect(!spread || level == 0 || nested || !has_loop(g), "%s is a loop", all->outputs.data[o].name);
    }
  machine_free(&m);
}

Test(backend_loops, files) { check_file("loops", false); }

// Done for all turns at once, derivatives too.
Test(backend_loops, turns_alone) { check_file("each", true); }

// Far more than a block holds.
Test(backend_loops, blocks) {
  Machine m = machine_new(NULL);
  const char *error = NULL;
  Graph *g = graph_parse(m.arena,
                         "graph \"g\" x = input f32[1100,48,48] \"x\" w = input f32[48,48] \"w\"\n"
                         "r = loop(const f32[48,48] {0}, x, w) { graph \"turn\" i = input i32[] \"i\"\n"
                         "s = input f32[48,48] \"s\" e = input f32[48,48] \"e\" m = input f32[48,48] \"m\"\n"
                         "p = sin(matmul(m, e)) q = mul(p, broadcast(cast(i) f32[]) f32[48,48] axes=[])\n"
                         "output \"s\" add(s, q) output \"y\" sum(p) axes=[0] output \"z\" exp(p) }\n"
                         "turns=1100 carries=1 slices=1 stacks=2 reverse=0 end=0\n"
                         "output \"s\" mul(part(r) k=0, const f32[48,48] {0.0001}) output \"y\" part(r) k=1\n"
                         "output \"z\" mul(sum(part(r) k=2) axes=[0], const f32[48,48] {0.001})",
                         &error);
  cr_assert(g, "%s", error);
  Graph *end = passes_run(m.arena, g, 2, true);
  check_graph_in(&m, end, -0.2, 0.2, 1e-4);
  int64_t largest = 0;
  for (int i = 0; i < end->nodes.len; i++)
    if (end->nodes.data[i]->op != OP_INPUT && end->nodes.data[i]->op != OP_RESHAPE &&
        end->nodes.data[i]->op != OP_SLICE && node_bytes(end->nodes.data[i]) > largest)
      largest = node_bytes(end->nodes.data[i]);
  cr_expect(has_loop(end) && largest <= 8 << 20, "%lld bytes", (long long)largest);
  machine_free(&m);
}

// The loops of the file in one piece and in segments, with the gradients of a number made of their results.
static Graph *cut_loop(Arena *a, int id, int64_t most, int *reads) {
  Graph *g = loops_file(a, "loops");
  const int n = g->inputs.len;
  Node *loop = g->nodes.data[id], **parts = arena_alloc(a, sizeof(Node *) * (size_t)(loop->nout + 1));
  LoopBuild b = graph_open_loop(g, loop, loop->in, NULL);
  graph_build_long_loop(g, &b, most, parts);
  g->outputs.len = 0;
  Node *sum = graph_const(g, 0, (Shape){0}), *first[8];
  const int held = loop_held(b.end);
  for (int k = held; k < b.carries + b.stacks; k++) {
    if (parts[k]->dtype == DT_F32) sum = graph_binary(g, OP_ADD, sum, number(g, parts[k]));
    graph_output(g, arena_printf(a, "part %d", k), parts[k], -1);
  }
  ad_gradient(g, sum, g->inputs.data, n, first);
  for (int i = 0; i < n; i++)
    graph_output(g, arena_printf(a, "first %s", g->inputs.data[i]->name), first[i], -1);
  *reads = 0;
  for (int i = 0; i < g->nodes.len; i++) *reads += g->nodes.data[i]->op == OP_LOOP && parts[0]->in[0] != loop;
  return g;
}

static double **interpreted(Arena *a, const Graph *g) {
  double **preset = arena_alloc(a, sizeof(double *) * (size_t)g->nodes.len);
  memset(preset, 0, sizeof(double *) * (size_t)g->nodes.len);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *x = g->inputs.data[i];
    const int64_t count = shape_count(x->shape);
    double *v = preset[x->id] = arena_alloc(a, sizeof(double) * (size_t)count);
    for (int64_t e = 0; e < count; e++) v[e] = sin((double)(3 * i + 1) * (double)(e + 1));
  }
  return graph_interpret(a, g, preset, true);
}

Test(backend_loops, segments) {
  Machine m = machine_new(NULL);
  const Graph *all = loops_file(m.arena, "loops");
  int cut = 0;
  for (int i = 0; i < all->nodes.len; i++) {
    const Node *n = all->nodes.data[i];
    if (n->op != OP_LOOP || loop_parts(n).reverse || loop_parts(n).turns < 4) continue;
    int loops, segments;
    Graph *one = cut_loop(m.arena, i, INT64_MAX, &loops), *many = cut_loop(m.arena, i, 0, &segments);
    double **x = interpreted(m.arena, one), **y = interpreted(m.arena, many);
    for (int k = 0; k < one->outputs.len; k++) {
      const Node *a = one->outputs.data[k].node, *b = many->outputs.data[k].node;
      const bool product =
          !strncmp(one->outputs.data[k].name, "first", 5); // may be one of all turns, or of segments
      for (int64_t e = 0; e < shape_count(a->shape); e++)
        cr_expect(x[a->id][e] == y[b->id][e] ||
                      (product && fabs(x[a->id][e] - y[b->id][e]) <= 1e-12 * (1 + fabs(x[a->id][e]))),
                  "loop %d, %s: %.17g and %.17g", i, one->outputs.data[k].name, x[a->id][e], y[b->id][e]);
    }
    cut += segments > loops;
    Graph *compiled = passes_run(m.arena, many, 2, true);
    check_graph_in(&m, compiled, -1, 1, 1e-4);
  }
  cr_expect(cut >= 5, "%d loops in segments", cut);
  machine_free(&m);
}

// A product of each slice with one matrix, and the gradient of that matrix, are one product each.
Test(backend_loops, products_leave_the_loop) {
  Arena *a = arena_new();
  Graph *g = loops_file(a, "loops");
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

// Loops that differ in their operands alone are one function; one operand in two places is another text.
Test(backend_loops, equal_loops) {
  Machine m = machine_new(NULL);
  const char *body = "{ graph \"turn\" i = input i32[] \"i\" s = input f32[7] \"s\" m = input f32[7] \"m\"\n"
                     "output \"s\" sin(add(s, mul(m, broadcast(cast(i) f32[]) f32[7] axes=[]))) }\n"
                     "turns=9 carries=1 slices=0 stacks=0 reverse=0 end=0\n",
             *error = NULL;
  const char *text =
      arena_printf(m.arena,
                   "graph \"g\" x = input f32[7] \"x\" y = input f32[7] \"y\"\n"
                   "a = loop(x, y) %sb = loop(y, x) %sc = loop(x, x) %s"
                   "output \"a\" part(a) k=0 output \"b\" part(b) k=0 output \"c\" part(c) k=0",
                   body, body, body);
  Graph *g = graph_parse(m.arena, text, &error);
  cr_assert(g, "%s", error);
  check_graph(&m, g, 1e-6);
  const LoopFn *f = loops_from_graph(m.arena, g, (LoopOptions){0});
  Code code;
  cr_assert(m.backend->emit(m.arena, f, &(BackendOptions){.opt_level = 2}, "llvm", &code, &error), "%s",
            error);
  int functions = 0;
  for (const char *at = code.bytes; (at = strstr(at, "define internal i32 @loop")); at++) functions++;
  cr_assert_eq(functions, 2);
  machine_free(&m);
}
