// Every pointwise operation where differences cannot look: at 0, at ties, far out, at infinity. Value, first
// and second derivative against limits; and what was not chosen leaves no trace, in either order.
#include "compiler/ad/ad.h"
#include "test_graph_support.h"

#define ANY 1.25e77 // not stated
#define INF INFINITY

typedef struct Case {
  Op op;
  double x, y, value, dx, dy, dxx; // y and dy of operations with two operands
} Case;

static const Case cases[] = {
    {OP_NEG, 0, 0, 0, -1, 0, 0},
    {OP_NEG, INF, 0, -INF, -1, 0, 0},
    {OP_ABS, 0, 0, 0, 0, 0, 0},
    {OP_ABS, 1e30, 0, 1e30, 1, 0, 0},
    {OP_ABS, -INF, 0, INF, -1, 0, 0},
    {OP_SIGN, 0, 0, 0, 0, 0, 0},
    {OP_SIGN, -INF, 0, -1, 0, 0, 0},
    {OP_FLOOR, 0, 0, 0, 0, 0, 0},
    {OP_FLOOR, INF, 0, INF, 0, 0, 0},
    {OP_ROUND, 0.5, 0, 0, 0, 0, 0},
    {OP_ROUND, -INF, 0, -INF, 0, 0, 0},
    {OP_EXP, 0, 0, 1, 1, 0, 1},
    {OP_EXP, -1e30, 0, 0, 0, 0, 0},
    {OP_EXP, -INF, 0, 0, 0, 0, 0},
    {OP_EXP, INF, 0, INF, INF, 0, INF},
    {OP_EXPM1, 0, 0, 0, 1, 0, 1},
    {OP_EXPM1, -INF, 0, -1, 0, 0, 0},
    {OP_EXPM1, INF, 0, INF, INF, 0, INF},
    {OP_LOG, 0, 0, -INF, INF, 0, -INF},
    {OP_LOG, 1e30, 0, 69.0775527898213705, 1e-30, 0, -1e-60},
    {OP_LOG, INF, 0, INF, 0, 0, 0},
    {OP_LOG1P, 0, 0, 0, 1, 0, -1},
    {OP_LOG1P, -1, 0, -INF, INF, 0, -INF},
    {OP_LOG1P, INF, 0, INF, 0, 0, 0},
    {OP_SQRT, 0, 0, 0, 0, 0, 0},
    {OP_SQRT, 1e30, 0, 1e15, 0.5e-15, 0, -0.25e-45},
    {OP_SQRT, INF, 0, INF, 0, 0, 0},
    {OP_SQRT, -1, 0, NAN, NAN, 0, NAN},
    {OP_TANH, 0, 0, 0, 1, 0, 0},
    {OP_TANH, -1e30, 0, -1, 0, 0, 0},
    {OP_TANH, INF, 0, 1, 0, 0, 0},
    {OP_SIGMOID, 0, 0, 0.5, 0.25, 0, 0},
    {OP_SIGMOID, 1e30, 0, 1, 0, 0, 0},
    {OP_SIGMOID, -INF, 0, 0, 0, 0, 0},
    {OP_SOFTPLUS, 0, 0, 0.69314718055994531, 0.5, 0, 0.25},
    {OP_SOFTPLUS, 1e30, 0, 1e30, 1, 0, 0},
    {OP_SOFTPLUS, INF, 0, INF, 1, 0, 0},
    {OP_SOFTPLUS, -INF, 0, 0, 0, 0, 0},
    {OP_ERF, 0, 0, 0, M_2_SQRTPI, 0, 0},
    {OP_ERF, 1e30, 0, 1, 0, 0, 0},
    {OP_ERF, -INF, 0, -1, 0, 0, 0},
    {OP_ERFINV, 0, 0, 0, 0.88622692545275801, 0, 0},
    {OP_ERFINV, 1, 0, INF, INF, 0, INF},
    {OP_SIN, 0, 0, 0, 1, 0, 0},
    {OP_SIN, INF, 0, NAN, NAN, 0, NAN},
    {OP_COS, 0, 0, 1, 0, 0, -1},
    {OP_COS, -INF, 0, NAN, NAN, 0, NAN},
    {OP_SINH, 0, 0, 0, 1, 0, 0},
    {OP_SINH, -INF, 0, -INF, INF, 0, -INF},
    {OP_COSH, 0, 0, 1, 0, 0, 1},
    {OP_COSH, -INF, 0, INF, -INF, 0, INF},
    {OP_ASIN, 0, 0, 0, 1, 0, 0},
    {OP_ASIN, 1, 0, M_PI_2, INF, 0, ANY},
    {OP_ASIN, -1, 0, -M_PI_2, INF, 0, ANY},
    {OP_ASIN, 2, 0, NAN, NAN, 0, NAN},
    {OP_ACOS, 1, 0, 0, -INF, 0, ANY},
    {OP_ACOS, 0, 0, M_PI_2, -1, 0, 0},
    {OP_ATAN, 0, 0, 0, 1, 0, 0},
    {OP_ATAN, 1e30, 0, M_PI_2, 1e-60, 0, -2e-90},
    {OP_ATAN, -INF, 0, -M_PI_2, 0, 0, 0},
    {OP_ASINH, 0, 0, 0, 1, 0, 0},
    {OP_ASINH, -1e30, 0, -69.77069997038132, 1e-30, 0, 1e-60},
    {OP_ASINH, INF, 0, INF, 0, 0, 0},
    {OP_ACOSH, 1, 0, 0, INF, 0, ANY},
    {OP_ACOSH, 0, 0, NAN, NAN, 0, NAN},
    {OP_ACOSH, INF, 0, INF, 0, 0, 0},
    {OP_ATANH, 0, 0, 0, 1, 0, 0},
    {OP_ATANH, 1, 0, INF, INF, 0, ANY},
    {OP_LOG2, 8, 0, 3, 0.18033688011112043, 0, -0.022542110013890053},
    {OP_LOG2, 0, 0, -INF, INF, 0, -INF},
    {OP_LOG10, 1000, 0, 3, 4.3429448190325182e-4, 0, -4.3429448190325182e-7},
    {OP_LOG10, INF, 0, INF, 0, 0, 0},
    {OP_ERFC, 0, 0, 1, -M_2_SQRTPI, 0, 0},
    {OP_ERFC, INF, 0, 0, 0, 0, 0},
    {OP_ERFC, -INF, 0, 2, 0, 0, 0},
    {OP_LOG_NDTR, 0, 0, -M_LN2, 0.79788456080286536, 0, -0.63661977236758134},
    {OP_LOG_NDTR, -30, 0, -454.3212439563432, 30.033259667433676, 0, -0.9988962284881099},
    {OP_LOG_NDTR, -1e8, 0, -5e15, 1e8, 0, -1},
    {OP_LOG_NDTR, INF, 0, 0, 0, 0, ANY},
    {OP_LOG_NDTR, -INF, 0, -INF, INF, 0, ANY},
    {OP_LGAMMA, 1, 0, 0, -0.57721566490153287, 0, 1.6449340668482264},
    {OP_LGAMMA, 0.5, 0, 0.57236494292470008, -1.9635100260214235, 0, 4.934802200544679},
    {OP_LGAMMA, -2.5, 0, -0.056243716497674054, 1.103156640645243, 0, 9.539246644989124},
    {OP_LGAMMA, 0, 0, INF, -INF, 0, INF},
    {OP_LGAMMA, -2, 0, INF, NAN, 0, INF},
    {OP_LGAMMA, INF, 0, INF, INF, 0, 0},
    {OP_POLYGAMMA, 1, 1, 1.6449340668482264, -2.4041138063191885, 0, 6.493939402266829},
    {OP_POLYGAMMA, -1.5, 1, 9.379246644989124, -0.2362040516417274, 0, 194.59427621918763},
    {OP_POLYGAMMA, INF, 2, 0, 0, 0, 0},
    {OP_NDTR_RATIO, 0, 0, 0.79788456080286536, -0.63661977236758134, 0, ANY},
    {OP_NDTR_RATIO, -1e8, 1, 1e-8, ANY, 0, ANY},
    {OP_ATAN2, 0, 1, 0, 1, 0, 0},
    {OP_ATAN2, 1, 0, M_PI_2, 0, -1, 0},
    {OP_ATAN2, 0, -1, M_PI, -1, 0, 0},
    {OP_ATAN2, 1e200, 1e200, M_PI_4, 5e-201, -5e-201, ANY},
    {OP_ATAN2, 1, INF, 0, 0, 0, 0},
    {OP_MOD, 7, 3, 1, 1, -2, 0},
    {OP_MOD, -7, 3, 2, 1, 3, 0},
    {OP_MOD, 7, -3, -2, 1, 3, 0},
    {OP_MOD, 6, 3, 0, 1, -2, 0},
    {OP_MOD, 1, 0, NAN, ANY, ANY, 0},
    {OP_MOD, 1, INF, 1, 1, 0, 0},
    {OP_ADD, INF, 1, INF, 1, 1, 0},
    {OP_SUB, INF, INF, NAN, 1, -1, 0},
    {OP_MUL, 0, INF, NAN, INF, 0, 0},
    {OP_MUL, 0, 0, 0, 0, 0, 0},
    {OP_XMUL, 0, INF, 0, INF, 0, 0},
    {OP_XMUL, 0, NAN, 0, NAN, 0, 0},
    {OP_XMUL, 0, 3, 0, 3, 0, 0},
    {OP_XMUL, 2, 3, 6, 3, 2, 0},
    {OP_XMUL, 2, -INF, -INF, -INF, 2, 0},
    {OP_ZMUL, 0, INF, 0, INF, 0, 0},
    {OP_ZMUL, NAN, 0, 0, 0, NAN, 0},
    {OP_ZMUL, 2, 3, 6, 3, 2, 0},
    {OP_DIV, 0, 4, 0, 0.25, 0, 0},
    {OP_DIV, 1, INF, 0, 0, 0, 0},
    {OP_DIV, 1, 0, INF, INF, -INF, 0},
    {OP_DIV, INF, 2, INF, 0.5, -INF, 0},
    {OP_POW, 0, 0, 1, 0, 0, 0},
    {OP_POW, -3, 0, 1, 0, NAN, 0},
    {OP_POW, 0, 1, 0, 1, 0, 0},
    {OP_POW, 0, 2, 0, 0, 0, 2},
    {OP_POW, 0, 3, 0, 0, 0, 0},
    {OP_POW, 0, 0.5, 0, INF, 0, -INF},
    {OP_POW, 0, -1, INF, -INF, ANY, INF},
    {OP_POW, -2, 3, -8, 12, NAN, -12},
    {OP_POW, -2, 0.5, NAN, NAN, NAN, NAN},
    {OP_POW, INF, 0, 1, 0, ANY, 0},
    {OP_POW, INF, -1, 0, 0, 0, 0},
    {OP_MIN, 1, 1, 1, 0.5, 0.5, 0},
    {OP_MIN, INF, INF, INF, 0.5, 0.5, 0},
    {OP_MIN, -INF, 0, -INF, 1, 0, 0},
    {OP_MIN, NAN, 1, NAN, ANY, ANY, ANY},
    {OP_MIN, 1, NAN, NAN, ANY, ANY, ANY},
    {OP_MAX, 0, -0.0, 0, 0.5, 0.5, 0},
    {OP_MAX, INF, 0, INF, 1, 0, 0},
    {OP_MAX, NAN, 1, NAN, ANY, ANY, ANY},
    {OP_MAX, 1, NAN, NAN, ANY, ANY, ANY},
};

