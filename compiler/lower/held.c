// What statements of a program have named. In: a value of a straight line of statements. Out: tensors of the
// store, and the value as any graph sees it: there they are inputs, in the line itself they are its nodes. A
// name belongs to the block of statements that bound it first; bound again, from inside too, it keeps its
// place in the store.
#include "made.h"
#include "stages.h"
#include <string.h>

int stored_find(const Lowered *l, const char *name) { return (int)(intptr_t)map_get(&l->stored, name) - 1; }

int stored_index(Lowered *l, LowerTensor t) {
  const int known = stored_find(l, t.name);
  if (known >= 0) return known;
  vec_push(l->session->arena, l->store, t);
  map_put(&l->stored, t.name, (void *)(intptr_t)l->store.len);
  return l->store.len - 1;
}

int stored_new(Lowered *l, const char *name, DType t, Shape s) {
  const char *unlike = name;
  for (int k = 2; map_get(&l->stored, unlike); k++)
    unlike = arena_printf(l->session->arena, "%s %d", name, k);
  return stored_index(l, (LowerTensor){.name = unlike, .dtype = t, .shape = s});
}

// -- scopes

StageScope *scope_new(Lowered *l, StageScope *outer) {
  StageScope *s = ARENA_NEW(l->session->arena, StageScope);
  s->outer = outer;
  map_init(&s->names, l->session->arena);
  return s;
}

Held *held_find(const StageScope *s, const char *name) {
  Held *h = NULL;
  for (; s && !h; s = s->outer) h = map_get(&s->names, name);
  return h;
}

// What a statement of this block may bind again.
static Held *held_to_bind(const StageScope *s, const char *name) {
  Held *h = NULL;
  for (; s && !h; s = s->procedure ? NULL : s->outer) h = map_get(&s->names, name);
  return h;
}

// -- values and their tensors

static int node_count(const Value *v) { return v->kind == V_TENSOR ? 1 : v->kind == V_TREE ? v->tree->n : 0; }

static Node *node_at(const Value *v, int i) { return v->kind == V_TENSOR ? v->node : v->tree->leaf[i].node; }

static Value with_nodes(Cx *cx, const Value *like, Node *const *nodes) {
  Value v = *like;
  if (v.kind == V_TENSOR) v.node = nodes[0];
  if (v.kind != V_TREE) return v;
  v.tree = tree_new(cx, like->tree->n);
  for (int i = 0; i < v.tree->n; i++) v.tree->leaf[i] = (Leaf){like->tree->leaf[i].path, nodes[i]};
  return v;
}

Node *stored_input(Cx *cx, int stored) {
  const LowerTensor *t = &cx->l->store.data[stored];
  return cx_port(cx, REG_SLOT_STORE, stored, arena_printf(cx->a, "store:%s", t->name), t->dtype, t->shape);
}

void see_scope(Cx *cx, StageScope *s) {
  cx->scope = cx->sees = s;
  cx->library = s && s->library;
}

bool scope_is_closed(const StageScope *s) { return s->closed; }

static StageScope *seen_from(const Cx *cx, const Def *d) {
  StageScope *own = d->scope ? d->scope : cx->scope && !d->from_library ? cx->l->all : NULL, *s = cx->scope;
  while (s && s != own && !s->procedure) s = s->outer; // what a procedure binds is its own
  return own && s == own ? cx->scope : own;
}

Within text_enter(Cx *cx, const Def *d) {
  const Within outer = {cx->library, cx->sees};
  cx->library = d->from_library;
  cx->sees = seen_from(cx, d);
  return outer;
}

void text_leave(Cx *cx, Within outer) {
  cx->library = outer.library;
  cx->sees = outer.sees;
}

bool held_value(Cx *cx, const char *name, Value *out) {
  const Held *h = held_find(cx->sees, name);
  if (!h) return false;
  const bool record = h->value.kind == V_NONE; // it is known by its parts, and hides no function
  if (record && (sema_find(cx->l->program, name) || builtin_find(name) >= 0)) return false;
  *out = h->value;
  if (h->swept) made_reads(cx->l, name);
  if (h->axis) live_swept(cx, h->axis, out);
  if (!h->n || h->cx == cx) return true;
  const char *place = cx->l->store.data[h->stored[0]].name;
  const Value *known = map_get(&cx->held, place);
  if (!known) {
    Node **nodes = ARENA_ARRAY(cx->a, Node *, h->n);
    for (int i = 0; i < h->n; i++) nodes[i] = stored_input(cx, h->stored[i]);
    const Value *then = cx->t && cx->t->build->late ? map_get(&cx->t->build->held, place) : NULL;
    Value *seen = ARENA_NEW(cx->a, Value);
    *seen = named(cx, with_nodes(cx, then ? then : &h->value, nodes));
    map_put(&cx->held, place, seen);
    known = seen;
  }
  *out = *known;
  return true;
}

