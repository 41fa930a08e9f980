// What is kept of the runs of a sweep. In: what the statements of a run have bound. Out: for the table the
// numbers that all runs have, and where it is asked for, `path.w`, anything that has the same shape in all
// of them: tensors with an axis more for each axis of the sweep.
#include "sweep.h"
#include <string.h>

static Shape of_all(const LowerSweep *sweep, Shape own) {
  Shape out = {0};
  if (sweep->drawn) out.dim[out.rank++] = sweep->nruns;
  for (int i = 0; i < sweep->axes.len && !sweep->drawn; i++) out.dim[out.rank++] = sweep->axes.data[i]->n;
  for (int i = 0; i < own.rank; i++) out.dim[out.rank++] = own.dim[i];
  return out;
}

static int axes_of(const LowerSweep *sweep) { return sweep->drawn ? 1 : sweep->axes.len; }

// Of numbers that are of several types the widest: `f(k)` may be whole in the runs of one f alone.
static DType type_of_all(const Lowered *l, const LowerSweep *sweep, const int *from) {
  const DType first = l->store.data[from[0]].dtype;
  for (int i = 1; i < sweep->build->variants.len; i++)
    if (l->store.data[from[i]].dtype != first) return DT_F64;
  return first;
}

static bool alike(const LowerTensor *a, const LowerTensor *b) {
  const bool numbers = !a->shape.rank && a->dtype != DT_BOOL && b->dtype != DT_BOOL;
  return shape_equal(a->shape, b->shape) && (a->dtype == b->dtype || numbers);
}

// A place for what all runs have at `from`.
static int keep(Lowered *l, LowerSweep *sweep, const char *name, bool column, const int *from) {
  const LowerTensor *t = &l->store.data[from[0]];
  const int to = stored_new(l, arena_printf(l->session->arena, "%s.%s", sweep->name, name),
                            type_of_all(l, sweep, from), of_all(sweep, t->shape));
  vec_push(l->session->arena, sweep->kept, ((LowerKept){name, column, to, from}));
  return to;
}

static bool same_tensors(const Lowered *l, const LowerSweep *sweep, const int *from) {
  const LowerTensor *first = &l->store.data[from[0]];
  bool same = first->shape.rank + axes_of(sweep) <= MAX_RANK;
  for (int i = 1; i < sweep->build->variants.len && same; i++) same = alike(first, &l->store.data[from[i]]);
  return same;
}

// Where variants have the i-th tensor of a name; NULL: not all of them have such a one.
static const int *places_of(Lowered *l, const LowerSweep *sweep, const char *name, int i) {
  int *from = ARENA_ARRAY(l->session->arena, int, sweep->build->variants.len);
  for (int k = 0; k < sweep->build->variants.len; k++) {
    const Held *h = map_get(&sweep->build->variants.data[k].scope->names, name);
    if (!h || i >= h->n) return NULL;
    from[k] = h->stored[i];
  }
  return same_tensors(l, sweep, from) ? from : NULL;
}

static Value like_stored(Lowered *l, int stored, Span at) {
  const LowerTensor *t = &l->store.data[stored];
  return v_tensor(graph_const_typed(cx_new(l, "result", MODE_EVAL)->g, 0, t->dtype, t->shape), at);
}

// `name` in the scope around stands for tensors that are in the store.
static void know_stored(Lowered *l, const LowerSweep *sweep, const char *name, Span at, Value v,
                        const int *stored, int n) {
  Held *h = ARENA_NEW(l->session->arena, Held);
  const char *whole = arena_printf(l->session->arena, "%s.%s", sweep->name, name);
  *h = (Held){.name = whole, .at = at, .value = v, .n = n, .stored = stored};
  map_put(&sweep->build->around->names, whole, h);
}

static void know_one(Lowered *l, const LowerSweep *sweep, const char *name, Span at, int stored) {
  int *place = ARENA_NEW(l->session->arena, int);
  *place = stored;
  if (sweep->ast->name) know_stored(l, sweep, name, at, like_stored(l, stored, at), place, 1);
}

// -- the table

static bool is_hidden(const char *name) { return strchr(name, ' ') != NULL; } // of a `for`, a procedure, …

static void column(Stages *s, LowerSweep *sweep, const char *name, Span at, const int *from) {
  if (s->l->store.data[from[0]].shape.rank) return;
  know_one(s->l, sweep, name, at, keep(s->l, sweep, name, true, from));
}

