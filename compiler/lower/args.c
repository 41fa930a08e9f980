// Arguments bound to parameters, checked against their declared types, ranges and shapes.
#include "../base/words.h"
#include "value.h"
#include <math.h>
#include <string.h>

// -- shapes

static int64_t size_of_number(double x) {
  return x >= 0 && x <= INT32_MAX && x == floor(x) ? (int64_t)x : -1;
}

// A size in a declared shape that is an expression: its value now; -1 where it is not known or no size.
static int64_t dim_value(Cx *cx, Env *env, const Ast *dim) {
  if (dim->kind == AST_NUM) return size_of_number(dim->num);
  if (dim->kind == AST_NAME) {
    Value *v = env_get(env, dim->name);
    if (v) live_fix(cx, v);
    if (v && v->size && v->size->count) return v->size->size;
    return v && v->kind == V_NUM ? size_of_number(v->num) : -1;
  }
  Value v = eval_expr(cx, env, dim);
  live_fix(cx, &v);
  return v.kind == V_NUM ? size_of_number(v.num) : -1;
}

const char *pattern_text(Cx *cx, const Env *env, const Ast *pattern) {
  StrBuf b = {.arena = cx->a};
  strbuf_add(&b, "[");
  for (int i = 0; i < pattern->nkids; i++) {
    const Ast *dim = pattern->kids[i];
    if (i) strbuf_add(&b, ", ");
    if (dim->kind == AST_ELLIPSIS) {
      strbuf_addf(&b, "%s..", dim->name ? dim->name : "");
      const Value *v = dim->name ? env_get(env, dim->name) : NULL;
      for (int k = 0; v && v->kind == V_LIST && k < v->nitems; k++)
        strbuf_addf(&b, "%s%.10g", k ? ", " : " = ", v->items[k].num);
      continue;
    }
    strbuf_add(&b, ast_text(cx->a, dim));
    Value *v = dim->kind == AST_NAME ? env_get(env, dim->name) : NULL;
    if (v && v->kind == V_NUM) strbuf_addf(&b, " = %.10g", v->num);
    if (v && v->size && v->size->count) strbuf_addf(&b, " <= %lld", (long long)v->size->size);
  }
  strbuf_add(&b, "]");
  return b.data;
}

// A name that is bound is a dimension: of this call, where it was first met here.
static bool same_dimension(Env *env, const Value *bound, const Dim *given, Misfit *misfit) {
  const Dim *d = bound->size;
  const bool counted = (d && d->count) || (given && given->count);
  *misfit = (Misfit){d, given};
  if (!d || d->scope != env)
    return !counted || dim_relation(d, given) == DIM_SAME; // a number of another call
  const Relation r = dim_relation(d->of && (!given || given->scope != env) ? d->of : d, given);
  if (r == DIM_OTHER || (counted && r != DIM_SAME)) return false;
  if (!d->of && given && given->scope != env) ((Dim *)d)->of = given;
  return true;
}

static void bind_dimension(Cx *cx, Env *env, const Ast *name, int64_t size, const Dim *given) {
  Dim *d = ARENA_NEW(cx->a, Dim);
  *d = (Dim){.name = arena_strdup(cx->a, name->name),
             .size = size,
             .count = given ? given->count : NULL,
             .each = given ? given->each : NULL,
             .scope = env,
             .of = given,
             .at = name->span};
  env_set(cx, env, name->name, size_value(d, size, name->span));
}

