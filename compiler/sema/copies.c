// Copies of statements. In: statements, and what stands in the place of names in them. Out: a copy. Holds
// afterwards: no block of it defines a name that something else of the program has, for definitions of its
// blocks are the program's, each under a name of its own.
#include "collect.h"
#include <string.h>

SemaCopy sema_copying(Program *p, Span names) {
  SemaCopy c = {.p = p, .names = names};
  map_init(&c.given, p->session->arena);
  return c;
}

// -- names that stand for nothing that is given, for they are bound inside

static void stands(SemaCopy *c, const char *name, Ast *in_its_place) {
  vec_push(c->p->session->arena, c->hidden, ((SemaHidden){name, map_get(&c->given, name)}));
  map_put(&c->given, name, in_its_place);
}

static void hide(SemaCopy *c, const char *name) {
  if (name && map_get(&c->given, name)) stands(c, name, NULL);
}

static void show(SemaCopy *c, int hidden) {
  while (c->hidden.len > hidden) {
    const SemaHidden h = c->hidden.data[--c->hidden.len];
    map_put(&c->given, h.name, h.was);
  }
}

static void hide_list(SemaCopy *c, const Ast *list) {
  for (int i = 0; i < list->nkids; i++) hide(c, list->kids[i]->name);
}

// Names of parameters, and of the sizes in their types.
static void hide_params(SemaCopy *c, const Ast *e) {
  if (!e) return;
  const bool declared = e->kind == AST_PARAMDECL, shape = e->kind == AST_LIST || e->kind == AST_TYPE;
  if (declared) hide(c, e->name);
  for (int i = 0; i < e->nkids; i++) {
    const Ast *kid = e->kids[i];
    if (shape && kid && kid->kind == AST_UNARY && kid->op == OPR_LE) kid = kid->kids[0]; // `<=t`
    if (kid && (shape || (declared && i == 2)) && (kid->kind == AST_NAME || kid->kind == AST_ELLIPSIS))
      hide(c, kid->name);
    if (!declared || i == 0) hide_params(c, kid);
  }
}

// Which kid lists names that it binds, and in which these hold.
typedef struct Binder {
  int names, body;
} Binder;

static Binder binder_of(const Ast *e) {
  switch (e->kind) {
  case AST_EACH:
  case AST_PENALIZE:
  case AST_CONSTRAIN: return (Binder){0, 2};
  case AST_FOR: return (Binder){0, 3};
  case AST_LOCAL: return (Binder){0, 1};
  case AST_DERIVE: return (Binder){1, 3};
  case AST_UNPACK: return (Binder){0, -1};
  case AST_STACK: return (Binder){e->kids[0] ? 0 : -1, 2};
  case AST_DEF: return (Binder){e->op == KIND_OPTIMIZER ? 3 : -1, -1};
  default: return (Binder){-1, -1};
  }
}

static bool is_block(const Ast *e) { return e && (e->kind == AST_STAGES || e->kind == AST_WHEN); }

static void bound_again(SemaCopy *c, const char *name, Span at) {
  if (!name || !map_get(&c->given, name)) return;
  c->wrong = true;
  Diag *d = diag_emit(&c->p->session->diags, DIAG_duplicate_definition, at, name);
  diag_note(d, c->names.source ? c->names : ((Ast *)map_get(&c->given, name))->name_span,
            "what it stands for is given here");
}

// What a line binds, behind it.
static bool binds(const Ast *e) {
  return e->kind == AST_BIND || e->kind == AST_LOCAL || e->kind == AST_PARAM || e->kind == AST_STATE;
}

static void line_binds(SemaCopy *c, const Ast *line, bool in_definition) {
  const Ast *names = line->kind == AST_UNPACK || line->kind == AST_SWEEP ||
                             (line->kind == AST_FOR && is_block(line->kids[3]))
                         ? line->kids[0]
                         : NULL;
  const bool turn = line->kind == AST_REPEAT && is_block(line->kids[1]);
  if (in_definition && binds(line)) hide(c, line->name);
  if (in_definition && line->kind == AST_UNPACK) hide_list(c, names);
  if (in_definition) return;
  if (binds(line) || turn) bound_again(c, line->name, line->name_span);
  for (int i = 0; names && i < names->nkids; i++) bound_again(c, names->kids[i]->name, names->kids[i]->span);
}

// -- definitions of blocks

