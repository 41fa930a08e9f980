// `train` and `evaluate`: their clauses, and the names in them.
#include "../base/words.h"
#include "builtins.h"
#include "scope.h"
#include <string.h>

// Those with a value of their own, then constructs.
static const char *const clause_names[] = {"loss",      "batch",    "epochs",   "steps",  "seed",
                                           "allow",     "optimize", "minimize", "freeze", "penalize",
                                           "constrain", "log",      "stop",     "sample", "solve"};
enum { VALUE_CLAUSES = 6, CLAUSES = 15 };

static bool known_clause(Program *p, const Ast *c) {
  for (int i = 0; i < VALUE_CLAUSES; i++)
    if (!strcmp(clause_names[i], c->name)) return true;
  Diag *d = diag_emit(&p->session->diags, DIAG_unknown_clause, c->name_span, c->name);
  if (word_hint(d, c->name, WORD_CLAUSE, NULL, 0)) return false;
  const char *near = nearest_name(c->name, clause_names, CLAUSES);
  if (near) diag_hint(d, "did you mean `%s`?", near);
  return false;
}

// How long a training is, in passes or updates.
static bool is_length(const Ast *c) { return !strcmp(c->name, "epochs") || !strcmp(c->name, "steps"); }

static void check_once(Program *p, const Ast *train, int from, int at) {
  const Ast *c = train->kids[at];
  for (int i = from; i < at; i++)
    if (train->kids[i]->kind == AST_CLAUSE &&
        (!strcmp(train->kids[i]->name, c->name) || (is_length(c) && is_length(train->kids[i])))) {
      Diag *d = diag_emit(&p->session->diags, DIAG_duplicate_clause, c->span, c->name);
      diag_note(d, train->kids[i]->span, "first given here");
    }
}

static void check_reported(const Scope *around, const Ast *owner, int from, const Ast *e, bool open);

// Of the fields of all rows, what an epoch reports, and what statements see.
static void check_sample(const Scope *around, const Ast *train, int from, int at) {
  const Ast *c = train->kids[at];
  Program *p = around->p;
  Diags *ds = &p->session->diags;
  if (c->nkids) {
    check_reported(around, train, from, c->kids[0], true);
    if (c->kids[1]) check_expr((Scope *)around, c->kids[1]);
  } else if (strcmp(c->name, "order") != 0) {
    Diag *d = diag_emit(ds, DIAG_wrong_kind, c->name_span, "`order`",
                        arena_printf(p->session->arena, "`%s`", c->name));
    diag_hint(d, "`sample in order` takes the rows one behind the other; without it they are shuffled");
  }
  for (int i = from; i < at; i++)
    if (train->kids[i]->kind == AST_SAMPLE) {
      Diag *d = diag_emit(ds, DIAG_duplicate_clause, c->span, "sample");
      diag_note(d, train->kids[i]->span, "first given here");
    }
}

static void check_penalize(const Scope *around, const Ast *c) {
  Scope s = *around;
  for (int k = 0; c->kids[0] && k < c->kids[0]->nkids; k++) bind(&s, c->kids[0]->kids[k]->name);
  check_expr(&s, c->kids[2]);
  if (c->name) check_by_prox(&s, c);
}

// Trees stand beside the selector.
static void check_constrain(const Scope *around, const Ast *c) {
  Scope s = *around;
  const Ast *names = c->kids[0], *sources = c->kids[1];
  if (names->nkids != sources->nkids)
    diag_emit(&s.p->session->diags, DIAG_wrong_kind, names->span,
              arena_printf(s.p->session->arena, "%d name%s, one for each tree", sources->nkids,
                           sources->nkids == 1 ? "" : "s"),
              arena_printf(s.p->session->arena, "%d", names->nkids));
  for (int k = 1; k < sources->nkids; k++) check_expr(&s, sources->kids[k]);
  for (int k = 0; k < names->nkids; k++) bind(&s, names->kids[k]->name);
  check_expr(&s, c->kids[2]);
}

