// The pool under ThreadSanitizer (Criterion does not run there): regions of which each reads what other
// threads wrote in the one before, between them pauses in which workers fall asleep. Ends with 1 where a
// value is wrong.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reg/abi.h"
#include "reg/train.h"

enum { N = 1000 };

static void turn(void *const *slots, int64_t begin, int64_t end) {
  const int *in = slots[0];
  int *out = slots[1];
  for (int64_t i = begin; i < end; i++) out[i] = in[N - 1 - i] + 1;
}

static int rounds(int threads, int regions) {
  static int a[N], b[N];
  reg_ctx *c = reg_ctx_new(threads);
  for (int i = 0; i < N; i++) a[i] = i;
  for (int r = 0; r < regions; r++) {
    reg_parallel(c, turn, (void *[]){r % 2 ? b : a, r % 2 ? a : b}, N);
    if (r % 500 == 499) usleep(2000);
  }
  reg_ctx_free(c);
  const int *last = regions % 2 ? b : a;
  for (int i = 0; i < N; i++)
    if (last[i] != (regions % 2 ? N - 1 - i : i) + regions) {
      printf("%d threads: element %d is %d after %d regions\n", threads, i, last[i], regions);
      return 1;
    }
  return 0;
}

int main(void) {
  int wrong = 0;
  for (int turns = 0; turns < 3; turns++)
    for (int threads = 1; threads <= 8; threads = 2 * threads + (threads > 1)) wrong |= rounds(threads, 2001);
  return wrong;
}
