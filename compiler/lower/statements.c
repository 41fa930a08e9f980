// Statements between trainings. In: their trees, in their order. Out: straight lines as functions of the
// store, and stages: reports, assertions, files; control.c has loops and conditions.
#include "stages.h"
#include "text/text.h"
#include <string.h>

Value line_value(Stages *s, const Ast *e) {
  Cx *cx = stages_line(s);
  stages_meet(s, e);
  return eval_expr(cx, s->env, e);
}

Value statement_value(Stages *s, const Ast *e) {
  const Ast *callee = e->kind == AST_CALL && e->kids[0]->kind == AST_NAME ? e->kids[0] : NULL;
  const bool library = s->scope->library && callee && !callee->op;
  Def *d = !callee   ? NULL
           : library ? sema_library(s->l->program, callee->name)
                     : sema_find(s->l->program, callee->name);
  return d && d->kind == KIND_PROCEDURE ? call_procedure(s, d, e) : line_value(s, e);
}

// The place of one number or truth value in the store; -1 after a report.
static int single(Stages *s, Node *n, Span at, const char *what, const char *called) {
  Cx *cx = stages_line(s);
  if (!n || !n->shape.rank) return n ? held_hidden(s, called, n) : -1;
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_scalar, at, what, shape_text(cx->a, n->shape));
  if (n->dtype == DT_BOOL) diag_hint(d, "`all(…)` or `any(…)` makes one truth value of many");
  return -1;
}

int single_of(Stages *s, Node *n, Span at, const char *what) { return single(s, n, at, what, what); }

int number_in(Stages *s, const Value *v, Span at, const char *what, bool truth_value) {
  Cx *cx = stages_line(s);
  if (v->kind == V_FAIL) return -1;
  Node *n = truth_value ? truth(cx, v) : value_wide(cx, v);
  if (n && !truth_value && n->dtype != DT_F64) n = graph_cast(cx->g, n, DT_F64);
  return single_of(s, n, at, what);
}

int number_of(Stages *s, const Ast *e, const char *what, bool truth_value) {
  const Value v = line_value(s, e);
  return number_in(s, &v, e->span, what, truth_value);
}

// -- values

static void lower_bind(Stages *s, const Ast *e) {
  if (asks_known(s, e->kids[0])) {
    lower_known(s, e);
    return;
  }
  Value v = statement_value(s, e->kids[0]);
  held_bind(s, e->name, e->name_span, v);
}

static void lower_unpack(Stages *s, const Ast *e) {
  Cx *cx = stages_line(s);
  const Ast *names = e->kids[0];
  Value v = statement_value(s, e->kids[1]);
  const bool fits = unpacks(cx, e, &v);
  for (int i = 0; i < names->nkids; i++)
    held_bind(s, names->kids[i]->name, names->kids[i]->span, fits ? v.items[i] : v_fail());
}

// The part of a path behind its model's name.
static const char *inner_path(const char *path) {
  const char *dot = strchr(path, '.');
  return dot ? dot : path;
}

static Node *node_for(const Tree *from, const char *path, int i, int n) {
  for (int k = 0; k < from->n; k++)
    if (!strcmp(from->leaf[k].path, path)) return from->leaf[k].node;
  return from->n == n && !strcmp(inner_path(from->leaf[i].path), inner_path(path)) ? from->leaf[i].node
                                                                                   : NULL;
}

