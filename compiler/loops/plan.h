// The lowering's working state: which values are kept in memory, and which of them are computed together.
// Internal to loops.
#ifndef LOOPS_PLAN_H
#define LOOPS_PLAN_H
#include "affine.h"
#include "loops.h"

// What an expression reads at one point of the nest: `node` in memory (or drawn, or counted), element number
// `at`.
typedef struct Leaf {
  Node *node;
  Affine at;
  bool in_memory; // else drawn, counted or constant here, even if it is kept for others
} Leaf;

typedef struct Leaves {
  VEC(Leaf) list;
  VEC(Guard) guards;
  double cost;    // of one evaluation, in loads; see node_cost
  int weight;     // of the code: values computed, each 1 and its cost
  int operations; // arithmetic ones
  bool random;    // draws random numbers
} Leaves;

// A value that is computed into memory.
typedef struct Root {
  Node *node;
  OutKind kind;
  Shape space;
  unsigned reduced;
  Leaves *leaves; // over one loop for each axis of the space
} Root;

typedef struct Numbers {
  int *data, len, cap;
} Numbers;

// What becomes one nest, or one call.
typedef struct Group {
  StepKind kind;
  VEC(Root *) roots;
  Node *node; // of a call
  int weight; // of its roots' expressions
  bool writes_alias;
  uint64_t *needs; // set of groups that come before, transitively
  int missing;     // of those that it needs itself: how many have no step yet
  Numbers users;   // groups that need it themselves
} Group;

typedef struct Plan {
  Arena *arena; // for as long as it is planned
  const Graph *graph;
  bool *live;
  bool *kept;          // computed into memory
  int *weight, *depth; // of a node's expression, while it is decided what is kept
  int *seen, turn;     // marks of inline_cost's walks
  Node **storage;      // the kept or input node whose memory holds this node's elements in the same order, or
                       // NULL: inline
  VEC(Group *) groups;
  int *group_of;    // of a kept node, -1
  Numbers *readers; // of each node: the groups that read it, ascending but for those that grew
  int words;        // of a set of groups
} Plan;

// -- walk.c
double node_cost(const Node *n); // of one element, operands not included, in loads from the cache
// Everything that computing `n` at `at` reads, going through what is inline. `root` itself is computed even
// if it is kept; so is a node of `same` (a nest's outputs, may be NULL) at the element that the nest is about
// to write.
typedef struct Walk {
  Arena *arena;
  Node **storage;
  Vars *vars;
  const Nest *nest;      // its stores are registers where the same element is read; may be NULL
  const Affine *element; // the element number in the nest's space
  int most;              // weight at which the walk ends early; 0: none
} Walk;
void walk_root(const Walk *w, Node *root, OutKind kind, const Index *space, Leaves *out);
// One loop for each axis longer than 1.
Index space_index(Shape s, Vars *v);
bool is_const_tensor(const Node *n);
// The operand's node in memory and whether it is read transposed.
Node *matmul_operand(Node *x, bool *transposed);

// -- keep.c
void plan_keep(Plan *p);        // what must be in memory
void plan_storage(Plan *p);     // fills storage from kept
bool plan_keep_shared(Plan *p); // what is cheaper to keep than to compute again in several nests; true if any
// -- fuse.c
void plan_groups(Plan *p);
bool group_needs(const Group *g, int other);
bool group_reads(const Plan *p, int group, const Node *n);
void group_add_need(Plan *p, int group, int needed);
// -- memory.c
void memory_place(LoopFn *f, Arena *scratch, bool keep_all);

#endif
