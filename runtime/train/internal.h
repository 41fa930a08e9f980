// The driver's own structures. One Run for a call of reg_run, one Training for each `train` of the program.
#ifndef REG_TRAIN_INTERNAL_H
#define REG_TRAIN_INTERNAL_H
#include "ctx.h"
#include "reg/rng.h"
#include "reg/train.h"
#include "support.h"
#include "text/text.h"
#include <pthread.h>

// Where functions read and write. Parameters and states stay in place from first to last step.
typedef struct Bank {
  void **params, **states;
} Bank;

// Where a run is in a list of stages.
typedef struct Place {
  int64_t stage; // the one that acts, or is next
  int64_t turn;  // of a loop the one under way, of an `if` the body: from 1 on; 0: it has not begun
  int64_t turns; // of `repeat`: as many as it makes
} Place;
enum { PLACE_ROWS = sizeof(Place) / sizeof(int64_t) };

// What all functions of a thread work in: only one acts at a time, and none keeps anything in it.
typedef struct Scratch {
  void *at;
  int64_t bytes;
  Heap memory; // metrics of all rows of a part may take more than there is
} Scratch;

typedef struct Run {
  const reg_program *program;
  const reg_run_options *options;
  reg_ctx *ctx;
  reg_profile *profile; // may be NULL
  reg_status *st;
  Heap heap;
  double start;
  struct Scratch *scratch;    // of a thread, shared by the runs that act on it
  struct Training *trainings; // as many as the program has; those that are under way or over have a run
  struct Evaluation *evaluations;
  struct Training *nothing; // what functions of the store alone are bound to: a training without a plan
  struct Bound *applies;    // by index, bound at first use
  void **store;             // values of the program's store, by index; NULL: none yet
  bool *initial;            // by index: nothing but initial values until now
  uint64_t around;          // made of the turns of the loops around the stage that acts; 0: outside of loops
  Place *places;            // of each list of stages that the run is in
  int depth, room;          // of `places`
  int returning;            // so many of them are those of a checkpoint, and not come to yet
  int inner;                // stages of an epoch around the stage that acts
  struct Training *under_way; // whose states belong to a checkpoint; NULL: none
  bool changed;               // since the last checkpoint, by a stage
  pthread_mutex_t *guard;     // of a run of a sweep: compiling is one thread's; NULL: there is no other run
  double *known;              // by index: what was found; 0: nothing yet
  int64_t *sweep_acts;        // by index: how often each sweep began
  int64_t lost;               // runs of sweeps that failed
  double share;               // of their epochs that trainings make, rounded up; 0: all
  const reg_stage *stages;    // all that it does
  int nstages;
  struct Told *reports, **reports_end; // of a run of a sweep: its reports, told when it is over
  struct Reason *reasons;              // why runs of sweeps failed
  struct Curve *curves; // what the trainings of a run of a sweep did; of the run around: those that may go on
  int sweeps;           // around it
  bool stays;           // no checkpoint any more: a later run goes on with what --steps has ended
  char *checkpoint;     // the file; NULL: none is written
  int asked;            // for checkpoints until now, by a signal
  struct Needless *needless;            // checkpoints that the next one makes so
  double checkpointed, checkpoint_cost; // when one was last written; seconds it took
  int rank, ranks, ranks_file;          // of processes that share its sweeps; 0 ranks: it is alone
  int parent;                           // who started these; 0: it is alone
  int64_t ended[3];                     // of a run of a sweep that others read: 1 + code, training, step
  char *folder;                         // run directory, or NULL
  int lock, metrics;                    // descriptors of the folder, locked, and of metrics.jsonl; -1
  int64_t metrics_size;                 // bytes of it
  int board;                            // TensorBoard's file, or -1
  int64_t told, lines;  // lines of it but for starts of trainings; those that a checkpoint goes on from
  int write_error;      // errno of a failed line of metrics.jsonl
  double *step_seconds; // of full batches, when profiling
  int64_t timed, timed_room;
} Run;

// A function with every slot pointing somewhere. FIELD slots have buffers of their own, filled by
// bound_gather.
typedef struct Bound {
  reg_function *f; // NULL: the program has none
  void **slots;
  void **draws; // of f->draws
} Bound;

