// Builders of tree nodes, called by the grammar. In: parts and the span of the whole. Out: a node with the
// layout of ast.def; no deeper than AST_MAX_DEPTH (a deeper one is reported once and becomes AST_ERROR).
#include "build.h"
#include "../base/words.h"
#include <string.h>

static Ast *node_of(ParseContext *p, AstKind kind, Span span, Ast *const *kids, int n) {
  Ast *a = ARENA_NEW(p->arena, Ast);
  *a = (Ast){.kind = kind, .span = span, .nkids = n, .depth = 1, .links = 1};
  if (n) {
    a->kids = ARENA_ARRAY(p->arena, Ast *, n);
    memcpy(a->kids, kids, sizeof *kids * (size_t)n);
  }
  const Ast *next = ast_next_link(a);
  if (next) a->links = next->links + 1;
  for (int i = 0; i < n; i++) {
    const int depth = kids[i] ? kids[i]->depth + (kids[i] != next) : 0;
    if (depth > a->depth) a->depth = depth;
  }
  if (a->depth <= AST_MAX_DEPTH && a->links <= AST_MAX_LINKS) return a;
  if (a->links > AST_MAX_LINKS)
    too_long(p, span);
  else
    too_deep(p, span);
  *a = (Ast){.kind = AST_ERROR, .span = span, .depth = 1, .links = 1};
  return a;
}

#define NODE(kind, ...)                                                                                      \
  node_of(p, kind, span, (Ast *[]){__VA_ARGS__}, (int)(sizeof(Ast *[]){__VA_ARGS__} / sizeof(Ast *)))
#define LEAF(kind) node_of(p, kind, span, NULL, 0)

static Ast *named(Ast *a, const char *name, Span span) {
  a->name = name;
  a->name_span = span;
  return a;
}

static Ast *with_op(Ast *a, int op) {
  a->op = op;
  return a;
}

// A node with `first` kids and then a list's.
static Ast *node_and_list(ParseContext *p, AstKind kind, Span span, Ast *const *first, int n,
                          const AstList *rest) {
  AstList all = {0};
  for (int i = 0; i < n; i++) vec_push(p->arena, all, first[i]);
  for (int i = 0; i < rest->len; i++) vec_push(p->arena, all, rest->data[i]);
  return node_of(p, kind, span, all.data, all.len);
}

static Span list_span(const AstList *list) {
  return list->len ? span_join(list->data[0]->span, list->data[list->len - 1]->span) : (Span){0};
}

AstList *list_new(ParseContext *p, Ast *first) {
  AstList *list = ARENA_NEW(p->arena, AstList);
  return first ? list_add(p, list, first) : list;
}

AstList *list_add(ParseContext *p, AstList *list, Ast *a) {
  vec_push(p->arena, *list, a);
  return list;
}

Ast *ast_error(ParseContext *p, Span span) { return LEAF(AST_ERROR); }

Ast *ast_number(ParseContext *p, Span span, Token t, const Token *unit) {
  Ast *a = LEAF(AST_NUM);
  a->num = t.num;
  a->text = t.text;
  if (t.percent)
    named(a, "%", (Span){span.source, t.span.end - 1, t.span.end});
  else if (unit)
    named(a, unit->text, unit->span);
  return a;
}

Ast *ast_string(ParseContext *p, Span span, Token t) { return named(LEAF(AST_STR), t.text, span); }

Ast *ast_bool(ParseContext *p, Span span, bool value) {
  Ast *a = LEAF(AST_BOOL);
  a->num = value;
  return a;
}

Ast *ast_name(ParseContext *p, Span span, Token t) { return named(LEAF(AST_NAME), t.text, span); }
Ast *ast_star(ParseContext *p, Span span) { return named(LEAF(AST_NAME), "*", span); }

Ast *ast_field(ParseContext *p, Span span, Ast *of, Span name_span, const char *name) {
  if (strcmp(name, "*") == 0) name_span.start = name_span.end - 1; // the token is `.*`
  return named(NODE(AST_FIELD, of), name, name_span);
}

