// Parameters and states: declared where a body is elaborated, known by path.
#include "loop.h"
#include "train.h"
#include <string.h>

const char *instance_path(Cx *cx, const Env *env, const Def *d, const char *as) {
  cx->effects++;
  const char *outer = env && env->path ? env->path : "";
  const char *dot = *outer ? "." : "";
  if (as) return arena_printf(cx->a, "%s%s%s", outer, dot, as);
  const char *site = arena_printf(cx->a, "%s%s%s", outer, dot, d->name);
  intptr_t count = (intptr_t)map_get(&cx->counters, site) + 1;
  map_put(&cx->counters, site, (void *)count);
  const char *path = arena_printf(cx->a, "%s%d", site, (int)count);
  map_put(&cx->l->instances, path, (void *)site);
  return path;
}

// -- declarations

bool declared_shape(Cx *cx, Env *env, const Ast *shape, bool nothing, Shape *out) {
  if (!shape) {
    *out = (Shape){0};
    return true;
  }
  Value v = eval_expr(cx, env, shape);
  if (v.kind == V_FAIL || !value_shape(cx, &v, out)) return false;
  for (int i = 0; i < out->rank; i++) {
    if (out->dim[i] || nothing) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, v.items[i].span,
                        "a size of at least 1: else there is nothing to learn or to keep",
                        value_text(cx, &v.items[i]));
    if (cx->at.source && cx->at.start != v.items[i].span.start) diag_note(d, cx->at, "in this call");
    return false;
  }
  return true;
}

// Parameters and states lie in one file, under one kind of name.
static void twice(Cx *cx, const char *path, Span at, Span first) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_duplicate_definition, at, path);
  diag_note(d, first, "first defined here");
}

static bool not_here(Cx *cx, const char *what, const char *path, Span at, const char *where) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at,
                      arena_printf(cx->a, "the %s `%s`", what, path), where);
  if (cx->at.source && cx->at.start != at.start) diag_note(d, cx->at, "in this call");
  return false;
}

static bool other_steps(Cx *cx, const char *what, const char *path, Span at) {
  return not_here(cx, what, path, at,
                  arena_printf(cx->a, "here: the steps of `%s` do not have it", cx->t->name));
}

// An evaluation may ask another model than the one that its training has: what lies in the store.
static bool is_beside(const Cx *cx, const char *path) {
  const size_t n = strcspn(path, ".");
  return cx->beside && path[n] && map_get(&cx->models, arena_strndup(cx->a, path, n));
}

// In a training, parameters are those of models, and its first elaboration finds all of them.
static bool may_have_param(Cx *cx, const char *path, Span at) {
  if (!cx->t || cx->view || is_beside(cx, path)) return true;
  if (cx->known) return other_steps(cx, "parameter", path, at);
  const char *root = arena_strndup(cx->a, path, strcspn(path, "."));
  const bool in_model = path[strlen(root)] && map_get(&cx->models, root);
  return in_model || not_here(cx, "parameter", path, at, "outside of a model");
}

// Likewise all states.
static bool may_have_state(Cx *cx, const char *name, Shape s, Span at) {
  const StateRef *known = cx->known ? train_state(cx->t, name) : NULL;
  if (!cx->known || (known && shape_equal(known->shape, s))) return true;
  if (!known) return is_beside(cx, name) || other_steps(cx, "state", name, at);
  diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, arena_printf(cx->a, "state `%s`", name),
            shape_text(cx->a, known->shape), shape_text(cx->a, s));
  return false;
}

// The body sees what stands in the parameter's place in this call.
static Value bind_param(Cx *cx, Env *env, const Ast *p, const char *path, Node *own) {
  Node *n = param_seen(cx, path, own);
  if (n) env_set(cx, env, p->name, n == own ? v_tensor(n, p->span) : named(cx, v_tensor(n, p->span)));
  return n ? (Value){.kind = V_NONE} : v_fail();
}

