// In: an event. Out: its line of JSON: {"event":"epoch",…}. Keys are those of the schema, version 1; absent
// means not applicable.
#include "reg/events.h"
#include "support.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *reg_event_schema(void) { return "{\"event\":\"schema\",\"version\":1}"; }

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *named(int count, const char *const *names, const double *values) {
  json_t *o = json_object();
  for (int i = 0; i < count; i++) json_object_set_new(o, names[i], number(values[i]));
  return o;
}

static void put_text(json_t *o, const char *key, const char *text) {
  if (text) json_object_set_new(o, key, json_string(text));
}

static void put_integer(json_t *o, const char *key, int64_t value) {
  json_object_set_new(o, key, json_integer(value));
}

// A number, or nested lists of them.
static json_t *array(const float **at, int rank, const int64_t *dim) {
  if (rank == 0) return number((double)*(*at)++);
  json_t *list = json_array();
  for (int64_t i = 0; i < dim[0]; i++) json_array_append_new(list, array(at, rank - 1, dim + 1));
  return list;
}

static void train_start(json_t *o, const reg_event *e) {
  const reg_train *t = e->train;
  int64_t parameters = 0;
  for (int i = 0; i < t->nparams; i++) parameters += t->params[i].count;
  put_text(o, "train", t->name);
  put_text(o, "model", t->model);
  put_text(o, "data", t->data_name);
  put_integer(o, "parameters", parameters);
  put_integer(o, "batch", t->batch);
  put_integer(o, "epochs", e->epochs);
  put_integer(o, "steps", e->steps);
  put_integer(o, "seed", (int64_t)e->seed);
}

static void put_progress(json_t *o, const reg_event *e) {
  put_text(o, "train", e->train->name);
  put_integer(o, "epoch", e->epoch);
  put_integer(o, "step", e->step);
  json_object_set_new(o, "seconds", number(e->seconds));
  json_object_set_new(o, "loss", number(e->loss));
  json_object_set_new(o, "objective", number(e->objective));
  if (e->terms) json_object_set_new(o, "terms", named(e->train->nterms, e->train->terms, e->terms));
  if (e->schedules)
    json_object_set_new(o, "schedules", named(e->train->nschedules, e->train->schedules, e->schedules));
}

static void epoch(json_t *o, const reg_event *e) {
  put_progress(o, e);
  if (!e->has_valid) return;
  json_t *valid = named(e->valid_metrics ? e->train->nmetrics : 0, e->train->metrics, e->valid_metrics);
  json_object_set_new(valid, "loss", number(e->valid_loss));
  json_object_set_new(o, "valid", valid);
  json_object_set_new(o, "best", json_boolean(e->best));
}

static void evaluate(json_t *o, const reg_event *e) {
  const reg_evaluate *v = e->evaluate;
  json_t *metrics = json_object();
  put_text(o, "model", v->model);
  put_text(o, "data", v->data_name);
  for (int i = 0; i < v->nmetrics; i++) {
    const float *at = e->values[i];
    json_object_set_new(metrics, v->metric[i].name, array(&at, v->metric[i].rank, v->metric[i].dim));
  }
  json_object_set_new(o, "metrics", metrics);
}

static void failure(json_t *o, const reg_event *e) {
  put_integer(o, "code", e->status->code);
  put_text(o, "name", e->status->name);
  put_text(o, "text", e->status->text);
  if (e->status->hint[0]) put_text(o, "hint", e->status->hint);
}

char *reg_event_json(const reg_event *e) {
  static const char *const names[] = {"train_start", "step", "epoch", "train_end", "evaluate", "error"};
  json_t *o = json_object();
  put_text(o, "event", names[e->kind]);
  switch (e->kind) {
  case REG_EVENT_TRAIN_START: train_start(o, e); break;
  case REG_EVENT_STEP: put_progress(o, e); break;
  case REG_EVENT_EPOCH: epoch(o, e); break;
  case REG_EVENT_TRAIN_END:
    put_progress(o, e);
    put_text(o, "reason", e->reason);
    if (e->best_epoch) put_integer(o, "best_epoch", e->best_epoch);
    break;
  case REG_EVENT_EVALUATE: evaluate(o, e); break;
  case REG_EVENT_ERROR: failure(o, e); break;
  }
  char *line = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(o);
  return line;
}