Ast *ast_index(ParseContext *p, Span span, Ast *of, AstList *indices) {
  return node_and_list(p, AST_INDEX, span, &of, 1, indices);
}

Ast *ast_call(ParseContext *p, Span span, Ast *callee, AstList *args) {
  return node_and_list(p, AST_CALL, span, &callee, 1, args);
}

Ast *ast_call_of(ParseContext *p, Span span, Ast *callee, AstList *args) {
  switch (callee->kind) {
  case AST_NAME:
  case AST_FIELD:
  case AST_INDEX:
  case AST_CALL:
  case AST_IF:
  case AST_AT:
  case AST_WHERE: // data, whose batches are meant
  case AST_WITH: return ast_call(p, span, callee, args);
  default: break;
  }
  Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, callee->span, "a function in front of `(`",
                      arena_printf(p->arena, "a %s", ast_kind_name(callee->kind)));
  diag_hint(d, "a product is written with `*`: `(…) * (…)`");
  return ast_error(p, span);
}

Ast *ast_arg(ParseContext *p, Span span, const Token *name, Ast *value) {
  Ast *a = NODE(AST_ARG, value);
  return name ? named(a, name->text, name->span) : a;
}

Ast *ast_unary(ParseContext *p, Span span, Opr op, Ast *a) { return with_op(NODE(AST_UNARY, a), op); }
Ast *ast_binary(ParseContext *p, Span span, Opr op, Ast *a, Ast *b) {
  return with_op(NODE(AST_BINARY, a, b), op);
}
Ast *ast_pair(ParseContext *p, Span span, AstKind kind, Ast *a, Ast *b) { return NODE(kind, a, b); }

Ast *ast_range(ParseContext *p, Span span, Ast *from, Ast *to) {
  return from || to ? NODE(AST_RANGE, from, to) : LEAF(AST_ELLIPSIS);
}

Ast *ast_triple(ParseContext *p, Span span, AstKind kind, Ast *a, Ast *b, Ast *c) {
  return NODE(kind, a, b, c);
}
Ast *ast_with(ParseContext *p, Span span, Ast *a, AstList *parts) {
  return node_and_list(p, AST_WITH, span, &a, 1, parts);
}
Ast *ast_column(ParseContext *p, Span span, Token name, Ast *value, Ast *part) {
  return named(NODE(AST_COLUMN, value, part), name.text, name.span);
}
Ast *ast_table(ParseContext *p, Span span, AstList *args, Ast *block) {
  return node_and_list(p, AST_TABLE, span, &block, 1, args);
}
Ast *ast_as(ParseContext *p, Span span, Ast *a, Token name) {
  return named(NODE(AST_AS, a), name.text, name.span);
}

Ast *ast_new(ParseContext *p, Span span, Ast *of) { return NODE(AST_NEW, of); }

// In a list `batch..` stands for any leading dimensions; in an index it is a range.
Ast *ast_list(ParseContext *p, Span span, AstList *elements) {
  for (int i = 0; i < elements->len; i++) {
    Ast *e = elements->data[i];
    if (e->kind == AST_RANGE && !e->kids[1] && e->kids[0]->kind == AST_NAME)
      elements->data[i] =
          named(node_of(p, AST_ELLIPSIS, e->span, NULL, 0), e->kids[0]->name, e->kids[0]->name_span);
  }
  return node_of(p, AST_LIST, span, elements->data, elements->len);
}

Ast *ast_like(ParseContext *p, Span span, Ast *a) { return NODE(AST_LIKE, a); }

Ast *ast_block(ParseContext *p, Span span, AstList *statements) {
  return node_of(p, AST_BLOCK, span, statements->data, statements->len);
}

Ast *ast_bind(ParseContext *p, Span span, AstKind kind, Token name, Ast *value) {
  return named(NODE(kind, value), name.text, name.span);
}

