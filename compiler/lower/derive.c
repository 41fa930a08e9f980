// Models seen through something: `net at T`, whose parameters are read from a tree, and `net with w in S as
// e`. In: a parameter or a named value of a model's body, while the model is called. Out: what the body sees
// in its place. Holds: what an expression declares lies under the derived model's own name and the path of
// what it takes the place of, `d.hidden.weight.a`; it is seen by the derivations further out as other
// parameters are.
#include "builtins.h"
#include "model.h"
#include <string.h>

void seeing_begin(Cx *cx, Seeing *s, const ModelValue *m) {
  *s = (Seeing){.outer = cx->seeing, .model = m, .loaded = cx->loaded};
  cx->seeing = s;
}

static void tell_parameters(Cx *cx, Diag *d) {
  StrBuf list = {.arena = cx->a};
  for (int i = 0; i < cx->params.len; i++)
    strbuf_addf(&list, "%s%s", i ? ", " : "", cx->params.entries[i].key);
  if (cx->params.len) diag_note(d, (Span){0}, "the parameters are %s", list.data);
}

bool seeing_end(Cx *cx, const Seeing *s, bool failed, Span at) {
  cx->seeing = s->outer;
  if (s->found || failed) return true;
  const Ast *e = s->model->seen, *selector = e ? e->kids[2]->kids[0] : NULL;
  Diag *d = selector
                ? diag_emit(&cx->s->diags, DIAG_selector_empty, selector->span, ast_text(cx->a, selector))
                : diag_emit(&cx->s->diags, DIAG_wrong_kind, at,
                            arena_printf(cx->a, "a tree of parameters of `%s`", s->model->name),
                            "a tree of others");
  tell_parameters(cx, d);
  return false;
}

// -- trees

static const Leaf *leaf_of(const Tree *t, const char *path) {
  for (int i = 0; i < t->n; i++)
    if (!strcmp(t->leaf[i].path, path)) return &t->leaf[i];
  return NULL;
}

static bool same_shape(Cx *cx, const char *path, const char *by, Shape own, const Node *n, Span at) {
  if (shape_equal(own, n->shape)) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, arena_printf(cx->a, "`%s` in `%s`", path, by),
                      shape_text(cx->a, own), shape_text(cx->a, n->shape));
  if (n->origin.source) diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
  return false;
}

// -- derivations

bool beside(Cx *cx, const Value *v, const char *path, Value *out) {
  const Tree *t = tree_of(cx, v);
  *out = *v;
  if (!t) return true;
  const Leaf *leaf = leaf_of(t, path);
  for (int i = 0; i < t->n && !leaf; i++)
    if (!strcmp(t->leaf[i].path + strcspn(t->leaf[i].path, "."), path + strcspn(path, ".")))
      leaf = &t->leaf[i];
  if (leaf) {
    *out = v_tensor(leaf->node, v->span);
    return true;
  }
  Diag *d = diag_emit(&cx->s->diags, DIAG_selector_empty, v->span, path);
  diag_note(d, (Span){0}, "the tree beside it has no tensor of this name");
  return false;
}

// The derivation's expression with its first name bound to v, as a value of the path `where`.
static Value seen_through(Cx *cx, Seeing *s, const char *path, const char *where, Value v) {
  const Ast *e = s->model->seen, *names = e->kids[1], *sources = e->kids[2];
  const char *dot = strrchr(where, '.');
  const bool call = e->kids[3]->kind == AST_CALL || e->kids[3]->kind == AST_PIPE;
  Env *env =
      env_new(cx, NULL, call ? arena_strndup(cx->a, where, (size_t)(dot - where)) : where, s->model->name);
  Seeing *inside = cx->seeing;
  const ModelValue *loaded = cx->loaded;
  const Within outer = text_enter(cx, s->model->text);
  cx->seeing = s->outer;
  cx->loaded = s->loaded;
  env_set(cx, env, names->kids[0]->name, named(cx, v));
  bool ok = names->nkids == sources->nkids;
  if (!ok)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, names->span, arena_printf(cx->a, "%d names", sources->nkids),
              arena_printf(cx->a, "%d", names->nkids));
  for (int i = 1; i < names->nkids && ok; i++) {
    Value source = eval_expr(cx, env_new(cx, NULL, "", ""), sources->kids[i]), other;
    ok = source.kind != V_FAIL && beside(cx, &source, path, &other);
    if (ok) env_set(cx, env, names->kids[i]->name, named(cx, other));
  }
  const Value out = ok ? eval_instance(cx, env, e->kids[3], call ? dot + 1 : NULL) : v_fail();
  cx->seeing = inside;
  text_leave(cx, outer);
  cx->loaded = loaded;
  return out;
}

// Where parameters of a derivation lie: several of one definition are told apart.
static const char *place(Cx *cx, const ModelValue *m, const char *inner) {
  return m->level ? arena_printf(cx->a, "%s.%s.with%d", m->name, inner, m->level + 1)
                  : arena_printf(cx->a, "%s.%s", m->name, inner);
}

// The model that a derivation's selectors start from, where they name the one whose structure it has.
static const ModelValue *root_of(const Ast *selector, const ModelValue *m) {
  while (selector->kind == AST_EXCEPT || selector->kind == AST_FIELD || selector->kind == AST_CALL)
    selector =
        selector->kind == AST_CALL && selector->nkids > 1 ? selector->kids[1]->kids[0] : selector->kids[0];
  while (m->of) m = m->of;
  return selector->kind == AST_NAME && !strcmp(selector->name, m->def->name) ? m : NULL;
}

