// Data expressions: csv(…) |> scale(…) |> split(…) with test = csv(…) becomes a plan; the host loads it
// once.
#include "../base/words.h"
#include "builtins.h"
#include "made.h"
#include "source.h"
#include "train.h"
#include <string.h>

typedef VEC(reg_data_op) OpList;

// What is done to all rows, of a source, or of data that are there: `base` is their index, else -1.
typedef struct Chain {
  int base;
  OpList ops;
  OpList file;         // what makes `base` of a file, where nothing else does
  const char *library; // the library's data that it starts from; NULL: none
} Chain;

const Ast *call_arg(const Ast *call, const char *name, int position) {
  int at = 0;
  for (int i = 1; call && i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    if (arg->name ? !strcmp(arg->name, name) : at == position) return arg->kids[0];
    at += !arg->name;
  }
  return NULL;
}

static const Ast *callee_of(const Ast *stage) { return stage->kind == AST_CALL ? stage->kids[0] : stage; }

static int data_builtin(const Ast *stage) {
  const Ast *callee = callee_of(stage);
  return callee->kind == AST_NAME ? builtin_find(callee->name) : -1;
}

static const char *learning(const reg_data_op *op) {
  switch (op->kind) {
  case REG_DATA_STANDARDIZE: return "standardize";
  case REG_DATA_MIN_MAX: return "min_max";
  case REG_DATA_IMPUTE: return op->fill == REG_FILL_VALUE ? NULL : "impute";
  case REG_DATA_CURVE: return op->curve == REG_CURVE_BINS ? "quantile_bins" : NULL;
  case REG_DATA_TEXT: return op->words ? "words" : op->merges ? "merges" : NULL;
  case REG_DATA_TOKENIZE: return "tokenize";
  default: return NULL;
  }
}

// The step that has learned from rows that are not yet divided; NULL: none.
static const char *learned_from_all(const Lowered *l, int set) {
  const reg_data_plan *plan = &l->plans.data[set];
  const char *step;
  if (!part_named(l->datasets.data[set], "all")) return NULL;
  for (int i = 0; i < plan->nops; i++) {
    const reg_data_op *op = &plan->ops[i];
    if ((step = learning(op))) return step;
    if ((op->kind == REG_DATA_FROM || op->kind == REG_DATA_ROWS) && (step = learned_from_all(l, op->from)))
      return step;
  }
  return NULL;
}

static bool may_divide(Cx *cx, const Chain *c, Span at) {
  const char *step = c->base < 0 ? NULL : learned_from_all(cx->l, c->base);
  if (!step) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_split_bad, at,
                      arena_printf(cx->a, "`%s` has learned from all rows before they are divided", step));
  diag_hint(d, "put `split` before what is computed of the columns, or `%s` behind it", step);
  return false;
}

static bool undivided(Cx *cx, const DataValue *v, Span at) {
  if (part_named(cx->l->datasets.data[v->dataset], "all")) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "data that is not divided", "data in parts");
  diag_hint(d, "`folds(%s.train, …)` divides its training part", v->name);
  return false;
}

static bool of_text(const Cx *cx, const Chain *c) {
  if (c->base < 0) return c->ops.len && c->ops.data[0].kind == REG_DATA_TEXT;
  return cx->l->datasets.data[c->base]->fields[0].dtype == REG_I32;
}

// Columns of files are prepared where the file is read: before anything is computed of them.
static bool prepared(Cx *cx, Env *env, int b, const Ast *stage, Chain *c) {
  reg_data_op op = {0};
  if (c->base >= 0 && c->file.len) { // a fold: the file is read again
    OpList ops = c->file;
    for (int i = 0; i < c->ops.len; i++) vec_push(cx->a, ops, c->ops.data[i]);
    *c = (Chain){.base = -1, .ops = ops, .library = c->library};
  }
  if (c->base >= 0 || c->ops.data[0].kind != REG_DATA_CSV) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, stage->span,
                        arena_printf(cx->a, "`%s`", builtin_info[b].name),
                        c->base >= 0 ? "where data are computed" : "of data that are no CSV file");
    diag_hint(d, "it is for the columns of a CSV file: csv(…) |> %s", ast_text(cx->a, stage));
    return false;
  }
  if (!prepare_step(cx, env, b, stage, &op)) return false;
  const bool of_numbers = op.kind == REG_DATA_CURVE || op.kind == REG_DATA_INTERACT;
  for (int i = 0; i < c->ops.len && of_numbers; i++) {
    const reg_data_kind kind = c->ops.data[i].kind;
    if (kind != REG_DATA_SCALE && kind != REG_DATA_STANDARDIZE && kind != REG_DATA_MIN_MAX) continue;
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, stage->span,
              arena_printf(cx->a, "`%s`", builtin_info[b].name), "behind what scales x: put it before");
    return false;
  }
  vec_push(cx->a, c->ops, op);
  return true;
}

