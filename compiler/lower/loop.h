// A loop of the language while it is elaborated: what its files share.
#ifndef LOWER_LOOP_H
#define LOWER_LOOP_H
#include "builtins.h"

enum { MOST_TURNS = 1 << 24 };

typedef VEC(const char *) Names;
typedef VEC(Dims) DimsList; // one for each of some nodes: NULL where none of its axes has a count

typedef struct Loop {
  Cx *cx;
  Env *env;
  const Ast *e, *body;
  int64_t turns;
  const char *index;    // name of the turn's number; or NULL
  const Ast *names;     // of slices
  Node **sources;       // with the axis of the turns in front
  Dims *slice_dims;     // of what a turn sees of each
  const Dim *over;      // what the turns go over: where it has a count, so many are made
  int axis;             // along which results are stacked
  const Ast *condition; // of a `while`
  bool apart;           // of an `each`
  bool exceeds;         // reaching `turns` while it holds ends the run
  Names carried;
  Nodes initial;          // of the carried names, in order
  DimsList dims;          // of these
  VEC(StateRef *) states; // carried besides
} Loop;

// One elaboration of the body, with holes for what changes from turn to turn.
typedef struct Attempt {
  LoopFrame frame;
  Turns turns;
  Nodes holes, next; // of carried names, then of states
  Env *inner;
  Value value;
  Node *goes_on, *watched; // of a `while`: at the start of the turn
  Node *index;
} Attempt;

// The value of all turns' last lines; the names of l->env are bound to what they are afterwards.
Value run_loop(Loop *l);

// Names of the scope that the block binds again.
void bound_again(Cx *cx, const Env *env, const Ast *block, Names *out);

// -- stack.c
Value eval_stack(Cx *cx, Env *env, const Ast *e);

// -- carry.c. What `carry` has in the loop around.
Node *carry_of_turn(Cx *cx, const char *name, Node *first);

// -- least.c: `minimize … from`, a state of its optimizer, a turn of it
Value eval_least(Cx *cx, Env *env, const Ast *e);
Value declare_turn_state(Cx *cx, Env *env, const Ast *st);
Value least_turn(const Loop *l, Env *inner);

// -- while.c. False after a report.
bool eval_condition(const Loop *l, Attempt *a);
// Before the carried values of b come those that a loop with a condition reads itself (graph.h).
bool hold_condition(const Loop *l, Attempt *a, LoopBuild *b);
#endif
