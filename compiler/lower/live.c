// Live numbers: known while the program is elaborated, and read again when it runs, so that a standalone
// binary can be given other ones (`--set`, `--epochs`). Numbers of `let` definitions and the number of
// planned steps are such; what is computed from them stays live. Where one decides what the graph looks like
// (a size, a branch, how often something is repeated) it is compiled in, and that is noted. A schedule can be
// given a number in its place: its setting is minus infinity for as long as it has none.
#include "made.h"
#include "value.h"
#include <math.h>
#include <string.h>

// Graphs that are looked at between trainings know the numbers as they are now.
Node *cx_total(Cx *cx) {
  if (cx->clock) {
    cx->clock->total_fixed = cx->at;
    return graph_const_typed(cx->g, (double)cx->clock->total_steps, DT_F64, (Shape){0});
  }
  return cx->view ? graph_const_typed(cx->g, (double)cx->t->total_steps, DT_F64, (Shape){0})
                  : cx_port(cx, REG_SLOT_TOTAL, 0, "total", DT_F64, (Shape){0});
}

static int setting_index(const Lowered *l, const char *name) {
  for (int i = 0; i < l->settings.len; i++)
    if (!strcmp(l->settings.data[i]->name, name)) return i;
  return -1;
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

static bool is_schedule(const Def *d) {
  return d->kind == KIND_SCHEDULE && !d->from_library && !d->ast->kids[0];
}

void live_settings(Lowered *l) {
  Arena *a = l->session->arena;
  for (int i = 0; i < l->program->defs.len; i++) {
    const Def *d = l->program->defs.entries[i].value;
    double value = -INFINITY;
    if (d->own || (!is_number(d, &value) && !is_schedule(d))) continue;
    LowerSetting *s = ARENA_NEW(a, LowerSetting);
    *s = (LowerSetting){.name = d->name, .value = value, .low = -INFINITY, .high = INFINITY};
    vec_push(a, l->settings, s);
  }
}

// The schedule's value, or the number that was set in its place.
static Node *chosen(Cx *cx, Node *scheduled, Node *set) {
  Node *unset = graph_binary(cx->g, OP_LT, set, graph_const_typed(cx->g, -3e38, DT_F64, (Shape){0}));
  return graph_select(cx->g, unset, scheduled, graph_cast(cx->g, set, scheduled->dtype));
}

Value live_setting(Cx *cx, const Def *d, Value v) {
  const bool number = v.kind == V_NUM && v.unit <= UNIT_PERCENT;
  const bool scalar = v.kind == V_TENSOR && v.node->shape.rank == 0 && dtype_is_float(v.node->dtype);
  const int index = setting_index(cx->l, d->name);
  Span *fixed = cx->of_data && index >= 0 ? &cx->l->settings.data[index]->fixed : NULL;
  if (fixed && !fixed->source) *fixed = cx->g->origin;
  if (d->kind == KIND_LET && !d->from_library) made_reads(cx->l, d->name);
  if (!(number || scalar) || !cx->t || cx->view || index < 0) return v;
  Node *set =
      cx_port(cx, REG_SLOT_SETTING, index, arena_printf(cx->a, "set:%s", d->name), DT_F64, (Shape){0});
  if (d->kind == KIND_LET && number) v.live = set;
  if (d->kind == KIND_SCHEDULE && number) v.live = chosen(cx, live_node(cx, &v), set);
  if (d->kind == KIND_SCHEDULE && scalar) v.node = chosen(cx, v.node, set);
  return v;
}

// The input that a node is, or that it chooses.
static const Node *input_of(Node *n) {
  n = bare(n);
  if (n && n->op == OP_SELECT) n = bare(n->in[2]);
  return n && n->op == OP_CAST ? n->in[0] : n;
}

// The axis of a sweep whose number an input is; else NULL.
static LowerAxis *axis_of(const Cx *cx, const Node *n) {
  return is_port(n, REG_SLOT_STORE) ? cx->l->store.data[n->port.index].axis : NULL;
}

void live_range(Cx *cx, const Value *v, double low, double high) {
  const Node *in = input_of(v->kind == V_TENSOR ? v->node : v->live);
  LowerSetting *s = in && is_port(in, REG_SLOT_SETTING) ? cx->l->settings.data[in->port.index] : NULL;
  LowerAxis *axis = in ? axis_of(cx, in) : NULL;
  if (s) s->low = fmax(s->low, low), s->high = fmin(s->high, high);
  if (axis) axis->low = fmax(axis->low, low), axis->high = fmin(axis->high, high);
}

void live_swept(Cx *cx, LowerAxis *axis, Value *v) {
  axis->read = true;
  if (cx->of_data && !axis->fixed.source) axis->fixed = cx->g->origin;
  if (!cx->of_data)
    v->live = cx_port(cx, REG_SLOT_STORE, axis->stored, arena_printf(cx->a, "store:%s", axis->name), DT_F64,
                      (Shape){0});
}

void live_fix(Cx *cx, const Value *v) {
  for (int i = 0; v->live && i < cx->g->inputs.len; i++) {
    const Node *in = cx->g->inputs.data[i];
    const bool total = is_port(in, REG_SLOT_TOTAL);
    LowerAxis *axis = axis_of(cx, in);
    if ((!total && !axis && !is_port(in, REG_SLOT_SETTING)) || !graph_depends(cx->g, v->live, in)) continue;
    Span *fixed = total  ? &cx->t->total_fixed
                  : axis ? &axis->fixed
                         : &cx->l->settings.data[in->port.index]->fixed;
    if (!fixed->source) *fixed = v->span.source ? v->span : cx->at;
  }
}

double live_default(const Cx *cx, const Node *input) {
  if (is_port(input, REG_SLOT_TOTAL)) return cx->t ? (double)cx->t->total_steps : 1;
  const LowerAxis *axis = axis_of(cx, input);
  if (axis) return held_number(cx, axis);
  return is_port(input, REG_SLOT_SETTING) ? cx->l->settings.data[input->port.index]->value : NAN;
}

Node *live_node(Cx *cx, const Value *v) {
  if (v->live) return v->live;
  return graph_const_typed(cx->g, v->unit > UNIT_PERCENT ? v->num : plain_number(v), DT_F64, (Shape){0});
}
