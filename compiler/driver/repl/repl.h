// What the files of `regc repl` share. Between entries only texts, weights and loaded data are kept: each
// entry is compiled in a session of its own that is freed after it, so that memory does not grow with the
// number of entries.
#ifndef DRIVER_REPL_H
#define DRIVER_REPL_H
#include "../program_table.h"
#include "../summary.h"
#include "../values.h"
#include "reg/train.h"

// A text whose definitions are kept: one entry, or one file.
typedef struct ReplUnit {
  Arena *arena;
  const char *name; // a file's path, or "[3]"
  const char *text;
  int len, batch; // units of one entry share the batch
} ReplUnit;

typedef struct ReplItem {
  ReplUnit *unit;
  int index;         // of the unit's items
  AstKind kind;      // DEF, CHECK, or a statement's
  int op;            // DefKind of a DEF
  const char *name;  // a training's own name; an evaluation's "net on digits.test"; else what it is
  const char *binds; // names of values: "a, b"; "" for none
} ReplItem;

typedef VEC(ReplItem) ReplItems; // in an arena of its user

typedef struct ReplTensor {
  char *name;
  Shape shape;
  reg_dtype dtype;
  void *values;
  bool layer; // a state that a layer keeps: part of the weights
} ReplTensor;

// The weights of one training, of a file, or that statements have given.
typedef struct ReplWeights {
  char *train, *model; // train: "" where they are of no training
  char *file;
  int nparams, nstates;
  ReplTensor *params, *states;
  void **best, **best_states; // as many as params and states, or NULL
  bool has_best, finished;
  double best_value;
  int64_t best_epoch, epoch, step, per_epoch, epochs;
  uint64_t stamp; // the latest ones have the highest
} ReplWeights;

typedef struct ReplData { // a loaded data set
  char *key;
  reg_dataset *set;
  int64_t used; // entry
} ReplData;

// One row an epoch of the last training: loss, terms, validation loss, metrics.
typedef struct ReplCurves {
  char *title;
  int ncolumns, nrows, room;
  char **names;
  double *values;
} ReplCurves;

typedef struct ReplLine ReplLine;

typedef struct Repl {
  Arena *arena; // as long as the session
  Options options;
  bool tty; // prompt, editing, notes
  int entries, batches;
  int fresh;          // the batch that is being entered: mistakes and warnings are about it; else -1
  Arena *items_arena; // replaced with each change of the items
  ReplItems items;
  VEC(ReplWeights *) weights;
  VEC(ReplTensor) values;    // of names that statements have bound, by name: "x", "tree net.hidden.weight"
  const ProgramTable *table; // of the run under way
  bool trains;               // it is that of a `train` alone, which may go on with a stopped one
  VEC(ReplData) data;
  uint64_t stamp;
  ReplCurves curves;
  char *last_call; // the last expression that called a model
  bool stopped;    // the last run was interrupted
  bool failed, over;
  ReplLine *line; // NULL: no terminal
} Repl;

// One entry's compilation.
typedef struct Work {
  Session *session;
  Pipeline p;
  int first_source; // of what was typed now: warnings about other sources are not repeated
} Work;

// TRAINS_NONE: no statements, unless one binds a name, which definitions may read.
typedef enum WorkTrains { TRAINS_NONE, TRAINS_ALL } WorkTrains;

// -- session.c
// Parses, checks and lowers kept items (all definitions; trainings and evaluations as asked for; `more`: up
// to two more of them, or NULL). false after a report; with `quiet` nothing is told.
bool work_open(Repl *r, Work *w, const ReplItems *items, WorkTrains trains, const ReplItem *const *more,
               bool quiet);
void work_close(Work *w);
int work_report(Work *w); // as pipeline_report, without warnings about earlier entries
// The expression in `text`, parsed and checked; NULL after a report.
const Ast *work_expression(Repl *r, Work *w, const char *text, bool quiet);
// What it is; NULL after mistakes, which are not told.
const LowerExpression *work_lowered(Work *w, const Ast *e);
void items_changed(Repl *r, const ReplItems *items); // keeps these, frees units that nothing refers to
// Does the program stay right? With definitions and statements, all are checked together. Values that it
// knows no more are forgotten; with `quiet` nothing is told, and nothing forgotten.
bool items_accepted(Repl *r, const ReplItems *all, bool quiet);
const ReplItem *item_find(const Repl *r, AstKind kind, const char *name);
// Items of a text or file. What is right is kept, and what is to be done at once is done, unless `load`.
bool repl_items(Repl *r, const char *name, const char *text, int len, bool load);
bool repl_load_file(Repl *r, const char *path);
bool repl_drop(Repl *r, const char *name);
bool repl_set(Repl *r, const char *name, const char *value);
void repl_reset(Repl *r, bool all);
const char *plan_key(Arena *a, const reg_data_plan *plan); // equal for data that are made in the same way
reg_dataset *repl_data(void *user, const reg_data_plan *plan, reg_status *st); // Pipeline.load
void repl_free_data(Repl *r);

