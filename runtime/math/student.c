// Student's distribution, by the incomplete beta function: its continued fraction (DLMF 8.17.22), evaluated
// by Lentz's method as modified by Thompson and Barnett (1986).
#include "special.h"
#include <math.h>

static double away_from_zero(double x) { return fabs(x) < 1e-300 ? 1e-300 : x; }

// The fraction converges fast for x < (a + 1) / (a + b + 2).
static double fraction(double a, double b, double x) {
  enum { MOST = 10000 };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), f = d;
  for (int m = 1; m <= MOST; m++) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    f *= d * c;
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    f *= d * c;
    if (fabs(d * c - 1) < 1e-16) break;
  }
  return f;
}

double reg_beta_inc(double a, double b, double x) {
  if (!(x > 0)) return isnan(x) ? x : 0;
  if (x >= 1) return 1;
  const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b;
}

double reg_t_outside(double t, double df) { return reg_beta_inc(df / 2, 0.5, df / (df + t * t)); }

double reg_t_quantile(double p, double df) {
  double low = 0, high = 1;
  while (reg_t_outside(high, df) > p && high < 1e300) high *= 2;
  for (int i = 0; i < 200 && low < high; i++) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    *(reg_t_outside(middle, df) > p ? &low : &high) = middle;
  }
  return high;
}
