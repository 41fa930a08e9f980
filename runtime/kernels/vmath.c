// Exponential, logarithmic, hyperbolic, error and circular functions, and Philox, on vectors of eight lanes.
// See vmath.h.
//
// All cases are computed and selected by masks, without branches (but for angles beyond 2^48). Polynomials
// are Chebyshev fits of the quotient named beside them (the leading terms of the series are exact), computed
// with 30 digits and rounded to float; their own error is below 3e-8 relative to the result. Fused
// multiply-adds are written out and contraction is off, so two compilers give the same bits.
#include "vmath.h"
#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wpsabi" // 64-byte vectors are passed among inlined functions only

#define INLINE static inline __attribute__((always_inline))

typedef double F64x8 __attribute__((vector_size(64)));
typedef int64_t I64x8 __attribute__((vector_size(64)));

INLINE reg_f32x8 splat(float v) { return (reg_f32x8){v, v, v, v, v, v, v, v}; }
INLINE F64x8 splat_f64(double v) { return (F64x8){v, v, v, v, v, v, v, v}; }

INLINE reg_f32x8 fma8(reg_f32x8 a, reg_f32x8 b, reg_f32x8 c) {
  reg_f32x8 r;
  for (int i = 0; i < 8; i++) r[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return r;
}
INLINE F64x8 fma_f64(F64x8 a, F64x8 b, F64x8 c) {
  F64x8 r;
  for (int i = 0; i < 8; i++) r[i] = __builtin_fma(a[i], b[i], c[i]);
  return r;
}

INLINE reg_f32x8 pick(reg_i32x8 mask, reg_f32x8 yes, reg_f32x8 no) {
  return (reg_f32x8)((mask & (reg_i32x8)yes) | (~mask & (reg_i32x8)no));
}
INLINE reg_f32x8 absolute(reg_f32x8 x) { return (reg_f32x8)((reg_i32x8)x & 0x7fffffff); }
INLINE reg_f32x8 with_sign_of(reg_f32x8 x, reg_f32x8 s) {
  return (reg_f32x8)(((reg_i32x8)x & 0x7fffffff) | ((reg_i32x8)s & (int32_t)0x80000000));
}
// 2^n for -126 <= n <= 127
INLINE reg_f32x8 power_of_two(reg_i32x8 n) { return (reg_f32x8)((n + 127) << 23); }

// Nearest integer, ties to even, for |x| < 2^22: the addition pushes the fraction out of the significand.
INLINE reg_f32x8 nearest(reg_f32x8 x) {
  const float magic = 12582912.0f;
  return (x + magic) - magic;
}

// sum of c[i] x^i, highest power last
#define POLY(x, ...)                                                                                         \
  horner((x), (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))
INLINE reg_f32x8 horner(reg_f32x8 x, const float *c, unsigned long n) {
  reg_f32x8 r = splat(c[n - 1]);
  for (unsigned long i = n - 1; i > 0; i--) r = fma8(r, x, splat(c[i - 1]));
  return r;
}

// x = n ln 2 + r with |r| <= ln 2 / 2; gives e^r - 1. ln 2 is split in two so that n times the first part is
// exact.
INLINE reg_f32x8 reduced_expm1(reg_f32x8 x, reg_f32x8 *n) {
  *n = nearest(x * 1.44269504f);
  reg_f32x8 r = fma8(*n, splat(-0.692871094f), x);
  r = fma8(*n, splat(-2.76086810e-4f), r);
  reg_f32x8 p = POLY(r, 0.5f, 0.166666672f, 0.041666463f, 0.00833331048f, 0.00139336742f, 0.000198910173f);
  return fma8(r * r, p, r);
}

INLINE reg_f32x8 exp_finite(reg_f32x8 x) {
  reg_f32x8 n, e = reduced_expm1(x, &n);
  reg_i32x8 k = __builtin_convertvector(n, reg_i32x8), half = k >> 1;
  return ((1.0f + e) * power_of_two(half)) * power_of_two(k - half);
}

reg_f32x8 reg_vexp(reg_f32x8 x) {
  reg_f32x8 c = pick(x > 89.0f, splat(89.0f), x);
  c = pick(x < -104.0f, splat(-104.0f), c);
  return pick(x != x, x, exp_finite(pick(x != x, splat(0), c)));
}

// 2^n (e^r - 1) + (2^n - 1), halved and doubled again because 2^128 is no float.
reg_f32x8 reg_vexpm1(reg_f32x8 x) {
  reg_f32x8 c = pick(x > 89.0f, splat(89.0f), x), n;
  c = pick(x < -20.0f, splat(-20.0f), c);
  c = pick(x != x, splat(0), c);
  reg_f32x8 e = reduced_expm1(c, &n);
  reg_f32x8 half = power_of_two(__builtin_convertvector(n, reg_i32x8) - 1);
  reg_f32x8 r = 2.0f * fma8(half, e, half - 0.5f);
  r = pick(n == 0.0f, e, r);
  r = pick(x == 0.0f, x, r);
  r = pick(x > 88.8f, splat(__builtin_inff()), r);
  return pick(x != x, x, r);
}

// log of a positive finite normal number: x = 2^e (1 + f) with 1 + f in [sqrt 1/2, sqrt 2).
INLINE reg_f32x8 log_normal(reg_f32x8 x, reg_f32x8 extra_exponent) {
  reg_i32x8 bits = (reg_i32x8)((reg_u32x8)x - 0x3f3504f3u); // wraps around where x is negative or NaN
  reg_f32x8 e = __builtin_convertvector(bits >> 23, reg_f32x8) + extra_exponent;
  reg_f32x8 f = (reg_f32x8)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
  // (log(1 + f) - f + f^2 / 2) / f^3
  reg_f32x8 p = POLY(f, 0.333333313f, -0.24999997f, 0.200007156f, -0.166678026f, 0.142490581f, -0.124256872f,
                     0.116854198f, -0.114797339f, 0.0697161183f);
  reg_f32x8 f2 = f * f;
  reg_f32x8 low = fma8(f2 * f, p, fma8(splat(-0.5f), f2, e * 2.76086810e-4f));
  return fma8(e, splat(0.692871094f), f + low);
}

reg_f32x8 reg_vlog(reg_f32x8 x) {
  reg_i32x8 tiny = x < 1.17549435e-38f;
  reg_f32x8 scaled = pick(tiny, x * 8388608.0f, x);
  reg_f32x8 r = log_normal(scaled, pick(tiny, splat(-23.0f), splat(0)));
  r = pick(x == __builtin_inff(), x, r);
  r = pick(x == 0.0f, splat(-__builtin_inff()), r);
  r = pick(x < 0.0f, splat(__builtin_nanf("")), r);
  return pick(x != x, x, r);
}

// log(u) + d / u with u = fl(1 + x) and d what the rounding of u lost.
reg_f32x8 reg_vlog1p(reg_f32x8 x) {
  reg_f32x8 u = 1.0f + x, big = u - 1.0f;
  reg_f32x8 lost = pick(absolute(x) < 1.0f, x - big, 1.0f - (u - x));
  // For small x the terms cancel badly around u = 1; there the series in x itself is used.
  reg_f32x8 p = POLY(x, 0.333333313f, -0.24999997f, 0.200007156f, -0.166678026f, 0.142490581f, -0.124256872f,
                     0.116854198f, -0.114797339f, 0.0697161183f);
  reg_f32x8 x2 = x * x;
  reg_f32x8 near = x + fma8(x2 * x, p, -0.5f * x2);
  reg_f32x8 far = log_normal(u, splat(0)) + lost / u;
  reg_i32x8 is_near = (x > -0.29289f) & (x < 0.41421f);
  reg_f32x8 r = pick(is_near, near, far);
  r = pick(x == 0.0f, x, r);
  r = pick(x == __builtin_inff(), x, r);
  r = pick(x == -1.0f, splat(-__builtin_inff()), r);
  r = pick(x < -1.0f, splat(__builtin_nanf("")), r);
  return pick(x != x, x, r);
}

// |x| < 0.625: x + x^3 P(x^2); else 1 - 2 / (e^(2|x|) + 1).
reg_f32x8 reg_vtanh(reg_f32x8 x) {
  reg_f32x8 a = absolute(x), t = x * x;
  reg_f32x8 p =
      POLY(t, -0.333333343f, 0.133332998f, -0.0539584607f, 0.0217625033f, -0.00832318701f, 0.0022695018f);
  reg_f32x8 small = fma8(t * x, p, x);
  reg_f32x8 c = pick(a < 10.0f, a, splat(10.0f));
  reg_f32x8 large = 1.0f - 2.0f / (exp_finite(2.0f * c) + 1.0f);
  reg_f32x8 r = with_sign_of(pick(a < 0.625f, small, large), x);
  return pick(x != x, x, r);
}

// With z = e^-|x|: 1 / (1 + z) or z / (1 + z), so nothing overflows.
reg_f32x8 reg_vsigmoid(reg_f32x8 x) {
  reg_f32x8 a = absolute(x);
  reg_f32x8 z = exp_finite(-pick(a < 104.0f, a, splat(104.0f)));
  // One correction step takes in what the division and the rounding of 1 + z lost.
  reg_f32x8 n = pick(x < 0.0f, z, splat(1.0f)), d = 1.0f + z, q = 1.0f / d, r = n * q;
  r = fma8(fma8(-r, z - (d - 1.0f), fma8(-r, d, n)), q, r);
  return pick(x != x, x, r);
}

// max(x, 0) + log(1 + e^-|x|): neither overflows nor loses the tail.
reg_f32x8 reg_vsoftplus(reg_f32x8 x) {
  reg_f32x8 a = absolute(x);
  reg_f32x8 tail = reg_vlog1p(exp_finite(-pick(a < 104.0f, a, splat(104.0f))));
  return pick(x != x, x, pick(x > 0.0f, x, splat(0)) + tail);
}

// |x| < 1: x + x Q(x^2); else 1 - exp(log erfc), a polynomial in |x| on [1, 4].
reg_f32x8 reg_verf(reg_f32x8 x) {
  reg_f32x8 a = absolute(x), t = x * x;
  reg_f32x8 q = POLY(t, 0.128379166f, -0.37612626f, 0.112835944f, -0.0268542115f, 0.00518908724f,
                     -0.00080168643f, 7.87587487e-05f);
  reg_f32x8 small = fma8(x, q, x);
  reg_f32x8 c = pick(a < 4.0f, a, splat(4.0f));
  reg_f32x8 l = POLY(c, 0.000416329218f, -1.1306752f, -0.630953014f, -0.111055017f, 0.0270995237f,
                     -0.00506494706f, 0.000685836654f, -6.22983498e-05f, 3.32168452e-06f, -7.58268186e-08f);
  reg_f32x8 large = 1.0f - exp_finite(l);
  reg_f32x8 r = pick(a < 1.0f, small, with_sign_of(large, x));
  return pick(x != x, x, r);
}

// x P(w) with w = -log(1 - x^2) (Giles 2012, Approximating the erfinv function): one polynomial in w - 2.5
// for w < 5, one in sqrt(w) - 3.1 above; x P(x^2) for |x| < 0.63.
reg_f32x8 reg_verfinv(reg_f32x8 x) {
  reg_f32x8 u = fma8(-x, x, splat(1.0f));
  reg_i32x8 inside = u > 0.0f;
  reg_f32x8 w = -log_normal(pick(inside, u, splat(1.0f)), splat(0)), s;
  w = pick(w > 0.0f, w, splat(0));
  for (int i = 0; i < 8; i++) s[i] = __builtin_sqrtf(w[i]);
  reg_f32x8 t = x * x, near_v = w - 2.5f, far_v = s - 3.1f;
  reg_i32x8 is_small = absolute(x) < 0.63f, is_near = w < 5.0f;
  reg_f32x8 small = POLY(t, 0.232013509f, 0.127566233f, 0.0862996206f, 0.0680938065f, 0.0302894283f,
                         0.126386523f, -0.142343506f, 0.208899453f);
  reg_f32x8 near =
      POLY(near_v, 0.24664028f, -0.00417739293f, -0.00125272642f, 0.000218349393f, -4.9724199e-06f,
           -3.46398519e-06f, 4.68131361e-07f, 2.33359678e-08f, -8.93192631e-09f);
  reg_f32x8 far = POLY(far_v, 1.0033561f, 0.00746004283f, -0.00569584174f, 0.00412137713f, -0.0027188051f,
                       0.00131989329f, -0.000291553471f, -0.000137484181f, 0.000133335998f, -3.38430218e-05f);
  // The last step of Horner's rule and the product in double: here the roundings would add up.
  reg_f32x8 slope = pick(is_small, small, pick(is_near, near, far));
  reg_f32x8 at = pick(is_small, t, pick(is_near, near_v, far_v));
  reg_f32x8 first =
      pick(is_small, splat(0.886226952f), pick(is_near, splat(1.50140941f), splat(2.93323159f)));
  F64x8 p = fma_f64(__builtin_convertvector(slope, F64x8), __builtin_convertvector(at, F64x8),
                    __builtin_convertvector(first, F64x8));
  reg_f32x8 r = __builtin_convertvector(p * __builtin_convertvector(x, F64x8), reg_f32x8);
  r = pick(absolute(x) == 1.0f, with_sign_of(splat(__builtin_inff()), x), r);
  r = pick(absolute(x) > 1.0f, splat(__builtin_nanf("")), r);
  return pick(x != x, x, r);
}

// x = n pi/2 + r, |r| <= pi/4, in double; *quadrant = n mod 4.
INLINE reg_f32x8 reduce_circle(reg_f32x8 x, reg_i32x8 *quadrant) {
  F64x8 d = __builtin_convertvector(x, F64x8);
  const double magic = 6755399441055744.0; // 1.5 * 2^52: as in nearest()
  F64x8 shifted = fma_f64(d, splat_f64(0.63661977236758138), splat_f64(magic));
  F64x8 n = shifted - magic;
  *quadrant = __builtin_convertvector((I64x8)shifted, reg_i32x8) & 3;
  F64x8 r = fma_f64(n, splat_f64(-1.5707963267948966), d);
  return __builtin_convertvector(fma_f64(n, splat_f64(-6.1232339957367574e-17), r), reg_f32x8);
}

// The same for |x| >= 2^48 in integers (Payne & Hanek 1983): x = m 2^e, and of the bits of 2/pi only those
// count whose weight in x 2/pi is below 4; 96 of them leave an error below 2^-70.
__attribute__((noinline)) reg_f32x8 reg_vreduce_large(reg_f32x8 x, reg_i32x8 *quadrant) {
  static const uint32_t two_over_pi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                         0xdb629599, 0x3c439041, 0xfe5163ab};
  reg_f32x8 r = splat(0);
  reg_i32x8 q = {0};
  for (int i = 0; i < 8; i++) {
    const int32_t bits = ((reg_i32x8)x)[i], e = (bits >> 23 & 0xff) - 150;
    if (e < 25 || e > 104) continue; // smaller, infinite or NaN
    const uint32_t *w = two_over_pi + (e - 2) / 32;
    unsigned __int128 window = 0;
    for (int k = 0; k < 4; k++) window = window << 32 | w[k];
    window = window << (e - 2) % 32 >> 32; // weights 2 and 1, then 94 bits of fraction
    window *= (uint32_t)(bits & 0x007fffff) | 0x00800000u;
    const int64_t fraction = (int64_t)(uint64_t)(window >> 30); // of a quadrant, -1/2 to 1/2
    const int32_t n = (int32_t)(window >> 94 & 3) + (fraction < 0);
    const float angle = (float)((double)fraction * (0x1p-64 * 1.5707963267948966));
    r[i] = bits < 0 ? -angle : angle;
    q[i] = (bits < 0 ? -n : n) & 3;
  }
  *quadrant = q;
  return r;
}

