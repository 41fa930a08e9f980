// Factorizations: value, first and second derivative in f64 against differences of fourth order, on well and
// badly conditioned matrices, and what holds at equal values.
#include "compiler/ad/ad.h"
#include "test_graph_support.h"

typedef struct Case {
  Arena *a;
  Graph *g;
  Node *x;
  double *at; // x's value
  double **preset;
  uint64_t state;
} Case;

static Case case_new(int64_t rows, int64_t cols) {
  Case c = {.a = arena_new(), .state = 11};
  c.g = graph_new(c.a, "matrices");
  c.x = graph_input(c.g, "x", DT_F32, shape_of(2, rows, cols));
  c.at = ARENA_ARRAY(c.a, double, rows *cols);
  c.preset = ARENA_ARRAY(c.a, double *, 20000);
  c.preset[c.x->id] = c.at;
  return c;
}

// A matrix with these singular values: their diagonal between two reflections.
static void fill(Case *c, const double *s) {
  const int64_t m = c->x->shape.dim[0], n = c->x->shape.dim[1], k = m < n ? m : n;
  double u[8] = {0}, v[8] = {0}, uu = 0, vv = 0;
  for (int64_t i = 0; i < m; i++) u[i] = 0.5 + next_uniform(&c->state), uu += u[i] * u[i];
  for (int64_t j = 0; j < n; j++) v[j] = 0.5 + next_uniform(&c->state), vv += v[j] * v[j];
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t p = 0; p < k; p++)
        sum += ((i == p) - 2 * u[i] * u[p] / uu) * s[p] * ((j == p) - 2 * v[j] * v[p] / vv);
      c->at[i * n + j] = sum;
    }
}

static double weighted_value(const Case *c, const Node *y) { return value_of(c->g, y, c->preset); }

// The largest disagreement of a claimed gradient with differences, relative to the largest quotient.
static double off(const Case *c, const Node *objective, const Node *grad, double h) {
  const double *claimed = graph_eval(c->a, c->g, grad, c->preset);
  double worst = 0, largest = 0;
  for (int64_t e = 0; e < shape_count(c->x->shape); e++) {
    const double at = c->at[e];
    double f[5];
    for (int k = -2; k <= 2; k++) {
      c->at[e] = at + k * h;
      f[k + 2] = weighted_value(c, objective);
    }
    c->at[e] = at;
    const double slope = (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * h);
    largest = fmax(largest, fabs(slope));
    if (!(fabs(slope - claimed[e]) <= worst)) worst = fabs(slope - claimed[e]);
  }
  return worst / largest;
}

static void check(Case *c, Node *y, double h, double tolerance, const char *what) {
  Node *objective = weighted_sum(c->g, y, &c->state), *first, *second;
  ad_gradient(c->g, objective, &c->x, 1, &first);
  Node *again = weighted_sum(c->g, first, &c->state);
  ad_gradient(c->g, again, &c->x, 1, &second);
  cr_assert_null(graph_verify(c->g), "%s", what);
  const double e1 = off(c, objective, first, h), e2 = off(c, again, second, h);
  cr_expect(e1 < tolerance, "%s: the first derivative is off by %g", what, e1);
  cr_expect(e2 < tolerance, "%s: the second derivative is off by %g", what, e2);
}

static Node *symmetric(Graph *g, Node *x) {
  return graph_binary(g, OP_MUL, graph_binary(g, OP_ADD, x, graph_swap(g, x)),
                      graph_const(g, 0.5, (Shape){0}));
}

static Node *gram(Graph *g, Node *x) { return graph_matmul(g, x, graph_swap(g, x)); }

static Node *factored(Case *c, Op op, Node *x, int part) {
  Node *n = graph_factor(c->g, op, x, "test");
  return n->nout ? graph_part(c->g, n, part) : n;
}

static const double even[] = {2, 1.5, 1.1, 0.7}, steep[] = {1, 0.1, 1e-2, 1e-3},
                    graded[] = {1e3, 1, 0.1, 1e-2};
static const struct {
  const double *s;
  double h, tolerance;
  const char *text;
} spectra[] = {{even, 1e-3, 1e-9, "condition 3"},
               {steep, 2e-6, 1e-4, "condition 1e3"},
               {graded, 2e-5, 1e-3, "condition 1e5"}};
enum { SPECTRA = sizeof spectra / sizeof *spectra };

Test(ad_matrices, spectra) {
  static const int64_t shapes[][2] = {{4, 4}, {6, 4}, {4, 6}};
  for (int i = 0; i < SPECTRA; i++)
    for (int k = 0; k < 3; k++)
      for (int part = 0; part < 3; part++) {
        Case c = case_new(shapes[k][0], shapes[k][1]);
        fill(&c, spectra[i].s);
        check(&c, factored(&c, OP_SVD, c.x, part), spectra[i].h, spectra[i].tolerance,
              arena_printf(c.a, "svd %lldx%lld, result %d, %s", (long long)shapes[k][0],
                           (long long)shapes[k][1], part, spectra[i].text));
        arena_free(c.a);
      }
}

Test(ad_matrices, square) {
  for (int i = 0; i < SPECTRA; i++)
    for (int k = 0; k < 5; k++) {
      static const char *const names[] = {"eigh w", "eigh v", "cholesky", "solve", "trisolve"};
      Case c = case_new(4, 4);
      fill(&c, spectra[i].s);
      Node *b = graph_iota(c.g, 0, DT_F32, shape_of(2, (int64_t)4, (int64_t)2));
      Node *y = k < 2    ? factored(&c, OP_EIGH, symmetric(c.g, c.x), k)
                : k == 2 ? factored(&c, OP_CHOLESKY, gram(c.g, c.x), 0)
                : k == 3 ? graph_solve(c.g, c.x, b, "test")
                         : graph_trisolve(c.g, c.x, b, true, "test");
      check(&c, y, spectra[i].h, spectra[i].tolerance,
            arena_printf(c.a, "%s, %s", names[k], spectra[i].text));
      arena_free(c.a);
    }
}

Test(ad_matrices, qr) {
  for (int i = 0; i < SPECTRA; i++)
    for (int part = 0; part < 2; part++) {
      Case c = case_new(6, 4);
      fill(&c, spectra[i].s);
      check(&c, factored(&c, OP_QR, c.x, part), spectra[i].h, spectra[i].tolerance,
            arena_printf(c.a, "qr, result %d, %s", part, spectra[i].text));
      arena_free(c.a);
    }
}

// u v' of x does not depend on the choice of vectors: its derivative is right also where all values are
// equal.
Test(ad_matrices, equal_values) {
  static const double equal[] = {2, 2, 2, 2};
  Case c = case_new(6, 4);
  fill(&c, equal);
  Node *u = factored(&c, OP_SVD, c.x, 0), *v = factored(&c, OP_SVD, c.x, 2), *grad;
  Node *objective = weighted_sum(c.g, graph_matmul(c.g, u, graph_swap(c.g, v)), &c.state);
  ad_gradient(c.g, objective, &c.x, 1, &grad);
  cr_expect(off(&c, objective, grad, 1e-3) < 1e-9);
  arena_free(c.a);
}
