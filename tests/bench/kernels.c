// How near generated code comes to the machine: the fused update of elastic net and Adam over 50 million
// parameters, against a plain loop that reads and writes the same arrays (four read, three written); medians
// of alternating runs. Optional argument: threads.
#include "compiler/backend/backend.h"
#include <math.h>
#include <reg/abi.h>
#include <reg/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COUNT = 50000000, RUNS = 9 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static Node *scaled(Graph *g, double factor, Node *x) {
  return graph_binary(g, OP_MUL, graph_const(g, factor, x->shape), x);
}
static Node *spread(Graph *g, Node *scalar, Shape s) { return graph_broadcast(g, scalar, s, NULL); }

// Adam on gradient + l1 sign(p) + l2 p, and the value of the penalty: one pass.
static Graph *update_graph(Arena *a, Shape s) {
  Graph *g = graph_new(a, "update");
  Node *p = graph_input(g, "p", DT_F32, s), *m = graph_input(g, "m", DT_F32, s),
       *v = graph_input(g, "v", DT_F32, s);
  Node *gradient = graph_input(g, "gradient", DT_F32, s), *rate = graph_input(g, "rate", DT_F32, (Shape){0});
  Node *d =
      graph_binary(g, OP_ADD, gradient,
                   graph_binary(g, OP_ADD, scaled(g, 1e-5, graph_unary(g, OP_SIGN, p)), scaled(g, 2e-4, p)));
  Node *m1 = graph_binary(g, OP_ADD, scaled(g, 0.9, m), scaled(g, 0.1, d));
  Node *v1 = graph_binary(g, OP_ADD, scaled(g, 0.999, v), scaled(g, 0.001, graph_binary(g, OP_MUL, d, d)));
  Node *size = graph_binary(g, OP_ADD, graph_unary(g, OP_SQRT, v1), graph_const(g, 1e-8, s));
  Node *p1 = graph_binary(g, OP_SUB, p,
                          graph_binary(g, OP_DIV, graph_binary(g, OP_MUL, spread(g, rate, s), m1), size));
  Node *penalty = graph_binary(g, OP_ADD, scaled(g, 1e-5, graph_unary(g, OP_ABS, p)),
                               scaled(g, 1e-4, graph_binary(g, OP_MUL, p, p)));
  graph_output(g, "p", p1, 0);
  graph_output(g, "m", m1, 1);
  graph_output(g, "v", v1, 2);
  graph_output(g, "penalty", graph_reduce_all(g, OP_SUM, penalty), -1);
  return g;
}

typedef float Lanes __attribute__((vector_size(32)));

// The ceiling: the same seven streams with next to no arithmetic.
static void stream_piece(void *const *slots, int64_t begin, int64_t end) {
  Lanes *p = slots[1], *m = slots[2], *v = slots[3], *g = slots[4];
  for (int64_t i = begin * (COUNT / 8 / 64), n = end == 64 ? COUNT / 8 : end * (COUNT / 8 / 64); i < n; i++) {
    Lanes d = g[i];
    p[i] += d;
    m[i] += d;
    v[i] += d;
  }
}

static int by_value(const void *x, const void *y) {
  double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  Arena *a = arena_new();
  Shape s = {.rank = 1, .dim = {COUNT}};
  LoopFn *f = loops_from_graph(a, update_graph(a, s), (LoopOptions){0});
  const Backend *backend = backend_default();
  BackendOptions o = {.opt_level = 2};
  const char *error = NULL;
  bool cached;
  double start = now();
  struct Jit *jit = backend->jit_new(a, &o, &error);
  CompiledFn update = jit ? backend->jit_add(jit, f, &cached, &error) : NULL;
  if (!update) {
    fprintf(stderr, "%s\n", error);
    return 70;
  }
  double compiled = now() - start;
  void *slots[8] = {aligned_alloc(64, (size_t)f->scratch_bytes + 64)};
  for (int i = 1; i <= 4; i++) {
    float *x = slots[i] = aligned_alloc(64, COUNT * sizeof(float));
    for (int64_t k = 0; k < COUNT; k++) x[k] = i == 3 ? 1e-4f : (float)(k % 1000 - 500) * 1e-4f;
  }
  float rate = 1e-3f, penalty;
  slots[5] = &rate;
  slots[6] = &penalty;
  reg_ctx *ctx = reg_ctx_new(argc > 1 ? atoi(argv[1]) : 1);
  double ours[RUNS], ceiling[RUNS];
  for (int i = 0; i < RUNS; i++) {
    double t = now();
    update((void *)ctx, slots);
    ours[i] = now() - t;
    t = now();
    reg_parallel(ctx, stream_piece, slots, 64);
    ceiling[i] = now() - t;
  }
  qsort(ours, RUNS, sizeof *ours, by_value);
  qsort(ceiling, RUNS, sizeof *ceiling, by_value);
  printf("update of %d parameters, %d threads: %.1f ms (best %.1f), streams %.1f ms (best %.1f), %.0f %% of "
         "the ceiling; compiled in "
         "%.1f ms; kernels %d\n",
         COUNT, reg_ctx_threads(ctx), 1e3 * ours[RUNS / 2], 1e3 * ours[0], 1e3 * ceiling[RUNS / 2],
         1e3 * ceiling[0], 100 * ceiling[RUNS / 2] / ours[RUNS / 2], 1e3 * compiled, f->kernels);
  reg_ctx_free(ctx);
  backend->jit_free(jit);
  for (int i = 0; i <= 4; i++) free(slots[i]);
  arena_free(a);
  return 0;
}
