// Typed tree to graphs. Definitions are inlined where they are called: each is a graph builder with its own
// scope. In: a Program and the data it names (loaded by the host, so that numbers of rows, columns and
// classes are known). Out: one graph for each kind of step. Every mistake of shape, range, unit or selector
// is reported here, before anything is compiled.
#ifndef LOWER_LOWER_H
#define LOWER_LOWER_H
#include "../../runtime/include/reg/data.h"    // descriptors only: of plans and data sets,
#include "../../runtime/include/reg/program.h" // of tensors
#include "../graph/graph.h"
#include "../sema/sema.h"

typedef struct LowerHost {
  void *user;
  // Loads data; NULL and a status on failure. Called once for each different plan.
  reg_dataset *(*load)(void *user, const reg_data_plan *plan, reg_status *st);
  // Fills in values[i] from what a weights file holds under wanted[i].name; else a status that names what
  // does not fit.
  int (*tensors)(void *user, const char *path, int count, const reg_tensor *wanted, void *const *values,
                 reg_status *st);
  // Code of a function over columns of a part of so many rows, which makes data; NULL and a status on
  // failure. Ports: FIELD SEED STEP; COLUMN, or ROWS and COUNT out.
  reg_function *(*columns)(void *user, const Graph *g, int64_t rows, reg_status *st);
  uint64_t seed; // --seed; used where has_seed
  bool has_seed;
  int64_t epochs, batch; // in place of every training's own; 0: none
  // Statements act one at a time, with time between them: none is in a function with the one before it, and
  // the models that it names may have no values yet.
  bool apart;
  // What a run before has found for the program's i-th `known(…)`, which is called `name`; 0: nothing. NULL:
  // there was none.
  double (*known)(void *user, int i, const char *name);
  // The file that a data definition reads in place of its own; NULL: its own.
  const char *(*data_path)(void *user, const char *name);
} LowerHost;

// A tensor that lives between statements: a parameter, a state of a model's layer, what a statement has
// named.
typedef struct LowerTensor {
  const char *name;
  DType dtype;
  Shape shape;
  bool param, layer;      // a parameter; a state of a layer
  struct LowerAxis *axis; // the number of a sweep's run; else NULL
  bool given;             // a statement has given it values
} LowerTensor;

typedef struct LowerParam {
  const char *path; // "net.hidden.weight"
  int stored;       // its index in Lowered.store
  const char *role; // "weight", "bias", "norm"
  Shape shape;
  Span origin;
  const char **touched_by; // names of the penalty terms that touch it, for --summary
  int ntouched;
  const char *updated_by; // the optimizers; "-": it is kept
} LowerParam;

typedef struct LowerState {
  const char *name; // "adamw.m net.hidden.weight"
  Shape shape;
  bool layer;          // declared in a layer or model, not in an optimizer or loss
  int rows;            // 1: one for each row of the training data; 1 + k: of the k-th further; 0: none
  const void *initial; // a loaded model's tensor: its values; else NULL
  int stored;          // of a layer's: its index in Lowered.store; else -1
} LowerState;

typedef struct LowerTerm {
  const char *name;     // "l2"; made unique by the selector where needed
  const char *strength; // text of the expression, for reports
  bool log;             // of a clause `log`: no term; these come last
  const char *over;     // of what `minimize` minimizes: the selectors; of a penalty NULL
  Span origin;
} LowerTerm;

// A number of the program that may be another one when its compiled code runs.
typedef struct LowerSetting {
  const char *name;
  double value, low, high;
  Span fixed; // where it is needed while compiling: it cannot be changed; source 0: nowhere
} LowerSetting;

typedef struct StageScope StageScope; // names that statements have bound; private to lower/

// Data of a training besides those of its epochs: their fields are `name.x`, ...
typedef struct LowerFurther {
  const char *name, *part, *valid_part; // valid_part NULL: validation reads none of them
  int data, first;                      // index into Lowered.datasets; port of their first field
  int64_t batch;                        // rows
  Span at;
} LowerFurther;

// Calls of a model, those of all turns of a loop counted.
typedef struct LowerPass {
  const char *model;
  double calls;
} LowerPass;

// Of `solve to gap G`.
typedef struct LowerSolve {
  VEC(reg_block) blocks;
  int64_t outputs, passes;
  bool quadratic, by_element, same_design;
  const char *place;
} LowerSolve;

