// Selectors: `net.*.weight` picks from the parameters that were met so far. In: a selector, and where it
// starts from a value, that model. Out: a tree of the parameters, in the order in which they were declared.
#include "../base/words.h"
#include "builtins.h"
#include "model.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// A selector sees the parameters that are known so far.
static void selects(Cx *cx) {
  if (cx->params.len < cx->fewest) cx->fewest = cx->params.len;
}

// Of a model that follows another.
static Tree *average_tree(Cx *cx, const ModelValue *m) {
  Tree *t = model_tree(cx, m->of);
  for (int i = 0; i < t->n; i++) {
    Node *n = average_seen(cx, m, t->leaf[i].path);
    if (n) t->leaf[i].node = n;
  }
  return t;
}

static const ModelValue *average_within(const ModelValue *m) {
  while (m && !m->average) m = m->of;
  return m;
}

// An expression may ask a model for its parameters before it calls it, in a function that names it too.
static void meet_first(Cx *cx, const ModelValue *m) {
  if (!cx->view || cx->meeting || model_is_still(m)) return;
  for (int i = 0; i < cx->params.len; i++)
    if (model_owns(cx->l, m->name, cx->params.entries[i].key)) return;
  const int kept = cx->s->diags.list.len;
  const int64_t stream = cx->stream;
  struct Leaves *leaves = cx->leaves;
  cx->meeting = true;
  cx->leaves = NULL;
  if (!model_meet(cx, m, m->def->ast->name_span)) diags_forget(&cx->s->diags, kept); // who asks tells
  cx->meeting = false;
  cx->leaves = leaves;
  cx->stream = stream;
}

Tree *model_tree(Cx *cx, const ModelValue *m) {
  const ModelValue *average = average_within(m);
  meet_first(cx, m);
  selects(cx);
  if (average) return average_tree(cx, average);
  Tree *t = ARENA_NEW(cx->a, Tree);
  t->leaf = ARENA_ARRAY(cx->a, Leaf, cx->params.len + 1);
  for (int i = 0; i < cx->params.len && !model_is_still(m); i++) {
    ParamRef *p = cx->params.entries[i].value;
    if (model_owns(cx->l, m->name, p->path)) t->leaf[t->n++] = (Leaf){p->path, p->node};
  }
  return t;
}

// One segment of a selector against one of a path. A layer's name stands for all its instances that were
// named automatically, that of a stack or of several models for all of these.
static bool segment_matches(Cx *cx, const Segment *want, const char *path, size_t upto, size_t from) {
  size_t n = upto - from, base = strlen(want->name);
  if (!want->numbered && !strcmp(want->name, "*")) return true;
  if (!want->numbered && base == n && !strncmp(want->name, path + from, n)) return true;
  const size_t bracket = n > base && path[from + base] == '['; // of `g[2]`
  const char *site = bracket ? NULL : map_get(&cx->l->instances, arena_strndup(cx->a, path, upto));
  if (bracket ? strncmp(want->name, path + from, base) != 0
              : !site || strlen(site) < from || strcmp(site + from, want->name) != 0)
    return false;
  int64_t number = strtoll(path + from + base + bracket, NULL, 10);
  return !want->numbered || (number >= want->low && number < want->high);
}

// `*` matches one or more segments, so that net.*.weight reaches weights at any depth; behind the name of a
// stack also the number of its turn, `net.block.*.out`.
bool path_matches(Cx *cx, const Segment *segments, int n, const char *path, size_t from) {
  if (n == 0) return path[from] == '\0';
  if (path[from] == '\0') return false;
  size_t upto = from + strcspn(path + from, ".");
  size_t next = path[upto] ? upto + 1 : upto;
  if (!segment_matches(cx, segments, path, upto, from)) return false;
  if (path_matches(cx, segments + 1, n - 1, path, next)) return true;
  const size_t base = from + strlen(segments->name);
  const bool turn =
      n > 1 && !segments->numbered && upto > base && path[base] == '[' && !strcmp(segments[1].name, "*");
  if (turn && path_matches(cx, segments + 2, n - 2, path, next)) return true;
  return !strcmp(segments->name, "*") && path_matches(cx, segments, n, path, next);
}

static bool segment_bound(Cx *cx, const Ast *e, int64_t *out) {
  if (!e) return true;
  Value v = eval_expr(cx, env_new(cx, NULL, "", ""), e);
  double d;
  if (!value_number(cx, &v, "an instance's number", &d)) return false;
  *out = fabs(d) < INT32_MAX ? (int64_t)d : d > 0 ? INT32_MAX : -1;
  return true;
}

