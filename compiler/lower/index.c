// Indices and classes: whole numbers from 0 to below a size. In: values. Out: i32 tensors whose elements are
// in range: what is known while the program is elaborated is judged here, what is only known when it runs is
// checked there (OP_INDEX), and what cannot be out of range (argsort, argmax, classes of the data) is taken
// as it is.
#include "builtins.h"
#include <math.h>
#include <string.h>

enum { MOST_KNOWN = 1 << 16 }; // elements that are computed to judge an index

// All elements of n are whole, and from 0 to below the result; 0: that is not known.
static int64_t below(const Node *n) {
  for (;; n = n->in[0]) switch (n->op) {
    case OP_ARGMAX: return n->in[0]->shape.dim[n->attr[0]];
    case OP_ARGSORT: return n->shape.dim[n->shape.rank - 1];
    case OP_IOTA: return n->shape.dim[n->attr[0]];
    case OP_INDEX: return n->attr[0];
    case OP_CAST:
      if (n->in[0]->dtype == DT_BOOL) return 2;
      if (n->in[0]->dtype != DT_I32 && n->dtype != DT_I32) return 0;
      break;
    case OP_POINT:
    case OP_STOP:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_BROADCAST:
    case OP_SLICE:
    case OP_GATHER:
    case OP_TAKE_ALONG: break;
    default: return 0;
    }
}

// Whether n follows from what is known: presets[id] of the inputs that have a value now are filled in; *fixed
// where nothing that may change when the program runs is among them.
static bool is_known(Cx *cx, Arena *scratch, const Node *n, double **presets, bool *fixed) {
  bool *needed = ARENA_ARRAY(scratch, bool, n->id + 1);
  int64_t elements = 0;
  needed[n->id] = *fixed = true;
  for (int i = n->id; i >= 0; i--) {
    const Node *x = cx->g->nodes.data[i];
    if (!needed[i]) continue;
    elements += shape_count(x->shape);
    if (elements > MOST_KNOWN || x->op == OP_MATMUL || x->op == OP_HOLE || x->nout ||
        op_info[x->op].class == CLASS_FACTOR)
      return false;
    if (x->op == OP_INPUT) {
      presets[i] = ARENA_NEW(scratch, double);
      *presets[i] = live_default(cx, x);
      if (isnan(*presets[i])) return false;
      *fixed = false;
    }
    for (int k = 0; k < x->nin; k++) needed[x->in[k]->id] = true;
  }
  return true;
}

const double *known_elements(Cx *cx, Arena *scratch, const Node *n) {
  double **presets = ARENA_ARRAY(scratch, double *, n->id + 1);
  bool fixed;
  return is_known(cx, scratch, n, presets, &fixed) && fixed ? graph_eval(scratch, cx->g, n, presets) : NULL;
}

// Where the e-th element of a value was written.
static Span element_span(const Value *v, int64_t count, int64_t e) {
  while (v->kind == V_LIST && v->nitems > 0 && count % v->nitems == 0) {
    count /= v->nitems;
    v = &v->items[e / count];
    e %= count;
  }
  return v->span;
}

static bool judge(Cx *cx, const Value *v, const double *x, int64_t count, int64_t size) {
  for (int64_t e = 0; e < count; e++) {
    if (x[e] >= 0 && x[e] < (double)size && x[e] == floor(x[e])) continue;
    Span at = element_span(v, count, e);
    if (x[e] == floor(x[e]))
      diag_emit(&cx->s->diags, DIAG_bad_index, at, arena_printf(cx->a, "%.15g", x[e]), (long long)size);
    else
      diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "a whole number that counts from 0",
                arena_printf(cx->a, "%.9g", x[e]));
    return false;
  }
  return true;
}

const char *run_place(Cx *cx, Span at) {
  const Source *s = source_get(&cx->s->sources, at.source);
  const bool library = !s || source_is_library(s);
  if (library && cx->at.source) s = source_get(&cx->s->sources, (at = cx->at).source);
  return s ? source_place(cx->a, s, at) : "";
}

// Classes and row numbers of the data: the last of them is there.
static bool classes_fit(Cx *cx, const Value *v, int64_t classes, int64_t size) {
  if (classes <= size) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_bad_index, v->span,
                      arena_printf(cx->a, "%lld", (long long)classes - 1), (long long)size);
  diag_note(d, cx->at, "of %lld in all, here", (long long)classes);
  return false;
}

