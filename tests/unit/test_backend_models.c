// Whole steps: a perceptron with dropout, label smoothing, elastic net and Adam; then the object cache,
// emission, and orders of kernels that only appear in such graphs.
#include "compiler/ad/ad.h"
#include "test_backend_case.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct Layer {
  Node *weight, *bias, *in, *out;
  int at; // position of its six inputs: weight, bias and their moments
} Layer;

static Node *times(Graph *g, double c, Node *x) {
  return graph_binary(g, OP_MUL, graph_const(g, c, x->shape), x);
}
static Node *add(Graph *g, Node *x, Node *y) { return graph_binary(g, OP_ADD, x, y); }
static Node *mul(Graph *g, Node *x, Node *y) { return graph_binary(g, OP_MUL, x, y); }

static Layer dense(Graph *g, Node *x, int width, int number) {
  Layer l = {.in = x, .at = g->inputs.len};
  Shape w = DIMS((int)x->shape.dim[1], width), b = DIMS(width);
  const char *names[] = {"weight", "weight_m", "weight_v", "bias", "bias_m", "bias_v"};
  Node *inputs[6];
  for (int i = 0; i < 6; i++)
    inputs[i] = graph_input(g, arena_printf(g->arena, "%s%d", names[i], number), DT_F32, i < 3 ? w : b);
  l.weight = inputs[0];
  l.bias = inputs[3];
  Node *y = graph_matmul(g, x, l.weight);
  l.out = add(g, y, graph_broadcast_to(g, l.bias, y->shape));
  return l;
}

// Moments are inputs in (0, 1), as fill_input is told.
static void adam(Graph *g, Node *p, Node *d, int at, Node *rate) {
  Node *m = g->inputs.data[at + 1], *v = g->inputs.data[at + 2];
  Node *m1 = add(g, times(g, 0.9, m), times(g, 0.1, d)),
       *v1 = add(g, times(g, 0.999, v), times(g, 0.001, mul(g, d, d)));
  Node *step = graph_binary(g, OP_DIV, mul(g, graph_broadcast_to(g, rate, p->shape), m1),
                            add(g, graph_unary(g, OP_SQRT, v1), graph_const(g, 1e-6, p->shape)));
  graph_output(g, arena_printf(g->arena, "%s'", p->name), graph_binary(g, OP_SUB, p, step), at);
  graph_output(g, arena_printf(g->arena, "%s'", m->name), m1, at + 1);
  graph_output(g, arena_printf(g->arena, "%s'", v->name), v1, at + 2);
}

// Weight gets elastic net; the result is the adjoint of the layer's input.
static Node *update_layer(Graph *g, const Layer *l, Node *out_adj, Node *rate, Node **penalty) {
  Node *slope = add(g, times(g, 1e-4, graph_unary(g, OP_SIGN, l->weight)), times(g, 2e-4, l->weight));
  Node *value =
      add(g, times(g, 1e-4, graph_unary(g, OP_ABS, l->weight)), times(g, 1e-4, mul(g, l->weight, l->weight)));
  *penalty = add(g, *penalty, graph_reduce_all(g, OP_SUM, value));
  adam(g, l->weight, add(g, graph_matmul(g, graph_swap(g, l->in), out_adj), slope), l->at, rate);
  adam(g, l->bias, graph_reduce(g, OP_SUM, out_adj, (int[]){0}, 1), l->at + 3, rate);
  return graph_matmul(g, out_adj, graph_swap(g, l->weight));
}

static Graph *perceptron(Arena *a, int batch, int in, int hidden, int classes) {
  Graph *g = graph_new(a, "perceptron");
  Node *x = graph_input(g, "x", DT_F32, DIMS(batch, in)),
       *label = graph_input(g, "label", DT_I32, DIMS(batch));
  Node *seed = graph_input(g, "seed", DT_I32, DIMS(2)), *step = graph_input(g, "step", DT_I32, (Shape){0});
  Node *rate = times(g, 1e-2, graph_unary(g, OP_COS, times(g, 0.01, graph_cast(g, step, DT_F32))));
  Layer first = dense(g, x, hidden, 1);
  Shape h = first.out->shape;
  Node *zero = graph_const(g, 0, h);
  Node *keep = graph_binary(g, OP_LT, graph_uniform(g, seed, step, 1, h), graph_const(g, 0.8, h));
  Node *dropped = graph_select(g, keep, times(g, 1.25, graph_binary(g, OP_MAX, first.out, zero)), zero);
  Layer second = dense(g, dropped, classes, 2);
  Shape s = second.out->shape;
  int last[] = {1}, rows[] = {0};
  Node *most = graph_reduce(g, OP_RMAX, second.out, last, 1);
  Node *e = graph_unary(g, OP_EXP, graph_binary(g, OP_SUB, second.out, graph_broadcast(g, most, s, rows)));
  Node *sum = graph_reduce(g, OP_SUM, e, last, 1), *log_sum = add(g, graph_unary(g, OP_LOG, sum), most);
  Node *hot = graph_cast(
      g, graph_binary(g, OP_EQ, graph_iota(g, 1, DT_I32, s), graph_broadcast(g, label, s, rows)), DT_F32);
  Node *target = add(g, times(g, 0.9, hot), graph_const(g, 0.1 / classes, s));
  Node *fit = graph_reduce(g, OP_SUM, mul(g, target, second.out), last, 1);
  Node *loss = times(g, 1.0 / batch, graph_reduce_all(g, OP_SUM, graph_binary(g, OP_SUB, log_sum, fit)));
  Node *probability = graph_binary(g, OP_DIV, e, graph_broadcast(g, sum, s, rows));
  Node *out_adj = times(g, 1.0 / batch, graph_binary(g, OP_SUB, probability, target)),
       *penalty = graph_const(g, 0, (Shape){0});
  Node *dropped_adj = update_layer(g, &second, out_adj, rate, &penalty);
  Node *positive = graph_binary(g, OP_AND, keep, graph_binary(g, OP_LT, zero, first.out));
  update_layer(g, &first, graph_select(g, positive, times(g, 1.25, dropped_adj), zero), rate, &penalty);
  graph_output(g, "loss", loss, -1);
  graph_output(g, "objective", add(g, loss, penalty), -1);
  graph_output(g, "class", graph_reduce(g, OP_ARGMAX, second.out, last, 1), -1);
  return g;
}

