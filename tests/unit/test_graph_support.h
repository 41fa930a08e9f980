// For tests of graph, ad and passes: values for inputs, the interpreter on them, derivatives by central
// differences. Random numbers come from a fixed linear congruence, so that every run tests the same.
#ifndef TEST_GRAPH_SUPPORT_H
#define TEST_GRAPH_SUPPORT_H
#include "compiler/graph/ops.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static inline double next_uniform(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) * 0x1p-53;
}

static inline Graph *must_parse(Arena *a, const char *text) {
  const char *error = NULL;
  Graph *g = graph_parse(a, text, &error);
  cr_assert(g, "%s\n%s", error, text);
  return g;
}

static inline char *file_text(Arena *a, const char *path) {
  FILE *f = fopen(path, "r");
  cr_assert(f, "%s", path);
  char *text = arena_alloc(a, 1 << 16);
  size_t n = fread(text, 1, (1 << 16) - 1, f);
  fclose(f);
  text[n] = 0;
  return text;
}

static inline char *printed(const Graph *g) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  graph_print(f, g);
  fclose(f);
  return text; // malloc
}

// By node id, for `room` nodes: f32 inputs in (lo, hi), i32 inputs small indices.
static inline double **random_inputs(Arena *a, const Graph *g, int room, double lo, double hi,
                                     uint64_t *state) {
  double **preset = ARENA_ARRAY(a, double *, room);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    int64_t count = shape_count(n->shape);
    double *v = preset[n->id] = ARENA_ARRAY(a, double, count);
    for (int64_t e = 0; e < count; e++) {
      double u = next_uniform(state);
      v[e] = n->dtype == DT_F32 ? lo + (hi - lo) * (0.02 + 0.96 * u) : floor(2 * u);
    }
  }
  return preset;
}

static inline double value_of(const Graph *g, const Node *n, double **preset) {
  Arena *a = arena_new();
  double v = graph_eval_scalar(a, g, n, preset);
  arena_free(a);
  return v;
}

// sum(weights * y) with weights that no symmetry cancels.
static inline Node *weighted_sum(Graph *g, Node *y, uint64_t *state) {
  int64_t count = shape_count(y->shape);
  double *w = ARENA_ARRAY(g->arena, double, count);
  for (int64_t e = 0; e < count; e++) w[e] = 0.5 + next_uniform(state);
  return graph_reduce_all(g, OP_SUM, graph_binary(g, OP_MUL, y, graph_tensor(g, w, DT_F32, y->shape)));
}

// The largest disagreement between d objective / d x, given as node `grad`, and central differences; relative
// to 1 + |both|.
static inline double difference_error(const Graph *g, const Node *objective, const Node *x, const Node *grad,
                                      double **preset, double *largest) {
  Arena *a = arena_new();
  double *v = preset[x->id], worst = 0;
  Graph view = *g;
  GraphOutput only = {"grad", (Node *)grad, -1};
  view.outputs.data = &only;
  view.outputs.len = 1;
  const double *claimed = graph_interpret(a, &view, preset, true)[grad->id];
  for (int64_t e = 0; e < shape_count(x->shape); e++) {
    const double h = 1e-5, at = v[e];
    v[e] = at + h;
    double up = value_of(g, objective, preset);
    v[e] = at - h;
    double down = value_of(g, objective, preset);
    v[e] = at;
    double slope = (up - down) / (2 * h),
           error = fabs(slope - claimed[e]) / (1 + fabs(slope) + fabs(claimed[e]));
    if (!(error <= worst)) worst = error; // a NaN is kept
    if (fabs(claimed[e]) > *largest) *largest = fabs(claimed[e]);
  }
  arena_free(a);
  return worst;
}
#endif
