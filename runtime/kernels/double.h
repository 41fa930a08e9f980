// Mathematics in double precision, one number at a time, for the scalars of a program. In: any double. Out:
// what the C library gives; functions it lacks are exact to a few units in the last place.
#ifndef REG_DOUBLE_H
#define REG_DOUBLE_H

double reg_dexp(double x);
double reg_dexpm1(double x);
double reg_dlog(double x);
double reg_dlog1p(double x);
double reg_dtanh(double x);
double reg_dsigmoid(double x);
double reg_dsoftplus(double x);
double reg_derf(double x);
double reg_derfinv(double x);
double reg_dsin(double x);
double reg_dcos(double x);
double reg_dpow(double x, double y);
#endif
