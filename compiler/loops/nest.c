// Merging and ordering the loops of a nest. See nest.h.
#include "nest.h"
#include "plan.h"
#include <string.h>

// Axes i with joined[i] run in one loop with the axis before them. Axes of size 1 have no loop.
static int grouped_index(Shape s, const bool *joined, Index *at, Vars *v, unsigned reduced,
                         bool *loop_reduced) {
  v->n = 0;
  for (int i = 0; i < s.rank; i++) {
    if (s.dim[i] == 1) continue;
    if (joined[i]) {
      v->var[v->n - 1].size *= s.dim[i];
    } else {
      loop_reduced[v->n] = reduced >> i & 1;
      v->var[v->n++] = (Var){.size = s.dim[i]};
    }
  }
  v->nloops = v->n;
  memset(at, 0, sizeof *at);
  at->rank = s.rank;
  int loop = v->nloops;
  Affine number = {.base = 0};
  for (int i = s.rank - 1, open = 0; i >= 0; i--) {
    if (s.dim[i] == 1) continue;
    if (!open) number = affine_var(--loop);
    open = joined[i];
    if (!open) {
      at->axis[i] = number;
    } else {
      Affine quotient = affine_divide(v, &number, s.dim[i]);
      affine_add(&number, &quotient, -s.dim[i]);
      at->axis[i] = number;
      number = quotient;
    }
  }
  return v->n; // variables below this come from the space, the others from the expressions
}

static void nest_leaves(Arena *a, const LoopFn *f, const Nest *nest, Vars *v, const Index *at, Leaves *out) {
  Affine element = index_linear(nest->space, at);
  Walk w = {a, f->storage, v, nest, &element, 0};
  for (int i = 0; i < nest->nouts; i++) walk_root(&w, nest->outs[i].node, nest->outs[i].kind, at, out);
}

static bool uses(const Affine *x, int from, int to) {
  for (int i = from; i < to; i++)
    if (x->coef[i]) return true;
  return false;
}

// Whether every access of the nest is affine in the merged loops.
static bool merge_works(Arena *a, const LoopFn *f, const Nest *nest, const bool *joined) {
  Vars v;
  Index at;
  bool loop_reduced[MAX_RANK];
  int known = grouped_index(nest->space, joined, &at, &v, nest->reduced, loop_reduced);
  Leaves leaves = {0};
  nest_leaves(a, f, nest, &v, &at, &leaves);
  for (int i = 0; i < leaves.list.len; i++)
    if (uses(&leaves.list.data[i].at, v.nloops, known)) return false;
  for (int i = 0; i < leaves.guards.len; i++)
    if (uses(&leaves.guards.data[i].at, v.nloops, known)) return false;
  for (int i = known; i < v.n; i++)
    if (uses(&v.var[i].of, v.nloops, known)) return false;
  for (int i = 0; i < nest->nouts; i++) // the winner's number is its coordinate on one axis
    if (nest->outs[i].node->op == OP_ARGMAX && uses(&at.axis[nest->outs[i].node->attr[0]], v.nloops, known))
      return false;
  return true;
}

static void merge_axes(Arena *a, const LoopFn *f, const Nest *nest, bool *joined) {
  int last = -1;
  for (int i = 0; i < nest->space.rank; i++) {
    if (nest->space.dim[i] == 1) continue;
    if (last >= 0 && (nest->reduced >> last & 1) == (nest->reduced >> i & 1)) {
      joined[i] = true;
      joined[i] = merge_works(a, f, nest, joined);
    }
    last = i;
  }
}

bool nest_keeps_vector(const NestLoops *n) { return n->swept || n->vector < n->nkept; }

int64_t nest_vector_size(const NestLoops *n) { return n->vars.var[n->order[n->vector]].size; }

double nest_turns(const NestLoops *n) {
  double turns = 1;
  for (int i = n->nkept; i < n->nloops - n->swept; i++) turns *= (double)n->vars.var[n->order[i]].size;
  return turns;
}

// A column of vectors at a time would touch each page of the array again and again. The rows of sums are to
// stay in the nearest cache.
static bool sweeps(const Nest *nest, const NestLoops *n) {
  int sums = 0;
  for (int i = 0; i < nest->nouts; i++) {
    if (nest->outs[i].kind != OUT_REDUCE) continue;
    if (nest->outs[i].node->op == OP_ARGMAX) return false;
    sums++;
  }
  const int64_t columns = nest_vector_size(n);
  return n->vector < n->nkept && n->nkept < n->nloops && columns >= 64 && columns * sums <= 2048 &&
         nest_turns(n) >= 32 && shape_count(nest->space) >= 1 << 17;
}

static void sweep(NestLoops *n) {
  const int var = n->order[n->vector], behind = n->nloops - n->vector - 1;
  memmove(&n->order[n->vector], &n->order[n->vector + 1], sizeof *n->order * (size_t)behind);
  n->vector = n->nloops - 1;
  n->order[n->vector] = var;
  n->nkept--;
  n->swept = true;
}

void nest_loops(Arena *a, const LoopFn *f, const Nest *nest, NestLoops *out) {
  bool joined[MAX_RANK] = {false}, loop_reduced[MAX_RANK];
  merge_axes(a, f, nest, joined);
  memset(out, 0, sizeof *out);
  grouped_index(nest->space, joined, &out->space, &out->vars, nest->reduced, loop_reduced);
  Vars *v = &out->vars;
  if (v->nloops == 0) {
    v->var[0] = (Var){.size = 1};
    loop_reduced[0] = false;
    v->n = v->nloops = 1;
  }
  out->nloops = v->nloops;
  int k = 0;
  for (int i = 0; i < v->nloops; i++)
    if (!loop_reduced[i]) out->order[k++] = i;
  out->nkept = k;
  for (int i = 0; i < v->nloops; i++)
    if (loop_reduced[i]) out->order[k++] = i;
  for (int i = 0; i < k; i++)
    if (out->order[i] == v->nloops - 1) out->vector = i;
  if (sweeps(nest, out)) sweep(out);
  Leaves leaves = {0};
  Vars scratch = *v;
  nest_leaves(a, f, nest, &scratch, &out->space, &leaves);
  out->random = leaves.random;
  out->point_cost = leaves.cost;
  out->operations = leaves.operations + nest->nouts;
}

int64_t nest_partial_bytes(const NestLoops *n) {
  if (n->nkept) return 0;
  return n->swept ? nest_vector_size(n) * 8 : PARTIAL_BYTES;
}

int nest_reads(Arena *a, const LoopFn *f, const Nest *nest, Buffer **out, int cap) {
  Vars v;
  Index at = space_index(nest->space, &v);
  Leaves leaves = {0};
  nest_leaves(a, f, nest, &v, &at, &leaves);
  int n = 0;
  for (int i = 0; i < leaves.list.len; i++) {
    const Leaf *l = &leaves.list.data[i];
    Buffer *b = l->in_memory ? f->of[l->node->id] : NULL;
    bool seen = b == NULL;
    for (int j = 0; j < n && !seen; j++) seen = out[j] == b;
    if (!seen && n < cap) out[n++] = b;
  }
  return n;
}
