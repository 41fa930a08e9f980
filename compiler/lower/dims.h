// Private to lower/, a part of value.h: dimensions of values, and how many elements of them are there.
#ifndef LOWER_DIMS_H
#define LOWER_DIMS_H
#include "value.h"

typedef enum Relation { DIM_UNKNOWN, DIM_SAME, DIM_OTHER } Relation;
Relation dim_relation(const Dim *a, const Dim *b);
bool dims_agree(const Dim *a, const Dim *b); // they are one dimension, as far as that is known
// Whether an axis of size na may meet one of size nb, element by element: counts always belong together, and
// two names never do. What is not known is judged by sizes elsewhere.
bool dims_meet(const Dim *a, int64_t na, const Dim *b, int64_t nb);
void report_dims(Cx *cx, const char *text, const Dim *a, const Dim *b, Span at); // which do not meet
extern const Dim dim_added; // of an axis that `new` makes
const Dim *dim_of(Dims dims, int axis);
Dims value_dims(Cx *cx, const Value *v); // of what has a tensor; NULL: nothing is known
const Dim **dims_copy(Cx *cx, Dims dims, int rank);
Dims dims_without(Cx *cx, Dims dims, int rank, const int *axes, int n);
bool dims_counted(Dims dims, int rank);
bool is_counted(Cx *cx, const Value *v);
const Dim *counted_dim(Cx *cx, Node *count, int64_t size, Span at); // one for each count
// Of lengths, a whole number for each element of `each`.
const Dim *ragged_dim(Cx *cx, Node *lengths, const Dim *each, int64_t size, Span at);
// Another count of what `of` counts: one for all, or for each.
const Dim *counted_like(Cx *cx, const Dim *of, Node *count, int64_t size, Span at);
bool is_ragged(Dims dims, int rank); // an axis has a count for each element of another one
// The axis whose elements d has counts for; -1 after a report: it is not there.
int each_axis(Cx *cx, const Dim *d, Shape s, Dims dims);
// For each element of that axis whether `place`, a whole number [], is one that is there: in the shape s.
Node *each_there(Cx *cx, const Dim *d, Node *place, Shape s, int axis);
bool is_most(const Ast *dim); // `<=40` or `<=t` of a declared shape
// Of a whole column of data whose rows have lengths: the column with them. false: it has none.
bool ragged_field(Cx *cx, Value *v);
const Dim *rows_dim(Cx *cx, const char *of, int64_t rows); // of a table of data, or of a batch
// Whether v is no `id` of a batch, a row's number in its file, or the rows that `of` is have these as places;
// else reported.
bool ids_are_places(Cx *cx, const Value *v, const Dim *of);
const Dim *own_rows(Cx *cx);                           // of the fields
Value size_value(const Dim *d, int64_t size, Span at); // the size of an axis, live where it has a count
Value outward(Cx *cx, const Env *scope, Value v);      // as it is seen outside of the call
// The tensor of a value that may have counts; what lies beyond them is no matter what. value_node and its
// sisters refuse such a value, so that nothing takes it unawares.
Node *counted_node(Cx *cx, const Value *v);
Node *counted_wide(Cx *cx, const Value *v);
Node *counted_floats(Cx *cx, const Value *v);
// Whether an element is there; NULL where all are. `on`: which axes are asked for; NULL: all.
Node *count_mask(Cx *cx, Shape s, Dims dims, const bool *on);
Node *count_filled(Cx *cx, Node *x, Dims dims, const bool *on, double other); // other, where none is there
Node *count_index(Cx *cx, const Dim *d);                                      // the count, i32[]
// How many elements of the output `name`, which is v, are there: outputs "count:AXIS:NAME".
void output_counts(Cx *cx, const char *name, const Value *v, const Node *n);
void refuse_counted(Cx *cx, const char *what, Dims dims, Shape s, const char *hint, Span at);
const char *dims_text(Cx *cx, Shape s, Dims dims); // "[<=64, 10]"
#endif
