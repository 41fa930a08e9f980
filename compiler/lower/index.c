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
    if (elements > MOST_KNOWN || x->op == OP_MATMUL || x->op == OP_HOLE || x->body) return false;
    if (x->op == OP_INPUT) {
      presets[i] = ARENA_NEW(scratch, double);
      *presets[i] = live_default(cx, x->name);
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
  Node *n = row_number ? value_wide(cx, v) : value_classes(cx, v, classes);
  return n && classes_fit(cx, v, row_number ? set->nrows : *classes, size) ? n : NULL;
}

static Node *index_node(Cx *cx, const Value *v, int64_t size, int64_t *classes) {
  struct Leaves *leaves = cx->leaves; // a literal index is no leaf of a check
  cx->leaves = NULL;
  *classes = v->classes;
  Node *n = v->kind == V_FIELD ? field_index(cx, v, size, classes) : value_wide(cx, v);
  cx->leaves = leaves;
  if (!n) return NULL;
  if (n->dtype == DT_BOOL) n = graph_cast(cx->g, n, DT_I32);
  return n->op == OP_CAST && n->in[0]->dtype == DT_I32 ? n->in[0] : n;
}

Node *value_index(Cx *cx, const Value *v, int64_t size) {
  int64_t classes;
  Node *n = index_node(cx, v, size, &classes);
  if (!n) return NULL;
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
  return !good || constant ? constant : graph_index(cx->g, n, size, run_place(cx, v->span));
}

// Along an axis the elements that an index names, whose axes stand in its place.
Node *axis_by_index(Cx *cx, Node *x, int axis, const Value *index, Span at) {
  if (index->kind == V_TENSOR && index->node->dtype == DT_BOOL) { // would look like a choice of rows
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, index->span, "whole numbers", "truth values");
    diag_hint(d, "`if ... then 1 else 0` makes numbers of them");
    return NULL;
  }
  Node *i = value_index(cx, index, x->shape.dim[axis]);
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

Value rows_by_index(Cx *cx, Node *x, const Value *index, Span at) {
  Node *rows = axis_by_index(cx, x, 0, index, at);
  return rows ? v_tensor(rows, at) : v_fail();
}

// -- x[...]

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
  Node *index; // NULL: start..stop
} Pick;

// i..+k: k elements from i on.
static bool pick_length(Cx *cx, Env *env, const Ast *at, int64_t size, Pick *p) {
  Value from = eval_expr(cx, env, at->kids[0]), length = eval_expr(cx, env, at->kids[1]->kids[0]);
  int64_t k;
  if (!known_int(cx, &length, "a number of elements", 1, size, &k)) return false;
  if (value_is_const(&from)) {
    if (!known_index(cx, &from, size, false, &p->start)) return false;
    p->stop = p->start + k;
    if (p->stop <= size) return true;
    diag_emit(&cx->s->diags, DIAG_bad_index, at->span, arena_printf(cx->a, "%lld", (long long)p->stop - 1),
              (long long)size);
    return false;
  }
  Node *first = value_index(cx, &from, size - k + 1);
  if (!first) return false;
  if (first->shape.rank) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, at->kids[0]->span, "one index", value_text(cx, &from));
    return false;
  }
  const Shape s = shape_of(1, k);
  p->index = graph_binary(cx->g, OP_ADD, graph_iota(cx->g, 0, DT_I32, s), first);
  return true;
}

static bool pick_range(Cx *cx, Env *env, const Ast *at, int64_t size, Pick *p) {
  int64_t *const to[2] = {&p->start, &p->stop};
  if (at->kids[1] && at->kids[1]->kind == AST_UNARY && at->kids[1]->op == OPR_ADD)
    return pick_length(cx, env, at, size, p);
  for (int k = 0; k < 2; k++) {
    if (!at->kids[k]) continue;
    Value v = eval_expr(cx, env, at->kids[k]);
    if (!known_index(cx, &v, size, true, to[k])) return false;
  }
  if (p->start < p->stop) return true;
  diag_emit(&cx->s->diags, DIAG_empty_range, at->span, ast_text(cx->a, at), (long long)size);
  return false;
}