int selector_segments(Cx *cx, const Ast *e, const ModelValue *root, Segment *out) {
  const Ast *name = e->kind == AST_INDEX ? e->kids[0] : e;
  const bool starts = root && name->kind != AST_FIELD;
  const bool named = starts || name->kind == AST_NAME || name->kind == AST_FIELD;
  int n = named && name->kind == AST_FIELD ? selector_segments(cx, name->kids[0], root, out) : 0;
  if (!named || (name->kind == AST_FIELD && n == 0) || n == MAX_SEGMENTS) {
    if (!named || n == MAX_SEGMENTS)
      diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a selector such as net.*.weight",
                ast_kind_name(e->kind));
    return 0;
  }
  const bool numbered = name != e && !(starts && !root->nitems); // else the index is in the root's name
  out[n] = (Segment){.name = starts ? root->name : name->name, .numbered = numbered, .high = INT64_MAX};
  if (numbered) {
    const Ast *at = e->kids[1];
    bool range = at->kind == AST_RANGE;
    if (!segment_bound(cx, range ? at->kids[0] : at, &out[n].low)) return 0;
    if (range ? !segment_bound(cx, at->kids[1], &out[n].high) : (out[n].high = out[n].low + 1, false))
      return 0;
  }
  return n + 1;
}

// Whether a path is that of the selector, or below it. `net.*` are also the parameters of models that `net`
// calls.
static bool selected(Cx *cx, const Segment *segments, int n, const char *path) {
  if (path_matches(cx, segments, n, path, 0) || path_matches(cx, segments, n + 1, path, 0)) return true;
  const bool all = n >= 2 && !segments->numbered && !strcmp(segments[1].name, "*");
  if (!all || !model_owns(cx->l, segments->name, path)) return false;
  const size_t root = strcspn(path, ".") + 1;
  return path_matches(cx, segments + 1, n - 1, path, root) || path_matches(cx, segments + 1, n, path, root);
}

// -- roles

static const char *role_named(Builtin b) {
  return b == B_WEIGHTS ? "weight" : b == B_BIASES ? "bias" : b == B_NORMS ? "norm" : NULL;
}

// The role that a selector such as `weights(net)` asks for; NULL: it is no such call.
static const char *role_asked(Cx *cx, const Ast *e) {
  const Ast *callee = e->kind == AST_CALL && e->nkids == 2 ? e->kids[0] : NULL;
  const int b =
      callee && callee->kind == AST_NAME && !find_def(cx, callee->name) ? builtin_find(callee->name) : -1;
  return b < 0 ? NULL : role_named((Builtin)b);
}

// States that follow a tree are called by theirs and by the parameter.
static const char *leaf_path(const char *path) {
  const char *blank = strrchr(path, ' ');
  return blank ? blank + 1 : path;
}

static bool has_role(Cx *cx, const char *path, const char *role) {
  const char *of = map_get(&cx->l->roles, leaf_path(path));
  return of && !strcmp(of, role);
}

Value call_role(Cx *cx, const Args *a) {
  const Tree *t = tree_of(cx, a->v[0]);
  Tree *out = tree_new(cx, t->n);
  const char *role = role_named(a->b);
  out->n = 0;
  for (int i = 0; i < t->n; i++)
    if (has_role(cx, t->leaf[i].path, role)) out->leaf[out->n++] = t->leaf[i];
  if (out->n) return v_tree(out, a->at);
  Diag *d = diag_emit(&cx->s->diags, DIAG_selector_empty, a->at, builtin_info[a->b].name);
  diag_note(d, (Span){0}, "no parameter here has the role `%s`: `param NAME: SHAPE as %s = …` gives it", role,
            role);
  return v_fail();
}

Value call_only(Cx *cx, const Args *a) {
  const Tree *t = tree_of(cx, a->v[0]), *of = tree_of(cx, a->v[1]);
  const Value all = v_tree((Tree *)t, a->at);
  if (a->v[1]->kind == V_BOOL && a->v[1]->num != 0) return all;
  if (!of) return binary(cx, OPR_MUL, &all, a->v[1], a->at);
  Tree *out = tree_new(cx, t->n);
  for (int i = 0; i < t->n; i++) {
    bool kept = false;
    for (int k = 0; k < of->n && !kept; k++)
      kept = !strcmp(leaf_path(of->leaf[k].path), leaf_path(t->leaf[i].path));
    Node *own = t->leaf[i].node;
    out->leaf[i] = (Leaf){t->leaf[i].path, kept ? own : graph_const(cx->g, 0, own->shape)};
  }
  return v_tree(out, a->at);
}

// -- matches

