// The loops of one nest.
//
// In: a nest whose buffers are known. Out: its loops after merging neighbouring axes that every access runs
// through in one sweep, their order (kept ones first, then the reduced ones; of a swept nest the vector's is
// the innermost), and which one carries the vector.
#ifndef LOOPS_NEST_H
#define LOOPS_NEST_H
#include "affine.h"
#include "loops.h"

typedef struct NestLoops {
  Vars vars;
  Index space;         // the index in the nest's space
  int nloops;          // at least one; a nest over a single element has one loop of size 1
  int order[MAX_RANK]; // variables, from the outermost loop in
  int nkept;           // the first nkept loops are not reduced
  int vector;          // position in `order` of the loop that carries the vector: the space's last axis
  bool swept; // sums down the columns of a large array, passed row by row: the vector's loop, which is kept,
              // comes last
  double point_cost; // of what is computed at one point, in loads; without the stores
  int operations;    // arithmetic ones at one point
  bool random;       // draws
} NestLoops;

void nest_loops(Arena *a, const LoopFn *f, const Nest *nest, NestLoops *out);
// Whether the vector runs over a kept axis, and the size of its loop; how often all reduced loops turn
// together.
bool nest_keeps_vector(const NestLoops *n);
int64_t nest_vector_size(const NestLoops *n);
double nest_turns(const NestLoops *n);
// What each piece of a nest leaves of a sum that goes over its outermost loop; else 0.
int64_t nest_partial_bytes(const NestLoops *n);
// Buffers that the nest reads, each once; at most `cap`, the number is returned.
int nest_reads(Arena *a, const LoopFn *f, const Nest *nest, Buffer **out, int cap);
#endif
