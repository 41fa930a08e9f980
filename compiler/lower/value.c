// Values of elaboration: making them, describing them in messages, turning them into tensors, numbers, times
// and shapes.
#include "model.h"
#include <float.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

Value v_fail(void) { return (Value){.kind = V_FAIL}; }
Value v_num(double x, Span at) { return (Value){.kind = V_NUM, .num = x, .span = at}; }
Value v_bool(bool b, Span at) { return (Value){.kind = V_BOOL, .num = b, .span = at}; }
Value v_tensor(Node *n, Span at) { return n ? (Value){.kind = V_TENSOR, .node = n, .span = at} : v_fail(); }
Value v_tree(Tree *t, Span at) { return t ? (Value){.kind = V_TREE, .tree = t, .span = at} : v_fail(); }

const char *value_text(Cx *cx, const Value *v) {
  static const char *const units[] = {"", "%", " epochs", " steps"};
  switch (v->kind) {
  case V_FAIL: return "a mistake";
  case V_NONE: return "nothing";
  case V_NUM: return arena_printf(cx->a, "%.10g%s", v->num, units[v->unit]);
  case V_BOOL: return v->num != 0 ? "true" : "false";
  case V_TEXT: return arena_printf(cx->a, "the text \"%s\"", v->text);
  case V_RANGE: return v->num == 0 ? "a range" : "an arrow from -> to";
  case V_LIST: return arena_printf(cx->a, "a list of %d", v->nitems);
  case V_TUPLE: return arena_printf(cx->a, "%d values", v->nitems);
  case V_LOCAL: return "a function";
  case V_TENSOR:
    return arena_printf(
        cx->a, v->node->dtype == DT_BOOL ? "a tensor of truth values of shape %s" : "a tensor of shape %s",
        dims_text(cx, v->node->shape, v->dims));
  case V_FIELD: return arena_printf(cx->a, "the field `%s`", field_data(cx, v)->fields[v->field].name);
  case V_TREE: return arena_printf(cx->a, "a tree of %d tensor%s", v->tree->n, v->tree->n == 1 ? "" : "s");
  case V_FN: return arena_printf(cx->a, "the %s `%s`", def_kind_name(v->fn->def->kind), v->fn->def->name);
  case V_BUILTIN: return arena_printf(cx->a, "the function `%s`", builtin_info[v->builtin].name);
  case V_MODEL: return model_text(cx, v->model);
  case V_DATA: return "data";
  case V_STATES: return arena_printf(cx->a, "the states of `%s`", v->text);
  }
  return "?";
}

bool value_is_const(const Value *v) { return v->kind == V_NUM || v->kind == V_BOOL; }

double plain_number(const Value *v) { return v->unit == UNIT_PERCENT ? v->num / 100 : v->num; }

// What a known number is in a tensor.
static double tensor_number(Cx *cx, const Value *v) {
  double x = plain_number(v);
  if (isfinite(x) && fabs(x) > FLT_MAX && !cx->g->doubles)
    diag_emit(&cx->s->diags, DIAG_number_overflow, v->span, value_text(cx, v));
  return x;
}

// -- lists

// The shape of a nested list of numbers known now; false where it is another list, or ragged.
static bool literal_shape(const Value *v, Shape *s) {
  *s = (Shape){0};
  for (; v->kind == V_LIST && v->nitems && s->rank < MAX_RANK; v = &v->items[0])
    s->dim[s->rank++] = v->nitems;
  return value_is_const(v);
}

static bool literal(Cx *cx, const Value *v, int axis, const Shape *s, double **to) {
  if (axis == s->rank) {
    if (!value_is_const(v) || v->live || v->unit > UNIT_PERCENT) return false;
    *(*to)++ = tensor_number(cx, v);
    return v->kind == V_NUM;
  }
  if (v->kind != V_LIST || v->nitems != s->dim[axis]) return false;
  for (int i = 0; i < v->nitems; i++)
    if (!literal(cx, &v->items[i], axis + 1, s, to)) return false;
  return true;
}

