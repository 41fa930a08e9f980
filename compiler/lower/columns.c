// Data made of data: rows that a condition or an index picks, columns by expressions, tables, data joined.
// In: trees, and the data sets that they name. Out: data sets, whose plans hold one compiled function for
// each part. Expressions are over whole columns of a part; names of columns stand for these.
#include "builtins.h"
#include "train.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

typedef VEC(reg_data_op) OpList;
typedef VEC(reg_data_column) ColumnList;

static int field_at(const reg_dataset *set, const char *name) {
  int at = set->nfields - 1;
  while (at >= 0 && strcmp(set->fields[at].name, name) != 0) at--;
  return at;
}

// Draws of data have streams of their own, by what they make: another definition does not move them.
static int64_t stream_of(const char *name) {
  enum { FIRST = 0x40000000, PLACES = 0x3ffff, DRAWS = 0x1000 };
  uint32_t hash = 2166136261u; // FNV-1a
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
  return FIRST + (int64_t)(hash % PLACES) * DRAWS;
}

// Names of a block's definitions as they are without other runs of a sweep.
static const char *alike_text(const Lowered *l, const char *text) {
  StrBuf b = {.arena = l->session->arena};
  for (const char *at = text; *at;) {
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
    const char *name = n ? arena_strndup(b.arena, at, n) : NULL;
    const Def *d = name ? map_get(&l->program->defs, name) : NULL;
    if (d && d->alike)
      strbuf_add(&b, d->alike);
    else
      strbuf_addf(&b, "%.*s", n ? (int)n : 1, at);
    at += n ? n : 1;
  }
  return b.data;
}

// Calls of a data definition that are alike draw alike, whatever what they make is called; so do the rows of
// all parts that one call picks.
static const char *drawn_as(const Lowered *l, const char *name, const char *column) {
  const char *of = alike_text(l, l->calling ? l->calling : name);
  return column ? arena_printf(l->session->arena, "%s.%s", of, column) : of;
}

// For expressions over the columns of a part; `set` -1: there are none yet, and ids are the rows' numbers.
static Cx *columns_cx(const Cx *outer, const char *name, const char *column, int set, const char *part,
                      int64_t rows) {
  Lowered *l = outer->l;
  const char *what = column ? arena_printf(l->session->arena, "%s.%s", name, column) : name;
  Cx *cx = cx_new(l, arena_printf(l->session->arena, "%s of %s", part, what), MODE_EVAL);
  cx->library = outer->library;
  cx->stream = stream_of(drawn_as(l, name, column));
  cx->of_data = true;
  cx->batch = rows;
  cx->data_part = part;
  cx->rows_of = "the table";
  if (set < 0) return cx;
  const reg_dataset *d = cx->data = l->datasets.data[set];
  const char *of = l->dataset_names.data[set];
  cx->rows_of = !strcmp(part, "all") ? of : arena_printf(cx->a, "%s.%s", of, part);
  const int id = field_at(d, "id");
  const int32_t *ids = d->fields[id].values;
  for (int64_t i = 0; i < d->nrows; i++)
    if (ids[i] >= cx->room) cx->room = (int64_t)ids[i] + 1;
  cx->ids = cx_port(cx, REG_SLOT_FIELD, id, "field:id", DT_I32, shape_of(1, rows));
  return cx;
}

static const char *in_text(Cx *cx, const Node *in) {
  const char *path = strchr(in->name, ':');
  const char *what = in->port.kind == REG_SLOT_PARAM   ? "the parameter "
                     : in->port.kind == REG_SLOT_STATE ? "the state "
                     : in->port.kind == REG_SLOT_STORE ? "the value of "
                                                       : "";
  return arena_printf(cx->a, "%s`%s`", what, *what && path ? path + 1 : in->name);
}

const reg_data_other *columns_read(Cx *cx) {
  reg_data_other *others = ARENA_ARRAY(cx->a, reg_data_other, cx->columns.len + 1);
  for (int i = 0; i < cx->columns.len; i++) {
    const LowerColumn *c = &cx->columns.data[i];
    others[i] = (reg_data_other){.data = c->dataset, .part = c->part, .field = c->field};
  }
  return others;
}

