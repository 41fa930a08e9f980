// Factorizations over LAPACK: see calls.def and abi.h. Each matrix is copied to doubles, factored on one
// thread, and its results rounded; a batch is split by its size alone, so results do not depend on the number
// of threads.
#include "ctx.h"
#include "support.h"
#include <cblas.h>
#include <float.h>
#include <math.h>
#include <string.h>

// Column-major, as Fortran has it; behind them the lengths of the texts.
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
void dgetrf_(const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
void dgetrs_(const char *trans, const int *n, const int *k, const double *a, const int *lda,
             const int *pivots, double *b, const int *ldb, int *info, size_t);
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *lwork, int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau,
             double *work, const int *lwork, int *info);
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
             double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork,
             int *info, size_t);

typedef struct Factor Factor;
// Matrix number `index`, with working memory; 0, or a reg_fault_kind.
typedef int (*Method)(const Factor *f, int64_t index, double *work);

struct Factor {
  Method method;
  const void *x, *y;
  void *out[3];
  char *work;
  int64_t batch, m, n, k, doubles;
  bool lower, is_double;
};

// What a piece refused; first in its working memory.
typedef struct Refusal {
  int64_t index;
  int kind;
} Refusal;
_Static_assert(sizeof(Refusal) <= REG_FACTOR_LINE, "a line holds a refusal");

static double element(const Factor *f, const void *x, int64_t i) {
  return f->is_double ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static void put(const Factor *f, int result, int64_t i, double v) {
  if (f->is_double)
    ((double *)f->out[result])[i] = v;
  else
    ((float *)f->out[result])[i] = (float)v;
}

// Rows one behind the other, or columns; false where an element is not finite.
static bool load(const Factor *f, const void *x, int64_t index, int64_t rows, int64_t cols, bool by_columns,
                 double *to) {
  bool finite = true;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      const double v = element(f, x, (index * rows + i) * cols + j);
      to[by_columns ? j * rows + i : i * cols + j] = v;
      finite = finite && isfinite(v);
    }
  return finite;
}

static void store(const Factor *f, int result, int64_t index, int64_t rows, int64_t cols, bool by_columns,
                  const double *from) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      put(f, result, (index * rows + i) * cols + j, from[by_columns ? j * rows + i : i * cols + j]);
}

static double rounding(int64_t n) { return (double)n * DBL_EPSILON; }

// Rows of the lower triangle are, to Fortran, columns of the upper one.
static int cholesky(const Factor *f, int64_t index, double *a) {
  const int64_t n = f->n;
  const int size = (int)n;
  int info;
  if (!load(f, f->x, index, n, n, false, a)) return REG_FAULT_NOT_FINITE;
  dpotrf_("U", &size, a, &size, &info, 1);
  if (info > 0) return REG_FAULT_NOT_POSITIVE;
  for (int64_t i = 0; i < n; i++) {
    if (!(a[i * n + i] * a[i * n + i] > rounding(n) * element(f, f->x, (index * n + i) * n + i)))
      return REG_FAULT_NOT_POSITIVE;
    for (int64_t j = i + 1; j < n; j++) a[i * n + j] = 0;
  }
  store(f, 0, index, n, n, false, a);
  return 0;
}

static int trisolve(const Factor *f, int64_t index, double *a) {
  const int64_t n = f->n, k = f->k;
  double *b = a + n * n;
  const bool finite = load(f, f->x, index, n, n, false, a);
  if (!load(f, f->y, index, n, k, false, b) || !finite) return REG_FAULT_NOT_FINITE;
  for (int64_t i = 0; i < n; i++)
    if (a[i * n + i] == 0) return REG_FAULT_SINGULAR;
  cblas_dtrsm(CblasRowMajor, CblasLeft, f->lower ? CblasLower : CblasUpper, CblasNoTrans, CblasNonUnit,
              (blasint)n, (blasint)k, 1, a, (blasint)n, b, (blasint)k);
  store(f, 0, index, n, k, false, b);
  return 0;
}

