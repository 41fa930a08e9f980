// The builder: equal nodes are one, identities are applied, substitution. Values: the interpreter against
// numbers by hand.
#include "runtime/math/special.h"
#include "test_graph_support.h"

static Shape v3(void) { return shape_of(1, (int64_t)3); }
static Shape m23(void) { return shape_of(2, (int64_t)2, (int64_t)3); }

typedef struct Fixture {
  Graph *g;
  Node *x, *y, *m, *s;
} Fixture;

static Fixture fixture(void) {
  Graph *g = graph_new(arena_new(), "test");
  return (Fixture){g, graph_input(g, "x", DT_F32, v3()), graph_input(g, "y", DT_F32, v3()),
                   graph_input(g, "m", DT_F32, m23()), graph_input(g, "s", DT_F32, (Shape){0})};
}

Test(graph, equal_nodes_are_one) {
  Fixture f = fixture();
  Node *a = graph_binary(f.g, OP_ADD, f.x, f.y);
  int count = f.g->nodes.len;
  cr_expect_eq(a, graph_binary(f.g, OP_ADD, f.y, f.x));
  cr_expect_eq(f.x, graph_input(f.g, "x", DT_F32, v3()));
  cr_expect_eq(count, f.g->nodes.len);
  cr_expect_neq(graph_binary(f.g, OP_MAX, f.x, f.y), graph_binary(f.g, OP_MAX, f.y, f.x),
                "ties go to the second operand");
  cr_expect_neq(graph_const(f.g, 0.0, v3()), graph_const(f.g, -0.0, v3()));
  Node *seed = graph_input(f.g, "seed", DT_I32, shape_of(1, (int64_t)2)),
       *step = graph_input(f.g, "step", DT_I32, (Shape){0});
  cr_expect_eq(graph_uniform(f.g, seed, step, 3, v3()), graph_uniform(f.g, seed, step, 3, v3()));
  cr_expect_neq(graph_uniform(f.g, seed, step, 3, v3()), graph_uniform(f.g, seed, step, 4, v3()));
}

Test(graph, origin_is_of_the_first_builder) {
  Fixture f = fixture();
  f.g->origin = (Span){1, 5, 9};
  Node *a = graph_unary(f.g, OP_EXP, f.x);
  f.g->origin = (Span){1, 20, 21};
  cr_expect_eq(graph_unary(f.g, OP_EXP, f.x)->origin.start, 5);
  cr_expect_eq(graph_unary(f.g, OP_LOG, a)->origin.start, 20);
}

Test(graph, arithmetic_identities) {
  Fixture f = fixture();
  Graph *g = f.g;
  Node *x = f.x, *y = f.y, *zero = graph_const(g, 0, (Shape){0}), *one = graph_const(g, 1, (Shape){0}),
       *two = graph_const(g, 2, v3());
  Node *half = graph_const(g, 0.5, v3());
  cr_expect_eq(graph_binary(g, OP_ADD, x, zero), x);
  cr_expect_eq(graph_binary(g, OP_MUL, one, x), x);
  cr_expect_eq(graph_binary(g, OP_DIV, x, one), x);
  cr_expect_eq(graph_binary(g, OP_DIV, x, two), graph_binary(g, OP_MUL, x, half));
  cr_expect_eq(graph_binary(g, OP_SUB, zero, x), graph_unary(g, OP_NEG, x));
  cr_expect_eq(graph_unary(g, OP_NEG, graph_unary(g, OP_NEG, x)), x);
  cr_expect_eq(graph_binary(g, OP_ADD, x, graph_unary(g, OP_NEG, y)), graph_binary(g, OP_SUB, x, y));
  cr_expect_eq(graph_binary(g, OP_MUL, graph_unary(g, OP_NEG, x), graph_unary(g, OP_NEG, y)),
               graph_binary(g, OP_MUL, x, y));
  cr_expect_eq(graph_binary(g, OP_MUL, graph_binary(g, OP_MUL, x, two), half), x);
  cr_expect_eq(graph_binary(g, OP_MUL, graph_binary(g, OP_MUL, x, two), graph_binary(g, OP_MUL, y, half)),
               graph_binary(g, OP_MUL, x, y));
  cr_expect_eq(graph_binary(g, OP_ADD, graph_binary(g, OP_SUB, x, two), two), x);
  cr_expect(node_is(graph_unary(g, OP_EXP, graph_const(g, 0, v3())), 1));
}