Value declare_param(Cx *cx, Env *env, const Ast *p) {
  cx->effects++;
  if (p->nkids > 2 && p->kids[2]) {
    Value c = eval_expr(cx, env, p->kids[2]);
    if (c.kind == V_FAIL) return c;
    if (!value_is_const(&c)) {
      diag_emit(&cx->s->diags, DIAG_not_constant, p->kids[2]->span, "whether a parameter exists");
      return v_fail();
    }
    live_fix(cx, &c);
    if (c.num == 0) { // absent: counts as 0
      env_set(cx, env, p->name, v_num(0, p->span));
      return (Value){.kind = V_NONE};
    }
  }
  Shape s;
  env_set(cx, env, p->name, v_fail()); // until it is there: what uses it stays silent after a mistake
  if (!declared_shape(cx, env, p->kids[0], false, &s)) return v_fail();
  const char *path = env->path && *env->path ? arena_printf(cx->a, "%s.%s", env->path, p->name) : p->name;
  const char *role = p->kids[3] ? p->kids[3]->name : s.rank >= 2 ? "weight" : "bias";
  map_put(&cx->l->roles, path, (void *)role);
  ParamRef *ref = map_get(&cx->params, path);
  if (ref && !shape_equal(ref->shape, s)) {
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_shape_mismatch, p->span, arena_printf(cx->a, "parameter `%s`", path),
                  shape_text(cx->a, ref->shape), shape_text(cx->a, s));
    diag_note(d, ref->origin, "first made here");
    return v_fail();
  }
  if (cx->loaded) {
    const StateRef *tensor = loaded_tensor(cx, path, s, p->span);
    if (!tensor) return v_fail();
    return bind_param(cx, env, p, path, tensor->node);
  }
  const StateRef *state = map_get(&cx->states, path);
  if (state) return twice(cx, path, p->span, state->origin), v_fail();
  if (!ref && !may_have_param(cx, path, p->span)) return v_fail();
  Node *init = ref ? ref->init : NULL;
  if (!init && cx->initials) {
    Initial from;
    if (!initial_begin(cx, env, p->kids[1], &from)) return v_fail();
    init = initial_node(cx, env, &from, s, p->name);
    if (!init) return v_fail();
  }
  const bool outer = cx->stored;
  cx->stored |= !ref && is_beside(cx, path);
  if (!ref) {
    ref = ARENA_NEW(cx->a, ParamRef);
    *ref = (ParamRef){
        .path = path, .role = role, .index = param_index(cx, path, s), .shape = s, .origin = p->span};
    ref->node = param_input(cx, ref);
    map_put(&cx->params, path, ref);
  }
  cx->stored = outer;
  ref->init = init;
  if (!ref->ast) ref->ast = p, ref->scope = env_copy(cx, env);
  return bind_param(cx, env, p, path, ref->node);
}

StateRef *input_state(Cx *cx, const char *name, Shape s, Span origin, int rows) {
  StateRef *ref = ARENA_NEW(cx->a, StateRef);
  *ref =
      (StateRef){.name = name, .index = state_index(cx, name, s), .shape = s, .origin = origin, .rows = rows};
  ref->node = ref->input = state_input(cx, ref);
  map_put(&cx->states, name, ref);
  return ref;
}

// Memory of a loop is the call's own, what else a layer keeps may be a snapshot's.
static StateRef *own_or_seen(Cx *cx, const Ast *st, StateRef *ref) {
  return st->num != 0 ? ref : state_seen(cx, ref);
}

// rows: as in StateRef.
static StateRef *new_state(Cx *cx, Env *env, const Ast *st, const char *name, Shape s, const Initial *from,
                           int rows) {
  if (cx->loaded) return loaded_tensor(cx, name, s, st->span);
  StateRef *ref = map_get(&cx->states, name);
  if (ref && (ref->init || !cx->initials)) return own_or_seen(cx, st, ref); // else it was only read so far
  const ParamRef *param = map_get(&cx->params, name);
  if (param) return twice(cx, name, st->span, param->origin), NULL;
  if (!may_have_state(cx, name, s, st->span)) return NULL;
  Initial own;
  if (!from && cx->initials) {
    if (!initial_begin(cx, env, st->kids[1], &own)) return NULL;
    from = &own;
  }
  Node *init = cx->initials ? initial_node(cx, env, from, s, st->name) : NULL;
  if (cx->initials && !init) return NULL;
  const bool outer = cx->stored;
  cx->stored |= !ref && !(cx->known && train_state(cx->t, name)) && is_beside(cx, name);
  if (!ref) ref = input_state(cx, name, s, st->span, rows);
  cx->stored = outer;
  ref->init = init;
  ref->layer = env->path && *env->path;
  return own_or_seen(cx, st, ref);
}

