// A sweep while it acts: sweep.c says which of its runs act when, and on which threads; sweep_outcome.c what
// becomes of one that is over.
#ifndef REG_TRAIN_SWEEP_H
#define REG_TRAIN_SWEEP_H
#include "train/internal.h"

typedef struct Sweeping {
  Run *r;
  const reg_sweep *s;
  int index;
  reg_run_options options; // of its runs, but for the seed
  pthread_mutex_t lock, own_guard;
  pthread_mutex_t *guard;
  int threads; // of a run
  double start;
  int64_t next, done, here;
  int code; // what ended it before its end
  reg_status ended;
} Sweeping;

typedef struct Single {
  Sweeping *of;
  int64_t run;
  Run own;
  reg_run_options options;
  reg_status st;
} Single;

// Under the lock: a run is over with this code. What it leaves is kept, and told; an error that is its own is
// its outcome. REG_OK: the others go on.
int run_is_over(Sweeping *w, Single *one, int code);
#endif
