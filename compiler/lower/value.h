// What an expression of the language is while it is elaborated: numbers known now, tensors of the graph under
// construction, trees of parameters, functions, data. Private to lower/.
#ifndef LOWER_VALUE_H
#define LOWER_VALUE_H
#include "../sema/builtins.h"
#include "lower.h"

typedef enum ValueKind {
  V_FAIL, // a mistake was reported; everything that touches it stays silent
  V_NONE,
  V_NUM,
  V_BOOL,
  V_TEXT,
  V_RANGE,  // low .. high, or from -> to (num = 1): items[0], items[1]
  V_LIST,   // items
  V_TENSOR, // node
  V_FIELD,  // a column of the data: its tensor is made where it is used, as numbers or as classes
  V_TREE,   // tensors by path
  V_TUPLE,  // items
  V_LOCAL,  // a local definition, or a function with some arguments given
  V_FN,     // a definition with some arguments bound
  V_BUILTIN,
  V_MODEL, // a model under training or evaluation
  V_DATA,
  V_STATES, // text: a clause of the training, whose optimizer's states are its parts
} ValueKind;

typedef enum Unit { UNIT_NONE, UNIT_PERCENT, UNIT_EPOCHS, UNIT_STEPS } Unit;

typedef struct Value Value;
typedef struct Env Env;

// What an axis is, besides its size. Two axes are one dimension where dim_relation says so; nothing is known
// of an axis without a Dim, such as that of a literal.
typedef struct Dim Dim;
struct Dim {
  const char *name; // as a shape declares it; NULL: it has none
  int64_t size;     // as many elements have room
  Node *count;      // f64[]: so many of them are there when the program runs, from the first on; NULL: all
  const Dim *each;  // the count is f64[each]: one for each element of this dimension; NULL: one for all
  const Env *scope; // of a declared name: the call that it belongs to
  const Dim *of;    // of a declared name: the dimension outside of the call; NULL: not known
  Span at;          // where it was made
  bool added;       // by `new`: to be stretched
};
typedef const Dim *const *Dims; // one for each axis, NULL where nothing is known; itself NULL: of none

typedef struct Leaf {
  const char *path;
  Node *node;
} Leaf;
typedef VEC(Leaf) LeafList;
typedef struct Tree {
  int n;
  Leaf *leaf;
} Tree;

// A data expression: the plan that makes it and, once loaded, the data set and which part is meant.
typedef struct DataValue {
  const char *name;            // of the `data` definition
  int dataset;                 // index into Lowered.datasets
  const char *part;            // NULL: all of it
  const LowerFurther *further; // of a training, in batches; NULL: all rows of the part
} DataValue;

typedef struct BoundArg {
  const char *name; // NULL: positional
  Value *value;
  Span span;
} BoundArg;

typedef struct Inside Inside;
typedef struct ModelValue ModelValue;
struct ModelValue {
  const char *name; // as the program calls it: "net", "g[3]"
  Def *def;         // whose body it has
  const char *path; // prefix of its parameters, but for those of `of`
  ModelValue *of;   // another model, with something in the place of its parameters; NULL: it is one itself
  const Tree *at;   // `of at T`: these
  const Ast *seen;  // AST_DERIVE `of with w in S as e`: e
  const Def *text;  // in which that stands, or `average`
  int level;        // of several in one definition
  BoundArg *making; // `new mlp(width: 8)`: all by name
  int nmaking;
  ModelValue **items; // `model g[7] = new net`
  int nitems;         // 0: it is one model
  const Inside *last; // of its last call
  const Ast *average; // `ema(of, decay: 0.999)`, `snapshot(of)`: its tensors follow the parameters of `of`
  const Ast *load;    // `load(PATH, as: of)`: its tensors are those of a file
};
typedef struct FnValue {
  Def *def;
  BoundArg *args;
  int nargs;
} FnValue;

// `f(x) = e` inside a body: e over x, where everything else means what it means there. Or a call with `_` for
// arguments that are still to come.
typedef struct LocalFn {
  const Ast *ast; // AST_LOCAL; NULL: the call
  Env *env;
  bool library;
  StageScope *sees;
  Value *callee;
  BoundArg *args; // value NULL: still to come
  int nargs;
} LocalFn;

