// What is done to the columns of files: one_hot, ordinal, date_parts, impute, log1p, clamp, quantile_bins,
// interactions, tokenize.
// In: the calls. Out: a step of a plan.
#include "builtins.h"
#include "source.h"
#include <string.h>

static bool columns_arg(Cx *cx, const Ast *e, reg_data_op *op) {
  return !e || data_names(cx, e, &op->named, &op->nnamed);
}

static bool missing_argument(Cx *cx, const Ast *call, const char *step, const char *argument) {
  diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, step, argument);
  return false;
}

bool order_arg(Cx *cx, const Ast *call, reg_data_op *op) {
  const Ast *e = call_arg(call, "order", -1);
  for (reg_date_order o = REG_ORDER_MDY; e && o < REG_DATE_ORDERS; o++)
    if (e->kind == AST_NAME && !strcmp(e->name, reg_date_order_names[o])) op->order = o;
  if (!e || op->order) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "mdy, dmy or ymd", ast_text(cx->a, e));
  diag_hint(d, "the order of month, day and year in dates such as 03/01/2024");
  return false;
}

static bool date_step(Cx *cx, const Ast *call, reg_data_op *op) {
  const Ast *columns = call_arg(call, "columns", 0), *parts = call_arg(call, "parts", 1);
  const char *const *names;
  int n = 0;
  op->source = REG_SOURCE_DATE;
  if (!columns || !parts) return missing_argument(cx, call, "date_parts", columns ? "parts" : "columns");
  if (!columns_arg(cx, columns, op) || !data_names(cx, parts, &names, &n) || !order_arg(cx, call, op))
    return false;
  for (int i = 0; i < n; i++) {
    int p = 0;
    while (p < REG_DATE_PARTS && strcmp(reg_date_part_names[p], names[i]) != 0) p++;
    op->date |= 1 << p;
    if (p < REG_DATE_PARTS) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, parts->span, "parts of a date",
                        arena_printf(cx->a, "`%s`", names[i]));
    diag_hint(d, "they are year, month, day, weekday, yearday, hour, minute, second and time");
    return false;
  }
  return true;
}

static bool fill_arg(Cx *cx, Env *env, const Ast *e, reg_data_op *op) {
  static const char *const words[] = {"mean", "median", "most_frequent"};
  for (int i = 0; i < 3; i++)
    if (e->kind == AST_NAME && !strcmp(e->name, words[i])) {
      op->fill = (reg_fill)i;
      return true;
    }
  op->fill = REG_FILL_VALUE;
  if (e->kind != AST_STR)
    return data_number(cx, env, e, "mean, median, most_frequent, a number or a text", &op->low);
  op->text = e->name;
  return true;
}

static bool flag_arg(Cx *cx, const Ast *e, bool *to) {
  if (e && e->kind != AST_BOOL) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "true or false", ast_text(cx->a, e));
    return false;
  }
  *to = e && e->num != 0;
  return true;
}

static bool impute_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *by = call_arg(call, "by", 0);
  op->kind = REG_DATA_IMPUTE;
  if (!by) return missing_argument(cx, call, "impute", "by");
  return fill_arg(cx, env, by, op) && columns_arg(cx, call_arg(call, "columns", -1), op) &&
         flag_arg(cx, call_arg(call, "flag", -1), &op->flag);
}

static bool clamp_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *low = call_arg(call, "low", 1), *high = call_arg(call, "high", 2);
  op->curve = REG_CURVE_CLAMP;
  if (!low || !high) return missing_argument(cx, call, "clamp", low ? "high" : "low");
  if (!columns_arg(cx, call_arg(call, "x", 0), op) || !data_number(cx, env, low, "the lowest", &op->low) ||
      !data_number(cx, env, high, "the highest", &op->high))
    return false;
  if (op->low < op->high) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, call->span, "a lowest number below the highest",
            ast_text(cx->a, call));
  return false;
}

static bool bins_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *n = call_arg(call, "n", 0);
  op->curve = REG_CURVE_BINS;
  if (!n) return missing_argument(cx, call, "quantile_bins", "n");
  Value v = eval_expr(cx, env, n);
  v.span = n->span;
  return known_int(cx, &v, "a number of bins", 2, 1 << 16, &op->bins) &&
         columns_arg(cx, call_arg(call, "columns", 1), op);
}

// What of the rows before: `by: max`.
static bool rolling_arg(Cx *cx, const Ast *e, reg_data_op *op) {
  static const char *const words[] = {"mean", "min", "max"};
  op->lag = REG_LAG_MEAN;
  for (int i = 0; i < 3 && e; i++)
    if (e->kind == AST_NAME && !strcmp(e->name, words[i])) {
      op->lag = (reg_lag_kind)(REG_LAG_MEAN + i);
      return true;
    }
  if (e) diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "mean, min or max", ast_text(cx->a, e));
  return !e;
}

