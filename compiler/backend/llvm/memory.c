// Loads and stores: contiguous, repeated or gathered, whichever the address asks for; under a mask where not
// every lane exists.
#include "emit.h"
#include <string.h>

LLVMTypeRef emit_vector_type(const Emitter *m, DType t) {
  return t == DT_F32 ? m->vf32 : t == DT_F64 ? m->vf64 : t == DT_I32 ? m->vi32 : m->vi1;
}

static LLVMTypeRef memory_type(const Emitter *m, DType t) {
  return t == DT_BOOL ? m->vi8 : emit_vector_type(m, t);
}

static LLVMTypeRef element_type(const Emitter *m, DType t) { return LLVMGetElementType(memory_type(m, t)); }

static LLVMValueRef alignment(const Emitter *m, DType t) {
  return LLVMConstInt(m->i32, (unsigned long long)dtype_size(t), 0);
}

LLVMValueRef emit_local(Kernel *k, LLVMTypeRef t) {
  LLVMValueRef v = LLVMBuildAlloca(k->entry_builder, t, "");
  LLVMSetAlignment(v, 32);
  return v;
}

static LLVMValueRef argument(Kernel *k, int i) {
  Emitter *m = k->m;
  if (!k->address[i]) {
    LLVMValueRef number = emit_int64(m, i);
    LLVMValueRef at = LLVMBuildGEP2(k->entry_builder, m->ptr, k->table, &number, 1, "");
    const bool draw = i >= k->args->buffers.len;
    k->address[i] = LLVMBuildLoad2(k->entry_builder, draw ? m->i32 : m->ptr, at, "");
  }
  return k->address[i];
}

LLVMValueRef emit_buffer(Kernel *k, const Buffer *b) {
  for (int i = 0; i < k->args->buffers.len; i++)
    if (k->args->buffers.data[i] == b) return argument(k, i);
  ice("llvm", "b%d is no argument of its kernel", b->id);
}

LLVMValueRef emit_stream(Kernel *k, const Node *draw) {
  for (int i = 0; i < k->args->draws.len; i++)
    if (k->args->draws.data[i] == draw) return argument(k, k->args->buffers.len + i);
  ice("llvm", "a draw is no argument of its kernel");
}

LLVMValueRef emit_const_tensor(Kernel *k, const Node *n) {
  Emitter *m = k->m;
  const char *name = arena_printf(m->arena, "const%d_%d", m->number, n->id);
  LLVMValueRef old = LLVMGetNamedGlobal(m->module, name);
  if (old) return old;
  LLVMTypeRef t = element_type(m, n->dtype);
  LLVMValueRef *values = ARENA_ARRAY(m->arena, LLVMValueRef, n->ndata);
  for (int64_t i = 0; i < n->ndata; i++)
    values[i] = dtype_is_float(n->dtype) ? LLVMConstReal(t, n->data[i])
                                         : LLVMConstInt(t, (unsigned long long)(int64_t)n->data[i], 1);
  LLVMValueRef g = LLVMAddGlobal(m->module, LLVMArrayType2(t, (uint64_t)n->ndata), name);
  LLVMSetInitializer(g, LLVMConstArray2(t, values, (uint64_t)n->ndata));
  LLVMSetLinkage(g, LLVMPrivateLinkage);
  LLVMSetGlobalConstant(g, 1);
  LLVMSetAlignment(g, 32);
  return g;
}

static LLVMValueRef element_address(Kernel *k, LLVMValueRef base, DType t, const Affine *at) {
  LLVMValueRef first = emit_affine_first(k, at);
  return LLVMBuildGEP2(emit_at(k, emit_affine_depth(k, at)), element_type(k->m, t), base, &first, 1, "");
}

static LLVMValueRef call_masked(Kernel *k, LLVMBuilderRef b, const char *name, LLVMTypeRef *overload,
                                LLVMValueRef *args, int n) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMValueRef fn = LLVMGetIntrinsicDeclaration(k->m->module, id, overload, 2);
  LLVMTypeRef t = LLVMIntrinsicGetType(k->m->context, id, overload, 2);
  return LLVMBuildCall2(b, t, fn, args, (unsigned)n, "");
}

// The lanes for which an access is made: the mask, and the tail where the address or the mask varies along
// the vector.
static LLVMValueRef wanted_lanes(Kernel *k, const Affine *at, int mask, LLVMBuilderRef b) {
  LLVMValueRef m = mask ? k->masks.data[mask - 1].value : NULL;
  bool along = emit_affine_varies(k, at) || (mask && k->masks.data[mask - 1].depth > k->loops.vector);
  if (!k->tail || !along) return m;
  return m ? LLVMBuildAnd(b, m, k->tail, "") : k->tail;
}

