// See special.h. Vectors go lane by lane: their results are doubles, rounded once.
#include "special.h"
#include "math/special.h"
#include <math.h>

#pragma GCC diagnostic ignored "-Wpsabi"

double reg_dsinh(double x) { return sinh(x); }
double reg_dcosh(double x) { return cosh(x); }
double reg_dasin(double x) { return asin(x); }
double reg_dacos(double x) { return acos(x); }
double reg_datan(double x) { return atan(x); }
double reg_dasinh(double x) { return asinh(x); }
double reg_dacosh(double x) { return acosh(x); }
double reg_datanh(double x) { return atanh(x); }
double reg_dlog2(double x) { return log2(x); }
double reg_dlog10(double x) { return log10(x); }
double reg_derfc(double x) { return erfc(x); }
double reg_datan2(double x, double y) { return atan2(x, y); }

double reg_dlgamma(double x) {
  int sign;
  return lgamma_r(x, &sign); // lgamma writes to a variable that threads share
}

double reg_dmod(double x, double y) { return reg_mod(x, y); }
double reg_dlog_ndtr(double x) { return reg_log_ndtr(x); }
double reg_dndtr_ratio(double x, double order) { return reg_ndtr_ratio(x, order); }
double reg_dpolygamma(double x, double order) { return reg_polygamma(x, order); }

// -- eight lanes

#define UNARY(name)                                                                                          \
  reg_f32x8 reg_v##name(reg_f32x8 x) {                                                                       \
    reg_f32x8 r;                                                                                             \
    for (int i = 0; i < 8; i++) r[i] = (float)reg_d##name((double)x[i]);                                     \
    return r;                                                                                                \
  }
#define BINARY(name)                                                                                         \
  reg_f32x8 reg_v##name(reg_f32x8 x, reg_f32x8 y) {                                                          \
    reg_f32x8 r;                                                                                             \
    for (int i = 0; i < 8; i++) r[i] = (float)reg_d##name((double)x[i], (double)y[i]);                       \
    return r;                                                                                                \
  }
#include "special.def"
