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
  if (n->op != OP_LOOP && op_has_name(n->op) != (n->name != NULL))
    return "a name where there is none, or none where there is one";
  if ((n->op == OP_CONST) != (n->ndata > 0))
    return "values where there are none, or none where there are some";
  if ((n->op == OP_LOOP || n->op == OP_IF) != (n->body != NULL) || (n->op == OP_IF) != (n->other != NULL))
    return "a body where there is none, or none where there is one";
  for (int k = 0; k < n->nin; k++)
    if (n->in[k]->dtype == DT_TUPLE && n->op != OP_PART) return "only a part can be read of several results";
  const char *inside = n->body ? graph_verify(n->body) : NULL;
  if (!inside && n->other) inside = graph_verify(n->other);
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

static const char *input_fault(const Graph *g, int i, Map *names) {
  const Node *n = g->inputs.data[i];
  if (n->op != OP_INPUT || n->id < 0 || n->id >= g->nodes.len || g->nodes.data[n->id] != n)
    return "is no input of the graph";
  if (n->attr[0] != i) return arena_printf(g->arena, "says position %lld", (long long)n->attr[0]);
  if (map_get(names, n->name)) return "has the name of another";
  map_put(names, n->name, (void *)n);
  return NULL;
}

static const char *output_fault(const Graph *g, const GraphOutput *o, Map *names, bool *overwritten) {
  const Node *n = o->node;
  if (!n || n->id < 0 || n->id >= g->nodes.len || g->nodes.data[n->id] != n) return "is no node of the graph";
  if (o->alias < -1 || o->alias >= g->inputs.len) return "has an alias that is no input";
  if (map_get(names, o->name)) return "has the name of another";
  map_put(names, o->name, o->node);
  if (o->alias < 0) return NULL;
  const Node *in = g->inputs.data[o->alias];
  if (in->dtype != n->dtype || !shape_equal(in->shape, n->shape))
    return "differs in type from the input it overwrites";
  if (overwritten[o->alias]) return "overwrites an input that another overwrites";
  overwritten[o->alias] = true;
  return NULL;
}

static const char *ends_fault(const Graph *g, Arena *scratch) {
  Map inputs, outputs;
  map_init(&inputs, scratch);
  map_init(&outputs, scratch);
  bool *overwritten = ARENA_ARRAY(scratch, bool, g->inputs.len + 1);
  for (int i = 0; i < g->inputs.len; i++) {
    const char *fault = input_fault(g, i, &inputs);
    if (fault) return arena_printf(g->arena, "input %d: %s", i, fault);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    const char *fault = output_fault(g, o, &outputs, overwritten);
    if (fault) return arena_printf(g->arena, "output %s: %s", o->name, fault);
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
  Arena *scratch = arena_new();
  const char *fault = ends_fault(g, scratch);
  arena_free(scratch);
  return fault;
}
