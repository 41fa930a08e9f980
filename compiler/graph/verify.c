// In: a graph. Out: NULL, or the first law it breaks. Laws: ids are positions; operands come before their
// users; types and shapes follow from operands and attributes (infer.c); no two nodes are equal; inputs and
// outputs are the graph's own, named once, and an alias has its input's type.
#include "ops.h"
#include <string.h>

static const char *node_fault(Arena *a, const Graph *g, int i) {
  const Node *n = g->nodes.data[i];
  if (n->id != i) return arena_printf(a, "has id %d", n->id);
  if (n->op < 0 || n->op >= OP_COUNT) return "unknown operation";
  if (n->dtype < DT_F32 || n->dtype >= DTYPE_COUNT) return "unknown element type";
  for (int k = 0; k < n->nin; k++) {
    const Node *x = n->in[k];
    if (x->id < 0 || x->id >= i || g->nodes.data[x->id] != x)
      return arena_printf(a, "operand %d is not an earlier node", k);
  }
  if (op_has_name(n->op) != (n->name != NULL))
    return "a name where there is none, or none where there is one";
  if ((n->op == OP_CONST) != (n->ndata > 0))
    return "values where there are none, or none where there are some";
  if ((n->op == OP_LOOP) != (n->body != NULL))
    return "a body where there is none, or none where there is one";
  for (int k = 0; k < n->nin; k++)
    if (n->in[k]->dtype == DT_TUPLE && n->op != OP_PART) return "only a part can be read of several results";
  const char *inside = n->body ? graph_verify(n->body) : NULL;
  if (inside) return arena_printf(a, "in its body: %s", inside);
  Node inferred = *n;
  const char *fault = node_infer(a, &inferred);
  if (fault) return fault;
  if (inferred.dtype != n->dtype)
    return arena_printf(a, "is %s, but says %s", dtype_text(inferred.dtype), dtype_text(n->dtype));
  if (!shape_equal(inferred.shape, n->shape))
    return arena_printf(a, "has shape %s, but says %s", shape_text(a, inferred.shape),
                        shape_text(a, n->shape));
  return NULL;
}

static const char *input_fault(Arena *a, const Graph *g, int i) {
  const Node *n = g->inputs.data[i];
  if (n->op != OP_INPUT || n->id < 0 || n->id >= g->nodes.len || g->nodes.data[n->id] != n)
    return "is no input of the graph";
  if (n->attr[0] != i) return arena_printf(a, "says position %lld", (long long)n->attr[0]);
  for (int k = 0; k < i; k++)
    if (strcmp(g->inputs.data[k]->name, n->name) == 0) return "has the name of another";
  return NULL;
}

static const char *output_fault(const Graph *g, int i) {
  const GraphOutput *o = &g->outputs.data[i];
  const Node *n = o->node;
  if (!n || n->id < 0 || n->id >= g->nodes.len || g->nodes.data[n->id] != n) return "is no node of the graph";
  if (o->alias < -1 || o->alias >= g->inputs.len) return "has an alias that is no input";
  if (o->alias >= 0) {
    const Node *in = g->inputs.data[o->alias];
    if (in->dtype != n->dtype || !shape_equal(in->shape, n->shape))
      return "differs in type from the input it overwrites";
  }
  for (int k = 0; k < i; k++) {
    if (strcmp(g->outputs.data[k].name, o->name) == 0) return "has the name of another";
    if (o->alias >= 0 && g->outputs.data[k].alias == o->alias)
      return "overwrites an input that another overwrites";
  }
  return NULL;
}

const char *graph_verify(const Graph *g) {
  Arena *a = g->arena;
  int inputs = 0;
  for (int i = 0; i < g->nodes.len; i++) {
    const char *fault = node_fault(a, g, i);
    if (fault) return arena_printf(a, "%%%d = %s: %s", i, op_info[g->nodes.data[i]->op].text, fault);
    inputs += g->nodes.data[i]->op == OP_INPUT;
    if (node_find(g, g->nodes.data[i]) != g->nodes.data[i])
      return arena_printf(a, "%%%d equals another node", i);
  }
  if (inputs != g->inputs.len) return "a node is an input that the list of inputs lacks";
  for (int i = 0; i < g->inputs.len; i++) {
    const char *fault = input_fault(a, g, i);
    if (fault) return arena_printf(a, "input %d: %s", i, fault);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const char *fault = output_fault(g, i);
    if (fault) return arena_printf(a, "output %s: %s", g->outputs.data[i].name, fault);
  }
  return NULL;
}
