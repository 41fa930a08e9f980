// Private to lower/: models as values, which calls, selectors, trainings and evaluations ask.
#ifndef LOWER_MODEL_H
#define LOWER_MODEL_H
#include "value.h"

// The value of a definition of a model; NULL after a report. The same one each time in one graph.
ModelValue *model_value(Cx *cx, Def *d);
Value model_named(Cx *cx, Def *d, Span at);          // the same as a value
const char *model_text(Cx *cx, const ModelValue *m); // "the model `net`"
// Calls of a model that were elaborated, those of all turns of loops counted.
typedef struct Passes {
  double calls, behind,
      objective; // behind: those of updates that are made; objective: of what is minimized next
} Passes;
void passes_of_objective(Cx *cx); // what was called since the update before is called for the objective
void passes_again(Cx *cx);        // the objective is computed once more
void passes_behind(Cx *cx);       // an update is made

Value call_model(Cx *cx, ModelValue *m, BoundArg *args, int nargs, Span at);
// The argument of its making of this name; NULL: its default.
const BoundArg *model_made_with(const ModelValue *m, const char *name);
bool model_is_still(const ModelValue *m); // it has no parameters: they come from elsewhere
// Calls the model on zeros where parameters of it were not met yet; false after a report: its shapes are not
// known without a call (view.c).
bool model_meet(Cx *cx, const ModelValue *m, Span at);
// `m at T`; NULL after a report.
ModelValue *model_at(Cx *cx, ModelValue *m, const Value *tree);

// `m` with something in the place of its parameters, under a name.
ModelValue *model_over(Cx *cx, const char *name, ModelValue *of);

// average.c
// What stands in the place of a parameter of m->of, in m: `teacher.hidden.weight` of `net.hidden.weight`.
const char *model_path(Cx *cx, const ModelValue *m, const char *path);
const Ast *average_call(const Def *d); // the call of `ema` or `snapshot` that it names; NULL
const char *average_of(const Def *d);  // the name of the model that it follows; NULL
bool average_follows(const Def *d, const LowerTrain *t);           // whether the training moves what it names
ModelValue *average_model(Cx *cx, const Def *d);                   // NULL after a report
Node *average_seen(Cx *cx, const ModelValue *m, const char *path); // in the place of a parameter
// Its tensor for one of what it follows, in a line that gives it a value.
StateRef *average_given(Cx *cx, const ModelValue *m, const char *path, Node *now);
StateRef *state_seen(Cx *cx, StateRef *own);    // in the place of a layer's state
bool inside_average(const Cx *cx);              // of a call of one
void average_meet(Cx *cx, const ModelValue *m); // its tensors, of all that was met
// The models that follow one that the training trains, in its step, which leaves `after` (by parameter; NULL:
// as it was); false after a report.
bool averages_follow(Cx *cx, const LowerTrain *t, Node *const *after);

// derive.c
Node *param_seen(Cx *cx, const char *path, Node *own); // in the place of a parameter; NULL after a report
// In the place of a value with a name in a model's body.
Value value_seen(Cx *cx, const Env *env, const char *name, Value v);
// What the further names of `w, m in S, T` stand for beside the parameter `path`: of a tree the tensor of the
// same path, or of the same one behind the model's name. False after a report.
bool beside(Cx *cx, const Value *v, const char *path, Value *out);
// Around a call of m->of, in which what m says stands in the place of parameters and values. `failed`: the
// call did. False after a report: there was none.
void seeing_begin(Cx *cx, Seeing *s, const ModelValue *m);
bool seeing_end(Cx *cx, const Seeing *s, bool failed, Span at);

// -- load.c
bool is_load(Cx *cx, const Def *d);              // `let NAME = load(…)`
bool calls_load(const Lowered *l, const Ast *e); // `load(…)`
// A model of this name that is not trained; NULL after a report.
ModelValue *loaded_model(Cx *cx, const char *name, const Ast *load);
// The tensor of the loaded model that is being elaborated in the place of one of the structure's; NULL after
// a report.
StateRef *loaded_tensor(Cx *cx, const char *path, Shape s, Span at);
// Reads the file, once all tensors of the model are known; false after a report. `constants`: some of them
// are known only now, and the call is to be made again.
bool loaded_values(Cx *cx, const ModelValue *m, bool *constants);

// inside.c: values inside of a call
struct Inside {
  const char *path; // of the model
  Inside *outer;
  const Turns *turns;
  const LoopFrame *frame;
  VEC(const Env *) scopes; // the model's own one last
};
Inside *inside_begin(Cx *cx, const char *path);
void inside_add(Cx *cx, const Env *env);                       // a body in the call
Value inside_end(Cx *cx, Inside *in, const Env *own, Value v); // v: the call's, then with its inside
const Value *inside_as(Cx *cx, const Inside *in,
                       const char *name);                        // with `as`, in the model's own body; NULL
Value inside_field(Cx *cx, const Value *base, const Ast *field); // of a value with one
// held.c
const char *held_near(Cx *cx, const char *name); // of the names of statements the nearest one; NULL

// params.c
StateRef *input_state(Cx *cx, const char *name, Shape s, Span origin, int rows); // without an initial value

// states.c
Env *states_env(Cx *cx, Env *outer); // names of the training's clauses whose optimizers have states
// `opt.m`: as the step found it
Value states_field(Cx *cx, const Value *states, const Ast *e, const Ast *root);

// select.c
// One segment of a selector; `dense[2..]` takes automatic instances by number, from low to below high.
typedef struct Segment {
  const char *name;
  bool numbered;
  int64_t low, high;
} Segment;
enum { MAX_SEGMENTS = 32 };
// The selector's segments in order; their number, 0 after a report. `root`, where given, is what it starts
// from.
int selector_segments(Cx *cx, const Ast *e, const ModelValue *root, Segment *out);
const Ast *selector_root(const Ast *e); // `net` of `net.block[0].weight`, `g[1]` of `g[1].weight`
// Whether the segments are those of a path from the character `from` on.
bool path_matches(Cx *cx, const Segment *segments, int n, const char *path, size_t from);
// Whether the selector, which starts from `root` where that is given, selects the parameter `path`.
bool selects_param(Cx *cx, const Ast *selector, const ModelValue *root, const char *path);

#endif
