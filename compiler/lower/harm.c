// Known harmful combinations, told by what the step's graph is and by what definitions are said to be
// (`is dropping`), never by their names. In: a training's step that was elaborated without a mistake; calls
// of definitions with a trait. Out: warnings, each with a reason and its source in diag.def.
#include "../ad/rules.h"
#include "model.h"
#include "train.h"
#include <math.h>
#include <string.h>

// -- calls of what has a trait, while training

static const Marked *reaches(const Cx *cx, const Node *x) {
  for (int i = 0; i < cx->marked.len; i++) {
    const Marked *m = &cx->marked.data[i];
    if (m->trait == TRAIT_dropping && graph_depends(cx->g, x, m->node)) return m;
  }
  return NULL;
}

// Fewer rows than this have no statistics to speak of.
enum { FEW_ROWS = 8 };

static void warn_batchwise(Cx *cx, const Def *d, const Node *x, Span at) {
  const Marked *m = reaches(cx, x);
  if (m) {
    Diag *diag = diag_emit(&cx->s->diags, DIAG_dropout_before_batch_norm, at, d->name);
    diag_note(diag, m->at, "here elements are dropped before");
    diag_hint(diag, "put it behind the last `%s`", d->name);
  }
  const int64_t rows = x->shape.rank ? shape_count(x->shape) / x->shape.dim[x->shape.rank - 1] : 0;
  if (rows > 1 && rows < FEW_ROWS && cx->batch == cx->t->batch)
    diag_emit(&cx->s->diags, DIAG_few_rows, at, d->name, (long long)rows);
}

void harm_call(Cx *cx, const Def *d, const Env *env, int first, const Value *v, Span at) {
  if (!cx->t || !cx->training || v->kind != V_TENSOR) return;
  const Ast *ps = d->ast->kids[0];
  const Value *given = ps && ps->nkids ? env_get(env, ps->kids[0]->name) : NULL;
  Node *x = given && given->kind == V_TENSOR ? given->node : NULL;
  if (sema_has(d, TRAIT_dropping) && v->node != x)
    vec_push(cx->a, cx->marked, ((Marked){v->node, TRAIT_dropping, at}));
  if (sema_has(d, TRAIT_batchwise) && x) {
    warn_batchwise(cx, d, x, at);
    vec_push(cx->a, cx->marked, ((Marked){v->node, TRAIT_batchwise, at}));
  }
  for (int i = 0; sema_has(d, TRAIT_sloping) && i < cx->marked.len; i++) {
    const Marked *m = &cx->marked.data[i];
    if (m->trait != TRAIT_batchwise || m->node->id < first) continue;
    Diag *diag = diag_emit(&cx->s->diags, DIAG_slope_of_batch, at, d->name);
    diag_note(diag, m->at, "here the rows of the batch are mixed");
    return;
  }
}

// -- degrees: f(s x) = s^k f(x) for every s > 0

static double constant(const Node *n, bool *is) {
  while (n->op == OP_BROADCAST || n->op == OP_RESHAPE || n->op == OP_CAST) n = n->in[0];
  *is = n->op == OP_CONST && n->ndata == 1;
  return *is ? n->data[0] : 0;
}

// A number that only keeps a divisor from 0, or a square within range, does not count.
static bool is_guard(double x) { return fabs(x) <= 1e-3 || fabs(x) >= 1e20; }

// Of a sum or choice of both.
static double same(const Node *n, int i, int j, const double *degree) {
  const double x = degree[n->in[i]->id], y = degree[n->in[j]->id];
  bool cx, cy;
  const double vx = constant(n->in[i], &cx), vy = constant(n->in[j], &cy);
  if (x == y) return x;
  if (cx && is_guard(vx)) return y;
  if (cy && is_guard(vy)) return x;
  return NAN;
}

