// Private to lower/: models as values, which calls, selectors, trainings and evaluations ask.
#ifndef LOWER_MODEL_H
#define LOWER_MODEL_H
#include "value.h"

// The value of a definition of a model; NULL after a report. The same one each time in one graph.
ModelValue *model_value(Cx *cx, Def *d);
Value model_named(Cx *cx, Def *d, Span at);          // the same as a value
const char *model_text(Cx *cx, const ModelValue *m); // "the model `net`"
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

// select.c
// Whether the selector, which starts from `root` where that is given, selects the parameter `path`.
bool selects_param(Cx *cx, const Ast *selector, const ModelValue *root, const char *path);

#endif
