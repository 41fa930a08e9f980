// Reverse-mode differentiation, graph to graph. In: nodes of a graph. Out: new nodes of the same graph; so a
// gradient can be differentiated again. Rules are the derivative column of ops.def. (Griewank & Walther 2008,
// Evaluating Derivatives, ch. 3.)
#ifndef AD_AD_H
#define AD_AD_H
#include "../graph/graph.h"

// out[i] = d y / d xs[i], of xs[i]'s shape; zeros where y does not depend on xs[i]. y is a rank-0 f32 node;
// xs may be any f32 nodes (they count as independent variables: the paths through xs[i] end there).
void ad_gradient(Graph *g, Node *y, Node *const *xs, int n, Node **out);
// Sum over elements of seed * y differentiated, for y of any shape.
void ad_vjp(Graph *g, Node *y, Node *seed, Node *const *xs, int n, Node **out);
// The same for several y at once: the sum over all of them. NULL where an x is not reached. `guarded`: the
// seeds are zero where something was left out.
void ad_vjp_all(Graph *g, Node *const *ys, Node *const *seeds, int ny, bool guarded, Node *const *xs, int n,
                Node **out);
#endif
