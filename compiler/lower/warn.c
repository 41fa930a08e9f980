// What is right by the rules and hardly meant. In: a training that was elaborated without a mistake, as it is
// written. Out: warnings, each with a name for `allow`.
#include "train.h"
#include <string.h>

static Def *called(Cx *cx, const Ast *callee) {
  return callee && callee->kind == AST_NAME ? sema_find(cx->l->program, callee->name) : NULL;
}

static bool mentions(const Ast *e, const char *name) {
  if (!e) return false;
  if (e->kind == AST_NAME && !strcmp(e->name, name)) return true;
  for (int i = 0; i < e->nkids; i++)
    if (mentions(e->kids[i], name)) return true;
  return false;
}

// -- penalties

static bool is_penalty(const Def *d, Trait any) { return (void)any, d->kind == KIND_PENALTY; }

// The first of such definitions among those that an expression calls, or that the values which it names do.
static const Ast *first_call(Cx *cx, const Ast *e, bool (*such)(const Def *, Trait), Trait t, int depth) {
  if (!e || depth > 20) return NULL;
  const Def *d = called(cx, e);
  if (d && such(d, t)) return e;
  if (d && d->kind == KIND_LET && first_call(cx, d->ast->kids[2], such, t, depth + 1)) return e;
  const Ast *found = NULL;
  for (int i = 0; i < e->nkids && !found; i++) found = first_call(cx, e->kids[i], such, t, depth);
  return found;
}

const Ast *call_with(Cx *cx, const Ast *e, Trait t) { return first_call(cx, e, sema_has, t, 0); }

void warn_optimizer(Cx *cx, const LowerTrain *t, const Def *optimizer) {
  if (!sema_has(optimizer, TRAIT_adaptive)) return;
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *p = t->ast->kids[i];
    if (p->kind == AST_PENALIZE && p->name) {
      Diag *d = diag_emit(&cx->s->diags, DIAG_prox_adaptive, p->kids[2]->span, optimizer->name);
      diag_hint(d, "an optimizer whose step is the gradient times its rate, such as `sgd`");
      continue;
    }
    if (p->kind != AST_PENALIZE || !call_with(cx, p->kids[2], TRAIT_decaying)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_coupled_l2_adaptive, p->kids[2]->span, optimizer->name);
    diag_hint(d, "`weight_decay` of the optimizer, or allow(coupled_l2_adaptive) in this `train`");
  }
}

static void warn_unused_names(Cx *cx, const Ast *p) {
  const Ast *names = p->kids[0], *e = p->kids[2];
  for (int i = 0; names && i < names->nkids; i++) {
    const char *name = names->kids[i]->name;
    if (mentions(e, name)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_penalty_ignores, e->span, name);
    const bool call = e->kind == AST_CALL && e->kids[0]->kind == AST_NAME && e->nkids == 2;
    if (call && e->kids[1]->kids[0]->kind == AST_NUM)
      diag_hint(d, "a strength is a factor: `%s * %s(%s)`", ast_text(cx->a, e->kids[1]), e->kids[0]->name,
                name);
  }
}

// A factor that is a number known now, else 1. Only what calls nothing is looked at.
static bool is_plain(const Ast *e) {
  if (e->kind != AST_NUM && e->kind != AST_NAME && e->kind != AST_UNARY && e->kind != AST_BINARY)
    return false;
  for (int i = 0; i < e->nkids; i++)
    if (!is_plain(e->kids[i])) return false;
  return true;
}

static double known_factor(Cx *cx, const Ast *p, const Ast *e) {
  for (int i = 0; p->kids[0] && i < p->kids[0]->nkids; i++)
    if (mentions(e, p->kids[0]->kids[i]->name)) return 1;
  if (!is_plain(e)) return 1;
  Value v = eval_expr(cx, field_env(cx), e);
  return value_is_const(&v) ? v.num : 1;
}

// The penalties of a sum of products, `sign` being that of what stands around them.
static void warn_negative(Cx *cx, const Ast *p, const Ast *e, double sign) {
  const Ast *x = e->nkids ? e->kids[0] : NULL, *y = e->nkids > 1 ? e->kids[1] : NULL;
  switch (e->kind) {
  case AST_UNARY: warn_negative(cx, p, x, e->op == OPR_NEG ? -sign : sign); return;
  case AST_BINARY:
    if (e->op == OPR_MUL && first_call(cx, y, is_penalty, TRAIT_COUNT, 0)) {
      warn_negative(cx, p, y, sign * known_factor(cx, p, x));
    } else if (e->op == OPR_MUL || e->op == OPR_DIV) {
      warn_negative(cx, p, x, sign * known_factor(cx, p, y));
    } else if (e->op == OPR_ADD || e->op == OPR_SUB) {
      warn_negative(cx, p, x, sign);
      warn_negative(cx, p, y, e->op == OPR_SUB ? -sign : sign);
    }
    return;
  case AST_CALL:
  case AST_PIPE: {
    const Ast *stage = e->kind == AST_PIPE ? y : e,
              *callee = stage->kind == AST_CALL ? stage->kids[0] : stage;
    const Def *d = called(cx, callee);
    if (sign < 0 && d && d->kind == KIND_PENALTY)
      diag_emit(&cx->s->diags, DIAG_negative_strength, e->span, d->name);
    return;
  }
  default: return;
  }
}

