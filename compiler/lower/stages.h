// Private to lower/: the statements of a program, while they are elaborated in their order.
#ifndef LOWER_STAGES_H
#define LOWER_STAGES_H
#include "train.h"

// A name that a statement has bound.
typedef struct Held {
  const char *name;
  Span at;
  Value value;        // as it was bound last; its nodes are of `cx`
  const Cx *cx;       // the line that bound it last
  LowerTrain *train;  // of a training's name, and that of one of its clauses; else NULL
  const char *clause; // of the latter: its parts are the states of the optimizer; else NULL
  LowerSweep *sweep;  // of a sweep's name; else NULL
  LowerAxis *axis;    // of the number of its run; else NULL
  LowerAxis *swept;   // likewise, of things that are computed too
  int n;              // tensors; 0: a model, data, a function, a time
  const int *stored;  // of each, its place in the store
} Held;

typedef VEC(reg_stage) StageList;

// A block of statements.
struct StageScope {
  StageScope *outer;
  StageList *around;      // of the block around; NULL: the scope has no list of its own
  bool procedure;         // of a call of one: what it binds is its own
  bool closed;            // its statements are behind
  bool library;           // of one of its procedures: names mean the library's
  bool sweep;             // of a run of one: what is outside stays as it is
  const StageScope *twin; // of the other side of an `if`, which was first: what both bind has one place
  Map names;              // -> Held *
};

typedef struct Given {
  int stored;
  Node *node;
} Given;

typedef struct Stages {
  Lowered *l;
  StageScope *root, *scope;
  StageList *whole; // of the top level
  StageList *list;  // of the block
  Cx *line;         // the straight line under construction; NULL: none
  Env *env;         // of that line
  int lines;        // so far
  int statements;   // likewise, those of blocks too
  int64_t stream;   // of the next draw of the statement
  Map met;          // of what acts apart: models that the statement outside of blocks has named
  VEC(Given) given; // by that line, to the store
  Map names;        // of trainings: -> the `train` that has it
  int calls;        // of procedures
  bool failed;      // a training was dropped after a mistake
} Stages;

// -- stages.c
Cx *stages_line(Stages *s);   // the line that statements are added to
void stages_flush(Stages *s); // what was added acts before what comes
int stages_close(
    Stages *s); // the line as a function of its own, that no stage calls yet; -1: it does nothing
void stages_meet(Stages *s, const Ast *e); // the models that it names have parameters in the store
void lower_training(Stages *s, const Ast *train);
void lower_evaluation(Stages *s, const Ast *evaluate);
// `name` in the scope stands for what the training leaves in the store: behind each epoch, or of all of them.
void training_result(Lowered *l, StageScope *scope, LowerTrain *t, const char *name, reg_result_kind kind,
                     int index, bool history);
Node *stored_input(Cx *cx, int stored); // a tensor of the store
// -- states.c
void know_clauses(Lowered *l, StageScope *scope, LowerTrain *t); // that have names, and so have their states
bool clause_result(Cx *cx, const Ast *e); // `first.opt.m`, `opt.m`: is known from now on; false: it is none
void keep_states(Lowered *l, StageScope *scope, LowerTrain *t); // all that `first.opt.m` may be

// -- stages.c
const char *stage_place(Lowered *l, Span at); // "prune.reg:9:3"
void push_stage(Stages *s, reg_stage stage);
void push_act(Stages *s, reg_stage_kind kind, int index, Span at); // one that has no block

// -- known.c
bool asks_known(const Stages *s, const Ast *e); // is it `known(…)`?
void lower_known(Stages *s, const Ast *bind);

// -- sample.c
void sample_rows(Stages *s, LowerTrain *t); // its clause `sample`, as statements before each epoch

// -- stop.c
void know_epoch(Stages *s, LowerTrain *t);      // the names of what an epoch reports, in the scope
void stop_conditions(Stages *s, LowerTrain *t); // its clauses `stop when C`, as statements behind each epoch

// -- held.c
void held_names(Lowered *l, const StageScope *s); // as Lowered.names
StageScope *scope_new(Lowered *l, StageScope *outer);
Held *held_find(const StageScope *s, const char *name); // NULL: no statement so far has bound it here
// In a scope, with places in the store for what it has; nothing gives it values.
Held *held_new(Lowered *l, StageScope *scope, const char *name, Span at, const Value *v);
void held_bind(Stages *s, const char *name, Span at, Value v); // `name = v` in the line
const char *held_text(Arena *a, const Held *h, int i);         // "mask net.hidden.weight", of its i-th tensor
void held_give(Stages *s, const Held *h, const Value *v);
void held_give_stored(Stages *s, int stored, Node *n);
void held_known(Stages *s, const char *name, Span at, double number);
int held_hidden(Stages *s, const char *what, Node *n); // its place in the store
int stored_index(Lowered *l, LowerTensor t);           // of its name
int stored_find(const Lowered *l, const char *name);   // -1: there is none
int stored_new(Lowered *l, const char *name, DType t, Shape s);

// -- control.c
void block_open(Stages *s);        // a scope and a list of its own, for the statements to come
StageList *block_close(Stages *s); // what they became
void lower_repeat(Stages *s, const Ast *e);
void lower_for(Stages *s, const Ast *e);
void lower_while(Stages *s, const Ast *e);
void lower_when(Stages *s, const Ast *e);

// -- sweep.c
void lower_sweep(Stages *s, const Ast *e);
// What `plot(S, w, over: x)` is of, `S.w`.
const Ast *sweep_plotted(Stages *s, const Ast *e);
bool sweep_view(Stages *s, const Ast *e,
                int *view); // `best(…)`, `compare(…)`: 1 + its index, 0 after a mistake; false: e is neither
bool sweep_result(Cx *cx, const Ast *e); // `path.w`: is known from now on; false: it is none

// -- statements.c
Value line_value(Stages *s, const Ast *e); // of an expression, in the line
// The place of a node, which is one number or truth value, in the store; -1 after a report.
int single_of(Stages *s, Node *n, Span at, const char *what);
// The place of a number or truth value in the store; -1 after a report.
int number_of(Stages *s, const Ast *e, const char *what, bool truth_value);
int number_in(Stages *s, const Value *v, Span at, const char *what, bool truth_value); // the same of a value
void lower_statement(Stages *s, const Ast *e);
Value statement_value(Stages *s, const Ast *e);       // the same; of a procedure's call, whose statements act
void lower_lines(Stages *s, const Ast *block, int n); // the first n of its statements
void lower_statements(Stages *s, const Ast *block);

// -- procedure.c
// A copy of e in which `given` stands in the place of a name.
const Ast *with_given(Stages *s, const Ast *e, const char *name, Span at, const Ast *given);
Value call_procedure(Stages *s, Def *d, const Ast *call);
#endif