// Bound at first use: the first step does not wait for the compilation of the last.
typedef struct Steps {
  Bound full, last;
} Steps;

typedef struct Validation {
  Bound full, rest, metrics;
  void *chunk, *all;
  int64_t width;
  bool bound; // at the end of the first epoch
} Validation;

// Data besides those of the epochs. A step takes the next rows of an order that goes on from pass to pass, so
// that the number of the step tells them.
typedef struct Further {
  const reg_dataset *data;
  const reg_part *part, *valid_part;
  int64_t pass, *order; // of that pass: places among the part's rows
  uint64_t seed;        // likewise
  int64_t *rows;        // of the batch
} Further;

// Where the rows of data are in states that have one for each.
typedef struct Samples {
  const reg_part *part; // NULL: no state has
  int32_t *row_of;      // of each row of the table
  int64_t *places;      // of the batch's rows
  int64_t count;        // of the batch
} Samples;

typedef struct Solving Solving; // solving.c

enum { MOST_TOGETHER = 32 };

// Trainings of one plan, seed and data that make each step one after the other: rows are arranged and
// gathered, and draws made, by one of them for all.
typedef struct Together {
  const Bound *full, *last; // the steps of the first member that was bound, whose FIELD, FURTHER and DRAWN
                            // slots all of them read; NULL: none has been
  bool gathered;            // the rows and draws of this step, by the first one that makes it
  const int64_t *order;     // of all rows, in this epoch; NULL: none has arranged them yet
  int32_t epoch;
} Together;

typedef struct Reach Reach;
typedef struct Training {
  Run *run;
  Together *together;  // NULL: it is alone
  bool live, steps_on; // it is neither over nor failed; it makes the next step of its epoch
  const reg_train *plan;
  const reg_dataset *data;
  const reg_data_other *columns; // of a line of statements
  const reg_part *part, *valid_part;
  Further *further;
  Bank now, epoch_start, best;
  int32_t seed[2], step, epoch, turn;
  uint64_t full_seed;
  double total; // planned updates
  // Of the program's type: see value_at.
  void *objective, *loss, *terms, *schedules, *valid_metrics, *norms;
  void *predictions;            // of one chunk, or of all rows where a metrics function reads them
  int64_t skipped;              // steps of this epoch that were made before this run
  int64_t per_epoch, rows_done; // updates an epoch; rows of the finished steps of this epoch
  int64_t began;                // updates when this epoch began
  int64_t *order, rows;         // of this epoch: rows of the table, and how many
  struct Reach *reach;          // rows of steps to come, from its first step on
  int64_t *kept;                // room for two numbers for each row of the part
  double *weights;              // likewise: sums of weights
  Samples *samples;             // of its data and its further data
  double loss_sum, objective_sum, *term_sum, *term_mean, *schedule_now, *metric_now; // sums over rows
  double started;
  int64_t best_epoch;
  double best_value;
  bool has_best;
  bool resumed;                      // what it starts from is that of a checkpoint
  bool done;                         // it has ended: nothing is left to train
  int64_t lines;                     // Run.told before it told its end; 0: it has not
  int64_t acts;                      // how often it began
  bool *fresh_params, *fresh_states; // what `init` gives values to: no stage had when it began
  Bound init, start;
  Steps steps;
  Validation valid;
  Bound measure;            // of norms of gradients
  double *norm_now;         // likewise
  Solving *solving;         // of one that is solved, from its first act on
  void **solve_places;      // by reg_solve_slot
  const reg_solved *solved; // what came of the last act
  const Bound *gathered;    // of one that is solved: where its rows are already
  int64_t epochs_before;    // resumed from a training for as many epochs; 0: for these
  const char *reason;
} Training;

// One `evaluate`: bound at its first act.
typedef struct Evaluation {
  Bound predict, rest, metrics;
  void *chunk, *all, **values;
  int64_t acts;
} Evaluation;

// Element i of what functions give: losses, terms, schedules, metrics.
static inline double value_at(const Training *t, const void *values, int64_t i) {
  return reg_float_at(values, t->run->program->dtype, i);
}