// Where x may be infinite or NaN, so is what is made from it.
Test(graph, zeros_of_finite_values_only) {
  Fixture f = fixture();
  Graph *g = f.g;
  Node *x = f.x, *zero = graph_const(g, 0, v3()), *minus = graph_const(g, -1, v3());
  Node *mask = graph_cast(g, graph_binary(g, OP_LT, x, f.y), DT_F32);
  cr_expect(node_is(graph_binary(g, OP_MUL, mask, zero), 0) &&
            node_is(graph_binary(g, OP_SUB, mask, mask), 0));
  cr_expect_eq((int)graph_binary(g, OP_MUL, x, zero)->op, OP_MUL);
  cr_expect_eq((int)graph_binary(g, OP_SUB, x, x)->op, OP_SUB);
  cr_expect_eq((int)graph_binary(g, OP_DIV, zero, x)->op, OP_DIV);
  cr_expect(node_is(graph_binary(g, OP_XMUL, zero, x), 0));
  cr_expect_eq(graph_binary(g, OP_XMUL, minus, x), graph_unary(g, OP_NEG, x));
  cr_expect_eq(graph_binary(g, OP_XMUL, x, mask), graph_binary(g, OP_MUL, x, mask));
  cr_expect_eq((int)graph_binary(g, OP_XMUL, mask, x)->op, OP_XMUL);
}

// A quotient is rounded once, and no constant moves where it could leave the range of float on the way.
Test(graph, what_is_exact_stays) {
  Fixture f = fixture();
  Graph *g = f.g;
  Node *x = f.x, *y = f.y, *c = graph_const(g, 41, v3()), *tiny = graph_const(g, 1e-30, v3());
  cr_expect_eq((int)graph_binary(g, OP_DIV, x, c)->op, OP_DIV);
  Node *quotient = graph_binary(g, OP_DIV, graph_binary(g, OP_MUL, x, c), y);
  cr_expect(quotient->op == OP_DIV && quotient->in[1] == y);
  Node *small = graph_binary(g, OP_MUL, x, tiny), *product = graph_binary(g, OP_MUL, small, y);
  cr_expect(product->op == OP_MUL && (product->in[0] == small || product->in[1] == small));
  cr_expect_eq(graph_binary(g, OP_MUL, small, tiny)->in[0], small);
}

Test(graph, norms_do_not_overflow) {
  const double points[][2] = {{3, 4},     {3e30, 4e30},  {3e-30, 4e-30}, {0, 0},
                              {1e-38, 0}, {INFINITY, 1}, {NAN, 1}};
  for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
    Graph *g = graph_new(arena_new(), "test");
    Node *x = graph_input(g, "x", DT_F32, shape_of(1, (int64_t)2));
    Node *n = graph_norm(g, x, (int[]){0}, 1), *all = graph_norm_all(g, &x, 1);
    double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len), want = hypot(points[i][0], points[i][1]);
    preset[x->id] = (double *)points[i];
    double **v = graph_interpret(g->arena, g, preset, false);
    if (isfinite(want))
      cr_expect_float_eq(v[n->id][0], want, 1e-14 * want);
    else
      cr_expect(isnan(want) ? isnan(v[n->id][0]) : v[n->id][0] == want);
    cr_expect(v[n->id][0] == v[all->id][0] || isnan(want));
  }
}

Test(graph, regrouped_integers_wrap) {
  Graph *g = graph_new(arena_new(), "test");
  Node *i = graph_input(g, "i", DT_I32, v3()), *big = graph_const_typed(g, INT32_MAX, DT_I32, v3());
  Node *once = graph_binary(g, OP_ADD, i, big), *twice = graph_binary(g, OP_ADD, once, big);
  cr_expect(twice->op == OP_ADD && node_is(twice->in[1], -2));
  Node *least = graph_const_typed(g, INT32_MIN, DT_I32, v3());
  cr_expect_eq(graph_binary(g, OP_SUB, i, least), graph_binary(g, OP_ADD, i, least));
  cr_expect(node_is(graph_reduce_all(g, OP_SUM, big), 2147483645));
}