// Code of what cx->g puts out, and what it reads besides the columns of the part. False after a report.
static bool compile(Cx *cx, reg_data_op *op, Span at) {
  const Graph *g = prune(cx, cx->g);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *in = g->inputs.data[i];
    const int kind = in->port.kind;
    if (kind == REG_SLOT_FIELD || kind == REG_SLOT_OTHER || kind == REG_SLOT_SEED || kind == REG_SLOT_STEP)
      continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, in_text(cx, in),
                        "in data, which are made before anything is trained");
    if (kind == REG_SLOT_STORE)
      diag_hint(d, "a statement gives it when the program runs; `let NAME = …` is known before");
    if (kind == REG_SLOT_PARAM)
      diag_hint(
          d,
          "what a trained model gives is a statement's value, `told = net(d.x)`, and `told[id]` in a loss; "
          "`load(…)` reads one that was saved");
    return false;
  }
  reg_status st = {0};
  op->nothers = cx->columns.len;
  op->others = columns_read(cx);
  op->fn = cx->l->host.columns(cx->l->host.user, g, cx->batch, &st);
  if (!op->fn) diag_emit(&cx->s->diags, DIAG_data_bad, at, st.text);
  return op->fn != NULL;
}

static const reg_dataset *data_of(const Cx *cx, int set) { return cx->l->datasets.data[set]; }

// -- rows

// A name that no program can write.
static const char *const rows_name = "rows of a part";

// What an index picks; `by` is an element of x[...]. NULL after a report.
static Node *places(Cx *cx, Env *env, Ast *by, Span at, const Dim **rows) {
  Ast base = {.kind = AST_NAME, .name = rows_name, .span = at}, *kids[] = {&base, by};
  const Ast index = {.kind = AST_INDEX, .span = at, .kids = kids, .nkids = 2};
  const Value v = eval_expr(cx, env, &index);
  if (v.kind == V_FAIL) return NULL;
  Node *n = counted_node(cx, &v);
  const Dim *along = dim_of(v.dims, 1);
  if (n->shape.rank > 2 || (along && along->count) || (n->shape.rank == 2 && !n->shape.dim[1])) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, by->span,
                        "one axis of rows, or windows of known length", shape_text(cx->a, n->shape));
    diag_hint(d, "[n] picks n rows, [n, k] makes n rows of k each");
    return NULL;
  }
  *rows = dim_of(v.dims, 0);
  return n->shape.rank ? n : graph_reshape(cx->g, n, shape_of(1, (int64_t)1));
}

static bool same_rows(Cx *cx, const Dim *a, const Dim *b, const Node *x, const Node *y, Span at) {
  const bool counted = (a && a->count) || (b && b->count);
  if (counted ? a && b && a->count == b->count : x->shape.dim[0] == y->shape.dim[0]) return true;
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "as many rows from the second index as from the first",
                counted ? "rows that were picked otherwise" : shape_text(cx->a, y->shape));
  diag_hint(d, "d[i, j]: fields are those of the rows i, x that of the rows j");
  return false;
}

// Places of the rows that one or two indices pick: `by[1]`, where it is there, those of x.
static bool rows_function(const Cx *outer, const char *name, const reg_part *part, Ast *const *by, int nby,
                          Span at, reg_data_op *op) {
  Cx *cx = columns_cx(outer, name, NULL, op->from, part->name, part->nrows);
  Env *env = field_env(cx);
  Value all = v_tensor(graph_iota(cx->g, 0, DT_I32, shape_of(1, part->nrows)), at);
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, 2), *rows[2] = {0};
  Node *n[2];
  dims[0] = own_rows(cx);
  all.dims = dims;
  env_set(cx, env, rows_name, all);
  for (int i = 0; i < nby; i++) {
    if (!(n[i] = places(cx, env, by[i], at, &rows[i]))) return false;
    if (i && !same_rows(cx, rows[0], rows[1], n[0], n[1], by[1]->span)) return false;
    graph_output_port(cx->g, (Port){REG_SLOT_ROWS, i}, i ? "rows of x" : "rows", n[i], -1);
  }
  op->window = n[0]->shape.rank == 2 ? n[0]->shape.dim[1] : 0;
  op->apart = nby == 2;
  op->window_of_x = n[nby - 1]->shape.rank == 2 ? n[nby - 1]->shape.dim[1] : 0;
  if (rows[0] && rows[0]->count)
    graph_output_port(cx->g, (Port){REG_SLOT_COUNT, 0}, "count", rows[0]->count, -1);
  return compile(cx, op, at);
}

// Indices of rows, none for all.
typedef struct Index {
  Ast *const *by;
  int n;
} Index;

