// The training driver: one for `regc run` and for standalone binaries. It walks a reg_program: epochs,
// shuffled batches, the step, validation, early stopping, evaluation; it reports through events and writes
// the run directory.
#ifndef REG_TRAIN_H
#define REG_TRAIN_H
#include "program.h"

// One thing that happened. Numbers that a kind does not use are 0; strings NULL.
typedef enum reg_event_kind {
  REG_EVENT_TRAIN_START,
  REG_EVENT_STEP,
  REG_EVENT_EPOCH,
  REG_EVENT_TRAIN_END,
  REG_EVENT_EVALUATE,
  REG_EVENT_REPORT,
  REG_EVENT_FLIGHT, // where runs of a sweep are: for whoever looks on, at most every 80 ms; not in files
  REG_EVENT_RUN,    // one of a sweep is over
  REG_EVENT_SWEEP,  // all of them are
  REG_EVENT_ERROR
} reg_event_kind;

// A row of what is told of the runs of a sweep. BEST: runs with the same values on the axes that are not
// taken together, n of them, and the mean and standard error of what they are judged by. COMPARE: the n pairs
// of runs that differ in one axis alone, the mean of their differences, its standard error, its interval of
// 95 %, and Student's test that it is 0, or Wilcoxon's of ranks, in whose case `t` is W and there is no
// interval; p also corrected for as many rows (Holm 1979). NaN: not known.
typedef struct reg_view_row {
  int64_t run; // one of them
  int64_t n;
  double mean, error, low, high, t, p, corrected;
  bool exact; // p of ranks: else by the normal approximation
} reg_view_row;
// What a training did in a run of a sweep, by its epochs: of a long one some of them.
typedef struct reg_course {
  const reg_train *train;
  int64_t act;    // as of its events
  int64_t n;      // epochs
  double *points; // rows: its number, loss, objective, validation loss, terms, metrics
  int64_t nnorms; // epochs behind which gradients were measured
  double *norms;  // rows: its number, of the loss, of each term
} reg_course;
enum { REG_CURVE_TERMS = 4, REG_CURVE_NORMS = 2 }; // where those of the terms begin

// What came of a training that is solved.
typedef struct reg_solved {
  double gap;             // of the objective, relative to that of parameters that are all 0
  int64_t passes, active; // made; parameters that are not 0
  int64_t ngaps;          // of the first blocks of passes: the gap before each, and at last
  const double *gaps;
} reg_solved;

typedef struct reg_event {
  reg_event_kind kind;
  const reg_program *program;
  const reg_train *train;
  const reg_evaluate *evaluate;
  const reg_report *report;
  const reg_sweep *sweep; // RUN, SWEEP
  int64_t run, done;      // RUN: its number from 0 on; how many are over, of all acts of this sweep the last
  int64_t here;           // RUN, FLIGHT: how many of these in this process
  const struct reg_flight *flights; // FLIGHT: of the runs under way in this process
  int64_t nflights;
  int64_t diverged, failed; // SWEEP: runs; failed: of another reason
  const reg_view *view;     // REPORT of runs; else NULL
  const reg_view_row *rows; // its nrows rows
  int64_t nrows, chosen;    // BEST: the row that is; -1: none
  const double *points;     // PLOT: of each of npoints elements its means along the axis; NaN: no run has one
  int64_t npoints;
  const double *at; // RUN: its number on each axis, or the place of the label; of runs: of each row
  double share;     // RUN: of its epochs, by halving; 1: all
  const reg_course *const *curves; // RUN: of its trainings
  int ncurves;
  const char *name; // REPORT: with its numbers
  int64_t act;      // TRAIN_*, EPOCH, EVALUATE: which time the training or evaluation acts, from 1 on
  uint64_t seed;
  int64_t epoch, epochs; // finished passes
  int64_t step, steps;   // finished updates, planned ones
  int64_t epochs_before; // TRAIN_START: it goes on with a training that was planned for as many; 0: for these
  double seconds;        // since the start of training
  double loss, objective;  // means over the epoch's (or so far) samples
  const double *terms;     // means over the epoch, train->nterms
  const double *schedules; // values at the last step
  const double *norms;     // EPOCH: of the gradients of the loss and of each term; NULL: not measured
  bool has_valid;
  double valid_loss;
  const double *valid_metrics; // train->nmetrics
  bool best;                   // this epoch is the best so far
  int64_t best_epoch;
  const char
      *reason; // TRAIN_END: "finished", "stopped", "early stopping", "steps", "interrupted", "diverged"
  const void *const *values; // EVALUATE: for each metric its array, of the program's type; REPORT: for each
                             // value that of the store
  const reg_solved *solved;  // EPOCH, TRAIN_END; NULL: it is not solved
  const reg_status *status;  // ERROR; RUN: of one that failed, else NULL
} reg_event;

