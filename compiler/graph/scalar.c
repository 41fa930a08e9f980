// Scalar meaning of the pointwise and compare operations, in f64. In: operand values. Out: the result's
// value. Holds: the interpreter and constant folding agree because both ask here. i32 wraps around; its
// division truncates (by zero: 0). A NaN among the operands of min and max is the result.
#include "math/special.h"
#include "ops.h"
#include <math.h>

static double wrap_i32(double v) {
  if (v >= INT32_MIN && v <= INT32_MAX) return v;
  if (!isfinite(v)) return 0;
  double r = fmod(v, 4294967296.0);
  if (r < INT32_MIN) r += 4294967296.0;
  if (r > INT32_MAX) r -= 4294967296.0;
  return r;
}

static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

static double cast(DType from, DType to, double x) {
  if (to == DT_BOOL) return x != 0;
  if (dtype_is_float(to) || !dtype_is_float(from)) return x;
  double t = trunc(x);
  return isnan(t) ? 0 : t < INT32_MIN ? INT32_MIN : t > INT32_MAX ? INT32_MAX : t;
}

static double arithmetic(Op op, DType from, double x, double y) {
  switch (op) {
  case OP_ADD: return x + y;
  case OP_SUB: return x - y;
  case OP_MUL: return from == DT_I32 ? (double)(int32_t)((uint32_t)(int32_t)x * (uint32_t)(int32_t)y) : x * y;
  case OP_DIV: return from == DT_I32 ? (y == 0 ? 0 : trunc(x / y)) : x / y;
  case OP_NEG: return -x;
  case OP_ABS: return fabs(x);
  case OP_XMUL: return x == 0 ? 0 : x * y;
  case OP_ZMUL: return x == 0 || y == 0 ? 0 : x * y;
  case OP_MIN: return isnan(x) || x < y ? x : y;
  case OP_MAX: return isnan(x) || y < x ? x : y;
  default: return sign(x);
  }
}

static double special(Op op, double x, double y) {
  switch (op) {
  case OP_SINH: return sinh(x);
  case OP_COSH: return cosh(x);
  case OP_ASIN: return asin(x);
  case OP_ACOS: return acos(x);
  case OP_ATAN: return atan(x);
  case OP_ASINH: return asinh(x);
  case OP_ACOSH: return acosh(x);
  case OP_ATANH: return atanh(x);
  case OP_LOG2: return log2(x);
  case OP_LOG10: return log10(x);
  case OP_ERFC: return erfc(x);
  case OP_LGAMMA: return lgamma(x);
  case OP_LOG_NDTR: return reg_log_ndtr(x);
  case OP_NDTR_RATIO: return reg_ndtr_ratio(x, y);
  case OP_POLYGAMMA: return reg_polygamma(x, y);
  default: ice("graph", "%s has no scalar form", op_info[op].text);
  }
}

static double transcendental(Op op, double x, double y) {
  switch (op) {
  case OP_FLOOR: return floor(x);
  case OP_ROUND: return nearbyint(x);
  case OP_EXP: return exp(x);
  case OP_EXPM1: return expm1(x);
  case OP_LOG: return log(x);
  case OP_LOG1P: return log1p(x);
  case OP_SQRT: return sqrt(x);
  case OP_TANH: return tanh(x);
  case OP_SIGMOID: return reg_sigmoid(x);
  case OP_SOFTPLUS: return reg_softplus(x);
  case OP_ERF: return erf(x);
  case OP_ERFINV: return reg_erfinv(x);
  case OP_SIN: return sin(x);
  case OP_COS: return cos(x);
  case OP_POW: return pow(x, y);
  case OP_MOD: return reg_mod(x, y);
  case OP_ATAN2: return atan2(x, y);
  default: return special(op, x, y);
  }
}

double op_scalar(Op op, DType from, DType to, double x, double y, double z) {
  switch (op) {
  case OP_LT: return x < y;
  case OP_LE: return x <= y;
  case OP_EQ: return x == y;
  case OP_AND: return x != 0 && y != 0;
  case OP_OR: return x != 0 || y != 0;
  case OP_NOT: return x == 0;
  case OP_SELECT: return x != 0 ? y : z;
  case OP_CAST: return cast(from, to, x);
  case OP_NEG:
  case OP_ABS:
  case OP_SIGN:
  case OP_ADD:
  case OP_SUB:
  case OP_MUL:
  case OP_XMUL:
  case OP_ZMUL:
  case OP_DIV:
  case OP_MIN:
  case OP_MAX: {
    double v = arithmetic(op, from, x, y);
    return to == DT_I32 ? wrap_i32(v) : v;
  }
  default: return transcendental(op, x, y);
  }
}
