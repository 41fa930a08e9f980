// Sources of data: csv(…), text(…), idx(…), npy(…), npz(…), images(…). In: the calls. Out: the first step of
// a plan.
#include "source.h"
#include "builtins.h"
#include <string.h>

const char *data_name(Cx *cx, const Ast *e) {
  if (e->kind == AST_NAME || e->kind == AST_STR) return e->name;
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "the name of a column", ast_kind_name(e->kind));
  if (e->kind == AST_NUM || e->kind == AST_UNARY)
    diag_hint(d, "what a file holds stands in quotes: \"%s\"", ast_text(cx->a, e));
  return NULL;
}

const char *program_file(Cx *cx, Span at, const char *path) {
  const Source *source = source_get(&cx->s->sources, at.source);
  const char *from = cx->l->program->path && *cx->l->program->path && source ? source->name : NULL;
  const char *slash = from ? strrchr(from, '/') : NULL;
  if (path[0] == '/' || !slash) return path;
  return arena_printf(cx->a, "%.*s/%s", (int)(slash - from), from, path);
}

static bool may_be_field(Cx *cx, Span at, const char *name, const char *column) {
  const bool taken = !strcmp(name, "x") || !strcmp(name, "id");
  if (!taken && text_is_name(name)) return true;
  const char *why = taken ? "`x` is the inputs, `id` the number of the row" : "it is no name of the language";
  Diag *d = diag_emit(&cx->s->diags, DIAG_field_name, at, name, why);
  diag_hint(d, "`\"%s\" as NAME` gives it another", column);
  return false;
}

// `y`, `"a column" as y`: a column, and what its field is called.
bool field_arg(Cx *cx, const Ast *e, reg_data_op *op) {
  const bool renamed = e->kind == AST_AS;
  op->target = data_name(cx, renamed ? e->kids[0] : e);
  if (!op->target) return false;
  op->field = renamed ? e->name : op->target;
  return may_be_field(cx, renamed ? e->name_span : e->span, op->field, op->target);
}

static bool path_arg(Cx *cx, const Ast *call, const char *source, reg_data_op *op) {
  const Ast *path = call_arg(call, "path", 0);
  if (!path || path->kind != AST_STR) {
    diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, source, "path");
    return false;
  }
  op->path = program_file(cx, path->span, path->name);
  return true;
}

// One path, or a list of them.
static bool paths_arg(Cx *cx, const Ast *call, reg_data_op *op) {
  const Ast *list = call_arg(call, "path", 0);
  VEC(const char *) more = {0};
  op->more = NULL;
  op->nmore = 0;
  if (!list || list->kind != AST_LIST || !list->nkids) return path_arg(cx, call, "csv", op);
  for (int i = 0; i < list->nkids; i++) {
    const Ast *path = list->kids[i];
    if (path->kind != AST_STR) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, path->span, "the path of a file", ast_text(cx->a, path));
      return false;
    }
    const char *file = program_file(cx, path->span, path->name);
    if (i)
      vec_push(cx->a, more, file);
    else
      op->path = file;
  }
  op->more = more.data;
  op->nmore = more.len;
  return true;
}

// -- how a CSV file is written

typedef VEC(const char *) NameList;
typedef VEC(reg_data_own) OwnList;

// A column, or a list of them; `as` gives a name only where `own` takes it.
static bool each_column(Cx *cx, const Ast *e, bool (*add)(Cx *cx, const Ast *column, void *to), void *to) {
  if (e->kind != AST_LIST) return add(cx, e, to);
  for (int i = 0; i < e->nkids; i++)
    if (!add(cx, e->kids[i], to)) return false;
  return true;
}

static bool add_name(Cx *cx, const Ast *e, void *to) {
  const char *name = data_name(cx, e);
  NameList *list = to;
  if (name) vec_push(cx->a, *list, name);
  return name != NULL;
}

static bool names_arg(Cx *cx, const Ast *call, const char *arg, const char *const **to, int *n) {
  const Ast *e = call_arg(call, arg, -1);
  return !e || data_names(cx, e, to, n);
}

bool data_names(Cx *cx, const Ast *e, const char *const **to, int *n) {
  NameList list = {0};
  if (!each_column(cx, e, add_name, &list)) return false;
  *to = list.data;
  *n = list.len;
  return true;
}

typedef enum OwnOf { COLUMNS, ARRAYS, FILES } OwnOf;

typedef struct OwnArgs {
  OwnOf of;
  bool part; // whose fields are called as those of the first file
  reg_own_role role;
  OwnList list;
} OwnArgs;

