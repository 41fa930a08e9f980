// Singular values of one block of parameters.
#include "solve/spectrum.h"
#include "reg/abi.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

// Column-major, as Fortran has it; behind them the length of the text.
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork,
             int *info, size_t);

struct Spectrum {
  int m, n, least; // w's rows are, to Fortran, columns of m elements
  int lwork;
  double *a, *u, *s, *vt, *work;
  int *iwork;
};

Spectrum *spectrum_new(int64_t rows, int64_t columns, Heap *heap) {
  const int64_t m = columns, n = rows, k = reg_svd_least(m, n), lwork = reg_svd_lwork(m, n);
  const size_t doubles = (size_t)(m * n + m * k + k + k * n + lwork);
  Spectrum *s = reg_heap_take(heap, sizeof *s);
  double *a = reg_heap_take(heap, doubles * sizeof *a);
  int *iwork = reg_heap_take(heap, (size_t)(8 * k) * sizeof *iwork);
  if (!s || !a || !iwork) return NULL;
  double *u = a + m * n, *values = u + m * k, *vt = values + k;
  *s = (Spectrum){(int)m, (int)n, (int)k, (int)lwork, a, u, values, vt, vt + k * n, iwork};
  return s;
}

static bool factor(Spectrum *s, const double *w, const char *how) {
  int info;
  memcpy(s->a, w, (size_t)s->m * (size_t)s->n * sizeof *w);
  dgesdd_(how, &s->m, &s->n, s->a, &s->m, s->s, s->u, &s->m, s->vt, &s->least, s->work, &s->lwork, s->iwork,
          &info, 1);
  return info == 0;
}

int spectrum_values(Spectrum *s, const double *w, const double **values) {
  *values = s->s;
  if (!factor(s, w, "N"))
    for (int i = 0; i < s->least; i++) s->s[i] = NAN;
  return s->least;
}

void spectrum_shrink(Spectrum *s, double *w, double t) {
  if (!factor(s, w, "S")) return;
  int rank = 0;
  while (rank < s->least && s->s[rank] > t) rank++;
  for (int i = 0; i < rank; i++) cblas_dscal(s->m, s->s[i] - t, s->u + (int64_t)i * s->m, 1);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, s->m, s->n, rank, 1, s->u, s->m, s->vt, s->least, 0,
              w, s->m);
}
