// The check of names and calls. In: the program's items. Out: diagnostics, and marks on definitions (used,
// checked). Each definition is checked once, when it is first reached; reaching one that is being checked is
// a cycle.
#include "../base/stack.h"
#include "../base/words.h"
#include "builtins.h"
#include "collect.h"
#include "scope.h"
#include <string.h>

static void check_def(Program *p, Def *d, Span from);

Scope scope_of(Program *p) {
  return (Scope){.p = p, .library = p->in_library, .value = PLACE_VALUE, .callee = PLACE_CALL};
}

bool bound(const Scope *s, const char *name) {
  if (s->p->locals && map_get(s->p->locals, name)) return true;
  if (s->p->around && names_clause(s->p->around, name)) return true;
  for (int i = s->names.len - 1; i >= 0; i--)
    if (!strcmp(s->names.data[i], name)) return true;
  return false;
}

void bind(Scope *s, const char *name) {
  if (name) vec_push(s->p->session->arena, s->names, name);
}

static void report_unknown(Scope *s, const char *name, Span span, SemaPlace place) {
  if (beside_what(name)) {
    tell_none_beside(s->p, name, span);
    return;
  }
  Diag *d = diag_emit(&s->p->session->diags, DIAG_unknown_name, span, name);
  const Def *own = map_get(&s->p->defs, name);
  if (own) diag_note(d, own->ast->name_span, "it is known in this block only");
  if (!hint_training(s->p, d, name)) sema_suggest(s->p, d, name, place, s->names.data, s->names.len);
}

// Resolves a name; NULL where it is local, built in, or unknown. Fields of data are values.
Def *check_name(Scope *s, const Ast *e, SemaPlace place) {
  const char *name = e->name;
  const Span span = e->name_span.source ? e->name_span : e->span;
  if (bound(s, name)) return NULL;
  if (!s->library && !map_get(&s->p->defs, name) && map_get(&s->p->stored, name)) return NULL;
  Def *d = s->library ? sema_library(s->p, name) : sema_find(s->p, name);
  if (d && d->own && !e->op) d = sema_library(s->p, name); // of a block: there it has a mark
  if (d)
    check_def(s->p, d, span);
  else if (builtin_find(name) < 0 && !(s->open && place == PLACE_VALUE))
    report_unknown(s, name, span, place);
  return d;
}

// Parameter names of a definition, both ends of an arrow parameter counted as one place.
static int def_params(Arena *a, const Def *d, const char ***names) {
  const Ast *ps = d->ast->kids[0];
  int n = 0;
  *names = ARENA_ARRAY(a, const char *, ps ? 2 * ps->nkids + 2 : 2);
  for (int i = 0; ps && i < ps->nkids; i++) (*names)[n++] = ps->kids[i]->name;
  return n;
}

static void suggest_argument(Scope *s, Diag *d, const char *written, const char **params, int n,
                             const Ast *declared) {
  if (word_hint(d, written, WORD_ARGUMENT, params, n)) return;
  const char *near = nearest_name(written, params, n);
  if (near) {
    diag_hint(d, "did you mean `%s`?", near);
    return;
  }
  StrBuf b = {.arena = s->p->session->arena};
  for (int i = 0; i < n; i++) {
    const Ast *own = declared && i < declared->nkids ? declared->kids[i] : NULL; // `mode` is no model's own
    const Ast *arrow = own && own->op == OPR_ARROW ? own->kids[2] : NULL;
    strbuf_addf(&b, "%s`%s%s%s`", i ? ", " : "", params[i], arrow ? " -> " : "", arrow ? arrow->name : "");
  }
  if (n) diag_hint(d, "its parameters are %s", b.data);
}

