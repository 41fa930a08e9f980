// Mathematics that is computed in double also for vectors of floats. In: any number. Out: exact to a few
// units of double, hence a float that is the nearest one but for rare cases; near the zeros of digamma and
// its derivatives the error is absolute, 1e-15. The normal distribution's tail and the derivatives of log
// gamma are our own, all else is the C library's.
#ifndef REG_SPECIAL_H
#define REG_SPECIAL_H
#include "vmath.h"

#define UNARY(name)                                                                                          \
  double reg_d##name(double x);                                                                              \
  reg_f32x8 reg_v##name(reg_f32x8 x);
#define BINARY(name)                                                                                         \
  double reg_d##name(double x, double y);                                                                    \
  reg_f32x8 reg_v##name(reg_f32x8 x, reg_f32x8 y);
#include "special.def"
#undef UNARY
#undef BINARY
#endif
