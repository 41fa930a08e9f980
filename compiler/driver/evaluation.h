// What `regc eval` and its steps of optimizers share: cmd_eval.c, eval_step.c.
#ifndef DRIVER_EVALUATION_H
#define DRIVER_EVALUATION_H
#include "expression.h"

typedef struct Evaluation {
  Pipeline pipeline;
  const Options *options;
  VEC(Tensor) inputs; // of --in: in:NAME
  VEC(LowerInput) given;
  VEC(const char *) grads;
  const LowerExpression *expression;
  void **weights; // of --weights: of each parameter, then of each state; else NULL
  int64_t at;     // finished updates
} Evaluation;

int eval_tell(const Evaluation *e, const reg_status *st);            // its code
const LowerInput *eval_given(const Evaluation *e, const char *name); // NULL: there is no such array
// What the expression's inputs are; as ExpressionInputs.kept.
double *eval_kept(void *user, const LowerExpression *x, const Node *n);
// The members of a tensor's JSON object; a tensor that is not shown goes to the folder of --out, with
// `always` each does.
int eval_add_tensor(const Evaluation *e, StrBuf *b, const char *file_name, const Tensor *t, bool always);
int eval_folder(const Evaluation *e); // makes that of --out, where it is given

// -- eval_step.c
// --step: which arrays are updated, then steps, whose result it prints.
int eval_step_arrays(Evaluation *e);
int eval_step(Evaluation *e);
#endif
