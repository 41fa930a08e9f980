// The names that a definition's parameters bind: theirs, and those of the sizes in their types.
#include "../base/words.h"
#include "scope.h"
#include <string.h>

// Names of a declared shape are bound by it, where they are not known yet.
void bind_shape(Scope *s, const Ast *shape) {
  if (shape && shape->kind == AST_TYPE) { // labels
    bind_shape(s, shape->kids[1]);
    return;
  }
  if (shape && shape->kind == AST_TUPLE) { // of several results
    for (int i = 0; i < shape->nkids; i++) bind_shape(s, shape->kids[i]);
    return;
  }
  for (int i = 0; shape && i < shape->nkids; i++) {
    const Ast *dim = shape->kids[i];
    if (dim->kind == AST_UNARY && dim->op == OPR_LE) dim = dim->kids[0]; // `<=t`
    if (dim->kind == AST_NAME || dim->kind == AST_ELLIPSIS) {
      if (dim->name && !bound(s, dim->name)) bind(s, dim->name);
    } else {
      check_expr(s, dim);
    }
  }
}

static void check_type(Program *p, const Ast *type) {
  static const char *const types[] = {"number", "int", "rate", "bool", "time", "labels", "text", "fn"};
  enum { TYPES = sizeof types / sizeof *types };
  if (!type->name) return;
  for (int i = 0; i < TYPES; i++)
    if (!strcmp(types[i], type->name)) return;
  Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, type->name_span,
                      "a type (number, int, rate, bool, time, labels, text, fn, or a shape)",
                      arena_printf(p->session->arena, "`%s`", type->name));
  if (word_hint(d, type->name, WORD_TYPE, NULL, 0)) return;
  const char *near = nearest_name(type->name, types, TYPES);
  if (near) diag_hint(d, "did you mean `%s`?", near);
}

void bind_params(Scope *s, const Ast *params) {
  for (int i = 0; params && i < params->nkids; i++) {
    const Ast *q = params->kids[i];
    for (int k = 0; k < i; k++)
      if (q->name && params->kids[k]->name && !strcmp(q->name, params->kids[k]->name))
        diag_emit(&s->p->session->diags, DIAG_duplicate_parameter, q->name_span, q->name);
    const Ast *type = q->kids[0], *classes = type && type->kind == AST_TYPE ? type->kids[2] : NULL;
    if (type) bind_shape(s, type->kind == AST_LIST ? type : type->kids[1]);
    if (type && type->kind == AST_TYPE) check_type(s->p, type);
    if (classes && classes->kind == AST_NAME && !bound(s, classes->name)) bind(s, classes->name);
    if (q->kids[1]) check_expr(s, q->kids[1]);
    bind(s, q->name);
    if (q->op == OPR_ARROW && q->kids[2]) bind(s, q->kids[2]->name);
  }
}
