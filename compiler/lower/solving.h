// Private to solve.c and what a solved training's penalties and constraints are made of (solve_parts.c).
#ifndef REGC_SOLVING_H
#define REGC_SOLVING_H
#include "model.h"
#include "stages.h"

// A part of the model's result: features @ parameter, or a bias.
typedef struct Term {
  Node *features; // [n, columns]; NULL: of ones
  const ParamRef *param;
  Span at;
} Term;

typedef struct Solving {
  Cx *cx;
  LowerTrain *t;
  const Ast *clause;
  BesideCall loss; // its call
  int64_t rows, outputs;
  VEC(Term) terms;
  Node *offset; // NULL: 0
} Solving;

enum { SOLVE_STRENGTHS = REG_BLOCK_SINGULAR + 1 };

// What restrains one parameter.
typedef struct Parts {
  Value strength[SOLVE_STRENGTHS]; // as reg_block_slot; NONE: 0
  int axis;
  Node *low, *high; // of its shape; NULL: no constraint is on it
} Parts;

Diag *solve_refuse(Solving *s, Span at, const char *what, const char *hint);
Node *solve_below(Node *n);                       // under what changes no value
bool solve_has_params(const Solving *s, Node *n); // is it made from what is trained?
// False after a report.
bool solve_parts(Solving *s, const ParamRef *param, Parts *out);
#endif
