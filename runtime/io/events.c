// In: an event. Out: its line of JSON: {"event":"epoch",…}. Keys are those of the schema, version 1; absent
// means not applicable.
#include "reg/events.h"
#include "text/text.h"

const char *reg_event_schema(void) { return "{\"event\":\"schema\",\"version\":1}"; }

// With the digits that fix a number of the program's type.
static void put_float(Text *o, reg_dtype type, double value) {
  if (type == REG_F64)
    reg_text_exact(o, value);
  else
    reg_text_number(o, value);
}

static void put_number(Text *o, const reg_event *e, const char *key, double value) {
  reg_text_key(o, key);
  put_float(o, e->program->dtype, value);
}

static void put_text(Text *o, const char *key, const char *text) {
  if (!text) return;
  reg_text_key(o, key);
  reg_text_json(o, text);
}

static void put_integer(Text *o, const char *key, int64_t value) {
  reg_text_key(o, key);
  reg_text_format(o, "%lld", (long long)value);
}

// Which time it acts, from the second on.
static void put_act(Text *o, const reg_event *e) {
  if (e->act > 1) put_integer(o, "act", e->act);
}

// Numbers by their names, open at the end.
static void put_named(Text *o, const reg_event *e, const char *key, int count, const char *const *names,
                      const double *values) {
  reg_text_key(o, key);
  reg_text_add(o, "{");
  for (int i = 0; i < count; i++) put_number(o, e, names[i], values[i]);
}

// A number, or nested lists of them.
static void put_array(Text *o, const void *values, reg_dtype type, int64_t *at, int rank,
                      const int64_t *dim) {
  if (rank == 0) {
    const double value = reg_number_at(values, type, (*at)++);
    if (type == REG_BOOL)
      reg_text_add(o, value != 0 ? "true" : "false");
    else if (type == REG_I32)
      reg_text_format(o, "%.0f", value);
    else
      put_float(o, type, value);
    return;
  }
  reg_text_add(o, "[");
  for (int64_t i = 0; i < dim[0]; i++) {
    reg_text_item(o);
    put_array(o, values, type, at, rank - 1, dim + 1);
  }
  reg_text_add(o, "]");
}

static void train_start(Text *o, const reg_event *e) {
  const reg_train *t = e->train;
  int64_t parameters = 0;
  for (int i = 0; i < t->nparams; i++) parameters += t->params[i].count;
  put_text(o, "train", t->name);
  put_act(o, e);
  put_text(o, "model", t->model);
  put_text(o, "data", t->data_name);
  put_integer(o, "parameters", parameters);
  put_integer(o, "batch", t->batch);
  put_integer(o, "epochs", e->epochs);
  put_integer(o, "steps", e->steps);
  if (e->epochs_before) put_integer(o, "epochs_before", e->epochs_before);
  reg_text_key(o, "seed");
  reg_text_format(o, "%llu", (unsigned long long)e->seed);
}

static void put_progress(Text *o, const reg_event *e) {
  put_text(o, "train", e->train->name);
  put_act(o, e);
  put_integer(o, "epoch", e->epoch);
  put_integer(o, "step", e->step);
  reg_text_key(o, "seconds");
  reg_text_number(o, e->seconds);
  put_number(o, e, "loss", e->loss);
  put_number(o, e, "objective", e->objective);
  if (e->terms) {
    const int terms = e->train->nterms - e->train->nlogs;
    put_named(o, e, "terms", terms, e->train->terms, e->terms);
    reg_text_add(o, "}");
    if (e->train->nlogs) {
      put_named(o, e, "logs", e->train->nlogs, e->train->terms + terms, e->terms + terms);
      reg_text_add(o, "}");
    }
  }
  if (e->schedules) {
    put_named(o, e, "schedules", e->train->nschedules, e->train->schedules, e->schedules);
    reg_text_add(o, "}");
  }
}

// Of a training that is solved: the gap, also before each block of passes.
static void put_solved(Text *o, const reg_event *e) {
  const reg_solved *s = e->solved;
  if (!s) return;
  reg_text_key(o, "gap");
  reg_text_number(o, s->gap);
  put_integer(o, "passes", s->passes);
  put_integer(o, "active", s->active);
  reg_text_key(o, "gaps");
  reg_text_add(o, "[");
  for (int64_t i = 0; i < s->ngaps; i++) {
    reg_text_item(o);
    reg_text_number(o, s->gaps[i]);
  }
  reg_text_add(o, "]");
}