// The k-th training of a variant itself; those of sweeps in it are over with the runs of these. NULL: it has
// no more.
static LowerTrain *training_of(const Lowered *l, const Variant *v, int k) {
  for (int i = v->first; i < v->end; i++)
    if (l->trains.data[i]->inside == 1 && !k--) return l->trains.data[i];
  return NULL;
}

// A training without a name has results too, of which the program does not speak.
static void training_columns(Stages *s, LowerSweep *sweep, int k) {
  Lowered *l = s->l;
  Arena *a = l->session->arena;
  static const struct {
    reg_result_kind kind;
    const char *name;
  } numbers[] = {
      {REG_RESULT_LOSS, "loss"}, {REG_RESULT_VALID_LOSS, "valid.loss"}, {REG_RESULT_EPOCHS, "epochs"}};
  for (int i = 0; i < 3; i++) {
    int *from = ARENA_ARRAY(a, int, sweep->build->variants.len);
    const char *name = NULL;
    for (int v = 0; v < sweep->build->variants.len; v++) {
      LowerTrain *t = training_of(l, &sweep->build->variants.data[v], k);
      if (numbers[i].kind == REG_RESULT_VALID_LOSS && !t->valid_part) return;
      const Ast *head = t->ast->kids[0]->kids[0];
      if (!name)
        name = arena_printf(a, "%s.%s", t->ast->name ? t->ast->name : ast_written(a, head), numbers[i].name);
      reg_result r = {.kind = numbers[i].kind};
      r.value = from[v] = stored_new(l, name, r.kind == REG_RESULT_EPOCHS ? DT_F64 : DT_F32, (Shape){0});
      vec_push(a, t->results, r);
    }
    keep(l, sweep, name, true, from);
  }
}

static bool all_train(const Lowered *l, const LowerSweep *sweep, int k) {
  bool all = true;
  for (int i = 0; i < sweep->build->variants.len && all; i++)
    all = training_of(l, &sweep->build->variants.data[i], k) != NULL;
  return all;
}

static bool has_results(const Lowered *l, const LowerSweep *sweep, int k) {
  const Variant *v = &sweep->build->variants.data[0];
  const LowerTrain *t = training_of(l, v, k);
  return t->ast->name && map_get(&v->scope->names, arena_printf(l->session->arena, "%s.loss", t->ast->name));
}

static bool keep_held(Lowered *l, LowerSweep *sweep, const Held *h, const char *name) {
  Arena *a = l->session->arena;
  int *to = ARENA_ARRAY(a, int, h->n + 1);
  for (int i = 0; i < h->n; i++) {
    const int *from = places_of(l, sweep, name, i);
    if (!from) return false;
    to[i] = keep(l, sweep, held_text(a, h, i), false, from);
  }
  Value v = h->value;
  if (v.kind == V_TREE) {
    v.tree = tree_new(cx_new(l, "result", MODE_EVAL), h->n);
    for (int i = 0; i < h->n; i++)
      v.tree->leaf[i] = (Leaf){h->value.tree->leaf[i].path, like_stored(l, to[i], h->at).node};
  } else {
    v = like_stored(l, to[0], h->at);
  }
  know_stored(l, sweep, name, h->at, v, to, h->n);
  return true;
}

void sweep_columns(Stages *s, LowerSweep *sweep) {
  Lowered *l = s->l;
  const Variant *first = &sweep->build->variants.data[0];
  if (sweep->ast->name) {
    const Value none = {.kind = V_NONE, .span = sweep->ast->name_span};
    held_new(l, s->scope, sweep->ast->name, sweep->ast->name_span, &none)->sweep = sweep;
  }
  for (int i = 0; i < sweep->axes.len; i++) {
    LowerAxis *x = sweep->axes.data[i];
    if (!x->numbers) continue;
    x->all = stored_new(l, arena_printf(l->session->arena, "%s.%s", sweep->name, x->name), DT_F64,
                        shape_of(1, (int64_t)(sweep->drawn ? sweep->nruns : x->n)));
    know_one(l, sweep, x->name, x->at, x->all);
  }
  for (int k = 0; all_train(l, sweep, k); k++)
    if (!has_results(l, sweep, k)) training_columns(s, sweep, k);
  for (int i = 0; i < first->scope->names.len; i++) {
    const Held *h = first->scope->names.entries[i].value;
    if (!h || h->axis || h->n != 1 || h->value.kind != V_TENSOR || is_hidden(h->name)) continue;
    const int *from = places_of(l, sweep, h->name, 0);
    if (from) column(s, sweep, h->name, h->at, from);
  }
  for (int i = 0; i < first->scope->names.len && l->host.apart; i++) { // for what is asked when it is over
    const Held *h = first->scope->names.entries[i].value;
    if (h && h->n && !is_hidden(h->name) && !(h->value.kind == V_TENSOR && !h->value.node->shape.rank))
      keep_held(l, sweep, h, h->name);
  }
}

