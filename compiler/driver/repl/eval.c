// Expressions. In: text, kept weights, loaded data. Out: values on standard output, or what else is asked
// about them: type, shape, time, a stage of their code, a histogram.
#include "../emit.h"
#include "../expression.h"
#include "repl.h"
#include <stdlib.h>
#include <string.h>

typedef struct View {
  Repl *repl;
  Work work;
  LowerExpression *view;
  ExpressionInputs in;
  int kept; // parameters that have kept weights
  Tensor *out;
} View;

// Is it something that is defined here? Then trainings may matter: for times, shapes and parameters.
static bool names_own(const Repl *r, const Ast *e) {
  bool time = e->kind == AST_NAME && (!strcmp(e->name, "total") || !strcmp(e->name, "progress"));
  return time || (e->kind == AST_NUM && e->name) || (e->kind == AST_NAME && item_find(r, AST_DEF, e->name));
}

static bool names_value(const Repl *r, const Ast *e) { return e->kind == AST_NAME && repl_binds(r, e->name); }

static bool somewhere(const Repl *r, const Ast *e, bool (*is)(const Repl *r, const Ast *e)) {
  bool found = e && is(r, e);
  for (int i = 0; e && i < e->nkids && !found; i++) found = somewhere(r, e->kids[i], is);
  return found;
}

// A call of a model, directly or behind a pipe: its named values can be looked at afterwards.
static bool calls_model(const Repl *r, const Ast *e) {
  if (!e) return false;
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : e->kind == AST_PIPE ? e->kids[1] : NULL;
  if (callee && callee->kind == AST_AS) callee = callee->kids[0];
  if (callee && callee->kind == AST_NAME) {
    const ReplItem *d = item_find(r, AST_DEF, callee->name);
    if (d && d->op == KIND_MODEL) return true;
  }
  for (int i = 0; i < e->nkids; i++)
    if (calls_model(r, e->kids[i])) return true;
  return false;
}

static bool has(const Repl *r, const char *text, bool (*is)(const Repl *r, const Ast *e)) {
  Session *s = session_new();
  const bool found =
      somewhere(r, parse_expression(s, source_add(&s->sources, "", text, (int)strlen(text))), is);
  session_free(s);
  return found;
}

static bool view_lower(View *v, WorkTrains trains, const char *text, bool quiet) {
  Repl *r = v->repl;
  if (!work_open(r, &v->work, &r->items, trains, NULL, quiet)) return false;
  Session *s = v->work.session;
  const Ast *before = NULL;
  if (r->last_call)
    before = parse_expression(s, source_add(&s->sources, "", r->last_call, (int)strlen(r->last_call)));
  v->work.first_source = s->sources.list.len;
  const Ast *e = work_expression(r, &v->work, text, quiet);
  if (!e) return false;
  v->view =
      lower_expression(v->work.p.lowered, &(LowerAsked){.expression = e, .before = before, .between = true});
  if (quiet ? s->diags.errors > 0 : work_report(&v->work) != EXIT_OK) return false;
  if (v->view && calls_model(r, e)) {
    char *kept = strdup(text);
    free(r->last_call);
    r->last_call = kept;
  }
  return v->view != NULL;
}

static bool view_open(Repl *r, View *v, const char *text) {
  *v = (View){.repl = r};
  if (has(r, text, names_value)) return view_lower(v, TRAINS_ALL, text, false);
  if (has(r, text, names_own)) {
    if (view_lower(v, TRAINS_ALL, text, true)) return true;
    work_close(&v->work);
  }
  return view_lower(v, TRAINS_NONE, text, false);
}

static void view_close(View *v) { work_close(&v->work); }

// -- inputs

static double *numbers(Arena *a, const ReplTensor *t, int64_t n) {
  double *out = ARENA_ARRAY(a, double, n + 1);
  for (int64_t i = 0; i < n; i++) out[i] = reg_number_at(t->values, t->dtype, i);
  return out;
}

// Kept weights, values of names, and of time where the latest training stands.
static double *kept_value(void *user, const LowerExpression *x, const Node *n) {
  View *v = user;
  Arena *a = v->work.p.arena;
  const ReplTensor *t = NULL;
  const int at = n->port.index;
  switch ((reg_slot_kind)n->port.kind) {
  case REG_SLOT_PARAM: t = repl_weights_tensor(v->repl, false, x->params.data[at].path, n->shape); break;
  case REG_SLOT_STATE: t = repl_weights_tensor(v->repl, true, x->states.data[at].name, n->shape); break;
  case REG_SLOT_STORE: t = repl_value(v->repl, v->work.p.lowered, at); break;
  default: {
    const ReplWeights *k = repl_weights_latest(v->repl);
    const int64_t time = !k ? 0 : n->port.kind == REG_SLOT_STEP ? k->step : k->epoch;
    return tensor_scalar(a, n->name, DT_I32, (double)time).data;
  }
  }
  v->kept += t && n->port.kind == REG_SLOT_PARAM;
  return t ? numbers(a, t, shape_count(n->shape)) : NULL;
}

