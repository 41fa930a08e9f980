// One vector operation for each pointwise operation of the graph. Strict: no fast-math flags.
#include "emit.h"
#include <math.h>
#include <string.h>

LLVMValueRef emit_intrinsic(Emitter *m, LLVMBuilderRef b, const char *name, LLVMTypeRef t, LLVMValueRef *args,
                            int n) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMValueRef fn = LLVMGetIntrinsicDeclaration(m->module, id, &t, 1);
  return LLVMBuildCall2(b, LLVMIntrinsicGetType(m->context, id, &t, 1), fn, args, (unsigned)n, "");
}

// Computed by a function of the runtime: reg_vexp of eight floats, reg_dexp of one double.
static bool by_function(Op op) {
  static const char *const functions[] = {
#define UNARY(name)  #name,
#define BINARY(name) #name,
#include "kernels/special.def"
#include "kernels/vmath.def"
#undef UNARY
#undef BINARY
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (!strcmp(functions[i], op_info[op].text)) return true;
  return false;
}

static LLVMValueRef call_function(Emitter *m, LLVMBuilderRef b, Op op, LLVMTypeRef type, LLVMValueRef *args,
                                  int n) {
  const char *name = arena_printf(m->arena, type == m->f64 ? "reg_d%s" : "reg_v%s", op_info[op].text);
  LLVMTypeRef params[] = {type, type}, t = LLVMFunctionType(type, params, (unsigned)n, 0);
  LLVMValueRef fn = LLVMGetNamedFunction(m->module, name);
  if (!fn) fn = LLVMAddFunction(m->module, name, t);
  return LLVMBuildCall2(b, t, fn, args, (unsigned)n, "");
}

// Lane by lane; once where all lanes are equal.
static LLVMValueRef call_in_double(Kernel *k, LLVMBuilderRef b, const Node *n, LLVMValueRef *in,
                                   bool uniform) {
  Emitter *m = k->m;
  LLVMValueRef v = LLVMGetPoison(m->vf64);
  for (int lane = 0; lane < LANES; lane++) {
    LLVMValueRef at = LLVMConstInt(m->i32, (unsigned)lane, 0), args[2];
    for (int i = 0; i < n->nin; i++) args[i] = LLVMBuildExtractElement(b, in[i], at, "");
    LLVMValueRef one = call_function(m, b, n->op, m->f64, args, n->nin);
    if (uniform) return emit_splat(k, b, one);
    v = LLVMBuildInsertElement(b, v, one, at, "");
  }
  return v;
}

static LLVMValueRef convert(Emitter *m, LLVMBuilderRef b, LLVMValueRef v, DType from, DType to) {
  if (from == to) return v;
  LLVMTypeRef t = emit_vector_type(m, to), zero_of = LLVMTypeOf(v);
  if (from == DT_BOOL) return dtype_is_float(to) ? LLVMBuildUIToFP(b, v, t, "") : LLVMBuildZExt(b, v, t, "");
  if (to == DT_BOOL)
    return dtype_is_float(from) ? LLVMBuildFCmp(b, LLVMRealUNE, v, LLVMConstNull(zero_of), "")
                                : LLVMBuildICmp(b, LLVMIntNE, v, LLVMConstNull(zero_of), "");
  if (from == DT_I32) return LLVMBuildSIToFP(b, v, t, "");
  if (dtype_is_float(to)) return LLVMBuildFPCast(b, v, t, "");
  LLVMTypeRef overload[] = {t, LLVMTypeOf(v)}; // out of range goes to the nearest end, NaN to 0
  unsigned id = LLVMLookupIntrinsicID("llvm.fptosi.sat", strlen("llvm.fptosi.sat"));
  LLVMValueRef fn = LLVMGetIntrinsicDeclaration(m->module, id, overload, 2);
  return LLVMBuildCall2(b, LLVMIntrinsicGetType(m->context, id, overload, 2), fn, &v, 1, "");
}

static bool is_constant_number(LLVMValueRef v) {
  LLVMBool inexact;
  return LLVMIsConstant(v) && !isnan(LLVMConstRealGetDouble(LLVMGetAggregateElement(v, 0), &inexact));
}

// The greater (or lesser) one; a tie gives y. NaN in either operand gives NaN.
static LLVMValueRef extremum(LLVMBuilderRef b, LLVMValueRef x, LLVMValueRef y, bool greater, bool integer) {
  if (integer)
    return LLVMBuildSelect(b, LLVMBuildICmp(b, greater ? LLVMIntSGT : LLVMIntSLT, x, y, ""), x, y, "");
  if (is_constant_number(y))
    return LLVMBuildSelect(b, LLVMBuildFCmp(b, greater ? LLVMRealUGT : LLVMRealULT, x, y, ""), x, y, "");
  LLVMValueRef r =
      LLVMBuildSelect(b, LLVMBuildFCmp(b, greater ? LLVMRealOGT : LLVMRealOLT, x, y, ""), x, y, "");
  if (is_constant_number(x)) return r;
  return LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""), x, r, "");
}

