// The tensor graph: one function of the program as immutable nodes in SSA form, each with static shape and
// element type. Operands come before their users in `nodes`, so the array order is a topological order. Equal
// nodes are one node. The graph knows nothing of the language.
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H
#include "../base/session.h"

enum { MAX_RANK = 8 };

// Elements as they lie in memory; bool is 0 or 1 in a byte. Draws are f32.
typedef enum DType { DT_F32, DT_I32, DT_BOOL, DT_F64, DT_TUPLE, DTYPE_COUNT } DType;

typedef struct Shape {
  int rank;
  int64_t dim[MAX_RANK];
} Shape;

typedef enum Op {
#define OP(name, text, arity, class, batch, derivative, lo, hi, example) OP_##name,
#include "ops.def"
#undef OP
  OP_COUNT
} Op;

typedef enum OpClass {
  CLASS_LEAF,
  CLASS_POINTWISE,
  CLASS_COMPARE,
  CLASS_REDUCE,
  CLASS_SHAPE,
  CLASS_CONTRACT,
  CLASS_WINDOW,
  CLASS_INDEX,
  CLASS_FACTOR,
  CLASS_RANDOM,
  CLASS_META,
  CLASS_BODY
} OpClass;

// How an operation is done along one more axis: the batch column of ops.def.
typedef enum BatchRule {
  BATCH_NONE,
  BATCH_MAP,
  BATCH_AXES,
  BATCH_AXIS,
  BATCH_VIEW,
  BATCH_PRODUCT,
  BATCH_ROWS,
  BATCH_TURNS
} BatchRule;

typedef struct OpInfo {
  const char *text;
  int arity;
  OpClass class;
  BatchRule batch;
  const char *derivative;
  double lo, hi;
  const char *example;
} OpInfo;
extern const OpInfo op_info[OP_COUNT];
bool op_is_step(Op op); // a product, an index, a factorization, a body: no part of its users' kernels

typedef struct TensorType {
  DType dtype;
  Shape shape;
} TensorType;

// What an input or output is to whoever runs the function, who numbers kinds. Of kind 0 only the name tells.
typedef struct Port {
  int kind, index;
} Port;

typedef struct Node Node;
typedef struct Graph Graph;
struct Node {
  int id; // index in the graph's nodes
  Op op;
  DType dtype;
  Shape shape;
  int nin;
  Node **in;
  // Attributes. SUM, RMAX, ARGMAX: axes. CUMSUM: axis, reverse. IOTA, CONCAT: axis. TRANSPOSE: perm.
  // BROADCAST: axes. SLICE: start[r] stop[r] step[r]. PAD: lo[r] hi[r] inner[r]. SLIDE: axis step
  // spread; UNSLIDE: size besides. SCATTER_ADD, PUT_ALONG, INDEX: size. TRISOLVE: lower. UNIFORM: stream.
  // POINT: key. INPUT: position. CONV: step_h, step_w, spread_h, spread_w, back; CONV_WEIGHTS: rows, columns
  // in the place of back. PANELS: turned; PANEL_PRODUCT: columns.
  int nattr;
  const int64_t *attr;
  const char *name; // INPUT; INDEX, LOOP, factorizations: the place in the program
  Port port;        // INPUT
  int nout;         // of several results, read by PART; the node itself is a DT_TUPLE without axes; else 0
  const TensorType *out;
  const Graph *body;  // LOOP; IF: where the condition holds
  const Graph *other; // IF: where it does not
  const double *data; // CONST: ndata values, 1 (splat) or all
  int64_t ndata;
  Span origin; // where in the program it comes from
};

// An output may overwrite an input (`alias` = its position, else -1): parameters and state.
typedef struct GraphOutput {
  const char *name;
  Node *node;
  int alias;
  Port port;
} GraphOutput;

struct Graph {
  Arena *arena;
  const char *name;
  VEC(Node *) nodes;
  VEC(Node *) inputs;
  VEC(GraphOutput) outputs;
  struct GraphTable *table; // hash-consing
  Span origin;              // given to nodes as they are built
  bool keeps;     // while gradients are taken: no simplification drops an operand that is not constant
  int64_t points; // made so far
  bool doubles;   // its f32 become f64 when it is finished: what depends on the precision is that of doubles
};