Test(graph, powers_and_choices) {
  Fixture f = fixture();
  Graph *g = f.g;
  Node *x = f.x, *y = f.y, *square = graph_binary(g, OP_MUL, x, x);
  const double exponents[] = {0, 1, 2, 3, 4, 0.5, -1, -0.5, -2};
  for (int i = 0; i < 9; i++) {
    Node *p = graph_binary(g, OP_POW, x, graph_const(g, exponents[i], (Shape){0}));
    cr_expect_neq((int)p->op, OP_POW, "x^%g", exponents[i]);
  }
  cr_expect_eq(graph_binary(g, OP_POW, x, graph_const(g, 4, v3())), graph_binary(g, OP_MUL, square, square));
  cr_expect_eq((int)graph_binary(g, OP_POW, x, graph_const(g, 1.5, v3()))->op, OP_POW);
  Node *less = graph_binary(g, OP_LT, x, y);
  cr_expect_eq(graph_select(g, graph_const_typed(g, 1, DT_BOOL, v3()), x, y), x);
  cr_expect_eq(graph_select(g, graph_const_typed(g, 0, DT_BOOL, (Shape){0}), x, y), y);
  cr_expect_eq(graph_select(g, graph_unary(g, OP_NOT, less), x, y), graph_select(g, less, y, x));
  cr_expect_eq(graph_select(g, less, x, x), x);
  cr_expect_eq(graph_stop(g, graph_stop(g, x)), graph_stop(g, x));
  cr_expect(node_is(graph_stop(g, graph_const(g, 3, v3())), 3));
  cr_expect_eq(graph_cast(g, x, DT_F32), x);
  cr_expect(node_is(graph_cast(g, graph_const(g, -2.7, v3()), DT_I32), -2));
}

Test(graph, shape_identities) {
  Fixture f = fixture();
  Graph *g = f.g;
  cr_expect_eq(graph_swap(g, graph_swap(g, f.m)), f.m);
  cr_expect_eq(graph_reshape(g, graph_reshape(g, f.m, shape_of(1, (int64_t)6)), m23()), f.m);
  cr_expect_eq(graph_slice(g, f.m, (int64_t[]){0, 0}, (int64_t[]){2, 3}, (int64_t[]){1, 1}), f.m);
  cr_expect_eq(graph_pad(g, f.x, (int64_t[]){0}, (int64_t[]){0}, (int64_t[]){0}), f.x);
  cr_expect(node_is(graph_broadcast_to(g, graph_const(g, 5, (Shape){0}), m23()), 5));
  Node *column = graph_reshape(g, f.x, shape_of(2, (int64_t)1, (int64_t)3));
  cr_expect_eq(graph_broadcast_to(g, column, m23()), graph_broadcast_to(g, f.x, m23()));
  cr_expect_null(graph_broadcast_to(g, f.m, v3()));
  // sum over a repeated axis: a product
  Node *rows = graph_reduce(g, OP_SUM, graph_broadcast_to(g, f.x, m23()), (int[]){0}, 1);
  cr_expect_eq(rows, graph_binary(g, OP_MUL, f.x, graph_const(g, 2, v3())));
  cr_expect_eq(graph_reduce(g, OP_RMAX, graph_broadcast_to(g, f.x, m23()), (int[]){0}, 1), f.x);
  Node *twice = graph_reduce(g, OP_SUM, graph_reduce(g, OP_SUM, f.m, (int[]){1}, 1), (int[]){0}, 1);
  cr_expect_eq(twice, graph_reduce_all(g, OP_SUM, f.m));
  cr_expect_eq(graph_reduce(g, OP_SUM, column, (int[]){0}, 1), f.x);
  cr_expect_eq(graph_reduce_all(g, OP_SUM, graph_swap(g, f.m)), graph_reduce_all(g, OP_SUM, f.m));
  Node *wide = graph_reshape(g, f.m, shape_of(3, (int64_t)2, (int64_t)1, (int64_t)3));
  cr_expect_eq(graph_reduce_all(g, OP_SUM, wide), graph_reduce_all(g, OP_SUM, f.m));
  Shape out;
  cr_expect(shape_broadcast(m23(), v3(), &out) && shape_equal(out, m23()));
  cr_expect_not(shape_broadcast(m23(), shape_of(1, (int64_t)2), &out));
  cr_expect_str_eq(shape_text(g->arena, m23()), "[2, 3]");
  cr_expect_str_eq(shape_text(g->arena, (Shape){0}), "[]");
}

