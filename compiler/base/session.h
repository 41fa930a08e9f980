// What one run of the compiler shares: memory, sources, diagnostics.
#ifndef BASE_SESSION_H
#define BASE_SESSION_H
#include "diag.h"

typedef struct Session {
  Arena *arena; // sources, names, the library: until the end
  Sources sources;
  Diags diags;
} Session;

Session *session_new(void);
void session_free(Session *s);
// Prints "internal error" with stage and place, asks for a report, and leaves with 70. For the compiler's own
// mistakes only, never for bad input.
_Noreturn void ice(const char *stage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