struct Value {
  ValueKind kind;
  Span span;  // where it was written
  double num; // NUM, BOOL
  Node *live; // NUM: the same number when the program runs (a percentage's share); NULL: it is compiled in
  Unit unit;
  const char *text;
  Value *items;     // RANGE (2), LIST
  Node **made;      // LIST with a name: its tensor, once it was asked for
  const Value *was; // LIST with a second name: under the first one
  int nitems;
  Node *node;
  Dims dims;              // TENSOR; FIELD: of picked rows
  const Dim *size;        // NUM, or a TENSOR that is a count: the dimension whose size it is; NULL: of none
  Node *rows;             // FIELD: which of the rows, in this order; NULL: all
  int64_t classes;        // TENSOR of class indices: how many classes; 0: not classes
  const reg_field *words; // TENSOR of classes: the column whose names they have in reports; NULL: none
  int field;              // FIELD: index into the data set's fields
  Tree *tree;
  FnValue *fn;
  LocalFn *local;
  Builtin builtin;
  ModelValue *model;
  const Inside *inside; // of a model's result: what has a name in that call
  DataValue *data;      // DATA; FIELD: of all rows of this data, instead of the batch's
};

// Scope of one definition's body, or of one clause.
struct Env {
  const Env *parent;
  Map names;        // -> Value *
  const char *path; // prefix for parameters and states made here ("net.hidden")
  const char *def;  // name of the definition
};

typedef struct NodeRange {
  int first, end;
} NodeRange;

// A loop whose body is being elaborated once for all its turns.
typedef struct LoopFrame LoopFrame;
struct LoopFrame {
  LoopFrame *outer;
  int64_t turns;
  VEC(Node *) holes, sources; // slices: what a turn sees, and of what
};

// What a layer's `carry` is in the turns of the loop around it.
typedef struct CarryRef {
  const char *name;
  Node *hole, *initial; // of a loop that is elaborated once; NULL where turns are written out
  Node *node, *start;   // value now, and at the start of the turn
} CarryRef;

typedef struct FromRows FromRows; // rows that go on in the place of others (carry.c)
// The innermost loop around what is being elaborated, as `carry` sees it.
typedef struct Turns Turns;
struct Turns {
  Turns *outer;
  bool apart;   // of an `each`: no turn is behind another
  bool written; // turns are written out
  int start;    // nodes before the turn
  Node *index;  // its number, where it is not written out
  VEC(CarryRef *) carries;
};

// A call around what is being elaborated, or the tensor of a tree, or the model, that it is done for.
typedef struct Site Site;
struct Site {
  const Site *outer;
  Span at;
  const char *leaf; // the tensor's path or the model's name; NULL: a call
};

typedef enum Mode { MODE_TRAIN, MODE_EVAL } Mode;

// What stands in the place of parameters and named values in the calls of a model, from the inside out.
typedef struct Seeing Seeing;
struct Seeing {
  Seeing *outer;
  const ModelValue *model;
  const ModelValue *loaded; // around it
  int found;                // parameters or values whose place it took
};

typedef struct Marked {
  Node *node;
  Trait trait;
  Span at;
} Marked;