// Compiles f where it is not yet: its slots are unknown before. NULL is fine.
int resolve_function(Run *r, reg_function *f);
// Resolves f and points its slots into `bank` and t. `metrics` and `predictions` are t's
// unless given.
int bind_function(Training *t, reg_function *f, const Bank *bank, void *predictions, void **metrics,
                  Bound *out);
// Fills the FIELD slots with `count` rows of the table.
int bound_gather(const Training *t, const Bound *b, const int64_t *rows, int64_t count);
// In a step the tokens of texts that are cut anew take their place: in slots of a kind, whose first field is
// that of index `first`; `which` keeps draws of several data apart. A status code.
typedef struct RecutPlace {
  reg_slot_kind kind;
  int first, which;
} RecutPlace;
int texts_recut(const Training *t, const Bound *b, const reg_dataset *d, const RecutPlace *at,
                const int64_t *rows, int64_t count);
// bound_gather of a step, with them.
int step_gather(const Training *t, const Bound *b, const int64_t *rows, int64_t count);
void prefetch_row(const char *row, size_t bytes);
// Rows of a field into a slot's buffer.
int gather_rows(const Training *t, const reg_field *field, const reg_slot *s, const int64_t *rows,
                int64_t count, void *to);
// Before rows `first` to `first + count` of the order are gathered; and when this is another order.
int reach_to(Training *t, int64_t first, int64_t count);
void reach_forget(Training *t);
// Those rows of a field of t->data, one behind the other, or NULL: gather them.
const char *reach_rows(const Training *t, const reg_field *f, bool classes, const int64_t *rows,
                       int64_t count);
// Rows that will be gathered soon.
void rows_next(const Training *t, const int64_t *rows, int64_t count);

int further_new(Training *t);
// The field of a FURTHER slot, and the index of its data; NULL: there is none.
const reg_field *further_field(const Training *t, const reg_slot *s, int *index);
// Fills the FURTHER slots, and finds the rows of SAMPLE slots, with the batch of a step, or of a chunk of
// validation: the `number`-th, from 0 on.
int further_gather(const Training *t, const Bound *b, bool validates, int64_t number);
// Behind it, in a step: what texts are cut into anew. A status code.
int further_recut(const Training *t, const Bound *b);
// -- samples.c
int samples_find(Training *t); // where the rows of its data are in states that have one for each
// The SAMPLE slots of a step: its rows, from the states and back to them. `behind`: so many rows of the epoch
// follow `rows`.
void samples_read(const Training *t, const Bound *b, const int64_t *rows, int64_t count, int64_t behind);
void samples_write(const Training *t, const Bound *b);
void samples_keep(const Training *t, int state, void *out); // all of it; of rows, in the order of the part
int measure_norms(Training *t, reg_event *e); // measure.c: behind an epoch, of which `began` is the start
// REG_OK, or the fault that ended it (in the run's status).
int bound_call(const Training *t, Bound *b);
int bound_draw(const Training *t, const Bound *b); // what it reads of its draws

int store_new(Run *r); // with what the options keep
void store_keep(const Run *r);
int store_given(const Run *r, int index);     // REG_OK, or that it has no value
void *store_take(Run *r, int index);          // its memory, which may be new; NULL: there is none left
double store_number(const Run *r, int index); // its first element
int store_call(Run *r, int apply);            // a function of the store
int store_init(Run *r, int apply);            // the same for those of its outputs that have no values
// What draws are keyed by: outside of loops the seed itself.
uint64_t seed_around(const Run *r, uint64_t seed);
uint64_t turn_around(uint64_t around, int64_t turn); // Run.around within a loop's turn
void training_seed(Training *t, uint64_t seed);

int bank_new(Training *t, Bank *bank);
// t->now: the tensors of the model are those of the store. fresh[i]: it had no values yet.
int bank_join(Training *t, bool *fresh_params, bool *fresh_states);
void bank_copy(const Training *t, const Bank *to, const Bank *from);
bool bank_finite(const Training *t, const Bank *bank);