static double degree_of(const Node *n, const double *degree) {
  const double x = n->nin ? degree[n->in[0]->id] : 0, y = n->nin > 1 ? degree[n->in[1]->id] : 0;
  bool known = true, none = true;
  for (int k = 0; k < n->nin; k++) {
    known = known && !isnan(degree[n->in[k]->id]);
    none = none && degree[n->in[k]->id] == 0;
  }
  if (none || !known) return none ? 0 : NAN;
  switch (n->op) {
  case OP_NEG:
  case OP_ABS:
  case OP_SUM:
  case OP_RMAX:
  case OP_CUMSUM:
  case OP_RESHAPE:
  case OP_TRANSPOSE:
  case OP_BROADCAST:
  case OP_SLICE:
  case OP_PAD:
  case OP_SLIDE:
  case OP_UNSLIDE:
  case OP_STOP:
  case OP_POINT:
  case OP_MADE:
  case OP_CAST:
  case OP_GATHER:
  case OP_TAKE_ALONG: return x;
  case OP_SCATTER_ADD: return y;
  case OP_SIGN:
  case OP_ARGMAX:
  case OP_ARGSORT: return 0;
  case OP_ADD:
  case OP_SUB:
  case OP_MIN:
  case OP_MAX: return same(n, 0, 1, degree);
  case OP_LT:
  case OP_LE:
  case OP_EQ: return isnan(same(n, 0, 1, degree)) ? NAN : 0;
  case OP_SELECT: return x == 0 ? same(n, 1, 2, degree) : NAN;
  case OP_MUL:
  case OP_XMUL:
  case OP_ZMUL:
  case OP_MATMUL: return x + y;
  case OP_DIV: return x - y;
  case OP_SQRT: return x / 2;
  case OP_POW: {
    bool is;
    const double k = constant(n->in[1], &is);
    return is ? k * x : NAN;
  }
  case OP_CONCAT: {
    for (int k = 1; k < n->nin; k++)
      if (degree[n->in[k]->id] != x) return NAN;
    return x;
  }
  default: return NAN;
  }
}

// Of `root` in the parameters that are chosen, all together; NAN: it has none.
static double degree_in(Cx *cx, const Node *root, const bool *chosen) {
  Arena *scratch = arena_new();
  double *degree = ARENA_ARRAY(scratch, double, root->id + 1);
  bool *seed = ARENA_ARRAY(scratch, bool, root->id + 1);
  for (int i = 0; i < cx->params.len; i++) {
    const Node *input = param_input(cx, cx->params.entries[i].value);
    if (chosen[i] && input->id <= root->id) seed[input->id] = true;
  }
  for (int i = 0; i <= root->id; i++) degree[i] = seed[i] ? 1 : degree_of(cx->g->nodes.data[i], degree);
  const double found = degree[root->id];
  arena_free(scratch);
  return found;
}

static const char *layer_of(Arena *a, const char *path) {
  const char *dot = strrchr(path, '.');
  return arena_strndup(a, path, dot ? (size_t)(dot - path) : 0);
}

static bool touches(const LowerParam *p, const char *term) {
  for (int i = 0; i < p->ntouched; i++)
    if (!strcmp(p->touched_by[i], term)) return true;
  return false;
}

// The loss stays as it is when the parameter's layer is scaled, so that its size is free.
static bool is_scale_free(Cx *cx, const Node *loss, const char *path) {
  bool *layer = ARENA_ARRAY(cx->a, bool, cx->params.len + 1);
  const char *of = layer_of(cx->a, path);
  Node *w = param_input(cx, map_get(&cx->params, path));
  for (int i = 0; i < cx->params.len; i++) layer[i] = !strcmp(layer_of(cx->a, cx->params.entries[i].key), of);
  return graph_made_from(cx->g, loss, &w, 1) && degree_in(cx, loss, layer) == 0;
}

// Another penalty on the parameter, which weighs against this one.
static const LowerTerm *other_term(const LowerTrain *t, const LowerParam *p, const LowerTerm *term) {
  for (int i = 0; i < t->terms.len; i++)
    if (&t->terms.data[i] != term && touches(p, t->terms.data[i].name)) return &t->terms.data[i];
  return NULL;
}

static void warn_free_scale(Cx *cx, const LowerTrain *t, const Step *s, const LowerTerm *term) {
  for (int i = 0; i < t->params.len; i++) {
    const LowerParam *p = &t->params.data[i];
    const LowerTerm *other = touches(p, term->name) ? other_term(t, p, term) : NULL;
    if (!other || !is_scale_free(cx, s->first_loss, p->path)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_scale_free, term->origin, term->name, p->path);
    diag_note(
        d, p->origin,
        "the loss is the same when this and what it is declared with are multiplied by any number above 0");
    diag_note(d, other->origin, "`%s` is on it too", other->name);
    return;
  }
}

