// Models that follow another one without gradient: `let avg = ema(net, decay: 0.999)`, `snapshot(net, each:
// 100 steps)`. In: a step with the parameters that it leaves. Out: states `avg.hidden.weight`, one for each
// parameter of the model that is followed, which start from these when training begins and are updated in
// every training that trains it. They are kept with the states of its layers, so that evaluations and later
// trainings see them.
#include "train.h"
#include <string.h>

const Ast *average_call(const Def *d) {
  const Ast *body = d->ast->kids[2];
  if ((d->kind != KIND_LET && d->kind != KIND_MODEL) || d->ast->kids[0] || body->kind != AST_CALL ||
      body->kids[0]->kind != AST_NAME)
    return NULL;
  const int b = builtin_find(body->kids[0]->name);
  return b == B_EMA || b == B_SNAPSHOT ? body : NULL;
}

const char *average_of(const Def *d) {
  const Ast *call = average_call(d), *net = call ? call_arg(call, "net", 0) : NULL;
  return net && net->kind == AST_NAME ? net->name : NULL;
}

bool average_follows(const Def *d, const LowerTrain *t) {
  const char *followed = d->own && (!d->scope || scope_is_closed(d->scope)) ? NULL : average_of(d);
  return followed && trains_model(t, followed);
}

static bool is_ema(const ModelValue *m) { return builtin_find(m->average->kids[0]->name) == B_EMA; }

ModelValue *average_model(Cx *cx, const Def *d) {
  ModelValue *m = map_get(&cx->models, d->name);
  const Ast *call = average_call(d), *net = call_arg(call, "net", 0);
  if (m) return m;
  if (!net) {
    diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, call->kids[0]->name, "net");
    return NULL;
  }
  const Value of = eval_expr(cx, env_new(cx, NULL, "", ""), net);
  if (of.kind == V_FAIL) return NULL;
  if (of.kind != V_MODEL || of.model->nitems || model_is_still(of.model)) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, net->span, "one model with parameters", value_text(cx, &of));
    return NULL;
  }
  m = model_over(cx, d->name, of.model);
  m->average = call;
  m->text = d;
  if (is_ema(m) && !call_arg(call, "decay", 1)) {
    diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, call->kids[0]->name, "decay");
    return NULL;
  }
  map_put(&cx->models, d->name, m);
  return m;
}

// -- states

const char *model_path(Cx *cx, const ModelValue *m, const char *path) {
  const size_t n = strcspn(path, ".");
  const bool own = !strncmp(m->path, path, n) && !m->path[n];
  return arena_printf(cx->a, "%s.%s", m->name, own ? path + n + 1 : path);
}

// Of one that starts from `start`: a parameter of what it follows, or a state of a layer.
static StateRef *average_state(Cx *cx, const ModelValue *m, const char *path, Node *start) {
  const char *name = model_path(cx, m, path);
  StateRef *ref = map_get(&cx->states, name);
  if (ref) return ref;
  if (cx->known && !train_state(cx->t, name)) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, cx->at.source ? cx->at : m->average->span,
              arena_printf(cx->a, "the model `%s`", m->name),
              arena_printf(cx->a, "here: `%s` neither calls it nor trains what it follows", cx->t->name));
    return NULL;
  }
  ref = ARENA_NEW(cx->a, StateRef);
  *ref = (StateRef){.name = name,
                    .index = state_index(cx, name, start->shape),
                    .shape = start->shape,
                    .origin = m->average->span,
                    .layer = true,
                    .follows = true};
  if (cx->initials) ref->init = graph_stop(cx->g, start);
  ref->node = ref->input = state_input(cx, ref);
  map_put(&cx->states, name, ref);
  return ref;
}

Node *average_seen(Cx *cx, const ModelValue *m, const char *path) {
  const ParamRef *p = map_get(&cx->params, path);
  const StateRef *ref = p ? average_state(cx, m, path, param_input(cx, p)) : NULL;
  return ref ? ref->node : NULL;
}

StateRef *average_given(Cx *cx, const ModelValue *m, const char *path, Node *now) {
  const char *name = model_path(cx, m, path);
  StateRef *ref = map_get(&cx->states, name);
  if (!ref) {
    ref = ARENA_NEW(cx->a, StateRef);
    *ref = (StateRef){.name = name,
                      .index = state_index(cx, name, now->shape),
                      .shape = now->shape,
                      .origin = m->average->span,
                      .layer = true,
                      .follows = true,
                      .input = now};
    map_put(&cx->states, name, ref);
  }
  ref->node = now;
  return ref;
}

static const ModelValue *average_around(const Cx *cx) {
  const Seeing *s = cx->seeing;
  while (s && !s->model->average) s = s->outer;
  return s ? s->model : NULL;
}

bool inside_average(const Cx *cx) { return average_around(cx) != NULL; }