static void check_role(ParseContext *p, const Ast *role) {
  static const char *const roles[] = {"weight", "bias", "norm"};
  enum { ROLES = sizeof roles / sizeof *roles };
  for (int i = 0; i < ROLES; i++)
    if (!strcmp(roles[i], role->name)) return;
  Diag *d =
      diag_emit(&p->session->diags, DIAG_wrong_kind, role->span,
                "the role of a parameter (weight, bias, norm)", arena_printf(p->arena, "`%s`", role->name));
  const char *near = nearest_name(role->name, roles, ROLES);
  if (near) diag_hint(d, "did you mean `%s`?", near);
}

Ast *ast_param(ParseContext *p, Span span, Token name, Ast *shape, Ast *role, Opr how, Ast *value,
               Ast *condition) {
  if (role) check_role(p, role);
  return named(with_op(NODE(AST_PARAM, shape, value, condition, role), how), name.text, name.span);
}

Ast *ast_state(ParseContext *p, Span span, Token name, Ast *row, Ast *shape, Opr how, Ast *value) {
  return named(with_op(NODE(AST_STATE, shape, value, row), how), name.text, name.span);
}

Ast *ast_carry(ParseContext *p, Span span, Token name, Ast *shape, Ast *value) {
  Ast *a = ast_state(p, span, name, NULL, shape, OPR_SET, value);
  a->num = 1;
  return a;
}

// `n as i` is parsed as the count.
Ast *ast_repeat(ParseContext *p, Span span, Ast *count, Ast *block) {
  const Ast *as = count->kind == AST_AS ? count : NULL;
  Ast *a = NODE(AST_REPEAT, as ? as->kids[0] : count, block);
  return as ? named(a, as->name, as->name_span) : a;
}

static Ast *list_node(ParseContext *p, const AstList *list) {
  return node_of(p, AST_LIST, list_span(list), list->data, list->len);
}

Ast *ast_for(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *along, Ast *block) {
  return NODE(AST_FOR, list_node(p, names), list_node(p, sources), along, block);
}

Ast *ast_while(ParseContext *p, Span span, Ast *condition, Token at, Token most, Ast *bound, Ast *block) {
  const bool ends = !strcmp(at.text, "up") && !strcmp(most.text, "to");
  if (!ends && (strcmp(at.text, "at") != 0 || strcmp(most.text, "most") != 0)) {
    Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, span_join(at.span, most.span),
                        "`at most` or `up to`", arena_printf(p->arena, "`%s %s`", at.text, most.text));
    diag_hint(d, "`while c, at most 50 { ... }` stops the run where 50 turns are not enough, `up to 50` ends "
                 "the loop");
  }
  Ast *a = NODE(AST_WHILE, condition, bound, block);
  a->num = ends;
  return a;
}

// The grammar took it for a part of the expression that it stands behind, such as `d where y < 5 as low`.
static const Ast *take_as(Ast **at) {
  Ast *a = *at;
  switch (a->kind) {
  case AST_AS: *at = a->kids[0]; return a;
  case AST_COLUMN: return take_as(&a->kids[a->kids[1] ? 1 : 0]);
  case AST_FURTHER:
  case AST_RANGE:
  case AST_WHERE:
  case AST_WITH:
  case AST_PIPE:
  case AST_EACH:
  case AST_BINARY:
  case AST_UNARY: return take_as(&a->kids[a->nkids - 1]);
  default: return NULL;
  }
}

Ast *ast_stack(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *block) {
  const Ast *last = sources->data[sources->len - 1], *as = take_as(&sources->data[sources->len - 1]);
  if (!as) {
    Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, last->span,
                        "the stack's name, `as NAME`, behind this", "none");
    diag_hint(d, "`stack 6 as block { … }` has the parameters `net.block[0].…` to `net.block[5].…`");
    return ast_error(p, span);
  }
  Ast *a = NODE(AST_STACK, names ? list_node(p, names) : NULL, list_node(p, sources), block);
  return named(a, as->name, as->name_span);
}