double held_number(const Cx *cx, const LowerAxis *axis) {
  for (const StageScope *s = cx->scope; s; s = s->outer)
    for (int i = 0; i < s->names.len; i++) {
      const Held *h = s->names.entries[i].value;
      if (h && h->axis == axis) return h->value.num;
    }
  return axis->numbers[0];
}

const char *held_near(Cx *cx, const char *name) {
  VEC(const char *) names = {0};
  for (const StageScope *s = cx->sees; s; s = s->outer)
    for (int i = 0; i < s->names.len; i++) {
      const Held *h = s->names.entries[i].value;
      if (h && h->value.kind != V_FAIL) vec_push(cx->a, names, h->name);
    }
  return nearest_name(name, names.data, names.len);
}

// -- binding

// Whether what is no tensor is made of some: these are of one graph.
static bool has_tensors(const Value *v) {
  bool has = v->kind == V_TENSOR || v->kind == V_TREE || v->kind == V_MODEL || v->kind == V_LOCAL;
  for (int i = 0; (v->kind == V_RANGE && i < 2) || (v->kind == V_TUPLE && i < v->nitems); i++)
    has = has || has_tensors(&v->items[i]);
  for (int i = 0; v->kind == V_FN && i < v->fn->nargs; i++)
    has = has || !v->fn->args[i].value || has_tensors(v->fn->args[i].value);
  return has;
}

// Numbers, lists and columns are tensors in the store; what has no tensor stays as it is.
static bool storable(Cx *cx, Value *v, const char *name, Span at) {
  switch (v->kind) {
  case V_FAIL: return false;
  case V_NONE: diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "a value", "nothing"); return false;
  case V_TUPLE: {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "one value", value_text(cx, v));
    diag_hint(d, "several are bound by as many names: `a, b = ...`");
    return false;
  }
  case V_TREE: return true;
  case V_NUM:
    if (v->unit > UNIT_PERCENT) return true;
    break;
  case V_BOOL:
  case V_LIST:
  case V_FIELD:
  case V_TENSOR: break;
  default:
    if (!has_tensors(v)) return true;
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "a value", value_text(cx, v));
    diag_hint(d, "what reads other values is defined, or written where it is used: `model d = net with ...`, "
                 "`(net at T)(x)`");
    return false;
  }
  if (is_counted(cx, v)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, arena_printf(cx->a, "`%s`", name),
                        "between statements: how many elements it has is known only when it runs");
    diag_hint(d, "keep what is computed from it: a sum, a mean, a number");
    return false;
  }
  Node *n = v->kind == V_BOOL ? truth(cx, v) : value_wide(cx, v);
  if (!n) return false;
  const Dims dims = value_dims(cx, v);
  const int64_t classes = v->classes;
  const reg_field *words = v->words;
  *v = v_tensor(n, v->span);
  v->dims = dims;
  v->classes = classes;
  v->words = words;
  return true;
}

static bool is_defined(Lowered *l, const char *name, Span at) {
  const Def *d = map_get(&l->program->defs, name);
  if (!d || d->own) return false;
  Diag *diag = diag_emit(&l->session->diags, DIAG_duplicate_definition, at, name);
  diag_note(diag, d->ast->name_span, "first defined here");
  return true;
}

// A value for the places of another one: of its kind and shapes, in its types.
static bool fits(const Lowered *l, const Held *h, const Value *v) {
  bool same = v->kind == h->value.kind && node_count(v) == h->n && h->n;
  for (int i = 0; i < h->n && same; i++)
    same = shape_equal(node_at(v, i)->shape, l->store.data[h->stored[i]].shape) &&
           (v->kind != V_TREE || !strcmp(v->tree->leaf[i].path, h->value.tree->leaf[i].path));
  return same;
}

static Value cast_like(Cx *cx, const Held *h, const Value *v) {
  Node **nodes = ARENA_ARRAY(cx->a, Node *, h->n + 1);
  for (int i = 0; i < h->n; i++) {
    const DType t = cx->l->store.data[h->stored[i]].dtype;
    nodes[i] = node_at(v, i);
    if (nodes[i]->dtype != t) nodes[i] = graph_cast(cx->g, nodes[i], t);
  }
  return with_nodes(cx, v, nodes);
}

static void not_like_before(Cx *cx, const Held *h, const Value *v, Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, value_text(cx, &h->value), value_text(cx, v));
  diag_note(d, h->at, "`%s` is bound here", h->name);
  diag_hint(d, "a name that is bound again keeps its kind and its shape: it has one place in the store");
}

static void give(Stages *s, int stored, Node *n) {
  for (int i = 0; i < s->given.len; i++)
    if (s->given.data[i].stored == stored) {
      s->given.data[i].node = n;
      return;
    }
  vec_push(s->l->session->arena, s->given, ((Given){stored, n}));
}

