// A compiled program: the tables that the training driver walks. Built by `regc` in memory, or emitted into a
// standalone binary.
#ifndef REG_PROGRAM_H
#define REG_PROGRAM_H
#include "abi.h"
#include "data.h"

typedef enum reg_slot_kind {
  REG_SLOT_SCRATCH,
  REG_SLOT_PARAM,     // index: parameter (read and overwritten in training)
  REG_SLOT_STATE,     // index: state (likewise)
  REG_SLOT_FIELD,     // index: field of the data set, `batch` rows (floats, or i32 for classes and id)
  REG_SLOT_PRED,      // predictions: output of `predict`, `batch` rows; input of `metrics`, all rows
  REG_SLOT_SEED,      // int32_t[2]
  REG_SLOT_STEP,      // int32_t: finished updates
  REG_SLOT_EPOCH,     // int32_t: finished passes
  REG_SLOT_TURN,      // int32_t: batches since the pass over a part began
  REG_SLOT_OBJECTIVE, // out
  REG_SLOT_LOSS,      // out
  REG_SLOT_TERM,      // index: penalty term, out (strength included)
  REG_SLOT_METRIC,    // index: metric, array out
  REG_SLOT_SCHEDULE,  // index: reported schedule, out
  REG_SLOT_TOTAL,     // double: planned updates
  REG_SLOT_SETTING,   // index: setting, double
  REG_SLOT_STORE,     // index: tensor of the program's store (read, and overwritten by a stage that gives it
                      // values)
  REG_SLOT_COLUMN,    // index: column of data that is made, out (float, or int32_t for classes)
  REG_SLOT_ROWS,      // places of the rows that are picked, int32_t out
  REG_SLOT_COUNT      // double out: how many of them; where it is missing: all
} reg_slot_kind;

typedef struct reg_slot {
  reg_slot_kind kind;
  int index;
  int64_t count;   // elements
  reg_dtype dtype; // FIELD: floats read the field's values, REG_I32 its classes (or the row number)
  bool in, out;    // STORE: the function reads it; it gives it values, in place where it reads it too
} reg_slot;

// A buffer of floats of a function compiled with every value kept, in the order of computation: to find where
// a NaN was born.
typedef struct reg_trace {
  const char *what; // "dense in net.hidden", with file, line and column
  int slot;
  reg_dtype dtype;
  int64_t offset, count; // bytes, elements
} reg_trace;

typedef struct reg_function {
  const char *name;
  reg_fn fn;     // NULL: compiled at first use, through reg_program.resolve
  int64_t batch; // rows it works on
  int64_t scratch_bytes;
  int nslots;
  const reg_slot *slots;
  int ntrace;
  const reg_trace *trace;
  void *source; // for resolve
} reg_function;

typedef struct reg_tensor {
  const char *name; // "net.hidden.weight"
  int rank;
  int64_t dim[REG_MAX_RANK];
  int64_t count;
  reg_dtype dtype;
  bool layer;          // a state that a layer of the model keeps: evaluation reads it, weights hold it
  const void *initial; // a state of a loaded model: its values from the file; NULL: `init` makes them
  int stored;          // its index in the program's store; -1: it belongs to a training
} reg_tensor;

static inline size_t reg_tensor_bytes(const reg_tensor *t) {
  return (size_t)t->count * reg_dtype_bytes(t->dtype);
}

typedef enum reg_watch_sense { REG_WATCH_MIN, REG_WATCH_MAX } reg_watch_sense;

// What a training leaves in the store: numbers (of the program's floats), and histories of `epochs` numbers,
// of which as many are there as epochs were made.
typedef enum reg_result_kind {
  REG_RESULT_LOSS, // of the last epoch, training part
  REG_RESULT_OBJECTIVE,
  REG_RESULT_VALID_LOSS,
  REG_RESULT_METRIC,    // index: metric, on the validation part
  REG_RESULT_EPOCHS,    // passes made, f64
  REG_RESULT_STEPS,     // updates made, f64
  REG_RESULT_BEST_EPOCH // f64
} reg_result_kind;
typedef struct reg_result {
  reg_result_kind kind;
  int index;
  bool history; // a number an epoch
  int value;    // of the store
} reg_result;

typedef struct reg_train {
  const char *name;              // of this training, unlike all others: `as NAME`, or made from the model's
  const char *model, *data_name; // model: the first one
  int nmodels;                   // whose parameters are trained
  const char *const *models;     // likewise
  const char *doc;               // the first model's doc comment, or NULL
  int data;                      // index of the data set
  const char *train_part, *valid_part; // valid_part NULL: no validation
  int64_t batch, epochs;
  uint64_t seed;
  int nparams;
  const reg_tensor *params;
  int nstates;
  const reg_tensor *states;
  int nterms;
  const char *const *terms; // penalties and minimized objectives: names, for reports
  bool sums_terms;          // there is no loss of its own: what is reported as such is their sum
  int nschedules;
  const char *const *schedules; // likewise
  reg_function *init;           // params and states out
  reg_function *start;          // states that start from the params and layers' states there are; NULL: none
  reg_function *step, *step_last;             // full and last partial batch (NULL: none)
  reg_function *step_trace, *step_last_trace; // the same, every value kept
  // Validation: loss without penalties, and predictions, in chunks of step's `batch` rows and one of the rest
  // (NULL: none).
  reg_function *valid, *valid_last;
  // Metrics on the validation predictions, reported each epoch (may be NULL).
  reg_function *valid_metrics;
  // The model in evaluation mode on its data's fields: output PRED. NULL: it needs more than they hold.
  reg_function *predict;
  int nmetrics; // of valid_metrics; names as in evaluate ("accuracy")
  const char *const *metrics;
  // Early stopping: `watch` is "loss" or a metric's name, on the validation part; NULL: none.
  const char *watch;
  reg_watch_sense sense;
  int64_t patience; // epochs
  const char
      *epochs_fixed; // the place that needs the number of steps while compiling; NULL: epochs may change
  bool keep_best;
  bool in_order; // row k of a batch goes on with row k of the batch before, in training and in evaluation
  int nresults;
  const reg_result *results;
  int neach_epoch; // stages behind every epoch
  const struct reg_stage *each_epoch;
} reg_train;