// A model by its name alone: all its parameters, those of the models that it calls too.
static bool names_model(Cx *cx, const Ast *e) {
  const Def *d = e->kind == AST_NAME ? sema_find(cx->l->program, e->name) : NULL;
  return d && d->kind == KIND_MODEL;
}

// Marks what a selector matches.
static bool mark(Cx *cx, const Ast *e, const ModelValue *root, bool *hit) {
  if (e->kind == AST_EXCEPT) {
    bool *not = ARENA_ARRAY(cx->a, bool, cx->params.len + 1);
    if (!mark(cx, e->kids[0], root, hit) || !mark(cx, e->kids[1], root, not)) return false;
    for (int i = 0; i < cx->params.len; i++) hit[i] = hit[i] && !not[i];
    return true;
  }
  const char *role = role_asked(cx, e);
  if (role) {
    if (!mark(cx, e->kids[1]->kids[0], root, hit)) return false;
    for (int i = 0; i < cx->params.len; i++) hit[i] = hit[i] && has_role(cx, cx->params.entries[i].key, role);
    return true;
  }
  Segment segments[MAX_SEGMENTS + 1];
  int n = selector_segments(cx, e, root, segments);
  if (n == 0) return false;
  segments[n] = (Segment){.name = "*"};
  for (int i = 0; i < cx->params.len; i++) {
    const char *path = cx->params.entries[i].key;
    hit[i] |= selected(cx, segments, n, path) || (names_model(cx, e) && model_owns(cx->l, e->name, path));
  }
  return true;
}

// The nearest of the names that paths are made of.
static void suggest_segment(Cx *cx, Diag *d, const char *name) {
  VEC(const char *) segments = {0};
  for (int i = 0; i < cx->params.len; i++)
    for (const char *at = cx->params.entries[i].key; *at; at += *at == '.') {
      const size_t n = strcspn(at, ".");
      vec_push(cx->a, segments, arena_strndup(cx->a, at, n));
      at += n;
    }
  const char *near = nearest_name(name, segments.data, segments.len);
  if (near) diag_hint(d, "did you mean `%s`?", near);
}

bool selects_param(Cx *cx, const Ast *e, const ModelValue *root, const char *path) {
  if (e->kind == AST_EXCEPT)
    return selects_param(cx, e->kids[0], root, path) && !selects_param(cx, e->kids[1], root, path);
  const char *role = role_asked(cx, e);
  if (role) return has_role(cx, path, role) && selects_param(cx, e->kids[1]->kids[0], root, path);
  Segment segments[MAX_SEGMENTS + 1];
  int n = selector_segments(cx, e, root, segments);
  segments[n] = (Segment){.name = "*"};
  return n && selected(cx, segments, n, path);
}

// What a selector such as `seen(d).hidden.weight` finds in a tree that is no model's own: paths behind the
// model's name.
static Value tree_field(Cx *cx, const Tree *tree, const Ast *e, const Ast *root) {
  Tree *t = tree_new(cx, tree->n);
  Segment segments[MAX_SEGMENTS + 1];
  static const ModelValue any = {.name = "*"};
  const int n = selector_segments(cx, e, &any, segments);
  const char *rest = ast_text(cx->a, e) + strlen(ast_text(cx->a, root));
  segments[n] = (Segment){.name = "*"};
  t->n = 0;
  for (int i = 0; i < tree->n && n; i++) {
    const char *path = tree->leaf[i].path, *inner = path + strcspn(path, ".");
    if (!strcmp(inner, rest)) return v_tensor(tree->leaf[i].node, e->span);
    const size_t from = *inner ? (size_t)(inner + 1 - path) : 0;
    if (path_matches(cx, segments + 1, n - 1, path, from) || path_matches(cx, segments + 1, n, path, from))
      t->leaf[t->n++] = tree->leaf[i];
  }
  if (t->n) return v_tree(t, e->span);
  if (!n) return v_fail();
  Diag *d = diag_emit(&cx->s->diags, DIAG_selector_empty, e->span, ast_text(cx->a, e));
  StrBuf list = {.arena = cx->a};
  for (int i = 0; i < tree->n; i++) strbuf_addf(&list, "%s%s", i ? ", " : "", tree->leaf[i].path);
  if (tree->n) diag_note(d, (Span){0}, "its tensors are %s", list.data);
  return v_fail();
}

