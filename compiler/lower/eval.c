// Expressions. In: a tree node and the names in scope. Out: a Value; tensors become nodes of the graph under
// construction, whose origin is the expression.
#include "../base/stack.h"
#include "loop.h"
#include "model.h"
#include <math.h>
#include <string.h>

Node *cx_input(Cx *cx, const char *name, DType t, Shape s) { return graph_input(cx->g, name, t, s); }

Node *cx_port(Cx *cx, reg_slot_kind kind, int index, const char *name, DType t, Shape s) {
  return graph_port(cx->g, (Port){(int)kind, index}, name, t, s);
}

bool is_port(const Node *n, reg_slot_kind kind) {
  return n->op == OP_INPUT && n->port.kind == (int)kind && kind != REG_SLOT_SCRATCH;
}

Node *cx_step(Cx *cx) {
  if (cx->clock) return clock_result(cx, REG_RESULT_STEPS);
  return graph_cast(cx->g, cx_port(cx, REG_SLOT_STEP, 0, "step", DT_I32, (Shape){0}), DT_F64);
}

Node *truth(Cx *cx, const Value *v) { return truth_of(cx, value_wide(cx, v)); }

Node *truth_of(Cx *cx, Node *n) {
  if (!n || n->dtype == DT_BOOL) return n;
  Node *zero = graph_const_typed(cx->g, 0, n->dtype, (Shape){0});
  return graph_unary(cx->g, OP_NOT, graph_binary(cx->g, OP_EQ, n, zero));
}

static Value fail_unless(bool ok, Value v) { return ok ? v : v_fail(); }

// -- operators

static Value eval_unary(Cx *cx, Env *env, const Ast *e) {
  Value x = eval_expr(cx, env, e->kids[0]);
  if (x.kind == V_FAIL) return x;
  if (e->op == OPR_ADD || e->op == OPR_WHERE || e->op == OPR_LE) {
    const bool length = e->op == OPR_ADD, most = e->op == OPR_LE;
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span,
              length ? "a length `..+k`"
              : most ? "`<=n`"
                     : "`where`",
              length ? "outside of x[i..+k]"
              : most ? "outside of a declared shape of arguments or results"
                     : "outside of x[where c]");
    return v_fail();
  }
  return unary_op(cx, e->op == OPR_NEG ? OP_NEG : OP_NOT, &x, e->span);
}

// -- several values

bool unpacks(Cx *cx, const Ast *e, const Value *v) {
  const int n = e->kids[0]->nkids;
  if (v->kind == V_FAIL) return false;
  if ((v->kind == V_TUPLE || v->kind == V_LIST) && v->nitems == n) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[1]->span, arena_printf(cx->a, "%d values", n),
            value_text(cx, v));
  return false;
}

static Value eval_unpack(Cx *cx, Env *env, const Ast *e) {
  const Ast *names = e->kids[0];
  Value v = eval_expr(cx, env, e->kids[1]);
  const bool fits = unpacks(cx, e, &v);
  for (int i = 0; i < names->nkids; i++)
    env_set(cx, env, names->kids[i]->name, fits ? named(cx, v.items[i]) : v_fail());
  return fits ? (Value){.kind = V_NONE, .span = e->span} : v_fail();
}

static Value eval_local(Cx *cx, Env *env, const Ast *e) {
  LocalFn *f = ARENA_NEW(cx->a, LocalFn);
  *f = (LocalFn){.ast = e, .env = env, .library = cx->library, .sees = cx->sees};
  env_set(cx, env, e->name, (Value){.kind = V_LOCAL, .local = f, .span = e->span});
  return (Value){.kind = V_NONE, .span = e->span};
}

