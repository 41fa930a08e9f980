// Calls of built-in functions: arguments bound by the signatures of builtins.def and judged by their kinds,
// once for all of them; what works element by element goes through `lift`.
#include "builtins.h"
#include "../graph/ops.h"
#include <math.h>
#include <string.h>

// -- arguments

static unsigned kinds_of(const Value *v) {
  enum {
    TENSOR = 1 << ARG_TENSOR,
    KNOWN = 1 << ARG_NUMBER | 1 << ARG_INT | 1 << ARG_AXIS | 1 << ARG_AXES, // told apart where they are read
    INDEX = 1 << ARG_INDEX
  };
  switch (v->kind) {
  case V_NUM:
    if (v->unit == UNIT_EPOCHS) return 1 << ARG_TIME;
    return TENSOR | KNOWN | INDEX | (v->unit == UNIT_NONE ? 0 : 1 << ARG_TIME);
  case V_BOOL: return TENSOR | 1 << ARG_NUMBER | 1 << ARG_BOOL;
  case V_TENSOR: return v->node->dtype == DT_BOOL ? TENSOR : TENSOR | KNOWN | INDEX;
  case V_FIELD: return TENSOR | INDEX;
  case V_LIST: return TENSOR | INDEX | 1 << ARG_SHAPE | 1 << ARG_AXES;
  case V_TREE: return 1 << ARG_TREE;
  case V_MODEL: return 1 << ARG_TREE | 1 << ARG_MODEL;
  case V_RANGE: return v->num == 0 ? 1 << ARG_RANGE | 1 << ARG_AXES : 0;
  case V_TEXT: return 1 << ARG_TEXT;
  default: return 0;
  }
}

static bool accepts(Cx *cx, Builtin b, const Signature *sig, int k, const BoundArg *arg) {
  const unsigned kinds = sig->param[k].kinds;
  if (kinds_of(arg->value) & kinds) return true;
  StrBuf want = {.arena = cx->a};
  int left = __builtin_popcount(kinds);
  for (int i = 0; i < ARG_KIND_COUNT; i++)
    if (kinds >> i & 1) strbuf_addf(&want, "%s%s", arg_kind_text[i], --left > 1 ? ", " : left ? " or " : "");
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, arg->span, want.data, value_text(cx, arg->value));
  diag_note(d, (Span){0}, "for `%s` of `%s`", sig->param[k].name, builtin_info[b].name);
  return false;
}

static bool too_many(Cx *cx, Builtin b, const Signature *sig, int nargs, Span at) {
  Diag *d =
      diag_emit(&cx->s->diags, DIAG_too_many_arguments, at, builtin_info[b].name, sig->positional, nargs);
  if (sig->positional < sig->n) {
    StrBuf rest = {.arena = cx->a};
    for (int k = sig->positional; k < sig->n; k++)
      strbuf_addf(&rest, "%s`%s: …`", k > sig->positional ? ", " : "", sig->param[k].name);
    diag_hint(d, "%s: by name", rest.data);
  }
  return false;
}

static bool bind_signature(Cx *cx, Builtin b, BoundArg *args, int nargs, Span at, Args *out) {
  const Signature sig = builtin_signature(b);
  const char *name = builtin_info[b].name;
  *out = (Args){.b = b, .at = at, .many = ARENA_ARRAY(cx->a, const Value *, nargs + 1)};
  int positional = 0;
  for (int i = 0; i < nargs; i++) {
    int k = 0;
    if (args[i].name) {
      while (k < sig.n && strcmp(sig.param[k].name, args[i].name)) k++;
      if (k == sig.n) {
        diag_emit(&cx->s->diags, DIAG_unknown_argument, args[i].span, name, args[i].name);
        return false;
      }
    } else {
      k = positional;
      if (k >= sig.positional) return too_many(cx, b, &sig, nargs, at);
      positional += !sig.param[k].many;
    }
    if (out->v[k]) {
      diag_emit(&cx->s->diags, DIAG_duplicate_argument, args[i].span, sig.param[k].name);
      return false;
    }
    if (!accepts(cx, b, &sig, k, &args[i])) return false;
    if (sig.param[k].many)
      out->many[out->nmany++] = args[i].value;
    else
      out->v[k] = args[i].value;
  }
  for (int k = 0; k < sig.n; k++) {
    if (out->v[k] || sig.param[k].optional || (sig.param[k].many && out->nmany)) continue;
    diag_emit(&cx->s->diags, DIAG_missing_argument, at, name, sig.param[k].name);
    return false;
  }
  return true;
}

// -- element by element

Op builtin_operation(Builtin b) {
  const char *name = builtin_info[b].name;
  const int op = b == B_LOG1P_EXP ? OP_SOFTPLUS : op_find(name, strlen(name));
  if (op < 0) ice("lower", "`%s` has no operation", name);
  return (Op)op;
}

Value call_pointwise(Cx *cx, const Args *a) {
  const Value *x = a->v[0];
  if (a->b == B_STOP && (value_is_const(x) || (x->kind == V_TENSOR && !dtype_is_float(x->node->dtype))))
    return *x;
  return unary_op(cx, builtin_operation(a->b), x, a->at);
}

static Value of_two(Cx *cx, const Args *a, const Value *y) {
  const Lifted f = {builtin_operation(a->b), TAKES_NUMBERS, false,
                    arena_printf(cx->a, "`%s`", builtin_info[a->b].name)};
  return lift(cx, &f, (Value[]){*a->v[0], *y}, 2, a->at);
}

