// Which runs of a sweep act next. In: how those before ended, and the number by which they are judged. Out: a
// round of runs, which may act at once and in any order. What is chosen depends on rounds that are over, not
// on which run of a round ended first: so it is the same on any number of threads, and resumed.
#include "train/sweep.h"
#include <math.h>
#include <stdlib.h>

double *sweep_at(const Run *r, const reg_sweep *s, int64_t run) {
  return (double *)r->store[s->at] + run * s->naxes;
}

// What a run is judged by: lower is better; infinite where it failed.
static double judged(const Sweeping *w, int64_t run) {
  const int to = w->s->kept[w->s->by].to;
  const int ended = sweep_state(w->r, w->s, run)[RUN_ENDED];
  const double x = reg_number_at(w->r->store[to], w->r->program->store[to].dtype, run);
  if ((ended != RUN_FINISHED && ended != RUN_PAUSED) || isnan(x)) return INFINITY;
  return w->s->higher ? -x : x;
}

typedef struct Rank {
  double value;
  int64_t run;
} Rank;

static int by_value(const void *a, const void *b) {
  const Rank *x = a, *y = b;
  if (x->value != y->value) return x->value < y->value ? -1 : 1;
  return (x->run > y->run) - (x->run < y->run);
}

static int64_t failed_round(Sweeping *w) {
  w->ended = *w->r->st;
  return 0;
}

// -- successive halving: Jamieson & Talwalkar 2016, Non-stochastic best arm identification and hyperparameter
// optimization. Of n runs one in `factor` trains on, each time for `factor` times as long.

static int halving_rounds(const reg_sweep *s) {
  int rounds = 1;
  for (int64_t n = s->nruns; n > 1; n = (n + s->at_once - 1) / s->at_once) rounds++;
  return rounds;
}

double halving_share(const reg_sweep *s, int rounds) {
  return s->search == REG_SEARCH_HALVING ? pow(s->at_once, rounds - halving_rounds(s)) : 1;
}

static int64_t halving_most(const reg_sweep *s, int round) {
  int64_t n = s->nruns;
  for (int i = 0; i < round; i++) n = (n + s->at_once - 1) / s->at_once;
  return n;
}

static bool goes_on(const Sweeping *w, int64_t run) {
  const int ended = sweep_state(w->r, w->s, run)[RUN_ENDED];
  return ended == RUN_MISSING || ended == RUN_PAUSED;
}

// The round under way: the one that fewest of its runs have made.
static int halving_round(const Sweeping *w, int64_t *left) {
  int round = INT32_MAX;
  *left = 0;
  for (int64_t i = 0; i < w->s->nruns; i++) {
    if (!goes_on(w, i)) continue;
    const int made = sweep_state(w->r, w->s, i)[RUN_ROUNDS];
    round = made < round ? made : round;
    ++*left;
  }
  return round;
}

// Behind a round all but the better ones stop.
static int64_t halve(Sweeping *w, int round, int64_t left) {
  const int64_t most = halving_most(w->s, round);
  Rank *all = calloc((size_t)left + 1, sizeof *all);
  int64_t n = 0;
  if (!all) {
    w->code = reg_no_memory(w->r->st, (size_t)left * sizeof *all);
    return failed_round(w);
  }
  for (int64_t i = 0; i < w->s->nruns; i++)
    if (goes_on(w, i)) all[n++] = (Rank){judged(w, i), i};
  qsort(all, (size_t)n, sizeof *all, by_value);
  for (int64_t i = most; i < n; i++) run_is_dropped(w, all[i].run);
  free(all);
  return n < most ? n : most;
}

static int64_t next_halving(Sweeping *w) {
  int64_t left, n = 0;
  const int round = halving_round(w, &left);
  if (!left) return 0;
  if (left > halving_most(w->s, round)) left = halve(w, round, left);
  for (int64_t i = 0; i < w->s->nruns && left && !w->code; i++)
    if (goes_on(w, i) && sweep_state(w->r, w->s, i)[RUN_ROUNDS] == round) w->round[n++] = i;
  w->share = halving_share(w->s, round + 1);
  return n;
}

// -- the search by Parzen estimators

enum { FIRST = 10 };

// Of runs [begin, end), by those before.
static int choose_values(Sweeping *w, int64_t begin, int64_t end) {
  const reg_sweep *s = w->s;
  Rank *told = calloc((size_t)begin + 1, sizeof *told);
  double *values = calloc((size_t)(begin * (s->naxes + 2)) + 4, sizeof *values);
  int code = told && values ? REG_OK : reg_no_memory(w->r->st, (size_t)begin * sizeof *told);
  for (int64_t i = 0; i < begin && !code; i++) told[i] = (Rank){judged(w, i), i};
  if (!code) qsort(told, (size_t)begin, sizeof *told, by_value);
  for (int64_t i = 0; i < begin && !code; i++)
    for (int k = 0; k < s->naxes; k++) values[k * begin + i] = sweep_at(w->r, s, told[i].run)[k];
  for (int64_t i = begin; i < end && !code; i++)
    propose(w->r, w->index, i, begin, values, values + begin * s->naxes);
  free(values);
  free(told);
  return code;
}

static int64_t next_searched(Sweeping *w) {
  const reg_sweep *s = w->s;
  int64_t n = 0, begin = 0, end = s->nruns < FIRST ? s->nruns : FIRST;
  for (;; begin = end, end = end + s->at_once < s->nruns ? end + s->at_once : s->nruns) {
    for (int64_t i = begin; i < end; i++)
      if (sweep_state(w->r, s, i)[RUN_ENDED] == RUN_MISSING) w->round[n++] = i;
    if (n || end == s->nruns) break;
  }
  if (n && (w->code = choose_values(w, begin, end))) return failed_round(w);
  return n;
}

int64_t next_round(Sweeping *w) {
  int64_t n = 0;
  switch (w->s->search) {
  case REG_SEARCH_TPE: return next_searched(w);
  case REG_SEARCH_HALVING: return next_halving(w);
  case REG_SEARCH_NONE: break;
  }
  for (int64_t i = 0; i < w->s->nruns; i++)
    if (sweep_state(w->r, w->s, i)[RUN_ENDED] == RUN_MISSING) w->round[n++] = i;
  return n;
}

int sweep_variant(const Run *r, const reg_sweep *s, int64_t run) {
  int64_t at = 0;
  if (s->search != REG_SEARCH_TPE) return s->variant_of[run];
  for (int i = 0; i < s->naxes; i++)
    at += s->axes[i].stride * axis_place(&s->axes[i], sweep_at(r, s, run)[i]);
  return s->variant_of[at];
}
