// Index arithmetic as code. Terms are added from the outermost variable in, each sum at the depth of its last
// term, so that inner loops only add what varies there.
#include "emit.h"

void emit_types(Emitter *m) {
  LLVMContextRef c = m->context;
  m->void_t = LLVMVoidTypeInContext(c);
  m->i1 = LLVMInt1TypeInContext(c);
  m->i8 = LLVMInt8TypeInContext(c);
  m->i32 = LLVMInt32TypeInContext(c);
  m->i64 = LLVMInt64TypeInContext(c);
  m->f32 = LLVMFloatTypeInContext(c);
  m->f64 = LLVMDoubleTypeInContext(c);
  m->ptr = LLVMPointerTypeInContext(c, 0);
  m->vi1 = LLVMVectorType(m->i1, LANES);
  m->vi8 = LLVMVectorType(m->i8, LANES);
  m->vi32 = LLVMVectorType(m->i32, LANES);
  m->vf32 = LLVMVectorType(m->f32, LANES);
  m->vf64 = LLVMVectorType(m->f64, LANES);
  LLVMValueRef lanes[LANES];
  for (int i = 0; i < LANES; i++) lanes[i] = LLVMConstInt(m->i32, (unsigned)i, 0);
  m->lane_numbers = LLVMConstVector(lanes, LANES);
}

LLVMValueRef emit_int64(const Emitter *m, int64_t v) {
  return LLVMConstInt(m->i64, (unsigned long long)v, 1);
}

LLVMValueRef emit_const(LLVMTypeRef t, double v) {
  LLVMTypeRef e = LLVMGetElementType(t);
  LLVMValueRef one = LLVMGetTypeKind(e) == LLVMIntegerTypeKind
                         ? LLVMConstInt(e, (unsigned long long)(int64_t)v, 1)
                         : LLVMConstReal(e, v);
  LLVMValueRef all[LANES];
  for (int i = 0; i < LANES; i++) all[i] = one;
  return LLVMConstVector(all, LANES);
}

LLVMBuilderRef emit_at(Kernel *k, int depth) {
  if (depth >= k->depth) return k->builder;
  LLVMPositionBuilderBefore(k->hoisted, k->leave[depth]);
  return k->hoisted;
}

static int loop_depth(const Kernel *k, int var) {
  for (int i = 0; i < k->loops.nloops; i++)
    if (k->loops.order[i] == var) return i + 1;
  return 0;
}

bool emit_same_copy(const Kernel *k, int64_t shift, int depth) {
  return shift == k->shift || depth <= k->loops.vector;
}

static int vector_var(const Kernel *k) { return k->loops.order[k->loops.vector]; }

int emit_affine_depth(const Kernel *k, const Affine *x) {
  int depth = 0;
  for (int i = 0; i < k->loops.vars.n; i++) {
    if (!x->coef[i]) continue;
    int d = i < k->loops.vars.nloops ? loop_depth(k, i) : emit_affine_depth(k, &k->loops.vars.var[i].of);
    if (d > depth) depth = d;
  }
  return depth;
}

bool emit_affine_varies(const Kernel *k, const Affine *x) {
  if (x->coef[vector_var(k)]) return true;
  for (int i = k->loops.vars.nloops; i < k->loops.vars.n; i++)
    if (x->coef[i] && emit_affine_varies(k, &k->loops.vars.var[i].of)) return true;
  return false;
}

bool emit_affine_steps(const Kernel *k, const Affine *x) {
  for (int i = k->loops.vars.nloops; i < k->loops.vars.n; i++)
    if (x->coef[i] && emit_affine_varies(k, &k->loops.vars.var[i].of)) return false;
  return true;
}

LLVMValueRef emit_splat(Kernel *k, LLVMBuilderRef b, LLVMValueRef scalar) {
  LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(scalar), LANES);
  LLVMValueRef v = LLVMBuildInsertElement(b, LLVMGetPoison(t), scalar, LLVMConstInt(k->m->i32, 0, 0), "");
  return LLVMBuildShuffleVector(b, v, LLVMGetPoison(t), LLVMConstNull(k->m->vi32), "");
}

static LLVMValueRef derived_first(Kernel *k, int var) {
  const Var *v = &k->loops.vars.var[var];
  LLVMValueRef of = emit_affine_first(k, &v->of);
  return LLVMBuildSDiv(emit_at(k, emit_affine_depth(k, &v->of)), of, emit_int64(k->m, v->divisor), "");
}