INLINE reg_f32x8 circular(reg_f32x8 x, int shift) {
  reg_f32x8 a = absolute(x);
  reg_i32x8 large = (a >= 0x1p48f) & (a < __builtin_inff()), q;
  reg_f32x8 r = reduce_circle(pick(a < 0x1p48f, x, splat(0)), &q);
  int32_t any = 0;
  for (int i = 0; i < 8; i++) any |= large[i];
  if (any) {
    reg_i32x8 quadrant;
    reg_f32x8 angle = reg_vreduce_large(x, &quadrant);
    r = pick(large, angle, r);
    q = (large & quadrant) | (~large & q);
  }
  reg_f32x8 t = r * r;
  q += shift;
  reg_f32x8 sine = fma8(t * r, POLY(t, -0.166666672f, 0.00833333191f, -0.00019840087f, 2.72499005e-06f), r);
  reg_f32x8 cosine = fma8(t * t, POLY(t, 0.0416666679f, -0.00138888881f, 2.48005999e-05f, -2.73009391e-07f),
                          fma8(splat(-0.5f), t, splat(1.0f)));
  reg_f32x8 v = pick((q & 1) != 0, cosine, sine);
  v = (reg_f32x8)((reg_i32x8)v ^ ((q & 2) << 30));
  return pick(a < __builtin_inff(), v, splat(__builtin_nanf("")));
}
reg_f32x8 reg_vsin(reg_f32x8 x) { return pick(x == 0.0f, x, circular(x, 0)); }
reg_f32x8 reg_vcos(reg_f32x8 x) { return circular(x, 1); }

