// Which kept values are computed in one nest. A value joins a nest over the same space with which it shares
// something read, or whose stores it continues at the same element, as long as no cycle arises: needs are
// kept transitively.
#include "plan.h"
#include <string.h>

bool group_needs(const Group *g, int other) { return g->needs[other / 64] >> (other % 64) & 1; }

static void set_join(Plan *p, uint64_t *into, const uint64_t *from) {
  for (int i = 0; i < p->words; i++) into[i] |= from[i];
}

void group_add_need(Plan *p, int group, int needed) {
  Group *g = p->groups.data[group];
  if (group == needed || group_needs(g, needed)) return;
  uint64_t *more = p->groups.data[needed]->needs;
  const bool has_users = g->users.len > 0;
  for (int i = has_users ? 0 : group; i < (has_users ? p->groups.len : group + 1); i++) {
    Group *h = p->groups.data[i];
    if (i != group && !group_needs(h, group)) continue;
    set_join(p, h->needs, more);
    h->needs[needed / 64] |= 1ull << (needed % 64);
  }
  g->missing++;
  vec_push(p->arena, p->groups.data[needed]->users, group);
}

bool group_reads(const Plan *p, int group, const Node *n) {
  const Numbers *r = &p->readers[n->id];
  for (int i = 0; i < r->len; i++)
    if (r->data[i] == group) return true;
  return false;
}

static void add_reader(Plan *p, const Node *n, int group) {
  Numbers *r = &p->readers[n->id];
  if (r->len == 0 || r->data[r->len - 1] != group) vec_push(p->arena, *r, group);
}

static Group *add_group(Plan *p, StepKind kind, Node *n) {
  Group *g = ARENA_NEW(p->arena, Group);
  g->kind = kind;
  g->needs = ARENA_ARRAY(p->arena, uint64_t, p->words);
  p->group_of[n->id] = p->groups.len;
  vec_push(p->arena, p->groups, g);
  return g;
}

static int group_of_storage(const Plan *p, const Node *n) {
  const Node *s = p->storage[n->id];
  return s ? p->group_of[s->id] : -1;
}

static void add_call(Plan *p, Node *n) {
  Group *g = add_group(p,
                       n->op == OP_MATMUL ? STEP_GEMM
                       : n->op == OP_LOOP ? STEP_LOOP
                       : n->op == OP_IF   ? STEP_IF
                                          : STEP_CALL,
                       n);
  g->node = n;
  for (int i = 0; i < n->nin; i++) {
    bool transposed;
    Node *x = n->op == OP_MATMUL ? matmul_operand(n->in[i], &transposed) : n->in[i];
    int needed = group_of_storage(p, x);
    if (needed >= 0) group_add_need(p, p->groups.len - 1, needed);
    if (p->storage[x->id]) add_reader(p, p->storage[x->id], p->groups.len - 1);
  }
}

static Root *make_root(Plan *p, Node *n) {
  Root *r = ARENA_NEW(p->arena, Root);
  r->node = n;
  r->kind = op_info[n->op].class == CLASS_REDUCE ? OUT_REDUCE : OUT_STORE;
  r->space = r->kind == OUT_REDUCE ? n->in[0]->shape : n->shape;
  if (r->kind == OUT_REDUCE)
    for (int i = 0; i < n->nattr; i++) r->reduced |= 1u << n->attr[i];
  r->leaves = ARENA_NEW(p->arena, Leaves);
  Vars vars;
  Index space = space_index(r->space, &vars);
  Walk w = {.arena = p->arena, .storage = p->storage, .vars = &vars};
  walk_root(&w, n, r->kind, &space, r->leaves);
  return r;
}

// Worth one pass over both, where they are read at more than one place.
static bool worth_sharing(const Leaf *l) { return !affine_is_const(&l->at) && l->node->op != OP_IOTA; }

static bool shares_input(const Plan *p, int group, const Root *r) {
  for (int k = 0; k < r->leaves->list.len; k++) {
    const Leaf *l = &r->leaves->list.data[k];
    if (worth_sharing(l) && group_reads(p, group, l->node)) return true;
  }
  return false;
}

