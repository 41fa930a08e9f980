// Calls of procedures. In: a call among statements. Out: the statements of its body, in a scope of their own,
// and its value. What the call gives that is no tensor (models, data, functions, known numbers) stands in the
// body in the place of the parameter's name; a model that the body defines gets a name that the program has
// not.
#include "stages.h"
#include <string.h>

typedef struct Call {
  Stages *s;
  Def *def;
  const Ast *at;
  SemaCopy body; // with what is given in it
  StageScope *inside;
} Call;

// -- what is given

static const Ast *argument_of(const Call *c, int i) {
  const Ast *params = c->def->ast->kids[0], *p = params->kids[i];
  for (int k = 1; k < c->at->nkids; k++)
    if (c->at->kids[k]->name && !strcmp(c->at->kids[k]->name, p->name)) return c->at->kids[k]->kids[0];
  int position = 0;
  for (int k = 1; k < c->at->nkids; k++)
    if (!c->at->kids[k]->name && position++ == i) return c->at->kids[k]->kids[0];
  return p->kids[1];
}

// A known number, written out.
static Ast *number_ast(Call *c, const Value *v, Span at) {
  static const char *const units[] = {
      [UNIT_NONE] = NULL, [UNIT_PERCENT] = "%", [UNIT_EPOCHS] = "epochs", [UNIT_STEPS] = "steps"};
  Ast *out = ARENA_NEW(c->s->l->session->arena, Ast);
  *out = (Ast){.kind = AST_NUM, .span = at, .name_span = at, .num = v->num, .depth = 1, .links = 1};
  out->name = units[v->unit];
  out->text = arena_printf(c->s->l->session->arena, "%.17g", v->num);
  return out;
}

static bool is_simple(const Ast *e) {
  return e->kind == AST_NAME || e->kind == AST_FIELD || e->kind == AST_INDEX || e->kind == AST_CALL ||
         e->kind == AST_STR || e->kind == AST_BOOL;
}

// The number of a sweep's run stays one, under a name that nothing in the body has; else NULL.
static Ast *run_number(Call *c, const Ast *e) {
  Held *h = held_find(c->s->scope, e->name);
  if (!h || !h->axis) return NULL;
  Ast *out = ARENA_NEW(c->s->l->session->arena, Ast);
  *out = *e;
  out->text = e->name;
  out->name = arena_printf(c->s->l->session->arena, "%s of a run", e->name);
  map_put(&c->inside->names, out->name, h);
  return out;
}

// What stands for a parameter in the body; NULL: its tensor has a place in the store.
static Ast *stands_for(Call *c, const Ast *e, const Value *v) {
  switch (v->kind) {
  case V_NUM:
    if (e->kind != AST_NAME) {
      live_fix(stages_line(c->s), v);
      return number_ast(c, v, e->span);
    }
    if (run_number(c, e)) return run_number(c, e);
    break;
  case V_BOOL:
  case V_TEXT:
  case V_FN:
  case V_BUILTIN:
  case V_MODEL:
  case V_DATA: break;
  default: return NULL;
  }
  return is_simple(e) ? sema_of_program(c->s->l->program, e) : NULL; // names keep their meaning
}

// A recipe is no value: it is given as it is written.
static Def *recipe_of(const Stages *s, const Ast *e) {
  const Ast *name = e->kind == AST_CALL ? e->kids[0] : e;
  Def *d = name->kind == AST_NAME && !held_find(s->scope, name->name) ? sema_find(s->l->program, name->name)
                                                                      : NULL;
  return d && d->kind == KIND_RECIPE ? d : NULL;
}

static Value v_fn(Cx *cx, Def *d) {
  FnValue *fn = ARENA_NEW(cx->a, FnValue);
  fn->def = d;
  return (Value){.kind = V_FN, .fn = fn};
}