// A piece of data: rows of a part of `v`.
static bool add_rows(const Cx *cx, OpList *ops, const char *name, const DataValue *v, const char *part,
                     const char *to, Index by, int operand, Span at) {
  const reg_part *p = part_named(data_of(cx, v->dataset), part);
  reg_data_op op = {.kind = REG_DATA_ROWS,
                    .from = v->dataset,
                    .source_part = p->name,
                    .nparts = 1,
                    .part_names = {to},
                    .operand = operand};
  if (by.n && !rows_function(cx, name, p, by.by, by.n, at, &op)) return false;
  vec_push(cx->a, *ops, op);
  return true;
}

// All parts of `v`, or the one that it is: then it is undivided.
static bool add_parts(const Cx *cx, OpList *ops, const char *name, const DataValue *v, Index by, Span at) {
  const reg_dataset *set = data_of(cx, v->dataset);
  if (v->part) return add_rows(cx, ops, name, v, v->part, "all", by, 0, at);
  for (int i = 0; i < set->nparts; i++)
    if (!add_rows(cx, ops, name, v, set->parts[i].name, set->parts[i].name, by, 0, at)) return false;
  return true;
}

int data_where(Cx *cx, const char *name, const Ast *e) {
  const Value v = eval_data(cx, env_new(cx, NULL, "", ""), e->kids[0]);
  Ast *by = ARENA_NEW(cx->a, Ast);
  *by = (Ast){.kind = AST_UNARY, .op = OPR_WHERE, .span = e->kids[1]->span, .kids = &e->kids[1], .nkids = 1};
  OpList ops = {0};
  if (v.kind != V_DATA || !add_parts(cx, &ops, name, v.data, (Index){&by, 1}, e->kids[1]->span)) return -1;
  return data_add(cx, name, ops.data, ops.len, e->span);
}

// What an index takes rows of: a part, or data that is not divided.
static const char *picked_part(Cx *cx, const DataValue *v, Span at) {
  const reg_dataset *set = data_of(cx, v->dataset);
  if (v->part) return v->part;
  if (part_named(set, "all")) return "all";
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "one part of the data", "all of it");
  diag_hint(d, "write `%s.train[...]`", v->name);
  return NULL;
}

// Of d[i], or d[i, j].
static bool index_of(Cx *cx, const Ast *e, Index *by) {
  *by = e->kind == AST_INDEX ? (Index){e->kids + 1, e->nkids - 1} : (Index){NULL, 0};
  if (by->n <= 2) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "an index of rows, and one of rows for x",
            arena_printf(cx->a, "%d of them", by->n));
  return false;
}

int data_picked(Cx *cx, const char *name, const Ast *e) {
  const Value v = eval_data(cx, env_new(cx, NULL, "", ""), e->kind == AST_INDEX ? e->kids[0] : e);
  Index by;
  OpList ops = {0};
  if (v.kind != V_DATA || !index_of(cx, e, &by)) return -1;
  const char *part = by.n ? NULL : picked_part(cx, v.data, e->span);
  if (by.n ? !add_parts(cx, &ops, name, v.data, by, e->span)
           : !part || !add_rows(cx, &ops, name, v.data, part, "all", by, 0, e->span))
    return -1;
  return data_add(cx, name, ops.data, ops.len, e->span);
}

// `train = digits.train[index]`: the other parts stay.
static int with_part(Cx *cx, const char *name, int base, const Ast *view, Span at) {
  const Ast *e = view->kids[0], *of = e->kind == AST_INDEX ? e->kids[0] : e;
  const Value v = eval_data(cx, env_new(cx, NULL, "", ""), of);
  Index by;
  if (v.kind != V_DATA || !index_of(cx, e, &by)) return -1;
  const char *from = picked_part(cx, v.data, e->span);
  const reg_dataset *set = data_of(cx, base);
  const DataValue all = {.dataset = base};
  OpList ops = {0};
  bool ok = from != NULL, there = false;
  for (int i = 0; i < set->nparts && ok; i++) {
    const char *part = set->parts[i].name;
    const bool undivided = !strcmp(part, "all"), other = strcmp(part, view->name) != 0;
    if (undivided && !strcmp(view->name, "train")) continue;
    ok = other ? add_rows(cx, &ops, name, &all, part, undivided ? "train" : part, (Index){0}, 0, at)
               : add_rows(cx, &ops, name, v.data, from, part, by, 0, at);
    there |= !other;
  }
  if (ok && !there) ok = add_rows(cx, &ops, name, v.data, from, view->name, by, 0, at);
  return ok ? data_add(cx, name, ops.data, ops.len, at) : -1;
}