// -1, 0 or 1; NaN and signed zeros stay.
static LLVMValueRef sign(Emitter *m, LLVMBuilderRef b, LLVMValueRef x, bool integer) {
  LLVMTypeRef t = LLVMTypeOf(x);
  LLVMValueRef zero = LLVMConstNull(t), less, more;
  (void)m;
  less = integer ? LLVMBuildICmp(b, LLVMIntSLT, x, zero, "") : LLVMBuildFCmp(b, LLVMRealOLT, x, zero, "");
  more = integer ? LLVMBuildICmp(b, LLVMIntSGT, x, zero, "") : LLVMBuildFCmp(b, LLVMRealOGT, x, zero, "");
  LLVMValueRef r = LLVMBuildSelect(b, more, emit_const(t, 1), x, "");
  return LLVMBuildSelect(b, less, emit_const(t, -1), r, "");
}

// x y, and 0 where x is 0 (or y, where `both`), whatever the other.
static LLVMValueRef guarded_product(LLVMBuilderRef b, LLVMValueRef x, LLVMValueRef y, bool both) {
  LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x)), none = LLVMBuildFCmp(b, LLVMRealOEQ, x, zero, "");
  if (both) none = LLVMBuildOr(b, none, LLVMBuildFCmp(b, LLVMRealOEQ, y, zero, ""), "");
  return LLVMBuildSelect(b, none, zero, LLVMBuildFMul(b, x, y, ""), "");
}

static LLVMValueRef compare(LLVMBuilderRef b, Op op, LLVMValueRef x, LLVMValueRef y, DType t) {
  if (dtype_is_float(t))
    return LLVMBuildFCmp(b, op == OP_LT ? LLVMRealOLT : op == OP_LE ? LLVMRealOLE : LLVMRealOEQ, x, y, "");
  bool is_signed = t == DT_I32;
  LLVMIntPredicate less = is_signed ? LLVMIntSLT : LLVMIntULT, equal = is_signed ? LLVMIntSLE : LLVMIntULE;
  return LLVMBuildICmp(b, op == OP_LT ? less : op == OP_LE ? equal : LLVMIntEQ, x, y, "");
}

// Truncates; 0 where y is 0. The least number over -1 wraps around.
static LLVMValueRef quotient(Emitter *m, LLVMBuilderRef b, LLVMValueRef x, LLVMValueRef y) {
  LLVMValueRef zero = LLVMConstNull(m->vi32), minus = emit_const(m->vi32, -1);
  LLVMValueRef by_zero = LLVMBuildICmp(b, LLVMIntEQ, y, zero, ""),
               wraps = LLVMBuildICmp(b, LLVMIntEQ, y, minus, "");
  LLVMValueRef safe = LLVMBuildSelect(b, LLVMBuildOr(b, by_zero, wraps, ""), emit_const(m->vi32, 1), y, "");
  LLVMValueRef q = LLVMBuildSDiv(b, x, safe, "");
  q = LLVMBuildSelect(b, wraps, LLVMBuildNeg(b, q, ""), q, "");
  return LLVMBuildSelect(b, by_zero, zero, q, "");
}

