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
// The adjoint that operand k receives from those of n's results (of one: adj[0]; NULL: nothing uses the
// result), or NULL: none. masked: an adjoint may be such a 0.
Node *rule_apply(Graph *g, const Node *n, int k, Node *const *adj, bool masked);

// -- what a rule is read with; private to the files that read rules
typedef struct Rule {
  Graph *g;
  const Node *n; // differentiated
  int k;         // with respect to its operand k
  Node *const *adj;
  DType type; // of numbers in the rule
  bool masked;
  const char *at;
} Rule;

// Stands for the adjoint of a result that nothing uses, and for all that is linear in it.
extern Node rule_absent;
Node *rule_result(const Rule *r, int k); // of the node that is differentiated

// matrix.c: helpers for rules of factorizations, on the last two axes. They are linear in their last operand.
Node *matrix_low(const Rule *r, Node *v);           // on and below the diagonal, half of it on the diagonal
Node *matrix_triangle(const Rule *r, Node *v);      // what a triangular solve reads
Node *matrix_both(const Rule *r, Node *v);          // v + v'
Node *matrix_symmetric(const Rule *r, Node *v);     // (v + v') / 2
Node *matrix_skew(const Rule *r, Node *v);          // (v - v') / 2
Node *matrix_on_diagonal(const Rule *r, Node *v);   // [n] -> [n, n]
Node *matrix_gaps(const Rule *r, Node *w);          // 1 / (w_j - w_i); 0 where they are equal to rounding
Node *matrix_sums(const Rule *r, Node *w);          // 1 / (w_i + w_j); 0 where both are 0 to rounding
Node *matrix_over(const Rule *r, Node *v, Node *w); // column j over w_j; 0 where that is 0 to rounding
Node *matrix_outside(const Rule *r, Node *u, Node *v); // v - u u' v: absent where u is square
Node *matrix_solve_upper(const Rule *r, Node *u, Node *v);
Node *matrix_solve_back(const Rule *r, Node *v);   // with the transpose of x, a triangle
Node *matrix_solve_across(const Rule *r, Node *v); // with the transpose of x
#endif
