// Loops and conditions between trainings. In: their trees. Out: stages with the lists of their blocks. A
// block has a scope: what it binds first ends with it, but for what both sides of an `if` bind alike.
#include "stages.h"
#include <string.h>

// The number of a loop's turn, under a name.
static int turn_of(Stages *s, const char *name) {
  return stored_new(s->l, name ? name : "turn", DT_I32, (Shape){0});
}

static void open_scope(Stages *s) {
  s->scope = scope_new(s->l, s->scope);
  s->l->scope = s->scope;
}

static void know_turn(Stages *s, const char *name, Span at, int stored) {
  Cx *cx = cx_new(s->l, "turn", MODE_EVAL);
  Held *h = ARENA_NEW(cx->a, Held);
  int *place = ARENA_NEW(cx->a, int);
  *place = stored;
  Value v = v_tensor(graph_const_typed(cx->g, 0, DT_I32, (Shape){0}), at);
  *h = (Held){.name = name, .at = at, .value = v, .n = 1, .stored = place};
  map_put(&s->scope->names, name, h);
}

static void close_scope(Stages *s) {
  s->scope->closed = true;
  s->scope = s->scope->outer;
  s->l->scope = s->scope;
}

void block_open(Stages *s) {
  open_scope(s);
  s->scope->around = s->list;
  s->list = ARENA_NEW(s->l->session->arena, StageList);
}

StageList *block_close(Stages *s) {
  stages_flush(s);
  StageList *list = s->list;
  s->list = s->scope->around;
  close_scope(s);
  return list;
}

// Also of `else if`, which is one statement.
static void lower_block(Stages *s, const Ast *block) {
  if (block->kind == AST_STAGES)
    lower_statements(s, block);
  else
    lower_statement(s, block);
}

static void push_repeat(Stages *s, const Ast *e, int count, int turn, const StageList *body) {
  push_stage(s, (reg_stage){.kind = REG_STAGE_REPEAT,
                            .value = count,
                            .turn = turn,
                            .place = stage_place(s->l, e->span),
                            .nbody = body->len,
                            .body = body->data});
}

void lower_repeat(Stages *s, const Ast *e) {
  const int count = number_of(s, e->kids[0], "the number of turns", false), turn = turn_of(s, e->name);
  stages_flush(s);
  block_open(s);
  if (e->name) know_turn(s, e->name, e->name_span, turn);
  lower_block(s, e->kids[1]);
  const StageList *body = block_close(s);
  if (count >= 0) push_repeat(s, e, count, turn, body);
}

static Ast *made(Cx *cx, AstKind kind, Span at, int nkids) {
  Ast *a = ARENA_NEW(cx->a, Ast);
  *a = (Ast){.kind = kind, .span = at, .name_span = at, .nkids = nkids, .depth = 1, .links = 1};
  a->kids = ARENA_ARRAY(cx->a, Ast *, nkids + 1);
  return a;
}

static Ast *made_name(Cx *cx, const char *name, Span at) {
  Ast *a = made(cx, AST_NAME, at, 0);
  a->name = name;
  return a;
}

// One source of a `for`: how often it turns, and what the name is in a turn.
typedef struct ForSource {
  int64_t turns;
  const Ast *element;
} ForSource;

static bool source_range(Stages *s, const Ast *e, const Value *v, const char *turn, ForSource *out) {
  Cx *cx = stages_line(s);
  double low, high;
  if (!value_number(cx, &v->items[0], "where it starts", &low) ||
      !value_number(cx, &v->items[1], "where it ends", &high))
    return false;
  Ast *sum = made(cx, AST_BINARY, e->span, 2);
  sum->op = OPR_ADD;
  sum->kids[0] = e->kids[0];
  sum->kids[1] = made_name(cx, turn, e->span);
  if (ast_next_link(sum)) sum->links = ast_next_link(sum)->links + 1;
  *out = (ForSource){high > low ? (int64_t)(high - low) : 0, sum};
  return true;
}

static bool source_rows(Stages *s, const Ast *e, Value v, const char *name, int along, const char *turn,
                        ForSource *out) {
  Cx *cx = stages_line(s);
  const char *whole = arena_printf(cx->a, "each %s %d", name, s->l->store.len); // this loop's alone
  held_bind(s, whole, e->span, v);
  const Held *h = held_find(s->scope, whole);
  if (!h || h->value.kind == V_FAIL) return false;
  if (h->value.kind != V_TENSOR || h->value.node->shape.rank <= along) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a tensor that has this axis, a range, or a list",
              value_text(cx, &h->value));
    return false;
  }
  Ast *index = made(cx, AST_INDEX, e->span, along + 2);
  index->kids[0] = made_name(cx, whole, e->span);
  for (int i = 0; i < along; i++) index->kids[1 + i] = made(cx, AST_ELLIPSIS, e->span, 0);
  index->kids[1 + along] = made_name(cx, turn, e->span);
  *out = (ForSource){h->value.node->shape.dim[along], index};
  return true;
}

static bool is_thing(const Value *v) { // that no tensor holds
  return v->kind == V_DATA || v->kind == V_MODEL || v->kind == V_FN || v->kind == V_BUILTIN ||
         v->kind == V_TEXT;
}

