// Hash-consing. In: a prototype whose arrays may be on the stack. Out: the one node of the graph that equals
// it. Holds: two nodes of a graph are equal only if they are the same node; ids are positions in `nodes`.
#include "ops.h"
#include <string.h>

Graph *graph_new(Arena *a, const char *name) {
  Graph *g = ARENA_NEW(a, Graph);
  g->arena = a;
  g->name = arena_strdup(a, name);
  g->table = ARENA_NEW(a, struct GraphTable);
  map_init(&g->table->inputs, a);
  return g;
}

// FNV-1a (Fowler, Noll, Vo), 64 bits.
static uint64_t hash_bytes(uint64_t h, const void *p, size_t n) {
  const unsigned char *b = p;
  for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3u;
  return h;
}

static uint64_t node_hash(const Node *n) {
  int head[4] = {(int)n->op, (int)n->dtype, n->shape.rank, n->nin};
  uint64_t h = hash_bytes(0xcbf29ce484222325u, head, sizeof head);
  if (n->shape.rank) h = hash_bytes(h, n->shape.dim, sizeof(int64_t) * (size_t)n->shape.rank);
  for (int i = 0; i < n->nin; i++) h = hash_bytes(h, &n->in[i]->id, sizeof(int));
  if (n->nattr) h = hash_bytes(h, n->attr, sizeof(int64_t) * (size_t)n->nattr);
  if (n->name) h = hash_bytes(h, n->name, strlen(n->name));
  if (n->ndata) h = hash_bytes(h, n->data, sizeof(double) * (size_t)n->ndata);
  const Graph *const bodies[] = {n->body, n->other};
  for (int i = 0; i < 2 && bodies[i]; i++) {
    const uint64_t body = graph_hash(bodies[i]);
    h = hash_bytes(h, &body, sizeof body);
  }
  return h ^ (h >> 29);
}

static bool same_body(const Graph *a, const Graph *b) { return a && b ? graph_same(a, b) : a == b; }

static bool same_bodies(const Node *a, const Node *b) {
  return same_body(a->body, b->body) && same_body(a->other, b->other);
}

// Constants are compared by bits: 0 and -0 are two constants, and a NaN equals itself.
static bool node_same(const Node *a, const Node *b) {
  if (a->op != b->op || a->dtype != b->dtype || a->nin != b->nin || a->nattr != b->nattr ||
      a->ndata != b->ndata || !shape_equal(a->shape, b->shape))
    return false;
  for (int i = 0; i < a->nin; i++)
    if (a->in[i] != b->in[i]) return false;
  for (int i = 0; i < a->nattr; i++)
    if (a->attr[i] != b->attr[i]) return false;
  if (!a->name != !b->name || (a->name && strcmp(a->name, b->name) != 0)) return false;
  if (!same_bodies(a, b)) return false;
  return a->ndata == 0 || memcmp(a->data, b->data, sizeof(double) * (size_t)a->ndata) == 0;
}

uint64_t graph_hash(const Graph *g) {
  uint64_t h = 0xcbf29ce484222325u;
  for (int i = 0; i < g->nodes.len; i++) {
    Node n = *g->nodes.data[i];
    if (n.op == OP_INPUT) n.name = NULL;
    const uint64_t one = node_hash(&n);
    h = hash_bytes(h, &one, sizeof one);
  }
  for (int i = 0; i < g->outputs.len; i++) h = hash_bytes(h, &g->outputs.data[i].node->id, sizeof(int));
  return h;
}

static bool same_node(const Node *x, const Node *y) {
  if (x->op != y->op || x->dtype != y->dtype || x->nin != y->nin || x->nattr != y->nattr ||
      x->ndata != y->ndata || !shape_equal(x->shape, y->shape) || !same_bodies(x, y))
    return false;
  for (int k = 0; k < x->nin; k++)
    if (x->in[k]->id != y->in[k]->id) return false;
  for (int k = 0; k < x->nattr; k++)
    if (x->attr[k] != y->attr[k]) return false;
  if (x->op != OP_INPUT && x->name && strcmp(x->name, y->name) != 0) return false;
  return x->ndata == 0 || memcmp(x->data, y->data, sizeof(double) * (size_t)x->ndata) == 0;
}

