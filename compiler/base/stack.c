// How much of a thread's stack is used. In: nothing. Out: whether there is still room. The main thread's
// limit is raised where the system allows it: Linux leaves at least 128 MB free below the stack, whatever the
// limit was when the program started. Other threads, on which runs of a sweep compile what they need first,
// are asked for theirs.
#include "stack.h"
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

static const size_t WANTED = (size_t)96 << 20, SPARE = (size_t)1 << 20;

static _Thread_local struct {
  uintptr_t top; // 0: not asked yet
  size_t room;   // that may be used: the rest is for whoever is called without asking
} stack;
static bool is_open;

static uintptr_t here(void) { return (uintptr_t)__builtin_frame_address(0); }

static void take(uintptr_t top, size_t size) {
  stack.room = size > 4 * SPARE ? size - 2 * SPARE : size / 2;
  stack.top = top;
}

void stack_open(void) {
  struct rlimit limit;
  if (is_open || getrlimit(RLIMIT_STACK, &limit)) return;
  struct rlimit more = limit;
  more.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > WANTED ? WANTED : limit.rlim_max;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < more.rlim_cur &&
      setrlimit(RLIMIT_STACK, &more) == 0)
    limit = more;
  take(here(), limit.rlim_cur > WANTED ? WANTED : (size_t)limit.rlim_cur);
  is_open = true;
}

// Of another thread the stack begins at most a little above where it is asked first, and its size is known.
static void ask(void) {
  pthread_attr_t attributes;
  void *low = NULL;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes)) return;
  if (!pthread_attr_getstack(&attributes, &low, &size)) take((uintptr_t)low + size, size);
  pthread_attr_destroy(&attributes);
}

bool stack_is_deep(void) {
  if (!stack.top && is_open) ask();
  return stack.top && stack.top - here() > stack.room;
}
