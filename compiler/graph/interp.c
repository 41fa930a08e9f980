// The interpreter: the oracle. In: a graph and values of its inputs. Out: a value for each node that is
// needed, in f64, by the plainest loops there are. Holds: it shares nothing with loops and backend.
#include "ops.h"
#include <math.h>
#include <string.h>

// Position in x of the element that result element e of n comes from is counted digit by digit: the index of
// each axis.
static void unravel(int64_t e, Shape s, int64_t *index) {
  for (int i = s.rank - 1; i >= 0; i--) {
    index[i] = e % s.dim[i];
    e /= s.dim[i];
  }
}

static int64_t ravel(const int64_t *index, Shape s) {
  int64_t e = 0;
  for (int i = 0; i < s.rank; i++) e = e * s.dim[i] + index[i];
  return e;
}

static void eval_leaf(const Node *n, double *out, int64_t count) {
  int64_t index[MAX_RANK];
  for (int64_t e = 0; e < count; e++) {
    unravel(e, n->shape, index);
    out[e] = n->op == OP_CONST ? n->data[n->ndata == 1 ? 0 : e] : (double)index[n->attr[0]];
  }
}

static void eval_pointwise(const Node *n, double **v, double *out, int64_t count) {
  const double *x = v[n->in[0]->id], *y = n->nin > 1 ? v[n->in[1]->id] : x,
               *z = n->nin > 2 ? v[n->in[2]->id] : x;
  for (int64_t e = 0; e < count; e++) out[e] = op_scalar(n->op, n->in[0]->dtype, n->dtype, x[e], y[e], z[e]);
}

// One visit of every operand element, in order; ARGMAX keeps the first of equals. A NaN wins a maximum.
static void eval_reduce(Arena *a, const Node *n, const double *x, double *out, int64_t count) {
  const Shape s = n->in[0]->shape;
  double *best = ARENA_ARRAY(a, double, count);
  bool *seen = ARENA_ARRAY(a, bool, count);
  for (int64_t e = 0; e < count && n->op == OP_RMAX; e++) out[e] = -INFINITY;
  for (int64_t e = 0; e < shape_count(s); e++) {
    int64_t index[MAX_RANK], to[MAX_RANK] = {0}, o;
    unravel(e, s, index);
    for (int i = 0, k = 0, j = 0; i < s.rank; i++) {
      if (k < n->nattr && n->attr[k] == i)
        k++;
      else
        to[j++] = index[i];
    }
    o = ravel(to, n->shape);
    if (n->op == OP_SUM) {
      out[o] += x[e];
    } else if (!seen[o] || x[e] > best[o] || (isnan(x[e]) && !isnan(best[o]))) {
      best[o] = x[e];
      out[o] = n->op == OP_RMAX ? x[e] : (double)index[n->attr[0]];
    }
    seen[o] = true;
  }
}

static void eval_cumsum(const Node *n, const double *x, double *out, int64_t count) {
  const int axis = (int)n->attr[0];
  const int64_t len = n->shape.dim[axis];
  int64_t stride = 1;
  for (int i = axis + 1; i < n->shape.rank; i++) stride *= n->shape.dim[i];
  for (int64_t base = 0; base < count; base++) {
    if (base / stride % len != 0) continue;
    double sum = 0;
    for (int64_t k = 0; k < len; k++) {
      int64_t e = base + (n->attr[1] ? len - 1 - k : k) * stride;
      out[e] = sum += x[e];
    }
  }
}

static void eval_concat(const Node *n, double **v, double *out) {
  const int axis = (int)n->attr[0];
  int64_t offset = 0;
  for (int k = 0; k < n->nin; k++) {
    const Node *x = n->in[k];
    for (int64_t e = 0; e < shape_count(x->shape); e++) {
      int64_t index[MAX_RANK];
      unravel(e, x->shape, index);
      index[axis] += offset;
      out[ravel(index, n->shape)] = v[x->id][e];
    }
    offset += x->shape.dim[axis];
  }
}

static void eval_unslide(const Node *n, const double *x, double *out) {
  const Shape s = n->in[0]->shape;
  for (int64_t e = 0; e < shape_count(s); e++) {
    int64_t index[MAX_RANK];
    unravel(e, s, index);
    index[n->attr[0]] = index[n->attr[0]] * n->attr[1] + index[n->attr[0] + 1] * n->attr[2];
    out[ravel(index, n->shape)] = x[e];
  }
}

// PAD and UNSLIDE write each operand element; the others read one for each result element.
static void eval_pad(const Node *n, const double *x, double *out) {
  const Shape s = n->in[0]->shape;
  const int r = s.rank;
  for (int64_t e = 0; e < shape_count(s); e++) {
    int64_t index[MAX_RANK];
    unravel(e, s, index);
    for (int i = 0; i < r; i++) index[i] = n->attr[i] + index[i] * (n->attr[2 * r + i] + 1);
    out[ravel(index, n->shape)] = x[e];
  }
}

