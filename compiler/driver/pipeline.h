// The way of a program through the compiler, as steps that commands take as far as they need.
#ifndef DRIVER_PIPELINE_H
#define DRIVER_PIPELINE_H
#include "../backend/backend.h"
#include "../lower/lower.h"
#include "driver.h"

typedef struct Noted {
  const char *name;
  double value;
} Noted;

typedef struct Pipeline {
  Session *session;
  Arena *arena; // the session's
  const Options *options;
  const char *path; // "" where there is no file
  const char *text;
  int source;
  Parse *parse;
  Program *program;
  Lowered *lowered;
  BackendOptions backend_options;
  const Backend *backend;
  struct Jit *jit; // started with the first function
  // Loads data instead of reg_data_load, and keeps it, where set.
  reg_dataset *(*load)(void *user, const reg_data_plan *plan, reg_status *st);
  void *load_user;
  bool apart;           // as LowerHost.apart
  int since;            // sources from this one on are of the last elaboration; 0: of the only one
  VEC(double) known;    // what a run before has found, as LowerHost.known
  VEC(Noted) noted;     // the same, by name
  double compile_s;     // spent in the backend
  int compiled, cached; // functions
  int reported;         // diagnostics already printed, of this session
  int errors_before;    // of other files of the session
} Pipeline;

void pipeline_init(Pipeline *p, Session *s, const Options *o);
void pipeline_free(Pipeline *p);

// Each returns EXIT_OK, or an exit code after printing the diagnostics.
int pipeline_read(Pipeline *p, const char *path); // text
int pipeline_check(Pipeline *p);                  // text -> Parse -> Program
int pipeline_lower(Pipeline *p);                  // -> Lowered, data loaded

// What the run has found that left these weights, a file or a folder.
void pipeline_note(Pipeline *p, const char *weights);
int pipeline_again(Pipeline *p); // text -> Lowered once more, for what is known now

void pipeline_names(Pipeline *p); // Parse -> Program, without its report
// pipeline_lower without its report; the exit code of data that could not be loaded, or EXIT_OK.
int pipeline_elaborate(Pipeline *p);

LoopFn *pipeline_loops(Pipeline *p, const Graph *g, bool keep_all); // graph -> passes -> Loops
// The same of a step. *draws: what makes the draws that it reads, before it; NULL: it makes them itself.
LoopFn *pipeline_step_loops(Pipeline *p, const Graph *g, LoopFn **draws);
CompiledFn pipeline_compile(Pipeline *p, const LoopFn *f, const char **error); // -> code

static inline DType pipeline_floats(const Pipeline *p) { return p->program->doubles ? DT_F64 : DT_F32; }

// Prints what has been reported since the last call; the exit code it means.
int pipeline_report(Pipeline *p);
// cmd_doc.c: a definition with its documentation, of `own` (may be NULL) or the library; the list of all.
int document_name(Session *s, const Options *o, const char *name, const Parse *own);
void document_library(Session *s);
// "digits.reg:19:3", or "" for nowhere.
const char *place_text(const Pipeline *p, Span at);
#endif
