// Passes: random graphs and gradients of networks keep their values; each rewriting is seen to happen; the
// frame (inputs, outputs, names, aliases) stays.
#include "compiler/ad/ad.h"
#include "compiler/passes/passes.h"
#include "test_graph_support.h"

static double **values(Arena *a, const Graph *g, double **by_position) {
  double **preset = ARENA_ARRAY(a, double *, g->nodes.len);
  for (int i = 0; i < g->inputs.len; i++) preset[g->inputs.data[i]->id] = by_position[i];
  return graph_interpret(a, g, preset, true);
}

static void same_frame(const Graph *x, const Graph *y) {
  cr_assert_eq(x->inputs.len, y->inputs.len);
  for (int i = 0; i < x->inputs.len; i++) cr_expect_str_eq(x->inputs.data[i]->name, y->inputs.data[i]->name);
  cr_assert_eq(x->outputs.len, y->outputs.len);
  for (int i = 0; i < x->outputs.len; i++) {
    cr_expect_str_eq(x->outputs.data[i].name, y->outputs.data[i].name);
    cr_expect_eq(x->outputs.data[i].alias, y->outputs.data[i].alias);
  }
}

// Outputs of `after` are those of `before` on random inputs, up to rounding.
static void same_values(const Graph *before, const Graph *after, uint64_t seed, const char *what) {
  Arena *a = arena_new();
  cr_assert_null(graph_verify(after), "%s: %s", what, graph_verify(after));
  same_frame(before, after);
  double **preset = random_inputs(a, before, before->nodes.len, -1.5, 1.5, &seed), *by_position[16];
  for (int i = 0; i < before->inputs.len; i++) by_position[i] = preset[before->inputs.data[i]->id];
  double **v = values(a, before, by_position), **w = values(a, after, by_position);
  for (int o = 0; o < before->outputs.len; o++) {
    const Node *x = before->outputs.data[o].node, *y = after->outputs.data[o].node;
    cr_assert(shape_equal(x->shape, y->shape) && x->dtype == y->dtype);
    for (int64_t e = 0; e < shape_count(x->shape); e++) {
      double p = v[x->id][e], q = w[y->id][e];
      if (fabs(p - q) > 1e-9 * (1 + fabs(p)) || isnan(p) != isnan(q)) {
        char *old = printed(before), *new = printed(after);
        cr_assert_fail("%s, seed %d: output %d is %.17g, then %.17g\n%s\n%s", what, (int)seed, o, p, q, old,
                       new);
      }
    }
  }
  arena_free(a);
}

// -- random graphs: pointwise, reductions, broadcasts, transposes and products over a pool of values

typedef struct Pool {
  Graph *g;
  uint64_t state;
  VEC(Node *) nodes;
} Pool;

static int choose(Pool *p, int n) { return (int)(next_uniform(&p->state) * n); }
static Node *any(Pool *p) { return p->nodes.data[choose(p, p->nodes.len)]; }

// A value of this shape: one of the pool's, or a smaller one repeated.
static Node *shaped(Pool *p, Shape s) {
  for (int attempt = 0; attempt < 30; attempt++) {
    Node *x = any(p), *fit = graph_broadcast_to(p->g, x, s);
    if (fit) return fit;
  }
  return graph_const(p->g, next_uniform(&p->state), s);
}

// Bounded functions only, so that long chains stay in range; none with a jump, so that rounding does not
// show.
static Node *random_pointwise(Pool *p) {
  static const Op unary[] = {OP_NEG, OP_ABS, OP_TANH, OP_SIGMOID, OP_SIN, OP_COS, OP_ERF};
  static const Op binary[] = {OP_ADD, OP_SUB, OP_MUL, OP_MUL, OP_MIN, OP_MAX};
  Node *x = any(p), *y = shaped(p, x->shape);
  switch (choose(p, 6)) {
  case 0: return graph_unary(p->g, unary[choose(p, 7)], x);
  case 1:
    return graph_binary(
        p->g, OP_DIV, x,
        graph_binary(p->g, OP_ADD, graph_binary(p->g, OP_MUL, y, y), graph_const(p->g, 1, (Shape){0})));
  case 2: return graph_binary(p->g, OP_MUL, x, graph_const(p->g, choose(p, 5) - 2, (Shape){0}));
  case 3: return graph_stop(p->g, x);
  default: return graph_binary(p->g, binary[choose(p, 6)], x, y);
  }
}

