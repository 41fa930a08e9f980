// Private to the elaboration of a training's updates: updates.c, touched.c, project.c.
#ifndef LOWER_UPDATES_H
#define LOWER_UPDATES_H
#include "train.h"

typedef struct Part {
  const Ast *ast;  // AST_OBJECTIVE
  Node *objective; // of `optimize`: the training's
  bool *updates;   // by parameter
} Part;

typedef struct Update {
  const Ast *ast;
  const char *prefix; // of its optimizer's states
  int nparts;
  Part *parts;
} Update;

typedef struct Acts {
  Cx *cx;
  LowerTrain *t;
  bool first; // the training is elaborated for the first time
  int n;
  Update *list;
  bool *frozen;
  Node **inputs; // by parameter: as the step found it
  Step *step;
} Acts;

static inline ParamRef *param_at(const Cx *cx, int i) { return cx->params.entries[i].value; }
static inline bool optimizes(const Update *u) { return u->ast->op == OPR_NONE; }

// The parameters as the acts so far left them, in the place of those that the step found, which all that is
// elaborated for an act is made from. What earlier acts left in states stays as it is.
typedef struct Point {
  Node **from, **to;
  int n;
} Point;

Point point_now(const Acts *a);
Node *moved(const Acts *a, const Point *p, Node *n);
// Exchanges the parameters as they are with those that the step found.
void set_params(Acts *a, Node **nodes);
// What was assigned to states since, as values of the point.
void states_moved(Acts *a, const Point *p, const States *before);

// `each k steps`: a clause acts in every k-th step, the first time when k are complete.
typedef struct When {
  Node *acts;  // a truth value; NULL: in every step
  Node *count; // its updates so far, f64; NULL: as many as steps
  StateRef *counted;
} When;

// The tree after an update that acts on a condition, and the optimizer's states: else they stay. `since`: the
// first node made for it.
void act_only(Cx *cx, Node *acts, int since, const States *before, const Tree *was, Tree *now);
// What an update leaves is where the next one starts; no gradient goes back through it.
void leave(Acts *a, const Tree *now);

// -- touched.c
// Which parameters each clause updates; false after a mistake.
bool select_all(Acts *a);
bool constraints_act(Acts *a); // each clause `constrain`, on something that is updated; false after a mistake
void note_updates(Acts *a);    // for --summary

// -- project.c
void prox_moved(const Acts *a, const Point *p, ProxStep *x); // as values of the point
// The optimizer's result after the proximal steps of its penalties; NULL after a mistake.
Tree *proximal_steps(Acts *a, const FnValue *optimizer, Tree *now, Span at);
typedef struct Acted {
  Tree *after;
  Node *acts; // as in When
} Acted;
// The clauses `constrain`, in their order, on what was updated together; false after a mistake.
bool constrain_all(Acts *a, const Acted *acted, int n);
#endif