static void eval_shape(const Node *n, double **v, double *out, int64_t count) {
  const double *x = v[n->in[0]->id];
  const Shape s = n->in[0]->shape;
  if (n->op == OP_CONCAT) {
    eval_concat(n, v, out);
    return;
  }
  if (n->op == OP_PAD) {
    eval_pad(n, x, out);
    return;
  }
  if (n->op == OP_UNSLIDE) {
    eval_unslide(n, x, out);
    return;
  }
  for (int64_t e = 0; e < count; e++) {
    int64_t index[MAX_RANK], from[MAX_RANK] = {0};
    unravel(e, n->shape, index);
    for (int i = 0; i < s.rank; i++) {
      if (n->op == OP_TRANSPOSE) from[n->attr[i]] = index[i];
      if (n->op == OP_BROADCAST) from[i] = index[n->attr[i]];
      if (n->op == OP_SLIDE)
        from[i] = i == n->attr[0] ? index[i] * n->attr[1] + index[i + 1] * n->attr[2] : index[i];
      if (n->op == OP_SLICE) from[i] = n->attr[i] + index[i] * n->attr[2 * s.rank + i];
    }
    out[e] = x[n->op == OP_RESHAPE ? e : ravel(from, s)];
  }
}

static void eval_matmul(const Node *n, const double *x, const double *y, double *out, int64_t count) {
  const int r = n->shape.rank;
  const int64_t rows = n->shape.dim[r - 2], cols = n->shape.dim[r - 1], inner = n->in[0]->shape.dim[r - 1];
  for (int64_t e = 0; e < count; e++) {
    int64_t col = e % cols, row = e / cols % rows, batch = e / cols / rows;
    double sum = 0;
    for (int64_t k = 0; k < inner; k++)
      sum += x[(batch * rows + row) * inner + k] * y[(batch * inner + k) * cols + col];
    out[e] = sum;
  }
}

static int64_t clamp(double index, int64_t size) {
  return !(index >= 0) ? 0 : index >= (double)size ? size - 1 : (int64_t)index;
}

static void refuse(GraphFault *fault, const Node *n, double value, int64_t below) {
  if (fault && !fault->node) *fault = (GraphFault){n, value, below, true};
}

static void eval_checked(const Node *n, double **v, double *out, int64_t count, GraphFault *fault) {
  const double *x = v[n->in[0]->id];
  const int64_t below = n->nin == 2 ? (int64_t)v[n->in[1]->id][0] : n->attr[0];
  for (int64_t e = 0; e < count; e++) {
    if (!(x[e] >= 0 && x[e] < (double)below && x[e] == floor(x[e]))) refuse(fault, n, x[e], below);
    out[e] = (double)clamp(x[e], n->attr[0]);
  }
}

static void eval_index_rows(const Node *n, double **v, double *out) {
  const bool gather = n->op == OP_GATHER;
  const Node *index = n->in[gather ? 1 : 0];
  const double *x = v[n->in[gather ? 0 : 1]->id];
  const int64_t size = gather ? n->in[0]->shape.dim[0] : n->attr[0], entries = shape_count(index->shape);
  if (entries == 0) return;
  const int64_t row = shape_count(gather ? n->in[0]->shape : n->shape) / size;
  for (int64_t i = 0; i < entries; i++) {
    int64_t at = clamp(v[index->id][i], size);
    for (int64_t k = 0; k < row; k++) {
      if (gather)
        out[i * row + k] = x[at * row + k];
      else
        out[at * row + k] += x[i * row + k];
    }
  }
}

static void eval_index_along(const Node *n, double **v, double *out) {
  const bool take = n->op == OP_TAKE_ALONG;
  const Node *index = n->in[take ? 1 : 0], *x = n->in[take ? 0 : 1];
  const int last = n->shape.rank - 1;
  const int64_t len = index->shape.dim[last], size = take ? x->shape.dim[last] : n->attr[0];
  for (int64_t e = 0; e < shape_count(index->shape); e++) {
    int64_t at = e / len * size + clamp(v[index->id][e], size);
    if (take)
      out[e] = v[x->id][at];
    else
      out[at] += v[x->id][e];
  }
}

static bool sorts_after(double x, double y) { return x > y || (isnan(x) && !isnan(y)); }

// Insertion sort of positions: stable, NaN last.
static void eval_argsort(const Node *n, const double *x, double *out, int64_t count) {
  const int64_t len = n->shape.dim[n->shape.rank - 1];
  for (int64_t base = 0; base < count; base += len)
    for (int64_t i = 0; i < len; i++) {
      int64_t low = base,
              high = base + i; // before `low` nothing sorts after i, from `high` on everything does
      while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (sorts_after(x[base + (int64_t)out[middle]], x[base + i]))
          high = middle;
        else
          low = middle + 1;
      }
      memmove(out + low + 1, out + low, (size_t)(base + i - low) * sizeof *out);
      out[low] = (double)i;
    }
}