// `for d in [a, b]` over data, models or functions, `for fold in folds(…)`: the block once for each.
static bool written_out(Stages *s, const Ast *e) {
  const Ast *list = e->kids[1]->kids[0], *name = e->kids[0]->kids[0];
  Cx *cx = stages_line(s);
  if (e->kids[0]->nkids != 1 || e->kids[1]->nkids != 1) return false;
  const bool folds = data_several(cx, list);
  if (!folds && (list->kind != AST_LIST || !list->nkids)) return false;
  const int64_t n = folds ? data_count(cx, list) : list->nkids;
  for (int i = 0; i < n && !folds; i++) {
    const Value item = line_value(s, list->kids[i]);
    if (!is_thing(&item)) return false;
  }
  stages_flush(s); // a line sees the names of the scope that it began in
  for (int i = 0; i < n; i++) {
    const Ast *one = folds ? data_index(cx, list, i) : list->kids[i];
    open_scope(s);
    lower_statements(s, with_given(s, e->kids[3], name->name, name->span, one));
    stages_flush(s);
    close_scope(s);
  }
  return true;
}

void lower_for(Stages *s, const Ast *e) {
  Cx *cx = stages_line(s);
  const Ast *names = e->kids[0], *sources = e->kids[1];
  double along = 0;
  const char *turn_name = arena_printf(cx->a, "turn of %s", names->kids[0]->name);
  if (written_out(s, e)) return;
  const int turn = turn_of(s, NULL);
  ForSource *from = ARENA_ARRAY(cx->a, ForSource, names->nkids + 1);
  bool ok = names->nkids == sources->nkids;
  if (!ok)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, sources->span, arena_printf(cx->a, "%d sources", names->nkids),
              arena_printf(cx->a, "%d", sources->nkids));
  if (e->kids[2]) {
    Value v = eval_expr(cx, s->env, e->kids[2]);
    ok = ok && value_number(cx, &v, "the axis", &along) && along >= 0;
  }
  for (int i = 0; i < names->nkids && ok; i++) {
    const Ast *source = sources->kids[i];
    Value v = line_value(s, source);
    ok = v.kind == V_RANGE ? source_range(s, source, &v, turn_name, &from[i])
                           : v.kind != V_FAIL && source_rows(s, source, v, names->kids[i]->name, (int)along,
                                                             turn_name, &from[i]);
    if (!ok || from[i].turns == from[0].turns) continue;
    diag_emit(&cx->s->diags, DIAG_loop_lengths, source->span, (long long)from[0].turns,
              (long long)from[i].turns);
    ok = false;
  }
  if (!ok) return;
  const int count =
      held_hidden(s, "turns", graph_const_typed(cx->g, (double)from[0].turns, DT_F64, (Shape){0}));
  stages_flush(s);
  block_open(s);
  know_turn(s, turn_name, e->span, turn);
  for (int i = 0; i < names->nkids; i++)
    held_bind(s, names->kids[i]->name, names->kids[i]->span, line_value(s, from[i].element));
  lower_statements(s, e->kids[3]);
  push_repeat(s, e, count, turn, block_close(s));
}

void lower_while(Stages *s, const Ast *e) {
  double most = 0;
  stages_flush(s);
  const int value = number_of(s, e->kids[0], "the condition", true);
  const int test = stages_close(s);
  if (e->kids[1]) {
    Cx *cx = stages_line(s);
    Value v = eval_expr(cx, s->env, e->kids[1]);
    if (!value_number(cx, &v, "the most turns", &most)) return;
    stages_flush(s);
  }
  block_open(s);
  lower_block(s, e->kids[2]);
  const StageList *body = block_close(s);
  if (value < 0) return;
  push_stage(s, (reg_stage){.kind = REG_STAGE_WHILE,
                            .value = value,
                            .turn = -1,
                            .test = test,
                            .most = (int64_t)most,
                            .up_to = e->num != 0,
                            .place = stage_place(s->l, e->span),
                            .nbody = body->len,
                            .body = body->data});
}

// A name that both branches bind first, to values of one kind and shape, is known behind them.
static void join_branches(Stages *s, const StageScope *a, const StageScope *b) {
  for (int i = 0; i < a->names.len; i++) {
    Held *x = a->names.entries[i].value;
    const Held *y = map_get(&b->names, x->name);
    bool same = y && x->n && x->n == y->n && x->value.kind == y->value.kind;
    for (int k = 0; k < x->n && same; k++) same = x->stored[k] == y->stored[k];
    if (same) map_put(&s->scope->names, x->name, x);
  }
}

void lower_when(Stages *s, const Ast *e) {
  const int value = number_of(s, e->kids[0], "the condition", true);
  stages_flush(s);
  const StageList none = {0}, *other = &none;
  block_open(s);
  lower_block(s, e->kids[1]);
  const StageScope *first = s->scope;
  const StageList *body = block_close(s);
  if (e->kids[2]) {
    block_open(s);
    s->scope->twin = first;
    lower_block(s, e->kids[2]);
    const StageScope *second = s->scope;
    other = block_close(s);
    join_branches(s, first, second);
  }
  if (value < 0) return;
  push_stage(s, (reg_stage){.kind = REG_STAGE_IF,
                            .value = value,
                            .turn = -1,
                            .place = stage_place(s->l, e->span),
                            .nbody = body->len,
                            .body = body->data,
                            .nelse = other->len,
                            .otherwise = other->data});
}