// A standalone binary may be given other rows, but no other classes.
static Node *field_index(Cx *cx, const Value *v, int64_t size, int64_t *classes) {
  const reg_dataset *set = field_data(cx, v);
  const reg_field *f = &set->fields[v->field];
  const bool row_number = f->dtype == REG_I32 && f->values;
  Node *n = row_number ? counted_wide(cx, v) : value_classes(cx, v, classes);
  return n && classes_fit(cx, v, row_number ? set->nrows : *classes, size) ? n : NULL;
}

static Node *index_node(Cx *cx, const Value *v, int64_t size, int64_t *classes) {
  struct Leaves *leaves = cx->leaves; // a literal index is no leaf of a check
  cx->leaves = NULL;
  *classes = v->classes;
  Node *n = v->kind == V_FIELD ? field_index(cx, v, size, classes) : counted_wide(cx, v);
  cx->leaves = leaves;
  if (!n) return NULL;
  if (n->dtype == DT_BOOL) n = graph_cast(cx->g, n, DT_I32);
  return n->op == OP_CAST && n->in[0]->dtype == DT_I32 ? n->in[0] : n;
}

// Below a count that is known when the program runs. What is not there of the index is 0, and is below every
// count but 0: of nothing it is taken for the first element, as long as nothing else asks for one.
static Node *index_below(Cx *cx, Node *n, Dims dims, int64_t size, const Dim *of, const char *at) {
  Graph *g = cx->g;
  Node *count = of && of->count ? count_index(cx, of) : NULL, *mask = count_mask(cx, n->shape, dims, NULL);
  if (mask) {
    if (count) {
      Node *none = graph_binary(g, OP_LT, count, graph_const_typed(g, 1, DT_I32, (Shape){0}));
      Node *wrong = graph_const_typed(g, -1, n->dtype, n->shape);
      n = graph_select(g, graph_broadcast_to(g, none, n->shape), wrong, n);
      count = graph_binary(g, OP_MAX, count, graph_const_typed(g, 1, DT_I32, (Shape){0}));
    }
    n = graph_select(g, mask, n, graph_const_typed(g, 0, n->dtype, n->shape));
  }
  return graph_index(g, n, size, count, at);
}

Node *counted_value_index(Cx *cx, const Value *v, int64_t size, const Dim *of) {
  int64_t classes;
  if (!ids_are_places(cx, v, of)) return NULL;
  Node *n = index_node(cx, v, size, &classes);
  if (!n) return NULL;
  if (shape_count(n->shape) == 0) return graph_cast(cx->g, n, DT_I32);
  const bool counted = is_counted(cx, v);
  if ((of && of->count) || (counted && v->kind != V_FIELD))
    return index_below(cx, n, value_dims(cx, v), size, of, run_place(cx, v->span));
  const int64_t bound = below(n);
  if (!bound && !classes_fit(cx, v, classes, size)) return NULL;
  const int64_t known = classes > 0 ? classes : bound;
  if (known && known <= size) return graph_cast(cx->g, n, DT_I32);
  Arena *scratch = arena_new();
  double **presets = ARENA_ARRAY(scratch, double *, n->id + 1);
  bool good = true, fixed = false;
  Node *constant = NULL;
  if (is_known(cx, scratch, n, presets, &fixed)) {
    const double *x = graph_eval(scratch, cx->g, n, presets);
    good = judge(cx, v, x, shape_count(n->shape), size);
    if (good && fixed) constant = graph_tensor(cx->g, x, DT_I32, n->shape);
  }
  arena_free(scratch);
  if (good && size == 0) diag_emit(&cx->s->diags, DIAG_bad_index, v->span, "of any value", (long long)size);
  if (!good || constant || size == 0) return constant;
  return graph_index(cx->g, n, size, NULL, run_place(cx, v->span));
}

