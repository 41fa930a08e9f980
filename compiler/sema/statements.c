// Statements of a program, and procedures: the names in them. What statements of the top level bind is known
// everywhere (Program.stored), what a procedure binds in its body (Program.locals); whether it has a value
// where it stands is known to who elaborates statements in their order.
#include "collect.h"
#include "scope.h"
#include <string.h>

static void check_statements(Program *p, const Ast *block);

static void bind_local(Program *p, const char *name, const Ast *by) { map_put(p->locals, name, (void *)by); }

static void bind_locals(Program *p, const Ast *e) {
  if (!e) return;
  if (e->kind == AST_DEF) bind_local(p, e->name, e);
  statement_names(p, e, bind_local);
  for (int i = 0; i < e->nkids; i++) {
    const AstKind kind = e->kids[i] ? e->kids[i]->kind : AST_ERROR;
    if (e->kind == AST_STAGES || kind == AST_STAGES || kind == AST_WHEN || kind == AST_EACH_EPOCH)
      bind_locals(p, e->kids[i]);
  }
}

void check_procedure(Program *p, Def *d, const Map *around) {
  Map *outer = p->locals, locals;
  const bool library = p->in_library;
  const Ast *params = d->ast->kids[0], *body = d->ast->kids[2];
  map_init(&locals, p->session->arena);
  p->locals = NULL;
  p->in_library = d->from_library;
  Scope s = scope_of(p);
  bind_params(&s, params);
  p->locals = &locals;
  for (int i = 0; around && i < around->len; i++)
    bind_local(p, around->entries[i].key, around->entries[i].value);
  for (int i = 0; params && i < params->nkids; i++) bind_local(p, params->kids[i]->name, params->kids[i]);
  bind_locals(p, body);
  check_statements(p, body);
  p->locals = outer;
  p->in_library = library;
}

// Elements of a list may be variants of its first recipe; `log(a .. b, n)` and `linear(a .. b, n)` are no
// functions of numbers, nor are `random(n)`, `search(e.loss, …)` and `halving(e.loss, …)`, whose names are
// those of the sweep's runs.
static void check_axis(Scope *s, const Ast *e) {
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : NULL;
  const bool spaced =
      callee && callee->kind == AST_NAME && e->nkids > 1 && e->kids[1]->kids[0]->kind == AST_RANGE;
  s->value = PLACE_ANY;
  if (e->kind != AST_LIST && !spaced) check_expr(s, e);
  for (int i = spaced ? 1 : 0; (spaced || e->kind == AST_LIST) && i < e->nkids; i++) {
    const Ast *kid = e->kids[i];
    if (kid->kind != AST_VARIANT || kid->op == OPR_ADD)
      check_expr(s, kid->nkids && kid->kind == AST_VARIANT ? kid->kids[0] : kid);
  }
  s->value = PLACE_VALUE;
}

static void check_sweep(Program *p, const Ast *e) {
  Scope s = scope_of(p);
  for (int i = 0; i < e->kids[0]->nkids; i++) check_axis(&s, e->kids[0]->kids[i]->kids[0]);
  for (int i = 1; e->kids[1] && i < e->kids[1]->nkids; i++)
    if (e->kids[1]->kids[i]->name || e->kids[1]->nkids == 2) check_expr(&s, e->kids[1]->kids[i]);
  check_statements(p, e->kids[2]);
}

// `against: base`, of the program's own: a number of an axis.
static void use_value(Program *p, const Ast *view) {
  for (int i = 2; i < view->nkids; i++) {
    const Ast *arg = view->kids[i], *e = arg->kids[0];
    Def *d = arg->name && !strcmp(arg->name, "against") && e->kind == AST_NAME ? sema_find(p, e->name) : NULL;
    if (d) d->used = true;
  }
}

