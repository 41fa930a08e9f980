// Dimensions: which axes are one, and how many elements of an axis are there. In: values. Out: what may meet,
// masks. Holds: a name in a declared shape is a dimension of its own inside its call, and stands for one
// outside; what is compared is what axes are, and sizes only where that is not known. An axis with a count
// has its elements in front; the rest is room, and what lies there reaches no result: operations that put
// elements together fill it with what leaves them unchanged (counts.def), all others pass it on.
#include "value.h"
#include <string.h>

const Dim dim_added = {.size = 1, .added = true};

const Dim *dim_of(Dims dims, int axis) { return dims ? dims[axis] : NULL; }

// -- one dimension, or two

Relation dim_relation(const Dim *a, const Dim *b) {
  if (!a || !b) return DIM_UNKNOWN;
  bool known = true; // where both lead to
  for (const Dim *p = a; p; p = p->of) {
    for (const Dim *q = b; q; q = q->of) {
      if (p == q) return DIM_SAME;
      if (p->scope && p->scope == q->scope) return DIM_OTHER;
      known = known && !q->added && (q->of || !q->scope);
    }
    known = known && !p->added && (p->of || !p->scope);
  }
  return known ? DIM_OTHER : DIM_UNKNOWN;
}

bool dims_agree(const Dim *a, const Dim *b) {
  const bool counted = (a && a->count) || (b && b->count);
  return counted ? dim_relation(a, b) == DIM_SAME : dim_relation(a, b) != DIM_OTHER;
}

bool dims_meet(const Dim *a, int64_t na, const Dim *b, int64_t nb) {
  const bool whole_a = !(a && a->count) && na == 1, whole_b = !(b && b->count) && nb == 1;
  return whole_a || whole_b ? dim_relation(a, b) != DIM_OTHER : dims_agree(a, b);
}

static const char *dim_text(Cx *cx, const Dim *d) {
  if (!d) return "a size";
  if (d->each && !d->scope) return arena_printf(cx->a, "lengths of up to %lld", (long long)d->size);
  if (d->name && !d->scope) return arena_printf(cx->a, "the rows of `%s`", d->name);
  if (d->name) return arena_printf(cx->a, "`%s` of `%s`", d->name, d->scope->def);
  return arena_printf(cx->a, "a count of up to %lld", (long long)d->size);
}

void report_dims(Cx *cx, const char *text, const Dim *a, const Dim *b, Span at) {
  const bool counts = (a && a->count) || (b && b->count);
  Diag *d =
      counts ? diag_emit(&cx->s->diags, DIAG_count_mismatch, at, text, dim_text(cx, a), dim_text(cx, b))
             : diag_emit(&cx->s->diags, DIAG_dimension_mismatch, at, text, dim_text(cx, a), dim_text(cx, b));
  const Dim *both[] = {a, b};
  for (int i = 0; i < 2; i++)
    if (both[i] && both[i]->at.source) diag_note(d, both[i]->at, "%s comes from here", dim_text(cx, both[i]));
  if (counts)
    diag_hint(d, "lengths that are known only when the program runs belong together where they come from one "
                 "`where`: name the condition, and pick from both sides with it");
  else
    diag_hint(d,
              "one name in the declarations makes one dimension of both; a column against a row, [n, 1] and "
              "[m], makes a table");
  if (cx->at.source) diag_note(d, cx->at, "in this call");
}

// -- of values

// Those of a table are one dimension wherever they are seen, those of a batch in its graph.
static const Dim *rows_in(Cx *cx, Map *known, const char *of, int64_t rows) {
  Dim *d = map_get(known, of);
  if (d) return d;
  d = ARENA_NEW(cx->a, Dim);
  *d = (Dim){.name = of, .size = rows};
  map_put(known, of, d);
  return d;
}

const Dim *rows_dim(Cx *cx, const char *of, int64_t rows) { return rows_in(cx, &cx->l->rows, of, rows); }

const Dim *own_rows(Cx *cx) {
  return cx->rows_of ? rows_dim(cx, cx->rows_of, cx->batch) : rows_in(cx, &cx->rows, "the batch", cx->batch);
}

static Dims field_dims(Cx *cx, const Value *v) {
  if (v->dims) return v->dims;
  const char *of = v->data ? data_label(cx, v->data) : NULL;
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, MAX_RANK);
  dims[0] = of ? rows_dim(cx, of, field_rows(cx, v)) : own_rows(cx);
  return dims;
}

