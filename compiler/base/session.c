// The session: one arena, the sources and the diagnostics of a run; and the way out for the compiler's own
// mistakes.
#include "session.h"
#include "stack.h"
#include <stdlib.h>

Session *session_new(void) {
  stack_open();
  Arena *a = arena_new();
  Session *s = ARENA_NEW(a, Session);
  s->arena = a;
  sources_init(&s->sources, a);
  diags_init(&s->diags, a, &s->sources);
  return s;
}

void session_free(Session *s) {
  if (s) arena_free(s->arena); // the session itself lies in it
}

void ice(const char *stage, const char *fmt, ...) {
  fflush(stdout);
  fprintf(stderr, "regc: internal error in %s: ", stage);
  va_list ap;
  va_start(ap, fmt);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  fputs("\nThis is a mistake of the compiler, not of the program. Please report it with the program that "
        "shows it.\n",
        stderr);
  exit(70);
}
