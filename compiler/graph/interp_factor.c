// Factorizations of the interpreter, by other methods than LAPACK's (Golub & Van Loan 2013, Matrix
// Computations): elimination, Householder reflections, rotations of Jacobi. In: a batch of matrices, row
// after row. Out: its results, one after the other; NaN throughout where a matrix is refused.
#include "ops.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct Matrix {
  int64_t rows, cols;
  double *at;
} Matrix;

#define AT(x, i, j) (x).at[(i) * (x).cols + (j)]

static Matrix matrix(Arena *a, int64_t rows, int64_t cols) {
  return (Matrix){rows, cols, ARENA_ARRAY(a, double, rows *cols)};
}

static Matrix copy(Arena *a, Matrix x) {
  Matrix out = matrix(a, x.rows, x.cols);
  memcpy(out.at, x.at, sizeof *x.at * (size_t)(x.rows * x.cols));
  return out;
}

static bool all_finite(const double *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return false;
  return true;
}

static double rounding(int64_t n) { return (double)n * DBL_EPSILON; }

static bool cholesky(Matrix x, Matrix l) {
  for (int64_t j = 0; j < x.rows; j++)
    for (int64_t i = 0; i < x.rows; i++) {
      double sum = AT(x, i, j);
      for (int64_t k = 0; k < j; k++) sum -= AT(l, i, k) * AT(l, j, k);
      if (i == j && !(sum > rounding(x.rows) * AT(x, j, j))) return false;
      AT(l, i, j) = i < j ? 0 : i == j ? sqrt(sum) : sum / AT(l, j, j);
    }
  return true;
}

static bool trisolve(Matrix x, Matrix y, bool lower, Matrix z) {
  const int64_t n = x.rows;
  for (int64_t turn = 0; turn < n; turn++) {
    const int64_t i = lower ? turn : n - 1 - turn;
    if (AT(x, i, i) == 0) return false;
    for (int64_t c = 0; c < y.cols; c++) {
      double sum = AT(y, i, c);
      for (int64_t k = lower ? 0 : i + 1; k < (lower ? i : n); k++) sum -= AT(x, i, k) * AT(z, k, c);
      AT(z, i, c) = sum / AT(x, i, i);
    }
  }
  return true;
}

static void swap_rows(Matrix x, int64_t i, int64_t k) {
  for (int64_t j = 0; j < x.cols; j++) {
    const double t = AT(x, i, j);
    AT(x, i, j) = AT(x, k, j);
    AT(x, k, j) = t;
  }
}

// Elimination with the largest pivot of each column. A pivot that is rounding beside what the row of x held
// is none.
static bool solve(Arena *a, Matrix x, Matrix y, Matrix z) {
  const int64_t n = x.rows;
  Matrix u = copy(a, x);
  double *largest = ARENA_ARRAY(a, double, n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) largest[j] = fmax(largest[j], fabs(AT(x, i, j)));
  memcpy(z.at, y.at, sizeof *y.at * (size_t)(y.rows * y.cols));
  for (int64_t k = 0; k < n; k++) {
    int64_t pivot = k;
    for (int64_t i = k; i < n; i++)
      if (fabs(AT(u, i, k)) > fabs(AT(u, pivot, k))) pivot = i;
    if (!(fabs(AT(u, pivot, k)) > rounding(n) * largest[k])) return false;
    swap_rows(u, k, pivot);
    swap_rows(z, k, pivot);
    for (int64_t i = k + 1; i < n; i++) {
      const double f = AT(u, i, k) / AT(u, k, k);
      for (int64_t j = k; j < n; j++) AT(u, i, j) -= f * AT(u, k, j);
      for (int64_t j = 0; j < z.cols; j++) AT(z, i, j) -= f * AT(z, k, j);
    }
  }
  return trisolve(u, copy(a, z), false, z);
}

// x - 2 v v' x over v' v.
static void reflect(Matrix x, const double *v, double square) {
  for (int64_t j = 0; j < x.cols && square > 0; j++) {
    double dot = 0;
    for (int64_t i = 0; i < x.rows; i++) dot += v[i] * AT(x, i, j);
    for (int64_t i = 0; i < x.rows; i++) AT(x, i, j) -= 2 * dot / square * v[i];
  }
}

static void qr(Arena *a, Matrix x, Matrix q, Matrix r) {
  const int64_t m = x.rows, n = x.cols;
  Matrix u = copy(a, x), v = matrix(a, n, m);
  double *square = ARENA_ARRAY(a, double, n);
  for (int64_t k = 0; k < n; k++) {
    double norm = 0;
    for (int64_t i = k; i < m; i++) norm = hypot(norm, AT(v, k, i) = AT(u, i, k));
    AT(v, k, k) += AT(u, k, k) < 0 ? -norm : norm;
    for (int64_t i = k; i < m; i++) square[k] += AT(v, k, i) * AT(v, k, i);
    reflect(u, v.at + k * m, square[k]);
  }
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) AT(q, i, j) = i == j;
  for (int64_t k = n - 1; k >= 0; k--) reflect(q, v.at + k * m, square[k]);
  for (int64_t k = 0; k < n; k++) {
    const double sign = AT(u, k, k) < 0 ? -1 : 1;
    for (int64_t j = 0; j < n; j++) AT(r, k, j) = j < k ? 0 : sign * AT(u, k, j);
    for (int64_t i = 0; i < m; i++) AT(q, i, k) *= sign;
  }
}