static void put_norms(Text *o, const reg_event *e) {
  const reg_train *t = e->train;
  if (!e->norms) return;
  reg_text_key(o, "gradients");
  reg_text_add(o, "{");
  if (!t->sums_terms) put_number(o, e, "loss", e->norms[0]);
  for (int i = 0; i < t->nterms - t->nlogs; i++) put_number(o, e, t->terms[i], e->norms[i + 1]);
  reg_text_add(o, "}");
}

static void epoch(Text *o, const reg_event *e) {
  put_progress(o, e);
  put_norms(o, e);
  put_solved(o, e);
  if (!e->has_valid) return;
  put_named(o, e, "valid", e->valid_metrics ? e->train->nmetrics : 0, e->train->metrics, e->valid_metrics);
  put_number(o, e, "loss", e->valid_loss);
  reg_text_add(o, "}");
  reg_text_key(o, "best");
  reg_text_add(o, e->best ? "true" : "false");
}

static void train_end(Text *o, const reg_event *e) {
  put_progress(o, e);
  put_text(o, "reason", e->reason);
  if (e->best_epoch) put_integer(o, "best_epoch", e->best_epoch);
}

static void evaluate(Text *o, const reg_event *e) {
  const reg_evaluate *v = e->evaluate;
  put_text(o, "model", v->model);
  if (v->train >= 0) put_text(o, "train", e->train->name);
  put_act(o, e);
  put_text(o, "data", v->data_name);
  reg_text_key(o, "metrics");
  reg_text_add(o, "{");
  for (int i = 0; i < v->nmetrics; i++) {
    int64_t at = 0;
    reg_text_key(o, v->metric[i].name);
    put_array(o, e->values[i], e->program->dtype, &at, v->metric[i].rank, v->metric[i].dim);
  }
  reg_text_add(o, "}");
}

static void put_axis(Text *o, const reg_axis *x, double at) {
  reg_text_key(o, x->name);
  if (x->nnumbers)
    reg_text_exact(o, at);
  else
    reg_text_json(o, x->labels[(int64_t)at]);
}

static void put_exact(Text *o, const char *key, double value) {
  reg_text_key(o, key);
  reg_text_double(o, value);
}

static void view_row(Text *o, const reg_event *e, int64_t i) {
  const reg_sweep *s = &e->program->sweeps[e->view->sweep];
  const reg_view_row *row = &e->rows[i];
  const bool best = e->view->kind == REG_VIEW_BEST;
  reg_text_item(o);
  reg_text_add(o, "{");
  for (int k = 0; k < s->naxes; k++)
    if (best ? !e->view->over[k] : k == e->view->axis) put_axis(o, &s->axes[k], e->at[i * s->naxes + k]);
  put_integer(o, "n", row->n);
  put_exact(o, best ? "mean" : "difference", row->mean);
  put_exact(o, "error", row->error);
  if (!best) {
    if (!e->view->ranks) put_exact(o, "low", row->low);
    if (!e->view->ranks) put_exact(o, "high", row->high);
    put_exact(o, e->view->ranks ? "W" : "t", row->t);
    put_exact(o, "p", row->p);
    put_exact(o, "corrected", row->corrected);
    if (e->view->ranks) put_text(o, "test", row->exact ? "exact" : "normal");
  }
  reg_text_add(o, "}");
}

void reg_plot_name(Text *o, const reg_event *e, int64_t k) {
  const reg_sweep *s = &e->program->sweeps[e->view->sweep];
  const int before = s->drawn ? 1 : s->naxes;
  const reg_tensor *t = e->program->store + e->report->values[0];
  int i = 0;
  for (; k >= t->count / s->nruns; t = e->program->store + e->report->values[++i]) k -= t->count / s->nruns;
  reg_text_add(o, e->report->paths[i]);
  for (int64_t axis = before, rest = t->count / s->nruns; axis < t->rank; axis++) {
    rest /= t->dim[axis];
    reg_text_format(o, "%s%lld%s", axis == before ? "[" : ", ", (long long)(k / rest),
                    axis + 1 == t->rank ? "]" : "");
    k %= rest;
  }
}

static void plot(Text *o, const reg_event *e) {
  const reg_axis *x = &e->program->sweeps[e->view->sweep].axes[e->view->axis];
  put_text(o, "over", x->name);
  reg_text_key(o, "x");
  reg_text_add(o, "[");
  for (int i = 0; i < x->count; i++) {
    reg_text_item(o);
    reg_text_exact(o, x->numbers[i]);
  }
  reg_text_add(o, "]");
  reg_text_key(o, "paths");
  reg_text_add(o, "{");
  for (int64_t k = 0; k < e->npoints; k++) {
    Text name = {0};
    int64_t at = k * x->count;
    const int64_t count = x->count;
    reg_plot_name(&name, e, k);
    reg_text_key(o, name.used ? name.data : "value");
    put_array(o, e->points, REG_F64, &at, 1, &count);
    o->failed |= name.failed;
    reg_text_free(&name);
  }
  reg_text_add(o, "}");
}

