// What the inputs of an expression's graph are when it is run: for `regc eval`, `regc gradcheck`, `regc
// repl`.
#ifndef DRIVER_EXPRESSION_H
#define DRIVER_EXPRESSION_H
#include "values.h"

typedef struct ExpressionInputs {
  const Tensor *given; // arrays of the command line, leaves of a check: by the input's name
  int ngiven;
  // What there is of a parameter or state (its initial value, where there is nothing), of a statement's name
  // (REG_SLOT_STORE) and of a time (0, where there is nothing); NULL: nothing. `kept` NULL: of none.
  double *(*kept)(void *user, const LowerExpression *x, const Node *input);
  void *user;
  VEC(Tensor) in; // one for each input of the graph
  int initial;    // parameters among them that have their initial values
} ExpressionInputs;

// Fills `in`; REG_OK, or what ended the computation of initial values, in `st`. A name of a statement that
// has no value is left out, and is in `missing`.
int expression_fill(Pipeline *p, const LowerExpression *x, ExpressionInputs *e, const Node **missing,
                    reg_status *st);
#endif
