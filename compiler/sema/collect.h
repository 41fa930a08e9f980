// Private to sema: gathering definitions.
#ifndef SEMA_COLLECT_H
#define SEMA_COLLECT_H
#include "sema.h"

// Adds the items of one file; `path` is what its `use` lines are relative to.
void collect_items(Program *p, const Ast *file, const char *path);
// A path in a program, relative to the file `from`.
const char *program_path(Program *p, const char *from, const char *relative);
#endif