// `from`: its initial value, where it is given.
StateRef *make_state(Cx *cx, Env *env, const Ast *st, const char *name, Shape s, const Initial *from) {
  return new_state(cx, env, st, name, s, from, 0);
}

static const char *site_text(Cx *cx, const Site *s) {
  if (!s) return "";
  const char *outer = site_text(cx, s->outer);
  if (s->leaf) return arena_printf(cx->a, "%s %s", outer, s->leaf);
  return arena_printf(cx->a, "%s %d:%d", outer, s->at.source, s->at.start);
}

// Outside of models a state belongs to the calls that lead to its declaration, and to the tensors of trees
// that these are made for. All graphs of a training know it by the name that it got in the first one.
static const char *own_name(Cx *cx, const char *name) {
  const char *key = arena_printf(cx->a, "at%s %s", site_text(cx, cx->site), name);
  const char *known = map_get(cx->known ? &cx->t->build->sites : &cx->sites, key);
  if (known) return known;
  for (const Site *s = cx->site; s; s = s->outer)
    if (s->leaf) name = arena_printf(cx->a, "%s %s", name, s->leaf);
  const intptr_t count = (intptr_t)map_get(&cx->sites, name) + 1;
  map_put(&cx->sites, name, (void *)count);
  if (count > 1) name = arena_printf(cx->a, "%s %d", name, (int)count);
  map_put(&cx->sites, key, (void *)name);
  return name;
}

const char *state_name(Cx *cx, const Env *env, const Ast *state) {
  if (env->path && *env->path) return arena_printf(cx->a, "%s.%s", env->path, state->name);
  return own_name(cx, arena_printf(cx->a, "%s%s.%s", cx->update ? cx->update : "", env->def, state->name));
}

// One tensor that is kept, under the state's name.
static Value keep(Cx *cx, Env *env, const Ast *st, const StateRef *ref, const Dim *rows) {
  if (!ref) return v_fail();
  Value v = v_tensor(ref->node, st->span);
  const Dim **dims = dims_copy(cx, NULL, ref->node->shape.rank);
  if (rows) dims[0] = rows, v.dims = dims;
  v.text = ref->name;
  env_set(cx, env, st->name, v);
  return (Value){.kind = V_NONE};
}

static bool may_have_rows(Cx *cx, const Env *env, const Ast *st) {
  const char *where = env->path && *env->path ? "in a model: it belongs to a training"
                      : !cx->t || cx->view    ? "outside of a training"
                      : cx->least             ? "in a problem inside of a step"
                      : !cx->t->ast->kids[1]  ? "in a training without data"
                                              : NULL;
  if (!where) return true;
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_not_allowed_here, st->span,
                arena_printf(cx->a, "the state `%s[%s]`", st->name, ast_text(cx->a, st->kids[2])), where);
  if (cx->at.source && cx->at.start != st->span.start) diag_note(d, cx->at, "in this call");
  diag_hint(d,
            "it has a row for each row of the data that a loss, a penalty or a line of a `train` is about");
  return false;
}

// Which of a training's data these are the ids of, as StateRef.rows says it; 0 after a report.
static int data_of_ids(Cx *cx, const Value *ids) {
  if (ids->kind == V_FAIL) return 0;
  const bool field = ids->kind == V_FIELD && !ids->rows && (!ids->data || ids->data->further);
  if (field && !strcmp(field_data(cx, ids)->fields[ids->field].name, "id")) {
    for (int k = 0; ids->data && k < cx->t->further.len; k++)
      if (cx->t->further.data[k] == ids->data->further) return 2 + k;
    return 1;
  }
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, ids->span, "ids of rows", value_text(cx, ids));
  diag_hint(d,
            "`[sample]` has a row for each row of the training data, `[u.id]` for each of further data `u`");
  return 0;
}