// One graph under construction: where its nodes go, what it is for, and what has been declared in it so far.
typedef struct Cx {
  Lowered *l;
  Session *s;
  Arena *a;
  Graph *g;
  Mode mode;
  bool training;
  bool library;     // inside a definition of the library: names mean the library's
  StageScope *sees; // names of statements that are known here
  bool initials;    // initial values of what is declared are wanted
  bool known;       // of a training whose parameters and states are known: no others may be declared
  const ModelValue
      *loaded;       // the loaded model that is being elaborated: what is declared has its values from a file
  LowerTrain *t;     // NULL outside `train`
  LowerTrain *clock; // between trainings, while a model is called: the one that made it, at whose end it is
  int64_t batch;     // rows of the fields
  bool no_times;     // outside of training: times and schedules are any, because only shapes are asked for
  bool meeting;      // a model is called on zeros for its parameters
  bool line;         // statements between trainings
  bool stored, beside;   // parameters and states of layers are of the store; those that the training lacks
  bool view;             // `digits.test.x` is a tensor of all its rows
  const char *rows_of;   // the name of the rows of the fields; NULL: a batch's
  bool of_data;          // columns of data that are made: numbers are compiled in
  Node *ids;             // of rows that are made or picked: what is drawn for a row goes by its id; else NULL
  int64_t room;          // above all ids
  const Dim *drawn_rows; // the first axis of what is drawn; NULL: nothing is known of it
  const reg_dataset *data;
  const char *data_part;
  Map params;            // path -> ParamRef *, in order of first use
  Map states;            // name -> StateRef *
  const Site *site;      // the innermost
  Map sites;             // of states outside of models: their names
  Map counters;          // "path/layer" -> count, for automatic names
  Map models;            // name -> ModelValue *
  Map passes;            // of a model -> Passes *
  Map schedules;         // named schedules used -> Node *
  VEC(NodeRange) sides;  // what the two sides of an `if` made, where one of them is computed
  VEC(NodeRange) shared; // values of the program that a side of an `if` was the first to ask for
  Map rows;              // of batches -> Dim *
  VEC(LowerColumn) columns;
  StageScope *scope; // of the statement
  Map held;          // what names of statements have, by its first place in the store -> Value *
  VEC(const Dim *) counted;
  Seeing *seeing;         // of the calls around
  Inside *inside;         // of the innermost call of a model
  const ModelValue *leaf; // whose body is being elaborated
  LoopFrame *frame;       // the innermost loop around what is being elaborated
  Turns *turns;           // likewise
  FromRows *from;         // around it: whose memory goes on
  Node *objective;
  bool gradient_alone;   // it is known by `given` alone
  const Def *recipe;     // of the training
  Env *clauses;          // its parameters
  Env *fields;           // and the fields, and the lines among its clauses: once these were asked for
  VEC(Marked) marked;    // what calls of definitions with a trait gave, while training
  VEC(Node *) left;      // by the updates before this one: parameters and states as they are now
  const char *update;    // the optimizer that acts: what its states are called by besides; NULL: nothing
  Node *updates_made;    // by it so far, f64; NULL: as many as steps
  Tree *least;           // inside of `minimize … from`: what its optimizer updates; NULL: parameters
  Tree *given;           // as in `apply … with`: what the objective's gradient is taken to be
  LeafList moved;        // by `objective at T`: each parameter's value at such a T
  int64_t stream;        // next random stream
  int64_t effects;       // draws, declarations and assignments so far: what makes a call more than its value
  Map calls;             // calls without effects -> Value *
  int64_t drawn;         // by initial values
  bool initial;          // one of these is elaborated
  bool drawn_anew;       // they are asked for by `init`: draws as others are
  int fewest;            // parameters that were known when one was selected
  int work;              // calls and repetitions so far
  double active_from;    // schedule branches: the earliest step at which this one counts
  Span at;               // the call that is being elaborated, for notes
  struct Leaves *leaves; // of a check: where it collects them; else NULL
} Cx;

typedef struct ParamRef {
  const char *path, *role;
  int index; // among the training's, or in order of first use
  Shape shape;
  Node *node; // its input
  Node *init; // where it was wanted
  Span origin;
  const Ast *ast; // its declaration, where it was met here
  Env *scope;     // and what names meant there
} ParamRef;

typedef struct StateRef {
  const char *name;
  int index;   // likewise
  Shape shape; // of all of it
  Node *node;  // value now: the input, then what was assigned
  Node *input;
  Node *init;
  Span origin;
  bool layer;          // declared where parameters may be
  bool follows;        // a parameter: starts from what it is when training begins
  bool loaded;         // a loaded model's tensor: never assigned
  const char *file;    // its name in the file
  bool constant;       // it is no input
  const void *initial; // its values
  bool assigned;
  int rows;    // 1: one for each row of the training data, of which the input has those of the batch; 1 + k:
               // of its k-th further data; 0: it has none
  bool carry;  // memory of the lanes of `sample in order`: moves in evaluation too
  Node *start; // of such: at the start of the batch
} StateRef;

// -- value.c
Value v_fail(void);
Value v_num(double x, Span at);
Value v_bool(bool b, Span at);
Value v_tensor(Node *n, Span at);
const char *value_text(Cx *cx,
                       const Value *v); // "a tensor of shape [64, 10]", "the number 3", "a function", …