// Is a column standardized by both?
static bool both_standardize(const reg_data_op *a, const reg_data_op *b) {
  if (a->kind != REG_DATA_STANDARDIZE) return false;
  for (int i = 0; i < a->nnamed; i++)
    for (int k = 0; k < b->nnamed; k++)
      if (!strcmp(a->named[i], b->named[k])) return true;
  return !a->nnamed || !b->nnamed;
}

// `standardize(COLUMNS)`, `min_max(COLUMNS)`; without names of all.
static bool scaling_step(Cx *cx, const Ast *stage, reg_data_kind kind, reg_data_op *op) {
  const Ast *columns = call_arg(stage->kind == AST_CALL ? stage : NULL, "columns", 0);
  op->kind = kind;
  return !columns || data_names(cx, columns, &op->named, &op->nnamed);
}

static bool stage_op(Cx *cx, Env *env, const Ast *stage, Chain *c) {
  const int b = data_builtin(stage);
  const bool source = c->base >= 0 || c->ops.len;
  reg_data_op op = {0};
  bool ok = true;
  if (source && prepares(b)) return prepared(cx, env, b, stage, c);
  if (b == B_CSV && !source) {
    ok = csv_source(cx, env, stage, NULL, &op);
  } else if (b == B_TEXT && !source) {
    ok = text_source(cx, env, stage, &op);
  } else if (b == B_IDX && !source) {
    ok = idx_source(cx, stage, &op);
  } else if ((b == B_NPY || b == B_NPZ) && !source) {
    ok = npy_source(cx, stage, b == B_NPZ, NULL, &op);
  } else if (b == B_IMAGES && !source) {
    ok = images_source(cx, env, stage, NULL, &op);
  } else if ((b == B_SCALE || b == B_STANDARDIZE || b == B_MIN_MAX) && of_text(cx, c)) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, stage->span,
              arena_printf(cx->a, "`%s`", builtin_info[b].name),
              "of a text, whose characters are no numbers");
    return false;
  } else if (b == B_SCALE && source) {
    const Ast *factor = call_arg(stage, "factor", 0);
    op.kind = REG_DATA_SCALE;
    if (!factor) diag_emit(&cx->s->diags, DIAG_missing_argument, stage->span, "scale", "factor");
    ok = factor && data_number(cx, env, factor, "a factor", &op.factor);
  } else if (b == B_STANDARDIZE && source) {
    ok = scaling_step(cx, stage, REG_DATA_STANDARDIZE, &op);
    for (int i = 0; i < c->ops.len && ok; i++)
      if (both_standardize(&c->ops.data[i], &op))
        diag_emit(&cx->s->diags, DIAG_standardized_twice, stage->span);
  } else if (b == B_MIN_MAX && source) {
    ok = scaling_step(cx, stage, REG_DATA_MIN_MAX, &op);
  } else if (b == B_SPLIT && source) {
    ok = may_divide(cx, c, stage->span) && split_step(cx, env, stage, &op);
  } else {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, stage->span,
                        source ? "scale, standardize, split or another step of data"
                               : "a source of data such as csv(…), idx(…) or text(…)",
                        ast_text(cx->a, stage));
    const Ast *called = callee_of(stage);
    const Def *of = called->kind == AST_NAME ? sema_find(cx->l->program, called->name) : NULL;
    if (b == B_FOLDS && source) diag_hint(d, "the data stands in the call: folds(digits, 5)");
    if (of && of->kind == KIND_FN && source)
      diag_hint(d, "functions are of x: `x |> %s` in the model, or `with x = %s(x)`", of->name, of->name);
    return false;
  }
  vec_push(cx->a, c->ops, op);
  return ok;
}