// A name that nothing has so far.
static const char *unlike(Program *p, const char *name) {
  const char *out = name;
  for (int k = 2; sema_find(p, out) || map_get(&p->stored, out); k++)
    out = arena_printf(p->session->arena, "%s_%d", name, k);
  return out;
}

// The same without what other runs of a sweep have defined, for what goes by the name: a run is the same
// beside others.
static const char *alike(Program *p, const char *name) {
  const char *out = name;
  for (int k = 2;; k++) {
    const Def *d = sema_find(p, out);
    if (!(d && !d->own) && !map_get(&p->stored, out) && !map_get(&p->alike, out)) break;
    out = arena_printf(p->session->arena, "%s_%d", name, k);
  }
  map_put(&p->alike, out, p);
  return out;
}

static void defined_twice(SemaCopy *c, const Ast *block, const Ast *e) {
  for (int k = 0; block->kids[k] != e; k++)
    if (block->kids[k] && block->kids[k]->kind == AST_DEF && block->kids[k]->name &&
        !strcmp(block->kids[k]->name, e->name))
      diag_note(diag_emit(&c->p->session->diags, DIAG_duplicate_definition, e->name_span, e->name),
                block->kids[k]->name_span, "first defined here");
}

// Of what stands beside a definition that of this.
static const char *own_name(SemaCopy *c, const Ast *e) {
  Program *p = c->p;
  if (!stands_beside((DefKind)e->op)) return unlike(p, e->name);
  const char *kind = def_kind_name((DefKind)e->op), *what = e->op == KIND_PROX ? "penalty" : "loss";
  const Ast *of = map_get(&c->given, beside_what(e->name));
  if (of && of->kind == AST_DEF) return arena_printf(p->session->arena, "%s %s", kind, of->name);
  Diag *d = diag_emit(&p->session->diags, DIAG_not_allowed_here, e->name_span,
                      arena_printf(p->session->arena, "the operator `%s`", e->name),
                      arena_printf(p->session->arena, "in a block without its %s", what));
  diag_hint(d, "it stands beside `%s %s(%s) = ...`", what, beside_what(e->name),
            e->op == KIND_PROX ? "w" : "pred, y");
  return unlike(p, e->name);
}

// -- models that statements keep

static Ast *node(Program *p, AstKind kind, const char *name, Span at, int nkids) {
  Ast *e = ARENA_NEW(p->session->arena, Ast);
  *e = (Ast){.kind = kind, .name = name, .span = at, .name_span = at, .nkids = nkids, .depth = 1, .links = 1};
  e->kids = ARENA_ARRAY(p->session->arena, Ast *, nkids + 1);
  return e;
}

static bool binds_model(const Ast *e) {
  return e->kind == AST_BIND && (e->kids[0]->kind == AST_AT || sema_followed(e->kids[0]));
}

// `fast = net at T`, `teacher = snapshot(net)`: a definition over what the statement keeps. The tree has a
// name that is none of the language.
static Ast *kept_model(Program *p, const Ast *bind, const char *name) {
  const Ast *e = bind->kids[0];
  Ast *def = node(p, AST_DEF, name, bind->name_span, 4), *body = (Ast *)e;
  def->op = e->kind == AST_AT ? KIND_MODEL : KIND_LET;
  def->text = bind->name;
  if (e->kind == AST_AT) {
    body = node(p, AST_AT, NULL, e->span, 2);
    body->kids[0] = e->kids[0];
    body->kids[1] =
        node(p, AST_NAME, arena_printf(p->session->arena, "tree of %s", name), e->kids[1]->span, 0);
  }
  def->kids[2] = body;
  return def;
}

// What the statement does: it keeps a copy of the tree, or has the model take what it follows as it is now.
static Ast *keeping(Program *p, const Ast *bind, const Ast *def) {
  const Ast *e = bind->kids[0], *body = def->kids[2];
  const bool moved = e->kind == AST_AT;
  Arena *a = p->session->arena;
  if (e->kind != body->kind ||
      strcmp(ast_text(a, moved ? e->kids[0] : e), ast_text(a, moved ? body->kids[0] : body)) != 0) {
    Diag *d = diag_emit(&p->session->diags, DIAG_duplicate_definition, bind->name_span, bind->name);
    diag_note(d, def->name_span, "first bound here");
    diag_hint(d, "bound again a model stays what it is made of: `%s = %s%s`", bind->name,
              ast_written(a, body->kind == AST_AT ? body->kids[0] : body),
              body->kind == AST_AT ? " at ..." : "");
    return node(p, AST_ERROR, NULL, bind->span, 0);
  }
  if (moved) {
    Ast *keeps = node(p, AST_BIND, body->kids[1]->name, bind->name_span, 1);
    keeps->span = bind->span;
    keeps->kids[0] = e->kids[1];
    map_put(&p->stored, keeps->name, keeps);
    return keeps;
  }
  Ast *takes = node(p, AST_GIVE, NULL, bind->span, 1);
  takes->kids[0] = node(p, AST_NAME, def->name, bind->name_span, 0);
  takes->kids[0]->op = 1;
  return takes;
}