// The leading axes that `rows..` stands for: the same wherever it occurs.
static bool match_leading(Cx *cx, Env *env, const Ast *dim, const int64_t *size, Dims dims, int axis, int n,
                          Misfit *misfit) {
  const Value *before = env_get(env, dim->name);
  if (before && before->kind == V_LIST) {
    bool same = before->nitems == n;
    for (int i = 0; i < n && same; i++) {
      const Dim *d = before->items[i].size, *given = dim_of(dims, axis + i);
      same = (d ? d->size : (int64_t)before->items[i].num) == size[i] && dims_agree(d, given);
      if (!dims_agree(d, given)) *misfit = (Misfit){d, given};
    }
    return same;
  }
  Value v = {.kind = V_LIST, .nitems = n, .items = ARENA_ARRAY(cx->a, Value, n + 1), .span = dim->span};
  for (int i = 0; i < n; i++) v.items[i] = size_value(dim_of(dims, axis + i), size[i], dim->span);
  env_set(cx, env, dim->name, v);
  return true;
}

// `<=40`, `<=t`: so many at most, and each row may have a number of its own.
bool is_most(const Ast *dim) { return dim->kind == AST_UNARY && dim->op == OPR_LE; }

// A column of data whose rows have lengths is seen with them, where they are asked for.
static void with_lengths(Cx *cx, const Ast *pattern, Value *v) {
  bool most = false;
  for (int i = 0; i < pattern->nkids; i++) most = most || is_most(pattern->kids[i]);
  if (most) ragged_field(cx, v);
}

bool match_shape(Cx *cx, Env *env, const Ast *pattern, Shape s, Dims dims, bool implicit_leading,
                 Misfit *misfit) {
  int n = pattern->nkids, ellipsis = -1;
  for (int i = 0; i < n; i++)
    if (pattern->kids[i]->kind == AST_ELLIPSIS) ellipsis = i;
  int fixed = n - (ellipsis >= 0);
  bool open = ellipsis >= 0 || implicit_leading;
  if (open ? s.rank < fixed : s.rank != fixed) return false;
  int skipped = s.rank - fixed;
  for (int i = 0, axis = ellipsis >= 0 ? 0 : skipped; i < n; i++) {
    const bool most = is_most(pattern->kids[i]);
    const Ast *dim = most ? pattern->kids[i]->kids[0] : pattern->kids[i];
    if (i == ellipsis) {
      if (dim->name && !match_leading(cx, env, dim, s.dim + axis, dims, axis, skipped, misfit)) return false;
      axis += skipped;
      continue;
    }
    const int64_t want = dim_value(cx, env, dim);
    const Dim *given = dim_of(dims, axis);
    const Value *bound = dim->kind == AST_NAME ? env_get(env, dim->name) : NULL;
    if (want < 0 && dim->kind == AST_NAME)
      bind_dimension(cx, env, dim, s.dim[axis], given);
    else if (most && !bound ? want < s.dim[axis] : want != s.dim[axis])
      return false;
    else if (bound ? !same_dimension(env, bound, given, misfit) : !most && given && given->count)
      return false;
    axis++;
  }
  *misfit = (Misfit){0};
  return true;
}

// What the axes of a tensor of the declared shape are: the names that the shape gives them; what has none is
// what it was.
Dims declared_dims(Cx *cx, const Env *env, const Ast *pattern, int rank, Dims given) {
  const Dim **dims = dims_copy(cx, given, rank);
  int axis = 0, ellipsis = -1;
  for (int i = 0; i < pattern->nkids; i++)
    if (pattern->kids[i]->kind == AST_ELLIPSIS) ellipsis = i;
  if (ellipsis < 0) axis = rank - pattern->nkids;
  for (int i = 0; i < pattern->nkids; i++, axis++) {
    const Ast *dim = is_most(pattern->kids[i]) ? pattern->kids[i]->kids[0] : pattern->kids[i];
    const Value *size = dim->kind == AST_NAME ? env_get(env, dim->name) : NULL;
    if (i == ellipsis)
      axis += rank - pattern->nkids;
    else if (size && size->size)
      dims[axis] = size->size;
  }
  return dims;
}

// -- arguments

typedef struct Range {
  double low, high;
  bool has_low, has_high, whole;
} Range;

static bool bound_number(Cx *cx, Env *env, const Ast *e, double *out) {
  if (!e) return false;
  Value v = eval_expr(cx, env, e);
  return value_number(cx, &v, "a bound", out);
}

