// The derivative column of ops.def, read as graph text.
#ifndef AD_RULES_H
#define AD_RULES_H
#include "../graph/graph.h"

// Whether a gradient passes from node n to its operand k: the operand is f32 and the rule is neither
// `nondiff` nor `0`.
bool rule_exists(const Node *n, int k);
// Whether operand k may get an adjoint of 0 although it, or what it is made from, is infinite or NaN and the
// result is not.
bool rule_masks(const Node *n, int k);
// The adjoint that operand k receives from n's adjoint g_adj. masked: g_adj may be such a 0.
Node *rule_apply(Graph *g, const Node *n, int k, Node *g_adj, bool masked);
#endif