// It is none that has a definition in the text.
static bool is_kept(const Ast *def) { return def && def->text && def->span.start == def->name_span.start; }

// By a statement around.
static const Ast *kept_before(const SemaCopy *c, const Ast *bind) {
  const Ast *def = map_get(&c->given, bind->name);
  const Def *d = def || c->apart ? NULL : map_get(&c->p->defs, bind->name);
  if (d && !d->own) def = d->ast;
  return is_kept(def) ? def : NULL;
}

const Ast *sema_bind_model(Program *p, const Ast *bind) {
  if (!binds_model(bind)) return bind;
  const Def *known = map_get(&p->defs, bind->name);
  if (known && !is_kept(known->ast)) return bind; // told where statements bind names
  if (!known) known = sema_define(p, kept_model(p, bind, bind->name), false, &p->defs);
  return keeping(p, bind, known->ast);
}

static void know_kept(SemaCopy *c, const Ast *bind) {
  if (kept_before(c, bind) || map_get(&c->given, bind->name)) return;
  Ast *made = kept_model(c->p, bind, unlike(c->p, bind->name));
  stands(c, bind->name, made);
  Def *d = sema_define(c->p, made, c->library, &c->p->defs);
  d->own = d->used = true;
  d->alike = alike(c->p, bind->name);
  d->checked = c->p->checked;
  vec_push(c->p->session->arena, c->kept, made);
}

// A statement of a block that keeps a model; its definition is of that block, or of one around.
static Ast *kept_copy(SemaCopy *c, const Ast *bind) {
  const Ast *def = kept_before(c, bind), *outer = c->named;
  Ast *made = node(c->p, AST_BIND, bind->name, bind->name_span, 1), *body = def->kids[2];
  c->named = bind->kids[0];
  made->span = bind->span;
  made->kids[0] = sema_copy(c, bind->kids[0]);
  if (body == bind->kids[0]) def->kids[2] = made->kids[0]; // the first one: it is what was written, so far
  if (body->kind == AST_AT && body->kids[0] == bind->kids[0]->kids[0]) body->kids[0] = made->kids[0]->kids[0];
  c->named = outer;
  return keeping(c->p, made, def);
}

// They are known in the whole block: the AST_DEF of each stands for its name.
static void know_definitions(SemaCopy *c, const Ast *block, bool operators) {
  Program *p = c->p;
  for (int i = 0; i < block->nkids; i++) {
    const Ast *e = block->kids[i];
    if (e && binds_model(e) && !operators) know_kept(c, e);
    if (!e || e->kind != AST_DEF || !e->name || stands_beside((DefKind)e->op) != operators) continue;
    defined_twice(c, block, e);
    Ast *made = ARENA_NEW(p->session->arena, Ast);
    *made = *e;
    made->text = e->text ? e->text : e->name;
    made->name = own_name(c, e);
    stands(c, e->name, made);
    Def *d = sema_define(p, made, c->library, &p->defs);
    d->own = true;
    d->alike = stands_beside((DefKind)e->op) ? made->name : alike(p, e->name);
    d->checked = d->used = p->checked;
  }
}

// Of a procedure or recipe: each use of it has definitions of its own.
static void hide_definitions(SemaCopy *c, const Ast *block) {
  for (int i = 0; i < block->nkids; i++)
    if (block->kids[i] && block->kids[i]->kind == AST_DEF) hide(c, block->kids[i]->name);
}

static Ast *called(const SemaCopy *c, const Ast *def, const Ast *e) {
  Ast *out = ARENA_NEW(c->p->session->arena, Ast);
  *out = *e;
  out->text = e->text ? e->text : e->name;
  out->name = def->name;
  out->op = 1;
  return out;
}

// -- the copy

