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
  const Ast *named;        // the whole value of a definition
  SemaPlace value, callee; // what a name may be: alone, and called
} Scope;

Scope scope_of(Program *p);
void bind(Scope *s, const char *name);
bool bound(const Scope *s, const char *name);
bool bound(const Scope *s, const char *name);
void check_expr(Scope *s, const Ast *e);
Def *check_name(Scope *s, const Ast *e, SemaPlace place); // a NAME, or the FIELD whose name it is

// -- data.c
bool joins_data(const Scope *s, const Ast *call);
void check_data(Scope *s,
                const Ast *e); // WHERE, WITH, TABLE; where data stand INDEX and a call that joins_data

void check_kids(Scope *s, const Ast *e, int from);

// -- parameters.c
void bind_params(Scope *s, const Ast *params);
void bind_shape(Scope *s, const Ast *shape); // of a result

// -- statements.c
void check_statement(Program *p, const Ast *e);
void check_procedure(Program *p, Def *d, const Map *around); // around: names besides its own; or NULL
void check_own(Program *p, const Ast *def);                  // of a procedure: it sees the procedure's names

// -- traits.c
void check_trait(Program *p, const Def *d);

// -- clauses.c
void allow_warnings(Program *p, const Ast *train);
void check_train(Program *p, const Ast *train);
bool is_measure(const Ast *e);                            // `valid.accuracy`, whose arguments see fields
void check_clauses(Scope *s, const Ast *owner, int from); // kids[from..]
bool names_clause(const Ast *owner, const char *name);    // one of its updates has it
// Of an unknown name; false: no training has it for further data or a clause.
bool hint_training(Program *p, Diag *d, const char *name);

// -- prox.c
// That the definition `prox l1` or `conjugate huber`, which is asked for, is not there.
void tell_none_beside(Program *p, const char *name, Span at);
void check_by_prox(const Scope *s, const Ast *penalize);
void check_beside(Program *p, const Def *d); // the parameters of what stands beside another

// -- recipes.c
// `train … with R(…)`: puts R's clauses in their place, in front of the training's own, which replace those
// that occur once. given: it was given to a procedure, where the names in its arguments were checked.
void use_recipe(Program *p, const Ast *train, bool given);
bool has_clauses(const Ast *train); // false where its recipe was a mistake
void check_evaluate(Program *p, const Ast *evaluate);
#endif
