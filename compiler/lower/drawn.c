// Which values the runs of `by random` and `by halving` have. In: the axes, with all their values or their
// ends. Out: of each axis the values of the runs, in their order. Where there are so many combinations and no
// more, none is drawn twice: as scikit-learn's RandomizedSearchCV does of lists (ParameterSampler). A run's
// values depend on those of runs before it alone, so another run changes none of them.
#include "sweep.h"
#include <math.h>
#include <string.h>

enum { TRIES = 64 };

// SplitMix64, as in runtime/train/store.c; of its bits the first 53 as a number of [0, 1).
static double drawn(const Stages *s, const LowerAxis *x, int trial, int again) {
  const LowerHost *host = &s->l->host;
  uint64_t z = host->has_seed ? host->seed : 0;
  const uint64_t key[] = {(uint64_t)s->statements, (uint64_t)trial, (uint64_t)again};
  for (const char *c = x->name; *c; c++) z = (z ^ (unsigned char)*c) * 0x100000001b3;
  for (int i = 0; i < (again ? 3 : 2); i++) {
    z += key[i] * 0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
  }
  return (double)(z >> 11) * 0x1p-53;
}

// -- how many there are

// Of each value the first one that is the same.
static int *first_same(Arena *a, const LowerAxis *x) {
  int *same = ARENA_ARRAY(a, int, x->n + 1);
  Map met;
  map_init(&met, a);
  for (int i = 0; i < x->n; i++) {
    const char *key = x->numbers ? arena_printf(a, "%.17g", x->numbers[i] + 0.0) : x->labels[i];
    const int *first = map_get(&met, key);
    same[i] = first ? *first : i;
    if (!first) map_put(&met, key, &same[i]);
  }
  return same;
}

// How many values differ; infinite: of a range any number.
static double different(Arena *a, const LowerAxis *x) {
  if (x->kind == REG_AXIS_REAL || x->kind == REG_AXIS_LOG) return INFINITY;
  if (x->between && x->between->whole) return x->between->high - x->between->low + 1;
  if (x->between) return x->between->low == x->between->high ? 1 : INFINITY;
  if (x->kind == REG_AXIS_ORDERED) return x->n;
  const int *same = first_same(a, x);
  int n = 0;
  for (int i = 0; i < x->n; i++) n += same[i] == i;
  return n;
}

static double combinations(Stages *s, const LowerSweep *sweep) {
  double all = 1;
  for (int i = 0; i < sweep->axes.len; i++) all *= different(s->l->session->arena, sweep->axes.data[i]);
  return all;
}

void sweep_ends(Stages *s, LowerSweep *sweep) {
  const double all = combinations(s, sweep);
  if (sweep->nruns <= all) return;
  Diag *d = diag_emit(&s->l->session->diags, DIAG_search_exhausts, sweep->ast->kids[1]->span,
                      (long long)sweep->nruns, (long long)all);
  if (sweep->search != REG_SEARCH_HALVING)
    diag_hint(d, "a sweep without `by` makes them all, too, in their order");
  sweep->nruns = (int)all;
}

// -- draws

// An axis while it is drawn.
typedef struct Drawing {
  LowerAxis *x;
  double count, *at; // values that it has; of each run which, or its share of the way between the ends
  const int *same;
} Drawing;

static double draw(const Stages *s, const Drawing *d, int run, int again) {
  const double share = drawn(s, d->x, run, again);
  return isinf(d->count) ? share : floor(share * d->count);
}

// The combination of a run, in words.
static const char *combination(Arena *a, const Drawing *axes, int naxes, int run) {
  StrBuf b = {.arena = a};
  for (int i = 0; i < naxes; i++)
    strbuf_addf(&b, "%.17g ", axes[i].same ? axes[i].same[(int)axes[i].at[run]] : axes[i].at[run]);
  return b.data;
}

// The next combination, the last axis fastest; behind the last one the first.
static void step_on(Drawing *axes, int naxes, int run) {
  for (int i = naxes - 1; i >= 0; i--) {
    axes[i].at[run] = fmod(axes[i].at[run] + 1, axes[i].count);
    if (axes[i].at[run] != 0) return;
  }
}

// There is one that is left: the sweep has no more runs than there are.
static void draw_run(const Stages *s, Drawing *axes, int naxes, int run, Map *met) {
  const char *key = NULL;
  for (int again = 0; again < TRIES; again++) {
    for (int i = 0; i < naxes; i++) axes[i].at[run] = draw(s, &axes[i], run, again);
    if (!met) return;
    key = combination(met->arena, axes, naxes, run);
    if (!map_get(met, key)) break;
  }
  while (map_get(met, key)) {
    step_on(axes, naxes, run);
    key = combination(met->arena, axes, naxes, run);
  }
  map_put(met, key, axes);
}

static bool take(Stages *s, const LowerSweep *sweep, int axis, const Drawing *d) {
  Arena *a = s->l->session->arena;
  const int n = sweep->nruns;
  const LowerAxis all = *d->x;
  double *numbers = ARENA_ARRAY(a, double, n + 1);
  for (int i = 0; i < n && all.between; i++)
    numbers[i] = isinf(d->count) ? spaced_number(all.between, d->at[i]) : all.between->low + d->at[i];
  for (int i = 0; i < n && all.numbers; i++) numbers[i] = all.numbers[(int)d->at[i]];
  d->x->kind = REG_AXIS_LIST;
  if (all.between || all.numbers)
    return axis_numbers(s, d->x, sweep->ast->kids[0]->kids[axis]->kids[0], numbers, n);
  Value *values = all.values ? ARENA_ARRAY(a, Value, n + 1) : NULL;
  const Ast **things = all.things ? ARENA_ARRAY(a, const Ast *, n + 1) : NULL;
  const char **labels = ARENA_ARRAY(a, const char *, n + 1);
  for (int i = 0; i < n; i++) {
    const int from = (int)d->at[i];
    if (values) values[i] = all.values[from];
    if (things) things[i] = all.things[from];
    labels[i] = all.labels[from];
  }
  d->x->values = values, d->x->things = things, d->x->labels = labels;
  d->x->n = n;
  return true;
}

bool sweep_draw(Stages *s, LowerSweep *sweep) {
  Arena *a = s->l->session->arena;
  const int n = sweep->axes.len;
  Drawing *axes = ARENA_ARRAY(a, Drawing, n + 1);
  Map met;
  map_init(&met, a);
  for (int i = 0; i < n; i++) {
    LowerAxis *x = sweep->axes.data[i];
    const double count = x->between ? different(a, x) : x->n;
    axes[i] =
        (Drawing){x, count, ARENA_ARRAY(a, double, sweep->nruns + 1), x->between ? NULL : first_same(a, x)};
  }
  const bool finite = isfinite(combinations(s, sweep));
  for (int run = 0; run < sweep->nruns; run++) draw_run(s, axes, n, run, finite ? &met : NULL);
  bool good = true;
  for (int i = 0; i < n && good; i++) good = take(s, sweep, i, &axes[i]);
  return good;
}
