// The derivatives of operations with bodies: of a loop, which is a loop, and of an IF, which is one.
#ifndef AD_LOOP_H
#define AD_LOOP_H
#include "../graph/graph.h"

// part_adj: adjoints of the loop's results, NULL where there is none. `guarded`: as in ad_vjp_all. Out:
// out[k] of operand k, NULL where no gradient reaches it. so_far[k]: what operand k has received from
// elsewhere; where a sum over the turns goes on from it, it stays and out[k] includes it, else it becomes
// NULL.
void loop_vjp(Graph *g, Node *loop, Node *const *part_adj, bool guarded, Node **so_far, Node **out);
// The same for an IF, without so_far.
void if_vjp(Graph *g, Node *node, Node *const *part_adj, bool guarded, Node **out);
#endif
