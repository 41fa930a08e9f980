// Rows of different lengths: an axis with a count for each element of another one, its rows. In: lengths.
// Out: axes with them, masks. Holds: what lies behind a row's length reaches no result, as with one count for
// all (dims.c); rows that are picked, or gone through one by one, have lost their lengths, and are refused
// where these are asked for.
#include "builtins.h"

// What lengths are made of, whatever checks them.
static const Node *origin_of(const Node *n) {
  while (n->op == OP_CAST || n->op == OP_INDEX || n->op == OP_POINT) n = n->in[0];
  return n;
}

// The dimension that these lengths have made already; NULL: none.
static const Dim *same_lengths(Cx *cx, const Node *lengths, int64_t size) {
  for (int i = 0; i < cx->counted.len; i++) {
    const Dim *d = cx->counted.data[i];
    if (d->each && d->size == size && origin_of(d->count) == origin_of(lengths)) return d;
  }
  return NULL;
}

const Dim *ragged_dim(Cx *cx, Node *lengths, const Dim *each, int64_t size, Span at) {
  const Dim *known = same_lengths(cx, lengths, size);
  if (known) return known;
  Dim *d = ARENA_NEW(cx->a, Dim);
  *d = (Dim){.size = size, .count = graph_cast(cx->g, lengths, DT_F32), .each = each, .at = at};
  vec_push(cx->a, cx->counted, d);
  return d;
}

const Dim *counted_like(Cx *cx, const Dim *of, Node *count, int64_t size, Span at) {
  Dim *d = (Dim *)counted_dim(cx, count, size, at);
  d->each = of->each;
  return d;
}

bool is_ragged(Dims dims, int rank) {
  for (int i = 0; i < rank; i++)
    if (dim_of(dims, i) && dims[i]->each) return true;
  return false;
}

int each_axis(Cx *cx, const Dim *d, Shape s, Dims dims) {
  for (int i = 0; i < s.rank; i++)
    if (dim_relation(dim_of(dims, i), d->each) == DIM_SAME) return i;
  const Dim *root = d;
  while (root->of) root = root->of;
  Diag *diag = diag_emit(&cx->s->diags, DIAG_counted, cx->g->origin, "what takes lengths together",
                         dims_text(cx, s, dims));
  if (root->at.source) diag_note(diag, root->at, "its lengths are those of rows, from here");
  diag_hint(
      diag,
      "rows are picked, put together or gone through before they have lengths: `ragged(x[k], length[k])`");
  if (cx->at.source) diag_note(diag, cx->at, "in this call");
  return -1;
}

Node *each_there(Cx *cx, const Dim *d, Node *place, Shape s, int axis) {
  Node *count = graph_cast(cx->g, d->count, DT_I32);
  Node *there = graph_binary(cx->g, OP_LT, graph_broadcast_to(cx->g, place, count->shape), count);
  return graph_broadcast(cx->g, there, s, &axis);
}

bool ragged_field(Cx *cx, Value *v) {
  if (v->kind != V_FIELD || is_counted(cx, v)) return false;
  const reg_dataset *set = field_data(cx, v);
  for (int i = 0; i < set->ntexts; i++) {
    const reg_tokenizer *k = &set->texts[i];
    if (k->length < 0 || (k->field != v->field && k->next != v->field)) continue;
    Value length = *v;
    length.field = k->length;
    const Dim **dims = dims_copy(cx, value_dims(cx, v), 2);
    Node *n = counted_wide(cx, &length);
    dims[1] = n ? ragged_dim(cx, n, dims[0], k->places, v->span) : NULL;
    v->dims = dims;
    return n != NULL;
  }
  return false;
}

// Lengths that are given, each one from 0 to the size.
static Node *checked_lengths(Cx *cx, Node *n, int64_t size, Span at) {
  const char *place =
      arena_printf(cx->a, "%s: lengths are 0 to %lld here", run_place(cx, at), (long long)size);
  return graph_index(cx->g, n->dtype == DT_I32 ? n : graph_cast(cx->g, n, DT_F32), size + 1, NULL, place);
}

