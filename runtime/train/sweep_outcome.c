// What becomes of a run of a sweep that is over. In: its own Run, and what ended it. Out: what is kept of it,
// in the store around; how it ended; its reports, and an event. A run that fails, for whatever reason that is
// its own, is told, and the others go on.
#include "train/sweep.h"
#include <stdlib.h>
#include <string.h>

// What would end any other run too is no run's own: no place to write to, an interrupt, a fault of ours.
bool is_own_error(const Sweeping *w, const Single *one, int code) {
  if (code == REG_DIVERGED) return true;
  if (code == REG_INTERRUPTED || code == REG_CANNOT_WRITE || w->options.inspect) return false;
  if (!strcmp(one->st.name, "checkpoint_bad")) return false;
  return code != REG_INTERNAL || !strcmp(one->st.name, "out_of_memory");
}

static void keep_values(const Sweeping *w, const Single *one) {
  Run *r = w->r;
  const int variant = sweep_variant(r, w->s, one->run);
  for (int i = 0; i < w->s->nkept; i++) {
    const reg_kept *k = &w->s->kept[i];
    const reg_tensor *from = &r->program->store[k->from[variant]];
    const reg_dtype type = r->program->store[k->to].dtype;
    const void *own = one->own.store[k->from[variant]];
    const size_t bytes = reg_tensor_bytes(from);
    if (own && from->dtype == type)
      memcpy((char *)r->store[k->to] + (size_t)one->run * bytes, own, bytes);
    else if (own) // a number that is of another type in other runs
      reg_number_put(r->store[k->to], type, one->run, reg_number_at(own, from->dtype, 0));
  }
}

static void tell_reports(Run *r, const Single *one) {
  for (const Told *t = one->own.reports; t; t = t->next) {
    reg_event e = {.kind = REG_EVENT_REPORT,
                   .report = t->report,
                   .name = t->name,
                   .values = (const void *const *)t->values,
                   .rows = t->rows,
                   .at = t->at,
                   .nrows = t->nrows,
                   .chosen = t->chosen};
    if (t->report->view) e.view = &r->program->views[t->report->view - 1];
    if (e.view && e.view->kind == REG_VIEW_PLOT) {
      e.points = t->at;
      e.npoints = told_beside(r, t->report, 0) / r->program->sweeps[e.view->sweep].axes[e.view->axis].count;
    }
    send_event(r, &e);
  }
}

static void tell_run(Sweeping *w, int64_t run, const reg_status *failed, const reg_course *const *curves,
                     int ncurves) {
  Run *r = w->r;
  const void **values = calloc((size_t)w->s->nkept + 1, sizeof *values);
  if (!values) return;
  for (int i = 0; i < w->s->nkept; i++) values[i] = r->store[w->s->kept[i].to];
  reg_event e = {.kind = REG_EVENT_RUN,
                 .sweep = w->s,
                 .run = run,
                 .at = sweep_at(r, w->s, run),
                 .share = sweep_state(r, w->s, run)[RUN_ENDED] == RUN_DROPPED
                              ? halving_share(w->s, sweep_state(r, w->s, run)[RUN_ROUNDS])
                              : 1,
                 .done = w->done,
                 .here = w->here,
                 .act = r->sweep_acts[w->index],
                 .seconds = reg_now() - w->start,
                 .values = values,
                 .curves = curves,
                 .ncurves = ncurves,
                 .status = failed};
  send_event(r, &e);
  free(values);
}

static int put_outcome(Sweeping *w, const Single *one, int code) {
  int32_t *state = sweep_state(w->r, w->s, one->run);
  state[RUN_ENDED] = code == REG_DIVERGED ? RUN_DIVERGED
                     : code               ? RUN_FAILED
                     : w->share < 1       ? RUN_PAUSED
                                          : RUN_FINISHED;
  state[RUN_ROUNDS]++;
  if (code == REG_DIVERGED && one->own.ended[0]) {
    state[RUN_TRAIN] = (int32_t)one->own.ended[1];
    state[RUN_STEP] = (int32_t)one->own.ended[2];
  } else if (code == REG_DIVERGED && one->own.under_way) {
    state[RUN_TRAIN] = (int32_t)(one->own.under_way - one->own.trainings);
    state[RUN_STEP] = one->own.under_way->step;
  }
  return code && code != REG_DIVERGED ? reason_add(w->r, w->index, one->run, one->st.text) : REG_OK;
}

int run_is_over(Sweeping *w, Single *one, int code) {
  Run *r = w->r;
  if (code && !is_own_error(w, one, code)) return code;
  if (put_outcome(w, one, code)) return r->st->code;
  if (!code) keep_values(w, one);
  r->changed = true;
  if (!code && w->share < 1) { // it may go on
    const int kept = curves_keep(r, w->index, one->run, &one->own);
    return kept ? kept : checkpoint_stage(r);
  }
  r->lost += code ? 1 : one->own.lost;
  r->stays |= one->own.stays;
  w->done++, w->here++;
  tell_reports(r, one);
  const reg_course *curves[REG_CURVES];
  const int ncurves = curves_of(&one->own, -1, -1, curves);
  tell_run(w, one->run, code ? &one->st : NULL, curves, ncurves);
  curves_keep(r, w->index, one->run, NULL);
  if (one->own.checkpoint && !r->ranks && checkpoint_needless(r, one->own.checkpoint)) return r->st->code;
  return checkpoint_stage(r);
}

void run_is_dropped(Sweeping *w, int64_t run) {
  sweep_state(w->r, w->s, run)[RUN_ENDED] = RUN_DROPPED;
  w->done++, w->here++;
  w->r->changed = true;
  const reg_course *curves[REG_CURVES];
  const int ncurves = curves_of(w->r, w->index, run, curves);
  tell_run(w, run, NULL, curves, ncurves);
  curves_keep(w->r, w->index, run, NULL);
}