// One update with the epoch's rows [begin, begin + count). Returns its fault, or inspect's code.
// -- rows.c
int rows_new(Training *t);     // room for an epoch's rows
int rows_arrange(Training *t); // its rows in their order; a fault of what the program draws them by
int64_t step_rows(const Training *t, int64_t index);
int take_step(Training *t, Steps *steps, int64_t index, bool inspected);
int solving_new(Training *t); // memory, and its functions; done once
// The parameters of the least objective. `stopped`: an interrupt came first, and they are as they were.
int training_solve(Training *t, bool *stopped);
bool step_is_finite(const Training *t);

// With what the training starts from, before it starts; done once.
int training_new(Run *r, int index);
// Puts the weights that are given in the place of the model's initial values; of a run's folder those of its
// last training. Nothing where none are given, or a stage has changed the model's tensors.
int training_weights(Training *t);
// So many trainings of one plan, each with its code. Of several, all are at their start.
void trainings_run(Training **of, int *codes, int n);
// -- together.c
int together_bind(Training *t, bool full, Bound *b);
int64_t together_bytes(
    const reg_program *p,
    const reg_variant *v); // that a run of it goes over in each step; 0: nothing is to be made together
// After step `index` of the epoch went wrong: leaves the last good weights in t->now, and says in st what was
// born where.
int explain_divergence(Training *t, int64_t index);
// Where a pass in order finds its i-th row among n: batch by batch, of each lane the next one. There are as
// many lanes as a batch has rows; the first ones have a row more where they do not come out even, and are the
// last batch.
int64_t lane_row(int64_t n, int64_t batch, int64_t i);
// Runs `full` and `rest` over the rows of a part; predictions of all rows go to out (may be NULL). Mean loss
// in *loss (may be NULL).
int run_chunks(Training *t, const reg_part *part, Bound *full, Bound *rest, void *chunk, void *out,
               int64_t width, double *loss);
int evaluate_run(Training *t, int index);
// In their order; where the run goes on from a checkpoint, from its place.
int stages_run(Run *r, const reg_stage *list, int n);
// The same for several runs, each with its code: stage by stage, trainings together.
void stages_together(Run **of, int *codes, int n, const reg_stage *list, int count);
int places_room(Run *r, int depth);
Place *place(const Run *r); // of the stage that acts

// -- sweep.c
int sweep_stage(Run *r, const reg_stage *s);
// The columns of reg_sweep.state: how a run ended; of one that diverged also the training and its step;
// rounds of halving that it made.
enum { RUN_ENDED, RUN_TRAIN, RUN_STEP, RUN_ROUNDS, RUN_COLUMNS };
enum { RUN_MISSING, RUN_FINISHED, RUN_DIVERGED, RUN_FAILED, RUN_PAUSED, RUN_DROPPED };
int32_t *sweep_state(const Run *r, const reg_sweep *s, int64_t run);
double *sweep_at(const Run *r, const reg_sweep *s, int64_t run); // of each axis its number or place
// -- words.c
struct reg_saved_tensor;
struct reg_saved;
// A report of a run of a sweep, kept until that is over: a run that is killed has told nothing.
typedef struct Told {
  const reg_report *report;
  const char *name;
  const void **values;
  const reg_view_row *rows; // of a view
  const double *at;         // of each row; of a plot its points
  int64_t nrows, chosen;
  struct Told *next;
} Told;
typedef struct Reason {
  int64_t sweep, run;
  const char *text;
  struct Reason *next;
} Reason;
int64_t told_beside(const Run *r, const reg_report *report, int64_t nrows); // how many numbers `at` has
int told_add(Run *r, const Told *told); // a copy of it, and of what it points to
int reason_add(Run *r, int64_t sweep, int64_t run, const char *text);
const char *reason_of(const Run *r, int64_t sweep, int64_t run); // NULL: none
void reasons_forget(Run *r, int64_t sweep);
// In a checkpoint: so many tensors, written behind those that are there; read from it.
int words_count(const Run *r);
int words_put(Run *r, Heap *heap, struct reg_saved_tensor *out, int *n);
int words_read(Run *r, const struct reg_saved *saved, int *found, bool *damaged);
// -- curves.c
typedef struct Curve {
  reg_course told;
  int64_t stride;     // of the epochs that are kept, but for the last one
  int64_t sweep, run; // in the run around; -1: its own
  struct Curve *next;
} Curve;
void curve_epoch(Run *own, const reg_event *e); // of a run of a sweep
// Of a run that may go on: kept in the run around, in the place of those of its rounds before; NULL: none.
int curves_keep(Run *r, int64_t sweep, int64_t run, const Run *own);
// Those of a run, or its own where `sweep` is -1: as many as there are, at most REG_CURVES.
enum { REG_CURVES = 16 };
int curves_of(const Run *r, int64_t sweep, int64_t run, const reg_course **out);
int curves_count(const Run *r); // in a checkpoint
int curves_put(Run *r, Heap *heap, struct reg_saved_tensor *out, int *n);
int curves_read(Run *r, const struct reg_saved *saved, int *found, bool *damaged);
int report_runs(Run *r, const reg_report *report, const char *name, const void *const *values); // views.c
// -- ranks.c
void ranks_find(Run *r);                    // who it is
int ranks_invite(Run *r, const char *path); // the first: `path` says where it is; waits for the others
void ranks_farewell(Run *r);                // waits until they have ended
int ranks_join(Run *r);                     // another one
bool is_interrupted(
    const Run *r); // something outside ends it: a signal, or that who started the ranks is gone
