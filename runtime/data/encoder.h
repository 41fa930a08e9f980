// Texts as tokens by what was learned: see encoder.c.
#ifndef REG_ENCODER_H
#define REG_ENCODER_H
#include "reg/program.h"
#include "support.h"

typedef struct Encoder Encoder;

// Of the heap, which owns it; `of` must live as long. NULL: out of memory.
Encoder *encoder_new(Heap *heap, const reg_tokenizer *of);
int32_t encoder_line_end(const Encoder *e); // its class

// A row's draws of one step: whether each of the merges that are possible is passed over.
typedef struct Drops {
  double share;
  uint64_t seed;
  uint32_t stream, step, row;
  uint32_t count, words[4]; // draws so far, the last four
} Drops;

// The tokens of a text, at most `room` of them; how many they are, or -1: out of memory. `drops` NULL: the
// merges that were learned, all of them.
int64_t encoder_tokens(const Encoder *e, const char *text, size_t size, Drops *drops, int32_t *to,
                       int64_t room);

// The texts of rows that are cut into tokens anew in each step: from[i] to to[i].
typedef struct reg_recut {
  const Encoder *encoder;
  const char *const *from, *const *to;
  const uint32_t *key; // of each row's draws
  bool whole;          // each row is one text with its end, and not a window that goes on
} reg_recut;

// Room for rows of these; NULL: out of memory.
typedef struct RecutRows {
  const char **from, **to;
  uint32_t *key;
} RecutRows;
reg_recut *recut_new(Heap *heap, const Encoder *e, int64_t rows, bool whole, RecutRows *to);

// A row's tokens: a whole text begins with a line end and has what fits behind it, line ends follow; a window
// has as many as it has room for. `next` are those one further on, `length` how many places count; either may
// be NULL. -1: out of memory.
int recut_row(const reg_tokenizer *t, const reg_recut *c, int64_t row, Drops *drops, int32_t *x,
              int32_t *next, int32_t *length);
#endif
