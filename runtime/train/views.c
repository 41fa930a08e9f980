// What is told of the runs of a sweep: which is the best, and how they compare in pairs. In: a number of each
// run; those of runs that diverged are not known. Out: an event with its rows.
#include "math/special.h"
#include "train/internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct View {
  const Run *r;
  const reg_view *v;
  const reg_sweep *s;
  reg_view_row *rows;
  int64_t nrows, chosen;
} View;

static double number_of(const View *w, int64_t run) {
  const int to = w->s->kept[w->v->by].to;
  const double x = reg_number_at(w->r->store[to], w->r->program->store[to].dtype, run);
  return sweep_state(w->r, w->s, run)[RUN_ENDED] == RUN_FINISHED ? x : NAN;
}

// The row of a run: runs with the same values on the axes that are not taken together have one.
static int64_t row_of(const View *w, int64_t run) {
  int64_t row = 0;
  if (w->s->drawn) return run;
  for (int i = 0; i < w->s->naxes; i++)
    if (!w->v->over[i]) row = row * w->s->axes[i].count + reg_sweep_value(w->s, i, run);
  return row;
}

static bool better(const View *w, double x, double y) { return w->v->higher ? x > y : x < y; }

// Along the axis the last one, in the sense of simplicity, that is not worse than the best by more than the
// standard error of that (Breiman et al. 1984).
static void choose_simplest(View *w) {
  const reg_view_row *best = &w->rows[w->chosen];
  const double limit = w->v->higher ? best->mean - best->error : best->mean + best->error;
  double simplest = sweep_at(w->r, w->s, best->run)[w->v->axis];
  for (int64_t i = 0; i < w->nrows; i++) {
    const reg_view_row *row = &w->rows[i];
    const double at = sweep_at(w->r, w->s, row->run)[w->v->axis];
    const bool simpler = at > simplest;
    if (simpler && (row->mean == limit || better(w, row->mean, limit))) simplest = at, w->chosen = i;
  }
}

// A row with a run that diverged is none to choose.
static void find_best(View *w) {
  w->nrows = row_of(w, w->s->nruns - 1) + 1;
  for (int64_t i = 0; i < w->nrows; i++) w->rows[i] = (reg_view_row){.run = -1};
  for (int64_t run = 0; run < w->s->nruns; run++) {
    reg_view_row *row = &w->rows[row_of(w, run)];
    if (row->run < 0) row->run = run;
    row->n++;
    row->mean += number_of(w, run);
  }
  for (int64_t i = 0; i < w->nrows; i++) w->rows[i].mean /= (double)w->rows[i].n;
  for (int64_t run = 0; run < w->s->nruns; run++) {
    reg_view_row *row = &w->rows[row_of(w, run)];
    const double d = number_of(w, run) - row->mean;
    row->error += d * d;
  }
  for (int64_t i = 0; i < w->nrows; i++) {
    reg_view_row *row = &w->rows[i];
    row->error = row->n > 1 ? sqrt(row->error / (double)(row->n - 1) / (double)row->n) : NAN;
    if (!isnan(row->mean) && (w->chosen < 0 || better(w, row->mean, w->rows[w->chosen].mean))) w->chosen = i;
  }
  if (w->chosen >= 0 && w->v->one_se) choose_simplest(w);
}

// -- pairs

static void test(reg_view_row *row, double squares) {
  const double n = (double)row->n;
  row->t = row->p = row->low = row->high = row->error = NAN;
  if (row->n < 2) return;
  row->error = sqrt(squares / (n - 1) / n);
  const double wide = reg_t_quantile(0.05, n - 1) * row->error;
  row->low = row->mean - wide, row->high = row->mean + wide;
  row->t = row->mean / row->error;
  row->p = isnan(row->t) ? NAN : reg_t_outside(row->t, n - 1);
}

static int by_p(const void *a, const void *b) {
  const double x = (*(reg_view_row *const *)a)->p, y = (*(reg_view_row *const *)b)->p;
  return (x > y) - (x < y);
}

// Holm (1979): each p times the number of those that are not smaller, and none below one before it.
static int correct(View *w) {
  reg_view_row **sorted = calloc((size_t)w->nrows + 1, sizeof *sorted);
  int64_t n = 0;
  double least = 0;
  if (!sorted) return reg_no_memory(w->r->st, (size_t)w->nrows);
  for (int64_t i = 0; i < w->nrows; i++) {
    w->rows[i].corrected = NAN;
    if (!isnan(w->rows[i].p)) sorted[n++] = &w->rows[i];
  }
  qsort(sorted, (size_t)n, sizeof *sorted, by_p);
  for (int64_t i = 0; i < n; i++) {
    least = fmax(least, fmin(1, (double)(n - i) * sorted[i]->p));
    sorted[i]->corrected = least;
  }
  free(sorted);
  return REG_OK;
}