// A call's arguments against parameter names: `piped` arguments come first, from a pipe.
// `by_position`: of the parameters; -1: any number.
static void check_args(Scope *s, const Ast *call, const char *callee, const char **params, int n,
                       int by_position, int piped, const Ast *declared) {
  Diags *ds = &s->p->session->diags;
  int positional = piped;
  bool named = false;
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    if (!arg->name) {
      if (named) diag_emit(ds, DIAG_positional_after_named, arg->span);
      positional++;
      continue;
    }
    named = true;
    int at = 0;
    while (at < n && strcmp(params[at], arg->name)) at++;
    bool other_end = false;
    for (int k = 0; declared && k < declared->nkids; k++)
      if (declared->kids[k]->op == OPR_ARROW && !strcmp(declared->kids[k]->kids[2]->name, arg->name))
        other_end = true;
    if (at == n && !other_end) {
      Diag *d = diag_emit(ds, DIAG_unknown_argument, arg->name_span, callee, arg->name);
      suggest_argument(s, d, arg->name, params, n, declared);
      continue;
    }
    if (at < positional && at < n && by_position >= 0)
      diag_emit(ds, DIAG_duplicate_argument, arg->span, arg->name);
    for (int k = 1; k < i; k++)
      if (call->kids[k]->name && !strcmp(call->kids[k]->name, arg->name))
        diag_emit(ds, DIAG_duplicate_argument, arg->span, arg->name);
  }
  if (by_position >= 0 && positional > by_position) {
    Diag *d = diag_emit(ds, DIAG_too_many_arguments, call->span, callee, by_position, positional);
    for (int k = by_position; k < n; k++) diag_hint(d, "`%s: …` is given by name", params[k]);
  }
}

// A source or step of data; where one may stand, its name means nothing else but a definition of data.
static bool is_data_builtin(const Scope *s, const Ast *stage) {
  const Ast *callee = stage->kind == AST_CALL ? stage->kids[0] : stage;
  if (callee->kind != AST_NAME || builtin_find(callee->name) < B_CSV) return false;
  const Def *d = s->library ? sema_library(s->p, callee->name) : sema_find(s->p, callee->name);
  return !d || (s->callee == PLACE_DATA && d->kind != KIND_DATA);
}

// Is what flows through a pipe data?
static bool is_data(const Scope *s, const Ast *e) {
  while (e->kind == AST_PIPE || e->kind == AST_FIELD) e = e->kids[0];
  if (e->kind == AST_WHERE || e->kind == AST_WITH || e->kind == AST_TABLE) return true;
  const Ast *name = e->kind == AST_CALL ? e->kids[0] : e;
  const Def *d = name->kind == AST_NAME ? sema_find(s->p, name->name) : NULL;
  return is_data_builtin(s, e) || (d && d->kind == KIND_DATA && (name == e || d->ast->kids[0]));
}

// `column`, `"a column" as name`, a list of these
static bool names_column(const Ast *e) {
  if (e->kind == AST_AS) e = e->kids[0];
  return e->kind == AST_NAME || e->kind == AST_STR || e->kind == AST_LIST;
}

// What may be a column may be a number of the program, too: it is used then.
static void use_numbers(Scope *s, const Ast *arg) {
  Def *d = arg->kind == AST_NAME && !bound(s, arg->name) ? map_get(&s->p->defs, arg->name) : NULL;
  if (d && d->kind == KIND_LET) d->used = true;
  for (int i = 0; arg->kind == AST_LIST && i < arg->nkids; i++) use_numbers(s, arg->kids[i]);
}

// `_`: an argument that is still to come.
static bool is_open(const Ast *arg) { return arg->kind == AST_NAME && !strcmp(arg->name, "_"); }