static inline bool is_guest(const Run *r) { return r->ranks && r->rank > 0; }
bool ranks_claim(const Run *r, int sweep, int64_t run); // false: another process acts for the run
void ranks_release(const Run *r, int sweep, int64_t run);
int ranks_write(Run *own, int round, int code);  // what came of it, for the others
int ranks_read(Run *own, int round, bool *over); // the same, where it is there; its code
// -- sweep_table.c
int sweep_table(Run *r, int index); // into the run directory, where there is one
int sweeps_lost(
    const Run *r); // at the end of a program: how many of their runs failed, and why the first did
void sweep_label(const Run *r, const reg_sweep *s, int64_t run, Text *o); // "lambda = 0.1, seed = 3"

void send_event(Run *r, reg_event *e);
// A tensor of the store for a file, with a copy of its values where they are of a type that files have not.
int store_saved(Run *r, int index, Heap *heap, struct reg_saved_tensor *out);

// The training's results in the store: at its begin, behind an epoch, at its end.
int outcome_new(const Training *t);
void outcome_states(const Training *t); // what its states are now
void outcome_epoch(const Training *t, const reg_event *e);
void outcome_end(const Training *t);

// Writes the run between two steps or stages; nothing without a run directory, nor where it cannot be gone on
// from.
int checkpoint_write(Run *r);
// The same before a step, or behind a stage, where it is asked for, or as often as the options say.
int checkpoint_step(Training *t);
int checkpoint_stage(Run *r);
// Sets the run back to its checkpoint, where there is one; a damaged or foreign one is REG_BAD_DATA.
int checkpoint_read(Run *r);
// One of both; of a run without a folder in the file beside it.
int checkpoint_aside(Run *r, int (*what)(Run *r));
// The file goes when the run's next checkpoint is there, or the run is over.
int checkpoint_needless(Run *r, const char *path);
void checkpoint_clear(Run *r, bool files); // false: they stay

int folder_open(Run *r);             // makes the run directory and what is written at the start
int weights_save(const Training *t); // into the run directory, where there is one
bool is_folder(const char *path);
int folder_predictions(Training *t, const reg_evaluate *e, const void *predictions, const reg_part *part);
int folder_write(Run *r, const char *name, const void *bytes, size_t size);
int folder_close(Run *r, int code); // how the run ended

// board.c
int board_open(Run *r); // where TensorBoard's file is wanted
void board_put(Run *r, const reg_event *e);
void board_close(Run *r);
// `rows`: places in the table of `target` (NULL: there is none) and of `called`, what rows are called.
void predictions_put(Text *o, const reg_field *target, const reg_field *called, const int64_t *rows,
                     const void *predictions, reg_dtype type, int64_t count, int64_t width);
// What the `answer` of t gave for rows of another file.
void answers_put(Text *o, const reg_train *t, const reg_dataset *d, const reg_rows *rows, const void *values,
                 reg_dtype type, int64_t width);
#endif