// `best(path, …)`, `compare(path, …)`, `plot(path, …)`: names in it are those of the sweep's runs. Whether e
// is one.
static bool check_view(Program *p, const Ast *e) {
  const Ast *callee = e->kind == AST_CALL && e->nkids > 1 ? e->kids[0] : NULL;
  if (!callee || callee->kind != AST_NAME || sema_find(p, callee->name) ||
      (strcmp(callee->name, "best") && strcmp(callee->name, "compare") && strcmp(callee->name, "plot")))
    return false;
  const Ast *of = e->kids[1]->kids[0];
  const Ast *by = of->kind == AST_NAME ? map_get(p->locals ? p->locals : &p->stored, of->name) : NULL;
  if (by && by->kind == AST_SWEEP) {
    use_value(p, e);
    return true;
  }
  Scope s = scope_of(p);
  const int errors = p->session->diags.errors;
  check_expr(&s, of);
  if (p->session->diags.errors > errors) return true;
  Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, of->span, "the name of a sweep",
                      ast_written(p->session->arena, of));
  diag_hint(d,
            "a sweep's runs are named by `as`: `sweep k in 1..5 as tried { … }`, then `report %s(tried, …)`",
            callee->name);
  return true;
}

// Trainings and evaluations outside of procedures are checked by themselves.
void check_statement(Program *p, const Ast *e) {
  Scope s = scope_of(p);
  if (e->kind == AST_TRAIN && p->locals) use_recipe(p, e, false), allow_warnings(p, e), check_train(p, e);
  if (e->kind == AST_EVALUATE && p->locals) check_evaluate(p, e);
  if (e->kind == AST_TRAIN || e->kind == AST_EVALUATE || e->kind == AST_ERROR) return;
  if (e->kind == AST_DEF) {
    if (p->locals) check_own(p, e);
    return;
  }
  if (e->kind == AST_CHECK || e->kind == AST_USE || e->kind == AST_PRECISION) {
    diag_emit(&p->session->diags, DIAG_not_allowed_here, e->span, ast_kind_name(e->kind),
              "in a block of statements");
    return;
  }
  if (e->kind <= AST_LAST_EXPR && e->kind != AST_REPEAT && e->kind != AST_FOR && e->kind != AST_WHILE) {
    check_expr(&s, e);
    return;
  }
  if (e->kind == AST_LOCAL) {
    Diag *d = diag_emit(&p->session->diags, DIAG_not_allowed_here, e->span, "a local definition",
                        "among statements");
    diag_hint(d, "`fn %s(…) = …` defines a function", e->name);
    return;
  }
  if (e->kind == AST_SWEEP) {
    check_sweep(p, e);
    return;
  }
  if (e->kind == AST_REPORT && check_view(p, e->kids[0])) return;
  if (e->kind == AST_GIVE) s.value = PLACE_ANY;
  if (e->kind == AST_BIND) s.named = e->kids[0];
  for (int i = 0; i < e->nkids; i++) {
    const Ast *kid = e->kids[i];
    const bool names = i == 0 && (e->kind == AST_UNPACK || e->kind == AST_FOR);
    if (!kid || names) continue;
    if (kid->kind == AST_STAGES)
      check_statements(p, kid);
    else if (kid->kind == AST_WHEN)
      check_statement(p, kid);
    else if (e->kind == AST_FOR && kid->kind == AST_LIST)
      check_kids(&s, kid, 0);
    else
      check_expr(&s, kid);
  }
}

static bool is_of_program(Program *p, const Ast *block) {
  for (int i = 0; i < block->nkids; i++) {
    const Ast *e = block->kids[i];
    const Def *d = e && e->kind == AST_DEF && e->name ? map_get(&p->defs, e->name) : NULL;
    if (d && d->own && d->ast->kids[2] == e->kids[2]) return true;
  }
  return false;
}

// Definitions of blocks at the top level are the program's; those of a recipe wait for who uses it.
static void check_statements(Program *p, const Ast *block) {
  Map *outer = p->locals, locals;
  if (!outer && sema_defines(block) && !is_of_program(p, block)) {
    map_init(&locals, p->session->arena);
    p->locals = &locals;
    bind_locals(p, block);
  }
  for (int i = 0; i < block->nkids; i++)
    if (block->kids[i]) check_statement(p, block->kids[i]);
  p->locals = outer;
}