// -- what is asked for

// What has another shape in each run is nothing that all of them have.
static void other_in_each(Cx *cx, const LowerSweep *sweep, const char *name, Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "what has one shape in all runs of the sweep",
                      arena_printf(cx->a, "`%s`", name));
  diag_hint(d, "keep what is computed from it: a sum, a mean, a number");
  know_stored(cx->l, sweep, name, at, v_fail(), NULL, 0);
}

// What a model that the program calls so is called in a variant.
static const char *model_in(const Variant *v, const char *name) {
  for (int i = 0; i < v->body->nkids; i++) {
    const Ast *e = v->body->kids[i];
    if (e && e->kind == AST_DEF && e->text && !strcmp(e->text, name)) return e->name;
  }
  return name;
}

// A parameter of a model, by its path in a variant; -1: it has none.
static int param_in(const Lowered *l, const Variant *v, const char *path) {
  Arena *a = l->session->arena;
  const char *dot = strchr(path, '.');
  if (!dot) return -1;
  return stored_find(l,
                     arena_printf(a, "%s%s", model_in(v, arena_strndup(a, path, (size_t)(dot - path))), dot));
}

static const int *params_at(Lowered *l, const LowerSweep *sweep, const char *path) {
  int *from = ARENA_ARRAY(l->session->arena, int, sweep->build->variants.len);
  for (int k = 0; k < sweep->build->variants.len; k++) {
    from[k] = param_in(l, &sweep->build->variants.data[k], path);
    if (from[k] < 0 || !l->store.data[from[k]].param) return NULL;
  }
  return same_tensors(l, sweep, from) ? from : NULL;
}

// `path.net.hidden.weight`
static bool keep_param(Cx *cx, LowerSweep *sweep, const char *name, Span at) {
  const int *from = params_at(cx->l, sweep, name);
  if (from)
    know_one(cx->l, sweep, name, at, keep(cx->l, sweep, name, false, from));
  else if (param_in(cx->l, &sweep->build->variants.data[0], name) >= 0)
    other_in_each(cx, sweep, name, at);
  else
    return false;
  return true;
}

// `path.net.*`: all parameters of a model.
static bool keep_params(Cx *cx, LowerSweep *sweep, const char *name, Span at) {
  Lowered *l = cx->l;
  Arena *a = cx->a;
  const size_t n = strlen(name);
  if (n < 3 || strcmp(name + n - 2, ".*") != 0) return false;
  const char *model = arena_strndup(a, name, n - 2);
  const char *own = model_in(&sweep->build->variants.data[0], model);
  const size_t length = strlen(own);
  Tree *t = tree_new(cx_new(l, "result", MODE_EVAL), l->store.len);
  int *to = ARENA_ARRAY(a, int, l->store.len + 1);
  t->n = 0;
  for (int i = 0, all = l->store.len; i < all; i++) {
    const char *stored = l->store.data[i].name;
    if (!l->store.data[i].param || strncmp(stored, own, length) != 0 || stored[length] != '.') continue;
    const char *path = arena_printf(a, "%s%s", model, stored + length);
    const int *from = params_at(l, sweep, path);
    if (!from) {
      other_in_each(cx, sweep, name, at);
      return true;
    }
    to[t->n] = keep(l, sweep, path, false, from);
    t->leaf[t->n] = (Leaf){path, like_stored(l, to[t->n], at).node};
    t->n++;
  }
  if (t->n) know_stored(l, sweep, name, at, v_tree(t, at), to, t->n);
  return t->n > 0;
}

bool sweep_result(Cx *cx, const Ast *e) {
  const char *text = ast_written(cx->a, e), *dot = strchr(text, '.');
  const Held *h = dot ? held_find(cx->sees, arena_strndup(cx->a, text, (size_t)(dot - text))) : NULL;
  if (!h || !h->sweep) return false;
  const char *name = dot + 1;
  const Held *bound = map_get(&h->sweep->build->variants.data[0].scope->names, name);
  if (bound && bound->n) {
    if (!keep_held(cx->l, h->sweep, bound, name)) other_in_each(cx, h->sweep, name, e->span);
    return true;
  }
  return keep_param(cx, h->sweep, name, e->span) || keep_params(cx, h->sweep, name, e->span);
}