// Along an axis the elements that an index names, whose axes stand in its place.
Node *axis_by_index(Cx *cx, Node *x, int axis, const Dim *of, const Value *index, Span at) {
  if (index->kind == V_TENSOR && index->node->dtype == DT_BOOL) { // would look like a choice of rows
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, index->span, "whole numbers", "truth values");
    diag_hint(d, "`x[where c]` picks what c holds for; `if ... then 1 else 0` makes numbers of them");
    return NULL;
  }
  Node *i = counted_value_index(cx, index, x->shape.dim[axis], of);
  if (!i || !rank_fits(cx, i->shape.rank + x->shape.rank - 1, at)) return NULL;
  return gather_axis(cx, x, axis, i);
}

// The axis goes first, and the index's axes go back to its place.
Node *gather_axis(Cx *cx, Node *x, int axis, Node *index) {
  int back[MAX_RANK];
  const int rank = x->shape.rank, wide = index->shape.rank;
  for (int k = 0; k < rank - 1 + wide; k++) back[k] = k < axis ? wide + k : k < axis + wide ? k - axis : k;
  return graph_transpose(cx->g, graph_gather(cx->g, axis_moved(cx, x, axis, 0), index), back);
}

// Axes of an index in the place of one axis.
static Dims index_dims(Cx *cx, Dims dims, int rank, int axis, Dims index, int wide) {
  const Dim **out = ARENA_ARRAY(cx->a, const Dim *, rank + wide + 1);
  for (int k = 0; k < rank - 1 + wide; k++)
    out[k] = k < axis          ? dim_of(dims, k)
             : k < axis + wide ? dim_of(index, k - axis)
                               : dim_of(dims, k - wide + 1);
  return out;
}

Value rows_by_index(Cx *cx, const Value *x, const Value *index, Span at) {
  Node *n = counted_node(cx, x);
  const Dims dims = value_dims(cx, x);
  Node *rows = n ? axis_by_index(cx, n, 0, dim_of(dims, 0), index, at) : NULL;
  Value v = v_tensor(rows, at);
  if (rows)
    v.dims =
        index_dims(cx, dims, n->shape.rank, 0, value_dims(cx, index), rows->shape.rank - n->shape.rank + 1);
  return v;
}

// -- rows picked by a condition

// Which elements a condition picks: their places, in order, in front; the rest behind them. Of none: NULL.
static bool pick_where(Cx *cx, const Value *c, const Dim *of, int64_t size, Node **index,
                       const Dim **picked) {
  struct Leaves *leaves = cx->leaves; // a literal condition is no leaf of a check
  cx->leaves = NULL;
  Node *n = truth_of(cx, bare(counted_wide(cx, c)));
  cx->leaves = leaves;
  if (!n) return false;
  const Shape s = shape_of(1, size);
  const Dim *d = dim_of(value_dims(cx, c), 0);
  if (!shape_equal(n->shape, s)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, c->span, "`where`", shape_text(cx->a, n->shape),
              shape_text(cx->a, s));
    return false;
  }
  if (!dims_agree(d, of)) {
    report_dims(cx, "`where`", d, of, c->span);
    return false;
  }
  *index = NULL, *picked = NULL;
  if (size == 0) return true;
  n = count_filled(cx, n, value_dims(cx, c), NULL, 0);
  Node *left = graph_cast(cx->g, graph_unary(cx->g, OP_NOT, n), DT_F32);
  Node *count = graph_reduce_all(cx->g, OP_SUM, graph_cast(cx->g, n, DT_F32));
  *index = graph_argsort(cx->g, left);
  *picked = counted_dim(cx, graph_cast(cx->g, count, DT_F64), size, c->span);
  return true;
}

// -- x[...]

static bool is_where(const Ast *at) { return at->kind == AST_UNARY && at->op == OPR_WHERE; }

// A known index along an axis of n elements, or a range's end (n itself may be one), counted from 0.
static bool known_index(Cx *cx, const Value *v, int64_t n, bool end, int64_t *out) {
  double d;
  if (!value_number(cx, v, "an index", &d)) return false;
  if (d != floor(d)) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "a whole number", value_text(cx, v));
    return false;
  }
  if (d < -(double)n || d > (double)n || (d == (double)n && !end)) {
    diag_emit(&cx->s->diags, DIAG_bad_index, v->span, value_text(cx, v), (long long)n);
    return false;
  }
  *out = (int64_t)d + (d < 0 ? n : 0);
  return true;
}