// Eight doubles are two registers: where LLVM 19.1.7 parts a masked load of which one half is known to be
// left out, it loads that half all the same. So each half is a load of its own.
static LLVMValueRef load_doubles(Kernel *k, LLVMBuilderRef b, LLVMValueRef address, LLVMValueRef lanes) {
  enum { HALF = LANES / 2 };
  Emitter *m = k->m;
  LLVMTypeRef t = LLVMVectorType(element_type(m, DT_F64), HALF), i32 = LLVMGetElementType(m->vi32);
  LLVMValueRef half[2];
  for (unsigned h = 0; h < 2; h++) {
    LLVMValueRef at[HALF], first = LLVMConstInt(i32, h * HALF, 0);
    for (unsigned i = 0; i < HALF; i++) at[i] = LLVMConstInt(i32, h * HALF + i, 0);
    LLVMValueRef some =
        LLVMBuildShuffleVector(b, lanes, LLVMGetPoison(LLVMTypeOf(lanes)), LLVMConstVector(at, HALF), "");
    LLVMValueRef where = LLVMBuildGEP2(b, element_type(m, DT_F64), address, &first, 1, "");
    LLVMTypeRef overload[] = {t, m->ptr};
    LLVMValueRef args[] = {where, alignment(m, DT_F64), some, LLVMConstNull(t)};
    half[h] = call_masked(k, b, "llvm.masked.load", overload, args, 4);
  }
  return LLVMBuildShuffleVector(b, half[0], half[1], m->lane_numbers, "");
}

LLVMValueRef emit_load(Kernel *k, LLVMValueRef base, DType type, const Affine *at, int mask) {
  Emitter *m = k->m;
  LLVMTypeRef t = memory_type(m, type);
  LLVMValueRef address = element_address(k, base, type, at), v, align = alignment(m, type);
  Index index = {.rank = 1, .axis = {*at}};
  bool varies = emit_affine_varies(k, at),
       contiguous = varies && emit_affine_steps(k, at) && at->coef[k->loops.order[k->loops.vector]] == 1;
  LLVMValueRef offsets = varies && !contiguous ? emit_affine_lanes(k, at) : LLVMConstNull(m->vi32);
  LLVMBuilderRef b = emit_at(k, emit_index_depth(k, &index, mask));
  LLVMValueRef lanes = wanted_lanes(k, at, mask, b);
  if (contiguous && !lanes) {
    v = LLVMBuildLoad2(b, t, address, "");
    LLVMSetAlignment(v, (unsigned)dtype_size(type));
  } else if (contiguous && type == DT_F64) {
    v = load_doubles(k, b, address, lanes);
  } else if (contiguous) {
    LLVMTypeRef overload[] = {t, m->ptr};
    LLVMValueRef args[] = {address, align, lanes, LLVMConstNull(t)};
    v = call_masked(k, b, "llvm.masked.load", overload, args, 4);
  } else if (!varies && !lanes) {
    v = emit_splat(k, b, LLVMBuildLoad2(b, LLVMGetElementType(t), address, ""));
  } else {
    LLVMTypeRef pointers = LLVMVectorType(m->ptr, LANES), overload[] = {t, pointers};
    LLVMValueRef all = LLVMConstAllOnes(m->vi1);
    LLVMValueRef where = LLVMBuildGEP2(b, element_type(m, type), emit_splat(k, b, address), &offsets, 1, "");
    LLVMValueRef args[] = {where, align, lanes ? lanes : all, LLVMConstNull(t)};
    v = call_masked(k, b, "llvm.masked.gather", overload, args, 4);
  }
  return type == DT_BOOL ? LLVMBuildICmp(b, LLVMIntNE, v, LLVMConstNull(t), "") : v;
}

// The last axis of a nest's space is what the vector runs over, so stores are contiguous.
void emit_store(Kernel *k, LLVMValueRef base, DType type, const Affine *at, LLVMValueRef v) {
  Emitter *m = k->m;
  if (type == DT_BOOL) v = LLVMBuildZExt(k->builder, v, m->vi8, "");
  LLVMValueRef address = element_address(k, base, type, at);
  if (!k->tail) {
    LLVMSetAlignment(LLVMBuildStore(k->builder, v, address), (unsigned)dtype_size(type));
    return;
  }
  LLVMTypeRef overload[] = {memory_type(m, type), m->ptr};
  LLVMValueRef args[] = {v, address, alignment(m, type), k->tail};
  call_masked(k, k->builder, "llvm.masked.store", overload, args, 4);
}

void emit_store_scalar(Kernel *k, LLVMValueRef base, DType t, const Affine *at, LLVMValueRef v) {
  LLVMBuildStore(k->builder, v, element_address(k, base, t, at));
}