// `net.* <- T`: parameters get the values of a tree of the same paths, or one value that fits all.
static void give_params(Stages *s, const Ast *e, const Tree *to, const Value *v) {
  Cx *cx = stages_line(s);
  const Tree *from = tree_of(cx, v);
  Node *one = from ? NULL : value_floats(cx, v);
  if (!from && !one) return;
  for (int i = 0; i < to->n; i++) {
    ParamRef *p = map_get(&cx->params, to->leaf[i].path);
    Node *n = from ? node_for(from, p->path, i, to->n) : one;
    Shape whole;
    if (!n) {
      Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[1]->span,
                          arena_printf(cx->a, "a tree with `%s`", p->path), value_text(cx, v));
      diag_hint(d, "`<-` gives each tensor the one of the same path");
      return;
    }
    if (!shape_broadcast(n->shape, p->shape, &whole) || !shape_equal(whole, p->shape)) {
      diag_emit(&cx->s->diags, DIAG_shape_mismatch, e->span, arena_printf(cx->a, "`%s`", p->path),
                shape_text(cx->a, p->shape), shape_text(cx->a, n->shape));
      return;
    }
    if (n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
    n = graph_broadcast_to(cx->g, n, p->shape);
    p->node = graph_point(cx->g, n);
    held_give_stored(s, p->index, n);
    s->l->store.data[p->index].given = true;
  }
  memo_forget(cx);
}

// An average, or a snapshot, begins anew with what its model is now.
static void take_model(Stages *s, const Ast *name) {
  Cx *cx = stages_line(s);
  const Value v = line_value(s, name);
  if (v.kind != V_MODEL || !v.model->average) return;
  for (int i = 0, n = s->l->store.len; i < n; i++) {
    const LowerTensor t = s->l->store.data[i];
    if ((!t.param && !t.layer) || !model_owns(s->l, v.model->of->name, t.name)) continue;
    const ParamRef *p = t.param ? map_get(&cx->params, t.name) : NULL;
    const StateRef *ref = t.layer ? map_get(&cx->states, t.name) : NULL;
    Node *now =
        p     ? p->node
        : ref ? ref->node
              : cx_port(cx, REG_SLOT_STORE, i, arena_printf(cx->a, "state:%s", t.name), DT_F32, t.shape);
    held_give_stored(s, average_given(cx, v.model, t.name, now)->index, now);
  }
  memo_forget(cx);
}

static void lower_give(Stages *s, const Ast *e) {
  Cx *cx = stages_line(s);
  if (e->nkids == 1) {
    take_model(s, e->kids[0]);
    return;
  }
  const Ast *target = e->kids[0];
  const Held *held = target->kind == AST_NAME ? held_find(s->scope, target->name) : NULL;
  if (held) {
    Value v = line_value(s, e->kids[1]);
    held_bind(s, target->name, target->span, v);
    return;
  }
  if (target->kind == AST_NAME) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_name, target->span, ast_text(cx->a, target));
    diag_hint(d, "`<-` gives a new value to what is there, such as `net.*`; a name is given with `=`");
    return;
  }
  stages_meet(s, target);
  Value v = line_value(s, e->kids[1]);
  const Tree *to = select_params(cx, target);
  if (to && v.kind != V_FAIL) give_params(s, e, to, &v);
}

// -- what is told and written

typedef VEC(int) Places;
typedef VEC(const char *) Paths;

// What a report shows of a value: its tensors, in the store.
static bool places_of(Stages *s, const Value *v, const char *what, Places *places, Paths *paths) {
  Cx *cx = stages_line(s);
  const Tree *t = tree_of(cx, v);
  for (int i = 0; t && i < t->n; i++) {
    vec_push(cx->a, *paths, t->leaf[i].path);
    vec_push(cx->a, *places, held_hidden(s, what, t->leaf[i].node));
  }
  if (t || v->kind == V_FAIL) return t != NULL;
  Node *n = v->kind == V_BOOL ? truth(cx, v) : value_wide(cx, v);
  if (!n) return false;
  vec_push(cx->a, *paths, "");
  vec_push(cx->a, *places, held_hidden(s, what, n));
  return true;
}