Test(models, perceptron_step) {
  Machine m = machine_new(NULL);
  const int sizes[][4] = {
      {32, 64, 64, 10}, {7, 13, 9, 3}, {33, 100, 31, 10}, {1, 5, 8, 2}, {256, 300, 512, 10}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    Graph *g = perceptron(m.arena, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
    check_graph_in(&m, g, 0.01, 1, 1e-4);
  }
  machine_free(&m);
}

// Each parameter's penalty, gradient, moments and update are one nest; the dropout mask is not stored.
Test(models, perceptron_structure) {
  Arena *a = arena_new();
  Graph *g = perceptron(a, 32, 64, 64, 10);
  LoopFn *f = loops_from_graph(a, g, (LoopOptions){0});
  int updates = 0, copies = 0;
  for (int i = 0; i < f->nsteps; i++) {
    copies += f->steps[i].kind == STEP_COPY;
    const Nest *n = f->steps[i].nest;
    int aliased = 0;
    for (int k = 0; n && k < n->nouts; k++)
      aliased += n->outs[k].buffer->slot >= 1 && n->outs[k].buffer->slot <= g->inputs.len;
    cr_assert(aliased == 0 || aliased == 3, "step %d updates %d arrays", i, aliased);
    updates += aliased == 3;
  }
  cr_assert_eq(updates, 4);
  cr_assert_eq(copies, 0);
  cr_assert_eq(f->gemms, 5); // the first layer's input adjoint is dead
  for (int i = 0; i < g->nodes.len; i++)
    if (g->nodes.data[i]->op == OP_UNIFORM) cr_assert(f->of[i] == NULL);
  arena_free(a);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// A function is compiled once, then taken from disk; a damaged file is compiled again; another constant is
// another function.
Test(models, object_cache) {
  char dir[] = "/tmp/reg_cache_XXXXXX";
  cr_assert(mkdtemp(dir));
  for (int round = 0; round < 4; round++) {
    Machine m = machine_new(dir);
    Graph *g = perceptron(m.arena, round == 3 ? 9 : 8, 12, 16, 3);
    const char *error = NULL;
    bool cached = false;
    double start = seconds();
    LoopFn *f = loops_from_graph(m.arena, g, (LoopOptions){0});
    double lowered = seconds();
    cr_assert(m.backend->jit_add(m.jit, f, &cached, &error), "%s", error);
    printf("perceptron: lowered in %.2f ms, %s in %.2f ms\n", 1e3 * (lowered - start),
           cached ? "loaded" : "compiled", 1e3 * (seconds() - lowered));
    cr_assert_eq(cached, round == 1);
    check_graph_in(&m, g, 0.01, 1, 1e-4);
    machine_free(&m);
    if (round != 1) continue;
    char command[200];
    snprintf(command, sizeof command, "for f in %s/*.o; do printf damaged > $f; done", dir);
    cr_assert_eq(system(command), 0);
  }
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", dir);
  cr_assert_eq(system(command), 0);
}

Test(models, emission) {
  Machine m = machine_new(NULL);
  LoopFn *f = loops_from_graph(m.arena, perceptron(m.arena, 8, 12, 16, 3), (LoopOptions){0});
  BackendOptions o = {.opt_level = 2};
  const char *kinds[] = {"llvm", "asm", "obj"}, *starts[] = {"; ModuleID", "\t.text", "\177ELF"};
  for (int i = 0; i < 3; i++) {
    const char *error = NULL;
    Code code;
    cr_assert(m.backend->emit(m.arena, f, &o, kinds[i], &code, &error), "%s", error);
    cr_assert(code.size > 8 && !strncmp(code.bytes, starts[i], strlen(starts[i])), "%s starts with %.8s",
              kinds[i], code.bytes);
  }
  machine_free(&m);
}

// Every level of optimization gives the same bits.
Test(models, levels_agree) {
  Arena *a = arena_new();
  Graph *g = perceptron(a, 16, 24, 40, 5);
  uint32_t state = 99;
  void *inputs[32], *first[32], *next[32];
  for (int i = 0; i < g->inputs.len; i++) {
    inputs[i] = malloc(4 * (size_t)shape_count(g->inputs.data[i]->shape));
    fill_input(g->inputs.data[i], 0.01, 1, inputs[i], &state);
  }
  for (int level = 0; level <= 3; level++) {
    Machine m = {arena_new(), backend_default(), NULL};
    BackendOptions o = {.opt_level = level, .version = "test"};
    const char *error = NULL;
    m.jit = m.backend->jit_new(m.arena, &o, &error);
    cr_assert(m.jit, "%s", error);
    run_compiled(&m, loops_from_graph(m.arena, g, (LoopOptions){0}), inputs, 2, level ? next : first);
    for (int i = 0; i < g->outputs.len && level; i++) {
      cr_assert(memcmp(first[i], next[i], 4 * (size_t)shape_count(g->outputs.data[i].node->shape)) == 0,
                "level %d: %s", level, g->outputs.data[i].name);
      free(next[i]);
    }
    machine_free(&m);
  }
  for (int i = 0; i < g->outputs.len; i++) free(first[i]);
  for (int i = 0; i < g->inputs.len; i++) free(inputs[i]);
  arena_free(a);
}

// A gradient inside the objective, differentiated again: |d loss / d x|^2 of a network with tanh, softmax and
// a normalization.
Test(models, gradient_of_gradient) {
  Machine m = machine_new(NULL);
  Graph *g = graph_new(m.arena, "penalty");
  Node *x = graph_input(g, "x", DT_F32, DIMS(9, 13)), *w = graph_input(g, "w", DT_F32, DIMS(13, 17));
  Node *v = graph_input(g, "v", DT_F32, DIMS(17, 5)), *b = graph_input(g, "b", DT_F32, DIMS(17));
  int last[] = {1}, rows[] = {0};
  Node *h = graph_matmul(g, x, w);
  h = graph_unary(g, OP_TANH, add(g, h, graph_broadcast_to(g, b, h->shape)));
  Node *mean = times(g, 1.0 / 17, graph_reduce(g, OP_SUM, h, last, 1));
  Node *centred = graph_binary(g, OP_SUB, h, graph_broadcast(g, mean, h->shape, rows));
  Node *variance = times(g, 1.0 / 17, graph_reduce(g, OP_SUM, mul(g, centred, centred), last, 1));
  Node *size = graph_unary(g, OP_SQRT, add(g, variance, graph_const(g, 1e-3, variance->shape)));
  Node *z = graph_matmul(g, graph_binary(g, OP_DIV, centred, graph_broadcast(g, size, h->shape, rows)), v);
  Node *e = graph_unary(g, OP_EXP, z);
  Node *p =
      graph_binary(g, OP_DIV, e, graph_broadcast(g, graph_reduce(g, OP_SUM, e, last, 1), z->shape, rows));
  Node *loss = graph_reduce_all(
      g, OP_SUM, graph_slice(g, mul(g, p, p), (int64_t[]){0, 1}, (int64_t[]){9, 4}, (int64_t[]){1, 2}));
  Node *slope, *parameters[] = {w, v, b}, *adjoints[3];
  ad_gradient(g, loss, &x, 1, &slope);
  Node *objective = add(g, loss, graph_reduce_all(g, OP_SUM, mul(g, slope, slope)));
  ad_gradient(g, objective, parameters, 3, adjoints);
  graph_output(g, "objective", objective, -1);
  graph_output(g, "slope", slope, -1);
  for (int i = 0; i < 3; i++) graph_output(g, arena_printf(m.arena, "adjoint%d", i), adjoints[i], -1);
  check_graph_in(&m, g, -1, 1, 1e-4);
  machine_free(&m);
}

static bool has_step(Machine *m, int side, const char *step) {
  Graph *g = graph_new(m->arena, "exp");
  Node *x = graph_input(g, "x", DT_F32, DIMS(side, side));
  graph_output(g, "y", graph_unary(g, OP_EXP, x), -1);
  const LoopFn *f = loops_from_graph(m->arena, g, (LoopOptions){0});
  const char *error = NULL;
  Code code;
  cr_assert(m->backend->emit(m->arena, f, &(BackendOptions){.opt_level = 2}, "llvm", &code, &error), "%s",
            error);
  return strstr(code.bytes, step) != NULL;
}

// Only large nests run in several pieces.
Test(models, pieces) {
  Machine m = machine_new(NULL);
  cr_assert(has_step(&m, 32, "{ ptr @k0, i32 1,"));
  cr_assert(has_step(&m, 1500, "{ ptr @k0, i32 16,"));
  machine_free(&m);
}
