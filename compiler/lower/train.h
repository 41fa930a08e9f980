// Private to lower/: what building the graphs of a training shares.
#ifndef LOWER_TRAIN_H
#define LOWER_TRAIN_H
#include "model.h"

typedef struct BuiltGraph {
  LowerKind kind;
  int64_t batch;
  Graph *graph;
} BuiltGraph;

typedef struct TrainBuild {
  Def *model; // the first of the head
  Map states; // name -> StateRef *
  Map sites;  // Cx.sites
  Map held;   // Cx.held
  bool late; // a graph is made behind all statements: names have the dimensions that they had at the training
  // A state of an optimizer was asked for by its name; they are known; they are wanted, and objectives are no
  // matter.
  bool asked, states_known, dry;
  VEC(const Ast *) metrics; // expressions of LowerTrain.metrics
  VEC(BuiltGraph) graphs;   // elaborated so far
} TrainBuild;

typedef struct EvaluateBuild {
  Graph *predict, *predict_last, *metrics;
} EvaluateBuild;

const Ast *train_clause(const Ast *train, const char *name);
const Ast *sample_near(Cx *cx, const Ast *clause); // `sample near(e)`: e; NULL: it is another clause

// The clauses of a `train` but for loss, penalties and optimizer; NULL after a mistake.
LowerTrain *lower_train(Lowered *l, const Ast *ast, const char *name);
// A number of a training's clauses, `name` of `of`; false after a mistake.
bool whole_number(Cx *cx, const Ast *train, const Ast *e, const char *name, const char *of, int64_t low,
                  int64_t *out);
// The parts of data that training and validation (NULL: none) read; false after a mistake.
bool training_parts(Cx *cx, const Value *data, Span at, const reg_part **train, const reg_part **valid);
// Elaborates the training step for the first time: fills params, states, terms, schedules; false after a
// mistake.
bool train_discover(Lowered *l, LowerTrain *t);
// Everything else that a run may need of a training; mistakes are told with the graph that they are in.
void train_graphs(Lowered *l, LowerTrain *t);
// For one graph of a training. All its parameters are known, also before a call of its model.
Cx *train_cx(Lowered *l, LowerTrain *t, const char *name, Mode mode, int64_t batch);
bool trains_model(const LowerTrain *t, const char *model); // it stands in the head, or what does shares it
bool trains_tensor(const LowerTrain *t, const char *path); // its model does
const StateRef *train_state(const LowerTrain *t, const char *name); // NULL: its step has none of this name
// Mistakes since `first` are told to be those of a graph: "this is in the last batch of an epoch, of 5 rows".
void note_graph(Lowered *l, int first, const char *what, int64_t rows);
void know_param(Cx *cx, const char *path, const char *role, Shape shape, Span origin);
Value eval_clause(Cx *cx, Env *env, const Ast *e); // of the library's recipes: names mean the library's
// Mistakes since `first` that stand in the recipe of t are told with the place that uses it.
void note_recipe(Lowered *l, int first, const LowerTrain *t);
Env *clause_env(Cx *cx, const Ast *train); // the parameters of its recipe
Env *data_env(Cx *cx, const Env *outer);   // the fields of cx->data alone
Env *field_env(Cx *cx); // the fields of cx->data, and what lines of the training make of them
// The model on the fields of cx->data of the same names as its parameters, a row for each row of these; NULL
// after a mistake.
Node *train_predict(Cx *cx, ModelValue *m);
// Predictions of a model from rows of cx->data. `answers`: as this training's loss means them; NULL: as they
// are.
Graph *predict_graph(Cx *cx, const Ast *model, LowerTrain *answers);
Node *answer_node(Cx *cx, LowerTrain *t,
                  Node *pred);               // what these mean, as lower_answers says; NULL after a mistake
Cx *stored_cx(Lowered *l, const char *name); // for a graph whose parameters are tensors of the store
// Of what cx has declared, where `reads` (NULL: all) has it for an input. `late`: what starts from
// parameters, apart from `init`; NULL: it is in `init` too. Either is NULL where it would be empty. False
// after a mistake.
bool initial_graphs(Cx *cx, const Graph *reads, Graph **init, Graph **late);

// -- further.c
bool further_find(Cx *cx, LowerTrain *t); // fills LowerTrain.further; false after a mistake
void further_names(Cx *cx, Env *env);     // of the training's further data
void warn_further(Lowered *l, const LowerTrain *t, const Graph *step);           // that a step does not read
bool further_validates(Lowered *l, const LowerTrain *t, const Graph *validates); // it reads what is there

// -- updates.c
// A proximal step on one parameter, behind its update.
typedef struct ProxStep {
  const Ast *ast; // the clause
  const char *path;
  Def *def;       // the operator
  BoundArg *args; // of the penalty, but for the parameter: by name
  int nargs;
  Value strength;
} ProxStep;
typedef VEC(ProxStep) ProxSteps;

