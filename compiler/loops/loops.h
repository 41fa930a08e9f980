// Loops: the optimized graph cut into kernels and library calls, with every buffer placed.
//
// In: a graph after the passes. Out: a LoopFn, the steps of one function in order. Afterwards: each node is
// inline (computed where it is used) or materialized in exactly one buffer; each buffer lies in a slot at a
// fixed offset.
#ifndef LOOPS_LOOPS_H
#define LOOPS_LOOPS_H
#include "../graph/graph.h"

// Where a tensor lives. Slot 0 is scratch memory; slots 1.. are the graph's inputs, then those outputs that
// alias no input.
typedef struct Buffer {
  int id;
  Node *node; // what it holds
  int slot;
  int64_t offset, bytes; // within the slot; offsets are multiples of 64
  int first, last;       // steps that write and last read it
} Buffer;

typedef struct Slot {
  const char *name; // the input's or output's name; "scratch"
  Port port;
  DType dtype;
  Shape shape;
  bool is_input, is_output;
} Slot;

// A backend may run a nest in pieces, so many at most.
enum { PARTIAL_BYTES = 16, MOST_PIECES = 16 };

int64_t slot_bytes(const Slot *s); // of an input or output

typedef enum OutKind { OUT_STORE, OUT_REDUCE } OutKind;
typedef struct NestOut {
  OutKind kind;
  Node *node; // STORE: a pointwise value over the nest's space; REDUCE: SUM, RMAX or ARGMAX of such a value
  Buffer *buffer;
  Buffer *partial; // of a sum over the outermost loop: see nest_partial_bytes; else NULL
} NestOut;

// One loop nest: all outputs are computed in one pass over the iteration space `space` (the shape of the
// stored nodes and of the reduced operands). Reduced axes are the same for all REDUCE outputs of a nest, or
// none is reduced.
typedef struct Nest {
  Shape space;
  unsigned reduced; // bit k: axis k is reduced
  int nouts;
  NestOut *outs;
} Nest;

typedef enum StepKind { STEP_KERNEL, STEP_GEMM, STEP_CALL, STEP_COPY, STEP_LOOP, STEP_IF } StepKind;
typedef struct LoopFn LoopFn;

// A kernel is one nest.
typedef struct LoopStep {
  StepKind kind;
  const char *name; // k0, k1, …
  Nest *nest;
  // GEMM and CALL: the node, and for GEMM whether each operand is read transposed.
  Node *node;
  Buffer **in;
  int nin;
  Buffer *out;
  bool ta, tb;
  // COPY: in[0] to out.
  Buffer **parts; // LOOP, IF, and CALL with several results: one for each, and no `out`
  Buffer *work;   // CALL: as calls.def says, NULL: none. LOOP: the body's scratch memory and, behind it, each
                  // carried value twice (see loop_work). IF: scratch memory of the body that is run
  // LOOP, IF: the node, its operands.
  const LoopFn *body, *other;
  bool *clears; // by result: a stack whose places that no turn reached are read
} LoopStep;

struct LoopFn {
  Arena *arena;
  const char *name;
  const Graph *graph;
  int nslots;
  Slot *slots;
  int nbuffers;
  Buffer **buffers;
  Buffer **of;    // of[node id]: its buffer, or NULL where it is inline
  Node **storage; // storage[node id]: the node that the buffer was made for (a reshape shares its operand's),
                  // or NULL
  int nsteps;
  LoopStep *steps;
  int64_t scratch_bytes;
  // For --summary: floating-point operations, bytes read and written by kernels and calls.
  double flops, bytes;
  int kernels, gemms, calls;
};

// Where in a loop's working memory the two places of carried value k lie, one behind the other; k = carries:
// its size.
int64_t loop_work(const LoopStep *s, int k);

int64_t call_work(const Node *n); // bytes of working memory of a library call (calls.c)

typedef struct LoopOptions {
  bool keep_all; // every materialized value keeps its own memory to the end (--check, and finding where a NaN
                 // was born)
} LoopOptions;

LoopFn *loops_from_graph(Arena *a, const Graph *g, LoopOptions o);
const char *loops_verify(const LoopFn *f);    // NULL, or what is wrong
void loops_print(FILE *out, const LoopFn *f); // --emit=kernels

// What the steps of equal layers differ in: where their buffers lie, and the streams of a kernel's draws.
typedef struct KernelArgs {
  VEC(const Buffer *) buffers;
  VEC(const Node *) draws;
} KernelArgs;
// For the steps of a function one after the other: the text of each without its arguments. Steps of equal
// text are the same code.
typedef struct StepTexts StepTexts;
StepTexts *step_texts(Arena *a, const LoopFn *f);
const char *step_text(StepTexts *t, const LoopStep *s, KernelArgs *args);
#endif