// Columns i and k turned by the angle of that cosine and sine.
static void rotate(Matrix x, int64_t i, int64_t k, double c, double s) {
  for (int64_t r = 0; r < x.rows; r++) {
    const double p = AT(x, r, i), q = AT(x, r, k);
    AT(x, r, i) = c * p - s * q;
    AT(x, r, k) = s * p + c * q;
  }
}

// The rotation that makes [[p, o], [o, q]] diagonal.
static void angle(double p, double o, double q, double *c, double *s) {
  const double tau = (q - p) / (2 * o), t = (tau < 0 ? -1 : 1) / (fabs(tau) + hypot(1, tau));
  *c = 1 / hypot(1, t);
  *s = t * *c;
}

// One-sided: the columns of u are made orthogonal; v keeps the rotations.
static void orthogonal(Matrix u, Matrix v) {
  enum { MOST_SWEEPS = 60 };
  bool changed = true;
  for (int sweep = 0; changed && sweep < MOST_SWEEPS; sweep++) {
    changed = false;
    for (int64_t i = 0; i < u.cols; i++)
      for (int64_t k = i + 1; k < u.cols; k++) {
        double p = 0, o = 0, q = 0, c, s;
        for (int64_t r = 0; r < u.rows; r++) {
          p += AT(u, r, i) * AT(u, r, i);
          o += AT(u, r, i) * AT(u, r, k);
          q += AT(u, r, k) * AT(u, r, k);
        }
        if (o == 0 || fabs(o) <= DBL_EPSILON * sqrt(p * q)) continue;
        changed = true;
        angle(p, o, q, &c, &s);
        rotate(u, i, k, c, s);
        rotate(v, i, k, c, s);
      }
  }
}

// Columns in the order of their values; `descending` or ascending.
static void order_columns(double *w, int64_t n, bool descending, Matrix v, Matrix u) {
  for (int64_t i = 0; i < n; i++) {
    int64_t best = i;
    for (int64_t k = i; k < n; k++)
      if (descending ? w[k] > w[best] : w[k] < w[best]) best = k;
    const double t = w[i];
    w[i] = w[best];
    w[best] = t;
    if (best == i) continue;
    rotate(v, i, best, 0, 1);
    if (u.at) rotate(u, i, best, 0, 1);
  }
}

// The first element of at least half the largest size becomes positive.
static void fix_signs(Matrix v, int64_t n, Matrix other) {
  for (int64_t j = 0; j < n; j++) {
    double largest = 0;
    int64_t first = 0;
    for (int64_t i = 0; i < v.rows; i++) largest = fmax(largest, fabs(AT(v, i, j)));
    while (first < v.rows - 1 && fabs(AT(v, first, j)) < 0.5 * largest) first++;
    if (AT(v, first, j) >= 0) continue;
    for (int64_t i = 0; i < v.rows; i++) AT(v, i, j) = -AT(v, i, j);
    for (int64_t i = 0; i < other.rows; i++) AT(other, i, j) = -AT(other, i, j);
  }
}

static void eigh(Arena *a, Matrix x, double *w, Matrix v) {
  enum { MOST_SWEEPS = 60 };
  const int64_t n = x.rows;
  Matrix s = copy(a, x);
  double whole = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      if (j > i) AT(s, i, j) = AT(x, j, i);
      AT(v, i, j) = i == j;
      whole = fmax(whole, fabs(AT(s, i, j)));
    }
  bool changed = true;
  for (int sweep = 0; changed && sweep < MOST_SWEEPS; sweep++) {
    changed = false;
    for (int64_t i = 0; i < n; i++)
      for (int64_t k = i + 1; k < n; k++) {
        if (fabs(AT(s, i, k)) <= 0x1p-60 * whole) continue;
        double c, t;
        changed = true;
        angle(AT(s, i, i), AT(s, i, k), AT(s, k, k), &c, &t);
        rotate(s, i, k, c, t);
        for (int64_t j = 0; j < n; j++) { // and the rows
          const double p = AT(s, i, j), q = AT(s, k, j);
          AT(s, i, j) = c * p - t * q;
          AT(s, k, j) = t * p + c * q;
        }
        rotate(v, i, k, c, t);
      }
  }
  for (int64_t i = 0; i < n; i++) w[i] = AT(s, i, i);
  order_columns(w, n, false, v, (Matrix){0});
  fix_signs(v, n, (Matrix){0});
}

