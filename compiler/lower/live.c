// Live numbers: known while the program is elaborated, and read again when it runs, so that a standalone
// binary can be given other ones (`--set`, `--epochs`). Numbers of `let` definitions and the number of
// planned steps are such; what is computed from them stays live. Where one decides what the graph looks like
// (a size, a branch, how often something is repeated) it is compiled in, and that is noted.
#include "value.h"
#include <math.h>
#include <string.h>

static const char *const prefix = "set:", *const total_name = "total";

// Graphs that are looked at between trainings know the numbers as they are now.
Node *cx_total(Cx *cx) {
  return cx->view ? graph_const(cx->g, (double)cx->t->total_steps, (Shape){0})
                  : cx_input(cx, total_name, DT_F32, (Shape){0});
}

static LowerSetting *setting(const Lowered *l, const char *name) {
  for (int i = 0; i < l->settings.len; i++)
    if (!strcmp(l->settings.data[i]->name, name)) return l->settings.data[i];
  return NULL;
}

// `let NAME = 1e-3`, `-2` or `10%`; what follows other numbers is no setting of its own.
static bool is_number(const Def *d, double *value) {
  const Ast *body = d->ast->kids[2];
  const bool minus = body->kind == AST_UNARY && body->op == OPR_NEG;
  if (minus) body = body->kids[0];
  if (d->kind != KIND_LET || d->from_library || d->ast->kids[0] || body->kind != AST_NUM) return false;
  const bool percent = body->name && !strcmp(body->name, "%");
  *value = (minus ? -body->num : body->num) / (percent ? 100 : 1);
  return percent || !body->name;
}

void live_settings(Lowered *l) {
  Arena *a = l->session->arena;
  for (int i = 0; i < l->program->defs.len; i++) {
    const Def *d = l->program->defs.entries[i].value;
    double value;
    if (!is_number(d, &value)) continue;
    LowerSetting *s = ARENA_NEW(a, LowerSetting);
    *s = (LowerSetting){.name = d->name, .value = value, .low = -INFINITY, .high = INFINITY};
    vec_push(a, l->settings, s);
  }
}

Value live_setting(Cx *cx, const Def *d, Value v) {
  if (v.kind == V_NUM && cx->t && !cx->view && setting(cx->l, d->name))
    v.live = cx_input(cx, arena_printf(cx->a, "%s%s", prefix, d->name), DT_F32, (Shape){0});
  return v;
}

void live_range(Cx *cx, const Value *v, double low, double high) {
  if (!v->live || v->live->op != OP_INPUT || strncmp(v->live->name, prefix, strlen(prefix)) != 0) return;
  LowerSetting *s = setting(cx->l, v->live->name + strlen(prefix));
  s->low = fmax(s->low, low);
  s->high = fmin(s->high, high);
}

void live_fix(Cx *cx, const Value *v) {
  for (int i = 0; v->live && i < cx->g->inputs.len; i++) {
    const Node *in = cx->g->inputs.data[i];
    const bool total = !strcmp(in->name, total_name);
    if ((!total && strncmp(in->name, prefix, strlen(prefix)) != 0) || !graph_depends(cx->g, v->live, in))
      continue;
    Span *fixed = total ? &cx->t->total_fixed : &setting(cx->l, in->name + strlen(prefix))->fixed;
    if (!fixed->source) *fixed = v->span.source ? v->span : cx->at;
  }
}

double live_default(const Cx *cx, const char *input) {
  if (!strcmp(input, total_name)) return cx->t ? (double)cx->t->total_steps : 1;
  const LowerSetting *s =
      strncmp(input, prefix, strlen(prefix)) ? NULL : setting(cx->l, input + strlen(prefix));
  return s ? s->value : NAN;
}

Node *live_node(Cx *cx, const Value *v) {
  if (v->live) return v->live;
  return graph_const(cx->g, v->unit > UNIT_PERCENT ? v->num : plain_number(v), (Shape){0});
}

Value live_binary(Cx *cx, Value folded, Op op, const Value *x, const Value *y) {
  if (x->live || y->live) folded.live = graph_binary(cx->g, op, live_node(cx, x), live_node(cx, y));
  return folded;
}

Value live_unary(Cx *cx, Value folded, Op op, const Value *x) {
  if (x->live) folded.live = graph_unary(cx->g, op, x->live);
  return folded;
}
