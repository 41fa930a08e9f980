// --emit: the stages of the training step as text.
#ifndef DRIVER_EMIT_H
#define DRIVER_EMIT_H
#include "program_table.h"

bool emit_needs_step(const Options *o); // a stage beyond the tree is wanted
int emit_text_stages(Pipeline *p);      // tokens, ast: after pipeline_read
int emit_step(ProgramTable *t);         // graph, kernels, llvm, asm, obj: of the first training's step
int emit_function(Pipeline *p, const LoopFn *f);
#endif
