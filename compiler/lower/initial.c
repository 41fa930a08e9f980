// Initial values of parameters and states. In: their expressions, elaborated where they are declared, in the
// graph of the step. Out: what each starts from: values of the seed and of settings, or of parameters and
// states declared before.
#include "builtins.h"
#include "train.h"
#include <string.h>

// Draws of initial values have streams of their own, and are none of the step's.
enum { INITIAL_STREAMS = 0x10000 };
typedef struct Draws {
  int64_t stream;
  bool initial;
  struct Leaves *leaves;
  LoopFrame *frame;
} Draws;

static Draws begin_draws(Cx *cx) {
  Draws outer = {cx->stream, cx->initial, cx->leaves, cx->frame};
  if (!cx->drawn_anew) cx->frame = NULL; // one value for all turns of the loops around
  cx->leaves = NULL;                     // of a check: the parameter is one, not what it starts from
  if (cx->initial || cx->drawn_anew) return outer;
  cx->stream += INITIAL_STREAMS + cx->drawn;
  cx->initial = true;
  return outer;
}

static void end_draws(Cx *cx, Draws outer) {
  cx->frame = outer.frame;
  cx->leaves = outer.leaves;
  if (outer.initial || cx->drawn_anew) return;
  cx->drawn = cx->stream - outer.stream - INITIAL_STREAMS;
  cx->stream = outer.stream;
  cx->initial = false;
}

bool initial_begin(Cx *cx, Env *env, const Ast *e, Initial *out) {
  *out = (Initial){.e = e};
  if (!e) return true;
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : e;
  const bool global = callee->kind == AST_NAME && !env_get(env, callee->name);
  Def *d = global ? find_def(cx, callee->name) : NULL;
  if (d && is_initializer(d)) {
    out->initializer = d;
    return true;
  }
  Draws outer = begin_draws(cx);
  out->value = eval_expr(cx, env, e);
  end_draws(cx, outer);
  return out->value.kind != V_FAIL;
}

// The initializer may be the value of a name, such as a layer's parameter.
static Value initialized(Cx *cx, Env *env, const Initial *from, Shape s) {
  const Ast *e = from->e;
  Value *like = ARENA_NEW(cx->a, Value);
  *like = v_tensor(graph_const(cx->g, 0, s), e->span);
  BoundArg given = {"like", like, e->span};
  if (!from->initializer) return call_value(cx, env, &from->value, &given, 1, e->span, NULL);
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, e->nkids + 1);
  int n = 0;
  for (int i = 1; e->kind == AST_CALL && i < e->nkids; i++) {
    Value *arg = ARENA_NEW(cx->a, Value);
    *arg = eval_expr(cx, env, e->kids[i]->kids[0]);
    args[n++] = (BoundArg){e->kids[i]->name, arg, e->kids[i]->span};
  }
  args[n++] = given;
  return call_def(cx, from->initializer, args, n, e->span, env, NULL);
}

static const Leaf *leaf_of(const Tree *t, const char *path) {
  for (int i = 0; path && i < t->n; i++)
    if (!strcmp(t->leaf[i].path, path)) return &t->leaf[i];
  return NULL;
}

Node *initial_node(Cx *cx, Env *env, const Initial *from, Shape s, const char *name) {
  if (!from->e) return graph_const(cx->g, 0, s);
  Draws outer = begin_draws(cx);
  Value v = from->initializer || from->value.kind == V_FN ? initialized(cx, env, from, s) : from->value;
  const Tree *t = tree_of(cx, &v);
  const Leaf *leaf = t ? leaf_of(t, from->leaf) : NULL;
  Node *n = leaf ? leaf->node : v.kind == V_FAIL ? NULL : value_node(cx, &v);
  end_draws(cx, outer);
  if (!n) return NULL;
  Shape whole;
  if (!shape_broadcast(n->shape, s, &whole) || !shape_equal(whole, s)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, from->e->span,
              arena_printf(cx->a, "initial value of `%s`", name), shape_text(cx->a, s),
              shape_text(cx->a, n->shape));
    return NULL;
  }
  if (n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
  return graph_broadcast_to(cx->g, n, s);
}

// `init(net)`: the initial values once more, of draws of their own; of those that are made from others of
// them too.
Value call_init(Cx *cx, const Args *a) {
  const ModelValue *m = a->v[0]->model;
  if (!model_meet(cx, m, a->at)) return v_fail();
  const Tree *t = model_tree(cx, m);
  Node **from = ARENA_ARRAY(cx->a, Node *, t->n + 1), **to = ARENA_ARRAY(cx->a, Node *, t->n + 1);
  Tree *out = tree_new(cx, t->n);
  cx->effects++;
  for (int i = 0; i < t->n; i++) {
    const ParamRef *p = map_get(&cx->params, t->leaf[i].path);
    Initial how;
    cx->drawn_anew = true;
    const bool ok = initial_begin(cx, p->scope, p->ast->kids[1], &how);
    Node *n = ok ? initial_node(cx, p->scope, &how, p->shape, p->ast->name) : NULL;
    cx->drawn_anew = false;
    if (!n) return v_fail();
    to[i] = i ? graph_substitute(cx->g, n, from, to, i) : n;
    from[i] = p->node;
    out->leaf[i] = (Leaf){p->path, to[i]};
  }
  return v_tree(out, a->at);
}