typedef struct LowerTrain {
  const Ast *ast;
  const char *name, *model,
      *data_name;           // model: the first one of the head, whose predictions validation measures
  VEC(const char *) models; // of the head and those that they share parameters with: what is trained
  int data;                 // index into Lowered.datasets
  VEC(LowerFurther *) further;
  const char *train_part, *valid_part;
  int64_t steps; // planned updates, where these are given; 0: of whole passes
  int64_t batch, epochs, train_rows, valid_rows, steps_per_epoch, last_batch,
      total_steps; // last_batch 0: passes end evenly
  uint64_t seed;
  VEC(LowerParam) params;
  VEC(LowerState) states;
  VEC(LowerTerm) terms;
  bool sums_terms;             // there is no `loss`: their sum is reported as it
  VEC(LowerPass) passes;       // of a step
  VEC(const char *) schedules; // named top-level schedules that are used
  VEC(const char *) metrics;   // of the validation part, each epoch
  const char *watch;           // early stopping: "loss" or a metric's name; NULL: none
  bool watch_max;
  int64_t patience;
  bool keep_best;
  reg_sample sample;
  int64_t epoch_rows;       // that a pass takes; of kept ones at most
  VEC(reg_stage) draw;      // before each pass: gives weights, or which rows are kept
  int drawn;                // these, in the store
  const char *sample_place; // "p.reg:9:3"
  LowerSolve *solve;        // NULL: it is trained step by step
  bool in_order;            // `sample in order`: row k of a batch goes on with row k of the batch before
  bool starts_late;         // there is a LOWER_START
  VEC(reg_result) results;  // that the program reads
  VEC(reg_stage) each_epoch;
  VEC(int) stops;           // conditions of the store, computed there: one that holds ends the training
  StageScope *scope;        // names of statements that it sees
  int inside;               // of runs of so many sweeps: what it trains ends with these
  bool together;            // there are runs of one sweep with the same rows of the same seed in it
  Span total_fixed;         // where the number of planned steps is compiled in; source 0: nowhere
  struct TrainBuild *build; // private
} LowerTrain;

typedef struct LowerMetric {
  const char *name;
  Shape shape;
  int stored; // where the program reads it; -1
} LowerMetric;

typedef struct LowerEvaluate {
  const Ast *ast;
  int train; // index into Lowered.trains: the last one of the model before it, whose weights it sees; -1:
             // none
  const char *model, *data_name; // "net", "digits.test"
  int data;
  const char *part;
  int64_t rows, chunk; // all; as many as are predicted at once
  int target;          // field index; -1: none
  int64_t pred_width;
  VEC(LowerMetric) metrics;
  struct EvaluateBuild *build; // private
} LowerEvaluate;

// A straight line of statements: inputs and outputs are tensors of the store.
typedef struct LowerApply {
  const char *name;
  Graph *graph;
  const reg_data_other *columns; // of REG_SLOT_OTHER
  int ncolumns;
} LowerApply;

// What the runs of a sweep differ in. Numbers are read when a run acts, like those of `let`, but for an axis
// that decides what graphs look like: then there is a variant of the statements for each of its values.
typedef struct LowerAxis {
  const char *name;
  Span at;
  int n, now; // values; the one that is elaborated
  bool seed;
  const double *numbers;      // NULL: things
  const Ast **things;         // of a list of others: what stands in the place of the name
  const struct Value *values; // of a computed list: what the name stands for, where `things` is NULL
  const char **labels;
  const struct Spaced *between; // of a range whose numbers are drawn: its ends; else NULL
  reg_axis_kind kind;
  int stored, all; // of numbers: the run's, all of them; -1
  double low, high;
  Span fixed;       // where it is needed while compiling; source 0: nowhere
  bool read, folds; // folds: the same data, divided otherwise
} LowerAxis;

// What is kept of each run.
typedef struct LowerKept {
  const char *name;
  bool column; // one number
  int to;
  const int *from; // of each variant
} LowerKept;

typedef struct LowerSweep {
  const Ast *ast;
  const char *name;
  bool drawn;             // a run has one value of each axis
  reg_search_kind search; // TPE: which one is found out when the program runs
  const struct Ast *by;   // the number of a run that it is judged by
  const struct Ast *higher;
  int kept_by, at_once;
  bool is_higher;
  VEC(LowerAxis *) axes;
  int nruns;
  int index; // in Lowered.sweeps
  VEC(reg_variant) variants;
  int refused; // of variants, behind the others: draws that are wrong
  int nvalues;
  const int *variant_of; // of each run; of a search of each combination of compiled in values
  VEC(LowerKept) kept;
  int state, at;            // in the store
  struct SweepBuild *build; // private
} LowerSweep;