// `a until d then b`: a before step d, b from then on. Both must have their time.
static Value eval_until(Cx *cx, Env *env, const Ast *e) {
  Value t = eval_expr(cx, env, e->kids[1]);
  double at;
  Node *live = NULL;
  if (!cx->t && cx->no_times) return eval_expr(cx, env, e->kids[0]);
  if (!cx->t && !cx->clock && t.kind != V_FAIL && t.unit != UNIT_STEPS) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, "a schedule", "outside of training");
    return v_fail();
  }
  if (!value_steps(cx, &t, &at, &live)) return v_fail();
  if (cx->t && at >= (double)cx->t->total_steps) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_schedule_unreachable, e->kids[2]->span);
    diag_note(d, e->kids[1]->span,
              "the switch is at step %.10g, training ends after %lld steps (%lld epochs)", at,
              (long long)cx->t->total_steps, (long long)cx->t->epochs);
    return v_fail();
  }
  if (at <= cx->active_from) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_schedule_unreachable, e->kids[0]->span);
    diag_note(d, e->kids[1]->span, "the switch is at step %.10g, this part would start at step %.10g", at,
              cx->active_from);
    return v_fail();
  }
  Value a = eval_expr(cx, env, e->kids[0]);
  double outer = cx->active_from;
  cx->active_from = at;
  Value b = eval_expr(cx, env, e->kids[2]);
  cx->active_from = outer;
  if (!live) live = graph_const_typed(cx->g, at, DT_F64, (Shape){0});
  Node *before = graph_binary(cx->g, OP_LT, cx_step(cx), live);
  Value earlier = v_tensor(before, e->span);
  return choose(cx, &earlier, &a, &b, e->span);
}

Value eval_block(Cx *cx, Env *env, const Ast *block) {
  Value last = {.kind = V_NONE, .span = block->span};
  bool failed = false;
  for (int i = 0; i < block->nkids; i++) {
    last = eval_expr(cx, env, block->kids[i]);
    failed |= last.kind == V_FAIL;
  }
  return fail_unless(!failed, last);
}

// -- names, calls, pipes

static Value zero_args(Cx *cx, Def *d, Span at) {
  Value v = live_setting(cx, d, call_def(cx, d, NULL, 0, at, NULL, NULL));
  v.span = at;
  if (d->kind == KIND_SCHEDULE && v.kind != V_FAIL && cx->t && !d->from_library) {
    Node *n = value_node(cx, &v);
    if (n) map_put(&cx->schedules, d->name, n);
  }
  return v;
}

Def *find_def(Cx *cx, const char *name) {
  return cx->library ? sema_library(cx->l->program, name) : sema_find(cx->l->program, name);
}

static Value eval_name(Cx *cx, Env *env, const Ast *e) {
  Value *bound = env_get(env, e->name);
  if (bound) {
    Value v = *bound;
    v.span = e->span;
    return v;
  }
  Value held;
  if (held_value(cx, e->name, &held)) {
    held.span = e->span;
    return held;
  }
  Def *d = e->op ? sema_find(cx->l->program, e->name)
                 : find_def(cx, e->name); // op: of the program, though here is the library
  if (d) {
    if (d->kind == KIND_MODEL && d->ast->num != 0) {
      const Value m = model_named(cx, d, e->span);
      return m.kind == V_FAIL ? m : call_model(cx, m.model, NULL, 0, e->span);
    }
    if (d->kind == KIND_MODEL) return model_named(cx, d, e->span);
    if (d->kind == KIND_DATA && !d->ast->kids[0]) return data_definition(cx, d);
    if (is_load(cx, d) || average_call(d)) return model_named(cx, d, e->span);
    if (!d->ast->kids[0] && d->kind != KIND_OPTIMIZER && d->kind != KIND_RECIPE)
      return zero_args(cx, d, e->span);
    FnValue *fn = ARENA_NEW(cx->a, FnValue);
    fn->def = d;
    return (Value){.kind = V_FN, .fn = fn, .span = e->span};
  }
  int b = builtin_find(e->name);
  if (b >= 0 && !builtin_info[b].signature) return builtin_value(cx, (Builtin)b, e->span);
  if (b >= 0) return (Value){.kind = V_BUILTIN, .builtin = (Builtin)b, .span = e->span};
  const Ast *binds = cx->library ? NULL : map_get(&cx->l->program->stored, e->name);
  if (binds) {
    Diag *early = diag_emit(&cx->s->diags, DIAG_not_bound_yet, e->span, e->name);
    diag_note(early, binds->span, "bound here");
    if (!cx->scope) diag_hint(early, "statements act when a program runs; `regc repl` keeps their values");
    return v_fail();
  }
  Diag *diag = diag_emit(&cx->s->diags, DIAG_unknown_name, e->span, e->name);
  const char **fields = ARENA_ARRAY(cx->a, const char *, cx->data ? cx->data->nfields + 1 : 1);
  int nf = 0;
  for (; cx->data && nf < cx->data->nfields; nf++) fields[nf] = cx->data->fields[nf].name;
  for (int64_t k = 0; cx->data && cx->data->columns && k < cx->data->fields[0].width; k++)
    if (!strcmp(cx->data->columns[k], e->name)) {
      diag_hint(diag, "`%s` is a column of x: `x[.., %lld]`", e->name, (long long)k);
      return v_fail();
    }
  sema_suggest(cx->l->program, diag, e->name, PLACE_VALUE, fields, nf);
  return v_fail();
}

