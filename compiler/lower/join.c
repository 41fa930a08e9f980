// Two tables side by side: join(d, other, key). In: the call. Out: a step of a plan.
#include "builtins.h"
#include "source.h"
#include <string.h>

// A field by which rows are found; NULL after a report.
static const char *key_of(Cx *cx, const Ast *e, int set) {
  const reg_dataset *d = cx->l->datasets.data[set];
  const char *name = data_name(cx, e), *of = cx->l->dataset_names.data[set];
  if (!name || reg_data_field(d, name) >= 0) return name;
  Diag *diag = diag_emit(&cx->s->diags, DIAG_unknown_field, e->span, arena_printf(cx->a, "`%s`", of), name);
  bool column = false;
  for (int64_t i = 0; i < d->fields[0].width && d->columns; i++) column |= !strcmp(d->columns[i], name);
  const char **names = ARENA_ARRAY(cx->a, const char *, d->nfields);
  for (int i = 0; i < d->nfields; i++) names[i] = d->fields[i].name;
  const char *near = nearest_name(name, names, d->nfields);
  if (column)
    diag_hint(diag, "it is a column of x: `csv(..., group: %s)` makes it a field of its own", name);
  else if (near)
    diag_hint(diag, "did you mean `%s`?", near);
  return NULL;
}

// `missing: drop`, `missing: 0`
static bool missing_arg(Cx *cx, Env *env, const Ast *e, reg_data_op *op) {
  if (!e) return true;
  op->missing = REG_JOIN_DROP;
  if (e->kind == AST_NAME && !strcmp(e->name, "drop")) return true;
  op->missing = REG_JOIN_FILL;
  return data_number(cx, env, e, "`drop`, or a number", &op->low);
}

bool join_step(Cx *cx, Env *env, const Ast *call, int first, int set, reg_data_op *op) {
  const Ast *other = call_arg(call, "other", first), *key = call_arg(call, "key", first + 1),
            *their = call_arg(call, "their", -1);
  if (!other || !key) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "join", other ? "key" : "other");
    diag_hint(d, "join(sales, shops, shop): each row of `sales` beside that of `shops` with the same `shop`");
    return false;
  }
  const Value v = eval_data(cx, env, other);
  if (v.kind != V_DATA) return false;
  if (v.data->part) {
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_wrong_kind, other->span, "all rows of a table", data_label(cx, v.data));
    diag_hint(d, "rows are looked up in the whole table, however it is divided: `%s`", v.data->name);
    return false;
  }
  *op = (reg_data_op){.kind = REG_DATA_JOIN, .from = v.data->dataset, .text = v.data->name};
  op->target = key_of(cx, key, set);
  op->field = op->target ? key_of(cx, their ? their : key, op->from) : NULL;
  return op->field && missing_arg(cx, env, call_arg(call, "missing", -1), op);
}