// `report e` of an evaluation or training: all that it has.
static bool record_places(Stages *s, const Ast *e, Places *places, Paths *paths) {
  if (e->kind != AST_NAME) return false;
  const Held *h = held_find(s->scope, e->name);
  if (!h || h->value.kind != V_NONE) return false;
  const size_t n = strlen(e->name);
  for (const StageScope *scope = s->scope; scope; scope = scope->outer)
    for (int i = 0; i < scope->names.len; i++) {
      const Held *part = scope->names.entries[i].value;
      if (strncmp(part->name, e->name, n) != 0 || part->name[n] != '.') continue;
      vec_push(s->l->session->arena, *places, part->stored[0]);
      vec_push(s->l->session->arena, *paths, part->name + n + 1);
    }
  return true;
}

static int number_place(Stages *s, const Ast *e) {
  Value v = line_value(s, e);
  Node *n = v.kind == V_FAIL ? NULL : value_wide(stages_line(s), &v);
  return single(s, n, e->span, "a number in the name of a report", "in a name");
}

static void check_names(const Stages *s, const Ast *e) {
  VEC(const char *) names = {0};
  for (const StageScope *scope = s->scope; scope; scope = scope->outer)
    for (int i = 0; i < scope->names.len; i++)
      vec_push(s->l->session->arena, names, scope->names.entries[i].key);
  sema_check_expression(s->l->program, e, names.data, names.len);
}

typedef VEC(reg_piece) Pieces;

// A source of what stands in braces, at its place in the program: blanks stand for all before.
static int source_within(Session *s, Span at, const char *inner) {
  const Source *whole = source_get(&s->sources, at.source);
  const char *braced = arena_printf(s->arena, "{%s}", inner);
  const char *found = whole ? strstr(whole->text + at.start, braced) : NULL;
  if (!found || found >= whole->text + at.end)
    return source_add(&s->sources, braced, inner, (int)strlen(inner));
  const size_t before = (size_t)(found + 1 - whole->text);
  char *text = ARENA_ARRAY(s->arena, char, before + strlen(inner) + 1);
  size_t n = 0;
  for (size_t i = 0; i < before; i++)
    if ((whole->text[i] & 0xC0) != 0x80) text[n++] = whole->text[i] == '\n' ? '\n' : ' '; // a character each
  memcpy(text + n, inner, strlen(inner));
  return source_add(&s->sources, whole->name, text, (int)(n + strlen(inner)));
}

// "round {r}": what stands in braces is a number of the program.
static void pieces_of(Stages *s, Span at, const char *text, Pieces *out) {
  Session *session = s->l->session;
  while (*text) {
    const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
    const size_t n = close ? (size_t)(open - text) : strlen(text);
    int value = -1;
    if (close) {
      const char *inner = arena_strndup(session->arena, open + 1, (size_t)(close - open - 1));
      const int errors = session->diags.errors;
      const Ast *e = parse_expression(session, source_within(session, at, inner));
      if (e) check_names(s, e);
      if (e && session->diags.errors == errors) value = number_place(s, e);
    }
    vec_push(session->arena, *out, ((reg_piece){arena_strndup(session->arena, text, n), value}));
    text = close ? close + 1 : text + n;
  }
}

static void report_words(reg_report *r, const reg_field *f) {
  r->nwords = (int)f->nclasses;
  r->words = (const char *const *)f->class_names;
  for (int i = 0; i < r->nwords && !f->rank; i++)
    r->spaced |= reg_shown_width(r->words[i]) > 1; // tokens of a text hold their spaces
}