Graph *graph_new(Arena *a, const char *name);

// -- building (builder.c). Operands' shapes must fit; a misfit is the compiler's mistake (ice), not the
// user's.
Node *graph_input(Graph *g, const char *name, DType t, Shape s); // one node for each name
Node *graph_port(Graph *g, Port p, const char *name, DType t, Shape s);
Node *graph_input_like(Graph *g, const Node *input, DType t); // of its name and port
Node *graph_find_input(const Graph *g, const char *name);     // NULL: none; its position is attr[0]
Node *graph_const(Graph *g, double value, Shape s);           // f32, splat
Node *graph_const_typed(Graph *g, double value, DType t, Shape s);
Node *graph_tensor(Graph *g, const double *data, DType t, Shape s); // data copied
Node *graph_iota(Graph *g, int axis, DType t, Shape s);
Node *graph_unary(Graph *g, Op op, Node *x);
Node *graph_binary(Graph *g, Op op, Node *x, Node *y); // POINTWISE and COMPARE; a rank-0 operand is broadcast
Node *graph_select(Graph *g, Node *cond, Node *x, Node *y);
Node *graph_cast(Graph *g, Node *x, DType t);
Node *graph_reduce(Graph *g, Op op, Node *x, const int *axes, int naxes); // naxes = 0: the operand itself
Node *graph_reduce_all(Graph *g, Op op, Node *x);
Node *graph_running(Graph *g, Op op, Node *x, int axis, bool reverse); // from the axis's start, or its end
Node *graph_reshape(Graph *g, Node *x, Shape s);
Node *graph_transpose(Graph *g, Node *x, const int *perm);
Node *graph_swap(Graph *g, Node *x);                              // the last two axes
Node *graph_rows(Graph *g, Node *x, int64_t start, int64_t stop); // of the first axis
Node *graph_split_rows(Graph *g, Node *x, int64_t n);             // [m n, ...] as [m, n, ...]
Node *graph_join_rows(Graph *g, Node *x);                         // [m, n, ...] as [m n, ...]
Node *graph_broadcast(Graph *g, Node *x, Shape s, const int *axes);
// Numpy's rule: missing leading axes and axes of size 1 stretch. NULL where the shapes do not fit.
Node *graph_broadcast_to(Graph *g, Node *x, Shape s);
bool shape_broadcast(Shape a, Shape b, Shape *out);
Node *graph_slice(Graph *g, Node *x, const int64_t *start, const int64_t *stop, const int64_t *step);
Node *graph_pad(Graph *g, Node *x, const int64_t *lo, const int64_t *hi, const int64_t *inner);
Node *graph_slide(Graph *g, Node *x, int axis, int64_t step, int64_t spread);
Node *graph_unslide(Graph *g, Node *x, int axis, int64_t step, int64_t spread, int64_t size);
Node *graph_concat(Graph *g, Node *const *xs, int n, int axis);
Node *graph_matmul(Graph *g, Node *x, Node *y);
// `apart`: step_h, step_w, spread_h, spread_w. ops.def tells what they compute (window.c).
Node *graph_conv(Graph *g, Node *x, Node *y, const int64_t *apart);
Node *graph_conv_image(Graph *g, Node *x, Node *y, const int64_t *apart, const int64_t *place);
// Of x without its frame; size: of the result.
Node *graph_conv_reverse(Graph *g, Node *x, Node *y, const int64_t *apart, const int64_t *size);
Node *graph_conv_weights(Graph *g, Node *x, Node *y, const int64_t *apart, int64_t rows, int64_t columns);
Node *graph_panels(Graph *g, Node *w, bool turned);
Node *graph_panel_product(Graph *g, Node *x, Node *panels, int64_t columns);
Node *graph_index(Graph *g, Node *x, int64_t size, Node *count, const char *place); // count: i32[] or NULL
Node *graph_gather(Graph *g, Node *x, Node *index);
Node *graph_scatter_add(Graph *g, Node *index, Node *x, int64_t size);
Node *graph_take_along(Graph *g, Node *x, Node *index);
Node *graph_put_along(Graph *g, Node *index, Node *x, int64_t size);
Node *graph_argsort(Graph *g, Node *x);
Node *graph_factor(Graph *g, Op op, Node *x, const char *place); // one matrix operand
Node *graph_solve(Graph *g, Node *x, Node *y, const char *place);
Node *graph_trisolve(Graph *g, Node *x, Node *y, bool lower, const char *place);
Node *graph_uniform(Graph *g, Node *seed, Node *counter, int64_t stream, Shape s);
Node *graph_stop(Graph *g, Node *x);
Node *graph_point(Graph *g, Node *x);            // a point of its own
Node *graph_made(Graph *g, Node *x, Node *from); // x itself where it depends on `from` visibly
Node *graph_norm(Graph *g, Node *x, const int *axes, int naxes); // norm.c
Node *graph_norm_all(Graph *g, Node *const *xs, int n);          // of all elements of n >= 1 tensors together
Node *graph_part(Graph *g, Node *tuple, int k);
void graph_output(Graph *g, const char *name, Node *x, int alias);
void graph_output_port(Graph *g, Port p, const char *name, Node *x, int alias);