static void tell_initial(const View *v, int initial) {
  if (!initial || v->repl->options.given[OPT_QUIET]) return;
  if (!v->kept)
    fputs("note: nothing is trained yet: parameters have their initial values\n", stderr);
  else
    reg_shown_line(stderr,
                   "note: %d of %d parameter tensors have their initial values: no kept weights fit them",
                   initial, initial + v->kept);
}

static bool fill_inputs(View *v) {
  Work *w = &v->work;
  reg_status st = {0};
  const Node *missing;
  v->in = (ExpressionInputs){.kept = kept_value, .user = v};
  if (expression_fill(&w->p, v->view, &v->in, &missing, &st)) {
    tell_status(w->p.options, &st);
    return false;
  }
  if (missing)
    repl_tell_no_value(v->repl, w->p.lowered->store.data[missing->port.index].name);
  else
    tell_initial(v, v->in.initial);
  return !missing;
}

// Compiled, not yet run. false after a report.
static bool view_prepare(View *v, Prepared *p) {
  reg_status st = {0};
  if (!fill_inputs(v)) return false;
  if (!prepared_new(&v->work.p, v->view->graph, v->in.in.data, v->in.in.len, p, &st)) return true;
  tell_status(v->work.p.options, &st);
  return false;
}

static bool view_run(View *v) {
  Prepared p;
  if (!view_prepare(v, &p)) return false;
  v->out = ARENA_ARRAY(v->work.p.arena, Tensor, v->view->graph->outputs.len);
  reg_status st = {0};
  int code = prepared_run(&p, &st);
  prepared_read(&p, v->out);
  prepared_free(&p);
  for (int i = 0; i < v->view->values.len; i++) v->out[i].dtype = v->view->values.data[i].dtype;
  if (code) tell_status(v->work.p.options, &st);
  return !code;
}

// -- what is no tensor

static void show_data(FILE *out, const char *text, const reg_dataset *d) {
  const reg_part *part = strchr(text, '.') ? reg_data_part(d, strrchr(text, '.') + 1) : NULL;
  fprintf(out, "%s: %lld rows\n", text, (long long)(part ? part->nrows : d->nrows));
  for (int i = 0; i < d->nfields; i++) {
    const reg_field *f = &d->fields[i];
    fputs("  .", out);
    text_padded(out, f->name, 12);
    if (f->rank) fputs("[", out);
    for (int k = 0; k < f->rank; k++) fprintf(out, "%s%lld", k ? ", " : "", (long long)f->dim[k]);
    fputs(f->rank ? "]" : reg_field_numeric(f) ? "number" : "text", out);
    if (f->nclasses) fprintf(out, ", %lld classes", (long long)f->nclasses);
    fputc('\n', out);
  }
  for (int i = 0; i < d->nparts && !part; i++)
    fprintf(out, "  .%-12s%lld rows\n", d->parts[i].name, (long long)d->parts[i].nrows);
}

static void show_parameters(const View *v, const char *model) {
  Arena *a = v->work.p.arena;
  int64_t total = 0;
  for (int i = 0; i < v->view->params.len; i++) {
    const LowerParam *p = &v->view->params.data[i];
    if (!model_owns(v->work.p.lowered, model, p->path)) continue;
    printf("  %-28s %s\n", p->path, shape_text(a, p->shape));
    total += shape_count(p->shape);
  }
  printf("  parameters: %lld\n", (long long)total);
}

static void show_other(const View *v, const char *text) {
  const Lowered *l = v->work.p.lowered;
  const LowerExpression *view = v->view;
  if (view->data >= 0) {
    show_data(stdout, text, l->datasets.data[view->data]);
    return;
  }
  reg_shown_line(stdout, "%s", view->text);
  const ReplItem *d = item_find(v->repl, AST_DEF, text);
  if (d && d->op == KIND_MODEL) show_parameters(v, text);
}

// -- what may be asked

bool repl_show_value(Repl *r, const char *text) {
  View v;
  bool ok = view_open(r, &v, text);
  if (ok && !v.view->graph) {
    size_t n = strlen(text);
    while (n && strchr(" \t\n", text[n - 1])) n--;
    show_other(&v, arena_strndup(v.work.p.arena, text, n));
  } else if (ok && (ok = view_run(&v))) {
    for (int i = 0; i < v.view->values.len; i++)
      show_tensor(stdout, r->options.out, v.view->values.data[i].path, &v.out[i]);
  }
  fflush(stdout);
  view_close(&v);
  return ok;
}