static Node *random_shape(Pool *p) {
  Node *x = any(p);
  const int rank = x->shape.rank;
  if (rank == 0) return graph_broadcast(p->g, x, shape_of(2, (int64_t)2, (int64_t)3), NULL);
  if (choose(p, 3) == 0) {
    int axis = choose(p, rank);
    return graph_reduce(p->g, choose(p, 3) ? OP_SUM : OP_RMAX, x, &axis, 1);
  }
  if (choose(p, 3) == 0) return graph_reshape(p->g, x, shape_of(2, shape_count(x->shape), (int64_t)1));
  if (rank == 1) return graph_broadcast(p->g, x, shape_of(2, x->shape.dim[0], (int64_t)2), (int[]){0});
  if (choose(p, 3) == 0) return graph_matmul(p->g, x, graph_swap(p->g, x));
  return graph_swap(p->g, x);
}

static Graph *random_graph(Arena *a, uint64_t seed, int steps) {
  Pool p = {.g = graph_new(a, "random"), .state = seed * 77 + 5};
  const Shape shapes[] = {{0},
                          shape_of(1, (int64_t)3),
                          shape_of(2, (int64_t)2, (int64_t)3),
                          shape_of(2, (int64_t)3, (int64_t)2),
                          shape_of(3, (int64_t)2, (int64_t)2, (int64_t)3),
                          shape_of(0)};
  for (int i = 0; i < 6; i++) {
    Node *in = graph_input(p.g, arena_printf(a, "in%d", i), DT_F32, shapes[i]);
    if (i != 3) vec_push(a, p.nodes, in); // one is never used: it must stay
  }
  for (int i = 0; i < steps; i++) {
    Node *made = choose(&p, 3) ? random_pointwise(&p) : random_shape(&p);
    if (shape_count(made->shape) <= 200) vec_push(a, p.nodes, made);
  }
  for (int i = 0; i < 4; i++)
    graph_output(p.g, arena_printf(a, "out%d", i), p.nodes.data[p.nodes.len - 1 - i], -1);
  Node *bounded = graph_unary(p.g, OP_TANH, any(&p)), *objective = graph_reduce_all(p.g, OP_SUM, bounded),
       *grad;
  ad_gradient(p.g, objective, &p.g->inputs.data[2], 1, &grad);
  graph_output(p.g, "in2", grad, 2);
  return p.g;
}

Test(passes, random_graphs_keep_their_values) {
  for (uint64_t seed = 0; seed < 300; seed++) {
    Arena *a = arena_new();
    Graph *g = random_graph(a, seed, 10 + (int)(seed % 40));
    cr_assert_null(graph_verify(g));
    for (int i = 0; i < npasses; i++) same_values(g, passes[i].run(a, g), seed, passes[i].name);
    same_values(g, passes_run(a, g, 0, true), seed, "level 0");
    Graph *end = passes_run(a, g, 2, true);
    same_values(g, end, seed, "pipeline");
    arena_free(a);
  }
}

// -- draws that are made before the rest

enum { OTHER = 1, TIME = 2, DRAWN = 3 };
static bool is_time(Port p) { return p.kind == TIME; }

static double **part_values(Arena *a, const Graph *part, double **by_position, double **drawn) {
  double **preset = ARENA_ARRAY(a, double *, part->nodes.len);
  for (int i = 0; i < part->inputs.len; i++) {
    const Node *x = part->inputs.data[i];
    preset[x->id] = x->port.kind == DRAWN ? drawn[x->port.index] : by_position[x->port.index];
  }
  return graph_interpret(a, part, preset, true);
}

// A graph with a draw by the step, and one by a number that is not of time: of 6 and 3 elements.
static Graph *drawing_graph(Arena *a, uint64_t seed) {
  Graph *g = random_graph(a, seed, 10 + (int)(seed % 40));
  Node *step = graph_input(g, "step", DT_I32, (Shape){0}), *x = g->inputs.data[2], *y = g->inputs.data[1],
       *key = graph_const_typed(g, (double)seed, DT_I32, shape_of(1, (int64_t)2)),
       *own = graph_cast(g, g->inputs.data[0], DT_I32);
  graph_output(g, "noisy", graph_binary(g, OP_MUL, graph_uniform(g, key, step, 7, x->shape), x), -1);
  graph_output(g, "own", graph_binary(g, OP_MUL, graph_uniform(g, key, own, 8, y->shape), y), -1);
  for (int i = 0; i < g->inputs.len; i++)
    g->inputs.data[i]->port = (Port){g->inputs.data[i] == step ? TIME : OTHER, i};
  return g;
}

