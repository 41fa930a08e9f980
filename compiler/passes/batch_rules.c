// The batch column of ops.def. In: a body and images of its inputs, some with a first axis more. Out: images
// of its nodes; what depends on no such input has no such axis and is computed once. Holds: element i along
// the axis is what the body gives for the i-th set of inputs.
#include "batch.h"

Node *batch_whole(Batch *b, const Node *n) {
  Node *x = b->image[n->id];
  if (b->many[n->id]) return x;
  int axes[MAX_RANK];
  for (int i = 0; i < n->shape.rank; i++) axes[i] = i + 1;
  return graph_broadcast(b->g, x, shape_with_first(b->n, n->shape), axes);
}

static Node *again(Batch *b, const Node *n, Node **in, const int64_t *attr, int nattr) {
  Node like = *n;
  like.attr = attr;
  like.nattr = nattr;
  like.shape = shape_with_first(b->n, n->shape);
  return graph_rebuild(b->g, &like, in);
}

// The number of rows that an INDEX may be given besides is the same for all.
static bool is_count(const Node *n, int k) { return n->op == OP_INDEX && k == 1; }

static Node **whole_operands(Batch *b, const Node *n) {
  Node **in = ARENA_ARRAY(b->g->arena, Node *, n->nin + 1);
  for (int k = 0; k < n->nin; k++) in[k] = is_count(n, k) ? b->image[n->in[k]->id] : batch_whole(b, n->in[k]);
  return in;
}

// The first `moved` attributes count axes.
static Node *move_axes(Batch *b, const Node *n, int moved) {
  int64_t *attr = ARENA_ARRAY(b->g->arena, int64_t, n->nattr + 1);
  for (int i = 0; i < n->nattr; i++) attr[i] = n->attr[i] + (i < moved);
  return again(b, n, whole_operands(b, n), attr, n->nattr);
}

// Lists of one entry an axis: `first[k]` stands before those of list k.
static Node *view(Batch *b, const Node *n) {
  if (n->op == OP_RESHAPE) return again(b, n, whole_operands(b, n), NULL, 0);
  const int lists = n->op == OP_SLICE || n->op == OP_PAD ? 3 : 1, rank = n->nattr / lists;
  const bool maps = lists == 1; // to axes
  const int64_t slice[] = {0, b->n, 1}, none[] = {0, 0, 0}, *first = n->op == OP_SLICE ? slice : none;
  int64_t attr[3 * MAX_RANK];
  int count = 0;
  for (int k = 0; k < lists; k++) {
    attr[count++] = first[k];
    for (int i = 0; i < rank; i++) attr[count++] = n->attr[k * rank + i] + maps;
  }
  return again(b, n, whole_operands(b, n), attr, count);
}

static Node *as_rows(Batch *b, Node *x) { // [n, m, k] as [n m, k]
  return graph_reshape(b->g, x, shape_of(2, x->shape.dim[0] * x->shape.dim[1], x->shape.dim[2]));
}

// Where one matrix is the same for all, one product; else many.
static Node *product(Batch *b, const Node *n) {
  const Node *x = n->in[0], *y = n->in[1];
  Node *left = b->image[x->id], *right = b->image[y->id];
  const int64_t rows = x->shape.dim[0], columns = n->shape.dim[n->shape.rank - 1];
  if (n->shape.rank == 2 && !b->many[y->id]) // rows of all
    return graph_reshape(b->g, graph_matmul(b->g, as_rows(b, left), right), shape_of(3, b->n, rows, columns));
  if (n->shape.rank == 2 && !b->many[x->id]) { // (y^T x^T)^T
    Node *turned = graph_matmul(b->g, as_rows(b, graph_swap(b->g, right)), graph_swap(b->g, left));
    return graph_swap(b->g, graph_reshape(b->g, turned, shape_of(3, b->n, columns, rows)));
  }
  return graph_matmul(b->g, batch_whole(b, x), batch_whole(b, y));
}

// Row numbers of the i-th set: those of one set, moved by i `size`.
static Node *moved_rows(Batch *b, const Node *index, int64_t size) {
  Node *i = batch_whole(b, index), *last = graph_const_typed(b->g, (double)(size - 1), DT_I32, i->shape),
       *zero = graph_const_typed(b->g, 0, DT_I32, i->shape);
  i = graph_binary(b->g, OP_MAX, graph_binary(b->g, OP_MIN, i, last), zero);
  Node *set = graph_iota(b->g, 0, DT_I32, i->shape);
  return graph_binary(
      b->g, OP_ADD, i,
      graph_binary(b->g, OP_MUL, set, graph_const_typed(b->g, (double)size, DT_I32, (Shape){0})));
}

static Node *rows(Batch *b, const Node *n) {
  const bool gather = n->op == OP_GATHER;
  const Node *x = n->in[gather ? 0 : 1], *index = n->in[gather ? 1 : 0];
  if (gather && !b->many[x->id]) return graph_gather(b->g, b->image[x->id], b->image[index->id]);
  Node *whole = batch_whole(b, x);
  if (gather) return graph_gather(b->g, graph_join_rows(b->g, whole), moved_rows(b, index, x->shape.dim[0]));
  const int64_t size = n->shape.dim[0];
  Node *sums = graph_scatter_add(b->g, moved_rows(b, index, size), whole, b->n * size);
  return graph_reshape(b->g, sums, shape_with_first(b->n, n->shape));
}

// -- loops inside

static bool many_turns(const Node *n, const bool *outside, bool *inside);

static bool any_operand(const Node *n, const bool *many) {
  bool any = false;
  for (int k = 0; k < n->nin; k++) any |= many[n->in[k]->id];
  return any;
}

