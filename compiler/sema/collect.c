// Definitions by name: the program's own (with the files it uses) and, when first asked for, the library's.
// Holds afterwards: each Def is in one of Program's maps once; a program's definition hides the library's of
// the same name from the program, not from the library.
#include "collect.h"
#include "builtins.h"
#include "library.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Ast *made(Arena *a, AstKind kind, const char *name, Span at) {
  Ast *e = ARENA_NEW(a, Ast);
  *e = (Ast){.kind = kind, .name = name, .span = at, .name_span = at, .depth = 1, .links = 1};
  e->kids = ARENA_ARRAY(a, Ast *, 3);
  e->nkids = kind == AST_BOOL ? 0 : 3;
  return e;
}

static bool declares(const Ast *params, const char *name) {
  for (int i = 0; params && i < params->nkids; i++)
    if (params->kids[i]->name && !strcmp(params->kids[i]->name, name)) return true;
  return false;
}

// Every loss has `per_row: bool = false`, `weight` and `where` for a mean of its rows, every metric `where`,
// where it does not declare them itself; num tells them from its own.
static const Ast *with_rows(Arena *a, const Ast *def, const char *const *names) {
  const Ast *given = def->kids[0];
  Ast *all = made(a, AST_PARAMS, NULL, given ? given->span : def->name_span);
  all->kids = ARENA_ARRAY(a, Ast *, (given ? given->nkids : 0) + 3);
  for (all->nkids = 0; given && all->nkids < given->nkids; all->nkids++)
    all->kids[all->nkids] = given->kids[all->nkids];
  for (; *names; names++) {
    if (declares(given, *names)) continue;
    const bool is_truth = !strcmp(*names, "per_row");
    Ast *more = made(a, AST_PARAMDECL, *names, all->span);
    more->num = 1;
    if (is_truth) more->kids[0] = made(a, AST_TYPE, "bool", all->span);
    more->kids[1] = made(a, AST_BOOL, NULL, all->span);
    more->kids[1]->num = !is_truth;
    all->kids[all->nkids++] = more;
  }
  Ast *out = ARENA_NEW(a, Ast);
  *out = *def;
  out->kids = ARENA_ARRAY(a, Ast *, def->nkids + 1);
  for (int i = 0; i < def->nkids; i++) out->kids[i] = def->kids[i];
  out->kids[0] = all;
  return out;
}

const Ast *definition_whole(Arena *a, const Ast *def) {
  static const char *const of_losses[] = {"per_row", "weight", "where", NULL};
  const bool loss = def->op == KIND_LOSS;
  return loss || def->op == KIND_METRIC ? with_rows(a, def, of_losses + (loss ? 0 : 2)) : def;
}

Def *sema_define(Program *p, const Ast *item, bool from_library, Map *defs) {
  Def *d = ARENA_NEW(p->session->arena, Def);
  *d = (Def){.name = item->name, .kind = (DefKind)item->op, .ast = item, .from_library = from_library};
  map_put(defs, item->name, d);
  return d;
}

static void add_def(Program *p, const Ast *item, bool from_library) {
  if (!item->name) return; // the parser has reported it
  Map *defs = from_library ? &p->library : &p->defs;
  const Def *old = map_get(defs, item->name);
  if (old) {
    Diag *d = diag_emit(&p->session->diags, DIAG_duplicate_definition, item->name_span, item->name);
    diag_note(d, old->ast->name_span, "first defined here");
    return;
  }
  sema_define(p, definition_whole(p->session->arena, item), from_library, defs);
}

const char *program_path(Program *p, const char *from, const char *relative) {
  const char *slash = from ? strrchr(from, '/') : NULL;
  if (relative[0] == '/' || !slash) return relative;
  return arena_printf(p->session->arena, "%.*s/%s", (int)(slash - from), from, relative);
}

static void use_file(Program *p, const Ast *use, const char *from) {
  Session *s = p->session;
  const char *path = program_path(p, from, use->name);
  if (map_get(&p->used, path)) return; // read already: also how a circle of uses ends
  int len = 0;
  const char *why;
  char *text = source_read(s->arena, path, &len, &why);
  if (!text) {
    diag_emit(&s->diags, DIAG_use_missing, use->span, path, why);
    p->lacks_file = true;
    return;
  }
  map_put(&p->used, path, p);
  collect_items(p, parse_source(s, source_add(&s->sources, path, text, len))->file, path);
}