// Its shape, or that of its start, which is then in *from and *start.
static bool kept_shape(Cx *cx, Env *env, const Ast *st, Shape *s, Initial *from, const Initial **start) {
  *start = NULL;
  if (st->kids[0]) return declared_shape(cx, env, st->kids[0], false, s);
  if (!initial_begin(cx, env, st->kids[1], from)) return false;
  const Node *n = from->initializer ? NULL : value_node(cx, &from->value);
  if (from->initializer)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, st->name_span,
              "a shape behind the name, as an initializer fills any", "none");
  if (n && !shape_count(n->shape))
    diag_emit(&cx->s->diags, DIAG_wrong_kind, st->kids[1]->span, "at least one element to keep",
              shape_text(cx->a, n->shape));
  if (!n || !shape_count(n->shape)) return false;
  *start = from;
  *s = n->shape;
  return true;
}

// A row for each row of the data.
static Value declare_rows(Cx *cx, Env *env, const Ast *st) {
  Shape s;
  Initial from;
  const Initial *start;
  if (st->kids[0] && st->kids[0]->kind == AST_LIKE) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, st->kids[0]->span, "the shape of one row",
              arena_printf(cx->a, "`%s`", ast_text(cx->a, st->kids[0])));
    return v_fail();
  }
  if (!may_have_rows(cx, env, st) || !kept_shape(cx, env, st, &s, &from, &start)) return v_fail();
  const Value ids = eval_expr(cx, env, st->kids[2]);
  const int rows = data_of_ids(cx, &ids);
  if (!rows || !rank_fits(cx, s.rank + 1, st->span)) return v_fail();
  const LowerFurther *f = rows > 1 ? cx->t->further.data[rows - 2] : NULL;
  memmove(s.dim + 1, s.dim, sizeof *s.dim * (size_t)s.rank);
  s.dim[0] = f ? part_named(cx->l->datasets.data[f->data], f->part)->nrows : cx->t->train_rows;
  s.rank++;
  if (!shape_fits(cx, s, st->span)) return v_fail();
  const StateRef *ref = new_state(cx, env, st, state_name(cx, env, st), s, start, rows);
  return keep(cx, env, st, ref, dim_of(value_dims(cx, &ids), 0));
}

// One tensor for each of a tree.
static Value declare_tree(Cx *cx, Env *env, const Ast *st, const Tree *t) {
  Tree *out = tree_new(cx, t->n);
  Initial from;
  if (cx->initials && !cx->loaded && !initial_begin(cx, env, st->kids[1], &from)) return v_fail();
  const char *own = state_name(cx, env, st);
  for (int i = 0; i < t->n; i++) {
    const char *name = arena_printf(cx->a, "%s %s", own, t->leaf[i].path);
    from.leaf = t->leaf[i].path;
    StateRef *ref = make_state(cx, env, st, name, t->leaf[i].node->shape, &from);
    if (!ref) return v_fail();
    out->leaf[i] = (Leaf){name, ref->node};
  }
  env_set(cx, env, st->name, v_tree(out, st->span));
  return (Value){.kind = V_NONE};
}

Value declare_state(Cx *cx, Env *env, const Ast *st) {
  cx->effects++;
  const Ast *shape = st->kids[0];
  env_set(cx, env, st->name, v_fail()); // until it is there, as for a parameter
  if (st->kids[2]) return declare_rows(cx, env, st);
  if (cx->least) {
    const Value v = declare_turn_state(cx, env, st);
    env_set(cx, env, st->name, v);
    return v.kind == V_FAIL ? v : (Value){.kind = V_NONE};
  }
  Shape s;
  Initial from;
  const Initial *start = NULL;
  if (shape && shape->kind == AST_LIKE) {
    const Value like = eval_expr(cx, env, shape->kids[0]);
    const Tree *t = tree_of(cx, &like);
    if (t) return declare_tree(cx, env, st, t);
    const Node *n = like.kind == V_FAIL ? NULL : value_node(cx, &like);
    if (!n) return v_fail();
    s = n->shape;
  } else if (!kept_shape(cx, env, st, &s, &from, &start)) {
    return v_fail();
  }
  return keep(cx, env, st, make_state(cx, env, st, state_name(cx, env, st), s, start), NULL);
}