void held_give(Stages *s, const Held *h, const Value *v) {
  for (int i = 0; i < h->n; i++) give(s, h->stored[i], node_at(v, i));
}

void held_give_stored(Stages *s, int stored, Node *n) { give(s, stored, n); }

// What the other side of an `if` around has bound under the name.
static const Held *twin_of(const StageScope *s, const char *name) {
  const Held *h = NULL;
  for (; s && !h; s = s->outer) h = s->twin ? map_get(&s->twin->names, name) : NULL;
  return h;
}

const char *held_text(Arena *a, const Held *h, int i) {
  return h->value.kind == V_TREE ? arena_printf(a, "%s %s", h->name, h->value.tree->leaf[i].path) : h->name;
}

Held *held_new(Lowered *l, StageScope *scope, const char *name, Span at, const Value *v) {
  Held *h = ARENA_NEW(l->session->arena, Held);
  int *stored = ARENA_ARRAY(l->session->arena, int, node_count(v) + 1);
  *h = (Held){.name = name, .at = at, .value = *v, .n = node_count(v), .stored = stored};
  const Held *twin = twin_of(scope, name);
  const bool shared = twin && fits(l, twin, v);
  for (int i = 0; i < h->n; i++) {
    const Node *n = node_at(v, i);
    stored[i] = shared && l->store.data[twin->stored[i]].dtype == n->dtype
                    ? twin->stored[i]
                    : stored_new(l, held_text(l->session->arena, h, i), n->dtype, n->shape);
  }
  map_put(&scope->names, name, h);
  return h;
}

void held_names(Lowered *l, const StageScope *s) {
  for (int i = 0; i < s->names.len; i++) {
    const Held *h = s->names.entries[i].value;
    const bool hidden =
        !h || (strchr(h->name, ' ') && strncmp(h->name, "tree of ", 8) != 0); // of a `for` or a procedure
    for (int k = 0; !hidden && k < h->n; k++) {
      const char *path = h->value.kind == V_TREE ? h->value.tree->leaf[k].path : "";
      vec_push(l->session->arena, l->names, ((LowerName){h->name, path, h->stored[k]}));
    }
  }
}

// What a run of a sweep would bind again outside of it.
static const Held *outside_of_sweep(const StageScope *s, const char *name) {
  bool outside = false;
  for (; s; s = s->procedure ? NULL : s->outer) {
    const Held *h = map_get(&s->names, name);
    if (h) return outside ? h : NULL;
    outside = outside || s->sweep;
  }
  return NULL;
}

void held_bind(Stages *s, const char *name, Span at, Value v) {
  Lowered *l = s->l;
  Cx *cx = stages_line(s);
  const Held *outside = outside_of_sweep(s->scope, name);
  if (is_defined(l, name, at)) return;
  if (outside) {
    Diag *d = diag_emit(&l->session->diags, DIAG_sweep_binds_outside, at, name);
    diag_note(d, outside->at, "bound here");
    return;
  }
  const bool good = storable(cx, &v, name, at);
  if (!good) v = v_fail();
  Held *h = held_to_bind(s->scope, name);
  const bool again = h && good && h->value.kind != V_FAIL;
  if (again && fits(l, h, &v)) {
    h->value = named(cx, cast_like(cx, h, &v));
    h->cx = cx;
    memo_forget(cx);
    held_give(s, h, &h->value);
    return;
  }
  if (again && (h->value.kind == V_NONE || h->axis)) { // of a training, an evaluation or a sweep
    diag_note(diag_emit(&l->session->diags, DIAG_duplicate_definition, at, name), h->at,
              "first defined here");
    return;
  }
  if (again) {
    not_like_before(cx, h, &v, at);
    return;
  }
  const Held *twin = good ? twin_of(s->scope, name) : NULL;
  if (twin && fits(l, twin, &v)) v = cast_like(cx, twin, &v); // a number of either type
  if (good) v = named(cx, v);
  h = held_new(l, s->scope, name, at, &v);
  h->cx = cx;
  held_give(s, h, &v);
}

void held_known(Stages *s, const char *name, Span at, double number) {
  Lowered *l = s->l;
  const Held *h = held_to_bind(s->scope, name);
  const Value v = v_num(number, at);
  if (is_defined(l, name, at)) return;
  if (!h) {
    held_new(l, s->scope, name, at, &v);
    return;
  }
  diag_note(diag_emit(&l->session->diags, DIAG_duplicate_definition, at, name), h->at, "first defined here");
}

int held_hidden(Stages *s, const char *what, Node *n) {
  const int stored = stored_new(s->l, what, n->dtype, n->shape);
  give(s, stored, n);
  return stored;
}
