// Data expressions: csv(…) |> scale(…) |> split(…) becomes a plan; the host loads it once.
#include "value.h"
#include <math.h>
#include <string.h>

typedef VEC(reg_data_op) OpList;

const Ast *call_arg(const Ast *call, const char *name, int position) {
  int at = 0;
  for (int i = 1; call && i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    if (arg->name ? !strcmp(arg->name, name) : at == position) return arg->kids[0];
    at += !arg->name;
  }
  return NULL;
}

static const char *text_or_name(Cx *cx, const Ast *e) {
  if (e->kind == AST_NAME || e->kind == AST_STR) return e->name;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "the name of a column", ast_kind_name(e->kind));
  return NULL;
}

const char *program_file(Cx *cx, Span at, const char *path) {
  const Source *source = source_get(&cx->s->sources, at.source);
  const char *from = cx->l->program->path && *cx->l->program->path && source ? source->name : NULL;
  const char *slash = from ? strrchr(from, '/') : NULL;
  if (path[0] == '/' || !slash) return path;
  return arena_printf(cx->a, "%.*s/%s", (int)(slash - from), from, path);
}

static bool csv_op(Cx *cx, const Ast *call, reg_data_op *op) {
  const Ast *path = call_arg(call, "path", 0), *target = call_arg(call, "target", 1);
  op->kind = REG_DATA_CSV;
  if (!path || path->kind != AST_STR) {
    diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "csv", "path");
    return false;
  }
  op->path = program_file(cx, path->span, path->name);
  op->target = target ? text_or_name(cx, target) : NULL;
  return !target || op->target;
}

static bool number_arg(Cx *cx, Env *env, const Ast *e, const char *what, double *out) {
  Value v = eval_expr(cx, env, e);
  return value_number(cx, &v, what, out);
}

static bool split_op(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  static const char *const parts[] = {"train", "valid", "test"};
  op->kind = REG_DATA_SPLIT;
  double total = 0;
  for (int i = 0; i < 3; i++) {
    const Ast *e = call_arg(call, parts[i], i);
    if (!e) continue;
    double share;
    if (!number_arg(cx, env, e, "a share of the data", &share)) return false;
    op->part_names[op->nparts] = parts[i];
    op->fractions[op->nparts++] = share;
    total += share;
  }
  if (fabs(total - 1) > 1e-9) {
    diag_emit(&cx->s->diags, DIAG_split_bad, call->span,
              arena_printf(cx->a, "the shares of the parts add up to %.10g%%, not to 100%%", total * 100));
    return false;
  }
  const Ast *stratify = call_arg(call, "stratify", 3), *seed = call_arg(call, "seed", 4);
  if (stratify && !(op->stratify = text_or_name(cx, stratify))) return false;
  double s = 0;
  if (seed && !number_arg(cx, env, seed, "a seed", &s)) return false;
  op->seed = (uint64_t)s;
  return true;
}

static bool stage_op(Cx *cx, Env *env, const Ast *stage, OpList *ops) {
  const Ast *callee = stage->kind == AST_CALL ? stage->kids[0] : stage;
  int b = callee->kind == AST_NAME ? builtin_find(callee->name) : -1;
  reg_data_op op = {0};
  bool ok = true;
  if (b == B_CSV && ops->len == 0) {
    ok = csv_op(cx, stage, &op);
  } else if (b == B_SCALE) {
    const Ast *factor = call_arg(stage, "factor", 0);
    op.kind = REG_DATA_SCALE;
    if (!factor) diag_emit(&cx->s->diags, DIAG_missing_argument, stage->span, "scale", "factor");
    ok = factor && number_arg(cx, env, factor, "a factor", &op.factor);
  } else if (b == B_STANDARDIZE) {
    op.kind = REG_DATA_STANDARDIZE;
  } else if (b == B_SPLIT) {
    ok = split_op(cx, env, stage, &op);
  } else {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, stage->span,
              ops->len ? "scale, standardize or split" : "a source of data such as csv(…)",
              ast_text(cx->a, stage));
    return false;
  }
  vec_push(cx->a, *ops, op);
  return ok;
}

static bool plan_of(Cx *cx, Env *env, const Ast *e, OpList *ops) {
  if (e->kind == AST_PIPE) return plan_of(cx, env, e->kids[0], ops) && stage_op(cx, env, e->kids[1], ops);
  if (e->kind == AST_NAME && !ops->len) { // another data definition, carried on
    Def *d = sema_find(cx->l->program, e->name);
    if (d && d->kind == KIND_DATA) return plan_of(cx, env, d->ast->kids[2], ops);
  }
  return stage_op(cx, env, e, ops);
}