// `1..5 as path` is parsed as the last source, `random(30) as path` as the trials: the name may stand before
// or behind these.
Ast *ast_sweep(ParseContext *p, Span span, AstList *axes, Ast *trials, Ast *block) {
  const Ast *as = trials ? take_as(&trials) : NULL;
  if (!as) as = take_as(&axes->data[axes->len - 1]->kids[0]);
  Ast *a = NODE(AST_SWEEP, list_node(p, axes), trials, block);
  return as ? named(a, as->name, as->name_span) : a;
}

Ast *ast_variant(ParseContext *p, Span span, Opr op, Ast *of) { return with_op(NODE(AST_VARIANT, of), op); }

Ast *ast_least(ParseContext *p, Span span, Token name, Token from, Ast *start, Ast *optimizer, Ast *times,
               Ast *value) {
  if (strcmp(from.text, "from") != 0) {
    Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, from.span, "`from`",
                        arena_printf(p->arena, "`%s`", from.text));
    diag_hint(d, "`z = minimize z from z0 by adam(lr: 0.1) for 300 steps : f(z)`");
  }
  return named(NODE(AST_LEAST, start, optimizer, times, value), name.text, name.span);
}

Ast *ast_each(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *value) {
  return NODE(AST_EACH, list_node(p, names), list_node(p, sources), value);
}

Ast *ast_derive(ParseContext *p, Span span, Ast *of, AstList *names, AstList *selectors, Ast *seen) {
  return NODE(AST_DERIVE, of, list_node(p, names), list_node(p, selectors), seen);
}

Ast *ast_tuple(ParseContext *p, Span span, AstList *values) {
  return node_of(p, AST_TUPLE, span, values->data, values->len);
}

Ast *ast_unpack(ParseContext *p, Span span, Ast *first, AstList *rest, Ast *value) {
  AstList all = {0};
  vec_push(p->arena, all, first);
  for (int i = 0; i < rest->len; i++) vec_push(p->arena, all, rest->data[i]);
  return NODE(AST_UNPACK, list_node(p, &all), value);
}

// `f(x, y) = e`
static Ast *local_definition(ParseContext *p, Span span, Ast *call, Ast *value) {
  AstList names = {0};
  bool plain = call->kids[0]->kind == AST_NAME;
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    plain = plain && !arg->name && arg->kids[0]->kind == AST_NAME;
    if (plain) vec_push(p->arena, names, arg->kids[0]);
  }
  if (plain)
    return named(NODE(AST_LOCAL, list_node(p, &names), value), call->kids[0]->name, call->kids[0]->span);
  diag_emit(&p->session->diags, DIAG_wrong_kind, call->span,
            "a name, or a local definition such as `f(x, y) = ...`", ast_kind_name(call->kind));
  return ast_error(p, span);
}

Ast *ast_set(ParseContext *p, Span span, Ast *target, Ast *value) {
  if (target->kind == AST_NAME) return named(NODE(AST_BIND, value), target->name, target->span);
  if (target->kind == AST_CALL) return local_definition(p, span, target, value);
  Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, target->span, "a name before `=`",
                      ast_kind_name(target->kind));
  if (target->kind == AST_INDEX)
    diag_hint(d, "values do not change: `x = ...` binds the name to a whole new tensor");
  return ast_error(p, span);
}

Ast *ast_each_epoch(ParseContext *p, Span span, Ast *stages) { return NODE(AST_EACH_EPOCH, stages); }

Ast *ast_stages(ParseContext *p, Span span, AstList *statements) {
  return node_of(p, AST_STAGES, span, statements->data, statements->len);
}

Ast *ast_result(ParseContext *p, Span span, Ast *target, Ast *evaluate) {
  if (target->kind != AST_NAME || evaluate->kind != AST_EVALUATE) return ast_set(p, span, target, evaluate);
  evaluate->span = span;
  return named(evaluate, target->name, target->span);
}

Ast *ast_text_of(ParseContext *p, Span span, AstKind kind, Ast *a, const Token *text) {
  Ast *out = NODE(kind, a);
  out->text = text ? text->text : NULL;
  return out;
}

Ast *ast_apply(ParseContext *p, Span span, Ast *base, Ast *gradient, Ast *when) {
  return NODE(AST_APPLY, base, gradient, when);
}

