// What is fused, kept, placed and split: counts and places instead of text. All graphs pass the verifier.
#include "compiler/loops/loops.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Shape matrix(int rows, int columns) { return shape_of(2, (int64_t)rows, (int64_t)columns); }

static LoopFn *lower(const Graph *g, bool keep_all) {
  LoopFn *f = loops_from_graph(g->arena, g, (LoopOptions){.keep_all = keep_all});
  const char *wrong = loops_verify(f);
  cr_assert(wrong == NULL, "%s: %s", g->name, wrong);
  return f;
}

static int nests(const LoopFn *f) {
  int n = 0;
  for (int i = 0; i < f->nsteps; i++) n += f->steps[i].nest != NULL;
  return n;
}

static int steps_of(const LoopFn *f, StepKind kind) {
  int n = 0;
  for (int i = 0; i < f->nsteps; i++) n += f->steps[i].kind == kind;
  return n;
}

static Node *times(Graph *g, double c, Node *x) {
  return graph_binary(g, OP_MUL, graph_const(g, c, x->shape), x);
}

// Adam on `gradient`, written over p, m, v at input positions `at` ..
static void adam(Graph *g, Node *p, Node *m, Node *v, Node *gradient, int at) {
  Node *m1 = graph_binary(g, OP_ADD, times(g, 0.9, m), times(g, 0.1, gradient));
  Node *v1 = graph_binary(g, OP_ADD, times(g, 0.999, v),
                          times(g, 0.001, graph_binary(g, OP_MUL, gradient, gradient)));
  Node *size = graph_binary(g, OP_ADD, graph_unary(g, OP_SQRT, v1), graph_const(g, 1e-8, p->shape));
  graph_output(g, "p", graph_binary(g, OP_SUB, p, times(g, 1e-3, graph_binary(g, OP_DIV, m1, size))), at);
  graph_output(g, "m", m1, at + 1);
  graph_output(g, "v", v1, at + 2);
}

// Penalty value, its gradient, the moments and the update of a parameter: one pass, in place, no scratch but
// the partial sums.
Test(loops, elastic_net_and_adam_are_one_kernel) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "update");
  Shape s = matrix(300, 200);
  for (int i = 0; i < 2; i++) {
    Node *p = graph_input(g, arena_printf(a, "p%d", i), DT_F32, s),
         *m = graph_input(g, arena_printf(a, "m%d", i), DT_F32, s);
    Node *v = graph_input(g, arena_printf(a, "v%d", i), DT_F32, s),
         *d = graph_input(g, arena_printf(a, "d%d", i), DT_F32, s);
    Node *penalty = graph_binary(g, OP_ADD, times(g, 1e-5, graph_unary(g, OP_ABS, p)),
                                 times(g, 1e-4, graph_binary(g, OP_MUL, p, p)));
    Node *slope = graph_binary(g, OP_ADD, times(g, 1e-5, graph_unary(g, OP_SIGN, p)), times(g, 2e-4, p));
    graph_output(g, "penalty", graph_reduce_all(g, OP_SUM, penalty), -1);
    adam(g, p, m, v, graph_binary(g, OP_ADD, d, slope), 4 * i);
  }
  LoopFn *f = lower(g, false);
  cr_assert_eq(f->kernels, 2);
  cr_assert_eq(nests(f), 2);
  cr_assert_eq(steps_of(f, STEP_COPY), 0);
  for (int i = 0; i < f->nsteps; i++) cr_assert_eq(f->steps[i].nest->nouts, 4);
  for (int i = 0; i < f->nbuffers; i++)
    if (f->buffers[i]->slot == 0) cr_assert(f->buffers[i]->bytes <= 512);
  arena_free(a);
}

// A schedule of scalars is computed at each kernel's entry: no kernel of its own, nothing stored.
Test(loops, scalars_are_inline) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "schedule");
  Node *x = graph_input(g, "x", DT_F32, matrix(50, 40)), *step = graph_input(g, "step", DT_I32, shape_of(0));
  Node *rate = graph_unary(g, OP_EXP, graph_unary(g, OP_NEG, graph_cast(g, step, DT_F32)));
  graph_output(g, "x", graph_binary(g, OP_MUL, x, graph_unary(g, OP_COS, rate)), 0);
  LoopFn *f = lower(g, false);
  cr_assert_eq(nests(f), 1);
  cr_assert_eq(f->scratch_bytes, 0);
  arena_free(a);
}

// What is expensive and read twice is kept; masks are drawn again.
Test(loops, expensive_values_are_kept_and_masks_are_not) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "softmax");
  Shape s = matrix(64, 10);
  Node *z = graph_input(g, "z", DT_F32, s), *seed = graph_input(g, "seed", DT_I32, shape_of(1, (int64_t)2)),
       *step = graph_input(g, "step", DT_I32, shape_of(0));
  int last[] = {1}, rows[] = {0};
  Node *most = graph_broadcast(g, graph_reduce(g, OP_RMAX, z, last, 1), s, rows);
  Node *e = graph_unary(g, OP_EXP, graph_binary(g, OP_SUB, z, most));
  Node *sum = graph_broadcast(g, graph_reduce(g, OP_SUM, e, last, 1), s, rows);
  Node *u = graph_uniform(g, seed, step, 3, s),
       *keep = graph_cast(g, graph_binary(g, OP_LT, u, graph_const(g, 0.5, s)), DT_F32);
  Node *p = graph_binary(g, OP_MUL, graph_binary(g, OP_DIV, e, sum), keep);
  graph_output(g, "p", p, -1);
  graph_output(g, "q", graph_binary(g, OP_MUL, graph_swap(g, z), graph_swap(g, keep)), -1);
  LoopFn *f = lower(g, false);
  cr_assert(f->of[e->id] != NULL);
  cr_assert(f->of[u->id] == NULL && f->of[keep->id] == NULL);
  cr_assert_eq(nests(f), 4);
  arena_free(a);
}