// A pivot that is rounding beside the largest element of its column is none.
static bool is_singular(const Factor *f, int64_t index, const double *lu) {
  const int64_t n = f->n;
  for (int64_t j = 0; j < n; j++) {
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(element(f, f->x, (index * n + i) * n + j)));
    if (!(fabs(lu[j * n + j]) > rounding(n) * largest)) return true;
  }
  return false;
}

static int solve(const Factor *f, int64_t index, double *a) {
  const int64_t n = f->n;
  const int size = (int)n, sides = (int)f->k;
  double *b = a + n * n;
  int *pivots = (int *)(b + n * f->k), info;
  const bool finite = load(f, f->x, index, n, n, true, a);
  if (!load(f, f->y, index, n, f->k, true, b) || !finite) return REG_FAULT_NOT_FINITE;
  dgetrf_(&size, &size, a, &size, pivots, &info);
  if (info > 0 || is_singular(f, index, a)) return REG_FAULT_SINGULAR;
  dgetrs_("N", &size, &sides, a, &size, pivots, b, &size, &info, 1);
  store(f, 0, index, n, f->k, true, b);
  return 0;
}

// R first, then Q in its place; where R's diagonal is negative, a row of R and a column of Q change their
// signs.
static int qr(const Factor *f, int64_t index, double *a) {
  const int64_t m = f->m, n = f->n;
  const int rows = (int)m, cols = (int)n, lwork = (int)(REG_FACTOR_BLOCK * n);
  double *tau = a + m * n, *sign = tau + n, *work = sign + n;
  int info;
  if (!load(f, f->x, index, m, n, true, a)) return REG_FAULT_NOT_FINITE;
  dgeqrf_(&rows, &cols, a, &rows, tau, work, &lwork, &info);
  for (int64_t i = 0; i < n; i++) {
    sign[i] = a[i * m + i] < 0 ? -1 : 1;
    for (int64_t j = 0; j < n; j++) put(f, 1, (index * n + i) * n + j, j < i ? 0 : sign[i] * a[j * m + i]);
  }
  dorgqr_(&rows, &cols, &cols, a, &rows, tau, work, &lwork, &info);
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i < m; i++) a[j * m + i] *= sign[j];
  store(f, 0, index, m, n, true, a);
  return 0;
}

// -1 where the first element of at least half the largest size is negative, else 1. Elements are `step`
// apart.
static double sign_of(const double *v, int64_t n, int64_t step) {
  double largest = 0;
  int64_t first = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v[i * step]));
  while (first < n - 1 && fabs(v[first * step]) < 0.5 * largest) first++;
  return v[first * step] < 0 ? -1 : 1;
}

static void scale(double *v, int64_t n, int64_t step, double by) {
  for (int64_t i = 0; i < n; i++) v[i * step] *= by;
}

// The lower triangle of rows is, to Fortran, the upper one.
static int eigh(const Factor *f, int64_t index, double *a) {
  const int64_t n = f->n, room = reg_eigh_lwork(n);
  const int size = (int)n, lwork = (int)room, liwork = 5 * size + 3;
  double *w = a + n * n, *work = w + n;
  int info;
  if (!load(f, f->x, index, n, n, false, a)) return REG_FAULT_NOT_FINITE;
  dsyevd_("V", "U", &size, a, &size, w, work, &lwork, (int *)(work + room), &liwork, &info, 1, 1);
  if (info) return REG_FAULT_NO_LIMIT;
  for (int64_t j = 0; j < n; j++) {
    scale(a + j * n, n, 1, sign_of(a + j * n, n, 1));
    put(f, 0, index * n + j, w[j]);
  }
  store(f, 1, index, n, n, true, a);
  return 0;
}

// u: columns one behind the other; vt: v' in columns, which are the rows of v.
static int svd(const Factor *f, int64_t index, double *a) {
  const int64_t m = f->m, n = f->n, k = reg_svd_least(m, n), room = reg_svd_lwork(m, n);
  const int rows = (int)m, cols = (int)n, least = (int)k, lwork = (int)room;
  double *u = a + m * n, *vt = u + m * k, *s = vt + n * k, *work = s + k;
  int info;
  if (!load(f, f->x, index, m, n, true, a)) return REG_FAULT_NOT_FINITE;
  dgesdd_("S", &rows, &cols, a, &rows, s, u, &rows, vt, &least, work, &lwork, (int *)(work + room), &info, 1);
  if (info) return REG_FAULT_NO_LIMIT;
  for (int64_t j = 0; j < k; j++) {
    const double sign = sign_of(u + j * m, m, 1);
    scale(u + j * m, m, 1, sign);
    scale(vt + j, n, k, sign);
    put(f, 1, index * k + j, s[j]);
  }
  store(f, 0, index, m, k, true, u);
  store(f, 2, index, n, k, false, vt);
  return 0;
}