// To the bit: each value is computed once, from the same operands.
static void check_drawn_apart(Arena *a, uint64_t seed) {
  Graph *g = drawing_graph(a, seed);
  const Drawn whole = graph_drawn_apart(a, g, is_time, DRAWN, 5),
              apart = graph_drawn_apart(a, g, is_time, DRAWN, 6);
  cr_assert(!whole.draws && whole.rest == g && apart.draws);
  cr_assert_null(graph_verify(apart.draws));
  cr_assert_null(graph_verify(apart.rest));
  cr_assert_eq(apart.draws->outputs.len, 1);
  cr_assert_eq(apart.rest->inputs.len, g->inputs.len + 1);
  for (int i = 0; i < apart.draws->inputs.len; i++)
    cr_expect_eq(apart.draws->inputs.data[i]->port.kind, TIME);
  double **preset = random_inputs(a, g, g->nodes.len, -1.5, 1.5, &seed), *by_position[16], *drawn[1];
  for (int i = 0; i < g->inputs.len; i++) by_position[i] = preset[g->inputs.data[i]->id];
  double **v = values(a, g, by_position);
  drawn[0] = part_values(a, apart.draws, by_position, NULL)[apart.draws->outputs.data[0].node->id];
  double **rest = part_values(a, apart.rest, by_position, drawn);
  cr_assert_eq(apart.rest->outputs.len, g->outputs.len);
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *x = &g->outputs.data[i], *y = &apart.rest->outputs.data[i];
    cr_expect_eq(x->alias, y->alias);
    cr_assert(!memcmp(v[x->node->id], rest[y->node->id], (size_t)shape_count(x->node->shape) * sizeof **v));
  }
}

Test(passes, draws_apart_and_the_rest_compute_what_the_graph_does) {
  for (uint64_t seed = 0; seed < 100; seed++) {
    Arena *a = arena_new();
    check_drawn_apart(a, seed);
    arena_free(a);
  }
}

// -- each rewriting, from text to text

static void becomes(const char *body, const char *want) {
  Arena *a = arena_new();
  static const char inputs[] = "s = input f32[] \"s\" t = input f32[] \"t\" v = input f32[3] \"v\" m = input "
                               "f32[2,3] \"m\" w = input f32[3,2] \"w\"\n";
  Graph *g = must_parse(a, arena_printf(a, "graph \"g\" %s output \"y\" %s", inputs, body));
  Graph *got = passes_run(a, g, 1, true);
  Graph *expected =
      passes_run(a, must_parse(a, arena_printf(a, "graph \"g\" %s output \"y\" %s", inputs, want)), 0, true);
  same_values(g, got, 3, body);
  char *x = printed(got), *y = printed(expected);
  cr_expect_str_eq(x, y, "%s", body);
  free(x);
  free(y);
  arena_free(a);
}

Test(passes, choices) {
  static const char sides[] =
      "if(%s, v, m) { graph \"then\" a = input f32[3] \"a\" b = input f32[2,3] \"b\"\n"
      "output \"p\" exp(a) output \"q\" rmax(b) axes=[0,1] }\n"
      "{ graph \"else\" a = input f32[3] \"a\" b = input f32[2,3] \"b\"\n"
      "output \"p\" sin(a) output \"q\" sum(b) axes=[0,1] }";
  Arena *a = arena_new();
  const char *known = arena_printf(a, sides, "const bool[] {1}"), *live = arena_printf(a, sides, "lt(s, t)");
  becomes(arena_printf(a, "part(%s) k=0", known), "exp(v)");
  becomes(arena_printf(a, "part(%s) k=1", known), "rmax(m) axes=[0,1]");
  becomes(arena_printf(a, "part(%s) k=0", live), // what is not read is dropped
          "part(if(lt(s, t), v) { graph \"then\" a = input f32[3] \"0\" output \"0\" exp(a) }\n"
          "{ graph \"else\" a = input f32[3] \"0\" output \"0\" sin(a) }) k=0");
  arena_free(a);
}