bool value_is_const(const Value *v);    // number or boolean known now
// A tensor node from anything that has one; NULL after a report. `what` completes "expected a tensor, found
// …".
Node *value_node(Cx *cx, const Value *v);
// The same; numbers known, of time, that may be set, and what is computed of these alone stay f64[].
Node *value_wide(Cx *cx, const Value *v);
double plain_number(const Value *v);        // of a NUM or BOOL: a percentage's share, a time's count
Node *value_floats(Cx *cx, const Value *v); // value_node as f32
bool is_text_field(Cx *cx, const Value *v); // whose classes alone are numbers
Node *value_classes(Cx *cx, const Value *v, int64_t *classes);            // class indices (i32)
bool value_number(Cx *cx, const Value *v, const char *what, double *out); // known number (percent: its share)
// A time, in steps, and the same as a live number where it is one; `live` NULL: it is compiled in.
bool value_steps(Cx *cx, const Value *v, double *out, Node **live);
// false after a report: a tensor of this shape is larger than this machine's memory.
bool shape_fits(Cx *cx, Shape s, Span at);
bool rank_fits(Cx *cx, int rank, Span at);            // false after a report: a tensor of so many axes
bool value_shape(Cx *cx, const Value *v, Shape *out); // a LIST of sizes
Dims shape_dims(Cx *cx, const Value *v);              // what the sizes of a LIST are of
Tree *tree_new(Cx *cx, int n);
Tree *tree_of(Cx *cx, const Value *v); // NULL where v is no tree
Value v_tree(Tree *t, Span at);

// -- live.c
Node *cx_total(Cx *cx);                             // planned updates, f64
void live_settings(Lowered *l);                     // finds them
Value live_setting(Cx *cx, const Def *d, Value v);  // the value of a definition, live where it can be
void live_fix(Cx *cx, const Value *v);              // v is compiled in
void live_swept(Cx *cx, LowerAxis *axis, Value *v); // v is the number of a sweep's run
void live_range(Cx *cx, const Value *v, double low, double high); // v must lie there
double live_default(const Cx *cx, const Node *input);             // of a live input; NaN: it is none
Node *live_node(Cx *cx, const Value *v);                          // a scalar for a NUM in its own unit

// -- columns.c
const reg_data_other *columns_read(Cx *cx); // of data besides the batch's: those of cx->columns

// -- held.c
double held_number(const Cx *cx, const LowerAxis *axis); // of the run whose statements these are
bool held_value(Cx *cx, const char *name, Value *out);   // of a statement's name; false: there is none
bool late_result(Cx *cx, const Ast *e); // of a training, known because it is asked for; false: it is none
void see_scope(Cx *cx, StageScope *s);
bool scope_is_closed(const StageScope *s);
// Around what stands in the text of a definition: names mean what they mean there. It sees what statements
// have named in the block that it stands in, and in those around the statement that are inside of this one.
typedef struct Within {
  bool library;
  StageScope *sees;
} Within;
Within text_enter(Cx *cx, const Def *d);
void text_leave(Cx *cx, Within outer);

// -- env
Env *env_new(Cx *cx, const Env *parent, const char *path, const char *def);
Env *env_copy(Cx *cx, const Env *env); // its own names as they are now
void env_set(Cx *cx, Env *e, const char *name, Value v);
Value *env_get(const Env *e, const char *name);

// -- lift.c
typedef enum Takes {
  TAKES_NUMBERS, // and gives a number
  TAKES_ORDERED, // compares numbers, or indices, or classes
  TAKES_TRUTH,   // logic
  TAKES_CHOICE   // a truth value first, then two of one type
} Takes;
typedef struct Lifted {
  Op op;
  Takes takes;
  bool times; // of times gives a time, or compares times
  const char *text;
} Lifted;
// The operation on up to three values of any kind: numbers, tensors of shapes that fit, trees tensor by
// tensor.
Value lift(Cx *cx, const Lifted *f, const Value *x, int n, Span at);
Value binary(Cx *cx, int opr, const Value *x, const Value *y, Span at);
Value unary_op(Cx *cx, Op op, const Value *x, Span at);
typedef VEC(Node *) Nodes;
Value choose(Cx *cx, const Value *cond, const Value *x, const Value *y, Span at);
Value matmul(Cx *cx, const Value *x, const Value *y, Span at);