Ast *ast_params(ParseContext *p, Span span, AstList *params) {
  return node_of(p, AST_PARAMS, span, params->data, params->len);
}

Ast *ast_paramdecl(ParseContext *p, Span span, Token name, Ast *type, Ast *value) {
  return named(NODE(AST_PARAMDECL, type, value, NULL), name.text, name.span);
}

Ast *ast_paramdecl_arrow(ParseContext *p, Span span, Token from, Token to, Ast *type) {
  Ast *other = ast_name(p, to.span, to);
  return named(with_op(NODE(AST_PARAMDECL, type, NULL, other), OPR_ARROW), from.text, from.span);
}

// Numbers alone have a range.
Ast *ast_type(ParseContext *p, Span span, const Token *name, Ast *range) {
  static const char *const numeric[] = {"number", "int", "rate"};
  bool ranged = !name || !range;
  for (int i = 0; i < 3 && !ranged; i++) ranged = !strcmp(name->text, numeric[i]);
  if (!ranged) {
    Diag *d =
        diag_emit(&p->session->diags, DIAG_wrong_kind, name->span, "`number`, `int` or `rate` before a range",
                  arena_printf(p->arena, "`%s`", name->text));
    if (!strcmp(name->text, "labels")) diag_hint(d, "the number of classes is written `labels of 3`");
  }
  Ast *a = NODE(AST_TYPE, range, NULL, NULL);
  return name ? named(a, name->text, name->span) : a;
}

// Classes alone have a shape and a number.
Ast *ast_labels(ParseContext *p, Span span, Token name, Ast *shape, Ast *classes) {
  if (strcmp(name.text, "labels") != 0) {
    Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, name.span, "`labels`",
                        arena_printf(p->arena, "`%s`", name.text));
    diag_hint(d, "only labels are of a shape and of a number of classes: `y: labels [n] of c`; tensors are "
                 "`x: [n, c]`");
  }
  return named(NODE(AST_TYPE, NULL, shape, classes), name.text, name.span);
}

Ast *ast_def(ParseContext *p, Span span, DefKind kind, const Token *name, Ast *params, Ast *result, Ast *body,
             Ast *target) {
  Ast *a =
      named(with_op(NODE(AST_DEF, params, result, body, target, NULL), (int)kind), name->text, name->span);
  a->nkids -= a->kind == AST_DEF; // room for what ast_is adds
  a->doc = doc_before(p, span.start);
  if (stands_beside(kind)) a->name = arena_printf(p->arena, "%s %s", def_kind_name(kind), name->text);
  return a;
}

Ast *ast_metric(ParseContext *p, Span span, DefKind kind, const Token *name, Ast *params, Ast *result,
                Token sense, Ast *body) {
  Ast *a = ast_def(p, span, kind, name, params, result, body, NULL);
  a->num = !strcmp(sense.text, "higher") ? 1 : -1;
  return a;
}

Ast *ast_is(ParseContext *p, Ast *def, const Token *trait) {
  if (def->kind == AST_DEF) def->kids[def->nkids++] = ast_string(p, trait->span, *trait);
  return def;
}

Ast *ast_models(ParseContext *p, Span span, DefKind kind, const Token *name, Ast *count, Ast *body) {
  if (kind == KIND_MODEL) return ast_def(p, span, kind, name, NULL, NULL, body, count);
  diag_emit(&p->session->diags, DIAG_wrong_kind, name->span, "a model before `[`",
            arena_printf(p->arena, "a %s", def_kind_name(kind)));
  return ast_def(p, span, kind, name, NULL, NULL, ast_error(p, body->span), NULL);
}

Ast *ast_own_param(ParseContext *p, Span span, Token name, Ast *shape, Ast *role, Opr how, Ast *value) {
  Token inner = name;
  inner.text = "value";
  AstList body = {0};
  vec_push(p->arena, body, ast_param(p, span, inner, shape, role, how, value, NULL));
  vec_push(p->arena, body, ast_name(p, name.span, inner));
  Ast *a = ast_def(p, span, KIND_MODEL, &name, NULL, NULL, ast_block(p, span, &body), NULL);
  a->num = 1;
  return a;
}