static Node *number(Graph *g, const char *name) { return graph_input(g, name, DT_F32, (Shape){0}); }

static Node *apply(Graph *g, Op op, Node *x, Node *y) {
  return op_info[op].arity == 1 ? graph_unary(g, op, x) : graph_binary(g, op, x, y);
}

static bool as_stated(double got, double want) {
  if (want == ANY) return true;
  if (isnan(want) || isinf(want)) return isnan(want) ? isnan(got) : got == want;
  return fabs(got - want) <= 1e-12 * fabs(want);
}

Test(ad_kinks, limits) {
  bool seen[OP_COUNT] = {[OP_SELECT] = true, [OP_CAST] = true};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const Case *c = &cases[i];
    Graph *g = graph_new(arena_new(), "test");
    Node *in[] = {number(g, "x"), number(g, "y")}, *d[2], *dd[2];
    Node *out = apply(g, c->op, in[0], in[1]);
    ad_gradient(g, out, in, 2, d);
    ad_gradient(g, d[0], in, 1, dd);
    double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len), x = c->x, y = c->y;
    preset[in[0]->id] = &x;
    preset[in[1]->id] = &y;
    double **v = graph_interpret(g->arena, g, preset, false);
    const double got[] = {v[out->id][0], v[d[0]->id][0], v[d[1]->id][0], v[dd[0]->id][0]};
    const double want[] = {c->value, c->dx, c->dy, c->dxx};
    static const char *const what[] = {"value", "by x", "by y", "by x twice"};
    for (int k = 0; k < 4; k++)
      cr_expect(as_stated(got[k], want[k]), "%s(%g, %g) %s: %g, not %g", op_info[c->op].text, x, y, what[k],
                got[k], want[k]);
    seen[c->op] = true;
    arena_free(g->arena);
  }
  for (int op = 0; op < OP_COUNT; op++)
    cr_expect(seen[op] || op_info[op].class != CLASS_POINTWISE, "%s is in no case", op_info[op].text);
}