static void view(Text *o, const reg_event *e) {
  put_text(o, "sweep", e->program->sweeps[e->view->sweep].name);
  if (e->view->kind == REG_VIEW_PLOT) {
    plot(o, e);
    return;
  }
  if (e->view->kind == REG_VIEW_BEST) put_integer(o, "chosen", e->chosen);
  reg_text_key(o, "rows");
  reg_text_add(o, "[");
  for (int64_t i = 0; i < e->nrows; i++) view_row(o, e, i);
  reg_text_add(o, "]");
}

void reg_report_words(Text *o, const reg_report *r, const int32_t *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (r->spaced && i) reg_text_add(o, " ");
    reg_text_add(o, r->words[y[i]]);
  }
}

// The text of the last axis, or a list of the texts.
static void put_words(Text *o, const reg_report *r, const reg_tensor *t, const int32_t *y) {
  const int64_t n = t->rank ? t->dim[t->rank - 1] : 1;
  reg_text_key(o, "value");
  if (t->rank > 1) reg_text_add(o, "[");
  for (int64_t i = 0; n && i < t->count; i += n) {
    Text row = {0};
    reg_report_words(&row, r, y + i, n);
    if (t->rank > 1) reg_text_item(o);
    reg_text_json(o, row.data ? row.data : "");
    o->failed |= row.failed;
    reg_text_free(&row);
  }
  if (t->rank > 1) reg_text_add(o, "]");
}

// A number or tensor, or those of a tree by their paths.
static void report(Text *o, const reg_event *e) {
  const reg_report *r = e->report;
  put_text(o, "name", e->name);
  if (e->view) {
    view(o, e);
    return;
  }
  if (r->nwords) {
    put_words(o, r, &e->program->store[r->values[0]], e->values[0]);
    return;
  }
  const bool tree = r->nvalues != 1 || r->paths[0][0];
  if (tree) {
    reg_text_key(o, "values");
    reg_text_add(o, "{");
  }
  for (int i = 0; i < r->nvalues; i++) {
    const reg_tensor *t = &e->program->store[r->values[i]];
    int64_t at = 0;
    reg_text_key(o, tree ? r->paths[i] : "value");
    put_array(o, e->values[i], t->dtype, &at, t->rank, t->dim);
  }
  if (tree) reg_text_add(o, "}");
}

// A column of a table as a list; of epochs whole numbers.
static void put_column(Text *o, reg_dtype type, const char *key, const double *from, int64_t n, int width) {
  reg_text_key(o, key);
  reg_text_add(o, "[");
  for (int64_t i = 0; i < n; i++) {
    reg_text_item(o);
    if (type == REG_I32)
      reg_text_format(o, "%.0f", from[i * width]);
    else
      put_float(o, type, from[i * width]);
  }
  reg_text_add(o, "]");
}

static void put_columns(Text *o, reg_dtype type, const char *const *names, int count, const double *from,
                        int64_t n, int width) {
  for (int i = 0; i < count; i++) put_column(o, type, names[i], from + i, n, width);
}

static void put_curve(Text *o, reg_dtype type, const reg_course *c) {
  const reg_train *t = c->train;
  const int width = REG_CURVE_TERMS + t->nterms + t->nmetrics, terms = t->nterms - t->nlogs,
            norms = REG_CURVE_NORMS + t->nterms;
  const double *first = c->points + REG_CURVE_TERMS;
  reg_text_item(o);
  reg_text_add(o, "{");
  put_text(o, "train", t->name);
  if (c->act > 1) put_integer(o, "act", c->act);
  put_column(o, REG_I32, "epoch", c->points, c->n, width);
  put_column(o, type, "loss", c->points + 1, c->n, width);
  put_column(o, type, "objective", c->points + 2, c->n, width);
  reg_text_key(o, "terms");
  reg_text_add(o, "{");
  put_columns(o, type, t->terms, terms, first, c->n, width);
  reg_text_add(o, "}");
  if (t->nlogs) {
    reg_text_key(o, "logs");
    reg_text_add(o, "{");
    put_columns(o, type, t->terms + terms, t->nlogs, first + terms, c->n, width);
    reg_text_add(o, "}");
  }
  if (t->valid_part) {
    reg_text_key(o, "valid");
    reg_text_add(o, "{");
    put_columns(o, type, t->metrics, t->nmetrics, first + t->nterms, c->n, width);
    put_column(o, type, "loss", c->points + 3, c->n, width);
    reg_text_add(o, "}");
  }
  if (c->nnorms) {
    put_column(o, REG_I32, "measured", c->norms, c->nnorms, norms);
    reg_text_key(o, "gradients");
    reg_text_add(o, "{");
    if (!t->sums_terms) put_column(o, type, "loss", c->norms + 1, c->nnorms, norms);
    put_columns(o, type, t->terms, terms, c->norms + REG_CURVE_NORMS, c->nnorms, norms);
    reg_text_add(o, "}");
  }
  reg_text_add(o, "}");
}

