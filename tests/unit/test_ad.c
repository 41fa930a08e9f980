// Reverse mode beyond single operations: what counts as a variable, where gradients stop, kinks, order two on
// a network.
#include "compiler/ad/ad.h"
#include "test_graph_support.h"

static Graph *new_graph(void) { return graph_new(arena_new(), "test"); }

static Node *vector(Graph *g, const char *name) {
  return graph_input(g, name, DT_F32, shape_of(1, (int64_t)3));
}

static Node *total(Graph *g, Node *x) { return graph_reduce_all(g, OP_SUM, x); }

// A variable that is computed from another one ends the paths to that one.
Test(ad, variables_are_independent) {
  Graph *g = new_graph();
  Node *x = vector(g, "x"), *h = graph_unary(g, OP_EXP, x), *grad[2];
  Node *y = total(g, graph_binary(g, OP_ADD, graph_binary(g, OP_MUL, h, h), graph_unary(g, OP_SIN, x)));
  ad_gradient(g, y, (Node *[]){x, h}, 2, grad);
  cr_expect_eq(grad[0], graph_unary(g, OP_COS, x));
  cr_expect_eq(grad[1], graph_binary(g, OP_MUL, h, graph_const(g, 2, h->shape)));
  ad_gradient(g, y, &x, 1, grad);
  cr_expect(graph_depends(g, grad[0], h), "by x alone the path through exp counts");
}

Test(ad, the_result_itself_is_a_variable) {
  Graph *g = new_graph();
  Node *x = graph_input(g, "x", DT_F32, (Shape){0}), *y = graph_unary(g, OP_EXP, x), *grad[2];
  ad_gradient(g, y, (Node *[]){y, x}, 2, grad);
  cr_expect(node_is(grad[0], 1));
  cr_expect(node_is(grad[1], 0));
}

Test(ad, stop_and_integers_cut) {
  Graph *g = new_graph();
  Node *x = vector(g, "x"), *grad;
  Node *index = graph_cast(g, x, DT_I32);
  Node *y = graph_binary(g, OP_ADD, graph_binary(g, OP_MUL, x, graph_stop(g, graph_unary(g, OP_EXP, x))),
                         graph_cast(g, index, DT_F32));
  ad_gradient(g, total(g, y), &x, 1, &grad);
  cr_expect_eq(grad, graph_stop(g, graph_unary(g, OP_EXP, x)));
  Node *other = vector(g, "other");
  ad_gradient(g, total(g, y), &other, 1, &grad);
  cr_expect(node_is(grad, 0));
  cr_expect(shape_equal(grad->shape, other->shape));
  ad_gradient(g, total(g, graph_stop(g, x)), &x, 1, &grad);
  cr_expect(node_is(grad, 0));
}

// A cast between floats passes the adjoint on, in the operand's type.
Test(ad, through_double) {
  Graph *g = new_graph();
  Node *x = vector(g, "x"), *wide = graph_cast(g, x, DT_F64), *grad;
  Node *y = graph_cast(g, graph_unary(g, OP_TANH, wide), DT_F32);
  ad_gradient(g, total(g, y), &x, 1, &grad);
  cr_expect_eq(grad->dtype, DT_F32);
  uint64_t state = 1;
  double **preset = random_inputs(g->arena, g, g->nodes.len, -1, 1, &state);
  double *v = graph_interpret(g->arena, g, preset, false)[grad->id];
  for (int i = 0; i < 3; i++) {
    double t = tanh(preset[x->id][i]);
    cr_expect_float_eq(v[i], 1 - t * t, 1e-14);
  }
  ad_gradient(g, total(g, wide), &wide, 1, &grad);
  cr_expect_eq(grad->dtype, DT_F64);
}

Test(ad, seed_weighs_the_result) {
  Graph *g = new_graph();
  Node *x = vector(g, "x"), *w = vector(g, "w"), *grad;
  ad_vjp(g, graph_unary(g, OP_EXP, x), w, &x, 1, &grad);
  cr_expect_eq(grad, graph_binary(g, OP_MUL, graph_unary(g, OP_EXP, x), w));
}

// Values of first and second derivative (of the sum of the first, squared) at given points.
static void at_points(Node *(*f)(Graph *, Node *), const double *points, const double *first,
                      const double *second) {
  Graph *g = new_graph();
  Node *x = vector(g, "x"), *grad, *grad2;
  ad_gradient(g, total(g, f(g, x)), &x, 1, &grad);
  ad_gradient(g, total(g, graph_binary(g, OP_MUL, grad, grad)), &x, 1, &grad2);
  graph_output(g, "first", grad, -1);
  graph_output(g, "second", grad2, -1);
  double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len);
  preset[x->id] = (double *)points;
  double **v = graph_interpret(g->arena, g, preset, true);
  for (int i = 0; i < 3; i++) {
    cr_expect_float_eq(v[grad->id][i], first[i], 1e-12, "first at %g: %g", points[i], v[grad->id][i]);
    cr_expect_float_eq(v[grad2->id][i], second[i], 1e-12, "second at %g: %g", points[i], v[grad2->id][i]);
  }
}