static const double bad[] = {0, -1, 1, 2, 1e300, INFINITY, -INFINITY, NAN};
enum { NBAD = sizeof bad / sizeof *bad };

// f(x, y) beside 3 x, which is chosen: the derivatives by x and y are 3 and 0, the second ones 0, whatever f.
static void not_chosen(Graph *g, Node *x, Node *y, Node *f, const char *what) {
  Node *out = graph_select(g, graph_input(g, "c", DT_BOOL, (Shape){0}), f,
                           graph_binary(g, OP_MUL, x, graph_const(g, 3, (Shape){0})));
  Node *in[] = {x, y}, *d[2], *dd[4];
  ad_gradient(g, out, in, 2, d);
  for (int i = 0; i < 2; i++) ad_gradient(g, d[i], in, 2, dd + 2 * i);
  double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len), at[2], no = 0;
  preset[graph_input(g, "c", DT_BOOL, (Shape){0})->id] = &no;
  preset[x->id] = &at[0];
  preset[y->id] = &at[1];
  for (int i = 0; i < NBAD * NBAD; i++) {
    at[0] = bad[i / NBAD], at[1] = bad[i % NBAD];
    Arena *a = arena_new();
    double **v = graph_interpret(a, g, preset, false);
    cr_expect(v[d[0]->id][0] == 3 && v[d[1]->id][0] == 0, "%s at (%g, %g): %g, %g", what, at[0], at[1],
              v[d[0]->id][0], v[d[1]->id][0]);
    for (int k = 0; k < 4; k++)
      cr_expect(v[dd[k]->id][0] == 0, "%s at (%g, %g): second derivative %g", what, at[0], at[1],
                v[dd[k]->id][0]);
    arena_free(a);
  }
}