// What x[...] takes of one axis: a part, which may be one element and leave no axis behind; or what an index
// names that is known when the program runs.
typedef struct Pick {
  int64_t start, stop;
  bool drop;
  Node *index;   // NULL: start..stop
  Dims dims;     // of the index
  const Dim *is; // without an index: what the part is
  bool where;    // the index picks by a condition: what is not there becomes 0
  Node *each;    // of an axis with a length for each row: the place in each of them; NULL: none
} Pick;

static Node *whole_number(Cx *cx, int64_t x) {
  return graph_const_typed(cx->g, (double)x, DT_I32, (Shape){0});
}

static Node *plus(Cx *cx, Node *x, int64_t k) {
  return graph_binary(cx->g, OP_ADD, x, graph_const_typed(cx->g, (double)k, x->dtype, x->shape));
}

// i..+k: k elements from i on.
static bool pick_length(Cx *cx, Env *env, const Ast *at, int64_t size, const Dim *of, Pick *p) {
  Value from = eval_expr(cx, env, at->kids[0]), length = eval_expr(cx, env, at->kids[1]->kids[0]);
  int64_t k;
  if (!known_int(cx, &length, "a number of elements", 0, size, &k)) return false;
  const bool counted = of && of->count;
  if (value_is_const(&from) && !counted) {
    if (!known_index(cx, &from, size, k == 0, &p->start)) return false;
    p->stop = p->start + k;
    p->is = k == size ? of : NULL;
    if (p->stop <= size) return true;
    diag_emit(&cx->s->diags, DIAG_bad_index, at->span, arena_printf(cx->a, "%lld", (long long)p->stop - 1),
              (long long)size);
    return false;
  }
  const Dim room = {.size = size - k + 1, .count = counted ? plus(cx, of->count, 1 - k) : NULL};
  Node *first = counted_value_index(cx, &from, size - k + 1, counted ? &room : NULL);
  if (!first) return false;
  if (first->shape.rank) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, at->kids[0]->span, "one index", value_text(cx, &from));
    return false;
  }
  const Shape s = shape_of(1, k);
  p->index = graph_binary(cx->g, OP_ADD, graph_iota(cx->g, 0, DT_I32, s), first);
  return true;
}

// low..high of an axis with a count, of which an end that counts from the end does so from the last element
// that is there.
static bool pick_counted_range(Cx *cx, const Ast *at, const double *end, int64_t size, const Dim *of,
                               Pick *p) {
  Graph *g = cx->g;
  const int64_t low = at->kids[0] ? (int64_t)end[0] : 0, high = at->kids[1] ? (int64_t)end[1] : size;
  Node *zero = graph_const_typed(g, 0, of->count->dtype, of->count->shape), *count;
  if (low < 0) { // the last -low elements
    p->start = 0, p->stop = size;
    if (at->kids[1] || of->each) {
      refuse_counted(cx, "a range from the end to another end", &of, shape_of(1, size),
                     of->each ? "`flip` puts the last ones of each row first" : "`x[-k..]` is the last k",
                     at->span);
      return false;
    }
    Node *first = graph_cast(g, graph_binary(g, OP_MAX, plus(cx, of->count, low), zero), DT_I32);
    Node *i = graph_binary(g, OP_ADD, graph_iota(g, 0, DT_I32, shape_of(1, -low)), first);
    p->index = graph_binary(g, OP_MIN, i, graph_broadcast_to(g, whole_number(cx, size - 1), i->shape));
    count = graph_binary(g, OP_MIN, of->count, graph_const_typed(g, (double)-low, DT_F64, (Shape){0}));
    const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, 2);
    dims[0] = counted_dim(cx, count, -low, at->span);
    p->dims = dims;
    return true;
  }
  p->start = low;
  p->stop = high < 0 ? size + high : high;
  if (p->start >= p->stop) return true;
  count = plus(cx, of->count, (high < 0 ? high : 0) - low);
  if (high >= 0 && high < size)
    count =
        graph_binary(g, OP_MIN, count, graph_const_typed(g, (double)(high - low), zero->dtype, zero->shape));
  count = graph_binary(g, OP_MAX, count, zero);
  p->is = low == 0 && high == size ? of : counted_like(cx, of, count, p->stop - p->start, at->span);
  return true;
}