static Def *data_named(Cx *cx, const Ast *e) {
  Def *d = e->kind != AST_NAME     ? NULL
           : cx->library && !e->op ? sema_library(cx->l->program, e->name)
                                   : sema_find(cx->l->program, e->name);
  return d && d->kind == KIND_DATA && !d->ast->kids[0] ? d : NULL;
}

static const Ast *data_body(Cx *cx, const Ast *e) {
  Def *d = data_named(cx, e);
  return d ? d->ast->kids[2] : NULL;
}

static int source_of(const reg_data_op *op) {
  if (op->kind == REG_DATA_IMAGES) return B_IMAGES;
  if (op->kind == REG_DATA_NPY) return op->array ? B_NPZ : B_NPY;
  return op->kind == REG_DATA_IDX ? B_IDX : B_CSV;
}

// `test = csv("test.csv")`: a part in a file of its own. It is a source alone.
static bool part_op(Cx *cx, Env *env, const Ast *part, OpList *ops) {
  reg_data_op op = {0};
  const Ast *source = part->kids[0], *body;
  while ((body = data_body(cx, source))) source = body;
  if (strcmp(part->name, "valid") && strcmp(part->name, "test")) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, part->name_span, "the part valid or test",
                        arena_printf(cx->a, "`%s`", part->name));
    if (!strcmp(part->name, "train")) diag_hint(d, "the training part comes from the first file");
    return false;
  }
  if (ops->data[0].kind == REG_DATA_TEXT) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, part->span, "a part in a file of its own",
              "for a text: split(…) divides it");
    return false;
  }
  const int b = source_of(&ops->data[0]);
  if (data_builtin(source) != b) {
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_wrong_kind, part->kids[0]->span,
                  arena_printf(cx->a, "%s(…) alone", builtin_info[b].name), ast_text(cx->a, part->kids[0]));
    diag_hint(d, "what is done to the rows stands before `with` and holds for all parts");
    return false;
  }
  if (b == B_IDX      ? !idx_source(cx, source, &op)
      : b == B_IMAGES ? !images_source(cx, env, source, &ops->data[0], &op)
      : b != B_CSV    ? !npy_source(cx, source, b == B_NPZ, &ops->data[0], &op)
                      : !csv_source(cx, env, source, &ops->data[0], &op))
    return false;
  op.kind = REG_DATA_PART;
  op.part_names[op.nparts++] = part->name;
  vec_push(cx->a, *ops, op);
  return true;
}

// Files that the host gives in place of the program's own: of the data NAME, and of its parts NAME.PART.
static void replace_files(Cx *cx, const char *name, OpList *ops) {
  const LowerHost *h = &cx->l->host;
  for (int i = 0; i < ops->len && h->data_path; i++) {
    reg_data_op *op = &ops->data[i];
    const bool part = op->kind == REG_DATA_PART;
    const bool file = op->path != NULL && !part;
    const char *path = !file && !part ? NULL
                       : part ? h->data_path(h->user, arena_printf(cx->a, "%s.%s", name, op->part_names[0]))
                              : h->data_path(h->user, name);
    if (path) op->path = path;
    if (path) op->nmore = 0;
  }
}

// -- data of the program, by what makes them

static bool in_library(Cx *cx, Span at) { return source_is_library(source_get(&cx->s->sources, at.source)); }

static void report_load(Cx *cx, Span at, const reg_status *st) {
  const int id = diag_find(st->name);
  Diag *diag = diag_error(&cx->s->diags, id < 0 ? DIAG_data_bad : (DiagId)id, at, st->text);
  if (st->hint[0]) diag_hint(diag, "%s", st->hint);
}

// What data is called that has no name.
static const char *data_text(Cx *cx, const Ast *e) {
  return e->kind == AST_NAME ? e->name : arena_printf(cx->a, "(%s)", ast_text(cx->a, e));
}

static bool is_concat(const Ast *e) {
  return e->kind == AST_CALL && e->kids[0]->kind == AST_NAME && builtin_find(e->kids[0]->name) == B_CONCAT;
}