// -- scores and probabilities

// Does a definition, or one that it calls, take exponentials or logarithms? Else the order of scores is all
// that counts.
static bool is_smooth(Cx *cx, const Ast *e, int depth) {
  if (!e || depth > 20) return false;
  if (e->kind == AST_NAME) {
    const Def *d = called(cx, e);
    if (d) return is_smooth(cx, d->ast->kids[2], depth + 1);
    const int b = builtin_find(e->name);
    return b == B_EXP || b == B_EXPM1 || b == B_LOG || b == B_LOG1P || b == B_SIGMOID;
  }
  for (int i = 0; i < e->nkids; i++)
    if (is_smooth(cx, e->kids[i], depth)) return true;
  return false;
}

// The definition that made a value last, where it is said to be so: its name, else NULL. `block`: where the
// value's names are bound.
static const char *last_has(Cx *cx, Trait t, const Ast *e, const Ast *block, int depth) {
  if (depth > 20) return NULL;
  switch (e->kind) {
  case AST_PIPE: e = e->kids[1]; break;
  case AST_BLOCK: return e->nkids ? last_has(cx, t, e->kids[e->nkids - 1], e, depth + 1) : NULL;
  case AST_NAME:
    for (int i = 0; block && i < block->nkids; i++)
      if (block->kids[i]->kind == AST_BIND && !strcmp(block->kids[i]->name, e->name))
        return last_has(cx, t, block->kids[i]->kids[0], NULL, depth + 1);
    return NULL;
  default: break;
  }
  if (e->kind == AST_AS) e = e->kids[0];
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : e;
  if (callee->kind != AST_NAME) return NULL;
  const Def *d = called(cx, callee);
  if (!d) return t == TRAIT_probable && builtin_find(callee->name) == B_SIGMOID ? callee->name : NULL;
  if (sema_has(d, t)) return d->name;
  return d->from_library ? NULL : last_has(cx, t, d->ast->kids[2], NULL, depth + 1);
}

// What a definition with scores for a parameter gets wrong with those that `e` makes.
static void tell_scores(Cx *cx, const Def *d, const Ast *e, Span at) {
  const char *by = last_has(cx, TRAIT_probable, e, NULL, 0);
  DiagId id = DIAG_probabilities_for_scores;
  if (!by && (by = last_has(cx, TRAIT_rectified, e, NULL, 0))) id = DIAG_rectified_scores;
  if (!by || !is_smooth(cx, d->ast->kids[2], 0)) return;
  Diag *diag = diag_emit(&cx->s->diags, id, at, d->name, by);
  if (id == DIAG_probabilities_for_scores)
    diag_hint(diag, "leave `%s` out: it is inside `%s`", by, d->name);
  else
    diag_hint(diag, "leave `%s` out behind the last layer", by);
}

// The parameter for scores: its position, or -1.
static int scores_of(const Def *d) {
  const Ast *ps = d ? d->ast->kids[0] : NULL;
  for (int i = 0; ps && i < ps->nkids; i++)
    if (!strcmp(ps->kids[i]->name, "logits")) return i;
  return -1;
}

static const Ast *argument(const Ast *e, const Ast *piped, const char *name, int at) {
  if (piped && at == 0) return piped;
  return e->kind == AST_CALL ? call_arg(e, name, at - (piped != NULL)) : NULL;
}

// A loss of predictions some of which are dropped.
static void warn_dropped(Cx *cx, const Def *loss, const Ast *predictions) {
  const char *by = predictions ? last_has(cx, TRAIT_dropping, predictions, NULL, 0) : NULL;
  if (!by) return;
  Diag *d = diag_emit(&cx->s->diags, DIAG_dropped_predictions, predictions->span, loss->name, by);
  diag_hint(d, "put `%s` before the last layer", by);
}

// Calls in an expression of what is given predictions, by what these are.
static void warn_scores(Cx *cx, const Ast *e, const Ast *piped) {
  if (!e) return;
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : piped ? e : NULL;
  const Def *d = called(cx, callee);
  const int at = scores_of(d);
  const Ast *scores = at < 0 ? NULL : argument(e, piped, "logits", at);
  if (scores) tell_scores(cx, d, scores, scores->span);
  if (d && (d->kind == KIND_LOSS || d->kind == KIND_METRIC) && d->ast->kids[0])
    warn_dropped(cx, d, argument(e, piped, d->ast->kids[0]->kids[0]->name, 0));
  for (int i = 0; i < e->nkids; i++)
    warn_scores(cx, e->kids[i], e->kind == AST_PIPE && i == 1 ? e->kids[0] : NULL);
}