// `csv(data.csv)`: what is no path of a file, reported; else NULL.
static const Ast *wrong_path(Scope *s, const Ast *call) {
  Arena *a = s->p->session->arena;
  const Ast *first = call->nkids > 1 ? call->kids[1] : NULL, *path = first ? first->kids[0] : NULL;
  if (!path || (path->kind != AST_FIELD && path->kind != AST_NAME)) return NULL;
  if (path->kind == AST_NAME && bound(s, path->name)) return NULL; // a parameter stands for a text
  const int source = builtin_find(call->kids[0]->name);
  if (!is_source(source) || (first->name && strcmp(first->name, "path") != 0)) return NULL;
  Diag *d = diag_emit(&s->p->session->diags, DIAG_wrong_kind, path->span, "the path of a file",
                      arena_printf(a, "`%s`", ast_text(a, path)));
  diag_hint(d, "a path is a text: \"%s\"", ast_text(a, path));
  return path;
}

// `folds(d, …)`: d, which is data.
static const Ast *folded_data(const Ast *call) {
  const bool folds = call->kids[0]->kind == AST_NAME && builtin_find(call->kids[0]->name) == B_FOLDS;
  if (!folds || call->nkids < 2) return NULL;
  const char *name = call->kids[1]->name;
  return !name || !strcmp(name, "d") ? call->kids[1]->kids[0] : NULL;
}

// Are the arguments data and columns besides values?
static bool makes_data(const Scope *s, const Ast *callee) {
  if (callee->kind != AST_NAME || bound(s, callee->name)) return false;
  if (builtin_find(callee->name) == B_JOIN) return true;
  const Def *d = s->library ? sema_library(s->p, callee->name) : sema_find(s->p, callee->name);
  return d && d->kind == KIND_DATA && d->ast->kids[0];
}

void check_kids(Scope *s, const Ast *e, int from) {
  for (int i = from; i < e->nkids; i++)
    if (e->kids[i]) check_expr(s, e->kids[i]);
}

static void bind_names(Scope *s, const Ast *list) {
  for (int i = 0; i < list->nkids; i++) bind(s, list->kids[i]->name);
}

static void check_new(Scope *s, const Ast *e) {
  const Ast *call = e->kids[0], *callee = call->kind == AST_CALL ? call->kids[0] : call;
  Diags *ds = &s->p->session->diags;
  Arena *a = s->p->session->arena;
  if (callee->kind != AST_NAME) {
    diag_emit(ds, DIAG_wrong_kind, callee->span, "the name of a model behind `new`",
              ast_kind_name(callee->kind));
    return;
  }
  Def *d = check_name(s, callee, PLACE_MODEL);
  d = d ? sema_structure(s->p, d) : NULL;
  if (call == callee) return;
  for (int i = 1; i < call->nkids; i++) check_expr(s, call->kids[i]->kids[0]);
  if (!d || d->kind != KIND_MODEL) return;
  const Ast *ps = d->ast->kids[0];
  const char **names = ARENA_ARRAY(a, const char *, ps ? ps->nkids + 1 : 1);
  int n = 0;
  for (int i = 0; ps && i < ps->nkids; i++)
    if (sema_is_making(ps->kids[i])) names[n++] = ps->kids[i]->name;
  check_args(s, call, arena_printf(a, "new %s", callee->name), names, n, 0, 0, NULL);
}

// `net with w in S as e`
static void check_derived(Scope *s, const Ast *e) {
  check_expr(s, e->kids[0]);
  check_kids(s, e->kids[2], 0);
  const int before = s->names.len;
  bind_names(s, e->kids[1]);
  check_expr(s, e->kids[3]);
  s->names.len = before;
}

// `net(x, mode: evaluation)`
static bool says_mode(const Ast *arg) {
  return arg->name && !strcmp(arg->name, "mode") && arg->kids[0]->kind == AST_NAME &&
         (!strcmp(arg->kids[0]->name, "evaluation") || !strcmp(arg->kids[0]->name, "train"));
}

