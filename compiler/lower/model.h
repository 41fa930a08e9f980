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
// Whether the parameter `path` is one of the model of this name, of one that it calls, or of one of several
// (`g` owns what `g[0]` owns).
bool model_owns(const Lowered *l, const char *model, const char *path);
#endif
