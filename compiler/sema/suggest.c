// What may have been meant. In: an unknown name and its place. Out: a hint: first what words.def says of
// words from other tools, then the nearest of the names that can stand at the place.
#include "../base/words.h"
#include "builtins.h"
#include "library.h"
#include "sema.h"

#define KIND(k) (1u << KIND_##k)
#define CALLED                                                                                               \
  (KIND(MODEL) | KIND(LAYER) | KIND(FN) | KIND(PENALTY) | KIND(LOSS) | KIND(SCHEDULE) | KIND(METRIC) |       \
   KIND(PROCEDURE))

// What can stand at a place: definitions of these kinds, and which built-in names.
static const struct {
  unsigned words, kinds;
  bool locals, values, functions, data;
} places[] = {
    [PLACE_VALUE] = {WORD_VALUE, KIND(LET) | KIND(SCHEDULE) | KIND(DATA) | KIND(MODEL), true, true},
    [PLACE_CALL] = {WORD_CALL, CALLED, true, false, true},
    [PLACE_MODEL] = {0, KIND(MODEL)},
    [PLACE_METRIC] = {WORD_METRIC, KIND(METRIC)},
    [PLACE_OPTIMIZER] = {WORD_OPTIMIZER | WORD_CALL, KIND(OPTIMIZER) | KIND(SCHEDULE), true},
    [PLACE_DATA] = {WORD_DATA, KIND(DATA), .data = true},
    [PLACE_ANY] = {0, ~0u, true, true, true, true},
};

const char **sema_names(Program *p, Arena *a, SemaPlace place, int *n) {
  const unsigned kinds = places[place].kinds;
  VEC(const char *) names = {0};
  for (int i = 0; i < p->defs.len; i++) {
    const Def *d = p->defs.entries[i].value;
    if (!d->own && text_is_name(d->name) && (kinds >> d->kind & 1)) vec_push(a, names, d->name);
  }
  for (int i = 0; i < p->stored.len && places[place].values; i++)
    vec_push(a, names, p->stored.entries[i].key);
  for (const LibraryName *l = library_names; l->name; l++)
    if (kinds >> l->kind & 1) vec_push(a, names, l->name);
  for (int i = 0; i < B_COUNT_; i++) {
    const bool fits = i >= B_CSV                  ? places[place].data
                      : builtin_info[i].signature ? places[place].functions
                                                  : places[place].values;
    if (fits) vec_push(a, names, builtin_info[i].name);
  }
  *n = names.len;
  return names.data;
}

void sema_suggest(Program *p, Diag *d, const char *name, SemaPlace place, const char *const *locals,
                  int nlocals) {
  const char *near = places[place].locals ? nearest_name(name, locals, nlocals) : NULL;
  if (!near && word_hint(d, name, places[place].words, NULL, 0)) return;
  int n;
  const char **fitting = sema_names(p, p->session->arena, place, &n);
  if (!near) near = nearest_name(name, fitting, n);
  if (near)
    diag_hint(d, "did you mean `%s`?", near);
  else if (place == PLACE_VALUE) // functions are values too
    sema_suggest(p, d, name, PLACE_CALL, NULL, 0);
}

void sema_suggest_call(Program *p, Diag *d, const Ast *field) {
  const int b = builtin_find(field->name);
  if (sema_find(p, field->name) || (b >= 0 && builtin_info[b].signature))
    diag_hint(d, "a function stands before what it takes: `%s(%s)`", field->name,
              ast_text(p->session->arena, field->kids[0]));
}