static bool same_reduction(const Group *g, const Root *r) {
  for (int i = 0; i < g->roots.len; i++)
    if (g->roots.data[i]->kind == OUT_REDUCE && r->kind == OUT_REDUCE &&
        g->roots.data[i]->reduced != r->reduced)
      return false;
  return true;
}

static const Root *root_in(const Group *g, const Node *n) {
  for (int i = 0; i < g->roots.len; i++)
    if (g->roots.data[i]->node == n) return g->roots.data[i];
  return NULL;
}

// Of one nest: more would not fit the registers, and compile in more than linear time.
enum { MOST_OUTPUTS = 24, MOST_CODE = 1000 };

static bool can_join(const Plan *p, int index, const Root *r) {
  const Group *g = p->groups.data[index];
  if (g->kind != STEP_KERNEL || g->roots.len == MOST_OUTPUTS || g->weight + r->leaves->weight > MOST_CODE ||
      !shape_equal(g->roots.data[0]->space, r->space) || !same_reduction(g, r))
    return false;
  Vars vars;
  Index space = space_index(r->space, &vars);
  Affine element = index_linear(r->space, &space);
  bool continues = false;
  for (int i = 0; i < r->leaves->list.len; i++) {
    const Leaf *l = &r->leaves->list.data[i];
    int needed = l->in_memory ? p->group_of[l->node->id] : -1;
    if (needed < 0) continue;
    if (needed == index) {
      if (root_in(g, l->node)->kind == OUT_REDUCE || !affine_equal(&l->at, &element)) return false;
      continues = true;
    } else if (group_needs(p->groups.data[needed], index)) {
      return false;
    }
  }
  return continues || shares_input(p, index, r);
}

// The groups that r could join: those that it continues, and those that read what it reads.
static Numbers candidates(Plan *p, const Root *r) {
  Numbers out = {0};
  for (int i = 0; i < r->leaves->list.len; i++) {
    const Leaf *l = &r->leaves->list.data[i];
    const Numbers *readers = &p->readers[l->node->id];
    for (int k = 0; worth_sharing(l) && k < readers->len; k++) vec_push(p->arena, out, readers->data[k]);
    if (l->in_memory && p->group_of[l->node->id] >= 0) vec_push(p->arena, out, p->group_of[l->node->id]);
  }
  return out;
}

static int latest_group(Plan *p, const Root *r) {
  const Numbers c = candidates(p, r);
  int best = -1;
  for (int i = 0; i < c.len; i++)
    if (c.data[i] > best && can_join(p, c.data[i], r)) best = c.data[i];
  return best;
}

static void add_root(Plan *p, Node *n) {
  Root *r = make_root(p, n);
  int index = latest_group(p, r);
  if (index < 0) {
    add_group(p, STEP_KERNEL, n);
    index = p->groups.len - 1;
  }
  p->group_of[n->id] = index;
  Group *g = p->groups.data[index];
  vec_push(p->arena, g->roots, r);
  g->weight += r->leaves->weight;
  for (int i = 0; i < r->leaves->list.len; i++) {
    const Leaf *l = &r->leaves->list.data[i];
    int needed = l->in_memory ? p->group_of[l->node->id] : -1;
    add_reader(p, l->node, index);
    if (needed >= 0) group_add_need(p, index, needed);
  }
}

void plan_groups(Plan *p) {
  int n = p->graph->nodes.len, kept = 0;
  for (int i = 0; i < n; i++) kept += p->kept[i] || p->graph->nodes.data[i]->nout > 0;
  p->words = (kept + 63) / 64 + 1;
  p->groups.len = 0;
  for (int i = 0; i < n; i++) {
    p->group_of[i] = -1;
    p->readers[i].len = 0;
  }
  for (int i = 0; i < n; i++) {
    Node *x = p->graph->nodes.data[i];
    if (x->op == OP_PART && p->live[i]) p->group_of[i] = p->group_of[x->in[0]->id];
    if (x->nout && p->live[i]) add_call(p, x);
    if (!p->kept[i] || x->op == OP_PART) continue;
    if (op_is_step(x->op))
      add_call(p, x);
    else
      add_root(p, x);
  }
}