static Range declared_range(Cx *cx, Env *env, const Ast *type) {
  Range r = {0};
  if (type->name && !strcmp(type->name, "rate")) r = (Range){0, 1, true, true, false};
  r.whole = type->name && !strcmp(type->name, "int");
  const Ast *range = type->nkids ? type->kids[0] : NULL;
  if (range && range->kind == AST_RANGE) {
    r.has_low |= bound_number(cx, env, range->kids[0], &r.low);
    r.has_high |= bound_number(cx, env, range->kids[1], &r.high);
  }
  return r;
}

static const char *range_text(Cx *cx, Range r) {
  const char *kind = r.whole ? "a whole number" : "a number";
  if (r.has_low && r.has_high) return arena_printf(cx->a, "%s from %.10g to %.10g", kind, r.low, r.high);
  if (r.has_low) return arena_printf(cx->a, "%s of at least %.10g", kind, r.low);
  if (r.has_high) return arena_printf(cx->a, "%s of at most %.10g", kind, r.high);
  return kind;
}

static bool in_range(Range r, double x) {
  return !(r.has_low && x < r.low) && !(r.has_high && x > r.high) && !(r.whole && x != floor(x)) && x == x;
}

// A schedule's values at up to 200 steps of the planned training must lie in the range.
static bool schedule_in_range(Cx *cx, Node *n, Range r, double *bad, int64_t *at) {
  int64_t total = cx->t ? cx->t->total_steps : 1, stride = total > 200 ? total / 200 : 1;
  double **preset = ARENA_ARRAY(cx->a, double *, cx->g->nodes.len);
  Node *step = NULL, *epoch = NULL;
  double *live = ARENA_ARRAY(cx->a, double, cx->g->inputs.len + 1);
  for (int i = 0; i < cx->g->inputs.len; i++) {
    Node *in = cx->g->inputs.data[i];
    live[i] = live_default(cx, in);
    if (!isnan(live[i]))
      preset[in->id] = &live[i];
    else if (is_port(in, REG_SLOT_STEP))
      step = in;
    else if (is_port(in, REG_SLOT_EPOCH))
      epoch = in;
    else if (graph_depends(cx->g, n, in))
      return true; // depends on data or parameters: known only when it runs
  }
  if (graph_uses(cx->g, n, OP_HOLE)) return true; // depends on a loop's turn
  double s = 0, e = 0;
  if (step) preset[step->id] = &s;
  if (epoch) preset[epoch->id] = &e;
  for (int64_t i = 0; i < total; i += stride) {
    s = (double)i;
    e = cx->t ? floor(s / (double)cx->t->steps_per_epoch) : 0;
    double x = graph_eval_scalar(cx->a, cx->g, n, preset);
    double slack = 1e-6 * (1 + fabs(x)); // the graph's own rounding
    Range loose = {r.low - slack, r.high + slack, r.has_low, r.has_high, false};
    if (!in_range(loose, x)) {
      *bad = x, *at = i;
      return false;
    }
  }
  return true;
}

