// The steps of a compiled function, which are data: what code there is does not grow with their number.
#include "reg/abi.h"
#include <string.h>

static void *argument(void *const *slots, const reg_argument *a) {
  return a->slot < 0 ? (void *)(uintptr_t)a->value : (char *)slots[a->slot] + a->value;
}

int32_t reg_steps(reg_ctx *ctx, void *const *slots, const reg_step *steps, int64_t n,
                  const reg_argument *arguments, void **room) {
  for (const reg_step *s = steps; s < steps + n; s++) {
    for (int32_t i = 0; i < s->arguments; i++) room[i] = argument(slots, arguments++);
    if (s->pieces) {
      reg_parallel(ctx, s->fn.kernel, room, s->pieces);
      continue;
    }
    const int32_t ended = s->fn.call(ctx, room);
    if (ended) return ended;
  }
  return 0;
}

void reg_copy(reg_ctx *ctx, void *to, const void *from, int64_t bytes) {
  (void)ctx;
  memcpy(to, from, (size_t)bytes);
}
