// Lowering a graph to loops: values kept, groups, order of steps, buffers. See loops.h.
#include "loops.h"
#include "nest.h"
#include "plan.h"
#include <string.h>

// An output that is copied at the end, or (inputs that are passed through) at the start.
typedef struct Copy {
  Node *from; // a kept node or an input
  int slot;
} Copy;

typedef struct Lowering {
  Plan plan;
  LoopFn *f;
  int *slot_for;   // of a kept node: where it is written; 0: scratch
  VEC(Copy) early; // inputs that are outputs: copied before anything is overwritten
  VEC(Copy) late;
  VEC(LoopStep) steps;
  VEC(Buffer *) buffers;
  bool keep_all;
} Lowering;

static void make_slots(Lowering *l) {
  const Graph *g = l->plan.graph;
  LoopFn *f = l->f;
  f->slots = ARENA_ARRAY(f->arena, Slot, 1 + g->inputs.len + g->outputs.len);
  f->slots[0] = (Slot){.name = "scratch"};
  f->nslots = 1;
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    f->slots[f->nslots++] = (Slot){n->name, n->port, n->dtype, n->shape, true, false};
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    if (o->alias >= 0)
      f->slots[1 + o->alias].is_output = true;
    else
      f->slots[f->nslots++] = (Slot){o->name, o->port, o->node->dtype, o->node->shape, false, true};
  }
}

int64_t slot_bytes(const Slot *s) { return dtype_size(s->dtype) * shape_count(s->shape); }

// The writing nest may read the old value at the element it writes, nothing else.
static bool reads_only_own_element(const Group *g, const Node *input) {
  if (g->kind != STEP_KERNEL) return false;
  Vars v;
  Shape s = g->roots.data[0]->space;
  Index space = space_index(s, &v);
  Affine element = index_linear(s, &space);
  for (int i = 0; i < g->roots.len; i++) {
    const Leaves *l = g->roots.data[i]->leaves;
    for (int j = 0; j < l->list.len; j++)
      if (l->list.data[j].node == input && !affine_equal(&l->list.data[j].at, &element)) return false;
  }
  return true;
}

// Whether `n` can be written over `input`: everything else that reads the old value comes before. Orders the
// groups so.
static bool take_in_place(Plan *p, const Node *n, const Node *input) {
  int writer = p->group_of[n->id];
  Group *w = p->groups.data[writer];
  const Numbers *readers = &p->readers[input->id];
  if (group_reads(p, writer, input) &&
      (!reads_only_own_element(w, input) || (w->kind == STEP_KERNEL && op_info[n->op].class == CLASS_REDUCE)))
    return false;
  for (int i = 0; i < readers->len; i++)
    if (readers->data[i] != writer && group_needs(p->groups.data[readers->data[i]], writer)) return false;
  for (int i = 0; i < readers->len; i++)
    if (readers->data[i] != writer) group_add_need(p, writer, readers->data[i]);
  w->writes_alias = true;
  return true;
}

static void place_outputs(Lowering *l) {
  Plan *p = &l->plan;
  const Graph *g = p->graph;
  int next = 1 + g->inputs.len;
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    int slot = o->alias >= 0 ? 1 + o->alias : next++;
    Node *n = p->storage[o->node->id];
    Copy c = {n, slot};
    if (n->op == OP_INPUT) {
      if (n != (o->alias >= 0 ? g->inputs.data[o->alias] : NULL)) vec_push(p->arena, l->early, c);
    } else if (l->slot_for[n->id] == 0 && (o->alias < 0 || take_in_place(p, n, g->inputs.data[o->alias]))) {
      l->slot_for[n->id] = slot;
    } else {
      vec_push(p->arena, l->late, c);
    }
  }
}

static Buffer *add_buffer(Lowering *l, Node *n, int slot, int64_t bytes) {
  Buffer *b = ARENA_NEW(l->f->arena, Buffer);
  *b = (Buffer){.id = l->buffers.len, .node = n, .slot = slot, .bytes = bytes, .first = -1, .last = -1};
  vec_push(l->f->arena, l->buffers, b);
  return b;
}