// What is centered is read three times: kept where it stays near the core, made again of what it is made of
// where that lies as far away.
Test(loops, cheap_values_are_kept_only_near_the_core) {
  for (int rows = 64; rows <= 1 << 14; rows *= 256) {
    Arena *a = arena_new();
    Graph *g = graph_new(a, "centered");
    Shape s = matrix(rows, 32);
    Node *x = graph_input(g, "x", DT_F32, s),
         *mean = graph_input(g, "mean", DT_F32, shape_of(1, (int64_t)32));
    int down[] = {0}, columns[] = {1};
    Node *c = graph_binary(g, OP_SUB, x, graph_broadcast(g, mean, s, columns)), *y = c;
    for (int i = 0; i < 2; i++) {
      Node *sum = graph_reduce(g, OP_SUM, graph_binary(g, OP_MUL, c, y), down, 1);
      y = graph_broadcast(g, sum, s, columns);
    }
    graph_output(g, "y", graph_binary(g, OP_MUL, c, y), -1);
    cr_expect_eq(lower(g, false)->of[c->id] != NULL, rows == 64, "%d rows", rows);
    arena_free(a);
  }
}

// A transpose before a product is a flag; a reshape is a view.
Test(loops, products_read_in_place) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "products");
  Node *x = graph_input(g, "x", DT_F32, shape_of(3, (int64_t)4, (int64_t)5, (int64_t)6)),
       *w = graph_input(g, "w", DT_F32, matrix(7, 30));
  Node *y = graph_matmul(g, graph_reshape(g, x, matrix(4, 30)), graph_swap(g, w));
  graph_output(g, "y", y, -1);
  graph_output(g, "d", graph_matmul(g, graph_swap(g, y), graph_stop(g, graph_reshape(g, x, matrix(4, 30)))),
               -1);
  LoopFn *f = lower(g, false);
  cr_assert_eq(f->nsteps, 2);
  cr_assert_eq(f->gemms, 2);
  cr_assert(f->steps[0].tb && !f->steps[0].ta && f->steps[1].ta);
  cr_assert_eq(f->steps[0].in[0], f->of[x->id]);
  arena_free(a);
}

// A chain of products needs two buffers, however long it is; with every value kept it needs all. Large ones
// are not equally far into their pages.
Test(loops, memory_is_used_again) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "chain");
  Node *w = graph_input(g, "w", DT_F32, matrix(64, 64)), *x = w;
  for (int i = 0; i < 9; i++) x = graph_matmul(g, x, w);
  graph_output(g, "y", x, -1);
  const int64_t each = 64 * 64 * 4 + 192;
  cr_assert_eq(lower(g, false)->scratch_bytes, 2 * each);
  cr_assert_eq(lower(g, true)->scratch_bytes, 8 * each);
  arena_free(a);
}

// w' = w - (w w^T) w needs the old w in the product, which runs before; w' = reversed w reads other elements:
// a copy.
Test(loops, in_place_only_where_it_is_safe) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "safe");
  Node *w = graph_input(g, "w", DT_F32, matrix(30, 30));
  graph_output(g, "w", graph_binary(g, OP_SUB, w, graph_matmul(g, graph_matmul(g, w, graph_swap(g, w)), w)),
               0);
  LoopFn *f = lower(g, false);
  cr_assert_eq(steps_of(f, STEP_COPY), 0);
  cr_assert_eq(f->steps[f->nsteps - 1].nest->outs[0].buffer->slot, 1);

  g = graph_new(a, "turned");
  w = graph_input(g, "w", DT_F32, matrix(30, 30));
  graph_output(g, "w", graph_unary(g, OP_NEG, graph_swap(g, w)), 0);
  f = lower(g, false);
  cr_assert_eq(steps_of(f, STEP_COPY), 1);

  g = graph_new(a, "exchanged");
  w = graph_input(g, "w", DT_F32, matrix(30, 30));
  Node *v = graph_input(g, "v", DT_F32, matrix(30, 30));
  graph_output(g, "w", v, 0);
  graph_output(g, "v", w, 1);
  f = lower(g, false);
  cr_assert_eq(steps_of(f, STEP_COPY), 4);
  arena_free(a);
}

// The text is the cache's key: it differs where a constant, a stream or an attribute differs.
Test(loops, text_tells_everything_apart) {
  Arena *a = arena_new();
  char *texts[4];
  for (int i = 0; i < 4; i++) {
    Graph *g = graph_new(a, "text");
    Node *x = graph_input(g, "x", DT_F32, matrix(4, 8)),
         *seed = graph_input(g, "seed", DT_I32, shape_of(1, (int64_t)2)),
         *step = graph_input(g, "step", DT_I32, shape_of(0));
    Node *u = graph_uniform(g, seed, step, i == 1 ? 8 : 7, x->shape);
    Node *y = graph_binary(g, OP_ADD, times(g, i == 2 ? 0.25 : 0.5, x), u);
    graph_output(g, "y", graph_reduce(g, OP_SUM, y, (int[]){i == 3}, 1), -1);
    size_t size;
    FILE *out = open_memstream(&texts[i], &size);
    loops_print(out, lower(g, false));
    fclose(out);
    for (int j = 0; j < i; j++) cr_assert(strcmp(texts[i], texts[j]) != 0, "texts %d and %d are equal", i, j);
  }
  for (int i = 0; i < 4; i++) free(texts[i]);
  arena_free(a);
}
