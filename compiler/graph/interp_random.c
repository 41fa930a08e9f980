// Uniform numbers of the interpreter, from the published definition and not from the runtime's code.
// Philox4x32-10: Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2, 3. Which counter
// and which word serve an element: runtime/include/reg/rng.h.
#include "ops.h"

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]}, k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p = (uint64_t)0xD2511F53u * x[0], q = (uint64_t)0xCD9E8D57u * x[2];
    uint32_t next[4] = {(uint32_t)(q >> 32) ^ x[1] ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ x[3] ^ k1,
                        (uint32_t)p};
    for (int i = 0; i < 4; i++) x[i] = next[i];
    k0 += 0x9E3779B9u; // the golden ratio's and sqrt(3) - 1's first 32 bits (Weyl sequences)
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < 4; i++) out[i] = x[i];
}

void interp_uniform(double *out, int64_t n, const double *seed, double step, int64_t stream) {
  const uint32_t key[2] = {(uint32_t)(int64_t)seed[0], (uint32_t)(int64_t)seed[1]};
  for (int64_t e = 0; e < n; e++) {
    uint32_t block = (uint32_t)(e / 32), word = (uint32_t)(e / 8 % 4), lane = (uint32_t)(e % 8), r[4];
    philox4x32((uint32_t[]){8 * block + lane, 0, (uint32_t)stream, (uint32_t)(int64_t)step}, key, r);
    out[e] = (double)(r[word] >> 8) * 0x1p-24;
  }
}
