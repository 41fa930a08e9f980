// Accumulators of reductions: one for each copy of the vector, combined in a fixed order.
//
// A short sum is carried in float lanes, a long one in double: in blocks of float lanes where the vector runs
// over it. A NaN is the greatest value; its number is the first of equals.
#include "emit.h"
#include <float.h>
#include <math.h>

static bool is_float(const NestOut *o) { return dtype_is_float(o->node->in[0]->dtype); }
static bool is_double(const NestOut *o) { return o->node->in[0]->dtype == DT_F64; }

static LLVMTypeRef lanes_type(const Kernel *k, const NestOut *o, bool in_double) {
  if (!is_float(o)) return k->m->vi32;
  return is_double(o) || (in_double && o->node->op == OP_SUM) ? k->m->vf64 : k->m->vf32;
}

LLVMTypeRef emit_sum_element(const Kernel *k, const NestOut *o, bool in_double) {
  return LLVMGetElementType(lanes_type(k, o, in_double));
}

// The neutral element, for lanes that do not exist, too.
static LLVMValueRef neutral(const NestOut *o, LLVMTypeRef t) {
  if (o->node->op == OP_SUM) return LLVMConstNull(t);
  return emit_const(t, is_float(o) ? -INFINITY : (double)INT32_MIN);
}

void emit_sum_start(Kernel *k, const NestOut *o, Accumulator *a, bool in_double, bool blocked) {
  LLVMTypeRef t = lanes_type(k, o, in_double && !blocked);
  if (!a->best) {
    a->best = emit_local(k, t);
    if (o->node->op == OP_ARGMAX) a->where = emit_local(k, k->m->vi32);
    if (blocked && o->node->op == OP_SUM && is_float(o) && !is_double(o))
      a->total = emit_local(k, k->m->vf64);
  }
  if (a->total) LLVMBuildStore(k->builder, LLVMConstNull(k->m->vf64), a->total);
  LLVMBuildStore(k->builder, neutral(o, t), a->best);
  if (a->where) LLVMBuildStore(k->builder, LLVMConstNull(k->m->vi32), a->where);
}

void emit_sum_flush(Kernel *k, Accumulator *a) {
  if (!a->total) return;
  Emitter *m = k->m;
  LLVMValueRef block =
      LLVMBuildFPExt(k->builder, LLVMBuildLoad2(k->builder, m->vf32, a->best, ""), m->vf64, "");
  LLVMValueRef before = LLVMBuildLoad2(k->builder, m->vf64, a->total, "");
  LLVMBuildStore(k->builder, LLVMBuildFAdd(k->builder, before, block, ""), a->total);
  LLVMBuildStore(k->builder, LLVMConstNull(m->vf32), a->best);
}

static LLVMValueRef greater(Kernel *k, const NestOut *o, LLVMValueRef x, LLVMValueRef y) {
  return is_float(o) ? LLVMBuildFCmp(k->builder, LLVMRealOGT, x, y, "")
                     : LLVMBuildICmp(k->builder, LLVMIntSGT, x, y, "");
}

static LLVMValueRef is_nan(Kernel *k, LLVMValueRef x) {
  return LLVMBuildFCmp(k->builder, LLVMRealUNO, x, x, "");
}

// x is greater than y, or NaN where y is not.
static LLVMValueRef beats(Kernel *k, const NestOut *o, LLVMValueRef x, LLVMValueRef y) {
  if (!is_float(o)) return greater(k, o, x, y);
  LLVMValueRef ordered = LLVMBuildFCmp(k->builder, LLVMRealORD, y, y, "");
  return LLVMBuildAnd(k->builder, ordered, LLVMBuildFCmp(k->builder, LLVMRealUGT, x, y, ""), "");
}

static LLVMValueRef combine(Kernel *k, const NestOut *o, LLVMValueRef x, LLVMValueRef y) {
  if (o->node->op == OP_SUM)
    return is_float(o) ? LLVMBuildFAdd(k->builder, x, y, "") : LLVMBuildAdd(k->builder, x, y, "");
  LLVMValueRef r = LLVMBuildSelect(k->builder, greater(k, o, y, x), y, x, "");
  return is_float(o) ? LLVMBuildSelect(k->builder, is_nan(k, y), y, r, "") : r;
}

