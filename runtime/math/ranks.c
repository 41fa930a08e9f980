// Wilcoxon's signed-rank test of pairs (Wilcoxon 1945, Individual comparisons by ranking methods), as
// scipy.stats.wilcoxon makes it with `zero_method="wilcox"`, two-sided: differences of 0 are left out; of the
// others the sizes are ranked, equal ones at the mean of their places; W is the smaller of the sums of ranks
// of positive and of negative differences. Exact: all signs are equally probable, so p counts the subsets of
// ranks with a sum that is not larger. Else W is taken as normal, with a variance that counts ties, without
// a correction for continuity.
#include "special.h"
#include <math.h>
#include <stdlib.h>

enum { MOST_EXACT = 50, MOST_SUM = MOST_EXACT * (MOST_EXACT + 1) / 2 };

static int by_size(const void *a, const void *b) {
  const double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
  return (x > y) - (x < y);
}

// The share of all signs by which ranks 1 to n sum to w or less. All counts are exact in double.
static double subsets(int n, double w) {
  double count[MOST_SUM + 1] = {1}, sum = 0;
  for (int rank = 1; rank <= n; rank++)
    for (int s = MOST_SUM; s >= rank; s--) count[s] += count[s - rank];
  for (int s = 0; s <= MOST_SUM && s <= w; s++) sum += count[s];
  return ldexp(sum, -n);
}

reg_signed_ranks reg_signed_rank_test(double *d, int64_t n) {
  double plus = 0, minus = 0, ties = 0;
  int64_t left = 0;
  for (int64_t i = 0; i < n; i++)
    if (d[i] != 0) d[left++] = d[i];
  qsort(d, (size_t)left, sizeof *d, by_size);
  for (int64_t i = 0, end; i < left; i = end) {
    for (end = i + 1; end < left && fabs(d[end]) == fabs(d[i]);) end++;
    const double equal = (double)(end - i), rank = (double)(i + 1 + end) / 2;
    ties += equal * equal * equal - equal;
    for (int64_t k = i; k < end; k++) *(d[k] > 0 ? &plus : &minus) += rank;
  }
  const double m = (double)left, variance = (m * (m + 1) * (2 * m + 1) - ties / 2) / 24;
  reg_signed_ranks out = {.w = fmin(plus, minus), .p = NAN};
  out.exact = left == n && ties == 0 && n <= MOST_EXACT;
  if (!left)
    out.w = NAN, out.exact = false;
  else if (out.exact)
    out.p = fmin(1, 2 * subsets((int)n, out.w));
  else
    out.p = erfc((m * (m + 1) / 4 - out.w) / sqrt(2 * variance));
  return out;
}