// A run of a sweep that is under way: where its training is.
typedef struct reg_flight {
  int64_t run;
  const double *at; // its number on each axis, or the place of the label
  const reg_train *train;
  int64_t epoch, epochs;
  double loss;  // of the last epoch
  double share; // of its trainings' steps that are made, by their number
} reg_flight;

typedef void (*reg_sink)(void *user, const reg_event *e);

// A training's weights where they lie, for whoever keeps them between runs. `begin` may change all of it but
// `train`, `best` and `per_epoch`: training then goes on behind `step` finished updates, of which `epoch`
// whole passes.
typedef struct reg_weights {
  const reg_train *train;
  void *const *params, *const *states;    // in the order of train->params and train->states
  void *const *best, *const *best_states; // the best so far; NULL where the program does not keep them
  bool has_best;                          // an epoch was the best so far: they hold its weights
  double best_value;                      // of what is watched
  int64_t best_epoch, epoch, step, per_epoch;
  bool done;          // by `begin`: nothing is trained, these weights are evaluated
  const char *reason; // at the end: as in reg_event
} reg_weights;

typedef struct reg_run_options {
  int threads; // 0: all cores
  uint64_t seed;
  bool has_seed;
  int64_t max_steps;    // 0: no limit
  const char *out_dir;  // NULL: runs/NAME-NUMBER; "": write nothing
  bool resume;          // go on from the checkpoints in out_dir, where there are any
  const char *weights;  // a file, or a run's folder: what trainings start from in place of initial values
  bool evaluate_only;   // nothing is trained: `weights` are evaluated
  const char *run_info; // JSON object members for run.json (versions, options), may be NULL
  reg_sink sink;
  void *sink_user;
  // Called around each step where set (--check): phase 0 before it, 1 after it. Non-zero stops the run with
  // that code.
  int (*inspect)(void *user, int phase, const reg_train *t, const reg_function *f, void *const *slots,
                 int64_t step);
  void *inspect_user;
  // Called where set: `begin` when a training's weights have their initial values (non-zero ends the run with
  // that code), `end` behind its last step, while they are still the last ones, not yet the best.
  int (*begin)(void *user, reg_weights *w);
  void (*end)(void *user, const reg_weights *w);
  // For whoever keeps the store between runs: `kept` gives the values that a tensor of the program's store
  // starts with, NULL: it has none yet; `keep` sees, when the run is over, however it ended, those of each
  // one that has any.
  const void *(*kept)(void *user, int stored);
  void (*keep)(void *user, int stored, const void *values);
  void *weights_user; // of all four
  // A number of the program is found to be another one than it is compiled for: the run ends with REG_AGAIN,
  // and goes on with `resume` in `folder`, or, where it has none, which is "", from the file `aside`. NULL:
  // it is a failure.
  void (*known)(void *user, int index, double number, const char *folder);
  void *known_user;
  const char *aside;
  bool step_events;             // send REG_EVENT_STEP (progress line)
  volatile int *interrupt;      // set by a signal handler: finish the step, write, stop
  volatile int *checkpoint_now; // counted up likewise: finish the step, write a checkpoint, go on
  double checkpoint_seconds;    // between checkpoints; 0: at the end of every epoch
  bool has_checkpoint_seconds;  // else 1 s, or what keeps writing below a twentieth of the time
  bool tensorboard;             // an event file in the run's folder
  bool profile;                 // collect time in gemm and kernels
} reg_run_options;