static bool check_number(Cx *cx, Env *env, const Def *d, const Ast *p, Value *v) {
  const Ast *type = p->kids[0];
  Range r = declared_range(cx, env, type);
  if (value_is_const(v)) {
    double x = plain_number(v);
    if (v->unit <= UNIT_PERCENT && in_range(r, x)) {
      if (r.whole) live_fix(cx, v);
      live_range(cx, v, r.has_low ? r.low : -INFINITY, r.has_high ? r.high : INFINITY);
      v->num = x, v->unit = UNIT_NONE; // a share is a number from here on
      return true;
    }
    Diag *diag = diag_emit(&cx->s->diags, DIAG_out_of_range, v->span, p->name, d->name, range_text(cx, r),
                           value_text(cx, v));
    diag_note(diag, p->name_span, "declared here");
    return false;
  }
  if (r.whole && v->size && v->size->count) return true; // a size that is known when the program runs
  if (r.whole) {
    diag_emit(&cx->s->diags, v->kind == V_TENSOR ? DIAG_not_constant : DIAG_wrong_kind, v->span,
              v->kind == V_TENSOR ? arena_printf(cx->a, "`%s` of `%s`", p->name, d->name) : "a whole number",
              value_text(cx, v));
    return false;
  }
  live_range(cx, v, r.has_low ? r.low : -INFINITY, r.has_high ? r.high : INFINITY);
  Value probe = *v;
  Node *n = value_wide(cx, &probe);
  if (!n) return false;
  double bad;
  int64_t at;
  if (n->shape.rank == 0 && dtype_is_float(n->dtype) && (r.has_low || r.has_high) &&
      !schedule_in_range(cx, n, r, &bad, &at)) {
    Diag *diag = diag_emit(&cx->s->diags, DIAG_out_of_range, v->span, p->name, d->name, range_text(cx, r),
                           arena_printf(cx->a, "%.6g at step %lld", bad, (long long)at));
    diag_note(diag, p->name_span, "declared here");
    return false;
  }
  return true;
}

// NULL: what it says needs no more.
static Diag *shape_misfit(Cx *cx, Env *env, const Def *d, const Ast *p, const Ast *pattern, const Value *v,
                          const Node *n, const Misfit *misfit) {
  if (misfit->declared || misfit->given) {
    report_dims(cx, arena_printf(cx->a, "`%s` of `%s`", p->name, d->name), misfit->declared, misfit->given,
                v->span);
    return NULL;
  }
  Diag *diag =
      diag_emit(&cx->s->diags, DIAG_shape_expected, v->span, d->name, arena_printf(cx->a, "`%s`", p->name),
                pattern_text(cx, env, pattern), dims_text(cx, n->shape, value_dims(cx, v)));
  diag_note(diag, pattern->span, "declared here");
  return diag;
}