// `mode: evaluation` of a model's call is a word.
static bool is_mode(const Value *callee, const Ast *arg) {
  return callee->kind == V_MODEL && arg->name && !strcmp(arg->name, "mode") &&
         arg->kids[0]->kind == AST_NAME && !find_param(callee->model->def, "mode");
}

static int eval_args(Cx *cx, Env *env, const Ast *call, const Value *callee, BoundArg *args, int n) {
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    Value *v = ARENA_NEW(cx->a, Value);
    const bool open = arg->kids[0]->kind == AST_NAME && !strcmp(arg->kids[0]->name, "_");
    if (is_mode(callee, arg))
      *v = (Value){.kind = V_TEXT, .text = arg->kids[0]->name, .span = arg->kids[0]->span};
    else if (!open)
      *v = eval_expr(cx, env, arg->kids[0]);
    args[n++] = (BoundArg){arg->name, open ? NULL : v, arg->span};
  }
  return n;
}

static Value eval_call(Cx *cx, Env *env, const Ast *e, const Value *piped, const char *as) {
  const Ast *callee_ast = e->kind == AST_CALL ? e->kids[0] : e;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, e->nkids + 2);
  int n = 0;
  Value held; // `e.top_k(k: 3)`, a metric of an evaluation
  const Ast *record = callee_ast->kind == AST_FIELD && !piped ? callee_ast->kids[0] : NULL;
  if (record && record->kind == AST_NAME && !env_get(env, record->name) &&
      held_value(cx, ast_text(cx->a, e), &held)) {
    held.span = e->span;
    return held;
  }
  if (piped) {
    Value *first = ARENA_NEW(cx->a, Value);
    *first = *piped;
    args[n++] = (BoundArg){NULL, first, piped->span};
  }
  Value callee = eval_expr(cx, env, callee_ast);
  if (callee.kind == V_BUILTIN && callee.builtin == B_LOAD && !piped && e->kind == AST_CALL) {
    ModelValue *m = loaded_model(cx, ast_text(cx->a, e), e);
    return m ? (Value){.kind = V_MODEL, .model = m, .span = e->span} : v_fail();
  }
  if (callee.kind == V_BUILTIN && callee.builtin == B_CARRIED && !piped && e->kind == AST_CALL)
    return eval_carried(cx, env, e);
  const bool data = callee.kind == V_BUILTIN && callee.builtin >= B_CSV && callee.builtin != B_SPLIT;
  if (data && (callee.builtin == B_JOIN || (cx->of_data && !piped))) return eval_data(cx, env, e);
  if (callee.kind == V_BUILTIN && callee.builtin >= B_LOAD && callee.builtin != B_SPLIT)
    return call_data_builtin(cx, callee.builtin, e->span);
  if (callee.kind == V_FN && callee.fn->def && callee.fn->def->kind == KIND_DATA)
    return eval_data(cx, env, e);
  if (e->kind == AST_CALL) n = eval_args(cx, env, e, &callee, args, n);
  if (callee.kind == V_BUILTIN && callee.builtin == B_CONCAT && n && args[0].value &&
      args[0].value->kind == V_DATA)
    return eval_data(cx, env, e);
  if (callee.kind == V_FAIL) return callee;
  bool open = false;
  for (int i = 0; i < n; i++) {
    if (args[i].value && args[i].value->kind == V_FAIL) return v_fail();
    open = open || !args[i].value;
  }
  if (open) return partial_call(cx, &callee, args, n, e->span);
  return call_value(cx, env, &callee, args, n, e->span, as);
}