// The node `like` with other operands (same operation and attributes); for passes and substitution.
Node *graph_rebuild(Graph *g, const Node *like, Node *const *in);
// The nodes of `from` in g. image[id]: what stands for a node, for its inputs above all. Out: images of all
// others whose operands have one.
void graph_fill(Graph *g, const Graph *from, Node **image);
// `root` with from[i] replaced by to[i] wherever it occurs below; nodes that do not depend on `from` are
// shared.
Node *graph_substitute(Graph *g, Node *root, Node *const *from, Node *const *to, int n);
bool graph_uses(const Graph *g, const Node *root, Op op); // root or a node below is one
bool graph_depends(const Graph *g, const Node *root, const Node *on);
// Whether one of `on` is below `root` along a path without `stop`.
bool graph_made_from(const Graph *g, const Node *root, Node *const *on, int n);
// Likewise; `reached`: which of them are.
bool graph_reaches(const Graph *g, const Node *root, Node *const *on, int n, bool *reached);

// -- bodies (body.c)
// The operands of a LOOP in order, and the results: `carries` values that each turn takes and gives, `slices`
// that have one element for each turn along their first axis, `captures` that are the same in every turn;
// final carries, then `stacks`, which gather a value of each turn along a new first axis. The body's inputs:
// the turn's number (i32), carries, slices without their first axis, captures; its outputs: carries, stacks
// of one turn.
// How many turns are made: all; as long as carry 0, a truth value, holds (carry 1 counts them, i32); so, and
// where it still holds after all of them the function ends there, with the value of carry 2 and the loop's
// name; as many as the last capture says (i32). Places of stacks that no turn reaches hold 0.
typedef enum LoopEnd { LOOP_ALL, LOOP_WHILE, LOOP_MOST, LOOP_COUNT, LOOP_ENDS } LoopEnd;
typedef struct LoopParts {
  int64_t turns;
  int carries, slices, captures, stacks;
  bool reverse; // the last turn first; slices and stacks keep their places
  LoopEnd end;
} LoopParts;
LoopParts loop_parts(const Node *loop);
enum { LOOP_ATTRS = 6, LOOP_STACKED_BYTES = 64 << 20 }; // beyond which a derivative computes turns anew
int loop_held(LoopEnd end);                             // carries that the loop itself reads
// name: of LOOP_MOST, the place in the program and what is watched; else NULL.
Node *graph_loop(Graph *g, const LoopParts *p, const char *name, Node *const *in, const Graph *body);