// Numbers known now are one constant; what is computed is stacked along a new first axis.
static Node *list_node(Cx *cx, const Value *v) {
  Shape s;
  if (v->nitems == 0) return graph_const(cx->g, 0, shape_of(1, (int64_t)0));
  if (literal_shape(v, &s)) {
    double *data = ARENA_ARRAY(cx->a, double, shape_count(s) + 1), *to = data;
    if (literal(cx, v, 0, &s, &to)) return graph_tensor(cx->g, data, DT_F32, s);
  }
  Node **parts = ARENA_ARRAY(cx->a, Node *, v->nitems);
  for (int i = 0; i < v->nitems; i++) {
    parts[i] = value_node(cx, &v->items[i]);
    if (!parts[i]) return NULL;
    if (!shape_equal(parts[i]->shape, parts[0]->shape)) {
      diag_emit(&cx->s->diags, DIAG_ragged_literal, v->items[i].span);
      return NULL;
    }
  }
  if (!rank_fits(cx, parts[0]->shape.rank + 1, v->span)) return NULL;
  s = (Shape){.rank = common_floats(cx, parts, v->nitems)->shape.rank + 1, .dim = {1}};
  memcpy(s.dim + 1, parts[0]->shape.dim, sizeof(int64_t) * (size_t)parts[0]->shape.rank);
  for (int i = 0; i < v->nitems; i++) parts[i] = graph_reshape(cx->g, parts[i], s);
  return graph_concat(cx->g, parts, v->nitems, 0);
}

const reg_dataset *field_data(const Cx *cx, const Value *v) {
  return v->data ? cx->l->datasets.data[v->data->dataset] : cx->data;
}

int64_t field_rows(const Cx *cx, const Value *v) {
  const reg_dataset *set = field_data(cx, v);
  if (v->data && v->data->further) return v->data->further->batch;
  return !v->data ? cx->batch : v->data->part ? part_named(set, v->data->part)->nrows : set->nrows;
}

// The rows of a field, of the current batch or of all of a part, as an input of the graph.
static Node *field_node(Cx *cx, const Value *v, bool classes) {
  const reg_dataset *set = field_data(cx, v);
  const reg_field *f = &set->fields[v->field];
  Shape s = {.rank = 1, .dim = {field_rows(cx, v)}};
  const char *of = v->data ? arena_printf(cx->a, "%s.", data_label(cx, v->data)) : "";
  for (int i = 0; i < f->rank; i++) s.dim[s.rank++] = f->dim[i];
  bool is_id = f->dtype == REG_I32 && f->values;
  Port port = {REG_SLOT_FIELD, v->field};
  if (v->data && v->data->further) {
    port = (Port){REG_SLOT_FURTHER, v->data->further->first + v->field};
  } else if (v->data) {
    port = (Port){cx->of_data || cx->line ? (int)REG_SLOT_OTHER : (int)PORT_COLUMN, cx->columns.len};
    vec_push(cx->a, cx->columns, ((LowerColumn){v->data->dataset, v->field, v->data->part, classes}));
  }
  Node *n = graph_port(cx->g, port, arena_printf(cx->a, "%s:%s%s", classes ? "class" : "field", of, f->name),
                       classes || is_id ? DT_I32 : DT_F32, s);
  return v->rows ? count_filled(cx, graph_gather(cx->g, n, v->rows), v->dims, NULL, 0) : n;
}

// A list under a name is one tensor, and one of known numbers a leaf of a check.
static Node *list_value(Cx *cx, const Value *v) {
  if (v->made && *v->made) return *v->made;
  Node *n = v->was ? list_value(cx, v->was) : list_node(cx, v);
  if (n && n->op == OP_CONST) n = check_literal(cx, n, v);
  return named_list(cx, v, n);
}

static Node *make_node(Cx *cx, const Value *v) {
  switch (v->kind) {
  case V_FAIL: return NULL;
  case V_NUM:
    if (v->unit != UNIT_EPOCHS)
      return v->live ? v->live : graph_const_typed(cx->g, tensor_number(cx, v), DT_F64, (Shape){0});
    break;
  case V_BOOL: return graph_const_typed(cx->g, v->num != 0, DT_BOOL, (Shape){0});
  case V_LIST: return list_value(cx, v);
  case V_FIELD: {
    const reg_field *f = &field_data(cx, v)->fields[v->field];
    if (!reg_field_numeric(f)) { // text: only its classes are numbers
      Diag *d = diag_emit(
          &cx->s->diags, DIAG_bad_field, cx->at.source ? cx->at : v->span,
          arena_printf(cx->a, "`%s` is text, as %s is: it can be used as classes only", f->name, f->why));
      if (cx->at.source && v->span.source) diag_note(d, v->span, "a number is needed here");
      return NULL;
    }
    Node *n = field_node(cx, v, false);
    return n->dtype == DT_F32 ? n : graph_cast(cx->g, n, DT_F32);
  }
  default: break;
  }
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "a tensor or a number", value_text(cx, v));
  const char *name = v->kind == V_FN ? v->fn->def->name : v->kind == V_MODEL ? v->model->name : NULL;
  if (v->kind == V_TREE)
    diag_hint(d, "`each w in T : f(w)` goes through its tensors; `flat(T)` is one vector of all elements");
  if (v->kind == V_BUILTIN) name = builtin_info[v->builtin].name;
  if (name) diag_hint(d, "its value is that of a call: `%s(x)`", name);
  if (v->kind == V_DATA && v->data->further)
    diag_hint(d, "its columns are tensors: `%s.%s`", v->data->name, field_data(cx, v)->fields[0].name);
  return NULL;
}