Value eval_instance(Cx *cx, Env *env, const Ast *e, const char *instance) {
  if (instance && e->kind == AST_PIPE) {
    const Value first = eval_expr(cx, env, e->kids[0]);
    return first.kind == V_FAIL ? first : eval_call(cx, env, e->kids[1], &first, instance);
  }
  return instance ? eval_call(cx, env, e, NULL, instance) : eval_expr(cx, env, e);
}

static Value eval_stage(Cx *cx, Env *env, const Ast *e, const Value *piped) {
  const char *as = NULL;
  const Ast *stage = e;
  if (e->kind == AST_AS) as = e->name, stage = e->kids[0];
  Value v =
      stage->kind == AST_CALL || piped ? eval_call(cx, env, stage, piped, as) : eval_expr(cx, env, stage);
  if (as) v = value_seen(cx, env, as, v);
  if (as && v.kind != V_FAIL) v = named(cx, v), env_set(cx, env, arena_printf(cx->a, "as %s", as), v);
  return v;
}

static Value eval_number(const Ast *e) {
  Value v = v_num(e->num, e->span);
  if (!e->name) return v;
  static const struct {
    const char *name;
    Unit unit;
  } units[] = {{"%", UNIT_PERCENT},
               {"epochs", UNIT_EPOCHS},
               {"epoch", UNIT_EPOCHS},
               {"steps", UNIT_STEPS},
               {"step", UNIT_STEPS}};
  for (int i = 0; i < 5; i++)
    if (!strcmp(units[i].name, e->name)) {
      v.unit = units[i].unit;
      return v;
    }
  ice("lower", "the parser let the unit `%s` pass", e->name);
}

static Value eval_list(Cx *cx, Env *env, const Ast *e, ValueKind kind) {
  Value v = {
      .kind = kind, .span = e->span, .nitems = e->nkids, .items = ARENA_ARRAY(cx->a, Value, e->nkids + 1)};
  bool ok = true;
  for (int i = 0; i < e->nkids; i++) {
    if (!e->kids[i]) {
      v.items[i] = (Value){.kind = V_NONE};
      continue;
    }
    v.items[i] = eval_expr(cx, env, e->kids[i]);
    ok &= v.items[i].kind != V_FAIL;
  }
  return fail_unless(ok, v);
}

static Value eval_assign(Cx *cx, Env *env, const Ast *e) {
  Value v = eval_expr(cx, env, e->kids[0]);
  if (v.kind == V_FAIL) return v;
  assign_state(cx, env, e, &v);
  return (Value){.kind = V_NONE, .span = e->span};
}

static Value eval_chain(Cx *cx, Env *env, const Ast *e) {
  const Ast **links = ast_links(cx->a, e);
  Value x = eval_expr(cx, env, links[e->links - 1]->kids[0]);
  for (int i = e->links - 1; i >= 0; i--) {
    cx->g->origin = links[i]->span;
    if (links[i]->kind == AST_BINARY) {
      Value y = eval_expr(cx, env, links[i]->kids[1]);
      x = binary(cx, links[i]->op, &x, &y, links[i]->span);
    } else if (x.kind == V_DATA) {
      x = eval_data(cx, env, links[i]);
    } else if (x.kind != V_FAIL) {
      x = eval_stage(cx, env, links[i]->kids[1], &x);
    }
  }
  return x;
}

