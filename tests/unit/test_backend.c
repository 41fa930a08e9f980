// Every operation, compiled against interpreted, in sizes around the vector's and with axes of size 1.
#include "compiler/passes/passes.h"
#include "test_backend_case.h"
#include <glob.h>

static const int shapes[][4] = {{0},     {1, 1},   {1, 3},    {1, 7},    {1, 8},     {1, 9},      {1, 31},
                                {1, 33}, {1, 100}, {2, 1, 9}, {2, 5, 1}, {2, 3, 13}, {3, 2, 1, 5}};
enum { NSHAPES = sizeof shapes / sizeof *shapes };
static Shape shape_number(int i) { return dims(shapes[i][0], shapes[i] + 1); }

static double tolerance_of(Op op) { return op == OP_POW || op == OP_DIV ? 4e-6 : 1e-6; }

// Each operation in all shapes; in double y comes from floats.
static void check_pointwise(DType t) {
  Machine m = machine_new(NULL);
  for (int op = 0; op < OP_COUNT; op++) {
    const OpInfo *info = &op_info[op];
    if (info->class != CLASS_POINTWISE || op == OP_SELECT || op == OP_CAST) continue;
    Graph *g = graph_new(m.arena, info->text);
    for (int i = 0; i < NSHAPES; i++) {
      Shape s = shape_number(i);
      Node *x = graph_input(g, arena_printf(m.arena, "x%d", i), t, s),
           *y = graph_input(g, arena_printf(m.arena, "y%d", i), DT_F32, s);
      if (t == DT_F64) y = graph_cast(g, y, t);
      graph_output(g, arena_printf(m.arena, "o%d", i),
                   info->arity == 1 ? graph_unary(g, op, x) : graph_binary(g, op, x, y), -1);
    }
    check_graph_in(&m, g, info->lo, info->hi, t == DT_F64 ? 1e-14 : tolerance_of(op));
  }
  machine_free(&m);
}

Test(backend, pointwise) { check_pointwise(DT_F32); }
Test(backend, in_double) { check_pointwise(DT_F64); }

Test(backend, logic_select_cast) {
  Machine m = machine_new(NULL);
  for (int i = 0; i < NSHAPES; i++) {
    Graph *g = graph_new(m.arena, "logic");
    Shape s = shape_number(i);
    Node *x = graph_input(g, "x", DT_F32, s), *y = graph_input(g, "y", DT_F32, s),
         *k = graph_input(g, "k", DT_I32, s), *b = graph_input(g, "b", DT_BOOL, s);
    Node *less = graph_binary(g, OP_LT, x, y),
         *equal = graph_binary(g, OP_EQ, k, graph_const_typed(g, 1, DT_I32, s));
    Node *either = graph_binary(g, OP_OR, less, graph_unary(g, OP_NOT, equal)),
         *both = graph_binary(g, OP_AND, either, b);
    graph_output(g, "both", both, -1);
    graph_output(g, "select", graph_select(g, both, x, y), -1);
    graph_output(g, "float", graph_binary(g, OP_ADD, graph_cast(g, both, DT_F32), graph_cast(g, k, DT_F32)),
                 -1);
    graph_output(g, "integer",
                 graph_binary(g, OP_MUL, graph_cast(g, x, DT_I32),
                              graph_binary(g, OP_ADD, k, graph_cast(g, b, DT_I32))),
                 -1);
    graph_output(g, "nonzero", graph_cast(g, k, DT_BOOL), -1);
    graph_output(g, "le", graph_binary(g, OP_LE, k, graph_cast(g, y, DT_I32)), -1);
    check_graph(&m, g, 1e-6);
  }
  machine_free(&m);
}