bool repl_type(Repl *r, const char *text, bool shape_only) {
  View v;
  bool ok = view_open(r, &v, text);
  Arena *a = ok ? v.work.p.arena : NULL;
  if (ok && !v.view->values.len) reg_shown_line(stdout, "%s", v.view->text);
  for (int i = 0; ok && i < v.view->values.len; i++) {
    const LowerValue *x = &v.view->values.data[i];
    if (*x->path) printf("%s: ", x->path);
    printf(shape_only ? "%s\n" : "%s", shape_text(a, x->shape));
    if (!shape_only) printf(" %s\n", dtype_text(x->dtype));
  }
  view_close(&v);
  return ok;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static const char *seconds_text(Arena *a, double s) {
  return s < 1e-3 ? arena_printf(a, "%.3g us", s * 1e6)
         : s < 1  ? arena_printf(a, "%.3g ms", s * 1e3)
                  : arena_printf(a, "%.3g s", s);
}

enum { MOST_RUNS = 1000 };

// Seconds of each of *n runs; the first one warms caches and is not counted.
static int measure(const Prepared *p, double *times, int *n, reg_status *st) {
  const double enough = 0.5, begin = now_seconds();
  volatile int *stop = reg_signals_install();
  int code = prepared_run(p, st);
  for (*n = 0; *n < MOST_RUNS && (*n < 5 || now_seconds() - begin < enough) && !code && !*stop; ++*n) {
    double before = now_seconds();
    code = prepared_run(p, st);
    times[*n] = now_seconds() - before;
  }
  return code;
}

bool repl_time(Repl *r, const char *text) {
  View v;
  Prepared p;
  bool ok = view_open(r, &v, text);
  if (ok && !v.view->graph) {
    reg_shown_line(stderr, "%s takes no time: it is no number and no tensor", v.view->text);
    ok = false;
  }
  if (ok) ok = view_prepare(&v, &p);
  if (ok) {
    Arena *a = v.work.p.arena;
    double *times = ARENA_ARRAY(a, double, MOST_RUNS + 1);
    reg_status st = {0};
    int n;
    ok = !measure(&p, times, &n, &st);
    prepared_free(&p);
    tell_status(v.work.p.options, &st);
    qsort(times, (size_t)n, sizeof *times, by_value);
    if (ok)
      printf("median %s of %d runs (fastest %s); compiled in %s%s\n", seconds_text(a, times[n / 2]), n,
             seconds_text(a, times[0]), seconds_text(a, v.work.p.compile_s),
             v.work.p.cached ? ", from the cache" : "");
  }
  view_close(&v);
  return ok;
}

static bool emit_training(Repl *r, const Options *o, const ReplItem *train) {
  Work w;
  bool ok = work_open(r, &w, &r->items, TRAINS_NONE, (const ReplItem *const[]){train, NULL}, false);
  if (ok) {
    w.p.options = o;
    ok = emit_step(program_table(&w.p, false)) == EXIT_OK;
  }
  work_close(&w);
  return ok;
}

bool repl_emit(Repl *r, const char *stage, const char *text) {
  Options o = r->options;
  o.given[OPT_EMIT] = true;
  o.value[OPT_EMIT] = stage;
  o.value[OPT_OUTPUT] = NULL;
  const char *name =
      !strncmp(text, "train", 5) && strchr(" ", text[5]) ? text + 5 + strspn(text + 5, " ") : NULL;
  const ReplItem *train = NULL;
  for (int i = 0; name && i < r->items.len; i++)
    if (r->items.data[i].kind == AST_TRAIN && (!*name || !strcmp(name, r->items.data[i].name)))
      train = &r->items.data[i];
  if (train) return emit_training(r, &o, train);
  if (name) {
    reg_shown_line(stderr, "there is no training `%s`", name);
    return false;
  }
  View v;
  bool ok = view_open(r, &v, text);
  if (ok && !v.view->graph) reg_shown_line(stderr, "%s has no code", v.view->text);
  ok = ok && v.view->graph;
  if (ok) {
    v.work.p.options = &o;
    ok = emit_function(&v.work.p, pipeline_loops(&v.work.p, v.view->graph, false)) == EXIT_OK;
  }
  view_close(&v);
  return ok;
}

bool repl_histogram(Repl *r, const char *text) {
  View v;
  bool ok = view_open(r, &v, text);
  if (ok && !v.view->graph) reg_shown_line(stderr, "%s has no values to plot", v.view->text);
  ok = ok && v.view->graph && view_run(&v);
  for (int i = 0; ok && i < v.view->values.len; i++) {
    const char *path = v.view->values.data[i].path;
    plot_histogram(stdout, r->options.out, *path ? path : text, v.out[i].data, shape_count(v.out[i].shape));
  }
  view_close(&v);
  return ok;
}