// Is there room to go deeper, and to do `work` more? Told once; nothing is elaborated afterwards.
bool may_go_on(Cx *cx, Span at, int work) {
  enum { MOST_WORK = 200000 };
  cx->work += work;
  if (cx->l->gave_up || (!stack_is_deep() && cx->work <= MOST_WORK)) return !cx->l->gave_up;
  cx->l->gave_up = true;
  if (cx->work > MOST_WORK)
    diag_emit(&cx->s->diags, DIAG_too_much_work, cx->at.source ? cx->at : at, MOST_WORK);
  else
    diag_emit(&cx->s->diags, DIAG_nesting_too_deep, cx->at.source ? cx->at : at,
              "definitions call each other too deeply");
  return false;
}

static Value eval_inner(Cx *cx, Env *env, const Ast *e) {
  switch (e->kind) {
  case AST_NUM: return eval_number(e);
  case AST_STR: return (Value){.kind = V_TEXT, .text = e->name, .span = e->span};
  case AST_BOOL: return v_bool(e->num != 0, e->span);
  case AST_NAME: return eval_name(cx, env, e);
  case AST_FIELD: return model_field(cx, env, e);
  case AST_INDEX: return eval_index(cx, env, e);
  case AST_CALL: return eval_call(cx, env, e, NULL, NULL);
  case AST_UNARY: return eval_unary(cx, env, e);
  case AST_ARROW: {
    Value v = eval_list(cx, env, e, V_RANGE);
    v.num = 1; // an arrow: what goes from one to the other
    return v;
  }
  case AST_RANGE: return eval_list(cx, env, e, V_RANGE);
  case AST_LIST: return eval_list(cx, env, e, V_LIST);
  case AST_UNTIL: return eval_until(cx, env, e);
  case AST_IF: return eval_if(cx, env, e);
  case AST_BINARY:
  case AST_PIPE: return eval_chain(cx, env, e);
  case AST_AS: return eval_stage(cx, env, e, NULL);
  case AST_AT: return eval_at(cx, env, e);
  case AST_BLOCK: return eval_block(cx, env, e);
  case AST_BIND: {
    Value v = value_seen(cx, env, e->name, eval_expr(cx, env, e->kids[0]));
    env_set(cx, env, e->name, named(cx, v));
    return v.kind == V_FAIL ? v : (Value){.kind = V_NONE, .span = e->span};
  }
  case AST_ASSIGN: return eval_assign(cx, env, e);
  case AST_PARAM: return declare_param(cx, env, e);
  case AST_STATE: return e->num != 0 ? declare_carry(cx, env, e) : declare_state(cx, env, e);
  case AST_TUPLE: return eval_list(cx, env, e, V_TUPLE);
  case AST_UNPACK: return eval_unpack(cx, env, e);
  case AST_LOCAL: return eval_local(cx, env, e);
  case AST_EACH: return eval_each(cx, env, e);
  case AST_REPEAT: return eval_repeat(cx, env, e);
  case AST_FOR: return eval_for(cx, env, e);
  case AST_WHILE: return eval_while(cx, env, e);
  case AST_STACK: return eval_stack(cx, env, e);
  case AST_LEAST: return eval_least(cx, env, e);
  case AST_APPLY: return apply_optimizer(cx, env, e);
  case AST_WHERE:
  case AST_WITH:
  case AST_TABLE: return eval_data(cx, env, e);
  case AST_EXCEPT: return v_tree(select_params(cx, e), e->span);
  case AST_ERROR: return v_fail();
  default:
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, ast_kind_name(e->kind), "here");
    return v_fail();
  }
}

Value eval_expr(Cx *cx, Env *env, const Ast *e) {
  if (!may_go_on(cx, e->span, 0)) return v_fail();
  Span outer = cx->g->origin;
  cx->g->origin = e->span;
  Value v = eval_inner(cx, env, e);
  cx->g->origin = outer;
  return v;
}
