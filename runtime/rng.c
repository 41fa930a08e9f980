// Philox4x32-10 as in rng.h: ten rounds of two 32 x 32 -> 64 bit products, the key stepped by the golden
// ratio and sqrt(3) - 1.
#include "reg/rng.h"
#include <string.h>

void reg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint32_t reg_random_word(uint64_t seed, uint32_t stream, uint32_t step, uint64_t element) {
  uint64_t block = element / 32;
  uint32_t counter[4] = {(uint32_t)(8 * block + element % 8), 0, stream, step};
  uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, out[4];
  reg_philox(counter, key, out);
  return out[element / 8 % 4];
}

float reg_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t element) {
  return (float)(reg_random_word(seed, stream, step, element) >> 8) * 0x1p-24f;
}

// The high half of the 64-bit product of a 64-bit draw (counter {i low, i high}) with i + 1: one of 0..i. Its
// bias is below i / 2^64.
static int64_t swaps_with(int64_t i, const uint32_t key[2], uint32_t stream, uint32_t step) {
  const uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), stream, step};
  uint32_t word[4];
  reg_philox(counter, key, word);
  const uint64_t draw = (uint64_t)word[1] << 32 | word[0];
  return (int64_t)((unsigned __int128)draw * (uint64_t)(i + 1) >> 64);
}

// Numbers below 2^31 are swapped as such, in the first half of their room, and become what they are from the
// last one on: swaps are anywhere, and of a table that is larger than memory half as much has to be there.
static void permute_halves(const uint32_t key[2], uint32_t stream, uint32_t step, int64_t n, int64_t *out) {
  int32_t *half = (void *)out;
  for (int64_t i = 0; i < n; i++) half[i] = (int32_t)i;
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = swaps_with(i, key, stream, step);
    const int32_t swapped = half[i];
    half[i] = half[j];
    half[j] = swapped;
  }
  for (int64_t i = n - 1; i >= 0; i--) {
    int32_t number;
    memcpy(&number, half + i, sizeof number);
    const int64_t wide = number;
    memcpy(out + i, &wide, sizeof wide);
  }
}

// Position i, from the last one on, swaps with one of 0..i.
void reg_permutation(uint64_t seed, uint32_t stream, uint32_t step, int64_t n, int64_t *out) {
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  if (n <= INT32_MAX) {
    permute_halves(key, stream, step, n, out);
    return;
  }
  for (int64_t i = 0; i < n; i++) out[i] = i;
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = swaps_with(i, key, stream, step), swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
}
