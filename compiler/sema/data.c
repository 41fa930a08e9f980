// Data made of data: names in it are columns, which are known only when the data are there.
#include "builtins.h"
#include "scope.h"
#include <string.h>

bool is_part_name(const char *name) {
  return !strcmp(name, "train") || !strcmp(name, "valid") || !strcmp(name, "test");
}

// Over columns of the data, which are known when these are read.
static void check_columns(Scope *s, const Ast *e) {
  const int before = s->names.len;
  const Scope outer = *s;
  s->open = true;
  s->value = PLACE_VALUE;
  s->callee = PLACE_CALL;
  check_expr(s, e);
  s->open = outer.open;
  s->value = outer.value;
  s->callee = outer.callee;
  s->names.len = before;
}

// A part is data, of which an index may pick rows.
static void check_part(Scope *s, const Ast *e) {
  const bool picked = e->kind == AST_INDEX;
  check_expr(s, picked ? e->kids[0] : e);
  for (int i = 1; picked && i < e->nkids; i++) check_columns(s, e->kids[i]);
}

bool joins_data(const Scope *s, const Ast *call) {
  return s->callee == PLACE_DATA && call->kids[0]->kind == AST_NAME &&
         builtin_find(call->kids[0]->name) == B_CONCAT;
}

void check_data(Scope *s, const Ast *e) {
  const Scope outer = *s;
  s->value = s->callee = PLACE_DATA;
  if (e->kind == AST_WHERE || e->kind == AST_WITH) check_expr(s, e->kids[0]);
  if (e->kind == AST_INDEX) check_part(s, e);
  for (int i = 1; e->kind == AST_CALL && i < e->nkids; i++) check_expr(s, e->kids[i]->kids[0]);
  for (int i = 1; e->kind == AST_WITH && i < e->nkids; i++)
    if (is_part_name(e->kids[i]->name)) check_part(s, e->kids[i]->kids[0]);
  s->value = outer.value;
  s->callee = outer.callee;
  if (e->kind == AST_WHERE) check_columns(s, e->kids[1]);
  for (int i = 1; e->kind == AST_WITH && i < e->nkids; i++)
    if (!is_part_name(e->kids[i]->name)) check_columns(s, e->kids[i]->kids[0]);
  if (e->kind != AST_TABLE) return;
  for (int i = 1; i < e->nkids; i++) check_columns(s, e->kids[i]->kids[0]);
  check_columns(s, e->kids[0]);
}