// -- data joined

static const DataValue *operand(Cx *cx, const Ast *arg) {
  if (arg->name) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, arg->span, arena_printf(cx->a, "`%s:`", arg->name),
              "where data are joined");
    return NULL;
  }
  const Value v = eval_data(cx, env_new(cx, NULL, "", ""), arg->kids[0]);
  return v.kind == V_DATA ? v.data : NULL;
}

static const char *part_of(const Cx *cx, const DataValue *v, int i) {
  const reg_dataset *set = data_of(cx, v->dataset);
  if (v->part) return i == 0 ? "all" : NULL;
  return i < set->nparts ? set->parts[i].name : NULL;
}

static bool has_part(const Cx *cx, const DataValue *v, const char *part) {
  const char *name;
  for (int i = 0; (name = part_of(cx, v, i)); i++)
    if (!strcmp(name, part)) return true;
  return false;
}

// Divided data do not join with undivided.
static bool divided_alike(Cx *cx, const DataValue *a, const DataValue *b, Span at) {
  if (has_part(cx, a, "all") == has_part(cx, b, "all")) return true;
  const DataValue *whole = has_part(cx, a, "all") ? a : b, *parts = whole == a ? b : a;
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_fields_differ, at,
                arena_printf(cx->a, "`%s` is divided into parts, `%s` is not", parts->name, whole->name));
  diag_hint(d, "one part of it: `with train = concat(%s.train, %s)`", parts->name, whole->name);
  return false;
}

static void warn_of_scales(Cx *cx, const DataValue *a, const DataValue *b, Span at) {
  const reg_dataset *x = data_of(cx, a->dataset), *y = data_of(cx, b->dataset);
  const size_t bytes = (size_t)x->fields[0].width * sizeof(double);
  if (x->fields[0].width != y->fields[0].width) return;
  if (!memcmp(x->shift, y->shift, bytes) && !memcmp(x->factor, y->factor, bytes)) return;
  diag_emit(&cx->s->diags, DIAG_joined_scales, at, b->name, a->name);
}

int data_concat(Cx *cx, const char *name, const Ast *call) {
  const int n = call->nkids - 1;
  const DataValue **of = ARENA_ARRAY(cx->a, const DataValue *, n + 1);
  OpList ops = {0};
  for (int i = 0; i < n; i++) {
    if (!(of[i] = operand(cx, call->kids[i + 1])) || !divided_alike(cx, of[0], of[i], call->span)) return -1;
    warn_of_scales(cx, of[0], of[i], call->kids[i + 1]->span);
  }
  static const char *const parts[] = {"all", "train", "valid", "test"};
  for (int p = 0; p < 4; p++)
    for (int i = 0; i < n; i++)
      if (has_part(cx, of[i], parts[p]) &&
          !add_rows(cx, &ops, name, of[i], of[i]->part ? of[i]->part : parts[p], parts[p], (Index){0}, i,
                    call->span))
        return -1;
  return data_add(cx, name, ops.data, ops.len, call->span);
}

// -- columns

// The value of a column: one row for each row of the part. A number is that of all rows.
static bool column_of(Cx *cx, const char *name, const Value *v, Span at, ColumnList *columns) {
  const int at_own = cx->data ? field_at(cx->data, name) : -1;
  const reg_field *own = at_own < 0 ? NULL : &cx->data->fields[at_own];
  reg_data_column c = {.name = name};
  const reg_field *field = v->kind == V_FIELD ? &field_data(cx, v)->fields[v->field] : NULL;
  int64_t classes = field ? field->nclasses : v->kind == V_TENSOR ? v->classes : 0;
  if (classes && own && own->nclasses == classes) c.classes_of = name;
  if (classes && field && !v->data) c.classes_of = field->name;
  if (v->kind == V_FAIL) return false;
  if (is_counted(cx, v)) return value_node(cx, v) && false; // reports it
  Node *n = c.classes_of ? value_classes(cx, v, &classes) : value_floats(cx, v);
  if (!n) return false;
  if (n->shape.rank == 0) n = graph_broadcast_to(cx->g, n, shape_of(1, cx->batch));
  if (n->shape.dim[0] != cx->batch) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_column_rows, at, name, (long long)cx->batch, cx->data_part,
                        shape_text(cx->a, n->shape));
    diag_hint(d, "its first axis is the rows; of one number for all rows, write the number");
    return false;
  }
  const Dim *rows = dim_of(value_dims(cx, v), 0);
  if (rows && !dims_agree(rows, own_rows(cx))) {
    report_dims(cx, arena_printf(cx->a, "column `%s`", name), rows, own_rows(cx), at);
    return false;
  }
  c.rank = n->shape.rank - 1;
  memcpy(c.dim, n->shape.dim + 1, sizeof(int64_t) * (size_t)c.rank);
  graph_output_port(cx->g, (Port){REG_SLOT_COLUMN, columns->len},
                    arena_printf(cx->a, "column:%d", columns->len), n, -1);
  vec_push(cx->a, *columns, c);
  return true;
}