static void make_buffers(Lowering *l) {
  LoopFn *f = l->f;
  const Graph *g = l->plan.graph;
  int n = g->nodes.len;
  f->of = ARENA_ARRAY(f->arena, Buffer *, n);
  f->storage = l->plan.storage;
  for (int i = 0; i < g->inputs.len; i++) {
    Node *x = g->inputs.data[i];
    f->of[x->id] = add_buffer(l, x, 1 + i, node_bytes(x));
  }
  for (int i = 0; i < n; i++) {
    Node *x = g->nodes.data[i];
    if (l->plan.kept[i])
      f->of[i] = add_buffer(l, x, l->slot_for[i], node_bytes(x));
    else if (l->plan.storage[i])
      f->of[i] = f->of[l->plan.storage[i]->id];
  }
}

static LoopStep *add_step(Lowering *l, StepKind kind, int nin) {
  LoopStep s = {.kind = kind, .nin = nin, .in = ARENA_ARRAY(l->f->arena, Buffer *, nin + 1)};
  vec_push(l->f->arena, l->steps, s);
  return &l->steps.data[l->steps.len - 1];
}

static void add_copy(Lowering *l, Buffer *from, Buffer *to) {
  if (!to->bytes) return; // nothing has written what has no elements
  LoopStep *s = add_step(l, STEP_COPY, 1);
  s->in[0] = from;
  s->out = to;
}

static void add_kernel(Lowering *l, const Group *g) {
  LoopFn *f = l->f;
  Nest *nest = ARENA_NEW(f->arena, Nest);
  nest->space = g->roots.data[0]->space;
  nest->nouts = g->roots.len;
  nest->outs = ARENA_ARRAY(f->arena, NestOut, nest->nouts);
  for (int i = 0; i < nest->nouts; i++) {
    const Root *r = g->roots.data[i];
    nest->outs[i] = (NestOut){r->kind, r->node, f->of[r->node->id], NULL};
    nest->reduced |= r->reduced;
  }
  NestLoops loops;
  nest_loops(l->plan.arena, f, nest, &loops);
  f->flops += (double)loops.operations * (double)shape_count(nest->space);
  const int64_t partial = nest_partial_bytes(&loops);
  for (int i = 0; partial && i < nest->nouts; i++)
    if (nest->outs[i].kind == OUT_REDUCE)
      nest->outs[i].partial = add_buffer(l, nest->outs[i].node, 0, partial * MOST_PIECES);
  LoopStep *s = add_step(l, STEP_KERNEL, 0);
  s->nest = nest;
}

static int64_t type_bytes(const TensorType *t) { return dtype_size(t->dtype) * shape_count(t->shape); }

// A buffer for each result, also for those that nothing reads.
static void add_parts(Lowering *l, LoopStep *s) {
  const LoopFn *f = l->f;
  const Node *n = s->node;
  s->parts = ARENA_ARRAY(f->arena, Buffer *, n->nout);
  for (int i = 0; i < f->graph->nodes.len; i++) {
    const Node *x = f->graph->nodes.data[i];
    if (x->op == OP_PART && x->in[0] == n && f->of[i]) s->parts[x->attr[0]] = f->of[i];
  }
  for (int k = 0; k < n->nout; k++)
    if (!s->parts[k]) s->parts[k] = add_buffer(l, s->node, 0, type_bytes(&n->out[k]));
}

static void add_library_call(Lowering *l, const Group *g) {
  LoopFn *f = l->f;
  Node *n = g->node;
  LoopStep *s = add_step(l, g->kind, n->nin);
  s->node = n;
  if (n->nout)
    add_parts(l, s);
  else
    s->out = f->of[n->id];
  const int64_t work = call_work(n);
  if (work) s->work = add_buffer(l, n, 0, work);
  for (int i = 0; i < n->nin; i++) {
    bool transposed = false;
    Node *x = g->kind == STEP_GEMM ? matmul_operand(n->in[i], &transposed) : n->in[i];
    s->in[i] = f->of[x->id];
    if (i == 0)
      s->ta = transposed;
    else
      s->tb = transposed;
  }
  if (g->kind == STEP_GEMM)
    f->flops += 2.0 * (double)shape_count(n->shape) * (double)n->in[0]->shape.dim[n->in[0]->shape.rank - 1];
}

static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

int64_t loop_work(const LoopStep *s, int k) {
  int64_t at = aligned(s->body->scratch_bytes);
  for (int i = 0; i < k; i++) at += 2 * aligned(type_bytes(&s->node->out[i]));
  return at;
}

// The number of turns of a loop that may end early.
static const Node *turns_of(const Node *loop, const Node *count) {
  const LoopParts p = loop_parts(loop);
  if (p.end == LOOP_COUNT) return loop->in[loop->nin - 1];
  return count && count->op == OP_PART && count->in[0] == loop && count->attr[0] == 1 ? count : NULL;
}

