// Looking up words of other tools. Case and `_` do not count, but in words of one letter: `T` is not `t`.
#include "words.h"
#include <ctype.h>
#include <string.h>

#define VALUE     WORD_VALUE
#define CALL      WORD_CALL
#define METRIC    WORD_METRIC
#define OPTIMIZER WORD_OPTIMIZER
#define DATA      WORD_DATA
#define ARGUMENT  WORD_ARGUMENT
#define FIELD     WORD_FIELD
#define CLAUSE    WORD_CLAUSE
#define TYPE      WORD_TYPE
#define UNIT      WORD_UNIT
#define LEADS     WORD_LEADS
#define JOINS     WORD_JOINS
#define ITEM      WORD_ITEM
#define LAYER     WORD_LAYER
#define PROMPT    WORD_PROMPT
static const Word words[] = {
#define SAME(places, written, here)    {places, written, here, NULL},
#define SAY(places, written, sentence) {places, written, NULL, sentence},
#include "words.def"
#undef SAME
#undef SAY
};
enum { WORDS = sizeof words / sizeof *words };

// `word` ends at a blank.
static bool same_word(const char *word, const char *written) {
  if (!written[0] || !written[1]) return word[0] == written[0] && (word[1] == ' ' || !word[1]);
  for (;; word++, written++) {
    while (*word == '_') word++;
    while (*written == '_') written++;
    if (!*written) return *word == ' ' || !*word;
    if (tolower((unsigned char)*word) != tolower((unsigned char)*written)) return false;
  }
}

static bool is_among(const char *list, const char *written) {
  for (const char *word = list; word; word = strchr(word, ' '))
    if (same_word(*word == ' ' ? ++word : word, written)) return true;
  return false;
}

static bool is_known(const char *name, const char *const *known, int n) {
  for (int i = 0; i < n; i++)
    if (!strcmp(known[i], name)) return true;
  return false;
}

const Word *word_find(const char *written, unsigned places, const char *const *known, int n) {
  for (int i = 0; i < WORDS; i++) {
    const Word *w = &words[i];
    if (!(w->places & places) || !is_among(w->written, written)) continue;
    if (!w->here || !known || is_known(w->here, known, n)) return w;
  }
  return NULL;
}

bool word_hint(Diag *d, const char *written, unsigned places, const char *const *known, int n) {
  const Word *w = word_find(written, places, known, n);
  if (w && w->here)
    diag_hint(d, "did you mean `%s`?", w->here);
  else if (w)
    diag_hint(d, "%s", w->sentence);
  return w != NULL;
}