Ast *ast_clauses(ParseContext *p, Span span, AstList *clauses) {
  return node_of(p, AST_CLAUSES, span, clauses->data, clauses->len);
}

// `on e as name`: the name is parsed as part of `e`, or of the recipe, and belongs to the training.
Ast *ast_train(ParseContext *p, Span span, AstList *models, AstList *data, Ast *recipe, AstList *clauses) {
  const Ast *as = recipe ? take_as(&recipe) : data ? take_as(&data->data[data->len - 1]) : NULL;
  AstList all = {0};
  if (recipe) vec_push(p->arena, all, node_of(p, AST_RECIPE, recipe->span, &recipe, 1));
  for (int i = 1; data && i < data->len; i++) vec_push(p->arena, all, data->data[i]);
  for (int i = 0; clauses && i < clauses->len; i++) vec_push(p->arena, all, clauses->data[i]);
  Ast *first[] = {list_node(p, models), data ? data->data[0] : NULL};
  Ast *a = node_and_list(p, AST_TRAIN, span, first, 2, &all);
  a->num = !clauses;
  return as ? named(a, as->name, as->name_span) : a;
}

Ast *ast_as_train(Ast *train, const Token *name) { return named(train, name->text, name->span); }

Ast *ast_clause(ParseContext *p, Span span, Token name, Ast *value) {
  return named(NODE(AST_CLAUSE, value), name.text, name.span);
}

// `e as name`: e, with the name in *as.
static Ast *without_name(ParseContext *p, Ast *e, const Ast **as) {
  if (e->kind == AST_AS) {
    *as = e;
    return e->kids[0];
  }
  if (e->kind == AST_EXCEPT)
    return ast_pair(p, e->span, AST_EXCEPT, e->kids[0], without_name(p, e->kids[1], as));
  return e;
}

static Ast *update(ParseContext *p, Span span, Opr op, Ast *optimizer, Ast *each, Ast *when,
                   AstList *objectives) {
  const Ast *as = NULL;
  optimizer = without_name(p, optimizer, &as);
  for (int i = 0; i < objectives->len; i++)
    for (int k = 1; k < objectives->data[i]->nkids; k++)
      objectives->data[i]->kids[k] = without_name(p, objectives->data[i]->kids[k], &as);
  Ast *first[] = {optimizer, each, when};
  Ast *a = with_op(node_and_list(p, AST_UPDATE, span, first, 3, objectives), (int)op);
  return as ? named(a, as->name, as->name_span) : a;
}

Ast *ast_optimize(ParseContext *p, Span span, Ast *optimizer, AstList *selectors, Ast *each, Ast *when) {
  Ast *first[] = {NULL};
  if (!selectors) selectors = list_new(p, NULL);
  Ast *whole =
      node_and_list(p, AST_OBJECTIVE, selectors->len ? list_span(selectors) : span, first, 1, selectors);
  return update(p, span, OPR_NONE, optimizer, each, when, list_new(p, whole));
}

Ast *ast_objective(ParseContext *p, Span span, Ast *value, Ast *over) {
  return over ? NODE(AST_OBJECTIVE, value, over) : value;
}

// What stands behind a comma without `over` of its own is one more selector of the objective before.
Ast *ast_minimize(ParseContext *p, Span span, AstList *list, Ast *optimizer, Ast *each, Ast *when) {
  AstList *objectives = list_new(p, NULL);
  for (int i = 0; i < list->len; i++) {
    Ast *one = list->data[i], *last = objectives->len ? objectives->data[objectives->len - 1] : NULL;
    if (one->kind == AST_OBJECTIVE) {
      list_add(p, objectives, one);
    } else if (last) {
      AstList kids = {0};
      for (int k = 1; k < last->nkids; k++) vec_push(p->arena, kids, last->kids[k]);
      vec_push(p->arena, kids, one);
      Ast *first[] = {last->kids[0]};
      objectives->data[objectives->len - 1] =
          node_and_list(p, AST_OBJECTIVE, span_join(last->span, one->span), first, 1, &kids);
    } else {
      Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, one->span, "`over` behind what is minimized",
                          "none");
      diag_hint(d, "minimize EXPRESSION over net.* by adam(lr: 1e-3)");
    }
  }
  return update(p, span, OPR_SET, optimizer, each, when, objectives);
}