// Whether anything but a loop over the same turns, slice by slice, reads a stack.
static bool read_whole(const Lowering *l, const Node *stack) {
  const Graph *g = l->plan.graph;
  for (int i = 0; i < g->outputs.len; i++)
    if (g->outputs.data[i].node == stack) return true;
  for (int i = stack->id + 1; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    for (int k = 0; l->plan.live[i] && k < n->nin; k++) {
      if (n->in[k] != stack) continue;
      const LoopParts p = n->op == OP_LOOP ? loop_parts(n) : (LoopParts){0};
      const Node *count = p.end == LOOP_COUNT ? n->in[n->nin - 1] : NULL;
      const bool slice = k >= p.carries && k < p.carries + p.slices;
      if (!slice || !count || turns_of(stack->in[0], count) != count) return true;
    }
  }
  return false;
}

static LoopStep *add_body_step(Lowering *l, const Group *g) {
  LoopFn *f = l->f;
  Node *n = g->node;
  LoopStep *s = add_step(l, g->kind, n->nin);
  s->node = n;
  for (int i = 0; i < n->nin; i++) s->in[i] = f->of[n->in[i]->id];
  s->body = loops_from_graph(f->arena, n->body, (LoopOptions){0});
  add_parts(l, s);
  s->clears = ARENA_ARRAY(f->arena, bool, n->nout);
  for (int i = 0; i < f->graph->nodes.len; i++) {
    const Node *x = f->graph->nodes.data[i];
    if (x->op != OP_PART || x->in[0] != n || !f->of[i]) continue;
    s->clears[x->attr[0]] =
        n->op == OP_LOOP && x->attr[0] >= loop_parts(n).carries && (l->keep_all || read_whole(l, x));
  }
  return s;
}

static void add_loop(Lowering *l, const Group *g) {
  LoopStep *s = add_body_step(l, g);
  const LoopParts p = loop_parts(s->node);
  s->work = add_buffer(l, s->node, 0, loop_work(s, p.carries));
  l->f->flops += (double)p.turns * s->body->flops;
  l->f->bytes += (double)p.turns * s->body->bytes;
}

static void add_if(Lowering *l, const Group *g) {
  LoopStep *s = add_body_step(l, g);
  s->other = loops_from_graph(l->f->arena, s->node->other, (LoopOptions){0});
  const LoopFn *most = s->body->flops < s->other->flops ? s->other : s->body;
  const bool longer = s->body->scratch_bytes < s->other->scratch_bytes;
  s->work = add_buffer(l, s->node, 0, aligned((longer ? s->other : s->body)->scratch_bytes) + 64);
  l->f->flops += most->flops;
  l->f->bytes += most->bytes;
}

// Nothing is done for a value without elements: it is a constant, which loops and choices are given.
static void add_group_step(Lowering *l, const Group *g) {
  if (g->kind == STEP_KERNEL && shape_count(g->roots.data[0]->space) == 0) return;
  if (g->kind == STEP_KERNEL)
    add_kernel(l, g);
  else if (g->kind == STEP_LOOP)
    add_loop(l, g);
  else if (g->kind == STEP_IF)
    add_if(l, g);
  else
    add_library_call(l, g);
}

// Each time the ready group that was built first; those that overwrite parameters and state wait until
// nothing else is ready.
static void order_steps(Lowering *l) {
  Plan *p = &l->plan;
  int n = p->groups.len;
  bool *ready[2]; // by whether the group waits
  for (int k = 0; k < 2; k++) ready[k] = ARENA_ARRAY(p->arena, bool, n + 1);
  for (int i = 0; i < n; i++) ready[p->groups.data[i]->writes_alias][i] = p->groups.data[i]->missing == 0;
  for (int count = 0; count < n; count++) {
    const bool waits = !memchr(ready[0], true, (size_t)n);
    const bool *next = memchr(ready[waits], true, (size_t)n);
    if (!next) ice("loops", "the groups of %s need each other", p->graph->name);
    const int best = (int)(next - ready[waits]);
    const Group *g = p->groups.data[best];
    add_group_step(l, g);
    ready[waits][best] = false;
    for (int i = 0; i < g->users.len; i++) {
      Group *user = p->groups.data[g->users.data[i]];
      if (--user->missing == 0) ready[user->writes_alias][g->users.data[i]] = true;
    }
  }
}