bool is_measure(const Ast *e) {
  return e->kind == AST_FIELD && e->kids[0]->kind == AST_NAME && !strcmp(e->kids[0]->name, "valid") &&
         strcmp(e->name, "loss") != 0;
}

static void check_measures(Scope *s, const Ast *e) {
  if (e && is_measure(e)) check_name(s, e, PLACE_METRIC);
  for (int i = 0; e && i < e->nkids; i++) check_measures(s, e->kids[i]);
}

// Of what an epoch reports, and of what statements see.
static void check_reported(const Scope *around, const Ast *owner, int from, const Ast *c, bool open) {
  static const char *const reported[] = {"valid", "loss", "objective"};
  Scope s = *around;
  s.open = open;
  for (int i = 0; i < 3; i++) bind(&s, reported[i]);
  for (int i = from; i < owner->nkids; i++)
    if (owner->kids[i]->kind == AST_LOG) bind(&s, owner->kids[i]->name);
  check_expr(&s, c);
  check_measures(&s, c);
}

// Results of a training have these names already.
static void check_log(const Scope *around, const Ast *owner, int from, int at) {
  static const char *const results[] = {"loss",  "objective",  "valid", "history", "epochs",
                                        "steps", "best_epoch", "epoch", "step"};
  const Ast *c = owner->kids[at];
  Diags *ds = &around->p->session->diags;
  for (size_t i = 0; i < sizeof results / sizeof *results; i++)
    if (!strcmp(results[i], c->name))
      diag_emit(ds, DIAG_not_allowed_here, c->name_span,
                arena_printf(around->p->session->arena, "the name `%s`", c->name),
                "for a log: it is one of what each epoch reports");
  for (int i = from; i < at; i++) {
    if (owner->kids[i]->kind != AST_LOG || strcmp(owner->kids[i]->name, c->name) != 0) continue;
    Diag *d = diag_emit(ds, DIAG_duplicate_clause, c->name_span, c->name);
    diag_note(d, owner->kids[i]->name_span, "first given here");
  }
  Scope s = *around;
  check_expr(&s, c->kids[0]);
}

static void stops_once(Program *p, const Ast *owner, int from, int at) {
  for (int i = from; i < at; i++) {
    if (owner->kids[i]->kind != AST_STOP || !owner->kids[i]->kids[1]) continue;
    Diag *d = diag_emit(&p->session->diags, DIAG_duplicate_clause, owner->kids[at]->span, "stop … stalls");
    diag_note(d, owner->kids[i]->span, "first given here");
  }
}

// `stop when valid.accuracy stalls …`: the metric is used.
static void check_stop(const Scope *around, const Ast *owner, int from, int at) {
  const Ast *stop = owner->kids[at];
  Scope s = *around;
  s.open = false;
  if (!stop->kids[1]) {
    check_reported(around, owner, from, stop->kids[0], false);
    return;
  }
  stops_once(s.p, owner, from, at);
  const Ast *what = stop->kids[0], *callee = what->kind == AST_CALL ? what->kids[0] : what;
  s.open = true; // fields of the validation part
  for (int i = 1; what->kind == AST_CALL && i < what->nkids; i++) check_expr(&s, what->kids[i]);
  s.open = false;
  if (callee->kind == AST_FIELD && strcmp(callee->name, "loss") != 0) check_name(&s, callee, PLACE_METRIC);
  check_expr(&s, stop->kids[1]);
}

static void check_places(Program *p, const Ast *e, SemaPlace value, SemaPlace callee) {
  Scope s = scope_of(p);
  s.open = true;
  s.value = value;
  s.callee = callee;
  check_expr(&s, e);
}