Dims value_dims(Cx *cx, const Value *v) {
  return v->kind == V_FIELD ? field_dims(cx, v) : v->kind == V_TENSOR ? v->dims : NULL;
}

const Dim **dims_copy(Cx *cx, Dims dims, int rank) {
  const Dim **out = ARENA_ARRAY(cx->a, const Dim *, rank + 1);
  for (int i = 0; i < rank; i++) out[i] = dim_of(dims, i);
  return out;
}

Dims dims_without(Cx *cx, Dims dims, int rank, const int *axes, int n) {
  if (!dims) return NULL;
  const Dim **out = ARENA_ARRAY(cx->a, const Dim *, rank + 1);
  for (int i = 0, k = 0, at = 0; i < rank; i++) {
    if (k < n && axes[k] == i)
      k++;
    else
      out[at++] = dims[i];
  }
  return out;
}

bool dims_counted(Dims dims, int rank) {
  for (int i = 0; i < rank; i++)
    if (dim_of(dims, i) && dims[i]->count) return true;
  return false;
}

bool is_counted(Cx *cx, const Value *v) {
  if (v->kind == V_TENSOR) return dims_counted(v->dims, v->node->shape.rank);
  return v->kind == V_FIELD && dims_counted(v->dims, 1 + field_data(cx, v)->fields[v->field].rank);
}

const Dim *counted_dim(Cx *cx, Node *count, int64_t size, Span at) {
  for (int i = 0; i < cx->counted.len; i++)
    if (cx->counted.data[i]->count == count && cx->counted.data[i]->size == size) return cx->counted.data[i];
  Dim *d = ARENA_NEW(cx->a, Dim);
  *d = (Dim){.size = size, .count = count, .at = at};
  vec_push(cx->a, cx->counted, d);
  return d;
}

Value size_value(const Dim *d, int64_t size, Span at) {
  Value v = d && d->count ? v_tensor(d->count, at) : v_num((double)size, at);
  v.size = d;
  if (d && d->each) v.dims = &d->each;
  return v;
}

static const Dim *seen_outside(const Env *scope, const Dim *d) { return d && d->scope == scope ? d->of : d; }

Value outward(Cx *cx, const Env *scope, Value v) {
  v.size = seen_outside(scope, v.size);
  if (v.kind == V_TENSOR && v.dims) {
    const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, v.node->shape.rank + 1);
    for (int i = 0; i < v.node->shape.rank; i++) dims[i] = seen_outside(scope, v.dims[i]);
    v.dims = dims;
  }
  if (v.kind == V_TUPLE || v.kind == V_LIST) {
    Value *items = ARENA_ARRAY(cx->a, Value, v.nitems + 1);
    for (int i = 0; i < v.nitems; i++) items[i] = outward(cx, scope, v.items[i]);
    v.items = items;
  }
  return v;
}

// -- what is there

Node *count_index(Cx *cx, const Dim *d) {
  if (!d->each) return graph_cast(cx->g, d->count, DT_I32);
  Diag *diag = diag_emit(&cx->s->diags, DIAG_counted, cx->g->origin, "what takes one length",
                         arena_printf(cx->a, "lengths of up to %lld", (long long)d->size));
  diag_hint(diag, "each row has one of its own: what goes along them takes all rows at once, as sums, loops "
                  "and `x[-1]` do");
  if (cx->at.source) diag_note(diag, cx->at, "in this call");
  return graph_const_typed(cx->g, 0, DT_I32, (Shape){0});
}

// Places of the axis k below the counts of the axis `rows`, in the shape s.
static Node *ragged_mask(Cx *cx, Shape s, const Dim *d, int k, int rows) {
  Graph *g = cx->g;
  const bool after = rows > k;
  const Shape both = after ? shape_of(2, s.dim[k], s.dim[rows]) : shape_of(2, s.dim[rows], s.dim[k]);
  const int row_axis = after, place_axis = !after, axes[] = {after ? k : rows, after ? rows : k};
  Node *place = graph_iota(g, place_axis, DT_I32, both),
       *count = graph_broadcast(g, graph_cast(g, d->count, DT_I32), both, &row_axis);
  return graph_broadcast(g, graph_binary(g, OP_LT, place, count), s, axes);
}

