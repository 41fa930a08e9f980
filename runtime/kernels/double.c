// See double.h. Names of our own, so that compiled code and standalone binaries call the same code, which no
// compiler replaces by what it knows of the C library's.
#include "double.h"
#include "math/special.h"
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
double reg_dsigmoid(double x) { return reg_sigmoid(x); }
double reg_dsoftplus(double x) { return reg_softplus(x); }
double reg_derfinv(double x) { return reg_erfinv(x); }
