// Private to sema: the names around an expression.
#ifndef SEMA_SCOPE_H
#define SEMA_SCOPE_H
#include "sema.h"

// `open`: names that are not found are left to a later stage (fields of data). `library`: of one of its
// definitions.
typedef struct Scope {
  Program *p;
  VEC(const char *) names;
  bool open, library;
  SemaPlace value, callee; // what a name may be: alone, and called
} Scope;

Scope scope_of(Program *p);
void bind(Scope *s, const char *name);
void check_expr(Scope *s, const Ast *e);
Def *check_name(Scope *s, const char *name, Span span, SemaPlace place);

// -- data.c
bool joins_data(const Scope *s, const Ast *call);
void check_data(Scope *s,
                const Ast *e); // WHERE, WITH, TABLE; where data stand INDEX and a call that joins_data

// -- clauses.c
void allow_warnings(Program *p, const Ast *train);
void check_train(Program *p, const Ast *train);
void check_evaluate(Program *p, const Ast *evaluate);
#endif
