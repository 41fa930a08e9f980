// Functions that the C library lacks, in double: what constants are folded with, the interpreter computes and
// the kernels round to float. Holds: exact to a few units of double, relative; near the zeros of digamma and
// its derivatives the error is absolute, 1e-15.
#ifndef REG_MATH_SPECIAL_H
#define REG_MATH_SPECIAL_H
#include <stdbool.h>
#include <stdint.h>

// x - y floor(x / y): the remainder of the sign of y. NaN for y = 0.
double reg_mod(double x, double y);

// 1 / (1 + exp(-x)).
double reg_sigmoid(double x);

// log(1 + exp(x)).
double reg_softplus(double x);

// The inverse of erf: infinite at 1 and -1, NaN beyond.
double reg_erfinv(double x);

// log Phi(x), Phi the distribution function of the standard normal distribution.
double reg_log_ndtr(double x);

// phi(x) / Phi(x), the derivative of log Phi; of order 1, plus x.
double reg_ndtr_ratio(double x, double order);

// The derivative of the given order, 0 to 99, of digamma, which is that of log gamma.
double reg_polygamma(double x, double order);

// The regularized incomplete beta function I_x(a, b), a, b > 0, x from 0 to 1.
double reg_beta_inc(double a, double b, double x);

// Of Student's distribution with df > 0 degrees of freedom: the probability of a |T| above |t|, and the t for
// which that is p, 0 < p < 1.
double reg_t_outside(double t, double df);
double reg_t_quantile(double p, double df);

// Wilcoxon's signed-rank test that n differences, which are sorted, lie evenly around 0. NaN where all are 0.
typedef struct reg_signed_ranks {
  double w, p;
  bool exact; // else by the normal approximation
} reg_signed_ranks;
reg_signed_ranks reg_signed_rank_test(double *d, int64_t n);
#endif
