// One vector operation for each pointwise operation of the graph. Strict: no fast-math flags.
#include "emit.h"
#include <string.h>

LLVMValueRef emit_intrinsic(Emitter *m, LLVMBuilderRef b, const char *name, LLVMTypeRef t, LLVMValueRef *args,
                            int n) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMValueRef fn = LLVMGetIntrinsicDeclaration(m->module, id, &t, 1);
  return LLVMBuildCall2(b, LLVMIntrinsicGetType(m->context, id, &t, 1), fn, args, (unsigned)n, "");
}

static const char *vmath_name(Op op) {
  switch (op) {
  case OP_EXP: return "reg_vexp";
  case OP_EXPM1: return "reg_vexpm1";
  case OP_LOG: return "reg_vlog";
  case OP_LOG1P: return "reg_vlog1p";
  case OP_TANH: return "reg_vtanh";
  case OP_SIGMOID: return "reg_vsigmoid";
  case OP_ERF: return "reg_verf";
  case OP_ERFINV: return "reg_verfinv";
  case OP_SIN: return "reg_vsin";
  case OP_COS: return "reg_vcos";
  case OP_POW: return "reg_vpow";
  default: return NULL;
  }
}

static LLVMValueRef call_vmath(Emitter *m, LLVMBuilderRef b, const char *name, LLVMValueRef *args, int n) {
  LLVMTypeRef params[] = {m->vf32, m->vf32}, t = LLVMFunctionType(m->vf32, params, (unsigned)n, 0);
  LLVMValueRef fn = LLVMGetNamedFunction(m->module, name);
  if (!fn) fn = LLVMAddFunction(m->module, name, t);
  m->uses_vmath = true;
  return LLVMBuildCall2(b, t, fn, args, (unsigned)n, "");
}

static LLVMValueRef convert(Emitter *m, LLVMBuilderRef b, LLVMValueRef v, DType from, DType to) {
  if (from == to) return v;
  if (from == DT_BOOL)
    return to == DT_F32 ? LLVMBuildUIToFP(b, v, m->vf32, "") : LLVMBuildZExt(b, v, m->vi32, "");
  if (to == DT_BOOL)
    return from == DT_F32 ? LLVMBuildFCmp(b, LLVMRealUNE, v, LLVMConstNull(m->vf32), "")
                          : LLVMBuildICmp(b, LLVMIntNE, v, LLVMConstNull(m->vi32), "");
  if (to == DT_F32) return LLVMBuildSIToFP(b, v, m->vf32, "");
  LLVMTypeRef overload[] = {m->vi32, m->vf32}; // out of range goes to the nearest end, NaN to 0
  unsigned id = LLVMLookupIntrinsicID("llvm.fptosi.sat", strlen("llvm.fptosi.sat"));
  LLVMValueRef fn = LLVMGetIntrinsicDeclaration(m->module, id, overload, 2);
  return LLVMBuildCall2(b, LLVMIntrinsicGetType(m->context, id, overload, 2), fn, &v, 1, "");
}

// The greater (or lesser) one; a tie gives y. NaN in either operand gives NaN.
static LLVMValueRef extremum(LLVMBuilderRef b, LLVMValueRef x, LLVMValueRef y, bool greater, bool integer) {
  if (integer)
    return LLVMBuildSelect(b, LLVMBuildICmp(b, greater ? LLVMIntSGT : LLVMIntSLT, x, y, ""), x, y, "");
  if (LLVMIsConstant(y))
    return LLVMBuildSelect(b, LLVMBuildFCmp(b, greater ? LLVMRealUGT : LLVMRealULT, x, y, ""), x, y, "");
  LLVMValueRef r =
      LLVMBuildSelect(b, LLVMBuildFCmp(b, greater ? LLVMRealOGT : LLVMRealOLT, x, y, ""), x, y, "");
  if (LLVMIsConstant(x)) return r;
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

static LLVMValueRef compare(LLVMBuilderRef b, Op op, LLVMValueRef x, LLVMValueRef y, DType t) {
  if (t == DT_F32)
    return LLVMBuildFCmp(b, op == OP_LT ? LLVMRealOLT : op == OP_LE ? LLVMRealOLE : LLVMRealOEQ, x, y, "");
  bool is_signed = t == DT_I32;
  LLVMIntPredicate less = is_signed ? LLVMIntSLT : LLVMIntULT, equal = is_signed ? LLVMIntSLE : LLVMIntULE;
  return LLVMBuildICmp(b, op == OP_LT ? less : op == OP_LE ? equal : LLVMIntEQ, x, y, "");
}

// What has no integer form is computed in float.
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
  case OP_MIN: return extremum(b, in[0], in[1], false, true);
  case OP_MAX: return extremum(b, in[0], in[1], true, true);
  default: ice("llvm", "%s has no integer form", op_info[n->op].text);
  }
}

static LLVMValueRef float_op(Emitter *m, LLVMBuilderRef b, const Node *n, LLVMValueRef *in) {
  const char *name = vmath_name(n->op);
  if (name) return call_vmath(m, b, name, in, n->nin);
  switch (n->op) {
  case OP_NEG: return LLVMBuildFNeg(b, in[0], "");
  case OP_ABS: return emit_intrinsic(m, b, "llvm.fabs", m->vf32, in, 1);
  case OP_SIGN: return sign(m, b, in[0], false);
  case OP_FLOOR: return emit_intrinsic(m, b, "llvm.floor", m->vf32, in, 1);
  case OP_ROUND: return emit_intrinsic(m, b, "llvm.roundeven", m->vf32, in, 1);
  case OP_SQRT: return emit_intrinsic(m, b, "llvm.sqrt", m->vf32, in, 1);
  case OP_ADD: return LLVMBuildFAdd(b, in[0], in[1], "");
  case OP_SUB: return LLVMBuildFSub(b, in[0], in[1], "");
  case OP_MUL: return LLVMBuildFMul(b, in[0], in[1], "");
  case OP_DIV: return LLVMBuildFDiv(b, in[0], in[1], "");
  case OP_MIN: return extremum(b, in[0], in[1], false, false);
  case OP_MAX: return extremum(b, in[0], in[1], true, false);
  default: ice("llvm", "no code for %s", op_info[n->op].text);
  }
}

LLVMValueRef emit_pointwise(Emitter *m, LLVMBuilderRef b, const Node *n, LLVMValueRef *in) {
  switch (n->op) {
  case OP_CAST: return convert(m, b, in[0], n->in[0]->dtype, n->dtype);
  case OP_SELECT: return LLVMBuildSelect(b, in[0], in[1], in[2], "");
  case OP_LT:
  case OP_LE:
  case OP_EQ: return compare(b, n->op, in[0], in[1], n->in[0]->dtype);
  case OP_AND: return LLVMBuildAnd(b, in[0], in[1], "");
  case OP_OR: return LLVMBuildOr(b, in[0], in[1], "");
  case OP_NOT: return LLVMBuildNot(b, in[0], "");
  default: return n->dtype == DT_F32 ? float_op(m, b, n, in) : integer_op(m, b, n, in);
  }
}
