// What the trainings of a run of a sweep did, for its report. In: the events of their epochs, which are told
// to nobody else. Out: a few dozen points of each, in the event that tells of the run; until then they are in
// its checkpoint, and those of a run that halving may let go on in that of the run around.
#include "reg/safetensors.h"
#include "train/internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS = 48, NORMS = 24 };
// A checkpoint's tensor: these numbers, the points, the norms.
enum { HEAD_SWEEP, HEAD_RUN, HEAD_TRAIN, HEAD_ACT, HEAD_STRIDE, HEAD_POINTS, HEAD_NORMS, HEAD };

static size_t point_width(const reg_train *t) {
  return REG_CURVE_TERMS + (size_t)t->nterms + (size_t)t->nmetrics;
}

static size_t norm_width(const reg_train *t) { return REG_CURVE_NORMS + (size_t)t->nterms; }

static Curve *curve_new(Run *r, const reg_train *t, int64_t act) {
  Curve *c = reg_heap_take(&r->heap, sizeof *c);
  double *points = reg_heap_take(&r->heap, POINTS * point_width(t) * sizeof *points);
  double *norms = reg_heap_take(&r->heap, NORMS * norm_width(t) * sizeof *norms);
  if (!c || !points || !norms) {
    reg_no_memory(r->st, POINTS * point_width(t) * sizeof *points);
    return NULL;
  }
  *c = (Curve){.told = {.train = t, .act = act, .points = points, .norms = norms},
               .stride = 1,
               .sweep = -1,
               .run = -1};
  Curve **end = &r->curves;
  while (*end) end = &(*end)->next;
  return *end = c;
}

// The one of this act; NULL: it is one too many, or memory ran out.
static Curve *curve_at(Run *own, const reg_event *e) {
  int n = 0;
  for (Curve *c = own->curves; c; c = c->next, n++)
    if (c->told.train == e->train && c->told.act == e->act) return c;
  return n < REG_CURVES ? curve_new(own, e->train, e->act) : NULL;
}

// -- points

// Where there is no room left, every other one goes.
static void thin_out(Curve *c) {
  const size_t width = point_width(c->told.train);
  int64_t n = 0;
  c->stride *= 2;
  for (int64_t i = 0; i < c->told.n; i++) {
    const double *from = c->told.points + (size_t)i * width;
    if ((int64_t)from[0] % c->stride == 0)
      memmove(c->told.points + (size_t)n++ * width, from, width * sizeof *from);
  }
  c->told.n = n;
}

static void put_point(Curve *c, const reg_event *e) {
  const reg_train *t = c->told.train;
  const size_t width = point_width(t);
  if (c->told.n && (int64_t)c->told.points[(size_t)(c->told.n - 1) * width] % c->stride != 0) c->told.n--;
  if (c->told.n == POINTS) thin_out(c);
  double *to = c->told.points + (size_t)c->told.n++ * width;
  to[0] = (double)e->epoch;
  to[1] = e->loss;
  to[2] = e->objective;
  to[3] = e->has_valid ? e->valid_loss : NAN;
  for (int i = 0; i < t->nterms; i++) to[REG_CURVE_TERMS + i] = e->terms[i];
  for (int i = 0; i < t->nmetrics; i++)
    to[REG_CURVE_TERMS + t->nterms + i] = e->valid_metrics ? e->valid_metrics[i] : NAN;
}

static void put_norms(Curve *c, const reg_event *e) {
  if (!e->norms || c->told.nnorms == NORMS) return;
  double *to = c->told.norms + (size_t)c->told.nnorms++ * norm_width(c->told.train);
  to[0] = (double)e->epoch;
  memcpy(to + 1, e->norms, (size_t)(c->told.train->nterms + 1) * sizeof *to);
}

void curve_epoch(Run *own, const reg_event *e) {
  Curve *c = own->sweeps == 1 ? curve_at(own, e) : NULL;
  if (!c) return;
  put_point(c, e);
  put_norms(c, e);
}

// -- of runs that may go on

int curves_keep(Run *r, int64_t sweep, int64_t run, const Run *own) {
  for (Curve **at = &r->curves; *at;)
    if ((*at)->sweep == sweep && (*at)->run == run)
      *at = (*at)->next;
    else
      at = &(*at)->next;
  for (const Curve *c = own ? own->curves : NULL; c; c = c->next) {
    const reg_course *from = &c->told;
    Curve *to = c->sweep < 0 ? curve_new(r, from->train, from->act) : NULL;
    if (c->sweep >= 0) continue;
    if (!to) return r->st->code;
    to->sweep = sweep;
    to->run = run;
    to->stride = c->stride;
    to->told.n = from->n;
    to->told.nnorms = from->nnorms;
    memcpy(to->told.points, from->points, (size_t)from->n * point_width(from->train) * sizeof(double));
    memcpy(to->told.norms, from->norms, (size_t)from->nnorms * norm_width(from->train) * sizeof(double));
  }
  return REG_OK;
}