// Where in the program the culprit of a failed load is: the stage that asked for it.
static void report_load(Cx *cx, Def *d, const reg_status *st) {
  int id = diag_find(st->name);
  if (id < 0) id = DIAG_data_bad;
  const Ast *body = d->ast->kids[2];
  Diag *diag;
  if (id == DIAG_data_missing)
    diag = diag_emit(&cx->s->diags, DIAG_data_bad, body->span, st->text);
  else if (id == DIAG_target_missing)
    diag = diag_emit(&cx->s->diags, DIAG_data_bad, body->span, st->text);
  else
    diag = diag_emit(&cx->s->diags, (DiagId)id, body->span, st->text);
  if (id == DIAG_data_missing || id == DIAG_target_missing) diag->id = (DiagId)id;
  if (st->hint[0]) diag_hint(diag, "%s", st->hint);
}

Value data_definition(Cx *cx, Def *d) {
  Lowered *l = cx->l;
  DataValue *v = ARENA_NEW(cx->a, DataValue);
  v->name = d->name;
  for (v->dataset = 0; v->dataset < l->dataset_names.len; v->dataset++)
    if (!strcmp(l->dataset_names.data[v->dataset], d->name))
      return l->datasets.data[v->dataset] ? (Value){.kind = V_DATA, .data = v} : v_fail();
  OpList ops = {0};
  Env *env = env_new(cx, NULL, "", d->name);
  reg_dataset *set = NULL;
  reg_data_plan plan = {0};
  if (plan_of(cx, env, d->ast->kids[2], &ops)) {
    reg_status st = {0};
    const char *path = l->host.data_path ? l->host.data_path(l->host.user, d->name) : NULL;
    if (path) ops.data[0].path = path;
    plan = (reg_data_plan){ops.len, ops.data};
    set = l->host.load(l->host.user, &plan, &st);
    if (!set) {
      report_load(cx, d, &st);
      l->exit_code = st.code;
    }
  }
  vec_push(cx->a, l->datasets, set);
  vec_push(cx->a, l->dataset_names, d->name);
  vec_push(cx->a, l->plans, plan);
  return set ? (Value){.kind = V_DATA, .data = v} : v_fail();
}

// `digits`, `digits.test`
Value eval_data(Cx *cx, Env *env, const Ast *e) {
  const Ast *root = e->kind == AST_FIELD ? e->kids[0] : e;
  Value v = root->kind == AST_NAME ? eval_expr(cx, env, root) : v_fail();
  if (root->kind != AST_NAME || (v.kind != V_DATA && v.kind != V_FAIL)) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "data",
              root->kind == AST_NAME ? value_text(cx, &v) : ast_kind_name(e->kind));
    return v_fail();
  }
  if (v.kind == V_FAIL || e->kind != AST_FIELD) return v;
  const reg_dataset *set = cx->l->datasets.data[v.data->dataset];
  for (int i = 0; i < set->nparts; i++) {
    if (strcmp(set->parts[i].name, e->name)) continue;
    DataValue *part = ARENA_NEW(cx->a, DataValue);
    *part = *v.data;
    part->part = set->parts[i].name;
    return (Value){.kind = V_DATA, .data = part, .span = e->span};
  }
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_field, e->span, arena_printf(cx->a, "`%s`", v.data->name),
                      e->name);
  const char *names[8];
  int n = 0;
  for (; n < set->nparts && n < 8; n++) names[n] = set->parts[n].name;
  const char *near = nearest_name(e->name, names, n);
  if (near)
    diag_hint(d, "did you mean `%s.%s`?", v.data->name, near);
  else
    diag_hint(d, "its parts are made by split(…)");
  return v_fail();
}

Value data_field(Cx *cx, Env *env, const Ast *e) {
  const Ast *of = e->kids[0];
  if (of->kind != AST_NAME && (of->kind != AST_FIELD || of->kids[0]->kind != AST_NAME))
    return eval_data(cx, env, e);
  Value v = eval_data(cx, env, of);
  if (v.kind != V_DATA) return v;
  const reg_dataset *set = cx->l->datasets.data[v.data->dataset];
  for (int i = 0; i < set->nparts && !v.data->part; i++)
    if (!strcmp(set->parts[i].name, e->name)) return eval_data(cx, env, e);
  const char **names = ARENA_ARRAY(cx->a, const char *, set->nfields + 1);
  for (int i = 0; i < set->nfields; i++) {
    if (!strcmp(set->fields[i].name, e->name))
      return (Value){.kind = V_FIELD, .field = i, .data = v.data, .span = e->span};
    names[i] = set->fields[i].name;
  }
  if (!v.data->part) return eval_data(cx, env, e); // reports it, with the names of parts
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_field, e->span,
                      arena_printf(cx->a, "`%s.%s`", v.data->name, v.data->part), e->name);
  const char *near = nearest_name(e->name, names, set->nfields);
  if (near) diag_hint(d, "did you mean `%s.%s.%s`?", v.data->name, v.data->part, near);
  return v_fail();
}

Value call_data_builtin(Cx *cx, Builtin b, Span at) {
  diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, arena_printf(cx->a, "`%s`", builtin_info[b].name),
            b == B_LOAD ? "but as the whole value of a `let`" : "outside of a `data` definition");
  return v_fail();
}