static bool pick_range(Cx *cx, Env *env, const Ast *at, int64_t size, const Dim *of, Pick *p) {
  int64_t *const to[2] = {&p->start, &p->stop};
  double end[2] = {0};
  if (at->kids[1] && at->kids[1]->kind == AST_UNARY && at->kids[1]->op == OPR_ADD)
    return pick_length(cx, env, at, size, of, p);
  for (int k = 0; k < 2; k++) {
    if (!at->kids[k]) continue;
    Value v = eval_expr(cx, env, at->kids[k]);
    if (!known_index(cx, &v, size, true, to[k])) return false;
    end[k] = v.num;
  }
  p->is = p->start == 0 && p->stop == size ? of : NULL;
  if (of && of->count && !pick_counted_range(cx, at, end, size, of, p)) return false;
  if (p->stop < p->start) p->stop = p->start; // nothing
  return true;
}

// One element of an axis with a count: whether it is there is seen when the program runs.
static bool pick_counted(Cx *cx, const Value *v, int64_t size, const Dim *of, Pick *p) {
  int64_t i;
  if (!known_index(cx, v, size, false, &i)) return false;
  Node *n =
      v->num < 0 ? graph_cast(cx->g, plus(cx, of->count, (int64_t)v->num), DT_I32) : whole_number(cx, i);
  p->index = index_below(cx, n, NULL, size, of, run_place(cx, v->span));
  return true;
}

// The same where each row has a length.
static bool pick_each(Cx *cx, const Value *v, int64_t size, const Dim *of, Pick *p) {
  Graph *g = cx->g;
  int64_t i;
  if (!known_index(cx, v, size, false, &i)) return false;
  Node *count = graph_cast(g, of->count, DT_I32),
       *place = graph_const_typed(g, (double)i, DT_I32, count->shape);
  if (v->num < 0)
    place = plus(cx, count, (int64_t)v->num);
  else
    place = graph_select(g, graph_binary(g, OP_LT, place, count), place,
                         graph_const_typed(g, -1, DT_I32, count->shape));
  p->each = graph_index(g, place, size, NULL, run_place(cx, v->span));
  return true;
}

static bool pick_axis(Cx *cx, Env *env, const Ast *at, const Value *given, Node *x, int axis, const Dim *of,
                      Pick *p) {
  const int64_t size = x->shape.dim[axis];
  *p = (Pick){.stop = size, .is = of};
  if (at->kind == AST_RANGE) return pick_range(cx, env, at, size, of, p);
  const bool where = is_where(at);
  const Value v = given ? *given : eval_expr(cx, env, where ? at->kids[0] : at);
  if (where) {
    const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, 2);
    p->dims = dims, p->where = true, p->is = NULL;
    return v.kind != V_FAIL && pick_where(cx, &v, of, size, &p->index, &dims[0]);
  }
  if (v.kind == V_TENSOR || v.kind == V_FIELD || v.kind == V_LIST) {
    if (v.kind == V_TENSOR && v.node->dtype == DT_BOOL) return axis_by_index(cx, x, axis, of, &v, at->span);
    p->dims = value_dims(cx, &v);
    return (p->index = counted_value_index(cx, &v, size, of));
  }
  if (of && of->each) return pick_each(cx, &v, size, of, p);
  if (of && of->count) return pick_counted(cx, &v, size, of, p);
  p->drop = true;
  if (!known_index(cx, &v, size, false, &p->start)) return false;
  p->stop = p->start + 1;
  return true;
}

// An axis of size 1 that stands where `new` does.
static bool is_new(const Env *env, const Ast *at) {
  return at->kind == AST_NAME && !strcmp(at->name, "new") && !env_get(env, "new");
}

// Of each row the element at its place along an axis, which is gone then.
static bool take_each(Cx *cx, Node **x, Dims *dims, int axis, Node *place) {
  Graph *g = cx->g;
  Shape s = (*x)->shape;
  const int rank = s.rank, rows = each_axis(cx, dim_of(*dims, axis), s, *dims);
  if (rows < 0) return false;
  s.dim[axis] = 1;
  Node *last = axis_last(cx, graph_broadcast(g, place, s, &rows), axis);
  Node *one = axis_last(cx, graph_take_along(g, axis_last(cx, *x, axis), last), axis);
  for (int k = axis; k + 1 < rank; k++) s.dim[k] = s.dim[k + 1];
  s.rank--;
  *x = graph_reshape(g, one, s);
  *dims = dims_without(cx, *dims, rank, &axis, 1);
  return true;
}