// It holds for the whole program, files that it uses included.
static void set_precision(Program *p, const Ast *item) {
  const bool doubles = !strcmp(item->name, "f64");
  Diags *ds = &p->session->diags;
  if (p->precision) {
    Diag *d = diag_emit(ds, DIAG_duplicate_definition, item->span, "precision");
    diag_note(d, p->precision->span, "first given here");
    return;
  }
  if (!doubles && strcmp(item->name, "f32") != 0)
    diag_emit(ds, DIAG_wrong_kind, item->name_span, "`f32` or `f64`",
              arena_printf(p->session->arena, "`%s`", item->name));
  p->precision = item;
  p->doubles = doubles;
}

static void stores(Program *p, const char *name, const Ast *by) {
  if (!map_get(&p->stored, name)) map_put(&p->stored, name, (void *)by);
}

static void collect_names(Program *p, const Ast *e);
static void collect_trainings(Program *p, const Ast *e);

// The statements in the blocks of one.
static void each_within(Program *p, const Ast *e, void (*visit)(Program *, const Ast *)) {
  for (int i = 0; i < e->nkids; i++) {
    const Ast *block = e->kids[i];
    if (block && block->kind == AST_EACH_EPOCH) block = block->kids[0];
    if (block && block->kind == AST_WHEN) visit(p, block);
    for (int k = 0; block && block->kind == AST_STAGES && k < block->nkids; k++)
      if (block->kids[k] && block->kids[k]->kind != AST_DEF) visit(p, block->kids[k]);
  }
}

void statement_names(Program *p, const Ast *e, void (*put)(Program *, const char *, const Ast *)) {
  const Ast *names = e->kind == AST_UNPACK || e->kind == AST_FOR || e->kind == AST_SWEEP ? e->kids[0] : NULL;
  const bool one = e->kind == AST_BIND || e->kind == AST_REPEAT || e->kind == AST_TRAIN ||
                   e->kind == AST_EVALUATE || e->kind == AST_SWEEP;
  if (one && e->name) put(p, e->name, e);
  for (int i = 0; names && i < names->nkids; i++) put(p, names->kids[i]->name, e);
}

static void collect_names(Program *p, const Ast *e) {
  statement_names(p, e, stores);
  each_within(p, e, collect_names);
}

static void collect_trainings(Program *p, const Ast *e) {
  if (e->kind == AST_TRAIN) vec_push(p->session->arena, p->trains, e);
  if (e->kind == AST_EVALUATE) vec_push(p->session->arena, p->evaluates, e);
  each_within(p, e, collect_trainings);
}

void collect_statements(Program *p) {
  for (int i = 0; i < p->statements.len; i++) collect_names(p, p->statements.data[i]);
  for (int i = 0; i < p->statements.len; i++) {
    p->statements.data[i] = sema_bind_model(p, p->statements.data[i]);
    SemaCopy c = sema_copying(p, (Span){0});
    if (sema_defines(p->statements.data[i])) p->statements.data[i] = sema_copy(&c, p->statements.data[i]);
    collect_trainings(p, p->statements.data[i]);
  }
}

void collect_items(Program *p, const Ast *file, const char *path) {
  for (int i = 0; i < file->nkids; i++) {
    const Ast *item = file->kids[i];
    if (!item) continue;
    switch (item->kind) {
    case AST_DEF: add_def(p, item, false); break;
    case AST_CHECK: vec_push(p->session->arena, p->checks, item); break;
    case AST_USE: use_file(p, item, path); break;
    case AST_PRECISION: set_precision(p, item); break;
    default: vec_push(p->session->arena, p->statements, item);
    }
  }
}

Def *sema_find(Program *p, const char *name) {
  Def *d = map_get(&p->defs, name);
  return d ? d : sema_library(p, name);
}

Def *sema_library(Program *p, const char *name) {
  Def *d = map_get(&p->library, name);
  const char *of = beside_what(name) ? beside_what(name) : name;
  if (d || map_get(&p->library, of)) return d;
  for (const LibraryName *l = library_names; l->name; l++) {
    if (strcmp(l->name, of)) continue;
    const LibraryFile *f = &library_files[l->file];
    Parse *parse = parse_source(p->session, source_add(&p->session->sources, f->name, f->text, f->len));
    for (int i = 0; i < parse->file->nkids; i++)
      if (parse->file->kids[i] && parse->file->kids[i]->kind == AST_DEF)
        add_def(p, parse->file->kids[i], true);
    return map_get(&p->library, name);
  }
  return NULL;
}