// `with test = csv(...)` has rows of its own, `with test = digits.test[...]` those of other data.
static bool has_file(const Ast *view) {
  const Ast *e = view->kids[0];
  const bool of_data = e->kind == AST_FIELD || data_builtin(e) == B_JOIN || e->kind == AST_INDEX ||
                       e->kind == AST_WHERE || e->kind == AST_TABLE || is_concat(e);
  const int b = data_builtin(e);
  return is_part_name(view->name) ? !of_data && !view->kids[1] : is_source(b) && b != B_TEXT;
}

// A source and what is done to all its rows: nothing is computed of columns.
static bool is_plain(Cx *cx, const Ast *e) {
  Def *d = data_named(cx, e), *called = d ? NULL : data_callee(cx, e);
  const Ast *body = d ? d->ast->kids[2] : called ? data_called(cx, env_new(cx, NULL, "", ""), e)->body : NULL;
  if (d || called) {
    const Within outer = text_enter(cx, d ? d : called);
    const bool plain = body && is_plain(cx, body);
    text_leave(cx, outer);
    return plain;
  }
  if (data_builtin(e->kind == AST_PIPE ? e->kids[1] : e) == B_JOIN) return false;
  for (int i = 1; e->kind == AST_WITH && i < e->nkids; i++)
    if (!has_file(e->kids[i])) return false;
  if (e->kind == AST_PIPE || e->kind == AST_WITH) return is_plain(cx, e->kids[0]);
  return e->kind != AST_WHERE && e->kind != AST_TABLE && e->kind != AST_INDEX && e->kind != AST_FIELD &&
         !is_concat(e) && data_builtin(e) != B_FOLDS;
}

int data_add(Cx *cx, const char *name, const reg_data_op *ops, int nops, Span at) {
  Lowered *l = cx->l;
  reg_status st = {0};
  const reg_data_plan plan = {.nops = nops,
                              .ops = ops,
                              .dtype = lower_floats(l),
                              .seed = l->host.has_seed ? l->host.seed : 0,
                              .earlier = l->datasets.data};
  reg_dataset *set = l->host.load(l->host.user, &plan, &st);
  if (!set) {
    report_load(cx, in_library(cx, at) && l->calling_at.source ? l->calling_at : at, &st);
    l->exit_code = st.code;
    return -1;
  }
  return made_put(l, name, set, plan);
}

static int close_chain(Cx *cx, const char *name, const Chain *c, Span at) {
  const bool same = c->base >= 0 && made_as(cx->l, c->base, name);
  OpList ops = {0};
  if (same && !c->ops.len) return c->base;
  if (c->base >= 0) vec_push(cx->a, ops, ((reg_data_op){.kind = REG_DATA_FROM, .from = c->base}));
  for (int i = 0; i < c->ops.len; i++) vec_push(cx->a, ops, c->ops.data[i]);
  const int set = data_add(cx, name, ops.data, ops.len, at);
  if (set < 0 && c->library) // told by data_add
    diag_hint(cx->s->diags.list.data[cx->s->diags.list.len - 1],
              "`regc doc %s` tells where its files are from", c->library);
  return set;
}

static bool chain_of(Cx *cx, Env *env, const Ast *e, const char *name, Chain *c);
static Value data_set(Cx *outer, const char *name, const Ast *e, bool library);

// `folds(d, 5)` itself is several data sets; with its turn it is one of them.
static bool fold_chain(Cx *cx, Env *env, const Ast *call, Chain *c) {
  reg_data_op op = {0};
  const Ast *of = call_arg(call, "d", 0);
  if (!fold_step(cx, env, call, &op)) return false;
  const Value v =
      of->kind == AST_NAME ? eval_data(cx, env, of) : data_set(cx, data_text(cx, of), of, cx->library);
  if (v.kind != V_DATA) return false;
  c->base = v.data->dataset;
  if (!may_divide(cx, c, of->span) || !undivided(cx, v.data, of->span)) return false;
  Chain plain = {.base = -1};
  if (is_plain(cx, of) && chain_of(cx, env, of, NULL, &plain) && plain.base < 0) c->file = plain.ops;
  vec_push(cx->a, c->ops, op);
  return true;
}

