// The pipeline. In: a graph. Out: a graph of the same inputs and outputs. Holds: it ends, after MAX_ROUNDS
// rounds at the latest, and the last pass of the list; the last pass to run is the first of the list, so that
// no rewriting leaves dead nodes behind.
#include "passes.h"
#include "all.h"

enum { MAX_ROUNDS = 8 };

const Pass passes[] = {
#define PASS(name, sentence, function) {name, sentence, function},
#include "passes.def"
#undef PASS
};
const int npasses = sizeof passes / sizeof *passes;

static Graph *run(Arena *a, const Graph *g, const Pass *p, bool verify) {
  Graph *next = p->run(a, g);
  const char *fault = verify ? graph_verify(next) : NULL;
  if (fault) {
    graph_print(stderr, next);
    ice("passes", "after %s: %s", p->name, fault);
  }
  return next;
}

Graph *passes_run(Arena *a, const Graph *g, int level, bool verify) {
  Graph *current = run(a, g, &passes[0], verify);
  for (int round = 0; level > 0 && round < MAX_ROUNDS; round++) {
    Arena *scratch = arena_new();
    Graph *next = current;
    for (int i = 1; i < npasses - 1; i++) next = run(scratch, next, &passes[i], verify);
    next = run(a, next, &passes[0], verify);
    bool same = graph_same(current, next);
    arena_free(scratch);
    current = next;
    if (same) break;
  }
  return level > 0 ? run(a, run(a, current, &passes[npasses - 1], verify), &passes[0], verify) : current;
}