Test(ad_kinks, what_is_not_chosen_leaves_no_trace) {
  for (int op = 0; op < OP_COUNT; op++)
    for (int inner = 0; inner < OP_COUNT; inner++) {
      bool two = op_info[op].class == CLASS_POINTWISE && op_info[inner].class == CLASS_POINTWISE;
      if (!two || op == OP_SELECT || op == OP_CAST || inner == OP_SELECT || inner == OP_CAST) continue;
      Arena *a = arena_new();
      Graph *g = graph_new(a, "test");
      Node *x = number(g, "x"), *y = number(g, "y"), *z = apply(g, (Op)inner, x, y);
      const char *what = arena_printf(a, "%s of %s", op_info[op].text, op_info[inner].text);
      not_chosen(g, x, y, apply(g, (Op)op, z, y), what);
      arena_free(a);
    }
}

// Elements that a slice, a gather or a maximum leaves out, before and behind a reduction.
Test(ad_kinks, what_is_left_out_leaves_no_trace) {
  static const char *const graphs[] = {
      "sum(slice(log(v)) start=[0] stop=[2] step=[1]) axes=[0]",
      "sum(gather(log(v), const i32[2] {0, 1})) axes=[0]",
      "sum(take_along(div(v, v), const i32[2] {0, 1})) axes=[0]",
      "rmax(log(v)) axes=[0]",
      "sum(max(log(v), const f32[3] {-5})) axes=[0]",
      "sum(xmul(const f32[3] {1, 1, 0}, log(v))) axes=[0]",
      "sum(exp(neg(mul(v, w)))) axes=[0]",
  };
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
    Graph *g = must_parse(arena_new(), arena_printf(arena_new(),
                                                    "graph \"g\" v = input f32[3] \"v\" w = input f32[3] "
                                                    "\"w\" output \"y\" %s",
                                                    graphs[i]));
    Node *v = g->inputs.data[0], *w = g->inputs.data[1], *d[2], *dd;
    ad_gradient(g, g->outputs.data[0].node, (Node *[]){v, w}, 2, d);
    ad_gradient(g, graph_reduce_all(g, OP_SUM, graph_binary(g, OP_MUL, d[0], d[0])), &v, 1, &dd);
    double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len);
    preset[v->id] = (double[]){1, 2, i == 6 ? INFINITY : 0};
    preset[w->id] = (double[]){1, 1, INFINITY};
    double **value = graph_interpret(g->arena, g, preset, false);
    for (int e = 0; e < 3; e++) {
      cr_expect(isfinite(value[d[0]->id][e]) && isfinite(value[dd->id][e]), "%s: %g, %g", graphs[i],
                value[d[0]->id][e], value[dd->id][e]);
      if (e == 2) cr_expect(value[d[0]->id][e] == 0 && value[d[1]->id][e] == 0, "%s", graphs[i]);
    }
    arena_free(g->arena);
  }
}