// `images as x2`, `"y.npy" as kind`: an array of an archive or a file of one. A target without a name is
// `label`.
static bool array_arg(Cx *cx, const Ast *e, const OwnArgs *args, reg_data_op *op) {
  const Ast *as = e->kind == AST_AS ? e : NULL, *of = as ? as->kids[0] : e;
  if (args->of == FILES && of->kind != AST_STR) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, of->span, "the path of a file", ast_text(cx->a, of));
    return false;
  }
  if (!(op->target = data_name(cx, of))) return false;
  op->field = as                                               ? as->name
              : args->of == ARRAYS && text_is_name(op->target) ? op->target
              : args->role == REG_OWN_TARGET                   ? "label"
                                                               : op->target;
  if (!args->part && !may_be_field(cx, as ? as->name_span : e->span, op->field, op->target)) return false;
  if (args->of == FILES) op->target = program_file(cx, of->span, of->name);
  return true;
}

// `id: id`: the number of a row has that name, so the field has another one.
static bool column_arg(Cx *cx, const Ast *e, const OwnArgs *args, reg_data_op *op) {
  if (args->role != REG_OWN_ID || (e->kind != AST_NAME && e->kind != AST_STR) || strcmp(e->name, "id") != 0)
    return field_arg(cx, e, op);
  op->target = e->name;
  op->field = "row";
  return true;
}

static bool add_own(Cx *cx, const Ast *e, void *to) {
  OwnArgs *args = to;
  reg_data_op op = {0};
  if (args->of == COLUMNS ? !column_arg(cx, e, args, &op) : !array_arg(cx, e, args, &op)) return false;
  for (int i = 0; i < args->list.len && !args->part; i++)
    if (!strcmp(args->list.data[i].field, op.field)) {
      diag_emit(&cx->s->diags, DIAG_duplicate_definition, e->span, op.field);
      return false;
    }
  vec_push(cx->a, args->list, ((reg_data_own){.column = op.target, .field = op.field, .role = args->role}));
  return true;
}

static const struct {
  const char *name;
  reg_own_role role;
} own_arguments[] = {
    {"target", REG_OWN_TARGET}, {"weight", REG_OWN_FIELD}, {"group", REG_OWN_FIELD}, {"id", REG_OWN_ID}};

// `position`: of the targets among the arguments. They come first.
static bool own_list(Cx *cx, const Ast *call, int position, OwnArgs *all) {
  for (int i = 0; i < 4; i++) {
    const Ast *e = call_arg(call, own_arguments[i].name, i ? -1 : position);
    all->role = own_arguments[i].role;
    if (e && !each_column(cx, e, add_own, all)) return false;
  }
  return true;
}

// The first target stands in the step itself, the others and what else is a field of its own in the form.
static void put_own(const OwnList *list, reg_data_op *op, reg_csv_form *f) {
  const bool targets = list->len && list->data[0].role == REG_OWN_TARGET;
  if (targets) {
    op->target = list->data[0].column;
    op->field = list->data[0].field;
  }
  f->own = list->len ? list->data + targets : NULL;
  f->nown = list->len - targets;
}

static bool own_args(Cx *cx, const Ast *call, reg_data_op *op, reg_csv_form *f) {
  OwnArgs all = {.of = COLUMNS};
  if (!own_list(cx, call, 1, &all)) return false;
  put_own(&all.list, op, f);
  return true;
}

// One character of ASCII.
static bool byte_arg(Cx *cx, const Ast *call, const char *arg, int *to) {
  const Ast *e = call_arg(call, arg, -1);
  if (!e) return true;
  if (e->kind == AST_STR && e->name[0] > 0 && !e->name[1] && !strchr("\"\n\r", e->name[0]) &&
      (e->name[0] != ' ' || !strcmp(arg, "separator") || !strcmp(arg, "thousands"))) {
    *to = (unsigned char)e->name[0];
    return true;
  }
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "one character in quotes", ast_text(cx->a, e));
  diag_hint(d, "for example `%s: \";\"`; a tab is \"\\t\"", arg);
  return false;
}

static bool lines_arg(Cx *cx, Env *env, const Ast *e, int64_t most, int64_t *to) {
  Value v = eval_expr(cx, env, e);
  v.span = e->span;
  return known_int(cx, &v, "a number of lines", 0, most, to);
}

static bool header_arg(Cx *cx, Env *env, const Ast *call, reg_csv_form *f) {
  const Ast *e = call_arg(call, "header", -1), *skip = call_arg(call, "skip", -1),
            *footer = call_arg(call, "skip_footer", -1);
  if (e) {
    const Value v = eval_expr(cx, env, e);
    if (v.kind == V_FAIL) return false;
    if (v.kind != V_BOOL || e->kind != AST_BOOL) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "true or false", ast_text(cx->a, e));
      return false;
    }
    f->bare = e->num == 0;
  }
  return (!skip || lines_arg(cx, env, skip, INT32_MAX, &f->skip)) &&
         (!footer || lines_arg(cx, env, footer, REG_MOST_FOOTER, &f->footer));
}