Ast *ast_freeze(ParseContext *p, Span span, AstList *selectors) {
  return node_of(p, AST_FREEZE, span, selectors->data, selectors->len);
}

Ast *ast_penalize(ParseContext *p, Span span, AstList *names, AstList *selectors, Ast *value,
                  const Token *by) {
  Ast *a = NODE(AST_PENALIZE, ast_list(p, list_span(names), names),
                ast_list(p, list_span(selectors), selectors), value);
  return by ? named(a, by->text, by->span) : a;
}

DefKind kind_beside(Token word) {
  return *word.text == 'p' ? KIND_PROX : *word.text == 'c' ? KIND_CONJUGATE : KIND_RESPONSE;
}

Ast *ast_beside_call(ParseContext *p, Span span, Token word, Token of, AstList *args) {
  of.text = arena_printf(p->arena, "%s %s", word.text, of.text);
  return ast_call(p, span, ast_name(p, of.span, of), args);
}

static bool expect_word(ParseContext *p, Token t, const char *text, const char *word) {
  if (strcmp(t.text, text) != 0)
    diag_emit(&p->session->diags, DIAG_wrong_kind, t.span, word, arena_printf(p->arena, "`%s`", t.text));
  return !strcmp(t.text, text);
}

Ast *ast_solve(ParseContext *p, Span span, Token to, Ast *gap, const Token *at, const Token *most,
               Ast *passes) {
  if (expect_word(p, to, "gap", "`gap`") && at && expect_word(p, *at, "at", "`at most`"))
    expect_word(p, *most, "most", "`at most`");
  return NODE(AST_SOLVE, gap, passes);
}

Ast *ast_constrain(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *value) {
  return NODE(AST_CONSTRAIN, ast_list(p, list_span(names), names), ast_list(p, list_span(sources), sources),
              value);
}

Ast *ast_stop(ParseContext *p, Span span, Ast *watched, Ast *patience, bool keep_best) {
  Ast *a = NODE(AST_STOP, watched, patience);
  a->num = keep_best;
  return a;
}

Ast *ast_sample(ParseContext *p, Span span, Token order) {
  return named(LEAF(AST_SAMPLE), order.text, order.span);
}

Ast *ast_sample_of(ParseContext *p, Span span, const char *how, Ast *e, Ast *rows) {
  Ast *a = NODE(AST_SAMPLE, e, rows);
  a->name = how;
  return a;
}

Ast *drawn_rows(ParseContext *p, Ast *count, Token unit) {
  expect_word(p, unit, "rows", "`rows`");
  return count;
}

Ast *ast_evaluate(ParseContext *p, Span span, Ast *model, Ast *data, AstList *metrics) {
  Ast *first[] = {model, data};
  return node_and_list(p, AST_EVALUATE, span, first, 2, metrics);
}

Ast *ast_check(ParseContext *p, Span span, Ast *value, Ast *condition) {
  return NODE(AST_CHECK, value, condition);
}
Ast *ast_use(ParseContext *p, Span span, Token path) { return named(LEAF(AST_USE), path.text, path.span); }

Ast *ast_precision(ParseContext *p, Span span, Token word) {
  return named(LEAF(AST_PRECISION), word.text, word.span);
}

Ast *ast_inner_precision(ParseContext *p, Span span) {
  Diag *d = diag_emit(&p->session->diags, DIAG_not_allowed_here, span, "`precision`", "inside braces");
  diag_hint(d, "it is that of the whole program: a line of its own, outside of all definitions");
  return ast_error(p, span);
}

void ast_item(ParseContext *p, Ast *item) { vec_push(p->arena, p->items, item); }
void ast_expression(ParseContext *p, Ast *e) { p->expression = e; }
