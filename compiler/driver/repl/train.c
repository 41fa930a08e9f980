// Statements that act, and `check`. Each compiles the program of all that is kept, of which its own stages
// are run.
#include "repl.h"
#include <string.h>

typedef struct Sink {
  reg_console console;
  Repl *repl;
} Sink;

static void on_event(void *user, const reg_event *e) {
  Sink *s = user;
  reg_console_sink(&s->console, e);
  curves_event(&s->repl->curves, e);
}

// Does one of the stages train?
static bool trains(const reg_stage *list, int n) {
  bool found = false;
  for (int i = 0; i < n && !found; i++)
    found = list[i].kind == REG_STAGE_TRAIN || trains(list[i].body, list[i].nbody) ||
            trains(list[i].otherwise, list[i].nelse);
  return found;
}

static bool run(Repl *r, ProgramTable *t) {
  const Options *o = &r->options;
  const bool writes = o->value[OPT_OUT_DIR] && trains(t->program.stages, t->program.nstages);
  Sink sink = {.console = console_of(o), .repl = r};
  if (memory_check(t)) return false;
  reg_run_options run = {.threads = o->threads,
                         .seed = o->seed,
                         .has_seed = o->given[OPT_SEED],
                         .max_steps = o->steps,
                         .out_dir = writes ? o->value[OPT_OUT_DIR] : "",
                         .sink = on_event,
                         .sink_user = &sink,
                         .begin = repl_weights_begin,
                         .end = repl_weights_end,
                         .kept = repl_store_kept,
                         .keep = repl_store_keep,
                         .weights_user = r,
                         .step_events = sink.console.bar,
                         .interrupt = reg_signals_install()};
  reg_status st = {0};
  r->table = t;
  int code = reg_run(&t->program, &run, NULL, &st);
  r->table = NULL;
  repl_tell(r, &st);
  r->stopped = code == REG_INTERRUPTED;
  if (r->stopped && !r->trains) reg_shown_line(stderr, "%s", st.text);
  return code == REG_OK || code == REG_INTERRUPTED;
}

bool item_acts(const ReplItem *item) {
  return item->kind != AST_DEF && item->kind != AST_CHECK && item->kind != AST_PRECISION;
}

// Which of the statements it is.
static int statement_of(const Repl *r, const ReplItem *item) {
  int n = 0;
  for (const ReplItem *i = r->items.data; i != item; i++) n += item_acts(i);
  return n;
}

bool repl_act(Repl *r, const ReplItem *item) {
  const int at = statement_of(r, item);
  Work w;
  bool ok = work_open(r, &w, &r->items, TRAINS_ALL, NULL, false);
  if (ok) {
    const Lowered *l = w.p.lowered;
    ProgramTable *t = program_table(&w.p, false);
    const int first = l->begins.data[at],
              end = at + 1 < l->begins.len ? l->begins.data[at + 1] : l->stages.len;
    t->program.stages += first;
    t->program.nstages = end - first;
    r->trains = item->kind == AST_TRAIN;
    const reg_stage *last = &l->stages.data[end - 1]; // initial values may come before an evaluation
    const int train = item->kind == AST_EVALUATE ? l->evaluates.data[last->index]->train : -1;
    if (train >= 0) repl_weights_tell(r, &t->program.trains[train]);
    ok = run(r, t);
  }
  work_close(&w);
  return ok;
}

static bool is_called(const ReplItem *item, const char *name) {
  const size_t n = strlen(name);
  return !n || item_binds(item, name) ||
         (!strncmp(item->name ? item->name : "", name, n) && strchr(" ", item->name[n]));
}

bool repl_run(Repl *r, const char *name) {
  r->stopped = false;
  bool ok = true, found = false;
  for (int i = 0; i < r->items.len && ok && !r->stopped; i++) {
    const ReplItem *item = &r->items.data[i];
    if (!item_acts(item) || !is_called(item, name)) continue;
    found = true;
    ok = repl_act(r, item);
  }
  if (!found)
    reg_shown_line(stderr, *name ? "nothing to run is called `%s`" : "there is nothing to run%.0s", name);
  return ok && found;
}

bool repl_check(Repl *r, const ReplItem *item) {
  Work w;
  bool ok = work_open(r, &w, &r->items, TRAINS_NONE, (const ReplItem *const[]){item, NULL}, false);
  for (int i = 0; ok && i < w.p.program->checks.len; i++)
    ok = gradcheck_run(&w.p, w.p.program->checks.data[i]) == EXIT_OK;
  work_close(&w);
  return ok;
}