// `join(d, other, key)`, `d |> join(other, key)`
static bool join_chain(Cx *cx, Env *env, const Ast *e, Chain *c) {
  const bool piped = e->kind == AST_PIPE;
  const Ast *call = piped ? e->kids[1] : e, *of = piped ? e->kids[0] : call_arg(call, "d", 0);
  reg_data_op op = {0};
  if (!of || call->kind != AST_CALL) {
    diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "join", of ? "other" : "d");
    return false;
  }
  const Value v =
      of->kind == AST_NAME ? eval_data(cx, env, of) : data_set(cx, data_text(cx, of), of, cx->library);
  if (v.kind != V_DATA) return false;
  c->base = v.data->dataset;
  if (!join_step(cx, env, call, piped ? 0 : 1, c->base, &op)) return false;
  vec_push(cx->a, c->ops, op);
  return true;
}

// The body of a data definition, for what it is given.
static bool call_chain(Cx *cx, Env *env, const Ast *e, const char *name, Chain *c) {
  Lowered *l = cx->l;
  const DataCall *call = data_called(cx, env, e);
  const char *calling = l->calling;
  const Span at = l->calling_at;
  const int before = cx->s->diags.list.len;
  if (!call->body) return false;
  const Within outer = text_enter(cx, call->def);
  l->calling = call->text;
  if (!outer.library || !at.source) l->calling_at = e->span;
  const bool ok = chain_of(cx, env, call->body, name, c);
  for (int i = before; i < cx->s->diags.list.len && call->def->from_library && !outer.library; i++) {
    Diag *d = cx->s->diags.list.data[i];
    if (d->span.source != e->span.source) diag_note(d, e->span, "in this call of `%s`", call->def->name);
  }
  text_leave(cx, outer);
  l->calling = calling;
  l->calling_at = at;
  return ok;
}

// What columns are added to; data with a name are read once, under that.
static int with_base(Cx *cx, const Ast *e, const char *name, const Chain *c, bool as_named) {
  if (!as_named || c->base >= 0 || !data_named(cx, e)) return close_chain(cx, name, c, e->span);
  const Value v = data_definition(cx, data_named(cx, e));
  return v.kind == V_DATA ? v.data->dataset : -1;
}

static bool with_chain(Cx *cx, Env *env, const Ast *e, const char *name, Chain *c) {
  if (!chain_of(cx, env, e->kids[0], NULL, c)) return false;
  const char *before = data_text(cx, e->kids[0]), *text = ast_text(cx->a, e->kids[0]);
  for (int i = 1; i < e->nkids; i++) {
    const Ast *view = e->kids[i];
    text = arena_printf(cx->a, "%s%s%s", text, i > 1 ? ", " : " with ", ast_text(cx->a, view));
    const char *behind = i + 1 == e->nkids ? name : arena_printf(cx->a, "(%s)", text);
    if (has_file(view) && c->base < 0) {
      if (!part_op(cx, env, view, &c->ops)) return false;
    } else {
      const int base = with_base(cx, e->kids[0], before, c, i == 1);
      *c = (Chain){.base = base < 0 ? -1 : data_with(cx, behind, base, view, view->span)};
      if (c->base < 0) return false;
    }
    before = behind;
  }
  return true;
}