void warn_metric(Cx *cx, const Def *model, const Def *metric, Span at) {
  if (scores_of(metric) == 0) tell_scores(cx, metric, model->ast->kids[2], at);
}

// -- trainings

static bool was_trained(const Lowered *l, const char *path) {
  for (int i = 0; i < l->trains.len; i++)
    if (trains_tensor(l->trains.data[i], path)) return true;
  return false;
}

// Each model is told once.
static void warn_frozen(Cx *cx, const LowerTrain *t) {
  const char *told = "";
  for (int i = 0; i < t->params.len; i++) {
    const LowerParam *p = &t->params.data[i];
    const char *model = arena_strndup(cx->a, p->path, strcspn(p->path, "."));
    if (trains_tensor(t, p->path) || was_trained(cx->l, p->path) || !strcmp(model, told)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_frozen_untrained, t->ast->kids[0]->span, model);
    diag_hint(d, "`train %s, %s on …` trains both", ast_text(cx->a, t->ast->kids[0]->kids[0]), model);
    told = model;
  }
}

// Classes that are drawn alike and weighted alike besides.
static void warn_balanced(Cx *cx, const LowerTrain *t) {
  const Ast *loss = train_clause(t->ast, "loss"), *by = call_with(cx, loss, TRAIT_balancing);
  for (int i = 2; by && i < t->ast->nkids; i++) {
    const Ast *c = t->ast->kids[i], *drawn = c->kind == AST_SAMPLE ? call_with(cx, c, TRAIT_balancing) : NULL;
    if (!drawn) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_balanced_twice, by->span);
    diag_note(d, drawn->span, "the rows are drawn so already");
  }
}

// Is there an argument `smoothing` that is not 0?
static bool smooths(const Ast *e) {
  if (!e) return false;
  if (e->kind == AST_ARG && e->name && !strcmp(e->name, "smoothing") &&
      !(e->kids[0]->kind == AST_NUM && e->kids[0]->num == 0))
    return true;
  for (int i = 0; i < e->nkids; i++)
    if (smooths(e->kids[i])) return true;
  return false;
}

// A teacher whose own training had its labels smoothed.
static void warn_teacher(Cx *cx, const LowerTrain *t) {
  const Ast *loss = train_clause(t->ast, "loss");
  for (int i = 0; loss && i < cx->l->trains.len; i++) {
    const LowerTrain *before = cx->l->trains.data[i];
    if (before == t) continue;
    const char *teacher = before->ast->kids[0]->kids[0]->name;
    const Ast *smooth = train_clause(before->ast, "loss");
    if (!teacher || trains_model(t, teacher) || !mentions(loss, teacher) || !smooths(smooth)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_smoothed_teacher, loss->span, teacher);
    diag_note(d, smooth->span, "here its labels are smoothed");
  }
}

void warn_train(Cx *cx, const LowerTrain *t) {
  warn_frozen(cx, t);
  warn_balanced(cx, t);
  warn_teacher(cx, t);
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = t->ast->kids[i];
    if (c->kind == AST_PENALIZE) {
      warn_unused_names(cx, c);
      warn_negative(cx, c, c->kids[2], 1);
      warn_scores(cx, c->kids[2], NULL);
    } else if (c->kind == AST_UPDATE) {
      for (int k = 3; k < c->nkids; k++) warn_scores(cx, c->kids[k]->kids[0], NULL);
    } else if (c->kind == AST_CLAUSE && !strcmp(c->name, "loss")) {
      warn_scores(cx, c->kids[0], NULL);
    }
  }
}

// The library's metrics say their sense where it is not `lower`.
void warn_sense(Cx *cx, const Def *metric, Span at) {
  if (metric->ast->num != 0 || metric->from_library) return;
  Diag *d = diag_emit(&cx->s->diags, DIAG_sense_unknown, at, metric->name);
  diag_note(d, metric->ast->name_span, "declared here");
  diag_hint(d, "it stands before the body: `metric %s(…) higher = …`, or `lower`", metric->name);
}

void warn_time(Cx *cx, const Def *d, const Ast *p, const Value *v, double steps) {
  if (!cx->t || cx->l->host.epochs || steps <= (double)cx->t->total_steps) return;
  Diag *diag = diag_emit(&cx->s->diags, DIAG_time_beyond_end, v->span, p->name, d->name, value_text(cx, v));
  diag_note(diag, (Span){0}, "training ends after %lld steps (%lld epochs)", (long long)cx->t->total_steps,
            (long long)cx->t->epochs);
}
