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

double count_identity(Builtin b); // counts.def
// builtins.c
Op builtin_operation(Builtin b); // that of its name, but for one
// reduce.c
// An axis was given for a tree: true after the report.
bool axis_of_tree(Cx *cx, const Args *a, const Value *axis);
bool is_true(const Value *v); // of an argument; not given is false
// along.c
Node *axis_slice(Cx *cx, Node *x, int axis, int64_t from, int64_t to);
Node *axis_moved(Cx *cx, Node *x, int from, int to);    // the others keep their order
Node *axis_last(Cx *cx, Node *x, int axis);             // exchanged with the last; its own inverse
Node *dim_elements(Cx *cx, const Dim *d, int64_t size); // how many are there, f64[]
Node *axis_product(Cx *cx, Node *x, int axis);          // which keeps size 1
// index.c
// The place to tell when the program runs: what was written in the program, also where the library looks it
// up.
const char *run_place(Cx *cx, Span at);
// shapes.c
// Whether two tensors of shape s have the same axes, but for one (-1: none); false after a report.
bool axes_meet(Cx *cx, const char *text, const Value *x, const Value *y, Shape s, int except, Span at);
Node *on_diagonal(Cx *cx, Shape s, int i, int k);   // whether the positions along i and k are equal
Node *axis_diagonal(Cx *cx, Node *x, int i, int k); // of one size; the axis k goes
// A known whole number from low to high; false after a report.
bool known_int(Cx *cx, const Value *v, const char *what, int64_t low, int64_t high, int64_t *out);
Node *tree_flat(Cx *cx, const Tree *t); // all elements, in order, as one tensor
#endif