Test(passes, rewritings) {
  becomes("stop(exp(v))", "exp(v)");
  becomes("exp(broadcast(v) f32[2,3] axes=[1])", "broadcast(exp(v)) f32[2,3] axes=[1]");
  becomes("mul(m, mul(broadcast(s) f32[2,3] axes=[], broadcast(t) f32[2,3] axes=[]))",
          "mul(m, broadcast(mul(s, t)) f32[2,3] axes=[])");
  becomes("mul(mul(m, broadcast(s) f32[2,3] axes=[]), broadcast(t) f32[2,3] axes=[])",
          "mul(m, broadcast(mul(s, t)) f32[2,3] axes=[])");
  becomes("add(broadcast(v) f32[2,3] axes=[1], broadcast(s) f32[2,3] axes=[])",
          "broadcast(add(v, broadcast(s) f32[3] axes=[])) f32[2,3] axes=[1]");
  becomes("sum(mul(m, broadcast(s) f32[2,3] axes=[])) axes=[0,1]", "mul(s, sum(m) axes=[0,1])");
  becomes("sum(mul(m, broadcast(v) f32[2,3] axes=[1])) axes=[0]", "mul(v, sum(m) axes=[0])");
  becomes("sum(div(m, broadcast(v) f32[2,3] axes=[1])) axes=[0]", "div(sum(m) axes=[0], v)");
  becomes("sum(xmul(m, broadcast(v) f32[2,3] axes=[1])) axes=[0]", "xmul(sum(m) axes=[0], v)");
  becomes("sum(xmul(broadcast(v) f32[2,3] axes=[1], m)) axes=[0]", "xmul(v, sum(m) axes=[0])");
  becomes(
      "sum(mul(mul(m, broadcast(select(lt(s, t), const f32[] {1e20}, const f32[] {1e-20})) f32[2,3] "
      "axes=[]), mul(m, "
      "broadcast(select(lt(s, t), const f32[] {1e20}, const f32[] {1e-20})) f32[2,3] axes=[]))) axes=[0,1]",
      "select(lt(s, t), sum(mul(mul(m, const f32[2,3] {1e20}), mul(m, const f32[2,3] {1e20}))) axes=[0,1], "
      "sum(mul(mul(m, const f32[2,3] {1e-20}), mul(m, const f32[2,3] {1e-20}))) axes=[0,1])");
  becomes("matmul(m, exp(transpose(m) perm=[1,0]))", "matmul(m, transpose(exp(m)) perm=[1,0])");
  becomes("matmul(m, mul(transpose(m) perm=[1,0], broadcast(s) f32[3,2] axes=[]))",
          "matmul(m, transpose(mul(m, broadcast(s) f32[2,3] axes=[])) perm=[1,0])");
  becomes("matmul(reshape(v) f32[3,1], reshape(v) f32[1,3])",
          "mul(broadcast(v) f32[3,3] axes=[0], broadcast(v) f32[3,3] axes=[1])");
  becomes("transpose(matmul(m, w)) perm=[1,0]", "matmul(transpose(w) perm=[1,0], transpose(m) perm=[1,0])");
}

// What must not move: a factor that the sum runs over, broadcasts over different axes.
Test(passes, left_alone) {
  becomes("sum(mul(m, broadcast(v) f32[2,3] axes=[1])) axes=[1]",
          "sum(mul(m, broadcast(v) f32[2,3] axes=[1])) axes=[1]");
  becomes("mul(broadcast(v) f32[3,3] axes=[0], broadcast(v) f32[3,3] axes=[1])",
          "mul(broadcast(v) f32[3,3] axes=[0], broadcast(v) f32[3,3] axes=[1])");
  becomes("div(matmul(m, w), broadcast(s) f32[2,2] axes=[])",
          "div(matmul(m, w), broadcast(s) f32[2,2] axes=[])");
  becomes("floor(div(m, const f32[2,3] {41}))", "floor(div(m, const f32[2,3] {41}))");
}