static bool take_arguments(Call *c, StageScope *inside) {
  Stages *s = c->s;
  Cx *cx = stages_line(s);
  const Ast *params = c->def->ast->kids[0];
  const int n = params ? params->nkids : 0;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, c->at->nkids + 1);
  int nargs = 0;
  for (int k = 1; k < c->at->nkids; k++) {
    Value *v = ARENA_NEW(cx->a, Value);
    const Ast *given = c->at->kids[k]->kids[0];
    stages_meet(s, given);
    *v = recipe_of(s, given) ? v_fn(cx, recipe_of(s, given)) : eval_expr(cx, s->env, given);
    if (v->kind == V_FAIL) return false;
    args[nargs++] = (BoundArg){c->at->kids[k]->name, v, c->at->kids[k]->span};
  }
  Env *env = env_new(cx, NULL, "", c->def->name);
  const Within outer_text = text_enter(cx, c->def);
  const bool bound = bind_args(cx, c->def, args, nargs, c->at->span, env, false);
  text_leave(cx, outer_text);
  for (int i = 0; i < n && bound; i++) {
    const char *name = params->kids[i]->name;
    const Ast *e = argument_of(c, i);
    const Value *v = env_get(env, name);
    Ast *given = e && v ? stands_for(c, e, v) : NULL;
    if (given) map_put(&c->body.given, name, given);
    StageScope *outer = s->scope;
    s->scope = inside;
    if (v && (!given || v->kind == V_NUM))
      held_bind(s, name, c->at->span, *v); // numbers: also for `report … as "{n}"`
    s->scope = outer;
  }
  return bound;
}

static SemaCopy copying(Stages *s, Span names, bool library) {
  SemaCopy c = sema_copying(s->l->program, names);
  c.library = library;
  return c;
}

const Ast *with_given(Stages *s, const Ast *e, const char *name, Span at, const Ast *given) {
  SemaCopy c = copying(s, at, s->scope->library);
  map_put(&c.given, name, (void *)given);
  return sema_copy(&c, e);
}

// -- the call

static bool is_value(const Ast *e) {
  return e->kind <= AST_LAST_EXPR &&
         !(e->nkids && e->kids[e->nkids - 1] && e->kids[e->nkids - 1]->kind == AST_STAGES);
}

// The value outside of the body: its tensors have places in the store of the scope outside.
static Value outside(Stages *s, const char *name, Value v, Span at) {
  if (v.kind == V_NONE || v.kind == V_FAIL) return v;
  if (v.kind == V_TUPLE) {
    Value *items = ARENA_ARRAY(s->l->session->arena, Value, v.nitems + 1);
    for (int i = 0; i < v.nitems; i++)
      items[i] = outside(s, arena_printf(s->l->session->arena, "%s %d", name, i), v.items[i], at);
    v.items = items;
    return v;
  }
  held_bind(s, name, at, v);
  return v;
}

static void seen_again(Stages *s, const char *name, Value *v) {
  if (v->kind == V_NONE || v->kind == V_FAIL) return;
  for (int i = 0; v->kind == V_TUPLE && i < v->nitems; i++)
    seen_again(s, arena_printf(s->l->session->arena, "%s %d", name, i), &v->items[i]);
  if (v->kind != V_TUPLE) held_value(stages_line(s), name, v);
}

Value call_procedure(Stages *s, Def *d, const Ast *at) {
  Lowered *l = s->l;
  Call c = {.s = s, .def = d, .at = at, .body = copying(s, d->ast->name_span, d->from_library)};
  c.body.apart = true;
  s->calls++;
  StageScope *outer = s->scope, *inside = scope_new(l, d->scope ? d->scope : s->root);
  inside->procedure = true;
  inside->library = d->from_library;
  c.inside = inside;
  stages_flush(s);
  if (!may_go_on(stages_line(s), at->span, 1) || !take_arguments(&c, inside)) return v_fail();
  stages_flush(s);
  s->scope = l->scope = inside;
  const Ast *body = sema_copy(&c.body, d->ast->kids[2]),
            *last = body->nkids ? body->kids[body->nkids - 1] : NULL;
  Value v = c.body.wrong ? v_fail() : (Value){.kind = V_NONE, .span = at->span};
  if (!c.body.wrong) {
    lower_lines(s, body, last && is_value(last) ? body->nkids - 1 : body->nkids);
    if (last && is_value(last)) v = statement_value(s, last);
  }
  inside->closed = true;
  s->scope = outer;
  const char *name = arena_printf(l->session->arena, "value of %s", d->name); // no name of the language
  if (v.kind == V_NONE) {
    stages_flush(s);
  } else {
    map_put(&outer->names, name, NULL);
    v = outside(s, name, v, at->span);
    stages_flush(s);
  }
  l->scope = outer;
  seen_again(s, name, &v);
  return v;
}
