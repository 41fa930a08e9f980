// Private to sema: gathering definitions.
#ifndef SEMA_COLLECT_H
#define SEMA_COLLECT_H
#include "sema.h"

// Adds the items of one file; `path` is what its `use` lines are relative to.
void collect_items(Program *p, const Ast *file, const char *path);
void collect_statements(Program *p); // of all files: what they bind, and the definitions of their blocks
// The names that a statement binds itself, not in its blocks.
void statement_names(Program *p, const Ast *e, void (*put)(Program *, const char *, const Ast *));
const Ast *definition_whole(Arena *a, const Ast *def); // with the parameters that each of its kind has
Def *sema_define(Program *p, const Ast *def, bool from_library, Map *defs);
void sema_set(Program *p, const SemaSet *set); // `--set name=value`
// `ema(net, decay: 0.99)` that is no definition's whole value becomes the NAME of one.
void sema_name_average(Program *p, const Ast *call);
const Ast *
sema_followed(const Ast *call); // by `ema` or `snapshot`, or loaded; NULL: the call is none of these
// A statement that keeps a model, and its definition; others as they are.
const Ast *sema_bind_model(Program *p, const Ast *statement);
// A path in a program, relative to the file `from`.
const char *program_path(Program *p, const char *from, const char *relative);
#endif