// `name`: what the data is called where it is computed.
static bool chain_of(Cx *cx, Env *env, const Ast *e, const char *name, Chain *c) {
  const Ast *body = data_body(cx, e);
  if (!name) name = data_text(cx, e);
  if (body && is_plain(cx, e)) { // another data definition, carried on
    const Within outer = text_enter(cx, data_named(cx, e));
    const bool ok = chain_of(cx, env, body, NULL, c);
    text_leave(cx, outer);
    if (in_library(cx, body->span)) c->library = e->name;
    replace_files(cx, e->name, &c->ops);
    return ok;
  }
  if (data_callee(cx, e)) return call_chain(cx, env, e, name, c);
  if (data_builtin(e->kind == AST_PIPE ? e->kids[1] : e) == B_JOIN) return join_chain(cx, env, e, c);
  switch (e->kind) {
  case AST_PIPE: return chain_of(cx, env, e->kids[0], NULL, c) && stage_op(cx, env, e->kids[1], c);
  case AST_WITH: return with_chain(cx, env, e, name, c);
  case AST_WHERE: c->base = data_where(cx, name, e); break;
  case AST_TABLE: c->base = data_table(cx, name, e); break;
  case AST_INDEX:
    if (data_several(cx, e->kids[0]))
      return (body = fold_picked(cx, env, e)) && chain_of(cx, env, body, name, c);
    c->base = data_picked(cx, name, e);
    break;
  case AST_FIELD: c->base = data_picked(cx, name, e); break;
  case AST_EACH: return data_is_several(cx, e, "several of them");
  default: {
    if (data_builtin(e) == B_FOLDS) return fold_chain(cx, env, e, c);
    if (!body && !is_concat(e)) return stage_op(cx, env, e, c);
    const Value v = body ? data_definition(cx, data_named(cx, e)) : v_fail();
    c->base = !body ? data_concat(cx, name, e) : v.kind == V_DATA ? v.data->dataset : -1;
  }
  }
  return c->base >= 0;
}

// Known by its name; what failed is told once.
static Value data_set(Cx *outer, const char *name, const Ast *e, bool library) {
  Lowered *l = outer->l;
  DataValue *v = ARENA_NEW(outer->a, DataValue);
  v->dataset = -1;
  const DataMade *made = made_find(l, name);
  if (made && made->dataset < 0) return v_fail();
  if (made) {
    *v = (DataValue){.name = l->dataset_names.data[made->dataset], .dataset = made->dataset};
    return (Value){.kind = V_DATA, .data = v, .span = e->span};
  }
  const Making making = made_begin(l);
  Chain c = {.base = -1};
  Cx *cx = cx_new(l, name, MODE_EVAL);
  cx->of_data = true;
  cx->library = library;
  if (chain_of(cx, env_new(cx, NULL, "", name), e, name, &c)) {
    replace_files(cx, name, &c.ops);
    v->dataset = close_chain(cx, name, &c, e->span);
  }
  if (v->dataset < 0) made_failed(l, name);
  made_end(l, making);
  if (v->dataset < 0) return v_fail();
  v->name = l->dataset_names.data[v->dataset];
  return (Value){.kind = V_DATA, .data = v, .span = e->span};
}

Value data_definition(Cx *cx, Def *d) {
  const char *calling = cx->l->calling;
  const Span calling_at = cx->l->calling_at;
  cx->l->calling = NULL;
  cx->l->calling_at = (Span){0};
  const Value v = data_set(cx, d->name, d->ast->kids[2], d->from_library);
  cx->l->calling = calling;
  cx->l->calling_at = calling_at;
  return v;
}

// `digits`, `digits.test`
const reg_part *part_named(const reg_dataset *set, const char *name) {
  for (int i = 0; i < set->nparts; i++)
    if (!strcmp(set->parts[i].name, name)) return &set->parts[i];
  return NULL;
}

const char *data_label(Cx *cx, const DataValue *d) {
  return d->part && !d->further ? arena_printf(cx->a, "%s.%s", d->name, d->part) : d->name;
}

Value data_part(Cx *cx, const Value *data, const char *name, Span at) {
  const reg_dataset *set = cx->l->datasets.data[data->data->dataset];
  const reg_part *named = part_named(set, name);
  if (named && strcmp(name, "all") != 0) {
    DataValue *part = ARENA_NEW(cx->a, DataValue);
    *part = *data->data;
    part->part = named->name;
    return (Value){.kind = V_DATA, .data = part, .span = at};
  }
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_unknown_field, at, arena_printf(cx->a, "`%s`", data->data->name), name);
  const char *names[8];
  int n = 0;
  for (; n < set->nparts && n < 8; n++) names[n] = set->parts[n].name;
  const char *near = nearest_name(name, names, n);
  if (near && strcmp(near, "all") != 0)
    diag_hint(d, "did you mean `%s.%s`?", data->data->name, near);
  else if (!word_hint(d, name, WORD_FIELD, NULL, 0))
    diag_hint(d, "its parts are made by split(…)");
  return v_fail();
}