// Norms: the derivatives of the plain formula also where its squares leave the range of float, and 0 at 0.
Test(ad_kinks, norms) {
  const double scales[] = {1e-36, 1e-30, 1, 1e30, 1e37};
  for (int i = 0; i < 5; i++) {
    Graph *g = graph_new(arena_new(), "test");
    Node *x = graph_input(g, "x", DT_F32, shape_of(1, (int64_t)2)), *d, *dd;
    ad_gradient(g, graph_norm(g, x, (int[]){0}, 1), &x, 1, &d);
    Node *weights = graph_tensor(g, (double[]){1, 0}, DT_F32, x->shape);
    ad_gradient(g, graph_reduce_all(g, OP_SUM, graph_binary(g, OP_MUL, d, weights)), &x, 1, &dd);
    double **preset = ARENA_ARRAY(g->arena, double *, g->nodes.len), at[] = {3 * scales[i], 4 * scales[i]};
    preset[x->id] = at;
    double **v = graph_interpret(g->arena, g, preset, false), n = 5 * scales[i];
    cr_expect_float_eq(v[d->id][0], 0.6, 1e-14);
    cr_expect_float_eq(v[d->id][1], 0.8, 1e-14);
    cr_expect_float_eq(v[dd->id][0] * n, 0.64, 1e-12);
    cr_expect_float_eq(v[dd->id][1] * n, -0.48, 1e-12);
    at[0] = at[1] = 0;
    v = graph_interpret(g->arena, g, preset, false);
    cr_expect(v[d->id][0] == 0 && v[d->id][1] == 0);
    arena_free(g->arena);
  }
}