typedef struct reg_profile {
  double total_s, gemm_s,
      first_step_s; // in steps; inside reg_gemm; from the run's start to the end of the first step
  int64_t steps;
  double median_step_s, fast_step_s; // over all full-batch steps but the first; a tenth are faster
} reg_profile;

// weights.safetensors: the parameters, and the states of layers, by name. Reading fills them in, in place, or
// changes nothing and names in st every tensor that is missing, unknown or of another shape: weights_bad
// (REG_BAD_DATA), as for a file that is damaged or of another format; weights_missing (REG_MISSING_INPUT)
// where it cannot be read at all.
int reg_weights_write(const reg_train *plan, void *const *params, void *const *states, const char *path,
                      reg_status *st);
int reg_weights_read(const reg_train *plan, void *const *params, void *const *states, const char *path,
                     reg_status *st);
// The same from `path`, a file or the folder of a run (weights.safetensors, or weights-NAME.safetensors, by
// the name of `whose`, where the program has several trainings; with a number behind the name of what it left
// when it acted for the `act`-th time, if that is not the first; 0: the last), and reg_weights_loaded: all
// that a model predicts by. `model`: of this one only; NULL: of all that t trains.
int reg_weights_load(const reg_program *p, const reg_train *whose, int64_t act, const reg_train *t,
                     const char *model, const char *path, void *const *params, void *const *states,
                     reg_status *st);
bool reg_trains_model(const reg_train *t, const char *model);
bool reg_trains_tensor(const reg_train *t, const char *name); // its model
// Fills in the tensors of loaded models, which the program holds.
// What `known(…)` has found in the run that left these weights, a folder or a file in one: each is given to
// `note`.
void reg_weights_known(const char *weights, void (*note)(void *user, const char *name, double value),
                       void *user);
void reg_weights_loaded(const reg_train *t, void *const *states);
// The same for any tensors: values[i] becomes what the file holds under wanted[i].name.
int reg_tensors_read(int count, const reg_tensor *wanted, void *const *values, const char *path,
                     reg_status *st);

int reg_run(const reg_program *p, const reg_run_options *o, reg_profile *profile, reg_status *st);

// 0 threads: all cores. From new to free, denormals are flushed to zero on the calling thread as on the
// context's own; the context is used from that thread only. NULL: out of memory.
reg_ctx *reg_ctx_new(int threads);
void reg_ctx_free(reg_ctx *c);
int reg_ctx_threads(const reg_ctx *c);
// OpenBLAS's own description of its build and of the kernels that products will use. Before there is a
// context, the first call or reg_ctx_new chooses kernels for this processor where OpenBLAS does not know it.
const char *reg_blas_version(void);
// Bytes of memory that this process may have: the machine's, or by its limits and those of its control
// groups.
size_t reg_memory_most(void);
// Why a compiled function did not return 0.
int reg_ctx_fault(const reg_ctx *c, reg_status *st);

// What a compiled function, or the interpreter, refuses at a place of the program.
typedef enum reg_fault_kind {
  REG_FAULT_INDEX,        // `value` is no whole number from 0 to below `size`
  REG_FAULT_NOT_FINITE,   // matrix number `value` of `size`, rows x cols, has an infinite or NaN element
  REG_FAULT_SINGULAR,     // it is singular to rounding
  REG_FAULT_NOT_POSITIVE, // it is not positive definite to rounding
  REG_FAULT_NO_LIMIT,     // its decomposition does not converge
  REG_FAULT_TURNS         // a loop would go on after all its turns, and what it watches is `value`
} reg_fault_kind;
typedef struct reg_fault {
  reg_fault_kind kind;
  const char *place;
  double value;
  int64_t size, rows, cols;
} reg_fault;
int reg_fault_status(const reg_fault *f, reg_status *st); // REG_BAD_DATA; of turns REG_ASSERTION
// An index or class that is no whole number from 0 to below size: REG_BAD_DATA.
int reg_index_fault(const char *place, double value, int64_t size, reg_status *st);
#endif