// A decayed step of a two-layer network: what a schedule scales stays a number, and the pipeline does not
// grow the graph.
Test(passes, training_step) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "step");
  Node *x = graph_input(g, "x", DT_F32, shape_of(2, (int64_t)4, (int64_t)3)),
       *rate = graph_input(g, "rate", DT_F32, (Shape){0});
  Node *w[] = {graph_input(g, "w1", DT_F32, shape_of(2, (int64_t)3, (int64_t)5)),
               graph_input(g, "w2", DT_F32, shape_of(2, (int64_t)5, (int64_t)2))};
  Node *strength = graph_unary(g, OP_EXP, rate);
  Node *out = graph_matmul(g, graph_unary(g, OP_TANH, graph_matmul(g, x, w[0])), w[1]);
  Node *loss = graph_reduce_all(g, OP_SUM, graph_binary(g, OP_MUL, out, out)), *grad[2];
  for (int i = 0; i < 2; i++) {
    Node *square = graph_reduce_all(g, OP_SUM, graph_binary(g, OP_MUL, w[i], w[i]));
    loss = graph_binary(g, OP_ADD, loss, graph_binary(g, OP_MUL, strength, square));
  }
  ad_gradient(g, loss, w, 2, grad);
  for (int i = 0; i < 2; i++) {
    Node *update = graph_binary(g, OP_SUB, w[i], graph_binary(g, OP_MUL, rate, grad[i]));
    graph_output(g, w[i]->name, update, 2 + i);
  }
  Graph *end = passes_run(a, g, 2, true);
  same_values(g, end, 11, "step");
  cr_expect_leq(end->nodes.len, g->nodes.len);
  for (int i = 0; i < end->nodes.len; i++) {
    const Node *n = end->nodes.data[i];
    if (n->op == OP_EXP) cr_expect_eq(n->shape.rank, 0, "the schedule is computed once");
    cr_expect_neq((int)n->op, OP_STOP);
  }
  cr_expect_eq(end->outputs.data[1].alias, 3);
  arena_free(a);
}

// From text: what the pipeline reads back is what it wrote.
Test(passes, graph_files) {
  static const char *const files[] = {"maps",  "reductions", "products", "indexing",
                                      "kinks", "loops",      "windows"};
  for (int f = 0; f < 7; f++) {
    Arena *a = arena_new();
    Graph *g = must_parse(a, file_text(a, arena_printf(a, SOURCE_DIR "/tests/graph/%s.graph", files[f])));
    Graph *end = passes_run(a, g, 2, true);
    same_values(g, end, 5, files[f]);
    char *text = printed(end), *again = printed(must_parse(a, text));
    cr_expect_str_eq(text, again);
    free(text);
    free(again);
    arena_free(a);
  }
}

// Products over slices leave a loop: those that turns read before it, those that are only wanted stacked
// behind it; a stack of slices is their source, and equal stacks are one.
Test(passes, products_leave_loops) {
  Arena *a = arena_new();
  Graph *g = must_parse(a, "graph \"g\"\n"
                           "s = input f32[5,2,3] \"s\"\n"
                           "h = input f32[2,3] \"h\"\n"
                           "w = input f32[3,3] \"w\"\n"
                           "l = loop(h, s, w) {\n"
                           "graph \"turn\"\n"
                           "i = input i32[] \"i\"\n"
                           "c = input f32[2,3] \"c\"\n"
                           "e = input f32[2,3] \"e\"\n"
                           "m = input f32[3,3] \"m\"\n"
                           "n = tanh(add(matmul(e, m), c))\n"
                           "output \"c\" n\n"
                           "output \"y\" matmul(n, transpose(m) perm=[1,0])\n"
                           "output \"n\" n\n"
                           "output \"again\" n\n"
                           "output \"e\" e\n"
                           "output \"p\" matmul(e, m)\n"
                           "} turns=5 carries=1 slices=1 stacks=5 reverse=0 end=0\n"
                           "output \"c\" part(l) k=0\n"
                           "output \"y\" part(l) k=1\n"
                           "output \"n\" part(l) k=2\n"
                           "output \"again\" part(l) k=3\n"
                           "output \"e\" part(l) k=4\n"
                           "output \"p\" part(l) k=5\n");
  Graph *end = passes_run(a, g, 2, true);
  same_values(g, end, 3, "loop");
  int outside = 0;
  for (int i = 0; i < end->nodes.len; i++) {
    const Node *n = end->nodes.data[i];
    outside += n->op == OP_MATMUL;
    if (n->op != OP_LOOP) continue;
    cr_expect_eq(loop_parts(n).stacks, 1);
    for (int k = 0; k < n->body->nodes.len; k++) cr_expect_neq((int)n->body->nodes.data[k]->op, OP_MATMUL);
  }
  cr_expect_eq(outside, 2);
  arena_free(a);
}