Test(backend, doubles_in_tensors) {
  Machine m = machine_new(NULL);
  for (int i = 0; i < NSHAPES; i++) {
    Graph *g = graph_new(m.arena, "doubles");
    Shape s = shape_number(i);
    Node *x = graph_input(g, "x", DT_F64, s), *f = graph_input(g, "f", DT_F32, s),
         *k = graph_input(g, "k", DT_I32, s), *now = graph_input(g, "now", DT_F64, (Shape){0});
    Node *rate =
        graph_unary(g, OP_FLOOR, graph_binary(g, OP_DIV, now, graph_const_typed(g, 41, DT_F64, (Shape){0})));
    Node *less = graph_binary(g, OP_LT, x, graph_cast(g, f, DT_F64));
    graph_output(g, "scaled", graph_binary(g, OP_MUL, f, graph_cast(g, rate, DT_F32)), -1);
    graph_output(g, "select", graph_select(g, less, x, graph_cast(g, k, DT_F64)), -1);
    graph_output(g, "whole",
                 graph_cast(g, graph_binary(g, OP_MUL, x, graph_const_typed(g, 7, DT_F64, s)), DT_I32), -1);
    graph_output(g, "truth", graph_cast(g, x, DT_BOOL), -1);
    graph_output(g, "of_truth", graph_cast(g, less, DT_F64), -1);
    graph_output(g, "copy", now, -1);
    double *data = ARENA_ARRAY(m.arena, double, shape_count(s));
    for (int64_t e = 0; e < shape_count(s); e++) data[e] = 1.0 / (3 + (double)e);
    graph_output(g, "constant", graph_binary(g, OP_ADD, graph_tensor(g, data, DT_F64, s), x), -1);
    if (s.rank) {
      graph_output(g, "count", graph_binary(g, OP_ADD, graph_iota(g, s.rank - 1, DT_F64, s), x), -1);
      graph_output(g, "joined", graph_concat(g, (Node *[]){x, graph_unary(g, OP_NEG, x)}, 2, s.rank - 1), -1);
    }
    if (s.rank == 2) {
      graph_output(g, "turned", graph_unary(g, OP_EXP, graph_swap(g, x)), -1);
      graph_output(g, "row", graph_slice(g, x, (int64_t[]){0, 0}, s.dim, (int64_t[]){1, 2}), -1);
    }
    check_graph(&m, g, 1e-6);
  }
  machine_free(&m);
}

// Every set of axes.
static void check_reductions(Machine *m, Shape s, DType t) {
  for (unsigned set = 1; set < 1u << s.rank; set++) {
    int axes[MAX_RANK], n = 0;
    for (int i = 0; i < s.rank; i++)
      if (set >> i & 1) axes[n++] = i;
    Graph *g = graph_new(m->arena, "reduce");
    Node *x = graph_input(g, "x", t, s);
    graph_output(g, "sum", graph_reduce(g, OP_SUM, x, axes, n), -1);
    graph_output(g, "max", graph_reduce(g, OP_RMAX, x, axes, n), -1);
    if (n == 1) graph_output(g, "argmax", graph_reduce(g, OP_ARGMAX, x, axes, n), -1);
    if (t == DT_F32) graph_output(g, "doubled", graph_binary(g, OP_ADD, x, x), -1);
    check_graph(m, g, 1e-6 * sqrt((double)shape_count(s)));
  }
}

Test(backend, reductions) {
  Machine m = machine_new(NULL);
  const Shape all[] = {DIMS(1),          DIMS(7),       DIMS(100),     DIMS(5, 13),
                       DIMS(13, 5),      DIMS(1, 9),    DIMS(9, 1),    DIMS(3, 1, 8),
                       DIMS(2, 3, 4, 5), DIMS(64, 100), DIMS(100, 33), DIMS(3, 40, 17)};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_reductions(&m, all[i], DT_F32);
  check_reductions(&m, DIMS(5, 13), DT_I32);
  check_reductions(&m, DIMS(40, 3), DT_I32);
  check_reductions(&m, DIMS(5, 13), DT_F64);
  check_reductions(&m, DIMS(13, 5), DT_F64);
  check_reductions(&m, DIMS(40, 3, 600), DT_F64);
  machine_free(&m);
}

Test(backend, reductions_in_pieces) {
  Machine m = machine_new(NULL);
  check_reductions(&m, DIMS(600011), DT_F32);
  check_reductions(&m, DIMS(3000, 101), DT_F32);
  check_reductions(&m, DIMS(11, 33333), DT_F32);
  check_reductions(&m, DIMS(20, 300, 50), DT_F32);
  check_reductions(&m, DIMS(600011), DT_F64);
  check_reductions(&m, DIMS(11, 33333), DT_F64);
  check_reductions(&m, DIMS(600011), DT_I32);
  machine_free(&m);
}