static void lacks_clauses(Program *p, const Ast *train, bool loss, bool optimizes) {
  Diag *d = diag_emit(&p->session->diags, DIAG_missing_clause, train->span,
                      loss        ? "the clause `optimize`"
                      : optimizes ? "the clause `loss`"
                                  : "the clauses `loss` and `optimize`");
  if (!loss) diag_hint(d, "for example `loss cross_entropy(net(x), label)`");
  if (!optimizes) diag_hint(d, "for example `optimize adam(lr: 1e-3)`");
}

// What is to be made small needs a clause that does it, and that one an objective.
static void check_needed(Program *p, const Ast *train) {
  bool loss = false, penalizes = false, optimizes = false, minimizes = false;
  for (int i = 2; i < train->nkids; i++) {
    const Ast *c = train->kids[i];
    loss |= c->kind == AST_CLAUSE && !strcmp(c->name, "loss");
    penalizes |= c->kind == AST_PENALIZE;
    optimizes |= c->kind == AST_SOLVE || (c->kind == AST_UPDATE && c->op == OPR_NONE);
    minimizes |= c->kind == AST_UPDATE && c->op != OPR_NONE;
  }
  if (loss != optimizes || (!minimizes && !loss) || (penalizes && !optimizes))
    lacks_clauses(p, train, loss, optimizes);
}

// All rows at once, and no updates: what says how these are made has no meaning.
static const char *beside_solve(const Ast *c) {
  static const char *const words[] = {"batch", "epochs", "steps"};
  if (c->kind == AST_UPDATE) return c->op == OPR_NONE ? "optimize" : "minimize";
  if (c->kind == AST_SAMPLE) return "sample";
  if (c->kind == AST_FREEZE) return "freeze";
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (c->kind == AST_CLAUSE && !strcmp(c->name, words[i])) return words[i];
  return NULL;
}

// What stands beside its loss is used, where there is something; whether it is needed is seen when it is
// elaborated.
static void use_beside(const Scope *s, DefKind kind, const Ast *loss) {
  BesideCall x;
  if (loss->kind == AST_BINARY && loss->op == OPR_ADD)
    for (int i = 0; i < 2; i++) use_beside(s, kind, loss->kids[i]);
  Def *d = sema_call_of(s->p, KIND_LOSS, s->library, loss, &x) ? sema_beside(s->p, kind, x.def) : NULL;
  if (!d) return;
  Scope its = *s;
  its.library = d->from_library;
  const Ast named = {
      .kind = AST_NAME, .op = d->own, .name = d->name, .span = loss->span, .name_span = loss->span};
  check_name(&its, &named, PLACE_CALL);
}

static void check_solve(const Scope *s, const Ast *owner, int from, int at) {
  Diags *ds = &s->p->session->diags;
  const Ast *c = owner->kids[at];
  for (int i = 0; i < 2; i++)
    if (c->kids[i]) check_expr((Scope *)s, c->kids[i]);
  for (int i = from; i < owner->nkids; i++) {
    const Ast *other = owner->kids[i];
    if (other->kind == AST_CLAUSE && !strcmp(other->name, "loss"))
      use_beside(s, KIND_CONJUGATE, other->kids[0]), use_beside(s, KIND_PROX, other->kids[0]);
    if (other->kind == AST_SOLVE && i < at) {
      Diag *d = diag_emit(ds, DIAG_duplicate_clause, c->span, "solve");
      diag_note(d, other->span, "first given here");
    }
    const char *name = beside_solve(other);
    if (!name) continue;
    Diag *d = diag_emit(ds, DIAG_not_allowed_here, other->span,
                        arena_printf(s->p->session->arena, "`%s`", name), "in a training that is solved");
    diag_note(d, c->span, "solved here: all rows, until the gap is reached");
  }
}

static void check_in(const Scope *around, const Ast *e, SemaPlace value, SemaPlace callee) {
  Scope s = *around;
  s.value = value;
  s.callee = callee;
  check_expr(&s, e);
}

