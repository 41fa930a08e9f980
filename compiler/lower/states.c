// States of optimizers by name: behind `optimize adam(lr: 1e-3) as opt`, `opt.m` is the tree of what adam
// calls m. In: the states of a training's step, "opt.adam.m net.hidden.weight". Out: values in its clauses,
// places in the store for statements.
#include "stages.h"
#include <string.h>

// "adam.m net.hidden.weight" of a state of the clause; NULL: it is none. Of the second and later objectives
// of a clause a number stands in front.
static const char *of_clause(const StateRef *ref, const char *clause) {
  const size_t n = strlen(clause);
  if (ref->layer || strncmp(ref->name, clause, n) != 0 || ref->name[n] != '.') return NULL;
  const char *rest = ref->name + n + 1, *behind = rest + strspn(rest, "0123456789");
  if (strspn(rest + strcspn(rest, " ") + (strchr(rest, ' ') != NULL), "0123456789"))
    return NULL; // of a second call of one optimizer
  return behind > rest ? behind + 1 : memchr(rest, '.', strcspn(rest, " ")) ? rest : NULL;
}

static const StateRef *state_at(const Map *states, int i) { return states->entries[i].value; }

// What the program calls it: "m", or "adam.m" where another optimizer of the clause has an m too. NULL: it is
// none of the clause.
static const char *label(Arena *a, const Map *states, const char *clause, const StateRef *ref) {
  const char *whole = of_clause(ref, clause);
  if (!whole) return NULL;
  const size_t length = strcspn(whole, " "), by = strcspn(whole, ".") + 1;
  for (int i = 0; i < states->len; i++) {
    const char *other = of_clause(state_at(states, i), clause);
    const size_t n = other ? strcspn(other, " ") : 0, to = other ? strcspn(other, ".") + 1 : 0;
    const bool same = n - to == length - by && other && !strncmp(other + to, whole + by, n - to);
    if (same && (n != length || strncmp(other, whole, n) != 0)) return arena_strndup(a, whole, length);
  }
  return arena_strndup(a, whole + by, length - by);
}

// Whether the name of a clause stands for nothing else.
static bool is_free(Program *p, const char *name) {
  return !sema_find(p, name) && builtin_find(name) < 0 && !map_get(&p->stored, name);
}

static const Ast *named_clause(Program *p, const Ast *c) {
  return c->kind == AST_UPDATE && c->name && is_free(p, c->name) ? c : NULL;
}

Env *states_env(Cx *cx, Env *outer) {
  Env *env = env_new(cx, outer, "", "train");
  for (int i = 2; i < cx->t->ast->nkids; i++) {
    const Ast *c = named_clause(cx->l->program, cx->t->ast->kids[i]);
    if (c) env_set(cx, env, c->name, (Value){.kind = V_STATES, .text = c->name, .span = c->name_span});
  }
  return env;
}

// The tensors of a state: one without a path, or a tree of the parameters' paths.
typedef struct Parts {
  VEC(const StateRef *) list;
  const char *path; // of the first; NULL: it has none
} Parts;

static Parts parts_of(Arena *a, const Map *states, const char *clause, const char *name) {
  Parts p = {0};
  for (int i = 0; i < states->len; i++) {
    const char *called = label(a, states, clause, state_at(states, i));
    if (called && !strcmp(called, name)) vec_push(a, p.list, state_at(states, i));
  }
  p.path = p.list.len ? strchr(p.list.data[0]->name, ' ') : NULL;
  return p;
}

static Value value_of(Cx *cx, const Parts *p, Node *(*node)(Cx *cx, const StateRef *ref), Span at) {
  if (!p->path) return v_tensor(node(cx, p->list.data[0]), at);
  Tree *t = tree_new(cx, p->list.len);
  for (int i = 0; i < t->n; i++)
    t->leaf[i] = (Leaf){strchr(p->list.data[i]->name, ' ') + 1, node(cx, p->list.data[i])};
  return v_tree(t, at);
}

static Node *as_found(Cx *cx, const StateRef *known) {
  StateRef *ref = map_get(&cx->states, known->name);
  if (!ref) ref = input_state(cx, known->name, known->shape, known->origin, known->rows);
  return ref->input;
}