static bool form_args(Cx *cx, Env *env, const Ast *call, reg_data_op *op, reg_csv_form *f) {
  return own_args(cx, call, op, f) && names_arg(cx, call, "columns", &f->columns, &f->ncolumns) &&
         names_arg(cx, call, "drop", &f->dropped, &f->ndropped) &&
         names_arg(cx, call, "names", &f->names, &f->nnames) &&
         names_arg(cx, call, "missing", &f->missing, &f->nmissing) &&
         byte_arg(cx, call, "separator", &f->separator) && byte_arg(cx, call, "decimal", &f->decimal) &&
         byte_arg(cx, call, "thousands", &f->thousands) &&
         names_arg(cx, call, "units", &f->units, &f->nunits) && byte_arg(cx, call, "comment", &f->comment) &&
         header_arg(cx, env, call, f);
}

bool csv_source(Cx *cx, Env *env, const Ast *call, const reg_data_op *first, reg_data_op *op) {
  reg_csv_form *f = ARENA_NEW(cx->a, reg_csv_form);
  op->kind = REG_DATA_CSV;
  if (first && first->nforms) *f = *first->form; // what a part does not say is as in the first file
  const reg_csv_form before = *f;
  if (!paths_arg(cx, call, op) || !form_args(cx, env, call, op, f)) return false;
  if (first && call->nkids == 2) return true;
  if (first) {
    f->own = before.own;
    f->nown = before.nown;
  }
  const size_t length = strlen(op->path);
  if (!f->separator && length > 4 && !strcmp(op->path + length - 4, ".tsv")) f->separator = '\t';
  const int separator = f->separator ? f->separator : ',', decimal = f->decimal ? f->decimal : '.';
  if (separator == decimal && !f->decimal) { // one that is said is that of numbers in quotes
    const Ast *at = call_arg(call, "separator", -1);
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at ? at->span : call->span,
                        arena_printf(cx->a, "the decimal mark `%c`", decimal), "where it separates fields");
    diag_hint(d, "`decimal: \",\"` says another mark");
    return false;
  }
  if (f->thousands == decimal) {
    const Ast *at = call_arg(call, "thousands", -1);
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at ? at->span : call->span,
                        arena_printf(cx->a, "`%c` between thousands", f->thousands),
                        "where it is the decimal mark");
    diag_hint(d, "1.234,5 is written with `thousands: \".\", decimal: \",\"`");
    return false;
  }
  op->nforms = 1;
  op->form = f;
  return true;
}

bool number_arg(Cx *cx, Env *env, const Ast *call, const char *arg, int position, const char *what,
                int64_t *to) {
  const Ast *e = call_arg(call, arg, position);
  if (!e) return true;
  Value v = eval_expr(cx, env, e);
  v.span = e->span;
  return known_int(cx, &v, what, 1, INT32_MAX, to);
}

static bool refuse_beside(Cx *cx, const Ast *at, const char *what, const char *beside) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at->span, what, beside);
  diag_hint(d, "rows are windows or lines, tokens are characters, words or pieces of words");
  return false;
}

// The share of merges that are passed over: below 1, for else nothing would ever be merged.
static bool drop_arg(Cx *cx, Env *env, const Ast *e, reg_data_op *op) {
  if (!e) return true;
  if (!op->merges) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, "`drop`", "without `merges`");
    diag_hint(d,
              "it is the share of the merges that are passed over while training: `merges: 500, drop: 10%%`");
    return false;
  }
  if (!data_number(cx, env, e, "a share", &op->drop)) return false;
  if (op->drop >= 0 && op->drop < 1) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a share from 0 to below 1", ast_text(cx->a, e));
  return false;
}

bool tokens_args(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *merges = call_arg(call, "merges", -1);
  if (!number_arg(cx, env, call, "words", -1, "a number of words", &op->words) ||
      !number_arg(cx, env, call, "merges", -1, "a number of merges", &op->merges))
    return false;
  if (op->words && op->merges) return refuse_beside(cx, merges, "`merges`", "beside `words`");
  return drop_arg(cx, env, call_arg(call, "drop", -1), op);
}

bool text_source(Cx *cx, Env *env, const Ast *call, reg_data_op *op) {
  const Ast *lines = call_arg(call, "lines", -1);
  op->kind = REG_DATA_TEXT;
  op->lines = lines != NULL;
  if (!path_arg(cx, call, "text", op) ||
      !number_arg(cx, env, call, "window", 1, "a number of characters", &op->window) ||
      !tokens_args(cx, env, call, op))
    return false;
  if (op->window && lines) return refuse_beside(cx, lines, "`lines`", "beside `window`");
  if (lines && !number_arg(cx, env, call, "lines", -1, "a number of places", &op->window)) return false;
  if (!op->window) diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "text", "window");
  return op->window > 0;
}