// -- eval.c
// The value of a call whose layer has this name.
Value eval_instance(Cx *cx, Env *env, const Ast *e, const char *instance);
Def *find_def(Cx *cx, const char *name); // what the name means here; NULL: no definition
Value eval_expr(Cx *cx, Env *env, const Ast *e);
// Whether v, the right side of the line `a, b = …` e, is a tuple or list of as many values as names; else
// reported.
bool unpacks(Cx *cx, const Ast *e, const Value *v);
bool may_go_on(Cx *cx, Span at, int work); // false after a report: the program is too deep, or too much
Value eval_block(Cx *cx, Env *env, const Ast *block);
Node *cx_step(Cx *cx);                                      // finished updates, f64
Node *cx_input(Cx *cx, const char *name, DType t, Shape s); // known by its name only
Node *cx_port(Cx *cx, reg_slot_kind kind, int index, const char *name, DType t, Shape s);
bool is_port(const Node *n, reg_slot_kind kind); // an input of that kind
Node *truth(Cx *cx, const Value *v);             // bool tensor
Node *truth_of(Cx *cx, Node *n);

// -- gradient.c
Value named(Cx *cx, Value v); // v under a name: a value of its own, that can be differentiated by
Node *named_list(Cx *cx, const Value *v, Node *n);
Node *bare(Node *n); // what a point is named after
// out[i] = d y / d xs[i]; false after a report.
bool gradients(Cx *cx, Node *y, Node **xs, int n, Span at, Node **out);
Value gradient(Cx *cx, const Value *e, const Value *by, Span at);
Value eval_at(Cx *cx, Env *env, const Ast *e);

// -- call.c
Value call_value(Cx *cx, Env *env, const Value *callee, BoundArg *args, int nargs, Span at,
                 const char *instance);
Value call_def(Cx *cx, Def *d, BoundArg *args, int nargs, Span at, const Env *env, const char *instance);
const Ast *find_param(const Def *d, const char *name); // args.c; NULL where there is none
bool result_labels(Cx *cx, Env *env, const Def *d, const Ast *type, Value *v); // likewise: -> labels [n] of c
// The function of the arguments that are `_` (value NULL).
Value partial_call(Cx *cx, const Value *callee, BoundArg *args, int nargs, Span at);
// Binds arguments to a definition's parameters in `into`; false after a report. `missing_ok`: parameters may
// stay unbound.
bool bind_args(Cx *cx, Def *d, BoundArg *args, int nargs, Span at, Env *into, bool missing_ok);
bool is_initializer(const Def *d);            // has a parameter `like`, which the compiler gives
const char *optimizer_variable(const Def *d); // the name after `for`
// The tree `w` after the optimizer's body has run over it; NULL after a report.
Tree *run_optimizer(Cx *cx, const FnValue *fn, Tree *w, Span at);
// Its `lr`, or that of the only optimizer among its arguments that has one; false: there is none.
bool optimizer_rate(Cx *cx, const FnValue *fn, Span at, Value *out);
Value apply_optimizer(Cx *cx, Env *env, const Ast *e);
// A shape against a declared one, whose names are bound. `misfit`: two dimensions that do not belong
// together, where that is why it does not fit.
typedef struct Misfit {
  const Dim *declared, *given;
} Misfit;
bool match_shape(Cx *cx, Env *env, const Ast *pattern, Shape s, Dims dims, bool implicit_leading,
                 Misfit *misfit);
Dims declared_dims(Cx *cx, const Env *env, const Ast *pattern, int rank, Dims given);
const char *pattern_text(Cx *cx, const Env *env, const Ast *pattern);

// Runs a definition's body in the scope that holds its arguments.
Value call_body(Cx *cx, Def *d, Env *env, Span at);

// -- builtins.c
Value call_builtin(Cx *cx, Builtin b, BoundArg *args, int nargs, Span at);
Value builtin_value(Cx *cx, Builtin b, Span at);
// The axis that is meant, the last one where none is given; false after a report (reduce.c).
bool one_axis(Cx *cx, const Value *axis, Shape s, int *out);
// Casts where the types differ; the first.
Node *common_floats(Cx *cx, Node **xs, int n);