// The new value of one state or parameter, of the old one's shape.
Node *fitting(Cx *cx, Node *n, Shape s, const Ast *at) {
  Shape whole;
  if (n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
  if (shape_broadcast(n->shape, s, &whole) && shape_equal(whole, s)) return graph_broadcast_to(cx->g, n, s);
  Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, at->span, arena_printf(cx->a, "`%s <-`", at->name),
                      shape_text(cx->a, s), shape_text(cx->a, n->shape));
  diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
  return NULL;
}

// The last batch of a pass has fewer lanes: nothing is behind it.
static bool keeps(const StateRef *ref, const Node *n) {
  return ref->rows || shape_equal(ref->shape, n->shape);
}

void set_state(Cx *cx, const char *name, Node *n) {
  if (set_carry(cx, name, n)) return;
  StateRef *ref = map_get(&cx->states, name);
  if (ref && keeps(ref, n)) ref->node = n;
}

States states_now(Cx *cx) {
  States s = {.node = ARENA_ARRAY(cx->a, Node *, cx->states.len + 1), .n = cx->states.len};
  for (int i = 0; i < s.n; i++) s.node[i] = ((StateRef *)cx->states.entries[i].value)->node;
  return s;
}

Node *state_of(const Cx *cx, const States *s, int i) {
  return i < s->n ? s->node[i] : ((StateRef *)cx->states.entries[i].value)->input;
}

void set_states(Cx *cx, const States *s) {
  for (int i = 0; i < cx->states.len; i++)
    ((StateRef *)cx->states.entries[i].value)->node = state_of(cx, s, i);
}

static void store(Cx *cx, const char *name, Node *n) {
  if (set_carry(cx, name, n)) return;
  StateRef *ref = map_get(&cx->states, name);
  const bool moves = (cx->training && !inside_average(cx)) || (ref && ref->carry);
  if (ref && moves && keeps(ref, n)) ref->node = n, ref->assigned = true;
}

// Evaluation reads what training left.
static bool is_still(const Cx *cx, const char *name) {
  const StateRef *ref = name && !cx->training ? map_get(&cx->states, name) : NULL;
  return ref && !ref->carry;
}

void assign_state(Cx *cx, Env *env, const Ast *assign, const Value *v) {
  cx->effects++;
  Value *old = env_get(env, assign->name);
  if (!old) return;
  Tree *before = old->kind == V_TREE ? old->tree : NULL, *after = tree_of(cx, v);
  const char *name = before && before->n ? before->leaf[0].path : old->text;
  if (is_still(cx, name)) return;
  if (before) {
    Node *single = after ? NULL : value_node(cx, v);
    if (!after && !single) return;
    if (after && after->n != before->n) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, assign->span, value_text(cx, old), value_text(cx, v));
      return;
    }
    Tree *t = ARENA_NEW(cx->a, Tree);
    *t = (Tree){before->n, ARENA_ARRAY(cx->a, Leaf, before->n + 1)};
    for (int i = 0; i < before->n; i++) {
      Node *n = fitting(cx, after ? after->leaf[i].node : single, before->leaf[i].node->shape, assign);
      if (!n) return;
      t->leaf[i] = (Leaf){before->leaf[i].path, n};
      store(cx, before->leaf[i].path, n);
    }
    env_set(cx, env, assign->name, named(cx, v_tree(t, assign->span)));
    return;
  }
  Node *n = value_node(cx, v);
  if (!n) return;
  if (old->kind == V_TENSOR && old->text) {
    n = fitting(cx, n, old->node->shape, assign);
    if (!n) return;
    store(cx, old->text, n);
  }
  Value now = named(cx, v_tensor(n, assign->span));
  now.text = old->text;
  env_set(cx, env, assign->name, now);
}