static Node *as_type(Cx *cx, Node *n, DType t) { return n && n->dtype != t ? graph_cast(cx->g, n, t) : n; }

Node *value_node(Cx *cx, const Value *v) {
  Node *n = value_wide(cx, v);
  return n && n->dtype == DT_F64 ? graph_cast(cx->g, n, DT_F32) : n;
}

Node *counted_node(Cx *cx, const Value *v) {
  Node *n = counted_wide(cx, v);
  return n && n->dtype == DT_F64 ? graph_cast(cx->g, n, DT_F32) : n;
}

Node *value_wide(Cx *cx, const Value *v) {
  Node *n = counted_wide(cx, v);
  if (!n || !is_counted(cx, v)) return n;
  refuse_counted(cx, "this place", value_dims(cx, v), n->shape,
                 "what takes all of it comes first: a sum, a mean, a sort with `x[0]`, a product", v->span);
  return NULL;
}

Node *counted_wide(Cx *cx, const Value *v) {
  if (v->kind == V_TENSOR) return v->node;
  Span outer = cx->g->origin;
  if (v->span.source) cx->g->origin = v->span;
  Node *n = make_node(cx, v);
  cx->g->origin = outer;
  return n;
}

Node *value_floats(Cx *cx, const Value *v) { return as_type(cx, value_node(cx, v), DT_F32); }

Node *counted_floats(Cx *cx, const Value *v) { return as_type(cx, counted_node(cx, v), DT_F32); }

// Of a value that may have counts.
bool is_text_field(Cx *cx, const Value *v) {
  return v->kind == V_FIELD && !reg_field_numeric(&field_data(cx, v)->fields[v->field]);
}

Node *value_classes(Cx *cx, const Value *v, int64_t *classes) {
  *classes = v->classes;
  if (v->kind == V_FIELD) {
    const reg_field *f = &field_data(cx, v)->fields[v->field];
    if (f->nclasses > 0) {
      *classes = f->nclasses;
      return field_node(cx, v, true);
    }
    Diag *d = diag_emit(&cx->s->diags, DIAG_bad_field, v->span,
                        arena_printf(cx->a, "`%s` holds numbers that are no classes%s%s", f->name,
                                     f->why ? ": " : "", f->why ? f->why : ""));
    diag_hint(d, "classes are the texts or the integers of the target");
    return NULL;
  }
  Node *n = counted_node(cx, v);
  if (n && n->dtype == DT_F32) n = graph_cast(cx->g, n, DT_I32);
  return n;
}

bool value_number(Cx *cx, const Value *v, const char *what, double *out) {
  if (v->kind == V_FAIL) return false;
  if (v->kind != V_NUM || v->unit > UNIT_PERCENT) {
    if (v->kind == V_TENSOR)
      diag_emit(&cx->s->diags, DIAG_not_constant, v->span, what);
    else
      diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, what, value_text(cx, v));
    return false;
  }
  live_fix(cx, v);
  *out = plain_number(v);
  return true;
}

