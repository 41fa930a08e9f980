// In: the graph of a step. Out: where its random draws are few, two graphs: one that makes them, of time
// alone, and the step itself, which reads them. Holds: the second has the inputs and outputs of the whole in
// their places, and behind them an input for each output of the first; both together have the whole's values.
#include "../graph/ops.h"
#include "passes.h"

// Of inputs of time and constants alone.
static bool *timely_nodes(Arena *a, const Graph *g, bool (*is_time)(Port)) {
  bool *timely = ARENA_ARRAY(a, bool, g->nodes.len);
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    timely[i] = n->op != OP_INPUT || is_time(n->port);
    for (int k = 0; k < n->nin; k++) timely[i] = timely[i] && timely[n->in[k]->id];
  }
  return timely;
}

static Node *draws_made(Graph *g, Node *n, Node **image) {
  if (image[n->id]) return image[n->id];
  Node **in = ARENA_ARRAY(g->arena, Node *, n->nin + 1);
  for (int k = 0; k < n->nin; k++) in[k] = draws_made(g, n->in[k], image);
  g->origin = n->origin;
  return image[n->id] = graph_rebuild(g, n, in);
}

static const Graph *rest_of(Arena *a, const Graph *g, const Graph *draws, Node *const *drawn, int kind) {
  Graph *rest = graph_new(a, g->name);
  Node **image = ARENA_ARRAY(a, Node *, g->nodes.len);
  for (int i = 0; i < g->inputs.len; i++)
    image[g->inputs.data[i]->id] = graph_input_like(rest, g->inputs.data[i], g->inputs.data[i]->dtype);
  for (int i = 0; i < draws->outputs.len; i++)
    image[drawn[i]->id] =
        graph_port(rest, (Port){kind, i}, draws->outputs.data[i].name, drawn[i]->dtype, drawn[i]->shape);
  graph_fill(rest, g, image);
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    graph_output_port(rest, o->port, o->name, image[o->node->id], o->alias);
  }
  rest->origin = g->origin;
  rest->doubles = g->doubles;
  return rest;
}

Drawn graph_drawn_apart(Arena *a, const Graph *g, bool (*is_time)(Port), int kind, int64_t most) {
  Graph *draws = graph_new(a, arena_printf(a, "%s_draws", g->name));
  const bool *timely = timely_nodes(a, g, is_time);
  Node **image = ARENA_ARRAY(a, Node *, g->nodes.len), **drawn = ARENA_ARRAY(a, Node *, g->nodes.len);
  int64_t elements = 0;
  for (int i = 0; i < g->nodes.len; i++) {
    Node *n = g->nodes.data[i];
    if (n->op != OP_UNIFORM || !timely[i]) continue;
    elements += shape_count(n->shape);
    const int k = draws->outputs.len;
    drawn[k] = n;
    graph_output_port(draws, (Port){kind, k}, arena_printf(a, "drawn:%d", k), draws_made(draws, n, image),
                      -1);
  }
  if (!draws->outputs.len || elements > most) return (Drawn){NULL, g};
  draws->origin = g->origin;
  return (Drawn){draws, rest_of(a, g, draws, drawn, kind)};
}