// A tensor of a name that a statement outside of blocks has bound; of `e.accuracy` and of trees a part.
typedef struct LowerName {
  const char *name, *path; // path: of a tree's tensor, else ""
  int stored;              // its index in Lowered.store
} LowerName;

typedef struct DataCall DataCall;

// A name that was read while data was made: the axis of the sweep around that has it, and its value; NULL:
// none has.
typedef struct AxisRead {
  const char *name;
  const LowerAxis *axis;
  int now;
} AxisRead;
typedef VEC(AxisRead) AxisReads;

typedef struct DataMade {
  const char *name; // as it was asked for
  AxisReads reads;
  int dataset; // in Lowered.datasets; -1: it failed
} DataMade;

typedef struct Lowered {
  Session *session;
  Program *program;
  LowerHost host;
  VEC(reg_dataset *) datasets;
  VEC(const char *) dataset_names;
  VEC(reg_data_plan) plans;   // how each data set was made
  VEC(DataMade) made;         // what was asked for
  AxisReads axis_reads;       // by data under construction
  int making;                 // so many of these, one within the other
  VEC(DataCall *) data_calls; // of data definitions with parameters
  Span calling_at;            // where the program calls one, else source 0
  const char *calling;        // the one whose body is elaborated, without its data: its draws are keyed by it
  VEC(LowerSetting *) settings; // in the order of the program; `fixed` comes to light as graphs are made
  VEC(const Ast *) unreadable;  // calls of `load` whose failure was told
  VEC(LowerTrain *) trains;
  VEC(LowerEvaluate *) evaluates;
  VEC(LowerApply) applies;
  VEC(reg_report) reports;
  VEC(reg_assertion) assertions;
  VEC(reg_save) saves;
  VEC(reg_known) knowns;
  VEC(LowerSweep *) sweeps;
  VEC(reg_view) views;
  VEC(reg_stage) stages; // the program's statements in their order
  VEC(int) begins;       // of each statement outside of blocks its first stage
  VEC(LowerName) names;
  VEC(LowerTensor) store;
  Map instances;     // path of a call that got its name by itself -> the same without its number
  Map roles;         // path of a parameter -> its role
  Map known;         // path -> LowerParam *: parameters that a statement so far has made known
  StageScope *scope; // of the statement that is elaborated
  StageScope *all;   // of the program's top level
  Map rows;          // of tables of data -> Dim *
  Map stored;        // name -> its index in `store`, and one more
  int exit_code;     // of a failed data load (65, 66), else 0
  bool gave_up;      // too deep or too much to be elaborated: reported
} Lowered;

// Elaborates the whole program once: every graph that a run needs. NULL-free; check the session's diagnostics
// before asking for graphs.
// `status_code` of a failed data load (65, 66) is in *exit_code, else it is left alone.
Lowered *lower_program(Program *p, const LowerHost *host, int *exit_code);

// The graphs, in the program's precision. The ports of inputs and outputs are the runtime's slots
// (reg_slot_kind): PARAM and STATE index the training's (of an expression: its own), both as inputs and, over
// these, as outputs; FIELD the data's fields; FURTHER those of further data, one behind the other's; TERM,
// SCHEDULE, METRIC, SETTING the lists of those names here; STORE the store. Names are for people, and to tell
// apart inputs of kind 0 (of checks and `regc eval`).
enum { PORT_COLUMN = 64 }; // index: an expression's columns
typedef enum LowerKind {
  LOWER_INIT,          // seed -> params, states
  LOWER_START,         // seed, params, states of layers -> states that start from these
  LOWER_STEP,          // one update on `batch` rows
  LOWER_VALID,         // loss (no penalties) and pred on `batch` rows, evaluation mode
  LOWER_VALID_METRICS, // pred and fields of the whole validation part -> metrics
  LOWER_DESIGN,        // fields -> features and offset of all rows
  LOWER_STRENGTHS,     // -> the gap, and strengths of penalties
  LOWER_CURVE,         // fields, a result of the model -> the loss there, its derivatives
  LOWER_DUAL,          // fields, a slope -> the loss's conjugate
  LOWER_PREDICT,       // params, fields -> pred on `batch` rows of the training's data, evaluation mode
  LOWER_ANSWER,        // the same as probabilities, or numbers of the target
  LOWER_NORMS          // the same inputs as a step's -> norms of gradients of loss and terms
} LowerKind;
// NULL where there is none of this kind and size, and after a mistake (of the last three only).
Graph *lower_train_graph(Lowered *l, LowerTrain *t, LowerKind kind, int64_t batch);
// What LOWER_ANSWER gives; *field: the target of which it is a number or the probabilities; -1: none.
reg_answer lower_answers(Lowered *l, LowerTrain *t, int *field);
// Whether the model's parameters are fields of its data, so that it can predict from them.
bool lower_predicts(const Lowered *l, const LowerTrain *t);
bool lower_reads_texts(const Lowered *l, const LowerTrain *t); // columns of texts, which other files have
Graph *lower_predict_graph(Lowered *l, LowerEvaluate *e, int64_t batch); // params, fields -> pred
Graph *lower_metrics_graph(Lowered *l, LowerEvaluate *e); // pred and fields of all rows -> metrics