bool value_steps(Cx *cx, const Value *v, double *out, Node **live) {
  if (v->kind == V_FAIL) return false;
  if (v->kind == V_TENSOR) {
    diag_emit(&cx->s->diags, DIAG_not_constant, v->span, "a time");
    return false;
  }
  if (v->kind != V_NUM || v->unit == UNIT_NONE) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_unit, v->span, "a time (20 epochs, 500 steps or 10%)",
                        value_text(cx, v));
    if (v->kind == V_NUM) diag_hint(d, "write `%.10g epochs` or `%.10g steps`", v->num, v->num);
    return false;
  }
  if (!cx->t && cx->no_times) {
    *out = 1;
    return true;
  }
  const LowerTrain *t = cx->t ? cx->t : cx->clock;
  if (!t && v->unit != UNIT_STEPS) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, v->span, "a time in epochs or percent",
              "outside of training");
    return false;
  }
  const double share = v->unit == UNIT_EPOCHS ? (double)t->steps_per_epoch : 1;
  const bool percent = v->unit == UNIT_PERCENT;
  *out = percent ? v->num / 100 * (double)t->total_steps : v->num * share;
  Value steps = *v;
  if (percent)
    steps.live = graph_binary(cx->g, OP_MUL, live_node(cx, v), cx_total(cx));
  else if (v->live && v->unit == UNIT_EPOCHS)
    steps.live = graph_binary(cx->g, OP_MUL, v->live, graph_const_typed(cx->g, share, DT_F64, (Shape){0}));
  if (live)
    *live = steps.live;
  else
    live_fix(cx, &steps);
  return true;
}

static const char *bytes_text(Cx *cx, double bytes) {
  static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
  int u = 0;
  for (bytes /= 1e3; bytes >= 1e3 && u < 4; u++) bytes /= 1e3;
  return arena_printf(cx->a, "%.3g %s", bytes, units[u]);
}

bool shape_fits(Cx *cx, Shape s, Span at) {
  double bytes = 4, memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < s.rank; i++) bytes *= s.dim[i] ? (double)s.dim[i] : 1;
  if (bytes <= memory) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_too_large, at, bytes_text(cx, bytes), bytes_text(cx, memory));
  diag_note(d, cx->at, "for a tensor of shape %s", shape_text(cx->a, s));
  return false;
}

bool rank_fits(Cx *cx, int rank, Span at) {
  if (rank > MAX_RANK) diag_emit(&cx->s->diags, DIAG_too_many_axes, at, rank, MAX_RANK);
  return rank <= MAX_RANK;
}

bool value_shape(Cx *cx, const Value *v, Shape *out) {
  *out = (Shape){0};
  if (v->kind != V_LIST || v->nitems > MAX_RANK) {
    if (v->kind != V_FAIL)
      diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "a shape such as [3, 4]", value_text(cx, v));
    return false;
  }
  for (int i = 0; i < v->nitems; i++) {
    const Dim *of = v->items[i].size;
    double d = of ? (double)of->size : 0;
    if (!(of && of->count) && !value_number(cx, &v->items[i], "a size", &d)) return false;
    if (!(d >= 0 && d <= 1e12 && d == floor(d))) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, v->items[i].span, "a size: a whole number from 0 on",
                value_text(cx, &v->items[i]));
      return false;
    }
    out->dim[out->rank++] = (int64_t)d;
  }
  return shape_fits(cx, *out, v->span);
}

Dims shape_dims(Cx *cx, const Value *v) {
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, v->nitems + 1);
  for (int i = 0; i < v->nitems; i++) dims[i] = v->items[i].size;
  return dims;
}

Tree *tree_new(Cx *cx, int n) {
  Tree *t = ARENA_NEW(cx->a, Tree);
  *t = (Tree){n, ARENA_ARRAY(cx->a, Leaf, n + 1)};
  return t;
}

Tree *tree_of(Cx *cx, const Value *v) {
  if (v->kind == V_TREE) return v->tree;
  if (v->kind == V_MODEL) return model_tree(cx, v->model);
  return NULL;
}

Env *env_new(Cx *cx, const Env *parent, const char *path, const char *def) {
  Env *e = ARENA_NEW(cx->a, Env);
  *e = (Env){.parent = parent, .path = path, .def = def};
  map_init(&e->names, cx->a);
  return e;
}

Env *env_copy(Cx *cx, const Env *env) {
  Env *e = env_new(cx, env->parent, env->path, env->def);
  for (int i = 0; i < env->names.len; i++)
    map_put(&e->names, env->names.entries[i].key, env->names.entries[i].value);
  return e;
}

void env_set(Cx *cx, Env *e, const char *name, Value v) {
  Value *copy = ARENA_NEW(cx->a, Value);
  *copy = v;
  map_put(&e->names, name, copy);
}

Value *env_get(const Env *e, const char *name) {
  for (; e; e = e->parent) {
    Value *v = map_get(&e->names, name);
    if (v) return v;
  }
  return NULL;
}