// -- loop.c
const char *source_text(Cx *cx, Span at); // what is written there
// The place to tell when the program runs: one in the program, also where the library looks it up.
const char *run_place(Cx *cx, Span at);
Value eval_if(Cx *cx, Env *env, const Ast *e); // if.c
// out[i]: x[i] where the condition (one truth value) holds, else y[i]; a choice of the graph, where what was
// made for it since node number `since` is worth one.
void choose_nodes(Cx *cx, Node *condition, int since, Node *const *x, Node *const *y, int n, Node **out);
Value eval_repeat(Cx *cx, Env *env, const Ast *e);
Value eval_for(Cx *cx, Env *env, const Ast *e);
Value eval_while(Cx *cx, Env *env, const Ast *e);
Value eval_each(Cx *cx, Env *env, const Ast *e);
Node *frame_slice(Cx *cx, LoopFrame *f, Node *source); // a turn's part of it
// What a turn of all loops around sees of a tensor that has an axis for each of them in front, the outermost
// first.
Node *frame_slices(Cx *cx, LoopFrame *f, Node *whole);
Shape frame_shape(const LoopFrame *f, Shape s); // s with these axes

// -- reduce.c
Node *mean_there(Cx *cx, const Value *v); // of all elements that are there; NULL after a report

// -- memo.c
typedef struct Memo {
  const char *key; // NULL: this call is not kept
  int64_t before;  // effects
} Memo;
// The value of the same call before; NULL where there was none. `m` is for memo_keep, after the call.
const Value *memo_find(Cx *cx, const Def *d, const BoundArg *args, int nargs, Memo *m);
Value memo_keep(Cx *cx, const Def *d, const Memo *m, Value v);
void memo_forget(Cx *cx); // something that bodies read has another value

// -- initial.c
typedef struct Initial { // the expression of an initial value
  const Ast *e;          // NULL: zero
  Def *initializer;      // given `like` for each tensor; else `value` is for all
  Value value;
  const char *leaf; // of a tree's tensor: its path in `value`
} Initial;
bool initial_begin(Cx *cx, Env *env, const Ast *e, Initial *out);                     // false after a report
Node *initial_node(Cx *cx, Env *env, const Initial *from, Shape s, const char *name); // of `name`, of shape s

// -- warn.c
void warn_time(Cx *cx, const Def *d, const Ast *p, const Value *v, double steps); // the argument v of d for p

// -- params.c
Value declare_param(Cx *cx, Env *env, const Ast *p);
Value declare_state(Cx *cx, Env *env, const Ast *s);
StateRef *make_state(Cx *cx, Env *env, const Ast *st, const char *name, Shape s, const Initial *from);
// NULL: a number's. `nothing`: sizes may be 0.
bool declared_shape(Cx *cx, Env *env, const Ast *shape, bool nothing, Shape *out);
Node *fitting(Cx *cx, Node *n, Shape s,
              const Ast *at); // n as the new value of what `at` names; NULL after a report
const char *state_name(Cx *cx, const Env *env, const Ast *state);
void set_state(Cx *cx, const char *name, Node *n); // where there is a state of that name
// What all states are at a moment; one that was declared since was its input.
typedef struct States {
  Node **node;
  int n;
} States;
States states_now(Cx *cx);
Node *state_of(const Cx *cx, const States *s, int i);
void set_states(Cx *cx, const States *s);
void assign_state(Cx *cx, Env *env, const Ast *assign, const Value *v);
const char *instance_path(Cx *cx, const Env *env, const Def *d, const char *as);

// -- select.c
Tree *model_tree(Cx *cx, const ModelValue *m); // all its parameters met so far
// Selector over the parameters met so far; NULL after a report (selects nothing, or no model).
Tree *select_params(Cx *cx, const Ast *selector);
Value model_field(Cx *cx, Env *env, const Ast *field);

// -- carry.c
Value declare_carry(Cx *cx, Env *env, const Ast *st);
Value eval_carried(Cx *cx, Env *env, const Ast *call); // `carried(e, from)`
bool set_carry(Cx *cx, const char *name, Node *n);     // false where no loop around has one of this name