static Node *axis_mask(Cx *cx, Shape s, Dims dims, int k) {
  const Dim *d = dims[k];
  if (d->each) {
    const int rows = each_axis(cx, d, s, dims);
    return rows < 0 ? NULL : ragged_mask(cx, s, d, k, rows);
  }
  Node *there =
      graph_binary(cx->g, OP_LT, graph_iota(cx->g, 0, DT_I32, shape_of(1, s.dim[k])), count_index(cx, d));
  return graph_broadcast(cx->g, there, s, &k);
}

Node *count_mask(Cx *cx, Shape s, Dims dims, const bool *on) {
  Node *mask = NULL;
  for (int i = 0; i < s.rank; i++) {
    const Dim *d = dim_of(dims, i);
    if (!d || !d->count || (on && !on[i])) continue;
    Node *there = axis_mask(cx, s, dims, i);
    mask = mask && there ? graph_binary(cx->g, OP_AND, mask, there) : mask ? mask : there;
  }
  return mask;
}

Node *count_filled(Cx *cx, Node *x, Dims dims, const bool *on, double other) {
  Node *mask = count_mask(cx, x->shape, dims, on);
  return mask ? graph_select(cx->g, mask, x, graph_const_typed(cx->g, other, x->dtype, x->shape)) : x;
}

void output_counts(Cx *cx, const char *name, const Value *v, const Node *n) {
  for (int i = 0; i < n->shape.rank; i++) {
    const Dim *d = dim_of(value_dims(cx, v), i);
    if (d && d->count && !d->each)
      graph_output(cx->g, arena_printf(cx->a, "count:%d:%s", i, name), d->count, -1);
  }
}

const char *dims_text(Cx *cx, Shape s, Dims dims) {
  StrBuf b = {.arena = cx->a};
  strbuf_add(&b, "[");
  for (int i = 0; i < s.rank; i++)
    strbuf_addf(&b, "%s%s%lld", i ? ", " : "", dim_of(dims, i) && dims[i]->count ? "<=" : "",
                (long long)s.dim[i]);
  strbuf_add(&b, "]");
  return b.data;
}

void refuse_counted(Cx *cx, const char *what, Dims dims, Shape s, const char *hint, Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_counted, at, what, dims_text(cx, s, dims));
  for (int i = 0; i < s.rank; i++)
    if (dim_of(dims, i) && dims[i]->count && dims[i]->at.source) {
      const Dim *root = dims[i];
      while (root->of) root = root->of;
      diag_note(d, root->at, "its axis %d is picked here", i);
      break;
    }
  diag_hint(d, "%s", hint);
  if (cx->at.source && cx->at.start != at.start) diag_note(d, cx->at, "in this call");
}

// -- rows of data, and their numbers

// How many rows of data stand elsewhere than their `id` says, and a number above all ids; 0 where `of` is no
// rows of data.
static int64_t moved_rows(const Lowered *l, const Dim *of, int64_t *room) {
  int64_t moved = 0;
  for (int k = 0; k < l->datasets.len; k++) {
    const reg_dataset *d = l->datasets.data[k];
    const char *name = l->dataset_names.data[k];
    const int id = reg_data_field(d, "id");
    const size_t n = strlen(name);
    if (id < 0 || !d->fields[id].values || strncmp(of->name, name, n) != 0) continue;
    const reg_part *part = of->name[n] == '.' ? reg_data_part(d, of->name + n + 1) : NULL;
    if (of->name[n] && !part) continue;
    const int32_t *ids = d->fields[id].values;
    moved = *room = 0; // of several of one name the last one is meant
    for (int64_t i = 0; i < d->nrows; i++) *room = ids[i] >= *room ? ids[i] + 1 : *room;
    for (int64_t i = 0; i < (part ? part->nrows : d->nrows); i++) moved += ids[part ? part->rows[i] : i] != i;
  }
  return moved;
}

bool ids_are_places(Cx *cx, const Value *v, const Dim *of) {
  int64_t room = 0;
  if (v->kind != V_FIELD || v->data || !of || !of->name || map_get(&cx->l->rows, of->name) != of) return true;
  if (strcmp(field_data(cx, v)->fields[v->field].name, "id") != 0) return true;
  const int64_t moved = moved_rows(cx->l, of, &room);
  if (!moved) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_id_no_place, v->span, of->name, (long long)moved);
  diag_hint(d, "put a value for each row at its id: `put(zeros([%lld]), %s.id, values, axis: 0)[id]`",
            (long long)room, of->name);
  return false;
}