LLVMValueRef emit_affine_first(Kernel *k, const Affine *x) {
  const Vars *vars = &k->loops.vars;
  int vec = vector_var(k);
  LLVMValueRef sum = emit_int64(k->m, x->base + x->coef[vec] * k->shift);
  for (int depth = 0; depth <= k->loops.nloops; depth++) {
    for (int i = 0; i < vars->n; i++) {
      if (!x->coef[i]) continue;
      bool derived = i >= vars->nloops;
      if (derived && emit_affine_varies(k, &vars->var[i].of)) continue;
      if ((derived ? emit_affine_depth(k, &vars->var[i].of) : loop_depth(k, i)) != depth) continue;
      LLVMValueRef v = derived ? derived_first(k, i) : k->value[i];
      LLVMBuilderRef b = emit_at(k, depth);
      if (x->coef[i] != 1) v = LLVMBuildNSWMul(b, v, emit_int64(k->m, x->coef[i]), "");
      sum = LLVMBuildNSWAdd(b, v, sum, "");
    }
  }
  return sum;
}

LLVMValueRef emit_affine_lanes(Kernel *k, const Affine *x) {
  const Vars *vars = &k->loops.vars;
  LLVMBuilderRef b = emit_at(k, emit_affine_depth(k, x));
  LLVMValueRef lanes =
      LLVMBuildMul(b, k->m->lane_numbers, emit_const(k->m->vi32, (double)x->coef[vector_var(k)]), "");
  for (int i = vars->nloops; i < vars->n; i++) {
    if (!x->coef[i] || !emit_affine_varies(k, &vars->var[i].of)) continue;
    LLVMValueRef of = emit_affine_vector(k, &vars->var[i].of);
    LLVMBuilderRef at = emit_at(k, emit_affine_depth(k, x));
    LLVMValueRef q = LLVMBuildSDiv(at, of, emit_const(k->m->vi32, (double)vars->var[i].divisor), "");
    q = LLVMBuildMul(at, q, emit_const(k->m->vi32, (double)x->coef[i]), "");
    lanes = LLVMBuildAdd(at, lanes, q, "");
  }
  return lanes;
}

LLVMValueRef emit_affine_vector(Kernel *k, const Affine *x) {
  LLVMValueRef first = emit_affine_first(k, x);
  int depth = emit_affine_depth(k, x);
  LLVMValueRef all =
      emit_splat(k, emit_at(k, depth), LLVMBuildTrunc(emit_at(k, depth), first, k->m->i32, ""));
  if (!emit_affine_varies(k, x)) return all;
  LLVMValueRef lanes = emit_affine_lanes(k, x);
  return LLVMBuildAdd(emit_at(k, depth), all, lanes, "");
}

static bool guard_equal(const Guard *x, const Guard *y) {
  return x->lo == y->lo && x->hi == y->hi && affine_equal(&x->at, &y->at);
}

// lo <= at < hi as one unsigned comparison.
static int mask_one(Kernel *k, int parent, const Guard *g) {
  for (int i = 0; i < k->masks.len; i++) {
    const Mask *m = &k->masks.data[i];
    if (m->value && emit_same_copy(k, m->shift, m->depth) && m->parent == parent && guard_equal(&m->guard, g))
      return i + 1;
  }
  Affine from = g->at;
  from.base -= g->lo;
  LLVMValueRef offset = emit_affine_vector(k, &from);
  Mask m = {.parent = parent, .guard = *g, .depth = emit_affine_depth(k, &from), .shift = k->shift};
  if (parent && k->masks.data[parent - 1].depth > m.depth) m.depth = k->masks.data[parent - 1].depth;
  LLVMBuilderRef b = emit_at(k, m.depth);
  m.value = LLVMBuildICmp(b, LLVMIntULT, offset, emit_const(k->m->vi32, (double)(g->hi - g->lo)), "");
  if (parent) m.value = LLVMBuildAnd(b, k->masks.data[parent - 1].value, m.value, "");
  vec_push(k->m->arena, k->masks, m);
  return k->masks.len;
}

int emit_mask(Kernel *k, int parent, const Guard *guards, int n) {
  for (int i = 0; i < n; i++) parent = mask_one(k, parent, &guards[i]);
  return parent;
}