int curves_of(const Run *r, int64_t sweep, int64_t run, const reg_course **out) {
  int n = 0;
  for (const Curve *c = r->curves; c && n < REG_CURVES; c = c->next)
    if (c->sweep == sweep && c->run == run) out[n++] = &c->told;
  return n;
}

// -- in a checkpoint

int curves_count(const Run *r) {
  int n = 0;
  for (const Curve *c = r->curves; c; c = c->next) n++;
  return n;
}

int curves_put(Run *r, Heap *heap, reg_saved_tensor *out, int *n) {
  int number = 0;
  for (const Curve *c = r->curves; c; c = c->next) {
    const reg_course *t = &c->told;
    const size_t points = (size_t)t->n * point_width(t->train),
                 norms = (size_t)t->nnorms * norm_width(t->train);
    double *values = reg_heap_take(heap, (HEAD + points + norms) * sizeof *values);
    char *name = reg_heap_take(heap, 24);
    if (!values || !name) return reg_no_memory(r->st, (HEAD + points + norms) * sizeof *values);
    snprintf(name, 24, "curve %d", number++);
    const double head[HEAD] = {(double)c->sweep, (double)c->run,    (double)(t->train - r->program->trains),
                               (double)t->act,   (double)c->stride, (double)t->n,
                               (double)t->nnorms};
    memcpy(values, head, sizeof head);
    memcpy(values + HEAD, t->points, points * sizeof *values);
    memcpy(values + HEAD + points, t->norms, norms * sizeof *values);
    const int64_t count = (int64_t)(HEAD + points + norms);
    out[(*n)++] = (reg_saved_tensor){
        .name = name, .dtype = REG_F64, .rank = 1, .dim = {count}, .count = count, .values = values};
  }
  return REG_OK;
}

static bool is_within(double v, double low, double high) { return v == floor(v) && v >= low && v <= high; }

// False: it is damaged, or memory ran out.
static bool curve_read(Run *r, const reg_saved_tensor *saved) {
  const double *head = saved->values;
  if (saved->dtype != REG_F64 || saved->rank != 1 || saved->count < HEAD ||
      !is_within(head[HEAD_TRAIN], 0, r->program->ntrains - 1) ||
      !is_within(head[HEAD_SWEEP], -1, r->program->nsweeps - 1) ||
      !is_within(head[HEAD_RUN], -1, INT32_MAX) || !is_within(head[HEAD_ACT], 0, INT32_MAX) ||
      !is_within(head[HEAD_STRIDE], 1, INT32_MAX) || !is_within(head[HEAD_POINTS], 0, POINTS) ||
      !is_within(head[HEAD_NORMS], 0, NORMS))
    return false;
  const reg_train *t = &r->program->trains[(int)head[HEAD_TRAIN]];
  const size_t points = (size_t)head[HEAD_POINTS] * point_width(t),
               norms = (size_t)head[HEAD_NORMS] * norm_width(t);
  if ((size_t)saved->count != HEAD + points + norms) return false;
  Curve *c = curve_new(r, t, (int64_t)head[HEAD_ACT]);
  if (!c) return false;
  c->sweep = (int64_t)head[HEAD_SWEEP];
  c->run = (int64_t)head[HEAD_RUN];
  c->stride = (int64_t)head[HEAD_STRIDE];
  c->told.n = (int64_t)head[HEAD_POINTS];
  c->told.nnorms = (int64_t)head[HEAD_NORMS];
  memcpy(c->told.points, head + HEAD, points * sizeof *head);
  memcpy(c->told.norms, head + HEAD + points, norms * sizeof *head);
  return true;
}

int curves_read(Run *r, const reg_saved *saved, int *found, bool *damaged) {
  char name[24];
  const reg_saved_tensor *one;
  for (int i = 0; snprintf(name, sizeof name, "curve %d", i), (one = reg_saved_find(saved, name)); i++) {
    if (!curve_read(r, one)) return *damaged = true, r->st->code;
    ++*found;
  }
  return REG_OK;
}