typedef struct Step {
  Node *loss, *objective; // objective: of all clauses together
  Node *first_loss;       // the clause's, of the parameters as the step found them; NULL: there is none
  Node **terms;           // of LowerTrain.terms
  int nterms;
  Node **plain;              // by term: of the parameters as the step found them; of a log NULL
  const bool **by, *loss_by; // by term, and of the loss: the parameters that it is minimized over
  Node **inputs;             // by parameter: as the step found it
  Node **after;              // by parameter: its new value; NULL: it is not updated
  ProxSteps proximal;
  bool early; // parameters were named before all of them were known
} Step;
// `met`: all parameters are known. False after a mistake, or where it is to be begun again with them known.
bool step_elaborate(Cx *cx, LowerTrain *t, bool first, bool met, Step *s);
Graph *norms_graph(Lowered *l, LowerTrain *t, int64_t batch); // norms.c; NULL after a mistake
// What is reported as the loss: that of the clause, else the sum of what is minimized; NULL after a mistake.
Node *train_loss(Cx *cx, const LowerTrain *t);
// -- expression.c
typedef VEC(Def *) Models;
void find_models(Lowered *l, const Ast *e, Models *out);   // that an expression names, each once
void find_averages(Lowered *l, const Ast *e, Models *out); // likewise, of another model
// Calls the model on one row, of the data that it is trained on or of zeros, so that its parameters are
// known.
void meet_parameters(Cx *cx, Def *model);
Cx *expression_cx(Lowered *l, const char *name, bool training);  // for an expression by itself
void expression_models(Cx *cx, const Ast *before, const Ast *e); // those that it names are known from here on
// The value of this path, "" where there is one only, as an output.
void expression_value(Cx *cx, LowerExpression *x, const char *path, Node *n, DType shown);
// The graph of what was made an output. `late`: states that start from parameters have a graph of their own.
void expression_finish(Cx *cx, LowerExpression *x, bool late);

// -- step.c
// Tells, where n is an objective that is known by its gradient alone; else false.
bool only_gradient(Cx *cx, const Node *n, Span at);

// -- least.c
bool is_optimizer(Cx *cx, const Value *v);
// The number e, which depends on z; NULL after a mistake.
Node *minimized(Cx *cx, Env *env, const Ast *e, const Tree *z);

// -- solve.c
const Ast *solve_clause(const Ast *train);   // NULL: it is trained step by step
bool solve_begin(Cx *cx, LowerTrain *t);     // its clauses that are numbers; false after a mistake
Node *solve_value(Cx *cx, const Node *loss); // the loss, as the solver has found it
bool solve_graphs(Lowered *l, LowerTrain *t,
                  Graph **out); // design, strengths, curve, dual; false after a mistake

// -- metrics.c
// Metrics are known by their text, arguments included: `accuracy`, `top_k(k: 3)`.
const char *metric_name(Arena *a, const Ast *metric);
const Ast *metric_callee(const Ast *metric); // without its arguments
// Adds a number-valued metric to be reported for the validation part each epoch.
void train_add_metric(Cx *cx, LowerTrain *t, const Ast *metric);
bool evaluate_graphs(Lowered *l, LowerEvaluate *e);
// The number-valued metrics of an evaluation, on the validation parts of its model's trainings.
void watch_everywhere(Lowered *l, const LowerEvaluate *e);
Graph *valid_metrics_graph(Lowered *l, LowerTrain *t, Shape pred); // of all predictions; NULL after a mistake

// -- data.c
// Whether a model trained by t can be evaluated on a data set: false after a mistake.
bool data_agree(Cx *cx, const LowerTrain *t, int data, Span at);

// -- penalize.c
const char *penalty_term(Cx *cx, const LowerTrain *t, const Ast *penalize); // unlike those in t->terms
// The term's value; `term`, where given, is noted at the parameters that it touches. `by prox`: with its
// steps. NULL after a mistake.
Node *penalize(Cx *cx, LowerTrain *t, const Ast *p, const char *term, ProxSteps *steps);

// -- harm.c
void harm_step(Cx *cx, const LowerTrain *t, const Step *s); // of what was elaborated
void harm_averages(Lowered *l);                             // once all trainings are known

// -- warn.c
const Ast *call_with(Cx *cx, const Ast *e, Trait t); // the first call in e of what has it; NULL
void warn_train(Cx *cx, const LowerTrain *t);        // of its clauses, once it was elaborated
void warn_optimizer(Cx *cx, const LowerTrain *t, const Def *optimizer);
void warn_metric(Cx *cx, const Def *model, const Def *metric, Span at); // of a model's predictions
void warn_sense(Cx *cx, const Def *metric, Span at);                    // that early stopping watches
#endif
