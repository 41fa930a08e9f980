// Mathematics in double precision, one number at a time, for the scalars of a program. In: any double. Out:
// what the C library gives; functions it lacks are exact to a few units in the last place.
#ifndef REG_DOUBLE_H
#define REG_DOUBLE_H

#define UNARY(name)  double reg_d##name(double x);
#define BINARY(name) double reg_d##name(double x, double y);
#include "vmath.def"
#undef UNARY
#undef BINARY
#endif