// A tensor argument against a declared shape. A field with one number a row fits [n, 1] too.
static bool check_shape(Cx *cx, Env *env, const Def *d, const Ast *p, Value *v) {
  const Ast *pattern = p->kids[0];
  if (tree_of(cx, v) && pattern->nkids == 1 && pattern->kids[0]->kind == AST_ELLIPSIS)
    return true; // each of any shape
  with_lengths(cx, pattern, v);
  Node *n = counted_node(cx, v);
  if (!n) return false;
  const Dims dims = value_dims(cx, v);
  Misfit misfit = {0};
  if (v->kind == V_FIELD && pattern->nkids == n->shape.rank + 1 &&
      pattern->kids[pattern->nkids - 1]->kind != AST_ELLIPSIS) {
    Shape column = n->shape;
    column.dim[column.rank++] = 1;
    n = graph_reshape(cx->g, n, column);
  }
  bool model = d->kind == KIND_MODEL;
  if (!match_shape(cx, env, pattern, n->shape, dims, model, &misfit)) {
    Diag *diag = shape_misfit(cx, env, d, p, pattern, v, n, &misfit);
    if (diag && n->origin.source && n->origin.start != v->span.start)
      diag_note(diag, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
    return false;
  }
  *v = (Value){.kind = V_TENSOR,
               .node = n,
               .classes = v->classes,
               .dims = declared_dims(cx, env, pattern, n->shape.rank, dims),
               .span = v->span};
  return true;
}

// The number of classes behind `of`; 0: none is declared; -1: it is what the labels say.
static int64_t declared_classes(Cx *cx, Env *env, const Ast *type) {
  return type->kids[2] ? dim_value(cx, env, type->kids[2]) : 0;
}

static bool classes_fit(Cx *cx, const Def *d, const Value *v, int64_t classes, int64_t declared) {
  if (declared <= 0 || classes <= 0 || classes == declared) return true;
  Diag *diag = diag_emit(&cx->s->diags, DIAG_shape_mismatch, v->span, arena_printf(cx->a, "`%s`", d->name),
                         arena_printf(cx->a, "%lld outputs", (long long)declared),
                         arena_printf(cx->a, "%lld classes", (long long)classes));
  diag_hint(diag, "the model's last layer needs one unit for each class: %lld", (long long)classes);
  return false;
}

// `labels [n] of c`: whole numbers from 0 to below c, of that shape.
static bool check_labels(Cx *cx, Env *env, const Def *d, const Ast *p, Value *v) {
  const Ast *type = p->kids[0];
  int64_t declared = declared_classes(cx, env, type),
          classes = v->kind == V_FIELD ? field_data(cx, v)->fields[v->field].nclasses : v->classes;
  if (!classes_fit(cx, d, v, classes, declared)) return false;
  if (type->kids[1]) with_lengths(cx, type->kids[1], v);
  Node *n = counted_value_index(cx, v, declared > 0 ? declared : (int64_t)INT32_MAX + 1, NULL);
  if (!n) return false;
  Dims dims = value_dims(cx, v);
  Misfit misfit = {0};
  if (type->kids[1] && !match_shape(cx, env, type->kids[1], n->shape, dims, d->kind == KIND_MODEL, &misfit)) {
    shape_misfit(cx, env, d, p, type->kids[1], v, n, &misfit);
    return false;
  }
  if (type->kids[1]) dims = declared_dims(cx, env, type->kids[1], n->shape.rank, dims);
  if (declared < 0 && classes <= 0) {
    diag_emit(&cx->s->diags, DIAG_not_constant, v->span,
              arena_printf(cx->a, "`%s`, the number of classes,", type->kids[2]->name));
    return false;
  }
  if (declared < 0) env_set(cx, env, type->kids[2]->name, v_num((double)classes, type->kids[2]->span));
  *v = (Value){.kind = V_TENSOR,
               .node = n,
               .classes = declared > 0 ? declared : classes,
               .dims = dims,
               .span = v->span};
  return true;
}

bool result_labels(Cx *cx, Env *env, const Def *d, const Ast *type, Value *v) {
  Ast *kids[] = {(Ast *)type, NULL};
  const Ast result = {
      .kind = AST_PARAMDECL, .name = "the result", .span = type->span, .kids = kids, .nkids = 2};
  return check_labels(cx, env, d, &result, v);
}

static bool check_word(Cx *cx, Env *env, const Def *d, const Ast *p, Value *v) {
  const char *word = p->kids[0]->name;
  if (!word || !strcmp(word, "number") || !strcmp(word, "rate") || !strcmp(word, "int"))
    return check_number(cx, env, d, p, v);
  if (!strcmp(word, "labels")) return check_labels(cx, env, d, p, v);
  if (!strcmp(word, "time")) {
    double steps;
    Node *live = NULL;
    if (!value_steps(cx, v, &steps, &live)) return false;
    if (steps <= 0) {
      diag_emit(&cx->s->diags, DIAG_out_of_range, v->span, p->name, d->name, "a time above 0",
                value_text(cx, v));
      return false;
    }
    warn_time(cx, d, p, v, steps);
    *v = v_num(steps, v->span);
    v->live = live;
    return true;
  }
  static const struct {
    const char *word;
    unsigned kinds;
    const char *text;
  } words[] = {{"bool", 1u << V_BOOL, "true or false"},
               {"text", 1u << V_TEXT, "a text"},
               {"fn", 1u << V_FN | 1u << V_BUILTIN | 1u << V_MODEL | 1u << V_LOCAL, "a function"}};
  for (int i = 0; i < 3; i++) {
    if (strcmp(words[i].word, word)) continue;
    if (words[i].kinds >> v->kind & 1) return true;
    diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, words[i].text, value_text(cx, v));
    return false;
  }
  diag_emit(&cx->s->diags, DIAG_wrong_kind, p->kids[0]->span,
            "a type (number, int, rate, bool, time, labels, text, fn, or a shape)",
            arena_printf(cx->a, "`%s`", word));
  return false;
}

