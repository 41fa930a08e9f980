// A compiled program: the tables that the training driver walks. Built by `regc` in memory, or emitted into a
// standalone binary. Their members are the rows of program.def.
#ifndef REG_PROGRAM_H
#define REG_PROGRAM_H
#include "abi.h"
#include "data.h"

typedef enum reg_slot_kind {
  REG_SLOT_SCRATCH,
  REG_SLOT_PARAM,   // index: parameter (read and overwritten in training)
  REG_SLOT_STATE,   // index: state (likewise)
  REG_SLOT_FIELD,   // index: field of the data set, `batch` rows (floats, or i32 for classes and id)
  REG_SLOT_FURTHER, // index: field of further data, whose fields follow each other's; likewise, of their own
                    // batch
  REG_SLOT_PRED,    // predictions: output of `predict`, `batch` rows; input of `metrics`, all rows
  REG_SLOT_SEED,    // int32_t[2]
  REG_SLOT_STEP,    // int32_t: finished updates
  REG_SLOT_EPOCH,   // int32_t: finished passes
  REG_SLOT_TURN,    // int32_t: batches since the pass over a part began
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
  REG_SLOT_OTHER,     // index: column of other data that such a function reads, like FIELD
  REG_SLOT_ROWS,      // places of the rows that are picked, int32_t out
  REG_SLOT_COUNT,     // double out: how many of them; where it is missing: all
  REG_SLOT_SAMPLE,    // index: state with a row for each row of a table; those of the batch, read and
                      // overwritten
  REG_SLOT_SOLVE,     // index: reg_solve_slot; doubles
  REG_SLOT_NORM,      // index: 0 the loss, 1 + that of a term: the norm of its gradient, out
  REG_SLOT_DRAWN      // index: output of the function's `draws`; rows of none
} reg_slot_kind;

// What the functions of a training that is solved take and give. N rows, c outputs of the model.
typedef enum reg_solve_slot {
  REG_SOLVE_POINT,     // [n, c] the model's result z: in of `curve`
  REG_SOLVE_VALUE,     // the loss at z
  REG_SOLVE_SLOPE,     // [n, c] its derivative by z
  REG_SOLVE_CURVATURE, // [n, c] of that of each element by itself
  REG_SOLVE_DUAL,      // [n, c] in of `dual`: a slope
  REG_SOLVE_CONJUGATE, // the conjugate of the loss there
  REG_SOLVE_ENVELOPE,  // of `curve`, by a step and multipliers [n, c]: slope and curvature are its own then
  REG_SOLVE_STEP,
  REG_SOLVE_MULTIPLIERS,
  REG_SOLVE_GAP,    // that is asked for
  REG_SOLVE_OFFSET, // [n, c] the part of z that no parameter is in
  REG_SOLVE_BLOCKS  // the first one of the blocks' slots, REG_BLOCK_SLOTS each
} reg_solve_slot;

// Of the k-th block: REG_SOLVE_BLOCKS + k * REG_BLOCK_SLOTS + one of these.
typedef enum reg_block_slot {
  REG_BLOCK_ABSOLUTE, // strengths of the penalty's parts
  REG_BLOCK_SQUARE,
  REG_BLOCK_NORMS,
  REG_BLOCK_SINGULAR,
  REG_BLOCK_LOW, // [columns, c]: the ends of a box
  REG_BLOCK_HIGH,
  REG_BLOCK_FEATURES, // [n, columns]
  REG_BLOCK_SLOTS
} reg_block_slot;

// What `answer` gives.
typedef enum reg_answer {
  REG_ANSWER_OUTPUTS,  // the model's outputs, or what they mean of something that has no name
  REG_ANSWER_PROBABLE, // probabilities
  REG_ANSWER_CLASSES,  // of the target's classes; one alone: of the second of two
  REG_ANSWER_NUMBER    // of the target's unit
} reg_answer;

// Which rows of the training part a pass takes.
typedef enum reg_sample {
  REG_SAMPLE_ALL,
  REG_SAMPLE_WEIGHTS, // drawn, each as likely as its weight says, any number of times
  REG_SAMPLE_KEPT,    // those that are kept, in batches of one size: the last one is filled up with the first
                      // ones
  REG_SAMPLE_NEAR     // all, in batches of rows whose numbers are near each other
} reg_sample;

typedef enum reg_watch_sense { REG_WATCH_MIN, REG_WATCH_MAX } reg_watch_sense;

// What a training leaves in the store: numbers (of the program's floats), and histories of `epochs` numbers,
// of which as many are there as epochs were made.
typedef enum reg_result_kind {
  REG_RESULT_LOSS, // of the last epoch, training part
  REG_RESULT_OBJECTIVE,
  REG_RESULT_VALID_LOSS,
  REG_RESULT_METRIC, // index: metric, on the validation part
  REG_RESULT_LOG,    // index: term
  REG_RESULT_STATE, // index: state, behind the last epoch; of rows, those of the training part in their order
  REG_RESULT_EPOCHS,    // passes made, f64
  REG_RESULT_STEPS,     // updates made, f64
  REG_RESULT_BEST_EPOCH // f64
} reg_result_kind;

// What a statement does.
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
  REG_STAGE_SAVE,     // index: save
  REG_STAGE_SWEEP,    // index: sweep
  REG_STAGE_REFUSED,  // of a run whose values are wrong: `place` says why
  REG_STAGE_KNOWN     // index: known; its number is `value`
} reg_stage_kind;

// What a search knows of an axis: a list, of numbers that rise, or a range, whose ends are its numbers.
typedef enum reg_axis_kind { REG_AXIS_LIST, REG_AXIS_ORDERED, REG_AXIS_REAL, REG_AXIS_LOG } reg_axis_kind;

// Which runs of a sweep act, and with which values.
typedef enum reg_search_kind {
  REG_SEARCH_NONE,   // all
  REG_SEARCH_TPE,    // values are chosen by what came of runs before
  REG_SEARCH_HALVING // the better ones train on
} reg_search_kind;

typedef enum reg_view_kind { REG_VIEW_BEST, REG_VIEW_COMPARE, REG_VIEW_PLOT } reg_view_kind;

// Compiles f (sets fn); returns 0, or fills st.
typedef int (*reg_resolve)(void *user, struct reg_function *f, reg_status *st);

#define TABLE "program.def"
#include "structures.h"

static inline size_t reg_tensor_bytes(const reg_tensor *t) {
  return (size_t)t->count * reg_dtype_bytes(t->dtype);
}

// Which of the axis's values a run of the sweep has.
static inline int64_t reg_sweep_value(const reg_sweep *s, int axis, int64_t run) {
  for (int i = s->naxes - 1; i > axis && !s->drawn; i--) run /= s->axes[i].count;
  return s->drawn ? run : run % s->axes[axis].count;
}
#endif
