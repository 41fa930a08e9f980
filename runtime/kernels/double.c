// See double.h. Names of our own, so that compiled code and standalone binaries call the same code, which no
// compiler replaces by what it knows of the C library's.
#include "double.h"
#include <math.h>

double reg_dexp(double x) { return exp(x); }
double reg_dexpm1(double x) { return expm1(x); }
double reg_dlog(double x) { return log(x); }
double reg_dlog1p(double x) { return log1p(x); }
double reg_dtanh(double x) { return tanh(x); }
double reg_derf(double x) { return erf(x); }
double reg_dsin(double x) { return sin(x); }
double reg_dcos(double x) { return cos(x); }
double reg_dpow(double x, double y) { return pow(x, y); }

// exp of a negative number only.
double reg_dsigmoid(double x) {
  if (x >= 0) return 1 / (1 + exp(-x));
  double e = exp(x);
  return e / (1 + e);
}

double reg_dsoftplus(double x) { return (x > 0 ? x : 0) + (isnan(x) ? x : log1p(exp(-fabs(x)))); }

// Winitzki's approximation (2008), then Halley's method, which triples the digits three times; erfc keeps
// those of the tails.
double reg_derfinv(double x) {
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
