// What definitions are said to be before their body, `is dropping`. In: the word. Holds: it is one of
// traits.def that a definition of this kind may have.
#include "scope.h"
#include <string.h>

static const struct {
  const char *word, *meaning;
  unsigned kinds;
} traits[] = {
#define KIND(k)                     1u << KIND_##k
#define TRAIT(word, kinds, meaning) {#word, meaning, kinds},
#include "traits.def"
#undef TRAIT
#undef KIND
};

bool sema_has(const Def *d, Trait t) {
  return d && ast_trait(d->ast) && !strcmp(ast_trait(d->ast), traits[t].word);
}

void check_trait(Program *p, const Def *d) {
  const char *word = ast_trait(d->ast);
  for (int i = 0; word && i < TRAIT_COUNT; i++)
    if (traits[i].kinds >> d->kind & 1 && !strcmp(word, traits[i].word)) word = NULL;
  if (!word) return;
  Diag *diag =
      diag_emit(&p->session->diags, DIAG_unknown_trait, d->ast->name_span, def_kind_name(d->kind), word);
  for (int i = 0; i < TRAIT_COUNT; i++)
    if (traits[i].kinds >> d->kind & 1) diag_hint(diag, "`is %s`: %s", traits[i].word, traits[i].meaning);
}
