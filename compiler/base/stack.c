// The stack of the main thread. In: nothing. Out: whether there is still room. The limit is raised where the
// system allows it: Linux leaves at least 128 MB free below the stack, whatever the limit was when the
// program started.
#include "stack.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

static const size_t WANTED = (size_t)96 << 20, SPARE = (size_t)1 << 20;

static struct {
  uintptr_t top;
  size_t room; // that may be used: the rest is for whoever is called without asking
} stack;

static uintptr_t here(void) { return (uintptr_t)__builtin_frame_address(0); }

void stack_open(void) {
  struct rlimit limit;
  if (stack.top || getrlimit(RLIMIT_STACK, &limit)) return;
  struct rlimit more = limit;
  more.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > WANTED ? WANTED : limit.rlim_max;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < more.rlim_cur &&
      setrlimit(RLIMIT_STACK, &more) == 0)
    limit = more;
  const size_t size = limit.rlim_cur > WANTED ? WANTED : (size_t)limit.rlim_cur;
  stack.room = size > 4 * SPARE ? size - 2 * SPARE : size / 2;
  stack.top = here();
}

bool stack_is_deep(void) { return stack.top && stack.top - here() > stack.room; }
