// The loops of one nest: what the code generator and the planner must agree on.
//
// In: a nest whose buffers are known. Out: its loops after merging neighbouring axes that every access runs
// through in one sweep, their order (kept ones first, then the reduced ones), which one carries the vector,
// and the split into pieces.
#ifndef LOOPS_NEST_H
#define LOOPS_NEST_H
#include "affine.h"
#include "loops.h"

enum { LANES = 8, MAX_PIECES = 16 };

typedef struct NestLoops {
  Vars vars;
  Index space;           // the index in the nest's space
  int nloops;            // at least one; a nest over a single element has one loop of size 1
  int order[MAX_RANK];   // variables, from the outermost loop in
  int nkept;             // the first nkept loops are not reduced
  int vector;            // position in `order` of the loop that carries the vector: the space's last axis
  int copies;            // vectors in one turn of that loop
  int64_t pieces, chunk; // the outermost loop runs over chunk values in each piece
  double cost;           // of the whole nest, in loads
  int operations;        // arithmetic ones at one point
} NestLoops;

void nest_loops(Arena *a, const LoopFn *f, const Nest *nest, NestLoops *out);
// Buffers that the nest reads, each once; at most `cap`, the number is returned.
int nest_reads(Arena *a, const LoopFn *f, const Nest *nest, Buffer **out, int cap);
#endif