bool graph_same(const Graph *a, const Graph *b) {
  if (a == b) return true;
  if (a->nodes.len != b->nodes.len || a->outputs.len != b->outputs.len) return false;
  for (int i = 0; i < a->nodes.len; i++)
    if (!same_node(a->nodes.data[i], b->nodes.data[i])) return false;
  for (int i = 0; i < a->outputs.len; i++)
    if (a->outputs.data[i].node->id != b->outputs.data[i].node->id) return false;
  return true;
}

Graph *graph_copy(Arena *a, const Graph *g) {
  Graph *out = graph_new(a, g->name);
  out->doubles = g->doubles;
  for (int i = 0; i < g->nodes.len; i++) {
    Node proto = *g->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, proto.nin + 1);
    for (int k = 0; k < proto.nin; k++) in[k] = out->nodes.data[proto.in[k]->id];
    proto.in = in;
    out->origin = proto.origin;
    node_intern(out, &proto);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    graph_output_port(out, o->port, o->name, out->nodes.data[o->node->id], o->alias);
  }
  return out;
}

static void table_insert(struct GraphTable *t, Node *n) {
  uint64_t mask = (uint64_t)t->nslots - 1, i = node_hash(n) & mask;
  while (t->slots[i]) i = (i + 1) & mask;
  t->slots[i] = n;
  t->used++;
}

static void table_grow(Graph *g) {
  struct GraphTable *t = g->table;
  t->nslots = t->nslots ? t->nslots * 2 : 256;
  t->slots = ARENA_ARRAY(g->arena, Node *, t->nslots);
  t->used = 0;
  for (int i = 0; i < g->nodes.len; i++) table_insert(t, g->nodes.data[i]);
}

static void *copy(Arena *a, const void *p, size_t size) {
  if (!size) return NULL;
  void *q = arena_alloc(a, size);
  memcpy(q, p, size);
  return q;
}

Node *node_find(const Graph *g, const Node *proto) {
  const struct GraphTable *t = g->table;
  uint64_t mask = (uint64_t)t->nslots - 1;
  for (uint64_t i = t->nslots ? node_hash(proto) & mask : 0; t->nslots && t->slots[i]; i = (i + 1) & mask)
    if (node_same(t->slots[i], proto)) return t->slots[i];
  return NULL;
}

Node *node_intern(Graph *g, const Node *proto) {
  struct GraphTable *t = g->table;
  Node *known = node_find(g, proto);
  if (known) return known;
  if (2 * t->used >= t->nslots) table_grow(g);
  Node *n = ARENA_NEW(g->arena, Node);
  *n = *proto;
  n->id = g->nodes.len;
  n->in = copy(g->arena, proto->in, sizeof(Node *) * (size_t)proto->nin);
  n->attr = copy(g->arena, proto->attr, sizeof(int64_t) * (size_t)proto->nattr);
  n->data = copy(g->arena, proto->data, sizeof(double) * (size_t)proto->ndata);
  n->name = proto->name ? arena_strdup(g->arena, proto->name) : NULL;
  if (n->nout) n->out = copy(g->arena, proto->out, sizeof(TensorType) * (size_t)proto->nout);
  if (n->body && n->body->arena != g->arena) n->body = graph_copy(g->arena, n->body);
  if (n->other && n->other->arena != g->arena) n->other = graph_copy(g->arena, n->other);
  n->origin = g->origin;
  vec_push(g->arena, g->nodes, n);
  table_insert(t, n);
  if (n->op != OP_INPUT) return n;
  vec_push(g->arena, g->inputs, n);
  map_put(&t->inputs, n->name, n);
  return n;
}