static bool may_be_column(Cx *cx, const char *name, Span at) {
  const bool id = !strcmp(name, "id");
  if (!id && !is_part_name(name) && strcmp(name, "all") != 0) return true;
  diag_emit(&cx->s->diags, DIAG_column_name, at, name,
            id ? "`id` is the number of the row" : "parts of data are called so");
  return false;
}

static bool same_row(const reg_field *f, const reg_data_column *c) {
  bool same = f->rank == c->rank;
  for (int k = 0; k < c->rank && same; k++) same = f->dim[k] == c->dim[k];
  return same;
}

// A column of one part alone must be there in the others, of the same kind.
static bool others_have(Cx *cx, const reg_dataset *set, const char *part, const reg_data_column *c, Span at) {
  const int field = field_at(set, c->name);
  const char *what = field < 0                           ? "do not have it"
                     : !same_row(&set->fields[field], c) ? "have rows of another shape"
                     : !c->classes_of && !reg_field_numeric(&set->fields[field]) ? "have text"
                     : c->classes_of && strcmp(c->classes_of, c->name) != 0      ? "have other classes"
                                                                                 : NULL;
  if (!what || set->nparts == 1) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_column_of_a_part, at, c->name, part, what);
  diag_hint(d, "without `in %s` all parts get the column", part);
  return false;
}

// The column of the files that is this field of a data set; NULL: it is computed, or none is.
static const char *read_column(const Lowered *l, int set, const char *field) {
  const reg_data_plan *plan = &l->plans.data[set];
  const reg_data_op *source = &plan->ops[0];
  for (int i = 0; i < plan->nops; i++)
    for (int c = 0; plan->ops[i].kind == REG_DATA_COLUMNS && c < plan->ops[i].ncolumns; c++)
      if (!strcmp(plan->ops[i].columns[c].name, field)) return NULL;
  if (source->kind == REG_DATA_FROM || source->kind == REG_DATA_ROWS)
    return read_column(l, source->from, field);
  if (source->kind != REG_DATA_CSV) return NULL;
  for (int i = 0; source->nforms && i < source->form->nown; i++)
    if (!strcmp(source->form->own[i].field, field)) return source->form->own[i].column;
  const char *target = source->target ? source->field ? source->field : source->target : NULL;
  return target && !strcmp(target, field) ? source->target : NULL;
}

// The same of what a column is computed by, where that is no more than its place among the axes.
static const char *as_read(const Cx *cx, int base, const Node *n) {
  const int64_t rows = n->shape.rank ? n->shape.dim[0] : 0;
  if (!rows || shape_count(n->shape) != rows) return NULL;
  while (n->op == OP_RESHAPE) n = n->in[0];
  return is_port(n, REG_SLOT_FIELD) ? read_column(cx->l, base, cx->data->fields[n->port.index].name) : NULL;
}

// One function for a part; false after a report.
static bool add_column(const Cx *outer, OpList *ops, const char *name, int base, const reg_part *part,
                       const Ast *view) {
  Cx *cx = columns_cx(outer, name, view->name, base, part->name, part->nrows);
  const Value v = eval_expr(cx, field_env(cx), view->kids[0]);
  ColumnList columns = {0};
  if (!column_of(cx, view->name, &v, view->kids[0]->span, &columns)) return false;
  columns.data[0].read = as_read(cx, base, cx->g->outputs.data[0].node);
  if (view->kids[1] && !others_have(cx, cx->data, part->name, &columns.data[0], view->span)) return false;
  reg_data_op op = {.kind = REG_DATA_COLUMNS,
                    .nparts = 1,
                    .part_names = {part->name},
                    .ncolumns = columns.len,
                    .columns = columns.data};
  if (!compile(cx, &op, view->span)) return false;
  vec_push(outer->a, *ops, op);
  return true;
}