// What has no elements is a constant; what is made of none has the value of its operation for nothing.
Test(graph, nothing_is_computed_of_nothing) {
  Fixture f = fixture();
  Graph *g = f.g;
  const Shape none = shape_of(2, (int64_t)2, (int64_t)0);
  Node *x = graph_input(g, "none", DT_F32, none), *empty = graph_const(g, 7, none);
  cr_expect_eq(empty, graph_tensor(g, NULL, DT_F32, none));
  cr_expect_eq(graph_unary(g, OP_EXP, x), empty);
  cr_expect_eq(graph_slice(g, f.m, (int64_t[]){0, 1}, (int64_t[]){2, 1}, (int64_t[]){1, 1}), empty);
  cr_expect_eq(graph_concat(g, (Node *[]){x, f.m, x}, 3, 1), f.m);
  const int second = 1;
  cr_expect_eq(graph_reduce(g, OP_SUM, x, &second, 1), graph_const(g, 0, shape_of(1, (int64_t)2)));
  cr_expect_eq(graph_reduce(g, OP_RMAX, x, &second, 1), graph_const(g, -INFINITY, shape_of(1, (int64_t)2)));
  cr_expect_eq(graph_matmul(g, x, graph_swap(g, x)), graph_const(g, 0, shape_of(2, (int64_t)2, (int64_t)2)));
  Node *wide = graph_pad(g, x, (int64_t[]){0, 1}, (int64_t[]){0, 2}, (int64_t[]){0, 5});
  cr_expect_eq(wide, graph_const(g, 0, m23()));
  g->keeps = true; // then what it was made from can be seen
  Node *sum = graph_reduce_all(g, OP_SUM, graph_unary(g, OP_EXP, x));
  cr_expect(graph_made_from(g, sum, (Node *[]){x}, 1));
  cr_expect_null(graph_verify(g));
  double elements[1] = {0}, *preset[64] = {0};
  preset[x->id] = elements;
  cr_expect_eq(graph_eval(g->arena, g, sum, preset)[0], 0);
}

Test(graph, substitution) {
  Fixture f = fixture();
  Graph *g = f.g;
  Node *kept = graph_unary(g, OP_EXP, f.y),
       *root = graph_binary(g, OP_ADD, graph_binary(g, OP_MUL, f.x, f.x), kept);
  Node *d = graph_binary(g, OP_ADD, f.x, f.y), *r = graph_substitute(g, root, &f.x, &d, 1);
  cr_expect_eq(r, graph_binary(g, OP_ADD, graph_binary(g, OP_MUL, d, d), kept));
  cr_expect_eq(graph_substitute(g, root, &f.s, &d, 1), root);
  cr_expect_eq(graph_substitute(g, root, &root, &d, 1), d);
  cr_expect(graph_depends(g, r, f.x) && graph_depends(g, r, f.y) && !graph_depends(g, r, f.s) &&
            graph_depends(g, r, r));
  Node *swapped =
      graph_substitute(g, graph_binary(g, OP_SUB, f.x, f.y), (Node *[]){f.x, f.y}, (Node *[]){f.y, f.x}, 2);
  cr_expect_eq(swapped, graph_binary(g, OP_SUB, f.y, f.x), "all at once, not one after the other");
}

// -- values