// -- index.c
// An i32 tensor of whole numbers from 0 to below `size`, below the count of `of` when the program runs; v may
// have counts itself. NULL after a report.
Node *counted_value_index(Cx *cx, const Value *v, int64_t size, const Dim *of);
const double *known_elements(Cx *cx, Arena *scratch,
                             const Node *n); // NULL where they depend on more than the program
// Along an axis: what an index names; its axes stand in that place. NULL after a report.
Node *axis_by_index(Cx *cx, Node *x, int axis, const Dim *of, const Value *index, Span at);
Node *gather_axis(Cx *cx, Node *x, int axis, Node *index); // the same of an index that is in range
Value rows_by_index(Cx *cx, const Value *x, const Value *index, Span at);
Value rows_where(Cx *cx, const Value *x, const Value *by, Span at); // x[where by]; x has an axis
Value eval_index(Cx *cx, Env *env, const Ast *e);                   // x[i], x[a..b], x[.., i]

// -- check.c
// An input in the place of a literal or draw of a check, or of a parameter's initial value; n where there is
// no check.
Node *check_literal(Cx *cx, Node *n, const Value *v);
Node *check_draw(Cx *cx, Node *n, Span at);

// -- data.c
const Ast *call_arg(const Ast *call, const char *name, int position); // NULL where it is not given
const char *program_file(Cx *cx, Span at, const char *path);          // relative to the file that `at` is in
// Is e several data sets, as folds(…) are; how many (-1 after a report); the i-th as a tree naming it.
bool data_several(Cx *cx, const Ast *e);
int64_t data_count(Cx *cx, const Ast *e);
Ast *data_index(Cx *cx, const Ast *e, int64_t i);
// The same as a tree that makes it.
Ast *data_element(Cx *cx, const Ast *e, int64_t i);
Value eval_data(Cx *cx, Env *env, const Ast *e);  // an expression that is data; loads it
Value data_field(Cx *cx, Env *env, const Ast *e); // the same, or a field of it
// Loads the data set `name`: index into Lowered.datasets, or -1 after a report.
int data_add(Cx *cx, const char *name, const reg_data_op *ops, int nops, Span at);
const char *data_label(Cx *cx, const DataValue *d);                   // "digits", "digits.test"
const reg_part *part_named(const reg_dataset *set, const char *name); // NULL where there is none
const reg_dataset *field_data(const Cx *cx, const Value *v);          // that a FIELD is a column of
int64_t field_rows(const Cx *cx, const Value *v);                     // of all that it has
Value data_definition(Cx *cx, Def *d);
Value data_part(Cx *cx, const Value *data, const char *part, Span at);
Value call_data_builtin(Cx *cx, Builtin b, Span at); // where it must not stand: reports

// -- columns.c
// Data made of data, as a data set called `name`: index into Lowered.datasets, or -1 after a report.
int data_where(Cx *cx, const char *name, const Ast *e);                      // D where C
int data_with(Cx *cx, const char *name, int base, const Ast *view, Span at); // D with one view of e
int data_picked(Cx *cx, const char *name, const Ast *e);                     // D.part[index], a part of D
int data_concat(Cx *cx, const char *name, const Ast *call);
int data_table(Cx *cx, const char *name, const Ast *e);

// -- lower.c
Cx *cx_new(Lowered *l, const char *graph_name, Mode mode);
void cx_seed(Cx *cx, Node **seed, Node **counter);
Graph *prune(Cx *cx, Graph *g);   // only what the outputs need, in the program's precision
int node_operands(const Node *n); // that its value is computed from
// -- harm.c
// A call of a definition with a trait, whose parameters are in env and whose first node is `first`, gave v.
void harm_call(Cx *cx, const Def *d, const Env *env, int first, const Value *v, Span at);

// -- stages.c
// The training that made a model, between trainings; NULL: none so far, or it comes from a file.
LowerTrain *clock_of(const Cx *cx, const ModelValue *m);
Node *clock_result(Cx *cx, int kind); // of Cx.clock, a reg_result_kind: its finished steps or epochs, f64
Node *param_input(Cx *cx, const ParamRef *p);
Node *state_input(Cx *cx, const StateRef *s);
int param_index(Cx *cx, const char *path, Shape s); // of a parameter that is declared now
int state_index(Cx *cx, const char *name, Shape s); // likewise

#include "dims.h"
#endif