void emit_sum_add(Kernel *k, const NestOut *o, Accumulator *a, bool in_double, LLVMValueRef v) {
  LLVMTypeRef t = lanes_type(k, o, in_double);
  if (o->node->in[0]->dtype == DT_BOOL) v = LLVMBuildZExt(k->builder, v, k->m->vi32, "");
  if (k->tail) v = LLVMBuildSelect(k->builder, k->tail, v, neutral(o, LLVMTypeOf(v)), "");
  if (t == k->m->vf64) v = LLVMBuildFPCast(k->builder, v, t, "");
  LLVMValueRef best = LLVMBuildLoad2(k->builder, t, a->best, "");
  if (a->where) {
    LLVMValueRef where = LLVMBuildLoad2(k->builder, k->m->vi32, a->where, "");
    LLVMValueRef here = emit_affine_vector(k, &k->loops.space.axis[o->node->attr[0]]),
                 more = beats(k, o, v, best);
    LLVMBuildStore(k->builder, LLVMBuildSelect(k->builder, more, here, where, ""), a->where);
    LLVMBuildStore(k->builder, LLVMBuildSelect(k->builder, more, v, best, ""), a->best);
    return;
  }
  LLVMBuildStore(k->builder, combine(k, o, best, v), a->best);
}

// The pair with the greater value, or NaN; of equals the one with the smaller number.
static void combine_pairs(Kernel *k, const NestOut *o, LLVMValueRef *best, LLVMValueRef *where,
                          LLVMValueRef v, LLVMValueRef at) {
  LLVMBuilderRef b = k->builder;
  LLVMValueRef equal =
      is_float(o) ? LLVMBuildFCmp(b, LLVMRealOEQ, v, *best, "") : LLVMBuildICmp(b, LLVMIntEQ, v, *best, "");
  if (is_float(o)) equal = LLVMBuildOr(b, equal, LLVMBuildAnd(b, is_nan(k, v), is_nan(k, *best), ""), "");
  LLVMValueRef first = LLVMBuildAnd(b, equal, LLVMBuildICmp(b, LLVMIntSLT, at, *where, ""), "");
  LLVMValueRef take = LLVMBuildOr(b, beats(k, o, v, *best), first, "");
  *best = LLVMBuildSelect(b, take, v, *best, "");
  *where = LLVMBuildSelect(b, take, at, *where, "");
}

// Lanes i and i + distance, for every i; lane 0 has the result in the end.
static LLVMValueRef shuffled(Kernel *k, LLVMValueRef v, int distance) {
  LLVMValueRef lanes[LANES];
  for (int i = 0; i < LANES; i++) lanes[i] = LLVMConstInt(k->m->i32, (unsigned)((i + distance) % LANES), 0);
  return LLVMBuildShuffleVector(k->builder, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(lanes, LANES),
                                "");
}

static void across_lanes(Kernel *k, const NestOut *o, LLVMValueRef *best, LLVMValueRef *where) {
  for (int d = LANES / 2; d > 0; d /= 2) {
    LLVMValueRef v = shuffled(k, *best, d);
    if (*where)
      combine_pairs(k, o, best, where, v, shuffled(k, *where, d));
    else
      *best = combine(k, o, *best, v);
  }
  LLVMValueRef zero = LLVMConstInt(k->m->i32, 0, 0);
  *best = LLVMBuildExtractElement(k->builder, *best, zero, "");
  if (*where) *where = LLVMBuildExtractElement(k->builder, *where, zero, "");
}

// A piece's result: PARTIAL_BYTES, a value of up to eight and its number behind.
static LLVMValueRef partial_at(Kernel *k, const NestOut *o, LLVMValueRef piece) {
  LLVMTypeRef t = LLVMArrayType2(k->m->i64, PARTIAL_BYTES / 8);
  return LLVMBuildGEP2(k->builder, t, emit_buffer(k, o->partial), &piece, 1, "");
}

static LLVMValueRef partial_where(Kernel *k, LLVMValueRef at) {
  LLVMValueRef one = emit_int64(k->m, 1);
  return LLVMBuildGEP2(k->builder, k->m->i64, at, &one, 1, "");
}