static Tree *select_from(Cx *cx, const Ast *selector, const ModelValue *root) {
  if (root) meet_first(cx, root);
  bool *hit = ARENA_ARRAY(cx->a, bool, cx->params.len + 1);
  selects(cx);
  if (!mark(cx, selector, root, hit)) return NULL;
  Tree *t = ARENA_NEW(cx->a, Tree);
  t->leaf = ARENA_ARRAY(cx->a, Leaf, cx->params.len + 1);
  for (int i = 0; i < cx->params.len; i++) {
    ParamRef *p = cx->params.entries[i].value;
    if (hit[i]) t->leaf[t->n++] = (Leaf){p->path, p->node};
  }
  if (t->n) return t;
  Diag *d = diag_emit(&cx->s->diags, DIAG_selector_empty, selector->span, ast_text(cx->a, selector));
  const char **paths = ARENA_ARRAY(cx->a, const char *, cx->params.len + 1);
  StrBuf list = {.arena = cx->a};
  for (int i = 0; i < cx->params.len; i++) {
    paths[i] = cx->params.entries[i].key;
    strbuf_addf(&list, "%s%s", i ? ", " : "", paths[i]);
  }
  if (cx->params.len) diag_note(d, (Span){0}, "the parameters are %s", list.data);
  const char *near = nearest_name(ast_text(cx->a, selector), paths, cx->params.len);
  if (near)
    diag_hint(d, "did you mean `%s`?", near);
  else if (selector->kind == AST_FIELD && !word_hint(d, selector->name, WORD_FIELD, NULL, 0))
    suggest_segment(cx, d, selector->name);
  return NULL;
}

Tree *select_params(Cx *cx, const Ast *selector) { return select_from(cx, selector, NULL); }

const Ast *selector_root(const Ast *e) {
  while (e->kind == AST_FIELD || (e->kind == AST_INDEX && e->kids[0]->kind == AST_FIELD)) e = e->kids[0];
  return e;
}

// `g[2..]` are several models.
static Value root_value(Cx *cx, Env *env, const Ast *root) {
  if (root->kind == AST_INDEX && root->kids[1]->kind == AST_RANGE) {
    const Value all = eval_expr(cx, env, root->kids[0]);
    if (all.kind == V_FAIL || (all.kind == V_MODEL && all.model->nitems)) return all;
  }
  return eval_expr(cx, env, root);
}

// `record`: a name whose parts are results.
static Value no_part(Cx *cx, const Value *base, const Ast *e, const char *record) {
  const char *text = ast_text(cx->a, e), *near = record ? held_near(cx, text) : NULL;
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_field, e->span,
                      record ? arena_printf(cx->a, "`%s`", record) : value_text(cx, base),
                      record ? text + strlen(record) + 1 : e->name);
  if (near)
    diag_hint(d, "did you mean `%s`?", near);
  else if (!word_hint(d, e->name, WORD_FIELD, NULL, 0))
    sema_suggest_call(cx->l->program, d, e);
  return v_fail();
}

// `net.hidden`: a named value of the model's last call, a parameter, or a part of its tree; `digits.train`: a
// part of the data.
Value model_field(Cx *cx, Env *env, const Ast *e) {
  const Ast *root = selector_root(e);
  Value held;
  const char *text = ast_text(cx->a, e);
  const bool here = root->kind == AST_NAME && !env_get(env, root->name);
  if (here && (held_value(cx, text, &held) || (late_result(cx, e) && held_value(cx, text, &held)))) {
    held.span = e->span;
    return held;
  }
  Value base = root_value(cx, env, root);
  if (base.kind == V_FAIL) return base;
  if (base.kind == V_DATA)
    return cx->view || cx->of_data || cx->line || base.data->further ? data_field(cx, env, e)
                                                                     : eval_data(cx, env, e);
  if (base.inside) return inside_field(cx, &base, e);
  if (base.kind == V_TREE) return tree_field(cx, base.tree, e, root);
  if (base.kind == V_STATES) return states_field(cx, &base, e, root);
  if (base.kind != V_MODEL) return no_part(cx, &base, e, here && base.kind == V_NONE ? root->name : NULL);
  if (e->kids[0] == root && e->kind == AST_FIELD) {
    const Value *named = inside_as(cx, base.model->last, e->name);
    if (named) {
      Value v = *named;
      v.span = e->span;
      return v;
    }
  }
  if (average_within(base.model)) return tree_field(cx, model_tree(cx, base.model), e, root);
  Tree *t = select_from(cx, e, base.model);
  if (!t) return v_fail();
  const char *path =
      arena_printf(cx->a, "%s%s", base.model->name, ast_text(cx->a, e) + strlen(ast_text(cx->a, root)));
  const bool one = t->n == 1 && !strcmp(t->leaf[0].path, path); // else a tree, of one tensor too
  return one ? v_tensor(t->leaf[0].node, e->span) : v_tree(t, e->span);
}
