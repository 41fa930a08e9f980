// Typed tree to graphs. Definitions are inlined where they are called: each is a graph builder with its own
// scope. In: a Program and the data it names (loaded by the host, so that numbers of rows, columns and
// classes are known). Out: one graph for each kind of step. Every mistake of shape, range, unit or selector
// is reported here, before anything is compiled.
#ifndef LOWER_LOWER_H
#define LOWER_LOWER_H
#include "../../runtime/include/reg/data.h" // plan and data set descriptors only
#include "../graph/graph.h"
#include "../sema/sema.h"

typedef struct LowerHost {
  void *user;
  // Loads data; NULL and a status on failure. Called once for each different plan.
  reg_dataset *(*load)(void *user, const reg_data_plan *plan, reg_status *st);
  uint64_t seed; // --seed; used where has_seed
  bool has_seed;
} LowerHost;

typedef struct LowerParam {
  const char *path; // "net.hidden.weight"
  const char *role; // "weight", "bias", "norm"
  Shape shape;
  Span origin;
  const char **touched_by; // names of the penalty terms that touch it, for --summary
  int ntouched;
} LowerParam;

typedef struct LowerState {
  const char *name; // "adamw.m net.hidden.weight"
  Shape shape;
} LowerState;

typedef struct LowerTerm {
  const char *name;     // "l2"; made unique by the selector where needed
  const char *strength; // text of the expression, for reports
  Span origin;
} LowerTerm;

typedef struct LowerTrain {
  const Ast *ast;
  const char *name, *model, *data_name;
  int data; // index into Lowered.datasets
  const char *train_part, *valid_part;
  int64_t batch, epochs, train_rows, valid_rows, steps_per_epoch, last_batch,
      total_steps; // last_batch 0: passes end evenly
  uint64_t seed;
  VEC(LowerParam) params;
  VEC(LowerState) states;
  VEC(LowerTerm) terms;
  VEC(const char *) schedules; // named top-level schedules that are used
  VEC(const char *) metrics;   // of the validation part, each epoch
  const char *watch;           // early stopping: "loss" or a metric's name; NULL: none
  bool watch_max;
  int64_t patience;
  bool keep_best;
  struct TrainBuild *build; // private
} LowerTrain;

typedef struct LowerMetric {
  const char *name;
  Shape shape;
} LowerMetric;

typedef struct LowerEvaluate {
  const Ast *ast;
  int train;                     // index into Lowered.trains: whose weights
  const char *model, *data_name; // "net", "digits.test"
  int data;
  const char *part;
  int64_t rows;
  int target; // field index; -1: none
  int64_t pred_width;
  VEC(LowerMetric) metrics;
} LowerEvaluate;

typedef struct Lowered {
  Session *session;
  Program *program;
  LowerHost host;
  VEC(reg_dataset *) datasets;
  VEC(const char *) dataset_names;
  VEC(LowerTrain *) trains;
  VEC(LowerEvaluate *) evaluates;
  int exit_code; // of a failed data load (65, 66), else 0
} Lowered;

// Elaborates the whole program once. NULL-free; check the session's diagnostics before asking for graphs.
// `status_code` of a failed data load (65, 66) is in *exit_code, else it is left alone.
Lowered *lower_program(Program *p, const LowerHost *host, int *exit_code);

// The graphs. Inputs and outputs are known by name:
//   inputs   param:PATH state:NAME field:NAME class:NAME (i32) seed (i32[2]) step (i32) epoch (i32) pred (all
//   predictions) outputs  param:PATH state:NAME (alias of the inputs of the same name) objective loss
//   term:NAME schedule:NAME pred metric:NAME
typedef enum LowerKind {
  LOWER_INIT,          // seed -> params, states
  LOWER_STEP,          // one update on `batch` rows
  LOWER_VALID,         // loss (no penalties) and pred on `batch` rows, evaluation mode
  LOWER_VALID_METRICS, // pred and fields of the whole validation part -> metrics
} LowerKind;
Graph *lower_train_graph(Lowered *l, LowerTrain *t, LowerKind kind, int64_t batch);
Graph *lower_predict_graph(Lowered *l, LowerEvaluate *e, int64_t batch); // params, field:x -> pred
Graph *lower_metrics_graph(Lowered *l, LowerEvaluate *e); // pred and fields of all rows -> metric:NAME

// A `check` statement: `args` makes the arguments (outputs arg:NAME; input seed), `body` uses them (inputs
// arg:NAME, seed, step; outputs value, and grad:NAME for `: gradient`, else condition).
typedef struct LowerCheck {
  const Ast *ast;
  const char *text;
  bool gradient;
  Graph *args, *body;
} LowerCheck;
LowerCheck *lower_check(Lowered *l, const Ast *check); // NULL after a mistake

// `regc eval`: an expression over given arrays. Inputs in:NAME, seed, step; outputs value and grad:NAME for
// each name in grads.
typedef struct LowerInput {
  const char *name;
  DType dtype;
  Shape shape;
} LowerInput;
Graph *lower_eval(Lowered *l, const Ast *e, const LowerInput *inputs, int ninputs, const char *const *grads,
                  int ngrads);

// `regc repl`: an expression looked at between trainings. Parameters, states and data are inputs of its
// graph, so that weights from anywhere can be put in: param:PATH, state:NAME, field:DATA.PART.FIELD,
// class:DATA.PART.FIELD, seed, step, epoch. Outputs value:0, value:1, ...
typedef struct LowerViewValue {
  const char *path; // a parameter's, or ""
  DType dtype;
  Shape shape;
} LowerViewValue;

typedef struct LowerView {
  const char *text;           // what it is: "a tensor of shape [2]", "a function", "the model `net`", ...
  int data;                   // of a part of the data: index into Lowered.datasets; else -1
  VEC(LowerViewValue) values; // none where it is no tensor, number or tree
  VEC(LowerParam) params;     // of the models that it names
  Graph *graph;               // NULL where there are no values
  Graph *init; // initial values of the graph's param: and state: inputs; NULL where it has none
} LowerView;
// `before` is elaborated first, where given: `net.hidden` is a value of the last call of `net`. Where the
// program trains a model that the expression names, times and schedules are those of that training. NULL
// after a mistake.
LowerView *lower_view(Lowered *l, const Ast *before, const Ast *e);
// Loads data, computes a `let`, calls a model on zeros where its declared shape is known, so that mistakes in
// a definition that nothing uses yet are reported. What only a training can tell is not judged.
void lower_definition(Lowered *l, const char *name);
#endif