static void eval_index(const Node *n, double **v, double *out, int64_t count, GraphFault *fault) {
  switch (n->op) {
  case OP_GATHER:
  case OP_SCATTER_ADD: eval_index_rows(n, v, out); break;
  case OP_TAKE_ALONG:
  case OP_PUT_ALONG: eval_index_along(n, v, out); break;
  case OP_CUMSUM: eval_cumsum(n, v[n->in[0]->id], out, count); break;
  case OP_INDEX: eval_checked(n, v, out, count, fault); break;
  default: eval_argsort(n, v[n->in[0]->id], out, count); break;
  }
}

// Results lie one after the other.
static int64_t part_offset(const Node *tuple, int64_t k) {
  int64_t offset = 0;
  for (int i = 0; i < k; i++) offset += shape_count(tuple->out[i].shape);
  return offset;
}

static double **evaluate(Arena *a, const Graph *g, double *const *preset, bool *needed, int count,
                         GraphFault *fault);

static double **evaluate_outputs(Arena *a, const Graph *g, double *const *preset, GraphFault *fault) {
  bool *needed = ARENA_ARRAY(a, bool, g->nodes.len + 1);
  for (int i = 0; i < g->outputs.len; i++) needed[g->outputs.data[i].node->id] = true;
  return evaluate(a, g, preset, needed, g->nodes.len, fault);
}

// Turn `at`, in memory of its own.
static void eval_turn(const Node *n, double **v, double *out, int64_t at, GraphFault *fault) {
  const LoopParts p = loop_parts(n);
  const Graph *b = n->body;
  Arena *scratch = arena_new();
  double **preset = ARENA_ARRAY(scratch, double *, b->nodes.len + 1), number = (double)at;
  for (int k = 0; k < b->inputs.len; k++) {
    const Node *inside = b->inputs.data[k];
    const int operand = k - 1;
    const bool slice = operand >= p.carries && operand < p.carries + p.slices;
    preset[inside->id] = k == 0 ? &number
                         : operand < p.carries
                             ? out + part_offset(n, operand)
                             : v[n->in[operand]->id] + (slice ? at * shape_count(inside->shape) : 0);
  }
  double **values = evaluate_outputs(scratch, b, preset, fault);
  for (int k = p.carries; k < n->nout; k++) {
    const Node *x = b->outputs.data[k].node;
    const int64_t count = shape_count(x->shape);
    memcpy(out + part_offset(n, k) + at * count, values[x->id], sizeof(double) * (size_t)count);
  }
  double **next = ARENA_ARRAY(scratch, double *, p.carries + 1); // a carry may be what another was
  for (int k = 0; k < p.carries; k++) {
    const Node *x = b->outputs.data[k].node;
    const size_t bytes = sizeof(double) * (size_t)shape_count(x->shape);
    next[k] = memcpy(arena_alloc(scratch, bytes), values[x->id], bytes);
  }
  for (int k = 0; k < p.carries; k++)
    memcpy(out + part_offset(n, k), next[k], sizeof(double) * (size_t)shape_count(n->out[k].shape));
  arena_free(scratch);
}

static double *eval_loop(Arena *a, const Node *n, double **v, GraphFault *fault) {
  const LoopParts p = loop_parts(n);
  const bool conditional = p.end == LOOP_WHILE || p.end == LOOP_MOST;
  double *out = ARENA_ARRAY(a, double, part_offset(n, n->nout) + 1);
  for (int k = 0; k < p.carries; k++)
    memcpy(out + part_offset(n, k), v[n->in[k]->id], sizeof(double) * (size_t)shape_count(n->out[k].shape));
  int64_t turns = p.turns;
  if (p.end == LOOP_COUNT) turns = clamp(v[n->in[n->nin - 1]->id][0], turns + 1);
  for (int64_t turn = 0; turn < turns && !(conditional && out[0] == 0); turn++)
    eval_turn(n, v, out, p.reverse ? turns - 1 - turn : turn, fault);
  if (p.end == LOOP_MOST && out[0] != 0) refuse(fault, n, out[2], n->attr[0]);
  return out;
}

