// In: a graph whose gradients are taken. Out: only what the outputs need, merged and simplified; stop, which
// from here on is the identity, is gone.
#include "all.h"

static Node *drop_stop(const Rewrite *r) { return r->old->op == OP_STOP ? r->in[0] : NULL; }

Graph *pass_clean(Arena *a, const Graph *g) { return rewrite_graph(a, g, drop_stop); }