static void check_call(Scope *s, const Ast *call, int piped) {
  const Ast *callee = call->kids[0];
  const bool step = is_data_builtin(s, call);
  bool data = step || s->callee == PLACE_DATA;
  Scope outer = *s;
  s->value = PLACE_VALUE;
  s->open = outer.open || is_measure(callee);
  if (s->callee != PLACE_OPTIMIZER) s->callee = PLACE_CALL; // an optimizer's argument may be one
  const Ast *wrong = callee->kind == AST_NAME ? wrong_path(s, call) : NULL;
  const Ast *folded = folded_data(call);
  if (makes_data(s, callee)) {
    data = false;
    s->open = true;
    s->callee = PLACE_DATA;
  }
  if (folded) {
    s->value = s->callee = PLACE_DATA;
    check_expr(s, folded);
    s->value = PLACE_VALUE;
    s->callee = PLACE_CALL;
  }
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i]->kids[0];
    if (data) use_numbers(s, arg);
    if (arg != folded && arg != wrong && !is_open(arg) && !says_mode(call->kids[i]) &&
        (!data || !names_column(arg)))
      check_expr(s, arg);
  }
  s->value = outer.value;
  s->open = outer.open;
  s->callee = outer.callee;
  if (callee->kind != AST_NAME) {
    check_expr(s, callee);
    return;
  }
  Def *d = step ? NULL : check_name(s, callee, s->callee);
  Arena *a = s->p->session->arena;
  if (d && d->kind == KIND_LET && sema_is_still(d)) return;
  if (d && d->kind == KIND_DATA && !d->ast->kids[0] && call->nkids > 1) {
    Diag *batch = diag_emit(&s->p->session->diags, DIAG_not_allowed_here, call->span,
                            arena_printf(a, "a batch of `%s`", d->name), "here");
    diag_hint(batch,
              "a training has further data, `train net on digits, u = %s(batch: 32)`; `digits with …` stands "
              "in parentheses there",
              d->name);
    return;
  }
  if (d) {
    const char **params;
    d = sema_structure(s->p, d);
    if (!d) return;
    const int n = def_params(a, d, &params), modes = d->kind == KIND_MODEL;
    if (modes) params[n] = "mode";
    check_args(s, call, d->name, params, n + modes, n, piped, d->ast->kids[0]);
    return;
  }
  int b = bound(s, callee->name) ? -1 : builtin_find(callee->name);
  if (b < 0) return;
  const Ast *followed = sema_followed(call);
  if (!builtin_info[b].signature) {
    diag_emit(&s->p->session->diags, DIAG_wrong_kind, callee->span, "a function", "a value");
    return;
  }
  Signature sig = builtin_signature((Builtin)b);
  const char *params[BUILTIN_MAX_PARAMS];
  bool many = false;
  for (int i = 0; i < sig.n; i++) params[i] = sig.param[i].name, many |= sig.param[i].many;
  check_args(s, call, callee->name, params, sig.n, many ? -1 : sig.positional, piped, NULL);
  // Data builtins take data from a pipe as their first argument, beside the signature.
  if (followed && call != s->named && followed->kind == AST_NAME && !bound(s, followed->name))
    sema_name_average(s->p, call);
}

static void check_stage(Scope *s, const Ast *stage) {
  if (stage->kind == AST_AS) {
    check_stage(s, stage->kids[0]);
    bind(s, stage->name);
    return;
  }
  const bool step = is_data_builtin(s, stage);
  if (stage->kind == AST_CALL)
    check_call(s, stage, step || s->callee == PLACE_DATA ? 0 : 1);
  else if (stage->kind == AST_NAME && !step)
    check_name(s, stage, s->callee);
  else if (stage->kind == AST_NAME)
    return;
  else
    check_expr(s, stage);
}

static void check_chain(Scope *s, const Ast *e) {
  const Ast **links = ast_links(s->p->session->arena, e), *first = links[e->links - 1]->kids[0];
  check_expr(s, first);
  const bool data = e->kind == AST_PIPE && is_data(s, first);
  for (int i = e->links - 1; i >= 0; i--) {
    if (links[i]->kind == AST_BINARY) {
      check_expr(s, links[i]->kids[1]);
      continue;
    }
    SemaPlace outer = s->callee;
    if (data) s->callee = PLACE_DATA;
    check_stage(s, links[i]->kids[1]);
    s->callee = outer;
  }
}