static void lower_report(Stages *s, const Ast *e) {
  Arena *a = s->l->session->arena;
  Places places = {0};
  Paths paths = {0};
  Pieces pieces = {0};
  Value v = {.kind = V_NONE};
  int view = 0;
  const bool viewed = sweep_view(s, e->kids[0], &view);
  if (viewed && !view) return;
  const Ast *of = viewed ? sweep_plotted(s, e->kids[0]) : e->kids[0];
  if (of && !record_places(s, of, &places, &paths)) {
    v = line_value(s, of);
    if (!places_of(s, &v, "reported", &places, &paths)) return;
  }
  if (e->text)
    pieces_of(s, e->span, e->text, &pieces);
  else
    vec_push(a, pieces, ((reg_piece){ast_written(a, e->kids[0]), -1}));
  stages_flush(s);
  reg_report report = {.npieces = pieces.len,
                       .pieces = pieces.data,
                       .nvalues = places.len,
                       .values = places.data,
                       .paths = paths.data,
                       .view = view};
  if (v.words) report_words(&report, v.words);
  vec_push(a, s->l->reports, report);
  push_act(s, REG_STAGE_REPORT, s->l->reports.len - 1, e->span);
}

static bool compares(const Ast *e) { return e->kind == AST_BINARY && e->op >= OPR_LT && e->op <= OPR_NE; }

static void lower_assert(Stages *s, const Ast *e) {
  Cx *cx = stages_line(s);
  Arena *a = cx->a;
  const Ast *what = e->kids[0];
  reg_assertion made_of = {
      .text = ast_written(a, what), .place = stage_place(s->l, e->span), .condition = -1};
  if (compares(what)) {
    Value sides[2] = {line_value(s, what->kids[0]), line_value(s, what->kids[1])};
    Value holds = binary(cx, what->op, &sides[0], &sides[1], what->span);
    Node *n = holds.kind == V_FAIL ? NULL : truth(cx, &holds);
    for (int i = 0; i < 2 && n; i++) {
      Places places = {0};
      Paths paths = {0};
      if (sides[i].kind == V_TREE || !places_of(s, &sides[i], "asserted", &places, &paths)) continue;
      made_of.sides[made_of.nsides] = places.data[0];
      made_of.side_texts[made_of.nsides++] = ast_written(a, what->kids[i]);
    }
    made_of.condition = single(s, n, what->span, "what is asserted", "holds");
  } else {
    made_of.condition = number_of(s, what, "what is asserted", true);
  }
  stages_flush(s);
  if (made_of.condition < 0) return;
  vec_push(a, s->l->assertions, made_of);
  push_act(s, REG_STAGE_ASSERT, s->l->assertions.len - 1, e->span);
}

// A model's parameters and the states of its layers as they are, or values under their names.
static bool has_prefix(const char *path, const char *model) {
  const size_t n = strlen(model);
  return !strncmp(path, model, n) && path[n] == '.';
}

// Is it one of the model, or of a layer that the model is seen through?
static bool is_made_of(const ModelValue *m, const char *path) {
  return m && (has_prefix(path, m->path) || has_prefix(path, m->name) || is_made_of(m->of, path));
}

// The tensors of the store that a model is made of; of an average its own, under the names of those that they
// follow. false: it has others too.
static bool saved_model(Stages *s, const ModelValue *m, Places *places, Paths *names) {
  Arena *a = s->l->session->arena;
  bool whole = true;
  for (int i = 0; i < m->nitems; i++) whole = saved_model(s, m->items[i], places, names) && whole;
  for (const ModelValue *k = m; k; k = k->of) whole = whole && !k->load && !k->at;
  for (int i = 0; i < s->l->store.len && whole; i++) {
    const LowerTensor *t = &s->l->store.data[i];
    if ((!t->param && !t->layer) || !is_made_of(m->average ? m->of : m, t->name)) continue;
    const int own = m->average ? stored_find(s->l, model_path(s->line, m, t->name)) : i;
    vec_push(a, *places, own < 0 ? i : own);
    vec_push(a, *names, t->name);
  }
  return whole;
}