// `of`: what the program calls the clause.
static void report_unknown(Cx *cx, const Map *states, const char *clause, const char *of, const char *name,
                           Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_field, at, arena_printf(cx->a, "`%s`", of), name);
  VEC(const char *) names = {0};
  StrBuf list = {.arena = cx->a};
  for (int i = 0; i < states->len; i++) {
    const char *called = label(cx->a, states, clause, state_at(states, i));
    if (!called || (names.len && !strcmp(names.data[names.len - 1], called))) continue;
    strbuf_addf(&list, "%s`%s.%s`", names.len ? ", " : "", of, called);
    vec_push(cx->a, names, called);
  }
  const char *near = nearest_name(name, names.data, names.len);
  if (near)
    diag_hint(d, "did you mean `%s.%s`?", of, near);
  else if (names.len)
    diag_hint(d, "the states of its optimizer are %s", list.data);
  else
    diag_hint(d, "its optimizer has no states");
}

Value states_field(Cx *cx, const Value *v, const Ast *e, const Ast *root) {
  TrainBuild *build = cx->t->build;
  build->asked = true;
  if (!build->states_known) return v_fail(); // begun again when they are
  const char *name = ast_text(cx->a, e) + strlen(ast_text(cx->a, root)) + 1;
  const Parts p = parts_of(cx->a, &build->states, v->text, name);
  if (p.list.len) return value_of(cx, &p, as_found, e->span);
  report_unknown(cx, &build->states, v->text, v->text, name, e->span);
  return v_fail();
}

// -- among statements

static Node *any_value(Cx *cx, const StateRef *ref) { return graph_const(cx->g, 0, ref->shape); }

// As a result of the training, under its name `text`. Where there is none of this name, that is told once.
static void keep_state(Lowered *l, StageScope *scope, LowerTrain *t, const char *clause, const char *name,
                       const char *text, Span at) {
  Cx *cx = cx_new(l, "states", MODE_EVAL);
  const Parts p = parts_of(cx->a, &t->build->states, clause, name);
  const Value v = p.list.len ? value_of(cx, &p, any_value, at) : v_fail();
  if (!p.list.len)
    report_unknown(cx, &t->build->states, clause, arena_strndup(cx->a, text, strlen(text) - strlen(name) - 1),
                   name, at);
  const Held *h = held_new(l, scope, text, at, &v);
  for (int i = 0; i < p.list.len; i++)
    vec_push(cx->a, t->results,
             ((reg_result){.kind = REG_RESULT_STATE, .index = p.list.data[i]->index, .value = h->stored[i]}));
}

void know_clauses(Lowered *l, StageScope *scope, LowerTrain *t) {
  const Value none = {.kind = V_NONE};
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = named_clause(l->program, t->ast->kids[i]);
    if (!c) continue;
    Held *h = held_new(l, scope, c->name, c->name_span, &none);
    h->train = t;
    h->clause = c->name;
  }
}

static bool has_clause(const Lowered *l, const LowerTrain *t, const char *name) {
  bool found = false;
  for (int i = 2; i < t->ast->nkids && !found; i++) {
    const Ast *c = named_clause(l->program, t->ast->kids[i]);
    found = c && !strcmp(c->name, name);
  }
  return found;
}

bool clause_result(Cx *cx, const Ast *e) {
  if (e->kind != AST_FIELD) return false;
  const char *text = ast_text(cx->a, e), *rest = text + strcspn(text, ".");
  StageScope *scope = cx->sees;
  const char *record = arena_strndup(cx->a, text, (size_t)(rest - text));
  while (scope && !map_get(&scope->names, record)) scope = scope->outer;
  const Held *h = scope ? map_get(&scope->names, record) : NULL;
  if (!h || !h->train) return false;
  const size_t n = h->clause ? 0 : strcspn(rest + 1, ".");
  const char *clause = h->clause ? h->clause : arena_strndup(cx->a, rest + 1, n);
  const char *name = h->clause ? rest + 1 : rest + 1 + n + (rest[1 + n] == '.');
  if (!*name || !has_clause(cx->l, h->train, clause)) return false;
  keep_state(cx->l, scope, h->train, clause, name, text, e->span);
  return true;
}

void keep_states(Lowered *l, StageScope *scope, LowerTrain *t) {
  Arena *a = l->session->arena;
  const Map *states = &t->build->states;
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = named_clause(l->program, t->ast->kids[i]);
    for (int k = 0; c && k < states->len; k++) {
      const char *name = label(a, states, c->name, state_at(states, k));
      const char *text = name ? arena_printf(a, "%s.%s.%s", t->ast->name, c->name, name) : NULL;
      if (text && !map_get(&scope->names, text)) keep_state(l, scope, t, c->name, name, text, c->name_span);
    }
  }
}
