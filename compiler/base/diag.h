// Diagnostics: typed, worded in diag.def, collected in order, rendered at the end (stderr, text or JSON).
#ifndef BASE_DIAG_H
#define BASE_DIAG_H
#include "source.h"
#include <stdbool.h>
#include <stdio.h>

typedef enum Severity { SEV_NOTE, SEV_WARNING, SEV_ERROR } Severity;

typedef enum DiagId {
#define DIAG(name, severity, format, explanation) DIAG_##name,
#include "diag.def"
#undef DIAG
  DIAG_COUNT
} DiagId;

typedef struct DiagNote {
  Span span; // may be nowhere
  const char *text;
  bool is_hint; // printed as `hint:` instead of `note:`
} DiagNote;

typedef struct Diag {
  DiagId id;
  Severity severity;
  Span span;
  const char *text;
  VEC(DiagNote) notes;
  Arena *arena;
} Diag;

typedef struct Diags {
  Arena *arena;
  const Sources *sources;
  VEC(Diag *) list;
  Map told; // what was reported, by id and place
  int errors, warnings;
  bool warnings_are_errors;
  unsigned char allowed[DIAG_COUNT]; // allow(name): warnings not reported
} Diags;

void diags_init(Diags *ds, Arena *a, const Sources *sources);
// Reports one mistake; the arguments fill diag.def's format. An exact repeat (id, span) is dropped; the
// result is never NULL, so that notes can be attached.
Diag *diag_emit(Diags *ds, DiagId id, Span span, ...);
// The same of an error whose text the runtime has made.
Diag *diag_error(Diags *ds, DiagId id, Span span, const char *text);
// Takes back what was reported since the list had this length.
void diags_forget(Diags *ds, int length);
void diag_note(Diag *d, Span span, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_hint(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *diag_name(DiagId id);
const char *diag_explanation(DiagId id);
int diag_find(const char *name); // DiagId, or -1
bool diag_is_warning(DiagId id);
// `file:line:column: error: text [name]`, the line with carets, notes.
void diags_print(const Diags *ds, FILE *out, bool color);
void diags_print_json(const Diags *ds, FILE *out); // one object a line
// The candidate nearest to `name` by edit distance, at most a third of its length; case and `_` do not count.
// Else one that has the name's words, `last_of` for `last`, or whose words the name has. NULL where there is
// none.
const char *nearest_name(const char *name, const char *const *candidates, int n);
#endif
