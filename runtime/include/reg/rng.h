// Random numbers: Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2,
// 3).
//
// Element e of a draw is fixed by (seed, stream, counter, e) alone: with b = e / 32, w = (e / 8) % 4, l = e %
// 8 it is word w of philox(counter = {8 b + l, 0, stream, step}, key = {seed low, seed high}). So 32
// neighbours are four vectors of eight lanes from one evaluation of eight counters. A uniform number is (word
// >> 8) * 2^-24, in [0, 1).
#ifndef REG_RNG_H
#define REG_RNG_H
#include <stdint.h>

// Streams of the runtime itself; those of a program's call sites count up from 0. Of a training's further
// data each has one, from FURTHER on downwards.
enum {
  REG_STREAM_FURTHER = 0x7fffffee,
  REG_STREAM_DRAW = 0x7fffffef,
  REG_STREAM_SHUFFLE = 0x7ffffff0,
  REG_STREAM_SPLIT = 0x7ffffff1,
  REG_STREAM_PIECES = 0x7ffffff2 // of a training's data, and from there on upwards of its further ones
};

void reg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
uint32_t reg_random_word(uint64_t seed, uint32_t stream, uint32_t step, uint64_t element);
float reg_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t element);
// A permutation of 0..n-1 (Fisher-Yates); for shuffling and splitting.
void reg_permutation(uint64_t seed, uint32_t stream, uint32_t step, int64_t n, int64_t *out);
#endif
