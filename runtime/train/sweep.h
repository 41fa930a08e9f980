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
  int threads, working; // of a run; threads that runs are on
  double start;
  int64_t *round, nround, next, flying; // runs that may act now; of these the next, and how many act
  int64_t others;                       // the first of `round`: another process acted for them
  pthread_cond_t landed;                // a run is over
  double share;                         // of their epochs that trainings of this round make; 1: all
  int64_t done, here;
  struct Single *under_way; // runs, the latest first
  double shown;             // when they were last told
  int code;                 // what ended it before its end
  reg_status ended;
} Sweeping;

typedef struct Single {
  Sweeping *of;
  int64_t run;
  Run own;
  reg_run_options options;
  reg_status st;
  struct Single *next; // of those under way
  reg_flight flight;
  int trained; // trainings that are over
} Single;

// -- search.c
// The runs of the next round into w->round, and how many: 0: all are over, or w->code says why not.
int64_t next_round(Sweeping *w);
double halving_share(const reg_sweep *s, int rounds); // of the epochs, that so many rounds have made
int sweep_variant(const Run *r, const reg_sweep *s, int64_t run);
// -- propose.c
// The values of a run, by those of n others, axis by axis, each from the best run on. `room`: of 2 (n + 2)
// numbers.
void propose(Run *r, int sweep, int64_t run, int64_t n, const double *values, double *room);
int64_t axis_place(const reg_axis *x, double at);

// -- flight.c
// What becomes of a run while it acts, for whoever looks on; a run's own events.
void flight_begins(Single *one);
void flight_event(Single *one, const reg_event *e);
void flight_ends(Single *one); // under the lock
// -- sweep_outcome.c
// Under the lock: a run is over with this code. What it leaves is kept, and told; an error that is its own is
// its outcome. REG_OK: the others go on.
int run_is_over(Sweeping *w, Single *one, int code);
bool is_own_error(const Sweeping *w, const Single *one, int code); // others need not end
void run_is_dropped(Sweeping *w, int64_t run);                     // behind a round, by halving
#endif
