// Numbers in ascending order, where they stand. By their bits, the highest first: each round puts every
// number into its bucket by swaps, from the front of each bucket on, so what is larger than memory is read
// and written in a few rounds, and takes no second array, as a sort by comparisons would.
#include "data/table.h"
#include <string.h>

enum { BUCKETS = 256, SMALL = 48, TOP = 56 };

// Bits whose order as integers is that of the numbers, and back.
static uint64_t key_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits ^ (bits >> 63 ? ~UINT64_C(0) : UINT64_C(1) << 63);
}

static void insert(double *at, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    const double x = at[i];
    const uint64_t key = key_of(x);
    int64_t k = i;
    for (; k > 0 && key_of(at[k - 1]) > key; k--) at[k] = at[k - 1];
    at[k] = x;
  }
}

static int bucket_of(double x, int shift) { return (int)(key_of(x) >> shift & (BUCKETS - 1)); }

// Of numbers that differ in the lowest shift + 8 bits only.
static void sort_from(double *at, int64_t n, int shift) {
  int64_t end[BUCKETS] = {0}, next[BUCKETS];
  if (n <= SMALL) {
    insert(at, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) end[bucket_of(at[i], shift)]++;
  for (int b = 0; b < BUCKETS; b++) {
    next[b] = b ? end[b - 1] : 0;
    end[b] += next[b];
  }
  for (int b = 0; b < BUCKETS; b++)
    while (next[b] < end[b]) {
      double x = at[next[b]];
      for (int to = bucket_of(x, shift); to != b; to = bucket_of(x, shift)) {
        const double other = at[next[to]];
        at[next[to]++] = x;
        x = other;
      }
      at[next[b]++] = x;
    }
  for (int b = 0; b < BUCKETS && shift; b++) {
    const int64_t first = b ? end[b - 1] : 0;
    sort_from(at + first, end[b] - first, shift - 8);
  }
}

void data_sort(double *numbers, int64_t count) { sort_from(numbers, count, TOP); }
