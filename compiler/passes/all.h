// The passes of passes.def.
#ifndef PASSES_ALL_H
#define PASSES_ALL_H
#include "rewrite.h"

#define PASS(name, sentence, function) Graph *function(Arena *a, const Graph *g);
#include "passes.def"
#undef PASS
#endif