static LLVMValueRef integer_op(Emitter *m, LLVMBuilderRef b, const Node *n, LLVMValueRef *in) {
  LLVMValueRef zero = LLVMConstNull(m->vi32);
  switch (n->op) {
  case OP_NEG: return LLVMBuildNeg(b, in[0], "");
  case OP_ABS: return extremum(b, in[0], LLVMBuildSub(b, zero, in[0], ""), true, true);
  case OP_SIGN: return sign(m, b, in[0], true);
  case OP_FLOOR:
  case OP_ROUND: return in[0];
  case OP_ADD: return LLVMBuildAdd(b, in[0], in[1], "");
  case OP_SUB: return LLVMBuildSub(b, in[0], in[1], "");
  case OP_MUL: return LLVMBuildMul(b, in[0], in[1], "");
  case OP_DIV: return quotient(m, b, in[0], in[1]);
  case OP_MIN: return extremum(b, in[0], in[1], false, true);
  case OP_MAX: return extremum(b, in[0], in[1], true, true);
  default: ice("llvm", "%s has no integer form", op_info[n->op].text);
  }
}

static LLVMValueRef float_op(Kernel *k, LLVMBuilderRef b, const Node *n, LLVMValueRef *in, bool uniform) {
  Emitter *m = k->m;
  const LLVMTypeRef t = LLVMTypeOf(in[0]);
  if (by_function(n->op)) {
    if (n->dtype == DT_F64) return call_in_double(k, b, n, in, uniform);
    m->uses_vmath = true;
    return call_function(m, b, n->op, t, in, n->nin);
  }
  switch (n->op) {
  case OP_NEG: return LLVMBuildFNeg(b, in[0], "");
  case OP_ABS: return emit_intrinsic(m, b, "llvm.fabs", t, in, 1);
  case OP_SIGN: return sign(m, b, in[0], false);
  case OP_FLOOR: return emit_intrinsic(m, b, "llvm.floor", t, in, 1);
  case OP_ROUND: return emit_intrinsic(m, b, "llvm.roundeven", t, in, 1);
  case OP_SQRT: return emit_intrinsic(m, b, "llvm.sqrt", t, in, 1);
  case OP_ADD: return LLVMBuildFAdd(b, in[0], in[1], "");
  case OP_SUB: return LLVMBuildFSub(b, in[0], in[1], "");
  case OP_MUL: return LLVMBuildFMul(b, in[0], in[1], "");
  case OP_XMUL:
  case OP_ZMUL: return guarded_product(b, in[0], in[1], n->op == OP_ZMUL);
  case OP_DIV: return LLVMBuildFDiv(b, in[0], in[1], "");
  case OP_MIN: return extremum(b, in[0], in[1], false, false);
  case OP_MAX: return extremum(b, in[0], in[1], true, false);
  default: ice("llvm", "no code for %s", op_info[n->op].text);
  }
}

LLVMValueRef emit_pointwise(Kernel *k, LLVMBuilderRef b, const Node *n, LLVMValueRef *in, bool uniform) {
  Emitter *m = k->m;
  switch (n->op) {
  case OP_CAST: return convert(m, b, in[0], n->in[0]->dtype, n->dtype);
  case OP_SELECT: return LLVMBuildSelect(b, in[0], in[1], in[2], "");
  case OP_LT:
  case OP_LE:
  case OP_EQ: return compare(b, n->op, in[0], in[1], n->in[0]->dtype);
  case OP_AND: return LLVMBuildAnd(b, in[0], in[1], "");
  case OP_OR: return LLVMBuildOr(b, in[0], in[1], "");
  case OP_NOT: return LLVMBuildNot(b, in[0], "");
  default: return dtype_is_float(n->dtype) ? float_op(k, b, n, in, uniform) : integer_op(m, b, n, in);
  }
}