// A loop from nodes of one graph: what depends on the holes becomes the body, all else stays outside and is
// computed once. `index` may be NULL. Besides what is asked for, the loop stacks the values that its
// derivative reads again: each carried value before the turn, and results of products; passes drop what is
// not read. Out: parts[carries + stacks].
typedef struct LoopBuild {
  int64_t turns;
  bool reverse;
  Node *index;
  int carries;
  Node **carry, **initial, **next; // hole, value before the first turn, value after a turn
  int slices;
  Node **slice, **source; // hole, what it is a slice of
  int stacks;
  Node **stack;
  bool exact;        // nothing is stacked besides
  bool carries_only; // of the values of a turn
  LoopEnd end;
  Node *count;      // of LOOP_COUNT
  const char *name; // of LOOP_MOST
} LoopBuild;
void graph_build_loop(Graph *g, const LoopBuild *b, Node **parts);
// The same; where what is stacked besides takes more than `most` bytes, as a loop over segments of its turns
// (segments.c).
void graph_build_long_loop(Graph *g, const LoopBuild *b, int64_t most, Node **parts);
Node *graph_hole(Graph *g, DType t, Shape s);
Node *graph_slice_hole(Graph *g, const Node *source); // for what one turn sees of it
// The reverse: a turn's nodes in g, with holes for index, carries and slices; `in` are the operands in g.
// Where known[id] is given, it stands for the body's node; afterwards known holds what stands for each.
LoopBuild graph_open_loop(Graph *g, const Node *loop, Node *const *in, Node **known);

// Operands of an IF: a condition, bool of rank 0; then captures, which are the inputs of both bodies by
// position. Its results are the outputs of the body that is computed, of equal types in both.
Node *graph_if(Graph *g, Node *const *in, int nin, const Graph *body, const Graph *other);
// An IF from nodes of one graph: x[k] where the condition holds, else y[k], of one type. inside[id]: it may
// be computed in a body; all else is computed outside. Out: parts[n].
void graph_build_if(Graph *g, Node *condition, const bool *inside, Node *const *x, Node *const *y, int n,
                    Node **parts);

// f64 in place of f32 (widen.c); of inputs those of one kind of port (-1: of all), the others stay.
Graph *graph_widen(Arena *a, const Graph *g, int kind);
Graph *graph_copy(Arena *a, const Graph *g);     // node for node
bool graph_same(const Graph *a, const Graph *b); // node for node; names of inputs aside

// -- shapes
int64_t shape_count(Shape s);
bool shape_equal(Shape a, Shape b);
Shape shape_of(int rank, ...);              // int64_t each
Shape shape_with_first(int64_t n, Shape s); // [n, ...s]; s has room for an axis
Shape shape_without_first(Shape s);
const char *shape_text(Arena *a, Shape s); // "[64, 10]"; "[]" for a number
const char *dtype_text(DType t);
int64_t dtype_size(DType t); // bytes of one element in memory
bool dtype_is_float(DType t);
int64_t node_bytes(const Node *n); // of its value in memory

// -- verifier, text (verify.c, print.c, parse.c)
// NULL where all is well, else what is wrong (in the graph's arena).
const char *graph_verify(const Graph *g);
void graph_print(FILE *out, const Graph *g);
// Reads what graph_print writes; NULL and a message in *error for malformed text.
Graph *graph_parse(Arena *a, const char *text, const char **error);

// -- interpreter (interp.c): f64, plain loops, shares nothing with the lowering.
// values[i] for each node i (arrays of shape_count doubles; bool and i32 as numbers). `preset[i]` non-NULL
// gives a node's value instead of computing it: inputs must be preset; others may be. Only what the outputs
// need is computed where `only_outputs`. Values are in `a`.
double **graph_interpret(Arena *a, const Graph *g, double *const *preset, bool only_outputs);
// The first node that would have ended the function, in the graph or a body: an INDEX that refuses `value`,
// a LOOP that would go on, and what it watches, or a factorization that refuses matrix number `value`, of
// `finite` elements or not. Computing goes on all the same.
typedef struct GraphFault {
  const Node *node; // NULL: none
  double value;
  int64_t below; // INDEX: what it must be below; LOOP: the most turns
  bool finite;   // the operands of a factorization are
} GraphFault;
double **graph_interpret_checked(Arena *a, const Graph *g, double *const *preset, GraphFault *fault);
// Value of one node, inputs given by preset as above.
const double *graph_eval(Arena *a, const Graph *g, const Node *n, double *const *preset);
// The same of one scalar node; for schedules.
double graph_eval_scalar(Arena *a, const Graph *g, const Node *n, double *const *preset);
#endif
