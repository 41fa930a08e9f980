// Philox for eight counters with AVX-512: each word of a counter in the low half of a 64-bit lane, so that a
// round is two multiplications. The same words as reg_vphilox of vmath.c, which chooses between the two.
#include "vmath.h"
#include <immintrin.h>

__attribute__((target("avx512f,avx512vl"))) void reg_vphilox512(reg_u32x8 counter, uint32_t stream,
                                                                uint32_t step, uint32_t key0, uint32_t key1,
                                                                reg_u32x8 out[4]) {
  const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
  __m512i c0 = _mm512_cvtepu32_epi64((__m256i)counter), c1 = _mm512_setzero_si512();
  __m512i c2 = _mm512_set1_epi64(stream), c3 = _mm512_set1_epi64(step);
  // The high halves hold leftovers of products, which a multiplication does not read.
  for (int round = 0; round < 10; round++) {
    __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);
    enum { XOR3 = 0x96 };
    c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1, _mm512_set1_epi64(key0), XOR3);
    c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3, _mm512_set1_epi64(key1), XOR3);
    c1 = p1;
    c3 = p0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  out[0] = (reg_u32x8)_mm512_cvtepi64_epi32(c0);
  out[1] = (reg_u32x8)_mm512_cvtepi64_epi32(c1);
  out[2] = (reg_u32x8)_mm512_cvtepi64_epi32(c2);
  out[3] = (reg_u32x8)_mm512_cvtepi64_epi32(c3);
}
