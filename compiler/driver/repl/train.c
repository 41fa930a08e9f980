// Statements that run: `train`, `evaluate`, `check`. Each compiles its own program of the definitions as they
// are now.
#include "repl.h"
#include <string.h>

typedef struct Sink {
  reg_console console;
  Repl *repl;
} Sink;

static void on_event(void *user, const reg_event *e) {
  Sink *s = user;
  reg_console_sink(&s->console, e);
  if (!s->repl->only_evaluate) curves_event(&s->repl->curves, e);
}

static bool run(Repl *r, Work *w) {
  ProgramTable *t = program_table(&w->p, false);
  const Options *o = &r->options;
  Sink sink = {.console = console_of(o), .repl = r};
  if (memory_check(t)) return false;
  reg_run_options run = {.threads = o->threads,
                         .seed = o->seed,
                         .has_seed = o->given[OPT_SEED],
                         .max_steps = o->steps,
                         .out_dir = o->value[OPT_OUT_DIR] && !r->only_evaluate ? o->value[OPT_OUT_DIR] : "",
                         .sink = on_event,
                         .sink_user = &sink,
                         .begin = repl_weights_begin,
                         .end = repl_weights_end,
                         .weights_user = r,
                         .step_events = sink.console.bar,
                         .interrupt = reg_signals_install()};
  reg_status st = {0};
  int code = reg_run(&t->program, &run, NULL, &st);
  tell_status(o, &st);
  r->stopped = code == REG_INTERRUPTED;
  return code == REG_OK || code == REG_INTERRUPTED;
}

bool repl_train(Repl *r, const ReplItem *item) {
  Work w;
  r->only_evaluate = false;
  bool ok =
      work_open(r, &w, &r->items, TRAINS_NONE, (const ReplItem *const[]){item, NULL}, false) && run(r, &w);
  work_close(&w);
  return ok;
}

// The training whose weights an evaluation is of: the latest one of the model.
static const ReplItem *train_for(const Repl *r, const ReplItem *evaluate) {
  Arena *a = arena_new();
  const char *model = arena_strndup(a, evaluate->name, strcspn(evaluate->name, " "));
  const ReplWeights *w = repl_weights_of_model(r, model);
  const ReplItem *found = w ? item_find(r, AST_TRAIN, w->train) : NULL;
  if (!found) found = item_find(r, AST_TRAIN, model);
  for (int i = 0; i < r->items.len && !found; i++) {
    const ReplItem *t = &r->items.data[i];
    Session *s = session_new();
    const Ast *file = parse_source(s, source_add(&s->sources, "", t->unit->text, t->unit->len))->file;
    const Ast *train = file->kids[t->index];
    for (int k = 0; t->kind == AST_TRAIN && k < train->kids[0]->nkids; k++)
      if (!strcmp(train->kids[0]->kids[k]->name, model)) found = t;
    session_free(s);
  }
  arena_free(a);
  return found;
}

bool repl_evaluate(Repl *r, const ReplItem *item) {
  const ReplItem *train = train_for(r, item);
  const ReplItem *const more[] = {train ? train : item, train ? item : NULL};
  Work w;
  r->only_evaluate = true;
  bool ok = work_open(r, &w, &r->items, TRAINS_NONE, more, false) && run(r, &w);
  r->only_evaluate = false;
  work_close(&w);
  return ok;
}

bool repl_run(Repl *r, const char *name) {
  r->stopped = false;
  ReplItems all = {0};
  Arena *a = arena_new();
  for (int i = 0; i < r->items.len; i++) {
    const ReplItem *item = &r->items.data[i];
    size_t n = strlen(name);
    bool meant = !n || (!strncmp(item->name ? item->name : "", name, n) && strchr(" ", item->name[n]));
    if (meant && (item->kind == AST_TRAIN || item->kind == AST_EVALUATE)) vec_push(a, all, *item);
  }
  bool ok = all.len > 0;
  if (!ok)
    reg_shown_line(stderr, *name ? "nothing to run is called `%s`" : "there is nothing to run%.0s", name);
  for (int i = 0; i < all.len && ok && !r->stopped; i++)
    ok = all.data[i].kind == AST_TRAIN ? repl_train(r, &all.data[i]) : repl_evaluate(r, &all.data[i]);
  arena_free(a);
  return ok;
}

bool repl_check(Repl *r, const ReplItem *item) {
  Work w;
  bool ok = work_open(r, &w, &r->items, TRAINS_NONE, (const ReplItem *const[]){item, NULL}, false);
  for (int i = 0; ok && i < w.p.program->checks.len; i++)
    ok = gradcheck_run(&w.p, w.p.program->checks.data[i]) == EXIT_OK;
  work_close(&w);
  return ok;
}
