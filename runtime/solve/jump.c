// One linear system, by its triangular factor.
#include "solve/jump.h"
#include <cblas.h>
#include <math.h>

// Column-major, as Fortran has it; behind them the length of the text.
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);

// Rows of the lower triangle are, to Fortran, columns of the upper one.
bool jump_direction(int64_t n, double *q, double *d) {
  const int size = (int)n;
  int info;
  double largest = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, q[i * n + i]);
  for (int64_t i = 0; i < n; i++) q[i * n + i] += 1e-13 * largest; // where it is singular, the shortest way
  dpotrf_("U", &size, q, &size, &info, 1);
  if (info) return false;
  cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, size, q, size, d, 1);
  cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, size, q, size, d, 1);
  return true;
}