Value call_pairwise(Cx *cx, const Args *a) { return of_two(cx, a, a->v[1]); }

Value call_polygamma(Cx *cx, const Args *a) {
  int64_t n;
  if (!known_int(cx, a->v[1], "an order", 0, 20, &n)) return v_fail();
  const Value order = v_num((double)n, a->v[1]->span);
  return of_two(cx, a, &order);
}

Value larger(Cx *cx, Op op, const char *text, const Value *x, const Value *y, Span at) {
  const Lifted f = {op, TAKES_NUMBERS, true, text};
  return lift(cx, &f, (Value[]){*x, *y}, 2, at);
}

// x where it lies within the ends, at them too, so that its gradient passes there; a NaN stays.
Value call_clamp(Cx *cx, const Args *a) {
  const Value *x = a->v[0], *low = a->v[1], *high = a->v[2];
  if (value_is_const(x) && value_is_const(low) && value_is_const(high)) {
    Value risen = larger(cx, OP_MAX, "`clamp`", x, low, a->at);
    return risen.kind == V_FAIL ? risen : larger(cx, OP_MIN, "`clamp`", &risen, high, a->at);
  }
  const Lifted less = {OP_LT, TAKES_ORDERED, true, "`clamp`"},
               select = {OP_SELECT, TAKES_CHOICE, true, "`clamp`"};
  Value under = lift(cx, &less, (Value[]){*x, *low}, 2, a->at);
  Value risen = lift(cx, &select, (Value[]){under, *low, *x}, 3, a->at);
  Value over = lift(cx, &less, (Value[]){*high, risen}, 2, a->at);
  return lift(cx, &select, (Value[]){over, *high, risen}, 3, a->at);
}

// -- the table

static Value outside(Cx *cx, Builtin b, Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at,
                      arena_printf(cx->a, "`%s`", builtin_info[b].name), "outside of training");
  if (cx->at.source && cx->at.start != at.start) diag_note(d, cx->at, "in this call");
  return v_fail();
}

Value builtin_value(Cx *cx, Builtin b, Span at) {
  bool timed = b == B_STEP || b == B_NOW || b == B_EPOCH;
  switch (b) {
  case B_PI: return v_num(3.14159265358979323846, at);
  case B_TRAINING: return v_bool(cx->training, at);
  case B_OBJECTIVE:
    cx->effects++; // it is not the same everywhere
    if (cx->objective) return v_tensor(cx->objective, at);
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, "`objective`", "outside of an optimizer");
    return v_fail();
  case B_SAMPLE:
    if (cx->t && !cx->view)
      return (Value){.kind = V_FIELD, .field = reg_data_field(cx->data, "id"), .span = at};
    return outside(cx, b, at);
  case B_EPOCH:
    if (cx->clock) return v_tensor(clock_result(cx, REG_RESULT_EPOCHS), at);
    return v_tensor(graph_cast(cx->g, cx_port(cx, REG_SLOT_EPOCH, 0, "epoch", DT_I32, (Shape){0}), DT_F64),
                    at);
  default: break;
  }
  if (b == B_STEP && cx->updates_made) return v_tensor(cx->updates_made, at);
  if (timed) return v_tensor(cx_step(cx), at);
  if (!cx->t && !cx->clock) return outside(cx, b, at);
  if (b == B_TOTAL)
    return (Value){.kind = V_NUM,
                   .num = (double)(cx->t ? cx->t : cx->clock)->total_steps,
                   .live = cx_total(cx),
                   .unit = UNIT_STEPS,
                   .span = at};
  return v_tensor(graph_binary(cx->g, OP_DIV, cx_step(cx), cx_total(cx)), at);
}

Value call_grad(Cx *cx, const Args *a) { return gradient(cx, a->v[0], a->v[1], a->at); }

typedef Value (*BuiltinFn)(Cx *cx, const Args *a);
#define call_elsewhere NULL // calls of these do not come here
static const BuiltinFn functions[B_COUNT_] = {
#define BUILTIN(id, name, signature, function, description) call_##function,
#include "../sema/builtins.def"
#undef BUILTIN
};

// -- counts

enum { COUNTS_EACH = 1, COUNTS_FILL, COUNTS_PLACE, COUNTS_WHOLE }; // 0: refused
static const struct {
  int takes;
  double identity;
} counts[B_COUNT_] = {
#define COUNT(id, takes, identity) [B_##id] = {COUNTS_##takes, identity},
#include "counts.def"
#undef COUNT
};

double count_identity(Builtin b) { return counts[b].identity; }

// false after a report: an argument has a count, and the function has no use for one.
static bool takes_counts(Cx *cx, const Args *a) {
  const Signature sig = builtin_signature(a->b);
  if (counts[a->b].takes) return true;
  for (int k = 0; k < sig.n + a->nmany; k++) {
    const Value *v = k < sig.n ? a->v[k] : a->many[k - sig.n];
    if (!v || !is_counted(cx, v)) continue;
    const Node *n = counted_wide(cx, v);
    refuse_counted(cx, arena_printf(cx->a, "`%s`", builtin_info[a->b].name), value_dims(cx, v), n->shape,
                   "it needs every element in its place; pick the rows behind it", a->at);
    return false;
  }
  return true;
}

Value call_builtin(Cx *cx, Builtin b, BoundArg *args, int nargs, Span at) {
  Args a;
  return bind_signature(cx, b, args, nargs, at, &a) && takes_counts(cx, &a) ? functions[b](cx, &a) : v_fail();
}