static void check_if(Scope *s, const Ast *e) {
  for (const Ast *link = e; link; e = link, link = ast_next_link(link)) {
    check_expr(s, link->kids[0]);
    check_expr(s, link->kids[1]);
  }
  check_expr(s, e->kids[2]);
}

// Does a line that starts with a minus go on with the one above, to which it is indented?
static void warn_split(Scope *s, const Ast *above, const Ast *e) {
  const Source *source = source_get(&s->p->session->sources, e->span.source);
  int line, column, line_above, column_above;
  if (!source || !above || source->text[e->span.start] != '-') return;
  source_position(source, above->span.start, &line_above, &column_above);
  source_position(source, e->span.start, &line, &column);
  if (line == line_above || column <= column_above) return;
  Diag *d = diag_emit(&s->p->session->diags, DIAG_split_line, e->span);
  diag_hint(d, "a line that goes on ends with its operator: put `-` at the end of the line above");
}

// Nothing but a value: no definition is called that could change a state.
static bool is_mere_value(const Ast *e) {
  if (e->kind > AST_LAST_EXPR || e->kind == AST_ERROR || e->kind == AST_AS) return false;
  if (e->kind == AST_CALL || e->kind == AST_PIPE) return false;
  for (int i = 0; i < e->nkids; i++)
    if (e->kids[i] && !is_mere_value(e->kids[i])) return false;
  return true;
}

static void check_block(Scope *s, const Ast *block) {
  for (int i = 0; i < block->nkids; i++) {
    const Ast *e = block->kids[i];
    warn_split(s, i ? block->kids[i - 1] : NULL, e);
    if (i + 1 < block->nkids && is_mere_value(e))
      diag_emit(&s->p->session->diags, DIAG_unused_value, e->span);
    check_expr(s, e);
  }
}

static void check_least(Scope *s, const Ast *e) {
  const Scope outer = *s;
  check_expr(s, e->kids[0]);
  check_expr(s, e->kids[2]);
  s->value = s->callee = PLACE_OPTIMIZER;
  check_expr(s, e->kids[1]);
  s->value = outer.value;
  s->callee = outer.callee;
}

// What a loop, `each` or local definition binds ends with it; so does what its turns bind first.
static void check_loop(Scope *s, const Ast *e) {
  if (e->kind == AST_EACH || e->kind == AST_FOR || e->kind == AST_STACK) check_kids(s, e->kids[1], 0);
  if (e->kind == AST_LEAST) check_least(s, e);
  if (e->kind == AST_FOR) check_expr(s, e->kids[2]);
  if (e->kind == AST_REPEAT) check_expr(s, e->kids[0]);
  if (e->kind == AST_WHILE) check_expr(s, e->kids[0]), check_expr(s, e->kids[1]);
  const int before = s->names.len;
  const bool names = e->kind != AST_REPEAT && e->kind != AST_WHILE && e->kind != AST_LEAST;
  if (e->kind == AST_REPEAT || e->kind == AST_LEAST) bind(s, e->name);
  if (names && e->kids[0]) bind_names(s, e->kids[0]);
  check_expr(s, e->kids[e->nkids - 1]);
  s->names.len = before;
  if (e->kind == AST_LOCAL) bind(s, e->name);
}

// In x[..., new] the name stands for an axis of size 1, where nothing else is called so.
static void check_index(Scope *s, const Ast *e) {
  check_expr(s, e->kids[0]);
  for (int i = 1; i < e->nkids; i++)
    if (e->kids[i]->kind != AST_NAME || strcmp(e->kids[i]->name, "new") || bound(s, "new"))
      check_expr(s, e->kids[i]);
}