StateRef *state_seen(Cx *cx, StateRef *own) {
  const ModelValue *m = own->layer ? average_around(cx) : NULL;
  return m ? average_state(cx, m, own->name, own->input) : own;
}

static bool is_followed(const Cx *cx, const ModelValue *m, const StateRef *s) {
  return s->layer && !s->follows && !s->loaded && !s->carry && model_owns(cx->l, m->of->name, s->name);
}

void average_meet(Cx *cx, const ModelValue *m) {
  const Tree *t = model_tree(cx, m->of);
  const int states = cx->states.len;
  for (int i = 0; i < t->n; i++) average_seen(cx, m, t->leaf[i].path);
  for (int i = 0; i < states; i++) {
    const StateRef *s = cx->states.entries[i].value;
    if (is_followed(cx, m, s)) average_state(cx, m, s->name, s->input);
  }
}

// -- updates

// decay * s + (1 - decay) * w; Polyak & Juditsky 1992 with exponential weights.
static Node *ema_update(Cx *cx, const ModelValue *m, Node *s, Node *w) {
  const Ast *e = call_arg(m->average, "decay", 1);
  const Span at = e->span;
  Value decay = eval_expr(cx, env_new(cx, NULL, "", ""), e), one = v_num(1, at), old = v_tensor(s, at),
        now = v_tensor(w, at);
  if (decay.kind == V_FAIL) return NULL;
  const double d = value_is_const(&decay) ? plain_number(&decay) : 0;
  if (!(d >= 0 && d <= 1)) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, at, "decay", "ema", "a number from 0 to 1",
              value_text(cx, &decay));
    return NULL;
  }
  Value rest = binary(cx, OPR_SUB, &one, &decay, at), kept = binary(cx, OPR_MUL, &decay, &old, at),
        more = binary(cx, OPR_MUL, &rest, &now, at), sum = binary(cx, OPR_ADD, &kept, &more, at);
  return sum.kind == V_FAIL ? NULL : value_floats(cx, &sum);
}

// w at the end of every so many steps, or of every epoch; without `each` what it was when training began.
static Node *snapshot_update(Cx *cx, const ModelValue *m, Node *s, Node *w) {
  const Ast *e = call_arg(m->average, "each", 1);
  if (!e) return s;
  double steps = (double)cx->t->steps_per_epoch;
  if (e->kind != AST_NAME || strcmp(e->name, "epoch") != 0) {
    Value v = eval_expr(cx, env_new(cx, NULL, "", ""), e);
    if (v.kind == V_FAIL || !value_steps(cx, &v, &steps, NULL)) return NULL;
    live_fix(cx, &v);
    if (!(steps >= 1 && steps <= INT32_MAX && steps == (double)(int64_t)steps)) {
      diag_emit(&cx->s->diags, DIAG_out_of_range, e->span, "each", "snapshot",
                "`epoch`, or a whole number of steps of at least 1", value_text(cx, &v));
      return NULL;
    }
  }
  Node *every = graph_const_typed(cx->g, steps, DT_F64, (Shape){0}),
       *done = graph_binary(cx->g, OP_ADD, cx_step(cx), graph_const_typed(cx->g, 1, DT_F64, (Shape){0})),
       *left = graph_binary(cx->g, OP_MOD, done, every),
       *now = graph_binary(cx->g, OP_EQ, left, graph_const_typed(cx->g, 0, DT_F64, (Shape){0}));
  return graph_select(cx->g, now, w, s);
}

static bool follow(Cx *cx, const ModelValue *m, Node *const *after) {
  const int states = cx->states.len;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    if (!model_owns(cx->l, m->of->name, p->path)) continue;
    StateRef *ref = average_state(cx, m, p->path, param_input(cx, p));
    Node *w = after[i] ? after[i] : param_input(cx, p);
    Node *n = !ref        ? NULL
              : is_ema(m) ? ema_update(cx, m, ref->node, w)
                          : snapshot_update(cx, m, ref->node, w);
    if (!n) return false;
    ref->node = n;
  }
  for (int i = 0; i < states; i++) { // those of layers are copied, of an average as they are behind the step
    const StateRef *s = cx->states.entries[i].value;
    StateRef *ref = is_followed(cx, m, s) ? average_state(cx, m, s->name, s->input) : NULL;
    if (ref) ref->node = is_ema(m) ? s->node : snapshot_update(cx, m, ref->node, s->node);
  }
  return true;
}

bool averages_follow(Cx *cx, const LowerTrain *t, Node *const *after) {
  const Map *defs = &cx->l->program->defs;
  for (int i = 0; i < defs->len; i++) {
    const Def *d = defs->entries[i].value;
    if (!average_of(d) || !trains_model(t, d->name)) continue; // as it was when the training was met
    const ModelValue *m = average_model(cx, d);
    const Within outer = text_enter(cx, d);
    const bool followed = m && follow(cx, m, after);
    text_leave(cx, outer);
    if (!followed) return false;
  }
  return true;
}