// -- batches

static void run_pieces(void *const *slots, int64_t begin, int64_t end) {
  const Factor *f = slots[0];
  const int64_t pieces = reg_factor_pieces(f->batch), bytes = reg_factor_piece_bytes(f->doubles);
  for (int64_t piece = begin; piece < end; piece++) {
    char *mine = f->work + piece * bytes;
    Refusal *refusal = (Refusal *)mine;
    *refusal = (Refusal){f->batch, 0};
    const int64_t last = f->batch * (piece + 1) / pieces;
    for (int64_t i = f->batch * piece / pieces; i < last && !refusal->kind; i++)
      *refusal = (Refusal){i, f->method(f, i, (double *)(mine + REG_FACTOR_LINE))};
  }
}

// All pieces run; the first refusal counts.
static int32_t run(reg_ctx *ctx, Factor f, const char *place) {
  const int64_t pieces = reg_factor_pieces(f.batch), bytes = reg_factor_piece_bytes(f.doubles);
  void *slots[1] = {&f};
  reg_parallel(ctx, run_pieces, slots, pieces);
  for (int64_t piece = 0; piece < pieces; piece++) {
    const Refusal *r = (const Refusal *)(f.work + piece * bytes);
    if (!r->kind) continue;
    ctx->fault = (reg_fault){(reg_fault_kind)r->kind, place, (double)r->index, f.batch, f.m, f.n};
    return 1;
  }
  return 0;
}

int32_t reg_cholesky(reg_ctx *ctx, const void *x, void *out, void *work, int64_t batch, int64_t n,
                     int32_t is_double, const char *place) {
  Factor f = {cholesky, x, NULL, {out}, work, batch, n, n, 0, reg_cholesky_doubles(n), true, is_double};
  return run(ctx, f, place);
}

int32_t reg_trisolve(reg_ctx *ctx, const void *x, const void *y, void *out, void *work, int64_t batch,
                     int64_t n, int64_t k, int32_t lower, int32_t is_double, const char *place) {
  Factor f = {trisolve, x, y, {out}, work, batch, n, n, k, reg_trisolve_doubles(n, k), lower, is_double};
  return run(ctx, f, place);
}

int32_t reg_solve(reg_ctx *ctx, const void *x, const void *y, void *out, void *work, int64_t batch, int64_t n,
                  int64_t k, int32_t is_double, const char *place) {
  Factor f = {solve, x, y, {out}, work, batch, n, n, k, reg_solve_doubles(n, k), false, is_double};
  return run(ctx, f, place);
}

int32_t reg_qr(reg_ctx *ctx, const void *x, void *q, void *r, void *work, int64_t batch, int64_t m, int64_t n,
               int32_t is_double, const char *place) {
  Factor f = {qr, x, NULL, {q, r}, work, batch, m, n, 0, reg_qr_doubles(m, n), false, is_double};
  return run(ctx, f, place);
}

int32_t reg_eigh(reg_ctx *ctx, const void *x, void *w, void *v, void *work, int64_t batch, int64_t n,
                 int32_t is_double, const char *place) {
  Factor f = {eigh, x, NULL, {w, v}, work, batch, n, n, 0, reg_eigh_doubles(n), true, is_double};
  return run(ctx, f, place);
}

int32_t reg_svd(reg_ctx *ctx, const void *x, void *u, void *s, void *v, void *work, int64_t batch, int64_t m,
                int64_t n, int32_t is_double, const char *place) {
  Factor f = {svd, x, NULL, {u, s, v}, work, batch, m, n, 0, reg_svd_doubles(m, n), false, is_double};
  return run(ctx, f, place);
}