// Between pieces sums are doubles.
static DType partial_dtype(const NestOut *o) {
  if (!is_float(o)) return DT_I32;
  return o->node->op == OP_SUM ? DT_F64 : o->node->in[0]->dtype;
}

// Of a swept nest: a piece's row of results.
static LLVMValueRef partial_row(Kernel *k, const NestOut *o, LLVMValueRef piece) {
  LLVMTypeRef row = LLVMArrayType2(k->m->i64, (uint64_t)nest_partial_bytes(&k->loops) / 8);
  return LLVMBuildGEP2(k->builder, row, emit_buffer(k, o->partial), &piece, 1, "");
}

void emit_sum_finish(Kernel *k, const NestOut *o, Accumulator *a, int copies, bool in_double,
                     const Affine *to, LLVMValueRef piece) {
  LLVMTypeRef t = lanes_type(k, o, in_double);
  LLVMValueRef best = LLVMBuildLoad2(k->builder, t, a[0].total ? a[0].total : a[0].best, ""), where = NULL;
  if (a[0].where) where = LLVMBuildLoad2(k->builder, k->m->vi32, a[0].where, "");
  for (int i = 1; i < copies; i++) {
    LLVMValueRef v = LLVMBuildLoad2(k->builder, t, a[i].total ? a[i].total : a[i].best, "");
    if (where)
      combine_pairs(k, o, &best, &where, v, LLVMBuildLoad2(k->builder, k->m->vi32, a[i].where, ""));
    else
      best = combine(k, o, best, v);
  }
  bool across = !nest_keeps_vector(&k->loops);
  if (across) across_lanes(k, o, &best, &where);
  if (piece && k->loops.swept) {
    emit_store(k, partial_row(k, o, piece), partial_dtype(o), to, best);
    return;
  }
  if (piece) {
    LLVMValueRef at = partial_at(k, o, piece);
    LLVMBuildStore(k->builder, best, at);
    if (where) LLVMBuildStore(k->builder, where, partial_where(k, at));
    return;
  }
  if (o->node->dtype == DT_F32) best = LLVMBuildFPCast(k->builder, best, across ? k->m->f32 : k->m->vf32, "");
  LLVMValueRef base = emit_buffer(k, o->buffer), result = where ? where : best;
  if (across)
    emit_store_scalar(k, base, o->node->dtype, to, result);
  else
    emit_store(k, base, o->node->dtype, to, result);
}

void emit_sum_combine(Kernel *k, const NestOut *o, const Affine *to) {
  LLVMValueRef all = NULL;
  for (int64_t p = 0; p < k->schedule.pieces; p++) {
    LLVMValueRef row = partial_row(k, o, emit_int64(k->m, p)), v = emit_load(k, row, partial_dtype(o), to, 0);
    all = all ? combine(k, o, all, v) : v;
  }
  if (o->node->dtype == DT_F32) all = LLVMBuildFPCast(k->builder, all, k->m->vf32, "");
  emit_store(k, emit_buffer(k, o->buffer), o->node->dtype, to, all);
}

void emit_combine_all(Kernel *k) {
  for (int i = 0; i < k->nest->nouts; i++) {
    const NestOut *o = &k->nest->outs[i];
    if (!o->partial) continue;
    LLVMTypeRef t = emit_sum_element(k, o, true);
    LLVMValueRef best = NULL, where = NULL;
    for (int64_t p = 0; p < k->schedule.pieces; p++) {
      LLVMValueRef at = partial_at(k, o, emit_int64(k->m, p)), v, w = NULL;
      v = LLVMBuildLoad2(k->builder, t, at, "");
      if (o->node->op == OP_ARGMAX) w = LLVMBuildLoad2(k->builder, k->m->i32, partial_where(k, at), "");
      if (p == 0) {
        best = v;
        where = w;
      } else if (w) {
        combine_pairs(k, o, &best, &where, v, w);
      } else {
        best = combine(k, o, best, v);
      }
    }
    if (o->node->dtype == DT_F32) best = LLVMBuildFPCast(k->builder, best, k->m->f32, "");
    LLVMBuildStore(k->builder, where ? where : best, emit_buffer(k, o->buffer));
  }
}
