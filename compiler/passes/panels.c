// In: a graph. Out: one in which turns multiply what they carry with a matrix that stays the same by its
// panels, which are made once, before the loop: a library's product orders such a matrix anew in each turn,
// which for few rows takes as long as the product. Runs once, behind the other passes, which know products.
#include "all.h"

enum { FEW = 16, MOST_ROWS = 256, LEAST_TURNS = 4 };

typedef struct Product {
  const Node *n;
  int operand; // of the loop: the matrix
  bool turned;
} Product;

// Is n a product of the turn with a matrix of every turn, of sizes for which panels pay?
static bool find_product(const Node *loop, const LoopParts *p, const Node *n, Product *out) {
  if (n->op != OP_MATMUL || n->shape.rank != 2 || n->dtype != DT_F32) return false;
  const bool turned = n->in[1]->op == OP_TRANSPOSE;
  const Node *y = turned ? n->in[1]->in[0] : n->in[1];
  if (y->op != OP_INPUT || n->in[0]->op == OP_TRANSPOSE) return false;
  *out = (Product){n, (int)y->attr[0] - 1, turned};
  const int64_t rows = n->shape.dim[0], inner = n->in[0]->shape.dim[1];
  return out->operand >= p->carries + p->slices && loop->in[out->operand]->shape.rank == 2 &&
         rows >= FEW / 2 && rows <= MOST_ROWS && inner >= FEW && n->shape.dim[1] >= FEW;
}

static Node *by_panels(const Rewrite *r) {
  const Node *loop = r->old;
  if (loop->op != OP_LOOP) return NULL;
  const LoopParts p = loop_parts(loop);
  const Graph *body = loop->body;
  Graph *g = r->g;
  Product *found = ARENA_ARRAY(g->arena, Product, body->nodes.len + 1);
  int count = 0;
  for (int i = 0; p.turns >= LEAST_TURNS && i < body->nodes.len; i++)
    count += find_product(loop, &p, body->nodes.data[i], &found[count]);
  if (!count) return NULL;
  Node **image = ARENA_ARRAY(g->arena, Node *, body->nodes.len + 1);
  LoopBuild b = graph_open_loop(g, loop, r->in, image);
  b.exact = true;
  Node **from = ARENA_ARRAY(g->arena, Node *, count), **to = ARENA_ARRAY(g->arena, Node *, count);
  for (int i = 0; i < count; i++) {
    const Product *f = &found[i];
    Node *x = graph_substitute(g, image[f->n->in[0]->id], from, to, i);
    from[i] = image[f->n->id];
    to[i] = graph_panel_product(g, x, graph_panels(g, r->in[f->operand], f->turned), f->n->shape.dim[1]);
  }
  for (int i = 0; i < b.carries; i++) b.next[i] = graph_substitute(g, b.next[i], from, to, count);
  for (int i = 0; i < b.stacks; i++) b.stack[i] = graph_substitute(g, b.stack[i], from, to, count);
  Node **made = r->parts[loop->id] = ARENA_ARRAY(g->arena, Node *, loop->nout + 1);
  graph_build_loop(g, &b, made);
  return made[0]->in[0];
}

Graph *pass_panels(Arena *a, const Graph *g) { return rewrite_graph(a, g, by_panels); }