static void put_curves(Text *o, const reg_event *e) {
  if (!e->ncurves) return;
  reg_text_key(o, "curves");
  reg_text_add(o, "[");
  for (int i = 0; i < e->ncurves; i++) put_curve(o, e->program->dtype, e->curves[i]);
  reg_text_add(o, "]");
}

static void put_values(Text *o, const reg_event *e) {
  const reg_sweep *s = e->sweep;
  reg_text_key(o, "values");
  reg_text_add(o, "{");
  for (int i = 0; i < s->nkept; i++) {
    const reg_kept *k = &s->kept[i];
    const reg_tensor *t = &e->program->store[k->to];
    int64_t at = e->run;
    if (!k->column) continue;
    reg_text_key(o, k->name);
    put_array(o, e->values[i], t->dtype, &at, 0, NULL);
  }
  reg_text_add(o, "}");
}

// Axes of data sets, such as folds: runs that differ in these alone are repetitions, as those of other seeds
// are.
static void put_repetitions(Text *o, const reg_sweep *s) {
  int n = 0;
  for (int i = 0; i < s->naxes; i++) {
    if (!s->axes[i].folds) continue;
    if (n)
      reg_text_add(o, ",");
    else
      reg_text_key(o, "repeats"), reg_text_add(o, "[");
    reg_text_json(o, s->axes[i].name);
    n++;
  }
  if (n) reg_text_add(o, "]");
}

static void run(Text *o, const reg_event *e) {
  const reg_sweep *s = e->sweep;
  put_text(o, "sweep", s->name);
  put_act(o, e);
  put_integer(o, "run", e->run);
  reg_text_key(o, "axes");
  reg_text_add(o, "{");
  for (int i = 0; i < s->naxes; i++) put_axis(o, &s->axes[i], e->at[i]);
  reg_text_add(o, "}");
  put_repetitions(o, s);
  put_text(o, "outcome",
           e->status      ? (e->status->code == REG_DIVERGED ? "diverged" : "failed")
           : e->share < 1 ? "stopped"
                          : "finished");
  if (e->share < 1) put_exact(o, "share", e->share);
  if (e->status) put_text(o, "reason", e->status->text);
  reg_text_key(o, "seconds");
  reg_text_number(o, e->seconds);
  if (!e->status) put_values(o, e);
  put_curves(o, e);
}
static void sweep(Text *o, const reg_event *e) {
  put_text(o, "sweep", e->sweep->name);
  put_act(o, e);
  put_integer(o, "runs", e->sweep->nruns);
  put_integer(o, "diverged", e->diverged);
  put_integer(o, "failed", e->failed);
  reg_text_key(o, "seconds");
  reg_text_number(o, e->seconds);
}

static void failure(Text *o, const reg_event *e) {
  put_integer(o, "code", e->status->code);
  put_text(o, "name", e->status->name);
  put_text(o, "text", e->status->text);
  if (e->status->hint[0]) put_text(o, "hint", e->status->hint);
}

char *reg_event_json(const reg_event *e) {
  static const char *const names[] = {"train_start", "step",   "epoch", "train_end", "evaluate",
                                      "report",      "flight", "run",   "sweep",     "error"};
  Text o = {0};
  reg_text_add(&o, "{");
  put_text(&o, "event", names[e->kind]);
  switch (e->kind) {
  case REG_EVENT_TRAIN_START: train_start(&o, e); break;
  case REG_EVENT_STEP: put_progress(&o, e); break;
  case REG_EVENT_EPOCH: epoch(&o, e); break;
  case REG_EVENT_TRAIN_END: train_end(&o, e); break;
  case REG_EVENT_EVALUATE: evaluate(&o, e); break;
  case REG_EVENT_REPORT: report(&o, e); break;
  case REG_EVENT_FLIGHT: break; // is not written
  case REG_EVENT_RUN: run(&o, e); break;
  case REG_EVENT_SWEEP: sweep(&o, e); break;
  case REG_EVENT_ERROR: failure(&o, e); break;
  }
  reg_text_add(&o, "}");
  if (!o.failed) return o.data;
  reg_text_free(&o);
  return NULL;
}