// In front of its statements a block has the definitions of models that these keep.
static void with_definitions(SemaCopy *c, Ast *block, int from) {
  const int n = c->kept.len - from;
  Ast **kids = ARENA_ARRAY(c->p->session->arena, Ast *, block->nkids + n + 1);
  memcpy(kids, c->kept.data + from, sizeof *kids * (size_t)n);
  memcpy(kids + n, block->kids, sizeof *kids * (size_t)block->nkids);
  block->kids = kids;
  block->nkids += n;
  c->kept.len = from;
}

static void copy_kids(SemaCopy *c, const Ast *e, Ast *out) {
  const Binder b = binder_of(e);
  const bool lines = e->kind == AST_BLOCK;
  const int hidden = c->hidden.len, kept = c->kept.len;
  out->kids = ARENA_ARRAY(c->p->session->arena, Ast *, e->nkids + 1);
  if (e->kind == AST_DEF) hide_params(c, e->kids[0]);
  if (e->kind == AST_DEF && b.names >= 0 && e->kids[3]) hide(c, e->kids[3]->name);
  if (e->kind == AST_STAGES && c->definitions) hide_definitions(c, e);
  for (int operators = 0; e->kind == AST_STAGES && !c->definitions && operators < 2; operators++)
    know_definitions(c, e, operators);
  c->definitions += e->kind == AST_DEF;
  if (e->kind == AST_DEF) c->named = e->kids[2];
  for (int i = 0; i < e->nkids; i++) {
    const Ast *kid = e->kids[i];
    const int outside = c->hidden.len;
    if (i == b.body && b.names >= 0 && !is_block(kid)) hide_list(c, e->kids[b.names]);
    if (i == 1 && e->kind == AST_REPEAT && !is_block(kid)) hide(c, e->name);
    if (i == 3 && e->kind == AST_LEAST) hide(c, e->name);
    const bool keeps =
        kid && e->kind == AST_STAGES && !c->definitions && binds_model(kid) && kept_before(c, kid);
    if (kid && !lines && !keeps) line_binds(c, kid, false);
    out->kids[i] = keeps ? kept_copy(c, kid) : kid && i != b.names ? sema_copy(c, kid) : (Ast *)kid;
    if (i == b.body || e->kind == AST_REPEAT || e->kind == AST_LEAST) show(c, outside);
    if (kid && lines) line_binds(c, kid, true);
  }
  if (c->kept.len > kept) with_definitions(c, out, kept);
  c->definitions -= e->kind == AST_DEF;
  show(c, hidden);
}

Ast *sema_copy(SemaCopy *c, const Ast *e) {
  Ast *given = e->kind == AST_NAME ? map_get(&c->given, e->name) : NULL;
  if (given) return given->kind == AST_DEF ? called(c, given, e) : given;
  Ast *made = e->kind == AST_DEF && !c->definitions ? map_get(&c->given, e->name) : NULL;
  if (!made) {
    made = ARENA_NEW(c->p->session->arena, Ast);
    *made = *e;
  }
  const Ast *column =
      c->columns && (e->kind == AST_COLUMN || e->kind == AST_FIELD) ? map_get(&c->given, e->name) : NULL;
  if (column && column->kind == AST_NAME) made->name = column->name;
  const Ast *followed = sema_followed(e);
  const bool anew = followed && followed->kind == AST_NAME && map_get(&c->given, followed->name);
  copy_kids(c, e, made);
  if (anew && e != c->named) sema_name_average(c->p, made);
  Def *d = e->kind == AST_DEF && !c->definitions ? map_get(&c->p->defs, made->name) : NULL;
  if (d) d->ast = definition_whole(c->p->session->arena, made);
  return made;
}

Ast *sema_of_program(Program *p, const Ast *e) {
  Ast *out = ARENA_NEW(p->session->arena, Ast);
  *out = *e;
  if (e->kind == AST_NAME) out->op = 1;
  out->kids = ARENA_ARRAY(p->session->arena, Ast *, e->nkids + 1);
  for (int i = 0; i < e->nkids; i++) out->kids[i] = e->kids[i] ? sema_of_program(p, e->kids[i]) : NULL;
  return out;
}

bool sema_defines(const Ast *e) {
  bool found = false;
  for (int i = 0; i < e->nkids && !found; i++)
    found = e->kids[i] && (e->kids[i]->kind == AST_DEF || sema_defines(e->kids[i]) ||
                           (e->kind == AST_STAGES && binds_model(e->kids[i])));
  return found;
}