// A column that is orthogonal to those before it, where a singular value is 0.
static void complete(Matrix u, int64_t j) {
  for (int64_t unit = 0; unit < u.rows; unit++) {
    double norm = 0;
    for (int64_t i = 0; i < u.rows; i++) AT(u, i, j) = i == unit;
    for (int turn = 0; turn < 2; turn++)
      for (int64_t k = 0; k < j; k++) {
        double dot = 0;
        for (int64_t i = 0; i < u.rows; i++) dot += AT(u, i, k) * AT(u, i, j);
        for (int64_t i = 0; i < u.rows; i++) AT(u, i, j) -= dot * AT(u, i, k);
      }
    for (int64_t i = 0; i < u.rows; i++) norm = hypot(norm, AT(u, i, j));
    for (int64_t i = 0; i < u.rows; i++) AT(u, i, j) /= norm;
    if (norm * norm * (double)u.rows > 0.5) return; // some unit vector is as far from the others
  }
}

// x is tall or square.
static void svd_tall(Arena *a, Matrix x, Matrix u, double *s, Matrix v) {
  Matrix work = copy(a, x);
  for (int64_t i = 0; i < v.rows; i++)
    for (int64_t j = 0; j < v.cols; j++) AT(v, i, j) = i == j;
  orthogonal(work, v);
  for (int64_t j = 0; j < work.cols; j++) {
    s[j] = 0;
    for (int64_t i = 0; i < work.rows; i++) s[j] = hypot(s[j], AT(work, i, j));
  }
  order_columns(s, work.cols, true, v, work);
  for (int64_t j = 0; j < work.cols; j++) {
    if (!(s[j] > rounding(work.rows) * s[0])) {
      complete(u, j);
      continue;
    }
    for (int64_t i = 0; i < work.rows; i++) AT(u, i, j) = AT(work, i, j) / s[j];
  }
}

static void svd(Arena *a, Matrix x, Matrix u, double *s, Matrix v) {
  if (x.rows >= x.cols) {
    svd_tall(a, x, u, s, v);
  } else {
    Matrix t = matrix(a, x.cols, x.rows);
    for (int64_t i = 0; i < x.rows; i++)
      for (int64_t j = 0; j < x.cols; j++) AT(t, j, i) = AT(x, i, j);
    svd_tall(a, t, v, s, u);
  }
  fix_signs(u, u.cols, v);
}

// One matrix; y: the second operand, out[k]: the results. False: refused.
static bool factor(Arena *a, const Node *n, Matrix x, Matrix y, double **out) {
  const int64_t least = x.rows < x.cols ? x.rows : x.cols;
  if (!all_finite(x.at, x.rows * x.cols) || !all_finite(y.at, y.rows * y.cols)) return false;
  const Matrix first = {x.rows, n->op == OP_SVD ? least : x.cols, out[0]},
               solution = {y.rows, y.cols, out[0]};
  switch (n->op) {
  case OP_CHOLESKY: return cholesky(x, first);
  case OP_TRISOLVE: return trisolve(x, y, n->attr[0], solution);
  case OP_SOLVE: return solve(a, x, y, solution);
  case OP_QR: qr(a, x, first, (Matrix){x.cols, x.cols, out[1]}); return true;
  case OP_EIGH: eigh(a, x, out[0], (Matrix){x.rows, x.rows, out[1]}); return true;
  case OP_SVD: svd(a, x, first, out[1], (Matrix){x.cols, least, out[2]}); return true;
  default: ice("graph", "interpreter: %s is no factorization", op_info[n->op].text);
  }
}

double *interp_factor(Arena *a, const Node *n, double *const *v) {
  const Shape s = n->in[0]->shape;
  if (shape_count(s) == 0) return ARENA_ARRAY(a, double, 1); // of such matrices nothing has elements
  const int64_t rows = s.dim[s.rank - 2], cols = s.dim[s.rank - 1], batch = shape_count(s) / (rows * cols);
  const int nout = n->nout ? n->nout : 1;
  int64_t each[3], total = 0;
  for (int k = 0; k < nout; k++) {
    each[k] = shape_count(n->nout ? n->out[k].shape : n->shape) / batch;
    total += each[k] * batch;
  }
  double *all = ARENA_ARRAY(a, double, total);
  for (int64_t b = 0; b < batch; b++) {
    Arena *scratch = arena_new();
    Matrix x = {rows, cols, v[n->in[0]->id] + b * rows * cols}, y = {0};
    if (n->nin > 1) {
      y.rows = rows;
      y.cols = n->shape.dim[n->shape.rank - 1];
      y.at = v[n->in[1]->id] + b * y.rows * y.cols;
    }
    double *out[3], *next = all;
    for (int k = 0; k < nout; next += each[k++] * batch) out[k] = next + b * each[k];
    const bool good = factor(scratch, n, x, y, out);
    for (int k = 0; k < nout && !good; k++)
      for (int64_t i = 0; i < each[k]; i++) out[k][i] = NAN;
    arena_free(scratch);
  }
  return all;
}

int64_t factor_refused(const Node *n, const double *result) {
  const Shape s = n->in[0]->shape;
  const Shape first = n->nout ? n->out[0].shape : n->shape;
  if (shape_count(s) == 0) return -1;
  const int64_t batch = shape_count(s) / (s.dim[s.rank - 1] * s.dim[s.rank - 2]),
                each = shape_count(first) / batch;
  for (int64_t i = 0; i < batch * each; i++)
    if (isnan(result[i])) return i / each;
  return -1;
}