Test(graph, philox_known_answers) { // of the authors' distribution, kat_vectors
  uint32_t out[4];
  philox4x32((uint32_t[]){0, 0, 0, 0}, (uint32_t[]){0, 0}, out);
  cr_expect(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8);
  const uint32_t ones = 0xffffffff;
  philox4x32((uint32_t[]){ones, ones, ones, ones}, (uint32_t[]){ones, ones}, out);
  cr_expect(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd);
}

Test(graph, uniform_follows_its_definition) {
  double u[100], first[40];
  interp_uniform(u, 100, (double[]){-5, 17}, 9, 3);
  interp_uniform(first, 40, (double[]){-5, 17}, 9, 3);
  cr_expect(memcmp(u, first, sizeof first) == 0, "an element does not depend on the number of elements");
  for (uint32_t e = 0; e < 100; e++) {
    uint32_t w[4];
    philox4x32((uint32_t[]){e / 32 * 8 + e % 8, 0, 3, 9}, (uint32_t[]){(uint32_t)-5, 17}, w);
    cr_expect_eq(u[e], (w[e / 8 % 4] >> 8) / 16777216.0);
  }
}

Test(graph, inverse_error_function) {
  for (int i = -999; i <= 999; i++) {
    double x = i / 1000.0;
    cr_expect_float_eq(erf(reg_erfinv(x)), x, 3e-16, "%g", x);
  }
  for (double tail = 1e-3; tail > 1e-15; tail /= 7) {
    double kept = 1 - (1 - tail); // what the argument really holds
    cr_expect_float_eq(erfc(reg_erfinv(1 - tail)) / kept, 1, 1e-13, "%g", tail);
  }
  cr_expect(isinf(reg_erfinv(1)) && isinf(reg_erfinv(-1)) && isnan(reg_erfinv(1.5)));
}

Test(graph, scalar_forms) {
  cr_expect_eq(op_scalar(OP_ADD, DT_I32, DT_I32, INT32_MAX, 1, 0), INT32_MIN);
  cr_expect_eq(op_scalar(OP_MUL, DT_I32, DT_I32, 65537, 65537, 0), 131073);
  cr_expect_eq(op_scalar(OP_DIV, DT_I32, DT_I32, -7, 2, 0), -3);
  cr_expect_eq(op_scalar(OP_ROUND, DT_F32, DT_F32, 2.5, 0, 0), 2);
  cr_expect_eq(op_scalar(OP_SIGMOID, DT_F32, DT_F32, -1000, 0, 0), 0);
  cr_expect_eq(op_scalar(OP_SIGMOID, DT_F32, DT_F32, 1000, 0, 0), 1);
  cr_expect_float_eq(op_scalar(OP_SIGMOID, DT_F32, DT_F32, -40, 0, 0), exp(-40), 1e-32);
  cr_expect_eq(op_scalar(OP_CAST, DT_F32, DT_BOOL, 0.1, 0, 0), 1);
}

// One text, its outputs by hand.
static void expect_values(const char *expression, const double *want, int n) {
  Arena *a = arena_new();
  Graph *g = must_parse(
      a, arena_printf(a,
                      "graph \"g\" m = const f32[2,3] {3, 1, 2, -1, 5, 5} i = const i32[2] {1, 0}\n"
                      "output \"y\" %s",
                      expression));
  double *v = graph_interpret(a, g, NULL, true)[g->outputs.data[0].node->id];
  cr_assert_eq(shape_count(g->outputs.data[0].node->shape), n, "%s", expression);
  for (int k = 0; k < n; k++) cr_expect_eq(v[k], want[k], "%s: element %d is %g", expression, k, v[k]);
  arena_free(a);
}
#define VALUES(text, ...)                                                                                    \
  expect_values(text, (double[]){__VA_ARGS__}, (int)(sizeof(double[]){__VA_ARGS__} / sizeof(double)))

