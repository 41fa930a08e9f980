// Names and kinds. In: parsed files. Out: a Program whose definitions are found by name (the program's own
// first, then the library's, parsed when first needed), whose calls name existing parameters, whose
// definitions do not reach themselves. Shapes, ranges and selectors are checked by lower/, which instantiates
// definitions with known sizes.
#ifndef SEMA_SEMA_H
#define SEMA_SEMA_H
#include "../syntax/ast.h"

typedef VEC(const char *) SharedModels;

typedef struct Def {
  const char *name;
  DefKind kind;
  const Ast *ast; // AST_DEF
  bool from_library;
  bool checked, in_progress, used;
  bool own;                   // of a block of statements, for which it stands in the program
  const char *alike;          // of these: its name without the other runs of a sweep; else NULL
  Span set_by;                // `--set name=value` replaces the body by this
  struct StageScope *scope;   // of what stands in a block of statements: the block (lower/); else NULL
  const SharedModels *shared; // of a model: sema_shared's answer, once it was asked for
} Def;

typedef struct Program {
  Session *session;
  Parse *parse;     // the program's own file
  const char *path; // of the file; "" for none
  Map defs;         // name -> Def *, the program's own
  Map library;      // likewise, those of the library that were asked for so far
  VEC(const Ast *) trains, evaluates, checks;
  VEC(const Ast *)
  statements;           // of the top level, in their order; trains and evaluates have those of blocks too
  Map *locals;          // of the procedure that is checked: its parameters and what it binds; else NULL
  bool in_library;      // it is the library's
  const Ast *around;    // the clauses of a training between whose epochs the statement that is checked stands
  Map stored;           // names that statements bind -> the first one that does
  const Ast *precision; // the statement; NULL: none
  bool doubles;         // floats are f64
  bool lacks_file;      // that it uses: reported, and its names are not checked
  bool checked;         // all names: what is defined later is a copy of what was checked
  bool too_deep;        // a chain of definitions was too long: reported
  Map alike;            // of definitions of blocks: their names without the other runs of sweeps
  Map used;             // paths of the program's file and of those that it uses -> not NULL
} Program;

typedef struct SemaSet { // --set name=value
  const char *name, *value;
} SemaSet;

// Never NULL; mistakes are in the session's diagnostics.
Program *sema_check(Session *s, Parse *parse, const char *path, const SemaSet *sets, int nsets);
// A definition of the program or the library by name; NULL where there is none (nothing is reported).
Def *sema_find(Program *p, const char *name);
// The library's: what its own definitions mean by the name, whatever the program defines.
Def *sema_library(Program *p, const char *name);
// What definitions may be said to be, traits.def.
typedef enum Trait {
#define TRAIT(word, kinds, meaning) TRAIT_##word,
#include "traits.def"
#undef TRAIT
  TRAIT_COUNT
} Trait;
bool sema_has(const Def *d, Trait t); // false: also where there is no definition
// What stands beside a known definition: of a penalty its `prox`, of a loss its `conjugate` or `response`;
// NULL: nothing.
Def *sema_beside(Program *p, DefKind kind, const Def *of);
// `strength * penalty(w, …)`, where the strength may be several factors, also behind a stroke; of a loss
// likewise.
typedef struct BesideCall {
  Def *def;         // penalty or loss
  const Ast *call;  // its call
  const Ast *of;    // w
  const Ast *stage; // CALL: its further arguments are kids[rest..]; of a pipe also NAME
  int rest;
} BesideCall;
// False: e has another form.
bool sema_call_of(Program *p, DefKind kind, bool library, const Ast *e, BesideCall *out);
// The recipe that a training uses; NULL: none. Its first parameters are the models of the head.
Def *train_recipe(Program *p, const Ast *train);
// The data of a FURTHER, and the size of its batches where that is given, else NULL.
const Ast *further_data(const Ast *further, const Ast **batch);
// A copy of statements in which something stands in the place of names, and in which definitions of blocks
// are the program's.
typedef struct SemaHidden {
  const char *name;
  Ast *was;
} SemaHidden;
typedef struct SemaCopy {
  Program *p;
  Map given;    // name -> the Ast in its place; of a definition of a block the AST_DEF
  Span names;   // where what is given has its names; source 0: nothing else is given
  bool library; // of a definition of the library
  bool apart;   // of a procedure: what it binds is its own
  bool columns; // of data: names of columns are given too
  bool wrong;   // a name that something stands for is bound again: reported
  VEC(SemaHidden) hidden;
  VEC(Ast *) kept;  // models of statements of the block
  const Ast *named; // the whole value of the definition around
  int definitions;  // around what is copied
} SemaCopy;
SemaCopy sema_copying(Program *p, Span names);
Ast *sema_copy(SemaCopy *c, const Ast *e);
Ast *sema_of_program(Program *p, const Ast *e); // a copy whose names are the program's, wherever it stands
bool sema_defines(const Ast *e);                // a block in it has definitions
// What stands for `without NAME` or `with R` behind `first`, a recipe: a recipe without the clauses called
// so, or with those of R too, which replace those that occur once. NULL after a mistake.
const Ast *sema_variant(Program *p, const Ast *first, const Ast *variant);
// The clauses of the recipe that a training in a procedure was given, where it has them not yet.
void sema_use_recipe(Program *p, const Ast *train);
// Checks names and calls of one expression outside any definition (`regc eval`); `locals`: names it may use
// besides.
void sema_check_expression(Program *p, const Ast *e, const char *const *locals, int nlocals);

// The definition whose body a model has: of `model b = new net` that of `net`, else d itself. NULL where it
// has none.
Def *sema_structure(Program *p, Def *d);
// `let t = load(…)`, `ema`, `snapshot`: a model without gradient; sema_structure says whose body it has.
bool sema_is_still(const Def *d);
// Whether a model's parameter is one of its making (`new mlp(width: 8)`): it has no tensor shape.
bool sema_is_making(const Ast *paramdecl);
// The models, besides itself, whose parameters a model shares: those that it calls, and what these share.
const SharedModels *sema_shared(Program *p, Def *model);

// Where a name stands, for what can be meant there.
typedef enum SemaPlace {
  PLACE_VALUE,
  PLACE_CALL, // also a stage of a pipe
  PLACE_MODEL,
  PLACE_METRIC,
  PLACE_OPTIMIZER,
  PLACE_DATA,
  PLACE_ANY
} SemaPlace;
// The names of the program, the library and the compiler that can stand at a place, for did-you-mean and
// completion.
const char **sema_names(Program *p, Arena *a, SemaPlace place, int *n);
// Attaches what may have been meant by an unknown name; `locals` are the names bound around it.
void sema_suggest(Program *p, Diag *d, const char *name, SemaPlace place, const char *const *locals,
                  int nlocals);
// The same for `x.mean`, where `mean` is a function.
void sema_suggest_call(Program *p, Diag *d, const Ast *field);
bool is_part_name(const char *name); // of data: train, valid, test
#endif