// An expression by itself. Parameters, states, data and names of statements are inputs of its graph, so that
// any values can be put in.
typedef struct LowerInput { // an array that it may name
  const char *name;
  DType dtype;
  Shape shape;
} LowerInput;

typedef struct LowerAsked {
  const Ast *expression;
  // Elaborated first, where given: `net.hidden` is a value of the last call of `net`.
  const Ast *before;
  const LowerInput *inputs; // inputs in:NAME
  int ninputs;
  const char *const *grads; // of `inputs`: outputs grad:NAME; of an optimizer: what it updates
  int ngrads;
  const Ast *optimizer; // of lower_optimizer
  // At the prompt: names of statements have values, and what is no number is told by `text` alone.
  bool between;
} LowerAsked;

typedef struct LowerValue {
  const char *path; // a parameter's, or ""
  DType dtype;
  Shape shape;
} LowerValue;

typedef struct LowerColumn {
  int dataset, field;
  const char *part; // NULL: all rows
  bool classes;     // class indices instead of numbers
} LowerColumn;

typedef struct LowerExpression {
  const char *text; // what it is: "a tensor of shape [2]", "a function", "the model `net`", ...
  int train;        // whose times it has: index into Lowered.trains; -1: none
  int data;         // of a part of the data: index into Lowered.datasets; else -1
  VEC(LowerValue)
  values; // outputs value, or of a tree value:PATH; none where it is no tensor, number or tree
  VEC(LowerParam) params;   // of the models that it names
  VEC(LowerState) states;   // that they name
  VEC(LowerColumn) columns; // of PORT_COLUMN
  Graph *graph;             // NULL where there are no values
  Graph *init;              // initial values of the graph's param: and state: inputs; NULL where it has none
  Graph *start;             // of an optimizer: of states that start from parameters; NULL where it has none
} LowerExpression;
// Where the program trains a model that the expression names, times and schedules are those of that training.
// NULL after a mistake.
LowerExpression *lower_expression(Lowered *l, const LowerAsked *asked);
// One step of an optimizer on the arrays `grads`, which minimizes the expression, or, where that is NULL, has
// for the gradient of NAME the input "grad.NAME", which is there and of its shape. These arrays are
// parameters under their names; outputs value:NAME, and after:NAME of each of `states`. NULL after a mistake.
LowerExpression *lower_optimizer(Lowered *l, const LowerAsked *asked);

// Where a check's expression ends: a literal, a random draw, a parameter.
typedef struct LowerLeaf {
  const char *input, *name; // name: as written, or the parameter's path
  Span span;
} LowerLeaf;

// A `check` statement. `leaves` makes the literals and draws (outputs leaf:NUMBER; input seed), which the
// expression's graph has as inputs; its outputs are value, and for `: gradient` grad:INPUT for each leaf,
// left and right of an equality, else condition.
typedef struct LowerCheck {
  const Ast *ast;
  const char *text;
  bool gradient, equal, negated; // equal: `==`, or `!=` where negated
  const LowerLeaf *leaf;         // of a gradient
  int nleaves;
  Graph *leaves;
  LowerExpression expression;
} LowerCheck;
LowerCheck *lower_check(Lowered *l, const Ast *check); // NULL after a mistake

// Whether the parameter `path` is one of the model of this name, of one that it calls, or of one of several
// (`g` owns what `g[0]` owns).
bool model_owns(const Lowered *l, const char *model, const char *path);
// Loads data, computes a `let`, calls a model on zeros where its declared shape is known, so that mistakes in
// a definition that nothing uses yet are reported. What only a training can tell is not judged.
void lower_definition(Lowered *l, const char *name);

static inline reg_dtype lower_floats(const Lowered *l) { return l->program->doubles ? REG_F64 : REG_F32; }
#endif