// Parts first; then, from the last axis on, what has an index: so that the axes before keep their numbers.
static Value pick_out(Cx *cx, Node *x, const Pick *p, const bool *new, int n, Span at) {
  int64_t start[MAX_RANK], stop[MAX_RANK], step[MAX_RANK];
  Shape s = {0};
  int axes[MAX_RANK], wide = 0;
  const Dim **parts = ARENA_ARRAY(cx->a, const Dim *, 2 * MAX_RANK);
  for (int k = 0; k < x->shape.rank; k++) start[k] = p[k].start, stop[k] = p[k].stop, step[k] = 1;
  Node *out = graph_slice(cx->g, x, start, stop, step);
  for (int k = 0, axis = 0; k < n; k++) {
    if (new[k]) {
      parts[s.rank] = &dim_added, s.dim[s.rank++] = 1;
    } else {
      if (!p[axis].drop)
        axes[axis] = s.rank, parts[s.rank] = p[axis].is, s.dim[s.rank++] = out->shape.dim[axis];
      wide += p[axis].index ? p[axis].index->shape.rank - 1 : 0;
      axis++;
    }
    if (s.rank + (wide > 0 ? wide : 0) > MAX_RANK - 1 && !rank_fits(cx, s.rank + wide, at)) return v_fail();
  }
  out = graph_reshape(cx->g, out, s);
  Dims dims = parts;
  for (int axis = x->shape.rank - 1; axis >= 0; axis--) {
    if (p[axis].each && !take_each(cx, &out, &dims, axes[axis], p[axis].each)) return v_fail();
    if (!p[axis].index) continue;
    dims = index_dims(cx, dims, out->shape.rank, axes[axis], p[axis].dims, p[axis].index->shape.rank);
    out = gather_axis(cx, out, axes[axis], p[axis].index);
    bool on[MAX_RANK] = {0};
    on[axes[axis]] = true;
    if (p[axis].where) out = count_filled(cx, out, dims, on, 0);
  }
  Value v = v_tensor(out, at);
  v.dims = dims;
  return v;
}

// Rows of a field are picked from its numbers and from its classes alike.
static Value field_picked(Cx *cx, const Value *field, const Value *by, bool where, Span at) {
  Value v = *field;
  const Dims given = value_dims(cx, field);
  const int64_t rows = v.rows ? v.rows->shape.dim[0] : field_rows(cx, field);
  const Dim **dims = dims_copy(cx, given, MAX_RANK);
  Node *index = NULL;
  if (where && !pick_where(cx, by, dim_of(given, 0), rows, &index, &dims[0])) return v_fail();
  if (!where && !(index = counted_value_index(cx, by, rows, dim_of(given, 0)))) return v_fail();
  if (!where) dims[0] = dim_of(value_dims(cx, by), 0);
  v.rows = v.rows ? graph_gather(cx->g, v.rows, index) : index;
  v.dims = dims, v.span = at;
  return v;
}

Value rows_where(Cx *cx, const Value *x, const Value *by, Span at) {
  if (x->kind == V_FIELD) return field_picked(cx, x, by, true, at);
  Node *n = counted_node(cx, x);
  if (!n) return v_fail();
  const Dims dims = value_dims(cx, x);
  const Dim **rows = ARENA_ARRAY(cx->a, const Dim *, 2);
  Pick picks[MAX_RANK];
  for (int k = 0; k < n->shape.rank; k++) picks[k] = (Pick){.stop = n->shape.dim[k], .is = dim_of(dims, k)};
  picks[0].dims = rows, picks[0].where = true, picks[0].is = NULL;
  if (!pick_where(cx, by, dim_of(dims, 0), n->shape.dim[0], &picks[0].index, &rows[0])) return v_fail();
  const bool new[MAX_RANK] = {0};
  return pick_out(cx, n, picks, new, n->shape.rank, at);
}