static bool pick_axis(Cx *cx, Env *env, const Ast *at, const Value *given, Node *x, int axis, Pick *p) {
  const int64_t size = x->shape.dim[axis];
  *p = (Pick){0, size, false, NULL};
  if (at->kind == AST_RANGE) return pick_range(cx, env, at, size, p);
  const Value v = given ? *given : eval_expr(cx, env, at);
  if (v.kind == V_TENSOR || v.kind == V_FIELD || v.kind == V_LIST) {
    if (v.kind == V_TENSOR && v.node->dtype == DT_BOOL) return axis_by_index(cx, x, axis, &v, at->span);
    return (p->index = value_index(cx, &v, size));
  }
  p->drop = true;
  if (!known_index(cx, &v, size, false, &p->start)) return false;
  p->stop = p->start + 1;
  return true;
}

// An axis of size 1 that stands where `new` does.
static bool is_new(const Env *env, const Ast *at) {
  return at->kind == AST_NAME && !strcmp(at->name, "new") && !env_get(env, "new");
}

// Parts first; then, from the last axis on, what has an index: so that the axes before keep their numbers.
static Value pick_out(Cx *cx, Node *x, const Pick *p, const bool *new, int n, Span at) {
  int64_t start[MAX_RANK], stop[MAX_RANK], step[MAX_RANK];
  Shape s = {0};
  int axes[MAX_RANK], wide = 0;
  for (int k = 0; k < x->shape.rank; k++) start[k] = p[k].start, stop[k] = p[k].stop, step[k] = 1;
  Node *out = graph_slice(cx->g, x, start, stop, step);
  for (int k = 0, axis = 0; k < n; k++) {
    if (new[k])
      s.dim[s.rank++] = 1;
    else {
      if (!p[axis].drop) axes[axis] = s.rank, s.dim[s.rank++] = out->shape.dim[axis];
      wide += p[axis].index ? p[axis].index->shape.rank - 1 : 0;
      axis++;
    }
    if (s.rank + (wide > 0 ? wide : 0) > MAX_RANK - 1 && !rank_fits(cx, s.rank + wide, at)) return v_fail();
  }
  out = graph_reshape(cx->g, out, s);
  for (int axis = x->shape.rank - 1; axis >= 0; axis--)
    if (p[axis].index) out = gather_axis(cx, out, axes[axis], p[axis].index);
  return v_tensor(out, at);
}

Value eval_index(Cx *cx, Env *env, const Ast *e) {
  Value base = eval_expr(cx, env, e->kids[0]), only = {.kind = V_NONE};
  int given = e->nkids - 1, made = 0, ellipsis = 0;
  const AstKind kind = e->kids[1]->kind;
  if (base.kind == V_FAIL) return base;
  if (given == 1 && kind != AST_RANGE && kind != AST_ELLIPSIS && !is_new(env, e->kids[1])) {
    only = eval_expr(cx, env, e->kids[1]);
    int64_t at;
    if (only.kind == V_FAIL) return only;
    if (base.kind == V_LIST && value_is_const(&only))
      return known_index(cx, &only, base.nitems, false, &at) ? base.items[at] : v_fail();
  }
  Node *x = value_node(cx, &base);
  if (!x) return v_fail();
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
        picks[axis] = (Pick){0, x->shape.dim[axis], false, NULL}, axis++, n++;
      continue;
    }
    if (is_new(env, e->kids[i])) {
      new[n++] = true;
      continue;
    }
    if (e->kids[i]->kind == AST_ELLIPSIS) // a second one: one whole axis
      picks[axis] = (Pick){0, x->shape.dim[axis], false, NULL};
    else if (!pick_axis(cx, env, e->kids[i], given == 1 ? &only : NULL, x, axis, &picks[axis]))
      return v_fail();
    axis++, n++;
  }
  for (; axis < rank; axis++, n++) picks[axis] = (Pick){0, x->shape.dim[axis], false, NULL};
  return pick_out(cx, x, picks, new, n, e->span);
}