static bool accept_value(Cx *cx, Env *env, Def *d, const Ast *p, Value v) {
  const Ast *type = p->kids[0];
  bool ok =
      !type || (type->kind == AST_LIST ? check_shape(cx, env, d, p, &v) : check_word(cx, env, d, p, &v));
  env_set(cx, env, p->name, ok ? named(cx, v) : v_fail()); // defaults of others may read it
  return ok;
}

static bool accept(Cx *cx, Env *env, Def *d, const Ast *p, Value v) {
  if (v.kind == V_FAIL) return false;
  if (p->op == OPR_ARROW) {
    if (v.kind != V_RANGE || v.nitems != 2 || v.items[0].kind == V_NONE || v.items[1].kind == V_NONE) {
      Diag *diag = diag_emit(&cx->s->diags, DIAG_wrong_kind, v.span,
                             arena_printf(cx->a, "`%s -> %s` with both ends", p->name, p->kids[2]->name),
                             value_text(cx, &v));
      if (v.kind == V_TENSOR) word_hint(diag, d->name, WORD_LAYER, NULL, 0);
      if (v.kind == V_NUM)
        diag_hint(diag, "both ends are one argument: `%s(%s -> 0)`", d->name, value_text(cx, &v));
      return false;
    }
    Ast to = *p;
    to.name = p->kids[2]->name;
    to.name_span = p->kids[2]->span;
    return accept_value(cx, env, d, p, v.items[0]) && accept_value(cx, env, d, &to, v.items[1]);
  }
  return accept_value(cx, env, d, p, v);
}

const Ast *find_param(const Def *d, const char *name) {
  const Ast *ps = d->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++)
    if (!strcmp(ps->kids[i]->name, name)) return ps->kids[i];
  return NULL;
}

bool bind_args(Cx *cx, Def *d, BoundArg *args, int nargs, Span at, Env *into, bool missing_ok) {
  const Ast *ps = d->ast->kids[0];
  int n = ps ? ps->nkids : 0, positional = 0;
  const BoundArg **given = ARENA_ARRAY(cx->a, const BoundArg *, n + 1);
  for (int i = 0; i < nargs; i++) {
    int k;
    if (args[i].name) {
      const Ast *p = find_param(d, args[i].name);
      for (k = 0; k < n && ps->kids[k] != p; k++) {
      }
      if (!p) {
        diag_emit(&cx->s->diags, DIAG_unknown_argument, args[i].span, d->name, args[i].name);
        return false;
      }
    } else {
      while (positional < n && given[positional]) positional++;
      k = positional;
    }
    if (k >= n) {
      diag_emit(&cx->s->diags, DIAG_too_many_arguments, at, d->name, n, nargs);
      return false;
    }
    if (given[k]) {
      diag_emit(&cx->s->diags, DIAG_duplicate_argument, args[i].span, ps->kids[k]->name);
      return false;
    }
    given[k] = &args[i];
  }
  bool ok = true;
  for (int k = 0; k < n; k++) { // in declared order: shapes bind names that later ones use
    const Ast *p = ps->kids[k];
    if (given[k]) {
      ok &= accept(cx, into, d, p, *given[k]->value);
    } else if (p->kids[1]) {
      const Span outer = cx->at;
      cx->at = at;
      Value v = eval_expr(cx, into, p->kids[1]);
      cx->at = outer;
      ok &= accept(cx, into, d, p, v);
    } else if (!missing_ok) {
      Diag *diag = diag_emit(&cx->s->diags, DIAG_missing_argument, at, d->name, p->name);
      diag_note(diag, p->span, "declared here, without a default");
      ok = false;
    }
  }
  return ok;
}