// Does the model's body give a value this name? Then `net.NAME` is that value, and no tree of parameters.
static bool names_value(const Ast *e, const char *name) {
  if (!e) return false;
  if ((e->kind == AST_AS || e->kind == AST_BIND) && !strcmp(e->name, name)) return true;
  for (int i = 0; i < e->nkids; i++)
    if (names_value(e->kids[i], name)) return true;
  return false;
}

// Is it called so, or what it is made of?
static bool is_called(const ModelValue *m, const char *name) {
  for (const ModelValue *of = m; of; of = of->of)
    if (!strcmp(of->name, name)) return true;
  return !strcmp(m->def->name, name);
}

static const Ast *stack_named(const Ast *e, const char *name) {
  const Ast *found = e && e->kind == AST_STACK && !strcmp(e->name, name) ? e : NULL;
  for (int i = 0; e && i < e->nkids && !found; i++) found = stack_named(e->kids[i], name);
  return found;
}

// Is the selector that of values of the model's body: `net.hidden`, or `net.block.*.out` of its stack?
static bool sees_value(const ModelValue *m) {
  const Ast *selector = m->seen ? m->seen->kids[2]->kids[0] : NULL, *body = m->def->ast->kids[2];
  if (!selector || selector->kind != AST_FIELD) return false;
  const Ast *first = selector; // behind the model's name
  while (first->kids[0]->kind == AST_FIELD || first->kids[0]->kind == AST_INDEX) first = first->kids[0];
  if (first->kids[0]->kind != AST_NAME || !is_called(m, first->kids[0]->name)) return false;
  if (first != selector) body = first->kind == AST_FIELD ? stack_named(body, first->name) : NULL;
  return names_value(body, selector->name);
}

static bool selects_value(Cx *cx, const ModelValue *m, const char *path, size_t from) {
  static const ModelValue any = {.name = "*"};
  Segment segments[MAX_SEGMENTS + 1];
  const int n = sees_value(m) ? selector_segments(cx, m->seen->kids[2]->kids[0], &any, segments) : 0;
  return n && path_matches(cx, segments + 1, n - 1, path, from);
}

Node *param_seen(Cx *cx, const char *path, Node *own) {
  const Shape shape = own->shape;
  for (Seeing *s = cx->seeing; s; s = s->outer) { // what is read from a tree comes first
    const Leaf *leaf = s->model->at ? leaf_of(s->model->at, path) : NULL;
    if (!leaf && !s->model->average) continue;
    s->found++;
    own = leaf ? leaf->node : average_seen(cx, s->model, path);
    if (!own) return NULL;
    if (!same_shape(cx, path, s->model->name, shape, own, own->origin)) return NULL;
    break;
  }
  for (Seeing *s = cx->seeing; s; s = s->outer) {
    const ModelValue *m = s->model;
    const Ast *selector = m->seen ? m->seen->kids[2]->kids[0] : NULL;
    if (!selector || sees_value(m) || !selects_param(cx, selector, root_of(selector, m), path)) continue;
    s->found++;
    Value v = v_tensor(own, selector->span);
    v = seen_through(cx, s, path, place(cx, m, path + strcspn(path, ".") + 1), v);
    own = v.kind == V_FAIL ? NULL : value_floats(cx, &v);
    if (!own || !same_shape(cx, path, m->name, shape, own, m->seen->kids[3]->span)) return NULL;
  }
  return own;
}

// The scope of the model's own body, or of a turn of a stack in it.
static bool is_own(const ModelValue *m, const Env *env) {
  const size_t n = strlen(m->path);
  return env->path && !strncmp(env->path, m->path, n) && (!env->path[n] || env->path[n] == '.') &&
         !strcmp(env->def, m->def->name);
}

Value value_seen(Cx *cx, const Env *env, const char *name, Value v) {
  if (!cx->seeing || !cx->leaf || !is_own(cx->leaf, env)) return v;
  const char *path = arena_printf(cx->a, "%s.%s", env->path, name);
  const size_t from = strlen(cx->leaf->path) + 1;
  for (Seeing *s = cx->seeing; s && v.kind != V_FAIL; s = s->outer) {
    if (!selects_value(cx, s->model, path, from)) continue;
    s->found++;
    v = seen_through(cx, s, path + from, place(cx, s->model, path + from), v);
  }
  return v;
}

// What leaves of the model see in the place of their parameters, from m on inwards.
static bool see_all(Cx *cx, const ModelValue *m, Tree *t, Span at) {
  if (m->of) {
    Seeing s;
    seeing_begin(cx, &s, m);
    s.found = m->seen && sees_value(m); // its parameters are seen as they are
    const bool ok = see_all(cx, m->of, t, at);
    return seeing_end(cx, &s, !ok, at) && ok;
  }
  const Tree *own = model_tree(cx, m);
  *t = *tree_new(cx, own->n);
  for (int i = 0; i < own->n; i++) {
    Node *n = param_seen(cx, own->leaf[i].path, own->leaf[i].node);
    if (!n) return false;
    t->leaf[i] = (Leaf){own->leaf[i].path, n};
  }
  return true;
}

Value call_seen(Cx *cx, const Args *a) {
  const ModelValue *m = a->v[0]->model;
  Tree *t = ARENA_NEW(cx->a, Tree);
  if (!model_meet(cx, m, a->at)) return v_fail();
  Map counters = cx->counters;
  map_init(&cx->counters, cx->a);
  const bool ok = see_all(cx, m, t, a->at);
  cx->counters = counters;
  return ok ? v_tree(t, a->at) : v_fail();
}
