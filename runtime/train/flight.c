// Runs of a sweep under way, for whoever looks on. In: events of each run. Out: now and then an event of the
// sweep that tells where all of them are.
#include "train/sweep.h"
#include <stdlib.h>

static bool is_looked_at(const Sweeping *w) { return w->r->options->step_events; }

static int trainings_of(const Single *one) {
  const Sweeping *w = one->of;
  const reg_variant *v = &w->s->variants[sweep_variant(w->r, w->s, one->run)];
  int n = 0;
  for (int i = 0; i < v->nbody; i++) n += v->body[i].kind == REG_STAGE_TRAIN;
  return n;
}

static void tell_all(Sweeping *w) {
  int64_t n = 0, i = 0;
  for (const Single *one = w->under_way; one; one = one->next) n += one->flight.train != NULL;
  reg_flight *all = calloc((size_t)n + 1, sizeof *all);
  if (!all) return;
  for (const Single *one = w->under_way; one; one = one->next)
    if (one->flight.train) all[i++] = one->flight;
  reg_event e = {.kind = REG_EVENT_FLIGHT,
                 .sweep = w->s,
                 .act = w->r->sweep_acts[w->index],
                 .done = w->done,
                 .here = w->here,
                 .seconds = reg_now() - w->start,
                 .flights = all,
                 .nflights = n};
  send_event(w->r, &e);
  free(all);
}

void flight_begins(Single *one) {
  Sweeping *w = one->of;
  if (!is_looked_at(w)) return;
  pthread_mutex_lock(&w->lock);
  one->next = w->under_way;
  w->under_way = one;
  pthread_mutex_unlock(&w->lock);
}

void flight_event(Single *one, const reg_event *e) {
  enum { EVERY_MS = 80 };
  Sweeping *w = one->of;
  const bool ends = e->kind == REG_EVENT_TRAIN_END;
  if (!is_looked_at(w) || (e->kind != REG_EVENT_TRAIN_START && e->kind != REG_EVENT_EPOCH && !ends)) return;
  const int all = trainings_of(one);
  pthread_mutex_lock(&w->lock);
  const double now = reg_now(), made = ends || e->steps <= 0 ? 0 : (double)e->step / (double)e->steps;
  one->trained += ends;
  const double share = all ? ((double)one->trained + made) / all : 0;
  one->flight = (reg_flight){.run = one->run,
                             .at = sweep_at(w->r, w->s, one->run),
                             .train = e->train,
                             .epoch = e->epoch,
                             .epochs = e->epochs,
                             .loss = e->loss,
                             .share = share < 1 ? share : 1};
  if (now - w->shown >= EVERY_MS * 1e-3) {
    w->shown = now;
    tell_all(w);
  }
  pthread_mutex_unlock(&w->lock);
}

void flight_ends(Single *one) {
  Single **at = &one->of->under_way;
  while (*at && *at != one) at = &(*at)->next;
  if (*at) *at = one->next;
}