// log2 of a positive number in double: m in [sqrt 1/2, sqrt 2), log m = 2 atanh((m - 1) / (m + 1)).
INLINE F64x8 log2_f64(F64x8 x) {
  I64x8 bits = (I64x8)x - 0x3fe6a09e667f3bcd;
  // bits >> 52 as a double, by adding it to 1.5 * 2^52
  F64x8 e = (F64x8)((bits >> 52) + 0x4338000000000000) - 6755399441055744.0;
  F64x8 m = (F64x8)((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  F64x8 s = (m - 1.0) / (m + 1.0), t = s * s;
  F64x8 p = splat_f64(1.0 / 17);
  for (int k = 15; k > 0; k -= 2) p = fma_f64(p, t, splat_f64(1.0 / k));
  return fma_f64(s * p, splat_f64(2.8853900817779268), e); // 2 / ln 2
}

// 2^x in double for |x| <= 1000: series of e^(r ln 2).
INLINE F64x8 exp2_f64(F64x8 x) {
  const double magic = 6755399441055744.0;
  F64x8 shifted = x + magic, r = (x - (shifted - magic)) * 0.69314718055994531;
  F64x8 p = splat_f64(1.0 / 3628800);
  const double factorial[] = {1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880};
  for (int k = 9; k >= 0; k--) p = fma_f64(p, r, splat_f64(1.0 / factorial[k]));
  return p * (F64x8)(((I64x8)shifted + 1023) << 52);
}

// 2^(y log2 |x|) in double; the cases of IEEE 754 pow by selection.
__attribute__((noinline)) reg_f32x8 reg_vpow(reg_f32x8 x, reg_f32x8 y) {
  const float inf = __builtin_inff();
  reg_f32x8 a = absolute(x), b = absolute(y), one = splat(1.0f);
  reg_i32x8 ordinary = (a > 0.0f) & (a < inf) & (b < inf);
  F64x8 e = log2_f64(__builtin_convertvector(pick(ordinary, a, one), F64x8)) *
            __builtin_convertvector(pick(ordinary, y, one), F64x8);
  e = (F64x8)(((I64x8)e & (e < 1000.0)) | ((I64x8)splat_f64(1000.0) & ~(e < 1000.0)));
  e = (F64x8)(((I64x8)e & (e > -1000.0)) | ((I64x8)splat_f64(-1000.0) & ~(e > -1000.0)));
  reg_f32x8 r = __builtin_convertvector(exp2_f64(e), reg_f32x8);
  // |x| is 0 or infinite, or y is infinite: the result is 0 or infinite.
  reg_i32x8 grows = ((a > 1.0f) & (y > 0.0f)) | ((a < 1.0f) & (y < 0.0f));
  r = pick(ordinary, r, pick(grows, splat(inf), splat(0)));
  r = pick((a == 1.0f) & (b == inf), one, r);
  // y integer, odd: from 2^24 on all floats are even integers.
  reg_f32x8 small = pick(b < 16777216.0f, y, splat(0));
  reg_i32x8 k = __builtin_convertvector(small, reg_i32x8);
  reg_i32x8 whole = (__builtin_convertvector(k, reg_f32x8) == small);
  reg_i32x8 odd = whole & ((k & 1) != 0);
  reg_i32x8 negative = (reg_i32x8)x < 0;
  r = pick(negative & odd, -r, r);
  r = pick((x < 0.0f) & (x > -inf) & ~whole & (b < inf), splat(__builtin_nanf("")), r);
  r = pick((x != x) | (y != y), x + y, r);
  return pick((y == 0.0f) | (x == 1.0f), one, r);
}

// Product of the lanes with one constant: high and low words. The even and the odd lanes are multiplied
// apart.
INLINE reg_u32x8 multiply(reg_u32x8 x, uint32_t by, reg_u32x8 *high) {
  const __m256i factor = _mm256_set1_epi32((int32_t)by);
  __m256i even = _mm256_mul_epu32((__m256i)x, factor);
  __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)x, 32), factor);
  *high = (reg_u32x8)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  return (reg_u32x8)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

// Salmon, Moraes, Dror & Shaw 2011: ten rounds of two multiplications; the key is advanced by Weyl constants.
__attribute__((noinline)) void reg_vphilox(reg_u32x8 counter, uint32_t stream, uint32_t step, uint32_t key0,
                                           uint32_t key1, reg_u32x8 out[4]) {
#ifndef REG_BITCODE // compiled code calls the runtime's copy
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
    reg_vphilox512(counter, stream, step, key0, key1, out);
    return;
  }
#endif
  const reg_u32x8 zero = {0};
  reg_u32x8 c0 = counter, c1 = zero, c2 = zero + stream, c3 = zero + step;
  for (int round = 0; round < 10; round++) {
    reg_u32x8 high0, high1;
    reg_u32x8 low0 = multiply(c0, 0xD2511F53u, &high0), low1 = multiply(c2, 0xCD9E8D57u, &high1);
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}