static bool lag_step(Cx *cx, Env *env, int step, const Ast *call, reg_data_op *op) {
  const bool difference = step == B_DIFFERENCE;
  const Ast *k = difference ? NULL : call_arg(call, "k", 0),
            *columns = call_arg(call, "columns", difference ? 0 : 1), *group = call_arg(call, "group", -1);
  op->kind = REG_DATA_LAG;
  op->lags = 1;
  if (difference) op->lag = REG_LAG_DIFFERENCE;
  if (!columns || (!difference && !k))
    return missing_argument(cx, call, builtin_info[step].name, columns ? "k" : "columns");
  if (group && !data_names(cx, group, &op->by, &op->nby)) return false;
  if (step == B_ROLLING && !rolling_arg(cx, call_arg(call, "by", -1), op)) return false;
  if (!columns_arg(cx, columns, op) || difference) return difference && op->nnamed;
  Value v = eval_expr(cx, env, k);
  v.span = k->span;
  return known_int(cx, &v, "a number of rows", 1, 10000, &op->lags);
}

static bool interactions_step(Cx *cx, const Ast *call, reg_data_op *op) {
  const Ast *by = call_arg(call, "by", 1);
  op->kind = REG_DATA_INTERACT;
  return columns_arg(cx, call_arg(call, "columns", 0), op) &&
         (!by || data_names(cx, by, &op->by, &op->nby)) &&
         flag_arg(cx, call_arg(call, "squares", -1), &op->flag);
}

// What becomes of a text that the training part lacks.
static bool unseen_arg(Cx *cx, const Ast *e, reg_data_op *op) {
  op->flag = e && e->kind == AST_NAME && !strcmp(e->name, "zeros");
  if (!e || op->flag) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "zeros", ast_text(cx->a, e));
  return false;
}

static bool tokenize_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *column = call_arg(call, "columns", 0);
  op->kind = REG_DATA_TOKENIZE;
  if (!column) return missing_argument(cx, call, "tokenize", "columns");
  if (column->kind == AST_LIST) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, column->span, "the name of a column", "a list");
    diag_hint(d, "each has a step of its own: |> tokenize(title, 10) |> tokenize(review, 40)");
    return false;
  }
  if (!field_arg(cx, column, op) || !tokens_args(cx, env, call, op) ||
      !number_arg(cx, env, call, "places", 1, "a number of places", &op->window))
    return false;
  return op->window > 0 || missing_argument(cx, call, "tokenize", "places");
}

bool prepares(int builtin) {
  switch (builtin) {
  case B_ONE_HOT:
  case B_ORDINAL:
  case B_DATE_PARTS:
  case B_IMPUTE:
  case B_LAG:
  case B_DIFFERENCE:
  case B_ROLLING:
  case B_INTERACTIONS:
  case B_TOKENIZE:
  case B_DROP_MISSING:
  case B_LOG1P:
  case B_CLAMP:
  case B_QUANTILE_BINS: return true;
  default: return false;
  }
}

bool prepare_step(Cx *cx, Env *env, int builtin, const Ast *call, reg_data_op *op) {
  const bool curve = builtin == B_LOG1P || builtin == B_CLAMP || builtin == B_QUANTILE_BINS;
  op->kind = curve ? REG_DATA_CURVE : REG_DATA_ENCODE;
  if (builtin == B_DATE_PARTS) return date_step(cx, call, op);
  if (builtin == B_IMPUTE) return impute_step(cx, env, call, op);
  if (builtin == B_LAG || builtin == B_DIFFERENCE || builtin == B_ROLLING)
    return lag_step(cx, env, builtin, call, op);
  if (builtin == B_INTERACTIONS) return interactions_step(cx, call->kind == AST_CALL ? call : NULL, op);
  if (builtin == B_TOKENIZE) return tokenize_step(cx, env, call, op);
  if (builtin == B_CLAMP) return clamp_step(cx, env, call, op);
  if (builtin == B_QUANTILE_BINS) return bins_step(cx, env, call, op);
  if (builtin == B_DROP_MISSING) op->kind = REG_DATA_DROP_MISSING;
  if (builtin == B_LOG1P) op->curve = REG_CURVE_LOG1P;
  if (builtin == B_ONE_HOT) op->source = REG_SOURCE_ONE_HOT;
  if (builtin == B_ORDINAL) op->source = REG_SOURCE_ORDINAL;
  if (builtin == B_ONE_HOT && call->kind == AST_CALL && !unseen_arg(cx, call_arg(call, "unseen", -1), op))
    return false;
  const char *argument = builtin == B_ONE_HOT ? "y" : builtin == B_LOG1P ? "x" : "columns";
  return call->kind != AST_CALL || columns_arg(cx, call_arg(call, argument, 0), op);
}