static Node *relu(Graph *g, Node *x) { return graph_binary(g, OP_MAX, x, graph_const(g, 0, x->shape)); }
static Node *absolute(Graph *g, Node *x) { return graph_unary(g, OP_ABS, x); }
static Node *norm(Graph *g, Node *x) { return graph_unary(g, OP_SQRT, graph_binary(g, OP_MUL, x, x)); }
static Node *least(Graph *g, Node *x) { return graph_binary(g, OP_MIN, x, graph_const(g, 1, x->shape)); }

Test(ad, kinks) {
  at_points(relu, (double[]){-1, 0, 2}, (double[]){0, 0.5, 1}, (double[]){0, 0, 0}); // a tie is shared
  at_points(absolute, (double[]){-1, 0, 2}, (double[]){-1, 0, 1}, (double[]){0, 0, 0});
  at_points(norm, (double[]){-1, 0, 2}, (double[]){-1, 0, 1},
            (double[]){0, 0, 0}); // no NaN at 0, in either order
  at_points(least, (double[]){0, 1, 2}, (double[]){1, 0.5, 0}, (double[]){0, 0, 0});
}

// Equal maxima share the gradient.
Test(ad, tied_maxima) {
  Graph *g = new_graph();
  Node *x = vector(g, "x"), *grad;
  ad_gradient(g, graph_reduce_all(g, OP_RMAX, x), &x, 1, &grad);
  graph_output(g, "grad", grad, -1);
  double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len);
  preset[x->id] = (double[]){2, 1, 2};
  double *v = graph_interpret(g->arena, g, preset, true)[grad->id];
  cr_expect(v[0] == 0.5 && v[1] == 0 && v[2] == 0.5, "%g %g %g", v[0], v[1], v[2]);
}

static Node *dense(Graph *g, Node *x, Node *w, Node *b) {
  Node *z = graph_matmul(g, x, w);
  return graph_binary(g, OP_ADD, z, graph_broadcast_to(g, b, z->shape));
}

// Gradient penalty of a network with two layers: right by differences, in few nodes, and again to the third
// order.
Test(ad, gradient_penalty_of_a_network) {
  Graph *g = new_graph();
  Node *x = graph_input(g, "x", DT_F32, shape_of(2, (int64_t)4, (int64_t)3));
  Node *p[] = {graph_input(g, "w1", DT_F32, shape_of(2, (int64_t)3, (int64_t)5)),
               graph_input(g, "b1", DT_F32, shape_of(1, (int64_t)5)),
               graph_input(g, "w2", DT_F32, shape_of(2, (int64_t)5, (int64_t)2)),
               graph_input(g, "b2", DT_F32, shape_of(1, (int64_t)2))};
  Node *hidden = graph_unary(g, OP_TANH, dense(g, x, p[0], p[1]));
  Node *out = dense(g, hidden, p[2], p[3]);
  Node *loss = total(g, graph_binary(g, OP_MUL, out, out)), *grad, *second[4], *third[4];
  ad_gradient(g, loss, &x, 1, &grad);
  const int forward = g->nodes.len;
  Node *penalty = total(g, graph_binary(g, OP_MUL, grad, grad));
  ad_gradient(g, penalty, p, 4, second);
  cr_expect(g->nodes.len - forward < 60, "%d nodes for the second derivative", g->nodes.len - forward);
  Node *curvature = graph_const(g, 0, (Shape){0});
  for (int i = 0; i < 4; i++)
    curvature = graph_binary(g, OP_ADD, curvature, total(g, graph_binary(g, OP_MUL, second[i], second[i])));
  ad_gradient(g, curvature, p, 4, third);
  cr_expect(g->nodes.len < 500, "%d nodes to the third order", g->nodes.len);
  uint64_t state = 7;
  double largest = 0, **preset = random_inputs(g->arena, g, g->nodes.len, -1, 1, &state);
  for (int i = 0; i < 4; i++) {
    double e2 = difference_error(g, penalty, p[i], second[i], preset, &largest);
    double e3 = difference_error(g, curvature, p[i], third[i], preset, &largest);
    cr_expect(e2 < 1e-7 && e3 < 1e-6, "%s: %g, %g", p[i]->name, e2, e3);
  }
  cr_expect(largest > 0.1);
}