static void check_update(const Scope *s, const Ast *train, int from, int at) {
  Program *p = s->p;
  const Ast *u = train->kids[at];
  check_in(s, u->kids[0], PLACE_OPTIMIZER, PLACE_OPTIMIZER);
  for (int i = 1; i < 3; i++) check_in(s, u->kids[i], PLACE_VALUE, PLACE_CALL);
  for (int i = 3; i < u->nkids; i++) check_in(s, u->kids[i]->kids[0], PLACE_VALUE, PLACE_CALL);
  const bool whole = u->op == OPR_NONE && u->kids[3]->nkids == 1;
  for (int i = from; i < at; i++) {
    const Ast *other = train->kids[i];
    const bool same = other->kind == AST_UPDATE && other->op == OPR_NONE && other->kids[3]->nkids == 1;
    const bool named = other->kind == AST_UPDATE && other->name && u->name && !strcmp(other->name, u->name);
    if (!named && !(whole && same)) continue;
    Diag *d = diag_emit(&p->session->diags, DIAG_duplicate_clause, u->span, named ? u->name : "optimize");
    diag_note(d, other->span, "first given here");
    if (!named) diag_hint(d, "`optimize sgd(lr: 0.1) for net.head.*` is one for some of the parameters");
  }
}

static void check_heads(Program *p, const Ast *heads) {
  for (int i = 0; i < heads->nkids; i++) {
    check_places(p, heads->kids[i], PLACE_MODEL, PLACE_MODEL);
    for (int k = 0; k < i; k++) {
      if (strcmp(heads->kids[i]->name, heads->kids[k]->name) != 0) continue;
      Diag *d =
          diag_emit(&p->session->diags, DIAG_duplicate_clause, heads->kids[i]->span, heads->kids[i]->name);
      diag_note(d, heads->kids[k]->span, "first given here");
    }
  }
}

const Ast *further_data(const Ast *further, const Ast **batch) {
  const Ast *e = further->kids[0], *callee = e->kind == AST_CALL ? e->kids[0] : NULL;
  // No built-in function takes a batch: data may be called like one.
  const bool sized = callee && e->nkids == 2 && e->kids[1]->name && !strcmp(e->kids[1]->name, "batch");
  const bool call = callee && (sized || callee->kind != AST_NAME || builtin_find(callee->name) < 0);
  *batch = call && e->nkids == 2 && e->kids[1]->name ? e->kids[1]->kids[0] : NULL;
  return call ? callee : e;
}

// `u = unlabeled(batch: 32)` of the head.
static void check_further(Scope *s, const Ast *train, int at) {
  Program *p = s->p;
  const Ast *f = train->kids[at], *batch, *data = further_data(f, &batch), *first = NULL;
  for (int i = 2; i < at; i++)
    if (train->kids[i]->kind == AST_FURTHER && !strcmp(train->kids[i]->name, f->name)) first = train->kids[i];
  if (!first) first = map_get(&p->stored, f->name);
  const Def *d = map_get(&p->defs, f->name);
  if (d) first = d->ast;
  if (first || bound(s, f->name)) {
    Diag *diag = diag_emit(&p->session->diags, DIAG_duplicate_definition, f->name_span, f->name);
    if (first) diag_note(diag, first->name_span, "first defined here");
  }
  check_places(p, data, PLACE_DATA, PLACE_DATA);
  if (data != f->kids[0] && (!batch || strcmp(f->kids[0]->kids[1]->name, "batch") != 0))
    diag_emit(&p->session->diags, DIAG_wrong_kind, f->kids[0]->span,
              arena_printf(p->session->arena, "the size of a batch, `%s(batch: 32)`",
                           ast_text(p->session->arena, data)),
              arena_printf(p->session->arena, "`%s`", ast_text(p->session->arena, f->kids[0])));
  else if (batch)
    check_in(s, batch, PLACE_VALUE, PLACE_CALL);
}