static void make_steps(Lowering *l) {
  LoopFn *f = l->f;
  const Graph *g = l->plan.graph;
  VEC(Copy) staged = {0};
  VEC(Buffer *) stage = {0};
  for (int i = 0; i < l->early.len; i++) {
    Copy c = l->early.data[i];
    bool alias = c.slot <= g->inputs.len;
    Buffer *to = add_buffer(l, c.from, alias ? 0 : c.slot, node_bytes(c.from));
    add_copy(l, f->of[c.from->id], to);
    if (!alias) continue;
    vec_push(f->arena, staged, c);
    vec_push(f->arena, stage, to);
  }
  order_steps(l);
  for (int i = 0; i < staged.len; i++)
    add_copy(l, stage.data[i], add_buffer(l, staged.data[i].from, staged.data[i].slot, stage.data[i]->bytes));
  for (int i = 0; i < l->late.len; i++) {
    Buffer *from = f->of[l->late.data[i].from->id];
    add_copy(l, from, add_buffer(l, from->node, l->late.data[i].slot, node_bytes(from->node)));
  }
  f->steps = l->steps.data;
  f->nsteps = l->steps.len;
}

static void written(LoopFn *f, Buffer *b, int step) {
  if (b->first < 0) b->first = step;
  if (b->last < step) b->last = step;
  f->bytes += (double)b->bytes;
}

static void read_at(LoopFn *f, Buffer *b, int step) {
  if (b->last < step) b->last = step;
  f->bytes += (double)b->bytes;
}

static void lifetimes(LoopFn *f, Arena *scratch) {
  Buffer **reads = ARENA_ARRAY(scratch, Buffer *, f->nbuffers);
  for (int i = 0; i < f->nsteps; i++) {
    LoopStep *s = &f->steps[i];
    s->name = arena_printf(f->arena, "k%d", i);
    if (s->nest) {
      const Nest *nest = s->nest;
      int n = nest_reads(scratch, f, nest, reads, f->nbuffers);
      for (int k = 0; k < n; k++) read_at(f, reads[k], i);
      for (int k = 0; k < nest->nouts; k++) {
        written(f, nest->outs[k].buffer, i);
        if (nest->outs[k].partial) nest->outs[k].partial->first = nest->outs[k].partial->last = i;
      }
    }
    for (int j = 0; j < s->nin; j++) read_at(f, s->in[j], i);
    if (s->out) written(f, s->out, i);
    if (s->work) written(f, s->work, i);
    for (int j = 0; s->parts && j < s->node->nout; j++) written(f, s->parts[j], i);
    f->kernels += s->kind == STEP_KERNEL;
    f->gemms += s->kind == STEP_GEMM;
    f->calls += s->kind == STEP_CALL;
  }
}

LoopFn *loops_from_graph(Arena *a, const Graph *g, LoopOptions o) {
  int n = g->nodes.len;
  Arena *scratch = arena_new();
  Lowering l = {.plan = {.arena = scratch, .graph = g}, .keep_all = o.keep_all};
  Plan *p = &l.plan;
  p->live = ARENA_ARRAY(scratch, bool, n + 1);
  p->kept = ARENA_ARRAY(scratch, bool, n + 1);
  p->storage = ARENA_ARRAY(a, Node *, n + 1);
  p->group_of = ARENA_ARRAY(scratch, int, n + 1);
  p->readers = ARENA_ARRAY(scratch, Numbers, n + 1);
  p->weight = ARENA_ARRAY(scratch, int, n + 1);
  p->depth = ARENA_ARRAY(scratch, int, n + 1);
  p->seen = ARENA_ARRAY(scratch, int, n + 1);
  plan_keep(p);
  plan_storage(p);
  plan_groups(p);
  if (plan_keep_shared(p)) {
    plan_storage(p);
    plan_groups(p);
  }
  LoopFn *f = l.f = ARENA_NEW(a, LoopFn);
  f->arena = a;
  f->name = g->name;
  f->graph = g;
  l.slot_for = ARENA_ARRAY(scratch, int, n + 1);
  make_slots(&l);
  place_outputs(&l);
  make_buffers(&l);
  make_steps(&l);
  f->buffers = l.buffers.data;
  f->nbuffers = l.buffers.len;
  lifetimes(f, scratch);
  memory_place(f, scratch, o.keep_all);
  arena_free(scratch);
  return f;
}
