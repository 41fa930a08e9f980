// See special.h.
#include "special.h"
#include <math.h>

// Of the sign of y; fmod is exact.
double reg_mod(double x, double y) {
  double r = fmod(x, y);
  if (r == 0) return copysign(r, y);
  return (r < 0) != (y < 0) ? r + y : r;
}

// exp of a negative number only.
double reg_sigmoid(double x) {
  if (x >= 0) return 1 / (1 + exp(-x));
  double e = exp(x);
  return e / (1 + e);
}

// Exact for large x on both sides.
double reg_softplus(double x) { return (x > 0 ? x : 0) + (isnan(x) ? x : log1p(exp(-fabs(x)))); }

// Winitzki's approximation (2008), then Halley's method, which triples the digits three times; erfc keeps
// those of the tails.
double reg_erfinv(double x) {
  const double a = fabs(x);
  if (!(a < 1)) return a == 1 ? copysign(INFINITY, x) : NAN;
  if (a == 0) return x;
  const double tail = log1p(-a * a), k = 2 / (M_PI * 0.147) + tail / 2;
  double y = sqrt(sqrt(k * k - tail / 0.147) - k);
  for (int i = 0; i < 3; i++) {
    double error = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y), step = error / (M_2_SQRTPI * exp(-y * y));
    y -= step / (1 + y * step);
  }
  return copysign(y, x);
}

// -- the tail of the normal distribution

static const double root_2pi = 2.5066282746310005;

// Mills' ratio (1 - Phi(z)) / phi(z) = 1 / (z + 1 / (z + 2 / (z + ...))) for z >= 2, and what stands behind
// the first z, which is 1 / ratio - z without cancellation.
static double mills(double z, double *behind) {
  double f = z;
  for (int k = 80; k > 1; k--) f = z + k / f;
  *behind = 1 / f;
  return 1 / (z + *behind);
}

static double ndtr(double x) { return erfc(-x * M_SQRT1_2) / 2; }

double reg_log_ndtr(double x) {
  double behind;
  if (x > 0) return log1p(-ndtr(-x));
  if (!(x <= -2)) return log(ndtr(x));
  return -x * x / 2 + log(mills(-x, &behind) / root_2pi);
}

double reg_ndtr_ratio(double x, double order) {
  double behind;
  if (x <= -2) return order < 1 ? 1 / mills(-x, &behind) : (mills(-x, &behind), behind);
  double ratio = exp(-x * x / 2) / root_2pi / ndtr(x);
  return order < 1 ? ratio : ratio + x;
}

// -- derivatives of log gamma

// The derivative of order n of pi cot(pi x), by d cot = -(1 + cot^2): a polynomial in cot(pi x).
static double cotangent(double x, int n) {
  enum { MOST = 64 };
  double p[MOST + 2] = {0, 1}, t = x - nearbyint(x), c = 1 / tan(M_PI * t), value = 0, scale = M_PI;
  if (fabs(fabs(t) - 0.5) < 1e-300) c = 0;
  if (n > MOST - 1) return NAN;
  for (int i = 0; i < n; i++) {
    double next[MOST + 2] = {0};
    for (int k = 1; k <= i + 1; k++) {
      next[k - 1] -= k * p[k];
      next[k + 1] -= k * p[k];
    }
    for (int k = 0; k <= i + 2; k++) p[k] = next[k];
    scale *= M_PI;
  }
  for (int k = n + 1; k >= 0; k--) value = value * c + p[k];
  return scale * value;
}

// (-1)^(n+1) n! zeta(n + 1, x) for x > 0: x is raised above 16 + n term by term, where the asymptotic series
// of Euler and Maclaurin in Bernoulli's numbers ends below rounding.
static double polygamma_above(double x, int n) {
  static const double bernoulli[] = {1.0 / 6,  -1.0 / 30,     1.0 / 42, -1.0 / 30,
                                     5.0 / 66, -691.0 / 2730, 7.0 / 6,  -3617.0 / 510};
  const double factorial = tgamma(n + 1.0);
  double sum = 0;
  for (; x < 16 + n; x += 1) sum += 1 / pow(x, n + 1);
  if (n == 0) {
    double series = 0, x2 = x * x, power = 1;
    for (int k = 1; k <= 8; k++) series += bernoulli[k - 1] / (2 * k * (power *= x2));
    return log(x) - 0.5 / x - series - sum;
  }
  double power = pow(x, n), rise = factorial / n, tail = rise / power + factorial / (2 * power * x);
  rise *= n; // (2k + n - 1)! / (2k)!, from k = 1 on
  for (int k = 1; k <= 8; k++) {
    rise *= k == 1 ? (n + 1) / 2.0 : (2.0 * k + n - 1) * (2.0 * k + n - 2) / (2.0 * k * (2 * k - 1));
    tail += bernoulli[k - 1] * rise / (power *= x * x);
  }
  return (n % 2 ? 1 : -1) * (sum * factorial + tail);
}

// Below 0 by reflection; at the poles what the two sides agree on, the sign of zero being a side.
double reg_polygamma(double x, double order) {
  const int n = order >= 0 && order < 100 ? (int)order : -1;
  if (n < 0 || isnan(x)) return NAN;
  if (x == INFINITY) return n == 0 ? x : n % 2 ? 0.0 : -0.0;
  if (x == -INFINITY) return NAN;
  if (x == 0) return n % 2 ? INFINITY : -copysign(INFINITY, x);
  if (x < 0 && x == floor(x)) return n % 2 ? INFINITY : NAN;
  if (x > 0) return polygamma_above(x, n);
  return (n % 2 ? -1 : 1) * polygamma_above(1 - x, n) - cotangent(x, n);
}