static int with_column(Cx *cx, const char *name, int base, const Ast *view, Span at) {
  const reg_dataset *set = data_of(cx, base);
  const Ast *only = view->kids[1];
  OpList ops = {0};
  vec_push(cx->a, ops, ((reg_data_op){.kind = REG_DATA_FROM, .from = base}));
  if (!may_be_column(cx, view->name, view->name_span)) return -1;
  if (only && only->kind != AST_NAME) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, only->span, "`as`", "behind data");
    return -1;
  }
  if (only) {
    const Value v = {.kind = V_DATA,
                     .data = &(DataValue){.name = cx->l->dataset_names.data[base], .dataset = base}};
    if (data_part(cx, &v, only->name, only->span).kind == V_FAIL) return -1;
  }
  for (int i = 0; i < set->nparts; i++)
    if ((!only || !strcmp(set->parts[i].name, only->name)) &&
        !add_column(cx, &ops, name, base, &set->parts[i], view))
      return -1;
  return data_add(cx, name, ops.data, ops.len, at);
}

int data_with(Cx *cx, const char *name, int base, const Ast *view, Span at) {
  if (!is_part_name(view->name)) return with_column(cx, name, base, view, at);
  if (!view->kids[1]) return with_part(cx, name, base, view, at);
  diag_emit(&cx->s->diags, DIAG_not_allowed_here, view->kids[1]->span, "`in`", "behind a part of the data");
  return -1;
}

// -- tables

static bool table_rows(Cx *cx, const Ast *e, int64_t *rows) {
  const Ast *n = e->nkids == 2 ? e->kids[1] : NULL;
  if (!n || (n->name && strcmp(n->name, "n") != 0)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_missing_argument, e->span, "table", "n");
    diag_hint(d, "table(200) { x = normal([200, 2]); y = sign(x[.., 0]) } has 200 rows");
    return false;
  }
  Value v = eval_expr(cx, env_new(cx, NULL, "", ""), n->kids[0]);
  v.span = n->span;
  return known_int(cx, &v, "a number of rows", 1, INT32_MAX, rows);
}

static bool table_line(Cx *cx, Env *env, const Ast *line, ColumnList *columns) {
  if (line->kind != AST_BIND && line->kind != AST_UNPACK && line->kind != AST_LOCAL) {
    if (line->kind == AST_ERROR) return false;
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, line->span,
                        arena_printf(cx->a, "%s", ast_kind_name(line->kind)), "in a table");
    diag_hint(d, "its lines are columns: NAME = EXPRESSION");
    return false;
  }
  const Value v = eval_expr(cx, env, line);
  const int n = line->kind == AST_BIND ? 1 : line->kind == AST_UNPACK ? line->kids[0]->nkids : 0;
  for (int i = 0; i < n && v.kind != V_FAIL; i++) {
    const Ast *column = line->kind == AST_BIND ? line : line->kids[0]->kids[i];
    const Span at = line->kind == AST_BIND ? line->name_span : column->span;
    bool again = false;
    for (int k = 0; k < columns->len; k++) again |= !strcmp(columns->data[k].name, column->name);
    if (again) diag_emit(&cx->s->diags, DIAG_duplicate_definition, at, column->name);
    if (again || !may_be_column(cx, column->name, at) ||
        !column_of(cx, column->name, env_get(env, column->name), line->kids[line->nkids - 1]->span, columns))
      return false;
  }
  return v.kind != V_FAIL;
}

int data_table(Cx *outer, const char *name, const Ast *e) {
  const Ast *block = e->kids[0];
  int64_t rows;
  if (!table_rows(outer, e, &rows)) return -1;
  Cx *cx = columns_cx(outer, name, NULL, -1, "all", rows);
  Env *env = env_new(cx, NULL, "", "table");
  ColumnList columns = {0};
  bool ok = true;
  for (int i = 0; i < block->nkids; i++) ok &= table_line(cx, env, block->kids[i], &columns);
  if (ok && !columns.len) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a table with columns", "one without");
    return -1;
  }
  reg_data_op *ops = ARENA_ARRAY(outer->a, reg_data_op, 2);
  ops[0] = (reg_data_op){.kind = REG_DATA_TABLE, .rows = rows};
  ops[1] = (reg_data_op){.kind = REG_DATA_COLUMNS,
                         .nparts = 1,
                         .part_names = {"all"},
                         .ncolumns = columns.len,
                         .columns = columns.data};
  return ok && compile(cx, &ops[1], e->span) ? data_add(outer, name, ops, 2, e->span) : -1;
}