bool hint_training(Program *p, Diag *d, const char *name) {
  for (int i = 0; i < p->trains.len; i++) {
    const Ast *t = p->trains.data[i];
    for (int k = 2; k < t->nkids; k++) {
      const Ast *c = t->kids[k];
      if ((c->kind != AST_FURTHER && c->kind != AST_UPDATE) || !c->name || strcmp(c->name, name) != 0)
        continue;
      if (c->kind == AST_FURTHER)
        diag_hint(d, "further data of a training have their name in its clauses; elsewhere they are `%s`",
                  ast_text(p->session->arena, further_data(c, &(const Ast *){NULL})));
      else
        diag_hint(
            d,
            "the states of `%s` have this name in the clauses of its training; behind it%s they are parts "
            "of `%s.%s`",
            ast_text(p->session->arena, c->kids[0]), t->name ? "" : ", where it has a name,",
            t->name ? t->name : "first", name);
      return true;
    }
  }
  return false;
}

bool names_clause(const Ast *owner, const char *name) {
  for (int i = 0; i < owner->nkids; i++) {
    const Ast *c = owner->kids[i];
    if (c && c->kind == AST_UPDATE && c->name && !strcmp(c->name, name)) return true;
  }
  return false;
}

static void check_each_epoch(Program *p, const Ast *owner, const Ast *block) {
  const Ast *outer = p->around;
  p->around = owner;
  check_statement(p, block);
  p->around = outer;
}

// Lines give names to all clauses.
void check_clauses(Scope *s, const Ast *owner, int from) {
  Program *p = s->p;
  s->open = true;
  for (int i = from; i < owner->nkids; i++)
    if (ast_is_line(owner->kids[i])) check_expr(s, owner->kids[i]);
  for (int i = from; i < owner->nkids; i++) {
    const Ast *c = owner->kids[i];
    if (c->kind == AST_CLAUSE && !strcmp(c->name, "loss")) use_beside(s, KIND_RESPONSE, c->kids[0]);
    if (c->kind == AST_PENALIZE) check_penalize(s, c);
    if (c->kind == AST_CONSTRAIN) check_constrain(s, c);
    if (c->kind == AST_STOP) check_stop(s, owner, from, i);
    if (c->kind == AST_LOG) check_log(s, owner, from, i);
    if (c->kind == AST_SAMPLE) check_sample(s, owner, from, i);
    if (c->kind == AST_SOLVE) check_solve(s, owner, from, i);
    if (c->kind == AST_EACH_EPOCH) check_each_epoch(p, owner, c);
    if (c->kind == AST_UPDATE) check_update(s, owner, from, i);
    if (c->kind != AST_CLAUSE || !known_clause(p, c) || !strcmp(c->name, "allow")) continue;
    check_once(p, owner, from, i);
    check_in(s, c->kids[0], PLACE_VALUE, PLACE_CALL);
  }
}

// Nothing but `steps` says how long it is.
static void check_without_data(Program *p, const Ast *train) {
  bool steps = false;
  for (int i = 2; i < train->nkids; i++) {
    const Ast *c = train->kids[i];
    const bool samples = c->kind == AST_SAMPLE;
    if (c->kind != AST_CLAUSE && !samples) continue;
    steps |= !samples && !strcmp(c->name, "steps");
    if (!samples && strcmp(c->name, "epochs") != 0 && strcmp(c->name, "batch") != 0) continue;
    Diag *d = diag_emit(&p->session->diags, DIAG_not_allowed_here, c->span,
                        arena_printf(p->session->arena, "`%s`", samples ? "sample" : c->name),
                        "in a training without data");
    diag_hint(d, "`steps 500` says how long it is; with data it is `train %s on DATA`",
              train->kids[0]->kids[0]->name);
    return;
  }
  if (steps) return;
  Diag *d = diag_emit(&p->session->diags, DIAG_missing_clause, train->span, "the clause `steps`");
  diag_hint(d, "a training without data says how long it is: `steps 500`; with data it is `train %s on DATA`",
            train->kids[0]->kids[0]->name);
}