// -- arrange.c
bool item_is(const ReplItem *item, AstKind kind, const char *name);
bool item_binds(const ReplItem *item, const char *name); // as a value's
// What is kept from now on; false after a report.
bool items_arrange(Repl *r, Arena *a, const ReplItems *new, ReplItems *all);

// -- save.c
bool repl_save_items(const Repl *r, const char *path); // appears whole or not at all
void repl_list(const Repl *r);

// -- train.c
bool item_acts(const ReplItem *item);         // a statement, of whichever kind
bool repl_act(Repl *r, const ReplItem *item); // one of the kept ones
bool repl_run(Repl *r, const char *name);     // "": all
bool repl_check(Repl *r, const ReplItem *item);

// -- weights.c
ReplWeights *repl_weights_of_model(const Repl *r, const char *model); // the latest
ReplWeights *repl_weights_latest(const Repl *r);
void repl_weights_forget(Repl *r, const char *train); // NULL: all
int repl_weights_begin(void *user, reg_weights *w);   // reg_run_options.begin, with a Repl as user
void repl_weights_end(void *user, const reg_weights *w);
bool repl_weights_save(Repl *r, const char *path);
bool repl_weights_load(Repl *r, const char *path);
// A parameter or state for an expression; NULL where none fits.
const ReplTensor *repl_weights_tensor(const Repl *r, bool state, const char *name, Shape shape);

// What a statement has left; a training's weights are those of its end.
void repl_weights_put(Repl *r, const reg_tensor *t, const void *values);
void repl_weights_tell(const Repl *r, const reg_train *t); // whether an evaluation sees kept ones
ReplTensor repl_tensor(const char *name, const reg_tensor *t, const void *values); // a copy

// -- store.c
const void *repl_store_kept(void *user, int stored); // reg_run_options.kept, with a Repl as user
void repl_store_keep(void *user, int stored, const void *values);
bool repl_binds(const Repl *r, const char *name); // does a kept statement?
void repl_tell(const Repl *r, reg_status *st);    // a status, and what helps where a value is missing
void repl_tell_no_value(const Repl *r, const char *name);
const ReplTensor *repl_value(const Repl *r, const Lowered *l, int stored); // NULL: it has none
void repl_values_forget(Repl *r,
                        const Lowered *l); // that the program's names are not, or are no more; NULL: all
void repl_list_value(const Repl *r, FILE *out, const char *before, const char *name);
void repl_list_values(const Repl *r);

// -- eval.c
bool repl_show_value(Repl *r, const char *text);
bool repl_time(Repl *r, const char *text);
bool repl_type(Repl *r, const char *text, bool shape_only);
bool repl_emit(Repl *r, const char *stage, const char *text);
bool repl_histogram(Repl *r, const char *text);

// -- show.c
void show_tensor(FILE *out, reg_terminal t, const char *path, const Tensor *v);

// -- plot.c
void curves_free(ReplCurves *c);
void curves_event(ReplCurves *c, const reg_event *e); // of a training
bool plot_curves(FILE *out, reg_terminal t, const ReplCurves *c);
void plot_histogram(FILE *out, reg_terminal t, const char *title, const double *values, int64_t n);

// -- commands.c
bool repl_command(Repl *r, const char *line); // behind the colon
const char *command_name(int i);              // NULL behind the last
const char *command_completes(const char *name);

// -- complete.c
typedef struct Candidates {
  Arena *arena;
  VEC(const char *) list; // whole words, sorted, each once
  int start;              // where in the text the word begins
  bool commands;          // they are commands of the prompt
} Candidates;
void complete_text(Repl *r, Candidates *c, const char *text); // up to the cursor

// -- line.c
ReplLine *line_new(Repl *r);
void line_free(ReplLine *l);
// One line without its end, in the arena; NULL at the end of input. *cancelled: Ctrl-C. `before`: the lines
// of this entry so far, "" for the first.
char *line_read(ReplLine *l, Arena *a, const char *before, bool *cancelled);
// Between entries Ctrl-C is for the prompt: held back until a line is waited for. While an entry is done it
// is for a training.
void line_arm(void);
void line_disarm(void);
bool line_pending(void); // more input is there already (pasted)
void line_remember(ReplLine *l, const char *entry);
#endif