static void test_ranks(reg_view_row *row, double *differences) {
  const reg_signed_ranks ranks = reg_signed_rank_test(differences, row->n);
  row->low = row->high = NAN;
  row->t = ranks.w, row->p = ranks.p, row->exact = ranks.exact;
}

// Runs that differ in the axis alone are a pair; one of two that is not known leaves it out. `room`: of a
// number for each run.
static void pair(const View *w, int value, reg_view_row *row, double *room) {
  int64_t step = 1;
  double squares = 0;
  for (int i = w->v->axis + 1; i < w->s->naxes; i++) step *= w->s->axes[i].count;
  *row = (reg_view_row){.run = value * step};
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t run = 0; run < w->s->nruns; run++) {
      if (reg_sweep_value(w->s, w->v->axis, run) != value) continue;
      const double d = number_of(w, run) - number_of(w, run + (w->v->against - value) * step);
      if (isnan(d)) continue;
      if (pass)
        squares += (d - row->mean) * (d - row->mean);
      else
        room[row->n++] = d, row->mean += d;
    }
    if (!pass) row->mean = row->n ? row->mean / (double)row->n : NAN;
  }
  test(row, squares);
  if (w->v->ranks) test_ranks(row, room);
}

static int compare(View *w) {
  double *room = calloc((size_t)w->s->nruns + 1, sizeof *room);
  if (!room) return reg_no_memory(w->r->st, (size_t)w->s->nruns * sizeof *room);
  for (int i = 0; i < w->s->axes[w->v->axis].count; i++)
    if (i != w->v->against) pair(w, i, &w->rows[w->nrows++], room);
  free(room);
  return correct(w);
}

static double *axes_of_rows(const View *w) {
  const size_t row = (size_t)w->s->naxes * sizeof(double);
  double *out = calloc((size_t)w->nrows + 1, row);
  for (int64_t i = 0; i < w->nrows && out; i++)
    memcpy(out + i * w->s->naxes, sweep_at(w->r, w->s, w->rows[i].run), row);
  return out;
}

// -- along an axis

// The means of what runs have that differ in other axes only.
static int plot(const View *w, const reg_report *report, const void *const *values, reg_event *e) {
  const int64_t count = w->s->axes[w->v->axis].count;
  for (int i = 0; i < report->nvalues; i++)
    e->npoints += w->r->program->store[report->values[i]].count / w->s->nruns;
  double *points = calloc((size_t)(e->npoints * count) + 1, sizeof *points);
  int64_t *runs = calloc((size_t)count + 1, sizeof *runs);
  e->points = points;
  for (int64_t run = 0; points && runs && run < w->s->nruns; run++) {
    const int64_t x = reg_sweep_value(w->s, w->v->axis, run);
    double *to = points + x;
    if (sweep_state(w->r, w->s, run)[RUN_ENDED] != RUN_FINISHED) continue;
    runs[x]++;
    for (int i = 0; i < report->nvalues; i++) {
      const reg_tensor *t = &w->r->program->store[report->values[i]];
      const int64_t own = t->count / w->s->nruns;
      for (int64_t k = 0; k < own; k++, to += count) *to += reg_number_at(values[i], t->dtype, run * own + k);
    }
  }
  for (int64_t k = 0; points && runs && k < e->npoints * count; k++)
    points[k] = runs[k % count] ? points[k] / (double)runs[k % count] : NAN;
  free(runs);
  return points && runs ? REG_OK : reg_no_memory(w->r->st, (size_t)(e->npoints * count) * sizeof *points);
}

int report_runs(Run *r, const reg_report *report, const char *name, const void *const *values) {
  const reg_view *v = &r->program->views[report->view - 1];
  View w = {.r = r, .v = v, .s = &r->program->sweeps[v->sweep], .chosen = -1};
  int code = store_given(r, w.s->state);
  if (code) return code;
  reg_event e = {.kind = REG_EVENT_REPORT, .report = report, .name = name, .view = v};
  w.rows = calloc((size_t)w.s->nruns + 1, sizeof *w.rows);
  if (!w.rows) return reg_no_memory(r->st, (size_t)w.s->nruns * sizeof *w.rows);
  if (v->kind == REG_VIEW_BEST)
    find_best(&w);
  else
    code = v->kind == REG_VIEW_COMPARE ? compare(&w) : plot(&w, report, values, &e);
  double *at = code ? NULL : axes_of_rows(&w);
  if (!code && !at) code = reg_no_memory(r->st, 0);
  e.at = at, e.rows = w.rows, e.nrows = w.nrows, e.chosen = w.chosen;
  if (!code) send_event(r, &e);
  free(at);
  free(w.rows);
  free((void *)e.points);
  return code;
}