static void check_whole(Program *p, const Ast *train) {
  if (!has_clauses(train)) return;
  check_needed(p, train);
  if (!train->kids[1]) check_without_data(p, train);
}

void sema_use_recipe(Program *p, const Ast *train) {
  if (has_clauses(train)) return;
  use_recipe(p, train, true);
  check_whole(p, train);
}

void check_train(Program *p, const Ast *train) {
  check_heads(p, train->kids[0]);
  check_places(p, train->kids[1], PLACE_DATA, PLACE_DATA);
  Scope s = scope_of(p);
  const Def *recipe = train_recipe(p, train);
  const Ast *params = recipe ? recipe->ast->kids[0] : NULL;
  for (int i = 0; params && i < params->nkids; i++) bind(&s, params->kids[i]->name);
  for (int i = 2; i < train->nkids; i++)
    if (train->kids[i]->kind == AST_FURTHER) check_further(&s, train, i);
  for (int i = 2; i < train->nkids; i++)
    if (train->kids[i]->kind == AST_FURTHER) bind(&s, train->kids[i]->name);
  check_clauses(&s, train, 2);
  check_whole(p, train);
}

// Evaluated is a model, behind the training that is meant.
static bool is_training(Program *p, const Ast *name) {
  for (int i = 0; i < p->trains.len && name->kind == AST_NAME && !sema_find(p, name->name); i++) {
    const Ast *t = p->trains.data[i];
    if (!t->name || strcmp(t->name, name->name) != 0) continue;
    const char *model = ast_text(p->session->arena, t->kids[0]->kids[0]);
    Diag *d = diag_emit(&p->session->diags, DIAG_wrong_kind, name->span, "a model",
                        arena_printf(p->session->arena, "the training `%s`", name->name));
    diag_hint(d, "`evaluate %s` behind it sees what it left", model);
    return true;
  }
  return false;
}

void check_evaluate(Program *p, const Ast *evaluate) {
  if (!is_training(p, evaluate->kids[0])) check_places(p, evaluate->kids[0], PLACE_MODEL, PLACE_MODEL);
  check_places(p, evaluate->kids[1], PLACE_DATA, PLACE_DATA);
  for (int i = 2; i < evaluate->nkids; i++) {
    const Ast *m = evaluate->kids[i];
    if (m->kind == AST_BIND)
      check_places(p, m->kids[0], PLACE_VALUE, PLACE_CALL);
    else
      check_places(p, m, PLACE_METRIC, PLACE_METRIC);
  }
}

// `allow(name)`: the warning of that name is not reported.
static void allow(Program *p, const Ast *name) {
  Diags *ds = &p->session->diags;
  const int id = name->kind == AST_NAME ? diag_find(name->name) : -1;
  if (id >= 0 && diag_is_warning((DiagId)id)) {
    ds->allowed[id] = 1;
    return;
  }
  Diag *d = diag_emit(
      ds, DIAG_wrong_kind, name->span, "the name of a warning",
      arena_printf(p->session->arena, id < 0 ? "`%s`" : "the error `%s`", ast_text(p->session->arena, name)));
  const char *warnings[DIAG_COUNT];
  int n = 0;
  for (int i = 0; i < DIAG_COUNT; i++)
    if (diag_is_warning((DiagId)i)) warnings[n++] = diag_name((DiagId)i);
  const char *near = id < 0 && name->kind == AST_NAME ? nearest_name(name->name, warnings, n) : NULL;
  if (near) diag_hint(d, "did you mean `%s`?", near);
  diag_hint(d, "its name stands in brackets at the end of a message: allow(%s)", warnings[0]);
}

void allow_warnings(Program *p, const Ast *train) {
  for (int i = 2; i < train->nkids; i++) {
    const Ast *c = train->kids[i];
    if (c->kind == AST_CLAUSE && !strcmp(c->name, "allow") && c->kids[0]) allow(p, c->kids[0]);
  }
}