void check_expr(Scope *s, const Ast *e) {
  if (!e) return;
  switch (e->kind) {
  case AST_NAME:
    if (strcmp(e->name, "*")) check_name(s, e, s->value);
    break;
  case AST_CALL:
    if (joins_data(s, e))
      check_data(s, e);
    else
      check_call(s, e, 0);
    break;
  case AST_INDEX:
    if (s->value == PLACE_DATA || is_data(s, e->kids[0]))
      check_data(s, e);
    else
      check_index(s, e);
    break;
  case AST_BINARY:
  case AST_PIPE: check_chain(s, e); break;
  case AST_IF: check_if(s, e); break;
  case AST_AS:
    check_expr(s, e->kids[0]);
    bind(s, e->name);
    break;
  case AST_NEW: check_new(s, e); break;
  case AST_DERIVE: check_derived(s, e); break;
  case AST_WHERE:
  case AST_WITH:
  case AST_TABLE: check_data(s, e); break;
  case AST_BLOCK: check_block(s, e); break;
  case AST_BIND:
    check_kids(s, e, 0);
    bind(s, e->name);
    break;
  case AST_ASSIGN:
    if (!bound(s, e->name)) {
      Diag *d = diag_emit(&s->p->session->diags, DIAG_unknown_name, e->name_span, e->name);
      const char *near = nearest_name(e->name, s->names.data, s->names.len);
      if (near) diag_hint(d, "did you mean `%s`?", near);
      diag_hint(d, "`<-` gives a new value to a parameter or state; a name is given with `=`");
    }
    check_kids(s, e, 0);
    break;
  case AST_PARAM:
    if (e->kids[0]) check_kids(s, e->kids[0], 0);
    if (e->op == OPR_TILDE) s->value = PLACE_CALL; // an initializer
    check_expr(s, e->kids[1]);
    s->value = PLACE_VALUE;
    check_expr(s, e->kids[2]);
    bind(s, e->name);
    break;
  case AST_STATE:
    if (e->kids[2]) check_expr(s, e->kids[2]);
    if (e->kids[0]) check_kids(s, e->kids[0], 0);
    if (e->op == OPR_TILDE) s->value = PLACE_CALL; // an initializer
    check_expr(s, e->kids[1]);
    s->value = PLACE_VALUE;
    bind(s, e->name);
    break;
  case AST_ELLIPSIS: bind(s, e->name); break;
  case AST_UNPACK:
    check_expr(s, e->kids[1]);
    bind_names(s, e->kids[0]);
    break;
  case AST_LOCAL:
  case AST_EACH:
  case AST_REPEAT:
  case AST_FOR:
  case AST_STACK:
  case AST_LEAST:
  case AST_WHILE: check_loop(s, e); break;
  default: check_kids(s, e, 0); break;
  }
}

static bool has_value(const Ast *body) {
  if (!body || body->kind != AST_BLOCK) return true;
  if (!body->nkids) return false;
  const Ast *last = body->kids[body->nkids - 1];
  return !last || last->kind <= AST_LAST_EXPR;
}

static void check_text(Program *p, Def *d, const Map *around) {
  check_trait(p, d);
  if (d->kind == KIND_PROCEDURE) {
    check_procedure(p, d, around);
    return;
  }
  Scope s = scope_of(p);
  s.library = d->from_library;
  s.open = d->kind == KIND_DATA; // a default may name a column
  bind_params(&s, d->ast->kids[0]);
  s.open = false;
  if (stands_beside(d->kind)) check_beside(p, d);
  if (d->kind == KIND_OPTIMIZER && d->ast->kids[3]) bind(&s, d->ast->kids[3]->name);
  if (d->kind == KIND_MODEL) check_expr(&s, d->ast->kids[3]);
  if (d->kind == KIND_DATA) s.value = s.callee = PLACE_DATA;
  if (sema_is_still(d)) s.named = d->ast->kids[2];
  if (d->kind == KIND_RECIPE)
    check_clauses(&s, d->ast->kids[2], 0);
  else
    check_expr(&s, d->ast->kids[2]);
  if (d->ast->kids[1]) bind_shape(&s, d->ast->kids[1]);
  if (d->kind != KIND_OPTIMIZER && d->kind != KIND_RECIPE && !has_value(d->ast->kids[2]))
    diag_emit(&p->session->diags, DIAG_no_value, d->ast->name_span, d->name);
}

