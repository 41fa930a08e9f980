// Private to lower/: a call of a built-in function, its arguments in the signature's order.
#ifndef LOWER_BUILTINS_H
#define LOWER_BUILTINS_H
#include "value.h"

typedef struct Args {
  Builtin b;
  const Value *v[BUILTIN_MAX_PARAMS]; // by the signature's order; NULL where left out
  const Value **many;                 // of the `*` parameter
  int nmany;
  Span at;
} Args;

#define BUILTIN(id, name, signature, function, description) Value call_##function(Cx *cx, const Args *a);
#include "../sema/builtins.def"
#undef BUILTIN

Value larger(Cx *cx, Op op, const char *text, const Value *x, const Value *y, Span at); // op: MAX or MIN

// reduce.c
// An axis was given for a tree: true after the report.
bool axis_of_tree(Cx *cx, const Args *a, const Value *axis);
Node *tree_flat(Cx *cx, const Tree *t); // all elements, in order, as one tensor
#endif
