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
Cx *train_cx(Lowered *l, LowerTrain *t, const char *name, Mode mode, int64_t batch);
Env *field_env(Cx *cx); // the fields of cx->data
// The model on the fields of cx->data of the same names as its parameters; NULL after a mistake.
Node *train_predict(Cx *cx, Def *model);
// Metrics are known by their text, arguments included: `accuracy`, `top_k(k: 3)`.
const char *metric_name(Arena *a, const Ast *metric);
const Ast *metric_callee(const Ast *metric); // without its arguments
// Adds a number-valued metric to be reported for the validation part each epoch.
void train_add_metric(Cx *cx, LowerTrain *t, const Ast *metric);
// The number-valued metrics of this model's evaluations are watched on the validation part too.
void train_valid_metrics(Lowered *l, LowerTrain *t);
bool evaluate_metrics(Lowered *l, LowerEvaluate *e);
// Metrics of all predictions of one part.
Graph *metrics_graph(Cx *cx, LowerTrain *t, const Ast *const *metrics, const char *const *names, int n);

// -- penalize.c
const char *penalty_term(Cx *cx, const LowerTrain *t, const Ast *penalize); // unlike those in t->terms
// The term's value; `term`, where given, is noted at the parameters that it touches. NULL after a mistake.
Node *penalize(Cx *cx, LowerTrain *t, const Ast *p, const char *term);
#endif
