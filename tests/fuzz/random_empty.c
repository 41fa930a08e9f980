// Tensors without elements, and what is made of them: x with nothing added to it or beside it.
#include "random_graph.h"

static Node *slice(Graph *g, Node *x, int axis, int64_t at) {
  int64_t start[MAX_RANK] = {0}, step[MAX_RANK];
  Shape stop = x->shape;
  for (int i = 0; i < stop.rank; i++) step[i] = 1;
  start[axis] = stop.dim[axis] = at;
  return graph_slice(g, x, start, stop.dim, step);
}

// Zeros where x had elements along the axis.
static Node *padded(Graph *g, Node *none, const Node *x, int axis) {
  int64_t lo[MAX_RANK] = {0}, hi[MAX_RANK] = {0}, inner[MAX_RANK] = {0};
  hi[axis] = x->shape.dim[axis] - 1;
  lo[axis] = 1;
  return graph_pad(g, none, lo, hi, inner);
}

static Node *as_wide(Graph *g, Node *sum, const Node *x, int axis) {
  int kept[MAX_RANK];
  for (int i = 0; i < sum->shape.rank; i++) kept[i] = i + (i >= axis);
  return graph_broadcast(g, sum, x->shape, kept);
}

Node *random_empty(Graph *g, Node *x, int which, bool output) {
  if (!x || x->shape.rank == 0) return NULL;
  const int rank = x->shape.rank, axis = which / 7 % rank;
  Node *none = slice(g, x, axis, which % (x->shape.dim[axis] + 1)), *back;
  none = graph_binary(g, OP_MUL, graph_unary(g, OP_EXP, none), graph_unary(g, OP_SIN, none));
  if (output) graph_output(g, arena_printf(g->arena, "none%d", g->outputs.len), none, -1);
  Node *index = graph_const_typed(g, 0, DT_I32, shape_of(1, (int64_t)0));
  switch (which % 7) {
  case 0: return graph_concat(g, (Node *[]){none, x, none}, 3, axis);
  case 1: back = as_wide(g, graph_reduce(g, OP_SUM, none, &axis, 1), x, axis); break;
  case 2:
    back =
        graph_stop(g, as_wide(g, graph_unary(g, OP_EXP, graph_reduce(g, OP_RMAX, none, &axis, 1)), x, axis));
    break;
  case 3: back = padded(g, none, x, axis); break;
  case 4: back = graph_scatter_add(g, index, graph_gather(g, x, index), x->shape.dim[0]); break;
  case 5:
    if (rank < 2 || axis < rank - 1 || x->shape.dim[rank - 2] > 40 || x->dtype != DT_F32) return NULL;
    return graph_matmul(g, none, graph_swap(g, none));
  default:
    if (x->shape.dim[axis] > 40 || x->dtype != DT_F32) return NULL;
    back = graph_running(g, OP_CUMSUM, graph_take_along(g, none, graph_argsort(g, none)), axis, which % 2);
    return graph_concat(g, (Node *[]){x, back}, 2, axis);
  }
  return graph_binary(g, OP_ADD, x, back);
}