// Of a training's further data there is a batch, whose columns are tensors.
static bool is_batch(Cx *cx, const Env *env, const Ast *e) {
  const Ast *root = e;
  while (root->kind != AST_NAME && root->nkids && root->kids[0]) root = root->kids[0];
  const Value *v = root->kind == AST_NAME && root != e ? env_get(env, root->name) : NULL;
  if (!v || v->kind != V_DATA || !v->data->further) return false;
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, root->span, "data of the program",
                      arena_printf(cx->a, "a batch of `%s`", root->name));
  diag_hint(d, "its columns are tensors: `%s.%s[where c]`", root->name, field_data(cx, v)->fields[0].name);
  return true;
}

// `digits.train.label` where data is asked for, as in a training, which reads batches.
static void no_data(Cx *cx, const Value *v, const Ast *e) {
  const reg_dataset *set = field_data(cx, v);
  const char *label = data_label(cx, v->data);
  for (int i = 0; i < set->nfields; i++) {
    if (strcmp(set->fields[i].name, e->name) != 0) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span,
                        arena_printf(cx->a, "the column `%s.%s`", label, e->name), "here");
    diag_hint(d,
              "a line before the training computes from all rows, `v = f(%s.%s)`, and the training reads "
              "`v`; `%s` is the column of the batch",
              label, e->name, e->name);
    return;
  }
  diag_emit(&cx->s->diags, DIAG_unknown_field, e->span, arena_printf(cx->a, "`%s`", label), e->name);
}

Value eval_data(Cx *cx, Env *env, const Ast *e) {
  if (e->kind != AST_FIELD && is_batch(cx, env, e)) return v_fail();
  switch (e->kind) {
  case AST_FIELD: {
    const Value v = eval_data(cx, env, e->kids[0]);
    if (v.kind == V_DATA && v.data->further) return data_field(cx, env, e);
    if (v.kind == V_DATA && !v.data->part) return data_part(cx, &v, e->name, e->span);
    if (v.kind == V_DATA) no_data(cx, &v, e);
    return v_fail();
  }
  case AST_WHERE:
  case AST_WITH:
  case AST_TABLE:
  case AST_INDEX:
  case AST_EACH:
  case AST_PIPE:
  case AST_CALL: return data_set(cx, data_text(cx, e), e, cx->library);
  default: break;
  }
  const Value v = e->kind == AST_NAME ? eval_expr(cx, env, e) : v_fail();
  if (e->kind == AST_NAME && (v.kind == V_DATA || v.kind == V_FAIL)) return v;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "data",
            e->kind == AST_NAME ? value_text(cx, &v) : ast_kind_name(e->kind));
  return v_fail();
}

Value data_field(Cx *cx, Env *env, const Ast *e) {
  Value v = eval_data(cx, env, e->kids[0]);
  if (v.kind == V_FIELD) // `u.x.y`
    diag_emit(&cx->s->diags, DIAG_unknown_field, e->span, value_text(cx, &v), e->name);
  if (v.kind != V_DATA) return v_fail();
  const reg_dataset *set = cx->l->datasets.data[v.data->dataset];
  if (!v.data->part && part_named(set, e->name)) return data_part(cx, &v, e->name, e->span);
  const char **names = ARENA_ARRAY(cx->a, const char *, set->nfields + 1);
  for (int i = 0; i < set->nfields; i++) {
    if (!strcmp(set->fields[i].name, e->name))
      return (Value){.kind = V_FIELD, .field = i, .data = v.data, .span = e->span};
    names[i] = set->fields[i].name;
  }
  if (!v.data->part) return data_part(cx, &v, e->name, e->span); // reports it, with the names of parts
  const char *label = data_label(cx, v.data);
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_unknown_field, e->span, arena_printf(cx->a, "`%s`", label), e->name);
  const char *near = nearest_name(e->name, names, set->nfields);
  if (near) diag_hint(d, "did you mean `%s.%s`?", label, near);
  return v_fail();
}

Value call_data_builtin(Cx *cx, Builtin b, Span at) {
  diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, arena_printf(cx->a, "`%s`", builtin_info[b].name),
            b < B_CSV ? "here: it follows a model of the program, by its name"
                      : "outside of a `data` definition");
  return v_fail();
}