bool idx_source(Cx *cx, const Ast *call, reg_data_op *op) {
  const Ast *labels = call_arg(call, "labels", 1);
  op->kind = REG_DATA_IDX;
  if (!path_arg(cx, call, "idx", op)) return false;
  if (!labels) return true;
  if (labels->kind != AST_STR) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, labels->span, "the path of a file", ast_text(cx->a, labels));
    return false;
  }
  op->labels = program_file(cx, labels->span, labels->name);
  op->target = op->field = "label";
  return true;
}

static int of_role(const OwnList *list, reg_own_role role) {
  int n = 0;
  for (int i = 0; i < list->len; i++) n += list->data[i].role == role;
  return n;
}

// The fields of a part are those of the first file, in their order. What it does not say is called as there
// in an archive; files have other names.
static bool part_arrays(Cx *cx, const Ast *call, const reg_data_op *first, OwnArgs *said) {
  OwnList all = {0};
  const bool archive = first->array != NULL;
  if (first->labels)
    vec_push(cx->a, all,
             ((reg_data_own){.column = first->labels, .field = first->field, .role = REG_OWN_TARGET}));
  for (int i = 0; first->nforms && i < first->form->nown; i++) vec_push(cx->a, all, first->form->own[i]);
  for (reg_own_role role = REG_OWN_TARGET; role <= REG_OWN_ID; role++) {
    const int wanted = of_role(&all, role), given = of_role(&said->list, role);
    if (given == wanted || (archive && !given)) continue;
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_wrong_kind, call->span,
                  arena_printf(cx->a, "%d array%s as in the first file", wanted, wanted == 1 ? "" : "s"),
                  arena_printf(cx->a, "%d", given));
    diag_hint(d, "`target`, `weight` and `group`, and `id`, say which arrays of the part are its fields");
    return false;
  }
  for (int i = 0, at = 0; i < all.len; i++)
    if (of_role(&said->list, all.data[i].role)) all.data[i].column = said->list.data[at++].column;
  said->list = all;
  return true;
}

// Of an archive, the arrays' names stand for files.
bool npy_source(Cx *cx, const Ast *call, bool archive, const reg_data_op *first, reg_data_op *op) {
  const Ast *x = call_arg(call, "x", 1);
  OwnArgs own = {.of = archive ? ARRAYS : FILES, .part = first != NULL};
  reg_csv_form *f = ARENA_NEW(cx->a, reg_csv_form);
  op->kind = REG_DATA_NPY;
  if (!path_arg(cx, call, archive ? "npz" : "npy", op)) return false;
  if (archive && !(op->array = x ? data_name(cx, x) : first ? first->array : "x")) return false;
  if (!own_list(cx, call, archive ? 2 : 1, &own) || (first && !part_arrays(cx, call, first, &own)))
    return false;
  put_own(&own.list, op, f);
  op->labels = op->target;
  op->target = op->field;
  op->nforms = f->nown > 0;
  op->form = f;
  return true;
}

// `size: [32, 48]`; one number is both.
static bool size_arg(Cx *cx, Env *env, const Ast *e, reg_image_form *f) {
  enum { LARGEST = 16384 };
  const bool list = e->kind == AST_LIST && e->nkids == 2;
  for (int i = 0; i < 2; i++) {
    const Ast *one = list ? e->kids[i] : e;
    Value v = eval_expr(cx, env, one);
    v.span = one->span;
    if (!known_int(cx, &v, i ? "a width in pixels" : "a height in pixels", 1, LARGEST,
                   i ? &f->width : &f->height))
      return false;
  }
  return true;
}

// Images of all parts are alike: what becomes of them is said once.
bool images_source(Cx *cx, Env *env, const Ast *call, const reg_data_op *first, reg_data_op *op) {
  const Ast *size = call_arg(call, "size", -1), *grey = call_arg(call, "grey", -1),
            *more = size ? size : grey;
  reg_image_form *f = ARENA_NEW(cx->a, reg_image_form);
  op->kind = REG_DATA_IMAGES;
  if (!path_arg(cx, call, "images", op)) return false;
  if (first && more) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, more->span, size ? "`size`" : "`grey`",
                        "of a part in a folder of its own");
    diag_hint(d, "all parts are as the first folder's images: it stands there");
    return false;
  }
  if (size && !size_arg(cx, env, size, f)) return false;
  if (grey && grey->kind != AST_BOOL) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, grey->span, "true or false", ast_text(cx->a, grey));
    return false;
  }
  f->grey = grey && grey->num != 0;
  op->nimages = 1;
  op->images = f;
  return true;
}