// -- what they are made from

enum { FROM_PARAMETERS = 1, FROM_STATES = 2, FROM_DATA = 4 };

static bool is_loaded(const Cx *cx, const Node *in) {
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (ref->input == in) return ref->loaded;
  }
  return false;
}

static unsigned char input_source(const Cx *cx, const Node *in) {
  switch ((reg_slot_kind)in->port.kind) {
  case REG_SLOT_PARAM: return FROM_PARAMETERS;
  case REG_SLOT_STATE: return is_loaded(cx, in) ? 0 : FROM_STATES; // a loaded model's are there before
  case REG_SLOT_SEED:
  case REG_SLOT_STEP:
  case REG_SLOT_EPOCH:
  case REG_SLOT_TURN:
  case REG_SLOT_TOTAL:
  case REG_SLOT_SETTING: return 0;
  case REG_SLOT_STORE: {
    const LowerTensor *t = &cx->l->store.data[in->port.index];
    return t->param ? FROM_PARAMETERS : t->layer ? FROM_STATES : 0;
  }
  default: return FROM_DATA;
  }
}

// For each node what its value is made from.
static unsigned char *sources_of(const Cx *cx) {
  const Graph *g = cx->g;
  unsigned char *from = ARENA_ARRAY(cx->a, unsigned char, g->nodes.len + 1);
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    if (n->op == OP_INPUT) from[i] = input_source(cx, n);
    for (int k = 0; k < node_operands(n); k++) from[i] |= from[n->in[k]->id];
  }
  return from;
}

static void made_from_data(Cx *cx, const char *what, const char *name, Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_constant, at,
                      arena_printf(cx->a, "the initial value of the %s `%s`", what, name));
  diag_note(d, (Span){0}, "it is made from the rows of a batch");
}

// The graph of initial values under construction: inputs of it that stand for other initial values, and
// these.
typedef struct Start {
  Cx *cx;
  Node **inputs, **values;
  int n;
  const Graph *reads; // what this graph has for inputs is wanted; NULL: all
} Start;

static void stands_for(Start *s, Node *input, Node *init) {
  s->inputs[s->n] = input;
  s->values[s->n++] = init;
}

// Each is made from what was declared before it, so this ends.
static Node *resolved(const Start *s, Node *init) {
  Node *n = init, *before = NULL;
  while (n != before && s->n) {
    before = n;
    n = graph_substitute(s->cx->g, n, s->inputs, s->values, s->n);
  }
  return n;
}

static Graph *finish(Cx *cx, const char *what) {
  Graph *g = cx->g->outputs.len ? prune(cx, cx->g) : NULL;
  if (g) g->name = arena_printf(cx->a, "%s %s", cx->t ? cx->t->name : "expression", what);
  cx->g->outputs.len = 0;
  return g;
}

static bool all_known(Cx *cx, const unsigned char *from) {
  bool known = true;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    if (!p->init || !(from[p->init->id] & FROM_DATA)) continue;
    made_from_data(cx, "parameter", p->path, p->origin);
    known = false;
  }
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (!ref->init || !(from[ref->init->id] & FROM_DATA)) continue;
    made_from_data(cx, "state", ref->name, ref->origin);
    known = false;
  }
  return known;
}

static void init_output(Start *s, const unsigned char *from, const Node *input, Node *init) {
  if (s->reads && !graph_find_input(s->reads, input->name)) return;
  Port port = input->port;
  if (port.kind == REG_SLOT_SAMPLE) port.kind = REG_SLOT_STATE; // of all rows
  graph_output_port(s->cx->g, port, input->name, from[init->id] ? resolved(s, init) : init, -1);
}

// Of an optimizer, loss or penalty, made from parameters: they start from what these are when training
// begins.
static bool starts_late(const StateRef *ref, const unsigned char *from) {
  return (!ref->layer || ref->follows) && from[ref->init->id];
}

bool initial_graphs(Cx *cx, const Graph *reads, Graph **init, Graph **late) {
  const int room = cx->params.len + cx->states.len + 1;
  const unsigned char *from = sources_of(cx);
  Start s = {cx, ARENA_ARRAY(cx->a, Node *, room), ARENA_ARRAY(cx->a, Node *, room), 0, reads};
  Start of_states = {cx, ARENA_ARRAY(cx->a, Node *, room), ARENA_ARRAY(cx->a, Node *, room), 0, reads};
  if (!all_known(cx, from)) return false;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    if (p->init) stands_for(&s, param_input(cx, p), p->init);
  }
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (!ref->init || ref->rows) continue;
    stands_for(&s, ref->input, ref->init);
    if (!ref->layer) stands_for(&of_states, ref->input, ref->init);
  }
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    if (p->init) init_output(&s, from, param_input(cx, p), p->init);
  }
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (ref->init && (ref->follows || !(late && starts_late(ref, from))))
      init_output(&s, from, ref->input, ref->init);
  }
  *init = finish(cx, "init");
  for (int i = 0; late && i < cx->states.len; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (ref->init && starts_late(ref, from)) init_output(&of_states, from, ref->input, ref->init);
  }
  if (late) *late = finish(cx, "start");
  return true;
}