// `g[i]` of `model g[7] = new net`
static Value one_model(Cx *cx, const Value *models, const Value *index, Span at) {
  int64_t i;
  if (!value_is_const(index)) {
    diag_emit(&cx->s->diags, DIAG_not_constant, index->span, "which of the models is meant");
    return v_fail();
  }
  if (!known_index(cx, index, models->model->nitems, false, &i)) return v_fail();
  return (Value){.kind = V_MODEL, .model = models->model->items[i], .span = at};
}

static bool is_row_list(Cx *cx, const Value *v) {
  if (v->kind != V_TENSOR && v->kind != V_LIST) return false;
  const Node *n = counted_wide(cx, v);
  return n && n->shape.rank == 1 && n->dtype != DT_BOOL;
}

// What elements are picked from: of a text its classes. Classes of a tensor stay classes.
static Node *named_elements(Cx *cx, const Value *v, int64_t *classes) {
  *classes = v->classes;
  const bool text = is_text_field(cx, v);
  return text ? value_classes(cx, v, classes) : counted_node(cx, v);
}

Value eval_index(Cx *cx, Env *env, const Ast *e) {
  const Ast *of = e->kids[0];
  const bool own = of->kind == AST_NAME && env_get(env, of->name);
  if (!own && data_several(cx, of)) return eval_data(cx, env, e);
  Value base = eval_expr(cx, env, of), only = {.kind = V_NONE};
  int given = e->nkids - 1, made = 0, ellipsis = 0;
  const AstKind kind = e->kids[1]->kind;
  if (base.kind == V_FAIL) return base;
  if (base.kind == V_DATA) return eval_data(cx, env, e);
  if (base.kind == V_TREE && e->kids[0]->kind == AST_FIELD) return model_field(cx, env, e); // `net.block[0]`
  if (given == 1 && kind != AST_RANGE && kind != AST_ELLIPSIS && !is_new(env, e->kids[1])) {
    const bool where = is_where(e->kids[1]);
    only = eval_expr(cx, env, where ? e->kids[1]->kids[0] : e->kids[1]);
    int64_t at;
    if (only.kind == V_FAIL) return only;
    if (base.kind == V_FIELD && (where || is_row_list(cx, &only)))
      return field_picked(cx, &base, &only, where, e->span);
    if (base.kind == V_MODEL && base.model->nitems) return one_model(cx, &base, &only, e->span);
    if (base.kind == V_LIST && value_is_const(&only) && !where)
      return known_index(cx, &only, base.nitems, false, &at) ? base.items[at] : v_fail();
  }
  int64_t classes;
  Node *x = named_elements(cx, &base, &classes);
  if (!x) return v_fail();
  const Dims dims = value_dims(cx, &base);
  const int rank = x->shape.rank;
  for (int i = 1; i < e->nkids; i++) {
    if (e->kids[i]->kind == AST_ELLIPSIS && !ellipsis) ellipsis = i;
    made += is_new(env, e->kids[i]);
  }
  const int named = given - made - (ellipsis > 0);
  if (named > rank) {
    diag_emit(&cx->s->diags, DIAG_bad_axis, e->span, named - 1, shape_text(cx->a, x->shape));
    return v_fail();
  }
  if (!rank_fits(cx, rank + made, e->span)) return v_fail();
  Pick picks[MAX_RANK];
  bool new[2 * MAX_RANK] = {0};
  int axis = 0, n = 0;
  for (int i = 1; i < e->nkids; i++) {
    if (i == ellipsis) {
      for (int k = named; k < rank; k++)
        picks[axis] = (Pick){.stop = x->shape.dim[axis], .is = dim_of(dims, axis)}, axis++, n++;
      continue;
    }
    if (is_new(env, e->kids[i])) {
      new[n++] = true;
      continue;
    }
    if (e->kids[i]->kind == AST_ELLIPSIS) // a second one: one whole axis
      picks[axis] = (Pick){.stop = x->shape.dim[axis], .is = dim_of(dims, axis)};
    else if (!pick_axis(cx, env, e->kids[i], given == 1 ? &only : NULL, x, axis, dim_of(dims, axis),
                        &picks[axis]))
      return v_fail();
    axis++, n++;
  }
  for (; axis < rank; axis++, n++) picks[axis] = (Pick){.stop = x->shape.dim[axis], .is = dim_of(dims, axis)};
  Value v = pick_out(cx, x, picks, new, n, e->span);
  v.classes = classes;
  v.words = base.words;
  return v;
}
