// Long loops. In: a loop whose derivative would read more of its turns than memory should hold. Out: the same
// turns as a loop over segments of them, about as many as a segment has turns. Holds: values are the same to
// the bit; the loop over segments stacks what is carried into each, and the derivative of one computes its
// turns once more. (Griewank & Walther 2008, Evaluating Derivatives, ch. 12.3.)
#include "ops.h"

typedef struct Long {
  Graph *g;
  const Node *loop; // in one piece
  LoopParts p;
  int held;
  int64_t turns; // of a segment
} Long;

// Bytes of what nothing but the derivative reads.
static double stacked_bytes(const Node *loop, const LoopBuild *b) {
  double bytes = 0;
  for (int k = b->carries + b->stacks; k < loop->nout; k++)
    bytes += (double)(dtype_size(loop->out[k].dtype) * shape_count(loop->out[k].shape));
  return bytes;
}

static int64_t segment_turns(int64_t n) {
  int64_t s = 1;
  while (s * s < n) s++;
  return s;
}

static Node *number(Graph *g, int64_t n) { return graph_const_typed(g, (double)n, DT_I32, (Shape){0}); }

// `turns` turns from number `first` on; `in` are the operands, with slices of these turns. Out: parts[carries
// + stacks], as of the whole loop.
static void build_segment(const Long *l, int64_t turns, Node *first, Node *const *in, LoopEnd end, int stacks,
                          Node **parts) {
  Graph *g = l->g;
  Node **known = ARENA_ARRAY(g->arena, Node *, l->loop->body->nodes.len + 1),
       *index = graph_hole(g, DT_I32, (Shape){0});
  known[l->loop->body->inputs.data[0]->id] = graph_binary(g, OP_ADD, first, index);
  LoopBuild b = graph_open_loop(g, l->loop, in, known);
  b.index = index;
  b.turns = turns;
  b.stacks = stacks;
  b.end = end;
  b.name = end == LOOP_MOST ? l->loop->name : NULL;
  if (l->held) {
    b.initial[1] = number(g, 0);
    b.next[1] = graph_binary(g, OP_ADD, index, number(g, 1));
  }
  graph_build_loop(g, &b, parts);
}

static LoopBuild outer_loop(const Long *l, int64_t segments) {
  Graph *g = l->g;
  LoopBuild b = {.turns = segments,
                 .index = graph_hole(g, DT_I32, (Shape){0}),
                 .carries = l->p.carries,
                 .slices = l->p.slices,
                 .carries_only = true};
  Node ***lists[] = {&b.carry, &b.initial, &b.next, &b.slice, &b.source, &b.stack};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    *lists[i] = ARENA_ARRAY(g->arena, Node *, l->loop->nin + l->loop->nout + 1);
  for (int k = 0; k < b.carries; k++) {
    b.initial[k] = k == 1 && l->held ? number(g, 0) : l->loop->in[k];
    b.carry[k] = graph_hole(g, b.initial[k]->dtype, b.initial[k]->shape);
  }
  for (int k = 0; k < b.slices; k++) {
    b.source[k] =
        graph_split_rows(g, graph_rows(g, l->loop->in[b.carries + k], 0, segments * l->turns), l->turns);
    b.slice[k] = graph_slice_hole(g, b.source[k]);
  }
  return b;
}

static void build_segments(const Long *l, LoopEnd end, LoopEnd within, int stacks, Node **parts) {
  Graph *g = l->g;
  const int64_t segments = l->p.turns / l->turns;
  LoopBuild b = outer_loop(l, segments);
  Node **in = ARENA_ARRAY(g->arena, Node *, l->loop->nin + 1),
       **inner = ARENA_ARRAY(g->arena, Node *, l->loop->nout + 1);
  for (int k = 0; k < l->loop->nin; k++)
    in[k] = k < b.carries ? b.carry[k] : k < b.carries + b.slices ? b.slice[k - b.carries] : l->loop->in[k];
  build_segment(l, l->turns, graph_binary(g, OP_MUL, b.index, number(g, l->turns)), in, within, stacks,
                inner);
  for (int k = 0; k < b.carries; k++) b.next[k] = inner[k];
  if (l->held) b.next[1] = graph_binary(g, OP_ADD, b.index, number(g, 1));
  for (int k = 0; k < stacks; k++) b.stack[k] = inner[b.carries + k];
  b.stacks = stacks;
  b.end = end;
  b.name = end == LOOP_MOST ? l->loop->name : NULL;
  graph_build_loop(g, &b, parts);
  for (int k = b.carries; k < b.carries + stacks; k++) parts[k] = graph_join_rows(g, parts[k]);
}

// The turns behind the last whole segment.
static void build_rest(const Long *l, int64_t done, int stacks, Node **parts) {
  Graph *g = l->g;
  Node **in = ARENA_ARRAY(g->arena, Node *, l->loop->nin + 1),
       **rest = ARENA_ARRAY(g->arena, Node *, l->loop->nout + 1);
  for (int k = 0; k < l->loop->nin; k++) {
    in[k] = l->loop->in[k];
    if (k < l->p.carries) in[k] = parts[k];
    if (k >= l->p.carries && k < l->p.carries + l->p.slices) in[k] = graph_rows(g, in[k], done, l->p.turns);
  }
  build_segment(l, l->p.turns - done, number(g, done), in, l->p.end, stacks, rest);
  for (int k = 0; k < l->p.carries + stacks; k++)
    parts[k] = k < l->p.carries ? rest[k] : graph_concat(g, (Node *[]){parts[k], rest[k]}, 2, 0);
}

void graph_build_long_loop(Graph *g, const LoopBuild *b, int64_t most, Node **parts) {
  graph_build_loop(g, b, parts);
  if (b->carries + b->stacks == 0) return;
  const Node *loop = parts[0]->in[0];
  Long l = {.g = g,
            .loop = loop,
            .p = loop_parts(loop),
            .held = loop_held(b->end),
            .turns = segment_turns(b->turns)};
  if (b->reverse || b->end == LOOP_COUNT || b->turns < 4 || stacked_bytes(loop, b) <= (double)most) return;
  const int64_t done = b->turns / l.turns * l.turns;
  const bool whole = done == b->turns, conditional = l.held > 0;
  const LoopEnd within = conditional ? LOOP_WHILE : LOOP_ALL;
  build_segments(&l, whole ? b->end : within, within, b->stacks, parts);
  if (!whole) build_rest(&l, done, b->stacks, parts);
}
