// What a checkpoint holds: checkpoint.c writes it, resume.c reads it.
//
// Tensors: `store NUMBER NAME` for each tensor of the store that has values; of the training under way `state
// NAME`, its own, and `best NAME` (what weights hold, at the best epoch so far); what runs of sweeps have
// told (words.c); and tables, rows of four numbers of 16 bits, low ones first, each row one 64-bit value.
#ifndef REG_TRAIN_CHECKPOINT_H
#define REG_TRAIN_CHECKPOINT_H
#include "reg/safetensors.h"
#include "train/internal.h"

// The table `meta`.
typedef enum MetaRow {
  META_VERSION,
  META_PROGRAM,   // hash of the program's text
  META_BESIDES,   // of the files that it uses, and of replaced definitions
  META_OPTIMIZE,  // how hard the compiler tried: other bits
  META_PRECISION, // bits of a number
  META_LINES,     // of metrics.jsonl, but for starts of trainings
  META_LOST,      // runs of sweeps that failed
  META_DEPTH,     // lists of stages that the run is in
  META_TRAIN,     // number of the training under way, from 1 on; 0: none
  META_EPOCH,     // finished passes
  META_STEP,      // finished updates
  META_BEST_EPOCH,
  META_HAS_BEST,
  META_BEST_VALUE,  // bits of the double
  META_DONE,        // the training has ended
  META_TRAIN_LINES, // the same before it told its end: what it goes on from, if it is not over
  META_ENDED,       // of a run of a sweep that is over: see Run.ended
  META_ENDED_TRAIN,
  META_ENDED_STEP,
  META_BEGAN, // finished updates when the pass under way began
  META_SUM,   // of all the tensors and the rows above: a damaged file is not gone on from
  META_ROWS
} MetaRow;

// The others, in the order of the file's description.
typedef enum TableKind {
  TABLE_TRAININGS,   // TrainRow of each
  TABLE_EVALUATIONS, // how often each acted
  TABLE_SWEEPS,      // likewise
  TABLE_DATA,        // hash of the checksum of each set
  TABLE_KNOWN,       // bits of the numbers that the program has found; 0: not yet
  TABLE_SETTINGS,    // bits of the numbers that may be changed
  TABLE_PLACES,      // Place of each list that the run is in
  TABLE_SUMS,        // bits of the sums of the epoch under way: loss, objective, each term
  TABLES
} TableKind;
enum { TRAIN_BATCH, TRAIN_EPOCHS, TRAIN_SEED, TRAIN_ACTS, TRAIN_ROWS };

typedef struct Table {
  const char *name;
  int64_t rows;
  uint64_t *values;
} Table;

enum { CHECKPOINT_VERSION = 12, OF_ROW = 4 }; // OF_ROW: numbers that hold one 64-bit value

// A tensor of a training under way.
typedef struct Entry {
  const char *kind;
  const reg_tensor *tensor;
  void *values;
} Entry;

// The rows of `meta` up to META_PRECISION, which must be the same for the same bits.
void checkpoint_identity(const Run *r, uint64_t meta[META_ROWS]);
// The tables of the run as it is, room for `depth` places, and for the sums of t where there is one.
int checkpoint_tables(Run *r, Training *t, int64_t depth, Heap *heap, Table out[TABLES]);
double *checkpoint_sum(Training *t, int i);            // the epoch's i-th sum so far, at its place
int checkpoint_entries(const Training *t, Entry *out); // as many as there may be: 2 * (nparams + nstates)
char *checkpoint_name(Heap *heap, const Entry *e);
char *checkpoint_store_name(Heap *heap, const Run *r, int index);
uint64_t checkpoint_checksum(int count, const reg_saved_tensor *tensors, const uint64_t meta[META_ROWS]);
#endif