Test(backend, shapes) {
  Machine m = machine_new(NULL);
  Graph *g = graph_new(m.arena, "shapes");
  Node *x = graph_input(g, "x", DT_F32, DIMS(4, 9, 10)), *v = graph_input(g, "v", DT_F32, DIMS(9));
  Node *e = graph_unary(g, OP_EXP, x);
  const int perms[][3] = {{0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
  for (int i = 0; i < 5; i++) {
    Node *t = graph_transpose(g, i % 2 ? x : e, perms[i]);
    graph_output(g, arena_printf(m.arena, "transpose%d", i),
                 graph_binary(g, OP_ADD, t, graph_unary(g, OP_TANH, t)), -1);
  }
  graph_output(g, "slice",
               graph_slice(g, e, (int64_t[]){1, 0, 2}, (int64_t[]){4, 9, 9}, (int64_t[]){1, 2, 3}), -1);
  graph_output(g, "pad", graph_pad(g, e, (int64_t[]){1, 0, 3}, (int64_t[]){0, 2, 2}, (int64_t[]){0, 0, 0}),
               -1);
  graph_output(g, "spread", graph_pad(g, x, (int64_t[]){0, 1, 2}, (int64_t[]){0, 1, 3}, (int64_t[]){1, 0, 2}),
               -1);
  graph_output(g, "cut",
               graph_pad(g,
                         graph_slice(g, x, (int64_t[]){0, 0, 0}, (int64_t[]){4, 9, 10}, (int64_t[]){2, 1, 3}),
                         (int64_t[]){0, 0, 0}, (int64_t[]){1, 0, 0}, (int64_t[]){1, 0, 2}),
               -1);
  for (int axis = 0; axis < 3; axis++)
    graph_output(g, arena_printf(m.arena, "concat%d", axis),
                 graph_concat(g, (Node *[]){x, e, graph_unary(g, OP_NEG, x)}, 3, axis), -1);
  graph_output(
      g, "broadcast",
      graph_binary(g, OP_MUL, x, graph_broadcast(g, graph_unary(g, OP_EXP, v), x->shape, (int[]){1})), -1);
  graph_output(g, "merge", graph_unary(g, OP_NEG, graph_reshape(g, e, DIMS(36, 10))), -1);
  graph_output(
      g, "split",
      graph_unary(g, OP_NEG, graph_reshape(g, graph_transpose(g, x, (int[]){0, 2, 1}), DIMS(2, 2, 30, 3))),
      -1);
  graph_output(g, "flat", graph_reshape(g, e, DIMS(360)), -1);
  graph_output(g, "view", graph_reshape(g, x, DIMS(6, 60)), -1);
  graph_output(g, "iota", graph_binary(g, OP_ADD, x, graph_iota(g, 1, DT_F32, x->shape)), -1);
  graph_output(g, "constant", graph_tensor(g, (double[]){1, 2, 3, 4, 5, 6}, DT_F32, DIMS(2, 3)), -1);
  graph_output(
      g, "table",
      graph_binary(g, OP_ADD, v, graph_tensor(g, (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9}, DT_F32, DIMS(9))),
      -1);
  check_graph(&m, g, 1e-6);
  machine_free(&m);
}

Test(backend, matmul) {
  Machine m = machine_new(NULL);
  Graph *g = graph_new(m.arena, "matmul");
  Node *x = graph_input(g, "x", DT_F32, DIMS(13, 7)), *y = graph_input(g, "y", DT_F32, DIMS(7, 9)),
       *z = graph_input(g, "z", DT_F32, DIMS(9, 7));
  Node *a = graph_input(g, "a", DT_F32, DIMS(3, 5, 4)), *b = graph_input(g, "b", DT_F32, DIMS(3, 4, 6));
  graph_output(g, "plain", graph_matmul(g, x, y), -1);
  graph_output(g, "second", graph_matmul(g, x, graph_swap(g, z)), -1);
  graph_output(g, "first", graph_matmul(g, graph_swap(g, y), graph_swap(g, x)), -1);
  graph_output(g, "inner",
               graph_matmul(g, graph_unary(g, OP_TANH, x), graph_unary(g, OP_NEG, graph_swap(g, z))), -1);
  graph_output(g, "batch", graph_matmul(g, a, b), -1);
  graph_output(g, "outer", graph_unary(g, OP_EXP, graph_matmul(g, graph_swap(g, b), graph_swap(g, a))), -1);
  LoopFn *f = loops_from_graph(m.arena, g, (LoopOptions){0});
  cr_assert_eq(f->gemms, 6);
  check_graph(&m, g, 1e-5);
  machine_free(&m);
}

Test(backend, indexing) {
  Machine m = machine_new(NULL);
  Graph *g = graph_new(m.arena, "indexing");
  Node *x = graph_input(g, "x", DT_F32, DIMS(4, 9)), *i = graph_input(g, "i", DT_I32, DIMS(6)),
       *w = graph_input(g, "w", DT_F32, DIMS(6, 9));
  Node *order = graph_argsort(g, x);
  graph_output(g, "gather", graph_gather(g, graph_unary(g, OP_EXP, x), i), -1);
  graph_output(g, "checked", graph_index(g, i, 3, NULL, "here"), -1);
  Node *count = graph_const_typed(g, 3, DT_I32, (Shape){0});
  graph_output(g, "checked_below", graph_index(g, i, 5, count, "below"), -1);
  Node *half = graph_binary(g, OP_MUL, graph_cast(g, i, DT_F32), graph_const(g, 2, (Shape){0}));
  graph_output(g, "checked_floats", graph_index(g, half, 5, NULL, "there"), -1);
  graph_output(g, "scatter", graph_scatter_add(g, i, graph_unary(g, OP_TANH, w), 5), -1);
  graph_output(g, "order", order, -1);
  graph_output(g, "sorted", graph_take_along(g, x, order), -1);
  graph_output(g, "put", graph_put_along(g, order, graph_binary(g, OP_MUL, x, x), 9), -1);
  graph_output(g, "sums", graph_running(g, OP_CUMSUM, x, 0, false), -1);
  graph_output(g, "sums_back", graph_unary(g, OP_NEG, graph_running(g, OP_CUMSUM, x, 1, true)), -1);
  check_graph(&m, g, 1e-6);
  machine_free(&m);
}

Test(backend, uniform) {
  Machine m = machine_new(NULL);
  const Shape all[] = {DIMS(1),     DIMS(7),      DIMS(32),        DIMS(100),
                       DIMS(5, 13), DIMS(64, 96), DIMS(3, 64, 32), DIMS(700, 300)};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    Graph *g = graph_new(m.arena, "uniform");
    Node *seed = graph_input(g, "seed", DT_I32, DIMS(2)), *step = graph_input(g, "step", DT_I32, (Shape){0});
    Node *x = graph_input(g, "x", DT_F32, all[i]), *u = graph_uniform(g, seed, step, 5, all[i]);
    Node *keep = graph_binary(g, OP_LT, u, graph_const(g, 0.5, all[i]));
    graph_output(g, "draw", u, -1);
    graph_output(g, "dropped", graph_select(g, keep, x, graph_const(g, 0, all[i])), -1);
    if (all[i].rank == 2) {
      graph_output(g, "turned", graph_swap(g, graph_uniform(g, seed, step, 6, all[i])), -1);
      graph_output(g, "rows", graph_reduce(g, OP_SUM, u, (int[]){1}, 1), -1);
      graph_output(g, "columns", graph_reduce(g, OP_SUM, u, (int[]){0}, 1), -1);
    }
    check_graph(&m, g, 2e-6 * sqrt((double)shape_count(all[i])));
  }
  machine_free(&m);
}

Test(backend, nan_passes_through) {
  Machine m = machine_new(NULL);
  Graph *g = graph_new(m.arena, "nan");
  Node *x = graph_input(g, "x", DT_F32, DIMS(2, 19));
  Node *zero = graph_const(g, 0, x->shape);
  graph_output(g, "relu", graph_binary(g, OP_MAX, x, zero), -1);
  graph_output(g, "min", graph_binary(g, OP_MIN, zero, x), -1);
  graph_output(g, "max", graph_reduce(g, OP_RMAX, x, (int[]){1}, 1), -1);
  graph_output(g, "sum", graph_reduce(g, OP_SUM, x, (int[]){1}, 1), -1);
  graph_output(g, "exp", graph_unary(g, OP_EXP, x), -1);
  float data[38] = {0};
  for (int i = 0; i < 38; i++) data[i] = (float)i;
  data[17] = NAN;
  void *inputs[] = {data}, *out[5];
  run_compiled(&m, loops_from_graph(m.arena, g, (LoopOptions){0}), inputs, 1, out);
  for (int i = 0; i < 5; i++) {
    const float *v = out[i];
    bool reduced = i == 2 || i == 3;
    cr_assert(isnan(v[reduced ? 0 : 17]) && !isnan(v[reduced ? 1 : 18]), "output %d", i);
    free(out[i]);
  }
  machine_free(&m);
}

// tests/graph/, and of what random graphs found the smallest cases: tests/graph/compiled/.
// In both precisions.
Test(backend, graph_files) {
  glob_t found;
  cr_assert_eq(glob(SOURCE_DIR "/tests/graph/*.graph", 0, NULL, &found), 0);
  cr_assert_eq(glob(SOURCE_DIR "/tests/graph/compiled/*.graph", GLOB_APPEND, NULL, &found), 0);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    Machine m = machine_new(NULL);
    char *text = arena_alloc(m.arena, 1 << 16);
    FILE *f = fopen(found.gl_pathv[i], "r");
    cr_assert(f && fread(text, 1, (1 << 16) - 1, f) > 0, "%s", found.gl_pathv[i]);
    fclose(f);
    double lo, hi;
    cr_assert_eq(sscanf(text, "# domain %lf %lf", &lo, &hi), 2, "%s", found.gl_pathv[i]);
    const char *error = NULL;
    Graph *g = graph_parse(m.arena, text, &error);
    cr_assert(g, "%s: %s", found.gl_pathv[i], error);
    check_graph_in(&m, passes_run(m.arena, g, 0, true), lo, hi, 4e-6);
    if (!strstr(text, "graph \"windows\"")) // of floats alone: in doubles no pass makes them
      check_graph_in(&m, passes_run(m.arena, graph_widen(m.arena, g, -1), 0, true), lo, hi, 1e-11);
    machine_free(&m);
  }
  globfree(&found);
}