// All of each row is there again.
static Value whole_rows(Cx *cx, const Args *a, const Node *x, int axis) {
  int64_t n;
  if (!known_int(cx, a->v[1], "the size of the axis", x->shape.dim[axis], x->shape.dim[axis], &n))
    return v_fail();
  Value v = *a->v[0];
  const Dim **dims = dims_copy(cx, value_dims(cx, a->v[0]), x->shape.rank);
  dims[axis] = NULL;
  v.dims = dims;
  return v;
}

static const Dim *root_of(const Dim *d) {
  while (d && d->of) d = d->of;
  return d;
}

// The rows that have lengths, which are `known` where these were met before: a dimension that stands also
// outside of the call that names it.
static const Dim *rows_of(Cx *cx, const Dim *d, const Dim *known, int64_t size, Span at) {
  const Dim *root = root_of(d);
  const bool stands = root && (!root->scope || !root->name);
  if (stands && (!known || dim_relation(root, known) != DIM_UNKNOWN)) return d;
  if (!known) {
    Dim *made = ARENA_NEW(cx->a, Dim);
    *made = (Dim){.size = size, .scope = ARENA_NEW(cx->a, Env), .at = at}; // of which nothing is known
    known = made;
  }
  if (stands || !root) return known;
  if (root != known) ((Dim *)root)->of = known;
  return d;
}

Value call_ragged(Cx *cx, const Args *a) {
  int64_t classes;
  const bool text = is_text_field(cx, a->v[0]);
  Node *x = text ? value_classes(cx, a->v[0], &classes) : counted_node(cx, a->v[0]),
       *length = counted_wide(cx, a->v[1]);
  int axis = 1;
  if (!x || !length || (a->v[2] && !one_axis(cx, a->v[2], x->shape, &axis))) return v_fail();
  if (a->v[1]->kind == V_NUM && axis < x->shape.rank) return whole_rows(cx, a, x, axis);
  const Dims given = value_dims(cx, a->v[0]), of = value_dims(cx, a->v[1]);
  const Dim *now = axis < x->shape.rank ? dim_of(given, axis) : NULL;
  if (now && now->count && origin_of(now->count) == origin_of(length)) return *a->v[0]; // as it is
  const Shape rows = shape_of(1, x->shape.rank ? x->shape.dim[0] : 0);
  if (x->shape.rank <= axis || axis == 0 || !shape_equal(length->shape, rows)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`ragged`", shape_text(cx->a, x->shape),
              shape_text(cx->a, length->shape));
    return v_fail();
  }
  for (int k = 0; k < 2; k++) {
    if (!is_counted(cx, a->v[k])) continue;
    refuse_counted(cx, "`ragged`", k ? of : given, k ? length->shape : x->shape,
                   "rows have one length along an axis, and rows that `where` picks none of their own",
                   a->at);
    return v_fail();
  }
  const Dim **dims = dims_copy(cx, given, x->shape.rank), *d = same_lengths(cx, length, x->shape.dim[axis]);
  if (dim_relation(dim_of(of, 0), dims[0]) == DIM_OTHER) {
    report_dims(cx, "`ragged`", dims[0], dim_of(of, 0), a->at);
    return v_fail();
  }
  dims[0] = rows_of(cx, dims[0] ? dims[0] : dim_of(of, 0), d ? d->each : NULL, rows.dim[0], a->at);
  const bool known = a->v[1]->kind == V_FIELD; // of data, which are what they say
  dims[axis] = d ? d
                 : ragged_dim(cx, known ? length : checked_lengths(cx, length, x->shape.dim[axis], a->at),
                              root_of(dims[0]), x->shape.dim[axis], a->at);
  Value v = *a->v[0];
  if (v.kind != V_FIELD) v = v_tensor(x, a->at), v.classes = a->v[0]->classes, v.words = a->v[0]->words;
  v.dims = dims;
  return v;
}
