// The operations as a table, and what the room's files share. In: ops.def. Out: lookup by name, the
// attributes each operation has in graph text, scalar evaluation, shape inference. Holds: every list of
// operations is expanded from ops.def.
#ifndef GRAPH_OPS_H
#define GRAPH_OPS_H
#include "graph.h"

// One attribute in graph text: `key=3` or `key=[1,2]`. An operation's attributes are either all scalars or
// all lists of one length, so Node.attr is split evenly among its keys.
typedef struct AttrKeys {
  int n;
  bool list;
  const char *key[8];
} AttrKeys;
AttrKeys op_attr_keys(Op op);
bool op_has_name(Op op);
bool op_has_type(Op op); // the text spells the result's type: it does not follow from the operands
int op_find(const char *text, size_t n); // an Op, or -1
bool op_commutes(Op op);
int dtype_find(const char *text, size_t n); // a DType, or -1

// Value of a pointwise or compare operation on scalars; `from` is the first operand's type, `to` the result's
// (scalar.c).
double op_scalar(Op op, DType from, DType to, double x, double y, double z);

// Whether a sum of x, `n` (whose operand may be another), is taken row by row and then over the rows of the
// first axis.
bool sum_by_rows(Shape x, const Node *n);

// Fills in type and shape from operands and attributes, or checks the given ones where op_has_type (infer.c).
// NULL, or the law that is broken.
const char *node_infer(Arena *a, Node *n);
const char *shape_fault(Arena *a, Shape s);  // NULL: a legal shape
const char *infer_loop(Arena *a, Node *n);   // body.c
const char *infer_if(Arena *a, Node *n);     // branch.c
const char *infer_factor(Arena *a, Node *n); // factor.c
const char *infer_window(Arena *a, Node *n); // window.c
void eval_window(const Node *n, double **v, double *out);

// table.c, simplify.c, builder.c
struct GraphTable {
  Node **slots; // open addressing
  int nslots, used;
  Map inputs; // by name
};
Node *node_intern(Graph *g, const Node *proto);     // the one node equal to `proto`; made if new
Node *node_simplify(Graph *g, const Node *proto);   // a simpler node of the same value, or NULL
Node *node_build(Graph *g, Node *proto);            // infer, simplify, intern; ice on a misfit
Node *node_find(const Graph *g, const Node *proto); // the node equal to `proto`, or NULL
bool node_splat(const Node *n, double *value);      // a constant all of whose elements are *value
bool node_is(const Node *n, double value);

uint64_t graph_hash(const Graph *g); // of what graph_same compares

// interp_factor.c
double *interp_factor(Arena *a, const Node *n, double *const *v); // all results, one after the other
int64_t factor_refused(const Node *n, const double *result);      // the first matrix that is; -1: none

// interp_random.c
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
void interp_uniform(double *out, int64_t n, const double *seed, double counter, int64_t stream);
#endif
