// The tokens of a text: characters, words, or pieces of words.
#ifndef REG_TOKENS_H
#define REG_TOKENS_H
#include "reg/program.h"
#include "support.h"

// Neighbours follow each other without gaps, but for what separates words.
typedef struct Tokens {
  int32_t *of; // their classes
  size_t *at;  // where each begins, and behind the last the text's end
  int64_t count;
  char **names; // of the classes
  int64_t nclasses;
  reg_merge *merges; // in their order; of words none
  int nmerges;
} Tokens;

// What is learned is that of text[0, learned): the words, or the merges; elsewhere the class 0 stands for
// what is not known. `text` is UTF-8. Names and merges are of the heap. On failure, out of memory, -1.
int tokens_make(Tokens *t, Heap *heap, const char *text, size_t size, size_t learned, const reg_data_op *op);
void tokens_free(Tokens *t);

// Where the piece that begins at `from` ends: a run of letters and digits, or one other character, with one
// space before it; white space but line ends by itself.
size_t piece_end(const char *text, size_t size, size_t from);
bool piece_is_blank(const char *piece); // of the first byte; it is no word
bool piece_is_word(const char *piece);  // letters

// Classes of pieces of text, and their names: words by how often they stand in what is learned, at most so
// many besides those that are not known, as class 0.
typedef struct Piece {
  size_t at;
  int32_t type;
} Piece;

typedef struct Pieces {
  Piece *list; // and behind the last the text's end
  int64_t count;
  char **types;   // each as it is written
  int64_t *times; // how often it stands in what is learned
  int ntypes;
} Pieces;

// The pieces merged, pair by pair. In: pieces, each a word with a space before it. Out: tokens. -1: out of
// memory.
int tokens_merge(Tokens *t, Heap *names, const Pieces *p, const char *text, int64_t merges);
#endif