typedef struct reg_metric {
  const char *name;
  int rank; // of its value: 0 a number, 2 a confusion matrix
  int64_t dim[REG_MAX_RANK];
  int64_t count;
  int value; // of the store, where the program reads it; -1
} reg_metric;

typedef struct reg_evaluate {
  int train;                     // the last training of the model before it, whose weights it sees
  bool untrained;                // there is none: it sees the first values of the first one behind it
  const char *model, *data_name; // "net", "digits.test"
  int data;
  const char *part;
  int target; // field index of the target for predictions.csv and class names; -1: none
  reg_function *predict, *predict_last; // chunks and rest; outputs PRED
  int64_t pred_width;
  reg_function *metrics; // on all predictions and fields
  int nmetrics;
  const reg_metric *metric;
} reg_evaluate;

// A straight line of statements: a function of the store, the seed and settings, whose outputs are in the
// store.
typedef struct reg_apply {
  const char *name; // where it stands: "prune.reg:12"
  reg_function *function;
} reg_apply;

// `report e as "round {r}"`: the name is the texts, each with the number behind it.
typedef struct reg_piece {
  const char *text;
  int value; // of the store, a number; -1: none
} reg_piece;
typedef struct reg_report {
  int npieces;
  const reg_piece *pieces;
  int nvalues;
  const int *values;        // of the store
  const char *const *paths; // of a tree's tensors; "" for the only value
} reg_report;

typedef struct reg_assertion {
  const char *text, *place; // "e.accuracy > 0.9", "prune.reg:14:3"
  int condition;            // of the store: false or 0 ends the run
  int nsides;               // 2: of a comparison; else 0
  int sides[2];             // of the store
  const char *side_texts[2];
} reg_assertion;

typedef struct reg_save {
  const char *path; // as written: relative to the folder where the program runs
  int ntensors;
  const int *tensors; // of the store; they keep their names
} reg_save;

// A statement. They act in their order.
typedef enum reg_stage_kind {
  REG_STAGE_TRAIN,    // index: training
  REG_STAGE_EVALUATE, // index: evaluation
  REG_STAGE_APPLY,    // index: apply
  REG_STAGE_INIT,     // index: apply, which gives values to those of its outputs that have none yet
  REG_STAGE_REPEAT,   // body, `value` times
  REG_STAGE_IF,       // body or otherwise, by `value`
  REG_STAGE_WHILE,    // `test` (apply), then body as long as `value` is true
  REG_STAGE_REPORT,   // index: report
  REG_STAGE_ASSERT,   // index: assertion
  REG_STAGE_SAVE      // index: save
} reg_stage_kind;
typedef struct reg_stage reg_stage;
struct reg_stage {
  reg_stage_kind kind;
  int index;
  int value, turn; // of the store; turn: the number of the loop's turn, an f64, -1: none
  int test;
  int64_t most; // WHILE: turns; more end the run (REG_ASSERTION), or the loop, where `up_to`; 0: any number
  bool up_to;
  const char *place; // "prune.reg:9:3"
  int nbody, nelse;
  const reg_stage *body, *otherwise;
};

// A number of the program that may be changed before it runs; a schedule's is minus infinity until then.
typedef struct reg_setting {
  const char *name, *doc;  // doc: its doc comment, or NULL
  double value, low, high; // low, high: infinite where the program sets no bound
  const char *fixed;       // the place that needs it while compiling, so that it cannot be changed; or NULL
} reg_setting;

typedef struct reg_program {
  const char *source_name, *source; // the program's text
  const char *besides; // what it was compiled from besides: used files, replacements of --set; or ""
  int optimize;        // how hard the compiler tried, 0 to 3
  reg_dtype dtype;     // of losses, terms, schedules, metrics and predictions: REG_F32 or REG_F64
  int ndatasets;
  reg_dataset **datasets;
  const char *const *dataset_names;
  const char *const *dataset_docs; // their doc comments, or NULL
  const reg_data_plan *plans;      // how each of them is made
  int ntrains;
  reg_train *trains;
  int nevaluates;
  reg_evaluate *evaluates;
  int nstore; // parameters of models, states of their layers, values of statements
  const reg_tensor *store;
  int napplies;
  reg_apply *applies;
  int nreports;
  const reg_report *reports;
  int nassertions;
  const reg_assertion *assertions;
  int nsaves;
  const reg_save *saves;
  int nstages;
  const reg_stage *stages;
  int nsettings;
  reg_setting *settings;
  // Compiles f (sets fn); returns 0, or fills st. NULL where all functions are there.
  int (*resolve)(void *user, reg_function *f, reg_status *st);
  void *user;
} reg_program;
#endif