Test(graph, interpreter_by_hand) {
  VALUES("iota f32[2,3] axis=1", 0, 1, 2, 0, 1, 2);
  VALUES("sum(m) axes=[0]", 2, 6, 7);
  VALUES("rmax(m) axes=[1]", 3, 5);
  VALUES("argmax(m) axes=[1]", 0, 1);
  VALUES("argmax(m) axes=[0]", 0, 1, 1);
  VALUES("cumsum(m) axis=1 reverse=0", 3, 4, 6, -1, 4, 9);
  VALUES("cumsum(m) axis=1 reverse=1", 6, 3, 2, 9, 10, 5);
  VALUES("cumsum(m) axis=0 reverse=1", 2, 6, 7, -1, 5, 5);
  VALUES("transpose(m) perm=[1,0]", 3, -1, 1, 5, 2, 5);
  VALUES("broadcast(i) i32[2,2] axes=[1]", 1, 0, 1, 0);
  VALUES("broadcast(i) i32[2,2] axes=[0]", 1, 1, 0, 0);
  VALUES("slice(m) start=[0,0] stop=[2,3] step=[1,2]", 3, 2, -1, 5);
  VALUES("pad(i) lo=[1] hi=[0] inner=[2]", 0, 1, 0, 0, 0);
  VALUES("concat(m, m) axis=1", 3, 1, 2, 3, 1, 2, -1, 5, 5, -1, 5, 5);
  VALUES("matmul(m, transpose(m) perm=[1,0])", 14, 12, 12, 51);
  VALUES("gather(m, i)", -1, 5, 5, 3, 1, 2);
  VALUES("gather(i, const i32[3] {-1, 7, 1})", 1, 0, 0);
  VALUES("index(i) \"here\" size=2", 1, 0);
  VALUES("index(const f32[3] {2, -1, 9}) \"here\" size=3", 2, 0, 2);
  VALUES("scatter_add(const i32[2] {2, 2}, m) size=3", 0, 0, 0, 0, 0, 0, 2, 6, 7);
  VALUES("take_along(m, const i32[2,2] {2, 0, 1, 1})", 2, 3, 5, 5);
  VALUES("put_along(const i32[2,3] {0, 0, 1, 1, 1, 0}, m) size=2", 4, 2, 5, 4);
  VALUES("argsort(m)", 1, 2, 0, 0, 1, 2);
  VALUES("select(lt(m, const f32[2,3] {2}), m, neg(m))", -3, 1, -2, -1, -5, -5);
  VALUES("max(m, transpose(transpose(m) perm=[1,0]) perm=[1,0])", 3, 1, 2, -1, 5, 5);
  VALUES("div(cast(i) f64[2], const f64[2] {3})", 1.0 / 3, 0);
  VALUES("cast(mul(cast(m) f64[2,3], const f64[2,3] {2.75})) i32[2,3]", 8, 2, 5, -2, 13, 13);
}

// The interpretation goes on behind an index out of range, and tells it.
Test(graph, refused_indices) {
  static const struct {
    const char *values, *count;
    double refused; // NAN: none
    int64_t below;
  } cases[] = {{"{0, 2, 1}", "", NAN, 0},
               {"{0, 3, 1}", "", 3, 3},
               {"{0, 1, -1}", "", -1, 3},
               {"{0.5, 1, 1}", "", 0.5, 3},
               {"{0, 1, 1}", ", const i32[] {2}", NAN, 0},
               {"{0, 2, 1}", ", const i32[] {2}", 2, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Arena *a = arena_new();
    Graph *g =
        must_parse(a, arena_printf(a, "graph \"g\" output \"y\" index(const f32[3] %s%s) \"here\" size=3",
                                   cases[i].values, cases[i].count));
    GraphFault fault;
    graph_interpret_checked(a, g, NULL, &fault);
    cr_expect(isnan(cases[i].refused)
                  ? !fault.node
                  : fault.node && fault.value == cases[i].refused && fault.below == cases[i].below &&
                        !strcmp(fault.node->name, "here"),
              "%s", cases[i].values);
    arena_free(a);
  }
}

Test(graph, scalar_evaluation_needs_only_its_inputs) {
  Fixture f = fixture();
  double s = 2, *preset[64] = {0};
  preset[f.s->id] = &s;
  Node *n = graph_binary(f.g, OP_ADD, graph_unary(f.g, OP_SQRT, f.s), graph_const(f.g, 1, (Shape){0}));
  cr_expect_float_eq(graph_eval_scalar(f.g->arena, f.g, n, preset), 1 + sqrt(2), 1e-15);
}
