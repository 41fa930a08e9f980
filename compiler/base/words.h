// What people from other tools write, and what it is here: the table words.def.
#ifndef BASE_WORDS_H
#define BASE_WORDS_H
#include "diag.h"

// Where a word stands; several may be joined.
typedef enum WordPlace {
  WORD_VALUE = 1 << 0,     // a name that stands for a value
  WORD_CALL = 1 << 1,      // a name that is called, or a stage of a pipe
  WORD_METRIC = 1 << 2,    // in `evaluate`
  WORD_OPTIMIZER = 1 << 3, // behind `optimize`
  WORD_DATA = 1 << 4,      // a source or a stage of data
  WORD_ARGUMENT = 1 << 5,  // the name of an argument
  WORD_FIELD = 1 << 6,     // behind a dot
  WORD_CLAUSE = 1 << 7,    // of `train`
  WORD_TYPE = 1 << 8,      // of a parameter
  WORD_UNIT = 1 << 9,      // behind a number
  WORD_LEADS = 1 << 10,    // followed by another word: `return x`
  WORD_JOINS = 1 << 11,    // between two values: `a is b`
  WORD_ITEM = 1 << 12,     // first on a line outside of braces
  WORD_LAYER = 1 << 13,    // a layer, where a schedule has the name
  WORD_PROMPT = 1 << 14    // alone on a line of the prompt
} WordPlace;

typedef struct Word {
  unsigned places;
  const char *written;  // the words, with a blank between two
  const char *here;     // their name here; NULL: there is none
  const char *sentence; // what to write instead
} Word;

// The table's row for a word; NULL where it has none. `known`, where given: the names that can stand at the
// place; rows whose `here` is not among them do not count.
const Word *word_find(const char *written, unsigned places, const char *const *known, int n);
// Attaches that row as a hint; false where there is none.
bool word_hint(Diag *d, const char *written, unsigned places, const char *const *known, int n);
#endif