static bool can_node(const Node *n, const bool *many) {
  if (n->op == OP_LOOP) {
    Arena *scratch = arena_new();
    const bool can = many_turns(n, many, ARENA_ARRAY(scratch, bool, n->body->nodes.len + 1));
    arena_free(scratch);
    return can;
  }
  for (int k = 0; k < n->nin; k++)
    if (is_count(n, k) && many[n->in[k]->id]) return false;
  const bool typed = op_info[n->op].batch != BATCH_PRODUCT || n->dtype == DT_F32;
  return op_info[n->op].batch != BATCH_NONE && typed && n->shape.rank < MAX_RANK - 1;
}

bool batch_can(const Graph *body, bool *many) {
  for (int i = 0; i < body->nodes.len; i++) {
    const Node *n = body->nodes.data[i];
    if (n->op == OP_INPUT || !any_operand(n, many)) continue;
    many[i] = true;
    if (!can_node(n, many)) return false;
  }
  return true;
}

// Which nodes of an inner loop's body have the axis: a carried value that has it after some turn has it
// always.
static bool many_turns(const Node *n, const bool *outside, bool *inside) {
  const LoopParts p = loop_parts(n);
  const Graph *body = n->body;
  if (p.end == LOOP_WHILE || p.end == LOOP_MOST) return false;
  if (p.end == LOOP_COUNT && outside[n->in[n->nin - 1]->id]) return false;
  for (int k = 0; k < n->nin; k++) inside[body->inputs.data[k + 1]->id] = outside[n->in[k]->id];
  for (bool more = true; more;) {
    more = false;
    if (!batch_can(body, inside)) return false;
    for (int k = 0; k < p.carries; k++) {
      bool *carry = &inside[body->inputs.data[k + 1]->id];
      if (*carry || !inside[body->outputs.data[k].node->id]) continue;
      *carry = more = true;
    }
  }
  return true;
}

// Between [n, t, ...] and [t, n, ...].
static Node *exchange(Graph *g, Node *x) {
  int perm[MAX_RANK] = {1, 0};
  for (int i = 2; i < x->shape.rank; i++) perm[i] = i;
  return graph_transpose(g, x, perm);
}

static Node *turns(Batch *b, const Node *n) {
  const LoopParts p = loop_parts(n);
  Arena *a = b->g->arena;
  Batch inner = {.g = graph_new(a, n->body->name),
                 .n = b->n,
                 .body = n->body,
                 .image = ARENA_ARRAY(a, Node *, n->body->nodes.len + 1),
                 .many = ARENA_ARRAY(a, bool, n->body->nodes.len + 1)};
  if (!many_turns(n, b->many, inner.many)) return NULL;
  Node **in = ARENA_ARRAY(a, Node *, n->nin + 1);
  inner.image[n->body->inputs.data[0]->id] = graph_input(inner.g, "0", DT_I32, (Shape){0});
  for (int k = 0; k < n->nin; k++) {
    const Node *inside = n->body->inputs.data[k + 1];
    const bool slice = k >= p.carries && k < p.carries + p.slices;
    in[k] = inner.many[inside->id] ? batch_whole(b, n->in[k]) : b->image[n->in[k]->id];
    if (slice && inner.many[inside->id]) in[k] = exchange(b->g, in[k]);
    inner.image[inside->id] =
        graph_input(inner.g, arena_printf(a, "%d", k + 1), inside->dtype,
                    inner.many[inside->id] ? shape_with_first(b->n, inside->shape) : inside->shape);
  }
  if (!batch_body(&inner)) return NULL;
  for (int k = 0; k < n->nout; k++) {
    const Node *x = n->body->outputs.data[k].node;
    const bool carried = k < p.carries && inner.many[n->body->inputs.data[k + 1]->id];
    graph_output(inner.g, arena_printf(a, "%d", k), carried ? batch_whole(&inner, x) : inner.image[x->id],
                 -1);
    // a stack has the axis where the value of a turn has it: see part()
  }
  return graph_loop(b->g, &p, n->name, in, inner.g);
}

static Node *part(Batch *b, const Node *n, bool *many) {
  const Node *tuple = n->in[0];
  Node *x = graph_part(b->g, b->image[tuple->id], (int)n->attr[0]);
  if (tuple->op != OP_LOOP) return x;
  const LoopParts p = loop_parts(tuple);
  *many = x->shape.rank > n->shape.rank;
  return *many && n->attr[0] >= p.carries ? exchange(b->g, x) : x;
}

// -- all

static Node *batch_node(Batch *b, const Node *n) {
  switch (op_info[n->op].batch) {
  case BATCH_MAP: return again(b, n, whole_operands(b, n), n->attr, n->nattr);
  case BATCH_AXES: return move_axes(b, n, n->nattr);
  case BATCH_AXIS: return move_axes(b, n, 1);
  case BATCH_VIEW: return view(b, n);
  case BATCH_PRODUCT: return product(b, n);
  case BATCH_ROWS: return rows(b, n);
  case BATCH_TURNS: return n->op == OP_LOOP ? turns(b, n) : part(b, n, &b->many[n->id]);
  case BATCH_NONE: break;
  }
  return NULL;
}

bool batch_body(Batch *b) {
  for (int i = 0; i < b->body->nodes.len; i++) {
    const Node *n = b->body->nodes.data[i];
    if (b->image[i]) continue;
    b->g->origin = n->origin;
    b->many[i] = any_operand(n, b->many);
    if (b->many[i]) {
      b->image[i] = batch_node(b, n);
    } else {
      Node **in = ARENA_ARRAY(b->g->arena, Node *, n->nin + 1);
      for (int k = 0; k < n->nin; k++) in[k] = b->image[n->in[k]->id];
      b->image[i] = graph_rebuild(b->g, n, in);
    }
    if (!b->image[i]) return false;
  }
  return true;
}
