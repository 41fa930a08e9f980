// Vector mathematics against libm in double: floats sampled densely by their bits over the whole range; the
// greatest error in units in the last place is held to the documented bound. Special values by name. Philox
// against the scalar generator.
#include "runtime/kernels/vmath.h"
#include <criterion/criterion.h>
#include <math.h>
#include <reg/rng.h>
#include <stdio.h>
#include <string.h>

typedef reg_f32x8 (*Vector1)(reg_f32x8);
typedef double (*Scalar1)(double);

static float from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}

// Error of `got` in units in the last place of the float nearest to `want`; results below the normal range
// may be zero.
static double ulps(float got, double want) {
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
  float nearest = (float)want;
  if (isinf(nearest) || isinf(got)) {
    if (nearest == got) return 0;
    return isinf(nearest) && fabs(want) < 3.5e38 && fabsf(got) > 3.4e38f ? 1 : INFINITY;
  }
  double unit = fabs(want) < 0x1p-126 ? 0x1p-126 : ldexp(1, ilogb(want) - 23);
  return fabs((double)got - want) / unit;
}

// erfinv in double by Newton's method on erf, from the single precision value.
static double erfinv_reference(double x) {
  if (fabs(x) > 1 || isnan(x)) return NAN;
  if (fabs(x) == 1) return x * INFINITY;
  if (fabs(x) < 1e-20) return x * 0.88622692545275801;
  double a = fabs(x), y = a < 0.5 ? a : sqrt(-log((1 - a) * (1 + a)));
  for (int i = 0; i < 60; i++) {
    double error = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
    double step = error / (1.1283791670955126 * exp(-y * y));
    y -= step;
    if (fabs(step) < 1e-15 * y) break;
  }
  return copysign(y, x);
}
static double softplus_reference(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double sigmoid_reference(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }

static double worst(Vector1 f, Scalar1 reference, float lo, float hi, uint32_t stride, float *where) {
  double most = 0;
  for (uint64_t u = 0; u <= 0xffffffffull; u += (uint64_t)stride * 8) {
    reg_f32x8 x;
    for (uint32_t i = 0; i < 8; i++) {
      float v = from_bits((uint32_t)(u + (uint64_t)i * stride));
      x[i] = v >= lo && v <= hi ? v : 0.5f * (lo > -1e30f && hi < 1e30f ? lo + hi : 1.0f);
    }
    reg_f32x8 y = f(x);
    for (int i = 0; i < 8; i++) {
      double e = ulps(y[i], reference((double)x[i]));
      if (e > most) {
        most = e;
        *where = x[i];
      }
    }
  }
  return most;
}

#define ACCURATE(name, reference, lo, hi)                                                                    \
  Test(vmath, name) {                                                                                        \
    float where = 0;                                                                                         \
    double e = worst(reg_v##name, reference, lo, hi, 4099, &where);                                          \
    printf("%-8s %.3f ulp at %.9g\n", #name, e, (double)where);                                              \
    cr_assert(e < 2, "%s is off by %.3f units at %.9g", #name, e, (double)where);                            \
  }
ACCURATE(exp, exp, -INFINITY, INFINITY)
ACCURATE(expm1, expm1, -INFINITY, INFINITY)
ACCURATE(log, log, -INFINITY, INFINITY)
ACCURATE(log1p, log1p, -INFINITY, INFINITY)
ACCURATE(tanh, tanh, -INFINITY, INFINITY)
ACCURATE(sigmoid, sigmoid_reference, -INFINITY, INFINITY)
ACCURATE(erf, erf, -INFINITY, INFINITY)
ACCURATE(erfinv, erfinv_reference, -INFINITY, INFINITY)
ACCURATE(softplus, softplus_reference, -INFINITY, INFINITY)
ACCURATE(sin, sin, -INFINITY, INFINITY)
ACCURATE(cos, cos, -INFINITY, INFINITY)

// The samples above are thin where a function turns; there every region is swept once more.
Test(vmath, dense_near_turns) {
  const struct {
    const char *name;
    Vector1 f;
    Scalar1 reference;
    float lo, hi;
  } regions[] = {{"exp", reg_vexp, exp, -1, 1},
                 {"exp", reg_vexp, exp, 80, 89},
                 {"expm1", reg_vexpm1, expm1, -20, 2},
                 {"log", reg_vlog, log, 0.5f, 2},
                 {"log1p", reg_vlog1p, log1p, -0.9f, 2},
                 {"tanh", reg_vtanh, tanh, 0.3f, 2},
                 {"sigmoid", reg_vsigmoid, sigmoid_reference, -10, 10},
                 {"softplus", reg_vsoftplus, softplus_reference, -20, 20},
                 {"erf", reg_verf, erf, 0.5f, 4},
                 {"erfinv", reg_verfinv, erfinv_reference, -0.9999999f, 0.9999999f},
                 {"sin", reg_vsin, sin, -50, 50},
                 {"cos", reg_vcos, cos, -50, 50},
                 {"sin", reg_vsin, sin, 1e14f, 1e15f},
                 {"cos", reg_vcos, cos, -3e38f, 3e38f}};
  for (size_t r = 0; r < sizeof regions / sizeof *regions; r++) {
    double most = 0;
    const int n = 200000;
    for (int i = 0; i < n; i += 8) {
      reg_f32x8 x;
      for (int k = 0; k < 8; k++)
        x[k] = regions[r].lo + (regions[r].hi - regions[r].lo) * (float)(i + k) / (float)n;
      reg_f32x8 y = regions[r].f(x);
      for (int k = 0; k < 8; k++) {
        double e = ulps(y[k], regions[r].reference((double)x[k]));
        if (e > most) most = e;
      }
    }
    cr_assert(most < 2, "%s on [%g, %g]: %.3f units", regions[r].name, (double)regions[r].lo,
              (double)regions[r].hi, most);
  }
}

Test(vmath, pow) {
  double most = 0;
  uint32_t state = 12345;
  for (int i = 0; i < 200000; i++) {
    reg_f32x8 x, y;
    for (int k = 0; k < 8; k++) {
      state = state * 1664525u + 1013904223u;
      x[k] = i % 2 ? from_bits(state & 0x7fffffffu) : (float)(state >> 8) * 0x1p-20f;
      state = state * 1664525u + 1013904223u;
      y[k] = ((float)(state >> 8) - 8388608.0f) * 0x1p-19f;
      if (i % 7 == 0) x[k] = -x[k], y[k] = rintf(y[k]);
    }
    reg_f32x8 r = reg_vpow(x, y);
    for (int k = 0; k < 8; k++) {
      double e = ulps(r[k], pow((double)x[k], (double)y[k]));
      cr_assert(e < 4, "pow(%.9g, %.9g) is %.9g", (double)x[k], (double)y[k], (double)r[k]);
      if (e > most) most = e;
    }
  }
  printf("pow      %.3f ulp\n", most);
}

Test(vmath, pow_special) {
  const float v[] = {0.0f, -0.0f, 1,     -1,     2,        -2,        0.5f, -0.5f,
                     3,    -3,    1e30f, -1e30f, INFINITY, -INFINITY, NAN,  16777217.0f};
  const int n = sizeof v / sizeof *v;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      reg_f32x8 x = {0}, y = {0};
      x[3] = v[i];
      y[3] = v[j];
      float got = reg_vpow(x, y)[3], want = powf(v[i], v[j]);
      cr_assert(ulps(got, (double)want) < 4 && (isnan(want) || signbit(got) == signbit(want)),
                "pow(%g, %g): %g, not %g", (double)v[i], (double)v[j], (double)got, (double)want);
    }
}

Test(vmath, special) {
  const reg_f32x8 x = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1, -1, 0x1p-130f};
  const Vector1 odd[] = {reg_vexpm1, reg_vlog1p, reg_vtanh, reg_verf, reg_verfinv, reg_vsin};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    reg_f32x8 y = odd[i](x);
    cr_assert(y[0] == 0 && !signbit(y[0]) && y[1] == 0 && signbit(y[1]) && isnan(y[4]));
  }
  cr_assert(reg_vexp(x)[2] == INFINITY && reg_vexp(x)[3] == 0 && isnan(reg_vexp(x)[4]) &&
            reg_vexp(x)[0] == 1);
  cr_assert(reg_vexpm1(x)[2] == INFINITY && reg_vexpm1(x)[3] == -1);
  cr_assert(reg_vlog(x)[0] == -INFINITY && reg_vlog(x)[2] == INFINITY && isnan(reg_vlog(x)[3]) &&
            isnan(reg_vlog(x)[6]));
  cr_assert(reg_vlog1p(x)[6] == -INFINITY && reg_vlog1p(x)[2] == INFINITY && isnan(reg_vlog1p(x)[3]));
  cr_assert(reg_vtanh(x)[2] == 1 && reg_vtanh(x)[3] == -1 && reg_verf(x)[2] == 1 && reg_verf(x)[3] == -1);
  cr_assert(reg_vsigmoid(x)[2] == 1 && reg_vsigmoid(x)[3] == 0 && isnan(reg_vsigmoid(x)[4]));
  cr_assert(reg_vsoftplus(x)[2] == INFINITY && reg_vsoftplus(x)[3] == 0 && isnan(reg_vsoftplus(x)[4]));
  cr_assert(reg_verfinv(x)[5] == INFINITY && reg_verfinv(x)[6] == -INFINITY && isnan(reg_verfinv(x)[2]));
  cr_assert(isnan(reg_vsin(x)[2]) && isnan(reg_vcos(x)[3]) && reg_vcos(x)[0] == 1);
}

Test(vmath, philox) {
  reg_u32x8 counter = {0, 1, 2, 3, 4, 1000, 0xfffffffeu, 0xffffffffu}, out[4];
  reg_vphilox(counter, 7, 42, 0xdeadbeefu, 0x12345678u, out);
  for (int i = 0; i < 8; i++) {
    const uint32_t c[4] = {counter[i], 0, 7, 42}, key[2] = {0xdeadbeefu, 0x12345678u};
    uint32_t want[4];
    reg_philox(c, key, want);
    for (int w = 0; w < 4; w++) cr_assert(out[w][i] == want[w]);
  }
}
