// In: a graph whose gradients are taken. Out: only what the outputs need, merged and simplified; stop,
// point and made, which from here on are the identity, are gone.
#include "all.h"

static Node *drop_meta(const Rewrite *r) { return op_info[r->old->op].class == CLASS_META ? r->in[0] : NULL; }

Graph *pass_clean(Arena *a, const Graph *g) { return rewrite_graph(a, g, drop_meta); }