static void lower_save(Stages *s, const Ast *e) {
  Cx *cx = stages_line(s);
  Places places = {0};
  Paths names = {0};
  for (const StageScope *scope = s->scope; scope; scope = scope->outer)
    if (scope->sweep) {
      Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, "`save`",
                          "in a sweep: each run would write the same file");
      diag_hint(d, "`w = net.*` keeps what a run has; behind the sweep `NAME.w` has it of all runs");
      return;
    }
  stages_meet(s, e->kids[0]);
  Def *def = e->kids[0]->kind == AST_NAME ? sema_find(s->l->program, e->kids[0]->name) : NULL;
  const bool own = def && def->kind == KIND_MODEL && def->ast->num != 0; // a parameter of its own
  Value v = own ? model_named(cx, def, e->kids[0]->span) : line_value(s, e->kids[0]);
  if (v.kind == V_MODEL) {
    if (!saved_model(s, v.model, &places, &names)) places.len = names.len = 0;
    stages_flush(s);
  } else {
    const Held *h = e->kids[0]->kind == AST_NAME ? held_find(s->scope, e->kids[0]->name) : NULL;
    for (int i = 0; h && i < h->n; i++) {
      vec_push(cx->a, places, h->stored[i]);
      vec_push(cx->a, names, held_text(cx->a, h, i));
    }
    stages_flush(s);
  }
  if (v.kind == V_FAIL) return;
  if (!places.len) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[0]->span, "a model, or a name with a value",
                        value_text(cx, &v));
    diag_hint(d, v.kind == V_MODEL ? "its values are those of a file or of a tree: save these"
                                   : "`save net to \"net.safetensors\"`");
    return;
  }
  vec_push(cx->a, s->l->saves, ((reg_save){e->text, places.len, places.data, names.data}));
  push_act(s, REG_STAGE_SAVE, s->l->saves.len - 1, e->span);
}

// A procedure is called for what it does; else a value is for nothing.
static void lower_call(Stages *s, const Ast *e) {
  const int before = s->calls;
  Value v = statement_value(s, e);
  if (v.kind == V_FAIL || s->calls != before) return;
  Diag *d = diag_emit(&s->l->session->diags, DIAG_wrong_kind, e->span, "a statement",
                      value_text(stages_line(s), &v));
  diag_hint(d, "`report %s` shows it, `NAME = %s` keeps it", ast_text(s->l->session->arena, e),
            ast_text(s->l->session->arena, e));
}

// Draws of statements are none of a training's, nor of another statement's.
enum { STATEMENT_STREAMS = 0x100000 };

void lower_statement(Stages *s, const Ast *e) {
  s->stream = (int64_t)STATEMENT_STREAMS * ++s->statements;
  if (s->line) s->line->stream = s->stream;
  switch (e->kind) {
  case AST_BIND: lower_bind(s, e); break;
  case AST_UNPACK: lower_unpack(s, e); break;
  case AST_GIVE: lower_give(s, e); break;
  case AST_REPEAT: lower_repeat(s, e); break;
  case AST_FOR: lower_for(s, e); break;
  case AST_WHILE: lower_while(s, e); break;
  case AST_WHEN: lower_when(s, e); break;
  case AST_SWEEP: lower_sweep(s, e); break;
  case AST_REPORT: lower_report(s, e); break;
  case AST_ASSERT: lower_assert(s, e); break;
  case AST_SAVE: lower_save(s, e); break;
  case AST_TRAIN: lower_training(s, e); break;
  case AST_EVALUATE: lower_evaluation(s, e); break;
  case AST_DEF:
  case AST_ERROR: break;
  default: lower_call(s, e); break;
  }
}

void lower_lines(Stages *s, const Ast *block, int n) {
  for (int i = 0; i < block->nkids; i++) { // known in the whole block
    const Ast *e = block->kids[i];
    Def *d = e && e->kind == AST_DEF && e->name ? map_get(&s->l->program->defs, e->name) : NULL;
    if (d) d->scope = s->scope;
  }
  for (int i = 0; i < n; i++)
    if (block->kids[i]) lower_statement(s, block->kids[i]);
}

void lower_statements(Stages *s, const Ast *block) { lower_lines(s, block, block->nkids); }
