// Private to lower/: what building the graphs of a training shares.
#ifndef LOWER_TRAIN_H
#define LOWER_TRAIN_H
#include "value.h"

typedef struct TrainBuild {
  Def *model;
  Graph *step;              // the step on t->batch rows, from discovery
  Shape pred;               // of one row's prediction
  VEC(const Ast *) metrics; // expressions of LowerTrain.metrics
} TrainBuild;

const Ast *train_clause(const Ast *train, const char *name);
const reg_part *reg_part_named(const LowerTrain *t, const Lowered *l, const char *name);
int data_target(const reg_dataset *set); // index of the first field that is neither x nor id; -1

// Elaborates the training step for the first time: fills params, states, terms, schedules; false after a
// mistake.
bool train_discover(Lowered *l, LowerTrain *t);
// The model on the fields of cx->data of the same names as its parameters; NULL after a mistake.
Node *train_predict(Cx *cx, Def *model);
// Adds a number-valued metric to be reported for the validation part each epoch.
bool train_add_metric(Cx *cx, LowerTrain *t, const Ast *metric);
// The number-valued metrics of this model's evaluations are watched on the validation part too.
void train_valid_metrics(Lowered *l, LowerTrain *t);
bool evaluate_metrics(Lowered *l, LowerEvaluate *e);
#endif