static double *eval_if(Arena *a, const Node *n, double **v, GraphFault *fault) {
  const Graph *b = v[n->in[0]->id][0] != 0 ? n->body : n->other;
  double *out = ARENA_ARRAY(a, double, part_offset(n, n->nout) + 1);
  Arena *scratch = arena_new();
  double **preset = ARENA_ARRAY(scratch, double *, b->nodes.len + 1);
  for (int k = 0; k < b->inputs.len; k++) preset[b->inputs.data[k]->id] = v[n->in[k + 1]->id];
  double **values = evaluate_outputs(scratch, b, preset, fault);
  for (int k = 0; k < n->nout; k++) {
    const Node *x = b->outputs.data[k].node;
    memcpy(out + part_offset(n, k), values[x->id], sizeof(double) * (size_t)shape_count(x->shape));
  }
  arena_free(scratch);
  return out;
}

// All results; where a matrix is refused they are NaN.
static double *eval_factor(Arena *a, const Node *n, double **v, GraphFault *fault) {
  double *out = interp_factor(a, n, v);
  const int64_t refused = factor_refused(n, out);
  if (refused < 0) return out;
  const bool first = fault && !fault->node;
  refuse(fault, n, (double)refused, 0);
  for (int k = 0; first && k < n->nin; k++)
    for (int64_t e = 0; e < shape_count(n->in[k]->shape); e++)
      fault->finite = fault->finite && isfinite(v[n->in[k]->id][e]);
  return out;
}

static double *eval_node(Arena *a, const Node *n, double **v, GraphFault *fault) {
  if (n->op == OP_IF) return eval_if(a, n, v, fault);
  if (n->op == OP_LOOP) return eval_loop(a, n, v, fault);
  if (op_info[n->op].class == CLASS_FACTOR) return eval_factor(a, n, v, fault);
  const int64_t count = shape_count(n->shape);
  double *out = ARENA_ARRAY(a, double, count);
  switch (op_info[n->op].class) {
  case CLASS_LEAF:
    if (n->op == OP_INPUT) ice("graph", "interpreter: input %s has no value", n->name);
    if (n->op == OP_HOLE) ice("graph", "interpreter: a loop was not built");
    eval_leaf(n, out, count);
    break;
  case CLASS_POINTWISE:
  case CLASS_COMPARE: eval_pointwise(n, v, out, count); break;
  case CLASS_REDUCE: eval_reduce(a, n, v[n->in[0]->id], out, count); break;
  case CLASS_SHAPE: eval_shape(n, v, out, count); break;
  case CLASS_CONTRACT: eval_matmul(n, v[n->in[0]->id], v[n->in[1]->id], out, count); break;
  case CLASS_WINDOW: eval_window(n, v, out); break;
  case CLASS_INDEX: eval_index(n, v, out, count, fault); break;
  case CLASS_RANDOM: interp_uniform(out, count, v[n->in[0]->id], v[n->in[1]->id][0], n->attr[0]); break;
  case CLASS_BODY:
    memcpy(out, v[n->in[0]->id] + part_offset(n->in[0], n->attr[0]), sizeof(double) * (size_t)count);
    break;
  case CLASS_FACTOR: break;
  case CLASS_META: memcpy(out, v[n->in[0]->id], sizeof(double) * (size_t)count); break;
  }
  return out;
}

// Computes what `needed` marks; the operands of a needed node are marked here, unless its value is given.
static double **evaluate(Arena *a, const Graph *g, double *const *preset, bool *needed, int count,
                         GraphFault *fault) {
  double **v = ARENA_ARRAY(a, double *, count ? count : 1);
  for (int i = count - 1; i >= 0; i--)
    for (int k = 0; needed[i] && !(preset && preset[i]) && k < g->nodes.data[i]->nin; k++)
      needed[g->nodes.data[i]->in[k]->id] = true;
  for (int i = 0; i < count; i++) {
    if (preset && preset[i])
      v[i] = preset[i];
    else if (needed[i])
      v[i] = eval_node(a, g->nodes.data[i], v, fault);
  }
  return v;
}

double **graph_interpret(Arena *a, const Graph *g, double *const *preset, bool only_outputs) {
  if (only_outputs) return evaluate_outputs(a, g, preset, NULL);
  const int count = g->nodes.len;
  bool *needed = ARENA_ARRAY(a, bool, count ? count : 1);
  for (int i = 0; i < count; i++) needed[i] = true;
  return evaluate(a, g, preset, needed, count, NULL);
}

double **graph_interpret_checked(Arena *a, const Graph *g, double *const *preset, GraphFault *fault) {
  *fault = (GraphFault){0};
  return evaluate_outputs(a, g, preset, fault);
}

const double *graph_eval(Arena *a, const Graph *g, const Node *n, double *const *preset) {
  bool *needed = ARENA_ARRAY(a, bool, n->id + 1);
  needed[n->id] = true;
  return evaluate(a, g, preset, needed, n->id + 1, NULL)[n->id];
}

double graph_eval_scalar(Arena *a, const Graph *g, const Node *n, double *const *preset) {
  return graph_eval(a, g, n, preset)[0];
}