static void check_def(Program *p, Def *d, Span from) {
  d->used |= from.source != 0;
  if (d->in_progress) {
    Diag *diag = diag_emit(&p->session->diags, DIAG_cycle, from, d->name);
    diag_note(diag, d->ast->name_span, "`%s` is defined here", d->name);
    return;
  }
  if (d->checked) return;
  if (stack_is_deep()) {
    if (!p->too_deep)
      diag_emit(&p->session->diags, DIAG_nesting_too_deep, from, "definitions use each other too deeply");
    p->too_deep = true;
    return;
  }
  d->checked = d->in_progress = true;
  Map *locals = p->locals; // of a procedure that uses it
  p->locals = NULL;
  check_text(p, d, NULL);
  p->locals = locals;
  d->in_progress = false;
}

void check_own(Program *p, const Ast *def) {
  Def d = {.name = def->name, .kind = (DefKind)def->op, .ast = def, .from_library = p->in_library};
  check_text(p, &d, p->locals);
}

Program *sema_check(Session *s, Parse *parse, const char *path, const SemaSet *sets, int nsets) {
  Program *p = ARENA_NEW(s->arena, Program);
  *p = (Program){.session = s, .parse = parse, .path = path};
  map_init(&p->defs, s->arena);
  map_init(&p->library, s->arena);
  map_init(&p->stored, s->arena);
  map_init(&p->alike, s->arena);
  map_init(&p->used, s->arena);
  map_put(&p->used, path, p);
  collect_items(p, parse->file, path);
  collect_statements(p);
  if (p->lacks_file) return p;
  for (int i = 0; i < nsets; i++) sema_set(p, &sets[i]);

  for (int i = 0; i < p->trains.len; i++) use_recipe(p, p->trains.data[i], false);
  for (int i = 0; i < p->trains.len; i++) allow_warnings(p, p->trains.data[i]);
  for (int i = 0; i < p->trains.len; i++) check_train(p, p->trains.data[i]);
  for (int i = 0; i < p->evaluates.len; i++) check_evaluate(p, p->evaluates.data[i]);
  for (int i = 0; i < p->checks.len; i++) {
    Scope scope = scope_of(p);
    const Ast *c = p->checks.data[i];
    check_expr(&scope, c->kids[0]);
    bind(&scope, "value");
    if (!(c->kids[1]->kind == AST_NAME && !strcmp(c->kids[1]->name, "gradient")))
      check_expr(&scope, c->kids[1]);
  }
  for (int i = 0; i < p->statements.len; i++) check_statement(p, p->statements.data[i]);
  bool is_program = p->statements.len + p->checks.len > 0;
  for (int i = 0; i < p->defs.len; i++) {
    Def *d = p->defs.entries[i].value;
    bool used = d->used;
    if (d->from_library) continue;
    check_def(p, d, (Span){0});
    if (is_program && !used && !d->used && !s->diags.errors) // else a wrong name may be what was to use it
      diag_emit(&s->diags, DIAG_unused_definition, d->ast->name_span, d->own ? d->ast->text : d->name);
  }
  p->checked = true;
  return p;
}

void sema_check_expression(Program *p, const Ast *e, const char *const *locals, int nlocals) {
  Scope s = scope_of(p);
  for (int i = 0; i < nlocals; i++) bind(&s, locals[i]);
  check_expr(&s, e);
}