// The clause of a term.
static const Ast *clause_of(const LowerTrain *t, const LowerTerm *term) {
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = t->ast->kids[i];
    if (c->kind == AST_PENALIZE && c->kids[2]->span.start == term->origin.start) return c->kids[2];
  }
  return NULL;
}

static void warn_shrunk_biases(Cx *cx, const LowerTrain *t, const LowerTerm *term) {
  if (!call_with(cx, clause_of(t, term), TRAIT_decaying)) return;
  for (int i = 0; i < t->params.len; i++) {
    const LowerParam *p = &t->params.data[i];
    if (!touches(p, term->name) || !strcmp(p->role, "weight")) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_shrunk_biases, term->origin, term->name, p->path);
    diag_hint(d, "`weights(%s)` selects what is no bias and no scale or shift",
              arena_strndup(cx->a, p->path, strcspn(p->path, ".")));
    return;
  }
}

// -- trainings

// Whether a gradient gets from the objective to a parameter.
static bool is_flat(Cx *cx, const Node *objective) {
  bool *below = ARENA_ARRAY(cx->a, bool, objective->id + 1);
  below[objective->id] = true;
  for (int i = objective->id; i >= 0; i--) {
    const Node *n = cx->g->nodes.data[i];
    for (int k = 0; below[i] && k < n->nin; k++)
      if (n->body || n->op == OP_PART || rule_exists(n, k)) below[n->in[k]->id] = true;
  }
  for (int i = 0; i < cx->params.len; i++) {
    const Node *w = param_input(cx, cx->params.entries[i].value);
    if (w->id <= objective->id && below[w->id]) return false;
  }
  return true;
}

void harm_step(Cx *cx, const LowerTrain *t, const Step *s) {
  const Ast *loss = train_clause(t->ast, "loss");
  if (s->first_loss && is_flat(cx, s->first_loss)) diag_emit(&cx->s->diags, DIAG_flat_loss, loss->span);
  for (int i = 0; i < t->terms.len; i++) {
    const LowerTerm *term = &t->terms.data[i];
    bool *touched = ARENA_ARRAY(cx->a, bool, cx->params.len + 1);
    for (int k = 0; k < t->params.len; k++) {
      const ParamRef *p = map_get(&cx->params, t->params.data[k].path);
      touched[p->index] = touches(&t->params.data[k], term->name);
    }
    const double degree = term->log ? 0 : degree_in(cx, s->terms[i], touched);
    if (degree > 0 && s->first_loss) warn_free_scale(cx, t, s, term);
    if (degree == 2) warn_shrunk_biases(cx, t, term);
  }
}

// It stands in no loop or procedure.
static bool is_once(const Program *p, const Ast *train) {
  int i = 0;
  while (i < p->statements.len && p->statements.data[i] != train) i++;
  return i < p->statements.len;
}

// Of all trainings together, an average that is still mostly what it started from.
void harm_averages(Lowered *l) {
  const Map *defs = &l->program->defs;
  for (int i = 0; i < defs->len; i++) {
    const Def *d = defs->entries[i].value;
    const Ast *call = average_of(d) ? average_call(d) : NULL;
    const Ast *decay = call && builtin_find(call->kids[0]->name) == B_EMA ? call_arg(call, "decay", 1) : NULL;
    double steps = 0;
    bool followed = false;
    for (int k = 0; average_of(d) && k < l->trains.len; k++)
      followed |= trains_model(l->trains.data[k], average_of(d));
    if (average_of(d) && d->used && !followed && l->trains.len + l->evaluates.len)
      diag_emit(&l->session->diags, DIAG_follows_untrained, average_call(d)->span, average_of(d));
    for (int k = 0; decay && k < l->trains.len; k++)
      if (average_follows(d, l->trains.data[k]))
        steps +=
            is_once(l->program, l->trains.data[k]->ast) ? (double)l->trains.data[k]->total_steps : INFINITY;
    if (steps == 0 || decay->kind != AST_NUM || l->host.epochs || pow(decay->num, steps) < 0.5) continue;
    Diag *diag =
        diag_emit(&l->session->diags, DIAG_early_average, decay->span, d->name, 100 * pow(decay->num, steps));
    diag_note(diag, (Span){0}, "its model is trained for %.0f steps", steps);
  }
}
